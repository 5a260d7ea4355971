/* cache_suite.h — what the tests of the broker's end of the shared cache have in common: one broker's core, its end, and a
 * Redis that does as the test says, on one clock. */
#ifndef TESTS_UNIT_CACHE_SUITE_H
#define TESTS_UNIT_CACHE_SUITE_H

#include <stdio.h>
#include <string.h>

#include "broker/cache/cache_link.h"
#include "tests/unit/core_suite.h"
#include "tests/unit/fake_redis.h"

#define NUMBER RIG_LINE
#define OF_TWO UINT64_C(12025550177) /* the other account's line */
#define TWO_ACCOUNTS                                                                                                \
    "accounts:\n  one:\n    api_key_file: key\n  two:\n    api_key_file: key\n"                                      \
    "pools:\n  x: {account: one, lines: [\"+12025550100\"]}\n  y: {account: two, lines: [\"+12025550177\"]}\n"

static struct fake_redis fake;
static struct cache_link *link;
static struct conf *conf;
static unsigned polls[2]; /* asked for, by account */
static struct cache_link_options link_options; /* what a test adds to the usual ones */

static inline void keep(void *self, struct instant now, struct effects *out)
{
    (void)self;
    (void)now;
    (void)out;
    rig_keep(rig);
}

static inline void asks_poll(void *self, uint32_t account)
{
    (void)self;
    polls[account]++;
}

/* Both ends, until nothing is under way any more. */
static inline void turn(void)
{
    for (int i = 0; i < 16; i++) {
        cache_link_turn(link, rig->now, true, &rig->out);
        link_options.persist(NULL, rig->now, &rig->out);
        fake_redis_turn(&fake);
    }
}

static inline void pass(int64_t ms)
{
    rig->now.mono_ms += ms;
    rig->now.wall_ms += ms;
    fake.clock_ms += ms;
    turn();
}

static inline void reconnect(void)
{
    fake_redis_drop(&fake);
    turn();
    pass(5000);
    ck_assert(cache_link_is_up(link));
}

static inline void open_link(void)
{
    link_options.conf = conf;
    link_options.core = rig->core;
    link_options.poll = asks_poll;
    if (link_options.persist == NULL)
        link_options.persist = keep;
    link = cache_link_new(&link_options);
    turn();
    ck_assert(cache_link_is_up(link));
}

/* The configuration with this and the cache in it, and its text, until the next call. */
static inline const char *read_conf(const char *accounts)
{
    static char text[512];
    struct conf_problem problem;
    int bytes = snprintf(text, sizeof text, "%scache: {kind: redis, redis: \"redis+unix://%s\"}\n", accounts, fake.path);
    ck_assert_int_eq(conf_parse(&conf, text, (size_t)bytes, "t.yaml", "/tmp", NULL, 0, &problem), ERR_NONE);
    return text;
}

/* All but the link, which is opened later. */
static inline void begin_apart(const char *accounts)
{
    polls[0] = polls[1] = 0;
    fake_redis_open(&fake);
    begin_with(read_conf(accounts), 1);
}

static inline void begin_accounts(const char *accounts)
{
    begin_apart(accounts);
    open_link();
    rig_forget(rig);
}

static inline void begin(void)
{
    begin_accounts(ACCOUNT_CONF);
}

static inline void end(void)
{
    cache_link_free(&link);
    fake_redis_close(&fake);
    conf_free(&conf);
}

static inline struct cache_view view(void)
{
    struct cache_view out;
    cache_link_view(link, rig->now, &out);
    return out;
}

/* ---- facts and lines ---- */

static inline struct core_line_fact fact_of(uint64_t event)
{
    return (struct core_line_fact){.number = NUMBER,
                                   .event = event,
                                   .changed_at_ms = rig->now.wall_ms,
                                   .arrived_mono_ms = rig->now.mono_ms};
}

static inline void tell(const struct core_line_fact *fact)
{
    cache_link_told(link, 77, fact, rig->now, &rig->out);
    rig_keep(rig);
}

static inline void tell_word(enum reputation word, uint64_t event)
{
    struct core_line_fact fact = fact_of(event);
    fact.has_reputation = true;
    fact.reputation = word;
    tell(&fact);
}

static inline void tell_service(enum service service, uint64_t event)
{
    struct core_line_fact fact = fact_of(event);
    fact.has_service = true;
    fact.service = service;
    tell(&fact);
}

/* A webhook that says both at once. */
static inline void tell_both(enum reputation word, enum service service, uint64_t event)
{
    struct core_line_fact fact = fact_of(event);
    fact.has_reputation = fact.has_service = true;
    fact.reputation = word;
    fact.service = service;
    tell(&fact);
}

struct redis_line { /* as Redis has it */
    const char *word, *proven, *service;
    int64_t version, tightened, flagged_at, active_at, heard_at, loosen_event, poll_in, event_at;
};

static inline const char *line_json(struct redis_line line)
{
    static char text[2][1024];
    static int turn_of;
    char *out = text[turn_of ^= 1];
    snprintf(out, sizeof *text,
             "{\"number\":\"%llu\",\"version\":%lld,\"heard\":true,\"word\":\"%s\",\"previous\":\"UNKNOWN\",\"proven\":\"%s\","
             "\"source\":\"webhook\",\"service\":\"%s\",\"service_source\":\"webhook\",\"gone\":false,\"missed\":0,"
             "\"changed_at\":0,\"heard_at\":%lld,\"flagged_at\":%lld,\"active_at\":%lld,\"event_at\":%lld,\"event\":-1,"
             "\"tightened\":%lld,\"loosen_event\":%lld,\"agreed_begun\":-1,\"loosen_tries\":0,\"poll_in\":%lld}",
             (unsigned long long)NUMBER, (long long)line.version, line.word, line.proven,
             line.service == NULL ? "ACTIVE" : line.service, (long long)line.heard_at, (long long)line.flagged_at,
             (long long)line.active_at, (long long)line.event_at, line.tightened == 0 ? -1 : (long long)line.tightened,
             line.loosen_event == 0 ? -1 : (long long)line.loosen_event, (long long)line.poll_in);
    return out;
}

static inline const char *lines(struct redis_line line)
{
    static char text[1200];
    snprintf(text, sizeof text, "\"lines\":[%s]", line_json(line));
    return text;
}

static inline void news(struct redis_line line)
{
    fake_redis_publish(&fake, "default", lines(line));
    turn();
}

static inline int64_t number_of(const cJSON *fact, const char *name)
{
    const cJSON *number = cJSON_GetObjectItem(fact, name);
    ck_assert(cJSON_IsNumber(number));
    return (int64_t)number->valuedouble;
}

static inline bool closed(uint64_t number)
{
    size_t index;
    struct line_view line;
    return core_line_find(rig->core, number, &index) && core_line_view(rig->core, index, rig->now, &line) &&
           line.gate == GATE_CLOSED;
}

#endif
