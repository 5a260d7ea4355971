/* reputation.c — merging what webhooks and polls say of a line (DESIGN traps 7 and 11).
 *
 * A line has two statuses: the word last heard, and the proven one, which makes the gate. Worse is taken at once;
 * better needs proof: after a webhook a poll begun later that agrees; without one, two polls an interval apart, both
 * begun after the last tightening. */
#include "broker/core/reputation.h"

#include <string.h>

#include "broker/core/dedupe.h"
#include "broker/core/leases.h"
#include "broker/core/line.h"
#include "broker/core/operate.h"

static const int64_t poll_again_ms[] = {1000, 2000, 5000}; /* while a poll disagrees with a webhook */
#define POLL_AGAIN_STEPS ((int)(sizeof poll_again_ms / sizeof *poll_again_ms))

/* From good to bad: HEALTHY, AT_RISK and UNKNOWN alike, CRITICAL (DESIGN trap 11). */
int reputation_badness(enum reputation reputation)
{
    static const int rank[REPUTATION_COUNT] = {
        [REPUTATION_HEALTHY] = 0, [REPUTATION_AT_RISK] = 1, [REPUTATION_UNKNOWN] = 1, [REPUTATION_CRITICAL] = 2};
    return rank[reputation];
}

static void tell_word(struct core *core, const struct line *line, struct instant now, struct effects *out)
{
    struct change *change = change_add(out, CHANGE_REPUTATION);
    change->reputation = (struct change_reputation){.line = line->known.number,
                                                    .status = line->known.word,
                                                    .previous = line->known.previous,
                                                    .source = line->known.source,
                                                    .changed_at_ms = line->known.changed_at_ms};
    change_mark(core, change, TOPIC_LINE_REPUTATION, now);
}

static void set_word(struct core *core, struct line *line, enum reputation word, enum source source,
                     int64_t changed_at_ms, struct instant now, struct effects *out)
{
    bool news = line->known.word != word || !line->known.heard;
    line->known.heard = true;
    if (!news)
        return;
    line->known.previous = line->known.word;
    line->known.word = (uint8_t)word;
    line->known.source = (uint8_t)source;
    line->known.changed_at_ms = changed_at_ms;
    tell_word(core, line, now, out);
    if (word == REPUTATION_UNKNOWN)
        effect_alert(out, ALERT_LINE_UNKNOWN_WORD, line->known.number, line->account);
}

static void prove(struct core *core, struct line *line, enum reputation proven, struct instant now)
{
    bool held = line->known.hold;
    line->known.proven = (uint8_t)proven;
    line->loosen_event_mono_ms = INT64_MIN;
    line->agreed_begun_mono_ms = INT64_MIN;
    if (proven != REPUTATION_HEALTHY || !held)
        return;
    if (operator_stands(core, line)) /* open by the operator's word already, with a ramp of its own */
        line->known.hold = false;
    else
        ramp_start(core, line, now);
}

static void tighten(const struct core *core, struct line *line, enum reputation to, struct instant now)
{
    bool in_ramp = ramp_is_on(core, line);
    uint8_t step = line->known.ramp_step;
    line->known.proven = (uint8_t)to;
    line->tightened_mono_ms = now.mono_ms;
    line->loosen_event_mono_ms = INT64_MIN;
    line->agreed_begun_mono_ms = INT64_MIN;
    if (to == REPUTATION_CRITICAL || in_ramp)
        ramp_hold(line, now);
    if (operator_stands(core, line)) /* the line goes on as the operator said, and so does its ramp */
        line->known.ramp_step = step;
}

static void heard(struct core *core, struct line *line, struct instant now)
{
    line->heard_mono_ms = now.mono_ms;
    line->known.heard_at_ms = core->accounts[line->account].heard_at_ms = now.wall_ms;
}

/* Worse, or as bad in other words: at once. True if that was all there is to do. */
static bool take_if_not_better(struct core *core, struct line *line, enum reputation to, struct instant now)
{
    enum reputation proven = (enum reputation)line->known.proven;
    if (!line->known.heard) {
        line->known.proven = (uint8_t)to; /* the first word ever is taken at once */
        if (to == REPUTATION_CRITICAL)
            tighten(core, line, to, now);
        return true;
    }
    if (reputation_badness(to) > reputation_badness(proven)) {
        tighten(core, line, to, now);
        return true;
    }
    if (reputation_badness(to) == reputation_badness(proven)) {
        line->known.proven = (uint8_t)to;
        line->agreed_begun_mono_ms = INT64_MIN;
        /* As bad as before, but newly said: proof gathered earlier no longer counts. */
        line->loosen_event_mono_ms = INT64_MIN;
        /* A hold outlives AT_RISK: a broken-off ramp ends only at HEALTHY. */
        return to != REPUTATION_HEALTHY || !line->known.hold;
    }
    return false;
}

static void ask_poll(struct core *core, uint32_t account, struct effects *out)
{
    struct effect *effect = effect_add(out, EFFECT_POLL);
    effect->account = account;
    (void)core;
}

