/* Whatever is wrong in a configuration file is said with its line, the value, and what would be right. */
#include <stdio.h>

#include "tests/support/suite.h"
#include "tests/unit/conf_suite.h"

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
        {"cache: {redis: \"rediss://h:6379\"}", "stunnel"},
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
    static const char *const host_ports[] = {"127.0.0.1",   ":1",          "h:",     "h:99999", "h:1:2",
                                             "::1:7781",    "tcp://h:1",   "h:-1",   "h:1/",    "[h]:1",
                                             "[1.2.3.4]:1", "[1::2::3]:1", "[%lo]:1"};
    static const char *const urls[] = {"api.linqapp.com", "ftp://h",      "https://",       "https:///x",
                                       "https://u:p@h/",  "https://h:x/", "https://h/a b",  "https://h/?q",
                                       "https://h/#f",    "https://*",    "https://h\\@x/", "https://h:0/",
                                       "https://[h]/"};
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
    accept("broker: {insecure: true, admin: \"[fe80::1%eth0]:0\", webhooks: \"[::]:0\"}\n" ACCOUNT);
    snprintf(text, sizeof text, "broker: {producers: \"ipc:///%0110d\"}\n" ACCOUNT, 1);
    refuse(text, "107 bytes");
    static const char *const addresses[] = {"tcp://*:7710", "tcp://h:0",  "tcp://h:*", "tcp://h",      "tcp://h:1;h2:2",
                                            "udp://h:1",    "tcp://u@h:1", "h:1",      "inproc://x", "ipc://"};
    for (size_t i = 0; i < COUNT(addresses); i++) {
        snprintf(text, sizeof text, "broker: {producers_address: \"%s\"}\n" ACCOUNT, addresses[i]);
        refuse(text, "t.yaml:1: broker.producers_address: ");
        snprintf(text, sizeof text, ACCOUNT "pools: {a: {owner: \"%s\"}}\n", addresses[i]);
        refuse(text, "t.yaml:2: pools.a.owner: ");
    }
    snprintf(text, sizeof text, ACCOUNT "pools: {a: {owner: \"tcp://%0250d:1\"}}\n", 1);
    refuse(text, "at most 255 bytes");
    refuse(ACCOUNT "pools: {a: {owner: \"tcp://h:1\", owner_admin: \"http://h:1\"}}\n", "https");
}
END_TEST

/* The broker could not listen there, and a worker would wait for it for ever. */
START_TEST(zeromq_speaks_ipv4_and_listens_at_no_name)
{
    refuse("broker: {producers: \"tcp://[::1]:7710\"}\n" ACCOUNT, "broker.producers: tcp://[::1]:7710 is not right");
    refuse("worker: {broker: [\"tcp://[::1]:7711\"]}\n" ACCOUNT, "tcp://HOST:PORT (a name or an IPv4 address)");
    refuse("broker: {producers_address: \"tcp://[2001:db8::1]:7710\"}\n" ACCOUNT, "IPv4");
    refuse("broker: {workers: tcp://localhost:7711}\n" ACCOUNT, "tcp://127.0.0.1");
    refuse("broker: {events: \"tcp://LocalHost:*\"}\n" ACCOUNT, "tcp://127.0.0.1");
    accept("broker: {producers_address: \"tcp://localhost:7710\"}\nworker: {broker: [tcp://localhost:7711]}\n"
           ACCOUNT);
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

START_TEST(a_number_where_something_else_is_meant_is_not_repeated_whole)
{
    static const char *const wrong[] = {
        "lines: {\"+12025550101\": , \"+12025550101\": }",
        "lines: \n    \"+12025550101\": {daily_level: 5}",
        "lines: {\"+12025550102\": \"+12025550101\"}",
        "lines: \"+12025550101\"",
        "policy: \"+12025550101\"",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[256];
        snprintf(text, sizeof text, ACCOUNT "pools:\n  a:\n    %s\n", wrong[i]);
        refuse(text, "+1202*****01");
        ck_assert_msg(strstr(problem.text, "+12025550101") == NULL, "%s", problem.text);
    }
    refuse(ACCOUNT "\"+12025550101\": {}\n", "t.yaml:2: +1202*****01: unknown key");
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

int main(void)
{
    Suite *suite = suite_create("conf_refuse");
    TCase *tests = tcase_create("conf_refuse");
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_test(tests, unknown_keys_are_refused_with_line_and_the_nearest_known_key);
    tcase_add_test(tests, what_is_named_twice_is_refused_with_both_lines);
    tcase_add_test(tests, values_out_of_range_are_refused_with_the_range);
    tcase_add_test(tests, values_of_another_kind_are_refused_and_say_what_would_be_right);
    tcase_add_test(tests, addresses_are_well_formed_or_refused);
    tcase_add_test(tests, zeromq_speaks_ipv4_and_listens_at_no_name);
    tcase_add_test(tests, http_goes_to_loopback_only);
    tcase_add_test(tests, loopback_is_told_from_the_rest);
    tcase_add_test(tests, open_endpoints_need_keys_or_the_word_insecure);
    tcase_add_test(tests, keys_open_what_they_protect_and_nothing_else);
    tcase_add_test(tests, half_a_pair_of_keys_is_no_protection);
    tcase_add_test(tests, two_sockets_do_not_share_an_address);
    tcase_add_test(tests, passwords_do_not_belong_into_addresses_and_are_not_repeated);
    tcase_add_test(tests, a_line_belongs_to_one_pool);
    tcase_add_test(tests, a_number_where_something_else_is_meant_is_not_repeated_whole);
    tcase_add_test(tests, all_lines_can_be_taken_once_an_account);
    tcase_add_test(tests, references_must_lead_somewhere);
    tcase_add_test(tests, a_lease_must_outlast_the_request_and_three_heartbeats);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
