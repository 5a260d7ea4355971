/* Lookups: jobs found again in an archive. */
#include "tests/unit/admin_lookup_rig.h"

START_TEST(readers_leave_the_processors_to_those_who_send)
{
    int own = getpriority(PRIO_PROCESS, 0);
    struct lookup_answer answer =
        answer_of(&(struct lookup_request){.token = 7, .jobs = job_asked("j_10", 36), .job_count = 1});
    ck_assert_int_eq(getpriority(PRIO_PROCESS, 0), own);
    ck_assert_int_eq(reader_nice, own + 10 > 19 ? 19 : own + 10);
    lookup_answer_free(&answer);
}
END_TEST

START_TEST(a_finished_job_is_found_by_its_number_with_its_history)
{
    add_finished_job(36, 1, JOB_SENT);
    struct change *delivery = add(CHANGE_DELIVERY, 4, TOPIC_JOB_DELIVERY);
    delivery->delivery = (struct change_delivery){.number = 36, .delivery = DELIVERY_DELIVERED};
    struct lookup_answer answer = answer_of(
        &(struct lookup_request){.token = 7, .form = LOOKUP_FULL, .jobs = job_asked("j_10", 36), .job_count = 1});
    cJSON *view = item_json(&answer, 0);
    ck_assert_int_eq(answer.items[0].code, CODE_NONE);
    ck_assert_str_eq(json_string(view, "id"), "order-1");
    ck_assert_str_eq(json_string(view, "state"), "sent");
    ck_assert_str_eq(json_string(view, "delivery"), "delivered");
    ck_assert_str_eq(json_string(view, "message_id"), "m-1");
    ck_assert_ptr_null(json_get(view, "message"));
    const cJSON *history = json_get(view, "history");
    ck_assert_int_eq(cJSON_GetArraySize(history), 4);
    ck_assert_str_eq(json_string(cJSON_GetArrayItem(history, 0), "state"), "accepted");
    ck_assert_str_eq(json_string(cJSON_GetArrayItem(history, 1), "state"), "leased");
    ck_assert_str_eq(json_string(cJSON_GetArrayItem(history, 2), "state"), "sent");
    ck_assert_str_eq(json_string(cJSON_GetArrayItem(history, 3), "delivery"), "delivered");
    ck_assert(cJSON_IsNull(json_get(view, "why")));
    cJSON_Delete(view);
    lookup_answer_free(&answer);
}
END_TEST

/* Found by the simulation, seed 361 of its day. */
START_TEST(a_requeued_jobs_last_end_counts_though_cleaning_moved_the_earlier_one_behind_it)
{
    add_finished_job(36, 1, JOB_SENT);
    records[record_count - 1].end.life = 1;
    struct change *moved = add(CHANGE_END, 0, TOPIC_NONE);
    moved->end = (struct change_end){.number = 36, .state = JOB_FAILED, .attempts = 1, .line = 12025550102};
    moved->sections[SECTION_RESULT] = span_of("{\"message_id\":\"m-0\"}");
    struct lookup_answer answer =
        answer_of(&(struct lookup_request){.form = LOOKUP_FULL, .jobs = job_asked("j_10", 36), .job_count = 1});
    cJSON *view = item_json(&answer, 0);
    ck_assert_str_eq(json_string(view, "state"), "sent");
    ck_assert_str_eq(json_string(view, "line"), "+12025550101");
    ck_assert_str_eq(json_string(view, "message_id"), "m-1");
    cJSON_Delete(view);
    lookup_answer_free(&answer);
}
END_TEST

