/* store.h — durable records: what the broker remembers over restarts (DESIGN section 4).
 *
 * A record is (kind, key, seq, head, sections). Records hold the NEW value, never a change, so replaying one
 * twice is harmless. The store knows nothing of jobs: kinds are numbers whose behaviour the owner declares in a
 * table, and which records are still needed is the owner's answer to a question.
 *
 *   head        small; copied into the segment's index file, so that a restart reads heads only
 *   sections    up to four byte strings that stay on disk (result, recipients, envelope, payload)
 *   seq         0, or the record's number as an event (grows by one, assigned by the owner)
 *   place       where a record lies: the store's own, opaque, 48 bits; changes when cleaning moves the record
 *
 * Threads: store_submit(), store_collect(), store_clean() and store_close() belong to the owner's thread. The
 * store has a commit thread (writes and syncs) and a cleaner thread (reads old segments). store_read*() and
 * store_find*() may be called from any thread.
 *
 * Nothing may be told to anybody before the commit that it depends on is durable: store_durable() says. A write
 * or sync error is fatal: store_collect() then returns ERR_IO for ever, store_problem() says what happened, and
 * nothing after the last durable commit will be durable. */
#ifndef LINEWARD_STORE_H
#define LINEWARD_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lineward/err.h"
#include "lineward/histogram.h"

#define STORE_SECTIONS         4
#define STORE_HEAD_BYTES_MAX   2048
#define STORE_RECORD_BYTES_MAX (1024u * 1024)
#define STORE_KINDS_MAX        32
#define STORE_NOWHERE          UINT64_MAX
#define STORE_FORMAT           1

typedef uint64_t store_place;

/* How records of a kind live and die. */
enum store_keep {
    STORE_KEEP_UNUSED,
    /* Has sections, lives until the owner says it is over (a job, a conversation). The cleaner copies a live one
     * forward and tells its new place. */
    STORE_KEEP_WHILE_LIVE,
    /* Head only, the current value of something (a line, a pause, the try of a job). The cleaner asks the owner
     * to write the current value anew (store_owner.renew). */
    STORE_KEEP_RENEW,
    /* Something that happened (a job's end, a gate's move): kept for the history's retention. */
    STORE_KEEP_HISTORY,
};

struct store_kind {
    const char *name; /* NULL: unused */
    enum store_keep keep;
    bool history;      /* when no longer live it stays in history (for views and events) until too old ... */
    unsigned sections; /* ... with these of its sections (bit mask); the others are dropped then */
    /* 0, or the kind (STORE_KEEP_RENEW) whose record of the same key is renewed whenever cleaning copies one of this
     * kind forward: what says more about a thing must lie behind the record that begins it. */
    unsigned renew_with;
};

/* The owner's answers; all are called on the owner's thread, within store_open() (replay) or store_clean(). */
struct store_batch; /* below */

struct store_owner {
    void *self;
    /* Replay, in the order of the journal: the last record of a (kind, key) wins. `past`: the record was already
     * history when it was gathered: it may end something, but neither begin nor change it. */
    enum err (*replay)(void *self, unsigned kind, uint64_t key, uint64_t seq, bool past, const void *head,
                       size_t head_bytes, store_place place);
    /* KEEP_WHILE_LIVE: is the record at this place the one that counts for a living thing? */
    bool (*is_live)(void *self, unsigned kind, uint64_t key, store_place place);
    /* KEEP_WHILE_LIVE: it now lies at `to`. Only called when is_live() held for `from`. Also called with
     * from == STORE_NOWHERE when a record just submitted is durable and has its first place. */
    void (*moved)(void *self, unsigned kind, uint64_t key, store_place from, store_place to);
    /* KEEP_RENEW: this record's segment is to be given up. Add the current value to `batch` if the thing still
     * exists. If nothing is added, the record itself is kept in history (not `past`) for as long as an older one of
     * the key may be there, so that the end of a thing outlives it. */
    void (*renew)(void *self, unsigned kind, uint64_t key, struct store_batch *batch);
    /* KEEP_WHILE_LIVE, with history: a record that is not live any more is to go. If what it says still counts, it stays
     * in history for a whole retention from now on, however old it is. NULL: nothing does. */
    bool (*is_wanted)(void *self, unsigned kind, uint64_t key, uint64_t seq, const void *head, size_t head_bytes);
};

