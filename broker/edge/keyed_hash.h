/* keyed_hash.h — 64-bit keyed hashes (libsodium's SipHash-2-4) by which the core finds conversations, ids, chats and
 * recipients. The key is drawn once for a store, so that nobody outside can make two things collide. A hash only
 * finds; where it matters, what is on disk identifies. */
#ifndef LINEWARD_EDGE_KEYED_HASH_H
#define LINEWARD_EDGE_KEYED_HASH_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

#define KEYED_HASH_KEY_BYTES 16

struct keyed_hash {
    uint8_t key[KEYED_HASH_KEY_BYTES];
};

/* What is hashed is kept apart by its kind, so that an id never equals an event. */
enum keyed_kind {
    KEYED_CONVERSATION = 1,
    KEYED_ID,
    KEYED_CONTENT,
    KEYED_CHAT,
    KEYED_MESSAGE,
    KEYED_EVENT,
    KEYED_RECIPIENT,
    KEYED_INSTANCE,
    KEYED_COLLAPSE,
    KEYED_STATE,
    KEYED_OUTCOME,
    KEYED_PERSON
};

/* Never 0, which stands for "none". `scope` is a name (a pool, an account) of at most NAME_MAX_BYTES, or NULL. */
uint64_t keyed_hash(const struct keyed_hash *hash, enum keyed_kind kind, const char *scope, const void *data,
                    size_t bytes);
/* Equal for documents that are equal as JSON values: order of members and spelling do not count. */
uint64_t keyed_hash_json(const struct keyed_hash *hash, const cJSON *value);

#endif
