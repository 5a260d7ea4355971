/* race.c — which class goes when, until one job has its turn, see forecast.h: a model in which jobs flow. */
#include "broker/core/forecast.h"

#include <math.h>
#include <string.h>

#include "broker/core/turns.h"

#define HARDLY    1e-6
#define EVER      1e15
#define STEPS_MAX 200 /* each ends with a class or a part of one that has gone: there are fewer */

struct race {
    const struct forecast *forecast;
    unsigned class; /* of our job: of its class only those before it are in the race */
    struct rivals left;
    unsigned part[CLASS_COUNT];     /* of each class, where those stand that go now, ... */
    double part_left[CLASS_COUNT];  /* ... how many of that part have not gone, ... */
    double whole_part[CLASS_COUNT]; /* ... and how many there are to a part */
    double of_class;                /* sends of its class so far */
    double later; /* of its class, behind it: until it may go itself, these have the turns of their class */
    double gate[CLASS_COUNT]; /* sends of each class until our job may go: those before it in its conversation */
    bool gated;               /* one of them is not over */
    double before;            /* sends so far */
    bool done;
};

struct pace {                   /* per send */
    double coming[CLASS_COUNT]; /* jobs that are enqueued */
    double part[CLASS_COUNT];   /* what each class takes */
    double gain[CLASS_COUNT];   /* by what those that may go grow, or shrink */
    double freed;               /* of its class, as those before them in their conversations go */
};

static bool is_ours(const struct race *race, unsigned class)
{
    return class == race->class && !race->gated;
}

static bool has_jobs(const struct race *race, unsigned class)
{
    bool later = class == race->class && race->gated && race->later > 0;
    return is_ours(race, class) || race->left.free[class] > 0 || later;
}

/* A class that has nothing left takes what becomes free to go, but no more than its share; who has more takes the
 * rest by weight. */
static void split_by_weight(const struct race *race, const double free[CLASS_COUNT], double part[CLASS_COUNT])
{
    bool open[CLASS_COUNT], again = true;
    double rest = 1, weight = 0;
    for (unsigned c = 0; c < CLASS_COUNT; c++) {
        open[c] = has_jobs(race, c) || free[c] > 0;
        weight += open[c] ? (double)class_weight[c] : 0;
        part[c] = 0;
    }
    while (again) {
        again = false;
        for (unsigned c = 0; c < CLASS_COUNT; c++) {
            if (!open[c] || has_jobs(race, c) || free[c] * weight >= rest * (double)class_weight[c])
                continue;
            part[c] = free[c];
            open[c] = false;
            rest -= free[c];
            weight -= (double)class_weight[c];
            again = true;
        }
    }
    for (unsigned c = 0; c < CLASS_COUNT; c++)
        part[c] = open[c] ? rest * (double)class_weight[c] / weight : part[c];
}

/* All that is of a better class goes before it. */
static void split_by_rank(const struct race *race, const double free[CLASS_COUNT], double part[CLASS_COUNT])
{
    double rest = 1;
    for (unsigned c = 0; c < CLASS_COUNT; c++) {
        bool waits = is_ours(race, c) || race->left.free[c] > 0 || free[c] > rest;
        part[c] = waits ? rest : free[c];
        rest -= part[c];
    }
}

/* Jobs of class c that may go when so many of class h have: those behind them, part by part. */
static double freed_by(const struct race *race, unsigned h, unsigned c, double sends)
{
    return race->part_left[h] > HARDLY ? race->left.behind[h][c][race->part[h]] * sends / race->part_left[h] : 0;
}

/* The part of that class has gone; what stood behind none of it goes as well. */
static void next_part(struct race *race, unsigned h)
{
    while (race->part[h] < RIVAL_PARTS && race->part_left[h] <= HARDLY) {
        for (unsigned c = 0; c < CLASS_COUNT; c++) {
            race->left.free[c] += race->left.behind[h][c][race->part[h]];
            race->left.behind[h][c][race->part[h]] = 0;
        }
        race->part[h]++;
        race->part_left[h] = race->part[h] < RIVAL_PARTS ? race->whole_part[h] : 0;
    }
}

