/* feed_run.c — the feed child: one thread, one turn after the other, until the broker's end of the socket closes. */
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "broker/feed/feed.h"
#include "broker/feed/feed_notes.h"
#include "broker/feed/feed_poll.h"
#include "broker/feed/feed_webhooks.h"
#include "lineward/clock.h"
#include "lineward/log.h"
#include "lineward/process.h"

/* What may wait for a broker that does not read. Webhooks are refused first (the provider sends them again); a list
 * of lines is only said once per poll. */
#define OUT_WEBHOOK_BYTES_MAX (4u * 1024 * 1024)
#define OUT_BYTES_MAX         (32u * 1024 * 1024)
#define IN_BYTES_MAX          65536 /* the broker's messages are short */
#define FILES_MAX             2048  /* connections of webhooks and polls, with room */
#define WAIT_MS_MAX           60000

struct run {
    int fd;
    const struct conf *conf;
    const struct feed_source *source;
    struct conf *own; /* what was read at FEED_RELOAD; NULL: it is the one of the start */
    bool reload;
    struct feed_buffer out;
    size_t out_sent;
    uint8_t in[IN_BYTES_MAX];
    size_t in_bytes;
    struct feed_notes *notes;
    struct feed_poll *poll;
    struct feed_webhooks *hooks;
    bool closed; /* the broker is gone */
    bool broken; /* or does not speak our language */
};

/* ---- to the broker ---- */

static bool emit(void *context, const struct feed_message *message)
{
    struct run *run = context;
    size_t limit = message->kind == FEED_WEBHOOK ? OUT_WEBHOOK_BYTES_MAX : OUT_BYTES_MAX;
    if (run->out.bytes - run->out_sent > limit)
        return false;
    enum err err = feed_encode(&run->out, message);
    if (err != ERR_NONE)
        log_event(LOG_ERROR, "feed_message_lost", "kind=%d error=%s", (int)message->kind, err_name(err));
    return err == ERR_NONE;
}

static void flush(struct run *run)
{
    while (run->out_sent < run->out.bytes) {
        ssize_t sent =
            send(run->fd, run->out.data + run->out_sent, run->out.bytes - run->out_sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0) {
            run->closed = errno != EAGAIN && errno != EWOULDBLOCK;
            return;
        }
        run->out_sent += (size_t)sent;
    }
    run->out.bytes = run->out_sent = 0;
    if (run->out.room > OUT_WEBHOOK_BYTES_MAX)
        feed_buffer_free(&run->out);
}

/* ---- from the broker ---- */

static void poll_account(void *context, size_t account)
{
    struct run *run = context;
    feed_poll_now(run->poll, account);
}

static void obey(struct run *run, const struct feed_message *message)
{
    switch (message->kind) {
    case FEED_ANSWER:
        feed_webhooks_answer(run->hooks, message->request, message->http_status);
        return;
    case FEED_POLL_NOW:
        for (size_t i = 0; i < run->conf->account_count; i++) {
            if (strcmp(run->conf->accounts[i].name, message->account) == 0)
                feed_poll_now(run->poll, i);
        }
        return;
    case FEED_POLL_ALLOW:
        for (size_t i = 0; i < run->conf->account_count; i++) {
            if (strcmp(run->conf->accounts[i].name, message->account) == 0)
                feed_poll_allow(run->poll, i, message->ok);
        }
        return;
    case FEED_RELOAD:
        run->reload = true;
        return;
    default:
        run->broken = true;
    }
}

/* Indices of accounts stay, so what is under way keeps its own. False: half of it is in force. */
static bool follow(struct run *run, const struct conf *conf, struct conf_problem *problem)
{
    return feed_notes_follow(run->notes, conf) == ERR_NONE &&
           feed_webhooks_follow(run->hooks, conf, problem) == ERR_NONE &&
           feed_poll_follow(&run->poll, conf, clock_read(), problem) == ERR_NONE;
}

/* The broker has read all of it and found it good; but a file may have changed again since. */
static void reload(struct run *run)
{
    struct conf *conf = NULL;
    struct conf_problem problem = {.text = "out of memory"};
    run->reload = false;
    if (run->source == NULL)
        return;
    enum err err = conf_load(&conf, run->source->path, run->source->sets, run->source->set_count, &problem);
    if (err == ERR_NONE)
        err = conf_follow(conf, run->conf, &problem);
    bool good = err == ERR_NONE && follow(run, conf, &problem);
    if (good) {
        conf_free(&run->own);
        run->conf = run->own = conf;
        return;
    }
    log_event(LOG_ERROR, "feed_not_reloaded", "problem=\"%s\"", problem.text);
    if (err == ERR_NONE)
        run->broken = true; /* the child that follows begins with all of it */
    else
        conf_free(&conf);
}

