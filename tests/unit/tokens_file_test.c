/* The token file: who is let in, as what, and what happens to a file that is absent, wrong or changed. */
#include "broker/edge/tokens.h"

#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/suite.h"

static char folder[64], path[96], first[112];

static void setup(void)
{
    ck_assert_int_ge(sodium_init(), 0);
    snprintf(folder, sizeof folder, "/tmp/lineward-tokens-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/tokens", folder);
    snprintf(first, sizeof first, "%s.first", path);
}

static void teardown(void)
{
    unlink(path);
    unlink(first);
    rmdir(folder);
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static const char *hash_of(const char *token)
{
    static char hex[4][65];
    static unsigned turn;
    unsigned char hash[32];
    char *out = hex[turn++ % 4];
    crypto_generichash(hash, sizeof hash, (const unsigned char *)token, strlen(token), NULL, 0);
    return sodium_bin2hex(out, 65, hash, sizeof hash);
}

static struct tokens *open_tokens(void)
{
    struct tokens *tokens = NULL;
    struct tokens_problem problem;
    bool made;
    ck_assert_int_eq(tokens_open(&tokens, path, &made, &problem), ERR_NONE);
    ck_assert(!made);
    return tokens;
}

START_TEST(a_known_token_has_its_line_s_name_role_and_pools)
{
    char text[512];
    snprintf(text, sizeof text, "# who\n\nshop producer eu,us %s\n\tops  admin * %s # all\n", hash_of("secret-1"),
             hash_of("secret-2"));
    write_file(text);
    struct tokens *tokens = open_tokens();
    struct grant grant;
    ck_assert(tokens_find(tokens, "secret-1", &grant));
    ck_assert_str_eq(grant.name, "shop");
    ck_assert_int_eq(grant.role, ROLE_PRODUCER);
    ck_assert_str_eq(grant.pools, "eu,us");
    grant_free(&grant);
    ck_assert(tokens_find(tokens, "secret-2", &grant));
    ck_assert_int_eq(grant.role, ROLE_ADMIN);
    ck_assert_ptr_null(grant.pools);
    grant_free(&grant);
    tokens_free(&tokens);
    ck_assert_ptr_null(tokens);
}
END_TEST

START_TEST(an_unknown_empty_or_endless_token_is_nobodys)
{
    char text[256], endless[2 * TOKEN_BYTES_MAX];
    struct grant grant = {.name = "untouched"};
    memset(endless, 'x', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    snprintf(text, sizeof text, "ops admin * %s\nx viewer * %s\ny viewer * %s\n", hash_of("secret"), hash_of(""),
             hash_of(endless));
    write_file(text);
    struct tokens *tokens = open_tokens();
    ck_assert(!tokens_find(tokens, "Secret", &grant));
    ck_assert(!tokens_find(tokens, "secret ", &grant));
    ck_assert(!tokens_find(tokens, "", &grant));
    ck_assert(!tokens_find(tokens, endless, &grant));
    ck_assert_str_eq(grant.name, "untouched");
    tokens_free(&tokens);
}
END_TEST

START_TEST(a_wrong_line_is_named_and_stops_the_start)
{
    const char *good = hash_of("x");
    char lines[8][256];
    snprintf(lines[0], sizeof lines[0], "ops admin *\n");
    snprintf(lines[1], sizeof lines[1], "ops admin * %s more\n", good);
    snprintf(lines[2], sizeof lines[2], "o/ps admin * %s\n", good);
    snprintf(lines[3], sizeof lines[3], "ops root * %s\n", good);
    snprintf(lines[4], sizeof lines[4], "ops admin a,,b %s\n", good);
    snprintf(lines[5], sizeof lines[5], "ops admin a,*  %s\n", good);
    snprintf(lines[6], sizeof lines[6], "ops admin * %.63s\n", good);
    snprintf(lines[7], sizeof lines[7], "ops admin * %.62szz\n", good);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char text[4096];
        struct tokens *tokens = NULL;
        struct tokens_problem problem;
        bool made;
        snprintf(text, sizeof text, "# first\n%s", lines[i]);
        write_file(text);
        ck_assert_int_eq(tokens_open(&tokens, path, &made, &problem), ERR_BAD_INPUT);
        ck_assert_ptr_null(tokens);
        ck_assert_ptr_nonnull(strstr(problem.text, "tokens:2: "));
    }
}
END_TEST

START_TEST(without_a_file_a_first_admin_token_is_made_that_works_and_only_its_owner_can_read)
{
    struct tokens *tokens = NULL;
    struct tokens_problem problem;
    struct grant grant;
    struct stat found;
    char token[128] = "", text[512] = "";
    bool made = false;
    ck_assert_int_eq(tokens_open(&tokens, path, &made, &problem), ERR_NONE);
    ck_assert(made);
    FILE *file = fopen(first, "re");
    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_nonnull(fgets(token, sizeof token, file));
    ck_assert_int_eq(fclose(file), 0);
    token[strcspn(token, "\n")] = '\0';
    ck_assert_uint_ge(strlen(token), 32);
    ck_assert(tokens_find(tokens, token, &grant));
    ck_assert_int_eq(grant.role, ROLE_ADMIN);
    ck_assert_ptr_null(grant.pools);
    grant_free(&grant);
    ck_assert_int_eq(stat(first, &found), 0);
    ck_assert_int_eq(found.st_mode & 0777, 0600);
    ck_assert_int_eq(stat(path, &found), 0);
    ck_assert_int_eq(found.st_mode & 0777, 0600);
    file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_gt(fread(text, 1, sizeof text - 1, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_ptr_null(strstr(text, token)); /* the token file itself has hashes only */
    tokens_free(&tokens);
    tokens = open_tokens(); /* the second start finds the file and makes nothing */
    ck_assert(tokens_find(tokens, token, &grant));
    grant_free(&grant);
    tokens_free(&tokens);
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_said_with_its_path)
{
    struct tokens *tokens = NULL;
    struct tokens_problem problem;
    bool made;
    ck_assert_int_eq(tokens_open(&tokens, "/nowhere/at/all/tokens", &made, &problem), ERR_IO);
    ck_assert_ptr_nonnull(strstr(problem.text, "/nowhere/at/all/tokens"));
}
END_TEST

static enum err reload(struct tokens *tokens, struct tokens_problem *problem)
{
    enum err err = tokens_prepare(tokens, path, problem);
    tokens_commit(tokens); /* nothing, if nothing was prepared */
    return err;
}

START_TEST(reloading_takes_new_tokens_in_and_old_ones_out_and_a_bad_file_changes_nothing)
{
    char text[256];
    struct tokens_problem problem;
    struct grant grant;
    snprintf(text, sizeof text, "a viewer * %s\n", hash_of("old"));
    write_file(text);
    struct tokens *tokens = open_tokens();
    snprintf(text, sizeof text, "b operator * %s\n", hash_of("new"));
    write_file(text);
    ck_assert_int_eq(reload(tokens, &problem), ERR_NONE);
    ck_assert(!tokens_find(tokens, "old", &grant));
    ck_assert(tokens_find(tokens, "new", &grant));
    grant_free(&grant);
    write_file("rubbish\n");
    ck_assert_int_eq(reload(tokens, &problem), ERR_BAD_INPUT);
    ck_assert(tokens_find(tokens, "new", &grant));
    grant_free(&grant);
    unlink(path);
    ck_assert_int_eq(reload(tokens, &problem), ERR_NOT_FOUND);
    ck_assert(tokens_find(tokens, "new", &grant));
    grant_free(&grant);
    tokens_free(&tokens);
}
END_TEST

START_TEST(what_a_full_disk_left_of_the_first_token_keeps_nobody_out_for_ever)
{
    struct tokens *tokens = NULL;
    struct tokens_problem problem;
    struct rlimit before, less;
    bool made;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    less = (struct rlimit){.rlim_cur = 50, .rlim_max = before.rlim_max}; /* room for the token, not for its line */
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &less), 0);
    enum err err = tokens_open(&tokens, path, &made, &problem);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_int_eq(err, ERR_IO);
    ck_assert_msg(tokens_open(&tokens, path, &made, &problem) == ERR_NONE, "%s", problem.text);
    ck_assert(made);
    tokens_free(&tokens);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tokens_file");
    TCase *tests = tcase_create("tokens_file");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_known_token_has_its_line_s_name_role_and_pools);
    tcase_add_test(tests, an_unknown_empty_or_endless_token_is_nobodys);
    tcase_add_test(tests, a_wrong_line_is_named_and_stops_the_start);
    tcase_add_test(tests, without_a_file_a_first_admin_token_is_made_that_works_and_only_its_owner_can_read);
    tcase_add_test(tests, a_folder_that_is_not_there_is_said_with_its_path);
    tcase_add_test(tests, reloading_takes_new_tokens_in_and_old_ones_out_and_a_bad_file_changes_nothing);
    tcase_add_test(tests, what_a_full_disk_left_of_the_first_token_keeps_nobody_out_for_ever);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
