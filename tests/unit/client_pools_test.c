/* What the C client reads of pools and owners, and how much of it it remembers. */
#include <stdio.h>
#include <string.h>

#include "lib/client_owners.h"
#include "tests/support/suite.h"

START_TEST(what_only_mentions_not_owner_is_no_such_refusal)
{
    static const char *const results[] = {
        "{\"error\":{\"code\":\"busy\",\"message\":\"not_owner\",\"owner\":\"tcp://127.0.0.1:1\"}}",
        "{\"meta\":{\"code\":\"not_owner\",\"owner\":\"tcp://127.0.0.1:1\"}}",
        "{\"error\":\"not_owner\",\"owner\":\"tcp://127.0.0.1:1\"}",
        "{\"error\":[\"not_owner\"]}",
        "[\"not_owner\"]",
        "\"not_owner\"",
        "{\"error\":{\"code\":\"not_owner\"",
        ""};
    char address[CONF_ADDRESS_MAX + 1];
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        ck_assert_msg(!client_result_owner(results[i], strlen(results[i]), address), "%s", results[i]);
    static const char good[] = "{\"id\":\"a\",\"error\":{\"owner\":\"ipc:///run/b\",\"code\":\"not_owner\"}}";
    ck_assert(client_result_owner(good, sizeof good - 1, address));
    ck_assert_str_eq(address, "ipc:///run/b");
}
END_TEST

START_TEST(with_keys_or_from_off_the_machine_a_client_may_go_off_it)
{
    ck_assert(client_may_follow("tcp://127.0.0.1:1", false, "tcp://localhost:2"));
    ck_assert(!client_may_follow("tcp://127.0.0.1:1", false, "tcp://10.0.0.2:2"));
    ck_assert(client_may_follow("tcp://127.0.0.1:1", true, "tcp://10.0.0.2:2"));
    ck_assert(client_may_follow("tcp://10.0.0.1:1", false, "tcp://10.0.0.2:2"));
    ck_assert(client_may_follow("ipc:///a", false, "ipc:///b"));
    ck_assert(!client_may_follow("ipc:///a", true, "tcp://10.0.0.2:2"));
    ck_assert(!client_may_follow("tcp://10.0.0.1:1", true, "ipc:///a"));
    ck_assert(!client_may_follow("inproc://a", true, "inproc://b"));
}
END_TEST

START_TEST(pools_are_remembered_within_bounds)
{
    struct client_owners owners = {.count = 0};
    struct client_pool pool;
    bool doubted;
    for (unsigned i = 0; i < CLIENT_POOLS_MAX + 10; i++) {
        snprintf(pool.name, sizeof pool.name, "p%u", i);
        client_owners_learn(&owners, &pool, 1 + i % 2);
    }
    ck_assert_uint_eq(owners.count, CLIENT_POOLS_MAX);
    ck_assert_uint_eq(client_owners_find(&owners, &pool, &doubted), 1 + (CLIENT_POOLS_MAX + 9) % 2);
    ck_assert_uint_eq(client_owners_find(&owners, &(struct client_pool){"p9"}, &doubted), 0); /* the oldest went */
    ck_assert_uint_eq(client_owners_find(&owners, &(struct client_pool){"p10"}, &doubted), 1);
    ck_assert_uint_eq(client_owners_find(&owners, &(struct client_pool){""}, &doubted), 0);
    client_owners_doubt(&owners, 2);
    ck_assert_uint_eq(client_owners_find(&owners, &(struct client_pool){"p10"}, &doubted), 1);
    ck_assert(!doubted);
    ck_assert_uint_eq(client_owners_find(&owners, &(struct client_pool){"p11"}, &doubted), 2);
    ck_assert(doubted);
    client_owners_learn(&owners, &(struct client_pool){"p11"}, 2);
    ck_assert_uint_eq(client_owners_find(&owners, &(struct client_pool){"p11"}, &doubted), 2);
    ck_assert(!doubted);
    client_owners_forget(&owners, 1);
    ck_assert_uint_eq(client_owners_find(&owners, &(struct client_pool){"p10"}, &doubted), 0);
    ck_assert_uint_eq(client_owners_find(&owners, &(struct client_pool){"p11"}, &doubted), 2);
    ck_assert_uint_eq(owners.count, CLIENT_POOLS_MAX / 2);
}
END_TEST

START_TEST(the_pool_is_read_as_the_broker_reads_it)
{
    static const struct {
        const char *text, *pool;
    } jobs[] = {{"{}", "default"},
                {"{\"pool\":null}", "default"},
                {"{\"pool\":\"eu.1\"}", "eu.1"},
                {"{\"meta\":{\"pool\":\"x\"},\"pool\":\"eu\",\"pool\":\"us\"}", "eu"},
                {"{\"pool\":5}", ""},
                {"{\"pool\":\"\"}", ""},
                {"{\"pool\":\"\\u0065u\"}", ""}, /* asked of whoever the client was made for, each time */
                {"{\"pool\":\"eu\"", ""},
                {"", ""},
                {"[]", ""}};
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++)
        ck_assert_msg(strcmp(client_pool_of_job(jobs[i].text).name, jobs[i].pool) == 0, "%s", jobs[i].text);
    ck_assert_str_eq(client_pool_of_id("eu/a/b").name, "eu");
    ck_assert_str_eq(client_pool_of_id("j_1").name, "");
    ck_assert_str_eq(client_pool_of_id("/a").name, "");
    ck_assert_str_eq(client_pool_of_id("e u/a").name, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client_pools");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, what_only_mentions_not_owner_is_no_such_refusal);
    tcase_add_test(tcase, with_keys_or_from_off_the_machine_a_client_may_go_off_it);
    tcase_add_test(tcase, pools_are_remembered_within_bounds);
    tcase_add_test(tcase, the_pool_is_read_as_the_broker_reads_it);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
