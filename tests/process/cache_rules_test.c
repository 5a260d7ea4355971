/* cache_rules_test.c — one set of rules, two bodies: whatever a line is told, merge.c and the script in Redis make the
 * same of it (DESIGN traps 7 and 11). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cache/cache_line.h"
#include "broker/core/random.h"
#include "lineward/json.h"
#include "redis.h"

#define NUMBER      UINT64_C(12025550101)
#define NUMBER_TEXT "12025550101"
#define START_MS    INT64_C(1795428000000)
#define INTERVAL_MS 30000
#define SEEDS       60
#define FACTS       200

static struct redis redis;
static redisContext *context;

struct pair { /* the line, as each of the two has it */
    struct change_line known;
    struct moments moments;
    struct cache_line line;
};

/* ---- the script ---- */

/* The caller's; an error, too. */
static redisReply *eval(const char *fact, size_t bytes)
{
    return redisCommand(context,
                        "EVAL %s 7 {a}lines {a}meta {a}events {a}poller {a}people {a}changed {a}ended %b news",
                        cache_script, fact, bytes);
}

static void state(const struct json_out *fact, struct pair *pair)
{
    redisReply *reply = eval(fact->text, fact->bytes);
    MUST(reply != NULL && reply->type == REDIS_REPLY_STRING, "the script says: %s",
         reply == NULL ? context->errstr : reply->str);
    cJSON *answer = json_parse(reply->str, reply->len, NULL);
    const cJSON *lines = json_get(answer, "lines");
    MUST(cJSON_GetArraySize(lines) == 1, "the script answers: %s", reply->str);
    MUST(cache_line_read(lines->child, &pair->line), "no line: %s", reply->str);
    cJSON_Delete(answer);
    freeReplyObject(reply);
}

static void put_word(struct json_out *out, const char *name, const char *word)
{
    json_key(out, name);
    json_put_string(out, word);
}

static void put_number(struct json_out *out, const char *name, int64_t number)
{
    json_key(out, name);
    json_put_int(out, number);
}

static struct merged tell(struct pair *pair, const struct core_line_fact *fact, struct instant now)
{
    struct json_out out = {0};
    json_open(&out, '{');
    put_word(&out, "what", "told");
    put_word(&out, "number", NUMBER_TEXT);
    put_number(&out, "now", now.mono_ms);
    put_number(&out, "changed_at", fact->changed_at_ms);
    if (fact->has_reputation)
        put_word(&out, "reputation", reputation_name(fact->reputation));
    if (fact->has_service)
        put_word(&out, "service", service_name(fact->service));
    json_close(&out, '}');
    state(&out, pair);
    json_out_free(&out);
    return merge_told(&pair->known, &pair->moments, fact, now);
}

static void open_poll(struct json_out *out, struct instant now)
{
    json_open(out, '{');
    put_word(out, "what", "polled");
    put_word(out, "nonce", "n");
    put_number(out, "now", now.mono_ms);
}

static struct merged poll(struct pair *pair, const struct core_line_fact *fact, struct instant now)
{
    struct json_out out = {0};
    open_poll(&out, now);
    put_number(&out, "begun", fact->begun_mono_ms);
    put_number(&out, "interval", INTERVAL_MS);
    json_key(&out, "cached");
    json_put_bool(&out, fact->cached);
    json_key(&out, "lines");
    json_open(&out, '[');
    json_open(&out, '[');
    json_put_string(&out, NUMBER_TEXT);
    json_put_string(&out, reputation_name(fact->reputation));
    json_put_string(&out, service_name(fact->has_service ? fact->service : SERVICE_UNKNOWN));
    json_close(&out, ']');
    json_close(&out, ']');
    json_key(&out, "missed");
    json_open(&out, '[');
    json_close(&out, ']');
    json_close(&out, '}');
    state(&out, pair);
    json_out_free(&out);
    return merge_polled(&pair->known, &pair->moments, fact, INTERVAL_MS, now);
}

static void miss(struct pair *pair, struct instant now)
{
    struct json_out out = {0};
    open_poll(&out, now);
    json_key(&out, "lines");
    json_open(&out, '[');
    json_close(&out, ']');
    json_key(&out, "missed");
    json_open(&out, '[');
    json_put_string(&out, NUMBER_TEXT);
    json_close(&out, ']');
    json_close(&out, '}');
    state(&out, pair);
    json_out_free(&out);
    merge_missed(&pair->known, &pair->moments);
}

