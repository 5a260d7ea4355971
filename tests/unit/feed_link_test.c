/* The broker's end of the feed child. This program is its own child: started with a mode, it plays one on FD 3. */
#include "broker/edge/child.h"
#include "broker/edge/feed_link.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lineward/clock.h"
#include "tests/support/suite.h"

#define WAIT_MS 20000 /* longer than any test may take */
#define LINE    "+12025550101"
#define NUMBER  12025550101u
#define ROOM    16384

/* ---- the child ---- */

static void child_send(const struct feed_message *message)
{
    struct feed_buffer buffer = {0};
    if (feed_encode(&buffer, message) != ERR_NONE || write(CHILD_FD, buffer.data, buffer.bytes) < 0)
        _exit(3);
    feed_buffer_free(&buffer);
}

static void child_ready(void)
{
    child_send(&(struct feed_message){.kind = FEED_READY, .port = 7780});
}

static void child_poll(uint64_t poll, const char *line, enum reputation reputation, bool ok)
{
    struct feed_line listed = {.reputation = reputation, .service = SERVICE_ACTIVE};
    snprintf(listed.number, sizeof listed.number, "%s", line);
    struct feed_message lines = {
        .kind = FEED_POLL_LINES, .account = "default", .poll = poll, .lines = &listed, .line_count = 1};
    struct feed_message end = {
        .kind = FEED_POLL_END, .account = "default", .poll = poll, .begun_mono_ms = 1, .ok = ok, .http_status = 200};
    child_send(&lines);
    child_send(&end);
}

static void child_webhook(uint64_t request, enum reputation reputation)
{
    struct feed_message message = {.kind = FEED_WEBHOOK, .account = "default"};
    message.webhook = (struct feed_webhook){.request = request,
                                            .event = FEED_EVENT_STATUS,
                                            .has_reputation = true,
                                            .reputation = reputation,
                                            .arrived_mono_ms = INT64_C(1) << 50,
                                            .changed_at_ms = INT64_C(1) << 50};
    snprintf(message.webhook.line, sizeof message.webhook.line, "%s", LINE);
    snprintf(message.webhook.event_id, sizeof message.webhook.event_id, "e%d", (int)request);
    child_send(&message);
}

/* All that comes, until the other end is closed. */
static void child_hears(void (*take)(const struct feed_message *message))
{
    uint8_t in[4096];
    size_t bytes = 0;
    ssize_t got;
    while ((got = read(CHILD_FD, in + bytes, sizeof in - bytes)) > 0) {
        struct feed_message message = {0};
        size_t used = 0;
        bytes += (size_t)got;
        while (feed_decode(in, bytes, &used, &message) == ERR_NONE) {
            memmove(in, in + used, bytes - used);
            bytes -= used;
            take(&message);
        }
    }
}

/* Ends when it is answered, for it has asked nothing; asked to poll, it does. */
static void pick(const struct feed_message *message)
{
    if (message->kind == FEED_ANSWER)
        _exit(4);
    child_poll(1, "+12025550102", REPUTATION_HEALTHY, true);
}

/* Tells all that comes as notes: an answer's status, 1 for being asked to poll. */
static void echo(const struct feed_message *message)
{
    uint64_t count = message->kind == FEED_ANSWER ? (uint64_t)message->http_status : 1;
    child_send(&(struct feed_message){.kind = FEED_POLL_END, .account = "default", .poll = 1000 + count});
}

