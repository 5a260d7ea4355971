/* Pages of a long audit, of which the oldest is gone: where they begin, how they go on, and how little is read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/edge/lookup_page.h"
#include "tests/support/suite.h"

#define FIRST 7001  /* older ones are gone */
#define END   50000 /* one more than the newest number */
#define LATER 49990 /* from here on they are not durable yet */

static unsigned reads;
static uint64_t damaged; /* the number of the record that cannot be read; 0: none */

static enum err find(void *self, enum change_kind kind, uint64_t key, archive_visit visit, void *visitor)
{
    (void)self;
    ck_assert_int_eq(kind, CHANGE_AUDIT);
    reads++;
    for (uint64_t number = key * AUDIT_SHELF; number < (key + 1) * AUDIT_SHELF; number++) {
        struct change_audit audit = {.number = number, .by = "ops", .pool = "eu"};
        struct change change = {.kind = CHANGE_AUDIT, .audit = &audit, .event = {.at_ms = (int64_t)number * 1000}};
        change.sections[SECTION_RESULT] = (struct span){"{\"call\":\"c\"}", 12};
        if (number < FIRST || number >= LATER || number == damaged)
            continue;
        visit(visitor, &change);
        if (number % 3 == 0) /* a copy, that cleaning has made */
            visit(visitor, &change);
    }
    return damaged != 0 && damaged / AUDIT_SHELF == key ? ERR_DAMAGED : ERR_NONE;
}

static struct lookup_answer ask(struct lookup_request request)
{
    const struct archive archive = {.find = find};
    struct lookup_answer answer = {.items = calloc(request.limit + 1, sizeof *answer.items)};
    request.what = LOOKUP_AUDIT;
    request.audit_end = END;
    reads = 0;
    ck_assert_int_eq(lookup_audit(&archive, &request, &answer), ERR_NONE);
    return answer;
}

/* The number of the answer's first record; 0: it has none. */
static uint64_t first_of(const struct lookup_answer *answer)
{
    unsigned long long number = 0;
    char text[32];
    if (answer->item_count == 0)
        return 0;
    memcpy(text, answer->text.text, sizeof text - 1);
    text[sizeof text - 1] = '\0';
    ck_assert_int_eq(sscanf(text, "{\"audit\":%llu,", &number), 1);
    return number;
}

START_TEST(the_first_page_begins_with_the_oldest_that_is_there)
{
    struct lookup_answer answer = ask((struct lookup_request){.limit = 10});
    ck_assert_uint_eq(first_of(&answer), FIRST);
    ck_assert_uint_eq(answer.item_count, 10);
    ck_assert_uint_eq(answer.next, FIRST + 9);
    ck_assert(answer.more);
    ck_assert_uint_lt(reads, 12); /* halved, not walked */
    lookup_answer_free(&answer);
}
END_TEST

START_TEST(since_finds_its_record_wherever_it_lies)
{
    for (uint64_t number = 1; number < END; number += 101) {
        struct lookup_answer answer = ask((struct lookup_request){.limit = 5, .since_ms = (int64_t)number * 1000});
        uint64_t expected = number < FIRST ? FIRST : number >= LATER ? 0 : number;
        ck_assert_msg(first_of(&answer) == expected, "since %llu: %llu", (unsigned long long)number,
                      (unsigned long long)first_of(&answer));
        ck_assert_uint_lt(reads, 20);
        lookup_answer_free(&answer);
    }
}
END_TEST

START_TEST(page_by_page_each_comes_once_and_the_end_is_told)
{
    uint64_t after = 0;
    uint64_t seen = 0;
    for (bool more = true; more;) {
        struct lookup_answer answer = ask((struct lookup_request){.limit = 1000, .after = after});
        if (answer.item_count > 0)
            ck_assert_uint_eq(first_of(&answer), after == 0 ? FIRST : after + 1);
        seen += answer.item_count;
        after = answer.next;
        more = answer.more;
        lookup_answer_free(&answer);
    }
    ck_assert_uint_eq(seen, LATER - FIRST);
    ck_assert_uint_eq(after, LATER - 1);
}
END_TEST

