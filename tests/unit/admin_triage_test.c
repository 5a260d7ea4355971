/* POST /v1/triage/…: which jobs each filter chooses, that a rehearsal says what is then done, and that nothing else is. */
#include "tests/unit/admin_triage_rig.h"

enum { EU_POOL, US_POOL }; /* as in rig_conf */

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

static uint64_t lease_one(void)
{
    struct core_ready ready = {.peer = 1, .instance = 77, .slots = 64, .worker = "w"};
    core_worker_ready(rig.core, &ready, rig.now, &rig.effects);
    uint64_t lease = 0;
    for (int tick = 0; tick < 100 && lease == 0; tick++) {
        rig.now.wall_ms += 100;
        rig.now.mono_ms += 100;
        core_worker_alive(rig.core, 1, rig.now, &rig.effects);
        core_tick(rig.core, rig.now, &rig.effects);
        for (size_t i = 0; i < rig.effects.effect_count; i++)
            if (rig.effects.effects[i].kind == EFFECT_JOB)
                lease = rig.effects.effects[i].lease;
        rig_commit();
    }
    ck_assert_uint_ne(lease, 0);
    ck_assert(core_lease_send(rig.core, lease, rig.now));
    return lease;
}

START_TEST(what_is_with_a_worker_or_may_have_been_sent_is_left_alone_and_told)
{
    enqueue("a", 1, ",\"pool\":\"eu\"");
    const struct core_result unknown = {
        .peer = 1, .lease = lease_one(), .outcome = OUTCOME_RETRY, .unknown = true, .retry_after_ms = 6000000};
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

static void expect_code(const char *method, const char *target, const char *token, const char *body, int status,
                        const char *code)
{
    struct reply reply = rig_ask(method, target, token, body);
    ck_assert_msg(reply.status == status, "%s: %d %s", target, reply.status, reply.body);
    ck_assert_str_eq(json_string(json_get(reply.json, "error"), "code"), code);
    reply_free(&reply);
}

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

static struct job_view view_in(uint32_t pool, const char *id)
{
    struct job_view view = {.number = 0};
    uint64_t job = core_job_by_id(rig.core, rig_id_hash(NULL, pool, id));
    ck_assert_uint_ne(job, 0);
    if (!core_job_view(rig.core, job, rig.now, &view))
        view.state = JOB_NONE;
    return view;
}

static struct job_view view_of(const char *id)
{
    return view_in(US_POOL, id);
}

/* Slots are given again, the last one first: whoever goes through the next ones' meets the youngest first. */
static void turn_slots(unsigned jobs)
{
    char id[16], path[32];
    for (unsigned i = 0; i < jobs; i++) {
        snprintf(id, sizeof id, "old%u", i);
        enqueue(id, 9, ",\"pool\":\"us\"");
    }
    for (unsigned i = 0; i < jobs; i++) {
        snprintf(path, sizeof path, "/v1/jobs/us%%2Fold%u", i);
        rig_expect("DELETE", path, "operator-token", NULL, 200);
    }
}

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
        .peer = 1, .lease = lease_one(), .outcome = OUTCOME_REJECTED, .retry_after_ms = -1, .result = {"{}", 2}};
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

/* ---- another pool ---- */

static struct reply move(const char *query, const char *pool)
{
    char target[200], body[96];
    snprintf(target, sizeof target, "/v1/triage/move?%s", query);
    snprintf(body, sizeof body, "{\"pool\":\"%s\",\"reason\":\"the line is gone\"}", pool);
    struct reply reply = rig_ask("POST", target, "operator-token", body);
    ck_assert_msg(reply.status == 200, "%s: %d %s", target, reply.status, reply.body);
    return reply;
}

static size_t live_in(const char *pool)
{
    char target[64];
    snprintf(target, sizeof target, "/v1/jobs?state=held&pool=%s", pool);
    struct reply reply = rig_ask("GET", target, "viewer-token", NULL);
    size_t count = (size_t)cJSON_GetArraySize(json_get(reply.json, "jobs"));
    reply_free(&reply);
    return count;
}

