/* core_naive_records.c — every record that the core writes is held against what was asked and what the model knows.
 */
#include "core_naive.h"

#include <string.h>

#include "broker/store/record.h"

#define DAY_MS INT64_C(86400000)

struct showing {
    struct naive *naive;
    struct rig *rig;
    const struct naive_asked *asked;
    struct grants *grants;
    const struct truth *truth;
    size_t record;
    int64_t now_ms;
};

#define REFUSE_UNLESS(fact, ...)                                                                                     \
    do {                                                                                                             \
        if (!(fact))                                                                                                 \
            naive_refuse(__VA_ARGS__);                                                                               \
    } while (0)

static unsigned long long ull(uint64_t value)
{
    return value;
}

/* ---- a job is accepted ---- */

/* The waiting job whose place the new one takes. */
static struct naive_job *collapsed(const struct showing *s, const struct naive_job *job)
{
    struct naive_job *found = NULL;
    bool late = job->expires_ms != 0 && job->expires_ms <= s->now_ms;
    for (int i = 0; i < NAIVE_JOBS && job->collapse != 0 && !late; i++) {
        struct naive_job *old = &s->naive->jobs[i];
        bool waits = old->place == NAIVE_WAITING || old->place == NAIVE_SCHEDULED;
        if (waits && old != job && !old->unsettled && !old->doubtful && old->conversation == job->conversation &&
            old->collapse == job->collapse && (found == NULL || old->order < found->order))
            found = old;
    }
    return found;
}

static void take_place(const struct showing *s, struct naive_job *job)
{
    const struct naive_job *old = collapsed(s, job);
    if (old == NULL)
        return;
    s->naive->superseded = old->number;
    if (old->place == NAIVE_WAITING && job->place == NAIVE_WAITING && old->class == job->class)
        job->order = old->order;
}

static struct naive_job *free_slot(struct naive *naive)
{
    for (int i = 0; i < NAIVE_JOBS; i++)
        if (naive->jobs[i].place == NAIVE_FREE)
            return &naive->jobs[i];
    naive_refuse("more jobs than were asked for");
}

/* A dead letter comes back: its number, its key, its line if it was tried, and the tail of its conversation. */
static void show_requeued(const struct showing *s, const struct change_job *change)
{
    const struct naive_dead *letter = s->asked->letter;
    REFUSE_UNLESS(letter != NULL && letter->number == change->number && change->life == letter->life + 1,
                  "job %llu is requeued as another", ull(change->number));
    REFUSE_UNLESS(naive_job(s->naive, change->number) == NULL, "job %llu lives twice", ull(change->number));
    struct naive_conversation *conversation = &s->naive->conversations[letter->conversation];
    bool tried = letter->attempts > 0 || letter->doubtful;
    bool elsewhere = conversation->home == 0 && conversation->pinned != 0 && conversation->pinned != letter->line;
    *free_slot(s->naive) = (struct naive_job){.place = NAIVE_WAITING,
                                              .number = letter->number,
                                              .id = letter->id,
                                              .content = letter->content,
                                              .order = ++s->naive->orders,
                                              .conversation = letter->conversation,
                                              .class = letter->class,
                                              .campaign = letter->campaign,
                                              .expires_ms = s->asked->requeue->job.expires_ms,
                                              .attempts = elsewhere && !letter->doubtful ? 0 : letter->attempts,
                                              .pinned = letter->from_line != 0,
                                              .doubtful = letter->doubtful,
                                              .life = letter->life + 1,
                                              .key_known = letter->key_known};
    memcpy(naive_job(s->naive, letter->number)->key, letter->key, sizeof letter->key);
    if (letter->from_line != 0)
        conversation->pinned = letter->from_line;
    if (tried && conversation->home == 0 && (!elsewhere || letter->doubtful))
        conversation->home = letter->line;
    for (int i = 0; i < NAIVE_DEAD; i++)
        if (s->naive->dead[i].number == change->number)
            s->naive->dead[i].number = 0;
}

