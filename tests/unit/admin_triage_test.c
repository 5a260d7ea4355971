/* POST /v1/triage/…: which jobs each filter chooses, that a rehearsal says what is then done, and that nothing else is. */
#include "tests/unit/admin_triage_rig.h"

static const struct {
    const char *query, *jobs; /* those that it chooses */
    int recipients;
} filters[] = {
    {"pool=us", "abcd", 3},
    {"line=" EU, "e", 1},
    {"account=default", "abcdef", 5},
    {"class=campaign", "ab", 2},
    {"class=reply", "d", 1},
    {"campaign=spring", "ab", 2},
    {"campaign=nobody", "", 0},
    {"state=scheduled", "f", 1},
    {"state=held", "abcde", 4},
    {"reason=paused", "abcde", 4},
    {"reason=not_yet_due", "f", 1},
    {"to=%2B14155550002", "bc", 1},
    {"to=%2B14155550009", "", 0},
    {"accepted_before=2026-11-23T12:00:00Z", "ab", 2},
    {"accepted_after=2026-11-23T12:00:00Z", "cdef", 4},
    {"accepted_after=2026-11-23T11:00:00Z&accepted_before=2026-11-23T13:00:00Z", "bc", 1},
    {"expires_before=2026-11-25T00:00:00Z", "b", 1},
    {"expires_after=2026-11-25T00:00:00Z", "d", 1},
    {"accepted_before=1970-01-01T00:00:00Z", "", 0}, /* a moment like others, and not none */
    {"expires_before=1970-01-01T00:00:00Z", "", 0},
    {"expires_after=1970-01-01T00:00:00Z", "bd", 2},
    {"pool=us&class=campaign&accepted_before=2026-11-23T11:00:00Z", "a", 1},
};
#define FILTERS (sizeof filters / sizeof *filters)

/* covers: call POST /v1/triage/cancel */
START_TEST(each_filter_chooses_its_jobs_and_a_rehearsal_says_what_is_then_done)
{
    char query[200];
    backlog();
    snprintf(query, sizeof query, "%s&dry_run=1", filters[_i].query);
    size_t records = rig.record_count;
    struct reply dry = triage("cancel", query);
    ck_assert_uint_eq(rig.record_count, records);
    ck_assert_int_eq(number(dry.json, "jobs"), (int64_t)strlen(filters[_i].jobs));
    ck_assert_int_eq(number(dry.json, "recipients"), filters[_i].recipients);
    ck_assert(json_bool(dry.json, "dry_run", false));
    ck_assert(cJSON_IsNull(json_get(dry.json, "next")));
    const char *oldest = json_string(dry.json, "oldest_at");
    char at[] = "2026-11-23T10:00:00.000Z";
    at[12] = (char)('0' + (filters[_i].jobs[0] == '\0' ? 0 : filters[_i].jobs[0] - 'a'));
    ck_assert_str_eq(oldest != NULL ? oldest : "", filters[_i].jobs[0] == '\0' ? "" : at);
    expect_ended("", "");
    struct reply done = triage("cancel", filters[_i].query);
    ck_assert(!json_bool(done.json, "dry_run", true));
    ck_assert_int_eq(number(done.json, "jobs"), number(dry.json, "jobs"));
    ck_assert(cJSON_Compare(json_get(done.json, "by_class"), json_get(dry.json, "by_class"), true));
    ck_assert(cJSON_Compare(json_get(done.json, "by_reason"), json_get(dry.json, "by_reason"), true));
    ck_assert(cJSON_Compare(json_get(done.json, "sample"), json_get(dry.json, "sample"), true));
    expect_ended(filters[_i].jobs, "cancelled");
    reply_free(&done);
    done = triage("cancel", filters[_i].query); /* again: nothing is left to do */
    ck_assert_int_eq(number(done.json, "jobs"), 0);
    expect_ended(filters[_i].jobs, "cancelled");
    reply_free(&done);
    reply_free(&dry);
}
END_TEST

