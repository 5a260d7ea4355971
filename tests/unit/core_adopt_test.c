/* core_adopt_test.c — conversations that existed before Lineward did: they live where they lived, cost no budget, and
 * what is known of them already stands. */
#include "tests/unit/core_suite.h"

#define CHAT(conversation) ((conversation)*2 + 1)

static struct core_adopt adoption(uint64_t conversation, uint32_t line)
{
    return (struct core_adopt){.token = 81,
                               .index = 5,
                               .conversation = conversation,
                               .line = RIG_LINE + line,
                               .chat_hash = CHAT(conversation),
                               .recipients = {"[\"+14155550101\"]", 16},
                               .chat_id = {"\"chat\"", 6}};
}

static struct effect adopt_so(const struct core_adopt *adopt, bool store_full)
{
    core_adopt(rig->core, adopt, store_full, rig->now, &rig->out);
    struct effect answer = rig->out.effects[rig->out.effect_count - 1];
    ck_assert_int_eq(answer.kind, EFFECT_ADOPTED);
    ck_assert_uint_eq(answer.token, 81);
    ck_assert_uint_eq(answer.index, 5);
    for (size_t i = 0; i < rig->out.change_count; i++) { /* recipients come with it: there may be no job to copy from */
        const struct change *change = &rig->out.changes[i];
        if (change->kind != CHANGE_CONVERSATION)
            continue;
        ck_assert_ptr_eq(change->sections[SECTION_RECIPIENTS].data, adopt->recipients.data);
        ck_assert_ptr_eq(change->sections[SECTION_RESULT].data, adopt->chat_id.data);
        ck_assert_uint_eq(change->copy_mask, 0);
    }
    rig_keep(rig);
    return answer;
}

static struct effect adopt(uint64_t conversation, uint32_t line)
{
    struct core_adopt adopt = adoption(conversation, line);
    return adopt_so(&adopt, false);
}

static struct conversation_view view_of(uint64_t conversation)
{
    struct conversation_view view = {0};
    ck_assert(core_conversation_view(rig->core, conversation, &view));
    return view;
}

static size_t records(void)
{
    return rig_records(rig, CHANGE_CONVERSATION, 0, 0);
}

#define ck_adopted(answer, expected_code, expected_field)                                                            \
    do {                                                                                                             \
        struct effect ck_answer = (answer);                                                                          \
        ck_assert_str_eq(code_name(ck_answer.code), code_name(expected_code));                                       \
        ck_assert_pstr_eq(ck_answer.field, expected_field);                                                          \
    } while (0)

START_TEST(an_adopted_conversation_is_sent_on_its_line_and_opens_nothing)
{
    begin_with(NULL, 3);
    struct effect answer = adopt(7, 2);
    ck_adopted(answer, CODE_NONE, NULL);
    ck_assert(!answer.duplicate);
    ck_assert_uint_eq(answer.line, RIG_LINE + 2);
    rig_worker(rig, 1, 4);
    uint64_t number = rig_send(rig, 7, CLASS_CAMPAIGN);
    rig_pass(rig, 1);
    ck_job(number, JOB_LEASED, REASON_NONE);
    ck_assert_uint_eq(rig_view(rig, number).line, RIG_LINE + 2);
    ck_assert_uint_eq(rig_line(rig, 2).fresh_used, 0);
    ck_assert_uint_eq(rig_line(rig, 2).messages_used, 1);
    struct lease_view lease;
    ck_assert(core_lease_view(rig->core, rig_told(rig, EFFECT_JOB, 0)->lease, &lease));
    ck_assert_uint_ne(lease.conversation_place, UINT64_MAX); /* where its chat id is written */
}
END_TEST

