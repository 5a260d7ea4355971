/* view.c — bounded reading of the core for STATUS, the admin API and metrics. Changes nothing that matters. */
#include "broker/core/backup.h"
#include "broker/core/conversation.h"
#include "broker/core/crews.h"
#include "broker/core/decide.h"
#include "broker/core/dedupe.h"
#include "broker/core/job.h"
#include "broker/core/leases.h"
#include "broker/core/line.h"
#include "broker/core/pause.h"
#include "broker/core/quiet.h"
#include "broker/core/operate.h"
#include "broker/core/reply_days.h"

#include <string.h>

static int64_t since_of(const struct core *core, const struct job *job, const struct verdict *verdict)
{
    const struct conversation *conversation = &core->conversations[job->conversation];
    bool on_line = (conversation->flags & (CONVERSATION_BOUND | CONVERSATION_PINNED)) != 0;
    if (verdict->pause != 0)
        return verdict->pause_since_ms;
    if (verdict->reason == REASON_CONVERSATION_CRITICAL)
        return moment_ms(conversation->health_at);
    if (verdict->reason == REASON_CONVERSATION_AT_RISK || verdict->reason == REASON_CONVERSATION_CADENCE)
        return moment_ms(conversation->last_out);
    if (on_line && reason_holds(verdict->reason))
        return core->lines[conversation->line].known.gate_since_ms;
    return 0; /* since it was accepted: the edge knows when */
}

static struct chat_view view_chat(const struct conversation *conversation)
{
    return (struct chat_view){.health = (enum chat_health)conversation->health,
                              .health_at_ms = moment_ms(conversation->health_at),
                              .last_out_ms = moment_ms(conversation->last_out),
                              .last_in_ms = minute_ms(conversation->last_in),
                              .unanswered = conversation->streak};
}

static void view_job(struct core *core, uint32_t slot, uint32_t look, struct instant now, struct job_view *out)
{
    const struct job *job = &core->jobs[slot];
    const struct conversation *conversation = &core->conversations[job->conversation];
    struct verdict verdict = decide(core, slot, look, now);
    bool on_line = (conversation->flags & (CONVERSATION_BOUND | CONVERSATION_PINNED)) != 0;
    *out = (struct job_view){
        .number = job->number,
        .place = job->place,
        .line = on_line ? core->lines[conversation->line].known.number : 0,
        .state = (enum job_state)job->state,
        .reason = verdict.reason,
        .since_ms = since_of(core, job, &verdict),
        .due_ms = backup_holds(job) ? 0 : job_due_ms(job),
        .expires_ms = job_expires_ms(job),
        .attempts = job->attempts,
        .cancel_asked = (job->flags & JOB_CANCEL) != 0,
        .unsettled = (job->flags & (JOB_UNSETTLED | JOB_DOUBTFUL)) != 0,
        .yielded = (job->flags & JOB_YIELDED) != 0,
        .conversation_place = conversation_place(conversation),
        .pool = conversation->pool,
        .class = (enum job_class)job->class,
        .campaign = (uint16_t)job->campaign,
        .sequence = job_sequence(job),
        .came = job_came(core, job),
        .order = job_order(core, job),
        .conversation = job->conversation,
        .chat = view_chat(conversation),
        .zone = core_name(core, NAME_ZONE, quiet_zone_name(core, job->zone)),
        .ahead = verdict.ahead,
        .release_at_ms = verdict.until_ms,
        .pause = verdict.pause,
        .paused = verdict.pause_slot != 0 ? &core->pauses[verdict.pause_slot].change : NULL,
        .budget = verdict.budget,
    };
}

static bool view_by_number(struct core *core, uint64_t number, uint32_t most, struct instant now, struct job_view *out)
{
    uint32_t slot = job_find(core, number);
    if (slot == NOBODY)
        return false;
    view_job(core, slot, most, now, out);
    return true;
}

bool core_job_view(struct core *core, uint64_t number, struct instant now, struct job_view *out)
{
    return view_by_number(core, number, DECIDE_FULL, now, out);
}

bool core_job_glance(struct core *core, uint64_t number, struct instant now, struct job_view *out)
{
    return view_by_number(core, number, DECIDE_QUICK, now, out);
}

