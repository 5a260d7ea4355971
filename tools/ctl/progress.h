/* progress.h — one line that says how far a long command is: a bar, a count, a rate; drawn over and over on a terminal,
 * elsewhere a plain line every few seconds. */
#ifndef LINEWARDCTL_PROGRESS_H
#define LINEWARDCTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
    FILE *out;                  /* NULL: nothing is drawn */
    FILE *plain;                /* NULL: nor are plain lines written */
    const char *noun;           /* what is counted; NULL: jobs */
    int64_t begun_ms, drawn_ms; /* steady clock */
};

struct progress_state {
    int64_t done, total; /* of whatever measures the whole; total 0: unknown, no bar */
    uint64_t items, refused;
    const char *waiting; /* what it waits for just now; NULL: nothing */
};

/* Draws at most ten times a second, unless `now` is true. */
void progress_draw(struct progress *progress, const struct progress_state *state, int64_t mono_ms, bool now);
/* Wipes the line. */
void progress_end(struct progress *progress);

#endif
