/* feed_webhooks.c — see feed_webhooks.h.
 *
 * A request's way: on_request() is called with its head, with each piece of its body, and with its end; there it is
 * judged. What the broker must store first is suspended and listed in `waiting`, oldest first. Refusals are answered
 * at the end of the body too: a server that answers and closes while the client still writes is heard as a reset. */
#include "broker/feed/feed_webhooks.h"

#include <assert.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "broker/feed/feed_address.h"
#include "broker/feed/feed_linq.h"
#include "broker/feed/feed_secrets.h"
#include "lineward/connections.h"
#include "lineward/process.h"

#define TIGHT_MS 5 /* libmicrohttpd, having once taken all it may, looks for more only when it is called again */

struct request {
    TAILQ_ENTRY(request) others; /* in `waiting`, if `waits` */
    struct MHD_Connection *connection;
    size_t account;
    unsigned status; /* 0: not decided yet */
    uint64_t received_bytes;
    char *body;
    size_t bytes, room;
    bool waits;
    uint64_t number;
    int64_t deadline_mono_ms;
};

struct account {
    struct feed_secrets secrets;
    int64_t next_stale_poll_mono_ms;
};

enum answer { ANSWER_200, ANSWER_400, ANSWER_401, ANSWER_404, ANSWER_413, ANSWER_503, ANSWER_COUNT };

static const struct {
    unsigned status;
    const char *body;
} answers[ANSWER_COUNT] = {
    [ANSWER_200] = {200, ""},
    [ANSWER_400] = {400, "{\"error\":{\"code\":\"malformed\",\"message\":\"not a webhook event\"}}"},
    [ANSWER_401] = {401, "{\"error\":{\"code\":\"unauthorized\",\"message\":\"the signature is not accepted\"}}"},
    [ANSWER_404] = {404, "{\"error\":{\"code\":\"not_found\",\"message\":\"nothing is here\"}}"},
    [ANSWER_413] = {413, "{\"error\":{\"code\":\"too_large\",\"message\":\"a body is at most 1 MiB\"}}"},
    [ANSWER_503] = {503, "{\"error\":{\"code\":\"busy\",\"message\":\"not stored; send it again\"}}"},
};

struct feed_webhooks {
    const struct conf *conf;
    struct feed_webhooks_options options;
    struct account *accounts;
    struct MHD_Daemon *daemon;
    struct MHD_Response *responses[ANSWER_COUNT];
    struct connections connections; /* strangers all: a webhook takes milliseconds */
    TAILQ_HEAD(request_list, request) waiting; /* by deadline */
    uint64_t last_number;
    size_t bodies_bytes; /* of all requests together */
    struct instant now;  /* of the step under way */
};

/* ---- a request's life ---- */

static void free_body(struct feed_webhooks *hooks, struct request *request)
{
    hooks->bodies_bytes -= request->room;
    free(request->body);
    request->body = NULL;
    request->bytes = request->room = 0;
}

static void refuse(struct feed_webhooks *hooks, struct request *request, unsigned status, enum feed_note note)
{
    request->status = status;
    free_body(hooks, request);
    feed_notes_add(hooks->options.notes, request->account, note, 1);
}

static bool find_account(const struct conf *conf, const char *name, size_t *out)
{
    for (size_t i = 0; i < conf->account_count; i++) {
        if (strcmp(conf->accounts[i].name, name) == 0 && !conf->accounts[i].gone) {
            *out = i;
            return true;
        }
    }
    return false;
}

/* /webhooks/linq is the account `default`, /webhooks/linq/{account} any. */
static bool find_path(const struct conf *conf, const char *path, size_t *account)
{
    static const char prefix[] = "/webhooks/linq";
    size_t bytes = sizeof prefix - 1;
    if (strncmp(path, prefix, bytes) != 0)
        return false;
    if (path[bytes] == '\0')
        return find_account(conf, "default", account);
    return path[bytes] == '/' && find_account(conf, path + bytes + 1, account);
}

