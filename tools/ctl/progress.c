/* progress.c — see progress.h. */
#include "progress.h"

#include <inttypes.h>

#include "view.h"

#define PERIOD_MS   100
#define PLAIN_MS    5000
#define BAR_COLUMNS 30

static void draw_bar(FILE *out, int64_t done, int64_t total)
{
    int64_t filled = done < total ? done * BAR_COLUMNS / total : BAR_COLUMNS;
    fputc('[', out);
    for (int i = 0; i < BAR_COLUMNS; i++)
        fputc(i < filled ? '#' : '.', out);
    fprintf(out, "] %3" PRId64 "%%  ", done < total ? done * 100 / total : 100);
}

static void write_line(const struct progress *progress, FILE *out, const struct progress_state *state, int64_t took_ms)
{
    char items[32];
    char rate[32];
    count_format((int64_t)state->items, items, sizeof items);
    count_format(took_ms > 0 ? (int64_t)state->items * 1000 / took_ms : 0, rate, sizeof rate);
    fprintf(out, "%s %s  %s/s", items, progress->noun != NULL ? progress->noun : "jobs", rate);
    if (state->refused > 0)
        fprintf(out, "  %" PRIu64 " refused", state->refused);
    if (state->waiting != NULL)
        fprintf(out, "  waiting: %s", state->waiting);
}

static void write_plain(struct progress *progress, const struct progress_state *state, int64_t mono_ms)
{
    int64_t last_ms = progress->drawn_ms > progress->begun_ms ? progress->drawn_ms : progress->begun_ms;
    if (progress->plain == NULL || mono_ms - last_ms < PLAIN_MS)
        return;
    progress->drawn_ms = mono_ms;
    if (state->total > 0)
        fprintf(progress->plain, "%3" PRId64 "%%  ", state->done < state->total ? state->done * 100 / state->total : 100);
    write_line(progress, progress->plain, state, mono_ms - progress->begun_ms);
    fputc('\n', progress->plain);
    fflush(progress->plain);
}

void progress_draw(struct progress *progress, const struct progress_state *state, int64_t mono_ms, bool now)
{
    if (progress->out == NULL) {
        write_plain(progress, state, mono_ms);
        return;
    }
    if (!now && mono_ms - progress->drawn_ms < PERIOD_MS)
        return;
    progress->drawn_ms = mono_ms;
    fputc('\r', progress->out);
    if (state->total > 0)
        draw_bar(progress->out, state->done, state->total);
    write_line(progress, progress->out, state, mono_ms - progress->begun_ms);
    fputs("\033[K", progress->out);
    fflush(progress->out);
}

void progress_end(struct progress *progress)
{
    if (progress->out == NULL || progress->drawn_ms == 0)
        return;
    fputs("\r\033[K", progress->out);
    fflush(progress->out);
}
