/* What Redis says to a broker, line by line: answers of the script, its messages, values of lines. Whatever it is, a line is
 * of known words and of moments that were, and nobody is stopped but by what was sealed with the secret. */
#include <sodium.h>

#include "broker/cache/cache_line.h"
#include "broker/cache/cache_people.h"
#include "fuzz.h"
#include "lineward/json.h"
#include "tests/support/core_rig.h"

#define SECRET "one line that all the brokers of an account have"
#define HANDLE "+14155550107" /* of the seeds */

static struct rig *rig;

static void persist(void *self, struct instant now, struct effects *out)
{
    (void)self;
    (void)now;
    (void)out;
    rig_keep(rig);
}

static size_t keys(void *self, uint32_t account, const char *handle, struct cache_person *out,
                   uint64_t conversations[CONF_POOLS_MAX])
{
    (void)self;
    (void)account;
    fuzz_check(strcmp(handle, HANDLE) == 0); /* nobody else was sealed with it */
    *out = (struct cache_person){.person = 8, .recipient = 7};
    conversations[0] = 7;
    return 1;
}

static void nothing(void *self)
{
    (void)self;
}

static void check_line(const struct cache_line *line)
{
    const struct change_line *known = &line->known;
    const int64_t moments[] = {line->moments.event, line->moments.tightened, line->moments.loosen_event,
                               line->moments.agreed_begun};
    fuzz_check(known->word < REPUTATION_COUNT && known->previous < REPUTATION_COUNT && known->proven < REPUTATION_COUNT);
    fuzz_check(known->service < SERVICE_COUNT && known->source < SOURCE_COUNT && known->service_source < SOURCE_COUNT);
    fuzz_check(known->changed_at_ms >= 0 && known->heard_at_ms >= 0 && known->flagged_at_ms >= 0 && line->active_at_ms >= 0);
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++)
        fuzz_check(moments[i] == NEVER_SAID || moments[i] >= 0);
    fuzz_check(line->poll_in_ms >= -1);
    fuzz_check(line->version < UINT64_C(1) << CACHE_VERSION_BITS);
}

static void take_line(const cJSON *object)
{
    struct cache_line line;
    if (!cache_line_read(object, &line))
        return;
    check_line(&line);
    const struct core_line_shared shared = {
        .known = &line.known, .moments = &line.moments, .heard_mono_ms = rig->now.mono_ms, .version = line.version};
    core_line_shared(rig->core, &shared, rig->now, &rig->out);
    rig_keep(rig);
}

static void take(struct cache_people *people, struct input part)
{
    cJSON *answer = json_parse(input_copy(part), part.left, NULL);
    const cJSON *object;
    take_line(answer);
    cJSON_ArrayForEach(object, json_get(answer, "lines"))
    {
        take_line(object);
    }
    cache_people_heard(people, 0, answer, rig->now, &rig->out);
    cache_people_answered(people, 2u << 16, answer, rig->now, &rig->out); /* to what it asked for last */
    cJSON_Delete(answer);
    rig_pass(rig, 1000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const char name[] = "default";
    struct rig_options options = {.seed = 1};
    struct cache_owed *owed = calloc(1, sizeof *owed);
    struct input input = {data, bytes};
    fuzz_check(sodium_init() >= 0 && owed != NULL);
    rig = rig_new(&options);
    const struct cache_redis_options redis = {.url = "redis+unix:///nowhere",
                                              .accounts = name,
                                              .name_room = sizeof name,
                                              .account_count = 1,
                                              .told = {.up = nothing, .down = nothing}};
    struct cache_people_options with = {.conf = rig->conf,
                                        .core = rig->core,
                                        .redis = cache_redis_new(&redis),
                                        .owed = owed,
                                        .keys = keys,
                                        .persist = persist};
    fuzz_check(cache_seal_make(&with.seal, SECRET) && with.redis != NULL);
    struct cache_people *people = cache_people_new(&with);
    fuzz_check(people != NULL);
    while (input.left > 0)
        take(people, input_line(&input));
    cache_people_free(&people);
    cache_redis_free(&with.redis);
    free(owed);
    rig_free(&rig);
    fuzz_forget();
    return 0;
}
