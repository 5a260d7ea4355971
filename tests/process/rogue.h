/* rogue.h — peers that do what nobody should: each a process of its own at the lowest priority, so that what it costs
 * others is what the broker makes of it. They end with the test. */
#ifndef PROCESS_ROGUE_H
#define PROCESS_ROGUE_H

#include <sys/types.h>

#include "rig.h"

enum rogue_kind {
    ROGUE_GARBAGE,   /* messages of many frames that make no sense, large and small */
    ROGUE_OVERSIZED, /* frames beyond all limits, again and again */
    ROGUE_LARGE,     /* requests as large as they may be, of jobs that are refused, and never reads the answers */
    ROGUE_DEAF,      /* asks after 1024 jobs at a time, and never reads the answers */
    ROGUE_RAW,       /* connections with bytes that are no ZMTP */
    ROGUE_KINDS
};

extern const char *const rogue_names[ROGUE_KINDS];

/* Floods a port of producers until it is ended. `known`: an id that exists, for ROGUE_DEAF. */
pid_t rogue_start(uint16_t port, enum rogue_kind kind, const char *known);
/* A program that takes in all that a rogue sends to *port and does nothing with it: what a rogue costs others who are
 * not its prey, on the same processors. Ends as a rogue does. */
pid_t rogue_sink_start(uint16_t *port);
void rogue_end(pid_t pid);

#endif
