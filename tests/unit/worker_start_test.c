/* With what configuration a worker starts, and what it says when it does not. */
#include <curl/curl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lineward/log.h"
#include "tests/support/suite.h"
#include "workers/worker.h"

static char folder[32];

static void write_key(const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "%s/key", folder);
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
}

static void start(void)
{
    log_level_set(LOG_ERROR);
    ck_assert_int_ge(sodium_init(), 0);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    snprintf(folder, sizeof folder, "/tmp/worker-start-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    write_key("secret-key\n");
}

static void stop(void)
{
    char path[64];
    snprintf(path, sizeof path, "%s/key", folder);
    unlink(path);
    rmdir(folder);
    curl_global_cleanup();
}

/* Opens a worker with the given accounts and worker sections and closes it again. */
static enum err try_to_open(const char *text, struct conf_problem *problem)
{
    struct conf *conf = NULL;
    struct worker *worker = NULL;
    enum err err = conf_parse(&conf, text, strlen(text), "start.yaml", folder, NULL, 0, problem);
    ck_assert_msg(err == ERR_NONE, "%s", problem->text);
    err = worker_open(&worker, conf, clock_read, problem);
    ck_assert_int_eq(err == ERR_NONE, worker != NULL);
    worker_free(&worker);
    conf_free(&conf);
    return err;
}

static void assert_refused(const char *text, const char *word)
{
    struct conf_problem problem = {""};
    ck_assert_int_ne(try_to_open(text, &problem), ERR_NONE);
    ck_assert_msg(strstr(problem.text, word) != NULL, "\"%s\" does not say %s", problem.text, word);
    ck_assert_ptr_null(strstr(problem.text, "secret-key"));
}

START_TEST(a_plain_configuration_starts)
{
    struct conf_problem problem = {""};
    ck_assert_int_eq(try_to_open("accounts: {default: {base_url: 'http://127.0.0.1:9/', api_key_file: key}}\n"
                                 "worker: {broker: ['tcp://127.0.0.1:9', 'ipc:///tmp/nobody-listens']}\n",
                                 &problem),
                     ERR_NONE);
}
END_TEST

START_TEST(a_key_that_cannot_be_read_is_named)
{
    assert_refused("accounts: {default: {api_key_file: no-such-file}}\n", "accounts.default.api_key_file");
}
END_TEST

START_TEST(a_key_that_would_break_the_header_is_refused_and_not_shown)
{
    write_key("secret-key two\n");
    assert_refused("accounts: {default: {api_key_file: key}}\n", "accounts.default");
    write_key("secret-key\x01\n");
    assert_refused("accounts: {default: {api_key_file: key}}\n", "accounts.default");
    write_key("\n");
    assert_refused("accounts: {default: {api_key_file: key}}\n", "accounts.default");
}
END_TEST

START_TEST(a_curve_key_of_the_wrong_length_is_refused)
{
    assert_refused("accounts: {default: {api_key_file: key}}\n"
                   "worker: {curve_secret_key_file: key, broker_public_key_file: key}\n",
                   "worker.curve_secret_key_file");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("worker_start");
    TCase *tests = tcase_create("start");
    tcase_add_checked_fixture(tests, start, stop);
    tcase_add_test(tests, a_plain_configuration_starts);
    tcase_add_test(tests, a_key_that_cannot_be_read_is_named);
    tcase_add_test(tests, a_key_that_would_break_the_header_is_refused_and_not_shown);
    tcase_add_test(tests, a_curve_key_of_the_wrong_length_is_refused);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
