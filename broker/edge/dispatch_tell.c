/* dispatch_tell.c — what workers are told: JOBs and DONEs gathered for one message, READY and REVOKE in their place
 * between them. */
#include <stdlib.h>
#include <string.h>

#include "broker/edge/dispatch_part.h"
#include "broker/edge/job_frame.h"
#include "lineward/json.h"
#include "lineward/log.h"

#define JOBS_BYTES_MAX (1024u * 1024) /* of one message: more is sent in several */
#define UNREADABLE_MS  60000

/* ---- one message ---- */

static size_t put_head(struct frame *frames, struct frame id, const char *command)
{
    frames[0] = id;
    frames[1] = (struct frame){WIRE_VERSION, strlen(WIRE_VERSION)};
    frames[2] = (struct frame){command, strlen(command)};
    return 3;
}

void dispatch_send(struct dispatch *dispatch, struct frame id, const char *command, const void *text, size_t bytes)
{
    struct frame frames[4];
    size_t count = put_head(frames, id, command);
    frames[count++] = (struct frame){text, bytes};
    replies_send(dispatch->replies, frames, count);
}

void dispatch_error(struct dispatch *dispatch, struct frame id, enum code code, const char *message)
{
    struct json_out text = {0};
    struct error_view error = {.code = code, .message = message};
    view_error_body(&text, &error);
    if (!text.failed)
        dispatch_send(dispatch, id, "ERR", text.text, text.bytes);
    json_out_free(&text);
}

static void tell_unknown(struct dispatch *dispatch, uint32_t peer)
{
    dispatch_error(dispatch, dispatch_id(dispatch, peer), CODE_UNKNOWN_WORKER, "say READY again");
}

void dispatch_let_go(struct dispatch *dispatch, uint32_t peer, struct instant now, struct effects *out)
{
    core_worker_gone(dispatch->options.core, peer, now, out);
    tell_unknown(dispatch, peer);
}

/* ---- what gathers ---- */

void dispatch_outgoing_free(struct outgoing **outgoing_p)
{
    if (*outgoing_p != NULL)
        json_out_free(&(*outgoing_p)->text);
    free(*outgoing_p);
    *outgoing_p = NULL;
}

static struct outgoing *outgoing_of(struct dispatch *dispatch, uint32_t at, bool jobs)
{
    struct peer *peer = &dispatch->peers[at];
    struct outgoing **outgoing = jobs ? &peer->jobs : &peer->done;
    if (*outgoing == NULL)
        *outgoing = calloc(1, sizeof **outgoing);
    if (!peer->touched) {
        peer->touched = true;
        dispatch->touched[dispatch->touched_count++] = at;
    }
    return *outgoing;
}

static void outgoing_clear(struct outgoing *outgoing)
{
    outgoing->count = 0;
    json_out_clear(&outgoing->text);
    if (outgoing->text.room > JOBS_BYTES_MAX)
        json_out_free(&outgoing->text);
}

/* JOBs and DONEs share their frames' form but for the JSON. */
static size_t put_frames(struct dispatch *dispatch, uint32_t peer, const struct outgoing *outgoing, bool jobs)
{
    size_t count = put_head(dispatch->frames, dispatch_id(dispatch, peer), jobs ? "JOB" : "DONE");
    uint32_t from = 0;
    for (size_t i = 0; i < outgoing->count; i++) {
        lease_format(outgoing->lease[i], dispatch->leases[i]);
        dispatch->frames[count++] = (struct frame){dispatch->leases[i], strlen(dispatch->leases[i])};
        if (!jobs)
            continue;
        dispatch->frames[count++] = (struct frame){outgoing->text.text + from, outgoing->end[i] - from};
        from = outgoing->end[i];
    }
    return count;
}

static void send_done(struct dispatch *dispatch, uint32_t peer, struct outgoing *done)
{
    if (done == NULL || done->count == 0)
        return;
    size_t count = put_frames(dispatch, peer, done, false);
    replies_send(dispatch->replies, dispatch->frames, count); /* lost: the worker sends its result again */
    outgoing_clear(done);
}

/* What a worker does not take now must not lie about: it comes back at once, and a worker that is gone, or reads so
 * little that its queue is full, gets no more until it says READY again. */
