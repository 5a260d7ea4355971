/* core_model.c — the core against a naive model: enqueues, cancels, workers that die, stall and answer, a provider
 * whose lines rise and fall, webhooks late and twice, pauses, time, lost commits and restarts, drawn from a seed.
 * After each event every record is held against what the promises allow (core_naive.h), and the views against plain
 * lists.
 *
 * core_model [SEED [EVENTS]], or the same from the environment; without, a few fixed seeds. A failure says the seed
 * and the last events, and the same seed fails again. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core_naive.h"
#include "core_world.h"

#define EVENTS      100000
#define LAST_EVENTS 2000
#define CAMPAIGNS   3
#define STEPS_MAX   32 /* that may be lost in one crash */

struct step { /* how the model stood when the record count was this */
    size_t records;
    struct naive naive;
};

struct run {
    struct rig *rig;
    struct world world;
    struct naive naive;
    struct grants grants;
    struct step steps[STEPS_MAX]; /* the first is durable */
    unsigned step_count;
    struct naive_asked asked;
    uint64_t seed, at;
};

static struct run run;
static char last_events[LAST_EVENTS][200];

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *line = last_events[run.at % LAST_EVENTS];
    int head = snprintf(line, sizeof last_events[0], "%llu @%lld: ", (unsigned long long)run.at,
                        (long long)(run.rig->now.wall_ms - RIG_START_MS));
    vsnprintf(line + head, sizeof last_events[0] - (size_t)head, format, args);
    va_end(args);
}

static void on_abort(int signal_number)
{
    (void)signal_number;
    fprintf(stderr, "seed %llu, event %llu; the last events:\n", (unsigned long long)run.seed,
            (unsigned long long)run.at);
    for (uint64_t i = run.at < LAST_EVENTS ? 0 : run.at - LAST_EVENTS + 1; i <= run.at; i++)
        fprintf(stderr, "  %s\n", last_events[i % LAST_EVENTS]);
    fflush(stderr);
    _exit(1);
}

static uint64_t draw(uint64_t below)
{
    return world_draw(&run.world, below);
}

static bool chance(unsigned percent)
{
    return draw(100) < percent;
}

static int64_t now_ms(void)
{
    return run.rig->now.wall_ms;
}

static bool in_ramp(uint32_t line)
{
    return rig_line(run.rig, line).ramp_percent < 100;
}

/* ---- after each call of the core ---- */

static bool core_knows(uint32_t worker)
{
    struct worker_view view;
    for (uint32_t w = 0; core_worker_view(run.rig->core, w, run.rig->now, &view); w++)
        if (view.peer == worker + 1 && view.instance == run.world.workers[worker].instance)
            return true;
    return false;
}

static void check_revoked(void)
{
    for (size_t i = 0; i < run.world.held_count; i++) {
        const struct held *held = &run.world.held[i];
        const struct naive_job *job = naive_job(&run.naive, held->number);
        bool current = job != NULL && job->place == NAIVE_LEASED && job->lease == held->lease;
        bool reachable = core_knows(held->worker);
        if (!current || !reachable || held->begun || held->answered || held->revoked)
            continue;
        bool probe = run.naive.lines[held->line].flagged && run.naive.lines[held->line].flag_by_error;
        bool closed = (naive_closed(&run.naive, held->line) && !probe) ||
                      naive_paused(&run.naive, naive_pool_of_line(held->line), now_ms()) ||
                      naive_campaign_paused(&run.naive, job) ||
                      naive_conversation_paused(&run.naive, job->conversation);
        if (closed)
            naive_refuse("P3: lease %llu on line %u is not revoked", (unsigned long long)held->lease, held->line);
    }
}

/* Shows the model what was written, and the world what was told. */
static void settle(void)
{
    static const struct naive_asked nothing;
    struct truth truth = {world_begun, world_provider_has, &run.world};
    rig_keep(run.rig);
    naive_show(&run.naive, run.rig, &run.asked, &run.grants, &truth);
    world_hear(&run.world, run.rig, &run.naive);
    rig_forget(run.rig);
    run.asked = nothing;
    check_revoked();
    if (run.step_count > 0 && run.steps[run.step_count - 1].records == run.rig->record_count)
        return;                      /* a crash would not know the difference */
    if (run.step_count == STEPS_MAX) /* the last two are lost or kept together */
        run.step_count--;
    run.steps[run.step_count++] = (struct step){run.rig->record_count, run.naive};
}

/* Commits the first so many steps; what was waiting for them is said, which may write more. */
static void commit(unsigned steps)
{
    if (steps == 0)
        return;
    rig_commit(run.rig, run.steps[steps - 1].records);
    memmove(run.steps, run.steps + steps - 1, (run.step_count - steps + 1) * sizeof *run.steps);
    run.step_count -= steps - 1;
    settle();
}

