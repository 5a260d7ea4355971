/* What `linewardctl top` makes of two looks at the broker: rates, how long backlogs take, and the order of lines. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"
#include "tools/ctl/top.h"

static struct top top;
static char *page;

static void teardown(void)
{
    top_free(&top);
    top = (struct top){0};
    free(page);
    page = NULL;
}

#define LINE(line, gate, queued, held, pace, used)                                                                   \
    "{\"line\":\"" line "\",\"pool\":\"default\",\"reputation\":{\"status\":\"HEALTHY\"},\"gate\":\"" gate "\",\"reason\":null,"        \
    "\"backlog\":{\"queued\":" queued ",\"held\":" held ",\"leased\":0},\"pace_per_min\":" pace                          \
    ",\"budgets\":{\"daily_messages\":{\"used\":" used ",\"limit\":7000}},\"ramp_percent\":100}"

static void look(int64_t mono_ms, const char *sent, const char *lines)
{
    char status[512], list[2048];
    snprintf(status, sizeof status,
             "{\"version\":\"1.0\",\"broker\":\"here\",\"uptime_ms\":61000,\"ready\":true,\"backlog\":{\"jobs\":30,\"jobs_max\":1000},"
             "\"totals\":{\"accepted\":%s,\"sent\":%s},\"backlog_by_reason\":{\"pace\":2,\"line_critical\":28},"
             "\"lines\":{\"total\":2,\"open\":1,\"slow\":0,\"closed\":1},\"pools\":[{\"backlog\":{\"unplaced\":7}}]}",
             sent, sent);
    snprintf(list, sizeof list, "[%s]", lines);
    struct top_look taken = {.mono_ms = mono_ms, .status = cJSON_Parse(status), .lines = cJSON_Parse(list)};
    ck_assert_ptr_nonnull(taken.status);
    ck_assert_ptr_nonnull(taken.lines);
    top_take(&top, &taken);
}

static int draw(int height, int from)
{
    size_t bytes = 0;
    struct screen screen = {.width = 0, .now_ms = 0};
    free(page);
    FILE *out = open_memstream(&page, &bytes);
    int rows = top_draw(&top, out, &screen, height, from, NULL);
    fclose(out);
    return rows;
}

#define says(part) ck_assert_msg(strstr(page, part) != NULL, "\"%s\" is not in:\n%s", part, page)

static const char *row_of(const char *line)
{
    static char row[512];
    const char *at = strstr(page, line);
    ck_assert_msg(at != NULL, "%s is not in:\n%s", line, page);
    size_t bytes = strcspn(at, "\n");
    ck_assert_uint_lt(bytes, sizeof row);
    memcpy(row, at, bytes);
    row[bytes] = '\0';
    return row;
}

START_TEST(rates_and_etas_come_from_two_looks)
{
    look(1000, "100", LINE("+1", "open", "10", "0", "30", "5") "," LINE("+2", "closed", "0", "28", "0", "9"));
    draw(40, 0);
    says("waits for: line_critical 28, pace 2");
    says("7 jobs wait for a line");
    ck_assert_ptr_null(strstr(page, "/s sent")); /* that takes a second look */
    look(3000, "160", LINE("+1", "open", "10", "0", "30", "6") "," LINE("+2", "closed", "0", "28", "0", "9"));
    draw(40, 0);
    says("30.0/s taken, 30.0/s sent");
    ck_assert_ptr_nonnull(strstr(row_of("+1 "), " 30 ")); /* one in two seconds */
    ck_assert_ptr_nonnull(strstr(row_of("+1 "), " 20s")); /* ten at thirty a minute */
    ck_assert_ptr_null(strstr(row_of("+2 "), "0s"));      /* nobody knows */
}
END_TEST

START_TEST(without_a_pace_the_rate_of_now_says_how_long)
{
    look(0, "0", LINE("+1", "open", "60", "0", "null", "0"));
    look(60000, "0", LINE("+1", "open", "60", "0", "null", "20"));
    draw(40, 0);
    ck_assert_ptr_nonnull(strstr(row_of("+1 "), " 3m"));
}
END_TEST