static void show_job(const struct showing *s, const struct change_job *change)
{
    if (s->asked->requeue != NULL) {
        show_requeued(s, change);
        return;
    }
    const struct core_enqueue *ask = s->asked->enqueue;
    REFUSE_UNLESS(ask != NULL && naive_key(s->asked->conversation) == change->conversation, "a job nobody asked for");
    struct naive_job *job = free_slot(s->naive);
    REFUSE_UNLESS(naive_job(s->naive, change->number) == NULL, "a job number given twice");
    *job = (struct naive_job){.place = ask->due_ms > s->now_ms ? NAIVE_SCHEDULED : NAIVE_WAITING,
                              .number = change->number,
                              .id = ask->id_hash,
                              .content = ask->content_hash,
                              .order = ++s->naive->orders,
                              .conversation = s->asked->conversation,
                              .class = ask->class,
                              .campaign = ask->campaign,
                              .collapse = ask->collapse,
                              .due_ms = ask->due_ms > s->now_ms ? ask->due_ms : 0,
                              .expires_ms = ask->expires_ms,
                              .has_link = ask->has_link,
                              .has_zone = ask->zone != 0,
                              .pinned = ask->from_line != 0};
    take_place(s, job);
    struct naive_conversation *conversation = &s->naive->conversations[job->conversation];
    if (ask->from_line != 0) {
        conversation->pinned = ask->from_line;
        if (ask->chat_hash != 0 && !conversation->recorded) { /* a chat that exists makes it a known one */
            conversation->home = ask->from_line;
            conversation->chat = conversation->chat_known = true;
        }
    }
    REFUSE_UNLESS(ask->from_line == 0 || conversation->home == 0 || conversation->home == ask->from_line,
                  "job %llu pinned to a line where its conversation is not", ull(job->number));
    if (ask->id_hash != 0)
        s->naive->ids[s->naive->id_next++ % NAIVE_IDS] =
            (struct naive_id){ask->id_hash, job->number, ask->content_hash};
    s->naive->accepted++;
}

/* ---- a lease is granted ---- */

static unsigned granted_since(const struct showing *s, uint32_t line, int64_t since_ms, bool placed_only, bool all)
{
    unsigned count = 0;
    for (size_t i = s->grants->count; i-- > 0 && s->grants->list[i].wall_ms > since_ms;) {
        const struct grant *grant = &s->grants->list[i];
        if (grant->line == line && (!placed_only || (grant->placed && !grant->void_placed)) &&
            (all || placed_only || !grant->void_message))
            count++;
    }
    return count;
}

static void check_pace(const struct showing *s, uint32_t line, const struct line_view *view)
{
    const struct conf_policy *policy = naive_policy(s->rig, naive_pool_of_line(line));
    if (policy->pace_per_min == 0)
        return;
    unsigned minute = granted_since(s, line, s->now_ms - 60000, false, true);
    REFUSE_UNLESS(minute <= policy->pace_per_min + policy->burst - 1, "P6: %u leases on line %u in a minute", minute,
                  line);
    /* At one pace without a burst, the gap is even. */
    const struct grant *last = NULL;
    for (size_t i = s->grants->count - 1; i-- > 0 && last == NULL;)
        if (s->grants->list[i].line == line)
            last = &s->grants->list[i];
    if (last == NULL || policy->burst != 1 || view->pace_per_min <= 0 || last->pace_per_min > view->pace_per_min ||
        last->pace_per_min <= 0 || view->gate_since_ms >= last->wall_ms)
        return;
    int64_t gap_ms = s->now_ms - last->wall_ms;
    REFUSE_UNLESS((double)gap_ms >= 60000.0 / view->pace_per_min - 1, "P6: line %u sends after %lld ms at %.1f/min",
                  line, (long long)gap_ms, view->pace_per_min);
}

static void check_pair(const struct showing *s, uint32_t line, uint32_t conversation)
{
    const struct conf_policy *policy = naive_policy(s->rig, naive_pool_of_line(line));
    unsigned count = 0;
    for (size_t i = s->grants->count; i-- > 0 && s->grants->list[i].wall_ms > s->now_ms - 60000;)
        count += s->grants->list[i].conversation == conversation && !s->grants->list[i].void_message;
    REFUSE_UNLESS(policy->pair_per_min == 0 || count <= policy->pair_per_min,
                  "P6: %u messages to conversation %u in a minute", count, conversation);
}

/* Each conversation that the line wrote to within the hour counts once. */
static void check_recipients(const struct showing *s, uint32_t line)
{
    const struct conf_policy *policy = naive_policy(s->rig, naive_pool_of_line(line));
    bool written[NAIVE_CONVERSATIONS] = {false};
    unsigned count = 0;
    for (size_t i = s->grants->count; i-- > 0 && s->grants->list[i].wall_ms > s->now_ms - 3600000;) {
        const struct grant *grant = &s->grants->list[i];
        if (grant->line != line || grant->void_message || written[grant->conversation])
            continue;
        written[grant->conversation] = true;
        count++;
    }
    REFUSE_UNLESS(policy->distinct_recipients_per_hour == 0 || count <= policy->distinct_recipients_per_hour,
                  "P6: line %u writes to %u recipients in an hour", line, count);
}

