/* core_naive_check.c — the core's views against the model's lists (promises P1 and P10, and every counter). */
#include "core_naive.h"

#define REFUSE_UNLESS(fact, ...)                                                                                     \
    do {                                                                                                             \
        if (!(fact))                                                                                                 \
            naive_refuse(__VA_ARGS__);                                                                               \
    } while (0)

static enum job_state state_of(enum naive_place place)
{
    return place == NAIVE_SCHEDULED ? JOB_SCHEDULED : place == NAIVE_WAITING ? JOB_QUEUED : JOB_LEASED;
}

static uint64_t line_of(const struct naive *naive, const struct naive_job *job)
{
    const struct naive_conversation *conversation = &naive->conversations[job->conversation];
    return conversation->home != 0 ? conversation->home : conversation->pinned;
}

/* The reason that stands above all that the line's speed and the worker's slots could say; NONE: none of those. */
static enum reason upper_reason(struct naive *naive, struct rig *rig, const struct naive_job *job)
{
    uint32_t pool = naive_pool_of(job->conversation);
    enum reason paused = REASON_NONE;
    for (int p = 0; p < NAIVE_PAUSES; p++) {
        const struct naive_pause *pause = &naive->pauses[p];
        enum reason reason = REASON_NONE;
        if (pause->id == 0)
            continue;
        if (pause->scope == PAUSE_ALL)
            reason = REASON_PAUSED;
        else if (pause->scope == PAUSE_ACCOUNT && pause->target == naive_account_of(pool))
            reason = REASON_ACCOUNT_PAUSED;
        else if (pause->scope == PAUSE_POOL && pause->target == pool)
            reason = REASON_POOL_PAUSED;
        if (reason != REASON_NONE && (paused == REASON_NONE || reason < paused))
            paused = reason;
    }
    if (job->place == NAIVE_SCHEDULED)
        return REASON_NOT_YET_DUE;
    if (paused != REASON_NONE)
        return paused;
    if (naive_campaign_paused(naive, job))
        return REASON_CAMPAIGN_PAUSED;
    if (naive_conversation_paused(naive, job->conversation))
        return REASON_CONVERSATION_PAUSED;
    struct naive_job *first = naive_first(naive, job->conversation);
    if (first != NULL && first->unsettled)
        return REASON_OUTCOME_UNKNOWN;
    if (naive_chat_stops(naive, job->conversation))
        return REASON_CONVERSATION_CRITICAL;
    uint64_t number = line_of(naive, job);
    if (number == 0)
        return REASON_NONE;
    struct line_view view = rig_line(rig, (uint32_t)(number - RIG_LINE));
    return view.gate == GATE_CLOSED ? view.reason : REASON_NONE;
}

static bool has_yielded(struct rig *rig, const struct naive_job *job)
{
    return rig_view(rig, job->number).yielded;
}

/* Is the job behind one whose reason is another because of its campaign: one of those two is paused, and the first
 * cannot step aside yet? */
static bool is_behind_another_campaign(struct naive *naive, struct rig *rig, const struct naive_job *job)
{
    for (int i = 0; i < NAIVE_JOBS; i++) {
        const struct naive_job *other = &naive->jobs[i];
        bool before = (other->place == NAIVE_WAITING || other->place == NAIVE_LEASED) && other != job &&
                      job->place == NAIVE_WAITING && other->conversation == job->conversation &&
                      naive_goes_before(other, job) && (other->unsettled || !has_yielded(rig, other));
        bool paused = naive_campaign_paused(naive, other);
        bool stays = paused && (other->unsettled || other->due_ms > rig->now.wall_ms);
        if (before && (stays || paused != naive_campaign_paused(naive, job)) && (stays || !paused))
            return true;
    }
    return false;
}

