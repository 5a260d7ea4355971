/* view_line.c — how lines, pools, pauses, workers and the status page look. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/edge/view_put.h"

/* The operator's word, and what the provider says meanwhile. */
static void put_override(struct json_out *out, const struct line_view *line)
{
    const struct change_orders *orders = line->orders;
    if (orders == NULL || orders->word_since_ms == 0) {
        json_put_null(out);
        return;
    }
    json_open(out, '{');
    put_word(out, "status", reputation_name((enum reputation)orders->word));
    put_word(out, "provider", reputation_name(line->provider_status));
    put_word(out, "reason", orders->word_reason[0] != '\0' ? orders->word_reason : NULL);
    put_word(out, "by", orders->word_by);
    put_time(out, "since", orders->word_since_ms);
    put_time(out, "until", orders->word_until_ms);
    json_close(out, '}');
}

void view_line_reputation(struct json_out *out, const struct line_view *line)
{
    json_key(out, "reputation");
    json_open(out, '{');
    put_word(out, "status", reputation_name(line->status));
    put_word(out, "previous", reputation_name(line->previous));
    put_word(out, "source", line->source != SOURCE_NONE ? source_name(line->source) : NULL);
    put_time(out, "since", line->changed_at_ms);
    put_time(out, "heard_at", line->heard_at_ms);
    json_key(out, "override");
    put_override(out, line);
    json_close(out, '}');
}

static void put_limit(struct json_out *out, int64_t limit)
{
    json_key(out, "limit");
    if (limit > 0)
        json_put_int(out, limit);
    else
        json_put_null(out);
}

void view_budget(struct json_out *out, unsigned used, int64_t limit)
{
    put_count(out, "used", used);
    put_limit(out, limit);
}

static void put_budget(struct json_out *out, const char *key, unsigned used, int64_t limit)
{
    json_key(out, key);
    json_open(out, '{');
    view_budget(out, used, limit);
    json_close(out, '}');
}

void view_reply_counts(struct json_out *out, const struct reply_counts *counts)
{
    put_count(out, "sent", counts->sent);
    put_count(out, "answered", counts->answered);
    json_key(out, "share");
    if (counts->sent == 0) {
        json_put_null(out);
        return;
    }
    uint64_t parts = (10000 * counts->answered + counts->sent / 2) / counts->sent;
    json_put_number(out, (double)parts / 10000);
}

static void put_budgets(struct json_out *out, const struct line_view *line)
{
    json_key(out, "budgets");
    json_open(out, '{');
    put_budget(out, "daily_messages", line->messages_used, line->messages_limit);
    put_budget(out, "new_conversations_per_day", line->fresh_used, line->fresh_limit);
    put_budget(out, "distinct_recipients_per_hour", line->recipients_used, line->recipients_limit);
    put_budget(out, "daily_growth_factor", line->out_used, line->growth_limit);
    json_key(out, "pair_per_min"); /* each conversation has its own: nothing is used of the line's */
    json_open(out, '{');
    json_key(out, "used");
    json_put_null(out);
    put_limit(out, line->pair_limit);
    json_close(out, '}');
    json_close(out, '}');
}

static void put_backlog(struct json_out *out, const struct line_view *line)
{
    json_key(out, "backlog");
    json_open(out, '{');
    put_count(out, "queued", line->backlog_queued);
    put_count(out, "held", line->backlog_held);
    put_count(out, "leased", line->backlog_leased);
    json_close(out, '}');
    json_key(out, "backlog_by_class");
    json_open(out, '{');
    for (enum job_class class = 0; class < CLASS_COUNT; class ++)
        put_count(out, job_class_name(class), line->backlog_by_class[class]);
    json_close(out, '}');
}

void put_drain_pace(struct json_out *out, const struct change_orders *orders)
{
    json_key(out, "pace_per_min");
    if (orders->drain_pace_per_min > 0)
        json_put_int(out, orders->drain_pace_per_min);
    else
        json_put_null(out);
}

/* What only a drain at a pace has. */
static void put_ramp(struct json_out *out, const struct line_view *line, bool ramp, bool running)
{
    const struct change_orders *orders = line->orders;
    put_word(out, "order", ramp ? drain_order_name((enum drain_order)orders->drain_order) : NULL);
    json_key(out, "stop_error_percent");
    if (ramp)
        json_put_int(out, orders->drain_stop_percent);
    else
        json_put_null(out);
    put_count(out, "sent", orders->drain_sent);
    put_count(out, "failed", orders->drain_failed);
    put_time(out, "eta_at", running && ramp ? line->drain_eta_ms : 0);
}

