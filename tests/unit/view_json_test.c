/* Views: what jobs, results, errors, lines and events look like. Every text is read back as JSON. */
#include "broker/edge/view.h"

#include <string.h>

#include "tests/support/suite.h"

#define AT INT64_C(1795428000000) /* 2026-11-23T10:00:00.000Z */

static struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

static cJSON *read_back(struct json_out *out)
{
    ck_assert(!out->failed);
    const char *why = "";
    cJSON *json = json_parse(out->text, out->bytes, &why);
    ck_assert_msg(json != NULL, "%s: %.*s", why, (int)out->bytes, out->text);
    json_out_free(out);
    return json;
}

static cJSON *job_json(const struct job_facts *facts, bool mask)
{
    struct json_out out = {0};
    json_open(&out, '{');
    view_job_members(&out, facts, mask);
    json_close(&out, '}');
    return read_back(&out);
}

static const char *const envelope = "{\"id\":\"order-1\",\"from\":\"+12025550101\",\"class\":\"reply\",\"campaign\":"
                                    "\"spring\",\"meta\":{\"a\":[1]},\"pool\":\"eu\"}";

static struct job_facts live_facts(void)
{
    return (struct job_facts){
        .number = 36,
        .is_live = true,
        .live = {.number = 36,
                 .line = 12025550101,
                 .state = JOB_QUEUED,
                 .reason = REASON_LINE_CRITICAL,
                 .since_ms = AT,
                 .due_ms = AT + 1000,
                 .attempts = 2},
        .has_job = true,
        .job = {.number = 36, .accepted_at_ms = AT - 5000, .class = CLASS_REPLY},
        .recipients = span_of("[\"+14155550111\"]"),
        .envelope = span_of(envelope),
    };
}

START_TEST(a_job_view_has_every_member_of_the_contract)
{
    static const char *const members[] = {"id",         "job",      "pool",     "to",          "from",
                                          "line",       "chat_id",  "class",    "campaign",    "state",
                                          "reason",     "since",    "attempts", "accepted_at", "due_at",
                                          "expires_at", "ended_at", "delivery", "message_id",  "meta"};
    struct job_facts full = live_facts(), bare = {.number = 1};
    cJSON *views[] = {job_json(&full, false), job_json(&bare, false)};
    for (size_t v = 0; v < 2; v++) {
        ck_assert_int_eq(cJSON_GetArraySize(views[v]), sizeof members / sizeof *members);
        for (size_t i = 0; i < sizeof members / sizeof *members; i++)
            ck_assert_msg(json_get(views[v], members[i]) != NULL, "%s is missing", members[i]);
    }
    ck_assert(cJSON_IsNull(json_get(views[1], "state")));
    ck_assert(cJSON_IsNull(json_get(views[1], "to")));
    cJSON_Delete(views[0]);
    cJSON_Delete(views[1]);
}
END_TEST

START_TEST(a_live_job_that_is_held_says_held_and_why)
{
    struct job_facts facts = live_facts();
    cJSON *view = job_json(&facts, false);
    ck_assert_str_eq(json_string(view, "state"), "held");
    ck_assert_str_eq(json_string(view, "reason"), "line_critical");
    ck_assert_str_eq(json_string(view, "since"), "2026-11-23T10:00:00.000Z");
    ck_assert_str_eq(json_string(view, "id"), "order-1");
    ck_assert_str_eq(json_string(view, "job"), "j_10");
    ck_assert_str_eq(json_string(view, "pool"), "eu");
    ck_assert_str_eq(json_string(view, "line"), "+12025550101");
    ck_assert_str_eq(json_string(view, "class"), "reply");
    ck_assert_int_eq(cJSON_GetArraySize(json_get(view, "to")), 1);
    ck_assert_int_eq(cJSON_GetArraySize(json_get(json_get(view, "meta"), "a")), 1);
    ck_assert_ptr_null(json_get(view, "cancel"));
    cJSON_Delete(view);
    facts.live.reason = REASON_PACE;
    facts.live.cancel_asked = true;
    view = job_json(&facts, false);
    ck_assert_str_eq(json_string(view, "state"), "queued");
    ck_assert_str_eq(json_string(view, "cancel"), "asked");
    cJSON_Delete(view);
}
END_TEST