/* A reply may go beyond it. The level is a mean; no more than the best of its days. */
static void check_growth(const struct showing *s, uint32_t line)
{
    const struct conf_policy *policy = naive_policy(s->rig, naive_pool_of_line(line));
    unsigned day[8] = {0};
    unsigned best = 0;
    for (size_t i = s->grants->count; i-- > 0 && s->grants->list[i].wall_ms / DAY_MS > s->now_ms / DAY_MS - 8;)
        if (s->grants->list[i].line == line)
            day[s->now_ms / DAY_MS - s->grants->list[i].wall_ms / DAY_MS]++;
    for (int ago = 1; ago < 8; ago++)
        best = day[ago] > best ? day[ago] : best;
    double most = policy->daily_growth_factor * best;
    most = most < (double)policy->growth_floor ? (double)policy->growth_floor : most;
    unsigned out = granted_since(s, line, s->now_ms - DAY_MS, false, false);
    REFUSE_UNLESS(policy->daily_growth_factor == 0 || out <= most, "P6: line %u grows to %u messages a day, not %.0f",
                  line, out, most);
}

static void check_budget(const struct showing *s, uint32_t line, bool placed)
{
    const struct conf_policy *policy = naive_policy(s->rig, naive_pool_of_line(line));
    unsigned messages = granted_since(s, line, s->now_ms - DAY_MS, false, false);
    unsigned fresh = granted_since(s, line, s->now_ms - DAY_MS, true, false);
    REFUSE_UNLESS(policy->daily_messages == 0 || messages <= policy->daily_messages, "P6: %u messages on line %u",
                  messages, line);
    REFUSE_UNLESS(!placed || policy->new_conversations_per_day == 0 || fresh <= policy->new_conversations_per_day,
                  "P5: %u new conversations on line %u", fresh, line);
}

static void check_gate(const struct showing *s, const struct naive_job *job, uint32_t line,
                       const struct line_view *view, bool placed)
{
    const struct naive_line *known = &s->naive->lines[line];
    uint32_t pool = naive_pool_of_line(line);
    bool probe = known->flagged && known->flag_by_error;
    struct naive unflagged = *s->naive;
    unflagged.lines[line].flagged = false;
    REFUSE_UNLESS(!naive_paused(s->naive, pool, s->now_ms), "P3: job %llu leased in a paused pool", ull(job->number));
    REFUSE_UNLESS(!naive_campaign_paused(s->naive, job), "P3: job %llu leased though its campaign is paused",
                  ull(job->number));
    REFUSE_UNLESS(!naive_conversation_paused(s->naive, job->conversation),
                  "P3: job %llu leased though its conversation is paused", ull(job->number));
    REFUSE_UNLESS(!naive_closed(s->naive, line) || (probe && !naive_closed(&unflagged, line)),
                  "P3: job %llu leased on closed line %u", ull(job->number), line);
    REFUSE_UNLESS(view->gate != GATE_CLOSED || probe, "P3: job %llu leased on line %u whose view says closed",
                  ull(job->number), line);
    if (!placed)
        return;
    bool healthy =
        known->word == REPUTATION_HEALTHY && known->proven == REPUTATION_HEALTHY && view->gate == GATE_OPEN;
    bool allowed =
        naive_policy(s->rig, pool)->allow_at_risk_new && known->word == REPUTATION_AT_RISK && view->gate == GATE_SLOW;
    REFUSE_UNLESS(!known->cordoned, "P5: job %llu opens a conversation on cordoned line %u", ull(job->number), line);
    REFUSE_UNLESS(healthy || allowed, "P5: job %llu opens a conversation on line %u, %s, %s, proven %s",
                  ull(job->number), line, gate_name(view->gate), reputation_name(known->word),
                  reputation_name(known->proven));
}

