/* ingress_look.c — results that lie on disk: the readers (lookup.h) are asked for all items of a request at once, a
 * few requests at a time, so that what they answer stays bounded; the others wait. A peer's wait in the order in which
 * they came; peers take turns, so that whoever asks much waits for itself. */
#include "broker/edge/ingress_request.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define LOOKUPS_MAX      8
#define LOOKUPS_PEER_MAX 2 /* one is read while the other's answer is taken */

static const enum lookup_form forms[LOOK_COUNT] = {
    [LOOK_VIEW] = LOOKUP_VIEW, [LOOK_FINAL] = LOOKUP_CANCEL, [LOOK_DUPLICATE] = LOOKUP_DUPLICATE};

void ingress_looks_init(struct ingress *ingress)
{
    for (size_t i = 0; i < REPLIES_BUCKETS; i++)
        ingress->looks[i].last = &ingress->looks[i].first;
}

struct look_queue *ingress_look_queue(struct ingress *ingress, const struct request *request)
{
    return &ingress->looks[replies_bucket((struct frame){request->peer, request->peer_bytes})];
}

/* ---- asking ---- */

/* The name as text: as it was asked for, or the id read from its JSON. "": it has none. */
static void copy_name(const struct request *request, uint32_t index, char *out, size_t room)
{
    struct span name = request_name(request, index);
    out[0] = '\0';
    if (request->ask != ASK_ENQUEUE) {
        frame_text((struct frame){name.data, name.bytes}, out, room);
        return;
    }
    cJSON *id = name.bytes == 0 ? NULL : json_parse(name.data, name.bytes, NULL);
    if (id != NULL && cJSON_IsString(id) && strlen(id->valuestring) < room)
        memcpy(out, id->valuestring, strlen(id->valuestring) + 1);
    cJSON_Delete(id);
}

static void fill(const struct ingress *ingress, const struct request *request, uint32_t index, struct instant now,
                 struct lookup_job *job)
{
    const struct conf *conf = ingress->options.conf;
    copy_name(request, index, job->asked, sizeof job->asked);
    job->number = request->results[index].number;
    job->is_live = core_job_view(ingress->options.core, job->number, now, &job->view);
    if (job->is_live && job->view.pool < conf->pool_count)
        memcpy(job->pool, conf->pools[job->view.pool].name, sizeof job->pool);
}

static enum err submit(struct ingress *ingress, const struct request *request, enum look look, struct instant now)
{
    assert(request->count > 0);
    struct lookup_job *jobs = calloc(request->count, sizeof *jobs);
    if (jobs == NULL)
        return ERR_NO_MEMORY;
    size_t count = 0;
    for (uint32_t i = 0; i < request->count; i++)
        if (request->results[i].look == look)
            fill(ingress, request, i, now, &jobs[count++]);
    struct lookup_request ask = {.token = request_token(ingress, request, look),
                                 .what = LOOKUP_JOBS,
                                 .now = now,
                                 .pools = request->pools,
                                 .form = forms[look],
                                 .ended_seq = core_ended_seq(ingress->options.core),
                                 .jobs = jobs,
                                 .job_count = count};
    enum err err = lookup_submit(ingress->options.lookup, &ask);
    if (err != ERR_NONE)
        free(jobs);
    return err;
}

/* Nobody can be asked: refused, but for a duplicate, whose end is then not told. */
static void give_up(struct request *request, enum look look)
{
    for (uint32_t i = 0; i < request->count; i++) {
        const struct result *result = &request->results[i];
        if (result->look != look || result->there)
            continue;
        if (look != LOOK_DUPLICATE) {
            request_refuse(request, i, CODE_BUSY);
            continue;
        }
        struct json_out id = {0};
        struct span name = request_name(request, i);
        json_put_raw(&id, name.data, name.bytes);
        size_t at = request->text.bytes;
        view_duplicate(&request->text, (struct span){id.text, id.bytes}, result->number, NULL);
        request_have_result(request, i, at);
        json_out_free(&id);
    }
}

