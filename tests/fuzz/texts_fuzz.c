/* The small shapes: numbers, handles, keys, times, addresses. What is read, written and read again is the same. */
#include "fuzz.h"
#include "lib/conf_read.h"
#include "lineward/clock.h"
#include "lineward/ids.h"
#include "lineward/keys.h"
#include "lineward/retry_after.h"

static void check_handles(const char *text)
{
    char handle[HANDLE_MAX_BYTES + 1], again[HANDLE_MAX_BYTES + 1], mask[HANDLE_MAX_BYTES + 1];
    handle_mask(text, mask);
    fuzz_check(strlen(mask) <= HANDLE_MAX_BYTES);
    if (handle_normalize(text, handle)) {
        fuzz_check(handle_normalize(handle, again) && strcmp(handle, again) == 0);
        fuzz_check(strcmp(mask, text) != 0 || strchr(text, '*') != NULL);
    }
    fuzz_check(!e164_is_valid(text) || strlen(text) <= E164_MAX_BYTES);
    fuzz_check(!name_is_valid(text) || strlen(text) <= NAME_MAX_BYTES);
    fuzz_check(!producer_id_is_valid(text) || (strlen(text) <= PRODUCER_ID_MAX_BYTES && strncmp(text, "j_", 2) != 0));
}

static void check_numbers(const char *text)
{
    uint64_t number = 0;
    uint8_t random[KEY_RANDOM_BYTES];
    char job[JOB_NUMBER_TEXT_MAX], lease[LEASE_TEXT_MAX], key[IDEMPOTENCY_KEY_TEXT_MAX];
    if (job_number_parse(text, &number)) {
        job_number_format(number, job);
        fuzz_check(strcmp(job, text) == 0);
    }
    if (lease_parse(text, &number)) {
        lease_format(number, lease);
        fuzz_check(strcmp(lease, text) == 0);
    }
    if (idempotency_key_parse(text, &number, random)) {
        idempotency_key_format(number, random, key);
        fuzz_check(strcmp(key, text) == 0);
    }
}

static void check_times(const char *text)
{
    int64_t ms = 0, again = 0;
    char written[TIME_TEXT_MAX];
    if (time_parse(text, &ms)) {
        time_format(ms, written);
        fuzz_check(time_parse(written, &again) && again == ms);
    }
    int64_t wait_ms = retry_after_parse(text, INT64_C(1795428000000));
    fuzz_check(wait_ms >= -1 && wait_ms <= RETRY_AFTER_MAX_MS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input input = {data, bytes};
    struct key_grant grant;
    const char *why = NULL;
    while (input.left > 0) {
        char *text = input_text(input_line(&input));
        check_handles(text);
        check_numbers(text);
        check_times(text);
        (void)conf_endpoint_is_valid(text, &why);
        (void)conf_host_port_is_valid(text, &why);
        (void)conf_base_url_is_valid(text, &why);
        (void)conf_redis_url_is_valid(text, &why);
        (void)conf_endpoint_is_local(text);
        if (key_grant_parse(text, &grant) == NULL) {
            fuzz_check(key_text_is_valid(grant.key));
            free(grant.pools);
        }
        fuzz_forget();
    }
    return 0;
}