/* ---- held against each other ---- */

#define SAME(member)                                                                                                 \
    MUST(pair->known.member == pair->line.known.member, "seed %llu, fact %d: " #member " is %lld here, %lld in Redis",  \
         (unsigned long long)seed, at, (long long)pair->known.member, (long long)pair->line.known.member)
#define SAME_MOMENT(member)                                                                                          \
    MUST(pair->moments.member == pair->line.moments.member,                                                          \
         "seed %llu, fact %d: " #member " is %lld here, %lld in Redis", (unsigned long long)seed, at,                     \
         (long long)pair->moments.member, (long long)pair->line.moments.member)

static void compare(const struct pair *pair, uint64_t seed, int at)
{
    SAME(heard);
    SAME(word);
    SAME(previous);
    SAME(proven);
    SAME(source);
    SAME(service);
    SAME(service_source);
    SAME(gone);
    SAME(missed_polls);
    SAME(changed_at_ms);
    SAME(heard_at_ms);
    SAME(flagged_at_ms);
    SAME(event_at_ms);
    MUST(pair->known.service != SERVICE_FLAGGED || pair->moments.flagged == pair->line.known.flagged_at_ms,
         "seed %llu, fact %d: flagged at %lld here, at %lld in Redis", (unsigned long long)seed, at,
         (long long)pair->moments.flagged, (long long)pair->line.known.flagged_at_ms);
    SAME_MOMENT(event);
    SAME_MOMENT(tightened);
    SAME_MOMENT(loosen_event);
    SAME_MOMENT(agreed_begun);
    SAME_MOMENT(loosen_tries);
}

static void begin_seed(struct pair *pair)
{
    freeReplyObject(redisCommand(context, "DEL {a}lines {a}meta {a}events"));
    freeReplyObject(redisCommand(context, "SET {a}poller n"));
    *pair = (struct pair){.known = {.number = NUMBER}};
    moments_begin(&pair->moments);
}

/* Polls of which some begin before what was told, in its very moment, or are cached; events late, twice, of one moment. */
static void play(uint64_t seed)
{
    static const enum reputation words[] = {REPUTATION_HEALTHY, REPUTATION_HEALTHY, REPUTATION_HEALTHY,
                                            REPUTATION_AT_RISK, REPUTATION_UNKNOWN, REPUTATION_CRITICAL};
    static const enum service services[] = {SERVICE_UNKNOWN, SERVICE_ACTIVE, SERVICE_FLAGGED};
    uint64_t random = seed;
    int64_t now_ms = START_MS;
    struct pair pair;
    begin_seed(&pair);
    for (int at = 0; at < FACTS; at++) {
        now_ms += (int64_t)(random_next(&random) % 3) * (int64_t)(random_next(&random) % 20000);
        const struct instant now = {.wall_ms = now_ms, .mono_ms = now_ms};
        struct core_line_fact fact = {.number = NUMBER,
                                      .reputation = words[random_next(&random) % 6],
                                      .service = services[random_next(&random) % 3],
                                      .arrived_mono_ms = now_ms};
        unsigned what = (unsigned)(random_next(&random) % 10);
        struct merged merged = {0};
        if (what < 4) {
            fact.has_reputation = random_next(&random) % 4 != 0;
            fact.has_service = random_next(&random) % 3 == 0;
            int64_t ago_ms = ((int64_t)(random_next(&random) % 4) - 1) * 20000; /* or to come: clocks differ */
            fact.changed_at_ms = random_next(&random) % 8 == 0 ? 0 : now_ms - ago_ms;
            merged = tell(&pair, &fact, now);
        } else if (what < 9) {
            fact.has_service = fact.service != SERVICE_UNKNOWN;
            fact.cached = random_next(&random) % 8 == 0;
            fact.begun_mono_ms = now_ms - (int64_t)(random_next(&random) % 2) * (int64_t)(random_next(&random) % 15000);
            merged = poll(&pair, &fact, now);
        } else {
            miss(&pair, now);
        }
        compare(&pair, seed, at);
        int64_t poll_in_ms = merged.asks_poll ? -1 : merged.asks_poll_in_ms;
        MUST(pair.line.poll_in_ms == poll_in_ms, "seed %llu, fact %d: a poll in %lld ms here, in %lld ms in Redis",
             (unsigned long long)seed, at, (long long)poll_in_ms, (long long)pair.line.poll_in_ms);
    }
}

