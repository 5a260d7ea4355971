/* pause.h — what the rest of the core needs of pauses; the operator's calls are in core.h. */
#ifndef LINEWARD_CORE_PAUSE_H
#define LINEWARD_CORE_PAUSE_H

#include "broker/core/effects.h"

/* After the replay: the pause in that slot counts for what it lies on. */
void pause_count(struct core *core, uint32_t slot);
/* The oldest pause in force on exactly that (target as in change_pause); 0: none. */
uint32_t pause_find(const struct core *core, enum pause_scope scope, uint64_t target);
/* The numbers of at most `room` of them. Returns how many. */
size_t pause_list(const struct core *core, enum pause_scope scope, uint64_t target, uint64_t *out, size_t room);
/* When the last of them ends; 0: not by itself. */
int64_t pause_until_ms(const struct core *core, enum pause_scope scope, uint64_t target);
/* Lays an operator's pause without an end on a line. Returns its number; 0: there is no room for it. */
uint64_t pause_lay(struct core *core, uint64_t line, const char *reason, const char *by, struct instant now,
                   struct effects *out);
/* If it lies there. */
void pause_lift(struct core *core, uint64_t line, uint64_t id, struct instant now, struct effects *out);
void index_pauses(struct core *core, uint32_t *heads, uint32_t heads_max);
void pause_wake(struct core *core, uint32_t slot, struct instant now, struct effects *out); /* WALL_PAUSE, MONO_PAUSE */
/* The wall clock went back: what was laid at a moment that lies ahead now ends when its time has gone by on the steady
 * clock, if its end as told does not come first. It may be this clock that is wrong, so that end stays. */
void pauses_back(struct core *core, struct instant now);
/* Writes CHANGE_PAUSE; `news`: it began or ended just now, which followers hear of. */
void pause_record(struct core *core, const struct change_pause *pause, bool news, struct instant now,
                  struct effects *out);
void pause_restore(struct core *core, const struct change_pause *change, bool past); /* without applying it */

/* It holds on with other words (core_reword()). */
bool pause_reword(struct core *core, uint32_t slot, bool (*mask)(void *self, char *text), void *self, struct instant now,
                  struct effects *out);

/* Does a pause lie on the pool, or on its account? */
bool pause_holds_pool(const struct core *core, uint32_t pool);
/* Which of the two pools has one of that scope (ACCOUNT: on its account): `own` if both have; NO_POOL: neither. */
uint32_t pause_holds_either(const struct core *core, enum pause_scope scope, uint32_t own, uint32_t other);
/* How many lie on a pool or an account of that name, for one that has just come. */
uint32_t pause_number_on(const struct core *core, enum pause_scope scope, uint16_t name);

#endif