void view_drain(struct json_out *out, const struct line_view *line)
{
    const struct change_orders *orders = line->orders;
    bool running = orders != NULL && orders->drain != DRAIN_NONE;
    if (!running && (orders == NULL || orders->drain_past == DRAIN_NONE)) {
        json_put_null(out);
        return;
    }
    enum drain mode = (enum drain)(running ? orders->drain : orders->drain_past);
    uint64_t waiting = (uint64_t)line->backlog_queued + line->backlog_held;
    json_open(out, '{');
    put_word(out, "mode", drain_name(mode));
    put_word(out, "state", drain_state_name((enum drain_state)orders->drain_state));
    put_word(out, "reason", orders->drain_why[0] != '\0' ? orders->drain_why : NULL);
    put_word(out, "by", orders->drain_by);
    put_time(out, "since", orders->drain_since_ms);
    put_time(out, "ended_at", orders->drain_ended_ms);
    put_drain_pace(out, orders);
    put_ramp(out, line, mode == DRAIN_RAMP, running);
    put_count(out, "jobs", orders->drain_jobs);
    put_count(out, "conversations", orders->drain_conversations);
    put_count(out, "total", orders->drain_total);
    put_count(out, "left", waiting + line->backlog_leased);
    put_count(out, "waiting", waiting);
    json_close(out, '}');
}

