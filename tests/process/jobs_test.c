/* jobs_test.c — what producers may ask and what they are told: ids, STATUS, CANCEL, times, holds, lines, chats. */
#include <curl/curl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "lineward/json.h"
#include "session.h"

#define TEXT(text) "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"" text "\"}]}"
#define HELLO      TEXT("hello")

static char number[JOB_NUMBER_TEXT_MAX], job_text[2048];

__attribute__((format(printf, 1, 2))) static const char *job(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    int bytes = vsnprintf(job_text, sizeof job_text, format, values);
    va_end(values);
    MUST(bytes > 0 && (size_t)bytes < sizeof job_text, "a job that does not fit");
    return job_text;
}

static void operate(const char *path)
{
    long status = 0;
    cJSON_Delete(rig_ask(&rig, "POST", path, "{}", &status));
    MUST(status == 200, "POST %s: %ld", path, status);
}

static void pause_pool(void)
{
    operate("/v1/pools/default/pause");
}

static void resume_pool(void)
{
    operate("/v1/pools/default/resume");
}

static void await_sent(const char *id)
{
    AWAIT(producer_is(&producer, id, "sent", NULL), "%s is not sent", id);
}

/* The code of an answer that must be a refusal about `id`. */
static void must_refuse(const char *command, const char *id, const char *code)
{
    cJSON *result = producer_ask(&producer, command, id);
    MUST(json_get(result, "job") == NULL && strcmp(text_at(result, "error.code"), code) == 0, "%s %s: not %s",
         command, id, code);
    MUST(strcmp(text_at(result, "id"), id) == 0, "%s %s answers about %s", command, id, text_at(result, "id"));
    cJSON_Delete(result);
}

static void must_be(const char *id, const char *state)
{
    char is[16];
    producer_state(&producer, id, is);
    MUST(strcmp(is, state) == 0, "%s is %s, not %s", id, is, state);
}

/* ---- sockets ---- */

START_TEST(a_req_socket_and_an_empty_delimiter_are_served)
{
    struct producer req;
    begin(NULL, NULL, 1);
    producer_open(&req, &rig, rig.port.producers, ZMQ_REQ);
    producer_enqueue(&req, "{\"id\":\"req\",\"to\":\"+14155550101\"," HELLO "}", number, "queued");
    producer_close(&req);
    await_sent("req");
    SEND(&producer, "", "LW1", "STATUS", "x", "req");
    MUST(producer_receive(&producer, LIMIT_MS), "no answer");
    MUST(producer.head == 1 && producer_got(&producer, "ACK"), "the delimiter is not echoed");
    end();
}
END_TEST

/* ---- ids ---- */

static void must_be_duplicate(const char *text, const char *same, const char *current)
{
    cJSON *result = producer_ask(&producer, "ENQUEUE", text);
    MUST(strcmp(text_at(result, "state"), "duplicate") == 0 && strcmp(text_at(result, "job"), same) == 0 &&
             strcmp(text_at(result, "current"), current) == 0,
         "%s: state %s, job %s, current %s", text, text_at(result, "state"), text_at(result, "job"),
         text_at(result, "current"));
    cJSON_Delete(result);
}

