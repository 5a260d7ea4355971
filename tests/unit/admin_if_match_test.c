/* ETag and If-Match: a view says what operators have set on a thing, and a call that names it changes nothing that
 * somebody else has changed meanwhile. */
#include "broker/core/suppression.h"
#include "broker/edge/recipients.h"
#include "tests/support/suite.h"
#include "tests/unit/admin_rig.h"

#define LINE "/v1/lines/+12025550101"

static struct reply ask_as(const char *token, const char *method, const char *target, const char *etag, const char *body)
{
    char head[1024];
    int fd = rig_connect();
    int bytes = snprintf(head, sizeof head,
                         "%s %s HTTP/1.1\r\nHost: rig\r\nConnection: close\r\nAuthorization: Bearer %s\r\n"
                         "If-Match: %s\r\nContent-Length: %zu\r\n\r\n%s",
                         method, target, token, etag, strlen(body), body);
    ck_assert_uint_lt((size_t)bytes, sizeof head);
    rig_send(fd, head, (size_t)bytes);
    return rig_receive(fd);
}

static struct reply ask_if(const char *method, const char *target, const char *etag, const char *body)
{
    return ask_as("admin-token", method, target, etag, body);
}

static void expect_if(const char *method, const char *target, const char *etag, const char *body, int status)
{
    struct reply reply = ask_if(method, target, etag, body);
    ck_assert_msg(reply.status == status, "%s %s: %d, not %d: %s", method, target, reply.status, status, reply.body);
    reply_free(&reply);
}

/* The answer's header, with its quotes; out[64], "": it has none. */
static void header_etag(const struct reply *reply, char out[64])
{
    const char *at = strcasestr(reply->text, "\r\netag: ");
    out[0] = '\0';
    if (at != NULL && at < reply->body)
        sscanf(at + 8, "%63[^\r]", out);
}

static void view_etag(const char *target, char out[64])
{
    struct reply reply = rig_ask("GET", target, "operator-token", NULL);
    ck_assert_msg(reply.status == 200, "%s: %s", target, reply.body);
    header_etag(&reply, out);
    ck_assert_msg(out[0] == '"', "%s has no ETag", target);
    reply_free(&reply);
}

/* Of the item of a list whose `name` is `value`: out[64], without quotes. */
static void item_etag(const char *target, const char *list, const char *name, const char *value, char out[64])
{
    struct reply reply = rig_ask("GET", target, "operator-token", NULL);
    const cJSON *item;
    out[0] = '\0';
    cJSON_ArrayForEach(item, json_get(reply.json, list))
    {
        if (strcmp(json_string(item, name), value) == 0)
            snprintf(out, 64, "%s", json_string(item, "etag"));
    }
    ck_assert_msg(out[0] != '\0', "%s in %s has no etag: %s", value, target, reply.body);
    reply_free(&reply);
}

static void enqueue(const char *id, unsigned recipient)
{
    char body[256];
    snprintf(body, sizeof body,
             "{\"id\":\"%s\",\"pool\":\"eu\",\"to\":\"+1415555%04u\",\"campaign\":\"spring\",\"message\":{}}", id, recipient);
    rig_expect("POST", "/v1/jobs", "operator-token", body, 200);
}

/* covers: code changed */
START_TEST(the_second_of_two_operators_is_told_how_it_stands_now)
{
    char etag[64];
    char now[64];
    view_etag(LINE, etag);
    expect_if("POST", LINE "/pause", etag, "{\"reason\":\"first\"}", 200);
    struct reply reply = ask_if("POST", LINE "/cordon", etag, "");
    ck_assert_int_eq(reply.status, 412);
    const cJSON *error = json_get(reply.json, "error");
    ck_assert_str_eq(json_string(error, "code"), "changed");
    const cJSON *pause = cJSON_GetArrayItem(json_get(json_get(error, "now"), "pauses"), 0);
    ck_assert_str_eq(json_string(pause, "reason"), "first");
    header_etag(&reply, now);
    reply_free(&reply);
    view_etag(LINE, etag);
    ck_assert_str_eq(etag, now);
    reply = rig_ask("GET", LINE, "operator-token", NULL);
    ck_assert(!json_bool(reply.json, "cordoned", true));
    reply_free(&reply);
    expect_if("POST", LINE "/cordon", now, "", 200);
}
END_TEST

