/* overload_test.c — more than there is room for: ten times what the workers can send, in little memory; and rogue
 * producers among good ones. Producers hear `busy`, nothing is lost, good ones go on, and all recovers by itself.
 *
 * OVERLOAD_S is how long each of it lasts: `make soak` asks for half an hour. OVERLOAD_SLACK=1 is for a machine of
 * its own. OVERLOAD_ROGUE=deaf plays that one rogue and nothing else; =all, all rogues. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <zmq.h>

#include "lineward/json.h"
#include "load.h"
#include "rogue.h"

#define OVERLOAD_S   6
#define JOBS_MAX     "broker.jobs_max=400"
#define SLOTS        "worker.slots=2"
#define LATENCY      "{\"latency_ms\":20}"  /* of the provider: a hundred sends a second ... */
#define LONG_LATENCY "{\"latency_ms\":100}" /* ... or twenty, for half an hour */
#define LONG_MS      60000
#define ASK_EVERY_MS 6     /* of a producer, on average: with what is refused, far more than ten times too much */
#define FLOOR_US     5000 /* times the slack's square: a p99 below is not slow, whatever it is a multiple of */
#define GOOD         4
#define GOOD_GAP_US  4000
#define SAMPLES_MAX  2000000
#define ROOM_MIB     192  /* that the broker may grow by: see docs/reliability.md, Overload */
#define ROGUE_MIB    1024 /* sanitizers keep what was freed */
#define TIMES_MIN    3    /* too much, where this machine does not get to ten */
#define WATCH_MS     100

static struct rig rig;
static struct load load;

static int64_t lasts_ms(void)
{
    const char *asked = getenv("OVERLOAD_S");
    return 1000 * (asked == NULL ? OVERLOAD_S : strtoll(asked, NULL, 10));
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Sanitizers and other programs on the same processors make this test slower than what it tests. */
static double slack(void)
{
    const char *asked = getenv("OVERLOAD_SLACK");
    return asked == NULL ? 8 : strtod(asked, NULL);
}

/* ---- the memory of the broker ---- */

static int64_t memory_kb(const char *what)
{
    char path[64], line[256];
    long long kb = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)rig.broker.pid);
    FILE *file = fopen(path, "r");
    MUST(file != NULL, "%s: %s", path, strerror(errno));
    while (kb < 0 && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, what, strlen(what)) == 0)
            kb = strtoll(line + strlen(what), NULL, 10);
    fclose(file);
    MUST(kb >= 0, "no %s in %s", what, path);
    return kb;
}

/* From now on the system gives it no more than so much besides what it has. Without a fork of systemd or the right to
 * make a cgroup, this is what every machine has; and a broker that gets none ends, which fails the test. */
static void limit_memory(uint64_t mib)
{
    uint64_t bytes = (uint64_t)memory_kb("VmSize:") * 1024 + (mib << 20);
    const struct rlimit limit = {bytes, bytes};
    MUST(prlimit(rig.broker.pid, RLIMIT_AS, &limit, NULL) == 0, "prlimit: %s", strerror(errno));
}

/* ---- ten times too much ---- */

static int64_t total(const char *path)
{
    cJSON *status = rig_ask(&rig, "GET", "/v1/status", NULL, NULL);
    int64_t value = number_at(status, path);
    cJSON_Delete(status);
    return value;
}