uint64_t core_ended_seq(const struct core *core)
{
    uint64_t last = 0;
    for (int topic = TOPIC_JOB_SENT; topic <= TOPIC_JOB_SUPPRESSED; topic++)
        if (core->prev_seq[topic] > last)
            last = core->prev_seq[topic];
    return last;
}

uint64_t core_job_by_id(const struct core *core, uint64_t id_hash)
{
    const struct remembered *found = dedupe_find(core, id_hash);
    return found == NULL ? 0 : found->number;
}

bool core_jobs_walk(struct core *core, uint32_t *cursor, uint32_t limit, struct instant now,
                    void (*visit)(void *self, const struct job_view *view), void *self)
{
    uint32_t slot = *cursor == NOBODY ? 1 : *cursor;
    uint64_t end = (uint64_t)slot + limit;
    for (; slot <= core->jobs_used && slot < end; slot++) {
        const struct job *job = &core->jobs[slot];
        if (job->number == 0 || job_state_is_final(job->state))
            continue;
        struct job_view view;
        view_job(core, slot, DECIDE_QUICK, now, &view);
        visit(self, &view);
    }
    *cursor = slot;
    return slot <= core->jobs_used;
}

size_t core_line_count(const struct core *core)
{
    return core->line_count;
}

bool core_line_find(const struct core *core, uint64_t number, size_t *index)
{
    uint32_t at = line_find(core, number);
    *index = at;
    return at != NO_LINE;
}

static void view_operators_word(const struct core *core, const struct line *line, struct line_view *out)
{
    struct stand stand = line_stand(core, line);
    out->by_operator = true;
    out->previous = out->status;
    out->status = stand.word;
    out->proven = stand.proven;
    out->source = SOURCE_OPERATOR;
    out->changed_at_ms = core->orders[line - core->lines].change.word_since_ms;
}

static void view_budgets(const struct core *core, const struct line *line, struct instant now, struct line_view *out)
{
    struct budget_state messages = budget_state(core, line, BUDGET_DAILY, now);
    struct budget_state fresh = budget_state(core, line, BUDGET_NEW_CONVERSATIONS, now);
    struct budget_state recipients = budget_state(core, line, BUDGET_RECIPIENTS, now);
    struct budget_state growth = budget_state(core, line, BUDGET_GROWTH, now);
    out->messages_used = messages.used;
    out->messages_limit = messages.limit;
    out->fresh_used = fresh.used;
    out->fresh_limit = fresh.limit;
    out->recipients_used = recipients.used;
    out->recipients_limit = recipients.limit;
    out->out_used = growth.used;
    out->growth_limit = growth.limit;
}

uint64_t core_line_number(const struct core *core, size_t index)
{
    return core->lines[index].known.number;
}

bool core_line_view(struct core *core, size_t index, struct instant now, struct line_view *out)
{
    if (index >= core->line_count)
        return false;
    const struct line *line = &core->lines[index];
    struct gate_state gate = gate_of(core, line, now);
    const struct policy *policy = line_policy(core, line);
    *out = (struct line_view){
        .number = line->known.number,
        .account = line_account(core, line),
        .pool = line->pool,
        .status = line->known.heard ? (enum reputation)line->known.word : REPUTATION_UNKNOWN,
        .previous = (enum reputation)line->known.previous,
        .proven = (enum reputation)line->known.proven,
        .source = (enum source)line->known.source,
        .service = (enum service)line->known.service,
        .gate = gate.gate,
        .reason = gate.reason,
        .changed_at_ms = line->known.changed_at_ms,
        .heard_at_ms = line->known.heard_at_ms,
        .gate_since_ms = line->known.gate_since_ms,
        .first_seen_ms = line->known.first_seen_ms,
        .cordoned = line->known.cordoned,
        .orders = core->orders[index].used ? &core->orders[index].change : NULL,
        .pace_per_min = pace_per_min(core, line, now),
        .ramp_percent = ramp_percent(core, line),
        .pair_limit = policy->pair_per_min,
        .backlog_leased = line->in_flight,
        .sent_total = line->sent_total,
    };
    out->provider_status = out->status;
    if (operator_is_heard(core, line))
        view_operators_word(core, line, out);
    view_budgets(core, line, now, out);
    out->replies = reply_days_sum(&line->known.replies, reply_day(now.wall_ms));
    uint32_t waiting = 0;
    for (int c = 0; c < CLASS_COUNT; c++) {
        out->backlog_by_class[c] = line->waiting[c];
        waiting += line->waiting[c];
    }
    if (core->orders[index].change.drain == DRAIN_RAMP)
        out->drain_eta_ms = core_drain_eta(core, index, 0, (uint64_t)waiting + line->in_flight, now);
    if (reason_holds(decide_line(core, line, now)))
        out->backlog_held = waiting;
    else
        out->backlog_queued = waiting;
    return true;
}

