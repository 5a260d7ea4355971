/* core_refusals_test.c — jobs that are not accepted, and recipients who want none: refused at once, or ended where they wait
 * (promise P7; PROTOCOL, Producers). */
#include "broker/core/core_forecast.h"
#include "broker/core/state.h"
#include "broker/core/suppression.h"
#include "broker/store/record.h"
#include "tests/unit/core_jobs_rig.h"

/* ---- refusals ---- */

static bool is_field(const char *field, const char *wanted)
{
    return wanted == NULL ? field == NULL : field != NULL && strcmp(field, wanted) == 0;
}

/* Refused with that code and field, as a dry run says before, and nothing remembers it. */
static void refused(struct rig *rig, const struct core_enqueue *job, bool store_full, enum code code,
                    const char *field)
{
    size_t records = rig->record_count;
    uint64_t conversations = totals(rig).conversations;
    struct core_enqueue asked = *job;
    struct core_would would;
    asked.id_hash = 987;
    core_would_enqueue(rig->core, &asked, store_full, rig->now, &would);
    ck_assert_int_eq(would.effect.code, code);
    ck_assert(is_field(would.effect.field, field));
    core_enqueue(rig->core, &asked, store_full, rig->now, &rig->out);
    struct effect told = rig->out.effects[rig->out.effect_count - 1];
    rig_keep(rig);
    ck_assert_int_eq(told.kind, EFFECT_ENQUEUED);
    ck_assert_int_eq(told.code, code);
    ck_assert(is_field(told.field, field));
    ck_assert_uint_eq(rig->record_count, records);
    ck_assert_uint_eq(totals(rig).conversations, conversations);
    ck_assert_uint_eq(core_job_by_id(rig->core, 987), 0);
}

/* covers: field if_held; code held */
START_TEST(if_held_fail_refuses_what_would_be_held_and_takes_what_only_waits)
{
    struct play *play = play_policy("pace_per_min: 1, daily_messages: 0, new_conversations_per_day: 0");
    struct rig *rig = play->rig;
    struct core_enqueue fresh = rig_job(100, CLASS_REPLY);
    fresh.fail_if_held = true;
    refused(rig, &fresh, false, CODE_HELD, "if_held"); /* no line */
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    ck_assert_int_eq(rig_enqueue(rig, &fresh).code, CODE_NONE);
    play_for(play, 0);
    ck_assert_uint_eq(play->count, 1);
    struct effect paced = rig_enqueue(rig, &fresh);
    ck_assert_int_eq(paced.code, CODE_NONE);
    ck_assert_int_eq(paced.reason, REASON_PACE);
    uint64_t pause = rig_pause(rig, PAUSE_LINE, RIG_LINE, 0);
    refused(rig, &fresh, false, CODE_HELD, "if_held");
    struct core_enqueue later = fresh; /* held by nothing now */
    later.due_ms = rig->now.wall_ms + MINUTE;
    ck_assert_int_eq(rig_enqueue(rig, &later).state, JOB_SCHEDULED);
    struct core_enqueue past = fresh;
    past.expires_ms = rig->now.wall_ms;
    ck_assert_int_eq(rig_enqueue(rig, &past).state, JOB_EXPIRED);
    ck_assert_int_eq(rig_resume(rig, PAUSE_LINE, RIG_LINE, pause), CODE_NONE);
    rig_tell(rig, 0, REPUTATION_CRITICAL, rig->now.wall_ms);
    refused(rig, &fresh, false, CODE_HELD, "if_held");
    fresh.fail_if_held = false;
    ck_assert_int_eq(rig_enqueue(rig, &fresh).reason, REASON_LINE_CRITICAL);
    play_free(&play);
}
END_TEST

/* covers: key policies.first_message_links; code not_allowed */
START_TEST(a_link_is_refused_in_a_first_message_only)
{
    struct play *play = play_line(UNLIMITED);
    struct core_enqueue job = rig_job(100, CLASS_REPLY);
    job.has_link = true;
    refused(play->rig, &job, false, CODE_NOT_ALLOWED, "message");
    rig_send(play->rig, 100, CLASS_REPLY);
    refused(play->rig, &job, false, CODE_NOT_ALLOWED, "message"); /* the first one is not out yet */
    play_for(play, 0);
    ck_assert_int_eq(rig_enqueue(play->rig, &job).code, CODE_NONE);
    play_free(&play);

    play = play_line(UNLIMITED ", first_message_links: allow");
    ck_assert_int_eq(rig_enqueue(play->rig, &job).code, CODE_NONE);
    play_free(&play);
}
END_TEST