START_TEST(the_script_and_merge_make_the_same_of_any_facts)
{
    redis_start(&redis);
    context = redis_connect(&redis);
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        play(seed);
    redisFree(context);
    redis_end(&redis);
}
END_TEST

/* What failed half way (no room, say) is told again: it must not be known by then. */
START_TEST(an_event_that_was_not_taken_is_not_known)
{
    static const char fact[] = "{\"what\":\"told\",\"number\":\"" NUMBER_TEXT "\",\"event\":\"5\",\"changed_at\":0,"
                               "\"reputation\":\"CRITICAL\"}";
    redis_start(&redis);
    context = redis_connect(&redis);
    freeReplyObject(redisCommand(context, "SET {a}lines x")); /* writing the line fails */
    redisReply *failed = eval(fact, sizeof fact - 1);
    MUST(failed->type == REDIS_REPLY_ERROR, "it did not fail");
    freeReplyObject(failed);
    freeReplyObject(redisCommand(context, "DEL {a}lines"));
    for (int again = 0; again < 2; again++) {
        redisReply *reply = eval(fact, sizeof fact - 1);
        MUST(reply->type == REDIS_REPLY_STRING, "the script says: %s", reply->str);
        MUST(strstr(reply->str, "\"proven\":\"CRITICAL\"") != NULL, "it is lost: %s", reply->str);
        MUST(strstr(reply->str, again ? "\"again\":true" : "\"again\":false") != NULL, "known: %s", reply->str);
        freeReplyObject(reply);
    }
    redisFree(context);
    redis_end(&redis);
}
END_TEST

#define DAY_MS INT64_C(86400000)

/* What the script answers to a fact that is written; the caller's. */
static cJSON *run_script(const char *fact)
{
    redisReply *reply = eval(fact, strlen(fact));
    MUST(reply != NULL && reply->type == REDIS_REPLY_STRING, "the script says: %s",
         reply == NULL ? context->errstr : reply->str);
    cJSON *answer = json_parse(reply->str, reply->len, NULL);
    freeReplyObject(reply);
    return answer;
}

/* ---- moments of a clock that was wrong ---- */

#define YEAR_MS INT64_C(31536000000)

/* A status webhook, told at a time of day while Redis's clock is so much ahead of it; changed_at 0: it bears none. */
static bool closes(int64_t wall_ms, int64_t ahead_ms, int64_t changed_at_ms, const char *word)
{
    char fact[256];
    snprintf(fact, sizeof fact,
             "{\"what\":\"told\",\"number\":\"" NUMBER_TEXT "\",\"wall\":%lld,\"now\":%lld,\"changed_at\":%lld,"
             "\"reputation\":\"%s\"}",
             (long long)wall_ms, (long long)(wall_ms + ahead_ms), (long long)changed_at_ms, word);
    cJSON *answer = run_script(fact);
    bool closed = strcmp(json_string(json_get(answer, "lines")->child, "proven"), "CRITICAL") == 0;
    cJSON_Delete(answer);
    return closed;
}

START_TEST(a_webhook_is_overtaken_by_no_moment_that_is_still_to_come)
{
    redis_start(&redis);
    context = redis_connect(&redis);
    MUST(!closes(START_MS, YEAR_MS, 0, "HEALTHY"), "closed by HEALTHY"); /* Redis is a year ahead */
    MUST(closes(START_MS + 1000, 0, START_MS + 1000, "CRITICAL"), "overtaken by Redis's clock as it was then");
    freeReplyObject(redisCommand(context, "DEL {a}lines"));
    MUST(!closes(START_MS + YEAR_MS, 0, START_MS + YEAR_MS, "HEALTHY"), "closed by HEALTHY"); /* a broker is */
    MUST(!closes(START_MS + YEAR_MS, 0, START_MS + YEAR_MS - 1, "CRITICAL"), "an older event counts");
    MUST(closes(START_MS + 2000, 0, START_MS + 2000, "CRITICAL"), "overtaken by that broker's clock as it was then");
    redisFree(context);
    redis_end(&redis);
}
END_TEST

