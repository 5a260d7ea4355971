/* core_hold.c — what it costs the core to close and to open a line with a backlog, and what a held job weighs (its
 * slot and its share of its conversation).
 *
 *   core_hold [JOBS [JOBS_PER_CONVERSATION]]      default 1000000 1
 *
 * One line, one pool. All conversations live on the line (each sent one job before). Prints one line of figures: */
#define TELL "jobs=%u per_conversation=%u close_us=%.1f open_us=%.1f first_lease_us=%.1f rss_per_job=%.1f\n"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "broker/core/core.h"

static void *take(void *self, size_t bytes)
{
    (void)self;
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

static double now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static double rss_bytes(void)
{
    long pages = 0;
    long resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%ld %ld", &pages, &resident) != 2)
        exit(1);
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static const char text[] = "{broker: {jobs_max: 3000000}, accounts: {default: {base_url: \"http://127.0.0.1:1\", "
                           "api_key_file: k, poll_interval_ms: 1000}}, policies: {default: {pace_per_min: 0, "
                           "pair_per_min: 0, distinct_recipients_per_hour: 0, daily_growth_factor: 0, "
                           "new_conversations_per_day: 0, daily_messages: 0, ramp_percent: [100]}}}";

struct bench {
    struct core *core;
    struct effects out;
    struct instant now;
};

static void clear(struct bench *bench)
{
    bench->out.change_count = bench->out.effect_count = 0;
}

static void tell(struct bench *bench, enum reputation reputation)
{
    struct core_line_fact fact = {.number = 12025550101,
                                  .has_reputation = true,
                                  .reputation = reputation,
                                  .changed_at_ms = bench->now.wall_ms,
                                  .arrived_mono_ms = bench->now.mono_ms};
    core_line_told(bench->core, 0, &fact, bench->now, &bench->out);
    clear(bench);
}

static void poll(struct bench *bench, uint64_t number)
{
    bench->now.mono_ms += 10;
    bench->now.wall_ms += 10;
    struct core_line_fact fact = {.number = 12025550101,
                                  .has_reputation = true,
                                  .reputation = REPUTATION_HEALTHY,
                                  .poll = number,
                                  .begun_mono_ms = bench->now.mono_ms};
    core_line_polled(bench->core, &fact, bench->now, &bench->out);
    struct core_poll end = {.poll = number, .begun_mono_ms = bench->now.mono_ms, .ok = true};
    core_poll_ended(bench->core, &end, bench->now, &bench->out);
    clear(bench);
}

static void enqueue(struct bench *bench, uint64_t conversation)
{
    struct core_enqueue job = {.conversation = conversation * 0x9E3779B97F4A7C15u | 1,
                               .class = CLASS_TRANSACTIONAL,
                               .recipients = {"[]", 2},
                               .envelope = {"{}", 2},
                               .payload = {"{}", 2}};
    core_enqueue(bench->core, &job, false, bench->now, &bench->out);
    clear(bench);
}

/* Leases and settles all that is ready, so that every conversation lives on the line. */
static void send_all(struct bench *bench)
{
    size_t leased = 1;
    while (leased > 0) {
        leased = 0;
        core_tick(bench->core, bench->now, &bench->out);
        size_t count = bench->out.effect_count;
        uint64_t *leases = malloc((count + 1) * sizeof *leases);
        for (size_t i = 0; leases != NULL && i < count; i++)
            if (bench->out.effects[i].kind == EFFECT_JOB)
                leases[leased++] = bench->out.effects[i].lease;
        clear(bench);
        for (size_t i = 0; leases != NULL && i < leased; i++) {
            struct core_result result = {
                .peer = 1, .lease = leases[i], .outcome = OUTCOME_SENT, .retry_after_ms = -1};
            core_lease_send(bench->core, leases[i], bench->now, &bench->out);
            core_worker_result(bench->core, &result, bench->now, &bench->out);
            clear(bench);
        }
        free(leases);
    }
}

static bool open_bench(struct bench *bench)
{
    struct conf *conf = NULL;
    struct conf_problem problem;
    struct core_limits limits = {.jobs_max = 3000000,
                                 .conversations_max = 3000000,
                                 .lines_max = 64,
                                 .leases_max = 4096,
                                 .workers_max = 4,
                                 .pauses_max = 8,
                                 .names_max = 64,
                                 .remembered_max = 1000};
    struct core_memory memory = {.take = take};
    uint8_t random[KEY_RANDOM_BYTES] = {1};
    if (conf_parse(&conf, text, strlen(text), "bench", "/tmp", NULL, 0, &problem) != ERR_NONE) {
        fprintf(stderr, "%s\n", problem.text);
        return false;
    }
    bench->now = (struct instant){1795446000000, 1000000};
    bench->out.change_room = bench->out.effect_room = 2 * EFFECTS_MAX;
    bench->out.changes = take(NULL, bench->out.change_room * sizeof *bench->out.changes);
    bench->out.effects = take(NULL, bench->out.effect_room * sizeof *bench->out.effects);
    if (core_new(&bench->core, &limits, &memory, conf, 1) != ERR_NONE)
        return false;
    core_restored(bench->core, random, bench->now, &bench->out);
    clear(bench);
    return true;
}

int main(int argc, char **argv)
{
    unsigned jobs = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000000;
    unsigned each = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
    static struct bench bench;
    if (each == 0 || jobs / each == 0 || !open_bench(&bench))
        return 1;
    struct core_ready ready = {.peer = 1, .instance = 1, .slots = 1024, .worker = "bench"};
    core_worker_ready(bench.core, &ready, bench.now, &bench.out);
    clear(&bench);
    poll(&bench, 1);
    double before = rss_bytes();
    for (unsigned c = 0; c < jobs / each; c++)
        enqueue(&bench, c + 1);
    send_all(&bench);
    tell(&bench, REPUTATION_CRITICAL);

    for (unsigned j = 0; j < jobs; j++)
        enqueue(&bench, j % (jobs / each) + 1);
    double weight = (rss_bytes() - before) / jobs;
    core_worker_bye(bench.core, 1, bench.now, &bench.out);
    bench.now.wall_ms += 1000;
    bench.now.mono_ms += 1000;
    tell(&bench, REPUTATION_HEALTHY);
    poll(&bench, 2); /* the line is open, but no worker takes anything */
    bench.now.wall_ms += 1000;
    bench.now.mono_ms += 1000;

    double start = now_us();
    tell(&bench, REPUTATION_CRITICAL);
    double close_us = now_us() - start;
    bench.now.wall_ms += 1000;
    bench.now.mono_ms += 1000;
    tell(&bench, REPUTATION_HEALTHY);
    start = now_us();
    poll(&bench, 3);
    double open_us = now_us() - start;
    ready.slots = 1;
    core_worker_ready(bench.core, &ready, bench.now, &bench.out);
    clear(&bench);
    start = now_us();
    core_tick(bench.core, bench.now, &bench.out);
    double lease_us = now_us() - start;
    printf(TELL, jobs, each, close_us, open_us, lease_us, weight);
    return 0;
}