START_TEST(a_masked_view_holds_no_whole_recipient)
{
    struct job_facts facts = live_facts();
    facts.recipients = span_of("[\"+14155550111\",\"ann@example.com\"]");
    cJSON *view = job_json(&facts, true);
    char *text = cJSON_PrintUnformatted(view);
    ck_assert_int_eq(cJSON_GetArraySize(json_get(view, "to")), 2);
    ck_assert_ptr_null(strstr(text, "+14155550111"));
    ck_assert_ptr_null(strstr(text, "ann@example.com"));
    cJSON_free(text);
    cJSON_Delete(view);
}
END_TEST

START_TEST(a_finished_job_is_read_from_its_records)
{
    struct job_facts facts = live_facts();
    facts.is_live = false;
    facts.has_end = true;
    facts.end = (struct change_end){.number = 36, .line = 12025550102, .state = JOB_SENT, .attempts = 3};
    facts.ended_at_ms = facts.changed_at_ms = AT + 60000;
    facts.has_delivery = true;
    facts.delivery = DELIVERY_READ;
    facts.result = span_of("{\"message_id\":\"m-1\",\"chat_id\":\"c-1\",\"error\":null}");
    cJSON *view = job_json(&facts, false);
    ck_assert_str_eq(json_string(view, "state"), "sent");
    ck_assert(cJSON_IsNull(json_get(view, "reason")));
    ck_assert_str_eq(json_string(view, "line"), "+12025550102");
    ck_assert_str_eq(json_string(view, "ended_at"), "2026-11-23T10:01:00.000Z");
    ck_assert_str_eq(json_string(view, "delivery"), "read");
    ck_assert_str_eq(json_string(view, "message_id"), "m-1");
    ck_assert_str_eq(json_string(view, "chat_id"), "c-1");
    ck_assert_ptr_null(json_get(view, "error"));
    cJSON_Delete(view);
}
END_TEST

START_TEST(an_error_is_the_providers_or_else_ours)
{
    struct job_facts facts = {.number = 1, .has_end = true, .end = {.state = JOB_CANCELLED, .code = CODE_SUPERSEDED}};
    cJSON *view = job_json(&facts, false);
    ck_assert_str_eq(json_string(json_get(view, "error"), "code"), "superseded");
    ck_assert_ptr_nonnull(json_string(json_get(view, "error"), "message"));
    cJSON_Delete(view);
    facts.result = span_of("{\"error\":{\"code\":\"2007\",\"message\":\"no\"}}");
    view = job_json(&facts, false);
    ck_assert_str_eq(json_string(json_get(view, "error"), "code"), "2007");
    cJSON_Delete(view);
}
END_TEST

START_TEST(a_job_whose_end_is_just_being_written_is_shown_as_its_last_try_was)
{
    struct job_facts facts = live_facts();
    facts.is_live = false;
    facts.has_try = true;
    facts.last_try = (struct change_try){.state = JOB_LEASED, .attempts = 4, .line = 12025550103};
    cJSON *view = job_json(&facts, false);
    int64_t attempts = 0;
    ck_assert_str_eq(json_string(view, "state"), "leased");
    ck_assert(json_int(view, "attempts", &attempts));
    ck_assert_int_eq(attempts, 4);
    cJSON_Delete(view);
}
END_TEST

static cJSON *enqueued_json(const char *id, const struct effect *effect)
{
    struct json_out out = {0};
    view_enqueued(&out, span_of(id), effect);
    return read_back(&out);
}