/* Found by the simulation, seed 14573: it was sent in its second life, of which the disk did not have the end yet. */
START_TEST(a_requeued_job_is_not_told_what_ended_its_earlier_life)
{
    add_finished_job(36, 1, JOB_FAILED);
    struct change *again = add(CHANGE_JOB, 0, TOPIC_NONE);
    again->job = records[0].job;
    again->job.life = 1;
    memcpy(again->sections, records[0].sections, sizeof again->sections);
    for (enum lookup_form form = LOOKUP_VIEW; form <= LOOKUP_FULL; form += LOOKUP_FULL - LOOKUP_VIEW) {
        struct lookup_answer answer =
            answer_of(&(struct lookup_request){.form = form, .jobs = job_asked("j_10", 36), .job_count = 1});
        cJSON *view = item_json(&answer, 0);
        ck_assert_str_ne(json_string(view, "state"), "failed");
        ck_assert(cJSON_IsNull(json_get(view, "ended_at")));
        ck_assert_ptr_null(json_get(view, "error"));
        cJSON_Delete(view);
        lookup_answer_free(&answer);
    }
}
END_TEST

/* Found by the simulation: its view said queued for ever, though it had ended a year before, as the clock had it. */
START_TEST(a_requeued_job_whose_last_end_is_not_kept_any_more_is_not_found)
{
    add_finished_job(36, 1, JOB_FAILED);
    struct change *again = add(CHANGE_JOB, 0, TOPIC_NONE);
    again->job = records[0].job;
    again->job.life = 1;
    durable = 5;
    struct lookup_answer answer = answer_of(&(struct lookup_request){
        .form = LOOKUP_VIEW, .jobs = job_asked("order-1", 36), .job_count = 1, .ended_seq = 5});
    ck_assert_int_eq(answer.items[0].code, CODE_NOT_FOUND);
    lookup_answer_free(&answer);
}
END_TEST

START_TEST(a_live_job_is_told_from_memory_even_if_its_record_was_just_moved)
{
    add_finished_job(36, 1, JOB_SENT);
    record_count = 1; /* only its JOB */
    struct change *conversation = add(CHANGE_CONVERSATION, 0, TOPIC_NONE);
    conversation->conversation = (struct change_conversation){.key = 5, .line = 12025550101};
    conversation->sections[SECTION_RECIPIENTS] = span_of("[\"+14155550111\"]");
    conversation->sections[SECTION_RESULT] = span_of("\"chat-9\"");
    for (int turn = 0; turn < 2; turn++) {
        struct lookup_job *job = job_asked("", 36);
        job->is_live = true;
        job->view = (struct job_view){.number = 36,
                                      .state = JOB_QUEUED,
                                      .reason = REASON_LINE_PAUSED,
                                      .ahead = 2,
                                      .place = 0,
                                      .conversation_place = 1};
        struct lookup_answer answer = answer_of(
            &(struct lookup_request){.form = LOOKUP_FULL, .jobs = job, .job_count = 1, .with_message = true});
        cJSON *view = item_json(&answer, 0);
        ck_assert_str_eq(json_string(view, "state"), "held");
        ck_assert_str_eq(json_string(view, "id"), "order-1");
        ck_assert_str_eq(json_string(view, "chat_id"), "chat-9");
        ck_assert_str_eq(json_string(json_get(view, "why"), "reason"), "line_paused");
        ck_assert_ptr_nonnull(json_get(json_get(view, "message"), "parts"));
        cJSON_Delete(view);
        lookup_answer_free(&answer);
        moved_place = 0;
    }
}
END_TEST

START_TEST(what_nobody_knows_is_not_found_under_the_name_it_was_asked_by)
{
    struct lookup_job *jobs = calloc(2, sizeof *jobs);
    snprintf(jobs[0].asked, sizeof jobs[0].asked, "nobody\"s");
    snprintf(jobs[1].asked, sizeof jobs[1].asked, "j_zz");
    jobs[1].number = 1295;
    struct lookup_answer answer = answer_of(&(struct lookup_request){.jobs = jobs, .job_count = 2});
    static const char *const asked[] = {"nobody\"s", "j_zz"};
    for (size_t i = 0; i < 2; i++) {
        cJSON *item = item_json(&answer, i);
        ck_assert_int_eq(answer.items[i].code, CODE_NOT_FOUND);
        ck_assert_str_eq(json_string(item, "id"), asked[i]);
        ck_assert_str_eq(json_string(json_get(item, "error"), "code"), "not_found");
        ck_assert_ptr_null(json_get(item, "job"));
        cJSON_Delete(item);
    }
    lookup_answer_free(&answer);
}
END_TEST