static void send_jobs(struct dispatch *dispatch, uint32_t peer, struct outgoing *jobs, struct instant now,
                      struct effects *out)
{
    if (jobs == NULL || jobs->count == 0)
        return;
    size_t count = put_frames(dispatch, peer, jobs, true);
    enum err err = replies_try(dispatch->replies, dispatch->frames, count);
    for (size_t i = 0; err != ERR_NONE && i < jobs->count; i++)
        core_lease_unsent(dispatch->options.core, jobs->lease[i], now, out);
    outgoing_clear(jobs);
    if (err == ERR_NONE)
        return;
    log_event(LOG_WARN, "worker_unreachable", "err=%s", err_name(err));
    dispatch_let_go(dispatch, peer, now, out);
    dispatch->options.persist(dispatch->options.persist_self, now, out);
}

/* A hash only finds: other recipients are behind it than the conversation's. Never send into a stranger's chat. */
static void refuse_collision(struct dispatch *dispatch, const struct effect *effect, struct instant now,
                             struct effects *out)
{
    static const char text[] = "{\"error\":{\"code\":\"invalid_recipient\",\"message\":"
                               "\"its conversation's hash belongs to other recipients\"}}";
    struct core_result result = {.peer = effect->peer,
                                 .lease = effect->lease,
                                 .outcome = OUTCOME_REJECTED,
                                 .retry_after_ms = -1,
                                 .result = {text, sizeof text - 1}};
    log_event(LOG_ERROR, "conversation_collision", "lease=%llu", (unsigned long long)effect->lease);
    core_worker_result(dispatch->options.core, &result, now, out);
}

/* Its record cannot be read: surely not sent now, and not to be tried as fast as can be. An earlier try whose outcome
 * is unknown stays so. */
static void put_off(struct dispatch *dispatch, const struct lease_view *lease, enum err err, struct instant now,
                    struct effects *out)
{
    static const char text[] = "{\"error\":{\"code\":\"unreadable\",\"message\":"
                               "\"its record in the store cannot be read\"}}";
    struct core_result result = {.peer = lease->peer,
                                 .lease = lease->lease,
                                 .outcome = OUTCOME_RETRY,
                                 .unknown = lease->unsettled,
                                 .retry_after_ms = UNREADABLE_MS,
                                 .http_status = 0,
                                 .result = {text, sizeof text - 1}};
    char number[JOB_NUMBER_TEXT_MAX];
    job_number_format(lease->number, number);
    log_event(LOG_ERROR, "job_unreadable", "job=%s err=%s", number, err_name(err));
    core_worker_result(dispatch->options.core, &result, now, out);
}

/* What was written of the last job goes again. */
static void unwrite(struct outgoing *jobs, size_t before)
{
    jobs->text.bytes = before;
    jobs->text.failed = false;
}

static enum err write_job(struct dispatch *dispatch, const struct lease_view *lease, struct outgoing *jobs,
                          struct job_frame_facts *facts)
{
    size_t before = jobs->text.bytes;
    jobs->text.comma = false;
    enum err err = job_frame_write(&dispatch->options.archive, dispatch->options.conf, dispatch->options.core, lease,
                                   dispatch->options.hash, facts, &jobs->text);
    if (jobs->text.failed)
        err = ERR_NO_MEMORY;
    if (err != ERR_NONE)
        unwrite(jobs, before);
    return err;
}

/* Of its first try, until now; below 0: this is another one, or a job that was there before. */
static int64_t waited_ms(const struct lease_view *lease, const struct job_frame_facts *facts, struct instant now)
{
    int64_t waited = now.wall_ms - facts->ready_at_ms;
    if (lease->attempt != 1 || facts->ready_at_ms == 0)
        return -1;
    return waited < 0 ? 0 : waited;
}

