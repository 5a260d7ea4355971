/* fast_stop.c — how long after the webhook's 200 a request still begins on a line that turned CRITICAL.
 *
 *   fast_stop flips  PRODUCERS CONTROL_URL LOG RATE FLIPS LINE...
 *   fast_stop paused PRODUCERS CONTROL_URL LOG RATE FLIPS WORKER_PID LINE...
 *
 * Broker, worker and sandbox are the real ones; the sandbox's log is the judge, both moments are its own. RATE jobs a
 * second, pinned evenly to the lines, come all the while. `flips`: each line turns CRITICAL at a random moment while
 * it sends, is watched for WATCH_MS after its 200, turns HEALTHY, and again once it sends. `paused`: the worker is
 * stopped (SIGSTOP) before the flip and goes on (SIGCONT) after the 200, at once, a little later or after it counts
 * as gone; what begins then is counted. Prints `p99_ms`, `max_ms`, `late_requests`, `webhook_p50_ms` (the 200's own
 * time), or `after_cont`. */
#include "bench.h"
#include "queue.h"
#include "sandbox_log.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "lineward/clock.h"

#define LINES_MAX       16
#define FLIPS_MAX       10000
#define TICK_NS         1000000
#define WATCH_MS        1200 /* a request begun later than a second would be seen */
#define LOG_DELAY_MS    150  /* the log is this much behind at most: what is in it by then has happened by now */
#define OPEN_MIN_MS     100
#define OPEN_SPREAD_MS  300
#define STUCK_MS        30000
#define RECIPIENTS      20000
#define STOPPED_LEAD_MS 60 /* stopped before the flip: jobs gather in its socket */

enum phase { WAITING, SENDING, TURNING, CLOSED };

struct line {
    const char *number;
    struct document_form form; /* of jobs pinned to it */
    enum phase phase;
    int64_t since_mono_ms; /* of this phase */
    int64_t flip_mono_ms;  /* SENDING: when to turn it */
    int64_t answered_mono_ms;
    int64_t last_send_mono_ms;
    int64_t forbidden_mono_ms; /* CLOSED: sends from after this are counted */
    uint64_t forbidden_sends;
};

struct stop {
    struct sandbox_log *log;
    const char *control_url;
    void *producer;
    struct line lines[LINES_MAX];
    size_t line_count;
    int64_t rate, begun_ns;
    uint64_t put, acked;
    int64_t late_ms[FLIPS_MAX], webhook_ms[FLIPS_MAX];
    size_t flips, flips_wanted, answers;
    uint64_t late_requests;
    uint64_t random;
};

static uint64_t next_random(struct stop *stop)
{
    stop->random ^= stop->random << 13;
    stop->random ^= stop->random >> 7;
    stop->random ^= stop->random << 17;
    return stop->random;
}

static int64_t mono_ms(void)
{
    return clock_read().mono_ms;
}

static void enter(struct line *line, enum phase phase, int64_t mono_ms_now)
{
    line->phase = phase;
    line->since_mono_ms = mono_ms_now;
}

/* Jobs that are due by now, one request for all of them. */
static void produce(struct stop *stop)
{
    struct document documents[BENCH_BATCH_MAX];
    size_t count = 0;
    uint64_t due = (uint64_t)((double)(now_ns() - stop->begun_ns) * (double)stop->rate / 1e9);
    for (; stop->put + count < due && count < BENCH_BATCH_MAX; count++) {
        uint64_t number = stop->put + count;
        const struct line *line = &stop->lines[number % stop->line_count];
        /* A recipient stays with its line. */
        uint64_t recipient = recipient_of(number, RECIPIENTS) * LINES_MAX + number % stop->line_count;
        document_write(&documents[count], &line->form, number, recipient, now_ns());
    }
    if (count > 0)
        lineward_queue.put(stop->producer, documents, count);
    stop->put += count;
    stop->acked += lineward_queue.acked(stop->producer, 0);
}

static struct line *line_named(struct stop *stop, const char *number)
{
    for (size_t i = 0; i < stop->line_count; i++)
        if (strcmp(stop->lines[i].number, number) == 0)
            return &stop->lines[i];
    return NULL;
}

