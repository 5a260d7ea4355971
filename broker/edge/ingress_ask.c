/* ingress_ask.c — STATUS and CANCEL. What the core says of a job may be ahead of the disk, so both wait until all
 * that it knew when they came is durable (an EFFECT_ANSWER of their own says so); then the readers are asked. */
#include "broker/edge/ingress_request.h"

#include <stdlib.h>
#include <string.h>

static uint64_t number_of(const struct ingress *ingress, struct frame name)
{
    char text[PRODUCER_ID_MAX_BYTES + NAME_MAX_BYTES + 2];
    struct job_ref ref;
    if (!frame_text(name, text, sizeof text) || !job_ref_parse(text, &ref))
        return 0;
    if (ref.number != 0)
        return ref.number;
    if (!name_in_list(ingress->pools, ref.pool))
        return 0;
    return core_job_by_id(ingress->options.core, job_id_hash(ingress->options.hash, ref.pool, ref.id));
}

/* One that nobody here has heard of may be known to the broker that owns its pool. */
static void refuse_unknown(struct ingress *ingress, struct request *request, uint32_t index, struct frame name)
{
    char text[PRODUCER_ID_MAX_BYTES + NAME_MAX_BYTES + 2], sentence[200];
    struct job_ref ref;
    struct error_view error = {.code = CODE_NOT_FOUND};
    struct owner_place owner = {NULL, NULL};
    uint32_t pool;
    if (frame_text(name, text, sizeof text) && job_ref_parse(text, &ref) && ref.number == 0 &&
        owners_find_pool(ingress->options.conf, ingress->options.owners, ingress->pools, ref.pool, &pool, &owner) == CODE_NOT_OWNER) {
        owners_say(&owner, sentence, sizeof sentence);
        error = (struct error_view){.code = CODE_NOT_OWNER,
                                    .message = sentence,
                                    .owner = owner.producers,
                                    .owner_admin = owner.admin};
    }
    request_refuse_with(request, index, &error);
}

/* What nobody has heard of is answered without asking further. */
static void read_names(struct ingress *ingress, struct request *request, size_t first)
{
    for (uint32_t i = 0; i < request->count; i++) {
        struct frame name = message_frame(ingress->message, first + i);
        size_t bytes = name.bytes < INGRESS_NAME_BYTES_MAX ? name.bytes : INGRESS_NAME_BYTES_MAX;
        request->results[i].number = number_of(ingress, name);
        request_keep_name(request, i, name.data, bytes);
        if (request->results[i].number == 0)
            refuse_unknown(ingress, request, i, name);
    }
}

/* Live jobs are judged here, since they are about to be changed; the others by the readers, who know their pool. */
static bool may_touch(const struct ingress *ingress, const struct job_view *view)
{
    const struct conf *conf = ingress->options.conf;
    return ingress->pools == NULL ||
           (view->pool < conf->pool_count && name_in_list(ingress->pools, conf->pools[view->pool].name));
}

static void mark(struct request *request, uint32_t index, enum look look)
{
    request->results[index].look = look;
    request->looks++;
}

/* Comes back once all that was decided until now is durable; at once if there is nothing to ask then. */
static void await_commit(struct ingress *ingress, struct request *request, struct effects *out)
{
    if (request->missing == 0)
        request_answer_if_whole(ingress, request);
    else
        out->effects[out->effect_count++] =
            (struct effect){.kind = EFFECT_ANSWER, .token = request_token(ingress, request, LOOK_NOT)};
}

void ingress_status(struct ingress *ingress, struct request *request, size_t first, struct effects *out)
{
    read_names(ingress, request, first);
    for (uint32_t i = 0; i < request->count; i++)
        if (!request->results[i].there)
            mark(request, i, LOOK_VIEW);
    await_commit(ingress, request, out);
}

void ingress_cancel(struct ingress *ingress, struct request *request, size_t first, struct instant now,
                    struct effects *out)
{
    uint64_t token = request_token(ingress, request, LOOK_NOT);
    read_names(ingress, request, first);
    for (uint32_t i = 0; i < request->count; i++) {
        struct job_view view;
        uint64_t number = request->results[i].number;
        if (request->results[i].there)
            continue;
        bool is_live = core_job_view(ingress->options.core, number, now, &view);
        if (is_live && !may_touch(ingress, &view)) {
            request_refuse(request, i, CODE_NOT_FOUND);
            continue;
        }
        mark(request, i, is_live ? LOOK_VIEW : LOOK_FINAL);
        if (!is_live)
            continue;
        core_cancel(ingress->options.core, token, i, number, now, out);
        ingress->options.persist(ingress->options.persist_self, now, out);
    }
    await_commit(ingress, request, out);
}
