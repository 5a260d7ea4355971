/* cache_poll.c — one broker at a time polls an account that several share: the lease for that, and the lists. */
#include <stdlib.h>
#include <string.h>

#include "broker/cache/cache_link_part.h"
#include "broker/cache/cache_say.h"
#include "lineward/log.h"

#define CHUNK_LINES 200 /* of a list, in one step of the script, so that nobody waits long for another's */

static int64_t lease_ms(const struct cache_link *link, uint32_t account)
{
    return link->options.conf->accounts[account].poll_interval_ms * 3 / 2;
}

void cache_poll_ask(struct cache_link *link, uint32_t account)
{
    struct shared_account *at = &link->accounts[account];
    json_out_clear(&link->text);
    cache_say_hold(&link->text, link->nonce, lease_ms(link, account));
    at->hold_asked_ms = link->now.mono_ms;
    at->hold_again_ms = link->now.mono_ms + lease_ms(link, account) / 4;
    (void)cache_link_run(link, account, TAG_HOLD | account);
}

void cache_poll_answered(struct cache_link *link, uint32_t account, const cJSON *answer)
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

/* ---- lists ---- */

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
        (void)cache_link_run(link, poll->account, TAG_PLAIN);
    } while (at < count);
    free(sorted);
    return true;
}