static bool same_name(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

bool view_pause_applies(const struct pause_view *pause, uint64_t line, struct line_names names)
{
    switch ((enum pause_scope)pause->pause.scope) {
    case PAUSE_ALL:
        return true;
    case PAUSE_ACCOUNT:
        return same_name(pause->name, names.account);
    case PAUSE_POOL:
        return same_name(pause->name, names.pool);
    case PAUSE_LINE:
        return pause->pause.target == line;
    default: /* a campaign's or a conversation's pause stops jobs, not lines */
        return false;
    }
}

void view_line(struct json_out *out, const struct line_view *line, struct line_names names,
               const struct pause_view *pauses, size_t pause_count)
{
    json_open(out, '{');
    view_line_members(out, line, names, pauses, pause_count);
    json_close(out, '}');
}

void view_line_members(struct json_out *out, const struct line_view *line, struct line_names names,
                       const struct pause_view *pauses, size_t pause_count)
{
    put_line(out, "line", line->number);
    put_word(out, "account", names.account);
    put_word(out, "pool", names.pool);
    view_line_reputation(out, line);
    put_word(out, "service", service_name(line->service));
    put_word(out, "gate", gate_name(line->gate));
    put_reason(out, line->reason);
    json_key(out, "pauses");
    json_open(out, '[');
    for (size_t i = 0; i < pause_count; i++) {
        if (view_pause_applies(&pauses[i], line->number, names))
            view_pause(out, &pauses[i], false);
    }
    json_close(out, ']');
    json_key(out, "cordoned");
    json_put_bool(out, line->cordoned);
    json_key(out, "pace_per_min");
    if (line->pace_per_min < 0) /* without limit */
        json_put_null(out);
    else
        json_put_number(out, line->pace_per_min);
    put_count(out, "ramp_percent", line->ramp_percent);
    put_budgets(out, line);
    put_backlog(out, line);
    put_time(out, "oldest_at", line->oldest_at_ms);
    json_key(out, "replies");
    json_open(out, '{');
    view_reply_counts(out, &line->replies);
    json_close(out, '}');
    json_key(out, "drain");
    view_drain(out, line);
}

/* What it lies on: a number, a name, or one in a pool. */
static void put_pause_name(struct json_out *out, const struct pause_view *pause, bool mask_handles)
{
    char line[LINE_TEXT_MAX], masked[HANDLE_MAX_BYTES + 1];
    char text[NAME_MAX_BYTES + PAUSE_NAME_BYTES + 2] = "";
    const char *name = pause->name;
    if (pause->pause.scope == PAUSE_LINE) {
        line_text(pause->pause.target, line);
        name = line;
    } else if (pause->pause.scope == PAUSE_CONVERSATION) {
        handle_mask(pause->pause.name, masked);
        name = mask_handles ? masked : pause->pause.name;
    }
    if (pause->pool != NULL && name != NULL) {
        size_t bytes = strnlen(pause->pool, NAME_MAX_BYTES);
        memcpy(text, pause->pool, bytes);
        text[bytes] = '/';
        memcpy(text + bytes + 1, name, strnlen(name, PAUSE_NAME_BYTES));
        name = text;
    }
    put_word(out, "name", name);
}

void view_pause(struct json_out *out, const struct pause_view *pause, bool mask_handles)
{
    const struct change_pause *p = &pause->pause;
    char id[PAUSE_TEXT_MAX];
    pause_text(p->id, id);
    json_open(out, '{');
    put_word(out, "pause", id);
    put_word(out, "scope", pause_scope_name(p->scope));
    put_pause_name(out, pause, mask_handles);
    put_word(out, "reason", p->reason[0] != '\0' ? p->reason : NULL);
    put_word(out, "by", p->by[0] != '\0' ? p->by : NULL);
    put_time(out, "since", p->since_ms);
    put_time(out, "until", p->until_ms);
    json_close(out, '}');
}

static void put_outcomes(struct json_out *out, const struct outcome_view *outcomes)
{
    bool failed = outcomes->problem_at_ms != 0;
    json_open(out, '{');
    put_word(out, "host", outcomes->host);
    json_key(out, "down");
    json_put_bool(out, outcomes->down);
    put_count(out, "waiting", outcomes->waiting);
    put_count(out, "in_flight", outcomes->in_flight);
    put_count(out, "unread", outcomes->unread);
    put_time(out, "oldest_at", outcomes->oldest_at_ms);
    put_count(out, "confirmed", outcomes->confirmed);
    put_count(out, "failed", outcomes->failed);
    put_count(out, "missed", outcomes->missed);
    put_time(out, "confirmed_at", outcomes->confirmed_at_ms);
    put_word(out, "problem", failed ? outcomes->problem : NULL);
    json_key(out, "http_status");
    if (failed && outcomes->status != 0)
        json_put_int(out, outcomes->status);
    else
        json_put_null(out);
    put_time(out, "problem_at", outcomes->problem_at_ms);
    put_time(out, "next_try_at", outcomes->next_try_ms);
    json_close(out, '}');
}

void view_pool(struct json_out *out, const struct pool_view *pool, const struct pool_names *names,
               const struct outcome_view *outcomes)
{
    json_open(out, '{');
    put_word(out, "pool", names->pool);
    put_word(out, "account", names->account);
    put_word(out, "policy", names->policy);
    put_word(out, "owner", names->owner);
    json_key(out, "paused");
    json_put_bool(out, pool->paused);
    put_count(out, "lines", pool->lines);
    json_key(out, "lines_by_gate");
    json_open(out, '{');
    put_count(out, gate_name(GATE_OPEN), pool->lines_open);
    put_count(out, gate_name(GATE_SLOW), pool->lines_slow);
    put_count(out, gate_name(GATE_CLOSED), pool->lines_closed);
    json_close(out, '}');
    json_key(out, "backlog");
    json_open(out, '{');
    put_count(out, "waiting", pool->waiting);
    put_count(out, "leased", pool->leased);
    put_count(out, "unplaced", pool->unplaced);
    json_close(out, '}');
    json_key(out, "outcomes");
    if (outcomes != NULL)
        put_outcomes(out, outcomes);
    else
        json_put_null(out);
    json_close(out, '}');
}

void view_campaign(struct json_out *out, const struct campaign_view *campaign, const char *pool)
{
    json_open(out, '{');
    put_word(out, "pool", pool);
    put_word(out, "campaign", campaign->name);
    json_key(out, "paused");
    json_put_bool(out, campaign->paused);
    put_count(out, "accepted", campaign->accepted);
    put_count(out, "waiting", campaign->waiting);
    put_count(out, "leased", campaign->leased);
    for (unsigned end = 0; end < ENDS; end++)
        put_count(out, job_state_name((enum job_state)(JOB_SENT + end)), campaign->ended[end]);
    json_close(out, '}');
}

void view_worker(struct json_out *out, const struct worker_view *worker)
{
    char instance[17];
    snprintf(instance, sizeof instance, "%016" PRIx64, worker->instance);
    json_open(out, '{');
    put_word(out, "worker", worker->worker);
    put_word(out, "instance", instance);
    put_count(out, "slots", worker->slots);
    put_count(out, "in_flight", worker->in_flight);
    json_key(out, "last_seen_ms_ago");
    json_put_int(out, worker->last_seen_ms_ago);
    json_key(out, "leaving");
    json_put_bool(out, worker->leaving);
    json_close(out, '}');
}

static void put_store(struct json_out *out, const struct store_facts *store)
{
    json_key(out, "store");
    json_open(out, '{');
    json_key(out, "full");
    json_put_bool(out, store->full);
    json_key(out, "waits");
    json_put_bool(out, store->waits);
    put_count(out, "segments", store->segments);
    put_count(out, "history_segments", store->history_segments);
    put_count(out, "free_segments", store->free_segments);
    put_count(out, "bytes_live", store->bytes_live);
    put_count(out, "bytes_history", store->bytes_history);
    put_count(out, "bytes_total", store->bytes_total);
    put_count(out, "commits", store->commits);
    json_close(out, '}');
}

static void put_status_lines(struct json_out *out, const struct core_status *core)
{
    json_key(out, "lines");
    json_open(out, '{');
    put_count(out, "total", core->lines);
    for (enum gate gate = 0; gate < GATE_COUNT; gate++)
        put_count(out, gate_name(gate), core->lines_by_gate[gate]);
    json_close(out, '}');
}

static void put_cache(struct json_out *out, const struct cache_facts *cache)
{
    json_key(out, "cache");
    json_open(out, '{');
    put_word(out, "kind", cache->is_shared ? "redis" : "memory");
    if (cache->is_shared) {
        json_key(out, "up");
        json_put_bool(out, cache->up);
        put_time(out, "away_since", cache->since_ms);
        put_word(out, "problem", cache->problem[0] != '\0' ? cache->problem : NULL);
        put_count(out, "brokers", cache->brokers);
        json_key(out, "versions_differ");
        json_put_bool(out, cache->versions_differ);
        json_key(out, "shares_suppressions");
        json_put_bool(out, cache->shares_people);
        put_count(out, "owed", cache->owed);
    }
    json_close(out, '}');
}

static void put_status_jobs(struct json_out *out, const struct core_status *core, int64_t jobs_max)
{
    json_key(out, "backlog");
    json_open(out, '{');
    put_count(out, "jobs", core->jobs);
    json_key(out, "jobs_max");
    json_put_int(out, jobs_max);
    put_count(out, "scheduled", core->scheduled);
    put_count(out, "queued", core->queued);
    put_count(out, "leased", core->leased);
    json_close(out, '}');
    json_key(out, "backlog_by_reason");
    json_open(out, '{');
    for (enum reason reason = REASON_NONE + 1; reason < REASON_COUNT; reason++) {
        if (core->backlog_by_reason[reason] > 0)
            put_count(out, reason_name(reason), core->backlog_by_reason[reason]);
    }
    json_close(out, '}');
    json_key(out, "totals");
    json_open(out, '{');
    put_count(out, "accepted", core->accepted_total);
    put_count(out, "refused", core->refused_total);
    put_count(out, "sent", core->sent_total);
    put_count(out, "failed", core->failed_total);
    put_count(out, "expired", core->expired_total);
    put_count(out, "cancelled", core->cancelled_total);
    put_count(out, "suppressed", core->suppressed_total);
    put_count(out, "retried", core->retried_total);
    put_count(out, "lapsed", core->lapsed_total);
    json_close(out, '}');
}

static void put_status_rest(struct json_out *out, const struct core_status *core)
{
    json_key(out, "workers");
    json_open(out, '{');
    put_count(out, "total", core->workers);
    put_count(out, "slots", core->slots);
    put_count(out, "free_slots", core->free_slots);
    put_count(out, "leases", core->leases);
    json_close(out, '}');
    put_count(out, "conversations", core->conversations);
    json_key(out, "dedupe");
    json_open(out, '{');
    put_count(out, "remembered", core->remembered);
    put_count(out, "dropped_early", core->dedupe_dropped_early);
    json_close(out, '}');
    put_count(out, "next_seq", core->next_seq);
}

void view_status_members(struct json_out *out, const struct status_facts *facts)
{
    put_word(out, "version", facts->version);
    put_word(out, "broker", facts->broker);
    put_time(out, "time", facts->now.wall_ms);
    json_key(out, "uptime_ms");
    json_put_int(out, facts->now.mono_ms - facts->started_mono_ms);
    json_key(out, "ready");
    json_put_bool(out, facts->ready);
    json_key(out, "reputation_known");
    json_put_bool(out, facts->core.reputation_known);
    put_store(out, &facts->store);
    put_cache(out, &facts->cache);
    put_status_lines(out, &facts->core);
    put_status_jobs(out, &facts->core, facts->jobs_max);
    put_status_rest(out, &facts->core);
}
