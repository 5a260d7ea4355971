/* cache_cluster_test.c — two brokers on a real Redis Cluster of three nodes, whose slots move while they are in use.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cache/cache_cluster.h"
#include "redis.h"
#include "rig.h"
#include "second.h"

#define NODES 3
#define SPARE NODES /* the replica, where there is one */
#define STUCK "an account's keys stay between two nodes"

static struct redis node[NODES + 1];
static struct rig rig;
static struct second other;
static char address[256];

static bool both(size_t line, const char *gate)
{
    return rig_line_is(&rig, line, gate, NULL) && rig_line_is(&other.rig, line, gate, NULL);
}

/* ---- the Cluster ---- */

static redisReply *ask(size_t i, const char *format, ...)
{
    va_list values;
    redisContext *context = redis_connect(&node[i]);
    va_start(values, format);
    redisReply *reply = redisvCommand(context, format, values);
    va_end(values);
    MUST(reply != NULL && reply->type != REDIS_REPLY_ERROR, "%s: %s", format,
         reply == NULL ? context->errstr : reply->str);
    redisFree(context);
    return reply;
}

static bool says(size_t i, const char *command, const char *text)
{
    redisReply *reply = ask(i, command);
    bool holds = reply->str != NULL && strstr(reply->str, text) != NULL;
    freeReplyObject(reply);
    return holds;
}

/* `where`: its address, to be given room for. */
static void start_node(size_t i, char where[24])
{
    char bus[8];
    snprintf(bus, sizeof bus, "%u", rig_free_port());
    const char *const more[] = {
        "--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-node-timeout", "2000", NULL};
    redis_start_with(&node[i], rig_free_port(), more);
    snprintf(where, 24, "127.0.0.1:%u", node[i].port);
}

static void order(const char *const *words)
{
    struct program cli = {.name = "/usr/bin/redis-cli"};
    snprintf(cli.log, sizeof cli.log, "%s/order.log", node[0].folder);
    program_start(&cli, words);
    MUST(program_wait(&cli, LIMIT_MS) == 0, "redis-cli --cluster %s", words[1]);
    program_forget(&cli);
}

static void start_cluster(void)
{
    char ports[NODES][24];
    const char *create[16] = {"--cluster", "create"};
    for (size_t i = 0; i < NODES; i++) {
        start_node(i, ports[i]);
        create[2 + i] = ports[i];
    }
    create[2 + NODES] = "--cluster-yes";
    order(create);
    for (size_t i = 0; i < NODES; i++)
        AWAIT(says(i, "CLUSTER INFO", "cluster_state:ok"), "node %zu does not think that all is well", i);
}

static size_t owner_seen_by(size_t at, const char *account)
{
    redisReply *reply = ask(at, "CLUSTER SLOTS");
    const struct redis_host asked = {.name = "127.0.0.1", .port = node[at].port};
    struct redis_host host;
    MUST(cache_cluster_find(reply, cache_cluster_slot(account), &asked, &host), "nobody has the slot");
    freeReplyObject(reply);
    size_t i = 0;
    while (node[i].port != host.port)
        i++;
    return i;
}

static size_t owner_of(const char *account)
{
    return owner_seen_by(0, account);
}

static void start_replica(size_t of)
{
    char where[24], known[24], follows[64];
    redisReply *id = ask(of, "CLUSTER MYID");
    snprintf(follows, sizeof follows, "slave %s", id->str);
    start_node(SPARE, where);
    snprintf(known, sizeof known, "127.0.0.1:%u", node[of].port);
    const char *const add[] = {
        "--cluster", "add-node", where, known, "--cluster-slave", "--cluster-master-id", id->str, NULL};
    order(add);
    freeReplyObject(id);
    AWAIT(says(SPARE, "INFO replication", "master_link_status:up"), "it does not follow");
    for (size_t i = 0; i < NODES; i++) /* by hearsay; who does not know it does not vote for it */
        AWAIT(says(i, "CLUSTER NODES", follows), "node %zu does not hear of it", i);
}

static void set_slot(size_t at, const char *how, size_t id_of)
{
    redisReply *id = ask(id_of, "CLUSTER MYID");
    freeReplyObject(ask(at, "CLUSTER SETSLOT %d %s %s", cache_cluster_slot("default"), how, id->str));
    freeReplyObject(id);
}

/* At most so many of the account's keys. */
static void move_keys(size_t from, size_t to, size_t count)
{
    redisReply *keys = ask(from, "CLUSTER GETKEYSINSLOT %d 100", cache_cluster_slot("default"));
    MUST(keys->elements > 0, "the account has no keys there");
    for (size_t i = 0; i < keys->elements && i < count; i++)
        freeReplyObject(ask(from, "MIGRATE 127.0.0.1 %d %s 0 5000", node[to].port, keys->element[i]->str));
    freeReplyObject(keys);
}

