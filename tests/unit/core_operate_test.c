/* core_operate_test.c — what an operator says of jobs and lines: settling an unknown outcome, cordon, a reputation (DESIGN
 * traps 3, 5, 11 and 12). */
#include <string.h>

#include "tests/unit/core_suite.h"

#define FAST_CONF POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 0, attempts_max: 3")

static enum code settle(uint64_t number, bool was_sent)
{
    core_settle(rig->core, 81, number, was_sent, (struct span){"{}", 2}, rig->now, &rig->out);
    rig_keep(rig);
    return answered();
}

static enum code cordon(uint32_t line, bool on)
{
    core_cordon(rig->core, 82, RIG_LINE + line, on, rig->now, &rig->out);
    rig_keep(rig);
    return answered();
}

/* A job of conversation 1, on line 0, whose first try nobody knows the end of; the next one is far away. */
static uint64_t unknown_job(void)
{
    begin_with(FAST_CONF, 2);
    rig_worker(rig, 1, 8);
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    struct effect job = leased();
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    result.unknown = true;
    result.retry_after_ms = 60000;
    rig_answer(rig, &result);
    ck_job(number, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
    rig_forget(rig);
    return number;
}

/* covers: call POST /v1/jobs/{id}/settle */
START_TEST(an_unknown_outcome_settled_as_sent_ends_and_lets_the_next_one_go)
{
    uint64_t number = unknown_job();
    uint64_t next = rig_send(rig, 1, CLASS_REPLY);
    uint32_t line = (uint32_t)(rig_view(rig, number).line - RIG_LINE);
    ck_assert_int_eq(settle(number, true), CODE_NONE);
    ck_assert_int_eq(end_of(number).state, JOB_SENT);
    ck_assert_uint_eq(leased().number, next);
    ck_assert_uint_eq(rig_view(rig, next).line, RIG_LINE + line); /* it lives there now */
}
END_TEST

START_TEST(an_unknown_outcome_settled_as_unsent_takes_its_place_by_class_and_keeps_key_and_line)
{
    uint8_t before[KEY_RANDOM_BYTES], after[KEY_RANDOM_BYTES];
    uint64_t number = unknown_job();
    uint64_t line = rig_view(rig, number).line;
    uint64_t reply = rig_send(rig, 1, CLASS_REPLY);
    core_key_random(rig->core, number, before);
    ck_assert_int_eq(settle(number, false), CODE_NONE);
    struct effect first = leased();
    ck_assert_uint_eq(first.number, reply);
    rig_sent(rig, &first);
    ck_job(number, JOB_QUEUED, REASON_RETRY_BACKOFF); /* its own wait goes on */
    rig_restart(rig, 1000);
    rig_poll_all(rig, 2, REPUTATION_HEALTHY);
    ck_job(number, JOB_QUEUED, REASON_RETRY_BACKOFF);
    rig_worker(rig, 2, 8);
    rig_pass(rig, 60000);
    struct effect again = leased();
    struct lease_view view;
    ck_assert(core_lease_view(rig->core, again.lease, &view));
    ck_assert_uint_eq(view.number, number);
    ck_assert_uint_eq(view.line, line);
    ck_assert(!view.unsettled);
    core_key_random(rig->core, number, after);
    ck_assert_mem_eq(before, after, sizeof before);
}
END_TEST

START_TEST(a_settled_unsent_job_uses_up_its_attempts_like_any_other)
{
    uint64_t number = unknown_job();
    ck_assert_int_eq(settle(number, false), CODE_NONE);
    for (int failure = 0; failure < 3; failure++) {
        rig_pass(rig, 60000);
        struct effect job = leased();
        struct core_result result = rig_result(&job, OUTCOME_RETRY);
        result.retry_after_ms = 50000;
        rig_answer(rig, &result);
    }
    ck_assert_int_eq(end_of(number).state, JOB_FAILED);
}
END_TEST

START_TEST(what_was_cancelled_meanwhile_ends_when_it_is_settled_as_unsent)
{
    uint64_t number = unknown_job();
    core_cancel(rig->core, 5, 0, number, rig->now, &rig->out);
    rig_keep(rig);
    ck_job(number, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
    ck_assert_int_eq(settle(number, false), CODE_NONE);
    ck_assert_int_eq(end_of(number).state, JOB_CANCELLED);
}
END_TEST

START_TEST(a_try_that_has_not_begun_is_called_back_when_a_cancelled_job_is_settled_as_unsent)
{
    uint64_t number = unknown_job();
    core_cancel(rig->core, 5, 0, number, rig->now, &rig->out);
    rig_keep(rig);
    rig_pass(rig, 60000);
    struct effect job = leased();
    ck_assert_uint_eq(job.number, number);
    ck_assert_int_eq(settle(number, false), CODE_NONE);
    ck_assert_uint_eq(rig_told(rig, EFFECT_REVOKE, 0)->lease, job.lease);
    struct core_result returned = rig_result(&job, OUTCOME_RETURNED);
    rig_answer(rig, &returned);
    ck_assert_int_eq(end_of(number).state, JOB_CANCELLED);
}
END_TEST

START_TEST(a_try_that_has_not_begun_is_called_back_when_it_is_settled_as_unsent_and_its_recipient_opted_out)
{
    static const uint64_t homes[] = {1};
    uint64_t number = unknown_job();
    rig_pass(rig, 60000);
    struct effect job = leased();
    struct core_message_fact fact = {.what = MESSAGE_RECEIVED, .recipient = 7, .handle = "+14155550107", .line = RIG_LINE,
                                     .homes = homes, .home_count = 1, .opt_out = true, .inbound = true};
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_uint_eq(rig_count(rig, EFFECT_REVOKE), 0); /* it may have been sent: only a try can tell */
    ck_assert_int_eq(settle(number, false), CODE_NONE);
    ck_assert_uint_eq(rig_told(rig, EFFECT_REVOKE, 0)->lease, job.lease);
    struct core_result returned = rig_result(&job, OUTCOME_RETURNED);
    rig_answer(rig, &returned);
    ck_assert_int_eq(end_of(number).state, JOB_SUPPRESSED);
}
END_TEST

START_TEST(only_an_unknown_outcome_can_be_settled)
{
    uint64_t number = unknown_job();
    uint64_t other = rig_send(rig, 1, CLASS_REPLY);
    ck_assert_int_eq(settle(other, true), CODE_NOT_ALLOWED);
    ck_assert_int_eq(settle(other, false), CODE_NOT_ALLOWED);
    ck_assert_int_eq(settle(12345, true), CODE_NOT_FOUND);
    ck_assert_int_eq(settle(number, true), CODE_NONE);
    ck_assert_int_eq(settle(number, true), CODE_NOT_FOUND);
}
END_TEST

START_TEST(a_try_under_way_is_revoked_when_a_person_says_sent_and_goes_on_when_unsent)
{
    uint64_t number = unknown_job();
    rig_pass(rig, 60000);
    struct effect job = leased();
    ck_assert_int_eq(settle(number, false), CODE_NONE);
    ck_job(number, JOB_LEASED, REASON_NONE);
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    result.unknown = true;
    result.retry_after_ms = 1000;
    rig_answer(rig, &result);
    ck_job(number, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
    rig_pass(rig, 1000);
    job = leased();
    ck_assert_int_eq(settle(number, true), CODE_NONE);
    ck_assert_uint_eq(rig_count(rig, EFFECT_REVOKE), 1);
    result = rig_result(&job, OUTCOME_RETURNED);
    rig_answer(rig, &result);
    ck_assert_int_eq(end_of(number).state, JOB_SENT);
}
END_TEST

/* covers: call POST /v1/lines/{line}/cordon; reason line_cordoned */
START_TEST(a_cordoned_line_takes_no_new_conversations_and_keeps_those_it_has)
{
    begin_with(FAST_CONF, 1);
    rig_worker(rig, 1, 8);
    ck_assert_int_eq(cordon(0, true), CODE_NONE);
    uint64_t fresh = rig_send(rig, 1, CLASS_REPLY);
    struct core_enqueue pinned = rig_job(2, CLASS_REPLY);
    pinned.from_line = RIG_LINE;
    uint64_t named = rig_enqueue(rig, &pinned).number;
    uint64_t known = send_known(0, 3, CLASS_CAMPAIGN);
    ck_assert_uint_eq(leased().number, known);
    ck_job(fresh, JOB_QUEUED, REASON_NO_HEALTHY_LINE);
    ck_job(named, JOB_QUEUED, REASON_LINE_CORDONED);
    ck_assert(rig_line(rig, 0).cordoned);

    rig_restart(rig, 1000);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    rig_worker(rig, 2, 8);
    rig_tick(rig);
    ck_job(named, JOB_QUEUED, REASON_LINE_CORDONED);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 0);
}
END_TEST

/* covers: call POST /v1/lines/{line}/uncordon */
START_TEST(an_uncordoned_line_takes_new_conversations_at_once)
{
    begin_with(FAST_CONF, 1);
    rig_worker(rig, 1, 8);
    cordon(0, true);
    uint64_t fresh = rig_send(rig, 1, CLASS_REPLY);
    rig_tick(rig);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 0);
    ck_assert_int_eq(cordon(0, false), CODE_NONE);
    ck_assert_uint_eq(leased().number, fresh);
    ck_assert_int_eq(cordon(7, true), CODE_UNKNOWN_LINE);
}
END_TEST

START_TEST(cordon_takes_back_new_conversations_that_no_worker_has_begun)
{
    begin_with(FAST_CONF, 1);
    rig_worker(rig, 1, 8);
    uint64_t fresh = rig_send(rig, 1, CLASS_REPLY);
    leased();
    cordon(0, true);
    ck_assert_uint_eq(rig_count(rig, EFFECT_REVOKE), 1);
    ck_job(fresh, JOB_LEASED, REASON_NONE);
}
END_TEST

/* ---- a reputation ---- */

static enum code say(enum reputation status, int64_t for_ms, bool may_better)
{
    const struct core_word word = {.token = 83, .line = RIG_LINE, .status = status, .for_ms = for_ms, .reason = "r",
                                   .by = "ops", .may_better = may_better};
    core_reputation(rig->core, &word, rig->now, &rig->out);
    rig_keep(rig);
    return answered();
}

static enum code end_word(void)
{
    core_reputation_end(rig->core, 84, RIG_LINE, rig->now, &rig->out);
    rig_keep(rig);
    return answered();
}

#define HOUR INT64_C(3600000)

/* covers: call POST /v1/lines/{line}/reputation */
START_TEST(a_word_to_the_worse_closes_at_once_and_its_end_opens_through_the_ramp)
{
    begin_with(FAST_CONF, 1);
    rig_worker(rig, 1, 8);
    send_known(0, 1, CLASS_REPLY);
    leased();
    ck_assert_int_eq(say(REPUTATION_CRITICAL, HOUR, false), CODE_NONE);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
    ck_assert_uint_eq(rig_count(rig, EFFECT_REVOKE), 1);
    ck_assert_int_eq(rig_line(rig, 0).source, SOURCE_OPERATOR);
    ck_assert_int_eq(rig_line(rig, 0).provider_status, REPUTATION_HEALTHY);
    rig_restart(rig, 1000);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
    poll_says(REPUTATION_HEALTHY);
    poll_says(REPUTATION_HEALTHY);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
    rig_pass(rig, HOUR);
    poll_says(REPUTATION_HEALTHY);
    ck_gate(0, GATE_SLOW, REASON_RAMP);
    ck_assert_int_eq(rig_line(rig, 0).source, SOURCE_POLL);
    ck_assert_uint_eq(rig_line(rig, 0).ramp_percent, 10);
}
END_TEST

START_TEST(a_word_to_the_worse_never_loosens)
{
    begin_with(FAST_CONF, 1);
    ck_assert_int_eq(say(REPUTATION_AT_RISK, HOUR, false), CODE_NONE);
    ck_gate(0, GATE_SLOW, REASON_LINE_AT_RISK);
    told(REPUTATION_CRITICAL);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
    ck_assert_int_eq(say(REPUTATION_AT_RISK, HOUR, false), CODE_FORBIDDEN);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
}
END_TEST

START_TEST(a_word_to_the_better_is_for_admins_and_opens_through_the_ramp)
{
    begin_with(FAST_CONF, 1);
    told(REPUTATION_CRITICAL);
    ck_assert_int_eq(say(REPUTATION_HEALTHY, HOUR, false), CODE_FORBIDDEN);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
    ck_assert_int_eq(say(REPUTATION_HEALTHY, HOUR, true), CODE_NONE);
    ck_gate(0, GATE_SLOW, REASON_RAMP);
    told(REPUTATION_CRITICAL); /* the provider goes on saying so: remembered, and no more */
    ck_gate(0, GATE_SLOW, REASON_RAMP);
    ck_assert_int_eq(rig_line(rig, 0).status, REPUTATION_HEALTHY);
    ck_assert_int_eq(rig_line(rig, 0).provider_status, REPUTATION_CRITICAL);
    rig_restart(rig, 1000);
    ck_gate(0, GATE_SLOW, REASON_RAMP);
    told(REPUTATION_CRITICAL);
    rig_pass(rig, HOUR); /* over by itself: what the provider said meanwhile counts */
    told(REPUTATION_CRITICAL);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
    ck_assert_uint_eq(rig_line(rig, 0).ramp_percent, 100);
}
END_TEST

START_TEST(the_provider_agreeing_later_does_not_start_the_ramp_again)
{
    begin_with(POLICY_CONF("ramp_step_ms: 60000"), 1);
    told(REPUTATION_CRITICAL);
    ck_assert_int_eq(say(REPUTATION_HEALTHY, 10 * HOUR, true), CODE_NONE);
    for (int step = 0; step < 4; step++) {
        rig_pass(rig, 60000);
        poll_says(REPUTATION_CRITICAL);
    }
    ck_gate(0, GATE_OPEN, REASON_NONE);
    told(REPUTATION_HEALTHY);
    poll_says(REPUTATION_HEALTHY); /* proven */
    ck_gate(0, GATE_OPEN, REASON_NONE);
    ck_assert_int_eq(end_word(), CODE_NONE);
    ck_gate(0, GATE_OPEN, REASON_NONE);
    ck_assert_int_eq(end_word(), CODE_NOT_FOUND);
}
END_TEST

START_TEST(an_operators_word_lifts_no_flag_and_no_silence)
{
    begin_with(FAST_CONF, 1);
    ck_assert_int_eq(say(REPUTATION_HEALTHY, 10 * HOUR, true), CODE_NONE);
    told_service(SERVICE_FLAGGED);
    ck_gate(0, GATE_CLOSED, REASON_LINE_FLAGGED);
    told_service(SERVICE_ACTIVE);
    ck_gate(0, GATE_SLOW, REASON_RAMP);
    rig_pass(rig, HOUR);
    ck_gate(0, GATE_CLOSED, REASON_LINE_STALE);
}
END_TEST

START_TEST(a_provider_that_falls_breaks_no_ramp_that_an_operator_began)
{
    begin_with(FAST_CONF, 1);
    told(REPUTATION_CRITICAL);
    ck_assert_int_eq(say(REPUTATION_HEALTHY, 10 * HOUR, true), CODE_NONE);
    told(REPUTATION_HEALTHY);
    poll_says(REPUTATION_HEALTHY);
    told(REPUTATION_AT_RISK);
    ck_assert_uint_eq(rig_line(rig, 0).ramp_percent, 10);
    ck_gate(0, GATE_SLOW, REASON_RAMP);
    ck_assert_int_eq(end_word(), CODE_NONE);
    ck_gate(0, GATE_CLOSED, REASON_LINE_RECOVERING); /* fell within a ramp: until HEALTHY is proven */
}
END_TEST

START_TEST(an_operators_word_is_an_event_and_so_is_its_end)
{
    begin_with(FAST_CONF, 1);
    size_t before = rig->record_count;
    say(REPUTATION_CRITICAL, HOUR, false);
    end_word();
    ck_assert_uint_eq(rig_records(rig, CHANGE_REPUTATION, RIG_LINE, before), 2);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        an_unknown_outcome_settled_as_sent_ends_and_lets_the_next_one_go,
        an_unknown_outcome_settled_as_unsent_takes_its_place_by_class_and_keeps_key_and_line,
        a_settled_unsent_job_uses_up_its_attempts_like_any_other,
        what_was_cancelled_meanwhile_ends_when_it_is_settled_as_unsent,
        a_try_that_has_not_begun_is_called_back_when_a_cancelled_job_is_settled_as_unsent,
        a_try_that_has_not_begun_is_called_back_when_it_is_settled_as_unsent_and_its_recipient_opted_out,
        only_an_unknown_outcome_can_be_settled,
        a_try_under_way_is_revoked_when_a_person_says_sent_and_goes_on_when_unsent,
        a_cordoned_line_takes_no_new_conversations_and_keeps_those_it_has,
        an_uncordoned_line_takes_new_conversations_at_once,
        cordon_takes_back_new_conversations_that_no_worker_has_begun,
        a_word_to_the_worse_closes_at_once_and_its_end_opens_through_the_ramp,
        a_word_to_the_worse_never_loosens,
        a_word_to_the_better_is_for_admins_and_opens_through_the_ramp,
        the_provider_agreeing_later_does_not_start_the_ramp_again,
        an_operators_word_lifts_no_flag_and_no_silence,
        a_provider_that_falls_breaks_no_ramp_that_an_operator_began,
        an_operators_word_is_an_event_and_so_is_its_end,
    };
    return run_suite("core_operate", tests, sizeof tests / sizeof *tests);
}