/* What the shared clock says to a broker that asks whether it may poll, and then may. */
static int64_t clock_at(int64_t now_ms)
{
    char fact[160];
    int64_t clock_ms = 0;
    snprintf(fact, sizeof fact,
             "{\"what\":\"hold\",\"nonce\":\"n\",\"ms\":600000,\"version\":\"1\",\"rules\":\"r\",\"now\":%lld}",
             (long long)now_ms);
    cJSON *answer = run_script(fact);
    MUST(json_int(answer, "clock", &clock_ms), "no clock");
    cJSON_Delete(answer);
    return clock_ms;
}

/* A list that has it, begun when the shared clock said that. */
static bool poll_closes(int64_t now_ms, int64_t begun_ms, const char *word)
{
    char fact[256];
    snprintf(fact, sizeof fact,
             "{\"what\":\"polled\",\"nonce\":\"n\",\"now\":%lld,\"begun\":%lld,\"interval\":1000,\"cached\":false,"
             "\"lines\":[[\"" NUMBER_TEXT "\",\"%s\",\"UNKNOWN\"]],\"missed\":[]}",
             (long long)now_ms, (long long)begun_ms, word);
    cJSON *answer = run_script(fact);
    bool closed = strcmp(json_string(json_get(answer, "lines")->child, "proven"), "CRITICAL") == 0;
    cJSON_Delete(answer);
    return closed;
}

START_TEST(a_clock_that_was_set_back_goes_on)
{
    redis_start(&redis);
    context = redis_connect(&redis);
    MUST(closes(START_MS, DAY_MS, START_MS, "CRITICAL"), "not closed"); /* Redis is a day ahead, and then is not */
    MUST(closes(START_MS + 1000, 0, START_MS + 1000, "HEALTHY"), "opened without a poll");
    int64_t begun_ms = clock_at(START_MS + 6000);
    MUST(clock_at(START_MS + 7000) == begun_ms + 1000, "it stands still");
    MUST(!poll_closes(START_MS + 8000, begun_ms, "HEALTHY"), "a list that was begun after it opens nothing");
    MUST(!closes(START_MS + 9000, 0, START_MS + 9000, "HEALTHY"), "closed by HEALTHY");
    MUST(poll_closes(START_MS + 11000, clock_at(START_MS + 10000), "CRITICAL"), "a list says CRITICAL in vain");
    redisFree(context);
    redis_end(&redis);
}
END_TEST

/* What the answer to a broker that asks whether it may poll has of the others. */
static int others(const char *nonce, int64_t now_ms)
{
    char fact[256];
    snprintf(fact, sizeof fact,
             "{\"what\":\"hold\",\"nonce\":\"%s\",\"ms\":1000,\"version\":\"1\",\"rules\":\"%s\",\"now\":%lld}", nonce, nonce,
             (long long)now_ms);
    cJSON *answer = run_script(fact);
    int count = cJSON_GetArraySize(json_get(answer, "brokers"));
    cJSON_Delete(answer);
    return count;
}

START_TEST(brokers_hear_of_each_other_and_of_none_that_is_gone)
{
    redis_start(&redis);
    context = redis_connect(&redis);
    MUST(others("one", 1000000) == 0 && others("two", 1000000) == 1 && others("one", 1001000) == 1, "not heard of");
    MUST(others("one", 1119000) == 1, "forgotten too early");
    MUST(others("one", 1121000) == 0, "one that is gone is still there");
    redisFree(context);
    redis_end(&redis);
}
END_TEST

/* ---- who owns which pool ---- */

