/* core_jobs_test.c — a job's life in the core: how it is accepted, ends, and that an end is an end (promise P7; PROTOCOL,
 * Producers). What is refused: core_refusals_test.c. */
#include <string.h>

#include "broker/core/job.h"
#include "broker/core/random.h"
#include "tests/unit/core_jobs_rig.h"

static uint64_t send_for_5_seconds(struct rig *rig)
{
    struct core_enqueue job = rig_job(100, CLASS_REPLY);
    job.expires_ms = rig->now.wall_ms + 5 * SECOND;
    return rig_enqueue(rig, &job).number;
}

/* ---- states ---- */

START_TEST(only_the_moves_of_the_contract_are_allowed)
{
    static const struct {
        enum job_state from;
        enum job_event event;
        enum job_state to;
    } moves[] = {
        {JOB_NONE, EV_ACCEPT, JOB_QUEUED},         {JOB_NONE, EV_ACCEPT_LATER, JOB_SCHEDULED},
        {JOB_SCHEDULED, EV_DUE, JOB_QUEUED},       {JOB_SCHEDULED, EV_EXPIRE, JOB_EXPIRED},
        {JOB_SCHEDULED, EV_CANCEL, JOB_CANCELLED}, {JOB_SCHEDULED, EV_SUPPRESS, JOB_SUPPRESSED},
        {JOB_QUEUED, EV_LEASE, JOB_LEASED},        {JOB_QUEUED, EV_SENT, JOB_SENT},
        {JOB_QUEUED, EV_GIVE_UP, JOB_FAILED},      {JOB_QUEUED, EV_EXPIRE, JOB_EXPIRED},
        {JOB_QUEUED, EV_CANCEL, JOB_CANCELLED},    {JOB_QUEUED, EV_SUPPRESS, JOB_SUPPRESSED},
        {JOB_LEASED, EV_SENT, JOB_SENT},           {JOB_LEASED, EV_RETRY, JOB_QUEUED},
        {JOB_LEASED, EV_RETURNED, JOB_QUEUED},     {JOB_LEASED, EV_LAPSE, JOB_QUEUED},
        {JOB_LEASED, EV_REJECTED, JOB_FAILED},     {JOB_LEASED, EV_SUPPRESS, JOB_SUPPRESSED},
    };
    for (unsigned from = 0; from < JOB_STATE_COUNT; from++) {
        for (unsigned event = 0; event < JOB_EVENTS; event++) {
            enum job_state to = JOB_NONE;
            for (size_t m = 0; m < sizeof moves / sizeof *moves; m++)
                if (moves[m].from == from && moves[m].event == event)
                    to = moves[m].to;
            struct job job = {.state = (uint8_t)(from & 15)};
            enum err err = job_apply(&job, (enum job_event)event);
            ck_assert_int_eq(err, to == JOB_NONE ? ERR_FORBIDDEN_MOVE : ERR_NONE);
            ck_assert_uint_eq(job.state, to == JOB_NONE ? from : (unsigned)to);
        }
    }
}
END_TEST

