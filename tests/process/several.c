/* several.c — see several.h: the machines and what runs on them. */
#include "several.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"

#define REDIS_PORT    6379
#define SENTINEL_PORT 26379

static bool truth[RIG_LINES]; /* CRITICAL? */

/* ---- Redis ---- */

static void run_redis(struct several *several, size_t i, bool follows)
{
    struct redis *redis = &several->redis[i];
    const char *const alone[] = {"--protected-mode", "no", NULL};
    const char *const second[] = {"--protected-mode", "no", "--replicaof", several->redis[1 - i].host, "6379", NULL};
    redis_run_server(redis, follows ? second : alone);
}

static void open_redis(struct several *several, struct redis *redis, const char *name, size_t machine, uint16_t port)
{
    redis_open(redis, name);
    net_address(machine, redis->host);
    redis->port = port;
    redis->program.network = several->net.machine[machine];
}

static bool says(const struct redis *redis, const char *command, const char *text)
{
    redisContext *context = redis_connect(redis);
    redisReply *reply = redisCommand(context, command);
    bool holds = reply != NULL && reply->str != NULL && strstr(reply->str, text) != NULL;
    if (reply != NULL)
        freeReplyObject(reply);
    redisFree(context);
    return holds;
}

static void start_sentinel(struct several *several, size_t i)
{
    struct redis *redis = &several->sentinel[i];
    char path[128];
    open_redis(several, redis, "sentinel", i, SENTINEL_PORT);
    snprintf(path, sizeof path, "%s/sentinel.conf", redis->folder);
    FILE *file = fopen(path, "w");
    MUST(file != NULL, "no %s", path);
    /* after a failover there is no other for twice this */
    fprintf(file,
            "port %d\nbind %s\nprotected-mode no\ndir %s\nsentinel monitor main %s %d 2\n"
            "sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 2000\n",
            SENTINEL_PORT, redis->host, redis->folder, several->redis[0].host, REDIS_PORT);
    MUST(fclose(file) == 0, "no %s", path);
    redis_run(redis, (const char *const[]){path, "--sentinel", NULL});
}

static void start_redis(struct several *several)
{
    for (size_t i = 0; i < 2; i++) {
        open_redis(several, &several->redis[i], "redis", SEVERAL_BROKERS + i, REDIS_PORT);
        run_redis(several, i, i == 1);
    }
    AWAIT(says(&several->redis[0], "INFO replication", "state=online"), "the replica does not follow");
    for (size_t i = 0; i < SEVERAL_BROKERS; i++)
        start_sentinel(several, i);
    for (size_t i = 0; i < SEVERAL_BROKERS; i++)
        AWAIT(says(&several->sentinel[i], "SENTINEL CKQUORUM main", "OK 3"), "the Sentinels do not find each other");
}

void several_kill_master(struct several *several)
{
    program_kill(&several->redis[several->master].program);
}

bool several_has_master(struct several *several)
{
    return says(&several->redis[1 - several->master], "INFO replication", "role:master");
}

void several_follow_master(struct several *several)
{
    run_redis(several, several->master, true);
    several->master = 1 - several->master;
    AWAIT(says(&several->redis[several->master], "INFO replication", "state=online"), "the replica does not follow");
}

/* ---- the brokers ---- */

static void pass_ports(struct several *several)
{
    struct net_pass passes[SEVERAL_BROKERS * 6];
    char log[PROGRAM_PATH_MAX];
    size_t count = 0;
    for (size_t i = 0; i < SEVERAL_BROKERS; i++) {
        const struct rig *rig = &several->broker[i].rig;
        const uint16_t ports[] = {rig->port.producers, rig->port.workers, rig->port.events, rig->port.admin,
                                  rig->port.webhooks};
        for (size_t p = 0; p < 5; p++)
            passes[count++] = (struct net_pass){several->net.ours, several->net.machine[i], ports[p]};
        passes[count++] = (struct net_pass){several->net.machine[i], several->net.ours, rig->port.provider};
    }
    snprintf(log, sizeof log, "%s/pass.log", several->rig.folder);
    net_pass_on(&several->pass, log, passes, count);
}

