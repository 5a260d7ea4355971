/* frames_test.c — whatever comes in at the two ROUTER ports: what makes no sense is answered ERR where the contract
 * says so, changes nothing, and the broker lives. Jobs wait on a paused pool meanwhile: nothing else may move. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "lineward/json.h"
#include "producer.h"

#define HELD       3
#define FUZZ       4000
#define FUZZ_BYTES 400

static struct rig rig;
static struct producer producer, worker;
static cJSON *before;

/* ---- nothing changed ---- */

static cJSON *counts(void)
{
    static const char *const kept[] = {"lines",         "backlog", "backlog_by_reason", "totals",
                                       "conversations", "dedupe",  "next_seq"};
    cJSON *status = rig_ask(&rig, "GET", "/v1/status", NULL, NULL), *out = cJSON_CreateObject();
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        cJSON *member = cJSON_DetachItemFromObjectCaseSensitive(status, kept[i]);
        MUST(member != NULL, "no %s in GET /v1/status", kept[i]);
        cJSON_AddItemToObject(out, kept[i], member);
    }
    cJSON_DeleteItemFromObjectCaseSensitive(cJSON_GetObjectItem(out, "totals"), "refused");
    cJSON_Delete(status);
    return out;
}

static void begin(void)
{
    rig_open(&rig, NULL);
    rig_start(&rig, 1);
    producer_open(&producer, &rig, rig.port.producers, ZMQ_DEALER);
    producer_open(&worker, &rig, rig.port.workers, ZMQ_DEALER);
    cJSON_Delete(rig_ask(&rig, "POST", "/v1/pools/default/pause", "{}", NULL));
    for (int i = 0; i < HELD; i++) {
        char job[256], number[JOB_NUMBER_TEXT_MAX];
        snprintf(job, sizeof job,
                 "{\"id\":\"held-%d\",\"to\":\"+1415704%04d\",\"message\":{\"parts\":[{\"type\":\"text\","
                 "\"value\":\"hello\"}]}}",
                 i, i);
        producer_enqueue(&producer, job, number, "held");
    }
    before = counts();
}

/* Nothing changed, and everything still works. */
static void end(void)
{
    cJSON *after = counts();
    if (!json_equal(before, after)) {
        char *was = cJSON_PrintUnformatted(before), *is = cJSON_PrintUnformatted(after);
        give_up("it was %s and is %s", was, is);
    }
    cJSON_Delete(before);
    cJSON_Delete(after);
    cJSON_Delete(rig_ask(&rig, "POST", "/v1/pools/default/resume", "{}", NULL));
    AWAIT(rig_accepted(&rig) == HELD, "the jobs that waited are not sent");
    producer_close(&producer);
    producer_close(&worker);
    rig_close(&rig);
}

/* ---- a message and its ERR ---- */

static void must_be_refused(struct producer *peer, size_t error_at, const char *code, const char *what)
{
    MUST(producer_receive(peer, LIMIT_MS), "%s: no answer", what);
    MUST(producer_got(peer, "ERR"), "%s: answered %.*s", what, (int)producer_frame(peer, 1).bytes,
         (const char *)producer_frame(peer, 1).data);
    MUST(producer_frames(peer) == error_at + 1, "%s: %zu frames", what, producer_frames(peer));
    cJSON *error = producer_json(peer, error_at);
    const char *is = text_at(error, "error.code");
    MUST(strcmp(is, code) == 0, "%s: %s, not %s", what, is, code);
    MUST(text_at(error, "error.message") != NULL, "%s: without a sentence", what);
    cJSON_Delete(error);
}

