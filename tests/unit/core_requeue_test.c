/* core_requeue_test.c — dead letters come back with their number and key, over restarts and cleaning, and are sent once
 * (DESIGN traps 9, 10 and 12; promises P1, P2, P4). */
#include <string.h>

#include "tests/unit/core_requeue_rig.h"

/* A job of that conversation that the provider refuses. */
static uint64_t refused_job(uint64_t conversation)
{
    struct core_enqueue ask = rig_job(conversation, CLASS_TRANSACTIONAL);
    ask.id_hash = conversation + 500;
    ask.content_hash = conversation + 600;
    uint64_t number = rig_enqueue(rig, &ask).number;
    struct effect job = leased();
    ck_assert_uint_eq(job.number, number);
    struct core_result result = rig_result(&job, OUTCOME_REJECTED);
    rig_answer(rig, &result);
    ck_assert(end_of(number).dead);
    rig_forget(rig);
    return number;
}

#define ck_key_is(number, expected)                                                                                  \
    do {                                                                                                             \
        uint8_t ck_key[KEY_RANDOM_BYTES];                                                                            \
        core_key_random(rig->core, number, ck_key);                                                                  \
        ck_assert_mem_eq(ck_key, expected, sizeof ck_key);                                                           \
    } while (0)

/* A mark parts those that had come from those that came since (core_accept_mark()); its number is old all the same. */
START_TEST(a_requeued_job_has_come_when_it_was_requeued_over_restarts)
{
    begin();
    uint64_t number = refused_job(1), mark = core_accept_mark(rig->core);
    ck_assert_int_eq(requeue(number, 1), CODE_NONE);
    for (int starts = 0; starts < 2; starts++) {
        ck_assert_uint_lt(rig_view(rig, number).sequence, mark);
        ck_assert_uint_ge(rig_view(rig, number).came, mark);
        ck_assert_uint_lt(rig_view(rig, number).came, core_accept_mark(rig->core));
        rig_restart(rig, 1000);
    }
}
END_TEST

/* covers: call POST /v1/dead/{id}/requeue */
START_TEST(a_requeued_job_keeps_number_key_line_and_attempts)
{
    uint8_t key[KEY_RANDOM_BYTES];
    begin();
    uint64_t number = refused_job(1);
    uint64_t line = end_of(number).line;
    core_key_random(rig->core, number, key);
    come_back(); /* another start draws other bits */
    ck_assert_int_eq(requeue(number, 1), CODE_NONE);
    ck_assert_uint_eq(rig_view(rig, number).line, line);
    struct effect job = leased();
    struct lease_view view;
    ck_assert(core_lease_view(rig->core, job.lease, &view));
    ck_assert_uint_eq(view.number, number);
    ck_assert_uint_eq(view.line, line);
    ck_assert_uint_eq(view.attempt, 2);
    ck_assert(!view.unsettled);
    ck_key_is(number, key);
    rig_sent(rig, &job);
    ck_assert_int_eq(end_of(number).state, JOB_SENT);
    ck_assert_uint_eq(end_of(number).life, 1);
}
END_TEST

START_TEST(a_requeued_job_is_found_though_another_has_its_slot)
{
    begin();
    uint64_t number = refused_job(1);
    uint64_t tenant = rig_send(rig, 2, CLASS_CAMPAIGN); /* takes the slot that has just become free */
    ck_assert_uint_eq(number & ((1u << 25) - 1), tenant & ((1u << 25) - 1));
    ck_assert_int_eq(requeue(number, 1), CODE_NONE);
    ck_assert_int_eq(rig_view(rig, number).state, JOB_QUEUED);
    ck_assert_int_eq(rig_view(rig, tenant).state, JOB_QUEUED);
    for (int restart = 0; restart < 2; restart++) {
        come_back();
        ck_assert_int_eq(rig_view(rig, number).state, JOB_QUEUED);
        ck_assert_int_eq(rig_view(rig, tenant).state, JOB_QUEUED);
        ck_assert_uint_ne(rig_view(rig, number).place, rig_view(rig, tenant).place);
    }
    rig_tick(rig);
    struct effect first = *rig_told(rig, EFFECT_JOB, 0);
    struct effect second = *rig_told(rig, EFFECT_JOB, 1);
    rig_sent(rig, &first);
    rig_sent(rig, &second);
    ck_assert_int_eq(end_of(number).state, JOB_SENT);
    ck_assert_int_eq(end_of(tenant).state, JOB_SENT);
    come_back();
    ck_assert_int_eq(rig_view(rig, number).state, JOB_NONE);
    ck_assert_int_eq(rig_view(rig, tenant).state, JOB_NONE);
}
END_TEST

