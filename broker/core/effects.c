/* effects.c — see effects.h. */
#include "broker/core/effects.h"

#include <string.h>

struct change *change_add(struct effects *out, enum change_kind kind)
{
    assert(out->change_count < out->change_room);
    struct change *change = &out->changes[out->change_count++];
    memset(change, 0, sizeof *change);
    change->kind = kind;
    return change;
}

struct effect *effect_add(struct effects *out, enum effect_kind kind)
{
    assert(out->effect_count < out->effect_room);
    struct effect *effect = &out->effects[out->effect_count++];
    memset(effect, 0, sizeof *effect);
    effect->kind = kind;
    return effect;
}

bool effects_have_room(const struct effects *out)
{
    return out->change_count + EFFECTS_ROOM_STEP <= out->change_room &&
           out->effect_count + EFFECTS_ROOM_STEP <= out->effect_room;
}

void change_mark(struct core *core, struct change *change, enum topic topic, struct instant now)
{
    change->event = (struct event_mark){
        .seq = core->next_seq++, .prev = core->prev_seq[topic], .topic = (uint8_t)topic, .at_ms = now.wall_ms};
    core->prev_seq[topic] = change->event.seq;
}

void effect_answer(struct effects *out, uint64_t token, enum code code)
{
    struct effect *effect = effect_add(out, EFFECT_ANSWER);
    effect->token = token;
    effect->code = code;
}

void effect_alert(struct effects *out, enum alert alert, uint64_t line, uint32_t account)
{
    struct effect *effect = effect_add(out, EFFECT_ALERT);
    effect->alert = alert;
    effect->line = line;
    effect->account = account;
}
