/* heads.c — see heads.h. */
#include "heads.h"

#include "pages.h"

#include <string.h>

void sums_clear(struct sums *sums)
{
    *sums = (struct sums){.seq_min = UINT64_MAX, .oldest_ms = INT64_MAX, .newest_ms = INT64_MIN};
}

void sums_record(struct sums *sums, const struct record *record, const struct store_kind *kinds)
{
    struct kind_use *use = &sums->use[record->kind];
    unsigned mask = kinds != NULL && record->kind < STORE_KINDS_MAX ? kinds[record->kind].sections : 0;
    sums->records++;
    use->records++;
    use->bytes += record_room(record);
    use->stripped_bytes += record_room_stripped(record, mask);
    if (record->seq == 0)
        return;
    sums->seq_min = record->seq < sums->seq_min ? record->seq : sums->seq_min;
    sums->seq_max = record->seq > sums->seq_max ? record->seq : sums->seq_max;
}

void sums_time(struct sums *sums, int64_t time_ms)
{
    sums->oldest_ms = time_ms < sums->oldest_ms ? time_ms : sums->oldest_ms;
    sums->newest_ms = time_ms > sums->newest_ms ? time_ms : sums->newest_ms;
}

void sums_merge(struct sums *sums, const struct sums *more)
{
    for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
        sums->use[kind].records += more->use[kind].records;
        sums->use[kind].bytes += more->use[kind].bytes;
        sums->use[kind].stripped_bytes += more->use[kind].stripped_bytes;
    }
    sums->records += more->records;
    sums->seq_min = more->seq_min < sums->seq_min ? more->seq_min : sums->seq_min;
    sums->seq_max = more->seq_max > sums->seq_max ? more->seq_max : sums->seq_max;
    sums->oldest_ms = more->oldest_ms < sums->oldest_ms ? more->oldest_ms : sums->oldest_ms;
    sums->newest_ms = more->newest_ms > sums->newest_ms ? more->newest_ms : sums->newest_ms;
}

void heads_begin(struct heads *heads)
{
    *heads = (struct heads){.first = UINT64_MAX, .end = SEGMENT_HEADER_BYTES};
    sums_clear(&heads->sums);
}

void heads_free(struct heads *heads)
{
    pages_free(heads->bytes, heads->room);
    heads_begin(heads);
}

static enum err add_record(struct heads *heads, const struct record *record, uint64_t offset,
                           const struct store_kind *kinds)
{
    size_t bytes = sizeof(struct head_entry) + ROUND8((size_t)record->head_bytes);
    if (!pages_grow(&heads->bytes, &heads->room, heads->used + bytes))
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
    sums_record(&heads->sums, record, kinds);
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
    heads->has_lead |= leading;
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
        sums_time(&heads->sums, frame->time_ms);
        heads->frames++;
    }
    heads->sealed = (frame->flags & FRAME_SEAL) != 0;
    heads->clean = (frame->flags & FRAME_CLEAN) != 0;
    heads->end = scan->next;
    return ERR_NONE;
}

bool heads_history_end(const struct heads *heads, size_t from, size_t to, struct history_end *out)
{
    bool found = false;
    for (const struct head_entry *entry; (entry = heads_next(heads, &from, to)) != NULL;) {
        if (entry->kind != KIND_HISTORY_END || entry->head_bytes != sizeof *out)
            continue;
        memcpy(out, entry + 1, sizeof *out);
        found = true;
    }
    return found;
}