/* covers: call POST /v1/triage/move */
START_TEST(what_was_never_begun_goes_to_another_pool_once_and_says_where_it_was_that_it_went)
{
    backlog();
    struct reply dry = move("pool=us&dry_run=1", "eu");
    ck_assert_int_eq(number(dry.json, "jobs"), 4);
    ck_assert_int_eq(number(dry.json, "recipients"), 3);
    expect_ended("", "");
    struct reply done = move("pool=us", "eu");
    ck_assert_int_eq(number(done.json, "jobs"), 4);
    ck_assert(cJSON_Compare(json_get(done.json, "sample"), json_get(dry.json, "sample"), true));
    ck_assert_str_eq(json_string(done.json, "action"), "move");
    reply_free(&done);
    reply_free(&dry);
    expect_ended("abcd", "cancelled");
    ck_assert_uint_eq(live_in("us"), 0);
    ck_assert_uint_eq(live_in("eu"), 5);
    struct reply reply = rig_ask("GET", "/v1/jobs/us%2Fb", "viewer-token", NULL);
    ck_assert_str_eq(json_string(json_get(reply.json, "error"), "code"), "superseded");
    char target[96];
    snprintf(target, sizeof target, "/v1/jobs/eu%%2Fb~%s", json_string(reply.json, "job"));
    reply_free(&reply);
    reply = rig_ask("GET", target, "viewer-token", NULL);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_str_eq(json_string(reply.json, "campaign"), "spring");
    ck_assert_str_eq(json_string(reply.json, "expires_at"), "2026-11-24T00:00:00.000Z");
    reply_free(&reply);
    reply = rig_ask("GET", "/v1/audit?order=newest&limit=1", "admin-token", NULL);
    ck_assert_str_eq(json_string(json_get(cJSON_GetArrayItem(json_get(reply.json, "audit"), 0), "asked"), "pool"), "eu");
    reply_free(&reply);
    done = move("pool=us", "eu"); /* again: nothing is left there */
    ck_assert_int_eq(number(done.json, "jobs"), 0);
    ck_assert_int_eq(number(done.json, "stay"), 0);
    reply_free(&done);
    ck_assert_uint_eq(live_in("eu"), 5);
}
END_TEST

/* More than are read at once, by their number or by their bytes; and a step takes few, one if that is large. */
START_TEST(a_conversation_moves_whole_in_one_call_and_in_its_order)
{
    enum { JOBS = 40 };
    static const struct {
        size_t bytes, step_max;
    } sizes[] = {{100, 16384}, {20000, 50000}, {100000, 116384}};
    char id[64], numbers[JOBS][JOB_NUMBER_TEXT_MAX];
    rig_expect("POST", "/v1/pause", "operator-token", "{\"reason\":\"triage\"}", 200);
    turn_slots(JOBS);
    for (unsigned i = 0; i < JOBS; i++) {
        snprintf(id, sizeof id, "m%u", i);
        enqueue_at_once(id, 1, sizes[_i].bytes);
        job_number_format(view_of(id).number, numbers[i]);
    }
    rig.step_bytes_max = 0;
    struct reply reply = move("pool=us", "eu");
    ck_assert_int_eq(number(reply.json, "jobs"), JOBS);
    ck_assert_int_eq(number(reply.json, "stay"), 0);
    reply_free(&reply);
    for (unsigned i = 0; i < JOBS; i++) {
        snprintf(id, sizeof id, "m%u~%.24s", i, numbers[i]);
        ck_assert_uint_eq(view_in(EU_POOL, id).ahead, i);
    }
    ck_assert_uint_lt(rig.step_bytes_max, sizes[_i].step_max);
}
END_TEST

