/* The one recipient of a direct message, read back from a record. */
#include "broker/edge/recipients.h"

#include <string.h>

#include "tests/support/suite.h"

static void check_read_back(const char *handle)
{
    struct recipients one = {.count = 1};
    struct json_out text = {0};
    char sole[HANDLE_MAX_BYTES + 1];
    strcpy(one.handles[0], handle);
    recipients_write(&one, &text);
    ck_assert_msg(recipients_sole((struct span){text.text, text.bytes}, sole), "%s", handle);
    ck_assert_str_eq(sole, handle);
    json_out_free(&text);
}

START_TEST(whatever_may_be_a_handle_is_read_back)
{
    char longest[HANDLE_MAX_BYTES + 1];
    char every[HANDLE_MAX_BYTES + 1];
    size_t bytes = 0;
    for (char c = '!'; c <= '~'; c++)
        if (c != ',' && c != '@')
            every[bytes++] = c;
    strcpy(every + bytes, "@example.com");
    memset(longest, '"', HANDLE_MAX_BYTES);
    longest[HANDLE_MAX_BYTES] = '\0';
    longest[1] = '@';
    check_read_back("+14155550101");
    check_read_back(every);
    check_read_back(longest);
}
END_TEST

START_TEST(a_group_and_what_was_erased_are_nobody)
{
    static const char *const texts[] = {"", "[]", "[\"", "[\"+14155550101\",\"+14155550102\"]", "                "};
    char sole[HANDLE_MAX_BYTES + 1];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_msg(!recipients_sole((struct span){texts[i], strlen(texts[i])}, sole), "%s", texts[i]);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        whatever_may_be_a_handle_is_read_back,
        a_group_and_what_was_erased_are_nobody,
    };
    return suite_run_all("recipients", NULL, NULL, 20, tests, sizeof tests / sizeof *tests);
}
