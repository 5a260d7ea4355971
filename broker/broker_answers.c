/* broker_answers.c — what the store (how far opening it is) and the admin API ask of the broker. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "broker/broker_part.h"
#include "broker/edge/job_parse.h"
#include "lineward/log.h"
#include "lineward/notify.h"

#define OPENING_MS 60000 /* that the service manager is asked to wait from each progress on */

/* A large store takes its time. Reading it changes nothing that a kill would harm, so who asks us to end need not
 * wait for it. */
void broker_store_progress(void *self, uint64_t done, uint64_t total)
{
    (void)self;
    if (broker_is_asked_to_stop()) {
        log_event(LOG_INFO, "stopped", "reason=signal");
        _exit(0);
    }
    notify_starting(OPENING_MS);
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
        .commit_times = status.commit_times,
        .disk_free_bytes = status.disk_free_bytes,
        .full = status.full,
        .waits = status.waits,
    };
}

static bool admin_outcomes(void *self, uint32_t pool, struct instant now, struct outcome_view *out)
{
    const struct broker *broker = self;
    return outcomes_view(broker->outcomes, pool, now, out);
}

static bool admin_cache(void *self, struct instant now, struct cache_facts *out)
{
    const struct broker *broker = self;
    struct cache_view view;
    if (broker->cache == NULL)
        return false;
    cache_link_view(broker->cache, now, &view);
    *out = (struct cache_facts){.is_shared = true,
                                .up = view.up,
                                .shares_people = view.shares_people,
                                .versions_differ = view.versions_differ,
                                .since_ms = view.up ? 0 : now.wall_ms - view.away_ms,
                                .brokers = view.brokers,
                                .owed = view.owed};
    if (!view.up)
        snprintf(out->problem, sizeof out->problem, "%s", view.problem);
    return true;
}

static bool admin_ready(void *self)
{
    const struct broker *broker = self;
    return feed_link_is_bound(broker->feed);
}

static bool admin_erasing(void *self, uint64_t id, uint64_t *total, uint64_t *done)
{
    return broker_erase_progress(self, id, total, done);
}

struct admin_shell broker_admin_shell(struct broker *broker)
{
    return (struct admin_shell){.self = broker,
                                .enqueue = admin_enqueues,
                                .requeue = admin_requeues,
                                .id_hash = admin_id_hash,
                                .store_facts = admin_store_facts,
                                .outcomes = admin_outcomes,
                                .erasing = admin_erasing,
                                .cache = admin_cache,
                                .ready = admin_ready};
}
