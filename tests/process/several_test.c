/* several_test.c — three brokers on three machines, under load, while lines change, brokers are cut off from Redis,
 * the one that polls is killed, and Redis fails over: how long they take, and that no line is let go that must not
 * be.
 *
 * LINEWARD_SEVERAL=CHANGES,ROUNDS says how much of it (100,20 in `make several`); the default is small enough for
 * every commit. Without network namespaces, which take root, it is left out, and says so. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/json.h"
#include "load.h"
#include "several.h"

#define CYCLING                                                                                                      \
    (RIG_LINES - 1) /* lines that change; the last one is open all the time, so that something is sent               \
                     */
#define HELD_MS     1300
#define OPEN_MS     150
#define LATE_MS     1000 /* a send begun on a held line later than this is one too many */
#define AGREE_MS    20000
#define SLOW_MS     50 /* to act everywhere */
#define CHANGES_MAX 1000
#define ROUNDS_MAX  100
#define LOAD_MS     30 /* between two requests of a producer, on average */

static struct several several;
static struct load load[SEVERAL_BROKERS];
static struct {
    unsigned changes, cuts, kills, failovers;
} asked = {6, 1, 1, 1};

/* ---- figures ---- */

struct samples {
    int64_t us[CHANGES_MAX * 2];
    size_t count;
};
static struct samples acting, closing, opening, healing, taking_over, coming_back, failing_over;

