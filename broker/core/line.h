/* line.h — one phone line: what we know of it, what gate follows from that, how fast it may send, what it has
 * spent. The rules are DESIGN sections 1 (traps 1 to 8, 11) and 3. */
#ifndef LINEWARD_CORE_LINE_H
#define LINEWARD_CORE_LINE_H

#include "broker/core/effects.h"

uint32_t line_find(const struct core *core, uint64_t number); /* NO_LINE: unknown */
/* NO_LINE: unknown, or another account's, of which this one can say nothing (promise P9), though it may list the
 * number: one that was taken over, or both are of one partner. */
uint32_t line_of_account(const struct core *core, uint32_t account, uint64_t number);
/* Adds the line if it is new. NO_LINE: the table is full. */
uint32_t line_get(struct core *core, uint32_t account, uint64_t number, struct instant now);
/* Both, for a line that the provider speaks of to that account. One in no pool is that account's from now on, if that
 * has a pool for it. That the table is full is said once a minute an account. */
uint32_t line_heard_of(struct core *core, uint32_t account, uint64_t number, struct instant now, struct effects *out);
/* The account's pool of `all` lines that no other pool names (those are all known from the start). NO_POOL: none. */
uint32_t line_rest_pool(const struct core *core, uint32_t account);
/* A line that a pool names, before anybody was heard of it; a full table is said as above. */
uint32_t line_get_configured(struct core *core, uint32_t pool, const struct conf_pool_line *line, struct instant now,
                             struct effects *out);
void line_add_configured(struct core *core, uint32_t pool, const struct conf_pool_line *line, struct instant now,
                         struct effects *out);
/* The level that the configuration gives it; 0: none. */
int64_t line_configured_level(const struct conf_pool_line *line);
/* The only ones that write these: they count the lines by gate, for views must not look at each. */
void line_set_pool(struct core *core, struct line *line, uint32_t pool);
struct gate_state;
void line_set_gate(struct core *core, struct line *line, const struct gate_state *gate);
void index_lines(struct core *core, uint32_t *heads, uint32_t heads_max);

/* ---- gate.c ---- */
struct gate_state {
    enum gate gate;
    enum reason reason; /* why it is not open; NONE: it is. Slow: line_at_risk, ramp, or pace (unknown, stale) */
    double factor;      /* of the policy's pace; 0 when closed */
    bool silent;        /* slow, and nothing has been heard for stale_after_ms, whatever else slows it */
};
/* What the gate is by everything we know: pause, service, gone, reputation and its hold, freshness. Pure. */
struct gate_state gate_of(const struct core *core, const struct line *line, struct instant now);
#define GATE_CLOSERS_MAX 5
/* All that closes it, in the contract's order. Returns how many. */
size_t gate_closers(const struct core *core, const struct line *line, struct instant now, enum reason out[GATE_CLOSERS_MAX]);
/* Of one that is on: when it is at 100 % (wall). 0: while its line is closed nobody can say. */
int64_t ramp_ends_ms(const struct core *core, const struct line *line);
/* The same but for the operator's pauses: what it would be without them. */
struct gate_state gate_beneath(const struct core *core, const struct line *line, struct instant now);
/* A flag that an error set is all that closes the line, and one job may go to see whether it is still true. */
bool gate_lets_probe(const struct core *core, const struct line *line, struct instant now);
/* Takes over the gate that is now right: revokes on closing, tells followers, touches the turns. `now` is the moment
 * of the fact. */
void gate_update(struct core *core, uint32_t line, struct instant now, struct effects *out);
/* How silent the line is, and the rest of what makes time change a gate: when to look again (steady ms). */
int64_t gate_next_ms(const struct core *core, const struct line *line, struct instant now);
/* CRITICAL, FLAGGED or a ramp broken off: held until HEALTHY is proven. */
void ramp_hold(struct line *line, struct instant now);
void ramp_start(const struct core *core, struct line *line, struct instant now); /* that is proven */
void ramp_climb(const struct core *core, struct line *line, struct instant now); /* from the first step, hold or not */
unsigned ramp_percent(const struct core *core, const struct line *line);
bool ramp_is_on(const struct core *core, const struct line *line);
/* Goes to the next step when it is time. True: it did. The steps of a closed line wait, and its present one begins anew. */
bool ramp_step(const struct core *core, struct line *line, struct instant now);
int64_t ramp_step_ms(const struct core *core, const struct line *line); /* how long a step of it lasts */

/* ---- flag.c ---- */
/* A try's error says so. */
void flag_set(struct core *core, uint32_t line, struct instant now, struct effects *out);
/* A probe went through: the flag that an error set is lifted, and the backlog goes through the ramp. */
void flag_lift(struct core *core, uint32_t line, struct instant now, struct effects *out);
/* What is said of the flag now is newer than any probe under way, which proves nothing of it any more. */
void flag_forget_probes(struct core *core, struct line *line);
/* A probe is over. A failed one is repeated after as long a wait as the first, one that never began at once. */
void flag_end_probe(struct line *line, bool begun, struct instant now);

