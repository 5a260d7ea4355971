/* campaign.h — the jobs of one campaign in one pool: how many there are and how they ended, and its pause.
 *
 * A paused campaign's jobs step out of their conversation's way when they reach its head (DESIGN section 3), so that a
 * pause costs the same however many jobs wait behind it. One that stepped out stands in its campaign's list until
 * the campaign goes on; then it takes its place by acceptance again. One whose outcome is unknown cannot step out:
 * it stays at the head of its conversation, and is in the list only to be woken. */
#ifndef LINEWARD_CORE_CAMPAIGN_H
#define LINEWARD_CORE_CAMPAIGN_H

#include "broker/core/effects.h"

/* Both names by their numbers. NOBODY: there is none, or (campaign_get) no room for one more. */
uint32_t campaign_find(const struct core *core, uint16_t pool, uint16_t name);
uint32_t campaign_get(struct core *core, uint16_t pool, uint16_t name);
/* Is there one, or room for it? */
bool campaign_has_room(const struct core *core, uint16_t pool, uint16_t name);
uint32_t campaign_of(const struct core *core, const struct job *job);
void index_campaigns(struct core *core, uint32_t *heads, uint32_t heads_max);
void index_tried(struct core *core, uint32_t *heads, uint32_t heads_max);

/* Its campaign is paused, or has not come to it yet since it was resumed. */
bool campaign_holds(const struct core *core, const struct job *job);
/* It waits for its campaign, and steps out of the way of those behind it as soon as it comes first. */
bool campaign_sets_aside(const struct core *core, const struct job *job);
/* One pause more (1) or less (-1) lies on it. */
void campaign_pause(struct core *core, uint32_t campaign, int delta);
/* The job, first of its conversation and in no ready queue, waits for its campaign. */
void campaign_yield(struct core *core, uint32_t job);
/* Out of the list: it ended, or goes on. */
void campaign_leave(struct core *core, uint32_t job);
/* The first job of the conversation that stepped aside and was tried, or may have been sent, and the next; NOBODY. */
uint32_t campaign_tried(const struct core *core, uint32_t conversation);
uint32_t campaign_tried_next(const struct core *core, uint32_t conversation, uint32_t job);
/* Did one step aside that may have been sent (JOB_DOUBTFUL)? */
bool campaign_has_doubtful(const struct core *core, uint32_t conversation);
/* If it is one of those, it is none from now on: its outcome is known. Before its flags say so. */
void campaign_forget_doubt(struct core *core, uint32_t job);
/* Jobs of campaigns that go on take their places again: one bounded slice. */
void campaigns_return(struct core *core, struct instant now);

/* ---- counting: exact over restarts, for each end tells how many there were of its kind ---- */
void campaign_accept(struct core *core, const struct job *job); /* or found by a restart */
void campaign_end(struct core *core, const struct job *job, struct change_end *end);
void campaign_restore(struct core *core, uint16_t pool, uint16_t name, enum job_state state, uint64_t ended);
/* Writes CHANGE_CAMPAIGN. */
void campaign_record(struct core *core, uint32_t campaign, struct instant now, struct effects *out);
/* Of those whose jobs ended since their last record, long before the history that knows it is dropped. False: there was
 * no room for all. */
bool campaigns_refresh(struct core *core, struct instant now, struct effects *out);

#endif
