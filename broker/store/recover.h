/* recover.h — what the three parts of recovery share: order and replay (recover.c), reading and checking
 * (recover_read.c), making the disk fit for going on (tidy.c, after replay). */
#ifndef LINEWARD_STORE_RECOVER_H
#define LINEWARD_STORE_RECOVER_H

#include "journal.h"

struct history_run { /* what was gathered from one data segment */
    uint64_t source;
    struct segment *segment;
    uint64_t from, to;
};

struct recovery {
    struct store *store;
    struct store_opened *opened;
    struct store_problem *problem;
    struct history_end history_end;
    bool has_history_end;
    struct history_run *runs; /* in order of their sources */
    size_t run_count, run_room;
    struct segment *kept_for; /* its heads have been read already: */
    struct heads kept;
    uint64_t bytes_done, bytes_total;
    int64_t told_us;
};

enum err recovery_damaged(struct recovery *recovery, const struct segment *segment, uint64_t offset,
                          const char *what);

/* Opens all segment files and checks their headers. */
enum err recovery_open_files(struct recovery *recovery);
/* The heads of a data segment, from its index file or from itself; *index_bytes 0: from itself. */
enum err recovery_read_data(struct recovery *recovery, struct segment *segment, struct heads *heads,
                            uint64_t *index_bytes);
/* Finds the runs of all history that counts, by its frames' headers. What does not count becomes RETIRED. */
enum err recovery_find_runs(struct recovery *recovery);
enum err recovery_read_run(struct recovery *recovery, const struct history_run *run, struct heads *heads);

#endif
