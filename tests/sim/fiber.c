/* fiber.c — see fiber.h. A context begins a fiber; from then on it is left and entered by jumps, which, other than
 * swapcontext(), ask the kernel nothing. */
#undef _FORTIFY_SOURCE /* it forbids jumps to another stack */
#include "tests/sim/fiber.h"

#include <setjmp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "tests/sim/ground.h"

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#define STACK_BYTES (1024u * 1024)
#define READY_MAX   256

enum fiber_state { FIBER_READY, FIBER_WAITING, FIBER_DONE, FIBER_GONE };

struct fiber {
    ucontext_t context; /* of its begin */
    bool begun;
    jmp_buf place;
    void *stack;
    struct process *process;
    struct fiber *next; /* of its process */
    void *(*body)(void *);
    void *arg;
    enum fiber_state state;
    uint64_t waits; /* how often it has waited: a timer of an earlier wait wakes nobody */
    const void *condition;
    bool queued; /* in the list of those that can run */
#ifdef WITH_ASAN
    void *fake_stack;
#endif
};

static struct fiber *current;
static jmp_buf ground_place;
static struct fiber *ready[READY_MAX]; /* that can run, or could while their process was stopped */
static unsigned ready_count;
static struct stream choice;
static bool choosing;
#ifdef WITH_ASAN
static const void *ground_stack;
static size_t ground_stack_bytes;
static void *ground_fake_stack;
#endif

/* ---- clocks ---- */

int64_t machine_mono_us(const struct machine *machine)
{
    return machine->steady_us + now_us() + now_us() / 1000000 * machine->drift_ppm;
}

int64_t machine_wall_us(const struct machine *machine)
{
    return BEGIN_MS * US_MS + machine->wall_off_us + machine_mono_us(machine) - machine->steady_us;
}

/* ---- switching ---- */

static void enter(struct fiber *fiber)
{
    current = fiber;
#ifdef WITH_ASAN
    __sanitizer_start_switch_fiber(&ground_fake_stack, fiber->stack, STACK_BYTES);
#endif
    if (_setjmp(ground_place) == 0) {
        if (fiber->begun)
            _longjmp(fiber->place, 1);
        fiber->begun = true;
        setcontext(&fiber->context);
    }
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(ground_fake_stack, NULL, NULL);
#endif
    current = NULL;
}

static void leave(struct fiber *fiber, bool for_good)
{
    (void)for_good;
#ifdef WITH_ASAN
    __sanitizer_start_switch_fiber(for_good ? NULL : &fiber->fake_stack, ground_stack, ground_stack_bytes);
#endif
    if (_setjmp(fiber->place) == 0)
        _longjmp(ground_place, 1);
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(fiber->fake_stack, &ground_stack, &ground_stack_bytes);
#endif
}

static void make_ready(struct fiber *fiber)
{
    fiber->state = FIBER_READY;
    fiber->condition = NULL;
    if (fiber->queued)
        return;
    if (ready_count == READY_MAX)
        abort();
    fiber->queued = true;
    ready[ready_count++] = fiber;
}

static void run_body(void)
{
    struct fiber *fiber = current;
#ifdef WITH_ASAN
    __sanitizer_finish_switch_fiber(NULL, &ground_stack, &ground_stack_bytes);
#endif
    void *result = fiber->body(fiber->arg);
    fiber->state = FIBER_DONE;
    fiber_signal(fiber);
    struct process *process = fiber->process;
    if (fiber->next == NULL && process->ended != NULL) { /* the first one is last in the list */
        process->alive = false;
        process->ended(process, (int)(intptr_t)result);
    }
    leave(fiber, true);
    abort();
}

struct fiber *fiber_start(struct process *process, void *(*body)(void *), void *arg)
{
    struct fiber *fiber = calloc(1, sizeof *fiber);
    void *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (fiber == NULL || stack == MAP_FAILED)
        abort();
    *fiber = (struct fiber){.stack = stack, .process = process, .next = process->fibers, .body = body, .arg = arg};
    process->fibers = fiber;
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = stack;
    fiber->context.uc_stack.ss_size = STACK_BYTES;
    fiber->context.uc_link = NULL;
    makecontext(&fiber->context, run_body, 0);
    make_ready(fiber);
    return fiber;
}

/* ---- processes ---- */

struct process *process_new(const char *name, struct machine *machine, void (*ended)(struct process *, int))
{
    struct process *process = calloc(1, sizeof *process);
    if (process == NULL)
        abort();
    *process = (struct process){.name = name, .machine = machine, .alive = true, .ended = ended};
    return process;
}

static void forget_ready(const struct process *process)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < ready_count; i++)
        if (ready[i]->process != process)
            ready[kept++] = ready[i];
    ready_count = kept;
}

void process_kill(struct process *process)
{
    process->alive = false;
    forget_ready(process);
    for (struct fiber *fiber = process->fibers; fiber != NULL; fiber = fiber->next) {
        fiber->state = FIBER_GONE;
        fiber->queued = false;
        if (fiber != current)
            munmap(fiber->stack, STACK_BYTES);
    }
}

void process_stop(struct process *process)
{
    process->stopped = true;
}

void process_go_on(struct process *process)
{
    process->stopped = false;
}

void process_wake(struct process *process)
{
    struct fiber *first = process->fibers;
    while (first != NULL && first->next != NULL)
        first = first->next;
    if (first != NULL)
        fiber_wake(first);
}

/* ---- waiting ---- */

struct fiber *fiber_current(void)
{
    return current;
}

struct process *process_current(void)
{
    return current == NULL ? NULL : current->process;
}

bool fiber_is_done(const struct fiber *fiber)
{
    return fiber->state == FIBER_DONE;
}

static void wake_by_time(void *self, uint64_t waits)
{
    struct fiber *fiber = self;
    if (fiber->state == FIBER_WAITING && fiber->waits == waits)
        make_ready(fiber);
}

void fiber_wait(int64_t until_us)
{
    struct fiber *fiber = current;
    if (fiber == NULL)
        abort(); /* the world itself never waits */
    fiber->state = FIBER_WAITING;
    fiber->waits++;
    if (until_us != US_NEVER)
        ground_at(until_us, wake_by_time, fiber, fiber->waits);
    leave(fiber, false);
}

void fiber_vanish(void)
{
    leave(current, true);
    abort();
}

void fiber_wake(struct fiber *fiber)
{
    if (fiber->state == FIBER_WAITING)
        make_ready(fiber);
}

void fiber_wait_on(const void *condition, int64_t until_us)
{
    current->condition = condition;
    fiber_wait(until_us);
}

void fiber_signal(const void *condition)
{
    const struct process *process = process_current();
    for (struct fiber *fiber = process == NULL ? NULL : process->fibers; fiber != NULL; fiber = fiber->next)
        if (fiber->state == FIBER_WAITING && fiber->condition == condition)
            make_ready(fiber);
}

bool fiber_run_one(void)
{
    unsigned able[READY_MAX], count = 0;
    if (!choosing) {
        choice = stream_of("schedule");
        choosing = true;
    }
    for (unsigned i = 0; i < ready_count; i++)
        if (!ready[i]->process->stopped)
            able[count++] = i;
    if (count == 0)
        return false;
    unsigned at = able[count == 1 ? 0 : draw(&choice, count)];
    struct fiber *fiber = ready[at];
    for (unsigned i = at + 1; i < ready_count; i++)
        ready[i - 1] = ready[i];
    ready_count--;
    fiber->queued = false;
    enter(fiber);
    return true;
}
