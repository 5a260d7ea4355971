/* Lookups: lists of jobs, pages of events, and what a damaged record does not hide. */
#include "tests/unit/admin_lookup_rig.h"

START_TEST(a_list_leaves_out_whom_the_filter_does_not_mean)
{
    static const struct {
        const char *to;
        bool fits;
    } filters[] = {{"+14155550111", true},
                   {"+14155550112", false},
                   {"+1415555011", false},
                   {"+14155550111,+14155550112", false}};
    add_finished_job(36, 1, JOB_SENT);
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        struct lookup_answer answer =
            answer_of(&(struct lookup_request){.jobs = job_asked("", 36), .job_count = 1, .to = filters[i].to});
        ck_assert_int_eq(answer.err, ERR_NONE);
        ck_assert_msg((answer.items[0].bytes > 0) == filters[i].fits, "%s", filters[i].to);
        lookup_answer_free(&answer);
    }
}
END_TEST

START_TEST(events_come_in_pages_and_next_leads_through_all_of_them_once)
{
    for (uint64_t job = 0; job < 5; job++)
        add_finished_job(100 + job, 1 + 3 * job, JOB_SENT);
    uint64_t after = 0, seen = 0;
    for (;;) {
        struct lookup_answer answer =
            answer_of(&(struct lookup_request){.what = LOOKUP_EVENTS, .after = after, .limit = 4});
        for (size_t i = 0; i < answer.item_count; i++) {
            cJSON *event = item_json(&answer, i);
            int64_t seq = 0;
            ck_assert(json_int(event, "seq", &seq));
            ck_assert_int_eq(seq, (int64_t)++seen);
            ck_assert_str_eq(json_string(event, "id"), "order-1");
            cJSON_Delete(event);
        }
        bool over = answer.item_count == 0;
        after = answer.next;
        lookup_answer_free(&answer);
        if (over)
            break;
    }
    ck_assert_uint_eq(seen, 15);
    ck_assert_uint_eq(after, 15);
}
END_TEST

START_TEST(a_job_whose_record_is_damaged_keeps_no_event_from_being_read)
{
    add_finished_job(36, 1, JOB_SENT);
    add_finished_job(37, 4, JOB_SENT);
    damaged_key = 36;
    struct lookup_answer answer = answer_of(&(struct lookup_request){.what = LOOKUP_EVENTS, .limit = 10});
    ck_assert_int_eq(answer.err, ERR_NONE);
    ck_assert_uint_eq(answer.item_count, 6);
    lookup_answer_free(&answer);
    answer = answer_of(&(struct lookup_request){.what = LOOKUP_EVENTS, .limit = 10, .pools = "eu"});
    ck_assert_uint_eq(answer.item_count, 3); /* whose the others are is not known */
    ck_assert_uint_eq(answer.next, 6);
    lookup_answer_free(&answer);
}
END_TEST

START_TEST(a_job_whose_record_is_damaged_keeps_no_list_of_jobs_from_being_read)
{
    add_finished_job(36, 1, JOB_FAILED);
    records[record_count - 1].end.dead = true;
    add_finished_job(37, 4, JOB_FAILED);
    records[record_count - 1].end.dead = true;
    damaged_key = 36;
    for (int dead = 0; dead < 2; dead++) {
        struct lookup_request request = {.what = LOOKUP_ENDED, .limit = 10};
        if (dead)
            request.what = LOOKUP_DEAD;
        struct lookup_answer answer = answer_of(&request);
        ck_assert_int_eq(answer.err, ERR_NONE);
        ck_assert_uint_eq(answer.item_count, 1);
        ck_assert_uint_eq(answer.next, 6);
        lookup_answer_free(&answer);
    }
}
END_TEST

