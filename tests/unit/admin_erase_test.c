/* POST /v1/erasures: who may ask, what is refused and in which words, what the audit keeps, and that nobody writes to them
 * meanwhile. */
#include "broker/core/suppression.h"
#include "broker/edge/named.h"
#include "tests/support/suite.h"
#include "tests/unit/admin_work_rig.h"

#define PERSON "+14155550190"

static void expect_refused(const char *token, const char *body, int status, const char *code, const char *field)
{
    struct reply reply = rig_ask("POST", "/v1/erasures", token, body);
    const cJSON *error = json_get(reply.json, "error");
    const char *said = json_string(error, "field");
    ck_assert_msg(reply.status == status, "%s: %d: %s", body, reply.status, reply.body);
    ck_assert_str_eq(json_string(error, "code"), code);
    ck_assert_str_eq(said != NULL ? said : "", field != NULL ? field : "");
    ck_assert_ptr_null(strstr(reply.body, "55550190")); /* no answer repeats whom it is about */
    reply_free(&reply);
}

static void order(const char *body, char id[32])
{
    struct reply reply = rig_ask("POST", "/v1/erasures", "admin-token", body);
    ck_assert_msg(reply.status == 202, "%d: %s", reply.status, reply.body);
    snprintf(id, 32, "%s", json_string(reply.json, "erasure"));
    ck_assert_ptr_null(strstr(reply.body, "55550190"));
    reply_free(&reply);
}

static void found(uint64_t id, const uint64_t *keys, size_t count)
{
    const struct erasure_found news = {.id = id, .keys = keys, .key_count = count};
    core_erasure_found(rig.core, &news, rig.now, &rig.effects);
    rig_commit();
    core_tick(rig.core, rig.now, &rig.effects);
    rig_commit();
    rig.now.mono_ms += 2;
    core_tick(rig.core, rig.now, &rig.effects);
    rig_commit();
}

START_TEST(only_an_admin_of_all_pools_may)
{
    static const char body[] = "{\"to\":\"" PERSON "\",\"reason\":\"asked\"}";
    expect_refused("viewer-token", body, 403, "forbidden", NULL);
    expect_refused("operator-token", body, 403, "forbidden", NULL);
    rig_expect("GET", "/v1/erasures", "viewer-token", NULL, 403);
    rig_expect("GET", "/v1/erasures", "operator-token", NULL, 200);
    rig_expect("GET", "/v1/erasures/e_1", "operator-token", NULL, 404);
}
END_TEST

/* covers: call POST /v1/erasures; code invalid_recipient */
START_TEST(what_makes_no_sense_is_refused)
{
    expect_refused("admin-token", "{\"reason\":\"asked\"}", 422, "invalid_recipient", "to");
    expect_refused("admin-token", "{\"to\":\"nobody\",\"reason\":\"asked\"}", 422, "invalid_recipient", "to");
    expect_refused("admin-token", "{\"to\":\"" PERSON ",+14155550191\",\"reason\":\"asked\"}", 422, "invalid_recipient", "to");
    expect_refused("admin-token", "{\"to\":\"" PERSON "\"}", 422, "invalid_field", "reason");
    expect_refused("admin-token", "{\"to\":\"" PERSON "\",\"dry_run\":1}", 422, "invalid_field", "dry_run");
    expect_refused("admin-token", "[]", 400, "malformed", NULL);
    ck_assert(!core_is_erasing(rig.core));
}
END_TEST

