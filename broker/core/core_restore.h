/* core_restore.h — the store's questions (store_owner): what was remembered comes back, what lives, what is
 * kept, where it lies. */
#ifndef LINEWARD_CORE_CORE_RESTORE_H
#define LINEWARD_CORE_CORE_RESTORE_H

#include "broker/core/core_effects.h"
#include "lineward/clock.h"

struct core;

enum err core_restore(struct core *core, const struct change *change, bool past, uint64_t place);
/* Before core_restored(): the store was made of a backup of `taken_ms`. Each job that waits in it may have been sent
 * since: it is doubtful, and one that may have been sent longer ago than the provider remembers keys waits for a person.
 * Numbers given out after the backup are not given again. */
void core_is_backup(struct core *core, int64_t taken_ms, int64_t key_life_ms);
/* After core_restored(), again and again until it answers false: the changes that this has made. */
bool core_record_backup(struct core *core, struct instant now, struct effects *out);
/* After the last change: links everything; the new start's own changes (its random bits come from the shell). */
void core_restored(struct core *core, const uint8_t random[KEY_RANDOM_BYTES], struct instant now,
                   struct effects *out);
bool core_is_live(const struct core *core, enum change_kind kind, uint64_t key, uint64_t place);
/* What is over still tells something: an accepted job, of the id that is remembered. */
bool core_wants(const struct core *core, const struct change *change);
void core_moved(struct core *core, enum change_kind kind, uint64_t key, uint64_t from, uint64_t to);
void core_renew(struct core *core, enum change_kind kind, uint64_t key, struct instant now, struct effects *out);

#endif
