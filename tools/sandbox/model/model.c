/* model.c — parameters, chats and people; lines are in line.c. */
#include "tools/sandbox/model/model.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "tools/sandbox/model/random.h"

/* ---- parameters ---- */

static const struct {
    const char *name;
    size_t field;
    double fallback, min, max;
} entries[] = {
#define X(name, fallback, min, max) {#name, offsetof(struct model_params, name), fallback, min, max},
    MODEL_PARAM_LIST(X)
#undef X
};
#define ENTRIES (sizeof entries / sizeof *entries)

static double *field_of(struct model_params *params, size_t entry)
{
    return (double *)(void *)((char *)params + entries[entry].field);
}

void model_params_init(struct model_params *params, uint64_t seed)
{
    params->seed = seed;
    for (size_t i = 0; i < ENTRIES; i++)
        *field_of(params, i) = entries[i].fallback;
}

bool model_params_set(struct model_params *params, const char *name, double value)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        if (strcmp(entries[i].name, name) != 0)
            continue;
        if (!(value >= entries[i].min && value <= entries[i].max))
            return false;
        *field_of(params, i) = value;
        return true;
    }
    return false;
}

/* ---- chance ---- */

/* The finisher of splitmix64: every bit of the input moves every bit of the output. */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

uint64_t model_random(uint64_t seed, uint64_t a, uint64_t b)
{
    uint64_t z = mix(seed + 0x9E3779B97F4A7C15u);
    z = mix(z ^ (a + 0x9E3779B97F4A7C15u));
    return mix(z ^ (b * 0x9E3779B97F4A7C15u + 1));
}

double model_random_unit(uint64_t seed, uint64_t a, uint64_t b)
{
    return (double)(model_random(seed, a, b) >> 11) / 9007199254740992.0; /* 53 bits */
}

/* ---- chats ---- */

void model_chat_init(struct model_chat *chat)
{
    *chat = (struct model_chat){.last_out_ms = INT64_MIN, .last_in_ms = INT64_MIN};
}

enum chat_health model_chat_health(const struct model_chat *chat, const struct model_params *params, int64_t now_ms)
{
    if (chat->opted_out)
        return CHAT_OPTED_OUT;
    bool quiet = chat->last_out_ms != INT64_MIN && (double)(now_ms - chat->last_out_ms) >= params->chat_quiet_ms;
    if (chat->unanswered >= params->chat_critical_unanswered)
        return quiet ? CHAT_AT_RISK : CHAT_CRITICAL;
    if (chat->unanswered >= params->chat_at_risk_unanswered)
        return quiet ? CHAT_HEALTHY : CHAT_AT_RISK;
    return CHAT_HEALTHY;
}

/* ---- people ---- */

/* What is drawn for one message, each with a number of its own, so that a parameter changed moves nothing else. */
enum draw { DRAW_FAIL, DRAW_DELIVER, DRAW_READ, DRAW_READ_MS, DRAW_ANSWER, DRAW_ANSWER_MS, DRAW_OPT_OUT, DRAWS };

struct person {
    uint64_t seed, recipient, ordinal;
};

static double drawn(const struct person *person, enum draw draw)
{
    return model_random_unit(person->seed, person->recipient, person->ordinal * DRAWS + draw);
}

/* Log-normal around its median. A unit number becomes a normal one as the sum of twelve, less six: close enough for
 * delays, and no more than six deviations away. */
static int64_t delay_ms(const struct person *person, enum draw draw, double median_ms, double sigma)
{
    double normal = -6;
    for (uint64_t i = 0; i < 12; i++)
        normal += model_random_unit(person->seed + 1 + i, person->recipient, person->ordinal * DRAWS + draw);
    return (int64_t)fmin(median_ms * exp(normal * sigma), MODEL_SPAN_MS_MAX);
}

void model_react(const struct model_params *params, uint64_t recipient, uint64_t ordinal,
                 const struct model_chat *chat, struct model_reaction *out)
{
    const struct person person = {params->seed, recipient, ordinal};
    double sigma = params->delay_spread;
    *out = (struct model_reaction){.read_ms = -1, .answer = MODEL_SILENT};
    out->deliver_ms = delay_ms(&person, DRAW_DELIVER, params->deliver_ms, sigma);
    out->fails = drawn(&person, DRAW_FAIL) < params->fail_share;
    if (out->fails)
        return;
    double share = params->answer_share * pow(params->answer_fatigue, chat->unanswered);
    bool answers = drawn(&person, DRAW_ANSWER) < share;
    if (answers || drawn(&person, DRAW_READ) < params->read_share)
        out->read_ms = out->deliver_ms + delay_ms(&person, DRAW_READ_MS, params->read_ms, sigma);
    if (!answers)
        return;
    out->answer = drawn(&person, DRAW_OPT_OUT) < params->opt_out_share ? MODEL_OPTS_OUT : MODEL_ANSWERS;
    out->answer_ms = out->read_ms + delay_ms(&person, DRAW_ANSWER_MS, params->answer_ms, sigma);
}
