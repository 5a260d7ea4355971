/* feed_webhooks_rig.h — the receiver over real connections on loopback; its broker and its clock are the test's. Included
 * once per test program. */
#ifndef TESTS_UNIT_FEED_WEBHOOKS_RIG_H
#define TESTS_UNIT_FEED_WEBHOOKS_RIG_H

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/feed/feed_webhooks.h"
#include "lineward/signature.h"
#include "tests/support/suite.h"
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

static inline bool take(void *context, const struct feed_message *message)
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

static inline void poll_wanted(void *context, size_t account)
{
    rig.polls++;
}

static inline void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    fclose(file);
}

static inline enum err rig_open(struct conf_problem *problem)
{
    struct feed_webhooks_options options = {
        .emit = take, .poll_now = poll_wanted, .notes = rig.notes, .answer_ms = WEBHOOK_ANSWER_MS};
    return feed_webhooks_open(&rig.hooks, &rig.conf, &options, problem);
}

static inline void rig_start(const char *secrets)
{
    struct conf_problem problem;
    write_file(rig.paths[0], secrets);
    ck_assert_int_eq(rig_open(&problem), ERR_NONE);
}

static inline void setup(void)
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

static inline void teardown(void)
{
    feed_webhooks_close(&rig.hooks);
    feed_notes_free(&rig.notes);
    unlink(rig.paths[0]);
    unlink(rig.paths[1]);
}

static inline void step(void)
{
    int events = rig.events;
    feed_webhooks_step(rig.hooks, rig.now);
    if (rig.events > events && rig.answer_status != 0)
        feed_webhooks_answer(rig.hooks, rig.last.webhook.request, rig.answer_status);
}

static inline uint64_t counted(enum feed_note note)
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

static inline void client_open(struct client *client)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)feed_webhooks_port(rig.hooks))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memset(client, 0, sizeof *client);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(client->fd, (struct sockaddr *)&address, sizeof address), 0);
}

static inline void client_say(struct client *client, const char *text, size_t bytes)
{
    client->to_send = text;
    client->left = bytes;
    client->bytes = 0;
    memset(client->answer, 0, sizeof client->answer);
}

/* Sends and hears what can be without waiting. False: the connection is closed. */
static inline bool client_turn(struct client *client)
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
static inline int client_status(const struct client *client)
{
    const char *end = strstr(client->answer, "\r\n\r\n");
    const char *length = strcasestr(client->answer, "content-length:");
    if (end == NULL)
        return 0;
    size_t body = length == NULL || length > end ? 0 : strtoul(length + 15, NULL, 10);
    return client->bytes < (size_t)(end + 4 - client->answer) + body ? 0 : atoi(client->answer + 9);
}

/* Turns both ends until there is an answer: its status, or -1 if the connection was closed without one. */
static inline int client_hear(struct client *client)
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

static inline int exchange(const char *text, size_t bytes)
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
static inline char *post_text(const struct post *post, size_t *bytes)
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

static inline int send_post(const struct post *post)
{
    size_t bytes = 0;
    char *text = post_text(post, &bytes);
    int status = exchange(text, bytes);
    free(text);
    return status;
}

/* A body signed now with `secret`; the texts live until the next call. */
static inline struct post signed_post(const char *path, const char *secret, const char *body, size_t bytes, int64_t age_s)
{
    static char timestamp[24], signature[SIGNATURE_TEXT_MAX];
    struct webhook_secret key;
    ck_assert(webhook_secret_parse(secret, &key));
    snprintf(timestamp, sizeof timestamp, "%lld", (long long)(rig.now.wall_ms / 1000 - age_s));
    signature_make(&key, "msg_1", timestamp, body, bytes, signature);
    return (struct post){path, "msg_1", timestamp, signature, body, bytes};
}

static inline int send_signed(const char *path, const char *secret, const char *body)
{
    struct post post = signed_post(path, secret, body, strlen(body), 0);
    return send_post(&post);
}

static const char critical[] =
    "{\"event_type\":\"phone_number.status_updated\",\"event_id\":\"e1\",\"data\":{\"phone_number\":\"+12025550101\","
    "\"new_reputation\":\"CRITICAL\",\"changed_at\":\"2026-11-23T09:59:59Z\"}}";

/* Runs them, each with a receiver of its own. */
static inline int run_suite(const char *name, const TTest *const *tests, size_t count)
{
    return suite_run_all(name, setup, teardown, 60, tests, count);
}

#endif
