/* core_naive_line.c — what a line's two words are, from DESIGN traps 5, 7 and 11 read aloud. */
#include "core_naive.h"

#define NEVER INT64_MIN

static int badness(enum reputation word)
{
    return word == REPUTATION_HEALTHY ? 0 : word == REPUTATION_CRITICAL ? 2 : 1;
}

static void forget_proof(struct naive_line *line)
{
    line->healthy_event_ms = line->first_agreed_ms = NEVER;
}

static void worse(struct naive_line *line, enum reputation word, bool in_ramp, struct instant now)
{
    line->proven = word;
    line->tightened_ms = now.mono_ms;
    forget_proof(line);
    if (word == REPUTATION_CRITICAL || in_ramp)
        line->hold = true; /* CRITICAL, or a ramp broken off: until HEALTHY is proven */
}

static void prove(struct naive_line *line)
{
    line->proven = REPUTATION_HEALTHY;
    line->hold = false;
    forget_proof(line);
}

/* True: the word is as bad as, or worse than, what counts, or the first one; all that it means is done. */
static bool at_once(struct naive_line *line, enum reputation word, bool in_ramp, struct instant now)
{
    if (!line->heard || badness(word) > badness(line->proven)) {
        bool first = !line->heard;
        if (!first || word == REPUTATION_CRITICAL)
            worse(line, word, in_ramp, now);
        line->proven = word;
        return true;
    }
    if (badness(word) < badness(line->proven))
        return false;
    line->proven = word;
    forget_proof(line);
    return true;
}

void naive_told(struct naive_line *line, const struct core_line_fact *fact, bool in_ramp, struct instant now)
{
    bool speaks = fact->has_reputation, serves = fact->has_service;
    bool later = fact->changed_at_ms == 0 || fact->changed_at_ms > line->event_changed_ms;
    if (!later) {
        bool same = fact->changed_at_ms == line->event_changed_ms;
        /* of two of one moment the worse counts, part by part; and what is worse also if the newest is of a clock
         * that cannot have been right, as seen from here */
        bool doubtful = line->event_changed_ms > now.wall_ms;
        bool flags = fact->service == SERVICE_FLAGGED;
        if (!same && !doubtful)
            return;
        if (same) {
            speaks = speaks && badness(fact->reputation) >= badness(line->word);
            serves = serves && (flags || !line->flagged);
        } else {
            speaks = speaks && badness(fact->reputation) > badness(line->word);
            serves = serves && flags && (!line->flagged || line->flag_by_error);
        }
        bool empty = !fact->has_reputation && !fact->has_service;
        if (!speaks && !serves && !(empty && same))
            return;
    }
    int64_t moment_ms = fact->changed_at_ms == 0 ? now.wall_ms : fact->changed_at_ms;
    bool flags_in_words = serves && fact->service == SERVICE_FLAGGED;
    if (moment_ms > line->event_changed_ms || (flags_in_words && fact->changed_at_ms != 0))
        line->event_changed_ms = moment_ms;
    line->event_arrived_ms = fact->arrived_mono_ms;
    line->heard_wall_ms = now.wall_ms;
    if (speaks) {
        bool done = at_once(line, fact->reputation, in_ramp, now);
        line->heard = true;
        line->word = fact->reputation;
        if (!done) {
            forget_proof(line);
            if (fact->reputation == REPUTATION_HEALTHY) {
                line->healthy_event_ms = fact->arrived_mono_ms;
                line->disagreed = 0;
            }
        }
    }
    bool late = line->flagged && line->flag_by_error && fact->service == SERVICE_ACTIVE && fact->changed_at_ms != 0 &&
                fact->changed_at_ms < line->flagged_ms;
    if (serves && fact->service != SERVICE_UNKNOWN && !late) {
        line->flagged = fact->service == SERVICE_FLAGGED;
        line->flag_by_error = false;
    }
}

void naive_polled(struct naive_line *line, const struct core_line_fact *fact, bool in_ramp, int64_t interval_ms,
                  struct instant now)
{
    enum reputation word = fact->reputation;
    line->missed = 0;
    line->gone = false;
    line->heard_wall_ms = now.wall_ms;
    if (fact->has_service && fact->service == SERVICE_FLAGGED && !line->flagged) {
        line->flagged = true;
        line->flag_by_error = false;
    }
    bool waits = line->healthy_event_ms != NEVER;
    if (line->event_arrived_ms >= fact->begun_mono_ms)
        return;
    if (waits && word != REPUTATION_HEALTHY && badness(word) <= badness(line->proven)) {
        if (line->disagreed++ < 3)
            return; /* the list lags behind its own webhook */
        line->healthy_event_ms = NEVER;
    }
    bool done = at_once(line, word, in_ramp, now);
    line->heard = true;
    line->word = word;
    if (done)
        return;
    if (word != REPUTATION_HEALTHY) {
        line->first_agreed_ms = NEVER;
        return;
    }
    if (fact->cached)
        return;
    if (line->healthy_event_ms != NEVER) {
        if (fact->begun_mono_ms > line->healthy_event_ms)
            prove(line);
    } else if (fact->begun_mono_ms > line->tightened_ms) {
        if (line->first_agreed_ms == NEVER)
            line->first_agreed_ms = fact->begun_mono_ms;
        else if (fact->begun_mono_ms - line->first_agreed_ms >= interval_ms)
            prove(line);
    }
}

void naive_missing(struct naive_line *line)
{
    line->first_agreed_ms = NEVER; /* a list without it between two that agree breaks them apart */
    if (!line->gone && ++line->missed >= 2)
        line->gone = true;
}

void naive_restarted_line(struct naive_line *line)
{
    line->missed = 0;
    line->event_arrived_ms = line->tightened_ms = NEVER;
    forget_proof(line);
}