static void check_reason(struct naive *naive, struct rig *rig, const struct naive_job *job,
                         const struct job_view *view)
{
    unsigned long long number = job->number;
    const struct naive_job *first = naive_first(naive, job->conversation);
    enum reason upper = upper_reason(naive, rig, job);
    if (job->place == NAIVE_LEASED) {
        REFUSE_UNLESS(view->reason == REASON_NONE, "P10: leased job %llu says %s", number, reason_name(view->reason));
        return;
    }
    REFUSE_UNLESS(!view->yielded || naive_campaign_paused(naive, job), "job %llu stands aside for nothing", number);
    if (view->yielded || is_behind_another_campaign(naive, rig, job)) {
        bool own = upper == REASON_NONE && !reason_holds(view->reason);
        REFUSE_UNLESS(view->reason == upper || own || (!view->yielded && view->reason == REASON_CONVERSATION_BUSY),
                      "P10: job %llu says %s, but it is %s", number, reason_name(view->reason), reason_name(upper));
        return;
    }
    if (job->place == NAIVE_WAITING && first != NULL && first != job && first->place == NAIVE_LEASED) {
        REFUSE_UNLESS(view->reason == REASON_CONVERSATION_BUSY, "P10: job %llu behind a leased one says %s", number,
                      reason_name(view->reason));
        return;
    }
    if (upper != REASON_NONE) {
        REFUSE_UNLESS(view->reason == upper, "P10: job %llu says %s, but it is %s", number, reason_name(view->reason),
                      reason_name(upper));
        return;
    }
    REFUSE_UNLESS(!reason_holds(view->reason), "P10: job %llu says it is held: %s", number,
                  reason_name(view->reason));
    if (first != job)
        return;
    uint32_t account = naive_account_of(naive_pool_of(job->conversation));
    bool down = naive->broken[account] || naive->refused[account];
    REFUSE_UNLESS(down == (view->reason == REASON_PROVIDER_DOWN), "P10: job %llu says %s, provider down %d", number,
                  reason_name(view->reason), down);
    bool waits = job->due_ms > rig->now.wall_ms && !job->holds_all;
    REFUSE_UNLESS(!waits || view->reason == REASON_RETRY_BACKOFF || view->reason == REASON_PROVIDER_DOWN,
                  "P10: job %llu waits for its next try but says %s", number, reason_name(view->reason));
    REFUSE_UNLESS(waits || view->reason != REASON_RETRY_BACKOFF, "P10: job %llu says retry_backoff", number);
    enum reason chat = down || waits ? REASON_NONE : naive_chat_reason(naive, rig, job, view->chat.last_out_ms);
    bool by_chat = view->reason == REASON_CONVERSATION_AT_RISK || view->reason == REASON_CONVERSATION_CADENCE ||
                   view->reason == REASON_QUIET_HOURS;
    REFUSE_UNLESS(chat != REASON_NONE ? view->reason == chat : !by_chat, "P10: job %llu says %s, its chat %s", number,
                  reason_name(view->reason), reason_name(chat));
    REFUSE_UNLESS(line_of(naive, job) == 0 || view->reason != REASON_NO_HEALTHY_LINE,
                  "P10: job %llu has a line but says no_healthy_line", number);
}

/* A pin ends with the last job that names the line. The core knows that of all but those that are not due, or may stand
 * aside for their campaign: until these are there or gone, it may let go or not. */
static void see_pin(struct naive *naive, const struct naive_job *job, uint64_t line)
{
    struct naive_conversation *conversation = &naive->conversations[job->conversation];
    bool surely = true;
    for (int i = 0; i < NAIVE_JOBS; i++) {
        const struct naive_job *other = &naive->jobs[i];
        if (other->place == NAIVE_FREE || other->conversation != job->conversation)
            continue;
        if (other->pinned)
            return;
        surely = surely && other->place != NAIVE_SCHEDULED && other->campaign == 0;
    }
    if (surely || (conversation->home == 0 && line == 0))
        conversation->pinned = 0;
}

/* So does a home where nothing began: with the last job that was tried there. */
void naive_see_home(struct naive *naive, uint32_t at)
{
    struct naive_conversation *conversation = &naive->conversations[at];
    if (conversation->for_good || conversation->chat)
        return;
    for (int i = 0; i < NAIVE_JOBS; i++) {
        const struct naive_job *other = &naive->jobs[i];
        if (other->place == NAIVE_FREE || other->conversation != at)
            continue;
        if (other->attempts > 0 || other->unsettled || other->doubtful)
            return;
    }
    conversation->home = 0;
}

