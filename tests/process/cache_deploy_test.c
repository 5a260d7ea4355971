/* cache_deploy_test.c — the files of deploy/redis, as they are but for addresses and passwords: a master, a replica
 * and three Sentinels run by them, brokers work as the user that they give them, and that user can do nothing else.
 */
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "redis.h"
#include "rig.h"
#include "second.h"

#define FROM      "deploy/redis/"
#define SENTINELS 3
#define TEXT_MAX  16384

static struct redis server[2], sentinel[SENTINELS];
static struct rig rig;
static struct second other;
static char address[256];

/* ---- the files ---- */

struct swap {
    const char *was, *is;
};

static void read_text(const char *path, char *out)
{
    FILE *file = fopen(path, "r");
    MUST(file != NULL, "%s: %s", path, strerror(errno));
    size_t bytes = fread(out, 1, TEXT_MAX - 1, file);
    fclose(file);
    out[bytes] = '\0';
}

static void swap_all(char *text, const struct swap *swap)
{
    char out[TEXT_MAX];
    size_t bytes = 0, count = 0;
    const char *from = text, *at;
    while ((at = strstr(from, swap->was)) != NULL) {
        bytes += (size_t)snprintf(out + bytes, sizeof out - bytes, "%.*s%s", (int)(at - from), from, swap->is);
        from = at + strlen(swap->was);
        count++;
    }
    snprintf(out + bytes, sizeof out - bytes, "%s", from);
    MUST(count > 0, "\"%s\" is not in the file any more", swap->was);
    memcpy(text, out, TEXT_MAX);
}

static void put(const struct redis *redis, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", redis->folder, name);
    FILE *file = fopen(path, "w");
    MUST(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0, "%s: %s", path, strerror(errno));
    MUST(chmod(path, 0600) == 0, "%s: %s", path, strerror(errno));
}

/* deploy/redis/NAME with these replaced (`was` NULL last), into FOLDER/NAME. */
static void fill(const struct redis *redis, const char *name, const struct swap *swaps)
{
    char path[256], text[TEXT_MAX];
    snprintf(path, sizeof path, FROM "%s", name);
    read_text(path, text);
    for (; swaps->was != NULL; swaps++)
        swap_all(text, swaps);
    put(redis, name, text);
}

/* Each user's password is its name and a word. */
static void fill_users(const struct redis *redis)
{
    static const char *const users[] = {"lineward", "replica", "sentinel", "admin"};
    static char was[4][32], is[4][112];
    struct swap swaps[5] = {{NULL, NULL}};
    for (size_t i = 0; i < 4; i++) {
        unsigned char hash[crypto_hash_sha256_BYTES];
        char password[32], hex[2 * sizeof hash + 1];
        int bytes = snprintf(password, sizeof password, "%s-sesame", users[i]);
        crypto_hash_sha256(hash, (const unsigned char *)password, (unsigned long long)bytes);
        sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
        snprintf(was[i], sizeof was[i], "user %s on ", users[i]);
        snprintf(is[i], sizeof is[i], "user %s on #%s ", users[i], hex);
        swaps[i] = (struct swap){was[i], is[i]};
    }
    fill(redis, "users.acl", swaps);
}

/* ---- what runs by them ---- */

static void run_server(struct redis *redis)
{
    char config[128];
    snprintf(config, sizeof config, "%s/redis.conf", redis->folder);
    const char *const arguments[] = {config, "--shutdown-timeout", "0", "--repl-diskless-sync-delay", "0", NULL};
    redis_run(redis, arguments);
}