/* covers: call GET /v1/erasures, GET /v1/erasures/{erasure}; code not_allowed */
START_TEST(nobody_writes_to_them_before_it_is_done)
{
    static const char job[] = "{\"id\":\"x\",\"pool\":\"eu\",\"to\":\"" PERSON "\",\"message\":{}}";
    static const char group[] = "{\"pool\":\"us\",\"to\":[\"+14155550191\",\"" PERSON "\"],\"message\":{}}";
    static const char friend[] = "{\"pool\":\"eu\",\"to\":\"+14155550191\",\"message\":{}}";
    static const char home[] = "{\"conversations\":[{\"pool\":\"eu\",\"line\":\"+12025550101\",\"to\":\"" PERSON "\"}]}";
    char id[32], again[32];
    rig_expect("POST", "/v1/jobs", "operator-token", job, 200);
    order("{\"to\":\"" PERSON "\",\"reason\":\"asked\"}", id);
    ck_assert_str_eq(id, "e_1");
    order("{\"to\":\"" PERSON "\",\"reason\":\"asked twice\"}", again);
    ck_assert_str_eq(again, id);
    static const struct {
        const char *body, *code;
    } jobs[] = {{group, "not_allowed"}, {friend, ""}, {job, "duplicate"}};
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        struct reply reply = rig_ask("POST", "/v1/jobs", "operator-token", jobs[i].body);
        ck_assert_msg(strstr(reply.body, jobs[i].code) != NULL, "%s: %s", jobs[i].body, reply.body);
        ck_assert(jobs[i].code[0] != '\0' || strstr(reply.body, "error") == NULL);
        reply_free(&reply);
    }
    struct reply reply = rig_ask("POST", "/v1/conversations/import", "operator-token", home);
    ck_assert_msg(strstr(reply.body, "not_allowed") != NULL, "%s", reply.body);
    reply_free(&reply);
    found(1, NULL, 0);
    core_erasure_rewritten(rig.core, 1, 9, false, rig.now, &rig.effects);
    rig_commit();
    reply = rig_ask("GET", "/v1/erasures/e_1", "operator-token", NULL);
    ck_assert_str_eq(json_string(reply.json, "state"), "done");
    ck_assert_int_eq(cJSON_GetNumberValue(json_get(reply.json, "records")), 9);
    ck_assert_int_eq(cJSON_GetNumberValue(json_get(reply.json, "jobs")), 1);
    reply_free(&reply);
    reply = rig_ask("POST", "/v1/conversations/import", "operator-token", home);
    ck_assert_msg(strstr(reply.body, "imported") != NULL, "%s", reply.body);
    reply_free(&reply);
}
END_TEST

static bool has(const void *data, size_t bytes)
{
    return bytes > 0 && (memmem(data, bytes, "55550190", 8) != NULL || memmem(data, bytes, "555-0190", 8) != NULL);
}

/* Of all that was written since. */
static void must_not_be_written(size_t since)
{
    for (size_t i = since; i < rig.record_count; i++) {
        const struct change *change = &rig.records[i];
        bool named = false;
        for (unsigned s = 0; s < SECTION_COUNT; s++)
            named = named || has(change->sections[s].data, change->sections[s].bytes);
        if (change->kind == CHANGE_PAUSE)
            named = has(change->pause, sizeof *change->pause);
        else if (change->kind == CHANGE_ORDERS)
            named = has(change->orders, sizeof *change->orders);
        else if (change->kind == CHANGE_SUPPRESSION && change->suppression.text != NULL)
            named = has(change->suppression.text, sizeof *change->suppression.text);
        ck_assert_msg(!named, "record %zu of kind %d", i, change->kind);
    }
}

/* Nothing that is said while it is under way is gone through any more: so it must not name them. */
START_TEST(what_operators_say_meanwhile_names_nobody_who_is_being_erased)
{
    static const char reason[] = "{\"status\":\"AT_RISK\",\"for_ms\":60000,\"reason\":\"so says +1 (415) 555-0190 of ann\"}";
    char id[32];
    rig_expect("POST", "/v1/pause", "admin-token", "{\"reason\":\"" PERSON "\"}", 200);
    order("{\"to\":\"" PERSON "\",\"reason\":\"letter of 415-555-0190\"}", id);
    size_t since = rig.record_count - 1; /* the order's own audit record, too */
    found(1, NULL, 0);
    rig_expect("POST", "/v1/conversations/eu/+14155550191," PERSON "/pause", "operator-token", reason, 200);
    rig_expect("POST", "/v1/lines/+12025550101/pause", "operator-token", reason, 200);
    rig_expect("POST", "/v1/lines/+12025550101/reputation", "operator-token", reason, 200);
    rig_expect("PUT", "/v1/suppressions/default/+14155550191", "admin-token", "{\"reason\":\"a friend of 4155550190\"}", 200);
    rig_expect("PUT", "/v1/suppressions/default/" PERSON, "admin-token", "{\"reason\":\"asked\"}", 200);
    rig_expect("POST", "/v1/conversations/eu/" PERSON "/pause", "operator-token", "{\"reason\":7}", 422);
    must_not_be_written(since);
    ck_assert_ptr_null(named_unless_erased(rig.core, &rig.hash, PERSON)); /* of who is heard of by a worker, or a webhook */
    ck_assert_str_eq(named_unless_erased(rig.core, &rig.hash, "+14155550191"), "+14155550191");
    struct reply reply = rig_ask("GET", "/v1/pauses", "admin-token", NULL);
    ck_assert_msg(strstr(reply.body, "eu/+***********,+14155550191") != NULL, "%s", reply.body);
    ck_assert_ptr_nonnull(strstr(reply.body, "so says +**************** of ann"));
    reply_free(&reply);
    reply = rig_ask("GET", "/v1/suppressions/default", "admin-token", NULL);
    ck_assert_ptr_nonnull(strstr(reply.body, "a friend of **********"));
    ck_assert_ptr_null(strstr(reply.body, "5550190"));
    reply_free(&reply);
    rig_expect("POST", "/v1/conversations/eu/+14155550191," PERSON "/resume", "operator-token", NULL, 200);
    rig_expect("DELETE", "/v1/suppressions/default/" PERSON, "admin-token", "{\"reason\":\"wrong\"}", 200);
    must_not_be_written(since);
}
END_TEST

