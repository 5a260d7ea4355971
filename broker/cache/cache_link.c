/* cache_link.c — see cache_link.h. */
#include "broker/cache/cache_link.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cache/cache_line.h"
#include "broker/cache/cache_say.h"
#include "lineward/conf.h"
#include "lineward/log.h"

#define PENDING_MAX    1024 /* webhooks that Redis has not answered yet; what comes beyond them is merged here */
#define OWED_MAX       4096 /* told while it was away; beyond that the oldest is forgotten, and a poll will tell */
#define CHUNK_LINES    200  /* of a list, in one step of the script, so that nobody waits long for another's */
#define REPAIR_MS      5000 /* everything is read again so often: a lost message costs this much, and no more */
#define NONCE_BYTES    16
#define JITTER_PERCENT 25
#define SLACK_MS       1000 /* two clocks that were compared at different times */
#define TAG_PLAIN      0    /* nobody waits for the answer */
#define TAG_HOLD       (UINT64_C(1) << 32) /* and the account */
#define TAG_PENDING    (UINT64_C(1) << 33) /* and the place in `pending` */

struct pending {
    bool used;
    uint64_t token;
    struct core_line_fact fact;
};

struct shared_account {
    int64_t held_until_ms, hold_asked_ms, hold_again_ms; /* the lease to poll */
    int64_t poll_at_ms;                                  /* asked for by the script; TIME_NEVER: not */
    int64_t stale_jitter_ms;
    uint64_t version; /* of the newest line that was taken over */
};

struct cache_link {
    struct cache_link_options options;
    struct cache_redis *redis;
    char nonce[NONCE_BYTES * 2 + 1];
    char names[CONF_ACCOUNTS_MAX][NAME_MAX_BYTES + 1];
    struct shared_account accounts[CONF_ACCOUNTS_MAX];
    struct pending pending[PENDING_MAX];
    struct core_line_fact owed[OWED_MAX];
    size_t owed_from, owed_count;
    int64_t repair_at_ms;
    int64_t away_ms; /* since when it is, if it is */
    bool has_clock;   /* since the connection is up */
    int64_t ahead_ms; /* the shared clock less ours, or a little less than that */
    struct json_out text;
    struct instant now;  /* of the turn or call */
    struct effects *out; /* of the turn or call; NULL: none is open */
};

/* ---- facts to Redis ---- */

static bool run(struct cache_link *link, uint32_t account, uint64_t tag)
{
    bool sent = !link->text.failed && cache_redis_run(link->redis, account, link->text.text, link->text.bytes, tag,
                                                      link->now);
    json_out_clear(&link->text);
    return sent;
}

static bool tell(struct cache_link *link, const struct core_line_fact *fact, uint64_t tag)
{
    json_out_clear(&link->text);
    cache_say_told(&link->text, fact);
    return run(link, fact->account, tag);
}

static void owe(struct cache_link *link, const struct core_line_fact *fact)
{
    link->owed[(link->owed_from + link->owed_count) % OWED_MAX] = *fact;
    if (link->owed_count < OWED_MAX)
        link->owed_count++;
    else
        link->owed_from = (link->owed_from + 1) % OWED_MAX;
}

static void pay(struct cache_link *link)
{
    while (link->owed_count > 0 && tell(link, &link->owed[link->owed_from], TAG_PLAIN)) {
        link->owed_from = (link->owed_from + 1) % OWED_MAX;
        link->owed_count--;
    }
}

static void persist(struct cache_link *link)
{
    link->options.persist(link->options.persist_self, link->now, link->out);
}

/* ---- what Redis has made of it ---- */

static bool is_pending(const struct cache_link *link, uint64_t number)
{
    for (size_t i = 0; i < PENDING_MAX; i++)
        if (link->pending[i].used && link->pending[i].fact.number == number)
            return true;
    return false;
}

static int64_t here(int64_t moment, const struct cache_link *link)
{
    return moment == NEVER_SAID ? NEVER_SAID : moment - link->ahead_ms;
}

