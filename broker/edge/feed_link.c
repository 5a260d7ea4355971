/* feed_link.c — see feed_link.h. */
#include "broker/edge/feed_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "broker/edge/child.h"
#include "broker/edge/named.h"
#include "broker/edge/recipients.h"
#include "lineward/json.h"
#include "lineward/log.h"

#define TAG_SHIFT        56
#define START_SHIFT      40 /* which child has asked: the next one counts from the start again */
#define START_MASK       UINT64_C(0xFFFF)
#define REQUEST_MASK     ((UINT64_C(1) << START_SHIFT) - 1)
#define READ_BYTES       65536
#define OUT_BYTES_MAX    (4u * 1024 * 1024) /* not read by the child: it hangs */
#define POLL_LINES_MAX   262144             /* of an account */
#define AHEAD_MAX_MS     300000 /* that changed_at may be ahead of us (DESIGN trap 7) */

struct poll_so_far { /* parts of a list, until its end says that it is good */
    uint64_t poll;
    struct feed_line *lines;
    size_t count, room;
    bool broken; /* a part was lost: no list at all */
};

struct feed_link {
    struct feed_link_options options;
    struct child child;
    bool bound;
    unsigned port;
    uint8_t *in;
    size_t in_bytes, in_room;
    struct feed_buffer out;
    size_t out_sent;
    struct poll_so_far *polls; /* one an account */
    bool barred[CONF_ACCOUNTS_MAX]; /* told not to poll by itself */
};

struct feed_link *feed_link_new(const struct feed_link_options *options)
{
    struct feed_link *link = calloc(1, sizeof *link);
    if (link == NULL)
        return NULL;
    link->options = *options;
    child_init(&link->child, "feed_not_started");
    link->polls = calloc(options->conf->account_count, sizeof *link->polls);
    if (link->polls == NULL)
        feed_link_free(&link);
    return link;
}

static void forget_child(struct feed_link *link)
{
    link->bound = false;
    link->in_bytes = 0;
    link->out.bytes = link->out_sent = 0;
    memset(link->barred, false, sizeof link->barred);
    for (size_t a = 0; link->polls != NULL && a < link->options.conf->account_count; a++)
        link->polls[a].poll = link->polls[a].count = 0;
}

void feed_link_free(struct feed_link **link_p)
{
    struct feed_link *link = *link_p;
    *link_p = NULL;
    if (link == NULL)
        return;
    child_end(&link->child);
    for (size_t a = 0; link->polls != NULL && a < link->options.conf->account_count; a++)
        free(link->polls[a].lines);
    free(link->polls);
    free(link->in);
    feed_buffer_free(&link->out);
    free(link);
}

enum err feed_link_follow(struct feed_link *link, const struct conf *conf)
{
    const struct feed_message reload = {.kind = FEED_RELOAD};
    size_t before = link->options.conf->account_count;
    struct poll_so_far *polls = realloc(link->polls, (conf->account_count + 1) * sizeof *polls);
    if (polls == NULL)
        return ERR_NO_MEMORY;
    link->polls = polls;
    if (conf->account_count > before)
        memset(polls + before, 0, (conf->account_count - before) * sizeof *polls);
    link->options.conf = conf;
    if (link->child.fd < 0)
        return ERR_NONE; /* a child that does not run reads it when it starts */
    return feed_encode(&link->out, &reload);
}

/* ---- the process ---- */

void feed_link_start(struct feed_link *link, struct instant now)
{
    child_start(&link->child, link->options.child_argv, SOCK_STREAM, link->options.conf, now);
}

int feed_link_fd(const struct feed_link *link)
{
    return link->child.fd;
}

bool feed_link_wants_write(const struct feed_link *link)
{
    return link->child.fd >= 0 && link->out_sent < link->out.bytes;
}

int64_t feed_link_next_mono_ms(const struct feed_link *link)
{
    return child_next_mono_ms(&link->child);
}

bool feed_link_is_bound(const struct feed_link *link)
{
    return link->bound;
}

unsigned feed_link_port(const struct feed_link *link)
{
    return link->port;
}

/* ---- what it says ---- */

static uint32_t account_of(const struct feed_link *link, const char *name)
{
    for (size_t a = 0; a < link->options.conf->account_count; a++)
        if (strcmp(link->options.conf->accounts[a].name, name) == 0)
            return (uint32_t)a;
    return UINT32_MAX;
}

static uint64_t digits_of(const char *number)
{
    return *number == '+' ? strtoull(number + 1, NULL, 10) : 0;
}

