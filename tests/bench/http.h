/* http.h — one HTTP call at a time, for control ports and readiness. */
#ifndef BENCH_HTTP_H
#define BENCH_HTTP_H

#include <stddef.h>

#define HTTP_ANSWER_MAX 65536

struct http_reply {
    long status; /* 0: no answer */
    size_t bytes;
    char text[HTTP_ANSWER_MAX]; /* with a terminator; what is longer is cut */
};

/* `body` NULL: none; else JSON. The connection is kept for the next call. */
void http_call(const char *method, const char *url, const char *body, struct http_reply *out);

#endif
