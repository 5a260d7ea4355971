/* core_naive.c — the model's world and its lists; see core_naive.h. */
#include "core_naive.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Small and quick, so that every limit is reached within a run. Pool 0 has what no other names. */
const char naive_conf[] =
    "broker:\n"
    "  jobs_max: 230\n"
    "  heartbeat_ms: 1000\n"
    "  restart_wait_ms: 2000\n"
    "worker:\n"
    "  request_timeout_ms: 2000\n"
    "accounts:\n"
    "  one: {api_key_file: key, poll_interval_ms: 10000, stale_after_ms: 60000, blind_after_ms: 180000}\n"
    "  two: {api_key_file: key, poll_interval_ms: 10000, stale_after_ms: 60000, blind_after_ms: 180000}\n"
    "pools:\n"
    "  a: {account: one, lines: all, policy: quick}\n"
    "  b: {account: one, lines: ['+12025550106', '+12025550107'], policy: burst}\n"
    "  c: {account: two, lines: ['+12025550108'], policy: open}\n"
    "policies:\n"
    "  quick: {pace_per_min: 60, ramp_step_ms: 5000, daily_messages: 300, new_conversations_per_day: 10,\n"
    "          pair_per_min: 6, distinct_recipients_per_hour: 4, daily_growth_factor: 2, growth_floor: 60,\n"
    "          attempts_max: 3, retry_base_ms: 500, retry_cap_ms: 5000, lease_ms: 8000, flag_probe_ms: 9000,\n"
    "          cadence_ms: [3000, 12000, 60000], at_risk_chat_gap_ms: 7000}\n"
    "  burst: {pace_per_min: 30, burst: 5, ramp_percent: [20, 100], ramp_step_ms: 7000, daily_messages: 500,\n"
    "          new_conversations_per_day: 4, pair_per_min: 1, distinct_recipients_per_hour: 3,\n"
    "          daily_growth_factor: 1.5, growth_floor: 50, allow_at_risk_new: true, attempts_max: 2, retry_base_ms: 100,\n"
    "          retry_cap_ms: 1000, lease_ms: 6000, flag_probe_ms: 5000, at_risk_factor: 0.5,\n"
    "          cadence_ms: [1500], at_risk_chat_gap_ms: 30000}\n"
    "  open: {pace_per_min: 0, daily_messages: 0, new_conversations_per_day: 0, pair_per_min: 0,\n"
    "         distinct_recipients_per_hour: 0, daily_growth_factor: 0, ramp_step_ms: 3000, attempts_max: 4,\n"
    "         retry_base_ms: 1000, retry_cap_ms: 4000, lease_ms: 8000, flag_probe_ms: 4000,\n"
    "         cadence_ms: [], quiet_hours: {from: '12:00', to: '15:00', zone: recipient}}\n";

void naive_refuse(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "the model says no: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    fflush(stderr);
    abort(); /* core_model.c says seed and last events */
}

uint32_t naive_pool_of_line(uint32_t line)
{
    return line < 6 ? 0 : line < 8 ? 1 : 2;
}

uint32_t naive_pool_of(uint32_t conversation)
{
    return conversation % 8 < 5 ? 0 : conversation % 8 < 7 ? 1 : 2;
}

uint32_t naive_account_of(uint32_t pool)
{
    return pool == 2 ? 1 : 0;
}

uint64_t naive_key(uint32_t conversation)
{
    return 1000 + conversation;
}

uint64_t naive_recipient(uint32_t conversation)
{
    return conversation % 11 == 0 ? 0 : 500000 + conversation;
}

const char *naive_handle(uint32_t conversation)
{
    static char handles[NAIVE_CONVERSATIONS][16];
    snprintf(handles[conversation], sizeof handles[conversation], "+1415555%04u", conversation % 10000);
    return handles[conversation];
}

size_t naive_homes_of(void *self, uint32_t account, const char *handle, uint64_t *out)
{
    (void)self;
    (void)account;
    for (uint32_t conversation = 0; conversation < NAIVE_CONVERSATIONS; conversation++) {
        *out = naive_key(conversation);
        if (strcmp(handle, naive_handle(conversation)) == 0)
            return 1;
    }
    return 0;
}

const struct conf_policy *naive_policy(const struct rig *rig, uint32_t pool)
{
    return &rig->conf->policies[rig->conf->pools[pool].policy];
}

