/* triage.h — operators who sort out what waits, through POST /v1/triage/… and GET /v1/triage/export: they cancel, expire,
 * redate and move it to the other pool, with and without a rehearsal; they export it, cancel it and enqueue it again. What
 * is not answered is asked again. And the witness's eye on it: what a call says that it ended never goes out, a moved job
 * goes out once and in order, a rehearsal says what the call in its moment then does, an export has all that is cancelled
 * behind it.
 *
 * A call names ten of the jobs that it touched; most calls ask for ten at a time, so that it is known which they were. */
#ifndef TESTS_SIM_TRIAGE_H
#define TESTS_SIM_TRIAGE_H

#include "tests/sim/ground.h"

void sorting_begin(void);
void sorting_mishap(struct stream *stream);
bool sorting_is_done(void); /* nothing waits for an answer */

/* ---- for the witness: what may have happened to the job so far ---- */
bool triage_may_have_cancelled(int job);
bool triage_may_have_expired(int job);
bool triage_may_have_moved(int job);
/* One of its collapse key, to where it is, by a call whose answer nobody has yet. */
bool triage_may_bring_another(int job);
bool triage_may_have_redated(int job);
bool triage_may_have_ended(int job); /* one of the first three */
bool triage_dates_are_open(int job); /* nobody can say which count */

#endif
