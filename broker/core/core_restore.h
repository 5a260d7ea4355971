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
/* Before core_restored(), which needs it: has the table of names room for all that the configuration names? */
bool core_names_fit(const struct core *core);
/* After the last change: links everything; the new start's own changes (its random bits come from the shell). */
void core_restored(struct core *core, const uint8_t random[KEY_RANDOM_BYTES], struct instant now,
                   struct effects *out);
/* Keys of the direct conversations that the recipient may have in the account's pools, at most CONF_POOLS_MAX. */
typedef size_t core_homes(void *self, uint32_t account, const char *handle, uint64_t *out);
/* After core_restored(), a slice each time, until it answers false: what was to end for a recipient's sake when the last run
 * ended (a long list, what was leased) ends as it would have then. That somebody is suppressed says nothing of their
 * conversations, so all who are have to be gone through, unless nothing waits; `*at` is how far, 0 begins. Of whom no
 * name is kept what waits ends when it has its turn (core_lease_suppressed()). */
bool core_suppress_again(struct core *core, uint32_t *at, core_homes *homes, void *self, struct instant now,
                         struct effects *out);
bool core_is_live(const struct core *core, enum change_kind kind, uint64_t key, uint64_t place);
/* What is over still tells something: an accepted job, of the id that is remembered. */
bool core_wants(const struct core *core, const struct change *change);
void core_moved(struct core *core, enum change_kind kind, uint64_t key, uint64_t from, uint64_t to);
void core_renew(struct core *core, enum change_kind kind, uint64_t key, struct instant now, struct effects *out);

#endif
