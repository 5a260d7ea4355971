/* persist.h — how an edge hands over the effects of its core calls before it reuses the texts they point into. */
#ifndef LINEWARD_EDGE_PERSIST_H
#define LINEWARD_EDGE_PERSIST_H

#include "broker/core/core.h"

/* Hands the effects of the core calls so far to the broker, which encodes the changes and clears *out: what they
 * point into is only lent until then. */
typedef void (*effects_persist)(void *self, struct instant now, struct effects *out);

#endif