START_TEST(a_job_whose_record_is_damaged_keeps_none_asked_for_with_it_from_being_told)
{
    static const struct {
        enum lookup_form form;
        enum code code;
    } asked[] = {
        {LOOKUP_VIEW, CODE_BUSY}, {LOOKUP_CANCEL, CODE_BUSY}, {LOOKUP_DUPLICATE, CODE_NONE}, {LOOKUP_CHECK, CODE_BUSY}};
    add_finished_job(36, 1, JOB_SENT);
    add_finished_job(37, 4, JOB_SENT);
    damaged_key = 36;
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        struct lookup_job *jobs = calloc(2, sizeof *jobs);
        jobs[0] = (struct lookup_job){.asked = "order-1", .number = 36};
        jobs[1] = (struct lookup_job){.asked = "order-2", .number = 37};
        struct lookup_answer answer =
            answer_of(&(struct lookup_request){.form = asked[i].form, .jobs = jobs, .job_count = 2});
        cJSON *damaged = item_json(&answer, 0), *other = item_json(&answer, 1);
        ck_assert_int_eq(answer.items[0].code, asked[i].code);
        ck_assert_str_eq(json_string(damaged, "id"), "order-1");
        ck_assert(asked[i].code != CODE_NONE || cJSON_IsNull(json_get(damaged, "current")));
        ck_assert_int_eq(answer.items[1].code, asked[i].form == LOOKUP_CANCEL ? CODE_ALREADY_FINAL : CODE_NONE);
        cJSON_Delete(damaged);
        cJSON_Delete(other);
        lookup_answer_free(&answer);
    }
}
END_TEST

START_TEST(a_conversation_whose_record_is_damaged_keeps_none_listed_with_it_from_being_told)
{
    struct change *record = add(CHANGE_CONVERSATION, 0, TOPIC_NONE);
    record->conversation = (struct change_conversation){.key = 6, .line = 12025550101};
    record->sections[SECTION_RECIPIENTS] = span_of("[\"+14155550112\"]");
    damaged_key = 5;
    struct lookup_conversation *conversations = calloc(2, sizeof *conversations);
    for (uint64_t i = 0; i < 2; i++)
        conversations[i].view =
            (struct conversation_view){.key = 5 + i, .recorded = true, .place = UINT64_MAX, .job_place = UINT64_MAX};
    struct lookup_answer answer = answer_of(&(struct lookup_request){
        .what = LOOKUP_CONVERSATIONS, .conversations = conversations, .conversation_count = 2});
    cJSON *other = item_json(&answer, 1);
    ck_assert_int_eq(answer.items[0].code, CODE_BUSY);
    ck_assert_uint_eq(answer.items[0].bytes, 0);
    ck_assert_ptr_nonnull(json_get(other, "to"));
    cJSON_Delete(other);
    lookup_answer_free(&answer);
}
END_TEST

START_TEST(a_topic_filter_moves_on_past_what_it_leaves_out)
{
    add_finished_job(36, 1, JOB_SENT);
    add(CHANGE_GATE, 4, TOPIC_LINE_GATE)->gate = (struct change_gate){.line = 12025550101, .gate = GATE_CLOSED};
    struct lookup_answer answer =
        answer_of(&(struct lookup_request){.what = LOOKUP_EVENTS, .limit = 10, .topic = "line."});
    ck_assert_uint_eq(answer.item_count, 1);
    ck_assert_uint_eq(answer.next, 4);
    lookup_answer_free(&answer);
    answer = answer_of(&(struct lookup_request){.what = LOOKUP_EVENTS, .limit = 10, .topic = "pool."});
    ck_assert_uint_eq(answer.item_count, 0);
    ck_assert_uint_eq(answer.next, 4);
    lookup_answer_free(&answer);
}
END_TEST

START_TEST(asking_for_events_that_are_gone_says_what_is_the_oldest)
{
    add_finished_job(36, 1, JOB_SENT);
    add_finished_job(37, 4, JOB_SENT);
    oldest_kept = 4;
    struct lookup_answer answer = answer_of(&(struct lookup_request){.what = LOOKUP_EVENTS, .after = 2, .limit = 10});
    ck_assert_int_eq(answer.err, ERR_GONE);
    ck_assert_uint_eq(answer.oldest, 4);
    lookup_answer_free(&answer);
    answer = answer_of(&(struct lookup_request){.what = LOOKUP_EVENTS, .after = 3, .limit = 10});
    ck_assert_int_eq(answer.err, ERR_NONE);
    ck_assert_uint_eq(answer.item_count, 3);
    lookup_answer_free(&answer);
    answer = answer_of(&(struct lookup_request){.what = LOOKUP_EVENTS, .from_oldest = true, .limit = 10});
    ck_assert_int_eq(answer.err, ERR_NONE);
    lookup_answer_free(&answer);
}
END_TEST

