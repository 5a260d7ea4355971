/* screen.h — what a demo shows: on a terminal a table that is redrawn in place, with what happened scrolling above
 * it; anywhere else a line each second, and the whole table where it is worth a look. */
#ifndef LINEWARD_DEMO_SCREEN_H
#define LINEWARD_DEMO_SCREEN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tools/demo/plan.h"
#include "tools/demo/watch.h"

struct screen {
    FILE *out;
    bool is_terminal, has_colour;
    int64_t begun_mono_ms; /* times are told from here */
    int64_t told_mono_ms;  /* when the last line of numbers was written, off a terminal */
    char *frame;           /* the table on the screen */
    int frame_lines;       /* 0: none is on it */
};

struct screen_head {
    uint64_t acked, jobs;
};

void screen_open(struct screen *screen, FILE *out);
/* Leaves the table where it is; what is noted later comes below it. */
void screen_close(struct screen *screen);

/* What happened, with the time; stays. */
void screen_note(struct screen *screen, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* How it stands. */
void screen_draw(struct screen *screen, const struct plan *plan, const struct watch *watch, struct screen_head head);
/* The same, and the whole table off a terminal too. */
void screen_show(struct screen *screen, const struct plan *plan, const struct watch *watch, struct screen_head head);

#endif
