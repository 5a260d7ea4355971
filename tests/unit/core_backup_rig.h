/* core_backup_rig.h — a broker whose store is put back to what it was, and starts on it later. Included once per test
 * program. */
#ifndef TESTS_UNIT_CORE_BACKUP_RIG_H
#define TESTS_UNIT_CORE_BACKUP_RIG_H

#include "tests/unit/core_suite.h"

#define HOUR_MS 3600000
#define FAST_CONF                                                                                                    \
    POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 0, retry_base_ms: 1000, retry_cap_ms: 1000")

static inline void begin(void)
{
    begin_with(FAST_CONF, 1);
    rig_worker(rig, 1, 8);
}

static inline void come_back(void)
{
    rig_worker(rig, 1, 8);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
}

/* From now on as if the store had been put back to what it is, `after_ms` later. */
static inline void restore(int64_t after_ms, int64_t key_life_ms)
{
    rig->options.backup_ms = rig->now.wall_ms;
    rig->options.key_life_ms = key_life_ms;
    rig_restart(rig, after_ms);
    come_back();
}

static inline const struct effect *job_now(void)
{
    rig_tick(rig);
    return rig_told(rig, EFFECT_JOB, 0);
}

#endif
