/* A failing disk: every write, sync, reservation and rename of a run fails once, in each way a disk can fail. The
 * store then stops with a reason, or goes on; what it told to be durable is there afterwards. */
#include "store_model.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/suite.h"

#define SEGMENT_BYTES (1u << 20)
#define CALLS_MAX     400

/* The store's threads may be at the disk at any moment. */
static void set_fault(struct sim *sim, enum sim_fault fault, enum sim_call call, uint64_t at, bool once)
{
    pthread_mutex_lock(&sim->lock);
    sim->fault = fault;
    sim->fault_call = call;
    sim->fault_at = at;
    sim->fault_once = once;
    pthread_mutex_unlock(&sim->lock);
}

/* Births, ends, a full segment, cleaning. False: the store has failed. */
static bool scenario(struct model *model)
{
    model->alive_max = 300;
    for (unsigned i = 0; i < 40; i++) {
        model_wall_ms += 900;
        if (!model_turn(model, 90) || !model_settle(model))
            return false;
    }
    return model_settle(model) && model_clean(model, model_wall_ms);
}

struct outcome {
    bool opened, failed;
    uint64_t told, submitted;
};

static struct outcome run_with_fault(struct sim *sim, struct model *model)
{
    struct store_problem problem = {""};
    struct outcome outcome = {0};
    outcome.opened = model_open(model, sim, SIM_FOLDER, SEGMENT_BYTES, &problem) == ERR_NONE;
    if (!outcome.opened) {
        ck_assert_int_gt(strlen(problem.text), 0);
        return outcome;
    }
    outcome.failed = !scenario(model);
    if (outcome.failed) {
        uint64_t durable;
        store_problem(model->store, &problem);
        ck_assert_int_gt(strlen(problem.text), 0);
        ck_assert_int_eq(store_collect(model->store, &durable), ERR_IO); /* for ever */
        ck_assert_uint_ge(durable, model->durable);
    }
    outcome.told = model->durable;
    outcome.submitted = model->submitted;
    model_close(model);
    return outcome;
}

/* What a failed sync covered may be there or not; what was told must be. */
static void check_afterwards(struct sim *sim, const struct model *model, const struct outcome *outcome)
{
    struct model *found = model_new(1);
    struct store_problem problem;
    const char *why = NULL;
    set_fault(sim, SIM_FAULT_NONE, SIM_CALL_RESERVE, 0, false);
    ck_assert_msg(model_open(found, sim, SIM_FOLDER, SEGMENT_BYTES, &problem) == ERR_NONE, "%s", problem.text);
    ck_assert_uint_ge(found->durable, outcome->told);
    ck_assert_uint_le(found->durable, outcome->submitted);
    ck_assert_msg(model_equals(found, model, found->durable, &why), "%s", why);
    ck_assert_msg(model_reads_all(found, &why), "%s", why);
    model_free(&found);
}

/* It reads well to the end, and so does who opens it next. Frees both. */
static void close_and_check(struct sim *sim, struct model *model)
{
    const char *why = NULL;
    ck_assert_msg(model_reads_all(model, &why), "%s", why);
    model_close(model);
    struct outcome outcome = {.told = model->durable, .submitted = model->submitted};
    check_afterwards(sim, model, &outcome);
    model_free(&model);
    sim_free(&sim);
}

/* Returns how many of the runs failed. */
static unsigned fail_each(enum sim_call call, enum sim_fault fault, bool once)
{
    unsigned failed = 0;
    for (uint64_t n = 1; n <= CALLS_MAX; n += n < 40 ? 1 : 7) {
        struct sim *sim = sim_new();
        struct model *model = model_new(n);
        set_fault(sim, fault, call, n, once);
        struct outcome outcome = run_with_fault(sim, model);
        bool reached = sim->calls[call] >= n;
        failed += reached && (!outcome.opened || outcome.failed);
        check_afterwards(sim, model, &outcome);
        model_free(&model);
        sim_free(&sim);
        if (!reached)
            break;
    }
    return failed;
}

