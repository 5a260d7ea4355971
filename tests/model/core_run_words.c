/* core_run_words.c — see core_run.h: what the provider says of lines and conversations. */
#include "core_run.h"

void event_line(void)
{
    uint32_t line = (uint32_t)run_draw(NAIVE_LINES);
    struct core_line_fact fact = {.account = naive_account_of(naive_pool_of_line(line)),
                                  .number = RIG_LINE + line,
                                  .arrived_mono_ms = run.rig->now.mono_ms,
                                  .changed_at_ms = run_now_ms() - (run_chance(20) ? (int64_t)run_draw(20000) : 0),
                                  .event = ++run.world.events};
    fact.has_reputation = run_chance(80);
    fact.has_service = !fact.has_reputation || run_chance(40);
    fact.reputation = world_turn_line(&run.world, line);
    fact.service = run_chance(20) ? SERVICE_FLAGGED : run_chance(5) ? SERVICE_UNKNOWN : SERVICE_ACTIVE;
    if (run_chance(3))
        fact.changed_at_ms = 0;
    run_note("webhook line %u %s %s changed %lld", line, fact.has_reputation ? reputation_name(fact.reputation) : "-",
             fact.has_service ? service_name(fact.service) : "-", (long long)(fact.changed_at_ms - RIG_START_MS));
    naive_told(&run.naive.lines[line], &fact, run_in_ramp(line), run.rig->now);
    core_line_told(run.rig->core, 9, &fact, run.rig->now, &run.rig->out);
    run_settle();
    if (run_chance(15)) { /* once more, the same event */
        core_line_told(run.rig->core, 9, &fact, run.rig->now, &run.rig->out);
        run_settle();
    }
}

/* A number that the other account's list has, too, in which it is always well: that says nothing of our line. */
static void list_astray(uint32_t line, const struct core_poll *poll, const struct world_poll *begun)
{
    struct core_line_fact fact = {.account = poll->account,
                                  .number = RIG_LINE + line,
                                  .has_reputation = true,
                                  .reputation = REPUTATION_HEALTHY,
                                  .poll = poll->poll,
                                  .begun_mono_ms = begun->begun_mono_ms};
    if (rig_line(run.rig, line).number == 0)
        return;
    core_line_polled(run.rig->core, &fact, run.rig->now, &run.rig->out);
    run_settle();
}

void event_poll(void)
{
    uint32_t account = (uint32_t)run_draw(2);
    struct world_poll *poll = &run.world.polls[account];
    if (!poll->under_way) {
        run_note("poll of %u begins", account);
        world_begin_poll(&run.world, account, run.rig);
        return;
    }
    poll->under_way = false;
    struct core_poll end = {.account = account,
                            .poll = ++run.world.poll_numbers,
                            .begun_mono_ms = poll->begun_mono_ms,
                            .ok = run_chance(92),
                            .cached = run_chance(5)};
    run_note("poll of %u ends%s%s", account, end.ok ? "" : ", bad", end.cached ? ", cached" : "");
    bool missing[NAIVE_LINES] = {false};
    for (uint32_t line = 0; line < NAIVE_LINES && end.ok; line++) {
        if (naive_account_of(naive_pool_of_line(line)) != account) {
            list_astray(line, &end, poll);
            continue;
        }
        missing[line] = run_chance(10) && !run.world.good;
        if (missing[line])
            continue;
        struct core_line_fact fact = {.account = account,
                                      .number = RIG_LINE + line,
                                      .has_reputation = true,
                                      .reputation = poll->words[line],
                                      .poll = end.poll,
                                      .begun_mono_ms = poll->begun_mono_ms,
                                      .cached = end.cached};
        fact.has_service = run_chance(1);
        fact.service = SERVICE_FLAGGED;
        naive_polled(&run.naive.lines[line], &fact, run_in_ramp(line), 10000, run.rig->now);
        core_line_polled(run.rig->core, &fact, run.rig->now, &run.rig->out);
        run_settle();
    }
    end.key_refused = !end.ok && run_chance(10);
    if (end.ok || end.key_refused)
        run.naive.refused[account] = end.key_refused;
    core_poll_ended(run.rig->core, &end, run.rig->now, &run.rig->out);
    for (uint32_t line = 0; line < NAIVE_LINES; line++)
        if (missing[line] && rig_line(run.rig, line).number != 0)
            naive_missing(&run.naive.lines[line]);
    run_settle();
}

static struct conversation_view core_word_of(uint64_t conversation)
{
    struct conversation_view view = {.key = 0};
    core_conversation_view(run.rig->core, conversation, &view);
    return view;
}

/* The provider echoes what it took; signed for the other account, that says nothing of our job. */
static void echo(struct core_message_fact *fact, const struct naive_job *job)
{
    bool astray = run_chance(10);
    uint32_t account = naive_account_of(naive_pool_of(job->conversation));
    fact->what = run_chance(50) ? MESSAGE_SENT : MESSAGE_DELIVERED;
    fact->number = job->number;
    fact->account = astray ? 1 - account : account;
    if (!astray)
        run.asked.echoed = job->number;
    run_note("message.sent %llu%s", (unsigned long long)job->number, astray ? " astray" : "");
}

void event_message(void)
{
    uint64_t home = 0; /* what the fact's list points to */
    struct core_message_fact fact = {.token = 10, .event = ++run.world.events, .at_ms = run_now_ms()};
    const struct naive_job *job = run_any_job();
    if (run_chance(25)) {
        if (job == NULL || !world_provider_has(&run.world, job->number))
            return;
        echo(&fact, job);
    } else {
        bool waits = job != NULL && run_chance(70); /* what waits for an answer gets one, sooner or later */
        uint32_t conversation = waits ? job->conversation : (uint32_t)run_draw(NAIVE_CONVERSATIONS);
        home = naive_key(conversation);
        fact.what = MESSAGE_RECEIVED;
        fact.account = naive_account_of(naive_pool_of(conversation));
        fact.recipient = naive_recipient(conversation);
        fact.chat_hash = 900000 + conversation;
        fact.opt_out = run_chance(15);
        fact.at_ms -= run_chance(20) ? (int64_t)run_draw(120000) : 0;
        if (fact.recipient != 0) {
            fact.handle = naive_handle(conversation);
            fact.homes = &home;
            fact.home_count = 1;
        }
        fact.line = run.naive.conversations[conversation].home;
        struct conversation_view before = core_word_of(home);
        bool overtaken = fact.line != 0 && fact.at_ms < before.last_in_ms; /* they wrote again since */
        if (fact.opt_out && fact.recipient != 0 && !overtaken)
            naive_suppress(&run.naive, fact.recipient);
        fact.has_health = run_chance(40);
        fact.health = run_chance(60) ? CHAT_HEALTHY : (enum chat_health)run_draw(CHAT_HEALTH_COUNT);
        fact.health_at_ms = run_chance(30) ? 0 : run_now_ms() - (run_chance(40) ? (int64_t)run_draw(5000) : 0);
        struct naive_conversation *known = &run.naive.conversations[conversation];
        if (fact.has_health && known->chat_known)
            naive_chat_told(known, fact.health, fact.health_at_ms != 0 ? fact.health_at_ms : fact.at_ms);
        if (known->home != 0 && (known->chat_known || fact.recipient != 0))
            naive_answered(known, fact.opt_out, fact.at_ms, before.last_out_ms);
        run_note("message.received %u%s %s", conversation, fact.opt_out ? " STOP" : "",
                 fact.has_health ? chat_health_name(fact.health) : "");
    }
    core_message_told(run.rig->core, &fact, run.rig->now, &run.rig->out);
    run_settle();
}
