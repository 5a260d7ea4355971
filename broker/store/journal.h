/* journal.h — the embedded store from inside: what its files share. Nobody outside broker/store includes it.
 *
 *   store.c    opening and closing, submitting and collecting, status
 *   folder.c   the folder: lock, the store's file, what lies in it
 *   recover.c  from files to segments, replaying · recover_read.c  reading and checking them · tidy.c
 *   commit.c   the commit thread: frames, syncs, going on to the next segment
 *   helper.c   the helper thread: spare segments, index files, and its share of cleaning
 *   books.c    what of each segment is still needed
 *   clean.c    cleaning, the owner's share: what to clean, what is live
 *   gather.c   cleaning, the helper's share: reading the old segment, giving its file back
 *   history.c  writing and dropping history segments
 *   pass.c     going over all of it, overwriting records where they are
 *   read.c     one record · search.c  searching, events · inspect.c  a stopped store · backup.c  copying one that runs
 *   restored.c what a restored folder says of itself
 *
 * Locking: `lock` guards everything in struct store that is not said to belong to one thread. It is never held over
 * a disk access. Segments are counted: whoever uses one outside the lock holds a reference, and a retired segment's
 * file is used again only when nobody does. */
#ifndef LINEWARD_STORE_JOURNAL_H
#define LINEWARD_STORE_JOURNAL_H

#include "batch.h"
#include "heads.h"
#include "index.h"
#include "lineward/clock.h"

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

struct search_cache; /* search_cache.c */

struct source_run { /* a part of a history file: what was gathered from one data segment */
    uint64_t from;  /* offset; up to the next one's */
    uint64_t source;
};

struct segment {
    enum segment_type type;
    enum segment_state state;
    uint64_t number, seed;
    uint64_t bytes; /* of the file; a history segment's grows */
    int file;
    unsigned refs;
    bool void_tail;    /* the batch it ends with was never completed */
    bool index_failed; /* its index file could not be written */
    bool index_looked; /* its index file's lists are good, or were made in this run */
    bool damaged;      /* found when cleaning it: left alone */
    bool read_damaged; /* somebody met a damaged record in it: the owner was told */
    unsigned unread;   /* times that it could not be read, to be asked about or cleaned */
    unsigned refused;  /* times that it could not be cleaned, mostly for want of room for its history */

    _Atomic uint64_t end; /* what lies before is durable */
    uint64_t first, last; /* batches; in history: source segments */
    struct source_run *runs;
    size_t run_count, run_room;
    struct sums sums;
    uint64_t index_bytes; /* 0: no index file */

    /* books.c */
    uint64_t live[KIND_COUNT];    /* records known to be live, of kinds with STORE_KEEP_WHILE_LIVE */
    uint64_t assumed[KIND_COUNT]; /* found when opening: taken for live until the owner has been asked */
    uint64_t survey_end;          /* offset up to which the owner is to be asked */
    uint64_t survey_at;           /* and has been */
    uint64_t renew_bytes;         /* of records that are the newest of their key, of kinds with STORE_KEEP_RENEW */

