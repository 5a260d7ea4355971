/* Messages leave in their order, none before the commit that it depends on. */
#include "broker/edge/outbox.h"


#include "tests/support/suite.h"

static struct outbox *outbox;

static void setup(void)
{
    outbox = outbox_new();
    ck_assert_ptr_nonnull(outbox);
}

static void teardown(void)
{
    outbox_free(&outbox);
}

static void add(uint64_t number)
{
    struct effect effect = {.kind = EFFECT_DONE, .number = number};
    ck_assert_int_eq(outbox_add(outbox, &effect), ERR_NONE);
}

static uint64_t next(uint64_t durable) /* 0: none may leave */
{
    struct effect effect;
    return outbox_take(outbox, durable, &effect) ? effect.number : 0;
}

START_TEST(nothing_leaves_before_it_is_bound_to_a_commit)
{
    add(1);
    ck_assert_uint_eq(next(UINT64_MAX), 0);
    outbox_bind(outbox, 7);
    ck_assert_uint_eq(next(7), 1);
    ck_assert_uint_eq(next(7), 0);
}
END_TEST

START_TEST(nothing_leaves_before_its_commit_is_durable_nor_before_what_came_first)
{
    add(1);
    outbox_bind(outbox, 2);
    add(2);
    outbox_bind(outbox, 2); /* nothing new to write: it depends on the last one */
    add(3);
    outbox_bind(outbox, 3);
    add(4);
    ck_assert_uint_eq(next(1), 0);
    ck_assert_uint_eq(next(2), 1);
    ck_assert_uint_eq(next(2), 2);
    ck_assert_uint_eq(next(2), 0);
    ck_assert_uint_eq(next(3), 3);
    ck_assert_uint_eq(next(UINT64_MAX), 0);
    ck_assert_uint_eq(outbox_count(outbox), 1);
}
END_TEST

/* covers: code store_full */
START_TEST(that_there_is_no_room_is_said_though_nothing_becomes_durable)
{
    struct effect full = {.kind = EFFECT_ENQUEUED, .code = CODE_STORE_FULL, .number = 2};
    struct effect refused = {.kind = EFFECT_ENQUEUED, .code = CODE_BUSY, .number = 4};
    add(1);
    outbox_bind(outbox, 9);
    ck_assert_int_eq(outbox_add(outbox, &full), ERR_NONE);
    full.number = 3;
    ck_assert_int_eq(outbox_add(outbox, &full), ERR_NONE);
    ck_assert_int_eq(outbox_add(outbox, &refused), ERR_NONE);
    outbox_bind(outbox, 9);
    ck_assert_uint_eq(outbox_count(outbox), 4);
    ck_assert_uint_eq(next(8), 2);
    ck_assert_uint_eq(next(8), 3);
    ck_assert_uint_eq(next(8), 0);
    ck_assert_uint_eq(next(9), 1);
    ck_assert_uint_eq(next(9), 4);
    ck_assert_uint_eq(outbox_count(outbox), 0);
}
END_TEST

START_TEST(it_grows_and_keeps_its_order_wherever_its_ring_stood)
{
    uint64_t in = 0;
    uint64_t out = 0;
    for (int i = 0; i < 700; i++) { /* moves the ring's beginning away from 0 */
        add(++in);
        outbox_bind(outbox, in);
        ck_assert_uint_eq(next(in), ++out);
    }
    for (int i = 0; i < 10000; i++) {
        add(++in);
        outbox_bind(outbox, in);
        if (i % 3 == 0)
            ck_assert_uint_eq(next(in), ++out);
    }
    ck_assert_uint_eq(outbox_count(outbox), in - out);
    while (out < in)
        ck_assert_uint_eq(next(in), ++out);
    ck_assert_uint_eq(next(in), 0);
}
END_TEST

START_TEST(what_closes_a_line_does_not_wait)
{
    ck_assert(!outbox_waits(EFFECT_REVOKE));
    ck_assert(!outbox_waits(EFFECT_UNKNOWN_WORKER));
    ck_assert(!outbox_waits(EFFECT_POLL));
    ck_assert(!outbox_waits(EFFECT_ALERT));
    ck_assert(outbox_waits(EFFECT_ENQUEUED));
    ck_assert(outbox_waits(EFFECT_CANCELLED));
    ck_assert(outbox_waits(EFFECT_JOB));
    ck_assert(outbox_waits(EFFECT_DONE));
    ck_assert(outbox_waits(EFFECT_READY));
    ck_assert(outbox_waits(EFFECT_ANSWER));
}
END_TEST

START_TEST(freeing_nothing_is_fine)
{
    struct outbox *none = NULL;
    outbox_free(&none);
    ck_assert_ptr_null(none);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("outbox");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, nothing_leaves_before_it_is_bound_to_a_commit);
    tcase_add_test(tcase, nothing_leaves_before_its_commit_is_durable_nor_before_what_came_first);
    tcase_add_test(tcase, that_there_is_no_room_is_said_though_nothing_becomes_durable);
    tcase_add_test(tcase, it_grows_and_keeps_its_order_wherever_its_ring_stood);
    tcase_add_test(tcase, what_closes_a_line_does_not_wait);
    tcase_add_test(tcase, freeing_nothing_is_fine);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
