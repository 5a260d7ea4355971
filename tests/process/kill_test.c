/* kill_test.c — broker, producers and workers die at random moments under load, and nothing is lost, doubled, out of
 * order, on a line that must not send, or faster than allowed.
 *
 * The judge is lineward-audit, from the sandbox's log and from what producers were told. Meanwhile the provider loses
 * answers, answers 500 and 429, and lines turn AT_RISK and CRITICAL by its webhooks.
 *
 * LINEWARD_KILLS says how many deaths there are (1000 in `make soak`), LINEWARD_SEED which moments. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "crowd.h"

#define KILLS         25
#define KILLS_MAX     100000
#define RESTARTS      2  /* in order, under load too */
#define PAUSE_MIN_MS  40 /* so that some die while they still start */
#define PAUSE_MAX_MS  550
#define FLIP_MS       700
#define JOBS_A_S      180   /* of all producers, while they live; less than the lines together may send */
#define JOBS_MAX      30000 /* of each producer: in a long storm they make fewer a second */
#define BATCH_MEAN    ((LOAD_BATCH_MAX + 1) / 2)
#define CALM_EVERY    25 /* deaths; then nobody dies for a while, or a dead worker's leases would never lapse */
#define CALM_MS       5000
#define DRAIN_MS      60000 /* and for each job: */
#define DRAIN_JOB_MS  10
#define FLIPPED_LINES 3 /* the last one stays HEALTHY: there is always somewhere to go */
#define WORKERS       2
#define PACE          "6000" /* a minute and line */

static struct rig rig;
static struct crowd crowd;
static int64_t flip_mono_ms;
static size_t flips;
static struct {
    unsigned broker, worker, producer, all;
} deaths;

/* 0: a number out of range. */
static long kills(void)
{
    const char *asked = getenv("LINEWARD_KILLS");
    long count = asked == NULL ? KILLS : strtol(asked, NULL, 10);
    return count >= KILLS && count <= KILLS_MAX ? count : 0;
}

/* Of a producer between two requests, so that its jobs last to the end. */
static int64_t interval_ms(void)
{
    int64_t lasts_ms = kills() * PAUSE_MAX_MS;
    int64_t jobs = lasts_ms * JOBS_A_S / 1000 / CROWD_PRODUCERS;
    return lasts_ms * BATCH_MEAN / (jobs < JOBS_MAX ? jobs : JOBS_MAX);
}

/* New conversations of a line: of all there are, some wait in the end. */
static long new_a_line(void)
{
    long jobs = kills() * PAUSE_MAX_MS / 1000 * JOBS_A_S / CROWD_PRODUCERS;
    long conversations = LOAD_KNOWN_FIRST + jobs / LOAD_JOBS_A_NEW;
    if (conversations > LOAD_CONVERSATIONS)
        conversations = LOAD_CONVERSATIONS;
    return conversations * CROWD_PRODUCERS * 3 / 5 / RIG_LINES;
}

/* Each in turn falls ill and recovers, each time of something else. */
static void flip_a_line(void)
{
    static const char *const words[] = {"\"reputation\":\"CRITICAL\"", "\"reputation\":\"AT_RISK\"",
                                        "\"service\":\"FLAGGED\""};
    size_t line = flips % FLIPPED_LINES, round = flips / FLIPPED_LINES;
    if (round % 2 == 0)
        rig_set_line(&rig, line, words[(line + round / 2) % 3]);
    else
        rig_set_line(&rig, line, "\"reputation\":\"HEALTHY\",\"service\":\"ACTIVE\"");
    flips++;
    flip_mono_ms = mono_ms() + FLIP_MS;
}

static void work_for(int64_t ms)
{
    for (int64_t until = mono_ms() + ms; mono_ms() < until; programs_tick())
        if (mono_ms() >= flip_mono_ms)
            flip_a_line();
}

/* Sometimes nobody starts it again for a while. */
static void stay_dead(void)
{
    if (rig_random(&rig, 3) == 0)
        work_for((int64_t)rig_random(&rig, 600));
}

static void kill_all(void)
{
    program_kill(&rig.broker);
    for (size_t i = 0; i < WORKERS; i++)
        program_kill(&rig.worker[i]);
    for (size_t i = 0; i < CROWD_PRODUCERS; i++)
        crowd_kill(&crowd, i);
    stay_dead();
    for (size_t i = 0; i < CROWD_PRODUCERS; i++)
        crowd_start(&crowd, i);
    for (size_t i = 0; i < WORKERS; i++)
        rig_start_worker(&rig, i);
    rig_start_broker(&rig);
    deaths.all++;
}

static void kill_broker(void)
{
    program_kill(&rig.broker);
    stay_dead();
    rig_start_broker(&rig);
    deaths.broker++;
}

static void kill_worker(size_t victim)
{
    program_kill(&rig.worker[victim]);
    stay_dead();
    rig_start_worker(&rig, victim);
    deaths.worker++;
}

