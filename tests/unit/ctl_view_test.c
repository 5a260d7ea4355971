/* What linewardctl shows: text made harmless, trees, tables that fit. */
#include <stdlib.h>
#include <string.h>

#include "lineward/json.h"
#include "tests/support/suite.h"
#include "tools/ctl/view.h"

#define NOW_MS INT64_C(1795428000000) /* 2026-11-23T10:00:00Z */

static struct screen wide = {.now_ms = NOW_MS};

static char *tree_of(const char *text, const struct screen *screen)
{
    char *out = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&out, &bytes);
    cJSON *json = json_parse(text, strlen(text), NULL);
    ck_assert_ptr_nonnull(json);
    view_tree(file, screen, json, 0);
    cJSON_Delete(json);
    fclose(file);
    return out;
}

static char *table_of(const char *text, const struct screen *screen, const struct column *columns)
{
    char *out = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&out, &bytes);
    cJSON *json = json_parse(text, strlen(text), NULL);
    ck_assert_ptr_nonnull(json);
    view_table(file, screen, columns, json, 0);
    cJSON_Delete(json);
    fclose(file);
    return out;
}

START_TEST(control_bytes_never_reach_the_terminal)
{
    char out[64];
    text_clean("a\033[2Jb\x7f\xc2\x9b"
               "c\r\n",
               out, sizeof out);
    ck_assert_str_eq(out, "a?[2Jb??c??");
    text_clean("a\xe2\x80\xae" "b\xe2\x81\xa6" "c\xe2\x80\xa6\xe2\x80", out, sizeof out); /* and none that turns text */
    ck_assert_str_eq(out, "a?b?c\xe2\x80\xa6\xe2\x80");
}
END_TEST

START_TEST(a_number_with_a_fraction_is_no_power_of_ten)
{
    char *out = tree_of("{\"a\":337.5,\"b\":999.7,\"c\":1012.5,\"d\":-1234.6,\"e\":123456.7,\"f\":0.15}", &wide);
    ck_assert_str_eq(out, "a  338\nb  1000\nc  1013\nd  -1235\ne  123,457\nf  0.15\n");
    free(out);
}
END_TEST

START_TEST(text_is_cut_between_characters)
{
    char out[6];
    text_clean("abc\xc3\xa4\xc3\xb6", out, sizeof out);
    ck_assert_str_eq(out, "abc\xc3\xa4");
    char shorter[5];
    text_clean("abc\xc3\xa4\xc3\xb6", shorter, sizeof shorter);
    ck_assert_str_eq(shorter, "abc");
    text_clean("\xc3\xa4", shorter, 2);
    ck_assert_str_eq(shorter, "");
}
END_TEST

START_TEST(width_counts_characters_not_bytes)
{
    ck_assert_int_eq(text_width("abc"), 3);
    ck_assert_int_eq(text_width("\xc3\xa4\xe2\x80\xa6"), 2);
}
END_TEST

START_TEST(counts_have_thousands_separators)
{
    char out[32];
    const struct {
        int64_t count;
        const char *text;
    } cases[] = {{0, "0"},          {999, "999"},          {1000, "1,000"},
                 {-1234, "-1,234"}, {-999999, "-999,999"}, {1234567, "1,234,567"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        count_format(cases[i].count, out, sizeof out);
        ck_assert_str_eq(out, cases[i].text);
    }
}
END_TEST

START_TEST(spans_show_their_two_largest_units)
{
    char out[32];
    const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{0, "0ms"},      {999, "999ms"},      {1000, "1s"},     {61000, "1m 1s"},   {60000, "1m"},
                 {3600000, "1h"}, {7800000, "2h 10m"}, {86400000, "1d"}, {90000000, "1d 1h"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        duration_format(cases[i].ms, out, sizeof out);
        ck_assert_str_eq(out, cases[i].text);
    }
}
END_TEST

START_TEST(a_tree_shows_every_member_whatever_it_is_called)
{
    char *text =
        tree_of("{\"job\":\"j_1\",\"since\":\"2026-11-23T09:59:00.000Z\",\"error\":null,"
                "\"why\":{\"reason\":\"line_critical\",\"inputs\":{\"a\":1,\"b\":2,\"c\":3},\"ahead\":120000},"
                "\"uptime_ms\":61000,\"future_member\":[\"x\",\"y\"],"
                "\"budget\":{\"used\":3,\"limit\":50}}",
                &wide);
    ck_assert_ptr_nonnull(strstr(text, "job            j_1\n"));
    ck_assert_ptr_nonnull(strstr(text, "2026-11-23T09:59:00.000Z (1m ago)"));
    ck_assert_ptr_nonnull(strstr(text, "error          -\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nwhy\n  reason  line_critical\n  inputs\n    a  1\n"));
    ck_assert_ptr_nonnull(strstr(text, "ahead   120,000\n"));
    ck_assert_ptr_nonnull(strstr(text, "uptime         1m 1s\n"));
    ck_assert_ptr_nonnull(strstr(text, "future_member  x, y\n"));
    ck_assert_ptr_nonnull(strstr(text, "budget         used=3  limit=50\n"));
    free(text);
}
END_TEST

START_TEST(a_list_within_a_tree_is_a_table)
{
    char *text = tree_of("{\"history\":[{\"at\":\"2026-11-23T09:00:00.000Z\",\"state\":\"queued\"},"
                         "{\"at\":\"2026-11-23T11:00:00.000Z\",\"state\":\"sent\"}]}",
                         &wide);
    ck_assert_str_eq(text, "history\n  AT      STATE\n  1h ago  queued\n  in 1h   sent\n");
    free(text);
}
END_TEST

START_TEST(numbers_stand_to_the_right_and_missing_values_are_dashes)
{
    static const struct column columns[] = {
        {"LINE", "line", true}, {"HELD", "backlog.held", true}, {"WHY", "reason", true}, {NULL, NULL, false}};
    char *text = table_of("[{\"line\":\"+1\",\"backlog\":{\"held\":7},\"reason\":null},"
                          "{\"line\":\"+12\",\"backlog\":{\"held\":12345}}]",
                          &wide, columns);
    ck_assert_str_eq(text, "LINE    HELD  WHY\n"
                           "+1         7  -\n"
                           "+12   12,345  -\n");
    free(text);
}
END_TEST

START_TEST(no_row_of_a_table_is_wider_than_the_terminal)
{
    const char *rows = "[{\"line\":\"+12025550101\",\"reason\":\"a rather long reason that goes on and on and on\","
                       "\"b\":\"some words here\",\"c\":\"some more words\",\"d\":\"and yet more words\",\"e\":1}]";
    for (int width = 30; width < 160; width++) {
        struct screen screen = {.width = width, .now_ms = NOW_MS};
        char *text = table_of(rows, &screen, NULL);
        for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
            if (line[0] != '(')
                ck_assert_msg(text_width(line) <= width, "%d columns for %d:\n%s", text_width(line), width, line);
        }
        free(text);
    }
}
END_TEST

