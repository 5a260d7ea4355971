/* zones_test.c — from a job's zone to the core's nights, with the system's own clocks. */
#include "broker/edge/zones.h"

#include <stdio.h>
#include <string.h>

#include "lineward/clock.h"
#include "tests/unit/core_suite.h"

static const char conf[] = POLICY_CONF("pace_per_min: 0, quiet_hours: {from: '21:00', to: '08:00', zone: recipient}");
static const char fixed[] = POLICY_CONF("pace_per_min: 0, quiet_hours: {from: '21:00', to: '08:00', zone: Asia/Tokyo}");

static uint64_t send_in(const char *tz, const char *handle)
{
    static uint64_t conversation = 500;
    struct recipients to = {.count = 1};
    strcpy(to.handles[0], handle);
    struct core_enqueue job = rig_job(++conversation, CLASS_TRANSACTIONAL);
    job.from_line = RIG_LINE;
    job.chat_hash = conversation * 2 + 1;
    job.zone = zones_of_job(rig->core, tz, &to, &rig->out);
    rig_keep(rig);
    return rig_enqueue(rig, &job).number;
}

static void at(const char *text)
{
    int64_t wall_ms = 0;
    ck_assert(time_parse(text, &wall_ms));
    rig->now.wall_ms = wall_ms;
    rig_tick(rig);
}

START_TEST(it_is_night_by_the_jobs_own_word_and_else_by_the_number)
{
    struct zones zones = {0};
    begin_with(conf, 1);
    at("2027-01-15T03:00:00Z"); /* 22:00 in New York, 19:00 in Los Angeles, 04:00 in Berlin, 12:00 in Tokyo */
    uint64_t new_york = send_in(NULL, "+12125550101");
    uint64_t los_angeles = send_in(NULL, "+12135550101");
    uint64_t tokyo = send_in("Asia/Tokyo", "+12125550102");
    uint64_t nobody = send_in(NULL, "a@example.org");
    zones_turn(&zones, rig->core, rig->now);
    ck_job(new_york, JOB_QUEUED, REASON_QUIET_HOURS);
    int64_t morning_ms = 0;
    ck_assert(time_parse("2027-01-15T13:00:00Z", &morning_ms));
    ck_assert_int_eq(rig_view(rig, new_york).release_at_ms, morning_ms);
    ck_job(los_angeles, JOB_QUEUED, REASON_NO_WORKER);
    ck_job(tokyo, JOB_QUEUED, REASON_NO_WORKER);
    ck_job(nobody, JOB_QUEUED, REASON_NO_WORKER);
}
END_TEST

START_TEST(a_policys_zone_is_told_too)
{
    struct zones zones = {0};
    begin_with(fixed, 1);
    zones_turn(&zones, rig->core, rig->now);
    at("2027-01-15T13:00:00Z"); /* 22:00 in Tokyo */
    uint64_t number = send_in(NULL, "a@example.org");
    ck_job(number, JOB_QUEUED, REASON_QUIET_HOURS);
}
END_TEST

/* Nights whose end lies where clocks change: an hour that is left out, and one that is had twice. */
START_TEST(a_night_ends_by_the_clock_that_is_in_force_at_that_moment)
{
    static const struct {
        const char *to, *now, *until; /* until NULL: it is no night */
    } nights[] = {
        {"03:30", "2027-03-14T06:00:00Z", "2027-03-14T07:30:00Z"}, /* by summer time, begun at 07:00Z */
        {"02:30", "2027-03-14T06:00:00Z", "2027-03-14T07:00:00Z"}, /* 02:30 never comes: what comes is 03:00 */
        {"02:30", "2027-03-14T06:59:59Z", "2027-03-14T07:00:00Z"},
        {"02:30", "2027-03-14T07:00:00Z", NULL},
        {"01:30", "2027-11-07T05:00:00Z", "2027-11-07T05:30:00Z"}, /* 01:30 for the first time */
        {"01:30", "2027-11-07T05:59:59Z", NULL},
        {"01:30", "2027-11-07T06:00:00Z", "2027-11-07T06:30:00Z"}, /* 01:00 once more */
        {"01:30", "2027-11-07T06:30:00Z", NULL},
    };
    for (size_t i = 0; i < sizeof nights / sizeof *nights; i++) {
        char text[512];
        struct zones zones = {0};
        snprintf(text, sizeof text, "%s", conf);
        memcpy(strstr(text, "08:00"), nights[i].to, 5);
        begin_with(text, 1);
        at(nights[i].now);
        uint64_t number = send_in("America/New_York", "a@example.org");
        zones_turn(&zones, rig->core, rig->now);
        ck_job(number, JOB_QUEUED, nights[i].until == NULL ? REASON_NO_WORKER : REASON_QUIET_HOURS);
        int64_t until_ms = 0;
        if (nights[i].until != NULL)
            ck_assert(time_parse(nights[i].until, &until_ms));
        if (nights[i].until != NULL)
            ck_assert_int_eq(rig_view(rig, number).release_at_ms, until_ms);
    }
}
END_TEST

