/* conf_suite.h — for the tests of the configuration file: takes a text or refuses it. Included once per test program. */
#ifndef LINEWARD_TESTS_CONF_SUITE_H
#define LINEWARD_TESTS_CONF_SUITE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/conf.h"

/* The file that the contract shows, with every key at its default. */
static const char sample[] = "broker:\n"
                             "  producers: tcp://127.0.0.1:7710\n"
                             "  workers: tcp://127.0.0.1:7711\n"
                             "  events: tcp://127.0.0.1:7712\n"
                             "  webhooks: 127.0.0.1:7780\n"
                             "  admin: 127.0.0.1:7781\n"
                             "  admin_tokens_file: tokens          # see Admin API\n"
                             "  admin_tls_cert_file:               # PEM\n"
                             "  admin_tls_key_file:\n"
                             "  curve_secret_key_file:\n"
                             "  authorized_keys_dir:\n"
                             "  insecure: false\n"
                             "  jobs_max: 20000000\n"
                             "  heartbeat_ms: 1000\n"
                             "  restart_wait_ms: 5000\n"
                             "store:\n"
                             "  kind: embedded\n"
                             "  path: data\n"
                             "  segment_mb: 64\n"
                             "  history_retention_h: 72\n"
                             "  dedupe_window_h: 72\n"
                             "  dedupe_max: 50000000\n"
                             "cache:\n"
                             "  kind: memory\n"
                             "  redis: redis://127.0.0.1:6379/0\n"
                             "  redis_password_file:\n"
                             "  sentinel_password_file:\n"
                             "  secret_file:\n"
                             "accounts:\n"
                             "  default:\n"
                             "    base_url: https://api.linqapp.com/api/partner\n"
                             "    api_key_file: linq.key\n"
                             "    webhook_secrets_file:\n"
                             "    poll_interval_ms: 30000\n"
                             "    stale_after_ms: 180000\n"
                             "    blind_after_ms: 900000\n"
                             "pools:\n"
                             "  default:\n"
                             "    account: default\n"
                             "    lines: all\n"
                             "    policy: default\n"
                             "policies:\n"
                             "  default:\n"
                             "    pace_per_min: 30\n"
                             "    burst: 1\n"
                             "    at_risk_factor: 0.25\n"
                             "    release_at: HEALTHY\n"
                             "    ramp_percent: [10, 25, 50, 100]\n"
                             "    ramp_step_ms: 1800000\n"
                             "    daily_messages: 7000\n"
                             "    new_conversations_per_day: 50\n"
                             "    distinct_recipients_per_hour: 200\n"
                             "    pair_per_min: 30\n"
                             "    daily_growth_factor: 3.0\n"
                             "    growth_floor: 100\n"
                             "    allow_at_risk_new: false\n"
                             "    on_flagged: hold\n"
                             "    flag_probe_ms: 900000\n"
                             "    on_gone: hold\n"
                             "    cadence_ms: [86400000, 259200000]\n"
                             "    at_risk_chat_gap_ms: 86400000\n"
                             "    quiet_hours:\n"
                             "    first_message_links: refuse\n"
                             "    attempts_max: 8\n"
                             "    retry_base_ms: 1000\n"
                             "    retry_cap_ms: 300000\n"
                             "    lease_ms: 60000\n"
                             "worker:\n"
                             "  broker: [tcp://127.0.0.1:7711]\n"
                             "  curve_secret_key_file:\n"
                             "  broker_public_key_file:\n"
                             "  name:\n"
                             "  slots: 64\n"
                             "  request_timeout_ms: 30000\n";

#define ACCOUNT      "accounts: {default: {api_key_file: key}}\n"
#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct conf *conf; /* of the last text that was taken */
static struct conf_problem problem;

static inline enum err parse_bytes(const char *text, size_t bytes, const char *const *sets, size_t set_count)
{
    char *copy = malloc(bytes > 0 ? bytes : 1); /* of that very size: reading beyond it would be noticed */
    memcpy(copy, text, bytes);
    conf_free(&conf);
    strcpy(problem.text, "untouched");
    enum err err = conf_parse(&conf, copy, bytes, "t.yaml", "/etc/lineward", sets, set_count, &problem);
    free(copy);
    return err;
}

static inline void accept(const char *text)
{
    ck_assert_msg(parse_bytes(text, strlen(text), NULL, 0) == ERR_NONE, "%s\n%s", problem.text, text);
    ck_assert_ptr_nonnull(conf);
}

static inline void refuse_bytes(const char *text, size_t bytes, const char *expected)
{
    ck_assert_msg(parse_bytes(text, bytes, NULL, 0) == ERR_BAD_INPUT, "taken: %s", text);
    ck_assert_ptr_null(conf);
    ck_assert_msg(strstr(problem.text, expected) != NULL, "got:    %s\nwanted: %s", problem.text, expected);
}

static inline void refuse(const char *text, const char *expected)
{
    refuse_bytes(text, strlen(text), expected);
}

/* One --set on top of `text`. */
static inline enum err set(const char *text, const char *one)
{
    return parse_bytes(text, strlen(text), &one, 1);
}

static inline void refuse_set(const char *one, const char *expected)
{
    ck_assert_msg(set(ACCOUNT, one) == ERR_BAD_INPUT, "taken: %s", one);
    ck_assert_msg(strstr(problem.text, expected) != NULL, "got:    %s\nwanted: %s", problem.text, expected);
}

static inline void teardown(void)
{
    conf_free(&conf);
    ck_assert_ptr_null(conf);
    conf_free(&conf);
}

#endif