START_TEST(a_second_copy_of_an_id_is_the_first_one)
{
    static const char one[] = "{\"id\":\"d\",\"to\":[\"+14155550102\",\"+14155550103\"]," HELLO "}";
    char first[JOB_NUMBER_TEXT_MAX];
    begin(NULL, NULL, 1);
    pause_pool();
    producer_enqueue(&producer, one, first, "held");
    must_be_duplicate(one, first, "held");
    /* The same as a set, and as JSON values; the other fields do not count. */
    must_be_duplicate("{\"class\":\"reply\",\"message\":{\"parts\":[{\"value\":\"h\\u0065llo\",\"type\":\"text\"}]},"
                      "\"to\":[\"+14155550103\",\"+14155550102\"],\"id\":\"d\"}",
                      first, "held");
    producer_refused(&producer, "{\"id\":\"d\",\"to\":\"+14155550102\"," HELLO "}", "id_conflict", NULL);
    producer_refused(&producer, "{\"id\":\"d\",\"to\":[\"+14155550102\",\"+14155550103\"]," TEXT("bye") "}",
                     "id_conflict", NULL);
    producer_refused(
        &producer,
        job("{\"id\":\"d\",\"to\":[\"+14155550102\",\"+14155550103\"],\"from\":\"%s\"," HELLO "}", rig.lines[0]),
        "id_conflict", NULL);
    resume_pool();
    await_sent("d");
    must_be_duplicate(one, first, "sent");
    program_kill(&rig.broker);
    rig_start_broker(&rig);
    rig_await_ready(&rig);
    must_be_duplicate(one, first, "sent");
    MUST(rig_accepted(&rig) == 1, "%lld messages", (long long)rig_accepted(&rig));
    end();
}
END_TEST

START_TEST(copies_within_one_request_are_one_job_and_jobs_without_id_are_many)
{
    static const char one[] = "{\"id\":\"d\",\"to\":\"+14155550104\"," HELLO "}";
    static const char nameless[] = "{\"to\":\"+14155550104\"," HELLO "}";
    begin(NULL, NULL, 1);
    SEND(&producer, "LW1", "ENQUEUE", "", one, one, nameless, nameless, "x", one);
    MUST(producer_receive(&producer, LIMIT_MS) && producer_got(&producer, "ACK") && producer_frames(&producer) == 9,
         "no ACK with a result each");
    static const char *const states[] = {"queued", "duplicate", "queued", "queued", NULL, "duplicate"};
    for (size_t i = 0; i < 6; i++) {
        cJSON *result = producer_json(&producer, 3 + i);
        const char *state = json_string(result, "state");
        MUST(states[i] == NULL ? state == NULL : state != NULL && strcmp(state, states[i]) == 0, "result %zu: %s", i,
             state == NULL ? "none" : state);
        cJSON_Delete(result);
    }
    AWAIT(rig_accepted(&rig) == 3, "%lld messages", (long long)rig_accepted(&rig));
    end();
}
END_TEST

static bool is_delivered(const char *id)
{
    cJSON *view = producer_ask(&producer, "STATUS", id);
    const char *delivery = text_at(view, "delivery");
    bool is = delivery != NULL && strcmp(delivery, "delivered") == 0;
    cJSON_Delete(view);
    return is;
}

/* covers: state sent; field id, class, campaign, meta */
START_TEST(status_finds_a_job_by_number_id_and_pool)
{
    static const char *const members[] = {"id",         "job",      "pool",     "to",          "from",
                                          "line",       "chat_id",  "class",    "campaign",    "state",
                                          "reason",     "since",    "attempts", "accepted_at", "due_at",
                                          "expires_at", "ended_at", "delivery", "message_id",  "meta"};
    begin(NULL, NULL, 1);
    producer_enqueue(&producer,
                     "{\"id\":\"a/b\",\"to\":\"+14155550105\",\"campaign\":\"spring\",\"class\":\"campaign\","
                     "\"meta\":{\"n\":[1,2]}," HELLO "}",
                     number, "queued");
    AWAIT(producer_is(&producer, "default/a/b", "sent", NULL), "it is not found as POOL/ID, or not sent");
    cJSON *view = producer_ask(&producer, "STATUS", number);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        MUST(json_get(view, members[i]) != NULL, "a view without %s", members[i]);
    MUST(json_get(view, "error") == NULL, "an error without reason");
    MUST(strcmp(text_at(view, "id"), "a/b") == 0 && strcmp(text_at(view, "job"), number) == 0, "another job");
    MUST(strcmp(text_at(view, "campaign"), "spring") == 0 && number_at(view, "attempts") == 1, "another campaign");
    MUST(cJSON_GetArraySize(json_get(json_get(view, "meta"), "n")) == 2, "meta does not come back");
    cJSON_Delete(view);
    AWAIT(is_delivered(number), "its delivery is not told");
    must_refuse("STATUS", "nobody", "not_found");
    must_refuse("STATUS", "j_zzzzzzzzzz", "not_found");
    must_refuse("STATUS", "nowhere/a", "not_found");
    end();
}
END_TEST

