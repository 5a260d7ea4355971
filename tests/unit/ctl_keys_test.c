/* linewardctl's commands for keys: made, let in, shut out; and what they leave on disk. */
#include <sys/stat.h>
#include <unistd.h>

#include "lineward/keys.h"
#include "tests/support/removal.h"
#include "tests/support/suite.h"
#include "tests/unit/ctl_run.h"
#include "tests/unit/ctl_synced.h"

static char folder[64], secret[96], dir[96];

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/lineward-ctl-keys-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(secret, sizeof secret, "%s/client.key", folder);
    snprintf(dir, sizeof dir, "%s/keys", folder);
}

static void teardown(void)
{
    folder_remove(folder);
    said_free();
}

static const char *path_of(const char *name)
{
    static char path[160];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void read_text(const char *path, char *out, size_t room)
{
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s", path);
    out[fread(out, 1, room - 1, file)] = '\0';
    fclose(file);
}

/* Makes a key; its public one into out[41]. */
static void make_key(const char *path, char out[KEY_TEXT_BYTES + 1])
{
    RUN("keygen", W(path));
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_int_eq(sscanf(said.out, "%40s", out), 1);
}

START_TEST(a_made_key_is_its_owner_s_alone)
{
    char public[KEY_TEXT_BYTES + 1], text[128];
    struct stat status;
    make_key(secret, public);
    ck_assert(key_text_is_valid(public));
    read_text(secret, text, sizeof text);
    text[strcspn(text, "\n")] = '\0';
    ck_assert(key_text_is_valid(text));
    assert_silent(said.out, text);
    assert_silent(said.err, text);
    ck_assert_int_eq(stat(secret, &status), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0600);
    RUN("keygen", W("--show"), secret);
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_says(said.out, public);
}
END_TEST

/* The name of a file is its folder's: a power cut could leave a key that others were told of in no file. */
START_TEST(what_was_made_or_taken_away_is_there_after_a_power_cut)
{
    char public[KEY_TEXT_BYTES + 1];
    make_key(secret, public);
    ck_assert_uint_eq(files_synced, 1);
    ck_assert_uint_eq(folders_synced, 1);
    files_synced = folders_synced = 0;
    RUN("authorize", W("shop"), public, W("producer"), W("--dir"), dir);
    ck_assert_uint_eq(files_synced, 1);
    ck_assert_uint_eq(folders_synced, 2); /* it was made, too */
    folders_synced = 0;
    RUN("revoke", W("shop"), W("--dir"), dir);
    ck_assert_uint_eq(folders_synced, 1);
}
END_TEST

START_TEST(a_key_is_never_written_over)
{
    char public[KEY_TEXT_BYTES + 1], before[128], after[128];
    make_key(secret, public);
    read_text(secret, before, sizeof before);
    RUN("keygen", secret);
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "exists");
    read_text(secret, after, sizeof after);
    ck_assert_str_eq(before, after);
}
END_TEST

/* It is handed to `authorize` as a word. */
START_TEST(a_public_key_never_looks_like_an_option)
{
    for (int i = 0; i < 200; i++) {
        char path[96], public[KEY_TEXT_BYTES + 1];
        snprintf(path, sizeof path, "%s/k%d", folder, i);
        make_key(path, public);
        ck_assert_int_ne(public[0], '-');
    }
}
END_TEST

START_TEST(what_authorize_writes_the_broker_reads)
{
    char public[KEY_TEXT_BYTES + 1];
    struct key_ring *ring = NULL;
    struct conf_problem problem;
    make_key(secret, public);
    RUN("authorize", W("shop"), public, W("producer"), W("shop,default"), W("--dir"), dir);
    ck_assert_msg(said.code == EXIT_DONE, "%s", said.err);
    assert_says(said.out, "SIGHUP");
    ck_assert_int_eq(key_ring_read(&ring, dir, &problem), ERR_NONE);
    const struct key_grant *grant = key_ring_find(ring, public);
    ck_assert_str_eq(grant->name, "shop");
    ck_assert_int_eq(grant->role, KEY_PRODUCER);
    ck_assert_str_eq(grant->pools, "shop,default");
    key_ring_free(&ring);
}
END_TEST

