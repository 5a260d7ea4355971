/* core_twin_test.c — after every step of a random history a restart would find each job as it is: in its state, as often
 * tried, on its line. That a conversation has left its line by policy is no record (move.h): a restart finds it there
 * again, and it leaves once more. */
#include "broker/core/random.h"
#include "tests/unit/core_move_rig.h"

#define HISTORIES     25
#define STEPS         60
#define CONVERSATIONS 3
#define LINES         3
#define KEPT_MAX      256

static uint64_t random_state;
static uint64_t jobs[KEPT_MAX]; /* all that were accepted */
static size_t job_count;
static struct effect out[KEPT_MAX]; /* what workers have */
static size_t out_count;

static uint64_t any(uint64_t bound)
{
    return random_next(&random_state) % bound;
}

static void take_what_is_out(void)
{
    const struct effect *told = NULL;
    for (size_t i = 0; (told = rig_told(rig, EFFECT_JOB, i)) != NULL && out_count < KEPT_MAX; i++)
        out[out_count++] = *told;
    rig_forget(rig);
}

static void enqueue(void)
{
    struct core_enqueue job = rig_job(1 + any(CONVERSATIONS), (enum job_class)any(2));
    uint64_t line = any(2 * LINES);
    if (line < LINES - 1)
        job.from_line = RIG_LINE + line;
    struct effect answer = rig_enqueue(rig, &job);
    if (answer.code == CODE_NONE && job_count < KEPT_MAX)
        jobs[job_count++] = answer.number;
}

static void answer(void)
{
    static const struct {
        enum outcome outcome;
        bool unknown;
    } words[] = {{OUTCOME_SENT, false},     {OUTCOME_RETRY, false},    {OUTCOME_RETRY, true},
                 {OUTCOME_RETURNED, false}, {OUTCOME_RETURNED, false}, {OUTCOME_REJECTED, false}};
    if (out_count == 0)
        return;
    size_t at = any(out_count), word = any(sizeof words / sizeof *words);
    struct core_result result = rig_result(&out[at], words[word].outcome);
    result.unknown = words[word].unknown;
    result.retry_after_ms = (int64_t)any(2) * 3000;
    rig_answer(rig, &result);
    out[at] = out[--out_count];
}

static void move_one(void)
{
    uint64_t conversation = 1 + any(CONVERSATIONS);
    move(conversation, (uint32_t)any(LINES));
}

static void cordon(void)
{
    uint64_t line = any(LINES);
    core_cordon(rig->core, 0, RIG_LINE + line, any(2) == 0, rig->now, &rig->out);
    rig_keep(rig);
}

static void tell_service(void)
{
    uint32_t line = (uint32_t)any(LINES);
    rig_pass(rig, 1);
    rig_tell_service(rig, line, any(2) == 0 ? SERVICE_ACTIVE : SERVICE_FLAGGED, rig->now.wall_ms);
    rig_tick(rig); /* who leaves, leaves in a turn */
}

static void cancel(void)
{
    if (job_count == 0)
        return;
    core_cancel(rig->core, 1, 0, jobs[any(job_count)], rig->now, &rig->out);
    rig_keep(rig);
}

static void settle_unsent(void)
{
    if (job_count == 0)
        return;
    core_settle(rig->core, 92, jobs[any(job_count)], false, (struct span){"{}", 2}, rig->now, &rig->out);
    rig_keep(rig);
}

static void restart(void)
{
    rig_restart(rig, 10);
    rig_poll_all(rig, LINES, REPUTATION_HEALTHY);
    rig_worker(rig, 1, 8);
    out_count = 0;
}

static void let_time_pass(void)
{
    rig_pass(rig, (int64_t)any(4000));
}

static void turn(void)
{
    rig_tick(rig);
}

static void step(void)
{
    static void (*const steps[])(void) = {enqueue, enqueue, enqueue,  turn,         turn,   answer,        answer, answer,
                                          cordon,  cancel,  move_one, tell_service, restart, let_time_pass, settle_unsent};
    steps[any(sizeof steps / sizeof *steps)]();
    take_what_is_out();
}

static void compare(unsigned history, unsigned after)
{
    struct rig *twin = rig_replica(rig, rig->record_count, 1);
    for (size_t i = 0; i < job_count; i++) {
        struct job_view here = rig_view(rig, jobs[i]), there = rig_view(twin, jobs[i]);
        bool has_left = here.line == 0 && here.state == JOB_QUEUED;
        bool same = here.state == there.state && here.attempts == there.attempts && here.unsettled == there.unsettled &&
                    (here.line == there.line || has_left);
        ck_assert_msg(same, "history %u, step %u: job %llu is %s, %u tries, line %llu; after a restart %s, %u, %llu", history,
                      after, (unsigned long long)jobs[i], job_state_name(here.state), here.attempts,
                      (unsigned long long)here.line, job_state_name(there.state), there.attempts,
                      (unsigned long long)there.line);
    }
    rig_free(&twin);
}

START_TEST(a_restart_after_any_step_finds_each_job_as_it_is)
{
    for (unsigned history = 1; history <= HISTORIES; history++) {
        random_state = history * 7919 + 1;
        job_count = out_count = 0;
        begin(MOVES_CONF_OF("new_conversations_per_day: 0, attempts_max: 4"));
        for (unsigned at = 0; at < STEPS; at++) {
            step();
            compare(history, at);
        }
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_restart_after_any_step_finds_each_job_as_it_is};
    return run_suite("core_twin", tests, sizeof tests / sizeof *tests);
}