static void kill_producer(size_t victim)
{
    crowd_kill(&crowd, victim);
    stay_dead();
    crowd_start(&crowd, victim);
    deaths.producer++;
}

static void kill_some(void)
{
    size_t lot = rig_random(&rig, 16);
    if (lot == 0)
        kill_all();
    else if (lot < 8)
        kill_broker();
    else if (lot < 12)
        kill_worker(lot % WORKERS);
    else
        kill_producer(lot % CROWD_PRODUCERS);
}

static void recover_all_lines(void)
{
    for (size_t i = 0; i < FLIPPED_LINES; i++)
        rig_set_line(&rig, i, "\"reputation\":\"HEALTHY\",\"service\":\"ACTIVE\"");
}

static void check_the_store(void)
{
    char folder[PROGRAM_PATH_MAX];
    snprintf(folder, sizeof folder, "%s/data", rig.folder);
    const char *arguments[] = {"store", "check", folder, NULL};
    int code = rig_run(&rig, "linewardctl", "store-check.txt", arguments);
    char *said = rig_read(&rig, "store-check.txt");
    MUST(code == 0, "linewardctl store check: %d, %s", code, said);
    free(said);
}

static void judge(void)
{
    char acked[PROGRAM_PATH_MAX], budget[32];
    snprintf(budget, sizeof budget, "%ld", new_a_line());
    uint64_t resent = 0, duplicates = 0, waiting = 0;
    for (size_t i = 0; i < CROWD_PRODUCERS; i++) {
        struct load *load = crowd.members[i].load;
        load->may_wait_for = "budget_new_conversations";
        load_await_final(load, DRAIN_MS + (int64_t)crowd_jobs(&crowd) * DRAIN_JOB_MS);
        load_write_acked(load, acked);
        resent += load->resent;
        duplicates += load->duplicates;
        waiting += load_waiting(load);
    }
    printf("killed: broker %u times, a worker %u, a producer %u, all of them %u\n", deaths.broker, deaths.worker,
           deaths.producer, deaths.all);
    printf("%u jobs, %llu requests sent again, %llu answered duplicate; %llu wait for a budget\n", crowd_jobs(&crowd),
           (unsigned long long)resent, (unsigned long long)duplicates, (unsigned long long)waiting);
    for (size_t i = 0; i < WORKERS; i++)
        program_end(&rig.worker[i]);
    program_end(&rig.broker);
    program_end(&rig.sandbox);
    const char *const rules[] = {"--holds-min", "3", "--pace-per-min", PACE, "--new-per-line", budget, NULL};
    rig_audit_by(&rig, acked, rules);
    check_the_store();
}

/* covers: key policies.pace_per_min, policies.new_conversations_per_day; reason budget_new_conversations */
START_TEST(killed_at_random_moments_nothing_is_lost_doubled_or_out_of_order)
{
    /* Small segments: many are sealed, cleaned and used again meanwhile. */
    char budget[64];
    snprintf(budget, sizeof budget, "policies.default.new_conversations_per_day=%ld", new_a_line());
    const char *const sets[] = {"store.segment_mb=1", "policies.default.pace_per_min=" PACE, budget, NULL};
    rig_open(&rig, sets);
    rig.sandbox_options[0] = "--latency-ms";
    rig.sandbox_options[1] = "15";
    rig_start(&rig, WORKERS);
    rig_faults(&rig, "{\"rate_reset_after_accept\":0.03,\"rate_504_after_accept\":0.01,\"rate_timeout\":0.003,"
                     "\"rate_500\":0.03,\"rate_reset\":0.01,\"rate_429\":0.005,\"retry_after_s\":-1,"
                     "\"latency_ms\":15,\"jitter_ms\":20}");
    crowd_open(&crowd, &rig, JOBS_MAX, interval_ms());
    for (long i = kills(); i > 0; i--) {
        work_for(PAUSE_MIN_MS + (int64_t)rig_random(&rig, PAUSE_MAX_MS - PAUSE_MIN_MS));
        kill_some();
        if (i % CALM_EVERY == 1 && i > 1)
            work_for(CALM_MS);
    }
    for (int i = 0; i < RESTARTS; i++) {
        rig_await_ready(&rig);
        work_for(PAUSE_MAX_MS);
        program_end(&rig.broker);
        rig_start_broker(&rig);
    }
    recover_all_lines();
    rig_faults(&rig, NULL);
    rig_await_ready(&rig);
    crowd_finish(&crowd);
    judge();
    crowd_close(&crowd);
    rig_close(&rig);
}
END_TEST

int main(void)
{
    if (kills() == 0) {
        fprintf(stderr, "LINEWARD_KILLS: %d to %d\n", KILLS, KILLS_MAX);
        return EXIT_FAILURE;
    }
    int limit_s = 60 + (int)(kills() * 2);
    return RUN_TESTS("kill", limit_s, killed_at_random_moments_nothing_is_lost_doubled_or_out_of_order);
}
