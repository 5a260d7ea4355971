/* A job's life in the core: what is accepted and what is refused, how it ends, and that an end is an end (promise P7;
 * PROTOCOL, Producers). */
#include <string.h>

#include "broker/core/job.h"
#include "broker/core/random.h"
#include "broker/core/suppression.h"
#include "tests/support/core_play.h"
#include "tests/support/suite.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

#define UNLIMITED "pace_per_min: 0, daily_messages: 0, new_conversations_per_day: 0"

static struct play *play_line(const char *policy)
{
    struct play *play = play_policy(policy);
    rig_poll_all(play->rig, 1, REPUTATION_HEALTHY);
    return play;
}

static enum code cancel(struct rig *rig, uint64_t number)
{
    core_cancel(rig->core, 1, 0, number, rig->now, &rig->out);
    enum code code = CODE_COUNT;
    for (size_t i = 0; i < rig->out.effect_count; i++)
        if (rig->out.effects[i].kind == EFFECT_CANCELLED)
            code = rig->out.effects[i].code;
    rig_keep(rig);
    return code;
}

static struct core_status totals(struct rig *rig)
{
    struct core_status status;
    core_status_read(rig->core, rig->now, &status);
    return status;
}

static uint64_t send_for_5_seconds(struct rig *rig)
{
    struct core_enqueue job = rig_job(100, CLASS_REPLY);
    job.expires_ms = rig->now.wall_ms + 5 * SECOND;
    return rig_enqueue(rig, &job).number;
}

/* The one job that may go is leased. */
static struct effect lease_next(struct rig *rig)
{
    rig_tick(rig);
    return rig_job_told(rig);
}