/* covers: key broker.jobs_max; code busy */
START_TEST(a_full_broker_is_busy_until_a_job_ends)
{
    struct rig_options by_conf = {.conf = "accounts:\n  default: {api_key_file: key}\nbroker: {jobs_max: 3}\n"};
    struct rig_options by_jobs = {.limits.jobs_max = 3};
    struct rig_options by_conversations = {.limits.conversations_max = 3};
    struct rig_options *all[] = {&by_conf, &by_jobs, &by_conversations};
    for (size_t o = 0; o < 3; o++) {
        struct rig *rig = rig_new(all[o]);
        uint64_t first = rig_send(rig, 100, CLASS_REPLY);
        rig_send(rig, 101, CLASS_REPLY);
        rig_send(rig, 102, CLASS_REPLY);
        struct core_enqueue job = rig_job(103, CLASS_REPLY);
        refused(rig, &job, false, CODE_BUSY, NULL);
        ck_assert_int_eq(cancel(rig, first), CODE_NONE);
        ck_assert_int_eq(rig_enqueue(rig, &job).code, CODE_NONE);
        rig_free(&rig);
    }
}
END_TEST

/* It names a line, and another job of its conversation names none: had it a place, both would wait for that line. */
static void busy_pins_nobody(struct rig *rig, uint64_t conversation)
{
    struct core_enqueue pinned = rig_job(conversation, CLASS_REPLY);
    struct conversation_view view = {.line = 1};
    pinned.from_line = RIG_LINE;
    refused(rig, &pinned, false, CODE_BUSY, NULL);
    ck_assert(core_conversation_view(rig->core, conversation, &view));
    ck_assert_uint_eq(view.line, 0);
}

START_TEST(a_job_for_which_there_is_no_slot_pins_nobody)
{
    struct rig_options options = {.limits.jobs_max = 4};
    struct rig *rig = rig_new(&options);
    rig_poll_all(rig, 2, REPUTATION_HEALTHY);
    rig_worker(rig, 1, 8);
    rig_send(rig, 100, CLASS_REPLY);
    lease_next(rig);
    rig_tell(rig, 0, REPUTATION_CRITICAL, rig->now.wall_ms + 1);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    uint64_t cancelled = rig_send(rig, 100, CLASS_REPLY);
    ck_assert_int_eq(cancel(rig, cancelled), CODE_NONE); /* has its slot until the one before it comes back */
    rig_send(rig, 101, CLASS_REPLY);
    rig_send(rig, 101, CLASS_REPLY);
    ck_assert_uint_eq(totals(rig).jobs, 3);
    busy_pins_nobody(rig, 101);
    rig_free(&rig);
}
END_TEST

START_TEST(a_job_too_many_of_a_conversation_pins_nobody)
{
    struct rig_options options = {.limits.jobs_max = CONVERSATION_SCHEDULED_MAX + 10};
    struct rig *rig = rig_new(&options);
    rig_poll_all(rig, 2, REPUTATION_HEALTHY);
    struct core_enqueue later = rig_job(100, CLASS_REPLY);
    later.due_ms = rig->now.wall_ms + MINUTE;
    for (unsigned i = 0; i < CONVERSATION_SCHEDULED_MAX; i++) {
        ck_assert_int_eq(rig_enqueue(rig, &later).code, CODE_NONE);
        rig_forget(rig);
    }
    refused(rig, &later, false, CODE_BUSY, NULL);
    busy_pins_nobody(rig, 100);
    rig_free(&rig);
}
END_TEST

/* covers: code store_full */
START_TEST(a_full_store_takes_no_job_but_still_knows_those_it_has)
{
    struct play *play = play_line(UNLIMITED);
    struct rig *rig = play->rig;
    struct core_enqueue job = with_id(100, 55, 66);
    uint64_t number = rig_enqueue(rig, &job).number;
    struct core_enqueue other = rig_job(100, CLASS_REPLY);
    refused(rig, &other, true, CODE_STORE_FULL, NULL);
    core_enqueue(rig->core, &job, true, rig->now, &rig->out);
    ck_assert(rig->out.effects[0].duplicate);
    ck_assert_uint_eq(rig->out.effects[0].number, number);
    rig_keep(rig);
    play_free(&play);
}
END_TEST

/* ---- opting out ---- */

static void hear(struct rig *rig, uint64_t recipient, uint64_t chat, bool opt_out)
{
    struct core_message_fact fact = {.token = 5,
                                     .event = ++rig->polls + (UINT64_C(1) << 41),
                                     .what = MESSAGE_RECEIVED,
                                     .inbound = true,
                                     .chat_hash = chat,
                                     .recipient = recipient,
                                     .line = RIG_LINE,
                                     .opt_out = opt_out};
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
}

