/* format.c — see format.h. */
#include "format.h"

#include <string.h>
#include <xxhash.h>

#define SEGMENT_MAGIC 0x31474553574c0d0aull /* "\n\rLWSEG1" */

uint64_t segment_seed(struct store_id id, enum segment_type type, uint64_t number)
{
    uint64_t words[4] = {id.half[0], id.half[1], (uint64_t)type, number};
    return XXH3_64bits(words, sizeof words);
}

void segment_header_encode(struct segment_header *header, struct store_id id, enum segment_type type, uint64_t number,
                           uint64_t bytes)
{
    *header = (struct segment_header){.magic = SEGMENT_MAGIC,
                                      .format = STORE_FORMAT,
                                      .type = (uint32_t)type,
                                      .number = number,
                                      .bytes = bytes,
                                      .id = id};
    header->check = XXH3_64bits(header, offsetof(struct segment_header, check));
}

enum err segment_header_check(const struct segment_header *header, struct store_id id, enum segment_type type,
                              uint64_t number)
{
    if (header->magic != SEGMENT_MAGIC)
        return ERR_DAMAGED;
    if (header->check != XXH3_64bits(header, offsetof(struct segment_header, check)))
        return ERR_DAMAGED;
    if (header->format > STORE_FORMAT)
        return ERR_TOO_NEW;
    if (header->type != (uint32_t)type || header->number != number)
        return ERR_NOT_FOUND;
    return memcmp(&header->id, &id, sizeof id) == 0 ? ERR_NONE : ERR_NOT_FOUND;
}

void frame_seal(struct frame *frame, uint64_t seed)
{
    frame->magic = FRAME_MAGIC;
    frame->reserved = 0;
    frame->check = XXH3_64bits_withSeed(frame, offsetof(struct frame, check), seed);
}

bool frame_is_valid(const struct frame *frame, uint64_t seed)
{
    if (frame->magic != FRAME_MAGIC || frame->payload_bytes > FRAME_PAYLOAD_MAX || frame->payload_bytes % 8 != 0)
        return false;
    return frame->check == XXH3_64bits_withSeed(frame, offsetof(struct frame, check), seed);
}

static uint32_t record_check(const struct record *record, uint64_t seed)
{
    return (uint32_t)XXH3_64bits_withSeed((const uint8_t *)record + sizeof record->check,
                                          record->bytes - sizeof record->check, seed);
}

void record_seal(struct record *record, uint64_t seed)
{
    record->check = record_check(record, seed);
}

bool record_is_sane(const struct record *record, size_t room)
{
    if (room < RECORD_HEADER_BYTES || record->bytes > RECORD_BYTES_MAX || record_room(record) > room)
        return false;
    uint64_t sum = RECORD_HEADER_BYTES + (uint64_t)record->head_bytes;
    for (unsigned i = 0; i < STORE_SECTIONS - 1; i++)
        sum += record->section_bytes[i];
    return sum <= record->bytes && record->kind < KIND_COUNT && record->head_bytes <= STORE_HEAD_BYTES_MAX;
}

bool record_is_valid(const struct record *record, uint64_t seed)
{
    return record->check == record_check(record, seed);
}

void record_sections(const struct record *record, struct store_section out[STORE_SECTIONS])
{
    const uint8_t *at = record_head(record) + record->head_bytes;
    const uint8_t *end = (const uint8_t *)record + record->bytes;
    for (unsigned i = 0; i < STORE_SECTIONS; i++) {
        size_t bytes = i < STORE_SECTIONS - 1 ? record->section_bytes[i] : (size_t)(end - at);
        out[i] = (struct store_section){bytes > 0 ? at : NULL, bytes};
        at += bytes;
    }
}

size_t record_room_stripped(const struct record *record, unsigned mask)
{
    struct store_section sections[STORE_SECTIONS];
    size_t bytes = RECORD_HEADER_BYTES + record->head_bytes;
    record_sections(record, sections);
    for (unsigned i = 0; i < STORE_SECTIONS; i++)
        if ((mask & 1u << i) != 0)
            bytes += sections[i].bytes;
    return ROUND8(bytes);
}

void record_put(struct record *out, const void *head, const struct store_section sections[STORE_SECTIONS])
{
    uint8_t *to = (uint8_t *)out + RECORD_HEADER_BYTES;
    if (out->head_bytes > 0)
        memcpy(to, head, out->head_bytes);
    to += out->head_bytes;
    for (unsigned i = 0; i < STORE_SECTIONS; i++) {
        if (i < STORE_SECTIONS - 1)
            out->section_bytes[i] = (uint32_t)sections[i].bytes;
        if (sections[i].bytes > 0)
            memcpy(to, sections[i].data, sections[i].bytes);
        to += sections[i].bytes;
    }
    out->bytes = (uint32_t)(to - (uint8_t *)out);
    memset(to, 0, record_room(out) - out->bytes);
}

void record_strip(struct record *out, const struct record *record, unsigned mask)
{
    struct store_section sections[STORE_SECTIONS];
    record_sections(record, sections);
    for (unsigned i = 0; i < STORE_SECTIONS; i++)
        if ((mask & 1u << i) == 0)
            sections[i] = (struct store_section){NULL, 0};
    memcpy(out, record, RECORD_HEADER_BYTES);
    record_put(out, record_head(record), sections);
}

void record_show(struct store_record *out, const struct record *record, store_place place)
{
    *out = (struct store_record){.kind = record->kind,
                                 .key = record->key,
                                 .seq = record->seq,
                                 .past = (record->flags & RECORD_PAST) != 0,
                                 .place = place,
                                 .head = record_head(record),
                                 .head_bytes = record->head_bytes};
    record_sections(record, out->sections);
}
