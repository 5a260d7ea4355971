/* pair.c — see pair.h. Counts in buckets of five seconds: may count up to five seconds too much, never too little. */
#include "broker/core/pair.h"

#define BUCKET_S 5
#define LOOK_MAX 8 /* entries that are looked at for one that is over: the hand of a clock */

static int64_t bucket_of(int64_t wall_ms)
{
    return wall_ms / 1000 / BUCKET_S;
}

static int64_t last_bucket(const struct conversation *conversation)
{
    return bucket_of(moment_ms(conversation->last_out));
}

/* A minute apart at most. What lies further ahead is of a clock that went back since, and means nothing. */
static bool near(int64_t earlier, int64_t later)
{
    return earlier + PAIR_BUCKETS > later && earlier <= later + 1;
}

static uint64_t conversation_of(const void *slots, uint32_t slot)
{
    return ((const struct pair_minute *)slots)[slot].conversation;
}

static uint32_t *next_of(void *slots, uint32_t slot)
{
    return &((struct pair_minute *)slots)[slot].next;
}

void index_pairs(struct core *core, uint32_t *heads, uint32_t heads_max)
{
    index_init(&core->by_pair, heads, heads_max, core->pairs, conversation_of, next_of);
}

static const struct pair_minute *entry_of(const struct core *core, uint32_t at)
{
    uint32_t slot = index_find(&core->by_pair, at);
    return slot == 0 ? NULL : &core->pairs[slot];
}

/* The nth slot from the hand on. */
static uint32_t slot_at_hand(const struct core *core, uint32_t n)
{
    return 1 + (core->pair_hand + n) % PAIRS_MAX;
}

/* A slot that can be had; 0: none at hand. */
static uint32_t spare_slot(const struct core *core, int64_t bucket)
{
    if (core->pairs_used < PAIRS_MAX)
        return core->pairs_used + 1;
    for (uint32_t n = 0; n < LOOK_MAX; n++)
        if (!near(core->pairs[slot_at_hand(core, n)].newest, bucket))
            return slot_at_hand(core, n);
    return 0;
}

static uint32_t take_slot(struct core *core, int64_t bucket)
{
    uint32_t slot = spare_slot(core, bucket);
    if (slot != 0 && slot > core->pairs_used)
        core->pairs_used = slot;
    else if (slot != 0)
        index_remove(&core->by_pair, slot);
    core->pair_hand = slot != 0 ? slot % PAIRS_MAX : (core->pair_hand + LOOK_MAX) % PAIRS_MAX;
    return slot;
}

static void count(struct pair_minute *pair, int64_t bucket)
{
    if (bucket > pair->newest) {
        for (int64_t b = pair->newest + 1; b <= bucket && b <= pair->newest + PAIR_BUCKETS; b++)
            pair->count[b % PAIR_BUCKETS] = 0;
        pair->newest = bucket;
    }
    uint16_t *at = &pair->count[bucket % PAIR_BUCKETS];
    if (bucket + PAIR_BUCKETS > pair->newest && *at < UINT16_MAX)
        (*at)++;
}

static unsigned used_of(const struct pair_minute *pair, int64_t bucket)
{
    unsigned used = 0;
    for (int64_t b = pair->newest - PAIR_BUCKETS + 1; b <= pair->newest; b++)
        if (near(b, bucket))
            used += pair->count[b % PAIR_BUCKETS];
    return used;
}

static int64_t end_of_minute(int64_t bucket)
{
    return (bucket + PAIR_BUCKETS) * BUCKET_S * 1000;
}

static int64_t limit_of(const struct core *core, uint32_t at)
{
    return core->pools[core->conversations[at].pool].policy.pair_per_min;
}

