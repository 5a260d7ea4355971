/* owner.h — the core as the owner of the store's records (store.h): what it once said, it answers for. */
#ifndef LINEWARD_STORE_OWNER_H
#define LINEWARD_STORE_OWNER_H

#include "broker/core/core.h"
#include "broker/store/store.h"

struct core_owner {
    struct core *core;
    const struct instant *now; /* the owner's, as it goes on */
    struct effects *effects;   /* where the core may say things anew; emptied again */
    bool *out_of_memory;       /* set when a record could not be added */
};

/* Its answers, all on the core's thread. `owner` is lent for the store's life. */
struct store_owner core_owner(struct core_owner *owner);

#endif
