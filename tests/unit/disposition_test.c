/* What each answer of the provider means: every code of the documentation, every error fixture by the action that
 * its manifest names, and what no document mentions. */
#include "workers/disposition.h"

#include <stdio.h>
#include <string.h>

#include "lineward/clock.h"
#include "lineward/json.h"
#include "tests/support/suite.h"
#include "workers/provider.h"

#define FIXTURES "tests/fixtures/linq/"

static struct answer answered(int http_status, int64_t code)
{
    return (struct answer){.transport = TRANSPORT_ANSWERED,
                           .http_status = http_status,
                           .code = code,
                           .has_chat = true,
                           .attempt = 1,
                           .retry_after_ms = -1};
}

static struct disposition judged(int http_status, int64_t code)
{
    struct answer answer = answered(http_status, code);
    return disposition_of(&answer);
}

static char *read_file(const char *path, size_t *bytes)
{
    static char text[65536];
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s: run from the project's root", path);
    *bytes = fread(text, 1, sizeof text - 1, file);
    text[*bytes] = '\0';
    fclose(file);
    return text;
}

/* Splits a whole response with CRLF lines; the value of a header, or NULL. */
static const char *raw_header(const char *response, const char *name, char out[128])
{
    const char *at = strstr(response, name);
    if (at == NULL)
        return NULL;
    at += strlen(name);
    snprintf(out, 128, "%.*s", (int)strcspn(at, "\r\n"), at);
    return out;
}

static struct answer read_fixture(const char *file, int http_status)
{
    char path[256], retry_after[128];
    size_t bytes = 0;
    snprintf(path, sizeof path, FIXTURES "%s", file);
    char *text = read_file(path, &bytes);
    const char *body = text;
    const char *hint = NULL;
    int64_t now_wall_ms = 0;
    if (strncmp(text, "HTTP/", 5) == 0) {
        hint = raw_header(text, "Retry-After: ", retry_after);
        body = strstr(text, "\r\n\r\n") + 4;
        ck_assert(time_parse("2026-11-23T10:00:00Z", &now_wall_ms)); /* the Date of the response */
    }
    struct provider_answer answer;
    provider_linq.read(http_status, body, bytes - (size_t)(body - text), hint, NULL, now_wall_ms, &answer);
    answer.answer.has_chat = true;
    answer.answer.attempt = 1;
    return answer.answer;
}

static bool is_surely_unsent(struct disposition verdict)
{
    return verdict.outcome == OUTCOME_REJECTED || (verdict.outcome == OUTCOME_RETRY && !verdict.unknown);
}

/* Does the verdict do what the manifest's `action` asks? */
static bool action_is_done(const char *action, const struct answer *answer, struct disposition verdict)
{
    bool retries = verdict.outcome == OUTCOME_RETRY;
    if (strcmp(action, "drop") == 0 || strcmp(action, "drop_line") == 0)
        return verdict.outcome == OUTCOME_REJECTED && verdict.suppress == SUPPRESS_NONE;
    if (strcmp(action, "retry") == 0)
        return retries && !verdict.line_flagged && !verdict.key_refused && verdict.scope <= SCOPE_CONVERSATION;
    if (strcmp(action, "retry_after") == 0)
        return retries && is_surely_unsent(verdict) && verdict.retry_after_ms == answer->retry_after_ms &&
               verdict.retry_after_ms >= 12000 && verdict.scope == SCOPE_CONVERSATION;
    if (strcmp(action, "backoff") == 0)
        return retries && is_surely_unsent(verdict) && verdict.retry_after_ms == -1;
    if (strcmp(action, "hold_line") == 0)
        return retries && is_surely_unsent(verdict) && verdict.line_flagged && verdict.scope == SCOPE_LINE;
    if (strcmp(action, "suppress") == 0)
        return verdict.outcome == OUTCOME_REJECTED && verdict.suppress != SUPPRESS_NONE;
    if (strcmp(action, "drop_or_recreate") == 0)
        return retries && is_surely_unsent(verdict) && verdict.forget_chat;
    if (strcmp(action, "stop_all") == 0)
        return retries && is_surely_unsent(verdict) && verdict.key_refused && verdict.scope == SCOPE_ACCOUNT;
    /* Answers of calls that a worker never makes (POST /v3/messages, check_rcs): only nothing may be called sent. */
    if (strcmp(action, "hold_all") == 0 || strcmp(action, "unknown_capability") == 0)
        return is_surely_unsent(verdict);
    return false;
}

