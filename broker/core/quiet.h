/* quiet.h — quiet hours: at which moments a message would reach its recipients at night (PROTOCOL, quiet_hours).
 *
 * What a clock shows where is not for the core to know: the edge tells of each zone the offsets of the time to come
 * (core_zone_rules()), from the system's own data. A zone here is what the edge calls it: an IANA name, or two of them
 * with a comma where a recipient may be in either or in between; then it is night from the evening of the one until the
 * morning of the other. */
#ifndef LINEWARD_CORE_QUIET_H
#define LINEWARD_CORE_QUIET_H

#include "broker/core/effects.h"

/* The first moment from now on at which the job may go; now: at once. */
int64_t quiet_until(const struct core *core, const struct policy *policy, const struct job *job, struct instant now);
/* The place of a zone's name in the table, added if need be. 0: none, or the table is full. */
unsigned quiet_zone(struct core *core, uint16_t name);
unsigned quiet_zone_find(const struct core *core, uint16_t name); /* 0: it is not there */
uint16_t quiet_zone_name(const struct core *core, unsigned zone); /* 0 for 0 */
/* The zone that a policy names; NULL: it means its recipients' own, or has no night. */
const char *quiet_policy_zone(const struct conf_policy *policy);
/* Zones that policies name. */
void quiet_take_policies(struct core *core, struct effects *out);

#endif
