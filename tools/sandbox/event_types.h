/* event_types.h — the webhook events that the provider names (linq-api.md 3.2), as bits of a set. Pure. */
#ifndef SANDBOX_EVENT_TYPES_H
#define SANDBOX_EVENT_TYPES_H

#include <stddef.h>
#include <stdint.h>

#define EVENT_TYPES_ALL UINT64_MAX

/* Ordered as the provider lists them; NULL ends them. At most 64. */
extern const char *const event_types[];
/* The bit of a type, 0: no such type. */
uint64_t event_type_bit(const char *name);

#endif
