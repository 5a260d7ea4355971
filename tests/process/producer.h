/* producer.h — a producer or worker that speaks raw frames, right or wrong, and reads what comes back. */
#ifndef PROCESS_PRODUCER_H
#define PROCESS_PRODUCER_H

#include <cjson/cJSON.h>

#include "lineward/ids.h"
#include "lineward/wire.h"
#include "rig.h"

struct producer {
    void *socket;
    struct message *message; /* the last one received */
    size_t head;             /* frames before its version: 1 when an empty delimiter came, else 0 */
    uint64_t requests;
};

/* `type`: ZMQ_DEALER or ZMQ_REQ. */
void producer_open(struct producer *producer, struct rig *rig, uint16_t port, int type);
/* The same with a key of its own and the broker's public one; `own` NULL: without CURVE. */
struct key_pair;
void producer_open_with(struct producer *producer, struct rig *rig, uint16_t port, int type,
                        const struct key_pair *own, const char *broker_key);
void producer_close(struct producer *producer);

/* Sends these texts as frames. */
void producer_send(struct producer *producer, const char *const *frames, size_t count);
void producer_send_frames(struct producer *producer, const struct frame *frames, size_t count);
#define SEND(producer, ...)                                                                                          \
    producer_send(producer, (const char *const[]){__VA_ARGS__},                                                      \
                  sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

/* Waits for a message; false: none came in time. */
bool producer_receive(struct producer *producer, int64_t limit_ms);
/* Frame `index` of the last message, from its version on: 0 LW1, 1 the command, 2 the request id ... */
struct frame producer_frame(const struct producer *producer, size_t index);
size_t producer_frames(const struct producer *producer);
bool producer_got(const struct producer *producer, const char *command);
/* That frame as JSON, which it must be; the caller's. */
cJSON *producer_json(const struct producer *producer, size_t index);

/* Asks `command` about one item and waits for its ACK: its one result, the caller's. */
cJSON *producer_ask(struct producer *producer, const char *command, const char *item);
/* One job that must be taken; its number goes into out[33]. The answer's `state` must be `state` (NULL: any). */
void producer_enqueue(struct producer *producer, const char *job, char out[JOB_NUMBER_TEXT_MAX], const char *state);
/* Likewise one that says whose it is: `to` is the end of its recipient's number, `more` further members with a comma
 * before them. */
void producer_greet(struct producer *producer, const char *id, unsigned to, const char *more, const char *state);
/* One job that must be refused with this code (and field, unless NULL). */
void producer_refused(struct producer *producer, const char *job, const char *code, const char *field);
/* The state of a job by STATUS; out[16] */
void producer_state(struct producer *producer, const char *id, char out[16]);
bool producer_is(struct producer *producer, const char *id, const char *state, const char *reason);
/* The index of the line that a job is on; it must be on one. */
size_t producer_line(struct producer *producer, const struct rig *rig, const char *id);

#endif
