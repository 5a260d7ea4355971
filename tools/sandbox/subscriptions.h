/* subscriptions.h — webhook subscriptions: who wants which events of which lines (linq-api.md 2.9). Pure but for
 * memory; what is sent where is webhooks.h's. */
#ifndef SANDBOX_SUBSCRIPTIONS_H
#define SANDBOX_SUBSCRIPTIONS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lineward/ids.h"
#include "lineward/json.h"
#include "tools/sandbox/webhook_target.h"
#include "tools/sandbox/world.h"

#define SUBSCRIPTIONS_MAX       64
#define SUBSCRIPTION_SECRET_MAX 64

struct subscription {
    uint64_t number; /* makes its id */
    struct webhook_target *target;
    char secret[SUBSCRIPTION_SECRET_MAX]; /* its text: a new address keeps it */
    uint64_t types;                       /* event_types.h */
    char (*lines)[E164_MAX_BYTES + 1];    /* NULL: all */
    size_t line_count;
    bool active;
    int64_t created_wall_ms, updated_wall_ms;
};

struct subscriptions { /* all zero: none */
    struct subscription list[SUBSCRIPTIONS_MAX];
    size_t count;
    uint64_t last_number;
};

void subscriptions_free(struct subscriptions *all);

/* These answer 0, or the provider's code for what is wrong with `body`, and then nothing changed. A URL may be used
 * once. Plain http is taken (unlike the provider, which wants https and refuses private addresses: a rehearsal is at
 * home). The secret follows from the seed. */
int subscriptions_add(struct subscriptions *all, uint64_t seed, const cJSON *body, int64_t now_wall_ms,
                      struct subscription **out);
int subscriptions_change(struct subscriptions *all, struct subscription *one, const cJSON *body, int64_t now_wall_ms);
void subscriptions_remove(struct subscriptions *all, struct subscription *one);
/* NULL: no such subscription. */
struct subscription *subscriptions_find(struct subscriptions *all, uint64_t seed, const char *id);

bool subscription_wants(const struct subscription *one, const char *type, const char *line);
/* `with_secret`: as it is shown once. */
void subscription_put(struct json_out *out, const struct subscription *one, uint64_t seed, bool with_secret);

#endif