/* A broker says what it owns ("" for an address: it only asks). Where is pool p then? "" if nowhere. */
static const char *where_is_p(int64_t now_ms, const char *nonce, const char *address, const char *pools)
{
    static char found[64];
    char fact[512], place[96] = "";
    if (*address != '\0')
        snprintf(place, sizeof place, "\"address\":\"%s\",", address);
    snprintf(fact, sizeof fact, "{\"what\":\"own\",\"nonce\":\"%s\",\"ms\":15000,%s\"pools\":[%s],\"now\":%lld}", nonce,
             place, pools, (long long)now_ms);
    cJSON *answer = run_script(fact);
    const cJSON *owner, *pool;
    double till = 0;
    found[0] = '\0';
    cJSON_ArrayForEach(owner, json_get(answer, "owners"))
    {
        cJSON_ArrayForEach(pool, json_get(owner, "pools"))
        {
            if (strcmp(pool->valuestring, "p") != 0 || json_get(owner, "till")->valuedouble < till)
                continue;
            till = json_get(owner, "till")->valuedouble;
            snprintf(found, sizeof found, "%s", json_string(owner, "address"));
        }
    }
    cJSON_Delete(answer);
    return found;
}

#define IS_AT(address, ...) MUST(strcmp(where_is_p(__VA_ARGS__), address) == 0, "it is not at \"" address "\"")

START_TEST(a_dead_brokers_pools_are_where_it_was_until_another_says_that_they_are_its_own)
{
    redis_start(&redis);
    context = redis_connect(&redis);
    IS_AT("a", 1000000, "one", "a", "\"p\",\"q\"");
    IS_AT("a", 1020000, "asks", "", ""); /* lapsed five seconds ago */
    IS_AT("a", 1021000, "two", "b", "\"r\"");
    IS_AT("a", 1022000, "asks", "", "\"p\""); /* without an address it is of no use to anybody */
    IS_AT("c", 1023000, "three", "c", "\"p\"");
    IS_AT("", 1024000, "four", "c", "\"s\""); /* at the same address, and p is not its own any more */
    IS_AT("a", 1025000, "one", "a", "\"p\"");
    IS_AT("", 1025000 + 15000 + DAY_MS, "asks", "", "");
    redisReply *reply = redisCommand(context, "HSET {a}meta owners %s", "{\"x\":5,\"y\":{\"till\":1e15}}");
    freeReplyObject(reply);
    IS_AT("a", 1025000 + 16000 + DAY_MS, "one", "a", "\"p\"");
    reply = redisCommand(context, "HSET {a}meta owners nonsense");
    freeReplyObject(reply);
    IS_AT("a", 1025000 + 17000 + DAY_MS, "one", "a", "\"p\"");
    redisFree(context);
    redis_end(&redis);
}
END_TEST

/* ---- who must not be sent to ---- */

/* What the script answers to a fact about people; the caller's. */
static cJSON *people(int64_t now_ms, const char *members)
{
    char fact[1024];
    snprintf(fact, sizeof fact, "{\"what\":\"people\",\"now\":%lld,%s}", (long long)now_ms, members);
    return run_script(fact);
}

/* What brokers say of recipient `a`: that a cause holds since then; that an operator ended, then, what was known until
 * then; that they wrote. */
#define TOLD(cause, since) "\"told\":[{\"id\":\"a\",\"cause\":\"" cause "\",\"since\":" #since ",\"sealed\":\"s\"}]"
#define ENDED(known, told) "\"ended\":[{\"id\":\"a\",\"over\":{" known "},\"told\":" #told "}]"
#define WROTE(at)          "\"ended\":[{\"id\":\"a\",\"cause\":\"opted_out\",\"wrote\":" #at "}]"

static void state_people(int64_t now_ms, const char *members)
{
    cJSON_Delete(people(now_ms, members));
}

/* Since when that cause holds of recipient `id`; 0: it does not. */
static int64_t since(int64_t now_ms, const char *id, const char *cause)
{
    cJSON *answer = people(now_ms, "\"after\":0,\"limit\":100");
    const cJSON *person;
    int64_t found = 0;
    cJSON_ArrayForEach(person, json_get(answer, "read"))
    {
        if (strcmp(json_string(person, "id"), id) == 0)
            (void)json_int(person, cause, &found);
    }
    cJSON_Delete(answer);
    return found;
}

static void begin_people(void)
{
    redis_start(&redis);
    context = redis_connect(&redis);
}

static void end_people(void)
{
    redisFree(context);
    redis_end(&redis);
}