static void answer(struct rig *rig, const struct effect *job, enum outcome outcome, bool unknown)
{
    struct core_result result = rig_result(job, outcome);
    result.unknown = unknown;
    rig_answer(rig, &result);
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

static struct core_enqueue with_id(uint64_t conversation, uint64_t id, uint64_t content)
{
    struct core_enqueue job = rig_job(conversation, CLASS_TRANSACTIONAL);
    job.id_hash = id;
    job.content_hash = content;
    return job;
}

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

/* ---- refusals ---- */

/* Refused with that code and field, and nothing remembers it. */
static void refused(struct rig *rig, const struct core_enqueue *job, bool store_full, enum code code,
                    const char *field)
{
    size_t records = rig->record_count;
    uint64_t conversations = totals(rig).conversations;
    struct core_enqueue asked = *job;
    asked.id_hash = 987;
    core_enqueue(rig->core, &asked, store_full, rig->now, &rig->out);
    struct effect told = rig->out.effects[rig->out.effect_count - 1];
    rig_keep(rig);
    ck_assert_int_eq(told.kind, EFFECT_ENQUEUED);
    ck_assert_int_eq(told.code, code);
    ck_assert(field == NULL ? told.field == NULL : told.field != NULL && strcmp(told.field, field) == 0);
    ck_assert_uint_eq(rig->record_count, records);
    ck_assert_uint_eq(totals(rig).conversations, conversations);
    ck_assert_uint_eq(core_job_by_id(rig->core, 987), 0);
}

/* covers: field if_held; code held */
START_TEST(if_held_fail_refuses_what_would_be_held_and_takes_what_only_waits)
{
    struct play *play = play_policy("pace_per_min: 1, daily_messages: 0, new_conversations_per_day: 0");
    struct rig *rig = play->rig;
    struct core_enqueue fresh = rig_job(100, CLASS_REPLY);
    fresh.fail_if_held = true;
    refused(rig, &fresh, false, CODE_HELD, "if_held"); /* no line */
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    ck_assert_int_eq(rig_enqueue(rig, &fresh).code, CODE_NONE);
    play_for(play, 0);
    ck_assert_uint_eq(play->count, 1);
    struct effect paced = rig_enqueue(rig, &fresh);
    ck_assert_int_eq(paced.code, CODE_NONE);
    ck_assert_int_eq(paced.reason, REASON_PACE);
    uint64_t pause = rig_pause(rig, PAUSE_LINE, RIG_LINE, 0);
    refused(rig, &fresh, false, CODE_HELD, "if_held");
    struct core_enqueue later = fresh; /* held by nothing now */
    later.due_ms = rig->now.wall_ms + MINUTE;
    ck_assert_int_eq(rig_enqueue(rig, &later).state, JOB_SCHEDULED);
    struct core_enqueue past = fresh;
    past.expires_ms = rig->now.wall_ms;
    ck_assert_int_eq(rig_enqueue(rig, &past).state, JOB_EXPIRED);
    ck_assert_int_eq(rig_resume(rig, PAUSE_LINE, RIG_LINE, pause), CODE_NONE);
    rig_tell(rig, 0, REPUTATION_CRITICAL, rig->now.wall_ms);
    refused(rig, &fresh, false, CODE_HELD, "if_held");
    fresh.fail_if_held = false;
    ck_assert_int_eq(rig_enqueue(rig, &fresh).reason, REASON_LINE_CRITICAL);
    play_free(&play);
}
END_TEST

/* covers: key policies.first_message_links; code not_allowed */
START_TEST(a_link_is_refused_in_a_first_message_only)
{
    struct play *play = play_line(UNLIMITED);
    struct core_enqueue job = rig_job(100, CLASS_REPLY);
    job.has_link = true;
    refused(play->rig, &job, false, CODE_NOT_ALLOWED, "message");
    rig_send(play->rig, 100, CLASS_REPLY);
    refused(play->rig, &job, false, CODE_NOT_ALLOWED, "message"); /* the first one is not out yet */
    play_for(play, 0);
    ck_assert_int_eq(rig_enqueue(play->rig, &job).code, CODE_NONE);
    play_free(&play);

    play = play_line(UNLIMITED ", first_message_links: allow");
    ck_assert_int_eq(rig_enqueue(play->rig, &job).code, CODE_NONE);
    play_free(&play);
}
END_TEST

/* covers: key broker.jobs_max; code busy */
START_TEST(a_full_broker_is_busy_until_a_job_ends)
{
    struct rig_options by_conf = {.conf = "accounts:\n  default: {api_key_file: key}\nbroker: {jobs_max: 3}\n"};
    struct rig_options by_jobs = {.limits.jobs_max = 3};
    struct rig_options by_conversations = {.limits.conversations_max = 3};
    struct rig_options *all[] = {&by_conf, &by_jobs, &by_conversations};
    for (size_t o = 0; o < 3; o++) {
        struct rig *rig = rig_new(all[o]);
        uint64_t first = rig_send(rig, 100, CLASS_REPLY);
        rig_send(rig, 101, CLASS_REPLY);
        rig_send(rig, 102, CLASS_REPLY);
        struct core_enqueue job = rig_job(103, CLASS_REPLY);
        refused(rig, &job, false, CODE_BUSY, NULL);
        ck_assert_int_eq(cancel(rig, first), CODE_NONE);
        ck_assert_int_eq(rig_enqueue(rig, &job).code, CODE_NONE);
        rig_free(&rig);
    }
}
END_TEST

/* covers: code store_full */
START_TEST(a_full_store_takes_no_job_but_still_knows_those_it_has)
{
    struct play *play = play_line(UNLIMITED);
    struct rig *rig = play->rig;
    struct core_enqueue job = with_id(100, 55, 66);
    uint64_t number = rig_enqueue(rig, &job).number;
    struct core_enqueue other = rig_job(100, CLASS_REPLY);
    refused(rig, &other, true, CODE_STORE_FULL, NULL);
    core_enqueue(rig->core, &job, true, rig->now, &rig->out);
    ck_assert(rig->out.effects[0].duplicate);
    ck_assert_uint_eq(rig->out.effects[0].number, number);
    rig_keep(rig);
    play_free(&play);
}
END_TEST

/* ---- opting out ---- */

static void hear(struct rig *rig, uint64_t recipient, uint64_t chat, bool opt_out)
{
    struct core_message_fact fact = {.token = 5,
                                     .event = ++rig->polls + (UINT64_C(1) << 41),
                                     .what = MESSAGE_RECEIVED,
                                     .inbound = true,
                                     .chat_hash = chat,
                                     .recipient = recipient,
                                     .line = RIG_LINE,
                                     .opt_out = opt_out};
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
}

/* covers: state suppressed; code opted_out */
START_TEST(a_refusal_for_good_suppresses_all_that_waits_for_the_recipient)
{
    static const enum suppress causes[] = {SUPPRESS_OPTED_OUT, SUPPRESS_BLOCKED};
    for (size_t c = 0; c < 2; c++) {
        struct play *play = play_line(UNLIMITED);
        struct rig *rig = play->rig;
        struct core_enqueue asked = rig_job(100, CLASS_REPLY);
        for (unsigned i = 0; i < 3; i++)
            rig_enqueue(rig, &asked);
        struct effect job = lease_next(rig);
        struct core_result result = rig_result(&job, OUTCOME_REJECTED);
        result.suppress = causes[c];
        result.recipient = asked.recipient;
        rig_answer(rig, &result);
        ck_assert_uint_eq(totals(rig).suppressed_total, 3);
        ck_assert_uint_eq(totals(rig).jobs, 0);
        refused(rig, &asked, false, CODE_OPTED_OUT, "to");
        hear(rig, asked.recipient, 0, false); /* an answer lifts an opt-out, a block only the provider */
        ck_assert_int_eq(rig_enqueue(rig, &asked).code, causes[c] == SUPPRESS_BLOCKED ? CODE_OPTED_OUT : CODE_NONE);
        play_free(&play);
    }
}
END_TEST

START_TEST(an_opt_out_ends_what_waits_and_another_recipient_is_not_touched)
{
    struct play *play = play_line(UNLIMITED);
    struct rig *rig = play->rig;
    uint64_t chat = rig_send(rig, 100, CLASS_REPLY) * 31 + 7; /* as rig_sent() names it */
    play_for(play, 0);
    uint64_t pause = rig_pause(rig, PAUSE_ALL, 0, 0);
    rig_send(rig, 100, CLASS_REPLY);
    rig_send(rig, 100, CLASS_CAMPAIGN);
    rig_send(rig, 200, CLASS_REPLY);
    hear(rig, rig_job(100, CLASS_REPLY).recipient, chat, true);
    ck_assert_uint_eq(totals(rig).suppressed_total, 2);
    ck_assert_int_eq(rig_resume(rig, PAUSE_ALL, 0, pause), CODE_NONE);
    play_for(play, MINUTE);
    ck_assert_uint_eq(play->count, 2);
    play_free(&play);
}
END_TEST

/* Themselves (0), or what is kept of their conversation (1). */
START_TEST(a_lease_is_not_sent_to_who_opted_out_before_it_left)
{
    struct rig_options options = {.hold_commits = true};
    struct rig *rig = rig_new(&options);
    rig_worker(rig, 1, 8);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    struct core_enqueue asked = rig_job(100, CLASS_REPLY);
    core_enqueue(rig->core, &asked, false, rig->now, &rig->out);
    rig_keep(rig);
    rig_commit(rig, rig->record_count);
    core_tick(rig->core, rig->now, &rig->out);
    uint64_t lease = 0;
    for (size_t i = 0; i < rig->out.effect_count; i++)
        if (rig->out.effects[i].kind == EFFECT_JOB)
            lease = rig->out.effects[i].lease;
    ck_assert_uint_ne(lease, 0);
    rig_keep(rig);
    ck_assert(!core_lease_suppressed(rig->core, lease, asked.recipient, rig->now, &rig->out));
    ck_assert(suppression_keep(rig->core, 0, 101, 5, rig->now, &rig->out)); /* another conversation's */
    ck_assert(!core_lease_suppressed(rig->core, lease, asked.recipient, rig->now, &rig->out));
    rig_keep(rig);
    if (_i == 1)
        ck_assert(suppression_keep(rig->core, 0, 100, 5, rig->now, &rig->out));
    else
        hear(rig, asked.recipient, 0, true); /* no chat is known yet */
    ck_assert(core_lease_suppressed(rig->core, lease, asked.recipient, rig->now, &rig->out));
    rig_keep(rig);
    rig_commit(rig, rig->record_count);
    ck_assert_ptr_null(rig_told(rig, EFFECT_JOB, 0));
    ck_assert_uint_eq(totals(rig).suppressed_total, 1);
    ck_assert_uint_eq(rig_line(rig, 0).fresh_used, 0);
    rig_free(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("core_jobs");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, only_the_moves_of_the_contract_are_allowed);
    tcase_add_test(tcase, whatever_comes_after_the_end_changes_nothing);
    tcase_add_test(tcase, a_repeated_id_is_the_same_job_and_another_content_a_conflict);
    tcase_add_test(tcase, an_id_is_remembered_for_its_window_after_the_jobs_end);
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
    tcase_add_test(tcase, if_held_fail_refuses_what_would_be_held_and_takes_what_only_waits);
    tcase_add_test(tcase, a_link_is_refused_in_a_first_message_only);
    tcase_add_test(tcase, a_full_broker_is_busy_until_a_job_ends);
    tcase_add_test(tcase, a_full_store_takes_no_job_but_still_knows_those_it_has);
    tcase_add_test(tcase, a_refusal_for_good_suppresses_all_that_waits_for_the_recipient);
    tcase_add_test(tcase, an_opt_out_ends_what_waits_and_another_recipient_is_not_touched);
    tcase_add_loop_test(tcase, a_lease_is_not_sent_to_who_opted_out_before_it_left, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
