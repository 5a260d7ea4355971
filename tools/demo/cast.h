/* cast.h — the programs of a demo on their stage: sandbox, broker and two workers, started in order and stopped in
 * order, and the two HTTP sides that they are watched and told through. */
#ifndef LINEWARD_DEMO_CAST_H
#define LINEWARD_DEMO_CAST_H

#include <signal.h>
#include <stdbool.h>

#include "tools/demo/process.h"
#include "tools/demo/stage.h"
#include "tools/demo/web.h"

#define CAST_WORKERS 2

struct cast {
    const char *programs;               /* the folder that they are in; lent */
    volatile sig_atomic_t *interrupted; /* waiting ends early; lent */
    struct stage stage;
    struct process sandbox, broker, workers[CAST_WORKERS];
    struct web *admin;                  /* of the broker, as its first admin ... */
    char token[256];                    /* ... whose token this is */
    struct web *control;                /* of the sandbox */
    char problem[STAGE_PATH_MAX + 256]; /* why the last call failed */
};

/* Makes the stage and starts all; ready when it returns. False: `problem` says; cast_free() in any case. */
bool cast_start(struct cast *cast, const char *programs, volatile sig_atomic_t *interrupted, const struct plan *plan);

void cast_kill_broker(struct cast *cast);
bool cast_start_broker(struct cast *cast); /* does not wait until it is ready */
bool cast_broker_ready(struct cast *cast);

/* The sandbox gives a line another reputation and tells by webhook. */
bool cast_turn_line(struct cast *cast, const char *line, enum reputation reputation);

/* Does all run that should? A broker killed on purpose need not. */
bool cast_runs(struct cast *cast);
/* Workers and broker by TERM, the sandbox at its controls; all must end in order. */
bool cast_stop(struct cast *cast);

/* The last lines that each of them wrote. */
void cast_tails(const struct cast *cast, FILE *out);
/* Kills what still runs; the folder stays. */
void cast_free(struct cast *cast);

#endif
