/* sandbox_audit_rig.h — an auditor, and a small log of what the sandbox saw, a line a call. Included once per test program. */
#ifndef TESTS_UNIT_SANDBOX_AUDIT_RIG_H
#define TESTS_UNIT_SANDBOX_AUDIT_RIG_H

#include <stdarg.h>
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

static inline void setup(void)
{
    audit = audit_new();
    rules = (struct audit_rules){.grace_ms = 1000};
    number = 0;
}

static inline void teardown(void)
{
    audit_free(&audit);
}

static inline void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

static inline void log_line(const char *format, ...)
{
    char line[1024];
    va_list values;
    va_start(values, format);
    int bytes = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    const char *why = audit_read_log(audit, line, (size_t)bytes);
    ck_assert_msg(why == NULL, "%s: %s", why, line);
}

static inline void acked_state(const char *id, const char *to, const char *class, int n, const char *state)
{
    char line[512];
    int bytes = snprintf(line, sizeof line,
                         "{\"job\":\"j_%s\",\"id\":\"%s\",\"pool\":\"p\",\"to\":[\"%s\"],\"class\":\"%s\",\"n\":%d,"
                         "\"state\":\"%s\",\"acked_mono_ms\":1}",
                         id, id, to, class, n, state);
    const char *why = audit_read_acked(audit, line, (size_t)bytes);
    ck_assert_msg(why == NULL, "%s", why);
}

static inline void acked(const char *id, int n)
{
    acked_state(id, "+1415", "campaign", n, "sent");
}

struct sent { /* what differs from a plain good send */
    const char *line, *to, *key, *fault, *more;
    int64_t at_ms, took_ms;
    int n;
    bool lost, duplicate, new_chat;
};

static inline void send_as(const char *id, struct sent how)
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

static inline void line_is(int64_t at_ms, int change, const char *reputation, const char *service)
{
    log_line("{\"type\":\"line\",\"line\":\"+1201\",\"reputation\":\"%s\",\"service\":\"%s\",\"change\":%d,"
             "\"mono_ms\":%lld}",
             reputation, service, change, (long long)at_ms);
}

static inline void webhook(int64_t at_ms, int change, const char *reputation, const char *service)
{
    log_line(
        "{\"type\":\"webhook\",\"event\":\"phone_number.status_updated\",\"line\":\"+1201\",\"reputation\":\"%s\","
        "\"service\":\"%s\",\"change\":%d,\"lie\":false,\"http\":200,\"mono_ms\":%lld}",
        reputation, service, change, (long long)at_ms);
}

static inline struct audit_report verdict(void)
{
    struct audit_report report;
    log_line("{\"type\":\"stop\"}");
    audit_judge(audit, &rules, &report);
    return report;
}

/* Exactly this one check fails, so often. */
static inline void ck_only(enum audit_check wanted, uint64_t count)
{
    struct audit_report report = verdict();
    for (int check = 0; check < AUDIT_CHECK_COUNT; check++)
        ck_assert_msg(report.findings[check].count == (check == (int)wanted ? count : 0), "check %d: %llu", check,
                      (unsigned long long)report.findings[check].count);
    ck_assert(!report.good);
}

static inline void ck_good(void)
{
    struct audit_report report = verdict();
    for (int check = 0; check < AUDIT_CHECK_COUNT; check++)
        ck_assert_msg(report.findings[check].count == 0, "check %d: %s", check, report.findings[check].examples[0]);
    ck_assert(report.good);
}

/* Runs them, each with an auditor of its own. */
static inline int run_suite(const char *name, const TTest *const *tests, size_t count)
{
    return suite_run_all(name, setup, teardown, 60, tests, count);
}

#endif
