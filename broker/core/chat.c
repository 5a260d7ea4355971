/* chat.c — see chat.h. */
#include "broker/core/chat.h"

#include "broker/core/conversation_record.h"
#include "broker/core/quiet.h"

#define LATE_ANSWER_MS 60000 /* clocks differ, and a message's moment is the one of its RESULT */
#define LOOK_MAX       4096  /* conversations looked at in a slice */
#define SAY_MAX        256   /* and recorded */
#define SLICE_GAP_MS   10
#define CATCH_UP_MS    (6 * 3600000LL)

/* ---- what stops a job ---- */

static struct chat_wait after_last(enum reason reason, const struct conversation *conversation, int64_t span_ms,
                                   struct instant now)
{
    int64_t until_ms = moment_ms(conversation->last_out) + 999 + span_ms; /* it lies somewhere within that second */
    return until_ms > now.wall_ms ? (struct chat_wait){reason, until_ms} : (struct chat_wait){REASON_NONE, 0};
}

/* At most one message each at_risk_chat_gap_ms until the recipient answers. */
static struct chat_wait by_health(const struct policy *policy, const struct conversation *conversation,
                                  const struct job *job, struct instant now)
{
    if (conversation->health != CHAT_AT_RISK || job->class == CLASS_REPLY || conversation->streak == 0)
        return (struct chat_wait){REASON_NONE, 0};
    return after_last(REASON_CONVERSATION_AT_RISK, conversation, policy->at_risk_chat_gap_ms, now);
}

/* After one unanswered message the first span, after two the second, and none after the last until an answer. */
static struct chat_wait by_cadence(const struct policy *policy, const struct conversation *conversation,
                                   const struct job *job, struct instant now)
{
    bool asked = job->class == CLASS_FOLLOWUP || job->class == CLASS_CAMPAIGN;
    if (!asked || conversation->streak == 0 || policy->cadence_steps == 0)
        return (struct chat_wait){REASON_NONE, 0};
    if (conversation->streak > policy->cadence_steps)
        return (struct chat_wait){REASON_CONVERSATION_CADENCE, TIME_NEVER};
    return after_last(REASON_CONVERSATION_CADENCE, conversation, policy->cadence_ms[conversation->streak - 1], now);
}

static struct chat_wait by_night(const struct core *core, const struct policy *policy, const struct job *job,
                                 struct instant now)
{
    int64_t until_ms = quiet_until(core, policy, job, now);
    return until_ms > now.wall_ms ? (struct chat_wait){REASON_QUIET_HOURS, until_ms}
                                  : (struct chat_wait){REASON_NONE, 0};
}

struct chat_wait chat_wait(const struct core *core, const struct conversation *conversation, const struct job *job,
                           struct instant now)
{
    const struct policy *policy = &core->pools[conversation->pool].policy;
    if (conversation->health == CHAT_CRITICAL || conversation->health == CHAT_OPTED_OUT)
        return (struct chat_wait){REASON_CONVERSATION_CRITICAL, TIME_NEVER};
    struct chat_wait wait = {REASON_NONE, 0};
    if ((job->flags & JOB_UNSETTLED) == 0) /* else it may be the very message that waits for an answer */
        wait = by_health(policy, conversation, job, now);
    if (wait.reason == REASON_NONE && (job->flags & JOB_UNSETTLED) == 0)
        wait = by_cadence(policy, conversation, job, now);
    return wait.reason == REASON_NONE ? by_night(core, policy, job, now) : wait;
}

/* ---- what is heard ---- */

bool chat_hear(struct conversation *conversation, enum chat_health health, int64_t at_ms)
{
    uint32_t at = moment_of(at_ms);
    bool worse = (unsigned)health > conversation->health; /* of two words of one second the worse counts */
    if (health == CHAT_UNKNOWN) /* a word that nobody documents lifts nothing */
        return false;
    if (at < conversation->health_at || (at == conversation->health_at && !worse))
        return false;
    bool changed = conversation->health != (unsigned)health;
    conversation->health = (unsigned)health & 7;
    conversation->health_at = at;
    return changed;
}

void chat_forget_word(struct conversation *conversation)
{
    if (conversation->health == CHAT_OPTED_OUT)
        return;
    conversation->health = CHAT_UNKNOWN;
    conversation->health_at = 0;
}

void chat_count_out(struct conversation *conversation)
{
    if (conversation->streak < STREAK_MAX)
        conversation->streak++;
}

uint32_t chat_out_ago_s(const struct conversation *conversation, struct instant now)
{
    uint32_t at = moment_of(now.wall_ms);
    return conversation->last_out == 0 || conversation->last_out > at ? 0 : at - (uint32_t)conversation->last_out;
}

bool chat_count_in(struct conversation *conversation, int64_t at_ms)
{
    uint32_t minute = minute_of(at_ms);
    /* An answer that we hear of only now was none to what went out since. */
    unsigned unanswered = at_ms + LATE_ANSWER_MS < moment_ms(conversation->last_out) && conversation->streak > 0;
    bool changed = conversation->streak != unanswered;
    conversation->streak = unanswered & 1;
    if (minute > conversation->last_in)
        conversation->last_in = minute & 0xFFFFFF;
    return changed;
}

/* ---- records that are behind ---- */

static int64_t catch_up_period_ms(const struct core *core)
{
    int64_t kept_ms = conf_ms_of_hours(core->conf->store.history_retention_h) / 4;
    return kept_ms < CATCH_UP_MS ? kept_ms : CATCH_UP_MS;
}

void chat_fall_behind(struct core *core, uint32_t at, struct instant now)
{
    struct conversation *conversation = &core->conversations[at];
    if ((conversation->flags & CONVERSATION_RECORDED) == 0 || (conversation->flags & CONVERSATION_AHEAD) != 0)
        return;
    conversation->flags |= CONVERSATION_AHEAD;
    if (core->ahead_count++ == 0)
        mono_timer(core, MONO_AHEAD, 0, now.mono_ms + catch_up_period_ms(core));
}

void chats_restored(struct core *core, struct instant now)
{
    for (uint32_t at = 1; at <= core->conversations_used; at++) {
        struct conversation *conversation = &core->conversations[at];
        if (conversation->key == 0)
            continue;
        if ((conversation->flags & CONVERSATION_RECORDED) == 0)
            conversation->flags &= (uint8_t)~CONVERSATION_AHEAD; /* of no record: it may never have had a line */
        core->ahead_count += (conversation->flags & CONVERSATION_AHEAD) != 0;
    }
    if (core->ahead_count > 0)
        mono_timer(core, MONO_AHEAD, 0, now.mono_ms + SLICE_GAP_MS);
}

void chats_catch_up(struct core *core, struct instant now, struct effects *out)
{
    const struct conversation_news news = {.keep_chat = true};
    uint32_t said = 0;
    uint32_t looked = 0;
    while (core->ahead_at < core->conversations_used && looked++ < LOOK_MAX && said < SAY_MAX) {
        uint32_t at = ++core->ahead_at;
        if (core->conversations[at].key == 0 || (core->conversations[at].flags & CONVERSATION_AHEAD) == 0)
            continue;
        conversation_record(core, at, &news, now, out);
        said++;
    }
    bool whole = core->ahead_at >= core->conversations_used || core->ahead_count == 0;
    if (whole)
        core->ahead_at = 0;
    if (core->ahead_count > 0)
        mono_timer(core, MONO_AHEAD, 0, now.mono_ms + (whole ? catch_up_period_ms(core) : SLICE_GAP_MS));
}
