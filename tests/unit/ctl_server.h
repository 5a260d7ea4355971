/* ctl_server.h — for the tests of linewardctl: an admin API that answers by a script and remembers what was asked,
 * and a way to run the program and keep what it said. Included once per test program. */
#ifndef LINEWARD_TESTS_CTL_SERVER_H
#define LINEWARD_TESTS_CTL_SERVER_H

#include <check.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/ctl_run.h"

#define SEEN_MAX 64

struct reply { /* to the first request, the second, ...; the last one is repeated */
    unsigned status; /* 0: none, the connection is cut; 1: none for as long as the test runs */
    const char *body;
};

struct seen {
    char method[16];
    char url[512]; /* with the query, as it came */
    char authorization[128];
    char if_match[64];
    char *body;
    size_t body_bytes;
};

static struct {
    struct MHD_Daemon *daemon;
    const struct reply *script;
    size_t script_count, seen_count;
    struct seen seen[SEEN_MAX];
    char admin[64]; /* its URL */
} server;

static const char *server_retry_after; /* not NULL: each answer has it as a header */

static void *server_uri(void *self, const char *uri, struct MHD_Connection *connection)
{
    (void)self;
    (void)connection;
    ck_assert_uint_lt(server.seen_count, SEEN_MAX);
    struct seen *seen = &server.seen[server.seen_count++];
    snprintf(seen->url, sizeof seen->url, "%s", uri);
    return seen;
}

static enum MHD_Result server_answer(void *self, struct MHD_Connection *connection, const char *url,
                                     const char *method, const char *version, const char *data, size_t *bytes,
                                     void **request)
{
    struct seen *seen = *request;
    (void)self;
    (void)url;
    (void)version;
    if (seen->method[0] == '\0') {
        const char *authorization =
            MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
        const char *if_match = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_MATCH);
        snprintf(seen->if_match, sizeof seen->if_match, "%s", if_match != NULL ? if_match : "");
        snprintf(seen->method, sizeof seen->method, "%s", method);
        snprintf(seen->authorization, sizeof seen->authorization, "%s", authorization != NULL ? authorization : "");
        return MHD_YES;
    }
    if (*bytes > 0) {
        seen->body = realloc(seen->body, seen->body_bytes + *bytes + 1);
        memcpy(seen->body + seen->body_bytes, data, *bytes);
        seen->body_bytes += *bytes;
        seen->body[seen->body_bytes] = '\0';
        *bytes = 0;
        return MHD_YES;
    }
    size_t index = (size_t)(seen - server.seen);
    const struct reply *reply = &server.script[index < server.script_count ? index : server.script_count - 1];
    if (reply->status == 0)
        return MHD_NO;
    while (reply->status == 1)
        pause();
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(reply->body), (void *)(uintptr_t)reply->body, MHD_RESPMEM_MUST_COPY);
    if (server_retry_after != NULL)
        MHD_add_response_header(response, "Retry-After", server_retry_after);
    enum MHD_Result result = MHD_queue_response(connection, reply->status, response);
    MHD_destroy_response(response);
    return result;
}

static void server_start(const struct reply *script, size_t count)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    memset(&server, 0, sizeof server);
    server.script = script;
    server.script_count = count;
    server.daemon =
        MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, server_answer, NULL, MHD_OPTION_SOCK_ADDR,
                         &address, MHD_OPTION_URI_LOG_CALLBACK, server_uri, NULL, MHD_OPTION_END);
    ck_assert_ptr_nonnull(server.daemon);
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(server.daemon, MHD_DAEMON_INFO_BIND_PORT);
    snprintf(server.admin, sizeof server.admin, "http://127.0.0.1:%u", (unsigned)info->port);
}
#define SERVER_START(script) server_start(script, sizeof(script) / sizeof *(script))

static void server_stop(void)
{
    MHD_stop_daemon(server.daemon);
    for (size_t i = 0; i < SEEN_MAX; i++)
        free(server.seen[i].body);
}

/* The request of that index was this one. */
static inline void assert_asked(size_t index, const char *method, const char *url)
{
    ck_assert_uint_lt(index, server.seen_count);
    ck_assert_str_eq(server.seen[index].method, method);
    ck_assert_str_eq(server.seen[index].url, url);
}

#define RUN_ADMIN(...) RUN(__VA_ARGS__, W("--admin"), server.admin)

#endif
