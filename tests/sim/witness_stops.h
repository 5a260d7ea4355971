/* witness_stops.h — the witness's eye on what nobody may send any more (promise P7): jobs of which a producer was told
 * that their cancel counts, and recipients who surely do not want to be written to. */
#ifndef TESTS_SIM_WITNESS_STOPS_H
#define TESTS_SIM_WITNESS_STOPS_H

#include "tests/sim/hooks.h"

/* A producer hears that its cancel of a job that is out will count when that comes back. */
void stops_cancel_taken(int job);
/* A JOB is said. `unsettled`: it may have been sent before. */
void stops_given(int job, bool unsettled);
void stops_begun(int job);
void stops_acked(int job);
bool stops_is_stopped(int conversation); /* surely */
/* May somebody who stops its recipient have ended it? */
bool stops_may_have_ended(int job);
/* Something that stops them is about to reach the broker, or has. */
void stops_may_come(int conversation);
/* A RESULT that stops them is under way, for as long as it likes; and was answered. */
void stops_result_said(int conversation);
void stops_result_done(int conversation);

void stops_hook_arrives(const struct hook *hook);
void stops_hook_taken(const struct hook *hook);
/* An operator may have lifted what stops the recipient. */
void stops_may_lift(int conversation);
void stops_deceived(void);

#endif
