/* outcome.c — what a result does to its job, conversation, line and account (PROTOCOL, Workers, Result; DESIGN traps
 * 10 and 12: sent, not sent, unknown). */
#include "broker/core/chat.h"
#include "broker/core/conversation.h"
#include "broker/core/conversation_record.h"
#include "broker/core/dedupe.h"
#include "broker/core/drain.h"
#include "broker/core/flow.h"
#include "broker/core/job.h"
#include "broker/core/leases.h"
#include "broker/core/line.h"
#include "broker/core/move.h"
#include "broker/core/outcome.h"
#include "broker/core/pair.h"
#include "broker/core/purge.h"
#include "broker/core/replied.h"
#include "broker/core/reputation.h"
#include "broker/core/retry.h"
#include "broker/core/settle.h"
#include "broker/core/suppression.h"
#include "broker/core/turns.h"

static struct span span_of(const char *text, size_t bytes)
{
    return (struct span){text, bytes};
}
#define TEXT_SPAN(text) span_of("" text, sizeof(text) - 1)

/* Leased no longer: the bookkeeping that every outcome but an end shares. */
static void come_back(struct core *core, uint32_t slot, enum job_event event)
{
    struct job *job = job_at(core, slot);
    backlog_remove(core, slot);
    job_move(job, event);
    job->left = job->right = job->parent = NOBODY;
    job_timer(core, slot);
    backlog_add(core, slot);
    if (!conversation_fixes(job))
        conversation_unfix(core, &core->conversations[job->conversation]);
}

void outcome_finish_probes(struct core *core, const struct lease *lease, bool begun, struct instant now)
{
    if (lease->probe_account)
        core->accounts[lease->account].probing = false;
    if (lease->probe_line)
        flag_end_probe(&core->lines[lease->line], begun, now);
}

static void note_try(struct core *core, const struct lease *lease, bool again, struct instant now)
{
    if (lease->account != NO_ACCOUNT)
        tries_note(&core->accounts[lease->account].tries, again, now);
}

static void record_conversation(struct core *core, uint32_t at, uint32_t slot, const struct core_result *result,
                                struct instant now, struct effects *out)
{
    struct conversation_news news = {.job = slot,
                                     .chat_hash = result->chat_hash,
                                     .chat_id = result->chat_id,
                                     .forgotten_chat = result->forget_chat};
    conversation_record(core, at, &news, now, out);
}

/* Something was sent where it lives, or may have been. True: its record does not say so yet. */
static bool begins(struct core *core, uint32_t at)
{
    const struct conversation *conversation = &core->conversations[at];
    bool first = (conversation->flags & CONVERSATION_RECORDED) == 0 || conversation_is_unbegun(conversation);
    conversation_begin(core, at);
    return first;
}

bool outcome_learn_chat(struct core *core, uint32_t slot, const struct core_result *result, struct instant now,
                        struct effects *out)
{
    uint32_t at = core->jobs[slot].conversation;
    const struct conversation *conversation = &core->conversations[at];
    bool first = begins(core, at);
    uint32_t chat = conversation->chat_hash;
    if (result->chat_hash != 0)
        conversation_set_chat(core, at, result->chat_hash);
    if (!first && conversation->chat_hash == chat)
        return false;
    record_conversation(core, at, slot, result, now, out);
    return true;
}

void outcome_sent(struct core *core, uint32_t slot, const struct core_result *result, struct instant now,
                  struct effects *out)
{
    struct job *job = job_at(core, slot);
    uint32_t at = job->conversation;
    struct conversation *conversation = &core->conversations[at];
    chat_count_out(conversation);
    replied_count_out(core, slot, now);
    if (!outcome_learn_chat(core, slot, result, now, out))
        chat_fall_behind(core, at, now);
    if (result->message_hash != 0)
        dedupe_remember_message(core, result->message_hash, job->number, conversation_line_of(conversation), now.wall_ms);
    struct job_ending ending = {.event = EV_SENT, .result = result->result, .message_hash = result->message_hash};
    job_end(core, slot, &ending, now, out);
}

