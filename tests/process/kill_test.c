/* kill_test.c — broker and workers die at random moments under load, and nothing is lost, doubled or out of order.
 *
 * The judge is lineward-audit, from the sandbox's log and from what producers were told. Meanwhile the provider loses
 * answers, answers 500 and 429, and lines turn AT_RISK and CRITICAL by its webhooks. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "load.h"

#define KILLS          25
#define RESTARTS       2  /* in order, under load too */
#define PAUSE_MIN_MS   40 /* so that some die while they still start */
#define PAUSE_MAX_MS   1100
#define FLIP_MS        900
#define JOBS_MAX       30000
#define BATCH_EVERY_MS 15
#define DRAIN_MS       60000
#define FLIPPED_LINES  3 /* the last one stays HEALTHY: there is always somewhere to go */

static struct rig rig;
static struct load load;
static int64_t flip_mono_ms;
static size_t flips;

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
    for (int64_t until = mono_ms() + ms; mono_ms() < until; programs_tick()) {
        load_turn(&load);
        if (mono_ms() >= flip_mono_ms)
            flip_a_line();
    }
}

/* Sometimes nobody starts it again for a while. */
static void stay_dead(void)
{
    if (rig_random(&rig, 3) == 0)
        work_for((int64_t)rig_random(&rig, 600));
}

static void kill_one(void)
{
    size_t victim = rig_random(&rig, 5);
    if (victim < 2) {
        program_kill(&rig.worker[victim]);
        stay_dead();
        rig_start_worker(&rig, victim);
    } else {
        program_kill(&rig.broker);
        stay_dead();
        rig_start_broker(&rig);
    }
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

START_TEST(killed_at_random_moments_nothing_is_lost_doubled_or_out_of_order)
{
    /* Small segments: many are sealed, cleaned and used again meanwhile. */
    static const char *const sets[] = {"store.segment_mb=1", NULL};
    char acked[PROGRAM_PATH_MAX];
    rig_open(&rig, sets);
    rig.sandbox_options[0] = "--latency-ms";
    rig.sandbox_options[1] = "15";
    rig_start(&rig, 2);
    load_open(&load, &rig, JOBS_MAX, BATCH_EVERY_MS);
    load.withdraws = true;
    rig_faults(&rig, "{\"rate_reset_after_accept\":0.03,\"rate_504_after_accept\":0.01,\"rate_timeout\":0.003,"
                     "\"rate_500\":0.03,\"rate_reset\":0.01,\"rate_429\":0.005,\"retry_after_s\":-1,"
                     "\"latency_ms\":15,\"jitter_ms\":20}");
    for (int i = 0; i < KILLS; i++) {
        work_for(PAUSE_MIN_MS + (int64_t)rig_random(&rig, PAUSE_MAX_MS - PAUSE_MIN_MS));
        kill_one();
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
    load_finish(&load);
    load_await_final(&load, DRAIN_MS);
    load_write_acked(&load, acked);
    printf("%u jobs, %llu requests sent again, %llu answered duplicate\n", load.job_count,
           (unsigned long long)load.resent, (unsigned long long)load.duplicates);
    for (size_t i = 0; i < 2; i++)
        program_end(&rig.worker[i]);
    program_end(&rig.broker);
    program_end(&rig.sandbox);
    rig_audit(&rig, acked, "3");
    check_the_store();
    load_close(&load);
    rig_close(&rig);
}
END_TEST

int main(void)
{
    return RUN_TESTS("kill", 60, killed_at_random_moments_nothing_is_lost_doubled_or_out_of_order);
}