static void expect_same(const char *token, const char *one, const char *other, const char *etag)
{
    struct reply first = ask_as(token, "DELETE", one, etag, "");
    struct reply second = ask_as(token, "DELETE", other, etag, "");
    char etags[2][64];
    header_etag(&first, etags[0]);
    header_etag(&second, etags[1]);
    ck_assert_msg(first.status == second.status, "%s: %d, %s: %d", one, first.status, other, second.status);
    ck_assert_str_eq(etags[0], etags[1]);
    ck_assert_str_eq(first.body, second.body);
    reply_free(&first);
    reply_free(&second);
}

/* Whether another pool has, or had, such a job shows neither in the answer nor in its ETag. */
START_TEST(a_token_of_some_pools_learns_nothing_of_others_jobs)
{
    char ended[64], live[64];
    enqueue("gone", 1);
    enqueue("waits", 2);
    struct reply reply = rig_ask("GET", "/v1/jobs/eu%2Fgone", "operator-token", NULL);
    snprintf(ended, sizeof ended, "/v1/jobs/%s", json_string(reply.json, "job"));
    reply_free(&reply);
    reply = rig_ask("GET", "/v1/jobs/eu%2Fwaits", "operator-token", NULL);
    snprintf(live, sizeof live, "/v1/jobs/%s", json_string(reply.json, "job"));
    reply_free(&reply);
    rig_expect("DELETE", "/v1/jobs/eu%2Fgone", "operator-token", NULL, 200);
    static const char *const etags[] = {"\"x\"", "*"};
    for (size_t i = 0; i < sizeof etags / sizeof *etags; i++) {
        expect_same("operator-us-token", "/v1/jobs/eu%2Fgone", "/v1/jobs/eu%2Fnever", etags[i]);
        expect_same("operator-us-token", "/v1/jobs/eu%2Fwaits", "/v1/jobs/eu%2Fnever", etags[i]);
        expect_same("operator-us-token", ended, "/v1/jobs/j_zzzzzzzz", etags[i]);
        expect_same("operator-us-token", live, "/v1/jobs/j_zzzzzzzz", etags[i]);
    }
}
END_TEST

START_TEST(without_the_header_all_works_as_before)
{
    rig_expect("POST", LINE "/pause", "operator-token", NULL, 200);
    rig_expect("POST", LINE "/cordon", "operator-token", NULL, 200);
    rig_expect("POST", LINE "/resume", "operator-token", NULL, 200);
}
END_TEST

START_TEST(an_etag_changes_with_what_operators_set_and_not_by_itself)
{
    char before[64];
    char after[64];
    view_etag(LINE, before);
    enqueue("a", 1);
    rig.now.wall_ms += 3600000;
    rig.now.mono_ms += 3600000;
    rig_poll_line(RIG_LINE_EU, REPUTATION_CRITICAL);
    view_etag(LINE, after);
    ck_assert_str_eq(before, after);
    static const char *const changes[][2] = {
        {"/pause", ""},
        {"/cordon", ""},
        {"/reputation", "{\"status\":\"CRITICAL\",\"for_ms\":60000}"},
        {"/drain", "{\"mode\":\"ramp\",\"pace_per_min\":5}"},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char target[64];
        snprintf(target, sizeof target, LINE "%s", changes[i][0]);
        struct reply reply = rig_ask("POST", target, "admin-token", changes[i][1]);
        ck_assert_msg(reply.status == 200, "%s: %s", target, reply.body);
        char said[64];
        header_etag(&reply, said); /* the answer has the new one, to go on with */
        reply_free(&reply);
        view_etag(LINE, after);
        ck_assert_str_ne(before, after);
        ck_assert_str_eq(said, after);
        snprintf(before, sizeof before, "%s", after);
    }
}
END_TEST