/* Does Redis not know what made the line worse? It was away, or a failover has lost it. */
static bool has_lost(const struct line_words *words, const struct cache_line *line)
{
    int ours = reputation_badness((enum reputation)words->known->proven);
    int theirs = reputation_badness((enum reputation)line->known.proven);
    int64_t tightened = words->moments->tightened;
    bool never = line->moments.tightened == NEVER_SAID;
    /* A restart here has forgotten when: then it is what was said that counts. */
    bool newer = tightened != NEVER_SAID
                     ? never || line->moments.tightened < tightened - SLACK_MS
                     : (never && (words->known->proven == REPUTATION_CRITICAL || words->known->hold)) ||
                           words->known->event_at_ms > line->known.event_at_ms ||
                           words->known->changed_at_ms > line->known.changed_at_ms;
    bool worse = words->known->heard && theirs < ours && newer;
    bool flagged = words->known->service == SERVICE_FLAGGED && line->known.service != SERVICE_FLAGGED &&
                   words->known->flagged_at_ms > line->known.flagged_at_ms &&
                   words->known->flagged_at_ms > line->active_at_ms;
    return worse || flagged;
}

static void take_over(struct cache_link *link, uint32_t account, struct cache_line *line, uint64_t token)
{
    struct shared_account *at = &link->accounts[account];
    struct line_words words;
    line->moments.event = here(line->moments.event, link);
    line->moments.tightened = here(line->moments.tightened, link);
    line->moments.loosen_event = here(line->moments.loosen_event, link);
    line->moments.agreed_begun = here(line->moments.agreed_begun, link);
    if (line->version > at->version)
        at->version = line->version;
    if (line->poll_in_ms != 0) {
        int64_t poll_at_ms = link->now.mono_ms + (line->poll_in_ms < 0 ? 0 : line->poll_in_ms);
        at->poll_at_ms = poll_at_ms < at->poll_at_ms ? poll_at_ms : at->poll_at_ms;
    }
    bool pending = is_pending(link, line->known.number);
    if (!pending && core_line_words(link->options.core, line->known.number, &words) && has_lost(&words, line)) {
        json_out_clear(&link->text);
        cache_say_known(&link->text, &words, link->now.mono_ms, link->ahead_ms);
        (void)run(link, account, TAG_PLAIN);
        pending = true; /* nothing better is taken over before it is answered */
    }
    int64_t heard_ms = line->known.heard_at_ms - link->ahead_ms;
    const struct core_line_shared shared = {.account = account,
                                            .known = &line->known,
                                            .moments = &line->moments,
                                            .heard_mono_ms = heard_ms < link->now.mono_ms ? heard_ms : link->now.mono_ms,
                                            .only_worse = pending,
                                            .token = token};
    core_line_shared(link->options.core, &shared, link->now, link->out);
    persist(link);
}

/* False: there is none that can be read. `token` is answered with the first. */
static bool take_lines(struct cache_link *link, uint32_t account, const cJSON *answer, uint64_t token)
{
    const cJSON *object;
    bool any = false;
    cJSON_ArrayForEach(object, json_get(answer, "lines"))
    {
        struct cache_line line;
        if (!cache_line_read(object, &line)) {
            log_event(LOG_WARN, "cache_line_unread", "account=%s", link->names[account]);
            continue;
        }
        take_over(link, account, &line, any ? 0 : token);
        any = true;
    }
    return any;
}

/* The clock as the answer has it is of before it arrived: what is converted with it seems later than it was, and so is
 * never proof that it should not be. */
static cJSON *read_answer(struct cache_link *link, const char *text, size_t bytes)
{
    int64_t clock_ms;
    cJSON *answer = json_parse(text, bytes, NULL);
    if (answer != NULL && json_int(answer, "clock", &clock_ms)) {
        link->ahead_ms = clock_ms - link->now.mono_ms;
        link->has_clock = true;
    }
    return answer;
}

static void on_changed(void *self, uint32_t account, const char *text, size_t bytes)
{
    struct cache_link *link = self;
    cJSON *answer = read_answer(link, text, bytes);
    (void)take_lines(link, account, answer, 0);
    cJSON_Delete(answer);
}

static void on_line(void *self, uint32_t account, const char *text, size_t bytes)
{
    struct cache_link *link = self;
    struct cache_line line;
    cJSON *object = json_parse(text, bytes, NULL);
    if (link->has_clock && cache_line_read(object, &line))
        take_over(link, account, &line, 0);
    cJSON_Delete(object);
}

