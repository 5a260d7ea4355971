/* cache_test.c — two brokers on one account, each with pools and a store of its own, and what they know of lines in one
 * Redis: real programs, killed and stopped for real. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis.h"
#include "rig.h"
#include "second.h"

#define PERSON  "+14155550163"
#define PATH    "/v1/suppressions/default/" PERSON
#define MESSAGE "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"hello\"}]}"

static struct redis redis;
static struct rig rig;
static struct second other;

static const char *other_store = "other";

static void start_other(void)
{
    second_start(&other);
    rig_await_ready(&other.rig);
}

static bool both(size_t line, const char *gate)
{
    return rig_line_is(&rig, line, gate, NULL) && rig_line_is(&other.rig, line, gate, NULL);
}

#define SECRET "one line that all the brokers of an account have"

/* Webhooks go to the first one only. */
static void begin(void)
{
    static char address[128];
    redis_start(&redis);
    snprintf(address, sizeof address, "cache.redis=redis+unix://%s", redis.socket);
    const char *const sets[] = {"cache.kind=redis", address, "cache.secret_file=cache.secret",
                                "accounts.default.stale_after_ms=2000", NULL};
    rig_open(&rig, sets);
    rig_write(&rig, "cache.secret", SECRET "\n");
    rig_start(&rig, 0);
    second_open(&other, &rig, "other");
    start_other();
    AWAIT(both(0, "open") && both(1, "open"), "the lines are not open at both");
}

static void end(void)
{
    second_close(&other);
    rig_close(&rig);
    redis_end(&redis);
}

/* covers: key cache.kind, cache.redis */
START_TEST(a_critical_told_to_one_closes_at_both_and_a_proof_opens_at_both)
{
    begin();
    rig_set_line(&rig, 0, "\"reputation\":\"CRITICAL\",\"list\":false"); /* no poll says so */
    AWAIT(both_have_closed(&rig, &other, 0), "not closed at both");
    MUST(both(1, "open"), "another line moved");
    rig_set_line(&rig, 0, "\"reputation\":\"HEALTHY\"");
    AWAIT(rig_line_is(&rig, 0, "slow", "ramp") || rig_line_is(&rig, 0, "open", NULL), "not opened here");
    AWAIT(!rig_line_is(&other.rig, 0, "closed", NULL), "not opened there");
    end();
}
END_TEST

/* Whichever of them polls: kill it, and the other one does. */
START_TEST(when_the_one_that_polls_is_killed_the_other_one_polls)
{
    begin();
    bool first = program_said(&rig.broker, "cache_polls");
    MUST(first != program_said(&other.rig.broker, "cache_polls"), "both poll, or none");
    struct rig *left = first ? &other.rig : &rig;
    program_kill(first ? &rig.broker : &other.rig.broker);
    rig_set_line(&rig, 1, "\"reputation\":\"CRITICAL\",\"webhook\":false");
    AWAIT(rig_line_is(left, 1, "closed", "line_critical"), "nobody polls any more");
    if (first) {
        rig_start_broker(&rig);
        rig_await_ready(&rig);
    } else {
        start_other();
    }
    AWAIT(both(1, "closed"), "the one that came back does not know it");
    end();
}
END_TEST

/* One that was stopped for longer than its lease publishes nothing when it goes on. */
START_TEST(one_that_slept_through_its_lease_changes_nothing)
{
    begin();
    struct rig *holder = program_said(&rig.broker, "cache_polls") ? &rig : &other.rig;
    struct rig *left = holder == &rig ? &other.rig : &rig;
    program_signal(&holder->broker, SIGSTOP);
    AWAIT(program_said(&left->broker, "cache_polls"), "nobody took over");
    rig_set_line(&rig, 1, "\"reputation\":\"CRITICAL\",\"webhook\":false");
    AWAIT(rig_line_is(left, 1, "closed", NULL), "not closed by a poll");
    program_signal(&holder->broker, SIGCONT);
    AWAIT(rig_line_is(holder, 1, "closed", NULL), "the one that slept does not know it");
    MUST(rig_line_is(left, 1, "closed", NULL), "the one that slept has opened it");
    end();
}
END_TEST