int64_t pair_free_at(const struct core *core, uint32_t at, struct instant now)
{
    const struct conversation *conversation = &core->conversations[at];
    int64_t limit = limit_of(core, at);
    int64_t bucket = bucket_of(now.wall_ms);
    int64_t last = last_bucket(conversation);
    if (limit == 0)
        return 0;
    const struct pair_minute *pair = entry_of(core, at);
    if (pair == NULL) {
        if (!near(last, bucket))
            return 0;
        bool lost = moment_ms(conversation->last_out) <= core->pairs_lost_ms;
        return limit > 1 && !lost && spare_slot(core, bucket) != 0 ? 0 : end_of_minute(last);
    }
    int64_t too_many = used_of(pair, bucket) - limit + 1;
    for (int64_t b = pair->newest - PAIR_BUCKETS + 1; b <= pair->newest && too_many > 0; b++) {
        if (near(b, bucket))
            too_many -= pair->count[b % PAIR_BUCKETS];
        if (too_many <= 0) /* a restart may have counted what was undone since, but not beyond the last of them */
            return end_of_minute(b < last ? b : last);
    }
    return 0;
}

struct budget_state pair_state(const struct core *core, uint32_t at, struct instant now)
{
    int64_t bucket = bucket_of(now.wall_ms);
    const struct pair_minute *pair = entry_of(core, at);
    unsigned used = pair != NULL ? used_of(pair, bucket) : near(last_bucket(&core->conversations[at]), bucket);
    return (struct budget_state){.used = used, .limit = limit_of(core, at)};
}

/* An entry is made for the second send within a minute; the first one is what last_out says. */
static void note(struct core *core, uint32_t at, int64_t wall_ms)
{
    const struct conversation *conversation = &core->conversations[at];
    int64_t bucket = bucket_of(wall_ms);
    int64_t last = last_bucket(conversation);
    uint32_t slot = index_find(&core->by_pair, at);
    if (slot == 0) {
        if (!near(last, bucket) && !near(bucket, last))
            return;
        slot = take_slot(core, bucket);
        if (slot == 0) {
            if (limit_of(core, at) != 0)
                core->pairs_lost_ms = wall_ms;
            return;
        }
        core->pairs[slot] = (struct pair_minute){.conversation = at, .newest = last};
        core->pairs[slot].count[last % PAIR_BUCKETS] = 1;
        index_insert(&core->by_pair, slot);
    }
    count(&core->pairs[slot], bucket);
}

/* Without a limit too: one may be set while running. */
void pair_spend(struct core *core, uint32_t at, struct instant now)
{
    note(core, at, now.wall_ms);
}

void pair_return(struct core *core, uint32_t at)
{
    uint32_t slot = index_find(&core->by_pair, at);
    int64_t bucket = last_bucket(&core->conversations[at]);
    if (slot == 0 || bucket > core->pairs[slot].newest || bucket + PAIR_BUCKETS <= core->pairs[slot].newest)
        return;
    uint16_t *count = &core->pairs[slot].count[bucket % PAIR_BUCKETS];
    if (*count > 0)
        (*count)--;
}

/* Its entry stays, as one of nobody, until its minute is over and somebody else takes it. */
void pair_forget(struct core *core, uint32_t at)
{
    uint32_t slot = index_find(&core->by_pair, at);
    if (slot == 0)
        return;
    index_remove(&core->by_pair, slot);
    core->pairs[slot].conversation = NOBODY;
    index_insert(&core->by_pair, slot);
}

static void back(struct pair_minute *pair, int64_t bucket)
{
    const struct pair_minute before = *pair;
    for (int64_t ago = 0; ago < PAIR_BUCKETS && ago <= bucket; ago++)
        pair->count[(bucket - ago) % PAIR_BUCKETS] = before.count[(before.newest - ago) % PAIR_BUCKETS];
    pair->newest = bucket;
}

void pairs_back(struct core *core, int64_t wall_ms)
{
    for (uint32_t slot = 1; slot <= core->pairs_used; slot++)
        if (core->pairs[slot].newest > bucket_of(wall_ms))
            back(&core->pairs[slot], bucket_of(wall_ms));
    if (core->pairs_lost_ms > wall_ms)
        core->pairs_lost_ms = wall_ms;
}

/* Also where nothing went out before: tries that never began may have left it an entry, which counts alone then. */
void pair_restore(struct core *core, uint32_t at, int64_t at_ms)
{
    note(core, at, at_ms);
}
