/* Lookups: jobs and events found again in an archive, with a small one played here. */
#include "broker/edge/lookup.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/support/suite.h"

#define AT          INT64_C(1795428000000)
#define RECORDS_MAX 64

/* ---- an archive: records in the order of writing; the place of a record is its index ---- */

static struct change records[RECORDS_MAX];
static size_t record_count;
static uint64_t moved_place;                             /* reading there finds nothing */
static uint64_t oldest_kept;                             /* events before it are gone */
static uint64_t damaged_key;                             /* what is kept of it cannot be read */
static enum err broken;                                  /* what every question answers, if not ERR_NONE */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* held: readers wait */

static atomic_int reader_nice; /* that of who found last */

static struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

static enum err archive_read(void *self, uint64_t place, archive_visit visit, void *visitor)
{
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    if (broken != ERR_NONE)
        return broken;
    if (place >= record_count || place == moved_place)
        return ERR_NOT_FOUND;
    visit(visitor, &records[place]);
    return ERR_NONE;
}

static enum err archive_find(void *self, enum change_kind kind, uint64_t key, archive_visit visit, void *visitor)
{
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    reader_nice = getpriority(PRIO_PROCESS, 0); /* of the thread */
    if (broken != ERR_NONE)
        return broken;
    if (key == damaged_key)
        return ERR_DAMAGED;
    for (size_t i = 0; i < record_count; i++) {
        if (records[i].kind == kind && change_key(&records[i]) == key && !visit(visitor, &records[i]))
            break;
    }
    return ERR_NONE;
}

static enum err archive_events(void *self, uint64_t after, size_t limit, uint64_t *oldest, archive_visit visit,
                               void *visitor)
{
    if (broken != ERR_NONE)
        return broken;
    *oldest = 0;
    size_t given = 0;
    for (size_t i = 0; i < record_count; i++) {
        uint64_t seq = records[i].event.seq;
        if (seq == 0 || seq < oldest_kept)
            continue;
        if (*oldest == 0)
            *oldest = seq;
        if (seq > after && (given++ == limit || !visit(visitor, &records[i])))
            break;
    }
    return ERR_NONE;
}

static uint64_t durable;

static uint64_t archive_durable(void *self)
{
    return durable;
}

static struct lookup *lookup;

static void setup(void)
{
    const struct archive archive = {
        .read = archive_read, .find = archive_find, .events = archive_events, .durable_seq = archive_durable};
    record_count = 0;
    oldest_kept = 0;
    moved_place = damaged_key = UINT64_MAX;
    broken = ERR_NONE;
    ck_assert_int_eq(lookup_open(&lookup, &archive, 2), ERR_NONE);
}

static void teardown(void)
{
    lookup_close(&lookup);
    ck_assert_ptr_null(lookup);
}

static struct change *add(enum change_kind kind, uint64_t seq, enum topic topic)
{
    ck_assert_uint_lt(record_count, RECORDS_MAX);
    struct change *change = &records[record_count++];
    *change = (struct change){.kind = kind, .event = {.seq = seq, .topic = topic, .at_ms = AT + (int64_t)seq * 1000}};
    return change;
}

/* A job of pool eu to +14155550111, from acceptance to its end; seqs first .. first + 2. */
static void add_finished_job(uint64_t number, uint64_t first, enum job_state state)
{
    struct change *job = add(CHANGE_JOB, first, TOPIC_JOB_QUEUED);
    job->job = (struct change_job){.number = number, .accepted_at_ms = AT, .conversation = 5};
    job->sections[SECTION_RECIPIENTS] = span_of("[\"+14155550111\"]");
    job->sections[SECTION_ENVELOPE] = span_of("{\"id\":\"order-1\",\"pool\":\"eu\",\"meta\":{\"k\":1}}");
    job->sections[SECTION_PAYLOAD] = span_of("{\"parts\":[\"hello\"]}");
    struct change *try = add(CHANGE_TRY, first + 1, TOPIC_JOB_LEASED);
    try->try = (struct change_try){.number = number, .state = JOB_LEASED, .attempts = 1, .line = 12025550101};
    struct change *end = add(CHANGE_END, first + 2, TOPIC_JOB_SENT);
    end->end = (struct change_end){.number = number, .state = (uint8_t)state, .attempts = 1, .line = 12025550101};
    end->sections[SECTION_RESULT] = span_of("{\"message_id\":\"m-1\"}");
}

static struct lookup_answer answer_of(const struct lookup_request *request)
{
    struct lookup_answer answer;
    struct pollfd fd = {.fd = lookup_fd(lookup), .events = POLLIN};
    ck_assert_int_eq(lookup_submit(lookup, request), ERR_NONE);
    ck_assert_int_eq(poll(&fd, 1, 10000), 1);
    ck_assert(lookup_collect(lookup, &answer));
    ck_assert_uint_eq(answer.token, request->token);
    return answer;
}

static struct lookup_job *job_asked(const char *asked, uint64_t number)
{
    struct lookup_job *job = calloc(1, sizeof *job);
    ck_assert_ptr_nonnull(job);
    snprintf(job->asked, sizeof job->asked, "%s", asked);
    job->number = number;
    return job;
}

static cJSON *item_json(const struct lookup_answer *answer, size_t index)
{
    ck_assert_int_eq(answer->err, ERR_NONE);
    ck_assert_uint_lt(index, answer->item_count);
    size_t at = 0;
    for (size_t i = 0; i < index; i++)
        at += answer->items[i].bytes;
    cJSON *json = json_parse(answer->text.text + at, answer->items[index].bytes, NULL);
    ck_assert_msg(json != NULL, "%.*s", (int)answer->items[index].bytes, answer->text.text + at);
    return json;
}

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
    tcase_add_test(tests, a_full_queue_answers_busy_and_keeps_the_jobs_with_the_caller);
    tcase_add_test(tests, a_disk_that_fails_is_an_error_not_a_missing_job);
    tcase_add_test(tests, readers_leave_the_processors_to_those_who_send);
    tcase_add_test(tests, jobs_are_named_by_number_by_id_or_by_pool_and_id);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
