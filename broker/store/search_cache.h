/* search_cache.h — what lies in a segment that has no index file: lists in memory, made when first asked for and then
 * only continued with what was written since. A key is found by its hash without a look at all the others. */
#ifndef LINEWARD_STORE_SEARCH_CACHE_H
#define LINEWARD_STORE_SEARCH_CACHE_H

#include "journal.h"

/* Gets a record's number as an event (0: not asked for) and its place in the segment, in units of 8 bytes. */
typedef enum err (*search_add)(void *self, uint64_t seq, struct segment *segment, uint32_t unit);

/* Every durable record that may have a key of that hash, the newest first. Ends with the first error. */
enum err search_cache_find(struct store *store, struct segment *segment, uint32_t hash, search_add add, void *self);
/* Every event behind number `after`, in the order of the journal; also those of a batch of which only a part is on the
 * disk. */
enum err search_cache_events(struct store *store, struct segment *segment, uint64_t after, search_add add,
                             void *self);

#endif
