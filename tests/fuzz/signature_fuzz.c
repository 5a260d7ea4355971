/* The headers of a signed webhook: id, timestamp, signatures, a secret as in its file, one a line; then the body. True is
 * only what our own signing makes of id, timestamp and body. */
#include <sodium.h>

#include "fuzz.h"
#include "lineward/signature.h"

#define NOW_S INT64_C(1795428000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input input = {data, bytes};
    unsigned absent = input_byte(&input);
    char *id = input_text(input_line(&input));
    char *timestamp = input_text(input_line(&input));
    char *signatures = input_text(input_line(&input));
    char *secret = input_text(input_line(&input));
    char *body = input_copy(input);
    struct webhook_secret secrets[2] = {{.key = "known", .key_bytes = 5}};
    char ours[SIGNATURE_TEXT_MAX];
    fuzz_check(sodium_init() >= 0);
    size_t count = webhook_secret_parse(secret, &secrets[1]) ? 2 : 1;
    fuzz_check(count == 1 || (secrets[1].key_bytes > 0 && secrets[1].key_bytes <= SIGNATURE_KEY_BYTES_MAX));
    enum signature_verdict verdict =
        signature_verify(secrets, count, absent & 1 ? NULL : id, absent & 2 ? NULL : timestamp,
                         absent & 4 ? NULL : signatures, body, input.left, NOW_S);
    fuzz_check((absent & 7) == 0 || verdict == SIGNATURE_MISSING);
    signature_make(&secrets[count - 1], id, timestamp, body, input.left, ours);
    if (verdict == SIGNATURE_GOOD || verdict == SIGNATURE_STALE) {
        char other[SIGNATURE_TEXT_MAX];
        signature_make(&secrets[0], id, timestamp, body, input.left, other);
        fuzz_check(strstr(signatures, ours) != NULL || strstr(signatures, other) != NULL);
    }
    /* With the right signature only the clock decides. */
    if ((absent & 3) == 0) {
        verdict = signature_verify(secrets, count, id, timestamp, ours, body, input.left, NOW_S);
        fuzz_check(verdict != SIGNATURE_GOOD || llabs(strtoll(timestamp, NULL, 10) - NOW_S) <= SIGNATURE_TOLERANCE_S);
    }
    fuzz_forget();
    return 0;
}
