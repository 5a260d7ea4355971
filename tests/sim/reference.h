/* reference.h — a naive queue beside the broker's: what must be in it, as far as anybody outside can know.
 *
 * Fed only by what passes between the broker and others: what producers offer and are told, READYs, JOBs, RESULTs and
 * DONEs. Lists are walked from end to end. Of a job it knows three things, each only when every reading of the
 * contract says so: it surely lives, it is surely over, a worker surely has it. What lies between (an ACK lost, a
 * lease that may have lapsed) is left open: whatever the broker then says of the job is right.
 *
 * At each JOB it asks whether this job may go now; at an audit it holds the broker's list of jobs against its own. */
#ifndef TESTS_SIM_REFERENCE_H
#define TESTS_SIM_REFERENCE_H

#include <cjson/cJSON.h>

#include "broker/core/core.h"
#include "tests/sim/hooks.h"
#include "tests/sim/net.h"

void reference_begin(void);

/* ---- what is seen ---- */
void reference_offered(int job);                   /* its first ENQUEUE is about to leave, by whichever way */
void reference_acked(int job);                     /* before the ACK counts as known */
void reference_viewed(int job, const cJSON *view); /* the answer to STATUS or CANCEL */
bool reference_may_be_over(int job);               /* or gone */
bool reference_may_have_expired(int job);
int64_t reference_wall_most_ms(void);
int reference_job(uint64_t number); /* -1: nobody was told of it */
void reference_ended(int job, const char *why);     /* surely, by a word that nobody can take back */
/* A JOB is said. */
void reference_given(const char *worker, int job, int line, struct frame lease, const cJSON *document);
void reference_done(struct frame lease);  /* a DONE is said */
void reference_ready(const char *worker); /* a READY is answered */
void reference_hook_arrives(const struct hook *hook);
void reference_broker_down(void);
void reference_wall_jumps(int64_t by_us); /* from where it is */
/* It may have ended days ago, as a clock had it that jumped, so that neither it nor its id is known any more. Then it is
 * judged no longer. */
bool reference_may_be_forgotten(int job);

/* ---- the broker's own list, job by job ---- */
void reference_audit_begin(void);
void reference_audit_job(const struct job_view *view);
void reference_audit_end(void);
/* All is healed, and each job has ended as far as its producer was told: nothing is left. */
void reference_settle(void);

#endif