/* ---- what may happen ---- */

/* What a whole conversation waited for is over. */
static void waits_end(void)
{
    for (int i = 0; i < NAIVE_JOBS; i++)
        if (run.naive.jobs[i].due_ms <= now_ms())
            run.naive.jobs[i].holds_all = false;
}

static void tick(void)
{
    waits_end();
    for (int i = 0; i < 2000; i++) {
        run.asked.ticked = true;
        core_tick(run.rig->core, run.rig->now, &run.rig->out);
        settle();
        if (core_next_mono_ms(run.rig->core, run.rig->now) > run.rig->now.mono_ms) {
            for (int j = 0; j < NAIVE_JOBS; j++) {
                const struct naive_job *job = &run.naive.jobs[j];
                bool late = job->expires_ms != 0 && job->expires_ms <= now_ms();
                if (job->place != NAIVE_WAITING && job->place != NAIVE_SCHEDULED)
                    continue;
                if (late || (job->place == NAIVE_SCHEDULED && job->due_ms <= now_ms()))
                    naive_refuse("job %llu is overdue", (unsigned long long)job->number);
                if (run.at % 4 == 0 && rig_view(run.rig, job->number).reason == REASON_NONE)
                    naive_refuse("P10: nothing keeps job %llu, and yet it waits", (unsigned long long)job->number);
            }
            return;
        }
    }
    naive_refuse("the core never comes to rest");
}

static void pass(int64_t ms)
{
    run.rig->now.wall_ms += ms;
    run.rig->now.mono_ms += ms;
    note("%lld ms pass", (long long)ms);
}

static unsigned live_jobs(void)
{
    unsigned live = 0;
    for (int i = 0; i < NAIVE_JOBS; i++)
        live += run.naive.jobs[i].place != NAIVE_FREE;
    return live;
}