START_TEST(it_goes_where_no_new_conversation_would)
{
    begin_with(POLICY_CONF("new_conversations_per_day: 1"), 1);
    told(REPUTATION_AT_RISK);
    ck_adopted(adopt(7, 0), CODE_NONE, NULL);
    rig_worker(rig, 1, 4);
    uint64_t known = rig_send(rig, 7, CLASS_REPLY);
    uint64_t fresh = rig_send(rig, 8, CLASS_REPLY);
    rig_pass(rig, 1);
    ck_job(known, JOB_LEASED, REASON_NONE);
    ck_job(fresh, JOB_QUEUED, REASON_NO_HEALTHY_LINE);
}
END_TEST

START_TEST(a_link_may_stand_in_its_first_message)
{
    ck_adopted(adopt(7, 0), CODE_NONE, NULL);
    struct core_enqueue job = rig_job(7, CLASS_REPLY);
    job.has_link = true;
    ck_assert_int_eq(rig_enqueue(rig, &job).code, CODE_NONE);
}
END_TEST

START_TEST(to_adopt_again_changes_nothing)
{
    begin_with(NULL, 3);
    adopt(7, 2);
    size_t before = records();
    struct effect again = adopt(7, 2);
    ck_adopted(again, CODE_NONE, NULL);
    ck_assert(again.duplicate);
    ck_assert_uint_eq(again.line, RIG_LINE + 2);
    struct core_adopt without_chat = adoption(7, 2);
    without_chat.chat_hash = 0;
    without_chat.chat_id = (struct span){0};
    ck_assert(adopt_so(&without_chat, true).duplicate); /* not even a full disk matters */
    ck_assert_uint_eq(records(), before);
}
END_TEST

START_TEST(one_that_lives_elsewhere_stays_there)
{
    begin_with(NULL, 3);
    adopt(7, 2);
    size_t before = records();
    struct effect answer = adopt(7, 1);
    ck_adopted(answer, CODE_LINE_CONFLICT, "line");
    ck_assert_uint_eq(answer.line, RIG_LINE + 2);
    struct core_adopt other_chat = adoption(7, 2);
    other_chat.chat_hash = 555;
    ck_adopted(adopt_so(&other_chat, false), CODE_LINE_CONFLICT, "chat_id");
    ck_assert_uint_eq(records(), before);
    ck_assert_uint_eq(view_of(7).line, RIG_LINE + 2);
}
END_TEST

START_TEST(one_that_was_begun_here_stays_here)
{
    begin_with(NULL, 3);
    rig_worker(rig, 1, 1);
    uint64_t number = rig_send(rig, 7, CLASS_REPLY);
    rig_pass(rig, 1);
    uint32_t line = (uint32_t)(rig_view(rig, number).line - RIG_LINE);
    ck_adopted(adopt(7, (line + 1) % 3), CODE_LINE_CONFLICT, "line");
    ck_adopted(adopt(7, line), CODE_NONE, NULL);
    /* The try that opened it comes back unsent: it lives there all the same. */
    struct core_result back = rig_result(rig_told(rig, EFFECT_JOB, 0), OUTCOME_RETURNED);
    rig_answer(rig, &back);
    ck_assert_uint_eq(view_of(7).line, RIG_LINE + line);
    ck_assert(view_of(7).placed);
}
END_TEST

START_TEST(jobs_that_waited_for_any_line_wait_for_its_own)
{
    begin_with(NULL, 3);
    uint64_t first = rig_send(rig, 7, CLASS_CAMPAIGN);
    uint64_t second = rig_send(rig, 7, CLASS_CAMPAIGN);
    struct pool_view pool;
    ck_assert(core_pool_view(rig->core, 0, &pool));
    ck_assert_uint_eq(pool.unplaced, 2);
    ck_adopted(adopt(7, 2), CODE_NONE, NULL);
    ck_assert(core_pool_view(rig->core, 0, &pool));
    ck_assert_uint_eq(pool.unplaced, 0);
    ck_assert_uint_eq(rig_line(rig, 2).backlog_queued, 2);
    rig_worker(rig, 1, 4);
    rig_pass(rig, 1);
    ck_job(first, JOB_LEASED, REASON_NONE);
    ck_assert_uint_eq(rig_view(rig, first).line, RIG_LINE + 2);
    ck_job(second, JOB_QUEUED, REASON_CONVERSATION_BUSY);
    ck_assert_uint_eq(rig_line(rig, 2).fresh_used, 0);
}
END_TEST

