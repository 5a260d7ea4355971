/* The job as leased, as a worker reads it; and the request that is made of it. */
#include "fuzz.h"
#include "lineward/ids.h"
#include "lineward/json.h"
#include "workers/lease_json.h"

static void check_request(const struct leased_job *job)
{
    struct provider_request request = {NULL, NULL, 0};
    if (provider_linq.request("http://127.0.0.1:1/api", &job->send, &request) != ERR_NONE)
        return;
    cJSON *body = json_parse(request.body, request.body_bytes, NULL);
    const cJSON *message = json_get(body, "message");
    fuzz_check(cJSON_IsObject(message));
    fuzz_check(strcmp(json_string(message, "idempotency_key"), job->send.idempotency_key) == 0);
    fuzz_check((json_get(body, "to") == NULL) == (job->send.chat_id != NULL));
    /* Whatever the chat is called, the request stays below its own path. */
    fuzz_check(strncmp(request.url, "http://127.0.0.1:1/api/v3/chats", 31) == 0);
    fuzz_check(job->send.chat_id == NULL || strcmp(strrchr(request.url, '/'), "/messages") == 0);
    fuzz_check(strpbrk(request.url + 31, "?# \r\n") == NULL);
    cJSON_Delete(body);
    free(request.url);
    free(request.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct leased_job job;
    const char *why = NULL;
    if (leased_job_read((const char *)data, bytes, &job, &why) != ERR_NONE) {
        fuzz_check(why != NULL);
        return 0;
    }
    fuzz_check(job.send.to_count >= 1 && job.send.to_count <= WIRE_RECIPIENTS_MAX);
    fuzz_check(e164_is_valid(job.send.line) && job.lease_ms > 0 && job.attempt >= 1);
    check_request(&job);
    leased_job_clear(&job);
    return 0;
}