static bool says(struct rig *at, const char *path, const char *text)
{
    long status;
    char *answer = rig_fetch(at, at->token, "GET", path, NULL, 0, &status);
    bool there = strstr(answer, text) != NULL;
    free(answer);
    return there;
}

START_TEST(while_redis_is_away_each_goes_on_and_then_they_agree)
{
    begin();
    AWAIT(says(&rig, "/metrics", "\nlineward_cache_up 1\n") && says(&rig, "/metrics", "\nlineward_cache_brokers 2\n"),
          "not up, or not both are seen");
    MUST(says(&rig, "/v1/status", "\"problem\":null,\"brokers\":2,\"versions_differ\":false,\"shares_suppressions\":true"),
         "its state is not told");
    program_signal(&redis.program, SIGSTOP);
    rig_set_line(&rig, 0, "\"reputation\":\"CRITICAL\",\"list\":false");
    AWAIT(rig_line_was_closed(&rig, 0), "its own webhook did not close it");
    rig_set_line(&rig, 1, "\"reputation\":\"CRITICAL\",\"webhook\":false");
    AWAIT(both(1, "closed"), "they do not poll by themselves"); /* after stale_after_ms and a little more */
    MUST(says(&rig, "/metrics", "\nlineward_cache_up 0\n"), "that it is away is not measured");
    MUST(says(&rig, "/v1/status", "\"problem\":\"it does not answer"), "why it is away is not told");
    cJSON_Delete(rig_ask(&rig, "POST", "/v1/jobs", "{\"id\":\"w\",\"to\":\"" PERSON "\",\"from\":\"+12025550101\"," MESSAGE "}", NULL));
    MUST(says(&rig, "/v1/jobs/w", "\"cache\":\"away\",\"cache_away_since\":\""), "why does not say that it is away");
    program_signal(&redis.program, SIGCONT);
    AWAIT(both(0, "closed"), "they do not agree on what was told meanwhile");
    AWAIT(says(&rig, "/metrics", "\nlineward_cache_up 1\n") && says(&rig, "/metrics", "\nlineward_cache_owed 0\n"),
          "that it is back is not measured");
    end();
}
END_TEST

/* covers: key cache.redis_password_file */
START_TEST(a_redis_that_wants_a_password_gets_it)
{
    begin();
    redisContext *context = redis_connect(&redis);
    freeReplyObject(redisCommand(context, "CONFIG SET requirepass sesame"));
    freeReplyObject(redisCommand(context, "CLIENT KILL TYPE normal SKIPME yes"));
    AWAIT(program_said(&rig.broker, "NOAUTH"), "it went on without a password");
    redisFree(context);
    rig_write(&rig, "redis.password", "sesame\n");
    program_end(&other.rig.broker);
    other.rig.broker.pid = 0;
    second_set(&other, "cache.redis_password_file=redis.password");
    start_other();
    AWAIT(program_said(&other.rig.broker, "cache_polls"), "the one that has the password is not let in");
    end();
}
END_TEST

/* ---- who must not be sent to ---- */

static long suppress(struct rig *at, const char *method)
{
    long status;
    cJSON_Delete(rig_ask(at, method, PATH, "{\"reason\":\"asked by letter\"}", &status));
    return status;
}

static bool lists(struct rig *at, bool expected)
{
    cJSON *answer = rig_ask(at, "GET", "/v1/suppressions/default", NULL, NULL);
    bool there = false;
    const cJSON *one;
    cJSON_ArrayForEach(one, cJSON_GetObjectItem(answer, "suppressions"))
    {
        const char *to = cJSON_GetStringValue(cJSON_GetObjectItem(one, "to"));
        there |= to != NULL && strcmp(to, PERSON) == 0;
    }
    bool good = answer != NULL && there == expected;
    cJSON_Delete(answer);
    return good;
}

