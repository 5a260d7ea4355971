/* Going over all of a store: what is overwritten is in no file any more, everything else is where it was, and a power
 * cut at any moment leaves it so that the pass can be made again. */
#include "broker/store/file.h"
#include "broker/store/store.h"
#include "tests/support/store_sim.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SEGMENT_BYTES (1u << 20)
#define NOTES         4000
#define VICTIM_EVERY  97
#define CUTS          200
#define RETENTION_MS  INT64_C(3600000)

enum { NOTE = 1, THING = 2 }; /* what happened; and what lived, of which nothing is kept */

static const struct store_kind kinds[STORE_KINDS_MAX] = {
    [NOTE] = {"note", STORE_KEEP_HISTORY, true, 15, 0},
    [THING] = {"thing", STORE_KEEP_WHILE_LIVE, false, 0, 0},
};

static struct sim *sim;
static struct store *store;
static struct store_batch *batch;
static int wake_fd;
static uint64_t keys; /* of notes given so far */
static int64_t now_ms = 1700000000000;

static int64_t wall_ms(void)
{
    return now_ms;
}

static enum err replay(void *self, unsigned kind, uint64_t key, uint64_t seq, bool past, const void *head,
                       size_t head_bytes, store_place place)
{
    (void)self, (void)kind, (void)key, (void)seq, (void)past, (void)head, (void)head_bytes, (void)place;
    return ERR_NONE;
}

static bool is_live(void *self, unsigned kind, uint64_t key, store_place place)
{
    (void)self, (void)kind, (void)key, (void)place;
    return false;
}

static void moved(void *self, unsigned kind, uint64_t key, store_place from, store_place to)
{
    (void)self, (void)kind, (void)key, (void)from, (void)to;
}

static void await(int patience_ms)
{
    struct pollfd wake = {.fd = wake_fd, .events = POLLIN};
    uint64_t count;
    if (poll(&wake, 1, patience_ms) > 0)
        ck_assert_int_eq(read(wake_fd, &count, sizeof count), sizeof count);
}

static bool is_victim(uint64_t key)
{
    return key % VICTIM_EVERY == 5;
}

static void open_on(struct sim *disk)
{
    struct store_options options = {.path = SIM_FOLDER,
                                    .segment_bytes = SEGMENT_BYTES,
                                    .history_retention_ms = RETENTION_MS,
                                    .kinds = kinds,
                                    .owner = {.replay = replay, .is_live = is_live, .moved = moved},
                                    .io = &disk->io,
                                    .wall_ms = wall_ms,
                                    .wake_fd = wake_fd};
    struct store_opened opened;
    struct store_problem problem;
    enum err err = store_open(&store, &options, &opened, &problem);
    ck_assert_msg(err == ERR_NONE, "%s", problem.text);
}

/* Everything submitted is durable. */
static void settle(void)
{
    uint64_t commit = store_submit(store, batch), durable = 0;
    while (store_collect(store, &durable) == ERR_NONE && durable < commit)
        await(5);
    ck_assert_uint_ge(durable, commit);
}

static void add_note(void)
{
    char text[64];
    uint64_t key = ++keys;
    int bytes = snprintf(text, sizeof text, "{\"%s\":%06u}", is_victim(key) ? "ERASE-ME" : "KEEP-ME", (unsigned)key);
    struct store_section sections[STORE_SECTIONS] = {{text, 1}, {text, (size_t)bytes}};
    ck_assert_int_eq(store_batch_add(batch, NOTE, key, key, is_victim(key) ? "ERASE-ME" : "headhead", 8, sections),
                     ERR_NONE);
}

static void add_thing(void)
{
    static char text[6000];
    struct store_section sections[STORE_SECTIONS] = {{text, sizeof text}};
    memset(text, 't', sizeof text);
    memcpy(text + 3000, "ERASE-ME", 8); /* what is not kept anyway leaves traces as well */
    ck_assert_int_eq(store_batch_add(batch, THING, keys, 0, "headhead", 8, sections), ERR_NONE);
}

static void clean(unsigned slices)
{
    for (unsigned i = 0; i < slices; i++) {
        now_ms += 1000;
        store_clean(store, batch, now_ms, 1000);
        settle();
        await(1);
    }
}

