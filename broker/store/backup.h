/* backup.h — copies of a store's files: out of the folder of a broker that runs, and back into an empty one. For
 * linewardctl; the broker is not asked.
 *
 * What is copied is a prefix of the journal: all that was durable at `taken_ms`, and whole batches only. While it is
 * copied no segment's file is used again (the store's file is held locked, folder_claim()); the broker goes on. */
#ifndef LINEWARD_STORE_BACKUP_H
#define LINEWARD_STORE_BACKUP_H

#include "store.h"

#define BACKUP_HASH_TEXT 33         /* XXH3-128 in hexadecimal digits */
#define BACKUP_MARKER    "restored" /* a file of a restored store's folder, until a broker has started on it */

struct backup_file {
    char name[64];
    uint64_t bytes;              /* copied; what follows means nothing */
    uint64_t size;               /* of the file */
    char hash[BACKUP_HASH_TEXT]; /* of those bytes */
};

struct backup_taken {
    uint64_t files, bytes;
    int64_t taken_ms; /* what was durable then is in it */
    uint64_t last_batch;
};

/* Copies the store at `from` into the folder `to`, which must exist and be empty; `copied` hears of each file (false:
 * stop). ERR_NOT_FOUND: no store; ERR_FULL: the broker needs the room that the backup keeps it from; ERR_DAMAGED: a
 * frame is unreadable, and what comes after it would be missing; ERR_IO. */
enum err store_backup(const char *from, const char *to, bool (*copied)(void *self, const struct backup_file *file),
                      void *self, struct backup_taken *out, struct store_problem *problem);

/* Can a backup hold a file of this name? */
bool backup_name_is_good(const char *name);
/* Copies one file as `file` says, with room on the disk for all its size. ERR_DAMAGED: its bytes are not those. */
enum err backup_file_restore(const char *from, const char *to, const struct backup_file *file,
                             struct store_problem *problem);

#endif
