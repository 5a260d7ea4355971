/* child.c — see child.h. */
#include "tests/sim/child.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/feed/feed.h"
#include "broker/feed/feed_linq.h"
#include "lineward/signature.h"
#include "tests/sim/cast.h"
#include "tests/sim/provider.h"
#include "tests/sim/reference.h"
#include "tests/sim/witness_lines.h"
#include "tests/sim/witness_stops.h"

#define POLL_EVERY_US (30 * US_S)
#define ANSWER_US     (8 * US_S) /* then 503 */
#define WAITING_MAX   1024

struct poller { /* of an account */
    int account;
    struct stream luck;
    bool polling, poll_again;
};

struct waiting {
    uint64_t request;
    struct hook *hook;
    uint64_t life;
};

static struct {
    struct machine *machine;
    struct process *broker;
    struct stream luck;
    struct webhook_secret secrets[CAST_ACCOUNTS];
    struct poller pollers[CAST_ACCOUNTS];
    int file;
    uint64_t life; /* counts starts */
    bool up, bound;
    uint64_t polls, requests;
    struct waiting waiting[WAITING_MAX];
    size_t waiting_count;
    uint8_t in[65536];
    size_t in_bytes;
    bool calm;
} child = {.file = -1};

struct poll {
    struct poller *poller;
    uint64_t life, number;
    int64_t begun_mono_ms, ago_us;
    enum { POLL_GOOD, POLL_CACHED, POLL_EMPTY, POLL_FAILED } how;
    int without;
};

void child_begin(struct machine *machine)
{
    child.machine = machine;
    child.luck = stream_of("starts of the child");
    for (int account = 0; account < CAST_ACCOUNTS; account++) {
        bool good = webhook_secret_parse(hooks_secrets[account], &child.secrets[account]);
        assert(good);
        (void)good;
        child.pollers[account] = (struct poller){.account = account,
                                                 .luck = stream_of(account == 0 ? "polls" : "polls of the second")};
    }
}

static int64_t mono_ms(void)
{
    return machine_mono_us(child.machine) / US_MS;
}

/* ---- to the broker ---- */

static void say(const struct feed_message *message)
{
    struct feed_buffer buffer = {0};
    if (child.file < 0)
        return;
    if (feed_encode(&buffer, message) != ERR_NONE)
        breach("form", NOBODY_ABOUT, "the child cannot say what it read");
    size_t sent = 0;
    while (sent < buffer.bytes) {
        ssize_t now = write(child.file, buffer.data + sent, buffer.bytes - sent);
        if (now <= 0)
            break;
        sent += (size_t)now;
    }
    feed_buffer_free(&buffer);
    process_wake(child.broker);
}

/* ---- polls ---- */

static void poll_begins(struct poller *poller, uint64_t life);

static void end_poll(const struct poll *poll, const struct linq_list *list, bool key_refused)
{
    struct feed_message message = {.poll = poll->number,
                                   .begun_mono_ms = poll->begun_mono_ms,
                                   .ok = list != NULL,
                                   .cached = poll->how == POLL_CACHED,
                                   .key_refused = key_refused,
                                   .http_status = key_refused ? 401 : list != NULL ? 200 : 500};
    snprintf(message.account, sizeof message.account, "%s", cast_account_name(poll->poller->account));
    if (list != NULL && list->count > 0) {
        message.kind = FEED_POLL_LINES;
        message.lines = list->lines;
        message.line_count = list->count;
        say(&message);
        message.lines = NULL;
        message.line_count = 0;
    }
    message.kind = FEED_POLL_END;
    say(&message);
}

static void tell_witness(const struct poll *poll, bool good, const struct linq_list *list)
{
    enum reputation words[CAST_LINES] = {REPUTATION_UNKNOWN};
    for (size_t i = 0; good && i < list->count; i++)
        if (cast_line_of(list->lines[i].number) >= 0)
            words[cast_line_of(list->lines[i].number)] = list->lines[i].reputation;
    if (good && list->count == 0)
        lines_listed_none(poll->poller->account);
    else if (good)
        lines_polled(poll->poller->account, poll->begun_mono_ms, poll->how == POLL_CACHED, words);
}

