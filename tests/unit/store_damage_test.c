/* Damage: each byte of a small journal changed, and the journal cut at each byte. Whatever is wrong is either noticed
 * and named, or does no harm; never is anything told that was not written. */
#include "store_model.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

#define SEGMENT_BYTES (1u << 20)
#define SMALL_SEGMENT "data-0000000000000001.seg"

static void turns(struct model *model, unsigned count, unsigned changes)
{
    for (unsigned i = 0; i < count; i++) {
        model_wall_ms += 500;
        ck_assert(model_turn(model, changes));
        ck_assert(model_settle(model));
    }
}

/* Names of files that the next start makes anew. */
static void drop_prepared(struct sim *sim)
{
    for (int i = sim->name_count; i-- > 0;) {
        struct sim_name *name = &sim->names[i];
        bool prepared = strncmp(name->name, "spare-", 6) == 0 || strcmp(name->name, "data-0000000000000002.seg") == 0;
        if (!prepared)
            continue;
        free(name->name);
        *name = sim->names[--sim->name_count];
    }
}

/* A journal of one segment. */
static struct sim *small_journal(struct model *model, bool closed)
{
    struct store_problem problem;
    struct sim *sim = sim_new(), *disk;
    model->body_max = 60;
    ck_assert_int_eq(model_open(model, sim, SIM_FOLDER, SEGMENT_BYTES, &problem), ERR_NONE);
    turns(model, 16, 3);
    if (closed)
        model_close(model);
    disk = sim_copy(sim);
    model_close(model);
    sim_free(&sim);
    drop_prepared(disk);
    return disk;
}

static uint64_t used_bytes(const struct sim_inode *file)
{
    uint64_t used = file->size;
    while (used > 0 && sim_peek(file, used - 1) == 0)
        used--;
    return used;
}

/* Opens a copy, which can't grow: then nothing is prepared, and thousands of opens take seconds. */
static enum err open_copy(const struct sim *disk, struct sim **copy, struct model *found,
                          struct store_problem *problem)
{
    *copy = sim_copy(disk);
    (*copy)->quota = sim_bytes(*copy);
    return model_open(found, *copy, SIM_FOLDER, SEGMENT_BYTES, problem);
}

static void check_intact(struct model *found, const struct model *original, uint64_t commit)
{
    const char *why = NULL;
    ck_assert_uint_eq(found->durable, commit);
    ck_assert_msg(model_equals(found, original, commit, &why), "%s", why);
    ck_assert_msg(model_reads_all(found, &why), "%s", why);
}

static void flip_each(struct sim *disk, const char *name, const struct model *original, unsigned *noticed)
{
    struct sim_inode *file = sim_file(disk, name);
    uint64_t used = used_bytes(file) + 16;
    if (used > file->size)
        used = file->size;
    for (uint64_t at = 0; at < used; at++) {
        struct model *found = model_new(1);
        struct store_problem problem;
        struct sim *copy;
        sim_flip(file, at, (uint8_t)(1u << at % 8));
        enum err err = open_copy(disk, &copy, found, &problem);
        if (err == ERR_NONE)
            check_intact(found, original, original->submitted);
        else
            ck_assert_msg(strstr(problem.text, "offset") != NULL || err == ERR_TOO_NEW, "%s", problem.text);
        *noticed += err != ERR_NONE;
        sim_flip(file, at, (uint8_t)(1u << at % 8));
        model_free(&found);
        sim_free(&copy);
    }
}

START_TEST(each_changed_byte_is_noticed_or_does_no_harm)
{
    unsigned noticed = 0;
    struct model *original = model_new(7);
    struct sim *disk = small_journal(original, true);
    flip_each(disk, SMALL_SEGMENT, original, &noticed);
    ck_assert_uint_gt(noticed, 2000); /* nearly all that is in the journal */
    flip_each(disk, "store", original, &noticed);
    flip_each(disk, "lock", original, &noticed);
    sim_free(&disk);
    model_free(&original);
}
END_TEST

/* The commit that is the last one whole when only bytes before `cut` are there; `ends` of all, in order. */
static uint64_t whole_before(const uint64_t *ends, uint64_t count, uint64_t cut)
{
    uint64_t commit = 0;
    while (commit < count && ends[commit] <= cut)
        commit++;
    return commit;
}

/* Where the frames end: found by cutting, not by reading the format again. */
static void cut_each(const struct sim *disk, const struct model *original, uint8_t rest, uint64_t *ends)
{
    uint64_t used = used_bytes(sim_file((struct sim *)(uintptr_t)disk, SMALL_SEGMENT));
    for (uint64_t cut = 4096; cut <= used + 64; cut++) {
        struct model *found = model_new(1);
        struct store_problem problem;
        struct sim *torn = sim_copy(disk), *copy;
        struct sim_inode *file = sim_file(torn, SMALL_SEGMENT);
        sim_fill(file, cut, rest);
        ck_assert_int_eq(open_copy(torn, &copy, found, &problem), ERR_NONE);
        uint64_t commit = found->durable;
        for (uint64_t i = commit; i-- > 0 && ends[i] == UINT64_MAX;)
            ends[i] = cut;
        check_intact(found, original, whole_before(ends, original->submitted, cut));
        model_free(&found);
        sim_free(&copy);
        sim_free(&torn);
    }
}

