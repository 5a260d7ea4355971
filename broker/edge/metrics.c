/* metrics.c — numbers as Prometheus text. Tables, so that a family's name, help and number stand on one line. */
#include "broker/edge/metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void metrics_free(struct metrics *metrics)
{
    free(metrics->text);
    *metrics = (struct metrics){0};
}

__attribute__((format(printf, 2, 3))) static void put(struct metrics *m, const char *format, ...)
{
    char line[512];
    va_list values;
    va_start(values, format);
    int written = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    size_t bytes = written > 0 ? (size_t)written : 0;
    if (m->failed || bytes >= sizeof line) {
        m->failed = true;
        return;
    }
    if (m->room - m->bytes < bytes) {
        size_t room = m->room == 0 ? 16384 : 2 * m->room;
        char *text = realloc(m->text, room);
        if (text == NULL) {
            m->failed = true;
            return;
        }
        m->text = text;
        m->room = room;
    }
    memcpy(m->text + m->bytes, line, bytes);
    m->bytes += bytes;
}

static void put_head(struct metrics *m, const char *name, const char *type, const char *help)
{
    put(m, "# HELP lineward_%s %s\n# TYPE lineward_%s %s\n", name, help, name, type);
}

static void put_value(struct metrics *m, const char *name, const char *type, const char *help, double value)
{
    put_head(m, name, type, help);
    put(m, "lineward_%s %.15g\n", name, value);
}

struct family {
    const char *name, *type, *help;
    size_t offset; /* of a uint64_t in struct status_facts */
};

#define CORE(field)  offsetof(struct status_facts, core.field)
#define STORE(field) offsetof(struct status_facts, store.field)

static const struct family families[] = {
    {"jobs", "gauge", "Jobs that are not final.", CORE(jobs)},
    {"jobs_accepted_total", "counter", "Jobs accepted since the start.", CORE(accepted_total)},
    {"jobs_refused_total", "counter", "Jobs refused since the start.", CORE(refused_total)},
    {"tries_repeated_total", "counter", "Tries that ended in another one.", CORE(retried_total)},
    {"leases_lapsed_total", "counter", "Leases that ended without a result.", CORE(lapsed_total)},
    {"conversations", "gauge", "Conversations remembered.", CORE(conversations)},
    {"dedupe_ids", "gauge", "Producer ids remembered.", CORE(remembered)},
    {"dedupe_dropped_early_total", "counter", "Producer ids forgotten before their time, for want of room.",
     CORE(dedupe_dropped_early)},
    {"worker_slots", "gauge", "Slots of all workers.", CORE(slots)},
    {"worker_slots_free", "gauge", "Slots without a job.", CORE(free_slots)},
    {"events_next_seq", "gauge", "The number of the next event.", CORE(next_seq)},
    {"store_segments", "gauge", "Segments of the journal.", STORE(segments)},
    {"store_history_segments", "gauge", "Segments of the history.", STORE(history_segments)},
    {"store_free_segments", "gauge", "Segments that can be had.", STORE(free_segments)},
    {"store_live_bytes", "gauge", "Bytes still needed.", STORE(bytes_live)},
    {"store_history_bytes", "gauge", "Bytes of the history.", STORE(bytes_history)},
    {"store_bytes", "gauge", "Bytes on disk.", STORE(bytes_total)},
    {"store_commits_total", "counter", "Durable commits.", STORE(commits)},
    {"store_records_total", "counter", "Records written.", STORE(records)},
    {"store_syncs_total", "counter", "Flushes to disk.", STORE(syncs)},
    {"store_written_bytes_total", "counter", "Bytes written.", STORE(bytes_written)},
    {"store_cleaned_segments_total", "counter", "Segments given up by cleaning.", STORE(cleaned_segments)},
    {"store_cleaned_bytes_total", "counter", "Bytes moved forward by cleaning.", STORE(cleaned_bytes_moved)},
};

static void put_families(struct metrics *m, const struct status_facts *facts)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        uint64_t value;
        memcpy(&value, (const char *)facts + families[i].offset, sizeof value);
        put_value(m, families[i].name, families[i].type, families[i].help, (double)value);
    }
}