/* The try surely made nothing: what its message spent is given back. */
static void undo_message(struct core *core, const struct lease *lease, uint32_t at, struct instant now)
{
    struct conversation *conversation = &core->conversations[at];
    struct line *line = &core->lines[lease->line];
    budget_add(&line->known.messages, now.wall_ms, -1, lease->bucket);
    budget_add(&line->known.out, now.wall_ms, -1, lease->bucket);
    if (lease->out != 0 && conversation->last_out == lease->out) { /* else an import knows better */
        pair_return(core, at);
        recipient_set_out(core, conversation, lease->last_out);
    }
}

/* There is no second try on this line to come, either: a conversation that began with it does not live there yet, unless
 * another job of it may have been sent there. */
static void undo(struct core *core, const struct lease *lease, uint32_t at, struct instant now)
{
    const struct conversation *conversation = &core->conversations[at];
    struct line *line = &core->lines[lease->line];
    undo_message(core, lease, at, now);
    bool recorded = (conversation->flags & CONVERSATION_RECORDED) != 0;
    if (!lease->placed || (recorded && move_has_doubtful(core, at)))
        return;
    budget_add(&line->known.fresh, now.wall_ms, -1, lease->bucket);
    if (!conversation_stays(conversation))
        conversation_unbind(core, at);
}

/* It may have been sent, so the conversation may live there for good (DESIGN trap 2), and waits for an answer. */
static void remember_home(struct core *core, uint32_t slot, struct instant now, struct effects *out)
{
    uint32_t at = core->jobs[slot].conversation;
    unsigned flags = core->conversations[at].flags;
    const struct core_result nothing = {.outcome = OUTCOME_RETRY};
    if ((flags & (CONVERSATION_RECORDED | CONVERSATION_BOUND | CONVERSATION_PINNED)) == 0)
        return; /* of a restored backup: nobody knows where */
    bool named = (flags & CONVERSATION_PINNED) != 0 && (core->jobs[slot].flags & JOB_PINNED) != 0;
    if ((flags & CONVERSATION_BOUND) == 0 && named) /* it can only have been sent there */
        move_home(core, at, core->conversations[at].line, now, out);
    chat_count_out(&core->conversations[at]);
    replied_count_out(core, slot, now);
    bool first = begins(core, at);
    if (first && (flags & (CONVERSATION_BOUND | CONVERSATION_PINNED)) != 0)
        record_conversation(core, at, slot, &nothing, now, out);
    else
        chat_fall_behind(core, at, now);
}

static bool is_late(const struct job *job, struct instant now)
{
    int64_t by = job_expires_ms(job);
    return by != 0 && by <= now.wall_ms;
}

bool outcome_withdraw(struct core *core, uint32_t slot, struct instant now, struct effects *out)
{
    struct job *job = job_at(core, slot);
    bool late = is_late(job, now);
    struct job_ending ending = {.event = EV_CANCEL};
    if ((job->flags & (JOB_UNSETTLED | JOB_DOUBTFUL)) != 0) {
        if (!late)
            return false; /* an unknown outcome is not ended by asking: it may have been sent */
        remember_home(core, slot, now, out);
        ending = (struct job_ending){.event = EV_GIVE_UP, .code = CODE_OUTCOME_UNKNOWN, .dead = true,
            .result = TEXT_SPAN("{\"error\":{\"code\":\"outcome_unknown\",\"message\":"
                                "\"expired before its outcome was known: it may have been sent\"}}")};
    } else if (purge_ends(core, job)) {
        ending = (struct job_ending){.event = EV_SUPPRESS, .code = CODE_OPTED_OUT};
    } else if ((job->flags & JOB_CANCEL) == 0) {
        if (!late)
            return false;
        ending.event = EV_EXPIRE;
    }
    job_end(core, slot, &ending, now, out);
    return true;
}

/* A conversation may have lost its chat since the job was accepted, or leave it where it was: as a first message the
 * provider would refuse it. */