static void obey_all(struct run *run)
{
    size_t at = 0;
    while (!run->broken) {
        struct feed_message message;
        size_t used = 0;
        enum err err = feed_decode(run->in + at, run->in_bytes - at, &used, &message);
        if (err == ERR_NOT_FOUND)
            break;
        if (err != ERR_NONE) {
            run->broken = true;
            break;
        }
        obey(run, &message);
        feed_message_clear(&message);
        at += used;
    }
    run->in_bytes -= at;
    memmove(run->in, run->in + at, run->in_bytes);
    if (run->in_bytes == sizeof run->in)
        run->broken = true; /* no message of the broker is that long */
}

static void listen_to_broker(struct run *run)
{
    while (!run->broken) {
        ssize_t got = recv(run->fd, run->in + run->in_bytes, sizeof run->in - run->in_bytes, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            run->closed = run->closed || got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
            return;
        }
        run->in_bytes += (size_t)got;
        obey_all(run);
    }
}

/* ---- the turn ---- */

static void wait_for_something(struct run *run)
{
    short broker_events = CURL_WAIT_POLLIN;
    if (run->out_sent < run->out.bytes)
        broker_events |= CURL_WAIT_POLLOUT;
    struct curl_waitfd fds[] = {
        {.fd = run->fd, .events = broker_events},
        {.fd = feed_webhooks_fd(run->hooks), .events = CURL_WAIT_POLLIN},
    };
    struct instant now = clock_read();
    int64_t due = time_sooner(feed_poll_due(run->poll), feed_notes_due(run->notes));
    due = time_sooner(due, feed_webhooks_due(run->hooks, now));
    int64_t wait_ms = due <= now.mono_ms ? 0 : time_sooner(due - now.mono_ms, WAIT_MS_MAX);
    feed_poll_wait(run->poll, fds, sizeof fds / sizeof *fds, (int)wait_ms);
}

static void turn(struct run *run)
{
    struct instant now = clock_read();
    listen_to_broker(run); /* first, so that answers leave in this turn */
    if (run->reload)
        reload(run);
    feed_webhooks_step(run->hooks, now);
    feed_poll_step(run->poll, now);
    feed_notes_step(run->notes, now);
    flush(run);
}

static enum err run_open(struct run *run, struct conf_problem *problem)
{
    run->notes = feed_notes_new(run->conf, emit, run);
    if (run->notes == NULL)
        return ERR_NO_MEMORY;
    struct feed_webhooks_options hooks = {
        .emit = emit, .poll_now = poll_account, .notes = run->notes, .context = run, .answer_ms = WEBHOOK_ANSWER_MS};
    struct feed_poll_options poll = {.emit = emit,
                                     .context = run,
                                     .notes = run->notes,
                                     .timeout_ms = POLL_TIMEOUT_MS,
                                     .jitter_ms_max = POLL_JITTER_MS_MAX,
                                     .answer_bytes_max = POLL_ANSWER_BYTES_MAX};
    enum err err = feed_webhooks_open(&run->hooks, run->conf, &hooks, problem);
    if (err != ERR_NONE)
        return err;
    return feed_poll_open(&run->poll, run->conf, &poll, clock_read(), problem);
}

static void run_close(struct run *run)
{
    feed_poll_close(&run->poll);
    feed_webhooks_close(&run->hooks);
    feed_notes_free(&run->notes);
    feed_buffer_free(&run->out);
    conf_free(&run->own);
}

int feed_run(int fd, const struct conf *conf, const struct feed_source *source)
{
    struct conf_problem problem = {.text = "out of memory"};
    process_become_child(FILES_MAX);
    if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return 1;
    struct run *run = calloc(1, sizeof *run);
    if (run == NULL)
        return 1;
    run->fd = fd;
    run->conf = conf;
    run->source = source;
    enum err err = run_open(run, &problem);
    if (err == ERR_NONE) {
        struct feed_message ready = {.kind = FEED_READY, .port = feed_webhooks_port(run->hooks)};
        emit(run, &ready);
        flush(run);
    } else {
        log_event(LOG_ERROR, "feed_not_started", "error=%s problem=\"%s\"", err_name(err), problem.text);
    }
    while (err == ERR_NONE && !run->closed && !run->broken) {
        wait_for_something(run);
        turn(run);
    }
    if (run->broken)
        log_event(LOG_ERROR, "feed_stopped", "reason=broken_stream");
    int code = err == ERR_NONE && !run->broken ? 0 : 1;
    run_close(run);
    free(run);
    curl_global_cleanup();
    return code;
}
