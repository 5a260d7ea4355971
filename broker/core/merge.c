/* merge.c — see merge.h. */
#include "broker/core/merge.h"

static const int64_t poll_again_ms[] = {1000, 2000, 5000}; /* while a poll disagrees with a webhook */
#define POLL_AGAIN_STEPS ((int)(sizeof poll_again_ms / sizeof *poll_again_ms))

void moments_begin(struct moments *moments)
{
    *moments = (struct moments){
        .event = NEVER_SAID, .tightened = NEVER_SAID, .loosen_event = NEVER_SAID, .agreed_begun = NEVER_SAID,
        .flagged = NEVER_SAID};
}

int reputation_badness(enum reputation reputation)
{
    static const int rank[REPUTATION_COUNT] = {
        [REPUTATION_HEALTHY] = 0, [REPUTATION_AT_RISK] = 1, [REPUTATION_UNKNOWN] = 1, [REPUTATION_CRITICAL] = 2};
    return rank[reputation];
}

static void forget_proof(struct moments *moments)
{
    moments->loosen_event = NEVER_SAID;
    moments->agreed_begun = NEVER_SAID;
}

static void set_word(struct change_line *known, enum reputation word, enum source source, int64_t changed_at_ms,
                     struct merged *merged)
{
    merged->word = known->word != word || !known->heard;
    known->heard = true;
    if (!merged->word)
        return;
    known->previous = known->word;
    known->word = (uint8_t)word;
    known->source = (uint8_t)source;
    known->changed_at_ms = changed_at_ms;
}

static void prove(struct change_line *known, struct moments *moments, struct merged *merged)
{
    known->proven = REPUTATION_HEALTHY;
    forget_proof(moments);
    merged->proven = true;
}

static void tighten(struct change_line *known, struct moments *moments, enum reputation to, struct instant now,
                    struct merged *merged)
{
    known->proven = (uint8_t)to;
    moments->tightened = now.mono_ms;
    forget_proof(moments);
    merged->tighter = true;
}

/* Worse, or as bad in other words: at once. True if that was all there is to do. */
static bool take_if_not_better(struct change_line *known, struct moments *moments, enum reputation to,
                               struct instant now, struct merged *merged)
{
    int proven = reputation_badness((enum reputation)known->proven);
    if (!known->heard) {
        known->proven = (uint8_t)to; /* the first word ever is taken at once */
        if (to == REPUTATION_CRITICAL)
            tighten(known, moments, to, now, merged);
        return true;
    }
    if (reputation_badness(to) > proven) {
        tighten(known, moments, to, now, merged);
        return true;
    }
    if (reputation_badness(to) < proven)
        return false;
    known->proven = (uint8_t)to;
    forget_proof(moments); /* as bad as before, but newly said: proof gathered earlier no longer counts */
    return true;
}

/* ---- webhooks ---- */

/* What counts of an event: all of a later one, or one without a moment. Of two of one moment the worse word wins, in
 * both orders. Of an older one nothing does, unless the newest lies ahead of us: clocks differ or one went back
 * since, and that is no measure for what is worse. */
static struct core_line_fact what_counts(const struct change_line *known, const struct core_line_fact *told,
                                         struct instant now)
{
    struct core_line_fact fact = *told;
    if (told->changed_at_ms == 0 || told->changed_at_ms > known->event_at_ms)
        return fact;
    bool tie = told->changed_at_ms == known->event_at_ms, ahead = known->event_at_ms > now.wall_ms;
    int worse = reputation_badness(told->reputation) - reputation_badness((enum reputation)known->word);
    bool flags = told->service == SERVICE_FLAGGED, flagged = known->service == SERVICE_FLAGGED;
    bool in_words = flagged && known->service_source != SOURCE_ERROR; /* else a probe lifts it */
    fact.has_reputation &= tie ? worse >= 0 : ahead && worse > 0;
    fact.has_service &= tie ? flags || !flagged : ahead && flags && !in_words;
    return fact;
}

/* Is it older than what counts already, or is nothing left of it? */
static bool is_overtaken(const struct change_line *known, const struct core_line_fact *told,
                         const struct core_line_fact *fact)
{
    bool older = told->changed_at_ms != 0 && told->changed_at_ms < known->event_at_ms;
    bool had_some = told->has_reputation || told->has_service;
    return had_some ? !fact->has_reputation && !fact->has_service : older;
}