static struct pace pace_of(const struct race *race, const double coming[CLASS_COUNT])
{
    struct pace pace;
    double free[CLASS_COUNT];
    for (unsigned c = 0; c < CLASS_COUNT; c++) {
        pace.coming[c] = coming[c];
        pace.part[c] = 0;
    }
    for (unsigned again = 0; again < CLASS_COUNT; again++) { /* what is freed depends on what goes */
        for (unsigned c = 0; c < CLASS_COUNT; c++) {
            free[c] = coming[c];
            for (unsigned h = 0; h < CLASS_COUNT; h++)
                free[c] += freed_by(race, h, c, pace.part[h]);
        }
        if (race->forecast->order == DRAIN_ORDER_REPLIES)
            split_by_rank(race, free, pace.part);
        else
            split_by_weight(race, free, pace.part);
    }
    for (unsigned c = 0; c < CLASS_COUNT; c++)
        pace.gain[c] = free[c] - pace.part[c];
    pace.freed = free[race->class] - coming[race->class];
    return pace;
}

/* A class of which nothing is left keeps nobody waiting: what it was counted with has gone elsewhere. */
static void open_gates(struct race *race)
{
    race->gated = false;
    for (unsigned h = 0; h < CLASS_COUNT; h++) {
        if (race->gate[h] < HARDLY || rivals_of(&race->left, h) <= HARDLY)
            race->gate[h] = 0;
        race->gated = race->gated || race->gate[h] > 0;
    }
}

static void advance(struct race *race, const struct pace *pace, double sends)
{
    struct rivals *left = &race->left;
    for (unsigned h = 0; h < CLASS_COUNT; h++) {
        for (unsigned c = 0; c < CLASS_COUNT; c++)
            left->behind[h][c][race->part[h] % RIVAL_PARTS] -= freed_by(race, h, c, pace->part[h] * sends);
        race->part_left[h] -= pace->part[h] * sends;
    }
    if (left->free[race->class] <= 0 && race->gated && pace->gain[race->class] < 0)
        race->later += pace->gain[race->class] * sends;
    race->later = race->later < HARDLY ? 0 : race->later;
    for (unsigned c = 0; c < CLASS_COUNT; c++) {
        left->free[c] += pace->gain[c] * sends;
        left->free[c] = left->free[c] < HARDLY ? 0 : left->free[c];
    }
    race->before += sends;
    race->of_class += pace->part[race->class] * sends;
    for (unsigned h = 0; h < CLASS_COUNT; h++) {
        race->gate[h] -= pace->part[h] * sends;
        next_part(race, h);
    }
    open_gates(race);
}

/* The first job of a new conversation goes on any line of its pool, the first that has nothing of its class before
 * it: it passes what waits for other lines then. So many of those that become free wait at a time, as in a queue that
 * is served turn by turn; when turns hardly suffice, as many as chance has gathered in the turns so far. */
static double passed_by(const struct race *race, const struct pace *pace)
{
    double lines = race->forecast->said.lines, turns = pace->part[race->class];
    if (race->forecast->job.line != NO_LINE || race->forecast->job.before > 0 || lines < 2 || turns <= HARDLY)
        return 0;
    double busy = pace->freed / turns, gathered = 0.8 * sqrt(race->of_class / lines);
    double waits = busy < 0.99 ? busy / 2 + busy * busy / (2 * (1 - busy)) : gathered;
    return lines * (waits < gathered ? waits : gathered);
}

