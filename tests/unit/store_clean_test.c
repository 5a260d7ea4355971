/* Cleaning: what lives is kept, what ended stays ended, history is found and dropped by age, the disk stays bounded,
 * and the owner's thread is never held up. */
#include "store_model.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "broker/store/batch.h"
#include "broker/store/format.h"
#include "tests/support/suite.h"

#define SEGMENT_BYTES (1u << 20)
#define HOUR_MS       (3600 * 1000)
#define SLICE_US_MAX  5000

static struct sim *sim;
static struct model *model;

static void setup(void)
{
    struct store_problem problem;
    sim = sim_new();
    model = model_new(3);
    ck_assert_int_eq(model_open(model, sim, SIM_FOLDER, SEGMENT_BYTES, &problem), ERR_NONE);
}

static void teardown(void)
{
    model_free(&model);
    sim_free(&sim);
}

static void turns(unsigned count, unsigned changes)
{
    for (unsigned i = 0; i < count; i++) {
        model_wall_ms += 100;
        ck_assert(model_turn(model, changes));
        if (i % 8 == 0)
            ck_assert(model_settle(model));
    }
    ck_assert(model_settle(model));
}

static void check_lives(void)
{
    const char *why = NULL;
    ck_assert_msg(model_reads_all(model, &why), "%s", why);
}

/* Closes, opens as another, compares, and goes on as the first with what the other one learned of places. */
static void check_restart(void)
{
    struct store_problem problem;
    const char *why = NULL;
    ck_assert(model_settle(model));
    model_close(model);
    struct model *found = model_new(model->seed);
    ck_assert_msg(model_open(found, sim, SIM_FOLDER, SEGMENT_BYTES, &problem) == ERR_NONE, "%s", problem.text);
    ck_assert_uint_eq(found->durable, model->submitted);
    ck_assert_msg(model_equals(found, model, found->durable, &why), "%s", why);
    ck_assert_msg(model_reads_all(found, &why), "%s", why);
    model_adopt(found, model);
    model_free(&model);
    model = found;
}

static struct store_status status_now(void)
{
    struct store_status status;
    store_status_read(model->store, &status);
    return status;
}

static void check_bound(void)
{
    struct store_status status = status_now();
    ck_assert_uint_le(sim_bytes(sim), status.bytes_live * 3 / 2 + 3 * SEGMENT_BYTES + 4096);
}

START_TEST(cleaning_keeps_what_lives_and_bounds_the_disk)
{
    for (unsigned round = 0; round < 4; round++) {
        turns(400, 25);
        ck_assert(model_clean(model, model_wall_ms));
        check_bound();
        check_lives();
        check_restart();
    }
    model_wall_ms += 3 * HOUR_MS;
    ck_assert(model_clean(model, model_wall_ms));
    check_bound();
    check_lives();
    check_restart();
}
END_TEST

START_TEST(the_bound_holds_for_jobs_of_all_sizes)
{
    model->body_max = 4000;
    model->alive_max = 900;
    turns(300, 25);
    model->alive_max = 150; /* most of them end */
    turns(300, 25);
    ck_assert(model_clean(model, model_wall_ms));
    check_bound();
    check_lives();
    check_restart();
    ck_assert(model_clean(model, model_wall_ms));
    check_bound();
}
END_TEST

/* ---- the end of a thing outlives it on the disk ---- */

static void settle(void)
{
    ck_assert(model_settle(model));
}

/* Short lives, until so many more segments are full. Hardly anything of them is needed afterwards. */
static void fill_segments(uint64_t more)
{
    uint64_t wanted = status_now().segments + more;
    while (status_now().segments < wanted) {
        uint64_t first = model->job_count + 1;
        for (unsigned i = 0; i < 20; i++)
            model_bear(model, 4000);
        settle();
        for (uint64_t key = first; key <= model->job_count; key++)
            model_end(model, key);
        settle();
    }
}

/* The first segment: nearly all of it lives on, but for one job and some values that end in a later segment. */
static uint64_t live_then_end(void)
{
    model->bare_ends = true;
    uint64_t x = model_bear(model, 100);
    for (uint64_t key = 0; key < MODEL_VALUES; key++)
        model_set(model, key, 7);
    for (unsigned i = 0; i < 230; i++) {
        model_bear(model, 4000);
        settle();
    }
    fill_segments(1);
    model_end(model, x);
    for (uint64_t key = 0; key < MODEL_VALUES; key++)
        model_set(model, key, 0);
    settle();
    fill_segments(2);
    return x;
}