START_TEST(a_failed_write_stops_the_store_and_loses_nothing_that_was_told)
{
    ck_assert_uint_gt(fail_each(SIM_CALL_WRITE, SIM_FAULT_EIO, false), 30);
    ck_assert_uint_gt(fail_each(SIM_CALL_WRITE, SIM_FAULT_EIO, true), 20);
}
END_TEST

START_TEST(a_failed_sync_stops_the_store_for_good_even_if_the_next_would_succeed)
{
    ck_assert_uint_gt(fail_each(SIM_CALL_SYNC, SIM_FAULT_EIO, false), 30);
    ck_assert_uint_gt(fail_each(SIM_CALL_SYNC, SIM_FAULT_EIO, true), 20);
}
END_TEST

START_TEST(a_write_that_finds_the_disk_full_stops_the_store)
{
    ck_assert_uint_gt(fail_each(SIM_CALL_WRITE, SIM_FAULT_ENOSPC, false), 30);
}
END_TEST

START_TEST(a_short_write_is_continued)
{
    ck_assert_uint_eq(fail_each(SIM_CALL_WRITE, SIM_FAULT_SHORT, false), 0);
}
END_TEST

START_TEST(a_failed_rename_stops_the_store_or_costs_an_index_file)
{
    fail_each(SIM_CALL_RENAME, SIM_FAULT_EIO, false);
    fail_each(SIM_CALL_RENAME, SIM_FAULT_EIO, true);
}
END_TEST

START_TEST(a_failed_open_stops_the_store_or_costs_an_index_file)
{
    fail_each(SIM_CALL_OPEN, SIM_FAULT_EIO, true);
}
END_TEST

/* ---- full ---- */

/* Turns until the store says so; false: it failed, or never did. */
static bool turns_until_full(struct model *model, bool full)
{
    struct pollfd wake = {.fd = model->wake_fd, .events = POLLIN};
    for (unsigned i = 0; i < 20000; i++) {
        if (store_is_full(model->store) == full)
            return true;
        model_wall_ms += 1000;
        if (!model_turn(model, 30) || !model_settle(model))
            return false;
        if (!full)
            poll(&wake, 1, 2); /* the helper tries again now and then */
    }
    return false;
}

START_TEST(a_full_disk_is_said_and_no_failure_and_it_recovers)
{
    struct sim *sim = sim_new();
    struct model *model = model_new(5);
    struct store_problem problem;
    const char *why = NULL;
    sim_set_quota(sim, 9 * SEGMENT_BYTES);
    model->alive_max = 6000;
    model->body_max = 4000;
    model->heeds_full = true;
    ck_assert_int_eq(model_open(model, sim, SIM_FOLDER, SEGMENT_BYTES, &problem), ERR_NONE);
    for (unsigned round = 0; round < 3; round++) {
        model->births_only = true;
        ck_assert(turns_until_full(model, true));
        ck_assert_msg(model_reads_all(model, &why), "%s", why);
        model->births_only = false; /* full: no births, but ends and cleaning go on */
        model->alive_max = 500;
        model_wall_ms += 2 * 3600 * 1000; /* and history becomes too old */
        ck_assert(turns_until_full(model, false));
        model->alive_max = 6000;
    }
    close_and_check(sim, model);
}
END_TEST

START_TEST(the_reserve_takes_commits_after_the_disk_is_full)
{
    struct sim *sim = sim_new();
    struct model *model = model_new(6);
    struct store_problem problem;
    struct store_status status;
    model->alive_max = 3000;
    model->body_max = 4000;
    ck_assert_int_eq(model_open(model, sim, SIM_FOLDER, SEGMENT_BYTES, &problem), ERR_NONE);
    do { /* the reserve is made in the background */
        ck_assert(model_turn(model, 1));
        ck_assert(model_settle(model));
        store_status_read(model->store, &status);
    } while (status.free_segments < 2);
    sim_set_quota(sim, sim_bytes(sim));
    ck_assert(!store_is_full(model->store));
    for (unsigned i = 0; i < 20; i++) { /* more than one segment, less than three */
        model_wall_ms += 1000;
        ck_assert(model_turn(model, 100));
        ck_assert(model_settle(model));
    }
    ck_assert(store_is_full(model->store));
    store_status_read(model->store, &status);
    ck_assert(status.full);
    model_free(&model);
    sim_free(&sim);
}
END_TEST

