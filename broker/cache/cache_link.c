/* cache_link.c — see cache_link.h. */
#include "broker/cache/cache_link_part.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cache/cache_say.h"
#include "lineward/log.h"

#define JITTER_PERCENT 25
#define REPAIR_MS      5000 /* everything is read again so often: a lost message costs this much, and no more */

/* ---- facts to Redis ---- */

bool cache_link_run(struct cache_link *link, uint32_t account, uint64_t tag)
{
    bool sent = !link->text.failed && cache_redis_run(link->redis, account, link->text.text, link->text.bytes, tag,
                                                      link->now);
    json_out_clear(&link->text);
    return sent;
}

static bool tell(struct cache_link *link, const struct core_line_fact *fact, uint64_t tag)
{
    json_out_clear(&link->text);
    cache_say_told(&link->text, fact, link->now.wall_ms);
    return cache_link_run(link, fact->account, tag);
}

static void owe_told(struct cache_link *link, const struct core_line_fact *fact)
{
    const struct cache_owed_fact owed = {.kind = OWED_TOLD, .since_mono_ms = link->now.mono_ms, .fact = *fact};
    cache_owed_add(&link->owed, &owed);
}

static void say_owed(struct cache_link *link, const struct cache_owed_fact *owed)
{
    json_out_clear(&link->text);
    if (owed->kind == OWED_TOLD)
        cache_say_told(&link->text, &owed->fact, link->now.wall_ms);
    else if (owed->kind == OWED_SERVICE)
        cache_say_service(&link->text, owed->fact.number, owed->flagged, owed->since_mono_ms + link->clock.ahead_ms);
    else if (owed->kind == OWED_ENDED)
        cache_say_ended(&link->text, owed, owed->since_mono_ms + link->clock.ahead_ms, link->now.wall_ms);
    else
        cache_say_hidden(&link->text, owed->id, link->now.wall_ms);
}

/* What waits to be told, in its order, once it is known what time it is there. */
static void pay(struct cache_link *link)
{
    const struct cache_owed_fact *owed;
    uint32_t number;
    while (link->clock.is_known && (owed = cache_owed_next(&link->owed, link->now.mono_ms, &number)) != NULL) {
        say_owed(link, owed);
        if (!cache_link_run(link, owed->fact.account, TAG_OWED | number)) {
            cache_owed_unanswered(&link->owed, number, link->now.mono_ms);
            return;
        }
    }
}

void cache_link_persist(struct cache_link *link)
{
    link->options.persist(link->options.persist_self, link->now, link->out);
}

static void on_changed(void *self, uint32_t account, const char *text, size_t bytes)
{
    struct cache_link *link = self;
    const struct cache_asked nobody = {0};
    /* How long it was under way nobody knows: what time it is there is taken from answers only. */
    cJSON *news = link->clock.is_known ? json_parse(text, bytes, NULL) : NULL;
    (void)cache_take_lines(link, account, news, &nobody);
    if (link->people != NULL)
        cache_people_heard(link->people, account, news, link->now, link->out);
    cache_owners_answered(link->owners, account, news); /* a broker is new, or owns something else than before */
    cJSON_Delete(news);
}

static void on_line(void *self, uint32_t account, const char *text, size_t bytes)
{
    struct cache_link *link = self;
    const struct cache_asked nobody = {0};
    struct cache_line line;
    cJSON *object = json_parse(text, bytes, NULL);
    if (link->clock.is_known && cache_line_read(object, &line))
        cache_take_line(link, account, &line, &nobody);
    cJSON_Delete(object);
}

/* ---- answers ---- */

static void on_pending(struct cache_link *link, uint32_t place, const cJSON *answer)
{
    struct cache_pending_fact told = *cache_pending_at(&link->pending, place);
    cache_pending_remove(&link->pending, place);
    if (link->out == NULL)
        return; /* the broker ends: its webhook is not answered, and comes again */
    const struct cache_asked asked = {.token = told.token,
                                      .undoes = told.warned && json_bool(answer, "again", false)};
    if (answer != NULL && cache_take_lines(link, told.fact.account, answer, &asked))
        return;
    owe_told(link, &told.fact); /* whether it was heard there is not known, so it is told again */
    core_line_told(link->options.core, told.token, &told.fact, link->now, link->out);
    cache_link_persist(link);
}

