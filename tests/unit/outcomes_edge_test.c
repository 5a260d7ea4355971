/* The broker's end of outcome webhooks: what is read, confirmed and remembered. This program is its own child:
 * started with a mood, it plays the poster. */
#include "broker/edge/outcomes.h"

#include <sys/socket.h>
#include <unistd.h>

#include "broker/edge/child.h"
#include "broker/edge/outcomes_part.h"
#include "broker/outcomes/outcomes.h"
#include "edge_rig.h"
#include "tests/support/suite.h"

static struct outcomes *outcomes;
static struct lookup *lookup;
static struct conf *conf;
static uint64_t oldest; /* the history begins here */

/* ---- the child ---- */

static int child(const char *mood)
{
    static uint8_t packet[OUTCOME_PACKET_BYTES_MAX];
    struct outcome_post post;
    for (;;) {
        ssize_t got = recv(CHILD_FD, packet, sizeof packet, 0);
        if (got <= 0)
            return 0;
        if (strcmp(mood, "dies") == 0)
            return 1;
        if (strcmp(mood, "mute") == 0)
            continue;
        if (!outcome_post_decode(packet, (size_t)got, &post))
            return 2;
        bool whole = post.bytes > 9 && memcmp(post.body, "{\"type\":\"", 9) == 0 && strncmp(post.id, "evt_", 4) == 0;
        struct outcome_result result = {.request = post.request,
                                        .problem = whole ? OUTCOME_PROBLEM_NONE : OUTCOME_PROBLEM_STATUS};
        uint8_t answer[OUTCOME_RESULT_BYTES];
        size_t bytes = outcome_result_encode(&result, answer);
        if (strcmp(mood, "lies") == 0)
            bytes -= 1;
        if (send(CHILD_FD, answer, bytes, MSG_NOSIGNAL) < 0)
            return 0;
    }
}

/* ---- the rig ---- */

static enum err events_from_oldest(void *self, uint64_t after, size_t limit, uint64_t *out_oldest,
                                   archive_visit visit, void *visitor)
{
    enum err err = edge_events(self, after + 1 < oldest ? oldest - 1 : after, limit, out_oldest, visit, visitor);
    *out_oldest = oldest;
    return err;
}

static void setup(void)
{
    static const char *const sets[] = {"broker.outcome_hosts=[\"http://127.0.0.1\"]",
                                       "pools.default.outcome_url=http://127.0.0.1:9/",
                                       "pools.default.outcome_secrets_file=s", "pools.default.outcome_topics=[job.]"};
    struct conf_problem problem;
    edge_setup();
    oldest = 1;
    const struct archive archive = {.read = edge_read, .find = edge_find, .events = events_from_oldest};
    ck_assert_int_eq(lookup_open(&lookup, &archive, 1), ERR_NONE);
    ck_assert_msg(conf_parse(&conf, edge_conf_text, sizeof edge_conf_text - 1, "rig.yaml", "/tmp", sets, 4,
                             &problem) == ERR_NONE,
                  "%s", problem.text);
}

static void start(char *mood)
{
    static char name[] = "outcomes", flag[] = "child";
    static char *argv[] = {name, flag, NULL, NULL};
    argv[2] = mood;
    struct outcomes_options options = {.conf = conf,
                                       .hash = &edge.hash,
                                       .core = edge.core,
                                       .lookup = lookup,
                                       .child_argv = argv,
                                       .persist = edge_persist};
    outcomes = outcomes_new(&options);
    ck_assert_ptr_nonnull(outcomes);
}

static void teardown(void)
{
    outcomes_free(&outcomes);
    lookup_close(&lookup);
    conf_free(&conf);
    edge_teardown();
}

static void turn(void)
{
    struct lookup_answer answer;
    struct pollfd waiting[2] = {{.fd = lookup_fd(lookup), .events = POLLIN},
                                {.fd = outcomes_fd(outcomes), .events = POLLIN}};
    poll(waiting, 2, 5);
    while (lookup_collect(lookup, &answer)) {
        ck_assert(outcomes_owns(answer.token));
        outcomes_looked_up(outcomes, &answer, edge.now);
    }
    edge.now.mono_ms += 10;
    outcomes_turn(outcomes, true, edge.now, &edge.effects);
    edge_settle();
}

static struct outcome_view view(void)
{
    struct outcome_view found;
    ck_assert(outcomes_view(outcomes, 0, edge.now, &found));
    return found;
}