struct naive_job *naive_job(struct naive *naive, uint64_t number)
{
    for (int i = 0; i < NAIVE_JOBS; i++)
        if (naive->jobs[i].place != NAIVE_FREE && naive->jobs[i].number == number)
            return &naive->jobs[i];
    return NULL;
}

static bool stays_first(const struct naive_job *job)
{
    return job->place == NAIVE_LEASED || job->unsettled || job->holds_all;
}

bool naive_goes_before(const struct naive_job *a, const struct naive_job *b)
{
    if (stays_first(a) != stays_first(b))
        return stays_first(a);
    return a->class != b->class ? a->class < b->class : a->order < b->order;
}

struct naive_job *naive_first(struct naive *naive, uint32_t conversation)
{
    struct naive_job *first = NULL;
    for (int i = 0; i < NAIVE_JOBS; i++) {
        struct naive_job *job = &naive->jobs[i];
        bool listed = job->place == NAIVE_WAITING || job->place == NAIVE_LEASED;
        bool aside = naive_campaign_paused(naive, job) && !stays_first(job);
        if (listed && !aside && job->conversation == conversation && (first == NULL || naive_goes_before(job, first)))
            first = job;
    }
    return first;
}

bool naive_is_suppressed(const struct naive *naive, uint64_t recipient)
{
    for (int i = 0; i < NAIVE_CONVERSATIONS; i++)
        if (recipient != 0 && naive->suppressed[i] == recipient)
            return true;
    return false;
}

void naive_suppress(struct naive *naive, uint64_t recipient)
{
    int at = 0;
    if (naive_is_suppressed(naive, recipient))
        return;
    while (naive->suppressed[at] != 0)
        at++;
    naive->suppressed[at] = recipient;
}

bool naive_chat_stops(const struct naive *naive, uint32_t conversation)
{
    enum chat_health health = naive->conversations[conversation].health;
    return health == CHAT_CRITICAL || health == CHAT_OPTED_OUT;
}

static int64_t whole_second(int64_t wall_ms)
{
    return wall_ms / 1000 * 1000;
}

void naive_chat_told(struct naive_conversation *conversation, enum chat_health health, int64_t at_ms)
{
    int64_t at = whole_second(at_ms);
    bool worse = health > conversation->health;
    if (health == CHAT_UNKNOWN || at < conversation->health_at_ms || (at == conversation->health_at_ms && !worse))
        return;
    conversation->health = health;
    conversation->health_at_ms = at;
}

void naive_chat_lost(struct naive_conversation *conversation)
{
    conversation->chat_known = false;
    conversation->chat_lost = true;
    if (conversation->health != CHAT_OPTED_OUT) {
        conversation->health = CHAT_UNKNOWN;
        conversation->health_at_ms = 0;
    }
}

void naive_answered(struct naive_conversation *conversation, bool opts_out, int64_t at_ms, int64_t last_out_ms)
{
    if (!opts_out && conversation->health == CHAT_OPTED_OUT && whole_second(at_ms) >= conversation->health_at_ms)
        conversation->health = CHAT_UNKNOWN; /* whoever writes has not opted out */
    bool before_the_last = at_ms + 60000 < last_out_ms;
    conversation->unanswered = before_the_last && conversation->unanswered > 0 ? 1 : 0;
}

void naive_went_out(struct naive_conversation *conversation)
{
    conversation->unanswered += conversation->unanswered < CHAT_UNANSWERED_MAX;
}

/* Pool c is quiet from 12 to 15 o'clock by the clocks of the job's zone: an hour ahead of UTC, two on every other day
 * (from noon to noon, UTC). */
bool naive_is_night(const struct naive_job *job, int64_t wall_ms)
{
    if (!job->has_zone || naive_pool_of(job->conversation) != 2 || job->class == CLASS_REPLY)
        return false;
    int64_t halves = wall_ms / 43200000;
    int64_t hour = (wall_ms / 3600000 + 1 + (halves + 1) / 2 % 2) % 24;
    return hour >= 12 && hour < 15;
}

