/* core_model.c — the core against a naive model: enqueues, cancels, workers that die, stall and answer, a provider
 * whose lines rise and fall, webhooks late and twice, pauses, time, lost commits and restarts, drawn from a seed.
 * After each event every record is held against what the promises allow (core_naive.h), and the views against plain
 * lists.
 *
 * core_model [SEED [EVENTS]], or the same from the environment; without, a few fixed seeds. A failure says the seed
 * and the last events, and the same seed fails again. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core_run.h"

#define EVENTS 100000

static void on_abort(int signal_number)
{
    (void)signal_number;
    run_tell_last_events();
    _exit(1);
}

/* Told at each start: changes twice a day, as far as there is room; told anew as time goes by. */
static void tell_zone(void)
{
    struct zone_rules rules = {.count = ZONE_CHANGES_MAX};
    int64_t half = run_now_ms() / 43200000;
    for (int i = 0; i < ZONE_CHANGES_MAX; i++) {
        rules.from_ms[i] = (half + i) * 43200000;
        rules.offset_s[i] = 3600 * (int32_t)(1 + (half + i + 1) / 2 % 2);
    }
    core_zone(run.rig->core, "Z", &run.rig->out);
    for (unsigned at = 1; core_zone_at(run.rig->core, at) != NULL; at++)
        core_zone_rules(run.rig->core, at, &rules, 1, run.rig->now);
    run_settle();
}

static void restart(void)
{
    int64_t down_ms = (int64_t)run_draw(3000);
    run_note("restart: %u steps lost, down for %lld ms", run.step_count - 1, (long long)down_ms);
    world_crash(&run.world);
    rig_restart(run.rig, down_ms);
    run.naive = run.steps[0].naive;
    run.step_count = 1;
    size_t kept = 0;
    for (size_t i = 0; i < run.grants.count; i++) {
        if (run.grants.list[i].record >= run.steps[0].records)
            continue;
        run.grants.list[kept] = run.grants.list[i];
        run.grants.list[kept++].probe = false; /* a restart forgets which lease was one */
    }
    run.grants.count = kept;
    naive_restarted(&run.naive);
    run_waits_end();
    run_settle();
    tell_zone();
    run_tick(); /* what stands aside and is to end for its recipient's sake is walked to */
    naive_check_all(&run.naive, run.rig);
}

static void event(void)
{
    if (run.at % 20 == 1)
        tell_zone();
    uint64_t what = run_draw(1000);
    if (what < 300)
        event_enqueue();
    else if (what < 320)
        event_cancel();
    else if (what < 360)
        event_worker();
    else if (what < 640)
        event_result();
    else if (what < 660)
        event_line();
    else if (what < 715)
        event_poll();
    else if (what < 758)
        event_message();
    else if (what < 763)
        event_adopt();
    else if (what < 765)
        event_suppress();
    else if (what < 769)
        event_settle();
    else if (what < 771)
        event_cordon();
    else if (what < 774)
        event_requeue();
    else if (what < 780)
        event_pause();
    else if (what < 790)
        event_clean();
    else if (what < 792)
        restart();
    else if (what < 794)
        run.world.storm = !run.world.storm && run_chance(40);
    else if (what < 990)
        run_pass((int64_t)run_draw(run_chance(90) ? 900 : 5000));
    else
        run_pass((int64_t)run_draw(run_chance(90) ? 60000 : 4 * 3600000));
    event_beats();
    run_tick();
    world_begin_some(&run.world, run.rig, &run.naive);
    if (run_chance(60))
        run_commit(1 + (unsigned)run_draw(run.step_count));
}

