/* cache_where_test.c — how brokers find the Redis that they share: through Sentinels and their failovers, by name, as
 * a user with few rights. Real servers. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis.h"
#include "rig.h"
#include "second.h"

#define SENTINELS 3

static struct redis master, replica, sentinel[SENTINELS];
static struct rig rig;
static struct second other;
static char address[256];

static bool both(size_t line, const char *gate)
{
    return rig_line_is(&rig, line, gate, NULL) && rig_line_is(&other.rig, line, gate, NULL);
}

static bool is_up(const struct rig *broker)
{
    return program_said(&broker->broker, "event=cache_up");
}

static void start_brokers(const char *more)
{
    const char *const sets[] = {"cache.kind=redis", address, more, NULL};
    rig_open(&rig, sets);
    rig_start(&rig, 0);
    second_open(&other, &rig, "other");
    second_start(&other);
    rig_await_ready(&other.rig);
    AWAIT(both(0, "open") && both(1, "open"), "the lines are not open at both");
}

static void end_brokers(void)
{
    second_close(&other);
    rig_close(&rig);
}

static bool has_replicas(const struct redis *redis, const char *count)
{
    redisContext *context = redis_connect(redis);
    redisReply *reply = redis_ask(context, "INFO replication");
    char wanted[64];
    snprintf(wanted, sizeof wanted, "connected_slaves:%s\r\n", count);
    bool has = strstr(reply->str, wanted) != NULL && strstr(reply->str, "state=online") != NULL;
    freeReplyObject(reply);
    redisFree(context);
    return has;
}

/* Sentinels end the connections of what they demote: then it is asked again. */
static bool is(const struct redis *redis, const char *role)
{
    redisContext *context = redis_connect(redis);
    redisReply *reply = redisCommand(context, "ROLE");
    bool is = reply != NULL && reply->type == REDIS_REPLY_ARRAY && strcmp(reply->element[0]->str, role) == 0;
    if (reply != NULL)
        freeReplyObject(reply);
    redisFree(context);
    return is;
}

static void start_pair(void)
{
    char port[8];
    redis_start_with(&master, rig_free_port(), NULL);
    snprintf(port, sizeof port, "%u", master.port);
    const char *const follows[] = {"--replicaof", "127.0.0.1", port, NULL};
    redis_start_with(&replica, rig_free_port(), follows);
    AWAIT(has_replicas(&master, "1"), "the replica does not follow");
}

/* A Sentinel knows of the replica and of how many other Sentinels? */
static bool knows(const struct redis *redis, const char *password, const char *others)
{
    redisContext *context = redis_connect(redis);
    if (password != NULL)
        freeReplyObject(redis_ask(context, "AUTH %s", password));
    redisReply *reply = redis_ask(context, "SENTINEL MASTER main");
    bool replicas = false, sentinels = false;
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const char *name = reply->element[i]->str, *value = reply->element[i + 1]->str;
        replicas |= strcmp(name, "num-slaves") == 0 && strcmp(value, "0") != 0;
        sentinels |= strcmp(name, "num-other-sentinels") == 0 && strcmp(value, others) == 0;
    }
    freeReplyObject(reply);
    redisFree(context);
    return replicas && sentinels;
}

static void start_sentinels(const char *more, const char *password)
{
    size_t bytes = (size_t)snprintf(address, sizeof address, "cache.redis=redis+sentinel://");
    for (size_t i = 0; i < SENTINELS; i++) {
        redis_start_sentinel(&sentinel[i], master.port, more);
        bytes += (size_t)snprintf(address + bytes, sizeof address - bytes, "%slocalhost:%u", i == 0 ? "" : ",",
                                  sentinel[i].port);
    }
    snprintf(address + bytes, sizeof address - bytes, "/main");
    for (size_t i = 0; i < SENTINELS; i++)
        AWAIT(knows(&sentinel[i], password, "2"), "the Sentinels do not find each other");
}

static void end_all(void)
{
    for (size_t i = 0; i < SENTINELS; i++)
        redis_end(&sentinel[i]);
    redis_end(&replica);
    redis_end(&master);
}