/* Its turn: the first of its conversation, due, wanted still, and where that lives. */
static void check_turn(const struct showing *s, const struct naive_job *job, uint64_t line_number)
{
    const struct naive_conversation *conversation = &s->naive->conversations[job->conversation];
    uint32_t line = (uint32_t)(line_number - RIG_LINE);
    REFUSE_UNLESS(s->asked->ticked, "a lease outside of a turn");
    REFUSE_UNLESS(line < NAIVE_LINES && naive_pool_of_line(line) == naive_pool_of(job->conversation),
                  "job %llu leased in another pool", ull(job->number));
    REFUSE_UNLESS(job->place == NAIVE_WAITING, "job %llu leased while %d", ull(job->number), job->place);
    const struct naive_job *first = naive_first(s->naive, job->conversation);
    REFUSE_UNLESS(first == job,
                  "P2: job %llu (class %d, order %llu) of conversation %u leased before %llu (%d, %llu)",
                  ull(job->number), job->class, ull(job->order), job->conversation, ull(first->number), first->class,
                  ull(first->order));
    REFUSE_UNLESS(job->due_ms <= s->now_ms, "job %llu leased before it is due", ull(job->number));
    REFUSE_UNLESS(job->expires_ms == 0 || job->expires_ms > s->now_ms, "P7: job %llu leased expired",
                  ull(job->number));
    REFUSE_UNLESS(!job->cancel || job->unsettled || job->doubtful, "P7: job %llu leased though cancelled", ull(job->number));
    REFUSE_UNLESS(conversation->home == 0 || conversation->home == line_number, "P4: job %llu leased on another line",
                  ull(job->number));
    REFUSE_UNLESS(conversation->pinned == 0 || conversation->pinned == line_number, "job %llu leaves its pin",
                  ull(job->number));
}

/* What its chat and its account let go. */
static void check_account(const struct showing *s, struct naive_job *job)
{
    const struct naive_conversation *conversation = &s->naive->conversations[job->conversation];
    uint32_t account = naive_account_of(naive_pool_of(job->conversation));
    int64_t last_out_ms = conversation->last_sent_ms / 1000 * 1000 - 1000; /* rounding apart */
    REFUSE_UNLESS(naive_chat_reason(s->naive, s->rig, job, last_out_ms) == REASON_NONE, "job %llu leased against its chat",
                  ull(job->number));
    REFUSE_UNLESS(!s->naive->refused[account], "job %llu leased though the key is refused", ull(job->number));
    for (int i = 0; i < NAIVE_JOBS; i++)
        REFUSE_UNLESS(!s->naive->broken[account] || s->naive->jobs[i].place != NAIVE_LEASED ||
                          naive_account_of(naive_pool_of(s->naive->jobs[i].conversation)) != account ||
                          !s->naive->jobs[i].probes_account,
                      "two probes of account %u", account);
    job->probes_account = s->naive->broken[account];
}

static void add_grant(const struct showing *s, const struct grant *grant)
{
    for (size_t i = 0; i < s->grants->count; i++)
        REFUSE_UNLESS(s->grants->list[i].lease != grant->lease, "lease %llu used twice", ull(grant->lease));
    if (s->grants->count == s->grants->room)
        naive_refuse("room for more grants needed");
    s->grants->list[s->grants->count++] = *grant;
}

static void check_key(const struct showing *s, struct naive_job *job)
{
    uint8_t key[KEY_RANDOM_BYTES];
    core_key_random(s->rig->core, job->number, key);
    REFUSE_UNLESS(!job->key_known || memcmp(job->key, key, sizeof key) == 0, "P4: job %llu has another key",
                  ull(job->number));
    memcpy(job->key, key, sizeof key);
    job->key_known = true;
}

static void show_lease(const struct showing *s, struct naive_job *job, const struct change_try *change)
{
    uint32_t line = (uint32_t)(change->line - RIG_LINE);
    struct naive_conversation *conversation = &s->naive->conversations[job->conversation];
    bool placed = conversation->home == 0;
    struct line_view view = rig_line(s->rig, line);
    check_turn(s, job, change->line);
    check_account(s, job);
    check_gate(s, job, line, &view, placed);
    add_grant(s, &(struct grant){.lease = change->lease,
                                 .number = job->number,
                                 .line = line,
                                 .conversation = job->conversation,
                                 .wall_ms = s->now_ms,
                                 .record = s->record,
                                 .placed = placed,
                                 .probe = view.gate == GATE_CLOSED,
                                 .pace_per_min = view.pace_per_min,
                                 .gate_since_ms = view.gate_since_ms});
    check_pace(s, line, &view);
    check_budget(s, line, placed);
    check_pair(s, line, job->conversation);
    check_recipients(s, line);
    if (placed || job->class != CLASS_REPLY)
        check_growth(s, line);
    check_key(s, job);
    job->place = NAIVE_LEASED;
    job->lease = change->lease;
    job->line = line;
    job->attempts++;
    job->unsettled = job->unsettled || job->doubtful;
    job->doubtful = false;
    REFUSE_UNLESS(change->unsettled == job->unsettled, "job %llu: unsettled is leased as %d", ull(job->number),
                  change->unsettled);
    job->restored = false;
    job->due_ms = 0;
    job->holds_all = false;
    conversation->home = change->line;
    REFUSE_UNLESS(change->attempts == job->attempts, "job %llu: attempt %u is told as %u", ull(job->number),
                  job->attempts, change->attempts);
}