/* ---- CANCEL ---- */

static cJSON *cancel(const char *id)
{
    return producer_ask(&producer, "CANCEL", id);
}

/* covers: state cancelled, held */
START_TEST(a_cancelled_job_is_never_sent)
{
    begin(NULL, NULL, 1);
    pause_pool();
    producer_enqueue(&producer, "{\"id\":\"c\",\"to\":\"+14155550106\"," HELLO "}", number, "held");
    cJSON *view = cancel("c");
    MUST(strcmp(text_at(view, "state"), "cancelled") == 0, "it is %s", text_at(view, "state"));
    cJSON_Delete(view);
    must_refuse("CANCEL", "c", "already_final");
    must_refuse("CANCEL", "nobody", "not_found");
    program_kill(&rig.broker);
    rig_start_broker(&rig);
    rig_await_ready(&rig);
    must_be("c", "cancelled");
    resume_pool();
    producer_enqueue(&producer, "{\"id\":\"after\",\"to\":\"+14155550106\"," HELLO "}", number, NULL);
    await_sent("after");
    must_refuse("CANCEL", "after", "already_final");
    MUST(rig_accepted(&rig) == 1, "%lld messages", (long long)rig_accepted(&rig));
    end();
}
END_TEST

START_TEST(the_same_job_cancelled_twice_in_one_request_is_cancelled_once)
{
    begin(NULL, NULL, 1);
    pause_pool();
    producer_enqueue(&producer, "{\"id\":\"c\",\"to\":\"+14155550106\"," HELLO "}", number, "held");
    SEND(&producer, "LW1", "CANCEL", "twice", "c", "default/c", number);
    MUST(producer_receive(&producer, LIMIT_MS) && producer_got(&producer, "ACK") && producer_frames(&producer) == 6,
         "no ACK with a result each");
    cJSON *first = producer_json(&producer, 3), *second = producer_json(&producer, 4);
    MUST(strcmp(text_at(first, "state"), "cancelled") == 0, "it is %s", text_at(first, "state"));
    MUST(strcmp(text_at(second, "error.code"), "already_final") == 0, "%s", text_at(second, "error.code"));
    cJSON_Delete(first);
    cJSON_Delete(second);
    end();
}
END_TEST

/* covers: state leased */
START_TEST(a_leased_job_is_cancelled_if_it_had_not_begun)
{
    begin(NULL, NULL, 1);
    program_signal(&rig.worker[0], SIGSTOP);
    producer_enqueue(&producer, "{\"id\":\"c\",\"to\":\"+14155550107\"," HELLO "}", number, NULL);
    AWAIT(producer_is(&producer, "c", "leased", NULL), "the worker gets no job");
    cJSON *view = cancel("c");
    MUST(strcmp(text_at(view, "state"), "leased") == 0 && strcmp(text_at(view, "cancel"), "asked") == 0,
         "CANCEL of a leased job answers %s", text_at(view, "state"));
    cJSON_Delete(view);
    program_signal(&rig.worker[0], SIGCONT);
    AWAIT(producer_is(&producer, "c", "cancelled", NULL), "it does not end cancelled");
    MUST(rig_accepted(&rig) == 0, "it was sent");
    end();
}
END_TEST

START_TEST(a_leased_job_that_had_begun_ends_as_it_went)
{
    begin(NULL, NULL, 1);
    rig_faults(&rig, "{\"latency_ms\":700}");
    producer_enqueue(&producer, "{\"id\":\"c\",\"to\":\"+14155550108\"," HELLO "}", number, NULL);
    AWAIT(rig_accepted(&rig) == 1, "it does not reach the provider");
    cJSON *view = cancel("c");
    MUST(strcmp(text_at(view, "cancel"), "asked") == 0, "no cancel: asked");
    cJSON_Delete(view);
    await_sent("c");
    end();
}
END_TEST

