/* The store as its owner sees it: writing, reading, opening again, and who may not open it. On real files. */
#include "store_model.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

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
static int wake_fd;

static enum err on_replay(void *self, unsigned kind, uint64_t key, uint64_t seq, bool past, const void *head,
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

static bool on_is_live(void *self, unsigned kind, uint64_t key, store_place place)
{
    const struct owner *to = self;
    return !to->dead[key] && to->places[key] == place;
}

static void on_moved(void *self, unsigned kind, uint64_t key, store_place from, store_place to_place)
{
    struct owner *to = self;
    to->places[key] = to_place;
    to->moved++;
}

static void on_renew(void *self, unsigned kind, uint64_t key, struct store_batch *into)
{
}

static struct store_io counting; /* the real one, and how often it reads */
static unsigned reads;

static int64_t count_pread(void *self, int file, void *out, size_t bytes, uint64_t offset)
{
    reads++;
    return store_io_real.pread(self, file, out, bytes, offset);
}

static struct store_options options(void)
{
    return (struct store_options){.path = folder,
                                  .segment_bytes = SEGMENT_BYTES,
                                  .history_retention_ms = 3600 * 1000,
                                  .kinds = model_kinds,
                                  .io = counting.pread != NULL ? &counting : NULL,
                                  .owner = {&owner, on_replay, on_is_live, on_moved, on_renew, NULL},
                                  .wake_fd = wake_fd};
}

static enum err open_it(void)
{
    struct store_options wanted = options();
    memset(&owner, 0, sizeof owner);
    return store_open(&store, &wanted, &opened, &problem);
}

static void setup(void)
{
    strcpy(folder, "/tmp/lineward-store-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(rmdir(folder), 0); /* the store makes it */
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    batch = store_batch_new();
    ck_assert_int_eq(open_it(), ERR_NONE);
}

static void remove_folder(void)
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

static void teardown(void)
{
    store_close(&store);
    store_batch_free(&batch);
    close(wake_fd);
    remove_folder();
}

static void add_job(uint64_t key, size_t body_bytes)
{
    static char body[1024 * 1024];
    memset(body, (int)('a' + key % 26), body_bytes);
    struct store_section sections[STORE_SECTIONS] = {{"to", 2}, {body, body_bytes}, {NULL, 0}, {"last", 4}};
    ck_assert_int_eq(store_batch_add(batch, MODEL_JOB, key, key + 1, &key, sizeof key, sections), ERR_NONE);
    owner.places[key] = STORE_NOWHERE;
}

/* Submits and waits until it is durable and told. */
static uint64_t commit(void)
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

static void reopen(void)
{
    store_close(&store);
    ck_assert_msg(open_it() == ERR_NONE, "%s", problem.text);
}

static void check_job(uint64_t key, size_t body_bytes)
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

START_TEST(what_was_committed_is_read_back_and_found_after_a_restart)
{
    ck_assert(opened.created);
    for (uint64_t key = 1; key < 300; key++)
        add_job(key, key * 3 % 700);
    ck_assert_uint_eq(commit(), 1);
    ck_assert_uint_eq(owner.moved, 299);
    for (uint64_t key = 1; key < 300; key++)
        check_job(key, key * 3 % 700);
    reopen();
    ck_assert(!opened.created);
    ck_assert_uint_eq(opened.records, 299);
    ck_assert_uint_eq(opened.torn_bytes_cut, 0);
    ck_assert_uint_eq(owner.replayed, 299);
    ck_assert_uint_eq(owner.last_seq, 300);
    ck_assert_uint_eq(store_durable(store), 1);
    for (uint64_t key = 1; key < 300; key++)
        check_job(key, key * 3 % 700);
}
END_TEST

static bool count_visit(void *self, const struct store_record *record)
{
    unsigned *found = self;
    ++*found;
    return true;
}

static unsigned count_found(uint64_t key)
{
    unsigned found = 0;
    ck_assert_int_eq(store_find(store, MODEL_JOB, key, count_visit, &found), ERR_NONE);
    return found;
}

START_TEST(what_is_sought_is_found_by_few_reads_however_many_records_there_are)
{
    enum { MANY = 19000, OFTEN = 1200 };
    struct store_status status;
    counting = store_io_real;
    counting.pread = count_pread;
    reopen();
    for (uint64_t key = 1; key <= MANY; key++) {
        add_job(key, 100);
        if (key <= OFTEN)
            add_job(MANY + 1, 0); /* the same hash again and again, more than one look holds */
        if (key % 500 == 0)
            commit();
    }
    reopen();
    store_status_read(store, &status);
    ck_assert_uint_ge(status.segments, 4);
    ck_assert_uint_eq(count_found(MANY + 1), OFTEN);
    ck_assert_uint_eq(count_found(MANY), 1); /* the list of the last segment is in memory from here on */
    reads = 0;
    for (uint64_t key = 1; key <= MANY; key += 19)
        ck_assert_uint_eq(count_found(key), 1);
    /* Of each segment the header and one or two parts of its list; once the record. */
    ck_assert_uint_le(reads, MANY / 19 * (status.segments * 7 / 2 + 2));
    ck_assert_uint_eq(count_found(KEYS - 1), 0);
    ck_assert_uint_eq(count_found(UINT64_MAX), 0);
}
END_TEST

struct ages {
    unsigned count;
    bool in_order;
};

static bool note_age(void *self, const struct store_record *record)
{
    struct ages *ages = self;
    ages->in_order = ages->in_order && record->sections[1].bytes == ++ages->count;
    return true;
}

/* In lists that grow while they are asked, without an index file. */
START_TEST(records_of_one_key_are_found_oldest_first_whenever_they_are_asked_for)
{
    enum { TIMES = 700, OTHERS = 12 };
    for (unsigned i = 1; i <= TIMES; i++) {
        add_job(1, i);
        for (unsigned other = 0; other < OTHERS; other++)
            add_job(2 + i * OTHERS + other, 0);
        if (i % 50 != 0)
            continue;
        commit();
        struct ages ages = {0, true};
        ck_assert_int_eq(store_find(store, MODEL_JOB, 1, note_age, &ages), ERR_NONE);
        ck_assert_uint_eq(ages.count, i);
        ck_assert(ages.in_order);
        for (unsigned other = 2 + OTHERS; other < 2 + (i + 1) * OTHERS; other += 97)
            ck_assert_uint_eq(count_found(other), 1);
        ck_assert_uint_eq(count_found(2 + (TIMES + 1) * OTHERS), 0);
    }
}
END_TEST

START_TEST(commits_are_numbered_on_and_an_empty_one_is_the_last_one)
{
    ck_assert_uint_eq(store_submit(store, batch), 0);
    add_job(1, 10);
    ck_assert_uint_eq(commit(), 1);
    ck_assert_uint_eq(store_submit(store, batch), 1);
    reopen();
    ck_assert_uint_eq(store_submit(store, batch), 1);
    add_job(2, 10);
    ck_assert_uint_eq(commit(), 2);
}
END_TEST

START_TEST(a_batch_larger_than_a_segment_is_one_commit)
{
    for (uint64_t key = 1; key <= 60; key++)
        add_job(key, 100000);
    ck_assert_uint_gt(store_batch_bytes(batch), 5 * SEGMENT_BYTES);
    ck_assert_uint_eq(commit(), 1);
    ck_assert_uint_eq(owner.moved, 60);
    reopen();
    ck_assert_uint_eq(opened.records, 60);
    for (uint64_t key = 1; key <= 60; key++)
        check_job(key, 100000);
}
END_TEST

static bool has_file(const char *name)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

static void remove_file(const char *name)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
}

/* Some segments are all of a batch whose end was never written; their index files are made when its number is in use
 * again. Found by the simulation. */
START_TEST(what_a_batch_of_several_segments_left_unfinished_stays_void_with_index_files_too)
{
    char name[64];
    for (uint64_t key = 1; key <= 60; key++)
        add_job(key, 100000);
    commit();
    store_close(&store);
    for (unsigned number = 0; number < 40; number++) {
        snprintf(name, sizeof name, "data-%016x.idx", number);
        remove_file(name);
        snprintf(name, sizeof name, "data-%016x.seg", number);
        if (number >= 5)
            remove_file(name);
    }
    ck_assert_int_eq(open_it(), ERR_NONE);
    ck_assert_uint_eq(opened.records, 0);
    add_job(100, 10);
    ck_assert_uint_eq(commit(), 1);
    for (unsigned tries = 0; tries < 2000 && !has_file("data-0000000000000003.idx"); tries++)
        poll(NULL, 0, 1);
    reopen();
    ck_assert_uint_eq(opened.records, 1);
    check_job(100, 10);
}
END_TEST

static void end(uint64_t key)
{
    owner.dead[key] = true;
    ck_assert_int_eq(store_batch_release(batch, MODEL_JOB, key, owner.places[key]), ERR_NONE);
}

static void clean_until_gone(const char *name)
{
    for (unsigned tries = 0; tries < 20000 && has_file(name); tries++) {
        store_clean(store, batch, 1000 * (int64_t)tries, 1000000);
        commit();
        poll(NULL, 0, 1);
    }
    ck_assert(!has_file(name));
}

/* The start after that knows the segment from its index file only, and cleaning reads it itself. Found by the simulation:
 * a job that was never acknowledged was history all at once, and its producer, who handed it in again, heard of a
 * duplicate. */
START_TEST(what_was_left_unfinished_stays_void_when_it_is_cleaned_after_another_restart)
{
    char name[64];
    add_job(1, 100000);
    commit();
    for (uint64_t key = 2; key <= 60; key++)
        add_job(key, 100000);
    commit();
    store_close(&store);
    for (unsigned number = 0; number < 40; number++) {
        snprintf(name, sizeof name, "data-%016x.idx", number);
        remove_file(name);
        snprintf(name, sizeof name, "data-%016x.seg", number);
        if (number >= 3)
            remove_file(name);
    }
    ck_assert_int_eq(open_it(), ERR_NONE);
    ck_assert_uint_eq(opened.records, 1);
    add_job(100, 10);
    ck_assert_uint_eq(commit(), 2);
    for (unsigned tries = 0; tries < 2000 && !has_file("data-0000000000000002.idx"); tries++)
        poll(NULL, 0, 1);
    ck_assert(has_file("data-0000000000000001.idx"));
    reopen();
    end(1);
    clean_until_gone("data-0000000000000001.seg");
    clean_until_gone("data-0000000000000002.seg");
    reopen();
    for (uint64_t key = 2; key <= 60; key++)
        ck_assert_uint_eq(owner.places[key], 0);
    check_job(100, 10);
}
END_TEST

static void remove_index_files(void)
{
    char name[64];
    for (unsigned number = 0; number < 40; number++) {
        snprintf(name, sizeof name, "data-%016x.idx", number);
        remove_file(name);
    }
}

/* What a segment begins only the next one can say to be whole: a backup has no index files, and a broker may be killed
 * before one is made. Found by the simulation. */
START_TEST(a_segment_that_ends_an_earlier_ones_batch_is_not_given_back_before_it)
{
    for (uint64_t key = 1; key <= 18; key++)
        add_job(key, 100000);
    commit();
    for (uint64_t key = 100; key <= 140; key++) {
        add_job(key, 100000);
        commit();
    }
    for (uint64_t key = 11; key <= 18; key++) /* all that the second segment holds of it */
        end(key);
    for (uint64_t key = 100; key <= 140; key++)
        end(key);
    clean_until_gone("data-0000000000000002.seg");
    store_close(&store);
    remove_index_files();
    ck_assert_msg(open_it() == ERR_NONE, "%s", problem.text);
    for (uint64_t key = 1; key <= 10; key++)
        check_job(key, 100000);
}
END_TEST

/* The seal, and the mark of closing, need room at the segment's end too. */
START_TEST(a_segment_closed_when_it_is_nearly_full_is_gone_on_from)
{
    for (size_t left = 0; left <= 320; left += 8) {
        size_t segment = SEGMENT_BYTES - 4096, first = 900000;
        size_t overhead = 64 + 2 * (40 + sizeof(uint64_t) + 2 + 4 + 2); /* a frame, two records, their rounding */
        add_job(1, first);
        add_job(2, segment - first - overhead - left);
        commit();
        reopen();
        reopen();
        add_job(3, 10);
        commit();
        reopen();
        ck_assert_uint_eq(opened.records, 3);
        for (uint64_t key = 1; key <= 3; key++)
            check_job(key, key == 1 ? first : key == 2 ? segment - first - overhead - left : 10);
        store_close(&store);
        remove_folder();
        ck_assert_int_eq(open_it(), ERR_NONE);
    }
}
END_TEST

START_TEST(a_record_beyond_the_limits_is_refused_and_leaves_the_batch_alone)
{
    static char large[STORE_RECORD_BYTES_MAX];
    struct store_section sections[STORE_SECTIONS] = {{large, sizeof large}};
    add_job(1, 10);
    size_t bytes = store_batch_bytes(batch);
    ck_assert_int_eq(store_batch_add(batch, MODEL_JOB, 2, 0, large, 8, sections), ERR_BAD_INPUT);
    ck_assert_int_eq(store_batch_add(batch, MODEL_JOB, 2, 0, large, STORE_HEAD_BYTES_MAX + 1, NULL), ERR_BAD_INPUT);
    ck_assert_int_eq(store_batch_add(batch, STORE_KINDS_MAX, 2, 0, large, 8, NULL), ERR_BAD_INPUT);
    ck_assert_uint_eq(store_batch_bytes(batch), bytes);
    ck_assert_uint_eq(store_batch_records(batch), 1);
    sections[0].bytes = 1000000; /* as large as may be expected to fit into the smallest segment */
    ck_assert_int_eq(store_batch_add(batch, MODEL_JOB, 2, 0, large, STORE_HEAD_BYTES_MAX, sections), ERR_NONE);
    commit();
    check_job(1, 10);
    struct store_record record;
    ck_assert_int_eq(store_read(store, owner.places[2], &record), ERR_NONE);
    ck_assert_uint_eq(record.sections[0].bytes, 1000000);
    store_record_free(&record);
}
END_TEST

/* ---- copies ---- */

struct seen {
    unsigned count;
    size_t bytes[STORE_SECTIONS];
    char first;
};

static bool see(void *self, const struct store_record *record)
{
    struct seen *seen = self;
    seen->count++;
    for (unsigned i = 0; i < STORE_SECTIONS; i++)
        seen->bytes[i] = record->sections[i].bytes;
    seen->first = record->sections[1].bytes > 0 ? *(const char *)record->sections[1].data : 0;
    return true;
}

static void end_job(uint64_t key, store_place from)
{
    struct store_section own[STORE_SECTIONS] = {[2] = {"result", 6}};
    ck_assert_int_eq(
        store_batch_add_copy(batch, MODEL_END, key, 0, "e", 1, own, 1u << 1 | 1u << 3, MODEL_JOB, key, from),
        ERR_NONE);
}

static void check_end(uint64_t key, size_t body_bytes)
{
    struct seen seen = {0};
    ck_assert_int_eq(store_find(store, MODEL_END, key, see, &seen), ERR_NONE);
    ck_assert_uint_eq(seen.count, 1);
    ck_assert_uint_eq(seen.bytes[0], 0);
    ck_assert_uint_eq(seen.bytes[1], body_bytes);
    ck_assert_uint_eq(seen.bytes[2], 6);
    ck_assert_uint_eq(seen.bytes[3], 4);
    ck_assert_int_eq(seen.first, (int)('a' + key % 26));
}

START_TEST(sections_are_copied_from_wherever_the_older_record_is)
{
    add_job(1, 100); /* in the same batch */
    end_job(1, STORE_NOWHERE);
    add_job(2, 200); /* submitted, perhaps not written */
    store_submit(store, batch);
    end_job(2, STORE_NOWHERE);
    commit();
    add_job(3, 300); /* on the disk */
    commit();
    end_job(3, owner.places[3]);
    commit();
    add_job(4, 400); /* durable, but its place is not known yet */
    uint64_t number = store_submit(store, batch);
    struct pollfd wake = {.fd = wake_fd, .events = POLLIN};
    while (store_durable(store) < number)
        poll(&wake, 1, 1);
    end_job(4, STORE_NOWHERE);
    commit();
    for (uint64_t key = 1; key <= 4; key++)
        check_end(key, key * 100);
    reopen();
    for (uint64_t key = 1; key <= 4; key++)
        check_end(key, key * 100);
}
END_TEST

START_TEST(a_copy_from_a_place_that_was_never_there_fails_and_writes_nothing)
{
    uint64_t durable;
    add_job(1, 100);
    commit();
    end_job(7, owner.places[1]); /* another job's record lies there */
    uint64_t number = store_submit(store, batch);
    struct pollfd wake = {.fd = wake_fd, .events = POLLIN};
    while (store_collect(store, &durable) == ERR_NONE)
        poll(&wake, 1, 1);
    ck_assert_uint_lt(durable, number);
    store_problem(store, &problem);
    ck_assert_ptr_nonnull(strstr(problem.text, "key 7"));
    reopen();
    ck_assert_uint_eq(opened.records, 1);
}
END_TEST

/* ---- reading ---- */

START_TEST(a_place_that_is_none_is_not_found)
{
    struct store_record record;
    add_job(1, 100);
    commit();
    ck_assert_int_eq(store_read(store, STORE_NOWHERE, &record), ERR_NOT_FOUND);
    ck_assert_int_eq(store_read(store, owner.places[1] + (9ull << 27), &record), ERR_NOT_FOUND);
    ck_assert_int_eq(store_read(store, owner.places[1] + (1u << 26), &record), ERR_NOT_FOUND);
    ck_assert_int_eq(store_read(store, owner.places[1] + 1, &record), ERR_DAMAGED);
    ck_assert_uint_lt(owner.places[1], 1ull << 48);
}
END_TEST

START_TEST(what_was_submitted_but_not_durable_is_not_lost_by_closing)
{
    for (uint64_t key = 1; key <= 500; key++) {
        add_job(key, 300);
        store_submit(store, batch);
    }
    reopen();
    ck_assert_uint_eq(opened.records, 500);
}
END_TEST

/* ---- who may open it ---- */

START_TEST(a_second_broker_is_refused_with_the_pid_of_the_first)
{
    struct store_options wanted = options();
    struct store *second = NULL;
    struct store_opened facts;
    char pid[32];
    snprintf(pid, sizeof pid, "pid %ld", (long)getpid());
    add_job(1, 10);
    commit();
    ck_assert_int_eq(store_open(&second, &wanted, &facts, &problem), ERR_BUSY);
    ck_assert_ptr_null(second);
    ck_assert_ptr_nonnull(strstr(problem.text, pid));
    struct store_check check;
    ck_assert_int_eq(store_inspect(folder, model_kinds, &check, NULL, NULL, NULL, &problem), ERR_BUSY);
    check_job(1, 10); /* the first goes on */
    add_job(2, 10);
    commit();
}
END_TEST

static void write_file(const char *name, const char *text)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(write(file, text, strlen(text)), (ssize_t)strlen(text));
    close(file);
}