static void keep_lines(struct poll_so_far *poll, const struct feed_message *message)
{
    if (poll->poll != message->poll)
        *poll = (struct poll_so_far){.poll = message->poll, .lines = poll->lines, .room = poll->room};
    if (poll->count + message->line_count > poll->room) {
        size_t room = (poll->count + message->line_count) * 2;
        struct feed_line *lines = room > POLL_LINES_MAX * 2 ? NULL : realloc(poll->lines, room * sizeof *lines);
        poll->broken |= lines == NULL;
        if (lines == NULL)
            return;
        poll->lines = lines;
        poll->room = room;
    }
    memcpy(poll->lines + poll->count, message->lines, message->line_count * sizeof *message->lines);
    poll->count += message->line_count;
}

/* Nobody has seen what is still to come. */
static int64_t not_later(int64_t moment_ms, int64_t now_ms)
{
    return moment_ms < now_ms ? moment_ms : now_ms;
}

static void line_listed(struct feed_link *link, const struct core_poll *poll, const struct feed_line *line,
                        struct instant now, struct effects *out)
{
    struct core_line_fact fact = {.account = poll->account,
                                  .number = digits_of(line->number),
                                  .has_reputation = true,
                                  .reputation = line->reputation,
                                  .has_service = line->service != SERVICE_UNKNOWN,
                                  .service = line->service,
                                  .poll = poll->poll,
                                  .begun_mono_ms = poll->begun_mono_ms,
                                  .cached = poll->cached};
    core_line_polled(link->options.core, &fact, now, out);
    link->options.persist(link->options.persist_self, now, out);
}

/* The list, to the cache that others share. False: it is none, or away. */
static bool share_list(struct feed_link *link, const struct core_poll *poll, const struct poll_so_far *list,
                       struct instant now)
{
    struct cache_polled *lines =
        link->options.cache == NULL ? NULL : malloc((list->count + 1) * sizeof *lines);
    for (size_t i = 0; lines != NULL && i < list->count; i++)
        lines[i] = (struct cache_polled){.number = digits_of(list->lines[i].number),
                                         .reputation = list->lines[i].reputation,
                                         .service = list->lines[i].service};
    bool shared = lines != NULL && cache_link_polled(link->options.cache, poll, lines, list->count, now);
    free(lines);
    return shared;
}

static void end_poll(struct feed_link *link, uint32_t account, const struct feed_message *message, struct instant now,
                     struct effects *out)
{
    struct poll_so_far *list = &link->polls[account];
    bool listed = list->poll == message->poll && !list->broken;
    struct core_poll end = {.account = account,
                            .poll = link->child.starts << 32 | (message->poll & UINT32_MAX),
                            .begun_mono_ms = not_later(message->begun_mono_ms, now.mono_ms),
                            .ok = message->ok && (listed || list->poll != message->poll),
                            .cached = message->cached,
                            .key_refused = message->key_refused};
    if (!end.ok)
        log_event(LOG_WARN, "poll_failed", "account=%s http=%d reason=\"%s\"", message->account, message->http_status,
                  message->ok ? "the list is too long" : message->problem);
    if (!listed)
        list->count = 0; /* an empty list comes without a part */
    bool shared = end.ok && share_list(link, &end, list, now);
    if (shared)
        end.poll = 0;
    for (size_t i = 0; end.ok && listed && !shared && i < list->count; i++)
        line_listed(link, &end, &list->lines[i], now, out);
    list->count = 0;
    core_poll_ended(link->options.core, &end, now, out);
}

static uint64_t hash_of(const struct feed_link *link, enum keyed_kind kind, const char *scope, const char *text)
{
    return *text == '\0' ? 0 : keyed_hash(link->options.hash, kind, scope, text, strlen(text));
}

static const char *event_id(const struct feed_message *message)
{
    const struct feed_webhook *webhook = &message->webhook;
    return webhook->event_id[0] != '\0' ? webhook->event_id : webhook->webhook_id;
}

static uint64_t event_of(const struct feed_link *link, const struct feed_message *message)
{
    return hash_of(link, KEYED_EVENT, message->account, event_id(message));
}

/* By the same hash at every broker, so that what one was told is known at all; only the provider can sign an id. */
static uint64_t shared_event_of(const struct feed_message *message)
{
    static const struct keyed_hash same = {{0}};
    const char *id = event_id(message);
    return *id == '\0' ? 0 : keyed_hash(&same, KEYED_EVENT, message->account, id, strlen(id));
}

