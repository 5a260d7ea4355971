/* admin_http.c — libmicrohttpd's side of the admin API: its thread reads a request, finds the call, checks the token
 * and the bounds, and hands the exchange to the owner's thread with the connection suspended; the answer resumes it.
 *
 * A request is judged as soon as its head is there: without a good token no body is read. The token is looked at again when
 * the body is there. */
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/edge/admin_exchange.h"
#include "broker/edge/admin_route.h"
#include "broker/edge/admin_stream.h"
#include "broker/edge/admin_tls.h"
#include "lineward/connections.h"
#include "lineward/process.h"

#define HEAD_BYTES_MAX (16u * 1024) /* request line and headers of a connection */

struct admin_http {
    struct admin *admin;
    struct connections connections; /* the HTTP thread's; known: a good token came over it */
    struct MHD_Daemon *daemon;
    MHD_socket quiesced; /* the listening socket once it no longer accepts; to be closed after the daemon */
    bool has_tls;
};

/* ---- answers ---- */

static enum MHD_Result queue_answer(struct MHD_Connection *connection, struct exchange *x)
{
    const struct answer *answer = &x->answer;
    bool whole = !answer->text.failed && answer->status != 0;
    int status = whole ? answer->status : 500;
    struct MHD_Response *response =
        x->stream != NULL ? stream_response(x->stream, connection)
                          : MHD_create_response_from_buffer(whole ? answer->text.bytes : 0,
                                                            whole ? answer->text.text : NULL, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    if (x->stream == NULL)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                answer->type != NULL ? answer->type : "application/json");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (answer->etag[0] != '\0')
        MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, answer->etag);
    if (status == 401)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (x->allow[0] != '\0')
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, x->allow);
    if (answer->retry_after_ms > 0) {
        char seconds[24];
        snprintf(seconds, sizeof seconds, "%lld", (long long)((answer->retry_after_ms + 999) / 1000));
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    }
    enum MHD_Result result = MHD_queue_response(connection, (unsigned)status, response);
    MHD_destroy_response(response);
    return result;
}

void admin_http_resume(struct exchange *x)
{
    struct MHD_Connection *connection = x->connection;
    MHD_resume_connection(connection); /* x is no longer ours from here on */
}

/* ---- judging a request by its head ---- */

static void make_known(struct admin_http *http, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (info != NULL && info->socket_context != NULL)
        connections_know(&http->connections, info->socket_context);
}

static const char *bearer(struct MHD_Connection *connection)
{
    const char *header = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
    if (header == NULL || strncasecmp(header, "Bearer ", 7) != 0)
        return NULL;
    header += 7;
    return header + strspn(header, " ");
}

static bool is_open(const struct route_match *match)
{
    return match->route != NULL && match->route->roles == 0;
}

/* What its token allows as of now. False: answered. */
static bool find_grant(struct admin *admin, struct exchange *x)
{
    const char *token = bearer(x->connection);
    grant_free(&x->grant);
    x->grant_of = tokens_generation(admin_options(admin)->tokens);
    if (token != NULL && tokens_find(admin_options(admin)->tokens, token, &x->grant))
        return true;
    answer_error(x, CODE_UNAUTHORIZED, NULL, NULL);
    return false;
}

/* False: answered. */
static bool role_may(struct exchange *x, const struct route *route)
{
    if (route_allows(route, x->grant.role))
        return true;
    answer_error(x, CODE_FORBIDDEN, NULL, NULL);
    return false;
}

/* The token comes before everything that a stranger could learn from: whether a path exists, too. */
static bool authorize(struct admin *admin, struct exchange *x, const struct route_match *match)
{
    if (is_open(match))
        return true;
    if (!find_grant(admin, x))
        return false;
    x->authorized = true;
    if (match->route == NULL && match->allow[0] != '\0') {
        memcpy(x->allow, match->allow, sizeof x->allow);
        answer_error(x, CODE_UNKNOWN_COMMAND, "this path does not know that method", NULL);
        x->answer.status = 405;
        return false;
    }
    if (match->route == NULL) {
        answer_error(x, CODE_NOT_FOUND, "there is no such path", NULL);
        return false;
    }
    return role_may(x, match->route);
}

/* The tokens may have been read anew since the head came: a body takes as long as its sender likes. False: answered. */
static bool authorize_again(struct admin *admin, struct exchange *x)
{
    if (!x->authorized || x->grant_of == tokens_generation(admin_options(admin)->tokens))
        return true;
    return find_grant(admin, x) && role_may(x, x->route);
}

static bool length_fits(struct exchange *x)
{
    const char *text = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (text == NULL || strtoull(text, NULL, 10) <= x->route->body_bytes_max)
        return true; /* a body that comes in chunks is counted as it comes */
    answer_error(x, CODE_TOO_LARGE, NULL, NULL);
    return false;
}

static void take_last_event_id(struct exchange *x)
{
    const char *text = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, "Last-Event-ID");
    if (text != NULL && strlen(text) < sizeof x->last_event_id)
        memcpy(x->last_event_id, text, strlen(text) + 1);
}

