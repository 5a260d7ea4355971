/* The configuration file: defaults, every shape of value, and that whatever is wrong is said with its line. */
#include "lineward/conf.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

static struct conf *conf;
static struct conf_problem problem;

static enum err parse_bytes(const char *text, size_t bytes, const char *const *sets, size_t set_count)
{
    char *copy = malloc(bytes > 0 ? bytes : 1); /* of that very size: reading beyond it would be noticed */
    memcpy(copy, text, bytes);
    conf_free(&conf);
    strcpy(problem.text, "untouched");
    enum err err = conf_parse(&conf, copy, bytes, "t.yaml", "/etc/lineward", sets, set_count, &problem);
    free(copy);
    return err;
}

static void accept(const char *text)
{
    ck_assert_msg(parse_bytes(text, strlen(text), NULL, 0) == ERR_NONE, "%s\n%s", problem.text, text);
    ck_assert_ptr_nonnull(conf);
}

static void refuse_bytes(const char *text, size_t bytes, const char *expected)
{
    ck_assert_msg(parse_bytes(text, bytes, NULL, 0) == ERR_BAD_INPUT, "taken: %s", text);
    ck_assert_ptr_null(conf);
    ck_assert_msg(strstr(problem.text, expected) != NULL, "got:    %s\nwanted: %s", problem.text, expected);
}

static void refuse(const char *text, const char *expected)
{
    refuse_bytes(text, strlen(text), expected);
}

/* One --set on top of `text`. */
static enum err set(const char *text, const char *one)
{
    return parse_bytes(text, strlen(text), &one, 1);
}

static void refuse_set(const char *one, const char *expected)
{
    ck_assert_msg(set(ACCOUNT, one) == ERR_BAD_INPUT, "taken: %s", one);
    ck_assert_msg(strstr(problem.text, expected) != NULL, "got:    %s\nwanted: %s", problem.text, expected);
}

static void teardown(void)
{
    conf_free(&conf);
    ck_assert_ptr_null(conf);
    conf_free(&conf);
}

static void check_defaults(const struct conf *c)
{
    ck_assert_str_eq(c->broker.producers, "tcp://127.0.0.1:7710");
    ck_assert_str_eq(c->broker.workers, "tcp://127.0.0.1:7711");
    ck_assert_str_eq(c->broker.events, "tcp://127.0.0.1:7712");
    ck_assert_str_eq(c->broker.webhooks, "127.0.0.1:7780");
    ck_assert_str_eq(c->broker.admin, "127.0.0.1:7781");
    ck_assert_ptr_null(c->broker.admin_tls_cert_file);
    ck_assert_ptr_null(c->broker.curve_secret_key_file);
    ck_assert(!c->broker.insecure);
    ck_assert_int_eq(c->broker.jobs_max, 20000000);
    ck_assert_int_eq(c->broker.heartbeat_ms, 1000);
    ck_assert_int_eq(c->broker.restart_wait_ms, 5000);
    ck_assert_str_eq(c->store.kind, "embedded");
    ck_assert_int_eq(c->store.segment_mb, 64);
    ck_assert_int_eq(c->store.history_retention_h, 72);
    ck_assert_int_eq(conf_ms_of_hours(c->store.history_retention_h), INT64_C(3) * 24 * 60 * 60 * 1000);
    ck_assert_int_eq(c->store.dedupe_window_h, 72);
    ck_assert_int_eq(c->store.dedupe_max, 50000000);
    ck_assert_str_eq(c->cache.kind, "memory");
    ck_assert_str_eq(c->cache.redis, "redis://127.0.0.1:6379/0");
    ck_assert_ptr_null(c->cache.redis_password_file);
    ck_assert_uint_eq(c->account_count, 1);
    ck_assert_str_eq(c->accounts[0].name, "default");
    ck_assert_str_eq(c->accounts[0].base_url, "https://api.linqapp.com/api/partner");
    ck_assert_ptr_null(c->accounts[0].webhook_secrets_file);
    ck_assert_int_eq(c->accounts[0].poll_interval_ms, 30000);
    ck_assert_int_eq(c->accounts[0].stale_after_ms, 180000);
    ck_assert_int_eq(c->accounts[0].blind_after_ms, 900000);
    ck_assert_uint_eq(c->pool_count, 1);
    ck_assert_str_eq(c->pools[0].name, "default");
    ck_assert_uint_eq(c->pools[0].account, 0);
    ck_assert_uint_eq(c->pools[0].policy, 0);
    ck_assert(c->pools[0].all_lines);
    ck_assert_uint_eq(c->pools[0].line_count, 0);
    ck_assert_uint_eq(c->policy_count, 1);
    ck_assert_uint_eq(c->broker.outcome_host_count, 0);
    ck_assert_ptr_null(c->pools[0].outcome_url);
    ck_assert_uint_eq(c->pools[0].outcome_topic_count, 6);
    ck_assert_str_eq(c->pools[0].outcome_topics[5], "job.delivery");
    ck_assert_int_eq(c->pools[0].outcome_timeout_ms, 10000);
    ck_assert_int_eq(c->pools[0].outcome_in_flight, 16);
    const struct conf_policy *p = &c->policies[0];
    static const int64_t ramp[] = {10, 25, 50, 100}, cadence[] = {86400000, 259200000};
    ck_assert_str_eq(p->name, "default");
    ck_assert_int_eq(p->pace_per_min, 30);
    ck_assert_int_eq(p->burst, 1);
    ck_assert_double_eq(p->at_risk_factor, 0.25);
    ck_assert_str_eq(p->release_at, "HEALTHY");
    ck_assert_uint_eq(p->ramp_steps, 4);
    ck_assert_mem_eq(p->ramp_percent, ramp, sizeof ramp);
    ck_assert_int_eq(p->ramp_step_ms, 1800000);
    ck_assert_int_eq(p->daily_messages, 7000);
    ck_assert_int_eq(p->new_conversations_per_day, 50);
    ck_assert_int_eq(p->distinct_recipients_per_hour, 200);
    ck_assert_int_eq(p->pair_per_min, 30);
    ck_assert_double_eq(p->daily_growth_factor, 3.0);
    ck_assert_int_eq(p->growth_floor, 100);
    ck_assert(!p->allow_at_risk_new);
    ck_assert_int_eq(p->on_flagged, ON_CLOSED_HOLD);
    ck_assert_int_eq(p->flag_probe_ms, 900000);
    ck_assert_int_eq(p->on_gone, ON_CLOSED_HOLD);
    ck_assert_uint_eq(p->cadence_steps, 2);
    ck_assert_mem_eq(p->cadence_ms, cadence, sizeof cadence);
    ck_assert_int_eq(p->at_risk_chat_gap_ms, 86400000);
    ck_assert_ptr_null(p->quiet_from);
    ck_assert(!p->first_message_links_allowed);
    ck_assert_int_eq(p->attempts_max, 8);
    ck_assert_int_eq(p->retry_base_ms, 1000);
    ck_assert_int_eq(p->retry_cap_ms, 300000);
    ck_assert_int_eq(p->lease_ms, 60000);
    ck_assert_uint_eq(c->worker.broker_count, 1);
    ck_assert_str_eq(c->worker.brokers[0], "tcp://127.0.0.1:7711");
    ck_assert_ptr_null(c->worker.name);
    ck_assert_int_eq(c->worker.slots, 64);
    ck_assert_int_eq(c->worker.request_timeout_ms, 30000);
}

