/* outbox.c — a ring that grows, see outbox.h. */
#include "broker/edge/outbox.h"

#include <stdlib.h>

struct entry {
    uint64_t commit;
    struct effect effect;
};

struct outbox {
    struct entry *entries;
    size_t room;  /* a power of two */
    size_t first; /* counts on and on; taken modulo room */
    size_t bound, end;
};

struct outbox *outbox_new(void)
{
    struct outbox *outbox = calloc(1, sizeof *outbox);
    if (outbox == NULL)
        return NULL;
    outbox->room = 1024;
    outbox->entries = calloc(outbox->room, sizeof *outbox->entries);
    if (outbox->entries == NULL)
        outbox_free(&outbox);
    return outbox;
}

void outbox_free(struct outbox **outbox_p)
{
    if (*outbox_p != NULL)
        free((*outbox_p)->entries);
    free(*outbox_p);
    *outbox_p = NULL;
}

bool outbox_waits(enum effect_kind kind)
{
    return kind != EFFECT_REVOKE && kind != EFFECT_UNKNOWN_WORKER && kind != EFFECT_POLL && kind != EFFECT_ALERT;
}

static enum err grow(struct outbox *outbox)
{
    struct entry *entries = calloc(outbox->room * 2, sizeof *entries);
    if (entries == NULL)
        return ERR_NO_MEMORY;
    for (size_t at = outbox->first; at < outbox->end; at++)
        entries[at & (outbox->room * 2 - 1)] = outbox->entries[at & (outbox->room - 1)];
    free(outbox->entries);
    outbox->entries = entries;
    outbox->room *= 2;
    return ERR_NONE;
}

enum err outbox_add(struct outbox *outbox, const struct effect *effect)
{
    if (outbox->end - outbox->first == outbox->room && grow(outbox) != ERR_NONE)
        return ERR_NO_MEMORY;
    outbox->entries[outbox->end++ & (outbox->room - 1)] = (struct entry){.effect = *effect};
    return ERR_NONE;
}

void outbox_bind(struct outbox *outbox, uint64_t commit)
{
    for (; outbox->bound < outbox->end; outbox->bound++)
        outbox->entries[outbox->bound & (outbox->room - 1)].commit = commit;
}

bool outbox_take(struct outbox *outbox, uint64_t durable, struct effect *out)
{
    if (outbox->first == outbox->bound)
        return false;
    const struct entry *entry = &outbox->entries[outbox->first & (outbox->room - 1)];
    if (entry->commit > durable)
        return false;
    *out = entry->effect;
    outbox->first++;
    return true;
}

size_t outbox_count(const struct outbox *outbox)
{
    return outbox->end - outbox->first;
}
