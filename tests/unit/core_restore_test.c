/* core_restore_test.c — what the records say is what a fresh core knows: whatever prefix of them is left, however
 * often and in which of the cleaner's orders they are read (DESIGN section 4). */
#include <string.h>

#include "tests/unit/core_suite.h"

#define NUMBERS_MAX 64
static uint64_t numbers[NUMBERS_MAX];
static size_t number_count;

static void note(uint64_t number)
{
    numbers[number_count++] = number;
}

/* One of everything that a store may hold. */
static void live_a_little(void)
{
    number_count = 0;
    begin_with(NULL, 3);
    rig_worker(rig, 1, 2);
    for (uint64_t conversation = 1; conversation <= 4; conversation++)
        note(rig_send(rig, conversation, CLASS_TRANSACTIONAL));
    rig_pass(rig, 1);
    rig_sent(rig, rig_told(rig, EFFECT_JOB, 0));
    struct core_result unknown = rig_result(rig_told(rig, EFFECT_JOB, 1), OUTCOME_RETRY);
    unknown.unknown = true;
    unknown.retry_after_ms = 600000;
    rig_answer(rig, &unknown);
    note(rig_send(rig, 1, CLASS_CAMPAIGN));
    note(rig_send(rig, 1, CLASS_REPLY));
    struct core_enqueue later = rig_job(5, CLASS_FOLLOWUP);
    later.due_ms = rig->now.wall_ms + 3600000;
    later.expires_ms = rig->now.wall_ms + 7200000;
    later.id_hash = 99;
    later.content_hash = 100;
    note(rig_enqueue(rig, &later).number);
    rig_pass(rig, 1);
    rig_tell(rig, 1, REPUTATION_CRITICAL, rig->now.wall_ms);
    rig_tell_service(rig, 2, SERVICE_FLAGGED, rig->now.wall_ms);
    rig_pause(rig, PAUSE_LINE, RIG_LINE + 2, 0);
    uint64_t over = rig_pause(rig, PAUSE_POOL, 0, 0);
    rig_resume(rig, PAUSE_POOL, 0, over);
    note(send_known(1, 7, CLASS_REPLY));
}

static void expect_same_jobs(struct rig *twin)
{
    for (size_t i = 0; i < number_count; i++) {
        struct job_view mine = rig_view(rig, numbers[i]);
        struct job_view other = rig_view(twin, numbers[i]);
        ck_assert_int_eq(other.state, mine.state);
        ck_assert_uint_eq(other.line, mine.line);
        ck_assert_uint_eq(other.attempts, mine.attempts);
        ck_assert_uint_eq(other.ahead, mine.ahead);
        ck_assert_int_eq(other.due_ms, mine.due_ms);
        ck_assert_int_eq(other.expires_ms, mine.expires_ms);
        ck_assert(other.unsettled == mine.unsettled);
        ck_assert_uint_eq(other.place, mine.place);
        uint8_t mine_key[KEY_RANDOM_BYTES], other_key[KEY_RANDOM_BYTES];
        core_key_random(rig->core, numbers[i], mine_key);
        core_key_random(twin->core, numbers[i], other_key);
        ck_assert_mem_eq(mine_key, other_key, sizeof mine_key);
    }
}

static void expect_same_lines(struct rig *twin)
{
    for (uint32_t line = 0; line < 3; line++) {
        struct line_view mine = rig_line(rig, line);
        struct line_view other = rig_line(twin, line);
        ck_assert_int_eq(other.status, mine.status);
        ck_assert_int_eq(other.proven, mine.proven);
        ck_assert_int_eq(other.service, mine.service);
        ck_assert_int_eq(other.gate, mine.gate);
        ck_assert_int_eq(other.reason, mine.reason);
        ck_assert_int_eq(other.changed_at_ms, mine.changed_at_ms);
        ck_assert_uint_eq(other.messages_used, mine.messages_used);
        ck_assert_uint_eq(other.fresh_used, mine.fresh_used);
        ck_assert_uint_eq(other.backlog_held, mine.backlog_held);
        ck_assert_uint_eq(other.backlog_queued, mine.backlog_queued);
        ck_assert_uint_eq(other.backlog_leased, mine.backlog_leased);
    }
}

static void expect_same_totals(const struct rig *twin)
{
    struct core_status mine, other;
    core_status_read(rig->core, rig->now, &mine);
    core_status_read(twin->core, twin->now, &other);
    ck_assert_uint_eq(other.jobs, mine.jobs);
    ck_assert_uint_eq(other.scheduled, mine.scheduled);
    ck_assert_uint_eq(other.leased, mine.leased);
    ck_assert_uint_eq(other.conversations, mine.conversations);
    ck_assert_uint_eq(core_job_by_id(twin->core, 99), core_job_by_id(rig->core, 99));
}

static void expect_same(struct rig *twin)
{
    expect_same_jobs(twin);
    expect_same_lines(twin);
    expect_same_totals(twin);
}

START_TEST(a_fresh_core_learns_all_from_the_records)
{
    live_a_little();
    struct rig *twin = rig_replica(rig, rig->record_count, 1);
    expect_same(twin);
    rig_free(&twin);
}
END_TEST

