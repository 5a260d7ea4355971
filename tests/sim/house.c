/* house.c — see house.h. */
#include "tests/sim/house.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/broker_part.h"
#include "tests/sim/audit.h"
#include "tests/sim/cast.h"
#include "tests/sim/child.h"
#include "tests/sim/desk.h"
#include "tests/sim/disk.h"
#include "tests/sim/flip.h"
#include "tests/sim/net.h"
#include "tests/sim/producers.h"
#include "tests/sim/wants.h"
#include "tests/sim/witness.h"

#define START_AGAIN_US (100 * US_MS)

static struct {
    struct stream luck, clock;
    struct machine machine;
    struct process *process;
    struct broker *broker; /* open */
    struct conf *conf;
    enum fault dies_in; /* FAULT_COUNT: nowhere */
    unsigned dies_after;
    unsigned starts;
    bool sync_failed;
    bool moves, at_risk_new, tight; /* as the configuration says */
    int growth_factor, growth_floor, level;
    bool reload;
    bool damaged;  /* and the store has told so: the end of this world */
    bool deceived; /* the disk had forgotten what it promised */
    bool calm;
} house;

static char conf_text[4096];
static unsigned pace_most[2], new_most[2], daily_most[2], ramp_percent[2], attempts_least[2];
static int64_t ramp_step_us[2];

/* What the witness holds against what goes out. */
static void note_limits(const struct conf *conf)
{
    for (size_t p = 0; p < conf->pool_count && p < 2; p++) {
        const struct conf_policy *policy = &conf->policies[conf->pools[p].policy];
        unsigned at = strcmp(conf->pools[p].name, "default") == 0 ? 0 : 1;
        if (policy->pace_per_min > pace_most[at])
            pace_most[at] = (unsigned)policy->pace_per_min;
        if (policy->new_conversations_per_day > new_most[at])
            new_most[at] = (unsigned)policy->new_conversations_per_day;
        daily_most[at] = (unsigned)policy->daily_messages;
        ramp_step_us[at] = policy->ramp_step_ms * US_MS;
        attempts_least[at] = (unsigned)policy->attempts_max;
        ramp_percent[at] = (unsigned)policy->ramp_percent[0];
    }
}

unsigned house_pace_most(int pool)
{
    return pace_most[pool];
}

unsigned house_new_conversations_most(int pool)
{
    return new_most[pool];
}

unsigned house_daily_most(int pool)
{
    return daily_most[pool];
}

unsigned house_attempts_least(int pool)
{
    return attempts_least[pool];
}

unsigned house_growth_most(int line)
{
    int level = line < 4 ? 0 : line == 4 ? house.level : 2 * house.level;
    int most = house.growth_factor * level > house.growth_floor ? house.growth_factor * level : house.growth_floor;
    return house.growth_factor == 0 ? 0 : (unsigned)most;
}

int64_t house_ramp_step_us(int pool)
{
    return ramp_step_us[pool];
}

unsigned house_ramp_percent(int pool)
{
    return ramp_percent[pool];
}

static int between(struct stream *luck, int least, int span)
{
    return least + (int)draw(luck, (uint64_t)span);
}