static void told_reputation(struct change_line *known, struct moments *moments, const struct core_line_fact *fact,
                            struct instant now, struct merged *merged)
{
    bool done = take_if_not_better(known, moments, fact->reputation, now, merged);
    set_word(known, fact->reputation, SOURCE_WEBHOOK, fact->changed_at_ms, merged);
    if (done)
        return;
    forget_proof(moments);
    if (fact->reputation != REPUTATION_HEALTHY)
        return; /* CRITICAL -> AT_RISK or UNKNOWN changes the word and not the gate */
    moments->loosen_event = fact->arrived_mono_ms;
    moments->loosen_tries = 0;
    merged->asks_poll = true;
}

static void told_service(struct change_line *known, struct moments *moments, const struct core_line_fact *fact,
                         struct instant now, struct merged *merged)
{
    bool was_flagged = known->service == SERVICE_FLAGGED;
    if (fact->service == SERVICE_UNKNOWN)
        return; /* a word nobody documents neither flags nor lifts */
    if (was_flagged && known->service_source == SOURCE_ERROR && fact->service == SERVICE_ACTIVE &&
        fact->changed_at_ms != 0 && fact->changed_at_ms < known->flagged_at_ms)
        return; /* it is of before the error; if clocks merely differ, the probe lifts the flag */
    known->service = (uint8_t)fact->service;
    known->service_source = SOURCE_WEBHOOK;
    merged->service = true;
    merged->flagged = fact->service == SERVICE_FLAGGED && !was_flagged;
    merged->lifted = fact->service == SERVICE_ACTIVE && was_flagged;
    if (!merged->flagged)
        return;
    known->flagged_at_ms = now.wall_ms;
    moments->flagged = now.mono_ms;
}

bool merge_only_worse(const struct change_line *known, struct core_line_fact *fact)
{
    int proven = reputation_badness((enum reputation)known->proven);
    fact->has_reputation &= !known->heard || reputation_badness(fact->reputation) > proven;
    fact->has_service &= fact->service == SERVICE_FLAGGED && known->service != SERVICE_FLAGGED;
    return fact->has_reputation || fact->has_service;
}

/* Only a later ACTIVE lifts a flag: what is later goes by the flag's own moment, though the newest lay ahead of it. */
static void follow_event(struct change_line *known, const struct core_line_fact *fact, struct instant now)
{
    bool has_moment = fact->changed_at_ms != 0, flags = fact->has_service && fact->service == SERVICE_FLAGGED;
    int64_t event_at_ms = has_moment ? fact->changed_at_ms : now.wall_ms;
    if (event_at_ms > known->event_at_ms || (flags && has_moment))
        known->event_at_ms = event_at_ms;
}

struct merged merge_told(struct change_line *known, struct moments *moments, const struct core_line_fact *told,
                         struct instant now)
{
    const struct core_line_fact fact = what_counts(known, told, now);
    struct merged merged = {.overtaken = is_overtaken(known, told, &fact)};
    if (merged.overtaken)
        return merged;
    moments->event = fact.arrived_mono_ms;
    known->heard_at_ms = now.wall_ms;
    if (fact.has_reputation)
        told_reputation(known, moments, &fact, now, &merged);
    if (fact.has_service)
        told_service(known, moments, &fact, now, &merged);
    follow_event(known, &fact, now);
    return merged;
}

/* ---- polls ---- */

/* A poll says HEALTHY of a line that is worse, or held, as far as proven. */
static void polled_better(struct change_line *known, struct moments *moments, const struct core_line_fact *fact,
                          int64_t poll_interval_ms, struct merged *merged)
{
    if (fact->cached)
        return;
    if (moments->loosen_event != NEVER_SAID) {
        if (fact->begun_mono_ms > moments->loosen_event)
            prove(known, moments, merged);
        return;
    }
    if (fact->begun_mono_ms <= moments->tightened)
        return;
    if (moments->agreed_begun == NEVER_SAID)
        moments->agreed_begun = fact->begun_mono_ms;
    else if (fact->begun_mono_ms - moments->agreed_begun >= poll_interval_ms)
        prove(known, moments, merged);
}

/* A poll begun after a webhook said HEALTHY does not agree yet: ask again soon, a few times. */
static bool asks_again(struct moments *moments, struct merged *merged)
{
    if (moments->loosen_tries >= POLL_AGAIN_STEPS)
        return false;
    merged->asks_poll_in_ms = poll_again_ms[moments->loosen_tries++];
    return true;
}