/* Names, sizes and times of change of all files, as one number. */
static uint64_t fingerprint(void)
{
    uint64_t sum = 0;
    DIR *dir = opendir(folder);
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[400];
        struct stat stat_now;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        ck_assert_int_eq(stat(path, &stat_now), 0);
        if (S_ISREG(stat_now.st_mode))
            sum += (uint64_t)stat_now.st_ino * 31 + (uint64_t)stat_now.st_size * 7 +
                   (uint64_t)stat_now.st_mtim.tv_nsec + (uint64_t)stat_now.st_mtim.tv_sec;
    }
    closedir(dir);
    return sum;
}

START_TEST(a_newer_format_is_refused_and_not_touched)
{
    add_job(1, 10);
    commit();
    store_close(&store);
    write_file("store", "lineward store 2\nand whatever a later version writes here\n");
    uint64_t before = fingerprint();
    ck_assert_int_eq(open_it(), ERR_TOO_NEW);
    ck_assert_ptr_nonnull(strstr(problem.text, "newer"));
    ck_assert_uint_eq(fingerprint(), before);
    struct store_check check;
    ck_assert_int_eq(store_inspect(folder, model_kinds, &check, NULL, NULL, NULL, &problem), ERR_TOO_NEW);
    ck_assert_uint_eq(fingerprint(), before);
}
END_TEST