static void redate_meanwhile(void)
{
    const struct core_triage later = {.how = TRIAGE_REDATE, .has_expires = true, .expires_ms = rig.now.wall_ms + 7200000};
    const struct core_triage due = {.how = TRIAGE_REDATE, .has_due = true, .due_ms = rig.now.wall_ms + 3600000};
    rig.looked_up = NULL;
    ck_assert(core_triage(rig.core, view_of("b").number, &later, rig.now, &rig.effects));
    ck_assert(core_triage(rig.core, view_of("later").number, &due, rig.now, &rig.effects));
}

START_TEST(what_is_re_dated_while_it_is_moved_keeps_its_new_dates)
{
    backlog();
    enqueue("later", 7, ",\"pool\":\"us\",\"send_after\":\"2026-11-25T00:00:00Z\"");
    char number_b[JOB_NUMBER_TEXT_MAX], number_later[JOB_NUMBER_TEXT_MAX], target[96];
    job_number_format(view_of("b").number, number_b);
    job_number_format(view_of("later").number, number_later);
    rig.looked_up = redate_meanwhile;
    struct reply reply = move("pool=us", "eu");
    ck_assert_int_eq(number(reply.json, "jobs"), 5);
    reply_free(&reply);
    snprintf(target, sizeof target, "/v1/jobs/eu%%2Fb~%s", number_b);
    reply = rig_ask("GET", target, "viewer-token", NULL);
    ck_assert_str_eq(json_string(reply.json, "expires_at"), "2026-11-23T17:00:00.000Z");
    reply_free(&reply);
    snprintf(target, sizeof target, "later~%s", number_later);
    struct job_view view = view_in(EU_POOL, target);
    ck_assert_int_eq(view.state, JOB_SCHEDULED);
    ck_assert_int_eq(view.due_ms, rig.now.wall_ms + 3600000);
}
END_TEST

/* In either order of acceptance the newer word counts. */
START_TEST(a_moved_job_takes_the_place_of_older_ones_only)
{
    rig_expect("POST", "/v1/pause", "operator-token", "{\"reason\":\"triage\"}", 200);
    enqueue("old", 1, ",\"pool\":\"us\",\"collapse_key\":\"k\"");
    enqueue("new", 1, ",\"pool\":\"eu\",\"collapse_key\":\"k\"");
    for (int dry = 1; dry >= 0; dry--) {
        struct reply reply = move(dry ? "pool=us&dry_run=1" : "pool=us", "eu");
        ck_assert_int_eq(number(reply.json, "jobs"), 0);
        ck_assert_int_eq(number(json_get(reply.json, "stays"), "superseded"), 1);
        reply_free(&reply);
    }
    ck_assert(is("us", "old", "held"));
    ck_assert(is("eu", "new", "held"));
    struct reply reply = move("pool=eu", "us");
    ck_assert_int_eq(number(reply.json, "jobs"), 1);
    reply_free(&reply);
    ck_assert(is("us", "old", "cancelled"));
    ck_assert_uint_eq(live_in("us"), 1);
}
END_TEST

START_TEST(what_names_its_line_was_tried_or_stands_behind_such_a_job_stays_in_its_pool)
{
    enqueue("s", 1, ",\"pool\":\"eu\"");
    const struct core_result sent = {.peer = 1, .lease = lease_one(), .outcome = OUTCOME_SENT, .retry_after_ms = -1,
                                     .result = {"{}", 2}};
    core_worker_result(rig.core, &sent, rig.now, &rig.effects);
    rig_commit();
    rig_expect("POST", "/v1/pause", "operator-token", "{\"reason\":\"triage\"}", 200);
    enqueue("begun", 1, ",\"pool\":\"eu\"");
    enqueue("pinned", 2, ",\"pool\":\"eu\",\"from\":\"+12025550101\"");
    enqueue("first", 3, ",\"pool\":\"eu\"");
    enqueue("behind", 3, ",\"pool\":\"eu\",\"class\":\"campaign\"");
    for (int is_dry = 1; is_dry >= 0; is_dry--) {
        struct reply reply = move(is_dry ? "pool=eu&dry_run=1&class=campaign" : "pool=eu&class=campaign", "us");
        ck_assert_int_eq(number(reply.json, "jobs"), 0);
        ck_assert_int_eq(number(json_get(reply.json, "stays"), "behind"), 1);
        reply_free(&reply);
        reply = move(is_dry ? "pool=eu&dry_run=1" : "pool=eu", "us");
        ck_assert_int_eq(number(reply.json, "jobs"), 2);
        ck_assert_int_eq(number(json_get(reply.json, "stays"), "begun"), 1);
        ck_assert_int_eq(number(json_get(reply.json, "stays"), "pinned"), 1);
        reply_free(&reply);
    }
    ck_assert_uint_eq(live_in("us"), 2);
    ck_assert_uint_eq(live_in("eu"), 2);
}
END_TEST