static void told_reputation(struct core *core, uint32_t at, const struct core_line_fact *fact, struct instant now,
                            struct effects *out)
{
    struct line *line = &core->lines[at];
    bool done = take_if_not_better(core, line, fact->reputation, now);
    set_word(core, line, fact->reputation, SOURCE_WEBHOOK, fact->changed_at_ms, now, out);
    if (done)
        return;
    line->agreed_begun_mono_ms = INT64_MIN;
    line->loosen_event_mono_ms = INT64_MIN;
    if (fact->reputation != REPUTATION_HEALTHY)
        return; /* CRITICAL -> AT_RISK or UNKNOWN changes the word and not the gate */
    line->loosen_event_mono_ms = fact->arrived_mono_ms;
    line->loosen_tries = 0;
    ask_poll(core, line->account, out);
}

static void told_service(struct core *core, uint32_t at, const struct core_line_fact *fact, struct instant now,
                         struct effects *out)
{
    struct line *line = &core->lines[at];
    enum service was = (enum service)line->known.service;
    if (fact->service == SERVICE_UNKNOWN)
        return; /* a word nobody documents neither flags nor lifts */
    bool by_error = was == SERVICE_FLAGGED && line->known.service_source == SOURCE_ERROR;
    if (by_error && fact->service == SERVICE_ACTIVE && fact->changed_at_ms != 0 &&
        fact->changed_at_ms < line->known.flagged_at_ms)
        return; /* it is of before the error; if clocks merely differ, the probe lifts the flag */
    line->known.service = (uint8_t)fact->service;
    line->known.service_source = SOURCE_WEBHOOK;
    if (fact->service == SERVICE_FLAGGED && was != SERVICE_FLAGGED) {
        line->known.flagged_at_ms = now.wall_ms;
        effect_alert(out, ALERT_LINE_FLAGGED, line->known.number, line->account);
    }
    line->probe_due = line->probing = false;
    /* A newer signed ACTIVE lifts the flag; what was held goes through the ramp all the same. */
    if (fact->service == SERVICE_ACTIVE && was == SERVICE_FLAGGED && !line_stand(core, line).hold)
        ramp_climb(core, line, now);
}

/* Is the event older than what an event told before, or as old and better? */
static bool overtaken(const struct line *line, const struct core_line_fact *fact, int64_t changed_at_ms)
{
    if (line->known.event_at_ms == 0)
        return false;
    if (changed_at_ms != line->known.event_at_ms)
        return changed_at_ms < line->known.event_at_ms;
    bool better = fact->has_reputation && reputation_badness(fact->reputation) < reputation_badness((enum reputation)line->known.word);
    bool lifts = fact->has_service && fact->service != SERVICE_FLAGGED && line->known.service == SERVICE_FLAGGED;
    return better || lifts;
}

void core_line_told(struct core *core, uint64_t token, const struct core_line_fact *fact, struct instant now,
                    struct effects *out)
{
    effect_answer(out, token, CODE_NONE);
    if (fact->event != 0 && !dedupe_remember_event(core, fact->event, now, out))
        return;
    bool unseen = line_find(core, fact->number) == NO_LINE;
    uint32_t at = line_heard_of(core, fact->account, fact->number, now);
    if (at == NO_LINE)
        return;
    struct line *line = &core->lines[at];
    if (fact->changed_at_ms != 0 && overtaken(line, fact, fact->changed_at_ms))
        return;
    line->event_mono_ms = fact->arrived_mono_ms;
    line->known.event_at_ms = fact->changed_at_ms == 0 ? now.wall_ms : fact->changed_at_ms;
    heard(core, line, now);
    if (fact->has_reputation)
        told_reputation(core, at, fact, now, out);
    if (fact->has_service)
        told_service(core, at, fact, now, out);
    if (unseen)
        ask_poll(core, line->account, out);
    line_record(core, at, now, out);
    gate_update(core, at, now, out);
}

/* A poll says HEALTHY of a line that is worse, or held, as far as proven. */
static void polled_better(struct core *core, uint32_t at, const struct core_line_fact *fact, struct instant now)
{
    struct line *line = &core->lines[at];
    const struct account *account = &core->accounts[line->account];
    if (fact->cached)
        return;
    if (line->loosen_event_mono_ms != INT64_MIN) {
        if (fact->begun_mono_ms > line->loosen_event_mono_ms)
            prove(core, line, REPUTATION_HEALTHY, now);
        return;
    }
    if (fact->begun_mono_ms <= line->tightened_mono_ms)
        return;
    if (line->agreed_begun_mono_ms == INT64_MIN)
        line->agreed_begun_mono_ms = fact->begun_mono_ms;
    else if (fact->begun_mono_ms - line->agreed_begun_mono_ms >= account->poll_interval_ms)
        prove(core, line, REPUTATION_HEALTHY, now);
}

static void poll_soon(struct core *core, const struct line *line, int64_t at_mono_ms)
{
    uint32_t owner = core->mono_first[MONO_POLL_SOON] + line->account;
    if (at_mono_ms < timers_of(&core->mono, owner))
        timers_set(&core->mono, owner, at_mono_ms);
}