/* ---- a lease comes back ---- */

static struct grant *grant_of(const struct showing *s, uint64_t lease)
{
    for (size_t i = s->grants->count; i-- > 0;)
        if (s->grants->list[i].lease == lease)
            return &s->grants->list[i];
    naive_refuse("lease %llu was never granted", ull(lease));
}

static bool is_result_of(const struct showing *s, const struct naive_job *job)
{
    return s->asked->result != NULL && s->asked->result_lease == job->lease;
}

/* No line keeps a conversation that surely never began there. A restart takes each try that it knows of for one that
 * may have begun. */
static void leave_home(struct naive *naive, const struct naive_job *job)
{
    struct naive_conversation *conversation = &naive->conversations[job->conversation];
    bool tried = conversation->for_good || conversation->chat;
    for (int i = 0; i < NAIVE_JOBS && !tried && job->restored; i++) {
        const struct naive_job *other = &naive->jobs[i];
        tried = other != job && other->place != NAIVE_FREE && other->conversation == job->conversation &&
                other->attempts > 0;
    }
    if (!tried)
        conversation->home = 0;
}

/* A restart does not know which lease did; it takes a first try for one. */
static bool opened_conversation(const struct naive_job *job, const struct grant *grant)
{
    return job->restored ? job->attempts == 1 && !job->unsettled : grant->placed;
}

static void unpin_if_empty(struct naive *naive, uint32_t at)
{
    struct naive_conversation *conversation = &naive->conversations[at];
    for (int i = 0; i < NAIVE_JOBS; i++)
        if (naive->jobs[i].place != NAIVE_FREE && naive->jobs[i].conversation == at)
            return;
    conversation->pinned = 0;
    if (conversation->for_good || conversation->chat)
        return;
    conversation->home = 0;
    conversation->health = CHAT_UNKNOWN;
    conversation->health_at_ms = 0;
    conversation->unanswered = 0;
}

/* Says the worker that this try surely made nothing? */
static bool made_nothing(const struct showing *s, const struct naive_job *job)
{
    const struct core_result *result = s->asked->result;
    return is_result_of(s, job) && !result->malformed && !result->unknown && result->outcome != OUTCOME_SENT;
}

/* Of those that attempts_max limits. */
static bool counts_as_failure(const struct showing *s, const struct naive_job *job)
{
    const struct core_result *result = s->asked->result;
    return result->outcome == OUTCOME_RETRY && !result->malformed && result->scope == SCOPE_JOB && !result->unknown &&
           !job->unsettled;
}

/* How long it may wait until its next try. */
static void check_wait(const struct showing *s, const struct naive_job *job, const struct change_try *change)
{
    const struct core_result *result = s->asked->result;
    const struct conf_policy *policy = naive_policy(s->rig, naive_pool_of(job->conversation));
    bool own = result->malformed || result->scope == SCOPE_JOB || result->scope == SCOPE_CONVERSATION;
    int64_t wait_ms = change->due_ms - s->now_ms;
    if (!own)
        REFUSE_UNLESS(change->due_ms == 0, "job %llu waits for itself", ull(job->number));
    else if (result->retry_after_ms == 0)
        REFUSE_UNLESS(change->due_ms == 0, "job %llu waits though it need not", ull(job->number));
    else if (result->retry_after_ms > 0)
        REFUSE_UNLESS(wait_ms == result->retry_after_ms, "job %llu waits %lld ms", ull(job->number),
                      (long long)wait_ms);
    else
        REFUSE_UNLESS(wait_ms >= policy->retry_base_ms && wait_ms <= policy->retry_cap_ms, "job %llu waits %lld ms",
                      ull(job->number), (long long)wait_ms);
}