static void polled_reputation(struct change_line *known, struct moments *moments, const struct core_line_fact *fact,
                              int64_t poll_interval_ms, struct instant now, struct merged *merged)
{
    bool awaited = moments->loosen_event != NEVER_SAID;
    if (moments->event >= fact->begun_mono_ms) {
        /* An event that arrived after the poll's start (or in the same moment: who knows) is newer. The poll that a
         * webhook asked for may have begun within its very millisecond: then it proves nothing and another must. */
        if (awaited && moments->event == fact->begun_mono_ms)
            merged->asks_poll_in_ms = poll_again_ms[0];
        return;
    }
    if (awaited && fact->reputation != REPUTATION_HEALTHY &&
        reputation_badness(fact->reputation) <= reputation_badness((enum reputation)known->proven)) {
        if (asks_again(moments, merged))
            return; /* the list lags behind its own webhook: the word stays the webhook's */
        moments->loosen_event = NEVER_SAID; /* no lag any more: the poll is the newer word */
    }
    bool done = take_if_not_better(known, moments, fact->reputation, now, merged);
    set_word(known, fact->reputation, SOURCE_POLL, now.wall_ms, merged);
    if (!done && fact->reputation == REPUTATION_HEALTHY)
        polled_better(known, moments, fact, poll_interval_ms, merged);
    else if (!done)
        moments->agreed_begun = NEVER_SAID;
}

struct merged merge_polled(struct change_line *known, struct moments *moments, const struct core_line_fact *fact,
                           int64_t poll_interval_ms, struct instant now)
{
    struct merged merged = {0};
    known->missed_polls = 0;
    known->gone = false;
    known->heard_at_ms = now.wall_ms;
    polled_reputation(known, moments, fact, poll_interval_ms, now, &merged);
    if (fact->has_service && fact->service == SERVICE_FLAGGED && known->service != SERVICE_FLAGGED) {
        known->service = SERVICE_FLAGGED;
        known->service_source = SOURCE_POLL;
        known->flagged_at_ms = now.wall_ms;
        moments->flagged = now.mono_ms;
        merged.flagged = true;
    }
    return merged;
}

/* ---- another body ---- */

static void take_service(struct change_line *known, struct moments *moments, const struct change_line *theirs,
                         bool only_worse, struct merged *merged)
{
    bool is_flagged = theirs->service == SERVICE_FLAGGED, was_flagged = known->service == SERVICE_FLAGGED;
    bool same = known->service == theirs->service && known->service_source == theirs->service_source &&
                known->flagged_at_ms == theirs->flagged_at_ms;
    if (same || (only_worse && !is_flagged))
        return;
    known->service = theirs->service;
    known->service_source = theirs->service_source;
    known->flagged_at_ms = theirs->flagged_at_ms;
    moments->flagged = NEVER_SAID;
    merged->service = true;
    merged->flagged = is_flagged && !was_flagged;
    merged->lifted = was_flagged && !is_flagged;
}

static void take_word(struct change_line *known, const struct change_line *theirs, struct merged *merged)
{
    merged->word = theirs->heard && (!known->heard || known->word != theirs->word);
    known->heard = theirs->heard;
    known->word = theirs->word;
    known->previous = theirs->previous;
    known->source = theirs->source;
    known->changed_at_ms = theirs->changed_at_ms;
    known->event_at_ms = theirs->event_at_ms;
}

struct merged merge_shared(struct change_line *known, struct moments *moments, const struct change_line *theirs,
                           const struct moments *their_moments, bool only_worse)
{
    struct merged merged = {0};
    bool first = !known->heard;
    int ours = reputation_badness((enum reputation)known->proven);
    int said = reputation_badness((enum reputation)theirs->proven);
    take_service(known, moments, theirs, only_worse, &merged);
    bool speaks = theirs->heard || first; /* of its reputation; else only of its service, or that it is gone */
    if (only_worse && !first && said <= ours)
        return merged;
    if (speaks) {
        merged.tighter = first ? theirs->proven == REPUTATION_CRITICAL : said > ours;
        merged.proven = theirs->heard && theirs->proven == REPUTATION_HEALTHY && (first || said < ours);
        take_word(known, theirs, &merged);
        known->proven = theirs->proven;
        int64_t flagged = moments->flagged;
        *moments = *their_moments;
        moments->flagged = flagged;
    }
    if (only_worse)
        return merged;
    merged.gone = theirs->gone && !known->gone;
    merged.listed = !theirs->gone && known->gone;
    known->gone = theirs->gone;
    known->missed_polls = theirs->missed_polls;
    if (theirs->heard_at_ms > known->heard_at_ms)
        known->heard_at_ms = theirs->heard_at_ms;
    return merged;
}

bool merge_missed(struct change_line *known, struct moments *moments)
{
    moments->agreed_begun = NEVER_SAID; /* a list without it between two that open it breaks them apart */
    if (known->gone || ++known->missed_polls < 2)
        return false;
    known->gone = true;
    return true;
}