/* ---- pace.c ---- */
/* Microseconds between two sends at the gate's pace; 0: no limit. */
int64_t pace_interval_us(const struct core *core, const struct line *line, const struct gate_state *gate);
/* The same for another bound of a drain; 0: none. */
int64_t pace_capped_us(const struct core *core, const struct line *line, const struct gate_state *gate, int64_t cap_per_min);
int64_t pace_burst(const struct core *core, const struct line *line);
/* The line goes on after a closure, at another pace: from now, but no earlier than its full pace allowed. */
void pace_begin(const struct core *core, struct line *line, struct instant now);
/* After a restart: as if it had sent all it might have by its last known try (promise P6). */
void pace_restore(const struct core *core, struct line *line, struct instant now);
void pace_spend(struct core *core, struct line *line, struct instant now);
double pace_per_min(const struct core *core, const struct line *line, struct instant now);
double pace_gap_ms(int64_t interval_us); /* the mean of two sends' distance, chance included; 0: no limit */

/* ---- budget.c ---- */
unsigned budget_used(const struct budget_window *window, int64_t wall_ms);
/* So many at once, for a forecast. */
void budget_add_many(struct budget_window *window, int64_t wall_ms, unsigned count);
void budget_add(struct budget_window *window, int64_t wall_ms, int delta, int64_t bucket);
/* The value of one bucket as a record told it: the larger one counts, so that order does not matter. */
void budget_restore(struct budget_window *window, int64_t bucket, uint16_t count);
void budget_merge(struct budget_window *window, const struct budget_window *other); /* the same for all of them */
/* The clock went back: what it counted later than `bucket` counts as if it had been spent until now. */
void budget_back(struct budget_window *window, int64_t bucket);
/* The same, but all of that counts in `bucket` and the rest where it is, as moments are brought back that lie ahead. */
void budget_gather(struct budget_window *window, int64_t bucket);
/* For all budgets of a line, which are all but BUDGET_PAIR. */
bool budget_left(const struct core *core, const struct line *line, enum budget budget, struct instant now);
struct budget_state budget_state(const struct core *core, const struct line *line, enum budget budget,
                                 struct instant now);
/* When some of a spent budget is free again, unless more is spent (wall ms). */
int64_t budget_free_at(const struct core *core, const struct line *line, enum budget budget, struct instant now);

/* Before a message out is counted: the days move on when another one has begun. */
void level_begin_day(struct line *line, struct instant now);
/* The line's own recent daily level: the mean of those of the last seven days on which it sent; or what the
 * configuration says, if that is more. */
int64_t level_of(const struct line *line, struct instant now);

/* Is the conversation's next message one to a recipient that its line has written to within the rolling hour? */
bool recipient_is_spent(const struct core *core, const struct conversation *conversation, struct instant now);
/* conversation.last_out becomes that moment; a conversation that lives on a line counts there in that moment's bucket. */
void recipient_set_out(struct core *core, struct conversation *conversation, uint32_t moment);
/* It was bound to its line just now. */
void recipient_arrives(struct core *core, const struct conversation *conversation);
/* It was bound there in vain, or counts there already since it left: as if it had not arrived. Before it is unbound. */
void recipient_unarrives(struct core *core, const struct conversation *conversation);
/* The conversation, which is still known as its line's, begins on another, or will (it is pinned there then): the line did
 * write to it all the same. */
void recipient_leaves(struct core *core, const struct conversation *conversation, struct instant now,
                      struct effects *out);
/* At a start: who was written to within the hour follows from the conversations themselves, and those that left. */
void recipients_restore(struct core *core, struct instant now);

/* ---- backlog (line.c): jobs that wait, by line, pool and class ---- */
void backlog_add(struct core *core, uint32_t job);
void backlog_remove(struct core *core, uint32_t job);

/* Writes CHANGE_LINE. */
void line_record(struct core *core, uint32_t line, struct instant now, struct effects *out);
const struct policy *line_policy(const struct core *core, const struct line *line); /* never NULL */

/* Whose it is stands in `known`. While that account is not in the configuration, it has no pool unless one names it, and
 * `account` is anybody's, who may say nothing of it. */
static inline bool line_is_of(const struct core *core, const struct line *line, uint32_t account)
{
    return line->account == account && line->known.account == core->accounts[account].name;
}

static inline uint32_t line_account(const struct core *core, const struct line *line)
{
    return line_is_of(core, line, line->account) ? line->account : NO_ACCOUNT;
}

static inline bool line_has_pool(const struct line *line)
{
    return line->pool != NO_POOL;
}

#endif
