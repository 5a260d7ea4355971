/* webhook_faults.h — what befalls events on purpose: lost, late, double, out of order; by chance from a seed, or the
 * next so many. Pure. */
#ifndef SANDBOX_WEBHOOK_FAULTS_H
#define SANDBOX_WEBHOOK_FAULTS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "lineward/json.h"

#define WEBHOOK_REVERSE_MAX 64

struct webhook_faults {
    char event[48];                        /* whom all this hits: one type; "": all */
    double lost, twice, late, shuffled;    /* shares of the events */
    int64_t twice_ms, late_ms, shuffle_ms; /* the second copy, late ones: so much later; shuffled: 0 to so much */
    int64_t lose_next, repeat_next, delay_next;
    int64_t reverse_next; /* so many are kept back, then go out in reverse */
    uint64_t random;
};

struct webhook_fate {
    unsigned copies; /* 0: lost */
    int64_t delay_ms;
    bool reverses, is_last_reversed;
};

void webhook_faults_init(struct webhook_faults *faults, uint64_t seed);
/* Takes over the members given. NULL, or the one that is wrong, and then nothing changed. */
const char *webhook_faults_set(struct webhook_faults *faults, const cJSON *changes);
struct webhook_fate webhook_faults_draw(struct webhook_faults *faults, const char *type);
void webhook_faults_view(const struct webhook_faults *faults, struct json_out *out);

#endif
