/* core_leave_pin_test.c — a job that names a line keeps its conversation waiting for that, and no longer than it lives
 * (promises P2, P5). */
#include "tests/unit/core_move_rig.h"

/* Its record still says line 0. Found by the simulation, seed 73 of its day. */
START_TEST(a_conversation_that_left_and_is_pinned_elsewhere_stays_pinned_there_over_a_restart)
{
    begin(MOVES_CONF);
    left_line_0(1);
    struct core_enqueue pinned = rig_job(1, CLASS_REPLY);
    pinned.from_line = RIG_LINE + 1;
    uint64_t number = rig_enqueue(rig, &pinned).number;
    ck_assert_uint_eq(rig_view(rig, number).line, RIG_LINE + 1);
    rig_restart(rig, 1000);
    ck_assert_uint_eq(rig_view(rig, number).line, RIG_LINE + 1);
}
END_TEST

static void chat_is(uint64_t chat_hash, enum chat_health health)
{
    struct core_message_fact fact = {.token = 3,
                                     .event = ++rig->polls + 5000,
                                     .chat_hash = chat_hash,
                                     .line = RIG_LINE,
                                     .has_health = true,
                                     .health = health};
    fact.what = MESSAGE_CHAT;
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
    rig_forget(rig);
}

/* Its chat is on line 0 still, and what is said of it counts. Found by the simulation, seed 39132. */
START_TEST(a_conversation_that_left_and_is_pinned_elsewhere_hears_of_its_chat)
{
    begin(MOVES_CONF);
    struct effect job = leased_on(0, 1);
    rig_sent(rig, &job); /* in the chat that the rig makes of the number */
    rig_forget(rig);
    told_service(SERVICE_FLAGGED);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    rig_send(rig, 1, CLASS_TRANSACTIONAL);
    rig_tick(rig);
    chat_is(job.number * 31 + 7, CHAT_CRITICAL);
    struct core_enqueue pinned = rig_job(1, CLASS_REPLY);
    pinned.from_line = RIG_LINE + 1;
    uint64_t number = rig_enqueue(rig, &pinned).number;
    rig_resume(rig, PAUSE_ALL, 0, 0);
    rig_tick(rig);
    ck_job(number, JOB_QUEUED, REASON_CONVERSATION_CRITICAL);
    rig->now.wall_ms += 2000;
    chat_is(job.number * 31 + 7, CHAT_HEALTHY);
    struct effect next = leased();
    ck_assert_uint_eq(next.number, number);
    ck_assert_uint_eq(line_of(&next), RIG_LINE + 1);
}
END_TEST

static void cancel(uint64_t number)
{
    core_cancel(rig->core, 1, 0, number, rig->now, &rig->out);
    rig_keep(rig);
}

/* It waits for that line no longer than a job names it: then for any, as before, and with no chat. */
START_TEST(a_conversation_that_left_and_was_pinned_elsewhere_belongs_to_the_pool_when_that_job_has_ended)
{
    enum { PLAIN, RESTART_PINNED, CHAT_HEARD, HEARD_AND_RESTART, RESTART_FREE, KINDS };
    for (int kind = 0; kind < KINDS; kind++) {
        for (uint32_t to = 1; to <= 2; to++) {
            begin(MOVES_CONF);
            struct effect job = leased_on(0, 1);
            rig_sent(rig, &job);
            rig_pause(rig, PAUSE_ALL, 0, 0);
            uint64_t waits = rig_send(rig, 1, CLASS_TRANSACTIONAL);
            told_service(SERVICE_FLAGGED);
            rig_tick(rig);
            struct core_enqueue pinned = rig_job(1, CLASS_REPLY);
            pinned.from_line = RIG_LINE + 1;
            uint64_t number = accepted(&pinned);
            if (kind == CHAT_HEARD || kind == HEARD_AND_RESTART)
                chat_is(job.number * 31 + 7, CHAT_HEALTHY);
            if (kind == RESTART_PINNED || kind == HEARD_AND_RESTART)
                come_back();
            ck_assert_uint_eq(rig_view(rig, waits).line, RIG_LINE + 1);
            cancel(number);
            if (kind == RESTART_FREE)
                come_back();
            ck_assert_uint_eq(rig_view(rig, waits).line, 0);
            cordon_all_but(to, true);
            rig_resume(rig, PAUSE_ALL, 0, 0);
            rig_forget(rig);
            struct effect next = leased();
            ck_assert_uint_eq(next.number, waits);
            ck_assert_uint_eq(line_of(&next), RIG_LINE + to);
            ck_assert(!has_chat_record(1));
            come_back(); /* it never began */
            rig_worker(rig, 1, 8);
            ck_assert(!has_chat_record(1));
        }
    }
}
END_TEST

static uint64_t send_named(uint64_t conversation)
{
    struct core_enqueue job = rig_job(conversation, CLASS_TRANSACTIONAL);
    job.from_line = RIG_LINE;
    return accepted(&job);
}