/* False: answered. Who asks for a condition must not have it dropped. */
static bool take_if_match(struct exchange *x)
{
    const char *text = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_MATCH);
    if (text == NULL)
        return true;
    if (text[0] == '\0' || strlen(text) >= sizeof x->if_match) {
        answer_error(x, CODE_MALFORMED, "If-Match must be one or a few of the ETags that views carry, or *", NULL);
        return false;
    }
    memcpy(x->if_match, text, strlen(text) + 1);
    return true;
}

static bool judge_head(struct admin *admin, struct exchange *x, const char *method)
{
    if (x->refused)
        return false;
    struct route_match match = route_find(method, x->target);
    if (!authorize(admin, x, &match))
        return false;
    x->route = match.route;
    take_last_event_id(x);
    if (!take_if_match(x))
        return false;
    memcpy(x->parts, match.parts, sizeof x->parts);
    return length_fits(x);
}

/* ---- the body ---- */

static size_t body_limit(const struct exchange *x)
{
    return x->route != NULL ? x->route->body_bytes_max : 0;
}

static bool body_room(struct admin *admin, struct exchange *x, size_t bytes)
{
    if (x->body_room - x->body_bytes >= bytes)
        return true;
    size_t room = x->body_room == 0 ? 4096 : x->body_room;
    while (room - x->body_bytes < bytes)
        room *= 2;
    if (!admin_body_reserve(admin, room - x->body_room))
        return false;
    char *body = realloc(x->body, room);
    if (body == NULL) {
        admin_body_release(admin, room - x->body_room);
        return false;
    }
    x->body = body;
    x->body_room = room;
    return true;
}

static void take_body(struct admin *admin, struct exchange *x, const char *data, size_t bytes)
{
    if (x->refused)
        return; /* read to its end and dropped: the answer waits for that */
    if (bytes > body_limit(x) - x->body_bytes) {
        answer_error(x, CODE_TOO_LARGE, NULL, NULL);
        x->refused = true;
    } else if (!body_room(admin, x, bytes)) {
        answer_error(x, CODE_BUSY, "too many large requests at once", NULL);
        x->refused = true;
    } else {
        memcpy(x->body + x->body_bytes, data, bytes);
        x->body_bytes += bytes;
    }
}

/* ---- libmicrohttpd's callbacks, all on its thread ---- */

static void *on_target(void *self, const char *target, struct MHD_Connection *connection)
{
    (void)self;
    (void)connection;
    return exchange_new(target);
}

/* Paths and queries are split before they are decoded (PROTOCOL), so libmicrohttpd must not decode. */
static size_t keep_escapes(void *self, struct MHD_Connection *connection, char *text)
{
    (void)self;
    (void)connection;
    return strlen(text);
}

static enum MHD_Result hand_over(struct admin *admin, struct MHD_Connection *connection, struct exchange *x)
{
    x->handed_over = true;
    MHD_suspend_connection(connection);
    if (exchange_hand_over(admin, x))
        return MHD_YES;
    answer_error(x, CODE_BUSY, "the broker is stopping", NULL);
    x->answer.status = 503;
    MHD_resume_connection(connection);
    return MHD_YES;
}

static enum MHD_Result on_request(void *self, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *data, size_t *data_bytes, void **exchange_p)
{
    struct admin_http *http = self;
    struct exchange *x = *exchange_p;
    if (x == NULL)
        return MHD_NO; /* no memory */
    if (x->handed_over)
        return queue_answer(connection, x);
    if (!x->begun) {
        x->begun = true;
        x->connection = connection;
        bool good = judge_head(http->admin, x, method);
        if (x->authorized)
            make_known(http, connection);
        if (good)
            return MHD_YES;
        x->refused = true;
        return queue_answer(connection, x);
    }
    if (*data_bytes > 0) {
        take_body(http->admin, x, data, *data_bytes);
        *data_bytes = 0;
        return MHD_YES;
    }
    return x->refused || !authorize_again(http->admin, x) ? queue_answer(connection, x)
                                                          : hand_over(http->admin, connection, x);
}

static void on_completed(void *self, struct MHD_Connection *connection, void **exchange_p,
                         enum MHD_RequestTerminationCode code)
{
    struct admin_http *http = self;
    struct exchange *x = *exchange_p;
    (void)connection;
    (void)code;
    if (x != NULL && x->stream != NULL)
        stream_left(x->stream);
    if (x != NULL)
        admin_body_release(http->admin, x->body_room);
    exchange_free(&x);
    *exchange_p = NULL;
}

static void on_connection(void *self, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct admin_http *http = self;
    struct connection *mine = *socket_context;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED)
        connections_remove(&http->connections, &mine);
    else /* without memory only libmicrohttpd's own limits hold for it */
        mine = connections_add(&http->connections,
                               MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
                               TIME_NEVER);
    *socket_context = mine;
}