static uint64_t announced_bytes(struct MHD_Connection *connection)
{
    const char *text = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return text == NULL ? 0 : strtoull(text, NULL, 10);
}

static struct request *begin(struct feed_webhooks *hooks, struct MHD_Connection *connection, const char *path,
                             const char *method)
{
    struct request *request = calloc(1, sizeof *request);
    if (request == NULL)
        return NULL;
    request->connection = connection;
    if (strcmp(method, MHD_HTTP_METHOD_POST) != 0 || !find_path(hooks->conf, path, &request->account))
        request->status = 404;
    else if (announced_bytes(connection) > WEBHOOK_BODY_BYTES_MAX)
        refuse(hooks, request, 413, FEED_NOTE_WEBHOOK_TOO_LARGE);
    return request;
}

/* Makes room for `bytes` more. False: all bodies together would take too much, or memory is out. */
static bool reserve(struct feed_webhooks *hooks, struct request *request, size_t bytes)
{
    size_t room = request->room == 0 ? 4096 : request->room;
    while (room < request->bytes + bytes)
        room *= 2;
    if (room == request->room)
        return true;
    if (hooks->bodies_bytes - request->room + room > WEBHOOK_BODIES_BYTES_MAX)
        return false;
    char *body = realloc(request->body, room);
    if (body == NULL)
        return false;
    hooks->bodies_bytes += room - request->room;
    request->body = body;
    request->room = room;
    return true;
}

/* A piece of the body: kept, or dropped if the answer is clear already. */
static enum MHD_Result take_piece(struct feed_webhooks *hooks, struct request *request, const char *data,
                                  size_t bytes)
{
    request->received_bytes += bytes;
    if (request->received_bytes > WEBHOOK_DRAIN_BYTES_MAX)
        return MHD_NO; /* nobody listens to an answer any more */
    if (request->status != 0)
        return MHD_YES;
    if (request->received_bytes > WEBHOOK_BODY_BYTES_MAX) {
        refuse(hooks, request, 413, FEED_NOTE_WEBHOOK_TOO_LARGE);
    } else if (!reserve(hooks, request, bytes)) {
        refuse(hooks, request, 503, FEED_NOTE_WEBHOOK_NOT_TAKEN);
    } else {
        memcpy(request->body + request->bytes, data, bytes);
        request->bytes += bytes;
    }
    return MHD_YES;
}

static enum MHD_Result respond(struct feed_webhooks *hooks, const struct request *request)
{
    for (size_t i = 0; i < ANSWER_COUNT; i++) {
        if (answers[i].status == request->status)
            return MHD_queue_response(request->connection, request->status, hooks->responses[i]);
    }
    return MHD_NO;
}

/* ---- judging ---- */