/* ---- the lease to poll ---- */

static int64_t lease_ms(const struct cache_link *link, uint32_t account)
{
    return link->options.conf->accounts[account].poll_interval_ms * 3 / 2;
}

static void ask_hold(struct cache_link *link, uint32_t account)
{
    struct shared_account *at = &link->accounts[account];
    json_out_clear(&link->text);
    cache_say_hold(&link->text, link->nonce, lease_ms(link, account));
    at->hold_asked_ms = link->now.mono_ms;
    at->hold_again_ms = link->now.mono_ms + lease_ms(link, account) / 4;
    (void)run(link, account, TAG_HOLD | account);
}

static void on_hold(struct cache_link *link, uint32_t account, const cJSON *answer)
{
    struct shared_account *at = &link->accounts[account];
    bool had = at->held_until_ms > link->now.mono_ms;
    bool holds = answer != NULL && !json_bool(answer, "refused", true);
    at->held_until_ms = holds ? at->hold_asked_ms + lease_ms(link, account) : 0;
    if (holds && !had) {
        log_event(LOG_INFO, "cache_polls", "account=%s", link->names[account]);
        link->options.poll(link->options.poll_self, account);
    }
}

bool cache_link_may_poll(const struct cache_link *link, uint32_t account, struct instant now)
{
    const struct shared_account *at = &link->accounts[account];
    if (cache_redis_is_up(link->redis))
        return at->held_until_ms > now.mono_ms;
    return now.mono_ms >= link->away_ms + link->options.conf->accounts[account].stale_after_ms + at->stale_jitter_ms;
}

/* ---- answers ---- */

static void on_pending(struct cache_link *link, struct pending *pending, const cJSON *answer)
{
    struct pending told = *pending;
    pending->used = false;
    if (link->out == NULL)
        return; /* the broker ends: its webhook is not answered, and comes again */
    if (answer != NULL && take_lines(link, told.fact.account, answer, told.token))
        return;
    owe(link, &told.fact); /* whether it was heard there is not known, so it is told again */
    core_line_told(link->options.core, told.token, &told.fact, link->now, link->out);
    persist(link);
}

static void on_answered(void *self, uint64_t tag, const char *text, size_t bytes)
{
    struct cache_link *link = self;
    cJSON *answer = text == NULL ? NULL : read_answer(link, text, bytes);
    if ((tag & TAG_PENDING) != 0)
        on_pending(link, &link->pending[tag & UINT32_MAX], answer);
    else if ((tag & TAG_HOLD) != 0)
        on_hold(link, (uint32_t)(tag & UINT32_MAX), answer);
    cJSON_Delete(answer);
}

/* ---- what is stated here ---- */

static struct pending *free_pending(struct cache_link *link)
{
    for (size_t i = 0; i < PENDING_MAX; i++)
        if (!link->pending[i].used)
            return &link->pending[i];
    return NULL;
}

void cache_link_told(struct cache_link *link, uint64_t token, const struct core_line_fact *fact, struct instant now,
                     struct effects *out)
{
    link->now = now;
    link->out = out;
    struct pending *pending = cache_redis_is_up(link->redis) ? free_pending(link) : NULL;
    bool sent = pending != NULL && tell(link, fact, TAG_PENDING | (uint64_t)(pending - link->pending));
    if (!sent) {
        owe(link, fact);
        core_line_told(link->options.core, token, fact, now, out);
        persist(link);
        return;
    }
    *pending = (struct pending){.used = true, .token = token, .fact = *fact};
    core_line_warned(link->options.core, fact, now, out);
    persist(link);
}

void cache_link_service(struct cache_link *link, uint32_t account, uint64_t number, bool flagged, struct instant now)
{
    link->now = now;
    json_out_clear(&link->text);
    cache_say_service(&link->text, number, flagged);
    (void)run(link, account, TAG_PLAIN); /* away: what is worse here is told when the line is read again (has_lost) */
}

static int by_number(const void *a, const void *b)
{
    uint64_t left = ((const struct cache_polled *)a)->number, right = ((const struct cache_polled *)b)->number;
    return left < right ? -1 : left > right;
}

