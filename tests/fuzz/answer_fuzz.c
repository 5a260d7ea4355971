/* The provider's answer as a worker reads it: the input's first line is status, Retry-After and trace id, the rest the
 * body. Whatever comes, the verdict is one of the contract's, and is written as JSON that the broker takes. */
#include <sodium.h>

#include "broker/edge/worker_result.h"
#include "fuzz.h"
#include "lineward/retry_after.h"
#include "workers/lease_json.h"

#define NOW_MS INT64_C(1795428000000)

static void check_verdict(const struct provider_answer *answer, int status)
{
    static struct keyed_hash hash;
    struct disposition verdict = disposition_of(&answer->answer);
    struct core_result result;
    struct result_texts texts = {0};
    size_t bytes = 0;
    fuzz_check(verdict.retry_after_ms >= -1 && verdict.retry_after_ms <= RETRY_AFTER_MAX_MS);
    fuzz_check(verdict.outcome != OUTCOME_SENT || (status >= 200 && status < 300) || answer->answer.unsettled);
    fuzz_check(!verdict.unknown || verdict.outcome == OUTCOME_RETRY);
    fuzz_check(verdict.reason != NULL || verdict.outcome == OUTCOME_SENT);
    char *text = lease_result(&verdict, answer, NULL, &bytes);
    fuzz_check(text != NULL && worker_result_parse(&hash, text, bytes, &result, &texts));
    fuzz_check(result.outcome == verdict.outcome && result.unknown == verdict.unknown);
    result_texts_free(&texts);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input input = {data, bytes};
    struct input head = input_line(&input);
    struct provider_answer answer;
    unsigned flags = input_byte(&head);
    int status = (int)(100 + input_number(&head, 2) % 500);
    size_t half = head.left / 2;
    const char *retry_after = input_text(input_take(&head, half));
    const char *trace = input_text(head);
    fuzz_check(sodium_init() >= 0);
    provider_linq.read(status, input_copy(input), input.left, flags & 1 ? retry_after : NULL, flags & 2 ? trace : NULL,
                       NOW_MS, &answer);
    fuzz_check(memchr(answer.message, '\0', sizeof answer.message) != NULL);
    fuzz_check(answer.answer.retry_after_ms >= -1 && answer.answer.retry_after_ms <= RETRY_AFTER_MAX_MS);
    answer.answer.unsettled = flags & 4;
    answer.answer.has_chat = flags & 8;
    answer.answer.attempt = flags >> 4;
    check_verdict(&answer, status);
    fuzz_forget();
    return 0;
}
