/* cache_people_test.c — who must not be sent to, at one broker, with a Redis that does as the test says: what is lost, late,
 * not answered, sealed with another secret. */
#include <sodium.h>

#include "tests/unit/cache_suite.h"

#define SECRET       "one line that all the brokers of an account have"
#define HANDLE       "+14155550107"
#define SCRIPT_FAILS "-ERR user_script:1: no script: 0, on @user_script:1.\r\n"

static struct cache_seal seal;

static void persist(void *self, struct instant now, struct effects *out)
{
    (void)self;
    for (size_t i = 0; i < out->change_count; i++)
        if (out->changes[i].kind == CHANGE_SUPPRESSION && link != NULL)
            cache_link_person(link, &out->changes[i].suppression, now);
    rig_keep(rig);
}

/* In this store a recipient is known by the digits of the number. */
static uint64_t key_of(const char *handle)
{
    return strtoull(handle + 1, NULL, 10);
}

/* Whatever the account. */
static uint64_t person_of(const char *handle)
{
    return key_of(handle) + 1;
}

static size_t keys(void *self, uint32_t account, const char *handle, struct cache_person *out,
                   uint64_t conversations[CONF_POOLS_MAX])
{
    (void)self;
    (void)account;
    *out = (struct cache_person){.person = person_of(handle), .recipient = key_of(handle)};
    conversations[0] = key_of(handle);
    return 1;
}

static void suppress(const char *handle)
{
    struct core_suppress ask = {.token = 5, .recipient = key_of(handle), .handle = handle, .reason = "r", .by = "ops"};
    core_suppress(rig->core, &ask, rig->now, &rig->out);
    persist(NULL, rig->now, &rig->out);
}

static void unsuppress(const char *handle)
{
    struct core_suppress ask = {.token = 6, .recipient = key_of(handle), .handle = handle};
    core_unsuppress(rig->core, &ask, rig->now, &rig->out);
    persist(NULL, rig->now, &rig->out);
}

static bool is_suppressed(const char *handle)
{
    struct suppression_view view;
    return core_suppression_view(rig->core, 0, key_of(handle), &view);
}

static void begin_store(void)
{
    ck_assert_int_ge(sodium_init(), 0);
    ck_assert(cache_seal_make(&seal, SECRET));
    link_options = (struct cache_link_options){.persist = persist, .seal = &seal, .keys = keys};
    begin_apart(ACCOUNT_CONF);
}

static void begin_people(void)
{
    begin_store();
    open_link();
}

/* As Redis has one: `members` say why. */
static const char *person(const struct cache_seal *by, const char *account, const char *handle, const char *members)
{
    static char text[1024];
    char id[CACHE_ID_TEXT], sealed[CACHE_SEALED_TEXT];
    cache_seal_id(by, account, handle, id);
    cache_seal_close(by, handle, sealed);
    snprintf(text, sizeof text, "{\"id\":\"%s\",\"sealed\":\"%s\",\"version\":5,%s}", id, sealed, members);
    return text;
}

static const char *read_of(const char *one, int64_t upto)
{
    static char text[1200];
    snprintf(text, sizeof text, "\"epoch\":1,\"more\":false,\"upto\":%lld,\"read\":[%s]", (long long)upto, one);
    return text;
}

static void news_of(const char *one)
{
    char text[1200];
    snprintf(text, sizeof text, "\"people\":[%s]", one);
    fake_redis_publish(&fake, "default", text);
    turn();
}

/* The list of that name of the nth fact about people that has it; its size, 0: there is no such fact. */
static int said(const char *list, size_t nth)
{
    const cJSON *fact;
    for (size_t i = 0; (fact = fake_redis_fact(&fake, "people", i)) != NULL; i++) {
        const cJSON *found = cJSON_GetObjectItem(fact, list);
        if (found != NULL && nth-- == 0)
            return cJSON_GetArraySize(found);
    }
    return 0;
}

START_TEST(a_message_that_is_lost_is_made_up_for_by_the_next_reading)
{
    begin_people();
    fake.read = read_of(person(&seal, "default", HANDLE, "\"blocked\":900"), 5);
    ck_assert(!is_suppressed(HANDLE));
    pass(5000);
    ck_assert(is_suppressed(HANDLE));
    unsigned reads = fake.reads;
    pass(5000);
    ck_assert_uint_eq(fake.reads, reads + 1);
    fake.read = read_of(person(&seal, "default", HANDLE, "\"over\":{\"blocked\":900}"), 6);
    pass(5000);
    ck_assert(!is_suppressed(HANDLE));
    ck_assert_int_eq(said("known", 0), 0);
    end();
}
END_TEST