/* False: it has to wait for a reader. */
static bool look_for(struct ingress *ingress, struct look_queue *queue, struct request *request, struct instant now)
{
    if (request->ask == ASK_STATUS &&
        replies_is_behind(ingress->replies, (struct frame){request->peer, request->peer_bytes})) {
        request_give_back(ingress, request, CODE_BUSY, "too many answers wait for you to read them");
        return true;
    }
    for (enum look look = LOOK_VIEW; look < LOOK_COUNT; look++) {
        if ((request->to_look & 1u << look) == 0)
            continue;
        enum err err = ingress->lookups < LOOKUPS_MAX ? submit(ingress, request, look, now) : ERR_BUSY;
        if (err == ERR_BUSY)
            return false;
        request->to_look &= ~(1u << look);
        if (err == ERR_NONE) {
            ingress->lookups++;
            queue->under_way++;
        } else {
            give_up(request, look);
        }
    }
    request_answer_if_whole(ingress, request);
    return true;
}

static void ask_readers(struct ingress *ingress, struct request *request, struct instant now)
{
    for (uint32_t i = 0; i < request->count; i++)
        if (request->results[i].look != LOOK_NOT)
            request->to_look |= 1u << request->results[i].look;
    struct look_queue *queue = ingress_look_queue(ingress, request);
    request->next_waiting = NULL;
    *queue->last = request;
    queue->last = &request->next_waiting;
    ingress->waiting++;
    ingress_look_on(ingress, now);
}

void ingress_go_on(struct ingress *ingress, struct request *request, struct instant now)
{
    if (request->missing > request->looks)
        return;
    if (request->looks > 0)
        ask_readers(ingress, request, now);
    else
        request_answer_if_whole(ingress, request);
}

/* NULL: all that wait have lookups enough under way. */
static struct look_queue *next_queue(struct ingress *ingress)
{
    for (size_t i = 0; i < REPLIES_BUCKETS; i++) {
        struct look_queue *queue = &ingress->looks[(ingress->look_turn + i) % REPLIES_BUCKETS];
        if (queue->first == NULL || queue->under_way >= LOOKUPS_PEER_MAX)
            continue;
        ingress->look_turn = (size_t)(queue - ingress->looks) + 1;
        return queue;
    }
    return NULL;
}

void ingress_look_on(struct ingress *ingress, struct instant now)
{
    while (ingress->waiting > 0 && ingress->lookups < LOOKUPS_MAX) {
        struct look_queue *queue = next_queue(ingress);
        if (queue == NULL)
            return;
        struct request *request = queue->first, *next = request->next_waiting;
        if (!look_for(ingress, queue, request, now))
            return;
        ingress->waiting--;
        queue->first = next;
        if (next == NULL)
            queue->last = &queue->first;
    }
}

/* ---- the answer ---- */

static void take(struct request *request, enum look look, const struct lookup_answer *answer)
{
    size_t item = 0;
    size_t from = 0;
    for (uint32_t i = 0; i < request->count && item < answer->item_count; i++) {
        if (request->results[i].look != look)
            continue;
        size_t at = request->text.bytes;
        json_put_raw(&request->text, answer->text.text + from, answer->items[item].bytes);
        request_have_result(request, i, at);
        from += answer->items[item++].bytes;
    }
}

void ingress_looked_up(struct ingress *ingress, struct lookup_answer *answer, struct instant now)
{
    enum look look;
    struct request *request = request_of_token(ingress, answer->token, &look);
    ingress->lookups--;
    if (request != NULL)
        ingress_look_queue(ingress, request)->under_way--;
    if (request != NULL && look > LOOK_NOT && look < LOOK_COUNT) {
        if (answer->err == ERR_NONE)
            take(request, look, answer);
        give_up(request, look); /* what the readers could not say */
        request_answer_if_whole(ingress, request);
    }
    lookup_answer_free(answer);
    ingress_look_on(ingress, now);
}