struct store_options {
    const char *path; /* folder; made if absent (its parent must exist) */
    uint64_t segment_bytes;
    int64_t history_retention_ms;
    const struct store_kind *kinds; /* [STORE_KINDS_MAX], lent for the store's life */
    struct store_owner owner;
    const struct store_io *io; /* NULL: the real one; tests inject faults (store_io.h) */
    int64_t (*wall_ms)(void);  /* stamps what is written, for the age of history; any thread; NULL: the real clock */
    void (*progress)(void *self, uint64_t bytes_done, uint64_t bytes_total); /* may be NULL; while opening, at most
                                                                                once a second, and only past one */
    int wake_fd; /* an eventfd; written when a commit became durable, failed, or cleaning has work; -1: none */
};

struct store_opened { /* what recovery found, for the log */
    uint64_t segments, records, bytes, history_bytes;
    uint64_t torn_bytes_cut; /* of the tail */
    int64_t took_ms;
    bool created;
};

struct store_problem {
    char text[512]; /* a sentence with file, offset and what to do */
};

struct store;

/* Opens or creates, replays everything through owner.replay. ERR_BUSY: another broker has it (its pid in
 * *problem); ERR_TOO_NEW; ERR_DAMAGED: names segment and offset, nothing was changed; ERR_IO. */
enum err store_open(struct store **out, const struct store_options *options, struct store_opened *opened,
                    struct store_problem *problem);
/* Waits until all that was submitted is durable (or failed), then lets go of the folder. NULL is fine. */
void store_close(struct store **store_p);

/* ---- writing: fill a batch, submit it ---- */

/* A batch is reusable and owned by the caller. */
struct store_batch *store_batch_new(void);
void store_batch_free(struct store_batch **batch_p);
void store_batch_clear(struct store_batch *batch);
size_t store_batch_records(const struct store_batch *batch);
size_t store_batch_bytes(const struct store_batch *batch);

struct store_section {
    const void *data;
    size_t bytes;
};

/* Copies everything. ERR_NO_MEMORY, or ERR_BAD_INPUT if beyond the limits: nothing was added. */
enum err store_batch_add(struct store_batch *batch, unsigned kind, uint64_t key, uint64_t seq, const void *head,
                         size_t head_bytes, const struct store_section sections[STORE_SECTIONS]);
/* As above, but the sections in `mask` are copied (by the commit thread) from the record of kind `from_kind`
 * that lies at `from`, or, if `from` is STORE_NOWHERE, that was added before with that kind and key and has not
 * been told a place yet. */
enum err store_batch_add_copy(struct store_batch *batch, unsigned kind, uint64_t key, uint64_t seq, const void *head,
                              size_t head_bytes, const struct store_section sections[STORE_SECTIONS], unsigned mask,
                              unsigned from_kind, uint64_t from_key, store_place from);
/* The record at `place` is no longer live: accounting for the cleaner, in the same commit. */
enum err store_batch_release(struct store_batch *batch, unsigned kind, uint64_t key, store_place place);

/* Hands the batch's records to the commit thread (the batch is empty afterwards) and returns the number of the
 * commit; an empty batch returns the last one. Never waits for the disk. Batches submitted while a commit is
 * being written are made durable together by the next one. */
uint64_t store_submit(struct store *store, struct store_batch *batch);
/* Tells places of records that became durable (owner.moved), returns ERR_IO once a commit has failed. Cheap when
 * there is nothing. *durable: every commit up to this number is durable. */
enum err store_collect(struct store *store, uint64_t *durable);
uint64_t store_durable(const struct store *store); /* any thread */
/* Records with a seq up to this one are durable, or were dropped as too old (numbers grow from batch to batch). Any
 * thread. */
uint64_t store_durable_seq(const struct store *store);
void store_problem(const struct store *store, struct store_problem *out);
/* How often a segment was found damaged; *out: what was found last, if there is something. One that cleaning cannot
 * read is left alone: what it takes is not given back, nor is history younger than it is. Any thread. */
unsigned store_damaged(const struct store *store, struct store_problem *out);

/* Fewer than two segments beyond the one in use could be had: new jobs must be refused `store_full` while results,
 * gates and cleaning still go through. */
bool store_is_full(const struct store *store);

/* The reserve is used up as well: nothing becomes durable before there is room on the disk again, and then all of it
 * does by itself. Written to wake_fd when it begins and when it is over. */
bool store_waits(const struct store *store);

