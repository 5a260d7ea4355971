/* ids.h — the shapes of names, numbers and keys: what is one, and how it is written. Pure. */
#ifndef LINEWARD_IDS_H
#define LINEWARD_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_MAX_BYTES 64         /* pools, accounts, policies, workers, campaigns (PROTOCOL, head) */
#define PRODUCER_ID_MAX_BYTES 128 /* PROTOCOL, Job, `id` */
#define E164_MAX_BYTES 16         /* '+' and at most 15 digits */
#define HANDLE_MAX_BYTES 254      /* an e-mail address at most (RFC 5321 4.5.3.1.3) */
#define JOB_NUMBER_TEXT_MAX 33    /* "j_", at most 30 of [0-9a-z], terminator */
#define LEASE_TEXT_MAX 65
#define IDEMPOTENCY_KEY_TEXT_MAX 64
#define KEY_RANDOM_BYTES 12 /* the 96 random bits of DESIGN trap 10 */

bool name_is_valid(const char *text);        /* [A-Za-z0-9_.-]{1,64} */
bool producer_id_is_valid(const char *text); /* 1..128 bytes printable ASCII, not beginning with "j_" */
bool e164_is_valid(const char *text);        /* ^\+[1-9]\d{1,14}$ */

/* A recipient: E.164, or an e-mail address (something@something, printable ASCII, no blanks, <= 254 bytes).
 * Writes the form in which handles are compared: lower case. False: neither; out untouched. */
bool handle_normalize(const char *text, char out[HANDLE_MAX_BYTES + 1]);

/* A handle for logs and for viewers: a number keeps its first five and last two characters ("+1202*****11"), one
 * of less than ten characters its first two, an e-mail becomes "a***@***", anything else (NULL too) "***". Never
 * the whole handle. */
void handle_mask(const char *handle, char out[HANDLE_MAX_BYTES + 1]);

/* Job numbers: "j_" and base 36, without leading zeros. */
void job_number_format(uint64_t number, char out[JOB_NUMBER_TEXT_MAX]);
bool job_number_parse(const char *text, uint64_t *out);

/* Idempotency key: job number, '-', 24 hex digits; alphabet [A-Za-z0-9_-] (linq-api.md 4.4). */
void idempotency_key_format(uint64_t number, const uint8_t random[KEY_RANDOM_BYTES],
                            char out[IDEMPOTENCY_KEY_TEXT_MAX]);
bool idempotency_key_parse(const char *text, uint64_t *number, uint8_t random[KEY_RANDOM_BYTES]);

/* Leases: opaque to workers, ours to read back: "l_" and base 36. */
void lease_format(uint64_t lease, char out[LEASE_TEXT_MAX]);
bool lease_parse(const char *text, uint64_t *out);

#endif