static bool note_past(void *self, const struct store_record *record)
{
    *(bool *)self = record->past;
    return true;
}

static bool first_segment_is_there(void)
{
    ck_assert(model_settle(model));
    return sim_file(sim, "data-0000000000000001.seg") != NULL;
}

START_TEST(an_end_is_kept_while_the_beginning_is_there)
{
    uint64_t x = live_then_end();
    bool past = false;
    ck_assert(model_clean(model, model_wall_ms));
    ck_assert_int_eq(store_find(model->store, MODEL_END, x, note_past, &past), ERR_NONE);
    ck_assert(past);                     /* the end has become history ... */
    ck_assert(first_segment_is_there()); /* ... and the beginning has not */
    check_restart();
    model_wall_ms += 2 * HOUR_MS; /* which becomes too old: first the beginning is moved away from it */
    ck_assert(model_clean(model, model_wall_ms));
    ck_assert_uint_eq(status_now().history_segments, 0);
    ck_assert(!first_segment_is_there());
    check_restart();
    check_bound();
}
END_TEST

/* Until one more has been cleaned; false: there is nothing more to clean. */
static bool clean_one_segment(void)
{
    struct pollfd wake = {.fd = model->wake_fd, .events = POLLIN};
    uint64_t cleaned = status_now().cleaned_segments;
    for (unsigned quiet = 0; quiet < 4; quiet += !status_now().cleaning) {
        ck_assert(model_turn(model, 0));
        settle();
        poll(&wake, 1, 2);
        if (status_now().cleaned_segments > cleaned)
            return true;
        if (!status_now().cleaning)
            model_wall_ms += 2000;
    }
    return false;
}

START_TEST(an_old_end_is_kept_while_the_beginning_is_there)
{
    live_then_end();
    model_wall_ms += 2 * HOUR_MS; /* too old before it even becomes history */
    while (clean_one_segment())
        check_restart(); /* at no time may it come back */
    ck_assert(model_clean(model, model_wall_ms));
    ck_assert_uint_eq(status_now().history_segments, 0);
    check_restart();
    check_bound();
}
END_TEST

static unsigned history_files_made(void)
{
    unsigned made = 0;
    for (size_t i = sim->record_begins; i < sim->event_count; i++)
        made += sim->events[i].what == SIM_CREATE && strncmp(sim->events[i].name, "hist-", 5) == 0;
    return made;
}

/* Ends that are too old are needed only for what older segments begin: those are moved, instead of writing to the
 * history what is dropped from it at once. */
START_TEST(old_ends_are_dropped_once_the_oldest_segment_is_moved_and_never_written_again)
{
    struct store_problem problem;
    model_close(model);
    sim_record(sim);
    ck_assert_int_eq(model_open(model, sim, SIM_FOLDER, SEGMENT_BYTES, &problem), ERR_NONE);
    model->bare_ends = true;
    for (unsigned i = 0; i < 250; i++) { /* a segment that lives on */
        model_bear(model, 4000);
        settle();
    }
    uint64_t first = model->job_count + 1;
    for (unsigned i = 0; i < 30000; i++) {
        model_bear(model, 0);
        if (i % 200 == 199)
            settle();
    }
    uint64_t last = model->job_count;
    for (uint64_t key = first; key <= last; key++) {
        model_end(model, key);
        if (key % 200 == 0)
            settle();
    }
    settle();
    model_wall_ms += 2 * HOUR_MS;
    ck_assert(model_clean(model, model_wall_ms));
    check_bound();
    check_lives();
    check_restart();
    model_close(model);
    ck_assert_uint_eq(history_files_made(), 0);
}
END_TEST

START_TEST(what_ended_stays_ended_however_old_the_history)
{
    struct store_status before = {0}, after;
    uint64_t dropped = 0;
    for (unsigned round = 0; round < 40; round++) {
        model->alive_max = round % 3 == 0 ? 900 : 300; /* old jobs stay among the living for many rounds */
        turns(60, 30);
        model_wall_ms += HOUR_MS / 2;
        ck_assert(model_clean(model, model_wall_ms));
        after = status_now();
        dropped += after.history_segments < before.history_segments;
        before = after;
        if (round % 2 == 1)
            check_restart();
    }
    ck_assert_uint_gt(dropped, 0);
    check_lives();
}
END_TEST