/* The user of deploy/redis, with a password; nobody else may do anything. */
static void let_in_few(void)
{
    char line[1024], password[] = ">sesame", *words[64] = {(char[]){"ACL"}, (char[]){"SETUSER"}};
    size_t count = 2;
    FILE *file = fopen("deploy/redis/users.acl", "r");
    MUST(file != NULL, "no deploy/redis/users.acl");
    while (fgets(line, sizeof line, file) != NULL && strncmp(line, "user lineward ", 14) != 0)
        continue;
    fclose(file);
    char *rest = line + 5;
    for (char *word; (word = strsep(&rest, " \n")) != NULL && count < 62;)
        if (*word != '\0')
            words[count++] = word;
    words[count++] = password;
    for (size_t i = 0; i < NODES; i++) {
        redisContext *context = redis_connect(&node[i]);
        redisReply *reply = redisCommandArgv(context, (int)count, (const char **)words, NULL);
        MUST(reply != NULL && reply->type == REDIS_REPLY_STATUS, "no user: %s", reply == NULL ? "" : reply->str);
        freeReplyObject(reply);
        freeReplyObject(redis_ask(context, "ACL SETUSER default nocommands +acl"));
        redisFree(context);
    }
}

/* ---- the tests ---- */

static void begin_as(const char *user)
{
    start_cluster();
    /* the first one that is asked is not there any more */
    snprintf(address, sizeof address, "cache.redis=redis+cluster://%s127.0.0.1:%u,127.0.0.1:%u", user,
             rig_free_port(), node[(owner_of("default") + 1) % NODES].port);
    if (*user != '\0')
        let_in_few();
    const char *const sets[] = {"cache.kind=redis", address, "cache.secret_file=cache.secret",
                                "cache.redis_password_file=redis.password", NULL};
    const char *const plain[] = {"cache.kind=redis", address, "cache.secret_file=cache.secret", NULL};
    rig_open(&rig, *user == '\0' ? plain : sets);
    rig_write(&rig, "redis.password", "sesame\n");
    rig_write(&rig, "cache.secret", "what all the brokers of an account have\n");
    rig_start(&rig, 0);
    second_open(&other, &rig, "other");
    second_start(&other);
    rig_await_ready(&other.rig);
    AWAIT(both(0, "open") && both(1, "open"), "the lines are not open at both");
    AWAIT(program_said(&rig.broker, "event=cache_up") && program_said(&other.rig.broker, "event=cache_up"),
          "not connected");
}

static void begin(void)
{
    begin_as("");
}

static void end(void)
{
    second_close(&other);
    rig_close(&rig);
    for (size_t i = 0; i < NODES; i++)
        redis_end(&node[i]);
    if (node[SPARE].port != 0)
        redis_end(&node[SPARE]);
}

/* covers: key cache.redis */
START_TEST(an_accounts_slot_moves_while_it_is_in_use)
{
    begin();
    size_t from = owner_of("default"), to = (from + 1) % NODES;
    rig_set_line(&rig, 0, "\"reputation\":\"CRITICAL\"");
    AWAIT(both(0, "closed"), "not closed at both");
    set_slot(to, "IMPORTING", from);
    set_slot(from, "MIGRATING", to);
    move_keys(from, to, 1);
    rig_set_line(&rig, 1, "\"reputation\":\"CRITICAL\""); /* sent from one to the other: ASK, TRYAGAIN */
    AWAIT(rig_line_is(&rig, 1, "closed", NULL), "its own webhook does not close it");
    MUST(rig_line_is(&other.rig, 1, "open", NULL), "it was told before all keys had moved");
    move_keys(from, to, 100);
    set_slot(to, "NODE", to);
    set_slot(from, "NODE", to);
    AWAIT(both(1, "closed"), "not closed at both after the move");
    rig_set_line(&rig, 2, "\"reputation\":\"CRITICAL\""); /* MOVED */
    AWAIT(both(2, "closed"), "not closed at both by the new node");
    MUST(both(0, "closed") && both(3, "open"), "something was forgotten");
    MUST(!program_said(&rig.broker, "cache_away") && !program_said(&other.rig.broker, "cache_away"),
         "the cache was away for it");
    redisReply *reply = ask(to, "EXISTS lineward:{default}:lines");
    MUST(reply->integer == 1, "the new node has it not");
    freeReplyObject(reply);
    end();
}
END_TEST

static bool holds_people(size_t at, long long expected)
{
    redisReply *reply = ask(at, "HLEN lineward:{default}:people");
    bool holds = reply->integer == expected;
    freeReplyObject(reply);
    return holds;
}

