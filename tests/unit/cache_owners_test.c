/* What other brokers say of themselves through Redis: read within bounds, whatever stands there. */
#include "broker/cache/cache_owners.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "broker/edge/owners.h"
#include "lineward/json.h"
#include "tests/support/suite.h"

static struct conf *conf;
static struct cache_owners *owners;

static const char conf_text[] = "broker: {producers_address: \"tcp://10.0.0.1:7710\"}\n"
                                "accounts:\n  x: {api_key_file: k}\n  y: {api_key_file: k}\n"
                                "pools:\n"
                                "  mine: {account: x}\n"
                                "  far: {account: y, owner: \"tcp://10.0.0.9:7710\", owner_admin: \"https://h9\"}\n"
                                "  near: {account: x, lines: [\"+12025550101\"]}\n";

static void setup(void)
{
    struct conf_problem problem;
    ck_assert_int_eq(conf_parse(&conf, conf_text, sizeof conf_text - 1, "t.yaml", "/tmp", NULL, 0, &problem), ERR_NONE);
    const struct cache_owners_options options = {.conf = conf, .nonce = "me"};
    owners = cache_owners_new(&options);
    ck_assert_ptr_nonnull(owners);
}

static void teardown(void)
{
    cache_owners_free(&owners);
    conf_free(&conf);
}

static void answer(uint32_t account, const char *text)
{
    cJSON *json = json_parse(text, strlen(text), NULL);
    ck_assert_ptr_nonnull(json);
    cache_owners_answered(owners, account, json);
    cJSON_Delete(json);
}

#define BROKER(by, address, till, pools)                                                                             \
    "\"" by "\":{\"address\":\"" address "\",\"till\":" till ",\"pools\":[" pools "]}"
#define ALL(...) "{\"owners\":{" __VA_ARGS__ "}}"

static void ck_at(const char *pool, const char *address)
{
    struct cache_owner owner;
    bool found = cache_owners_find(owners, pool, &owner);
    ck_assert_msg(found == (address != NULL), "%s: %s", pool, found ? owner.producers : "not found");
    if (found)
        ck_assert_str_eq(owner.producers, address);
}

START_TEST(what_others_own_is_known_until_they_say_otherwise)
{
    answer(0, ALL(BROKER("b", "tcp://10.0.0.2:7710", "5", "\"p\",\"q\"") "," BROKER("c", "tcp://10.0.0.3:7710", "5", "\"r\"")));
    answer(1, ALL(BROKER("b", "tcp://10.0.0.2:7710", "5", "\"s\"")));
    ck_at("p", "tcp://10.0.0.2:7710");
    ck_at("r", "tcp://10.0.0.3:7710");
    ck_at("s", "tcp://10.0.0.2:7710");
    ck_at("t", NULL);
    answer(0, ALL(BROKER("b", "tcp://10.0.0.4:7710", "6", "\"q\",\"t\"")));
    ck_at("p", NULL);
    ck_at("r", NULL);
    ck_at("q", "tcp://10.0.0.4:7710");
    ck_at("t", "tcp://10.0.0.4:7710");
    ck_at("s", "tcp://10.0.0.2:7710"); /* of the other account */
    cache_owners_answered(owners, 0, NULL); /* Redis is away: what is known stands */
    answer(0, "{\"refused\":true}");
    ck_at("t", "tcp://10.0.0.4:7710");
    answer(0, ALL());
    ck_at("t", NULL);
}
END_TEST

START_TEST(the_heir_of_a_dead_broker_is_believed_and_our_own_word_is_not_heard_back)
{
    answer(0, ALL(BROKER("old", "tcp://10.0.0.2:7710", "9", "\"p\"") "," BROKER("new", "tcp://10.0.0.3:7710", "8", "\"p\"")));
    ck_at("p", "tcp://10.0.0.2:7710");
    answer(0, ALL(BROKER("old", "tcp://10.0.0.2:7710", "9", "\"p\"") "," BROKER("new", "tcp://10.0.0.3:7710", "13", "\"p\"")));
    ck_at("p", "tcp://10.0.0.3:7710");
    answer(0, ALL(BROKER("me", "tcp://10.0.0.1:7710", "9", "\"mine\"")));
    ck_at("mine", NULL);
}
END_TEST

