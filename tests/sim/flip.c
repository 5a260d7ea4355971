/* flip.c — see flip.h. */
#include "tests/sim/flip.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/store/format.h"
#include "broker/store/record.h"
#include "broker/store/store.h"
#include "tests/sim/disk.h"
#include "tests/sim/fiber.h"
#include "tests/sim/house.h"
#include "tests/support/store_sim.h"

#define RECORDS_MAX   40000
#define TAIL_BYTES    (256u * 1024) /* what a last, torn commit has, mostly */
#define TRIES         64
#define SEGMENT_BYTES (1u << 20)

enum err __real_store_open(struct store **out, const struct store_options *options, struct store_opened *opened,
                           struct store_problem *problem);

struct seen {
    unsigned kind;
    uint64_t key, seq, check;
    store_place place;
};

struct copy { /* of the disk, and what the store finds on it */
    struct sim *files;
    struct store *store;
    struct store_opened opened;
    struct seen *records;
    size_t count;
    enum err err;
};

struct flip {
    struct copy whole, flipped;
    char name[64];
    uint64_t at;
};

static struct stream luck;

void flip_begin(void)
{
    luck = stream_of("bit flips");
}

static uint64_t check_of(const void *data, size_t bytes, uint64_t check)
{
    const uint8_t *at = data;
    for (size_t i = 0; i < bytes; i++)
        check = (check ^ at[i]) * UINT64_C(1099511628211);
    return check;
}

/* ---- the store's owner ---- */

static enum err on_replay(void *self, unsigned kind, uint64_t key, uint64_t seq, bool past, const void *head,
                          size_t head_bytes, store_place place)
{
    struct copy *copy = self;
    (void)past;
    if (copy->count < RECORDS_MAX)
        copy->records[copy->count++] = (struct seen){kind, key, seq, check_of(head, head_bytes, 7), place};
    return ERR_NONE;
}

static bool on_is_live(void *self, unsigned kind, uint64_t key, store_place place)
{
    (void)self;
    (void)kind;
    (void)key;
    (void)place;
    return true;
}

static void on_moved(void *self, unsigned kind, uint64_t key, store_place from, store_place to)
{
    (void)self;
    (void)kind;
    (void)key;
    (void)from;
    (void)to;
}

static void on_renew(void *self, unsigned kind, uint64_t key, struct store_batch *batch)
{
    (void)self;
    (void)kind;
    (void)key;
    (void)batch;
}

static void open_copy(struct copy *copy)
{
    struct store_problem problem;
    struct store_options options = {.path = SIM_FOLDER,
                                    .segment_bytes = SEGMENT_BYTES,
                                    .history_retention_ms = INT64_C(72) * 3600000,
                                    .kinds = record_kinds(),
                                    .owner = {copy, on_replay, on_is_live, on_moved, on_renew, NULL},
                                    .io = &copy->files->io,
                                    .wake_fd = -1};
    copy->records = calloc(RECORDS_MAX, sizeof *copy->records);
    assert(copy->records != NULL);
    copy->err = __real_store_open(&copy->store, &options, &copy->opened, &problem);
}

/* ---- the judgement ---- */

static void deceived(const struct flip *flip, const char *how)
{
    breach("damage", NOBODY_ABOUT, "a bit of %s turned over at %llu, and the store %s", flip->name,
           (unsigned long long)flip->at, how);
}

/* What only lies on the disk is checked when it is read. */
static void compare_read(const struct flip *flip, store_place place)
{
    struct store_record a, b;
    enum err err = store_read(flip->whole.store, place, &a);
    if (err != ERR_NONE && !disk_has_ever_lied())
        breach("damage", NOBODY_ABOUT, "a record that is there can't be read: %s", err_name(err));
    if (err != ERR_NONE)
        return;
    if (store_read(flip->flipped.store, place, &b) == ERR_NONE) {
        for (int s = 0; s < STORE_SECTIONS; s++)
            if (a.sections[s].bytes != b.sections[s].bytes ||
                (a.sections[s].bytes > 0 && memcmp(a.sections[s].data, b.sections[s].data, a.sections[s].bytes) != 0))
                deceived(flip, "reads another record than was written");
        store_record_free(&b);
    }
    store_record_free(&a);
}

/* A bit of the last frame's header, before its records: that looks as if the frame had never been begun. */
static bool is_last_header(const struct flip *flip, store_place first_lost)
{
    uint64_t records = place_offset(first_lost);
    return strstr(flip->name, "data-") != NULL && flip->at < records && flip->at >= records - FRAME_HEADER_BYTES;
}

static bool is_history(const struct seen *seen)
{
    return (place_tag(seen->place) & 1) != 0;
}

/* In a segment of which the whole disk shows nothing. */
static bool is_retired(const struct copy *whole, const struct seen *seen)
{
    for (size_t i = 0; i < whole->count; i++)
        if (place_tag(whole->records[i].place) == place_tag(seen->place))
            return false;
    return !is_history(seen);
}

static size_t retired_of(const struct flip *flip)
{
    size_t count = 0;
    for (size_t i = 0; i < flip->flipped.count; i++)
        count += is_retired(&flip->whole, &flip->flipped.records[i]);
    return count;
}

static size_t history_of(const struct copy *copy)
{
    size_t count = 0;
    for (size_t i = 0; i < copy->count; i++)
        count += is_history(&copy->records[i]);
    return count;
}

