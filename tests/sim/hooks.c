/* hooks.c — see hooks.h. */
#include "tests/sim/hooks.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/clock.h"
#include "lineward/json.h"
#include "lineward/signature.h"
#include "tests/sim/cast.h"
#include "tests/sim/child.h"

#define TRIES_MAX 10
#define OLD_MAX   512

static struct {
    struct stream luck;
    struct webhook_secret secrets[CAST_ACCOUNTS];
    struct hook *old[OLD_MAX]; /* the last ones */
    unsigned old_count;
    uint64_t count;
    bool calm;
} hooks;

const char *const hooks_secrets[CAST_ACCOUNTS] = {"whsec_c2ltdWxhdGlvbi1zZWNyZXQtb2YtdGhlLXdlYmhvb2s=",
                                                  "whsec_YW5vdGhlci1hY2NvdW50cy1zZWNyZXQtYWx0b2dldGhlcg=="};

void hooks_begin(void)
{
    hooks.luck = stream_of("webhooks");
    for (int account = 0; account < CAST_ACCOUNTS; account++) {
        bool good = webhook_secret_parse(hooks_secrets[account], &hooks.secrets[account]);
        assert(good);
        (void)good;
    }
}

static void sign(struct hook *hook)
{
    snprintf(hook->timestamp, sizeof hook->timestamp, "%" PRId64, (BEGIN_MS + now_us() / US_MS) / 1000);
    bool astray = hook->forged && hook->astray;
    signature_make(&hooks.secrets[astray ? 1 - hook->account : hook->account], hook->id, hook->timestamp, hook->body, strlen(hook->body), hook->signature);
    if (hook->forged && !astray)
        hook->signature[10] = hook->signature[10] == 'A' ? 'B' : 'A';
}

static void deliver(void *self, uint64_t arg)
{
    struct hook *hook = self;
    (void)arg;
    hook->tries++;
    sign(hook);
    if (!child_is_up())
        hooks_answered(hook, 0);
    else
        child_post(hook);
}

static void deliver_in(struct hook *hook, int64_t in_us)
{
    ground_in(in_us, deliver, hook, 0);
}

void hooks_answered(struct hook *hook, int status)
{
    bool again = status == 0 || status >= 500;
    if (!again && !hooks.calm && chance(&hooks.luck, 40)) {
        fault(FAULT_WEBHOOK_TWICE);
        deliver_in(hook, draw_delay_us(&hooks.luck, US_MS, 60 * US_S));
    }
    if (!again)
        return;
    if (hook->tries < TRIES_MAX)
        deliver_in(hook, (US_S << (hook->tries < 8 ? hook->tries : 8)) + draw_delay_us(&hooks.luck, 0, US_S));
}

/* Takes `body` over. */
static struct hook *post(int account, char *body)
{
    struct hook *hook = calloc(1, sizeof *hook);
    assert(hook != NULL && body != NULL);
    hook->body = body;
    hook->account = account;
    hook->line = hook->conversation = hook->job = hook->wrote_on = -1;
    snprintf(hook->id, sizeof hook->id, "msg_%" PRIu64, ++hooks.count);
    hooks.old[hooks.old_count++ % OLD_MAX] = hook;
    if (!hooks.calm && chance(&hooks.luck, 60)) {
        fault(FAULT_WEBHOOK_LOST);
        return hook;
    }
    int64_t in_us = draw_delay_us(&hooks.luck, 5 * US_MS, 400 * US_MS);
    if (!hooks.calm && chance(&hooks.luck, 80)) {
        fault(FAULT_WEBHOOK_LATE);
        in_us += draw_delay_us(&hooks.luck, US_S, 10 * US_MIN);
    }
    deliver_in(hook, in_us);
    return hook;
}

static void begin_body(struct json_out *out, const char *type)
{
    char at[TIME_TEXT_MAX], id[40];
    time_format(BEGIN_MS + now_us() / US_MS, at);
    snprintf(id, sizeof id, "ev-%" PRIu64, hooks.count + 1);
    json_open(out, '{');
    json_key(out, "api_version");
    json_put_string(out, "v3");
    json_key(out, "webhook_version");
    json_put_string(out, "2026-02-03");
    json_key(out, "event_type");
    json_put_string(out, type);
    json_key(out, "event_id");
    json_put_string(out, id);
    json_key(out, "created_at");
    json_put_string(out, at);
    json_key(out, "data");
    json_open(out, '{');
}

static char *end_body(struct json_out *out)
{
    json_close(out, '}');
    json_close(out, '}');
    out->comma = false;
    json_put_raw(out, "", 1);
    return out->text;
}

static void put(struct json_out *out, const char *name, const char *text)
{
    json_key(out, name);
    json_put_string(out, text);
}

static void put_now(struct json_out *out, const char *name)
{
    json_key(out, name);
    json_put_time(out, BEGIN_MS + now_us() / US_MS);
}

