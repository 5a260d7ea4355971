/* GET /v1/triage/export: what waits, as documents that come back once however often they are imported, and up to which job. */
#include "tests/unit/admin_triage_rig.h"

static struct reply export(const char *query)
{
    char target[256];
    snprintf(target, sizeof target, "/v1/triage/export?%s", query);
    struct reply reply = rig_ask("GET", target, "operator-token", NULL);
    ck_assert_msg(reply.status == 200, "%s: %d %s", target, reply.status, reply.body);
    return reply;
}

/* The one of that producer's id. */
static const cJSON *exported(const cJSON *list, char id)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        if (json_string(json_get(item, "document"), "id")[0] == id)
            return item;
    }
    ck_abort_msg("%c is not exported", id);
}

/* Submits each exported document; how many were taken as new. */
static int import(const cJSON *list)
{
    const cJSON *item;
    int fresh = 0;
    cJSON_ArrayForEach(item, list)
    {
        char *text = cJSON_PrintUnformatted(json_get(item, "document"));
        struct reply reply = rig_ask("POST", "/v1/jobs", "operator-token", text);
        const cJSON *result = cJSON_GetArrayItem(json_get(reply.json, "results"), 0);
        const char *state = json_string(result, "state");
        ck_assert_msg(state != NULL, "%s: %s", text, reply.body);
        fresh += strcmp(state, "duplicate") != 0;
        reply_free(&reply);
        cJSON_free(text);
    }
    return fresh;
}

/* covers: call GET /v1/triage/export */
START_TEST(what_is_exported_and_cancelled_comes_back_once_however_often_it_is_imported)
{
    backlog();
    struct reply all = export("account=default");
    const cJSON *list = json_get(all.json, "export");
    ck_assert_int_eq(cJSON_GetArraySize(list), 6);
    ck_assert(cJSON_IsNull(json_get(all.json, "next")));
    const cJSON *second = exported(list, 'b'), *document = json_get(second, "document");
    char id[48];
    snprintf(id, sizeof id, "b~%s", json_string(second, "job"));
    ck_assert_str_eq(json_string(document, "id"), id);
    ck_assert_str_eq(json_string(document, "pool"), "us");
    ck_assert_str_eq(json_string(document, "class"), "campaign");
    ck_assert_str_eq(json_string(document, "campaign"), "spring");
    ck_assert_str_eq(json_string(document, "expires_at"), "2026-11-24T00:00:00.000Z");
    ck_assert_ptr_null(json_string(document, "send_after"));
    ck_assert_str_eq(json_string(second, "accepted_at"), "2026-11-23T11:00:00.000Z");
    ck_assert_str_eq(json_string(json_get(exported(list, 'e'), "document"), "from"), "+12025550101");
    ck_assert_str_eq(json_string(json_get(exported(list, 'f'), "document"), "send_after"), "2026-11-25T00:00:00.000Z");
    struct reply done = triage("cancel", "account=default");
    ck_assert_int_eq(number(done.json, "jobs"), 6);
    reply_free(&done);
    ck_assert_int_eq(import(list), 6);
    ck_assert_int_eq(import(list), 0);
    expect_ended("abcdef", "cancelled");
    struct reply again = export("account=default");
    ck_assert_int_eq(cJSON_GetArraySize(json_get(again.json, "export")), 6);
    for (int i = 0; i < 6; i++) { /* one number, however often it goes round */
        const cJSON *item = cJSON_GetArrayItem(json_get(again.json, "export"), i);
        const char *name = json_string(json_get(item, "document"), "id"), *mark = strchr(name, '~');
        ck_assert_ptr_eq(mark, strrchr(name, '~'));
        ck_assert_str_eq(mark + 1, json_string(item, "job"));
        ck_assert(cJSON_IsArray(json_get(json_get(json_get(item, "document"), "message"), "parts")));
    }
    reply_free(&again);
    reply_free(&all);
}
END_TEST

START_TEST(an_export_is_read_page_by_page_and_by_whoever_may_read_messages)
{
    char long_id[129], query[64];
    int jobs = 0;
    memset(long_id, 'x', sizeof long_id - 1);
    long_id[sizeof long_id - 1] = '\0';
    backlog();
    enqueue(long_id, 7, ",\"pool\":\"us\"");
    rig_expect("POST", "/v1/jobs", "admin-token", "{\"pool\":\"us\",\"to\":\"+14155550077\",\"message\":{\"a\":1}}", 200);
    snprintf(query, sizeof query, "pool=us&limit=2");
    for (int pages = 0; pages < 5; pages++) {
        struct reply page = export(query);
        const cJSON *item, *list = json_get(page.json, "export");
        cJSON_ArrayForEach(item, list)
        {
            const char *id = json_string(json_get(item, "document"), "id");
            ck_assert_uint_le(strlen(id), 128);
            ck_assert_str_eq(strrchr(id, '~') + 1, json_string(item, "job"));
            ck_assert(id[0] != '~' || jobs == 5);
            jobs++;
        }
        const char *next = json_string(page.json, "next");
        bool over = next == NULL;
        if (!over)
            snprintf(query, sizeof query, "pool=us&limit=2&after=%s", next);
        reply_free(&page);
        if (over)
            break;
    }
    ck_assert_int_eq(jobs, 6);
    rig_expect("GET", "/v1/triage/export?pool=us", "viewer-token", NULL, 403);
    rig_expect("GET", "/v1/triage/export?pool=us", "operator-eu-token", NULL, 404);
    rig_expect("GET", "/v1/triage/export", "operator-token", NULL, 422);
}
END_TEST

