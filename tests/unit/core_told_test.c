/* core_told_test.c — a job that is told to be sent while a try of it is out: the request under way keeps its
 * conversation to itself, and what was told is not forgotten (DESIGN traps 10 and 12; promises P2, P4). */
#include "tests/unit/core_suite.h"

#define FAST_CONF  POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 0, attempts_max: 2")
#define LEASE_MS   60000
#define EXPIRES_MS 600000

static void answer(const struct effect *job, enum outcome outcome, bool unknown)
{
    struct core_result result = rig_result(job, outcome);
    result.unknown = unknown;
    result.retry_after_ms = outcome == OUTCOME_RETRY ? 0 : -1;
    rig_answer(rig, &result);
}

/* A job of unknown outcome (or, not `unknown`, one whose first try failed), tried again, and told meanwhile to be
 * sent. Another waits behind it. */
struct play {
    struct effect first, again;
    uint64_t next;
};

static void told_delivered(uint64_t number)
{
    const struct core_message_fact fact = {.token = 5,
                                           .event = ++rig->polls + (UINT64_C(1) << 41),
                                           .number = number,
                                           .message_hash = 99,
                                           .what = MESSAGE_DELIVERED};
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
}

static void told_by_a_person(uint64_t number)
{
    core_settle(rig->core, 5, number, true, (struct span){"{}", 2}, rig->now, &rig->out);
    rig_keep(rig);
}

static struct play begin_play(bool unknown, void (*tell)(uint64_t number))
{
    struct play play;
    begin_with(FAST_CONF, 2);
    rig_worker(rig, 1, 8);
    struct core_enqueue ask = job_known(0, 1, CLASS_TRANSACTIONAL);
    ask.expires_ms = rig->now.wall_ms + EXPIRES_MS;
    accepted(&ask);
    rig_tick(rig);
    play.first = rig_job_told(rig);
    answer(&play.first, OUTCOME_RETRY, unknown);
    rig_forget(rig);
    rig_pass(rig, 1);
    play.again = rig_job_told(rig);
    play.next = send_known(0, 1, CLASS_TRANSACTIONAL);
    tell(play.first.number);
    ck_job(play.first.number, JOB_LEASED, REASON_NONE);
    return play;
}

static void must_have_been_sent(const struct play *play)
{
    ck_assert_int_eq(rig_view(rig, play->first.number).state, JOB_NONE);
    ck_assert_str_eq(job_state_name(end_of(play->first.number).state), job_state_name(JOB_SENT));
    ck_assert_uint_eq(rig_records(rig, CHANGE_END, play->first.number, 0), 1);
    rig_pass(rig, 1);
    ck_job(play->next, JOB_LEASED, REASON_NONE);
}

static void restart_naming(const struct effect *again)
{
    struct core_ready ready = {
        .peer = 1, .instance = 1001, .slots = 8, .leases = &again->lease, .lease_count = 1, .worker = "w"};
    rig_restart(rig, 1000);
    core_worker_ready(rig->core, &ready, rig->now, &rig->out);
    rig_keep(rig);
}

static struct effect leased_new(uint64_t conversation)
{
    rig_send(rig, conversation, CLASS_TRANSACTIONAL);
    rig_tick(rig);
    return rig_job_told(rig);
}

/* As it comes back, whatever has passed meanwhile. */
static void comes_back(struct play play, enum outcome outcome, bool again_unknown, bool late, bool restarts)
{
    if (restarts)
        restart_naming(&play.again);
    if (late) {
        rig->now.wall_ms += EXPIRES_MS;
        rig_tick(rig);
    }
    answer(&play.again, outcome, again_unknown);
    must_have_been_sent(&play);
}

START_TEST(what_is_told_of_a_job_while_a_try_is_out_counts_when_that_comes_back)
{
    for (int i = 0; i < 8; i++) {
        bool unknown = (i & 1) != 0, late = (i & 2) != 0, restarts = (i & 4) != 0;
        if (unknown)
            comes_back(begin_play(true, told_delivered), OUTCOME_RETURNED, false, late, restarts);
        comes_back(begin_play(unknown, told_delivered), OUTCOME_RETRY, false, late, restarts);
        comes_back(begin_play(unknown, told_delivered), OUTCOME_RETRY, true, late, restarts);
        comes_back(begin_play(unknown, told_delivered), OUTCOME_REJECTED, false, late, restarts);
    }
}
END_TEST

