/* core_quiet_test.c — quiet hours: who waits, and until which moment, whatever the clocks do meanwhile. */
#include <string.h>

#include "tests/unit/core_suite.h"

#define HOUR_MS  INT64_C(3600000)
#define MARCH_29 INT64_C(1774742400000) /* 2026-03-29T00:00:00Z: clocks in Berlin go from 02:00 to 03:00 at 01:00Z */
#define OCT_25   INT64_C(1792886400000) /* 2026-10-25T00:00:00Z: and back from 03:00 to 02:00 at 01:00Z */

#define NIGHT(zone) "pace_per_min: 0, cadence_ms: [], quiet_hours: {from: '21:00', to: '08:00', zone: " zone "}"

static const struct zone_rules berlin = {.count = 3,
                                         .from_ms = {0, MARCH_29 + HOUR_MS, OCT_25 + HOUR_MS},
                                         .offset_s = {3600, 7200, 3600}};
static const struct zone_rules new_york = {.count = 1, .offset_s = {-5 * 3600}};
static const struct zone_rules honolulu = {.count = 1, .offset_s = {-10 * 3600}};
static const struct zone_rules anadyr = {.count = 1, .offset_s = {12 * 3600}};
static const struct zone_rules moscow = {.count = 1, .offset_s = {3 * 3600}};

static void is(int64_t wall_ms)
{
    rig->now.mono_ms += wall_ms > rig->now.wall_ms ? wall_ms - rig->now.wall_ms : 1;
    rig->now.wall_ms = wall_ms;
    rig_tick(rig);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    rig_worker(rig, 1, 8);
    rig_pass(rig, 0);
}

static uint16_t zone(const char *name, const struct zone_rules *rules, size_t parts)
{
    uint16_t number = core_zone(rig->core, name, &rig->out);
    rig_keep(rig);
    unsigned at = 1;
    while (core_zone_at(rig->core, at) != NULL && strcmp(core_zone_at(rig->core, at), name) != 0)
        at++;
    core_zone_rules(rig->core, at, rules, parts, rig->now);
    rig_keep(rig);
    return number;
}

static uint64_t send_in(uint16_t where, enum job_class class)
{
    static uint64_t conversation = 100;
    struct core_enqueue job = rig_job(++conversation, class);
    job.from_line = RIG_LINE;
    job.chat_hash = conversation * 2 + 1;
    job.zone = where;
    return rig_enqueue(rig, &job).number;
}

static void begin_at(const char *conf, int64_t wall_ms)
{
    begin_with(conf, 1);
    is(wall_ms);
}

/* covers: reason quiet_hours; key policies.quiet_hours; field tz */
START_TEST(nobody_is_written_to_at_night_but_replies_go)
{
    begin_at(POLICY_CONF(NIGHT("recipient")), MARCH_29 - 4 * HOUR_MS); /* 21:00 there */
    uint16_t there = zone("Europe/Berlin", &berlin, 1);
    uint64_t number = send_in(there, CLASS_TRANSACTIONAL);
    uint64_t reply = send_in(there, CLASS_REPLY);
    uint64_t nowhere = send_in(0, CLASS_TRANSACTIONAL);
    rig_pass(rig, 0);
    ck_job(number, JOB_QUEUED, REASON_QUIET_HOURS);
    ck_job(reply, JOB_LEASED, REASON_NONE);
    ck_job(nowhere, JOB_LEASED, REASON_NONE); /* where nobody knows when it is night */
    is(MARCH_29 + 6 * HOUR_MS - 1);
    ck_job(number, JOB_QUEUED, REASON_QUIET_HOURS);
    is(MARCH_29 + 6 * HOUR_MS); /* 08:00 there, an hour earlier than the evening before would have said */
    ck_job(number, JOB_LEASED, REASON_NONE);
}
END_TEST

START_TEST(the_night_in_which_clocks_go_back_is_an_hour_longer)
{
    begin_at(POLICY_CONF(NIGHT("recipient")), OCT_25 - 3 * HOUR_MS + 1000); /* 23:00 there */
    uint64_t number = send_in(zone("Europe/Berlin", &berlin, 1), CLASS_CAMPAIGN);
    ck_assert_int_eq(rig_view(rig, number).release_at_ms, OCT_25 + 7 * HOUR_MS);
    is(OCT_25 + 7 * HOUR_MS - 1);
    ck_job(number, JOB_QUEUED, REASON_QUIET_HOURS);
    is(OCT_25 + 7 * HOUR_MS);
    ck_job(number, JOB_LEASED, REASON_NONE);
}
END_TEST

