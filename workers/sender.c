/* sender.c — see sender.h. One easy handle a slot, kept for the life of the sender with all options that do not
 * change; libcurl tells which sockets to watch and when to call it, and epoll does the waiting. */
#include "sender.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "lineward/log.h"

#define BODY_ROOM_FIRST 4096u
#define BODY_ROOM_KEPT  (64u * 1024) /* a larger buffer is given back after use */
#define OVERDUE_MS      1000         /* how often it is looked for what libcurl did not end */

struct sender_route {
    struct curl_slist *headers;
    bool local;
};

struct send {
    struct sender *sender;
    CURL *easy;
    const struct sender_route *route; /* the last one set on `easy` */
    struct send *next_free;
    void *owner;
    struct provider_request request;
    int64_t end_mono_ms;
    unsigned begun;
    bool refused;
    char *body;
    size_t body_bytes, body_room;
    char error[CURL_ERROR_SIZE];
};

struct sender {
    CURLM *multi;
    int epoll_fd;
    uint32_t epoll_tag;
    struct sender_hooks hooks;
    void *context;
    struct send *sends; /* one a slot */
    size_t slots;
    struct send *free;
    int64_t now_mono_ms; /* of the turn under way */
    int64_t due_mono_ms; /* when libcurl wants to be called */
    int64_t overdue_mono_ms; /* when to look for those whose end has passed */
};

struct sender_route *sender_route_new(const char *api_key, bool local)
{
    /* An empty Expect keeps libcurl from waiting for a 100 before a large body. */
    static const char *const fixed[] = {"Content-Type: application/json", "Accept: application/json", "Expect:"};
    struct sender_route *route = calloc(1, sizeof *route);
    char *bearer = NULL;
    if (route == NULL || asprintf(&bearer, "Authorization: Bearer %s", api_key) < 0)
        goto fail;
    route->local = local;
    route->headers = curl_slist_append(NULL, bearer);
    for (size_t i = 0; route->headers != NULL && i < sizeof fixed / sizeof *fixed; i++) {
        if (curl_slist_append(route->headers, fixed[i]) == NULL) {
            curl_slist_free_all(route->headers);
            route->headers = NULL;
        }
    }
    free(bearer);
    if (route->headers != NULL)
        return route;
fail:
    free(route);
    return NULL;
}

void sender_route_free(struct sender_route **route_p)
{
    if (*route_p == NULL)
        return;
    curl_slist_free_all((*route_p)->headers);
    free(*route_p);
    *route_p = NULL;
}

/* ---- what libcurl calls ------------------------------------------------------------------------------------ */

static int on_prerequest(void *user, char *to_ip, char *from_ip, int to_port, int from_port)
{
    struct send *send = user;
    if (!send->sender->hooks.may_begin(send->sender->context, send->owner)) {
        send->refused = true;
        return CURL_PREREQFUNC_ABORT;
    }
    send->begun++;
    send->body_bytes = 0;
    return CURL_PREREQFUNC_OK;
}

static size_t on_body(char *data, size_t one, size_t bytes, void *user)
{
    struct send *send = user;
    if (bytes > SENDER_ANSWER_BYTES_MAX - send->body_bytes)
        return 0;
    if (send->body_room - send->body_bytes < bytes) {
        size_t room = send->body_room == 0 ? BODY_ROOM_FIRST : send->body_room;
        while (room - send->body_bytes < bytes)
            room *= 2;
        char *body = realloc(send->body, room);
        if (body == NULL)
            return 0;
        send->body = body;
        send->body_room = room;
    }
    memcpy(send->body + send->body_bytes, data, bytes);
    send->body_bytes += bytes;
    return bytes;
}

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *user, void *watched)
{
    struct sender *sender = user;
    if (what == CURL_POLL_REMOVE) {
        if (watched != NULL)
            epoll_ctl(sender->epoll_fd, EPOLL_CTL_DEL, socket, NULL);
        curl_multi_assign(sender->multi, socket, NULL);
        return 0;
    }
    struct epoll_event event = {.data.u64 = (uint64_t)sender->epoll_tag << 32 | (uint32_t)socket};
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
        event.events |= EPOLLIN;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
        event.events |= EPOLLOUT;
    if (epoll_ctl(sender->epoll_fd, watched != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event) < 0) {
        log_event(LOG_ERROR, "epoll_failed", "error=\"%s\"", strerror(errno));
        return -1;
    }
    curl_multi_assign(sender->multi, socket, sender);
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *user)
{
    struct sender *sender = user;
    sender->due_mono_ms = timeout_ms < 0 ? INT64_MAX : sender->now_mono_ms + timeout_ms;
    return 0;
}

/* ---- slots ------------------------------------------------------------------------------------------------- */