/* ---- times ---- */

static const char *in_ms(int64_t ms)
{
    static char text[2][TIME_TEXT_MAX];
    static int turn;
    turn = !turn;
    time_format(clock_read().wall_ms + ms, text[turn]);
    return text[turn];
}

/* covers: field send_after; state scheduled; reason not_yet_due */
START_TEST(send_after_waits_until_due_and_takes_its_place_then)
{
    begin(NULL, NULL, 1);
    int64_t due_ms = clock_read().wall_ms + 900;
    producer_enqueue(&producer,
                     job("{\"id\":\"later\",\"to\":\"+14155550109\",\"send_after\":\"%s\"," HELLO "}", in_ms(900)),
                     number, "scheduled");
    producer_enqueue(&producer, "{\"id\":\"now\",\"to\":\"+14155550109\"," HELLO "}", number, NULL);
    MUST(producer_is(&producer, "later", "scheduled", "not_yet_due"), "it is not scheduled");
    await_sent("now");
    program_kill(&rig.broker);
    rig_start_broker(&rig);
    rig_await_ready(&rig);
    await_sent("later");
    MUST(clock_read().wall_ms >= due_ms, "it was sent too early");
    end();
}
END_TEST

/* covers: field expires_at; state expired */
START_TEST(an_expired_job_is_never_sent)
{
    begin(NULL, NULL, 1);
    producer_enqueue(&producer,
                     job("{\"id\":\"past\",\"to\":\"+14155550110\",\"expires_at\":\"%s\"," HELLO "}", in_ms(-1000)),
                     number, "expired");
    must_be("past", "expired");
    pause_pool();
    producer_enqueue(&producer,
                     job("{\"id\":\"soon\",\"to\":\"+14155550110\",\"expires_at\":\"%s\"," HELLO "}", in_ms(500)),
                     number, "held");
    AWAIT(producer_is(&producer, "soon", "expired", NULL), "it does not expire");
    resume_pool();
    producer_enqueue(&producer,
                     job("{\"id\":\"fine\",\"to\":\"+14155550110\",\"expires_at\":\"%s\"," HELLO "}", in_ms(60000)),
                     number, NULL);
    await_sent("fine");
    MUST(rig_accepted(&rig) == 1, "%lld messages", (long long)rig_accepted(&rig));
    end();
}
END_TEST

/* ---- holds, lines, chats ---- */

/* covers: field if_held; code held; state queued, held; reason no_healthy_line */
START_TEST(if_held_fail_refuses_what_would_be_held)
{
    static const char open[] = "{\"id\":\"open\",\"to\":\"+14155550111\",\"if_held\":\"fail\"," HELLO "}";
    begin(NULL, NULL, 1);
    producer_enqueue(&producer, open, number, "queued");
    await_sent("open");
    pause_pool();
    producer_refused(&producer, "{\"id\":\"held\",\"to\":\"+14155550111\",\"if_held\":\"fail\"," HELLO "}", "held",
                     NULL);
    must_refuse("STATUS", "held", "not_found");
    resume_pool();
    for (size_t line = 0; line < RIG_LINES; line++)
        rig_set_line(&rig, line, "\"reputation\":\"CRITICAL\"");
    for (size_t line = 0; line < RIG_LINES; line++)
        AWAIT(rig_line_is(&rig, line, "closed", NULL), "the line does not close");
    producer_refused(&producer, "{\"id\":\"known\",\"to\":\"+14155550111\",\"if_held\":\"fail\"," HELLO "}", "held",
                     NULL);
    producer_refused(&producer, "{\"id\":\"new\",\"to\":\"+14155550112\",\"if_held\":\"fail\"," HELLO "}", "held",
                     NULL);
    producer_enqueue(&producer, "{\"id\":\"waits\",\"to\":\"+14155550112\"," HELLO "}", number, "queued");
    MUST(producer_is(&producer, "waits", "queued", "no_healthy_line"), "it does not wait for a line");
    end();
}
END_TEST

