/* ingress.c — see ingress.h. */
#include "broker/edge/ingress.h"

#include <stdlib.h>
#include <string.h>

#include "broker/edge/job_parse.h"
#include "broker/edge/replies.h"
#include "broker/edge/view.h"
#include "lineward/log.h"

#define TAG_SHIFT 56
#define LOOKUP_LIVE (1ull << 54) /* in a lookup's token: the jobs that were cancelled just now */
#define SLOT_BITS 12 /* INGRESS_REQUESTS_MAX */
#define GENERATION_BITS 31
#define LOOKUP_INDEX_SHIFT (SLOT_BITS + GENERATION_BITS) /* in a lookup's token: 1 + index of the one item it is for */
#define LOOKUP_INDEX_MASK 0x7FFull

enum ask { ASK_ENQUEUE, ASK_STATUS, ASK_CANCEL };

struct result { /* of one item: JSON within the request's text, or still to come */
    uint32_t at, bytes;
    bool there;
    bool is_live;   /* CANCEL: it was live when asked */
    uint64_t number;
    uint32_t id_at, id_bytes; /* the producer's id as JSON, within the request's text */
};

struct request {
    bool used;
    enum ask ask;
    uint64_t generation;
    size_t missing, count, cancels; /* cancels: not durable yet */
    uint8_t peer[256], request_id[WIRE_REQUEST_ID_BYTES_MAX];
    uint16_t peer_bytes;
    uint8_t request_id_bytes;
    bool delimiter;
    struct json_out text;
    struct result *results;
};

struct ingress {
    struct ingress_options options;
    struct replies *replies;
    struct message *message;
    struct job_texts texts;
    struct request requests[INGRESS_REQUESTS_MAX];
    uint32_t free_slots[INGRESS_REQUESTS_MAX], free_count;
    uint64_t generation;
    struct frame frames[WIRE_ENQUEUE_JOBS_MAX + 8];
};

struct ingress *ingress_new(const struct ingress_options *options)
{
    struct ingress *ingress = calloc(1, sizeof *ingress);
    if (ingress == NULL)
        return NULL;
    ingress->options = *options;
    ingress->replies = replies_new(options->socket, "producers");
    ingress->message = message_new();
    for (uint32_t i = 0; i < INGRESS_REQUESTS_MAX; i++)
        ingress->free_slots[ingress->free_count++] = INGRESS_REQUESTS_MAX - 1 - i;
    if (ingress->replies == NULL || ingress->message == NULL)
        ingress_free(&ingress);
    return ingress;
}

void ingress_free(struct ingress **ingress_p)
{
    struct ingress *ingress = *ingress_p;
    *ingress_p = NULL;
    if (ingress == NULL)
        return;
    for (uint32_t i = 0; i < INGRESS_REQUESTS_MAX; i++) {
        json_out_free(&ingress->requests[i].text);
        free(ingress->requests[i].results);
    }
    replies_free(&ingress->replies);
    message_free(&ingress->message);
    job_texts_free(&ingress->texts);
    free(ingress);
}

/* ---- one request on its way ---- */

static uint64_t token_of(const struct ingress *ingress, const struct request *request)
{
    uint64_t slot = (uint64_t)(request - ingress->requests);
    uint64_t generation = request->generation & ((1ull << GENERATION_BITS) - 1);
    return (uint64_t)INGRESS_TOKEN_TAG << TAG_SHIFT | generation << SLOT_BITS | slot;
}

bool ingress_owns(uint64_t token)
{
    return token >> TAG_SHIFT == INGRESS_TOKEN_TAG;
}

static struct request *request_of(struct ingress *ingress, uint64_t token)
{
    uint64_t slot = token & ((1u << SLOT_BITS) - 1);
    if (slot >= INGRESS_REQUESTS_MAX)
        return NULL;
    struct request *request = &ingress->requests[slot];
    uint64_t bare = token & ~(LOOKUP_LIVE | LOOKUP_INDEX_MASK << LOOKUP_INDEX_SHIFT);
    bool same = request->used && token_of(ingress, request) == bare;
    return same ? request : NULL;
}