static void fill(unsigned notes)
{
    for (unsigned i = 0; i < notes; i++) {
        add_note();
        if (i % 4 == 0)
            add_thing();
        if (i % 50 == 0)
            settle();
    }
    settle();
}

static bool holds(const struct sim_inode *file, const char *text)
{
    uint8_t *data = sim_read(file);
    bool found = memmem(data, file->size, text, strlen(text)) != NULL;
    free(data);
    return found;
}

/* The first file that has the text; NULL: none. The store is closed. */
static const char *file_with(struct sim *disk, const char *text)
{
    for (int i = 0; i < sim_name_count(disk); i++) {
        struct sim_inode *file = sim_file(disk, sim_name_at(disk, i));
        if (file != NULL && holds(file, text))
            return sim_name_at(disk, i);
    }
    return NULL;
}

struct seen {
    uint8_t kept[NOTES + 1], victims[NOTES + 1];
    bool changes;
};

typedef enum store_passed visit_one(void *self, const struct store_record *record, uint8_t *head,
                                    uint8_t *const sections[STORE_SECTIONS]);

static enum store_passed visit(void *self, const struct store_record *record, uint8_t *head,
                               uint8_t *const sections[STORE_SECTIONS])
{
    struct seen *seen = self;
    (void)sections;
    if (record->kind != NOTE)
        return memcmp(head, "head", 4) == 0 && seen->changes ? STORE_PASSED_BLANK : STORE_PASSED_AS_IT_IS;
    ck_assert_uint_le(record->key, NOTES);
    char text[64];
    int bytes = snprintf(text, sizeof text, "{\"KEEP-ME\":%06u}", (unsigned)record->key);
    bool kept =
        record->sections[1].bytes == (size_t)bytes && memcmp(record->sections[1].data, text, (size_t)bytes) == 0;
    (is_victim(record->key) ? seen->victims : seen->kept)[record->key] = 1 + (is_victim(record->key) || kept);
    if (!is_victim(record->key) || !seen->changes)
        return STORE_PASSED_AS_IT_IS;
    memcpy(head, "--------", 8);
    return STORE_PASSED_BLANK;
}

/* `changes`: it finds something to be overwritten. */
static int pass_by(visit_one *visitor, struct seen *seen, bool writes, bool changes)
{
    struct store_pass ask = {.self = seen, .visit = visitor, .writes = writes};
    struct store_pass_state state;
    memset(seen, 0, sizeof *seen);
    seen->changes = changes;
    ck_assert_int_eq(store_pass_begin(store, &ask), ERR_NONE);
    for (;;) {
        store_pass_state(store, &state);
        if (!state.on)
            break;
        settle(); /* the owner's turns go on */
        store_clean(store, batch, now_ms, 1000);
        await(5);
    }
    ck_assert(state.error != 0 || state.bytes_done == state.bytes_total);
    return state.error;
}

static int pass_that(struct seen *seen, bool writes, bool changes)
{
    return pass_by(visit, seen, writes, changes);
}

static int pass(struct seen *seen, bool writes)
{
    return pass_that(seen, writes, writes);
}

static void check_notes(const struct seen *seen, uint64_t through)
{
    for (uint64_t key = 1; key <= through; key++) {
        if (is_victim(key))
            ck_assert_msg(seen->victims[key] == 2, "victim %llu is lost", (unsigned long long)key);
        else
            ck_assert_msg(seen->kept[key] == 2, "note %llu is %s", (unsigned long long)key,
                          seen->kept[key] == 0 ? "lost" : "changed");
    }
}

static void setup(void)
{
    sim = sim_new();
    batch = store_batch_new();
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    keys = 0;
    open_on(sim);
}

static void teardown(void)
{
    store_close(&store);
    store_batch_free(&batch);
    close(wake_fd);
    sim_free(&sim);
}

/* In the segment that is in use, too. */
static void add_victim_again(void)
{
    keys = VICTIM_EVERY + 4;
    add_note();
    settle();
    keys = NOTES;
}