static const char *header(const struct request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

/* A replay, or a clock that is wrong, theirs or ours. Either way something may have happened: look. */
static void poll_for_stale(struct feed_webhooks *hooks, size_t index)
{
    struct account *account = &hooks->accounts[index];
    if (hooks->now.mono_ms < account->next_stale_poll_mono_ms)
        return;
    account->next_stale_poll_mono_ms = hooks->now.mono_ms + WEBHOOK_STALE_POLL_GAP_MS;
    hooks->options.poll_now(hooks->options.context, index);
}

static bool is_signed(struct feed_webhooks *hooks, struct request *request)
{
    const struct feed_secrets *secrets = &hooks->accounts[request->account].secrets;
    switch (signature_verify(secrets->secrets, secrets->count, header(request, "webhook-id"),
                             header(request, "webhook-timestamp"), header(request, "webhook-signature"),
                             request->body == NULL ? "" : request->body, request->bytes, hooks->now.wall_ms / 1000)) {
    case SIGNATURE_GOOD:
        return true;
    case SIGNATURE_MISSING:
        refuse(hooks, request, 401, FEED_NOTE_WEBHOOK_UNSIGNED);
        return false;
    case SIGNATURE_BAD:
        refuse(hooks, request, 401, FEED_NOTE_WEBHOOK_BAD_SIGNATURE);
        return false;
    case SIGNATURE_STALE:
        refuse(hooks, request, 401, FEED_NOTE_WEBHOOK_STALE);
        poll_for_stale(hooks, request->account);
        return false;
    }
    refuse(hooks, request, 401, FEED_NOTE_WEBHOOK_BAD_SIGNATURE);
    return false;
}

/* Hands the event to the broker and suspends the connection until it is stored. */
static void hand_over(struct feed_webhooks *hooks, struct request *request, struct feed_message *message)
{
    struct feed_webhook *event = &message->webhook;
    message->kind = FEED_WEBHOOK;
    memcpy(message->account, hooks->conf->accounts[request->account].name, sizeof message->account);
    linq_copy_id(event->webhook_id, sizeof event->webhook_id, header(request, "webhook-id"));
    event->arrived_mono_ms = hooks->now.mono_ms;
    event->request = ++hooks->last_number;
    bool unknown = (event->has_reputation && event->reputation == REPUTATION_UNKNOWN) ||
                   (event->has_service && event->service == SERVICE_UNKNOWN) ||
                   (event->has_chat_health && event->chat_health == CHAT_UNKNOWN);
    feed_notes_add(hooks->options.notes, request->account, FEED_NOTE_UNKNOWN_VALUE, unknown);
    if (!hooks->options.emit(hooks->options.context, message)) {
        refuse(hooks, request, 503, FEED_NOTE_WEBHOOK_NOT_TAKEN);
        return;
    }
    free_body(hooks, request);
    request->number = event->request;
    request->deadline_mono_ms = hooks->now.mono_ms + hooks->options.answer_ms;
    request->waits = true;
    TAILQ_INSERT_TAIL(&hooks->waiting, request, others);
    MHD_suspend_connection(request->connection);
}

static void judge(struct feed_webhooks *hooks, struct request *request)
{
    struct feed_message message = {0};
    if (!is_signed(hooks, request))
        return;
    switch (linq_read_webhook(request->body == NULL ? "" : request->body, request->bytes, hooks->now.wall_ms,
                              &message.webhook)) {
    case LINQ_TAKEN:
        hand_over(hooks, request, &message);
        return;
    case LINQ_UNUSED:
        refuse(hooks, request, 200, FEED_NOTE_WEBHOOK_UNUSED);
        return;
    case LINQ_NO_LINE:
        refuse(hooks, request, 200, FEED_NOTE_WEBHOOK_NO_LINE);
        return;
    case LINQ_MALFORMED:
        refuse(hooks, request, 400, FEED_NOTE_WEBHOOK_MALFORMED);
        return;
    }
}

/* The wait of a suspended request is over; step() sends the answer. */
static void settle(struct feed_webhooks *hooks, struct request *request, unsigned status)
{
    TAILQ_REMOVE(&hooks->waiting, request, others);
    request->waits = false;
    request->status = status;
    MHD_resume_connection(request->connection);
}

/* ---- libmicrohttpd's callbacks ---- */

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *data, size_t *data_bytes, void **con_cls)
{
    struct feed_webhooks *hooks = cls;
    struct request *request = *con_cls;
    if (request == NULL) {
        *con_cls = request = begin(hooks, connection, path, method);
        if (request == NULL)
            return MHD_NO;
        return announced_bytes(connection) > WEBHOOK_DRAIN_BYTES_MAX ? respond(hooks, request) : MHD_YES;
    }
    if (*data_bytes > 0) {
        size_t bytes = *data_bytes;
        *data_bytes = 0;
        return take_piece(hooks, request, data, bytes);
    }
    if (request->status == 0)
        judge(hooks, request);
    return request->status == 0 ? MHD_YES : respond(hooks, request);
}

/* libmicrohttpd bounds only silence, this bounds slowness. */
static int64_t deadline(const struct feed_webhooks *hooks)
{
    return hooks->now.mono_ms + WEBHOOK_REQUEST_MS_MAX;
}

