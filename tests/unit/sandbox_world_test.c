/* sandbox_world_test.c — what the sandbox's provider takes, refuses and remembers. Time is an argument. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"
#include "tools/sandbox/world.h"

#define LINE "+12025550101"

static struct world *world;
static uint32_t line;
static struct instant now;

static void setup(void)
{
    const struct world_settings settings = {
        .seed = 7, .messages_max = 100, .pair_limit = 3, .pair_window_ms = 60000, .delivered_ms = 200};
    world = world_new(&settings);
    now = (struct instant){.wall_ms = 1795428000000, .mono_ms = 5000};
    ck_assert_int_eq(world_line_add(world, LINE, now, &line), ERR_NONE);
}

static void teardown(void)
{
    world_free(&world);
}

/* A first message; `members` may add some to the message object. */
static struct world_send_result open_chat(const char *to, const char *key, const char *text, const char *members)
{
    char body[1024];
    struct send_request request;
    struct world_send_result result;
    int bytes = snprintf(body, sizeof body,
                         "{\"from\":\"" LINE "\",\"to\":[%s],\"message\":{\"parts\":[{\"type\":\"text\",\"value\":"
                         "\"%s\"}]%s%s%s%s}}",
                         to, text, key != NULL ? ",\"idempotency_key\":\"" : "", key != NULL ? key : "",
                         key != NULL ? "\"" : "", members);
    ck_assert_int_eq(send_request_read(&request, body, (size_t)bytes, true), 0);
    world_send(world, line, WORLD_NONE, &request, now, &result);
    send_request_free(&request);
    return result;
}

static struct world_send_result say(uint32_t chat, const char *key, const char *text)
{
    char body[512];
    struct send_request request;
    struct world_send_result result;
    int bytes = snprintf(
        body, sizeof body,
        "{\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"%s\"}],\"idempotency_key\":\"%s\"}}", text, key);
    ck_assert_int_eq(send_request_read(&request, body, (size_t)bytes, false), 0);
    world_send(world, world->chats[chat].line, chat, &request, now, &result);
    send_request_free(&request);
    return result;
}

START_TEST(the_same_line_and_recipients_are_one_chat_in_any_order)
{
    struct world_send_result first = open_chat("\"+14155550111\",\"A@b.c\"", "k1", "x", "");
    struct world_send_result again = open_chat("\"a@B.c\",\"+14155550111\",\"+14155550111\"", "k2", "x", "");
    struct world_send_result other = open_chat("\"+14155550111\"", "k3", "x", "");
    ck_assert(first.new_chat);
    ck_assert(!again.new_chat);
    ck_assert_uint_eq(first.chat, again.chat);
    ck_assert(other.new_chat);
    ck_assert_uint_ne(first.chat, other.chat);
}
END_TEST

START_TEST(a_known_key_sends_nothing_and_answers_the_first_message)
{
    struct world_send_result first = open_chat("\"+14155550111\"", "k1", "x", "");
    struct world_send_result again = open_chat("\"+14155550111\"", "k1", "x", "");
    ck_assert_int_eq(again.code, WORLD_OK);
    ck_assert(again.duplicate);
    ck_assert(!again.body_differs);
    ck_assert(!again.new_chat);
    ck_assert_uint_eq(again.message, first.message);
    ck_assert_uint_eq(world->message_count, 1);
    ck_assert_uint_eq(world->duplicates, 1);
}
END_TEST

START_TEST(a_known_key_with_another_text_is_marked_and_the_first_stands)
{
    open_chat("\"+14155550111\"", "k1", "x", "");
    struct world_send_result again = open_chat("\"+14155550111\"", "k1", "y", "");
    ck_assert(again.duplicate);
    ck_assert(again.body_differs);
    ck_assert_uint_eq(world->message_count, 1);
}
END_TEST

START_TEST(a_known_key_is_answered_even_when_the_line_was_flagged_since)
{
    struct world_send_result first = open_chat("\"+14155550111\"", "k1", "x", "");
    world_line_set(world, line, REPUTATION_HEALTHY, SERVICE_FLAGGED, true, now);
    ck_assert(say(first.chat, "k1", "x").duplicate);
    ck_assert_int_eq(say(first.chat, "k2", "x").code, WORLD_LINE_INELIGIBLE);
}
END_TEST