static void start_server(struct redis *redis, const struct redis *follows)
{
    char port[16], acl[128], folder[80], leader[32];
    redis_open(redis, "redis");
    redis->port = rig_free_port();
    snprintf(port, sizeof port, "port %u", redis->port);
    snprintf(acl, sizeof acl, "aclfile %s/users.acl", redis->folder);
    snprintf(folder, sizeof folder, "dir %s", redis->folder);
    snprintf(leader, sizeof leader, "\nreplicaof 127.0.0.1 %u", follows == NULL ? 1 : follows->port);
    const struct swap swaps[] = {{"bind 127.0.0.1 10.1.0.11", "bind 127.0.0.1"},
                                 {"port 6379", port},
                                 {"aclfile /etc/redis/users.acl", acl},
                                 {"dir /var/lib/redis", folder},
                                 {"CHANGE-ME", "replica-sesame"},
                                 {"\n# replicaof 10.1.0.11 6379", follows == NULL ? "\n" : leader},
                                 {NULL, NULL}};
    fill_users(redis);
    fill(redis, "redis.conf", swaps);
    run_server(redis);
}

static void start_sentinel(struct redis *redis)
{
    char port[16], folder[80], master[64], config[128];
    redis_open(redis, "sentinel");
    redis->port = rig_free_port();
    snprintf(port, sizeof port, "port %u", redis->port);
    snprintf(folder, sizeof folder, "dir %s", redis->folder);
    snprintf(master, sizeof master, "sentinel monitor lineward 127.0.0.1 %u 2", server[0].port);
    const struct swap swaps[] = {{"bind 127.0.0.1 10.1.0.21", "bind 127.0.0.1"},
                                 {"port 26379", port},
                                 {"dir /var/lib/redis", folder},
                                 {"CHANGE-ME-SENTINELS", "guards-sesame"},
                                 {"sentinel monitor lineward 10.1.0.11 6379 2", master},
                                 {"CHANGE-ME", "sentinel-sesame"},
                                 {NULL, NULL}};
    fill(redis, "sentinel.conf", swaps);
    snprintf(config, sizeof config, "%s/sentinel.conf", redis->folder);
    const char *const arguments[] = {config, "--sentinel", NULL};
    redis_run(redis, arguments);
}

/* Does its answer to this hold that text? Sentinels end the connections of what they promote: then it does not. */
static bool answers(const struct redis *redis, const char *user, const char *command, const char *text)
{
    redisContext *context = redis_connect(redis);
    redisReply *reply = redisCommand(context, "AUTH %s %s-sesame", user, user);
    if (reply != NULL)
        freeReplyObject(reply);
    reply = redisCommand(context, command);
    bool holds = false;
    if (reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements > 0) /* ROLE */
        holds = reply->element[0]->str != NULL && strstr(reply->element[0]->str, text) != NULL;
    else if (reply != NULL && reply->str != NULL)
        holds = strstr(reply->str, text) != NULL;
    if (reply != NULL)
        freeReplyObject(reply);
    redisFree(context);
    return holds;
}

static bool knows_all(const struct redis *redis)
{
    redisContext *context = redis_connect(redis);
    freeReplyObject(redis_ask(context, "AUTH guards-sesame"));
    redisReply *reply = redisCommand(context, "SENTINEL CKQUORUM lineward"); /* an error as long as it is alone */
    bool knows = reply != NULL && strstr(reply->str, "OK 3") != NULL;
    freeReplyObject(reply);
    reply = redis_ask(context, "SENTINEL REPLICAS lineward");
    knows &= reply->elements == 1;
    freeReplyObject(reply);
    redisFree(context);
    return knows;
}

static void start_servers(void)
{
    start_server(&server[0], NULL);
    start_server(&server[1], &server[0]);
    AWAIT(answers(&server[0], "admin", "INFO replication", "state=online"), "the replica does not follow");
}

static void start_sentinels(void)
{
    size_t bytes = (size_t)snprintf(address, sizeof address, "cache.redis=redis+sentinel://lineward@");
    for (size_t i = 0; i < SENTINELS; i++) {
        start_sentinel(&sentinel[i]);
        bytes += (size_t)snprintf(address + bytes, sizeof address - bytes, "%s127.0.0.1:%u", i == 0 ? "" : ",",
                                  sentinel[i].port);
    }
    snprintf(address + bytes, sizeof address - bytes, "/lineward");
    for (size_t i = 0; i < SENTINELS; i++)
        AWAIT(knows_all(&sentinel[i]), "the Sentinels do not find each other");
}