static void status_told(struct feed_link *link, uint32_t account, uint64_t token, const struct feed_message *message,
                        struct instant now, struct effects *out)
{
    const struct feed_webhook *webhook = &message->webhook;
    struct core_line_fact fact = {.account = account,
                                  .number = digits_of(webhook->line),
                                  .has_reputation = webhook->has_reputation,
                                  .reputation = webhook->reputation,
                                  .has_service = webhook->has_service,
                                  .service = webhook->service,
                                  .changed_at_ms = not_later(webhook->changed_at_ms, now.wall_ms + AHEAD_MAX_MS),
                                  .arrived_mono_ms = not_later(webhook->arrived_mono_ms, now.mono_ms),
                                  .event = link->options.cache != NULL ? shared_event_of(message)
                                                                       : event_of(link, message)};
    size_t before = out->change_count;
    if (link->options.cache != NULL)
        cache_link_told(link->options.cache, token, &fact, now, out);
    else
        core_line_told(link->options.core, token, &fact, now, out);
    for (size_t i = before; i < out->change_count; i++)
        if (out->changes[i].kind == CHANGE_GATE)
            timings_gate(link->options.timings, clock_read().mono_ms - fact.arrived_mono_ms);
}

static void put_member(struct json_out *out, const char *name, const char *text)
{
    if (*text == '\0')
        return;
    json_key(out, name);
    json_put_string(out, text);
}

static void message_told(struct feed_link *link, uint32_t account, uint64_t token, const struct feed_message *message,
                         struct instant now, struct effects *out)
{
    static const int what[FEED_EVENT_COUNT] = {
        [FEED_EVENT_SENT] = MESSAGE_SENT,         [FEED_EVENT_DELIVERED] = MESSAGE_DELIVERED,
        [FEED_EVENT_READ] = MESSAGE_READ,         [FEED_EVENT_FAILED] = MESSAGE_FAILED,
        [FEED_EVENT_RECEIVED] = MESSAGE_RECEIVED, [FEED_EVENT_CHAT] = MESSAGE_CHAT};
    const struct feed_webhook *webhook = &message->webhook;
    struct json_out result = {0};
    json_open(&result, '{');
    put_member(&result, "message_id", webhook->message_id);
    put_member(&result, "chat_id", webhook->chat_id);
    json_close(&result, '}');
    struct core_message_fact fact = {.token = token,
                                     .event = event_of(link, message),
                                     .account = account,
                                     .chat_hash = hash_of(link, KEYED_CHAT, NULL, webhook->chat_id),
                                     .message_hash = hash_of(link, KEYED_MESSAGE, NULL, webhook->message_id),
                                     .line = digits_of(webhook->line),
                                     .has_health = webhook->has_chat_health,
                                     .opt_out = webhook->opt_out_keyword,
                                     .inbound = webhook->inbound,
                                     .reconciled = webhook->reconciled,
                                     .health = webhook->chat_health,
                                     .health_at_ms = webhook->chat_health_at_ms,
                                     .at_ms = webhook->at_ms,
                                     .code = webhook->code,
                                     .result = {result.text, result.bytes}};
    fact.what = what[webhook->event];
    if (!webhook->group) {
        fact.recipient = hash_of(link, KEYED_RECIPIENT, message->account, webhook->sender);
        fact.handle = named_unless_erased(link->options.core, link->options.hash, webhook->sender);
    }
    uint8_t random[KEY_RANDOM_BYTES];
    if (!idempotency_key_parse(webhook->idempotency_key, &fact.number, random) ||
        !core_key_is_ours(link->options.core, fact.number, random))
        fact.number = 0;
    uint64_t homes[CONF_POOLS_MAX];
    if (fact.what == MESSAGE_RECEIVED && fact.recipient != 0) {
        fact.homes = homes;
        fact.home_count =
            recipients_homes(link->options.hash, link->options.conf, account, webhook->sender, homes);
    }
    core_message_told(link->options.core, &fact, now, out);
    link->options.persist(link->options.persist_self, now, out);
    json_out_free(&result);
}

static void webhook_told(struct feed_link *link, uint32_t account, const struct feed_message *message,
                         struct instant now, struct effects *out)
{
    uint64_t token = (uint64_t)FEED_TOKEN_TAG << TAG_SHIFT | (link->child.starts & START_MASK) << START_SHIFT |
                     (message->webhook.request & REQUEST_MASK);
    if (message->webhook.event == FEED_EVENT_STATUS)
        status_told(link, account, token, message, now, out);
    else
        message_told(link, account, token, message, now, out);
}

static void obey(struct feed_link *link, const struct feed_message *message, struct instant now, struct effects *out)
{
    uint32_t account = account_of(link, message->account);
    if (message->kind == FEED_READY && link->bound)
        return;
    if (message->kind == FEED_READY) {
        link->bound = true;
        link->port = (unsigned)message->port;
        child_well(&link->child);
        log_event(LOG_INFO, "webhooks_ready", "port=%d", message->port);
        return;
    }
    if (account == UINT32_MAX)
        return;
    if (message->kind == FEED_POLL_LINES)
        keep_lines(&link->polls[account], message);
    else if (message->kind == FEED_POLL_END)
        end_poll(link, account, message, now, out);
    else if (message->kind == FEED_WEBHOOK)
        webhook_told(link, account, message, now, out);
    else if (message->kind == FEED_NOTE)
        log_event(LOG_INFO, feed_note_name(message->note), "account=%s count=%llu", message->account,
                  (unsigned long long)message->count);
    link->options.persist(link->options.persist_self, now, out);
}

