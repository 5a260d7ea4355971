/* linewardctl's commands that need no broker: tokens and configuration files. */
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/edge/tokens.h"
#include "tests/support/suite.h"
#include "tests/unit/ctl_run.h"
#include "tests/unit/ctl_synced.h"

static char path[] = "/tmp/lineward-local-XXXXXX";

static void setup(void)
{
    snprintf(path, sizeof path, "%s", "/tmp/lineward-local-XXXXXX");
    close(mkstemp(path));
}

static void teardown(void)
{
    remove(path);
    said_free();
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static const char *read_file(void)
{
    static char text[4096];
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

/* ---- token add ---- */

START_TEST(the_file_keeps_the_hash_of_the_token_that_was_printed)
{
    remove(path);
    RUN("token", W("add"), W("alice"), W("operator"), W("--file"), path);
    ck_assert_int_eq(said.code, EXIT_DONE);
    char token[128];
    ck_assert_int_eq(sscanf(said.out, "%127s", token), 1);
    ck_assert_uint_ge(strlen(token), 40);
    unsigned char hash[32];
    char hex[65];
    char line[256];
    crypto_generichash(hash, sizeof hash, (const unsigned char *)token, strlen(token), NULL, 0);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    snprintf(line, sizeof line, "alice operator * %s\n", hex);
    ck_assert_str_eq(read_file(), line);
    assert_silent(read_file(), token);
}
END_TEST

START_TEST(a_new_token_file_is_for_its_owner_only)
{
    struct stat info;
    remove(path);
    RUN("token", W("add"), W("alice"), W("viewer"), W("--file"), path);
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0600);
}
END_TEST

START_TEST(tokens_differ)
{
    char first[128];
    RUN("token", W("add"), W("a"), W("viewer"), W("--file"), path);
    snprintf(first, sizeof first, "%s", said.out);
    RUN("token", W("add"), W("b"), W("viewer"), W("--file"), path);
    ck_assert_str_ne(said.out, first);
}
END_TEST

START_TEST(a_name_is_used_once)
{
    write_file("bob viewer * 00\nalice viewer * 00\n");
    RUN("token", W("add"), W("alice"), W("admin"), W("--file"), path);
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "exists");
    ck_assert_str_eq(read_file(), "bob viewer * 00\nalice viewer * 00\n");
    RUN("token", W("add"), W("ali"), W("admin"), W("--file"), path);
    ck_assert_int_eq(said.code, EXIT_DONE);
}
END_TEST

START_TEST(a_name_is_used_once_however_its_line_begins)
{
    write_file("bob viewer * 00\n \talice viewer * 00\n");
    RUN("token", W("add"), W("alice"), W("admin"), W("--file"), path);
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "exists");
}
END_TEST

START_TEST(a_list_of_pools_is_no_longer_than_what_the_broker_reads)
{
    static char pools[TOKEN_POOLS_BYTES_MAX + 3];
    struct tokens *tokens = NULL;
    struct tokens_problem problem;
    bool made = false;
    for (size_t i = 0; i < TOKEN_POOLS_BYTES_MAX + 1; i++)
        pools[i] = i % 2 == 0 ? 'a' : ',';
    RUN("token", W("add"), W("alice"), W("viewer"), pools, W("--file"), path);
    ck_assert_int_eq(said.code, EXIT_USAGE);
    pools[TOKEN_POOLS_BYTES_MAX - 1] = '\0';
    RUN("token", W("add"), W("alice"), W("viewer"), pools, W("--file"), path);
    ck_assert_int_eq(said.code, EXIT_DONE);
    ck_assert_msg(tokens_open(&tokens, path, &made, &problem) == ERR_NONE, "%s", problem.text);
    tokens_free(&tokens);
}
END_TEST

/* One more, and the broker would take none of them. */
START_TEST(as_many_tokens_as_the_broker_takes)
{
    static char pools[TOKEN_POOLS_BYTES_MAX / 16 + 1];
    struct tokens *tokens = NULL;
    struct tokens_problem problem;
    bool made = false;
    for (size_t i = 0; i < sizeof pools - 2; i++)
        pools[i] = i % 2 == 0 ? 'a' : ',';
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs("# tokens\n\n", file);
    for (int i = 0; i < TOKENS_MAX - 1; i++)
        fprintf(file, "t%d viewer %s %064d # since last year\n", i, pools, i);
    fclose(file);
    RUN("token", W("add"), W("last"), W("viewer"), W("--file"), path);
    ck_assert_msg(said.code == EXIT_DONE, "%s", said.err);
    ck_assert_msg(tokens_open(&tokens, path, &made, &problem) == ERR_NONE, "%s", problem.text);
    RUN("token", W("add"), W("beyond"), W("viewer"), W("--file"), path);
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "full: ");
    assert_says(said.err, "4096 tokens");
    ck_assert_str_eq(said.out, "");
    RUN("token", W("add"), W("t4000"), W("viewer"), W("--file"), path);
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "exists: "); /* however far down */
    tokens_free(&tokens);
}
END_TEST

