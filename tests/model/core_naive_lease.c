/* core_naive_lease.c — may this job go, from this line, now? Each lease that the core grants is held against the lists:
 * gate, turn, pace, budgets, the account, and the key. */
#include "core_naive_show.h"

#include <string.h>

#define DAY_MS INT64_C(86400000)

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
    bool at_risk = known->word == REPUTATION_AT_RISK ||
                   (known->word == REPUTATION_HEALTHY && known->proven == REPUTATION_AT_RISK);
    bool allowed = naive_policy(s->rig, pool)->allow_at_risk_new && at_risk && view->gate == GATE_SLOW;
    REFUSE_UNLESS(!known->cordoned, "P5: job %llu opens a conversation on cordoned line %u", ull(job->number), line);
    REFUSE_UNLESS(healthy || allowed, "P5: job %llu opens a conversation on line %u, %s, %s, proven %s",
                  ull(job->number), line, gate_name(view->gate), reputation_name(known->word),
                  reputation_name(known->proven));
}

static bool is_named(const struct naive *naive, uint32_t conversation)
{
    for (int i = 0; i < NAIVE_JOBS; i++)
        if (naive->jobs[i].place != NAIVE_FREE && naive->jobs[i].conversation == conversation && naive->jobs[i].pinned)
            return true;
    return false;
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
    REFUSE_UNLESS(!is_named(s->naive, job->conversation) || conversation->pinned == line_number, "job %llu leaves its pin",
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

void naive_show_lease(const struct showing *s, struct naive_job *job, const struct change_try *change)
{
    uint32_t line = (uint32_t)(change->line - RIG_LINE);
    struct naive_conversation *conversation = &s->naive->conversations[job->conversation];
    naive_see_home(s->naive, job->conversation);
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