START_TEST(a_pin_counts_as_a_home)
{
    begin_with(NULL, 3);
    struct core_enqueue pinned = rig_job(7, CLASS_REPLY);
    pinned.from_line = RIG_LINE + 1;
    uint64_t number = rig_enqueue(rig, &pinned).number;
    ck_adopted(adopt(7, 2), CODE_LINE_CONFLICT, "line");
    ck_adopted(adopt(7, 1), CODE_NONE, NULL);
    rig_worker(rig, 1, 4);
    rig_pass(rig, 1);
    ck_job(number, JOB_LEASED, REASON_NONE);
    ck_assert_uint_eq(rig_line(rig, 1).fresh_used, 0);
}
END_TEST

START_TEST(a_chat_id_may_come_later)
{
    struct core_adopt bare = adoption(7, 0);
    bare.chat_hash = 0;
    bare.chat_id = (struct span){0};
    ck_adopted(adopt_so(&bare, false), CODE_NONE, NULL);
    size_t before = records();
    struct effect answer = adopt(7, 0);
    ck_adopted(answer, CODE_NONE, NULL);
    ck_assert(!answer.duplicate);
    ck_assert_uint_eq(records(), before + 1);
    ck_assert(adopt(7, 0).duplicate);
}
END_TEST

START_TEST(a_job_with_a_chat_id_takes_those_along_that_wait_in_its_conversation)
{
    begin_with(POLICY_CONF("new_conversations_per_day: 1"), 2);
    uint64_t first = rig_send(rig, 7, CLASS_CAMPAIGN);
    struct core_enqueue known = rig_job(7, CLASS_CAMPAIGN);
    known.from_line = RIG_LINE + 1;
    known.chat_hash = CHAT(7);
    rig_enqueue(rig, &known);
    rig_worker(rig, 1, 4);
    rig_pass(rig, 1);
    ck_job(first, JOB_LEASED, REASON_NONE);
    ck_assert_uint_eq(rig_view(rig, first).line, RIG_LINE + 1);
    ck_assert_uint_eq(rig_line(rig, 1).fresh_used, 0);
    rig_restart(rig, 1000);
    ck_assert_uint_eq(view_of(7).line, RIG_LINE + 1);
}
END_TEST

START_TEST(a_chat_that_a_producer_named_is_not_lost)
{
    rig_worker(rig, 1, 1);
    struct core_enqueue later = rig_job(7, CLASS_REPLY);
    later.from_line = RIG_LINE;
    later.chat_hash = CHAT(7);
    later.due_ms = rig->now.wall_ms + 60000;
    rig_enqueue(rig, &later);
    struct core_adopt bare = adoption(7, 0);
    bare.chat_hash = 0;
    bare.chat_id = (struct span){0};
    ck_assert(adopt_so(&bare, false).duplicate); /* else a record without its chat would hide it */
    ck_assert(adopt(7, 0).duplicate); /* it is written down already */
    ck_assert_uint_eq(records(), 1);
    struct core_adopt older = adoption(7, 0); /* and its past, of which no job tells, is news */
    older.last_out_ms = rig->now.wall_ms - 50000;
    struct effect answer = adopt_so(&older, false);
    ck_adopted(answer, CODE_NONE, NULL);
    ck_assert(!answer.duplicate);
    ck_assert(adopt_so(&older, false).duplicate);
    ck_assert_int_eq(view_of(7).last_out_ms, older.last_out_ms);
    ck_assert(view_of(7).placed);
}
END_TEST