/* A failover has lost who was told of last, and the brokers' connections did not end by it. */
START_TEST(who_is_missing_at_a_slots_new_node_is_told_again)
{
    long status;
    begin();
    size_t from = owner_of("default"), to = (from + 1) % NODES;
    cJSON_Delete(rig_ask(&rig, "PUT", "/v1/suppressions/default/%2B14155550107", "{\"reason\":\"by letter\"}", &status));
    MUST(status == 200, "not taken: %ld", status);
    AWAIT(holds_people(from, 1), "Redis does not hear of them");
    freeReplyObject(ask(from, "DEL lineward:{default}:people lineward:{default}:changed"));
    set_slot(to, "IMPORTING", from);
    set_slot(from, "MIGRATING", to);
    move_keys(from, to, 100);
    set_slot(to, "NODE", to);
    set_slot(from, "NODE", to);
    AWAIT(holds_people(to, 1), "nobody tells it again");
    MUST(!program_said(&rig.broker, "cache_away") && !program_said(&other.rig.broker, "cache_away"),
         "the cache was away for it");
    end();
}
END_TEST

/* A move that got stuck half-way: the brokers are on their own, and back when it is mended. */
START_TEST(a_slot_that_stays_between_two_nodes_is_away_until_it_is_settled)
{
    begin();
    size_t from = owner_of("default"), to = (from + 1) % NODES;
    set_slot(to, "IMPORTING", from);
    set_slot(from, "MIGRATING", to);
    move_keys(from, to, 100);
    AWAIT(program_said(&rig.broker, STUCK) && program_said(&other.rig.broker, STUCK), "nobody says why");
    rig_set_line(&rig, 0, "\"reputation\":\"CRITICAL\"");
    AWAIT(rig_line_is(&rig, 0, "closed", NULL), "its own webhook does not close it");
    set_slot(to, "NODE", to);
    set_slot(from, "NODE", to);
    AWAIT(both(0, "closed"), "they do not agree when it is settled");
    end();
}
END_TEST

START_TEST(a_node_that_is_away_is_away_and_comes_back)
{
    begin();
    size_t owner = owner_of("default");
    program_signal(&node[owner].program, SIGSTOP);
    AWAIT(program_said(&rig.broker, "cache_away") && program_said(&other.rig.broker, "cache_away"), "nobody says so");
    rig_set_line(&rig, 0, "\"reputation\":\"CRITICAL\",\"list\":false");
    AWAIT(rig_line_was_closed(&rig, 0), "its own webhook does not close it");
    program_signal(&node[owner].program, SIGCONT);
    AWAIT(both_have_closed(&rig, &other, 0), "they do not agree when it is back");
    end();
}
END_TEST

/* Nobody tells the Cluster, nor the brokers. */
START_TEST(a_replica_that_takes_over_by_itself_is_found_and_told_what_was_said_meanwhile)
{
    long status;
    begin();
    size_t owner = owner_of("default"), other_node = (owner + 1) % NODES;
    start_replica(owner);
    rig_set_line(&rig, 0, "\"reputation\":\"CRITICAL\"");
    AWAIT(both(0, "closed"), "not closed at both");
    program_kill(&node[owner].program);
    AWAIT(program_said(&rig.broker, "cache_away") && program_said(&other.rig.broker, "cache_away"), "nobody says so");
    rig_set_line(&rig, 1, "\"reputation\":\"CRITICAL\",\"list\":false");
    AWAIT(rig_line_was_closed(&rig, 1), "its own webhook does not close it");
    cJSON_Delete(rig_ask(&rig, "PUT", "/v1/suppressions/default/%2B14155550107", "{\"reason\":\"by letter\"}", &status));
    MUST(status == 200, "not taken: %ld", status);
    AWAIT(owner_seen_by(other_node, "default") == SPARE, "the replica does not take over");
    AWAIT(both_have_closed(&rig, &other, 1), "the new master is not found, or not told");
    AWAIT(holds_people(SPARE, 1), "the new master does not hear who was suppressed");
    MUST(both(0, "closed") && both(2, "open"), "something was forgotten");
    end();
}
END_TEST

START_TEST(the_brokers_user_is_enough_for_a_cluster)
{
    begin_as("lineward@");
    rig_set_line(&rig, 0, "\"reputation\":\"CRITICAL\",\"list\":false");
    AWAIT(both_have_closed(&rig, &other, 0), "not closed at both");
    end();
}
END_TEST

int main(void)
{
    return RUN_TESTS("cache_cluster", 120, an_accounts_slot_moves_while_it_is_in_use,
                     who_is_missing_at_a_slots_new_node_is_told_again,
                     a_slot_that_stays_between_two_nodes_is_away_until_it_is_settled,
                     a_node_that_is_away_is_away_and_comes_back,
                     a_replica_that_takes_over_by_itself_is_found_and_told_what_was_said_meanwhile, the_brokers_user_is_enough_for_a_cluster);
}