START_TEST(what_no_broker_writes_there_is_passed_over)
{
    static const char *const wrong[] = {
        BROKER("b", "tcp://*:7710", "5", "\"p\""),
        BROKER("b", "http://h:1", "5", "\"p\""),
        BROKER("b", "", "5", "\"p\""),
        BROKER("b", "ipc:///a\\nevent=forged", "5", "\"p\""),
        BROKER("b", "ipc:///a\\\" x=\\\"", "5", "\"p\""),
        BROKER("b", "tcp://h:1", "\"5\"", "\"p\""),
        BROKER("b", "tcp://h:1", "5", "\"p q\",\"\",5,null,{}"),
        "\"b\":{\"address\":5,\"till\":5,\"pools\":[\"p\"]}",
        "\"b\":{\"address\":\"tcp://h:1\",\"till\":5,\"pools\":\"p\"}",
        "\"b\":{\"address\":\"tcp://h:1\",\"till\":5,\"pools\":[\"p\"],\"admin\":\"http://10.0.0.2:1\"}",
        "\"b\":{\"address\":\"tcp://h:1\",\"till\":5,\"pools\":[\"p\"],\"admin\":\"https://a b\"}",
        "\"b\":{\"address\":\"tcp://h:1\",\"till\":5,\"pools\":[\"p\"],\"admin\":\"https://h:99999\"}",
        "\"b\":{\"address\":\"tcp://h:1\",\"till\":5,\"pools\":[\"p\"],\"admin\":\"https://h?a=b\"}",
        "\"b\":5",
        ("\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\":{\"address\":\"tcp://h:1\","
         "\"till\":5,\"pools\":[\"p\"]}")};
    char text[512];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(text, sizeof text, "{\"owners\":{%s}}", wrong[i]);
        answer(0, text);
        ck_at("p", NULL);
    }
    answer(0, "{\"owners\":[1,2]}");
    answer(9, ALL(BROKER("b", "tcp://h:1", "5", "\"p\"")));
    ck_at("p", NULL);
}
END_TEST

START_TEST(more_brokers_and_pools_than_there_is_room_for_are_not_heard)
{
    struct json_out out = {0};
    char name[32];
    json_open(&out, '{');
    json_key(&out, "owners");
    json_open(&out, '{');
    for (int b = 0; b < CACHE_OWNERS_MAX + 3; b++) {
        snprintf(name, sizeof name, "b%d", b);
        json_key(&out, name);
        json_open(&out, '{');
        json_key(&out, "address");
        json_put_string(&out, "tcp://10.0.0.2:7710");
        json_key(&out, "till");
        json_put_int(&out, 5);
        json_key(&out, "pools");
        json_open(&out, '[');
        for (int p = 0; p < 20; p++) {
            snprintf(name, sizeof name, "p%d.%d", b, p);
            json_put_string(&out, name);
        }
        json_close(&out, ']');
        json_close(&out, '}');
    }
    json_close(&out, '}');
    json_close(&out, '}');
    out.comma = false;
    json_put_raw(&out, "", 1); /* a terminator */
    answer(0, out.text);
    json_out_free(&out);
    ck_at("p0.0", "tcp://10.0.0.2:7710");
    ck_at("p203.0", "tcp://10.0.0.2:7710");
    ck_at("p204.19", NULL); /* the 4,097th and on */
    answer(0, ALL());
    ck_at("p0.0", NULL);
}
END_TEST

START_TEST(a_living_word_is_newer_than_the_file_and_ours_is_ours)
{
    struct owner_place place;
    uint32_t pool = 99;
    answer(0, ALL(BROKER("b", "tcp://10.0.0.2:7710", "5", "\"far\",\"mine\",\"p\"")));
    ck_assert_int_eq(owners_find_pool(conf, owners, NULL, "mine", &pool, &place), CODE_NONE);
    ck_assert_uint_eq(pool, 0);
    ck_assert_int_eq(owners_find_pool(conf, owners, NULL, "far", &pool, &place), CODE_NOT_OWNER);
    ck_assert_str_eq(place.producers, "tcp://10.0.0.2:7710");
    ck_assert_ptr_null(place.admin);
    ck_assert_int_eq(owners_find_pool(conf, owners, NULL, "p", &pool, &place), CODE_NOT_OWNER);
    ck_assert_int_eq(owners_find_pool(conf, owners, "mine,far", "p", &pool, &place), CODE_UNKNOWN_POOL);
    ck_assert_int_eq(owners_find_pool(conf, owners, NULL, "q", &pool, &place), CODE_UNKNOWN_POOL);
    answer(0, ALL());
    ck_assert_int_eq(owners_find_pool(conf, owners, NULL, "far", &pool, &place), CODE_NOT_OWNER);
    ck_assert_str_eq(place.producers, "tcp://10.0.0.9:7710");
    ck_assert_str_eq(place.admin, "https://h9");
    ck_assert_int_eq(owners_find_pool(conf, NULL, NULL, "p", &pool, &place), CODE_UNKNOWN_POOL);
    ck_assert_int_eq(owners_find_pool(conf, owners, NULL, "p", &pool, &place), CODE_UNKNOWN_POOL);
}
END_TEST