START_TEST(segments_without_their_store_file_are_not_taken_for_a_new_store)
{
    char path[400];
    add_job(1, 10);
    commit();
    store_close(&store);
    snprintf(path, sizeof path, "%s/store", folder);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(open_it(), ERR_DAMAGED);
    ck_assert_ptr_nonnull(strstr(problem.text, "missing"));
}
END_TEST

START_TEST(a_folder_that_can_not_be_made_says_why)
{
    struct store_options wanted = options();
    struct store *other = NULL;
    struct store_opened facts;
    wanted.path = "/proc/nowhere/store";
    ck_assert_int_eq(store_open(&other, &wanted, &facts, &problem), ERR_IO);
    ck_assert_ptr_nonnull(strstr(problem.text, "/proc/nowhere/store"));
}
END_TEST

/* ---- a stopped store ---- */

static bool count_dumped(void *self, const struct store_record *record)
{
    unsigned *count = self;
    return ++*count < 100000 && record->kind == MODEL_JOB;
}

START_TEST(a_stopped_store_is_checked_and_dumped)
{
    struct store_check check;
    unsigned dumped = 0;
    for (uint64_t key = 1; key <= 4000; key++) {
        add_job(key, 500);
        if (key % 100 == 0)
            commit();
    }
    store_close(&store);
    ck_assert_int_eq(store_inspect(folder, model_kinds, &check, count_dumped, &dumped, NULL, &problem), ERR_NONE);
    ck_assert_uint_eq(check.records, 4000);
    ck_assert_uint_ge(check.batches, 40);
    ck_assert_uint_eq(check.damaged, 0);
    ck_assert_uint_eq(dumped, 4000);
    char path[400];
    snprintf(path, sizeof path, "%s/data-0000000000000001.seg", folder);
    int file = open(path, O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(pwrite(file, "damage", 6, 200000), 6);
    ck_assert_int_eq(pwrite(file, "damage", 6, 600000), 6);
    close(file);
    dumped = 0;
    char *text = NULL;
    size_t text_bytes = 0;
    FILE *report = open_memstream(&text, &text_bytes);
    ck_assert_int_eq(store_inspect(folder, model_kinds, &check, count_dumped, &dumped, report, &problem),
                     ERR_DAMAGED);
    fclose(report);
    ck_assert_uint_eq(check.damaged, 2);
    ck_assert_ptr_nonnull(strstr(text, "data-0000000000000001.seg"));
    ck_assert_ptr_nonnull(strstr(problem.text, "offset"));
    ck_assert_uint_gt(dumped, 3000); /* what is behind damage is dumped too */
    ck_assert_uint_lt(dumped, 4000);
    free(text);
}
END_TEST

START_TEST(the_status_adds_up)
{
    struct store_status status;
    for (uint64_t key = 1; key <= 3000; key++) {
        add_job(key, 500);
        if (key % 100 == 0)
            commit();
    }
    store_status_read(store, &status);
    ck_assert_uint_eq(status.records, 3000);
    ck_assert_uint_eq(status.commits, 30);
    ck_assert_uint_ge(status.syncs, 30);
    ck_assert_uint_gt(status.bytes_live, 3000 * 500);
    ck_assert_uint_ge(status.bytes_total, status.bytes_live);
    ck_assert_uint_ge(status.bytes_written, 3000 * 500);
    for (uint64_t key = 1; key <= 3000; key++) { /* all of it is over */
        owner.dead[key] = true;
        ck_assert_int_eq(store_batch_release(batch, MODEL_JOB, key, owner.places[key]), ERR_NONE);
    }
    store_submit(store, batch);
    store_status_read(store, &status);
    ck_assert_uint_lt(status.bytes_live, 3000 * 200); /* what is left is history, without bodies */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_journal");
    TCase *tcase = tcase_create("journal");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, what_was_committed_is_read_back_and_found_after_a_restart);
    tcase_add_test(tcase, what_is_sought_is_found_by_few_reads_however_many_records_there_are);
    tcase_add_test(tcase, records_of_one_key_are_found_oldest_first_whenever_they_are_asked_for);
    tcase_add_test(tcase, commits_are_numbered_on_and_an_empty_one_is_the_last_one);
    tcase_add_test(tcase, a_batch_larger_than_a_segment_is_one_commit);
    tcase_add_test(tcase, what_a_batch_of_several_segments_left_unfinished_stays_void_with_index_files_too);
    tcase_add_test(tcase, what_was_left_unfinished_stays_void_when_it_is_cleaned_after_another_restart);
    tcase_add_test(tcase, a_segment_that_ends_an_earlier_ones_batch_is_not_given_back_before_it);
    tcase_add_test(tcase, a_segment_closed_when_it_is_nearly_full_is_gone_on_from);
    tcase_add_test(tcase, a_record_beyond_the_limits_is_refused_and_leaves_the_batch_alone);
    tcase_add_test(tcase, sections_are_copied_from_wherever_the_older_record_is);
    tcase_add_test(tcase, a_copy_from_a_place_that_was_never_there_fails_and_writes_nothing);
    tcase_add_test(tcase, a_place_that_is_none_is_not_found);
    tcase_add_test(tcase, what_was_submitted_but_not_durable_is_not_lost_by_closing);
    tcase_add_test(tcase, a_second_broker_is_refused_with_the_pid_of_the_first);
    tcase_add_test(tcase, a_newer_format_is_refused_and_not_touched);
    tcase_add_test(tcase, segments_without_their_store_file_are_not_taken_for_a_new_store);
    tcase_add_test(tcase, a_folder_that_can_not_be_made_says_why);
    tcase_add_test(tcase, a_stopped_store_is_checked_and_dumped);
    tcase_add_test(tcase, the_status_adds_up);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