/* covers: call POST /v1/triage/expire */
START_TEST(what_is_expired_by_hand_ends_as_if_its_time_had_come)
{
    backlog();
    struct reply reply = triage("expire", "class=campaign");
    ck_assert_int_eq(number(reply.json, "jobs"), 2);
    ck_assert_str_eq(json_string(reply.json, "action"), "expire");
    reply_free(&reply);
    expect_ended("ab", "expired");
    reply = triage("expire", "state=scheduled");
    ck_assert_int_eq(number(reply.json, "jobs"), 1);
    reply_free(&reply);
    expect_ended("abf", "expired");
}
END_TEST

/* The second call goes on behind the first one and leaves alone what was accepted since; so does a repeat of either. */
START_TEST(a_long_triage_goes_on_with_next_and_touches_nothing_accepted_since)
{
    char query[96];
    backlog();
    struct reply reply = triage("cancel", "pool=us&limit=2");
    ck_assert_int_eq(number(reply.json, "jobs"), 2);
    const char *next = json_string(reply.json, "next");
    ck_assert_ptr_nonnull(next);
    snprintf(query, sizeof query, "pool=us&limit=2&after=%s", next);
    reply_free(&reply);
    for (int i = 0; i < 3; i++) /* the first two take the slots that have become free, the third lies behind all */
        enqueue((const char[]){(char)('g' + i), '\0'}, 6, ",\"pool\":\"us\"");
    for (int calls = 0; calls < 3; calls++) { /* the same call again and again */
        reply = triage("cancel", query);
        ck_assert_int_eq(number(reply.json, "jobs"), calls == 0 ? 2 : 0);
        next = json_string(reply.json, "next");
        if (next != NULL)
            ck_assert_str_ne(next, strstr(query, "after=") + 6);
        reply_free(&reply);
    }
    expect_ended("abcd", "cancelled");
    for (int i = 0; i < 3; i++)
        ck_assert(is("us", (const char[]){(char)('g' + i), '\0'}, "held"));
}
END_TEST

START_TEST(what_is_with_a_worker_or_may_have_been_sent_is_left_alone_and_told)
{
    enqueue("a", 1, ",\"pool\":\"eu\"");
    const struct core_result unknown = {
        .peer = 1, .lease = lease_to_worker(), .outcome = OUTCOME_RETRY, .unknown = true, .retry_after_ms = 6000000};
    for (int turn = 0; turn < 2; turn++) {
        for (int dry = 1; dry >= 0; dry--) {
            struct reply reply = triage("cancel", dry ? "pool=eu&dry_run=1" : "pool=eu");
            ck_assert_int_eq(number(reply.json, "jobs"), 0);
            ck_assert_int_eq(number(reply.json, "stay"), 1);
            ck_assert_int_eq(number(json_get(reply.json, "stays"), turn == 0 ? "leased" : "outcome_unknown"), 1);
            reply_free(&reply);
        }
        core_worker_result(rig.core, &unknown, rig.now, &rig.effects);
        rig_commit();
    }
    ck_assert(is("eu", "a", "queued"));
}
END_TEST

/* Once the one before it has gone, "late" is held, for its campaign is paused: it was queued when it was chosen. */
START_TEST(which_jobs_are_meant_is_settled_before_the_first_of_them_is_touched)
{
    static const char *const queries[] = {
        "state=queued", "state=queued&accepted_after=2026-11-23T00:00:00Z"};
    char query[96];
    enqueue("first", 1, ",\"pool\":\"us\"");
    enqueue("late", 1, ",\"pool\":\"us\",\"class\":\"campaign\",\"campaign\":\"spring\"");
    enqueue("held", 2, ",\"pool\":\"us\",\"class\":\"campaign\",\"campaign\":\"spring\"");
    rig_expect("POST", "/v1/campaigns/us/spring/pause", "operator-token", "{\"reason\":\"triage\"}", 200);
    for (int dry = 1; dry >= 0; dry--) {
        snprintf(query, sizeof query, "%s%s", queries[_i], dry ? "&dry_run=1" : "");
        struct reply reply = triage("cancel", query);
        ck_assert_int_eq(number(reply.json, "jobs"), 2);
        ck_assert_int_eq(number(json_get(reply.json, "by_reason"), "conversation_busy"), 1);
        reply_free(&reply);
    }
    ck_assert(is("us", "late", "cancelled"));
    ck_assert(is("us", "held", "held"));
}
END_TEST

