/* demo.h — the whole path once: sandbox, broker and workers as processes of their own, producers, the provider's
 * changes of mind, the broker's sudden death, and the auditor's verdict. */
#ifndef LINEWARD_DEMO_DEMO_H
#define LINEWARD_DEMO_DEMO_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct demo_options {
    uint64_t seed;
    const char *programs;               /* the folder that the programs are in */
    bool calm;                          /* no line changes, no broker dies */
    bool spread;                        /* jobs are handed in one after the other: no backlog */
    bool estimates;                     /* each job's view is asked when it will go, and judged by when it went */
    bool keep;                          /* the temporary folder stays, whatever comes of it */
    volatile sig_atomic_t *interrupted; /* set by a signal: stop and clean up */
};

enum demo_end { DEMO_HOLDS, DEMO_FAILED, DEMO_INTERRUPTED };

/* Ends within 90 s. Whatever it started is gone when it returns; what went wrong was told on standard error. */
enum demo_end demo_run(const struct demo_options *options);

#endif