/* One slice of cleaning on the owner's thread, at most about `budget_us` microseconds, records to be written go
 * into `batch`. True: there is more to do now; else call again when wake_fd was written, and once a minute. `batch`
 * must carry all of the owner's changes so far that were not submitted yet, and be submitted, not cleared: what is
 * live is judged by what it says, and a place that was told may be used in it until it is submitted. */
bool store_clean(struct store *store, struct store_batch *batch, int64_t now_wall_ms, unsigned budget_us);

/* ---- reading ---- */

struct store_record {
    unsigned kind;
    uint64_t key, seq;
    bool past;
    store_place place;
    const void *head;
    size_t head_bytes;
    struct store_section sections[STORE_SECTIONS]; /* {NULL, 0}: absent or dropped */
    void *memory;                                  /* what the pointers point into; store_record_free() */
};
void store_record_free(struct store_record *record);

/* Reads the durable record at `place`; ERR_NOT_FOUND when it was moved meanwhile (ask the owner for the place
 * again), ERR_DAMAGED if its checksum is wrong. Any thread. */
enum err store_read(struct store *store, store_place place, struct store_record *out);

/* Every durable record of `kind` with `key`, oldest first, from the index files; `visit` returns false to stop.
 * For what is not in memory any more. ERR_DAMAGED: one cannot be read any more, all others were visited. Any thread but
 * the owner's (may read from disk). */
enum err store_find(struct store *store, unsigned kind, uint64_t key,
                    bool (*visit)(void *self, const struct store_record *record), void *self);

/* Durable records with seq > after, in order of seq, at most `limit`, but for those that are damaged; *oldest: the
 * oldest durable seq still there (0: none). Any thread but the owner's. */
enum err store_events(struct store *store, uint64_t after, size_t limit, uint64_t *oldest,
                      bool (*visit)(void *self, const struct store_record *record), void *self);

/* ---- going over all of it ---- */

enum store_passed {
    STORE_PASSED_AS_IT_IS,
    STORE_PASSED_CHANGED, /* bytes of its head or sections were overwritten, where they are */
    STORE_PASSED_BLANK,   /* likewise, and its sections are to go altogether */
};

struct store_pass {
    void *self;
    /* Each durable record, segment after segment, maybe more than once; on a thread of the store. What it overwrites
     * counts only in a pass that writes. */
    enum store_passed (*visit)(void *self, const struct store_record *record, uint8_t *head,
                               uint8_t *const sections[STORE_SECTIONS]);
    /* What was durable when the pass began is on the disk only as it was left by visit() when the pass is over: not in
     * any file of the store's. Nothing is cleaned meanwhile; what is due to be is cleaned before, so the owner is to go on
     * with store_clean(). */
    bool writes;
};

struct store_pass_state {
    bool on;
    int error; /* once it is over: 0, or a negative errno; then it is to be begun again, later */
    uint64_t bytes_total, bytes_done; /* of what there is to be read; total 0: not known yet */
    uint64_t records; /* that were changed */
};

/* ERR_BUSY: there is one already. wake_fd is written with each segment, and when it is over. */
enum err store_pass_begin(struct store *store, const struct store_pass *pass);
void store_pass_state(const struct store *store, struct store_pass_state *out); /* any thread; the newest one */

/* ---- facts for status and metrics; any thread ---- */
struct store_status {
    uint64_t segments, history_segments, free_segments, bytes_live, bytes_total, bytes_history;
    uint64_t commits, records, syncs, bytes_written, sync_us_total, sync_us_max;
    uint64_t cleaned_segments, cleaned_bytes_moved;
    struct histogram commit_times; /* of each commit: writing it and flushing it */
    int64_t disk_free_bytes;       /* for us, on the store's file system; -1: not known */
    bool full, waits;
    bool cleaning; /* something is being cleaned, waits for a commit, or is to be looked for */
    bool indexing; /* a segment's index file is not written yet: its bytes are in none of the sums */
};
void store_status_read(const struct store *store, struct store_status *out);

/* ---- a stopped store (linewardctl store check|dump) ---- */
struct store_check {
    uint64_t segments, batches, records, bytes, damaged, torn_bytes;
};
/* Reads every byte. `dump` (may be NULL) gets each record; `report` (may be NULL) gets a line a finding.
 * ERR_BUSY when a broker runs on it; ERR_DAMAGED when damage was found. */
enum err store_inspect(const char *path, const struct store_kind *kinds, struct store_check *out,
                       bool (*dump)(void *self, const struct store_record *record), void *self, FILE *report,
                       struct store_problem *problem);

#endif