START_TEST(a_new_token_is_there_after_a_power_cut)
{
    remove(path);
    RUN("token", W("add"), W("alice"), W("viewer"), W("--file"), path);
    ck_assert_uint_eq(files_synced, 1);
    ck_assert_uint_eq(folders_synced, 1); /* which has the file's name */
}
END_TEST

START_TEST(a_last_line_without_an_end_is_not_grown)
{
    write_file("# tokens\n\nbob viewer * 00");
    RUN("token", W("add"), W("alice"), W("producer"), W("promo,default"), W("--file"), path);
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_says(read_file(), "bob viewer * 00\nalice producer promo,default ");
}
END_TEST

START_TEST(wrong_names_roles_and_pools_are_refused)
{
    static const char *const bad[][3] = {
        {"a b", "viewer", "*"},     {"", "viewer", "*"},        {"a\nb", "viewer", "*"},
        {"alice", "root", "*"},     {"alice", "viewer", ""},    {"alice", "viewer", "a,,b"},
        {"alice", "viewer", "a b"}, {"alice", "viewer", "*,a"}, {"alice", "viewer", "a,"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        RUN("token", W("add"), W(bad[i][0]), W(bad[i][1]), W(bad[i][2]), W("--file"), path);
        ck_assert_msg(said.code == EXIT_USAGE, "%s %s %s was taken", bad[i][0], bad[i][1], bad[i][2]);
    }
    RUN("token", W("add"), W("alice"), W("viewer"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    ck_assert_str_eq(read_file(), "");
}
END_TEST

START_TEST(a_token_in_json)
{
    RUN("token", W("add"), W("alice"), W("viewer"), W("--file"), path, W("--json"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_says(said.out, "{\"name\":\"alice\",\"role\":\"viewer\",\"pools\":\"*\",\"token\":\"lw_");
    ck_assert_str_eq(said.err, "");
}
END_TEST

START_TEST(a_file_that_cannot_be_written_is_a_failure)
{
    RUN("token", W("add"), W("alice"), W("viewer"), W("--file"), W("/nowhere/tokens"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    ck_assert_str_eq(said.out, "");
}
END_TEST

/* ---- check-config ---- */

START_TEST(the_sample_configuration_is_good)
{
    RUN("check-config", W("deploy/lineward.yaml"));
    ck_assert_msg(said.code == EXIT_DONE, "%s", said.err);
    assert_says(said.out, "deploy/lineward.yaml: good");
}
END_TEST

START_TEST(a_wrong_value_is_named_with_its_line)
{
    write_file("accounts:\n  default:\n    api_key_file: k\npolicies:\n  default:\n    burst: 0\n");
    RUN("check-config", path);
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, ":6");
    assert_says(said.err, "burst");
    RUN("check-config", path, W("--json"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.out, "{\"ok\":false,\"problem\":\"");
}
END_TEST

START_TEST(a_set_counts_as_if_it_stood_in_the_file)
{
    write_file("accounts:\n  default:\n    api_key_file: k\n");
    RUN("check-config", path, W("--set"), W("broker.heartbeat_ms=500"));
    ck_assert_msg(said.code == EXIT_DONE, "%s", said.err);
    RUN("check-config", path, W("--set"), W("broker.heartbeat_ms=1"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "heartbeat_ms");
}
END_TEST

START_TEST(as_many_sets_as_options_count)
{
    char *words[2 * ARGS_OPTIONS_MAX + 6] = {W("linewardctl"), W("check-config"), path};
    int count = 3;
    write_file("accounts:\n  default:\n    api_key_file: linq.key\n");
    for (int i = 0; i < ARGS_OPTIONS_MAX; i++) {
        words[count++] = W("--set");
        words[count++] = W("broker.heartbeat_ms=500");
    }
    run_words(words);
    ck_assert_int_eq(said.code, EXIT_DONE);
    words[count++] = W("--set");
    words[count++] = W("broker.heartbeat_ms=500");
    run_words(words);
    ck_assert_int_eq(said.code, EXIT_USAGE);
}
END_TEST

START_TEST(a_missing_configuration_is_refused)
{
    RUN("check-config", W("/nowhere/lineward.yaml"));
    ck_assert_int_eq(said.code, EXIT_REFUSED);
    assert_says(said.err, "/nowhere/lineward.yaml");
}
END_TEST

START_TEST(wrong_usage_is_json_where_json_is_asked_for)
{
    RUN("check-config", W("--json"));
    ck_assert_int_eq(said.code, EXIT_USAGE);
    assert_says(said.out, "{\"error\":{\"code\":\"usage\",\"message\":\"linewardctl check-config FILE\"}}");
}
END_TEST

START_TEST(output_that_cannot_be_written_is_said)
{
    char *text = NULL;
    size_t bytes = 0;
    char *words[] = {(char[]){"linewardctl"}, (char[]){"check-config"}, (char[]){"deploy/lineward.yaml"}, NULL};
    FILE *full = fopen("/dev/full", "we");
    FILE *err = open_memstream(&text, &bytes);
    ck_assert_int_eq(ctl_run(3, words, full, err), EXIT_REFUSED);
    fclose(full);
    fclose(err);
    assert_says(text, "linewardctl: output: No space left on device");
    free(text);
}
END_TEST

START_TEST(files_that_cannot_be_read_here_are_told_of)
{
    write_file("accounts:\n  default:\n    api_key_file: /nowhere/linq.key\n");
    RUN("check-config", path);
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_says(said.out, "accounts.default.api_key_file: /nowhere/linq.key: No such file or directory\n");
    RUN("check-config", path, W("--json"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    assert_says(said.out, "\"unreadable\":[{\"key\":\"accounts.default.api_key_file\",\"file\":\"/nowhere/linq.key\","
                          "\"message\":\"No such file or directory\"}]");
}
END_TEST

START_TEST(the_files_of_a_shared_cache_are_among_them)
{
    write_file("accounts:\n  default:\n    api_key_file: /dev/null\n"
               "cache:\n  kind: redis\n  redis: redis+sentinel://a:1,b:1/main\n  redis_password_file: /nowhere/r\n"
               "  sentinel_password_file: /nowhere/s\n  secret_file: /nowhere/c\n");
    RUN("check-config", path);
    assert_says(said.out, "cache.redis_password_file: /nowhere/r: No such file");
    assert_says(said.out, "cache.sentinel_password_file: /nowhere/s: No such file");
    assert_says(said.out, "cache.secret_file: /nowhere/c: No such file");
}
END_TEST

/* ---- where the broker is ---- */

START_TEST(what_asks_no_broker_looks_for_none)
{
    char key[64], keys[64];
    snprintf(key, sizeof key, "%s.key", path);
    snprintf(keys, sizeof keys, "%s.keys", path);
    setenv("LINEWARD_ADMIN", "http://192.0.2.1:7781", 1); /* a token would go there in clear */
    setenv("LINEWARD_TOKEN", "of two words", 1);
    char *const words[][7] = {
        {W("linewardctl"), W("check-config"), W("deploy/lineward.yaml")},
        {W("linewardctl"), W("manual")},
        {W("linewardctl"), W("completion")},
        {W("linewardctl"), W("token"), W("add"), W("alice"), W("viewer"), W("--file"), path},
        {W("linewardctl"), W("keygen"), key},
        {W("linewardctl"), W("store"), W("check"), keys},
        {W("linewardctl"), W("store"), W("dump"), keys},
        {W("linewardctl"), W("authorize"), W("shop"), W("no key"), W("worker"), W("--dir"), keys},
        {W("linewardctl"), W("revoke"), W("shop"), W("--dir"), keys},
        {W("linewardctl"), W("backup"), keys, W("--store"), path},
        {W("linewardctl"), W("restore"), keys, W("--to"), path},
        {W("linewardctl"), W("enqueue"), path, W("--producers"), W("none")},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        char *argv[8] = {NULL};
        memcpy(argv, words[i], sizeof words[i]);
        run_words(argv);
        ck_assert_msg(said.code == EXIT_DONE || i > 4, "%s: %s", argv[1], said.err);
        assert_silent(said.err, "linewardctl: admin: ");
        assert_silent(said.err, "linewardctl: token: ");
    }
    RUN("enqueue", path);
    ck_assert_int_eq(said.code, EXIT_USAGE);
    assert_says(said.err, "linewardctl: admin: ");
    unsetenv("LINEWARD_ADMIN");
    unsetenv("LINEWARD_TOKEN");
    remove(key);
    rmdir(keys);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ctl_local");
    TCase *tc = tcase_create("local commands");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_file_keeps_the_hash_of_the_token_that_was_printed);
    tcase_add_test(tc, a_new_token_file_is_for_its_owner_only);
    tcase_add_test(tc, tokens_differ);
    tcase_add_test(tc, a_name_is_used_once);
    tcase_add_test(tc, a_name_is_used_once_however_its_line_begins);
    tcase_add_test(tc, a_list_of_pools_is_no_longer_than_what_the_broker_reads);
    tcase_add_test(tc, as_many_tokens_as_the_broker_takes);
    tcase_add_test(tc, a_new_token_is_there_after_a_power_cut);
    tcase_add_test(tc, a_last_line_without_an_end_is_not_grown);
    tcase_add_test(tc, wrong_names_roles_and_pools_are_refused);
    tcase_add_test(tc, a_token_in_json);
    tcase_add_test(tc, a_file_that_cannot_be_written_is_a_failure);
    tcase_add_test(tc, the_sample_configuration_is_good);
    tcase_add_test(tc, a_wrong_value_is_named_with_its_line);
    tcase_add_test(tc, a_set_counts_as_if_it_stood_in_the_file);
    tcase_add_test(tc, as_many_sets_as_options_count);
    tcase_add_test(tc, a_missing_configuration_is_refused);
    tcase_add_test(tc, wrong_usage_is_json_where_json_is_asked_for);
    tcase_add_test(tc, output_that_cannot_be_written_is_said);
    tcase_add_test(tc, files_that_cannot_be_read_here_are_told_of);
    tcase_add_test(tc, the_files_of_a_shared_cache_are_among_them);
    tcase_add_test(tc, what_asks_no_broker_looks_for_none);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
