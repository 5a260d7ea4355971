/* cache_take_test.c — what a broker takes over from the shared cache: of lines that come late, by another connection, by
 * other clocks, and of several accounts. */
#include "tests/unit/cache_suite.h"

START_TEST(an_older_value_that_comes_later_changes_nothing)
{
    begin();
    news((struct redis_line){"CRITICAL", "CRITICAL", .version = 9, .tightened = fake.clock_ms});
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
    news((struct redis_line){"HEALTHY", "HEALTHY", .version = 8, .tightened = fake.clock_ms});
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
    ck_assert_ptr_null(fake_redis_fact(&fake, "known", 0)); /* Redis has lost nothing */
    news((struct redis_line){"HEALTHY", "HEALTHY", .version = 10, .tightened = fake.clock_ms});
    ck_assert_int_ne(rig_line(rig, 0).gate, GATE_CLOSED);
    end();
}
END_TEST

/* A version that nothing could follow would keep the line as it is for ever. */
START_TEST(a_version_that_redis_does_not_count_to_is_not_taken)
{
    begin();
    news((struct redis_line){"CRITICAL", "CRITICAL", .version = INT64_C(1) << 48});
    ck_assert_int_ne(rig_line(rig, 0).gate, GATE_CLOSED);
    news((struct redis_line){"CRITICAL", "CRITICAL", .version = (INT64_C(1) << 48) - 1});
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
    end();
}
END_TEST

/* A failover has lost the newest writes, and counts from further back, on another machine's clock. */
START_TEST(after_another_connection_a_smaller_version_is_no_older_one)
{
    begin();
    int64_t tightened = fake.clock_ms;
    news((struct redis_line){"CRITICAL", "CRITICAL", .version = 9, .tightened = tightened});
    reconnect();
    news((struct redis_line){"HEALTHY", "HEALTHY", .version = 3, .tightened = tightened});
    ck_assert_int_ne(rig_line(rig, 0).gate, GATE_CLOSED);
    end();
}
END_TEST

START_TEST(what_redis_has_lost_is_told_again_and_what_it_has_loosened_is_not)
{
    begin();
    int64_t tightened = fake.clock_ms;
    news((struct redis_line){"CRITICAL", "CRITICAL", .version = 9, .tightened = tightened});
    fake.clock_ms += 3600000; /* Redis's clock is set forward: two clocks' difference is no proof of anything */
    pass(12000);
    news((struct redis_line){"HEALTHY", "HEALTHY", .version = 10, .tightened = tightened});
    ck_assert_ptr_null(fake_redis_fact(&fake, "known", 0));
    ck_assert_int_ne(rig_line(rig, 0).gate, GATE_CLOSED);
    news((struct redis_line){"CRITICAL", "CRITICAL", .version = 11, .tightened = fake.clock_ms});
    news((struct redis_line){"HEALTHY", "HEALTHY", .version = 12, .tightened = tightened});
    ck_assert_ptr_nonnull(fake_redis_fact(&fake, "known", 0));
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
    end();
}
END_TEST

/* This broker's clock is ten minutes ahead of Redis's. */
START_TEST(a_flag_is_compared_by_how_long_ago_it_was_and_not_by_two_clocks)
{
    begin();
    rig->now.wall_ms += 600000;
    fake.answer = "\"lines\":[]";
    tell_service(SERVICE_FLAGGED, 5);
    turn();
    pass(20000);
    fake_redis_forget(&fake);
    news((struct redis_line){"HEALTHY", "HEALTHY", "ACTIVE", .version = 9, .flagged_at = fake.clock_ms - 20000,
                             .active_at = fake.clock_ms});
    ck_assert_ptr_null(fake_redis_fact(&fake, "known", 0));
    ck_assert_int_eq(rig_line(rig, 0).service, SERVICE_ACTIVE);
    end();
}
END_TEST

START_TEST(a_line_was_heard_of_as_long_ago_here_as_there)
{
    begin();
    rig->now.wall_ms += 600000;
    pass(12000);
    news((struct redis_line){"HEALTHY", "HEALTHY", .version = 9, .heard_at = fake.clock_ms - 1000});
    ck_assert_int_le(rig_line(rig, 0).heard_at_ms, rig->now.wall_ms - 1000);
    ck_assert_int_ge(rig_line(rig, 0).heard_at_ms, rig->now.wall_ms - 1100);
    end();
}
END_TEST

/* ---- moments of a clock that was wrong ---- */

#define YEAR_MS INT64_C(31536000000)

