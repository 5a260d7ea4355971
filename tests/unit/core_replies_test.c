/* core_replies_test.c — how many messages are answered: on the day they went out, for the line, the class and the campaign
 * of the newest one before the answer, over restarts and beyond the history. */
#include <string.h>

#include "broker/core/change.h"
#include "broker/core/reply_days.h"
#include "tests/unit/core_suite.h"

#define DAY_MS INT64_C(86400000)
#define QUICK  POLICY_CONF("pace_per_min: 0, daily_messages: 0, new_conversations_per_day: 0, cadence_ms: []")

static void begin_quick(void)
{
    begin_with(QUICK, 2);
    rig_worker(rig, 1, 8);
}

static void later(int64_t ms)
{
    rig->now.wall_ms += ms;
    rig->now.mono_ms += ms;
    rig_tick(rig);
    rig_poll_all(rig, 2, REPUTATION_HEALTHY);
    rig_worker(rig, 1, 8);
    rig_pass(rig, 0);
}

/* A message goes out; the line it went on. */
static uint64_t goes_out(uint64_t conversation, enum job_class class, const char *campaign)
{
    struct core_enqueue job = rig_job(conversation, class);
    if (campaign != NULL)
        job.campaign = core_campaign(rig->core, campaign, &rig->out);
    rig_keep(rig);
    rig_enqueue(rig, &job);
    rig_forget(rig);
    rig_pass(rig, 0);
    const struct effect *told = rig_told(rig, EFFECT_JOB, 0);
    ck_assert_ptr_nonnull(told);
    struct effect sent = *told;
    uint64_t line = rig_view(rig, sent.number).line;
    struct core_result result = rig_result(&sent, OUTCOME_SENT);
    result.chat_hash = conversation * 2 + 1;
    rig_answer(rig, &result);
    return line;
}

static void comes_in(uint64_t conversation, uint64_t line, int64_t ago_ms)
{
    struct core_message_fact fact = {.token = 3, .chat_hash = conversation * 2 + 1, .line = line, .inbound = true};
    fact.homes = &conversation;
    fact.home_count = 1;
    fact.event = ++rig->polls + (UINT64_C(1) << 42);
    fact.what = MESSAGE_RECEIVED;
    fact.at_ms = rig->now.wall_ms - ago_ms;
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
}

static struct reply_counts of_line(uint64_t number)
{
    size_t index;
    uint32_t pool;
    struct reply_counts counts;
    ck_assert(core_line_find(rig->core, number, &index));
    ck_assert(core_line_replies(rig->core, index, rig->now, &pool, &counts));
    ck_assert_uint_eq(pool, 0);
    struct line_view view;
    ck_assert(core_line_view(rig->core, index, rig->now, &view));
    ck_assert_uint_eq(view.replies.sent, counts.sent);
    ck_assert_uint_eq(view.replies.answered, counts.answered);
    return counts;
}

static struct reply_counts of_class(enum job_class class)
{
    return core_pool_replies(rig->core, 0, class, rig->now);
}

static struct reply_counts of_campaign(const char *name)
{
    struct reply_counts counts;
    struct campaign_view view;
    uint32_t pool;
    for (uint32_t at = 0; core_campaign_view(rig->core, at, &view); at++)
        if (strcmp(view.name, name) == 0 && core_campaign_replies(rig->core, at, rig->now, &pool, &counts))
            return counts;
    ck_abort_msg("no campaign %s", name);
}

#define ck_counts(counts, sent_, answered_)                                                                          \
    do {                                                                                                             \
        struct reply_counts got_ = counts;                                                                           \
        ck_assert_uint_eq(got_.sent, sent_);                                                                         \
        ck_assert_uint_eq(got_.answered, answered_);                                                                 \
    } while (0)

START_TEST(an_answer_counts_for_the_newest_message_before_it)
{
    begin_quick();
    uint64_t line = goes_out(1, CLASS_CAMPAIGN, "spring");
    goes_out(1, CLASS_FOLLOWUP, "summer");
    comes_in(1, line, 0);
    comes_in(1, line, 0); /* said in two messages */
    ck_counts(of_line(line), 2, 1);
    ck_counts(of_line(line == RIG_LINE ? RIG_LINE + 1 : RIG_LINE), 0, 0);
    ck_counts(of_class(CLASS_CAMPAIGN), 1, 0);
    ck_counts(of_class(CLASS_FOLLOWUP), 1, 1);
    ck_counts(of_campaign("spring"), 1, 0);
    ck_counts(of_campaign("summer"), 1, 1);
    goes_out(1, CLASS_REPLY, NULL);
    comes_in(1, line, 0);
    ck_counts(of_class(CLASS_REPLY), 1, 1);
    ck_counts(of_line(line), 3, 2);
}
END_TEST