START_TEST(every_error_fixture_does_what_its_manifest_says)
{
    size_t bytes = 0;
    const char *text = read_file(FIXTURES "manifest.json", &bytes);
    cJSON *manifest = json_parse(text, bytes, NULL);
    int seen = 0;
    const cJSON *entry = NULL;
    cJSON_ArrayForEach(entry, json_get(manifest, "files"))
    {
        const char *file = json_string(entry, "file");
        const char *action = json_string(entry, "action");
        int64_t http_status = 0;
        if (strncmp(file, "errors/", 7) != 0)
            continue;
        ck_assert(json_int(entry, "http", &http_status));
        struct answer answer = read_fixture(file, (int)http_status);
        struct disposition verdict = disposition_of(&answer);
        ck_assert_msg(action_is_done(action, &answer, verdict), "%s: %s: outcome %s", file, action,
                      outcome_name(verdict.outcome));
        seen++;
    }
    ck_assert_int_ge(seen, 42);
    cJSON_Delete(manifest);
}
END_TEST

START_TEST(every_documented_code_is_known)
{
    static const int64_t codes[] = {1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 2001, 2002, 2003, 2004,
                                    2005, 2006, 2007, 2008, 2009, 2010, 2011, 2012, 2013, 2014, 2015, 2016,
                                    2017, 2018, 2019, 2021, 2022, 2023, 2024, 2026, 2027, 2028, 3001, 3002,
                                    3003, 3004, 3005, 3006, 3007, 4001, 4002, 4003, 4004, 4005, 4006, 4007,
                                    4008, 4009, 4010, 5001, 5002, 5003, 5004, 5005, 5006, 5007};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct disposition verdict = judged(400, codes[i]);
        ck_assert_msg(verdict.documented, "%d", (int)codes[i]);
        ck_assert_ptr_nonnull(verdict.reason);
        ck_assert_msg(verdict.outcome != OUTCOME_SENT, "%d", (int)codes[i]);
    }
    static const int64_t unseen[] = {0, 2020, 2025, 2029, 2999, 6000};
    for (size_t i = 0; i < sizeof unseen / sizeof *unseen; i++)
        ck_assert(!judged(400, unseen[i]).documented);
}
END_TEST

START_TEST(success_with_ids_is_sent)
{
    static const int statuses[] = {200, 201, 202};
    for (size_t i = 0; i < 3; i++) {
        struct answer answer = answered(statuses[i], 0);
        answer.has_ids = true;
        ck_assert_int_eq(disposition_of(&answer).outcome, OUTCOME_SENT);
    }
}
END_TEST

START_TEST(success_without_ids_is_unknown)
{
    struct disposition verdict = judged(202, 0);
    ck_assert_int_eq(verdict.outcome, OUTCOME_RETRY);
    ck_assert(verdict.unknown);
    ck_assert(!verdict.documented);
}
END_TEST

START_TEST(a_refused_connection_is_surely_unsent_and_a_lost_answer_is_not)
{
    struct answer answer = {.transport = TRANSPORT_NOT_BEGUN, .retry_after_ms = -1};
    ck_assert(is_surely_unsent(disposition_of(&answer)));
    ck_assert_int_eq(disposition_of(&answer).outcome, OUTCOME_RETRY);
    answer.transport = TRANSPORT_LOST;
    ck_assert_int_eq(disposition_of(&answer).outcome, OUTCOME_RETRY);
    ck_assert(disposition_of(&answer).unknown);
}
END_TEST

START_TEST(a_server_error_that_names_no_cause_is_unknown)
{
    static const int statuses[] = {500, 502, 503, 504, 520};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        ck_assert_int_eq(judged(statuses[i], 0).outcome, OUTCOME_RETRY);
        ck_assert(judged(statuses[i], 0).unknown);
    }
}
END_TEST