/* Written first: only the record says who the recipient is, and whoever has opted out since is not sent to. */
static void add_job(struct dispatch *dispatch, const struct effect *effect, struct instant now, struct effects *out)
{
    struct core *core = dispatch->options.core;
    struct lease_view view;
    struct job_frame_facts facts = {0};
    if (!core_lease_view(core, effect->lease, &view))
        return;
    struct outgoing *jobs = outgoing_of(dispatch, effect->peer, true);
    size_t before = jobs == NULL ? 0 : jobs->text.bytes;
    enum err err = jobs == NULL ? ERR_NO_MEMORY : write_job(dispatch, &view, jobs, &facts);
    bool suppressed = err == ERR_NONE && core_lease_suppressed(core, effect->lease, facts.recipient, now, out);
    if (suppressed || !core_lease_send(core, effect->lease, now, out)) {
        if (err == ERR_NONE)
            unwrite(jobs, before);
        return;
    }
    if (err == ERR_NONE) {
        jobs->lease[jobs->count] = effect->lease;
        jobs->end[jobs->count++] = (uint32_t)jobs->text.bytes;
        timings_leased(dispatch->options.timings, effect->lease, waited_ms(&view, &facts, now));
    } else if (err == ERR_EXISTS) {
        refuse_collision(dispatch, effect, now, out);
    } else if (err == ERR_NO_MEMORY || err == ERR_NOT_FOUND) { /* moved meanwhile: its place will be told */
        core_lease_unsent(core, effect->lease, now, out);
    } else {
        put_off(dispatch, &view, err, now, out);
    }
    if (jobs != NULL && (jobs->count == WIRE_WORKER_ITEMS_MAX || jobs->text.bytes > JOBS_BYTES_MAX))
        send_jobs(dispatch, effect->peer, jobs, now, out);
}

static void add_done(struct dispatch *dispatch, const struct effect *effect)
{
    struct outgoing *done = outgoing_of(dispatch, effect->peer, false);
    if (done == NULL)
        return; /* the worker sends its result again */
    done->lease[done->count++] = effect->lease;
    if (done->count == WIRE_WORKER_ITEMS_MAX)
        send_done(dispatch, effect->peer, done);
}

static void send_ready(struct dispatch *dispatch, uint32_t peer)
{
    struct json_out text = {0};
    json_open(&text, '{');
    json_key(&text, "broker");
    json_put_string(&text, dispatch->options.broker);
    json_key(&text, "heartbeat_ms");
    json_put_int(&text, dispatch->options.conf->broker.heartbeat_ms);
    json_close(&text, '}');
    if (!text.failed)
        dispatch_send(dispatch, dispatch_id(dispatch, peer), "READY", text.text, text.bytes);
    json_out_free(&text);
}

static void send_revoke(struct dispatch *dispatch, const struct effect *effect)
{
    char lease[LEASE_TEXT_MAX];
    lease_format(effect->lease, lease);
    dispatch_send(dispatch, dispatch_id(dispatch, effect->peer), "REVOKE", lease, strlen(lease));
}

void dispatch_effect(struct dispatch *dispatch, const struct effect *effect, struct instant now, struct effects *out)
{
    switch (effect->kind) {
    case EFFECT_JOB:
        add_job(dispatch, effect, now, out);
        break;
    case EFFECT_DONE:
        add_done(dispatch, effect);
        break;
    case EFFECT_READY:
        dispatch_flush(dispatch, now, out); /* what came before it must not follow it */
        send_ready(dispatch, effect->peer);
        break;
    case EFFECT_REVOKE:
        dispatch_flush(dispatch, now, out); /* a JOB gathered but not sent must not overtake its REVOKE */
        send_revoke(dispatch, effect);
        break;
    case EFFECT_UNKNOWN_WORKER:
        tell_unknown(dispatch, effect->peer);
        break;
    case EFFECT_ENQUEUED:
    case EFFECT_CANCELLED:
    case EFFECT_ANSWER:
    case EFFECT_ADOPTED:
    case EFFECT_POLL:
    case EFFECT_ALERT:
    case EFFECT_SERVICE:
        break;
    }
}

void dispatch_flush(struct dispatch *dispatch, struct instant now, struct effects *out)
{
    for (uint32_t i = 0; i < dispatch->touched_count; i++) {
        uint32_t at = dispatch->touched[i];
        struct peer *peer = &dispatch->peers[at];
        peer->touched = false;
        send_done(dispatch, at, peer->done);
        send_jobs(dispatch, at, peer->jobs, now, out);
    }
    dispatch->touched_count = 0;
}

void dispatch_retry(struct dispatch *dispatch, struct instant now)
{
    replies_retry(dispatch->replies, now);
}

int64_t dispatch_next_mono_ms(const struct dispatch *dispatch)
{
    return replies_next_mono_ms(dispatch->replies);
}
