/* subscriptions.c — see its header. */
#include "tools/sandbox/subscriptions.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "tools/sandbox/event_types.h"

#define SECRET_BYTES 32
#define LINES_MAX    10000

enum { OK = 0, MISSING_FIELD = 1001, NOT_E164 = 1002, BAD_VALUE = 1005, CONFLICT = 2015, FULL = 3001 };

static void subscription_clear(struct subscription *one)
{
    webhook_target_release(&one->target);
    free(one->lines);
    one->lines = NULL;
}

void subscriptions_free(struct subscriptions *all)
{
    for (size_t i = 0; i < all->count; i++)
        subscription_clear(&all->list[i]);
    all->count = 0;
}

/* ---- reading ---- */

static int types_read(const cJSON *names, uint64_t *out)
{
    uint64_t types = 0;
    const cJSON *name;
    if (!cJSON_IsArray(names))
        return BAD_VALUE;
    cJSON_ArrayForEach(name, names)
    {
        uint64_t bit = cJSON_IsString(name) ? event_type_bit(name->valuestring) : 0;
        if (bit == 0)
            return BAD_VALUE;
        types |= bit;
    }
    *out = types;
    return types == 0 ? BAD_VALUE : OK;
}

/* null, or an empty list: all lines. *out is the caller's to free. */
static int lines_read(const cJSON *numbers, struct subscription *out)
{
    out->lines = NULL;
    out->line_count = 0;
    if (numbers == NULL || cJSON_IsNull(numbers))
        return OK;
    int count = cJSON_GetArraySize(numbers);
    if (!cJSON_IsArray(numbers) || count > LINES_MAX)
        return BAD_VALUE;
    if (count == 0)
        return OK;
    out->lines = calloc((size_t)count, sizeof *out->lines);
    if (out->lines == NULL)
        return FULL;
    const cJSON *number;
    cJSON_ArrayForEach(number, numbers)
    {
        if (!cJSON_IsString(number) || !e164_is_valid(number->valuestring))
            return NOT_E164;
        snprintf(out->lines[out->line_count++], sizeof *out->lines, "%s", number->valuestring);
    }
    return OK;
}

static bool url_is_used(const struct subscriptions *all, const struct subscription *but, const char *url)
{
    for (size_t i = 0; i < all->count; i++) {
        if (&all->list[i] != but && strcmp(all->list[i].target->url, url) == 0)
            return true;
    }
    return false;
}

static int target_read(const struct subscriptions *all, const struct subscription *one, const cJSON *url,
                       struct webhook_target **out)
{
    if (!cJSON_IsString(url) || !webhook_url_is_valid(url->valuestring))
        return BAD_VALUE;
    if (url_is_used(all, one, url->valuestring))
        return CONFLICT;
    *out = webhook_target_new(url->valuestring, one->secret);
    return *out == NULL ? FULL : OK;
}

/* Reads what is given over a copy of what there is; `fresh` owns its target and lines if they were given. */
static int members_read(const struct subscriptions *all, const struct subscription *one, const cJSON *body,
                        struct subscription *fresh)
{
    const cJSON *active = json_get(body, "is_active");
    int code = OK;
    if (active != NULL && !cJSON_IsBool(active))
        return BAD_VALUE;
    if (active != NULL)
        fresh->active = cJSON_IsTrue(active);
    if (json_get(body, "subscribed_events") != NULL)
        code = types_read(json_get(body, "subscribed_events"), &fresh->types);
    if (code == OK && json_get(body, "phone_numbers") != NULL)
        code = lines_read(json_get(body, "phone_numbers"), fresh);
    if (code == OK && json_get(body, "target_url") != NULL)
        code = target_read(all, one, json_get(body, "target_url"), &fresh->target);
    return code;
}

/* ---- changing ---- */

static void secret_make(uint64_t seed, uint64_t number, char out[SUBSCRIPTION_SECRET_MAX])
{
    unsigned char bytes[SECRET_BYTES];
    for (uint64_t i = 0; i < SECRET_BYTES / sizeof(uint64_t); i++) {
        uint64_t words[2] = {number, i};
        uint64_t hash = XXH3_64bits_withSeed(words, sizeof words, seed ^ WORLD_ID_SUBSCRIPTION);
        memcpy(bytes + i * sizeof hash, &hash, sizeof hash);
    }
    memcpy(out, "whsec_", 6);
    sodium_bin2base64(out + 6, SUBSCRIPTION_SECRET_MAX - 6, bytes, sizeof bytes, sodium_base64_VARIANT_ORIGINAL);
}

