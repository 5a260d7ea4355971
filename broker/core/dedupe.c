/* dedupe.c — see dedupe.h. Ids, events and messages share the ring; their hashes are keyed apart by the edge. */
#include "broker/core/dedupe.h"

#include "broker/core/job.h"

#define HOUR_MS 3600000LL
#define MARKS (sizeof((struct dedupe *)0)->hours / sizeof *((struct dedupe *)0)->hours)
#define FORGET_MAX 4096 /* a slice */
enum { DELIVERY_SHIFT = 1, DELIVERY_MASK = 3u << DELIVERY_SHIFT }; /* of a message: how far it got */
enum { SECOND_LIFE = 1 }; /* its job was final when its window ended, but may have become so only just before; or when that
                           * was is known, and kept for */
enum { KEEP_SHIFT = 8, LINE_SHIFT = KEEP_SHIFT };
/* Above: of an id the hour (of Unix time) until which it is kept, 0: none; of a message 1 + its line, 0: not known. */
#define KEEP_MASK UINT32_C(0xFFFFFF00)

static uint64_t hash_of(const void *slots, uint32_t slot)
{
    return ((const struct remembered *)slots)[slot].id_hash;
}

static uint32_t *next_of(void *slots, uint32_t slot)
{
    return &((struct remembered *)slots)[slot].next;
}

void index_dedupe(struct core *core, uint32_t *heads, uint32_t heads_max)
{
    index_init(&core->dedupe.index, heads, heads_max, core->dedupe.ring, hash_of, next_of);
}

static uint32_t slot_of(const struct dedupe *dedupe, uint64_t position)
{
    return (uint32_t)(1 + position % dedupe->room);
}

const struct remembered *dedupe_find(const struct core *core, uint64_t id_hash)
{
    uint32_t slot = id_hash == 0 ? 0 : index_find(&core->dedupe.index, id_hash);
    return slot == 0 ? NULL : &core->dedupe.ring[slot];
}

static void drop_first(struct core *core)
{
    struct dedupe *dedupe = &core->dedupe;
    assert(dedupe->ring != NULL);
    uint32_t slot = slot_of(dedupe, dedupe->first++);
    if (dedupe->ring[slot].id_hash != 0)
        index_remove(&dedupe->index, slot);
    dedupe->ring[slot].id_hash = 0;
}

/* A mark an hour, or as many hours apart as the longest window needs for its marks to reach over it. */
static void mark_hour(struct dedupe *dedupe, int64_t window_ms, int64_t wall_ms)
{
    int64_t step = window_ms / HOUR_MS / (int64_t)(MARKS - 2) + 1;
    int64_t hour = wall_ms / HOUR_MS / step * step;
    uint32_t last = (dedupe->mark_first + dedupe->mark_count - 1) % MARKS;
    if (dedupe->mark_count > 0 && dedupe->hours[last] >= hour)
        return;
    if (dedupe->mark_count == MARKS) { /* merge the two oldest hours: the older is kept a little longer */
        dedupe->marks[(dedupe->mark_first + 1) % MARKS] = dedupe->marks[dedupe->mark_first];
        dedupe->mark_first = (dedupe->mark_first + 1) % MARKS;
        dedupe->mark_count--;
    }
    uint32_t at = (dedupe->mark_first + dedupe->mark_count++) % MARKS;
    dedupe->hours[at] = hour;
    dedupe->marks[at] = dedupe->end;
}

static void append(struct core *core, const struct remembered *value, int64_t wall_ms)
{
    struct dedupe *dedupe = &core->dedupe;
    if (dedupe->end - dedupe->first == dedupe->room) {
        drop_first(core);
        dedupe->dropped_early++;
    }
    assert(dedupe->ring != NULL);
    mark_hour(dedupe, core->dedupe_window_ms, wall_ms);
    uint32_t slot = slot_of(dedupe, dedupe->end++);
    dedupe->ring[slot] = *value;
    index_insert(&dedupe->index, slot);
}