START_TEST(a_refused_send_does_not_use_up_its_key_and_makes_no_chat)
{
    world_line_set(world, line, REPUTATION_HEALTHY, SERVICE_FLAGGED, true, now);
    ck_assert_int_eq(open_chat("\"+14155550111\"", "k1", "x", "").code, WORLD_LINE_INELIGIBLE);
    ck_assert_uint_eq(world->chat_count, 0);
    world_line_set(world, line, REPUTATION_HEALTHY, SERVICE_ACTIVE, true, now);
    struct world_send_result result = open_chat("\"+14155550111\"", "k1", "x", "");
    ck_assert_int_eq(result.code, WORLD_OK);
    ck_assert(result.new_chat);
}
END_TEST

START_TEST(a_critical_line_sends)
{
    world_line_set(world, line, REPUTATION_CRITICAL, SERVICE_ACTIVE, true, now);
    ck_assert_int_eq(open_chat("\"+14155550111\"", "k1", "x", "").code, WORLD_OK);
}
END_TEST

START_TEST(a_first_message_takes_no_link_effect_or_reply_and_later_ones_do)
{
    ck_assert_int_eq(open_chat("\"+14155550111\"", "k1", "see HTTPS://a.b", "").code, WORLD_BAD_VALUE);
    ck_assert_int_eq(open_chat("\"+14155550111\"", "k1", "x", ",\"effect\":{\"type\":\"screen\"}").code,
                     WORLD_BAD_VALUE);
    ck_assert_int_eq(open_chat("\"+14155550111\"", "k1", "x", ",\"reply_to\":{\"message_id\":\"a\"}").code,
                     WORLD_BAD_VALUE);
    ck_assert_uint_eq(world->chat_count, 0);
    struct world_send_result first = open_chat("\"+14155550111\"", "k1", "x", "");
    ck_assert_int_eq(say(first.chat, "k2", "see https://a.b").code, WORLD_OK);
}
END_TEST

START_TEST(a_pair_is_limited_until_its_oldest_send_leaves_the_window)
{
    struct world_send_result first = open_chat("\"+14155550111\"", "k1", "x", "");
    now.mono_ms += 1000;
    ck_assert_int_eq(say(first.chat, "k2", "x").code, WORLD_OK);
    ck_assert_int_eq(say(first.chat, "k3", "x").code, WORLD_OK);
    now.mono_ms += 500;
    struct world_send_result fourth = say(first.chat, "k4", "x");
    ck_assert_int_eq(fourth.code, WORLD_RATE_LIMITED);
    ck_assert_int_eq(fourth.retry_after_ms, 60000 - 1500);
    ck_assert(say(first.chat, "k3", "x").duplicate); /* a repeat is no send */
    now.mono_ms += fourth.retry_after_ms - 1;
    ck_assert_int_eq(say(first.chat, "k4", "x").code, WORLD_RATE_LIMITED);
    now.mono_ms += 1;
    ck_assert_int_eq(say(first.chat, "k4", "x").code, WORLD_OK);
    ck_assert_int_eq(say(first.chat, "k5", "x").code, WORLD_RATE_LIMITED);
}
END_TEST

START_TEST(a_first_message_that_is_wrong_is_refused_for_that_also_beyond_the_pair_limit)
{
    struct world_send_result first = open_chat("\"+14155550111\"", "k1", "x", "");
    ck_assert_int_eq(say(first.chat, "k2", "x").code, WORLD_OK);
    ck_assert_int_eq(say(first.chat, "k3", "x").code, WORLD_OK);
    ck_assert_int_eq(open_chat("\"+14155550111\",\"a@b.c\"", "k4", "see https://a.b", "").code, WORLD_BAD_VALUE);
    struct world_send_result fifth = open_chat("\"+14155550111\",\"a@b.c\"", "k5", "x", "");
    ck_assert_int_eq(fifth.code, WORLD_RATE_LIMITED);
    ck_assert_int_eq(fifth.retry_after_ms, 60000);
}
END_TEST

