/* admin_conversations_test.c — importing, showing and listing conversations, and who must not be sent to, over the admin
 * API. */
#include "tests/support/suite.h"
#include "tests/unit/admin_rig.h"

#define IMPORT "/v1/conversations/import"

static struct reply import(const char *token, const char *items)
{
    char body[65536];
    snprintf(body, sizeof body, "{\"conversations\":[%s]}", items);
    struct reply reply = rig_ask("POST", IMPORT, token, body);
    ck_assert_msg(reply.status == 200, "%d: %s", reply.status, reply.body);
    return reply;
}

static const cJSON *result_of(const struct reply *reply, int i)
{
    const cJSON *result = cJSON_GetArrayItem(json_get(reply->json, "results"), i);
    ck_assert_msg(result != NULL, "no result %d: %s", i, reply->body);
    return result;
}

static void ck_result(const struct reply *reply, int i, const char *state, const char *line)
{
    const cJSON *result = result_of(reply, i);
    ck_assert_pstr_eq(json_string(result, "state"), state);
    ck_assert_pstr_eq(json_string(result, "line"), line);
}

static void ck_refused(const struct reply *reply, int i, const char *code, const char *field)
{
    const cJSON *error = json_get(result_of(reply, i), "error");
    ck_assert_pstr_eq(json_string(error, "code"), code);
    ck_assert_pstr_eq(json_string(error, "field"), field);
    ck_assert_ptr_nonnull(json_string(error, "message"));
}

static cJSON *shown(const char *path, const char *token)
{
    struct reply reply = rig_ask("GET", path, token, NULL);
    ck_assert_msg(reply.status == 200, "%s: %d: %s", path, reply.status, reply.body);
    cJSON *json = reply.json;
    reply.json = NULL;
    reply_free(&reply);
    return json;
}

#define ONE "{\"pool\":\"eu\",\"line\":\"+12025550101\",\"to\":\"+14155550111\",\"chat_id\":\"chat-1\"," \
            "\"health\":\"at_risk\",\"health_at\":\"2026-11-20T10:00:00Z\",\"last_out\":\"2026-11-21T10:00:00Z\"," \
            "\"last_in\":\"2026-11-19T10:00:00Z\"}"
#define GROUP "{\"pool\":\"eu\",\"line\":\"+12025550101\",\"to\":[\"+14155550113\",\"Ann@example.com\"]}"

/* covers: call POST /v1/conversations/import, GET /v1/conversations/{pool}/{to} */
START_TEST(what_is_imported_is_shown_as_it_was_given)
{
    struct reply reply = import("operator-token", ONE "," GROUP);
    ck_result(&reply, 0, "imported", "+12025550101");
    ck_result(&reply, 1, "imported", "+12025550101");
    reply_free(&reply);
    cJSON *view = shown("/v1/conversations/eu/+14155550111", "viewer-token");
    ck_assert_str_eq(json_string(view, "pool"), "eu");
    ck_assert_str_eq(json_string(view, "line"), "+12025550101");
    ck_assert_str_eq(json_string(view, "chat_id"), "chat-1");
    ck_assert_str_eq(json_string(json_get(view, "health"), "status"), "AT_RISK");
    ck_assert_str_eq(json_string(json_get(view, "health"), "since"), "2026-11-20T10:00:00.000Z");
    ck_assert_str_eq(json_string(view, "last_out"), "2026-11-21T10:00:00.000Z");
    ck_assert_str_eq(json_string(view, "last_in"), "2026-11-19T10:00:00.000Z");
    ck_assert(json_bool(view, "placed", false));
    ck_assert_str_ne(cJSON_GetArrayItem(json_get(view, "to"), 0)->valuestring, "+14155550111"); /* masked */
    cJSON_Delete(view);
    view = shown("/v1/conversations/eu/%2B14155550113,ANN%40example.com", "operator-token");
    ck_assert_int_eq(cJSON_GetArraySize(json_get(view, "to")), 2);
    ck_assert(cJSON_IsNull(json_get(view, "chat_id")));
    ck_assert_str_eq(json_string(json_get(view, "health"), "status"), "UNKNOWN");
    cJSON_Delete(view);
}
END_TEST