static uint64_t send_later(uint64_t conversation, int64_t in_ms)
{
    struct core_enqueue job = rig_job(conversation, CLASS_TRANSACTIONAL);
    job.due_ms = rig->now.wall_ms + in_ms;
    return accepted(&job);
}

START_TEST(what_named_its_line_once_leaves_a_flagged_line_like_any)
{
    begin(MOVES_CONF);
    uint64_t named = send_named(1);
    ck_assert_uint_eq(next_sent(), named);
    uint64_t later = send_later(1, 5000);
    told_service(SERVICE_FLAGGED);
    uint64_t waits = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    rig_pass(rig, 1000);
    ck_assert_uint_ne(rig_view(rig, waits).line, RIG_LINE);
    rig_pass(rig, 5000);
    ck_assert_uint_ne(rig_view(rig, later).line, RIG_LINE);
}
END_TEST

START_TEST(what_waits_behind_a_cancelled_job_that_named_a_line_belongs_to_the_pool)
{
    begin(FREE_CONF);
    told(REPUTATION_CRITICAL);
    uint64_t named = send_named(1), other = send_named(1), waits = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    cancel(named);
    rig_tick(rig);
    ck_job(waits, JOB_QUEUED, REASON_LINE_CRITICAL); /* one that names it is left */
    cancel(other);
    rig_tick(rig);
    ck_job(waits, JOB_LEASED, REASON_NONE);
    ck_assert_uint_ne(rig_view(rig, waits).line, RIG_LINE);
    ck_assert_uint_eq(rig_line(rig, 0).backlog_held, 0);
}
END_TEST

/* The job that names line 1 is cancelled, and nobody else ever said that they should wait for that. */
START_TEST(what_left_and_waits_behind_a_cancelled_job_that_named_a_line_belongs_to_the_pool)
{
    for (int restarts = 0; restarts < 3; restarts++) {
        begin(MOVES_CONF);
        left_line_0(1);
        rig_tell(rig, 1, REPUTATION_CRITICAL, rig->now.wall_ms);
        uint64_t waits = rig_send(rig, 1, CLASS_TRANSACTIONAL);
        struct core_enqueue pinned = rig_job(1, CLASS_REPLY);
        pinned.from_line = RIG_LINE + 1;
        uint64_t named = accepted(&pinned);
        ck_assert_uint_eq(rig_view(rig, waits).line, RIG_LINE + 1);
        cancel(named);
        ck_assert_uint_eq(rig_view(rig, waits).line, 0);
        if (restarts == 1)
            rig_restart(rig, 1000);
        rig_resume(rig, PAUSE_ALL, 0, 0);
        rig_worker(rig, 1, 8);
        struct effect job = leased();
        ck_assert_uint_eq(line_of(&job), RIG_LINE + 2);
        ck_assert(!has_chat_record(1)); /* the chat was line 0's */
        if (restarts == 2)
            rig_restart(rig, 1000);
        ck_assert_uint_eq(rig_view(rig, job.number).line, RIG_LINE + 2);
    }
}
END_TEST

START_TEST(what_falls_due_after_the_job_that_named_a_line_belongs_to_the_pool)
{
    begin(FREE_CONF);
    told(REPUTATION_CRITICAL);
    uint64_t named = send_named(1), later = send_later(1, 5000);
    cancel(named);
    rig_pass(rig, 6000);
    rig_tick(rig);
    ck_assert_uint_ne(rig_view(rig, later).line, RIG_LINE);
    ck_assert_int_eq(rig_view(rig, later).state, JOB_LEASED);
}
END_TEST

START_TEST(what_is_to_fail_on_its_line_fails_though_it_named_none)
{
    begin(FREE_CONF);
    told(REPUTATION_CRITICAL);
    uint64_t named = send_named(1), waits = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    ck_assert_int_eq(drain(0, DRAIN_FAIL, 0), CODE_NONE);
    rig_pass(rig, 1000);
    ck_assert_int_eq(end_of(named).state, JOB_FAILED);
    ck_assert_int_eq(end_of(waits).state, JOB_FAILED);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_conversation_that_left_and_is_pinned_elsewhere_stays_pinned_there_over_a_restart,
        a_conversation_that_left_and_is_pinned_elsewhere_hears_of_its_chat,
        a_conversation_that_left_and_was_pinned_elsewhere_belongs_to_the_pool_when_that_job_has_ended,
        what_named_its_line_once_leaves_a_flagged_line_like_any,
        what_waits_behind_a_cancelled_job_that_named_a_line_belongs_to_the_pool,
        what_left_and_waits_behind_a_cancelled_job_that_named_a_line_belongs_to_the_pool,
        what_falls_due_after_the_job_that_named_a_line_belongs_to_the_pool,
        what_is_to_fail_on_its_line_fails_though_it_named_none,
    };
    return run_suite("core_leave_pin", tests, sizeof tests / sizeof *tests);
}
