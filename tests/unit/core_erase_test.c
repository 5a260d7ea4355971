/* core_erase_test.c — a recipient is erased: their jobs end, their conversations are forgotten, and a restart in the middle
 * goes on with it. What stays in force of it: core_erased_test.c. */
#include "tests/unit/core_erase_rig.h"

#include <string.h>

static uint64_t send_later(uint64_t conversation)
{
    struct core_enqueue job = rig_job(conversation, CLASS_TRANSACTIONAL);
    job.due_ms = rig->now.wall_ms + HOUR_MS;
    return rig_enqueue(rig, &job).number;
}

/* A message was sent in it: it lives on a line. */
static void begin_conversation(uint64_t conversation)
{
    rig_forget(rig);
    rig_send(rig, conversation, CLASS_TRANSACTIONAL);
    rig_pass(rig, 1000);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 1);
    rig_sent(rig, rig_told(rig, EFFECT_JOB, 0));
    rig_pass(rig, 10);
    ck_assert(is_known(conversation));
}

START_TEST(what_waits_ends_and_the_conversations_are_forgotten)
{
    uint64_t waits = rig_send(rig, HOME, CLASS_REPLY);
    uint64_t later = send_later(HOME);
    uint64_t group = rig_send(rig, GROUP, CLASS_CAMPAIGN);
    uint64_t other = rig_send(rig, OTHER, CLASS_REPLY);
    uint64_t id = order(false);
    ck_assert_uint_eq(id, 1);
    rig_pass(rig, 50);
    ck_job(waits, JOB_NONE, REASON_NONE); /* at once: the direct ones are known without the disk */
    ck_job(later, JOB_NONE, REASON_NONE);
    ck_assert_int_eq(view_of(id).state, ERASURE_FINDING);
    ck_assert(core_erases(rig->core, PERSON));
    ck_assert(!core_erases(rig->core, PERSON + 1));
    found_both(id);
    ck_job(group, JOB_NONE, REASON_NONE);
    ck_assert(rig_view(rig, other).state != JOB_NONE);
    ck_assert(!is_known(HOME) && !is_known(GROUP) && is_known(OTHER));
    struct erasure_task task;
    ck_assert(core_erasure_task(rig->core, &task));
    ck_assert(task.rewrites && task.id == id && task.key_count == 2 && task.keys[0] == HOME && task.keys[1] == GROUP);
    rewritten(id);
    struct erasure_view view = view_of(id);
    ck_assert_int_eq(view.state, ERASURE_DONE);
    ck_assert_uint_eq(view.jobs, 3);
    ck_assert_uint_eq(view.conversations, 2);
    ck_assert_uint_eq(view.records, 7);
    ck_assert_str_eq(view.by, "ann");
    ck_assert_int_ge(view.done_ms, view.begun_ms);
    ck_assert(!core_erasure_task(rig->core, &task));
    ck_assert(!core_erases(rig->core, PERSON));
}
END_TEST

START_TEST(a_job_whose_commit_is_under_way_ends_with_what_waits)
{
    begin_with(POLICY_CONF("pace_per_min: 0"), 1);
    rig->options.hold_commits = true;
    rig_worker(rig, 1, 8);
    uint64_t meant = rig_send(rig, HOME, CLASS_REPLY);
    rig_commit(rig, rig->record_count);
    rig_tick(rig);
    ck_job(meant, JOB_LEASED, REASON_NONE);
    static const uint64_t homes[] = {HOME};
    const struct core_erase ask = {.token = 5, .person = PERSON, .keys = homes, .key_count = 1, .by = "ann"};
    core_erase(rig->core, &ask, rig->now, &rig->out);
    rig_keep(rig);
    rig_pass(rig, 50);
    ck_job(meant, JOB_NONE, REASON_NONE);
    ck_assert_uint_eq(view_of(1).jobs, 1);
    ck_assert_uint_eq(view_of(1).jobs_out, 0);
}
END_TEST

START_TEST(the_order_keeps_no_hash_of_the_recipient_once_it_is_done)
{
    uint64_t id = order(false);
    found_both(id);
    size_t before = rig->record_count;
    rewritten(id);
    ck_assert_uint_eq(rig_records(rig, CHANGE_ERASURE, id, before), 1);
    const struct rig_record *last = &rig->records[rig->record_count - 1];
    uint64_t person = PERSON;
    uint64_t recipient = RECIPIENT;
    for (size_t at = 0; at + 8 <= last->bytes; at++) {
        ck_assert_int_ne(memcmp(rig->bytes + last->at + at, &person, 8), 0);
        ck_assert_int_ne(memcmp(rig->bytes + last->at + at, &recipient, 8), 0);
    }
}
END_TEST

