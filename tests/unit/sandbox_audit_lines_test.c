/* sandbox_audit_lines_test.c — the auditor knows which line a send may go out on, and when: holds, new placements, pace. */
#include "tests/unit/sandbox_audit_rig.h"

START_TEST(a_conversation_that_changes_its_line_is_found_unless_allowed)
{
    acked("a", 1);
    acked("b", 2);
    send_as("a", (struct sent){.n = 1});
    send_as("b", (struct sent){.n = 2, .line = "+1202"});
    struct audit_report report;
    rules.allow_moves = true;
    log_line("{\"type\":\"stop\"}");
    audit_judge(audit, &rules, &report);
    ck_assert(report.good);
    rules.allow_moves = false;
    for (size_t i = 0; i < audit->job_count; i++)
        audit->jobs[i].accepted = 0;
    ck_only(AUDIT_MOVED, 1);
}
END_TEST

START_TEST(a_send_begun_on_a_critical_line_a_second_after_the_200_is_found)
{
    acked("a", 1);
    line_is(1000, 2, "CRITICAL", "ACTIVE");
    webhook(1010, 2, "CRITICAL", "ACTIVE");
    send_as("a", (struct sent){.n = 1, .at_ms = 2011});
    ck_only(AUDIT_HELD, 1);
}
END_TEST

START_TEST(a_send_begun_within_the_second_is_told_but_no_violation)
{
    acked("a", 1);
    acked("b", 2);
    line_is(1000, 2, "CRITICAL", "ACTIVE");
    webhook(1010, 2, "CRITICAL", "ACTIVE");
    send_as("a", (struct sent){.n = 1, .at_ms = 1005});
    send_as("b", (struct sent){.n = 2, .at_ms = 1050});
    struct audit_report report = verdict();
    ck_assert(report.good);
    ck_assert_int_eq(report.held_latest_ms, 40);
    ck_assert_uint_eq(report.holds, 1);
}
END_TEST

START_TEST(a_refused_send_on_a_held_line_was_begun_all_the_same)
{
    acked("a", 1);
    line_is(1000, 2, "HEALTHY", "FLAGGED");
    webhook(1010, 2, "HEALTHY", "FLAGGED");
    send_as("a", (struct sent){.n = 1, .at_ms = 3000, .lost = true});
    line_is(4000, 3, "HEALTHY", "ACTIVE");
    send_as("a", (struct sent){.n = 1, .at_ms = 4001});
    ck_only(AUDIT_HELD, 1);
}
END_TEST

START_TEST(at_risk_does_not_end_a_hold_and_healthy_does)
{
    acked("a", 1);
    acked("b", 2);
    line_is(1000, 2, "CRITICAL", "ACTIVE");
    webhook(1010, 2, "CRITICAL", "ACTIVE");
    line_is(2000, 3, "AT_RISK", "ACTIVE");
    webhook(2010, 3, "AT_RISK", "ACTIVE");
    send_as("a", (struct sent){.n = 1, .at_ms = 3000});
    line_is(4000, 4, "HEALTHY", "ACTIVE");
    send_as("b", (struct sent){.n = 2, .at_ms = 4001});
    ck_only(AUDIT_HELD, 1);
}
END_TEST

START_TEST(a_critical_that_comes_after_its_recovery_holds_nothing)
{
    acked("a", 1);
    line_is(1000, 2, "CRITICAL", "ACTIVE");
    line_is(1100, 3, "HEALTHY", "ACTIVE");
    webhook(1200, 2, "CRITICAL", "ACTIVE");
    send_as("a", (struct sent){.n = 1, .at_ms = 9000});
    ck_good();
}
END_TEST

START_TEST(a_line_that_nobody_was_told_of_is_not_held)
{
    acked("a", 1);
    line_is(1000, 2, "CRITICAL", "ACTIVE");
    send_as("a", (struct sent){.n = 1, .at_ms = 9000});
    ck_good();
}
END_TEST

