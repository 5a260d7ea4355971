/* world_chats.c — chats: found by line and recipients, opened, and made before anybody asked. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "tools/sandbox/world.h"

/* ---- finding ---- */

static bool chat_is(const struct world *world, uint32_t chat, uint32_t line, size_t count,
                    const char (*handles)[HANDLE_MAX_BYTES + 1])
{
    const struct world_chat *entry = &world->chats[chat];
    if (entry->line != line || entry->seat_count != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(world->recipients[world->seats[entry->seat + i].recipient].handle, handles[i]) != 0)
            return false;
    }
    return true;
}

static uint64_t hash_add(uint64_t hash, const char *handle)
{
    return XXH3_64bits_withSeed(handle, strlen(handle), hash);
}

uint32_t world_chat_find(const struct world *world, uint32_t line, size_t count,
                         const char (*handles)[HANDLE_MAX_BYTES + 1])
{
    uint64_t hash = line;
    for (size_t i = 0; i < count; i++)
        hash = hash_add(hash, handles[i]);
    size_t place = SIZE_MAX;
    for (;;) {
        uint32_t chat = sandbox_index_next(&world->by_chat, hash, &place);
        if (chat == WORLD_NONE || chat_is(world, chat, line, count, handles))
            return chat;
    }
}

bool world_chat_has(const struct world *world, uint32_t chat, uint32_t recipient)
{
    const struct world_chat *entry = &world->chats[chat];
    for (uint32_t i = 0; i < entry->seat_count; i++) {
        if (world->seats[entry->seat + i].recipient == recipient)
            return true;
    }
    return false;
}

/* ---- opening ---- */

bool world_chat_prepare(struct world *world, size_t count)
{
    while (world->seat_room - world->seat_count < count) {
        if (!world_grow(&world->seats, &world->seat_room, world->seat_room, sizeof *world->seats))
            return false;
    }
    return world_grow(&world->chats, &world->chat_room, world->chat_count, sizeof *world->chats) &&
           sandbox_index_reserve(&world->by_chat);
}

uint32_t world_chat_open(struct world *world, uint32_t line, size_t count, const uint32_t *recipients,
                         int64_t now_wall_ms)
{
    uint32_t chat = world->chat_count++;
    uint64_t hash = line;
    world->chats[chat] = (struct world_chat){.line = line,
                                             .older = world->lines[line].newest_chat,
                                             .seat = world->seat_count,
                                             .seat_count = (uint32_t)count,
                                             .newest_message = WORLD_NONE,
                                             .health = CHAT_HEALTHY,
                                             .created_wall_ms = now_wall_ms,
                                             .updated_wall_ms = now_wall_ms,
                                             .health_wall_ms = now_wall_ms};
    for (size_t i = 0; i < count; i++) {
        struct world_recipient *recipient = &world->recipients[recipients[i]];
        world->seats[world->seat_count] =
            (struct world_seat){.recipient = recipients[i], .chat = chat, .older = recipient->seat};
        recipient->seat = world->seat_count++;
        hash = hash_add(hash, recipient->handle);
    }
    world->lines[line].newest_chat = chat;
    world->lines[line].chats++;
    sandbox_index_add(&world->by_chat, hash, chat);
    return chat;
}

/* ---- a past ---- */

/* The nth place of a sequence that fills 0 to 1 evenly, however long it gets: multiples of an irrational number. */
static double spread(double irrational, uint32_t n)
{
    double at = irrational * ((double)n + 1);
    return at - floor(at);
}

static enum chat_health past_health(const struct world_past *past, uint32_t n)
{
    double at = spread(0.6180339887498949, n); /* the golden ratio's */
    if ((at -= past->opted_out) < 0)
        return CHAT_OPTED_OUT;
    if ((at -= past->critical) < 0)
        return CHAT_CRITICAL;
    return at < past->at_risk ? CHAT_AT_RISK : CHAT_HEALTHY;
}

static bool past_is_group(const struct world_past *past, uint32_t n)
{
    return spread(0.4142135623730951, n) < past->group; /* the square root of two's: not in step with the other */
}

static int handle_order(const void *a, const void *b)
{
    return strcmp(a, b);
}

enum err world_chat_preload(struct world *world, uint32_t line, const struct world_past *past, uint32_t n,
                            uint64_t *number, int64_t now_wall_ms)
{
    char handles[WORLD_PAST_GROUP][HANDLE_MAX_BYTES + 1];
    uint32_t recipients[WORLD_PAST_GROUP];
    size_t count = past_is_group(past, n) ? WORLD_PAST_GROUP : 1;
    for (size_t i = 0; i < count; i++)
        snprintf(handles[i], sizeof handles[i], "+%" PRIu64, (*number)++);
    qsort(handles, count, sizeof handles[0], handle_order); /* +999 comes after +1000 */
    for (size_t i = 0; i < count; i++) {
        recipients[i] = world_recipient_add(world, handles[i]);
        if (recipients[i] == WORLD_NONE)
            return ERR_NO_MEMORY;
    }
    if (world_chat_find(world, line, count, handles) != WORLD_NONE)
        return ERR_EXISTS;
    if (!world_chat_prepare(world, count))
        return ERR_NO_MEMORY;
    int64_t age_ms = past->span_ms - (int64_t)((double)past->span_ms * (double)n / past->count);
    struct world_chat *chat = &world->chats[world_chat_open(world, line, count, recipients, now_wall_ms - age_ms)];
    chat->health = past_health(past, n);
    if (count == 1 && chat->health == CHAT_OPTED_OUT)
        world->recipients[recipients[0]].opted_out = true;
    return ERR_NONE;
}
