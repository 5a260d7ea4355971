/* POST /v1/triage/move: what was never begun goes to another pool, once, in its order and with its present dates; what was
 * stays. */
#include "tests/unit/admin_triage_rig.h"

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

START_TEST(the_largest_job_that_there_is_goes_to_another_pool_and_back)
{
    static const char head[] = "{\"id\":\"huge\",\"to\":\"+14155550001\",\"pool\":\"us\",\"message\":{\"text\":\"";
    rig_expect("POST", "/v1/pause", "operator-token", "{\"reason\":\"triage\"}", 200);
    enqueue_at_once("huge", 1, WIRE_JOB_BYTES_MAX - (sizeof head - 1) - 3);
    struct reply reply = move("pool=us", "eu");
    ck_assert_int_eq(number(reply.json, "jobs"), 1);
    reply_free(&reply);
    ck_assert_uint_eq(live_in("eu"), 1);
    reply = move("pool=eu", "us");
    ck_assert_int_eq(number(reply.json, "jobs"), 1);
    reply_free(&reply);
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
    const struct core_result sent = {.peer = 1, .lease = lease_to_worker(), .outcome = OUTCOME_SENT, .retry_after_ms = -1,
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

/* c goes before b, and only the disk knows that it is not meant. */
START_TEST(what_stands_behind_one_that_is_not_meant_stays_and_a_rehearsal_says_so)
{
    backlog();
    for (int dry = 1; dry >= 0; dry--) {
        struct reply reply = move(dry ? "pool=us&accepted_before=2026-11-23T12:00:00Z&dry_run=1"
                                      : "pool=us&accepted_before=2026-11-23T12:00:00Z", "eu");
        ck_assert_int_eq(number(reply.json, "jobs"), 1);
        ck_assert_int_eq(number(reply.json, "stay"), 1);
        ck_assert_int_eq(number(json_get(reply.json, "stays"), "behind"), 1);
        reply_free(&reply);
    }
    expect_ended("a", "cancelled");
}
END_TEST

START_TEST(what_the_other_pool_does_not_take_stays_and_only_who_may_see_both_moves)
{
    backlog();
    rig.refuse_busy = true;
    for (int dry = 1; dry >= 0; dry--) {
        struct reply reply = move(dry ? "pool=us&dry_run=1" : "pool=us", "eu");
        ck_assert_int_eq(number(reply.json, "jobs"), 0);
        ck_assert_int_eq(number(json_get(reply.json, "stays"), "busy"), 3);
        ck_assert_int_eq(number(json_get(reply.json, "stays"), "behind"), 1); /* b, behind c */
        reply_free(&reply);
    }
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
    TCase *tests = triage_case("move");
    tcase_add_test(tests, what_was_never_begun_goes_to_another_pool_once_and_says_where_it_was_that_it_went);
    tcase_add_loop_test(tests, a_conversation_moves_whole_in_one_call_and_in_its_order, 0, 3);
    tcase_add_test(tests, what_is_re_dated_while_it_is_moved_keeps_its_new_dates);
    tcase_add_test(tests, the_largest_job_that_there_is_goes_to_another_pool_and_back);
    tcase_add_test(tests, a_moved_job_takes_the_place_of_older_ones_only);
    tcase_add_test(tests, what_names_its_line_was_tried_or_stands_behind_such_a_job_stays_in_its_pool);
    tcase_add_test(tests, what_stands_behind_one_that_is_not_meant_stays_and_a_rehearsal_says_so);
    tcase_add_test(tests, what_the_other_pool_does_not_take_stays_and_only_who_may_see_both_moves);
    return triage_run("admin_move", tests);
}
