/* cache_link_test.c — the broker's end of the shared cache, with a Redis that does as the test says: what is told twice,
 * late, by halves, or not answered at all. */
#include <stdio.h>
#include <string.h>

#include "broker/cache/cache_link.h"
#include "broker/core/merge.h"
#include "tests/unit/core_suite.h"
#include "tests/unit/fake_redis.h"

#define NUMBER RIG_LINE
#define TWO_ACCOUNTS                                                                                                \
    "accounts:\n  one:\n    api_key_file: key\n  two:\n    api_key_file: key\n"                                      \
    "pools:\n  x: {account: one, lines: [\"+12025550100\"]}\n  y: {account: two, lines: [\"+12025550177\"]}\n"

static struct fake_redis fake;
static struct cache_link *link;
static struct conf *conf;
static unsigned polls[2]; /* asked for, by account */

static void persist(void *self, struct instant now, struct effects *out)
{
    (void)self;
    (void)now;
    (void)out;
    rig_keep(rig);
}

static void asks_poll(void *self, uint32_t account)
{
    (void)self;
    polls[account]++;
}

/* Both ends, until nothing is under way any more. */
static void turn(void)
{
    for (int i = 0; i < 12; i++) {
        cache_link_turn(link, rig->now, true, &rig->out);
        rig_keep(rig);
        fake_redis_turn(&fake);
    }
}

static void pass(int64_t ms)
{
    rig->now.mono_ms += ms;
    rig->now.wall_ms += ms;
    fake.clock_ms += ms;
    turn();
}

static void reconnect(void)
{
    fake_redis_drop(&fake);
    turn();
    pass(5000);
    ck_assert(cache_link_is_up(link));
}

static void open_link(void)
{
    const struct cache_link_options options = {
        .conf = conf, .core = rig->core, .persist = persist, .poll = asks_poll};
    link = cache_link_new(&options);
    turn();
    ck_assert(cache_link_is_up(link));
}

static void begin_accounts(const char *accounts)
{
    char text[512];
    struct conf_problem problem;
    polls[0] = polls[1] = 0;
    fake_redis_open(&fake);
    int bytes = snprintf(text, sizeof text, "%scache: {kind: redis, redis: \"redis+unix://%s\"}\n", accounts, fake.path);
    ck_assert_int_eq(conf_parse(&conf, text, (size_t)bytes, "t.yaml", "/tmp", NULL, 0, &problem), ERR_NONE);
    begin_with(text, 1);
    open_link();
    rig_forget(rig);
}

static void begin(void)
{
    begin_accounts(ACCOUNT_CONF);
}

static void end(void)
{
    cache_link_free(&link);
    fake_redis_close(&fake);
    conf_free(&conf);
}

/* ---- facts and lines ---- */

static struct core_line_fact fact_of(uint64_t event)
{
    return (struct core_line_fact){.number = NUMBER,
                                   .event = event,
                                   .changed_at_ms = rig->now.wall_ms,
                                   .arrived_mono_ms = rig->now.mono_ms};
}

static void tell(const struct core_line_fact *fact)
{
    cache_link_told(link, 77, fact, rig->now, &rig->out);
    rig_keep(rig);
}

static void tell_word(enum reputation word, uint64_t event)
{
    struct core_line_fact fact = fact_of(event);
    fact.has_reputation = true;
    fact.reputation = word;
    tell(&fact);
}

static void tell_service(enum service service, uint64_t event)
{
    struct core_line_fact fact = fact_of(event);
    fact.has_service = true;
    fact.service = service;
    tell(&fact);
}

struct redis_line { /* as Redis has it */
    const char *word, *proven, *service;
    int64_t version, tightened, flagged_at, active_at, heard_at, loosen_event, poll_in;
};

static const char *line_json(struct redis_line line)
{
    static char text[2][1024];
    static int turn_of;
    char *out = text[turn_of ^= 1];
    snprintf(out, sizeof *text,
             "{\"number\":\"%llu\",\"version\":%lld,\"heard\":true,\"word\":\"%s\",\"previous\":\"UNKNOWN\",\"proven\":\"%s\","
             "\"source\":\"webhook\",\"service\":\"%s\",\"service_source\":\"webhook\",\"gone\":false,\"missed\":0,"
             "\"changed_at\":0,\"heard_at\":%lld,\"flagged_at\":%lld,\"active_at\":%lld,\"event_at\":0,\"event\":-1,"
             "\"tightened\":%lld,\"loosen_event\":%lld,\"agreed_begun\":-1,\"loosen_tries\":0,\"poll_in\":%lld}",
             (unsigned long long)NUMBER, (long long)line.version, line.word, line.proven,
             line.service == NULL ? "ACTIVE" : line.service, (long long)line.heard_at, (long long)line.flagged_at,
             (long long)line.active_at, line.tightened == 0 ? -1 : (long long)line.tightened,
             line.loosen_event == 0 ? -1 : (long long)line.loosen_event, (long long)line.poll_in);
    return out;
}

