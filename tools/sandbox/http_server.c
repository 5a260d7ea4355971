/* http_server.c — libmicrohttpd with epoll threads; late answers are suspended connections that a timer thread
 * wakes. */
#include "tools/sandbox/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "tools/sandbox/due.h"

#define CONNECTIONS_MAX 8192
#define IDLE_S          120
#define BACKLOG         1024
#define HTTP_DATE_ROOM  40

struct sandbox_http {
    struct MHD_Daemon *daemon;
    struct http_handler handler;
    pthread_t timer;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    struct sandbox_due waiting; /* struct exchange, on CLOCK_MONOTONIC */
    bool stopping;
};

/* One request and its answer, from the first byte seen to the last one sent. */
struct exchange {
    struct MHD_Connection *connection;
    struct instant began, answered;
    char *body;
    size_t body_bytes, body_room;
    bool body_too_large, out_of_memory, handled;
    struct http_answer answer;
};

static int64_t steady_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

const char *sandbox_http_query(const struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *sandbox_http_header(const struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

struct values {
    const char *name, **out;
    size_t count, max;
};

static enum MHD_Result value_seen(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct values *values = context;
    if (value == NULL || strcmp(name, values->name) != 0)
        return MHD_YES;
    if (values->count == values->max)
        return MHD_NO;
    values->out[values->count++] = value;
    return MHD_YES;
}

size_t sandbox_http_query_all(const struct http_request *request, const char *name, const char **out, size_t max)
{
    struct values values = {.name = name, .out = out, .max = max};
    MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, value_seen, &values);
    return values.count;
}

/* ---- a request's life ---- */

/* libmicrohttpd calls this when it has read the request line: the earliest it tells anybody. */
static void *exchange_begin(void *context, const char *uri, struct MHD_Connection *connection)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL)
        return NULL;
    exchange->connection = connection;
    exchange->began = clock_read();
    return exchange;
}

