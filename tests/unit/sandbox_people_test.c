/* sandbox_people_test.c — the model at work in a sandbox: people read, answer, opt out; lines get worse and recover,
 * and whoever listens is told. The model's time runs fast; what must come is waited for. */
#include <stdio.h>
#include <string.h>

#include "tests/support/suite.h"
#include "tests/unit/sandbox_rig.h"

static void setup(void)
{
    static const char *const more[] = {"--model", "--model-speed", "3600", NULL};
    sandbox_rig_start(more);
}

static void model(const char *body)
{
    ck_assert_int_eq(control("POST", "/model", body), 200);
}

/* The first event that says this. */
static const struct received *event_find(const char *what)
{
    for (int i = 0;; i++) {
        const struct received *event = event_wait(i);
        if (strstr(event->body, what) != NULL)
            return event;
    }
}

START_TEST(a_person_gets_reads_and_answers_a_message)
{
    char chat[64], path[128];
    model("{\"answer_share\":1,\"opt_out_share\":0,\"fail_share\":0}");
    hear_webhooks();
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 201);
    answer_member("id", chat, sizeof chat);
    static const char *const types[] = {"message.sent", "message.delivered", "message.read", "message.received"};
    for (int i = 0; i < 4; i++)
        event_find(types[i]);
    ck_assert_ptr_nonnull(strstr(event_find("message.received")->body, "\"direction\":\"inbound\""));
    snprintf(path, sizeof path, "/v3/chats/%s/messages", chat);
    ck_assert_int_eq(api("GET", path, NULL), 200);
    ck_assert(answer_has("\"delivery_status\":\"read\""));
    ck_assert(answer_has("\"delivery_status\":\"received\""));
}
END_TEST

START_TEST(a_person_who_opts_out_is_refused_from_then_on)
{
    model("{\"answer_share\":1,\"opt_out_share\":1,\"fail_share\":0}");
    hear_webhooks();
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 201);
    const struct received *stop = event_find("message.received");
    ck_assert_ptr_nonnull(strstr(stop->body, "\"value\":\"STOP\""));
    ck_assert_ptr_nonnull(strstr(stop->body, "\"status\":\"OPTED_OUT\""));
    ck_assert_int_eq(send_one("+12025550102", "+14155550111", "k2"), 403);
    ck_assert(answer_has("\"code\":2024"));
}
END_TEST

START_TEST(a_message_that_fails_is_told_and_never_delivered)
{
    model("{\"fail_share\":1}");
    hear_webhooks();
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 201);
    ck_assert_ptr_nonnull(strstr(event_find("message.failed")->body, "\"code\":4001"));
    for (int i = 0; i < receiver.count; i++)
        ck_assert_ptr_null(strstr(receiver.events[i].body, "message.delivered"));
}
END_TEST

START_TEST(a_line_that_opens_too_many_conversations_gets_worse_and_recovers_in_quiet)
{
    char to[32], key[16];
    /* a model hour passes in a second: heat follows within a step or two here */
    model("{\"answer_share\":0,\"fail_share\":0,\"new_chats_per_day\":3,\"rise_ms\":1,\"flags_per_day\":0,\"fall_"
          "ms\":3600000}");
    ck_assert_int_eq(control("POST", "/webhooks", "{\"paused\":true}"), 200);
    hear_webhooks();
    for (int i = 0; i < 12; i++) {
        snprintf(to, sizeof to, "+141555501%02d", i);
        snprintf(key, sizeof key, "k%d", i);
        ck_assert_int_eq(send_one("+12025550101", to, key), 201);
    }
    ck_assert_ptr_nonnull(strstr(event_find("\"new_reputation\":\"CRITICAL\"")->body, "+12025550101"));
    ck_assert_int_eq(api("POST", "/v3/phone_numbers/+12025550101/reputation_audit", ""), 202);
    ck_assert_int_eq(control("GET", "/model", NULL), 200);
    ck_assert(answer_has("\"heat\":"));
    model("{\"new_chats_per_day\":1000}"); /* as if the day were over */
    ck_assert_ptr_nonnull(strstr(event_find("\"new_reputation\":\"HEALTHY\"")->body, "+12025550101"));
    ck_assert_int_eq(api("GET", "/v3/phone_numbers", NULL), 200);
    ck_assert(!answer_has("CRITICAL"));
}
END_TEST