START_TEST(who_writes_first_or_too_early_answers_nothing)
{
    begin_quick();
    uint64_t line = goes_out(1, CLASS_TRANSACTIONAL, NULL);
    comes_in(1, line, 2 * 60000); /* before the message went out, told late */
    ck_counts(of_line(line), 1, 0);
    comes_in(1, line, 0);
    comes_in(1, line, 0);
    ck_counts(of_line(line), 1, 1);
}
END_TEST

START_TEST(what_may_have_been_sent_counts_and_what_was_not_does_not)
{
    begin_quick();
    struct core_enqueue job = rig_job(1, CLASS_TRANSACTIONAL);
    rig_enqueue(rig, &job);
    rig_forget(rig);
    rig_pass(rig, 0);
    struct effect told = *rig_told(rig, EFFECT_JOB, 0);
    uint64_t line = rig_view(rig, told.number).line;
    struct core_result result = rig_result(&told, OUTCOME_REJECTED);
    rig_answer(rig, &result);
    ck_counts(of_line(line), 0, 0);
    job = rig_job(2, CLASS_TRANSACTIONAL);
    job.expires_ms = rig->now.wall_ms + 1000;
    rig_enqueue(rig, &job);
    rig_forget(rig);
    rig_pass(rig, 0);
    told = *rig_told(rig, EFFECT_JOB, 0);
    line = rig_view(rig, told.number).line;
    result = rig_result(&told, OUTCOME_RETRY);
    result.unknown = true;
    rig->now.wall_ms += 2000;
    rig->now.mono_ms += 2000;
    rig_answer(rig, &result);
    ck_counts(of_line(line), 1, 0);
}
END_TEST

START_TEST(a_message_counts_for_a_week_and_its_answer_on_the_same_day)
{
    begin_quick();
    uint64_t line = goes_out(1, CLASS_CAMPAIGN, "spring");
    later(3 * DAY_MS);
    ck_assert_uint_eq(goes_out(1, CLASS_CAMPAIGN, "spring"), line);
    comes_in(1, line, 0);
    ck_counts(of_line(line), 2, 1);
    later(4 * DAY_MS); /* the first one has left */
    ck_counts(of_line(line), 1, 1);
    ck_counts(of_campaign("spring"), 1, 1);
    goes_out(1, CLASS_CAMPAIGN, "spring");
    later(7 * DAY_MS);
    comes_in(1, line, 0); /* too late to count */
    ck_counts(of_line(line), 0, 0);
    ck_counts(of_class(CLASS_CAMPAIGN), 0, 0);
    ck_counts(of_campaign("spring"), 0, 0);
}
END_TEST

START_TEST(an_answer_counts_on_the_day_of_its_message)
{
    begin_quick();
    uint64_t line = goes_out(1, CLASS_TRANSACTIONAL, NULL);
    later(DAY_MS);
    comes_in(1, line, 0);
    ck_counts(of_line(line), 1, 1);
    ck_counts(of_class(CLASS_TRANSACTIONAL), 1, 1);
    later(6 * DAY_MS); /* both leave together */
    ck_counts(of_line(line), 0, 0);
    ck_counts(of_class(CLASS_TRANSACTIONAL), 0, 0);
}
END_TEST

START_TEST(a_restart_knows_the_counts_and_who_waits_for_an_answer)
{
    begin_quick();
    uint64_t line = goes_out(1, CLASS_CAMPAIGN, "spring");
    comes_in(1, line, 0);
    goes_out(1, CLASS_FOLLOWUP, "summer");
    for (int i = 0; i < 2; i++) {
        rig_restart(rig, 1000);
        rig_poll_all(rig, 2, REPUTATION_HEALTHY);
        ck_counts(of_line(line), 2, 1);
        ck_counts(of_campaign("spring"), 1, 1);
        ck_counts(of_campaign("summer"), 1, 0);
        size_t end = rig->durable;
        for (size_t r = 0; r < end; r++)
            rig_clean(rig, r);
        rig_keep(rig);
        ck_assert_uint_ge(rig_records(rig, CHANGE_REPLIES, 0, end), 2); /* the pool's and the campaign's, said anew */
    }
    comes_in(1, line, 0);
    ck_counts(of_line(line), 2, 2);
    ck_counts(of_campaign("summer"), 1, 1);
    ck_counts(of_class(CLASS_FOLLOWUP), 1, 1);
    rig_restart(rig, 1000);
    comes_in(1, line, 0); /* that one is answered already */
    ck_counts(of_line(line), 2, 2);
    ck_counts(of_campaign("summer"), 1, 1);
}
END_TEST

