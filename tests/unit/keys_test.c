/* Key files: what is read, what is refused and in which words, and who is found. */
#include "lineward/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/removal.h"
#include "tests/support/suite.h"

#define KEY_1 "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7" /* the example of ZeroMQ's RFC 32 and its kin */
#define KEY_2 "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
#define KEY_3 "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"

static char folder[64];
static struct conf_problem problem;
static struct key_ring *ring;

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/lineward-keys-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ring = NULL;
    problem.text[0] = '\0';
}

static void teardown(void)
{
    key_ring_free(&ring);
    folder_remove(folder);
}

static const char *write_file(const char *name, const char *text, mode_t mode)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    ck_assert_int_eq(chmod(path, mode), 0);
    return path;
}

static void ck_refused(const char *part)
{
    key_ring_free(&ring);
    ck_assert_int_ne(key_ring_read(&ring, folder, &problem), ERR_NONE);
    ck_assert_ptr_null(ring);
    ck_assert_msg(strstr(problem.text, part) != NULL, "%s lacks %s", problem.text, part);
}

START_TEST(each_file_lets_one_client_in)
{
    write_file("shop.key", KEY_1 " producer shop,default\n", 0644);
    write_file("sender.key", "\n  " KEY_2 "\tworker *\r\n\n", 0600);
    write_file("watch.key", KEY_3 " follower", 0644);
    write_file("readme", "no key", 0644);
    write_file(".hidden.key", "no key", 0644);
    ck_assert_msg(key_ring_read(&ring, folder, &problem) == ERR_NONE, "%s", problem.text);
    ck_assert_uint_eq(key_ring_count(ring), 3);
    const struct key_grant *shop = key_ring_find(ring, KEY_1);
    ck_assert_str_eq(shop->name, "shop");
    ck_assert_int_eq(shop->role, KEY_PRODUCER);
    ck_assert_str_eq(shop->pools, "shop,default");
    ck_assert_ptr_null(key_ring_find(ring, KEY_2)->pools);
    ck_assert_str_eq(key_ring_find(ring, KEY_3)->pools, "");
    ck_assert_ptr_null(key_ring_find(ring, "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf8"));
    ck_assert_ptr_null(key_ring_find(ring, ""));
}
END_TEST

/* Not only the bad file: who wrote it does not know what the broker makes of the rest. */
START_TEST(one_bad_file_and_none_is_read)
{
    static const char *const bad[][2] = {
        {"", "one line is needed"},
        {KEY_1, "one line is needed"},
        {KEY_1 " producer a b", "one line is needed"},
        {"short producer *", "40 characters of Z85"},
        {"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]y~~ producer *", "40 characters of Z85"},
        {KEY_1 " admin *", "producer, worker or follower"},
        {KEY_1 " producer a,,b", "names with commas"},
        {KEY_1 " follower a", "cannot be limited to pools"},
        {KEY_1 " producer a\n" KEY_3 " worker b\n", "more than one line"},
        {KEY_2 " producer *", "its key is that of good.key"},
    };
    write_file("good.key", KEY_2 " worker *\n", 0644);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_file("x.key", bad[i][0], 0644);
        ck_refused(bad[i][1]);
        ck_refused("x.key");
    }
    write_file("x.key", KEY_1 " producer *", 0666);
    ck_refused("chmod o-w");
    write_file("x.key", KEY_1 " producer *", 0644);
    ck_assert_int_eq(key_ring_read(&ring, folder, &problem), ERR_NONE);
    write_file("a b.key", KEY_3 " producer *", 0644);
    ck_refused("NAME.key");
}
END_TEST

START_TEST(a_pipe_named_like_a_key_is_refused_and_not_waited_for)
{
    char path[128];
    write_file("good.key", KEY_2 " worker *\n", 0644);
    snprintf(path, sizeof path, "%s/pipe.key", folder);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_refused("pipe.key: must be a plain file");
}
END_TEST