START_TEST(the_contracts_own_file_says_the_defaults)
{
    accept(sample);
    check_defaults(conf);
    ck_assert_str_eq(conf->broker.admin_tokens_file, "/etc/lineward/tokens");
    ck_assert_str_eq(conf->store.path, "/etc/lineward/data");
    ck_assert_str_eq(conf->accounts[0].api_key_file, "/etc/lineward/linq.key");
}
END_TEST

START_TEST(the_file_we_ship_says_the_defaults)
{
    ck_assert_msg(conf_load(&conf, "deploy/lineward.yaml", NULL, 0, &problem) == ERR_NONE, "%s", problem.text);
    check_defaults(conf);
}
END_TEST

START_TEST(without_a_file_everything_is_default_and_no_key_is_asked_for)
{
    ck_assert_int_eq(conf_load(&conf, NULL, NULL, 0, &problem), ERR_NONE);
    check_defaults(conf);
    ck_assert_ptr_null(conf->accounts[0].api_key_file);
    ck_assert_int_eq(conf->store.path[0], '/');
}
END_TEST

START_TEST(what_a_file_does_not_say_is_default)
{
    accept(ACCOUNT);
    check_defaults(conf);
    accept("broker:\nstore: ~\npools: null\npolicies: {}\n" ACCOUNT);
    check_defaults(conf);
    accept("policies:\n  default:\npools:\n  default: {}\n" ACCOUNT);
    check_defaults(conf);
    accept("policies: {default: {burst: , lease_ms: ~, ramp_percent: null}}\n" ACCOUNT);
    check_defaults(conf);
}
END_TEST

START_TEST(a_file_must_say_where_the_key_of_each_account_is)
{
    refuse("", "t.yaml: accounts.default.api_key_file: is needed");
    refuse("# nothing\n", "t.yaml: accounts.default.api_key_file: is needed");
    refuse("accounts:\n  default:\n", "accounts.default.api_key_file: is needed");
    refuse("accounts:\n  a: {api_key_file: x}\n  b: {poll_interval_ms: 50}\n",
           "t.yaml:3: accounts.b.api_key_file: is needed");
    refuse("accounts:\n  a:\n    api_key_file:\n", "t.yaml:3: accounts.a.api_key_file: is needed");
    ck_assert_int_eq(set("", "accounts.default.api_key_file=k"), ERR_NONE);
    ck_assert_str_eq(conf->accounts[0].api_key_file, "/etc/lineward/k");
}
END_TEST

START_TEST(entries_stand_beside_each_other_and_default_only_where_none_is_named)
{
    accept("accounts: {eu: {api_key_file: /k/eu, poll_interval_ms: 10}, us: {api_key_file: us}}\n"
           "policies: {slow: {pace_per_min: 0, burst: 7}, quick.v2: {pace_per_min: 60000}}\n"
           "pools:\n"
           "  a: {account: us, policy: quick.v2}\n"
           "  b: {account: eu, policy: slow, lines: [\"+12025550101\", +12025550102]}\n"
           "  c: {account: eu, policy: slow, lines: {\"+12025550103\": {daily_level: 5000}, +12025550104: }}\n"
           "  d: {account: eu, policy: slow, lines: []}\n");
    ck_assert_uint_eq(conf->account_count, 2);
    ck_assert_str_eq(conf->accounts[0].api_key_file, "/k/eu");
    ck_assert_int_eq(conf->accounts[0].poll_interval_ms, 10);
    ck_assert_int_eq(conf->accounts[1].poll_interval_ms, 30000);
    ck_assert_uint_eq(conf->policy_count, 2);
    ck_assert_int_eq(conf->policies[0].pace_per_min, 0);
    ck_assert_int_eq(conf->policies[0].burst, 7);
    ck_assert_int_eq(conf->policies[1].burst, 1);
    ck_assert_uint_eq(conf->pool_count, 4);
    ck_assert_uint_eq(conf->pools[0].account, 1);
    ck_assert_uint_eq(conf->pools[0].policy, 1);
    ck_assert(conf->pools[0].all_lines);
    ck_assert(!conf->pools[1].all_lines);
    ck_assert_uint_eq(conf->pools[1].line_count, 2);
    ck_assert_str_eq(conf->pools[1].lines[1].number, "+12025550102");
    ck_assert_int_eq(conf->pools[1].lines[1].daily_level, -1);
    ck_assert_str_eq(conf->pools[2].lines[0].number, "+12025550103");
    ck_assert_int_eq(conf->pools[2].lines[0].daily_level, 5000);
    ck_assert_int_eq(conf->pools[2].lines[1].daily_level, -1);
    ck_assert(!conf->pools[3].all_lines);
    ck_assert_uint_eq(conf->pools[3].line_count, 0);
}
END_TEST

START_TEST(every_shape_of_value_is_read)
{
    accept("broker:\n"
           "  producers: ipc://run/p.sock\n"
           "  workers: ipc:///run/w.sock\n"
           "  events: \"ipc://@lineward\"\n"
           "  webhooks: 0.0.0.0:7780\n"
           "  admin: '[::1]:0'\n"
           "  admin_tokens_file: \"with blank\"\n"
           "policies:\n"
           "  default:\n"
           "    at_risk_factor: 1\n"
           "    ramp_percent:\n"
           "    - 5\n"
           "    - 100\n"
           "    cadence_ms: []\n"
           "    allow_at_risk_new: true\n"
           "    on_flagged: move\n"
           "    on_gone: move\n"
           "    quiet_hours: {from: 21:00, to: \"08:30\", zone: Europe/Berlin}\n"
           "    first_message_links: allow\n"
           "worker: {broker: [\"tcp://127.0.0.1:1\", tcp://localhost:2], name: w.1-a}\n"
           "accounts: {default: {base_url: http://127.0.0.1:9000/api/, api_key_file: ../k}}\n");
    ck_assert_str_eq(conf->broker.producers, "ipc:///etc/lineward/run/p.sock");
    ck_assert_str_eq(conf->broker.workers, "ipc:///run/w.sock");
    ck_assert_str_eq(conf->broker.events, "ipc://@lineward");
    ck_assert_str_eq(conf->broker.webhooks, "0.0.0.0:7780");
    ck_assert_str_eq(conf->broker.admin, "[::1]:0");
    ck_assert_str_eq(conf->broker.admin_tokens_file, "/etc/lineward/with blank");
    const struct conf_policy *p = &conf->policies[0];
    ck_assert_double_eq(p->at_risk_factor, 1);
    ck_assert_uint_eq(p->ramp_steps, 2);
    ck_assert_int_eq(p->ramp_percent[0], 5);
    ck_assert_uint_eq(p->cadence_steps, 0);
    ck_assert(p->allow_at_risk_new);
    ck_assert_int_eq(p->on_flagged, ON_CLOSED_MOVE);
    ck_assert_int_eq(p->on_gone, ON_CLOSED_MOVE);
    ck_assert_str_eq(p->quiet_from, "21:00");
    ck_assert_str_eq(p->quiet_to, "08:30");
    ck_assert_str_eq(p->quiet_zone, "Europe/Berlin");
    ck_assert(p->first_message_links_allowed);
    ck_assert_uint_eq(conf->worker.broker_count, 2);
    ck_assert_str_eq(conf->worker.brokers[1], "tcp://localhost:2");
    ck_assert_str_eq(conf->worker.name, "w.1-a");
    ck_assert_str_eq(conf->accounts[0].base_url, "http://127.0.0.1:9000/api");
    ck_assert_str_eq(conf->accounts[0].api_key_file, "/etc/lineward/../k");
}
END_TEST