void naive_check_job(struct naive *naive, struct rig *rig, const struct naive_job *job)
{
    unsigned long long number = job->number;
    struct job_view view;
    REFUSE_UNLESS(core_job_view(rig->core, job->number, rig->now, &view), "P1: job %llu is lost", number);
    REFUSE_UNLESS(view.state == state_of(job->place), "job %llu is %s", number, job_state_name(view.state));
    REFUSE_UNLESS(view.attempts == job->attempts, "job %llu has %u attempts, not %u", number, view.attempts,
                  job->attempts);
    REFUSE_UNLESS(view.unsettled == (job->unsettled || job->doubtful), "job %llu: unsettled %d", number, view.unsettled);
    naive_see_home(naive, job->conversation);
    see_pin(naive, job, view.line);
    REFUSE_UNLESS(view.line == line_of(naive, job),
                  "job %llu of conversation %u (home %llu%s%s, pinned %llu) is on %llu, not on %llu", number,
                  job->conversation, (unsigned long long)naive->conversations[job->conversation].home,
                  naive->conversations[job->conversation].for_good ? " for good" : "",
                  naive->conversations[job->conversation].chat ? " by chat" : "",
                  (unsigned long long)naive->conversations[job->conversation].pinned, (unsigned long long)view.line,
                  (unsigned long long)line_of(naive, job));
    REFUSE_UNLESS(view.cancel_asked == job->cancel, "job %llu: cancel %d", number, view.cancel_asked);
    const struct naive_conversation *conversation = &naive->conversations[job->conversation];
    REFUSE_UNLESS(view.chat.health == conversation->health && view.chat.health_at_ms == conversation->health_at_ms &&
                      view.chat.unanswered == conversation->unanswered &&
                      (conversation->unanswered == 0 || view.chat.last_out_ms + 999 >= conversation->last_sent_ms),
                  "job %llu: its chat (conversation %u) is %s of %lld with %u unanswered at %lld, not %s of %lld with %u at %lld",
                  number, job->conversation, chat_health_name(view.chat.health), (long long)view.chat.health_at_ms,
                  view.chat.unanswered, (long long)view.chat.last_out_ms, chat_health_name(conversation->health),
                  (long long)conversation->health_at_ms, conversation->unanswered,
                  (long long)conversation->last_sent_ms);
    bool waits = job->due_ms > rig->now.wall_ms; /* a wait that is over may be forgotten */
    REFUSE_UNLESS(view.expires_ms == job->expires_ms && (view.due_ms == job->due_ms || (!waits && view.due_ms == 0)),
                  "job %llu has other times", number);
    check_reason(naive, rig, job, &view);
}

static void check_line(const struct naive *naive, struct rig *rig, uint32_t at)
{
    const struct naive_line *line = &naive->lines[at];
    struct line_view view = rig_line(rig, at);
    if (!line->heard)
        return;
    REFUSE_UNLESS(view.number == RIG_LINE + at, "line %u is not known", at);
    REFUSE_UNLESS(view.pool == naive_pool_of_line(at), "line %u is in pool %u", at, view.pool);
    REFUSE_UNLESS(view.status == line->word, "line %u: last word %s, not %s", at, reputation_name(view.status),
                  reputation_name(line->word));
    REFUSE_UNLESS(view.proven == line->proven, "line %u: proven %s, not %s", at, reputation_name(view.proven),
                  reputation_name(line->proven));
    REFUSE_UNLESS((view.service == SERVICE_FLAGGED) == line->flagged, "line %u: service %s", at,
                  service_name(view.service));
    int64_t silent_ms = rig->now.wall_ms - line->heard_wall_ms;
    REFUSE_UNLESS(silent_ms <= 60000 || view.gate != GATE_OPEN, "line %u is open after %lld ms of silence", at,
                  (long long)silent_ms);
    REFUSE_UNLESS(silent_ms <= 180000 || view.gate == GATE_CLOSED, "line %u is %s after %lld ms of silence", at,
                  gate_name(view.gate), (long long)silent_ms);
    if (naive_closed(naive, at)) {
        REFUSE_UNLESS(view.gate == GATE_CLOSED, "P3: line %u is %s", at, gate_name(view.gate));
    } else if (silent_ms < 100000) { /* a restart may take it for older than it is */
        REFUSE_UNLESS(view.gate != GATE_CLOSED, "line %u is closed: %s", at, reason_name(view.reason));
    }
    uint32_t waiting = 0, leased = 0, by_class[CLASS_COUNT] = {0};
    for (int i = 0; i < NAIVE_JOBS; i++) {
        const struct naive_job *job = &naive->jobs[i];
        if (job->place == NAIVE_FREE || line_of(naive, job) != RIG_LINE + at || has_yielded(rig, job))
            continue;
        waiting += job->place == NAIVE_WAITING;
        leased += job->place == NAIVE_LEASED;
        by_class[job->class] += job->place == NAIVE_WAITING;
    }
    REFUSE_UNLESS(view.backlog_queued + view.backlog_held == waiting, "line %u counts %u waiting, not %u", at,
                  view.backlog_queued + view.backlog_held, waiting);
    REFUSE_UNLESS(view.backlog_leased == leased, "line %u counts %u leased, not %u", at, view.backlog_leased, leased);
    for (int c = 0; c < CLASS_COUNT; c++)
        REFUSE_UNLESS(view.backlog_by_class[c] == by_class[c], "line %u counts %u of class %d, not %u", at,
                      view.backlog_by_class[c], c, by_class[c]);
}