START_TEST(what_the_other_pool_does_not_take_stays_and_only_who_may_see_both_moves)
{
    backlog();
    rig.refuse_busy = true;
    struct reply reply = move("pool=us", "eu");
    ck_assert_int_eq(number(reply.json, "jobs"), 0);
    ck_assert_int_eq(number(json_get(reply.json, "stays"), "busy"), 3);
    ck_assert_int_eq(number(json_get(reply.json, "stays"), "behind"), 1); /* b, behind c */
    reply_free(&reply);
    rig.refuse_busy = false;
    expect_ended("", "");
    expect_code("POST", "/v1/triage/move?pool=us", "operator-token", "{}", 422, "invalid_field");
    expect_code("POST", "/v1/triage/move?pool=us", "operator-token", "{\"pool\":\"mars\"}", 404, "unknown_pool");
    expect_code("POST", "/v1/triage/move?pool=eu", "operator-eu-token", "{\"pool\":\"us\"}", 404, "unknown_pool");
    expect_ended("", "");
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("triage");
    tcase_add_checked_fixture(tests, rig_setup, rig_teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, each_filter_chooses_its_jobs_and_a_rehearsal_says_what_is_then_done, 0, (int)FILTERS);
    tcase_add_test(tests, what_is_expired_by_hand_ends_as_if_its_time_had_come);
    tcase_add_test(tests, a_long_triage_goes_on_with_next_and_touches_nothing_accepted_since);
    tcase_add_test(tests, what_is_with_a_worker_or_may_have_been_sent_is_left_alone_and_told);
    tcase_add_test(tests, a_triage_says_which_jobs_and_each_filter_is_read_strictly);
    tcase_add_test(tests, a_token_of_one_pool_touches_nothing_of_another);
    tcase_add_test(tests, a_triage_leaves_an_audit_record_and_a_rehearsal_none);
    tcase_add_test(tests, a_selection_gets_other_dates_and_what_is_due_keeps_its_place);
    tcase_add_loop_test(tests, a_conversation_that_is_due_at_once_keeps_the_order_in_which_it_was_accepted, 0, 2);
    tcase_add_test(tests, a_redate_of_many_counts_what_stays_once);
    tcase_add_test(tests, a_dead_letter_has_the_expiry_that_it_was_given_last);
    tcase_add_test(tests, what_was_never_begun_goes_to_another_pool_once_and_says_where_it_was_that_it_went);
    tcase_add_loop_test(tests, a_conversation_moves_whole_in_one_call_and_in_its_order, 0, 3);
    tcase_add_test(tests, what_is_re_dated_while_it_is_moved_keeps_its_new_dates);
    tcase_add_test(tests, a_moved_job_takes_the_place_of_older_ones_only);
    tcase_add_test(tests, what_names_its_line_was_tried_or_stands_behind_such_a_job_stays_in_its_pool);
    tcase_add_test(tests, what_the_other_pool_does_not_take_stays_and_only_who_may_see_both_moves);
    tcase_add_loop_test(tests, a_backlog_of_many_slices_is_cancelled_whole, 0, 2);
    Suite *suite = suite_create("admin_triage");
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