/* The first record of the journal itself that is not there any more. */
static store_place first_lost(const struct flip *flip)
{
    size_t kept = 0, i = 0;
    for (size_t j = 0; j < flip->flipped.count; j++)
        kept += !is_history(&flip->flipped.records[j]) && !is_retired(&flip->whole, &flip->flipped.records[j]);
    while (i + 1 < flip->whole.count && (is_history(&flip->whole.records[i]) || kept-- > 0))
        i++;
    return flip->whole.records[i].place;
}

/* All that is gone is the frame that the bit is in, and none came behind it. */
static bool is_last_frame(const struct flip *flip, uint64_t cut)
{
    uint64_t begins = place_offset(first_lost(flip)) - FRAME_HEADER_BYTES, last = 0;
    for (size_t i = 0; i < flip->whole.count; i++)
        if (!is_history(&flip->whole.records[i]))
            last = place_offset(flip->whole.records[i].place);
    return flip->at >= begins && flip->at < begins + cut && last >= begins && last < begins + cut;
}

static bool may_be_torn(const struct flip *flip)
{
    const struct copy *whole = &flip->whole, *flipped = &flip->flipped;
    uint64_t cut = flipped->opened.torn_bytes_cut - whole->opened.torn_bytes_cut;
    return cut == 0 ? is_last_header(flip, first_lost(flip)) : cut <= TAIL_BYTES || is_last_frame(flip, cut);
}

static bool are_same(const struct seen *a, const struct seen *b)
{
    return a->kind == b->kind && a->key == b->key && a->seq == b->seq && a->check == b->check && a->place == b->place;
}

/* What is found must be what was written, in its order. A last frame that looks torn may have been what said how far the
 * history counts: then some of that is missing, too, and what it was made of is still there. */
static void compare(const struct flip *flip)
{
    const struct copy *whole = &flip->whole, *flipped = &flip->flipped;
    bool torn = flipped->opened.torn_bytes_cut > whole->opened.torn_bytes_cut || flipped->count < whole->count;
    size_t at = 0;
    for (size_t i = 0; i < flipped->count; i++, at++) {
        while (torn && i < flipped->count && is_retired(whole, &flipped->records[i]))
            i++;
        if (i == flipped->count)
            return;
        while (torn && at < whole->count && is_history(&whole->records[at]) &&
               !are_same(&whole->records[at], &flipped->records[i]))
            at++;
        if (at == whole->count || !are_same(&whole->records[at], &flipped->records[i]))
            deceived(flip, "finds another record than was written");
        compare_read(flip, whole->records[at].place);
    }
}

static void judge(const struct flip *flip)
{
    const struct copy *whole = &flip->whole, *flipped = &flip->flipped;
    if (whole->err != ERR_NONE && !disk_has_ever_lied())
        breach("damage", NOBODY_ABOUT, "what lies on the disk after a crash can't be opened: %s",
               err_name(whole->err));
    if (whole->err != ERR_NONE)
        return;
    if (flipped->err == ERR_DAMAGED)
        return;
    if (flipped->err != ERR_NONE)
        deceived(flip, "says something else than that it is damaged");
    size_t retired = retired_of(flip), history = history_of(flipped), journal = flipped->count - retired - history;
    if (flipped->count - retired > whole->count)
        deceived(flip, "finds more records than were written");
    if (journal < whole->count - history_of(whole) && !may_be_torn(flip))
        deceived(flip, "has lost records in silence");
    if (history < history_of(whole) && retired == 0)
        deceived(flip, "has lost history in silence, and what it was made of is not there");
    compare(flip);
}

static void drop(struct flip *flip)
{
    sim_free(&flip->whole.files);
    sim_free(&flip->flipped.files);
    free(flip->whole.records);
    free(flip->flipped.records);
    free(flip);
}

static void *probe(void *arg)
{
    struct flip *flip = arg;
    open_copy(&flip->whole);
    open_copy(&flip->flipped);
    judge(flip);
    note_world("flip: a bit of %s at %llu: %s", flip->name, (unsigned long long)flip->at, err_name(flip->flipped.err));
    store_close(&flip->whole.store);
    store_close(&flip->flipped.store);
    drop(flip);
    return NULL;
}

/* A place where something was written. */
static bool choose(struct flip *flip)
{
    int names = sim_name_count(flip->flipped.files); /* none: the power went before the store made its first */
    for (int tries = 0; tries < TRIES && names > 0; tries++) {
        const char *name = sim_name_at(flip->flipped.files, (int)draw(&luck, (uint64_t)names));
        if (strstr(name, ".seg") == NULL && strstr(name, ".idx") == NULL)
            continue;
        struct sim_inode *file = sim_file(flip->flipped.files, name);
        uint64_t at = file->size == 0 ? 0 : draw(&luck, file->size);
        if (at >= file->size || sim_peek(file, at) == 0)
            continue;
        snprintf(flip->name, sizeof flip->name, "%s", name);
        flip->at = at;
        sim_flip(file, at, (uint8_t)(1u << draw(&luck, 8)));
        return true;
    }
    return false;
}

void flip_perhaps(void)
{
    if (!chance(&luck, 120))
        return;
    struct flip *flip = calloc(1, sizeof *flip);
    assert(flip != NULL);
    flip->whole.files = disk_copy();
    flip->flipped.files = disk_copy();
    if (!choose(flip)) {
        drop(flip);
        return;
    }
    fault(FAULT_BIT_FLIPPED);
    fiber_start(process_new("probe", house_machine(), NULL), probe, flip);
}