static void drop_history(void)
{
    size_t kept = 0;
    for (size_t i = 0; i < rig->record_count; i++)
        if (rig->records[i].kind != CHANGE_END)
            rig->records[kept++] = rig->records[i];
    rig->record_count = rig->durable = rig->moved_told = kept;
}

START_TEST(the_counts_outlive_the_history_of_the_jobs)
{
    begin_quick();
    uint64_t line = goes_out(1, CLASS_CAMPAIGN, "spring");
    comes_in(1, line, 0);
    goes_out(1, CLASS_CAMPAIGN, "spring");
    later(6 * 3600000 + 1000); /* conversations are recorded by and by */
    later(1000);
    goes_out(2, CLASS_CAMPAIGN, "spring");
    goes_out(3, CLASS_CAMPAIGN, "spring");
    later(3600000);
    later(6 * 3600000 + 1000);
    struct reply_counts before = of_line(line);
    drop_history();
    rig_restart(rig, 1000);
    ck_counts(of_line(line), before.sent, 1);
    ck_counts(of_campaign("spring"), 4, 1);
    ck_counts(of_class(CLASS_CAMPAIGN), 4, 1);
    comes_in(1, line, 0);
    ck_counts(of_campaign("spring"), 4, 2);
}
END_TEST

START_TEST(a_conversation_that_moved_answers_nothing_for_its_new_line)
{
    begin_quick();
    uint64_t line = goes_out(1, CLASS_TRANSACTIONAL, NULL);
    uint64_t other = line == RIG_LINE ? RIG_LINE + 1 : RIG_LINE;
    core_move(rig->core, 9, 1, other, rig->now, &rig->out);
    rig_keep(rig);
    comes_in(1, other, 0);
    ck_counts(of_line(line), 1, 0);
    ck_counts(of_line(other), 0, 0);
}
END_TEST

START_TEST(a_day_s_counts_move_with_a_clock_that_goes_back)
{
    struct reply_days days = {0};
    uint32_t today = reply_day(RIG_START_MS);
    reply_days_out(&days, today + 365);
    ck_assert(reply_days_answered(&days, today + 365));
    reply_days_out(&days, today);
    struct reply_counts counts = reply_days_sum(&days, today);
    ck_assert_uint_eq(counts.sent, 2);
    ck_assert_uint_eq(counts.answered, 1);
    ck_assert(reply_days_answered(&days, today));
    ck_assert(!reply_days_answered(&days, today)); /* never more answers than messages */
    reply_days_out(&days, today + 6);
    ck_assert_uint_eq(reply_days_sum(&days, today + 6).sent, 3);
    ck_assert_uint_eq(reply_days_sum(&days, today + 7).sent, 1);
    ck_assert_uint_eq(reply_days_sum(&days, today + 700).sent, 0);
    struct reply_days other = {0};
    reply_days_out(&other, today + 8);
    reply_days_merge(&other, &days);
    reply_days_merge(&other, &days);
    ck_assert_uint_eq(reply_days_sum(&other, today + 8).sent, 2);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        an_answer_counts_for_the_newest_message_before_it,
        who_writes_first_or_too_early_answers_nothing,
        what_may_have_been_sent_counts_and_what_was_not_does_not,
        a_message_counts_for_a_week_and_its_answer_on_the_same_day,
        an_answer_counts_on_the_day_of_its_message,
        a_restart_knows_the_counts_and_who_waits_for_an_answer,
        the_counts_outlive_the_history_of_the_jobs,
        a_conversation_that_moved_answers_nothing_for_its_new_line,
        a_day_s_counts_move_with_a_clock_that_goes_back,
    };
    return run_suite("core_replies", tests, sizeof tests / sizeof *tests);
}