START_TEST(quiet_hours_without_a_zone_are_the_recipients)
{
    accept("policies: {default: {quiet_hours: {from: \"23:59\", to: \"00:00\"}}}\n" ACCOUNT);
    ck_assert_str_eq(conf->policies[0].quiet_zone, "recipient");
}
END_TEST

#define HOSTS "broker: {outcome_hosts: [api.example.com, \"http://127.0.0.1\"]}\n"

/* covers: key broker.outcome_hosts, pools.outcome_url, pools.outcome_secrets_file, pools.outcome_topics */
START_TEST(outcomes_go_signed_and_where_the_owner_allows)
{
    accept(HOSTS ACCOUNT "pools: {default: {outcome_url: \"https://api.example.com/h\", outcome_secrets_file: s, "
                         "outcome_topics: [job., pool.paused], outcome_in_flight: 1}}\n");
    ck_assert_uint_eq(conf->broker.outcome_host_count, 2);
    ck_assert_str_eq(conf->pools[0].outcome_url, "https://api.example.com/h");
    ck_assert_str_eq(conf->pools[0].outcome_secrets_file, "/etc/lineward/s");
    ck_assert_uint_eq(conf->pools[0].outcome_topic_count, 2);
    conf_free(&conf);
    accept(HOSTS ACCOUNT "pools: {default: {outcome_url: \"http://127.0.0.1:9/h\", outcome_secrets_file: s}}\n");
    conf_free(&conf);
    refuse(HOSTS ACCOUNT "pools: {default: {outcome_url: \"https://api.example.com/h\"}}\n",
           "outcome_url is set without outcome_secrets_file");
    refuse(HOSTS ACCOUNT "pools: {default: {outcome_secrets_file: s}}\n",
           "outcome_secrets_file is set without outcome_url");
    refuse(HOSTS ACCOUNT "pools:\n  default:\n    outcome_secrets_file: s\n    outcome_url: http://api.example.com/h\n",
           "t.yaml:6: pools: default: outcome_url: broker.outcome_hosts does not name http://api.example.com");
    refuse(ACCOUNT "pools: {default: {outcome_url: \"https://a.b/h?key=hidden\", outcome_secrets_file: s}}\n",
           "broker.outcome_hosts does not name a.b");
    ck_assert_ptr_null(strstr(problem.text, "hidden")); /* an address may hold what others should not read */
    refuse(ACCOUNT "pools: {default: {outcome_url: \"https://u:hidden@a.b/h\", outcome_secrets_file: s}}\n",
           "pools.default.outcome_url: must be https://HOST");
    ck_assert_ptr_null(strstr(problem.text, "hidden"));
    refuse("broker: {outcome_hosts: [\"https://a\"]}\n" ACCOUNT, "https://a is not right here: a name as");
    refuse("broker: {outcome_hosts: a}\n" ACCOUNT, "a list");
    refuse(ACCOUNT "pools: {default: {outcome_topics: []}}\n", "a list of 1 to 16");
    refuse(ACCOUNT "pools: {default: {outcome_topics: [line.gate]}}\n", "line.gate is not right here: the begin");
    refuse(ACCOUNT "pools: {default: {outcome_topics: [\"job.sent,line.\"]}}\n", "the begin of topics");
    refuse(ACCOUNT "pools: {default: {outcome_topics: [job.aaaaaaaaaaaaaaaaaaaaaaaaa]}}\n", "the begin of topics");
}
END_TEST

START_TEST(unknown_keys_are_refused_with_line_and_the_nearest_known_key)
{
    refuse("broker:\n  heartbeet_ms: 5\n" ACCOUNT,
           "t.yaml:2: broker.heartbeet_ms: unknown key; did you mean heartbeat_ms?");
    refuse("policies:\n  p:\n\n    brust: 2\n" ACCOUNT,
           "t.yaml:4: policies.p.brust: unknown key; did you mean burst?");
    refuse("polices: {}\n" ACCOUNT, "t.yaml:1: polices: unknown key; did you mean policies?");
    refuse("worker: {colour: red}\n" ACCOUNT, "unknown key; known here: broker, curve_secret_key_file,");
    refuse("worker: {\"\": red}\n" ACCOUNT, "unknown key");
    refuse("pools: {a: {lines: all, zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz: "
           "1}}\n" ACCOUNT,
           "unknown key; known here: account, policy, lines");
}
END_TEST

START_TEST(what_is_named_twice_is_refused_with_both_lines)
{
    refuse("broker:\n  jobs_max: 5\n  admin: a:1\n  jobs_max: 5\n" ACCOUNT,
           "t.yaml:4: jobs_max: named twice, first in line 2");
    refuse(ACCOUNT "pools:\n  a:\n  b:\n  a:\n", "t.yaml:5: a: named twice, first in line 3");
    refuse(ACCOUNT "broker: {}\nbroker: {}\n", "t.yaml:3: broker: named twice, first in line 2");
}
END_TEST

START_TEST(values_out_of_range_are_refused_with_the_range)
{
    refuse("policies:\n  default:\n    burst: 0\n" ACCOUNT,
           "t.yaml:3: policies.default.burst: 0 is out of range: 1 to 1000");
    refuse("broker: {heartbeat_ms: 9}\n" ACCOUNT, "9 is out of range: 10 to");
    refuse("policies: {default: {pace_per_min: -1}}\n" ACCOUNT, "-1 is out of range: 0 to 60000");
    refuse("policies: {default: {at_risk_factor: 1.01}}\n" ACCOUNT, "out of range: 0.001 to 1");
    refuse("policies: {default: {at_risk_factor: 0}}\n" ACCOUNT, "out of range");
    refuse("policies: {default: {ramp_percent: [10, 101]}}\n" ACCOUNT, "101 is out of range: 1 to 100");
    refuse("broker: {jobs_max: 99999999999999999999999}\n" ACCOUNT, "is out of range");
    refuse("pools: {default: {lines: {+12025550101: {daily_level: -1}}}}\n" ACCOUNT, "out of range: 0 to");
}
END_TEST

