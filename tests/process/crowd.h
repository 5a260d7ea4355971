/* crowd.h — producers under load as processes of their own, which may be killed at any moment. What each made and was
 * told outlives it (load.h), as a producer's outbox on its disk would: the next one goes on from there, sends again
 * what has no answer for all it knows, and makes nothing twice. */
#ifndef PROCESS_CROWD_H
#define PROCESS_CROWD_H

#include "load.h"

#define CROWD_PRODUCERS 4

struct crowd_member {
    struct load *load; /* shared with its process */
    struct program process;
    uint64_t seed; /* of its process */
    volatile bool *finishing;
};

struct crowd {
    struct rig *rig;
    struct crowd_member members[CROWD_PRODUCERS];
    unsigned deaths;
};

/* At most `jobs_max` jobs each; all run. Before the test opens a socket of its own. */
void crowd_open(struct crowd *crowd, struct rig *rig, uint32_t jobs_max, int64_t interval_ms);
/* SIGKILL, and gone on return. */
void crowd_kill(struct crowd *crowd, size_t index);
void crowd_start(struct crowd *crowd, size_t index);
uint32_t crowd_jobs(const struct crowd *crowd); /* made so far */
/* They make no new jobs and end when all they made is acknowledged. */
void crowd_finish(struct crowd *crowd);
void crowd_close(struct crowd *crowd);

#endif