START_TEST(only_the_providers_own_timeout_is_unknown_among_documented_codes)
{
    for (int64_t code = 1000; code < 6000; code++) {
        struct disposition verdict = judged(500, code);
        if (verdict.documented)
            ck_assert_msg(verdict.unknown == (code == 3005), "%d", (int)code);
    }
}
END_TEST

START_TEST(a_deleted_message_under_our_key_was_sent_only_if_an_earlier_try_is_open)
{
    struct answer answer = answered(404, 2002);
    ck_assert_int_eq(disposition_of(&answer).outcome, OUTCOME_REJECTED);
    answer.unsettled = true;
    ck_assert_int_eq(disposition_of(&answer).outcome, OUTCOME_SENT);
}
END_TEST

START_TEST(a_lost_chat_is_opened_anew_once)
{
    struct answer answer = answered(404, 2001);
    ck_assert(disposition_of(&answer).forget_chat);
    ck_assert_int_eq(disposition_of(&answer).outcome, OUTCOME_RETRY);
    answer.has_chat = false;
    ck_assert(!disposition_of(&answer).forget_chat);
    ck_assert_int_eq(disposition_of(&answer).outcome, OUTCOME_REJECTED);
}
END_TEST

START_TEST(rate_limits_wait_at_the_scope_they_mean)
{
    struct answer answer = answered(429, 1007);
    answer.retry_after_ms = 45000;
    ck_assert_int_eq(disposition_of(&answer).scope, SCOPE_CONVERSATION);
    ck_assert_int_eq(disposition_of(&answer).retry_after_ms, 45000);
    answer.has_chat = false;
    ck_assert_int_eq(disposition_of(&answer).scope, SCOPE_LINE);
    answer.code = 0;
    ck_assert_int_eq(disposition_of(&answer).scope, SCOPE_ACCOUNT);
    ck_assert(is_surely_unsent(disposition_of(&answer)));
}
END_TEST

START_TEST(known_waits_apply_unless_the_provider_says_otherwise)
{
    ck_assert_int_eq(judged(404, 2007).retry_after_ms, 3000);
    ck_assert_int_eq(judged(404, 2007).scope, SCOPE_JOB);
    ck_assert_int_eq(judged(409, 2009).retry_after_ms, 3000);
    ck_assert_int_eq(judged(409, 2009).scope, SCOPE_CONVERSATION);
    ck_assert_int_eq(judged(503, 4004).retry_after_ms, 30000);
    ck_assert_int_ge(judged(500, 3007).retry_after_ms, 60000);
    struct answer answer = answered(503, 4004);
    answer.retry_after_ms = 7000;
    ck_assert_int_eq(disposition_of(&answer).retry_after_ms, 7000);
}
END_TEST

START_TEST(a_wait_of_nothing_is_no_hint)
{
    struct answer answer = answered(429, 0);
    answer.retry_after_ms = 0; /* `Retry-After: 0`, or a date that our clock has passed */
    ck_assert_int_eq(disposition_of(&answer).retry_after_ms, -1);
    answer = answered(503, 4004);
    answer.retry_after_ms = 0;
    ck_assert_int_eq(disposition_of(&answer).retry_after_ms, 30000);
    answer.retry_after_ms = 1;
    ck_assert_int_eq(disposition_of(&answer).retry_after_ms, 1);
}
END_TEST

START_TEST(opt_outs_and_blocks_are_told_apart)
{
    ck_assert_int_eq(judged(403, 2024).suppress, SUPPRESS_OPTED_OUT);
    ck_assert_int_eq(judged(403, 2026).suppress, SUPPRESS_BLOCKED);
    ck_assert_int_eq(judged(403, 2999).suppress, SUPPRESS_NONE);
}
END_TEST

START_TEST(a_failed_download_is_tried_once_more)
{
    struct answer answer = answered(500, 5002);
    ck_assert_int_eq(disposition_of(&answer).outcome, OUTCOME_RETRY);
    answer.attempt = 2;
    ck_assert_int_eq(disposition_of(&answer).outcome, OUTCOME_REJECTED);
    ck_assert_int_eq(judged(400, 5007).outcome, OUTCOME_REJECTED);
}
END_TEST

