/* broker_link.c — see broker_link.h. "Writable" means "connected" here (dealer.h). */
#include "broker_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <zmq.h>

#include "beats.h"
#include "dealer.h"
#include "lineward/ids.h"
#include "lineward/json.h"
#include "lineward/log.h"

#define RESEND_BEATS    3  /* a result without DONE is said again */
#define SILENCE_BEATS   10 /* then over a new connection: this one may be dead without a sign */
#define SILENCE_DOUBLES 5  /* how often that wait doubles at most */
#define READS_PER_TURN  256
#define AWAY_MS         3000 /* without a connection, before it is told */

static const char result_returned[] = "{\"outcome\":\"returned\"}";

enum link_state {
    LINK_DOWN,  /* no connection, or none that we have said READY on */
    LINK_ASKED, /* READY said, not answered */
    LINK_READY,
};

struct broker_link {
    void *zmq, *socket;
    char *endpoint, *worker, *instance, *secret_key, *broker_key;
    size_t slots;
    int epoll_fd;
    uint64_t epoll_data;
    struct link_hooks hooks;
    void *context;

    enum link_state state;
    bool ending;
    struct leases *leases;
    struct message *message;
    int64_t asked_mono_ms; /* when the READY under way, or the last one, was said */
    int64_t heard_mono_ms;
    int64_t away_mono_ms; /* when to tell that there is no connection; 0: there is, INT64_MAX: told */
    unsigned silences;    /* in a row */
    struct beats beats;
};

/* ---- socket ------------------------------------------------------------------------------------------------ */

static void socket_close(struct broker_link *link)
{
    if (link->socket == NULL)
        return;
    epoll_ctl(link->epoll_fd, EPOLL_CTL_DEL, dealer_fd(link->socket), NULL);
    zmq_close(link->socket);
    link->socket = NULL;
    link->state = LINK_DOWN;
}

static enum err socket_open(struct broker_link *link)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = link->epoll_data};
    link->socket = dealer_open(link->zmq, link->endpoint, link->secret_key, link->broker_key);
    if (link->socket == NULL)
        return ERR_IO;
    if (epoll_ctl(link->epoll_fd, EPOLL_CTL_ADD, dealer_fd(link->socket), &event) == 0)
        return ERR_NONE;
    int why = errno;
    socket_close(link);
    errno = why;
    return ERR_IO;
}

/* ---- life -------------------------------------------------------------------------------------------------- */

static char *copy(const char *text)
{
    return text != NULL ? strdup(text) : NULL;
}

enum err broker_link_open(struct broker_link **out, void *zmq, const struct link_settings *settings,
                          const struct link_hooks *hooks, void *context)
{
    enum err err = ERR_NO_MEMORY;
    struct broker_link *link = calloc(1, sizeof *link);
    if (link == NULL)
        return err;
    *link = (struct broker_link){.zmq = zmq,
                                 .endpoint = copy(settings->endpoint),
                                 .worker = copy(settings->worker),
                                 .instance = copy(settings->instance),
                                 .secret_key = copy(settings->secret_key),
                                 .broker_key = copy(settings->broker_key),
                                 .slots = settings->slots,
                                 .epoll_fd = settings->epoll_fd,
                                 .epoll_data = settings->epoll_data,
                                 .hooks = *hooks,
                                 .context = context,
                                 .leases = leases_new(settings->slots + LINK_RESULTS_KEPT_MAX),
                                 .message = message_new(),
                                 .beats = {.heartbeat_ms = settings->heartbeat_ms, .number = 1}};
    if (link->endpoint == NULL || link->worker == NULL || link->instance == NULL || link->leases == NULL ||
        link->message == NULL)
        goto fail;
    if ((err = socket_open(link)) != ERR_NONE)
        goto fail;
    *out = link;
    return ERR_NONE;
fail:
    broker_link_free(&link);
    return err;
}

void broker_link_free(struct broker_link **link_p)
{
    struct broker_link *link = *link_p;
    if (link == NULL)
        return;
    socket_close(link);
    leases_free(&link->leases);
    message_free(&link->message);
    free(link->endpoint);
    free(link->worker);
    free(link->instance);
    free(link->secret_key);
    free(link->broker_key);
    free(link);
    *link_p = NULL;
}

/* ---- saying ------------------------------------------------------------------------------------------------ */

static struct frame text_frame(const char *text)
{
    return (struct frame){text, strlen(text)};
}

static bool say(struct broker_link *link, const char *command, const char *argument)
{
    struct frame frames[] = {text_frame(WIRE_VERSION), text_frame(command),
                             text_frame(argument != NULL ? argument : "")};
    return message_send(link->socket, frames, argument != NULL ? 3 : 2) == ERR_NONE;
}