bool outcome_bar(struct core *core, uint32_t slot, uint32_t line, struct instant now, struct effects *out)
{
    const struct job_ending ending = {
        .event = EV_GIVE_UP, .code = CODE_NOT_ALLOWED, .dead = true,
        .result = TEXT_SPAN("{\"error\":{\"code\":\"not_allowed\",\"message\":"
                            "\"a link in the first message of a chat: the conversation has none any more\"}}")};
    const struct job *job = job_at(core, slot);
    const struct conversation *conversation = &core->conversations[job->conversation];
    bool may_be_sent = (job->flags & (JOB_UNSETTLED | JOB_DOUBTFUL)) != 0;
    bool begun = conversation_has_begun(conversation) && !move_begins_anew(conversation, line);
    if (!job->has_link || may_be_sent || begun || core->pools[conversation->pool].policy.links_allowed)
        return false;
    job_end(core, slot, &ending, now, out);
    return true;
}

void outcome_go_on(struct core *core, uint32_t slot, struct told told, int http_status, int64_t code, struct instant now,
                   struct effects *out)
{
    if (told.sent) {
        outcome_settle_told(core, slot, told, (struct span){0}, now, out);
        return;
    }
    uint32_t at = core->jobs[slot].conversation;
    conversation_loosen(core, at, now); /* the one for whose sake it stayed may have ended while this one was out */
    if (outcome_withdraw(core, slot, now, out))
        return;
    job_record_try(core, slot, NULL, http_status, code, TOPIC_JOB_QUEUED, now, out);
    conversation_settle(core, at, now);
}

static void take_back_attempt(struct job *job)
{
    if (job->attempts > 0)
        job->attempts--;
}

void outcome_returned(struct core *core, struct lease *lease, struct instant now, struct effects *out)
{
    uint32_t slot = job_find(core, lease->number);
    uint32_t line = lease->line;
    assert(slot != NOBODY && core->jobs[slot].state == JOB_LEASED);
    struct job *job = job_at(core, slot);
    struct told told = lease->told;
    take_back_attempt(job);
    outcome_finish_probes(core, lease, false, now);
    if (lease->probe_account)
        account_touch_lines(core, lease->account, now); /* another may go instead */
    come_back(core, slot, EV_RETURNED);
    undo(core, lease, job->conversation, now);
    lease_close(core, lease, false);
    outcome_go_on(core, slot, told, 0, 0, now, out);
    turns_touch_line(core, line, now);
}

void outcome_lapsed(struct core *core, struct lease *lease, struct instant now, struct effects *out)
{
    uint32_t slot = job_find(core, lease->number);
    uint32_t line = lease->line;
    struct told told = lease->told;
    assert(slot != NOBODY && core->jobs[slot].state == JOB_LEASED);
    core->totals.lapsed_total++;
    note_try(core, lease, true, now);
    outcome_finish_probes(core, lease, true, now);
    if (lease->probe_account)
        account_answer(core, lease->account, core->jobs[slot].conversation, true, true, now, out);
    core->jobs[slot].flags |= JOB_UNSETTLED;
    come_back(core, slot, EV_LAPSE);
    effect_alert(out, ALERT_LEASE_LAPSED, core->lines[line].known.number, lease->account);
    lease_close(core, lease, true);
    outcome_go_on(core, slot, told, 0, 0, now, out);
    turns_touch_line(core, line, now);
}

static int64_t wait_after(struct core *core, const struct policy *policy, const struct job *job,
                          const struct core_result *result)
{
    if (result->retry_after_ms >= 0)
        return result->retry_after_ms;
    return retry_wait_ms(&core->random, job->attempts, policy->retry_base_ms, policy->retry_cap_ms);
}

/* Does the job end with a try that surely made nothing? */
static bool ends_unsent(const struct core *core, const struct job *job, bool gives_up, struct instant now)
{
    if ((job->flags & (JOB_UNSETTLED | JOB_DOUBTFUL)) != 0)
        return false;
    return gives_up || (job->flags & JOB_CANCEL) != 0 || is_late(job, now) || purge_ends(core, job);
}

static void retry(struct core *core, struct lease *lease, uint32_t slot, const struct core_result *result,
                  struct instant now, struct effects *out)
{
    struct job *job = job_at(core, slot);
    uint32_t line_at = lease->line;
    uint32_t account = lease->account;
    struct told told = lease->told;
    struct line *line = &core->lines[line_at];
    const struct policy *policy = &core->pools[core->conversations[job->conversation].pool].policy;
    int64_t wait = wait_after(core, policy, job, result);
    core->totals.retried_total++;
    if (result->unknown) /* once unknown, a try that surely failed settles nothing: an earlier one may have gone out */
        job->flags |= JOB_UNSETTLED;
    bool unsettled = (job->flags & JOB_UNSETTLED) != 0;
    if (result->scope != SCOPE_JOB)
        job->flags |= JOB_WIDE;
    else if (!unsettled && job->failures < FAILURES_MAX)
        job->failures++;

