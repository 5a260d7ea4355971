/* feed_run_test.c — the whole child as the broker sees it: a process at the other end of a socket. */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/feed/feed.h"
#include "lineward/clock.h"
#include "lineward/signature.h"
#include "tests/support/suite.h"

#define SECRET  "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define WAIT_MS 5000

static struct rig {
    char secrets_file[64], key_file[64];
    struct conf_account account;
    struct conf conf;
    int fd;
    pid_t child;
    uint8_t in[65536];
    size_t bytes;
    int port;
} rig;

static void make_file(char path[64], const char *text)
{
    strcpy(path, "/tmp/lineward-feed-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

/* The next message of that kind; others are dropped. */
static struct feed_message expect(enum feed_kind kind)
{
    for (;;) {
        struct feed_message message;
        size_t used = 0;
        enum err err = feed_decode(rig.in, rig.bytes, &used, &message);
        if (err == ERR_NONE) {
            rig.bytes -= used;
            memmove(rig.in, rig.in + used, rig.bytes);
            if (message.kind == kind)
                return message;
            feed_message_clear(&message);
            continue;
        }
        ck_assert_int_eq(err, ERR_NOT_FOUND);
        struct pollfd fd = {.fd = rig.fd, .events = POLLIN};
        ck_assert_msg(poll(&fd, 1, WAIT_MS) == 1, "nothing was said");
        ssize_t got = recv(rig.fd, rig.in + rig.bytes, sizeof rig.in - rig.bytes, 0);
        ck_assert_msg(got > 0, "the child is gone");
        rig.bytes += (size_t)got;
    }
}

static void say(const struct feed_message *message)
{
    struct feed_buffer buffer = {0};
    ck_assert_int_eq(feed_encode(&buffer, message), ERR_NONE);
    ck_assert_int_eq(send(rig.fd, buffer.data, buffer.bytes, MSG_NOSIGNAL), (ssize_t)buffer.bytes);
    feed_buffer_free(&buffer);
}

static void start(void)
{
    int fds[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    rig.child = fork();
    ck_assert_int_ge(rig.child, 0);
    if (rig.child == 0) {
        close(fds[0]);
        _exit(feed_run(fds[1], &rig.conf, NULL));
    }
    close(fds[1]);
    rig.fd = fds[0];
}

/* The child's exit code; -1: it was killed. */
static int join_child(void)
{
    int status = 0;
    ck_assert_int_eq(waitpid(rig.child, &status, 0), rig.child);
    rig.child = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void setup(void)
{
    memset(&rig, 0, sizeof rig);
    make_file(rig.secrets_file, SECRET "\n");
    make_file(rig.key_file, "the-key\n");
    strcpy(rig.account.name, "default");
    rig.account.base_url = "http://127.0.0.1:1"; /* nobody: every poll fails at once */
    rig.account.api_key_file = rig.key_file;
    rig.account.webhook_secrets_file = rig.secrets_file;
    rig.account.poll_interval_ms = 3600000;
    rig.conf.accounts = &rig.account;
    rig.conf.account_count = 1;
    rig.conf.broker.webhooks = "127.0.0.1:0";
    start();
}

static void teardown(void)
{
    close(rig.fd);
    if (rig.child > 0)
        join_child();
    unlink(rig.secrets_file);
    unlink(rig.key_file);
}

static int connect_to_child(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)rig.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* Sends a signed event over `fd`. */
static void post_event(int fd, const char *event_id, int64_t age_s)
{
    char body[512], timestamp[24], signature[SIGNATURE_TEXT_MAX], text[2048];
    struct webhook_secret key;
    int bytes = snprintf(body, sizeof body,
                         "{\"event_type\":\"phone_number.status_updated\",\"event_id\":\"%s\",\"data\":{"
                         "\"phone_number\":\"+12025550101\",\"new_reputation\":\"CRITICAL\"}}",
                         event_id);
    ck_assert(webhook_secret_parse(SECRET, &key));
    snprintf(timestamp, sizeof timestamp, "%lld", (long long)(clock_read().wall_ms / 1000 - age_s));
    signature_make(&key, "msg_1", timestamp, body, (size_t)bytes, signature);
    int all = snprintf(text, sizeof text,
                       "POST /webhooks/linq HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nwebhook-id: msg_1\r\n"
                       "webhook-timestamp: %s\r\nwebhook-signature: %s\r\n\r\n%s",
                       bytes, timestamp, signature, body);
    ck_assert_int_eq(send(fd, text, (size_t)all, MSG_NOSIGNAL), all);
}

/* The status of the answer that comes next. */
static int hear(int fd)
{
    char answer[1024] = {0};
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    ck_assert_msg(poll(&wait, 1, WAIT_MS) == 1, "no answer");
    ck_assert_int_gt(recv(fd, answer, sizeof answer - 1, 0), 12);
    return atoi(answer + 9);
}

static void ready(void)
{
    rig.port = expect(FEED_READY).port;
    ck_assert_int_gt(rig.port, 0);
}

START_TEST(a_webhook_goes_to_the_broker_and_its_answer_back)
{
    ready();
    int fd = connect_to_child();
    for (int i = 0; i < 3; i++) {
        char id[16];
        snprintf(id, sizeof id, "e%d", i);
        int64_t before = clock_read().mono_ms;
        post_event(fd, id, 0);
        struct feed_message message = expect(FEED_WEBHOOK);
        ck_assert_str_eq(message.account, "default");
        ck_assert_str_eq(message.webhook.event_id, id);
        ck_assert_str_eq(message.webhook.webhook_id, "msg_1");
        ck_assert_int_eq(message.webhook.reputation, REPUTATION_CRITICAL);
        ck_assert_int_ge(message.webhook.arrived_mono_ms, before - 1000);
        struct feed_message answer = {.kind = FEED_ANSWER, .http_status = i == 1 ? 503 : 200};
        answer.request = message.webhook.request;
        say(&answer);
        ck_assert_int_eq(hear(fd), i == 1 ? 503 : 200);
    }
    close(fd);
}
END_TEST

START_TEST(a_stale_signature_is_refused_noted_and_followed_by_a_poll)
{
    ready();
    ck_assert_uint_eq(expect(FEED_POLL_END).poll, 1);
    int fd = connect_to_child();
    post_event(fd, "old", 400);
    ck_assert_int_eq(hear(fd), 401);
    struct feed_message first = expect(FEED_NOTE);
    ck_assert_int_eq(first.note, FEED_NOTE_WEBHOOK_STALE);
    ck_assert_uint_eq(first.count, 1);
    ck_assert_uint_eq(expect(FEED_POLL_END).poll, 2);
    close(fd);
}
END_TEST

START_TEST(told_to_poll_it_polls)
{
    struct feed_message poll_now = {.kind = FEED_POLL_NOW, .account = "default"};
    ready();
    struct feed_message end = expect(FEED_POLL_END);
    ck_assert(!end.ok);
    ck_assert_str_eq(end.account, "default");
    say(&poll_now);
    ck_assert_uint_eq(expect(FEED_POLL_END).poll, 2);
}
END_TEST

START_TEST(it_leaves_when_the_broker_does)
{
    ready();
    close(rig.fd);
    rig.fd = -1;
    ck_assert_int_eq(join_child(), 0);
}
END_TEST

START_TEST(it_stays_when_the_group_is_told_to_end)
{
    struct feed_message poll_now = {.kind = FEED_POLL_NOW, .account = "default"};
    ready();
    expect(FEED_POLL_END);
    kill(rig.child, SIGTERM);
    kill(rig.child, SIGINT);
    kill(rig.child, SIGHUP);
    say(&poll_now);
    expect(FEED_POLL_END);
}
END_TEST

START_TEST(it_leaves_rather_than_guess_when_the_stream_is_broken)
{
    struct feed_message not_for_it = {.kind = FEED_READY, .port = 1};
    ready();
    say(&not_for_it);
    ck_assert_int_eq(join_child(), 1);
}
END_TEST

START_TEST(it_says_that_it_cannot_start)
{
    ready();
    close(rig.fd);
    ck_assert_int_eq(join_child(), 0);
    rig.account.webhook_secrets_file = "/nowhere";
    start();
    ck_assert_int_eq(join_child(), 1);
}
END_TEST

START_TEST(it_gives_up_what_it_does_not_need)
{
    char path[64], text[4096] = {0};
    struct rlimit core;
    ready();
    snprintf(path, sizeof path, "/proc/%d/status", (int)rig.child);
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_gt(fread(text, 1, sizeof text - 1, file), 0);
    fclose(file);
    ck_assert_ptr_nonnull(strstr(text, "NoNewPrivs:\t1"));
    ck_assert_int_eq(prlimit(rig.child, RLIMIT_CORE, NULL, &core), 0);
    ck_assert_uint_eq(core.rlim_cur, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("feed_run");
    TCase *tests = tcase_create("child");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_webhook_goes_to_the_broker_and_its_answer_back);
    tcase_add_test(tests, a_stale_signature_is_refused_noted_and_followed_by_a_poll);
    tcase_add_test(tests, told_to_poll_it_polls);
    tcase_add_test(tests, it_leaves_when_the_broker_does);
    tcase_add_test(tests, it_stays_when_the_group_is_told_to_end);
    tcase_add_test(tests, it_leaves_rather_than_guess_when_the_stream_is_broken);
    tcase_add_test(tests, it_says_that_it_cannot_start);
    tcase_add_test(tests, it_gives_up_what_it_does_not_need);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