static int open_files(void)
{
    int count = -1; /* the folder's own */
    DIR *folder = opendir("/proc/self/fd");
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static int child(const char *mode)
{
    if (strcmp(mode, "files") == 0) {
        child_send(&(struct feed_message){.kind = FEED_READY, .port = open_files()});
    } else if (strcmp(mode, "garbage") == 0) {
        if (write(CHILD_FD, "\xff\xff\xff\xff what is this", 17) != 17)
            return 3;
    } else if (strcmp(mode, "lines") == 0) {
        child_poll(1, LINE, REPUTATION_HEALTHY, true);
        child_ready();
    } else if (strcmp(mode, "failed") == 0) {
        child_poll(1, LINE, REPUTATION_HEALTHY, false);
        child_ready();
    } else if (strcmp(mode, "webhook") == 0) {
        child_poll(1, LINE, REPUTATION_HEALTHY, true);
        child_webhook(7, REPUTATION_CRITICAL);
        child_ready();
        child_hears(echo);
    } else if (strcmp(mode, "stranger") == 0) {
        struct feed_message end = {.kind = FEED_POLL_END, .poll = 1, .ok = true};
        snprintf(end.account, sizeof end.account, "nobody");
        child_send(&end);
        child_ready();
    } else if (strcmp(mode, "asks_and_dies") == 0) {
        child_ready();
        child_webhook(7, REPUTATION_CRITICAL);
        return 1;
    } else if (strcmp(mode, "picky") == 0) {
        child_ready();
        child_hears(pick);
    } else if (strcmp(mode, "deaf") == 0) {
        child_ready();
        for (;;)
            pause();
    } else if (strcmp(mode, "dies") == 0) {
        return 1;
    }
    child_hears(echo);
    return 0;
}

/* ---- the broker around it ---- */

static struct conf *conf;
static struct core *core;
static struct keyed_hash hash;
static struct instant now;
static struct effects effects;
static void *memory[256];
static size_t memory_count;
static struct feed_link *feed;
static struct effect answers[64];
static size_t answer_count;

static void *take(void *self, size_t bytes)
{
    (void)self;
    ck_assert_uint_lt(memory_count, sizeof memory / sizeof *memory);
    return memory[memory_count++] = calloc(1, bytes + 1);
}

static void persist(void *self, struct instant at, struct effects *out)
{
    (void)self;
    (void)at;
    for (size_t i = 0; i < out->effect_count; i++)
        if (out->effects[i].kind == EFFECT_ANSWER)
            answers[answer_count++] = out->effects[i];
    out->change_count = out->effect_count = 0;
}

static void setup(void)
{
    static const char text[] = "accounts:\n  default:\n    api_key_file: key\n";
    const struct core_limits limits = {.jobs_max = 10,
                                       .conversations_max = 10,
                                       .lines_max = 8,
                                       .leases_max = 4,
                                       .workers_max = 2,
                                       .pauses_max = 2,
                                       .names_max = 16,
                                       .remembered_max = 64};
    const struct core_memory source = {take, NULL};
    const uint8_t random[KEY_RANDOM_BYTES] = {1};
    struct conf_problem problem;
    ck_assert_int_ge(sodium_init(), 0);
    signal(SIGPIPE, SIG_IGN);
    now = (struct instant){.wall_ms = 1795428000000, .mono_ms = 1000000};
    ck_assert_int_eq(conf_parse(&conf, text, sizeof text - 1, "t.yaml", "/tmp", NULL, 0, &problem), ERR_NONE);
    ck_assert_int_eq(core_new(&core, &limits, &source, conf, 1), ERR_NONE);
    effects = (struct effects){.changes = calloc(ROOM, sizeof(struct change)),
                               .change_room = ROOM,
                               .effects = calloc(ROOM, sizeof(struct effect)),
                               .effect_room = ROOM};
    core_restored(core, random, now, &effects);
    persist(NULL, now, &effects);
}

static void teardown(void)
{
    if (feed != NULL)
        feed_link_free(&feed);
    while (memory_count > 0)
        free(memory[--memory_count]);
    free(effects.changes);
    free(effects.effects);
    conf_free(&conf);
}

static char *feed_argv[4] = {"feed", "--child", NULL, NULL};

static void start(const char *mode)
{
    feed_argv[2] = (char *)(uintptr_t)mode;
    struct feed_link_options options = {
        .conf = conf, .hash = &hash, .core = core, .child_argv = feed_argv, .persist = persist};
    feed = feed_link_new(&options);
    ck_assert_ptr_nonnull(feed);
    feed_link_start(feed, now);
    ck_assert_int_ge(feed_link_fd(feed), 0);
}

static void turn(void)
{
    struct pollfd waiting = {.fd = feed_link_fd(feed), .events = POLLIN};
    ck_assert_int_eq(poll(&waiting, 1, WAIT_MS), 1);
    feed_link_turn(feed, now, &effects);
}

static void turn_until_ready(void)
{
    while (!feed_link_is_bound(feed))
        turn();
}

static bool line_is(enum reputation reputation)
{
    size_t index;
    struct line_view view;
    return core_line_find(core, NUMBER, &index) && core_line_view(core, index, now, &view) &&
           view.status == reputation;
}

START_TEST(a_child_gets_its_streams_and_its_socket_and_nothing_else)
{
    int leak = fcntl(0, F_DUPFD, 50); /* as inherited from a careless parent: not close-on-exec */
    ck_assert_int_ge(leak, 50);
    start("files");
    turn_until_ready();
    ck_assert_uint_eq(feed_link_port(feed), 4);
    close(leak);
}
END_TEST

START_TEST(a_list_counts_once_its_poll_has_ended_well)
{
    start("lines");
    turn_until_ready();
    ck_assert(line_is(REPUTATION_HEALTHY));
}
END_TEST

START_TEST(a_list_whose_poll_failed_counts_for_nothing)
{
    start("failed");
    turn_until_ready();
    ck_assert_uint_eq(core_line_count(core), 0);
}
END_TEST

START_TEST(a_webhook_closes_the_line_and_is_answered_when_durable)
{
    start("webhook");
    turn_until_ready();
    ck_assert(line_is(REPUTATION_CRITICAL));
    size_t index;
    struct line_view view;
    ck_assert(core_line_find(core, NUMBER, &index) && core_line_view(core, index, now, &view));
    ck_assert_int_le(view.changed_at_ms, now.wall_ms + 300000); /* however far ahead the child said */
    ck_assert_uint_eq(answer_count, 1);
    ck_assert(feed_link_owns(answers[0].token));
    feed_link_effect(feed, &answers[0]);
    turn(); /* the child says that it heard */
    ck_assert_int_ge(feed_link_fd(feed), 0);
}
END_TEST

/* Both count their requests from the start: the answer to the one that is gone is not the other's. */
START_TEST(an_answer_is_for_the_child_that_asked)
{
    start("asks_and_dies");
    while (feed_link_fd(feed) >= 0)
        turn();
    ck_assert_uint_eq(answer_count, 1);
    feed_argv[2] = (char *)(uintptr_t) "picky";
    now.mono_ms += 60000;
    feed_link_start(feed, now);
    turn_until_ready();
    feed_link_effect(feed, &answers[0]);
    feed_link_poll(feed, 0);
    while (feed_link_fd(feed) >= 0 && core_line_count(core) < 2)
        turn();
    ck_assert_int_ge(feed_link_fd(feed), 0);
}
END_TEST

START_TEST(facts_of_an_unknown_account_are_passed_over)
{
    start("stranger");
    turn_until_ready();
    ck_assert_uint_eq(core_line_count(core), 0);
}
END_TEST

START_TEST(a_child_that_breaks_its_word_is_ended_and_started_again_later_and_later)
{
    start("garbage");
    int64_t waits[3];
    for (int i = 0; i < 3; i++) {
        while (feed_link_fd(feed) >= 0)
            turn();
        waits[i] = feed_link_next_mono_ms(feed) - now.mono_ms;
        ck_assert_int_gt(waits[i], 0);
        feed_link_start(feed, now); /* not yet */
        ck_assert_int_lt(feed_link_fd(feed), 0);
        now.mono_ms += waits[i];
        feed_link_start(feed, now);
        ck_assert_int_ge(feed_link_fd(feed), 0);
        ck_assert_int_eq(feed_link_next_mono_ms(feed), TIME_NEVER);
    }
    ck_assert_int_gt(waits[1], waits[0]);
    ck_assert_int_gt(waits[2], waits[1]);
}
END_TEST

START_TEST(a_child_that_dies_is_noticed)
{
    start("dies");
    while (feed_link_fd(feed) >= 0)
        turn();
    ck_assert(!feed_link_is_bound(feed));
    struct effect effect = {.kind = EFFECT_POLL};
    feed_link_effect(feed, &effect); /* nobody is there: nothing happens */
}
END_TEST

START_TEST(a_deaf_child_does_not_hold_up_the_end)
{
    start("deaf");
    turn_until_ready();
    struct instant begun = clock_read();
    feed_link_free(&feed);
    ck_assert_ptr_null(feed);
    ck_assert_int_lt(clock_read().mono_ms - begun.mono_ms, 8000);
}
END_TEST

START_TEST(a_child_that_does_not_read_is_ended_before_memory_is)
{
    start("deaf");
    turn_until_ready();
    struct effect effect = {.kind = EFFECT_POLL};
    for (int i = 0; i < 200000 && feed_link_fd(feed) >= 0; i++) {
        feed_link_effect(feed, &effect);
        if (i % 1000 == 0)
            feed_link_turn(feed, now, &effects);
    }
    ck_assert_int_lt(feed_link_fd(feed), 0);
}
END_TEST

START_TEST(the_feed_knows_its_own_tokens)
{
    ck_assert(feed_link_owns((uint64_t)FEED_TOKEN_TAG << 56 | 5));
    ck_assert(!feed_link_owns(5));
    ck_assert(!feed_link_owns(0));
}
END_TEST

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--child") == 0)
        return child(argv[2]);
    Suite *suite = suite_create("feed_link");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_child_gets_its_streams_and_its_socket_and_nothing_else);
    tcase_add_test(tcase, a_list_counts_once_its_poll_has_ended_well);
    tcase_add_test(tcase, a_list_whose_poll_failed_counts_for_nothing);
    tcase_add_test(tcase, a_webhook_closes_the_line_and_is_answered_when_durable);
    tcase_add_test(tcase, an_answer_is_for_the_child_that_asked);
    tcase_add_test(tcase, facts_of_an_unknown_account_are_passed_over);
    tcase_add_test(tcase, a_child_that_breaks_its_word_is_ended_and_started_again_later_and_later);
    tcase_add_test(tcase, a_child_that_dies_is_noticed);
    tcase_add_test(tcase, a_deaf_child_does_not_hold_up_the_end);
    tcase_add_test(tcase, a_child_that_does_not_read_is_ended_before_memory_is);
    tcase_add_test(tcase, the_feed_knows_its_own_tokens);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