/* The script fails on it again and again. Of lines the next reading tells what Redis lacks; a recipient whose end it cannot
 * take stays closed. */
static void note_skipped(struct cache_link *link, uint32_t account)
{
    if (!link->said_skipped)
        log_event(LOG_ERROR, "cache_fact_skipped",
                  "account=%s reason=\"Redis failed on a fact %d times: it is not told again, others are\"",
                  link->names[account], CACHE_OWED_TRIES);
    link->said_skipped = true;
}

static void on_owed(struct cache_link *link, uint32_t number, bool answered)
{
    uint32_t account = link->owed.facts[number % CACHE_OWED_MAX].fact.account;
    if (answered)
        cache_owed_answered(&link->owed, number);
    else if (!cache_redis_is_up(link->redis)) /* it may have been taken or not */
        cache_owed_unanswered(&link->owed, number, link->now.mono_ms);
    else if (cache_owed_failed(&link->owed, number, link->now.mono_ms))
        note_skipped(link, account);
}

static void on_answered(void *self, uint64_t tag, const char *text, size_t bytes)
{
    struct cache_link *link = self;
    cJSON *answer = text == NULL ? NULL : cache_take_answer(link, text, bytes);
    if ((tag & TAG_PENDING) != 0)
        on_pending(link, (uint32_t)tag, answer);
    else if ((tag & TAG_HOLD) != 0)
        cache_poll_answered(link, (uint32_t)(tag & UINT32_MAX), answer);
    else if ((tag & TAG_PEOPLE) != 0)
        cache_people_answered(link->people, tag, answer, link->now, link->out);
    else if ((tag & TAG_OWNERS) != 0)
        cache_owners_answered(link->owners, (uint32_t)tag, answer);
    else if ((tag & TAG_OWED) != 0)
        on_owed(link, (uint32_t)tag, answer != NULL);
    cJSON_Delete(answer);
}

/* ---- what is stated here ---- */

void cache_link_told(struct cache_link *link, uint64_t token, const struct core_line_fact *fact, struct instant now,
                     struct effects *out)
{
    link->now = now;
    link->out = out;
    uint32_t place = cache_redis_is_up(link->redis) ? cache_pending_add(&link->pending, token, fact) : 0;
    if (place == 0 || !tell(link, fact, TAG_PENDING | place)) {
        if (place != 0)
            cache_pending_remove(&link->pending, place);
        owe_told(link, fact);
        core_line_told(link->options.core, token, fact, now, out);
        return;
    }
    cache_pending_at(&link->pending, place)->warned = core_line_warned(link->options.core, fact, now, out);
}

void cache_link_service(struct cache_link *link, uint32_t account, uint64_t number, bool flagged, struct instant now)
{
    const struct cache_owed_fact owed = {.kind = OWED_SERVICE,
                                         .since_mono_ms = now.mono_ms,
                                         .fact = {.account = account, .number = number},
                                         .flagged = flagged};
    link->now = now;
    cache_owed_add(&link->owed, &owed);
    if (cache_redis_is_up(link->redis))
        pay(link);
}

void cache_link_person(struct cache_link *link, const struct change_suppression *change, struct instant now)
{
    if (link->people == NULL)
        return;
    link->now = now;
    cache_people_changed(link->people, change, now);
    if (cache_redis_is_up(link->redis))
        pay(link);
}

/* ---- up and down ---- */

static void on_up(void *self)
{
    struct cache_link *link = self;
    log_event(LOG_INFO, "cache_up", "accounts=%zu", link->options.conf->account_count);
    link->repair_at_ms = 0;
    link->repair_next = 0;
    link->connections++;
    link->said_skipped = false;
    cache_owners_up(link->owners, link->now);
    if (link->people != NULL)
        cache_people_up(link->people);
}