static void show_back(const struct showing *s, struct naive_job *job, const struct change_try *change)
{
    bool counted = change->attempts == job->attempts;
    struct grant *grant = grant_of(s, job->lease);
    job->place = NAIVE_WAITING;
    if (!counted) { /* never begun */
        bool said = is_result_of(s, job) && s->asked->result->outcome == OUTCOME_RETURNED;
        REFUSE_UNLESS(change->attempts + 1u == job->attempts, "job %llu lost attempts", ull(job->number));
        REFUSE_UNLESS(said || !s->truth->begun(s->truth->world, job->lease),
                      "P4: job %llu is called unbegun while it is being sent", ull(job->number));
        bool opened = opened_conversation(job, grant);
        job->attempts--;
        grant->void_message = true;
        grant->void_placed = grant->placed;
        if (opened)
            leave_home(s->naive, job);
    } else if (is_result_of(s, job)) {
        const struct core_result *result = s->asked->result;
        REFUSE_UNLESS(result->outcome == OUTCOME_RETRY || result->malformed, "job %llu comes back though %s",
                      ull(job->number), outcome_name(result->outcome));
        if (made_nothing(s, job) && !job->unsettled)
            grant->void_message = true;
        job->unsettled = job->unsettled || result->unknown || result->malformed;
        job->failures += counts_as_failure(s, job);
        REFUSE_UNLESS(job->unsettled ||
                          job->failures < naive_policy(s->rig, naive_pool_of(job->conversation))->attempts_max,
                      "job %llu goes on after %u failures", ull(job->number), job->failures);
        check_wait(s, job, change);
    } else {
        job->unsettled = true; /* it lapsed */
        REFUSE_UNLESS(s->asked->ticked, "job %llu lapses outside of a tick", ull(job->number));
    }
    job->lease = 0;
    job->due_ms = change->due_ms;
    job->holds_all = change->wide && change->due_ms != 0;
    REFUSE_UNLESS(change->unsettled == job->unsettled, "job %llu: unsettled is told as %d", ull(job->number),
                  change->unsettled);
}

static void show_try(const struct showing *s, const struct change_try *change)
{
    struct naive_job *job = naive_job(s->naive, change->number);
    REFUSE_UNLESS(job != NULL, "a try of job %llu, which has ended", ull(change->number));
    if (change->state == JOB_LEASED && job->place != NAIVE_LEASED) {
        show_lease(s, job, change);
    } else if (change->state == JOB_QUEUED && job->place == NAIVE_LEASED) {
        show_back(s, job, change);
    } else if (change->state == JOB_QUEUED && job->place == NAIVE_SCHEDULED) {
        REFUSE_UNLESS(job->due_ms <= s->now_ms, "job %llu falls due too early", ull(job->number));
        for (int i = 0; i < NAIVE_JOBS; i++) { /* in the same moment: the one that was accepted first */
            const struct naive_job *other = &s->naive->jobs[i];
            bool earlier = other->due_ms < job->due_ms || (other->due_ms == job->due_ms && other->number < job->number);
            REFUSE_UNLESS(other->place != NAIVE_SCHEDULED || !earlier, "job %llu falls due before an earlier one",
                          ull(job->number));
        }
        job->place = NAIVE_WAITING;
        job->due_ms = 0;
        job->order = ++s->naive->orders;
    } else { /* said anew: for the cleaner, or because a cancel was asked for */
        REFUSE_UNLESS(change->attempts == job->attempts && change->unsettled == job->unsettled &&
                          change->doubtful == job->doubtful &&
                          change->lease == job->lease && change->cancel == job->cancel,
                      "job %llu is told anew with other values", ull(job->number));
    }
}

/* ---- a job ends ---- */