/* Likewise the word that settles a job, which is kept with the job. */
START_TEST(the_word_that_settles_a_job_names_nobody_who_is_being_erased)
{
    static const char word[] = "{\"outcome\":\"sent\",\"reason\":\"so says " PERSON "\"}";
    char id[32];
    worker_ready(64);
    rig_expect("POST", "/v1/jobs", "operator-token", "{\"id\":\"a\",\"pool\":\"eu\",\"to\":\"+14155550101\",\"message\":{}}", 200);
    const struct core_result said = {
        .peer = 1, .lease = lease_one(), .outcome = OUTCOME_RETRY, .unknown = true, .retry_after_ms = 600000, .result = {"{}", 2}};
    core_worker_result(rig.core, &said, rig.now, &rig.effects);
    rig_commit();
    order("{\"to\":\"" PERSON "\",\"reason\":\"asked\"}", id);
    found(1, NULL, 0);
    size_t since = rig.record_count;
    rig_expect("POST", "/v1/jobs/eu%2Fa/settle", "operator-token", word, 200);
    must_not_be_written(since);
}
END_TEST

static void erase_them(void)
{
    const struct core_erase order = {.token = 5, .person = named_person(&rig.hash, PERSON), .by = "ann"};
    rig.looked_up = NULL;
    core_erase(rig.core, &order, rig.now, &rig.effects);
    rig_commit();
    found(1, NULL, 0);
    core_erasure_rewritten(rig.core, 1, 0, false, rig.now, &rig.effects);
    rig_commit();
    ck_assert(!core_is_erasing(rig.core));
}

/* It reads what is on disk, and meanwhile they are erased; one that begins afterwards is about a stranger. */
START_TEST(a_call_that_began_before_an_erasure_and_ends_behind_it_names_nobody)
{
    static const char job[] = "{\"id\":\"x\",\"pool\":\"eu\",\"to\":\"" PERSON "\",\"message\":{}}";
    static const char cancel[] = "/v1/triage/cancel?to=%2B14155550190";
    rig_expect("POST", "/v1/jobs", "operator-token", job, 200);
    size_t since = rig.record_count;
    rig.looked_up = erase_them;
    rig_expect("POST", cancel, "operator-token", "{\"reason\":\"asked\"}", 200);
    ck_assert(!core_is_erasing(rig.core));
    ck_assert_ptr_null(rig.looked_up);
    must_not_be_written(since);
    rig.now.mono_ms++;
    since = rig.record_count;
    rig_expect("POST", cancel, "operator-token", "{\"reason\":\"wrong\"}", 200);
    const struct change *last = &rig.records[rig.record_count - 1];
    ck_assert_uint_gt(rig.record_count, since);
    ck_assert(has(last->sections[SECTION_RESULT].data, last->sections[SECTION_RESULT].bytes));
}
END_TEST

/* Its chat was forgotten with one of them, and what it said of them all was kept. */
START_TEST(a_group_that_opted_out_is_let_go_by_naming_all_of_it)
{
    static const char to[] = "[\"+14155550191\",\"+14155550192\"]";
    static const char path[] = "/v1/suppressions/default/+14155550192,+14155550191";
    static const char job[] = "{\"pool\":\"eu\",\"to\":[\"+14155550192\",\"+14155550191\"],\"message\":{}}";
    uint64_t key = recipients_conversation(&rig.hash, "eu", (struct span){to, sizeof to - 1});
    ck_assert(suppression_keep(rig.core, 0, key, rig.now.wall_ms, rig.now, &rig.effects));
    rig_commit();
    struct reply reply = rig_ask("POST", "/v1/jobs", "operator-token", job);
    ck_assert_msg(strstr(reply.body, "opted_out") != NULL, "%s", reply.body);
    reply_free(&reply);
    reply = rig_ask("GET", "/v1/suppressions/default", "admin-token", NULL);
    const cJSON *entry = cJSON_GetArrayItem(json_get(reply.json, "suppressions"), 0);
    ck_assert(cJSON_IsNull(json_get(entry, "to")));
    ck_assert_str_eq(json_string(entry, "cause"), "opted_out");
    reply_free(&reply);
    rig_expect("DELETE", path, "operator-token", "{\"reason\":\"they wrote\"}", 403);
    rig_expect("DELETE", "/v1/suppressions/default/+14155550192,+14155550190", "admin-token", "{\"reason\":\"they wrote\"}", 404);
    rig_expect("DELETE", path, "admin-token", "{\"reason\":\"they wrote\"}", 200);
    reply = rig_ask("GET", "/v1/audit", "admin-token", NULL);
    const cJSON *records = json_get(reply.json, "audit");
    const cJSON *record = cJSON_GetArrayItem(records, cJSON_GetArraySize(records) - 1);
    ck_assert_str_eq(json_string(json_get(json_get(record, "before"), "suppression"), "cause"), "opted_out");
    ck_assert(cJSON_IsNull(json_get(json_get(record, "after"), "suppression")));
    reply_free(&reply);
    reply = rig_ask("POST", "/v1/jobs", "operator-token", job);
    ck_assert_msg(strstr(reply.body, "error") == NULL, "%s", reply.body);
    reply_free(&reply);
}
END_TEST

