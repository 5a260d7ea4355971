/* sandbox_audit_test.c — the auditor catches each breach, and calls a good run good: jobs, keys, orders, logs. Of lines:
 * sandbox_audit_lines_test.c. */
#include "tests/unit/sandbox_audit_rig.h"

START_TEST(a_run_without_fault_is_good)
{
    acked("a", 1);
    acked("b", 2);
    send_as("a", (struct sent){.n = 1, .new_chat = true});
    send_as("b", (struct sent){.n = 2});
    struct audit_report report = verdict();
    ck_assert(report.good);
    ck_assert_uint_eq(report.acked, 2);
    ck_assert_uint_eq(report.sent, 2);
    ck_assert_int_eq(report.held_latest_ms, -1);
}
END_TEST

START_TEST(a_duplicate_key_is_absorbed_and_counted)
{
    acked("a", 1);
    send_as("a", (struct sent){.n = 1});
    send_as("a", (struct sent){.n = 1, .duplicate = true});
    struct audit_report report = verdict();
    ck_assert(report.good);
    ck_assert_uint_eq(report.duplicates, 1);
}
END_TEST

START_TEST(an_acked_job_never_sent_is_lost)
{
    acked("a", 1);
    acked("b", 2);
    send_as("a", (struct sent){.n = 1});
    send_as("b", (struct sent){.n = 2, .lost = true});
    ck_only(AUDIT_LOST, 1);
}
END_TEST

START_TEST(a_job_that_ended_withdrawn_is_not_lost_but_must_not_be_sent)
{
    acked_state("a", "+1415", "campaign", 1, "expired");
    acked_state("b", "+1415", "campaign", 2, "cancelled");
    send_as("b", (struct sent){.n = 2});
    ck_only(AUDIT_WITHDRAWN, 1);
}
END_TEST

START_TEST(a_job_accepted_twice_is_sent_twice)
{
    acked("a", 1);
    send_as("a", (struct sent){.n = 1});
    send_as("a", (struct sent){.n = 1});
    ck_only(AUDIT_SENT_TWICE, 1);
}
END_TEST

START_TEST(two_keys_for_one_job_are_found_even_if_only_one_was_accepted)
{
    acked("a", 1);
    send_as("a", (struct sent){.n = 1, .lost = true});
    send_as("a", (struct sent){.n = 1, .key = "other"});
    ck_only(AUDIT_TWO_KEYS, 1);
}
END_TEST

START_TEST(one_key_for_two_jobs_is_found)
{
    acked("a", 1);
    acked("b", 2);
    send_as("a", (struct sent){.n = 1, .key = "same"});
    send_as("b", (struct sent){.n = 2, .key = "same"});
    ck_only(AUDIT_SHARED_KEY, 1);
}
END_TEST

START_TEST(a_send_without_a_key_is_found)
{
    acked("a", 1);
    log_line("{\"type\":\"request\",\"n\":1,\"mono_ms\":5,\"line\":\"+1201\",\"to\":[\"+1415\"],\"key\":null,"
             "\"text\":\"#1 p/a\",\"accepted\":true,\"http\":202}");
    ck_only(AUDIT_NO_KEY, 1);
}
END_TEST

START_TEST(a_key_repeated_with_another_body_is_found)
{
    acked("a", 1);
    send_as("a", (struct sent){.n = 1});
    send_as("a", (struct sent){.n = 1, .duplicate = true, .more = ",\"body_differs\":true"});
    ck_only(AUDIT_BODY_CHANGED, 1);
}
END_TEST

START_TEST(jobs_of_one_class_accepted_out_of_order_are_found)
{
    acked("a", 1);
    acked("b", 2);
    acked("c", 3);
    send_as("b", (struct sent){.n = 2});
    send_as("a", (struct sent){.n = 1});
    send_as("c", (struct sent){.n = 3});
    ck_only(AUDIT_ORDER, 1);
}
END_TEST

START_TEST(order_is_judged_by_the_providers_numbers_not_by_lines_of_the_log)
{
    acked("a", 1);
    acked("b", 2);
    number = 1;
    send_as("b", (struct sent){.n = 2});
    number = 0;
    send_as("a", (struct sent){.n = 1, .at_ms = 500});
    ck_good();
}
END_TEST

START_TEST(classes_and_conversations_have_orders_of_their_own)
{
    acked_state("a", "+1415", "campaign", 1, "sent");
    acked_state("b", "+1415", "reply", 1, "sent");
    acked_state("c", "+1416", "campaign", 1, "sent");
    acked_state("d", "+1415", "campaign", 2, "sent");
    send_as("c", (struct sent){.n = 1, .to = "+1416"});
    send_as("a", (struct sent){.n = 1});
    send_as("b", (struct sent){.n = 1});
    send_as("d", (struct sent){.n = 2});
    ck_good();
}
END_TEST

START_TEST(a_gap_is_no_violation_of_order)
{
    acked("a", 1);
    acked_state("b", "+1415", "campaign", 2, "expired");
    acked("c", 3);
    send_as("a", (struct sent){.n = 1});
    send_as("c", (struct sent){.n = 3});
    ck_good();
}
END_TEST

START_TEST(two_requests_of_a_conversation_at_once_are_found)
{
    acked("a", 1);
    acked_state("b", "+1415", "reply", 1, "sent");
    send_as("a", (struct sent){.n = 1, .at_ms = 1000, .took_ms = 50});
    send_as("b", (struct sent){.n = 1, .at_ms = 1049});
    ck_only(AUDIT_OVERLAP, 1);
}
END_TEST