START_TEST(what_is_not_answered_is_told_again_with_all_the_rest)
{
    begin_people();
    fake.no_facts = true;
    suppress(HANDLE);
    turn();
    ck_assert_int_eq(said("told", 0), 1);
    fake.no_facts = false;
    fake_redis_forget(&fake);
    reconnect();
    ck_assert_int_eq(said("known", 0), 1);
    fake_redis_forget(&fake);
    pass(5000);
    ck_assert_int_eq(said("known", 0), 0); /* once is enough */
    end();
}
END_TEST

START_TEST(what_the_script_fails_on_is_told_again_over_the_same_connection)
{
    begin_people();
    unsigned connections = fake.connections;
    fake.error = SCRIPT_FAILS;
    suppress(HANDLE);
    turn();
    fake.error = NULL;
    fake_redis_forget(&fake);
    pass(1500);
    ck_assert_int_eq(said("known", 0), 1);
    ck_assert_uint_eq(fake.connections, connections);
    end();
}
END_TEST

START_TEST(what_was_known_before_the_first_connection_is_told_in_parts)
{
    begin_store();
    for (int i = 0; i < 300; i++) {
        char handle[32];
        snprintf(handle, sizeof handle, "+1415555%04d", i);
        suppress(handle);
    }
    open_link();
    turn();
    int all = 0;
    for (size_t n = 0; said("known", n) > 0; n++) {
        ck_assert_int_le(said("known", n), 128);
        all += said("known", n);
    }
    ck_assert_int_eq(all, 300);
    end();
}
END_TEST

START_TEST(what_is_sealed_with_another_secret_or_of_another_account_stops_nobody)
{
    struct cache_seal other;
    begin_people();
    ck_assert(cache_seal_make(&other, SECRET "."));
    news_of(person(&other, "default", HANDLE, "\"blocked\":900"));
    ck_assert(!is_suppressed(HANDLE));
    news_of(person(&seal, "second", HANDLE, "\"blocked\":900"));
    ck_assert(!is_suppressed(HANDLE));
    news_of(person(&seal, "default", HANDLE, "\"blocked\":\"now\""));
    ck_assert(!is_suppressed(HANDLE));
    news_of(person(&seal, "default", HANDLE, "\"blocked\":900"));
    ck_assert(is_suppressed(HANDLE));
    end();
}
END_TEST

static void opted_out_here(const char *handle)
{
    uint64_t home = key_of(handle);
    struct core_message_fact fact = {.token = 7,
                                     .what = MESSAGE_RECEIVED,
                                     .event = 8,
                                     .inbound = true,
                                     .opt_out = true,
                                     .recipient = key_of(handle),
                                     .handle = handle,
                                     .homes = &home,
                                     .home_count = 1};
    core_message_told(rig->core, &fact, rig->now, &rig->out);
    persist(NULL, rig->now, &rig->out);
}

/* A broker whose clock was a year ahead told Redis of a message. */
START_TEST(a_stop_is_not_ended_by_what_they_wrote_at_a_moment_that_is_still_to_come)
{
    char members[64];
    begin_people();
    opted_out_here(HANDLE);
    turn();
    pass(1000);
    snprintf(members, sizeof members, "\"lifted\":%lld", (long long)rig->now.wall_ms + INT64_C(31536000000));
    news_of(person(&seal, "default", HANDLE, members));
    ck_assert(is_suppressed(HANDLE));
    snprintf(members, sizeof members, "\"lifted\":%lld", (long long)rig->now.wall_ms);
    news_of(person(&seal, "default", HANDLE, members));
    ck_assert(!is_suppressed(HANDLE));
    end();
}
END_TEST

START_TEST(what_is_told_right_now_is_not_ended_by_older_news)
{
    begin_people();
    fake.mute = true;
    rig->now.wall_ms = 800; /* this broker's clock is far behind */
    suppress(HANDLE);
    news_of(person(&seal, "default", HANDLE, "\"over\":{\"operator\":900}"));
    ck_assert(is_suppressed(HANDLE));
    end();
}
END_TEST

START_TEST(what_has_ended_here_does_not_come_back_before_redis_knows)
{
    begin_people();
    suppress(HANDLE);
    turn();
    fake.mute = true;
    unsuppress(HANDLE);
    turn();
    news_of(person(&seal, "default", HANDLE, "\"operator\":900"));
    ck_assert(!is_suppressed(HANDLE));
    fake.mute = false;
    fake_redis_forget(&fake);
    fake_redis_drop(&fake);
    turn();
    fake.read = read_of(person(&seal, "default", HANDLE, "\"operator\":900"), 5); /* as it was before it is told */
    fake.no_facts = true;
    for (int i = 0; i < 4; i++)
        pass(3000);
    ck_assert_int_eq(said("ended", 0), 1);
    ck_assert(!is_suppressed(HANDLE));
    end();
}
END_TEST

