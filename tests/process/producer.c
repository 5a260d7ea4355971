/* producer.c — see producer.h. */
#include "producer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "lineward/json.h"
#include "lineward/keys.h"

#define FRAMES_MAX 64

void producer_open(struct producer *producer, struct rig *rig, uint16_t port, int type)
{
    producer_open_with(producer, rig, port, type, NULL, NULL);
}

static void use_keys(void *socket, const struct key_pair *own, const char *broker_key)
{
    const size_t bytes = KEY_TEXT_BYTES + 1;
    MUST(zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, broker_key, bytes) == 0 &&
             zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, own->public, bytes) == 0 &&
             zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, own->secret, bytes) == 0,
         "keys: %s", zmq_strerror(zmq_errno()));
}

void producer_open_with(struct producer *producer, struct rig *rig, uint16_t port, int type,
                        const struct key_pair *own, const char *broker_key)
{
    char endpoint[64];
    int none = 0, often_ms = 20;
    memset(producer, 0, sizeof *producer);
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", port);
    producer->socket = zmq_socket(rig->zmq, type);
    producer->message = message_new();
    MUST(producer->socket != NULL && producer->message != NULL, "no socket: %s", zmq_strerror(zmq_errno()));
    zmq_setsockopt(producer->socket, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(producer->socket, ZMQ_RECONNECT_IVL, &often_ms, sizeof often_ms);
    if (own != NULL)
        use_keys(producer->socket, own, broker_key);
    MUST(zmq_connect(producer->socket, endpoint) == 0, "%s: %s", endpoint, zmq_strerror(zmq_errno()));
}

void producer_close(struct producer *producer)
{
    zmq_close(producer->socket);
    message_free(&producer->message);
}

void producer_send_frames(struct producer *producer, const struct frame *frames, size_t count)
{
    enum err err = ERR_BUSY;
    AWAIT((err = message_send(producer->socket, frames, count)) != ERR_BUSY, "a message can't be sent");
    MUST(err == ERR_NONE, "a message can't be sent: %s", err_name(err));
}

void producer_send(struct producer *producer, const char *const *frames, size_t count)
{
    struct frame out[FRAMES_MAX];
    MUST(count <= FRAMES_MAX, "too many frames");
    for (size_t i = 0; i < count; i++)
        out[i] = (struct frame){frames[i], strlen(frames[i])};
    producer_send_frames(producer, out, count);
}

bool producer_receive(struct producer *producer, int64_t limit_ms)
{
    int64_t until_ms = mono_ms() + limit_ms;
    while (message_receive(producer->message, producer->socket) != ERR_NONE) {
        if (mono_ms() >= until_ms)
            return false;
        programs_tick();
    }
    producer->head = message_frame(producer->message, 0).bytes == 0 ? 1 : 0;
    return true;
}

struct frame producer_frame(const struct producer *producer, size_t index)
{
    return message_frame(producer->message, producer->head + index);
}

size_t producer_frames(const struct producer *producer)
{
    return message_frame_count(producer->message) - producer->head;
}

bool producer_got(const struct producer *producer, const char *command)
{
    return frame_is(producer_frame(producer, 0), WIRE_VERSION) && frame_is(producer_frame(producer, 1), command);
}

cJSON *producer_json(const struct producer *producer, size_t index)
{
    struct frame frame = producer_frame(producer, index);
    cJSON *json = frame.data == NULL ? NULL : json_parse(frame.data, frame.bytes, NULL);
    MUST(json != NULL, "frame %zu is no JSON: %.*s", index, (int)frame.bytes, (const char *)frame.data);
    return json;
}

cJSON *producer_ask(struct producer *producer, const char *command, const char *item)
{
    char request[32];
    snprintf(request, sizeof request, "r%llu", (unsigned long long)++producer->requests);
    SEND(producer, WIRE_VERSION, command, request, item);
    do { /* an answer to an earlier request, sent again, may still come */
        MUST(producer_receive(producer, LIMIT_MS), "no answer to %s %s", command, item);
    } while (!frame_is(producer_frame(producer, 2), request));
    MUST(producer_got(producer, "ACK") && producer_frames(producer) == 4, "%s %s: %.*s", command, item,
         (int)producer_frame(producer, 3).bytes, (const char *)producer_frame(producer, 3).data);
    return producer_json(producer, 3);
}

void producer_enqueue(struct producer *producer, const char *job, char out[JOB_NUMBER_TEXT_MAX], const char *state)
{
    cJSON *result = producer_ask(producer, "ENQUEUE", job);
    const char *number = json_string(result, "job"), *is = json_string(result, "state");
    MUST(number != NULL && is != NULL, "%s was refused", job);
    MUST(state == NULL || strcmp(is, state) == 0, "%s is %s, not %s", job, is, state);
    snprintf(out, JOB_NUMBER_TEXT_MAX, "%s", number);
    cJSON_Delete(result);
}

void producer_greet(struct producer *producer, const char *id, unsigned to, const char *more, const char *state)
{
    char job[320], number[JOB_NUMBER_TEXT_MAX];
    snprintf(job, sizeof job,
             "{\"id\":\"%s\",\"to\":\"+1415704%04u\"%s,"
             "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"#1 default/%s hello\"}]}}",
             id, to, more, id);
    producer_enqueue(producer, job, number, state);
}

void producer_refused(struct producer *producer, const char *job, const char *code, const char *field)
{
    cJSON *result = producer_ask(producer, "ENQUEUE", job);
    const cJSON *error = json_get(result, "error");
    const char *is = json_string(error, "code"), *about = json_string(error, "field");
    MUST(json_get(result, "job") == NULL && is != NULL && strcmp(is, code) == 0, "%s: %s, not %s", job,
         is == NULL ? "taken" : is, code);
    MUST(field == NULL || (about != NULL && strcmp(about, field) == 0), "%s: about %s, not %s", job,
         about == NULL ? "nothing" : about, field);
    cJSON_Delete(result);
}

void producer_state(struct producer *producer, const char *id, char out[16])
{
    cJSON *view = producer_ask(producer, "STATUS", id);
    snprintf(out, 16, "%s", text_at(view, "state"));
    cJSON_Delete(view);
}

bool producer_is(struct producer *producer, const char *id, const char *state, const char *reason)
{
    cJSON *view = producer_ask(producer, "STATUS", id);
    const char *why = text_at(view, "reason");
    bool is =
        strcmp(text_at(view, "state"), state) == 0 && (reason == NULL || (why != NULL && strcmp(why, reason) == 0));
    cJSON_Delete(view);
    return is;
}

size_t producer_line(struct producer *producer, const struct rig *rig, const char *id)
{
    cJSON *view = producer_ask(producer, "STATUS", id);
    const char *line = text_at(view, "line");
    size_t index = 0;
    while (line != NULL && index < RIG_LINES && strcmp(rig->lines[index], line) != 0)
        index++;
    MUST(line != NULL && index < RIG_LINES, "%s is on no line of ours", id);
    cJSON_Delete(view);
    return index;
}
