/* effects.h — adding to what a step wants done. Internal to the core. */
#ifndef LINEWARD_CORE_EFFECTS_H
#define LINEWARD_CORE_EFFECTS_H

#include "broker/core/state.h"

/* Every call of the core first makes sure of this much room (EFFECTS_ROOM_STEP), so adding never fails. */
#define EFFECTS_ROOM_STEP 4096

/* The caller fills in the rest. Valid until the next change is added. */
struct change *change_add(struct effects *out, enum change_kind kind);
struct effect *effect_add(struct effects *out, enum effect_kind kind);
/* Is there room for another step? */
bool effects_have_room(const struct effects *out);
/* Makes the change an event: the next number of the log, chained to the last one of its topic. */
void change_mark(struct core *core, struct change *change, enum topic topic, struct instant now);

void effect_answer(struct effects *out, uint64_t token, enum code code);
void effect_alert(struct effects *out, enum alert alert, uint64_t line, uint32_t account);

#endif
