/* leases.h — which worker holds which job, and until when (PROTOCOL, Workers). */
#ifndef LINEWARD_CORE_LEASES_H
#define LINEWARD_CORE_LEASES_H

#include "broker/core/effects.h"

/* A lease for the first job of a conversation that lives on `line`. NULL: the table is full. */
struct lease *lease_grant(struct core *core, uint32_t job, uint32_t line, uint32_t worker, struct instant now);
struct lease *lease_find(const struct core *core, uint64_t id); /* NULL: over and forgotten */
/* The lease is over: its worker's slot is free again. `remembered`: a late `sent` must still find its job. */
void lease_close(struct core *core, struct lease *lease, bool remembered);
/* A lease as a restart finds it: its worker is unknown until its instance says READY. */
void lease_restore(struct core *core, const struct change_try *try, int64_t out_ms, uint32_t line);
/* The job is leased no longer, as far as has been replayed: its lease goes, another's that has its slot since stays. */
void lease_forget_restored(struct core *core, uint32_t slot, uint64_t number);
/* It had lapsed, or its outcome was unknown: kept, in case that its worker comes back and says that it was sent. */
void lease_lapse_restored(struct core *core, uint32_t slot, uint64_t number);
bool lease_is_restored(const struct core *core, uint32_t slot, uint64_t number); /* is it that job's? */
/* After the replay: their time runs from now on; unused slots are free. */
void leases_restored(struct core *core, struct instant now);

/* Nothing may be sent on the line: closed (but for a probe under way), or paused with all that it belongs to. */
bool leases_must_stop(const struct core *core, uint32_t line);
/* That, or it begins a conversation on a line that takes no new ones any more, or its campaign or conversation is
 * paused, or its pool, whose line it is no more; or its pool is not in the configuration any more. */
bool lease_must_stop(const struct core *core, const struct lease *lease);
/* Of the leases that must stop, what was not handed out comes back at once, the rest is revoked. Goes on at the next
 * tick if there is no room. */
void leases_revoke_line(struct core *core, uint32_t line, struct instant now, struct effects *out);
/* The same over all leases, for what a paused campaign (or a pool, on another's lines) has under way, and what else must
 * stop: one bounded slice; `anew`: from the first. */
void leases_sweep(struct core *core, bool anew, struct instant now, struct effects *out);
/* What one conversation has under way, if that must stop, if it was cancelled, or for what was heard of its chat or its
 * recipient. */
void leases_revoke_conversation(struct core *core, uint32_t conversation, struct instant now, struct effects *out);
void lease_revoke_if_barred(struct core *core, struct lease *lease, struct instant now, struct effects *out);
void lease_revoke(struct core *core, struct lease *lease, struct instant now, struct effects *out);
void lease_timer(struct core *core, struct lease *lease);
/* MONO_LEASE of that slot. */
void lease_wake(struct core *core, uint32_t slot, struct instant now, struct effects *out);

/* Moves a lease to another worker (the same instance under a new peer). */
void lease_hand_over(struct core *core, struct lease *lease, uint32_t worker);
/* The number of its account's name, whether that is in the configuration or not; 0: its line was never heard of. */
uint16_t lease_account_name(const struct core *core, const struct lease *lease);

/* ---- what became of it: outcome.c, outcome_told.c ---- */
/* Never begun: the job goes back to the head of its conversation, and no attempt is counted. */
void outcome_returned(struct core *core, struct lease *lease, struct instant now, struct effects *out);
/* Nobody knows what became of it. */
void outcome_lapsed(struct core *core, struct lease *lease, struct instant now, struct effects *out);
/* The provider knows its key. It ends as sent; where a try of it is out, as soon as that is over. */
void outcome_settled_sent(struct core *core, uint32_t job, struct span result, uint64_t message_hash,
                          struct instant now, struct effects *out);
/* Withdraws a waiting job as far as what was asked or has passed meanwhile demands. True: it ended. */
bool outcome_withdraw(struct core *core, uint32_t job, struct instant now, struct effects *out);
/* It may not be a first message, and has become one, or would be one on that line: ended, true. */
bool outcome_bar(struct core *core, uint32_t job, uint32_t line, struct instant now, struct effects *out);

/* ---- accounts: account.c ---- */
bool account_may_send(const struct core *core, uint32_t account, struct instant now);
void account_touch_lines(struct core *core, uint32_t account, struct instant now);
/* What is heard of NO_ACCOUNT stops nobody, here and below. */
void account_limit(struct core *core, uint32_t account, int64_t for_ms, struct instant now);
/* The provider's answer (or its absence) as far as the breaker cares; `trouble`: 5xx, connect error, timeout. */
void account_answer(struct core *core, uint32_t account, uint32_t conversation, bool trouble, bool was_probe,
                    struct instant now, struct effects *out);
void account_wake(struct core *core, uint32_t account, struct instant now, struct effects *out);

/* ---- workers: workers.c ---- */
uint32_t worker_find_peer(const struct core *core, uint32_t peer); /* NOBODY: not READY here */
void worker_ring_touch(struct core *core, uint32_t worker);
void worker_wake(struct core *core, uint32_t worker, struct instant now, struct effects *out);

#endif