START_TEST(a_job_of_another_pool_is_not_found)
{
    static const struct {
        const char *pools;
        enum code code;
    } askers[] = {{"eu", CODE_NONE},     {"us,eu", CODE_NONE},    {"us", CODE_NOT_FOUND},
                  {"e", CODE_NOT_FOUND}, {"eu2", CODE_NOT_FOUND}, {"", CODE_NOT_FOUND}};
    add_finished_job(36, 1, JOB_SENT);
    for (size_t i = 0; i < sizeof askers / sizeof *askers; i++) {
        struct lookup_answer answer =
            answer_of(&(struct lookup_request){.jobs = job_asked("x", 36), .job_count = 1, .pools = askers[i].pools});
        ck_assert_msg(answer.items[0].code == askers[i].code, "asked with pools %s", askers[i].pools);
        lookup_answer_free(&answer);
    }
}
END_TEST

START_TEST(cancelling_a_final_job_says_so_and_a_duplicate_says_where_the_first_stands)
{
    add_finished_job(36, 1, JOB_FAILED);
    struct lookup_answer answer =
        answer_of(&(struct lookup_request){.form = LOOKUP_CANCEL, .jobs = job_asked("order-1", 36), .job_count = 1});
    ck_assert_int_eq(answer.items[0].code, CODE_ALREADY_FINAL);
    lookup_answer_free(&answer);
    answer = answer_of(&(struct lookup_request){.form = LOOKUP_DUPLICATE, .jobs = job_asked("", 36), .job_count = 1});
    cJSON *item = item_json(&answer, 0);
    ck_assert_str_eq(json_string(item, "state"), "duplicate");
    ck_assert_str_eq(json_string(item, "current"), "failed");
    ck_assert_str_eq(json_string(item, "id"), "order-1");
    cJSON_Delete(item);
    lookup_answer_free(&answer);
    answer = answer_of(/* its history is gone, but its id is still remembered */
                       &(struct lookup_request){
                           .form = LOOKUP_DUPLICATE, .jobs = job_asked("order-0", 35), .job_count = 1});
    item = item_json(&answer, 0);
    ck_assert_int_eq(answer.items[0].code, CODE_NONE);
    ck_assert_str_eq(json_string(item, "id"), "order-0");
    ck_assert_str_eq(json_string(item, "job"), "j_z");
    ck_assert(cJSON_IsNull(json_get(item, "current")));
    cJSON_Delete(item);
    lookup_answer_free(&answer);
}
END_TEST

/* Its own record stays for the sake of its id, when its end has left the history. Found by the simulation. */
START_TEST(a_job_whose_end_is_gone_is_not_told_to_wait)
{
    add_finished_job(36, 1, JOB_SENT);
    record_count = 1;
    struct lookup_request ask = {.jobs = job_asked("order-1", 36), .job_count = 1, .ended_seq = 3};
    durable = 2; /* its end may be on its way to the disk */
    struct lookup_answer answer = answer_of(&ask);
    cJSON *item = item_json(&answer, 0);
    ck_assert_str_eq(json_string(item, "state"), "queued");
    cJSON_Delete(item);
    lookup_answer_free(&answer);
    durable = 3;
    ask.jobs = job_asked("order-1", 36);
    answer = answer_of(&ask);
    ck_assert_int_eq(answer.items[0].code, CODE_NOT_FOUND);
    lookup_answer_free(&answer);
    ask.jobs = job_asked("order-1", 36);
    ask.form = LOOKUP_DUPLICATE;
    answer = answer_of(&ask);
    item = item_json(&answer, 0);
    ck_assert(cJSON_IsNull(json_get(item, "current")));
    cJSON_Delete(item);
    lookup_answer_free(&answer);
}
END_TEST

