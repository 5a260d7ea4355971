/* core_erase.h — erasing a recipient: orders, and what the shell does for them. */
#ifndef LINEWARD_CORE_CORE_ERASE_H
#define LINEWARD_CORE_CORE_ERASE_H

#include "broker/core/core_effects.h"
#include "lineward/clock.h"

struct core;

struct core_erase {
    uint64_t token;
    uint64_t person;            /* keyed hash of the handle alone */
    const uint64_t *recipients; /* of each account and the handle */
    size_t recipient_count;
    const uint64_t *keys; /* of the direct conversations that there may be */
    size_t key_count;
    bool dry_run; /* only counts; forgotten by the next start */
    const char *by;
};
/* EFFECT_ANSWER with the order's number in `number`; the one that is under way for that recipient, if there is one. busy:
 * there are too many. It goes on by itself, over restarts too: the shell does its part (core_erasure_task), jobs are
 * cancelled, and where one was with a worker or its outcome is not known it is waited for. */
void core_erase(struct core *core, const struct core_erase *ask, struct instant now, struct effects *out);
/* Is that one being erased? Then no job to them is to be offered. */
bool core_erases(const struct core *core, uint64_t person);
bool core_is_erasing(const struct core *core); /* anybody */
/* Is that one being erased, or has that been done since then (steady clock)? A restart forgets the latter. */
bool core_erased_since(const struct core *core, uint64_t person, int64_t mono_ms);
struct erasure_task { /* what the shell is to do now */
    uint64_t id;
    bool rewrites; /* overwrite what names them or belongs to these conversations; else find the conversations */
    uint64_t person;
    const uint64_t *keys; /* sorted; lent until the core is called again */
    size_t key_count;
};
/* False: nothing now. A rewriting must not begin before all that the core said so far is durable. */
bool core_erasure_task(const struct core *core, struct erasure_task *out);
struct erasure_found {
    uint64_t id;
    const uint64_t *keys;
    size_t key_count;
    bool more; /* than there was room for */
    uint64_t records; /* that name them */
};
void core_erasure_found(struct core *core, const struct erasure_found *found, struct instant now, struct effects *out);
/* `more`: some of it could not be overwritten, for its conversation is not among those in hand: another round follows. */
void core_erasure_rewritten(struct core *core, uint64_t id, uint64_t records, bool more, struct instant now,
                            struct effects *out);
struct erasure_view {
    uint64_t id;
    enum erasure_state state;
    bool dry_run;
    int64_t begun_ms, done_ms; /* 0: not yet */
    uint64_t jobs, jobs_out;   /* ended so far; and still with a worker, or of unknown outcome */
    uint64_t conversations, records;
    const char *by; /* lent until the core is called again */
};
bool core_erasure_view(const struct core *core, uint64_t id, struct erasure_view *out);
/* The newest order before that number (UINT64_MAX: of all); 0: none. */
uint64_t core_erasure_before(const struct core *core, uint64_t id);

#endif