/* covers: key store.kind */
START_TEST(values_of_another_kind_are_refused_and_say_what_would_be_right)
{
    static const struct {
        const char *text, *expected;
    } wrong[] = {
        {"broker: {jobs_max: many}", "broker.jobs_max: many is not right here: a whole number"},
        {"broker: {jobs_max: 1.5}", "a whole number"},
        {"broker: {jobs_max: 0x10}", "a whole number"},
        {"broker: {jobs_max: +5}", "a whole number"},
        {"broker: {jobs_max: \" 5\"}", "a whole number"},
        {"broker: {jobs_max: -}", "a whole number"},
        {"broker: {jobs_max: \"\"}", "a whole number"},
        {"broker: {jobs_max: [5]}", "broker.jobs_max: a list is not right here"},
        {"broker: {jobs_max: {a: 5}}", "broker.jobs_max: a map is not right here"},
        {"broker: {insecure: yes}", "true or false"},
        {"broker: {insecure: [true]}", "true or false"},
        {"broker: {admin_tokens_file: \"\"}", "a text"},
        {"broker: {admin_tokens_file: [a]}", "a text"},
        {"broker: 5", "t.yaml:1: broker: keys and values are needed here"},
        {"broker: [a]", "broker: keys and values are needed here"},
        {"pools: [a]", "pools: keys and values are needed here"},
        {"pools: {a: 5}", "pools.a: keys and values are needed here"},
        {"pools: {\"a b\": {}}", "pools: a name is 1 to 64"},
        {"policies: {default: {at_risk_factor: quarter}}", "a number"},
        {"policies: {default: {at_risk_factor: .nan}}", "a number"},
        {"policies: {default: {at_risk_factor: nan}}", "a number"},
        {"policies: {default: {at_risk_factor: 0x1p-1}}", "a number"},
        {"policies: {default: {at_risk_factor: 0.5.5}}", "a number"},
        {"policies: {default: {release_at: AT_RISK}}", "AT_RISK is not right here: HEALTHY"},
        {"policies: {default: {on_flagged: drop}}", "drop is not right here: hold|move"},
        {"policies: {default: {on_flagged: hol}}", "hold|move"},
        {"policies: {default: {on_flagged: hold|move}}", "hold|move"},
        {"policies: {default: {first_message_links: true}}", "refuse|allow"},
        {"policies: {default: {ramp_percent: 50}}", "a list"},
        {"policies: {default: {ramp_percent: []}}", "a list of 1 to 16 is needed, this has 0"},
        {"policies: {default: {ramp_percent: [50, 25]}}", "25 is not right here: each must be above the one before"},
        {"policies: {default: {ramp_percent: [50, 50]}}", "each must be above"},
        {"policies: {default: {ramp_percent: [[1]]}}", "a whole number"},
        {"policies: {default: {cadence_ms: [10,10,10,10,10,10,10,10,10]}}", "a list of 0 to 8 is needed, this has 9"},
        {"policies: {default: {quiet_hours: 21:00}}", "{from: \"21:00\""},
        {"policies: {default: {quiet_hours: {from: \"21:00\"}}}", "{from: \"21:00\""},
        {"policies: {default: {quiet_hours: {from: \"24:00\", to: \"08:00\"}}}", "24:00 is not right here"},
        {"policies: {default: {quiet_hours: {from: \"21:60\", to: \"08:00\"}}}", "21:60 is not right here"},
        {"policies: {default: {quiet_hours: {from: \"21:00\", to: \"8:00\"}}}", "8:00 is not right here"},
        {"policies: {default: {quiet_hours: {from: \"21:00\", to: \"21:00\"}}}", "21:00 is not right here"},
        {"policies: {default: {quiet_hours: {from: \"21:00\", to: \"08:00\", zone: ../x}}}", "IANA zone"},
        {"policies: {default: {quiet_hours: {from: \"21:00\", to: \"08:00\", until: 1}}}", "{from: \"21:00\""},
        {"policies: {default: {quiet_hours: {from: [1], to: \"08:00\"}}}", "{from: \"21:00\""},
        {"pools: {default: {lines: some}}", "all, a list of numbers, or a map of them"},
        {"pools: {default: {lines: [2025550101]}}", "E.164"},
        {"pools: {default: {lines: [[\"+12025550101\"]]}}", "E.164"},
        {"pools: {default: {lines: {+12025550101: 5000}}}", "{daily_level: NUMBER}"},
        {"pools: {default: {lines: {+12025550101: {level: 5}}}}", "{daily_level: NUMBER}"},
        {"pools: {default: {lines: {+12025550101: {daily_level: 5, x: 1}}}}", "{daily_level: NUMBER}"},
        {"cache: {kind: disk}", "memory|redis"},
        {"cache: {redis: 127.0.0.1:6379}", "must be redis://"},
        {"cache: {redis: \"redis://\"}", "must be redis://"},
        {"worker: {name: \"a b\"}", "1 to 64 of"},
        {"worker: {broker: tcp://127.0.0.1:7711}", "a list"},
        {"worker: {broker: []}", "a list of 1 to 64 is needed"},
        {"store: {kind: postgres}", "embedded|redis"},
        {"store: {kind: redis}", "store.kind: redis is not in this version yet"},
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        char text[512];
        snprintf(text, sizeof text, "%s\n" ACCOUNT, wrong[i].text);
        refuse(text, wrong[i].expected);
        ck_assert_msg(strncmp(problem.text, "t.yaml:1: ", 10) == 0, "%s", problem.text);
    }
}
END_TEST

START_TEST(addresses_are_well_formed_or_refused)
{
    static const char *const endpoints[] = {
        "127.0.0.1:7710", "tcp://127.0.0.1", "tcp://:7710",    "tcp://127.0.0.1:",
        "tcp://h:65536",  "tcp://h:1/x",     "tcp://h:1x",     "udp://h:1",
        "inproc://x",     "ipc://",          "tcp://a b:1",    "tcp://[::1:1",
        "tcp://h:1;h2:2", "tcp://u@h:1",     "tcp://[::1]x:1", "tcp://127.0.0.1:**"};
    static const char *const host_ports[] = {"127.0.0.1", ":1",        "h:",   "h:99999", "h:1:2",
                                             "::1:7781",  "tcp://h:1", "h:-1", "h:1/"};
    static const char *const urls[] = {"api.linqapp.com", "ftp://h",      "https://",      "https:///x",
                                       "https://u:p@h/",  "https://h:x/", "https://h/a b", "https://h/?q",
                                       "https://h/#f",    "https://*",    "https://h\\@x/"};
    char text[512];
    for (size_t i = 0; i < COUNT(endpoints); i++) {
        snprintf(text, sizeof text, "broker: {insecure: true, producers: \"%s\"}\n" ACCOUNT, endpoints[i]);
        refuse(text, "t.yaml:1: broker.producers: ");
    }
    for (size_t i = 0; i < COUNT(host_ports); i++) {
        snprintf(text, sizeof text, "broker: {insecure: true, admin: \"%s\"}\n" ACCOUNT, host_ports[i]);
        refuse(text, "t.yaml:1: broker.admin: ");
    }
    for (size_t i = 0; i < COUNT(urls); i++) {
        snprintf(text, sizeof text, "accounts: {default: {api_key_file: k, base_url: '%s'}}\n", urls[i]);
        refuse(text, "t.yaml:1: accounts.default.base_url: must be ");
    }
    snprintf(text, sizeof text, "broker: {producers: \"ipc:///%0110d\"}\n" ACCOUNT, 1);
    refuse(text, "107 bytes");
}
END_TEST