START_TEST(a_chat_that_is_not_answered_becomes_at_risk)
{
    char key[16], chat[64], path[128];
    model("{\"answer_share\":0}");
    for (int i = 0; i < 5; i++) {
        snprintf(key, sizeof key, "k%d", i);
        ck_assert_int_eq(send_one("+12025550101", "+14155550111", key), 201);
    }
    ck_assert(answer_has("\"status\":\"AT_RISK\""));
    answer_member("id", chat, sizeof chat);
    snprintf(path, sizeof path, "/v3/chats/%s", chat);
    ck_assert_int_eq(control("POST", "/answers", "{\"recipient\":\"+14155550111\",\"text\":\"yes?\"}"), 200);
    ck_assert_int_eq(api("GET", path, NULL), 200);
    ck_assert(answer_has("\"status\":\"HEALTHY\""));
}
END_TEST

START_TEST(what_the_controls_say_of_a_line_stands_in_the_model_too)
{
    ck_assert_int_eq(control("POST", "/lines/+12025550101", "{\"reputation\":\"CRITICAL\"}"), 200);
    ck_assert_int_eq(sandbox->model.lines[0].reputation, REPUTATION_CRITICAL);
    ck_assert_int_eq(control("POST", "/lines/+12025550155", "{}"), 200); /* a line that is new begins with its use */
    ck_assert_int_eq(send_one("+12025550155", "+14155550111", "k1"), 201);
    ck_assert_uint_eq(sandbox->model.line_count, 3);
}
END_TEST

START_TEST(the_models_time_stands_still_while_it_is_off)
{
    const struct model_run *run = &sandbox->model;
    model("{\"on\":false,\"speed\":1000000}");
    int64_t stopped_ms = run->from_model_ms, until_ms = clock_read().mono_ms + 20; /* at that speed 5 hours */
    while (clock_read().mono_ms < until_ms)
        continue;
    model("{\"on\":true,\"speed\":1}");
    ck_assert_int_lt(run->from_model_ms - stopped_ms, 3600000);
    ck_assert_int_gt(stopped_ms, 0);
}
END_TEST

START_TEST(at_the_slowest_speed_nothing_happens_yet)
{
    model("{\"speed\":1e-300,\"fail_share\":0}");
    ck_assert_int_eq(send_one("+12025550101", "+14155550111", "k1"), 201);
    ck_assert_uint_gt(sandbox->model.reactions.count, 0);
    ck_assert_int_gt(sandbox_due_next_ms(&sandbox->model.reactions), clock_read().mono_ms + 86400000);
}
END_TEST

START_TEST(wrong_parameters_are_named_and_change_nothing)
{
    ck_assert_int_eq(control("POST", "/model", "{\"answer_share\":0.9,\"speed\":0}"), 400);
    ck_assert(answer_has("speed"));
    ck_assert_int_eq(control("POST", "/model", "{\"answer_share\":0.9,\"answers\":1}"), 400);
    ck_assert_int_eq(control("POST", "/model", "{\"line\":\"+12025550199\",\"daily_level\":1}"), 400);
    ck_assert(sandbox->model.params.answer_share < 0.5);
    model("{\"line\":\"+12025550102\",\"daily_level\":5000}");
    ck_assert(sandbox->model.lines[1].level > 4000);
    ck_assert(sandbox->model.lines[0].level < 1);
    model("{\"on\":false}");
    ck_assert(answer_has("\"on\":false"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sandbox_people");
    TCase *tests = tcase_create("people");
    tcase_add_checked_fixture(tests, setup, sandbox_rig_teardown);
    tcase_set_timeout(tests, 2 * WAIT_S);
    tcase_add_test(tests, a_person_gets_reads_and_answers_a_message);
    tcase_add_test(tests, a_person_who_opts_out_is_refused_from_then_on);
    tcase_add_test(tests, a_message_that_fails_is_told_and_never_delivered);
    tcase_add_test(tests, a_line_that_opens_too_many_conversations_gets_worse_and_recovers_in_quiet);
    tcase_add_test(tests, a_chat_that_is_not_answered_becomes_at_risk);
    tcase_add_test(tests, what_the_controls_say_of_a_line_stands_in_the_model_too);
    tcase_add_test(tests, the_models_time_stands_still_while_it_is_off);
    tcase_add_test(tests, at_the_slowest_speed_nothing_happens_yet);
    tcase_add_test(tests, wrong_parameters_are_named_and_change_nothing);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
