/* The C client among several brokers: whom it hands a job to, where it does not let itself be led, and that no job is lost
 * or handed in twice. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/client_farm.h"

/* ---- following ---- */

START_TEST(a_job_goes_to_the_owner_of_its_pool_as_it_is_and_the_next_one_at_once)
{
    struct stub *home = farm_add('a'), *other = farm_add('b');
    farm_says(home, farm_endpoint(other));
    farm_start();
    ck_assert_int_eq(farm_hand_in(JOB("b", "1"), FARM_LONG_MS), LINEWARD_OK);
    farm_ck_by(0, 'b');
    ck_assert_str_eq(lineward_error(client), "");
    ck_assert_int_eq(farm_requests(home), 1);
    ck_assert_int_eq(farm_hand_in(JOB("b", "2"), FARM_LONG_MS), LINEWARD_OK);
    farm_ck_by(0, 'b');
    ck_assert_int_eq(farm_requests(home), 1); /* not asked again */
    ck_assert_int_eq(farm_requests(other), 2);
    ck_assert_int_eq(farm_jobs(other), 2);
    ck_assert_str_eq(farm_taken(other, 0), JOB("b", "1"));
    ck_assert_str_eq(farm_taken(other, 1), JOB("b", "2"));
    ck_assert_int_eq(farm_hand_in(JOB("a", "3"), FARM_LONG_MS), LINEWARD_OK);
    farm_ck_by(0, 'a');
}
END_TEST

START_TEST(of_a_call_each_job_has_the_result_of_its_own_broker_and_their_order_stays)
{
    struct stub *home = farm_add('a'), *second = farm_add('b'), *third = farm_add('c');
    const char *jobs[] = {JOB("c", "1"), JOB("a", "1"), JOB("b", "1"), JOB("c", "2"), JOB("a", "2"), JOB("b", "2")};
    const char by[] = "cabcab";
    farm_says(home, farm_endpoint(second)); /* which says more of c */
    farm_says(second, farm_endpoint(third));
    farm_start();
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(lineward_enqueue(client, jobs, 6, FARM_LONG_MS), LINEWARD_OK);
        ck_assert_uint_eq(lineward_result_count(client), 6);
        for (size_t i = 0; i < 6; i++)
            farm_ck_by(i, by[i]);
    }
    struct stub *stubs[] = {home, second, third};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(farm_jobs(stubs[i]), 4);
        ck_assert_ptr_nonnull(strstr(farm_taken(stubs[i], 0), "\"1\""));
        ck_assert_ptr_nonnull(strstr(farm_taken(stubs[i], 1), "\"2\""));
    }
    ck_assert_int_eq(farm_requests(home), 2);
    ck_assert_int_eq(farm_requests(third), 2);
}
END_TEST

START_TEST(jobs_are_asked_after_and_taken_back_at_the_owner_of_their_pool)
{
    struct stub *home = farm_add('a'), *other = farm_add('b');
    const char *ids[] = {"b/1", "a/1"};
    farm_says(home, farm_endpoint(other));
    farm_start();
    ck_assert_int_eq(lineward_get(client, ids, 2, FARM_LONG_MS), LINEWARD_OK);
    farm_ck_by(0, 'b');
    farm_ck_by(1, 'a');
    ck_assert_int_eq(lineward_cancel(client, ids, 2, FARM_LONG_MS), LINEWARD_OK);
    farm_ck_by(0, 'b');
    ck_assert_str_eq(farm_taken(other, 1), "b/1");
    ck_assert_int_eq(lineward_ping(client, FARM_LONG_MS), LINEWARD_OK);
    ck_assert_int_eq(farm_requests(home), 3);
}
END_TEST