START_TEST(the_list_is_read_page_by_page_the_newest_first)
{
    char id[32], body[96], path[64] = "/v1/erasures?limit=2";
    unsigned seen = 0;
    for (unsigned i = 0; i < 5; i++) {
        snprintf(body, sizeof body, "{\"to\":\"+1415555000%u\",\"dry_run\":%s,\"reason\":\"x\"}", i, i == 0 ? "true" : "false");
        order(body, id);
    }
    for (bool more = true; more;) {
        struct reply reply = rig_ask("GET", path, "operator-token", NULL);
        const char *next = json_string(reply.json, "next");
        const cJSON *item;
        cJSON_ArrayForEach(item, json_get(reply.json, "erasures"))
        {
            snprintf(id, sizeof id, "e_%u", 5 - seen++);
            ck_assert_str_eq(json_string(item, "erasure"), id);
        }
        more = next != NULL;
        snprintf(path, sizeof path, "/v1/erasures?limit=2&after=%s", more ? next : "");
        reply_free(&reply);
    }
    ck_assert_uint_eq(seen, 5);
}
END_TEST

START_TEST(the_audit_says_which_order_it_was_and_not_whom_it_is_about)
{
    rig_expect("POST", "/v1/erasures", "admin-token", "{\"to\":\"" PERSON "\",\"reason\":\"a letter\"}", 202);
    struct reply reply = rig_ask("GET", "/v1/audit", "operator-token", NULL);
    const cJSON *record = cJSON_GetArrayItem(json_get(reply.json, "audit"), 0);
    ck_assert_str_eq(json_string(record, "call"), "POST /v1/erasures");
    ck_assert_str_eq(json_string(record, "reason"), "a letter");
    ck_assert_str_eq(json_string(json_get(record, "after"), "erasure"), "e_1");
    ck_assert_ptr_null(strstr(reply.body, "55550190"));
    reply_free(&reply);
}
END_TEST

START_TEST(the_audit_names_no_order_where_one_was_refused)
{
    char id[32], body[96];
    for (unsigned i = 0; i < 64; i++) {
        snprintf(body, sizeof body, "{\"to\":\"+141555500%02u\",\"reason\":\"x\"}", i);
        order(body, id);
    }
    rig_expect("POST", "/v1/erasures", "admin-token", "{\"to\":\"" PERSON "\",\"reason\":\"x\"}", 429);
    struct reply reply = rig_ask("GET", "/v1/audit?order=newest&limit=1", "operator-token", NULL);
    const cJSON *record = cJSON_GetArrayItem(json_get(reply.json, "audit"), 0);
    ck_assert_str_eq(json_string(record, "code"), "busy");
    ck_assert_msg(cJSON_IsNull(json_get(record, "after")), "%s", reply.body);
    reply_free(&reply);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("admin_erase");
    TCase *tests = tcase_create("admin_erase");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, rig_setup, rig_teardown);
    tcase_add_test(tests, only_an_admin_of_all_pools_may);
    tcase_add_test(tests, what_makes_no_sense_is_refused);
    tcase_add_test(tests, nobody_writes_to_them_before_it_is_done);
    tcase_add_test(tests, what_operators_say_meanwhile_names_nobody_who_is_being_erased);
    tcase_add_test(tests, the_word_that_settles_a_job_names_nobody_who_is_being_erased);
    tcase_add_test(tests, a_call_that_began_before_an_erasure_and_ends_behind_it_names_nobody);
    tcase_add_test(tests, a_group_that_opted_out_is_let_go_by_naming_all_of_it);
    tcase_add_test(tests, the_list_is_read_page_by_page_the_newest_first);
    tcase_add_test(tests, the_audit_says_which_order_it_was_and_not_whom_it_is_about);
    tcase_add_test(tests, the_audit_names_no_order_where_one_was_refused);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
