/* backup.c — see backup.h. */
#include "broker/core/backup.h"

#include "broker/core/ages.h"
#include "broker/core/job.h"
#include "broker/core/leases.h"
#include "broker/core/restore.h"

#define RECORDS_MAX 512 /* in one go */

/* More than can have been given out after the backup; 39 bits of jobs last for 256 restores, the others for more. The
 * keys differ anyway (each start has random bits of its own): this is so that a number that somebody has noted is
 * never another job's, nor a `seq` another event's. */
#define JOBS_SKIPPED   (UINT64_C(1) << 31)
#define LEASES_SKIPPED (UINT64_C(1) << 34)
#define SEQ_SKIPPED    (UINT64_C(1) << 36)
#define OTHERS_SKIPPED (UINT64_C(1) << 20)

void core_is_backup(struct core *core, int64_t taken_ms, int64_t key_life_ms)
{
    core->backup_ms = taken_ms;
    core->key_life_ms = key_life_ms;
    core->backup_at = 1;
}

/* No try of it goes out by itself any more. */
static void hold(struct core *core, struct job *job)
{
    if (job->state == JOB_LEASED) {
        lease_lapse_restored(core, job->parent, job->number);
        job->parent = NOBODY;
    }
    job->state = JOB_QUEUED;
    job->flags &= (uint8_t)~JOB_WIDE;
    job_set_due(job, BACKUP_HOLD_MS);
}

static void doubt(struct core *core, struct job *job, int64_t first_ms, struct instant now)
{
    if (job->state == JOB_LEASED)
        job->flags |= JOB_UNSETTLED;
    else if ((job->flags & JOB_UNSETTLED) == 0)
        job->flags |= JOB_DOUBTFUL;
    if (first_ms + core->key_life_ms < now.wall_ms)
        hold(core, job);
}

/* It may have been sent since, so it waits among the others, in its place by when it fell due. */
static void fall_due(struct core *core, uint32_t slot, struct instant now)
{
    struct job *job = job_at(core, slot);
    int64_t first_ms = job_due_ms(job) > core->backup_ms ? job_due_ms(job) : core->backup_ms;
    job->state = JOB_QUEUED;
    job_set_due(job, 0);
    ages_note(&core->ages, first_ms, core->next_job);
    restore_set_order(job, core->next_job++);
    doubt(core, job, first_ms, now);
}

/* The timers, none of which is set yet, serve to find that order. */
void backup_doubt(struct core *core, struct instant now)
{
    struct timer next;
    for (uint32_t slot = 1; core->backup_ms != 0 && slot <= core->jobs_used; slot++) {
        struct job *job = &core->jobs[slot];
        if (job->number == 0 || job_state_is_final(job->state))
            continue;
        if (job->state != JOB_SCHEDULED)
            doubt(core, job, core->backup_ms, now);
        else if (job_due_ms(job) <= now.wall_ms)
            wall_timer(core, WALL_JOB, slot, job_due_ms(job));
    }
    while (core->backup_ms != 0 && timers_take(&core->wall, TIME_NEVER, &next))
        fall_due(core, next.owner, now);
}

bool backup_may_have_begun(const struct core *core, const struct lease *lease)
{
    return lease->restored && core->backup_ms != 0;
}

void backup_skip_numbers(struct core *core)
{
    if (core->backup_ms == 0)
        return;
    core->next_job += JOBS_SKIPPED;
    core->next_lease += LEASES_SKIPPED;
    core->next_seq += SEQ_SKIPPED;
    core->next_pause += OTHERS_SKIPPED;
    core->next_audit += OTHERS_SKIPPED;
}

bool core_record_backup(struct core *core, struct instant now, struct effects *out)
{
    unsigned recorded = 0;
    if (core->backup_ms == 0)
        return false;
    for (; core->backup_at <= core->jobs_used && recorded < RECORDS_MAX; core->backup_at++) {
        const struct job *job = &core->jobs[core->backup_at];
        if (job->number == 0 || job_state_is_final(job->state) ||
            (job->flags & (JOB_UNSETTLED | JOB_DOUBTFUL)) == 0)
            continue;
        core_renew(core, CHANGE_TRY, job->number, now, out);
        recorded++;
    }
    return core->backup_at <= core->jobs_used;
}
