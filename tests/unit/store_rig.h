/* store_rig.h — a store on real files, and an owner of it that notes what it is told. Included once per test program. */
#ifndef TESTS_UNIT_STORE_RIG_H
#define TESTS_UNIT_STORE_RIG_H

#include <dirent.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lineward/clock.h"
#include "tests/support/suite.h"
#include "tests/unit/store_model.h"

#define SEGMENT_BYTES (1u << 20)
#define KEYS          20000

/* An owner that notes what it is told. */
struct owner {
    store_place places[KEYS];
    bool dead[KEYS];
    uint64_t replayed, moved;
    uint64_t last_seq;
    char heads[KEYS][8];
};

static char folder[64];
static struct owner owner;
static struct store *store;
static struct store_batch *batch;
static struct store_opened opened;
static struct store_problem problem;
static const struct store_io *watched; /* instead of the real one; NULL: that */
static int wake_fd;
static int64_t cleaned_ms; /* wall time of the last cleaning */

static inline enum err on_replay(void *self, unsigned kind, uint64_t key, uint64_t seq, bool past, const void *head,
                          size_t head_bytes, store_place place)
{
    struct owner *to = self;
    ck_assert_uint_lt(key, KEYS);
    to->places[key] = place;
    to->replayed++;
    to->last_seq = seq;
    memcpy(to->heads[key], head, head_bytes < 8 ? head_bytes : 8);
    return ERR_NONE;
}

static inline bool on_is_live(void *self, unsigned kind, uint64_t key, store_place place)
{
    const struct owner *to = self;
    return !to->dead[key] && to->places[key] == place;
}

static inline void on_moved(void *self, unsigned kind, uint64_t key, store_place from, store_place to_place)
{
    struct owner *to = self;
    to->places[key] = to_place;
    to->moved++;
}

static inline void on_renew(void *self, unsigned kind, uint64_t key, struct store_batch *into)
{
}

static inline struct store_options options(void)
{
    return (struct store_options){.path = folder,
                                  .segment_bytes = SEGMENT_BYTES,
                                  .history_retention_ms = 3600 * 1000,
                                  .kinds = model_kinds,
                                  .io = watched,
                                  .owner = {&owner, on_replay, on_is_live, on_moved, on_renew, NULL},
                                  .wake_fd = wake_fd};
}

static inline enum err open_it(void)
{
    struct store_options wanted = options();
    memset(&owner, 0, sizeof owner);
    return store_open(&store, &wanted, &opened, &problem);
}

static inline void setup(void)
{
    strcpy(folder, "/tmp/lineward-store-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(rmdir(folder), 0); /* the store makes it */
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    batch = store_batch_new();
    cleaned_ms = clock_read().wall_ms;
    ck_assert_int_eq(open_it(), ERR_NONE);
}

static inline void remove_folder(void)
{
    char path[400];
    DIR *dir = opendir(folder);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        unlink(path);
    }
    closedir(dir);
    rmdir(folder);
}

static inline void teardown(void)
{
    store_close(&store);
    store_batch_free(&batch);
    close(wake_fd);
    remove_folder();
}

static inline void add_job(uint64_t key, size_t body_bytes)
{
    static char body[1024 * 1024];
    memset(body, (int)('a' + key % 26), body_bytes);
    struct store_section sections[STORE_SECTIONS] = {{"to", 2}, {body, body_bytes}, {NULL, 0}, {"last", 4}};
    ck_assert_int_eq(store_batch_add(batch, MODEL_JOB, key, key + 1, &key, sizeof key, sections), ERR_NONE);
    owner.places[key] = STORE_NOWHERE;
}

/* Submits and waits until it is durable and told. */
static inline uint64_t commit(void)
{
    uint64_t wanted = store_submit(store, batch), durable = 0;
    while (durable < wanted) {
        struct pollfd wake = {.fd = wake_fd, .events = POLLIN};
        uint64_t count;
        ck_assert_int_eq(store_collect(store, &durable), ERR_NONE);
        if (durable < wanted && poll(&wake, 1, 10000) == 1)
            ck_assert_int_eq(read(wake_fd, &count, sizeof count), sizeof count);
    }
    return durable;
}

static inline void reopen(void)
{
    store_close(&store);
    ck_assert_msg(open_it() == ERR_NONE, "%s", problem.text);
}

static inline void check_job(uint64_t key, size_t body_bytes)
{
    struct store_record record;
    ck_assert_int_eq(store_read(store, owner.places[key], &record), ERR_NONE);
    ck_assert_uint_eq(record.kind, MODEL_JOB);
    ck_assert_uint_eq(record.key, key);
    ck_assert_uint_eq(record.seq, key + 1);
    ck_assert_uint_eq(record.head_bytes, sizeof key);
    ck_assert_int_eq(memcmp(record.head, &key, sizeof key), 0);
    ck_assert_uint_eq(record.sections[0].bytes, 2);
    ck_assert_uint_eq(record.sections[1].bytes, body_bytes);
    ck_assert_uint_eq(record.sections[2].bytes, 0);
    ck_assert_uint_eq(record.sections[3].bytes, 4);
    ck_assert_int_eq(memcmp(record.sections[3].data, "last", 4), 0);
    if (body_bytes > 0)
        ck_assert_int_eq(((const char *)record.sections[1].data)[body_bytes - 1], (int)('a' + key % 26));
    store_record_free(&record);
    ck_assert_ptr_null(record.memory);
}

static inline bool has_file(const char *name)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

static inline void remove_file(const char *name)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
}

static inline void end(uint64_t key)
{
    owner.dead[key] = true;
    ck_assert_int_eq(store_batch_release(batch, MODEL_JOB, key, owner.places[key]), ERR_NONE);
}

/* Four segments, of which cleaning the first ones is worth while. */
static inline void fill_segments(void)
{
    for (uint64_t key = 1; key <= 400; key++) {
        add_job(key, 9000);
        commit();
    }
    for (uint64_t key = 1; key <= 270; key++)
        end(key);
    commit();
}

static inline struct store_status clean_once(void)
{
    struct store_status status;
    cleaned_ms += 50;
    store_clean(store, batch, cleaned_ms, 1000);
    commit();
    store_status_read(store, &status);
    poll(NULL, 0, 1);
    return status;
}

static inline bool cleaning_comes_to_rest(void)
{
    unsigned quiet = 0;
    for (unsigned i = 0; i < 3000 && quiet < 40; i++) {
        struct store_status status = clean_once();
        quiet = status.cleaning || status.indexing ? 0 : quiet + 1;
    }
    return quiet >= 40;
}

static inline unsigned files_named(const char *begins)
{
    unsigned count = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += strncmp(entry->d_name, begins, strlen(begins)) == 0 && strstr(entry->d_name, ".seg") != NULL;
    closedir(dir);
    return count;
}

/* Runs them, each with a store of its own. */
static inline int run_suite(const char *name, const TTest *const *tests, size_t count)
{
    return suite_run_all(name, setup, teardown, 120, tests, count);
}

#endif
