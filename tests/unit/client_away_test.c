/* The C client among several brokers, of which one is away, silent, moved or refuses: what it remembers, asks for anew
 * and says. */
#include <string.h>
#include <zmq.h>

#include "tests/unit/client_farm.h"

START_TEST(an_owner_that_is_not_there_is_said_and_nothing_was_sent)
{
    char dead[128];
    struct stub *home = farm_add('a');
    farm_free_endpoint(dead);
    farm_says(home, dead);
    farm_start();
    ck_assert_int_eq(farm_hand_in(JOB("b", "1"), FARM_SHORT_MS), LINEWARD_UNREACHABLE);
    ck_assert_ptr_nonnull(strstr(lineward_error(client), dead));
    ck_assert_uint_eq(lineward_result_count(client), 0);
    const char *jobs[] = {JOB("a", "1"), JOB("b", "1")}; /* some of it is done: nobody may think that none is */
    ck_assert_int_eq(lineward_enqueue(client, jobs, 2, FARM_SHORT_MS), LINEWARD_TIMEOUT);
    ck_assert_ptr_nonnull(strstr(lineward_error(client), dead));
    ck_assert_ptr_nonnull(strstr(lineward_error(client), "an answer to 1 of 2"));
    ck_assert_uint_eq(lineward_result_count(client), 2);
    farm_ck_by(0, 'a');
    ck_assert_ptr_null(lineward_result(client, 1));
}
END_TEST

START_TEST(when_a_pool_has_moved_whoever_was_its_owner_is_given_up_for_the_new_one)
{
    struct stub *home = farm_add('a'), *new = farm_add('b');
    char gone[128];
    void *old = zmq_socket(farm_context(), ZMQ_ROUTER);
    int linger = 0;
    zmq_setsockopt(old, ZMQ_LINGER, &linger, sizeof linger);
    farm_free_endpoint(gone);
    ck_assert_int_eq(zmq_bind(old, gone), 0);
    farm_says(home, gone);
    farm_start();
    ck_assert_int_eq(farm_hand_in(JOB("b", "1"), FARM_SHORT_MS), LINEWARD_TIMEOUT); /* it took it, and says nothing */
    ck_assert_ptr_nonnull(strstr(lineward_error(client), gone));
    farm_says(home, farm_endpoint(new));
    zmq_close(old);
    ck_assert_int_eq(farm_hand_in(JOB("b", "1"), FARM_LONG_MS), LINEWARD_OK); /* asked anew after it did not answer */
    farm_ck_by(0, 'b');
    ck_assert_int_eq(farm_requests(home), 2);
}
END_TEST

/* It answered, so it is remembered; then it is gone without having got the next one. */
START_TEST(a_remembered_owner_that_has_gone_is_asked_for_anew_within_the_same_call)
{
    struct stub *home = farm_add('a'), *old = farm_add('b'), *new = farm_add('b');
    farm_says(home, farm_endpoint(old));
    farm_start();
    ck_assert_int_eq(farm_hand_in(JOB("b", "1"), FARM_LONG_MS), LINEWARD_OK);
    ck_assert_int_eq(farm_requests(old), 1);
    farm_says(home, farm_endpoint(new));
    farm_leave(old);
    ck_assert_int_eq(farm_hand_in(JOB("b", "2"), FARM_LONG_MS), LINEWARD_OK);
    farm_ck_by(0, 'b');
    ck_assert_str_eq(farm_taken(new, 0), JOB("b", "2"));
}
END_TEST

START_TEST(a_home_that_is_silent_does_not_hold_up_what_another_broker_owns)
{
    struct stub *home = farm_add('a'), *other = farm_add('b');
    const char *jobs[] = {JOB("a", "1"), JOB("b", "2")};
    farm_says(home, farm_endpoint(other));
    farm_start();
    ck_assert_int_eq(farm_hand_in(JOB("b", "1"), FARM_LONG_MS), LINEWARD_OK);
    farm_set(home, true, false);
    ck_assert_int_eq(farm_hand_in(JOB("b", "3"), FARM_LONG_MS), LINEWARD_OK);
    ck_assert_int_eq(lineward_enqueue(client, jobs, 2, FARM_SHORT_MS), LINEWARD_TIMEOUT);
    ck_assert_ptr_null(lineward_result(client, 0));
    farm_ck_by(1, 'b');
    farm_set(home, false, false);
    ck_assert_int_eq(lineward_enqueue(client, jobs, 2, FARM_LONG_MS), LINEWARD_OK);
    farm_ck_by(0, 'a');
}
END_TEST

