/* feed_webhooks_wait_test.c — what becomes of a request while the broker owes its answer: it waits, is told to come again,
 * leaves, or drips. */
#include "tests/unit/feed_webhooks_rig.h"

/* A receiver whose broker does not answer, and a request that it takes. Free with free(). */
static char *start_and_sign(size_t *bytes)
{
    rig_start(SECRET);
    rig.answer_status = 0;
    struct post post = signed_post("/webhooks/linq", SECRET, critical, strlen(critical), 0);
    return post_text(&post, bytes);
}

/* The broker has it, and the client waits. */
static void say_until_taken(struct client *client, const char *text, size_t bytes)
{
    client_open(client);
    client_say(client, text, bytes);
    for (int i = 0; i < TURNS_MAX && rig.events == 0; i++) {
        client_turn(client);
        step();
    }
}

START_TEST(the_answer_waits_until_the_broker_has_stored_the_event)
{
    struct client client;
    size_t bytes = 0;
    char *text = start_and_sign(&bytes);
    say_until_taken(&client, text, bytes);
    ck_assert_int_eq(rig.events, 1);
    ck_assert_int_eq(rig.last.webhook.arrived_mono_ms, rig.now.mono_ms);
    for (int i = 0; i < 50; i++) {
        ck_assert(client_turn(&client));
        step();
    }
    ck_assert_uint_eq(client.bytes, 0);
    ck_assert_int_eq(feed_webhooks_due(rig.hooks, rig.now), rig.now.mono_ms + WEBHOOK_ANSWER_MS);
    feed_webhooks_answer(rig.hooks, rig.last.webhook.request + 1, 200); /* nobody's */
    feed_webhooks_answer(rig.hooks, rig.last.webhook.request, 200);
    ck_assert_int_eq(client_hear(&client), 200);
    /* The connection lives on. */
    rig.answer_status = 503;
    client_say(&client, text, bytes);
    ck_assert_int_eq(client_hear(&client), 503);
    close(client.fd);
    free(text);
}
END_TEST

START_TEST(a_broker_that_does_not_answer_in_time_means_send_it_again)
{
    struct client client;
    size_t bytes = 0;
    char *text = start_and_sign(&bytes);
    say_until_taken(&client, text, bytes);
    rig.now.mono_ms += WEBHOOK_ANSWER_MS - 1;
    step();
    client_turn(&client);
    ck_assert_uint_eq(client.bytes, 0);
    rig.now.mono_ms += 1;
    ck_assert_int_eq(client_hear(&client), 503);
    ck_assert_uint_eq(counted(FEED_NOTE_WEBHOOK_NOT_TAKEN), 1);
    feed_webhooks_answer(rig.hooks, rig.last.webhook.request, 200); /* too late, and harmless */
    step();
    close(client.fd);
    free(text);
}
END_TEST

START_TEST(a_broker_that_does_not_keep_up_means_send_it_again)
{
    rig_start(SECRET);
    rig.refusing = true;
    ck_assert_int_eq(send_signed("/webhooks/linq", SECRET, critical), 503);
    ck_assert_uint_eq(counted(FEED_NOTE_WEBHOOK_NOT_TAKEN), 1);
}
END_TEST

START_TEST(many_wait_at_once_and_are_answered_in_any_order)
{
    enum { CLIENTS = 50 };
    static struct client clients[CLIENTS];
    size_t bytes = 0;
    char *text = start_and_sign(&bytes);
    for (int i = 0; i < CLIENTS; i++) {
        client_open(&clients[i]);
        client_say(&clients[i], text, bytes);
    }
    for (int turns = 0; turns < TURNS_MAX && rig.events < CLIENTS; turns++) {
        for (int i = 0; i < CLIENTS; i++)
            client_turn(&clients[i]);
        step();
    }
    ck_assert_int_eq(rig.events, CLIENTS);
    for (uint64_t request = CLIENTS; request > 0; request--)
        feed_webhooks_answer(rig.hooks, request, request % 2 == 0 ? 200 : 503);
    int good = 0;
    for (int i = 0; i < CLIENTS; i++) {
        good += client_hear(&clients[i]) == 200;
        close(clients[i].fd);
    }
    ck_assert_int_eq(good, CLIENTS / 2);
    free(text);
}
END_TEST

START_TEST(a_client_that_leaves_while_waiting_harms_nobody)
{
    struct client client;
    size_t bytes = 0;
    char *text = start_and_sign(&bytes);
    say_until_taken(&client, text, bytes);
    close(client.fd);
    step();
    feed_webhooks_answer(rig.hooks, rig.last.webhook.request, 200);
    for (int i = 0; i < 10; i++)
        step();
    rig.answer_status = 200;
    ck_assert_int_eq(exchange(text, bytes), 200);
    free(text);
}
END_TEST

START_TEST(closing_does_not_hang_on_those_that_wait)
{
    struct client client;
    size_t bytes = 0;
    char *text = start_and_sign(&bytes);
    say_until_taken(&client, text, bytes);
    feed_webhooks_close(&rig.hooks);
    ck_assert_ptr_null(rig.hooks);
    close(client.fd);
    free(text);
}
END_TEST

START_TEST(a_request_that_drips_is_cut_off)
{
    struct client client;
    const char *head = "POST /webhooks/linq HTTP/1.1\r\nHost: x\r\n";
    rig_start(SECRET);
    client_open(&client);
    client_say(&client, head, strlen(head));
    for (int i = 0; i < 100; i++) {
        ck_assert(client_turn(&client));
        step();
    }
    ck_assert_int_le(feed_webhooks_due(rig.hooks, rig.now), rig.now.mono_ms + WEBHOOK_REQUEST_MS_MAX);
    rig.now.mono_ms += WEBHOOK_REQUEST_MS_MAX;
    bool open = true;
    for (int i = 0; i < 100 && open; i++) {
        step();
        open = client_turn(&client);
    }
    ck_assert(!open);
    close(client.fd);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        the_answer_waits_until_the_broker_has_stored_the_event,
        a_broker_that_does_not_answer_in_time_means_send_it_again,
        a_broker_that_does_not_keep_up_means_send_it_again,
        many_wait_at_once_and_are_answered_in_any_order,
        a_client_that_leaves_while_waiting_harms_nobody,
        closing_does_not_hang_on_those_that_wait,
        a_request_that_drips_is_cut_off,
    };
    return run_suite("feed_webhooks_wait", tests, sizeof tests / sizeof *tests);
}