START_TEST(a_dead_brokers_word_stands_for_pools_of_which_nobody_else_says_anything)
{
    struct owner_place place;
    uint32_t pool = 99;
    answer(0, "{\"clock\":15,\"owners\":{" BROKER("b", "tcp://10.0.0.2:7710", "15", "\"far\",\"p\"") "}}");
    ck_assert_int_eq(owners_find_pool(conf, owners, NULL, "far", &pool, &place), CODE_NOT_OWNER);
    ck_assert_str_eq(place.producers, "tcp://10.0.0.9:7710"); /* the file's */
    ck_assert_int_eq(owners_find_pool(conf, owners, NULL, "p", &pool, &place), CODE_NOT_OWNER);
    ck_assert_str_eq(place.producers, "tcp://10.0.0.2:7710");
    answer(0, "{\"clock\":16,\"owners\":{" BROKER("b", "tcp://10.0.0.2:7710", "31", "\"far\",\"p\"") "}}");
    ck_assert_int_eq(owners_find_pool(conf, owners, NULL, "far", &pool, &place), CODE_NOT_OWNER);
    ck_assert_str_eq(place.producers, "tcp://10.0.0.2:7710");
}
END_TEST

/* ---- what the log says ---- */

static int stderr_kept = -1, pipe_ends[2] = {-1, -1};

static void divert_stderr(void)
{
    stderr_kept = dup(STDERR_FILENO);
    ck_assert_int_eq(pipe2(pipe_ends, O_NONBLOCK), 0);
    dup2(pipe_ends[1], STDERR_FILENO);
}

/* How often, since it was diverted; it is not any more. */
static int said(const char *event)
{
    char text[8192];
    int count = 0;
    dup2(stderr_kept, STDERR_FILENO);
    close(stderr_kept);
    ssize_t bytes = read(pipe_ends[0], text, sizeof text - 1);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    text[bytes > 0 ? bytes : 0] = '\0';
    for (const char *at = text; (at = strstr(at, event)) != NULL; at++)
        count++;
    return count;
}

static void claimed(const char *pools, int64_t first_till, int64_t second_till)
{
    char text[512];
    snprintf(text, sizeof text,
             "{\"clock\":1,\"owners\":{\"b\":{\"address\":\"tcp://10.0.0.9:7710\",\"till\":%lld,\"pools\":[%s]},"
             "\"c\":{\"address\":\"tcp://10.0.0.2:7710\",\"till\":%lld,\"pools\":[%s]}}}",
             (long long)first_till, pools, (long long)second_till, pools);
    answer(0, text);
}

START_TEST(of_two_that_claim_a_pool_the_files_is_asked_else_always_the_same_and_the_log_says_so_once)
{
    static const char pools[] = "\"far\",\"p\"";
    divert_stderr();
    claimed(pools, 15, 16); /* perhaps one of them is dead */
    ck_at("far", "tcp://10.0.0.2:7710");
    for (int64_t till = 20; till < 60; till += 5) {
        claimed(pools, till, till - 4);
        claimed(pools, till, till + 1);
        if (till < 25)
            continue;
        ck_at("far", "tcp://10.0.0.9:7710"); /* which the file names */
        ck_at("p", "tcp://10.0.0.2:7710");
        claimed(pools, till + 2, till + 1);
        ck_at("far", "tcp://10.0.0.9:7710");
        ck_at("p", "tcp://10.0.0.2:7710");
    }
    ck_assert_int_eq(said("event=pool_claimed_twice pool="), 1);
}
END_TEST

START_TEST(a_dead_brokers_word_beside_its_heirs_is_no_claim)
{
    divert_stderr();
    claimed("\"p\"", 15, 16);
    for (int64_t till = 21; till < 60; till += 5) {
        claimed("\"p\"", 20, till);
        ck_at("p", "tcp://10.0.0.2:7710");
    }
    ck_assert_int_eq(said("event=pool_claimed_twice"), 0);
}
END_TEST