static void exchange_end(void *context, struct MHD_Connection *connection, void **exchange_p,
                         enum MHD_RequestTerminationCode how)
{
    struct sandbox_http *server = context;
    struct exchange *exchange = *exchange_p;
    *exchange_p = NULL;
    if (exchange == NULL)
        return;
    if (exchange->handled && server->handler.done != NULL)
        server->handler.done(server->handler.context, &exchange->answer, exchange->answered,
                             how == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    json_out_free(&exchange->answer.body);
    free(exchange->body);
    free(exchange);
}

static bool body_add(struct exchange *exchange, const char *bytes, size_t count)
{
    if (count > HTTP_BODY_BYTES_MAX - exchange->body_bytes) {
        exchange->body_too_large = true;
        count = HTTP_BODY_BYTES_MAX - exchange->body_bytes;
    }
    if (exchange->body_room - exchange->body_bytes < count) {
        size_t room = exchange->body_room == 0 ? 1024 : exchange->body_room;
        while (room - exchange->body_bytes < count)
            room *= 2;
        char *body = realloc(exchange->body, room);
        if (body == NULL)
            return false;
        exchange->body = body;
        exchange->body_room = room;
    }
    memcpy(exchange->body + exchange->body_bytes, bytes, count);
    exchange->body_bytes += count;
    return true;
}

/* As HTTP writes times: Sun, 06 Nov 1994 08:49:37 GMT. */
static void date_format(int64_t wall_ms, char out[HTTP_DATE_ROOM])
{
    static const char *const days[] = {"Thu", "Fri", "Sat", "Sun",
                                       "Mon", "Tue", "Wed"}; /* 1970 began with a Thursday */
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    char text[TIME_TEXT_MAX]; /* 1994-11-06T08:49:37.000Z */
    time_format(wall_ms, text);
    unsigned month = (unsigned)(text[5] - '0') * 10 + (unsigned)(text[6] - '0');
    snprintf(out, HTTP_DATE_ROOM, "%s, %.2s %s %.4s %.8s GMT", days[wall_ms / 86400000 % 7], text + 8,
             months[(month + 11) % 12], text, text + 11);
}

static void header_date(struct MHD_Response *response, int64_t wall_ms)
{
    char date[HTTP_DATE_ROOM];
    if (wall_ms <= 0)
        return;
    date_format(wall_ms, date);
    MHD_add_response_header(response, MHD_HTTP_HEADER_DATE, date);
}

static void header_hint(struct MHD_Response *response, const struct http_answer *answer)
{
    long long ms = answer->retry_after_ms;
    char text[HTTP_DATE_ROOM];
    if (ms < 0 || answer->hint == HTTP_HINT_NONE)
        return;
    if (answer->hint == HTTP_HINT_DATE) /* whole seconds: rounded up */
        date_format(clock_read().wall_ms + ms + 999, text);
    else if (answer->hint == HTTP_HINT_MS)
        snprintf(text, sizeof text, "%lld", ms);
    else if (ms % 1000 == 0)
        snprintf(text, sizeof text, "%lld", ms / 1000);
    else
        snprintf(text, sizeof text, "%lld.%03lld", ms / 1000, ms % 1000);
    MHD_add_response_header(response, answer->hint == HTTP_HINT_MS ? "retry-after-ms" : MHD_HTTP_HEADER_RETRY_AFTER,
                            text);
}

static enum MHD_Result answer_queue(struct exchange *exchange)
{
    struct http_answer *answer = &exchange->answer;
    /* The body outlives the response: it is freed in exchange_end(). */
    struct MHD_Response *response =
        MHD_create_response_from_buffer(answer->body.bytes, answer->body.text, MHD_RESPMEM_PERSISTENT);
    if (response == NULL)
        return MHD_NO;
    if (answer->body.bytes > 0)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                answer->content_type == NULL ? "application/json" : answer->content_type);
    if (answer->trace[0] != '\0')
        MHD_add_response_header(response, "X-Trace-ID", answer->trace);
    header_date(response, answer->date_wall_ms);
    header_hint(response, answer);
    enum MHD_Result result = MHD_queue_response(exchange->connection, (unsigned)answer->status, response);
    MHD_destroy_response(response);
    return result;
}

