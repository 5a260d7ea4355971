/* cache_poll_test.c — the lease to poll an account, and the lists of the one that has it. */
#include "tests/unit/cache_suite.h"

START_TEST(each_account_is_polled_by_the_broker_that_has_its_lease)
{
    begin_accounts(TWO_ACCOUNTS);
    fake.hold = "\"refused\":false";
    fake.held_by_others = "{two}";
    pass(15000);
    ck_assert(cache_link_may_poll(link, 0, rig->now));
    ck_assert(!cache_link_may_poll(link, 1, rig->now));
    ck_assert_uint_eq(polls[0], 1);
    ck_assert_uint_eq(polls[1], 0);
    fake.held_by_others = "{one}";
    pass(15000);
    ck_assert(!cache_link_may_poll(link, 0, rig->now));
    ck_assert(cache_link_may_poll(link, 1, rig->now));
    ck_assert_uint_eq(polls[1], 1);
    end();
}
END_TEST

/* ---- lists ---- */

static void list(int64_t begun_mono_ms, size_t count)
{
    static struct cache_polled polled[1000];
    const struct core_poll poll = {.poll = 1, .begun_mono_ms = begun_mono_ms, .ok = true};
    for (size_t i = 0; i < count; i++)
        polled[i] = (struct cache_polled){.number = 1 + i, .reputation = REPUTATION_HEALTHY};
    ck_assert(cache_link_polled(link, &poll, polled, count, rig->now));
    turn();
}

/* While it was under way Redis's clock was set forward: what happened before it began must not seem to. */
START_TEST(a_poll_seems_begun_no_later_than_it_was_however_clocks_are_set)
{
    begin();
    pass(12000);
    int64_t begun_mono = rig->now.mono_ms, begun_there = fake.clock_ms;
    fake.clock_ms += 60000;
    pass(12000);
    list(begun_mono, 1);
    ck_assert_int_le(number_of(fake_redis_fact(&fake, "polled", 0), "begun"), begun_there);
    end();
}
END_TEST

/* An answer was under way for long, so that what time it is there is known a little less well: the poll that is to prove
 * what a webhook said waits for just so long, and then proves it. */
START_TEST(a_poll_that_is_to_prove_something_seems_begun_after_that)
{
    begin();
    fake.hold = "\"refused\":false";
    pass(15000);
    rig->now.mono_ms += 12000;
    fake.clock_ms += 12000;
    cache_link_turn(link, rig->now, true, &rig->out); /* asks ... */
    cache_link_turn(link, rig->now, true, &rig->out); /* ... and sends it */
    fake_redis_turn(&fake);                     /* is answered */
    rig->now.mono_ms += 200;
    fake.clock_ms += 200;
    turn();
    pass(12000);
    polls[0] = 0;
    int64_t said = fake.clock_ms;
    news((struct redis_line){"HEALTHY", "CRITICAL", .version = 9, .tightened = said - 9000, .loosen_event = said, .poll_in = -1});
    pass(199);
    ck_assert_uint_eq(polls[0], 0);
    pass(2);
    ck_assert_uint_eq(polls[0], 1);
    list(rig->now.mono_ms, 1);
    ck_assert_int_gt(number_of(fake_redis_fact(&fake, "polled", 0), "begun"), said);
    fake.clock_ms += 3600000; /* set forward: nobody waits for an hour */
    pass(12000);
    said = fake.clock_ms;
    news((struct redis_line){"HEALTHY", "CRITICAL", .version = 10, .tightened = said - 9000, .loosen_event = said, .poll_in = -1});
    pass(1001);
    ck_assert_uint_eq(polls[0], 2);
    end();
}
END_TEST

START_TEST(a_poll_begun_before_the_connection_proves_nothing)
{
    begin();
    int64_t begun = rig->now.mono_ms;
    reconnect();
    list(begun, 1);
    ck_assert_ptr_null(fake_redis_fact(&fake, "polled", 0));
    list(rig->now.mono_ms, 1);
    ck_assert_ptr_nonnull(fake_redis_fact(&fake, "polled", 0));
    end();
}
END_TEST

START_TEST(a_delayed_message_does_not_set_the_clock_back)
{
    begin();
    int64_t now = fake.clock_ms;
    fake.clock_ms -= 30000; /* it was under way for half a minute */
    news((struct redis_line){"HEALTHY", "HEALTHY", .version = 9});
    fake.clock_ms = now;
    list(rig->now.mono_ms, 1);
    ck_assert_int_ge(number_of(fake_redis_fact(&fake, "polled", 0), "begun"), now - 100);
    end();
}
END_TEST

START_TEST(a_list_and_what_it_does_not_have_go_in_parts)
{
    begin();
    for (uint32_t i = 0; i < 900; i += 30)
        rig_poll_all(rig, i + 30, REPUTATION_HEALTHY);
    size_t known = core_line_count(rig->core);
    ck_assert_uint_gt(known, 450);
    list(rig->now.mono_ms, 450);
    size_t listed = 0, missed = 0;
    const cJSON *part;
    for (size_t n = 0; (part = fake_redis_fact(&fake, "polled", n)) != NULL; n++) {
        int said = cJSON_GetArraySize(cJSON_GetObjectItem(part, "lines"));
        int not_said = cJSON_GetArraySize(cJSON_GetObjectItem(part, "missed"));
        ck_assert_int_le(said + not_said, 200);
        listed += (size_t)said;
        missed += (size_t)not_said;
    }
    ck_assert_uint_eq(listed, 450);
    ck_assert_uint_eq(missed, known);
    end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        each_account_is_polled_by_the_broker_that_has_its_lease,
        a_poll_seems_begun_no_later_than_it_was_however_clocks_are_set,
        a_poll_that_is_to_prove_something_seems_begun_after_that,
        a_poll_begun_before_the_connection_proves_nothing,
        a_delayed_message_does_not_set_the_clock_back,
        a_list_and_what_it_does_not_have_go_in_parts,
    };
    return run_suite("cache_poll", tests, sizeof tests / sizeof *tests);
}