/* A worker gives it up while the disk is asked, and an operator takes it back: it came after the mark. */
static void requeue_meanwhile(void)
{
    rig.looked_up = NULL;
    const struct core_result refused = {
        .peer = 1, .lease = lease_to_worker(), .outcome = OUTCOME_REJECTED, .retry_after_ms = -1, .result = {"{}", 2}};
    core_worker_result(rig.core, &refused, rig.now, &rig.effects);
    rig_commit();
    rig_expect("POST", "/v1/dead/eu%2Fa/requeue", "operator-token", NULL, 200);
}

START_TEST(what_is_requeued_while_it_is_dealt_with_is_not_touched)
{
    enqueue("a", 1, ",\"pool\":\"eu\"");
    rig.looked_up = requeue_meanwhile;
    struct reply reply = _i == 0 ? triage("cancel", "pool=eu&accepted_after=2026-11-23T00:00:00Z")
                                 : rig_ask("GET", "/v1/triage/export?pool=eu", "operator-token", NULL);
    ck_assert_ptr_null((void *)rig.looked_up);
    if (_i == 0)
        ck_assert_int_eq(number(reply.json, "jobs"), 0);
    else
        ck_assert_int_eq(cJSON_GetArraySize(json_get(reply.json, "export")), 0);
    ck_assert_int_eq(number(reply.json, "stay"), 0);
    reply_free(&reply);
    ck_assert(is("eu", "a", "queued"));
}
END_TEST

START_TEST(a_triage_says_which_jobs_and_each_filter_is_read_strictly)
{
    static const char *const bad[] = {"", "dry_run=1", "limit=5", "class=urgent", "state=sent", "state=parked",
                                      "reason=because", "accepted_before=yesterday", "accepted_after=5",
                                      "expires_before=x", "expires_after=", "pool=eu&after=7", "pool=eu&after=x.y",
                                      "pool=eu&limit=0", "pool=eu&limit=1001", "line=12025550101"};
    backlog();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char target[128];
        snprintf(target, sizeof target, "/v1/triage/cancel?%s", bad[i]);
        expect_code("POST", target, "operator-token", NULL, 422, "invalid_field");
    }
    static const char *const would_be_right[][2] = {{"class=urgent", "reply, transactional, followup or campaign"},
                                                    {"state=parked", "scheduled, queued, held"},
                                                    {"state=sent", "scheduled, queued or held"},
                                                    {"reason=because", "such as paused"}};
    for (size_t i = 0; i < sizeof would_be_right / sizeof *would_be_right; i++) {
        char target[128];
        snprintf(target, sizeof target, "/v1/triage/cancel?%s", would_be_right[i][0]);
        struct reply reply = rig_ask("POST", target, "operator-token", NULL);
        ck_assert_ptr_nonnull(strstr(json_string(json_get(reply.json, "error"), "message"), would_be_right[i][1]));
        reply_free(&reply);
    }
    expect_code("POST", "/v1/triage/cancel?pool=mars", "operator-token", NULL, 404, "unknown_pool");
    expect_code("POST", "/v1/triage/cancel?account=mars", "operator-token", NULL, 404, "not_found");
    expect_code("POST", "/v1/triage/cancel?to=nobody", "operator-token", NULL, 422, "invalid_recipient");
    expect_code("POST", "/v1/triage/cancel?pool=eu", "operator-token", "{\"reason\":7}", 422, "invalid_field");
    expect_code("POST", "/v1/triage/cancel?pool=eu", "viewer-token", NULL, 403, "forbidden");
    expect_code("POST", "/v1/triage/cancel?pool=eu", "producer-eu-token", NULL, 403, "forbidden");
    expect_code("POST", "/v1/triage/cancel?pool=us", "operator-eu-token", NULL, 404, "unknown_pool");
    expect_ended("", "");
}
END_TEST

START_TEST(a_token_of_one_pool_touches_nothing_of_another)
{
    backlog();
    struct reply reply = rig_ask("POST", "/v1/triage/cancel?account=default", "operator-eu-token", NULL);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_int_eq(number(reply.json, "jobs"), 2);
    reply_free(&reply);
    expect_ended("ef", "cancelled");
}
END_TEST

