/* storm_test.c — many conversations with the same number of jobs each, while the provider answers 500 and 429, resets
 * connections after it took the message, and a worker is killed every second: nothing is lost, doubled, out of order
 * or sent under two keys, and no two requests of a conversation overlap. The judge is lineward-audit.
 *
 * LINEWARD_STORM says how many conversations there are (10000 in `make storm`); the default is small enough for every
 * commit. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "lineward/json.h"
#include "load.h"

#define JOBS_EACH      20
#define SMALL          120 /* conversations */
#define LARGEST        (LOAD_PRODUCERS * LOAD_LARGEST)
#define KILL_EVERY_MS  1000
#define BATCH_EVERY_MS 0
#define WORKERS        3
#define REPORT_MS      5000
#define MS_A_JOB       20 /* how long one job may take of the whole storm, on a slow machine under sanitizers */

static struct rig rig;
static struct load load;
static struct {
    int64_t begun_ms, kill_ms, report_ms;
    unsigned kills;
    size_t victim; /* the last */
} storm;

/* As many as were asked for; 0: a number out of range. */
static uint32_t conversations(void)
{
    const char *asked = getenv("LINEWARD_STORM");
    unsigned long count = asked == NULL ? SMALL : strtoul(asked, NULL, 10);
    return count >= LOAD_PRODUCERS && count <= LARGEST ? (uint32_t)count : 0;
}

static int64_t waiting(void)
{
    cJSON *status = rig_ask(&rig, "GET", "/v1/status", NULL, NULL);
    int64_t jobs = number_at(status, "backlog.jobs");
    cJSON_Delete(status);
    return jobs;
}

static void kill_a_worker(void)
{
    storm.victim = rig_random(&rig, WORKERS);
    program_kill(&rig.worker[storm.victim]);
    rig_start_worker(&rig, storm.victim);
    storm.kills++;
    storm.kill_ms = mono_ms() + KILL_EVERY_MS;
}

static void report(void)
{
    printf("%5.1f s: %u jobs made, %u acknowledged, %lld wait\n", (double)(mono_ms() - storm.begun_ms) / 1000,
           load.job_count, load.acked, (long long)waiting());
    fflush(stdout);
    storm.report_ms = mono_ms() + REPORT_MS;
}

/* One turn; true while there is something left to do. */
static bool rages(void)
{
    load_turn(&load);
    if (mono_ms() >= storm.kill_ms)
        kill_a_worker();
    if (mono_ms() >= storm.report_ms)
        report();
    return load.acked < load.jobs_max || waiting() > 0;
}

static void must_all_be_sent(void)
{
    cJSON *status = rig_ask(&rig, "GET", "/v1/status", NULL, NULL);
    int64_t sent = number_at(status, "totals.sent"), failed = number_at(status, "totals.failed");
    MUST(sent == load.job_count && failed == 0, "%lld of %u jobs are sent, %lld failed", (long long)sent,
         load.job_count, (long long)failed);
    cJSON_Delete(status);
}

/* Who was started last may be so new that it does not mind the signal yet; it holds nothing then. */
static void end_workers(void)
{
    for (size_t i = 0; i < WORKERS; i++) {
        program_signal(&rig.worker[i], SIGTERM);
        int code = program_wait(&rig.worker[i], LIMIT_MS);
        MUST(code == 0 || (code == -SIGTERM && i == storm.victim), "worker %zu ended with %d", i, code);
    }
}

START_TEST(in_a_storm_of_errors_and_dying_workers_every_promise_holds)
{
    /* Short leases: what a dead worker held is soon tried again. */
    static const char *const sets[] = {"worker.slots=64", "worker.request_timeout_ms=600",
                                       "policies.default.lease_ms=1300", NULL};
    char acked[PROGRAM_PATH_MAX];
    rig_open(&rig, sets);
    rig_start(&rig, WORKERS);
    load_open_even(&load, &rig, conversations() / LOAD_PRODUCERS, JOBS_EACH, BATCH_EVERY_MS);
    rig_faults(&rig, "{\"rate_500\":0.05,\"rate_429\":0.03,\"retry_after_s\":1,\"rate_reset_after_accept\":0.05,"
                     "\"latency_ms\":5,\"jitter_ms\":20}");
    storm.begun_ms = storm.kill_ms = mono_ms();
    AWAIT_FOR(LIMIT_MS + (int64_t)load.jobs_max * MS_A_JOB, !rages(), "the storm does not end");
    double seconds = (double)(mono_ms() - storm.begun_ms) / 1000;
    must_all_be_sent();
    load_write_acked(&load, acked);
    printf("%u jobs in %.1f s, %u workers killed, %llu requests of producers sent again, %llu jobs answered "
           "duplicate\n",
           load.job_count, seconds, storm.kills, (unsigned long long)load.resent,
           (unsigned long long)load.duplicates);
    end_workers();
    program_end(&rig.sandbox);
    rig_audit(&rig, acked, "0");
    load_close(&load);
    rig_close(&rig);
}
END_TEST

int main(void)
{
    if (conversations() == 0) {
        fprintf(stderr, "LINEWARD_STORM: %d to %d conversations\n", LOAD_PRODUCERS, LARGEST);
        return EXIT_FAILURE;
    }
    int limit_s = 120 + (int)((int64_t)conversations() * JOBS_EACH * MS_A_JOB / 1000);
    return RUN_TESTS("storm", limit_s, in_a_storm_of_errors_and_dying_workers_every_promise_holds);
}