/* Data, history of several segments, files that were used again, spare ones. */
static void make_all(void)
{
    fill(NOTES / 2);
    clean(200);
    fill(NOTES - NOTES / 2);
    clean(40);
    for (unsigned round = 0; round < 3; round++) { /* files that were full once are half full again */
        for (unsigned i = 0; i < 230; i++)
            add_thing();
        clean(10);
    }
    add_victim_again();
    struct store_status status;
    store_status_read(store, &status);
    ck_assert_uint_gt(status.cleaned_segments, 2);
    ck_assert_uint_gt(status.history_segments, 0);
}

START_TEST(what_a_pass_overwrites_is_in_no_file_and_all_else_is_as_it_was)
{
    struct seen seen;
    make_all();
    store_close(&store);
    ck_assert_ptr_nonnull(file_with(sim, "ERASE-ME"));
    open_on(sim);
    ck_assert_int_eq(pass(&seen, true), 0);
    check_notes(&seen, NOTES);
    store_close(&store);
    ck_assert_msg(file_with(sim, "ERASE-ME") == NULL, "%s", file_with(sim, "ERASE-ME"));
    ck_assert_ptr_nonnull(file_with(sim, "KEEP-ME"));
    open_on(sim);
    ck_assert_int_eq(pass(&seen, false), 0);
    check_notes(&seen, NOTES);
}
END_TEST

/* Behind the end of each file of history, as a cleaning that was interrupted leaves them; the store is open. How
 * many. */
static unsigned add_tails(void)
{
    static const char text[] = "ERASE-ME";
    unsigned tails = 0;
    for (int i = 0; i < sim_name_count(sim); i++) {
        char path[256];
        const char *name = sim_name_at(sim, i);
        if (strncmp(name, "hist-", 5) != 0 || strstr(name, ".seg") == NULL)
            continue;
        snprintf(path, sizeof path, "%s/%s", SIM_FOLDER, name);
        int file = sim->io.open_read(sim->io.self, path);
        ck_assert_int_eq(file_write(&sim->io, file, text, sizeof text, sim_file(sim, name)->size + SIM_SECTOR_BYTES),
                         0);
        sim->io.close(sim->io.self, file);
        tails++;
    }
    return tails;
}

START_TEST(what_lies_behind_the_end_of_history_goes_too)
{
    struct seen seen;
    make_all();
    ck_assert_int_eq(pass(&seen, true), 0);
    ck_assert_uint_gt(add_tails(), 0);
    keys = 0;
    add_note(); /* or there is no segment to be left */
    settle();
    keys = NOTES;
    ck_assert_int_eq(pass_that(&seen, true, false), 0);
    store_close(&store);
    ck_assert_msg(file_with(sim, "ERASE-ME") == NULL, "%s", file_with(sim, "ERASE-ME"));
    open_on(sim);
    ck_assert_int_eq(pass(&seen, false), 0);
    check_notes(&seen, NOTES);
}
END_TEST

/* Or a store would run full while one order after the other is done. */
START_TEST(what_is_due_is_cleaned_between_passes_that_follow_each_other)
{
    struct seen seen;
    struct store_status before, after;
    fill(200);
    store_status_read(store, &before);
    for (unsigned round = 0; round < 6; round++) {
        for (unsigned i = 0; i < 600; i++) { /* some segments of what is over */
            add_thing();
            if (i % 50 == 0)
                settle();
        }
        settle();
        ck_assert_int_eq(pass_that(&seen, round % 2 == 0, false), 0);
    }
    store_status_read(store, &after);
    ck_assert_uint_ge(after.cleaned_segments, before.cleaned_segments + 6);
    ck_assert_uint_lt(after.segments, 12);
    check_notes(&seen, keys);
}
END_TEST

static bool count_blank(void *self, const struct store_record *record)
{
    unsigned *blank = self;
    *blank += record->sections[1].bytes == 0 && record->sections[3].bytes >= 4 &&
              memcmp(record->sections[3].data, "null", 4) == 0;
    return true;
}

START_TEST(what_is_read_meanwhile_and_afterwards_is_found)
{
    struct seen seen;
    unsigned blank = 0;
    make_all();
    ck_assert_int_eq(pass(&seen, true), 0);
    ck_assert_int_eq(store_find(store, NOTE, 5, count_blank, &blank), ERR_NONE);
    ck_assert_uint_eq(blank, 1);
    ck_assert_int_eq(store_find(store, NOTE, 6, count_blank, &blank), ERR_NONE);
    ck_assert_uint_eq(blank, 1);
    clean(60); /* and cleaning goes on with what is left */
    ck_assert_int_eq(pass(&seen, false), 0);
    check_notes(&seen, NOTES);
}
END_TEST

