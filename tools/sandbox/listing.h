/* listing.h — how GET /v3/phone_numbers falls short of the truth on request: it lags, is cached, cut, empty. Pure. */
#ifndef SANDBOX_LISTING_H
#define SANDBOX_LISTING_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "lineward/clock.h"
#include "lineward/json.h"
#include "tools/sandbox/world.h"

enum listing_shape {
    LISTING_WHOLE,
    LISTING_EMPTY,     /* no lines */
    LISTING_TRUNCATED, /* cut in the middle: no JSON */
    LISTING_ROOTLESS,  /* an object without phone_numbers */
};

struct listing {
    int64_t lag_ms;   /* changes show up so late */
    int64_t cache_ms; /* one answer, with its Date, is given again for so long */
    int64_t date_offset_ms;
    enum listing_shape shape;
    int64_t times; /* answers in this shape, then whole again; -1: for ever */
    struct json_out cached;
    struct instant cached_at; /* all zero: nothing cached */
};

void listing_free(struct listing *listing);
/* Takes over the members given. NULL, or the one that is wrong, and then nothing changed. */
const char *listing_set(struct listing *listing, const cJSON *changes);
/* Writes the answer's body, and the Date it should have (0: the server's own). */
void listing_answer(struct listing *listing, const struct world *world, struct instant now, struct json_out *out,
                    int64_t *date_wall_ms);
void listing_view(const struct listing *listing, struct json_out *out);

#endif
