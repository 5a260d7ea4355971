/* texts.c — a table of texts, hashed with XXH3, at most half full. */
#include "tests/audit/texts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

void *audit_room(void *array, size_t count, size_t size)
{
    void *grown = realloc(array, count * size);
    if (grown == NULL) {
        fputs("lineward-audit: out of memory\n", stderr);
        exit(2);
    }
    return grown;
}

static size_t place_of(const struct texts *texts, const char *text)
{
    size_t mask = texts->place_room - 1;
    size_t at = XXH3_64bits(text, strlen(text)) & mask;
    while (texts->places[at] != TEXT_NONE && strcmp(texts->text[texts->places[at]], text) != 0)
        at = (at + 1) & mask;
    return at;
}

static void places_grow(struct texts *texts)
{
    texts->place_room = texts->place_room == 0 ? 256 : texts->place_room * 2;
    texts->places = audit_room(texts->places, texts->place_room, sizeof *texts->places);
    memset(texts->places, 0xFF, texts->place_room * sizeof *texts->places);
    for (uint32_t i = 0; i < texts->count; i++)
        texts->places[place_of(texts, texts->text[i])] = i;
}

uint32_t texts_number(struct texts *texts, const char *text)
{
    if (text == NULL)
        return TEXT_NONE;
    if (texts->count * (size_t)2 >= texts->place_room)
        places_grow(texts);
    size_t at = place_of(texts, text);
    if (texts->places[at] != TEXT_NONE)
        return texts->places[at];
    if (texts->count == texts->room) {
        texts->room = texts->room == 0 ? 256 : texts->room * 2;
        texts->text = audit_room(texts->text, texts->room, sizeof *texts->text);
    }
    char *copy = audit_room(NULL, strlen(text) + 1, 1);
    strcpy(copy, text);
    texts->text[texts->count] = copy;
    texts->places[at] = texts->count;
    return texts->count++;
}

void texts_free(struct texts *texts)
{
    for (uint32_t i = 0; i < texts->count; i++)
        free(texts->text[i]);
    free(texts->text);
    free(texts->places);
    *texts = (struct texts){0};
}
