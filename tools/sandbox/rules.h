/* rules.h — errors on request: which requests, how often, and what they are answered. Pure.
 *
 * A rule speaks before the faults of chance, and the first that fits a request speaks alone. A rule with `times`
 * counts down and goes; one with a `share` draws from its own seed, so that rules do not disturb the faults. */
#ifndef SANDBOX_RULES_H
#define SANDBOX_RULES_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lineward/ids.h"
#include "lineward/json.h"

#define RULES_MAX 64

enum rule_hint { RULE_HINT_BOTH, RULE_HINT_HEADER, RULE_HINT_BODY, RULE_HINT_DATE, RULE_HINT_MS, RULE_HINT_NONE };
enum rule_body { RULE_BODY_JSON, RULE_BODY_HTML, RULE_BODY_EMPTY, RULE_BODY_TRUNCATED };
enum rule_target { RULE_ON_SENDS, RULE_ON_READS, RULE_ON_ALL };

struct rule {
    uint64_t id;
    int code, http; /* code 0: none of the provider's, only a status */
    enum rule_target target;
    char line[E164_MAX_BYTES + 1];        /* "": any */
    char recipient[HANDLE_MAX_BYTES + 1]; /* "": any; else one of the recipients */
    char path[64];                        /* "": any; else what the path begins with, after /api/partner */
    int64_t skip, times;                  /* lets `skip` pass first; times -1: for ever */
    double share;
    bool after_accept; /* the request is taken, then answered so */
    enum rule_body body;
    enum rule_hint hint;
    int64_t retry_after_ms; /* -1: none */
    uint64_t hits;
};

struct rules {
    struct rule list[RULES_MAX];
    size_t count;
    uint64_t last_id, random;
};

/* What a request is, as far as rules look at it. */
struct rule_request {
    const char *path, *line; /* line NULL: about none */
    bool is_send;
    const char *recipients[31];
    size_t recipient_count;
};

void rules_init(struct rules *rules, uint64_t seed);
/* Adds the rule that `body` tells. NULL, or the member that is wrong ("rules" when there are RULES_MAX), and then
 * nothing changed. */
const char *rules_add(struct rules *rules, const cJSON *body);
/* False: no such rule. */
bool rules_remove(struct rules *rules, uint64_t id);
void rules_clear(struct rules *rules);
/* The rule for this request, counted; false: none. */
bool rules_draw(struct rules *rules, const struct rule_request *request, struct rule *out);
/* {"rules":[…]} */
void rules_view(const struct rules *rules, struct json_out *out);

#endif