/* covers: key store.history_retention_h */
START_TEST(history_is_dropped_when_it_is_too_old)
{
    turns(900, 25);
    ck_assert(model_clean(model, model_wall_ms));
    ck_assert_uint_gt(status_now().bytes_history, SEGMENT_BYTES / 4);
    model_wall_ms += 2 * HOUR_MS;
    ck_assert(model_clean(model, model_wall_ms));
    ck_assert_uint_eq(status_now().history_segments, 0);
    ck_assert_uint_eq(status_now().bytes_history, 0);
    check_lives();
    check_restart();
}
END_TEST

static uint64_t used(struct sim_inode *file)
{
    uint8_t *bytes = sim_read(file);
    uint64_t end = file->size;
    while (end > 0 && bytes[end - 1] == 0)
        end--;
    free(bytes);
    return end;
}

/* Of the last byte that was written to the journal; a segment that is only prepared has nothing but a header. */
static void damage_the_end(struct sim *disk)
{
    const char *last = "";
    for (int i = 0; i < sim_name_count(disk); i++)
        if (strncmp(sim_name_at(disk, i), "data-", 5) == 0 && strcmp(sim_name_at(disk, i), last) > 0 &&
            used(sim_file(disk, sim_name_at(disk, i))) > SEGMENT_HEADER_BYTES)
            last = sim_name_at(disk, i);
    sim_flip(sim_file(disk, last), used(sim_file(disk, last)) - 1, 1);
}

/* What cannot be read at the end of the journal looks as if it had never been synced; the journal's word that the
 * history counts may be what stands there, and the segments that the history came from are gone. */
START_TEST(damage_at_the_end_of_the_journal_takes_no_history)
{
    for (int round = 0; round < 12; round++) {
        struct store_problem problem;
        struct store_status status;
        turns(75, 25);
        ck_assert(model_clean(model, model_wall_ms));
        struct sim *disk = sim_copy(sim);
        damage_the_end(disk);
        struct model *found = model_new(model->seed);
        ck_assert_msg(model_open(found, disk, SIM_FOLDER, SEGMENT_BYTES, &problem) == ERR_NONE, "%s", problem.text);
        store_status_read(found->store, &status);
        ck_assert_uint_eq(status.bytes_history, status_now().bytes_history);
        model_free(&found);
        sim_free(&disk);
    }
}
END_TEST

START_TEST(a_slice_never_holds_the_owner_up)
{
    model->alive_max = 3000;
    turns(800, 40);
    ck_assert(model_clean(model, model_wall_ms));
    ck_assert_int_lt(model->slowest_slice_us, SLICE_US_MAX);
}
END_TEST

START_TEST(nothing_is_given_back_before_its_batch_is_submitted)
{
    turns(500, 25);
    struct store_batch *other = store_batch_new();
    uint64_t cleaned = status_now().cleaned_segments;
    model_wall_ms += 5000;
    for (unsigned i = 0; i < 2000; i++) { /* cleaned into a batch that stays where it is */
        uint64_t durable;
        store_clean(model->store, other, model_wall_ms, 1000);
        ck_assert_int_eq(store_collect(model->store, &durable), ERR_NONE);
    }
    ck_assert_uint_le(status_now().cleaned_segments, cleaned + 1); /* one may have been under way */
    check_lives();
    store_submit(model->store, other);
    store_batch_free(&other);
    ck_assert(model_clean(model, model_wall_ms));
    check_lives();
}
END_TEST

static bool says_history_end(const struct store_batch *batch)
{
    size_t at = 0;
    for (size_t i = 0; i < batch->records; i++) {
        const struct record *record = (const struct record *)(batch->bytes + at);
        if (record->kind == KIND_HISTORY_END)
            return true;
        at += record_room(record);
    }
    return false;
}

/* The first history file counts as soon as the journal says so: here the store is closed before it takes note of that. */
START_TEST(what_was_cleaned_is_there_however_soon_the_store_is_closed)
{
    struct pollfd wake = {.fd = model->wake_fd, .events = POLLIN};
    fill_segments(3);
    model_wall_ms += 2000;
    for (bool said = false; !said;) {
        store_clean(model->store, model->batch, model_wall_ms, 1000);
        said = says_history_end(model->batch);
        settle();
        if (!said)
            poll(&wake, 1, 10);
    }
    ck_assert_uint_eq(status_now().cleaned_segments, 0);
    check_restart();
}
END_TEST

/* ---- finding ---- */

struct found {
    unsigned records, past;
    uint64_t seq, last_seq;
    bool in_order, right;
};

