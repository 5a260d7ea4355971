/* Configuration as files: hostile bytes, bounds, relative paths, files of secrets. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/suite.h"
#include "tests/unit/conf_suite.h"

START_TEST(anchors_aliases_and_tags_are_refused)
{
    refuse("broker: &a {}\nworker: *a\n", "t.yaml:1: anchors");
    refuse("broker:\n  admin: &x h:1\n", "t.yaml:2: anchors");
    refuse("worker:\n  broker: &x [a]\n", "t.yaml:2: anchors");
    refuse("broker:\n  admin: *x\n", "t.yaml:2: aliases");
    refuse("broker: !!map {}\n", "t.yaml:1: tags");
    refuse("broker: {admin: !x h:1}\n", "t.yaml:1: tags");
    refuse("broker: {<<: {jobs_max: 1}}\n" ACCOUNT, "unknown key");
    refuse("a: &a [x,x]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\n", "t.yaml:1: anchors");
}
END_TEST

START_TEST(deep_nesting_is_refused)
{
    static char text[200001];
    memset(text, '[', 200000);
    refuse(text, "nested too deeply");
    memset(text, '{', 200000);
    refuse(text, "t.yaml:1: ");
    for (size_t i = 0; i + 1 < 200000; i += 2)
        memcpy(text + i, "- ", 2);
    refuse(text, "nested too deeply");
    for (size_t i = 0; i + 4 < 200000; i += 4)
        memcpy(text + i, "? ? ", 4);
    refuse(text, "t.yaml:1: ");
}
END_TEST

START_TEST(files_and_values_beyond_their_bounds_are_refused)
{
    size_t bytes = 5u << 20;
    char *text = malloc(bytes + 1);
    memset(text, '#', bytes);
    text[bytes] = '\0';
    refuse(text, "the file is too large");
    size_t used = (size_t)sprintf(text, "worker: {broker: [");
    while (used < (3u << 20))
        used += (size_t)sprintf(text + used, "a,");
    strcpy(text + used, "]}\n");
    refuse(text, "too many values");
    used = (size_t)sprintf(text, ACCOUNT "store: {path: ");
    memset(text + used, 'x', 5000);
    strcpy(text + used + 5000, "}\n");
    refuse(text, "a shorter text");
    ck_assert_uint_lt(strlen(problem.text), 200);
    used = (size_t)sprintf(text, ACCOUNT "policies:\n");
    for (int i = 0; i <= CONF_POLICIES_MAX; i++)
        used += (size_t)sprintf(text + used, "  p%d: {}\n", i);
    refuse(text, "policies: 1025 entries, at most 1024 are allowed");
    free(text);
}
END_TEST

START_TEST(ten_thousand_lines_are_read_and_a_repeat_among_them_found)
{
    char *text = malloc(1u << 20);
    size_t used = (size_t)sprintf(text, ACCOUNT "pools:\n  a:\n    lines:\n");
    for (int i = 0; i < 10000; i++)
        used += (size_t)sprintf(text + used, "    - \"+1202555%04d\"\n", i);
    accept(text);
    ck_assert_uint_eq(conf->pools[0].line_count, 10000);
    sprintf(text + used, "    - \"+12025550042\"\n");
    refuse(text,
           "t.yaml:10005: pools: line +1202*****42 (in pool a) is named twice, first in pool a, line 47 of the file");
    free(text);
}
END_TEST

START_TEST(zero_bytes_and_broken_text_are_refused)
{
    static const char raw[] = "broker: {admin: \"a\0b\"}\n";
    refuse_bytes(raw, sizeof raw - 1, "t.yaml:1: not YAML");
    refuse("broker:\n  admin: \"a\\0b\"\n", "t.yaml:2: a zero byte in a value");
    refuse("broker:\n  admin: \xff\xfe\n", "not YAML");
    refuse("broker:\n  admin: \x01\n", "not YAML");
    refuse("broker:\n\tadmin: h:1\n", "t.yaml:2: not YAML");
    refuse("broker: [\n", "not YAML");
    refuse("broker: {admin: \"x\n", "not YAML");
    refuse("broker: {}\n---\nbroker: {}\n", "t.yaml:2: a second document");
    refuse("- a\n- b\n", "t.yaml:1: file: keys and values are needed here");
    refuse("just words\n", "t.yaml:1: file: keys and values are needed here");
    refuse("? [a]\n: b\n", "a key must be a word");
    refuse("broker: {? {a: b} : c}\n", "a key must be a word");
}
END_TEST

START_TEST(a_value_shown_in_a_problem_cannot_speak_to_the_terminal)
{
    refuse("broker: {jobs_max: \"a\\e[31mb\\nc\"}\n" ACCOUNT, "a?[31mb?c is not right here");
}
END_TEST

START_TEST(a_file_cut_or_changed_anywhere_never_breaks_the_reader)
{
    static const char changes[] = "\0[]{}:-\"'&*!#\n \t%@|>\xff";
    static char text[sizeof sample];
    for (size_t bytes = 0; bytes < sizeof sample - 1; bytes += 7)
        (void)parse_bytes(sample, bytes, NULL, 0);
    for (size_t at = 0; at < sizeof sample - 1; at += 3) {
        memcpy(text, sample, sizeof sample);
        text[at] = changes[at / 3 % (sizeof changes - 1)];
        enum err err = parse_bytes(text, sizeof sample - 1, NULL, 0);
        ck_assert((err == ERR_NONE) == (conf != NULL));
        ck_assert(err == ERR_NONE || strncmp(problem.text, "t.yaml", 6) == 0);
    }
}
END_TEST

/* Files */

