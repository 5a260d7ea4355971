/* shrink.c — see shrink.h. Each try is a process of its own, which says what broke through a file. */
#include "tests/sim/shrink.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sim/world.h"

#define TRY_SECONDS 60
#define WORD_BYTES  64
#define TOLD_BYTES  (256 * 1024)

struct broken { /* how a try ended */
    bool failed;
    char promise[WORD_BYTES];
    double at_s;
};

static struct shrinking {
    uint64_t seed;
    char promise[WORD_BYTES];
    unsigned *mishaps; /* of each kind, counted by the try (shared with it) */
    struct plan plan;  /* the smallest that fails so far */
    unsigned tries;
    char told[TOLD_BYTES]; /* by the last try that failed */
} shrinking;

static void play(const struct plan *plan, int told)
{
    dup2(told, STDERR_FILENO);
    alarm(TRY_SECONDS);
    world_run(shrinking.seed, plan);
    _exit(0);
}

/* "seed 17, 12.5 s, step 99: P4: …" */
static void read_broken(struct broken *out, const char *told)
{
    const char *line = strstr(told, "\nseed ");
    const char *word = line == NULL ? NULL : strstr(line, ": ");
    snprintf(out->promise, sizeof out->promise, "signal");
    if (word == NULL || sscanf(line, "\nseed %*u, %lf", &out->at_s) != 1)
        return;
    size_t bytes = strcspn(word + 2, ":\n");
    snprintf(out->promise, sizeof out->promise, "%.*s", (int)bytes, word + 2);
}

static struct broken try(const struct plan *plan)
{
    static char told[TOLD_BYTES];
    struct broken broken = {0};
    int status = 0;
    FILE *file = tmpfile();
    if (file == NULL)
        abort();
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        play(plan, fileno(file));
    waitpid(pid, &status, 0);
    shrinking.tries++;
    rewind(file);
    told[fread(told, 1, sizeof told - 1, file)] = '\0';
    fclose(file);
    broken.failed = status != 0;
    if (broken.failed)
        read_broken(&broken, told);
    if (broken.failed && (shrinking.promise[0] == '\0' || strcmp(broken.promise, shrinking.promise) == 0))
        memcpy(shrinking.told, told, sizeof told);
    return broken;
}

/* Takes the plan if the same promise breaks. */
static bool keep_if_broken(const struct plan *plan)
{
    struct broken broken = try(plan);
    if (!broken.failed || strcmp(broken.promise, shrinking.promise) != 0)
        return false;
    shrinking.plan = *plan;
    return true;
}

static void choose_all(void)
{
    struct plan *plan = &shrinking.plan;
    plan->chosen = true;
    for (int kind = 0; kind < PLAN_KIND_COUNT; kind++)
        for (unsigned n = 1; n <= shrinking.mishaps[kind] && plan->count < PLAN_MISHAPS_MAX; n++)
            plan->only[plan->count++] = (struct plan_mishap){(enum plan_kind)kind, n};
}

/* Leaves out a run of them, ever shorter ones. */
static void drop_mishaps(void)
{
    static struct plan plan;
    for (size_t run = (shrinking.plan.count + 1) / 2; run > 0; run /= 2)
        for (size_t from = 0; from < shrinking.plan.count;) {
            size_t dropped = shrinking.plan.count - from < run ? shrinking.plan.count - from : run;
            plan = shrinking.plan;
            memmove(plan.only + from, plan.only + from + dropped, (plan.count - from - dropped) * sizeof *plan.only);
            plan.count -= dropped;
            if (!keep_if_broken(&plan))
                from += run;
        }
}

static void drop_jobs(int jobs)
{
    static struct plan plan;
    int good = 0; /* so many are too few */
    while (jobs - good > 1) {
        plan = shrinking.plan;
        plan.jobs = good + (jobs - good) / 2;
        if (keep_if_broken(&plan))
            jobs = plan.jobs;
        else
            good = plan.jobs;
    }
}

static void calm_models(void)
{
    static struct plan plan;
    for (int model = 0; model < PLAN_MODEL_COUNT; model++) {
        plan = shrinking.plan;
        plan.calm[model] = true;
        if (!shrinking.plan.calm[model])
            keep_if_broken(&plan);
    }
}

static void progress(const char *what)
{
    printf("%s: %zu mishaps, %d jobs, after %u tries\n", what, shrinking.plan.count, shrinking.plan.jobs,
           shrinking.tries);
    fflush(stdout);
}

int shrink_seed(uint64_t seed)
{
    static char text[PLAN_TEXT_MAX];
    static struct plan cut;
    shrinking.seed = seed;
    shrinking.mishaps =
        mmap(NULL, sizeof *shrinking.mishaps * PLAN_KIND_COUNT, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shrinking.mishaps == MAP_FAILED)
        return 1;
    world_count_mishaps(shrinking.mishaps);
    struct broken broken = try(&shrinking.plan);
    if (!broken.failed) {
        printf("seed %" PRIu64 " does not fail\n", seed);
        return 1;
    }
    memcpy(shrinking.promise, broken.promise, sizeof broken.promise);
    printf("seed %" PRIu64 " breaks %s\n", seed, shrinking.promise);
    choose_all();
    cut = shrinking.plan;
    cut.faulty_ms = (int64_t)(broken.at_s * 1000) + 1000;
    if (strcmp(shrinking.promise, "liveness") != 0) /* else it is told long after */
        keep_if_broken(&cut);
    progress("cut");
    drop_mishaps();
    progress("mishaps");
    drop_jobs(world_jobs_max(seed));
    calm_models();
    drop_mishaps();
    progress("jobs");
    plan_print(&shrinking.plan, text);
    printf("\nseed=%" PRIu64 " %s\nagain: make sim SEED=%" PRIu64 " PLAN='%s'\n%s", seed, text, seed, text,
           shrinking.told);
    return 0;
}