START_TEST(without_pools_a_key_reaches_none)
{
    char public[KEY_TEXT_BYTES + 1];
    struct key_ring *ring = NULL;
    struct conf_problem problem;
    make_key(secret, public);
    RUN("authorize", W("shop"), public, W("producer"), W("--dir"), dir, W("--json"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_says(said.out, "\"pools\":\"\"");
    ck_assert_int_eq(key_ring_read(&ring, dir, &problem), ERR_NONE);
    ck_assert_str_eq(key_ring_find(ring, public)->pools, "");
    key_ring_free(&ring);
}
END_TEST

START_TEST(a_follower_is_said_to_hear_of_all_pools)
{
    char public[KEY_TEXT_BYTES + 1];
    make_key(secret, public);
    RUN("authorize", W("metrics"), public, W("follower"), W("--dir"), dir);
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_says(said.out, "metrics is let in as follower, pools *, once");
}
END_TEST

START_TEST(names_and_keys_are_let_in_once)
{
    char public[KEY_TEXT_BYTES + 1], other[KEY_TEXT_BYTES + 1], path[128];
    snprintf(path, sizeof path, "%s/other", folder);
    make_key(secret, public);
    make_key(path, other);
    RUN("authorize", W("shop"), public, W("producer"), W("*"), W("--dir"), dir);
    RUN("authorize", W("shop"), other, W("producer"), W("*"), W("--dir"), dir);
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "exists");
    RUN("authorize", W("second"), public, W("worker"), W("*"), W("--dir"), dir);
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "shop");
}
END_TEST

/* One more, and the broker would take none of them. */
START_TEST(as_many_keys_as_the_broker_takes)
{
    char public[KEY_TEXT_BYTES + 1];
    struct key_pair pair;
    ck_assert_int_eq(mkdir(dir, 0755), 0);
    for (int i = 0; i < KEY_ENTRIES_MAX - 1; i++) {
        char name[32];
        snprintf(name, sizeof name, "k%d.key", i);
        FILE *file = fopen(path_of(name), "w");
        ck_assert_ptr_nonnull(file);
        ck_assert(key_pair_make(&pair));
        fprintf(file, "%s worker *\n", pair.public);
        fclose(file);
    }
    make_key(secret, public);
    ck_assert(key_pair_make(&pair));
    RUN("authorize", W("last"), public, W("worker"), W("--dir"), dir);
    ck_assert_msg(said.code == EXIT_DONE, "%s", said.err);
    RUN("authorize", W("beyond"), pair.public, W("worker"), W("--dir"), dir);
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "full: ");
    assert_says(said.err, "4096 keys");
    ck_assert_int_ne(access(path_of("beyond.key"), F_OK), 0);
}
END_TEST

START_TEST(wrong_words_write_nothing)
{
    char public[KEY_TEXT_BYTES + 1];
    make_key(secret, public);
    const char *const bad[][4] = {{"a b", public, "producer", "*"}, {"../x", public, "producer", "*"},
                                  {"x", "short", "producer", "*"},  {"x", public, "admin", "*"},
                                  {"x", public, "producer", "a,"},  {"x", public, "producer\nworker", "*"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        RUN("authorize", W(bad[i][0]), W(bad[i][1]), W(bad[i][2]), W(bad[i][3]), W("--dir"), dir);
        ck_assert_msg(said.code == EXIT_USAGE, "%s %s %s was taken", bad[i][0], bad[i][1], bad[i][2]);
    }
    ck_assert_int_ne(access(path_of("x.key"), F_OK), 0);
    RUN("authorize", W("x"), public, W("producer"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
}
END_TEST

START_TEST(revoke_takes_the_file_away)
{
    char public[KEY_TEXT_BYTES + 1];
    make_key(secret, public);
    RUN("authorize", W("shop"), public, W("producer"), W("*"), W("--dir"), dir);
    ck_assert_int_eq(access(path_of("shop.key"), F_OK), 0);
    RUN("revoke", W("shop"), W("--dir"), dir);
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_int_ne(access(path_of("shop.key"), F_OK), 0);
    RUN("revoke", W("shop"), W("--dir"), dir);
    ck_assert_int_eq(said.code, EXIT_REFUSED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ctl_keys");
    TCase *tests = tcase_create("keys");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_made_key_is_its_owner_s_alone);
    tcase_add_test(tests, what_was_made_or_taken_away_is_there_after_a_power_cut);
    tcase_add_test(tests, a_key_is_never_written_over);
    tcase_add_test(tests, a_public_key_never_looks_like_an_option);
    tcase_add_test(tests, what_authorize_writes_the_broker_reads);
    tcase_add_test(tests, without_pools_a_key_reaches_none);
    tcase_add_test(tests, a_follower_is_said_to_hear_of_all_pools);
    tcase_add_test(tests, names_and_keys_are_let_in_once);
    tcase_add_test(tests, as_many_keys_as_the_broker_takes);
    tcase_add_test(tests, wrong_words_write_nothing);
    tcase_add_test(tests, revoke_takes_the_file_away);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
