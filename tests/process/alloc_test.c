/* alloc_test.c — memory runs out once, at each allocation in turn, while a broker starts, takes a job, has it sent and
 * stops: it says so and ends, or refuses, or goes on; it never crashes or hangs, and never loses what it acknowledged.
 *
 * tests/alloc/alloc.c does the failing. ALLOC_STEP=1 tries every allocation (`make soak`), from ALLOC_FIRST on; without
 * it a sample, which LINEWARD_SEED moves. Not under the sanitizers, whose own malloc cannot be replaced. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lineward.h"
#include "lineward/json.h"
#include "producer.h"

#define SAMPLE      10    /* allocations tried of each part, without ALLOC_STEP */
#define PATIENCE_MS 15000 /* for a start, an answer, a stop */
#define TRIES_MAX   100000
#define ASK_MS      50
#define LOOK_MS     20

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

static struct rig rig;
static struct lineward *client;
static char log_path[PROGRAM_PATH_MAX], preload[PROGRAM_PATH_MAX * 2];
static char ids[TRIES_MAX][16]; /* of the jobs that were acknowledged */
static size_t id_count;
static unsigned tries, ended_early, refused, faults;

static void set_number(const char *name, uint64_t number)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    setenv(name, text, 1);
}

/* A broker whose allocation `at` fails, `count` in a row. `part`: the first argument of the process it fails in. */
static void start(const char *part, uint64_t at, uint64_t count)
{
    set_number("ALLOC_FAIL_AT", at);
    set_number("ALLOC_FAIL_COUNT", count);
    setenv("ALLOC_FAIL_IN", part, 1);
    setenv("ALLOC_LOG", log_path, 1);
    setenv("LD_PRELOAD", preload, 1);
    unlink(log_path);
    rig_start_broker(&rig);
    unsetenv("LD_PRELOAD");
}

static bool has_ended(void)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)rig.broker.pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

/* What alloc.c has to say: where it failed. */
static const char *told(void)
{
    static char text[16384];
    FILE *file = fopen(log_path, "r");
    size_t bytes = file == NULL ? 0 : fread(text, 1, sizeof text - 1, file);
    if (file != NULL)
        fclose(file);
    text[bytes] = '\0';
    return text;
}

static int64_t log_bytes(void)
{
    struct stat info;
    return stat(rig.broker.log, &info) == 0 ? info.st_size : 0;
}

