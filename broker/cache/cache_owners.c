/* cache_owners.c — see cache_owners.h. */
#include "broker/cache/cache_owners.h"

#include <stdlib.h>
#include <string.h>

#include "lineward/ids.h"
#include "lineward/json.h"
#include "lineward/log.h"

#define TELL_MS         5000  /* what we own is told so often ... */
#define LEASE_MS        15000 /* ... and lapses so long after */
#define NONCE_BYTES_MAX 64

struct other {
    bool used, heard; /* heard: in this answer */
    unsigned told;    /* so many pools of ours it calls its own, too, and the log has said so */
    bool has_lapsed;
    bool is_contested; /* another one goes on saying that a pool of this one's is its own */
    const struct other *rival; /* that was seen beside it to say so ... */
    int64_t rival_till_ms;     /* ... and had not said so again yet */
    uint32_t account;
    char nonce[NONCE_BYTES_MAX + 1];
    int64_t till_ms; /* by the shared clock */
    char producers[CONF_ADDRESS_MAX + 1], admin[CONF_ADDRESS_MAX + 1]; /* "": none */
};

struct other_pool {
    char name[NAME_MAX_BYTES + 1];
    uint16_t other;
};

struct cache_owners {
    struct cache_owners_options options;
    int64_t tell_at_ms;
    struct json_out text;
    bool said_unread, said_namesake;
    int64_t told_ms[CONF_ACCOUNTS_MAX]; /* when ours stood at Redis, by the shared clock; 0: not yet */
    struct other others[CACHE_OWNERS_MAX];
    struct other_pool pools[CACHE_OWNERS_POOLS_MAX];
    size_t pool_count;
};

struct cache_owners *cache_owners_new(const struct cache_owners_options *options)
{
    struct cache_owners *owners = calloc(1, sizeof *owners);
    if (owners != NULL)
        owners->options = *options;
    return owners;
}

void cache_owners_free(struct cache_owners **owners_p)
{
    if (*owners_p != NULL)
        json_out_free(&(*owners_p)->text);
    free(*owners_p);
    *owners_p = NULL;
}

static void begin_telling(struct cache_owners *owners, struct instant now)
{
    owners->tell_at_ms = now.mono_ms;
    owners->said_unread = owners->said_namesake = false;
    memset(owners->told_ms, 0, sizeof owners->told_ms);
}

void cache_owners_follow(struct cache_owners *owners, const struct conf *conf, struct instant now)
{
    owners->options.conf = conf;
    begin_telling(owners, now);
}

void cache_owners_up(struct cache_owners *owners, struct instant now)
{
    begin_telling(owners, now);
}

int64_t cache_owners_next_mono_ms(const struct cache_owners *owners)
{
    return owners->tell_at_ms;
}

/* ---- telling ---- */

static bool is_ours(const struct conf_pool *pool)
{
    return !pool->gone && !pool->elsewhere;
}

/* Without an address that others can use we only listen. */
static void say_own(struct cache_owners *owners, uint32_t account)
{
    const struct conf *conf = owners->options.conf;
    struct json_out *out = &owners->text;
    json_out_clear(out);
    json_open(out, '{');
    json_key(out, "what");
    json_put_string(out, "own");
    json_key(out, "nonce");
    json_put_string(out, owners->options.nonce);
    json_key(out, "ms");
    json_put_int(out, LEASE_MS);
    if (conf->broker.producers_address != NULL) {
        json_key(out, "address");
        json_put_string(out, conf->broker.producers_address);
    }
    if (conf->broker.admin_address != NULL) {
        json_key(out, "admin");
        json_put_string(out, conf->broker.admin_address);
    }
    json_key(out, "pools");
    json_open(out, '[');
    for (size_t p = 0; p < conf->pool_count; p++)
        if (conf->pools[p].account == account && is_ours(&conf->pools[p]))
            json_put_string(out, conf->pools[p].name);
    json_close(out, ']');
    json_close(out, '}');
}

void cache_owners_turn(struct cache_owners *owners, struct instant now)
{
    if (now.mono_ms < owners->tell_at_ms)
        return;
    owners->tell_at_ms = now.mono_ms + TELL_MS;
    for (uint32_t a = 0; a < owners->options.conf->account_count; a++) {
        say_own(owners, a);
        if (!owners->text.failed)
            (void)cache_redis_run(owners->options.redis, a, owners->text.text, owners->text.bytes,
                                  owners->options.tag | a, now);
    }
}

/* ---- what the others tell ---- */

/* What may stand in a log and in a sentence. */
static bool is_plain(const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        if (*c <= 0x20 || *c > 0x7e || *c == '"')
            return false;
    return strlen(text) <= CONF_ADDRESS_MAX;
}

static bool is_admin(const char *text)
{
    const char *why;
    return is_plain(text) && conf_base_url_is_valid(text, &why);
}