static void finish(struct ingress *ingress, struct request *request)
{
    request->used = false;
    free(request->results);
    request->results = NULL;
    if (request->text.room > 1u << 20)
        json_out_free(&request->text);
    ingress->free_slots[ingress->free_count++] = (uint32_t)(request - ingress->requests);
}

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

static void send_ack(struct ingress *ingress, struct request *request)
{
    size_t count = put_head(ingress->frames, request, "ACK");
    for (size_t i = 0; i < request->count; i++)
        ingress->frames[count++] =
            (struct frame){request->text.text + request->results[i].at, request->results[i].bytes};
    replies_send(ingress->replies, ingress->frames, count);
    finish(ingress, request);
}

static void send_error(struct ingress *ingress, struct request *request, enum code code, const char *message)
{
    struct json_out text = {0};
    struct error_view error = {.code = code, .message = message};
    view_error_body(&text, &error);
    size_t count = put_head(ingress->frames, request, "ERR");
    ingress->frames[count++] = (struct frame){text.text, text.bytes};
    replies_send(ingress->replies, ingress->frames, count);
    json_out_free(&text);
}

/* The text written since `at` is the result of item `index`. */
static void have_result(struct request *request, uint32_t index, size_t at)
{
    struct result *result = &request->results[index];
    if (result->there)
        return;
    result->there = true;
    result->at = (uint32_t)at;
    result->bytes = (uint32_t)(request->text.bytes - at);
    request->text.comma = false;
    request->missing--;
}

static void answer_if_whole(struct ingress *ingress, struct request *request)
{
    if (request->missing > 0)
        return;
    if (request->text.failed) {
        send_error(ingress, request, CODE_BUSY, "out of memory");
        finish(ingress, request);
        return;
    }
    send_ack(ingress, request);
}

/* ---- ENQUEUE ---- */

struct enqueue_batch {
    struct job_parser parser;
    bool store_full;
    enum code closed; /* busy or store_full: all that follow are refused alike, so that a repeat keeps the order */
};

/* Parses and offers one job to the core. False: *refusal says why it did not get there. */
static bool offer(struct ingress *ingress, struct enqueue_batch *batch, struct frame job, uint64_t token,
                  uint32_t index, struct span *id, struct job_refusal *refusal, struct instant now,
                  struct effects *out)
{
    struct core_enqueue enqueue;
    if (!job_parse(&batch->parser, job.data, job.bytes, &enqueue, &ingress->texts, id, refusal, out))
        return false;
    if (batch->closed != CODE_NONE) {
        refusal->code = batch->closed;
        refusal->field[0] = '\0';
        refusal->message[0] = '\0';
        return false;
    }
    enqueue.token = token;
    enqueue.index = index;
    core_enqueue(ingress->options.core, &enqueue, batch->store_full, now, out);
    const struct effect *effect = &out->effects[out->effect_count - 1];
    if (effect->code == CODE_BUSY || effect->code == CODE_STORE_FULL)
        batch->closed = effect->code;
    return true;
}

static struct error_view error_of(const struct job_refusal *refusal)
{
    return (struct error_view){.code = refusal->code,
                               .message = refusal->message[0] == '\0' ? NULL : refusal->message,
                               .field = refusal->field[0] == '\0' ? NULL : refusal->field};
}