static void drop_waiting(struct broker_link *link)
{
    struct lease *next = NULL;
    for (struct lease *lease = leases_first_in_hand(link->leases); lease != NULL; lease = next) {
        next = leases_next_in_hand(lease);
        if (lease->phase != LEASE_WAITING)
            continue;
        link->hooks.withdraw(link->context, lease);
        leases_remove(link->leases, lease);
    }
}

static void put_lease(void *context, const struct lease *lease)
{
    json_put_string(context, lease->id);
}

static void say_ready(struct broker_link *link, struct instant now)
{
    struct json_out out = {0};
    drop_waiting(link);
    json_open(&out, '{');
    json_key(&out, "worker");
    json_put_string(&out, link->worker);
    json_key(&out, "instance");
    json_put_string(&out, link->instance);
    json_key(&out, "slots");
    json_put_int(&out, (int64_t)link->slots);
    json_key(&out, "leases");
    json_open(&out, '[');
    leases_each_named(link->leases, put_lease, &out);
    json_close(&out, ']');
    json_close(&out, '}');
    struct frame frames[] = {text_frame(WIRE_VERSION), text_frame("READY"), {out.text, out.bytes}};
    if (!out.failed && message_send(link->socket, frames, 3) == ERR_NONE) {
        link->state = LINK_ASKED;
        link->asked_mono_ms = now.mono_ms;
        link->heard_mono_ms = now.mono_ms;
        if (link->ending)
            say(link, "BYE", NULL);
    }
    json_out_free(&out);
}

static void say_beat(struct broker_link *link, struct instant now)
{
    char number[BEAT_TEXT_MAX];
    if (now.mono_ms < link->beats.next_mono_ms)
        return;
    beats_number(&link->beats, number);
    beats_sent(&link->beats, say(link, "BEAT", number), now.mono_ms);
}

static void say_results(struct broker_link *link, struct instant now)
{
    leases_say_again(link->leases, now.mono_ms - RESEND_BEATS * link->beats.heartbeat_ms);
    while (leases_to_say(link->leases) != NULL) {
        struct frame frames[2 + 2 * WIRE_WORKER_ITEMS_MAX] = {text_frame(WIRE_VERSION), text_frame("RESULT")};
        struct lease *batch[WIRE_WORKER_ITEMS_MAX];
        size_t count = 0;
        struct lease *lease = leases_to_say(link->leases);
        for (; lease != NULL && count < WIRE_WORKER_ITEMS_MAX; lease = TAILQ_NEXT(lease, place)) {
            frames[2 + 2 * count] = text_frame(lease->id);
            frames[3 + 2 * count] = (struct frame){lease->result, lease->result_bytes};
            batch[count++] = lease;
        }
        if (message_send(link->socket, frames, 2 + 2 * count) != ERR_NONE)
            return;
        for (size_t i = 0; i < count; i++)
            leases_said(link->leases, batch[i], now.mono_ms);
    }
}

/* ---- hearing ----------------------------------------------------------------------------------------------- */

static void answer_returned(struct broker_link *link, struct lease *lease)
{
    broker_link_answer(link, lease, strdup(result_returned), sizeof result_returned - 1);
}

static bool is_printable(const char *id)
{
    const char *at = id;
    while (*at > ' ' && *at < 0x7f)
        at++;
    return at > id && *at == '\0';
}

/* NULL: given twice, which is ignored, or no room for more results: then it goes back at once, and whether that
 * message arrives does not matter, for nothing of it has begun. */
static struct lease *add_lease(struct broker_link *link, const char *id)
{
    struct lease *lease = leases_add(link->leases, id);
    if (lease != NULL)
        return lease;
    bool twice = leases_find(link->leases, id) != NULL;
    log_event(LOG_WARN, twice ? "lease_twice" : "leases_full", "broker=%s lease=%s", link->endpoint, id);
    if (!twice) {
        struct frame frames[] = {text_frame(WIRE_VERSION), text_frame("RESULT"), text_frame(id),
                                 text_frame(result_returned)};
        message_send(link->socket, frames, 4);
    }
    return NULL;
}

static void hear_jobs(struct broker_link *link)
{
    size_t frame_count = message_frame_count(link->message);
    if (link->state != LINK_READY) /* given before the broker has read our READY: it knows that we drop them */
        return;
    if (frame_count % 2 != 0 || frame_count > 2 + 2 * WIRE_WORKER_ITEMS_MAX) {
        log_event(LOG_WARN, "jobs_malformed", "broker=%s frames=%zu", link->endpoint, frame_count);
        return;
    }
    for (size_t i = 2; i < frame_count; i += 2) {
        char id[LEASE_TEXT_MAX];
        struct lease *lease = NULL;
        if (!frame_text(message_frame(link->message, i), id, sizeof id) || !is_printable(id))
            log_event(LOG_WARN, "lease_malformed", "broker=%s", link->endpoint);
        else
            lease = add_lease(link, id);
        if (lease == NULL)
            continue;
        lease->link = link;
        if (link->ending || leases_in_hand(link->leases) > link->slots)
            answer_returned(link, lease);
        else
            link->hooks.job(link->context, lease, message_frame(link->message, i + 1));
    }
}