static void name_pause(const struct core *core, struct pause_view *view)
{
    const struct change_pause *pause = &view->pause;
    view->name = view->pool = NULL;
    switch ((enum pause_scope)pause->scope) {
    case PAUSE_POOL:
        view->name = core_name(core, NAME_POOL, (uint16_t)pause->target);
        return;
    case PAUSE_ACCOUNT:
        view->name = core_name(core, NAME_ACCOUNT, (uint16_t)pause->target);
        return;
    case PAUSE_CAMPAIGN:
        view->pool = core_name(core, NAME_POOL, (uint16_t)(pause->target >> 16));
        view->name = core_name(core, NAME_CAMPAIGN, (uint16_t)pause->target);
        return;
    case PAUSE_CONVERSATION:
        view->pool = core_name(core, NAME_POOL, pause->pool);
        return;
    case PAUSE_ALL:
    case PAUSE_LINE:
    case PAUSE_SCOPE_COUNT:
        return;
    }
}

size_t core_pauses(const struct core *core, uint32_t *cursor, struct pause_view *out, size_t room)
{
    size_t count = 0;
    uint32_t p = *cursor == 0 ? 1 : *cursor;
    for (; p < core->pauses_end && count < room; p++) {
        if (!core->pauses[p].used)
            continue;
        const struct change_pause *pause = &core->pauses[p].change;
        out[count].pause = *pause;
        out[count].first = pause_find(core, (enum pause_scope)pause->scope, pause->target);
        out[count].first_id = core->pauses[out[count].first].change.id;
        name_pause(core, &out[count++]);
    }
    *cursor = p;
    return count;
}

bool core_worker_view(const struct core *core, uint32_t *cursor, struct instant now, struct worker_view *out)
{
    while (*cursor < core->workers_used && !core->workers[*cursor + 1].used)
        ++*cursor;
    if (*cursor >= core->workers_used)
        return false;
    const struct worker *worker = &core->workers[++*cursor];
    *out = (struct worker_view){.instance = worker->instance,
                                .peer = worker->peer,
                                .slots = worker->slots,
                                .in_flight = worker->in_flight,
                                .last_seen_ms_ago = now.mono_ms - worker->seen_mono_ms,
                                .leaving = worker->leaving};
    memcpy(out->worker, worker->name, sizeof out->worker);
    return true;
}

bool core_worker_serves(const struct core *core, uint32_t peer, uint32_t pool)
{
    uint32_t w = worker_find_peer(core, peer);
    return w != NOBODY && crew_has_pool(core, core->workers[w].crew, pool);
}

bool core_pool_view(struct core *core, uint32_t at, struct pool_view *out)
{
    if (at >= core->conf->pool_count)
        return false;
    const struct pool *pool = &core->pools[at];
    if (core->conf->pools[at].gone && pool->scheduled + pool->waiting + pool->leased == 0)
        return false;
    *out = (struct pool_view){.account = pool->account,
                              .unplaced = pool->unplaced,
                              .scheduled = pool->scheduled,
                              .waiting = pool->waiting,
                              .leased = pool->leased,
                              .paused = pool->pauses > 0};
    out->lines_open = pool->lines_by_gate[GATE_OPEN];
    out->lines_slow = pool->lines_by_gate[GATE_SLOW];
    out->lines_closed = pool->lines_by_gate[GATE_CLOSED];
    out->lines = out->lines_open + out->lines_slow + out->lines_closed;
    return true;
}

bool core_account_view(const struct core *core, uint32_t at, struct account_view *out)
{
    if (at >= core->account_count || core->accounts[at].gone)
        return false;
    const struct account *account = &core->accounts[at];
    *out = (struct account_view){
        .key_refused = account->key_refused, .down = account->broken, .heard_at_ms = account->heard_at_ms};
    return true;
}

