/* main.c — runs seeds, each in a process of its own.
 *
 *   sim SEED            one seed, with its hash; SIM_SHOW=1 prints every event, SIM_PLAN cuts the world down (plan.h)
 *   sim shrink SEED     a seed that fails, cut down as long as the same promise breaks
 *   sim replay FILE...  worlds that once failed, each a line `seed=N PLAN`: none may fail again
 *   sim FIRST COUNT     so many seeds from FIRST on; ends with what was covered. SIM_AT_A_TIME processes (2), for at
 *                       most SIM_SECONDS; with SIM_COVERAGE=1 a fault that never happened in them is a failure */
#include <inttypes.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/cast.h"
#include "tests/sim/shrink.h"
#include "tests/sim/world.h"

#define AT_A_TIME_MAX 16
#define SEED_SECONDS  60  /* of a processor: a seed that goes round in circles is a failure */
#define STUCK_SECONDS 600 /* of the wall: and so is one that waits for ever */

struct shared { /* between the processes of a batch */
    _Atomic uint64_t faults[FAULT_COUNT];
    _Atomic uint64_t steps, virtual_us, jobs, messages, seeds;
};

static struct shared *shared;

static void add_up(void)
{
    for (int f = 0; f < FAULT_COUNT; f++)
        shared->faults[f] += fault_count((enum fault)f);
    shared->steps += ground_steps();
    shared->virtual_us += (uint64_t)now_us();
    shared->jobs += (uint64_t)cast_job_count;
    shared->seeds++;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static const struct plan whole;

static void run_one(uint64_t seed)
{
    static struct plan plan;
    double begun = seconds();
    const char *text = getenv("SIM_PLAN"), *wrong = text == NULL ? NULL : plan_parse(&plan, text);
    if (wrong != NULL) {
        fprintf(stderr, "SIM_PLAN: %s\n", wrong);
        exit(2);
    }
    trace_show(getenv("SIM_SHOW") != NULL);
    world_run(seed, &plan);
    double took = seconds() - begun;
    printf("seed %" PRIu64 " hash %016" PRIx64 ": %" PRIu64 " steps, %.0f s of virtual time, %d jobs, in %.3f s\n", seed,
           trace_hash(), ground_steps(), (double)now_us() / 1e6, cast_job_count, took);
    fflush(stdout);
    _exit(0); /* nothing is ever freed: no leak to be told of */
}

static pid_t start_seed(uint64_t seed, const struct plan *plan)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    struct rlimit cpu = {SEED_SECONDS, SEED_SECONDS + 1};
    setrlimit(RLIMIT_CPU, &cpu);
    alarm(STUCK_SECONDS);
    world_run(seed, plan);
    add_up();
    _exit(0);
}

static int told_failure(uint64_t seed, int status)
{
    if (WIFSIGNALED(status))
        fprintf(stderr, "seed %" PRIu64 ": ended by signal %d; again: make sim SEED=%" PRIu64 "\n", seed,
                WTERMSIG(status), seed);
    return 1;
}

static void print_coverage(double took)
{
    printf("%" PRIu64 " seeds in %.1f s: %" PRIu64 " steps (%.0f a second), %.1f days of virtual time, %" PRIu64 " jobs\n",
           shared->seeds, took, shared->steps, (double)shared->steps / took, (double)shared->virtual_us / 86400e6,
           shared->jobs);
    for (int f = 0; f < FAULT_COUNT; f++)
        printf("%s%s %" PRIu64, f % 5 == 0 ? "\n  " : ", ", fault_name((enum fault)f), shared->faults[f]);
    printf("\n");
}

static int count_missing(void)
{
    int missing = 0;
    for (int f = 0; f < FAULT_COUNT; f++) {
        if (shared->faults[f] > 0)
            continue;
        fprintf(stderr, "never happened in this batch: %s\n", fault_name((enum fault)f));
        missing++;
    }
    return missing;
}