START_TEST(whatever_comes_after_the_end_changes_nothing)
{
    struct play *play = play_line(UNLIMITED);
    struct rig *rig = play->rig;
    uint64_t number = send_for_5_seconds(rig);
    struct effect job = lease_next(rig);
    rig_sent(rig, &job);
    size_t records = rig->record_count;
    answer(rig, &job, OUTCOME_REJECTED, false);
    answer(rig, &job, OUTCOME_RETRY, true);
    answer(rig, &job, OUTCOME_SENT, false);
    ck_assert_int_eq(cancel(rig, number), CODE_NOT_FOUND);
    core_lease_unsent(rig->core, job.lease, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_uint_eq(rig->record_count, records);
    rig_pass(rig, 10 * SECOND);
    ck_assert_uint_eq(rig_records(rig, CHANGE_END, number, 0), 1);
    ck_assert_uint_eq(totals(rig).sent_total, 1);
    ck_assert_uint_eq(totals(rig).jobs, 0);
    play_free(&play);
}
END_TEST

/* ---- producer ids ---- */

/* covers: field id; code id_conflict */
START_TEST(a_repeated_id_is_the_same_job_and_another_content_a_conflict)
{
    struct play *play = play_line(UNLIMITED);
    struct rig *rig = play->rig;
    struct core_enqueue job = with_id(100, 55, 66);
    struct core_enqueue other = with_id(100, 55, 67);
    struct effect first = rig_enqueue(rig, &job);
    ck_assert(!first.duplicate);
    size_t records = rig->record_count;
    struct effect again = rig_enqueue(rig, &job);
    ck_assert(again.duplicate);
    ck_assert_int_eq(again.code, CODE_NONE);
    ck_assert_uint_eq(again.number, first.number);
    ck_assert_int_eq(again.state, JOB_QUEUED);
    struct effect conflict = rig_enqueue(rig, &other);
    ck_assert_int_eq(conflict.code, CODE_ID_CONFLICT);
    ck_assert_str_eq(conflict.field, "id");
    ck_assert_uint_eq(rig->record_count, records);

    play_for(play, 0);
    ck_assert_uint_eq(play->count, 1);
    again = rig_enqueue(rig, &job); /* final: the history knows how */
    ck_assert(again.duplicate);
    ck_assert_uint_eq(again.number, first.number);
    ck_assert_int_eq(again.state, JOB_NONE);
    ck_assert_uint_eq(core_job_by_id(rig->core, 55), first.number);
    play_free(&play);
}
END_TEST

/* covers: key store.dedupe_window_h */
START_TEST(an_id_is_remembered_for_its_window_after_the_jobs_end)
{
    struct rig_options options = {.conf = "accounts:\n  default: {api_key_file: key}\n"
                                          "store: {dedupe_window_h: 1}\n"};
    struct play *play = play_new(&options);
    struct rig *rig = play->rig;
    struct core_enqueue job = with_id(100, 55, 66);
    uint64_t number = rig_enqueue(rig, &job).number;
    play_for(play, 10 * HOUR); /* no line: it lives far beyond the window */
    ck_assert(rig_enqueue(rig, &job).duplicate);
    ck_assert_int_eq(cancel(rig, number), CODE_NONE);
    play_for(play, HOUR);
    struct effect answer_then = rig_enqueue(rig, &job);
    ck_assert(answer_then.duplicate);
    ck_assert_uint_eq(answer_then.number, number);
    play_for(play, 5 * HOUR);
    answer_then = rig_enqueue(rig, &job);
    ck_assert(!answer_then.duplicate);
    ck_assert_uint_ne(answer_then.number, number);
    play_free(&play);
}
END_TEST

/* Its window was over when the later job took it, so it protects that one, over a restart too. */
START_TEST(an_id_that_is_used_again_after_its_window_is_the_later_jobs_after_a_restart)
{
    struct rig_options options = {.conf = "accounts:\n  default: {api_key_file: key}\n"
                                          "store: {dedupe_window_h: 1}\n"};
    struct play *play = play_new(&options);
    struct rig *rig = play->rig;
    struct core_enqueue first = with_id(100, 55, 66);
    struct core_enqueue later = with_id(100, 55, 67);
    ck_assert_int_eq(cancel(rig, rig_enqueue(rig, &first).number), CODE_NONE);
    play_for(play, 5 * HOUR);
    struct effect answer = rig_enqueue(rig, &later); /* no line: it waits */
    ck_assert_int_eq(answer.code, CODE_NONE);
    ck_assert(!answer.duplicate);
    rig_restart(rig, 1000);
    for (int days = 0; days < 2; days++) {
        struct effect again = rig_enqueue(rig, &later);
        ck_assert_int_eq(again.code, CODE_NONE);
        ck_assert(again.duplicate);
        ck_assert_uint_eq(again.number, answer.number);
        play_for(play, 24 * HOUR);
    }
    play_free(&play);
}
END_TEST

/* As long a window as this one has more hours than there are marks for. */
START_TEST(an_id_is_forgotten_after_a_window_of_weeks_too)
{
    struct rig_options options = {.conf = "accounts:\n  default: {api_key_file: key}\n"
                                          "store: {dedupe_window_h: 500}\n"};
    struct play *play = play_new(&options);
    struct rig *rig = play->rig;
    struct core_enqueue job = with_id(100, 55, 66);
    job.expires_ms = 1;
    rig_enqueue(rig, &job);
    for (uint64_t hour = 0; hour < 1100; hour++) { /* the window, and once more: when it ended is not known */
        struct core_enqueue other = with_id(101, 1000 + hour, 66);
        other.expires_ms = 1;
        rig_enqueue(rig, &other);
        play_for(play, HOUR);
        if (hour == 500)
            ck_assert(rig_enqueue(rig, &job).duplicate);
    }
    ck_assert(!rig_enqueue(rig, &job).duplicate);
    play_free(&play);
}
END_TEST

/* Its record lies in the journal for as long as nothing cleans it there. */
START_TEST(an_id_that_was_forgotten_is_not_remembered_again_by_a_restart)
{
    struct rig_options options = {.conf = "accounts:\n  default: {api_key_file: key}\n"
                                          "store: {dedupe_window_h: 2}\n"};
    struct play *play = play_new(&options);
    struct rig *rig = play->rig;
    struct core_enqueue weekly = with_id(100, 55, 66), long_lived = with_id(101, 56, 66);
    uint64_t waits = rig_enqueue(rig, &long_lived).number;
    ck_assert_int_eq(cancel(rig, rig_enqueue(rig, &weekly).number), CODE_NONE);
    play_for(play, 10 * HOUR);
    ck_assert_int_eq(cancel(rig, waits), CODE_NONE);
    play_for(play, HOUR);
    rig_restart(rig, 1000);
    rig_tick(rig);
    ck_assert(rig_enqueue(rig, &long_lived).duplicate); /* it has ended an hour ago */
    struct effect again = rig_enqueue(rig, &weekly);
    ck_assert_int_eq(again.code, CODE_NONE);
    ck_assert(!again.duplicate);
    play_for(play, 5 * HOUR);
    ck_assert(rig_enqueue(rig, &weekly).duplicate); /* that one waits */
    ck_assert(!rig_enqueue(rig, &long_lived).duplicate);
    play_free(&play);
}
END_TEST

/* It lives again from the requeue on, and its window begins when that life has ended: however long the one before has, and
 * with a start before or after. */
START_TEST(the_id_of_a_requeued_job_is_remembered_for_its_window_after_its_last_end)
{
    for (int starts = 0; starts < 3; starts++) {
        struct rig_options options = {.conf = "accounts:\n  default: {api_key_file: key}\n"
                                              "store: {dedupe_window_h: 4}\n"};
        struct play *play = play_new(&options);
        struct rig *rig = play->rig;
        struct core_enqueue job = with_id(100, 55, 66);
        uint64_t number = rig_enqueue(rig, &job).number;
        ck_assert_int_eq(cancel(rig, number), CODE_NONE);
        play_for(play, starts == 0 ? 7 * HOUR : 3 * HOUR);
        if (starts == 1)
            rig_restart(rig, 1000);
        const struct core_requeue letter = {.number = number, .mark = core_requeue_mark(rig->core), .job = job};
        ck_assert_int_eq(core_requeue(rig->core, &letter, false, rig->now, &rig->out), CODE_NONE);
        rig_keep(rig);
        if (starts == 2)
            rig_restart(rig, 1000);
        play_for(play, HOUR / 2);
        ck_assert_int_eq(cancel(rig, number), CODE_NONE);
        for (int quarters = 0; quarters < 15; quarters++) {
            play_for(play, HOUR / 4);
            struct effect again = rig_enqueue(rig, &job);
            ck_assert(again.duplicate);
            ck_assert_uint_eq(again.number, number);
        }
        play_free(&play);
    }
}
END_TEST

/* The job that it was exported from says `cancelled` as long as its history is there, so whoever imports it again then must
 * be told that it was, however short the window is and whatever starts in between. */
START_TEST(the_id_of_an_import_is_remembered_while_the_history_of_the_exported_job_is_there)
{
    for (int starts = 0; starts < 2; starts++) {
        struct rig_options options = {.conf = "accounts:\n  default: {api_key_file: key}\n"
                                              "store: {dedupe_window_h: 1, history_retention_h: 20}\n"};
        struct play *play = play_new(&options);
        struct rig *rig = play->rig;
        struct core_enqueue job = with_id(100, 55, 66);
        job.exported = true;
        uint64_t number = rig_enqueue(rig, &job).number;
        ck_assert_int_eq(cancel(rig, number), CODE_NONE);
        for (int hours = 0; hours < 39; hours += 3) {
            play_for(play, 3 * HOUR);
            if (starts > 0 && hours % 9 == 0)
                rig_restart(rig, 1000);
            struct effect again = rig_enqueue(rig, &job);
            ck_assert_msg(again.duplicate, "%d hours later it is another job", hours + 3);
            ck_assert_uint_eq(again.number, number);
        }
        play_for(play, 5 * HOUR); /* and not for ever */
        ck_assert(!rig_enqueue(rig, &job).duplicate);
        play_free(&play);
    }
}
END_TEST

/* ---- expiry ---- */

START_TEST(a_job_that_is_past_its_expiry_is_accepted_and_expired)
{
    struct play *play = play_line(UNLIMITED);
    struct rig *rig = play->rig;
    struct core_enqueue job = rig_job(100, CLASS_REPLY);
    job.expires_ms = rig->now.wall_ms;
    struct effect answer_then = rig_enqueue(rig, &job);
    ck_assert_int_eq(answer_then.code, CODE_NONE);
    ck_assert_int_eq(answer_then.state, JOB_EXPIRED);
    play_for(play, MINUTE);
    ck_assert_uint_eq(play->count, 0);
    ck_assert_uint_eq(totals(rig).expired_total, 1);
    ck_assert_uint_eq(rig_records(rig, CHANGE_END, answer_then.number, 0), 1);
    play_free(&play);
}
END_TEST

/* covers: field expires_at; state expired */
START_TEST(no_job_is_leased_at_or_after_its_expiry_and_each_ends_once)
{
    enum { JOBS = 400 };
    static int64_t expires[JOBS];
    struct play *play = play_line("pace_per_min: 120, daily_messages: 0, new_conversations_per_day: 0");
    struct rig *rig = play->rig;
    uint64_t random = 3;
    uint64_t first = 0;
    for (unsigned i = 0; i < JOBS; i++) {
        struct core_enqueue job =
            rig_job(100 + random_next(&random) % 80, (enum job_class)(random_next(&random) % 4));
        expires[i] = job.expires_ms = rig->now.wall_ms + 1 + (int64_t)(random_next(&random) % (5 * MINUTE));
        if (random_next(&random) % 4 == 0)
            job.due_ms = rig->now.wall_ms + (int64_t)(random_next(&random) % (4 * MINUTE));
        uint64_t number = rig_enqueue(rig, &job).number;
        first = i == 0 ? number : first;
    }
    uint64_t end_ms = (uint64_t)rig->now.wall_ms + 6 * MINUTE;
    while ((uint64_t)rig->now.wall_ms < end_ms) { /* uneven ticks: timers may be late */
        rig->now.wall_ms += 700;
        rig->now.mono_ms += 700;
        rig_beat(rig, 1);
        play_for(play, 1);
    }
    for (size_t i = 0; i < play->count; i++) /* job numbers count up above bit 25 */
        for (unsigned j = 0; j < JOBS; j++)
            MUST((play->sends[i].number >> 25) != (first >> 25) + j || play->sends[i].wall_ms < expires[j]);
    ck_assert_uint_gt(play->count, 100);
    ck_assert_uint_eq(totals(rig).sent_total, play->count);
    ck_assert_uint_eq(totals(rig).expired_total, JOBS - play->count);
    ck_assert_uint_eq(rig_records(rig, CHANGE_END, 0, 0), JOBS);
    play_free(&play);
}
END_TEST

START_TEST(more_expiries_at_once_than_a_tick_takes_let_nothing_slip_through)
{
    enum { JOBS = 6000 };
    struct play *play = play_line(UNLIMITED);
    struct rig *rig = play->rig;
    uint64_t pause = rig_pause(rig, PAUSE_ALL, 0, 0);
    struct core_enqueue job = rig_job(0, CLASS_REPLY);
    job.expires_ms = rig->now.wall_ms + 500;
    for (unsigned i = 0; i < JOBS; i++) {
        job.conversation = 100 + i;
        rig_enqueue(rig, &job);
    }
    rig->now.wall_ms += 500;
    rig->now.mono_ms += 500;
    ck_assert_int_eq(rig_resume(rig, PAUSE_ALL, 0, pause), CODE_NONE);
    play_for(play, SECOND);
    ck_assert_uint_eq(play->count, 0);
    ck_assert_uint_eq(totals(rig).expired_total, JOBS);
    play_free(&play);
}
END_TEST

START_TEST(a_leased_job_expires_only_when_it_comes_back_unsent)
{
    static const struct {
        enum outcome outcome;
        bool unknown;
        unsigned sent, expired, failed;
    } cases[] = {{OUTCOME_SENT, false, 1, 0, 0},
                 {OUTCOME_RETRY, false, 0, 1, 0},
                 {OUTCOME_RETURNED, false, 0, 1, 0},
                 {OUTCOME_RETRY, true, 0, 0, 1}}; /* unknown: it may have been sent, so it is no expiry */
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct play *play = play_line(UNLIMITED);
        struct rig *rig = play->rig;
        uint64_t number = send_for_5_seconds(rig);
        struct effect job = lease_next(rig);
        rig_pass(rig, 10 * SECOND);
        ck_assert_int_eq(rig_view(rig, number).state, JOB_LEASED);
        answer(rig, &job, cases[c].outcome, cases[c].unknown);
        struct core_status status = totals(rig);
        ck_assert_uint_eq(status.sent_total, cases[c].sent);
        ck_assert_uint_eq(status.expired_total, cases[c].expired);
        ck_assert_uint_eq(status.failed_total, cases[c].failed);
        ck_assert_uint_eq(status.jobs, 0);
        play_free(&play);
    }
}
END_TEST

