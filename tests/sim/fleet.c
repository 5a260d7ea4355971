/* fleet.c — see fleet.h. */
#include "tests/sim/fleet.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/house.h"
#include "tests/sim/net.h"
#include "workers/worker.h"

#define WORKERS 3

struct place { /* where one worker after the other runs */
    struct process *process;
    struct worker *worker;
    struct machine machine;
    char name[16];
    bool ending;
};

static struct {
    struct stream luck;
    struct place places[WORKERS];
    unsigned count;
    unsigned lives;
    bool calm;
} fleet;

static struct instant worker_clock(void)
{
    const struct machine *machine = process_current()->machine;
    return (struct instant){.wall_ms = machine_wall_us(machine) / US_MS, .mono_ms = machine_mono_us(machine) / US_MS};
}

static void *worker_main(void *arg)
{
    struct place *place = arg;
    struct process *own = place->process;
    struct worker *worker = NULL;
    struct conf_problem problem;
    if (worker_open(&worker, house_conf(), worker_clock, &problem) != ERR_NONE)
        breach("form", NOBODY_ABOUT, "a worker cannot start: %s", problem.text);
    place->worker = worker;
    while (!worker_has_ended(worker)) {
        worker_turn(worker, -1);
        if (own == place->process && place->ending)
            worker_end(worker);
    }
    worker_free(&worker);
    return NULL;
}

static void start(void *self, uint64_t arg);

static void start_later(struct place *place)
{
    ground_in(draw_delay_us(&fleet.luck, 20 * US_MS, fleet.calm ? US_S : 20 * US_S), start, place, 0);
}

static void worker_ended(struct process *process, int code)
{
    (void)code;
    for (unsigned i = 0; i < fleet.count; i++) {
        struct place *place = &fleet.places[i];
        if (place->process != process)
            continue;
        note_world("fleet: %s has ended", place->name);
        net_process_gone(process, false);
        start_later(place);
    }
}

static void start(void *self, uint64_t arg)
{
    struct place *place = self;
    (void)arg;
    if (place->process != NULL && place->process->alive)
        return;
    char *name = NULL;
    int bytes = asprintf(&name, "worker %u.%u", (unsigned)(place - fleet.places), ++fleet.lives);
    assert(bytes > 0);
    (void)bytes;
    snprintf(place->name, sizeof place->name, "%s", name);
    place->ending = false;
    place->process = process_new(name, &place->machine, worker_ended);
    fiber_start(place->process, worker_main, place);
}

static void go_on(void *self, uint64_t arg)
{
    struct process *process = self;
    (void)arg;
    if (!process->alive || !process->stopped)
        return;
    process_go_on(process);
    worker_resumed(0);
    process_wake(process);
}

void fleet_mishap(struct stream *stream)
{
    struct place *place = &fleet.places[draw(stream, fleet.count)];
    uint64_t what = draw(stream, 100);
    int64_t for_us = draw_delay_us(stream, 100 * US_MS, 90 * US_S);
    if (place->process == NULL || !place->process->alive || place->process->stopped)
        return;
    if (what < 30) {
        fault(FAULT_WORKER_KILLED);
        note_world("fleet: %s is killed", place->name);
        process_kill(place->process);
        net_process_gone(place->process, chance(stream, 300));
        start_later(place);
    } else if (what < 60) {
        fault(FAULT_WORKER_STOPPED);
        note_world("fleet: %s stands still", place->name);
        process_stop(place->process);
        ground_in(for_us, go_on, place->process, 0);
    } else if (what < 85) { /* it goes on sending, unheard */
        fault(FAULT_WORKER_ZOMBIE);
        note_world("fleet: %s is cut off from the broker", place->name);
        net_cut_off(place->process, for_us);
    } else {
        fault(FAULT_WORKER_ENDED);
        note_world("fleet: %s is asked to end", place->name);
        place->ending = true;
        process_wake(place->process);
    }
}

void fleet_heal(void)
{
    fleet.calm = true;
    sender_heal();
    for (unsigned i = 0; i < fleet.count; i++)
        if (fleet.places[i].process != NULL)
            go_on(fleet.places[i].process, 0);
}

void fleet_begin(void)
{
    fleet.luck = stream_of("fleet");
    fleet.count = 1 + (unsigned)draw(&fleet.luck, WORKERS);
    for (unsigned i = 0; i < fleet.count; i++) {
        fleet.places[i].machine.steady_us = (int64_t)draw(&fleet.luck, 100000) * US_S;
        fleet.places[i].machine.drift_ppm = (int64_t)draw(&fleet.luck, 400) - 200;
        start_later(&fleet.places[i]);
    }
}
