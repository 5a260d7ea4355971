/* The configuration file: defaults, every shape of value, values given on the command line. */
#include <stdio.h>

#include "tests/support/suite.h"
#include "tests/unit/conf_suite.h"

static void check_broker_and_store(const struct conf *c)
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
    ck_assert_ptr_null(c->cache.sentinel_password_file);
    ck_assert_ptr_null(c->cache.secret_file);
    ck_assert_uint_eq(c->broker.outcome_host_count, 0);
}

static void check_account_and_pool(const struct conf *c)
{
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
    ck_assert_ptr_null(c->pools[0].outcome_url);
    ck_assert_uint_eq(c->pools[0].outcome_topic_count, 6);
    ck_assert_str_eq(c->pools[0].outcome_topics[5], "job.delivery");
    ck_assert_int_eq(c->pools[0].outcome_timeout_ms, 10000);
    ck_assert_int_eq(c->pools[0].outcome_in_flight, 16);
}

static void check_pace_and_budgets(const struct conf_policy *p)
{
    static const int64_t ramp[] = {10, 25, 50, 100};
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
}

static void check_chats_and_tries(const struct conf_policy *p)
{
    static const int64_t cadence[] = {86400000, 259200000};
    ck_assert_uint_eq(p->cadence_steps, 2);
    ck_assert_mem_eq(p->cadence_ms, cadence, sizeof cadence);
    ck_assert_int_eq(p->at_risk_chat_gap_ms, 86400000);
    ck_assert_ptr_null(p->quiet_from);
    ck_assert(!p->first_message_links_allowed);
    ck_assert_int_eq(p->attempts_max, 8);
    ck_assert_int_eq(p->retry_base_ms, 1000);
    ck_assert_int_eq(p->retry_cap_ms, 300000);
    ck_assert_int_eq(p->lease_ms, 60000);
}

static void check_worker(const struct conf *c)
{
    ck_assert_uint_eq(c->worker.broker_count, 1);
    ck_assert_str_eq(c->worker.brokers[0], "tcp://127.0.0.1:7711");
    ck_assert_ptr_null(c->worker.name);
    ck_assert_int_eq(c->worker.slots, 64);
    ck_assert_int_eq(c->worker.request_timeout_ms, 30000);
}

