/* Power cuts: a run of the store is recorded, write by write and sync by sync; then the disk is put together as a cut
 * at any moment could have left it, and opened. What was told to be durable must be there, and the whole must be
 * what some commit left behind, never a mixture. The rig itself is tested too: with syncs that do nothing it must
 * find losses. */
#include "store_model.h"

#include <stdlib.h>

#include "tests/support/suite.h"

#define SEGMENT_BYTES (1u << 20)
#define STATES        1000 /* or LINEWARD_STATES */
#define AGAIN_EVERY   20   /* so many states are gone on from, and cut again */
#define AGAIN_STATES  5
#define LYING_STATES  200

static struct model *original;
static struct sim *recorded;

static void run_turns(struct model *model, unsigned turns)
{
    for (unsigned i = 0; i < turns; i++) {
        bool large = i % 37 == 36; /* a batch that may reach over the end of a segment */
        model->body_max = large ? 4000 : 600;
        model_wall_ms += 20000; /* some of the history becomes too old on the way */
        ck_assert(model_turn(model, large ? 500 : 1 + (unsigned)model_random(model, 30)));
        if (i % 16 == 0)
            ck_assert(model_settle(model)); /* the two threads shall not be in step, nor too far apart */
    }
}

/* What is wrong with this disk; NULL: nothing. */
static const char *judge(struct sim *disk, const struct model *truth, uint64_t told, struct model *found)
{
    static char text[700];
    struct store_problem problem;
    const char *why = NULL;
    if (model_open(found, disk, SIM_FOLDER, SEGMENT_BYTES, &problem) != ERR_NONE) {
        snprintf(text, sizeof text, "it does not open: %s", problem.text);
        return text;
    }
    if (found->durable < told)
        return "what was told to be durable is not there";
    if (found->durable > truth->submitted)
        return "more is there than was ever submitted";
    if (!model_equals(found, truth, found->durable, &why) || !model_reads_all(found, &why))
        return why;
    return NULL;
}

static const char *judge_cut(const struct sim *sim, const struct model *truth, uint64_t seed, bool lying,
                             struct model **found, struct sim **disk)
{
    uint64_t told;
    size_t span = sim->event_count - sim->record_begins;
    size_t events = sim->record_begins + 1 + (size_t)(seed * 7919 % span);
    *disk = sim_after_cut(sim, events, (enum sim_cut)(seed % SIM_CUT_KINDS), lying, seed, &told);
    *found = model_new(seed);
    const char *why = judge(*disk, truth, told, *found);
    if (why != NULL && !lying)
        fprintf(stderr, "state %llu, cut at event %zu of %zu: %s\n", (unsigned long long)seed, events,
                sim->event_count, why);
    return why;
}

static void setup(void)
{
    struct store_problem problem;
    recorded = sim_new();
    sim_record(recorded);
    original = model_new(42);
    original->alive_max = 150;
    ck_assert_int_eq(model_open(original, recorded, SIM_FOLDER, SEGMENT_BYTES, &problem), ERR_NONE);
    run_turns(original, 500);
    ck_assert(model_settle(original));
    ck_assert(model_clean(original, model_wall_ms));
    struct store_status status;
    store_status_read(original->store, &status);
    ck_assert_uint_gt(status.cleaned_segments, 0);
    ck_assert_uint_gt(status.history_segments, 0);
    model_close(original);
}

static void teardown(void)
{
    model_free(&original);
    sim_free(&recorded);
}

/* Going on from a state and cutting again finds what an earlier cut left behind and a later one trips over. */
static void cut_again(struct model *truth, struct sim *disk, uint64_t seed)
{
    truth->alive_max = 100;
    model_close(truth);
    sim_record(disk);
    struct store_problem problem;
    ck_assert_int_eq(model_open(truth, disk, SIM_FOLDER, SEGMENT_BYTES, &problem), ERR_NONE);
    run_turns(truth, 40);
    ck_assert(model_settle(truth));
    model_close(truth);
    for (uint64_t i = 0; i < AGAIN_STATES; i++) {
        struct model *found;
        struct sim *again;
        ck_assert_ptr_null(judge_cut(disk, truth, seed + i, false, &found, &again));
        model_free(&found);
        sim_free(&again);
    }
}

static uint64_t states(void)
{
    const char *asked = getenv("LINEWARD_STATES");
    return asked == NULL ? STATES : strtoull(asked, NULL, 10);
}

START_TEST(whatever_a_power_cut_leaves_is_a_state_the_store_was_in)
{
    ck_assert_uint_gt(states(), 0);
    for (uint64_t seed = 1; seed <= states(); seed++) {
        struct model *found;
        struct sim *disk;
        ck_assert_ptr_null(judge_cut(recorded, original, seed, false, &found, &disk));
        if (seed % AGAIN_EVERY == 0) {
            model_adopt(found, original);
            cut_again(found, disk, seed);
        }
        model_free(&found);
        sim_free(&disk);
    }
}
END_TEST

/* A killed broker leaves in the system's memory what was never synced. The next one reads it there, tells of it, and
 * then the power goes. */
START_TEST(what_a_killed_run_left_unsynced_is_synced_before_it_is_told)
{
    for (uint64_t n = 8; n < 40; n++) {
        struct sim *sim = sim_new(), *disk;
        struct model *killed = model_new(n), *found = model_new(1), *after = model_new(1);
        struct store_problem problem;
        uint64_t told;
        sim_record(sim);
        sim->fault = SIM_FAULT_EIO; /* written, but not synced any more, is how a kill leaves it */
        sim->fault_call = SIM_CALL_SYNC;
        sim->fault_at = n;
        if (model_open(killed, sim, SIM_FOLDER, SEGMENT_BYTES, &problem) == ERR_NONE)
            for (unsigned i = 0; i < 60 && model_turn(killed, 10) && model_settle(killed); i++)
                model_wall_ms += 100;
        model_close(killed);
        sim->fault = SIM_FAULT_NONE;
        ck_assert_int_eq(model_open(found, sim, SIM_FOLDER, SEGMENT_BYTES, &problem), ERR_NONE);
        sim_mark(sim, found->durable);
        disk = sim_after_cut(sim, SIZE_MAX, SIM_CUT_NONE, false, n, &told);
        model_close(found);
        ck_assert_uint_eq(told, found->durable);
        ck_assert_ptr_null(judge(disk, killed, told, after));
        model_free(&after);
        model_free(&found);
        model_free(&killed);
        sim_free(&disk);
        sim_free(&sim);
    }
}
END_TEST

START_TEST(a_disk_that_forgets_what_it_acknowledged_is_caught)
{
    unsigned caught = 0;
    for (uint64_t seed = 1; seed <= LYING_STATES; seed++) {
        struct model *found;
        struct sim *disk;
        caught += judge_cut(recorded, original, seed, true, &found, &disk) != NULL;
        model_free(&found);
        sim_free(&disk);
    }
    ck_assert_uint_gt(caught, LYING_STATES / 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_crash");
    TCase *tcase = tcase_create("power cuts");
    tcase_add_unchecked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 600 + (double)states() / 5);
    tcase_add_test(tcase, whatever_a_power_cut_leaves_is_a_state_the_store_was_in);
    tcase_add_test(tcase, what_a_killed_run_left_unsynced_is_synced_before_it_is_told);
    tcase_add_test(tcase, a_disk_that_forgets_what_it_acknowledged_is_caught);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
