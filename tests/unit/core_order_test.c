/* What the core sorts with — a conversation's list, the ready queue, timers, the index — against naive arrays under
 * long random sequences; then a whole conversation through the core. */
#include <stdlib.h>
#include <string.h>

#include "broker/core/conversation.h"
#include "broker/core/random.h"
#include "broker/core/ready.h"
#include "lineward/clock.h"
#include "tests/support/core_play.h"
#include "tests/support/suite.h"

#define POISON 0xDEADBEEFu /* a link that must not be followed */

static uint64_t state;

static uint64_t draw(uint64_t below)
{
    return random_next(&state) % below;
}

/* A core that has nothing but jobs. */
static struct core *bare_core(uint32_t jobs)
{
    struct core *core = calloc(1, sizeof *core);
    ck_assert_ptr_nonnull(core);
    core->jobs = calloc(jobs + 1u, sizeof *core->jobs);
    ck_assert_ptr_nonnull(core->jobs);
    return core;
}

static void bare_free(struct core *core)
{
    free(core->jobs);
    free(core);
}

/* ---- a conversation's list ---- */

#define LIST_MAX 64

struct naive {
    uint32_t jobs[LIST_MAX];
    uint32_t count;
};

static void naive_put(struct naive *naive, uint32_t at, uint32_t job)
{
    MUST(naive->count < LIST_MAX);
    memmove(&naive->jobs[at + 1], &naive->jobs[at], (naive->count - at) * sizeof naive->jobs[0]);
    naive->jobs[at] = job;
    naive->count++;
}

static void naive_take_first(struct naive *naive)
{
    naive->count--;
    memmove(&naive->jobs[0], &naive->jobs[1], naive->count * sizeof naive->jobs[0]);
}

/* Where a job of `class` goes, looking at every job from the first free place on. */
static uint32_t naive_place(const struct core *core, const struct naive *naive, uint32_t from, unsigned class,
                            bool front)
{
    uint32_t at = from;
    while (at < naive->count &&
           (core->jobs[naive->jobs[at]].class < class || (core->jobs[naive->jobs[at]].class == class && !front)))
        at++;
    return at;
}

static void same_list(const struct core *core, const struct conversation *conversation, const struct naive *naive)
{
    uint32_t at = conversation_first(core, conversation);
    if (naive->count == 0) {
        MUST(at == NOBODY);
        return;
    }
    for (uint32_t i = 0; i < naive->count; i++) {
        MUST(at == naive->jobs[i]);
        at = core->jobs[at].next;
    }
    MUST(at == naive->jobs[0]);
    MUST(conversation->tail == naive->jobs[naive->count - 1]);
}

/* One conversation and its naive twin. */
struct pair {
    struct core *core;
    struct conversation conversation;
    struct naive naive;
    bool fixed;
};

static void add(struct pair *pair, uint32_t slot, unsigned class)
{
    static uint64_t sequence;
    struct job *job = &pair->core->jobs[slot];
    *job = (struct job){.number = ++sequence << JOB_SLOT_BITS | slot, .state = JOB_QUEUED};
    job->class = class & 3u;
    uint32_t at = naive_place(pair->core, &pair->naive, pair->fixed ? 1 : 0, class, false);
    if (at == 0 && pair->naive.count > 0) { /* it has left the ready queue */
        struct job *first = &pair->core->jobs[pair->naive.jobs[0]];
        first->left = first->right = first->parent = NOBODY;
    }
    conversation_insert(pair->core, &pair->conversation, slot, false);
    naive_put(&pair->naive, at, slot);
}

/* The first one is leased (or stands in a ready queue): its links are somebody else's. */
static void poison_first(struct pair *pair)
{
    struct job *first = &pair->core->jobs[pair->naive.jobs[0]];
    first->left = first->right = first->parent = POISON;
}

static void fix(struct pair *pair, bool unsettled)
{
    struct job *first = &pair->core->jobs[pair->naive.jobs[0]];
    poison_first(pair);
    if (unsettled)
        first->flags |= JOB_UNSETTLED;
    else
        first->state = JOB_LEASED;
    pair->fixed = true;
}

