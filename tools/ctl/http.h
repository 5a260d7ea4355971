/* http.h — calls of the admin API with libcurl: bounded, no redirects, the token never in clear to another machine.
 */
#ifndef LINEWARDCTL_HTTP_H
#define LINEWARDCTL_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "lineward/json.h"

struct ctl;

#define HTTP_ANSWER_BYTES_MAX (64u * 1024 * 1024)

enum http_end {
    HTTP_ANSWERED,    /* a whole answer, whatever its status */
    HTTP_UNREACHABLE, /* no connection: nothing was asked */
    HTTP_LOST,        /* asked, but no whole answer came: it may have been done */
};

struct http_answer {
    int status;
    char *text; /* terminated; NULL if empty */
    size_t bytes;
    cJSON *json;       /* NULL: the body is no JSON document */
    char problem[256]; /* when not answered, for a person */
};
void http_answer_free(struct http_answer *answer);

/* Calls METHOD path, with a JSON body or NULL. *out is filled in any case and freed by http_answer_free(). */
enum http_end http_call(const struct ctl *ctl, const char *method, const char *path, const char *body,
                        size_t body_bytes, struct http_answer *out);

/* GET, with the answer's lines given as they come (ends of lines cut off; NULL for one that is longer than 1 MiB, which
 * is left out); `take` returns false to stop. Silence for `silent_s` ends it as lost. out->status: 0 when nothing was
 * answered; an answer that is no 2xx is kept in *out as by http_call(). */
enum http_end http_lines(const struct ctl *ctl, const char *path, long silent_s, bool (*take)(void *self, const char *line),
                         void *self, struct http_answer *out);

/* http_call(), for commands (`body` NULL: none): a 2xx with JSON (or with nothing) is EXIT_DONE; anything else is told
 * to the user and answered with the exit code that fits, *out then holds nothing. */
int http_ask(const struct ctl *ctl, const char *method, const char *path, const struct json_out *body,
             struct http_answer *out);

/* The second half of http_ask(), for who has something to do first: tells how a call by that method ended. */
int http_judge(const struct ctl *ctl, const char *method, enum http_end end, struct http_answer *out);

/* Tells the user what an answer says that is no 2xx; returns the exit code. */
int http_refused(const struct ctl *ctl, const struct http_answer *answer);

/* "/v1/lines/{}/pause" with its {} replaced by `part`, percent-encoded. Free with free(); NULL: out of memory. */
char *http_path(const char *pattern, const char *part);
/* Appends ?name=value or &name=value, percent-encoded; nothing if value is NULL. False: out of memory. */
bool http_query(char **path, const char *name, const char *value);

#endif