static void check_defaults(const struct conf *c)
{
    check_broker_and_store(c);
    check_account_and_pool(c);
    check_pace_and_budgets(&c->policies[0]);
    check_chats_and_tries(&c->policies[0]);
    check_worker(c);
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

#define OWNED                                                                                                        \
    ACCOUNT "pools:\n  eu: {owner: \"tcp://10.0.0.1:7710\", lines: [\"+4915155550101\"]}\n"                            \
            "  us: {owner: \"tcp://10.0.0.2:7710\", owner_admin: \"https://10.0.0.2:7781/\"}\n"                       \
            "  own: {lines: [\"+12025550103\"]}\n"

/* covers: key broker.producers_address, broker.admin_address, pools.owner, pools.owner_admin */
START_TEST(one_file_serves_all_brokers_and_each_knows_its_own_pools)
{
    accept(OWNED);
    ck_assert(conf->pools[0].elsewhere && conf->pools[1].elsewhere && !conf->pools[2].elsewhere);
    ck_assert_str_eq(conf->pools[1].owner, "tcp://10.0.0.2:7710");
    ck_assert_str_eq(conf->pools[1].owner_admin, "https://10.0.0.2:7781");
    ck_assert_ptr_null(conf->pools[2].owner);
    accept("broker: {producers_address: \"tcp://10.0.0.1:7710\", admin_address: \"https://10.0.0.1:7781\"}\n" OWNED);
    ck_assert(!conf->pools[0].elsewhere && conf->pools[1].elsewhere && !conf->pools[2].elsewhere);
    ck_assert_str_eq(conf->broker.admin_address, "https://10.0.0.1:7781");
    ck_assert_int_eq(set(OWNED, "broker.producers_address=tcp://10.0.0.2:7710"), ERR_NONE);
    ck_assert(conf->pools[0].elsewhere && !conf->pools[1].elsewhere && !conf->pools[2].elsewhere);
    accept("broker: {insecure: true, producers: \"tcp://10.0.0.1:7710\"}\n" OWNED); /* where it listens, unless told otherwise */
    ck_assert(!conf->pools[0].elsewhere && conf->pools[1].elsewhere);
    accept("pools: {a: {owner: \"ipc://run/a\"}}\n" ACCOUNT);
    ck_assert_str_eq(conf->pools[0].owner, "ipc:///etc/lineward/run/a");
    ck_assert(conf->pools[0].elsewhere);
    refuse(ACCOUNT "pools:\n  a:\n    owner_admin: https://10.0.0.1:7781\n",
           "t.yaml:4: pools: a: owner_admin is set without owner");
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

START_TEST(keys_that_do_nothing_yet_are_named)
{
    const char *const *names = NULL;
    accept(ACCOUNT "broker: {curve_secret_key_file: , jobs_max: 5}\npolicies: {default: {on_flagged: hold}}\n");
    ck_assert_uint_eq(conf_idle_keys(conf, &names), 0);
}
END_TEST

START_TEST(what_only_a_start_can_change_is_named)
{
    const char *names[8];
    struct conf *before = NULL;
    accept(ACCOUNT "cache: {redis_password_file: p}\n");
    before = conf;
    conf = NULL;
    ck_assert_int_eq(set(ACCOUNT "cache: {redis_password_file: p}\n", "cache.redis_password_file=q"), ERR_NONE);
    ck_assert_uint_eq(conf_fixed_differences(conf, before, names, 8), 1);
    ck_assert_str_eq(names[0], "cache.redis_password_file");
    ck_assert_uint_eq(conf_fixed_differences(before, before, names, 8), 0);
    conf_free(&before);
}
END_TEST

START_TEST(what_a_worker_needs_a_restart_for_is_named)
{
    static const struct {
        const char *set, *name;
    } others[] = {{"worker.broker=['tcp://127.0.0.1:5']", "worker.broker"},
                  {"worker.slots=9", "worker.slots"},
                  {"worker.name=other", "worker.name"},
                  {"worker.request_timeout_ms=20000", NULL}};
    const char *names[8];
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct conf *before = NULL;
        accept(ACCOUNT);
        before = conf;
        conf = NULL;
        ck_assert_int_eq(set(ACCOUNT, others[i].set), ERR_NONE);
        size_t count = conf_worker_fixed_differences(&conf->worker, &before->worker, names, 8);
        ck_assert_uint_eq(count, others[i].name != NULL);
        if (others[i].name != NULL)
            ck_assert_str_eq(names[0], others[i].name);
        conf_free(&before);
    }
}
END_TEST

/* A lease is longer than what a worker takes, by the heartbeats after which it begins nothing. */
START_TEST(a_lease_too_short_for_the_heartbeat_in_force_is_no_other_configuration)
{
    struct conf *before = NULL;
    accept(ACCOUNT "broker: {heartbeat_ms: 1000}\n");
    before = conf;
    conf = NULL;
    accept(ACCOUNT "broker: {heartbeat_ms: 10}\npolicies: {default: {lease_ms: 33001}}\n");
    ck_assert_int_eq(conf_keep_fixed(conf, before, &problem), ERR_NONE);
    accept(ACCOUNT "broker: {heartbeat_ms: 10}\npolicies: {default: {lease_ms: 33000}}\n");
    ck_assert_int_eq(conf_keep_fixed(conf, before, &problem), ERR_BAD_INPUT);
    ck_assert_ptr_nonnull(strstr(problem.text, "policies.default.lease_ms"));
    conf_free(&before);
}
END_TEST

/* Hostile files */

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
    tcase_add_test(tests, one_file_serves_all_brokers_and_each_knows_its_own_pools);
    tcase_add_test(tests, sets_override_the_file);
    tcase_add_test(tests, a_wrong_set_is_refused_and_named);
    tcase_add_test(tests, keys_that_do_nothing_yet_are_named);
    tcase_add_test(tests, what_only_a_start_can_change_is_named);
    tcase_add_test(tests, what_a_worker_needs_a_restart_for_is_named);
    tcase_add_test(tests, a_lease_too_short_for_the_heartbeat_in_force_is_no_other_configuration);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