/* ---- cancelling ---- */

START_TEST(a_waiting_job_is_cancelled_at_once_wherever_it_stands)
{
    struct play *play = play_policy(UNLIMITED);
    struct rig *rig = play->rig;
    uint64_t numbers[4];
    for (unsigned i = 0; i < 3; i++)
        numbers[i] = rig_send(rig, 100, CLASS_TRANSACTIONAL);
    struct core_enqueue later = rig_job(100, CLASS_REPLY);
    later.due_ms = rig->now.wall_ms + MINUTE;
    numbers[3] = rig_enqueue(rig, &later).number;
    ck_assert_int_eq(cancel(rig, numbers[1]), CODE_NONE);
    ck_assert_int_eq(cancel(rig, numbers[0]), CODE_NONE);
    ck_assert_int_eq(cancel(rig, numbers[3]), CODE_NONE);
    ck_assert_int_eq(cancel(rig, numbers[3]), CODE_NOT_FOUND);
    ck_assert_int_eq(cancel(rig, 0), CODE_NOT_FOUND);
    ck_assert_int_eq(cancel(rig, UINT64_MAX), CODE_NOT_FOUND);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    play_for(play, 2 * MINUTE);
    ck_assert_uint_eq(play->count, 1);
    ck_assert_uint_eq(play->sends[0].number, numbers[2]);
    ck_assert_uint_eq(totals(rig).cancelled_total, 3);
    play_free(&play);
}
END_TEST