START_TEST(a_job_that_a_worker_has_is_waited_for)
{
    rig_worker(rig, 1, 4);
    rig_send(rig, HOME, CLASS_REPLY);
    rig_pass(rig, 100);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 1);
    struct effect job = *rig_told(rig, EFFECT_JOB, 0);
    uint64_t id = order(false);
    found_both(id);
    ck_assert_uint_eq(rig_count(rig, EFFECT_REVOKE), 1); /* if it was not begun it comes back */
    rig_pass(rig, 3000);
    ck_assert_int_eq(view_of(id).state, ERASURE_ENDING);
    ck_assert_uint_eq(view_of(id).jobs_out, 1);
    rig_sent(rig, &job);
    rig_pass(rig, 3000);
    ck_assert_int_eq(view_of(id).state, ERASURE_REWRITING);
    ck_assert_uint_eq(view_of(id).jobs_out, 0);
    ck_assert(!is_known(HOME));
}
END_TEST

START_TEST(an_unknown_outcome_is_waited_for_until_a_person_settles_it)
{
    rig_worker(rig, 1, 4);
    uint64_t number = rig_send(rig, HOME, CLASS_REPLY);
    rig_pass(rig, 100);
    struct core_result result = rig_result(rig_told(rig, EFFECT_JOB, 0), OUTCOME_RETRY);
    result.unknown = true;
    result.retry_after_ms = 24 * HOUR_MS;
    rig_answer(rig, &result);
    uint64_t id = order(false);
    found_both(id);
    rig_pass(rig, 20000);
    ck_assert_int_eq(view_of(id).state, ERASURE_ENDING);
    ck_assert_uint_eq(view_of(id).jobs_out, 1);
    core_settle(rig->core, 9, number, false, (struct span){0}, rig->now, &rig->out);
    rig_keep(rig);
    rig_pass(rig, 20000);
    ck_job(number, JOB_NONE, REASON_NONE);
    ck_assert_int_eq(view_of(id).state, ERASURE_REWRITING);
}
END_TEST

START_TEST(a_long_backlog_ends_in_slices_and_all_of_it)
{
    enum { JOBS = 20000 };
    for (int i = 0; i < JOBS; i++)
        i % 3 == 0 ? send_later(HOME) : rig_send(rig, HOME, CLASS_CAMPAIGN);
    uint64_t id = order(false);
    found_both(id);
    rig_pass(rig, 1000);
    ck_assert_int_eq(view_of(id).state, ERASURE_REWRITING);
    ck_assert_uint_eq(view_of(id).jobs, JOBS);
}
END_TEST

START_TEST(a_dry_run_counts_and_changes_nothing)
{
    rig_worker(rig, 1, 1);
    uint64_t first = rig_send(rig, HOME, CLASS_REPLY);
    rig_pass(rig, 100);
    uint64_t second = rig_send(rig, HOME, CLASS_REPLY);
    size_t before = rig->record_count;
    uint64_t id = order(true);
    ck_assert(!core_erases(rig->core, PERSON));
    found_both(id);
    struct erasure_view view = view_of(id);
    ck_assert(view.dry_run);
    ck_assert_int_eq(view.state, ERASURE_DONE);
    ck_assert_uint_eq(view.jobs, 1);
    ck_assert_uint_eq(view.jobs_out, 1);
    ck_assert_uint_eq(view.conversations, 2);
    ck_assert_uint_eq(view.records, 12);
    ck_assert_uint_eq(rig_records(rig, CHANGE_ERASURE, 0, before), 0);
    ck_assert_int_eq(rig_view(rig, first).state, JOB_LEASED);
    ck_assert(!rig_view(rig, first).cancel_asked);
    ck_assert_int_eq(rig_view(rig, second).state, JOB_QUEUED);
}
END_TEST

START_TEST(asking_again_while_it_is_under_way_is_the_same_order)
{
    uint64_t id = order(false);
    ck_assert_uint_eq(order(false), id);
    uint64_t dry = order(true);
    ck_assert_uint_ne(dry, id);
    found_both(id);
    ck_assert_uint_eq(order(false), id);
    rewritten(id);
    ck_assert_uint_gt(order(false), dry);
    ck_assert_uint_eq(core_erasure_before(rig->core, UINT64_MAX), dry + 1);
    ck_assert_uint_eq(core_erasure_before(rig->core, id), 0);
}
END_TEST

static uint64_t order_for(uint64_t person)
{
    const struct core_erase ask = {.token = 5, .person = person, .by = "ann"};
    return ordered(&ask);
}