START_TEST(http_goes_to_loopback_only)
{
    static const char *const local[] = {"http://127.0.0.1:1", "http://127.9.9.9/x", "http://[::1]:1/",
                                        "http://localhost", "https://example.com"};
    static const char *const remote[] = {"http://example.com",
                                         "http://10.0.0.1",
                                         "http://127.0.0.1.example.com",
                                         "http://localhost.example.com",
                                         "http://0.0.0.0",
                                         "http://[::]",
                                         "http://127.1",
                                         "http://[::ffff:10.0.0.1]/",
                                         "http://2130706433"};
    char text[256];
    for (size_t i = 0; i < COUNT(local); i++) {
        snprintf(text, sizeof text, "accounts: {default: {api_key_file: k, base_url: '%s'}}\n", local[i]);
        accept(text);
    }
    for (size_t i = 0; i < COUNT(remote); i++) {
        snprintf(text, sizeof text, "accounts: {default: {api_key_file: k, base_url: '%s'}}\n", remote[i]);
        refuse(text, "http is allowed to loopback only");
    }
}
END_TEST

START_TEST(loopback_is_told_from_the_rest)
{
    static const char *const local[] = {"ipc:///x",    "inproc://x",    "tcp://127.0.0.1:1",
                                        "127.0.0.1:1", "[::1]:1",       "localhost:1",
                                        "LOCALHOST:1", "tcp://[::1]:*", "http://127.0.0.1/x:y@z"};
    static const char *const open[] = {"tcp://*:1",
                                       "0.0.0.0:1",
                                       "[::]:1",
                                       "tcp://10.0.0.1:1",
                                       "example.com:1",
                                       "",
                                       "tcp://",
                                       "localhost.x:1",
                                       "tcp://127.0.0.1:1;10.0.0.1:1",
                                       "128.0.0.1:1",
                                       "[fe80::1]:1",
                                       "http://127.0.0.1@h/",
                                       "redis://[::ffff:8.8.8.8]/"};
    for (size_t i = 0; i + 1 < COUNT(local); i++)
        ck_assert_msg(conf_endpoint_is_local(local[i]), "%s", local[i]);
    for (size_t i = 0; i < COUNT(open); i++)
        ck_assert_msg(!conf_endpoint_is_local(open[i]), "%s", open[i]);
}
END_TEST

/* covers: key broker.insecure */
START_TEST(open_endpoints_need_keys_or_the_word_insecure)
{
    refuse("broker:\n  producers: tcp://*:7710\n" ACCOUNT, "t.yaml:2: broker.producers: not on loopback");
    refuse("broker:\n  workers: tcp://0.0.0.0:7711\n" ACCOUNT, "t.yaml:2: broker.workers: not on loopback");
    refuse("broker:\n  events: tcp://10.0.0.1:7712\n" ACCOUNT, "t.yaml:2: broker.events: not on loopback");
    refuse("broker:\n  admin: 0.0.0.0:7781\n" ACCOUNT, "t.yaml:2: broker.admin: not on loopback");
    refuse("worker:\n  broker: [tcp://127.0.0.1:1, tcp://broker.example:7711]\n" ACCOUNT,
           "t.yaml:2: worker.broker: not on loopback");
    accept("broker: {insecure: true, producers: tcp://*:1, workers: tcp://*:2, events: tcp://*:3, admin: \"*:4\"}\n"
           "worker: {broker: [tcp://broker.example:7711]}\n" ACCOUNT);
    accept("broker: {webhooks: 0.0.0.0:7780}\n" ACCOUNT); /* webhooks are signed */
}
END_TEST

/* covers: key broker.insecure */
START_TEST(keys_open_what_they_protect_and_nothing_else)
{
    accept("broker: {producers: tcp://*:1, workers: tcp://*:2, events: tcp://*:3, curve_secret_key_file: k,\n"
           "         authorized_keys_dir: d}\n" ACCOUNT);
    refuse("broker: {admin: \"*:7781\", curve_secret_key_file: k, authorized_keys_dir: d}\n" ACCOUNT,
           "broker.admin: not on loopback: that needs admin_tls_cert_file and admin_tls_key_file");
    accept("broker: {admin: \"*:7781\", admin_tls_cert_file: c, admin_tls_key_file: k}\n" ACCOUNT);
    refuse("broker: {workers: tcp://*:2, admin_tls_cert_file: c, admin_tls_key_file: k}\n" ACCOUNT,
           "broker.workers: not on loopback: that needs curve_secret_key_file and authorized_keys_dir");
    accept("worker: {broker: [tcp://b.example:1], curve_secret_key_file: k, broker_public_key_file: p}\n" ACCOUNT);
    refuse("worker: {broker: [tcp://b.example:1]}\n"
           "broker: {curve_secret_key_file: k, authorized_keys_dir: d}\n" ACCOUNT,
           "worker.broker: not on loopback");
}
END_TEST

START_TEST(half_a_pair_of_keys_is_no_protection)
{
    refuse("broker: {curve_secret_key_file: k}\n" ACCOUNT,
           "curve_secret_key_file is set without authorized_keys_dir: they go together");
    refuse("broker: {authorized_keys_dir: d}\n" ACCOUNT,
           "authorized_keys_dir is set without curve_secret_key_file: they go together");
    refuse("broker: {admin_tls_key_file: k}\n" ACCOUNT, "without admin_tls_cert_file");
    refuse("worker: {curve_secret_key_file: k}\n" ACCOUNT, "without broker_public_key_file");
    refuse("worker: {broker_public_key_file: k}\n" ACCOUNT, "without curve_secret_key_file");
}
END_TEST

START_TEST(two_sockets_do_not_share_an_address)
{
    refuse("broker: {producers: \"tcp://127.0.0.1:7711\"}\n" ACCOUNT,
           "broker.workers: tcp://127.0.0.1:7711 is broker.producers' address: each needs its own");
    refuse("broker:\n  admin: 127.0.0.1:7710\n" ACCOUNT, "t.yaml:2: broker.admin: 127.0.0.1:7710 is broker.producers'");
    refuse("broker: {events: \"ipc:///run/x\", workers: \"ipc:///run/x\"}\n" ACCOUNT, "each needs its own");
    accept("broker: {webhooks: 127.0.0.1:0, admin: 127.0.0.1:0}\n" ACCOUNT);
}
END_TEST

START_TEST(passwords_do_not_belong_into_addresses_and_are_not_repeated)
{
    refuse("cache: {redis: \"redis://:hunter2@h:6379\"}\n" ACCOUNT, "cache.redis_password_file");
    ck_assert_ptr_null(strstr(problem.text, "hunter2"));
}
END_TEST