static const char *lines(struct redis_line line)
{
    static char text[1200];
    snprintf(text, sizeof text, "\"lines\":[%s]", line_json(line));
    return text;
}

static void news(struct redis_line line)
{
    fake_redis_publish(&fake, "default", lines(line));
    turn();
}

static int64_t number_of(const cJSON *fact, const char *name)
{
    const cJSON *number = cJSON_GetObjectItem(fact, name);
    ck_assert(cJSON_IsNumber(number));
    return (int64_t)number->valuedouble;
}

static struct cache_view view(void)
{
    struct cache_view out;
    cache_link_view(link, rig->now, &out);
    return out;
}

START_TEST(what_is_seen_of_it_is_how_many_there_are_and_whether_it_is_away_and_why)
{
    begin();
    fake.hold = "\"refused\":false,\"brokers\":[]";
    pass(15000);
    ck_assert(view().up);
    ck_assert_uint_eq(view().brokers, 1);
    ck_assert(!view().versions_differ);
    fake.hold = "\"refused\":false,\"brokers\":[{\"version\":\"0.0.9\",\"rules\":\"other\"},{\"version\":7}]";
    pass(15000);
    ck_assert_uint_eq(view().brokers, 3);
    ck_assert(view().versions_differ);
    fake.hold = "\"refused\":false,\"brokers\":[]";
    pass(15000);
    ck_assert(!view().versions_differ);
    fake.mute = true;
    pass(15000);
    pass(5000); /* it is noticed */
    pass(5000);
    tell_word(REPUTATION_AT_RISK, 9);
    ck_assert(!view().up);
    ck_assert_int_ge(view().away_ms, 5000);
    ck_assert_ptr_nonnull(strstr(view().problem, "answer"));
    ck_assert_uint_eq(view().owed, 1);
    end();
}
END_TEST

START_TEST(a_connection_over_which_nothing_is_to_be_said_stays)
{
    begin();
    unsigned connections = fake.connections;
    for (int i = 0; i < 30; i++)
        pass(1000);
    ck_assert_uint_eq(fake.connections, connections);
    ck_assert(cache_link_is_up(link));
    end();
}
END_TEST

/* ---- errors ---- */

#define OOM      "-OOM command not allowed when used memory > 'maxmemory'. script: 0123456789, on @user_script:1.\r\n"
#define HALF_WAY "-ERR user_script:123: attempt to index a nil value script: 0123456789, on @user_script:123.\r\n"

START_TEST(a_redis_that_has_forgotten_the_script_gets_it_and_what_was_told_again)
{
    begin();
    unsigned connections = fake.connections;
    fake.no_script = true;
    tell_service(SERVICE_FLAGGED, 5);
    turn();
    ck_assert_uint_eq(rig_count(rig, EFFECT_ANSWER), 1); /* the journal has it */
    pass(1500);
    ck_assert_ptr_nonnull(fake_redis_fact(&fake, "told", 0));
    ck_assert_uint_eq(fake.connections, connections);
    end();
}
END_TEST

START_TEST(a_script_that_is_forgotten_while_it_is_tried_is_tried_again)
{
    begin();
    fake_redis_drop(&fake);
    turn();
    fake.forgets = 1;
    for (int i = 0; i < 5; i++)
        pass(1000);
    ck_assert(cache_link_is_up(link));
    end();
}
END_TEST

START_TEST(a_fact_that_the_script_fails_on_does_not_stop_the_others)
{
    begin();
    unsigned connections = fake.connections;
    fake.error = HALF_WAY;
    tell_service(SERVICE_FLAGGED, 5);
    turn();
    ck_assert(cache_link_is_up(link));
    fake.error = NULL;
    fake_redis_forget(&fake);
    pass(1500);
    ck_assert_ptr_nonnull(fake_redis_fact(&fake, "told", 0));
    ck_assert_uint_eq(fake.connections, connections);
    ck_assert_uint_eq(view().owed, 0);
    end();
}
END_TEST