/* Who, what, why, how many; and the recipient where it can be masked. */
START_TEST(a_triage_leaves_an_audit_record_and_a_rehearsal_none)
{
    backlog();
    struct reply reply = triage("cancel", "to=%2B14155550002&class=campaign&dry_run=1");
    reply_free(&reply);
    reply = rig_ask("GET", "/v1/audit?order=newest&limit=1", "admin-token", NULL);
    ck_assert_ptr_null(strstr(reply.body, "/v1/triage"));
    reply_free(&reply);
    reply = triage("cancel", "to=%2B14155550002&class=campaign");
    reply_free(&reply);
    reply = rig_ask("GET", "/v1/audit?order=newest&limit=1", "admin-token", NULL);
    const cJSON *record = cJSON_GetArrayItem(json_get(reply.json, "audit"), 0);
    ck_assert_str_eq(json_string(record, "call"), "POST /v1/triage/cancel");
    ck_assert_str_eq(json_string(record, "by"), "ops");
    ck_assert_str_eq(json_string(record, "reason"), "too old");
    ck_assert_str_eq(json_string(json_get(record, "target"), "class"), "campaign");
    ck_assert_int_eq(number(json_get(record, "after"), "jobs"), 1);
    ck_assert_str_eq(cJSON_GetArrayItem(json_get(record, "to"), 0)->valuestring, "+14155550002");
    reply_free(&reply);
    reply = rig_ask("GET", "/v1/audit?order=newest&limit=1", "viewer-token", NULL);
    ck_assert_ptr_null(strstr(reply.body, "4155550002"));
    reply_free(&reply);
}
END_TEST

/* A call looks at a bounded part of the backlog, and a slice chooses so many: all of them together miss none. */
START_TEST(a_backlog_of_many_slices_is_cancelled_whole)
{
    enum { JOBS = 700 };
    char id[16];
    rig_expect("POST", "/v1/pause", "operator-token", "{\"reason\":\"triage\"}", 200);
    for (unsigned i = 0; i < JOBS; i++) {
        snprintf(id, sizeof id, "j%u", i);
        enqueue(id, i, i % 7 == 0 ? ",\"pool\":\"us\",\"class\":\"campaign\"" : ",\"pool\":\"us\"");
    }
    const char *asks = _i == 0 ? "pool=us&class=transactional" : "pool=us&class=transactional&accepted_after=2026-11-23T00:00:00Z";
    char query[128];
    snprintf(query, sizeof query, "%s&dry_run=1", asks);
    struct reply reply = triage("cancel", query);
    ck_assert_int_eq(number(reply.json, "jobs"), 600);
    ck_assert_int_eq(number(reply.json, "recipients"), 600);
    reply_free(&reply);
    int64_t done = 0;
    snprintf(query, sizeof query, "%s&limit=250", asks);
    for (int calls = 0; calls < 4; calls++) {
        reply = triage("cancel", query);
        done += number(reply.json, "jobs");
        const char *next = json_string(reply.json, "next");
        if (next != NULL)
            snprintf(query, sizeof query, "%s&limit=250&after=%s", asks, next);
        bool over = next == NULL;
        reply_free(&reply);
        if (over)
            break;
    }
    ck_assert_int_eq(done, 600);
    struct core_status status;
    core_totals_read(rig.core, rig.now, &status);
    ck_assert_uint_eq(status.cancelled_total, 600);
}
END_TEST