static void note_answer(struct stop *stop, struct line *line, const struct sandbox_record *record)
{
    if (line->phase != TURNING || record->reputation != REPUTATION_CRITICAL)
        return;
    line->answered_mono_ms = record->mono_ms;
    line->forbidden_mono_ms = record->mono_ms;
    line->forbidden_sends = line->last_send_mono_ms > record->mono_ms ? 1 : 0;
    stop->webhook_ms[stop->answers++ % FLIPS_MAX] = record->mono_ms - record->began_mono_ms;
    enter(line, CLOSED, record->mono_ms);
}

static void note_send(struct line *line, const struct sandbox_record *record)
{
    if (record->mono_ms > line->last_send_mono_ms)
        line->last_send_mono_ms = record->mono_ms;
    if (line->phase == CLOSED && record->mono_ms > line->forbidden_mono_ms)
        line->forbidden_sends++;
}

static void read_log(struct stop *stop)
{
    struct sandbox_record record;
    while (sandbox_log_next(stop->log, &record)) {
        struct line *line = line_named(stop, record.line);
        if (line == NULL)
            continue;
        if (record.kind == SANDBOX_STATUS)
            note_answer(stop, line, &record);
        else
            note_send(line, &record);
    }
}

/* One turn of everything but the lines' own phases. */
static void tick(struct stop *stop)
{
    wait_until_ns(now_ns() + TICK_NS);
    produce(stop);
    read_log(stop);
}

static void must_not_be_stuck(const struct line *line, int64_t now)
{
    static const char *const awaited[] = {
        [WAITING] = "to send", [SENDING] = "its flip", [TURNING] = "its webhook's 200", [CLOSED] = "its end"};
    if (now - line->since_mono_ms > STUCK_MS)
        die("line %s waits for %s for %d s", line->number, awaited[line->phase], STUCK_MS / 1000);
}

/* True: the line sends (again), which the log shows. */
static bool begins_to_send(struct stop *stop, struct line *line, int64_t now)
{
    if (line->phase != WAITING || line->last_send_mono_ms <= line->since_mono_ms)
        return false;
    enter(line, SENDING, now);
    line->flip_mono_ms = now + OPEN_MIN_MS + (int64_t)(next_random(stop) % OPEN_SPREAD_MS);
    return true;
}

static void turn_critical(struct stop *stop, struct line *line)
{
    enter(line, TURNING, mono_ms());
    sandbox_set_line(stop->control_url, line->number, REPUTATION_CRITICAL);
}

static void turn_healthy(struct stop *stop, struct line *line)
{
    enter(line, WAITING, mono_ms());
    sandbox_set_line(stop->control_url, line->number, REPUTATION_HEALTHY);
}

/* ---- flips ---- */

static void close_watch(struct stop *stop, struct line *line)
{
    int64_t late = line->last_send_mono_ms - line->answered_mono_ms;
    stop->late_ms[stop->flips++] = late > 0 ? late : 0;
    stop->late_requests += line->forbidden_sends;
    turn_healthy(stop, line);
}

static void step_line(struct stop *stop, struct line *line)
{
    int64_t now = mono_ms();
    begins_to_send(stop, line, now);
    if (line->phase == SENDING && now >= line->flip_mono_ms)
        turn_critical(stop, line);
    else if (line->phase == CLOSED && now >= line->answered_mono_ms + WATCH_MS + LOG_DELAY_MS)
        close_watch(stop, line);
    must_not_be_stuck(line, now);
}

static void measure_flips(struct stop *stop)
{
    while (stop->flips < stop->flips_wanted) {
        tick(stop);
        for (size_t i = 0; i < stop->line_count && stop->flips < stop->flips_wanted; i++)
            step_line(stop, &stop->lines[i]);
    }
    for (size_t i = 0; i < stop->line_count; i++) /* as they were found */
        sandbox_set_line(stop->control_url, stop->lines[i].number, REPUTATION_HEALTHY);
    printf("p99_ms %lld\n", (long long)quantile(stop->late_ms, stop->flips, 0.99));
    printf("max_ms %lld\n", (long long)quantile(stop->late_ms, stop->flips, 1.0));
    printf("late_requests %llu\n", (unsigned long long)stop->late_requests);
    printf("webhook_p50_ms %lld\n",
           (long long)quantile(stop->webhook_ms, stop->answers < FLIPS_MAX ? stop->answers : FLIPS_MAX, 0.5));
}

