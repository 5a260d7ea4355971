/* Metrics: the text form, its names, and that no set of samples grows without end. */
#include "broker/edge/metrics.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

static struct timings_read some_timings = {
    .enqueue = {.bounds = &histogram_disk, .counts = {4, 0, 1}, .sum_us = 1500},
    .wait.bounds = &histogram_queue,
    .gate.bounds = &histogram_disk};

static struct status_facts some_facts(void)
{
    for (int o = 0; o < TIMED_OUTCOMES; o++)
        some_timings.result[o].bounds = &histogram_provider;
    struct status_facts facts = {.version = "1.2.3",
                                 .broker = "b",
                                 .now = {.wall_ms = INT64_C(1795428060500), .mono_ms = 61500},
                                 .started_mono_ms = 1000};
    facts.core.jobs = 42;
    facts.cache = (struct cache_facts){.is_shared = true, .brokers = 3, .versions_differ = true, .owed = 5};
    facts.core.sent_total = 7;
    facts.core.backlog_by_reason[REASON_LINE_CRITICAL] = 40;
    facts.core.lines_by_gate[GATE_CLOSED] = 3;
    facts.store.sync_us_total = 2500000;
    facts.store.bytes_live = UINT64_C(1) << 40;
    facts.store.commit_times =
        (struct histogram){.bounds = &histogram_disk, .counts = {[16] = 2}, .sum_us = 40000000};
    facts.store.disk_free_bytes = -1;
    facts.core.queued = 50;
    facts.timings = &some_timings;
    facts.ready = true;
    facts.waiting_known = true;
    facts.oldest_at_ms = INT64_C(1795428000000);
    facts.outcomes_unknown = 3;
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

static void put_lines(struct metrics *metrics, const struct line_view *lines, size_t shown, size_t total)
{
    size_t family = 0;
    while (metrics_put_family(metrics, &family, lines, shown, total))
        continue;
}

START_TEST(numbers_stand_under_their_names)
{
    struct metrics metrics = {0};
    struct status_facts facts = some_facts();
    metrics_put_status(&metrics, &facts);
    char *text = text_of(&metrics);
    static const char *const lines[] = {
        "\nlineward_jobs 42\n",
        "\nlineward_cache_up 0\n",
        "\nlineward_cache_brokers 3\n",
        "\nlineward_cache_versions_differ 1\n",
        "\nlineward_cache_owed 5\n",
        "\nlineward_jobs_ended_total{state=\"sent\"} 7\n",
        "\nlineward_jobs_by_reason{reason=\"line_critical\"} 40\n",
        "\nlineward_lines_by_gate{gate=\"closed\"} 3\n",
        "\nlineward_store_sync_seconds_total 2.5\n",
        "\nlineward_store_live_bytes 1099511627776\n",
        "\nlineward_start_timestamp_seconds 1795428000\n",
        "\nlineward_jobs_by_state{state=\"held\"} 40\n",
        "\nlineward_jobs_by_state{state=\"queued\"} 10\n",
        "\nlineward_store_disk_free_bytes -1\n",
        "\nlineward_enqueue_durable_seconds_bucket{le=\"0.0001\"} 4\n",
        "\nlineward_enqueue_durable_seconds_bucket{le=\"0.00025\"} 4\n",
        "\nlineward_enqueue_durable_seconds_bucket{le=\"0.0005\"} 5\n",
        "\nlineward_enqueue_durable_seconds_bucket{le=\"10\"} 5\n",
        "\nlineward_enqueue_durable_seconds_bucket{le=\"+Inf\"} 5\n",
        "\nlineward_enqueue_durable_seconds_sum 0.0015",
        "\nlineward_enqueue_durable_seconds_count 5\n",
        "\nlineward_store_commit_seconds_bucket{le=\"10\"} 0\n",
        "\nlineward_store_commit_seconds_bucket{le=\"+Inf\"} 2\n",
        "\nlineward_store_commit_seconds_sum 40\n",
        "\nlineward_result_seconds_bucket{outcome=\"unknown\",le=\"0.005\"} 0\n",
        "\nlineward_result_seconds_count{outcome=\"returned\"} 0\n",
        "\nlineward_ready 1\n",
        "\nlineward_oldest_job_timestamp_seconds 1795428000\n",
        "\nlineward_jobs_outcome_unknown 3\n",
        "\nlineward_build_info{version=\"1.2.3\"} 1\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        ck_assert_msg(strstr(text, lines[i]) != NULL, "missing: %s", lines[i]);
    free(text);
}
END_TEST

START_TEST(answers_are_told_by_pool_and_class)
{
    struct metrics metrics = {0};
    metrics_put_replies(&metrics, &(struct pool_replies_named){"eu", CLASS_CAMPAIGN, {100, 7}}, 1);
    char *text = text_of(&metrics);
    ck_assert_ptr_nonnull(strstr(text, "\nlineward_messages_week{pool=\"eu\",class=\"campaign\"} 100\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nlineward_messages_answered_week{pool=\"eu\",class=\"campaign\"} 7\n"));
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
    const struct account_named account = {.name = "default", .view = {.key_refused = true}};
    metrics_put_accounts(&metrics, &account, 1);
    const struct pool_outcomes_named pools[] = {{.name = "a", .view = {.down = true}}, {.name = "b"}};
    metrics_put_outcomes(&metrics, pools, 2);
    const struct pool_replies_named replies[] = {{"a", CLASS_REPLY, {3, 2}}, {"b", CLASS_CAMPAIGN, {1000, 10}}};
    metrics_put_replies(&metrics, replies, 2);
    put_lines(&metrics, lines, 2, 2);
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
        ck_assert_msg(strncmp(line, name, bytes) == 0, "%s stands under %s", line, name);
        const char *end = line + bytes;
        if (strcmp(type, "histogram") == 0)
            end += strncmp(end, "_bucket", 7) == 0 ? 7 : strncmp(end, "_count", 6) == 0 ? 6 : 4;
        ck_assert_msg(*end == ' ' || *end == '{', "%s stands under %s", line, name);
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
    put_lines(&metrics, lines, 3, 5000);
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

START_TEST(accounts_are_told_by_name)
{
    struct metrics metrics = {0};
    const struct account_named accounts[] = {{"default", {.key_refused = true, .heard_at_ms = 1500}},
                                             {"other", {.down = true}}};
    metrics_put_accounts(&metrics, accounts, 2);
    char *text = text_of(&metrics);
    static const char *const samples[] = {
        "\nlineward_account_key_refused{account=\"default\"} 1\n",
        "\nlineward_account_key_refused{account=\"other\"} 0\n",
        "\nlineward_account_provider_down{account=\"other\"} 1\n",
        "\nlineward_account_heard_timestamp_seconds{account=\"default\"} 1.5\n",
        "\nlineward_account_heard_timestamp_seconds{account=\"other\"} 0\n",
    };
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        ck_assert_msg(strstr(text, samples[i]) != NULL, "missing: %s", samples[i]);
    free(text);
}
END_TEST

/* Everything that /metrics may have; a free()able text. It goes into the file that $METRICS_TEXT names, if one is. */
static char *whole_text(void)
{
    struct metrics metrics = {0};
    struct status_facts facts = some_facts();
    struct line_view line = {.number = 12025550101};
    const struct account_named account = {.name = "default"};
    const struct pool_outcomes_named pool = {.name = "default"};
    metrics_put_status(&metrics, &facts);
    metrics_put_accounts(&metrics, &account, 1);
    metrics_put_outcomes(&metrics, &pool, 1);
    metrics_put_replies(&metrics, &(struct pool_replies_named){"default", CLASS_CAMPAIGN, {100, 7}}, 1);
    put_lines(&metrics, &line, 1, 1);
    char *text = text_of(&metrics);
    const char *path = getenv("METRICS_TEXT");
    FILE *file = path == NULL ? NULL : fopen(path, "w");
    if (file != NULL) {
        fputs(text, file);
        fclose(file);
    }
    return text;
}

/* How many names the file uses; each must be that of a sample. */
static size_t names_of(const char *path, const char *text)
{
    static char uses[256 * 1024];
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s cannot be read: run from the project's root", path);
    uses[fread(uses, 1, sizeof uses - 1, file)] = '\0';
    fclose(file);
    size_t count = 0;
    for (const char *at = strstr(uses, "lineward_"); at != NULL; at = strstr(at, "lineward_"), count++) {
        size_t bytes = strspn(at, "abcdefghijklmnopqrstuvwxyz_");
        char sample[100];
        snprintf(sample, sizeof sample, "\n%.*s", (int)bytes, at);
        bool there = false;
        for (const char *found = strstr(text, sample); found != NULL && !there; found = strstr(found + 1, sample))
            there = found[1 + bytes] == ' ' || found[1 + bytes] == '{';
        ck_assert_msg(there, "%s uses %s, which /metrics does not have", path, sample + 1);
        at += bytes;
    }
    return count;
}

START_TEST(rules_and_dashboard_use_only_what_there_is)
{
    char *text = whole_text();
    ck_assert_uint_gt(names_of("deploy/prometheus/lineward.rules.yml", text), 20);
    ck_assert_uint_gt(names_of("deploy/grafana/lineward.json", text), 30);
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metrics_text");
    TCase *tests = tcase_create("metrics_text");
    tcase_add_test(tests, numbers_stand_under_their_names);
    tcase_add_test(tests, answers_are_told_by_pool_and_class);
    tcase_add_test(tests, every_sample_stands_in_its_own_family_and_counters_end_in_total);
    tcase_add_test(tests, lines_say_their_gate_and_how_many_were_left_out);
    tcase_add_test(tests, accounts_are_told_by_name);
    tcase_add_test(tests, rules_and_dashboard_use_only_what_there_is);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