static void start_brokers(void)
{
    const char *const sets[] = {"cache.kind=redis",
                                address,
                                "cache.redis_password_file=lineward.password",
                                "cache.sentinel_password_file=sentinels.password",
                                "accounts.default.stale_after_ms=1000",
                                NULL};
    rig_open(&rig, sets);
    rig_write(&rig, "lineward.password", "lineward-sesame\n");
    rig_write(&rig, "sentinels.password", "guards-sesame\n");
    rig_start(&rig, 0);
    second_open(&other, &rig, "other");
    second_start(&other);
    rig_await_ready(&other.rig);
}

static bool both(size_t line, const char *gate)
{
    return rig_line_is(&rig, line, gate, NULL) && rig_line_is(&other.rig, line, gate, NULL);
}

static void end_brokers(void)
{
    second_close(&other);
    rig_close(&rig);
}

/* ---- the tests ---- */

START_TEST(a_failover_works_with_the_rights_that_each_user_has)
{
    start_servers();
    start_sentinels();
    start_brokers();
    rig_set_line(&rig, 0, "\"reputation\":\"CRITICAL\"");
    AWAIT(both(0, "closed"), "not closed at both");
    program_signal(&server[0].program, SIGKILL);
    MUST(program_wait(&server[0].program, LIMIT_MS) == -SIGKILL, "not killed");
    server[0].program.pid = 0;
    AWAIT_FOR(2 * LIMIT_MS, answers(&server[1], "lineward", "ROLE", "master"), "there is no failover");
    rig_set_line(&rig, 1, "\"reputation\":\"CRITICAL\"");
    AWAIT(rig_line_is(&rig, 1, "closed", NULL), "not closed where it was told");
    AWAIT(program_said(&rig.broker, "NOREPLICAS"), "the only one left takes what is written");
    run_server(&server[0]);
    AWAIT(answers(&server[0], "lineward", "ROLE", "slave"), "the old one does not follow");
    AWAIT(both(0, "closed") && both(1, "closed"), "they do not agree by the new master");
    end_brokers();
    for (size_t i = 0; i < SENTINELS; i++)
        redis_end(&sentinel[i]);
    redis_end(&server[1]);
    redis_end(&server[0]);
}
END_TEST

START_TEST(the_brokers_user_can_do_nothing_else)
{
    static const char *const refused[] = {
        "FLUSHALL",
        "KEYS *",
        "CONFIG GET *",
        "GET secret",
        "SET secret 1",
        "DEL lineward:x",
        "ACL LIST",
        "SHUTDOWN",
        "SUBSCRIBE x",
        "REPLICAOF NO ONE",
        "PSUBSCRIBE *",
        "MONITOR",
        "CLIENT LIST",
        "SCRIPT FLUSH",
        "FUNCTION LIST",
        "EVAL return 0",
        "PUBLISH x y",
        "SAVE",
        "RENAME lineward:x lineward:y",
    };
    start_servers();
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        MUST(answers(&server[0], "lineward", refused[i], "NOPERM"), "it may %s", refused[i]);
    MUST(answers(&server[0], "replica", "ROLE", "NOPERM") &&
             answers(&server[0], "sentinel", "GET lineward:x", "NOPERM"),
         "the replicas' and the Sentinels' users may do more than they need");
    redisContext *context = redis_connect(&server[0]);
    redisReply *reply = redisCommand(context, "PING");
    MUST(reply != NULL && strstr(reply->str, "NOAUTH") != NULL, "somebody without a name is let in");
    freeReplyObject(reply);
    redisFree(context);
    redis_end(&server[1]);
    redis_end(&server[0]);
}
END_TEST

/* As it is in the repository, nobody has a password, so nobody is let in. */
START_TEST(the_file_of_users_lets_nobody_in_as_it_stands)
{
    char text[TEXT_MAX];
    read_text(FROM "users.acl", text);
    MUST(strchr(text, '#') == NULL && strchr(text, '>') == NULL && strstr(text, "nopass") == NULL, "a password");
    MUST(strncmp(text, "user default off\n", 17) == 0, "the default user is not off");
}
END_TEST

