/* core_naive_show.h — what the parts of the model share that judge records. */
#ifndef TESTS_CORE_NAIVE_SHOW_H
#define TESTS_CORE_NAIVE_SHOW_H

#include "core_naive.h"

/* One record, and all that it is held against. */
struct showing {
    struct naive *naive;
    struct rig *rig;
    const struct naive_asked *asked;
    struct grants *grants;
    const struct truth *truth;
    size_t record;
    int64_t now_ms;
};

#define REFUSE_UNLESS(fact, ...)                                                                                     \
    do {                                                                                                             \
        if (!(fact))                                                                                                 \
            naive_refuse(__VA_ARGS__);                                                                               \
    } while (0)

static inline unsigned long long ull(uint64_t value)
{
    return value;
}

/* A waiting job is leased, as `change` says (core_naive_lease.c). */
void naive_show_lease(const struct showing *s, struct naive_job *job, const struct change_try *change);

#endif
