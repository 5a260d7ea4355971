/* listing.c — see its header. */
#include "tools/sandbox/listing.h"

#include "tools/sandbox/members.h"
#include "tools/sandbox/render.h"

#define MS_MAX       86400000
#define TIMES_MAX    1000000000
#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const shape_names[] = {"whole", "empty", "truncated", "rootless"};

void listing_free(struct listing *listing)
{
    json_out_free(&listing->cached);
}

const char *listing_set(struct listing *listing, const cJSON *changes)
{
    static const char *const names[] = {"lag_ms", "cache_ms", "date_offset_ms", "shape", "times", NULL};
    struct listing changed = *listing;
    int shape = (int)changed.shape;
    const char *wrong = members_stranger(changes, names);
    if (wrong != NULL)
        return wrong;
    if (!member_number(changes, "lag_ms", 0, MS_MAX, &changed.lag_ms))
        return "lag_ms";
    if (!member_number(changes, "cache_ms", 0, MS_MAX, &changed.cache_ms))
        return "cache_ms";
    if (!member_number(changes, "date_offset_ms", -MS_MAX, MS_MAX, &changed.date_offset_ms))
        return "date_offset_ms";
    if (!member_word(changes, "shape", shape_names, COUNT(shape_names), &shape))
        return "shape";
    changed.times = -1;
    if (!member_number(changes, "times", 1, TIMES_MAX, &changed.times))
        return "times";
    changed.shape = (enum listing_shape)shape;
    changed.cached_at = (struct instant){0};
    *listing = changed;
    return NULL;
}

static void whole_put(struct listing *listing, const struct world *world, struct instant now, struct json_out *out,
                      int64_t *date_wall_ms)
{
    bool fresh = listing->cached_at.wall_ms == 0 || now.mono_ms - listing->cached_at.mono_ms >= listing->cache_ms;
    if (listing->cache_ms == 0) {
        sandbox_render_line_list(out, world, now.mono_ms - listing->lag_ms);
        return;
    }
    if (fresh) {
        json_out_clear(&listing->cached);
        sandbox_render_line_list(&listing->cached, world, now.mono_ms - listing->lag_ms);
        listing->cached_at = now;
    }
    json_put_raw(out, listing->cached.text, listing->cached.bytes);
    *date_wall_ms = listing->cached_at.wall_ms;
}

static void misshape(enum listing_shape shape, struct json_out *out)
{
    static const char empty[] = "{\"phone_numbers\":[]}", rootless[] = "{\"numbers\":[]}";
    if (shape == LISTING_TRUNCATED) {
        out->bytes /= 2;
        return;
    }
    json_out_clear(out);
    if (shape == LISTING_EMPTY)
        json_put_raw(out, empty, sizeof empty - 1);
    else
        json_put_raw(out, rootless, sizeof rootless - 1);
}

void listing_answer(struct listing *listing, const struct world *world, struct instant now, struct json_out *out,
                    int64_t *date_wall_ms)
{
    *date_wall_ms = 0;
    whole_put(listing, world, now, out, date_wall_ms);
    if (listing->date_offset_ms != 0)
        *date_wall_ms = (*date_wall_ms == 0 ? now.wall_ms : *date_wall_ms) + listing->date_offset_ms;
    if (listing->shape == LISTING_WHOLE)
        return;
    misshape(listing->shape, out);
    if (listing->times > 0 && --listing->times == 0)
        listing->shape = LISTING_WHOLE;
}

static void put_int(struct json_out *out, const char *name, int64_t value)
{
    json_key(out, name);
    json_put_int(out, value);
}

void listing_view(const struct listing *listing, struct json_out *out)
{
    json_open(out, '{');
    put_int(out, "lag_ms", listing->lag_ms);
    put_int(out, "cache_ms", listing->cache_ms);
    put_int(out, "date_offset_ms", listing->date_offset_ms);
    json_key(out, "shape");
    json_put_string(out, shape_names[listing->shape]);
    put_int(out, "times", listing->shape == LISTING_WHOLE ? -1 : listing->times);
    json_close(out, '}');
}
