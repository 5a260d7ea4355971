/* sandbox_audit_test.c — the auditor catches each breach, and calls a good run good. Small logs, written here. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* The auditor is a program of its own, in no library. */
#include "tests/audit/judge.c"
#include "tests/audit/print.c"
#include "tests/audit/read.c"
#include "tests/audit/texts.c"
#include "tests/support/suite.h"

static struct audit *audit;
static struct audit_rules rules;
static int64_t number;

static void setup(void)
{
    audit = audit_new();
    rules = (struct audit_rules){.grace_ms = 1000};
    number = 0;
}

static void teardown(void)
{
    audit_free(&audit);
}

static void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void log_line(const char *format, ...)
{
    char line[1024];
    va_list values;
    va_start(values, format);
    int bytes = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    const char *why = audit_read_log(audit, line, (size_t)bytes);
    ck_assert_msg(why == NULL, "%s: %s", why, line);
}

static void acked_state(const char *id, const char *to, const char *class, int n, const char *state)
{
    char line[512];
    int bytes = snprintf(line, sizeof line,
                         "{\"job\":\"j_%s\",\"id\":\"%s\",\"pool\":\"p\",\"to\":[\"%s\"],\"class\":\"%s\",\"n\":%d,"
                         "\"state\":\"%s\",\"acked_mono_ms\":1}",
                         id, id, to, class, n, state);
    const char *why = audit_read_acked(audit, line, (size_t)bytes);
    ck_assert_msg(why == NULL, "%s", why);
}

static void acked(const char *id, int n)
{
    acked_state(id, "+1415", "campaign", n, "sent");
}

struct sent { /* what differs from a plain good send */
    const char *line, *to, *key, *fault, *more;
    int64_t at_ms, took_ms;
    int n;
    bool lost, duplicate, new_chat;
};

static void send_as(const char *id, struct sent how)
{
    char key[64];
    snprintf(key, sizeof key, "k_%s", id);
    int64_t at_ms = how.at_ms != 0 ? how.at_ms : 1000 + number * 100;
    log_line("{\"type\":\"request\",\"n\":%lld,\"mono_ms\":%lld,\"line\":\"%s\",\"to\":[\"%s\"],\"new_chat\":%s,"
             "\"key\":\"%s\",\"text\":\"#%d p/%s hello\",\"accepted\":%s,\"duplicate\":%s,\"http\":%d,"
             "\"answered_mono_ms\":%lld,\"delivered\":%s%s}",
             (long long)++number, (long long)at_ms, how.line != NULL ? how.line : "+1201",
             how.to != NULL ? how.to : "+1415", how.new_chat ? "true" : "false", how.key != NULL ? how.key : key,
             how.n, id, how.lost || how.duplicate ? "false" : "true", how.duplicate ? "true" : "false",
             how.lost ? 500 : 202, (long long)(at_ms + how.took_ms), "true", how.more != NULL ? how.more : "");
}

static void line_is(int64_t at_ms, int change, const char *reputation, const char *service)
{
    log_line("{\"type\":\"line\",\"line\":\"+1201\",\"reputation\":\"%s\",\"service\":\"%s\",\"change\":%d,"
             "\"mono_ms\":%lld}",
             reputation, service, change, (long long)at_ms);
}

static void webhook(int64_t at_ms, int change, const char *reputation, const char *service)
{
    log_line(
        "{\"type\":\"webhook\",\"event\":\"phone_number.status_updated\",\"line\":\"+1201\",\"reputation\":\"%s\","
        "\"service\":\"%s\",\"change\":%d,\"lie\":false,\"http\":200,\"mono_ms\":%lld}",
        reputation, service, change, (long long)at_ms);
}

static struct audit_report verdict(void)
{
    struct audit_report report;
    log_line("{\"type\":\"stop\"}");
    audit_judge(audit, &rules, &report);
    return report;
}

/* Exactly this one check fails, so often. */
static void ck_only(enum audit_check wanted, uint64_t count)
{
    struct audit_report report = verdict();
    for (int check = 0; check < AUDIT_CHECK_COUNT; check++)
        ck_assert_msg(report.findings[check].count == (check == (int)wanted ? count : 0), "check %d: %llu", check,
                      (unsigned long long)report.findings[check].count);
    ck_assert(!report.good);
}

static void ck_good(void)
{
    struct audit_report report = verdict();
    for (int check = 0; check < AUDIT_CHECK_COUNT; check++)
        ck_assert_msg(report.findings[check].count == 0, "check %d: %s", check, report.findings[check].examples[0]);
    ck_assert(report.good);
}

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

START_TEST(a_job_of_a_conversation_that_another_placed_before_is_no_new_placement)
{
    acked("a", 1);
    acked_state("b", "+1415", "reply", 1, "sent");
    send_as("a", (struct sent){.n = 1, .at_ms = 900, .lost = true});
    line_is(1000, 2, "AT_RISK", "ACTIVE");
    webhook(1010, 2, "AT_RISK", "ACTIVE");
    send_as("b", (struct sent){.n = 1, .at_ms = 2500, .new_chat = true});
    send_as("a", (struct sent){.n = 1, .at_ms = 2600});
    ck_good();
}
END_TEST

START_TEST(a_job_that_never_went_out_keeps_no_place_for_others)
{
    acked_state("a", "+1415", "campaign", 1, "expired");
    acked_state("b", "+1415", "reply", 1, "sent");
    send_as("a", (struct sent){.n = 1, .at_ms = 900, .lost = true});
    line_is(1000, 2, "AT_RISK", "ACTIVE");
    webhook(1010, 2, "AT_RISK", "ACTIVE");
    send_as("b", (struct sent){.n = 1, .at_ms = 2500, .new_chat = true});
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
    send_as("a", (struct sent){.n = 1, .at_ms = 900, .lost = true});
    line_is(1000, 2, "AT_RISK", "ACTIVE");
    webhook(1010, 2, "AT_RISK", "ACTIVE");
    send_as("b", (struct sent){.n = 1, .at_ms = 2500, .new_chat = true});
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
    const TTest *const tests[] = {a_run_without_fault_is_good,
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
                                  a_job_number_given_twice_is_found,
                                  an_id_acked_twice_under_one_number_is_one_job,
                                  an_empty_audit_is_no_good_audit,
                                  a_log_without_its_end_is_found_unless_allowed,
                                  fewer_holds_than_asked_for_are_found,
                                  a_line_as_fast_as_its_pace_and_late_by_the_grace_is_good,
                                  a_line_faster_than_its_pace_is_found,
                                  a_line_a_little_too_fast_for_long_is_found,
                                  a_line_at_its_pace_for_long_is_good,
                                  more_new_conversations_than_a_line_may_begin_are_found,
                                  what_is_not_understood_stops_the_audit,
                                  the_report_names_every_check_in_both_forms};
    Suite *suite = suite_create("sandbox_audit");
    TCase *tcase = tcase_create("audit");
    tcase_add_checked_fixture(tcase, setup, teardown);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(tcase, tests[i]);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