static void unfix(struct pair *pair)
{
    uint32_t slot = pair->naive.jobs[0];
    struct job *first = &pair->core->jobs[slot];
    first->state = JOB_QUEUED;
    first->flags = 0;
    first->left = first->right = first->parent = NOBODY;
    pair->fixed = false;
    conversation_unfix(pair->core, &pair->conversation);
    naive_take_first(&pair->naive);
    naive_put(&pair->naive, naive_place(pair->core, &pair->naive, 0, first->class, true), slot);
}

static void end_first(struct pair *pair)
{
    struct job *first = &pair->core->jobs[pair->naive.jobs[0]];
    conversation_shift(pair->core, &pair->conversation);
    naive_take_first(&pair->naive);
    first->state = JOB_NONE;
    pair->fixed = false;
}

START_TEST(every_order_of_six_classes_sorts_by_class_then_by_arrival)
{
    enum { JOBS = 6 };
    struct core *core = bare_core(JOBS);
    for (unsigned order = 0; order < 1u << 2 * JOBS; order++) { /* 4^6 */
        for (int fixed_at = -1; fixed_at < JOBS; fixed_at++) {
            struct pair pair = {.core = core};
            for (uint32_t i = 0; i < JOBS; i++) {
                add(&pair, i + 1, order >> 2 * i & 3);
                if ((int)i == fixed_at)
                    fix(&pair, false);
            }
            same_list(core, &pair.conversation, &pair.naive);
            if (pair.fixed)
                unfix(&pair);
            same_list(core, &pair.conversation, &pair.naive);
            for (uint32_t i = 0; i < JOBS; i++) {
                end_first(&pair);
                same_list(core, &pair.conversation, &pair.naive);
            }
        }
    }
    bare_free(core);
}
END_TEST

static uint32_t free_slot(const struct core *core)
{
    for (uint32_t slot = 1; slot <= LIST_MAX; slot++)
        if (core->jobs[slot].state == JOB_NONE)
            return slot;
    return NOBODY;
}

START_TEST(a_long_random_life_of_a_conversation_keeps_its_order)
{
    struct core *core = bare_core(LIST_MAX);
    struct pair pair = {.core = core};
    state = 1;
    for (unsigned step = 0; step < 200000; step++) {
        /* Long and short lists in turn. */
        uint64_t grow = step / 1000 % 2 == 0 ? 60 : 40;
        uint32_t slot = free_slot(core);
        if (pair.naive.count == 0 || (draw(100) < grow && slot != NOBODY && pair.naive.count < LIST_MAX - 1)) {
            if (slot != NOBODY)
                add(&pair, slot, (unsigned)draw(CLASS_COUNT));
        } else if (!pair.fixed && draw(3) > 0) {
            fix(&pair, draw(3) == 0);
        } else if (pair.fixed && draw(2) == 0) {
            unfix(&pair);
        } else {
            end_first(&pair);
        }
        if (pair.naive.count > 0 && draw(2) == 0)
            poison_first(&pair);
        same_list(core, &pair.conversation, &pair.naive);
        MUST(conversation_first_is_fixed(core, &pair.conversation) == pair.fixed);
    }
    bare_free(core);
}
END_TEST

START_TEST(only_a_leased_an_unsettled_or_a_conversation_wide_wait_fixes_its_place)
{
    struct job job = {.state = JOB_QUEUED};
    ck_assert(!conversation_fixes(&job));
    job_set_due(&job, RIG_START_MS);
    ck_assert(!conversation_fixes(&job)); /* its own wait */
    job.flags = JOB_WIDE;
    ck_assert(conversation_fixes(&job));
    job_set_due(&job, 0);
    ck_assert(!conversation_fixes(&job)); /* the line's or the account's wait is over for it */
    job.flags = JOB_UNSETTLED;
    ck_assert(conversation_fixes(&job));
    job.flags = 0;
    job.state = JOB_LEASED;
    ck_assert(conversation_fixes(&job));
}
END_TEST

/* ---- the ready queue ---- */

#define READY_MAX 512