static bool note_end(void *self, const struct store_record *record)
{
    struct found *found = self;
    const struct model_job *job = &model->jobs[record->key];
    bool with_body = record->key % 3 == 0;
    found->records++;
    found->past += record->past;
    found->right = record->kind == MODEL_END && record->seq == job->end_seq &&
                   record->sections[1].bytes == (with_body ? job->body_bytes : 0);
    return true;
}

static void check_ends(void)
{
    for (uint64_t key = 1; key <= model->job_count; key += 7) {
        struct found found = {0};
        if (!model->jobs[key].ended)
            continue;
        ck_assert_int_eq(store_find(model->store, MODEL_END, key, note_end, &found), ERR_NONE);
        ck_assert_uint_eq(found.records, 1);
        ck_assert(found.right);
    }
}

static bool note_job(void *self, const struct store_record *record)
{
    struct found *found = self;
    found->records++;
    found->past += record->past;
    return true;
}

START_TEST(what_ended_is_found_wherever_it_lies)
{
    turns(500, 25);
    check_ends(); /* in data segments, some without an index file */
    ck_assert(model_clean(model, model_wall_ms));
    ck_assert_uint_gt(status_now().history_segments, 0);
    check_ends(); /* and in history */
    for (uint64_t key = 1; key <= model->job_count; key += 11) {
        struct found found = {0};
        ck_assert_int_eq(store_find(model->store, MODEL_JOB, key, note_job, &found), ERR_NONE);
        ck_assert_uint_eq(found.records, 1); /* a copy is the same record */
        ck_assert(found.past == 0 || model->jobs[key].ended);
    }
    struct found none = {0};
    ck_assert_int_eq(store_find(model->store, MODEL_JOB, 1u << 30, note_job, &none), ERR_NONE);
    ck_assert_uint_eq(none.records, 0);
}
END_TEST

static bool note_event(void *self, const struct store_record *record)
{
    struct found *found = self;
    found->in_order &= found->records == 0 || record->seq == found->last_seq + 1;
    found->records++;
    found->last_seq = record->seq;
    return true;
}

static uint64_t check_events(void)
{
    uint64_t oldest, after = 0, seen = 0;
    struct found found = {.in_order = true};
    ck_assert_int_eq(store_events(model->store, 0, 0, &oldest, note_event, &found), ERR_NONE);
    after = oldest - 1;
    found.last_seq = after;
    do {
        found.records = 0;
        uint64_t first = found.last_seq;
        ck_assert_int_eq(store_events(model->store, after, 333, &oldest, note_event, &found), ERR_NONE);
        ck_assert(found.in_order);
        ck_assert_uint_eq(found.last_seq, first + found.records);
        seen += found.records;
        after = found.last_seq;
    } while (found.records > 0);
    ck_assert_uint_eq(after, model->seq);
    return seen;
}

START_TEST(events_are_complete_and_in_order_wherever_they_lie)
{
    turns(300, 25);
    ck_assert_uint_eq(check_events(), model->seq);
    ck_assert(model_clean(model, model_wall_ms));
    ck_assert_uint_eq(check_events(), model->seq);
    check_restart();
    uint64_t before = model->seq;
    turns(100, 25);
    ck_assert_uint_eq(check_events(), model->seq);
    model_wall_ms += 2 * HOUR_MS; /* the first ones are dropped: `oldest` says so */
    turns(300, 25);
    ck_assert(model_clean(model, model_wall_ms));
    ck_assert_uint_lt(check_events(), model->seq);
    ck_assert_uint_gt(model->seq, before);
}
END_TEST

/* ---- readers beside it all ---- */

struct reader {
    struct store *store;
    _Atomic bool stop;
    _Atomic uint64_t places[64];
    uint64_t reads, gone;
    bool right;
};

static bool ignore(void *self, const struct store_record *record)
{
    (void)record;
    return --*(int *)self > 0;
}

static void *read_on(void *self)
{
    struct reader *reader = self;
    for (unsigned i = 0; !reader->stop; i++) {
        struct store_record record;
        uint64_t oldest;
        int left = 50;
        enum err err = store_read(reader->store, reader->places[i % 64], &record);
        if (err == ERR_NONE)
            store_record_free(&record);
        reader->right &= err == ERR_NONE || err == ERR_NOT_FOUND;
        reader->reads += err == ERR_NONE;
        reader->gone += err == ERR_NOT_FOUND;
        if (i % 64 == 0)
            reader->right &= store_find(reader->store, MODEL_END, i / 64 + 1, ignore, &left) == ERR_NONE &&
                             store_events(reader->store, i, 20, &oldest, ignore, &left) == ERR_NONE;
    }
    return NULL;
}