static void enqueue(struct ingress *ingress, struct request *request, size_t first, bool store_full,
                    struct instant now, struct effects *out)
{
    struct enqueue_batch batch = {.parser = {.conf = ingress->options.conf,
                                             .hash = ingress->options.hash,
                                             .core = ingress->options.core},
                                  .store_full = store_full};
    uint64_t token = token_of(ingress, request);
    for (uint32_t i = 0; i < request->count; i++) {
        struct span id;
        struct job_refusal refusal = {0};
        struct frame job = message_frame(ingress->message, first + i);
        bool offered = offer(ingress, &batch, job, token, i, &id, &refusal, now, out);
        struct result *result = &request->results[i];
        result->id_at = (uint32_t)request->text.bytes;
        result->id_bytes = (uint32_t)id.bytes;
        if (offered) {
            if (id.bytes > 0) /* else it has none */
                json_put_raw(&request->text, id.data, id.bytes);
            request->text.comma = false;
            ingress->options.persist(ingress->options.persist_self, now, out); /* its texts are lent until here */
            continue;
        }
        struct error_view error = error_of(&refusal);
        size_t at = request->text.bytes;
        view_refused(&request->text, id, &error);
        have_result(request, i, at);
    }
}

/* A duplicate of a job that is final: how it ended is on disk. */
static bool look_up_duplicate(struct ingress *ingress, const struct request *request, const struct effect *effect,
                              struct instant now)
{
    struct lookup_job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return false;
    const char *id = request->text.text + request->results[effect->index].id_at;
    size_t bytes = request->results[effect->index].id_bytes;
    if (bytes > 2 && bytes - 2 < sizeof job->asked)
        memcpy(job->asked, id + 1, bytes - 2); /* without its quotes */
    job->number = effect->number;
    struct lookup_request ask = {.token = token_of(ingress, request) | (uint64_t)(effect->index + 1) << LOOKUP_INDEX_SHIFT,
                                 .what = LOOKUP_JOBS,
                                 .now = now,
                                 .form = LOOKUP_DUPLICATE,
                                 .jobs = job,
                                 .job_count = 1};
    if (lookup_submit(ingress->options.lookup, &ask) == ERR_NONE)
        return true;
    free(job);
    return false;
}

static void take_enqueued(struct ingress *ingress, struct request *request, const struct effect *effect,
                          struct instant now)
{
    const struct result *result = &request->results[effect->index];
    if (effect->duplicate && effect->state == JOB_NONE && look_up_duplicate(ingress, request, effect, now))
        return;
    char id[PRODUCER_ID_MAX_BYTES * 6 + 3];
    size_t bytes = result->id_bytes < sizeof id ? result->id_bytes : 0;
    if (bytes > 0)
        memcpy(id, request->text.text + result->id_at, bytes); /* the text may move while it grows */
    size_t at = request->text.bytes;
    view_enqueued(&request->text, (struct span){id, bytes}, effect);
    have_result(request, effect->index, at);
}

/* ---- STATUS and CANCEL ---- */

static uint64_t number_of(const struct ingress *ingress, const char *text)
{
    struct job_ref ref;
    if (!job_ref_parse(text, &ref))
        return 0;
    if (ref.number != 0)
        return ref.number;
    return core_job_by_id(ingress->options.core, job_id_hash(ingress->options.hash, ref.pool, ref.id));
}

static void fill_lookup_job(const struct ingress *ingress, struct lookup_job *job, uint64_t number, struct instant now)
{
    const struct conf *conf = ingress->options.conf;
    job->number = number;
    job->is_live = core_job_view(ingress->options.core, number, now, &job->view);
    if (job->is_live && job->view.pool < conf->pool_count)
        memcpy(job->pool, conf->pools[job->view.pool].name, sizeof job->pool);
}

static void read_ids(struct ingress *ingress, struct request *request, size_t first, struct lookup_job *jobs)
{
    for (size_t i = 0; i < request->count; i++) {
        struct frame frame = message_frame(ingress->message, first + i);
        if (!frame_text(frame, jobs[i].asked, sizeof jobs[i].asked))
            jobs[i].asked[0] = '\0';
        request->results[i].number = jobs[i].asked[0] == '\0' ? 0 : number_of(ingress, jobs[i].asked);
    }
}

