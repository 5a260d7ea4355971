/* core_run.h — one run of the model test: the core, the naive model and the world beside it, and what every event
 * does with them. The events are in core_run_*.c, each file with those of one side. All of it is drawn from the seed.
 */
#ifndef TESTS_CORE_RUN_H
#define TESTS_CORE_RUN_H

#include "core_naive.h"
#include "core_world.h"

#define RUN_STEPS_MAX 32 /* that may be lost in one crash */
#define RUN_CAMPAIGNS 3

struct run_step { /* how the model stood when the record count was this */
    size_t records;
    struct naive naive;
};

struct run {
    struct rig *rig;
    struct world world;
    struct naive naive;
    struct grants grants;
    struct run_step steps[RUN_STEPS_MAX]; /* the first is durable */
    unsigned step_count;
    struct naive_asked asked;
    uint64_t seed, at;
};

extern struct run run;

/* A line for who reads of a failure: the last ones are told. */
void run_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void run_tell_last_events(void);

uint64_t run_draw(uint64_t below);
bool run_chance(unsigned percent);
int64_t run_now_ms(void);
bool run_in_ramp(uint32_t line);
unsigned run_live_jobs(void);
struct naive_job *run_any_job(void); /* NULL: after many draws, none */
bool run_core_knows(uint32_t worker);

/* After each call of the core: shows the model what was written, and the world what was told. */
void run_settle(void);
/* Commits the first so many steps; what was waiting for them is said, which may write more. */
void run_commit(unsigned steps);
/* What a whole conversation waited for is over. */
void run_waits_end(void);
void run_tick(void);
void run_pass(int64_t ms);

/* ---- what may happen ---- */

/* producers, and who imports */
void event_enqueue(void);
void event_cancel(void);
void event_adopt(void);
/* operators */
void event_suppress(void);
void event_settle(void);
void event_cordon(void);
void event_requeue(void);
void event_pause(void);
void event_clean(void);
/* workers */
void event_worker(void);
void event_beats(void);
void event_result(void);
/* the provider's words */
void event_line(void);
void event_poll(void);
void event_message(void);

#endif
