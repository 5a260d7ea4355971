/* cache_rules_test.c — one set of rules, two bodies: whatever a line is told, merge.c and the script in Redis make the
 * same of it (DESIGN traps 7 and 11). */
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

static void state(const struct json_out *fact, struct pair *pair)
{
    redisReply *reply = redisCommand(context, "EVAL %s 4 {a}lines {a}meta {a}events {a}poller %b news", cache_script,
                                     fact->text, fact->bytes);
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

static struct merged poll(struct pair *pair, const struct core_line_fact *fact, struct instant now)
{
    struct json_out out = {0};
    json_open(&out, '{');
    put_word(&out, "what", "polled");
    put_word(&out, "nonce", "n");
    put_number(&out, "now", now.mono_ms);
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
    json_open(&out, '{');
    put_word(&out, "what", "polled");
    put_word(&out, "nonce", "n");
    put_number(&out, "now", now.mono_ms);
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
            fact.changed_at_ms = random_next(&random) % 8 == 0 ? 0 : now_ms - (int64_t)(random_next(&random) % 3) * 20000;
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

int main(void)
{
    return RUN_TESTS("cache_rules", 60, the_script_and_merge_make_the_same_of_any_facts);
}