/* One series of a histogram; `label` is `name="value"` or empty. */
static void put_histogram(struct metrics *m, const char *name, const char *label, const struct histogram *histogram)
{
    const struct histogram_bounds *bounds = histogram->bounds;
    const char *comma = *label == '\0' ? "" : ",";
    uint64_t count = 0;
    for (size_t i = 0; i < bounds->count; i++) {
        count += histogram->counts[i];
        put(m, "lineward_%s_bucket{%s%sle=\"%.10g\"} %" PRIu64 "\n", name, label, comma, (double)bounds->us[i] / 1e6,
            count);
    }
    count += histogram->counts[bounds->count];
    put(m, "lineward_%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", name, label, comma, count);
    const char *open = *label == '\0' ? "" : "{", *close = *label == '\0' ? "" : "}";
    put(m, "lineward_%s_sum%s%s%s %.15g\n", name, open, label, close, (double)histogram->sum_us / 1e6);
    put(m, "lineward_%s_count%s%s%s %" PRIu64 "\n", name, open, label, close, count);
}

static void put_timings(struct metrics *m, const struct timings_read *timings)
{
    put_head(m, "enqueue_durable_seconds", "histogram", "From reading a job until it is durable and its ACK may go.");
    put_histogram(m, "enqueue_durable_seconds", "", &timings->enqueue);
    put_head(m, "lease_wait_seconds", "histogram",
             "From acceptance, or from falling due where that is later, until the first lease goes to a worker.");
    put_histogram(m, "lease_wait_seconds", "", &timings->wait);
    put_head(m, "result_seconds", "histogram", "From giving a lease to a worker until its result, by outcome.");
    for (enum timed_outcome outcome = 0; outcome < TIMED_OUTCOMES; outcome++) {
        char label[32];
        snprintf(label, sizeof label, "outcome=\"%s\"", timed_outcome_name(outcome));
        put_histogram(m, "result_seconds", label, &timings->result[outcome]);
    }
    put_head(m, "webhook_gate_seconds", "histogram",
             "From receiving a webhook until the gate that it moves has moved.");
    put_histogram(m, "webhook_gate_seconds", "", &timings->gate);
}

static uint64_t held_jobs(const struct core_status *core)
{
    uint64_t held = 0;
    for (enum reason reason = REASON_NONE + 1; reason < REASON_COUNT; reason++)
        if (reason_holds(reason))
            held += core->backlog_by_reason[reason];
    return held;
}

static void put_jobs(struct metrics *m, const struct core_status *core)
{
    uint64_t held = held_jobs(core);
    const struct {
        const char *state;
        uint64_t now;
    } now[] = {{"scheduled", core->scheduled},
               {"queued", core->queued > held ? core->queued - held : 0},
               {"held", held},
               {"leased", core->leased}};
    const struct {
        enum job_state state;
        uint64_t total;
    } ended[] = {{JOB_SENT, core->sent_total},
                 {JOB_FAILED, core->failed_total},
                 {JOB_EXPIRED, core->expired_total},
                 {JOB_CANCELLED, core->cancelled_total},
                 {JOB_SUPPRESSED, core->suppressed_total}};
    put_head(m, "jobs_by_state", "gauge", "Jobs that are not final, by state.");
    for (size_t i = 0; i < sizeof now / sizeof *now; i++)
        put(m, "lineward_jobs_by_state{state=\"%s\"} %" PRIu64 "\n", now[i].state, now[i].now);
    put_head(m, "jobs_ended_total", "counter", "Jobs that came to their end since the start.");
    for (size_t i = 0; i < sizeof ended / sizeof *ended; i++)
        put(m, "lineward_jobs_ended_total{state=\"%s\"} %" PRIu64 "\n", job_state_name(ended[i].state),
            ended[i].total);
    put_head(m, "jobs_by_reason", "gauge", "Jobs that wait, by the reason of their line or pool.");
    for (enum reason reason = REASON_NONE + 1; reason < REASON_COUNT; reason++)
        put(m, "lineward_jobs_by_reason{reason=\"%s\"} %" PRIu64 "\n", reason_name(reason),
            core->backlog_by_reason[reason]);
}