/* Redis, or the broker that told it, was a year ahead when the last webhook came. */
START_TEST(a_webhook_closes_a_line_of_which_redis_has_a_moment_that_is_still_to_come)
{
    begin();
    news((struct redis_line){"HEALTHY", "HEALTHY", .version = 9, .event_at = rig->now.wall_ms + YEAR_MS});
    tell_word(REPUTATION_CRITICAL, 5);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
    end();
}
END_TEST

START_TEST(a_flag_of_a_moment_that_is_still_to_come_is_as_old_as_the_news_of_it)
{
    begin();
    int64_t ahead_ms = rig->now.wall_ms + YEAR_MS;
    struct redis_line line = {"HEALTHY", "HEALTHY", "FLAGGED", .version = 9, .flagged_at = ahead_ms};
    news(line);
    struct record_storage storage;
    struct change change;
    ck_assert(rig_last(rig, CHANGE_LINE, NUMBER, &storage, &change));
    ck_assert_int_eq(change.line->flagged_at_ms, rig->now.wall_ms);
    size_t records = rig_records(rig, CHANGE_LINE, NUMBER, 0);
    pass(1000);
    line.version++;
    news(line); /* the same again */
    ck_assert_uint_eq(rig_records(rig, CHANGE_LINE, NUMBER, 0), records);
    end();
}
END_TEST

/* ---- several accounts ---- */

/* The line of the other account is closed, and Redis hears of it where that account is. */
static void tell_two(void)
{
    struct core_line_fact fact = fact_of(5);
    fact.account = 1;
    fact.number = OF_TWO;
    fact.has_reputation = true;
    fact.reputation = REPUTATION_CRITICAL;
    tell(&fact);
    turn();
    const char *key = cJSON_GetStringValue(cJSON_GetObjectItem(fake_redis_fact(&fake, "told", 0), "key"));
    ck_assert_str_eq(key, "lineward:{two}:lines");
}

START_TEST(what_is_told_of_an_account_concerns_that_one_only)
{
    begin_accounts(TWO_ACCOUNTS);
    tell_two();
    ck_assert(closed(OF_TWO));
    ck_assert(!closed(NUMBER));
    fake_redis_publish(&fake, "one", lines((struct redis_line){"CRITICAL", "CRITICAL", .version = 9, .tightened = fake.clock_ms}));
    turn();
    ck_assert(closed(NUMBER));
    end();
}
END_TEST

/* Nine of ten turns are about jobs alone. */
START_TEST(a_turn_that_nothing_woke_reads_nothing_before_its_time)
{
    begin();
    fake_redis_publish(&fake, "default", lines((struct redis_line){"CRITICAL", "CRITICAL", .version = 9}));
    fake_redis_turn(&fake);
    ck_assert_int_gt(cache_link_next_mono_ms(link), rig->now.mono_ms);
    cache_link_turn(link, rig->now, false, &rig->out);
    ck_assert(!closed(NUMBER));
    cache_link_turn(link, rig->now, true, &rig->out);
    ck_assert(closed(NUMBER));
    end();
}
END_TEST

START_TEST(an_account_that_is_added_is_heard_of_over_a_new_connection)
{
    begin_accounts(TWO_ACCOUNTS);
    cache_link_free(&link);
    struct conf *both = conf;
    (void)read_conf("accounts: {one: {api_key_file: key}}\npools: {x: {account: one}}\n");
    open_link();
    fake_redis_publish(&fake, "two", lines((struct redis_line){"CRITICAL", "CRITICAL", .version = 9}));
    turn();
    ck_assert(!closed(NUMBER)); /* of that account this one has not been told to know */
    cache_link_follow(link, both);
    turn();
    pass(3000);
    ck_assert(cache_link_is_up(link));
    tell_two();
    cache_link_free(&link);
    conf_free(&both);
    open_link();
    end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        an_older_value_that_comes_later_changes_nothing,
        a_version_that_redis_does_not_count_to_is_not_taken,
        after_another_connection_a_smaller_version_is_no_older_one,
        what_redis_has_lost_is_told_again_and_what_it_has_loosened_is_not,
        a_flag_is_compared_by_how_long_ago_it_was_and_not_by_two_clocks,
        a_line_was_heard_of_as_long_ago_here_as_there,
        a_webhook_closes_a_line_of_which_redis_has_a_moment_that_is_still_to_come,
        a_flag_of_a_moment_that_is_still_to_come_is_as_old_as_the_news_of_it,
        what_is_told_of_an_account_concerns_that_one_only,
        a_turn_that_nothing_woke_reads_nothing_before_its_time,
        an_account_that_is_added_is_heard_of_over_a_new_connection,
    };
    return run_suite("cache_take", tests, sizeof tests / sizeof *tests);
}