START_TEST(each_conversation_stands_alone)
{
    char items[65536];
    size_t bytes = 0;
    static const char *const wrong[] = {
        "5",
        "{\"pool\":\"eu\",\"line\":\"+12025550101\"}",
        "{\"pool\":\"eu\",\"line\":\"12025550101\",\"to\":\"+14155550111\"}",
        "{\"pool\":\"eu\",\"line\":\"+12025550101\",\"to\":\"14155550111\"}",
        "{\"pool\":\"eu\",\"line\":\"+12025550101\",\"to\":\"+14155550111\",\"chat_id\":7}",
        "{\"pool\":\"eu\",\"line\":\"+12025550101\",\"to\":\"+14155550111\",\"last_out\":\"yesterday\"}",
        "{\"pool\":\"xx\",\"line\":\"+12025550101\",\"to\":\"+14155550111\"}",
        "{\"line\":\"+12025550101\",\"to\":\"+14155550111\"}",
        "{\"pool\":\"us\",\"line\":\"+12025550101\",\"to\":\"+14155550111\"}",
        "{\"pool\":\"eu\",\"line\":\"+12025550999\",\"to\":\"+14155550111\"}",
        "{\"pool\":\"eu\",\"line\":\"+12025550101\",\"to\":[\"+14155550111\",\"+14155550111\"]}",
    };
    static const char *const expected[][2] = {
        {"invalid_field", NULL},        {"invalid_field", "to"},       {"invalid_field", "line"},
        {"invalid_recipient", "to"},    {"invalid_field", "chat_id"},  {"invalid_field", "last_out"},
        {"unknown_pool", "pool"},       {"unknown_pool", "pool"},      {"unknown_line", "line"},
        {"unknown_line", "line"},       {"invalid_recipient", "to"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        bytes += (size_t)snprintf(items + bytes, sizeof items - bytes, "%s,", wrong[i]);
    snprintf(items + bytes, sizeof items - bytes, "%s", ONE);
    struct reply reply = import("admin-token", items);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_refused(&reply, (int)i, expected[i][0], expected[i][1]);
    ck_result(&reply, sizeof wrong / sizeof *wrong, "imported", "+12025550101");
    reply_free(&reply);
}
END_TEST

START_TEST(what_is_there_already_is_said_and_kept)
{
    struct reply reply = import("admin-token", ONE "," ONE);
    ck_result(&reply, 0, "imported", "+12025550101");
    ck_result(&reply, 1, "known", "+12025550101");
    reply_free(&reply);
    reply = import("admin-token", "{\"pool\":\"eu\",\"line\":\"+12025550101\",\"to\":\"+14155550111\","
                                  "\"chat_id\":\"chat-2\"}");
    ck_refused(&reply, 0, "line_conflict", "chat_id");
    ck_assert_str_eq(json_string(result_of(&reply, 0), "line"), "+12025550101");
    reply_free(&reply);
}
END_TEST

START_TEST(a_request_that_makes_no_sense_is_refused_whole)
{
    rig_expect("POST", IMPORT, "admin-token", "{", 400);
    rig_expect("POST", IMPORT, "admin-token", "[]", 400);
    rig_expect("POST", IMPORT, "admin-token", "{}", 422);
    rig_expect("POST", IMPORT, "admin-token", "{\"conversations\":[]}", 422);
    rig_expect("POST", IMPORT, "viewer-token", "{\"conversations\":[" ONE "]}", 403);
    rig_expect("POST", IMPORT, "producer-eu-token", "{\"conversations\":[" ONE "]}", 403);
    rig_expect("POST", IMPORT, NULL, "{\"conversations\":[" ONE "]}", 401);
    char *body = malloc(64 + 1001 * 2);
    ck_assert_ptr_nonnull(body);
    strcpy(body, "{\"conversations\":[1");
    for (int i = 0; i < 1000; i++)
        strcat(body, ",1");
    strcat(body, "]}");
    rig_expect("POST", IMPORT, "admin-token", body, 413);
    free(body);
}
END_TEST

START_TEST(a_full_store_takes_none)
{
    rig.store_full = true;
    struct reply reply = import("admin-token", ONE);
    ck_refused(&reply, 0, "store_full", NULL);
    reply_free(&reply);
    rig_expect("GET", "/v1/conversations/eu/+14155550111", "admin-token", NULL, 404);
}
END_TEST

static void import_many(int count)
{
    char items[65536];
    for (int i = 0; i < count;) {
        size_t bytes = 0;
        for (int n = 0; n < 250 && i < count; n++, i++)
            bytes += (size_t)snprintf(items + bytes, sizeof items - bytes,
                                      "%s{\"pool\":\"%s\",\"line\":\"+1202555010%d\",\"to\":\"+1415556%04d\","
                                      "\"chat_id\":\"chat-%d\"}",
                                      n > 0 ? "," : "", i % 3 == 0 ? "us" : "eu", i % 3 == 0 ? 2 : 1, i, i);
        struct reply reply = import("admin-token", items);
        ck_result(&reply, 0, "imported", (i - 1) / 250 * 250 % 3 == 0 ? "+12025550102" : "+12025550101");
        reply_free(&reply);
    }
}

/* How many conversations a walk over all pages shows; each exactly once. */
static int count_pages(const char *query, const char *token, int limit)
{
    char path[256];
    char next[32] = "";
    static bool seen[2000];
    int count = 0;
    memset(seen, 0, sizeof seen);
    do {
        snprintf(path, sizeof path, "/v1/conversations?limit=%d%s%s%s", limit, query, next[0] ? "&after=" : "", next);
        cJSON *page = shown(path, token);
        const cJSON *item;
        cJSON_ArrayForEach(item, json_get(page, "conversations"))
        {
            int n = atoi(json_string(item, "chat_id") + strlen("chat-"));
            ck_assert(!seen[n]);
            seen[n] = true;
            count++;
        }
        ck_assert_int_le(cJSON_GetArraySize(json_get(page, "conversations")), limit);
        const char *after = json_string(page, "next");
        snprintf(next, sizeof next, "%s", after != NULL ? after : "");
        cJSON_Delete(page);
    } while (next[0] != '\0');
    return count;
}

/* An export would lack it without a word. */
START_TEST(a_list_tells_how_many_it_leaves_out_because_they_are_damaged)
{
    struct reply reply = import("operator-token", ONE "," GROUP);
    reply_free(&reply);
    cJSON *page = shown("/v1/conversations", "admin-token");
    ck_assert_ptr_null(json_get(page, "unread"));
    cJSON_Delete(page);
    for (size_t i = 0; i < rig.record_count && rig.damaged == 0; i++)
        rig.damaged = rig.records[i].kind == CHANGE_CONVERSATION ? i + 1 : 0;
    page = shown("/v1/conversations", "admin-token");
    int64_t unread = 0;
    ck_assert_int_eq(cJSON_GetArraySize(json_get(page, "conversations")), 1);
    ck_assert(json_int(page, "unread", &unread));
    ck_assert_int_eq(unread, 1);
    cJSON_Delete(page);
    rig_expect("GET", "/v1/conversations/eu/+14155550111", "admin-token", NULL, 429);
}
END_TEST

/* covers: call GET /v1/conversations */
START_TEST(a_list_shows_each_once_by_pool_and_line)
{
    import_many(750);
    ck_assert_int_eq(count_pages("", "admin-token", 1000), 750);
    ck_assert_int_eq(count_pages("", "admin-token", 7), 750);
    ck_assert_int_eq(count_pages("&pool=us", "admin-token", 100), 250);
    ck_assert_int_eq(count_pages("&line=%2B12025550101", "admin-token", 100), 500);
    ck_assert_int_eq(count_pages("&line=%2B12025550101&pool=us", "admin-token", 100), 0);
    ck_assert_int_eq(count_pages("", "operator-eu-token", 100), 500);
    ck_assert_int_eq(count_pages("", "viewer-us-token", 100), 250);
    rig_expect("GET", "/v1/conversations?pool=us", "operator-eu-token", NULL, 404);
    rig_expect("GET", "/v1/conversations?line=5", "admin-token", NULL, 422);
    rig_expect("GET", "/v1/conversations?limit=1001", "admin-token", NULL, 422);
    rig_expect("GET", "/v1/conversations", "producer-eu-token", NULL, 403);
}
END_TEST

START_TEST(another_pools_conversation_is_not_found)
{
    struct reply reply = import("operator-eu-token", ONE ",{\"pool\":\"us\",\"line\":\"+12025550102\",\"to\":\"+14155550112\"}");
    ck_result(&reply, 0, "imported", "+12025550101");
    ck_refused(&reply, 1, "unknown_pool", "pool");
    reply_free(&reply);
    rig_expect("GET", "/v1/conversations/eu/+14155550111", "viewer-us-token", NULL, 404);
    rig_expect("GET", "/v1/conversations/nowhere/+14155550111", "admin-token", NULL, 404);
    rig_expect("GET", "/v1/conversations/eu/+14155550119", "admin-token", NULL, 404);
    rig_expect("GET", "/v1/conversations/eu/tomorrow", "admin-token", NULL, 422);
}
END_TEST

START_TEST(a_hash_alone_does_not_find_a_conversation)
{
    struct reply reply = import("admin-token", ONE);
    reply_free(&reply);
    for (size_t i = 0; i < rig.record_count; i++) /* as if its hash were that of other recipients */
        if (rig.records[i].kind == CHANGE_CONVERSATION)
            memcpy((char *)rig.records[i].sections[SECTION_RECIPIENTS].data, "[\"+14155550112\"]", 16);
    rig_expect("GET", "/v1/conversations/eu/+14155550111", "admin-token", NULL, 404);
}
END_TEST

START_TEST(a_conversation_with_jobs_that_wait_for_a_line_is_shown_too)
{
    rig_expect("POST", "/v1/jobs", "admin-token",
               "{\"pool\":\"us\",\"to\":\"+14155550111\",\"message\":{\"parts\":[]}}", 200);
    cJSON *view = shown("/v1/conversations/us/+14155550111", "operator-token");
    ck_assert(cJSON_IsNull(json_get(view, "line")));
    ck_assert(!json_bool(view, "placed", true));
    int64_t waiting = 0;
    ck_assert(json_int(view, "waiting", &waiting));
    ck_assert_int_eq(waiting, 1);
    cJSON_Delete(view);
    ck_assert_int_eq(count_pages("", "admin-token", 100), 0); /* lives nowhere yet */
}
END_TEST

START_TEST(a_conversations_own_pauses_are_named)
{
    struct reply reply = import("operator-token", ONE);
    reply_free(&reply);
    rig_expect("POST", "/v1/conversations/eu/+14155550111/pause", "operator-token", "{\"reason\":\"asked to\"}", 200);
    cJSON *view = shown("/v1/conversations/eu/+14155550111", "viewer-token");
    const cJSON *pauses = json_get(view, "pauses");
    ck_assert_int_eq(cJSON_GetArraySize(pauses), 1);
    ck_assert_str_eq(pauses->child->valuestring, "p_1");
    cJSON_Delete(view);
    rig_expect("POST", "/v1/conversations/eu/+14155550111/resume", "operator-token", NULL, 200);
    view = shown("/v1/conversations/eu/+14155550111", "viewer-token");
    ck_assert_int_eq(cJSON_GetArraySize(json_get(view, "pauses")), 0);
    cJSON_Delete(view);
}
END_TEST

/* ---- suppressions ---- */

#define OPTOUT_PATH "/v1/suppressions/default/+14155550111"

/* covers: call GET /v1/suppressions/{account}, PUT /v1/suppressions/{account}/{to}, DELETE /v1/suppressions/{account}/{to} */
START_TEST(an_operator_suppresses_and_an_admin_lifts)
{
    rig_expect("POST", "/v1/jobs", "admin-token",
               "{\"pool\":\"us\",\"to\":\"+14155550111\",\"message\":{\"parts\":[]}}", 200);
    rig_expect("PUT", OPTOUT_PATH, "operator-token", "{\"cause\":\"operator\",\"reason\":\"asked by letter\"}", 200);
    rig_expect("GET", "/v1/conversations/us/+14155550111", "operator-token", NULL, 404); /* nothing waits there */
    struct reply reply = rig_ask("POST", "/v1/jobs", "admin-token",
                                 "{\"pool\":\"eu\",\"to\":\"+14155550111\",\"message\":{\"parts\":[]}}");
    ck_assert_ptr_nonnull(strstr(reply.body, "opted_out"));
    reply_free(&reply);

    cJSON *list = shown("/v1/suppressions/default", "operator-token");
    const cJSON *entry = cJSON_GetArrayItem(json_get(list, "suppressions"), 0);
    ck_assert_str_eq(json_string(entry, "to"), "+14155550111");
    ck_assert_str_eq(json_string(entry, "cause"), "operator");
    ck_assert_str_eq(json_string(entry, "reason"), "asked by letter");
    ck_assert_str_eq(json_string(entry, "by"), "ops");
    ck_assert_str_eq(json_string(entry, "since"), "2026-11-23T10:00:00.000Z");
    ck_assert(cJSON_IsNull(json_get(list, "next")));
    cJSON_Delete(list);
    list = shown("/v1/suppressions/default", "viewer-token");
    entry = cJSON_GetArrayItem(json_get(list, "suppressions"), 0);
    ck_assert_str_ne(json_string(entry, "to"), "+14155550111");
    cJSON_Delete(list);

    rig_expect("DELETE", OPTOUT_PATH, "operator-token", "{\"reason\":\"r\"}", 403);
    rig_expect("DELETE", OPTOUT_PATH, "admin-token", "{}", 422);
    rig_expect("DELETE", OPTOUT_PATH, "admin-token", "{\"reason\":\"wrote to us\"}", 200);
    rig_expect("DELETE", OPTOUT_PATH, "admin-token", "{\"reason\":\"wrote to us\"}", 404);
    list = shown("/v1/suppressions/default", "operator-token");
    ck_assert_int_eq(cJSON_GetArraySize(json_get(list, "suppressions")), 0);
    cJSON_Delete(list);
}
END_TEST

START_TEST(suppressions_are_refused_where_they_make_no_sense)
{
    rig_expect("PUT", OPTOUT_PATH, "admin-token", "{\"cause\":\"blocked\",\"reason\":\"r\"}", 422);
    rig_expect("PUT", OPTOUT_PATH, "admin-token", "{\"cause\":\"operator\"}", 422);
    rig_expect("PUT", OPTOUT_PATH, "admin-token", "nonsense", 400);
    rig_expect("PUT", "/v1/suppressions/default/+14155550111,+14155550112", "admin-token", "{\"reason\":\"r\"}", 422);
    rig_expect("PUT", "/v1/suppressions/default/5", "admin-token", "{\"reason\":\"r\"}", 422);
    rig_expect("PUT", "/v1/suppressions/other/+14155550111", "admin-token", "{\"reason\":\"r\"}", 404);
    rig_expect("PUT", OPTOUT_PATH, "operator-eu-token", "{\"reason\":\"r\"}", 403);
    rig_expect("GET", "/v1/suppressions/default", "operator-eu-token", NULL, 403);
    rig_expect("GET", "/v1/suppressions/default", "producer-eu-token", NULL, 403);
}
END_TEST

START_TEST(suppressions_are_listed_page_by_page)
{
    char path[128];
    for (int i = 0; i < 25; i++) {
        snprintf(path, sizeof path, "/v1/suppressions/default/+1415557%04d", i);
        rig_expect("PUT", path, "admin-token", "{\"reason\":\"r\"}", 200);
    }
    int count = 0;
    char next[32] = "0";
    do {
        snprintf(path, sizeof path, "/v1/suppressions/default?limit=4&after=%s", next);
        cJSON *page = shown(path, "admin-token");
        int size = cJSON_GetArraySize(json_get(page, "suppressions"));
        ck_assert_int_le(size, 4);
        count += size;
        const char *after = json_string(page, "next");
        snprintf(next, sizeof next, "%s", after != NULL ? after : "");
        cJSON_Delete(page);
    } while (next[0] != '\0');
    ck_assert_int_eq(count, 25);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("admin_conversations");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, rig_setup, rig_teardown);
    tcase_add_test(tcase, a_list_tells_how_many_it_leaves_out_because_they_are_damaged);
    tcase_add_test(tcase, what_is_imported_is_shown_as_it_was_given);
    tcase_add_test(tcase, each_conversation_stands_alone);
    tcase_add_test(tcase, what_is_there_already_is_said_and_kept);
    tcase_add_test(tcase, a_request_that_makes_no_sense_is_refused_whole);
    tcase_add_test(tcase, a_full_store_takes_none);
    tcase_add_test(tcase, a_list_shows_each_once_by_pool_and_line);
    tcase_add_test(tcase, another_pools_conversation_is_not_found);
    tcase_add_test(tcase, a_hash_alone_does_not_find_a_conversation);
    tcase_add_test(tcase, a_conversation_with_jobs_that_wait_for_a_line_is_shown_too);
    tcase_add_test(tcase, a_conversations_own_pauses_are_named);
    tcase_add_test(tcase, an_operator_suppresses_and_an_admin_lifts);
    tcase_add_test(tcase, suppressions_are_refused_where_they_make_no_sense);
    tcase_add_test(tcase, suppressions_are_listed_page_by_page);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