START_TEST(newest_first_each_comes_once_down_to_the_oldest_that_is_there)
{
    uint64_t after = 0;
    uint64_t seen = 0;
    for (bool more = true; more;) {
        struct lookup_answer answer = ask((struct lookup_request){.limit = 1000, .after = after, .newest_first = true});
        if (answer.item_count > 0)
            ck_assert_uint_eq(first_of(&answer), after == 0 ? LATER - 1 : LATER - 1 - seen);
        seen += answer.item_count;
        ck_assert(after == 0 || answer.next < after || !answer.more);
        after = answer.next;
        more = answer.more;
        lookup_answer_free(&answer);
    }
    ck_assert_uint_eq(seen, LATER - FIRST);
}
END_TEST

START_TEST(newest_first_reads_no_more_than_since_asks_for)
{
    struct lookup_answer answer = ask(
        (struct lookup_request){.limit = 1000, .newest_first = true, .since_ms = (int64_t)(LATER - 300) * 1000});
    ck_assert_uint_eq(answer.item_count, 300);
    ck_assert(!answer.more);
    ck_assert_uint_lt(reads, 5);
    lookup_answer_free(&answer);
}
END_TEST

START_TEST(a_filter_that_fits_nothing_looks_at_a_bounded_part_and_goes_on)
{
    struct lookup_answer answer = ask((struct lookup_request){.limit = 10, .by = "nobody"});
    ck_assert_uint_eq(answer.item_count, 0);
    ck_assert(answer.more);
    ck_assert_uint_le(reads, 16 + 10);
    uint64_t next = answer.next;
    ck_assert_uint_gt(next, FIRST);
    lookup_answer_free(&answer);
    answer = ask((struct lookup_request){.limit = 10, .by = "nobody", .after = next});
    ck_assert_uint_gt(answer.next, next);
    lookup_answer_free(&answer);
}
END_TEST

START_TEST(going_on_from_what_is_gone_for_long_comes_to_what_is_there)
{
    uint64_t after = 1;
    unsigned pages = 0;
    for (bool empty = true; empty; pages++) {
        struct lookup_answer answer = ask((struct lookup_request){.limit = 10, .after = after});
        empty = answer.item_count == 0;
        ck_assert_uint_eq(first_of(&answer), empty ? 0 : FIRST);
        ck_assert(answer.more);
        ck_assert_uint_gt(answer.next, after);
        after = answer.next;
        lookup_answer_free(&answer);
    }
    ck_assert_uint_eq(pages, 2);
}
END_TEST

START_TEST(one_that_is_damaged_is_left_out_in_either_order)
{
    damaged = 40000;
    for (int newest = 0; newest < 2; newest++) {
        struct lookup_request request = {.limit = 10, .after = newest ? damaged + 2 : damaged - 2, .newest_first = newest};
        struct lookup_answer answer = ask(request);
        ck_assert_uint_eq(first_of(&answer), newest ? damaged + 1 : damaged - 1);
        ck_assert_uint_eq(answer.item_count, 10);
        ck_assert_uint_eq(answer.next, newest ? damaged - 9 : damaged + 9);
        lookup_answer_free(&answer);
    }
    damaged = 0;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lookup_audit");
    TCase *tests = tcase_create("lookup_audit");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, going_on_from_what_is_gone_for_long_comes_to_what_is_there);
    tcase_add_test(tests, the_first_page_begins_with_the_oldest_that_is_there);
    tcase_add_test(tests, since_finds_its_record_wherever_it_lies);
    tcase_add_test(tests, page_by_page_each_comes_once_and_the_end_is_told);
    tcase_add_test(tests, newest_first_each_comes_once_down_to_the_oldest_that_is_there);
    tcase_add_test(tests, newest_first_reads_no_more_than_since_asks_for);
    tcase_add_test(tests, a_filter_that_fits_nothing_looks_at_a_bounded_part_and_goes_on);
    tcase_add_test(tests, one_that_is_damaged_is_left_out_in_either_order);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