START_TEST(a_line_belongs_to_one_pool)
{
    refuse(ACCOUNT "pools:\n  a:\n    lines: [\"+12025550101\"]\n  b:\n    lines:\n      \"+12025550101\":\n",
           "t.yaml:7: pools: line +1202*****01 (in pool b) is named twice, first in pool a, line 4 of the file");
    refuse(ACCOUNT "pools: {a: {lines: [\"+12025550101\", \"+12025550101\"]}}\n", "is named twice");
    refuse("accounts: {x: {api_key_file: k}, y: {api_key_file: k}}\n"
           "pools: {a: {account: x, lines: [\"+12025550101\"]}, b: {account: y, lines: [\"+12025550101\"]}}\n",
           "is named twice");
    ck_assert_ptr_null(strstr(problem.text, "+12025550101")); /* problems go to logs, whole numbers do not */
}
END_TEST

START_TEST(all_lines_can_be_taken_once_an_account)
{
    refuse(ACCOUNT "pools:\n  a:\n    lines: all\n  b:\n    lines: all\n",
           "t.yaml:6: pools: pool b: lines: all is taken by pool a of the same account");
    refuse(ACCOUNT "pools: {a: {}, b: {}}\n", "lines: all is taken by pool a");
    accept("accounts: {x: {api_key_file: k}, y: {api_key_file: k}}\npools: {a: {account: x}, b: {account: y}}\n");
    accept(ACCOUNT "pools: {a: {}, b: {lines: [\"+12025550101\"]}}\n");
}
END_TEST

START_TEST(references_must_lead_somewhere)
{
    refuse(ACCOUNT "pools:\n  a:\n    account: defualt\n",
           "t.yaml:4: pools.a.account: there is no account defualt; did you mean default?");
    refuse(ACCOUNT "pools:\n  a:\n    policy: night\n", "t.yaml:4: pools.a.policy: there is no policy night");
    refuse(ACCOUNT "policies: {night: {}}\n", "t.yaml: pools.default.policy: there is no policy default");
    refuse("accounts: {linq: {api_key_file: k}}\n", "t.yaml: pools.default.account: there is no account default");
    refuse(ACCOUNT "pools: {a: {policy: [x]}}\n", "a text");
}
END_TEST

START_TEST(a_lease_must_outlast_the_request_and_three_heartbeats)
{
    refuse(ACCOUNT "policies:\n  p:\n    lease_ms: 33000\npools: {a: {policy: p}}\n",
           "t.yaml:4: policies: p: lease_ms is 33000, but must be above worker.request_timeout_ms + 3 x "
           "broker.heartbeat_ms = 33000");
    refuse(ACCOUNT "worker: {request_timeout_ms: 57000}\n", "t.yaml: policies: default: lease_ms is 60000");
    accept(ACCOUNT "policies: {p: {lease_ms: 33001}}\npools: {a: {policy: p}}\n");
    refuse(ACCOUNT "policies:\n  p: {retry_base_ms: 600000}\npools: {a: {policy: p}}\n",
           "retry_cap_ms is 300000, below retry_base_ms 600000");
}
END_TEST

START_TEST(sets_override_the_file)
{
    ck_assert_int_eq(set(sample, "broker.admin=127.0.0.1:9000"), ERR_NONE);
    ck_assert_str_eq(conf->broker.admin, "127.0.0.1:9000");
    ck_assert_int_eq(set(sample, "policies.default.burst=2"), ERR_NONE);
    ck_assert_int_eq(conf->policies[0].burst, 2);
    ck_assert_int_eq(set(ACCOUNT, "policies.default.burst=2"), ERR_NONE);
    ck_assert_int_eq(conf->policies[0].burst, 2);
    ck_assert_int_eq(set("policies: {v1.2: {}}\npools: {a: {policy: v1.2}}\n" ACCOUNT, "policies.v1.2.burst=3"),
                     ERR_NONE);
    ck_assert_int_eq(conf->policies[0].burst, 3);
    ck_assert_int_eq(set(ACCOUNT, "policies.default.ramp_percent=[50, 100]"), ERR_NONE);
    ck_assert_uint_eq(conf->policies[0].ramp_steps, 2);
    ck_assert_int_eq(set(ACCOUNT, "pools.default.lines={\"+12025550101\": {daily_level: 5}}"), ERR_NONE);
    ck_assert_int_eq(conf->pools[0].lines[0].daily_level, 5);
    ck_assert_int_eq(set(ACCOUNT, "broker.webhooks=*:7780"), ERR_NONE);
    ck_assert_str_eq(conf->broker.webhooks, "*:7780");
    ck_assert_int_eq(set(sample, "store.path="), ERR_NONE); /* nothing: the default again */
    ck_assert_str_eq(conf->store.path, "/etc/lineward/data");
    ck_assert_int_eq(set(sample, "store.path=/a=b"), ERR_NONE);
    ck_assert_str_eq(conf->store.path, "/a=b");
    static const char *const sets[] = {"worker.slots=1", "worker.slots=2", "broker.insecure=true"};
    ck_assert_int_eq(parse_bytes(sample, sizeof sample - 1, sets, 3), ERR_NONE);
    ck_assert_int_eq(conf->worker.slots, 2);
    ck_assert(conf->broker.insecure);
    conf_free(&conf);
    ck_assert_int_eq(conf_load(&conf, NULL, sets, 1, &problem), ERR_NONE);
    ck_assert_int_eq(conf->worker.slots, 1);
}
END_TEST

START_TEST(a_wrong_set_is_refused_and_named)
{
    refuse_set("broker.admin", "SECTION.KEY=VALUE");
    refuse_set("=5", "SECTION.KEY=VALUE");
    refuse_set("", "SECTION.KEY=VALUE");
    refuse_set("admin=1", "--set: admin: unknown key");
    refuse_set("brokr.admin=1", "--set: brokr.admin: unknown key");
    refuse_set("broker.amdin=1", "--set: broker.amdin: unknown key; did you mean admin?");
    refuse_set("broker.=1", "unknown key");
    refuse_set("policies.burst=1", "SECTION.NAME.KEY=VALUE is needed");
    refuse_set("policies.night.burst=1", "--set: policies.night.burst: the file has no entry of that name");
    refuse_set("policies.default.burst=0", "--set: policies.default.burst: 0 is out of range");
    refuse_set("policies.default.ramp_percent=[1", "--set: policies.default.ramp_percent: not a list");
    refuse_set("policies.default.ramp_percent=5", "a list");
    refuse_set("accounts.default.api_key_file=", "--set: accounts.default.api_key_file: is needed");
    char text[400];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    text[300] = '=';
    refuse_set(text, "SECTION.KEY=VALUE");
    ck_assert_int_eq(set("broker: 5\n" ACCOUNT, "broker.admin=h:1"), ERR_BAD_INPUT);
    ck_assert_int_eq(set("policies: [1]\n" ACCOUNT, "policies.default.burst=1"), ERR_BAD_INPUT);
}
END_TEST

static size_t idle_count(const char *name)
{
    const char *const *names = NULL;
    size_t found = 0, count = conf_idle_keys(conf, &names);
    for (size_t i = 0; i < count; i++)
        found += strcmp(names[i], name) == 0;
    return found;
}

