/* cache_poll.c — one broker at a time polls an account that several share: the lease for that, and the lists. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cache/cache_link_part.h"
#include "broker/cache/cache_say.h"
#include "lineward/log.h"
#include "lineward/version.h"

#define VERSION_TEXT 32
#define CHUNK_LINES 200 /* of a list, in one step of the script, so that nobody waits long for another's */

static int64_t lease_ms(const struct cache_link *link, uint32_t account)
{
    return link->options.conf->accounts[account].poll_interval_ms * 3 / 2;
}

void cache_poll_ask(struct cache_link *link, uint32_t account)
{
    struct shared_account *at = &link->accounts[account];
    json_out_clear(&link->text);
    cache_say_hold(&link->text, link->nonce, lease_ms(link, account), link->rules);
    at->hold_asked_ms = link->now.mono_ms;
    at->hold_again_ms = link->now.mono_ms + lease_ms(link, account) / 4;
    (void)cache_link_run(link, account, TAG_HOLD | account);
}

static bool is_like_us(const struct cache_link *link, const cJSON *other)
{
    const char *version = json_string(other, "version"), *rules = json_string(other, "rules");
    return version != NULL && rules != NULL && strcmp(version, LINEWARD_VERSION) == 0 && strcmp(rules, link->rules) == 0;
}

/* What it runs, as a word for the log: a byte from outside. */
static void version_of(const cJSON *other, char out[VERSION_TEXT])
{
    const char *version = json_string(other, "version");
    bool good = version != NULL && *version != '\0' && strlen(version) < VERSION_TEXT &&
                strspn(version, "0123456789.abcdefghijklmnopqrstuvwxyz-+~") == strlen(version);
    snprintf(out, VERSION_TEXT, "%s", good ? version : "unknown");
}

/* Brokers that decide by other rules disagree, and nobody would see why. */
static void meet(struct cache_link *link, uint32_t account, const cJSON *answer)
{
    struct shared_account *at = &link->accounts[account];
    const cJSON *others = json_get(answer, "brokers"), *other, *odd = NULL;
    if (answer == NULL)
        return;
    at->brokers = 1 + (unsigned)cJSON_GetArraySize(others);
    cJSON_ArrayForEach(other, others)
    {
        if (!is_like_us(link, other))
            odd = other;
    }
    if (odd != NULL && !at->differs) {
        char version[VERSION_TEXT];
        version_of(odd, version);
        log_event(LOG_WARN, "cache_other_version",
                  "account=%s version=%s here=%s reason=\"brokers of an account must run one version: these decide by "
                  "different rules, or may\"",
                  link->names[account], version, LINEWARD_VERSION);
    }
    at->differs = odd != NULL;
}

void cache_poll_answered(struct cache_link *link, uint32_t account, const cJSON *answer)
{
    struct shared_account *at = &link->accounts[account];
    bool had = at->held_until_ms > link->now.mono_ms;
    meet(link, account, answer);
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

/* ---- lists ---- */

static int by_number(const void *a, const void *b)
{
    uint64_t left = ((const struct cache_polled *)a)->number, right = ((const struct cache_polled *)b)->number;
    return left < right ? -1 : left > right;
}

/* One step of the script under way: which has room for so many lines more. */
struct part {
    struct cache_link *link;
    const struct core_poll *poll;
    int64_t begun_ms, interval_ms;
    size_t left;
    bool missing; /* from now on those that the list does not have */
};

static void begin_part(struct part *part)
{
    json_out_clear(&part->link->text);
    cache_say_poll_begin(&part->link->text, part->link->nonce, part->begun_ms, part->interval_ms, part->poll->cached);
    if (part->missing)
        cache_say_poll_missed(&part->link->text);
    part->left = CHUNK_LINES;
}

static void end_part(struct part *part)
{
    if (!part->missing)
        cache_say_poll_missed(&part->link->text);
    cache_say_poll_end(&part->link->text);
    (void)cache_link_run(part->link, part->poll->account, TAG_PLAIN);
}

static void make_room(struct part *part)
{
    if (part->left == 0) {
        end_part(part);
        begin_part(part);
    }
    part->left--;
}

/* Those that the core knows of the account, and the list does not have. */
static void say_missed(struct part *part, const struct cache_polled *sorted, size_t count)
{
    const struct core *core = part->link->options.core;
    uint64_t number;
    cache_say_poll_missed(&part->link->text);
    part->missing = true;
    for (uint32_t at = 0; core_line_of_account(core, part->poll->account, &at, &number); at++) {
        if (bsearch(&(struct cache_polled){.number = number}, sorted, count, sizeof *sorted, by_number) != NULL)
            continue;
        make_room(part);
        cache_say_number(&part->link->text, number);
    }
}

static void say_list(struct part *part, const struct cache_polled *sorted, size_t count)
{
    begin_part(part);
    for (size_t at = 0; at < count; at++) {
        make_room(part);
        cache_say_poll_line(&part->link->text, sorted[at].number, sorted[at].reputation, sorted[at].service);
    }
    say_missed(part, sorted, count);
    end_part(part);
}

bool cache_link_polled(struct cache_link *link, const struct core_poll *poll, const struct cache_polled *lines,
                       size_t count, struct instant now)
{
    struct part part = {.link = link,
                        .poll = poll,
                        .interval_ms = link->options.conf->accounts[poll->account].poll_interval_ms};
    link->now = now;
    struct cache_polled *sorted = malloc((count + 1) * sizeof *sorted);
    if (!cache_redis_is_up(link->redis) || sorted == NULL) {
        free(sorted);
        return false;
    }
    memcpy(sorted, lines, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_number);
    /* Begun before it is known what time it was there, it could prove what it does not know; the next one comes soon. */
    if (cache_clock_at(&link->clock, poll->begun_mono_ms, &part.begun_ms))
        say_list(&part, sorted, count);
    free(sorted);
    return true;
}