/* Asks the readers for the views of those items that are (`live`) or are not cancelled live ones. */
static void look_up(struct ingress *ingress, struct request *request, struct lookup_job *all, bool live,
                    enum lookup_form form, struct instant now)
{
    struct lookup_job *jobs = calloc(request->count, sizeof *jobs);
    size_t count = 0;
    for (size_t i = 0; jobs != NULL && i < request->count; i++) {
        if (request->results[i].is_live != live)
            continue;
        jobs[count] = all[i];
        fill_lookup_job(ingress, &jobs[count++], request->results[i].number, now);
    }
    struct lookup_request ask = {.token = token_of(ingress, request) | (live ? LOOKUP_LIVE : 0),
                                 .what = LOOKUP_JOBS,
                                 .now = now,
                                 .form = form,
                                 .jobs = jobs,
                                 .job_count = count};
    if (count > 0 && lookup_submit(ingress->options.lookup, &ask) == ERR_NONE)
        return;
    free(jobs);
    for (uint32_t i = 0; count > 0 && i < request->count; i++) {
        if (request->results[i].is_live != live)
            continue;
        struct error_view busy = {.code = CODE_BUSY};
        size_t at = request->text.bytes;
        view_refused(&request->text, (struct span){0}, &busy);
        have_result(request, i, at);
    }
}

static void status(struct ingress *ingress, struct request *request, size_t first, struct instant now)
{
    struct lookup_job *jobs = calloc(request->count, sizeof *jobs);
    if (jobs == NULL) {
        send_error(ingress, request, CODE_BUSY, "out of memory");
        finish(ingress, request);
        return;
    }
    read_ids(ingress, request, first, jobs);
    look_up(ingress, request, jobs, false, LOOKUP_VIEW, now);
    free(jobs);
    answer_if_whole(ingress, request);
}

/* Live jobs are asked to end now; what became of them is looked up once that is durable. */
static void cancel(struct ingress *ingress, struct request *request, size_t first, struct instant now,
                   struct effects *out)
{
    struct lookup_job *jobs = calloc(request->count, sizeof *jobs);
    if (jobs == NULL) {
        send_error(ingress, request, CODE_BUSY, "out of memory");
        finish(ingress, request);
        return;
    }
    read_ids(ingress, request, first, jobs);
    uint64_t token = token_of(ingress, request);
    for (uint32_t i = 0; i < request->count; i++) {
        struct job_view view;
        request->results[i].is_live = core_job_view(ingress->options.core, request->results[i].number, now, &view);
        if (request->results[i].is_live && ++request->cancels > 0)
            core_cancel(ingress->options.core, token, i, request->results[i].number, now, out);
    }
    look_up(ingress, request, jobs, false, LOOKUP_CANCEL, now);
    free(jobs);
    answer_if_whole(ingress, request);
}

/* ---- what comes back ---- */

/* All CANCELs of live jobs are durable: their views can be read. */
static void take_cancelled(struct ingress *ingress, struct request *request, const struct effect *effect,
                           struct instant now)
{
    request->results[effect->index].number = effect->number;
    if (--request->cancels > 0)
        return;
    struct lookup_job *jobs = calloc(request->count, sizeof *jobs);
    if (jobs == NULL)
        return;
    for (size_t i = 0; i < request->count; i++)
        job_number_format(request->results[i].number, jobs[i].asked);
    look_up(ingress, request, jobs, true, LOOKUP_VIEW, now);
    free(jobs);
}

void ingress_effect(struct ingress *ingress, const struct effect *effect, struct instant now)
{
    struct request *request = request_of(ingress, effect->token);
    if (request == NULL || effect->index >= request->count)
        return;
    if (effect->kind == EFFECT_CANCELLED)
        take_cancelled(ingress, request, effect, now);
    else
        take_enqueued(ingress, request, effect, now);
    answer_if_whole(ingress, request);
}

static void take_item(struct request *request, uint32_t index, const struct lookup_answer *answer, size_t item,
                      size_t *from)
{
    size_t at = request->text.bytes;
    json_put_raw(&request->text, answer->text.text + *from, answer->items[item].bytes);
    *from += answer->items[item].bytes;
    have_result(request, index, at);
}

