/* posts.h — producers that enqueue over POST /v1/jobs: the admin API hands their jobs to the ingress, as the product's own
 * does, and answers when all of them have one. A connection that breaks leaves its producer without an answer. */
#ifndef TESTS_SIM_POSTS_H
#define TESTS_SIM_POSTS_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "broker/edge/admin.h"
#include "lineward/wire.h"

/* One request a producer at a time; a new one takes the place of the old. The jobs are copied. `answered` gets an array of
 * results, later, if it gets one at all. */
void posts_send(unsigned producer, const struct frame *jobs, size_t count, uint64_t id,
                void (*answered)(void *self, uint64_t id, const cJSON *results), void *self);

/* ---- for the admin API ---- */
/* Hands over one request; false: there is none. */
bool posts_serve(const struct admin_shell *shell, struct instant now, struct effects *out);
/* False: the token is none of theirs. */
bool posts_effect(const struct effect *effect);
void posts_broker_down(void);

#endif