/* covers: key cache.kind, cache.redis, cache.redis_password_file */
START_TEST(keys_that_do_nothing_yet_are_named_once_and_only_if_set)
{
    const char *const *names = NULL;
    accept(ACCOUNT "broker: {curve_secret_key_file: , jobs_max: 5}\npolicies: {default: {on_flagged: hold}}\n");
    ck_assert_uint_eq(conf_idle_keys(conf, &names), 0);
    accept(ACCOUNT "cache: {kind: redis, redis: \"redis://h:1/0\", redis_password_file: p}\n");
    ck_assert_uint_eq(idle_count("cache.kind"), 1);
    ck_assert_uint_eq(idle_count("cache.redis"), 1);
    ck_assert_uint_eq(idle_count("cache.redis_password_file"), 1);
    ck_assert_uint_eq(conf_idle_keys(conf, &names), 3);
    ck_assert_int_eq(set(ACCOUNT, "cache.redis_password_file=p"), ERR_NONE);
    ck_assert_uint_eq(idle_count("cache.redis_password_file"), 1);
}
END_TEST

/* Hostile files */

START_TEST(anchors_aliases_and_tags_are_refused)
{
    refuse("broker: &a {}\nworker: *a\n", "t.yaml:1: anchors");
    refuse("broker:\n  admin: &x h:1\n", "t.yaml:2: anchors");
    refuse("worker:\n  broker: &x [a]\n", "t.yaml:2: anchors");
    refuse("broker:\n  admin: *x\n", "t.yaml:2: aliases");
    refuse("broker: !!map {}\n", "t.yaml:1: tags");
    refuse("broker: {admin: !x h:1}\n", "t.yaml:1: tags");
    refuse("broker: {<<: {jobs_max: 1}}\n" ACCOUNT, "unknown key");
    refuse("a: &a [x,x]\nb: &b [*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\n", "t.yaml:1: anchors");
}
END_TEST

START_TEST(deep_nesting_is_refused)
{
    static char text[200001];
    memset(text, '[', 200000);
    refuse(text, "nested too deeply");
    memset(text, '{', 200000);
    refuse(text, "t.yaml:1: ");
    for (size_t i = 0; i + 1 < 200000; i += 2)
        memcpy(text + i, "- ", 2);
    refuse(text, "nested too deeply");
    for (size_t i = 0; i + 4 < 200000; i += 4)
        memcpy(text + i, "? ? ", 4);
    refuse(text, "t.yaml:1: ");
}
END_TEST

START_TEST(files_and_values_beyond_their_bounds_are_refused)
{
    size_t bytes = 5u << 20;
    char *text = malloc(bytes + 1);
    memset(text, '#', bytes);
    text[bytes] = '\0';
    refuse(text, "the file is too large");
    size_t used = (size_t)sprintf(text, "worker: {broker: [");
    while (used < (3u << 20))
        used += (size_t)sprintf(text + used, "a,");
    strcpy(text + used, "]}\n");
    refuse(text, "too many values");
    used = (size_t)sprintf(text, ACCOUNT "store: {path: ");
    memset(text + used, 'x', 5000);
    strcpy(text + used + 5000, "}\n");
    refuse(text, "a shorter text");
    ck_assert_uint_lt(strlen(problem.text), 200);
    used = (size_t)sprintf(text, ACCOUNT "policies:\n");
    for (int i = 0; i <= CONF_POLICIES_MAX; i++)
        used += (size_t)sprintf(text + used, "  p%d: {}\n", i);
    refuse(text, "policies: 1025 entries, at most 1024 are allowed");
    free(text);
}
END_TEST

START_TEST(ten_thousand_lines_are_read_and_a_repeat_among_them_found)
{
    char *text = malloc(1u << 20);
    size_t used = (size_t)sprintf(text, ACCOUNT "pools:\n  a:\n    lines:\n");
    for (int i = 0; i < 10000; i++)
        used += (size_t)sprintf(text + used, "    - \"+1202555%04d\"\n", i);
    accept(text);
    ck_assert_uint_eq(conf->pools[0].line_count, 10000);
    sprintf(text + used, "    - \"+12025550042\"\n");
    refuse(text,
           "t.yaml:10005: pools: line +1202*****42 (in pool a) is named twice, first in pool a, line 47 of the file");
    free(text);
}
END_TEST

START_TEST(zero_bytes_and_broken_text_are_refused)
{
    static const char raw[] = "broker: {admin: \"a\0b\"}\n";
    refuse_bytes(raw, sizeof raw - 1, "t.yaml:1: not YAML");
    refuse("broker:\n  admin: \"a\\0b\"\n", "t.yaml:2: a zero byte in a value");
    refuse("broker:\n  admin: \xff\xfe\n", "not YAML");
    refuse("broker:\n  admin: \x01\n", "not YAML");
    refuse("broker:\n\tadmin: h:1\n", "t.yaml:2: not YAML");
    refuse("broker: [\n", "not YAML");
    refuse("broker: {admin: \"x\n", "not YAML");
    refuse("broker: {}\n---\nbroker: {}\n", "t.yaml:2: a second document");
    refuse("- a\n- b\n", "t.yaml:1: file: keys and values are needed here");
    refuse("just words\n", "t.yaml:1: file: keys and values are needed here");
    refuse("? [a]\n: b\n", "a key must be a word");
    refuse("broker: {? {a: b} : c}\n", "a key must be a word");
}
END_TEST

START_TEST(a_value_shown_in_a_problem_cannot_speak_to_the_terminal)
{
    refuse("broker: {jobs_max: \"a\\e[31mb\\nc\"}\n" ACCOUNT, "a?[31mb?c is not right here");
}
END_TEST

START_TEST(a_file_cut_or_changed_anywhere_never_breaks_the_reader)
{
    static const char changes[] = "\0[]{}:-\"'&*!#\n \t%@|>\xff";
    static char text[sizeof sample];
    for (size_t bytes = 0; bytes < sizeof sample - 1; bytes += 7)
        (void)parse_bytes(sample, bytes, NULL, 0);
    for (size_t at = 0; at < sizeof sample - 1; at += 3) {
        memcpy(text, sample, sizeof sample);
        text[at] = changes[at / 3 % (sizeof changes - 1)];
        enum err err = parse_bytes(text, sizeof sample - 1, NULL, 0);
        ck_assert((err == ERR_NONE) == (conf != NULL));
        ck_assert(err == ERR_NONE || strncmp(problem.text, "t.yaml", 6) == 0);
    }
}
END_TEST

/* Files */

static char folder[] = "/tmp/lineward-conf-test-XXXXXX";