static struct lease *named_lease(struct broker_link *link, size_t frame)
{
    char id[LEASE_TEXT_MAX];
    return frame_text(message_frame(link->message, frame), id, sizeof id) ? leases_find(link->leases, id) : NULL;
}

static void hear_done(struct broker_link *link)
{
    for (size_t i = 2; i < message_frame_count(link->message); i++) {
        struct lease *lease = named_lease(link, i);
        if (lease != NULL && lease->phase == LEASE_ANSWERED)
            leases_remove(link->leases, lease);
    }
}

static void hear_revoke(struct broker_link *link)
{
    for (size_t i = 2; i < message_frame_count(link->message); i++) {
        struct lease *lease = named_lease(link, i);
        if (lease == NULL || lease->phase == LEASE_ANSWERED)
            continue;
        lease->revoked = true;
        if (lease->phase == LEASE_WAITING) {
            link->hooks.withdraw(link->context, lease);
            answer_returned(link, lease);
        }
    }
}

static void hear_ready(struct broker_link *link, struct instant now)
{
    struct frame json = message_frame(link->message, 2);
    cJSON *answer = json.bytes > 0 ? json_parse(json.data, json.bytes, NULL) : NULL;
    int64_t heartbeat_ms = 0;
    const char *broker = json_string(answer, "broker");
    if (link->state == LINK_ASKED) {
        if (json_int(answer, "heartbeat_ms", &heartbeat_ms) && heartbeat_ms >= HEARTBEAT_MIN_MS &&
            heartbeat_ms <= HEARTBEAT_MAX_MS)
            link->beats.heartbeat_ms = heartbeat_ms;
        link->state = LINK_READY;
        beats_restart(&link->beats, link->asked_mono_ms, now.mono_ms);
        leases_say_again(link->leases, INT64_MAX);
        log_event(LOG_INFO, "ready", "endpoint=%s broker=%s heartbeat_ms=%lld leases=%zu", link->endpoint,
                  name_is_valid(broker) ? broker : "?", (long long)link->beats.heartbeat_ms, leases_count(link->leases));
    }
    cJSON_Delete(answer);
}

static void hear_beat(struct broker_link *link)
{
    char number[BEAT_TEXT_MAX];
    if (frame_text(message_frame(link->message, 2), number, sizeof number))
        beats_echoed(&link->beats, number);
}

static void hear_error(struct broker_link *link, struct instant now)
{
    struct frame json = message_frame(link->message, 2);
    cJSON *error = json.bytes > 0 ? json_parse(json.data, json.bytes, NULL) : NULL;
    const char *code = json_string(json_get(error, "error"), "code");
    bool unknown_worker = code != NULL && strcmp(code, "unknown_worker") == 0;
    bool unauthorized = code != NULL && strcmp(code, "unauthorized") == 0;
    /* Whose key was taken away is unknown as well: no REVOKE comes, so what has not begun goes now. */
    if ((unknown_worker || unauthorized) && link->state == LINK_READY)
        say_ready(link, now);
    if (!unknown_worker)
        log_event(LOG_WARN, "broker_error", "broker=%s code=%s", link->endpoint, name_is_valid(code) ? code : "?");
    cJSON_Delete(error);
}

static void hear(struct broker_link *link, struct instant now)
{
    struct frame command = message_frame(link->message, 1);
    if (!frame_is(message_frame(link->message, 0), WIRE_VERSION)) {
        log_event(LOG_WARN, "message_malformed", "broker=%s", link->endpoint);
        return;
    }
    link->heard_mono_ms = now.mono_ms;
    link->silences = 0;
    if (frame_is(command, "JOB"))
        hear_jobs(link);
    else if (frame_is(command, "DONE"))
        hear_done(link);
    else if (frame_is(command, "REVOKE"))
        hear_revoke(link);
    else if (frame_is(command, "BEAT"))
        hear_beat(link);
    else if (frame_is(command, "READY"))
        hear_ready(link, now);
    else if (frame_is(command, "ERR"))
        hear_error(link, now);
    else
        log_event(LOG_WARN, "command_unknown", "broker=%s", link->endpoint);
}

/* ---- the turn ---------------------------------------------------------------------------------------------- */

void broker_link_read(struct broker_link *link, struct instant now)
{
    for (int i = 0; link->socket != NULL && i < READS_PER_TURN; i++) {
        enum err err = message_receive(link->message, link->socket);
        if (err == ERR_NONE)
            hear(link, now);
        else if (err == ERR_FULL)
            log_event(LOG_WARN, "message_malformed", "broker=%s", link->endpoint);
        else
            return;
    }
}

