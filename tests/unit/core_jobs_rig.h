/* core_jobs_rig.h — jobs on one line, from their enqueue to their end. Included once per test program. */
#ifndef TESTS_UNIT_CORE_JOBS_RIG_H
#define TESTS_UNIT_CORE_JOBS_RIG_H

#include "tests/support/core_play.h"
#include "tests/support/suite.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

#define UNLIMITED "pace_per_min: 0, daily_messages: 0, new_conversations_per_day: 0"

static inline struct play *play_line(const char *policy)
{
    struct play *play = play_policy(policy);
    rig_poll_all(play->rig, 1, REPUTATION_HEALTHY);
    return play;
}

static inline enum code cancel(struct rig *rig, uint64_t number)
{
    core_cancel(rig->core, 1, 0, number, rig->now, &rig->out);
    enum code code = CODE_COUNT;
    for (size_t i = 0; i < rig->out.effect_count; i++)
        if (rig->out.effects[i].kind == EFFECT_CANCELLED)
            code = rig->out.effects[i].code;
    rig_keep(rig);
    return code;
}

static inline struct core_status totals(struct rig *rig)
{
    struct core_status status;
    core_status_read(rig->core, rig->now, &status);
    return status;
}

/* The one job that may go is leased. */
static inline struct effect lease_next(struct rig *rig)
{
    rig_tick(rig);
    return rig_job_told(rig);
}

static inline void answer(struct rig *rig, const struct effect *job, enum outcome outcome, bool unknown)
{
    struct core_result result = rig_result(job, outcome);
    result.unknown = unknown;
    rig_answer(rig, &result);
}

static inline struct core_enqueue with_id(uint64_t conversation, uint64_t id, uint64_t content)
{
    struct core_enqueue job = rig_job(conversation, CLASS_TRANSACTIONAL);
    job.id_hash = id;
    job.content_hash = content;
    return job;
}

#endif