void dedupe_remember(struct core *core, uint64_t id_hash, uint64_t number, uint64_t content_hash, int64_t wall_ms)
{
    struct remembered value = {.id_hash = id_hash, .number = number, .content_hash = content_hash};
    if (id_hash != 0)
        append(core, &value, wall_ms);
}

void dedupe_restore(struct core *core, uint64_t id_hash, uint64_t number, uint64_t content_hash, int64_t wall_ms)
{
    uint32_t slot = id_hash == 0 ? 0 : index_find(&core->dedupe.index, id_hash);
    if (slot != 0 && core->dedupe.ring[slot].number >= number)
        return;
    if (slot != 0) {
        index_remove(&core->dedupe.index, slot);
        core->dedupe.ring[slot].id_hash = 0;
    }
    dedupe_remember(core, id_hash, number, content_hash, wall_ms);
}

/* The other job ended before that, and its end is kept for as long, and for a part of that longer where it is gathered with
 * younger ones. */
void dedupe_keep(struct core *core, uint64_t id_hash, int64_t accepted_at_ms)
{
    uint32_t slot = id_hash == 0 ? 0 : index_find(&core->dedupe.index, id_hash);
    int64_t until_ms = accepted_at_ms + 2 * conf_history_ms(&core->conf->store);
    if (slot == 0 || until_ms < 0)
        return;
    struct remembered *known = &core->dedupe.ring[slot];
    known->flags = (known->flags & ~KEEP_MASK) | ((uint32_t)(until_ms / HOUR_MS) << KEEP_SHIFT & KEEP_MASK);
}

/* That its window is over is known then, so it has no second one. */
void dedupe_restore_end(struct core *core, uint64_t id_hash, uint64_t number, int64_t ended_at_ms)
{
    uint32_t slot = id_hash == 0 ? 0 : index_find(&core->dedupe.index, id_hash);
    struct remembered *known = &core->dedupe.ring[slot];
    uint32_t until = (uint32_t)((ended_at_ms + core->dedupe_window_ms) / HOUR_MS + 1) << KEEP_SHIFT & KEEP_MASK;
    if (slot == 0 || known->number != number || ended_at_ms <= 0 || until <= (known->flags & KEEP_MASK))
        return;
    known->flags = (known->flags & ~KEEP_MASK) | until | SECOND_LIFE;
}

void dedupe_live_again(struct core *core, uint64_t id_hash, uint64_t number)
{
    uint32_t slot = id_hash == 0 ? 0 : index_find(&core->dedupe.index, id_hash);
    if (slot != 0 && core->dedupe.ring[slot].number == number)
        core->dedupe.ring[slot].flags &= ~(uint32_t)SECOND_LIFE;
}

bool dedupe_remember_event(struct core *core, uint64_t event, struct instant now, struct effects *out)
{
    if (dedupe_find(core, event) != NULL)
        return false;
    dedupe_remember(core, event, 0, 0, now.wall_ms);
    struct change *change = change_add(out, CHANGE_SEEN);
    change->seen = (struct change_seen){.event = event, .at_ms = now.wall_ms};
    change->event.at_ms = now.wall_ms;
    return true;
}

void dedupe_remember_message(struct core *core, uint64_t message, uint64_t number, uint32_t line, int64_t wall_ms)
{
    if (dedupe_find(core, message) == NULL)
        dedupe_remember(core, message, number, 0, wall_ms);
    uint32_t slot = index_find(&core->dedupe.index, message);
    struct remembered *known = &core->dedupe.ring[slot];
    if (slot != 0 && line != NO_LINE && known->number == number && known->flags >> LINE_SHIFT == 0)
        known->flags |= (line + 1) << LINE_SHIFT;
}

/* A message that was reported failed may be delivered after all; what was read was delivered. */
static unsigned delivery_rank(enum delivery delivery)
{
    static const unsigned ranks[DELIVERY_COUNT] = {
        [DELIVERY_NONE] = 0, [DELIVERY_FAILED] = 1, [DELIVERY_DELIVERED] = 2, [DELIVERY_READ] = 3};
    return ranks[delivery];
}