static void poll_ends(void *self, uint64_t arg)
{
    struct poll *poll = self;
    struct poller *poller = poll->poller;
    bool key_is_good = provider_key_is_good(poller->account);
    const char *why = NULL;
    struct linq_list list = {0};
    (void)arg;
    if (poll->life == child.life && child.up) {
        char *body = poll->how == POLL_EMPTY ? strdup("{\"phone_numbers\":[]}")
                                             : provider_list(poller->account, poll->ago_us, poll->without);
        bool good = poll->how != POLL_FAILED && key_is_good &&
                    linq_read_lines(body, strlen(body), &list, &why) == ERR_NONE;
        note_world("child: poll %llu %s", (unsigned long long)poll->number,
                   good ? poll->how == POLL_CACHED ? "came from a cache" : poll->ago_us > 0 ? "is stale" : "is good"
                        : "failed");
        tell_witness(poll, good, &list);
        end_poll(poll, good ? &list : NULL, !key_is_good);
        linq_list_clear(&list);
        free(body);
        poller->polling = false;
        if (poller->poll_again)
            poll_begins(poller, child.life);
    }
    free(poll);
}

static void draw_poll(struct poll *poll)
{
    uint64_t what = child.calm ? 999 : draw(&poll->poller->luck, 1000);
    if (what < 60) {
        fault(FAULT_LIST_STALE);
        poll->ago_us = draw_delay_us(&poll->poller->luck, US_S, 3 * US_MIN);
    } else if (what < 100) {
        fault(FAULT_LIST_CACHED);
        poll->how = POLL_CACHED;
        poll->ago_us = draw_delay_us(&poll->poller->luck, US_S, 10 * US_MIN);
    } else if (what < 115) {
        fault(FAULT_LIST_EMPTY);
        poll->how = POLL_EMPTY;
    } else if (what < 165) {
        fault(FAULT_LIST_FAILED);
        poll->how = POLL_FAILED;
    } else if (what < 185) {
        fault(FAULT_LINE_MISSING);
        poll->without = (int)draw(&poll->poller->luck, 6);
    }
}

static void poll_begins(struct poller *poller, uint64_t life)
{
    if (life != child.life || !child.up)
        return;
    if (poller->polling) {
        poller->poll_again = true;
        return;
    }
    poller->polling = true;
    poller->poll_again = false;
    struct poll *poll = calloc(1, sizeof *poll);
    assert(poll != NULL);
    *poll = (struct poll){
        .poller = poller, .life = life, .number = ++child.polls, .begun_mono_ms = mono_ms(), .without = -1, .how = POLL_GOOD};
    draw_poll(poll);
    ground_in(draw_delay_us(&poller->luck, 10 * US_MS, child.calm ? US_S : 8 * US_S), poll_ends, poll, 0);
}

static void poll_by_clock(void *self, uint64_t life)
{
    if (life != child.life || !child.up)
        return;
    poll_begins(self, life);
    ground_in(POLL_EVERY_US, poll_by_clock, self, life);
}

/* ---- webhooks ---- */

static int judge(const struct hook *hook, struct feed_message *message)
{
    int64_t wall_ms = machine_wall_us(child.machine) / US_MS;
    enum signature_verdict verdict = signature_verify(&child.secrets[hook->account], 1, hook->id, hook->timestamp, hook->signature,
                                                      hook->body, strlen(hook->body), wall_ms / 1000);
    if (verdict == SIGNATURE_STALE)
        poll_begins(&child.pollers[hook->account], child.life);
    if (verdict != SIGNATURE_GOOD)
        return 401;
    if (linq_read_webhook(hook->body, strlen(hook->body), wall_ms, &message->webhook) != LINQ_TAKEN)
        return 400;
    message->kind = FEED_WEBHOOK;
    snprintf(message->account, sizeof message->account, "%s", cast_account_name(hook->account));
    memcpy(message->webhook.webhook_id, hook->id, sizeof hook->id);
    message->webhook.arrived_mono_ms = mono_ms();
    return 0;
}