static struct store_status status_of(const struct model *model)
{
    struct store_status status;
    store_status_read(model->store, &status);
    return status;
}

static void wait_until_it_waits(struct model *model, bool waits)
{
    struct pollfd wake = {.fd = model->wake_fd, .events = POLLIN};
    uint64_t count;
    for (unsigned i = 0; i < 20 && store_waits(model->store) != waits; i++)
        if (poll(&wake, 1, 1000) > 0) /* it is told of */
            ck_assert_int_eq(read(model->wake_fd, &count, sizeof count), sizeof count);
    ck_assert(store_waits(model->store) == waits);
}

START_TEST(a_reserve_that_is_used_up_is_said_and_all_goes_on_when_there_is_room)
{
    struct sim *sim = sim_new();
    struct model *model = model_new(6);
    struct store_problem problem;
    ck_assert_int_eq(model_open(model, sim, SIM_FOLDER, SEGMENT_BYTES, &problem), ERR_NONE);
    do {
        model_bear(model, 3000);
        ck_assert(model_settle(model));
    } while (status_of(model).free_segments < 2);
    sim_set_quota(sim, sim_bytes(sim));
    for (unsigned i = 0; i < 1400; i++) /* four segments, where there are three */
        model_bear(model, 3000);
    ck_assert(model_turn(model, 0));
    wait_until_it_waits(model, true);
    ck_assert(store_is_full(model->store));
    ck_assert(status_of(model).waits);
    ck_assert(model_turn(model, 100)); /* what comes meanwhile is kept */
    ck_assert_uint_lt(store_durable(model->store), model->submitted);
    sim_set_quota(sim, 0);
    wait_until_it_waits(model, false);
    ck_assert(model_settle(model));
    ck_assert(turns_until_full(model, false));
    ck_assert(!status_of(model).waits);
    close_and_check(sim, model);
}
END_TEST

/* Nothing is cleaned meanwhile: only turns do that. */
static void bear_many(struct model *model, unsigned jobs)
{
    for (unsigned i = 0; i < jobs; i++) {
        model_bear(model, 3000);
        if (i % 20 == 19)
            ck_assert(model_settle(model));
    }
    ck_assert(model_settle(model));
}

static void end_most(struct model *model)
{
    for (uint64_t key = 1; key <= model->job_count; key++) {
        if (key % 10 != 0)
            model_end(model, key);
        if (key % 20 == 0)
            ck_assert(model_settle(model));
    }
    ck_assert(model_settle(model));
}

/* Ends too old for the history go there all the same while older segments remain. Where there is no room for that,
 * the segment that holds them looks the deadest for ever: the others must have their turn. */
START_TEST(on_a_full_disk_a_segment_without_room_for_its_history_keeps_no_other_from_being_cleaned)
{
    struct sim *sim = sim_new();
    struct model *model = model_new(7);
    struct store_problem problem;
    struct store_status status;
    ck_assert_int_eq(model_open(model, sim, SIM_FOLDER, SEGMENT_BYTES, &problem), ERR_NONE);
    bear_many(model, 1400); /* four segments of them */
    end_most(model);        /* one and more, with the bodies of each third */
    do {
        ck_assert(model_settle(model));
        store_status_read(model->store, &status);
    } while (status.free_segments < 2);
    sim_set_quota(sim, sim_bytes(sim));
    for (unsigned i = 0; !store_is_full(model->store); i++) {
        ck_assert_uint_lt(i, 2000);
        model_set(model, i % MODEL_VALUES, i + 1);
        model_bear(model, 3000);
        ck_assert(model_settle(model));
    }
    model_wall_ms += 2 * 3600 * 1000;
    ck_assert(model_clean(model, model_wall_ms));
    store_status_read(model->store, &status);
    ck_assert_uint_ge(status.cleaned_segments, 4);
    close_and_check(sim, model);
}
END_TEST

