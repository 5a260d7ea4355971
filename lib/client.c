/* client.c — the C client: one call at a time, whose items go to the broker that the client was made for and, if that
 * one or another says that a pool is owned elsewhere, to its owner; a request to each broker at a time. */
#include "lineward.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "client_part.h"
#include "lineward/clock.h"
#include "lineward/wire.h"

#define RESEND_MS         1000
#define RESEND_MS_MIN     10
#define FOLLOW_HOPS       3
#define FOLLOW_HOPS_MAX   16
#define OWNER_PATIENCE_MS 2000 /* for the broker that owned the pool last time, before somebody is asked who does now */
#define OWNER_PATIENCE_MIN 10 /* with less time than twice that left, nobody else is asked any more */
#define HEAD_BYTES_MAX    64   /* of a request, before its items */

_Static_assert(LINEWARD_BATCH_MAX == WIRE_ENQUEUE_JOBS_MAX, "one call is one request");
_Static_assert(LINEWARD_BATCH_BYTES_MAX == WIRE_REQUEST_BYTES_MAX, "one call is one request");

struct call {
    enum { ASKS_JOBS, ASKS_IDS, ASKS_NOTHING } asks;
    const char *command, *answer;
    const char *const *items;
    size_t count;
    int64_t now_ms, deadline_ms; /* on the steady clock */
    size_t groups, answered, failed;
    bool in_doubt; /* some of what failed may have been done */
    enum lineward_status status; /* of the first that failed */
};