static char folder[] = "/tmp/lineward-conf-test-XXXXXX";

static const char *in_folder(const char *name, const char *text)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static void make_folder(void)
{
    strcpy(folder, "/tmp/lineward-conf-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void)
{
    char path[256];
    teardown();
    static const char *const names[] = {"c.yaml", "secret", "none"};
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

START_TEST(relative_paths_start_at_the_files_folder)
{
    char expected[256];
    const char *path = in_folder("c.yaml", "accounts: {default: {api_key_file: keys/linq}}\nstore: {path: /var/l}\n");
    ck_assert_int_eq(conf_load(&conf, path, NULL, 0, &problem), ERR_NONE);
    snprintf(expected, sizeof expected, "%s/keys/linq", folder);
    ck_assert_str_eq(conf->accounts[0].api_key_file, expected);
    ck_assert_str_eq(conf->store.path, "/var/l");
    conf_free(&conf);
    ck_assert_int_eq(chdir(folder), 0);
    ck_assert_int_eq(conf_load(&conf, "c.yaml", NULL, 0, &problem), ERR_NONE);
    ck_assert_str_eq(conf->accounts[0].api_key_file, expected);
    conf_free(&conf);
    ck_assert_int_eq(chdir("/tmp"), 0);
    ck_assert_int_eq(conf_load(&conf, folder + 5, NULL, 0, &problem), ERR_IO); /* a folder is no file */
    snprintf(expected, sizeof expected, "%s/c.yaml", folder + 5);
    ck_assert_int_eq(conf_load(&conf, expected, NULL, 0, &problem), ERR_NONE);
    snprintf(expected, sizeof expected, "%s/keys/linq", folder);
    ck_assert_str_eq(conf->accounts[0].api_key_file, expected);
}
END_TEST

/* covers: key store.dedupe_window_h */
START_TEST(history_is_kept_as_long_as_an_id_is_remembered)
{
    accept("store: {history_retention_h: 1, dedupe_window_h: 5}\n" ACCOUNT);
    ck_assert_int_eq(conf_history_ms(&conf->store), conf_ms_of_hours(5));
    accept("store: {history_retention_h: 7, dedupe_window_h: 5}\n" ACCOUNT);
    ck_assert_int_eq(conf_history_ms(&conf->store), conf_ms_of_hours(7));
}
END_TEST

START_TEST(a_missing_file_is_named)
{
    char path[256];
    snprintf(path, sizeof path, "%s/none.yaml", folder);
    ck_assert_int_eq(conf_load(&conf, path, NULL, 0, &problem), ERR_NOT_FOUND);
    ck_assert_ptr_null(conf);
    ck_assert_ptr_nonnull(strstr(problem.text, "none.yaml: No such file"));
}
END_TEST

START_TEST(a_file_is_read_again_as_it_was_though_it_is_another_by_now)
{
    struct conf *again = NULL;
    size_t bytes = 0;
    char *path = strdup(in_folder("l.yaml", ACCOUNT "store: {path: old}\n"));
    ck_assert_int_eq(conf_load(&conf, path, NULL, 0, &problem), ERR_NONE);
    in_folder("l.yaml", "nonsense");
    const char *text = conf_file_text(conf, &bytes);
    FILE *copy = tmpfile();
    ck_assert_uint_eq(fwrite(text, 1, bytes, copy), bytes);
    rewind(copy); /* and writes it out */
    ck_assert_int_eq(conf_load_from(&again, dup(fileno(copy)), path, NULL, 0, &problem), ERR_NONE);
    ck_assert_str_eq(again->store.path, conf->store.path);
    fclose(copy);
    conf_free(&again);
    ck_assert_int_eq(conf_load_from(&again, 1000, path, NULL, 0, &problem), ERR_IO);
    ck_assert_ptr_nonnull(strstr(problem.text, path));
    free(path);
}
END_TEST

START_TEST(a_secret_is_the_first_line_without_blanks_around_it)
{
    static const struct {
        const char *text, *secret;
    } files[] = {{"hunter2", "hunter2"}, {"  hunter2 \t\r\nsecond\n", "hunter2"}, {"a b\n", "a b"}, {"x\n", "x"}};
    for (size_t i = 0; i < COUNT(files); i++) {
        char *secret = conf_read_secret(in_folder("secret", files[i].text));
        ck_assert_ptr_nonnull(secret);
        ck_assert_str_eq(secret, files[i].secret);
        free(secret);
    }
}
END_TEST

START_TEST(a_secret_that_is_not_there_says_why)
{
    errno = 0;
    ck_assert_ptr_null(conf_read_secret(in_folder("secret", "")));
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_ptr_null(conf_read_secret(in_folder("secret", " \nsecond\n")));
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_ptr_null(conf_read_secret("/nonexistent/secret"));
    ck_assert_int_eq(errno, ENOENT);
    char *huge = malloc(10001);
    memset(huge, 'x', 10000);
    huge[10000] = '\0';
    ck_assert_ptr_null(conf_read_secret(in_folder("secret", huge)));
    ck_assert_int_eq(errno, EFBIG);
    free(huge);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conf_file");
    TCase *hostile = tcase_create("hostile");
    tcase_set_timeout(hostile, 30);
    tcase_add_checked_fixture(hostile, NULL, teardown);
    tcase_add_test(hostile, anchors_aliases_and_tags_are_refused);
    tcase_add_test(hostile, deep_nesting_is_refused);
    tcase_add_test(hostile, files_and_values_beyond_their_bounds_are_refused);
    tcase_add_test(hostile, ten_thousand_lines_are_read_and_a_repeat_among_them_found);
    tcase_add_test(hostile, zero_bytes_and_broken_text_are_refused);
    tcase_add_test(hostile, a_value_shown_in_a_problem_cannot_speak_to_the_terminal);
    tcase_add_test(hostile, a_file_cut_or_changed_anywhere_never_breaks_the_reader);
    suite_add_tcase(suite, hostile);
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, make_folder, remove_folder);
    tcase_add_test(files, relative_paths_start_at_the_files_folder);
    tcase_add_test(files, history_is_kept_as_long_as_an_id_is_remembered);
    tcase_add_test(files, a_missing_file_is_named);
    tcase_add_test(files, a_file_is_read_again_as_it_was_though_it_is_another_by_now);
    tcase_add_test(files, a_secret_is_the_first_line_without_blanks_around_it);
    tcase_add_test(files, a_secret_that_is_not_there_says_why);
    suite_add_tcase(suite, files);
    return suite_run(suite);
}
