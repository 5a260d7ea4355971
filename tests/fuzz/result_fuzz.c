/* A worker's RESULT as the broker reads it: bounded, and what it keeps for the view is JSON. */
#include <sodium.h>

#include "broker/edge/worker_result.h"
#include "fuzz.h"

static struct keyed_hash hash;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct core_result result;
    struct result_texts texts = {0};
    fuzz_check(sodium_init() >= 0);
    bool good = worker_result_parse(&hash, (const char *)data, bytes, &result, &texts);
    fuzz_check(good != result.malformed);
    fuzz_check(result.retry_after_ms >= -1 && result.retry_after_ms <= INT64_C(86400000));
    if (good) {
        cJSON *view = json_parse(result.result.data, result.result.bytes, NULL);
        fuzz_check(cJSON_IsObject(view) && result.result.bytes < 16384);
        fuzz_check(result.outcome == OUTCOME_SENT || json_string(json_get(view, "error"), "code") != NULL);
        fuzz_check((result.chat_id.bytes > 0) == (result.chat_hash != 0));
        fuzz_check(result.suppress != SUPPRESS_OPERATOR);
        fuzz_check(result.http_status == 0 || (result.http_status >= 100 && result.http_status <= 599));
        cJSON_Delete(view);
    }
    result_texts_free(&texts);
    return 0;
}
