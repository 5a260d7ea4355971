/* queue_redis.c — Redis Streams, driven as well as one connection a side allows: everything pipelined, a job is one
 * XADD, a consumer's turn is one flush of XACK and XDEL for what it has and XREADGROUP for more. XDEL because a
 * finished job must not stay in memory, as it would not in the other queue. */
#include "queue.h"

#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAM      "jobs"
#define GROUP       "senders"
#define ID_TEXT_MAX 48

static redisContext *connect_to(const struct queue_address *address)
{
    redisContext *redis = redisConnectUnix(address->producers);
    if (redis == NULL || redis->err != 0)
        die("redis at %s: %s", address->producers, redis != NULL ? redis->errstr : "out of memory");
    return redis;
}

static void flush(redisContext *redis)
{
    int done = 0;
    while (!done)
        if (redisBufferWrite(redis, &done) != REDIS_OK)
            die("redis: %s", redis->errstr);
}

/* The next reply, waiting up to `timeout_ms` (-1: for ever) for it; NULL: none came. */
static redisReply *next_reply(redisContext *redis, int timeout_ms)
{
    for (;;) {
        void *reply = NULL;
        if (redisGetReplyFromReader(redis, &reply) != REDIS_OK)
            die("redis: %s", redis->errstr);
        if (reply != NULL) {
            redisReply *got = reply;
            if (got->type == REDIS_REPLY_ERROR)
                die("redis: %s", got->str);
            return got;
        }
        struct pollfd readable = {.fd = redis->fd, .events = POLLIN};
        if (poll(&readable, 1, timeout_ms) <= 0)
            return NULL;
        if (redisBufferRead(redis) != REDIS_OK)
            die("redis: %s", redis->errstr);
    }
}

static bool answers(const struct queue_address *address, int timeout_ms)
{
    struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    redisContext *redis = redisConnectUnixWithTimeout(address->producers, timeout);
    bool up = false;
    if (redis != NULL && redis->err == 0 && redisSetTimeout(redis, timeout) == REDIS_OK) {
        redisReply *reply = redisCommand(redis, "PING"); /* an error, LOADING, while it reads its log */
        up = reply != NULL && reply->type == REDIS_REPLY_STATUS;
        if (reply != NULL)
            freeReplyObject(reply);
    }
    redisFree(redis);
    return up;
}

/* ---- producer ---- */

static void *producer_new(const struct queue_address *address)
{
    return connect_to(address);
}

static void producer_free(void *producer)
{
    redisFree(producer);
}

static void put(void *producer, const struct document *documents, size_t count)
{
    redisContext *redis = producer;
    char command[DOCUMENT_BYTES + 128];
    int head =
        snprintf(command, sizeof command, "*5\r\n$4\r\nXADD\r\n$%zu\r\n" STREAM "\r\n$1\r\n*\r\n$1\r\nj\r\n$%d\r\n",
                 sizeof STREAM - 1, DOCUMENT_BYTES);
    for (size_t i = 0; i < count; i++) {
        memcpy(command + head, documents[i].text, DOCUMENT_BYTES);
        memcpy(command + head + DOCUMENT_BYTES, "\r\n", 2);
        if (redisAppendFormattedCommand(redis, command, (size_t)head + DOCUMENT_BYTES + 2) != REDIS_OK)
            die("redis: out of memory");
    }
    flush(redis);
}

static size_t acked(void *producer, int timeout_ms)
{
    size_t count = 0;
    redisReply *reply = NULL;
    while ((reply = next_reply(producer, count == 0 ? timeout_ms : 0)) != NULL) {
        freeReplyObject(reply);
        count++;
    }
    return count;
}

/* ---- consumer ---- */

enum expected { EXPECT_READ, EXPECT_ACK, EXPECT_DELETE };

struct consumer {
    redisContext *redis;
    enum expected expected; /* the reply that comes next */
    size_t slots, in_hand;
    unsigned number;          /* consumers of a group are told apart by name */
    char (*ids)[ID_TEXT_MAX]; /* of what is in hand */
    const char **arguments;   /* of a command over all ids */
};