static uint32_t naive_first(const struct core *core, const bool *in)
{
    uint32_t best = NOBODY;
    for (uint32_t slot = 1; slot <= READY_MAX; slot++) {
        if (!in[slot])
            continue;
        int64_t by = job_expires_ms(&core->jobs[slot]);
        int64_t best_by = best == NOBODY ? 0 : job_expires_ms(&core->jobs[best]);
        bool deadline = by != best_by && by != 0 && (best_by == 0 || by < best_by);
        bool older = by == best_by && best != NOBODY && core->jobs[slot].number < core->jobs[best].number;
        if (best == NOBODY || deadline || older)
            best = slot;
    }
    return best;
}

/* Every parent goes before its children, links agree, and the right spine is the shorter one. Returns the count. */
static uint32_t check_heap(const struct core *core, uint32_t at, uint32_t parent)
{
    if (at == NOBODY)
        return 0;
    const struct job *job = &core->jobs[at];
    MUST(job->parent == parent);
    MUST(parent == NOBODY || ready_goes_first(core, parent, at));
    unsigned left = job->left == NOBODY ? 0 : core->jobs[job->left].rank;
    unsigned right = job->right == NOBODY ? 0 : core->jobs[job->right].rank;
    MUST(left >= right);
    MUST(job->rank == right + 1);
    return 1 + check_heap(core, job->left, at) + check_heap(core, job->right, at);
}

START_TEST(the_ready_queue_gives_the_earliest_deadline_then_the_oldest_whatever_was_removed)
{
    struct core *core = bare_core(READY_MAX);
    struct ready_queue queue = {NOBODY};
    bool in[READY_MAX + 1] = {false};
    uint32_t count = 0;
    uint64_t sequence = 1;
    state = 2;
    for (unsigned step = 0; step < 20000; step++) {
        uint32_t slot = 1 + (uint32_t)draw(READY_MAX);
        bool shrink = step / 2000 % 2 == 1;
        if (in[slot] && draw(3) == 0)
            slot = queue.root;
        if (in[slot] && (shrink || draw(2) == 0)) {
            ready_remove(core, &queue, slot);
            MUST((core->jobs[slot].flags & JOB_READY) == 0);
            in[slot] = false;
            count--;
        } else if (!in[slot] && !(shrink && draw(4) > 0)) {
            core->jobs[slot] = (struct job){.number = sequence++ << JOB_SLOT_BITS | slot, .state = JOB_QUEUED};
            /* above 32 bits too, and many equal */
            job_set_expires(&core->jobs[slot], draw(2) == 0 ? 0 : (int64_t)(1 + draw(20)) << draw(3) * 16);
            ready_push(core, &queue, slot);
            in[slot] = true;
            count++;
        }
        MUST(queue.root == naive_first(core, in));
        if (step % 50 == 0)
            MUST(check_heap(core, queue.root, NOBODY) == count);
    }
    bare_free(core);
}
END_TEST

/* ---- timers ---- */

#define OWNERS 300u

START_TEST(timers_come_in_order_of_time_and_rank_and_each_owner_has_at_most_one)
{
    struct timer heap[OWNERS];
    uint32_t at[OWNERS] = {0};
    struct timers timers = {.heap = heap, .at = at};
    int64_t naive[OWNERS];
    uint64_t ranks[OWNERS] = {0};
    for (uint32_t i = 0; i < OWNERS; i++)
        naive[i] = TIME_NEVER;
    int64_t now = 0;
    state = 3;
    for (unsigned step = 0; step < 30000; step++) {
        uint32_t owner = (uint32_t)draw(OWNERS);
        int64_t to = draw(5) == 0 ? TIME_NEVER : now + (int64_t)draw(200); /* many in the same moment */
        ranks[owner] = draw(2) == 0 ? ranks[owner] : (uint64_t)draw(256) << 32 | draw(4);
        timers_set(&timers, owner, to, ranks[owner]);
        naive[owner] = to;
        now += (int64_t)draw(4);
        int64_t least = TIME_NEVER;
        for (uint32_t i = 0; i < OWNERS; i++) {
            MUST(timers_of(&timers, i) == naive[i]);
            least = naive[i] < least ? naive[i] : least;
        }
        MUST(timers_next(&timers) == least);
        struct timer due;
        int64_t last = INT64_MIN;
        uint64_t last_rank = 0;
        while (timers_take(&timers, now, &due)) {
            MUST(due.at_ms == naive[due.owner]);
            MUST(due.at_ms <= now);
            MUST(due.at_ms > last || (due.at_ms == last && ranks[due.owner] >= last_rank));
            last = due.at_ms;
            last_rank = ranks[due.owner];
            naive[due.owner] = TIME_NEVER;
        }
        for (uint32_t i = 0; i < OWNERS; i++)
            MUST(naive[i] > now);
    }
}
END_TEST

