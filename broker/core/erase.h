/* erase.h — forgetting a recipient, the core's share: their jobs end, their conversations are forgotten. What is on the
 * disk is the shell's to find and to overwrite (broker/erase.c); one order at a time. The operator's call and what
 * the shell is asked for are in core.h. */
#ifndef LINEWARD_CORE_ERASE_H
#define LINEWARD_CORE_ERASE_H

#include "broker/core/effects.h"

#define ERASURES_MAX 64u

struct erasure {
    struct change_erasure change;
    bool used, dry;    /* dry: only to be counted; not recorded */
    bool stays;        /* one of its conversations could not be forgotten yet */
    uint32_t waits;    /* how often it let others go on, because a job was out, or for that */
    uint64_t jobs_out; /* of its jobs, those that were with a worker, or of unknown outcome, when they were looked at */
    uint64_t files;    /* a dry run: records that would be overwritten */
    uint64_t was;          /* done: whose it was, for what was asked before and is told afterwards; not recorded */
    int64_t done_mono_ms;
};

void erase_wake(struct core *core, struct instant now, struct effects *out); /* MONO_ERASE */
/* The next order, if there is one, begins. */
void erase_next(struct core *core, struct instant now);
void erase_restore(struct core *core, const struct change_erasure *change);
void erase_restored(struct core *core, struct instant now);
void erase_renew(struct core *core, uint64_t id, struct instant now, struct effects *out);
/* Is that recipient (hash of account and handle) being erased? Then nobody keeps their name anew. */
bool erase_hides(const struct core *core, uint64_t recipient);
/* Is the conversation one of those? Then nothing of it begins. */
bool erase_holds(const struct core *core, uint64_t conversation);

#endif