/* Whoever was made for a broker that has gone for good still reaches the others, also after one of them was away. */
START_TEST(with_nobody_to_ask_the_known_owner_stays_known)
{
    struct stub *home = farm_add('a'), *owner = farm_add('b');
    farm_says(home, farm_endpoint(owner));
    farm_start();
    ck_assert_int_eq(farm_hand_in(JOB("b", "1"), FARM_LONG_MS), LINEWARD_OK);
    farm_leave(home);
    farm_set(owner, true, false);
    ck_assert_int_eq(farm_hand_in(JOB("b", "2"), FARM_SHORT_MS), LINEWARD_TIMEOUT);
    farm_set(owner, false, false);
    /* asks the one that is not there, then this one */
    ck_assert_int_eq(farm_hand_in(JOB("b", "2"), FARM_LONG_MS), LINEWARD_OK);
    farm_ck_by(0, 'b');
    farm_leave(owner);
    ck_assert_int_ne(farm_hand_in(JOB("b", "3"), FARM_SHORT_MS), LINEWARD_OK);
    farm_come_back(owner);
    ck_assert_int_eq(farm_hand_in(JOB("b", "3"), FARM_LONG_MS), LINEWARD_OK);
    farm_ck_by(0, 'b');
    ck_assert_int_eq(farm_hand_in(JOB("b", "4"), FARM_LONG_MS), LINEWARD_OK);
    farm_ck_by(0, 'b');
}
END_TEST

START_TEST(a_job_without_an_id_is_handed_to_its_owner_once_whatever_comes_of_it)
{
    struct stub *home = farm_add('a'), *other = farm_add('b');
    farm_says(home, farm_endpoint(other));
    farm_start();
    lineward_resend_after(client, 20);
    farm_set(other, true, false);
    ck_assert_int_eq(farm_hand_in("{\"pool\":\"b\"}", FARM_SHORT_MS), LINEWARD_TIMEOUT);
    ck_assert_ptr_nonnull(strstr(lineward_error(client), "it may have been done"));
    farm_set(other, false, false);
    ck_assert_int_eq(farm_hand_in(JOB("b", "1"), FARM_LONG_MS), LINEWARD_OK); /* behind whatever was sent before */
    ck_assert_int_eq(farm_requests(other), 2);
}
END_TEST

START_TEST(an_owner_that_refuses_the_request_is_heard)
{
    struct stub *home = farm_add('a'), *other = farm_add('b');
    const char *jobs[] = {JOB("a", "1"), JOB("b", "1")};
    farm_says(home, farm_endpoint(other));
    farm_set(other, false, true);
    farm_start();
    ck_assert_int_eq(farm_hand_in(JOB("b", "1"), FARM_LONG_MS), LINEWARD_REFUSED);
    ck_assert_str_eq(lineward_error(client), "{\"error\":{\"code\":\"busy\"}}");
    ck_assert_int_eq(lineward_enqueue(client, jobs, 2, FARM_LONG_MS), LINEWARD_TIMEOUT); /* not all of it was refused */
    farm_ck_by(0, 'a');
    ck_assert_ptr_null(lineward_result(client, 1));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        an_owner_that_is_not_there_is_said_and_nothing_was_sent,
        when_a_pool_has_moved_whoever_was_its_owner_is_given_up_for_the_new_one,
        a_remembered_owner_that_has_gone_is_asked_for_anew_within_the_same_call,
        a_home_that_is_silent_does_not_hold_up_what_another_broker_owns,
        with_nobody_to_ask_the_known_owner_stays_known,
        a_job_without_an_id_is_handed_to_its_owner_once_whatever_comes_of_it,
        an_owner_that_refuses_the_request_is_heard,
    };
    return farm_run_suite("client_away", tests, sizeof tests / sizeof *tests);
}