/* covers: code not_allowed */
START_TEST(a_link_is_refused_in_a_first_message_only)
{
    static const char link[] = "{\"id\":\"link\",\"to\":\"+14155550113\"," TEXT("see https://example.com/x") "}";
    static const char part[] = "{\"id\":\"part\",\"to\":\"+14155550113\",\"message\":{\"parts\":[{\"type\":\"link\","
                               "\"value\":\"https://example.com\"}]}}";
    begin(NULL, NULL, 1);
    producer_refused(&producer, link, "not_allowed", NULL);
    producer_refused(&producer, part, "not_allowed", NULL);
    must_refuse("STATUS", "link", "not_found");
    producer_enqueue(&producer, "{\"id\":\"first\",\"to\":\"+14155550113\"," HELLO "}", number, NULL);
    await_sent("first");
    producer_enqueue(&producer, link, number, NULL);
    await_sent("link");
    end();
}
END_TEST

/* covers: field from; reason line_at_risk; code line_conflict */
START_TEST(a_pinned_job_goes_out_on_its_line_or_waits_for_it)
{
    begin(NULL, NULL, 1);
    for (size_t line = 0; line < RIG_LINES; line++) {
        char id[32];
        snprintf(id, sizeof id, "pin-%zu", line);
        producer_enqueue(
            &producer,
            job("{\"id\":\"%s\",\"to\":\"+1415555012%zu\",\"from\":\"%s\"," HELLO "}", id, line, rig.lines[line]),
            number, NULL);
        await_sent(id);
        cJSON *view = producer_ask(&producer, "STATUS", id);
        MUST(strcmp(text_at(view, "line"), rig.lines[line]) == 0, "it went out on %s", text_at(view, "line"));
        cJSON_Delete(view);
    }
    producer_refused(&producer,
                     job("{\"id\":\"other\",\"to\":\"+14155550120\",\"from\":\"%s\"," HELLO "}", rig.lines[1]),
                     "line_conflict", NULL);
    rig_set_line(&rig, 0, "\"reputation\":\"AT_RISK\"");
    AWAIT(rig_line_is(&rig, 0, "slow", NULL), "an AT_RISK line is not slow");
    producer_enqueue(&producer,
                     job("{\"id\":\"new\",\"to\":\"+14155550130\",\"from\":\"%s\"," HELLO "}", rig.lines[0]), number,
                     "queued");
    producer_enqueue(&producer, "{\"id\":\"known\",\"to\":\"+14155550120\"," HELLO "}", number, NULL);
    await_sent("known");
    MUST(producer_is(&producer, "new", "queued", "line_at_risk"), "a pinned new conversation does not wait");
    rig_set_line(&rig, 0, "\"reputation\":\"HEALTHY\"");
    await_sent("new");
    end();
}
END_TEST

static size_t keep_answer(char *data, size_t size, size_t count, void *self)
{
    char *text = self;
    if (strlen(text) + size * count < sizeof job_text)
        strncat(text, data, size * count);
    return size * count;
}

/* A chat that was there before us; its id into out[64]. */
static void open_chat_elsewhere(const char *line, const char *to, char out[64])
{
    char url[64], body[256], answer[sizeof job_text] = "";
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = curl_slist_append(NULL, "Authorization: Bearer process-test-key");
    headers = curl_slist_append(headers, "Content-Type: application/json");
    snprintf(url, sizeof url, "http://127.0.0.1:%u/v3/chats", rig.port.provider);
    snprintf(body, sizeof body, "{\"from\":\"%s\",\"to\":[\"%s\"]," HELLO "}", line, to);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep_answer);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    CURLcode code = curl_easy_perform(curl);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    MUST(code == CURLE_OK, "the sandbox: %s", curl_easy_strerror(code));
    cJSON *chat = json_parse(answer, strlen(answer), NULL);
    snprintf(out, 64, "%s", text_at(chat, "chat.id"));
    cJSON_Delete(chat);
}

