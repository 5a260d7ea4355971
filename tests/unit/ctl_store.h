/* ctl_store.h — a store as a broker leaves it behind, for what linewardctl does with stores. Included once per test
 * program. */
#ifndef LINEWARD_TESTS_CTL_STORE_H
#define LINEWARD_TESTS_CTL_STORE_H

#include <check.h>

#include "broker/store/record.h"
#include "broker/store/store.h"

#define SEGMENT_BYTES (1024 * 1024)

static char store_path[96];

static bool never_live(void *self, unsigned kind, uint64_t key, store_place place)
{
    return false;
}

static void never_moved(void *self, unsigned kind, uint64_t key, store_place from, store_place to)
{
}

static enum err ignore_replay(void *self, unsigned kind, uint64_t key, uint64_t seq, bool past, const void *head,
                              size_t head_bytes, store_place place)
{
    return ERR_NONE;
}

static void no_renew(void *self, unsigned kind, uint64_t key, struct store_batch *batch)
{
}

static struct store *open_store(void)
{
    struct store_options options = {
        .path = store_path,
        .segment_bytes = SEGMENT_BYTES,
        .history_retention_ms = 3600000,
        .kinds = record_kinds(),
        .owner = {.replay = ignore_replay, .is_live = never_live, .moved = never_moved, .renew = no_renew},
        .wake_fd = -1,
    };
    struct store *store = NULL;
    struct store_opened opened;
    struct store_problem problem;
    ck_assert_msg(store_open(&store, &options, &opened, &problem) == ERR_NONE, "%s", problem.text);
    return store;
}

#endif