    struct search_cache *cache;
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

struct renewed { /* books.c: the newest record of a key of a kind with STORE_KEEP_RENEW */
    uint64_t key;
    uint64_t segment : 44, room : 9, kind : 6;
    uint64_t used : 1;
    uint64_t left : 1;             /* in the former table: moved to the present one, or forgotten */
    uint64_t alone : 1;            /* no older record of the key is known */
    uint64_t asked : 1, ended : 1; /* cleaning: the owner was asked, and renewed nothing */
};

struct renewed_half {
    struct renewed *at; /* NULL: none */
    size_t count, mask;
    size_t room; /* of the buffer, in bytes */
};

struct renewed_table { /* grows by and by, so that nobody waits for it */
    struct renewed_half now, former;
    size_t moved; /* slots of the former one that have been moved */
};

/* VERDICT_WANTED: as VERDICT_PAST, and as young as if it had been written now. */
enum verdict { VERDICT_ASK, VERDICT_DROP, VERDICT_PAST, VERDICT_WANTED, VERDICT_VALUE };

struct chunk_item {
    size_t record; /* offset in the chunk */
    store_place place;
    bool old; /* beyond the history's retention */
    enum verdict verdict;
};

struct chunk { /* records of the segment being cleaned, in order */
    uint8_t *bytes;
    size_t used, room;
    struct chunk_item *items;
    size_t count, item_room;
    int64_t newest_ms;
};

/* Cleaning goes to and fro between the owner's thread and the helper; whose turn it is owns the rest. */
enum clean_turn { CLEAN_IDLE, CLEAN_HELPER, CLEAN_OWNER, CLEAN_COMMIT };
enum clean_step {
    STEP_SURVEY_READ, /* helper: read the heads of a segment found when opening */
    STEP_SURVEY,      /* owner: ask which are live */
    STEP_READ,        /* helper: read the next records of the victim */
    STEP_JUDGE,       /* owner: which are live, which are to be renewed */
    STEP_GATHER,      /* helper: write what has become history */
    STEP_END,         /* owner: note the history's end in the journal, wait until all is durable */
    STEP_RETIRE,      /* helper: its history counts from now on, nobody finds the victim any more */
    STEP_GIVE_BACK,   /* helper: when nobody reads it, its file is used again */
    STEP_TRIM,        /* helper: give spare files back */
};

struct cleaning {
    enum clean_turn turn;
    enum clean_step step;
    struct segment *victim; /* counted */
    int64_t now_ms;
    bool older; /* data segments older than the victim remain */
    struct heads heads;
    size_t at; /* entry of the heads, or item of the chunk */
    struct scan scan;
    bool scanning, scanned;
    struct open_batch open;
    struct chunk chunk;
    struct segment *history; /* being written to, counted; NULL: nothing to gather so far */
    uint64_t history_at;     /* its end, once the victim is retired */
    uint8_t *frame;          /* of history being filled */
    size_t frame_used, frame_room;
    uint32_t frame_records;
    struct sums frame_sums, sums; /* of the frame, and of all written for this victim */
    struct history_end end_next;
    bool end_said;  /* the journal may say so already */
    bool end_again; /* once more, in a frame of its own: the last one of a journal may be damaged and look torn */
    uint64_t dropped_seq;
    bool unsubmitted;     /* what was decided hangs on a batch that was not submitted yet */
    uint64_t wait_commit; /* nor may anything be given back before this one is durable */
    uint64_t moves_added, moves_told; /* of all victims: those of one given up may still be under way */
    uint64_t bytes_moved;
    int64_t looked_ms;
    bool look; /* something changed: look for work */
    uint64_t looked_submitted;
};

enum pass_step { PASS_NONE, PASS_WAIT, PASS_FILES, PASS_ASK_SEAL, PASS_SEAL, PASS_READ, PASS_TAKE_PLACE, PASS_OVER };

struct pass { /* pass.c: the helper's, but for what begins and shows it */
    struct store_pass ask;
    struct store_pass_state state;
    enum pass_step step;
    size_t cleanings;        /* that may still begin before it does */
    uint64_t through;        /* data segments up to this one are meant */
    bool history;            /* data is done */
    uint64_t last;           /* segment that was looked at last */
    struct segment *segment; /* the one being looked at, counted */
    int file;                /* its new one; -1: none */
    bool written, named;     /* there is a new one; and it has the old one's name */
};

struct store {
    /* set when opened */
    const struct store_io *io;
    char *folder;
    struct store_id id;
    struct store_options options; /* path and io are not used any more */
    uint64_t segment_bytes;       /* of a new segment's file */
    uint64_t own_bytes;           /* of the segments found when opening */
    bool was_closed;              /* found as store_close() leaves it: all of it is synced */
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
    bool pinned;         /* a segment could not be given back, for a backup is being made: asked again soon */