/* covers: state suppressed; code opted_out */
START_TEST(a_refusal_for_good_suppresses_all_that_waits_for_the_recipient)
{
    static const enum suppress causes[] = {SUPPRESS_OPTED_OUT, SUPPRESS_BLOCKED};
    for (size_t c = 0; c < 2; c++) {
        struct play *play = play_line(UNLIMITED);
        struct rig *rig = play->rig;
        struct core_enqueue asked = rig_job(100, CLASS_REPLY);
        for (unsigned i = 0; i < 3; i++)
            rig_enqueue(rig, &asked);
        struct effect job = lease_next(rig);
        struct core_result result = rig_result(&job, OUTCOME_REJECTED);
        result.suppress = causes[c];
        result.recipient = asked.recipient;
        rig_answer(rig, &result);
        ck_assert_uint_eq(totals(rig).suppressed_total, 3);
        ck_assert_uint_eq(totals(rig).jobs, 0);
        refused(rig, &asked, false, CODE_OPTED_OUT, "to");
        hear(rig, asked.recipient, 0, false); /* an answer lifts an opt-out, a block only the provider */
        ck_assert_int_eq(rig_enqueue(rig, &asked).code, causes[c] == SUPPRESS_BLOCKED ? CODE_OPTED_OUT : CODE_NONE);
        play_free(&play);
    }
}
END_TEST

START_TEST(an_opt_out_ends_what_waits_and_another_recipient_is_not_touched)
{
    struct play *play = play_line(UNLIMITED);
    struct rig *rig = play->rig;
    uint64_t chat = rig_send(rig, 100, CLASS_REPLY) * 31 + 7; /* as rig_sent() names it */
    play_for(play, 0);
    uint64_t pause = rig_pause(rig, PAUSE_ALL, 0, 0);
    rig_send(rig, 100, CLASS_REPLY);
    rig_send(rig, 100, CLASS_CAMPAIGN);
    rig_send(rig, 200, CLASS_REPLY);
    hear(rig, rig_job(100, CLASS_REPLY).recipient, chat, true);
    ck_assert_uint_eq(totals(rig).suppressed_total, 2);
    ck_assert_int_eq(rig_resume(rig, PAUSE_ALL, 0, pause), CODE_NONE);
    play_for(play, MINUTE);
    ck_assert_uint_eq(play->count, 2);
    play_free(&play);
}
END_TEST

/* Themselves (0), or what is kept of their conversation (1). */
START_TEST(a_lease_is_not_sent_to_who_opted_out_before_it_left)
{
    struct rig_options options = {.hold_commits = true};
    struct rig *rig = rig_new(&options);
    rig_worker(rig, 1, 8);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    struct core_enqueue asked = rig_job(100, CLASS_REPLY);
    core_enqueue(rig->core, &asked, false, rig->now, &rig->out);
    rig_keep(rig);
    rig_commit(rig, rig->record_count);
    core_tick(rig->core, rig->now, &rig->out);
    uint64_t lease = 0, number = 0;
    for (size_t i = 0; i < rig->out.effect_count; i++) {
        if (rig->out.effects[i].kind != EFFECT_JOB)
            continue;
        lease = rig->out.effects[i].lease;
        number = rig->out.effects[i].number;
    }
    ck_assert_uint_ne(lease, 0);
    rig_keep(rig);
    ck_assert(!core_lease_suppressed(rig->core, lease, asked.recipient, rig->now, &rig->out));
    ck_assert(suppression_keep(rig->core, 0, 101, 5, rig->now, &rig->out)); /* another conversation's */
    ck_assert(!core_lease_suppressed(rig->core, lease, asked.recipient, rig->now, &rig->out));
    rig_keep(rig);
    if (_i == 1)
        ck_assert(suppression_keep(rig->core, 0, 100, 5, rig->now, &rig->out));
    else
        hear(rig, asked.recipient, 0, true); /* no chat is known yet */
    ck_assert(core_lease_suppressed(rig->core, lease, asked.recipient, rig->now, &rig->out));
    rig_keep(rig);
    rig_commit(rig, rig->record_count);
    ck_assert_ptr_null(rig_told(rig, EFFECT_JOB, 0));
    ck_assert_uint_eq(totals(rig).suppressed_total, 1);
    ck_assert_uint_eq(rig_line(rig, 0).fresh_used, 0);
    struct record_storage storage;
    struct change end;
    ck_assert(rig_last(rig, CHANGE_END, number, &storage, &end));
    ck_assert_uint_eq(end.end.attempts, 0); /* nothing was begun */
    rig_free(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("core_refusals");
    TCase *tcase = tcase_create("core_refusals");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, if_held_fail_refuses_what_would_be_held_and_takes_what_only_waits);
    tcase_add_test(tcase, a_link_is_refused_in_a_first_message_only);
    tcase_add_test(tcase, a_full_broker_is_busy_until_a_job_ends);
    tcase_add_test(tcase, a_job_for_which_there_is_no_slot_pins_nobody);
    tcase_add_test(tcase, a_job_too_many_of_a_conversation_pins_nobody);
    tcase_add_test(tcase, a_full_store_takes_no_job_but_still_knows_those_it_has);
    tcase_add_test(tcase, a_refusal_for_good_suppresses_all_that_waits_for_the_recipient);
    tcase_add_test(tcase, an_opt_out_ends_what_waits_and_another_recipient_is_not_touched);
    tcase_add_loop_test(tcase, a_lease_is_not_sent_to_who_opted_out_before_it_left, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
