/* cache_test.c — two brokers on one account, each with pools and a store of its own, and what they know of lines in one
 * Redis: real programs, killed and stopped for real. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis.h"
#include "rig.h"
#include "sibling.h"

static struct redis redis;
static struct rig rig, other; /* the other one's ports and store; what else is in it is the first one's */

static void start_other(void)
{
    sibling_start(&other, &rig);
    rig_await_ready(&other);
}

static bool both(size_t line, const char *gate)
{
    return rig_line_is(&rig, line, gate, NULL) && rig_line_is(&other, line, gate, NULL);
}

/* Webhooks go to the first one only. */
static void begin(void)
{
    static char address[128];
    redis_start(&redis);
    snprintf(address, sizeof address, "cache.redis=redis+unix://%s", redis.socket);
    const char *const sets[] = {"cache.kind=redis", address, "accounts.default.stale_after_ms=2000", NULL};
    rig_open(&rig, sets);
    rig_start(&rig, 0);
    sibling_open(&other, &rig, "other");
    start_other();
    AWAIT(both(0, "open") && both(1, "open"), "the lines are not open at both");
}

static void end(void)
{
    if (other.broker.pid != 0)
        program_end(&other.broker);
    program_forget(&other.broker);
    rig_close(&rig);
    redis_end(&redis);
}

/* covers: key cache.kind, cache.redis */
START_TEST(a_critical_told_to_one_closes_at_both_and_a_proof_opens_at_both)
{
    begin();
    rig_set_line(&rig, 0, "\"reputation\":\"CRITICAL\",\"list\":false"); /* no poll says so */
    AWAIT(both(0, "closed"), "not closed at both");
    MUST(both(1, "open"), "another line moved");
    rig_set_line(&rig, 0, "\"reputation\":\"HEALTHY\"");
    AWAIT(rig_line_is(&rig, 0, "slow", "ramp") || rig_line_is(&rig, 0, "open", NULL), "not opened here");
    AWAIT(!rig_line_is(&other, 0, "closed", NULL), "not opened there");
    end();
}
END_TEST

/* Whichever of them polls: kill it, and the other one does. */
START_TEST(when_the_one_that_polls_is_killed_the_other_one_polls)
{
    begin();
    bool first = program_said(&rig.broker, "cache_polls");
    MUST(first != program_said(&other.broker, "cache_polls"), "both poll, or none");
    struct rig *left = first ? &other : &rig;
    program_kill(first ? &rig.broker : &other.broker);
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
    struct rig *holder = program_said(&rig.broker, "cache_polls") ? &rig : &other;
    struct rig *left = holder == &rig ? &other : &rig;
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

START_TEST(while_redis_is_away_each_goes_on_and_then_they_agree)
{
    begin();
    program_signal(&redis.program, SIGSTOP);
    rig_set_line(&rig, 0, "\"reputation\":\"CRITICAL\",\"list\":false");
    AWAIT(rig_line_is(&rig, 0, "closed", "line_critical"), "its own webhook did not close it");
    rig_set_line(&rig, 1, "\"reputation\":\"CRITICAL\",\"webhook\":false");
    AWAIT(both(1, "closed"), "they do not poll by themselves"); /* after stale_after_ms and a little more */
    program_signal(&redis.program, SIGCONT);
    AWAIT(both(0, "closed"), "they do not agree on what was told meanwhile");
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
    program_end(&other.broker);
    other.broker.pid = 0;
    rig.sets[rig.set_count++] = "cache.redis_password_file=redis.password";
    start_other();
    AWAIT(program_said(&other.broker, "cache_polls"), "the one that has the password is not let in");
    end();
}
END_TEST

int main(void)
{
    return RUN_TESTS("cache", 120, a_critical_told_to_one_closes_at_both_and_a_proof_opens_at_both,
                     when_the_one_that_polls_is_killed_the_other_one_polls,
                     one_that_slept_through_its_lease_changes_nothing,
                     while_redis_is_away_each_goes_on_and_then_they_agree,
                     a_redis_that_wants_a_password_gets_it);
}
