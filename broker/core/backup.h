/* backup.h — a start from a restored backup: what waits in it may have been sent after it was taken.
 *
 * Each such job is JOB_DOUBTFUL, or JOB_UNSETTLED where it was under way: it goes out with its key, marked unsettled,
 * and is not replaced, drained or cancelled as if it surely had not been sent. What was not due when the backup was
 * taken, and is now, is one of them, queued already. One that may have been sent longer ago than the provider remembers
 * keys is not tried by itself: its due moment is BACKUP_HOLD_MS, its reason outcome_unknown, until it is settled or
 * expires. */
#ifndef LINEWARD_CORE_BACKUP_H
#define LINEWARD_CORE_BACKUP_H

#include "broker/core/state.h"

#define BACKUP_HOLD_MS INT64_C(0x7FFFFFFFFFFF) /* the last moment that a job can be due at */

static inline bool backup_holds(const struct job *job)
{
    return job->state == JOB_QUEUED && job_due_ms(job) == BACKUP_HOLD_MS &&
           (job->flags & (JOB_UNSETTLED | JOB_DOUBTFUL)) != 0;
}

/* Within core_restored(); nothing happens unless core_is_backup() was said. Before leases and jobs are linked: */
void backup_doubt(struct core *core, struct instant now);
/* Before this start begins: */
void backup_skip_numbers(struct core *core);
/* A lease that its worker does not know may be one that was begun, and whose result it was told to forget, since. */
bool backup_may_have_begun(const struct core *core, const struct lease *lease);

#endif