START_TEST(the_result_of_an_enqueue_is_accepted_duplicate_or_refused)
{
    struct effect effect = {.number = 36, .state = JOB_QUEUED, .reason = REASON_NO_HEALTHY_LINE};
    cJSON *result = enqueued_json("\"a\"", &effect);
    ck_assert_str_eq(json_string(result, "id"), "a");
    ck_assert_str_eq(json_string(result, "job"), "j_10");
    ck_assert_str_eq(json_string(result, "state"), "queued");
    ck_assert(cJSON_IsNull(json_get(result, "line")));
    ck_assert_str_eq(json_string(result, "reason"), "no_healthy_line");
    cJSON_Delete(result);

    effect = (struct effect){.number = 36, .state = JOB_QUEUED, .reason = REASON_PAUSED, .duplicate = true};
    result = enqueued_json("\"a\"", &effect);
    ck_assert_str_eq(json_string(result, "state"), "duplicate");
    ck_assert_str_eq(json_string(result, "current"), "held");
    cJSON_Delete(result);

    effect = (struct effect){.code = CODE_LINE_CONFLICT, .field = "from"};
    result = enqueued_json("", &effect);
    ck_assert(cJSON_IsNull(json_get(result, "id")));
    ck_assert_ptr_null(json_get(result, "job"));
    ck_assert_str_eq(json_string(json_get(result, "error"), "code"), "line_conflict");
    ck_assert_str_eq(json_string(json_get(result, "error"), "field"), "from");
    cJSON_Delete(result);
}
END_TEST

START_TEST(a_busy_always_says_when_to_come_back)
{
    struct json_out out = {0};
    int64_t after = 0;
    view_error_body(&out, &(struct error_view){.code = CODE_BUSY});
    cJSON *body = read_back(&out);
    ck_assert(json_int(json_get(body, "error"), "retry_after_ms", &after));
    ck_assert_int_gt(after, 0);
    cJSON_Delete(body);
}
END_TEST

static cJSON *event_json(const struct change *change, const char *job_envelope)
{
    struct json_out out = {0};
    view_event(&out, change, &(struct event_facts){.envelope = span_of(job_envelope)});
    return read_back(&out);
}

START_TEST(an_event_has_the_common_members_and_those_of_its_topic)
{
    static const char *const members[] = {"seq", "prev", "at",     "topic",   "pool", "job",
                                          "id",  "line", "reason", "attempt", "code", "meta"};
    struct change change = {
        .kind = CHANGE_END,
        .event = {.seq = 9, .prev = 4, .topic = TOPIC_JOB_FAILED, .at_ms = AT},
        .end = {.number = 36, .line = 12025550101, .state = JOB_FAILED, .attempts = 8, .code = CODE_OUTCOME_UNKNOWN}};
    cJSON *event = event_json(&change, envelope);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        ck_assert_msg(json_get(event, members[i]) != NULL, "%s is missing", members[i]);
    ck_assert_str_eq(json_string(event, "topic"), "job.failed");
    ck_assert_str_eq(json_string(event, "pool"), "eu");
    ck_assert_str_eq(json_string(event, "id"), "order-1");
    ck_assert_str_eq(json_string(event, "code"), "outcome_unknown");
    cJSON_Delete(event);

    change = (struct change){.kind = CHANGE_GATE,
                             .event = {.seq = 10, .topic = TOPIC_LINE_GATE, .at_ms = AT},
                             .gate = {.line = 12025550101, .gate = GATE_CLOSED, .reason = REASON_LINE_CRITICAL}};
    event = event_json(&change, "");
    ck_assert_str_eq(json_string(event, "gate"), "closed");
    ck_assert_str_eq(json_string(event, "reason"), "line_critical");
    ck_assert(cJSON_IsNull(json_get(event, "job")));
    cJSON_Delete(event);

    change = (struct change){.kind = CHANGE_REPUTATION,
                             .event = {.seq = 11, .topic = TOPIC_LINE_REPUTATION, .at_ms = AT},
                             .reputation = {.line = 12025550101,
                                            .status = REPUTATION_CRITICAL,
                                            .previous = REPUTATION_HEALTHY,
                                            .source = SOURCE_WEBHOOK,
                                            .changed_at_ms = AT}};
    event = event_json(&change, "");
    ck_assert_str_eq(json_string(event, "status"), "CRITICAL");
    ck_assert_str_eq(json_string(event, "previous"), "HEALTHY");
    ck_assert_str_eq(json_string(event, "source"), "webhook");
    ck_assert_str_eq(json_string(event, "changed_at"), "2026-11-23T10:00:00.000Z");
    cJSON_Delete(event);
}
END_TEST