START_TEST(ten_times_too_much_is_answered_busy_and_all_that_was_taken_is_sent_in_order)
{
    static const char *const sets[] = {JOBS_MAX, SLOTS, NULL};
    char acked[PROGRAM_PATH_MAX];
    rig_open(&rig, sets);
    rig_start(&rig, 1);
    rig_faults(&rig, lasts_ms() > LONG_MS ? LONG_LATENCY : LATENCY);
    load_open(&load, &rig, LOAD_JOBS_MAX, ASK_EVERY_MS);
    int64_t before_kb = memory_kb("VmRSS:"), most = 0, begun = mono_ms(), watch = begun;
    limit_memory(ROOM_MIB);
    while (mono_ms() < begun + lasts_ms() && load.job_count < LOAD_JOBS_MAX) {
        load_turn(&load);
        programs_tick();
        if (mono_ms() < watch)
            continue;
        watch = mono_ms() + WATCH_MS;
        int64_t jobs = total("backlog.jobs");
        most = jobs > most ? jobs : most;
    }
    int64_t sent = total("totals.sent"), refused = (int64_t)load.refused;
    double times = (double)(refused + load.acked) / (double)(sent > 0 ? sent : 1);
    printf(
        "%lld sent, %u taken, %lld refused busy: %.1f times too much; at most %lld waited; %lld KiB grew to %lld\n",
        (long long)sent, load.acked, (long long)refused, times, (long long)most, (long long)before_kb,
        (long long)memory_kb("VmHWM:"));
    fflush(stdout);
    MUST(sent > 0 && times >= TIMES_MIN, "it was no overload");
    MUST(most <= 400, "%lld jobs wait, more than jobs_max", (long long)most);
    rig_faults(&rig, NULL); /* the load ends */
    load_finish(&load);
    load_await_final(&load, LIMIT_MS);
    MUST(total("totals.sent") == load.job_count, "not all that was taken was sent");
    load_write_acked(&load, acked);
    program_end(&rig.worker[0]);
    program_end(&rig.sandbox);
    rig_audit(&rig, acked, "0");
    load_close(&load);
    rig_close(&rig);
}
END_TEST

/* ---- rogues among good ones ---- */

static struct {
    struct producer wire[GOOD];
    bool asked[GOOD];
    int64_t sent_us[GOOD], next_us[GOOD];
    unsigned made, answered;
    int64_t *samples;
    size_t count;
} good;

static void good_ask(size_t i)
{
    char job[256], request[32];
    snprintf(request, sizeof request, "r%u", ++good.made);
    snprintf(
        job, sizeof job,
        "{\"id\":\"good-%u\",\"to\":\"+1415%07u\",\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"hello\"}]}}",
        good.made, 2000000 + good.made % 400);
    SEND(&good.wire[i], "LW1", "ENQUEUE", request, job);
    good.sent_us[i] = now_us();
    good.asked[i] = true;
}

static void good_hear(size_t i)
{
    struct producer *wire = &good.wire[i];
    if (!good.asked[i] || !producer_receive(wire, 0))
        return;
    MUST(producer_got(wire, "ACK"), "a good producer is refused: %.*s", (int)producer_frame(wire, 3).bytes,
         (const char *)producer_frame(wire, 3).data);
    cJSON *result = producer_json(wire, 3);
    MUST(json_string(result, "job") != NULL, "a good producer's job is refused");
    cJSON_Delete(result);
    good.asked[i] = false;
    good.answered++;
    good.next_us[i] = now_us() + GOOD_GAP_US;
    if (good.count < SAMPLES_MAX)
        good.samples[good.count++] = now_us() - good.sent_us[i];
}