/* covers: call POST /v1/triage/redate */
START_TEST(a_selection_gets_other_dates_and_what_is_due_keeps_its_place)
{
    static const char *const bad[] = {"{}", "{\"expires_at\":5}", "{\"expires_at\":\"2026-11-23T10:00:00Z\"}",
                                      "{\"send_after\":\"soon\"}"};
    backlog();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct reply reply = rig_ask("POST", "/v1/triage/redate?pool=us", "operator-token", bad[i]);
        ck_assert_int_eq(reply.status, 422);
        reply_free(&reply);
    }
    struct reply reply = rig_ask("POST", "/v1/triage/redate?pool=us&dry_run=1", "operator-token", "{\"expires_at\":null}");
    ck_assert_int_eq(number(reply.json, "jobs"), 4);
    reply_free(&reply);
    reply = rig_ask("POST", "/v1/triage/redate?pool=us", "operator-token",
                    "{\"expires_at\":\"2026-11-23T20:00:00Z\",\"reason\":\"today or never\"}");
    ck_assert_int_eq(reply.status, 200);
    ck_assert_int_eq(number(reply.json, "jobs"), 4);
    ck_assert_str_eq(json_string(reply.json, "action"), "redate");
    reply_free(&reply);
    reply = rig_ask("GET", "/v1/audit?order=newest&limit=1", "admin-token", NULL);
    const cJSON *record = cJSON_GetArrayItem(json_get(reply.json, "audit"), 0);
    ck_assert_str_eq(json_string(json_get(record, "asked"), "expires_at"), "2026-11-23T20:00:00Z");
    reply_free(&reply);
    reply = rig_ask("GET", "/v1/jobs/us%2Fd", "viewer-token", NULL);
    ck_assert_str_eq(json_string(reply.json, "expires_at"), "2026-11-23T20:00:00.000Z");
    reply_free(&reply);
    reply = rig_ask("POST", "/v1/triage/redate?account=default", "operator-token", "{\"send_after\":\"2026-11-23T15:30:00Z\"}");
    ck_assert_int_eq(number(reply.json, "jobs"), 1);
    ck_assert_int_eq(number(json_get(reply.json, "stays"), "due"), 5);
    reply_free(&reply);
    pass(3600000);
    ck_assert(is("eu", "f", "held"));
    pass(5 * 3600000);
    for (const char *id = "abcd"; *id != '\0'; id++)
        ck_assert(is("us", (const char[]){*id, '\0'}, "expired"));
    ck_assert(is("eu", "e", "held"));
}
END_TEST

static void schedule_backwards(unsigned jobs)
{
    char id[16], more[96];
    turn_slots(jobs);
    for (unsigned i = 0; i < jobs; i++) { /* the youngest is due first */
        snprintf(id, sizeof id, "j%u", i);
        snprintf(more, sizeof more, ",\"pool\":\"us\",\"send_after\":\"2026-11-24T%02u:00:00Z\"", 23 - i);
        enqueue(id, 5, more);
    }
}

/* Whatever falls due between two calls, and wherever the clock is put meanwhile. */
START_TEST(a_conversation_that_is_due_at_once_keeps_the_order_in_which_it_was_accepted)
{
    enum { JOBS = 7 };
    char query[96] = "pool=us&limit=2", target[128], id[16];
    const char *date = _i == 0 ? "{\"send_after\":null}" : "{\"send_after\":\"2026-11-23T10:00:02Z\"}";
    int64_t done = 0;
    rig_expect("POST", "/v1/pause", "operator-token", "{\"reason\":\"triage\"}", 200);
    schedule_backwards(JOBS);
    for (bool over = false; !over;) {
        snprintf(target, sizeof target, "/v1/triage/redate?%s", query);
        struct reply reply = rig_ask("POST", target, "operator-token", date);
        ck_assert_int_eq(reply.status, 200);
        done += number(reply.json, "jobs");
        const char *next = json_string(reply.json, "next");
        over = next == NULL;
        snprintf(query, sizeof query, "pool=us&limit=2&after=%s", over ? "" : next);
        reply_free(&reply);
        rig.now.wall_ms -= done == 4 ? 60000 : 0; /* before those of this call have fallen due */
        pass(1000);
    }
    ck_assert_int_eq(done, JOBS);
    pass(120000);
    for (unsigned i = 0; i < JOBS; i++) {
        snprintf(id, sizeof id, "j%u", i);
        struct job_view view = view_of(id);
        ck_assert_int_eq(view.state, JOB_QUEUED);
        ck_assert_msg(view.ahead == i, "%s has %u before it", id, view.ahead);
    }
}
END_TEST

/* What is due already is counted once, and takes nobody's room. */
START_TEST(a_redate_of_many_counts_what_stays_once)
{
    int64_t done = 0, stays = 0;
    char query[96] = "account=default&limit=1", target[128];
    backlog();
    enqueue("g", 5, ",\"pool\":\"eu\",\"send_after\":\"2026-11-25T00:00:00Z\"");
    for (bool over = false; !over;) {
        snprintf(target, sizeof target, "/v1/triage/redate?%s", query);
        struct reply reply = rig_ask("POST", target, "operator-token", "{\"send_after\":\"2026-11-26T00:00:00Z\"}");
        ck_assert_int_eq(reply.status, 200);
        done += number(reply.json, "jobs");
        stays += number(reply.json, "stay");
        const char *next = json_string(reply.json, "next");
        over = next == NULL;
        snprintf(query, sizeof query, "account=default&limit=1&after=%s", over ? "" : next);
        reply_free(&reply);
    }
    ck_assert_int_eq(done, 2);
    ck_assert_int_eq(stays, 5);
}
END_TEST

