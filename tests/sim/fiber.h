/* fiber.h — the simulated machines, processes and threads. A process of the product (the broker with the store's two
 * threads and a reader, a worker) runs its own code, unchanged; each of its threads is a fiber, and wherever it
 * would wait (for a socket, a condition, a disk, a clock) it gives way to the others instead (wraps.c).
 *
 * A process that is killed is simply never run again: what it held in memory stays where it is. */
#ifndef TESTS_SIM_FIBER_H
#define TESTS_SIM_FIBER_H

#include <stdbool.h>
#include <stdint.h>

struct machine { /* its clocks */
    int64_t steady_us;  /* what the steady clock showed when the world began */
    int64_t drift_ppm;  /* it runs so much too fast */
    int64_t wall_off_us; /* wall clock less BEGIN_MS and the steady span */
};

struct process {
    const char *name;
    struct machine *machine;
    bool alive;
    bool stopped; /* SIGSTOP: nothing of it runs */
    struct fiber *fibers;
    void (*ended)(struct process *process, int code); /* its first fiber returned */
};

struct fiber;

int64_t machine_mono_us(const struct machine *machine);
int64_t machine_wall_us(const struct machine *machine);

struct process *process_new(const char *name, struct machine *machine, void (*ended)(struct process *, int));
/* A thread of the process; the first one is its main(). */
struct fiber *fiber_start(struct process *process, void *(*body)(void *), void *arg);
void process_kill(struct process *process);
void process_stop(struct process *process);
void process_go_on(struct process *process);
void process_wake(struct process *process); /* its first fiber */

struct fiber *fiber_current(void);     /* NULL: no fiber runs, the world acts */
struct process *process_current(void); /* of it */
bool fiber_is_done(const struct fiber *fiber);
/* The current fiber waits until that moment, or until it is woken. */
void fiber_wait(int64_t until_us);
/* It will never run again: its process was killed from within. Gives way for good. */
void fiber_vanish(void) __attribute__((noreturn));
void fiber_wake(struct fiber *fiber);
/* Waiting for something that others signal. */
void fiber_wait_on(const void *condition, int64_t until_us);
void fiber_signal(const void *condition);

/* Runs one fiber that can run; false: there is none. Of several, chance chooses. */
bool fiber_run_one(void);

#endif