/* Lines are read every few seconds, and what is missing of them is told again; of recipients only changes are. */
static void on_moved(void *self, uint32_t account)
{
    struct cache_link *link = self;
    if (link->people != NULL)
        cache_people_moved(link->people, account);
}

static void on_down(void *self)
{
    struct cache_link *link = self;
    char problem[LOG_QUOTED_MAX];
    log_event(LOG_ERROR, "cache_away", "reason=%s", log_quoted(cache_redis_problem(link->redis), problem));
    if (link->clock.is_known)
        link->away_ms = link->now.mono_ms;
    link->clock.is_known = false;
    cache_owed_lost(&link->owed);
    for (size_t a = 0; a < link->options.conf->account_count; a++)
        link->accounts[a].held_until_ms = link->accounts[a].hold_again_ms = 0;
}

static void take_accounts(struct cache_link *link, const struct conf *conf, size_t known)
{
    link->options.conf = conf;
    for (size_t a = known; a < conf->account_count; a++) {
        int64_t most_ms = conf->accounts[a].stale_after_ms * JITTER_PERCENT / 100;
        memcpy(link->names[a], conf->accounts[a].name, sizeof link->names[a]);
        link->accounts[a].poll_at_ms = TIME_NEVER;
        link->accounts[a].stale_jitter_ms = most_ms <= 0 ? 0 : randombytes_uniform((uint32_t)most_ms);
    }
}

void cache_link_follow(struct cache_link *link, const struct conf *conf)
{
    size_t known = link->options.conf->account_count;
    take_accounts(link, conf, known);
    cache_owners_follow(link->owners, conf, link->now);
    if (link->people != NULL)
        cache_people_follow(link->people, conf);
    if (conf->account_count != known)
        cache_redis_follow(link->redis, conf->account_count);
}

static bool share_owners(struct cache_link *link)
{
    const struct cache_owners_options options = {
        .conf = link->options.conf, .redis = link->redis, .tag = TAG_OWNERS, .nonce = link->nonce};
    link->owners = cache_owners_new(&options);
    return link->owners != NULL;
}

const struct cache_owners *cache_link_owners(const struct cache_link *link)
{
    return link->owners;
}

static bool share_people(struct cache_link *link)
{
    const struct cache_link_options *own = &link->options;
    if (own->seal == NULL)
        return true;
    const struct cache_people_options options = {.conf = own->conf,
                                                 .core = own->core,
                                                 .seal = *own->seal,
                                                 .redis = link->redis,
                                                 .owed = &link->owed,
                                                 .tag = TAG_PEOPLE,
                                                 .keys = own->keys,
                                                 .keys_self = own->keys_self,
                                                 .persist = own->persist,
                                                 .persist_self = own->persist_self};
    link->people = cache_people_new(&options);
    return link->people != NULL;
}

struct cache_link *cache_link_new(const struct cache_link_options *options)
{
    struct cache_link *link = calloc(1, sizeof *link);
    uint8_t random[NONCE_BYTES];
    if (link == NULL)
        return NULL;
    link->options = *options;
    randombytes_buf(random, sizeof random);
    sodium_bin2hex(link->nonce, sizeof link->nonce, random, sizeof random);
    crypto_generichash(random, sizeof random, (const uint8_t *)cache_script, strlen(cache_script), NULL, 0);
    sodium_bin2hex(link->rules, sizeof link->rules, random, sizeof random);
    take_accounts(link, options->conf, 0);
    link->away_ms = clock_read().mono_ms;
    const struct cache_redis_options redis = {.url = options->conf->cache.redis,
                                              .password_file = options->conf->cache.redis_password_file,
                                              .sentinel_password_file = options->conf->cache.sentinel_password_file,
                                              .accounts = (const char *)link->names,
                                              .name_room = sizeof *link->names,
                                              .account_count = options->conf->account_count,
                                              .told = {.up = on_up,
                                                       .down = on_down,
                                                       .moved = on_moved,
                                                       .changed = on_changed,
                                                       .answered = on_answered,
                                                       .line = on_line,
                                                       .self = link}};
    link->redis = cache_redis_new(&redis);
    if (link->redis == NULL || !share_owners(link) || !share_people(link))
        cache_link_free(&link);
    return link;
}