START_TEST(a_lifted_flag_ends_the_hold_though_the_line_is_at_risk)
{
    acked("a", 1);
    line_is(1000, 2, "AT_RISK", "FLAGGED");
    webhook(1010, 2, "AT_RISK", "FLAGGED");
    line_is(2000, 3, "AT_RISK", "ACTIVE");
    send_as("a", (struct sent){.n = 1, .at_ms = 5000});
    ck_good();
}
END_TEST

START_TEST(a_new_conversation_on_an_at_risk_line_is_found)
{
    acked("a", 1);
    line_is(1000, 2, "AT_RISK", "ACTIVE");
    webhook(1010, 2, "AT_RISK", "ACTIVE");
    send_as("a", (struct sent){.n = 1, .at_ms = 2500, .new_chat = true});
    ck_only(AUDIT_NEW_UNHEALTHY, 1);
}
END_TEST

START_TEST(a_known_conversation_on_an_at_risk_line_may_go)
{
    acked("a", 1);
    line_is(1000, 2, "AT_RISK", "ACTIVE");
    webhook(1010, 2, "AT_RISK", "ACTIVE");
    send_as("a", (struct sent){.n = 1, .at_ms = 2500});
    ck_good();
}
END_TEST

START_TEST(a_retry_of_a_conversation_placed_before_is_no_new_placement)
{
    acked("a", 1);
    send_as("a", (struct sent){.n = 1, .at_ms = 900, .lost = true});
    line_is(1000, 2, "AT_RISK", "ACTIVE");
    webhook(1010, 2, "AT_RISK", "ACTIVE");
    send_as("a", (struct sent){.n = 1, .at_ms = 2500, .new_chat = true});
    ck_good();
}
END_TEST

/* The provider never took `a`, and then the line got worse. */
static void b_is_placed_at_risk_behind_a(void)
{
    send_as("a", (struct sent){.n = 1, .at_ms = 900, .lost = true});
    line_is(1000, 2, "AT_RISK", "ACTIVE");
    webhook(1010, 2, "AT_RISK", "ACTIVE");
    send_as("b", (struct sent){.n = 1, .at_ms = 2500, .new_chat = true});
}

START_TEST(a_job_of_a_conversation_that_another_placed_before_is_no_new_placement)
{
    acked("a", 1);
    acked_state("b", "+1415", "reply", 1, "sent");
    b_is_placed_at_risk_behind_a();
    send_as("a", (struct sent){.n = 1, .at_ms = 2600});
    ck_good();
}
END_TEST

START_TEST(a_job_that_never_went_out_keeps_no_place_for_others)
{
    acked_state("a", "+1415", "campaign", 1, "expired");
    acked_state("b", "+1415", "reply", 1, "sent");
    b_is_placed_at_risk_behind_a();
    ck_only(AUDIT_NEW_UNHEALTHY, 1);
}
END_TEST

START_TEST(a_job_tried_before_keeps_the_place_until_it_has_ended)
{
    static const char one[] =
        "{\"job\":\"j_a\",\"id\":\"a\",\"pool\":\"p\",\"to\":[\"+1415\"],\"class\":\"campaign\","
        "\"n\":1,\"state\":\"expired\",\"ended_mono_ms\":3000}";
    ck_assert_ptr_null(audit_read_acked(audit, one, sizeof one - 1));
    acked_state("b", "+1415", "reply", 1, "sent");
    b_is_placed_at_risk_behind_a();
    ck_good();
}
END_TEST

/* A worker that died with its first try had placed it. */
START_TEST(what_was_tried_unseen_is_not_judged_as_a_new_placement)
{
    for (int attempts = 1; attempts <= 2; attempts++) {
        char line[256];
        int bytes = snprintf(line, sizeof line,
                             "{\"job\":\"j_a\",\"id\":\"a\",\"pool\":\"p\",\"to\":[\"+1415\"],\"class\":\"campaign\","
                             "\"n\":1,\"state\":\"sent\",\"attempts\":%d}",
                             attempts);
        teardown();
        setup();
        ck_assert_ptr_null(audit_read_acked(audit, line, (size_t)bytes));
        line_is(1000, 2, "AT_RISK", "ACTIVE");
        webhook(1010, 2, "AT_RISK", "ACTIVE");
        send_as("a", (struct sent){.n = 1, .at_ms = 2500, .new_chat = true});
        if (attempts == 1)
            ck_only(AUDIT_NEW_UNHEALTHY, 1);
        else
            ck_good();
    }
}
END_TEST

