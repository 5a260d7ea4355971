/* sandbox_config_test.c — the sandbox's file: options, lines and sections in YAML, and what is wrong with it, by name
 * and line. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/suite.h"
#include "tools/sandbox/sandbox.h"

static char path[64], problem[512];
static struct sandbox_options options;

static void setup(void)
{
    ck_assert_int_ge(sodium_init(), 0);
    snprintf(path, sizeof path, "/tmp/lineward-sandbox-config-%d.yaml", (int)getpid());
}

static void teardown(void)
{
    sandbox_options_free(&options);
    unlink(path);
}

static enum options_outcome read_file(const char *text)
{
    char *argv[] = {"lineward-sandbox", "--seed", "9", "--config", path, NULL};
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    sandbox_options_free(&options);
    return sandbox_options_read(&options, 5, argv, problem, sizeof problem);
}

static bool is_refused(const char *text, const char *why)
{
    return read_file(text) == OPTIONS_BAD && strstr(problem, why) != NULL;
}

START_TEST(options_come_from_the_file_and_the_command_line_goes_before_it)
{
    ck_assert_msg(read_file("# a rehearsal\n"
                            "listen: 127.0.0.1:0\n"
                            "control: 127.0.0.1:0\n"
                            "api_key: 12345\n"
                            "seed: 4\n"
                            "webhook_retry_ms: 10\n"
                            "lines:\n"
                            "  - +12025550107\n"
                            "  - +12025550108=AT_RISK\n") == OPTIONS_GOOD,
                  "%s", problem);
    ck_assert_int_eq(options.seed, 9);
    ck_assert_int_eq(options.webhook_retry_ms, 10);
    ck_assert_str_eq(options.api_key, "12345");
    ck_assert(options.has_control);
    ck_assert_uint_eq(options.line_count, 2);
    ck_assert_str_eq(options.lines[0].number, "+12025550107");
    ck_assert_int_eq(options.lines[1].reputation, REPUTATION_AT_RISK);
    ck_assert_int_eq(read_file("listen: 127.0.0.1:0\nlines: {+12025550107: CRITICAL, +12025550108: }\n"),
                     OPTIONS_GOOD);
    ck_assert_int_eq(options.lines[0].reputation, REPUTATION_CRITICAL);
    ck_assert_int_eq(options.lines[1].reputation, REPUTATION_HEALTHY);
}
END_TEST

START_TEST(sections_say_what_the_controls_can_say)
{
    struct sandbox *sandbox;
    ck_assert_msg(read_file("listen: 127.0.0.1:0\n"
                            "preload:\n"
                            "  - {count: 100, lines: [+12025550101]}\n"
                            "  - {count: 10, first: +14155550000, lines: [+12025550102]}\n"
                            "faults: {rate_429: 0.25, on: all}\n"
                            "rules:\n"
                            "  - {code: 2027, line: +12025550101, times: 3}\n"
                            "  - {http: 502, body: html, share: 0.1}\n"
                            "list: {lag_ms: 3000}\n"
                            "webhook_faults: {lost: 0.1}\n"
                            "model: {on: true, speed: 60, answer_share: 0.5}\n") == OPTIONS_GOOD,
                  "%s", problem);
    ck_assert_msg(sandbox_start(&sandbox, &options, problem, sizeof problem) == ERR_NONE, "%s", problem);
    ck_assert_uint_eq(sandbox->world->chat_count, 110);
    ck_assert_uint_eq(sandbox->world->lines[1].chats, 10);
    ck_assert(sandbox->faults.rate[FAULT_RATE_LIMITED] > 0.2);
    ck_assert_uint_eq(sandbox->rules.count, 2);
    ck_assert_int_eq(sandbox->listing.lag_ms, 3000);
    ck_assert(sandbox->model.on);
    ck_assert(sandbox->model.params.answer_share > 0.4);
    sandbox_stop(&sandbox);
}
END_TEST

START_TEST(the_models_speed_counts_however_it_is_turned_on)
{
    struct sandbox *sandbox;
    ck_assert_msg(read_file("listen: 127.0.0.1:0\nmodel_speed: 60\nmodel: {on: true}\n") == OPTIONS_GOOD, "%s",
                  problem);
    ck_assert_msg(sandbox_start(&sandbox, &options, problem, sizeof problem) == ERR_NONE, "%s", problem);
    ck_assert(sandbox->model.on);
    ck_assert_int_eq((int)sandbox->model.speed, 60);
    sandbox_stop(&sandbox);
}
END_TEST

START_TEST(a_wrong_file_is_named_with_key_or_line)
{
    ck_assert(is_refused("listen: 127.0.0.1:0\nlatenzy_ms: 4\n", "latenzy_ms"));
    ck_assert(is_refused("listen: 127.0.0.1:0\nlatency_ms: fast\n", "latency_ms"));
    ck_assert(is_refused("listen: 127.0.0.1:0\nlines: [5]\n", "lines"));
    ck_assert(is_refused("listen: 127.0.0.1:0\nseed: 1\nseed: 2\n", ":3: the same key twice"));
    ck_assert(is_refused("listen: [127.0.0.1:0\nseed: 1\n", ".yaml:"));
    ck_assert(is_refused("- a\n", "one mapping"));
    ck_assert(is_refused("a: &x {b: 1}\nc: *x\n", ":1: anchors"));
    ck_assert(is_refused("listen: 127.0.0.1:0\nseed: !!str 5\n", ":2: anchors"));
    ck_assert(is_refused("listen: 127.0.0.1:0\n&key seed: 5\n", ":2: anchors"));
    ck_assert(is_refused("a: *x\n", "alias"));
    ck_assert(is_refused("help: 1\n", "help"));
    ck_assert(is_refused("", "--listen"));
    ck_assert_int_eq(unlink(path), 0);
    char *argv[] = {"lineward-sandbox", "--config", path, NULL};
    sandbox_options_free(&options);
    ck_assert_int_eq(sandbox_options_read(&options, 3, argv, problem, sizeof problem), OPTIONS_BAD);
    ck_assert_ptr_nonnull(strstr(problem, "No such file"));
    argv[2] = "/tmp";
    ck_assert_int_eq(sandbox_options_read(&options, 3, argv, problem, sizeof problem), OPTIONS_BAD);
    ck_assert_str_eq(problem, "/tmp: Is a directory");
}
END_TEST

START_TEST(a_wrong_section_stops_the_start_and_is_named)
{
    static const struct {
        const char *text, *where;
    } wrong[] = {{"faults: {rate_429: 7}", "faults.rate_429"},
                 {"rules: [{code: 2027, lime: 1}]", "rules.lime"},
                 {"list: {shape: round}", "list.shape"},
                 {"webhook_faults: {lost: 2}", "webhook_faults.lost"},
                 {"model: {answers: 1}", "model.answers"},
                 {"preload: {days: 3}", "preload.count"},
                 {"faults: 3", "faults."}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[256];
        struct sandbox *sandbox;
        snprintf(text, sizeof text, "listen: 127.0.0.1:0\n%s\n", wrong[i].text);
        ck_assert_msg(read_file(text) == OPTIONS_GOOD, "%s", problem);
        ck_assert_int_eq(sandbox_start(&sandbox, &options, problem, sizeof problem), ERR_BAD_INPUT);
        ck_assert_msg(strstr(problem, wrong[i].where) != NULL, "%s", problem);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sandbox_config");
    TCase *tests = tcase_create("config");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, options_come_from_the_file_and_the_command_line_goes_before_it);
    tcase_add_test(tests, sections_say_what_the_controls_can_say);
    tcase_add_test(tests, the_models_speed_counts_however_it_is_turned_on);
    tcase_add_test(tests, a_wrong_file_is_named_with_key_or_line);
    tcase_add_test(tests, a_wrong_section_stops_the_start_and_is_named);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
