/* The connections to Redis on a clock of the test's own, against servers that the test plays itself: what they say,
 * and when they say nothing any more. What real ones do is in tests/process/cache_where_test and cache_cluster_test.
 */
#include "broker/cache/cache_redis.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/suite.h"

#define SERVERS  2
#define PEERS    8
#define WORDS    16
#define ROUNDS   40 /* of both sides: more than any exchange here takes ... */
#define IDLE     4  /* ... and in so many nothing has come: loopback is quick */
#define SHA      "0123456789012345678901234567890123456789"
#define ACCOUNTS 1

/* ---- servers ---- */

struct peer {
    int fd; /* 0: none */
    size_t server, bytes;
    bool asking;
    unsigned scripts; /* EVALSHA that came */
    char text[65536];
};

static struct {
    int fd;
    uint16_t port;
    const char *to_script;   /* the answer to EVALSHA, as it goes out; NULL: none */
    unsigned scripts, asked; /* EVALSHA that came, of these after ASKING */
} server[SERVERS];
static struct peer peers[PEERS];
static bool is_mute;    /* to SUBSCRIBE */
static char slots[128]; /* the answer to CLUSTER SLOTS */

static void listen_at(size_t i)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t bytes = sizeof address;
    server[i].fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(server[i].fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(server[i].fd, PEERS), 0);
    ck_assert_int_eq(getsockname(server[i].fd, (struct sockaddr *)&address, &bytes), 0);
    server[i].port = ntohs(address.sin_port);
}