START_TEST(what_an_operator_has_ended_does_not_come_back_from_a_broker_that_has_not_heard_of_it)
{
    begin_people();
    state_people(5000, TOLD("operator", 900));
    MUST(since(5000, "a", "operator") == 900, "not taken");
    state_people(6000, ENDED("\"operator\":900", 6000));
    state_people(7000, "\"known\":[{\"id\":\"a\",\"since\":900,\"operator\":900,\"sealed\":\"s\"}]");
    MUST(since(7000, "a", "operator") == 0, "it came back");
    state_people(7000, "\"known\":[{\"id\":\"a\",\"since\":901,\"operator\":901,\"blocked\":0,\"sealed\":\"s\"}]");
    MUST(since(7000, "a", "operator") == 901 && since(7000, "a", "blocked") == 901, "what was said since is lost");
    state_people(8000, ENDED("\"operator\":900", 6500));
    MUST(since(8000, "a", "operator") == 901, "an older word than theirs has ended it");
    end_people();
}
END_TEST

#define AHEAD "\"wall\":9000000,"
#define RIGHT "\"wall\":7000,"

/* A broker whose clock was ahead has told of a message, of a STOP, of an operator's word. */
START_TEST(moments_that_are_still_to_come_neither_end_a_stop_nor_keep_it)
{
    begin_people();
    state_people(5000, AHEAD WROTE(9000000));
    state_people(7000, RIGHT TOLD("opted_out", 7000));
    MUST(since(7000, "a", "opted_out") == 7000, "a STOP is taken for one that was lifted since");
    state_people(7000, AHEAD TOLD("opted_out", 9000000));
    state_people(7100, RIGHT WROTE(7100));
    MUST(since(7100, "a", "opted_out") == 0, "nothing that they write lifts it");
    state_people(7200, AHEAD TOLD("operator", 9000000));
    state_people(7300, RIGHT ENDED("\"operator\":7300", 7300));
    MUST(since(7300, "a", "operator") == 0, "no operator can end it");
    end_people();
}
END_TEST

/* The operator spoke to one broker at 6000, and Redis hears of it at 7000; another was told of a STOP in between, or before
 * by a clock that is behind. */
START_TEST(an_operator_ends_what_was_known_then_and_not_a_stop_of_a_moment_later)
{
    begin_people();
    state_people(5000, TOLD("operator", 900));
    state_people(6000, TOLD("opted_out", 950));
    state_people(7000, ENDED("\"operator\":900", 6000));
    MUST(since(7000, "a", "operator") == 0, "not ended");
    MUST(since(7000, "a", "opted_out") == 950, "a STOP that the operator did not know of is ended");
    state_people(7000, ENDED("\"opted_out\":949", 7000));
    MUST(since(7000, "a", "opted_out") == 950, "a newer STOP than the one that was known is ended");
    state_people(7000, TOLD("operator", 960));
    state_people(7000, TOLD("operator", 970));
    state_people(7000, ENDED("\"operator\":960", 7000));
    MUST(since(7000, "a", "operator") == 970, "what a second operator said later is ended with the first one's word");
    end_people();
}
END_TEST

/* Since when somebody is blocked who is also suppressed by hand, a broker does not know. */
START_TEST(what_held_since_an_unknown_moment_is_ended_if_it_was_told_before)
{
    begin_people();
    state_people(5000, TOLD("blocked", 900));
    state_people(5000, ENDED("\"blocked\":0,\"operator\":950", 4999));
    MUST(since(5000, "a", "blocked") == 900, "told later, and ended");
    state_people(5000, ENDED("\"blocked\":0,\"operator\":950", 5000));
    MUST(since(5000, "a", "blocked") == 0, "not ended");
    state_people(7000, "\"known\":[{\"id\":\"a\",\"since\":950,\"operator\":950,\"blocked\":0,\"sealed\":\"s\"}]");
    MUST(since(7000, "a", "operator") == 0, "what was ended before it was told holds");
    end_people();
}
END_TEST

START_TEST(the_later_of_their_words_counts_whichever_comes_first)
{
    begin_people();
    state_people(5000, TOLD("opted_out", 900));
    state_people(5000, WROTE(899));
    MUST(since(5000, "a", "opted_out") == 900, "an older message lifts it");
    state_people(5000, WROTE(950));
    MUST(since(5000, "a", "opted_out") == 0, "a newer message does not lift it");
    state_people(5000, TOLD("opted_out", 940));
    MUST(since(5000, "a", "opted_out") == 0, "a keyword of before that message comes late and counts");
    state_people(5000, TOLD("opted_out", 960));
    MUST(since(5000, "a", "opted_out") == 960, "a keyword after it does not count");
    state_people(5000, WROTE(960));
    state_people(5000, "\"known\":[{\"id\":\"a\",\"since\":960,\"opted_out\":960,\"sealed\":\"s\"}]");
    MUST(since(5000, "a", "opted_out") == 0, "what a message of the same moment has lifted comes back");
    end_people();
}
END_TEST