START_TEST(what_comes_between_an_export_and_its_cancel_is_none_of_either)
{
    static const char *const bad[] = {"x", "0", "", "1.2", "999999", "-1", "99999999999999999999"};
    char query[96];
    backlog();
    struct reply all = export("account=default");
    const char *until = json_string(all.json, "until");
    ck_assert_ptr_nonnull(until);
    enqueue("late", 6, ",\"pool\":\"us\"");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(query, sizeof query, "/v1/triage/cancel?account=default&until=%s", bad[i]);
        rig_expect("POST", query, "operator-token", "{}", 422);
    }
    snprintf(query, sizeof query, "account=default&limit=4&until=%s", until);
    struct reply again = export(query);
    ck_assert_int_eq(cJSON_GetArraySize(json_get(again.json, "export")), 4);
    ck_assert_str_eq(json_string(again.json, "until"), until);
    reply_free(&again);
    struct reply done = triage("cancel", query);
    ck_assert_int_eq(number(done.json, "jobs"), 4);
    snprintf(query, sizeof query, "account=default&after=%s", json_string(done.json, "next")); /* has the mark as well */
    reply_free(&done);
    done = triage("cancel", query);
    ck_assert_int_eq(number(done.json, "jobs"), 2);
    ck_assert_str_eq(json_string(done.json, "until"), until);
    reply_free(&done);
    expect_ended("abcdef", "cancelled");
    ck_assert(is("us", "late", "held"));
    struct reply audit = rig_ask("GET", "/v1/audit?order=newest&limit=2", "admin-token", NULL);
    const cJSON *first = cJSON_GetArrayItem(json_get(audit.json, "audit"), 1);
    ck_assert_str_eq(json_string(json_get(first, "target"), "until"), until);
    reply_free(&audit);
    reply_free(&all);
}
END_TEST

START_TEST(an_export_waits_until_what_was_accepted_before_it_is_on_disk)
{
    rig_expect("POST", "/v1/pause", "operator-token", "{\"reason\":\"triage\"}", 200);
    rig_hold_until_asked();
    enqueue_at_once("young", 1, 10);
    struct reply reply = export("pool=us");
    ck_assert_int_eq(cJSON_GetArraySize(json_get(reply.json, "export")), 1);
    reply_free(&reply);
    rig_hold_until_asked();
    enqueue_at_once("younger", 2, 10);
    reply = triage("cancel", "pool=us&accepted_after=2026-11-23T00:00:00Z&dry_run=1"); /* the disk knows when */
    ck_assert_int_eq(number(reply.json, "jobs"), 2);
    reply_free(&reply);
}
END_TEST

/* Found by the simulation, seed 82856: what others had just ended lived again after a crash, and was in no file. */
START_TEST(an_export_waits_once_more_for_what_it_left_out_because_it_had_ended)
{
    rig_expect("POST", "/v1/pause", "operator-token", "{\"reason\":\"triage\"}", 200);
    enqueue_at_once("a", 1, 10);
    unsigned before = rig.waited;
    struct reply reply = export("pool=us");
    ck_assert_uint_eq(rig.waited - before, 2); /* for what was accepted, and for what was decided until it looked */
    reply_free(&reply);
}
END_TEST

/* Else it would be cancelled behind the export, and be in no file. */
START_TEST(what_a_worker_has_is_exported_with_that_word_for_it_may_come_back)
{
    char query[64];
    enqueue("a", 1, ",\"pool\":\"eu\"");
    const struct core_result retry = {.peer = 1, .lease = lease_to_worker(), .outcome = OUTCOME_RETRY, .retry_after_ms = 600000};
    enqueue("b", 2, ",\"pool\":\"eu\"");
    struct reply reply = export("pool=eu");
    const cJSON *list = json_get(reply.json, "export");
    ck_assert_int_eq(cJSON_GetArraySize(list), 2);
    ck_assert_str_eq(json_string(exported(list, 'a'), "stay"), "leased");
    ck_assert(cJSON_IsNull(json_get(exported(list, 'b'), "stay")));
    ck_assert_int_eq(number(reply.json, "stay"), 1);
    ck_assert_int_eq(number(json_get(reply.json, "stays"), "leased"), 1);
    snprintf(query, sizeof query, "pool=eu&until=%s", json_string(reply.json, "until"));
    reply_free(&reply);
    core_worker_result(rig.core, &retry, rig.now, &rig.effects);
    rig_commit();
    reply = triage("cancel", query);
    ck_assert_int_eq(number(reply.json, "jobs"), 2);
    reply_free(&reply);
}
END_TEST

