/* core_campaign_test.c — how a campaign's jobs fared is counted exactly, over restarts and beyond the history. */
#include <string.h>

#include "broker/core/core_forecast.h"
#include "tests/unit/core_suite.h"

#define FAST_CONF POLICY_CONF("pace_per_min: 0, daily_messages: 0, new_conversations_per_day: 0")

static uint16_t named(const char *campaign)
{
    uint16_t number = core_campaign(rig->core, campaign, &rig->out);
    rig_keep(rig);
    return number;
}

static struct effect send(uint64_t conversation, const char *campaign, int64_t expires_ms)
{
    struct core_enqueue job = rig_job(conversation, CLASS_CAMPAIGN);
    job.campaign = named(campaign);
    job.expires_ms = expires_ms;
    return rig_enqueue(rig, &job);
}

static struct campaign_view view(uint32_t index)
{
    struct campaign_view found;
    ck_assert(core_campaign_view(rig->core, index, &found));
    return found;
}

static void ck_counts(uint32_t index, const uint64_t expected[3 + ENDS]) /* accepted, waiting, leased, the ends */
{
    struct campaign_view found = view(index);
    ck_assert_uint_eq(found.accepted, expected[0]);
    ck_assert_uint_eq(found.waiting, expected[1]);
    ck_assert_uint_eq(found.leased, expected[2]);
    for (int end = 0; end < ENDS; end++)
        ck_assert_uint_eq(found.ended[end], expected[3 + end]);
}

/* One of each end, one that waits and one that is leased; a second campaign with one that waits. */
static void play(void)
{
    begin_with(FAST_CONF, 1);
    rig_worker(rig, 1, 4);
    for (uint64_t c = 1; c <= 4; c++)
        send(c, "spring", 0);
    rig_tick(rig);
    struct core_result result = rig_result(rig_told(rig, EFFECT_JOB, 0), OUTCOME_SENT);
    rig_answer(rig, &result);
    result = rig_result(rig_told(rig, EFFECT_JOB, 1), OUTCOME_REJECTED);
    rig_answer(rig, &result);
    result = rig_result(rig_told(rig, EFFECT_JOB, 2), OUTCOME_REJECTED);
    result.suppress = SUPPRESS_OPTED_OUT;
    rig_answer(rig, &result);
    rig_pause(rig, PAUSE_ALL, 0, 0); /* the fourth is with a worker all the same */
    send(5, "spring", rig->now.wall_ms - 1);
    uint64_t cancelled = send(6, "spring", 0).number;
    core_cancel(rig->core, 1, 0, cancelled, rig->now, &rig->out);
    rig_keep(rig);
    send(7, "spring", 0);
    send(8, "summer", 0);
}

static const uint64_t spring[] = {7, 1, 1, /* sent, failed, expired, cancelled, suppressed */ 1, 1, 1, 1, 1};
static const uint64_t summer[] = {1, 1, 0, 0, 0, 0, 0, 0};

START_TEST(every_end_of_a_campaign_s_jobs_is_counted)
{
    play();
    ck_counts(0, spring);
    ck_counts(1, summer);
    ck_assert_str_eq(view(0).name, "spring");
    ck_assert_uint_eq(view(0).pool, 0);
    ck_assert(!view(0).paused);
    rig_pause(rig, PAUSE_CAMPAIGN, named("spring"), 0);
    ck_assert(view(0).paused && !view(1).paused);
    struct campaign_view none;
    ck_assert(!core_campaign_view(rig->core, 2, &none));
}
END_TEST

static uint32_t index_of(const char *name)
{
    uint32_t index = 0;
    while (strcmp(view(index).name, name) != 0)
        index++;
    return index;
}

