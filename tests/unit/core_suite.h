/* core_suite.h — what the unit tests of the core share: one rig a test, and a runner. */
#ifndef TESTS_UNIT_CORE_SUITE_H
#define TESTS_UNIT_CORE_SUITE_H

#include <check.h>
#include <stdlib.h>

#include "broker/store/record.h"
#include "tests/support/core_rig.h"
#include "tests/support/suite.h"

#define ACCOUNT_CONF      "accounts:\n  default:\n    api_key_file: key\n"
#define POLICY_CONF(text) ACCOUNT_CONF "policies:\n  default:\n    {" text "}\n"

static struct rig *rig; /* of the test under way */

/* A rig with this configuration (NULL: the defaults) and this many lines, all of them polled as HEALTHY. */
static inline void begin_with(const char *conf, uint32_t lines)
{
    struct rig_options options = {.conf = conf, .seed = 1};
    rig_free(&rig);
    rig = rig_new(&options);
    if (lines > 0)
        rig_poll_all(rig, lines, REPUTATION_HEALTHY);
}

static inline void begin_default(void)
{
    begin_with(NULL, 1);
}

static inline void end_rig(void)
{
    rig_free(&rig);
}

/* One beat of time, so that what comes now is later than what was. */
static inline void told(enum reputation word)
{
    rig_pass(rig, 1);
    rig_tell(rig, 0, word, rig->now.wall_ms);
}

static inline void told_service(enum service service)
{
    rig_pass(rig, 1);
    rig_tell_service(rig, 0, service, rig->now.wall_ms);
}

static inline void poll_says(enum reputation word)
{
    rig_pass(rig, 1);
    rig_poll(rig, 1, &word);
}

/* CRITICAL, and then everything that recovering takes: the first step of the ramp. */
static inline void relapse(void)
{
    told(REPUTATION_CRITICAL);
    told(REPUTATION_HEALTHY);
    poll_says(REPUTATION_HEALTHY);
}

/* A job of a conversation that lives on the line because the producer knows its chat. */
static inline struct core_enqueue job_known(uint32_t line, uint64_t conversation, enum job_class class)
{
    struct core_enqueue job = rig_job(conversation, class);
    job.from_line = RIG_LINE + line;
    job.chat_hash = conversation * 2 + 1;
    return job;
}

/* Its number: it must be accepted. */
static inline uint64_t accepted(const struct core_enqueue *job)
{
    struct effect answer = rig_enqueue(rig, job);
    ck_assert_int_eq(answer.code, CODE_NONE);
    return answer.number;
}

static inline uint64_t send_known(uint32_t line, uint64_t conversation, enum job_class class)
{
    struct core_enqueue job = job_known(line, conversation, class);
    return accepted(&job);
}

/* The job that is leased now, after one tick. */
static inline struct effect leased(void)
{
    rig_tick(rig);
    return rig_job_told(rig);
}

/* The job that is leased now, after one tick, and is then sent; 0: none. */
static inline uint64_t next_sent(void)
{
    rig_forget(rig);
    rig_tick(rig);
    const struct effect *told = rig_told(rig, EFFECT_JOB, 0);
    if (told == NULL)
        return 0;
    struct effect job = *told;
    rig_sent(rig, &job);
    return job.number;
}

/* What a provider answers that has flagged the line. */
static inline struct core_result refused_as_flagged(const struct effect *job)
{
    struct core_result result = rig_result(job, OUTCOME_RETRY);
    result.http_status = 403;
    result.scope = SCOPE_LINE;
    result.line_flagged = true;
    return result;
}

static inline void answer_retry(const struct effect *job, enum scope scope, int64_t retry_after_ms)
{
    struct core_result result = rig_result(job, OUTCOME_RETRY);
    result.http_status = 429;
    result.scope = scope;
    result.retry_after_ms = retry_after_ms;
    rig_answer(rig, &result);
}

/* To what was asked last. */
static inline enum code answered(void)
{
    const struct effect *answer = rig_told(rig, EFFECT_ANSWER, rig_count(rig, EFFECT_ANSWER) - 1);
    ck_assert_ptr_nonnull(answer);
    return answer->code;
}

/* As it was written last; number 0: it has not ended. */
static inline struct change_end end_of(uint64_t number)
{
    struct record_storage storage;
    struct change change;
    return rig_last(rig, CHANGE_END, number, &storage, &change) ? change.end : (struct change_end){.number = 0};
}

static inline size_t alerts(enum alert alert)
{
    size_t count = 0;
    const struct effect *effect;
    for (size_t n = 0; (effect = rig_told(rig, EFFECT_ALERT, n)) != NULL; n++)
        count += effect->alert == alert;
    return count;
}

#define ck_gate(line, expected_gate, expected_reason)                                                                \
    do {                                                                                                             \
        struct line_view ck_view = rig_line(rig, line);                                                              \
        ck_assert_str_eq(gate_name(ck_view.gate), gate_name(expected_gate));                                         \
        ck_assert_str_eq(reason_name(ck_view.reason), reason_name(expected_reason));                                 \
    } while (0)

#define ck_job(number, expected_state, expected_reason)                                                              \
    do {                                                                                                             \
        struct job_view ck_view = rig_view(rig, number);                                                             \
        ck_assert_str_eq(job_state_name(ck_view.state), job_state_name(expected_state));                             \
        ck_assert_str_eq(reason_name(ck_view.reason), reason_name(expected_reason));                                 \
    } while (0)

static inline int run_suite(const char *name, const TTest *const *tests, size_t count)
{
    return suite_run_all(name, begin_default, end_rig, 60, tests, count);
}

#endif
