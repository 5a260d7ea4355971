/* outbox.c — two rings that grow, see outbox.h. */
#include "broker/edge/outbox.h"

#include <stdlib.h>

struct entry {
    uint64_t commit;
    struct effect effect;
};

struct ring {
    struct entry *entries;
    size_t room;  /* a power of two */
    size_t first; /* counts on and on; taken modulo room */
    size_t bound, end;
};

struct outbox {
    struct ring waiting; /* for their commits */
    struct ring free;    /* hang on none; all are bound */
};

static bool ring_init(struct ring *ring, size_t room)
{
    ring->room = room;
    ring->entries = calloc(room, sizeof *ring->entries);
    return ring->entries != NULL;
}

static enum err ring_grow(struct ring *ring)
{
    struct entry *entries = calloc(ring->room * 2, sizeof *entries);
    if (entries == NULL)
        return ERR_NO_MEMORY;
    for (size_t at = ring->first; at < ring->end; at++)
        entries[at & (ring->room * 2 - 1)] = ring->entries[at & (ring->room - 1)];
    free(ring->entries);
    ring->entries = entries;
    ring->room *= 2;
    return ERR_NONE;
}

static enum err ring_add(struct ring *ring, const struct effect *effect)
{
    if (ring->end - ring->first == ring->room && ring_grow(ring) != ERR_NONE)
        return ERR_NO_MEMORY;
    ring->entries[ring->end++ & (ring->room - 1)] = (struct entry){.effect = *effect};
    return ERR_NONE;
}

static void ring_bind(struct ring *ring, uint64_t commit)
{
    for (; ring->bound < ring->end; ring->bound++)
        ring->entries[ring->bound & (ring->room - 1)].commit = commit;
}

static bool ring_take(struct ring *ring, uint64_t durable, struct effect *out)
{
    if (ring->first == ring->bound)
        return false;
    const struct entry *entry = &ring->entries[ring->first & (ring->room - 1)];
    if (entry->commit > durable)
        return false;
    *out = entry->effect;
    ring->first++;
    return true;
}

struct outbox *outbox_new(void)
{
    struct outbox *outbox = calloc(1, sizeof *outbox);
    if (outbox != NULL && !(ring_init(&outbox->waiting, 1024) && ring_init(&outbox->free, 64)))
        outbox_free(&outbox);
    return outbox;
}

void outbox_free(struct outbox **outbox_p)
{
    if (*outbox_p != NULL) {
        free((*outbox_p)->waiting.entries);
        free((*outbox_p)->free.entries);
    }
    free(*outbox_p);
    *outbox_p = NULL;
}

bool outbox_waits(enum effect_kind kind)
{
    return kind != EFFECT_REVOKE && kind != EFFECT_UNKNOWN_WORKER && kind != EFFECT_POLL && kind != EFFECT_ALERT &&
           kind != EFFECT_SERVICE;
}

static bool hangs_on_a_commit(const struct effect *effect)
{
    return effect->kind != EFFECT_ENQUEUED || effect->code != CODE_STORE_FULL;
}

enum err outbox_add(struct outbox *outbox, const struct effect *effect)
{
    if (hangs_on_a_commit(effect))
        return ring_add(&outbox->waiting, effect);
    enum err err = ring_add(&outbox->free, effect);
    ring_bind(&outbox->free, 0);
    return err;
}

void outbox_bind(struct outbox *outbox, uint64_t commit)
{
    ring_bind(&outbox->waiting, commit);
}

bool outbox_take(struct outbox *outbox, uint64_t durable, struct effect *out)
{
    return ring_take(&outbox->free, durable, out) || ring_take(&outbox->waiting, durable, out);
}

size_t outbox_count(const struct outbox *outbox)
{
    return outbox->waiting.end - outbox->waiting.first + outbox->free.end - outbox->free.first;
}