START_TEST(a_full_queue_answers_busy_and_keeps_the_jobs_with_the_caller)
{
    pthread_mutex_lock(&gate);
    size_t taken = 0;
    enum err err;
    do {
        struct lookup_job *job = job_asked("x", 36);
        err = lookup_submit(lookup, &(struct lookup_request){.token = taken, .jobs = job, .job_count = 1});
        if (err == ERR_NONE)
            taken++;
        else
            free(job);
    } while (err == ERR_NONE);
    ck_assert_int_eq(err, ERR_BUSY);
    ck_assert_uint_eq(taken, LOOKUP_QUEUE_MAX);
    pthread_mutex_unlock(&gate);
    for (size_t answered = 0; answered < taken;) {
        struct pollfd fd = {.fd = lookup_fd(lookup), .events = POLLIN};
        struct lookup_answer answer;
        ck_assert_int_eq(poll(&fd, 1, 10000), 1);
        while (lookup_collect(lookup, &answer)) {
            answered++;
            lookup_answer_free(&answer);
        }
    }
}
END_TEST

START_TEST(a_disk_that_fails_is_an_error_not_a_missing_job)
{
    add_finished_job(36, 1, JOB_SENT);
    broken = ERR_IO;
    struct lookup_answer answer = answer_of(&(struct lookup_request){.jobs = job_asked("x", 36), .job_count = 1});
    ck_assert_int_eq(answer.err, ERR_IO);
    lookup_answer_free(&answer);
    answer = answer_of(&(struct lookup_request){.what = LOOKUP_EVENTS, .limit = 10});
    ck_assert_int_eq(answer.err, ERR_IO);
    lookup_answer_free(&answer);
}
END_TEST

START_TEST(jobs_are_named_by_number_by_id_or_by_pool_and_id)
{
    static const char *const bad[] = {"", "j_", "j_0", "j_UPPER", "/x", "eu/", "e u/x", "eu/j_1", "a\x01"};
    struct job_ref ref;
    ck_assert(job_ref_parse("j_10", &ref));
    ck_assert_uint_eq(ref.number, 36);
    ck_assert(job_ref_parse("order-1", &ref));
    ck_assert_uint_eq(ref.number, 0);
    ck_assert_str_eq(ref.pool, "default");
    ck_assert_str_eq(ref.id, "order-1");
    ck_assert(job_ref_parse("eu/order/1", &ref));
    ck_assert_str_eq(ref.pool, "eu");
    ck_assert_str_eq(ref.id, "order/1");
    ck_assert(job_ref_parse("j_eu/order-1", &ref)); /* a pool may be called so */
    ck_assert_uint_eq(ref.number, 0);
    ck_assert_str_eq(ref.pool, "j_eu");
    ck_assert_str_eq(ref.id, "order-1");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!job_ref_parse(bad[i], &ref), "'%s' was taken", bad[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("admin_lookup");
    TCase *tests = tcase_create("admin_lookup");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_finished_job_is_found_by_its_number_with_its_history);
    tcase_add_test(tests, a_requeued_job_is_not_told_what_ended_its_earlier_life);
    tcase_add_test(tests, a_requeued_job_whose_last_end_is_not_kept_any_more_is_not_found);
    tcase_add_test(tests, a_requeued_jobs_last_end_counts_though_cleaning_moved_the_earlier_one_behind_it);
    tcase_add_test(tests, a_live_job_is_told_from_memory_even_if_its_record_was_just_moved);
    tcase_add_test(tests, what_nobody_knows_is_not_found_under_the_name_it_was_asked_by);
    tcase_add_test(tests, a_job_of_another_pool_is_not_found);
    tcase_add_test(tests, cancelling_a_final_job_says_so_and_a_duplicate_says_where_the_first_stands);
    tcase_add_test(tests, a_job_whose_end_is_gone_is_not_told_to_wait);
    tcase_add_test(tests, a_full_queue_answers_busy_and_keeps_the_jobs_with_the_caller);
    tcase_add_test(tests, a_disk_that_fails_is_an_error_not_a_missing_job);
    tcase_add_test(tests, readers_leave_the_processors_to_those_who_send);
    tcase_add_test(tests, jobs_are_named_by_number_by_id_or_by_pool_and_id);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