START_TEST(another_recipient_of_the_line_has_a_limit_of_its_own)
{
    for (int i = 0; i < 3; i++) {
        char key[16];
        snprintf(key, sizeof key, "a%d", i);
        ck_assert_int_eq(open_chat("\"+14155550111\"", key, "x", "").code, WORLD_OK);
    }
    ck_assert_int_eq(open_chat("\"+14155550111\"", "a3", "x", "").code, WORLD_RATE_LIMITED);
    ck_assert_int_eq(open_chat("\"+14155550112\"", "b", "x", "").code, WORLD_OK);
}
END_TEST

START_TEST(an_opt_out_blocks_direct_sends_on_every_line_but_no_group)
{
    uint32_t second, message;
    struct world_send_result first = open_chat("\"+14155550111\"", "k1", "x", "");
    uint32_t recipient = world_recipient_find(world, "+14155550111");
    ck_assert_int_eq(world_line_add(world, "+12025550102", now, &second), ERR_NONE);
    ck_assert_int_eq(world_receive(world, first.chat, recipient, " STOP\n", now, &message), ERR_NONE);
    ck_assert_int_eq(world->chats[first.chat].health, CHAT_OPTED_OUT);
    ck_assert_int_eq(say(first.chat, "k2", "x").code, WORLD_OPTED_OUT);
    line = second;
    ck_assert_int_eq(open_chat("\"+14155550111\"", "k3", "x", "").code, WORLD_OPTED_OUT);
    ck_assert_int_eq(open_chat("\"+14155550111\",\"+14155550112\"", "k4", "x", "").code, WORLD_OK);
}
END_TEST

START_TEST(any_other_answer_opts_in_again)
{
    uint32_t message;
    struct world_send_result first = open_chat("\"+14155550111\"", "k1", "x", "");
    uint32_t recipient = world_recipient_find(world, "+14155550111");
    ck_assert_int_eq(world_receive(world, first.chat, recipient, "opt out", now, &message), ERR_NONE);
    ck_assert_int_eq(say(first.chat, "k2", "x").code, WORLD_OPTED_OUT);
    ck_assert_int_eq(world_receive(world, first.chat, recipient, "hello", now, &message), ERR_NONE);
    ck_assert_int_eq(world->chats[first.chat].health, CHAT_HEALTHY);
    ck_assert_int_eq(say(first.chat, "k2", "x").code, WORLD_OK);
}
END_TEST

START_TEST(keywords_opt_out_only_as_the_whole_message_and_in_their_case)
{
    static const char *const out[] = {"STOP",   "\tQUIT ", "UNSUBSCRIBE", "END",
                                      "CANCEL", "optout",  "Opt-Out",     "OPT OUT"};
    static const char *const in[] = {"stop", "please stop", "STOP it", "", " ", "STOPP", "quit", "OPT"};
    for (size_t i = 0; i < sizeof out / sizeof *out; i++)
        ck_assert_msg(world_text_opts_out(out[i]), "%s", out[i]);
    for (size_t i = 0; i < sizeof in / sizeof *in; i++)
        ck_assert_msg(!world_text_opts_out(in[i]), "%s", in[i]);
}
END_TEST

START_TEST(a_blocked_recipient_is_refused_before_an_opted_out_one)
{
    uint32_t recipient = world_recipient_add(world, "+14155550111");
    world->recipients[recipient].blocked = world->recipients[recipient].opted_out = true;
    ck_assert_int_eq(open_chat("\"+14155550111\"", "k1", "x", "").code, WORLD_BLOCKED);
}
END_TEST

START_TEST(a_removed_line_is_not_ours_and_comes_back_healthy)
{
    struct world_send_result first = open_chat("\"+14155550111\"", "k1", "x", "");
    world_line_set(world, line, REPUTATION_CRITICAL, SERVICE_ACTIVE, true, now);
    uint64_t change = world->lines[line].change;
    world_line_remove(world, line);
    ck_assert_uint_eq(world_line_find(world, LINE), WORLD_NONE);
    ck_assert_int_eq(say(first.chat, "k2", "x").code, WORLD_NOT_OUR_LINE);
    uint32_t back;
    ck_assert_int_eq(world_line_add(world, LINE, now, &back), ERR_NONE);
    ck_assert_uint_eq(back, line);
    ck_assert_int_eq(world->lines[back].reputation, REPUTATION_HEALTHY);
    ck_assert_uint_gt(world->lines[back].change, change);
    ck_assert_int_eq(say(first.chat, "k2", "x").code, WORLD_OK);
}
END_TEST

