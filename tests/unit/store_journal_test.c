/* store_journal_test.c — the store as its owner sees it: writing, reading and opening again, on real files. What a
 * broker left unfinished: store_void_test.c; who may open it: store_open_test.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>

#include "tests/unit/store_rig.h"

static struct store_io counting; /* the real one, and how often it reads */
static unsigned reads;

static int64_t count_pread(void *self, int file, void *out, size_t bytes, uint64_t offset)
{
    reads++;
    return store_io_real.pread(self, file, out, bytes, offset);
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
    watched = &counting;
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
    ck_assert_uint_ge(status.segments, 3);
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

static void add_event(uint64_t key, uint64_t seq)
{
    ck_assert_int_eq(store_batch_add(batch, MODEL_END, key, seq, &seq, sizeof seq, NULL), ERR_NONE);
    commit();
}

struct order {
    uint64_t heads[8];
    unsigned count;
};

static bool note_order(void *self, const struct store_record *record)
{
    struct order *order = self;
    ck_assert_uint_lt(order->count, 8);
    memcpy(&order->heads[order->count++], record->head, sizeof *order->heads);
    return true;
}

static void check_order(void)
{
    struct order order = {.count = 0};
    ck_assert_int_eq(store_find(store, MODEL_END, 7, note_order, &order), ERR_NONE);
    ck_assert_uint_eq(order.count, 4);
    for (unsigned i = 0; i < 4; i++)
        ck_assert_msg(order.heads[i] == 5001 + i, "found %u.: %llu", i, (unsigned long long)order.heads[i]);
}

START_TEST(records_of_one_key_are_found_oldest_first_when_the_newer_ones_have_become_history)
{
    add_event(7, 5001);
    for (uint64_t key = 1; key <= 400; key++) {
        add_job(key, 9000);
        commit();
        if (key == 160) { /* in the second segment */
            add_event(7, 5002);
            add_event(7, 5003);
        }
    }
    add_event(7, 5004);
    for (uint64_t key = 120; key <= 380; key++) /* that one is dead, the first one lives */
        end(key);
    commit();
    check_order();
    ck_assert(cleaning_comes_to_rest());
    ck_assert(has_file("data-0000000000000001.seg"));
    ck_assert(!has_file("data-0000000000000002.seg"));
    check_order();
    reopen();
    check_order();
}
END_TEST

static _Atomic int reads_fail; /* the next so many */

static int64_t failing_pread(void *self, int file, void *data, size_t bytes, uint64_t offset)
{
    if (atomic_load(&reads_fail) > 0) {
        atomic_fetch_sub(&reads_fail, 1);
        return -EIO;
    }
    return store_io_real.pread(NULL, file, data, bytes, offset);
}

START_TEST(a_segment_that_could_not_be_read_for_a_moment_is_cleaned_all_the_same)
{
    fill_segments();
    counting = store_io_real;
    counting.pread = failing_pread;
    watched = &counting;
    reopen();
    for (uint64_t key = 1; key <= 270; key++)
        owner.dead[key] = true;
    atomic_store(&reads_fail, 2); /* the first one's index file, and then itself */
    ck_assert(cleaning_comes_to_rest());
    ck_assert_int_eq(atomic_load(&reads_fail), 0);
    ck_assert(!has_file("data-0000000000000001.seg"));
}
END_TEST

static bool note_next(void *self, const struct store_record *record)
{
    uint64_t *last = self;
    ck_assert_uint_eq(record->seq, *last + 1);
    *last = record->seq;
    return true;
}

/* A record that was moved has the number of its first one, and both may come to lie in one file. */
START_TEST(a_page_of_events_skips_none_though_a_file_has_some_twice)
{
    uint64_t last = 0, oldest = 0;
    add_event(7, 1);
    add_event(7, 1);
    add_event(7, 2);
    for (uint64_t key = 2; key <= 200; key++) { /* the next numbers, into the second segment */
        add_job(key, 9000);
        commit();
    }
    ck_assert(cleaning_comes_to_rest());
    ck_assert(has_file("data-0000000000000001.idx"));
    for (uint64_t before = UINT64_MAX; before != last;) {
        before = last;
        ck_assert_int_eq(store_events(store, last, 2, &oldest, note_next, &last), ERR_NONE);
    }
    ck_assert_uint_eq(last, 201);
}
END_TEST

/* In the list's last entry: where that event lies. */
static void spoil_list(const char *name)
{
    char path[400], byte;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int file = open(path, O_RDWR | O_CLOEXEC);
    off_t at = lseek(file, 0, SEEK_END) - 3;
    ck_assert_int_eq(pread(file, &byte, 1, at), 1);
    byte ^= 0x20;
    ck_assert_int_eq(pwrite(file, &byte, 1, at), 1);
    close(file);
}

static bool count_event(void *self, const struct store_record *record)
{
    (*(unsigned *)self)++;
    return true;
}

static unsigned events_found(void)
{
    uint64_t oldest = 0;
    unsigned count = 0;
    enum err err = store_events(store, 0, 1000, &oldest, count_event, &count);
    return err == ERR_NONE ? count : 0;
}

START_TEST(an_index_file_whose_lists_are_damaged_is_made_anew)
{
    struct store_check check;
    for (uint64_t key = 1; key <= 200; key++) {
        add_job(key, 9000);
        commit();
    }
    ck_assert(cleaning_comes_to_rest());
    store_close(&store);
    spoil_list("data-0000000000000001.idx");
    FILE *report = tmpfile();
    ck_assert_int_eq(store_inspect(folder, model_kinds, &check, NULL, NULL, report, &problem), ERR_NONE);
    ck_assert_int_gt(ftell(report), 0);
    fclose(report);
    ck_assert_int_eq(open_it(), ERR_NONE);
    for (unsigned i = 0; i < 3000 && events_found() != 200; i++)
        poll(NULL, 0, 1);
    ck_assert_uint_eq(events_found(), 200);
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
    for (uint64_t key = 1; key <= 3000; key++) /* all of it is over */
        end(key);
    store_submit(store, batch);
    store_status_read(store, &status);
    ck_assert_uint_lt(status.bytes_live, 3000 * 200); /* what is left is history, without bodies */
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        what_was_committed_is_read_back_and_found_after_a_restart,
        what_is_sought_is_found_by_few_reads_however_many_records_there_are,
        records_of_one_key_are_found_oldest_first_whenever_they_are_asked_for,
        records_of_one_key_are_found_oldest_first_when_the_newer_ones_have_become_history,
        a_segment_that_could_not_be_read_for_a_moment_is_cleaned_all_the_same,
        a_page_of_events_skips_none_though_a_file_has_some_twice,
        an_index_file_whose_lists_are_damaged_is_made_anew,
        commits_are_numbered_on_and_an_empty_one_is_the_last_one,
        a_batch_larger_than_a_segment_is_one_commit,
        a_segment_closed_when_it_is_nearly_full_is_gone_on_from,
        a_record_beyond_the_limits_is_refused_and_leaves_the_batch_alone,
        sections_are_copied_from_wherever_the_older_record_is,
        a_copy_from_a_place_that_was_never_there_fails_and_writes_nothing,
        a_place_that_is_none_is_not_found,
        what_was_submitted_but_not_durable_is_not_lost_by_closing,
        the_status_adds_up,
    };
    return run_suite("store_journal", tests, sizeof tests / sizeof *tests);
}
