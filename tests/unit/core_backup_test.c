/* core_backup_test.c — a start from a restored backup: no number and no key is given twice, what may have been sent
 * since goes out with its own key and unsettled, or waits for a person (promise P4). */
#include <string.h>

#include "tests/unit/core_suite.h"

#define HOUR_MS 3600000
#define FAST_CONF                                                                                                    \
    POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 0, retry_base_ms: 1000, retry_cap_ms: 1000")

static void begin(void)
{
    begin_with(FAST_CONF, 1);
    rig_worker(rig, 1, 8);
}

static void come_back(void)
{
    rig_worker(rig, 1, 8);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
}

/* From now on as if the store had been put back to what it is, `after_ms` later. */
static void restore(int64_t after_ms, int64_t key_life_ms)
{
    rig->options.backup_ms = rig->now.wall_ms;
    rig->options.key_life_ms = key_life_ms;
    rig_restart(rig, after_ms);
    come_back();
}

static const struct effect *job_now(void)
{
    rig_tick(rig);
    return rig_told(rig, EFFECT_JOB, 0);
}

static bool key_differs(uint64_t one, uint64_t other)
{
    uint8_t first[KEY_RANDOM_BYTES], second[KEY_RANDOM_BYTES];
    core_key_random(rig->core, one, first);
    core_key_random(rig->core, other, second);
    return memcmp(first, second, sizeof first) != 0;
}

START_TEST(numbers_go_on_far_behind_those_of_the_backup_and_keys_are_others)
{
    begin();
    rig_pause(rig, PAUSE_ALL, 0, 0);
    uint64_t before = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    uint8_t key[KEY_RANDOM_BYTES], same[KEY_RANDOM_BYTES];
    core_key_random(rig->core, before, key);
    restore(HOUR_MS, 24 * HOUR_MS);
    core_key_random(rig->core, before, same);
    ck_assert_mem_eq(key, same, sizeof key);
    uint64_t after = rig_send(rig, 2, CLASS_TRANSACTIONAL);
    ck_assert_uint_gt(after >> 25, (before >> 25) + 1000000000);
    ck_assert(key_differs(before, after));
}
END_TEST

START_TEST(what_waited_goes_out_in_order_and_unsettled_over_another_restart_too)
{
    begin();
    rig_pause(rig, PAUSE_ALL, 0, 0);
    uint64_t first = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    uint64_t second = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    restore(HOUR_MS, 24 * HOUR_MS);
    rig_restart(rig, 1000);
    come_back();
    ck_assert(rig_view(rig, first).unsettled);
    ck_assert(rig_view(rig, second).unsettled);
    uint64_t fresh = rig_send(rig, 2, CLASS_TRANSACTIONAL);
    ck_assert(!rig_view(rig, fresh).unsettled);
    rig_resume(rig, PAUSE_ALL, 0, 0);
    const struct effect *job = job_now();
    ck_assert_ptr_nonnull(job);
    struct lease_view view;
    for (size_t n = 0; (job = rig_told(rig, EFFECT_JOB, n)) != NULL; n++) {
        ck_assert(core_lease_view(rig->core, job->lease, &view));
        ck_assert_uint_ne(view.number, second);
        ck_assert(view.unsettled == (view.number == first));
    }
    ck_assert_int_eq(rig_view(rig, first).state, JOB_LEASED);
}
END_TEST

