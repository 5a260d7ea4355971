/* operate.c — see operate.h.
 *
 * A word to the worse only ever tightens: the worse of the provider's and the operator's counts. A word to the better (or
 * the same, from who may say so) stands whatever the provider says of the reputation; flag, presence, silence and pauses
 * are other axes and close the line all the same. What it opens goes through the ramp, and so does what its end opens. */
#include "broker/core/operate.h"

#include <string.h>

#include "broker/core/drain.h"
#include "broker/core/leases.h"
#include "broker/core/line.h"
#include "broker/core/move.h"
#include "broker/core/reputation.h"
#include "broker/core/turns.h"

static const struct change_orders *orders_of(const struct core *core, const struct line *line)
{
    return &core->orders[line - core->lines].change;
}

static enum reputation worse(enum reputation a, enum reputation b)
{
    return reputation_badness(b) > reputation_badness(a) ? b : a;
}

struct stand line_stand(const struct core *core, const struct line *line)
{
    const struct change_orders *orders = orders_of(core, line);
    enum reputation said = (enum reputation)orders->word;
    struct stand stand = {.word = (enum reputation)line->known.word,
                          .proven = (enum reputation)line->known.proven,
                          .hold = line->known.hold};
    if (orders->word_since_ms == 0)
        return stand;
    if (orders->word_stands)
        return (struct stand){.word = said, .proven = said};
    stand.word = worse(stand.word, said);
    stand.proven = worse(stand.proven, said);
    return stand;
}

bool stand_closes(const struct stand *stand)
{
    return stand->proven == REPUTATION_CRITICAL || stand->hold;
}

bool operator_stands(const struct core *core, const struct line *line)
{
    const struct change_orders *orders = orders_of(core, line);
    return orders->word_since_ms != 0 && orders->word_stands;
}

bool operator_is_heard(const struct core *core, const struct line *line)
{
    const struct change_orders *orders = orders_of(core, line);
    int said = reputation_badness((enum reputation)orders->word);
    bool worse_known = line->known.hold || reputation_badness((enum reputation)line->known.proven) >= said;
    return orders->word_since_ms != 0 && (orders->word_stands || !worse_known);
}

void orders_record(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    struct change *change = change_add(out, CHANGE_ORDERS);
    core->orders[at].used = true;
    core->orders[at].change.line = core->lines[at].known.number;
    change->orders = &core->orders[at].change;
    change->event.at_ms = now.wall_ms;
}

enum err operate_restore(struct core *core, const struct change_orders *orders)
{
    uint32_t at = line_get(core, 0, orders->line, (struct instant){0});
    if (at == NO_LINE)
        return ERR_FULL;
    core->orders[at].change = *orders;
    core->orders[at].used = true;
    return ERR_NONE;
}

void orders_copy_text(char *to, size_t room, const char *from)
{
    size_t bytes = from == NULL ? 0 : strnlen(from, room - 1);
    memcpy(to, from == NULL ? "" : from, bytes);
    to[bytes] = '\0';
}

/* ---- cordon ---- */

void core_cordon(struct core *core, uint64_t token, uint64_t number, bool on, struct instant now, struct effects *out)
{
    uint32_t at = line_find(core, number);
    if (at == NO_LINE) {
        effect_answer(out, token, CODE_UNKNOWN_LINE);
        return;
    }
    core->lines[at].known.cordoned = on;
    line_record(core, at, now, out);
    turns_touch_line(core, at, now);
    leases_revoke_line(core, at, now, out); /* those that would begin a conversation here and have not begun */
    effect_answer(out, token, CODE_NONE);
}

/* ---- a reputation ---- */

static void tell_word(struct core *core, const struct line *line, enum reputation status, enum reputation previous,
                      enum source source, struct instant now, struct effects *out)
{
    struct change *change = change_add(out, CHANGE_REPUTATION);
    change->reputation = (struct change_reputation){.line = line->known.number,
                                                    .status = (uint8_t)status,
                                                    .previous = (uint8_t)previous,
                                                    .source = (uint8_t)source,
                                                    .changed_at_ms = now.wall_ms};
    change_mark(core, change, TOPIC_LINE_REPUTATION, now);
}

/* The orders changed: what that opens goes through the ramp. */
static void take_effect(struct core *core, uint32_t at, bool was_closed, struct instant now, struct effects *out)
{
    struct line *line = &core->lines[at];
    struct stand stand = line_stand(core, line);
    if (stand_closes(&stand))
        line->known.ramp_step = 0;
    else if (was_closed)
        ramp_climb(core, line, now);
    orders_record(core, at, now, out);
    line_record(core, at, now, out);
    gate_update(core, at, now, out);
}

