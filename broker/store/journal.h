/* journal.h — the embedded store from inside: what its files share. Nobody outside broker/store includes it.
 *
 *   store.c    opening and closing, submitting and collecting, status
 *   folder.c   the folder: lock, the store's file, what lies in it
 *   recover.c  from files to segments, replaying
 *   commit.c   the commit thread: frames, syncs, going on to the next segment
 *   helper.c   the helper thread: spare segments, index files, reading and retiring what is cleaned
 *   read.c     one record, searching, events
 *
 * Locking: `lock` guards everything in struct store that is not said to belong to one thread. It is never held over
 * a disk access. Segments are counted: whoever uses one outside the lock holds a reference, and a retired segment's
 * file is used again only when nobody does. */
#ifndef LINEWARD_STORE_JOURNAL_H
#define LINEWARD_STORE_JOURNAL_H

#include "batch.h"
#include "heads.h"
#include "index.h"

#include <pthread.h>
#include <stdatomic.h>

#define SEGMENT_BUCKETS  1024
#define SPARES_MAX       8
#define RESERVE_SEGMENTS 2 /* beyond the one in use: one ready, one spare */

enum segment_state {
    SEGMENT_READY,   /* prepared, empty, the next one to be used */
    SEGMENT_ACTIVE,  /* being written */
    SEGMENT_SEALED,  /* full */
    SEGMENT_RETIRED, /* its records have been moved or are not needed */
};

struct segment {
    enum segment_type type;
    enum segment_state state;
    uint64_t number, seed;
    uint64_t bytes; /* of the file */
    int file;
    unsigned refs;
    bool void_tail;    /* the batch it ends with was never completed */
    bool index_failed; /* its index file could not be written */

    _Atomic uint64_t end; /* what lies before is durable */
    uint64_t first, last; /* batches; in history: source segments */
    int64_t newest_ms;
    uint64_t seq_min, seq_max;
    uint64_t records;
    uint64_t index_bytes; /* 0: no index file */
    struct kind_use use[KIND_COUNT];

    struct segment *bucket_next;
};

struct segments { /* in order of their numbers */
    struct segment **at;
    size_t count, room;
};

struct told { /* a record's new place, on its way to the owner */
    uint64_t key;
    store_place from, to;
    uint64_t commit;
    unsigned kind;
};

struct told_list {
    struct told *at;
    size_t count, room;
};

struct spare {
    uint64_t id;
    int file;
};

struct committer; /* commit.c */

struct store {
    /* set when opened */
    const struct store_io *io;
    char *folder;
    struct store_id id;
    struct store_options options; /* path and io are not used any more */
    uint64_t segment_bytes;       /* of a new segment's file */
    uint64_t own_bytes;           /* of the segments found when opening */
    int lock_file;
    int64_t (*wall_ms)(void);

    pthread_mutex_t lock;
    pthread_cond_t commit_wake; /* the queue, a ready segment, closing */
    pthread_cond_t helper_wake; /* a segment was used up or sealed, closing */
    pthread_cond_t idle;        /* the commit thread has nothing left to do */
    pthread_t commit_thread, helper_thread;
    bool commit_started, helper_started;

    struct segments data, history;
    struct segment *buckets[SEGMENT_BUCKETS]; /* by the part of the number that is in a place */
    struct segment *active, *ready;
    uint64_t number_last; /* the highest ever given to a data segment */
    struct spare spares[SPARES_MAX];
    size_t spare_count;
    uint64_t spare_last; /* the highest id */
    int no_room;         /* errno of the last try to get a segment, 0: it went well */

    struct store_batch *queue, *queue_last; /* submitted */
    struct store_batch *pool;               /* empty ones for later */
    size_t pool_count;
    uint64_t submitted;
    bool closing, helper_closing;

    struct told_list told;       /* since the last collect */
    struct told_list collecting; /* the owner's */
    uint64_t collected_through;  /* the owner knows the places of all in commits up to this one ... */
    uint64_t collected_at;       /* ... and so does every batch submitted after this one */