/* covers: key cache.redis */
START_TEST(a_failover_is_followed_and_the_old_master_too_when_it_is_back)
{
    start_pair();
    start_sentinels("", NULL);
    start_brokers(NULL);
    rig_set_line(&rig, 0, "\"reputation\":\"CRITICAL\"");
    AWAIT(both(0, "closed"), "not closed at both");
    program_signal(&master.program, SIGSTOP);
    AWAIT(is(&replica, "master"), "there is no failover");
    rig_set_line(&rig, 1, "\"reputation\":\"CRITICAL\",\"list\":false"); /* told to the new one, or to it later */
    AWAIT(both_have_closed(&rig, &other, 1), "they do not agree by the new master");
    program_signal(&master.program, SIGCONT);
    AWAIT(is(&master, "slave"), "the old one is no replica");
    rig_set_line(&rig, 2, "\"reputation\":\"CRITICAL\",\"list\":false");
    AWAIT(both_have_closed(&rig, &other, 2), "they do not agree after the old master's return");
    MUST(both(0, "closed") && both(3, "open"), "something was forgotten");
    end_brokers();
    end_all();
}
END_TEST

START_TEST(without_sentinels_the_master_that_is_known_stays_in_use)
{
    start_pair();
    start_sentinels("", NULL);
    start_brokers(NULL);
    for (size_t i = 0; i < SENTINELS; i++)
        program_end(&sentinel[i].program);
    for (size_t i = 0; i < SENTINELS; i++)
        sentinel[i].program.pid = 0;
    AWAIT(!is_up(&rig) || mono_ms() - rig.opened_mono_ms > 6000, "no time goes by");
    MUST(!program_said(&rig.broker, "cache_away") && !program_said(&other.rig.broker, "cache_away"),
         "it was given up with its Sentinels");
    rig_set_line(&rig, 0, "\"reputation\":\"CRITICAL\",\"list\":false");
    AWAIT(both_have_closed(&rig, &other, 0), "not closed at both");
    end_brokers();
    end_all();
}
END_TEST

/* It is the first one in the address, says another master, and knows of no failover that the others know of. */
START_TEST(a_sentinel_that_is_out_of_date_is_not_believed)
{
    struct redis stale, wrong;
    char whole[512];
    redis_start_with(&wrong, rig_free_port(), NULL);
    redis_start_sentinel(&stale, wrong.port, "sentinel config-epoch main 3\n");
    start_pair();
    start_sentinels("sentinel config-epoch main 7\n", NULL);
    const char *rest = address + strlen("cache.redis=redis+sentinel://");
    snprintf(whole, sizeof whole, "cache.redis=redis+sentinel://127.0.0.1:%u,%s", stale.port, rest);
    memcpy(address, whole, sizeof address);
    start_brokers(NULL);
    rig_set_line(&rig, 0, "\"reputation\":\"CRITICAL\",\"list\":false");
    AWAIT(both_have_closed(&rig, &other, 0), "not closed at both");
    redisContext *context = redis_connect(&wrong);
    redisReply *reply = redis_ask(context, "DBSIZE");
    MUST(reply->integer == 0, "they have written to what an old Sentinel says");
    freeReplyObject(reply);
    redisFree(context);
    end_brokers();
    redis_end(&stale);
    redis_end(&wrong);
    end_all();
}
END_TEST

/* covers: key cache.sentinel_password_file */
START_TEST(sentinels_that_want_a_password_get_theirs)
{
    const char *const sets[] = {"cache.kind=redis", address, "cache.sentinel_password_file=sentinel.password", NULL};
    start_pair();
    start_sentinels("requirepass simsim\nsentinel sentinel-pass simsim\n", "simsim");
    rig_open(&rig, sets);
    rig_write(&rig, "sentinel.password", "wrong\n");
    rig_start_sandbox(&rig);
    rig_start_broker(&rig);
    AWAIT(program_said(&rig.broker, "the Sentinel at localhost: AUTH: WRONGPASS"), "a wrong password is not told");
    rig_write(&rig, "sentinel.password", "simsim\n"); /* read anew each time */
    AWAIT(is_up(&rig), "the right one does not let it in");
    rig_await_ready(&rig);
    rig_close(&rig);
    end_all();
}
END_TEST

