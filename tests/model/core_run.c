/* core_run.c — see core_run.h: after each call of the core; time; and small questions. */
#include "core_run.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LAST_EVENTS 2000

struct run run;
static char last_events[LAST_EVENTS][200];

void run_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *line = last_events[run.at % LAST_EVENTS];
    int head = snprintf(line, sizeof last_events[0], "%llu @%lld: ", (unsigned long long)run.at,
                        (long long)(run.rig->now.wall_ms - RIG_START_MS));
    vsnprintf(line + head, sizeof last_events[0] - (size_t)head, format, args);
    va_end(args);
}

void run_tell_last_events(void)
{
    fprintf(stderr, "seed %llu, event %llu; the last events:\n", (unsigned long long)run.seed,
            (unsigned long long)run.at);
    for (uint64_t i = run.at < LAST_EVENTS ? 0 : run.at - LAST_EVENTS + 1; i <= run.at; i++)
        fprintf(stderr, "  %s\n", last_events[i % LAST_EVENTS]);
    fflush(stderr);
}

uint64_t run_draw(uint64_t below)
{
    return world_draw(&run.world, below);
}

bool run_chance(unsigned percent)
{
    return run_draw(100) < percent;
}

int64_t run_now_ms(void)
{
    return run.rig->now.wall_ms;
}

bool run_in_ramp(uint32_t line)
{
    return rig_line(run.rig, line).ramp_percent < 100;
}

unsigned run_live_jobs(void)
{
    unsigned live = 0;
    for (int i = 0; i < NAIVE_JOBS; i++)
        live += run.naive.jobs[i].place != NAIVE_FREE;
    return live;
}

struct naive_job *run_any_job(void)
{
    for (int tries = 0; tries < 40; tries++) {
        struct naive_job *job = &run.naive.jobs[run_draw(NAIVE_JOBS)];
        if (job->place != NAIVE_FREE)
            return job;
    }
    return NULL;
}

bool run_core_knows(uint32_t worker)
{
    struct worker_view view;
    for (uint32_t cursor = 0; core_worker_view(run.rig->core, &cursor, run.rig->now, &view);)
        if (view.peer == worker + 1 && view.instance == run.world.workers[worker].instance)
            return true;
    return false;
}

static void check_revoked(void)
{
    for (size_t i = 0; i < run.world.held_count; i++) {
        const struct held *held = &run.world.held[i];
        const struct naive_job *job = naive_job(&run.naive, held->number);
        bool current = job != NULL && job->place == NAIVE_LEASED && job->lease == held->lease;
        bool reachable = run_core_knows(held->worker);
        if (!current || !reachable || held->begun || held->answered || held->revoked)
            continue;
        bool probe = run.naive.lines[held->line].flagged && run.naive.lines[held->line].flag_by_error;
        bool closed = (naive_closed(&run.naive, held->line) && !probe) ||
                      naive_paused(&run.naive, naive_pool_of_line(held->line), run_now_ms()) ||
                      naive_campaign_paused(&run.naive, job) ||
                      naive_conversation_paused(&run.naive, job->conversation);
        if (closed)
            naive_refuse("P3: lease %llu on line %u is not revoked", (unsigned long long)held->lease, held->line);
    }
}

/* Shows the model what was written, and the world what was told. */
void run_settle(void)
{
    static const struct naive_asked nothing;
    struct truth truth = {world_begun, world_provider_has, &run.world};
    rig_keep(run.rig);
    naive_show(&run.naive, run.rig, &run.asked, &run.grants, &truth);
    world_hear(&run.world, run.rig, &run.naive);
    rig_forget(run.rig);
    run.asked = nothing;
    check_revoked();
    if (run.step_count > 0 && run.steps[run.step_count - 1].records == run.rig->record_count)
        return;                          /* a crash would not know the difference */
    if (run.step_count == RUN_STEPS_MAX) /* the last two are lost or kept together */
        run.step_count--;
    run.steps[run.step_count++] = (struct run_step){run.rig->record_count, run.naive};
}

/* Commits the first so many steps; what was waiting for them is said, which may write more. */
void run_commit(unsigned steps)
{
    if (steps == 0)
        return;
    rig_commit(run.rig, run.steps[steps - 1].records);
    memmove(run.steps, run.steps + steps - 1, (run.step_count - steps + 1) * sizeof *run.steps);
    run.step_count -= steps - 1;
    run_settle();
}

/* What a whole conversation waited for is over. */
void run_waits_end(void)
{
    for (int i = 0; i < NAIVE_JOBS; i++)
        if (run.naive.jobs[i].due_ms <= run_now_ms())
            run.naive.jobs[i].holds_all = false;
}

void run_tick(void)
{
    run_waits_end();
    for (int i = 0; i < 2000; i++) {
        run.asked.ticked = true;
        core_tick(run.rig->core, run.rig->now, &run.rig->out);
        run_settle();
        if (core_next_mono_ms(run.rig->core, run.rig->now) > run.rig->now.mono_ms) {
            for (int j = 0; j < NAIVE_JOBS; j++) {
                const struct naive_job *job = &run.naive.jobs[j];
                bool late = job->expires_ms != 0 && job->expires_ms <= run_now_ms();
                if (job->place != NAIVE_WAITING && job->place != NAIVE_SCHEDULED)
                    continue;
                if (late || (job->place == NAIVE_SCHEDULED && job->due_ms <= run_now_ms()))
                    naive_refuse("job %llu is overdue", (unsigned long long)job->number);
                if (run.at % 4 == 0 && rig_view(run.rig, job->number).reason == REASON_NONE)
                    naive_refuse("P10: nothing keeps job %llu, and yet it waits", (unsigned long long)job->number);
            }
            return;
        }
    }
    naive_refuse("the core never comes to rest");
}

void run_pass(int64_t ms)
{
    run.rig->now.wall_ms += ms;
    run.rig->now.mono_ms += ms;
    run_note("%lld ms pass", (long long)ms);
}
