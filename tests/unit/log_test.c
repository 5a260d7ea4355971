/* Log lines as they arrive on stderr. */
#include "lineward/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lineward/clock.h"
#include "tests/support/suite.h"

static int stderr_kept = -1;
static int pipe_ends[2] = {-1, -1};

static void divert_stderr(void)
{
    stderr_kept = dup(STDERR_FILENO);
    ck_assert_int_eq(pipe(pipe_ends), 0);
    dup2(pipe_ends[1], STDERR_FILENO);
}

static void restore_stderr(void)
{
    dup2(stderr_kept, STDERR_FILENO);
    close(stderr_kept);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

/* What has been written since, one read for what should be one write. */
static const char *written(void)
{
    static char text[8192];
    log_event(LOG_ERROR, "end", "%s", ""); /* so that there is always something to read */
    ssize_t bytes = read(pipe_ends[0], text, sizeof text - 1);
    ck_assert_int_gt(bytes, 0);
    text[bytes] = '\0';
    return text;
}

START_TEST(a_line_has_time_level_event_and_values)
{
    log_event(LOG_WARN, "lease_lapsed", "job=%s attempt=%u", "j_1", 2u);
    const char *text = written();
    int64_t wall_ms = 0;
    char when[TIME_TEXT_MAX] = "";
    memcpy(when, text, 24);
    ck_assert(time_parse(when, &wall_ms));
    static const char expected[] = " warn event=lease_lapsed job=j_1 attempt=2\n";
    ck_assert_int_eq(strncmp(text + 24, expected, sizeof expected - 1), 0);
}
END_TEST

START_TEST(lines_below_the_level_are_dropped)
{
    log_event(LOG_DEBUG, "chatter", "a=1");
    log_level_set(LOG_ERROR);
    log_event(LOG_WARN, "chatter", "a=1");
    log_event(LOG_ERROR, "trouble", "a=1");
    log_level_set(LOG_DEBUG);
    log_event(LOG_DEBUG, "detail", "a=1");
    const char *text = written();
    ck_assert_ptr_null(strstr(text, "chatter"));
    ck_assert_ptr_nonnull(strstr(text, "trouble"));
    ck_assert_ptr_nonnull(strstr(text, "detail"));
}
END_TEST

START_TEST(a_value_cannot_begin_a_second_line_or_speak_to_the_terminal)
{
    log_event(LOG_INFO, "x", "reason=\"%s\"", "a\nb\r\x1b[31m\x7f caf\xc3\xa9");
    const char *text = written();
    ck_assert_ptr_nonnull(strstr(text, "reason=\"a?b??[31m? caf\xc3\xa9\"\n"));
    log_event(LOG_INFO, "x", "reason=\"%s\"", "\xc2\x9b[m \xc2\x85 \xc2\xa0\xc3\x9b"); /* U+009B is ESC [ */
    ck_assert_ptr_nonnull(strstr(written(), "reason=\"??[m ?? \xc2\xa0\xc3\x9b\"\n"));
}
END_TEST

START_TEST(a_quoted_value_ends_where_its_text_ends)
{
    char name[LOG_QUOTED_MAX];
    log_event(LOG_INFO, "x", "name=%s", log_quoted("p/a\" by=root \\", name));
    ck_assert_ptr_nonnull(strstr(written(), "event=x name=\"p/a\\\" by=root \\\\\"\n"));
    log_event(LOG_INFO, "x", "name=%s", log_quoted("", name));
    ck_assert_ptr_nonnull(strstr(written(), "event=x name=\"\"\n"));
}
END_TEST

START_TEST(a_long_quoted_value_is_cut_within_its_quotes)
{
    char huge[LOG_QUOTED_MAX * 2], name[LOG_QUOTED_MAX];
    for (size_t odd = 0; odd < 2; odd++) {
        memset(huge, '"', sizeof huge - 1);
        memset(huge, 'x', odd);
        huge[sizeof huge - 1] = '\0';
        log_quoted(huge, name);
        size_t bytes = strlen(name);
        ck_assert_uint_lt(bytes, sizeof name);
        ck_assert_str_eq(name + bytes - 6, "\\\"...\"");
    }
}
END_TEST

START_TEST(a_long_line_is_cut_and_says_so)
{
    char huge[5000];
    memset(huge, 'x', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    log_event(LOG_INFO, "x", "value=%s", huge);
    const char *text = written();
    const char *end = strchr(text, '\n');
    ck_assert_ptr_nonnull(end);
    ck_assert_int_le(end - text, 2047);
    ck_assert_int_eq(strncmp(end - 4, "x...", 4), 0);
    /* and a name of an event that alone is too long */
    log_event(LOG_INFO, huge, "value=%d", 1);
    ck_assert_ptr_nonnull(strstr(written(), "x...\n"));
}
END_TEST

START_TEST(a_line_needs_no_values)
{
    log_event(LOG_INFO, "stopped", "%s", "");
    ck_assert_ptr_nonnull(strstr(written(), " info event=stopped\n"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *tests = tcase_create("log");
    tcase_add_checked_fixture(tests, divert_stderr, restore_stderr);
    tcase_add_test(tests, a_line_has_time_level_event_and_values);
    tcase_add_test(tests, lines_below_the_level_are_dropped);
    tcase_add_test(tests, a_value_cannot_begin_a_second_line_or_speak_to_the_terminal);
    tcase_add_test(tests, a_quoted_value_ends_where_its_text_ends);
    tcase_add_test(tests, a_long_quoted_value_is_cut_within_its_quotes);
    tcase_add_test(tests, a_long_line_is_cut_and_says_so);
    tcase_add_test(tests, a_line_needs_no_values);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
