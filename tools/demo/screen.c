/* screen.c — see screen.h. */
#include "tools/demo/screen.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lineward/clock.h"

#define COLUMNS_MIN (80 + 1) /* a full line must not wrap */
#define ROWS_MIN    (PLAN_LINES + PLAN_POOLS + 6)
#define TELL_MS     1000

enum colour { PLAIN, GREEN, YELLOW, RED, DIM };
static const char *const codes[] = {
    [PLAIN] = "\033[0m", [GREEN] = "\033[32m", [YELLOW] = "\033[33m", [RED] = "\033[31m", [DIM] = "\033[2m"};

void screen_open(struct screen *screen, FILE *out)
{
    struct winsize size = {0};
    const char *terminal = getenv("TERM");
    bool is_terminal = isatty(fileno(out)) && terminal != NULL && strcmp(terminal, "dumb") != 0 &&
                       ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col >= COLUMNS_MIN &&
                       size.ws_row >= ROWS_MIN;
    *screen = (struct screen){.out = out,
                              .is_terminal = is_terminal,
                              .has_colour = is_terminal && getenv("NO_COLOR") == NULL,
                              .begun_mono_ms = clock_read().mono_ms};
}

void screen_close(struct screen *screen)
{
    free(screen->frame);
    screen->frame = NULL;
    screen->frame_lines = 0;
    fflush(screen->out);
}

static double elapsed_s(const struct screen *screen)
{
    return (double)(clock_read().mono_ms - screen->begun_mono_ms) / 1000;
}

/* ---- the table ---- */

static void paint(const struct screen *screen, FILE *out, enum colour colour)
{
    if (screen->has_colour)
        fputs(codes[colour], out);
}

static enum colour gate_colour(const char *gate)
{
    if (strcmp(gate, gate_name(GATE_CLOSED)) == 0)
        return RED;
    return strcmp(gate, gate_name(GATE_SLOW)) == 0 ? YELLOW : GREEN;
}

static void put_line(const struct screen *screen, const struct plan *plan, size_t at, const struct watch_line *line,
                     FILE *out)
{
    char why[WATCH_WORD_MAX + 8];
    bool in_ramp = strcmp(line->why, reason_name(REASON_RAMP)) == 0;
    snprintf(why, sizeof why, in_ramp ? "%s, %" PRId64 " %%" : "%s", line->why, line->ramp_percent);
    fprintf(out, "%-5s %-13s ", plan->pools[plan->lines[at].pool], plan->lines[at].number);
    paint(screen, out, gate_colour(line->gate));
    fprintf(out, "%-10s %-7s", line->reputation, line->gate);
    paint(screen, out, PLAIN);
    fprintf(out, "%7" PRId64 " %8" PRId64 "  %.24s\n", line->sent, line->waiting, why);
}

static void put_table(const struct screen *screen, const struct plan *plan, const struct watch *watch, FILE *out)
{
    paint(screen, out, DIM);
    fprintf(out, "%-5s %-13s %-10s %-7s%7s %8s  %s\n", "pool", "line", "reputation", "gate", "sent", "waiting",
            "why");
    paint(screen, out, PLAIN);
    for (size_t pool = 0; pool < PLAN_POOLS; pool++) {
        for (size_t i = 0; i < PLAN_LINES; i++) {
            if (plan->lines[i].pool == pool)
                put_line(screen, plan, i, &watch->lines[i], out);
        }
        fprintf(out, "%-5s %-39s %8" PRId64 "\n", plan->pools[pool], "no line yet (new conversations)",
                watch->pools[pool].unplaced);
    }
}

static void put_head(const struct screen *screen, const struct watch *watch, struct screen_head head, FILE *out)
{
    fprintf(out, "%5.1f s  acked %" PRIu64 " of %" PRIu64 "  sent %" PRId64 "  waiting %" PRId64, elapsed_s(screen),
            head.acked, head.jobs, watch->sent, watch->waiting);
}

/* ---- on a terminal: a frame ---- */

static void erase_frame(struct screen *screen)
{
    if (screen->frame_lines > 0)
        fprintf(screen->out, "\033[%dA\033[J", screen->frame_lines);
    screen->frame_lines = 0;
}

static void put_frame(struct screen *screen)
{
    if (!screen->is_terminal || screen->frame == NULL)
        return;
    fputs(screen->frame, screen->out);
    for (const char *at = screen->frame; *at != '\0'; at++)
        screen->frame_lines += *at == '\n';
}

static void make_frame(struct screen *screen, const struct plan *plan, const struct watch *watch,
                       struct screen_head head)
{
    char *text = NULL;
    size_t bytes;
    FILE *frame = open_memstream(&text, &bytes);
    if (frame == NULL)
        return;
    fputc('\n', frame);
    put_table(screen, plan, watch, frame);
    put_head(screen, watch, head, frame);
    if (!watch->broker_answers) {
        paint(screen, frame, RED);
        fputs("  the broker is down", frame);
        paint(screen, frame, PLAIN);
    }
    fputc('\n', frame);
    fclose(frame);
    free(screen->frame);
    screen->frame = text;
}

void screen_note(struct screen *screen, const char *format, ...)
{
    va_list values;
    erase_frame(screen);
    fprintf(screen->out, "%5.1f s  ", elapsed_s(screen));
    va_start(values, format);
    vfprintf(screen->out, format, values);
    va_end(values);
    fputc('\n', screen->out);
    put_frame(screen);
    fflush(screen->out);
}

/* ---- elsewhere: a line each second ---- */

static void tell(struct screen *screen, const struct watch *watch, struct screen_head head)
{
    unsigned gates[GATE_COUNT] = {0};
    int64_t now_ms = clock_read().mono_ms;
    if (now_ms - screen->told_mono_ms < TELL_MS)
        return;
    screen->told_mono_ms = now_ms;
    for (size_t i = 0; i < PLAN_LINES; i++) {
        for (enum gate gate = 0; gate < GATE_COUNT; gate++)
            gates[gate] += strcmp(watch->lines[i].gate, gate_name(gate)) == 0;
    }
    put_head(screen, watch, head, screen->out);
    if (watch->broker_answers)
        fprintf(screen->out, "  lines: %u open, %u slow, %u closed\n", gates[GATE_OPEN], gates[GATE_SLOW],
                gates[GATE_CLOSED]);
    else
        fputs("  the broker is down\n", screen->out);
    fflush(screen->out);
}

void screen_draw(struct screen *screen, const struct plan *plan, const struct watch *watch, struct screen_head head)
{
    if (!screen->is_terminal) {
        tell(screen, watch, head);
        return;
    }
    make_frame(screen, plan, watch, head);
    erase_frame(screen);
    put_frame(screen);
    fflush(screen->out);
}

void screen_show(struct screen *screen, const struct plan *plan, const struct watch *watch, struct screen_head head)
{
    if (screen->is_terminal)
        screen_draw(screen, plan, watch, head);
    else
        put_table(screen, plan, watch, screen->out);
    fflush(screen->out);
}