/* What an operator ends is said by since when it held, and by no clock that may be a little ahead. */
START_TEST(an_end_says_what_was_known_here_when_it_was_said)
{
    begin_people();
    rig->now.wall_ms = 800;
    suppress(HANDLE);
    turn();
    news_of(person(&seal, "default", HANDLE, "\"operator\":900")); /* another said so, too */
    news_of(person(&seal, "default", HANDLE, "\"operator\":900,\"opted_out\":850"));
    int64_t at_ms = fake.clock_ms;
    unsuppress(HANDLE);
    turn();
    const cJSON *ended = NULL;
    for (size_t i = 0; fake_redis_fact(&fake, "people", i) != NULL && ended == NULL; i++)
        ended = cJSON_GetObjectItem(fake_redis_fact(&fake, "people", i), "ended");
    const cJSON *over = cJSON_GetObjectItem(cJSON_GetArrayItem(ended, 0), "over");
    ck_assert_int_eq(cJSON_GetArraySize(over), 2);
    ck_assert_int_eq((int)cJSON_GetNumberValue(cJSON_GetObjectItem(over, "operator")), 900);
    ck_assert_int_eq((int)cJSON_GetNumberValue(cJSON_GetObjectItem(over, "opted_out")), 0); /* not known here */
    ck_assert_int_le((int64_t)cJSON_GetNumberValue(cJSON_GetObjectItem(cJSON_GetArrayItem(ended, 0), "told")), at_ms);
    end();
}
END_TEST

/* They are suppressed, and the script fails on telling that it ended. */
static void begin_with_an_end_that_fails(void)
{
    begin_people();
    suppress(HANDLE);
    turn();
    fake.error = SCRIPT_FAILS;
    fake.error_for = "ended";
    unsuppress(HANDLE);
    turn();
}

/* Another broker was told that they opted out after we had ended something older: Redis keeps to that, and says nothing
 * of it anew. */
START_TEST(who_is_passed_over_because_something_of_theirs_ends_is_read_again)
{
    begin_with_an_end_that_fails();
    fake.read = read_of(person(&seal, "default", HANDLE, "\"opted_out\":900"), 5);
    pass(5000);
    ck_assert(!is_suppressed(HANDLE));
    fake.error = NULL;
    pass(1000);
    pass(5000);
    ck_assert(fake.read_after < 1); /* from where it had begun, for they come by nothing else any more */
    ck_assert(is_suppressed(HANDLE));
    fake.read = read_of("", 5);
    pass(5000);
    pass(5000);
    ck_assert(fake.read_after > 4); /* and then no more */
    end();
}
END_TEST

/* What the script fails on does not keep everybody else from being read, nor itself from being closed again. */
START_TEST(an_end_on_which_the_script_always_fails_is_skipped)
{
    begin_with_an_end_that_fails();
    fake.read = read_of(person(&seal, "default", HANDLE, "\"operator\":900"), 5);
    for (int i = 0; i < 8; i++)
        pass(1000);
    ck_assert(!is_suppressed(HANDLE) && fake.read_after < 1);
    for (int i = 0; i < 12; i++)
        pass(1000);
    ck_assert_uint_eq(view().owed, 0);
    ck_assert(is_suppressed(HANDLE));
    ck_assert(fake.read_after > 4);
    ck_assert_uint_eq(fake.connections, 2);
    end();
}
END_TEST

/* Tries are counted over one connection: what was lost on its way is no failure. */
START_TEST(what_redis_never_answered_is_never_skipped)
{
    begin_people();
    suppress(HANDLE);
    turn();
    fake.no_facts = true;
    unsuppress(HANDLE);
    for (int i = 0; i < 15; i++)
        pass(3000);
    ck_assert_uint_eq(view().owed, 1);
    end();
}
END_TEST

