/* world.c — lines, recipients and ids; chats are in world_chats.c, sending in world_send.c. */
#include "tools/sandbox/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct world *world_new(const struct world_settings *settings)
{
    struct world *world = calloc(1, sizeof *world);
    if (world != NULL)
        world->settings = *settings;
    return world;
}

void world_free(struct world **world_p)
{
    struct world *world = *world_p;
    if (world == NULL)
        return;
    for (uint32_t i = 0; i < world->recipient_count; i++)
        free(world->recipients[i].handle);
    for (uint32_t i = 0; i < world->message_count; i++) {
        free(world->messages[i].parts);
        free(world->messages[i].key);
    }
    for (uint32_t i = 0; i < world->pair_count; i++)
        free(world->pairs[i].mono_ms);
    free(world->lines);
    free(world->recipients);
    free(world->seats);
    free(world->chats);
    free(world->messages);
    free(world->pairs);
    sandbox_index_free(&world->by_number);
    sandbox_index_free(&world->by_handle);
    sandbox_index_free(&world->by_chat);
    sandbox_index_free(&world->by_key);
    sandbox_index_free(&world->by_pair);
    free(world);
    *world_p = NULL;
}

bool world_grow(void *array_p, uint32_t *room, uint32_t count, size_t size)
{
    if (count < *room)
        return true;
    uint32_t more = *room == 0 ? 64 : *room * 2;
    if (more <= *room)
        return false;
    void **array = array_p;
    void *grown = realloc(*array, more * size);
    if (grown == NULL)
        return false;
    *array = grown;
    *room = more;
    return true;
}

/* ---- lines ---- */

static uint32_t number_find(const struct world *world, const char *number)
{
    uint64_t hash = XXH3_64bits(number, strlen(number));
    size_t place = SIZE_MAX;
    for (;;) {
        uint32_t line = sandbox_index_next(&world->by_number, hash, &place);
        if (line == WORLD_NONE || strcmp(world->lines[line].number, number) == 0)
            return line;
    }
}

uint32_t world_line_find(const struct world *world, const char *number)
{
    uint32_t line = number_find(world, number);
    return line == WORLD_NONE || world->lines[line].removed ? WORLD_NONE : line;
}

static enum err line_new(struct world *world, const char *number, uint32_t *out)
{
    if (!e164_is_valid(number))
        return ERR_BAD_INPUT;
    if (world->line_count == WORLD_LINES_MAX)
        return ERR_FULL;
    if (!world_grow(&world->lines, &world->line_room, world->line_count, sizeof *world->lines) ||
        !sandbox_index_reserve(&world->by_number))
        return ERR_NO_MEMORY;
    *out = world->line_count++;
    world->lines[*out] = (struct world_line){.removed = true, .newest_chat = WORLD_NONE};
    snprintf(world->lines[*out].number, sizeof world->lines[*out].number, "%s", number);
    sandbox_index_add(&world->by_number, XXH3_64bits(number, strlen(number)), *out);
    return ERR_NONE;
}

enum err world_line_add(struct world *world, const char *number, struct instant now, uint32_t *out)
{
    uint32_t line = number_find(world, number);
    enum err err = line == WORLD_NONE ? line_new(world, number, &line) : ERR_NONE;
    if (err != ERR_NONE)
        return err;
    if (world->lines[line].removed) {
        world->lines[line].removed = false;
        world_line_set(world, line, REPUTATION_HEALTHY, SERVICE_ACTIVE, true, now);
    }
    *out = line;
    return ERR_NONE;
}

void world_line_set(struct world *world, uint32_t line, enum reputation reputation, enum service service, bool listed,
                    struct instant when)
{
    struct world_line *entry = &world->lines[line];
    entry->reputation = reputation;
    entry->service = service;
    if (listed) {
        entry->listed_reputation = reputation;
        entry->listed[entry->listed_count++ % WORLD_LISTED_MAX] =
            (struct world_listed){.mono_ms = when.mono_ms, .reputation = reputation};
    }
    entry->changed_wall_ms = when.wall_ms;
    entry->change++;
}

