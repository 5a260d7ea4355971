/* cache_take.c — what Redis has made of what was stated, taken over: lines into the core, and whatever Redis has lost told to
 * it again. */
#include "broker/cache/cache_link_part.h"
#include "broker/cache/cache_say.h"
#include "lineward/log.h"

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

void cache_take_line(struct cache_link *link, uint32_t account, struct cache_line *line, uint64_t token)
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
        (void)cache_link_run(link, account, TAG_PLAIN);
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
    cache_link_persist(link);
}

bool cache_take_lines(struct cache_link *link, uint32_t account, const cJSON *answer, uint64_t token)
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
        cache_take_line(link, account, &line, any ? 0 : token);
        any = true;
    }
    return any;
}

/* The clock as the answer has it is of before it arrived: what is converted with it seems later than it was, and so is
 * never proof that it should not be. */
cJSON *cache_take_answer(struct cache_link *link, const char *text, size_t bytes)
{
    int64_t clock_ms;
    cJSON *answer = json_parse(text, bytes, NULL);
    if (answer != NULL && json_int(answer, "clock", &clock_ms)) {
        link->ahead_ms = clock_ms - link->now.mono_ms;
        link->has_clock = true;
    }
    return answer;
}