START_TEST(orders_are_done_one_after_the_other_and_too_many_are_refused)
{
    struct erasure_task task;
    for (uint64_t n = 0; n < 64; n++)
        ck_assert_uint_eq(order_for(100 + n), n + 1);
    ck_assert_uint_eq(order_for(1000), 0);
    for (uint64_t n = 0; n < 64; n++) {
        ck_assert(core_erasure_task(rig->core, &task));
        ck_assert(!task.rewrites && task.id == n + 1);
        found(task.id, NULL, 0, false);
        ck_assert(core_erasure_task(rig->core, &task) && task.rewrites);
        rewritten(task.id);
        rig_pass(rig, 10);
    }
    ck_assert_uint_eq(order_for(1000), 65); /* the oldest that is done makes room */
    struct erasure_view view;
    ck_assert(!core_erasure_view(rig->core, 1, &view));
}
END_TEST

/* Whose only conversation that is. */
static uint64_t order_of(uint64_t person, uint64_t conversation)
{
    const struct core_erase ask = {.token = 5, .person = person, .keys = &conversation, .key_count = 1, .by = "ann"};
    return ordered(&ask);
}

/* The shell is asked for exactly that. */
static void must_be_asked(uint64_t id, bool rewrites)
{
    struct erasure_task task;
    ck_assert(core_erasure_task(rig->core, &task));
    ck_assert_uint_eq(task.id, id);
    ck_assert_int_eq(task.rewrites, rewrites);
}

static void must_go_through(uint64_t id)
{
    must_be_asked(id, false);
    found(id, NULL, 0, false);
    must_be_asked(id, true);
    rewritten(id);
    ck_assert_int_eq(view_of(id).state, ERASURE_DONE);
}

/* A job whose outcome nobody knows may be out for days. */
START_TEST(an_order_that_waits_for_a_job_lets_the_others_go_on)
{
    struct erasure_task task;
    begin_with(POLICY_CONF("pace_per_min: 0, cadence_ms: []"), 1);
    rig_worker(rig, 1, 8);
    rig_send(rig, HOME, CLASS_REPLY);
    rig_send(rig, OTHER, CLASS_REPLY);
    rig_pass(rig, 100);
    ck_assert_uint_eq(rig_count(rig, EFFECT_JOB), 2);
    struct effect home = *rig_told(rig, EFFECT_JOB, 0), other = *rig_told(rig, EFFECT_JOB, 1);
    uint64_t stuck = order_of(PERSON, HOME), behind = order_of(901, 44), too = order_of(902, OTHER);
    found(stuck, NULL, 0, false);
    must_go_through(behind); /* at once */
    rig_pass(rig, 10);
    must_be_asked(too, false);
    found(too, NULL, 0, false);
    ck_assert(!core_erasure_task(rig->core, &task)); /* both wait */
    uint64_t later = order_of(903, 45);
    must_go_through(later);
    rig_pass(rig, 50000); /* while the leases stand */
    ck_assert_int_eq(view_of(stuck).state, ERASURE_ENDING);
    ck_assert_uint_eq(view_of(stuck).jobs_out, 1);
    ck_assert_int_eq(view_of(too).state, ERASURE_ENDING);
    ck_assert(core_is_erasing(rig->core) && core_erases(rig->core, PERSON) && core_erases(rig->core, 902));
    rig_sent(rig, &other); /* whichever of them is free first */
    rig_pass(rig, 3000);
    must_be_asked(too, true);
    rig_sent(rig, &home);
    rig_pass(rig, 3000);
    ck_assert_int_eq(view_of(stuck).state, ERASURE_ENDING); /* one at a time */
    rewritten(too);
    rig_pass(rig, 10);
    must_be_asked(stuck, true);
    ck_assert_uint_eq(view_of(stuck).jobs_out, 0);
    rewritten(stuck);
    ck_assert(!core_is_erasing(rig->core));
}
END_TEST

/* One that a worker had, and is to be tried again: it is cancelled when it waits again, whoever else waits. */
START_TEST(what_comes_back_unsent_ends_though_several_orders_wait)
{
    begin_with(POLICY_CONF("pace_per_min: 0, cadence_ms: []"), 1);
    rig_worker(rig, 1, 8);
    for (uint64_t conversation = 10; conversation < 15; conversation++)
        rig_send(rig, conversation, CLASS_REPLY);
    rig_pass(rig, 100);
    struct effect last = *rig_told(rig, EFFECT_JOB, 4);
    uint64_t ids[5];
    for (uint64_t i = 0; i < 5; i++)
        ids[i] = order_of(901 + i, 10 + i);
    for (uint64_t i = 0; i < 5; i++)
        found(ids[i], NULL, 0, false);
    rig_restart(rig, 10);
    rig_pass(rig, 5000);
    rig_worker(rig, 1, 8);
    struct core_result result = rig_result(&last, OUTCOME_RETURNED);
    rig_answer(rig, &result);
    rig_pass(rig, 120000);
    must_be_asked(ids[4], true);
}
END_TEST