static bool both_list(bool expected)
{
    return lists(&rig, expected) && lists(&other.rig, expected);
}

/* Is a job to them refused there? */
static bool refuses(struct rig *at)
{
    long status;
    char *answer = rig_fetch(at, at->token, "POST", "/v1/jobs", "{\"to\":\"" PERSON "\"," MESSAGE "}", 0, &status);
    bool refused = strstr(answer, "\"opted_out\"") != NULL;
    free(answer);
    return refused;
}

static void must_hide(redisContext *context, const redisReply *reply)
{
    for (size_t i = 0; i < reply->elements; i++)
        must_hide(context, reply->element[i]);
    if (reply->str != NULL)
        MUST(strstr(reply->str, &PERSON[1]) == NULL, "Redis holds a recipient: %s", reply->str);
}

static void nobody_is_named_in_redis(void)
{
    static const char *const asks[] = {"KEYS *", "HGETALL lineward:{default}:people", "HGETALL lineward:{default}:meta",
                                       "ZRANGE lineward:{default}:changed 0 -1", "HGETALL lineward:{default}:lines"};
    redisContext *context = redis_connect(&redis);
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        redisReply *reply = redisCommand(context, asks[i]);
        must_hide(context, reply);
        freeReplyObject(reply);
    }
    redisFree(context);
}

/* covers: key cache.secret_file */
START_TEST(who_is_not_to_be_sent_to_at_one_broker_is_not_sent_to_at_any)
{
    begin();
    MUST(suppress(&rig, "PUT") == 200, "not taken");
    AWAIT(both_list(true), "the other one does not know them");
    MUST(refuses(&rig) && refuses(&other.rig), "a job to them is taken");
    nobody_is_named_in_redis();
    MUST(suppress(&other.rig, "DELETE") == 200, "not ended");
    AWAIT(both_list(false), "the first one does not let them go");
    MUST(suppress(&other.rig, "PUT") == 200, "not taken anew");
    AWAIT(both_list(true), "the first one does not hear of it again");
    end();
}
END_TEST

static bool job_is(struct rig *at, const char *id, const char *expected)
{
    char path[64];
    snprintf(path, sizeof path, "/v1/jobs/%s", id);
    cJSON *answer = rig_ask(at, "GET", path, NULL, NULL);
    const char *state = text_at(answer, "state");
    bool is = state != NULL && strcmp(state, expected) == 0;
    cJSON_Delete(answer);
    return is;
}

static void enqueue(struct rig *at, const char *id)
{
    char job[256];
    snprintf(job, sizeof job, "{\"id\":\"%s\",\"to\":\"" PERSON "\"," MESSAGE "}", id);
    cJSON_Delete(rig_ask(at, "POST", "/v1/jobs", job, NULL));
}

/* The provider says so to one broker; a message of theirs that another has heard of lets them go. */
START_TEST(a_providers_opt_out_ends_what_waits_at_another_broker_and_their_answer_lets_go_at_all)
{
    begin();
    rig_start_worker(&rig, 0);
    enqueue(&rig, "first");
    AWAIT(job_is(&rig, "first", "sent"), "not sent");
    enqueue(&other.rig, "waits");
    MUST(job_is(&other.rig, "waits", "queued"), "ended too early");
    cJSON_Delete(rig_control(&rig, "POST", "/recipients/" PERSON, "{\"opted_out\":true}"));
    enqueue(&rig, "tried");
    AWAIT(job_is(&rig, "tried", "suppressed"), "403/2024 does not suppress the job");
    AWAIT(job_is(&other.rig, "waits", "suppressed"), "what waits at the other one still waits");
    MUST(refuses(&other.rig), "the other one takes a job to them");
    cJSON_Delete(rig_control(&rig, "POST", "/answers", "{\"recipient\":\"" PERSON "\",\"text\":\"hello again\"}"));
    AWAIT(both_list(false), "their answer lets them go nowhere else");
    MUST(!refuses(&other.rig), "the other one still takes no job to them");
    end();
}
END_TEST