static void on_request_over(void *cls, struct MHD_Connection *connection, void **con_cls,
                            enum MHD_RequestTerminationCode why)
{
    struct feed_webhooks *hooks = cls;
    struct request *request = *con_cls;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (info != NULL && info->socket_context != NULL)
        connections_renew(&hooks->connections, info->socket_context, deadline(hooks));
    if (request == NULL)
        return;
    assert(!request->waits); /* a suspended connection is not touched before settle() */
    free_body(hooks, request);
    free(request);
    *con_cls = NULL;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct feed_webhooks *hooks = cls;
    struct connection *mine = *socket_context;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED)
        connections_remove(&hooks->connections, &mine);
    else /* without memory only libmicrohttpd's own limits hold for it */
        mine = connections_add(&hooks->connections,
                               MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
                               deadline(hooks));
    *socket_context = mine;
}

/* ---- opening and closing ---- */

/* *out is to be freed in any case. */
static enum err read_secrets(struct account **out, const struct conf *conf, struct conf_problem *problem)
{
    struct account *accounts = calloc(conf->account_count + 1, sizeof *accounts);
    *out = accounts;
    if (accounts == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < conf->account_count; i++) {
        enum err err = feed_secrets_read(&accounts[i].secrets, conf->accounts[i].webhook_secrets_file, problem);
        if (err != ERR_NONE)
            return err;
    }
    return ERR_NONE;
}

enum err feed_webhooks_follow(struct feed_webhooks *hooks, const struct conf *conf, struct conf_problem *problem)
{
    struct account *accounts = NULL;
    enum err err = read_secrets(&accounts, conf, problem);
    if (err != ERR_NONE) {
        free(accounts);
        return err;
    }
    for (size_t i = 0; i < hooks->conf->account_count; i++)
        accounts[i].next_stale_poll_mono_ms = hooks->accounts[i].next_stale_poll_mono_ms;
    free(hooks->accounts);
    hooks->accounts = accounts;
    hooks->conf = conf;
    return ERR_NONE;
}

static enum err make_responses(struct feed_webhooks *hooks)
{
    for (size_t i = 0; i < ANSWER_COUNT; i++) {
        struct MHD_Response *response = MHD_create_response_from_buffer(
            strlen(answers[i].body), (void *)(uintptr_t)answers[i].body, MHD_RESPMEM_PERSISTENT);
        if (response == NULL)
            return ERR_NO_MEMORY;
        hooks->responses[i] = response;
        if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json") != MHD_YES)
            return ERR_NO_MEMORY;
    }
    return ERR_NONE;
}

static size_t connections_max(void)
{
    size_t files = process_files_max();
    size_t room = files < 2 * WEBHOOK_FILES_SPARE ? WEBHOOK_FILES_SPARE : files - WEBHOOK_FILES_SPARE;
    return room < WEBHOOK_CONNECTIONS_MAX ? room : WEBHOOK_CONNECTIONS_MAX;
}

static enum err bind_port(struct feed_webhooks *hooks)
{
    struct addrinfo *address = feed_address_resolve(hooks->conf->broker.webhooks);
    if (address == NULL)
        return ERR_BAD_INPUT;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
    if (address->ai_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    hooks->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, hooks, MHD_OPTION_SOCK_ADDR, address->ai_addr, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)hooks->connections.max, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)WEBHOOK_IDLE_S,
        MHD_OPTION_NOTIFY_COMPLETED, on_request_over, hooks, MHD_OPTION_NOTIFY_CONNECTION, on_connection, hooks,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    freeaddrinfo(address);
    return hooks->daemon == NULL ? ERR_IO : ERR_NONE;
}

