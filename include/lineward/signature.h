/* signature.h — Standard Webhooks signatures (linq-api.md 3.5). libsodium does the cryptography. */
#ifndef LINEWARD_SIGNATURE_H
#define LINEWARD_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIGNATURE_TOLERANCE_S 300 /* 300 s itself passes, both ways */
#define SIGNATURE_KEY_BYTES_MAX 128
#define SIGNATURE_TEXT_MAX 64 /* "v1," and base64 of 32 bytes and terminator */

struct webhook_secret {
    uint8_t key[SIGNATURE_KEY_BYTES_MAX];
    size_t key_bytes;
};

enum signature_verdict {
    SIGNATURE_GOOD,
    SIGNATURE_MISSING, /* a header is absent or empty */
    SIGNATURE_BAD,     /* malformed, or no entry equals ours */
    SIGNATURE_STALE,   /* true, but too old or too far ahead */
};

/* Reads "whsec_" + base64 (prefix and padding optional). False: no base64, empty or too long. */
bool webhook_secret_parse(const char *text, struct webhook_secret *out);

/* Judges the three headers (NULL: absent) over the raw body, with any of the secrets. */
enum signature_verdict signature_verify(const struct webhook_secret *secrets, size_t secret_count, const char *id,
                                        const char *timestamp, const char *signatures, const void *body,
                                        size_t body_bytes, int64_t now_s);

/* Writes "v1,<base64>" for the sandbox and tests. `timestamp` is the header's own digits. */
void signature_make(const struct webhook_secret *secret, const char *id, const char *timestamp, const void *body,
                    size_t body_bytes, char out[SIGNATURE_TEXT_MAX]);

#define SIGNATURE_SECRETS_MAX 16
#define SIGNATURES_TEXT_MAX   (SIGNATURE_SECRETS_MAX * SIGNATURE_TEXT_MAX)

/* One signature for each secret (at most SIGNATURE_SECRETS_MAX), blanks between them: while secrets are rotated, whoever
 * knows one of them can verify. */
void signature_make_all(const struct webhook_secret *secrets, size_t secret_count, const char *id,
                        const char *timestamp, const void *body, size_t body_bytes, char out[SIGNATURES_TEXT_MAX]);

#endif