/* With a linger of zero, close() sends RST instead of FIN. */
static void reset_on_close(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (info != NULL)
        setsockopt(info->connect_fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

static enum MHD_Result answer_now(struct exchange *exchange)
{
    exchange->answered = clock_read();
    switch (exchange->answer.manner) {
    case HTTP_ANSWERED:
        return answer_queue(exchange);
    case HTTP_RESET:
        reset_on_close(exchange->connection);
        return MHD_NO;
    case HTTP_CLOSED:
        return MHD_NO;
    }
    return MHD_NO;
}

static enum MHD_Result answer_later(struct sandbox_http *server, struct exchange *exchange)
{
    pthread_mutex_lock(&server->lock);
    bool waits =
        !server->stopping && sandbox_due_push(&server->waiting, steady_ms() + exchange->answer.delay_ms, exchange);
    if (waits) {
        /* under the lock, so that the timer can't resume what is not suspended yet */
        MHD_suspend_connection(exchange->connection);
        pthread_cond_signal(&server->changed);
    }
    pthread_mutex_unlock(&server->lock);
    return waits ? MHD_YES : answer_now(exchange);
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *path, const char *method,
                              const char *version, const char *upload, size_t *upload_bytes, void **exchange_p)
{
    struct sandbox_http *server = context;
    struct exchange *exchange = *exchange_p;
    if (exchange == NULL)
        return MHD_NO;
    if (exchange->handled) /* resumed */
        return answer_now(exchange);
    if (exchange->body_room == 0) { /* the first call, before any body; the last one comes after it */
        exchange->body_room = 1024;
        exchange->body = malloc(exchange->body_room);
        return exchange->body == NULL ? MHD_NO : MHD_YES;
    }
    if (*upload_bytes > 0) {
        exchange->out_of_memory = exchange->out_of_memory || !body_add(exchange, upload, *upload_bytes);
        *upload_bytes = 0;
        return exchange->out_of_memory ? MHD_NO : MHD_YES;
    }
    struct http_request request = {.method = method,
                                   .path = path,
                                   .body = exchange->body,
                                   .body_bytes = exchange->body_bytes,
                                   .body_too_large = exchange->body_too_large,
                                   .began = exchange->began,
                                   .connection = connection};
    exchange->answer.status = 200;
    exchange->answer.retry_after_ms = -1;
    exchange->handled = true;
    server->handler.handle(server->handler.context, &request, &exchange->answer);
    return exchange->answer.delay_ms > 0 ? answer_later(server, exchange) : answer_now(exchange);
}

/* ---- late answers ---- */

static void wait_until(struct sandbox_http *server, int64_t due_ms)
{
    if (due_ms == INT64_MAX) {
        pthread_cond_wait(&server->changed, &server->lock);
        return;
    }
    struct timespec until = {.tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000};
    pthread_cond_timedwait(&server->changed, &server->lock, &until);
}

static void *timer(void *context)
{
    struct sandbox_http *server = context;
    pthread_mutex_lock(&server->lock);
    for (;;) {
        struct exchange *exchange;
        while ((exchange = sandbox_due_pop(&server->waiting, server->stopping ? INT64_MAX : steady_ms())) != NULL)
            MHD_resume_connection(exchange->connection);
        if (server->stopping)
            break;
        wait_until(server, sandbox_due_next_ms(&server->waiting));
    }
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

/* ---- start and stop ---- */

static struct MHD_Daemon *daemon_start(struct sandbox_http *server, const struct sockaddr_in *at, unsigned threads)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_SUSPEND_RESUME | MHD_USE_TURBO;
    struct MHD_OptionItem pool[] = {{MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)threads, NULL},
                                    {MHD_OPTION_END, 0, NULL}};
    return MHD_start_daemon(flags, 0, NULL, NULL, handle, server, MHD_OPTION_SOCK_ADDR, at,
                            MHD_OPTION_URI_LOG_CALLBACK, exchange_begin, server, MHD_OPTION_NOTIFY_COMPLETED,
                            exchange_end, server, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
                            MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, MHD_OPTION_LISTEN_BACKLOG_SIZE, BACKLOG,
                            MHD_OPTION_ARRAY, threads > 1 ? pool : pool + 1, MHD_OPTION_END);
}

enum err sandbox_http_start(struct sandbox_http **out, const char *address, uint16_t port, unsigned threads,
                            struct http_handler handler)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, address, &at.sin_addr) != 1)
        return ERR_BAD_INPUT;
    struct sandbox_http *server = calloc(1, sizeof *server);
    if (server == NULL)
        return ERR_NO_MEMORY;
    server->handler = handler;
    pthread_condattr_t steady;
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->changed, &steady);
    pthread_condattr_destroy(&steady);
    if (pthread_create(&server->timer, NULL, timer, server) != 0) {
        free(server);
        return ERR_NO_MEMORY;
    }
    server->daemon = daemon_start(server, &at, threads);
    if (server->daemon == NULL) {
        int cause = errno;
        sandbox_http_stop(&server);
        errno = cause;
        return ERR_IO;
    }
    *out = server;
    return ERR_NONE;
}

uint16_t sandbox_http_port(const struct sandbox_http *server)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info == NULL ? 0 : info->port;
}

void sandbox_http_stop(struct sandbox_http **server_p)
{
    struct sandbox_http *server = *server_p;
    if (server == NULL)
        return;
    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    pthread_cond_signal(&server->changed);
    pthread_mutex_unlock(&server->lock);
    pthread_join(server->timer, NULL);
    if (server->daemon != NULL)
        MHD_stop_daemon(server->daemon); /* closes all, and ends every exchange */
    sandbox_due_free(&server->waiting);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server);
    *server_p = NULL;
}