static void sample(struct samples *samples, int64_t us)
{
    if (samples->count < sizeof samples->us / sizeof *samples->us)
        samples->us[samples->count++] = us;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void print(const char *what, struct samples *samples)
{
    size_t count = samples->count;
    if (count == 0)
        return;
    qsort(samples->us, count, sizeof *samples->us, by_size);
    printf("%-52s %4zu times   p50 %7.1f   p99 %7.1f   max %7.1f ms\n", what, count,
           (double)samples->us[count / 2] / 1e3, (double)samples->us[count * 99 / 100] / 1e3,
           (double)samples->us[count - 1] / 1e3);
    fflush(stdout);
}

/* ---- load ---- */

static void turn(void)
{
    for (size_t i = 0; i < SEVERAL_BROKERS; i++)
        if (several.broker[i].rig.broker.pid != 0)
            load_turn(&load[i]);
}

/* Waits for the condition while the load goes on. */
#define MEANWHILE(limit_ms, condition, ...) AWAIT_FOR(limit_ms, (turn(), (condition)), __VA_ARGS__)

static bool is_past(int64_t until_ms)
{
    return mono_ms() >= until_ms;
}

static size_t any_broker(void)
{
    return (size_t)rig_random(&several.rig, SEVERAL_BROKERS);
}

/* ---- lines that change ---- */

static struct cycle {
    enum { OPEN, CLOSING, HELD, OPENING } at;
    size_t broker; /* that was told */
    int64_t told_us, told_ms, told_wall_ms, until_ms;
} cycles[CYCLING];

static struct held { /* told to be CRITICAL, and to be HEALTHY again */
    size_t line;
    int64_t from_ms, until_ms;
} held[CHANGES_MAX];
static size_t held_count;

/* When the last of them did; 0: not all have. */
static int64_t all_since(size_t line, int64_t (*since)(size_t broker, size_t line, int64_t since_us),
                         int64_t since_us)
{
    int64_t last = 0;
    for (size_t i = 0; i < SEVERAL_BROKERS; i++) {
        int64_t us = since(i, line, since_us);
        if (us == 0)
            return 0;
        last = us > last ? us : last;
    }
    return last;
}

static void change(size_t line, bool critical)
{
    struct cycle *cycle = &cycles[line];
    several_set_truth(&several, line, critical);
    cycle->broker = any_broker();
    cycle->told_us = several_now_us();
    cycle->told_ms = mono_ms();
    cycle->told_wall_ms = clock_read().wall_ms;
    several_tell(&several, cycle->broker, line, critical);
    cycle->until_ms = mono_ms() + AGREE_MS;
    cycle->at = critical ? CLOSING : OPENING;
}

/* The clock of events is one of milliseconds. */
static void note_acted(size_t line, const struct cycle *cycle)
{
    int64_t last_ms = 0;
    for (size_t i = 0; i < SEVERAL_BROKERS; i++) {
        int64_t ms = several_gate_wall_ms(i, line) - cycle->told_wall_ms;
        last_ms = ms > last_ms ? ms : last_ms;
    }
    sample(&acting, last_ms * 1000);
    if (last_ms > SLOW_MS)
        printf("told to broker %zu, closed after %lld, %lld and %lld ms\n", cycle->broker + 1,
               (long long)(several_gate_wall_ms(0, line) - cycle->told_wall_ms),
               (long long)(several_gate_wall_ms(1, line) - cycle->told_wall_ms),
               (long long)(several_gate_wall_ms(2, line) - cycle->told_wall_ms));
}

static void turn_cycle(size_t line, unsigned *left)
{
    struct cycle *cycle = &cycles[line];
    int64_t us = 0;
    if (cycle->at == OPEN && is_past(cycle->until_ms) && *left > 0) {
        --*left;
        change(line, true);
    } else if (cycle->at == CLOSING && (us = all_since(line, several_closed_us, cycle->told_us)) != 0) {
        sample(&closing, us - cycle->told_us);
        note_acted(line, cycle);
        cycle->until_ms = mono_ms() + HELD_MS;
        cycle->at = HELD;
    } else if (cycle->at == HELD && is_past(cycle->until_ms)) {
        held[held_count++] = (struct held){line, cycle->told_ms, mono_ms()};
        change(line, false);
    } else if (cycle->at == OPENING && (us = all_since(line, several_open_us, cycle->told_us)) != 0) {
        sample(&opening, us - cycle->told_us);
        cycle->until_ms = mono_ms() + OPEN_MS;
        cycle->at = OPEN;
    }
    MUST(cycle->at == OPEN || cycle->at == HELD || !is_past(cycle->until_ms), "line %zu is not %s everywhere",
         line + 1, cycle->at == CLOSING ? "closed" : "open");
}

static bool all_open(unsigned *left)
{
    bool all = *left == 0;
    for (size_t line = 0; line < CYCLING; line++) {
        turn_cycle(line, left);
        all &= cycles[line].at == OPEN;
    }
    return all;
}

static void lines_change(void)
{
    unsigned left = asked.changes;
    MEANWHILE((int64_t)asked.changes * 5000 + LIMIT_MS, all_open(&left), "the changes do not end");
    print("CRITICAL told to one, closed at all", &acting);
    print("CRITICAL told to one, closed on disk and told by all", &closing);
    print("HEALTHY told to one, proven by a poll, open at all", &opening);
}

/* ---- what goes wrong ---- */

static size_t times_said(const struct program *program, const char *text, char last[32])
{
    char line[1024];
    size_t count = 0;
    FILE *file = fopen(program->log, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strstr(line, text) != NULL) {
            count++;
            snprintf(last, 32, "%.24s", line); /* its time */
        }
    if (file != NULL)
        fclose(file);
    return count;
}

static bool is_away(size_t broker, size_t before)
{
    char when[32];
    return times_said(&several.broker[broker].rig.broker, "event=cache_away", when) > before;
}

static void must_agree(struct samples *samples, int64_t since_us, const char *after)
{
    MEANWHILE(AGREE_MS, several_agree(&several), "they do not agree after %s", after);
    sample(samples, several_now_us() - since_us);
    MUST(several_wrong_releases() == 0, "a line was let go that is CRITICAL");
}

/* It is told of one line while it is cut off, the others of another one. */
static void cut_off(size_t broker, unsigned round)
{
    char when[32] = "";
    size_t line = round % CYCLING, other = (round + 1) % CYCLING, someone = (broker + 1) % SEVERAL_BROKERS;
    size_t before = times_said(&several.broker[broker].rig.broker, "event=cache_away", when);
    net_cut(&several.net, broker);
    MEANWHILE(LIMIT_MS, is_away(broker, before), "broker %zu does not notice that it is cut off", broker + 1);
    several_set_truth(&several, line, !several_is_critical(line));
    several_tell(&several, broker, line, several_is_critical(line));
    several_set_truth(&several, other, !several_is_critical(other));
    several_tell(&several, someone, other, several_is_critical(other));
    int64_t until_ms = mono_ms() + 2 * SEVERAL_POLL_MS;
    MEANWHILE(LIMIT_MS, is_past(until_ms), "time stands still");
    net_mend(&several.net, broker);
    must_agree(&healing, several_now_us(), "a cut");
}

/* The one that said last that it polls. */
static size_t holder(void)
{
    char last[32] = "", when[32] = "";
    size_t found = 0;
    for (size_t i = 0; i < SEVERAL_BROKERS; i++) {
        if (times_said(&several.broker[i].rig.broker, "event=cache_polls", when) > 0 && strcmp(when, last) > 0) {
            found = i;
            memcpy(last, when, sizeof last);
        }
    }
    return found;
}

static bool others_know(size_t broker)
{
    for (size_t i = 0; i < SEVERAL_BROKERS; i++)
        if (i != broker && !several_knows(&several, i))
            return false;
    return true;
}

static void kill_the_poller(unsigned round)
{
    size_t victim = holder(), line = round % CYCLING;
    if (several_is_critical(line)) { /* then it is no news that it is */
        several_set_truth(&several, line, false);
        several_tell(&several, victim, line, false);
        MEANWHILE(AGREE_MS, several_agree(&several), "they do not agree on what is HEALTHY");
        victim = holder();
    }
    program_kill(&several.broker[victim].rig.broker);
    int64_t since_us = several_now_us();
    several_set_truth(&several, line, true); /* which only a poll can tell */
    MEANWHILE(AGREE_MS, others_know(victim), "nobody polls any more");
    sample(&taking_over, several_now_us() - since_us);
    since_us = several_now_us();
    several_restart_broker(&several, victim);
    must_agree(&coming_back, since_us, "a broker's death");
}

static void fail_over(unsigned round)
{
    size_t line = round % CYCLING;
    several_kill_master(&several);
    int64_t since_us = several_now_us();
    several_set_truth(&several, line, !several_is_critical(line));
    several_tell(&several, any_broker(), line, several_is_critical(line));
    MEANWHILE(LIMIT_MS, several_has_master(&several), "there is no failover");
    must_agree(&failing_over, since_us, "a failover");
    several_follow_master(&several);
    MEANWHILE(LIMIT_MS, several_agree(&several), "they do not agree any more");
}

static void things_go_wrong(void)
{
    for (unsigned i = 0; i < asked.cuts * SEVERAL_BROKERS; i++)
        cut_off(i % SEVERAL_BROKERS, i);
    print("cut off from Redis, mended: agreed after", &healing);
    for (unsigned i = 0; i < asked.kills; i++)
        kill_the_poller(i);
    print("the poller killed: the others have polled after", &taking_over);
    print("it started again: agreed after", &coming_back);
    for (unsigned i = 0; i < asked.failovers; i++)
        fail_over(i);
    print("the master killed: agreed by the new one after", &failing_over);
}

/* ---- what was sent ---- */

static void count_late(void *self, const cJSON *send)
{
    unsigned *late = self;
    const char *number = json_string(send, "line");
    int64_t at_ms;
    if (number == NULL || !json_int(send, "mono_ms", &at_ms))
        return;
    for (size_t i = 0; i < held_count; i++)
        *late += at_ms > held[i].from_ms + LATE_MS && at_ms < held[i].until_ms &&
                 strcmp(number, several.rig.lines[held[i].line]) == 0;
}

static void settle(void)
{
    for (size_t line = 0; line < RIG_LINES; line++) {
        if (!several_is_critical(line))
            continue;
        several_set_truth(&several, line, false);
        several_tell(&several, any_broker(), line, false);
    }
    MEANWHILE(AGREE_MS, several_agree(&several), "not all lines open in the end");
    for (size_t i = 0; i < SEVERAL_BROKERS; i++)
        load_finish(&load[i]);
}

START_TEST(three_brokers_agree_whatever_happens_to_them_and_to_redis)
{
    unsigned late = 0, jobs = 0;
    several_start(&several);
    for (size_t i = 0; i < SEVERAL_BROKERS; i++) {
        load_open_one(&load[i], &several.broker[i].rig, (uint32_t)i, LOAD_JOBS_MAX, LOAD_MS);
        load_resume(&load[i]);
    }
    lines_change();
    things_go_wrong();
    settle();
    int64_t sends = rig_accepted(&several.rig);
    for (size_t i = 0; i < SEVERAL_BROKERS; i++) {
        jobs += load[i].job_count;
        load_close(&load[i]);
    }
    rig_each_send(&several.rig, count_late, &late);
    printf("%u jobs, %lld sent; sends begun on a held line after %d ms: %u; wrong releases: %u\n", jobs,
           (long long)sends, LATE_MS, late, several_wrong_releases());
    MUST(late == 0, "%u sends on held lines", late);
    MUST(several_wrong_releases() == 0, "a line was let go that is CRITICAL");
    several_close(&several);
}
END_TEST

/* False: it is not said as it should be. */
static bool read_asked(const char *text)
{
    if (text == NULL)
        return true;
    return sscanf(text, "%u,%u,%u,%u", &asked.changes, &asked.cuts, &asked.kills, &asked.failovers) == 4 &&
           asked.changes <= CHANGES_MAX && asked.cuts <= ROUNDS_MAX && asked.kills <= ROUNDS_MAX &&
           asked.failovers <= ROUNDS_MAX;
}

int main(void)
{
    if (!read_asked(getenv("LINEWARD_SEVERAL"))) {
        fprintf(stderr, "LINEWARD_SEVERAL=CHANGES,CUTS,KILLS,FAILOVERS: up to %d and %d\n", CHANGES_MAX, ROUNDS_MAX);
        return EXIT_FAILURE;
    }
    if (!net_is_allowed()) {
        printf("left out: network namespaces take root, and the program ip\n");
        return EXIT_SUCCESS;
    }
    unsigned limit_s = 120 + asked.changes * 5 + (asked.cuts + asked.kills + asked.failovers) * 40;
    return RUN_TESTS("several", (int)limit_s, three_brokers_agree_whatever_happens_to_them_and_to_redis);
}
