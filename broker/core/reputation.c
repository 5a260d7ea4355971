/* reputation.c — what follows for a line from what webhooks and polls say of it, which merge.c merges: its ramp, its gate,
 * who is told. */
#include "broker/core/reputation.h"

#include <string.h>

#include "broker/core/dedupe.h"
#include "broker/core/leases.h"
#include "broker/core/line.h"
#include "broker/core/operate.h"

static void tell_word(struct core *core, const struct line *line, struct instant now, struct effects *out)
{
    struct change *change = change_add(out, CHANGE_REPUTATION);
    change->reputation = (struct change_reputation){.line = line->known.number,
                                                    .status = line->known.word,
                                                    .previous = line->known.previous,
                                                    .source = line->known.source,
                                                    .changed_at_ms = line->known.changed_at_ms};
    change_mark(core, change, TOPIC_LINE_REPUTATION, now);
    if (line->known.word == REPUTATION_UNKNOWN)
        effect_alert(out, ALERT_LINE_UNKNOWN_WORD, line->known.number, line->account);
}

/* HEALTHY is proven: what was held goes through the ramp, unless the line is open by the operator's word already, with a
 * ramp of its own. */
static void recover(const struct core *core, struct line *line, struct instant now)
{
    if (!line->known.hold)
        return;
    if (operator_stands(core, line))
        line->known.hold = false;
    else
        ramp_start(core, line, now);
}

static void tighten(const struct core *core, struct line *line, struct instant now)
{
    bool in_ramp = ramp_is_on(core, line);
    uint8_t step = line->known.ramp_step;
    if (line->known.proven == REPUTATION_CRITICAL || in_ramp)
        ramp_hold(line, now);
    if (operator_stands(core, line)) /* the line goes on as the operator said, and so does its ramp */
        line->known.ramp_step = step;
}

static void ask_poll(uint32_t account, struct effects *out)
{
    struct effect *effect = effect_add(out, EFFECT_POLL);
    effect->account = account;
}

static void poll_soon(struct core *core, const struct line *line, int64_t at_mono_ms)
{
    uint32_t owner = core->mono_first[MONO_POLL_SOON] + line->account;
    if (at_mono_ms < timers_of(&core->mono, owner))
        timers_set(&core->mono, owner, at_mono_ms, 0);
}

static void hear(struct core *core, struct line *line, struct instant now)
{
    line->heard_mono_ms = now.mono_ms;
    core->accounts[line->account].heard_at_ms = now.wall_ms;
}

static void follow(struct core *core, struct line *line, const struct merged *merged, struct instant now,
                   struct effects *out)
{
    if (merged->tighter)
        tighten(core, line, now);
    if (merged->word)
        tell_word(core, line, now, out);
    if (merged->proven)
        recover(core, line, now);
    if (merged->asks_poll)
        ask_poll(line->account, out);
    if (merged->asks_poll_in_ms != 0)
        poll_soon(core, line, now.mono_ms + merged->asks_poll_in_ms);
    if (merged->flagged)
        effect_alert(out, ALERT_LINE_FLAGGED, line->known.number, line->account);
    if (merged->service)
        flag_forget_probes(core, line);
    /* A newer signed ACTIVE lifts the flag; what was held goes through the ramp all the same. */
    if (merged->lifted && !line_stand(core, line).hold)
        ramp_climb(core, line, now);
}

void core_line_told(struct core *core, uint64_t token, const struct core_line_fact *fact, struct instant now,
                    struct effects *out)
{
    effect_answer(out, token, CODE_NONE);
    if (fact->event != 0 && !dedupe_remember_event(core, fact->event, now, out))
        return;
    bool unseen = line_find(core, fact->number) == NO_LINE;
    uint32_t at = line_heard_of(core, fact->account, fact->number, now, out);
    if (at == NO_LINE)
        return;
    struct line *line = &core->lines[at];
    struct merged merged = merge_told(&line->known, &line->moments, fact, now);
    if (merged.overtaken)
        return;
    hear(core, line, now);
    follow(core, line, &merged, now, out);
    if (unseen)
        ask_poll(line->account, out);
    line_record(core, at, now, out);
    gate_update(core, at, now, out);
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
    uint32_t at = line_heard_of(core, fact->account, fact->number, now, out);
    if (at == NO_LINE)
        return;
    struct line *line = &core->lines[at];
    const struct account *account = &core->accounts[line->account];
    struct standing before = standing_of(line);
    line->seen_poll = fact->poll;
    struct merged merged = merge_polled(&line->known, &line->moments, fact, account->poll_interval_ms, now);
    hear(core, line, now);
    follow(core, line, &merged, now, out);
    struct standing after = standing_of(line);
    bool news = memcmp(&before, &after, sizeof after) != 0;
    /* So that a restart treats what it knows as of its age, without a record per line and poll. */
    if (news || now.wall_ms - line->recorded_heard_ms > account->stale_after_ms / 2)
        line_record(core, at, now, out);
    gate_update(core, at, now, out);
}

