/* house.h — the broker's machine: the real broker as a process, killed, cut off from power, stopped, ended and started
 * again; its disk and its child beside it. */
#ifndef TESTS_SIM_HOUSE_H
#define TESTS_SIM_HOUSE_H

#include "broker/broker.h"
#include "broker/store/store.h"
#include "lineward/conf.h"
#include "tests/sim/fiber.h"
#include "tests/sim/ground.h"

#define HOUSE_PRODUCERS "tcp://127.0.0.1:7710"
#define HOUSE_WORKERS   "tcp://127.0.0.1:7711"

#define HOUSE_BURST_MOST 5
/* The highest that the configuration has said so far. */
unsigned house_pace_most(int pool);
unsigned house_new_conversations_most(int pool);
unsigned house_daily_most(int pool); /* 0: no limit */
unsigned house_growth_most(int line);  /* on the first day; 0: no limit */
unsigned house_attempts_least(int pool); /* after which a job fails */
int64_t house_ramp_step_us(int pool);
unsigned house_ramp_percent(int pool); /* of its first step */
/* Do policies move conversations off lines that cannot send; may new ones begin on AT_RISK lines? */
bool house_moves_by_policy(int pool);
bool house_places_at_risk(void);
/* Are a day's budgets so small that some jobs would wait for days? */
bool house_is_tight(void);
void house_begin(void);
const struct conf *house_conf(void);
struct machine *house_machine(void);
bool house_is_up(void);       /* it answers */
bool house_told_damage(void); /* by a disk that lied: nothing more happens */
struct broker *house_broker(void); /* NULL: not up */
unsigned house_starts(void);
/* When it came up last. */

void house_cut_power(void);
/* Within a call of its: may it be the last one? */
void house_may_die(enum fault where);
enum err house_load(struct conf **out, struct conf_problem *problem);
void house_child_started(int file);
void house_child_gone(void);
void house_store_opened(enum err err, const struct store_opened *opened, const char *problem);

/* One draw: it is killed, at once or within a call to come; cut off; stopped for a while; ended; its clock jumps. */
void house_mishap(struct stream *stream);
void house_heal(void);
/* Its configuration is another one now, and it is told so (HUP). */
void house_reload(void);
/* The broker waits for work: what HUP and TERM do, they do here. */
void house_in_wait(void);
/* Wakes it: an operator has something to say. */
void house_poke(void);

#endif