START_TEST(other_columns_go_before_the_name_of_a_row_is_cut)
{
    static const struct column columns[] = {
        {"LINE", "line", true}, {"WHY", "why", true}, {"POOL", "b", false}, {"AGE", "c", false}, {NULL, NULL, false}};
    const char *rows = "[{\"line\":\"+12025550101\",\"why\":\"conversation_paused\",\"b\":\"a rather long pool\",\"c\":\"old\"}]";
    struct screen screen = {.width = 34, .now_ms = NOW_MS};
    char *text = table_of(rows, &screen, columns);
    ck_assert_ptr_nonnull(strstr(text, "+12025550101  conversation_paused\n"));
    ck_assert_ptr_nonnull(strstr(text, "2 columns more"));
    free(text);
    screen.width = 26; /* then what is said of it, and only then the name */
    text = table_of(rows, &screen, columns);
    ck_assert_ptr_nonnull(strstr(text, "+12025550101  conversatio"));
    free(text);
}
END_TEST

START_TEST(a_table_says_when_columns_were_left_out)
{
    struct screen narrow = {.width = 25, .now_ms = NOW_MS};
    char *text =
        table_of("[{\"line\":\"+12025550101\",\"b\":\"bbbbbbbbbbbb\",\"c\":\"cccccccccccc\"}]", &narrow, NULL);
    ck_assert_ptr_nonnull(strstr(text, "1 columns more"));
    ck_assert_ptr_null(strstr(text, "cccc"));
    free(text);
    text = table_of("[{\"line\":\"+12025550101\",\"b\":\"bbbbbbbbbbbb\",\"c\":\"cccccccccccc\"}]", &wide, NULL);
    ck_assert_ptr_nonnull(strstr(text, "cccc"));
    free(text);
}
END_TEST

START_TEST(colours_are_only_for_terminals)
{
    struct screen colours = {.width = 80, .colour = true, .now_ms = NOW_MS};
    char *text = table_of("[{\"gate\":\"closed\"}]", &colours, NULL);
    ck_assert_ptr_nonnull(strstr(text, "\033[31mclosed\033[0m"));
    free(text);
    text = table_of("[{\"gate\":\"closed\"}]", &wide, NULL);
    ck_assert_ptr_null(strchr(text, '\033'));
    free(text);
}
END_TEST

START_TEST(units_move_from_the_name_into_the_value)
{
    char *text = table_of("[{\"worker\":\"w\",\"last_seen_ms_ago\":48,\"lease_ms\":60000}]", &wide, NULL);
    ck_assert_str_eq(text, "WORKER  LAST_SEEN  LEASE\n"
                           "w        48ms ago     1m\n");
    free(text);
}
END_TEST

START_TEST(an_empty_list_prints_nothing)
{
    char *text = table_of("[]", &wide, NULL);
    ck_assert_str_eq(text, "");
    free(text);
}
END_TEST

START_TEST(a_row_that_is_no_object_does_no_harm)
{
    char *text = table_of("[{\"a\":1},7,null,\"x\",[]]", &wide, NULL);
    ck_assert_ptr_nonnull(strstr(text, "A\n"));
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ctl_view");
    TCase *tc = tcase_create("views");
    tcase_add_test(tc, control_bytes_never_reach_the_terminal);
    tcase_add_test(tc, a_number_with_a_fraction_is_no_power_of_ten);
    tcase_add_test(tc, text_is_cut_between_characters);
    tcase_add_test(tc, width_counts_characters_not_bytes);
    tcase_add_test(tc, counts_have_thousands_separators);
    tcase_add_test(tc, spans_show_their_two_largest_units);
    tcase_add_test(tc, a_tree_shows_every_member_whatever_it_is_called);
    tcase_add_test(tc, a_list_within_a_tree_is_a_table);
    tcase_add_test(tc, numbers_stand_to_the_right_and_missing_values_are_dashes);
    tcase_add_test(tc, no_row_of_a_table_is_wider_than_the_terminal);
    tcase_add_test(tc, other_columns_go_before_the_name_of_a_row_is_cut);
    tcase_add_test(tc, a_table_says_when_columns_were_left_out);
    tcase_add_test(tc, colours_are_only_for_terminals);
    tcase_add_test(tc, units_move_from_the_name_into_the_value);
    tcase_add_test(tc, an_empty_list_prints_nothing);
    tcase_add_test(tc, a_row_that_is_no_object_does_no_harm);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
