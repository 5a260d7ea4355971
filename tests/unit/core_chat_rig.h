/* core_chat_rig.h — one line without limits but those under test, a worker, and what is heard of chats. Included once per
 * test program. */
#ifndef TESTS_UNIT_CORE_CHAT_RIG_H
#define TESTS_UNIT_CORE_CHAT_RIG_H

#include "tests/unit/core_suite.h"

#define HOUR_MS INT64_C(3600000)
#define DAY_MS  (24 * HOUR_MS)
#define CHAT(conversation) ((conversation)*2 + 1) /* as send_known() names it */

static inline struct core_message_fact fact_of(int what, uint64_t conversation)
{
    struct core_message_fact fact = {.token = 3, .chat_hash = CHAT(conversation), .line = RIG_LINE};
    fact.event = ++rig->polls + (UINT64_C(1) << 42);
    fact.what = what;
    fact.at_ms = rig->now.wall_ms;
    return fact;
}

static inline void tell(const struct core_message_fact *fact)
{
    core_message_told(rig->core, fact, rig->now, &rig->out);
    rig_keep(rig);
}

static inline void chat_is(uint64_t conversation, enum chat_health health, int64_t at_ms)
{
    struct core_message_fact fact = fact_of(MESSAGE_DELIVERED, conversation);
    fact.has_health = true;
    fact.health = health;
    fact.health_at_ms = at_ms;
    tell(&fact);
}

static inline void they_answer(uint64_t conversation)
{
    struct core_message_fact fact = fact_of(MESSAGE_RECEIVED, conversation);
    fact.inbound = true;
    tell(&fact);
}

/* Time goes by; the line is heard of and the worker is there at its end. */
static inline void later(int64_t ms)
{
    rig->now.wall_ms += ms;
    rig->now.mono_ms += ms;
    rig_tick(rig);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    rig_worker(rig, 1, 8);
    rig_pass(rig, 0);
}

static inline struct effect last_job(void)
{
    size_t count = rig_count(rig, EFFECT_JOB);
    ck_assert_uint_gt(count, 0);
    return *rig_told(rig, EFFECT_JOB, count - 1);
}

/* The job goes within `ms`, and is sent (into the chat that the conversation has). */
static inline void goes(uint64_t number, uint64_t conversation, int64_t ms)
{
    later(ms);
    ck_job(number, JOB_LEASED, REASON_NONE);
    struct effect job = last_job();
    ck_assert_uint_eq(job.number, number);
    struct core_result result = rig_result(&job, OUTCOME_SENT);
    result.chat_hash = CHAT(conversation);
    result.message_hash = number * 17 + (UINT64_C(1) << 50);
    rig_answer(rig, &result);
    later(0);
}

/* A line without limits but those under test, and a worker. */
static inline void begin_quick(const char *policy)
{
    begin_with(policy, 1);
    rig_worker(rig, 1, 8);
}

#define QUICK "pace_per_min: 0, at_risk_chat_gap_ms: 3600000, cadence_ms: [86400000, 259200000]"

static inline uint64_t next(uint64_t conversation, enum job_class class)
{
    return send_known(0, conversation, class);
}

#endif