START_TEST(a_counter_that_went_back_is_no_rate)
{
    look(0, "500", LINE("+1", "open", "0", "0", "30", "50"));
    look(2000, "3", LINE("+1", "open", "0", "0", "30", "0")); /* the broker was started again */
    draw(40, 0);
    ck_assert_ptr_null(strstr(page, "/s sent"));
}
END_TEST

START_TEST(orders_and_rows_that_fit)
{
    const char *lines = LINE("+1", "open", "9", "0", "90", "5") "," LINE("+2", "closed", "0", "5", "0", "9") ","
        LINE("+3", "open", "30", "0", "10", "9");
    enum top_order order;
    look(0, "0", lines);
    ck_assert_int_eq(draw(40, 0), 3);
    ck_assert(strstr(page, "+2 ") < strstr(page, "+3 ")); /* what is held stands first */
    ck_assert(strstr(page, "+3 ") < strstr(page, "+1 "));
    ck_assert(top_order_parse("line", &top.order));
    draw(40, 0);
    ck_assert(strstr(page, "+1 ") < strstr(page, "+2 "));
    draw(7, 1); /* room for one row, from the second on */
    ck_assert_ptr_null(strstr(page, "+1 "));
    says("+2 ");
    ck_assert_ptr_null(strstr(page, "+3 "));
    ck_assert(!top_order_parse("size", &order));
}
END_TEST

/* Columns that each line takes, colours aside. */
static void no_line_is_wider_than(int width)
{
    for (const char *at = page; *at != '\0'; at += *at == '\n') {
        int columns = 0;
        const char *line = at;
        for (; *at != '\0' && *at != '\n'; at++) {
            if (*at == '\033')
                at = strchr(at, 'm');
            else if (((unsigned char)*at & 0xc0) != 0x80)
                columns++;
        }
        ck_assert_msg(columns <= width, "%d columns: %.*s", columns, (int)(at - line), line);
    }
}

START_TEST(no_line_is_wider_than_a_narrow_terminal_in_colours_either)
{
    look(0, "0",
         LINE("+12025550101", "open", "9", "0", "90", "5") "," LINE("+12025550102", "closed", "0", "5", "0", "9"));
    for (int width = 10; width <= 100; width += 10) {
        size_t bytes = 0;
        struct screen screen = {.width = width, .colour = true};
        free(page);
        FILE *out = open_memstream(&page, &bytes);
        top_draw(&top, out, &screen, 40, 0, "by held; q ends, s sorts, arrows move");
        fclose(out);
        no_line_is_wider_than(width);
        ck_assert_ptr_nonnull(strstr(page, COLOUR_OFF)); /* no colour goes on behind the edge */
    }
}
END_TEST

/* top answers in no JSON. */
START_TEST(columns_that_a_narrow_terminal_leaves_out_are_not_said_to_be_in_json)
{
    size_t bytes = 0;
    struct screen screen = {.width = 50};
    look(0, "0", LINE("+12025550101", "open", "9", "0", "90", "5"));
    FILE *out = open_memstream(&page, &bytes);
    top_draw(&top, out, &screen, 40, 0, NULL);
    fclose(out);
    says(" columns more on a wider terminal)");
}
END_TEST

START_TEST(what_a_broker_calls_its_version_is_cleaned)
{
    struct top_look taken = {.status = cJSON_Parse("{\"version\":\"1\\u001b[2J\\n\"}"), .lines = cJSON_CreateArray()};
    top_take(&top, &taken);
    draw(40, 0);
    says("Lineward 1?[2J?");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ctl_top");
    TCase *tests = tcase_create("ctl_top");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_test(tests, rates_and_etas_come_from_two_looks);
    tcase_add_test(tests, without_a_pace_the_rate_of_now_says_how_long);
    tcase_add_test(tests, a_counter_that_went_back_is_no_rate);
    tcase_add_test(tests, orders_and_rows_that_fit);
    tcase_add_test(tests, no_line_is_wider_than_a_narrow_terminal_in_colours_either);
    tcase_add_test(tests, columns_that_a_narrow_terminal_leaves_out_are_not_said_to_be_in_json);
    tcase_add_test(tests, what_a_broker_calls_its_version_is_cleaned);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