void cache_link_free(struct cache_link **link_p)
{
    struct cache_link *link = *link_p;
    *link_p = NULL;
    if (link == NULL)
        return;
    link->out = NULL;
    if (link->redis != NULL)
        cache_redis_free(&link->redis);
    cache_people_free(&link->people);
    cache_owners_free(&link->owners);
    json_out_free(&link->text);
    free(link);
}

bool cache_link_is_up(const struct cache_link *link)
{
    return cache_redis_is_up(link->redis);
}

void cache_link_view(const struct cache_link *link, struct instant now, struct cache_view *out)
{
    *out = (struct cache_view){.up = cache_link_is_up(link),
                               .shares_people = link->people != NULL,
                               .problem = cache_redis_problem(link->redis),
                               .owed = link->owed.end - link->owed.from};
    if (!out->up)
        out->away_ms = now.mono_ms > link->away_ms ? now.mono_ms - link->away_ms : 1;
    for (size_t a = 0; a < link->options.conf->account_count; a++) {
        const struct shared_account *at = &link->accounts[a];
        if (at->brokers > out->brokers)
            out->brokers = at->brokers;
        out->versions_differ |= at->differs;
    }
}

size_t cache_link_fds(const struct cache_link *link, struct pollfd out[CACHE_LINK_FDS])
{
    return cache_redis_fds(link->redis, out);
}

int64_t cache_link_next_mono_ms(const struct cache_link *link)
{
    int64_t next = cache_redis_next_mono_ms(link->redis);
    if (!cache_redis_is_up(link->redis))
        return next;
    next = time_sooner(next, time_sooner(link->repair_at_ms, cache_owners_next_mono_ms(link->owners)));
    if (link->clock.is_known)
        next = time_sooner(next, cache_owed_next_mono_ms(&link->owed));
    if (link->clock.is_known && link->people != NULL)
        next = time_sooner(next, cache_people_next_mono_ms(link->people));
    for (size_t a = 0; a < link->options.conf->account_count; a++)
        next = time_sooner(next, time_sooner(link->accounts[a].hold_again_ms, link->accounts[a].poll_at_ms));
    return next;
}

/* One account after the other, and not before the last time is over. */
static void repair(struct cache_link *link)
{
    size_t count = link->options.conf->account_count;
    if (link->now.mono_ms >= link->repair_at_ms) {
        link->repair_at_ms = link->now.mono_ms + REPAIR_MS;
        if (link->repair_next >= count)
            link->repair_next = 0;
    }
    while (link->clock.is_known && link->repair_next < count &&
           cache_redis_read(link->redis, (uint32_t)link->repair_next, link->now))
        link->repair_next++;
}

void cache_link_turn(struct cache_link *link, struct instant now, bool woken, struct effects *out)
{
    link->now = now;
    link->out = out;
    cache_redis_at(link->redis, now);
    if (!woken && now.mono_ms < cache_link_next_mono_ms(link))
        return;
    cache_redis_turn(link->redis, now);
    if (!cache_redis_is_up(link->redis))
        return;
    pay(link);
    repair(link);
    for (uint32_t a = 0; a < link->options.conf->account_count; a++) {
        struct shared_account *at = &link->accounts[a];
        if (now.mono_ms >= at->hold_again_ms)
            cache_poll_ask(link, a); /* first of all: its answer says what time it is there */
        if (now.mono_ms < at->poll_at_ms)
            continue;
        at->poll_at_ms = TIME_NEVER;
        if (cache_link_may_poll(link, a, now))
            link->options.poll(link->options.poll_self, a);
    }
    cache_owners_turn(link->owners, now);
    if (link->people != NULL && link->clock.is_known) /* what has ended is told first */
        cache_people_turn(link->people, now);
}