/* Nobody is left without an answer; where none can be heard (a group whose chat was forgotten), nothing is left. */
static void answer_all(void)
{
    for (int i = 0; i < NAIVE_JOBS; i++) {
        struct naive_job *job = &run.naive.jobs[i];
        if (job->place != NAIVE_WAITING ||
            naive_chat_reason(&run.naive, run.rig, job, 0) != REASON_CONVERSATION_CADENCE)
            continue;
        struct naive_conversation *known = &run.naive.conversations[job->conversation];
        uint64_t home = naive_key(job->conversation);
        struct core_message_fact fact = {.what = MESSAGE_RECEIVED,
                                         .event = ++run.world.events,
                                         .account = naive_account_of(naive_pool_of(job->conversation)),
                                         .at_ms = run_now_ms(),
                                         .line = known->home,
                                         .chat_hash = 900000 + job->conversation,
                                         .homes = &home,
                                         .home_count = naive_recipient(job->conversation) != 0};
        if (known->chat_known || fact.home_count > 0) {
            naive_answered(known, false, fact.at_ms, 0);
            core_message_told(run.rig->core, &fact, run.rig->now, &run.rig->out);
        } else {
            job->cancel = true;
            run.asked.cancelled = job->number;
            core_cancel(run.rig->core, 14, 0, job->number, run.rig->now, &run.rig->out);
        }
        run_settle();
    }
}

/* No pause, no cordon, no storm, and every conversation HEALTHY. */
static void mend_all(void)
{
    for (int p = 0; p < NAIVE_PAUSES; p++)
        if (run.naive.pauses[p].id != 0) {
            core_resume(run.rig->core, 13, run.naive.pauses[p].scope, run.naive.pauses[p].target, 0, run.rig->now,
                        &run.rig->out);
            run_settle();
        }
    run.world.good = true;
    run.world.storm = false;
    for (uint32_t line = 0; line < NAIVE_LINES; line++) {
        core_cordon(run.rig->core, 16, RIG_LINE + line, false, run.rig->now, &run.rig->out);
        run.naive.lines[line].cordoned = false;
        run_settle();
    }
    for (uint32_t c = 0; c < NAIVE_CONVERSATIONS; c++) {
        struct core_message_fact fact = {.what = MESSAGE_CHAT,
                                         .event = ++run.world.events,
                                         .account = naive_account_of(naive_pool_of(c)),
                                         .chat_hash = 900000 + c,
                                         .has_health = true,
                                         .health = CHAT_HEALTHY};
        fact.health_at_ms = run_now_ms() + 1000; /* newer than any word so far */
        if (run.naive.conversations[c].chat_known)
            naive_chat_told(&run.naive.conversations[c], CHAT_HEALTHY, fact.health_at_ms);
        core_message_told(run.rig->core, &fact, run.rig->now, &run.rig->out);
        run_settle();
    }
}

static void unflag_lines(void)
{
    for (uint32_t line = 0; line < NAIVE_LINES; line++) {
        struct core_line_fact fact = {.account = naive_account_of(naive_pool_of_line(line)),
                                      .number = RIG_LINE + line,
                                      .arrived_mono_ms = run.rig->now.mono_ms,
                                      .changed_at_ms = run_now_ms(),
                                      .event = ++run.world.events,
                                      .has_service = true,
                                      .service = SERVICE_ACTIVE};
        if (!run.naive.lines[line].flagged)
            continue;
        naive_told(&run.naive.lines[line], &fact, run_in_ramp(line), run.rig->now);
        core_line_told(run.rig->core, 9, &fact, run.rig->now, &run.rig->out);
        run_settle();
    }
}

/* Every worker is ready, for all pools. */
static void ready_workers(void)
{
    for (uint32_t w = 0; w < WORLD_WORKERS; w++)
        if (!run.world.workers[w].ready || run.world.workers[w].pools != (1u << NAIVE_POOLS) - 1) {
            world_ready(&run.world, w, run.rig);
            run_settle();
        }
}

static void refuse_what_is_left(void)
{
    naive_check_all(&run.naive, run.rig);
    for (int i = 0; i < NAIVE_JOBS; i++)
        if (run.naive.jobs[i].place != NAIVE_FREE)
            naive_refuse("job %llu never goes out: %s", (unsigned long long)run.naive.jobs[i].number,
                         reason_name(rig_view(run.rig, run.naive.jobs[i].number).reason));
}