static void fill_with(const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        send_in(names[i], "a@example.org");
}

/* One producer's names, however many, leave nobody without a night. */
START_TEST(names_beyond_what_the_table_holds_have_a_night_too)
{
    static const char *const offsets[] = {"Etc/GMT+9", "Etc/GMT+8", "Etc/GMT+7", "Etc/GMT+6", "Etc/GMT+5", "Etc/GMT+4",
                                          "Etc/GMT+3", "Etc/GMT+2"};
    struct zones zones = {0};
    struct recipients group = {.count = 2};
    begin_with(conf, 1);
    at("2027-01-15T13:00:00Z"); /* 22:00 in Tokyo, 14:00 in Berlin */
    for (int i = 0; i < ZONES_BY_NAME; i++) { /* names that say nothing, as a group's may be */
        char name[32];
        snprintf(name, sizeof name, "Etc/Nowhere%d", i);
        ck_assert_uint_ne(core_zone(rig->core, name, &rig->out), 0);
    }
    fill_with(offsets, sizeof offsets / sizeof *offsets);
    uint16_t berlin = zones_of_job(rig->core, "Europe/Berlin", &group, &rig->out);
    ck_assert_uint_ne(berlin, 0);
    ck_assert_uint_eq(zones_of_job(rig->core, "Europe/Vienna", &group, &rig->out), berlin);
    ck_assert_uint_ne(zones_of_job(rig->core, "Europe/London", &group, &rig->out), berlin);
    uint64_t tokyo = send_in("Asia/Tokyo", "b@example.org");
    uint64_t vienna = send_in("Europe/Vienna", "c@example.org");
    strcpy(group.handles[0], "+12125550101");
    strcpy(group.handles[1], "+819012345678");
    uint16_t both = zones_of_job(rig->core, NULL, &group, &rig->out);
    ck_assert_str_eq(core_name(rig->core, NAME_ZONE, both), "Pacific/Kiritimati,Pacific/Pago_Pago");
    rig_keep(rig);
    zones_turn(&zones, rig->core, rig->now);
    ck_job(tokyo, JOB_QUEUED, REASON_QUIET_HOURS);
    ck_job(vienna, JOB_QUEUED, REASON_NO_WORKER);
}
END_TEST

START_TEST(clocks_of_next_year_are_told_in_time)
{
    struct zones zones = {0};
    begin_with(conf, 1);
    at("2027-01-15T12:00:00Z");
    send_in("Europe/Berlin", "a@example.org");
    for (int day = 0; day < 900; day++) { /* past the first telling's end */
        rig->now.wall_ms += ZONES_TOLD_MS;
        zones_turn(&zones, rig->core, rig->now);
    }
    at("2029-07-01T06:30:00Z"); /* 08:30 by summer time, 07:30 else */
    zones_turn(&zones, rig->core, rig->now);
    uint64_t number = send_in("Europe/Berlin", "b@example.org");
    ck_job(number, JOB_QUEUED, REASON_NO_WORKER);
    at("2029-12-01T06:30:00Z");
    ck_job(number, JOB_QUEUED, REASON_QUIET_HOURS);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        it_is_night_by_the_jobs_own_word_and_else_by_the_number,
        a_policys_zone_is_told_too,
        clocks_of_next_year_are_told_in_time,
        names_beyond_what_the_table_holds_have_a_night_too,
        a_night_ends_by_the_clock_that_is_in_force_at_that_moment,
    };
    return run_suite("zones", tests, sizeof tests / sizeof *tests);
}
