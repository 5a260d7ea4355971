/* store_sim.h — a file system in memory for the store's tests: it can fail on command, run full, and it records what
 * was written and synced, so that every state in which a power cut could leave a disk can be made from the record.
 *
 * What a cut may leave: of a file's writes since its last sync any part, in sectors; of changes to names since the
 * folder's last sync any number of the first ones. */
#ifndef TESTS_STORE_SIM_H
#define TESTS_STORE_SIM_H

#include "broker/store/store_io.h"

#include <pthread.h>

#define SIM_FILES_MAX    4096
#define SIM_HANDLES_MAX  4096
#define SIM_SECTOR_BYTES 512

enum sim_fault { SIM_FAULT_NONE, SIM_FAULT_EIO, SIM_FAULT_ENOSPC, SIM_FAULT_SHORT };
enum sim_call {
    SIM_CALL_WRITE,
    SIM_CALL_SYNC,
    SIM_CALL_RESERVE,
    SIM_CALL_OPEN,
    SIM_CALL_RENAME,
    SIM_CALL_UNLINK,
    SIM_CALL_KINDS
};

enum sim_what {
    SIM_WRITE,  /* inode, offset, bytes (data NULL: zeros) */
    SIM_SIZE,   /* inode, offset: the new size */
    SIM_SYNC,   /* inode */
    SIM_CREATE, /* inode, name */
    SIM_RENAME, /* name, other */
    SIM_UNLINK, /* name */
    SIM_SYNC_DIR,
    SIM_MARK, /* offset: what the test wants to remember */
};

struct sim_event {
    enum sim_what what;
    int inode;
    uint64_t offset;
    size_t bytes;
    uint8_t *data;
    char *name, *other;
};

#define SIM_PAGE_BYTES 16384

struct sim_page { /* shared by the copies of a disk until one writes to it */
    _Atomic int refs;
    uint8_t data[SIM_PAGE_BYTES];
};

struct sim_inode {
    struct sim_page **pages; /* NULL: zeros */
    size_t page_count;
    size_t size;
    int locked_by; /* handle + 1; 0: nobody */
};

struct sim_name {
    char *name;
    int inode;
};

struct sim {
    struct store_io io; /* give this to the store */
    pthread_mutex_t lock;
    struct sim_inode *inodes;
    int inode_count;
    struct sim_name *names;
    int name_count;
    int handles[SIM_HANDLES_MAX]; /* inode, -1: closed */
    bool folder_made;

    bool recording;
    struct sim_event *events;
    size_t event_count, event_room;
    size_t record_begins; /* the first event that is not what was there */

    enum sim_fault fault;
    enum sim_call fault_call;
    uint64_t fault_at; /* the how manieth call of its kind fails, from 1; it and all after it */
    bool fault_once;
    uint64_t calls[SIM_CALL_KINDS];
    uint64_t quota; /* bytes of all files; 0: no limit */
};

struct sim *sim_new(void);
void sim_free(struct sim **sim_p);

/* The folder's path as the store is to be given it. */
#define SIM_FOLDER "/sim"

/* From now on changes are recorded, on top of what is there, which counts as synced. */
void sim_record(struct sim *sim);
/* Remembers a number in the record. */
void sim_mark(struct sim *sim, uint64_t value);

/* A file, NULL: there is none. Not to be used while a store is open, nor are those below. */
struct sim_inode *sim_file(struct sim *sim, const char *name);
uint8_t sim_peek(const struct sim_inode *file, uint64_t at);
uint8_t *sim_read(const struct sim_inode *file); /* all of it; freed by the caller */
void sim_flip(struct sim_inode *file, uint64_t at, uint8_t bits);
void sim_fill(struct sim_inode *file, uint64_t from, uint8_t byte); /* to its end */
void sim_resize(struct sim_inode *file, uint64_t size);
int sim_name_count(const struct sim *sim);
const char *sim_name_at(const struct sim *sim, int i);
uint64_t sim_bytes(struct sim *sim); /* of all files */
void sim_set_quota(struct sim *sim, uint64_t bytes); /* also while a store is open */
uint64_t sim_calls(struct sim *sim, enum sim_call call); /* so far; likewise */
/* A copy of all files, nothing else; costs little. */
struct sim *sim_copy(const struct sim *sim);

enum sim_cut { SIM_CUT_NONE, SIM_CUT_ALL, SIM_CUT_RANDOM, SIM_CUT_TORN, SIM_CUT_KINDS };

/* The disk after a power cut behind the first `events` events of the record (SIZE_MAX: behind all). `syncs_lie`: as
 * if no sync of a file had done anything (a disk that acknowledges and forgets). `last_mark`: the newest number
 * remembered before. */
struct sim *sim_after_cut(const struct sim *recorded, size_t events, enum sim_cut cut, bool syncs_lie, uint64_t seed,
                          uint64_t *last_mark);

#endif
