/* cache_nodes.c — see cache_nodes.h.
 *
 * Commands that are sent elsewhere may overtake each other. That is allowed: each fact says when it was, and the
 * script goes by that. */
#include "broker/cache/cache_nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cache/cache_cluster.h"
#include "broker/cache/cache_fault.h"
#include "broker/cache/cache_line.h"
#include "lineward/clock.h"
#include "lineward/conf.h"
#include "lineward/log.h"

#define AGAIN_MS  20  /* between two tries of what is between two nodes */
#define TRIES_MAX 100 /* then something is wrong with the Cluster */
#define AT_ONCE   3   /* so often a command is sent on without waiting: nodes may point at each other for a moment */

struct node {
    struct cache_end end;
    size_t accounts; /* that live there */
    bool has_script; /* and is a master */
    unsigned to_do;  /* answers before it does */
};

struct sending {
    struct sending *next; /* of those that wait to be sent again */
    struct cache_nodes *nodes;
    struct cache_command command;
    struct redis_host to; /* if it is not where its account lives */
    bool asking;
    unsigned tries;
    int64_t at_ms;
};

struct cache_nodes {
    struct cache_nodes_options options;
    struct node all[CACHE_NODES_MAX];
    uint8_t of[CONF_ACCOUNTS_MAX]; /* place in `all`, plus one; 0: nowhere */
    struct cache_end_to to;        /* as whom; the host is each one's */
    struct sending *waiting;
    bool was_ready, said_failed;
    int64_t now_ms;
    char sha[CACHE_SHA_MAX];
};

/* ---- setting one up ---- */

static struct node *node_of(struct cache_nodes *nodes, uint32_t account)
{
    return nodes->of[account] == 0 ? NULL : &nodes->all[nodes->of[account] - 1];
}

static void tell_ready(struct cache_nodes *nodes)
{
    for (size_t i = 0; i < CACHE_NODES_MAX; i++)
        if (nodes->all[i].accounts > 0 && !nodes->all[i].has_script)
            return;
    if (nodes->was_ready)
        return;
    nodes->was_ready = true;
    nodes->options.ready(nodes->options.self);
}

static void done(struct node *node)
{
    if (--node->to_do > 0)
        return;
    node->has_script = true;
    tell_ready(node->end.self);
}

/* After a failover the old master may still answer, as a replica or about to be one. */
static void on_role(redisAsyncContext *context, void *data, void *self)
{
    struct node *node = self;
    const redisReply *reply = cache_end_reply(context->data, data, "ROLE");
    if (reply == NULL)
        return;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 1 || reply->element[0]->type != REDIS_REPLY_STRING ||
        strcmp(reply->element[0]->str, "master") != 0)
        cache_end_lose(&node->end, "it is no master");
    else
        done(node);
}

static void on_script(redisAsyncContext *context, void *data, void *self)
{
    struct node *node = self;
    struct cache_nodes *nodes = node->end.self;
    const redisReply *reply = cache_end_reply(context->data, data, "SCRIPT LOAD");
    if (reply == NULL)
        return;
    if (reply->type != REDIS_REPLY_STRING || reply->len + 1 != CACHE_SHA_MAX) {
        cache_end_lose(&node->end, "it takes no script");
        return;
    }
    memcpy(nodes->sha, reply->str, CACHE_SHA_MAX);
    done(node);
}

static void on_opened(struct cache_end *end)
{
    struct cache_nodes *nodes = end->self;
    struct node *node = nodes->all;
    while (&node->end != end)
        node++;
    node->to_do = 1;
    if (!nodes->options.is_cluster) { /* there a replica sends who writes to its master */
        node->to_do++;
        cache_end_due(end, nodes->now_ms);
        redisAsyncCommand(end->context, on_role, node, "ROLE");
    }
    cache_end_due(end, nodes->now_ms);
    redisAsyncCommand(end->context, on_script, node, "SCRIPT LOAD %s", cache_script);
}

static struct node *open_node(struct cache_nodes *nodes, const struct redis_host *host)
{
    struct node *unused = NULL;
    for (size_t i = 0; i < CACHE_NODES_MAX; i++) {
        struct node *node = &nodes->all[i];
        bool there = cache_end_is_there(&node->end);
        if (there &&
            (host == NULL || (node->end.host.port == host->port && strcmp(node->end.host.name, host->name) == 0)))
            return node;
        if (unused == NULL && !there && node->accounts == 0 && !node->end.is_lost)
            unused = node;
    }
    if (unused == NULL)
        return NULL;
    nodes->to.host = host;
    unused->has_script = false;
    cache_end_open(&unused->end, &nodes->to, nodes->now_ms);
    return unused;
}