START_TEST(changes_are_read_in_parts_and_what_has_ended_is_forgotten_after_a_month)
{
    begin_people();
    for (int i = 0; i < 5; i++) {
        char fact[160];
        snprintf(fact, sizeof fact, "\"told\":[{\"id\":\"p%d\",\"cause\":\"blocked\",\"since\":9,\"sealed\":\"s\"}]", i);
        state_people(5000, fact);
    }
    cJSON *first = people(5000, "\"after\":0,\"limit\":3");
    int64_t upto = 0;
    char rest[64];
    MUST(cJSON_GetArraySize(json_get(first, "read")) == 3 && json_bool(first, "more", false), "not in parts");
    MUST(json_int(first, "upto", &upto), "no version");
    cJSON_Delete(first);
    snprintf(rest, sizeof rest, "\"after\":%lld,\"limit\":3", (long long)upto);
    cJSON *second = people(5000, rest);
    MUST(cJSON_GetArraySize(json_get(second, "read")) == 2 && !json_bool(second, "more", true), "not the rest");
    cJSON_Delete(second);
    state_people(6000, "\"ended\":[{\"id\":\"p1\",\"over\":{\"blocked\":9},\"told\":6000}]");
    state_people(6000 + 31 * DAY_MS, "\"hide\":[]");
    redisReply *left = redisCommand(context, "HLEN {a}people");
    MUST(left->integer == 4, "%lld are left", left->integer);
    freeReplyObject(left);
    MUST(since(6000 + 31 * DAY_MS, "p2", "blocked") == 9, "one that holds is forgotten, too");
    end_people();
}
END_TEST

START_TEST(a_name_that_is_not_to_be_kept_is_kept_by_nobody_until_they_are_heard_of_again)
{
    begin_people();
    state_people(5000, TOLD("blocked", 9));
    state_people(5000, "\"hide\":[\"a\"]");
    state_people(5000, "\"known\":[{\"id\":\"a\",\"since\":9,\"blocked\":9,\"sealed\":\"t\"}]");
    cJSON *answer = people(5000, "\"after\":0,\"limit\":3");
    MUST(json_bool(json_get(answer, "read")->child, "hidden", false), "a broker that knows the name brings it back");
    cJSON_Delete(answer);
    state_people(5000, "\"told\":[{\"id\":\"a\",\"cause\":\"opted_out\",\"since\":9,\"sealed\":\"t\"}]");
    answer = people(5000, "\"after\":0,\"limit\":3");
    MUST(!json_bool(json_get(answer, "read")->child, "hidden", false), "their own new word is nameless");
    cJSON_Delete(answer);
    end_people();
}
END_TEST

int main(void)
{
    return RUN_TESTS("cache_rules", 60, the_script_and_merge_make_the_same_of_any_facts,
                     an_event_that_was_not_taken_is_not_known, brokers_hear_of_each_other_and_of_none_that_is_gone,
                     a_dead_brokers_pools_are_where_it_was_until_another_says_that_they_are_its_own,
                     what_an_operator_has_ended_does_not_come_back_from_a_broker_that_has_not_heard_of_it,
                     an_operator_ends_what_was_known_then_and_not_a_stop_of_a_moment_later,
                     a_webhook_is_overtaken_by_no_moment_that_is_still_to_come, a_clock_that_was_set_back_goes_on,
                     moments_that_are_still_to_come_neither_end_a_stop_nor_keep_it,
                     what_held_since_an_unknown_moment_is_ended_if_it_was_told_before,
                     the_later_of_their_words_counts_whichever_comes_first,
                     changes_are_read_in_parts_and_what_has_ended_is_forgotten_after_a_month,
                     a_name_that_is_not_to_be_kept_is_kept_by_nobody_until_they_are_heard_of_again);
}