START_TEST(a_chat_adopted_as_critical_calls_back_what_is_under_way)
{
    begin_default();
    rig_worker(rig, 1, 8);
    rig_send(rig, 7, CLASS_TRANSACTIONAL);
    struct effect job = leased();
    struct core_adopt known = adoption(7, 0);
    known.health = CHAT_CRITICAL;
    known.health_at_ms = rig->now.wall_ms;
    adopt_so(&known, false);
    ck_assert_int_eq(view_of(7).health, CHAT_CRITICAL);
    ck_assert_uint_eq(rig_told(rig, EFFECT_REVOKE, 0)->lease, job.lease);
}
END_TEST

static void expect_home(uint64_t conversation, uint32_t line)
{
    struct conversation_view view = view_of(conversation);
    ck_assert_uint_eq(view.line, RIG_LINE + line);
    ck_assert(view.placed);
    ck_assert_uint_ne(view.place, UINT64_MAX);
}

static void clean_all(void)
{
    for (size_t i = 0, count = rig->durable; i < count; i++) {
        rig_clean(rig, i);
        rig_keep(rig);
    }
}

START_TEST(a_chat_that_a_producer_named_outlives_the_job_that_named_it)
{
    begin_with(NULL, 2);
    struct core_enqueue job = rig_job(7, CLASS_REPLY);
    job.from_line = RIG_LINE + 1;
    job.chat_hash = CHAT(7);
    job.chat_id = (struct span){"\"chat\"", 6};
    core_enqueue(rig->core, &job, false, rig->now, &rig->out);
    uint64_t number = rig->out.effects[0].number;
    const struct change *written = &rig->out.changes[rig->out.change_count - 1];
    ck_assert_int_eq(written->kind, CHANGE_CONVERSATION);
    ck_assert_ptr_eq(written->sections[SECTION_RESULT].data, job.chat_id.data);
    ck_assert_ptr_eq(written->sections[SECTION_RECIPIENTS].data, job.recipients.data);
    rig_keep(rig);
    rig_enqueue(rig, &job); /* what is written needs no second word */
    ck_assert_uint_eq(records(), 1);
    core_cancel(rig->core, 1, 0, number, rig->now, &rig->out);
    core_cancel(rig->core, 1, 0, rig_told(rig, EFFECT_ENQUEUED, 1)->number, rig->now, &rig->out);
    rig_keep(rig);
    clean_all(); /* all that is left of the jobs is history */
    rig_restart(rig, 1000);
    expect_home(7, 1);
    struct core_message_fact heard = {.token = 3,
                                      .event = 1 << 20,
                                      .what = MESSAGE_RECEIVED,
                                      .inbound = true,
                                      .chat_hash = CHAT(7),
                                      .line = RIG_LINE + 1,
                                      .at_ms = rig->now.wall_ms};
    core_message_told(rig->core, &heard, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_int_gt(view_of(7).last_in_ms, 0); /* it is found by its chat */
}
END_TEST

START_TEST(what_we_were_told_ourselves_stands)
{
    struct core_adopt first = adoption(7, 0);
    first.health = CHAT_AT_RISK;
    first.last_out_ms = rig->now.wall_ms - 50000;
    first.last_in_ms = rig->now.wall_ms + 86400000; /* a clock that runs ahead */
    first.chat_hash = 0;
    adopt_so(&first, false);
    struct conversation_view view = view_of(7);
    ck_assert_int_eq(view.health, CHAT_AT_RISK);
    ck_assert_int_eq(view.last_out_ms, first.last_out_ms);
    ck_assert_int_eq(view.last_in_ms, rig->now.wall_ms);
    struct core_adopt second = adoption(7, 0);
    second.health = CHAT_HEALTHY;
    second.last_out_ms = rig->now.wall_ms - 90000;
    adopt_so(&second, false);
    view = view_of(7);
    ck_assert_int_eq(view.health, CHAT_AT_RISK);
    ck_assert_int_eq(view.last_out_ms, first.last_out_ms);
}
END_TEST

START_TEST(a_chat_that_opted_out_is_sent_nothing)
{
    uint64_t waiting = rig_send(rig, 7, CLASS_CAMPAIGN);
    struct core_adopt adopt = adoption(7, 0);
    adopt.health = CHAT_OPTED_OUT;
    ck_adopted(adopt_so(&adopt, false), CODE_NONE, NULL);
    ck_job(waiting, JOB_NONE, REASON_NONE); /* suppressed */
    struct core_enqueue job = rig_job(7, CLASS_REPLY);
    ck_assert_int_eq(rig_enqueue(rig, &job).code, CODE_OPTED_OUT);
}
END_TEST

/* The provider's clock, or who wrote the file, was a year ahead. */
START_TEST(a_health_from_the_future_does_not_outlive_an_opt_out)
{
    struct core_adopt given = adoption(7, 0);
    given.health = CHAT_HEALTHY;
    given.health_at_ms = rig->now.wall_ms + INT64_C(365) * 86400000;
    ck_adopted(adopt_so(&given, false), CODE_NONE, NULL);
    rig_pass(rig, 60000);
    struct core_message_fact fact = {.token = 3,
                                     .event = 90,
                                     .chat_hash = CHAT(7),
                                     .line = RIG_LINE,
                                     .has_health = true,
                                     .health = CHAT_OPTED_OUT,
                                     .health_at_ms = rig->now.wall_ms};
    fact.what = MESSAGE_DELIVERED;
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert_int_eq(view_of(7).health, CHAT_OPTED_OUT);
}
END_TEST

START_TEST(a_line_of_another_pool_is_unknown)
{
    begin_with(ACCOUNT_CONF "pools:\n  a: {account: default, lines: [\"+12025550100\"]}\n"
                            "  b: {account: default, lines: all}\n",
               2);
    ck_adopted(adopt(7, 1), CODE_UNKNOWN_LINE, "line"); /* of pool b */
    ck_adopted(adopt(7, 9), CODE_UNKNOWN_LINE, "line"); /* never heard of */
    struct conversation_view view;
    ck_assert(!core_conversation_view(rig->core, 7, &view));
    ck_adopted(adopt(7, 0), CODE_NONE, NULL);
}
END_TEST

START_TEST(a_full_table_and_a_full_disk_are_answered)
{
    struct rig_options options = {.seed = 1, .limits = {.conversations_max = 3}};
    rig_free(&rig);
    rig = rig_new(&options);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    struct core_adopt first = adoption(1, 0);
    ck_adopted(adopt_so(&first, true), CODE_STORE_FULL, NULL);
    for (uint64_t conversation = 1; conversation <= 3; conversation++)
        ck_adopted(adopt(conversation, 0), CODE_NONE, NULL);
    ck_adopted(adopt(4, 0), CODE_BUSY, NULL);
    ck_assert(adopt(3, 0).duplicate);
    struct core_status status;
    core_status_read(rig->core, rig->now, &status);
    ck_assert_uint_eq(status.conversations, 3);
}
END_TEST

#define DAY INT64_C(86400000)

/* New conversations for two lines that have not sent yet. How many the first one takes. */
static unsigned placed_on_the_first(int count)
{
    rig_worker(rig, 1, 64);
    unsigned before = rig_line(rig, 0).fresh_used;
    for (int i = 0; i < count; i++)
        rig_send(rig, 5000000 + rig->now.wall_ms + (uint64_t)i, CLASS_REPLY);
    rig_pass(rig, 100);
    return rig_line(rig, 0).fresh_used - before;
}

static void give_a_past(int per_day, int64_t days_ago)
{
    for (int day = 1; day <= 7; day++)
        for (int n = 0; n < per_day; n++) {
            struct core_adopt past = adoption(1000 + (uint64_t)(day * per_day + n), 0);
            past.last_out_ms = rig->now.wall_ms - (day + days_ago) * DAY;
            ck_adopted(adopt_so(&past, false), CODE_NONE, NULL);
        }
}

START_TEST(a_line_with_a_past_is_not_as_cold_as_a_new_one)
{
    begin_with(POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 0"), 2);
    give_a_past(100, 0);
    ck_assert_uint_ge(placed_on_the_first(26), 20); /* 0.55 to 0.1 */
    rig_restart(rig, 1000);
    rig_poll_all(rig, 2, REPUTATION_HEALTHY);
    ck_assert_uint_ge(placed_on_the_first(26), 20);
}
END_TEST

START_TEST(what_was_long_ago_does_not_count)
{
    begin_with(POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 0"), 2);
    give_a_past(100, 8);
    unsigned placed = placed_on_the_first(20);
    ck_assert_uint_ge(placed, 9);
    ck_assert_uint_le(placed, 11);
}
END_TEST

START_TEST(a_past_grows_old)
{
    begin_with(POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 0"), 2);
    give_a_past(100, 0);
    rig_pass(rig, 8 * DAY);
    rig_poll_all(rig, 2, REPUTATION_HEALTHY);
    rig_poll_all(rig, 2, REPUTATION_HEALTHY);
    rig_pass(rig, 1800000 * 4);
    rig_poll_all(rig, 2, REPUTATION_HEALTHY);
    unsigned placed = placed_on_the_first(20);
    ck_assert_uint_ge(placed, 9);
    ck_assert_uint_le(placed, 11);
}
END_TEST

/* jump.h */
START_TEST(a_past_counts_though_one_was_told_while_the_wall_clock_was_ahead)
{
    begin_with(POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 0"), 2);
    rig->now.wall_ms += 365 * DAY;
    rig_tick(rig);
    give_a_past(1, 0);
    rig->now.wall_ms -= 365 * DAY;
    rig_tick(rig);
    give_a_past(100, 0);
    ck_assert_uint_ge(placed_on_the_first(26), 20);
}
END_TEST

START_TEST(one_that_was_moved_on_purpose_may_turn_out_to_live_there_already)
{
    begin_with(NULL, 3);
    adopt(7, 0);
    core_move(rig->core, 9, 7, RIG_LINE + 1, rig->now, &rig->out);
    rig_keep(rig);
    ck_assert(!view_of(7).placed); /* it waits for that line as a new one */
    ck_adopted(adopt(7, 0), CODE_LINE_CONFLICT, "line");
    struct core_adopt there = adoption(7, 1);
    there.chat_hash = 4711;
    ck_adopted(adopt_so(&there, false), CODE_NONE, NULL);
    rig_worker(rig, 1, 1);
    uint64_t number = rig_send(rig, 7, CLASS_REPLY);
    rig_pass(rig, 1);
    ck_assert_uint_eq(rig_view(rig, number).line, RIG_LINE + 1);
    ck_assert_uint_eq(rig_line(rig, 1).fresh_used, 0);
    expect_home(7, 1);
    rig_restart(rig, 1000);
    expect_home(7, 1);
}
END_TEST

/* Then it lives there like any, and nobody has to wait for that line. */
START_TEST(one_that_was_moved_on_purpose_and_adopted_there_leaves_the_line_when_that_is_flagged)
{
    begin_with(POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 0, on_flagged: move"), 2);
    adopt(7, 1);
    core_move(rig->core, 9, 7, RIG_LINE, rig->now, &rig->out);
    rig_keep(rig);
    uint64_t number = rig_send(rig, 7, CLASS_REPLY);
    struct core_adopt there = adoption(7, 0);
    there.chat_hash = 4711;
    ck_adopted(adopt_so(&there, false), CODE_NONE, NULL);
    told_service(SERVICE_FLAGGED);
    rig_tick(rig);
    ck_assert_uint_eq(rig_view(rig, number).line, 0); /* it has left */
}
END_TEST

START_TEST(a_restart_knows_what_was_adopted)
{
    begin_with(NULL, 3);
    struct core_adopt seven = adoption(7, 2);
    seven.health = CHAT_CRITICAL;
    seven.last_out_ms = rig->now.wall_ms - 3600000;
    seven.last_in_ms = rig->now.wall_ms - 7200000;
    adopt_so(&seven, false);
    adopt(8, 1);
    rig_restart(rig, 60000);
    expect_home(7, 2);
    expect_home(8, 1);
    ck_assert_int_eq(view_of(7).health, CHAT_CRITICAL);
    ck_assert_int_eq(view_of(7).last_out_ms, seven.last_out_ms);
    ck_assert_int_eq(view_of(7).last_in_ms, seven.last_in_ms);
    ck_assert(adopt(8, 1).duplicate); /* with its chat */
    rig_poll_all(rig, 3, REPUTATION_HEALTHY);
    rig_worker(rig, 1, 4);
    uint64_t number = rig_send(rig, 8, CLASS_REPLY);
    rig_pass(rig, 1);
    ck_job(number, JOB_LEASED, REASON_NONE);
    ck_assert_uint_eq(rig_view(rig, number).line, RIG_LINE + 1);
    ck_assert_uint_eq(rig_line(rig, 1).fresh_used, 0);
}
END_TEST

START_TEST(what_was_not_durable_was_not_acknowledged)
{
    struct rig_options options = {.seed = 1, .hold_commits = true};
    rig_free(&rig);
    rig = rig_new(&options);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    adopt(1, 0);
    size_t one = rig->record_count;
    adopt(2, 0);
    ck_assert_uint_eq(rig_count(rig, EFFECT_ADOPTED), 0);
    rig_commit(rig, one);
    ck_assert_uint_eq(rig_count(rig, EFFECT_ADOPTED), 1);
    rig_restart(rig, 1000);
    struct conversation_view view;
    ck_assert(core_conversation_view(rig->core, 1, &view));
    ck_assert(!core_conversation_view(rig->core, 2, &view));
    rig_commit(rig, rig->record_count);
    ck_assert(!adopt(2, 0).duplicate); /* said again, it counts */
}
END_TEST

START_TEST(a_lease_tells_that_its_conversation_is_just_being_written)
{
    struct rig_options options = {.seed = 1, .hold_commits = true};
    rig_free(&rig);
    rig = rig_new(&options);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    struct core_adopt bare = adoption(7, 0);
    bare.chat_hash = 0;
    adopt_so(&bare, false);
    rig_worker(rig, 1, 1);
    rig_send(rig, 7, CLASS_REPLY);
    rig_tick(rig);
    rig_commit(rig, rig->record_count);
    uint64_t id = rig_told(rig, EFFECT_JOB, 0)->lease;
    struct lease_view lease;
    ck_assert(core_lease_view(rig->core, id, &lease));
    ck_assert(lease.recorded && lease.conversation_place != UINT64_MAX);
    adopt(7, 0); /* its chat becomes known meanwhile */
    ck_assert(core_lease_view(rig->core, id, &lease));
    ck_assert(lease.recorded && lease.conversation_place == UINT64_MAX);
    rig_commit(rig, rig->record_count);
    ck_assert(core_lease_view(rig->core, id, &lease));
    ck_assert(lease.conversation_place != UINT64_MAX);
}
END_TEST

START_TEST(the_cleaner_carries_adopted_conversations_along)
{
    begin_with(NULL, 3);
    adopt(7, 2);
    adopt(8, 1);
    struct core_adopt seven = adoption(9, 0);
    seven.chat_hash = 0;
    adopt_so(&seven, false);
    adopt(9, 0); /* a newer record: the older is dead */
    size_t count = rig->record_count;
    for (size_t i = 0; i < count; i++) {
        rig_clean(rig, i);
        rig_keep(rig);
    }
    size_t kept = 0;
    for (size_t i = count; i < rig->record_count; i++)
        kept += rig->records[i].kind == CHANGE_CONVERSATION;
    ck_assert_uint_eq(kept, 3);
    ck_assert_uint_gt(view_of(7).place, count); /* it knows where it was carried to */
    rig_restart(rig, 1000);
    expect_home(7, 2);
    expect_home(8, 1);
    expect_home(9, 0);
    ck_assert(adopt(9, 0).duplicate);
}
END_TEST

struct seen {
    uint64_t keys[16];
    size_t count;
};

static void note_seen(void *self, const struct conversation_view *view)
{
    struct seen *seen = self;
    seen->keys[seen->count++] = view->key;
}

START_TEST(a_walk_meets_each_conversation_that_lives_somewhere_once)
{
    begin_with(NULL, 3);
    rig_send(rig, 90, CLASS_REPLY); /* waits for a line */
    for (uint64_t conversation = 1; conversation <= 5; conversation++)
        adopt(conversation, (uint32_t)(conversation % 3));
    struct seen seen = {.count = 0};
    uint32_t cursor = 0;
    unsigned calls = 1;
    while (core_conversations_walk(rig->core, &cursor, 2, note_seen, &seen))
        calls++;
    ck_assert_uint_eq(seen.count, 5);
    for (size_t i = 0; i < seen.count; i++)
        ck_assert_uint_eq(seen.keys[i], i + 1);
    ck_assert_uint_ge(calls, 3);
}
END_TEST

START_TEST(a_view_counts_what_waits)
{
    adopt(7, 0);
    rig_worker(rig, 1, 1);
    for (int i = 0; i < 3; i++)
        rig_send(rig, 7, CLASS_REPLY);
    struct core_enqueue later = rig_job(7, CLASS_REPLY);
    later.due_ms = rig->now.wall_ms + 3600000;
    rig_enqueue(rig, &later);
    rig_pass(rig, 1);
    struct conversation_view view = view_of(7);
    ck_assert_uint_eq(view.leased, 1);
    ck_assert_uint_eq(view.waiting, 3);
    ck_assert_uint_ne(view.job_place, UINT64_MAX);
    ck_assert_uint_eq(view_of(7).pool, 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {an_adopted_conversation_is_sent_on_its_line_and_opens_nothing,
                                         it_goes_where_no_new_conversation_would,
                                         a_link_may_stand_in_its_first_message,
                                         to_adopt_again_changes_nothing,
                                         one_that_lives_elsewhere_stays_there,
                                         one_that_was_begun_here_stays_here,
                                         jobs_that_waited_for_any_line_wait_for_its_own,
                                         a_pin_counts_as_a_home,
                                         a_chat_adopted_as_critical_calls_back_what_is_under_way,
        a_chat_id_may_come_later,
                                         a_job_with_a_chat_id_takes_those_along_that_wait_in_its_conversation,
                                         a_chat_that_a_producer_named_is_not_lost,
                                         a_chat_that_a_producer_named_outlives_the_job_that_named_it,
                                         what_we_were_told_ourselves_stands,
                                         a_chat_that_opted_out_is_sent_nothing,
                                         a_health_from_the_future_does_not_outlive_an_opt_out,
        a_line_of_another_pool_is_unknown,
                                         a_full_table_and_a_full_disk_are_answered,
                                         one_that_was_moved_on_purpose_may_turn_out_to_live_there_already,
                                         a_line_with_a_past_is_not_as_cold_as_a_new_one,
                                         what_was_long_ago_does_not_count,
                                         a_past_grows_old,
        a_past_counts_though_one_was_told_while_the_wall_clock_was_ahead,
                                         one_that_was_moved_on_purpose_and_adopted_there_leaves_the_line_when_that_is_flagged,
                                         a_restart_knows_what_was_adopted,
                                         what_was_not_durable_was_not_acknowledged,
                                         a_lease_tells_that_its_conversation_is_just_being_written,
                                         the_cleaner_carries_adopted_conversations_along,
                                         a_walk_meets_each_conversation_that_lives_somewhere_once,
                                         a_view_counts_what_waits};
    return run_suite("core_adopt", tests, sizeof tests / sizeof *tests);
}