static void put_cache(struct metrics *m, const struct cache_facts *cache)
{
    if (!cache->is_shared)
        return;
    put_value(m, "cache_up", "gauge", "1: the Redis that brokers share is there.", cache->up);
    put_value(m, "cache_brokers", "gauge", "Brokers that share it, with this one, heard of within two minutes.",
              cache->brokers);
    put_value(m, "cache_versions_differ", "gauge", "1: they are of different versions.", cache->versions_differ);
    put_value(m, "cache_owed", "gauge", "Facts told to it and not confirmed yet.", (double)cache->owed);
}

void metrics_put_status(struct metrics *m, const struct status_facts *facts)
{
    const struct core_status *core = &facts->core;
    const struct store_facts *store = &facts->store;
    put_head(m, "build_info", "gauge", "The version that runs.");
    put(m, "lineward_build_info{version=\"%s\"} 1\n", facts->version);
    put_value(m, "start_timestamp_seconds", "gauge", "When the broker started.",
              (double)(facts->now.wall_ms - (facts->now.mono_ms - facts->started_mono_ms)) / 1000);
    put_value(m, "ready", "gauge", "1: store open, sockets bound, reputation known.", facts->ready);
    put_value(m, "jobs_max", "gauge", "At that many jobs enqueues are refused busy.", (double)facts->jobs_max);
    put_value(m, "workers", "gauge", "Workers that are READY.", core->workers);
    put_value(m, "leases", "gauge", "Leases granted and not over.", core->leases);
    put_cache(m, &facts->cache);
    put_value(m, "store_full", "gauge", "1: enqueues are refused store_full.", store->full);
    put_value(m, "store_waits", "gauge", "1: nothing becomes durable before the disk has room.", store->waits);
    put_value(m, "store_disk_free_bytes", "gauge", "That the store may still take of its disk; -1: not known.",
              (double)store->disk_free_bytes);
    put_value(m, "store_sync_seconds_total", "counter", "Time spent in flushes.", (double)store->sync_us_total / 1e6);
    put_value(m, "store_sync_longest_seconds", "gauge", "The longest flush.", (double)store->sync_us_max / 1e6);
    put_value(m, "dedupe_ids_max", "gauge", "At that many producer ids the oldest are forgotten early.",
              (double)facts->dedupe_max);
    put_families(m, facts);
    put_jobs(m, core);
    if (store->commit_times.bounds != NULL) {
        put_head(m, "store_commit_seconds", "histogram", "Writing and flushing one commit.");
        put_histogram(m, "store_commit_seconds", "", &store->commit_times);
    }
    if (facts->timings != NULL)
        put_timings(m, facts->timings);
    if (facts->waiting_known) {
        put_value(m, "oldest_job_timestamp_seconds", "gauge",
                  "When the oldest job that waits was accepted, or fell due, to the minute; 0: none waits.",
                  (double)facts->oldest_at_ms / 1000);
        put_value(m, "jobs_outcome_unknown", "gauge", "Jobs that wait with an unknown outcome of their last try.",
                  (double)facts->outcomes_unknown);
    }
    put_head(m, "lines_by_gate", "gauge", "Lines by gate.");
    for (enum gate gate = 0; gate < GATE_COUNT; gate++)
        put(m, "lineward_lines_by_gate{gate=\"%s\"} %" PRIu32 "\n", gate_name(gate), core->lines_by_gate[gate]);
}

/* ---- accounts: at most CONF_ACCOUNTS_MAX ---- */

static double refused_value(const struct account_view *account)
{
    return account->key_refused;
}

static double down_value(const struct account_view *account)
{
    return account->down;
}

static double account_heard_value(const struct account_view *account)
{
    return (double)account->heard_at_ms / 1000;
}