static int badness_of_provider(const struct line *line)
{
    if (line->known.hold)
        return reputation_badness(REPUTATION_CRITICAL);
    return reputation_badness(worse((enum reputation)line->known.proven, (enum reputation)line->known.word));
}

void core_reputation(struct core *core, const struct core_word *ask, struct instant now, struct effects *out)
{
    uint32_t at = line_find(core, ask->line);
    if (at == NO_LINE) {
        effect_answer(out, ask->token, CODE_UNKNOWN_LINE);
        return;
    }
    struct line *line = &core->lines[at];
    struct stand before = line_stand(core, line);
    int said = reputation_badness(ask->status);
    int known = badness_of_provider(line);
    if (said < known && !ask->may_better) {
        effect_answer(out, ask->token, CODE_FORBIDDEN);
        return;
    }
    struct change_orders *orders = &core->orders[at].change;
    orders->word = (uint8_t)ask->status;
    orders->word_stands = ask->may_better && said <= known;
    orders->word_since_ms = now.wall_ms;
    orders->word_until_ms = now.wall_ms + ask->for_ms;
    core->orders[at].word_ends_ms = 0;
    orders_copy_text(orders->word_reason, sizeof orders->word_reason, ask->reason);
    orders_copy_text(orders->word_by, sizeof orders->word_by, ask->by);
    tell_word(core, line, ask->status, before.word, SOURCE_OPERATOR, now, out);
    take_effect(core, at, stand_closes(&before), now, out);
    effect_answer(out, ask->token, CODE_NONE);
}

static void end_word(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    struct line *line = &core->lines[at];
    struct change_orders *orders = &core->orders[at].change;
    struct stand before = line_stand(core, line);
    orders->word_since_ms = orders->word_until_ms = core->orders[at].word_ends_ms = 0;
    orders->word_stands = false;
    tell_word(core, line, (enum reputation)line->known.word, before.word, (enum source)line->known.source, now, out);
    take_effect(core, at, stand_closes(&before), now, out);
}

void core_reputation_end(struct core *core, uint64_t token, uint64_t number, struct instant now, struct effects *out)
{
    uint32_t at = line_find(core, number);
    bool any = at != NO_LINE && core->orders[at].change.word_since_ms != 0;
    if (any)
        end_word(core, at, now, out);
    effect_answer(out, token, at == NO_LINE ? CODE_UNKNOWN_LINE : any ? CODE_NONE : CODE_NOT_FOUND);
}

/* ---- time ---- */

bool operate_is_ahead(const struct core *core, const struct line *line, struct instant now)
{
    return orders_of(core, line)->word_since_ms > now.wall_ms;
}

void operate_back(struct core *core, uint32_t at, struct instant now)
{
    const struct change_orders *orders = &core->orders[at].change;
    if (operate_is_ahead(core, &core->lines[at], now) && core->orders[at].word_ends_ms == 0)
        core->orders[at].word_ends_ms = now.mono_ms + orders->word_until_ms - orders->word_since_ms;
}

/* On the steady clock, as things are. */
static int64_t word_ends_ms(const struct core *core, uint32_t at, struct instant now)
{
    const struct orders *orders = &core->orders[at];
    int64_t ends_ms = now.mono_ms + orders->change.word_until_ms - now.wall_ms;
    return orders->word_ends_ms != 0 && orders->word_ends_ms < ends_ms ? orders->word_ends_ms : ends_ms;
}

void operate_wake(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    const struct change_orders *orders = &core->orders[at].change;
    if (orders->word_since_ms != 0 && word_ends_ms(core, at, now) <= now.mono_ms)
        end_word(core, at, now, out);
    struct line *line = &core->lines[at];
    if (now.mono_ms < line->slice_ms || (!move_is_due(core, line, now) && !drain_is_due(core, line, now)))
        return;
    line->slice_ms = now.mono_ms + 1; /* other things have their turn in between */
    move_slice(core, at, now, out);
    drain_slice(core, at, now, out);
}

int64_t operate_next_ms(const struct core *core, const struct line *line, struct instant now)
{
    const struct change_orders *orders = orders_of(core, line);
    if (move_is_due(core, line, now) || drain_is_due(core, line, now))
        return line->slice_ms > now.mono_ms ? line->slice_ms : now.mono_ms;
    if (orders->word_since_ms == 0)
        return TIME_NEVER;
    int64_t ends_ms = word_ends_ms(core, (uint32_t)(line - core->lines), now);
    return ends_ms > now.mono_ms ? ends_ms : now.mono_ms;
}
