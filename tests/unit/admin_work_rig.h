/* admin_work_rig.h — the admin's rig with a worker that takes jobs, and what a refused call is held against. Included once
 * per test program. */
#ifndef TESTS_UNIT_ADMIN_WORK_RIG_H
#define TESTS_UNIT_ADMIN_WORK_RIG_H

#include "tests/unit/admin_rig.h"

/* Worker 1 is there, with so many free slots. */
static inline void worker_ready(uint32_t slots)
{
    const struct core_ready ready = {.peer = 1, .instance = 77, .slots = slots, .worker = "w"};
    core_worker_ready(rig.core, &ready, rig.now, &rig.effects);
    rig_commit();
}

/* Time passes until a job is leased to it; its lease. */
static inline uint64_t lease_one(void)
{
    for (int tick = 0; tick < 10000; tick++) {
        core_tick(rig.core, rig.now, &rig.effects);
        uint64_t lease = 0;
        for (size_t i = 0; i < rig.effects.effect_count; i++)
            if (rig.effects.effects[i].kind == EFFECT_JOB)
                lease = rig.effects.effects[i].lease;
        rig_commit();
        if (lease != 0) {
            ck_assert(core_lease_send(rig.core, lease, rig.now, &rig.effects));
            return lease;
        }
        rig.now.wall_ms += 100;
        rig.now.mono_ms += 100;
        core_worker_alive(rig.core, 1, rig.now, &rig.effects);
        rig_commit();
    }
    ck_abort_msg("nothing is leased");
}

static inline void expect_code(const char *method, const char *target, const char *token, const char *body, int status,
                               const char *code)
{
    struct reply reply = rig_ask(method, target, token, body);
    ck_assert_msg(reply.status == status, "%s: %d %s", target, reply.status, reply.body);
    ck_assert_str_eq(json_string(json_get(reply.json, "error"), "code"), code);
    reply_free(&reply);
}

#endif
