/* feed_webhooks_test.c — the receiver over real connections on loopback: every signature vector, every refusal, and
 * what becomes of a request whose answer is late. The clock is the test's. */
#include "broker/feed/feed_webhooks.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/feed/feed_address.h"
#include "lineward/signature.h"
#include "tests/unit/feed_fixture.h"

#define FIXTURE_CLOCK_S INT64_C(1795428005)
#define SECRET          "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define OTHER_SECRET    "whsec_//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA="
#define TURNS_MAX       20000

/* ---- a receiver whose broker is the test ---- */

static struct rig {
    char paths[2][64]; /* secrets of `default` and of `second` */
    struct conf_account accounts[2];
    struct conf conf;
    char endpoint[32];
    struct feed_notes *notes;
    struct feed_webhooks *hooks;
    struct instant now;
    bool refusing;     /* the broker's buffer is full */
    int answer_status; /* 0: the broker does not answer */
    struct feed_message last;
    int events;
    uint64_t counted[FEED_NOTE_COUNT];
    int polls;
} rig;

static bool take(void *context, const struct feed_message *message)
{
    if (message->kind == FEED_NOTE) {
        rig.counted[message->note] += message->count;
        return true;
    }
    ck_assert_int_eq(message->kind, FEED_WEBHOOK);
    if (rig.refusing)
        return false;
    rig.last = *message;
    rig.events++;
    return true;
}

static void poll_wanted(void *context, size_t account)
{
    rig.polls++;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    fclose(file);
}

static enum err rig_open(struct conf_problem *problem)
{
    struct feed_webhooks_options options = {
        .emit = take, .poll_now = poll_wanted, .notes = rig.notes, .answer_ms = WEBHOOK_ANSWER_MS};
    return feed_webhooks_open(&rig.hooks, &rig.conf, &options, problem);
}

static void rig_start(const char *secrets)
{
    struct conf_problem problem;
    write_file(rig.paths[0], secrets);
    ck_assert_int_eq(rig_open(&problem), ERR_NONE);
}

static void setup(void)
{
    static const char *const names[] = {"default", "second"};
    memset(&rig, 0, sizeof rig);
    for (int i = 0; i < 2; i++) {
        strcpy(rig.paths[i], "/tmp/lineward-secrets-XXXXXX");
        int fd = mkstemp(rig.paths[i]);
        ck_assert_int_ge(fd, 0);
        close(fd);
        strcpy(rig.accounts[i].name, names[i]);
        rig.accounts[i].webhook_secrets_file = rig.paths[i];
    }
    write_file(rig.paths[1], OTHER_SECRET "\n");
    strcpy(rig.endpoint, "127.0.0.1:0");
    rig.conf.accounts = rig.accounts;
    rig.conf.account_count = 2;
    rig.conf.broker.webhooks = rig.endpoint;
    rig.now = (struct instant){FIXTURE_CLOCK_S * 1000, 1000000};
    rig.answer_status = 200;
    rig.notes = feed_notes_new(&rig.conf, take, NULL);
    ck_assert_ptr_nonnull(rig.notes);
}

static void teardown(void)
{
    feed_webhooks_close(&rig.hooks);
    feed_notes_free(&rig.notes);
    unlink(rig.paths[0]);
    unlink(rig.paths[1]);
}

static void step(void)
{
    int events = rig.events;
    feed_webhooks_step(rig.hooks, rig.now);
    if (rig.events > events && rig.answer_status != 0)
        feed_webhooks_answer(rig.hooks, rig.last.webhook.request, rig.answer_status);
}

static uint64_t counted(enum feed_note note)
{
    rig.now.mono_ms += 1000;
    feed_notes_step(rig.notes, rig.now);
    return rig.counted[note];
}

/* ---- a client ---- */

struct client {
    int fd;
    const char *to_send;
    size_t left;
    char answer[4096];
    size_t bytes;
};

static void client_open(struct client *client)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)feed_webhooks_port(rig.hooks))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memset(client, 0, sizeof *client);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(client->fd, (struct sockaddr *)&address, sizeof address), 0);
}