/* ---- paused ---- */

static void tick_until(struct stop *stop, int64_t when_mono_ms)
{
    while (mono_ms() < when_mono_ms)
        tick(stop);
}

static void wait_for_phase(struct stop *stop, struct line *line, enum phase phase)
{
    while (line->phase != phase) {
        int64_t now = mono_ms();
        tick(stop);
        begins_to_send(stop, line, now);
        must_not_be_stuck(line, now);
    }
}

/* Requests on the line that began after the worker went on. */
static uint64_t one_pause(struct stop *stop, struct line *line, pid_t worker, int64_t pause_ms)
{
    wait_for_phase(stop, line, SENDING);
    tick_until(stop, line->flip_mono_ms);
    if (kill(worker, SIGSTOP) != 0)
        die("worker %d:", (int)worker);
    tick_until(stop, mono_ms() + STOPPED_LEAD_MS);
    turn_critical(stop, line);
    wait_for_phase(stop, line, CLOSED);
    tick_until(stop, mono_ms() + pause_ms);
    tick_until(stop, mono_ms() + LOG_DELAY_MS); /* what left before it was stopped is in the log now */
    line->forbidden_sends = 0;
    line->forbidden_mono_ms = mono_ms();
    if (kill(worker, SIGCONT) != 0)
        die("worker %d:", (int)worker);
    tick_until(stop, mono_ms() + WATCH_MS + LOG_DELAY_MS);
    turn_healthy(stop, line);
    return line->forbidden_sends;
}

static void measure_paused(struct stop *stop, pid_t worker)
{
    static const int64_t pauses_ms[] = {0, 300, 1000, 4000};
    uint64_t after_cont = 0;
    for (size_t i = 0; i < stop->flips_wanted; i++) {
        int64_t pause_ms = pauses_ms[i % (sizeof pauses_ms / sizeof *pauses_ms)];
        uint64_t begun = one_pause(stop, &stop->lines[i % stop->line_count], worker, pause_ms);
        if (begun > 0)
            fprintf(stderr, "fast_stop: %llu requests began after SIGCONT (stopped for %lld ms)\n",
                    (unsigned long long)begun, (long long)pause_ms);
        after_cont += begun;
    }
    printf("after_cont %llu\n", (unsigned long long)after_cont);
}

int main(int argc, char **argv)
{
    static struct stop stop;
    bool paused = argc > 1 && strcmp(argv[1], "paused") == 0;
    int first_line = paused ? 8 : 7;
    if (argc <= first_line || argc - first_line > LINES_MAX || (!paused && strcmp(argv[1], "flips") != 0))
        die("usage: fast_stop flips PRODUCERS CONTROL_URL LOG RATE FLIPS LINE..., or paused ... FLIPS PID LINE...");
    struct queue_address address = {.producers = argv[2]};
    stop.control_url = argv[3];
    stop.log = sandbox_log_follow(argv[4]);
    stop.rate = number_argument(argv[5], "RATE", 1, 100000);
    stop.flips_wanted = (size_t)number_argument(argv[6], "FLIPS", 1, FLIPS_MAX);
    stop.random = 88172645463325252u;
    stop.line_count = (size_t)(argc - first_line);
    for (size_t i = 0; i < stop.line_count; i++) {
        stop.lines[i] = (struct line){.number = argv[first_line + (int)i], .since_mono_ms = mono_ms()};
        document_form_init(&stop.lines[i].form, stop.lines[i].number);
    }
    prctl(PR_SET_TIMERSLACK, 1UL);
    stop.producer = lineward_queue.producer_new(&address);
    stop.begun_ns = now_ns();
    if (paused)
        measure_paused(&stop, (pid_t)number_argument(argv[7], "PID", 2, 4194304));
    else
        measure_flips(&stop);
    lineward_queue.producer_free(stop.producer);
    sandbox_log_close(&stop.log);
    return 0;
}
