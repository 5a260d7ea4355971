/* demo.c — see demo.h. One thread but the producers': each turn does what is due, looks, draws. */
#include "tools/demo/demo.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/clock.h"
#include "tools/demo/cast.h"
#include "tools/demo/estimates.h"
#include "tools/demo/plan.h"
#include "tools/demo/producer.h"
#include "tools/demo/promise.h"
#include "tools/demo/screen.h"
#include "tools/demo/verdict.h"
#include "tools/demo/watch.h"

#define TURN_MS       50
#define LOOK_MS       250
#define KILL_WAIT_MS  500   /* for producers to wait for an ACK, */
#define KILL_AFTER_MS 1     /* and then: what they handed in may be on disk by now */
#define DEADLINE_MS   75000 /* since the demo began: stopping and judging take their time, too */
#define RIGHT_LEAST   0.6   /* what a broken estimate does not reach; a machine that stalls for seconds does */
#define HOLDS         2     /* lines that turn CRITICAL, at least */

struct demo {
    const struct demo_options *options;
    struct plan *plan;
    struct cast cast;
    struct screen screen;
    struct watch watch;
    struct producer *producers[PLAN_POOLS];
    struct estimates *estimates; /* NULL: not wanted */
    struct promise promises[PLAN_POOLS];
    bool asked; /* for them */
    FILE *acked;
    int64_t begun_ms;      /* the demo */
    int64_t flow_begun_ms; /* the first job */
    int64_t looked_ms;
    int64_t started_ms; /* when the broker was started again; 0: it is not awaited */
    int64_t webhooks_seen;
    size_t next_step;
    bool is_over;                       /* all steps are done, and the broker has nothing left to send */
    char problem[STAGE_PATH_MAX + 256]; /* "": none so far */
};

static int64_t now_ms(void)
{
    return clock_read().mono_ms;
}