/* ---- the index ---- */

#define SLOTS 3000u

struct thing {
    uint64_t hash;
    uint32_t next;
    bool in;
};

static uint64_t thing_hash(const void *slots, uint32_t slot)
{
    return ((const struct thing *)slots)[slot].hash;
}

static uint32_t *thing_next(void *slots, uint32_t slot)
{
    return &((struct thing *)slots)[slot].next;
}

static void same_answers(const struct index *index, const struct thing *things, uint64_t hash)
{
    uint32_t expected = 0;
    for (uint32_t slot = 1; slot <= SLOTS; slot++)
        expected += things[slot].in && things[slot].hash == hash;
    uint32_t found = 0;
    for (uint32_t slot = index_find(index, hash); slot != 0; slot = index_find_next(index, hash, slot)) {
        MUST(things[slot].in);
        MUST(things[slot].hash == hash);
        MUST(++found <= expected); /* nobody twice, no ring */
    }
    MUST(found == expected);
}

static void index_life(uint32_t heads_max, uint64_t hashes, uint64_t first)
{
    struct thing *things = calloc(SLOTS + 1, sizeof *things);
    uint32_t *heads = calloc(heads_max, sizeof *heads);
    ck_assert(things != NULL && heads != NULL);
    struct index index;
    index_init(&index, heads, heads_max, things, thing_hash, thing_next);
    uint64_t count = 0;
    for (unsigned step = 0; step < 20000; step++) {
        uint32_t slot = 1 + (uint32_t)draw(SLOTS);
        struct thing *thing = &things[slot];
        if (thing->in && draw(4) == 0) {
            index_remove(&index, slot);
            thing->in = false;
            count--;
        } else if (!thing->in) {
            thing->hash = first + draw(hashes);
            index_insert(&index, slot);
            thing->in = true;
            count++;
        }
        MUST(index.entries == count);
        if (step % 4 == 0)
            same_answers(&index, things, thing->hash);
    }
    for (uint32_t slot = 1; slot <= SLOTS; slot++)
        if (things[slot].in)
            same_answers(&index, things, things[slot].hash);
    MUST(index.buckets <= heads_max);
    MUST(index.buckets == heads_max || index.entries <= 2ull * index.buckets);
    free(heads);
    free(things);
}

START_TEST(the_index_finds_what_is_in_it_while_it_grows)
{
    state = 4;
    index_life(4096, UINT64_C(1) << 60, 0);
}
END_TEST

START_TEST(the_index_keeps_all_that_share_a_hash)
{
    state = 5;
    index_life(4096, 500, RIG_LINE);
}
END_TEST

START_TEST(an_index_that_may_grow_no_more_goes_on)
{
    state = 6;
    index_life(100, UINT64_C(1) << 60, 0);
}
END_TEST

/* ---- a whole conversation through the core ---- */

#define UNLIMITED                                                                                                    \
    "accounts:\n  default:\n    api_key_file: key\n"                                                                 \
    "policies:\n  default:\n    pace_per_min: 0\n    daily_messages: 0\n    new_conversations_per_day: 0\n"                   \
    "    pair_per_min: 0\n    distinct_recipients_per_hour: 0\n    daily_growth_factor: 0\n"                                \
    "    cadence_ms: []\n"

struct waiting {
    uint64_t number;
    enum job_class class;
    bool leased;
};

