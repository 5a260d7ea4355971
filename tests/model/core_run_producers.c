/* core_run_producers.c — see core_run.h: what producers hand in and take back, and who imports. */
#include "core_run.h"

#define RUN_SLOT_BITS 25 /* of a job's number, below its sequence */

static uint32_t line_for(uint32_t conversation)
{
    uint32_t pool = naive_pool_of(conversation);
    return pool == 0 ? (uint32_t)run_draw(6) : pool == 1 ? 6 + (uint32_t)run_draw(2) : 8;
}

/* Does one wait with its collapse key that was accepted after the job that this one was exported from? */
static bool is_superseded(const struct core_enqueue *job, uint32_t conversation)
{
    for (int i = 0; i < NAIVE_JOBS && job->exported && job->collapse != 0; i++) {
        const struct naive_job *other = &run.naive.jobs[i];
        bool waits = (other->place == NAIVE_WAITING || other->place == NAIVE_SCHEDULED) && !other->unsettled && !other->doubtful;
        if (waits && other->conversation == conversation && other->collapse == job->collapse &&
            other->number >> RUN_SLOT_BITS >= job->exported_as >> RUN_SLOT_BITS)
            return true;
    }
    return false;
}

static void check_answer(const struct core_enqueue *job, uint32_t conversation, const struct effect *answer)
{
    const struct naive_id *known = NULL;
    bool suppressed = naive_is_suppressed(&run.naive, job->recipient);
    for (int i = 0; i < NAIVE_IDS && job->id_hash != 0; i++)
        if (run.naive.ids[i].id == job->id_hash)
            known = &run.naive.ids[i];
    const struct naive_conversation *home = &run.naive.conversations[conversation];
    uint64_t line = home->home != 0 ? home->home : home->pinned;
    bool begun = (home->for_good || home->chat) && !home->chat_lost;
    enum code code = CODE_NONE;
    if (known != NULL)
        code = known->content == job->content_hash ? CODE_NONE : CODE_ID_CONFLICT;
    else if (suppressed || run.naive.conversations[conversation].health == CHAT_OPTED_OUT)
        code = CODE_OPTED_OUT;
    else if (job->from_line != 0 && line != 0 && line != job->from_line)
        code = CODE_LINE_CONFLICT;
    else if (answer->code == CODE_HELD && job->fail_if_held)
        return; /* the views are held against the model elsewhere */
    else if (job->has_link && !begun && (job->from_line == 0 || job->chat_hash == 0))
        code = CODE_NOT_ALLOWED;
    else if (is_superseded(job, conversation))
        code = CODE_SUPERSEDED;
    else if (run_live_jobs() >= 230)
        code = CODE_BUSY;
    if (answer->code == CODE_UNKNOWN_LINE && job->from_line != 0 &&
        rig_line(run.rig, (uint32_t)(job->from_line - RIG_LINE)).number == 0)
        return;
    bool duplicate = known != NULL && code == CODE_NONE;
    if (answer->code != code || answer->duplicate != duplicate || (duplicate && answer->number != known->number))
        naive_refuse("an enqueue in conversation %u (home %llu%s%s%s) is answered %s, not %s", conversation,
                     (unsigned long long)home->home, home->for_good ? " for good" : "", home->chat ? " by chat" : "",
                     home->recorded ? " recorded" : "", code_name(answer->code), code_name(code));
}

