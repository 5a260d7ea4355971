/* world.c — see world.h. */
#include "tests/sim/world.h"

#include <signal.h>
#include <unistd.h>

#include "tests/sim/audit.h"
#include "tests/sim/calls.h"
#include "tests/sim/cast.h"
#include "tests/sim/child.h"
#include "tests/sim/disk.h"
#include "tests/sim/erasures.h"
#include "tests/sim/fleet.h"
#include "tests/sim/flip.h"
#include "tests/sim/hooks.h"
#include "tests/sim/house.h"
#include "tests/sim/looks.h"
#include "tests/sim/net.h"
#include "tests/sim/operators.h"
#include "tests/sim/producers.h"
#include "tests/sim/provider.h"
#include "tests/sim/triage.h"
#include "tests/sim/wants.h"
#include "tests/sim/witness.h"

#define HEALED_MAX_US (30 * US_H) /* by then everything has gone: budgets of a day too */
#define LOOK_EVERY_US (20 * US_S)
#define LONG_US       (2 * US_H)
#define TIGHT_US      (40 * US_MIN) /* where most wait */

struct mishaps { /* of one model: how often, and from which stream; each draws from one of its own, so that leaving
                    one out changes no other */
    const char *when_name, *what_name;
    int64_t every_us;
    void (*happens)(struct stream *stream);
    struct stream when;
    unsigned number;
};

static struct mishaps kinds[PLAN_KIND_COUNT] = {
    [PLAN_HOUSE] = {"house when", "house what", 40 * US_S, house_mishap, {0}, 0},
    [PLAN_DISK] = {"disk when", "disk what", 30 * US_S, disk_mishap, {0}, 0},
    [PLAN_NET] = {"net when", "net what", 15 * US_S, net_mishap, {0}, 0},
    [PLAN_FLEET] = {"fleet when", "fleet what", 25 * US_S, fleet_mishap, {0}, 0},
    [PLAN_PROVIDER] = {"provider when", "provider what", 12 * US_S, provider_mishap, {0}, 0},
    [PLAN_HOOKS] = {"hooks when", "hooks what", 20 * US_S, hooks_mishap, {0}, 0},
    [PLAN_OPERATORS] = {"operators when", "operators what", 15 * US_S, operators_mishap, {0}, 0},
    [PLAN_ERASURES] = {"erasures when", "erasures what", 150 * US_S, erasures_mishap, {0}, 0},
    [PLAN_TRIAGE] = {"triage when", "triage what", 100 * US_S, sorting_mishap, {0}, 0},
    [PLAN_LOOKS] = {"looks when", "looks what", 30 * US_S, looks_mishap, {0}, 0},
};

static const struct plan *plan;
static unsigned *mishap_counts;
static bool budgets_left;
static bool healed, patient; /* patient: waits for budgets of a day, which few worlds do, for it takes long */
static int64_t healed_us;

static void happen(void *self, uint64_t arg)
{
    struct mishaps *kind = self;
    (void)arg;
    if (healed)
        return;
    kind->number++;
    if (mishap_counts != NULL)
        mishap_counts[kind - kinds] = kind->number;
    struct stream what = stream_nth(kind->what_name, kind->number);
    if (plan_has(plan, (enum plan_kind)(kind - kinds), kind->number))
        kind->happens(&what);
    ground_in(draw_delay_us(&kind->when, 1, 2 * kind->every_us), happen, kind, 0);
}

#define OFTEN 6 /* times as often, where a kind comes often */

/* A world in which one thing never goes wrong finds other faults than one in which everything does; and so does one in
 * which it goes wrong all the time. */
static void begin_mishaps(void)
{
    struct stream luck = stream_of("mishaps"), often = stream_of("mishaps that come often");
    for (int i = 0; i < PLAN_KIND_COUNT; i++) {
        kinds[i].when = stream_of(kinds[i].when_name);
        kinds[i].every_us <<= draw(&luck, 3);
        if (chance(&often, 100))
            kinds[i].every_us /= OFTEN;
        if (!chance(&luck, 200))
            ground_in(draw_delay_us(&kinds[i].when, 1, kinds[i].every_us), happen, &kinds[i], 0);
    }
}