START_TEST(each_kind_of_thing_has_one_and_keeps_to_it)
{
    char etag[64];
    enqueue("a", 1);
    enqueue("b", 2);
    item_etag("/v1/pools", "pools", "pool", "eu", etag);
    expect_if("POST", "/v1/pools/eu/pause", etag, "", 200);
    expect_if("POST", "/v1/pools/eu/resume", etag, "", 412);
    item_etag("/v1/campaigns", "campaigns", "campaign", "spring", etag);
    expect_if("POST", "/v1/campaigns/eu/spring/pause", etag, "", 200);
    expect_if("POST", "/v1/campaigns/eu/spring/pause", etag, "", 412);
    item_etag("/v1/lines", "lines", "line", "+12025550101", etag);
    expect_if("POST", LINE "/cordon", etag, "", 200);
    expect_if("POST", LINE "/uncordon", etag, "", 412);
    view_etag("/v1/conversations/eu/+14155550001", etag);
    expect_if("POST", "/v1/conversations/eu/+14155550001/pause", etag, "", 200);
    expect_if("POST", "/v1/conversations/eu/+14155550001/resume", etag, "", 412);
    view_etag("/v1/jobs/eu%2Fb", etag);
    expect_if("DELETE", "/v1/jobs/eu%2Fb", "\"0000000000000000\"", "", 412);
    expect_if("DELETE", "/v1/jobs/eu%2Fb", etag, "", 200);
    expect_if("DELETE", "/v1/jobs/eu%2Fb", etag, "", 412); /* it is over */
    rig_expect("PUT", "/v1/suppressions/default/+14155550009", "operator-token", "{\"reason\":\"letter\"}", 200);
    item_etag("/v1/suppressions/default", "suppressions", "to", "+14155550009", etag);
    expect_if("PUT", "/v1/suppressions/default/+14155550009", etag, "{\"reason\":\"another letter\"}", 200);
    expect_if("DELETE", "/v1/suppressions/default/+14155550009", etag, "{\"reason\":\"x\"}", 412);
}
END_TEST

START_TEST(the_list_of_pauses_has_one_for_whoever_looked_there)
{
    char etag[64];
    char again[64];
    view_etag("/v1/pauses", etag);
    expect_if("POST", "/v1/pause", etag, "", 200);
    expect_if("POST", LINE "/pause", etag, "", 412);
    view_etag("/v1/pauses", again);
    expect_if("POST", LINE "/pause", again, "{\"for_ms\":1000}", 200);
    view_etag("/v1/pauses", again);
    rig.now.wall_ms += 2000;
    rig.now.mono_ms += 2000;
    core_tick(rig.core, rig.now, &rig.effects); /* one ends by itself */
    rig_commit();
    expect_if("POST", "/v1/resume", again, "", 412);
    expect_if("POST", LINE "/cordon", again, "", 412);
    rig_expect("POST", "/v1/resume", "operator-token", NULL, 200);
    view_etag("/v1/pauses", again);
    ck_assert_str_eq(etag, again);
}
END_TEST

/* More than a state shows: whoever lays one more and lifts another is noticed all the same. */
START_TEST(no_change_of_many_pauses_goes_unseen)
{
    char before[64];
    char after[64];
    char late[64];
    for (unsigned i = 0; i < 36; i++)
        rig_expect("POST", LINE "/pause", "operator-token", NULL, 200);
    struct reply reply = rig_ask("POST", LINE "/pause", "operator-token", NULL);
    snprintf(late, sizeof late, "{\"pause\":\"%s\"}", json_string(reply.json, "pause"));
    reply_free(&reply);
    view_etag(LINE, before);
    rig_expect("POST", LINE "/pause", "operator-token", NULL, 200);
    rig_expect("POST", LINE "/resume", "operator-token", late, 200);
    view_etag(LINE, after);
    ck_assert_str_ne(before, after);
}
END_TEST