START_TEST(readers_are_never_told_anything_wrong_while_segments_are_given_up)
{
    struct reader reader = {.store = model->store, .right = true};
    pthread_t thread;
    for (unsigned i = 0; i < 64; i++)
        reader.places[i] = STORE_NOWHERE;
    turns(50, 25);
    ck_assert_int_eq(pthread_create(&thread, NULL, read_on, &reader), 0);
    for (unsigned round = 0; round < 20; round++) {
        turns(40, 30);
        for (unsigned i = 0; i < 64; i++)
            reader.places[i] = model->jobs[1 + model_random(model, model->job_count)].place;
        ck_assert(model_clean(model, model_wall_ms));
    }
    reader.stop = true;
    pthread_join(thread, NULL);
    ck_assert(reader.right);
    ck_assert_uint_gt(reader.reads, 0);
}
END_TEST

/* Names of data segments that there were and are not any more. */
static unsigned given_back(char names[][64], unsigned count)
{
    unsigned gone = 0;
    for (unsigned n = 0; n < count; n++) {
        bool there = false;
        for (int i = 0; i < sim_name_count(sim); i++)
            there = there || strcmp(sim_name_at(sim, i), names[n]) == 0;
        gone += !there;
    }
    return gone;
}

/* The names of those that there are; the writer makes them when it comes to it. */
static unsigned data_segments(char names[64][64])
{
    unsigned count = 0;
    for (int i = 0; i < sim_name_count(sim) && count < 64; i++) {
        const char *path = sim_name_at(sim, i), *slash = strrchr(path, '/');
        if (strncmp(slash == NULL ? path : slash + 1, "data-", 5) == 0)
            snprintf(names[count++], sizeof names[0], "%s", path);
    }
    return count;
}

START_TEST(no_segment_is_given_back_while_a_backup_is_made)
{
    char names[64][64];
    unsigned count = 0, tries = 0;
    int file = sim->io.open_read(sim->io.self, SIM_FOLDER "/store");
    ck_assert_int_ge(file, 0);
    turns(100, 25);
    while (sim->io.lock(sim->io.self, file) != 0 && tries++ < 100) /* the cleaner has it for a moment */
        turns(1, 1);
    uint64_t before = status_now().cleaned_segments;
    for (unsigned i = 0; i < 50 && (count = data_segments(names)) < 2; i++)
        turns(100, 25);
    ck_assert_uint_ge(count, 2);
    for (unsigned i = 0; i < 50 && status_now().cleaned_segments == before; i++)
        turns(100, 25);
    ck_assert_uint_gt(status_now().cleaned_segments, before);
    turns(100, 25);
    ck_assert_uint_eq(given_back(names, count), 0);
    sim->io.close(sim->io.self, file);
    ck_assert(model_clean(model, model_wall_ms));
    ck_assert_uint_gt(given_back(names, count), 0);
    check_lives();
    check_restart();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_clean");
    TCase *tcase = tcase_create("cleaning");
    tcase_set_timeout(tcase, 600);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, cleaning_keeps_what_lives_and_bounds_the_disk);
    tcase_add_test(tcase, the_bound_holds_for_jobs_of_all_sizes);
    tcase_add_test(tcase, an_end_is_kept_while_the_beginning_is_there);
    tcase_add_test(tcase, an_old_end_is_kept_while_the_beginning_is_there);
    tcase_add_test(tcase, old_ends_are_dropped_once_the_oldest_segment_is_moved_and_never_written_again);
    tcase_add_test(tcase, what_ended_stays_ended_however_old_the_history);
    tcase_add_test(tcase, history_is_dropped_when_it_is_too_old);
    tcase_add_test(tcase, damage_at_the_end_of_the_journal_takes_no_history);
    tcase_add_test(tcase, a_slice_never_holds_the_owner_up);
    tcase_add_test(tcase, nothing_is_given_back_before_its_batch_is_submitted);
    tcase_add_test(tcase, what_was_cleaned_is_there_however_soon_the_store_is_closed);
    tcase_add_test(tcase, no_segment_is_given_back_while_a_backup_is_made);
    tcase_add_test(tcase, what_ended_is_found_wherever_it_lies);
    tcase_add_test(tcase, events_are_complete_and_in_order_wherever_they_lie);
    tcase_add_test(tcase, readers_are_never_told_anything_wrong_while_segments_are_given_up);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
