/* The command line of linewardctl: options, spans of time, help. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"
#include "tools/ctl/ctl.h"

static const struct option_spec common[] = {{"json", NULL, "in JSON"}, {"admin", "URL", "where"}, {NULL, NULL, NULL}};
static const struct option_spec list_options[] = {
    {"limit", "N", "at most"}, {"set", "K=V", "override"}, {NULL, NULL, NULL}};
static const struct option_spec none[] = {{NULL, NULL, NULL}};
static const struct command commands[] = {
    {"list", "", 0, 0, "lists", NULL, list_options, NULL, NULL},
    {"show", "ID", 1, 1, "shows", NULL, none, NULL, NULL},
    {"store check", "PATH", 1, 1, "checks", NULL, none, NULL, NULL},
    {.name = NULL},
};

static struct args args;
static struct args_problem problem;

static bool read_words(char **argv)
{
    int argc = 0;
    while (argv[argc] != NULL)
        argc++;
    return args_read(&args, argc, argv, commands, common, &problem);
}
#define W(word)   ((char *)(uintptr_t)(word))
#define READ(...) read_words((char *[]){W("linewardctl"), __VA_ARGS__, NULL})

START_TEST(options_may_stand_before_and_after_the_command)
{
    ck_assert(READ(W("--json"), W("list"), W("--limit"), W("5")));
    ck_assert_str_eq(args.command->name, "list");
    ck_assert(args_flag(&args, "json"));
    ck_assert_str_eq(args_option(&args, "limit"), "5");
    ck_assert(READ(W("--limit=7"), W("list")));
    ck_assert_str_eq(args_option(&args, "limit"), "7");
}
END_TEST

START_TEST(a_value_may_begin_with_a_dash_or_be_empty)
{
    ck_assert(READ(W("list"), W("--limit"), W("-5")));
    ck_assert_str_eq(args_option(&args, "limit"), "-5");
    ck_assert(READ(W("list"), W("--limit=")));
    ck_assert_str_eq(args_option(&args, "limit"), "");
}
END_TEST

START_TEST(a_lone_dash_and_a_phone_number_are_arguments)
{
    ck_assert(READ(W("show"), W("-")));
    ck_assert_str_eq(args.positional[0], "-");
    ck_assert(READ(W("show"), W("+12025550101")));
    ck_assert_str_eq(args.positional[0], "+12025550101");
}
END_TEST

START_TEST(after_two_dashes_everything_is_an_argument)
{
    ck_assert(READ(W("show"), W("--"), W("--json")));
    ck_assert_str_eq(args.positional[0], "--json");
    ck_assert(!args_flag(&args, "json"));
}
END_TEST

START_TEST(a_command_of_two_words_is_found)
{
    ck_assert(READ(W("store"), W("check"), W("/tmp/x")));
    ck_assert_str_eq(args.command->name, "store check");
    ck_assert_str_eq(args.positional[0], "/tmp/x");
    ck_assert(!READ(W("store"), W("chec"), W("/tmp/x")));
}
END_TEST

START_TEST(an_unknown_option_or_command_is_refused_by_name)
{
    ck_assert(!READ(W("list"), W("--limits"), W("5")));
    ck_assert_ptr_nonnull(strstr(problem.text, "--limits"));
    ck_assert(!READ(W("lists")));
    ck_assert_ptr_nonnull(strstr(problem.text, "lists"));
    ck_assert(!READ(W("list"), W("-x")));
}
END_TEST

START_TEST(another_commands_option_is_refused)
{
    ck_assert(!READ(W("show"), W("1"), W("--limit"), W("5")));
    ck_assert_ptr_nonnull(strstr(problem.text, "--limit"));
}
END_TEST

START_TEST(a_flag_takes_no_value_and_an_option_needs_one)
{
    ck_assert(!READ(W("list"), W("--json=yes")));
    ck_assert(!READ(W("list"), W("--limit")));
}
END_TEST

START_TEST(too_few_or_too_many_arguments_show_the_usage)
{
    ck_assert(!READ(W("show")));
    ck_assert_ptr_nonnull(strstr(problem.text, "linewardctl show ID"));
    ck_assert(!READ(W("show"), W("1"), W("2")));
    ck_assert(!READ(W("list"), W("1")));
}
END_TEST

START_TEST(help_needs_no_arguments)
{
    ck_assert(READ(W("show"), W("--help")) && args.help);
    ck_assert(READ(W("help"), W("show")) && args.help);
    ck_assert_str_eq(args.command->name, "show");
    ck_assert(READ(W("help")) && args.help);
    ck_assert_ptr_null(args.command);
}
END_TEST

START_TEST(more_words_than_there_is_room_for_are_refused)
{
    char *argv[ARGS_POSITIONAL_MAX + 3];
    for (int i = 0; i < ARGS_POSITIONAL_MAX + 2; i++)
        argv[i] = W("show");
    argv[ARGS_POSITIONAL_MAX + 2] = NULL;
    ck_assert(!read_words(argv));
    for (int i = 2; i < ARGS_OPTIONS_MAX + 3; i++)
        argv[i] = W("--json");
    argv[ARGS_OPTIONS_MAX + 3] = NULL;
    ck_assert(!read_words(argv));
}
END_TEST

START_TEST(a_repeated_option_gives_all_its_values_and_the_last)
{
    int at = 0;
    ck_assert(READ(W("list"), W("--set"), W("a=1"), W("--set=b=2")));
    ck_assert_str_eq(args_next(&args, "set", &at), "a=1");
    ck_assert_str_eq(args_next(&args, "set", &at), "b=2");
    ck_assert_ptr_null(args_next(&args, "set", &at));
    ck_assert_str_eq(args_option(&args, "set"), "b=2");
}
END_TEST

START_TEST(numbers_are_whole_and_within_bounds)
{
    int64_t number = 3;
    ck_assert(READ(W("list")));
    ck_assert(args_number(&args, "limit", 1, 10, &number));
    ck_assert_int_eq(number, 3);
    const char *const bad[] = {"", "x", "5x", "0", "11", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert(READ(W("list"), W("--limit"), W(bad[i])));
        ck_assert_msg(!args_number(&args, "limit", 1, 10, &number), "%s was taken", bad[i]);
    }
    ck_assert(READ(W("list"), W("--limit"), W("10")));
    ck_assert(args_number(&args, "limit", 1, 10, &number));
    ck_assert_int_eq(number, 10);
}
END_TEST

START_TEST(spans_of_time_need_a_unit)
{
    const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"90s", 90000},   {"30m", 1800000},   {"2h", 7200000}, {"1d", 86400000},
                {"1500ms", 1500}, {"1h30m", 5400000}, {"0s", 0},       {"3650d", INT64_C(315360000000)}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t ms = -1;
        ck_assert_msg(duration_parse(good[i].text, &ms), "%s", good[i].text);
        ck_assert_int_eq(ms, good[i].ms);
    }
    const char *const bad[] = {"", "5", "s", "5 m", "-5s", "5x", "5s ", "3651d", "3650d1ms", "99999999999999999999d"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t ms = -1;
        ck_assert_msg(!duration_parse(bad[i], &ms), "%s was taken", bad[i]);
        ck_assert_int_eq(ms, -1);
    }
}
END_TEST

/* The whole program's table: what --help says of an option is what is accepted. */
START_TEST(every_command_explains_itself)
{
    static const char *const names[] = {"status",  "pools",  "lines", "line",   "workers", "jobs",  "job",
                                        "enqueue", "cancel", "pause", "resume", "pauses",  "events"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *text = NULL;
        size_t bytes = 0;
        FILE *out = open_memstream(&text, &bytes);
        char *argv[] = {W("linewardctl"), W(names[i]), W("--help"), NULL};
        ck_assert_int_eq(ctl_run(3, argv, out, out), EXIT_DONE);
        fclose(out);
        ck_assert_ptr_nonnull(strstr(text, names[i]));
        ck_assert_ptr_nonnull(strstr(text, "--json"));
        free(text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ctl_args");
    TCase *tc = tcase_create("command line");
    tcase_add_test(tc, options_may_stand_before_and_after_the_command);
    tcase_add_test(tc, a_value_may_begin_with_a_dash_or_be_empty);
    tcase_add_test(tc, a_lone_dash_and_a_phone_number_are_arguments);
    tcase_add_test(tc, after_two_dashes_everything_is_an_argument);
    tcase_add_test(tc, a_command_of_two_words_is_found);
    tcase_add_test(tc, an_unknown_option_or_command_is_refused_by_name);
    tcase_add_test(tc, another_commands_option_is_refused);
    tcase_add_test(tc, a_flag_takes_no_value_and_an_option_needs_one);
    tcase_add_test(tc, too_few_or_too_many_arguments_show_the_usage);
    tcase_add_test(tc, help_needs_no_arguments);
    tcase_add_test(tc, more_words_than_there_is_room_for_are_refused);
    tcase_add_test(tc, a_repeated_option_gives_all_its_values_and_the_last);
    tcase_add_test(tc, numbers_are_whole_and_within_bounds);
    tcase_add_test(tc, spans_of_time_need_a_unit);
    tcase_add_test(tc, every_command_explains_itself);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
