/* model_run.h — the model at work in a sandbox: lines are judged step by step, people get, read and answer messages.
 *
 * Off until asked for. Its time may run faster than the clock; moments that others see are real ones. Pure but for
 * memory and what it tells events.h: time comes in as an argument, the thread that lets it pass is ticker.h's. All
 * with the sandbox's lock held. */
#ifndef SANDBOX_MODEL_RUN_H
#define SANDBOX_MODEL_RUN_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "lineward/clock.h"
#include "lineward/json.h"
#include "tools/sandbox/due.h"
#include "tools/sandbox/model/model.h"

struct sandbox;

struct model_run { /* all zero: off */
    bool on;
    struct model_params params;
    double speed;        /* of the model's time: 1 is the clock's */
    struct instant from; /* when, and at which model time, this speed began */
    int64_t from_model_ms;
    int64_t step_due_mono_ms;
    struct model_line *lines; /* by the world's numbers; those beyond the counts are not begun yet */
    struct model_chat *chats;
    uint32_t line_count, line_room, chat_count, chat_room;
    struct sandbox_due reactions;
    uint64_t delivered, failed, read, answered, opted_out;
};

/* Off; `speed` is what it begins with when it is turned on. */
void model_run_init(struct model_run *run, uint64_t seed, double speed);
void model_run_free(struct model_run *run);

void model_run_turn_on(struct sandbox *sandbox, double speed, struct instant now);
/* Takes over the members given: "on", "speed", "daily_level" (of all lines there are, or of "line": they begin anew
 * with such a past), and every parameter of the model by its name. NULL, or the member that is wrong, and then
 * nothing changed. */
const char *model_run_set(struct sandbox *sandbox, const cJSON *changes, struct instant now);

/* What others did. All do nothing while it is off. */
void model_run_accepted(struct sandbox *sandbox, uint32_t message, struct instant now);
void model_run_received(struct sandbox *sandbox, uint32_t message, struct instant now);
void model_run_line_set(struct sandbox *sandbox, uint32_t line, struct instant now);

/* Does what is due. Returns when there will be something next on the steady clock; TIME_NEVER: nothing. */
int64_t model_run_work(struct sandbox *sandbox, struct instant now);

/* Brings the health of a chat up to date before somebody reads it. */
void model_run_look(struct sandbox *sandbox, uint32_t chat, struct instant now);
void model_run_view(const struct sandbox *sandbox, struct instant now, struct json_out *out);

#endif
