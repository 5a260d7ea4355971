/* core_run_operators.c — see core_run.h: what operators do, and the cleaner. */
#include "core_run.h"

void event_suppress(void)
{
    uint32_t at = (uint32_t)run_draw(NAIVE_CONVERSATIONS);
    uint64_t key = naive_key(at);
    struct core_suppress suppress = {.token = 13,
                                     .account = naive_account_of(naive_pool_of(at)),
                                     .recipient = naive_recipient(at),
                                     .handle = naive_handle(at),
                                     .reason = "r",
                                     .by = "ops",
                                     .conversations = &key,
                                     .conversation_count = 1};
    if (suppress.recipient == 0)
        return;
    if (naive_is_suppressed(&run.naive, suppress.recipient)) {
        run_note("unsuppress %u", at);
        core_unsuppress(run.rig->core, &suppress, run.rig->now, &run.rig->out);
    } else {
        run_note("suppress %u", at);
        naive_suppress(&run.naive, suppress.recipient);
        core_suppress(run.rig->core, &suppress, run.rig->now, &run.rig->out);
    }
    run_settle();
}

static const struct effect *last_answer(void)
{
    return &run.rig->out.effects[run.rig->out.effect_count - 1];
}

/* May a request for the job still be on its way to the provider? */
static bool on_its_way(uint64_t number)
{
    for (size_t i = 0; i < run.world.held_count; i++)
        if (run.world.held[i].number == number && run.world.held[i].begun && !run.world.held[i].answered)
            return true;
    return false;
}

/* A person who knows says what became of a job. */
void event_settle(void)
{
    struct naive_job *job = NULL;
    for (int i = 0; i < NAIVE_JOBS && job == NULL; i++)
        if (run.naive.jobs[i].place != NAIVE_FREE && (run.naive.jobs[i].unsettled || run.naive.jobs[i].doubtful))
            job = &run.naive.jobs[i];
    if (job == NULL || run_chance(10))
        job = run_any_job();
    if (job == NULL)
        return;
    uint64_t number = job->number;
    bool was_sent = world_provider_has(&run.world, number);
    bool unknown = job->unsettled || job->doubtful;
    const struct naive_conversation *home = &run.naive.conversations[job->conversation];
    if (!was_sent && (on_its_way(number) || job->place == NAIVE_LEASED || !(home->for_good || home->chat)))
        return; /* in a conversation that did not begin, a restart lets what waits go elsewhere */
    run_note("settle %llu as %s", (unsigned long long)number, was_sent ? "sent" : "unsent");
    run.asked.settled = was_sent ? number : 0;
    if (!was_sent) {
        job->unsettled = job->doubtful = false;
        for (size_t i = 0; i < run.grants.count; i++) /* nobody got any of its messages */
            if (run.grants.list[i].number == number)
                run.grants.list[i].void_message = true;
    }
    core_settle(run.rig->core, 15, number, was_sent, (struct span){"{}", 2}, run.rig->now, &run.rig->out);
    if (last_answer()->code != (unknown ? CODE_NONE : CODE_NOT_ALLOWED))
        naive_refuse("settling job %llu is answered %s", (unsigned long long)number, code_name(last_answer()->code));
    run_settle();
}

void event_cordon(void)
{
    uint32_t line = (uint32_t)run_draw(NAIVE_LINES);
    bool on = run_chance(30) && !run.world.good;
    run_note("%s %u", on ? "cordon" : "uncordon", line);
    core_cordon(run.rig->core, 16, RIG_LINE + line, on, run.rig->now, &run.rig->out);
    if (rig_line(run.rig, line).number != 0)
        run.naive.lines[line].cordoned = on;
    run_settle();
}