START_TEST(a_lease_waits_for_nothing_though_an_earlier_try_may_have_gone_out)
{
    struct change change = {.kind = CHANGE_TRY,
                            .event = {.seq = 12, .topic = TOPIC_JOB_QUEUED, .at_ms = AT},
                            .try = {.number = 36, .state = JOB_QUEUED, .attempts = 1, .due_ms = AT, .unsettled = true}};
    cJSON *event = event_json(&change, envelope);
    ck_assert_str_eq(json_string(event, "reason"), "outcome_unknown");
    cJSON_Delete(event);
    change.event.topic = TOPIC_JOB_LEASED;
    change.try.state = JOB_LEASED;
    change.try.attempts = 2;
    event = event_json(&change, envelope);
    ck_assert(cJSON_IsNull(json_get(event, "reason")));
    cJSON_Delete(event);
}
END_TEST

START_TEST(an_event_never_carries_recipients_or_messages)
{
    struct change change = {
        .kind = CHANGE_JOB, .event = {.seq = 1, .topic = TOPIC_JOB_QUEUED, .at_ms = AT}, .job = {.number = 36}};
    change.sections[SECTION_RECIPIENTS] = span_of("[\"+14155550111\"]");
    change.sections[SECTION_PAYLOAD] = span_of("{\"parts\":[\"secret words\"]}");
    cJSON *event = event_json(&change, envelope);
    char *text = cJSON_PrintUnformatted(event);
    ck_assert_ptr_null(strstr(text, "4155550111"));
    ck_assert_ptr_null(strstr(text, "secret"));
    cJSON_free(text);
    cJSON_Delete(event);
}
END_TEST

START_TEST(a_line_view_has_every_member_of_the_contract_and_the_pauses_that_stop_it)
{
    static const char *const members[] = {"line",         "account", "pool",    "reputation",       "service",
                                          "gate",         "reason",  "pauses",  "cordoned",         "pace_per_min",
                                          "ramp_percent", "budgets", "backlog", "backlog_by_class", "oldest_at", "replies",
                                          "drain"};
    struct line_view line = {.number = 12025550101,
                             .status = REPUTATION_AT_RISK,
                             .previous = REPUTATION_HEALTHY,
                             .source = SOURCE_POLL,
                             .gate = GATE_SLOW,
                             .reason = REASON_PACE,
                             .pace_per_min = 7.5,
                             .messages_used = 3,
                             .messages_limit = 7000,
                             .fresh_limit = 0,
                             .backlog_held = 2};
    struct pause_view pauses[] = {
        {.pause = {.id = 1, .scope = PAUSE_LINE, .target = 12025550101, .reason = "x", .by = "ann"}},
        {.pause = {.id = 2, .scope = PAUSE_LINE, .target = 12025550102}},
        {.pause = {.id = 3, .scope = PAUSE_POOL, .target = 1}, .name = "eu"},
        {.pause = {.id = 4, .scope = PAUSE_POOL, .target = 2}, .name = "us"},
        {.pause = {.id = 5, .scope = PAUSE_ALL}},
    };
    struct json_out out = {0};
    view_line(&out, &line, (struct line_names){"acme", "eu"}, pauses, 5);
    cJSON *view = read_back(&out);
    ck_assert_int_eq(cJSON_GetArraySize(view), sizeof members / sizeof *members);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        ck_assert_msg(json_get(view, members[i]) != NULL, "%s is missing", members[i]);
    const cJSON *shown = json_get(view, "pauses");
    ck_assert_int_eq(cJSON_GetArraySize(shown), 3);
    ck_assert_str_eq(json_string(cJSON_GetArrayItem(shown, 0), "pause"), "p_1");
    ck_assert_str_eq(json_string(cJSON_GetArrayItem(shown, 1), "name"), "eu");
    ck_assert_str_eq(json_string(cJSON_GetArrayItem(shown, 2), "scope"), "all");
    const cJSON *budgets = json_get(view, "budgets");
    int64_t limit = 0;
    ck_assert(json_int(json_get(budgets, "daily_messages"), "limit", &limit));
    ck_assert_int_eq(limit, 7000);
    ck_assert(cJSON_IsNull(json_get(json_get(budgets, "new_conversations_per_day"), "limit")));
    ck_assert_str_eq(json_string(json_get(view, "reputation"), "status"), "AT_RISK");
    cJSON_Delete(view);
}
END_TEST