static void set_workers_brokers(struct several *several)
{
    static char set[256];
    size_t bytes = (size_t)snprintf(set, sizeof set, "worker.broker=[");
    for (size_t i = 0; i < SEVERAL_BROKERS; i++)
        bytes += (size_t)snprintf(set + bytes, sizeof set - bytes, "%s\"tcp://127.0.0.1:%u\"", i == 0 ? "" : ", ",
                                  several->broker[i].rig.port.workers);
    snprintf(set + bytes, sizeof set - bytes, "]");
    several->rig.sets[several->rig.set_count++] = set;
}

void several_restart_broker(struct several *several, size_t broker)
{
    second_start(&several->broker[broker]);
    rig_await_ready(&several->broker[broker].rig);
}

void several_start(struct several *several)
{
    static char address[256], poll[64];
    struct rig *rig = &several->rig;
    size_t bytes = (size_t)snprintf(address, sizeof address, "cache.redis=redis+sentinel://");
    memset(several, 0, sizeof *several);
    net_open(&several->net, SEVERAL_BROKERS + 2);
    start_redis(several);
    for (size_t i = 0; i < SEVERAL_BROKERS; i++)
        bytes += (size_t)snprintf(address + bytes, sizeof address - bytes, "%s%s", i == 0 ? "" : ",",
                                  several->sentinel[i].host);
    snprintf(address + bytes, sizeof address - bytes, "/main");
    snprintf(poll, sizeof poll, "accounts.default.poll_interval_ms=%d", SEVERAL_POLL_MS);
    rig_open(rig, (const char *const[]){"cache.kind=redis", address, poll, NULL});
    for (size_t i = 0; i < SEVERAL_BROKERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "broker-%zu", i + 1);
        second_open(&several->broker[i], rig, name);
        several->broker[i].rig.broker.network = several->net.machine[i];
        second_set(&several->broker[i], "broker.admin_tokens_file=%s.tokens", name);
    }
    set_workers_brokers(several);
    rig_start_sandbox(rig);
    pass_ports(several);
    for (size_t i = 0; i < SEVERAL_BROKERS; i++) {
        static char tokens[SEVERAL_BROKERS][40];
        snprintf(tokens[i], sizeof tokens[i], "broker-%zu.tokens.first", i + 1);
        several->broker[i].rig.first_token = tokens[i];
        second_start(&several->broker[i]);
    }
    for (size_t i = 0; i < SEVERAL_BROKERS; i++)
        rig_await_ready(&several->broker[i].rig);
    for (size_t i = 0; i < RIG_WORKERS; i++)
        rig_start_worker(rig, i);
    AWAIT(several_agree(several), "the lines are not open everywhere");
    several_watch(several);
    AWAIT(several_agree(several), "the lines are not open everywhere any more");
}

void several_close(struct several *several)
{
    several_watch_end();
    for (size_t i = 0; i < SEVERAL_BROKERS; i++)
        second_close(&several->broker[i]);
    program_kill(&several->pass);
    program_forget(&several->pass);
    rig_close(&several->rig);
    for (size_t i = 0; i < SEVERAL_BROKERS; i++)
        redis_end(&several->sentinel[i]);
    for (size_t i = 0; i < 2; i++)
        redis_end(&several->redis[i]);
}

/* ---- what is true, and who knows ---- */

void several_set_truth(struct several *several, size_t line, bool critical)
{
    truth[line] = critical;
    if (!critical)
        several_watch_truth(line, false);
    rig_set_line(&several->rig, line,
                 critical ? "\"reputation\":\"CRITICAL\",\"webhook\":false"
                          : "\"reputation\":\"HEALTHY\",\"webhook\":false");
    if (critical)
        several_watch_truth(line, true);
}

void several_tell(struct several *several, size_t broker, size_t line, bool critical)
{
    struct event event;
    event_make(&event, several->rig.lines[line], critical ? EVENT_NEWS("CRITICAL") : EVENT_NEWS("HEALTHY"),
               clock_read().wall_ms);
    long status = event_post(&several->broker[broker].rig, &event, RIG_SECRET, 0);
    MUST(status == 200, "broker %zu answers a webhook with %ld", broker + 1, status);
}

bool several_is_critical(size_t line)
{
    return truth[line];
}

bool several_knows(struct several *several, size_t broker)
{
    for (size_t line = 0; line < RIG_LINES; line++)
        if (!rig_line_is(&several->broker[broker].rig, line, truth[line] ? "closed" : "open", NULL))
            return false;
    return true;
}

bool several_agree(struct several *several)
{
    for (size_t i = 0; i < SEVERAL_BROKERS; i++)
        if (!several_knows(several, i))
            return false;
    return true;
}