static bool send_prepare(struct send *send, struct sender *sender)
{
    CURL *easy = curl_easy_init();
    if (easy == NULL)
        return false;
    send->sender = sender;
    send->easy = easy;
    send->next_free = sender->free;
    sender->free = send;
    CURLcode bad = CURLE_OK;
#define SET(option, value) (bad = bad != CURLE_OK ? bad : curl_easy_setopt(easy, CURLOPT_##option, value))
    SET(PRIVATE, send);
    SET(POST, 1L);
    SET(NOSIGNAL, 1L);
    SET(FOLLOWLOCATION, 0L);
    SET(TCP_KEEPALIVE, 1L);
    /* libcurl keeps a parsed CA bundle for the next connection only if no CA folder is set besides; parsing it takes
     * some 25 ms, during which nothing else happens here. */
    SET(CAPATH, NULL);
    SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(PREREQFUNCTION, on_prerequest);
    SET(PREREQDATA, send);
    SET(WRITEFUNCTION, on_body);
    SET(WRITEDATA, send);
    SET(ERRORBUFFER, send->error);
#undef SET
    return bad == CURLE_OK;
}

enum err sender_open(struct sender **out, int epoll_fd, uint32_t epoll_tag, size_t slots,
                     const struct sender_hooks *hooks, void *context)
{
    struct sender *sender = calloc(1, sizeof *sender);
    if (sender == NULL)
        return ERR_NO_MEMORY;
    *sender = (struct sender){.multi = curl_multi_init(),
                              .epoll_fd = epoll_fd,
                              .epoll_tag = epoll_tag,
                              .hooks = *hooks,
                              .context = context,
                              .slots = slots,
                              .due_mono_ms = INT64_MAX,
                              .overdue_mono_ms = INT64_MAX};
    sender->sends = calloc(slots, sizeof *sender->sends);
    if (sender->multi == NULL || sender->sends == NULL)
        goto fail;
    curl_multi_setopt(sender->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(sender->multi, CURLMOPT_SOCKETDATA, sender);
    curl_multi_setopt(sender->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(sender->multi, CURLMOPT_TIMERDATA, sender);
    curl_multi_setopt(sender->multi, CURLMOPT_MAXCONNECTS, (long)slots);
    for (size_t i = slots; i > 0; i--) {
        if (!send_prepare(&sender->sends[i - 1], sender))
            goto fail;
    }
    *out = sender;
    return ERR_NONE;
fail:
    sender_free(&sender);
    return ERR_NO_MEMORY;
}

static void send_clear(struct send *send)
{
    free(send->request.url);
    free(send->request.body);
    send->request = (struct provider_request){0};
    send->owner = NULL;
    if (send->body_room > BODY_ROOM_KEPT) {
        free(send->body);
        send->body = NULL;
        send->body_room = 0;
    }
}

void sender_free(struct sender **sender_p)
{
    struct sender *sender = *sender_p;
    if (sender == NULL)
        return;
    for (size_t i = 0; sender->sends != NULL && i < sender->slots; i++) {
        struct send *send = &sender->sends[i];
        if (send->owner != NULL)
            curl_multi_remove_handle(sender->multi, send->easy);
        curl_easy_cleanup(send->easy);
        send_clear(send);
        free(send->body);
    }
    curl_multi_cleanup(sender->multi);
    free(sender->sends);
    free(sender);
    *sender_p = NULL;
}

static void set_route(struct send *send, const struct sender_route *route)
{
    if (send->route == route)
        return;
    curl_easy_setopt(send->easy, CURLOPT_HTTPHEADER, route->headers);
    curl_easy_setopt(send->easy, CURLOPT_PROTOCOLS_STR, route->local ? "http,https" : "https");
    curl_easy_setopt(send->easy, CURLOPT_PROXY, route->local ? "" : NULL);
    /* Over TLS, wait whether the first connection turns out to carry many streams before opening more. */
    curl_easy_setopt(send->easy, CURLOPT_PIPEWAIT, route->local ? 0L : 1L);
    send->route = route;
}

enum err sender_start(struct sender *sender, void *owner, const struct sender_route *route,
                      struct provider_request *request, int64_t now_mono_ms, int64_t end_mono_ms, struct send **out)
{
    struct send *send = sender->free;
    int64_t timeout_ms = end_mono_ms - now_mono_ms;
    if (send == NULL) {
        free(request->url);
        free(request->body);
        return ERR_FULL;
    }
    sender->free = send->next_free;
    send->owner = owner;
    send->request = *request;
    send->end_mono_ms = end_mono_ms;
    send->begun = 0;
    send->refused = false;
    send->body_bytes = 0;
    send->error[0] = '\0';
    set_route(send, route);
    curl_easy_setopt(send->easy, CURLOPT_URL, request->url);
    curl_easy_setopt(send->easy, CURLOPT_POSTFIELDS, request->body);
    curl_easy_setopt(send->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_bytes);
    curl_easy_setopt(send->easy, CURLOPT_TIMEOUT_MS, (long)(timeout_ms > 0 ? timeout_ms : 1));
    if (curl_multi_add_handle(sender->multi, send->easy) != CURLM_OK) {
        send_clear(send);
        send->next_free = sender->free;
        sender->free = send;
        return ERR_NO_MEMORY;
    }
    if (sender->overdue_mono_ms == INT64_MAX)
        sender->overdue_mono_ms = now_mono_ms + OVERDUE_MS;
    *out = send;
    return ERR_NONE;
}

void sender_forget_routes(struct sender *sender)
{
    for (size_t i = 0; i < sender->slots; i++)
        sender->sends[i].route = NULL;
}

static void send_release(struct send *send)
{
    struct sender *sender = send->sender;
    send_clear(send);
    send->next_free = sender->free;
    sender->free = send;
}

bool sender_withdraw(struct sender *sender, struct send *send)
{
    if (send->begun > 0)
        return false;
    curl_multi_remove_handle(sender->multi, send->easy);
    send_release(send);
    return true;
}

/* ---- ends -------------------------------------------------------------------------------------------------- */

static const char *header_of(CURL *easy, const char *name)
{
    struct curl_header *header = NULL;
    return curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK ? header->value : NULL;
}

/* A request that may have left, be it only on the first of two connections, is never called unsent. */
static void report(struct send *send, CURLcode result)
{
    struct send_end end = {.begun = send->begun, .body = send->body, .bytes = send->body_bytes};
    if (result == CURLE_OK) {
        long status = 0;
        curl_easy_getinfo(send->easy, CURLINFO_RESPONSE_CODE, &status);
        end.transport = TRANSPORT_ANSWERED;
        end.http_status = (int)status;
        end.retry_after = header_of(send->easy, "Retry-After");
        end.trace = header_of(send->easy, "X-Trace-ID");
        end.date = header_of(send->easy, "Date");
    } else {
        end.transport = send->begun > 0 ? TRANSPORT_LOST : TRANSPORT_NOT_BEGUN;
        end.refused = send->refused && send->begun == 0;
        end.error = send->error[0] != '\0' ? send->error : curl_easy_strerror(result);
    }
    send->sender->hooks.ended(send->sender->context, send->owner, &end);
}

static void end(struct send *send, CURLcode result)
{
    curl_multi_remove_handle(send->sender->multi, send->easy);
    report(send, result);
    send_release(send);
}

static void collect_ended(struct sender *sender)
{
    CURLMsg *message = NULL;
    int left = 0;
    while ((message = curl_multi_info_read(sender->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode result = message->data.result; /* `message` is gone after the next call */
        struct send *send = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&send);
        end(send, result);
    }
}

/* libcurl's clock stands still while the machine is suspended, and a lease's does not. */
static void end_overdue(struct sender *sender)
{
    bool under_way = false;
    for (size_t i = 0; i < sender->slots; i++) {
        struct send *send = &sender->sends[i];
        if (send->owner != NULL && send->end_mono_ms <= sender->now_mono_ms)
            end(send, CURLE_OPERATION_TIMEDOUT);
        under_way = under_way || send->owner != NULL;
    }
    sender->overdue_mono_ms = under_way ? sender->now_mono_ms + OVERDUE_MS : INT64_MAX;
}

void sender_socket_event(struct sender *sender, int socket, uint32_t epoll_events)
{
    int what = 0;
    int running = 0;
    if ((epoll_events & (EPOLLIN | EPOLLHUP)) != 0)
        what |= CURL_CSELECT_IN;
    if ((epoll_events & EPOLLOUT) != 0)
        what |= CURL_CSELECT_OUT;
    if ((epoll_events & EPOLLERR) != 0)
        what |= CURL_CSELECT_ERR;
    curl_multi_socket_action(sender->multi, socket, what, &running);
}

void sender_turn(struct sender *sender, int64_t now_mono_ms)
{
    int running = 0;
    sender->now_mono_ms = now_mono_ms;
    if (sender->due_mono_ms <= now_mono_ms) {
        sender->due_mono_ms = INT64_MAX;
        curl_multi_socket_action(sender->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    collect_ended(sender);
    if (sender->overdue_mono_ms <= now_mono_ms)
        end_overdue(sender);
}

int64_t sender_due_mono_ms(const struct sender *sender)
{
    return sender->due_mono_ms < sender->overdue_mono_ms ? sender->due_mono_ms : sender->overdue_mono_ms;
}
