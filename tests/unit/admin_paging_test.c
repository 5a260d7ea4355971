/* "What stays put is seen exactly once" (PROTOCOL, Admin API): pages of jobs are read under every filter while other jobs
 * come, end and move between states. */
#include "tests/unit/admin_pages_rig.h"
#include "tests/support/suite.h"

#define LINE  "+12025550101" /* of pool `eu`; paused, so that what is pinned to it stays held */
#define STAYS 150
#define PAGES 2000 /* more than any walk takes */

static uint64_t seed;

static unsigned draw(unsigned below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % below;
}

static void offer(const char *id, unsigned recipient, bool pinned)
{
    char body[400];
    snprintf(body, sizeof body,
             "{\"id\":\"%s\",\"pool\":\"eu\",\"to\":\"+1415555%04u\"%s,"
             "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"x\"}]}}",
             id, recipient, pinned ? ",\"from\":\"" LINE "\"" : "");
    rig_expect("POST", "/v1/jobs", "operator-token", body, 200);
}

static void cancel(const char *id)
{
    char target[64];
    snprintf(target, sizeof target, "/v1/jobs/eu%%2F%s", id);
    struct reply reply = rig_ask("DELETE", target, "operator-token", NULL);
    ck_assert(reply.status == 200 || reply.status == 409 || reply.status == 404); /* refused, or ended before */
    reply_free(&reply);
}

static unsigned churned;

/* Others come and end; slots are used again. */
static void churn(void)
{
    char id[32];
    for (unsigned i = 0; i < 2; i++) {
        snprintf(id, sizeof id, "churn-%u", churned++);
        offer(id, 5000 + draw(40), draw(2) == 0);
        snprintf(id, sizeof id, "churn-%u", churned - 1 - draw(churned < 40 ? churned : 40));
        cancel(id);
    }
    if (draw(4) == 0) {
        bool pauses = draw(2) == 0;
        struct reply reply = rig_ask("POST", pauses ? "/v1/pools/us/pause" : "/v1/pools/us/resume", "operator-token", "{}");
        reply_free(&reply);
    }
}

/* How often each of those that stay was seen. */
static void read_all(const char *filter, unsigned limit, unsigned seen[STAYS], bool *twice)
{
    char after[PAGE_TEXT_MAX] = "";
    *twice = false;
    memset(seen, 0, STAYS * sizeof *seen);
    for (unsigned page = 0;; page++) {
        char target[300];
        ck_assert_uint_lt(page, PAGES);
        snprintf(target, sizeof target, "/v1/jobs?limit=%u%s%s%s", limit, filter, after[0] != '\0' ? "&after=" : "", after);
        struct reply reply = rig_ask("GET", target, "operator-token", NULL);
        ck_assert_msg(reply.status == 200, "%s: %s", target, reply.body);
        const cJSON *job = NULL;
        ck_assert_int_le(cJSON_GetArraySize(json_get(reply.json, "jobs")), (int)limit);
        cJSON_ArrayForEach(job, json_get(reply.json, "jobs"))
        {
            unsigned stay;
            if (sscanf(json_string(job, "id"), "stay-%u", &stay) == 1 && seen[stay]++ > 0)
                *twice = true;
        }
        if (!next_page(&reply, after))
            return;
        churn();
    }
}

static void ck_each_once(const char *filter, unsigned from, unsigned until)
{
    unsigned seen[STAYS];
    bool twice;
    read_all(filter, 7, seen, &twice);
    for (unsigned i = 0; i < STAYS; i++)
        ck_assert_msg(seen[i] == (i >= from && i < until ? 1u : 0u), "%s: stay-%u is seen %u times", filter, i, seen[i]);
}

START_TEST(what_stays_put_is_seen_exactly_once_under_every_filter)
{
    static const char *const live[] = {"&pool=eu", "&line=%2B12025550101", "&state=held", "&reason=line_paused",
                                       "&pool=eu&line=%2B12025550101&state=held&reason=line_paused"};
    char id[32];
    seed = 20261127;
    churned = 0;
    rig_expect("POST", "/v1/lines/" LINE "/pause", "operator-token", "{}", 200);
    for (unsigned i = 0; i < STAYS; i++) {
        snprintf(id, sizeof id, "stay-%u", i);
        offer(id, i % 50, true);
        churn();
    }
    for (unsigned i = 0; i < STAYS / 3; i++) { /* a third has ended */
        snprintf(id, sizeof id, "stay-%u", i);
        cancel(id);
    }
    ck_each_once("", 0, STAYS);
    ck_each_once(live[0], 0, STAYS);
    for (size_t f = 2; f < sizeof live / sizeof *live; f++)
        ck_each_once(live[f], STAYS / 3, STAYS);
    ck_each_once("&state=cancelled", 0, STAYS / 3);
    ck_each_once("&state=cancelled&pool=us", 0, 0);
}
END_TEST

START_TEST(of_one_recipient_each_is_seen_once_too)
{
    char id[32];
    seed = 7;
    churned = 0;
    rig_expect("POST", "/v1/lines/" LINE "/pause", "operator-token", "{}", 200);
    for (unsigned i = 0; i < STAYS; i++) {
        snprintf(id, sizeof id, "stay-%u", i);
        offer(id, i < 40 ? 1 : 2 + i, true);
    }
    ck_each_once("&to=%2B14155550001", 0, 40);
    ck_each_once("&to=%2B14155550001&state=held", 0, 40);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("admin_paging");
    TCase *tests = tcase_create("admin_paging");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, rig_setup, rig_teardown);
    tcase_add_test(tests, what_stays_put_is_seen_exactly_once_under_every_filter);
    tcase_add_test(tests, of_one_recipient_each_is_seen_once_too);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