/* It was given longer: what is left of it says so, and a requeue goes by that. */
START_TEST(a_dead_letter_has_the_expiry_that_it_was_given_last)
{
    enqueue("d", 1, ",\"pool\":\"eu\",\"expires_at\":\"2026-11-23T11:00:00Z\"");
    enqueue("e", 2, ",\"pool\":\"us\",\"expires_at\":\"2026-11-23T11:00:00Z\"");
    struct reply reply = rig_ask("POST", "/v1/triage/redate?account=default", "operator-token",
                                 "{\"expires_at\":\"2026-11-23T20:00:00Z\"}");
    ck_assert_int_eq(number(reply.json, "jobs"), 2);
    reply_free(&reply);
    const struct core_result refused = {
        .peer = 1, .lease = lease_to_worker(), .outcome = OUTCOME_REJECTED, .retry_after_ms = -1, .result = {"{}", 2}};
    core_worker_result(rig.core, &refused, rig.now, &rig.effects);
    rig_commit();
    rig_expect("POST", "/v1/pause", "operator-token", "{\"reason\":\"triage\"}", 200);
    pass(2 * 3600000);
    for (int turn = 0; turn < 2; turn++) {
        reply = rig_ask("GET", "/v1/jobs/eu%2Fd", "viewer-token", NULL);
        ck_assert_str_eq(json_string(reply.json, "state"), turn == 0 ? "failed" : "held");
        ck_assert_str_eq(json_string(reply.json, "expires_at"), "2026-11-23T20:00:00.000Z");
        reply_free(&reply);
        if (turn == 0)
            rig_expect("POST", "/v1/dead/eu%2Fd/requeue", "operator-token", NULL, 200);
    }
    reply = triage("expire", "pool=us");
    ck_assert_int_eq(number(reply.json, "jobs"), 1);
    reply_free(&reply);
    reply = rig_ask("GET", "/v1/jobs/us%2Fe", "viewer-token", NULL);
    ck_assert_str_eq(json_string(reply.json, "expires_at"), json_string(reply.json, "ended_at")); /* by hand */
    reply_free(&reply);
}
END_TEST

int main(void)
{
    TCase *tests = triage_case("triage");
    tcase_add_loop_test(tests, each_filter_chooses_its_jobs_and_a_rehearsal_says_what_is_then_done, 0, (int)FILTERS);
    tcase_add_test(tests, what_is_expired_by_hand_ends_as_if_its_time_had_come);
    tcase_add_test(tests, a_long_triage_goes_on_with_next_and_touches_nothing_accepted_since);
    tcase_add_test(tests, what_is_with_a_worker_or_may_have_been_sent_is_left_alone_and_told);
    tcase_add_loop_test(tests, which_jobs_are_meant_is_settled_before_the_first_of_them_is_touched, 0, 2);
    tcase_add_loop_test(tests, what_is_requeued_while_it_is_dealt_with_is_not_touched, 0, 2);
    tcase_add_test(tests, a_triage_says_which_jobs_and_each_filter_is_read_strictly);
    tcase_add_test(tests, a_token_of_one_pool_touches_nothing_of_another);
    tcase_add_test(tests, a_triage_leaves_an_audit_record_and_a_rehearsal_none);
    tcase_add_test(tests, a_selection_gets_other_dates_and_what_is_due_keeps_its_place);
    tcase_add_loop_test(tests, a_conversation_that_is_due_at_once_keeps_the_order_in_which_it_was_accepted, 0, 2);
    tcase_add_test(tests, a_redate_of_many_counts_what_stays_once);
    tcase_add_test(tests, a_dead_letter_has_the_expiry_that_it_was_given_last);
    tcase_add_loop_test(tests, a_backlog_of_many_slices_is_cancelled_whole, 0, 2);
    return triage_run("admin_triage", tests);
}
