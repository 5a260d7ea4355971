/* outbox.h — messages that wait for the commit they depend on (DESIGN section 3, STYLE 10): nobody hears of a change
 * that the store does not have yet. First in, first out; commits become durable in their order. Only that a job was
 * refused for want of room hangs on nothing: it goes first, for there may be no commit before there is room. */
#ifndef LINEWARD_EDGE_OUTBOX_H
#define LINEWARD_EDGE_OUTBOX_H

#include "broker/core/core.h"

struct outbox;

struct outbox *outbox_new(void); /* NULL: out of memory */
void outbox_free(struct outbox **outbox_p);

/* Is this kind of effect to wait for its commit? The others are for at once. */
bool outbox_waits(enum effect_kind kind);
/* ERR_NO_MEMORY: nothing was kept. */
enum err outbox_add(struct outbox *outbox, const struct effect *effect);
/* All added since the last call depend on `commit`. */
void outbox_bind(struct outbox *outbox, uint64_t commit);
/* The next effect whose commit is durable. False: none. */
bool outbox_take(struct outbox *outbox, uint64_t durable, struct effect *out);
size_t outbox_count(const struct outbox *outbox);

#endif
