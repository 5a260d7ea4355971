/* linewardctl store check and dump, on a store that a broker left behind. */
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/suite.h"
#include "tests/unit/ctl_run.h"
#include "tests/unit/ctl_store.h"

static char folder[64];

/* Three names and a job with text in its payload. */
static void fill_store(void)
{
    static const char payload[] = "{\"parts\":[{\"type\":\"text\",\"value\":\"top secret\"}]}";
    struct store *store = open_store();
    struct store_batch *batch = store_batch_new();
    struct store_section sections[STORE_SECTIONS] = {{NULL, 0}};
    for (uint64_t key = 1; key <= 3; key++)
        ck_assert_int_eq(store_batch_add(batch, CHANGE_NAME, key, 0, "\1name", 5, sections), ERR_NONE);
    sections[2] = (struct store_section){payload, strlen(payload)};
    ck_assert_int_eq(store_batch_add(batch, CHANGE_JOB, UINT64_MAX - 1, 7, "\1job", 4, sections), ERR_NONE);
    store_submit(store, batch);
    store_batch_free(&batch);
    store_close(&store);
}

static void setup(void)
{
    snprintf(folder, sizeof folder, "%s", "/tmp/lineward-ctl-store-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(store_path, sizeof store_path, "%s/data", folder);
}

/* Calls `visit` for each file of the store. */
static void each_file(void (*visit)(const char *path))
{
    DIR *dir = opendir(store_path);
    for (struct dirent *entry = dir != NULL ? readdir(dir) : NULL; entry != NULL; entry = readdir(dir)) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", store_path, entry->d_name);
        if (entry->d_name[0] != '.')
            visit(path);
    }
    if (dir != NULL)
        closedir(dir);
}

static void remove_file(const char *path)
{
    unlink(path);
}

static void teardown(void)
{
    each_file(remove_file);
    rmdir(store_path);
    rmdir(folder);
    said_free();
}

START_TEST(a_good_store_is_called_good_with_its_counts)
{
    fill_store();
    RUN("store", W("check"), store_path);
    ck_assert_msg(said.code == EXIT_DONE, "%s%s", said.out, said.err);
    assert_says(said.out, "4 records");
    assert_says(said.out, "the store is good");
    RUN("store", W("check"), store_path, W("--json"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_says(said.out, "{\"ok\":true,\"problem\":null,");
    assert_says(said.out, "\"records\":4,");
}
END_TEST

START_TEST(dump_shows_every_record_but_no_message_text_unless_asked)
{
    fill_store();
    RUN("store", W("dump"), store_path);
    ck_assert_msg(said.code == EXIT_DONE, "%s", said.err);
    assert_says(said.out, "\"key\":\"18446744073709551614\",\"seq\":7,");
    assert_says(said.out, "\"head\":\"016e616d65\"");
    assert_silent(said.out, "top secret");
    RUN("store", W("dump"), store_path, W("--sections"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_says(said.out, "{\"type\":\"text\",\"value\":\"top secret\"}");
}
END_TEST

/* Zeroes what lies where the payload is, in whichever file has it. */
static int damaged_files;
static void damage_file(const char *path)
{
    static char text[4 * SEGMENT_BYTES];
    FILE *file = fopen(path, "r+");
    size_t bytes = file != NULL ? fread(text, 1, sizeof text, file) : 0;
    char *found = bytes > 0 ? memmem(text, bytes, "top secret", 10) : NULL;
    if (found != NULL) {
        fseek(file, found - text, SEEK_SET);
        fputs("TOP", file);
        damaged_files++;
    }
    if (file != NULL)
        fclose(file);
}

START_TEST(a_changed_byte_is_found)
{
    fill_store();
    /* Another commit behind it: else it might be taken for the torn end of the journal. */
    fill_store();
    damaged_files = 0;
    each_file(damage_file);
    ck_assert_int_eq(damaged_files, 1);
    RUN("store", W("check"), store_path);
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_silent(said.out, "the store is good");
    RUN("store", W("check"), store_path, W("--json"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.out, "{\"ok\":false,");
}
END_TEST

START_TEST(a_store_in_use_is_left_alone)
{
    struct store *store = open_store();
    RUN("store", W("check"), store_path);
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "busy");
    RUN("store", W("dump"), store_path);
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    store_close(&store);
}
END_TEST

START_TEST(a_missing_store_is_refused_and_not_made)
{
    RUN("store", W("check"), store_path);
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    ck_assert_int_ne(access(store_path, F_OK), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ctl_store");
    TCase *tc = tcase_create("store");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_good_store_is_called_good_with_its_counts);
    tcase_add_test(tc, dump_shows_every_record_but_no_message_text_unless_asked);
    tcase_add_test(tc, a_changed_byte_is_found);
    tcase_add_test(tc, a_store_in_use_is_left_alone);
    tcase_add_test(tc, a_missing_store_is_refused_and_not_made);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