    bool wider = result->scope == SCOPE_LINE || result->scope == SCOPE_ACCOUNT;
    /* What the line or the account waits for is theirs; the job itself is ready again at once. */
    job_set_due(job, wider || wait <= 0 ? 0 : now.wall_ms + wait);
    come_back(core, slot, EV_RETRY);
    bool gives_up = job->failures >= policy->attempts_max && !unsettled && !told.sent && result->scope == SCOPE_JOB;
    bool made_nothing = !told.sent; /* else one of its tries made the message: what that spent stays spent */
    if (made_nothing && ends_unsent(core, job, gives_up, now))
        undo(core, lease, job->conversation, now);
    else if (made_nothing && !unsettled) /* its conversation stays, with its debit: a second try has its line (promise P4) */
        undo_message(core, lease, job->conversation, now);
    lease_close(core, lease, false);
    if (result->forget_chat && (core->conversations[job->conversation].flags & CONVERSATION_BOUND) != 0) {
        conversation_lose_chat(core, job->conversation);
        chat_forget_word(&core->conversations[job->conversation]); /* nothing that is heard would ever lift it */
        record_conversation(core, job->conversation, slot, result, now, out);
    }
    if (result->line_flagged)
        flag_set(core, line_at, now, out);
    if (gives_up) {
        struct job_ending ending = {.event = EV_GIVE_UP, .dead = true, .result = result->result,
                                    .provider_code = result->code, .line = line->known.number};
        if (!outcome_withdraw(core, slot, now, out)) /* what nobody wants any more is no dead letter, to come back */
            job_end(core, slot, &ending, now, out);
        turns_touch_line(core, line_at, now);
        return;
    }
    if (result->scope == SCOPE_LINE && !result->line_flagged && line->limited_until_ms < now.mono_ms + wait)
        line->limited_until_ms = now.mono_ms + wait;
    if (result->scope == SCOPE_ACCOUNT)
        account_limit(core, account, wait, now);
    outcome_go_on(core, slot, told, result->http_status, result->code, now, out);
    turns_touch_line(core, line_at, now);
}

static void rejected(struct core *core, struct lease *lease, uint32_t slot, const struct core_result *result,
                     struct instant now, struct effects *out)
{
    uint32_t conversation = core->jobs[slot].conversation;
    uint32_t line = lease->line;
    uint32_t account = lease->account;
    uint16_t name = lease_account_name(core, lease);
    bool suppresses = result->suppress != SUPPRESS_NONE;
    struct job_ending ending = {.event = suppresses ? EV_SUPPRESS : EV_REJECTED,
                                .code = suppresses ? CODE_OPTED_OUT : CODE_NONE,
                                .dead = !suppresses,
                                .result = result->result,
                                .provider_code = result->code};
    struct told told = lease->told;
    if (told.sent)
        come_back(core, slot, EV_RETRY);
    else
        core->jobs[slot].flags &= (uint8_t)~JOB_UNSETTLED;
    ending.line = core->lines[line].known.number; /* it was tried there, wherever its conversation goes now */
    undo(core, lease, conversation, now);
    lease_close(core, lease, false);
    if (told.sent)
        outcome_settle_told(core, slot, told, (struct span){0}, now, out);
    else
        job_end(core, slot, &ending, now, out);
    if (suppresses && result->recipient != 0) { /* a group is never suppressed as a whole */
        struct suppression_text text;
        suppression_text_set(&text, result->handle, NULL, NULL);
        if (!suppression_add_named(core, name, result->recipient, result->suppress, now.wall_ms, &text, now, out))
            effect_alert(out, ALERT_SUPPRESSIONS_FULL, 0, account);
        purge_begin(core, conversation, now, out);
        purge_all(core, result->homes, result->home_count, now, out);
    }
    turns_touch_line(core, line, now);
}

