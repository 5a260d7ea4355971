/* The manual page and the completion are made from the tables that --help is made from: each command and option that
 * help names is in both; and bash takes the completion and completes with it. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/suite.h"
#include "tests/unit/ctl_run.h"

static char *manual, *completion;

static void setup(void)
{
    RUN(W("manual"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    manual = strdup(said.out);
    said_free();
    RUN(W("completion"));
    ck_assert_int_eq(said.code, EXIT_DONE);
    completion = strdup(said.out);
    said_free();
}

static void teardown(void)
{
    free(manual);
    free(completion);
    said_free();
}

/* As the manual writes it: each dash as one that can be copied. */
static bool manual_has(const char *before, const char *text, size_t bytes)
{
    char wanted[256];
    size_t used = (size_t)snprintf(wanted, sizeof wanted, "%s", before);
    for (size_t i = 0; i < bytes && used + 3 < sizeof wanted; i++) {
        if (text[i] == '-')
            wanted[used++] = '\\';
        wanted[used++] = text[i];
    }
    wanted[used] = '\0';
    return strstr(manual, wanted) != NULL;
}

START_TEST(every_command_of_the_help_is_in_the_manual_and_in_the_completion)
{
    unsigned commands = 0;
    RUN(W("--help"));
    char *help = strdup(said.out);
    for (char *line = strtok(help, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        size_t bytes = strcspn(line + (strlen(line) > 2 ? 2 : 0), " ");
        if (strncmp(line, "  ", 2) != 0 || line[2] == '-' || line[2] == ' ')
            continue;
        commands++;
        ck_assert_msg(manual_has(".SS \"", line + 2, bytes), "the manual lacks: %s", line);
        char word[64];
        snprintf(word, sizeof word, " %.*s", (int)bytes, line + 2);
        ck_assert_msg(strstr(completion, word) != NULL, "the completion lacks: %s", line);
    }
    ck_assert_uint_gt(commands, 30);
    free(help);
}
END_TEST

START_TEST(every_option_of_a_command_is_in_both)
{
    static const char *const options[] = {"dry-run", "expires-at", "from-provider", "token-file", "json", "sections"};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        char word[64];
        snprintf(word, sizeof word, " --%s", options[i]);
        ck_assert_msg(manual_has("\\fB\\-\\-", options[i], strlen(options[i])), "the manual lacks --%s", options[i]);
        ck_assert_msg(strstr(completion, word) != NULL, "the completion lacks --%s", options[i]);
    }
}
END_TEST

/* No line of text is taken for a request, and no request but those of man(7) is there. */
START_TEST(the_manual_has_no_request_that_man_does_not_know)
{
    static const char *const known[] = {".TH", ".SH", ".SS", ".TP", ".PP", ".B ", ".BR", ".I ", ".RI"};
    for (const char *line = manual; line != NULL && *line != '\0';) {
        bool good = *line != '.' && *line != '\'';
        for (size_t i = 0; i < sizeof known / sizeof *known && !good; i++)
            good = strncmp(line, known[i], 3) == 0;
        ck_assert_msg(good, "a request that man does not know: %.40s", line);
        line = strchr(line, '\n');
        line = line == NULL ? NULL : line + 1;
    }
}
END_TEST

/* What bash offers for the last of the words. */
static char *offered(const char *words, unsigned at)
{
    static char answer[4096];
    char command[512], path[] = "/tmp/lineward-completion-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, completion, strlen(completion)), (ssize_t)strlen(completion));
    close(fd);
    snprintf(command, sizeof command,
             "bash -c '. %s; COMP_WORDS=(linewardctl %s); COMP_CWORD=%u; _linewardctl; echo \"${COMPREPLY[*]}\"'", path, words,
             at);
    FILE *bash = popen(command, "r");
    ck_assert_ptr_nonnull(bash);
    size_t bytes = fread(answer, 1, sizeof answer - 1, bash);
    answer[bytes] = '\0';
    ck_assert_int_eq(pclose(bash), 0);
    unlink(path);
    answer[strcspn(answer, "\n")] = '\0';
    return answer;
}

START_TEST(bash_completes_with_it)
{
    ck_assert_str_eq(offered("dr", 1), "drain");
    ck_assert_str_eq(offered("conv", 1), "conversations conversation");
    ck_assert_str_eq(offered("conversations ex", 2), "export");
    ck_assert_str_eq(offered("conversations move --r", 3), "--reason");
    ck_assert_str_eq(offered("requeue --exp", 2), "--expires-at");
    ck_assert_str_eq(offered("check-config /etc/hostnam", 2), "/etc/hostname");
}
END_TEST

START_TEST(an_option_that_takes_a_file_is_listed_once)
{
    unsigned count = 0;
    for (const char *at = strstr(completion, "|--"); at != NULL; at = strstr(at + 3, "|--")) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)(3 + strcspn(at + 3, "|)")), at);
        for (const char *again = strstr(at + 3, name); again != NULL; again = strstr(again + 3, name))
            ck_assert_msg(strchr("|)", again[strlen(name)]) == NULL, "listed twice: %s", name + 1);
        count++;
    }
    ck_assert_uint_gt(count, 5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ctl_manual");
    TCase *tests = tcase_create("ctl_manual");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, every_command_of_the_help_is_in_the_manual_and_in_the_completion);
    tcase_add_test(tests, every_option_of_a_command_is_in_both);
    tcase_add_test(tests, the_manual_has_no_request_that_man_does_not_know);
    tcase_add_test(tests, bash_completes_with_it);
    tcase_add_test(tests, an_option_that_takes_a_file_is_listed_once);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