START_TEST(a_lie_is_no_reason_to_hold)
{
    acked("a", 1);
    log_line("{\"type\":\"webhook\",\"event\":\"phone_number.status_updated\",\"line\":\"+1201\","
             "\"reputation\":\"CRITICAL\",\"service\":\"ACTIVE\",\"change\":2,\"lie\":true,\"mono_ms\":10}");
    send_as("a", (struct sent){.n = 1, .at_ms = 5000});
    ck_good();
}
END_TEST

/* So many sends of one line, each so long after the last. */
static void send_many(int count, int64_t each_ms)
{
    for (int i = 0; i < count; i++) {
        char id[16], to[16];
        snprintf(id, sizeof id, "m%d", i);
        snprintf(to, sizeof to, "+14%d", i);
        acked_state(id, to, "campaign", 1, "sent");
        send_as(id, (struct sent){.n = 1, .to = to, .at_ms = 1000 + i * each_ms});
    }
}

START_TEST(a_line_as_fast_as_its_pace_and_late_by_the_grace_is_good)
{
    rules.pace_per_min = 600;
    send_many(11, 0); /* ten of them a second late */
    ck_good();
}
END_TEST

START_TEST(a_line_faster_than_its_pace_is_found)
{
    rules.pace_per_min = 600;
    send_many(12, 0);
    ck_only(AUDIT_PACE, 1);
}
END_TEST

START_TEST(a_line_a_little_too_fast_for_long_is_found)
{
    rules.pace_per_min = 600;
    send_many(200, 90); /* ten more after 100, which is as late as they may be */
    ck_only(AUDIT_PACE, 99);
}
END_TEST

START_TEST(a_line_at_its_pace_for_long_is_good)
{
    rules.pace_per_min = 600;
    send_many(200, 100);
    ck_good();
}
END_TEST

START_TEST(more_new_conversations_than_a_line_may_begin_are_found)
{
    rules.new_per_line = 2;
    for (int i = 0; i < 4; i++) {
        char id[16], to[16];
        snprintf(id, sizeof id, "m%d", i);
        snprintf(to, sizeof to, "+14%d", i);
        acked_state(id, to, "campaign", 1, "sent");
        send_as(id, (struct sent){.n = 1, .to = to, .new_chat = true, .line = i < 3 ? "+1201" : "+1202"});
    }
    ck_only(AUDIT_NEW_MANY, 1);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_conversation_that_changes_its_line_is_found_unless_allowed,
        a_send_begun_on_a_critical_line_a_second_after_the_200_is_found,
        a_send_begun_within_the_second_is_told_but_no_violation,
        a_refused_send_on_a_held_line_was_begun_all_the_same,
        at_risk_does_not_end_a_hold_and_healthy_does,
        a_critical_that_comes_after_its_recovery_holds_nothing,
        a_line_that_nobody_was_told_of_is_not_held,
        a_lifted_flag_ends_the_hold_though_the_line_is_at_risk,
        a_new_conversation_on_an_at_risk_line_is_found,
        a_known_conversation_on_an_at_risk_line_may_go,
        a_retry_of_a_conversation_placed_before_is_no_new_placement,
        a_job_of_a_conversation_that_another_placed_before_is_no_new_placement,
        a_job_that_never_went_out_keeps_no_place_for_others,
        a_job_tried_before_keeps_the_place_until_it_has_ended,
        what_was_tried_unseen_is_not_judged_as_a_new_placement,
        a_lie_is_no_reason_to_hold,
        a_line_as_fast_as_its_pace_and_late_by_the_grace_is_good,
        a_line_faster_than_its_pace_is_found,
        a_line_a_little_too_fast_for_long_is_found,
        a_line_at_its_pace_for_long_is_good,
        more_new_conversations_than_a_line_may_begin_are_found,
    };
    return run_suite("sandbox_audit_lines", tests, sizeof tests / sizeof *tests);
}
