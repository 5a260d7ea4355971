/* core_move_test.c — conversations that leave their line: on purpose, because it cannot send, or by a drain; and the other
 * modes of a drain (DESIGN traps 2, 6, 11 and 12; promises P2, P4, P5). */
#include <string.h>

#include "broker/store/record.h"
#include "tests/unit/core_suite.h"

#define FREE_CONF  POLICY_CONF("cadence_ms: [], pace_per_min: 0, new_conversations_per_day: 0, attempts_max: 3")
#define MOVES_CONF                                                                                                   \
    POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 0, on_flagged: move, on_gone: move, flag_probe_ms: 60000")

static struct effect leased(void)
{
    rig_tick(rig);
    const struct effect *job = rig_told(rig, EFFECT_JOB, 0);
    ck_assert_ptr_nonnull(job);
    struct effect copy = *job;
    rig_forget(rig);
    return copy;
}

static uint64_t line_of(const struct effect *job)
{
    struct lease_view view;
    ck_assert(core_lease_view(rig->core, job->lease, &view));
    return view.line;
}

static enum code answered(void)
{
    const struct effect *answer = rig_told(rig, EFFECT_ANSWER, rig_count(rig, EFFECT_ANSWER) - 1);
    ck_assert_ptr_nonnull(answer);
    return answer->code;
}

static enum code move(uint64_t conversation, uint32_t line)
{
    core_move(rig->core, 90, conversation, RIG_LINE + line, rig->now, &rig->out);
    rig_keep(rig);
    return answered();
}

static enum code drain(uint32_t line, enum drain mode, int64_t pace)
{
    const struct core_drain ask = {
        .token = 91, .line = RIG_LINE + line, .mode = mode, .pace_per_min = pace, .by = "ops"};
    core_drain(rig->core, &ask, rig->now, &rig->out);
    rig_keep(rig);
    return answered();
}

/* A conversation that lives on line 0, with a chat there. */
static void live_on_0(uint64_t conversation)
{
    send_known(0, conversation, CLASS_REPLY);
    struct effect job = leased();
    ck_assert_uint_eq(line_of(&job), RIG_LINE);
    rig_sent(rig, &job);
    rig_forget(rig);
}

static void cordon_all_but(uint32_t line, bool on)
{
    for (uint32_t other = 0; other < 3; other++) {
        if (other == line)
            continue;
        core_cordon(rig->core, 0, RIG_LINE + other, on, rig->now, &rig->out);
        rig_keep(rig);
    }
}

/* A job of a conversation that is placed there by itself; none names the line. */
static struct effect leased_on(uint32_t line, uint64_t conversation)
{
    cordon_all_but(line, true);
    rig_send(rig, conversation, CLASS_REPLY);
    struct effect job = leased();
    ck_assert_uint_eq(line_of(&job), RIG_LINE + line);
    cordon_all_but(line, false);
    return job;
}

/* The same, and it was sent. */
static void placed_on_0(uint64_t conversation)
{
    struct effect job = leased_on(0, conversation);
    rig_sent(rig, &job);
    rig_forget(rig);
}

static void begin(const char *conf)
{
    begin_with(conf, 3);
    rig_worker(rig, 1, 8);
}

static void come_back(void)
{
    rig_restart(rig, 1000);
    rig_poll_all(rig, 3, REPUTATION_HEALTHY);
    rig_worker(rig, 2, 8);
}

static bool has_chat_record(uint64_t conversation)
{
    bool chat = false;
    for (size_t i = 0; i < rig->record_count; i++) {
        const struct rig_record *record = &rig->records[i];
        struct record_storage storage;
        struct change change;
        if (record->kind != CHANGE_CONVERSATION || record->key != conversation)
            continue;
        ck_assert(record_decode(record->kind, record->key, record->seq, rig->bytes + record->at, record->bytes,
                                &storage, &change));
        chat = change.conversation.chat_hash != 0 && !change.conversation.forgotten_chat;
    }
    return chat;
}

/* ---- one, on purpose ---- */

/* covers: call PUT /v1/conversations/{pool}/{to}/line */
START_TEST(a_moved_conversation_lives_on_the_other_line_without_its_chat_over_restarts)
{
    for (int restart = 0; restart < 2; restart++) {
        begin(FREE_CONF);
        placed_on_0(1);
        ck_assert(has_chat_record(1));
        ck_assert_int_eq(move(1, 1), CODE_NONE);
        ck_assert(!has_chat_record(1));
        if (restart == 1)
            come_back();
        unsigned used = rig_line(rig, 1).fresh_used;
        rig_send(rig, 1, CLASS_TRANSACTIONAL);
        struct effect job = leased();
        ck_assert_uint_eq(line_of(&job), RIG_LINE + 1);
        ck_assert_uint_eq(rig_line(rig, 1).fresh_used, used + 1); /* it is a new one there */
        rig_sent(rig, &job);
        come_back();
        rig_send(rig, 1, CLASS_TRANSACTIONAL);
        job = leased();
        ck_assert_uint_eq(line_of(&job), RIG_LINE + 1);
        ck_assert_uint_eq(rig_line(rig, 1).fresh_used, used + 1);
    }
}
END_TEST