START_TEST(what_may_have_been_sent_is_exported_with_that_word)
{
    enqueue("a", 1, ",\"pool\":\"eu\"");
    const struct core_result unknown = {
        .peer = 1, .lease = lease_to_worker(), .outcome = OUTCOME_RETRY, .unknown = true, .retry_after_ms = 6000000};
    core_worker_result(rig.core, &unknown, rig.now, &rig.effects);
    rig_commit();
    struct reply reply = export("pool=eu");
    ck_assert_str_eq(json_string(exported(json_get(reply.json, "export"), 'a'), "stay"), "outcome_unknown");
    ck_assert_int_eq(number(json_get(reply.json, "stays"), "outcome_unknown"), 1);
    reply_free(&reply);
}
END_TEST

START_TEST(what_ends_as_soon_as_it_comes_back_is_in_no_export)
{
    enqueue("a", 1, ",\"pool\":\"eu\"");
    (void)lease_to_worker();
    rig_expect("DELETE", "/v1/jobs/eu%2Fa", "operator-token", NULL, 200);
    struct reply reply = export("pool=eu");
    ck_assert_int_eq(cJSON_GetArraySize(json_get(reply.json, "export")), 0);
    ck_assert_int_eq(number(json_get(reply.json, "stays"), "leased"), 1);
    reply_free(&reply);
}
END_TEST

START_TEST(what_cannot_be_read_is_left_out_of_an_export_and_told)
{
    rig_expect("POST", "/v1/pause", "operator-token", "{\"reason\":\"triage\"}", 200);
    enqueue_at_once("there", 1, 10);
    rig.durable_count = rig.record_count;
    rig.hold_records = true; /* for good */
    enqueue_at_once("lost", 2, 10);
    struct reply reply = export("pool=us");
    ck_assert_int_eq(cJSON_GetArraySize(json_get(reply.json, "export")), 1);
    ck_assert_int_eq(number(json_get(reply.json, "stays"), "busy"), 1);
    ck_assert_int_eq(number(reply.json, "stay"), 1);
    reply_free(&reply);
}
END_TEST

START_TEST(large_documents_fill_many_pages_and_each_is_there_once)
{
    enum { JOBS = 20, BYTES = 200000 };
    char query[64] = "pool=us", id[16];
    unsigned met[JOBS] = {0}, pages = 0;
    rig_expect("POST", "/v1/pause", "operator-token", "{\"reason\":\"triage\"}", 200);
    for (unsigned i = 0; i < JOBS; i++) {
        snprintf(id, sizeof id, "%u", i);
        enqueue_at_once(id, i, BYTES);
    }
    for (bool over = false; !over; pages++) {
        struct reply page = export(query);
        const cJSON *item;
        ck_assert_uint_lt(strlen(page.body), 1400000);
        cJSON_ArrayForEach(item, json_get(page.json, "export"))
            met[atoi(json_string(json_get(item, "document"), "id"))]++;
        const char *next = json_string(page.json, "next");
        over = next == NULL;
        snprintf(query, sizeof query, "pool=us&after=%s", over ? "" : next);
        reply_free(&page);
    }
    ck_assert_uint_ge(pages, 4);
    for (unsigned i = 0; i < JOBS; i++)
        ck_assert_uint_eq(met[i], 1);
}
END_TEST

int main(void)
{
    TCase *tests = triage_case("export");
    tcase_add_test(tests, what_is_exported_and_cancelled_comes_back_once_however_often_it_is_imported);
    tcase_add_test(tests, an_export_is_read_page_by_page_and_by_whoever_may_read_messages);
    tcase_add_test(tests, what_comes_between_an_export_and_its_cancel_is_none_of_either);
    tcase_add_test(tests, an_export_waits_until_what_was_accepted_before_it_is_on_disk);
    tcase_add_test(tests, an_export_waits_once_more_for_what_it_left_out_because_it_had_ended);
    tcase_add_test(tests, what_a_worker_has_is_exported_with_that_word_for_it_may_come_back);
    tcase_add_test(tests, what_may_have_been_sent_is_exported_with_that_word);
    tcase_add_test(tests, what_ends_as_soon_as_it_comes_back_is_in_no_export);
    tcase_add_test(tests, what_cannot_be_read_is_left_out_of_an_export_and_told);
    tcase_add_test(tests, large_documents_fill_many_pages_and_each_is_there_once);
    return triage_run("admin_export", tests);
}