int subscriptions_add(struct subscriptions *all, uint64_t seed, const cJSON *body, int64_t now_wall_ms,
                      struct subscription **out)
{
    struct subscription fresh = {.number = all->last_number + 1,
                                 .active = true,
                                 .created_wall_ms = now_wall_ms,
                                 .updated_wall_ms = now_wall_ms};
    if (json_get(body, "target_url") == NULL || json_get(body, "subscribed_events") == NULL)
        return MISSING_FIELD;
    if (all->count == SUBSCRIPTIONS_MAX)
        return FULL;
    secret_make(seed, fresh.number, fresh.secret);
    int code = members_read(all, &fresh, body, &fresh);
    if (code != OK) {
        subscription_clear(&fresh);
        return code;
    }
    all->last_number = fresh.number;
    *out = &all->list[all->count++];
    **out = fresh;
    return OK;
}

int subscriptions_change(struct subscriptions *all, struct subscription *one, const cJSON *body, int64_t now_wall_ms)
{
    struct subscription fresh = *one;
    int code;
    fresh.target = NULL;
    fresh.lines = NULL;
    code = members_read(all, one, body, &fresh);
    if (code != OK) {
        subscription_clear(&fresh);
        return code;
    }
    if (fresh.target == NULL)
        fresh.target = webhook_target_keep(one->target);
    if (json_get(body, "phone_numbers") == NULL) {
        free(fresh.lines); /* there are none, which clang-tidy does not see */
        fresh.lines = one->lines;
        one->lines = NULL;
    }
    fresh.updated_wall_ms = now_wall_ms;
    subscription_clear(one);
    *one = fresh;
    return OK;
}

void subscriptions_remove(struct subscriptions *all, struct subscription *one)
{
    subscription_clear(one);
    size_t at = (size_t)(one - all->list);
    memmove(one, one + 1, (--all->count - at) * sizeof *one);
}

struct subscription *subscriptions_find(struct subscriptions *all, uint64_t seed, const char *id)
{
    uint64_t number;
    if (!world_id_parse(seed, WORLD_ID_SUBSCRIPTION, id, &number))
        return NULL;
    for (size_t i = 0; i < all->count; i++) {
        if (all->list[i].number == number)
            return &all->list[i];
    }
    return NULL;
}

/* ---- asking ---- */

bool subscription_wants(const struct subscription *one, const char *type, const char *line)
{
    if (!one->active || (one->types & event_type_bit(type)) == 0)
        return false;
    for (size_t i = 0; i < one->line_count; i++) {
        if (strcmp(one->lines[i], line) == 0)
            return true;
    }
    return one->line_count == 0;
}

static void put_text(struct json_out *out, const char *name, const char *text)
{
    json_key(out, name);
    json_put_string(out, text);
}

static void put_lines(struct json_out *out, const struct subscription *one)
{
    json_key(out, "phone_numbers");
    if (one->line_count == 0) {
        json_put_null(out);
        return;
    }
    json_open(out, '[');
    for (size_t i = 0; i < one->line_count; i++)
        json_put_string(out, one->lines[i]);
    json_close(out, ']');
}

void subscription_put(struct json_out *out, const struct subscription *one, uint64_t seed, bool with_secret)
{
    char id[WORLD_ID_TEXT_MAX];
    world_id_format(seed, WORLD_ID_SUBSCRIPTION, one->number, id);
    json_open(out, '{');
    put_text(out, "id", id);
    if (with_secret)
        put_text(out, "signing_secret", one->secret);
    put_text(out, "target_url", one->target->url);
    json_key(out, "subscribed_events");
    json_open(out, '[');
    for (unsigned i = 0; event_types[i] != NULL; i++) {
        if ((one->types & UINT64_C(1) << i) != 0)
            json_put_string(out, event_types[i]);
    }
    json_close(out, ']');
    put_lines(out, one);
    json_key(out, "is_active");
    json_put_bool(out, one->active);
    json_key(out, "created_at");
    json_put_time(out, one->created_wall_ms);
    json_key(out, "updated_at");
    json_put_time(out, one->updated_wall_ms);
    json_close(out, '}');
}
