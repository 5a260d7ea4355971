/* ingress_request.c — see ingress_request.h. */
#include "broker/edge/ingress_request.h"

#include <stdlib.h>
#include <string.h>

#include "lineward/log.h"

#define TAG_SHIFT       56
#define SLOT_BITS       12 /* INGRESS_REQUESTS_MAX */
#define GENERATION_BITS 40
#define LOOK_SHIFT      (SLOT_BITS + GENERATION_BITS)
#define LOOK_MASK       0xFull
#define KEPT_BYTES_MAX  (32u * 1024 * 1024)
#define KEPT_TEXT_MAX   (1u * 1024 * 1024)

_Static_assert(INGRESS_REQUESTS_MAX == 1 << SLOT_BITS, "every slot has its number");
_Static_assert(LOOK_COUNT <= LOOK_MASK, "every look has its number");
_Static_assert(LOOK_SHIFT + 4 <= TAG_SHIFT, "a token's parts do not overlap");

struct request *request_new(struct ingress *ingress, const struct request *head, enum ask ask, size_t count,
                            size_t held_bytes)
{
    char *pools = NULL;
    bool asks_later = ask != ASK_ENQUEUE && ingress->pools != NULL; /* when the keys may be others */
    held_bytes += count * sizeof(struct result) + (asks_later ? strlen(ingress->pools) + 1 : 0);
    size_t asked = ask == ASK_ENQUEUE ? 0 : count;
    struct look_queue *queue = ingress_look_queue(ingress, head);
    if (ingress->free_count == 0 || ingress->held_bytes + held_bytes > INGRESS_HELD_BYTES_MAX ||
        queue->asked + asked > INGRESS_PEER_ASKED_MAX)
        return NULL;
    struct result *results = calloc(count, sizeof *results);
    if (results == NULL || (asks_later && (pools = strdup(ingress->pools)) == NULL)) {
        free(results);
        return NULL;
    }
    struct request *request = &ingress->requests[ingress->free_slots[--ingress->free_count]];
    struct json_out text = request->text;
    ingress->kept_bytes -= text.room;
    ingress->held_bytes += held_bytes;
    queue->asked += asked;
    *request = *head;
    request->text = text;
    json_out_clear(&request->text);
    request->used = true;
    request->ask = ask;
    request->generation = ++ingress->generation & ((1ull << GENERATION_BITS) - 1);
    request->results = results;
    request->pools = pools;
    request->count = request->missing = count;
    request->held_bytes = held_bytes;
    return request;
}

static void finish(struct ingress *ingress, struct request *request)
{
    request->used = false;
    ingress_look_queue(ingress, request)->asked -= request->ask == ASK_ENQUEUE ? 0 : request->count;
    free(request->results);
    request->results = NULL;
    free(request->pools);
    request->pools = NULL;
    ingress->held_bytes -= request->held_bytes;
    if (request->text.room > KEPT_TEXT_MAX || ingress->kept_bytes + request->text.room > KEPT_BYTES_MAX)
        json_out_free(&request->text);
    ingress->kept_bytes += request->text.room;
    ingress->free_slots[ingress->free_count++] = (uint32_t)(request - ingress->requests);
}

/* ---- tokens ---- */

uint64_t request_token(const struct ingress *ingress, const struct request *request, enum look look)
{
    uint64_t slot = (uint64_t)(request - ingress->requests);
    return (uint64_t)INGRESS_TOKEN_TAG << TAG_SHIFT | (uint64_t)look << LOOK_SHIFT |
           request->generation << SLOT_BITS | slot;
}

bool ingress_owns(uint64_t token)
{
    return token >> TAG_SHIFT == INGRESS_TOKEN_TAG;
}

struct request *request_of_token(struct ingress *ingress, uint64_t token, enum look *look)
{
    struct request *request = &ingress->requests[token & (INGRESS_REQUESTS_MAX - 1)];
    *look = (enum look)(token >> LOOK_SHIFT & LOOK_MASK);
    return request->used && request_token(ingress, request, *look) == token ? request : NULL;
}