START_TEST(a_night_that_begins_stops_what_stands_ready)
{
    begin_at(POLICY_CONF(NIGHT("recipient")), MARCH_29 - 5 * HOUR_MS); /* 20:00 there */
    uint16_t there = zone("Europe/Berlin", &berlin, 1);
    core_worker_bye(rig->core, 1, rig->now, &rig->out);
    rig_keep(rig);
    uint64_t number = send_in(there, CLASS_TRANSACTIONAL);
    ck_job(number, JOB_QUEUED, REASON_NO_WORKER);
    is(MARCH_29 - 4 * HOUR_MS);
    ck_job(number, JOB_QUEUED, REASON_QUIET_HOURS);
}
END_TEST

START_TEST(those_behind_a_job_that_waits_for_the_morning_go_when_its_campaign_is_paused)
{
    begin_at(POLICY_CONF(NIGHT("recipient")), MARCH_29 - 4 * HOUR_MS); /* 21:00 there */
    struct core_enqueue job = rig_job(1, CLASS_TRANSACTIONAL);
    job.zone = zone("Europe/Berlin", &berlin, 1);
    job.campaign = core_campaign(rig->core, "spring", &rig->out);
    rig_keep(rig);
    uint64_t first = rig_enqueue(rig, &job).number;
    job.zone = job.campaign = 0;
    uint64_t second = rig_enqueue(rig, &job).number;
    rig_pass(rig, 0);
    ck_job(first, JOB_QUEUED, REASON_QUIET_HOURS);
    ck_job(second, JOB_QUEUED, REASON_CONVERSATION_BUSY);
    rig_pause(rig, PAUSE_CAMPAIGN, core_campaign(rig->core, "spring", &rig->out), 0);
    rig_pass(rig, 0);
    ck_job(first, JOB_QUEUED, REASON_CAMPAIGN_PAUSED);
    ck_job(second, JOB_LEASED, REASON_NONE);
}
END_TEST

START_TEST(where_two_zones_are_possible_it_is_night_from_the_evening_of_one_to_the_morning_of_the_other)
{
    struct zone_rules both[] = {honolulu, new_york};
    begin_at(POLICY_CONF(NIGHT("recipient")), MARCH_29 + 2 * HOUR_MS + 1); /* 21:00 in New York */
    uint64_t number = send_in(zone("America/New_York,Pacific/Honolulu", both, 2), CLASS_TRANSACTIONAL);
    ck_job(number, JOB_QUEUED, REASON_QUIET_HOURS);
    ck_assert_int_eq(rig_view(rig, number).release_at_ms, MARCH_29 + 18 * HOUR_MS); /* 08:00 in Honolulu */
}
END_TEST

START_TEST(an_hour_a_day_is_left_however_wide_apart_the_zones_are)
{
    struct zone_rules both[] = {anadyr, moscow};
    begin_at(POLICY_CONF("pace_per_min: 0, quiet_hours: {from: '18:00', to: '12:00', zone: recipient}"),
             MARCH_29 + 6 * HOUR_MS); /* 18:00 in Anadyr */
    uint64_t number = send_in(zone("Asia/Anadyr,Europe/Moscow", both, 2), CLASS_TRANSACTIONAL);
    ck_assert_int_eq(rig_view(rig, number).release_at_ms, MARCH_29 + 29 * HOUR_MS);
    is(MARCH_29 + 29 * HOUR_MS);
    ck_job(number, JOB_LEASED, REASON_NONE);
}
END_TEST

START_TEST(in_one_zone_a_night_is_as_long_as_the_policy_says)
{
    static const struct zone_rules utc = {.count = 1};
    begin_at(POLICY_CONF("pace_per_min: 0, quiet_hours: {from: '00:10', to: '23:50', zone: Etc/UTC}"),
             MARCH_29 + 23 * HOUR_MS + HOUR_MS / 3);
    zone("Etc/UTC", &utc, 1);
    uint64_t number = send_in(0, CLASS_TRANSACTIONAL);
    ck_job(number, JOB_QUEUED, REASON_QUIET_HOURS);
    ck_assert_int_eq(rig_view(rig, number).release_at_ms, MARCH_29 + 23 * HOUR_MS + HOUR_MS * 5 / 6);
}
END_TEST