/* ---- stunnel ---- */

#define KEY       "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define OTHER_KEY "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct redis tunnel;

/* Both ends in one process, as one machine that were both. */
static void start_tunnel(const char *client_key)
{
    static char accept[2][48], connect[2][48], keys[2][160];
    char path[128];
    uint16_t port = rig_free_port();
    redis_open(&tunnel, "stunnel");
    tunnel.program.name = "/usr/bin/stunnel4";
    tunnel.port = rig_free_port();
    snprintf(accept[0], sizeof accept[0], "accept = 127.0.0.1:%u", tunnel.port);
    snprintf(connect[0], sizeof connect[0], "connect = 127.0.0.1:%u", port);
    snprintf(accept[1], sizeof accept[1], "accept = 127.0.0.1:%u", port);
    snprintf(connect[1], sizeof connect[1], "connect = 127.0.0.1:%u", server[0].port);
    snprintf(keys[0], sizeof keys[0], "PSKsecrets = %s/redis.psk", tunnel.folder);
    snprintf(keys[1], sizeof keys[1], "PSKsecrets = %s/client.psk\nPSKidentity = lineward", tunnel.folder);
    const struct swap swaps[] = {{"accept = 127.0.0.1:6378", accept[0]},
                                 {"connect = 10.1.0.11:6380", connect[0]},
                                 {"accept = 10.1.0.11:6380", accept[1]},
                                 {"connect = 127.0.0.1:6379", connect[1]},
                                 {"PSKsecrets = /etc/stunnel/lineward.psk", keys[0]},
                                 {"PSKidentity = lineward", keys[1]},
                                 {"sslVersionMin", "foreground = yes\npid =\nsslVersionMin"},
                                 {NULL, NULL}};
    fill(&tunnel, "stunnel.conf", swaps);
    put(&tunnel, "redis.psk", "lineward:" KEY "\n");
    put(&tunnel, "client.psk", client_key);
    snprintf(path, sizeof path, "%s/stunnel.conf", tunnel.folder);
    const char *const arguments[] = {path, NULL};
    program_start(&tunnel.program, arguments);
    snprintf(address, sizeof address, "cache.redis=redis://lineward@127.0.0.1:%u", tunnel.port);
}

static void start_one(void)
{
    start_server(&server[0], NULL);
    redisContext *context = redis_connect(&server[0]);
    freeReplyObject(redis_ask(context, "AUTH admin admin-sesame"));
    freeReplyObject(redis_ask(context, "CONFIG SET min-replicas-to-write 0"));
    redisFree(context);
}

static void end_tunnel(void)
{
    end_brokers();
    redis_end(&tunnel);
    redis_end(&server[0]);
}

START_TEST(brokers_and_their_redis_speak_tls_by_stunnel)
{
    start_one();
    start_tunnel("lineward:" KEY "\n");
    start_brokers();
    rig_set_line(&rig, 0, "\"reputation\":\"CRITICAL\",\"list\":false");
    AWAIT(both_have_closed(&rig, &other, 0), "not closed at both");
    AWAIT(program_said(&rig.broker, "cache_up") && program_said(&other.rig.broker, "cache_up"), "not by Redis");
    end_tunnel();
}
END_TEST

START_TEST(who_has_another_key_is_not_let_through)
{
    start_one();
    start_tunnel("lineward:" OTHER_KEY "\n");
    start_brokers();
    AWAIT(program_said(&rig.broker, "cache_away"), "it does not say so");
    MUST(!program_said(&rig.broker, "cache_up"), "let through");
    end_tunnel();
}
END_TEST

int main(void)
{
    MUST(sodium_init() >= 0, "no libsodium");
    return RUN_TESTS("cache_deploy", 120, a_failover_works_with_the_rights_that_each_user_has,
                     the_brokers_user_can_do_nothing_else, brokers_and_their_redis_speak_tls_by_stunnel,
                     who_has_another_key_is_not_let_through, the_file_of_users_lets_nobody_in_as_it_stands);
}