START_TEST(more_conversations_than_there_is_room_for_are_done_in_rounds)
{
    enum { GROUPS = ERASURE_KEYS_MAX + 40 };
    uint64_t keys[GROUPS];
    struct erasure_task task;
    for (uint64_t i = 0; i < GROUPS; i++)
        rig_send(rig, keys[i] = 1000 + i, CLASS_REPLY);
    uint64_t id = order_for(PERSON);
    found(id, keys, GROUPS, false);
    ck_assert_uint_eq(view_of(id).jobs, ERASURE_KEYS_MAX);
    rewritten(id);
    rig_pass(rig, 10);
    ck_assert_int_eq(view_of(id).state, ERASURE_FINDING);
    ck_assert(core_erasure_task(rig->core, &task) && !task.rewrites && task.person == PERSON);
    found(id, keys + ERASURE_KEYS_MAX, GROUPS - ERASURE_KEYS_MAX, false);
    rewritten(id);
    ck_assert_int_eq(view_of(id).state, ERASURE_DONE);
    ck_assert_uint_eq(view_of(id).jobs, GROUPS);
}
END_TEST

START_TEST(a_restart_goes_on_wherever_it_was)
{
    struct erasure_task task;
    rig_send(rig, HOME, CLASS_REPLY);
    rig_send(rig, GROUP, CLASS_REPLY);
    uint64_t id = order(false);
    rig_restart(rig, 10);
    ck_assert(core_erases(rig->core, PERSON));
    ck_assert(core_erasure_task(rig->core, &task) && !task.rewrites && task.id == id);
    rig_pass(rig, 50);
    const struct erasure_found news = {.id = id, .keys = (const uint64_t[]){GROUP, HOME}, .key_count = 2};
    core_erasure_found(rig->core, &news, rig->now, &rig->out);
    rig_keep(rig);
    rig_restart(rig, 10);
    rig_pass(rig, 2000);
    ck_assert_int_eq(view_of(id).state, ERASURE_REWRITING);
    ck_assert(!is_known(HOME) && !is_known(GROUP));
    rig_restart(rig, 10);
    ck_assert(core_erasure_task(rig->core, &task) && task.rewrites && task.key_count == 2);
    rewritten(id);
    rig_restart(rig, 10);
    ck_assert_int_eq(view_of(id).state, ERASURE_DONE);
    ck_assert(!core_erases(rig->core, PERSON));
    ck_assert_uint_eq(order(false), id + 1);
}
END_TEST

/* As one that was never there: it lives nowhere, and its next message is a first one. */
START_TEST(what_was_forgotten_stays_so_over_restarts_and_a_later_job_begins_anew)
{
    begin_with(POLICY_CONF("pace_per_min: 0, cadence_ms: []"), 1);
    rig_worker(rig, 1, 4);
    begin_conversation(HOME);
    begin_conversation(OTHER);
    unsigned used = rig_line(rig, 0).recipients_used;
    uint64_t id = order(false);
    found_both(id);
    rewritten(id);
    ck_assert(!is_known(HOME));
    ck_assert_uint_eq(rig_line(rig, 0).recipients_used, used); /* they were written to all the same */
    clean_all();
    rig_restart(rig, 10);
    ck_assert(!is_known(HOME) && is_known(OTHER));
    ck_assert_uint_eq(rig_line(rig, 0).recipients_used, used);
    rig_worker(rig, 1, 4);
    unsigned fresh = rig_line(rig, 0).fresh_used;
    begin_conversation(HOME);
    ck_assert_uint_eq(rig_line(rig, 0).fresh_used, fresh + 1);
    clean_all();
    rig_restart(rig, 10);
    struct conversation_view view;
    ck_assert(core_conversation_view(rig->core, HOME, &view));
    ck_assert(view.placed);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        what_waits_ends_and_the_conversations_are_forgotten,
        a_job_whose_commit_is_under_way_ends_with_what_waits,
        the_order_keeps_no_hash_of_the_recipient_once_it_is_done,
        a_job_that_a_worker_has_is_waited_for,
        an_unknown_outcome_is_waited_for_until_a_person_settles_it,
        a_long_backlog_ends_in_slices_and_all_of_it,
        a_dry_run_counts_and_changes_nothing,
        asking_again_while_it_is_under_way_is_the_same_order,
        orders_are_done_one_after_the_other_and_too_many_are_refused,
        an_order_that_waits_for_a_job_lets_the_others_go_on,
        what_comes_back_unsent_ends_though_several_orders_wait,
        more_conversations_than_there_is_room_for_are_done_in_rounds,
        a_restart_goes_on_wherever_it_was,
        what_was_forgotten_stays_so_over_restarts_and_a_later_job_begins_anew,
    };
    return run_suite("core_erase", tests, sizeof tests / sizeof *tests);
}