static void client_say(struct client *client, const char *text, size_t bytes)
{
    client->to_send = text;
    client->left = bytes;
    client->bytes = 0;
    memset(client->answer, 0, sizeof client->answer);
}

/* Sends and hears what can be without waiting. False: the connection is closed. */
static bool client_turn(struct client *client)
{
    if (client->left > 0) {
        ssize_t sent = send(client->fd, client->to_send, client->left, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            client->to_send += sent;
            client->left -= (size_t)sent;
        }
    }
    size_t room = sizeof client->answer - 1 - client->bytes;
    ssize_t got = recv(client->fd, client->answer + client->bytes, room, MSG_DONTWAIT);
    if (got > 0)
        client->bytes += (size_t)got;
    return got > 0 || (got < 0 && errno == EAGAIN);
}

/* The status once the whole answer is here, else 0. */
static int client_status(const struct client *client)
{
    const char *end = strstr(client->answer, "\r\n\r\n");
    const char *length = strcasestr(client->answer, "content-length:");
    if (end == NULL)
        return 0;
    size_t body = length == NULL || length > end ? 0 : strtoul(length + 15, NULL, 10);
    return client->bytes < (size_t)(end + 4 - client->answer) + body ? 0 : atoi(client->answer + 9);
}

/* Turns both ends until there is an answer: its status, or -1 if the connection was closed without one. */
static int client_hear(struct client *client)
{
    for (int i = 0; i < TURNS_MAX; i++) {
        bool open = client_turn(client);
        if (client_status(client) != 0)
            return client_status(client);
        if (!open)
            return -1;
        step();
        struct pollfd fds[] = {{.fd = client->fd, .events = POLLIN},
                               {.fd = feed_webhooks_fd(rig.hooks), .events = POLLIN}};
        poll(fds, 2, client->left > 0 ? 0 : 1);
    }
    return 0;
}

static int exchange(const char *text, size_t bytes)
{
    struct client client;
    client_open(&client);
    client_say(&client, text, bytes);
    int status = client_hear(&client);
    close(client.fd);
    return status;
}

struct post {
    const char *path, *id, *timestamp, *signature; /* NULL headers are left out */
    const char *body;
    size_t bytes;
};