/* covers: field chat_id */
START_TEST(a_chat_that_exists_already_is_adopted)
{
    char chat[64];
    begin(NULL, NULL, 1);
    open_chat_elsewhere(rig.lines[2], "+14155550140", chat);
    rig_set_line(&rig, 2, "\"reputation\":\"AT_RISK\""); /* no new conversations there: this one is known */
    AWAIT(rig_line_is(&rig, 2, "slow", NULL), "an AT_RISK line is not slow");
    producer_enqueue(&producer,
                     job("{\"id\":\"adopt\",\"to\":\"+14155550140\",\"from\":\"%s\",\"chat_id\":\"%s\"," TEXT(
                             "https://example.com/known") "}",
                         rig.lines[2], chat),
                     number, NULL);
    await_sent("adopt");
    cJSON *view = producer_ask(&producer, "STATUS", "adopt");
    MUST(strcmp(text_at(view, "chat_id"), chat) == 0 && strcmp(text_at(view, "line"), rig.lines[2]) == 0,
         "it went to chat %s", text_at(view, "chat_id"));
    cJSON_Delete(view);
    MUST(rig_stat(&rig, "chats") == 1, "%lld chats", (long long)rig_stat(&rig, "chats"));
    /* From then on it is remembered. */
    producer_enqueue(&producer, "{\"id\":\"next\",\"to\":\"+14155550140\"," HELLO "}", number, NULL);
    await_sent("next");
    MUST(rig_stat(&rig, "chats") == 1, "%lld chats", (long long)rig_stat(&rig, "chats"));
    end();
}
END_TEST

static bool is_taken(const char *text)
{
    cJSON *result = producer_ask(&producer, "ENQUEUE", text);
    bool taken = json_get(result, "job") != NULL;
    cJSON_Delete(result);
    return taken;
}

/* covers: state suppressed; code opted_out */
START_TEST(who_opted_out_is_not_sent_to)
{
    begin(NULL, NULL, 1);
    producer_enqueue(&producer, "{\"id\":\"first\",\"to\":\"+14155550150\"," HELLO "}", number, NULL);
    await_sent("first");
    cJSON_Delete(rig_control(&rig, "POST", "/recipients/+14155550150", "{\"opted_out\":true}"));
    producer_enqueue(&producer, "{\"id\":\"second\",\"to\":\"+14155550150\"," HELLO "}", number, NULL);
    AWAIT(producer_is(&producer, "second", "suppressed", NULL), "403/2024 does not suppress the job");
    producer_refused(&producer, "{\"id\":\"third\",\"to\":\"+14155550150\"," HELLO "}", "opted_out", NULL);
    program_kill(&rig.broker);
    rig_start_broker(&rig);
    rig_await_ready(&rig);
    producer_refused(&producer, "{\"id\":\"third\",\"to\":\"+14155550150\"," HELLO "}", "opted_out", NULL);
    cJSON_Delete(rig_control(&rig, "POST", "/answers", "{\"recipient\":\"+14155550150\",\"text\":\"hello again\"}"));
    AWAIT(is_taken("{\"id\":\"third\",\"to\":\"+14155550150\"," HELLO "}"), "an answer does not lift the opt-out");
    await_sent("third");
    end();
}
END_TEST

int main(void)
{
    return RUN_TESTS(
        "jobs", 30, a_req_socket_and_an_empty_delimiter_are_served, a_second_copy_of_an_id_is_the_first_one,
        copies_within_one_request_are_one_job_and_jobs_without_id_are_many, status_finds_a_job_by_number_id_and_pool,
        a_cancelled_job_is_never_sent, the_same_job_cancelled_twice_in_one_request_is_cancelled_once,
        a_leased_job_is_cancelled_if_it_had_not_begun, a_leased_job_that_had_begun_ends_as_it_went,
        send_after_waits_until_due_and_takes_its_place_then, an_expired_job_is_never_sent,
        if_held_fail_refuses_what_would_be_held, a_link_is_refused_in_a_first_message_only,
        a_pinned_job_goes_out_on_its_line_or_waits_for_it, a_chat_that_exists_already_is_adopted,
        who_opted_out_is_not_sent_to);
}