    struct store_batch *queue, *queue_last; /* submitted */
    struct store_batch *pool;               /* empty ones for later */
    size_t pool_count;
    uint64_t submitted;
    bool closing, helper_closing;

    struct told_list told;       /* since the last collect */
    struct told_list collecting; /* the owner's */
    uint64_t collected_through;  /* the owner knows the places of all in commits up to this one ... */
    uint64_t collected_at;       /* ... and so does every batch submitted after this one */

    _Atomic uint64_t durable, durable_seq; /* the highest commit, and the highest number of an event in one */
    _Atomic bool failed, news, full;
    _Atomic bool waits; /* the commit thread, for room on the disk */
    struct store_problem problem;
    _Atomic unsigned damaged; /* findings of damage */
    struct store_problem damage;

    struct store_status counts; /* the sums kept as they happen */
    struct renewed_table renewed;
    struct history_end history_end; /* as last made durable */
    uint64_t history_last;          /* the highest number ever given to a history segment */
    struct cleaning cleaning;
    struct pass pass;
    bool seal_wanted; /* of the commit thread, by a pass: to go on in the next segment */
    pthread_mutex_t cache_lock; /* of all search caches */
    struct committer *committer;
};

/* ---- store.c ---- */

/* The store can't go on; the first reason stays. */
void store_fail(struct store *store, const char *format, ...) __attribute__((format(printf, 2, 3)));
void store_wake(struct store *store);
/* What is wrong with a segment, and what follows from it (`so`), is told to the owner. The lock is held. */
void damage_found(struct store *store, const struct segment *segment, uint64_t offset, const char *so);
/* Somebody who reads has met a damaged record: told once a segment. The lock is not held. */
void damage_met(struct store *store, struct segment *segment, uint64_t offset);
/* A row of batches has been written: its memory is used again. */
void queue_recycle(struct store *store, struct store_batch *row);

/* ---- segment.c ---- */

struct segment *segment_new(struct store *store, enum segment_type type, uint64_t number, uint64_t bytes, int file);
void segment_free(struct store *store, struct segment *segment);
/* Into the list of its type and findable by place; false: out of memory. Lock held, as for the next three. */
bool segment_enlist(struct store *store, struct segment *segment);
/* Not found by place any more; then not in its list either. */
void segment_hide(struct store *store, struct segment *segment);
void segment_delist(struct store *store, struct segment *segment);
struct segment *segment_at(struct store *store, store_place place);
bool segment_number_is_free(const struct store *store, enum segment_type type, uint64_t number);
store_place segment_place(const struct segment *segment, uint64_t offset);
/* The segment of `place`, counted; NULL: none. Takes the lock. */
struct segment *segment_hold(struct store *store, store_place place);
void segment_release(struct store *store, struct segment *segment);
/* The data segment that what lies at `offset` was written to at first. The lock is held, as for the next one. */
uint64_t segment_source(const struct segment *segment, uint64_t offset);
/* Room for one more run of a history segment; false: out of memory. */
bool segment_run_room(struct segment *segment);
uint32_t segment_tag(const struct segment *segment); /* the part of a place that says which segment */
void segment_learn(struct segment *segment, const struct heads *heads);
/* All frames of a durable segment up to `end`, as heads. */
enum err segment_heads(const struct store *store, const struct segment *segment, struct heads *heads);

/* ---- commit.c ---- */

enum err committer_new(struct store *store);
void committer_free(struct store *store);
/* Where recovery ended: the next batch has number `last` + 1. */
void committer_start(struct store *store, uint64_t last);
void *commit_run(void *store);

/* ---- books.c: the lock is held ---- */

/* A record now lies in `segment`. False: out of memory. */
bool books_place(struct store *store, struct segment *segment, unsigned kind, uint64_t key, size_t room);
/* The record at `place` is not live any more. */
void books_release(struct store *store, unsigned kind, store_place place);
/* Is the newest record of this key in `segment`? */
bool books_newest(const struct store *store, const struct segment *segment, unsigned kind, uint64_t key,
                  struct renewed *out);
void books_mark_asked(struct store *store, const struct segment *segment, unsigned kind, uint64_t key, bool ended);
void books_forget(struct store *store, unsigned kind, uint64_t key);
/* Bytes that are still needed, the index file's share included. */
uint64_t books_live(const struct store *store, const struct segment *segment, int64_t now_ms);
/* Bytes of a data segment that cleaning it now would write again: also ends too old for the history, while older
 * segments remain (clean.c). */
uint64_t books_to_move(const struct store *store, const struct segment *segment, int64_t now_ms);
uint64_t segment_total(const struct segment *segment); /* with its index file */
void books_free(struct store *store);

/* ---- clean.c ---- */

void clean_free(struct store *store);
/* The batch that cleaning has judged by became commit `commit`. The lock is held. */
void clean_submitted(struct store *store, uint64_t commit);

/* ---- gather.c: the helper's steps ---- */

/* The lock is held, and let go of meanwhile. False: there was nothing to do. */
bool clean_help(struct store *store);
/* Goes on with giving back what an earlier run retired, if there is some: nothing is cleaned before. The lock is held,
 * or nobody else is there yet. */
void clean_retired(struct store *store);
/* The file of a segment that nobody uses becomes a spare, or is removed; frees the segment. */
int segment_give_back(struct store *store, struct segment *segment);

/* ---- pass.c ---- */

/* The lock is held, and let go of meanwhile. False: there was nothing to do. */
bool pass_help(struct store *store);
bool pass_is_on(const struct store *store); /* the lock is held */
void pass_free(struct store *store);

/* ---- history.c ---- */

/* Adds a record of the victim to the history, with what its kind keeps. 0, or a negative errno. */
int history_add(struct store *store, const struct record *record, enum verdict verdict, int64_t time_ms);
/* Writes out and syncs what was added; end_next says how far it is good. */
int history_flush(struct store *store);
/* What was added for the victim counts from now on. The lock is held. */
void history_accept(struct store *store);
/* It never will, as far as this run goes: the next one will count it if the journal says so. The lock is held. */
void history_abandon(struct store *store);

/* ---- search_cache.c ---- */

/* Needed no more, for there is an index file now, or the segment goes. */
void search_cache_free(struct store *store, struct segment *segment);

/* ---- copies.c ---- */

/* Writes `row` to `out` with its copies filled in; `recent`: first places of records written before, oldest first.
 * False: the store has failed. */
bool copies_fill(struct store *store, const struct store_batch *row, const struct told_list *recent,
                 struct store_batch *out);

/* ---- helper.c ---- */

void *helper_run(void *store);
/* The next segment that is to have an index file, or is getting it; the lock is held. NULL: all have theirs. */
struct segment *helper_to_index(const struct store *store);
/* Removes a spare file; false: there is none, or it can't be removed. The lock is held, and let go of meanwhile. */
bool spare_drop(struct store *store);
/* A full disk, or what is like it: no failure, for it can be tried again later. */
bool is_no_room(int error);
/* Syncs the folder. After an error nobody knows which names are there: it is no lack of room, whatever it is called. */
int sync_names(struct store *store);
/* As io->reserve(), but gives spare files up for it when the disk is full. */
int reserve(struct store *store, int file, uint64_t bytes);
/* Makes the segment that is to be used next; a negative errno if there is no room. */
int segment_prepare(struct store *store, struct segment **out);

/* ---- recover.c, tidy.c ---- */

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
/* A backup holds the store's file locked, and as long no segment's file may go (backup.c). True: nobody does, and
 * nobody begins to before *file is closed (< 0: nothing to close). */
bool folder_claim(const struct store_io *io, const char *folder, int *file);

/* ---- read.c ---- */

/* The record at `place` in `segment`, checked; *out is the caller's. */
enum err record_read(const struct store *store, const struct segment *segment, store_place place,
                     struct record **out);

#endif