START_TEST(a_folder_that_anybody_may_write_into_is_refused)
{
    write_file("good.key", KEY_2 " worker *\n", 0644);
    ck_assert_int_eq(chmod(folder, 0777), 0);
    ck_refused("chmod o-w");
    ck_assert_int_eq(chmod(folder, 0770), 0);
    ck_assert_int_eq(key_ring_read(&ring, folder, &problem), ERR_NONE);
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_an_error)
{
    ck_assert_int_ne(key_ring_read(&ring, "/nowhere/keys", &problem), ERR_NONE);
    ck_assert_ptr_nonnull(strstr(problem.text, "/nowhere/keys"));
}
END_TEST

START_TEST(a_secret_key_s_public_key_follows_from_it)
{
    struct key_pair made, read;
    ck_assert(key_pair_make(&made));
    const char *path = write_file("secret", made.secret, 0600);
    ck_assert_msg(key_pair_read(path, "broker.curve_secret_key_file", &read, &problem) == ERR_NONE, "%s",
                  problem.text);
    ck_assert_str_eq(read.public, made.public);
    ck_assert_str_eq(read.secret, made.secret);
    path = write_file("secret", made.secret, 0640); /* a group that may read it: systemd and secrets of containers */
    ck_assert_int_eq(key_pair_read(path, "k", &read, &problem), ERR_NONE);
}
END_TEST

START_TEST(a_secret_that_others_may_read_is_refused)
{
    static const mode_t modes[] = {0644, 0604, 0602, 0620, 0666};
    struct key_pair made, read;
    ck_assert(key_pair_make(&made));
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        char mode[16];
        const char *path = write_file("secret", made.secret, modes[i]);
        snprintf(mode, sizeof mode, "%04o", (unsigned)modes[i]);
        ck_assert_int_eq(key_pair_read(path, "worker.curve_secret_key_file", &read, &problem), ERR_BAD_INPUT);
        ck_assert_ptr_nonnull(strstr(problem.text, mode));
        ck_assert_ptr_nonnull(strstr(problem.text, "worker.curve_secret_key_file"));
        ck_assert_ptr_nonnull(strstr(problem.text, "chmod 600"));
        ck_assert_ptr_null(strstr(problem.text, made.secret));
    }
}
END_TEST

START_TEST(what_is_no_key_is_refused_by_file_and_never_shown)
{
    static const char *const bad[] = {"",
                                      "\n",
                                      "abc",
                                      "0123456789012345678901234567890123456789!",
                                      "012345678901234567890123456789012345678\"",
                                      "#####012345678901234567890123456789#####"};
    struct key_pair read;
    char public[KEY_TEXT_BYTES + 1] = "";
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *path = write_file("k", bad[i], 0600);
        ck_assert_int_ne(key_pair_read(path, "x.y", &read, &problem), ERR_NONE);
        ck_assert_ptr_nonnull(strstr(problem.text, path));
        ck_assert_int_ne(key_public_read(path, "x.y", public, &problem), ERR_NONE);
        ck_assert_ptr_nonnull(strstr(problem.text, path));
        ck_assert_str_eq(public, "");
    }
    ck_assert_int_ne(key_pair_read("/nowhere/k", "x.y", &read, &problem), ERR_NONE);
    ck_assert_ptr_nonnull(strstr(problem.text, "x.y: /nowhere/k: No such file"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("keys");
    TCase *tests = tcase_create("key files");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, each_file_lets_one_client_in);
    tcase_add_test(tests, one_bad_file_and_none_is_read);
    tcase_add_test(tests, a_pipe_named_like_a_key_is_refused_and_not_waited_for);
    tcase_add_test(tests, a_folder_that_anybody_may_write_into_is_refused);
    tcase_add_test(tests, a_folder_that_is_not_there_is_an_error);
    tcase_add_test(tests, a_secret_key_s_public_key_follows_from_it);
    tcase_add_test(tests, a_secret_that_others_may_read_is_refused);
    tcase_add_test(tests, what_is_no_key_is_refused_by_file_and_never_shown);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