START_TEST(a_redis_that_takes_nothing_is_away_until_it_does_and_says_what_would_help)
{
    begin();
    fake.error = OOM;
    tell_service(SERVICE_FLAGGED, 5);
    turn();
    for (int i = 0; i < 10; i++) {
        pass(1000);
        ck_assert(!cache_link_is_up(link));
        ck_assert_ptr_nonnull(strstr(view().problem, "raise maxmemory"));
    }
    fake_redis_forget(&fake);
    fake.error = NULL;
    pass(3000);
    pass(1000);
    ck_assert(cache_link_is_up(link));
    ck_assert_ptr_nonnull(fake_redis_fact(&fake, "told", 0));
    end();
}
END_TEST

START_TEST(all_lines_are_read_every_few_seconds_and_one_account_at_a_time)
{
    begin_accounts(TWO_ACCOUNTS);
    unsigned scans = fake.scans;
    pass(5000);
    ck_assert_uint_eq(fake.scans, scans + 2);
    fake.endless = true;
    for (int i = 0; i < 4; i++)
        pass(5000);
    ck_assert_uint_eq(fake.scans, scans + 3);
    fake.endless = false;
    pass(1);
    ck_assert_uint_eq(fake.scans, scans + 4); /* the other account's turn */
    end();
}
END_TEST

/* ---- what is told ---- */

START_TEST(what_redis_took_and_did_not_answer_is_told_again)
{
    begin();
    tell_service(SERVICE_ACTIVE, 5);
    fake.no_facts = true; /* it takes it, and the connection ends */
    turn();
    ck_assert_ptr_nonnull(fake_redis_fact(&fake, "told", 0));
    ck_assert_uint_eq(rig_count(rig, EFFECT_ANSWER), 1); /* the journal has it */
    for (int i = 0; i < 3; i++) { /* and again while it is told again */
        fake_redis_forget(&fake);
        pass(5000);
        ck_assert_ptr_nonnull(fake_redis_fact(&fake, "told", 0));
    }
    fake.no_facts = false;
    fake.answer = "\"lines\":[]";
    pass(5000);
    fake_redis_forget(&fake);
    reconnect();
    ck_assert_ptr_null(fake_redis_fact(&fake, "told", 0)); /* it was answered */
    end();
}
END_TEST

