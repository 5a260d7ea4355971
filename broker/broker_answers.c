/* broker_answers.c — what the store and the admin API ask of the broker. */
#include <signal.h>
#include <unistd.h>

#include "broker/broker_part.h"
#include "broker/edge/job_parse.h"
#include "broker/store/record.h"
#include "lineward/log.h"

/* ---- the store's questions ---- */

static enum err replay(void *self, unsigned kind, uint64_t key, uint64_t seq, bool past, const void *head,
                       size_t head_bytes, store_place place)
{
    struct broker *broker = self;
    struct record_storage storage;
    struct change change;
    if (!record_decode(kind, key, seq, head, head_bytes, &storage, &change))
        return ERR_DAMAGED;
    return core_restore(broker->core, &change, past, place);
}

static bool is_live(void *self, unsigned kind, uint64_t key, store_place place)
{
    const struct broker *broker = self;
    return core_is_live(broker->core, (enum change_kind)kind, key, place);
}

static void moved(void *self, unsigned kind, uint64_t key, store_place from, store_place to)
{
    struct broker *broker = self;
    core_moved(broker->core, (enum change_kind)kind, key, from, to);
}

static void renew(void *self, unsigned kind, uint64_t key, struct store_batch *batch)
{
    struct broker *broker = self;
    core_renew(broker->core, (enum change_kind)kind, key, broker->now, &broker->effects);
    for (size_t i = 0; i < broker->effects.change_count; i++)
        if (record_add(batch, &broker->effects.changes[i]) != ERR_NONE)
            broker->out_of_memory = true;
    broker->effects.change_count = 0;
}

static bool is_wanted(void *self, unsigned kind, uint64_t key, uint64_t seq, const void *head, size_t head_bytes)
{
    const struct broker *broker = self;
    struct record_storage storage;
    struct change change;
    return record_decode(kind, key, seq, head, head_bytes, &storage, &change) && core_wants(broker->core, &change);
}

struct store_owner broker_store_owner(struct broker *broker)
{
    return (struct store_owner){
        .self = broker, .replay = replay, .is_live = is_live, .moved = moved, .renew = renew, .is_wanted = is_wanted};
}

/* A large store takes its time. Reading it changes nothing that a kill would harm, so who asks us to end need not
 * wait for it. */
void broker_store_progress(void *self, uint64_t done, uint64_t total)
{
    (void)self;
    if (broker_is_asked_to_stop()) {
        log_event(LOG_INFO, "stopped", "reason=signal");
        _exit(0);
    }
    log_event(LOG_INFO, "store_opening", "mib_done=%llu mib_total=%llu", (unsigned long long)(done >> 20),
              (unsigned long long)(total >> 20));
}

/* ---- the admin API's ---- */

static void admin_enqueues(void *self, const struct admin_enqueue *request, struct instant now, struct effects *out)
{
    struct broker *broker = self;
    ingress_enqueue_http(broker->ingress, request, store_is_full(broker->store), now, out);
}

static enum code admin_requeues(void *self, const struct admin_requeue *ask, struct instant now, struct effects *out)
{
    struct broker *broker = self;
    return ingress_requeue(broker->ingress, ask, store_is_full(broker->store), now, out);
}

static uint64_t admin_id_hash(void *self, uint32_t pool, const char *id)
{
    const struct broker *broker = self;
    return job_id_hash(&broker->hash, broker->conf->pools[pool].name, id);
}

static void admin_store_facts(void *self, struct store_facts *out)
{
    const struct broker *broker = self;
    struct store_status status;
    store_status_read(broker->store, &status);
    *out = (struct store_facts){
        .segments = status.segments,
        .history_segments = status.history_segments,
        .free_segments = status.free_segments,
        .bytes_live = status.bytes_live,
        .bytes_total = status.bytes_total,
        .bytes_history = status.bytes_history,
        .commits = status.commits,
        .records = status.records,
        .syncs = status.syncs,
        .bytes_written = status.bytes_written,
        .sync_us_total = status.sync_us_total,
        .sync_us_max = status.sync_us_max,
        .cleaned_segments = status.cleaned_segments,
        .cleaned_bytes_moved = status.cleaned_bytes_moved,
        .full = status.full,
        .waits = status.waits,
    };
}

static bool admin_ready(void *self)
{
    const struct broker *broker = self;
    return feed_link_is_bound(broker->feed);
}

struct admin_shell broker_admin_shell(struct broker *broker)
{
    return (struct admin_shell){.self = broker,
                                .enqueue = admin_enqueues,
                                .requeue = admin_requeues,
                                .id_hash = admin_id_hash,
                                .store_facts = admin_store_facts,
                                .ready = admin_ready};
}
