/* core_backup_end_test.c — what becomes of a restored backup's jobs and their conversations: the provider's and a person's
 * word, expiry, requeue, and what the views say of them until then. */
#include "tests/unit/core_backup_rig.h"

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

/* A job waited in a conversation that nobody had written to, for any line (0) or for that one. Its end is not known. */
static uint64_t expire_unknown(uint64_t from)
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
    return number;
}

static void expire_unplaced(uint64_t from)
{
    expire_unknown(from);
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
    expire_unknown(0);
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

START_TEST(what_expired_without_a_line_can_be_requeued_and_goes_out_unsettled)
{
    uint64_t number = expire_unknown(0);
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
        the_webhook_that_echoes_the_key_settles_it_without_a_send,
        the_webhook_settles_it_too_where_a_lease_came_back_unbegun,
        who_was_sent_to_on_the_line_that_the_job_named_lives_there,
        one_that_expires_meanwhile_ends_as_unknown_and_is_kept,
        a_conversation_that_never_had_a_line_has_none_when_its_job_expires_over_a_restart,
        a_restart_counts_no_message_that_nobody_counted,
        a_conversation_that_waited_for_a_line_that_its_job_named_goes_on_waiting_for_that,
        what_is_told_of_a_conversation_that_never_had_a_line_does_not_make_it_a_record,
        what_expired_without_a_line_can_be_requeued_and_goes_out_unsettled,
        what_waits_for_a_person_says_so_in_every_view,
    };
    return run_suite("core_backup_end", tests, sizeof tests / sizeof *tests);
}
