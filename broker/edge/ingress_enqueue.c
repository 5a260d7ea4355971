/* ingress_enqueue.c — ENQUEUE, and HTTP's way in: parse, offer to the core, and the result of each job once it is
 * durable. */
#include "broker/edge/ingress_request.h"

#include <string.h>

struct offering { /* of one request */
    struct job_parser parser;
    bool store_full;
    enum code closed; /* as in struct enqueuing */
};

static struct offering offering_of(const struct ingress *ingress, const char *pools, bool store_full)
{
    return (struct offering){.parser = {.conf = ingress->options.conf,
                                        .hash = ingress->options.hash,
                                        .core = ingress->options.core,
                                        .owners = ingress->options.owners,
                                        .pools = pools},
                             .store_full = store_full};
}

static void close_after(struct offering *offering, enum code code)
{
    if (offering->closed == CODE_NONE && (code == CODE_BUSY || code == CODE_STORE_FULL))
        offering->closed = code;
}

/* Parses and offers one job to the core, whose EFFECT_ENQUEUED is the last one then. False: *refusal says why it did
 * not get there. */
static bool offer(struct ingress *ingress, struct offering *offering, struct frame text, uint64_t token,
                  uint32_t index, struct span *id, struct job_refusal *refusal, struct instant now,
                  struct effects *out)
{
    struct core_enqueue job;
    /* What can only be refused, or be there already, leaves no new names behind. */
    bool may_be_taken = !offering->store_full && offering->closed == CODE_NONE;
    struct effects *names = may_be_taken ? out : NULL;
    if (!job_parse(&offering->parser, text.data, text.bytes, &job, &ingress->texts, id, refusal, names)) {
        close_after(offering, refusal->code);
        return false;
    }
    if (offering->closed != CODE_NONE) {
        *refusal = (struct job_refusal){.code = offering->closed};
        return false;
    }
    job.token = token;
    job.index = index;
    core_enqueue(ingress->options.core, &job, offering->store_full, now, out);
    close_after(offering, out->effects[out->effect_count - 1].code);
    return true;
}

static struct error_view error_of(const struct job_refusal *refusal)
{
    return (struct error_view){.code = refusal->code,
                               .message = refusal->message[0] == '\0' ? NULL : refusal->message,
                               .field = refusal->field[0] == '\0' ? NULL : refusal->field,
                               .owner = refusal->owner.producers,
                               .owner_admin = refusal->owner.admin};
}

bool ingress_enqueue(struct ingress *ingress, struct request *request, size_t first, struct enqueuing *at_item,
                     bool store_full, struct instant now, struct effects *out)
{
    struct offering offering = offering_of(ingress, ingress->pools, store_full);
    uint64_t token = request_token(ingress, request, LOOK_NOT);
    size_t bytes = 0;
    offering.closed = at_item->closed;
    ingress->refused = true; /* until one gets to the core */
    for (; at_item->next < request->count && bytes < INGRESS_SLICE_BYTES; at_item->next++) {
        uint32_t i = at_item->next;
        struct span id;
        struct job_refusal refusal = {0};
        struct frame text = message_frame(ingress->message, first + i);
        bytes += text.bytes;
        if (offer(ingress, &offering, text, token, i, &id, &refusal, now, out)) {
            ingress->refused = false;
            request_keep_name(request, i, id.data, id.bytes);
            ingress->options.persist(ingress->options.persist_self, now, out); /* its texts are lent until here */
            continue;
        }
        struct error_view error = error_of(&refusal);
        size_t at = request->text.bytes;
        view_refused(&request->text, id, &error);
        request_have_result(request, i, at);
    }
    at_item->closed = offering.closed;
    bool read_all = at_item->next == request->count;
    if (read_all) /* the core's word on all before may be there already */
        ingress_go_on(ingress, request, now);
    return read_all;
}

/* A duplicate of a final job is looked up: how it ended is on disk. */
void ingress_enqueued(struct ingress *ingress, struct request *request, const struct effect *effect)
{
    struct result *result = &request->results[effect->index];
    (void)ingress;
    if (effect->duplicate && effect->state == JOB_NONE) {
        result->number = effect->number;
        result->look = LOOK_DUPLICATE;
        request->looks++;
        return;
    }
    char id[JOB_ID_TEXT_MAX];
    struct span name = request_name(request, effect->index);
    memcpy(id, name.bytes == 0 ? "" : name.data, name.bytes); /* the text may move while it grows */
    size_t at = request->text.bytes;
    view_enqueued(&request->text, (struct span){id, name.bytes}, effect);
    request_have_result(request, effect->index, at);
}

/* The same judgement without the deed. */
static bool rehearse(struct ingress *ingress, struct offering *offering, const struct admin_enqueue *ask, uint32_t index,
                     struct job_refusal *refusal, struct instant now)
{
    struct core_enqueue job;
    struct core_would would;
    struct span id;
    if (!job_parse(&offering->parser, ask->jobs[index].data, ask->jobs[index].bytes, &job, &ingress->texts, &id, refusal,
                   NULL))
        return false;
    job.token = ask->token;
    job.index = index;
    core_would_enqueue(ingress->options.core, &job, offering->store_full, now, &would);
    ask->would(ask->refuse_self, ask->token, index, &would);
    return true;
}

void ingress_enqueue_http(struct ingress *ingress, const struct admin_enqueue *ask, bool store_full,
                          struct instant now, struct effects *out)
{
    struct offering offering = offering_of(ingress, ask->pools, store_full);
    for (uint32_t i = 0; i < ask->count; i++) {
        struct span id;
        struct job_refusal refusal = {0};
        if (ask->would != NULL) {
            if (rehearse(ingress, &offering, ask, i, &refusal, now))
                continue;
        } else if (offer(ingress, &offering, ask->jobs[i], ask->token, i, &id, &refusal, now, out)) {
            if (ask->said != NULL)
                ask->said(ask->refuse_self, ask->token, i, &out->effects[out->effect_count - 1]);
            ingress->options.persist(ingress->options.persist_self, now, out);
            continue;
        }
        struct error_view error = error_of(&refusal);
        ask->refuse(ask->refuse_self, ask->token, i, &error);
    }
}

enum code ingress_requeue(struct ingress *ingress, const struct admin_requeue *ask, bool store_full, struct instant now,
                          struct effects *out)
{
    struct offering offering = offering_of(ingress, ask->pools, store_full);
    offering.parser.requeues = true;
    struct core_requeue letter = *ask->letter;
    struct job_refusal refusal = {0};
    struct span id;
    if (!job_parse(&offering.parser, ask->document.data, ask->document.bytes, &letter.job, &ingress->texts, &id, &refusal,
                   out))
        return refusal.code;
    letter.job.expires_ms = ask->expires_ms;
    enum code code = core_requeue(ingress->options.core, &letter, store_full, now, out);
    ingress->options.persist(ingress->options.persist_self, now, out); /* its texts are lent until here */
    struct conversation_view home = {0};
    if (code == CODE_LINE_CONFLICT && core_conversation_view(ingress->options.core, letter.job.conversation, &home))
        *ask->home = home.line;
    return code;
}