bool core_line_warned(struct core *core, const struct core_line_fact *fact, struct instant now, struct effects *out)
{
    struct core_line_fact worse = *fact;
    if (fact->event != 0 && dedupe_find(core, fact->event) != NULL)
        return false;
    uint32_t at = line_heard_of(core, fact->account, fact->number, now, out);
    if (at == NO_LINE || !merge_only_worse(&core->lines[at].known, &worse))
        return false;
    struct line *line = &core->lines[at];
    struct merged merged = merge_told(&line->known, &line->moments, &worse, now);
    if (merged.overtaken)
        return false;
    hear(core, line, now);
    follow(core, line, &merged, now, out);
    line_record(core, at, now, out);
    gate_update(core, at, now, out);
    return true;
}

void core_event_shared(struct core *core, uint64_t event, struct instant now, struct effects *out)
{
    if (event != 0)
        (void)dedupe_remember_event(core, event, now, out);
}

bool core_line_words(const struct core *core, uint32_t account, uint64_t number, struct line_words *out)
{
    uint32_t at = line_of_account(core, account, number);
    if (at == NO_LINE)
        return false;
    const struct line *line = &core->lines[at];
    bool shared = line->shared_version != 0 && line->moments.tightened == line->shared_tightened_here;
    *out = (struct line_words){&line->known, &line->moments, shared ? line->shared_tightened_ms : NEVER_SAID};
    return true;
}

bool core_line_of_account(const struct core *core, uint32_t account, uint32_t *at, uint64_t *number)
{
    while (*at < core->line_count && !line_is_of(core, &core->lines[*at], account))
        ++*at;
    if (*at >= core->line_count)
        return false;
    *number = core->lines[*at].known.number;
    return true;
}

void core_line_shared(struct core *core, const struct core_line_shared *shared, struct instant now, struct effects *out)
{
    if (shared->token != 0)
        effect_answer(out, shared->token, CODE_NONE);
    uint32_t at = line_heard_of(core, shared->account, shared->known->number, now, out);
    if (at == NO_LINE)
        return;
    struct line *line = &core->lines[at];
    if (shared->version < line->shared_version)
        return; /* two messages have overtaken each other */
    line->shared_version = shared->version;
    struct standing before = standing_of(line);
    struct merged merged =
        merge_shared(&line->known, &line->moments, shared->known, shared->moments, shared->only_worse);
    if (shared->heard_mono_ms > line->heard_mono_ms)
        line->heard_mono_ms = shared->heard_mono_ms;
    struct account *account = &core->accounts[line->account];
    if (line->known.heard_at_ms > account->heard_at_ms)
        account->heard_at_ms = line->known.heard_at_ms;
    if (line->moments.tightened == shared->moments->tightened) {
        line->shared_tightened_ms = shared->tightened_ms;
        line->shared_tightened_here = shared->moments->tightened;
    }
    /* Another broker polls the account, and its polls are what a refused key is tried with. */
    if (shared->heard_mono_ms > account->refused_ms)
        account_accept_key(core, line->account, now);
    follow(core, line, &merged, now, out);
    if (merged.gone)
        effect_alert(out, ALERT_LINE_GONE, line->known.number, line->account);
    struct standing after = standing_of(line);
    bool news = merged.service || memcmp(&before, &after, sizeof after) != 0;
    if (news || line->known.heard_at_ms - line->recorded_heard_ms > account->stale_after_ms / 2)
        line_record(core, at, now, out);
    gate_update(core, at, now, out);
}

static void miss(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    struct line *line = &core->lines[at];
    if (!merge_missed(&line->known, &line->moments))
        return;
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
        else if (line_is_of(core, line, account_at) && line->seen_poll != account->missing_poll)
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