static const char *in_folder(const char *name, const char *text)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static void make_folder(void)
{
    strcpy(folder, "/tmp/lineward-conf-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void)
{
    char path[256];
    teardown();
    static const char *const names[] = {"c.yaml", "secret", "none"};
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

START_TEST(relative_paths_start_at_the_files_folder)
{
    char expected[256];
    const char *path = in_folder("c.yaml", "accounts: {default: {api_key_file: keys/linq}}\nstore: {path: /var/l}\n");
    ck_assert_int_eq(conf_load(&conf, path, NULL, 0, &problem), ERR_NONE);
    snprintf(expected, sizeof expected, "%s/keys/linq", folder);
    ck_assert_str_eq(conf->accounts[0].api_key_file, expected);
    ck_assert_str_eq(conf->store.path, "/var/l");
    conf_free(&conf);
    ck_assert_int_eq(chdir(folder), 0);
    ck_assert_int_eq(conf_load(&conf, "c.yaml", NULL, 0, &problem), ERR_NONE);
    ck_assert_str_eq(conf->accounts[0].api_key_file, expected);
    conf_free(&conf);
    ck_assert_int_eq(chdir("/tmp"), 0);
    ck_assert_int_eq(conf_load(&conf, folder + 5, NULL, 0, &problem), ERR_IO); /* a folder is no file */
    snprintf(expected, sizeof expected, "%s/c.yaml", folder + 5);
    ck_assert_int_eq(conf_load(&conf, expected, NULL, 0, &problem), ERR_NONE);
    snprintf(expected, sizeof expected, "%s/keys/linq", folder);
    ck_assert_str_eq(conf->accounts[0].api_key_file, expected);
}
END_TEST

/* covers: key store.dedupe_window_h */
START_TEST(history_is_kept_as_long_as_an_id_is_remembered)
{
    accept("store: {history_retention_h: 1, dedupe_window_h: 5}\n" ACCOUNT);
    ck_assert_int_eq(conf_history_ms(&conf->store), conf_ms_of_hours(5));
    accept("store: {history_retention_h: 7, dedupe_window_h: 5}\n" ACCOUNT);
    ck_assert_int_eq(conf_history_ms(&conf->store), conf_ms_of_hours(7));
}
END_TEST

START_TEST(a_missing_file_is_named)
{
    char path[256];
    snprintf(path, sizeof path, "%s/none.yaml", folder);
    ck_assert_int_eq(conf_load(&conf, path, NULL, 0, &problem), ERR_NOT_FOUND);
    ck_assert_ptr_null(conf);
    ck_assert_ptr_nonnull(strstr(problem.text, "none.yaml: No such file"));
}
END_TEST

START_TEST(a_secret_is_the_first_line_without_blanks_around_it)
{
    static const struct {
        const char *text, *secret;
    } files[] = {{"hunter2", "hunter2"}, {"  hunter2 \t\r\nsecond\n", "hunter2"}, {"a b\n", "a b"}, {"x\n", "x"}};
    for (size_t i = 0; i < COUNT(files); i++) {
        char *secret = conf_read_secret(in_folder("secret", files[i].text));
        ck_assert_ptr_nonnull(secret);
        ck_assert_str_eq(secret, files[i].secret);
        free(secret);
    }
}
END_TEST

START_TEST(a_secret_that_is_not_there_says_why)
{
    errno = 0;
    ck_assert_ptr_null(conf_read_secret(in_folder("secret", "")));
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_ptr_null(conf_read_secret(in_folder("secret", " \nsecond\n")));
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_ptr_null(conf_read_secret("/nonexistent/secret"));
    ck_assert_int_eq(errno, ENOENT);
    char *huge = malloc(10001);
    memset(huge, 'x', 10000);
    huge[10000] = '\0';
    ck_assert_ptr_null(conf_read_secret(in_folder("secret", huge)));
    ck_assert_int_eq(errno, EFBIG);
    free(huge);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conf");
    TCase *tests = tcase_create("conf");
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_test(tests, the_contracts_own_file_says_the_defaults);
    tcase_add_test(tests, the_file_we_ship_says_the_defaults);
    tcase_add_test(tests, without_a_file_everything_is_default_and_no_key_is_asked_for);
    tcase_add_test(tests, what_a_file_does_not_say_is_default);
    tcase_add_test(tests, a_file_must_say_where_the_key_of_each_account_is);
    tcase_add_test(tests, entries_stand_beside_each_other_and_default_only_where_none_is_named);
    tcase_add_test(tests, every_shape_of_value_is_read);
    tcase_add_test(tests, quiet_hours_without_a_zone_are_the_recipients);
    tcase_add_test(tests, outcomes_go_signed_and_where_the_owner_allows);
    tcase_add_test(tests, unknown_keys_are_refused_with_line_and_the_nearest_known_key);
    tcase_add_test(tests, what_is_named_twice_is_refused_with_both_lines);
    tcase_add_test(tests, values_out_of_range_are_refused_with_the_range);
    tcase_add_test(tests, values_of_another_kind_are_refused_and_say_what_would_be_right);
    tcase_add_test(tests, addresses_are_well_formed_or_refused);
    tcase_add_test(tests, http_goes_to_loopback_only);
    tcase_add_test(tests, loopback_is_told_from_the_rest);
    tcase_add_test(tests, open_endpoints_need_keys_or_the_word_insecure);
    tcase_add_test(tests, keys_open_what_they_protect_and_nothing_else);
    tcase_add_test(tests, half_a_pair_of_keys_is_no_protection);
    tcase_add_test(tests, two_sockets_do_not_share_an_address);
    tcase_add_test(tests, passwords_do_not_belong_into_addresses_and_are_not_repeated);
    tcase_add_test(tests, a_line_belongs_to_one_pool);
    tcase_add_test(tests, all_lines_can_be_taken_once_an_account);
    tcase_add_test(tests, references_must_lead_somewhere);
    tcase_add_test(tests, a_lease_must_outlast_the_request_and_three_heartbeats);
    tcase_add_test(tests, sets_override_the_file);
    tcase_add_test(tests, a_wrong_set_is_refused_and_named);
    tcase_add_test(tests, keys_that_do_nothing_yet_are_named_once_and_only_if_set);
    suite_add_tcase(suite, tests);
    TCase *hostile = tcase_create("hostile");
    tcase_set_timeout(hostile, 30);
    tcase_add_checked_fixture(hostile, NULL, teardown);
    tcase_add_test(hostile, anchors_aliases_and_tags_are_refused);
    tcase_add_test(hostile, deep_nesting_is_refused);
    tcase_add_test(hostile, files_and_values_beyond_their_bounds_are_refused);
    tcase_add_test(hostile, ten_thousand_lines_are_read_and_a_repeat_among_them_found);
    tcase_add_test(hostile, zero_bytes_and_broken_text_are_refused);
    tcase_add_test(hostile, a_value_shown_in_a_problem_cannot_speak_to_the_terminal);
    tcase_add_test(hostile, a_file_cut_or_changed_anywhere_never_breaks_the_reader);
    suite_add_tcase(suite, hostile);
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, make_folder, remove_folder);
    tcase_add_test(files, relative_paths_start_at_the_files_folder);
    tcase_add_test(files, history_is_kept_as_long_as_an_id_is_remembered);
    tcase_add_test(files, a_missing_file_is_named);
    tcase_add_test(files, a_secret_is_the_first_line_without_blanks_around_it);
    tcase_add_test(files, a_secret_that_is_not_there_says_why);
    suite_add_tcase(suite, files);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