enum reason naive_chat_reason(const struct naive *naive, const struct rig *rig, const struct naive_job *job,
                              int64_t last_out_ms)
{
    const struct naive_conversation *conversation = &naive->conversations[job->conversation];
    const struct conf_policy *policy = naive_policy(rig, naive_pool_of(job->conversation));
    int64_t silent_ms = rig->now.wall_ms - last_out_ms - 999;
    size_t unanswered = conversation->unanswered;
    if (naive_chat_stops(naive, job->conversation))
        return REASON_CONVERSATION_CRITICAL;
    enum reason night = naive_is_night(job, rig->now.wall_ms) ? REASON_QUIET_HOURS : REASON_NONE;
    if (unanswered == 0 || job->unsettled)
        return night;
    if (conversation->health == CHAT_AT_RISK && job->class != CLASS_REPLY && silent_ms < policy->at_risk_chat_gap_ms)
        return REASON_CONVERSATION_AT_RISK;
    if (job->class != CLASS_FOLLOWUP && job->class != CLASS_CAMPAIGN)
        return night;
    if (policy->cadence_steps == 0)
        return night;
    bool waits = unanswered > policy->cadence_steps || silent_ms < policy->cadence_ms[unanswered - 1];
    return waits ? REASON_CONVERSATION_CADENCE : night;
}

bool naive_paused(const struct naive *naive, uint32_t pool, int64_t wall_ms)
{
    for (int p = 0; p < NAIVE_PAUSES; p++) {
        const struct naive_pause *pause = &naive->pauses[p];
        bool meant = pause->scope == PAUSE_ALL || (pause->scope == PAUSE_POOL && pause->target == pool) ||
                     (pause->scope == PAUSE_ACCOUNT && pause->target == naive_account_of(pool));
        if (pause->id != 0 && meant)
            return true;
    }
    (void)wall_ms;
    return false;
}

bool naive_campaign_paused(const struct naive *naive, const struct naive_job *job)
{
    uint64_t target = (uint64_t)naive_pool_of(job->conversation) << 16 | job->campaign;
    for (int p = 0; p < NAIVE_PAUSES && job->campaign != 0; p++)
        if (naive->pauses[p].id != 0 && naive->pauses[p].scope == PAUSE_CAMPAIGN && naive->pauses[p].target == target)
            return true;
    return false;
}

bool naive_conversation_paused(const struct naive *naive, uint32_t conversation)
{
    for (int p = 0; p < NAIVE_PAUSES; p++)
        if (naive->pauses[p].id != 0 && naive->pauses[p].scope == PAUSE_CONVERSATION &&
            naive->pauses[p].target == naive_key(conversation))
            return true;
    return false;
}

bool naive_line_paused(const struct naive *naive, uint32_t line)
{
    for (int p = 0; p < NAIVE_PAUSES; p++)
        if (naive->pauses[p].id != 0 && naive->pauses[p].scope == PAUSE_LINE &&
            naive->pauses[p].target == RIG_LINE + line)
            return true;
    return false;
}

bool naive_closed(const struct naive *naive, uint32_t at)
{
    const struct naive_line *line = &naive->lines[at];
    return naive_line_paused(naive, at) || line->flagged || line->gone || line->hold ||
           line->proven == REPUTATION_CRITICAL;
}

/* A restart knows where a conversation lives from what was sent, or from its jobs that were tried, and a pin from
 * those that name it. */
void naive_restarted(struct naive *naive)
{
    for (int l = 0; l < NAIVE_LINES; l++)
        naive_restarted_line(&naive->lines[l]);
    naive->broken[0] = naive->broken[1] = naive->refused[0] = naive->refused[1] = false;
    for (uint32_t c = 0; c < NAIVE_CONVERSATIONS; c++) {
        struct naive_conversation *conversation = &naive->conversations[c];
        bool tried = conversation->for_good || conversation->chat;
        bool pinned = false;
        for (int i = 0; i < NAIVE_JOBS; i++) {
            struct naive_job *job = &naive->jobs[i];
            if (job->place == NAIVE_FREE || job->conversation != c)
                continue;
            tried = tried || job->attempts > 0;
            pinned = pinned || job->pinned;
            job->restored = true;
            job->probes_account = false;
        }
        conversation->home = tried ? conversation->home : 0;
        conversation->health = conversation->recorded ? conversation->health : CHAT_UNKNOWN;
        conversation->health_at_ms = conversation->recorded ? conversation->health_told_ms : 0;
        conversation->pinned = pinned ? conversation->pinned : 0;
    }
}