enum err feed_webhooks_open(struct feed_webhooks **out, const struct conf *conf,
                            const struct feed_webhooks_options *options, struct conf_problem *problem)
{
    enum err err = ERR_NO_MEMORY;
    snprintf(problem->text, sizeof problem->text, "out of memory");
    struct feed_webhooks *hooks = calloc(1, sizeof *hooks);
    if (hooks == NULL)
        return err;
    hooks->conf = conf;
    hooks->options = *options;
    connections_init(&hooks->connections, connections_max(), WEBHOOK_CONNECTIONS_SPARE);
    TAILQ_INIT(&hooks->waiting);
    if ((err = read_secrets(&hooks->accounts, conf, problem)) != ERR_NONE ||
        (err = make_responses(hooks)) != ERR_NONE)
        goto fail;
    err = bind_port(hooks);
    if (err != ERR_NONE) {
        snprintf(problem->text, sizeof problem->text, "broker.webhooks: %s cannot be bound", conf->broker.webhooks);
        goto fail;
    }
    *out = hooks;
    return ERR_NONE;
fail:
    feed_webhooks_close(&hooks);
    return err;
}

void feed_webhooks_close(struct feed_webhooks **hooks_p)
{
    struct feed_webhooks *hooks = *hooks_p;
    if (hooks == NULL)
        return;
    while (!TAILQ_EMPTY(&hooks->waiting)) /* libmicrohttpd does not stop with suspended connections */
        settle(hooks, TAILQ_FIRST(&hooks->waiting), 503);
    if (hooks->daemon != NULL)
        MHD_stop_daemon(hooks->daemon);
    for (size_t i = 0; i < ANSWER_COUNT; i++) {
        if (hooks->responses[i] != NULL)
            MHD_destroy_response(hooks->responses[i]);
    }
    free(hooks->accounts);
    free(hooks);
    *hooks_p = NULL;
}

/* ---- the turn ---- */

int feed_webhooks_port(const struct feed_webhooks *hooks)
{
    return MHD_get_daemon_info(hooks->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

int feed_webhooks_fd(const struct feed_webhooks *hooks)
{
    return MHD_get_daemon_info(hooks->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

int64_t feed_webhooks_due(struct feed_webhooks *hooks, struct instant now)
{
    int64_t due = connections_are_crowded(&hooks->connections) ? now.mono_ms + TIGHT_MS : TIME_NEVER;
    MHD_UNSIGNED_LONG_LONG timeout_ms = 0;
    int64_t late = connections_due(&hooks->connections);
    const struct request *request = TAILQ_FIRST(&hooks->waiting);
    if (MHD_get_timeout(hooks->daemon, &timeout_ms) == MHD_YES && timeout_ms < WEBHOOK_REQUEST_MS_MAX &&
        now.mono_ms + (int64_t)timeout_ms < due)
        due = now.mono_ms + (int64_t)timeout_ms;
    if (late < due)
        due = late;
    if (request != NULL && request->deadline_mono_ms < due)
        due = request->deadline_mono_ms;
    return due;
}

static void end_waits(struct feed_webhooks *hooks)
{
    struct request *request = TAILQ_FIRST(&hooks->waiting);
    while (request != NULL && request->deadline_mono_ms <= hooks->now.mono_ms) {
        feed_notes_add(hooks->options.notes, request->account, FEED_NOTE_WEBHOOK_NOT_TAKEN, 1);
        settle(hooks, request, 503);
        request = TAILQ_FIRST(&hooks->waiting);
    }
}

void feed_webhooks_step(struct feed_webhooks *hooks, struct instant now)
{
    hooks->now = now;
    connections_end_late(&hooks->connections, now.mono_ms, deadline(hooks));
    end_waits(hooks);
    MHD_run(hooks->daemon);
}

void feed_webhooks_answer(struct feed_webhooks *hooks, uint64_t request, int http_status)
{
    struct request *waiting = NULL;
    TAILQ_FOREACH(waiting, &hooks->waiting, others)
    {
        if (waiting->number == request) {
            settle(hooks, waiting, http_status == 200 ? 200 : 503);
            return;
        }
    }
}