/* Takes the one that waits for this request; NULL: none does. */
static struct hook *take_waiting(uint64_t request)
{
    for (size_t i = 0; i < child.waiting_count; i++) {
        if (child.waiting[i].request != request)
            continue;
        struct hook *hook = child.waiting[i].hook;
        child.waiting[i] = child.waiting[--child.waiting_count];
        return hook;
    }
    return NULL;
}

static void give_up(void *self, uint64_t request)
{
    struct hook *hook = take_waiting(request);
    (void)self;
    if (hook != NULL)
        hooks_answered(hook, 503);
}

void child_post(struct hook *hook)
{
    struct feed_message message;
    memset(&message, 0, sizeof message);
    int status = child.waiting_count == WAITING_MAX ? 503 : judge(hook, &message);
    if (status == 400)
        breach("form", NOBODY_ABOUT, "the child cannot read %s", hook->body);
    if (hook->forged && status == 0)
        breach("P9", about_line(hook->line), "a forged webhook was believed");
    if (status != 0) {
        hooks_answered(hook, status);
        return;
    }
    message.webhook.request = ++child.requests;
    child.waiting[child.waiting_count++] = (struct waiting){child.requests, hook, child.life};
    if (hook->arrived_us == 0)
        hook->arrived_us = now_us();
    lines_hook_arrives(hook);
    stops_hook_arrives(hook);
    reference_hook_arrives(hook);
    ground_in(ANSWER_US, give_up, NULL, child.requests);
    say(&message);
}

/* ---- from the broker ---- */

static void obey(const struct feed_message *message)
{
    if (message->kind == FEED_POLL_NOW) {
        poll_begins(&child.pollers[strcmp(message->account, "second") == 0], child.life);
    } else if (message->kind == FEED_ANSWER) {
        struct hook *hook = take_waiting(message->request);
        if (hook == NULL)
            return;
        if (message->http_status == 200) {
            lines_hook_taken(hook);
            stops_hook_taken(hook);
        }
        hooks_answered(hook, message->http_status);
    }
}

static void read_broker(void *self, uint64_t life)
{
    (void)self;
    if (life != child.life || !child.up || child.file < 0)
        return;
    ssize_t got = recv(child.file, child.in + child.in_bytes, sizeof child.in - child.in_bytes, MSG_DONTWAIT);
    child.in_bytes += got > 0 ? (size_t)got : 0;
    size_t at = 0;
    for (;;) {
        struct feed_message message;
        size_t used = 0;
        memset(&message, 0, sizeof message);
        if (feed_decode(child.in + at, child.in_bytes - at, &used, &message) != ERR_NONE)
            break;
        at += used;
        obey(&message);
        feed_message_clear(&message);
    }
    memmove(child.in, child.in + at, child.in_bytes - at);
    child.in_bytes -= at;
}

void child_poke(void)
{
    ground_in(200, read_broker, NULL, child.life);
}

/* ---- life ---- */

static void is_bound(void *self, uint64_t life)
{
    (void)self;
    if (life != child.life)
        return;
    child.up = true;
    const struct feed_message ready = {.kind = FEED_READY, .port = 7780};
    say(&ready);
    poll_by_clock(&child.pollers[0], life);
    if (cast_has_second)
        poll_by_clock(&child.pollers[1], life);
    child_poke();
}

void child_started(int file, struct process *broker)
{
    child_gone();
    child.file = file;
    child.broker = broker;
    child.life++;
    ground_in(draw_delay_us(&child.luck, 30 * US_MS, 300 * US_MS), is_bound, NULL, child.life);
}

void child_gone(void)
{
    if (child.file >= 0)
        close(child.file);
    child.file = -1;
    child.up = false;
    for (int account = 0; account < CAST_ACCOUNTS; account++)
        child.pollers[account].polling = child.pollers[account].poll_again = false;
    child.life++;
    child.in_bytes = 0;
    child.polls = 0;
    while (child.waiting_count > 0)
        hooks_answered(child.waiting[--child.waiting_count].hook, 0);
}

bool child_is_up(void)
{
    return child.up;
}

void child_heal(void)
{
    child.calm = true;
}