static struct other *find_other(struct cache_owners *owners, uint32_t account, const char *nonce)
{
    struct other *unused = NULL;
    for (size_t i = 0; i < CACHE_OWNERS_MAX; i++) {
        struct other *other = &owners->others[i];
        if (other->used && other->account == account && strcmp(other->nonce, nonce) == 0)
            return other;
        if (!other->used && unused == NULL)
            unused = other;
    }
    if (unused != NULL)
        *unused = (struct other){.account = account};
    return unused;
}

static bool calls_ours(const struct cache_owners *owners, const char *pool)
{
    const struct conf *conf = owners->options.conf;
    for (size_t p = 0; p < conf->pool_count; p++)
        if (is_ours(&conf->pools[p]) && strcmp(conf->pools[p].name, pool) == 0)
            return true;
    return false;
}

/* Two brokers that both go on saying that a pool is theirs would both send on its lines. One that was moved or
 * started anew has the old word beside it for a while, which nobody says again. `first`: of its pools. */
static void warn_if_twice(const struct cache_owners *owners, struct other *other, size_t first, bool renewed)
{
    unsigned twice = 0;
    for (size_t i = first; i < owners->pool_count; i++)
        twice += calls_ours(owners, owners->pools[i].name);
    for (size_t i = first; i < owners->pool_count && renewed && twice > other->told; i++)
        if (calls_ours(owners, owners->pools[i].name))
            log_event(LOG_ERROR, "pool_owned_twice", "pool=%s other=%s reason=\"both send on its lines\"",
                      owners->pools[i].name, other->producers);
    if (renewed || twice < other->told)
        other->told = twice;
}

/* Two others: the same goes for them, and jobs are led to one of them only. Both are there if each has said so again beside
 * the other; a dead one's word stands for a while, too, but is not said again. */
static void contest(struct cache_owners *owners, struct other *other, const char *pool)
{
    struct cache_owner chosen;
    struct other *rival = NULL;
    for (size_t i = 0; i < owners->pool_count && rival == NULL; i++)
        if (&owners->others[owners->pools[i].other] != other && strcmp(owners->pools[i].name, pool) == 0)
            rival = &owners->others[owners->pools[i].other];
    if (rival == NULL || rival->has_lapsed || (other->is_contested && rival->is_contested))
        return;
    if (other->rival != rival) {
        other->rival = rival;
        other->rival_till_ms = rival->till_ms;
    }
    if (rival->till_ms <= other->rival_till_ms)
        return;
    other->is_contested = rival->is_contested = true;
    if (cache_owners_find(owners, pool, &chosen))
        log_event(LOG_ERROR, "pool_claimed_twice", "pool=%s one=%s other=%s reason=\"both say that it is theirs; jobs are "
                  "led to %s\"",
                  pool, rival->producers, other->producers, chosen.producers);
}

/* What is told at an address that another one calls its own, too, takes that one's place at Redis: since ours stood there,
 * only one that is there as well can have said so. */
static void warn_of_namesake(struct cache_owners *owners, uint32_t account, const char *producers, int64_t clock_ms)
{
    const char *ours = owners->options.conf->broker.producers_address;
    int64_t told_ms = owners->told_ms[account];
    if (ours == NULL || strcmp(ours, producers) != 0 || told_ms == 0 || clock_ms <= told_ms || owners->said_namesake)
        return;
    log_event(LOG_ERROR, "producers_address_twice",
              "address=%s reason=\"another broker that runs calls itself so: producers are led to either\"", ours);
    owners->said_namesake = true;
}

static void take_pools(struct cache_owners *owners, struct other *other, const cJSON *pools, bool renewed)
{
    const cJSON *name;
    size_t first = owners->pool_count;
    cJSON_ArrayForEach(name, pools)
    {
        if (!cJSON_IsString(name) || !name_is_valid(name->valuestring) ||
            owners->pool_count == CACHE_OWNERS_POOLS_MAX)
            continue;
        struct other_pool *pool = &owners->pools[owners->pool_count++];
        pool->other = (uint16_t)(other - owners->others);
        memcpy(pool->name, name->valuestring, strlen(name->valuestring) + 1);
        if (renewed)
            contest(owners, other, pool->name);
    }
    warn_if_twice(owners, other, first, renewed);
}

static void take_other(struct cache_owners *owners, uint32_t account, const cJSON *said, int64_t clock_ms)
{
    const char *producers = json_string(said, "address"), *admin = json_string(said, "admin"), *why = NULL;
    const cJSON *pools = json_get(said, "pools");
    int64_t till_ms = 0;
    if (said->string == NULL || strlen(said->string) > NONCE_BYTES_MAX || producers == NULL || !is_plain(producers) ||
        !conf_address_is_valid(producers, &why) || (admin != NULL && !is_admin(admin)) || !cJSON_IsArray(pools) ||
        !json_int(said, "till", &till_ms)) {
        if (!owners->said_unread)
            log_event(LOG_WARN, "cache_owner_unread", "account=%s", owners->options.conf->accounts[account].name);
        owners->said_unread = true; /* it is read every few seconds */
        return;
    }
    struct other *other = find_other(owners, account, said->string);
    if (other == NULL)
        return;
    bool renewed = other->used && till_ms > other->till_ms;
    other->used = other->heard = true;
    other->till_ms = till_ms;
    other->has_lapsed = till_ms <= clock_ms;
    memcpy(other->nonce, said->string, strlen(said->string) + 1);
    memcpy(other->producers, producers, strlen(producers) + 1);
    other->admin[0] = '\0';
    if (admin != NULL)
        memcpy(other->admin, admin, strlen(admin) + 1);
    warn_of_namesake(owners, account, other->producers, clock_ms);
    take_pools(owners, other, pools, renewed);
}