static enum store_passed visit_slowly(void *self, const struct store_record *record, uint8_t *head,
                                      uint8_t *const sections[STORE_SECTIONS])
{
    uint64_t go;
    (void)record, (void)head, (void)sections;
    ck_assert_int_eq(read(*(int *)self, &go, sizeof go), sizeof go);
    go = 1;
    ck_assert_int_eq(write(*(int *)self, &go, sizeof go), sizeof go);
    return STORE_PASSED_AS_IT_IS;
}

START_TEST(only_one_pass_at_a_time)
{
    int gate = eventfd(0, EFD_CLOEXEC);
    uint64_t go = 1;
    struct store_pass ask = {.self = &gate, .visit = visit_slowly};
    struct store_pass_state state;
    fill(200);
    ck_assert_int_eq(store_pass_begin(store, &ask), ERR_NONE);
    ck_assert_int_eq(store_pass_begin(store, &ask), ERR_BUSY);
    ck_assert_int_eq(write(gate, &go, sizeof go), sizeof go);
    for (store_pass_state(store, &state); state.on; store_pass_state(store, &state)) {
        store_clean(store, batch, now_ms, 1000);
        await(5);
    }
    ck_assert_int_eq(state.error, 0);
    ck_assert_int_eq(store_pass_begin(store, &ask), ERR_NONE);
    store_close(&store);
    close(gate);
    open_on(sim);
}
END_TEST

/* It copies whole files: none is put in another's place meanwhile. */
START_TEST(no_file_is_replaced_while_a_backup_is_made)
{
    struct seen seen = {.changes = true};
    struct store_pass ask = {.self = &seen, .visit = visit, .writes = true};
    struct store_pass_state state;
    make_all();
    int file = sim->io.open_read(sim->io.self, SIM_FOLDER "/store");
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(sim->io.lock(sim->io.self, file), 0);
    uint64_t renamed = sim_calls(sim, SIM_CALL_RENAME);
    ck_assert_int_eq(store_pass_begin(store, &ask), ERR_NONE);
    for (unsigned i = 0; i < 60; i++) {
        store_clean(store, batch, now_ms, 1000); /* what was being cleaned is the owner's to finish */
        await(5);
    }
    store_pass_state(store, &state);
    ck_assert(state.on);
    ck_assert_uint_eq(state.bytes_done, 0);
    ck_assert_uint_le(sim_calls(sim, SIM_CALL_RENAME), renamed + 2); /* but for the segment that is made ready */
    sim->io.close(sim->io.self, file);
    for (; state.on; store_pass_state(store, &state)) {
        settle();
        store_clean(store, batch, now_ms, 1000);
        await(5);
    }
    ck_assert_int_eq(state.error, 0);
    ck_assert_uint_eq(state.bytes_done, state.bytes_total);
    check_notes(&seen, NOTES);
}
END_TEST

/* The pass reads all of a power cut's leftovers, too. */
START_TEST(a_power_cut_at_any_moment_loses_nothing_and_the_pass_can_be_made_again)
{
    struct seen seen;
    make_all();
    store_close(&store);
    sim_record(sim);
    open_on(sim);
    ck_assert_int_eq(pass(&seen, true), 0);
    store_close(&store);
    size_t span = sim->event_count - sim->record_begins;
    for (uint64_t seed = 1; seed <= CUTS; seed++) {
        uint64_t mark;
        size_t events = sim->record_begins + 1 + (size_t)(seed * 7919 % span);
        struct sim *disk = sim_after_cut(sim, events, (enum sim_cut)(seed % SIM_CUT_KINDS), false, seed, &mark);
        open_on(disk);
        ck_assert_int_eq(pass(&seen, false), 0);
        check_notes(&seen, NOTES);
        bool again = seed % 8 == 0;
        if (again) {
            add_victim_again();
            ck_assert_int_eq(pass(&seen, true), 0);
            check_notes(&seen, NOTES);
        }
        store_close(&store);
        ck_assert_msg(!again || file_with(disk, "ERASE-ME") == NULL, "%s", file_with(disk, "ERASE-ME"));
        sim_free(&disk);
    }
    open_on(sim);
}
END_TEST