START_TEST(what_a_person_says_was_sent_while_a_try_is_out_ends_when_that_comes_back)
{
    for (int i = 0; i < 4; i++) {
        bool late = (i & 1) != 0, restarts = (i & 2) != 0;
        comes_back(begin_play(true, told_by_a_person), OUTCOME_RETURNED, false, late, restarts);
        comes_back(begin_play(true, told_by_a_person), OUTCOME_RETRY, true, late, restarts);
        comes_back(begin_play(true, told_by_a_person), OUTCOME_REJECTED, false, late, restarts);
        comes_back(begin_play(true, told_by_a_person), OUTCOME_SENT, false, late, restarts);
    }
}
END_TEST

START_TEST(what_is_told_of_a_job_whose_try_lapses_counts)
{
    struct play play = begin_play(true, told_delivered);
    rig_pass(rig, LEASE_MS);
    must_have_been_sent(&play);
}
END_TEST

START_TEST(what_is_told_of_a_job_calls_back_a_try_that_is_not_needed_any_more)
{
    struct play play = begin_play(true, told_delivered);
    ck_assert_uint_eq(rig_count(rig, EFFECT_REVOKE), 1);
    ck_assert_uint_eq(rig_told(rig, EFFECT_REVOKE, 0)->lease, play.again.lease);
}
END_TEST

/* The request of the try under way keeps its conversation to itself, though the worker of the one before it says at
 * last that it was sent; where that is known, the chat is, too. */
START_TEST(a_late_sent_ends_nothing_while_another_try_is_under_way)
{
    for (int restarts = 0; restarts < 2; restarts++) {
        begin_with(FAST_CONF, 1);
        rig_worker(rig, 1, 8);
        struct effect first = leased_new(1);
        rig_pass(rig, LEASE_MS);
        struct effect again = rig_job_told(rig);
        uint64_t next = rig_send(rig, 1, CLASS_TRANSACTIONAL);
        struct core_result late = rig_result(&first, OUTCOME_SENT);
        late.chat_hash = 77;
        rig_answer(rig, &late);
        rig_pass(rig, 1);
        ck_job(first.number, JOB_LEASED, REASON_NONE);
        ck_assert_int_eq(rig_view(rig, next).state, JOB_QUEUED);
        if (restarts == 1)
            restart_naming(&again);
        answer(&again, OUTCOME_RETRY, true);
        ck_assert_str_eq(job_state_name(end_of(first.number).state), job_state_name(JOB_SENT));
        struct record_storage storage;
        struct change change;
        ck_assert(rig_last(rig, CHANGE_CONVERSATION, 1, &storage, &change));
        ck_assert_uint_eq(change.conversation.chat_hash, 77);
        struct conversation_view view;
        ck_assert(core_conversation_view(rig->core, 1, &view));
        ck_assert_uint_eq(view.streak, 1);
    }
}
END_TEST

/* Its RESULT may be on its way, and names the message. */
START_TEST(a_first_try_tells_by_itself)
{
    begin_with(FAST_CONF, 1);
    rig_worker(rig, 1, 8);
    uint64_t number = send_known(0, 1, CLASS_TRANSACTIONAL);
    rig_tick(rig);
    size_t records = rig_records(rig, CHANGE_TRY, number, 0);
    told_delivered(number);
    ck_assert_uint_eq(rig_count(rig, EFFECT_REVOKE), 0);
    ck_assert_uint_eq(rig_records(rig, CHANGE_TRY, number, 0), records);
    ck_job(number, JOB_LEASED, REASON_NONE);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        what_is_told_of_a_job_while_a_try_is_out_counts_when_that_comes_back,
        what_a_person_says_was_sent_while_a_try_is_out_ends_when_that_comes_back,
        what_is_told_of_a_job_whose_try_lapses_counts,
        what_is_told_of_a_job_calls_back_a_try_that_is_not_needed_any_more,
        a_late_sent_ends_nothing_while_another_try_is_under_way,
        a_first_try_tells_by_itself,
    };
    return run_suite("core_told", tests, sizeof tests / sizeof *tests);
}