/* b's pool was claimed by c as well; that was put right, and much later b dies and c is its heir. */
START_TEST(what_was_claimed_twice_once_is_no_claim_of_the_ones_heir)
{
    claimed("\"far\"", 15, 16);
    claimed("\"far\"", 15, 21);
    if (_i == 1) /* it was put right only after it had been told of */
        claimed("\"far\"", 20, 26);
    claimed("\"far\"", _i == 1 ? 25 : 15, 26);
    answer(0, ALL(BROKER("b", "tcp://10.0.0.9:7710", "50", "\"far\"") "," BROKER("c", "tcp://10.0.0.2:7710", "50", "\"p\"")));
    ck_at("far", "tcp://10.0.0.9:7710");
    divert_stderr();
    claimed("\"far\"", 50, 55);
    ck_at("far", "tcp://10.0.0.2:7710");
    claimed("\"far\"", 50, 60);
    ck_at("far", "tcp://10.0.0.2:7710");
    ck_assert_int_eq(said("event=pool_claimed_twice"), 0);
}
END_TEST

START_TEST(each_pool_of_ours_that_another_calls_its_own_is_told_of_and_again_if_it_is_again)
{
    static const char both[] = "\"mine\",\"near\"", rest[] = "\"near\"";
    divert_stderr();
    claimed(both, 15, 15);
    claimed(both, 20, 15);
    claimed(both, 25, 15);
    ck_assert_int_eq(said("event=pool_owned_twice pool="), 2);
    divert_stderr();
    claimed(rest, 30, 15); /* one of them was put right ... */
    claimed(rest, 35, 15);
    ck_assert_int_eq(said("event=pool_owned_twice"), 0);
    claimed("\"p\"", 40, 15); /* ... and the other */
    divert_stderr();
    claimed(rest, 45, 15);
    claimed(rest, 50, 15);
    ck_assert_int_eq(said("event=pool_owned_twice pool=near"), 1);
}
END_TEST

#define OURS BROKER("me", "tcp://10.0.0.1:7710", "9", "\"mine\"")
#define NAMESAKE BROKER("b", "tcp://10.0.0.1:7710", "9", "\"p\"")

START_TEST(another_one_at_our_address_is_told_of_once_and_what_was_there_before_us_is_not)
{
    divert_stderr();
    answer(0, "{\"clock\":5,\"owners\":{" NAMESAKE "}}"); /* we, before we were started anew */
    answer(0, "{\"clock\":6,\"owners\":{" OURS "}}");
    answer(0, "{\"clock\":5,\"owners\":{" NAMESAKE "}}"); /* the same, by a message that was under way for longer */
    answer(1, "{\"clock\":7,\"owners\":{" NAMESAKE "}}"); /* of the other account, where ours does not stand yet */
    ck_assert_int_eq(said("event=producers_address_twice"), 0);
    divert_stderr();
    answer(0, "{\"clock\":8,\"owners\":{" NAMESAKE "}}");
    answer(0, "{\"clock\":9,\"owners\":{" OURS "}}");
    answer(0, "{\"clock\":10,\"owners\":{" NAMESAKE "}}");
    ck_assert_int_eq(said("event=producers_address_twice address=tcp://10.0.0.1:7710"), 1);
    divert_stderr();
    cache_owners_up(owners, (struct instant){0});
    answer(0, "{\"clock\":11,\"owners\":{" NAMESAKE "}}");
    ck_assert_int_eq(said("event=producers_address_twice"), 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        what_others_own_is_known_until_they_say_otherwise,
        the_heir_of_a_dead_broker_is_believed_and_our_own_word_is_not_heard_back,
        what_no_broker_writes_there_is_passed_over,
        more_brokers_and_pools_than_there_is_room_for_are_not_heard,
        a_living_word_is_newer_than_the_file_and_ours_is_ours,
        a_dead_brokers_word_stands_for_pools_of_which_nobody_else_says_anything,
        of_two_that_claim_a_pool_the_files_is_asked_else_always_the_same_and_the_log_says_so_once,
        a_dead_brokers_word_beside_its_heirs_is_no_claim,
        each_pool_of_ours_that_another_calls_its_own_is_told_of_and_again_if_it_is_again,
        another_one_at_our_address_is_told_of_once_and_what_was_there_before_us_is_not,
    };
    Suite *suite = suite_create("cache_owners");
    TCase *tcase = tcase_create("all");
    tcase_add_checked_fixture(tcase, setup, teardown);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(tcase, tests[i]);
    tcase_add_loop_test(tcase, what_was_claimed_twice_once_is_no_claim_of_the_ones_heir, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