START_TEST(a_requeued_job_is_found_though_its_earlier_life_still_lies_in_the_list)
{
    begin();
    rig_send(rig, 1, CLASS_TRANSACTIONAL);
    struct effect job = leased(); /* the first is out: what ends behind it is swept up when that ends */
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    for (uint8_t life = 0; life < 3; life++) {
        const struct core_drain drain = {.line = RIG_LINE, .mode = DRAIN_FAIL, .by = "ops"};
        core_drain(rig->core, &drain, rig->now, &rig->out);
        rig_keep(rig);
        rig_pass(rig, 10);
        ck_assert_int_eq(end_of(number).state, JOB_FAILED);
        ck_assert_int_eq(rig_view(rig, number).state, JOB_NONE);
        ck_assert_uint_eq(end_of(number).life, life);
        ck_assert_int_eq(requeue(number, 1), CODE_NONE);
        ck_assert_int_eq(rig_view(rig, number).state, JOB_QUEUED);
    }
    rig_sent(rig, &job);
    ck_assert_int_eq(rig_view(rig, number).state, JOB_QUEUED);
}
END_TEST

START_TEST(slots_of_requeued_jobs_go_to_others_and_a_restart_knows_whose_they_are)
{
    uint64_t dead[3], later[6];
    begin();
    for (uint64_t i = 0; i < 3; i++)
        dead[i] = refused_job(1 + i);
    for (uint64_t i = 0; i < 3; i++)
        later[i] = send_known(0, 10 + i, CLASS_CAMPAIGN);
    rig_pause(rig, PAUSE_LINE, RIG_LINE, 0);
    rig_pause(rig, PAUSE_LINE, RIG_LINE + 1, 0);
    for (uint64_t i = 0; i < 3; i++)
        ck_assert_int_eq(requeue(dead[i], 1 + i), CODE_NONE);
    core_cancel(rig->core, 1, 0, dead[1], rig->now, &rig->out); /* its slot, not its number's, becomes free */
    rig_keep(rig);
    for (uint64_t i = 3; i < 6; i++)
        later[i] = send_known(0, 10 + i, CLASS_CAMPAIGN);
    for (size_t i = 0; i < rig->record_count; i++) /* the cleaner has been everywhere */
        if (i < rig->durable && i % 2 == 0)
            rig_clean(rig, i), rig_keep(rig);
    come_back();
    for (uint64_t i = 0; i < 3; i++)
        ck_assert_int_eq(rig_view(rig, dead[i]).state, i == 1 ? JOB_NONE : JOB_QUEUED);
    for (uint64_t i = 0; i < 6; i++)
        ck_assert_int_eq(rig_view(rig, later[i]).state, JOB_QUEUED);
    struct core_status status;
    core_status_read(rig->core, rig->now, &status);
    ck_assert_uint_eq(status.jobs, 8);
}
END_TEST