#define UNTIL(condition)                                                                                             \
    do {                                                                                                             \
        int turns = 0;                                                                                               \
        while (!(condition)) {                                                                                       \
            ck_assert_msg(turns++ < 2000, "never: %s", #condition);                                                  \
            turn();                                                                                                  \
        }                                                                                                            \
    } while (0)

static void enqueue(int number)
{
    edge_enqueue(number, "{\"parts\":[]}");
    edge_settle();
}

START_TEST(what_happened_is_told_and_the_mark_moves)
{
    enqueue(0); /* before the pool had a webhook */
    start((char[]){"takes"});
    turn();
    for (int i = 1; i <= 3; i++)
        enqueue(i);
    UNTIL(view().confirmed == 3 && view().unread == 0);
    for (int i = 0; i < 30; i++)
        turn();
    const struct change_outcomes *mark = core_outcomes(edge.core, 0);
    ck_assert_uint_eq(mark->read_to, core_next_seq(edge.core) - 1);
    ck_assert_uint_eq(mark->confirmed, 3);
    ck_assert_uint_eq(mark->count, 0);
    struct outcome_view other;
    ck_assert(!outcomes_view(outcomes, 1, edge.now, &other)); /* a pool without */
}
END_TEST

START_TEST(a_restart_goes_on_where_the_mark_says)
{
    start((char[]){"mute"});
    turn();
    for (int i = 1; i <= 3; i++)
        enqueue(i);
    UNTIL(view().in_flight == 3);
    ck_assert_int_eq(view().oldest_at_ms, edge.now.wall_ms);
    outcomes_note(outcomes, edge.now, &edge.effects);
    edge_settle();
    ck_assert_uint_eq(core_outcomes(edge.core, 0)->count, 3);
    outcomes_free(&outcomes);
    enqueue(4);
    start((char[]){"takes"});
    UNTIL(view().confirmed == 4);
    ck_assert_uint_eq(view().missed, 0);
    ck_assert_uint_eq(view().waiting, 0);
}
END_TEST

START_TEST(what_left_the_history_untold_is_counted_and_the_rest_is_told)
{
    for (int i = 1; i <= 6; i++)
        enqueue(i);
    uint64_t last = core_next_seq(edge.core) - 1;
    struct change_outcomes mark = {.read_to = last - 5, .confirmed = 7, .count = 1, .waiting = {last - 5}};
    core_outcomes_set(edge.core, 0, &mark, edge.now, &edge.effects);
    edge_settle();
    oldest = last - 2;
    start((char[]){"takes"});
    UNTIL(view().confirmed == 7 + 3);
    ck_assert_uint_eq(view().missed, 1 + 2); /* the one that waited, and two that nobody had looked at */
    ck_assert_uint_eq(view().waiting, 0);
}
END_TEST

static void check_survives(char *mood)
{
    start(mood);
    turn();
    for (int i = 1; i <= 3; i++)
        enqueue(i);
    UNTIL(view().in_flight == 3);
    UNTIL(view().in_flight == 0); /* it is found out */
    UNTIL(view().in_flight == 3); /* and started again */
    ck_assert_uint_eq(view().confirmed, 0);
    outcomes_note(outcomes, edge.now, &edge.effects);
    outcomes_free(&outcomes);
    start((char[]){"takes"});
    UNTIL(view().confirmed == 3);
}

START_TEST(a_child_that_dies_is_started_again_and_nothing_is_lost)
{
    check_survives((char[]){"dies"});
}
END_TEST

START_TEST(a_child_that_talks_nonsense_is_not_believed)
{
    check_survives((char[]){"lies"});
}
END_TEST

START_TEST(a_pool_that_loses_its_webhook_and_gets_it_back_goes_on)
{
    struct conf *without = NULL;
    struct conf_problem problem;
    start((char[]){"takes"});
    turn();
    enqueue(1);
    UNTIL(view().confirmed == 1);
    outcomes_note(outcomes, edge.now, &edge.effects);
    ck_assert_int_eq(
        conf_parse(&without, edge_conf_text, sizeof edge_conf_text - 1, "rig.yaml", "/tmp", NULL, 0, &problem),
        ERR_NONE);
    ck_assert_int_eq(outcomes_follow(outcomes, without), ERR_NONE);
    enqueue(2);
    struct outcome_view none;
    for (int i = 0; i < 5; i++)
        turn();
    ck_assert(!outcomes_view(outcomes, 0, edge.now, &none));
    ck_assert_int_eq(outcomes_follow(outcomes, conf), ERR_NONE);
    UNTIL(view().confirmed == 2);
    conf_free(&without);
}
END_TEST

static void write_secret(const char *path, const char *secret)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_gt(fprintf(file, "%s\n", secret), 0);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(who_reloads_something_else_holds_no_webhook)
{
    char path[] = "/tmp/lineward-outcomes-XXXXXX", set[96];
    ck_assert_int_ge(close(mkstemp(path)), 0);
    write_secret(path, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    snprintf(set, sizeof set, "pools.default.outcome_secrets_file=%s", path);
    const char *const sets[] = {"broker.outcome_hosts=[\"http://127.0.0.1\"]", "pools.default.outcome_url=http://127.0.0.1:9/",
                                set, "pools.default.outcome_topics=[job.]", "pools.default.outcome_timeout_ms=1234"};
    struct conf *same = NULL, *slower = NULL;
    struct conf_problem problem;
    ck_assert_int_eq(conf_parse(&same, edge_conf_text, sizeof edge_conf_text - 1, "r", "/tmp", sets, 4, &problem), ERR_NONE);
    ck_assert_int_eq(conf_parse(&slower, edge_conf_text, sizeof edge_conf_text - 1, "r", "/tmp", sets, 5, &problem), ERR_NONE);
    start((char[]){"takes"});
    ck_assert_int_eq(outcomes_follow(outcomes, same), ERR_NONE);
    turn();
    ck_assert_int_ge(outcomes_fd(outcomes), 0);
    ck_assert_int_eq(outcomes_follow(outcomes, same), ERR_NONE);
    ck_assert(!outcomes->letting_go);
    write_secret(path, "whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA=");
    ck_assert_int_eq(outcomes_follow(outcomes, same), ERR_NONE);
    ck_assert(outcomes->letting_go); /* the file has another secret */
    UNTIL(!outcomes->letting_go && outcomes_fd(outcomes) >= 0);
    ck_assert_int_eq(outcomes_follow(outcomes, same), ERR_NONE);
    ck_assert(!outcomes->letting_go);
    ck_assert_int_eq(outcomes_follow(outcomes, slower), ERR_NONE);
    ck_assert(outcomes->letting_go);
    UNTIL(!outcomes->letting_go && outcomes_fd(outcomes) >= 0);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(outcomes_follow(outcomes, slower), ERR_NONE);
    ck_assert(outcomes->letting_go); /* nobody knows what is in it */
    ck_assert_int_eq(outcomes_follow(outcomes, conf), ERR_NONE);
    conf_free(&same);
    conf_free(&slower);
}
END_TEST

START_TEST(what_the_child_says_is_checked)
{
    struct outcome_result result = {.request = 5, .problem = OUTCOME_PROBLEM_STATUS, .status = 500}, read;
    uint8_t packet[OUTCOME_RESULT_BYTES];
    size_t bytes = outcome_result_encode(&result, packet);
    ck_assert(outcome_result_decode(packet, bytes, &read));
    ck_assert_int_eq(read.status, 500);
    ck_assert(!outcome_result_decode(packet, bytes - 1, &read));
    result.status = 1000;
    ck_assert(!outcome_result_decode(packet, outcome_result_encode(&result, packet), &read));
    result.status = 200;
    result.problem = OUTCOME_PROBLEM_COUNT;
    ck_assert(!outcome_result_decode(packet, outcome_result_encode(&result, packet), &read));
    result.problem = OUTCOME_PROBLEM_NONE;
    result.retry_after_ms = -1;
    ck_assert(!outcome_result_decode(packet, outcome_result_encode(&result, packet), &read));
}
END_TEST

START_TEST(what_the_child_is_given_is_checked)
{
    static uint8_t packet[OUTCOME_PACKET_BYTES_MAX];
    struct outcome_post post = {.request = 9, .pool = "default", .id = "evt_1_ab", .body = "{}", .bytes = 2}, read;
    size_t bytes = outcome_post_encode(&post, packet);
    ck_assert(outcome_post_decode(packet, bytes, &read));
    ck_assert_str_eq(read.id, "evt_1_ab");
    ck_assert_uint_eq(read.bytes, 2);
    for (size_t cut = 0; cut < bytes; cut++)
        ck_assert(!outcome_post_decode(packet, cut, &read));
    snprintf(post.id, sizeof post.id, "a\r\nb");
    ck_assert(!outcome_post_decode(packet, outcome_post_encode(&post, packet), &read));
    post.bytes = OUTCOME_BODY_BYTES_MAX + 1;
    ck_assert_uint_eq(outcome_post_encode(&post, packet), 0);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "child") == 0)
        return child(argv[2]);
    Suite *suite = suite_create("outcomes_edge");
    TCase *tests = tcase_create("outcomes_edge");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, what_happened_is_told_and_the_mark_moves);
    tcase_add_test(tests, a_restart_goes_on_where_the_mark_says);
    tcase_add_test(tests, what_left_the_history_untold_is_counted_and_the_rest_is_told);
    tcase_add_test(tests, a_child_that_dies_is_started_again_and_nothing_is_lost);
    tcase_add_test(tests, a_child_that_talks_nonsense_is_not_believed);
    tcase_add_test(tests, a_pool_that_loses_its_webhook_and_gets_it_back_goes_on);
    tcase_add_test(tests, who_reloads_something_else_holds_no_webhook);
    suite_add_tcase(suite, tests);
    TCase *wire = tcase_create("wire");
    tcase_add_test(wire, what_the_child_says_is_checked);
    tcase_add_test(wire, what_the_child_is_given_is_checked);
    suite_add_tcase(suite, wire);
    return suite_run(suite);
}