/* Free with free(). */
static char *post_text(const struct post *post, size_t *bytes)
{
    const char *names[] = {"Webhook-Id", "WEBHOOK-TIMESTAMP", "webhook-signature"};
    const char *values[] = {post->id, post->timestamp, post->signature};
    char *text = malloc(2048 + post->bytes);
    ck_assert_ptr_nonnull(text);
    int head = sprintf(text, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n", post->path, post->bytes);
    for (int i = 0; i < 3; i++) {
        if (values[i] != NULL)
            head += sprintf(text + head, "%s: %s\r\n", names[i], values[i]);
    }
    head += sprintf(text + head, "\r\n");
    memcpy(text + head, post->body, post->bytes);
    *bytes = (size_t)head + post->bytes;
    return text;
}

static int send_post(const struct post *post)
{
    size_t bytes = 0;
    char *text = post_text(post, &bytes);
    int status = exchange(text, bytes);
    free(text);
    return status;
}

/* A body signed now with `secret`; the texts live until the next call. */
static struct post signed_post(const char *path, const char *secret, const char *body, size_t bytes, int64_t age_s)
{
    static char timestamp[24], signature[SIGNATURE_TEXT_MAX];
    struct webhook_secret key;
    ck_assert(webhook_secret_parse(secret, &key));
    snprintf(timestamp, sizeof timestamp, "%lld", (long long)(rig.now.wall_ms / 1000 - age_s));
    signature_make(&key, "msg_1", timestamp, body, bytes, signature);
    return (struct post){path, "msg_1", timestamp, signature, body, bytes};
}

static int send_signed(const char *path, const char *secret, const char *body)
{
    struct post post = signed_post(path, secret, body, strlen(body), 0);
    return send_post(&post);
}

static const char critical[] =
    "{\"event_type\":\"phone_number.status_updated\",\"event_id\":\"e1\",\"data\":{\"phone_number\":\"+12025550101\","
    "\"new_reputation\":\"CRITICAL\",\"changed_at\":\"2026-11-23T09:59:59Z\"}}";

/* ---- the vectors ---- */

START_TEST(every_signature_vector_is_judged_right_over_http)
{
    cJSON *vectors = fixture_json("signed/vectors.json");
    const cJSON *vector = NULL;
    int seen = 0;
    cJSON_ArrayForEach(vector, json_get(vectors, "vectors"))
    {
        char name[256];
        int64_t now_s = 0;
        bool accept = json_bool(vector, "accept", false);
        const cJSON *headers = json_get(vector, "headers");
        snprintf(name, sizeof name, "signed/%s", json_string(vector, "body_file"));
        struct fixture body = fixture_read(name);
        ck_assert(json_int(vector, "now", &now_s));
        rig.now.wall_ms = now_s * 1000;
        rig.events = 0;
        rig_start(json_string(vector, "secret"));
        struct post post = {"/webhooks/linq?version=2026-02-03",
                            json_string(headers, "webhook-id"),
                            json_string(headers, "webhook-timestamp"),
                            json_string(headers, "webhook-signature"),
                            body.text,
                            body.bytes};
        int status = send_post(&post);
        ck_assert_msg(status == (accept ? 200 : 401), "%s: %d", json_string(vector, "name"), status);
        ck_assert_msg(rig.events == (accept ? 1 : 0), "%s: %d events", json_string(vector, "name"), rig.events);
        if (accept)
            ck_assert_str_eq(rig.last.webhook.webhook_id, post.id);
        feed_webhooks_close(&rig.hooks);
        fixture_free(&body);
        seen++;
    }
    ck_assert_int_eq(seen, 32);
    cJSON_Delete(vectors);
}
END_TEST

START_TEST(the_whole_requests_of_the_fixtures_are_judged_right)
{
    static const struct {
        const char *name;
        int status;
    } requests[] = {
        {"status_reputation", 200}, {"status_alias_only", 200}, {"body_changed", 401}, {"no_signature", 401}};
    rig_start(SECRET "\n");
    for (size_t i = 0; i < 4; i++) {
        static const char theirs[] = "POST /hooks/linq?", ours[] = "POST /webhooks/linq?";
        char name[64], text[4096];
        snprintf(name, sizeof name, "signed/http/%s.txt", requests[i].name);
        struct fixture request = fixture_read(name);
        ck_assert_int_eq(strncmp(request.text, theirs, sizeof theirs - 1), 0);
        int bytes = snprintf(text, sizeof text, "%s%s", ours, request.text + sizeof theirs - 1);
        ck_assert_msg(exchange(text, (size_t)bytes) == requests[i].status, "%s", requests[i].name);
        fixture_free(&request);
    }
    ck_assert_int_eq(rig.events, 2);
    ck_assert_int_eq(rig.last.webhook.reputation, REPUTATION_CRITICAL);
}
END_TEST

START_TEST(any_secret_of_the_file_will_do)
{
    rig_start("\n" OTHER_SECRET "\n\n  " SECRET " \n");
    ck_assert_int_eq(send_signed("/webhooks/linq", SECRET, critical), 200);
    ck_assert_int_eq(send_signed("/webhooks/linq", OTHER_SECRET, critical), 200);
}
END_TEST

START_TEST(one_accounts_secret_opens_no_other_account)
{
    rig_start(SECRET);
    ck_assert_int_eq(send_signed("/webhooks/linq/second", OTHER_SECRET, critical), 200);
    ck_assert_str_eq(rig.last.account, "second");
    ck_assert_int_eq(send_signed("/webhooks/linq/default", SECRET, critical), 200);
    ck_assert_str_eq(rig.last.account, "default");
    ck_assert_int_eq(send_signed("/webhooks/linq/second", SECRET, critical), 401);
    ck_assert_int_eq(send_signed("/webhooks/linq", OTHER_SECRET, critical), 401);
    ck_assert_int_eq(rig.events, 2);
}
END_TEST

START_TEST(an_account_without_secrets_accepts_nothing)
{
    rig.accounts[0].webhook_secrets_file = NULL;
    struct conf_problem problem;
    ck_assert_int_eq(rig_open(&problem), ERR_NONE);
    ck_assert_int_eq(send_signed("/webhooks/linq", SECRET, critical), 401);
}
END_TEST

/* ---- refusals ---- */

START_TEST(everything_but_a_post_to_an_account_is_not_found)
{
    static const char *const requests[] = {
        "GET /webhooks/linq HTTP/1.1\r\nHost: x\r\n\r\n",
        "PUT /webhooks/linq HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
        "DELETE /webhooks/linq HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
        "POST /webhooks HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        "POST /webhooks/linq/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        "POST /webhooks/linq/nobody HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        "POST /webhooks/linq/default/more HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        "POST /webhooks/linqx HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
    };
    rig_start(SECRET);
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        ck_assert_msg(exchange(requests[i], strlen(requests[i])) == 404, "%s", requests[i]);
}
END_TEST

START_TEST(garbage_is_unauthorized_unsigned_and_malformed_signed)
{
    rig_start(SECRET);
    struct post unsigned_garbage = {"/webhooks/linq", NULL, NULL, NULL, "{", 1};
    ck_assert_int_eq(send_post(&unsigned_garbage), 401);
    ck_assert_int_eq(send_signed("/webhooks/linq", SECRET, "{"), 400);
    ck_assert_int_eq(send_signed("/webhooks/linq", SECRET, ""), 400);
    ck_assert_int_eq(send_signed("/webhooks/linq", SECRET, "{\"data\":{}}"), 400);
    ck_assert_int_eq(rig.events, 0);
    ck_assert_uint_eq(counted(FEED_NOTE_WEBHOOK_UNSIGNED), 1);
    ck_assert_uint_eq(counted(FEED_NOTE_WEBHOOK_MALFORMED), 3);
}
END_TEST

START_TEST(what_the_router_does_not_use_is_answered_at_once_and_not_handed_on)
{
    rig_start(SECRET);
    rig.answer_status = 0;
    ck_assert_int_eq(send_signed("/webhooks/linq", SECRET, "{\"event_type\":\"call.ended\",\"data\":{}}"), 200);
    struct fixture no_line = fixture_read("status_updated/no_line.json");
    ck_assert_int_eq(send_signed("/webhooks/linq", SECRET, no_line.text), 200);
    fixture_free(&no_line);
    ck_assert_int_eq(rig.events, 0);
    ck_assert_uint_eq(counted(FEED_NOTE_WEBHOOK_UNUSED), 1);
    ck_assert_uint_eq(counted(FEED_NOTE_WEBHOOK_NO_LINE), 1);
}
END_TEST

START_TEST(a_body_may_be_one_mebibyte_and_not_a_byte_more)
{
    static char body[WEBHOOK_BODY_BYTES_MAX + 1];
    static const char start[] = "{\"event_type\":\"call.ended\"}";
    memset(body, ' ', sizeof body);
    memcpy(body, start, sizeof start - 1);
    rig_start(SECRET);
    struct post post = signed_post("/webhooks/linq", SECRET, body, WEBHOOK_BODY_BYTES_MAX, 0);
    ck_assert_int_eq(send_post(&post), 200);
    post = signed_post("/webhooks/linq", SECRET, body, sizeof body, 0);
    ck_assert_int_eq(send_post(&post), 413);
    ck_assert_uint_eq(counted(FEED_NOTE_WEBHOOK_TOO_LARGE), 1);
}
END_TEST

START_TEST(a_chunked_body_has_the_same_bound)
{
    static char text[WEBHOOK_BODY_BYTES_MAX + 4096];
    size_t bytes =
        (size_t)sprintf(text, "POST /webhooks/linq HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                              "100001\r\n");
    memset(text + bytes, 'x', 0x100001);
    bytes += 0x100001;
    bytes += (size_t)sprintf(text + bytes, "\r\n0\r\n\r\n");
    rig_start(SECRET);
    ck_assert_int_eq(exchange(text, bytes), 413);
}
END_TEST

START_TEST(an_announced_flood_is_refused_unread)
{
    const char *text = "POST /webhooks/linq HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n";
    rig_start(SECRET);
    ck_assert_int_eq(exchange(text, strlen(text)), 413);
}
END_TEST

START_TEST(a_true_but_old_signature_is_refused_and_wants_one_poll_in_five_seconds)
{
    rig_start(SECRET);
    for (int i = 0; i < 3; i++) {
        struct post post = signed_post("/webhooks/linq", SECRET, critical, strlen(critical), 301);
        ck_assert_int_eq(send_post(&post), 401);
    }
    ck_assert_int_eq(rig.polls, 1);
    rig.now.mono_ms += WEBHOOK_STALE_POLL_GAP_MS;
    struct post post = signed_post("/webhooks/linq", SECRET, critical, strlen(critical), 301);
    ck_assert_int_eq(send_post(&post), 401);
    ck_assert_int_eq(rig.polls, 2);
    post = signed_post("/webhooks/linq", OTHER_SECRET, critical, strlen(critical), 301);
    rig.now.mono_ms += WEBHOOK_STALE_POLL_GAP_MS;
    ck_assert_int_eq(send_post(&post), 401);
    ck_assert_int_eq(rig.polls, 2);
    ck_assert_int_eq(rig.events, 0);
    ck_assert_uint_eq(counted(FEED_NOTE_WEBHOOK_STALE), 4);
    ck_assert_uint_eq(counted(FEED_NOTE_WEBHOOK_BAD_SIGNATURE), 1);
}
END_TEST

/* ---- waiting for the broker ---- */

START_TEST(the_answer_waits_until_the_broker_has_stored_the_event)
{
    struct client client;
    size_t bytes = 0;
    rig_start(SECRET);
    rig.answer_status = 0;
    struct post post = signed_post("/webhooks/linq", SECRET, critical, strlen(critical), 0);
    char *text = post_text(&post, &bytes);
    client_open(&client);
    client_say(&client, text, bytes);
    for (int i = 0; i < TURNS_MAX && rig.events == 0; i++) {
        client_turn(&client);
        step();
    }
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
    rig_start(SECRET);
    rig.answer_status = 0;
    struct post post = signed_post("/webhooks/linq", SECRET, critical, strlen(critical), 0);
    char *text = post_text(&post, &bytes);
    client_open(&client);
    client_say(&client, text, bytes);
    for (int i = 0; i < TURNS_MAX && rig.events == 0; i++) {
        client_turn(&client);
        step();
    }
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
    rig_start(SECRET);
    rig.answer_status = 0;
    struct post post = signed_post("/webhooks/linq", SECRET, critical, strlen(critical), 0);
    char *text = post_text(&post, &bytes);
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
    rig_start(SECRET);
    rig.answer_status = 0;
    struct post post = signed_post("/webhooks/linq", SECRET, critical, strlen(critical), 0);
    char *text = post_text(&post, &bytes);
    client_open(&client);
    client_say(&client, text, bytes);
    for (int i = 0; i < TURNS_MAX && rig.events == 0; i++) {
        client_turn(&client);
        step();
    }
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
    rig_start(SECRET);
    rig.answer_status = 0;
    struct post post = signed_post("/webhooks/linq", SECRET, critical, strlen(critical), 0);
    char *text = post_text(&post, &bytes);
    client_open(&client);
    client_say(&client, text, bytes);
    for (int i = 0; i < TURNS_MAX && rig.events == 0; i++) {
        client_turn(&client);
        step();
    }
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

START_TEST(unknown_words_are_handed_on_as_unknown_and_counted)
{
    struct fixture unknown = fixture_read("status_updated/unknown_value.json");
    rig_start(SECRET);
    ck_assert_int_eq(send_signed("/webhooks/linq", SECRET, unknown.text), 200);
    ck_assert(rig.last.webhook.has_reputation && rig.last.webhook.has_service);
    ck_assert_int_eq(rig.last.webhook.reputation, REPUTATION_UNKNOWN);
    ck_assert_uint_eq(counted(FEED_NOTE_UNKNOWN_VALUE), 1);
    fixture_free(&unknown);
}
END_TEST

/* ---- opening ---- */

START_TEST(a_secrets_file_that_will_not_do_is_named_with_its_line_and_not_its_content)
{
    struct conf_problem problem;
    write_file(rig.paths[0], SECRET "\nwhsec_!!!\n");
    ck_assert_int_eq(rig_open(&problem), ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(problem.text, rig.paths[0]));
    ck_assert_ptr_nonnull(strstr(problem.text, ":2:"));
    ck_assert_ptr_null(strstr(problem.text, "!!!"));
    unlink(rig.paths[0]);
    ck_assert_int_eq(rig_open(&problem), ERR_IO);
    ck_assert_ptr_nonnull(strstr(problem.text, rig.paths[0]));
}
END_TEST

START_TEST(an_address_may_be_of_either_kind_or_everywhere)
{
    static const struct {
        const char *endpoint;
        int family;
    } good[] = {{"127.0.0.1:7780", AF_INET}, {"[::1]:7780", AF_INET6}, {"*:0", AF_UNSPEC}, {":0", AF_UNSPEC}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct addrinfo *address = feed_address_resolve(good[i].endpoint);
        ck_assert_msg(address != NULL, "%s", good[i].endpoint);
        ck_assert(good[i].family == AF_UNSPEC || address->ai_family == good[i].family);
        freeaddrinfo(address);
    }
}
END_TEST

START_TEST(an_address_that_cannot_be_bound_is_said)
{
    static const char *const wrong[] = {"7780", "[::1:7780", "[", "]:1", "127.0.0.1:http"};
    struct conf_problem problem;
    write_file(rig.paths[0], SECRET);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        strcpy(rig.endpoint, wrong[i]);
        ck_assert_msg(rig_open(&problem) == ERR_BAD_INPUT, "%s", wrong[i]);
    }
    strcpy(rig.endpoint, "192.0.2.1:7780");
    ck_assert_int_eq(rig_open(&problem), ERR_IO);
    ck_assert_ptr_nonnull(strstr(problem.text, "192.0.2.1:7780"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("feed_webhooks");
    TCase *tests = tcase_create("receiver");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, every_signature_vector_is_judged_right_over_http);
    tcase_add_test(tests, the_whole_requests_of_the_fixtures_are_judged_right);
    tcase_add_test(tests, any_secret_of_the_file_will_do);
    tcase_add_test(tests, one_accounts_secret_opens_no_other_account);
    tcase_add_test(tests, an_account_without_secrets_accepts_nothing);
    tcase_add_test(tests, everything_but_a_post_to_an_account_is_not_found);
    tcase_add_test(tests, garbage_is_unauthorized_unsigned_and_malformed_signed);
    tcase_add_test(tests, what_the_router_does_not_use_is_answered_at_once_and_not_handed_on);
    tcase_add_test(tests, a_body_may_be_one_mebibyte_and_not_a_byte_more);
    tcase_add_test(tests, a_chunked_body_has_the_same_bound);
    tcase_add_test(tests, an_announced_flood_is_refused_unread);
    tcase_add_test(tests, a_true_but_old_signature_is_refused_and_wants_one_poll_in_five_seconds);
    tcase_add_test(tests, the_answer_waits_until_the_broker_has_stored_the_event);
    tcase_add_test(tests, a_broker_that_does_not_answer_in_time_means_send_it_again);
    tcase_add_test(tests, a_broker_that_does_not_keep_up_means_send_it_again);
    tcase_add_test(tests, many_wait_at_once_and_are_answered_in_any_order);
    tcase_add_test(tests, a_client_that_leaves_while_waiting_harms_nobody);
    tcase_add_test(tests, closing_does_not_hang_on_those_that_wait);
    tcase_add_test(tests, a_request_that_drips_is_cut_off);
    tcase_add_test(tests, unknown_words_are_handed_on_as_unknown_and_counted);
    tcase_add_test(tests, a_secrets_file_that_will_not_do_is_named_with_its_line_and_not_its_content);
    tcase_add_test(tests, an_address_may_be_of_either_kind_or_everywhere);
    tcase_add_test(tests, an_address_that_cannot_be_bound_is_said);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
