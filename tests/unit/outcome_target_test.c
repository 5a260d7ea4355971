/* Where outcome webhooks may go: hosts by name, addresses by what they are, whatever a name resolves to. */
#include "lineward/outcome_target.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "tests/support/suite.h"

static bool address_ok(const char *const *entries, size_t count, const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return outcome_address_is_allowed(entries, count, (const struct sockaddr *)&v4);
    ck_assert_msg(inet_pton(AF_INET6, text, &v6.sin6_addr) == 1, "%s", text);
    return outcome_address_is_allowed(entries, count, (const struct sockaddr *)&v6);
}

static bool host_ok(const char *entry, const char *url)
{
    struct outcome_target target;
    const char *why = NULL;
    ck_assert_msg(outcome_host_is_valid(entry, &why), "%s: %s", entry, why);
    ck_assert_msg(outcome_url_parse(url, &target, &why), "%s: %s", url, why);
    return outcome_host_is_allowed(&entry, 1, &target);
}

START_TEST(private_addresses_are_refused_in_every_way_of_writing_them)
{
    static const char *const refused[] = {"0.0.0.0",
                                          "0.1.2.3",
                                          "10.0.0.1",
                                          "10.255.255.255",
                                          "100.64.0.1",
                                          "100.127.255.255",
                                          "127.0.0.1",
                                          "127.255.0.1",
                                          "169.254.169.254",
                                          "172.16.0.1",
                                          "172.31.255.255",
                                          "192.0.0.8",
                                          "192.0.2.1",
                                          "192.88.99.1",
                                          "192.168.1.1",
                                          "198.18.0.1",
                                          "198.19.255.255",
                                          "198.51.100.7",
                                          "203.0.113.9",
                                          "224.0.0.1",
                                          "239.255.255.255",
                                          "240.0.0.1",
                                          "255.255.255.255",
                                          "::",
                                          "::1",
                                          "::ffff:10.0.0.1",
                                          "::ffff:127.0.0.1",
                                          "::10.0.0.1",
                                          "fe80::1",
                                          "febf::1",
                                          "fc00::1",
                                          "fd12:3456::1",
                                          "fec0::1",
                                          "ff02::1",
                                          "2001::1",
                                          "2001:db8::1",
                                          "2002:0a00:0001::1",
                                          "2002:7f00:1::",
                                          "64:ff9b::10.0.0.1",
                                          "64:ff9b::169.254.169.254",
                                          "64:ff9b:1::1",
                                          "100::1",
                                          "3fff::1",
                                          "4000::1"};
    static const char *const public[] = {
        "1.1.1.1",         "8.8.8.8",     "9.255.255.255",    "11.0.0.0",         "100.63.0.1",    "100.128.0.1",
        "126.0.0.1",       "128.0.0.1",   "169.253.0.1",      "172.15.0.1",       "172.32.0.1",    "192.0.1.1",
        "192.167.0.1",     "192.169.0.1", "198.17.0.1",       "198.20.0.1",       "223.0.0.1",     "2606:4700::1111",
        "2001:4860::8888", "2a00::1",     "2002:0101:0101::", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        ck_assert_msg(!address_ok(NULL, 0, refused[i]), "%s", refused[i]);
    for (size_t i = 0; i < sizeof public / sizeof *public; i++)
        ck_assert_msg(address_ok(NULL, 0, public[i]), "%s", public[i]);
}
END_TEST

START_TEST(a_socket_of_another_kind_is_no_address)
{
    struct sockaddr local = {.sa_family = AF_UNIX};
    const char *all = "0.0.0.0/0";
    ck_assert(!outcome_address_is_allowed(&all, 1, &local));
}
END_TEST

START_TEST(a_private_address_goes_only_where_it_is_named_itself)
{
    const char *const named[] = {"inner.example.com", "10.1.0.0/20", "http://192.168.7.7", "fd00:1::/32"};
    ck_assert(address_ok(named, 4, "10.1.15.255"));
    ck_assert(!address_ok(named, 4, "10.1.16.0"));
    ck_assert(!address_ok(named, 4, "10.0.255.255"));
    ck_assert(address_ok(named, 4, "::ffff:10.1.0.1"));
    ck_assert(address_ok(named, 4, "192.168.7.7"));
    ck_assert(!address_ok(named, 4, "192.168.7.8"));
    ck_assert(address_ok(named, 4, "fd00:1:ffff::1"));
    ck_assert(!address_ok(named, 4, "fd00:2::1"));
    ck_assert(!address_ok(named, 4, "127.0.0.1")); /* the name's being named is not enough */
}
END_TEST

START_TEST(a_host_is_named_exactly_or_by_what_it_lies_below)
{
    ck_assert(host_ok("api.example.com", "https://api.example.com/hook?a=b"));
    ck_assert(host_ok("api.example.com", "https://API.Example.com:8443"));
    ck_assert(!host_ok("api.example.com", "https://example.com/"));
    ck_assert(!host_ok("api.example.com", "https://xapi.example.com/"));
    ck_assert(!host_ok("api.example.com", "https://api.example.com.evil.net/"));
    ck_assert(host_ok("*.example.com", "https://a.b.example.com/"));
    ck_assert(!host_ok("*.example.com", "https://example.com/"));
    ck_assert(!host_ok("*.example.com", "https://badexample.com/"));
    ck_assert(host_ok("10.1.0.0/16", "https://10.1.2.3/"));
    ck_assert(!host_ok("10.1.0.0/16", "https://10.2.2.3/"));
    ck_assert(host_ok("fd00::/8", "https://[fd00::1]:8443/x"));
    ck_assert(!host_ok("10.1.0.0/16", "https://0xa.1.2.3/")); /* a name, which nobody named */
}
END_TEST

START_TEST(plain_http_is_for_those_that_say_so)
{
    ck_assert(!host_ok("api.example.com", "http://api.example.com/"));
    ck_assert(host_ok("http://api.example.com", "http://api.example.com/"));
    ck_assert(host_ok("http://api.example.com", "https://api.example.com/"));
    ck_assert(!host_ok("127.0.0.1", "http://127.0.0.1:9000/"));
    ck_assert(host_ok("http://127.0.0.1", "http://127.0.0.1:9000/"));
}
END_TEST

START_TEST(urls_are_well_formed_or_refused)
{
    static const char *const good[] = {"https://a",
                                       "https://a.example:443/x/y?z=1&k=%20",
                                       "http://[::1]:80?x",
                                       "https://a?x",
                                       "https://127.0.0.1:65535/",
                                       "https://1.2.3.4"};
    static const char *const bad[] = {"ftp://a",
                                      "https:/a",
                                      "https://",
                                      "https://:443/",
                                      "https://u@a/",
                                      "https://u:p@a/",
                                      "https://a#x",
                                      "https://a/\r\nx",
                                      "https://a b/",
                                      "https://a:0/",
                                      "https://a:65536/",
                                      "https://a:1x/",
                                      "https://a:/",
                                      "https://[::1/",
                                      "https://[a]/",
                                      "https://[1.2.3.4]/",
                                      "https://[::1]x/",
                                      "https://a./",
                                      "https://.a/",
                                      "https://a\\b/",
                                      "https://[fe80::1%25lo]/",
                                      "https://a..b/",
                                      "//a/",
                                      "HTTPS://a/"};
    struct outcome_target target;
    const char *why = NULL;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(outcome_url_parse(good[i], &target, &why), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!outcome_url_parse(bad[i], &target, &why), "%s", bad[i]);
    ck_assert(outcome_url_parse("http://[fd00::1]:81/x", &target, &why));
    ck_assert_str_eq(target.host, "fd00::1");
    ck_assert(target.plain);
}
END_TEST

START_TEST(entries_are_names_or_ranges_or_refused)
{
    static const char *const good[] = {"a",       "a.b-c.d",         "*.a.b",        "10.0.0.0/8", "1.2.3.4",
                                       "::1/128", "http://fd00::/8", "http://*.a.b", "::/0",       "0.0.0.0/0"};
    static const char *const bad[] = {
        "",        "https://a",   "a/b",       "a:80",       "*",       "*.",           "a.*.b",
        "**.a",    "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x", "::1/129", "10.0.0.0/8/8", "10.0.0.0/0008",
        "http://", "a b",         ".a",        "a."};
    const char *why = NULL;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(outcome_host_is_valid(good[i], &why), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!outcome_host_is_valid(bad[i], &why), "%s", bad[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("outcome_target");
    TCase *tests = tcase_create("outcome_target");
    tcase_add_test(tests, private_addresses_are_refused_in_every_way_of_writing_them);
    tcase_add_test(tests, a_socket_of_another_kind_is_no_address);
    tcase_add_test(tests, a_private_address_goes_only_where_it_is_named_itself);
    tcase_add_test(tests, a_host_is_named_exactly_or_by_what_it_lies_below);
    tcase_add_test(tests, plain_http_is_for_those_that_say_so);
    tcase_add_test(tests, urls_are_well_formed_or_refused);
    tcase_add_test(tests, entries_are_names_or_ranges_or_refused);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
