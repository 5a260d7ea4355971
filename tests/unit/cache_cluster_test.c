/* What a Redis Cluster says of who has which keys: answers as it gives them, and ones that are wrong. */
#include "broker/cache/cache_cluster.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/suite.h"

static const struct redis_host asked = {.name = "10.0.0.9", .port = 7009};
static struct redis_host found;

static void must_find(enum cache_redirect expected, const char *error, const char *name, unsigned port)
{
    ck_assert_msg(cache_cluster_redirect(error, &asked, &found) == expected, "%s", error);
    ck_assert_str_eq(found.name, name);
    ck_assert_uint_eq(found.port, port);
}

START_TEST(the_slot_of_a_key_is_that_of_its_tag)
{
    /* of the Cluster's specification, and of CLUSTER KEYSLOT */
    ck_assert_uint_eq(cache_cluster_slot("123456789"), 12739);
    ck_assert_uint_eq(cache_cluster_slot("foo"), 12182);
    ck_assert_uint_eq(cache_cluster_slot(""), 0);
}
END_TEST

START_TEST(who_has_moved_is_followed_and_who_is_between_two_waits)
{
    must_find(CACHE_MOVED, "MOVED 3999 127.0.0.1:6381", "127.0.0.1", 6381);
    must_find(CACHE_MOVED, "MOVED 3999 node-2.example.com:6381", "node-2.example.com", 6381);
    must_find(CACHE_MOVED, "MOVED 3999 2001:db8::1:6381", "2001:db8::1", 6381);
    must_find(CACHE_MOVED, "MOVED 3999 :6382", "10.0.0.9", 6382); /* the same host */
    must_find(CACHE_MOVED, "MOVED 3999 ?:6382", "10.0.0.9", 6382);
    must_find(CACHE_ASK, "ASK 3999 127.0.0.1:6383", "127.0.0.1", 6383);
    ck_assert_int_eq(cache_cluster_redirect("TRYAGAIN Multiple keys request", &asked, &found), CACHE_AGAIN);
}
END_TEST

START_TEST(what_points_nowhere_stays_an_error)
{
    static const char *const wrong[] = {"",
                                        "ERR no",
                                        "MOVED",
                                        "MOVED ",
                                        "MOVED 3999",
                                        "MOVED 3999 h",
                                        "MOVED 3999 h:",
                                        "MOVED 3999 h:0",
                                        "MOVED 3999 h:65536",
                                        "MOVED 3999 h:1x",
                                        "MOVED x h:1",
                                        "MOVED:1",
                                        "ASK h:1",
                                        "CLUSTERDOWN The cluster is down"};
    char text[400];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_msg(cache_cluster_redirect(wrong[i], &asked, &found) == CACHE_STAYS, "%s", wrong[i]);
    snprintf(text, sizeof text, "MOVED 1 %0300d:1", 0);
    ck_assert_int_eq(cache_cluster_redirect(text, &asked, &found), CACHE_STAYS);
}
END_TEST

/* ---- CLUSTER SLOTS ---- */

static redisReply *string(const char *text)
{
    static redisReply all[256];
    static size_t count;
    redisReply *reply = &all[count++];
    *reply = (redisReply){.type = text == NULL ? REDIS_REPLY_NIL : REDIS_REPLY_STRING};
    if (text != NULL) {
        reply->str = (char *)(uintptr_t)text;
        reply->len = strlen(text);
    }
    return reply;
}

static redisReply *integer(long long value)
{
    redisReply *reply = string("");
    *reply = (redisReply){.type = REDIS_REPLY_INTEGER, .integer = value};
    return reply;
}

static redisReply *array(size_t count, redisReply **elements)
{
    redisReply *reply = string("");
    *reply = (redisReply){.type = REDIS_REPLY_ARRAY, .elements = count, .element = elements};
    return reply;
}

static bool finds(redisReply *host, uint16_t slot)
{
    redisReply *first[] = {integer(0), integer(99), array(2, (redisReply *[]){string("10.0.0.1"), integer(7001)})};
    redisReply *second[] = {integer(100), integer(199), array(3, (redisReply *[]){host, integer(7002), string("id")}),
                            array(2, (redisReply *[]){string("10.0.0.3"), integer(7003)})};
    redisReply *ranges[] = {string("no range"), array(1, first), array(3, first), array(4, second)};
    return cache_cluster_find(array(4, ranges), slot, &asked, &found);
}

START_TEST(the_master_of_a_slot_is_found_and_its_replicas_are_not_taken_for_it)
{
    ck_assert(finds(string("10.0.0.2"), 99));
    ck_assert_str_eq(found.name, "10.0.0.1");
    ck_assert(finds(string("10.0.0.2"), 100));
    ck_assert_str_eq(found.name, "10.0.0.2");
    ck_assert_uint_eq(found.port, 7002);
    ck_assert(finds(string(NULL), 100)); /* no address: the one that was asked */
    ck_assert_str_eq(found.name, "10.0.0.9");
    ck_assert(finds(string(""), 199));
    ck_assert_str_eq(found.name, "10.0.0.9");
    ck_assert(!finds(string("10.0.0.2"), 200));
    ck_assert(!finds(integer(5), 100));
    ck_assert(!cache_cluster_find(string("x"), 0, &asked, &found));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cache_cluster");
    TCase *tests = tcase_create("a Cluster's answers");
    tcase_add_test(tests, the_slot_of_a_key_is_that_of_its_tag);
    tcase_add_test(tests, who_has_moved_is_followed_and_who_is_between_two_waits);
    tcase_add_test(tests, what_points_nowhere_stays_an_error);
    tcase_add_test(tests, the_master_of_a_slot_is_found_and_its_replicas_are_not_taken_for_it);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