/* Whatever of the journal the cleaner has touched, and in whichever order: an end ends the life that it names. */
START_TEST(cleaning_in_any_order_neither_ends_a_requeued_job_nor_brings_an_ended_one_back)
{
    for (unsigned seed = 1; seed <= 200; seed++) {
        uint64_t random = seed;
        begin();
        uint64_t back = refused_job(1), over = refused_job(2), gone = refused_job(3);
        ck_assert_int_eq(requeue(back, 1), CODE_NONE);
        ck_assert_int_eq(requeue(over, 2), CODE_NONE);
        rig_pause(rig, PAUSE_ALL, 0, 0);
        core_cancel(rig->core, 1, 0, over, rig->now, &rig->out);
        rig_keep(rig);
        for (unsigned n = 0; n < 40; n++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            rig_clean(rig, (size_t)(random >> 33) % rig->durable);
            rig_keep(rig);
        }
        come_back();
        ck_assert_msg(rig_view(rig, back).state == JOB_QUEUED, "seed %u: the requeued job is gone", seed);
        ck_assert_msg(rig_view(rig, over).state == JOB_NONE, "seed %u: an ended job is back", seed);
        ck_assert_msg(rig_view(rig, gone).state == JOB_NONE, "seed %u: a dead letter came back by itself", seed);
    }
}
END_TEST

START_TEST(every_prefix_of_a_requeues_records_restores)
{
    begin();
    uint64_t number = refused_job(1);
    size_t before = rig->record_count;
    ck_assert_int_eq(requeue(number, 1), CODE_NONE);
    size_t after = rig->record_count;
    struct rig *again = rig_replica(rig, after, 2); /* each record twice: the earlier life's end comes once more */
    ck_assert_int_ne(rig_view(again, number).state, JOB_NONE);
    rig_free(&again);
    struct effect job = leased();
    rig_sent(rig, &job);
    for (size_t count = 0; count <= rig->record_count; count++) {
        struct rig *twin = rig_replica(rig, count, 1);
        if (count >= after && count < rig->record_count)
            ck_assert_int_ne(rig_view(twin, number).state, JOB_NONE);
        if (count == before || count == rig->record_count)
            ck_assert_int_eq(rig_view(twin, number).state, JOB_NONE);
        rig_free(&twin);
    }
    struct rig *twin = rig_replica(rig, rig->record_count, 2);
    ck_assert_int_eq(rig_view(twin, number).state, JOB_NONE);
    rig_free(&twin);
}
END_TEST

START_TEST(a_requeued_job_goes_behind_what_waits_in_its_conversation_over_a_restart_too)
{
    begin();
    uint64_t number = refused_job(1);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    uint64_t before = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    ck_assert_int_eq(requeue(number, 1), CODE_NONE);
    uint64_t behind = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    come_back();
    ck_assert_int_eq(rig_resume(rig, PAUSE_ALL, 0, 0), CODE_NONE);
    const uint64_t order[] = {before, number, behind};
    for (int i = 0; i < 3; i++) {
        struct effect job = leased();
        ck_assert_uint_eq(job.number, order[i]);
        rig_sent(rig, &job);
    }
}
END_TEST

START_TEST(what_lives_or_was_requeued_meanwhile_is_no_dead_letter)
{
    begin();
    uint64_t number = refused_job(1);
    struct core_requeue letter = letter_of(number, 1); /* two people read the same records */
    ck_assert_int_eq(offer(&letter), CODE_NONE);
    ck_assert_int_eq(offer(&letter), CODE_NOT_FOUND);
    struct effect job = leased();
    ck_assert_int_eq(offer(&letter), CODE_NOT_FOUND);
    rig_sent(rig, &job);
    ck_assert_int_eq(offer(&letter), CODE_NOT_FOUND); /* sent: what was read before no longer counts */
    ck_assert_uint_eq(rig_records(rig, CHANGE_JOB, number, 0), 2);
}
END_TEST

START_TEST(a_requeued_job_that_fails_again_is_a_dead_letter_again)
{
    begin();
    uint64_t number = refused_job(1);
    for (unsigned life = 1; life <= 3; life++) {
        ck_assert_int_eq(requeue(number, 1), CODE_NONE);
        struct effect job = leased();
        struct core_result result = rig_result(&job, OUTCOME_REJECTED);
        rig_answer(rig, &result);
        ck_assert_uint_eq(end_of(number).life, life);
        ck_assert(end_of(number).dead);
        ck_assert_uint_eq(end_of(number).attempts, life + 1);
        come_back();
    }
}
END_TEST