START_TEST(unseen_codes_are_judged_by_status)
{
    ck_assert_int_eq(judged(403, 2999).outcome, OUTCOME_REJECTED);
    ck_assert(judged(401, 0).key_refused);
    static const int waiting[] = {408, 425, 429, 301, 307};
    for (size_t i = 0; i < sizeof waiting / sizeof *waiting; i++) {
        ck_assert_int_eq(judged(waiting[i], 0).outcome, OUTCOME_RETRY);
        ck_assert(!judged(waiting[i], 0).unknown);
    }
}
END_TEST

START_TEST(a_refusal_does_not_settle_an_earlier_unknown_try)
{
    static const struct {
        int http_status;
        int64_t code;
    } refusals[] = {{429, 1007}, {403, 2027}, {401, 2004}, {503, 4004}, {404, 2001}};
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct answer answer = answered(refusals[i].http_status, refusals[i].code);
        answer.unsettled = true;
        ck_assert(disposition_of(&answer).unknown);
    }
    struct answer answer = {.transport = TRANSPORT_NOT_BEGUN, .unsettled = true, .retry_after_ms = -1};
    ck_assert(disposition_of(&answer).unknown);
}
END_TEST

/* It comes from what stands before the provider (a proxy, a firewall), or from a newer one: of this request alone it says
 * that it went no further. */
START_TEST(a_refusal_without_a_code_that_we_know_does_not_settle_an_earlier_unknown_try)
{
    static const int statuses[] = {400, 403, 404, 407, 413, 451, 495};
    for (size_t i = 0; i < 2 * sizeof statuses / sizeof *statuses; i++) {
        struct answer answer = answered(statuses[i / 2], i % 2 == 0 ? 0 : 2999);
        ck_assert_int_eq(disposition_of(&answer).outcome, OUTCOME_REJECTED);
        answer.unsettled = true;
        struct disposition verdict = disposition_of(&answer);
        ck_assert_msg(verdict.outcome == OUTCOME_RETRY && verdict.unknown, "%d ends the job", statuses[i / 2]);
        ck_assert(!verdict.documented);
    }
}
END_TEST

/* Had it taken the earlier try, it would have given the first answer again: so says linq-api.md 4.4, whatever became of
 * the recipient since. */
START_TEST(the_providers_own_refusal_settles_an_earlier_unknown_try)
{
    static const int64_t codes[] = {1003, 2005, 2008, 2013, 2024, 2026};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct answer answer = answered(403, codes[i]);
        answer.unsettled = true;
        ck_assert_msg(disposition_of(&answer).outcome == OUTCOME_REJECTED, "%d", (int)codes[i]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("disposition");
    TCase *tests = tcase_create("disposition");
    tcase_add_test(tests, every_error_fixture_does_what_its_manifest_says);
    tcase_add_test(tests, every_documented_code_is_known);
    tcase_add_test(tests, success_with_ids_is_sent);
    tcase_add_test(tests, success_without_ids_is_unknown);
    tcase_add_test(tests, a_refused_connection_is_surely_unsent_and_a_lost_answer_is_not);
    tcase_add_test(tests, a_server_error_that_names_no_cause_is_unknown);
    tcase_add_test(tests, only_the_providers_own_timeout_is_unknown_among_documented_codes);
    tcase_add_test(tests, a_deleted_message_under_our_key_was_sent_only_if_an_earlier_try_is_open);
    tcase_add_test(tests, a_lost_chat_is_opened_anew_once);
    tcase_add_test(tests, rate_limits_wait_at_the_scope_they_mean);
    tcase_add_test(tests, known_waits_apply_unless_the_provider_says_otherwise);
    tcase_add_test(tests, a_wait_of_nothing_is_no_hint);
    tcase_add_test(tests, opt_outs_and_blocks_are_told_apart);
    tcase_add_test(tests, a_failed_download_is_tried_once_more);
    tcase_add_test(tests, unseen_codes_are_judged_by_status);
    tcase_add_test(tests, a_refusal_does_not_settle_an_earlier_unknown_try);
    tcase_add_test(tests, a_refusal_without_a_code_that_we_know_does_not_settle_an_earlier_unknown_try);
    tcase_add_test(tests, the_providers_own_refusal_settles_an_earlier_unknown_try);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
