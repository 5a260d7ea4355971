/* zones.h — where a job's recipients are, for quiet hours: from its `tz`, else from their numbers; and the rules of the
 * zones in use, told to the core. */
#ifndef LINEWARD_EDGE_ZONES_H
#define LINEWARD_EDGE_ZONES_H

#include "broker/core/core.h"
#include "broker/edge/recipients.h"

/* Does the system know such a zone? Where it knows none at all, every well-formed name will do. */
bool zones_knows(const struct core *core, const char *tz);
/* The number of the job's zone, as the core takes it; 0: not known. `tz` NULL: none given. `out` NULL: only one that is
 * in use already. */
uint16_t zones_of_job(struct core *core, const char *tz, const struct recipients *recipients, struct effects *out);

#define ZONES_BY_NAME 128 /* zones in use, beyond which one stands for all with its clocks */
#define ZONES_TOLD_MS INT64_C(86400000) /* rules are told anew after so long: data may have been updated */

struct zones {
    int64_t told_wall_ms; /* when they were last told anew */
    unsigned told;        /* those up to here were told, or are not known to the system */
    unsigned again;       /* those up to here are to be told anew */
};
/* Tells the core the rules of those of its zones that have none, and now and then of all. Cheap when there is nothing to
 * do; a zone that the system does not know is said in the log. */
void zones_turn(struct zones *zones, struct core *core, struct instant now);

#endif
