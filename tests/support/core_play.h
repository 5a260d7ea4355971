/* core_play.h — plays a provider that takes every message: what the rig's core leases is sent at once and written
 * down. For tests of how fast, in what shares and where the core sends. */
#ifndef TESTS_CORE_PLAY_H
#define TESTS_CORE_PLAY_H

#include "tests/support/core_rig.h"

/* For what is asked thousands of times: Check writes a message for each of its own assertions, good ones too. */
#define MUST(what)                                                                                                   \
    do {                                                                                                             \
        if (!(what))                                                                                                 \
            ck_abort_msg("not so: %s", #what);                                                                       \
    } while (0)

#define PLAY_SENDS_MAX 65536

struct play_send {
    int64_t mono_ms, wall_ms;
    uint64_t number;
    uint32_t line; /* its index, as in RIG_LINE */
};

struct play {
    struct rig *rig;
    struct play_send sends[PLAY_SENDS_MAX];
    size_t count;
    unsigned fail_each; /* every so many tries one fails, and goes again; 0: none does */
    unsigned tried;
};

struct play *play_new(const struct rig_options *options); /* with one worker of 1024 slots */
/* The same with these keys in its policy (YAML, "key: value, ...") and lines that do not grow stale for a week. */
struct play *play_policy(const char *policy);
void play_free(struct play **play_p); /* the rig too */
/* The line of a lease that was told, as in RIG_LINE. */
uint32_t play_line_of(struct rig *rig, const struct effect *job);
/* Time passes; every JOB is answered `sent` in the instant in which it is told. */
void play_for(struct play *play, int64_t ms);
/* Sends of the line from `from_ms` (steady clock) on and before `to_ms`. */
size_t play_count(const struct play *play, uint32_t line, int64_t from_ms, int64_t to_ms);
/* The most sends of the line in any `window_ms`, of those from `from_ms` on and before `to_ms`. */
size_t play_most(const struct play *play, uint32_t line, int64_t from_ms, int64_t to_ms, int64_t window_ms);

#endif
