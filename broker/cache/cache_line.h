/* cache_line.h — what Redis holds of a line (cache.lua), as the core knows it. */
#ifndef LINEWARD_CACHE_LINE_H
#define LINEWARD_CACHE_LINE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "broker/core/change.h"
#include "broker/core/merge.h"

extern const char cache_script[]; /* cache.lua */

#define CACHE_VERSION_BITS 48 /* of what Redis counts: milliseconds since 1970, for thousands of years */

struct cache_line {
    struct change_line known; /* the words of it, and when; ramp, budgets and hold are each broker's own */
    struct moments moments;   /* on the clock that all brokers of the account share */
    int64_t active_at_ms;     /* a webhook said ACTIVE last; 0: never */
    uint64_t version;         /* of the account's cache when it last changed */
    int64_t poll_in_ms;       /* a poll should begin in so long; 0: need not; -1: at once */
};

/* One of `lines` in the script's answer. False: it is none, a word is unknown, a number out of bounds. */
bool cache_line_read(const cJSON *object, struct cache_line *out);

#endif