START_TEST(a_journal_cut_at_each_byte_keeps_all_that_is_before)
{
    struct model *original = model_new(8);
    struct sim *disk = small_journal(original, false);
    ck_assert_uint_gt(original->submitted, 10);
    for (int rest = 0; rest < 256; rest += 255) {
        uint64_t ends[64];
        memset(ends, 0xff, sizeof ends);
        cut_each(disk, original, (uint8_t)rest, ends);
        for (uint64_t i = 0; i < original->submitted; i++) {
            ck_assert_uint_ne(ends[i], UINT64_MAX);     /* one cut for each commit ... */
            ck_assert(i == 0 || ends[i] > ends[i - 1]); /* ... and none brings two at once */
        }
    }
    sim_free(&disk);
    model_free(&original);
}
END_TEST

START_TEST(a_file_that_became_shorter_stops_the_start)
{
    struct model *original = model_new(9);
    struct sim *disk = small_journal(original, true);
    for (size_t size = 0; size < SEGMENT_BYTES; size += size < 8192 ? 37 : 65536) {
        struct model *found = model_new(1);
        struct store_problem problem;
        struct sim *copy = sim_copy(disk);
        sim_resize(sim_file(copy, SMALL_SEGMENT), size);
        ck_assert_int_eq(model_open(found, copy, SIM_FOLDER, SEGMENT_BYTES, &problem), ERR_DAMAGED);
        ck_assert_ptr_nonnull(strstr(problem.text, SMALL_SEGMENT));
        model_free(&found);
        sim_free(&copy);
    }
    sim_free(&disk);
    model_free(&original);
}
END_TEST

/* ---- several segments, index files, history ---- */

static struct sim *large_journal(struct model *model)
{
    struct store_problem problem;
    struct sim *sim = sim_new();
    model->alive_max = 2500;
    ck_assert_int_eq(model_open(model, sim, SIM_FOLDER, SEGMENT_BYTES, &problem), ERR_NONE);
    turns(model, 90, 250);
    ck_assert(model_clean(model, model_wall_ms));
    struct store_status status;
    store_status_read(model->store, &status);
    ck_assert_uint_gt(status.segments, 2);
    ck_assert_uint_gt(status.history_segments, 0);
    model_close(model);
    struct sim *disk = sim_copy(sim);
    sim_free(&sim);
    return disk;
}

/* Reads everything that is to be read; a record that can't be read says so. */
static void check_never_wrong(struct model *found, const struct model *original)
{
    const char *why = NULL;
    ck_assert_msg(model_equals(found, original, found->durable, &why), "%s", why);
    if (!model_reads_all(found, &why))
        ck_assert_str_eq(why, "damaged");
}

START_TEST(damage_anywhere_in_a_large_journal_is_never_told_as_truth)
{
    struct model *original = model_new(10);
    struct sim *disk = large_journal(original);
    unsigned noticed = 0;
    for (unsigned i = 0; i < 600; i++) {
        struct model *found = model_new(1);
        struct store_problem problem;
        struct sim *copy = sim_copy(disk);
        struct sim_inode *file = &copy->inodes[copy->names[model_random(original, (uint64_t)copy->name_count)].inode];
        size_t at = (size_t)model_random(original, file->size);
        sim_flip(file, at, (uint8_t)(1 + model_random(original, 255)));
        enum err err = model_open(found, copy, SIM_FOLDER, SEGMENT_BYTES, &problem);
        if (err == ERR_NONE) {
            ck_assert_uint_eq(found->durable, original->submitted);
            check_never_wrong(found, original);
        } else {
            ck_assert_int_eq(err, ERR_DAMAGED);
            noticed++;
        }
        model_free(&found);
        sim_free(&copy);
    }
    ck_assert_uint_gt(noticed, 20);
    sim_free(&disk);
    model_free(&original);
}
END_TEST

START_TEST(missing_and_damaged_index_files_are_made_anew)
{
    struct model *original = model_new(11);
    struct sim *disk = large_journal(original);
    unsigned spoilt = 0;
    for (int i = 0; i < disk->name_count; i++) {
        struct sim_inode *file = &disk->inodes[disk->names[i].inode];
        if (strstr(disk->names[i].name, ".idx") == NULL)
            continue;
        if (spoilt++ % 2 == 0)
            sim_resize(file, file->size / 2);
        else
            sim_fill(file, 0, 0);
    }
    ck_assert_uint_gt(spoilt, 0);
    struct model *found = model_new(1);
    struct store_problem problem;
    for (int round = 0; round < 2; round++) { /* from the segments, then from the new index files */
        ck_assert_int_eq(model_open(found, disk, SIM_FOLDER, SEGMENT_BYTES, &problem), ERR_NONE);
        check_intact(found, original, original->submitted);
        ck_assert(model_clean(found, model_wall_ms)); /* the helper comes to the index files by then */
        model_close(found);
        original->submitted = found->submitted;
    }
    model_free(&found);
    sim_free(&disk);
    model_free(&original);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_damage");
    TCase *tcase = tcase_create("damage");
    tcase_set_timeout(tcase, 600);
    tcase_add_test(tcase, each_changed_byte_is_noticed_or_does_no_harm);
    tcase_add_test(tcase, a_journal_cut_at_each_byte_keeps_all_that_is_before);
    tcase_add_test(tcase, a_file_that_became_shorter_stops_the_start);
    tcase_add_test(tcase, damage_anywhere_in_a_large_journal_is_never_told_as_truth);
    tcase_add_test(tcase, missing_and_damaged_index_files_are_made_anew);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