/* With healthy lines, workers and time everything goes out. */
static void drain(void)
{
    run_note("drain");
    mend_all();
    for (int round = 0; round < 60000 && run_live_jobs() > 0; round++) {
        run.at++;
        run_note("drain");
        if (round % 3 == 0)
            unflag_lines();
        run_pass(round % 50 == 49 ? 1800000 : 1 + (int64_t)run_draw(2000));
        ready_workers();
        if (round % 20 == 0)
            tell_zone();
        event_poll();
        event_beats();
        answer_all();
        run_tick();
        world_begin_some(&run.world, run.rig, &run.naive);
        for (int i = 0; i < 8; i++)
            event_result();
        run_commit(run.step_count);
    }
    if (run_live_jobs() > 0)
        refuse_what_is_left();
    run.world.good = false;
    naive_check_all(&run.naive, run.rig);
}

static void run_seed(uint64_t seed, uint64_t events)
{
    memset(&run, 0, sizeof run);
    run.seed = seed;
    world_init(&run.world, seed);
    struct rig_options options = {.conf = naive_conf,
                                  .seed = seed,
                                  .hold_commits = true,
                                  .recipient_of = world_recipient_of,
                                  .homes_of = naive_homes_of,
                                  .self = &run.world,
                                  .limits = {.jobs_max = 4096,
                                             .conversations_max = 256,
                                             .lines_max = 16,
                                             .leases_max = 64,
                                             .workers_max = 8,
                                             .pauses_max = 64,
                                             .names_max = 64,
                                             .remembered_max = 100000}};
    run.rig = rig_new(&options);
    run.grants.room = 2 * events + 200000;
    run.grants.list = calloc(run.grants.room, sizeof *run.grants.list);
    naive_restarted(&run.naive);
    run_settle();
    run_commit(1);
    for (run.at = 1; run.at <= events; run.at++) {
        event();
        const struct naive_job *job = run_any_job();
        if (job != NULL)
            naive_check_job(&run.naive, run.rig, job);
        if (run.at % 16 == 0)
            naive_check_all(&run.naive, run.rig);
    }
    drain();
    static const char *const alerts[ALERT_COUNT] = {
        [ALERT_KEY_REFUSED] = "keys refused", [ALERT_BREAKER_OPEN] = "breakers", [ALERT_LEASE_LAPSED] = "lapses",
        [ALERT_WORKER_GONE] = "workers gone", [ALERT_LINE_FLAGGED] = "flags",    [ALERT_LINE_GONE] = "lines gone"};
    printf("seed %llu: %llu events, %llu starts, %llu accepted, %zu leases", (unsigned long long)seed,
           (unsigned long long)events, (unsigned long long)run.rig->starts, (unsigned long long)run.naive.accepted,
           run.grants.count);
    for (enum job_state state = JOB_SENT; state < JOB_STATE_COUNT; state++)
        printf(", %llu %s", (unsigned long long)run.naive.ended[state], job_state_name(state));
    for (int alert = 0; alert < ALERT_COUNT; alert++)
        if (alerts[alert] != NULL)
            printf(", %llu %s", (unsigned long long)run.world.alerts[alert], alerts[alert]);
    printf("\n");
    rig_free(&run.rig);
    free(run.grants.list);
}

int main(int argc, char **argv)
{
    const char *seed = argc > 1 ? argv[1] : getenv("SEED");
    const char *events = argc > 2 ? argv[2] : getenv("EVENTS");
    uint64_t count = events != NULL ? strtoull(events, NULL, 10) : EVENTS;
    signal(SIGABRT, on_abort);
    if (seed != NULL) {
        run_seed(strtoull(seed, NULL, 10), count);
        return EXIT_SUCCESS;
    }
    for (uint64_t fixed = 1; fixed <= 3; fixed++)
        run_seed(fixed, count);
    return EXIT_SUCCESS;
}