static cJSON *pool_json(const struct outcome_view *outcomes)
{
    const struct pool_view pool = {.lines = 2, .waiting = 7};
    struct json_out out = {0};
    const struct pool_names names = {.pool = "eu", .account = "default", .policy = "slow"};
    view_pool(&out, &pool, &names, outcomes);
    return read_back(&out);
}

START_TEST(a_pools_outcomes_say_how_far_they_are_and_why_they_are_not_further)
{
    cJSON *json = pool_json(NULL);
    ck_assert(cJSON_IsNull(json_get(json, "outcomes")));
    cJSON_Delete(json);
    struct outcome_view view = {.host = "api.example.com", .waiting = 3, .in_flight = 1, .unread = 9, .confirmed = 40};
    json = pool_json(&view);
    const cJSON *outcomes = json_get(json, "outcomes");
    ck_assert_str_eq(json_string(outcomes, "host"), "api.example.com");
    ck_assert(!json_bool(outcomes, "down", true));
    ck_assert_int_eq(json_get(outcomes, "unread")->valueint, 9);
    static const char *const unknown[] = {"oldest_at", "confirmed_at", "problem", "http_status", "problem_at", "next_try_at"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        ck_assert_msg(cJSON_IsNull(cJSON_GetObjectItem(outcomes, unknown[i])), "%s", unknown[i]);
    cJSON_Delete(json);
    view.down = true;
    view.problem = "status";
    view.status = 503;
    view.problem_at_ms = view.oldest_at_ms = AT;
    view.next_try_ms = AT + 5000;
    json = pool_json(&view);
    outcomes = json_get(json, "outcomes");
    ck_assert(json_bool(outcomes, "down", false));
    ck_assert_str_eq(json_string(outcomes, "problem"), "status");
    ck_assert_int_eq(json_get(outcomes, "http_status")->valueint, 503);
    ck_assert_str_eq(json_string(outcomes, "problem_at"), "2026-11-23T10:00:00.000Z");
    ck_assert_str_eq(json_string(outcomes, "next_try_at"), "2026-11-23T10:00:05.000Z");
    cJSON_Delete(json);
}
END_TEST

START_TEST(why_says_whether_the_cache_that_brokers_share_is_away)
{
    struct job_view job = {.state = JOB_QUEUED, .reason = REASON_LINE_STALE};
    struct line_view line = {.number = 12025550101};
    struct why_more more = {0};
    for (int shared = 0; shared < 3; shared++) {
        struct json_out out = {0};
        more.cache = (struct cache_facts){.is_shared = shared > 0, .up = shared == 1, .since_ms = shared == 2 ? AT : 0};
        view_why(&out, &job, &line, &more, (struct instant){.wall_ms = AT});
        cJSON *why = read_back(&out);
        const cJSON *inputs = json_get(why, "inputs");
        ck_assert_int_eq(json_get(inputs, "cache") != NULL, shared > 0);
        if (shared > 0)
            ck_assert_str_eq(json_string(inputs, "cache"), shared == 1 ? "up" : "away");
        if (shared == 2)
            ck_assert_str_eq(json_string(inputs, "cache_away_since"), "2026-11-23T10:00:00.000Z");
        cJSON_Delete(why);
    }
}
END_TEST

START_TEST(every_reason_explains_itself)
{
    for (enum reason reason = REASON_NONE; reason < REASON_COUNT; reason++) {
        struct job_view job = {.state = JOB_QUEUED, .reason = reason, .ahead = 3, .release_at_ms = AT};
        struct line_view line = {.number = 12025550101, .status = REPUTATION_CRITICAL, .heard_at_ms = AT - 500};
        struct json_out out = {0};
        int64_t number = 0;
        const struct why_more more = {.estimate = {.at_ms = AT + 60000, .ahead = 29, .lines = 1, .per_min = 28.57}};
        view_why(&out, &job, &line, &more, (struct instant){.wall_ms = AT});
        cJSON *why = read_back(&out);
        ck_assert_ptr_nonnull(json_string(why, "rule"));
        ck_assert_ptr_nonnull(json_string(why, "release"));
        ck_assert_str_eq(json_string(why, "release_at"), "2026-11-23T10:00:00.000Z");
        ck_assert(json_int(why, "ahead", &number));
        ck_assert_int_eq(number, 3);
        ck_assert(json_int(json_get(why, "inputs"), "heard_ms_ago", &number));
        ck_assert_int_eq(number, 500);
        ck_assert_str_eq(json_string(why, "estimated_at"), "2026-11-23T10:01:00.000Z");
        ck_assert(cJSON_IsNull(json_get(why, "estimate_unknown")));
        ck_assert(json_int(json_get(why, "queue"), "ahead", &number));
        ck_assert_int_eq(number, 29);
        cJSON_Delete(why);
    }
}
END_TEST

START_TEST(where_nothing_can_be_estimated_a_word_says_why)
{
    static const struct {
        struct estimate estimate;
        const char *word;
    } cases[] = {{{.unknown = REASON_LINE_CRITICAL}, "line_critical"}, {{.unknown = REASON_NONE}, "too_far"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_out out = {0};
        json_open(&out, '{');
        view_estimate(&out, &cases[i].estimate);
        json_close(&out, '}');
        cJSON *said = read_back(&out);
        ck_assert(cJSON_IsNull(json_get(said, "estimated_at")));
        ck_assert_str_eq(json_string(said, "estimate_unknown"), cases[i].word);
        cJSON_Delete(said);
    }
}
END_TEST

START_TEST(pauses_and_lines_are_read_as_they_are_written)
{
    static const char *const bad[] = {
        "", "p_", "p_0", "p_01", "p_x", "p_1 ", "q_1", "p_-1", "p_99999999999999999999"};
    char text[PAUSE_TEXT_MAX];
    uint64_t value = 0;
    pause_text(123, text);
    ck_assert(pause_text_parse(text, &value));
    ck_assert_uint_eq(value, 123);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!pause_text_parse(bad[i], &value), "%s was taken", bad[i]);
    ck_assert(line_text_parse("+12025550101", &value));
    ck_assert_uint_eq(value, 12025550101);
    ck_assert(!line_text_parse("12025550101", &value));
    ck_assert(!line_text_parse("+0", &value));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("view_json");
    TCase *tests = tcase_create("view_json");
    tcase_add_test(tests, a_job_view_has_every_member_of_the_contract);
    tcase_add_test(tests, a_live_job_that_is_held_says_held_and_why);
    tcase_add_test(tests, a_masked_view_holds_no_whole_recipient);
    tcase_add_test(tests, a_finished_job_is_read_from_its_records);
    tcase_add_test(tests, an_error_is_the_providers_or_else_ours);
    tcase_add_test(tests, a_job_whose_end_is_just_being_written_is_shown_as_its_last_try_was);
    tcase_add_test(tests, the_result_of_an_enqueue_is_accepted_duplicate_or_refused);
    tcase_add_test(tests, a_busy_always_says_when_to_come_back);
    tcase_add_test(tests, an_event_has_the_common_members_and_those_of_its_topic);
    tcase_add_test(tests, a_lease_waits_for_nothing_though_an_earlier_try_may_have_gone_out);
    tcase_add_test(tests, an_event_never_carries_recipients_or_messages);
    tcase_add_test(tests, a_line_view_has_every_member_of_the_contract_and_the_pauses_that_stop_it);
    tcase_add_test(tests, a_pools_outcomes_say_how_far_they_are_and_why_they_are_not_further);
    tcase_add_test(tests, every_reason_explains_itself);
    tcase_add_test(tests, why_says_whether_the_cache_that_brokers_share_is_away);
    tcase_add_test(tests, where_nothing_can_be_estimated_a_word_says_why);
    tcase_add_test(tests, pauses_and_lines_are_read_as_they_are_written);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