START_TEST(the_counts_are_exact_after_a_restart_wherever_the_cleaner_was)
{
    play();
    rig_restart(rig, 1000);
    ck_counts(index_of("spring"), spring);
    for (size_t i = 0, end = rig->durable; i < end; i += 2) {
        rig_clean(rig, i);
        rig_keep(rig);
    }
    rig_restart(rig, 1000);
    ck_counts(index_of("spring"), spring);
    ck_counts(index_of("summer"), summer);
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
    play();
    rig_pass(rig, 3600000 / 4 + 1000);
    size_t records = rig_records(rig, CHANGE_CAMPAIGN, 0, 0);
    ck_assert_uint_eq(records, 1); /* of the one whose jobs ended */
    rig_pass(rig, 3600000);
    ck_assert_uint_eq(rig_records(rig, CHANGE_CAMPAIGN, 0, 0), records);
    struct campaign_view before = view(0);
    drop_history();
    rig_restart(rig, 1000);
    struct campaign_view after = view(index_of("spring"));
    ck_assert_mem_eq(after.ended, before.ended, sizeof after.ended);
}
END_TEST

START_TEST(one_campaign_more_than_there_is_room_for_is_busy)
{
    static const char conf[] = FAST_CONF "pools:\n  a: {lines: [+12025550100]}\n  b: {lines: [+12025550101]}\n";
    struct rig_options options = {.conf = conf, .seed = 1, .limits = {.names_max = 10}};
    rig_free(&rig);
    rig = rig_new(&options);
    rig_poll_all(rig, 2, REPUTATION_HEALTHY);
    static const char *const names[] = {"v", "w", "x", "y", "z"}; /* all there is room for */
    unsigned busy = 0;
    for (uint32_t i = 0; i < 10; i++) {
        struct core_enqueue job = rig_job(i + 1, CLASS_CAMPAIGN);
        job.pool = i / 5;
        job.campaign = named(names[i % 5]);
        struct effect answer = rig_enqueue(rig, &job);
        busy += answer.code == CODE_BUSY && strcmp(answer.field, "campaign") == 0;
        ck_assert_int_eq(answer.code, i < 9 ? CODE_NONE : CODE_BUSY);
    }
    ck_assert_uint_eq(busy, 1);
    ck_assert_int_eq(send(99, "w", 0).code, CODE_NONE); /* those that are known go on */
}
END_TEST

static enum code would_be(uint64_t conversation, uint32_t pool, const char *campaign)
{
    struct core_enqueue job = rig_job(conversation, CLASS_CAMPAIGN);
    struct core_would would;
    job.pool = pool;
    job.campaign = core_campaign_foreseen(rig->core, campaign);
    core_would_enqueue(rig->core, &job, false, rig->now, &would);
    return would.effect.code;
}

START_TEST(a_dry_run_knows_that_one_campaign_more_finds_no_room)
{
    static const char conf[] = FAST_CONF "pools:\n  a: {lines: [+12025550100]}\n  b: {lines: [+12025550101]}\n"
                               "  c: {lines: [+12025550102]}\n";
    static const char *const names[] = {"x", "y", "z"};
    struct rig_options options = {.conf = conf, .seed = 1, .limits = {.names_max = 10}};
    rig_free(&rig);
    rig = rig_new(&options);
    rig_poll_all(rig, 3, REPUTATION_HEALTHY);
    for (uint32_t i = 0; i < 9; i++) {
        struct core_enqueue job = rig_job(i + 1, CLASS_CAMPAIGN);
        job.pool = i / 3;
        job.campaign = named(names[i % 3]);
        ck_assert_int_eq(would_be(20, job.pool, "new"), CODE_NONE);
        ck_assert_int_eq(rig_enqueue(rig, &job).code, CODE_NONE);
    }
    ck_assert_int_eq(would_be(20, 0, "new"), CODE_BUSY);
    ck_assert_int_eq(would_be(20, 0, "x"), CODE_NONE);
    ck_assert_int_eq(send(20, "new", 0).code, CODE_BUSY);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        every_end_of_a_campaign_s_jobs_is_counted,
        the_counts_are_exact_after_a_restart_wherever_the_cleaner_was,
        the_counts_outlive_the_history_of_the_jobs,
        one_campaign_more_than_there_is_room_for_is_busy,
        a_dry_run_knows_that_one_campaign_more_finds_no_room,
    };
    return run_suite("core_campaign", tests, sizeof tests / sizeof *tests);
}