START_TEST(the_list_may_lag_behind_the_truth)
{
    world_line_set(world, line, REPUTATION_CRITICAL, SERVICE_ACTIVE, false, now);
    ck_assert_int_eq(world->lines[line].reputation, REPUTATION_CRITICAL);
    ck_assert_int_eq(world->lines[line].listed_reputation, REPUTATION_HEALTHY);
}
END_TEST

START_TEST(a_full_world_refuses_and_remembers_what_it_has)
{
    world->settings.messages_max = 1;
    struct world_send_result first = open_chat("\"+14155550111\"", "k1", "x", "");
    ck_assert_int_eq(say(first.chat, "k2", "x").code, WORLD_FULL);
    ck_assert_int_eq(open_chat("\"+14155550112\"", "k3", "x", "").code, WORLD_FULL);
    ck_assert_uint_eq(world->chat_count, 1);
    ck_assert(say(first.chat, "k1", "x").duplicate);
}
END_TEST

START_TEST(delivery_follows_the_clock_and_groups_are_never_delivered)
{
    struct world_send_result direct = open_chat("\"+14155550111\"", "k1", "x", "");
    struct world_send_result group = open_chat("\"+14155550111\",\"a@b.c\"", "k2", "x", "");
    ck_assert_int_eq(world_message_delivery(world, direct.message, now.wall_ms + 199), WORLD_SENT);
    ck_assert_int_eq(world_message_delivery(world, direct.message, now.wall_ms + 200), WORLD_DELIVERED);
    ck_assert_int_eq(world_message_delivery(world, group.message, now.wall_ms + 9999), WORLD_SENT);
    world_message_mark(world, direct.message, WORLD_FAILED, now.wall_ms);
    ck_assert_int_eq(world_message_delivery(world, direct.message, now.wall_ms + 9999), WORLD_FAILED_NOW);
}
END_TEST

START_TEST(ids_lead_back_and_others_lead_nowhere)
{
    char id[WORLD_ID_TEXT_MAX];
    uint64_t number = 99;
    world_id_format(7, WORLD_ID_CHAT, 123456789, id);
    ck_assert_uint_eq(strlen(id), 36);
    ck_assert(id[14] == '4');
    ck_assert(world_id_parse(7, WORLD_ID_CHAT, id, &number));
    ck_assert_uint_eq(number, 123456789);
    ck_assert(!world_id_parse(8, WORLD_ID_CHAT, id, &number));
    ck_assert(!world_id_parse(7, WORLD_ID_MESSAGE, id, &number));
    ck_assert(!world_id_parse(7, WORLD_ID_CHAT, "", &number));
    id[35] = id[35] == '0' ? '1' : '0';
    ck_assert(!world_id_parse(7, WORLD_ID_CHAT, id, &number));
}
END_TEST

START_TEST(many_chats_are_all_found_again)
{
    world->settings.messages_max = 10000;
    char to[32], key[16];
    uint32_t chats[2000];
    for (int i = 0; i < 2000; i++) {
        snprintf(to, sizeof to, "\"+1415555%04d\"", i);
        snprintf(key, sizeof key, "k%d", i);
        chats[i] = open_chat(to, key, "x", "").chat;
        ck_assert_uint_eq(chats[i], (uint32_t)i);
    }
    for (int i = 0; i < 2000; i++) {
        char handle[1][HANDLE_MAX_BYTES + 1];
        snprintf(handle[0], sizeof handle[0], "+1415555%04d", i);
        ck_assert_uint_eq(world_chat_find(world, line, 1, handle), chats[i]);
    }
}
END_TEST