START_TEST(a_leased_job_is_revoked_and_cancelled_only_if_it_was_surely_not_sent)
{
    static const struct {
        enum outcome outcome;
        unsigned sent, cancelled;
    } cases[] = {{OUTCOME_RETURNED, 0, 1}, {OUTCOME_RETRY, 0, 1}, {OUTCOME_SENT, 1, 0}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct play *play = play_line(UNLIMITED);
        struct rig *rig = play->rig;
        uint64_t number = rig_send(rig, 100, CLASS_REPLY);
        struct effect job = lease_next(rig);
        ck_assert_int_eq(cancel(rig, number), CODE_NONE);
        ck_assert_uint_eq(rig_told(rig, EFFECT_REVOKE, 0)->lease, job.lease);
        ck_assert_int_eq(rig_view(rig, number).state, JOB_LEASED);
        ck_assert(rig_view(rig, number).cancel_asked);
        answer(rig, &job, cases[c].outcome, false);
        ck_assert_uint_eq(totals(rig).sent_total, cases[c].sent);
        ck_assert_uint_eq(totals(rig).cancelled_total, cases[c].cancelled);
        play_free(&play);
    }
}
END_TEST

START_TEST(an_unsettled_job_is_not_cancelled_by_asking)
{
    struct play *play = play_line(UNLIMITED);
    struct rig *rig = play->rig;
    uint64_t number = rig_send(rig, 100, CLASS_REPLY);
    struct effect job = lease_next(rig);
    answer(rig, &job, OUTCOME_RETRY, true);
    ck_assert_int_eq(cancel(rig, number), CODE_NONE);
    struct job_view view = rig_view(rig, number);
    ck_assert_int_eq(view.state, JOB_QUEUED);
    ck_assert(view.cancel_asked && view.unsettled);
    play_for(play, MINUTE); /* the same key again tells what became of it */
    ck_assert_uint_eq(totals(rig).sent_total, 1);
    ck_assert_uint_eq(totals(rig).cancelled_total, 0);
    play_free(&play);
}
END_TEST

