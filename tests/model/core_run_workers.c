/* core_run_workers.c — see core_run.h: workers that come, go and answer. */
#include "core_run.h"

void event_worker(void)
{
    uint32_t w = (uint32_t)run_draw(WORLD_WORKERS);
    struct world_worker *worker = &run.world.workers[w];
    switch (run_draw(12)) {
    case 0:
        run_note("worker %u dies", w);
        world_kill(&run.world, w);
        if (run_chance(50))
            core_worker_gone(run.rig->core, w + 1, run.rig->now, &run.rig->out);
        break;
    case 1:
        run_note("worker %u says BYE", w);
        core_worker_bye(run.rig->core, w + 1, run.rig->now, &run.rig->out);
        break;
    case 2:
        run_note("worker %u is not reached", w);
        core_worker_gone(run.rig->core, w + 1, run.rig->now, &run.rig->out);
        worker->ready = false;
        break;
    default:
        run_note("worker %u says READY", w);
        world_ready(&run.world, w, run.rig);
        break;
    }
    run_settle();
}

void event_beats(void)
{
    for (uint32_t w = 0; w < WORLD_WORKERS; w++)
        if (run.world.workers[w].instance != 0 && run.world.workers[w].ready && run_chance(95)) {
            if (core_worker_alive(run.rig->core, w + 1, run.rig->now, &run.rig->out))
                run.world.workers[w].beat_ms = run_now_ms();
            run_settle();
        }
}

static void flag_by_error(uint32_t at)
{
    struct naive_line *line = &run.naive.lines[at];
    line->flag_by_error = line->flagged ? line->flag_by_error : true;
    line->flagged = true;
    line->flagged_ms = run_now_ms();
}

void event_result(void)
{
    struct core_result result;
    struct held *held = world_answer(&run.world, run.rig, &result);
    if (held == NULL)
        return;
    struct naive_job *job = naive_job(&run.naive, held->number);
    bool current =
        job != NULL && job->place == NAIVE_LEASED && job->lease == held->lease && run_core_knows(held->worker);
    run_note("lease %llu of %llu: %s%s scope %s%s", (unsigned long long)held->lease, (unsigned long long)held->number,
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
    if (current && result.forget_chat && result.outcome == OUTCOME_RETRY)
        naive_chat_lost(&run.naive.conversations[conversation]);
    core_worker_result(run.rig->core, &result, run.rig->now, &run.rig->out);
    run_settle();
}