static void settle(struct cache_nodes *nodes, uint32_t account, struct node *node)
{
    struct node *before = node_of(nodes, account);
    if (before != NULL)
        before->accounts--;
    node->accounts++;
    nodes->of[account] = (uint8_t)(node - nodes->all + 1);
}

bool cache_nodes_place(struct cache_nodes *nodes, uint32_t account, const struct cache_end_to *to, int64_t now_ms)
{
    nodes->now_ms = now_ms;
    nodes->to = *to;
    struct node *node = open_node(nodes, to->path != NULL ? NULL : to->host);
    if (node != NULL)
        settle(nodes, account, node);
    return node != NULL;
}

/* ---- commands ---- */

static void end_sending(struct sending *sending, const redisReply *reply)
{
    struct cache_command command = sending->command;
    free(command.text);
    free(sending);
    command.answered(command.self, reply);
}

static void wait(struct sending *sending, int64_t after_ms)
{
    struct sending **last = &sending->nodes->waiting;
    while (*last != NULL)
        last = &(*last)->next;
    sending->next = NULL;
    sending->at_ms = sending->nodes->now_ms + after_ms;
    *last = sending;
}

static bool deliver(struct sending *sending);

static void move(struct cache_nodes *nodes, uint32_t account, struct node *node)
{
    bool elsewhere = node != node_of(nodes, account);
    settle(nodes, account, node);
    if (elsewhere)
        nodes->options.moved(nodes->options.self, account);
}

/* True: it goes on. */
static bool follow(struct sending *sending, const char *error, const struct redis_host *asked)
{
    struct cache_nodes *nodes = sending->nodes;
    enum cache_redirect redirect = cache_cluster_redirect(error, asked, &sending->to);
    if (redirect == CACHE_STAYS)
        return false;
    if (++sending->tries > TRIES_MAX) {
        cache_nodes_lose(nodes, "an account's keys stay between two nodes");
        return false;
    }
    struct node *node =
        redirect == CACHE_AGAIN ? node_of(nodes, sending->command.account) : open_node(nodes, &sending->to);
    if (node == NULL)
        return false;
    if (redirect == CACHE_MOVED)
        move(nodes, sending->command.account, node);
    sending->asking = redirect == CACHE_ASK;
    if (redirect == CACHE_AGAIN || sending->tries > AT_ONCE) {
        wait(sending, AGAIN_MS);
        return true;
    }
    return deliver(sending);
}

/* Who is answered nothing tells it again; by then the script is there. */
static void on_reloaded(redisAsyncContext *context, void *data, void *self)
{
    (void)self;
    (void)cache_end_reply(context->data, data, "SCRIPT LOAD");
}

static void take_error(struct sending *sending, struct cache_end *end, const char *error)
{
    struct cache_nodes *nodes = sending->nodes;
    char why[sizeof end->problem], quoted[LOG_QUOTED_MAX];
    cache_fault_text(sending->command.what, error, why, sizeof why);
    switch (cache_fault_of(error)) {
    case CACHE_FAULT_SCRIPT:
        cache_end_due(end, nodes->now_ms);
        redisAsyncCommand(end->context, on_reloaded, NULL, "SCRIPT LOAD %s", cache_script);
        break;
    case CACHE_FAULT_FACT:
        if (!nodes->said_failed)
            log_event(LOG_ERROR, "cache_script_failed", "reason=%s", log_quoted(why, quoted));
        nodes->said_failed = true;
        break;
    case CACHE_FAULT_PLACE:
        cache_end_lose(end, why);
        break;
    }
}

static void on_reply(redisAsyncContext *context, void *data, void *self)
{
    struct sending *sending = self;
    struct cache_end *end = context->data;
    const redisReply *reply = cache_end_any_reply(end, data);
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR) {
        if (sending->nodes->options.is_cluster && follow(sending, reply->str, &end->host))
            return;
        take_error(sending, end, reply->str);
        reply = NULL;
    }
    end_sending(sending, reply);
}

static void on_asking(redisAsyncContext *context, void *data, void *self)
{
    (void)self;
    (void)cache_end_reply(context->data, data, "ASKING");
}

/* False: it cannot be sent. */
static bool deliver(struct sending *sending)
{
    struct cache_nodes *nodes = sending->nodes;
    struct node *node = sending->asking ? open_node(nodes, &sending->to) : node_of(nodes, sending->command.account);
    if (node == NULL || !cache_end_is_there(&node->end))
        return false;
    if (node->end.context == NULL) { /* its name is being looked up */
        wait(sending, AGAIN_MS);
        return true;
    }
    if (sending->asking) {
        cache_end_due(&node->end, nodes->now_ms);
        redisAsyncCommand(node->end.context, on_asking, NULL, "ASKING");
    }
    sending->asking = false;
    if (redisAsyncFormattedCommand(node->end.context, on_reply, sending, sending->command.text,
                                   (size_t)sending->command.bytes) != REDIS_OK)
        return false;
    cache_end_due(&node->end, nodes->now_ms);
    return true;
}