START_TEST(what_may_have_been_sent_longer_ago_than_keys_live_waits_until_it_is_settled)
{
    begin();
    rig_pause(rig, PAUSE_ALL, 0, 0);
    uint64_t unsent = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    uint64_t behind = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    uint64_t sent = rig_send(rig, 2, CLASS_TRANSACTIONAL);
    restore(2 * HOUR_MS, HOUR_MS);
    rig_resume(rig, PAUSE_ALL, 0, 0);
    rig_forget(rig);
    rig_pass(rig, 24 * HOUR_MS);
    ck_job(unsent, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
    rig_restart(rig, 1000);
    come_back();
    rig_pass(rig, HOUR_MS);
    ck_assert_ptr_null(rig_told(rig, EFFECT_JOB, 0));
    ck_job(unsent, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
    ck_job(behind, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
    core_settle(rig->core, 9, unsent, false, (struct span){"{}", 2}, rig->now, &rig->out);
    core_settle(rig->core, 9, sent, true, (struct span){"{}", 2}, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_int_eq(rig_view(rig, sent).state, JOB_NONE);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY); /* it was silent that long */
    const struct effect *job = job_now();
    ck_assert_ptr_nonnull(job);
    ck_assert_uint_eq(job->number, unsent);
    struct effect copy = *job;
    rig_forget(rig);
    rig_sent(rig, &copy);
    rig_pass(rig, 60000);
    ck_assert_ptr_null(rig_told(rig, EFFECT_JOB, 0)); /* the one behind it is to be settled by itself */
    ck_job(behind, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
}
END_TEST

START_TEST(what_was_under_way_in_an_old_backup_is_not_tried_by_itself)
{
    begin();
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    ck_assert_ptr_nonnull(job_now());
    rig_forget(rig);
    restore(2 * HOUR_MS, HOUR_MS);
    rig_pass(rig, 24 * HOUR_MS);
    ck_assert_ptr_null(rig_told(rig, EFFECT_JOB, 0));
    ck_job(number, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
}
END_TEST

/* Its lease was out when the backup was taken. The worker, which has lived on, may since have been told DONE of it. */
static uint64_t leased_in_backup(int64_t key_life_ms, struct effect *job)
{
    begin();
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    *job = *job_now();
    rig_forget(rig);
    rig->options.backup_ms = rig->now.wall_ms;
    rig->options.key_life_ms = key_life_ms;
    rig_restart(rig, HOUR_MS);
    return number;
}

static void is_tried_again_as_unsettled(bool again)
{
    struct effect job;
    uint64_t number = leased_in_backup(24 * HOUR_MS, &job);
    uint32_t spent = rig_line(rig, 0).messages_used;
    if (again)
        rig_restart(rig, 1000);
    come_back(); /* naming no lease */
    struct job_view view = rig_view(rig, number);
    ck_assert_int_eq(view.state, JOB_QUEUED);
    ck_assert(view.unsettled);
    ck_assert_uint_eq(view.line, RIG_LINE);
    ck_assert(again || rig_line(rig, 0).messages_used == spent);
    const struct effect *next = job_now();
    ck_assert_ptr_nonnull(next);
    struct lease_view lease;
    ck_assert(core_lease_view(rig->core, next->lease, &lease));
    ck_assert(lease.unsettled);
}

START_TEST(what_was_under_way_may_have_been_sent_though_its_worker_does_not_know_it_any_more)
{
    is_tried_again_as_unsettled(false);
}
END_TEST

START_TEST(what_was_under_way_may_have_been_sent_over_another_restart_too)
{
    is_tried_again_as_unsettled(true);
}
END_TEST

/* It has not been told DONE, and goes on saying so. */
static void late_result_is_believed(bool again)
{
    struct effect job;
    uint64_t number = leased_in_backup(60000, &job);
    if (again)
        rig_restart(rig, 1000);
    come_back();
    ck_job(number, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
    rig_sent(rig, &job);
    ck_assert_int_eq(end_of(number).state, JOB_SENT);
}

START_TEST(the_result_of_what_waits_for_a_person_is_believed)
{
    late_result_is_believed(false);
}
END_TEST

START_TEST(the_result_of_what_waits_for_a_person_is_believed_after_another_restart)
{
    late_result_is_believed(true);
}
END_TEST

START_TEST(when_a_conversation_was_written_to_last_is_no_other_moment_after_another_restart)
{
    begin();
    uint64_t number = send_known(0, 1, CLASS_TRANSACTIONAL);
    struct effect first = leased();
    struct core_result result = rig_result(&first, OUTCOME_RETRY);
    result.unknown = true;
    rig_answer(rig, &result);
    int64_t out_ms = rig_view(rig, number).chat.last_out_ms;
    restore(HOUR_MS, 60000);
    ck_assert_int_eq(rig_view(rig, number).chat.last_out_ms, out_ms);
    rig_restart(rig, 1000);
    ck_assert_int_eq(rig_view(rig, number).chat.last_out_ms, out_ms);
}
END_TEST

START_TEST(what_was_not_due_yet_cannot_have_been_sent)
{
    begin();
    struct core_enqueue ask = rig_job(1, CLASS_TRANSACTIONAL);
    ask.due_ms = rig->now.wall_ms + 3 * HOUR_MS;
    uint64_t later = rig_enqueue(rig, &ask).number;
    ask = rig_job(2, CLASS_TRANSACTIONAL);
    ask.due_ms = rig->now.wall_ms + HOUR_MS + HOUR_MS / 2;
    uint64_t since = rig_enqueue(rig, &ask).number;
    rig_pause(rig, PAUSE_ALL, 0, 0);
    restore(2 * HOUR_MS, HOUR_MS);
    ck_job(later, JOB_SCHEDULED, REASON_NOT_YET_DUE);
    ck_assert(!rig_view(rig, later).unsettled);
    rig_tick(rig);
    ck_assert(rig_view(rig, since).unsettled); /* within the life of its key: it goes out with it */
    rig_resume(rig, PAUSE_ALL, 0, 0);
    rig_tick(rig);
    ck_assert_int_eq(rig_view(rig, since).state, JOB_LEASED);
}
END_TEST

START_TEST(what_fell_due_and_expired_while_the_store_was_away_ends_as_unknown)
{
    begin();
    struct core_enqueue ask = rig_job(1, CLASS_TRANSACTIONAL);
    ask.due_ms = rig->now.wall_ms + HOUR_MS;
    ask.expires_ms = rig->now.wall_ms + 2 * HOUR_MS;
    uint64_t number = accepted(&ask);
    restore(3 * HOUR_MS, 24 * HOUR_MS);
    rig_pass(rig, 1000);
    ck_assert_int_eq(end_of(number).state, JOB_FAILED);
    ck_assert_int_eq(end_of(number).code, CODE_OUTCOME_UNKNOWN);
}
END_TEST

START_TEST(what_fell_due_while_the_store_was_away_can_be_settled_before_anything_else)
{
    begin();
    struct core_enqueue ask = rig_job(1, CLASS_TRANSACTIONAL);
    ask.due_ms = rig->now.wall_ms + HOUR_MS;
    uint64_t sent = accepted(&ask);
    ask = rig_job(2, CLASS_TRANSACTIONAL);
    ask.due_ms = rig->now.wall_ms + HOUR_MS;
    uint64_t echoed = accepted(&ask);
    rig->options.backup_ms = rig->now.wall_ms;
    rig->options.key_life_ms = 24 * HOUR_MS;
    rig_restart(rig, 2 * HOUR_MS);
    core_settle(rig->core, 9, sent, true, (struct span){"{}", 2}, rig->now, &rig->out);
    struct core_message_fact fact = {.what = MESSAGE_DELIVERED, .number = echoed, .event = 4711};
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_int_eq(end_of(sent).state, JOB_SENT);
    ck_assert_int_eq(end_of(echoed).state, JOB_SENT);
}
END_TEST

/* The second of three to be accepted fell due first, and the third waited already. */
static void fall_due_in_order(int64_t key_life_ms)
{
    begin();
    rig_pause(rig, PAUSE_ALL, 0, 0);
    struct core_enqueue ask = rig_job(1, CLASS_TRANSACTIONAL);
    ask.due_ms = rig->now.wall_ms + 2 * HOUR_MS;
    uint64_t last = accepted(&ask);
    ask.due_ms = rig->now.wall_ms + HOUR_MS;
    uint64_t middle = accepted(&ask);
    uint64_t first = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    restore(4 * HOUR_MS, key_life_ms);
    rig_resume(rig, PAUSE_ALL, 0, 0);
    const uint64_t order[] = {first, middle, last};
    for (size_t i = 0; i < 3; i++) {
        if (key_life_ms < HOUR_MS)
            core_settle(rig->core, 9, order[i], false, (struct span){"{}", 2}, rig->now, &rig->out);
        rig_keep(rig);
        ck_assert_uint_eq(next_sent(), order[i]);
    }
}

START_TEST(what_fell_due_while_the_store_was_away_goes_out_in_that_order)
{
    fall_due_in_order(24 * HOUR_MS);
}
END_TEST

START_TEST(what_waits_for_a_person_stands_in_the_order_in_which_it_fell_due)
{
    fall_due_in_order(60000);
}
END_TEST

START_TEST(the_webhook_that_echoes_the_key_settles_it_without_a_send)
{
    begin();
    rig_pause(rig, PAUSE_ALL, 0, 0);
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    restore(HOUR_MS, 24 * HOUR_MS);
    struct core_message_fact fact = {.what = MESSAGE_DELIVERED, .number = number, .event = 4711};
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_int_eq(rig_view(rig, number).state, JOB_NONE);
    rig_resume(rig, PAUSE_ALL, 0, 0);
    ck_assert_ptr_null(job_now());
}
END_TEST

START_TEST(the_webhook_settles_it_too_where_a_lease_came_back_unbegun)
{
    begin();
    rig_pause(rig, PAUSE_ALL, 0, 0);
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    restore(HOUR_MS, 24 * HOUR_MS);
    rig_resume(rig, PAUSE_ALL, 0, 0);
    struct effect job = leased();
    struct core_result result = rig_result(&job, OUTCOME_RETURNED);
    rig_tell(rig, 0, REPUTATION_CRITICAL, rig->now.wall_ms);
    rig_answer(rig, &result);
    ck_assert_int_eq(rig_view(rig, number).state, JOB_QUEUED);
    struct core_message_fact fact = {.what = MESSAGE_DELIVERED, .number = number, .event = 4711};
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_int_eq(end_of(number).state, JOB_SENT);
}
END_TEST

/* It can only have been sent from there, whoever says so. */
START_TEST(who_was_sent_to_on_the_line_that_the_job_named_lives_there)
{
    begin_with(FAST_CONF, 2);
    rig_worker(rig, 1, 8);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    struct core_enqueue ask = rig_job(1, CLASS_TRANSACTIONAL);
    ask.from_line = RIG_LINE + 1;
    uint64_t echoed = accepted(&ask);
    ask = rig_job(2, CLASS_TRANSACTIONAL);
    ask.from_line = RIG_LINE + 1;
    uint64_t settled = accepted(&ask);
    uint64_t behind = rig_send(rig, 2, CLASS_REPLY);
    restore(HOUR_MS, 24 * HOUR_MS);
    struct core_message_fact fact = {.what = MESSAGE_DELIVERED, .number = echoed, .event = 4711};
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    core_settle(rig->core, 9, settled, true, (struct span){"{}", 2}, rig->now, &rig->out);
    rig_keep(rig);
    for (int start = 0; start < 2; start++) {
        struct conversation_view view = {0};
        ck_assert(core_conversation_view(rig->core, 1, &view));
        ck_assert(view.placed && view.line == RIG_LINE + 1 && view.streak == 1);
        ck_assert(core_conversation_view(rig->core, 2, &view));
        ck_assert(view.placed && view.line == RIG_LINE + 1 && view.streak == 1);
        rig_restart(rig, 1000);
        come_back();
    }
    rig_poll_all(rig, 2, REPUTATION_HEALTHY);
    rig_resume(rig, PAUSE_ALL, 0, 0);
    ck_assert_uint_eq(leased().number, behind);
}
END_TEST

START_TEST(one_that_expires_meanwhile_ends_as_unknown_and_is_kept)
{
    begin();
    rig_pause(rig, PAUSE_ALL, 0, 0);
    struct core_enqueue ask = rig_job(1, CLASS_TRANSACTIONAL);
    ask.expires_ms = rig->now.wall_ms + 3 * HOUR_MS;
    uint64_t number = rig_enqueue(rig, &ask).number;
    restore(2 * HOUR_MS, HOUR_MS);
    rig_pass(rig, HOUR_MS + 1000);
    ck_assert_int_eq(rig_view(rig, number).state, JOB_NONE);
    ck_assert_uint_eq(rig_records(rig, CHANGE_END, number, 0), 1);
}
END_TEST

/* A job waited in a conversation that nobody had written to, for any line (0) or for that one. */
static void expire_unplaced(uint64_t from)
{
    begin();
    rig_pause(rig, PAUSE_ALL, 0, 0);
    struct core_enqueue ask = rig_job(1, CLASS_TRANSACTIONAL);
    ask.from_line = from;
    ask.expires_ms = rig->now.wall_ms + 2 * HOUR_MS;
    uint64_t number = accepted(&ask);
    restore(HOUR_MS, 24 * HOUR_MS);
    rig_pass(rig, HOUR_MS + 1000);
    ck_assert_int_eq(end_of(number).code, CODE_OUTCOME_UNKNOWN);
    rig_restart(rig, 1000);
    come_back();
    rig_resume(rig, PAUSE_ALL, 0, 0);
}

START_TEST(a_conversation_that_never_had_a_line_has_none_when_its_job_expires_over_a_restart)
{
    expire_unplaced(0);
    struct record_storage storage;
    struct change change;
    ck_assert(!rig_last(rig, CHANGE_CONVERSATION, 1, &storage, &change));
    uint64_t next = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    ck_assert_ptr_nonnull(job_now());
    ck_job(next, JOB_LEASED, REASON_NONE);
}
END_TEST

/* What nobody knows the place of counts for nobody, whether somebody still waits in the conversation or not. */
START_TEST(a_restart_counts_no_message_that_nobody_counted)
{
    begin();
    rig_pause(rig, PAUSE_ALL, 0, 0);
    struct core_enqueue ask = rig_job(1, CLASS_TRANSACTIONAL);
    ask.expires_ms = rig->now.wall_ms + 2 * HOUR_MS;
    uint64_t number = accepted(&ask);
    restore(HOUR_MS, 24 * HOUR_MS);
    rig_pass(rig, HOUR_MS + 1000);
    ck_assert_int_eq(end_of(number).code, CODE_OUTCOME_UNKNOWN);
    uint64_t next = rig_send(rig, 1, CLASS_FOLLOWUP);
    unsigned unanswered = rig_view(rig, next).chat.unanswered;
    rig_restart(rig, 1000);
    ck_assert_uint_eq(rig_view(rig, next).chat.unanswered, unanswered);
}
END_TEST

START_TEST(a_conversation_that_waited_for_a_line_that_its_job_named_goes_on_waiting_for_that)
{
    expire_unplaced(RIG_LINE);
    struct conversation_view view = {0};
    ck_assert(core_conversation_view(rig->core, 1, &view));
    ck_assert_uint_eq(view.line, RIG_LINE);
    ck_assert_uint_eq(view.streak, 1);
    uint64_t next = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    ck_assert_ptr_nonnull(job_now());
    ck_job(next, JOB_LEASED, REASON_NONE);
}
END_TEST

START_TEST(what_is_told_of_a_conversation_that_never_had_a_line_does_not_make_it_a_record)
{
    begin();
    rig_pause(rig, PAUSE_ALL, 0, 0);
    uint64_t first = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    uint64_t second = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    restore(HOUR_MS, 24 * HOUR_MS);
    struct core_message_fact fact = {.what = MESSAGE_DELIVERED, .number = first, .event = 4711, .message_hash = 99};
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_int_eq(end_of(first).state, JOB_SENT);
    rig_restart(rig, 1000);
    come_back();
    rig_pass(rig, 24 * HOUR_MS);
    ck_assert_int_eq(rig_view(rig, second).state, JOB_QUEUED);
}
END_TEST

START_TEST(a_clock_that_is_behind_the_backup_makes_nothing_sure)
{
    begin();
    rig_pause(rig, PAUSE_ALL, 0, 0);
    uint64_t waits = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    rig->options.backup_ms = rig->now.wall_ms + HOUR_MS; /* the clock of the machine that it was taken on */
    rig->options.key_life_ms = 24 * HOUR_MS;
    rig_restart(rig, 1000);
    come_back();
    ck_assert(rig_view(rig, waits).unsettled);
}
END_TEST

START_TEST(what_expired_without_a_line_can_be_requeued_and_goes_out_unsettled)
{
    begin();
    rig_pause(rig, PAUSE_ALL, 0, 0);
    struct core_enqueue ask = rig_job(1, CLASS_TRANSACTIONAL);
    ask.expires_ms = rig->now.wall_ms + 2 * HOUR_MS;
    uint64_t number = accepted(&ask);
    restore(HOUR_MS, 24 * HOUR_MS);
    rig_pass(rig, HOUR_MS + 1000);
    struct change_end end = end_of(number);
    ck_assert_uint_eq(end.line, 0);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    rig_resume(rig, PAUSE_ALL, 0, 0);
    const struct core_requeue letter = {.number = number,
                                        .mark = core_requeue_mark(rig->core),
                                        .life = end.life,
                                        .attempts = end.attempts,
                                        .doubtful = true,
                                        .accepted_at_ms = RIG_START_MS,
                                        .job = rig_job(1, CLASS_TRANSACTIONAL)};
    ck_assert_int_eq(core_requeue(rig->core, &letter, false, rig->now, &rig->out), CODE_NONE);
    rig_keep(rig);
    rig_forget(rig);
    struct effect job = leased();
    struct lease_view view;
    ck_assert(core_lease_view(rig->core, job.lease, &view));
    ck_assert_uint_eq(view.number, number);
    ck_assert(view.unsettled);
}
END_TEST

static void count_unknown(void *self, const struct shape_job *job)
{
    *(unsigned *)self += job->reason == REASON_OUTCOME_UNKNOWN;
}

static void count_waiting_unknown(void *self, const struct waiting_job *job)
{
    *(unsigned *)self += job->is_unknown;
}

static unsigned unknown_in_shape(void)
{
    struct core_shape shape;
    uint8_t reasons[8];
    unsigned unknown = 0;
    core_shape_begin(rig->core, rig->now, &shape);
    ck_assert_uint_eq(core_shape_lines(rig->core, &shape, reasons, 8, 8), 0);
    ck_assert(!core_shape_walk(rig->core, &shape, reasons, 8, 100, count_unknown, &unknown));
    return unknown;
}

static void ck_waits_for_a_person(uint64_t number)
{
    struct cause causes[CAUSES_MAX];
    size_t count;
    ck_job(number, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
    ck_assert_int_eq(rig_view(rig, number).release_at_ms, 0);
    ck_assert(core_job_causes(rig->core, number, 0, rig->now, causes, &count));
    ck_assert_uint_gt(count, 1);
    ck_assert_int_eq(causes[0].reason, REASON_OUTCOME_UNKNOWN);
    ck_assert_int_eq(causes[0].release_at_ms, 0);
    for (size_t i = 1; i < count; i++)
        ck_assert_int_gt(causes[i].reason, REASON_OUTCOME_UNKNOWN);
    for (size_t i = 1; i < count; i++)
        ck_assert_int_ne(causes[i].reason, REASON_RETRY_BACKOFF);
}

/* Its line is held, too, but that is not what it waits for. */
START_TEST(what_waits_for_a_person_says_so_in_every_view)
{
    begin();
    uint64_t was_leased = send_known(0, 1, CLASS_TRANSACTIONAL);
    leased();
    rig_pause(rig, PAUSE_ALL, 0, 0);
    uint64_t waited = send_known(0, 2, CLASS_TRANSACTIONAL);
    restore(HOUR_MS, 60000);
    rig_resume(rig, PAUSE_ALL, 0, 0);
    rig_tell(rig, 0, REPUTATION_CRITICAL, rig->now.wall_ms);
    ck_waits_for_a_person(was_leased);
    ck_waits_for_a_person(waited);
    ck_assert_uint_eq(unknown_in_shape(), 2);
    uint32_t cursor = 0;
    unsigned unknown = 0;
    core_waiting_walk(rig->core, &cursor, 100, count_waiting_unknown, &unknown);
    ck_assert_uint_eq(unknown, 2);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        numbers_go_on_far_behind_those_of_the_backup_and_keys_are_others,
        what_waited_goes_out_in_order_and_unsettled_over_another_restart_too,
        what_may_have_been_sent_longer_ago_than_keys_live_waits_until_it_is_settled,
        what_was_under_way_in_an_old_backup_is_not_tried_by_itself,
        what_was_under_way_may_have_been_sent_though_its_worker_does_not_know_it_any_more,
        what_was_under_way_may_have_been_sent_over_another_restart_too,
        the_result_of_what_waits_for_a_person_is_believed,
        the_result_of_what_waits_for_a_person_is_believed_after_another_restart,
        when_a_conversation_was_written_to_last_is_no_other_moment_after_another_restart,
        what_was_not_due_yet_cannot_have_been_sent,
        what_fell_due_and_expired_while_the_store_was_away_ends_as_unknown,
        what_fell_due_while_the_store_was_away_can_be_settled_before_anything_else,
        what_fell_due_while_the_store_was_away_goes_out_in_that_order,
        what_waits_for_a_person_stands_in_the_order_in_which_it_fell_due,
        the_webhook_that_echoes_the_key_settles_it_without_a_send,
        the_webhook_settles_it_too_where_a_lease_came_back_unbegun,
        who_was_sent_to_on_the_line_that_the_job_named_lives_there,
        a_clock_that_is_behind_the_backup_makes_nothing_sure,
        one_that_expires_meanwhile_ends_as_unknown_and_is_kept,
        what_waits_for_a_person_says_so_in_every_view,
        what_expired_without_a_line_can_be_requeued_and_goes_out_unsettled,
        a_conversation_that_never_had_a_line_has_none_when_its_job_expires_over_a_restart,
        a_restart_counts_no_message_that_nobody_counted,
        a_conversation_that_waited_for_a_line_that_its_job_named_goes_on_waiting_for_that,
        what_is_told_of_a_conversation_that_never_had_a_line_does_not_make_it_a_record,
    };
    return run_suite("core_backup", tests, sizeof tests / sizeof *tests);
}