/* ---- the socket ---- */

static void flush(struct feed_link *link)
{
    while (feed_link_wants_write(link)) {
        ssize_t sent =
            send(link->child.fd, link->out.data + link->out_sent, link->out.bytes - link->out_sent, MSG_NOSIGNAL);
        if (sent < 0)
            break; /* full, or gone: reading will tell */
        link->out_sent += (size_t)sent;
    }
    if (link->out_sent == 0)
        return;
    memmove(link->out.data, link->out.data + link->out_sent, link->out.bytes - link->out_sent);
    link->out.bytes -= link->out_sent;
    link->out_sent = 0;
}

/* False: the child is gone or does not speak our language. */
static bool fill(struct feed_link *link)
{
    if (link->in_room - link->in_bytes < READ_BYTES) {
        size_t room = link->in_room + READ_BYTES * 4;
        uint8_t *in = room > 2 * (size_t)FEED_MESSAGE_BYTES_MAX ? NULL : realloc(link->in, room);
        if (in == NULL)
            return false;
        link->in = in;
        link->in_room = room;
    }
    ssize_t got = recv(link->child.fd, link->in + link->in_bytes, link->in_room - link->in_bytes, 0);
    if (got > 0)
        link->in_bytes += (size_t)got;
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

static bool read_messages(struct feed_link *link, struct instant now, struct effects *out)
{
    size_t at = 0;
    enum err err = ERR_NONE;
    while (err == ERR_NONE) {
        struct feed_message message;
        size_t used = 0;
        memset(&message, 0, sizeof message);
        err = feed_decode(link->in + at, link->in_bytes - at, &used, &message);
        if (err != ERR_NONE)
            break;
        obey(link, &message, now, out);
        feed_message_clear(&message);
        at += used;
    }
    memmove(link->in, link->in + at, link->in_bytes - at);
    link->in_bytes -= at;
    return err == ERR_NOT_FOUND;
}

bool feed_link_owns(uint64_t token)
{
    return token >> TAG_SHIFT == FEED_TOKEN_TAG;
}

static void say(struct feed_link *link, const struct feed_message *message)
{
    if (link->child.fd >= 0 && feed_encode(&link->out, message) == ERR_NONE)
        flush(link);
}

void feed_link_poll(struct feed_link *link, uint32_t account)
{
    struct feed_message message = {.kind = FEED_POLL_NOW};
    memcpy(message.account, link->options.conf->accounts[account].name, sizeof message.account);
    say(link, &message);
}

static bool may_poll(const struct feed_link *link, uint32_t account, struct instant now)
{
    return link->options.cache == NULL || cache_link_may_poll(link->options.cache, account, now);
}

/* One broker at a time polls an account that several share. */
static void allow_polls(struct feed_link *link, struct instant now)
{
    for (uint32_t a = 0; link->options.cache != NULL && a < link->options.conf->account_count; a++) {
        struct feed_message message = {.kind = FEED_POLL_ALLOW, .ok = may_poll(link, a, now)};
        if (link->barred[a] == !message.ok)
            continue;
        link->barred[a] = !message.ok;
        memcpy(message.account, link->options.conf->accounts[a].name, sizeof message.account);
        say(link, &message);
    }
}

void feed_link_effect(struct feed_link *link, const struct effect *effect)
{
    if (effect->kind == EFFECT_POLL) {
        if (may_poll(link, effect->account, clock_read()))
            feed_link_poll(link, effect->account);
        return;
    }
    if ((effect->token >> START_SHIFT & START_MASK) != (link->child.starts & START_MASK))
        return; /* the child that waited for it is gone, and so is who had asked that one */
    say(link, &(struct feed_message){.kind = FEED_ANSWER,
                                     .request = effect->token & REQUEST_MASK,
                                     .http_status = effect->code == CODE_NONE ? 200 : 503});
}

void feed_link_turn(struct feed_link *link, struct instant now, struct effects *out)
{
    if (link->child.fd < 0)
        return;
    allow_polls(link, now);
    flush(link);
    if (link->out.bytes <= OUT_BYTES_MAX && fill(link) && read_messages(link, now, out))
        return;
    log_event(LOG_ERROR, "feed_child_gone", "restart_in_ms=%lld", (long long)link->child.restart_ms);
    child_lost(&link->child, now);
    forget_child(link);
}