START_TEST(a_moved_conversation_waits_for_its_new_line_as_any_that_names_it)
{
    begin(FREE_CONF);
    placed_on_0(1);
    rig_tell(rig, 1, REPUTATION_AT_RISK, rig->now.wall_ms);
    ck_assert_int_eq(move(1, 1), CODE_NONE);
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    rig_tick(rig);
    ck_job(number, JOB_QUEUED, REASON_LINE_AT_RISK);
    ck_assert_uint_eq(rig_view(rig, number).line, RIG_LINE + 1);
    ck_assert_int_eq(move(1, 2), CODE_NONE);
    struct effect job = leased();
    ck_assert_uint_eq(line_of(&job), RIG_LINE + 2);
}
END_TEST

START_TEST(what_is_under_way_unknown_pinned_or_elsewhere_does_not_move)
{
    begin(FREE_CONF);
    placed_on_0(1);
    rig_send(rig, 1, CLASS_TRANSACTIONAL);
    struct effect job = leased();
    ck_assert_int_eq(move(1, 1), CODE_BUSY);
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    result.unknown = true;
    result.retry_after_ms = 60000;
    rig_answer(rig, &result);
    ck_assert_int_eq(move(1, 1), CODE_OUTCOME_UNKNOWN);
    core_settle(rig->core, 9, job.number, true, (struct span){"{}", 2}, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_int_eq(move(1, 99), CODE_UNKNOWN_LINE);
    ck_assert_int_eq(move(77, 1), CODE_NOT_FOUND);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    struct core_enqueue pinned = rig_job(1, CLASS_REPLY);
    pinned.from_line = RIG_LINE;
    ck_assert_int_eq(rig_enqueue(rig, &pinned).code, CODE_NONE);
    ck_assert_int_eq(move(1, 1), CODE_LINE_CONFLICT);
    ck_assert_int_eq(move(1, 0), CODE_NONE); /* it is there */
}
END_TEST

START_TEST(a_conversation_that_waits_moves_with_all_its_jobs_in_their_order)
{
    begin(FREE_CONF);
    placed_on_0(1);
    rig_pause(rig, PAUSE_LINE, RIG_LINE, 0);
    uint64_t first = rig_send(rig, 1, CLASS_CAMPAIGN);
    uint64_t second = rig_send(rig, 1, CLASS_CAMPAIGN);
    uint64_t reply = rig_send(rig, 1, CLASS_REPLY);
    ck_assert_int_eq(move(1, 2), CODE_NONE);
    const uint64_t order[] = {reply, first, second};
    for (int i = 0; i < 3; i++) {
        struct effect job = leased();
        ck_assert_uint_eq(job.number, order[i]);
        ck_assert_uint_eq(line_of(&job), RIG_LINE + 2);
        rig_sent(rig, &job);
    }
    ck_assert_uint_eq(rig_line(rig, 0).backlog_held, 0);
    ck_assert_uint_eq(rig_line(rig, 2).backlog_queued, 0);
}
END_TEST

/* Found by the simulation: its end remembers when the conversation was written to last, which was on no line. */
START_TEST(a_conversation_that_a_drain_gave_back_moves_after_a_restart)
{
    begin_with(FREE_CONF, 2);
    rig_worker(rig, 1, 1);
    uint64_t first = rig_send(rig, 1, CLASS_REPLY);
    rig_send(rig, 1, CLASS_REPLY);
    struct effect job = leased();
    uint32_t from = (uint32_t)(line_of(&job) - RIG_LINE);
    struct core_result failed = rig_result(&job, OUTCOME_RETRY);
    core_worker_bye(rig->core, 1, rig->now, &rig->out);
    rig_answer(rig, &failed);
    ck_assert_int_eq(drain(from, DRAIN_REPLACE, 0), CODE_NONE);
    rig_tick(rig);
    ck_assert_uint_eq(rig_view(rig, first).line, 0);
    core_cancel(rig->core, 92, 0, first, rig->now, &rig->out);
    rig_keep(rig);
    rig_restart(rig, 100);
    ck_assert_int_eq(move(1, 1), CODE_NONE);
    rig_forget(rig);
    rig_poll_all(rig, 2, REPUTATION_HEALTHY);
    rig_worker(rig, 1, 1);
    job = leased();
    ck_assert_uint_eq(line_of(&job), RIG_LINE + 1);
}
END_TEST

/* ---- lines that cannot send ---- */

/* covers: key policies.on_flagged */
START_TEST(conversations_of_a_flagged_line_are_placed_anew_and_spend_a_new_conversation_there)
{
    begin(MOVES_CONF);
    placed_on_0(1);
    placed_on_0(2);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    uint64_t waiting = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    told_service(SERVICE_FLAGGED);
    rig_tick(rig);
    ck_assert_uint_eq(rig_view(rig, waiting).line, 0); /* it has left */
    ck_assert_uint_eq(rig_line(rig, 0).backlog_held, 0);
    come_back();
    rig_resume(rig, PAUSE_ALL, 0, 0);
    struct effect job = leased();
    ck_assert_uint_eq(job.number, waiting);
    ck_assert_uint_ne(line_of(&job), RIG_LINE);
    uint32_t line = (uint32_t)(line_of(&job) - RIG_LINE);
    ck_assert_uint_eq(rig_line(rig, line).fresh_used, 1);
    rig_sent(rig, &job);
    uint64_t later = rig_send(rig, 2, CLASS_TRANSACTIONAL); /* idle when the line was flagged */
    job = leased();
    ck_assert_uint_eq(job.number, later);
    ck_assert_uint_ne(line_of(&job), RIG_LINE);
    rig_sent(rig, &job);
    told_service(SERVICE_ACTIVE);
    come_back();
    rig_send(rig, 1, CLASS_TRANSACTIONAL);
    job = leased();
    ck_assert_uint_eq(line_of(&job), RIG_LINE + line); /* it lives there for good */
}
END_TEST

/* covers: reason budget_pair */
START_TEST(a_conversation_that_left_says_that_it_waits_for_the_pairs_minute)
{
    begin(POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 0, on_flagged: move, pair_per_min: 1"));
    placed_on_0(1);
    told_service(SERVICE_FLAGGED);
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    rig_tick(rig);
    ck_job(number, JOB_QUEUED, REASON_BUDGET_PAIR);
    rig_pass(rig, 65000);
    struct effect job = leased();
    ck_assert_uint_eq(job.number, number);
}
END_TEST

START_TEST(while_a_probe_waits_for_a_worker_nobody_is_woken)
{
    begin(MOVES_CONF);
    placed_on_0(1);
    placed_on_0(2);
    rig_send(rig, 1, CLASS_TRANSACTIONAL);
    struct effect job = leased();
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    result.http_status = 403;
    result.scope = SCOPE_LINE;
    result.line_flagged = true;
    core_cordon(rig->core, 0, RIG_LINE + 1, true, rig->now, &rig->out);
    rig_keep(rig);
    core_cordon(rig->core, 0, RIG_LINE + 2, true, rig->now, &rig->out);
    rig_keep(rig);
    rig_answer(rig, &result);
    rig_pass(rig, 61000);
    rig_poll_all(rig, 3, REPUTATION_HEALTHY);
    rig_send(rig, 2, CLASS_TRANSACTIONAL);
    job = leased();
    ck_assert_uint_eq(line_of(&job), RIG_LINE);
    core_worker_bye(rig->core, job.peer, rig->now, &rig->out);
    rig_keep(rig);
    result = rig_result(&job, OUTCOME_RETURNED);
    rig_answer(rig, &result);
    rig_pass(rig, 5);
    ck_assert_int_gt(core_next_mono_ms(rig->core, rig->now), rig->now.mono_ms + 10);
}
END_TEST

START_TEST(a_paused_line_keeps_its_conversations_and_lets_them_go_when_it_is_resumed)
{
    begin(MOVES_CONF);
    placed_on_0(1);
    rig_pause(rig, PAUSE_LINE, RIG_LINE, 0);
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    told_service(SERVICE_FLAGGED);
    rig_pass(rig, 1000);
    ck_job(number, JOB_QUEUED, REASON_LINE_PAUSED);
    rig_forget(rig);
    rig_resume(rig, PAUSE_LINE, RIG_LINE, 0);
    rig_pass(rig, 10);
    struct effect job = leased();
    ck_assert_uint_eq(job.number, number);
    ck_assert_uint_ne(line_of(&job), RIG_LINE);
}
END_TEST

START_TEST(without_the_policy_nothing_moves)
{
    begin(FREE_CONF);
    placed_on_0(1);
    told_service(SERVICE_FLAGGED);
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    rig_pass(rig, 60000);
    ck_job(number, JOB_QUEUED, REASON_LINE_FLAGGED);
    ck_assert_uint_eq(rig_view(rig, number).line, RIG_LINE);
}
END_TEST

START_TEST(an_unknown_outcome_a_pinned_job_and_a_critical_chat_stay)
{
    begin(MOVES_CONF);
    placed_on_0(1);
    placed_on_0(2);
    uint64_t unknown = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    struct effect job = leased();
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    result.unknown = true;
    result.retry_after_ms = 1000;
    rig_answer(rig, &result);
    struct core_enqueue ask = rig_job(2, CLASS_REPLY);
    ask.from_line = RIG_LINE;
    told_service(SERVICE_FLAGGED);
    uint64_t pinned = rig_enqueue(rig, &ask).number;
    rig_pass(rig, 5000);
    ck_job(unknown, JOB_QUEUED, REASON_OUTCOME_UNKNOWN);
    ck_assert_uint_eq(rig_view(rig, unknown).line, RIG_LINE);
    ck_job(pinned, JOB_QUEUED, REASON_LINE_FLAGGED);
    core_settle(rig->core, 9, unknown, false, (struct span){"{}", 2}, rig->now, &rig->out);
    rig_keep(rig);
    rig_forget(rig);
    job = leased(); /* settled as unsent: now it may leave */
    ck_assert_uint_eq(job.number, unknown);
    ck_assert_uint_ne(line_of(&job), RIG_LINE);
}
END_TEST

START_TEST(a_try_that_comes_back_from_a_flagged_line_leaves_it_with_its_key)
{
    begin(MOVES_CONF);
    placed_on_0(1);
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    struct effect job = leased();
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    result.http_status = 403;
    result.scope = SCOPE_LINE;
    result.line_flagged = true;
    rig_answer(rig, &result);
    job = leased();
    ck_assert_uint_eq(job.number, number);
    ck_assert_uint_ne(line_of(&job), RIG_LINE);
    uint64_t there = line_of(&job);
    result = rig_result(&job, OUTCOME_RETRY); /* and there nobody knows: it stays there, over a restart too */
    result.unknown = true;
    result.retry_after_ms = 1000;
    rig_answer(rig, &result);
    come_back();
    rig_pass(rig, 5000);
    job = leased();
    ck_assert_uint_eq(job.number, number);
    ck_assert_uint_eq(line_of(&job), there);
}
END_TEST

/* A conversation that has left line 0, where its chat was, and has something to send. */
static void left_line_0(uint64_t conversation)
{
    placed_on_0(conversation);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    rig_send(rig, conversation, CLASS_TRANSACTIONAL);
    told_service(SERVICE_FLAGGED);
    rig_tick(rig);
    ck_assert(has_chat_record(conversation));
}

/* A job that line 1 refused. */
static struct core_requeue refused_on_1(uint64_t conversation)
{
    struct effect job = leased_on(1, conversation);
    struct core_result result = rig_result(&job, OUTCOME_REJECTED);
    rig_answer(rig, &result);
    rig_forget(rig);
    return (struct core_requeue){.number = job.number,
                                 .mark = core_requeue_mark(rig->core),
                                 .attempts = 1,
                                 .line = RIG_LINE + 1,
                                 .accepted_at_ms = RIG_START_MS,
                                 .job = rig_job(conversation, CLASS_REPLY)};
}

/* Nothing but the job that names a line says after a restart that the conversation had left the one where it was tried. */
START_TEST(a_conversation_that_left_after_a_vain_try_goes_where_its_job_names_after_a_restart)
{
    begin(FREE_CONF);
    struct effect job = leased_on(0, 1);
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    result.retry_after_ms = 1000;
    rig_answer(rig, &result);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    ck_assert_int_eq(drain(0, DRAIN_REPLACE, 0), CODE_NONE);
    rig_pass(rig, 2000);
    ck_assert_uint_eq(rig_view(rig, job.number).line, 0); /* it has left */
    struct core_enqueue named = rig_job(1, CLASS_REPLY);
    named.from_line = RIG_LINE + 1;
    struct effect taken = rig_enqueue(rig, &named);
    ck_assert_int_eq(taken.code, CODE_NONE);
    come_back();
    ck_assert_uint_eq(rig_view(rig, taken.number).line, RIG_LINE + 1);
    rig_resume(rig, PAUSE_ALL, 0, 0);
    struct effect first = leased();
    ck_assert_uint_eq(first.number, job.number);
    ck_assert_uint_eq(line_of(&first), RIG_LINE + 1);
}
END_TEST

/* covers: call POST /v1/dead/{id}/requeue */
START_TEST(a_requeued_job_takes_no_chat_of_a_line_that_its_conversation_left)
{
    for (int doubtful = 0; doubtful < 2; doubtful++) {
        begin(MOVES_CONF);
        struct core_requeue letter = refused_on_1(1);
        letter.doubtful = doubtful != 0;
        left_line_0(1);
        ck_assert_int_eq(core_requeue(rig->core, &letter, false, rig->now, &rig->out), CODE_NONE);
        rig_keep(rig);
        rig_resume(rig, PAUSE_ALL, 0, 0);
        struct effect job = leased();
        ck_assert_uint_ne(line_of(&job), RIG_LINE);
        ck_assert(doubtful == 0 || line_of(&job) == RIG_LINE + 1); /* promise P4 */
        ck_assert(!has_chat_record(1));
    }
}
END_TEST

/* Its record still says line 0. Found by the simulation, seed 73 of its day. */
START_TEST(a_conversation_that_left_and_is_pinned_elsewhere_stays_pinned_there_over_a_restart)
{
    begin(MOVES_CONF);
    left_line_0(1);
    struct core_enqueue pinned = rig_job(1, CLASS_REPLY);
    pinned.from_line = RIG_LINE + 1;
    uint64_t number = rig_enqueue(rig, &pinned).number;
    ck_assert_uint_eq(rig_view(rig, number).line, RIG_LINE + 1);
    rig_restart(rig, 1000);
    ck_assert_uint_eq(rig_view(rig, number).line, RIG_LINE + 1);
}
END_TEST

static void chat_is(uint64_t chat_hash, enum chat_health health)
{
    struct core_message_fact fact = {.token = 3,
                                     .event = ++rig->polls + 5000,
                                     .chat_hash = chat_hash,
                                     .line = RIG_LINE,
                                     .has_health = true,
                                     .health = health};
    fact.what = MESSAGE_CHAT;
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
    rig_forget(rig);
}

/* Its chat is on line 0 still, and what is said of it counts. Found by the simulation, seed 39132. */
START_TEST(a_conversation_that_left_and_is_pinned_elsewhere_hears_of_its_chat)
{
    begin(MOVES_CONF);
    struct effect job = leased_on(0, 1);
    rig_sent(rig, &job); /* in the chat that the rig makes of the number */
    rig_forget(rig);
    told_service(SERVICE_FLAGGED);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    rig_send(rig, 1, CLASS_TRANSACTIONAL);
    rig_tick(rig);
    chat_is(job.number * 31 + 7, CHAT_CRITICAL);
    struct core_enqueue pinned = rig_job(1, CLASS_REPLY);
    pinned.from_line = RIG_LINE + 1;
    uint64_t number = rig_enqueue(rig, &pinned).number;
    rig_resume(rig, PAUSE_ALL, 0, 0);
    rig_tick(rig);
    ck_job(number, JOB_QUEUED, REASON_CONVERSATION_CRITICAL);
    rig->now.wall_ms += 2000;
    chat_is(job.number * 31 + 7, CHAT_HEALTHY);
    struct effect next = leased();
    ck_assert_uint_eq(next.number, number);
    ck_assert_uint_eq(line_of(&next), RIG_LINE + 1);
}
END_TEST

START_TEST(a_conversation_that_left_and_is_taken_over_elsewhere_takes_no_chat_along)
{
    begin(MOVES_CONF);
    left_line_0(1);
    struct core_adopt adopt = {.token = 81,
                               .conversation = 1,
                               .pool = 0,
                               .line = RIG_LINE + 1,
                               .recipients = {"[\"+14155550101\"]", 16}};
    core_adopt(rig->core, &adopt, false, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert(!has_chat_record(1));
    rig_resume(rig, PAUSE_ALL, 0, 0);
    struct effect job = leased();
    ck_assert_uint_eq(line_of(&job), RIG_LINE + 1);
    ck_assert(!has_chat_record(1));
}
END_TEST

START_TEST(a_lease_that_never_began_on_the_new_line_gives_its_budget_back_and_is_placed_again)
{
    begin(MOVES_CONF);
    placed_on_0(1);
    told_service(SERVICE_FLAGGED);
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    struct effect job = leased();
    uint32_t line = (uint32_t)(line_of(&job) - RIG_LINE);
    struct core_result result = rig_result(&job, OUTCOME_RETURNED);
    rig_answer(rig, &result);
    ck_assert_uint_eq(rig_line(rig, line).fresh_used, 0);
    ck_assert_uint_eq(rig_view(rig, number).attempts, 0);
    job = leased();
    ck_assert_uint_eq(job.number, number);
    ck_assert_uint_eq(rig_line(rig, (uint32_t)(line_of(&job) - RIG_LINE)).fresh_used, 1);
}
END_TEST

/* covers: key policies.on_gone */
START_TEST(conversations_of_a_line_that_is_gone_are_placed_anew)
{
    begin(MOVES_CONF);
    placed_on_0(1);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    for (int poll = 0; poll < 2; poll++) { /* two good polls without line 0 */
        rig_pass(rig, 30000);
        for (uint32_t l = 1; l < 3; l++) {
            struct core_line_fact fact = {.number = RIG_LINE + l, .has_reputation = true,
                                          .reputation = REPUTATION_HEALTHY, .poll = 1000 + (uint64_t)poll,
                                          .begun_mono_ms = rig->now.mono_ms};
            core_line_polled(rig->core, &fact, rig->now, &rig->out);
            rig_keep(rig);
        }
        struct core_poll end = {.poll = 1000 + (uint64_t)poll, .begun_mono_ms = rig->now.mono_ms, .ok = true};
        core_poll_ended(rig->core, &end, rig->now, &rig->out);
        rig_keep(rig);
    }
    ck_gate(0, GATE_CLOSED, REASON_LINE_GONE);
    rig_resume(rig, PAUSE_ALL, 0, 0);
    struct effect job = leased();
    ck_assert_uint_eq(job.number, number);
    ck_assert_uint_ne(line_of(&job), RIG_LINE);
}
END_TEST

START_TEST(a_late_word_that_the_old_line_sent_it_ends_the_job_and_moves_nothing)
{
    begin(MOVES_CONF);
    placed_on_0(1);
    uint64_t number = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    struct effect job = leased();
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    result.http_status = 403;
    result.scope = SCOPE_LINE;
    result.line_flagged = true;
    rig_pause(rig, PAUSE_POOL, 0, 0);
    rig_answer(rig, &result);
    rig_pass(rig, 10);
    ck_assert_uint_eq(rig_view(rig, number).line, 0);
    struct core_message_fact fact = {.what = MESSAGE_SENT, .number = number, .event = 4711};
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_int_eq(rig_view(rig, number).state, JOB_NONE);
}
END_TEST

START_TEST(the_probe_of_a_flag_set_by_an_error_goes_before_the_conversation_leaves)
{
    begin(MOVES_CONF);
    placed_on_0(1);
    placed_on_0(2);
    rig_send(rig, 1, CLASS_TRANSACTIONAL);
    struct effect job = leased();
    struct core_result result = rig_result(&job, OUTCOME_REJECTED);
    result.http_status = 403;
    core_worker_result(rig->core, &result, rig->now, &rig->out);
    rig_keep(rig);
    rig_send(rig, 1, CLASS_TRANSACTIONAL);
    job = leased();
    result = rig_result(&job, OUTCOME_RETRY);
    result.scope = SCOPE_LINE;
    result.line_flagged = true;
    rig_answer(rig, &result);
    job = leased();
    ck_assert_uint_ne(line_of(&job), RIG_LINE);
    rig_sent(rig, &job);
    rig_forget(rig);
    rig_pass(rig, 60000);
    uint64_t probe = rig_send(rig, 2, CLASS_TRANSACTIONAL); /* lives there still, for it had nothing to send */
    job = leased();
    ck_assert_uint_eq(job.number, probe);
    ck_assert_uint_eq(line_of(&job), RIG_LINE);
    rig_sent(rig, &job);
    ck_gate(0, GATE_SLOW, REASON_RAMP);
}
END_TEST

START_TEST(a_line_with_many_conversations_lets_them_go_in_slices)
{
    enum { MANY = 20000 };
    begin(MOVES_CONF);
    for (uint64_t i = 0; i < MANY; i++) {
        struct core_adopt adopt = {.conversation = 5000 + i, .line = RIG_LINE, .chat_hash = 90000 + i};
        core_adopt(rig->core, &adopt, false, rig->now, &rig->out);
        rig_keep(rig);
    }
    rig_forget(rig);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    for (uint64_t i = 0; i < MANY; i++)
        rig_send(rig, 5000 + i, CLASS_CAMPAIGN);
    rig_forget(rig);
    told_service(SERVICE_FLAGGED);
    uint32_t before = rig_line(rig, 0).backlog_held;
    core_tick(rig->core, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_uint_gt(rig_line(rig, 0).backlog_held, 0); /* not all at once ... */
    ck_assert_uint_lt(rig_line(rig, 0).backlog_held, before);
    rig_pass(rig, 100);
    ck_assert_uint_eq(rig_line(rig, 0).backlog_held, 0); /* ... but all */
}
END_TEST

/* ---- drains ---- */

/* covers: call POST /v1/lines/{line}/drain, DELETE /v1/lines/{line}/drain */
START_TEST(a_drain_by_ramp_caps_the_pace_until_the_backlog_is_gone)
{
    begin(FREE_CONF);
    rig_pause(rig, PAUSE_LINE, RIG_LINE, 0);
    for (uint64_t i = 1; i <= 5; i++)
        send_known(0, i, CLASS_TRANSACTIONAL);
    ck_assert_int_eq(drain(0, DRAIN_RAMP, 60), CODE_NONE);
    rig_resume(rig, PAUSE_LINE, RIG_LINE, 0);
    ck_assert(rig_line(rig, 0).pace_per_min == 60);
    rig_restart(rig, 1000);
    rig_poll_all(rig, 3, REPUTATION_HEALTHY);
    ck_assert(rig_line(rig, 0).pace_per_min == 60);
    rig_worker(rig, 2, 8);
    int64_t begun_ms = rig->now.mono_ms;
    for (int done = 0; done < 5;) {
        rig_pass(rig, 50);
        const struct effect *job = rig_told(rig, EFFECT_JOB, 0);
        if (job == NULL)
            continue;
        rig_sent(rig, job);
        rig_forget(rig);
        done++;
    }
    ck_assert_int_ge(rig->now.mono_ms - begun_ms, 4000);
    rig_pass(rig, 10);
    ck_assert(rig_line(rig, 0).pace_per_min == -1); /* over: the policy's */
    ck_assert_int_eq(drain(0, DRAIN_NONE, 0), CODE_NOT_FOUND);
}
END_TEST

START_TEST(a_drain_by_fail_ends_what_waits_now_as_dead_letters_and_nothing_else)
{
    begin(FREE_CONF);
    live_on_0(9);
    uint64_t unknown = send_known(0, 8, CLASS_REPLY);
    struct effect job = leased();
    struct core_result result = rig_result(&job, OUTCOME_RETRY);
    result.unknown = true;
    result.retry_after_ms = 600000;
    rig_answer(rig, &result);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    uint64_t numbers[3];
    for (uint64_t i = 0; i < 3; i++)
        numbers[i] = send_known(0, 9, CLASS_CAMPAIGN);
    uint64_t other = send_known(1, 10, CLASS_CAMPAIGN);
    struct drain_count count = {0};
    uint32_t cursor = 0;
    while (core_drain_look(rig->core, 0, DRAIN_FAIL, &cursor, 2, &count))
        ;
    ck_assert_uint_eq(count.jobs, 3);
    ck_assert_uint_eq(count.stay, 1);
    ck_assert_uint_eq(count.by_class[CLASS_CAMPAIGN], 3);
    ck_assert_uint_eq(count.stays[DRAIN_STAY_OUTCOME_UNKNOWN], 1);
    ck_assert_int_eq(drain(0, DRAIN_FAIL, 0), CODE_NONE);
    uint64_t later = send_known(0, 9, CLASS_CAMPAIGN);
    rig_pass(rig, 10);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(rig_view(rig, numbers[i]).state, JOB_NONE);
    ck_assert_int_eq(rig_view(rig, unknown).state, JOB_QUEUED);
    ck_assert_int_eq(rig_view(rig, other).state, JOB_QUEUED);
    ck_assert_int_eq(rig_view(rig, later).state, JOB_QUEUED);
    ck_assert_int_eq(rig_line(rig, 0).orders->drain, DRAIN_NONE);
    ck_assert_uint_eq(rig_line(rig, 0).orders->drain_jobs, 3);
}
END_TEST

START_TEST(a_drain_by_replace_gives_back_what_never_began)
{
    begin(FREE_CONF);
    live_on_0(9);
    core_cordon(rig->core, 0, RIG_LINE + 1, true, rig->now, &rig->out);
    core_cordon(rig->core, 0, RIG_LINE + 2, true, rig->now, &rig->out);
    rig_keep(rig);
    rig_forget(rig);
    uint64_t unbegun = rig_send(rig, 1, CLASS_REPLY);
    struct effect job = leased();
    struct core_result result = rig_result(&job, OUTCOME_RETRY); /* surely nothing was made: it waits on the line */
    result.retry_after_ms = 5000;
    rig_answer(rig, &result);
    ck_assert_uint_eq(rig_view(rig, unbegun).line, RIG_LINE);
    told(REPUTATION_CRITICAL);
    uint64_t known = send_known(0, 9, CLASS_REPLY);
    core_cordon(rig->core, 0, RIG_LINE + 1, false, rig->now, &rig->out);
    rig_keep(rig);
    rig_forget(rig);
    ck_assert_int_eq(drain(0, DRAIN_REPLACE, 0), CODE_NONE);
    rig_pass(rig, 10);
    ck_assert_uint_eq(rig_view(rig, unbegun).line, 0);
    ck_job(known, JOB_QUEUED, REASON_LINE_CRITICAL);
    rig_pass(rig, 5000);
    job = leased();
    ck_assert_uint_eq(job.number, unbegun);
    ck_assert_uint_eq(line_of(&job), RIG_LINE + 1);
}
END_TEST

START_TEST(a_drain_by_move_goes_on_over_restarts_until_it_is_stopped)
{
    begin(FREE_CONF);
    placed_on_0(1);
    placed_on_0(2);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    uint64_t first = rig_send(rig, 1, CLASS_TRANSACTIONAL);
    ck_assert_int_eq(drain(0, DRAIN_MOVE, 0), CODE_NONE);
    rig_pass(rig, 10);
    ck_assert_uint_eq(rig_view(rig, first).line, 0);
    ck_assert_uint_eq(rig_line(rig, 0).orders->drain_conversations, 1);
    come_back();
    rig_resume(rig, PAUSE_ALL, 0, 0);
    struct effect job = leased();
    ck_assert_uint_ne(line_of(&job), RIG_LINE);
    rig_sent(rig, &job);
    ck_assert_int_eq(drain(0, DRAIN_NONE, 0), CODE_NONE);
    rig_forget(rig);
    uint64_t second = rig_send(rig, 2, CLASS_TRANSACTIONAL);
    job = leased();
    ck_assert_uint_eq(job.number, second);
    ck_assert_uint_eq(line_of(&job), RIG_LINE); /* stopped: who had nothing to send lives there still */
}
END_TEST

/* What lets its conversations go says of a new job of theirs what it would say of a new conversation. */
START_TEST(a_job_that_would_rather_fail_is_judged_where_its_conversation_would_go)
{
    begin(MOVES_CONF);
    placed_on_0(1);
    struct core_enqueue job = rig_job(1, CLASS_TRANSACTIONAL);
    job.fail_if_held = true;
    ck_assert_int_eq(drain(0, DRAIN_MOVE, 0), CODE_NONE);
    cordon_all_but(0, true);
    ck_assert_int_eq(rig_enqueue(rig, &job).code, CODE_HELD); /* line 0 is open, and no other one takes it */
    cordon_all_but(0, false);
    told_service(SERVICE_FLAGGED);
    ck_assert_int_eq(rig_enqueue(rig, &job).code, CODE_NONE); /* line 0 is closed, and others take it */
    struct effect lease = leased();
    ck_assert_uint_ne(line_of(&lease), RIG_LINE);
}
END_TEST

START_TEST(a_dry_run_counts_what_the_drain_then_does)
{
    begin(FREE_CONF);
    placed_on_0(1);
    placed_on_0(2);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    for (int i = 0; i < 3; i++)
        rig_send(rig, 1, CLASS_TRANSACTIONAL);
    struct core_enqueue pinned = rig_job(2, CLASS_REPLY);
    pinned.from_line = RIG_LINE;
    rig_enqueue(rig, &pinned);
    struct drain_count count = {0};
    uint32_t cursor = 0;
    while (core_drain_look(rig->core, 0, DRAIN_MOVE, &cursor, 1, &count))
        ;
    ck_assert_uint_eq(count.jobs, 3);
    ck_assert_uint_eq(count.conversations, 1);
    ck_assert_uint_eq(count.stay, 1);
    uint32_t held = rig_line(rig, 0).backlog_held;
    ck_assert_int_eq(drain(0, DRAIN_MOVE, 0), CODE_NONE);
    rig_pass(rig, 10);
    ck_assert_uint_eq(rig_line(rig, 0).backlog_held, held - 3);
    int64_t left = 0;
    ck_assert(!core_line_room(rig->core, 0, rig->now, &left)); /* nothing comes back to it */
    ck_assert(core_line_room(rig->core, 1, rig->now, &left));
    ck_assert_int_eq(left, -1);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_moved_conversation_lives_on_the_other_line_without_its_chat_over_restarts,
        a_moved_conversation_waits_for_its_new_line_as_any_that_names_it,
        what_is_under_way_unknown_pinned_or_elsewhere_does_not_move,
        a_conversation_that_waits_moves_with_all_its_jobs_in_their_order,
        a_conversation_that_a_drain_gave_back_moves_after_a_restart,
        conversations_of_a_flagged_line_are_placed_anew_and_spend_a_new_conversation_there,
        a_conversation_that_left_says_that_it_waits_for_the_pairs_minute,
        while_a_probe_waits_for_a_worker_nobody_is_woken,
        a_paused_line_keeps_its_conversations_and_lets_them_go_when_it_is_resumed,
        without_the_policy_nothing_moves,
        an_unknown_outcome_a_pinned_job_and_a_critical_chat_stay,
        a_try_that_comes_back_from_a_flagged_line_leaves_it_with_its_key,
        a_conversation_that_left_after_a_vain_try_goes_where_its_job_names_after_a_restart,
        a_requeued_job_takes_no_chat_of_a_line_that_its_conversation_left,
        a_conversation_that_left_and_is_pinned_elsewhere_stays_pinned_there_over_a_restart,
        a_conversation_that_left_and_is_pinned_elsewhere_hears_of_its_chat,
        a_conversation_that_left_and_is_taken_over_elsewhere_takes_no_chat_along,
        a_lease_that_never_began_on_the_new_line_gives_its_budget_back_and_is_placed_again,
        conversations_of_a_line_that_is_gone_are_placed_anew,
        a_late_word_that_the_old_line_sent_it_ends_the_job_and_moves_nothing,
        the_probe_of_a_flag_set_by_an_error_goes_before_the_conversation_leaves,
        a_line_with_many_conversations_lets_them_go_in_slices,
        a_drain_by_ramp_caps_the_pace_until_the_backlog_is_gone,
        a_drain_by_fail_ends_what_waits_now_as_dead_letters_and_nothing_else,
        a_drain_by_replace_gives_back_what_never_began,
        a_drain_by_move_goes_on_over_restarts_until_it_is_stopped,
        a_job_that_would_rather_fail_is_judged_where_its_conversation_would_go,
        a_dry_run_counts_what_the_drain_then_does,
    };
    return run_suite("core_move", tests, sizeof tests / sizeof *tests);
}
