/* signature.c — Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, in base64, compared in constant time. */
#include "lineward/signature.h"

#include <sodium.h>
#include <string.h>

#define MAC_BASE64_BYTES     44 /* of 32 bytes, padded */
#define TIMESTAMP_DIGITS_MAX 18

_Static_assert(SIGNATURE_TEXT_MAX >= 3 + MAC_BASE64_BYTES + 1, "room for a signature");

bool webhook_secret_parse(const char *text, struct webhook_secret *out)
{
    static const char prefix[] = "whsec_";
    static const int variants[] = {sodium_base64_VARIANT_ORIGINAL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING};
    if (text == NULL)
        return false;
    if (strncmp(text, prefix, sizeof prefix - 1) == 0)
        text += sizeof prefix - 1;
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        struct webhook_secret secret = {.key_bytes = 0};
        if (sodium_base642bin(secret.key, sizeof secret.key, text, strlen(text), NULL, &secret.key_bytes, NULL,
                              variants[i]) == 0 &&
            secret.key_bytes > 0) {
            *out = secret;
            sodium_memzero(&secret, sizeof secret);
            return true;
        }
    }
    return false;
}

/* The expected base64 text, without its version. */
static void sign(const struct webhook_secret *secret, const char *id, const char *timestamp, const void *body,
                 size_t body_bytes, char out[MAC_BASE64_BYTES + 1])
{
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, secret->key, secret->key_bytes);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)id, strlen(id));
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)".", 1);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)timestamp, strlen(timestamp));
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)".", 1);
    crypto_auth_hmacsha256_update(&state, body, body_bytes);
    crypto_auth_hmacsha256_final(&state, mac);
    sodium_bin2base64(out, MAC_BASE64_BYTES + 1, mac, sizeof mac, sodium_base64_VARIANT_ORIGINAL);
    sodium_memzero(&state, sizeof state);
}

/* Is one of the blank-separated `v1,` entries the expected text? Other versions are skipped. */
static bool any_entry_equals(const char *signatures, const char expected[MAC_BASE64_BYTES + 1])
{
    bool equal = false;
    for (const char *at = signatures; *at != '\0';) {
        size_t bytes = strcspn(at, " ");
        if (bytes == 3 + MAC_BASE64_BYTES && memcmp(at, "v1,", 3) == 0)
            equal |= sodium_memcmp(at + 3, expected, MAC_BASE64_BYTES) == 0;
        at += bytes;
        at += strspn(at, " ");
    }
    return equal;
}

/* Digits only, so that what is signed and what is judged cannot be read in two ways. */
static bool timestamp_parse(const char *text, int64_t *out)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > TIMESTAMP_DIGITS_MAX || text[digits] != '\0')
        return false;
    int64_t value = 0;
    for (; *text != '\0'; text++)
        value = value * 10 + (*text - '0');
    *out = value;
    return true;
}

static bool is_absent(const char *header)
{
    return header == NULL || *header == '\0';
}

enum signature_verdict signature_verify(const struct webhook_secret *secrets, size_t secret_count, const char *id,
                                        const char *timestamp, const char *signatures, const void *body,
                                        size_t body_bytes, int64_t now_s)
{
    int64_t signed_s = 0;
    bool good = false;
    if (is_absent(id) || is_absent(timestamp) || is_absent(signatures))
        return SIGNATURE_MISSING;
    if (!timestamp_parse(timestamp, &signed_s))
        return SIGNATURE_BAD;
    for (size_t i = 0; i < secret_count; i++) {
        char expected[MAC_BASE64_BYTES + 1];
        sign(&secrets[i], id, timestamp, body, body_bytes, expected);
        good |= any_entry_equals(signatures, expected);
    }
    if (!good)
        return SIGNATURE_BAD;
    /* Age last: only a true signature may say of itself that it is old (it starts a poll). */
    return signed_s < now_s - SIGNATURE_TOLERANCE_S || signed_s > now_s + SIGNATURE_TOLERANCE_S ? SIGNATURE_STALE
                                                                                                : SIGNATURE_GOOD;
}

void signature_make(const struct webhook_secret *secret, const char *id, const char *timestamp, const void *body,
                    size_t body_bytes, char out[SIGNATURE_TEXT_MAX])
{
    memcpy(out, "v1,", 3);
    sign(secret, id, timestamp, body, body_bytes, out + 3);
}

void signature_make_all(const struct webhook_secret *secrets, size_t secret_count, const char *id,
                        const char *timestamp, const void *body, size_t body_bytes, char out[SIGNATURES_TEXT_MAX])
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < secret_count && i < SIGNATURE_SECRETS_MAX; i++) {
        if (i > 0)
            out[used++] = ' ';
        signature_make(&secrets[i], id, timestamp, body, body_bytes, out + used);
        used += strlen(out + used);
    }
}
