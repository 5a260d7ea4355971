/* http_server.h — whole requests in, whole answers out, over libmicrohttpd's own threads.
 *
 * A handler sees a request once its body is complete and says what to answer and when: at once, later, by
 * resetting the connection, or not at all. Knows nothing of the provider. */
#ifndef SANDBOX_HTTP_SERVER_H
#define SANDBOX_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lineward/clock.h"
#include "lineward/err.h"
#include "lineward/json.h"

#define HTTP_BODY_BYTES_MAX (1024u * 1024)

struct http_request {
    const char *method;
    const char *path; /* decoded, without the query */
    const char *body; /* not NULL */
    size_t body_bytes;
    bool body_too_large;  /* then `body` is cut at HTTP_BODY_BYTES_MAX */
    struct instant began; /* when the request line was read */
    void *connection;
};

enum http_manner {
    HTTP_ANSWERED,
    HTTP_RESET,  /* after delay_ms */
    HTTP_CLOSED, /* after delay_ms: closed without an answer */
};

enum http_hint {
    HTTP_HINT_SECONDS, /* Retry-After: 2, or with a fraction: 0.5 */
    HTTP_HINT_DATE,    /* Retry-After: Sun, 06 Nov 1994 08:49:37 GMT */
    HTTP_HINT_MS,      /* retry-after-ms: 500 */
    HTTP_HINT_NONE,
};

struct http_answer {
    enum http_manner manner;
    int status;
    struct json_out body;     /* freed by the server */
    const char *content_type; /* static; NULL: JSON */
    char trace[64];           /* X-Trace-ID; "": none */
    enum http_hint hint;      /* how the header tells retry_after_ms, -1: none */
    int64_t retry_after_ms;
    int64_t date_wall_ms; /* Date; 0: now */
    int64_t delay_ms;
    void *note; /* the handler's own, for done() */
};

struct http_handler {
    void *context;
    /* Called on one of the server's threads; *answer comes as status 200 with an empty body. */
    void (*handle)(void *context, const struct http_request *request, struct http_answer *answer);
    /* Once for each handled request, when it is over. `answered`: just before the answer went to the socket
     * or the connection was closed; `delivered`: the whole answer went out. NULL: nobody asks. */
    void (*done)(void *context, const struct http_answer *answer, struct instant answered, bool delivered);
};

/* A query parameter (the first of its name), or a header; NULL: absent. Lives as long as the request. */
const char *sandbox_http_query(const struct http_request *request, const char *name);
/* All values of a query parameter that comes several times, in order; at most `max`. Returns how many. */
size_t sandbox_http_query_all(const struct http_request *request, const char *name, const char **out, size_t max);
const char *sandbox_http_header(const struct http_request *request, const char *name);

struct sandbox_http;

/* Listens on a numeric IPv4 address; port 0: any free one. ERR_IO: errno says. */
enum err sandbox_http_start(struct sandbox_http **out, const char *address, uint16_t port, unsigned threads,
                            struct http_handler handler);
uint16_t sandbox_http_port(const struct sandbox_http *server);
/* Answers what waits at once, calls done() for all, closes every connection, frees. */
void sandbox_http_stop(struct sandbox_http **server_p);

#endif
