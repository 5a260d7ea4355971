/* cache.redis: which addresses are taken apart and how, and what is said of those that are not. */
#include "lineward/redis_url.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/suite.h"

static struct redis_url url;
static const char *why;

static void take(const char *text)
{
    why = NULL;
    memset(&url, 0, sizeof url);
    ck_assert_msg(redis_url_parse(text, &url, &why), "%s: must be %s", text, why);
}

static void refuse(const char *text, const char *expected)
{
    struct redis_url before;
    memset(&url, 0x55, sizeof url);
    before = url;
    ck_assert_msg(!redis_url_parse(text, &url, &why), "%s", text);
    ck_assert_msg(strstr(why, expected) != NULL, "%s: must be %s", text, why);
    ck_assert_mem_eq(&url, &before, sizeof url);
}

static void host_is(size_t i, const char *name, unsigned port)
{
    ck_assert_str_eq(url.hosts[i].name, name);
    ck_assert_uint_eq(url.hosts[i].port, port);
}

START_TEST(one_redis_has_a_host_and_perhaps_a_port_a_database_and_a_user)
{
    take("redis://127.0.0.1:6380/7");
    ck_assert_int_eq(url.kind, REDIS_ONE);
    host_is(0, "127.0.0.1", 6380);
    ck_assert_int_eq(url.db, 7);
    ck_assert_str_eq(url.user, "");
    take("redis://lineward@cache.example.com/");
    host_is(0, "cache.example.com", 6379);
    ck_assert_str_eq(url.user, "lineward");
    take("redis://[2001:db8::1]:6380");
    host_is(0, "2001:db8::1", 6380);
    take("redis://[::1]/3");
    host_is(0, "::1", 6379);
    ck_assert_int_eq(url.db, 3);
    take("redis+unix://lineward@/run/redis/redis.sock");
    ck_assert_int_eq(url.kind, REDIS_UNIX);
    ck_assert_str_eq(url.path, "/run/redis/redis.sock");
    ck_assert_str_eq(url.user, "lineward");
    take("redis+unix:///run/a@b"); /* an @ in the path is no user's */
    ck_assert_str_eq(url.path, "/run/a@b");
}
END_TEST

START_TEST(sentinels_and_a_clusters_nodes_are_a_list)
{
    take("redis+sentinel://lineward@a,b:5000,[::1]:5001/main/2");
    ck_assert_int_eq(url.kind, REDIS_SENTINEL);
    ck_assert_uint_eq(url.host_count, 3);
    host_is(0, "a", 26379);
    host_is(1, "b", 5000);
    host_is(2, "::1", 5001);
    ck_assert_str_eq(url.master, "main");
    ck_assert_int_eq(url.db, 2);
    take("redis+sentinel://a/main");
    ck_assert_int_eq(url.db, 0);
    take("redis+cluster://a:7000,b:7001");
    ck_assert_int_eq(url.kind, REDIS_CLUSTER);
    ck_assert_uint_eq(url.host_count, 2);
    host_is(1, "b", 7001);
}
END_TEST

START_TEST(what_is_not_right_is_told_with_what_would_be)
{
    static const struct {
        const char *text, *expected;
    } wrong[] = {
        {"", "redis://, redis+sentinel://"},
        {"redis://", "redis://, redis+sentinel://"},
        {"http://a", "redis://, redis+sentinel://"},
        {"rediss://a:6379", "stunnel"},
        {"redis://:secret@a", "password"},
        {"redis://u:secret@a", "password"},
        {"redis://@a", "a user of"},
        {"redis://a b@c", "a user of"},
        {"redis://a,b", "redis://HOST:PORT/DB"},
        {"redis://a:0", "redis://HOST:PORT/DB"},
        {"redis://a:65536", "redis://HOST:PORT/DB"},
        {"redis://a:", "redis://HOST:PORT/DB"},
        {"redis://a/x", "redis://HOST:PORT/DB"},
        {"redis://a/1/2", "redis://HOST:PORT/DB"},
        {"redis://::1", "redis://HOST:PORT/DB"},
        {"redis://[::1", "redis://HOST:PORT/DB"},
        {"redis://[]", "redis://HOST:PORT/DB"},
        {"redis://[::1]x", "redis://HOST:PORT/DB"},
        {"redis://a$b", "redis://HOST:PORT/DB"},
        {"redis+unix://run", "redis+unix:///PATH"},
        {"redis+sentinel://a", "redis+sentinel://HOST:PORT"},
        {"redis+sentinel://a/", "redis+sentinel://HOST:PORT"},
        {"redis+sentinel://a/m n", "redis+sentinel://HOST:PORT"},
        {"redis+sentinel://a,/main", "redis+sentinel://HOST:PORT"},
        {"redis+sentinel://a,b,c,d,e,f,g,h,i/main", "at most 8"},
        {"redis+cluster://a/1", "no database"},
        {"redis+cluster://,a", "redis+cluster://HOST:PORT"},
    };
    char path[200];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        refuse(wrong[i].text, wrong[i].expected);
    snprintf(path, sizeof path, "redis+unix:///%0150d", 0);
    refuse(path, "107 bytes");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redis_url");
    TCase *tests = tcase_create("addresses of Redis");
    tcase_add_test(tests, one_redis_has_a_host_and_perhaps_a_port_a_database_and_a_user);
    tcase_add_test(tests, sentinels_and_a_clusters_nodes_are_a_list);
    tcase_add_test(tests, what_is_not_right_is_told_with_what_would_be);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
