/* calls.h — calls of the admin API as any client makes them: method, path, query and body go through the product's own
 * table and handlers (broker/edge/admin_route.h), their audit included; without HTTP, as somebody with an admin's token. A
 * call and its answer take their time, either may be lost, and a broker that goes answers nobody. */
#ifndef TESTS_SIM_CALLS_H
#define TESTS_SIM_CALLS_H

#include <cjson/cJSON.h>

#include "broker/core/core.h"
#include "broker/edge/lookup.h"

#define CALLS_TARGET_MAX 512

struct call {
    const char *method;            /* lent for good */
    char target[CALLS_TARGET_MAX]; /* path and query */
    char *body;                    /* from malloc(), taken over; NULL: none */
    /* status 0: nobody knows whether the call was heard; `answer` is lent. Calls may be made in it. */
    void (*answered)(void *self, uint64_t arg, int status, const cJSON *answer);
    void *self;
    uint64_t arg;
};

/* False: too many are under way; `body` is given back. */
bool calls_ask(const struct call *call);
/* Two calls that reach the broker at once, and are dealt with in the same turns, the second one behind the first: in the
 * first `turns` of them, between which both wait for something. */
bool calls_ask_both(const struct call *first, const struct call *second, unsigned turns);
/* Is a call that was answered so asked again? (0, 429, 5xx) */
bool calls_come_again(int status);
/* No answer is lost any more. */
void calls_heal(void);

/* ---- for the admin API (desk.h) ---- */
bool calls_serve(struct core *core, struct instant now, struct effects *out); /* false: there is nothing to do */
/* False: the token is none of theirs. An answer is taken over. */
bool calls_effect(const struct effect *effect);
bool calls_looked_up(struct lookup_answer *answer);
void calls_broker_down(void);

#endif
