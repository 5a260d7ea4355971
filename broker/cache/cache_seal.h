/* cache_seal.h — recipients, as Redis holds them: found by a keyed hash, and sealed, so that only a broker with the same
 * secret can tell who is meant. Both keys come from the line in cache.secret_file. */
#ifndef LINEWARD_CACHE_SEAL_H
#define LINEWARD_CACHE_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lineward/ids.h"

#define CACHE_SECRET_MIN  32  /* bytes of that line */
#define CACHE_ID_TEXT     33  /* 16 bytes in hex, and a terminator */
#define CACHE_SEALED_TEXT 512 /* room for the longest one, in base64 */

struct cache_seal {
    uint8_t id_key[32], box_key[32];
};

/* False: the secret is too short. */
bool cache_seal_make(struct cache_seal *seal, const char *secret);
/* By what an account's recipient is found. */
void cache_seal_id(const struct cache_seal *seal, const char *account, const char *handle, char out[CACHE_ID_TEXT]);
/* The recipient, sealed: another text each time, of a length that says little. */
void cache_seal_close(const struct cache_seal *seal, const char *handle, char out[CACHE_SEALED_TEXT]);
/* False: it was sealed with another secret, or it is not the one of that id. */
bool cache_seal_open(const struct cache_seal *seal, const char *account, const char *id, const char *sealed,
                     char handle[HANDLE_MAX_BYTES + 1]);

#endif