START_TEST(who_is_sent_in_a_circle_stops_and_says_so)
{
    struct stub *home = farm_add('a'), *other = farm_add('b');
    farm_says(home, farm_endpoint(other));
    farm_says(other, farm_endpoint(home));
    farm_start();
    ck_assert_int_eq(farm_hand_in(JOB("c", "1"), FARM_LONG_MS), LINEWARD_OK);
    ck_assert_ptr_nonnull(strstr(lineward_result(client, 0), "not_owner"));
    ck_assert_int_eq(farm_requests(home) + farm_requests(other), 4); /* the first, and three hops */
    lineward_follow(client, 1);
    ck_assert_int_eq(farm_hand_in(JOB("c", "1"), FARM_LONG_MS), LINEWARD_OK);
    ck_assert_int_eq(farm_requests(home) + farm_requests(other), 6);
    lineward_follow(client, 0);
    ck_assert_int_eq(farm_hand_in(JOB("d", "1"), FARM_LONG_MS), LINEWARD_OK);
    ck_assert_ptr_nonnull(strstr(lineward_result(client, 0), "not_owner"));
    ck_assert_int_eq(farm_requests(home) + farm_requests(other), 7);
    farm_says(other, farm_endpoint(other)); /* it sends to itself */
    lineward_follow(client, 16);
    ck_assert_int_eq(farm_hand_in(JOB("e", "1"), FARM_LONG_MS), LINEWARD_OK);
    ck_assert_int_eq(farm_requests(home) + farm_requests(other), 9);
}
END_TEST

/* ---- hostile words ---- */

START_TEST(a_client_is_not_led_where_it_was_not_meant_to_go)
{
    static const char *const owners[] = {
        "\"\"", "5", "null", "{}", "\"http://127.0.0.1:1\"", "\"inproc://x\"", "\"ipc:///tmp/x\"", "\"tcp://*:1\"",
        "\"tcp://127.0.0.1:0\"", "\"tcp://127.0.0.1:1;127.0.0.1:2\"", "\"tcp://u@127.0.0.1:1\"", "\"tcp://127.0.0.1\"",
        "\"tcp:\\/\\/127.0.0.1:1\"", "\"udp://127.0.0.1:1\"", "\"tcp://127.0.0.1:99999\"",
        "\"tcp://10.1.2.3:7710\"", /* off the machine, without a key to know the broker by */
        "\"tcp://example.com:7710\"", "\"tcp://127.0.0.1@10.1.2.3:7710\""};
    struct stub *home = farm_add('a');
    char far[300]; /* longer than any address */
    snprintf(far, sizeof far, "\"tcp://%0270d:1\"", 1);
    farm_start();
    for (size_t i = 0; i <= sizeof owners / sizeof *owners; i++) {
        const char *owner = i < sizeof owners / sizeof *owners ? owners[i] : far;
        farm_says_raw(home, owner);
        ck_assert_msg(farm_hand_in(JOB("b", "1"), FARM_LONG_MS) == LINEWARD_OK, "%s: %s", owner, lineward_error(client));
        ck_assert_ptr_nonnull(strstr(lineward_result(client, 0), "not_owner"));
        ck_assert_int_eq(farm_requests(home), (int)i + 1);
    }
}
END_TEST

/* ---- bounds ---- */

/* Fifteen at a time besides the first; those of earlier calls make room. */
START_TEST(more_owners_than_there_is_room_for_take_turns)
{
    struct stub *home = farm_add('a');
    char job[64];
    struct stub *others[FARM_MAX - 1];
    for (size_t i = 0; i < FARM_MAX - 1; i++)
        others[i] = farm_add((char)('b' + i));
    farm_start();
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < FARM_MAX - 1; i++) {
            farm_says(home, farm_endpoint(others[i]));
            snprintf(job, sizeof job, "{\"id\":\"1\",\"pool\":\"%c\"}", (char)('b' + i));
            ck_assert_int_eq(farm_hand_in(job, FARM_LONG_MS), LINEWARD_OK);
            farm_ck_by(0, (char)('b' + i));
        }
    for (size_t i = 0; i < FARM_MAX - 1; i++)
        ck_assert_int_eq(farm_jobs(others[i]), 2);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_job_goes_to_the_owner_of_its_pool_as_it_is_and_the_next_one_at_once,
        of_a_call_each_job_has_the_result_of_its_own_broker_and_their_order_stays,
        jobs_are_asked_after_and_taken_back_at_the_owner_of_their_pool,
        who_is_sent_in_a_circle_stops_and_says_so,
        a_client_is_not_led_where_it_was_not_meant_to_go,
        more_owners_than_there_is_room_for_take_turns,
    };
    return farm_run_suite("client_owner", tests, sizeof tests / sizeof *tests);
}