static int by_size(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

/* The p99 of good producers' answers, in us; one that still waits counts with what it has waited. */
static int64_t good_p99(int64_t ms)
{
    good.count = 0;
    for (int64_t until = now_us() + ms * 1000; now_us() < until;) {
        zmq_pollitem_t items[GOOD];
        for (size_t i = 0; i < GOOD; i++) {
            items[i] = (zmq_pollitem_t){good.wire[i].socket, 0, ZMQ_POLLIN, 0};
            if (!good.asked[i] && now_us() >= good.next_us[i])
                good_ask(i);
        }
        zmq_poll(items, GOOD, 1);
        for (size_t i = 0; i < GOOD; i++)
            good_hear(i);
    }
    for (size_t i = 0; i < GOOD && good.count < SAMPLES_MAX; i++)
        if (good.asked[i])
            good.samples[good.count++] = now_us() - good.sent_us[i];
    MUST(good.count > 0, "good producers get no answer");
    qsort(good.samples, good.count, sizeof *good.samples, by_size);
    programs_tick();
    return good.samples[good.count * 99 / 100];
}

static void open_good(void)
{
    char known[WIRE_META_BYTES_MAX + 512], filler[WIRE_META_BYTES_MAX - 32], number[JOB_NUMBER_TEXT_MAX];
    good.samples = calloc(SAMPLES_MAX, sizeof *good.samples);
    MUST(good.samples != NULL, "no room for samples");
    for (size_t i = 0; i < GOOD; i++)
        producer_open(&good.wire[i], &rig, rig.port.producers, ZMQ_DEALER);
    memset(filler, 'm', sizeof filler - 1);
    filler[sizeof filler - 1] = '\0';
    snprintf(known, sizeof known,
             "{\"id\":\"known\",\"to\":\"+14155550100\",\"meta\":{\"a\":\"%s\"},"
             "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"hello\"}]}}",
             filler);
    producer_enqueue(&good.wire[0], known, number, NULL);
}

static bool all_good_answered(void)
{
    for (size_t i = 0; i < GOOD; i++)
        good_hear(i);
    return good.answered == good.made;
}

static bool all_good_sent(void)
{
    return total("totals.sent") == good.made + 1 && total("backlog.jobs") == 0;
}

/* The p99 of good ones while a rogue of that kind does the same to a program that ignores all of it. */
static int64_t control_p99(enum rogue_kind kind, int64_t ms)
{
    uint16_t port;
    pid_t sink = rogue_sink_start(&port);
    pid_t rogue = rogue_start(port, kind, "known");
    int64_t p99 = good_p99(ms);
    rogue_end(rogue);
    rogue_end(sink);
    return p99;
}

static bool is_wanted(enum rogue_kind kind)
{
    const char *only = getenv("OVERLOAD_ROGUE");
    return only == NULL || strcmp(only, "all") == 0 || strcmp(only, rogue_names[kind]) == 0;
}

/* 2 times, as the promise has it, where nothing else runs: a rogue uses the processors too, as the control shows. */
START_TEST(rogue_producers_do_not_slow_down_good_ones_nor_take_all_memory)
{
    int64_t each_ms = lasts_ms() / ROGUE_KINDS;
    bool too_slow = false;
    rig_open(&rig, NULL);
    rig_start(&rig, 1);
    open_good();
    limit_memory(ROGUE_MIB);
    good_p99(500);
    for (enum rogue_kind kind = 0; kind < ROGUE_KINDS; kind++) {
        if (!is_wanted(kind))
            continue;
        int64_t alone = good_p99(each_ms);
        pid_t rogue = rogue_start(rig.port.producers, kind, "known");
        int64_t beside = good_p99(each_ms);
        rogue_end(rogue);
        int64_t elsewhere = control_p99(kind, each_ms / 2);
        int64_t usual = elsewhere > alone ? elsewhere : alone; /* on these processors, with nothing to do with it */
        bool slow = (double)beside > FLOOR_US * slack() * slack() && (double)beside > 2 * slack() * (double)usual;
        printf("%-9s p99 alone %6.2f ms, beside it %6.2f ms: %.1f times; beside one that floods another program "
               "%6.2f ms: %.1f times that; broker at most %lld MiB%s\n",
               rogue_names[kind], (double)alone / 1000, (double)beside / 1000, (double)beside / (double)alone,
               (double)elsewhere / 1000, (double)beside / (double)elsewhere, (long long)memory_kb("VmHWM:") / 1024,
               slow ? "  TOO SLOW" : "");
        fflush(stdout);
        too_slow = too_slow || slow;
    }
    MUST(!too_slow, "a rogue slows good producers down: see above");
    AWAIT(all_good_answered(), "a good producer's job is not answered");
    AWAIT(all_good_sent(), "not all of the good producers' jobs are sent");
    for (size_t i = 0; i < GOOD; i++)
        producer_close(&good.wire[i]);
    free(good.samples);
    rig_close(&rig);
}
END_TEST

int main(void)
{
    int limit_s = 120 + (int)(3 * lasts_ms() / 1000);
    if (getenv("OVERLOAD_ROGUE") != NULL)
        return RUN_TESTS("overload", limit_s, rogue_producers_do_not_slow_down_good_ones_nor_take_all_memory);
    return RUN_TESTS("overload", limit_s, ten_times_too_much_is_answered_busy_and_all_that_was_taken_is_sent_in_order,
                     rogue_producers_do_not_slow_down_good_ones_nor_take_all_memory);
}
