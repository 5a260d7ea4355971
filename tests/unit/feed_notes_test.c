/* feed_notes_test.c — a flood of bad requests becomes a message a second. */
#include "broker/feed/feed_notes.h"

#include <string.h>

#include "tests/support/suite.h"

static struct conf_account accounts[2] = {{.name = "a"}, {.name = "b"}};
static struct conf conf = {.accounts = accounts, .account_count = 2};
static struct feed_notes *notes;
static struct instant now;
static bool refusing;
static int told;
static struct feed_message last;

static bool take(void *context, const struct feed_message *message)
{
    if (refusing)
        return false;
    last = *message;
    told++;
    return true;
}

static void setup(void)
{
    now = (struct instant){0, 5000};
    refusing = false;
    told = 0;
    notes = feed_notes_new(&conf, take, NULL);
    ck_assert_ptr_nonnull(notes);
}

static void teardown(void)
{
    feed_notes_free(&notes);
}

START_TEST(the_first_is_told_at_once_and_the_others_together_a_second_later)
{
    ck_assert_int_eq(feed_notes_due(notes), TIME_NEVER);
    feed_notes_add(notes, 1, FEED_NOTE_WEBHOOK_BAD_SIGNATURE, 1);
    ck_assert_int_le(feed_notes_due(notes), now.mono_ms);
    feed_notes_step(notes, now);
    ck_assert_int_eq(told, 1);
    ck_assert_str_eq(last.account, "b");
    ck_assert_int_eq(last.note, FEED_NOTE_WEBHOOK_BAD_SIGNATURE);
    for (int i = 0; i < 999; i++) {
        feed_notes_add(notes, 1, FEED_NOTE_WEBHOOK_BAD_SIGNATURE, 1);
        now.mono_ms++;
        feed_notes_step(notes, now);
    }
    ck_assert_int_eq(told, 1);
    ck_assert_int_eq(feed_notes_due(notes), now.mono_ms + 1);
    now.mono_ms++;
    feed_notes_step(notes, now);
    ck_assert_int_eq(told, 2);
    ck_assert_uint_eq(last.count, 999);
    ck_assert_int_eq(feed_notes_due(notes), TIME_NEVER);
}
END_TEST

START_TEST(what_the_broker_does_not_take_is_kept)
{
    refusing = true;
    feed_notes_add(notes, 0, FEED_NOTE_UNKNOWN_VALUE, 3);
    feed_notes_step(notes, now);
    refusing = false;
    now.mono_ms += 1000;
    feed_notes_step(notes, now);
    ck_assert_int_eq(told, 1);
    ck_assert_str_eq(last.account, "a");
    ck_assert_uint_eq(last.count, 3);
}
END_TEST

START_TEST(nothing_counted_is_nothing_told)
{
    feed_notes_add(notes, 0, FEED_NOTE_UNKNOWN_VALUE, 0);
    ck_assert_int_eq(feed_notes_due(notes), TIME_NEVER);
    feed_notes_step(notes, now);
    ck_assert_int_eq(told, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("feed_notes");
    TCase *tests = tcase_create("notes");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, the_first_is_told_at_once_and_the_others_together_a_second_later);
    tcase_add_test(tests, what_the_broker_does_not_take_is_kept);
    tcase_add_test(tests, nothing_counted_is_nothing_told);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
