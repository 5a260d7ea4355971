/* api_account.c — what belongs to the account: blocked handles and webhook subscriptions (linq-api.md 2.8, 2.9). */
#include <stdlib.h>
#include <string.h>

#include "tools/sandbox/api.h"
#include "tools/sandbox/event_types.h"

#define NO_SUBSCRIPTION 2010
#define BLOCKED_TOLD    1000 /* the newest */

/* ---- blocked handles ---- */

struct block {
    int64_t wall_ms;
    uint32_t recipient;
};

static int newest_first(const void *a, const void *b)
{
    const struct block *x = a, *y = b;
    return (x->wall_ms < y->wall_ms) - (x->wall_ms > y->wall_ms);
}

/* Where a newer one goes once all places are taken: the oldest's. */
static size_t oldest_of(const struct block *blocks, size_t count)
{
    size_t oldest = 0;
    for (size_t i = 1; i < count; i++)
        oldest = blocks[i].wall_ms < blocks[oldest].wall_ms ? i : oldest;
    return oldest;
}

/* The newest `room` of them. From the latest known backwards: mostly those were blocked last, too. */
static size_t blocks_gather(const struct world *world, struct block *out, size_t room)
{
    size_t count = 0, oldest = 0;
    for (uint32_t i = world->recipient_count; i > 0; i--) {
        const struct block block = {world->recipients[i - 1].blocked_wall_ms, i - 1};
        if (!world->recipients[i - 1].blocked || (count == room && block.wall_ms <= out[oldest].wall_ms))
            continue;
        out[count < room ? count++ : oldest] = block;
        oldest = count == room ? oldest_of(out, count) : 0;
    }
    if (count > 1)
        qsort(out, count, sizeof *out, newest_first);
    return count;
}

static void block_put(struct json_out *out, const struct world_recipient *recipient)
{
    json_open(out, '{');
    json_key(out, "handle");
    json_put_string(out, recipient->handle);
    json_key(out, "blocked_at");
    json_put_time(out, recipient->blocked_wall_ms);
    json_close(out, '}');
}

void api_blocked_list(struct call *call)
{
    const struct world *world = call->sandbox->world;
    struct json_out *out = &call->answer->body;
    struct block blocks[BLOCKED_TOLD];
    size_t count = blocks_gather(world, blocks, BLOCKED_TOLD);
    json_open(out, '{');
    json_key(out, "blocked_handles");
    json_open(out, '[');
    for (size_t i = 0; i < count; i++)
        block_put(out, &world->recipients[blocks[i].recipient]);
    json_close(out, ']');
    json_close(out, '}');
}

/* The recipient that the body names, WORLD_NONE: answered already. */
static uint32_t handle_read(struct call *call)
{
    const char *text = json_string(call->body, "handle");
    char handle[HANDLE_MAX_BYTES + 1];
    if (text == NULL || !handle_normalize(text, handle)) {
        api_fail(call, text == NULL ? 1001 : 1002, -1);
        return WORLD_NONE;
    }
    uint32_t recipient = world_recipient_add(call->sandbox->world, handle);
    if (recipient == WORLD_NONE)
        api_fail(call, WORLD_FULL, -1);
    return recipient;
}

void api_blocked_add(struct call *call)
{
    uint32_t recipient = handle_read(call);
    if (recipient == WORLD_NONE)
        return;
    struct world_recipient *entry = &call->sandbox->world->recipients[recipient];
    if (!entry->blocked)
        entry->blocked_wall_ms = call->now.wall_ms;
    entry->blocked = true;
    call->answer->status = 201;
    block_put(&call->answer->body, entry);
}

void api_blocked_remove(struct call *call)
{
    uint32_t recipient = handle_read(call);
    if (recipient == WORLD_NONE)
        return;
    call->sandbox->world->recipients[recipient].blocked = false;
    call->answer->status = 204;
}

/* ---- subscriptions ---- */

static struct subscription *subscription_find(struct call *call)
{
    struct sandbox *sandbox = call->sandbox;
    struct subscription *one =
        subscriptions_find(&sandbox->subscriptions, sandbox->world->settings.seed, call->arguments[0]);
    if (one == NULL)
        api_fail(call, NO_SUBSCRIPTION, -1);
    return one;
}

static void subscription_answer(struct call *call, const struct subscription *one, bool with_secret)
{
    subscription_put(&call->answer->body, one, call->sandbox->world->settings.seed, with_secret);
}

void api_subscription_list(struct call *call)
{
    const struct subscriptions *all = &call->sandbox->subscriptions;
    struct json_out *out = &call->answer->body;
    json_open(out, '{');
    json_key(out, "subscriptions");
    json_open(out, '[');
    for (size_t i = 0; i < all->count; i++)
        subscription_answer(call, &all->list[i], false);
    json_close(out, ']');
    json_close(out, '}');
}

void api_subscription_add(struct call *call)
{
    struct sandbox *sandbox = call->sandbox;
    struct subscription *one;
    int code = call->body == NULL ? 1003
                                  : subscriptions_add(&sandbox->subscriptions, sandbox->world->settings.seed,
                                                      call->body, call->now.wall_ms, &one);
    if (code != 0) {
        api_fail(call, code, -1);
        return;
    }
    call->answer->status = 201;
    subscription_answer(call, one, true);
}

void api_subscription_get(struct call *call)
{
    const struct subscription *one = subscription_find(call);
    if (one != NULL)
        subscription_answer(call, one, false);
}

void api_subscription_set(struct call *call)
{
    struct subscription *one = subscription_find(call);
    if (one == NULL)
        return;
    int code = call->body == NULL
                   ? 1003
                   : subscriptions_change(&call->sandbox->subscriptions, one, call->body, call->now.wall_ms);
    if (code != 0)
        api_fail(call, code, -1);
    else
        subscription_answer(call, one, false);
}

void api_subscription_remove(struct call *call)
{
    struct subscription *one = subscription_find(call);
    if (one == NULL)
        return;
    subscriptions_remove(&call->sandbox->subscriptions, one);
    call->answer->status = 204;
}

void api_event_types(struct call *call)
{
    struct json_out *out = &call->answer->body;
    json_open(out, '{');
    json_key(out, "events");
    json_open(out, '[');
    for (const char *const *type = event_types; *type != NULL; type++)
        json_put_string(out, *type);
    json_close(out, ']');
    json_key(out, "doc_url");
    json_put_string(out, "https://docs.linqapp.com/guides/webhooks/events");
    json_close(out, '}');
}