/* So many sends, while so many of each class come with each of them. */
static void race_sends(struct race *race, const double coming[CLASS_COUNT], double sends)
{
    for (unsigned steps = 0; sends > 0 && steps < STEPS_MAX; steps++) {
        race->done = !race->gated && race->left.free[race->class] <= 0;
        if (race->done)
            return;
        struct pace pace = pace_of(race, coming);
        double step = sends, sum = 0;
        double passed = passed_by(race, &pace), before = race->left.free[race->class] - passed;
        race->done = passed > 0 && before <= 0;
        if (race->done)
            return;
        if (passed > 0 && pace.gain[race->class] < 0 && before < step * -pace.gain[race->class])
            step = 0.5 + before / -pace.gain[race->class]; /* and a little further: it changes as they go */
        for (unsigned c = 0; c < CLASS_COUNT; c++) {       /* until one class has nothing left */
            sum += pace.part[c];
            if (race->left.free[c] > 0 && pace.gain[c] < 0 && race->left.free[c] < step * -pace.gain[c])
                step = race->left.free[c] / -pace.gain[c];
        }
        double ours = race->left.free[race->class] <= 0 && race->gated ? -pace.gain[race->class] : 0;
        if (ours * step > race->later)
            step = race->later / ours;
        for (unsigned h = 0; h < CLASS_COUNT; h++) /* what becomes free changes from part to part */
            if (race->part[h] < RIVAL_PARTS && pace.part[h] * step > race->part_left[h])
                step = race->part_left[h] / pace.part[h];
        for (unsigned h = 0; h < CLASS_COUNT; h++)
            if (race->gate[h] > 0 && pace.part[h] * step > race->gate[h])
                step = race->gate[h] / pace.part[h];
        if (sum <= HARDLY) { /* nobody is there: what it waits for has been counted elsewhere */
            memset(race->gate, 0, sizeof race->gate);
            open_gates(race);
            continue;
        }
        advance(race, &pace, step);
        sends -= step;
    }
}

/* A stretch of time with one supply, within the time of what is still to come or after it. */
static void race_stretch(struct race *race, bool comes, double ms, double sends)
{
    double coming[CLASS_COUNT] = {0};
    for (unsigned c = 0; comes && c < CLASS_COUNT; c++) {
        double more = c == race->class ? 0 : race->forecast->coming_per_ms[c] * ms;
        if (sends > 0)
            coming[c] = more / sends;
        else
            race->left.free[c] += more;
    }
    race_sends(race, coming, sends);
}

double ahead_in_race(const struct forecast *forecast, bool coming)
{
    static const double nothing[CLASS_COUNT];
    struct race race = {.forecast = forecast, .class = forecast->job.class, .left = forecast->rivals};
    int64_t from_ms = forecast->now.wall_ms, until_ms = coming ? forecast->coming_until_ms : 0;
    double turn = forecast->order == DRAIN_ORDER_SHARES ? 0.5 : 0; /* comes somewhere in the middle of a round */
    for (unsigned h = 0; h < CLASS_COUNT; h++) {
        race.whole_part[h] = race.part_left[h] = rivals_of(&forecast->rivals, h) / RIVAL_PARTS;
        next_part(&race, h);
    }
    race.left.free[race.class] += turn;
    race.later = forecast->later;
    for (unsigned h = 0; h < CLASS_COUNT; h++)
        race.gate[h] = forecast->gates[h].sends;
    open_gates(&race);
    for (unsigned slot = 0; slot < FORECAST_SLOTS && from_ms < until_ms && !race.done; slot++) {
        int64_t end_ms = supply_slot_end_ms(slot, forecast->now);
        int64_t turn_ms = end_ms < until_ms ? end_ms : until_ms;
        double share = (double)(turn_ms - from_ms) / (double)(end_ms - from_ms);
        race_stretch(&race, true, (double)(turn_ms - from_ms), forecast->supply[slot] * share);
        if (turn_ms < end_ms)
            race_stretch(&race, false, 0, forecast->supply[slot] * (1 - share));
        from_ms = end_ms;
    }
    race_sends(&race, nothing, EVER); /* nothing comes any more: when does not matter, only how much */
    return race.before - turn > 0 ? race.before - turn : 0;
}