/* Every account was polled well once, or is known from before and not blind. */
static bool reputation_known(const struct core *core, struct instant now)
{
    for (uint32_t a = 0; a < core->account_count; a++) {
        bool known = core->accounts[a].polled || core->accounts[a].gone;
        for (uint32_t l = 0; l < core->line_count && !known; l++)
            known = line_is_of(core, &core->lines[l], a) && core->lines[l].known.heard &&
                    now.mono_ms - core->lines[l].heard_mono_ms <= core->accounts[a].blind_after_ms;
        if (!known)
            return false;
    }
    return true;
}

void core_totals_read(struct core *core, struct instant now, struct core_status *out)
{
    *out = core->totals;
    out->jobs = core->jobs_live;
    out->leases = core->leases_live;
    out->leased = core->leases_live;
    out->queued = core->jobs_live - core->leases_live - out->scheduled;
    out->remembered = core->dedupe.end - core->dedupe.first;
    out->slots = core->slots;
    out->free_slots = core->slots > core->leases_live ? core->slots - core->leases_live : 0;
    out->lines = core->line_count;
    out->workers = 0;
    for (uint32_t w = 1; w <= core->workers_used; w++)
        out->workers += core->workers[w].used;
    out->next_seq = core->next_seq;
    out->dedupe_dropped_early = core->dedupe.dropped_early;
    out->reputation_known = reputation_known(core, now);
    memcpy(out->lines_by_gate, core->lines_by_gate, sizeof out->lines_by_gate);
    out->backlog_by_reason[REASON_NOT_YET_DUE] += out->scheduled;
}

static void add_line_backlog(struct core *core, const struct line *line, struct instant now, struct core_status *out)
{
    uint64_t waiting = 0;
    for (int c = 0; c < CLASS_COUNT; c++)
        waiting += line->waiting[c];
    if (waiting > 0)
        out->backlog_by_reason[decide_line(core, line, now)] += waiting;
}

static void add_pool_backlog(struct core *core, uint32_t p, struct instant now, struct core_status *out)
{
    if (core->pools[p].unplaced > 0)
        out->backlog_by_reason[decide_unplaced(core, p, now)] += core->pools[p].unplaced;
    out->backlog_by_reason[REASON_CAMPAIGN_PAUSED] += core->pools[p].yielded;
}

bool core_backlog_walk(struct core *core, struct backlog_cursor *cursor, uint32_t limit, struct instant now,
                       struct core_status *out)
{
    for (uint32_t i = 0; i < limit && cursor->line < core->line_count; i++, cursor->line++)
        add_line_backlog(core, &core->lines[cursor->line], now, out);
    if (cursor->line < core->line_count)
        return true;
    for (uint32_t i = 0; i < limit / BACKLOG_POOL_COSTS && cursor->pool < core->pool_count; i++) {
        add_pool_backlog(core, cursor->pool, now, out);
        cursor->pool = pool_after(core, cursor->pool);
    }
    return cursor->pool < core->pool_count;
}

void core_status_read(struct core *core, struct instant now, struct core_status *out)
{
    struct backlog_cursor cursor = {0};
    core_totals_read(core, now, out);
    while (core_backlog_walk(core, &cursor, UINT32_MAX, now, out))
        continue;
}

uint64_t core_next_seq(const struct core *core)
{
    return core->next_seq;
}

bool core_lease_view(const struct core *core, uint64_t id, struct lease_view *out)
{
    const struct lease *lease = lease_find(core, id);
    uint32_t slot = lease == NULL ? NOBODY : job_find(core, lease->number);
    if (slot == NOBODY)
        return false;
    const struct job *job = &core->jobs[slot];
    const struct conversation *conversation = &core->conversations[job->conversation];
    *out = (struct lease_view){
        .lease = id,
        .number = job->number,
        .place = job->place,
        .line = core->lines[lease->line].known.number,
        .conversation_place = conversation_place(conversation),
        .recorded = (conversation->flags & CONVERSATION_RECORDED) != 0,
        .peer = lease->peer_slot == NOBODY ? 0 : core->workers[lease->peer_slot].peer,
        .account = lease->account,
        .account_name = core_name(core, NAME_ACCOUNT, lease_account_name(core, lease)),
        .pool = lease->pool,
        .attempt = job->attempts,
        .unsettled = (job->flags & JOB_UNSETTLED) != 0,
        .lease_ms = line_policy(core, &core->lines[lease->line])->lease_ms,
        .expires_ms = job_expires_ms(job),
    };
    return true;
}
