/* keyed_hash.c — see keyed_hash.h. */
#include "broker/edge/keyed_hash.h"

#include <assert.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "lineward/ids.h"

#define TEXT_BYTES 256 /* recipients, ids and names mostly fit */

_Static_assert(KEYED_HASH_KEY_BYTES == crypto_shorthash_KEYBYTES, "libsodium's short hash");

static uint64_t short_hash(const struct keyed_hash *hash, const void *data, size_t bytes)
{
    uint64_t out = 0;
    crypto_shorthash((unsigned char *)&out, data, bytes, hash->key);
    return out;
}

/* One pass over kind, scope and data, lengths included, so that nothing can slide from one into the other. */
uint64_t keyed_hash(const struct keyed_hash *hash, enum keyed_kind kind, const char *scope, const void *data,
                    size_t bytes)
{
    uint8_t text[TEXT_BYTES];
    size_t scope_bytes = scope == NULL ? 0 : strlen(scope);
    uint64_t digest = 0;
    bool is_long = 2 + NAME_MAX_BYTES + bytes > sizeof text;
    assert(scope_bytes <= NAME_MAX_BYTES);
    if (is_long) {
        digest = short_hash(hash, data, bytes);
        data = &digest;
        bytes = sizeof digest;
    }
    text[0] = (uint8_t)(kind << 1 | is_long);
    text[1] = scope == NULL ? UINT8_MAX : (uint8_t)scope_bytes;
    if (scope_bytes > 0)
        memcpy(text + 2, scope, scope_bytes);
    if (bytes > 0)
        memcpy(text + 2 + scope_bytes, data, bytes);
    uint64_t out = short_hash(hash, text, 2 + scope_bytes + bytes);
    return out == 0 ? 1 : out;
}

/* Members are summed, so their order does not count; elements are chained, so theirs does. */
uint64_t keyed_hash_json(const struct keyed_hash *hash, const cJSON *value)
{
    uint64_t parts[3] = {(uint64_t)(value->type & 0xFF), 0, 0};
    if (cJSON_IsString(value)) {
        parts[1] = short_hash(hash, value->valuestring, strlen(value->valuestring));
    } else if (cJSON_IsNumber(value)) {
        double number = value->valuedouble == 0 ? 0 : value->valuedouble; /* -0 equals 0 */
        parts[1] = short_hash(hash, &number, sizeof number);
    } else if (cJSON_IsArray(value) || cJSON_IsObject(value)) {
        for (const cJSON *child = value->child; child != NULL; child = child->next) {
            uint64_t pair[2] = {child->string == NULL ? parts[1]
                                                      : short_hash(hash, child->string, strlen(child->string)),
                                keyed_hash_json(hash, child)};
            uint64_t one = short_hash(hash, pair, sizeof pair);
            parts[1] = child->string == NULL ? one : parts[1] + one;
            parts[2]++;
        }
    }
    return short_hash(hash, parts, sizeof parts);
}
