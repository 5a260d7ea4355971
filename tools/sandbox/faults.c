/* faults.c — one table of faults, one draw a request. */
#include "tools/sandbox/faults.h"

#include <stdio.h>
#include <string.h>

#include "lineward/json.h"
#include "tools/sandbox/random.h"

#define WAIT_MS_MAX 600000

static const struct {
    const char *name, *rate_key;
    bool accepts;
    int code;
    enum fault_effect effect;
} kinds[FAULT_COUNT] = {
#define X(id, name, rate_key, accepts, code, effect) {name, rate_key, accepts, code, effect},
    FAULT_LIST(X)
#undef X
};

static const char *const target_names[] = {
    [FAULT_ON_SENDS] = "sends", [FAULT_ON_READS] = "reads", [FAULT_ON_ALL] = "all"};

void faults_init(struct faults *faults, uint64_t seed, int64_t latency_ms)
{
    *faults = (struct faults){.latency_ms = latency_ms,
                              .target = FAULT_ON_SENDS,
                              .retry_after_s = 1,
                              .silence_ms = 65000, /* longer than a client waits */
                              .random = seed};
}

const char *fault_name(enum fault fault)
{
    return kinds[fault].name;
}

const char *fault_rate_key(enum fault fault)
{
    return kinds[fault].rate_key;
}

bool fault_accepts(enum fault fault)
{
    return kinds[fault].accepts;
}

int fault_code(enum fault fault)
{
    return kinds[fault].code;
}

enum fault_effect fault_effect(enum fault fault)
{
    return kinds[fault].effect;
}

/* ---- drawing ---- */

static bool hits(const struct faults *faults, bool is_send, const char *line)
{
    if (faults->target != FAULT_ON_ALL && is_send != (faults->target == FAULT_ON_SENDS))
        return false;
    return faults->only_line[0] == '\0' || (line != NULL && strcmp(line, faults->only_line) == 0);
}

enum fault faults_draw(struct faults *faults, bool is_send, const char *line)
{
    if (faults->down)
        return FAULT_RESET;
    if (!hits(faults, is_send, line))
        return FAULT_NONE;
    double drawn = random_unit(&faults->random);
    for (int fault = FAULT_NONE + 1; fault < FAULT_COUNT; fault++) {
        drawn -= faults->rate[fault];
        if (drawn < 0)
            return (enum fault)fault;
    }
    return FAULT_NONE;
}

int64_t faults_delay_ms(struct faults *faults, bool is_send, const char *line)
{
    if (!hits(faults, is_send, line))
        return 0;
    int64_t jitter =
        faults->jitter_ms == 0 ? 0 : (int64_t)(random_unit(&faults->random) * (double)(faults->jitter_ms + 1));
    return faults->latency_ms + jitter;
}

/* ---- setting ---- */

static bool rate_set(struct faults *faults, const cJSON *member)
{
    for (int fault = FAULT_NONE + 1; fault < FAULT_COUNT; fault++) {
        if (strcmp(member->string, kinds[fault].rate_key) != 0)
            continue;
        if (!cJSON_IsNumber(member) || !(member->valuedouble >= 0 && member->valuedouble <= 1))
            return false;
        faults->rate[fault] = member->valuedouble;
        return true;
    }
    return false;
}

static bool number_set(struct faults *faults, const cJSON *member)
{
    const struct {
        const char *name;
        int64_t *field, min, max;
    } numbers[] = {
        {"latency_ms", &faults->latency_ms, 0, WAIT_MS_MAX},
        {"jitter_ms", &faults->jitter_ms, 0, WAIT_MS_MAX},
        {"retry_after_s", &faults->retry_after_s, -1, 86400},
        {"silence_ms", &faults->silence_ms, 0, WAIT_MS_MAX},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (strcmp(member->string, numbers[i].name) != 0)
            continue;
        double value = member->valuedouble;
        if (!cJSON_IsNumber(member) || !(value >= (double)numbers[i].min && value <= (double)numbers[i].max))
            return false;
        *numbers[i].field = (int64_t)value;
        return true;
    }
    return false;
}

static bool target_set(struct faults *faults, const cJSON *member)
{
    for (size_t i = 0; i < sizeof target_names / sizeof *target_names; i++) {
        if (cJSON_IsString(member) && strcmp(member->valuestring, target_names[i]) == 0) {
            faults->target = (enum fault_target)i;
            return true;
        }
    }
    return false;
}

static bool line_set(struct faults *faults, const cJSON *member)
{
    if (cJSON_IsNull(member)) {
        faults->only_line[0] = '\0';
        return true;
    }
    if (!cJSON_IsString(member) || !e164_is_valid(member->valuestring))
        return false;
    snprintf(faults->only_line, sizeof faults->only_line, "%s", member->valuestring);
    return true;
}

static bool member_set(struct faults *faults, const cJSON *member)
{
    if (strcmp(member->string, "down") == 0) {
        faults->down = cJSON_IsTrue(member);
        return cJSON_IsBool(member);
    }
    if (strcmp(member->string, "on") == 0)
        return target_set(faults, member);
    if (strcmp(member->string, "only_line") == 0)
        return line_set(faults, member);
    return rate_set(faults, member) || number_set(faults, member);
}

const char *faults_set(struct faults *faults, const cJSON *changes)
{
    struct faults changed = *faults;
    const cJSON *member;
    cJSON_ArrayForEach(member, changes)
    {
        if (!member_set(&changed, member))
            return member->string;
    }
    *faults = changed;
    return NULL;
}