void event_enqueue(void)
{
    uint32_t conversation = (uint32_t)run_draw(NAIVE_CONVERSATIONS);
    if (run_live_jobs() >= 240)
        return;
    struct core_enqueue job = {.token = 7,
                               .pool = naive_pool_of(conversation),
                               .conversation = naive_key(conversation),
                               .recipient = naive_recipient(conversation),
                               .class = (enum job_class)run_draw(CLASS_COUNT),
                               .content_hash = 1 + run_draw(2),
                               .has_link = run_chance(2),
                               .zone = run_chance(70) ? core_zone(run.rig->core, "Z", &run.rig->out) : 0,
                               .fail_if_held = run_chance(3)};
    if (run_chance(40)) {
        const char name[] = {(char)('a' + run_draw(RUN_CAMPAIGNS)), '\0'};
        job.campaign = core_campaign(run.rig->core, name, &run.rig->out);
    }
    if (run_chance(25))
        job.collapse = 7000000 + conversation * 2 + run_draw(2);
    if (job.collapse != 0 && run.world.ids % 3 == 0) { /* no draw of its own: the seeds stay what they were */
        job.exported = true;
        job.exported_as = run.naive.jobs[run.world.ids % NAIVE_JOBS].number; /* 0: of another broker */
    }
    if (run_chance(25))
        job.due_ms = run_now_ms() + (int64_t)run_draw(20000) * (run_chance(10) ? 60 : 1);
    if (job.due_ms != 0 && conversation % 2 == 0)
        job.due_ms -= job.due_ms % 8000; /* many in the same moment */
    if (run_chance(25))
        job.expires_ms = run_now_ms() + (int64_t)run_draw(40000) * (run_chance(20) ? 100 : 1) - 500;
    if (run_chance(10))
        job.from_line = RIG_LINE + line_for(conversation);
    if (job.from_line != 0 && run_chance(30))
        job.chat_hash = 900000 + conversation;
    if (run_chance(30))
        job.id_hash = (UINT64_C(1) << 60) +
                      (run_chance(30) && run.naive.id_next > 0 ? run.world.ids - run_draw(20) : ++run.world.ids);
    run_note("enqueue %u class %d due %lld expires %lld from %llu chat %llu id %llu", conversation, job.class,
             (long long)(job.due_ms == 0 ? 0 : job.due_ms - RIG_START_MS),
             (long long)(job.expires_ms == 0 ? 0 : job.expires_ms - RIG_START_MS), (unsigned long long)job.from_line,
             (unsigned long long)job.chat_hash, (unsigned long long)(job.id_hash & 0xFFFFFFF));
    core_enqueue(run.rig->core, &job, false, run.rig->now, &run.rig->out);
    struct effect answer = {.kind = EFFECT_ALERT};
    for (size_t i = 0; i < run.rig->out.effect_count; i++)
        if (run.rig->out.effects[i].kind == EFFECT_ENQUEUED)
            answer = run.rig->out.effects[i];
    check_answer(&job, conversation, &answer);
    run.asked.enqueue = &job;
    run.asked.conversation = conversation;
    if (answer.code == CODE_NONE && !answer.duplicate)
        world_note_job(&run.world, answer.number, conversation);
    run_settle();
}

void event_cancel(void)
{
    struct naive_job *job = run_any_job();
    if (job == NULL)
        return;
    run_note("cancel %llu", (unsigned long long)job->number);
    job->cancel = true;
    run.asked.cancelled = job->number;
    core_cancel(run.rig->core, 8, 0, job->number, run.rig->now, &run.rig->out);
    run_settle();
}

/* A conversation that existed before: wherever it lives or waits already, it stays. */
void event_adopt(void)
{
    uint32_t at = (uint32_t)run_draw(NAIVE_CONVERSATIONS);
    struct naive_conversation *known = &run.naive.conversations[at];
    uint64_t lives = known->home != 0 ? known->home : known->pinned;
    struct core_adopt adopt = {.token = 12,
                               .pool = naive_pool_of(at),
                               .conversation = naive_key(at),
                               .line = lives != 0 && run_chance(60) ? lives : RIG_LINE + line_for(at),
                               .chat_hash = run_chance(80) ? 900000 + at : 0,
                               .recipients = {"[]", 2}};
    enum code code = lives != 0 && lives != adopt.line ? CODE_LINE_CONFLICT : CODE_NONE;
    if (rig_line(run.rig, (uint32_t)(adopt.line - RIG_LINE)).number == 0)
        code = CODE_UNKNOWN_LINE;
    run_note("adopt %u on line %llu chat %llu: %s", at, (unsigned long long)(adopt.line - RIG_LINE),
             (unsigned long long)adopt.chat_hash, code_name(code));
    if (code == CODE_NONE) {
        known->home = adopt.line;
        known->chat_known = known->chat_known || adopt.chat_hash != 0;
        known->chat_lost = false;
    }
    core_adopt(run.rig->core, &adopt, false, run.rig->now, &run.rig->out);
    const struct effect *answer = &run.rig->out.effects[run.rig->out.effect_count - 1];
    if (answer->kind != EFFECT_ADOPTED || answer->code != code)
        naive_refuse("an import is answered %s, not %s", code_name(answer->code), code_name(code));
    if (code == CODE_NONE && answer->line != adopt.line)
        naive_refuse("conversation %u is said to live on line %llu", at,
                     (unsigned long long)(answer->line - RIG_LINE));
    run_settle();
}
