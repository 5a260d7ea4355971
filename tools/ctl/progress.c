/* progress.c — see progress.h. */
#include "progress.h"

#include <inttypes.h>

#include "view.h"

#define PERIOD_MS   100
#define BAR_COLUMNS 30

static void draw_bar(FILE *out, int64_t done, int64_t total)
{
    int64_t filled = done < total ? done * BAR_COLUMNS / total : BAR_COLUMNS;
    fputc('[', out);
    for (int i = 0; i < BAR_COLUMNS; i++)
        fputc(i < filled ? '#' : '.', out);
    fprintf(out, "] %3" PRId64 "%%  ", done < total ? done * 100 / total : 100);
}

void progress_draw(struct progress *progress, const struct progress_state *state, int64_t mono_ms, bool now)
{
    char items[32];
    char rate[32];
    if (progress->out == NULL || (!now && mono_ms - progress->drawn_ms < PERIOD_MS))
        return;
    progress->drawn_ms = mono_ms;
    int64_t took_ms = mono_ms - progress->begun_ms;
    count_format((int64_t)state->items, items, sizeof items);
    count_format(took_ms > 0 ? (int64_t)state->items * 1000 / took_ms : 0, rate, sizeof rate);
    fputc('\r', progress->out);
    if (state->total > 0)
        draw_bar(progress->out, state->done, state->total);
    fprintf(progress->out, "%s jobs  %s/s", items, rate);
    if (state->refused > 0)
        fprintf(progress->out, "  %" PRIu64 " refused", state->refused);
    if (state->waiting != NULL)
        fprintf(progress->out, "  waiting: %s", state->waiting);
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