START_TEST(a_short_request_does_not_hide_a_long_one_that_still_runs)
{
    acked("a", 1);
    acked("b", 2);
    send_as("a", (struct sent){.n = 1, .at_ms = 1000, .took_ms = 500});
    send_as("a", (struct sent){.n = 1, .at_ms = 1500, .took_ms = 5, .duplicate = true});
    send_as("b", (struct sent){.n = 2, .at_ms = 1502, .took_ms = 1});
    ck_only(AUDIT_OVERLAP, 1);
}
END_TEST

START_TEST(a_request_that_begins_when_the_last_ended_does_not_overlap)
{
    acked("a", 1);
    acked("b", 2);
    send_as("a", (struct sent){.n = 1, .at_ms = 1000, .took_ms = 50});
    send_as("b", (struct sent){.n = 2, .at_ms = 1050});
    ck_good();
}
END_TEST

START_TEST(a_message_sent_to_somebody_else_is_found)
{
    acked("a", 1);
    send_as("a", (struct sent){.n = 1, .to = "+1499"});
    ck_only(AUDIT_MIXED_UP, 1);
}
END_TEST

START_TEST(a_job_number_given_twice_is_found)
{
    static const char other[] =
        "{\"job\":\"j_a\",\"id\":\"b\",\"pool\":\"p\",\"to\":[\"+1415\"],\"class\":\"campaign\",\"n\":2}";
    acked("a", 1);
    ck_assert_ptr_null(audit_read_acked(audit, other, sizeof other - 1));
    send_as("a", (struct sent){.n = 1});
    send_as("b", (struct sent){.n = 2});
    ck_only(AUDIT_NUMBER_REUSED, 1);
}
END_TEST

START_TEST(an_id_acked_twice_under_one_number_is_one_job)
{
    acked("a", 1);
    acked("a", 1);
    send_as("a", (struct sent){.n = 1});
    ck_good();
}
END_TEST

START_TEST(an_empty_audit_is_no_good_audit)
{
    ck_only(AUDIT_NOTHING, 1);
}
END_TEST

START_TEST(a_log_without_its_end_is_found_unless_allowed)
{
    acked("a", 1);
    send_as("a", (struct sent){.n = 1});
    struct audit_report report;
    audit_judge(audit, &rules, &report);
    ck_assert_uint_eq(report.findings[AUDIT_INCOMPLETE].count, 1);
    ck_assert(!report.good);
    audit->jobs[0].accepted = 0;
    rules.allow_partial = true;
    audit_judge(audit, &rules, &report);
    ck_assert(report.good);
}
END_TEST

START_TEST(fewer_holds_than_asked_for_are_found)
{
    acked("a", 1);
    send_as("a", (struct sent){.n = 1, .at_ms = 500});
    webhook(1010, 2, "CRITICAL", "ACTIVE");
    rules.holds_min = 2;
    ck_only(AUDIT_FEW_HOLDS, 1);
}
END_TEST

START_TEST(what_is_not_understood_stops_the_audit)
{
    ck_assert_ptr_nonnull(audit_read_log(audit, "{", 1));
    ck_assert_ptr_nonnull(audit_read_log(audit, "{}", 2));
    ck_assert_ptr_nonnull(audit_read_log(audit, "{\"type\":\"line\"}", 15));
    ck_assert_ptr_nonnull(audit_read_acked(audit, "{\"id\":\"a\"}", 10));
}
END_TEST

START_TEST(the_report_names_every_check_in_both_forms)
{
    acked("a", 1);
    struct audit_report report = verdict();
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    audit_print_table(&report, out);
    audit_print_json(&report, out);
    fclose(out);
    ck_assert_ptr_nonnull(strstr(text, "NOT all hold"));
    ck_assert_ptr_nonnull(strstr(text, "\"ok\":false"));
    ck_assert_ptr_nonnull(strstr(text, "\"lost\":1"));
    ck_assert_ptr_nonnull(strstr(text, "p/a, acked as j_a"));
    for (int check = 0; check < AUDIT_CHECK_COUNT; check++)
        ck_assert_ptr_nonnull(strstr(text, checks[check].name));
    free(text);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_run_without_fault_is_good,
        a_duplicate_key_is_absorbed_and_counted,
        an_acked_job_never_sent_is_lost,
        a_job_that_ended_withdrawn_is_not_lost_but_must_not_be_sent,
        a_job_accepted_twice_is_sent_twice,
        two_keys_for_one_job_are_found_even_if_only_one_was_accepted,
        one_key_for_two_jobs_is_found,
        a_send_without_a_key_is_found,
        a_key_repeated_with_another_body_is_found,
        jobs_of_one_class_accepted_out_of_order_are_found,
        order_is_judged_by_the_providers_numbers_not_by_lines_of_the_log,
        classes_and_conversations_have_orders_of_their_own,
        a_gap_is_no_violation_of_order,
        two_requests_of_a_conversation_at_once_are_found,
        a_short_request_does_not_hide_a_long_one_that_still_runs,
        a_request_that_begins_when_the_last_ended_does_not_overlap,
        a_message_sent_to_somebody_else_is_found,
        a_job_number_given_twice_is_found,
        an_id_acked_twice_under_one_number_is_one_job,
        an_empty_audit_is_no_good_audit,
        a_log_without_its_end_is_found_unless_allowed,
        fewer_holds_than_asked_for_are_found,
        what_is_not_understood_stops_the_audit,
        the_report_names_every_check_in_both_forms,
    };
    return run_suite("sandbox_audit", tests, sizeof tests / sizeof *tests);
}
