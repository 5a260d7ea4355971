/* witness.h — who sees what is told and done, and says when a promise is broken. It knows nothing of the broker's
 * inside: only what producers were told, what left the workers, what the provider got, and what operators did. */
#ifndef TESTS_SIM_WITNESS_H
#define TESTS_SIM_WITNESS_H

#include <cjson/cJSON.h>

#include "tests/sim/cast.h"
#include "tests/sim/fiber.h"
#include "tests/sim/hooks.h"
#include "workers/sender.h"

void witness_begin(void);

/* ---- producers ---- */
void witness_acked(int job, const char *number, const cJSON *result);
void witness_refused(int job, const char *code);
void witness_viewed(int job, const cJSON *view, bool of_cancel, int64_t asked_us);

/* An operator may have brought it back from the dead letters. */
void witness_requeued(int job);
bool witness_is_told_unknown(int job);   /* its outcome, as it was told last */
bool witness_waits_for_budget(int job); /* of a day */
bool witness_hangs(int job); /* given out, and not begun by its worker for a while */
bool witness_waits_for_answer(int job); /* as it was told last: for its chat */

/* ---- workers and provider ---- */
void witness_begun(const struct process *worker, const char *url, const char *body, size_t bytes);
void witness_ended(const struct process *worker, const char *url, const char *body, size_t bytes,
                   const struct send_end *end);
void witness_arrived(int job, int conversation, int line, const char *key, const char *body, size_t bytes);
void witness_message(int job, int line, bool new_chat);

/* ---- the broker ---- */
void witness_broker_up(void);
void witness_broker_down(void);
/* The disk forgot what it had promised: of jobs and pauses until now nothing is sure any more. */
void witness_deceived(void);
void witness_wall_jumps(int64_t by_us); /* from where it is */

/* What the core says of a job and the lines, for a person. */
void witness_explain(int job);
/* At the end, when all that may go has gone. */
void witness_settle(void);

#endif