/* Each drawn by itself: in which order arguments are looked at is the compiler's choice. */
static void write_conf(void)
{
    static const char *const ramps[] = {"[10, 25, 50, 100]", "[10, 25, 50, 100]", "[5, 50, 100]", "[20, 100]"};
    struct stream luck = stream_of("configuration"), tight = stream_of("tight budgets");
    int restart_wait_ms = chance(&luck, 500) ? 5000 : 500;
    int jobs_max = chance(&luck, 200) ? 40 : 100000;
    int pace = between(&luck, 20, 100), burst = between(&luck, 1, 4);
    int ramp_ms = between(&luck, 10000, 60000), cadence_ms = between(&luck, 1000, 20000);
    int gap_ms = between(&luck, 5000, 60000), attempts = between(&luck, 2, 7);
    int new_a_day = chance(&luck, 30) ? between(&luck, 6, 3) : between(&luck, 12, 20);
    int slots = between(&luck, 1, 16);
    house.moves = chance(&luck, 200);
    house.at_risk_new = chance(&luck, 100);
    int recipients = chance(&luck, 200) ? between(&luck, 3, 10) : 0;
    int pair = chance(&luck, 200) ? between(&luck, 2, 5) : 30;
    bool few_messages = chance(&tight, 80), few_new = chance(&tight, 60);
    int daily = few_messages ? between(&tight, 8, 30) : 7000;
    new_a_day = few_new ? between(&tight, 1, 4) : new_a_day;
    bool few_more = chance(&tight, 80);
    int factor = few_more ? between(&tight, 1, 3) : 0, floor = between(&tight, 5, 20), level = between(&tight, 1, 10);
    const char *ramp = ramps[draw(&tight, 4)];
    house.tight = few_messages || few_new || few_more;
    if (house.tight)
        jobs_max = 100000; /* else what waits for days keeps out the rest */
    snprintf(conf_text, sizeof conf_text,
             "broker:\n"
             "  restart_wait_ms: %d\n"
             "  jobs_max: %d\n"
             "store:\n  segment_mb: 1\n"
             "accounts:\n  default:\n    api_key_file: key\n    webhook_secrets_file: /dev/null\n%s"
             "pools:\n"
             "  default: {account: default, lines: all, policy: default}\n"
             "  side: {account: %s, lines: {\"+12025550104\": {daily_level: %d}, \"+12025550105\": {daily_level: %d}}, policy: side}\n"
             "policies:\n"
             "  default: {pace_per_min: %d, burst: %d, ramp_step_ms: %d, cadence_ms: [%d], at_risk_chat_gap_ms: %d,\n"
             "            flag_probe_ms: 60000, lease_ms: 45000, attempts_max: %d, retry_cap_ms: 60000,\n"
             "            new_conversations_per_day: %d, daily_growth_factor: %d, growth_floor: %d, ramp_percent: %s,\n"
             "            distinct_recipients_per_hour: %d,\n"
             "            daily_messages: %d, pair_per_min: %d, on_flagged: %s, on_gone: %s, allow_at_risk_new: %s%s}\n"
             "  side: {pace_per_min: 60, burst: 3, ramp_step_ms: 20000, cadence_ms: [5000], lease_ms: 45000,\n"
             "         at_risk_chat_gap_ms: 30000, flag_probe_ms: 60000, daily_growth_factor: %d, growth_floor: %d%s}\n"
             "worker:\n  name: w\n  slots: %d\n  request_timeout_ms: 20000\n",
             restart_wait_ms, jobs_max,
             cast_has_second ? "  second:\n    api_key_file: second\n    webhook_secrets_file: /dev/null\n" : "",
             cast_account_name(cast_has_second ? 1 : 0), level, 2 * level, pace, burst, ramp_ms, cadence_ms, gap_ms, attempts, new_a_day,
             factor, floor, ramp, recipients,
             daily, pair, house.moves ? "move" : "hold", house.moves ? "move" : "hold", house.at_risk_new ? "true" : "false",
             wants_quiet_hours(), factor, floor, wants_quiet_hours(), slots);
    house.growth_factor = factor, house.growth_floor = floor, house.level = level;
}

bool house_moves_by_policy(int pool)
{
    return house.moves && pool == 0;
}

bool house_is_tight(void)
{
    return house.tight;
}

bool house_places_at_risk(void)
{
    return house.at_risk_new;
}

const struct conf *house_conf(void)
{
    return house.conf;
}

struct machine *house_machine(void)
{
    return &house.machine;
}

bool house_is_up(void)
{
    return house.broker != NULL;
}

bool house_told_damage(void)
{
    return house.damaged;
}

struct broker *house_broker(void)
{
    return house.broker;
}

unsigned house_starts(void)
{
    return house.starts;
}

void house_poke(void)
{
    if (house.process != NULL && house.process->alive)
        process_wake(house.process);
}

/* ---- the process ---- */

