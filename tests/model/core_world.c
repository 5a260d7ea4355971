/* core_world.c — see core_world.h. */
#include "core_world.h"

#include <string.h>

#define LEASE_SAFE_MS    5000 /* shorter than any lease: by then a request has ended */
#define BEAT_ANSWERED_MS 3000

static uint64_t mixed(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

void world_init(struct world *world, uint64_t seed)
{
    memset(world, 0, sizeof *world);
    world->random = mixed(mixed(seed + 1) + 1); /* so that no two seeds draw the same numbers a step apart */
    for (int l = 0; l < NAIVE_LINES; l++)
        world->words[l] = REPUTATION_HEALTHY;
}

uint64_t world_draw(struct world *world, uint64_t below)
{
    return mixed(world->random += 0x9E3779B97F4A7C15u) % below;
}

/* A set of pairs, never emptied: open addressing. */
#define SLOT(table, wanted)                                                                                          \
    __extension__({                                                                                                  \
        uint64_t slot_ = ((wanted)*UINT64_C(0x9E3779B97F4A7C15)) >> 46;                                              \
        while ((table)[slot_].key != 0 && (table)[slot_].key != (wanted))                                            \
            slot_ = (slot_ + 1) % WORLD_SET;                                                                         \
        slot_;                                                                                                       \
    })

bool world_begun(const void *self, uint64_t lease)
{
    const struct world *world = self;
    return world->begun[SLOT(world->begun, lease)].key == lease;
}

bool world_provider_has(const void *self, uint64_t number)
{
    const struct world *world = self;
    return world->taken[SLOT(world->taken, number)].key == number;
}

void world_note_job(struct world *world, uint64_t number, uint32_t conversation)
{
    uint64_t slot = SLOT(world->conversation, number);
    world->conversation[slot].key = number;
    world->conversation[slot].value = conversation;
}

uint32_t world_conversation_of(const struct world *world, uint64_t number)
{
    uint64_t slot = SLOT(world->conversation, number);
    if (world->conversation[slot].key != number)
        naive_refuse("job %llu is leased but was never accepted", (unsigned long long)number);
    return (uint32_t)world->conversation[slot].value;
}

uint64_t world_recipient_of(void *self, uint64_t number)
{
    return naive_recipient(world_conversation_of(self, number));
}

static void drop(struct world *world, size_t i)
{
    world->held[i] = world->held[--world->held_count];
}

static struct held *find(struct world *world, uint64_t lease)
{
    for (size_t i = 0; i < world->held_count; i++)
        if (world->held[i].lease == lease)
            return &world->held[i];
    return NULL;
}

static void hear_job(struct world *world, const struct rig *rig, struct naive *naive, const struct effect *effect)
{
    struct lease_view view;
    struct world_worker *worker = &world->workers[effect->peer - 1];
    if (!core_lease_view(rig->core, effect->lease, &view))
        return; /* over again within the same step */
    struct naive_job *job = naive_job(naive, view.number);
    if (job == NULL || job->place != NAIVE_LEASED || job->lease != effect->lease)
        naive_refuse("lease %llu is handed out but not the model's", (unsigned long long)effect->lease);
    if (naive_is_suppressed(naive, world_recipient_of(world, view.number)) && !job->unsettled)
        naive_refuse("P7: job %llu is handed out for a suppressed recipient", (unsigned long long)view.number);
    if ((worker->pools & 1u << naive_pool_of_line((uint32_t)(view.line - RIG_LINE))) == 0)
        naive_refuse("P9: lease %llu is handed to a worker whose key does not name its pool",
                     (unsigned long long)effect->lease);
    if (view.unsettled != job->unsettled)
        naive_refuse("job %llu is handed out with unsettled %d", (unsigned long long)view.number, view.unsettled);
    if (worker->instance == 0 || world->held_count == WORLD_HELD)
        return; /* nobody hears it */
    world->held[world->held_count++] = (struct held){.lease = effect->lease,
                                                     .number = view.number,
                                                     .worker = effect->peer - 1,
                                                     .line = (uint32_t)(view.line - RIG_LINE),
                                                     .told_ms = rig->now.wall_ms};
}

static void hear_alert(struct world *world, struct naive *naive, const struct effect *effect)
{
    world->alerts[effect->alert]++;
    if (effect->alert == ALERT_BREAKER_OPEN || effect->alert == ALERT_BREAKER_CLOSED)
        naive->broken[effect->account] = effect->alert == ALERT_BREAKER_OPEN;
}

void world_hear(struct world *world, const struct rig *rig, struct naive *naive)
{
    for (size_t i = 0; i < rig->told_count; i++) {
        const struct effect *effect = &rig->told[i];
        bool of_lease = effect->kind == EFFECT_REVOKE || effect->kind == EFFECT_DONE;
        struct held *held = of_lease ? find(world, effect->lease) : NULL;
        if (effect->kind == EFFECT_JOB)
            hear_job(world, rig, naive, effect);
        else if (effect->kind == EFFECT_REVOKE && held != NULL)
            held->revoked = true;
        else if (effect->kind == EFFECT_DONE && held != NULL)
            drop(world, (size_t)(held - world->held));
        else if (effect->kind == EFFECT_ALERT)
            hear_alert(world, naive, effect);
        else if (effect->kind == EFFECT_UNKNOWN_WORKER)
            world->workers[effect->peer - 1].ready = false;
    }
}

void world_kill(struct world *world, uint32_t worker)
{
    world->workers[worker].instance = 0;
    world->workers[worker].ready = false;
    for (size_t i = world->held_count; i-- > 0;)
        if (world->held[i].worker == worker)
            drop(world, i);
}

/* Half of them may do everything; the others have a key for some pools, perhaps another one each time, perhaps none. */
static size_t draw_pools(struct world *world, struct world_worker *worker, uint32_t out[NAIVE_POOLS])
{
    size_t count = 0;
    worker->pools = (1u << NAIVE_POOLS) - 1;
    if (!world->good && world_draw(world, 2) == 0)
        worker->pools = (uint32_t)world_draw(world, 1u << NAIVE_POOLS);
    for (uint32_t p = 0; p < NAIVE_POOLS; p++)
        if ((worker->pools & 1u << p) != 0)
            out[count++] = p;
    return count;
}

void world_ready(struct world *world, uint32_t w, struct rig *rig)
{
    struct world_worker *worker = &world->workers[w];
    uint64_t named[WORLD_HELD];
    uint32_t pools[NAIVE_POOLS];
    struct core_ready ready = {
        .peer = w + 1, .slots = 2 + (uint32_t)world_draw(world, 8), .leases = named, .worker = "w"};
    if (worker->instance == 0)
        worker->instance = ++world->instances;
    for (size_t i = world->held_count; i-- > 0;) {
        const struct held *held = &world->held[i];
        if (held->worker != w)
            continue;
        if (held->begun || held->answered)
            named[ready.lease_count++] = held->lease;
        else
            drop(world, i);
    }
    ready.instance = worker->instance;
    ready.pools = pools;
    ready.pool_count = draw_pools(world, worker, pools);
    ready.some_pools = ready.pool_count < NAIVE_POOLS;
    worker->ready = true;
    worker->beat_ms = rig->now.wall_ms;
    core_worker_ready(rig->core, &ready, rig->now, &rig->out);
}

/* A second try of a job whose first one was believed meanwhile is absorbed by its key: that one does not count. */
static void check_alone(const struct world *world, struct naive *naive, const struct held *held, int64_t now_ms)
{
    uint32_t conversation = world_conversation_of(world, held->number);
    for (size_t i = 0; i < world->held_count; i++) {
        const struct held *other = &world->held[i];
        bool on_the_wire = other->begun && !other->answered && now_ms - other->told_ms < LEASE_SAFE_MS &&
                           naive_job(naive, other->number) != NULL;
        if (other != held && on_the_wire && world_conversation_of(world, other->number) == conversation)
            naive_refuse("P2: leases %llu (job %llu) and %llu (job %llu) of conversation %u are on the wire",
                         (unsigned long long)other->lease, (unsigned long long)other->number,
                         (unsigned long long)held->lease, (unsigned long long)held->number, conversation);
    }
}

void world_begin_some(struct world *world, const struct rig *rig, struct naive *naive)
{
    int64_t now_ms = rig->now.wall_ms;
    for (size_t i = 0; i < world->held_count; i++) {
        struct held *held = &world->held[i];
        const struct world_worker *worker = &world->workers[held->worker];
        bool may = !held->begun && !held->answered && !held->revoked && now_ms - worker->beat_ms < BEAT_ANSWERED_MS &&
                   now_ms - held->told_ms < LEASE_SAFE_MS;
        if (!may || (!world->good && world_draw(world, 100) < 40))
            continue;
        check_alone(world, naive, held, now_ms);
        held->begun = true;
        uint64_t slot = SLOT(world->begun, held->lease);
        world->begun[slot].key = held->lease;
        if (world->good || (!world->storm && world_draw(world, 100) < 85)) {
            const struct naive_job *job = naive_job(naive, held->number);
            if (job == NULL && !world_provider_has(world, held->number))
                naive_refuse("P7: job %llu is sent after its end", (unsigned long long)held->number);
            slot = SLOT(world->taken, held->number);
            world->taken[slot].key = held->number;
        }
    }
}

static void draw_failure(struct world *world, struct core_result *result)
{
    uint64_t what = world_draw(world, 100);
    result->outcome = what < 25 ? OUTCOME_REJECTED : OUTCOME_RETRY;
    result->http_status = what < 60 ? 503 : 429;
    if (what < 6)
        result->suppress = world_draw(world, 2) == 0 ? SUPPRESS_OPTED_OUT : SUPPRESS_BLOCKED;
    result->unknown = what >= 85;
    result->scope = what < 60 ? SCOPE_JOB : (enum scope)world_draw(world, SCOPE_COUNT);
    if (world_draw(world, 3) == 0)
        result->retry_after_ms = (int64_t)world_draw(world, 4000);
    if (what >= 25 && what < 28) {
        result->line_flagged = true;
        result->scope = SCOPE_LINE;
        result->http_status = 403;
    }
    result->forget_chat = what >= 80 && what < 83;
    if (world->storm) {
        *result = (struct core_result){.lease = result->lease,
                                       .outcome = OUTCOME_RETRY,
                                       .retry_after_ms = -1,
                                       .http_status = 503,
                                       .unknown = what < 10};
    } else if (what == 99) {
        result->key_refused = true;
        result->scope = SCOPE_ACCOUNT;
        result->http_status = 401;
        result->unknown = false;
        result->retry_after_ms = 0;
    }
}

static void draw_result(struct world *world, struct held *held)
{
    struct core_result *result = &held->result;
    uint32_t conversation = world_conversation_of(world, held->number);
    *result = (struct core_result){.lease = held->lease,
                                   .outcome = OUTCOME_SENT,
                                   .retry_after_ms = -1,
                                   .http_status = 201,
                                   .chat_hash = 900000 + conversation,
                                   .message_hash = held->number + (UINT64_C(1) << 61)};
    if (!held->begun) {
        result->outcome = OUTCOME_RETURNED;
    } else if (!world_provider_has(world, held->number)) {
        result->chat_hash = result->message_hash = 0;
        draw_failure(world, result);
    } else if (!world->good && world_draw(world, 100) < 10) { /* the answer was lost */
        *result = (struct core_result){
            .lease = held->lease, .outcome = OUTCOME_RETRY, .unknown = true, .retry_after_ms = -1};
        result->malformed = world_draw(world, 10) == 0;
    }
    result->recipient = result->suppress == SUPPRESS_NONE ? 0 : naive_recipient(conversation);
    result->handle = naive_handle(conversation);
}

struct held *world_answer(struct world *world, const struct rig *rig, struct core_result *out)
{
    if (world->held_count == 0)
        return NULL;
    struct held *held = &world->held[world_draw(world, world->held_count)];
    const struct world_worker *worker = &world->workers[held->worker];
    bool over = rig->now.wall_ms - held->told_ms >= LEASE_SAFE_MS;
    if (!held->begun && !held->revoked && !held->answered && !over && world_draw(world, 100) < 80)
        return NULL; /* it goes on */
    if (!held->answered)
        draw_result(world, held);
    held->answered = true;
    held->result.peer = held->worker + 1;
    (void)worker;
    *out = held->result;
    return held;
}

enum reputation world_turn_line(struct world *world, uint32_t line)
{
    uint64_t what = world_draw(world, 100);
    world->words[line] = what < 55   ? REPUTATION_HEALTHY
                         : what < 75 ? REPUTATION_AT_RISK
                         : what < 92 ? REPUTATION_CRITICAL
                                     : REPUTATION_UNKNOWN;
    return world->words[line];
}

void world_begin_poll(struct world *world, uint32_t account, const struct rig *rig)
{
    struct world_poll *poll = &world->polls[account];
    poll->under_way = true;
    poll->begun_mono_ms = rig->now.mono_ms;
    for (uint32_t l = 0; l < NAIVE_LINES; l++) {
        if (world->good || world_draw(world, 100) < 8)
            world->words[l] = REPUTATION_HEALTHY;
        else if (world_draw(world, 100) < 2)
            world_turn_line(world, l);
        poll->words[l] = world->words[l];
    }
}

void world_crash(struct world *world)
{
    for (int w = 0; w < WORLD_WORKERS; w++)
        world->workers[w].ready = false;
    world->polls[0].under_way = world->polls[1].under_way = false;
}
