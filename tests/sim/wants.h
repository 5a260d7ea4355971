/* wants.h — what some worlds have besides, each drawn by itself: recipients with a night, jobs that would rather fail than
 * be held, conversations that exist at the provider before the broker hears of them, producers that enqueue over HTTP.
 * And the witness's eye on what these are promised (P2, P5, P7, P10). */
#ifndef TESTS_SIM_WANTS_H
#define TESTS_SIM_WANTS_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "tests/sim/ground.h"

void wants_begin(void); /* before the configuration is written */
/* For policies: ", quiet_hours: {...}", or nothing. */
const char *wants_quiet_hours(void);
/* Completes a job that its producer makes. */
void wants_of_job(int job);
const char *wants_zone(int conversation); /* NULL: its jobs name none */
bool wants_http(unsigned producer);

/* Where the chat of the conversation was before, -1: there was none; and do all its jobs name it (`from`, `chat_id`), or
 * did an operator import it? */
int wants_home(int conversation);
bool wants_named_home(int conversation);
void wants_chat_id(int conversation, char out[64]);
/* An import of it was answered. */
void wants_imported(int conversation, bool taken);

/* ---- the witness ---- */
bool wants_may_be_night(int conversation, int64_t since_us); /* at any time since then */
void wants_given(int job, int line, bool has_chat, bool unsettled);
void wants_acked(int job, const cJSON *result);
void wants_refused(int job, const char *code);

#endif