static void *broker_main(void *arg)
{
    struct conf_problem problem;
    if (house_load(&house.conf, &problem) != ERR_NONE) /* as it is now */
        breach("form", NOBODY_ABOUT, "%s", problem.text);
    static char *feed_argv[] = {NULL};
    struct broker_options options = {.conf = house.conf, .feed_argv = feed_argv};
    struct process *own = house.process;
    (void)arg;
    struct broker *broker = broker_open(&options);
    if (broker == NULL)
        return (void *)1;
    house.broker = broker;
    note_world("house: the broker is up");
    witness_broker_up();
    int code = broker_run(broker);
    if (own == house.process)
        house.broker = NULL;
    broker_close(&broker);
    return (void *)(intptr_t)code;
}

static void start(void *self, uint64_t arg);

static void start_later(int64_t in_us)
{
    ground_in(in_us, start, NULL, house.starts);
}

static void is_gone(bool power)
{
    house.broker = NULL;
    if (house.dies_in != FAULT_CRASH_IN_CLEANING)
        house.dies_in = FAULT_COUNT;
    house.reload = false;
    witness_broker_down();
    desk_broker_down();
    child_gone();
    net_process_gone(house.process, power);
    if (power || (house.sync_failed && chance(&house.luck, 500)))
        disk_cut();
    if (disk_has_lied()) {
        house.deceived = true;
        witness_deceived();
    }
    house.sync_failed = false;
    disk_closed();
    flip_perhaps();
    int64_t away_us = draw_delay_us(&house.luck, START_AGAIN_US, house.calm ? US_S : 30 * US_S);
    start_later(power ? away_us + 2 * US_S : away_us);
}

static void broker_ended(struct process *process, int code)
{
    note_world("house: the broker has ended with %d", code);
    if (process != house.process)
        return;
    is_gone(false);
}

static void start(void *self, uint64_t starts)
{
    (void)self;
    if (starts != house.starts)
        return;
    house.starts++;
    house.process = process_new("broker", &house.machine, broker_ended);
    fiber_start(house.process, broker_main, NULL);
}

static void kill_it(bool power)
{
    struct process *process = house.process;
    if (!process->alive)
        return;
    fault(power ? FAULT_POWER_CUT : FAULT_BROKER_KILLED);
    note_world("house: the broker is %s", power ? "without power" : "killed");
    if (house.broker != NULL)
        memory_give_back(&house.broker->memory);
    process_kill(process);
    is_gone(power);
    if (process == process_current())
        fiber_vanish();
}

void house_cut_power(void)
{
    if (house.process != NULL)
        kill_it(true);
}

void house_may_die(enum fault where)
{
    if (house.dies_in != where || fiber_current() == NULL || process_current() != house.process)
        return;
    if (house.dies_after-- > 0)
        return;
    fault(where);
    house.dies_in = FAULT_COUNT;
    kill_it(chance(&house.luck, 600));
}

void house_child_started(int file)
{
    child_started(file, house.process);
}

void house_child_gone(void)
{
    child_gone();
}

void house_store_opened(enum err err, const struct store_opened *opened, const char *problem)
{
    note_world("house: store %s records %llu torn %llu %s", err_name(err), (unsigned long long)opened->records,
               (unsigned long long)opened->torn_bytes_cut, problem);
    if (err == ERR_DAMAGED && house.deceived) { /* told, not silent: for a person to mend */
        note_world("house: the store says that it is damaged, as it is");
        house.damaged = true;
        ground_end();
        return;
    }
    if (err == ERR_DAMAGED)
        breach("P1", NOBODY_ABOUT, "the store calls itself damaged: %s", problem);
}

/* ---- HUP ---- */

/* Paces, bursts and ramps are others. */
static void write_other_conf(void)
{
    struct stream *luck = &house.luck;
    for (char *at = conf_text; (at = strstr(at, "pace_per_min: ")) != NULL; at++)
        at[14] = (char)('2' + draw(luck, 7));
    for (char *at = conf_text; (at = strstr(at, "burst: ")) != NULL; at++)
        at[7] = (char)('1' + draw(luck, 4));
}

enum err house_load(struct conf **out, struct conf_problem *problem)
{
    enum err err = conf_parse(out, conf_text, strlen(conf_text), "sim", "/", NULL, 0, problem);
    if (err == ERR_NONE)
        note_limits(*out);
    return err;
}