/* What the broker's log has since it had so many bytes. */
static const char *said_since(int64_t before)
{
    static char text[65536];
    FILE *file = fopen(rig.broker.log, "r");
    MUST(file != NULL && fseek(file, before, SEEK_SET) == 0, "%s: %s", rig.broker.log, strerror(errno));
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

/* Noted, so that all of them are told at the end, with where memory ran out. */
__attribute__((format(printf, 2, 3))) static void fault(uint64_t at, const char *format, ...)
{
    char what[256];
    va_list values;
    va_start(values, format);
    vsnprintf(what, sizeof what, format, values);
    va_end(values);
    printf("allocation %llu: %s; %s", (unsigned long long)at, what, told());
    fflush(stdout);
    faults++;
}

/* Hands in one job until it is acknowledged. False: the broker ended before, or hangs. */
static bool hand_in(const char *id, uint64_t at)
{
    char job[256];
    const char *jobs[] = {job};
    snprintf(job, sizeof job,
             "{\"id\":\"%s\",\"to\":\"+1415556%04u\",\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"hello\"}]}}",
             id, (unsigned)(at % 10000));
    for (int64_t until = mono_ms() + PATIENCE_MS; mono_ms() < until && !has_ended();) {
        enum lineward_status status = lineward_enqueue(client, jobs, 1, ASK_MS);
        const char *result = lineward_result(client, 0);
        if (status == LINEWARD_OK && strstr(result, "\"job\":") != NULL)
            return true;
        if (status == LINEWARD_OK && strstr(result, "\"busy\"") == NULL)
            fault(at, "the job is refused: %s", result);
        refused += status == LINEWARD_OK || status == LINEWARD_REFUSED;
    }
    if (!has_ended())
        fault(at, "no answer");
    return false;
}

static bool is_sent(const char *id)
{
    return lineward_get(client, &id, 1, ASK_MS) == LINEWARD_OK &&
           strstr(lineward_result(client, 0), "\"state\":\"sent\"") != NULL;
}

static void await_sent(const char *id, uint64_t at)
{
    int64_t until = mono_ms() + PATIENCE_MS;
    for (; !has_ended() && !is_sent(id); poll(NULL, 0, LOOK_MS)) { /* each look makes allocations */
        if (mono_ms() > until) {
            fault(at, "the job is not sent");
            return;
        }
    }
}

static bool ends_within(int64_t limit_ms)
{
    for (int64_t until = mono_ms() + limit_ms; !has_ended(); poll(NULL, 0, 2))
        if (mono_ms() > until)
            return false;
    return true;
}

/* It ends now, by itself or asked to; by no signal, and not without a word. */
static void stop(int64_t said_before, uint64_t at)
{
    bool early = has_ended();
    if (!early)
        program_signal(&rig.broker, SIGTERM);
    if (!ends_within(PATIENCE_MS)) {
        fault(at, "it does not end");
        program_kill(&rig.broker);
        return;
    }
    int code = program_wait(&rig.broker, PATIENCE_MS);
    if (code != 0 && code != 1)
        fault(at, "it ended with %d", code);
    else if (strstr(said_since(said_before), "err=damaged") != NULL)
        fault(at, "an earlier broker left a damaged store");
    else if (code == 1 && strstr(said_since(said_before), "memory") == NULL && /* a library may not say which reason */
             strstr(said_since(said_before), " error event=") == NULL)
        fault(at, "it failed and did not say why");
    else if (code == 0 && early)
        fault(at, "it ended and nobody had asked it to");
    ended_early += early;
}

static unsigned times_told(const char *what)
{
    unsigned times = 0;
    for (const char *at = told(); (at = strstr(at, what)) != NULL; at++)
        times++;
    return times;
}

static void try_one(const char *part, uint64_t at, uint64_t count)
{
    int64_t said_before = log_bytes();
    start(part, at, count);
    snprintf(ids[id_count], sizeof *ids, "a%u", ++tries);
    if (hand_in(ids[id_count], at)) {
        await_sent(ids[id_count], at);
        id_count++;
    }
    stop(said_before, at);
    /* The child is started again and fails again; each one, and the broker too, gets to its end. */
    if (times_told("failed in") > times_told("count "))
        fault(at, "it crashed");
}

/* How many allocations that process makes when none fails. */
static uint64_t count_of(const char *part)
{
    try_one(part, 0, 1);
    const char *line = strstr(told(), "count ");
    MUST(line != NULL, "alloc.c counted nothing in %s: %s", part, told());
    return strtoull(line + 6, NULL, 10);
}

static void try_all(const char *part)
{
    const char *given = getenv("ALLOC_STEP"), *from = getenv("ALLOC_FIRST");
    uint64_t count = count_of(part), step = given != NULL ? strtoull(given, NULL, 10) : count / SAMPLE;
    step = step == 0 ? 1 : step;
    uint64_t first = from != NULL ? strtoull(from, NULL, 10) : 1 + (given == NULL ? rig_random(&rig, step) : 0);
    uint64_t tried = 0;
    for (uint64_t at = first; at <= count && id_count < TRIES_MAX - 1; at += step, tried++)
        try_one(part, at, tried % 4 == 3 ? 4 : 1);
    printf("%s: %llu of %llu allocations, each failing in turn: %u ended with a clear error, %llu went on (%u requests "
           "refused), %u crashed, hung or lost something\n",
           part, (unsigned long long)tried, (unsigned long long)count, ended_early,
           (unsigned long long)(tried - ended_early), refused, faults);
}

static void begin(void)
{
    char endpoint[64];
    rig_open(&rig, NULL);
    snprintf(preload, sizeof preload, "%s/tests/alloc.so", program_folder());
    if (preload[0] != '/') {
        char *whole = realpath(preload, NULL);
        MUST(whole != NULL, "%s: %s", preload, strerror(errno));
        snprintf(preload, sizeof preload, "%s", whole);
        free(whole);
    }
    snprintf(log_path, sizeof log_path, "%s/alloc.log", rig.folder);
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", rig.port.producers);
    MUST(lineward_connect(&client, endpoint) == LINEWARD_OK, "no client");
    lineward_resend_after(client, 50);
    rig_start_sandbox(&rig);
    rig_start_worker(&rig, 0);
}

/* A broker that has all the memory it wants knows every job that was acknowledged. */
static void check_all_sent(void)
{
    MUST(faults == 0, "%u of these are no clean end and no clean refusal", faults);
    rig_start_broker(&rig);
    for (size_t i = 0; i < id_count; i++)
        AWAIT(is_sent(ids[i]), "%s was acknowledged and is not sent", ids[i]);
    /* What was not acknowledged may have been sent as well, but nothing twice. */
    MUST(rig_accepted(&rig) <= tries, "%u jobs, but the provider took %lld", tries, (long long)rig_accepted(&rig));
}

static void end(void)
{
    lineward_close(&client);
    rig_close(&rig);
}

START_TEST(a_broker_without_memory_says_so_and_loses_nothing)
{
    if (SANITIZED)
        return;
    begin();
    try_all("--config");
    check_all_sent();
    end();
}
END_TEST

START_TEST(a_feed_child_without_memory_is_started_again)
{
    if (SANITIZED)
        return;
    begin();
    try_all("--feed");
    check_all_sent();
    end();
}
END_TEST

int main(void)
{
    const char *step = getenv("ALLOC_STEP");
    return RUN_TESTS("alloc", step != NULL ? 7200 : 60, a_broker_without_memory_says_so_and_loses_nothing,
                     a_feed_child_without_memory_is_started_again);
}