static void calm_models(void)
{
    static void (*const calm[PLAN_MODEL_COUNT])(void) = {[PLAN_CALM_CHILD] = child_heal,
                                                          [PLAN_CALM_HOOKS] = hooks_heal,
                                                          [PLAN_CALM_NET] = net_heal,
                                                          [PLAN_CALM_PROVIDER] = provider_heal,
                                                          [PLAN_CALM_SENDER] = sender_heal};
    for (int model = 0; model < PLAN_MODEL_COUNT; model++)
        if (plan->calm[model])
            calm[model]();
}

static void heal(void *self, uint64_t arg)
{
    (void)self;
    (void)arg;
    note_world("world: healed");
    healed = true;
    healed_us = now_us();
    disk_heal();
    house_heal();
    net_heal();
    fleet_heal();
    child_heal();
    hooks_heal();
    provider_heal();
    operators_heal();
    calls_heal();
    producers_heal();
}

static void look(void *self, uint64_t arg)
{
    int example = -1;
    (void)self;
    (void)arg;
    if (healed && producers_are_done() && operators_are_done() && erasures_are_done() && sorting_is_done() &&
        producers_open_jobs(&example) == 0)
        ground_end();
    if (healed && !patient && now_us() > healed_us + (house_is_tight() ? TIGHT_US : LONG_US) && producers_are_done() &&
        producers_wait_for_budgets(&example))
        budgets_left = true;
    if (budgets_left)
        ground_end();
    else
        ground_in(LOOK_EVERY_US, look, NULL, 0);
}

static void on_abort(int number)
{
    (void)number;
    /* NOLINTNEXTLINE(bugprone-signal-handler,cert-sig30-c): it never returns, and there is one thread */
    breach("assert", NOBODY_ABOUT, "the product asserts, see above");
}

static void on_alarm(int number)
{
    (void)number;
    /* NOLINTNEXTLINE(bugprone-signal-handler,cert-sig30-c): it never returns, and there is one thread */
    breach("liveness", NOBODY_ABOUT, "the world goes round in circles: no end after a minute");
}

static void begin(void)
{
    wants_begin();
    net_begin();
    hooks_begin();
    provider_begin();
    witness_begin();
    audit_begin();
    flip_begin();
    house_begin();
    fleet_begin();
    operators_begin();
    erasures_begin();
    looks_begin();
    sorting_begin();
    calm_models();
    begin_mishaps();
}

void world_count_mishaps(unsigned *counts)
{
    mishap_counts = counts;
}

/* What the seed draws for the world as a whole. */
struct drawn {
    bool patient;
    int64_t faulty_us;
    int jobs;
};

static struct drawn draw_world(void)
{
    struct stream luck = stream_of("world");
    struct drawn drawn = {.patient = chance(&luck, 10)};
    drawn.faulty_us = (1 + (int64_t)draw(&luck, 10)) * US_MIN;
    drawn.jobs = 20 + (int)draw(&luck, 300);
    return drawn;
}

int world_jobs_max(uint64_t seed)
{
    ground_begin(seed);
    return draw_world().jobs;
}

void world_run(uint64_t seed, const struct plan *cut)
{
    signal(SIGABRT, on_abort);
    signal(SIGALRM, on_alarm);
    ground_begin(seed);
    plan = cut;
    struct drawn drawn = draw_world();
    int64_t faulty_us = cut->faulty_ms > 0 && cut->faulty_ms * US_MS < drawn.faulty_us ? cut->faulty_ms * US_MS
                                                                                       : drawn.faulty_us;
    begin();
    patient = drawn.patient && !house_is_tight();
    producers_begin(faulty_us, cut->jobs > 0 ? cut->jobs : drawn.jobs);
    ground_at(faulty_us, heal, NULL, 0);
    ground_at(faulty_us, look, NULL, 0);
    ground_run(faulty_us + HEALED_MAX_US);
    if (house_told_damage())
        return;
    int example = -1, open = producers_open_jobs(&example);
    if (budgets_left)
        open = 0;
    if (open > 0) {
        producers_wait_for_budgets(&example);
        witness_explain(example);
        breach("liveness", about_job(example), "%d jobs have not ended long after everything was healed, job %d is one",
               open, example);
    }
    if (!producers_are_done())
        breach("liveness", NOBODY_ABOUT, "a producer still waits for its ACK");
    if (!budgets_left)
        erasures_settle();
    witness_settle();
    audit_settle();
}
