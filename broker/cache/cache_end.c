/* cache_end.c — see cache_end.h. */
#include "broker/cache/cache_end.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/clock.h"
#include "lineward/conf.h"

#define LOOK_MS 10    /* so often: is the name found? */
#define NAME_MS 15000 /* a name server that is away costs a resolver five seconds */
#define TOO_LONG "an answer of more than 16 MiB"

void cache_end_lose(struct cache_end *end, const char *why)
{
    if (!end->is_lost)
        snprintf(end->problem, sizeof end->problem, "%s", why == NULL || *why == '\0' ? "the connection ended" : why);
    end->is_lost = true;
}

/* ---- hiredis ---- */

static void add_write(void *data)
{
    ((struct cache_end *)data)->wants_write = true;
}

static void del_write(void *data)
{
    ((struct cache_end *)data)->wants_write = false;
}

static void nothing(void *data)
{
    (void)data;
}

/* hiredis frees the context after this. */
static void on_disconnect(const redisAsyncContext *context, int status)
{
    struct cache_end *end = context->data;
    (void)status;
    end->context = NULL;
    cache_end_lose(end, end->bound.is_over ? TOO_LONG : context->errstr);
}

static void on_connect(const redisAsyncContext *context, int status)
{
    struct cache_end *end = context->data;
    if (status == REDIS_OK)
        return;
    end->context = NULL;
    cache_end_lose(end, context->errstr);
}

/* ---- what is answered ---- */

void cache_end_due(struct cache_end *end, int64_t now_ms)
{
    end->now_ms = now_ms;
    if (end->waiting++ == 0)
        end->heard_ms = now_ms;
}

const redisReply *cache_end_any_reply(struct cache_end *end, const void *data)
{
    end->heard_ms = end->now_ms;
    if (end->waiting > 0)
        end->waiting--;
    return data;
}

const redisReply *cache_end_reply(struct cache_end *end, const void *data, const char *what)
{
    const redisReply *reply = cache_end_any_reply(end, data);
    char why[sizeof end->problem];
    if (reply == NULL || reply->type != REDIS_REPLY_ERROR)
        return reply;
    snprintf(why, sizeof why, "%s: %s", what, reply->str);
    cache_end_lose(end, why);
    return NULL;
}

/* ---- opening ---- */

static void on_logged_in(redisAsyncContext *context, void *data, void *what)
{
    (void)cache_end_reply(context->data, data, what);
}

static void log_in(struct cache_end *end, const char *password)
{
    static char auth[] = "AUTH", select[] = "SELECT";
    const char *user = end->to.user;
    if (password != NULL || *user != '\0') {
        const char *words[] = {"AUTH", user, password == NULL ? "" : password};
        size_t lengths[] = {4, strlen(words[1]), strlen(words[2])};
        bool named = *user != '\0';
        if (!named) {
            words[1] = words[2];
            lengths[1] = lengths[2];
        }
        cache_end_due(end, end->now_ms);
        redisAsyncCommandArgv(end->context, on_logged_in, auth, named ? 3 : 2, words, lengths);
    }
    if (end->to.db != 0) {
        cache_end_due(end, end->now_ms);
        redisAsyncCommand(end->context, on_logged_in, select, "SELECT %d", end->to.db);
    }
}

static void set_hooks(struct cache_end *end)
{
    redisAsyncContext *context = end->context;
    context->data = context->ev.data = end;
    context->ev.addRead = context->ev.delRead = context->ev.cleanup = nothing;
    context->ev.addWrite = add_write;
    context->ev.delWrite = del_write;
    cache_bound_set(&end->bound, context->c.reader);
    redisAsyncSetConnectCallback(context, on_connect);
    redisAsyncSetDisconnectCallback(context, on_disconnect);
    end->wants_write = true; /* the end of connecting shows as writable */
}

/* `address`: of the host; unused for a path. */
static void connect_to(struct cache_end *end, const char *address)
{
    const char *file = end->to.password_file;
    char *password = file == NULL ? NULL : conf_read_secret(file);
    if (file != NULL && password == NULL) {
        cache_end_lose(end, "its password file cannot be read");
        return;
    }
    end->context =
        end->to.path != NULL ? redisAsyncConnectUnix(end->to.path) : redisAsyncConnect(address, end->host.port);
    if (end->context == NULL) {
        cache_end_lose(end, "out of memory");
    } else if (end->context->err != 0) {
        cache_end_lose(end, end->context->errstr);
        redisAsyncFree(end->context);
        end->context = NULL;
    } else {
        set_hooks(end);
        log_in(end, password);
        end->opened(end);
    }
    free(password);
}

void cache_end_open(struct cache_end *end, const struct cache_end_to *to, int64_t now_ms)
{
    char address[INET6_ADDRSTRLEN] = "";
    cache_end_close(end);
    end->to = *to;
    end->now_ms = end->heard_ms = now_ms;
    end->tries++;
    if (to->path == NULL)
        end->host = *to->host;
    end->to.host = &end->host;
    if (to->path != NULL || cache_name_is_address(end->host.name, address)) {
        connect_to(end, address);
        return;
    }
    end->name = cache_name_new(end->host.name);
    if (end->name == NULL)
        cache_end_lose(end, "no thread to look its name up");
}

void cache_end_close(struct cache_end *end)
{
    redisAsyncContext *context = end->context;
    end->context = NULL;
    cache_name_free(&end->name);
    if (context != NULL)
        redisAsyncFree(context);
    end->is_lost = false;
    end->waiting = 0;
}

bool cache_end_is_there(const struct cache_end *end)
{
    return (end->context != NULL || end->name != NULL) && !end->is_lost;
}

/* ---- the turn ---- */

bool cache_end_fd(const struct cache_end *end, struct pollfd *out)
{
    if (end->context == NULL)
        return false;
    *out = (struct pollfd){.fd = end->context->c.fd, .events = (short)(POLLIN | (end->wants_write ? POLLOUT : 0))};
    return true;
}

static void look(struct cache_end *end)
{
    char address[INET6_ADDRSTRLEN];
    const char *why = NULL;
    enum cache_name_state state = cache_name_state(end->name, end->tries, address, &why);
    if (state == CACHE_NAME_ASKED)
        return;
    if (state == CACHE_NAME_FAILED)
        cache_end_lose(end, why);
    cache_name_free(&end->name);
    end->heard_ms = end->now_ms;
    if (state == CACHE_NAME_FOUND)
        connect_to(end, address);
}

void cache_end_turn(struct cache_end *end, short revents, int64_t now_ms)
{
    end->now_ms = now_ms;
    if (end->context != NULL && (revents & POLLOUT) != 0)
        redisAsyncHandleWrite(end->context);
    if (end->context != NULL && (revents & (POLLIN | POLLHUP | POLLERR)) != 0)
        redisAsyncHandleRead(end->context);
    if (end->context != NULL && !cache_bound_holds(&end->bound, end->context->c.reader))
        cache_end_lose(end, TOO_LONG);
    if (end->name != NULL)
        look(end);
    int64_t silent_ms = now_ms - end->heard_ms;
    if (end->context != NULL && end->waiting > 0 && silent_ms > CACHE_END_SILENT_MS)
        cache_end_lose(end, "it does not answer");
    else if (end->name != NULL && silent_ms > NAME_MS)
        cache_end_lose(end, "its name is not found in time");
}

int64_t cache_end_next_ms(const struct cache_end *end)
{
    if (end->name != NULL)
        return end->now_ms + LOOK_MS;
    return end->context != NULL && end->waiting > 0 ? end->heard_ms + CACHE_END_SILENT_MS + 1 : TIME_NEVER;
}