static const struct {
    const char *name, *help;
    double (*value)(const struct account_view *account);
} account_families[] = {
    {"account_key_refused", "1: the provider does not accept the account's API key.", refused_value},
    {"account_provider_down", "1: the breaker is open, nothing but probes is sent.", down_value},
    {"account_heard_timestamp_seconds", "When any line of the account was last heard of; 0: never.",
     account_heard_value},
};

void metrics_put_accounts(struct metrics *m, const struct account_named *accounts, size_t count)
{
    for (size_t f = 0; f < sizeof account_families / sizeof *account_families; f++) {
        put_head(m, account_families[f].name, "gauge", account_families[f].help);
        for (size_t i = 0; i < count; i++)
            put(m, "lineward_%s{account=\"%s\"} %.15g\n", account_families[f].name, accounts[i].name,
                account_families[f].value(&accounts[i].view));
    }
}

/* ---- outcome webhooks, by pool: at most METRICS_POOLS_MAX; without any, no family ---- */

static double outcomes_down_value(const struct outcome_view *view)
{
    return view->down;
}

static double outcomes_waiting_value(const struct outcome_view *view)
{
    return (double)view->waiting;
}

static double outcomes_unread_value(const struct outcome_view *view)
{
    return (double)view->unread;
}

static double outcomes_oldest_value(const struct outcome_view *view)
{
    return (double)view->oldest_at_ms / 1000;
}

static double outcomes_confirmed_value(const struct outcome_view *view)
{
    return (double)view->confirmed;
}

static double outcomes_failed_value(const struct outcome_view *view)
{
    return (double)view->failed;
}

static double outcomes_missed_value(const struct outcome_view *view)
{
    return (double)view->missed;
}

static const struct {
    const char *name, *type, *help;
    double (*value)(const struct outcome_view *view);
} outcome_families[] = {
    {"outcomes_down", "gauge", "1: the pool's target takes nothing.", outcomes_down_value},
    {"outcomes_waiting", "gauge", "Events that wait to be confirmed, those under way included.",
     outcomes_waiting_value},
    {"outcomes_unread", "gauge", "Events of the log, of all pools, not looked at yet.", outcomes_unread_value},
    {"outcomes_oldest_timestamp_seconds", "gauge", "When the oldest event that waits happened; 0: none waits.",
     outcomes_oldest_value},
    {"outcomes_confirmed_total", "counter", "Events that the target confirmed.", outcomes_confirmed_value},
    {"outcomes_tries_failed_total", "counter", "Tries that were not confirmed, since the start.",
     outcomes_failed_value},
    {"outcomes_missed_total", "counter", "Events that were no longer kept when their turn came.",
     outcomes_missed_value},
};

void metrics_put_outcomes(struct metrics *m, const struct pool_outcomes_named *pools, size_t count)
{
    for (size_t f = 0; count > 0 && f < sizeof outcome_families / sizeof *outcome_families; f++) {
        put_head(m, outcome_families[f].name, outcome_families[f].type, outcome_families[f].help);
        for (size_t i = 0; i < count; i++)
            put(m, "lineward_%s{pool=\"%s\"} %.15g\n", outcome_families[f].name, pools[i].name,
                outcome_families[f].value(&pools[i].view));
    }
}

/* ---- messages of the last days, by class of at most METRICS_POOLS_MAX pools ---- */

static void put_replies(struct metrics *m, const char *name, const char *help, const struct pool_replies_named *replies,
                        size_t count, uint64_t (*value)(const struct reply_counts *counts))
{
    put_head(m, name, "gauge", help);
    for (size_t i = 0; i < count; i++)
        put(m, "lineward_%s{pool=\"%s\",class=\"%s\"} %" PRIu64 "\n", name, replies[i].pool,
            job_class_name(replies[i].class), value(&replies[i].counts));
}

static uint64_t sent_of(const struct reply_counts *counts)
{
    return counts->sent;
}

static uint64_t answered_of(const struct reply_counts *counts)
{
    return counts->answered;
}

void metrics_put_replies(struct metrics *m, const struct pool_replies_named *replies, size_t count)
{
    put_replies(m, "messages_week", "Messages that went out today and on the six days before, UTC.", replies, count,
                sent_of);
    put_replies(m, "messages_answered_week", "Those of lineward_messages_week that the recipient answered.", replies,
                count, answered_of);
}