START_TEST(a_list_of_etags_a_star_and_what_cannot_be_compared)
{
    char etag[64];
    char list[160];
    view_etag(LINE, etag);
    snprintf(list, sizeof list, "\"0000000000000000\", %s", etag);
    expect_if("POST", LINE "/cordon", list, "", 200);
    expect_if("POST", LINE "/uncordon", "*", "", 200);
    snprintf(list, sizeof list, "W/%s", etag);
    expect_if("POST", LINE "/cordon", list, "", 412);
    expect_if("POST", "/v1/lines/+12025550199/cordon", etag, "", 404); /* nothing is there: that is the better word */
    expect_if("POST", "/v1/dead/requeue", etag, "", 412);
    const char *job = "{\"id\":\"a\",\"pool\":\"eu\",\"to\":\"+14155550101\",\"message\":{}}";
    expect_if("POST", "/v1/jobs", etag, job, 412);
    expect_if("POST", "/v1/jobs", "*", job, 412);
    rig_expect("GET", "/v1/jobs/eu%2Fa", "admin-token", NULL, 404); /* nothing was taken */
    expect_if("POST", "/v1/triage/cancel?pool=eu", etag, "", 412);
    char much[600];
    memset(much, 'x', sizeof much - 1);
    much[sizeof much - 1] = '\0';
    expect_if("POST", LINE "/cordon", much, "", 400); /* and not: without a condition */
}
END_TEST

START_TEST(a_call_that_was_not_made_for_it_is_in_the_audit)
{
    expect_if("POST", LINE "/cordon", "\"0000000000000000\"", "", 412);
    struct reply reply = rig_ask("GET", "/v1/audit", "operator-token", NULL);
    const cJSON *record = cJSON_GetArrayItem(json_get(reply.json, "audit"), 0);
    ck_assert_str_eq(json_string(record, "code"), "changed");
    ck_assert(cJSON_Compare(json_get(record, "before"), json_get(record, "after"), true));
    reply_free(&reply);
}
END_TEST

/* What is kept of a group that opted out and was forgotten: it stands in no view by its name. */
START_TEST(what_is_kept_of_a_group_is_compared_too)
{
    static const char to[] = "[\"+14155550191\",\"+14155550192\"]";
    static const char path[] = "/v1/suppressions/default/+14155550191,+14155550192";
    static const char why[] = "{\"reason\":\"they wrote\"}";
    char etag[64];
    uint64_t key = recipients_conversation(&rig.hash, "eu", (struct span){to, sizeof to - 1});
    ck_assert(suppression_keep(rig.core, 0, key, rig.now.wall_ms, rig.now, &rig.effects));
    rig_commit();
    struct reply reply = ask_if("DELETE", path, "\"0000000000000000\"", why);
    ck_assert_int_eq(reply.status, 412);
    header_etag(&reply, etag);
    reply_free(&reply);
    expect_if("DELETE", path, etag, why, 200);
    expect_if("DELETE", path, etag, why, 412);
    rig_expect("DELETE", path, "admin-token", why, 404);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("admin_if_match");
    TCase *tests = tcase_create("admin_if_match");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, rig_setup, rig_teardown);
    tcase_add_test(tests, the_second_of_two_operators_is_told_how_it_stands_now);
    tcase_add_test(tests, what_is_kept_of_a_group_is_compared_too);
    tcase_add_test(tests, a_token_of_some_pools_learns_nothing_of_others_jobs);
    tcase_add_test(tests, without_the_header_all_works_as_before);
    tcase_add_test(tests, an_etag_changes_with_what_operators_set_and_not_by_itself);
    tcase_add_test(tests, each_kind_of_thing_has_one_and_keeps_to_it);
    tcase_add_test(tests, the_list_of_pauses_has_one_for_whoever_looked_there);
    tcase_add_test(tests, no_change_of_many_pauses_goes_unseen);
    tcase_add_test(tests, a_list_of_etags_a_star_and_what_cannot_be_compared);
    tcase_add_test(tests, a_call_that_was_not_made_for_it_is_in_the_audit);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