static void check_end(const struct showing *s, const struct naive_job *job, const struct change_end *change)
{
    bool expired = job->expires_ms != 0 && job->expires_ms <= s->now_ms;
    bool answered = is_result_of(s, job);
    const struct core_result *result = s->asked->result;
    bool sent = (s->asked->result_lease != 0 && grant_of(s, s->asked->result_lease)->number == job->number &&
                 result->outcome == OUTCOME_SENT) ||
                s->asked->echoed == job->number || s->asked->settled == job->number;
    bool surely_unsent = job->place != NAIVE_LEASED || (answered && result->outcome != OUTCOME_SENT) ||
                         !s->truth->begun(s->truth->world, job->lease);
    bool ok = false;
    switch ((enum job_state)change->state) {
    case JOB_SENT:
        ok = sent;
        break;
    case JOB_EXPIRED:
        ok = expired && !job->unsettled && !job->doubtful && surely_unsent;
        break;
    case JOB_CANCELLED:
        ok = (job->cancel || s->asked->cancelled == job->number || s->naive->superseded == job->number) && !job->unsettled &&
             !job->doubtful && surely_unsent;
        break;
    case JOB_SUPPRESSED:
        ok = naive_is_suppressed(s->naive, naive_recipient(job->conversation)) ||
             s->naive->conversations[job->conversation].health == CHAT_OPTED_OUT ||
             (answered && result->suppress != SUPPRESS_NONE);
        ok = ok && (answered || (!job->unsettled && !job->doubtful && surely_unsent));
        break;
    case JOB_FAILED:
        ok = (answered && result->outcome == OUTCOME_REJECTED) ||
             (answered && counts_as_failure(s, job) &&
              job->failures + 1 == naive_policy(s->rig, naive_pool_of(job->conversation))->attempts_max) ||
             (expired && (job->unsettled || answered) && change->code == CODE_OUTCOME_UNKNOWN) ||
             (expired && change->code == CODE_OUTCOME_UNKNOWN && s->asked->ticked) ||
             (change->code == CODE_NOT_ALLOWED && job->has_link && !job->unsettled && job->place == NAIVE_WAITING &&
              !s->naive->conversations[job->conversation].chat_known);
        break;
    case JOB_NONE:
    case JOB_SCHEDULED:
    case JOB_QUEUED:
    case JOB_LEASED:
    case JOB_STATE_COUNT:
        break;
    }
    REFUSE_UNLESS(ok, "job %llu ends as %s without a cause", ull(job->number),
                  job_state_name((enum job_state)change->state));
    bool never = change->state == JOB_EXPIRED || change->state == JOB_CANCELLED ||
                 (change->state == JOB_SUPPRESSED && !answered);
    REFUSE_UNLESS(!never || !s->truth->provider_has(s->truth->world, job->number),
                  "P7: job %llu ends as %s but was sent", ull(job->number),
                  job_state_name((enum job_state)change->state));
}

/* When its newest try was leased that may have made the message. */
static int64_t last_try_ms(const struct showing *s, uint64_t number)
{
    for (size_t i = s->grants->count; i-- > 0;)
        if (s->grants->list[i].number == number && s->truth->begun(s->truth->world, s->grants->list[i].lease))
            return s->grants->list[i].wall_ms;
    return 0;
}

static void note_dead(struct naive *naive, const struct naive_job *job, const struct change_end *change)
{
    struct naive_dead *dead = &naive->dead[naive->dead_next++ % NAIVE_DEAD];
    *dead = (struct naive_dead){.number = job->number,
                                .id = job->id,
                                .content = job->content,
                                .line = change->line,
                                .from_line = job->pinned ? naive->conversations[job->conversation].pinned : 0,
                                .conversation = job->conversation,
                                .class = job->class,
                                .campaign = job->campaign,
                                .attempts = change->attempts,
                                .life = job->life,
                                .doubtful = change->code == CODE_OUTCOME_UNKNOWN,
                                .key_known = job->key_known};
    memcpy(dead->key, job->key, sizeof dead->key);
}

static void void_grants(const struct showing *s, uint64_t number)
{
    for (size_t i = 0; i < s->grants->count; i++)
        if (s->grants->list[i].number == number)
            s->grants->list[i].void_message = true;
}