/* What we said of ourselves, as it stands at Redis. */
static void take_ours(struct cache_owners *owners, uint32_t account, const cJSON *said, int64_t clock_ms)
{
    const char *producers = json_string(said, "address"), *ours = owners->options.conf->broker.producers_address;
    if (producers != NULL && ours != NULL && strcmp(producers, ours) == 0 && owners->told_ms[account] == 0)
        owners->told_ms[account] = clock_ms;
}

/* Does `rival` call a pool of this one's its own; NULL: anybody of whom that was told before? */
static bool is_beside(const struct cache_owners *owners, const struct other *other, const struct other *rival)
{
    for (size_t i = 0; i < owners->pool_count; i++) {
        for (size_t j = 0; &owners->others[owners->pools[i].other] == other && j < owners->pool_count; j++) {
            const struct other *by = &owners->others[owners->pools[j].other];
            bool meant = rival != NULL ? by == rival : by->is_contested && by != other;
            if (meant && strcmp(owners->pools[i].name, owners->pools[j].name) == 0)
                return true;
        }
    }
    return false;
}

/* Those that share no pool any more have put it right, or are gone: what they say from now on is judged anew. */
static void forget_rivals(struct cache_owners *owners)
{
    for (size_t i = 0; i < CACHE_OWNERS_MAX; i++) {
        struct other *other = &owners->others[i];
        if (other->rival != NULL && !is_beside(owners, other, other->rival))
            other->rival = NULL;
        other->is_contested = other->is_contested && is_beside(owners, other, NULL);
    }
}

void cache_owners_answered(struct cache_owners *owners, uint32_t account, const cJSON *answer)
{
    const cJSON *all = json_get(answer, "owners"), *said;
    int64_t clock_ms = 0;
    size_t kept = 0;
    (void)json_int(answer, "clock", &clock_ms);
    if (!cJSON_IsObject(all) || account >= owners->options.conf->account_count)
        return;
    for (size_t i = 0; i < owners->pool_count; i++)
        if (owners->others[owners->pools[i].other].account != account)
            owners->pools[kept++] = owners->pools[i];
    owners->pool_count = kept;
    for (size_t i = 0; i < CACHE_OWNERS_MAX; i++)
        owners->others[i].heard = owners->others[i].account != account;
    cJSON_ArrayForEach(said, all)
    {
        if (said->string != NULL && strcmp(said->string, owners->options.nonce) == 0)
            take_ours(owners, account, said, clock_ms);
        else
            take_other(owners, account, said, clock_ms);
    }
    for (size_t i = 0; i < CACHE_OWNERS_MAX; i++)
        owners->others[i].used = owners->others[i].used && owners->others[i].heard;
    forget_rivals(owners);
}

/* Where the configuration says that the pool is; NULL: it does not. */
static const char *configured(const struct cache_owners *owners, const char *pool)
{
    const struct conf *conf = owners->options.conf;
    for (size_t p = 0; p < conf->pool_count; p++)
        if (!conf->pools[p].gone && strcmp(conf->pools[p].name, pool) == 0)
            return conf->pools[p].owner;
    return NULL;
}

/* A dead one's word stands for a while beside that of its heir, which is newer. Of two that are there, the one that the
 * file names; else always the same, at all brokers. */
static bool is_rather(const struct cache_owners *owners, const char *pool, const struct other *a, const struct other *b)
{
    if (!a->is_contested || !b->is_contested || a->has_lapsed || b->has_lapsed)
        return a->till_ms > b->till_ms;
    const char *file = configured(owners, pool);
    if (file != NULL && (strcmp(a->producers, file) == 0) != (strcmp(b->producers, file) == 0))
        return strcmp(a->producers, file) == 0;
    return strcmp(a->producers, b->producers) < 0;
}

bool cache_owners_find(const struct cache_owners *owners, const char *pool, struct cache_owner *out)
{
    const struct other *best = NULL;
    for (size_t i = 0; i < owners->pool_count; i++) {
        const struct other *other = &owners->others[owners->pools[i].other];
        if (strcmp(owners->pools[i].name, pool) == 0 && (best == NULL || is_rather(owners, pool, other, best)))
            best = other;
    }
    if (best == NULL)
        return false;
    *out = (struct cache_owner){best->producers, best->admin[0] != '\0' ? best->admin : NULL, best->has_lapsed};
    return true;
}