static void say(const struct peer *peer, const char *text)
{
    ck_assert_int_eq(write(peer->fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void answer_script(struct peer *peer)
{
    server[peer->server].scripts++;
    peer->scripts++;
    server[peer->server].asked += peer->asking;
    peer->asking = false;
    if (server[peer->server].to_script != NULL)
        say(peer, server[peer->server].to_script);
}

static void answer_subscribe(const struct peer *peer, const char *channel)
{
    char text[256];
    ck_assert_ptr_nonnull(channel);
    snprintf(text, sizeof text, "*3\r\n$9\r\nsubscribe\r\n$%zu\r\n%s\r\n:1\r\n", strlen(channel), channel);
    if (!is_mute)
        say(peer, text);
}

static void answer(struct peer *peer, char *const words[WORDS])
{
    if (strcmp(words[0], "ROLE") == 0)
        say(peer, "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n");
    else if (strcmp(words[0], "SCRIPT") == 0)
        say(peer, "$40\r\n" SHA "\r\n");
    else if (strcmp(words[0], "EVALSHA") == 0)
        answer_script(peer);
    else if (strcmp(words[0], "SUBSCRIBE") == 0)
        answer_subscribe(peer, words[1]);
    else if (strcmp(words[0], "CLUSTER") == 0)
        say(peer, slots);
    else if (strcmp(words[0], "ASKING") == 0) {
        peer->asking = true;
        say(peer, "+OK\r\n");
    } else
        ck_abort_msg("what is %s?", words[0]);
}

/* One command, *COUNT $BYTES WORD …; how much of the text it was, 0: it is not whole. */
static size_t take_command(struct peer *peer)
{
    static char text[sizeof peer->text];
    char *words[WORDS] = {NULL};
    memcpy(text, peer->text, peer->bytes);
    text[peer->bytes] = '\0';
    char *at = strstr(text, "\r\n");
    unsigned long count = strtoul(text + 1, NULL, 10);
    if (at == NULL)
        return 0;
    ck_assert(text[0] == '*' && count > 0 && count <= WORDS);
    at += 2;
    for (unsigned long i = 0; i < count; i++) {
        char *end = strstr(at, "\r\n");
        if (end == NULL || *at != '$')
            return 0;
        size_t bytes = strtoul(at + 1, NULL, 10);
        words[i] = end + 2;
        at = end + 2 + bytes + 2;
        if (at > text + peer->bytes)
            return 0;
    }
    for (unsigned long i = 0; i < count; i++)
        *strstr(words[i], "\r\n") = '\0'; /* the script has none within */
    size_t used = (size_t)(at - text);
    answer(peer, words);
    return used;
}

static void take_peer(struct peer *peer)
{
    ssize_t got = read(peer->fd, peer->text + peer->bytes, sizeof peer->text - 1 - peer->bytes);
    size_t used;
    if (got <= 0) {
        close(peer->fd);
        *peer = (struct peer){0};
        return;
    }
    peer->bytes += (size_t)got;
    while (peer->bytes > 0 && (used = take_command(peer)) > 0) {
        peer->bytes -= used;
        memmove(peer->text, peer->text + used, peer->bytes);
    }
}

static void accept_one(size_t i)
{
    int fd = accept(server[i].fd, NULL, NULL);
    struct peer *peer = peers;
    if (fd < 0)
        return;
    while (peer->fd != 0)
        peer++;
    ck_assert(peer < peers + PEERS);
    peer->fd = fd;
    peer->server = i;
}

/* Has anything come? */
static bool serve(void)
{
    bool any = false;
    for (size_t i = 0; i < SERVERS; i++)
        accept_one(i);
    for (struct peer *peer = peers; peer < peers + PEERS; peer++) {
        struct pollfd fd = {.fd = peer->fd, .events = POLLIN};
        if (peer->fd != 0 && poll(&fd, 1, 1) > 0) {
            any = true;
            take_peer(peer);
        }
    }
    return any;
}

/* ---- the connections ---- */

static struct cache_redis *redis;
static char names[ACCOUNTS][NAME_MAX_BYTES + 1] = {"default"};
static struct instant now;
static unsigned ups, downs, moves, answers, lost_answers;
static char last_answer[64];

static void on_up(void *self)
{
    (void)self;
    ups++;
}

static void on_down(void *self)
{
    (void)self;
    downs++;
}

static void on_moved(void *self, uint32_t account)
{
    (void)self;
    (void)account;
    moves++;
}

static void on_changed(void *self, uint32_t account, const char *text, size_t bytes)
{
    (void)self;
    (void)account;
    (void)text;
    (void)bytes;
}

static void on_answered(void *self, uint64_t tag, const char *text, size_t bytes)
{
    (void)self;
    (void)tag;
    answers++;
    lost_answers += text == NULL;
    snprintf(last_answer, sizeof last_answer, "%.*s", (int)bytes, text == NULL ? "" : text);
}

static void on_line(void *self, uint32_t account, const char *text, size_t bytes)
{
    on_changed(self, account, text, bytes);
}

static void turn_for(int64_t ms)
{
    now.mono_ms += ms;
    for (int i = 0, idle = 0; i < ROUNDS && idle < IDLE; i++) {
        cache_redis_turn(redis, now);
        idle = serve() ? 0 : idle + 1;
    }
}

static void start(const char *scheme)
{
    char url[64];
    snprintf(url, sizeof url, "%s127.0.0.1:%u", scheme, server[0].port);
    const struct cache_redis_options options = {.url = url,
                                                .accounts = (const char *)names,
                                                .name_room = sizeof *names,
                                                .account_count = ACCOUNTS,
                                                .told = {on_up, on_down, on_moved, on_changed, on_answered, on_line, NULL}};
    now.mono_ms = 1000000;
    redis = cache_redis_new(&options);
    ck_assert_ptr_nonnull(redis);
    turn_for(0);
    ck_assert_uint_eq(ups, 1);
    ck_assert(cache_redis_is_up(redis));
}

static void listen_all(void)
{
    for (size_t i = 0; i < SERVERS; i++) {
        listen_at(i);
        server[i].to_script = "$2\r\n{}\r\n";
    }
}

static void begin(void)
{
    listen_all();
    start("redis://");
}

static void end(void)
{
    cache_redis_free(&redis);
}

static void run(void)
{
    ck_assert(cache_redis_run(redis, 0, "{}", 2, 7, now));
    turn_for(1);
}

/* ---- the tests ---- */

START_TEST(one_that_only_listens_and_is_dead_is_given_up_and_opened_again)
{
    begin();
    turn_for(1000);
    turn_for(1000);
    turn_for(1000);
    ck_assert_uint_eq(downs, 0); /* it says something each second, and is answered */
    is_mute = true;
    turn_for(1000);
    turn_for(CACHE_END_SILENT_MS);
    ck_assert_uint_eq(downs, 0);
    turn_for(1);
    ck_assert_uint_eq(downs, 1);
    ck_assert_str_eq(cache_redis_problem(redis), "it does not answer");
    is_mute = false;
    turn_for(2000);
    ck_assert_uint_eq(ups, 2);
    end();
}
END_TEST

START_TEST(one_that_does_not_answer_the_script_is_given_up_and_what_was_asked_is_told_so)
{
    begin();
    server[0].to_script = NULL;
    run();
    ck_assert_uint_eq(answers, 0);
    turn_for(CACHE_END_SILENT_MS + 1);
    ck_assert_uint_eq(downs, 1);
    ck_assert_uint_eq(answers, 1);
    ck_assert_uint_eq(lost_answers, 1);
    ck_assert(!cache_redis_run(redis, 0, "{}", 2, 7, now));
    end();
}
END_TEST

/* It answers while it is set up, but not to the trial: then it is never up, and said once. */
START_TEST(one_that_takes_nothing_is_not_up)
{
    begin();
    server[0].to_script = "-NOREPLICAS Not enough good replicas to write.\r\n";
    run();
    for (int i = 0; i < 5; i++)
        turn_for(2000);
    ck_assert_uint_eq(ups, 1);
    ck_assert_uint_eq(downs, 1);
    ck_assert_str_eq(cache_redis_problem(redis), "the script: NOREPLICAS Not enough good replicas to write.");
    server[0].to_script = "$2\r\n{}\r\n";
    turn_for(2000);
    ck_assert_uint_eq(ups, 2);
    end();
}
END_TEST

/* ---- a Cluster ---- */

static char moved[64], ask[64];

static void point_at(char out[64], const char *word, size_t to)
{
    snprintf(out, 64, "-%s 5718 127.0.0.1:%u\r\n", word, server[to].port);
}

static void start_cluster(void)
{
    listen_all();
    snprintf(slots, sizeof slots, "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$0\r\n\r\n:%u\r\n", server[0].port);
    point_at(moved, "MOVED", 1);
    point_at(ask, "ASK", 1);
    start("redis+cluster://");
    ck_assert_uint_eq(server[0].scripts, 1); /* the trial */
}

START_TEST(what_has_moved_is_asked_for_there_from_then_on)
{
    start_cluster();
    server[0].to_script = moved;
    server[1].to_script = "$5\r\nthere\r\n";
    run();
    ck_assert_str_eq(last_answer, "there");
    run();
    ck_assert_uint_eq(server[0].scripts, 2);
    ck_assert_uint_eq(server[1].scripts, 2);
    ck_assert_uint_eq(server[1].asked, 0);
    ck_assert_uint_eq(answers, 2);
    ck_assert_uint_eq(downs, 0);
    ck_assert_uint_eq(moves, 1);
    end();
}
END_TEST

START_TEST(what_is_about_to_move_is_asked_for_there_this_once)
{
    start_cluster();
    server[0].to_script = ask;
    server[1].to_script = "$5\r\nthere\r\n";
    run();
    ck_assert_str_eq(last_answer, "there");
    ck_assert_uint_eq(server[1].asked, 1); /* after ASKING */
    server[0].to_script = "$4\r\nhere\r\n";
    run();
    ck_assert_str_eq(last_answer, "here");
    ck_assert_uint_eq(server[1].scripts, 1);
    ck_assert_uint_eq(moves, 0);
    end();
}
END_TEST

START_TEST(what_is_between_two_nodes_is_asked_for_again_and_not_for_ever)
{
    start_cluster();
    server[0].to_script = "-TRYAGAIN Multiple keys request during rehashing of slot\r\n";
    run();
    turn_for(20);
    turn_for(20);
    ck_assert_uint_eq(server[0].scripts, 4);
    ck_assert_uint_eq(answers, 0);
    server[0].to_script = "$2\r\n{}\r\n";
    turn_for(20);
    ck_assert_uint_eq(answers, 1);
    server[0].to_script = "-TRYAGAIN Multiple keys request during rehashing of slot\r\n";
    run();
    for (int i = 0; i < 101 && downs == 0; i++)
        turn_for(20);
    ck_assert_uint_eq(downs, 1);
    ck_assert_uint_eq(lost_answers, 1);
    ck_assert(strstr(cache_redis_problem(redis), "an account's keys stay between two nodes") != NULL);
    end();
}
END_TEST

static void ck_too_long(const char *answer_text)
{
    begin();
    server[0].to_script = answer_text;
    run();
    ck_assert_uint_eq(lost_answers, 1);
    ck_assert_uint_eq(downs, 1);
    ck_assert_str_eq(cache_redis_problem(redis), "an answer of more than 16 MiB");
    end();
}

START_TEST(room_for_an_answer_is_not_taken_for_as_much_as_is_said_to_come)
{
    ck_too_long("*2000000000\r\n");
}
END_TEST

START_TEST(what_an_answer_takes_is_counted_together)
{
    ck_too_long("*1200000\r\n$1\r\nx\r\n*1200000\r\n"); /* what is small between them, too */
}
END_TEST

/* Each answer anew. */
START_TEST(as_many_answers_may_come_as_are_asked_for)
{
    static char text[60100];
    int head = snprintf(text, sizeof text, "$60000\r\n");
    memset(text + head, 'x', 60000);
    memcpy(text + head + 60000, "\r\n", 3);
    begin();
    server[0].to_script = text;
    for (int i = 0; i < 300; i++)
        run();
    ck_assert_uint_eq(answers, 300);
    ck_assert_uint_eq(lost_answers, 0);
    ck_assert_uint_eq(downs, 0);
    end();
}
END_TEST

/* A text that never ends. */
START_TEST(a_text_is_not_gathered_beyond_the_bound)
{
    static char part[60001];
    memset(part, 'x', sizeof part - 1);
    begin();
    server[0].to_script = "$500000000\r\n";
    run();
    struct peer *scripts = NULL;
    for (struct peer *peer = peers; peer < peers + PEERS; peer++)
        if (peer->fd != 0 && peer->scripts > 0)
            scripts = peer;
    ck_assert_ptr_nonnull(scripts);
    for (int i = 0; i < 279; i++) {
        say(scripts, part);
        for (int n = 0; n < 4; n++)
            cache_redis_turn(redis, now);
    }
    ck_assert_uint_eq(downs, 0);
    say(scripts, part);
    for (int i = 0; i < 8; i++)
        turn_for(1);
    ck_assert_uint_eq(downs, 1);
    ck_assert_str_eq(cache_redis_problem(redis), "an answer of more than 16 MiB");
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cache_redis");
    TCase *tests = tcase_create("connections to Redis");
    tcase_add_test(tests, one_that_only_listens_and_is_dead_is_given_up_and_opened_again);
    tcase_add_test(tests, one_that_does_not_answer_the_script_is_given_up_and_what_was_asked_is_told_so);
    tcase_add_test(tests, one_that_takes_nothing_is_not_up);
    tcase_add_test(tests, what_has_moved_is_asked_for_there_from_then_on);
    tcase_add_test(tests, what_is_about_to_move_is_asked_for_there_this_once);
    tcase_add_test(tests, what_is_between_two_nodes_is_asked_for_again_and_not_for_ever);
    tcase_add_test(tests, room_for_an_answer_is_not_taken_for_as_much_as_is_said_to_come);
    tcase_add_test(tests, what_an_answer_takes_is_counted_together);
    tcase_add_test(tests, as_many_answers_may_come_as_are_asked_for);
    tcase_add_test(tests, a_text_is_not_gathered_beyond_the_bound);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