static size_t connections_max(void)
{
    size_t room = process_files_max() / 4;
    return room < 2 * ADMIN_CONNECTIONS_SPARE ? 2 * ADMIN_CONNECTIONS_SPARE
           : room < ADMIN_CONNECTIONS_MAX     ? room
                                              : ADMIN_CONNECTIONS_MAX;
}

/* ---- open and close ---- */

static bool resolve(const char *listen, struct sockaddr_storage *out, struct admin_problem *problem)
{
    char host[256];
    const char *colon = strrchr(listen, ':');
    size_t bytes = colon != NULL ? (size_t)(colon - listen) : 0;
    bool is_v6 = bytes >= 2 && listen[0] == '[' && listen[bytes - 1] == ']';
    if (colon == NULL || bytes >= sizeof host) {
        snprintf(problem->text, sizeof problem->text, "broker.admin: '%.100s' is not HOST:PORT", listen);
        return false;
    }
    size_t host_bytes = is_v6 ? bytes - 2 : bytes;
    memcpy(host, listen + is_v6, host_bytes);
    host[host_bytes] = '\0';
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found = NULL;
    int failed = getaddrinfo(host_bytes > 0 ? host : NULL, colon + 1, &hints, &found);
    if (failed != 0) {
        snprintf(problem->text, sizeof problem->text, "broker.admin: '%.100s': %s", listen, gai_strerror(failed));
        return false;
    }
    memcpy(out, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return true;
}

static enum err read_tls(struct admin_http *http, const struct admin_options *options, struct admin_problem *problem)
{
    struct tls_identity *identity = NULL;
    if (options->tls_cert_file == NULL && options->tls_key_file == NULL)
        return ERR_NONE;
    if (options->tls_cert_file == NULL || options->tls_key_file == NULL) {
        snprintf(problem->text, sizeof problem->text,
                 "broker.admin_tls_cert_file and broker.admin_tls_key_file go together");
        return ERR_BAD_INPUT;
    }
    if (MHD_is_feature_supported(MHD_FEATURE_HTTPS_CERT_CALLBACK) != MHD_YES) {
        snprintf(problem->text, sizeof problem->text, "broker.admin: this libmicrohttpd was built without TLS");
        return ERR_BAD_INPUT;
    }
    enum err err = tls_identity_read(&identity, options->tls_cert_file, options->tls_key_file, problem);
    http->has_tls = err == ERR_NONE;
    tls_identity_use(&identity);
    return err;
}

static struct MHD_Daemon *start(struct admin_http *http, const struct sockaddr *address)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    /* libmicrohttpd frees neither: the function is ours, the text static */
    struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(intptr_t)tls_identity_give},
                                   {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)ADMIN_TLS_PRIORITIES},
                                   {MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    if (http->has_tls)
        flags |= MHD_USE_TLS;
    if (address->sa_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    return MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, http, MHD_OPTION_SOCK_ADDR, address, MHD_OPTION_ARRAY,
        http->has_tls ? tls : none, MHD_OPTION_URI_LOG_CALLBACK, on_target, NULL, MHD_OPTION_UNESCAPE_CALLBACK,
        keep_escapes, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, http, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)http->connections.max, MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)ADMIN_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_BYTES_MAX, MHD_OPTION_END);
}

enum err admin_http_open(struct admin_http **out, struct admin *admin, struct admin_problem *problem)
{
    const struct admin_options *options = admin_options(admin);
    struct sockaddr_storage address = {0};
    struct admin_http *http = calloc(1, sizeof *http);
    enum err err = ERR_NO_MEMORY;
    if (http == NULL)
        return err;
    http->admin = admin;
    http->quiesced = MHD_INVALID_SOCKET;
    connections_init(&http->connections, connections_max(), ADMIN_CONNECTIONS_SPARE);
    err = read_tls(http, options, problem);
    if (err != ERR_NONE)
        goto fail;
    err = ERR_BAD_INPUT;
    if (!resolve(options->listen, &address, problem))
        goto fail;
    err = ERR_IO;
    http->daemon = start(http, (const struct sockaddr *)&address);
    if (http->daemon == NULL) {
        snprintf(problem->text, sizeof problem->text,
                 "broker.admin: cannot serve on %.100s: is the address in use, or the certificate wrong?",
                 options->listen);
        goto fail;
    }
    *out = http;
    return ERR_NONE;
fail:
    admin_http_close(&http);
    return err;
}

void admin_http_quiesce(struct admin_http *http)
{
    http->quiesced = MHD_quiesce_daemon(http->daemon);
}

void admin_http_close(struct admin_http **http_p)
{
    struct admin_http *http = *http_p;
    if (http == NULL)
        return;
    *http_p = NULL;
    if (http->daemon != NULL)
        MHD_stop_daemon(http->daemon);
    if (http->quiesced != MHD_INVALID_SOCKET)
        close(http->quiesced);
    if (http->has_tls)
        tls_identity_forget();
    free(http);
}

unsigned admin_http_port(const struct admin_http *http)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info != NULL ? info->port : 0;
}
