/* cache_take.c — what Redis has made of what was stated, taken over: lines into the core, and whatever Redis has lost told to
 * it again. */
#include <stdlib.h>

#include "broker/cache/cache_link_part.h"
#include "broker/cache/cache_say.h"
#include "lineward/log.h"

#define PROOF_WAIT_MS 1000 /* at most; if its clock was set forward by more, another poll must */

static int64_t here(int64_t moment, const struct cache_link *link)
{
    return moment == NEVER_SAID ? NEVER_SAID : moment - link->clock.ahead_ms;
}

static bool is_newer(const struct line_words *words, const struct cache_line *line, int64_t ahead_ms)
{
    int64_t ours = cache_say_tightened(words, ahead_ms), theirs = line->moments.tightened;
    const struct change_line *known = words->known;
    if (words->shared_tightened_ms != NEVER_SAID)
        return theirs == NEVER_SAID || theirs < ours;
    if (ours != NEVER_SAID)
        return theirs == NEVER_SAID || theirs < ours - SLACK_MS;
    /* A restart here has forgotten when: then it is what was said that counts. */
    return (theirs == NEVER_SAID && (known->proven == REPUTATION_CRITICAL || known->hold)) ||
           known->event_at_ms > line->known.event_at_ms || known->changed_at_ms > line->known.changed_at_ms;
}

/* Does Redis not know what made the line worse? It was away, or a failover has lost it. All on the shared clock. */
static bool has_lost(const struct line_words *words, const struct cache_line *line, int64_t ahead_ms)
{
    int ours = reputation_badness((enum reputation)words->known->proven);
    int theirs = reputation_badness((enum reputation)line->known.proven);
    int64_t slack_ms = words->moments->flagged == NEVER_SAID ? 0 : SLACK_MS;
    int64_t flagged_ms = cache_say_flagged_at(words, ahead_ms) - slack_ms;
    bool worse = words->known->heard && theirs < ours && is_newer(words, line, ahead_ms);
    bool flagged = words->known->service == SERVICE_FLAGGED && line->known.service != SERVICE_FLAGGED &&
                   flagged_ms > line->known.flagged_at_ms && flagged_ms > line->active_at_ms;
    return worse || flagged;
}

static int64_t not_later(int64_t moment_ms, int64_t now_ms)
{
    return moment_ms < now_ms ? moment_ms : now_ms;
}

/* What is still to come was told by a clock that was wrong: no event is older than that, and the flag is as old as it is
 * here, for what probes it goes by its age. */
static void mend_moments(struct change_line *theirs, const struct line_words *ours, int64_t wall_ms)
{
    bool flagged_here = ours != NULL && ours->known->service == SERVICE_FLAGGED;
    if (theirs->event_at_ms > wall_ms + CACHE_AHEAD_MS)
        theirs->event_at_ms = 0;
    if (theirs->flagged_at_ms > wall_ms + CACHE_AHEAD_MS)
        theirs->flagged_at_ms = flagged_here ? not_later(ours->known->flagged_at_ms, wall_ms) : wall_ms;
}

/* A poll that is to prove what a webhook said must be one that seems begun after it: answers of Redis that were under way
 * for long make ours seem earlier than they are. */
static void poll_in(struct cache_link *link, uint32_t account, const struct cache_line *line)
{
    struct shared_account *at = &link->accounts[account];
    int64_t now_ms = link->now.mono_ms;
    int64_t poll_at_ms = now_ms + (line->poll_in_ms < 0 ? 0 : line->poll_in_ms);
    int64_t proves_ms = line->moments.loosen_event == NEVER_SAID
                            ? poll_at_ms
                            : cache_clock_after(&link->clock, line->moments.loosen_event);
    if (proves_ms > poll_at_ms)
        poll_at_ms = not_later(proves_ms, poll_at_ms + PROOF_WAIT_MS);
    if (line->poll_in_ms != 0 && poll_at_ms < at->poll_at_ms)
        at->poll_at_ms = poll_at_ms;
}

void cache_take_line(struct cache_link *link, uint32_t account, struct cache_line *line, const struct cache_asked *asked)
{
    int64_t ahead_ms = link->clock.ahead_ms;
    struct line_words words;
    poll_in(link, account, line);
    bool waits = cache_pending_has(&link->pending, line->known.number);
    bool is_known = core_line_words(link->options.core, account, line->known.number, &words);
    bool lost = !waits && !asked->undoes && is_known && has_lost(&words, line, ahead_ms);
    if (lost) {
        json_out_clear(&link->text);
        cache_say_known(&link->text, &words, link->now, ahead_ms);
        (void)cache_link_run(link, account, TAG_PLAIN);
    }
    mend_moments(&line->known, is_known ? &words : NULL, link->now.wall_ms);
    int64_t heard_ms = here(line->known.heard_at_ms, link);
    int64_t tightened_ms = line->moments.tightened;
    line->moments.event = here(line->moments.event, link);
    line->moments.tightened = here(tightened_ms, link);
    line->moments.loosen_event = here(line->moments.loosen_event, link);
    line->moments.agreed_begun = here(line->moments.agreed_begun, link);
    /* As of its age here, whatever the two clocks say of the time of day. */
    line->known.heard_at_ms = link->now.wall_ms - (link->now.mono_ms - not_later(heard_ms, link->now.mono_ms));
    const struct core_line_shared shared = {
        .account = account,
        .known = &line->known,
        .moments = &line->moments,
        .heard_mono_ms = not_later(heard_ms, link->now.mono_ms),
        .version = (uint64_t)link->connections << CACHE_VERSION_BITS | line->version,
        .tightened_ms = tightened_ms,
        .only_worse = waits || lost, /* nothing better is taken over before that is answered */
        .token = asked->token};
    core_line_shared(link->options.core, &shared, link->now, link->out);
    cache_link_persist(link);
}

/* An event that Redis knows is known everywhere, so that a repeat tightens nowhere. */
static void take_event(struct cache_link *link, const cJSON *answer)
{
    const char *event = json_string(answer, "event");
    if (event != NULL && link->out != NULL) {
        core_event_shared(link->options.core, strtoull(event, NULL, 10), link->now, link->out);
        cache_link_persist(link);
    }
}

bool cache_take_lines(struct cache_link *link, uint32_t account, const cJSON *answer, const struct cache_asked *asked)
{
    const cJSON *object;
    bool any = false;
    take_event(link, answer);
    cJSON_ArrayForEach(object, json_get(answer, "lines"))
    {
        struct cache_line line;
        struct cache_asked again = {.undoes = asked->undoes, .token = any ? 0 : asked->token};
        if (!cache_line_read(object, &line)) {
            log_event(LOG_WARN, "cache_line_unread", "account=%s", link->names[account]);
            continue;
        }
        cache_take_line(link, account, &line, &again);
        any = true;
    }
    return any;
}

cJSON *cache_take_answer(struct cache_link *link, const char *text, size_t bytes)
{
    int64_t clock_ms;
    cJSON *answer = json_parse(text, bytes, NULL);
    if (answer != NULL && json_int(answer, "clock", &clock_ms))
        cache_clock_set(&link->clock, clock_ms - link->now.mono_ms, link->now.mono_ms);
    return answer;
}
