/* erasures.h — admins who have recipients erased (POST /v1/erasures), and look until it is done; over restarts, with jobs of
 * theirs under way, among those who enqueue, pause and suppress. And the witness's eye on what that promises: what was
 * accepted before never goes out, nothing new is taken meanwhile, who stopped stays stopped (witness_stops.h), and when it
 * is done no file of the store names them. */
#ifndef TESTS_SIM_ERASURES_H
#define TESTS_SIM_ERASURES_H

#include <cjson/cJSON.h>

#include "tests/sim/ground.h"

void erasures_begin(void);
void erasures_mishap(struct stream *stream);
bool erasures_are_done(void);
/* When nothing more happens: each of them is done. */
void erasures_settle(void);

/* ---- for the witness ---- */
/* May an erasure have ended the job, or forgotten where its conversation lives? */
bool erasures_may_have_ended(int job);
bool erasures_may_have_forgotten(int conversation);
bool erasures_may_be_open(int conversation);
/* Somebody names the conversation's recipients to the broker, which then may write them down. */
void erasures_named(int conversation);
void erasures_viewed(int job, const cJSON *view, int64_t asked_us); /* the answer may have been long on its way */
void erasures_acked(int job); /* for the first time */
void erasures_broker_up(void);
void erasures_deceived(void); /* the disk forgot what it had promised */

#endif