static bool erased(void)
{
    cJSON *answer = rig_ask(&rig, "GET", "/v1/erasures", NULL, NULL);
    const cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItem(answer, "erasures"), 0);
    const char *state = cJSON_GetStringValue(cJSON_GetObjectItem(first, "state"));
    bool done = state != NULL && strcmp(state, "done") == 0;
    cJSON_Delete(answer);
    return done;
}

/* A broker that comes later must not send to them either, and learns no name; who has the number can end it. */
START_TEST(who_was_erased_is_still_not_sent_to_by_a_broker_that_comes_later)
{
    begin();
    program_end(&other.rig.broker);
    other.rig.broker.pid = 0;
    MUST(suppress(&rig, "PUT") == 200, "not taken");
    long status;
    cJSON_Delete(rig_ask(&rig, "POST", "/v1/erasures", "{\"to\":\"" PERSON "\",\"reason\":\"asked by letter\"}", &status));
    MUST(status == 202, "the erasure is not taken: %ld", status);
    AWAIT(erased(), "not erased");
    other_store = "another"; /* an empty one */
    start_other();
    AWAIT(refuses(&other.rig), "the one that came later sends to them");
    MUST(lists(&other.rig, false), "it knows their name");
    MUST(suppress(&rig, "DELETE") == 200, "not ended");
    AWAIT(!refuses(&other.rig), "not ended there");
    end();
}
END_TEST

START_TEST(who_opts_out_while_redis_is_away_has_opted_out_at_both_when_it_is_back)
{
    begin();
    MUST(suppress(&rig, "PUT") == 200, "not taken");
    AWAIT(both_list(true), "the other one does not know them");
    program_signal(&redis.program, SIGSTOP);
    AWAIT(program_said(&rig.broker, "cache_away") && program_said(&other.rig.broker, "cache_away"), "nobody notices");
    MUST(suppress(&rig, "DELETE") == 200, "not ended");
    program_signal(&redis.program, SIGCONT);
    AWAIT(both_list(false), "that it has ended is lost");
    program_signal(&redis.program, SIGSTOP);
    MUST(suppress(&other.rig, "PUT") == 200, "not taken");
    program_signal(&redis.program, SIGCONT);
    AWAIT(both_list(true), "that they opted out is lost");
    end();
}
END_TEST

/* A Redis that has lost everything, without as much as a lost connection, and a broker that comes with an empty store. */
START_TEST(a_redis_that_was_emptied_is_told_again_and_a_new_broker_hears_of_it)
{
    begin();
    MUST(suppress(&rig, "PUT") == 200, "not taken");
    AWAIT(both_list(true), "the other one does not know them");
    program_end(&other.rig.broker);
    other.rig.broker.pid = 0;
    redisContext *context = redis_connect(&redis);
    freeReplyObject(redisCommand(context, "FLUSHALL"));
    redisFree(context);
    other_store = "another"; /* an empty one */
    start_other();
    AWAIT(both_list(true), "they are forgotten");
    end();
}
END_TEST

int main(void)
{
    return RUN_TESTS("cache", 120, a_critical_told_to_one_closes_at_both_and_a_proof_opens_at_both,
                     when_the_one_that_polls_is_killed_the_other_one_polls,
                     one_that_slept_through_its_lease_changes_nothing,
                     while_redis_is_away_each_goes_on_and_then_they_agree,
                     who_is_not_to_be_sent_to_at_one_broker_is_not_sent_to_at_any,
                     a_providers_opt_out_ends_what_waits_at_another_broker_and_their_answer_lets_go_at_all,
                     who_was_erased_is_still_not_sent_to_by_a_broker_that_comes_later,
                     who_opts_out_while_redis_is_away_has_opted_out_at_both_when_it_is_back,
                     a_redis_that_was_emptied_is_told_again_and_a_new_broker_hears_of_it,
                     a_redis_that_wants_a_password_gets_it);
}