/* A Redis without Sentinels that becomes a replica refuses what is written; one that becomes a master again takes it.
 */
START_TEST(what_became_a_replica_is_left_and_taken_up_again_as_a_master)
{
    redis_start_with(&master, rig_free_port(), NULL);
    /* a name that is in every /etc/hosts, and that must be looked up */
    snprintf(address, sizeof address, "cache.redis=redis://LocalHost:%u/3", master.port);
    start_brokers("accounts.default.stale_after_ms=2000");
    redisContext *context = redis_connect(&master);
    freeReplyObject(redis_ask(context, "REPLICAOF 127.0.0.1 %d", 1));
    AWAIT(program_said(&rig.broker, "cache_away") && program_said(&other.rig.broker, "cache_away"),
          "they stay with it");
    rig_set_line(&rig, 0, "\"reputation\":\"CRITICAL\",\"list\":false");
    AWAIT(rig_line_was_closed(&rig, 0), "not closed by its own webhook");
    freeReplyObject(redis_ask(context, "REPLICAOF NO ONE"));
    AWAIT(both_have_closed(&rig, &other, 0), "not told when it was a master again");
    redisReply *reply = redis_ask(context, "INFO keyspace");
    MUST(strstr(reply->str, "db3:") != NULL && strstr(reply->str, "db0:") == NULL, "the wrong database: %s",
         reply->str);
    freeReplyObject(reply);
    redisFree(context);
    end_brokers();
    redis_end(&master);
}
END_TEST

/* While a master refuses to write, the cache is away once, and not up and away in turns. */
START_TEST(a_master_that_takes_nothing_is_away)
{
    redis_start_with(&master, rig_free_port(), NULL);
    redisContext *context = redis_connect(&master);
    freeReplyObject(redis_ask(context, "CONFIG SET min-replicas-to-write 1"));
    snprintf(address, sizeof address, "cache.redis=redis://127.0.0.1:%u", master.port);
    const char *const sets[] = {"cache.kind=redis", address, "accounts.default.stale_after_ms=1000", NULL};
    rig_open(&rig, sets);
    rig_start(&rig, 0);
    MUST(program_said(&rig.broker, "NOREPLICAS"), "nobody says why");
    MUST(!is_up(&rig), "up, where nothing can be written");
    freeReplyObject(redis_ask(context, "CONFIG SET min-replicas-to-write 0"));
    AWAIT(is_up(&rig), "not up when it takes what is written");
    redisFree(context);
    rig_close(&rig);
    redis_end(&master);
}
END_TEST

START_TEST(a_name_that_is_not_found_is_told_and_the_broker_works)
{
    snprintf(address, sizeof address, "cache.redis=redis://no-such-host.invalid:6379");
    const char *const sets[] = {"cache.kind=redis", address, "accounts.default.stale_after_ms=1000", NULL};
    rig_open(&rig, sets);
    rig_start(&rig, 0);
    AWAIT(program_said(&rig.broker, "the name no-such-host.invalid is not found"), "nobody says so");
    rig_set_line(&rig, 0, "\"reputation\":\"CRITICAL\",\"list\":false");
    AWAIT(rig_line_was_closed(&rig, 0), "not closed");
    rig_close(&rig);
}
END_TEST

int main(void)
{
    return RUN_TESTS("cache_where", 120, a_failover_is_followed_and_the_old_master_too_when_it_is_back,
                     without_sentinels_the_master_that_is_known_stays_in_use,
                     a_sentinel_that_is_out_of_date_is_not_believed, sentinels_that_want_a_password_get_theirs,
                     what_became_a_replica_is_left_and_taken_up_again_as_a_master,
                     a_master_that_takes_nothing_is_away, a_name_that_is_not_found_is_told_and_the_broker_works);
}