static void ask_for_more(struct consumer *consumer)
{
    if (redisAppendCommand(consumer->redis,
                           "XREADGROUP GROUP " GROUP " consumer-%u COUNT %u BLOCK 0 STREAMS " STREAM " >",
                           consumer->number, (unsigned)consumer->slots) != REDIS_OK)
        die("redis: out of memory");
}

/* Makes the group, unless another consumer was first. */
static void join_group(struct consumer *consumer)
{
    static atomic_uint consumers;
    consumer->number = atomic_fetch_add(&consumers, 1);
    redisReply *reply = redisCommand(consumer->redis, "XGROUP CREATE " STREAM " " GROUP " 0 MKSTREAM");
    if (reply == NULL)
        die("redis: %s", consumer->redis->errstr);
    if (reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "BUSYGROUP", 9) != 0)
        die("redis: %s", reply->str);
    freeReplyObject(reply);
}

static void *consumer_new(const struct queue_address *address, size_t slots)
{
    struct consumer *consumer = calloc(1, sizeof *consumer);
    if (consumer == NULL || (consumer->ids = calloc(slots, sizeof *consumer->ids)) == NULL ||
        (consumer->arguments = calloc(slots + 3, sizeof *consumer->arguments)) == NULL)
        die("out of memory");
    consumer->redis = connect_to(address);
    consumer->slots = slots;
    join_group(consumer);
    ask_for_more(consumer);
    flush(consumer->redis);
    return consumer;
}

static void consumer_free(void *self)
{
    struct consumer *consumer = self;
    redisFree(consumer->redis);
    free(consumer->ids);
    free(consumer->arguments);
    free(consumer);
}

static void append_over_ids(struct consumer *consumer, const char *command, bool with_group)
{
    int count = 0;
    consumer->arguments[count++] = command;
    consumer->arguments[count++] = STREAM;
    if (with_group)
        consumer->arguments[count++] = GROUP;
    for (size_t i = 0; i < consumer->in_hand; i++)
        consumer->arguments[count++] = consumer->ids[i];
    if (redisAppendCommandArgv(consumer->redis, count, consumer->arguments, NULL) != REDIS_OK)
        die("redis: out of memory");
}

/* [[stream, [[id, [field, value]] ...]]], or nil when nothing came. */
static void take_jobs(struct consumer *consumer, const redisReply *reply, queue_on_job *on_job, void *self)
{
    consumer->in_hand = 0;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 1)
        die("redis: XREADGROUP answered something else");
    const redisReply *jobs = reply->element[0]->element[1];
    for (size_t i = 0; i < jobs->elements; i++) {
        const redisReply *job = jobs->element[i];
        const redisReply *value = job->element[1]->element[1];
        snprintf(consumer->ids[consumer->in_hand++], ID_TEXT_MAX, "%s", job->element[0]->str);
        on_job(self, value->str, value->len);
    }
    append_over_ids(consumer, "XACK", true);
    append_over_ids(consumer, "XDEL", false);
    ask_for_more(consumer);
    flush(consumer->redis);
}

static size_t turn(void *self, int timeout_ms, queue_on_job *on_job, void *on_job_self)
{
    struct consumer *consumer = self;
    size_t durable = 0;
    redisReply *reply = NULL;
    while ((reply = next_reply(consumer->redis, timeout_ms)) != NULL) {
        timeout_ms = 0;
        switch (consumer->expected) {
        case EXPECT_READ:
            take_jobs(consumer, reply, on_job, on_job_self);
            consumer->expected = EXPECT_ACK;
            break;
        case EXPECT_ACK:
            consumer->expected = EXPECT_DELETE;
            break;
        case EXPECT_DELETE:
            durable += (size_t)reply->integer;
            consumer->expected = EXPECT_READ;
            break;
        }
        freeReplyObject(reply);
    }
    return durable;
}

const struct queue redis_queue = {.name = "redis",
                                  .answers = answers,
                                  .producer_new = producer_new,
                                  .producer_free = producer_free,
                                  .put = put,
                                  .acked = acked,
                                  .consumer_new = consumer_new,
                                  .consumer_free = consumer_free,
                                  .turn = turn};