static void check_pool(const struct naive *naive, struct rig *rig, uint32_t pool)
{
    struct pool_view view;
    uint64_t scheduled = 0, waiting = 0, leased = 0, unplaced = 0;
    for (int i = 0; i < NAIVE_JOBS; i++) {
        const struct naive_job *job = &naive->jobs[i];
        if (job->place == NAIVE_FREE || naive_pool_of(job->conversation) != pool)
            continue;
        scheduled += job->place == NAIVE_SCHEDULED;
        waiting += job->place == NAIVE_WAITING;
        leased += job->place == NAIVE_LEASED;
        unplaced += job->place == NAIVE_WAITING && line_of(naive, job) == 0 && !has_yielded(rig, job);
    }
    REFUSE_UNLESS(core_pool_view(rig->core, pool, &view), "pool %u is not known", pool);
    uint32_t lines = 0;
    for (size_t l = 0; l < core_line_count(rig->core); l++) {
        struct line_view line;
        lines += core_line_view(rig->core, l, rig->now, &line) && line.pool == pool;
    }
    REFUSE_UNLESS(view.lines == lines && view.lines_open + view.lines_slow + view.lines_closed == lines,
                  "pool %u counts %u lines, not %u", pool, view.lines, lines);
    REFUSE_UNLESS(view.scheduled == scheduled, "pool %u counts %llu scheduled, not %llu", pool,
                  (unsigned long long)view.scheduled, (unsigned long long)scheduled);
    REFUSE_UNLESS(view.waiting == waiting && view.leased == leased && view.unplaced == unplaced,
                  "pool %u counts %llu waiting, %llu leased, %llu unplaced; not %llu, %llu, %llu", pool,
                  (unsigned long long)view.waiting, (unsigned long long)view.leased,
                  (unsigned long long)view.unplaced, (unsigned long long)waiting, (unsigned long long)leased,
                  (unsigned long long)unplaced);
}

/* It has ended by now: at once, but for what is not in its conversation's list. */
static void check_suppressed(const struct naive *naive, const struct naive_job *job)
{
    bool may_be_sent = job->unsettled || job->doubtful;
    bool stopped = naive_is_suppressed(naive, naive_recipient(job->conversation)) ||
                   naive->conversations[job->conversation].health == CHAT_OPTED_OUT;
    REFUSE_UNLESS(job->place != NAIVE_WAITING || may_be_sent || !stopped,
                  "job %llu waits though its recipient is suppressed or has opted out",
                  (unsigned long long)job->number);
}

void naive_check_all(struct naive *naive, struct rig *rig)
{
    uint64_t live = 0, scheduled = 0, leased = 0;
    for (int i = 0; i < NAIVE_JOBS; i++) {
        if (naive->jobs[i].place == NAIVE_FREE)
            continue;
        live++;
        scheduled += naive->jobs[i].place == NAIVE_SCHEDULED;
        leased += naive->jobs[i].place == NAIVE_LEASED;
        naive_check_job(naive, rig, &naive->jobs[i]);
        check_suppressed(naive, &naive->jobs[i]);
    }
    struct core_status status;
    core_status_read(rig->core, rig->now, &status);
    REFUSE_UNLESS(status.jobs == live && status.scheduled == scheduled && status.leased == leased &&
                      status.queued == live - scheduled - leased,
                  "status counts %llu jobs (%llu scheduled, %llu leased), not %llu (%llu, %llu)",
                  (unsigned long long)status.jobs, (unsigned long long)status.scheduled,
                  (unsigned long long)status.leased, (unsigned long long)live, (unsigned long long)scheduled,
                  (unsigned long long)leased);
    for (uint32_t l = 0; l < NAIVE_LINES; l++)
        check_line(naive, rig, l);
    for (uint32_t p = 0; p < POOL_COUNT; p++)
        check_pool(naive, rig, p);
    for (int i = 0; i < NAIVE_IDS; i++)
        REFUSE_UNLESS(naive->ids[i].id == 0 || core_job_by_id(rig->core, naive->ids[i].id) == naive->ids[i].number,
                      "producer id %llu is forgotten", (unsigned long long)naive->ids[i].id);
}