START_TEST(a_zone_in_the_policy_is_everybodys)
{
    begin_at(POLICY_CONF(NIGHT("Europe/Berlin")), MARCH_29 - 4 * HOUR_MS);
    zone("Europe/Berlin", &berlin, 1);
    uint64_t number = send_in(0, CLASS_TRANSACTIONAL);
    ck_job(number, JOB_QUEUED, REASON_QUIET_HOURS);
}
END_TEST

START_TEST(a_restart_knows_where_its_jobs_recipients_are)
{
    begin_at(POLICY_CONF(NIGHT("recipient")), MARCH_29 - 4 * HOUR_MS);
    uint64_t number = send_in(zone("Europe/Berlin", &berlin, 1), CLASS_TRANSACTIONAL);
    rig_restart(rig, 1000);
    ck_assert_str_eq(rig_view(rig, number).zone, "Europe/Berlin");
    ck_assert_str_eq(core_zone_at(rig->core, 1), "Europe/Berlin");
    core_zone_rules(rig->core, 1, &berlin, 1, rig->now);
    is(rig->now.wall_ms + 1);
    ck_job(number, JOB_QUEUED, REASON_QUIET_HOURS);
}
END_TEST

START_TEST(other_hours_count_at_once)
{
    begin_at(POLICY_CONF(NIGHT("recipient")), MARCH_29 - 4 * HOUR_MS);
    uint64_t number = send_in(zone("Europe/Berlin", &berlin, 1), CLASS_TRANSACTIONAL);
    ck_job(number, JOB_QUEUED, REASON_QUIET_HOURS);
    struct conf *other = NULL;
    struct conf_problem problem;
    static const char text[] = POLICY_CONF("pace_per_min: 0, quiet_hours: {from: '23:00', to: '08:00', zone: recipient}");
    ck_assert_int_eq(conf_parse(&other, text, sizeof text - 1, "test", "/", NULL, 0, &problem), ERR_NONE);
    ck_assert_int_eq(core_reconfigure(rig->core, other, rig->now, &rig->out), ERR_NONE);
    rig_keep(rig);
    rig_pass(rig, 1000);
    ck_job(number, JOB_LEASED, REASON_NONE);
    rig_free(&rig);
    conf_free(&other);
}
END_TEST

START_TEST(ten_thousand_that_the_night_stops_are_put_aside_and_wake_in_the_morning)
{
    enum { JOBS = 10000 };
    begin_at(POLICY_CONF("pace_per_min: 0, daily_messages: 0, quiet_hours: {from: '21:00', to: '08:00'}"),
             MARCH_29 - 5 * HOUR_MS);
    uint16_t there = zone("Europe/Berlin", &berlin, 1);
    core_worker_bye(rig->core, 1, rig->now, &rig->out);
    rig_keep(rig);
    uint64_t last = 0;
    for (int i = 0; i < JOBS; i++)
        last = send_in(there, CLASS_CAMPAIGN);
    is(MARCH_29 - 4 * HOUR_MS);
    rig_pass(rig, 100);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 0);
    ck_job(last, JOB_QUEUED, REASON_QUIET_HOURS);
    ck_assert_int_gt(core_next_mono_ms(rig->core, rig->now), rig->now.mono_ms); /* and nobody looks for them */
    is(MARCH_29 + 6 * HOUR_MS);
    rig_pass(rig, 100);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 8);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        nobody_is_written_to_at_night_but_replies_go,
        the_night_in_which_clocks_go_back_is_an_hour_longer,
        a_night_that_begins_stops_what_stands_ready,
        those_behind_a_job_that_waits_for_the_morning_go_when_its_campaign_is_paused,
        where_two_zones_are_possible_it_is_night_from_the_evening_of_one_to_the_morning_of_the_other,
        an_hour_a_day_is_left_however_wide_apart_the_zones_are,
        in_one_zone_a_night_is_as_long_as_the_policy_says,
        a_zone_in_the_policy_is_everybodys,
        a_restart_knows_where_its_jobs_recipients_are,
        other_hours_count_at_once,
        ten_thousand_that_the_night_stops_are_put_aside_and_wake_in_the_morning,
    };
    return run_suite("core_quiet", tests, sizeof tests / sizeof *tests);
}