static int run_batch(uint64_t first, uint64_t count, unsigned at_a_time, double limit_s)
{
    pid_t pids[AT_A_TIME_MAX] = {0};
    uint64_t seeds[AT_A_TIME_MAX] = {0}, next = first;
    unsigned running = 0;
    int failures = 0;
    double begun = seconds(), told = begun;
    while (running > 0 || (next < first + count && failures == 0 && seconds() - begun < limit_s)) {
        if (running < at_a_time && next < first + count && failures == 0 && seconds() - begun < limit_s) {
            unsigned slot = 0;
            while (pids[slot] != 0)
                slot++;
            seeds[slot] = next;
            pids[slot] = start_seed(next++, &whole);
            running++;
            continue;
        }
        int status = 0;
        pid_t ended = waitpid(-1, &status, 0);
        for (unsigned slot = 0; slot < at_a_time; slot++) {
            if (pids[slot] != ended)
                continue;
            pids[slot] = 0;
            running--;
            if (status != 0)
                failures += told_failure(seeds[slot], status);
        }
        if (seconds() - told > 5) {
            told = seconds();
            printf("%" PRIu64 " of %" PRIu64 " seeds, %.0f s\n", shared->seeds, count, told - begun);
            fflush(stdout);
        }
    }
    print_coverage(seconds() - begun);
    if (failures == 0 && getenv("SIM_COVERAGE") != NULL)
        failures += count_missing();
    return failures > 0;
}

static int replay_file(const char *path)
{
    static struct plan plan;
    static char line[PLAN_TEXT_MAX];
    FILE *file = fopen(path, "r");
    const char *wrong = file == NULL ? "can't be read" : NULL;
    int failures = 0, used = 0;
    unsigned long long seed;
    while (wrong == NULL && fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '#' || line[0] == '\n')
            continue;
        wrong = sscanf(line, "seed=%llu%n", &seed, &used) == 1 ? plan_parse(&plan, line + used)
                                                               : "a line begins with seed=N, or with #";
        int status = 0;
        if (wrong == NULL && waitpid(start_seed(seed, &plan), &status, 0) > 0 && status != 0) {
            fprintf(stderr, "%s: fails again: %s", path, line);
            failures++;
        }
    }
    if (wrong != NULL)
        fprintf(stderr, "%s: %s\n", path, wrong);
    if (file != NULL)
        fclose(file);
    return failures + (wrong != NULL);
}

static int replay(char **paths)
{
    int failures = 0, files = 0;
    for (; paths[files] != NULL; files++)
        failures += replay_file(paths[files]);
    printf("%d files, %d failures\n", files, failures);
    return failures > 0;
}

static bool share(void)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared != MAP_FAILED;
}

int main(int argc, char **argv)
{
    const char *at_a_time = getenv("SIM_AT_A_TIME"), *limit = getenv("SIM_SECONDS");
    struct rlimit files = {4096, 4096};
    setrlimit(RLIMIT_NOFILE, &files);
    if (argc < 2 || sodium_init() < 0) {
        fprintf(stderr, "usage: sim SEED | sim FIRST COUNT | sim shrink SEED | sim replay FILE...\n");
        return 2;
    }
    if (!share())
        return 1;
    if (strcmp(argv[1], "replay") == 0)
        return replay(argv + 2);
    if (argc == 3 && strcmp(argv[1], "shrink") == 0)
        return shrink_seed(strtoull(argv[2], NULL, 10));
    if (argc == 2)
        run_one(strtoull(argv[1], NULL, 10));
    unsigned parallel = at_a_time == NULL ? 2 : (unsigned)strtoul(at_a_time, NULL, 10);
    return run_batch(strtoull(argv[1], NULL, 10), strtoull(argv[2], NULL, 10),
                     parallel < 1 ? 1 : parallel > AT_A_TIME_MAX ? AT_A_TIME_MAX : parallel,
                     limit == NULL ? 1e9 : strtod(limit, NULL));
}
