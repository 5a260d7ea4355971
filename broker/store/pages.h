/* pages.h — large buffers that come from the system and go back to it. The general allocator keeps what it was given
 * back; the store needs tens of megabytes now and then, for a moment, and should not be seen to have them for good.
 */
#ifndef LINEWARD_STORE_PAGES_H
#define LINEWARD_STORE_PAGES_H

#include <stdbool.h>
#include <stddef.h>

/* Room for at least `bytes`, zeroed where new; *room: how much there is. NULL and 0 to begin with. False: out of
 * memory, nothing changed. The buffer may move. */
bool pages_grow(void *at_p, size_t *room, size_t bytes);
/* Exactly once; NULL is fine. */
void pages_free(void *at, size_t room);

#endif