bool cache_nodes_send(struct cache_nodes *nodes, const struct cache_command *command, int64_t now_ms)
{
    struct sending *sending = command->bytes > 0 ? calloc(1, sizeof *sending) : NULL;
    nodes->now_ms = now_ms;
    if (sending != NULL) {
        sending->nodes = nodes;
        sending->command = *command;
    }
    if (sending != NULL && deliver(sending)) {
        if (!nodes->options.is_cluster) { /* it will go nowhere else */
            free(sending->command.text);
            sending->command.text = NULL;
        }
        return true;
    }
    free(sending);
    if (command->bytes > 0)
        free(command->text);
    return false;
}

static void send_waiting(struct cache_nodes *nodes)
{
    struct sending *all = nodes->waiting;
    nodes->waiting = NULL;
    while (all != NULL) {
        struct sending *sending = all;
        all = sending->next;
        if (sending->at_ms > nodes->now_ms)
            wait(sending, sending->at_ms - nodes->now_ms);
        else if (!deliver(sending))
            end_sending(sending, NULL);
    }
}

/* ---- all of them ---- */

void cache_nodes_close(struct cache_nodes *nodes)
{
    struct sending *waiting = nodes->waiting;
    nodes->waiting = NULL;
    for (size_t i = 0; i < CACHE_NODES_MAX; i++) {
        cache_end_close(&nodes->all[i].end);
        nodes->all[i].accounts = 0;
        nodes->all[i].has_script = false;
    }
    memset(nodes->of, 0, sizeof nodes->of);
    nodes->was_ready = nodes->said_failed = false;
    while (waiting != NULL) {
        struct sending *sending = waiting;
        waiting = sending->next;
        end_sending(sending, NULL);
    }
}

bool cache_nodes_are_open(const struct cache_nodes *nodes)
{
    for (size_t i = 0; i < CACHE_NODES_MAX; i++)
        if (cache_end_is_there(&nodes->all[i].end))
            return true;
    return false;
}

const struct cache_end *cache_nodes_lost(const struct cache_nodes *nodes)
{
    for (size_t i = 0; i < CACHE_NODES_MAX; i++)
        if (nodes->all[i].end.is_lost && nodes->all[i].accounts > 0)
            return &nodes->all[i].end;
    return NULL;
}

void cache_nodes_lose(struct cache_nodes *nodes, const char *why)
{
    for (size_t i = 0; i < CACHE_NODES_MAX; i++)
        if (nodes->all[i].accounts > 0)
            cache_end_lose(&nodes->all[i].end, why);
}

const char *cache_nodes_sha(const struct cache_nodes *nodes)
{
    return nodes->sha;
}

size_t cache_nodes_ends(struct cache_nodes *nodes, struct cache_end *out[CACHE_NODES_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < CACHE_NODES_MAX; i++)
        if (nodes->all[i].end.context != NULL || nodes->all[i].end.name != NULL)
            out[count++] = &nodes->all[i].end;
    return count;
}

void cache_nodes_turn(struct cache_nodes *nodes, int64_t now_ms)
{
    nodes->now_ms = now_ms;
    if (nodes->waiting != NULL)
        send_waiting(nodes);
    for (size_t i = 0; i < CACHE_NODES_MAX; i++) {
        struct node *node = &nodes->all[i];
        bool idle = cache_end_is_there(&node->end) && node->end.name == NULL && node->end.waiting == 0;
        if (node->accounts == 0 && (idle || node->end.is_lost))
            cache_end_close(&node->end); /* nobody lives there any more */
    }
}

int64_t cache_nodes_next_ms(const struct cache_nodes *nodes)
{
    int64_t next = TIME_NEVER;
    for (const struct sending *sending = nodes->waiting; sending != NULL; sending = sending->next)
        next = sending->at_ms < next ? sending->at_ms : next;
    return next;
}

struct cache_nodes *cache_nodes_new(const struct cache_nodes_options *options)
{
    struct cache_nodes *nodes = calloc(1, sizeof *nodes);
    if (nodes == NULL)
        return NULL;
    nodes->options = *options;
    for (size_t i = 0; i < CACHE_NODES_MAX; i++) {
        nodes->all[i].end.opened = on_opened;
        nodes->all[i].end.self = nodes;
    }
    return nodes;
}

void cache_nodes_free(struct cache_nodes **nodes_p)
{
    struct cache_nodes *nodes = *nodes_p;
    *nodes_p = NULL;
    if (nodes == NULL)
        return;
    cache_nodes_close(nodes);
    free(nodes);
}