static void take_failure(struct request *request, uint32_t index)
{
    struct error_view busy = {.code = CODE_BUSY};
    size_t at = request->text.bytes;
    view_refused(&request->text, (struct span){0}, &busy);
    have_result(request, index, at);
}

void ingress_looked_up(struct ingress *ingress, struct lookup_answer *answer)
{
    struct request *request = request_of(ingress, answer->token);
    uint32_t only = (uint32_t)(answer->token >> LOOKUP_INDEX_SHIFT & LOOKUP_INDEX_MASK);
    bool live = (answer->token & LOOKUP_LIVE) != 0;
    size_t item = 0;
    size_t from = 0;
    for (uint32_t i = 0; request != NULL && i < request->count; i++) {
        if (only != 0 ? i != only - 1 : request->results[i].is_live != live || request->ask == ASK_ENQUEUE)
            continue;
        if (answer->err == ERR_NONE && item < answer->item_count)
            take_item(request, i, answer, item++, &from);
        else
            take_failure(request, i);
    }
    if (request != NULL)
        answer_if_whole(ingress, request);
    lookup_answer_free(answer);
}

void ingress_retry(struct ingress *ingress, struct instant now)
{
    replies_retry(ingress->replies, now);
}

int64_t ingress_next_mono_ms(const struct ingress *ingress)
{
    return replies_next_mono_ms(ingress->replies);
}

/* ---- reading ---- */

/* Peer, an empty delimiter (REQ) or none (DEALER). Returns the index of the version frame; 0: no request at all. */
static size_t read_peer(const struct message *message, struct request *request)
{
    struct frame peer = message_frame(message, 0);
    if (peer.bytes == 0 || peer.bytes > sizeof request->peer)
        return 0;
    memcpy(request->peer, peer.data, peer.bytes);
    request->peer_bytes = (uint16_t)peer.bytes;
    request->delimiter = message_frame_count(message) > 1 && message_frame(message, 1).bytes == 0;
    return request->delimiter ? 2 : 1;
}

static void send_pong(struct ingress *ingress, struct request *request, struct instant now)
{
    struct core_status status;
    core_status_read(ingress->options.core, now, &status);
    struct json_out text = {0};
    json_open(&text, '{');
    json_key(&text, "version");
    json_put_string(&text, ingress->options.version);
    json_key(&text, "broker");
    json_put_string(&text, ingress->options.broker);
    json_key(&text, "time");
    json_put_time(&text, now.wall_ms);
    json_key(&text, "queued");
    json_put_int(&text, (int64_t)status.jobs);
    json_key(&text, "jobs_max");
    json_put_int(&text, ingress->options.conf->broker.jobs_max);
    json_close(&text, '}');
    size_t count = put_head(ingress->frames, request, "PONG");
    ingress->frames[count++] = (struct frame){text.text, text.bytes};
    replies_send(ingress->replies, ingress->frames, count);
    json_out_free(&text);
}

struct form { /* what is wrong with a message as a whole, or what it asks */
    enum code code;
    const char *message;
    enum ask ask;
    bool ping;
};

static struct form malformed(enum code code, const char *message)
{
    return (struct form){.code = code, .message = message};
}