static bool fail(struct demo *demo, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fail(struct demo *demo, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(demo->problem, sizeof demo->problem, format, values);
    va_end(values);
    return false;
}

/* ---- producers ---- */

static bool start_producers(struct demo *demo)
{
    char path[STAGE_PATH_MAX], endpoint[STAGE_URL_MAX];
    demo->acked = fopen(stage_path(&demo->cast.stage, "acked.jsonl", path), "we");
    if (demo->acked == NULL)
        return fail(demo, "%s: %s", path, strerror(errno));
    if (demo->options->estimates) {
        stage_url(&demo->cast.stage, "http", PORT_ADMIN, endpoint);
        demo->estimates = estimates_start(demo->plan, endpoint, demo->cast.token);
        if (demo->estimates == NULL)
            return fail(demo, "nobody could be set to ask for estimates");
    }
    stage_url(&demo->cast.stage, "tcp", PORT_PRODUCERS, endpoint);
    for (size_t pool = 0; pool < PLAN_POOLS; pool++) {
        demo->producers[pool] = producer_start(demo->plan, pool, endpoint, demo->acked, demo->estimates);
        if (demo->producers[pool] == NULL)
            return fail(demo, "no producer could be started");
    }
    return true;
}

static struct producer_count count_producers(struct demo *demo)
{
    struct producer_count sum = {.done = true};
    for (size_t pool = 0; pool < PLAN_POOLS; pool++) {
        struct producer_count one = producer_count(demo->producers[pool]);
        sum.acked += one.acked;
        sum.repeated += one.repeated;
        sum.unanswered += one.unanswered;
        sum.done = sum.done && one.done;
        if (one.problem[0] != '\0')
            memcpy(sum.problem, one.problem, sizeof sum.problem);
    }
    return sum;
}

static bool close_acked(struct demo *demo)
{
    FILE *file = demo->acked;
    for (size_t pool = 0; pool < PLAN_POOLS; pool++)
        producer_stop(&demo->producers[pool]);
    demo->acked = NULL;
    if (file == NULL)
        return true;
    bool written = ferror(file) == 0;
    return (fclose(file) == 0 && written) || fail(demo, "the file of acked jobs could not be written");
}

static struct screen_head head(struct demo *demo)
{
    return (struct screen_head){.acked = count_producers(demo).acked, .jobs = demo->plan->job_count};
}

/* ---- what happens meanwhile ---- */

/* Best while producers wait for an ACK, which then never comes. */
static void kill_broker(struct demo *demo)
{
    int64_t deadline_ms = now_ms() + KILL_WAIT_MS;
    bool all_wait = false;
    screen_show(&demo->screen, demo->plan, &demo->watch, head(demo));
    while (!all_wait && now_ms() < deadline_ms) {
        all_wait = true;
        for (size_t pool = 0; pool < PLAN_POOLS; pool++)
            all_wait = all_wait && producer_waits(demo->producers[pool]);
        sched_yield();
    }
    poll(NULL, 0, KILL_AFTER_MS);
    cast_kill_broker(&demo->cast);
    screen_note(&demo->screen, "the broker is killed (SIGKILL)");
}

static bool do_step(struct demo *demo, const struct plan_step *step)
{
    struct cast *cast = &demo->cast;
    const char *line = demo->plan->lines[step->line].number;
    bool done = true;
    estimates_upset(demo->estimates, step->kind == PLAN_TURN ? demo->plan->lines[step->line].pool : PLAN_POOLS);
    switch (step->kind) {
    case PLAN_TURN:
        screen_note(&demo->screen, "the provider turns %s %s", line, reputation_name(step->reputation));
        done = cast_turn_line(cast, line, step->reputation);
        break;
    case PLAN_KILL:
        kill_broker(demo);
        break;
    case PLAN_START:
        demo->started_ms = now_ms();
        done = cast_start_broker(cast);
        break;
    }
    return done || fail(demo, "%s", cast->problem);
}

static bool do_steps(struct demo *demo)
{
    const struct plan *plan = demo->plan;
    while (demo->next_step < plan->step_count &&
           plan->steps[demo->next_step].at_ms <= now_ms() - demo->flow_begun_ms) {
        if (!do_step(demo, &plan->steps[demo->next_step++]))
            return false;
    }
    return true;
}

/* The broker's answers to webhooks about lines, since the last look. */
static void tell_webhooks(struct demo *demo)
{
    char path[96];
    cJSON *answer = NULL;
    const cJSON *attempt;
    snprintf(path, sizeof path, "/webhooks?event=phone_number.status_updated&after=%" PRId64, demo->webhooks_seen);
    if (web_call(demo->cast.control, "GET", path, NULL, &answer) != 200)
        return;
    cJSON_ArrayForEach(attempt, json_get(answer, "attempts"))
    {
        int64_t http = 0, began = 0, answered = 0;
        json_int(attempt, "http", &http);
        json_int(attempt, "began_mono_ms", &began);
        json_int(attempt, "answered_mono_ms", &answered);
        screen_note(&demo->screen, "  webhook %s %s: answered %" PRId64 " after %" PRId64 " ms",
                    json_string(attempt, "line"), json_string(attempt, "reputation"), http, answered - began);
    }
    json_int(answer, "next", &demo->webhooks_seen);
    cJSON_Delete(answer);
}

static void tell_return(struct demo *demo)
{
    if (demo->started_ms == 0 || !cast_broker_ready(&demo->cast))
        return;
    screen_note(&demo->screen, "the broker is ready, %" PRId64 " ms after it was started again",
                now_ms() - demo->started_ms);
    demo->started_ms = 0;
}

static void look(struct demo *demo)
{
    struct watch *watch = &demo->watch;
    tell_return(demo);
    if (now_ms() - demo->looked_ms < LOOK_MS)
        return;
    demo->looked_ms = now_ms();
    tell_webhooks(demo);
    bool all_acked =
        count_producers(demo).done; /* asked before the broker is: else its backlog might be an older one */
    watch_read(watch, demo->plan, demo->cast.admin, demo->cast.control);
    demo->is_over = all_acked && demo->next_step == demo->plan->step_count && watch->broker_answers &&
                    watch->waiting == 0 && watch->leased == 0;
    screen_draw(&demo->screen, demo->plan, watch, head(demo));
}

static double seconds(int64_t ms)
{
    return (double)ms / 1000;
}

static void ask_promises(struct demo *demo)
{
    demo->asked = true;
    for (size_t pool = 0; pool < PLAN_POOLS && demo->plan->backlog_count > 0; pool++) {
        struct promise *promise = &demo->promises[pool];
        if (promise_ask(promise, demo->plan, pool, demo->cast.admin))
            screen_note(&demo->screen, "the view of %s, the last of a campaign, says: in %.1f s, after %" PRId64 " others",
                        promise->id, seconds(promise->at_ms - promise->asked_ms), promise->ahead);
    }
}

static void tell_promises(struct demo *demo)
{
    for (size_t pool = 0; pool < PLAN_POOLS; pool++) {
        const struct promise *promise = &demo->promises[pool];
        bool fell;
        int64_t went_ms = promise_went_ms(promise, demo->plan, demo->cast.admin, &fell);
        if (went_ms > 0)
            screen_note(&demo->screen, "%s went after %.1f s; its view had said %.1f s%s", promise->id,
                        seconds(went_ms - promise->asked_ms), seconds(promise->at_ms - promise->asked_ms),
                        fell ? " (then its line turned CRITICAL)" : "");
    }
}

/* ---- the run ---- */

static bool flow(struct demo *demo)
{
    demo->flow_begun_ms = now_ms();
    while (!demo->is_over) {
        struct producer_count count = count_producers(demo);
        if (*demo->options->interrupted != 0)
            return fail(demo, "interrupted");
        if (count.problem[0] != '\0')
            return fail(demo, "%s", count.problem);
        if (!cast_runs(&demo->cast))
            return fail(demo, "%s", demo->cast.problem);
        if (now_ms() - demo->begun_ms > DEADLINE_MS)
            return fail(demo, "not all is sent after %d s: %" PRIu64 " acked, %" PRId64 " sent, %" PRId64 " waiting",
                        DEADLINE_MS / 1000, count.acked, demo->watch.sent, demo->watch.waiting);
        if (!do_steps(demo))
            return false;
        if (count.acked >= demo->plan->backlog_count && !demo->asked) { /* a backlog is looked at when it stands */
            ask_promises(demo);
            estimates_begin(demo->estimates);
        }
        look(demo);
        poll(NULL, 0, TURN_MS);
    }
    screen_show(&demo->screen, demo->plan, &demo->watch, head(demo));
    screen_close(&demo->screen);
    uint64_t repeated = count_producers(demo).repeated;
    screen_note(&demo->screen, "nothing waits any more");
    tell_promises(demo);
    if (repeated > 0)
        screen_note(&demo->screen, "%" PRIu64 " jobs were handed in again, their ACK being lost, and taken once",
                    repeated);
    return true;
}

static bool play(struct demo *demo)
{
    if (!cast_start(&demo->cast, demo->options->programs, demo->options->interrupted, demo->plan))
        return fail(demo, "%s", demo->cast.problem);
    screen_note(&demo->screen, "sandbox, broker and %d workers run in %s", CAST_WORKERS, demo->cast.stage.folder);
    screen_note(&demo->screen, "%zu jobs for %d recipients over %d lines in %d pools begin to flow, %zu of them at once",
                demo->plan->job_count, PLAN_RECIPIENTS, PLAN_LINES, PLAN_POOLS, demo->plan->backlog_count);
    return start_producers(demo) && flow(demo);
}

static bool judge(struct demo *demo)
{
    char program[STAGE_PATH_MAX], log[STAGE_PATH_MAX], acked[STAGE_PATH_MAX], report[STAGE_PATH_MAX], details[STAGE_PATH_MAX];
    const struct stage *stage = &demo->cast.stage;
    uint64_t acked_jobs = count_producers(demo).acked;
    if (!close_acked(demo))
        return false;
    if (!cast_stop(&demo->cast))
        return fail(demo, "%s", demo->cast.problem);
    screen_note(&demo->screen, "workers, broker and sandbox ended in order");
    snprintf(program, sizeof program, "%s/lineward-audit", demo->options->programs);
    struct verdict_files files = {.program = program,
                                  .sandbox_log = stage_path(stage, "sandbox.jsonl", log),
                                  .acked = stage_path(stage, "acked.jsonl", acked),
                                  .report = stage_path(stage, "audit.out", report),
                                  .acked_jobs = acked_jobs,
                                  .holds = demo->options->calm ? 0 : HOLDS};
    if (!verdict_print(&files, demo->screen.out))
        return fail(demo, "the audit found a promise broken");
    if (demo->estimates == NULL)
        return true;
    double share =
        estimates_print(demo->estimates, log, stage_path(stage, "estimates.txt", details), demo->screen.out);
    return demo->options->spread || share >= RIGHT_LEAST || /* of waits of less than a turn nobody knows a fifth */
           fail(demo, "only %.1f %% of the jobs went within a fifth of what their views said", 100 * share);
}

static enum demo_end finish(struct demo *demo, bool good)
{
    bool was_interrupted = *demo->options->interrupted != 0;
    if (good)
        screen_note(&demo->screen, "all promises held (seed %" PRIu64 ")", demo->plan->seed);
    close_acked(demo);
    estimates_free(&demo->estimates);
    cast_free(&demo->cast);
    screen_close(&demo->screen);
    if (!good && !was_interrupted) {
        fprintf(stderr, "lineward-demo: seed %" PRIu64 ": %s\n", demo->plan->seed, demo->problem);
        cast_tails(&demo->cast, stderr);
    }
    if (demo->options->keep || (!good && !was_interrupted))
        fprintf(stderr, "lineward-demo: all that was written is in %s\n", demo->cast.stage.folder);
    else
        stage_remove(&demo->cast.stage);
    return good ? DEMO_HOLDS : was_interrupted ? DEMO_INTERRUPTED : DEMO_FAILED;
}

enum demo_end demo_run(const struct demo_options *options)
{
    struct demo *demo = calloc(1, sizeof *demo);
    struct plan *plan = plan_new(options->seed);
    enum demo_end end = DEMO_FAILED;
    if (demo != NULL && plan != NULL) {
        demo->options = options;
        demo->plan = plan;
        plan->step_count = options->calm ? 0 : plan->step_count;
        if (options->spread)
            plan_spread(plan);
        demo->begun_ms = now_ms();
        screen_open(&demo->screen, stdout);
        end = finish(demo, play(demo) && judge(demo));
    } else {
        fputs("lineward-demo: out of memory\n", stderr);
    }
    plan_free(&plan);
    free(demo);
    return end;
}