void house_reload(void)
{
    if (house.broker == NULL)
        return;
    fault(FAULT_RELOADED);
    note_world("house: the broker is told to read its configuration again");
    write_other_conf();
    house.reload = true;
    house_poke();
}

void house_in_wait(void)
{
    if (process_current() == house.process)
        audit_turn();
    if (!house.reload || house.broker == NULL || process_current() != house.process)
        return;
    house.reload = false;
    broker_reload(house.broker);
}

/* ---- mishaps ---- */

static void go_on(void *self, uint64_t arg)
{
    (void)arg;
    struct process *process = self;
    process_go_on(process);
}

static void jump(int64_t by_us)
{
    witness_wall_jumps(by_us);
    house.machine.wall_off_us += by_us;
    note_world("house: the wall clock jumps by %lld s", (long long)(by_us / US_S));
}

static void clock_mishap(void)
{
    uint64_t what = draw(&house.clock, 10);
    if (what == 0) {
        fault(FAULT_WALL_JUMPED_YEAR);
        jump((chance(&house.clock, 500) ? 1 : -1) * INT64_C(365) * 24 * US_H);
    } else if (what < 4) {
        fault(FAULT_WALL_JUMPED);
        jump((int64_t)draw(&house.clock, 7200) * US_S - US_H);
    } else {
        fault(FAULT_CLOCK_DRIFTED); /* as the steady clock is slewed: it never goes back */
        int64_t before_us = machine_mono_us(&house.machine);
        house.machine.drift_ppm = (int64_t)draw(&house.clock, 1000) - 500;
        house.machine.steady_us += before_us - machine_mono_us(&house.machine);
    }
}

void house_mishap(struct stream *stream)
{
    uint64_t what = draw(stream, 100);
    if (house.process == NULL || !house.process->alive)
        return;
    if (what < 12) {
        kill_it(false);
    } else if (what < 24) {
        kill_it(true);
    } else if (what < 60) {
        static const enum fault places[] = {FAULT_CRASH_IN_WRITE, FAULT_CRASH_IN_SYNC, FAULT_CRASH_IN_SAYING,
                                            FAULT_CRASH_IN_CLEANING};
        if (house.dies_in == FAULT_CRASH_IN_CLEANING) /* is seldom, and waited for: over other deaths, too */
            return;
        uint64_t place = draw(stream, producers_are_heavy() ? 6 : 3); /* else hardly anything is cleaned */
        house.dies_in = places[place < 3 ? place : 3];
        house.dies_after = (unsigned)draw(stream, house.dies_in == FAULT_CRASH_IN_CLEANING ? 2 : 12);
    } else if (what < 72) {
        fault(FAULT_BROKER_STOPPED);
        note_world("house: the broker stands still");
        process_stop(house.process);
        ground_in(draw_delay_us(stream, 50 * US_MS, 20 * US_S), go_on, house.process, 0);
    } else if (what < 80) {
        if (house.broker == NULL)
            return;
        fault(FAULT_BROKER_ENDED);
        note_world("house: the broker is asked to end");
        house.broker->stopping = true;
        house_poke();
    } else {
        clock_mishap();
    }
}

void house_heal(void)
{
    house.calm = true;
    if (house.machine.wall_off_us != 0)
        jump(-house.machine.wall_off_us);
    house.dies_in = FAULT_COUNT;
    if (house.process != NULL)
        process_go_on(house.process);
}

void house_begin(void)
{
    struct conf_problem problem = {""};
    house.luck = stream_of("house");
    house.clock = stream_of("house clock");
    house.machine.steady_us = INT64_C(5000) * US_S;
    house.dies_in = FAULT_COUNT;
    write_conf();
    if (conf_parse(&house.conf, conf_text, strlen(conf_text), "sim", "/", NULL, 0, &problem) != ERR_NONE)
        breach("form", NOBODY_ABOUT, "%s", problem.text);
    disk_begin();
    child_begin(&house.machine);
    start_later(0);
}