bool dedupe_deliver(struct core *core, uint64_t message, uint64_t number, uint32_t line, enum delivery delivery,
                    int64_t wall_ms)
{
    if (message == 0) /* of a message without a name nothing can be remembered */
        return true;
    dedupe_remember_message(core, message, number, line, wall_ms);
    uint32_t slot = index_find(&core->dedupe.index, message);
    struct remembered *known = &core->dedupe.ring[slot];
    unsigned rank = delivery_rank(delivery);
    if (slot == 0 || rank <= (known->flags & DELIVERY_MASK) >> DELIVERY_SHIFT)
        return slot == 0;
    known->flags = (known->flags & ~(uint32_t)DELIVERY_MASK) | rank << DELIVERY_SHIFT;
    return true;
}

uint64_t dedupe_message_job(const struct core *core, uint64_t message)
{
    const struct remembered *found = dedupe_find(core, message);
    return found == NULL ? 0 : found->number;
}

uint32_t dedupe_message_line(const struct core *core, uint64_t message, uint64_t number)
{
    const struct remembered *found = dedupe_find(core, message);
    bool is_told = found != NULL && found->number == number && found->flags >> LINE_SHIFT != 0;
    return is_told ? (found->flags >> LINE_SHIFT) - 1 : NO_LINE;
}

/* Its window is over: gone, or (a job that still lives, or ended at some unknown moment of the window) once more. */
static void renew_or_forget(struct core *core, struct instant now)
{
    struct dedupe *dedupe = &core->dedupe;
    struct remembered value = dedupe->ring[slot_of(dedupe, dedupe->first)];
    drop_first(core);
    if (value.id_hash == 0)
        return;
    bool lives = job_find(core, value.number) != NOBODY;
    bool is_id = value.content_hash != 0;
    bool ended = (value.flags & SECOND_LIFE) != 0;
    int64_t hour = now.wall_ms / HOUR_MS, until = is_id ? value.flags >> KEEP_SHIFT : 0;
    bool ahead = ended && until > hour + core->dedupe_window_ms / HOUR_MS + 1; /* the clock was, when it ended */
    bool kept = until > hour && !ahead;
    bool once_more = is_id && (!ended || ahead);
    if (!lives && !kept && !once_more)
        return;
    bool has_second = !lives && (ended || !kept);
    value.flags = (value.flags & (DELIVERY_MASK | (ahead ? 0 : KEEP_MASK))) | (has_second ? SECOND_LIFE : 0);
    append(core, &value, now.wall_ms);
}

void dedupe_back(struct core *core, int64_t wall_ms)
{
    struct dedupe *dedupe = &core->dedupe;
    for (uint32_t i = 0; i < dedupe->mark_count; i++) {
        int64_t *hour = &dedupe->hours[(dedupe->mark_first + i) % MARKS];
        if (*hour > wall_ms / HOUR_MS)
            *hour = wall_ms / HOUR_MS;
    }
}

void dedupe_forget(struct core *core, struct instant now)
{
    struct dedupe *dedupe = &core->dedupe;
    int64_t keep = (now.wall_ms - core->dedupe_window_ms) / HOUR_MS;
    unsigned done = 0;
    while (dedupe->mark_count > 0 && dedupe->hours[dedupe->mark_first] < keep) {
        uint64_t until = dedupe->mark_count > 1 ? dedupe->marks[(dedupe->mark_first + 1) % MARKS] : dedupe->end;
        while (dedupe->first < until) {
            if (done++ == FORGET_MAX) {
                mono_timer(core, MONO_FORGET, 0, now.mono_ms + 1);
                return;
            }
            renew_or_forget(core, now);
        }
        dedupe->mark_first = (dedupe->mark_first + 1) % MARKS;
        dedupe->mark_count--;
    }
    mono_timer(core, MONO_FORGET, 0, now.mono_ms + HOUR_MS / 4);
}
