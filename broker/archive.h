/* archive.h — the store as the edge may see it (edge/lookup.h, struct archive): records read as changes. */
#ifndef LINEWARD_BROKER_ARCHIVE_H
#define LINEWARD_BROKER_ARCHIVE_H

#include "broker/edge/lookup.h"
#include "broker/store/store.h"

struct archive archive_of(struct store *store);

#endif
