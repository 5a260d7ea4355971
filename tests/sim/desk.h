/* desk.h — the place of the broker's own admin API (broker/edge/admin.h, tokens.h), without its HTTP: what operators
 * (operators.h), callers (calls.h) and producers (posts.h) say reaches the broker here. */
#ifndef TESTS_SIM_DESK_H
#define TESTS_SIM_DESK_H

#include "broker/edge/admin.h"

/* What the broker gave the admin API; it must be open. */
const struct admin_options *desk_options(void);
/* A new one, of those that the admin API owns. */
uint64_t desk_token(void);
/* All who wait for an answer get none. */
void desk_broker_down(void);

#endif