enum reputation world_line_listed(const struct world *world, uint32_t line, int64_t mono_ms)
{
    const struct world_line *entry = &world->lines[line];
    uint32_t kept = entry->listed_count < WORLD_LISTED_MAX ? entry->listed_count : WORLD_LISTED_MAX;
    enum reputation reputation = entry->listed_reputation;
    for (uint32_t i = 1; i <= kept; i++) { /* newest first */
        const struct world_listed *told = &entry->listed[(entry->listed_count - i) % WORLD_LISTED_MAX];
        reputation = told->reputation; /* a list older than all that is known says the oldest */
        if (told->mono_ms <= mono_ms)
            break;
    }
    return reputation;
}

static bool is_among(uint32_t line, const uint32_t *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (lines[i] == line)
            return true;
    }
    return false;
}

uint32_t world_line_advise(struct world *world, const uint32_t *excluded, size_t excluded_count)
{
    uint32_t best = WORLD_NONE;
    for (uint32_t i = 0; i < world->line_count; i++) {
        const struct world_line *line = &world->lines[i];
        if (line->removed || line->service == SERVICE_FLAGGED || is_among(i, excluded, excluded_count))
            continue;
        if (best == WORLD_NONE || line->reputation < world->lines[best].reputation ||
            (line->reputation == world->lines[best].reputation && line->asked < world->lines[best].asked))
            best = i;
    }
    if (best != WORLD_NONE)
        world->lines[best].asked = ++world->asked;
    return best;
}

void world_line_remove(struct world *world, uint32_t line)
{
    world->lines[line].removed = true;
    world->lines[line].change++;
}

/* ---- recipients ---- */

uint32_t world_recipient_find(const struct world *world, const char *handle)
{
    uint64_t hash = XXH3_64bits(handle, strlen(handle));
    size_t place = SIZE_MAX;
    for (;;) {
        uint32_t recipient = sandbox_index_next(&world->by_handle, hash, &place);
        if (recipient == WORLD_NONE || strcmp(world->recipients[recipient].handle, handle) == 0)
            return recipient;
    }
}

uint32_t world_recipient_add(struct world *world, const char *handle)
{
    uint32_t recipient = world_recipient_find(world, handle);
    if (recipient != WORLD_NONE)
        return recipient;
    char *copy = strdup(handle);
    if (copy == NULL ||
        !world_grow(&world->recipients, &world->recipient_room, world->recipient_count, sizeof *world->recipients) ||
        !sandbox_index_reserve(&world->by_handle)) {
        free(copy);
        return WORLD_NONE;
    }
    recipient = world->recipient_count++;
    world->recipients[recipient] = (struct world_recipient){.handle = copy, .seat = WORLD_NONE};
    sandbox_index_add(&world->by_handle, XXH3_64bits(copy, strlen(copy)), recipient);
    return recipient;
}

/* ---- ids ---- */

static const char hex_digits[] = "0123456789abcdef";

/* The last twelve digits are the number, the rest follows from seed, kind and number: so an id leads back to its
 * thing without an index, and an id of another kind or of another run is none. */
void world_id_format(uint64_t seed, enum world_id kind, uint64_t number, char out[WORLD_ID_TEXT_MAX])
{
    uint64_t words[2] = {number, kind};
    uint64_t check = XXH3_64bits_withSeed(words, sizeof words, seed);
    unsigned char bytes[16];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(check >> (8 * i));
    for (int i = 0; i < 8; i++)
        bytes[8 + i] = i < 2 ? (unsigned char)(check >> (8 * i + 4)) : (unsigned char)(number >> (8 * (7 - i)));
    bytes[6] = (unsigned char)((bytes[6] & 0x0F) | 0x40); /* version 4, the RFC 9562 variant */
    bytes[8] = (unsigned char)((bytes[8] & 0x3F) | 0x80);
    char *at = out;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = hex_digits[bytes[i] >> 4];
        *at++ = hex_digits[bytes[i] & 0x0F];
    }
    *at = '\0';
}

bool world_id_parse(uint64_t seed, enum world_id kind, const char *text, uint64_t *out)
{
    if (strlen(text) != WORLD_ID_TEXT_MAX - 1)
        return false;
    uint64_t number = 0;
    for (const char *at = text + 24; *at != '\0'; at++) {
        const char *digit = strchr(hex_digits, *at);
        if (digit == NULL)
            return false;
        number = number << 4 | (uint64_t)(digit - hex_digits);
    }
    char expected[WORLD_ID_TEXT_MAX];
    world_id_format(seed, kind, number, expected);
    if (strcmp(expected, text) != 0)
        return false;
    *out = number;
    return true;
}