START_TEST(a_requeue_is_refused_as_an_enqueue_would_be)
{
    begin();
    uint64_t number = refused_job(1);
    struct core_requeue letter = letter_of(number, 1);
    ck_assert_int_eq(core_requeue(rig->core, &letter, true, rig->now, &rig->out), CODE_STORE_FULL);
    letter.job.from_line = RIG_LINE + 77;
    ck_assert_int_eq(core_requeue(rig->core, &letter, false, rig->now, &rig->out), CODE_UNKNOWN_LINE);
    letter = letter_of(number, 1);
    letter.life = UINT8_MAX;
    ck_assert_int_eq(core_requeue(rig->core, &letter, false, rig->now, &rig->out), CODE_NOT_ALLOWED);
    struct core_message_fact stop = {
        .what = MESSAGE_RECEIVED, .opt_out = true, .inbound = true, .recipient = 1 + 1000000, .line = RIG_LINE};
    core_message_told(rig->core, &stop, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_int_eq(requeue(number, 1), CODE_OPTED_OUT);
    ck_assert_int_eq(rig_view(rig, number).state, JOB_NONE);
}
END_TEST

/* covers: code superseded */
START_TEST(a_dead_letter_whose_place_a_newer_job_has_stays_dead_and_one_that_is_back_gives_way)
{
    begin();
    uint64_t number = refused_job(1);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    struct core_requeue letter = letter_of(number, 1);
    letter.job.collapse = 4711;
    struct core_enqueue newer = rig_job(1, CLASS_TRANSACTIONAL);
    newer.collapse = 4711;
    uint64_t waiting = rig_enqueue(rig, &newer).number;
    ck_assert_int_eq(offer(&letter), CODE_SUPERSEDED);
    ck_assert_int_eq(rig_view(rig, number).state, JOB_NONE);
    core_cancel(rig->core, 1, 0, waiting, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_int_eq(offer(&letter), CODE_NONE);
    come_back();
    ck_assert_int_eq(rig_view(rig, number).state, JOB_QUEUED);
    newer.id_hash = 0;
    rig_enqueue(rig, &newer);
    ck_assert_int_eq(rig_view(rig, number).state, JOB_NONE);
    ck_assert_int_eq(end_of(number).code, CODE_SUPERSEDED);
}
END_TEST

START_TEST(a_requeue_that_is_refused_as_superseded_pins_nobody)
{
    begin();
    struct core_enqueue ask = rig_job(1, CLASS_TRANSACTIONAL);
    ask.from_line = RIG_LINE;
    uint64_t number = accepted(&ask);
    struct effect job = leased();
    struct core_result result = rig_result(&job, OUTCOME_REJECTED);
    rig_answer(rig, &result);
    rig_tell(rig, 0, REPUTATION_CRITICAL, rig->now.wall_ms + 1);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    struct core_enqueue newer = rig_job(1, CLASS_TRANSACTIONAL);
    newer.collapse = 4711;
    uint64_t waiting = accepted(&newer);
    struct core_requeue letter = letter_of(number, 1);
    letter.job.from_line = RIG_LINE;
    letter.job.collapse = 4711;
    ck_assert_int_eq(offer(&letter), CODE_SUPERSEDED);
    ck_assert_uint_eq(rig_view(rig, waiting).line, 0);
    rig_resume(rig, PAUSE_ALL, 0, 0);
    ck_assert_uint_eq(leased().number, waiting); /* on the other line */
}
END_TEST

START_TEST(a_requeued_job_counts_in_its_campaign_again)
{
    begin();
    struct core_enqueue ask = rig_job(1, CLASS_CAMPAIGN);
    ask.campaign = core_campaign(rig->core, "spring", &rig->out);
    uint64_t number = rig_enqueue(rig, &ask).number;
    struct effect job = leased();
    struct core_result result = rig_result(&job, OUTCOME_REJECTED);
    rig_answer(rig, &result);
    struct core_requeue letter = letter_of(number, 1);
    letter.job = ask;
    ck_assert_int_eq(offer(&letter), CODE_NONE);
    rig_pause(rig, PAUSE_CAMPAIGN, (uint64_t)ask.campaign, 0);
    come_back();
    ck_job(number, JOB_QUEUED, REASON_CAMPAIGN_PAUSED);
    rig_resume(rig, PAUSE_CAMPAIGN, (uint64_t)ask.campaign, 0);
    job = leased();
    rig_sent(rig, &job); /* and its end finds it counted */
    ck_assert_int_eq(end_of(number).state, JOB_SENT);
}
END_TEST

START_TEST(the_producers_id_goes_on_meaning_the_requeued_job)
{
    begin();
    uint64_t number = refused_job(1);
    ck_assert_int_eq(requeue(number, 1), CODE_NONE);
    come_back();
    struct core_enqueue again = rig_job(1, CLASS_TRANSACTIONAL);
    again.id_hash = 501;
    again.content_hash = 601;
    struct effect answer = rig_enqueue(rig, &again);
    ck_assert(answer.duplicate);
    ck_assert_uint_eq(answer.number, number);
    ck_assert_int_eq(answer.state, JOB_QUEUED);
}
END_TEST

/* It is a new conversation once more: found by the simulation, seed 46 of its day. */
START_TEST(a_requeue_begins_no_conversation_beyond_the_days_number)
{
    begin_with(POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 1, attempts_max: 3"), 1);
    rig_worker(rig, 1, 8);
    uint64_t number = refused_job(1);
    rig_send(rig, 2, CLASS_CAMPAIGN);
    struct effect other = leased(); /* has the day's one */
    rig_sent(rig, &other);
    ck_assert_int_eq(requeue(number, 1), CODE_NONE);
    rig_tick(rig);
    ck_assert_ptr_null(rig_told(rig, EFFECT_JOB, 0));
    ck_assert_int_eq(rig_view(rig, number).reason, REASON_BUDGET_NEW_CONVERSATIONS);
    come_back_with(1);
    rig_tick(rig);
    ck_assert_ptr_null(rig_told(rig, EFFECT_JOB, 0));
}
END_TEST

START_TEST(a_conversation_that_a_requeue_begins_counts_over_a_restart_too)
{
    begin_with(POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 1, attempts_max: 3"), 1);
    rig_worker(rig, 1, 8);
    uint64_t number = refused_job(1);
    ck_assert_int_eq(requeue(number, 1), CODE_NONE);
    come_back_with(1);
    uint64_t other = rig_send(rig, 2, CLASS_CAMPAIGN);
    ck_assert_uint_eq(leased().number, number);
    rig_tick(rig);
    ck_assert_ptr_null(rig_told(rig, EFFECT_JOB, 0));
    ck_assert_int_eq(rig_view(rig, other).reason, REASON_BUDGET_NEW_CONVERSATIONS);
}
END_TEST

/* Found by the simulation, seed 603056: what it was tried there before is no sign that its conversation lives there. */
START_TEST(a_conversation_that_another_job_was_to_begin_is_new_again_over_a_restart)
{
    begin_with(POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 1, attempts_max: 3"), 1);
    rig_worker(rig, 1, 8);
    uint64_t number = refused_job(1);
    rig_send(rig, 1, CLASS_TRANSACTIONAL);
    struct effect other = leased();
    ck_assert_int_eq(requeue(number, 1), CODE_NONE);
    ck_assert_uint_eq(rig_view(rig, number).line, RIG_LINE);
    struct core_result refused = rig_result(&other, OUTCOME_REJECTED);
    rig_answer(rig, &refused);
    ck_assert_uint_eq(rig_view(rig, number).line, 0);
    rig_restart(rig, 1000);
    ck_assert_uint_eq(rig_view(rig, number).line, 0);
}
END_TEST

/* The record that told of it is said anew by the cleaner, for a later stretch of time. */
START_TEST(a_conversation_that_a_requeue_begins_counts_after_its_record_was_cleaned_too)
{
    begin_with(POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 1, attempts_max: 3"), 1);
    rig_worker(rig, 1, 8);
    uint64_t number = refused_job(1);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    rig_pass(rig, 2 * BUDGET_BUCKET_MS - rig->now.wall_ms % BUDGET_BUCKET_MS - 5000);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    ck_assert_int_eq(requeue(number, 1), CODE_NONE);
    rig_pass(rig, 10000);
    for (size_t i = 0, count = rig->record_count; i < count; i++) {
        if (rig->records[i].kind == CHANGE_TRY)
            rig_clean(rig, i);
        rig_keep(rig);
    }
    ck_assert_uint_eq(rig_line(rig, 0).fresh_used, 1);
    come_back_with(1);
    ck_assert_uint_eq(rig_line(rig, 0).fresh_used, 1);
}
END_TEST

/* A letter is brought back while a drain fails what waited when it began. */
static void fail_and_requeue(bool restart)
{
    begin_with(FAST_CONF, 1);
    rig_worker(rig, 1, 8);
    uint64_t number = send_known(0, 1, CLASS_TRANSACTIONAL);
    struct effect job = leased();
    struct core_result result = rig_result(&job, OUTCOME_REJECTED);
    rig_answer(rig, &result);
    rig_tell(rig, 0, REPUTATION_CRITICAL, rig->now.wall_ms);
    for (uint64_t c = 2; c < 9000; c++)
        send_known(0, c, CLASS_TRANSACTIONAL);
    const struct core_drain ask = {.token = 91, .line = RIG_LINE, .mode = DRAIN_FAIL, .by = "ops"};
    core_drain(rig->core, &ask, rig->now, &rig->out);
    rig_keep(rig);
    if (restart)
        rig_tick(rig); /* the first slice */
    struct core_requeue letter = letter_of(number, 1);
    ck_assert_int_eq(offer(&letter), CODE_NONE);
    if (restart) { /* the walk begins anew */
        rig_restart(rig, 1000);
        rig_tell(rig, 0, REPUTATION_CRITICAL, rig->now.wall_ms);
    }
    rig_pass(rig, 1000);
    ck_assert_int_eq(rig_view(rig, number).state, JOB_QUEUED);
}

START_TEST(a_drain_does_not_fail_what_was_requeued_after_it_began)
{
    fail_and_requeue(false);
    fail_and_requeue(true);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_requeued_job_keeps_number_key_line_and_attempts,
        a_requeued_job_has_come_when_it_was_requeued_over_restarts,
        a_requeued_job_is_found_though_another_has_its_slot,
        a_requeued_job_is_found_though_its_earlier_life_still_lies_in_the_list,
        slots_of_requeued_jobs_go_to_others_and_a_restart_knows_whose_they_are,
        cleaning_in_any_order_neither_ends_a_requeued_job_nor_brings_an_ended_one_back,
        every_prefix_of_a_requeues_records_restores,
        a_requeued_job_goes_behind_what_waits_in_its_conversation_over_a_restart_too,
        what_lives_or_was_requeued_meanwhile_is_no_dead_letter,
        a_requeued_job_that_fails_again_is_a_dead_letter_again,
        a_requeue_is_refused_as_an_enqueue_would_be,
        a_dead_letter_whose_place_a_newer_job_has_stays_dead_and_one_that_is_back_gives_way,
        a_requeue_that_is_refused_as_superseded_pins_nobody,
        a_requeued_job_counts_in_its_campaign_again,
        the_producers_id_goes_on_meaning_the_requeued_job,
        a_requeue_begins_no_conversation_beyond_the_days_number,
        a_drain_does_not_fail_what_was_requeued_after_it_began,
        a_conversation_that_a_requeue_begins_counts_over_a_restart_too,
        a_conversation_that_another_job_was_to_begin_is_new_again_over_a_restart,
        a_conversation_that_a_requeue_begins_counts_after_its_record_was_cleaned_too,
    };
    return run_suite("core_requeue", tests, sizeof tests / sizeof *tests);
}