START_TEST(reading_every_record_twice_is_harmless)
{
    live_a_little();
    struct rig *twin = rig_replica(rig, rig->record_count, 2);
    expect_same_lines(twin);
    expect_same_totals(twin);
    rig_free(&twin);
}
END_TEST

START_TEST(every_prefix_of_the_records_restores_and_goes_on)
{
    live_a_little();
    for (size_t count = 0; count <= rig->record_count; count++) {
        struct rig *twin = rig_replica(rig, count, 1);
        rig_poll_all(twin, 3, REPUTATION_HEALTHY);
        uint64_t number = rig_send(twin, 1000, CLASS_REPLY);
        for (size_t i = 0; i < count; i++)
            ck_assert(rig->records[i].kind != CHANGE_JOB || rig->records[i].key != number);
        rig_worker(twin, 5, 64);
        rig_pass(twin, 10000);
        rig_free(&twin);
    }
}
END_TEST

START_TEST(what_was_acknowledged_is_there_after_any_restart)
{
    live_a_little();
    size_t live = 0;
    for (size_t i = 0; i < number_count; i++)
        live += rig_view(rig, numbers[i]).state != JOB_NONE;
    ck_assert_uint_eq(live, number_count - 1); /* one was sent */
    rig_restart(rig, 1000);
    rig_restart(rig, 1000);
    for (size_t i = 0; i < number_count; i++)
        live -= rig_view(rig, numbers[i]).state != JOB_NONE;
    ck_assert_uint_eq(live, 0);
}
END_TEST

/* ---- the cleaner moves records of live things behind others ---- */

START_TEST(a_job_moved_behind_its_tries_keeps_them)
{
    live_a_little();
    size_t count = rig->record_count;
    for (size_t i = 0; i < count; i++) {
        struct rig_record moved = rig->records[i];
        if (moved.kind != CHANGE_JOB || rig_view(rig, moved.key).state == JOB_NONE)
            continue;
        rig->records[i].past = true; /* the old copy is history now */
        struct rig_record *grown = realloc(rig->records, (rig->record_count + 1) * sizeof *grown);
        ck_assert_ptr_nonnull(grown);
        rig->records = grown;
        rig->record_room = rig->record_count + 1;
        rig->records[rig->record_count++] = moved;
        core_moved(rig->core, CHANGE_JOB, moved.key, i + 1, rig->record_count);
        ck_assert(core_is_live(rig->core, CHANGE_JOB, moved.key, rig->record_count));
        ck_assert(!core_is_live(rig->core, CHANGE_JOB, moved.key, i + 1));
    }
    /* The cleaner says its tries anew when it moves a job. */
    for (size_t i = 0; i < number_count; i++) {
        core_renew(rig->core, CHANGE_TRY, numbers[i], rig->now, &rig->out);
        rig_keep(rig);
    }
    struct rig *twin = rig_replica(rig, rig->record_count, 1);
    expect_same(twin);
    rig_free(&twin);
}
END_TEST

START_TEST(history_alone_brings_nothing_back_but_uses_up_its_numbers)
{
    live_a_little();
    for (size_t i = 0; i < rig->record_count; i++)
        rig->records[i].past = true;
    struct rig *twin = rig_replica(rig, rig->record_count, 1);
    struct core_status status;
    core_status_read(twin->core, twin->now, &status);
    ck_assert_uint_eq(status.jobs, 0);
    rig_poll_all(twin, 1, REPUTATION_HEALTHY);
    uint64_t number = rig_send(twin, 1, CLASS_REPLY);
    for (size_t i = 0; i < number_count; i++)
        ck_assert_uint_ne(number, numbers[i]);
    rig_free(&twin);
}
END_TEST

/* ---- keys and numbers ---- */

START_TEST(each_start_draws_its_own_bits_and_old_jobs_keep_theirs)
{
    uint64_t first = rig_send(rig, 1, CLASS_REPLY);
    rig_restart(rig, 1000);
    uint64_t second = rig_send(rig, 2, CLASS_REPLY);
    rig_restart(rig, 1000);
    uint8_t key[KEY_RANDOM_BYTES], expected[KEY_RANDOM_BYTES];
    core_key_random(rig->core, first, key);
    memset(expected, 1, sizeof expected); /* as the rig draws them: the number of the start */
    ck_assert_mem_eq(key, expected, sizeof key);
    core_key_random(rig->core, second, key);
    memset(expected, 2, sizeof expected);
    ck_assert_mem_eq(key, expected, sizeof key);
    ck_assert(core_key_is_ours(rig->core, second, expected));
    ck_assert(!core_key_is_ours(rig->core, first, expected));
}
END_TEST

static void expect_chains_from(size_t from, uint64_t *last_seq, uint64_t *prev)
{
    for (size_t i = from; i < rig->record_count; i++) {
        struct record_storage storage;
        struct change change;
        rig_read(rig, i, &storage, &change);
        if (change.event.seq == 0)
            continue;
        ck_assert_uint_eq(change.event.seq, *last_seq + 1);
        ck_assert_uint_eq(change.event.prev, prev[change.event.topic]);
        *last_seq = prev[change.event.topic] = change.event.seq;
    }
}