START_TEST(a_past_has_its_shares_of_groups_and_health_and_its_time)
{
    const struct world_past past = {
        .count = 1000, .span_ms = 1000000, .group = 0.1, .at_risk = 0.2, .critical = 0.05, .opted_out = 0.02};
    uint64_t number = 99999; /* its first group crosses to a longer number, which sorts first */
    int groups = 0, health[CHAT_HEALTH_COUNT] = {0};
    for (uint32_t n = 0; n < past.count; n++) {
        ck_assert_int_eq(world_chat_preload(world, line, &past, n, &number, now.wall_ms), ERR_NONE);
        groups += world->chats[n].seat_count == WORLD_PAST_GROUP;
        health[world->chats[n].health]++;
    }
    ck_assert_int_eq(groups, 100);
    ck_assert_uint_eq(number, 99999 + 900 + 100 * WORLD_PAST_GROUP);
    ck_assert_int_le(abs(health[CHAT_OPTED_OUT] - 20), 1);
    ck_assert_int_le(abs(health[CHAT_CRITICAL] - 50), 1);
    ck_assert_int_eq(health[CHAT_AT_RISK], 200);
    ck_assert_int_eq(world->chats[0].created_wall_ms, now.wall_ms - past.span_ms);
    ck_assert_int_eq(world->chats[500].created_wall_ms, now.wall_ms - past.span_ms / 2);
    ck_assert_uint_eq(world->lines[line].newest_chat, 999);
    number = 99999;
    ck_assert_int_eq(world_chat_preload(world, line, &past, 0, &number, now.wall_ms), ERR_EXISTS);
}
END_TEST

START_TEST(a_chat_made_before_is_the_chat_of_a_send)
{
    const struct world_past past = {.count = 1};
    uint64_t number = 14155550111;
    ck_assert_int_eq(world_chat_preload(world, line, &past, 0, &number, now.wall_ms), ERR_NONE);
    struct world_send_result sent = open_chat("\"+14155550111\"", "k1", "see www.example.com", "");
    ck_assert_int_eq(sent.code, WORLD_OK); /* no first message: it may hold a link */
    ck_assert(!sent.new_chat);
    ck_assert_uint_eq(sent.chat, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sandbox_world");
    TCase *tests = tcase_create("world");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, the_same_line_and_recipients_are_one_chat_in_any_order);
    tcase_add_test(tests, a_known_key_sends_nothing_and_answers_the_first_message);
    tcase_add_test(tests, a_known_key_with_another_text_is_marked_and_the_first_stands);
    tcase_add_test(tests, a_known_key_is_answered_even_when_the_line_was_flagged_since);
    tcase_add_test(tests, a_refused_send_does_not_use_up_its_key_and_makes_no_chat);
    tcase_add_test(tests, a_critical_line_sends);
    tcase_add_test(tests, a_first_message_takes_no_link_effect_or_reply_and_later_ones_do);
    tcase_add_test(tests, a_pair_is_limited_until_its_oldest_send_leaves_the_window);
    tcase_add_test(tests, a_first_message_that_is_wrong_is_refused_for_that_also_beyond_the_pair_limit);
    tcase_add_test(tests, another_recipient_of_the_line_has_a_limit_of_its_own);
    tcase_add_test(tests, an_opt_out_blocks_direct_sends_on_every_line_but_no_group);
    tcase_add_test(tests, any_other_answer_opts_in_again);
    tcase_add_test(tests, keywords_opt_out_only_as_the_whole_message_and_in_their_case);
    tcase_add_test(tests, a_blocked_recipient_is_refused_before_an_opted_out_one);
    tcase_add_test(tests, a_removed_line_is_not_ours_and_comes_back_healthy);
    tcase_add_test(tests, the_list_may_lag_behind_the_truth);
    tcase_add_test(tests, a_full_world_refuses_and_remembers_what_it_has);
    tcase_add_test(tests, delivery_follows_the_clock_and_groups_are_never_delivered);
    tcase_add_test(tests, ids_lead_back_and_others_lead_nowhere);
    tcase_add_test(tests, many_chats_are_all_found_again);
    tcase_add_test(tests, a_past_has_its_shares_of_groups_and_health_and_its_time);
    tcase_add_test(tests, a_chat_made_before_is_the_chat_of_a_send);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