/* A poll begun after a webhook said HEALTHY does not agree yet: ask again soon, a few times. */
static bool ask_again(struct core *core, struct line *line, struct instant now)
{
    if (line->loosen_tries >= POLL_AGAIN_STEPS)
        return false;
    poll_soon(core, line, now.mono_ms + poll_again_ms[line->loosen_tries++]);
    return true;
}

static void polled_reputation(struct core *core, uint32_t at, const struct core_line_fact *fact, struct instant now,
                              struct effects *out)
{
    struct line *line = &core->lines[at];
    bool awaited = line->loosen_event_mono_ms != INT64_MIN;
    if (line->event_mono_ms >= fact->begun_mono_ms) {
        /* An event that arrived after the poll's start (or in the same moment: who knows) is newer. The poll that a
         * webhook asked for may have begun within its very millisecond: then it proves nothing and another must. */
        if (awaited && line->event_mono_ms == fact->begun_mono_ms)
            poll_soon(core, line, now.mono_ms + poll_again_ms[0]);
        return;
    }
    if (awaited && fact->reputation != REPUTATION_HEALTHY &&
        reputation_badness(fact->reputation) <= reputation_badness((enum reputation)line->known.proven)) {
        if (ask_again(core, line, now))
            return; /* the list lags behind its own webhook: the word stays the webhook's */
        line->loosen_event_mono_ms = INT64_MIN; /* no lag any more: the poll is the newer word */
    }
    bool done = take_if_not_better(core, line, fact->reputation, now);
    set_word(core, line, fact->reputation, SOURCE_POLL, now.wall_ms, now, out);
    if (!done && fact->reputation == REPUTATION_HEALTHY)
        polled_better(core, at, fact, now);
    else if (!done)
        line->agreed_begun_mono_ms = INT64_MIN;
}

/* What a restart must know, whether or not it moves the gate (a paused line is closed anyway). */
struct standing {
    uint8_t word, proven, service, ramp_step;
    bool heard, hold, gone;
};

static struct standing standing_of(const struct line *line)
{
    const struct change_line *known = &line->known;
    struct standing standing;
    memset(&standing, 0, sizeof standing);
    standing.word = known->word;
    standing.proven = known->proven;
    standing.service = known->service;
    standing.ramp_step = known->ramp_step;
    standing.heard = known->heard;
    standing.hold = known->hold;
    standing.gone = known->gone;
    return standing;
}

void core_line_polled(struct core *core, const struct core_line_fact *fact, struct instant now, struct effects *out)
{
    uint32_t at = line_heard_of(core, fact->account, fact->number, now);
    if (at == NO_LINE)
        return;
    struct line *line = &core->lines[at];
    struct standing before = standing_of(line);
    line->seen_poll = fact->poll;
    line->known.missed_polls = 0;
    line->known.gone = false;
    heard(core, line, now);
    polled_reputation(core, at, fact, now, out);
    if (fact->has_service && fact->service == SERVICE_FLAGGED && line->known.service != SERVICE_FLAGGED) {
        line->known.service = SERVICE_FLAGGED;
        line->known.service_source = SOURCE_POLL;
        line->known.flagged_at_ms = now.wall_ms;
        effect_alert(out, ALERT_LINE_FLAGGED, line->known.number, line->account);
    }
    struct standing after = standing_of(line);
    bool news = memcmp(&before, &after, sizeof after) != 0;
    /* So that a restart treats what it knows as of its age, without a record per line and poll. */
    if (news || now.wall_ms - line->recorded_heard_ms > core->accounts[line->account].stale_after_ms / 2)
        line_record(core, at, now, out);
    gate_update(core, at, now, out);
}

static void miss(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    struct line *line = &core->lines[at];
    line->agreed_begun_mono_ms = INT64_MIN; /* a list without it between two that open it breaks them apart */
    if (line->known.gone || ++line->known.missed_polls < 2)
        return;
    line->known.gone = true;
    effect_alert(out, ALERT_LINE_GONE, line->known.number, line->account);
    line_record(core, at, now, out);
    gate_update(core, at, now, out);
}

void reputation_miss_rest(struct core *core, uint32_t account_at, struct instant now, struct effects *out)
{
    struct account *account = &core->accounts[account_at];
    for (; account->missing_poll != 0 && effects_have_room(out); account->missing_at++) {
        const struct line *line = &core->lines[account->missing_at];
        if (account->missing_at == core->line_count)
            account->missing_poll = 0;
        else if (line->account == account_at && line->seen_poll != account->missing_poll)
            miss(core, account->missing_at, now, out);
    }
}

void core_poll_ended(struct core *core, const struct core_poll *poll, struct instant now, struct effects *out)
{
    struct account *account = &core->accounts[poll->account];
    if (poll->key_refused)
        account_refuse_key(core, poll->account, now, out);
    if (!poll->ok)
        return;
    account->polled = true;
    account_accept_key(core, poll->account, now);
    account->missing_poll = poll->poll;
    account->missing_at = 0;
    account_wake(core, poll->account, now, out);
}