static int64_t silence_end_mono_ms(const struct broker_link *link)
{
    unsigned doubles = link->silences < SILENCE_DOUBLES ? link->silences : SILENCE_DOUBLES;
    return link->heard_mono_ms + ((SILENCE_BEATS * link->beats.heartbeat_ms) << doubles);
}

/* Over a connection that says nothing, not even that it is gone, nothing more is to be had. */
static bool reconnect(struct broker_link *link, struct instant now)
{
    log_event(LOG_WARN, "broker_silent", "broker=%s", link->endpoint);
    link->silences++;
    link->heard_mono_ms = now.mono_ms;
    socket_close(link);
    if (socket_open(link) == ERR_NONE)
        return true;
    log_event(LOG_ERROR, "connect_failed", "broker=%s error=\"%s\"", link->endpoint, strerror(errno));
    return false;
}

/* Without a connection nothing is known: the broker may be away, or keep its door shut to this worker's key, which
 * libzmq does not tell apart. Said once each time. */
static void watch_absence(struct broker_link *link, struct instant now)
{
    if (link->away_mono_ms == 0)
        link->away_mono_ms = now.mono_ms + AWAY_MS;
    if (now.mono_ms < link->away_mono_ms || link->away_mono_ms == INT64_MAX)
        return;
    log_event(LOG_WARN, "broker_away", "broker=%s reason=\"%s\"", link->endpoint,
              link->secret_key != NULL
                  ? "not up, or this worker's key is not authorized, or the broker's is another one"
                  : "not up, or it wants a key");
    link->away_mono_ms = INT64_MAX;
}

bool broker_link_write(struct broker_link *link, struct instant now)
{
    bool silent = link->state != LINK_DOWN && now.mono_ms >= silence_end_mono_ms(link);
    if ((silent || link->socket == NULL) && !reconnect(link, now))
        return false;
    bool connected = (dealer_events(link->socket) & ZMQ_POLLOUT) != 0;
    if (link->state != LINK_DOWN && !connected) {
        log_event(LOG_WARN, "broker_gone", "broker=%s", link->endpoint);
        link->state = LINK_DOWN;
    }
    if (link->state == LINK_DOWN && !connected)
        watch_absence(link, now);
    else
        link->away_mono_ms = 0;
    if (link->state == LINK_DOWN && connected)
        say_ready(link, now);
    if (link->state == LINK_READY) {
        say_beat(link, now);
        say_results(link, now);
    }
    /* Sending takes the notice of what has come meanwhile off ZMQ_FD, so ask before waiting for it. */
    return (dealer_events(link->socket) & ZMQ_POLLIN) != 0;
}

int64_t broker_link_due_mono_ms(const struct broker_link *link)
{
    if (link->socket == NULL) /* could not be opened: out of descriptors or memory, for now */
        return link->heard_mono_ms + link->beats.heartbeat_ms;
    if (link->state == LINK_DOWN)
        return link->away_mono_ms == 0 ? INT64_MAX : link->away_mono_ms;
    int64_t due = silence_end_mono_ms(link);
    if (link->state == LINK_READY) {
        int64_t said = leases_oldest_said_mono_ms(link->leases);
        if (link->beats.next_mono_ms < due)
            due = link->beats.next_mono_ms;
        if (said != INT64_MAX && said + RESEND_BEATS * link->beats.heartbeat_ms < due)
            due = said + RESEND_BEATS * link->beats.heartbeat_ms;
    }
    return due;
}

bool broker_link_is_fresh(const struct broker_link *link, int64_t now_mono_ms)
{
    return link->state == LINK_READY && beats_are_fresh(&link->beats, now_mono_ms);
}

void broker_link_doubt(struct broker_link *link, int64_t now_mono_ms)
{
    beats_doubt(&link->beats, now_mono_ms);
}

void broker_link_answer(struct broker_link *link, struct lease *lease, char *result, size_t bytes)
{
    if (result == NULL)
        leases_remove(link->leases, lease);
    else
        leases_answer(link->leases, lease, result, bytes);
}

void broker_link_end(struct broker_link *link)
{
    struct lease *next = NULL;
    link->ending = true;
    for (struct lease *lease = leases_first_in_hand(link->leases); lease != NULL; lease = next) {
        next = leases_next_in_hand(lease);
        if (lease->phase != LEASE_WAITING)
            continue;
        link->hooks.withdraw(link->context, lease);
        answer_returned(link, lease);
    }
    if (link->state != LINK_DOWN)
        say(link, "BYE", NULL);
}

size_t broker_link_leases(const struct broker_link *link)
{
    return leases_count(link->leases);
}

size_t broker_link_in_hand(const struct broker_link *link)
{
    return leases_in_hand(link->leases);
}