/* ---- send_after ---- */

/* covers: field send_after; state scheduled */
START_TEST(a_scheduled_job_takes_its_place_where_it_falls_due)
{
    struct play *play = play_line(UNLIMITED);
    struct rig *rig = play->rig;
    uint64_t pause = rig_pause(rig, PAUSE_ALL, 0, 0);
    struct core_enqueue job = rig_job(100, CLASS_TRANSACTIONAL);
    uint64_t order[4];
    job.due_ms = rig->now.wall_ms + 30 * SECOND;
    order[3] = rig_enqueue(rig, &job).number;
    job.due_ms = rig->now.wall_ms + 10 * SECOND;
    struct effect later = rig_enqueue(rig, &job);
    order[1] = later.number;
    ck_assert_int_eq(later.state, JOB_SCHEDULED);
    ck_assert_int_eq(later.reason, REASON_NOT_YET_DUE);
    order[0] = rig_send(rig, 100, CLASS_TRANSACTIONAL);
    rig_pass(rig, 10 * SECOND - 1);
    ck_assert_int_eq(rig_view(rig, order[1]).state, JOB_SCHEDULED);
    rig_pass(rig, 1);
    ck_assert_int_eq(rig_view(rig, order[1]).state, JOB_QUEUED);
    rig_pass(rig, 10 * SECOND);
    order[2] = rig_send(rig, 100, CLASS_TRANSACTIONAL);
    rig_pass(rig, 20 * SECOND);
    rig_restart(rig, SECOND); /* the order is durable */
    rig_worker(rig, 1, 8);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    ck_assert_int_eq(rig_resume(rig, PAUSE_ALL, 0, pause), CODE_NONE);
    play_for(play, 0);
    ck_assert_uint_eq(play->count, 4);
    for (unsigned i = 0; i < 4; i++)
        ck_assert_uint_eq(play->sends[i].number, order[i]);
    play_free(&play);
}
END_TEST

