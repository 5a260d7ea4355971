/* cache_seal.c — see cache_seal.h. libsodium's keyed BLAKE2b and secretbox. */
#include "broker/cache/cache_seal.h"

#include <sodium.h>
#include <string.h>

#define ID_BYTES    16
#define PAD_BYTES   32 /* any number, and most addresses, make one block of the same length */
#define PADDED_MAX  ((HANDLE_MAX_BYTES / PAD_BYTES + 1) * PAD_BYTES)
#define SEALED_MAX  (crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + PADDED_MAX)
#define VARIANT     sodium_base64_VARIANT_ORIGINAL_NO_PADDING

_Static_assert(sodium_base64_ENCODED_LEN(SEALED_MAX, VARIANT) <= CACHE_SEALED_TEXT, "room for the longest");
_Static_assert(ID_BYTES * 2 + 1 == CACHE_ID_TEXT, "in hex");

bool cache_seal_make(struct cache_seal *seal, const char *secret)
{
    static const char id_use[] = "lineward cache id", box_use[] = "lineward cache seal";
    size_t bytes = strlen(secret);
    uint8_t key[crypto_generichash_KEYBYTES];
    if (bytes < CACHE_SECRET_MIN)
        return false;
    crypto_generichash(key, sizeof key, (const uint8_t *)secret, bytes, NULL, 0);
    crypto_generichash(seal->id_key, sizeof seal->id_key, (const uint8_t *)id_use, sizeof id_use - 1, key, sizeof key);
    crypto_generichash(seal->box_key, sizeof seal->box_key, (const uint8_t *)box_use, sizeof box_use - 1, key,
                       sizeof key);
    sodium_memzero(key, sizeof key);
    return true;
}

void cache_seal_id(const struct cache_seal *seal, const char *account, const char *handle, char out[CACHE_ID_TEXT])
{
    uint8_t id[ID_BYTES];
    crypto_generichash_state state;
    crypto_generichash_init(&state, seal->id_key, sizeof seal->id_key, sizeof id);
    crypto_generichash_update(&state, (const uint8_t *)account, strlen(account) + 1); /* its end included */
    crypto_generichash_update(&state, (const uint8_t *)handle, strlen(handle));
    crypto_generichash_final(&state, id, sizeof id);
    sodium_bin2hex(out, CACHE_ID_TEXT, id, sizeof id);
}

void cache_seal_close(const struct cache_seal *seal, const char *handle, char out[CACHE_SEALED_TEXT])
{
    uint8_t padded[PADDED_MAX] = {0}, sealed[SEALED_MAX];
    size_t bytes = strnlen(handle, HANDLE_MAX_BYTES), padded_bytes = 0;
    memcpy(padded, handle, bytes);
    int fits = sodium_pad(&padded_bytes, padded, bytes, PAD_BYTES, sizeof padded);
    randombytes_buf(sealed, crypto_secretbox_NONCEBYTES);
    if (fits == 0)
        crypto_secretbox_easy(sealed + crypto_secretbox_NONCEBYTES, padded, padded_bytes, sealed, seal->box_key);
    sodium_memzero(padded, sizeof padded);
    sodium_bin2base64(out, CACHE_SEALED_TEXT, sealed,
                      crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + padded_bytes, VARIANT);
}

bool cache_seal_open(const struct cache_seal *seal, const char *account, const char *id, const char *sealed,
                     char handle[HANDLE_MAX_BYTES + 1])
{
    uint8_t box[SEALED_MAX], padded[PADDED_MAX];
    char whose[CACHE_ID_TEXT];
    size_t bytes = 0, padded_bytes = 0;
    size_t least = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
    if (sodium_base642bin(box, sizeof box, sealed, strlen(sealed), NULL, &bytes, NULL, VARIANT) != 0 || bytes <= least ||
        crypto_secretbox_open_easy(padded, box + crypto_secretbox_NONCEBYTES, bytes - crypto_secretbox_NONCEBYTES, box,
                                   seal->box_key) != 0 ||
        sodium_unpad(&padded_bytes, padded, bytes - least, PAD_BYTES) != 0 || padded_bytes > HANDLE_MAX_BYTES)
        return false;
    char text[HANDLE_MAX_BYTES + 1];
    memcpy(text, padded, padded_bytes);
    text[padded_bytes] = '\0';
    sodium_memzero(padded, sizeof padded);
    if (!handle_normalize(text, handle)) /* whoever knows the secret is one of us; still it is a byte from outside */
        return false;
    cache_seal_id(seal, account, handle, whose);
    return strcmp(whose, id) == 0;
}