void event_requeue(void)
{
    const struct naive_dead letter = run.naive.dead[run_draw(NAIVE_DEAD)];
    const struct naive_conversation *known = &run.naive.conversations[letter.conversation];
    if (letter.number == 0 || run_live_jobs() >= 220 || (letter.attempts > 0 && !known->for_good && !known->chat))
        return; /* likewise */
    struct core_requeue ask = {.number = letter.number,
                               .mark = core_requeue_mark(run.rig->core),
                               .life = (uint8_t)letter.life,
                               .attempts = letter.attempts,
                               .doubtful = letter.doubtful,
                               .line = letter.line,
                               .accepted_at_ms = run_now_ms()};
    ask.job = (struct core_enqueue){.pool = naive_pool_of(letter.conversation),
                                    .conversation = naive_key(letter.conversation),
                                    .recipient = naive_recipient(letter.conversation),
                                    .class = letter.class,
                                    .campaign = letter.campaign,
                                    .id_hash = letter.id,
                                    .content_hash = letter.content,
                                    .from_line = letter.from_line,
                                    .expires_ms = run_chance(20) ? run_now_ms() + 1 + (int64_t)run_draw(60000) : 0};
    const struct naive_conversation *home = &run.naive.conversations[letter.conversation];
    uint64_t line = home->home != 0 ? home->home : home->pinned;
    enum code code = CODE_NONE;
    if (naive_is_suppressed(&run.naive, ask.job.recipient) || home->health == CHAT_OPTED_OUT)
        code = CODE_OPTED_OUT;
    else if (line != 0 && ((letter.from_line != 0 && line != letter.from_line) || (letter.doubtful && line != letter.line)))
        code = CODE_LINE_CONFLICT;
    run_note("requeue %llu of %u, life %u%s", (unsigned long long)letter.number, letter.conversation, letter.life,
             letter.doubtful ? ", unknown" : "");
    run.asked.requeue = &ask;
    run.asked.letter = &letter;
    enum code got = core_requeue(run.rig->core, &ask, false, run.rig->now, &run.rig->out);
    if (got != code)
        naive_refuse("a requeue is answered %s, not %s", code_name(got), code_name(code));
    run_settle();
}

/* One of the names that event_enqueue() gives, if it was ever given. */
static uint16_t any_campaign(void)
{
    const char name[] = {(char)('a' + run_draw(RUN_CAMPAIGNS)), '\0'};
    return core_campaign_find(run.rig->core, name);
}

void event_pause(void)
{
    struct naive_pause *slot = &run.naive.pauses[run_draw(NAIVE_PAUSES)];
    if (slot->id != 0) {
        uint64_t pause = run_chance(70) ? slot->id : 0;
        run_note("resume %llu", (unsigned long long)pause);
        core_resume(run.rig->core, 11, slot->scope, slot->target, pause, run.rig->now, &run.rig->out);
        run_settle();
        return;
    }
    if (run_chance(60))
        return;
    static const enum pause_scope scopes[] = {PAUSE_ALL,      PAUSE_ACCOUNT,  PAUSE_POOL,        PAUSE_POOL,
                                              PAUSE_LINE,     PAUSE_LINE,     PAUSE_LINE,        PAUSE_CAMPAIGN,
                                              PAUSE_CAMPAIGN, PAUSE_CAMPAIGN, PAUSE_CONVERSATION};
    struct core_pause ask = {.token = 12,
                             .scope = scopes[run_draw(sizeof scopes / sizeof *scopes)],
                             .for_ms = run_chance(80) ? 1 + (int64_t)run_draw(30000) : 0};
    ask.target = ask.scope == PAUSE_ACCOUNT        ? run_draw(2)
                 : ask.scope == PAUSE_POOL         ? run_draw(3)
                 : ask.scope == PAUSE_CAMPAIGN     ? run_draw(POOL_COUNT) << 16 | any_campaign()
                 : ask.scope == PAUSE_CONVERSATION ? naive_key((uint32_t)run_draw(NAIVE_CONVERSATIONS))
                                                   : RIG_LINE + run_draw(NAIVE_LINES);
    ask.target = ask.scope == PAUSE_ALL ? 0 : ask.target;
    run_note("pause %s %llu for %lld", pause_scope_name(ask.scope), (unsigned long long)ask.target,
             (long long)ask.for_ms);
    core_pause(run.rig->core, &ask, run.rig->now, &run.rig->out);
    const struct effect *answer = &run.rig->out.effects[run.rig->out.effect_count - 1];
    if (answer->code == CODE_NONE)
        *slot = (struct naive_pause){answer->pause, ask.scope, ask.target,
                                     ask.for_ms == 0 ? 0 : run_now_ms() + ask.for_ms};
    run_settle();
}

/* A few records of the oldest part of the journal, or of any, are cleaned. */
void event_clean(void)
{
    size_t durable = run.rig->durable;
    for (int i = 0; i < 8; i++) {
        size_t record = run_draw(run_chance(50) ? durable : durable / 50 + 1);
        run_note("the cleaner: record %zu, kind %u, key %llu", record, run.rig->records[record].kind,
                 (unsigned long long)run.rig->records[record].key);
        rig_clean(run.rig, record);
        run_settle();
    }
}