START_TEST(one_on_whom_the_script_always_fails_keeps_nobody_else_from_being_told_and_read)
{
    char id[CACHE_ID_TEXT];
    begin_store();
    suppress("+14155550106");
    suppress(HANDLE);
    suppress("+14155550108");
    cache_seal_id(&seal, "default", HANDLE, id);
    fake.error = SCRIPT_FAILS;
    fake.error_for = id;
    open_link();
    fake_redis_forget(&fake);
    fake.read = read_of(person(&seal, "default", "+14155550109", "\"blocked\":900"), 5);
    for (int i = 0; i < 15; i++)
        pass(1000);
    ck_assert(is_suppressed("+14155550109"));
    bool told_last = false;
    cache_seal_id(&seal, "default", "+14155550108", id);
    for (size_t i = 0; fake_redis_fact(&fake, "people", i) != NULL; i++) {
        const cJSON *known = cJSON_GetObjectItem(fake_redis_fact(&fake, "people", i), "known");
        const cJSON *told = cJSON_GetObjectItem(cJSON_GetArrayItem(known, 0), "id");
        told_last |= cJSON_GetArraySize(known) == 1 && strcmp(cJSON_GetStringValue(told), id) == 0;
    }
    ck_assert(told_last);
    end();
}
END_TEST

static const char *name_kept(void)
{
    static struct suppression_view view;
    ck_assert(core_suppression_view(rig->core, 0, key_of(HANDLE), &view));
    return view.text.recipient;
}

/* Erased here, and by a restart it was forgotten that Redis is to be told so. */
START_TEST(a_name_that_was_erased_here_does_not_come_back_and_is_hidden_there_too)
{
    begin_store();
    struct core_suppress nameless = {.token = 5, .recipient = key_of(HANDLE), .reason = "r", .by = "ops"};
    core_suppress(rig->core, &nameless, rig->now, &rig->out);
    persist(NULL, rig->now, &rig->out);
    open_link();
    news_of(person(&seal, "default", HANDLE, "\"opted_out\":900"));
    ck_assert_str_eq(name_kept(), "");
    turn();
    ck_assert_int_eq(said("hide", 0), 1);
    fake_redis_forget(&fake);
    news_of(person(&seal, "default", HANDLE, "\"hidden\":true,\"opted_out\":900"));
    ck_assert_int_eq(said("hide", 0), 0);
    end();
    begin_people(); /* who is new here is known by name */
    news_of(person(&seal, "default", HANDLE, "\"opted_out\":900"));
    ck_assert_str_eq(name_kept(), HANDLE);
    end();
}
END_TEST

/* An order to erase, in which no account is named: what is known of them elsewhere is heard meanwhile. */
START_TEST(a_name_that_comes_while_it_is_erased_here_is_not_kept_and_is_hidden_there_too)
{
    const struct core_erase order = {.token = 5, .person = person_of(HANDLE), .by = "ops"};
    begin_people();
    core_erase(rig->core, &order, rig->now, &rig->out);
    persist(NULL, rig->now, &rig->out);
    news_of(person(&seal, "default", HANDLE, "\"opted_out\":900"));
    ck_assert(is_suppressed(HANDLE));
    ck_assert_str_eq(name_kept(), "");
    turn();
    ck_assert_int_eq(said("hide", 0), 1);
    end();
}
END_TEST

/* Everything is lost there, without as much as a lost connection. */
START_TEST(an_emptied_redis_is_told_everything_again)
{
    begin_people();
    suppress(HANDLE);
    turn();
    pass(5000);
    fake_redis_forget(&fake);
    fake.read = "\"epoch\":2,\"more\":false,\"upto\":0,\"read\":[]";
    pass(5000);
    ck_assert_int_eq(said("known", 0), 1);
    ck_assert(is_suppressed(HANDLE));
    end();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_message_that_is_lost_is_made_up_for_by_the_next_reading,
                                  what_is_not_answered_is_told_again_with_all_the_rest,
                                  what_the_script_fails_on_is_told_again_over_the_same_connection,
                                  what_was_known_before_the_first_connection_is_told_in_parts,
                                  what_is_sealed_with_another_secret_or_of_another_account_stops_nobody,
                                  a_stop_is_not_ended_by_what_they_wrote_at_a_moment_that_is_still_to_come,
        what_is_told_right_now_is_not_ended_by_older_news,
                                  what_has_ended_here_does_not_come_back_before_redis_knows,
                                  an_end_says_what_was_known_here_when_it_was_said,
                                  who_is_passed_over_because_something_of_theirs_ends_is_read_again,
                                  an_end_on_which_the_script_always_fails_is_skipped,
                                  what_redis_never_answered_is_never_skipped,
                                  one_on_whom_the_script_always_fails_keeps_nobody_else_from_being_told_and_read,
                                  a_name_that_was_erased_here_does_not_come_back_and_is_hidden_there_too,
                                  a_name_that_comes_while_it_is_erased_here_is_not_kept_and_is_hidden_there_too,
                                  an_emptied_redis_is_told_everything_again};
    return run_suite("cache_people", tests, sizeof tests / sizeof *tests);
}