START_TEST(a_pool_s_pause_has_the_pool_s_name_and_only_its_own_people_see_it)
{
    static const struct change_name name = {.number = 3, .kind = NAME_POOL, .text = "eu"};
    static const struct change_pause pause = {.id = 1, .scope = PAUSE_POOL, .target = 3, .by = "ann"};
    add(CHANGE_NAME, 0, TOPIC_NONE)->name = &name;
    add(CHANGE_PAUSE, 1, TOPIC_POOL_PAUSED)->pause = &pause;
    struct lookup_answer answer =
        answer_of(&(struct lookup_request){.what = LOOKUP_EVENTS, .limit = 10, .pools = "eu"});
    cJSON *event = item_json(&answer, 0);
    ck_assert_str_eq(json_string(event, "pool"), "eu");
    ck_assert_str_eq(json_string(event, "pause"), "p_1");
    cJSON_Delete(event);
    lookup_answer_free(&answer);
    answer = answer_of(&(struct lookup_request){.what = LOOKUP_EVENTS, .limit = 10, .pools = "us"});
    ck_assert_uint_eq(answer.item_count, 0);
    lookup_answer_free(&answer);
}
END_TEST

START_TEST(finished_jobs_are_listed_by_their_end_with_filters)
{
    add_finished_job(36, 1, JOB_SENT);
    add_finished_job(37, 4, JOB_FAILED);
    add_finished_job(38, 7, JOB_SENT);
    struct lookup_answer answer = answer_of(&(struct lookup_request){.what = LOOKUP_ENDED, .limit = 10});
    ck_assert_uint_eq(answer.item_count, 3);
    ck_assert(!answer.more);
    lookup_answer_free(&answer);
    answer = answer_of(&(struct lookup_request){.what = LOOKUP_ENDED, .limit = 1, .state = JOB_SENT});
    ck_assert_uint_eq(answer.item_count, 1);
    ck_assert(answer.more);
    uint64_t next = answer.next;
    lookup_answer_free(&answer);
    answer = answer_of(&(struct lookup_request){.what = LOOKUP_ENDED, .limit = 1, .state = JOB_SENT, .after = next});
    cJSON *view = item_json(&answer, 0);
    ck_assert_str_eq(json_string(view, "job"), "j_12");
    ck_assert(!answer.more);
    cJSON_Delete(view);
    lookup_answer_free(&answer);
    answer = answer_of(&(struct lookup_request){.what = LOOKUP_ENDED, .limit = 10, .pool = "us"});
    ck_assert_uint_eq(answer.item_count, 0);
    lookup_answer_free(&answer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("admin_lookup_pages");
    TCase *tests = tcase_create("admin_lookup_pages");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_list_leaves_out_whom_the_filter_does_not_mean);
    tcase_add_test(tests, events_come_in_pages_and_next_leads_through_all_of_them_once);
    tcase_add_test(tests, a_job_whose_record_is_damaged_keeps_no_event_from_being_read);
    tcase_add_test(tests, a_job_whose_record_is_damaged_keeps_no_list_of_jobs_from_being_read);
    tcase_add_test(tests, a_job_whose_record_is_damaged_keeps_none_asked_for_with_it_from_being_told);
    tcase_add_test(tests, a_conversation_whose_record_is_damaged_keeps_none_listed_with_it_from_being_told);
    tcase_add_test(tests, a_topic_filter_moves_on_past_what_it_leaves_out);
    tcase_add_test(tests, asking_for_events_that_are_gone_says_what_is_the_oldest);
    tcase_add_test(tests, a_pool_s_pause_has_the_pool_s_name_and_only_its_own_people_see_it);
    tcase_add_test(tests, finished_jobs_are_listed_by_their_end_with_filters);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