static uint32_t line_for(uint32_t conversation)
{
    uint32_t pool = naive_pool_of(conversation);
    return pool == 0 ? (uint32_t)draw(6) : pool == 1 ? 6 + (uint32_t)draw(2) : 8;
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
    else if (live_jobs() >= 230)
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

static void enqueue(void)
{
    uint32_t conversation = (uint32_t)draw(NAIVE_CONVERSATIONS);
    if (live_jobs() >= 240)
        return;
    struct core_enqueue job = {.token = 7,
                               .pool = naive_pool_of(conversation),
                               .conversation = naive_key(conversation),
                               .recipient = naive_recipient(conversation),
                               .class = (enum job_class)draw(CLASS_COUNT),
                               .content_hash = 1 + draw(2),
                               .has_link = chance(2),
                               .zone = chance(70) ? core_zone(run.rig->core, "Z", &run.rig->out) : 0,
                               .fail_if_held = chance(3)};
    if (chance(40)) {
        const char name[] = {(char)('a' + draw(CAMPAIGNS)), '\0'};
        job.campaign = core_campaign(run.rig->core, name, &run.rig->out);
    }
    if (chance(25))
        job.collapse = 7000000 + conversation * 2 + draw(2);
    if (chance(25))
        job.due_ms = now_ms() + (int64_t)draw(20000) * (chance(10) ? 60 : 1);
    if (chance(25))
        job.expires_ms = now_ms() + (int64_t)draw(40000) * (chance(20) ? 100 : 1) - 500;
    if (chance(10))
        job.from_line = RIG_LINE + line_for(conversation);
    if (job.from_line != 0 && chance(30))
        job.chat_hash = 900000 + conversation;
    if (chance(30))
        job.id_hash =
            (UINT64_C(1) << 60) + (chance(30) && run.naive.id_next > 0 ? run.world.ids - draw(20) : ++run.world.ids);
    note("enqueue %u class %d due %lld expires %lld from %llu chat %llu id %llu", conversation, job.class,
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
    settle();
}

/* A conversation that existed before: wherever it lives or waits already, it stays. */
static void adopt(void)
{
    uint32_t at = (uint32_t)draw(NAIVE_CONVERSATIONS);
    struct naive_conversation *known = &run.naive.conversations[at];
    uint64_t lives = known->home != 0 ? known->home : known->pinned;
    struct core_adopt adopt = {.token = 12,
                               .pool = naive_pool_of(at),
                               .conversation = naive_key(at),
                               .line = lives != 0 && chance(60) ? lives : RIG_LINE + line_for(at),
                               .chat_hash = chance(80) ? 900000 + at : 0,
                               .recipients = {"[]", 2}};
    enum code code = lives != 0 && lives != adopt.line ? CODE_LINE_CONFLICT : CODE_NONE;
    if (rig_line(run.rig, (uint32_t)(adopt.line - RIG_LINE)).number == 0)
        code = CODE_UNKNOWN_LINE;
    note("adopt %u on line %llu chat %llu: %s", at, (unsigned long long)(adopt.line - RIG_LINE),
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
    settle();
}

static void operator_suppresses(void)
{
    uint32_t at = (uint32_t)draw(NAIVE_CONVERSATIONS);
    uint64_t key = naive_key(at);
    struct core_suppress suppress = {.token = 13,
                                     .account = naive_account_of(naive_pool_of(at)),
                                     .recipient = naive_recipient(at),
                                     .handle = "+14155550101",
                                     .reason = "r",
                                     .by = "ops",
                                     .conversations = &key,
                                     .conversation_count = 1};
    if (suppress.recipient == 0)
        return;
    if (naive_is_suppressed(&run.naive, suppress.recipient)) {
        note("unsuppress %u", at);
        core_unsuppress(run.rig->core, &suppress, run.rig->now, &run.rig->out);
    } else {
        note("suppress %u", at);
        naive_suppress(&run.naive, suppress.recipient);
        core_suppress(run.rig->core, &suppress, run.rig->now, &run.rig->out);
    }
    settle();
}

static struct naive_job *any_job(void)
{
    for (int tries = 0; tries < 40; tries++) {
        struct naive_job *job = &run.naive.jobs[draw(NAIVE_JOBS)];
        if (job->place != NAIVE_FREE)
            return job;
    }
    return NULL;
}

static void cancel(void)
{
    struct naive_job *job = any_job();
    if (job == NULL)
        return;
    note("cancel %llu", (unsigned long long)job->number);
    job->cancel = true;
    run.asked.cancelled = job->number;
    core_cancel(run.rig->core, 8, 0, job->number, run.rig->now, &run.rig->out);
    settle();
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
static void person_settles(void)
{
    struct naive_job *job = NULL;
    for (int i = 0; i < NAIVE_JOBS && job == NULL; i++)
        if (run.naive.jobs[i].place != NAIVE_FREE && (run.naive.jobs[i].unsettled || run.naive.jobs[i].doubtful))
            job = &run.naive.jobs[i];
    if (job == NULL || chance(10))
        job = any_job();
    if (job == NULL)
        return;
    uint64_t number = job->number;
    bool was_sent = world_provider_has(&run.world, number);
    bool unknown = job->unsettled || job->doubtful;
    const struct naive_conversation *home = &run.naive.conversations[job->conversation];
    if (!was_sent && (on_its_way(number) || job->place == NAIVE_LEASED || !(home->for_good || home->chat)))
        return; /* in a conversation that did not begin, a restart lets what waits go elsewhere */
    note("settle %llu as %s", (unsigned long long)number, was_sent ? "sent" : "unsent");
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
    settle();
}

static void operator_cordons(void)
{
    uint32_t line = (uint32_t)draw(NAIVE_LINES);
    bool on = chance(30) && !run.world.good;
    note("%s %u", on ? "cordon" : "uncordon", line);
    core_cordon(run.rig->core, 16, RIG_LINE + line, on, run.rig->now, &run.rig->out);
    if (rig_line(run.rig, line).number != 0)
        run.naive.lines[line].cordoned = on;
    settle();
}

static void operator_requeues(void)
{
    const struct naive_dead letter = run.naive.dead[draw(NAIVE_DEAD)];
    const struct naive_conversation *known = &run.naive.conversations[letter.conversation];
    if (letter.number == 0 || live_jobs() >= 220 || (letter.attempts > 0 && !known->for_good && !known->chat))
        return; /* likewise */
    struct core_requeue ask = {.number = letter.number,
                               .mark = core_requeue_mark(run.rig->core),
                               .life = (uint8_t)letter.life,
                               .attempts = letter.attempts,
                               .doubtful = letter.doubtful,
                               .line = letter.line,
                               .accepted_at_ms = now_ms()};
    ask.job = (struct core_enqueue){.pool = naive_pool_of(letter.conversation),
                                    .conversation = naive_key(letter.conversation),
                                    .recipient = naive_recipient(letter.conversation),
                                    .class = letter.class,
                                    .campaign = letter.campaign,
                                    .id_hash = letter.id,
                                    .content_hash = letter.content,
                                    .from_line = letter.from_line,
                                    .expires_ms = chance(20) ? now_ms() + 1 + (int64_t)draw(60000) : 0};
    const struct naive_conversation *home = &run.naive.conversations[letter.conversation];
    uint64_t line = home->home != 0 ? home->home : home->pinned;
    enum code code = CODE_NONE;
    if (naive_is_suppressed(&run.naive, ask.job.recipient) || home->health == CHAT_OPTED_OUT)
        code = CODE_OPTED_OUT;
    else if (letter.from_line != 0 && line != 0 && line != letter.from_line)
        code = CODE_LINE_CONFLICT;
    note("requeue %llu of %u, life %u%s", (unsigned long long)letter.number, letter.conversation, letter.life,
         letter.doubtful ? ", unknown" : "");
    run.asked.requeue = &ask;
    run.asked.letter = &letter;
    enum code got = core_requeue(run.rig->core, &ask, false, run.rig->now, &run.rig->out);
    if (got != code)
        naive_refuse("a requeue is answered %s, not %s", code_name(got), code_name(code));
    settle();
}

static void worker(void)
{
    uint32_t w = (uint32_t)draw(WORLD_WORKERS);
    struct world_worker *worker = &run.world.workers[w];
    switch (draw(12)) {
    case 0:
        note("worker %u dies", w);
        world_kill(&run.world, w);
        if (chance(50))
            core_worker_gone(run.rig->core, w + 1, run.rig->now, &run.rig->out);
        break;
    case 1:
        note("worker %u says BYE", w);
        core_worker_bye(run.rig->core, w + 1, run.rig->now, &run.rig->out);
        break;
    case 2:
        note("worker %u is not reached", w);
        core_worker_gone(run.rig->core, w + 1, run.rig->now, &run.rig->out);
        worker->ready = false;
        break;
    default:
        note("worker %u says READY", w);
        world_ready(&run.world, w, run.rig);
        break;
    }
    settle();
}

static void beats(void)
{
    for (uint32_t w = 0; w < WORLD_WORKERS; w++)
        if (run.world.workers[w].instance != 0 && run.world.workers[w].ready && chance(95)) {
            if (core_worker_alive(run.rig->core, w + 1, run.rig->now, &run.rig->out))
                run.world.workers[w].beat_ms = now_ms();
            settle();
        }
}

static void flag_by_error(uint32_t at)
{
    struct naive_line *line = &run.naive.lines[at];
    line->flag_by_error = line->flagged ? line->flag_by_error : true;
    line->flagged = true;
    line->flagged_ms = now_ms();
}

static void result(void)
{
    struct core_result result;
    struct held *held = world_answer(&run.world, run.rig, &result);
    if (held == NULL)
        return;
    struct naive_job *job = naive_job(&run.naive, held->number);
    bool current = job != NULL && job->place == NAIVE_LEASED && job->lease == held->lease && core_knows(held->worker);
    note("lease %llu of %llu: %s%s scope %s%s", (unsigned long long)held->lease, (unsigned long long)held->number,
         result.malformed ? "malformed" : outcome_name(result.outcome), result.unknown ? " unknown" : "",
         scope_name(result.scope), result.line_flagged ? " flagged" : "");
    run.asked.result = &result;
    run.asked.result_lease = held->lease;
    if (current && result.line_flagged && !result.malformed && result.outcome == OUTCOME_RETRY)
        flag_by_error(held->line);
    if (current && result.outcome == OUTCOME_SENT && !result.malformed && run.naive.lines[held->line].flag_by_error)
        for (size_t i = 0; i < run.grants.count; i++)
            if (run.grants.list[i].lease == held->lease && run.grants.list[i].probe)
                run.naive.lines[held->line].flagged = run.naive.lines[held->line].flag_by_error = false;
    uint32_t conversation = world_conversation_of(&run.world, held->number);
    if (current && result.key_refused && !result.malformed)
        run.naive.refused[naive_account_of(naive_pool_of(conversation))] = true;
    if (current && result.forget_chat && result.outcome == OUTCOME_RETRY) {
        run.naive.conversations[conversation].chat_known = false;
        run.naive.conversations[conversation].chat_lost = true;
    }
    core_worker_result(run.rig->core, &result, run.rig->now, &run.rig->out);
    settle();
}

static void line_told(void)
{
    uint32_t line = (uint32_t)draw(NAIVE_LINES);
    struct core_line_fact fact = {.account = naive_account_of(naive_pool_of_line(line)),
                                  .number = RIG_LINE + line,
                                  .arrived_mono_ms = run.rig->now.mono_ms,
                                  .changed_at_ms = now_ms() - (chance(20) ? (int64_t)draw(20000) : 0),
                                  .event = ++run.world.events};
    fact.has_reputation = chance(80);
    fact.has_service = !fact.has_reputation || chance(40);
    fact.reputation = world_turn_line(&run.world, line);
    fact.service = chance(20) ? SERVICE_FLAGGED : chance(5) ? SERVICE_UNKNOWN : SERVICE_ACTIVE;
    if (chance(3))
        fact.changed_at_ms = 0;
    note("webhook line %u %s %s changed %lld", line, fact.has_reputation ? reputation_name(fact.reputation) : "-",
         fact.has_service ? service_name(fact.service) : "-", (long long)(fact.changed_at_ms - RIG_START_MS));
    naive_told(&run.naive.lines[line], &fact, in_ramp(line), run.rig->now);
    core_line_told(run.rig->core, 9, &fact, run.rig->now, &run.rig->out);
    settle();
    if (chance(15)) { /* once more, the same event */
        core_line_told(run.rig->core, 9, &fact, run.rig->now, &run.rig->out);
        settle();
    }
}

static void poll(void)
{
    uint32_t account = (uint32_t)draw(2);
    struct world_poll *poll = &run.world.polls[account];
    if (!poll->under_way) {
        note("poll of %u begins", account);
        world_begin_poll(&run.world, account, run.rig);
        return;
    }
    poll->under_way = false;
    struct core_poll end = {.account = account,
                            .poll = ++run.world.poll_numbers,
                            .begun_mono_ms = poll->begun_mono_ms,
                            .ok = chance(92),
                            .cached = chance(5)};
    note("poll of %u ends%s%s", account, end.ok ? "" : ", bad", end.cached ? ", cached" : "");
    bool missing[NAIVE_LINES] = {false};
    for (uint32_t line = 0; line < NAIVE_LINES && end.ok; line++) {
        if (naive_account_of(naive_pool_of_line(line)) != account)
            continue;
        missing[line] = chance(10) && !run.world.good;
        if (missing[line])
            continue;
        struct core_line_fact fact = {.account = account,
                                      .number = RIG_LINE + line,
                                      .has_reputation = true,
                                      .reputation = poll->words[line],
                                      .poll = end.poll,
                                      .begun_mono_ms = poll->begun_mono_ms,
                                      .cached = end.cached};
        fact.has_service = chance(1);
        fact.service = SERVICE_FLAGGED;
        naive_polled(&run.naive.lines[line], &fact, in_ramp(line), 10000, run.rig->now);
        core_line_polled(run.rig->core, &fact, run.rig->now, &run.rig->out);
        settle();
    }
    end.key_refused = !end.ok && chance(10);
    if (end.ok || end.key_refused)
        run.naive.refused[account] = end.key_refused;
    core_poll_ended(run.rig->core, &end, run.rig->now, &run.rig->out);
    for (uint32_t line = 0; line < NAIVE_LINES; line++)
        if (missing[line] && rig_line(run.rig, line).number != 0)
            naive_missing(&run.naive.lines[line]);
    settle();
}

static struct conversation_view core_word_of(uint64_t conversation)
{
    struct conversation_view view = {.key = 0};
    core_conversation_view(run.rig->core, conversation, &view);
    return view;
}

static void message(void)
{
    uint64_t home = 0; /* what the fact's list points to */
    struct core_message_fact fact = {.token = 10, .event = ++run.world.events, .at_ms = now_ms()};
    const struct naive_job *job = any_job();
    if (chance(25)) { /* the provider echoes what it took */
        if (job == NULL || !world_provider_has(&run.world, job->number))
            return;
        fact.what = chance(50) ? MESSAGE_SENT : MESSAGE_DELIVERED;
        fact.number = job->number;
        run.asked.echoed = job->number;
        note("message.sent %llu", (unsigned long long)job->number);
    } else {
        bool waits = job != NULL && chance(70); /* what waits for an answer gets one, sooner or later */
        uint32_t conversation = waits ? job->conversation : (uint32_t)draw(NAIVE_CONVERSATIONS);
        home = naive_key(conversation);
        fact.what = MESSAGE_RECEIVED;
        fact.account = naive_account_of(naive_pool_of(conversation));
        fact.recipient = naive_recipient(conversation);
        fact.chat_hash = 900000 + conversation;
        fact.opt_out = chance(15);
        fact.at_ms -= chance(20) ? (int64_t)draw(120000) : 0;
        if (fact.recipient != 0) {
            fact.homes = &home;
            fact.home_count = 1;
        }
        fact.line = run.naive.conversations[conversation].home;
        struct conversation_view before = core_word_of(home);
        bool overtaken = fact.line != 0 && fact.at_ms < before.last_in_ms; /* they wrote again since */
        if (fact.opt_out && fact.recipient != 0 && !overtaken)
            naive_suppress(&run.naive, fact.recipient);
        fact.has_health = chance(40);
        fact.health = chance(60) ? CHAT_HEALTHY : (enum chat_health)draw(CHAT_HEALTH_COUNT);
        fact.health_at_ms = chance(30) ? 0 : now_ms() - (chance(40) ? (int64_t)draw(5000) : 0);
        struct naive_conversation *known = &run.naive.conversations[conversation];
        if (fact.has_health && known->chat_known)
            naive_chat_told(known, fact.health, fact.health_at_ms != 0 ? fact.health_at_ms : fact.at_ms);
        if (known->home != 0 && (known->chat_known || fact.recipient != 0))
            naive_answered(known, fact.opt_out, fact.at_ms, before.last_out_ms);
        note("message.received %u%s %s", conversation, fact.opt_out ? " STOP" : "",
             fact.has_health ? chat_health_name(fact.health) : "");
    }
    core_message_told(run.rig->core, &fact, run.rig->now, &run.rig->out);
    settle();
}

/* One of the names that enqueue() gives, if it was ever given. */
static uint16_t any_campaign(void)
{
    const char name[] = {(char)('a' + draw(CAMPAIGNS)), '\0'};
    return core_campaign_find(run.rig->core, name);
}

static void pause_or_resume(void)
{
    struct naive_pause *slot = &run.naive.pauses[draw(NAIVE_PAUSES)];
    if (slot->id != 0) {
        uint64_t pause = chance(70) ? slot->id : 0;
        note("resume %llu", (unsigned long long)pause);
        core_resume(run.rig->core, 11, slot->scope, slot->target, pause, run.rig->now, &run.rig->out);
        settle();
        return;
    }
    if (chance(60))
        return;
    static const enum pause_scope scopes[] = {PAUSE_ALL,  PAUSE_ACCOUNT,  PAUSE_POOL,     PAUSE_POOL,
                                              PAUSE_LINE, PAUSE_LINE,     PAUSE_LINE,     PAUSE_CAMPAIGN,
                                              PAUSE_CAMPAIGN, PAUSE_CAMPAIGN, PAUSE_CONVERSATION};
    struct core_pause ask = {
        .token = 12, .scope = scopes[draw(sizeof scopes / sizeof *scopes)], .for_ms = chance(80) ? 1 + (int64_t)draw(30000) : 0};
    ask.target = ask.scope == PAUSE_ACCOUNT ? draw(2)
                 : ask.scope == PAUSE_POOL  ? draw(3)
                 : ask.scope == PAUSE_CAMPAIGN ? draw(POOL_COUNT) << 16 | any_campaign()
                 : ask.scope == PAUSE_CONVERSATION ? naive_key((uint32_t)draw(NAIVE_CONVERSATIONS))
                                                   : RIG_LINE + draw(NAIVE_LINES);
    ask.target = ask.scope == PAUSE_ALL ? 0 : ask.target;
    note("pause %s %llu for %lld", pause_scope_name(ask.scope), (unsigned long long)ask.target,
         (long long)ask.for_ms);
    core_pause(run.rig->core, &ask, run.rig->now, &run.rig->out);
    const struct effect *answer = &run.rig->out.effects[run.rig->out.effect_count - 1];
    if (answer->code == CODE_NONE)
        *slot =
            (struct naive_pause){answer->pause, ask.scope, ask.target, ask.for_ms == 0 ? 0 : now_ms() + ask.for_ms};
    settle();
}

/* A few records of the oldest part of the journal, or of any, are cleaned. */
static void clean(void)
{
    size_t durable = run.rig->durable;
    for (int i = 0; i < 8; i++) {
        size_t record = draw(chance(50) ? durable : durable / 50 + 1);
        note("the cleaner: record %zu, kind %u, key %llu", record, run.rig->records[record].kind,
             (unsigned long long)run.rig->records[record].key);
        rig_clean(run.rig, record);
        settle();
    }
}

/* Told at each start: changes twice a day, as far as there is room; told anew as time goes by. */
static void tell_zone(void)
{
    struct zone_rules rules = {.count = ZONE_CHANGES_MAX};
    int64_t half = now_ms() / 43200000;
    for (int i = 0; i < ZONE_CHANGES_MAX; i++) {
        rules.from_ms[i] = (half + i) * 43200000;
        rules.offset_s[i] = 3600 * (int32_t)(1 + (half + i + 1) / 2 % 2);
    }
    core_zone(run.rig->core, "Z", &run.rig->out);
    for (unsigned at = 1; core_zone_at(run.rig->core, at) != NULL; at++)
        core_zone_rules(run.rig->core, at, &rules, 1, run.rig->now);
    settle();
}

static void restart(void)
{
    int64_t down_ms = (int64_t)draw(3000);
    note("restart: %u steps lost, down for %lld ms", run.step_count - 1, (long long)down_ms);
    world_crash(&run.world);
    rig_restart(run.rig, down_ms);
    run.naive = run.steps[0].naive;
    run.step_count = 1;
    size_t kept = 0;
    for (size_t i = 0; i < run.grants.count; i++) {
        if (run.grants.list[i].record >= run.steps[0].records)
            continue;
        run.grants.list[kept] = run.grants.list[i];
        run.grants.list[kept++].probe = false; /* a restart forgets which lease was one */
    }
    run.grants.count = kept;
    naive_restarted(&run.naive);
    waits_end();
    settle();
    tell_zone();
    naive_check_all(&run.naive, run.rig);
}

static void event(void)
{
    if (run.at % 20 == 1)
        tell_zone();
    uint64_t what = draw(1000);
    if (what < 300)
        enqueue();
    else if (what < 320)
        cancel();
    else if (what < 360)
        worker();
    else if (what < 640)
        result();
    else if (what < 660)
        line_told();
    else if (what < 715)
        poll();
    else if (what < 758)
        message();
    else if (what < 763)
        adopt();
    else if (what < 765)
        operator_suppresses();
    else if (what < 769)
        person_settles();
    else if (what < 771)
        operator_cordons();
    else if (what < 774)
        operator_requeues();
    else if (what < 780)
        pause_or_resume();
    else if (what < 790)
        clean();
    else if (what < 792)
        restart();
    else if (what < 794)
        run.world.storm = !run.world.storm && chance(40);
    else if (what < 990)
        pass((int64_t)draw(chance(90) ? 900 : 5000));
    else
        pass((int64_t)draw(chance(90) ? 60000 : 4 * 3600000));
    beats();
    tick();
    world_begin_some(&run.world, run.rig, &run.naive);
    if (chance(60))
        commit(1 + (unsigned)draw(run.step_count));
}

/* Nobody is left without an answer; where none can be heard (a group whose chat was forgotten), nothing is left. */
static void answer_all(void)
{
    for (int i = 0; i < NAIVE_JOBS; i++) {
        struct naive_job *job = &run.naive.jobs[i];
        if (job->place != NAIVE_WAITING || naive_chat_reason(&run.naive, run.rig, job, 0) != REASON_CONVERSATION_CADENCE)
            continue;
        struct naive_conversation *known = &run.naive.conversations[job->conversation];
        uint64_t home = naive_key(job->conversation);
        struct core_message_fact fact = {.what = MESSAGE_RECEIVED,
                                         .event = ++run.world.events,
                                         .at_ms = now_ms(),
                                         .line = known->home,
                                         .chat_hash = 900000 + job->conversation,
                                         .homes = &home,
                                         .home_count = naive_recipient(job->conversation) != 0};
        if (known->chat_known || fact.home_count > 0) {
            naive_answered(known, false, fact.at_ms, 0);
            core_message_told(run.rig->core, &fact, run.rig->now, &run.rig->out);
        } else {
            job->cancel = true;
            run.asked.cancelled = job->number;
            core_cancel(run.rig->core, 14, 0, job->number, run.rig->now, &run.rig->out);
        }
        settle();
    }
}

/* With healthy lines, workers and time everything goes out. */
static void drain(void)
{
    note("drain");
    for (int p = 0; p < NAIVE_PAUSES; p++)
        if (run.naive.pauses[p].id != 0) {
            core_resume(run.rig->core, 13, run.naive.pauses[p].scope, run.naive.pauses[p].target, 0, run.rig->now,
                        &run.rig->out);
            settle();
        }
    run.world.good = true;
    run.world.storm = false;
    for (uint32_t line = 0; line < NAIVE_LINES; line++) {
        core_cordon(run.rig->core, 16, RIG_LINE + line, false, run.rig->now, &run.rig->out);
        run.naive.lines[line].cordoned = false;
        settle();
    }
    for (uint32_t c = 0; c < NAIVE_CONVERSATIONS; c++) {
        struct core_message_fact fact = {.what = MESSAGE_CHAT,
                                         .event = ++run.world.events,
                                         .chat_hash = 900000 + c,
                                         .has_health = true,
                                         .health = CHAT_HEALTHY};
        fact.health_at_ms = now_ms() + 1000; /* newer than any word so far */
        if (run.naive.conversations[c].chat_known)
            naive_chat_told(&run.naive.conversations[c], CHAT_HEALTHY, fact.health_at_ms);
        core_message_told(run.rig->core, &fact, run.rig->now, &run.rig->out);
        settle();
    }
    for (int round = 0; round < 60000 && live_jobs() > 0; round++) {
        run.at++;
        note("drain");
        if (round % 3 == 0) {
            for (uint32_t line = 0; line < NAIVE_LINES; line++) {
                struct core_line_fact fact = {.account = naive_account_of(naive_pool_of_line(line)),
                                              .number = RIG_LINE + line,
                                              .arrived_mono_ms = run.rig->now.mono_ms,
                                              .changed_at_ms = now_ms(),
                                              .event = ++run.world.events,
                                              .has_service = true,
                                              .service = SERVICE_ACTIVE};
                if (!run.naive.lines[line].flagged)
                    continue;
                naive_told(&run.naive.lines[line], &fact, in_ramp(line), run.rig->now);
                core_line_told(run.rig->core, 9, &fact, run.rig->now, &run.rig->out);
                settle();
            }
        }
        pass(round % 50 == 49 ? 1800000 : 1 + (int64_t)draw(2000));
        for (uint32_t w = 0; w < WORLD_WORKERS; w++)
            if (!run.world.workers[w].ready || run.world.workers[w].pools != (1u << NAIVE_POOLS) - 1) {
                world_ready(&run.world, w, run.rig);
                settle();
            }
        if (round % 20 == 0)
            tell_zone();
        poll();
        beats();
        answer_all();
        tick();
        world_begin_some(&run.world, run.rig, &run.naive);
        for (int i = 0; i < 8; i++)
            result();
        commit(run.step_count);
    }
    if (live_jobs() > 0) {
        naive_check_all(&run.naive, run.rig);
        for (int i = 0; i < NAIVE_JOBS; i++)
            if (run.naive.jobs[i].place != NAIVE_FREE)
                naive_refuse("job %llu never goes out: %s", (unsigned long long)run.naive.jobs[i].number,
                             reason_name(rig_view(run.rig, run.naive.jobs[i].number).reason));
    }
    run.world.good = false;
    naive_check_all(&run.naive, run.rig);
}

static void run_seed(uint64_t seed, uint64_t events)
{
    memset(&run, 0, sizeof run);
    run.seed = seed;
    world_init(&run.world, seed);
    struct rig_options options = {.conf = naive_conf,
                                  .seed = seed,
                                  .hold_commits = true,
                                  .recipient_of = world_recipient_of,
                                  .self = &run.world,
                                  .limits = {.jobs_max = 4096,
                                             .conversations_max = 256,
                                             .lines_max = 16,
                                             .leases_max = 64,
                                             .workers_max = 8,
                                             .pauses_max = 64,
                                             .names_max = 64,
                                             .remembered_max = 100000}};
    run.rig = rig_new(&options);
    run.grants.room = 2 * events + 200000;
    run.grants.list = calloc(run.grants.room, sizeof *run.grants.list);
    naive_restarted(&run.naive);
    settle();
    commit(1);
    for (run.at = 1; run.at <= events; run.at++) {
        event();
        const struct naive_job *job = any_job();
        if (job != NULL)
            naive_check_job(&run.naive, run.rig, job);
        if (run.at % 16 == 0)
            naive_check_all(&run.naive, run.rig);
    }
    drain();
    static const char *const alerts[ALERT_COUNT] = {
        [ALERT_KEY_REFUSED] = "keys refused", [ALERT_BREAKER_OPEN] = "breakers", [ALERT_LEASE_LAPSED] = "lapses",
        [ALERT_WORKER_GONE] = "workers gone", [ALERT_LINE_FLAGGED] = "flags",    [ALERT_LINE_GONE] = "lines gone"};
    printf("seed %llu: %llu events, %llu starts, %llu accepted, %zu leases", (unsigned long long)seed,
           (unsigned long long)events, (unsigned long long)run.rig->starts, (unsigned long long)run.naive.accepted,
           run.grants.count);
    for (enum job_state state = JOB_SENT; state < JOB_STATE_COUNT; state++)
        printf(", %llu %s", (unsigned long long)run.naive.ended[state], job_state_name(state));
    for (int alert = 0; alert < ALERT_COUNT; alert++)
        if (alerts[alert] != NULL)
            printf(", %llu %s", (unsigned long long)run.world.alerts[alert], alerts[alert]);
    printf("\n");
    rig_free(&run.rig);
    free(run.grants.list);
}

int main(int argc, char **argv)
{
    const char *seed = argc > 1 ? argv[1] : getenv("SEED");
    const char *events = argc > 2 ? argv[2] : getenv("EVENTS");
    uint64_t count = events != NULL ? strtoull(events, NULL, 10) : EVENTS;
    signal(SIGABRT, on_abort);
    if (seed != NULL) {
        run_seed(strtoull(seed, NULL, 10), count);
        return EXIT_SUCCESS;
    }
    for (uint64_t fixed = 1; fixed <= 3; fixed++)
        run_seed(fixed, count);
    return EXIT_SUCCESS;
}