START_TEST(a_pass_that_has_no_room_says_so_and_leaves_all_as_it_was)
{
    struct seen seen;
    make_all();
    sim_set_quota(sim, 1); /* whatever cleaning gives back meanwhile */
    ck_assert_int_ne(pass(&seen, true), 0);
    sim_set_quota(sim, 0);
    ck_assert_int_eq(pass(&seen, false), 0);
    check_notes(&seen, NOTES);
    clean(3);
    ck_assert_int_eq(pass(&seen, true), 0);
    store_close(&store);
    ck_assert_msg(file_with(sim, "ERASE-ME") == NULL, "%s", file_with(sim, "ERASE-ME"));
    open_on(sim);
}
END_TEST

static enum store_passed visit_until_names_are_out(void *self, const struct store_record *record, uint8_t *head,
                                                   uint8_t *const sections[STORE_SECTIONS])
{
    pthread_mutex_lock(&sim->lock);
    sim->fault_call = SIM_CALL_RENAME;
    sim->fault_at = 1;
    sim->fault = SIM_FAULT_ENOSPC;
    pthread_mutex_unlock(&sim->lock);
    return visit(self, record, head, sections);
}

START_TEST(a_pass_that_has_no_room_for_a_name_says_so_and_leaves_all_as_it_was)
{
    struct seen seen;
    make_all();
    settle();
    ck_assert_int_eq(pass_by(visit_until_names_are_out, &seen, true, true), -ENOSPC);
    pthread_mutex_lock(&sim->lock);
    sim->fault = SIM_FAULT_NONE;
    pthread_mutex_unlock(&sim->lock);
    ck_assert_int_eq(pass(&seen, false), 0);
    check_notes(&seen, NOTES);
    clean(3);
    ck_assert_int_eq(pass(&seen, true), 0);
    store_close(&store);
    ck_assert_msg(file_with(sim, "ERASE-ME") == NULL, "%s", file_with(sim, "ERASE-ME"));
    open_on(sim);
    ck_assert_int_eq(pass(&seen, false), 0);
    check_notes(&seen, NOTES);
}
END_TEST

START_TEST(a_pass_that_can_not_remove_a_spare_file_says_so)
{
    struct seen seen;
    make_all();
    pthread_mutex_lock(&sim->lock);
    sim->fault_call = SIM_CALL_UNLINK;
    sim->fault_at = 1;
    sim->fault = SIM_FAULT_EIO;
    pthread_mutex_unlock(&sim->lock);
    int error = pass(&seen, true);
    pthread_mutex_lock(&sim->lock);
    sim->fault = SIM_FAULT_NONE;
    pthread_mutex_unlock(&sim->lock);
    ck_assert_int_ne(error, 0);
    ck_assert_int_eq(pass(&seen, true), 0);
    store_close(&store);
    ck_assert_msg(file_with(sim, "ERASE-ME") == NULL, "%s", file_with(sim, "ERASE-ME"));
    open_on(sim);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_pass");
    TCase *tcase = tcase_create("pass");
    tcase_set_timeout(tcase, 600);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, what_a_pass_overwrites_is_in_no_file_and_all_else_is_as_it_was);
    tcase_add_test(tcase, what_lies_behind_the_end_of_history_goes_too);
    tcase_add_test(tcase, what_is_due_is_cleaned_between_passes_that_follow_each_other);
    tcase_add_test(tcase, what_is_read_meanwhile_and_afterwards_is_found);
    tcase_add_test(tcase, only_one_pass_at_a_time);
    tcase_add_test(tcase, no_file_is_replaced_while_a_backup_is_made);
    tcase_add_test(tcase, a_power_cut_at_any_moment_loses_nothing_and_the_pass_can_be_made_again);
    tcase_add_test(tcase, a_pass_that_has_no_room_says_so_and_leaves_all_as_it_was);
    tcase_add_test(tcase, a_pass_that_has_no_room_for_a_name_says_so_and_leaves_all_as_it_was);
    tcase_add_test(tcase, a_pass_that_can_not_remove_a_spare_file_says_so);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