static void show_end(const struct showing *s, const struct change_end *change)
{
    struct naive_job *job = naive_job(s->naive, change->number);
    REFUSE_UNLESS(job != NULL, "job %llu ends twice", ull(change->number));
    check_end(s, job, change);
    struct naive_conversation *conversation = &s->naive->conversations[job->conversation];
    if (job->place == NAIVE_LEASED && change->state != JOB_SENT) {
        struct grant *grant = grant_of(s, job->lease);
        bool unmade = made_nothing(s, job);
        if (!job->unsettled) /* else only this try says for sure that it made nothing */
            unmade = unmade || change->state == JOB_SUPPRESSED || !s->truth->begun(s->truth->world, job->lease);
        grant->void_message = unmade;
        grant->void_placed = unmade && grant->placed;
        if (made_nothing(s, job)) /* that settles the earlier ones too: the provider took none of them */
            void_grants(s, job->number);
        if (unmade && !job->unsettled && opened_conversation(job, grant)) {
            job->attempts = 0;
            leave_home(s->naive, job);
        }
    }
    if (change->state == JOB_SENT || change->code == CODE_OUTCOME_UNKNOWN) {
        conversation->for_good = conversation->home != 0; /* a requeued one may be told of by a try of its earlier life */
        naive_went_out(conversation);
        if (change->state == JOB_SENT && s->asked->result != NULL) { /* and not an echo, which names no chat */
            conversation->chat_known = true;
            conversation->chat_lost = false;
        }
        conversation->last_sent_ms = last_try_ms(s, job->number);
    }
    REFUSE_UNLESS(change->life == job->life, "job %llu ends in life %u, not %u", ull(job->number), change->life, job->life);
    if (change->dead)
        note_dead(s->naive, job, change);
    uint32_t at = job->conversation;
    s->naive->ended[change->state]++;
    REFUSE_UNLESS((change->code == CODE_SUPERSEDED) == (s->naive->superseded == job->number), "job %llu: superseded %d",
                  ull(job->number), change->code == CODE_SUPERSEDED);
    if (change->code == CODE_SUPERSEDED)
        s->naive->superseded = 0;
    job->place = NAIVE_FREE;
    unpin_if_empty(s->naive, at);
}

/* ---- the rest ---- */

static void show_pause(const struct showing *s, const struct change_pause *change)
{
    if (!change->over)
        return; /* the test added it when it was answered */
    for (int p = 0; p < NAIVE_PAUSES; p++) {
        struct naive_pause *pause = &s->naive->pauses[p];
        if (pause->id != change->id)
            continue;
        REFUSE_UNLESS(!s->asked->ticked || (pause->until_ms != 0 && pause->until_ms <= s->now_ms),
                      "pause %llu ends too early", ull(change->id));
        pause->id = 0;
    }
}

static void show_suppression(const struct showing *s, const struct change_suppression *change)
{
    if (!change->over)
        naive_suppress(s->naive, change->key);
    for (int i = 0; i < NAIVE_CONVERSATIONS; i++)
        if (change->over && s->naive->suppressed[i] == change->key)
            s->naive->suppressed[i] = 0;
}

static void show_one(const struct showing *s, const struct change *change)
{
    switch (change->kind) {
    case CHANGE_JOB:
        show_job(s, &change->job);
        break;
    case CHANGE_TRY:
        show_try(s, &change->try);
        break;
    case CHANGE_END:
        show_end(s, &change->end);
        break;
    case CHANGE_CONVERSATION: {
        uint32_t at = (uint32_t)(change->conversation.key - naive_key(0));
        REFUSE_UNLESS(s->naive->conversations[at].home == change->conversation.line, "conversation %u is not at home",
                      at);
        s->naive->conversations[at].for_good = s->naive->conversations[at].recorded = true;
        s->naive->conversations[at].health_told_ms = s->naive->conversations[at].health_at_ms;
        break;
    }
    case CHANGE_PAUSE:
        show_pause(s, change->pause);
        break;
    case CHANGE_SUPPRESSION:
        show_suppression(s, &change->suppression);
        break;
    case CHANGE_START:
    case CHANGE_NAME:
    case CHANGE_LINE:
    case CHANGE_SEEN:
    case CHANGE_DELIVERY:
    case CHANGE_GATE:
    case CHANGE_REPUTATION:
    case CHANGE_ORDERS:
    case CHANGE_CAMPAIGN:
    case CHANGE_REPLIES:
    case CHANGE_AUDIT:
    case CHANGE_OUTCOMES:
    case CHANGE_ERASURE:
    case CHANGE_FORGOTTEN:
    case CHANGE_KIND_COUNT:
        break;
    }
}

void naive_show(struct naive *naive, struct rig *rig, const struct naive_asked *asked, struct grants *grants,
                const struct truth *truth)
{
    struct showing s = {naive, rig, asked, grants, truth, 0, rig->now.wall_ms};
    for (; naive->records < rig->record_count; naive->records++) {
        const struct rig_record *record = &rig->records[naive->records];
        struct record_storage storage;
        struct change change;
        s.record = naive->records;
        if (record->copy_of != 0)
            continue;
        REFUSE_UNLESS(record_decode(record->kind, record->key, record->seq, rig->bytes + record->at, record->bytes,
                                    &storage, &change),
                      "a record that cannot be read back");
        show_one(&s, &change);
    }
    REFUSE_UNLESS(naive->superseded == 0, "job %llu is not superseded", ull(naive->superseded));
}