/* A slice of cleaning, submitted; then a while for the helper. Nobody hears of new places. */
static struct store_status clean_unheard(struct model *model, int64_t now_ms)
{
    struct pollfd wake = {.fd = model->wake_fd, .events = POLLIN};
    struct store_status status;
    uint64_t count;
    model_wall_ms = now_ms;
    store_clean(model->store, model->batch, now_ms, 1000);
    model->submitted = store_submit(model->store, model->batch);
    if (poll(&wake, 1, 2) > 0)
        ck_assert_int_eq(read(model->wake_fd, &count, sizeof count), sizeof count);
    store_status_read(model->store, &status);
    return status;
}

/* Cleaning moves what lives, finds no room for the history and gives the segment up. Chosen once more before the owner
 * heard of the first copies, it waits for both: else it would wait for ever. */
START_TEST(a_segment_given_up_and_chosen_again_waits_for_all_its_copies)
{
    struct sim *sim = sim_new();
    struct model *model = model_new(8);
    struct store_problem problem;
    struct store_status status;
    ck_assert_int_eq(model_open(model, sim, SIM_FOLDER, SEGMENT_BYTES, &problem), ERR_NONE);
    model->bare_ends = true;
    bear_many(model, 370); /* a segment and some more */
    end_most(model);
    set_fault(sim, SIM_FAULT_ENOSPC, SIM_CALL_RESERVE, 1, false); /* no room for any history */
    do
        status = clean_unheard(model, model_wall_ms + 100);
    while (status.cleaned_bytes_moved == 0 || status.cleaning);
    uint64_t moved = status.cleaned_bytes_moved;
    set_fault(sim, SIM_FAULT_NONE, SIM_CALL_RESERVE, 0, false);
    /* On a slow machine the helper may have had both copies made by now: then there is no more to move. */
    for (unsigned i = 0; i < 1500 && status.cleaned_bytes_moved == moved; i++)
        status = clean_unheard(model, model_wall_ms + 100);
    ck_assert_uint_eq(status.cleaned_segments, 0);
    for (unsigned i = 0; i < 5000 && status.cleaned_segments == 0; i++) {
        ck_assert(model_settle(model));
        status = clean_unheard(model, model_wall_ms + 100);
    }
    ck_assert_uint_eq(status.cleaned_segments, 1);
    close_and_check(sim, model);
}
END_TEST

START_TEST(segments_are_an_eighth_of_a_small_disk_at_most)
{
    struct sim *sim = sim_new();
    struct model *model = model_new(6);
    struct store_problem problem;
    sim_set_quota(sim, 24u << 20);
    ck_assert_int_eq(model_open(model, sim, SIM_FOLDER, 64u << 20, &problem), ERR_NONE);
    ck_assert(model_turn(model, 10));
    ck_assert(model_settle(model));
    model_close(model);
    const struct sim_inode *file = sim_file(sim, "data-0000000000000001.seg");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_le(file->size, 3u << 20);
    ck_assert_uint_gt(file->size, 2u << 20);
    model_free(&model);
    sim_free(&sim);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_fault");
    TCase *tcase = tcase_create("faults");
    tcase_set_timeout(tcase, 600);
    tcase_add_test(tcase, a_failed_write_stops_the_store_and_loses_nothing_that_was_told);
    tcase_add_test(tcase, a_failed_sync_stops_the_store_for_good_even_if_the_next_would_succeed);
    tcase_add_test(tcase, a_write_that_finds_the_disk_full_stops_the_store);
    tcase_add_test(tcase, a_short_write_is_continued);
    tcase_add_test(tcase, a_failed_rename_stops_the_store_or_costs_an_index_file);
    tcase_add_test(tcase, a_failed_open_stops_the_store_or_costs_an_index_file);
    tcase_add_test(tcase, a_full_disk_is_said_and_no_failure_and_it_recovers);
    tcase_add_test(tcase, the_reserve_takes_commits_after_the_disk_is_full);
    tcase_add_test(tcase, a_reserve_that_is_used_up_is_said_and_all_goes_on_when_there_is_room);
    tcase_add_test(tcase, on_a_full_disk_a_segment_without_room_for_its_history_keeps_no_other_from_being_cleaned);
    tcase_add_test(tcase, a_segment_given_up_and_chosen_again_waits_for_all_its_copies);
    tcase_add_test(tcase, segments_are_an_eighth_of_a_small_disk_at_most);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