/* The provider repeats what it was not answered, or what it thinks so; by now the line is proven HEALTHY by polls. */
START_TEST(a_repeated_critical_closes_nothing_once_any_broker_has_heard_of_it)
{
    begin();
    char members[1400];
    int64_t critical_ms = fake.clock_ms;
    snprintf(members, sizeof members, "\"event\":\"5\",%s",
             lines((struct redis_line){"CRITICAL", "CRITICAL", .version = 5, .tightened = critical_ms}));
    fake_redis_publish(&fake, "default", members); /* another broker was told event 5 */
    turn();
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
    pass(60000);
    news((struct redis_line){"HEALTHY", "HEALTHY", .version = 6, .tightened = critical_ms});
    ck_assert_int_ne(rig_line(rig, 0).gate, GATE_CLOSED);
    fake.mute = true;
    tell_word(REPUTATION_CRITICAL, 5);
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

/* Its message was lost: here it is news, and Redis says that it is none. */
START_TEST(what_redis_knows_again_is_taken_back_and_not_told_as_something_that_it_lost)
{
    begin();
    char members[1400];
    snprintf(members, sizeof members, "\"again\":true,\"event\":\"5\",%s",
             lines((struct redis_line){"HEALTHY", "HEALTHY", .version = 6, .tightened = fake.clock_ms - 9000}));
    fake.answer = members;
    tell_word(REPUTATION_CRITICAL, 5);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
    turn();
    ck_assert_int_ne(rig_line(rig, 0).gate, GATE_CLOSED);
    ck_assert_ptr_null(fake_redis_fact(&fake, "known", 0));
    end();
}
END_TEST

START_TEST(of_a_webhook_that_makes_one_thing_worse_nothing_else_is_taken_before_redis_has_judged_it)
{
    begin();
    fake.answer = "\"lines\":[]";
    tell_word(REPUTATION_CRITICAL, 4);
    fake.mute = true;
    struct core_line_fact fact = fact_of(5);
    fact.has_reputation = fact.has_service = true;
    fact.reputation = REPUTATION_HEALTHY;
    fact.service = SERVICE_FLAGGED;
    tell(&fact);
    struct line_view view = rig_line(rig, 0);
    ck_assert_int_eq(view.service, SERVICE_FLAGGED);
    ck_assert_int_eq(view.status, REPUTATION_CRITICAL);
    ck_assert_uint_eq(rig_count(rig, EFFECT_POLL), 0);
    end();
}
END_TEST

START_TEST(a_webhook_that_closes_a_line_does_not_lift_its_flag_by_itself)
{
    begin();
    news((struct redis_line){"HEALTHY", "HEALTHY", "FLAGGED", .version = 5, .flagged_at = fake.clock_ms});
    fake.mute = true;
    struct core_line_fact fact = fact_of(5);
    fact.has_reputation = fact.has_service = true;
    fact.reputation = REPUTATION_CRITICAL;
    fact.service = SERVICE_ACTIVE;
    tell(&fact);
    ck_assert_int_eq(rig_line(rig, 0).service, SERVICE_FLAGGED);
    ck_assert_int_eq(rig_line(rig, 0).status, REPUTATION_CRITICAL);
    end();
}
END_TEST

/* ---- what is taken over ---- */

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
    struct core_line_fact fact = fact_of(5);
    fact.has_service = true;
    fact.service = SERVICE_FLAGGED;
    fake.answer = "\"lines\":[]";
    tell(&fact);
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

/* ---- away ---- */

static void go_away(void)
{
    fake_redis_drop(&fake);
    fake.mute = true;
    turn();
    ck_assert(!cache_link_is_up(link));
}

START_TEST(while_it_is_away_a_broker_polls_by_itself_after_a_while_that_is_not_every_brokers)
{
    int64_t first = INT64_MAX, last = 0;
    for (int broker = 0; broker < 8; broker++) {
        begin();
        fake.hold = "\"refused\":true";
        pass(15000);
        ck_assert(!cache_link_may_poll(link, 0, rig->now)); /* another one does */
        go_away();
        int64_t waits_ms = 0;
        for (; !cache_link_may_poll(link, 0, rig->now); waits_ms += 500) {
            rig->now.mono_ms += 500;
            ck_assert_int_le(waits_ms, 180000 * 5 / 4 + 500);
        }
        ck_assert_int_ge(waits_ms, 180000);
        first = waits_ms < first ? waits_ms : first;
        last = waits_ms > last ? waits_ms : last;
        end();
    }
    ck_assert_int_gt(last, first);
}
END_TEST

START_TEST(while_it_is_away_webhooks_close_at_once_and_open_only_when_a_poll_agrees)
{
    begin();
    go_away();
    tell_word(REPUTATION_CRITICAL, 5);
    ck_gate(0, GATE_CLOSED, REASON_LINE_CRITICAL);
    rig->now.mono_ms += 1000;
    rig->now.wall_ms += 1000;
    tell_word(REPUTATION_HEALTHY, 6);
    ck_gate(0, GATE_CLOSED, REASON_LINE_RECOVERING);
    ck_assert_uint_gt(rig_count(rig, EFFECT_POLL), 0);
    rig->now.mono_ms += 1000;
    rig->now.wall_ms += 1000;
    const struct core_poll poll = {.poll = 9, .begun_mono_ms = rig->now.mono_ms, .ok = true};
    const struct cache_polled polled = {.number = NUMBER, .reputation = REPUTATION_HEALTHY};
    ck_assert(!cache_link_polled(link, &poll, &polled, 1, rig->now)); /* it is merged here */
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    ck_assert_int_ne(rig_line(rig, 0).gate, GATE_CLOSED);
    fake.mute = false;
    fake.answer = "\"lines\":[]";
    pass(5000);
    pass(5000);
    ck_assert_int_eq(number_of(fake_redis_fact(&fake, "told", 0), "changed_at"), RIG_START_MS);
    ck_assert_ptr_nonnull(fake_redis_fact(&fake, "told", 1)); /* in their order */
    end();
}
END_TEST

/* ---- several accounts ---- */

#define OF_TWO UINT64_C(12025550177)

static bool closed(uint64_t number)
{
    size_t index;
    struct line_view line;
    return core_line_find(rig->core, number, &index) && core_line_view(rig->core, index, rig->now, &line) &&
           line.gate == GATE_CLOSED;
}

START_TEST(what_is_told_of_an_account_concerns_that_one_only)
{
    begin_accounts(TWO_ACCOUNTS);
    struct core_line_fact fact = fact_of(5);
    fact.account = 1;
    fact.number = OF_TWO;
    fact.has_reputation = true;
    fact.reputation = REPUTATION_CRITICAL;
    tell(&fact);
    turn();
    const char *key = cJSON_GetStringValue(cJSON_GetObjectItem(fake_redis_fact(&fake, "told", 0), "key"));
    ck_assert_str_eq(key, "lineward:{two}:lines");
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

START_TEST(an_account_that_is_added_is_heard_of_over_a_new_connection)
{
    char text[512];
    struct conf_problem problem;
    begin_accounts(TWO_ACCOUNTS);
    cache_link_free(&link);
    struct conf *both = conf;
    int bytes = snprintf(text, sizeof text,
                         "accounts: {one: {api_key_file: key}}\npools: {x: {account: one}}\n"
                         "cache: {kind: redis, redis: \"redis+unix://%s\"}\n",
                         fake.path);
    ck_assert_int_eq(conf_parse(&conf, text, (size_t)bytes, "t.yaml", "/tmp", NULL, 0, &problem), ERR_NONE);
    open_link();
    fake_redis_publish(&fake, "two", lines((struct redis_line){"CRITICAL", "CRITICAL", .version = 9}));
    turn();
    ck_assert(!closed(NUMBER)); /* of that account this one has not been told to know */
    cache_link_follow(link, both);
    turn();
    pass(3000);
    ck_assert(cache_link_is_up(link));
    struct core_line_fact fact = fact_of(5);
    fact.account = 1;
    fact.number = OF_TWO;
    fact.has_service = true;
    fact.service = SERVICE_FLAGGED;
    tell(&fact);
    turn();
    const char *key = cJSON_GetStringValue(cJSON_GetObjectItem(fake_redis_fact(&fake, "told", 0), "key"));
    ck_assert_str_eq(key, "lineward:{two}:lines");
    cache_link_free(&link);
    conf_free(&both);
    open_link();
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
    const TTest *const tests[] = {a_redis_that_has_forgotten_the_script_gets_it_and_what_was_told_again,
                                  a_script_that_is_forgotten_while_it_is_tried_is_tried_again,
                                  a_fact_that_the_script_fails_on_does_not_stop_the_others,
                                  a_redis_that_takes_nothing_is_away_until_it_does_and_says_what_would_help,
                                  all_lines_are_read_every_few_seconds_and_one_account_at_a_time,
                                  what_is_seen_of_it_is_how_many_there_are_and_whether_it_is_away_and_why,
                                  a_connection_over_which_nothing_is_to_be_said_stays,
                                  what_redis_took_and_did_not_answer_is_told_again,
                                  a_repeated_critical_closes_nothing_once_any_broker_has_heard_of_it,
                                  a_version_that_redis_does_not_count_to_is_not_taken,
                                  what_redis_knows_again_is_taken_back_and_not_told_as_something_that_it_lost,
                                  of_a_webhook_that_makes_one_thing_worse_nothing_else_is_taken_before_redis_has_judged_it,
                                  a_webhook_that_closes_a_line_does_not_lift_its_flag_by_itself,
                                  an_older_value_that_comes_later_changes_nothing,
                                  after_another_connection_a_smaller_version_is_no_older_one,
                                  what_redis_has_lost_is_told_again_and_what_it_has_loosened_is_not,
                                  a_flag_is_compared_by_how_long_ago_it_was_and_not_by_two_clocks,
                                  a_line_was_heard_of_as_long_ago_here_as_there,
                                  while_it_is_away_a_broker_polls_by_itself_after_a_while_that_is_not_every_brokers,
                                  while_it_is_away_webhooks_close_at_once_and_open_only_when_a_poll_agrees,
                                  what_is_told_of_an_account_concerns_that_one_only,
                                  a_turn_that_nothing_woke_reads_nothing_before_its_time,
        each_account_is_polled_by_the_broker_that_has_its_lease,
                                  an_account_that_is_added_is_heard_of_over_a_new_connection,
                                  a_poll_seems_begun_no_later_than_it_was_however_clocks_are_set,
                                  a_poll_that_is_to_prove_something_seems_begun_after_that,
                                  a_poll_begun_before_the_connection_proves_nothing,
                                  a_delayed_message_does_not_set_the_clock_back,
                                  a_list_and_what_it_does_not_have_go_in_parts};
    return run_suite("cache_link", tests, sizeof tests / sizeof *tests);
}