START_TEST(a_moment_that_is_past_schedules_nothing)
{
    struct play *play = play_line(UNLIMITED);
    struct core_enqueue job = rig_job(100, CLASS_TRANSACTIONAL);
    job.due_ms = play->rig->now.wall_ms;
    ck_assert_int_eq(rig_enqueue(play->rig, &job).state, JOB_QUEUED);
    play_for(play, 0);
    ck_assert_uint_eq(play->count, 1);
    play_free(&play);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("core_jobs");
    TCase *tcase = tcase_create("core_jobs");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, only_the_moves_of_the_contract_are_allowed);
    tcase_add_test(tcase, whatever_comes_after_the_end_changes_nothing);
    tcase_add_test(tcase, a_repeated_id_is_the_same_job_and_another_content_a_conflict);
    tcase_add_test(tcase, an_id_is_remembered_for_its_window_after_the_jobs_end);
    tcase_add_test(tcase, an_id_that_is_used_again_after_its_window_is_the_later_jobs_after_a_restart);
    tcase_add_test(tcase, an_id_is_forgotten_after_a_window_of_weeks_too);
    tcase_add_test(tcase, an_id_that_was_forgotten_is_not_remembered_again_by_a_restart);
    tcase_add_test(tcase, the_id_of_a_requeued_job_is_remembered_for_its_window_after_its_last_end);
    tcase_add_test(tcase, the_id_of_an_import_is_remembered_while_the_history_of_the_exported_job_is_there);
    tcase_add_test(tcase, a_job_that_is_past_its_expiry_is_accepted_and_expired);
    tcase_add_test(tcase, no_job_is_leased_at_or_after_its_expiry_and_each_ends_once);
    tcase_add_test(tcase, more_expiries_at_once_than_a_tick_takes_let_nothing_slip_through);
    tcase_add_test(tcase, a_leased_job_expires_only_when_it_comes_back_unsent);
    tcase_add_test(tcase, a_waiting_job_is_cancelled_at_once_wherever_it_stands);
    tcase_add_test(tcase, a_leased_job_is_revoked_and_cancelled_only_if_it_was_surely_not_sent);
    tcase_add_test(tcase, an_unsettled_job_is_not_cancelled_by_asking);
    tcase_add_test(tcase, a_scheduled_job_takes_its_place_where_it_falls_due);
    tcase_add_test(tcase, a_moment_that_is_past_schedules_nothing);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