/* ---- lines ---- */

static double gate_value(const struct line_view *line)
{
    return line->gate == GATE_OPEN ? 2 : line->gate == GATE_SLOW ? 1 : 0;
}

static double pace_value(const struct line_view *line)
{
    return line->pace_per_min < 0 ? -1 : line->pace_per_min / 60;
}

static double waiting_value(const struct line_view *line)
{
    return (double)line->backlog_queued + line->backlog_held;
}

static double leased_value(const struct line_view *line)
{
    return line->backlog_leased;
}

static double sent_value(const struct line_view *line)
{
    return (double)line->sent_total;
}

static double messages_value(const struct line_view *line)
{
    return line->messages_used;
}

static double fresh_value(const struct line_view *line)
{
    return line->fresh_used;
}

static double recipients_value(const struct line_view *line)
{
    return line->recipients_used;
}

static double out_value(const struct line_view *line)
{
    return line->out_used;
}

static double growth_limit_value(const struct line_view *line)
{
    return line->growth_limit > 0 ? (double)line->growth_limit : -1;
}

static double oldest_value(const struct line_view *line)
{
    return (double)line->oldest_at_ms / 1000;
}

static double heard_value(const struct line_view *line)
{
    return (double)line->heard_at_ms / 1000;
}

struct line_family {
    const char *name, *type, *help;
    double (*value)(const struct line_view *line);
};

static const struct line_family line_families[] = {
    {"line_gate", "gauge", "2 open, 1 slow, 0 closed.", gate_value},
    {"line_pace_per_second", "gauge", "Sends a second as in force now; -1: without limit.", pace_value},
    {"line_jobs_waiting", "gauge", "Jobs bound to the line that wait.", waiting_value},
    {"line_jobs_leased", "gauge", "Jobs of the line that a worker has.", leased_value},
    {"line_sent_total", "counter", "Messages sent on the line since the start.", sent_value},
    {"line_daily_messages_used", "gauge", "Of the rolling day's budget.", messages_value},
    {"line_new_conversations_used", "gauge", "Of the rolling day's budget.", fresh_value},
    {"line_recipients_used", "gauge", "Of the rolling hour's budget.", recipients_value},
    {"line_messages_out", "gauge", "Messages out within the rolling day.", out_value},
    {"line_growth_limit", "gauge", "As many messages out a day as its level lets it grow to; -1: without limit.",
     growth_limit_value},
    {"line_oldest_job_timestamp_seconds", "gauge",
     "When the line's oldest job that waits was accepted, or fell due, to the minute; 0: none waits.", oldest_value},
    {"line_heard_timestamp_seconds", "gauge", "When the provider was last heard of the line.", heard_value},
};

#define LINE_FAMILIES (sizeof line_families / sizeof *line_families)

static void put_line_family(struct metrics *m, const struct line_family *family, const struct line_view *lines, size_t shown)
{
    put_head(m, family->name, family->type, family->help);
    for (size_t i = 0; i < shown; i++)
        put(m, "lineward_%s{line=\"+%" PRIu64 "\"} %.15g\n", family->name, lines[i].number, family->value(&lines[i]));
}

static void put_reputations(struct metrics *m, const struct line_view *lines, size_t shown)
{
    put_head(m, "line_reputation", "gauge", "1 for the last word heard of the line.");
    for (size_t i = 0; i < shown; i++)
        put(m, "lineward_line_reputation{line=\"+%" PRIu64 "\",status=\"%s\"} 1\n", lines[i].number,
            reputation_name(lines[i].status));
}

bool metrics_put_family(struct metrics *m, size_t *family, const struct line_view *lines, size_t shown, size_t total)
{
    size_t at = (*family)++;
    if (at < LINE_FAMILIES) {
        put_line_family(m, &line_families[at], lines, shown);
        return true;
    }
    put_reputations(m, lines, shown);
    put_value(m, "lines_not_shown", "gauge", "Lines left out of the families above.", (double)(total - shown));
    return false;
}