static void waiting_put(struct waiting *list, uint32_t *count, uint32_t at, struct waiting job)
{
    memmove(&list[at + 1], &list[at], (*count - at) * sizeof *list);
    list[at] = job;
    (*count)++;
}

static void waiting_take(struct waiting *list, uint32_t *count, uint32_t at)
{
    (*count)--;
    memmove(&list[at], &list[at + 1], (*count - at) * sizeof *list);
}

/* Behind all of its class, or before them; never before a leased one. */
static uint32_t waiting_place(const struct waiting *list, uint32_t count, enum job_class class, bool front)
{
    uint32_t at = count > 0 && list[0].leased ? 1 : 0;
    while (at < count && (list[at].class < class || (list[at].class == class && !front)))
        at++;
    return at;
}

static void cancel(struct rig *rig, uint64_t number)
{
    core_cancel(rig->core, 1, 0, number, rig->now, &rig->out);
    rig_keep(rig);
}

START_TEST(jobs_of_a_conversation_go_by_class_then_arrival_whatever_is_cancelled_or_returned)
{
    struct rig_options options = {.conf = UNLIMITED, .seed = 7};
    struct rig *rig = rig_new(&options);
    struct waiting list[LIST_MAX];
    uint32_t count = 0;
    unsigned begun = 0;
    rig_worker(rig, 1, 1);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    state = 7;
    for (unsigned step = 0; step < 20000; step++) {
        bool leased = count > 0 && list[0].leased;
        uint64_t what = draw(100);
        if (what < 45 && count < LIST_MAX - 1) {
            enum job_class class = (enum job_class)draw(CLASS_COUNT);
            struct waiting job = {rig_send(rig, 9, class), class, false};
            waiting_put(list, &count, waiting_place(list, count, class, false), job);
        } else if (what < 65 && count > (leased ? 1u : 0u)) {
            uint32_t at = leased ? 1 + (uint32_t)draw(count - 1) : (uint32_t)draw(count);
            cancel(rig, list[at].number);
            MUST(rig_view(rig, list[at].number).state == JOB_NONE);
            waiting_take(list, &count, at);
        } else if (leased) {
            struct effect job = *rig_told(rig, EFFECT_JOB, 0);
            struct waiting first = list[0];
            waiting_take(list, &count, 0);
            rig_forget(rig);
            if (draw(3) == 0) {
                struct core_result result = rig_result(&job, OUTCOME_RETURNED);
                rig_answer(rig, &result);
                first.leased = false;
                waiting_put(list, &count, waiting_place(list, count, first.class, true), first);
            } else {
                rig_sent(rig, &job);
            }
        }
        for (uint32_t i = 0; i < count && step % 16 == 0; i++)
            MUST(rig_view(rig, list[i].number).ahead == i);
        if (draw(4) == 0)
            continue; /* several events between two ticks */
        rig_tick(rig);
        if (count == 0 || list[0].leased)
            continue;
        const struct effect *job = rig_told(rig, EFFECT_JOB, 0);
        MUST(job != NULL);
        MUST(job->number == list[0].number);
        list[0].leased = true;
        begun++;
    }
    MUST(begun > 1000);
    rig_free(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("core_order");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, every_order_of_six_classes_sorts_by_class_then_by_arrival);
    tcase_add_test(tcase, a_long_random_life_of_a_conversation_keeps_its_order);
    tcase_add_test(tcase, only_a_leased_an_unsettled_or_a_conversation_wide_wait_fixes_its_place);
    tcase_add_test(tcase, the_ready_queue_gives_the_earliest_deadline_then_the_oldest_whatever_was_removed);
    tcase_add_test(tcase, timers_come_in_order_of_time_and_rank_and_each_owner_has_at_most_one);
    tcase_add_test(tcase, the_index_finds_what_is_in_it_while_it_grows);
    tcase_add_test(tcase, the_index_keeps_all_that_share_a_hash);
    tcase_add_test(tcase, an_index_that_may_grow_no_more_goes_on);
    tcase_add_test(tcase, jobs_of_a_conversation_go_by_class_then_arrival_whatever_is_cancelled_or_returned);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