static enum lineward_status fail(struct lineward *client, enum lineward_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum lineward_status fail(struct lineward *client, enum lineward_status status, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(client->error, sizeof client->error, format, values);
    va_end(values);
    return status;
}

/* ---- connecting ---- */

static enum lineward_status connect_with(struct lineward **out, const char *endpoint, const struct client_keys *keys)
{
    enum lineward_status status = LINEWARD_NO_MEMORY;
    struct lineward *client = calloc(1, sizeof *client);
    if (client == NULL)
        return LINEWARD_NO_MEMORY;
    client->resend_ms = RESEND_MS;
    client->hops_max = FOLLOW_HOPS;
    client->keys = *keys;
    client->context = zmq_ctx_new();
    if (client->context != NULL)
        status = client_broker_open(client, CLIENT_HOME, endpoint);
    if (status == LINEWARD_OK) {
        client->endpoint = client_link_endpoint(client->brokers[CLIENT_HOME]->link);
        *out = client;
    } else {
        lineward_close(&client);
    }
    return status;
}

enum lineward_status lineward_connect(struct lineward **out, const char *endpoint)
{
    struct client_keys none = {"", ""};
    return connect_with(out, endpoint, &none);
}

enum lineward_status lineward_connect_curve(struct lineward **out, const char *endpoint, const char *secret_key,
                                            const char *broker_key)
{
    struct client_keys keys;
    if (strlen(secret_key) != CLIENT_KEY_TEXT - 1 || strlen(broker_key) != CLIENT_KEY_TEXT - 1)
        return LINEWARD_INVALID;
    memcpy(keys.secret, secret_key, CLIENT_KEY_TEXT);
    memcpy(keys.broker, broker_key, CLIENT_KEY_TEXT);
    enum lineward_status status = connect_with(out, endpoint, &keys);
    explicit_bzero(&keys, sizeof keys);
    return status;
}

void lineward_close(struct lineward **client_p)
{
    struct lineward *client = *client_p;
    if (client == NULL)
        return;
    client_brokers_close(client);
    if (client->context != NULL)
        zmq_ctx_term(client->context);
    explicit_bzero(&client->keys, sizeof client->keys);
    free(client->results);
    free(client);
    *client_p = NULL;
}

void lineward_resend_after(struct lineward *client, int resend_ms)
{
    client->resend_ms = resend_ms < RESEND_MS_MIN ? RESEND_MS_MIN : resend_ms;
}

void lineward_follow(struct lineward *client, int hops_max)
{
    client->hops_max = hops_max < 0 ? 0 : hops_max > FOLLOW_HOPS_MAX ? FOLLOW_HOPS_MAX : hops_max;
}

/* ---- results ---- */

/* Keeps a copy of the text, with a terminator; CLIENT_NO_RESULT: no memory. */
static size_t keep_text(struct lineward *client, struct frame text)
{
    size_t needed = client->results_bytes + text.bytes + 1;
    if (needed > client->results_room) {
        size_t room = needed > client->results_room * 2 ? needed : client->results_room * 2;
        char *results = realloc(client->results, room);
        if (results == NULL)
            return CLIENT_NO_RESULT;
        client->results = results;
        client->results_room = room;
    }
    size_t at = client->results_bytes;
    if (text.bytes > 0)
        memcpy(client->results + at, text.data, text.bytes);
    client->results[at + text.bytes] = '\0';
    client->results_bytes = needed;
    return at;
}

static struct client_pool pool_of(const struct call *call, size_t i)
{
    return call->asks == ASKS_JOBS ? client_pool_of_job(call->items[i]) : client_pool_of_id(call->items[i]);
}

enum follow { FOLLOW_NOT, FOLLOW_ON, FOLLOW_LOST };

/* Says the result that it is another broker's? FOLLOW_ON: then the item goes there. FOLLOW_NOT: the result stands.
 * FOLLOW_LOST: it is nobody's, but somebody who owned it before may have done it. */
static enum follow follow(struct lineward *client, const struct call *call, size_t i, struct frame result)
{
    char address[CONF_ADDRESS_MAX + 1];
    struct item *item = &client->items[i];
    unsigned to = CLIENT_HOME;
    if (call->asks == ASKS_NOTHING || client->hops_max == 0 || result.bytes == 0 ||
        !client_result_owner(result.data, result.bytes, address))
        return FOLLOW_NOT;
    bool follows = item->hops < client->hops_max && address[0] != '\0' &&
                   client_may_follow(client->endpoint, client->keys.secret[0] != '\0', address) &&
                   client_broker_at(client, address, &to) && to != item->broker;
    struct client_pool pool = pool_of(call, i);
    client_owners_learn(&client->owners, &pool, follows ? to : CLIENT_HOME);
    if (!follows)
        return item->in_doubt ? FOLLOW_LOST : FOLLOW_NOT;
    client->brokers[to]->used = client->calls;
    item->broker = to;
    item->fallback = CLIENT_HOME;
    item->hops++;
    item->told = true;
    item->state = ITEM_WAITS;
    return FOLLOW_ON;
}

static void fail_item(struct lineward *client, struct call *call, size_t i, enum lineward_status status,
                      const char *error)
{
    if (call->failed++ == 0) {
        call->status = status;
        fail(client, status, "%s", error);
    }
    client->items[i].state = ITEM_FAILED;
    call->in_doubt = call->in_doubt || client->items[i].in_doubt;
}

static void take_result(struct lineward *client, struct call *call, size_t i, struct frame result)
{
    struct item *item = &client->items[i];
    enum follow follows = follow(client, call, i, result);
    if (follows == FOLLOW_ON)
        return;
    if (follows == FOLLOW_LOST) {
        fail_item(client, call, i, LINEWARD_TIMEOUT, "no answer from the broker that owned the pool: it may have been done");
        return;
    }
    item->at = keep_text(client, result);
    if (item->at == CLIENT_NO_RESULT) {
        item->in_doubt = true;
        fail_item(client, call, i, LINEWARD_NO_MEMORY, "no memory for the answer");
        return;
    }
    item->state = ITEM_ANSWERED;
    call->answered++;
    if (item->searched) { /* and found: whoever answers has it */
        struct client_pool pool = pool_of(call, i);
        client_owners_learn(&client->owners, &pool, item->broker);
    }
}

/* ---- requests ---- */

/* All that waits for this broker goes, in order. */
static void begin_group(struct lineward *client, struct call *call, unsigned at)
{
    struct broker *broker = client->brokers[at];
    struct client_request request = {.command = call->command,
                                     .answer = call->answer,
                                     .items = call->asks == ASKS_NOTHING ? NULL : broker->texts,
                                     .repeatable = true,
                                     .resend_ms = client->resend_ms,
                                     .now_ms = call->now_ms,
                                     .deadline_ms = call->deadline_ms,
                                     .away_until_ms = call->deadline_ms};
    int64_t patience_ms = (call->deadline_ms - call->now_ms) / 2;
    patience_ms = patience_ms < OWNER_PATIENCE_MS ? patience_ms : OWNER_PATIENCE_MS;
    broker->count = 0;
    for (size_t i = 0; i < call->count; i++) {
        struct item *item = &client->items[i];
        if (item->state != ITEM_WAITS || item->broker != at)
            continue;
        item->state = ITEM_GOES;
        bool may_look = at == CLIENT_HOME ? item->fallback != CLIENT_HOME : !item->told;
        if (may_look && patience_ms >= OWNER_PATIENCE_MIN)
            request.away_until_ms = call->now_ms + patience_ms;
        if (call->asks == ASKS_JOBS)
            request.repeatable = request.repeatable && client_job_is_repeatable(call->items[i]);
        if (call->asks != ASKS_NOTHING)
            broker->texts[broker->count] = call->items[i];
        broker->items[broker->count++] = (uint16_t)i;
    }
    if (broker->count == 0)
        return;
    request.count = broker->count;
    request.id = ++client->requests;
    broker->busy = true;
    broker->used = client->calls;
    call->groups++;
    client_link_begin(broker->link, &request);
}

/* Who owned these pools does not seem to be there any more: who owns them now? Or, if there is nobody to ask either, back
 * to that one: it may be starting anew. */
static void look_elsewhere(struct lineward *client, unsigned at, bool was_sent)
{
    const struct broker *broker = client->brokers[at];
    for (size_t g = 0; g < broker->count; g++) {
        struct item *item = &client->items[broker->items[g]];
        item->state = ITEM_WAITS;
        item->broker = at == CLIENT_HOME ? item->fallback : CLIENT_HOME;
        item->fallback = at;
        item->told = false;
        item->searched = true;
        item->in_doubt = item->in_doubt || was_sent;
    }
}

static void end_group(struct lineward *client, struct call *call, unsigned at, enum lineward_status status)
{
    struct broker *broker = client->brokers[at];
    bool is_away = status == LINEWARD_UNREACHABLE || status == LINEWARD_TIMEOUT;
    broker->busy = false;
    if (is_away && call->now_ms < call->deadline_ms) {
        look_elsewhere(client, at, status == LINEWARD_TIMEOUT);
        return;
    }
    if (at != CLIENT_HOME && status != LINEWARD_OK)
        client_owners_doubt(&client->owners, at);
    for (size_t g = 0; g < broker->count; g++) {
        size_t i = broker->items[g];
        if (status == LINEWARD_OK) {
            take_result(client, call, i, client_link_result(broker->link, g));
            continue;
        }
        client->items[i].in_doubt |= status == LINEWARD_TIMEOUT || status == LINEWARD_IO;
        fail_item(client, call, i, status, client_link_error(broker->link));
    }
}

/* False: waiting failed. */
static bool wait_for_some(struct lineward *client, struct call *call)
{
    zmq_pollitem_t items[CLIENT_BROKERS_MAX];
    int count = 0;
    int64_t wake_ms = call->deadline_ms;
    for (unsigned at = CLIENT_HOME; at < CLIENT_BROKERS_MAX; at++) {
        int64_t link_wake_ms;
        if (client->brokers[at] == NULL || !client->brokers[at]->busy)
            continue;
        client_link_wait(client->brokers[at]->link, &items[count++], &link_wake_ms);
        wake_ms = link_wake_ms < wake_ms ? link_wake_ms : wake_ms;
    }
    int64_t ms = wake_ms - call->now_ms;
    if (zmq_poll(items, count, (long)(ms > 0 ? ms : 0)) < 0 && errno != EINTR)
        return false;
    call->now_ms = clock_read().mono_ms;
    return true;
}

/* True: something is on its way. */
static bool turn(struct lineward *client, struct call *call)
{
    bool busy = false;
    for (unsigned at = CLIENT_HOME; at < CLIENT_BROKERS_MAX; at++) {
        enum lineward_status status = LINEWARD_OK;
        if (client->brokers[at] == NULL)
            continue;
        if (!client->brokers[at]->busy)
            begin_group(client, call, at);
        if (client->brokers[at]->busy && client_link_turn(client->brokers[at]->link, call->now_ms, &status))
            end_group(client, call, at, status);
        busy = busy || client->brokers[at]->busy;
    }
    return busy;
}

/* Is there one that nothing keeps from going? */
static bool any_may_go(const struct lineward *client, const struct call *call)
{
    for (size_t i = 0; i < call->count; i++)
        if (client->items[i].state == ITEM_WAITS && !client->brokers[client->items[i].broker]->busy)
            return true;
    return false;
}

/* What the call says as a whole. Where some is answered and some is not, nobody may take it for all undone. */
static enum lineward_status conclude(struct lineward *client, const struct call *call)
{
    if (call->failed == 0 || (call->answered > 0 && call->groups > 1))
        client->result_count = call->count;
    if (call->failed == 0 || call->groups == 1)
        return call->failed == 0 ? LINEWARD_OK : call->status;
    if (call->answered == 0)
        return call->in_doubt ? LINEWARD_TIMEOUT : call->status;
    size_t used = strlen(client->error);
    snprintf(client->error + used, sizeof client->error - used, "; there is an answer to %zu of %zu", call->answered,
             call->count);
    return LINEWARD_TIMEOUT;
}

/* Whom it goes to first. */
static void place_item(struct lineward *client, const struct call *call, size_t i)
{
    bool doubted = false;
    struct client_pool pool = pool_of(call, i);
    unsigned owner = client_owners_find(&client->owners, &pool, &doubted);
    if (owner == CLIENT_HOME)
        return;
    client->brokers[owner]->used = client->calls;
    client->items[i].searched = doubted;
    if (doubted)
        client->items[i].fallback = owner;
    else
        client->items[i].broker = owner;
}

static enum lineward_status run(struct lineward *client, struct call *call, int timeout_ms)
{
    call->now_ms = clock_read().mono_ms;
    call->deadline_ms = call->now_ms + (timeout_ms > 0 ? timeout_ms : 0);
    client->calls++;
    for (unsigned at = CLIENT_HOME; at < CLIENT_BROKERS_MAX; at++)
        if (client->brokers[at] != NULL)
            client->brokers[at]->busy = false; /* what a call left that could not wait */
    for (size_t i = 0; i < call->count; i++) {
        client->items[i] = (struct item){.state = ITEM_WAITS, .broker = CLIENT_HOME, .at = CLIENT_NO_RESULT};
        if (client->owners.count == 0 || call->asks == ASKS_NOTHING)
            continue;
        place_item(client, call, i);
    }
    for (;;) {
        bool busy = turn(client, call);
        if (any_may_go(client, call)) {
            call->now_ms = clock_read().mono_ms;
            continue;
        }
        if (!busy)
            return conclude(client, call);
        if (!wait_for_some(client, call))
            return fail(client, LINEWARD_IO, "waiting failed: %s", zmq_strerror(errno));
    }
}

/* ---- calls ---- */

static enum lineward_status check_items(struct lineward *client, const char *const *items, size_t count)
{
    size_t bytes = HEAD_BYTES_MAX;
    if (count < 1 || count > LINEWARD_BATCH_MAX)
        return fail(client, LINEWARD_INVALID, "%zu in one request: 1 to %d are allowed", count, LINEWARD_BATCH_MAX);
    for (size_t i = 0; i < count && bytes <= LINEWARD_BATCH_BYTES_MAX; i++)
        bytes += strlen(items[i]);
    if (bytes > LINEWARD_BATCH_BYTES_MAX)
        return fail(client, LINEWARD_INVALID, "more than %d bytes in one request", LINEWARD_BATCH_BYTES_MAX);
    return LINEWARD_OK;
}

static enum lineward_status ask(struct lineward *client, struct call *call, int timeout_ms)
{
    client->results_bytes = client->result_count = 0;
    client->error[0] = '\0';
    enum lineward_status status =
        call->asks == ASKS_NOTHING ? LINEWARD_OK : check_items(client, call->items, call->count);
    return status == LINEWARD_OK ? run(client, call, timeout_ms) : status;
}

enum lineward_status lineward_enqueue(struct lineward *client, const char *const *jobs, size_t count, int timeout_ms)
{
    struct call call = {.asks = ASKS_JOBS, .command = "ENQUEUE", .answer = "ACK", .items = jobs, .count = count};
    return ask(client, &call, timeout_ms);
}

enum lineward_status lineward_get(struct lineward *client, const char *const *ids, size_t count, int timeout_ms)
{
    struct call call = {.asks = ASKS_IDS, .command = "STATUS", .answer = "ACK", .items = ids, .count = count};
    return ask(client, &call, timeout_ms);
}

enum lineward_status lineward_cancel(struct lineward *client, const char *const *ids, size_t count, int timeout_ms)
{
    struct call call = {.asks = ASKS_IDS, .command = "CANCEL", .answer = "ACK", .items = ids, .count = count};
    return ask(client, &call, timeout_ms);
}

enum lineward_status lineward_ping(struct lineward *client, int timeout_ms)
{
    struct call call = {.asks = ASKS_NOTHING, .command = "PING", .answer = "PONG", .count = 1};
    return ask(client, &call, timeout_ms);
}

size_t lineward_result_count(const struct lineward *client)
{
    return client->result_count;
}

const char *lineward_result(const struct lineward *client, size_t index)
{
    bool there = index < client->result_count && client->items[index].at != CLIENT_NO_RESULT;
    return there ? client->results + client->items[index].at : NULL;
}

const char *lineward_error(const struct lineward *client)
{
    return client->error;
}
