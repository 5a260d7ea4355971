/* connections_test.c — who ends when the connections of an HTTP port get crowded, and who is late. */
#include "lineward/connections.h"

#include <sys/socket.h>
#include <unistd.h>

#include "lineward/clock.h"
#include "tests/support/suite.h"

#define MAX   6
#define SPARE 2 /* the fifth makes it crowded */

static struct connections connections;
static struct connection *held[MAX];
static int peers[MAX], used;

static void begin(void)
{
    connections_init(&connections, MAX, SPARE);
}

static void over(void)
{
    while (used-- > 0) {
        if (held[used] != NULL)
            close(held[used]->fd);
        connections_remove(&connections, &held[used]);
        close(peers[used]);
    }
    ck_assert_uint_eq(connections.count, 0);
}

static int come(int64_t deadline_mono_ms)
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    held[used] = connections_add(&connections, pair[0], deadline_mono_ms);
    ck_assert_ptr_nonnull(held[used]);
    peers[used] = pair[1];
    return used++;
}

static void gone(int who)
{
    close(held[who]->fd);
    connections_remove(&connections, &held[who]);
}

/* As its other side sees it. */
static bool has_ended(int who)
{
    char byte;
    return recv(peers[who], &byte, 1, 0) == 0;
}

static void check_ended(const char *expected)
{
    for (int who = 0; who < used; who++)
        ck_assert_msg(has_ended(who) == (expected[who] == 'x'), "connection %d has %sended", who,
                      has_ended(who) ? "" : "not ");
}

START_TEST(the_oldest_ends_when_it_gets_crowded)
{
    for (int i = 0; i < MAX - SPARE; i++)
        come(TIME_NEVER);
    check_ended("....");
    ck_assert(!connections_are_crowded(&connections));
    come(TIME_NEVER);
    check_ended("x....");
    ck_assert(connections_are_crowded(&connections));
    come(TIME_NEVER); /* the first is not closed yet, and it is another one's turn */
    check_ended("xx....");
}
END_TEST

START_TEST(one_that_was_closed_makes_room)
{
    for (int i = 0; i < MAX - SPARE; i++)
        come(TIME_NEVER);
    gone(2);
    come(TIME_NEVER);
    check_ended("..x.."); /* closed by itself */
    ck_assert_uint_eq(connections.count, MAX - SPARE);
}
END_TEST

START_TEST(strangers_end_first_and_then_the_known)
{
    for (int i = 0; i < MAX - SPARE; i++)
        come(TIME_NEVER);
    connections_know(&connections, held[1]);
    connections_know(&connections, held[0]);
    connections_know(&connections, held[1]); /* once and for all: it grows no younger */
    come(TIME_NEVER);
    check_ended("..x..");
    for (int who = 3; who <= 4; who++)
        connections_know(&connections, held[who]);
    gone(2);
    come(TIME_NEVER);
    check_ended(".xx...");
}
END_TEST

START_TEST(who_begins_anew_is_the_youngest)
{
    for (int i = 0; i < MAX - SPARE; i++)
        come(TIME_NEVER);
    connections_renew(&connections, held[0], TIME_NEVER);
    come(TIME_NEVER);
    check_ended(".x...");
}
END_TEST

START_TEST(strangers_end_at_their_deadline)
{
    ck_assert_int_eq(connections_due(&connections), TIME_NEVER);
    come(100);
    come(200);
    come(300);
    connections_know(&connections, held[1]);
    ck_assert_int_eq(connections_due(&connections), 100);
    connections_end_late(&connections, 99, 1000);
    check_ended("...");
    connections_end_late(&connections, 100, 1000);
    check_ended("x..");
    ck_assert_int_eq(connections_due(&connections), 300);
    connections_end_late(&connections, 999, 2000); /* the known one has no deadline */
    check_ended("x.x");
    ck_assert_int_eq(connections_due(&connections), 1000); /* the first again, if nobody closed it by then */
    connections_end_late(&connections, 1000, 3000);
    ck_assert_int_eq(connections_due(&connections), 2000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("connections");
    TCase *tests = tcase_create("connections");
    tcase_add_checked_fixture(tests, begin, over);
    tcase_add_test(tests, the_oldest_ends_when_it_gets_crowded);
    tcase_add_test(tests, one_that_was_closed_makes_room);
    tcase_add_test(tests, strangers_end_first_and_then_the_known);
    tcase_add_test(tests, who_begins_anew_is_the_youngest);
    tcase_add_test(tests, strangers_end_at_their_deadline);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