bool core_lease_suppressed(struct core *core, uint64_t id, uint64_t recipient, struct instant now, struct effects *out)
{
    struct lease *lease = lease_find(core, id);
    if (lease == NULL || lease->over || lease->sent)
        return false;
    uint32_t slot = job_find(core, lease->number);
    uint32_t line = lease->line;
    assert(slot != NOBODY && core->jobs[slot].state == JOB_LEASED);
    const struct conversation *conversation = &core->conversations[core->jobs[slot].conversation];
    if ((core->jobs[slot].flags & JOB_UNSETTLED) != 0 || !suppression_stops(core, recipient, conversation->key))
        return false;
    struct job_ending ending = {.event = EV_SUPPRESS, .code = CODE_OPTED_OUT};
    take_back_attempt(&core->jobs[slot]);
    outcome_finish_probes(core, lease, false, now);
    if (lease->probe_account)
        account_touch_lines(core, lease->account, now);
    undo(core, lease, core->jobs[slot].conversation, now);
    lease_close(core, lease, false);
    job_end(core, slot, &ending, now, out);
    turns_touch_line(core, line, now);
    return true;
}

static void current_result(struct core *core, struct lease *lease, const struct core_result *result,
                           struct instant now, struct effects *out)
{
    uint32_t slot = job_find(core, lease->number);
    assert(slot != NOBODY && core->jobs[slot].state == JOB_LEASED);
    uint32_t line = lease->line;
    if (result->outcome != OUTCOME_RETURNED || result->malformed)
        note_try(core, lease, result->malformed || result->outcome == OUTCOME_RETRY, now);
    if (result->malformed) {
        struct core_result unknown = {.outcome = OUTCOME_RETRY, .unknown = true, .retry_after_ms = -1};
        outcome_finish_probes(core, lease, true, now);
        if (lease->probe_account)
            account_answer(core, lease->account, core->jobs[slot].conversation, true, true, now, out);
        retry(core, lease, slot, &unknown, now, out);
        return;
    }
    if (result->outcome == OUTCOME_RETURNED) {
        outcome_returned(core, lease, now, out);
        return;
    }
    bool trouble = result->outcome == OUTCOME_RETRY && (result->http_status >= 500 || result->http_status == 0) &&
                   !result->line_flagged;
    bool probe_line = lease->probe_line;
    outcome_finish_probes(core, lease, true, now);
    account_answer(core, lease->account, core->jobs[slot].conversation, trouble, lease->probe_account, now, out);
    if (result->outcome != OUTCOME_RETRY || result->scope == SCOPE_JOB || result->scope == SCOPE_LINE)
        drain_count_try(core, line, result->outcome != OUTCOME_SENT, now, out);
    if (result->key_refused)
        account_refuse_key(core, lease->account, now, out);
    if (result->outcome == OUTCOME_SENT) {
        lease_close(core, lease, false);
        core->lines[line].sent_total++;
        outcome_sent(core, slot, result, now, out);
        if (probe_line)
            flag_lift(core, line, now, out);
        turns_touch_line(core, line, now);
    } else if (result->outcome == OUTCOME_RETRY) {
        retry(core, lease, slot, result, now, out);
    } else {
        rejected(core, lease, slot, result, now, out);
    }
}

/* A worker that comes back under another peer is the same instance still. */
static bool is_of_peer(const struct core *core, const struct lease *lease, uint32_t peer)
{
    uint32_t w = worker_find_peer(core, peer);
    return w != NOBODY && core->workers[w].instance == lease->instance;
}

void core_worker_result(struct core *core, const struct core_result *result, struct instant now, struct effects *out)
{
    if (!core_worker_alive(core, result->peer, now, out))
        return;
    struct lease *lease = lease_find(core, result->lease);
    if (lease != NULL && !is_of_peer(core, lease, result->peer))
        lease = NULL; /* another's: for this worker it is over, and what it says changes nothing */
    if (lease != NULL && !lease->over)
        current_result(core, lease, result, now, out);
    else if (lease != NULL)
        outcome_late_result(core, lease, result, now, out);
    struct effect *effect = effect_add(out, EFFECT_DONE);
    effect->peer = result->peer;
    effect->lease = result->lease;
}
