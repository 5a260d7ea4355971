/* Metrics: the text form, its names, and that no set of samples grows without end. */
#include "broker/edge/metrics.h"

#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct status_facts some_facts(void)
{
    struct status_facts facts = {
        .version = "1.2.3", .broker = "b", .now = {.mono_ms = 61500}, .started_mono_ms = 1000};
    facts.core.jobs = 42;
    facts.core.sent_total = 7;
    facts.core.backlog_by_reason[REASON_LINE_CRITICAL] = 40;
    facts.core.lines_by_gate[GATE_CLOSED] = 3;
    facts.store.sync_us_total = 2500000;
    facts.store.bytes_live = UINT64_C(1) << 40;
    facts.ready = true;
    return facts;
}

static char *text_of(struct metrics *metrics)
{
    ck_assert(!metrics->failed);
    char *text = strndup(metrics->text, metrics->bytes);
    ck_assert_ptr_nonnull(text);
    metrics_free(metrics);
    return text;
}

START_TEST(numbers_stand_under_their_names)
{
    struct metrics metrics = {0};
    struct status_facts facts = some_facts();
    metrics_put_status(&metrics, &facts);
    char *text = text_of(&metrics);
    static const char *const lines[] = {
        "\nlineward_jobs 42\n",
        "\nlineward_jobs_ended_total{state=\"sent\"} 7\n",
        "\nlineward_jobs_by_reason{reason=\"line_critical\"} 40\n",
        "\nlineward_lines_by_gate{gate=\"closed\"} 3\n",
        "\nlineward_store_sync_seconds_total 2.5\n",
        "\nlineward_store_live_bytes 1099511627776\n",
        "\nlineward_uptime_seconds 60.5\n",
        "\nlineward_ready 1\n",
        "\nlineward_build_info{version=\"1.2.3\"} 1\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        ck_assert_msg(strstr(text, lines[i]) != NULL, "missing: %s", lines[i]);
    free(text);
}
END_TEST

/* Each sample follows the TYPE of its own family, each family comes once, each name is one of ours. */
START_TEST(every_sample_stands_in_its_own_family_and_counters_end_in_total)
{
    struct metrics metrics = {0};
    struct status_facts facts = some_facts();
    struct line_view lines[2] = {{.number = 12025550101}, {.number = 12025550102}};
    metrics_put_status(&metrics, &facts);
    metrics_put_lines(&metrics, lines, 2, 2);
    char *text = text_of(&metrics);
    char seen[200][64], name[64] = "", type[16];
    size_t families = 0, samples = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, "# HELP ", 7) == 0)
            continue;
        if (sscanf(line, "# TYPE %63s %15s", name, type) == 2) {
            for (size_t i = 0; i < families; i++)
                ck_assert_str_ne(seen[i], name);
            ck_assert_uint_lt(families, 200);
            memcpy(seen[families++], name, sizeof name);
            bool total = strlen(name) > 6 && strcmp(name + strlen(name) - 6, "_total") == 0;
            ck_assert_msg(total == (strcmp(type, "counter") == 0), "%s is a %s", name, type);
            ck_assert_int_eq(strncmp(name, "lineward_", 9), 0);
            continue;
        }
        size_t bytes = strlen(name);
        ck_assert_msg(strncmp(line, name, bytes) == 0 && (line[bytes] == ' ' || line[bytes] == '{'),
                      "%s stands under %s", line, name);
        samples++;
    }
    ck_assert_uint_gt(samples, families);
    free(text);
}
END_TEST

START_TEST(lines_say_their_gate_and_how_many_were_left_out)
{
    struct metrics metrics = {0};
    struct line_view lines[3] = {
        {.number = 12025550101, .gate = GATE_OPEN, .status = REPUTATION_HEALTHY, .pace_per_min = 30},
        {.number = 12025550102, .gate = GATE_SLOW, .status = REPUTATION_AT_RISK, .pace_per_min = -1},
        {.number = 12025550103, .gate = GATE_CLOSED, .status = REPUTATION_CRITICAL, .backlog_held = 9},
    };
    metrics_put_lines(&metrics, lines, 3, 5000);
    char *text = text_of(&metrics);
    static const char *const samples[] = {
        "lineward_line_gate{line=\"+12025550101\"} 2\n",
        "lineward_line_gate{line=\"+12025550102\"} 1\n",
        "lineward_line_gate{line=\"+12025550103\"} 0\n",
        "lineward_line_pace_per_second{line=\"+12025550101\"} 0.5\n",
        "lineward_line_pace_per_second{line=\"+12025550102\"} -1\n",
        "lineward_line_jobs_waiting{line=\"+12025550103\"} 9\n",
        "lineward_line_reputation{line=\"+12025550103\",status=\"CRITICAL\"} 1\n",
        "lineward_lines_not_shown 4997\n",
    };
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        ck_assert_msg(strstr(text, samples[i]) != NULL, "missing: %s", samples[i]);
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metrics_text");
    TCase *tests = tcase_create("metrics_text");
    tcase_add_test(tests, numbers_stand_under_their_names);
    tcase_add_test(tests, every_sample_stands_in_its_own_family_and_counters_end_in_total);
    tcase_add_test(tests, lines_say_their_gate_and_how_many_were_left_out);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