static struct form read_form(const struct message *message, size_t at, bool too_many, struct request *request)
{
    struct frame id = message_frame(message, at + 2);
    size_t frames = message_frame_count(message);
    if (!frame_is(message_frame(message, at), WIRE_VERSION))
        return malformed(CODE_UNSUPPORTED_VERSION, "the first frame must be LW1");
    if (id.bytes <= sizeof request->request_id && frames > at + 2) {
        memcpy(request->request_id, id.data == NULL ? "" : id.data, id.bytes);
        request->request_id_bytes = (uint8_t)id.bytes;
    } else {
        return malformed(CODE_MALFORMED, frames > at + 2 ? "the request id is longer than 64 bytes"
                                                         : "a request has at least LW1, a command and a request id");
    }
    if (message_bytes(message) > WIRE_REQUEST_BYTES_MAX)
        return malformed(CODE_TOO_LARGE, "a request is at most 8 MiB");
    struct frame command = message_frame(message, at + 1);
    struct form form = {0};
    if (frame_is(command, "PING"))
        form.ping = true;
    else if (frame_is(command, "ENQUEUE"))
        form.ask = ASK_ENQUEUE;
    else if (frame_is(command, "STATUS"))
        form.ask = ASK_STATUS;
    else if (frame_is(command, "CANCEL"))
        form.ask = ASK_CANCEL;
    else
        return malformed(CODE_UNKNOWN_COMMAND, "the command must be ENQUEUE, STATUS, CANCEL or PING");
    if (form.ping)
        return form;
    if (too_many || frames - at - 3 > WIRE_ENQUEUE_JOBS_MAX)
        return malformed(CODE_TOO_MANY, "a request has at most 1024 items");
    if (frames == at + 3)
        return malformed(CODE_MALFORMED, "a request has at least one item");
    return form;
}

static struct request *new_request(struct ingress *ingress, const struct request *head, size_t count, enum ask ask)
{
    if (ingress->free_count == 0)
        return NULL;
    struct request *request = &ingress->requests[ingress->free_slots[ingress->free_count - 1]];
    struct result *results = calloc(count, sizeof *results);
    if (results == NULL)
        return NULL;
    ingress->free_count--;
    struct json_out text = request->text;
    *request = *head;
    request->text = text;
    json_out_clear(&request->text);
    request->used = true;
    request->ask = ask;
    request->generation = ++ingress->generation;
    request->results = results;
    request->count = request->missing = count;
    return request;
}

static void carry_out(struct ingress *ingress, struct request *request, size_t first, bool store_full,
                      struct instant now, struct effects *out)
{
    if (request->ask == ASK_STATUS) {
        status(ingress, request, first, now);
    } else if (request->ask == ASK_CANCEL) {
        cancel(ingress, request, first, now, out);
    } else {
        enqueue(ingress, request, first, store_full, now, out);
        answer_if_whole(ingress, request);
    }
}

bool ingress_read(struct ingress *ingress, bool store_full, struct instant now, struct effects *out)
{
    enum err err = message_receive(ingress->message, ingress->options.socket);
    if (err != ERR_NONE && err != ERR_FULL)
        return false;
    struct request head = {0};
    size_t at = read_peer(ingress->message, &head);
    if (at == 0)
        return true;
    struct form form = read_form(ingress->message, at, err == ERR_FULL, &head);
    if (form.code != CODE_NONE) {
        send_error(ingress, &head, form.code, form.message);
        return true;
    }
    if (form.ping) {
        send_pong(ingress, &head, now);
        return true;
    }
    size_t first = at + 3;
    struct request *request = new_request(ingress, &head, message_frame_count(ingress->message) - first, form.ask);
    if (request == NULL) {
        send_error(ingress, &head, CODE_BUSY, "too many requests wait for their answer");
        return true;
    }
    carry_out(ingress, request, first, store_full, now, out);
    return true;
}

/* ---- HTTP ---- */

void ingress_enqueue_http(struct ingress *ingress, const struct admin_enqueue *ask, bool store_full,
                          struct instant now, struct effects *out)
{
    struct enqueue_batch batch = {.parser = {.conf = ingress->options.conf,
                                             .hash = ingress->options.hash,
                                             .core = ingress->options.core,
                                             .pools = ask->pools},
                                  .store_full = store_full};
    for (uint32_t i = 0; i < ask->count; i++) {
        struct span id;
        struct job_refusal refusal = {0};
        if (offer(ingress, &batch, ask->jobs[i], ask->token, i, &id, &refusal, now, out)) {
            ingress->options.persist(ingress->options.persist_self, now, out);
            continue;
        }
        struct error_view error = error_of(&refusal);
        ask->refuse(ask->refuse_self, ask->token, i, &error);
    }
}
