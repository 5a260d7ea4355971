/* core_naive_records.c — every record that the core writes is held against what was asked and what the model knows.
 */
#include "core_naive_show.h"

#include <string.h>

#include "broker/store/record.h"

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
                                              .attempts = elsewhere ? 0 : letter->attempts,
                                              .pinned = letter->from_line != 0,
                                              .doubtful = letter->doubtful,
                                              .life = letter->life + 1,
                                              .key_known = letter->key_known};
    memcpy(naive_job(s->naive, letter->number)->key, letter->key, sizeof letter->key);
    if (letter->from_line != 0)
        conversation->pinned = letter->from_line;
    if (tried && conversation->home == 0 && !elsewhere)
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

/* A probe has begun and lifted nothing: an ACTIVE of before its end says nothing of the flag. */
static void confirm_flag(const struct showing *s, const struct grant *grant)
{
    struct naive_line *line = &s->naive->lines[grant->line];
    if (grant->probe && line->flagged && line->flag_by_error)
        line->flagged_ms = s->now_ms;
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
    if (counted)
        confirm_flag(s, grant);
    REFUSE_UNLESS(!job->told_sent, "P4: job %llu goes on though it was told sent", ull(job->number));
    job->lease = 0;
    job->due_ms = change->due_ms;
    job->holds_all = change->wide && change->due_ms != 0;
    REFUSE_UNLESS(change->unsettled == job->unsettled, "job %llu: unsettled is told as %d", ull(job->number),
                  change->unsettled);
}

static bool says_sent(const struct showing *s)
{
    return s->asked->result != NULL && s->asked->result->outcome == OUTCOME_SENT && !s->asked->result->malformed;
}

/* The worker of a try that has lapsed says that it was sent, while another is out. */
static bool says_late_sent(const struct showing *s, const struct naive_job *job)
{
    return says_sent(s) && s->asked->result_lease != 0 && s->asked->result_lease != job->lease &&
           grant_of(s, s->asked->result_lease)->number == job->number;
}

/* Somebody else than a worker says so. */
static bool says_was_sent(const struct showing *s, const struct naive_job *job)
{
    return s->asked->echoed == job->number || s->asked->settled == job->number;
}

static void know_chat(struct naive_conversation *conversation)
{
    conversation->chat_known = true;
    conversation->chat_lost = false;
}

static void show_try(const struct showing *s, const struct change_try *change)
{
    struct naive_job *job = naive_job(s->naive, change->number);
    REFUSE_UNLESS(job != NULL, "a try of job %llu, which has ended", ull(change->number));
    if (change->state == JOB_LEASED && job->place != NAIVE_LEASED) {
        naive_show_lease(s, job, change);
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
    } else { /* said anew: for the cleaner, or because a cancel was asked for, or it was told to be sent */
        bool again = job->place == NAIVE_LEASED && (job->attempts > 1 || job->unsettled);
        bool told = job->told_sent || (again && (says_was_sent(s, job) || says_late_sent(s, job)));
        REFUSE_UNLESS(change->told_sent == told, "job %llu: told to be sent %d", ull(job->number), change->told_sent);
        if (told && says_late_sent(s, job) && grant_of(s, s->asked->result_lease)->line == job->line)
            know_chat(&s->naive->conversations[job->conversation]);
        job->told_sent = told;
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
    bool of_a_try = s->asked->result_lease != 0 && grant_of(s, s->asked->result_lease)->number == job->number &&
                    result->outcome == OUTCOME_SENT;
    bool out = job->place == NAIVE_LEASED; /* then its own try must be over (P2) */
    bool sent = job->told_sent || (out ? of_a_try && answered : of_a_try || says_was_sent(s, job));
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
    REFUSE_UNLESS(ok && (change->state == JOB_SENT || !job->told_sent), "job %llu ends as %s without a cause", ull(job->number),
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

/* It ends as it was told, and this try of it may have made nothing. */
static void show_told(const struct showing *s, const struct naive_job *job)
{
    struct grant *grant = grant_of(s, job->lease);
    bool unmade = made_nothing(s, job) || !s->truth->begun(s->truth->world, job->lease);
    grant->void_message = grant->void_message || unmade;
    grant->void_placed = grant->void_placed || (unmade && grant->placed);
    if (is_result_of(s, job) && s->asked->result->outcome != OUTCOME_RETURNED)
        confirm_flag(s, grant);
}

static void show_end(const struct showing *s, const struct change_end *change)
{
    struct naive_job *job = naive_job(s->naive, change->number);
    REFUSE_UNLESS(job != NULL, "job %llu ends twice", ull(change->number));
    check_end(s, job, change);
    struct naive_conversation *conversation = &s->naive->conversations[job->conversation];
    if (job->place == NAIVE_LEASED && change->state == JOB_SENT && job->told_sent)
        show_told(s, job);
    if (job->place == NAIVE_LEASED && change->state != JOB_SENT) {
        struct grant *grant = grant_of(s, job->lease);
        bool unmade = made_nothing(s, job);
        if (!job->unsettled) /* else only this try says for sure that it made nothing */
            unmade = unmade || change->state == JOB_SUPPRESSED || !s->truth->begun(s->truth->world, job->lease);
        grant->void_message = unmade;
        grant->void_placed = unmade && grant->placed;
        if (is_result_of(s, job))
            confirm_flag(s, grant);
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
        if (change->state == JOB_SENT && says_sent(s)) /* and not an echo, which names no chat */
            know_chat(conversation);
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