/* The request as a whole, to producers' port: ERR has a request id before the error. */
#define REFUSED(code, ...)                                                                                           \
    do {                                                                                                             \
        SEND(&producer, __VA_ARGS__);                                                                                \
        must_be_refused(&producer, 3, code, #__VA_ARGS__);                                                           \
    } while (0)
#define WORKER_REFUSED(code, ...)                                                                                    \
    do {                                                                                                             \
        SEND(&worker, __VA_ARGS__);                                                                                  \
        must_be_refused(&worker, 2, code, #__VA_ARGS__);                                                             \
    } while (0)

static void must_answer_ping(void)
{
    SEND(&producer, "LW1", "PING", "p");
    MUST(producer_receive(&producer, LIMIT_MS) && producer_got(&producer, "PONG"), "no PONG");
    cJSON *pong = producer_json(&producer, 3);
    MUST(number_at(pong, "queued") == HELD && text_at(pong, "version") != NULL, "a PONG without its members");
    cJSON_Delete(pong);
}

static void send_many(struct producer *peer, const char *command, size_t count, const char *item, size_t bytes)
{
    struct frame *frames = calloc(count + 3, sizeof *frames);
    MUST(frames != NULL, "out of memory");
    frames[0] = (struct frame){"LW1", 3};
    frames[1] = (struct frame){command, strlen(command)};
    frames[2] = (struct frame){"many", 4};
    for (size_t i = 0; i < count; i++)
        frames[3 + i] = (struct frame){item, bytes};
    producer_send_frames(peer, frames, count + 3);
    free(frames);
}

static char *filler(size_t bytes)
{
    char *text = malloc(bytes);
    MUST(text != NULL, "out of memory");
    memset(text, 'x', bytes);
    return text;
}

START_TEST(malformed_requests_of_producers_are_refused_whole)
{
    static const char job[] = "{\"to\":\"+14155550100\",\"message\":{\"parts\":[]}}";
    char *large = filler(WIRE_JOB_BYTES_MAX);
    char id[WIRE_REQUEST_ID_BYTES_MAX + 2];
    memset(id, 'i', sizeof id);
    id[sizeof id - 1] = '\0';
    begin();
    REFUSED("unsupported_version", "LW2", "PING", "r");
    REFUSED("unsupported_version", "hello");
    REFUSED("unsupported_version", "", "", "");
    REFUSED("unsupported_version", "lw1", "ENQUEUE", "r", job);
    REFUSED("unknown_command", "LW1", "enqueue", "r", job);
    REFUSED("unknown_command", "LW1", "", "r", job);
    REFUSED("unknown_command", "LW1", "READY", "r", job);
    REFUSED("malformed", "LW1");
    REFUSED("malformed", "LW1", "ENQUEUE");
    REFUSED("malformed", "LW1", "ENQUEUE", "r");
    REFUSED("malformed", "LW1", "STATUS", "r");
    REFUSED("malformed", "LW1", "CANCEL", "r");
    REFUSED("malformed", "LW1", "ENQUEUE", id, job);
    send_many(&producer, "ENQUEUE", WIRE_ENQUEUE_JOBS_MAX + 1, job, sizeof job - 1);
    must_be_refused(&producer, 3, "too_many", "1025 jobs");
    send_many(&producer, "STATUS", 20000, "x", 1);
    must_be_refused(&producer, 3, "too_many", "20000 ids");
    send_many(&producer, "ENQUEUE", WIRE_REQUEST_BYTES_MAX / WIRE_JOB_BYTES_MAX + 1, large, WIRE_JOB_BYTES_MAX);
    must_be_refused(&producer, 3, "too_large", "more than 8 MiB");
    must_answer_ping();
    free(large);
    end();
}
END_TEST

START_TEST(malformed_jobs_are_refused_one_by_one)
{
#define TO  "\"to\":\"+14155550100\""
#define MSG "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"hi\"}]}"
    static const struct {
        const char *job, *code, *field;
    } bad[] = {
        {"", "malformed", NULL},
        {"{", "malformed", NULL},
        {"[]", "malformed", NULL},
        {"null", "malformed", NULL},
        {"{" TO "," MSG "} x", "malformed", NULL},
        {"{" TO "," MSG ",\"meta\":\"\xff\"}", "malformed", NULL},
        {"{" MSG "}", "invalid_field", "to"},
        {"{" TO "}", "invalid_field", "message"},
        {"{\"to\":5," MSG "}", "invalid_field", "to"},
        {"{\"to\":[]," MSG "}", "invalid_field", "to"},
        {"{\"to\":[7]," MSG "}", "invalid_field", "to[0]"},
        {"{\"to\":\"4155550100\"," MSG "}", "invalid_recipient", NULL},
        {"{\"to\":[\"+14155550100\",\"x\"]," MSG "}", "invalid_recipient", "to[1]"},
        {"{" TO ",\"message\":\"hi\"}", "invalid_field", "message"},
        {"{" TO ",\"message\":{\"idempotency_key\":\"k\",\"parts\":[]}}", "invalid_field", NULL},
        {"{" TO ",\"message\":{\"n\":9007199254740993}}", "invalid_field", NULL},
        {"{" TO "," MSG ",\"meta\":{\"n\":-9007199254740993}}", "invalid_field", NULL},
        {"{" TO "," MSG ",\"meta\":{\"n\":\"\\u0000\"}}", "invalid_field", NULL},
        {"{" TO "," MSG ",\"unknown\":12345678901234567890}", "invalid_field", NULL},
        {"{" TO ",\"id\":\"\"," MSG "}", "invalid_field", "id"},
        {"{" TO ",\"id\":7," MSG "}", "invalid_field", "id"},
        {"{" TO ",\"id\":\"j_mine\"," MSG "}", "invalid_field", "id"},
        {"{" TO ",\"pool\":7," MSG "}", "invalid_field", "pool"},
        {"{" TO ",\"pool\":\"nowhere\"," MSG "}", "unknown_pool", "pool"},
        {"{" TO ",\"from\":\"+12025559999\"," MSG "}", "unknown_line", "from"},
        {"{" TO ",\"from\":\"here\"," MSG "}", "invalid_field", "from"},
        {"{" TO ",\"class\":\"urgent\"," MSG "}", "invalid_field", "class"},
        {"{" TO ",\"if_held\":\"maybe\"," MSG "}", "invalid_field", "if_held"},
        {"{" TO ",\"send_after\":\"tomorrow\"," MSG "}", "invalid_field", "send_after"},
        {"{" TO ",\"expires_at\":1700000000," MSG "}", "invalid_field", "expires_at"},
        {"{" TO ",\"meta\":[]," MSG "}", "invalid_field", "meta"},
        {"{" TO ",\"campaign\":7," MSG "}", "invalid_field", "campaign"},
    };
    begin();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        producer_refused(&producer, bad[i].job, bad[i].code, bad[i].field);
    struct frame frames[4] = {{"LW1", 3}, {"ENQUEUE", 7}, {"large", 5}, {NULL, WIRE_JOB_BYTES_MAX + 1}};
    char *large = filler(WIRE_JOB_BYTES_MAX + 1);
    frames[3].data = large;
    producer_send_frames(&producer, frames, 4);
    MUST(producer_receive(&producer, LIMIT_MS) && producer_got(&producer, "ACK"), "a large job is not answered");
    cJSON *result = producer_json(&producer, 3);
    MUST(strcmp(text_at(result, "error.code"), "too_large") == 0, "a large job: %s", text_at(result, "error.code"));
    cJSON_Delete(result);
    free(large);
    end();
}
END_TEST

START_TEST(a_frame_beyond_all_limits_costs_its_sender_the_connection_only)
{
    begin();
    char *huge = filler(3 * (size_t)WIRE_REQUEST_BYTES_MAX);
    struct producer other;
    producer_open(&other, &rig, rig.port.producers, ZMQ_DEALER);
    producer_send_frames(
        &other, (struct frame[]){{"LW1", 3}, {"ENQUEUE", 7}, {"r", 1}, {huge, 3 * (size_t)WIRE_REQUEST_BYTES_MAX}},
        4);
    must_answer_ping();
    SEND(&other, "LW1", "PING", "after");
    while (producer_receive(&other, LIMIT_MS) && !producer_got(&other, "PONG")) /* an ERR may come before */
        MUST(producer_got(&other, "ERR"), "neither ERR nor PONG");
    MUST(producer_got(&other, "PONG"), "the sender of a huge frame can't come back");
    producer_close(&other);
    free(huge);
    end();
}
END_TEST

static void must_be_done(const char *lease)
{
    do
        MUST(producer_receive(&worker, LIMIT_MS), "no DONE for a lease that is over");
    while (producer_got(&worker, "BEAT"));
    MUST(producer_got(&worker, "DONE") && frame_is(producer_frame(&worker, 2), lease), "no DONE for %s", lease);
}

/* covers: code unknown_worker; key broker.workers, broker.heartbeat_ms */
START_TEST(malformed_messages_of_workers_are_refused)
{
    static const char ready[] = "{\"worker\":\"raw\",\"instance\":\"raw-1\",\"slots\":4,\"leases\":[]}";
    begin();
    WORKER_REFUSED("unsupported_version", "LW2", "READY", ready);
    WORKER_REFUSED("unsupported_version", "");
    WORKER_REFUSED("unknown_command", "LW1");
    WORKER_REFUSED("unknown_command", "LW1", "ENQUEUE", "r", "{}");
    WORKER_REFUSED("unknown_worker", "LW1", "BEAT", "1");
    WORKER_REFUSED("unknown_worker", "LW1", "RESULT", "l_zz", "{\"outcome\":\"sent\"}");
    WORKER_REFUSED("malformed", "LW1", "READY");
    WORKER_REFUSED("malformed", "LW1", "READY", "{");
    WORKER_REFUSED("malformed", "LW1", "READY", "[]");
    WORKER_REFUSED("malformed", "LW1", "READY", "{\"worker\":\"raw\",\"slots\":4}");
    WORKER_REFUSED("malformed", "LW1", "READY", "{\"worker\":\"a b\",\"instance\":\"i\",\"slots\":4}");
    WORKER_REFUSED("malformed", "LW1", "READY", "{\"worker\":\"raw\",\"instance\":7,\"slots\":4}");
    WORKER_REFUSED("malformed", "LW1", "READY", "{\"worker\":\"raw\",\"instance\":\"i\",\"slots\":0}");
    WORKER_REFUSED("malformed", "LW1", "READY", "{\"worker\":\"raw\",\"instance\":\"i\",\"slots\":\"4\"}");
    WORKER_REFUSED("malformed", "LW1", "READY", "{\"worker\":\"raw\",\"instance\":\"i\",\"slots\":4,\"leases\":5}");

    SEND(&worker, "LW1", "READY", ready);
    MUST(producer_receive(&worker, LIMIT_MS) && producer_got(&worker, "READY"), "READY is not answered");
    cJSON *answer = producer_json(&worker, 2);
    MUST(number_at(answer, "heartbeat_ms") == RIG_HEARTBEAT_MS, "READY names another heartbeat");
    cJSON_Delete(answer);
    SEND(&worker, "LW1", "BEAT", "41");
    MUST(producer_receive(&worker, LIMIT_MS) && producer_got(&worker, "BEAT") &&
             frame_is(producer_frame(&worker, 2), "41"),
         "BEAT is not echoed");
    WORKER_REFUSED("malformed", "LW1", "BEAT", "one");
    WORKER_REFUSED("malformed", "LW1", "BEAT");
    WORKER_REFUSED("malformed", "LW1", "RESULT");
    WORKER_REFUSED("malformed", "LW1", "RESULT", "l_zz");
    WORKER_REFUSED("malformed", "LW1", "RESULT", "l_zz", "{\"outcome\":\"sent\"}", "l_zy");
    WORKER_REFUSED("malformed", "LW1", "RESULT", "lease?", "{\"outcome\":\"sent\"}");
    must_be_done("lease?"); /* or it would be said again for ever */
    SEND(&worker, "LW1", "RESULT", "l_zz", "{\"outcome\":\"sent\"}");
    must_be_done("l_zz");
    SEND(&worker, "LW1", "BYE");
    end();
}
END_TEST

/* ---- fuzz ---- */

static const char *const words[] = {"LW1",
                                    "LW1",
                                    "LW1",
                                    "LW2",
                                    "",
                                    "ENQUEUE",
                                    "STATUS",
                                    "CANCEL",
                                    "PING",
                                    "BYE",
                                    "BEAT",
                                    "RESULT",
                                    "READY",
                                    "JOB",
                                    "REVOKE",
                                    "DONE",
                                    "l_1",
                                    "l_zzzzzzzzzzzz",
                                    "j_zzzzzzzzz",
                                    "default/nobody",
                                    "{\"outcome\":\"sent\"}",
                                    "{\"outcome\":\"retry\",\"scope\":\"account\"}",
                                    "{\"outcome\":7}",
                                    "[[[[[[[[",
                                    "\"",
                                    "-1",
                                    "18446744073709551616"};

/* What is true JSON and no job, or a job that is cut or has a byte that JSON never has. */
static size_t broken_json(char *out)
{
    static const char *const whole[] = {
        "{\"to\":\"+14155550100\",\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"hi\"}]},\"class\":"
        "\"reply\"}",
        "{\"worker\":\"fuzz\",\"instance\":\"fuzz\",\"slots\":9,\"leases\":[\"l_1\",\"l_2\"]}"};
    const char *text = whole[rig_random(&rig, 2)];
    size_t bytes = strlen(text), at = 1 + rig_random(&rig, bytes - 2);
    memcpy(out, text, bytes);
    if (rig_random(&rig, 2) == 0)
        return at; /* cut */
    out[at] = (char)0xFF;
    return bytes;
}

static size_t random_bytes(char *out)
{
    size_t bytes = rig_random(&rig, FUZZ_BYTES);
    for (size_t i = 0; i < bytes; i++)
        out[i] = (char)rig_random(&rig, 256);
    return bytes;
}

static void send_fuzz(struct producer *peer)
{
    static char texts[8][FUZZ_BYTES];
    struct frame frames[8];
    size_t count = 1 + rig_random(&rig, 8);
    for (size_t i = 0; i < count; i++) {
        const char *word = words[rig_random(&rig, sizeof words / sizeof *words)];
        uint64_t kind = i == 0 ? 3 + rig_random(&rig, 4) : rig_random(&rig, 6);
        frames[i] = (struct frame){texts[i], 0};
        if (kind == 0)
            frames[i].bytes = broken_json(texts[i]);
        else if (kind == 1)
            frames[i].bytes = random_bytes(texts[i]);
        else
            frames[i] = (struct frame){word, strlen(word)};
    }
    producer_send_frames(peer, frames, count);
    while (message_receive(peer->message, peer->socket) == ERR_NONE)
        continue;
}

START_TEST(random_frames_change_nothing)
{
    struct producer fuzzed[2];
    begin();
    producer_open(&fuzzed[0], &rig, rig.port.producers, ZMQ_DEALER);
    producer_open(&fuzzed[1], &rig, rig.port.workers, ZMQ_DEALER);
    for (int i = 0; i < FUZZ; i++) {
        send_fuzz(&fuzzed[i % 2]);
        if (i % 100 == 0)
            must_answer_ping(); /* and it does not fall behind */
    }
    must_answer_ping();
    producer_close(&fuzzed[0]);
    producer_close(&fuzzed[1]);
    end();
}
END_TEST

int main(void)
{
    return RUN_TESTS("frames", 30, malformed_requests_of_producers_are_refused_whole,
                     malformed_jobs_are_refused_one_by_one,
                     a_frame_beyond_all_limits_costs_its_sender_the_connection_only,
                     malformed_messages_of_workers_are_refused, random_frames_change_nothing);
}