/* Those that the core knows of the account, and the list does not have. */
static void say_missed(struct cache_link *link, uint32_t account, const struct cache_polled *sorted, size_t count)
{
    uint64_t number;
    for (uint32_t at = 0; core_line_of_account(link->options.core, account, &at, &number); at++)
        if (bsearch(&(struct cache_polled){.number = number}, sorted, count, sizeof *sorted, by_number) == NULL)
            cache_say_number(&link->text, number);
}

bool cache_link_polled(struct cache_link *link, const struct core_poll *poll, const struct cache_polled *lines,
                       size_t count, struct instant now)
{
    link->now = now;
    struct cache_polled *sorted = malloc((count + 1) * sizeof *sorted);
    if (!cache_redis_is_up(link->redis) || sorted == NULL) {
        free(sorted);
        return false;
    }
    int64_t interval_ms = link->options.conf->accounts[poll->account].poll_interval_ms;
    memcpy(sorted, lines, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_number);
    size_t at = 0;
    do {
        json_out_clear(&link->text);
        cache_say_poll_begin(&link->text, link->nonce, poll->begun_mono_ms + link->ahead_ms, interval_ms, poll->cached);
        for (size_t end = at + CHUNK_LINES; at < count && at < end; at++)
            cache_say_poll_line(&link->text, sorted[at].number, sorted[at].reputation, sorted[at].service);
        cache_say_poll_missed(&link->text);
        if (at == count)
            say_missed(link, poll->account, sorted, count);
        cache_say_poll_end(&link->text);
        (void)run(link, poll->account, TAG_PLAIN);
    } while (at < count);
    free(sorted);
    return true;
}

/* ---- up and down ---- */

static void on_up(void *self)
{
    struct cache_link *link = self;
    log_event(LOG_INFO, "cache_up", "accounts=%zu", link->options.conf->account_count);
    link->repair_at_ms = 0;
}

static void on_down(void *self)
{
    struct cache_link *link = self;
    log_event(LOG_ERROR, "cache_away", "reason=\"%s; each broker goes on with what it knows\"",
              cache_redis_problem(link->redis));
    if (link->has_clock)
        link->away_ms = link->now.mono_ms;
    link->has_clock = false;
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
    if (conf->account_count != known)
        cache_redis_follow(link->redis, conf->account_count);
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
                                                       .changed = on_changed,
                                                       .answered = on_answered,
                                                       .line = on_line,
                                                       .self = link}};
    link->redis = cache_redis_new(&redis);
    if (link->redis == NULL)
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
    json_out_free(&link->text);
    free(link);
}

bool cache_link_is_up(const struct cache_link *link)
{
    return cache_redis_is_up(link->redis);
}

size_t cache_link_fds(const struct cache_link *link, struct pollfd out[CACHE_LINK_FDS])
{
    return cache_redis_fds(link->redis, out);
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t cache_link_next_mono_ms(const struct cache_link *link)
{
    int64_t next = cache_redis_next_mono_ms(link->redis);
    if (!cache_redis_is_up(link->redis))
        return next;
    next = sooner(next, link->repair_at_ms);
    for (size_t a = 0; a < link->options.conf->account_count; a++)
        next = sooner(next, sooner(link->accounts[a].hold_again_ms, link->accounts[a].poll_at_ms));
    return next;
}

void cache_link_turn(struct cache_link *link, struct instant now, struct effects *out)
{
    link->now = now;
    link->out = out;
    cache_redis_turn(link->redis, now);
    if (!cache_redis_is_up(link->redis))
        return;
    pay(link);
    bool repairs = now.mono_ms >= link->repair_at_ms;
    if (repairs)
        link->repair_at_ms = now.mono_ms + REPAIR_MS;
    for (uint32_t a = 0; a < link->options.conf->account_count; a++) {
        struct shared_account *at = &link->accounts[a];
        if (now.mono_ms >= at->hold_again_ms)
            ask_hold(link, a); /* first of all: its answer says what time it is there */
        if (repairs)
            cache_redis_read(link->redis, a, now);
        if (now.mono_ms < at->poll_at_ms)
            continue;
        at->poll_at_ms = TIME_NEVER;
        if (cache_link_may_poll(link, a, now))
            link->options.poll(link->options.poll_self, a);
    }
}
