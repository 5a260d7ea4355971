/* operators.h — the operators: what they set on lines, pools, conversations and jobs. They ask again until they are
 * answered, and know what is surely in force. */
#ifndef TESTS_SIM_OPERATORS_H
#define TESTS_SIM_OPERATORS_H

#include "broker/core/core.h"
#include "broker/edge/lookup.h"
#include "lineward/words.h"
#include "tests/sim/ground.h"

void operators_begin(void);
void operators_mishap(struct stream *stream); /* one of them does something */
void operators_heal(void);                    /* everything that was stopped may go */
bool operators_are_done(void);                /* nothing waits for an answer */
void operators_settle(int job);               /* they are asked to say what became of it */

/* ---- for the admin API (desk.h) ---- */
bool operators_serve(struct core *core, struct instant now, struct effects *out); /* false: they wish nothing */
/* False: the token is none of theirs. An answer is taken over. */
bool operators_effect(const struct effect *effect);
bool operators_looked_up(const struct lookup_answer *answer);
void operators_broker_down(void); /* who was not answered asks again */

/* ---- what is known of it, for the witness ---- */

/* A pause that stops a job of this conversation on this line (-1: none yet) is surely in force since then, US_NEVER:
 * none is. */
int64_t operators_paused_since_us(int line, int conversation, char campaign);
/* May a pause of that scope that stops it have been in force at any time since then? */
bool operators_may_have_paused(enum pause_scope scope, int line, int conversation, char campaign, int64_t since_us);
/* May it ever have stepped aside for those behind it, as jobs of paused campaigns do? */
bool operators_may_have_held_back(int job);
/* Did somebody give the line a reputation that may have been in force since then? Did somebody cordon it? */
bool operators_may_have_set(int line, int64_t since_us);
/* And may it be a better one than that, now? */
bool operators_may_have_bettered(int line, enum reputation than);
bool operators_surely_cordoned(int line, int64_t *since_us);
int64_t operators_stopped_since_us(int conversation); /* surely, by an operator; US_NEVER: not surely */
bool operators_may_have_failed(int job);              /* with all that waited on a line */
void operators_wall_jumps(void);                      /* what has an end may end at another time */
/* Nothing is surely in force any more. */
void operators_unsure(void);
bool operators_ever_drained_line(int line);

#endif