void hooks_line_turned(int line, enum reputation before, enum reputation now, bool was_flagged, bool flagged)
{
    struct json_out out = {0};
    char number[CAST_HANDLE_MAX];
    cast_line_number(line, number);
    begin_body(&out, "phone_number.status_updated");
    put(&out, "phone_number", number);
    put_now(&out, "changed_at");
    put(&out, "previous_reputation", reputation_name(before));
    put(&out, "new_reputation", reputation_name(now));
    put(&out, "previous_status", was_flagged ? "FLAGGED" : "ACTIVE");
    put(&out, "new_status", flagged ? "FLAGGED" : "ACTIVE");
    struct hook *hook = post(cast_account_of_line(line), end_body(&out));
    hook->line = line;
    hook->word = now;
    hook->changed_ms = BEGIN_MS + now_us() / US_MS;
    hook->flagged = flagged;
    hook->closes = flagged || now == REPUTATION_CRITICAL;
}

static void put_handle(struct json_out *out, const char *name, const char *handle)
{
    json_key(out, name);
    json_open(out, '{');
    put(out, "handle", handle);
    json_close(out, '}');
}

static void put_chat(struct json_out *out, int conversation, int line, const char *id, const char *health)
{
    char number[CAST_HANDLE_MAX];
    cast_line_number(line, number);
    json_key(out, "chat");
    json_open(out, '{');
    put(out, "id", id);
    json_key(out, "is_group");
    json_put_bool(out, cast_is_group(conversation));
    put_handle(out, "owner_handle", number);
    if (health != NULL) {
        json_key(out, "health_status");
        json_open(out, '{');
        put(out, "status", health);
        put_now(out, "updated_at");
        json_close(out, '}');
    }
    json_close(out, '}');
}

void hooks_message_sent(int job, int conversation, int line, const char *key, const char *chat_id)
{
    static const char *const types[] = {"message.sent", "message.delivered", "message.read"};
    static const char *const moments[] = {"sent_at", "delivered_at", "read_at"};
    char id[32], number[CAST_HANDLE_MAX];
    snprintf(id, sizeof id, "msg-%d", job);
    cast_line_number(line, number);
    unsigned count = 1 + (unsigned)draw(&hooks.luck, 3);
    assert(count <= sizeof types / sizeof *types);
    for (unsigned i = 0; i < count; i++) {
        struct json_out out = {0};
        begin_body(&out, types[i]);
        put(&out, "id", id);
        put_chat(&out, conversation, line, chat_id, NULL);
        put(&out, "direction", "outbound");
        put_handle(&out, "sender_handle", number);
        put(&out, "idempotency_key", key);
        put_now(&out, moments[i]);
        struct hook *hook = post(cast_account_of_line(line), end_body(&out));
        hook->job = job;
    }
}

void hooks_message_received(int conversation, int line, const char *chat_id, bool stop)
{
    struct json_out out = {0};
    char id[64], handles[2][CAST_HANDLE_MAX];
    cast_recipients(conversation, handles);
    begin_body(&out, "message.received");
    snprintf(id, sizeof id, "in-%" PRIu64, hooks.count);
    put(&out, "id", id);
    put_chat(&out, conversation, line, chat_id, NULL);
    put(&out, "direction", "inbound");
    put_handle(&out, "sender_handle", handles[0]);
    put_now(&out, "sent_at");
    json_key(&out, "parts");
    json_open(&out, '[');
    json_open(&out, '{');
    put(&out, "type", "text");
    put(&out, "value", stop ? "STOP" : "yes please");
    json_close(&out, '}');
    json_close(&out, ']');
    struct hook *hook = post(cast_account_of_line(line), end_body(&out));
    hook->conversation = conversation;
    hook->opts_out = stop;
    hook->wrote_on = line;
    hook->changed_ms = BEGIN_MS + now_us() / US_MS;
}

void hooks_chat_health(int conversation, int line, const char *chat_id, enum chat_health health)
{
    struct json_out out = {0};
    char id[64], number[CAST_HANDLE_MAX];
    begin_body(&out, "message.delivered");
    cast_line_number(line, number);
    snprintf(id, sizeof id, "old-%" PRIu64, hooks.count);
    put(&out, "id", id);
    put_chat(&out, conversation, line, chat_id, chat_health_name(health));
    put(&out, "direction", "outbound");
    put_handle(&out, "sender_handle", number);
    put_now(&out, "delivered_at");
    post(cast_account_of_line(line), end_body(&out));
}

void hooks_mishap(struct stream *stream)
{
    if (hooks.old_count == 0)
        return;
    unsigned known = hooks.old_count < OLD_MAX ? hooks.old_count : OLD_MAX;
    struct hook *old = hooks.old[draw(stream, known)];
    if (chance(stream, 500)) {
        fault(FAULT_WEBHOOK_REPLAYED);
        deliver_in(old, 0);
        return;
    }
    struct hook *forged = calloc(1, sizeof *forged);
    assert(forged != NULL);
    *forged = *old;
    forged->forged = true;
    forged->body = strdup(old->body);
    forged->tries = TRIES_MAX;
    snprintf(forged->id, sizeof forged->id, "forged_%" PRIu64, ++hooks.count);
    fault(FAULT_WEBHOOK_FORGED);
    if (cast_has_second && chance(stream, 500)) {
        fault(FAULT_WEBHOOK_ASTRAY);
        forged->astray = true;
    }
    deliver_in(forged, 0);
}

void hooks_heal(void)
{
    hooks.calm = true;
}