/* ---- results ---- */

void request_keep_name(struct request *request, uint32_t index, const void *bytes, size_t count)
{
    struct result *result = &request->results[index];
    request->text.comma = false;
    result->name_at = (uint32_t)request->text.bytes;
    result->name_bytes = (uint32_t)count;
    if (count > 0)
        json_put_raw(&request->text, bytes, count);
    request->text.comma = false;
}

struct span request_name(const struct request *request, uint32_t index)
{
    const struct result *result = &request->results[index];
    if (request->text.failed || result->name_bytes == 0)
        return (struct span){NULL, 0};
    return (struct span){request->text.text + result->name_at, result->name_bytes};
}

void request_have_result(struct request *request, uint32_t index, size_t at)
{
    struct result *result = &request->results[index];
    request->text.comma = false;
    if (result->there)
        return;
    result->there = true;
    result->at = (uint32_t)at;
    result->bytes = (uint32_t)(request->text.bytes - at);
    request->missing--;
}

void request_refuse(struct request *request, uint32_t index, enum code code)
{
    request_refuse_with(request, index, &(struct error_view){.code = code});
}

void request_refuse_with(struct request *request, uint32_t index, const struct error_view *error)
{
    struct json_out id = {0};
    struct span name = request_name(request, index);
    if (request->ask == ASK_ENQUEUE && name.bytes > 0)
        json_put_raw(&id, name.data, name.bytes);
    else
        json_put_bytes(&id, name.bytes == 0 ? "" : name.data, name.bytes);
    size_t at = request->text.bytes;
    view_refused(&request->text, (struct span){id.text, id.bytes}, error);
    request_have_result(request, index, at);
    json_out_free(&id);
}

/* ---- answers ---- */

static size_t put_head(struct frame *frames, const struct request *request, const char *command)
{
    size_t count = 0;
    frames[count++] = (struct frame){request->peer, request->peer_bytes};
    if (request->delimiter)
        frames[count++] = (struct frame){"", 0};
    frames[count++] = (struct frame){WIRE_VERSION, strlen(WIRE_VERSION)};
    frames[count++] = (struct frame){command, strlen(command)};
    frames[count++] = (struct frame){request->request_id, request->request_id_bytes};
    return count;
}

static void send_ack(struct ingress *ingress, const struct request *request)
{
    size_t count = put_head(ingress->frames, request, "ACK");
    for (size_t i = 0; i < request->count; i++)
        ingress->frames[count++] =
            (struct frame){request->text.text + request->results[i].at, request->results[i].bytes};
    replies_send(ingress->replies, ingress->frames, count);
}

void request_answer_if_whole(struct ingress *ingress, struct request *request)
{
    if (request->missing > 0)
        return;
    if (!request->text.failed)
        send_ack(ingress, request);
    else if (request->ask != ASK_ENQUEUE)
        request_send_error(ingress, request, CODE_BUSY, "out of memory");
    else /* an ERR would say that nothing was stored; who hears nothing asks again, and then they are duplicates */
        log_event(LOG_ERROR, "ack_not_written", "jobs=%zu reason=\"out of memory\"", request->count);
    finish(ingress, request);
}

void request_send_text(struct ingress *ingress, const struct request *request, const char *command,
                       const struct json_out *text)
{
    size_t count = put_head(ingress->frames, request, command);
    ingress->frames[count++] = (struct frame){text->text, text->bytes};
    if (!text->failed)
        replies_send(ingress->replies, ingress->frames, count);
}

void request_give_back(struct ingress *ingress, struct request *request, enum code code, const char *message)
{
    request_send_error(ingress, request, code, message);
    finish(ingress, request);
}

void request_send_error(struct ingress *ingress, const struct request *request, enum code code, const char *message)
{
    ingress->refused = true;
    struct json_out text = {0};
    struct error_view error = {.code = code, .message = message};
    view_error_body(&text, &error);
    request_send_text(ingress, request, "ERR", &text);
    json_out_free(&text);
}