START_TEST(events_are_numbered_and_chained_without_a_gap_over_restarts)
{
    uint64_t last_seq = 0, prev[TOPIC_COUNT] = {0};
    live_a_little();
    rig_restart(rig, 1000);
    rig_send(rig, 50, CLASS_REPLY);
    rig_restart(rig, 1000);
    rig_send(rig, 51, CLASS_REPLY);
    expect_chains_from(0, &last_seq, prev);
    ck_assert_uint_gt(last_seq, 10);
    ck_assert_uint_eq(core_next_seq(rig->core), last_seq + 1);
}
END_TEST

START_TEST(a_lease_keeps_its_place_though_the_cleaner_moves_what_was_there_before)
{
    rig_worker(rig, 1, 1);
    uint64_t before = rig_send(rig, 1, CLASS_CAMPAIGN);
    rig_pass(rig, 1);
    uint64_t first = rig_told(rig, EFFECT_JOB, 0)->lease;
    rig_forget(rig);
    uint64_t now = rig_send(rig, 2, CLASS_REPLY);
    struct core_result back = {.peer = 1, .lease = first, .outcome = OUTCOME_RETURNED, .retry_after_ms = -1};
    rig_answer(rig, &back);
    rig_pass(rig, 3000); /* the line's pace */
    uint64_t second = rig_told(rig, EFFECT_JOB, 0)->lease;
    ck_assert_uint_eq(second & 0xFFFFF, first & 0xFFFFF); /* at the same place */
    ck_assert_uint_eq(rig_told(rig, EFFECT_JOB, 0)->number, now);
    size_t last = rig->record_count;
    while (rig->records[--last].kind != CHANGE_TRY || rig->records[last].key != before)
        ;
    rig_clean(rig, last); /* that it came back; that it went stays where it is */
    rig_keep(rig);
    rig_restart(rig, 100);
    struct lease_view lease;
    ck_assert(core_lease_view(rig->core, second, &lease));
    ck_assert_uint_eq(lease.number, now);
    ck_assert_int_eq(rig_view(rig, now).state, JOB_LEASED);
    ck_assert_int_eq(rig_view(rig, before).state, JOB_QUEUED);
}
END_TEST

/* Or what it spent would not be given back when it turns out after a start that it never began. */
START_TEST(a_lease_that_the_cleaner_says_anew_is_still_of_the_moment_in_which_it_was_given)
{
    rig_worker(rig, 1, 1);
    rig_pass(rig, BUDGET_BUCKET_MS - 2000);
    rig_poll_all(rig, 1, REPUTATION_HEALTHY);
    uint64_t number = rig_send(rig, 1, CLASS_REPLY);
    rig_tick(rig);
    ck_assert_int_eq(rig_view(rig, number).state, JOB_LEASED);
    ck_assert_uint_eq(rig_line(rig, 0).messages_used, 1);
    rig_pass(rig, 4000);
    size_t last = rig->record_count;
    while (rig->records[--last].kind != CHANGE_TRY)
        ;
    rig_clean(rig, last);
    rig_keep(rig);
    rig_pause(rig, PAUSE_ALL, 0, 0);
    rig_restart(rig, 100);
    rig_worker(rig, 1, 1); /* which has not begun it */
    ck_assert_int_eq(rig_view(rig, number).state, JOB_QUEUED);
    ck_assert_uint_eq(rig_line(rig, 0).messages_used, 0);
    ck_assert_uint_eq(rig_line(rig, 0).fresh_used, 0);
}
END_TEST

START_TEST(a_remembered_id_is_a_duplicate_after_a_restart)
{
    struct core_enqueue job = rig_job(1, CLASS_REPLY);
    job.id_hash = 7;
    job.content_hash = 8;
    uint64_t number = rig_enqueue(rig, &job).number;
    rig_restart(rig, 1000);
    struct effect again = rig_enqueue(rig, &job);
    ck_assert(again.duplicate);
    ck_assert_uint_eq(again.number, number);
    job.content_hash = 9;
    ck_assert_int_eq(rig_enqueue(rig, &job).code, CODE_ID_CONFLICT);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_fresh_core_learns_all_from_the_records,
        reading_every_record_twice_is_harmless,
        every_prefix_of_the_records_restores_and_goes_on,
        what_was_acknowledged_is_there_after_any_restart,
        a_job_moved_behind_its_tries_keeps_them,
        history_alone_brings_nothing_back_but_uses_up_its_numbers,
        each_start_draws_its_own_bits_and_old_jobs_keep_theirs,
        events_are_numbered_and_chained_without_a_gap_over_restarts,
        a_lease_keeps_its_place_though_the_cleaner_moves_what_was_there_before,
        a_lease_that_the_cleaner_says_anew_is_still_of_the_moment_in_which_it_was_given,
        a_remembered_id_is_a_duplicate_after_a_restart,
    };
    return run_suite("core_restore", tests, sizeof tests / sizeof *tests);
}
