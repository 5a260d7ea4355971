/* A producer's job document: what is taken obeys the bounds of the contract's Job table, what is not has a reason. */
#include <sodium.h>

#include "broker/edge/job_parse.h"
#include "fuzz.h"
#include "lineward/wire.h"

#define ROOM 64

static const char conf_text[] = "accounts:\n  default:\n    api_key_file: key\n"
                                "pools:\n"
                                "  default: {account: default, lines: all}\n"
                                "  eu.1: {account: default, lines: [\"+12025550109\"]}\n";

static struct conf *conf;
static struct keyed_hash hash;
static struct job_texts texts;
static void *memory[256];
static size_t memory_count;

static void *take(void *self, size_t bytes)
{
    fuzz_check(memory_count < sizeof memory / sizeof *memory);
    return memory[memory_count++] = calloc(1, bytes + 1);
}

static struct core *core_open(void)
{
    const struct core_limits limits = {.jobs_max = 4, .conversations_max = 4, .lines_max = 4,  .leases_max = 4,
                                       .workers_max = 2, .pauses_max = 2,     .names_max = 4, .remembered_max = 4};
    const struct core_memory source = {take, NULL};
    struct conf_problem problem;
    struct core *core = NULL;
    if (conf == NULL) {
        fuzz_check(sodium_init() >= 0);
        fuzz_check(conf_parse(&conf, conf_text, sizeof conf_text - 1, "t.yaml", "/tmp", NULL, 0, &problem) == ERR_NONE);
    }
    fuzz_check(core_new(&core, &limits, &source, conf, 1) == ERR_NONE);
    return core;
}

/* Each of the job's texts is JSON of its own. */
static cJSON *reads(struct span span)
{
    cJSON *json = json_parse(span.data, span.bytes, NULL);
    fuzz_check(json != NULL);
    return json;
}

static void check_taken(const struct core_enqueue *job, size_t bytes)
{
    cJSON *recipients = reads(job->recipients);
    cJSON *payload = reads(job->payload);
    fuzz_check(bytes <= WIRE_JOB_BYTES_MAX);
    fuzz_check(cJSON_IsArray(recipients) && cJSON_GetArraySize(recipients) >= 1 &&
               cJSON_GetArraySize(recipients) <= WIRE_RECIPIENTS_MAX);
    for (const cJSON *one = recipients->child; one != NULL; one = one->next) {
        char handle[HANDLE_MAX_BYTES + 1];
        fuzz_check(cJSON_IsString(one) && handle_normalize(one->valuestring, handle));
        fuzz_check(strcmp(handle, one->valuestring) == 0);
        fuzz_check(one->next == NULL || strcmp(one->valuestring, one->next->valuestring) < 0);
    }
    fuzz_check(cJSON_IsObject(payload) && json_get(payload, "idempotency_key") == NULL);
    fuzz_check(!json_has_big_integer(job->payload.data, job->payload.bytes));
    fuzz_check((job->recipient == 0) == (cJSON_GetArraySize(recipients) > 1));
    fuzz_check(job->pool < conf->pool_count && job->class < CLASS_COUNT);
    cJSON_Delete(payload);
    cJSON_Delete(recipients);
    if (job->envelope.bytes > 0)
        cJSON_Delete(reads(job->envelope));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct change changes[ROOM];
    static struct effect effects[ROOM];
    struct effects out = {.changes = changes, .change_room = ROOM, .effects = effects, .effect_room = ROOM};
    struct core_enqueue job;
    struct job_refusal refusal = {0};
    struct span id = {NULL, 0};
    struct core *core = core_open();
    struct job_parser parser = {.conf = conf, .hash = &hash, .core = core};
    if (job_parse(&parser, (const char *)data, bytes, &job, &texts, &id, &refusal, &out))
        check_taken(&job, bytes);
    else
        fuzz_check(refusal.code != CODE_NONE && refusal.message[0] != '\0');
    if (id.bytes > 0) {
        fuzz_check(id.bytes <= JOB_ID_TEXT_MAX);
        cJSON_Delete(reads(id));
    }
    while (memory_count > 0)
        free(memory[--memory_count]);
    job_texts_free(&texts);
    return 0;
}
