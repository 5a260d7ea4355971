/* heads.c — see heads.h. */
#include "heads.h"

#include "batch.h"

#include <stdlib.h>
#include <string.h>

void heads_begin(struct heads *heads, enum segment_type type)
{
    *heads = (struct heads){.first = UINT64_MAX, .seq_min = UINT64_MAX, .end = SEGMENT_HEADER_BYTES};
}

void heads_free(struct heads *heads)
{
    free(heads->bytes);
    *heads = (struct heads){.first = UINT64_MAX, .seq_min = UINT64_MAX};
}

static enum err add_record(struct heads *heads, const struct record *record, uint64_t offset,
                           const struct store_kind *kinds)
{
    size_t bytes = sizeof(struct head_entry) + ROUND8((size_t)record->head_bytes);
    if (!room_for(&heads->bytes, &heads->room, heads->used, bytes, 1))
        return ERR_NO_MEMORY;
    struct head_entry *entry = (struct head_entry *)(heads->bytes + heads->used);
    memset(entry, 0, bytes);
    *entry = (struct head_entry){.unit = (uint32_t)(offset / 8),
                                 .bytes = (uint32_t)record_room(record),
                                 .key = record->key,
                                 .seq = record->seq,
                                 .kind = record->kind,
                                 .flags = record->flags,
                                 .head_bytes = record->head_bytes};
    memcpy(entry + 1, record_head(record), record->head_bytes);
    heads->used += bytes;
    heads->records++;
    struct kind_use *use = &heads->use[record->kind];
    use->records++;
    use->bytes += record_room(record);
    if (kinds != NULL && record->kind < STORE_KINDS_MAX)
        use->stripped_bytes += record_room_stripped(record, kinds[record->kind].sections);
    if (record->seq != 0) {
        heads->seq_min = record->seq < heads->seq_min ? record->seq : heads->seq_min;
        heads->seq_max = record->seq > heads->seq_max ? record->seq : heads->seq_max;
    }
    return ERR_NONE;
}

/* A batch that was begun and never completed is void: the next one took its number. Its records stay on the disk and
 * count as dead, so the sums keep them. */
static void drop_open(struct heads *heads)
{
    if (heads->lead_goes_on) {
        heads->lead = heads->open = 0;
        heads->lead_void = true;
    }
    heads->used = heads->open;
}

/* Does the data frame follow the one before it, within this segment? */
static bool follows(const struct heads *heads, const struct frame *frame)
{
    if (frame->first > frame->last || (frame->part > 0 && frame->first != frame->last))
        return false;
    if (heads->frames == 0)
        return true;
    if (frame->part > 0)
        return heads->more && frame->first == heads->last && frame->part == heads->part + 1;
    /* An incomplete batch's number is used again. */
    return frame->first == heads->last + (heads->more ? 0 : 1);
}

static enum err add_records(struct heads *heads, const struct scan *scan, const struct store_kind *kinds)
{
    size_t at = 0;
    for (const struct record *record; (record = scan_record(scan, &at)) != NULL;) {
        enum err err = add_record(heads, record, scan_record_offset(scan, record), kinds);
        if (err != ERR_NONE)
            return err;
    }
    return ERR_NONE;
}

static enum err add_data_frame(struct heads *heads, const struct scan *scan, const struct store_kind *kinds)
{
    const struct frame *frame = &scan->frame;
    bool more = (frame->flags & FRAME_MORE) != 0;
    if (!follows(heads, frame))
        return ERR_DAMAGED;
    bool leading = frame->part > 0 && (heads->frames == 0 || heads->lead_goes_on);
    if (frame->part == 0)
        drop_open(heads);
    enum err err = add_records(heads, scan, kinds);
    if (err != ERR_NONE)
        return err;
    heads->lead_goes_on = leading && more;
    if (leading)
        heads->lead = heads->used;
    if (leading || !more)
        heads->open = heads->used;
    heads->part = frame->part;
    heads->more = more;
    return ERR_NONE;
}

static enum err add_history_frame(struct heads *heads, const struct scan *scan, const struct store_kind *kinds)
{
    enum err err = add_records(heads, scan, kinds);
    heads->open = heads->used;
    return err;
}

enum err heads_add(struct heads *heads, const struct scan *scan, enum segment_type type,
                   const struct store_kind *kinds)
{
    const struct frame *frame = &scan->frame;
    if (heads->sealed)
        return ERR_DAMAGED;
    if (frame->records > 0) {
        enum err err =
            type == SEGMENT_DATA ? add_data_frame(heads, scan, kinds) : add_history_frame(heads, scan, kinds);
        if (err != ERR_NONE)
            return err;
        heads->first = frame->first < heads->first ? frame->first : heads->first;
        heads->last = frame->last > heads->last ? frame->last : heads->last;
        heads->newest_ms = frame->time_ms > heads->newest_ms ? frame->time_ms : heads->newest_ms;
        heads->frames++;
    }
    heads->sealed = (frame->flags & FRAME_SEAL) != 0;
    heads->clean = (frame->flags & FRAME_CLEAN) != 0;
    heads->end = scan->next;
    return ERR_NONE;
}