    _Atomic uint64_t durable;
    _Atomic bool failed, news, full;
    struct store_problem problem;

    struct store_status counts; /* the sums kept as they happen */
    struct committer *committer;
};

/* ---- store.c ---- */

/* The store can't go on; the first reason stays. */
void store_fail(struct store *store, const char *format, ...) __attribute__((format(printf, 2, 3)));
void store_wake(struct store *store);
/* A row of batches has been written: its memory is used again. */
void queue_recycle(struct store *store, struct store_batch *row);
int64_t clock_us(void); /* steady */

/* ---- segment.c ---- */

struct segment *segment_new(struct store *store, enum segment_type type, uint64_t number, uint64_t bytes, int file);
void segment_free(struct store *store, struct segment *segment);
/* Into the list of its type and findable by place; false: out of memory. Lock held, as for the next three. */
bool segment_enlist(struct store *store, struct segment *segment);
void segment_delist(struct store *store, struct segment *segment);
struct segment *segment_at(struct store *store, store_place place);
bool segment_number_is_free(const struct store *store, enum segment_type type, uint64_t number);
store_place segment_place(const struct segment *segment, uint64_t offset);
/* The segment of `place`, counted; NULL: none. Takes the lock. */
struct segment *segment_hold(struct store *store, store_place place);
void segment_release(struct store *store, struct segment *segment);
void segment_learn(struct segment *segment, const struct heads *heads);
/* All frames of a durable segment up to `end`, as heads. */
enum err segment_heads(const struct store *store, const struct segment *segment, struct heads *heads);

/* ---- commit.c ---- */

enum err committer_new(struct store *store);
void committer_free(struct store *store);
/* Where recovery ended: the next batch has number `last` + 1. */
void committer_start(struct store *store, uint64_t last);
void *commit_run(void *store);

/* ---- copies.c ---- */

/* Writes `row` to `out` with its copies filled in; `recent`: first places of records written before, oldest first.
 * False: the store has failed. */
bool copies_fill(struct store *store, const struct store_batch *row, const struct told_list *recent,
                 struct store_batch *out);

/* ---- helper.c ---- */

void *helper_run(void *store);
/* Makes the segment that is to be used next; a negative errno if there is no room. */
int segment_prepare(struct store *store, struct segment **out);

/* ---- recover.c ---- */

/* Finds, checks and replays what is there; changes nothing on the disk. */
enum err recover(struct store *store, struct store_opened *opened, struct store_problem *problem);
/* Makes the disk fit for going on: what was recovered is synced, what an interrupted run left over removed. */
enum err recover_tidy(struct store *store, struct store_problem *problem);

/* ---- folder.c ---- */

/* Makes the folder if it is absent, locks it and learns the store's id. */
enum err folder_open(struct store *store, bool *created, struct store_problem *problem);
/* Reads the store's file. ERR_NOT_FOUND, ERR_TOO_NEW, ERR_DAMAGED, ERR_IO. */
enum err folder_read(const struct store_io *io, const char *folder, struct store_id *id,
                     struct store_problem *problem);
/* ERR_BUSY: somebody has it. */
enum err folder_lock(const struct store_io *io, const char *folder, bool create, int *file,
                     struct store_problem *problem);

/* What lies in the folder. */
struct folder_file {
    enum file_kind kind;
    enum segment_type type;
    uint64_t number;
    char name[64];
};
struct folder_list {
    struct folder_file *at; /* in order of type, kind, number */
    size_t count, room;
    bool failed;
};
enum err folder_list(const struct store_io *io, const char *folder, struct folder_list *list,
                     struct store_problem *problem);

/* ---- read.c ---- */

/* The record at `place` in `segment`, checked; *out is the caller's. */
enum err record_read(const struct store *store, const struct segment *segment, store_place place,
                     struct record **out);

#endif
