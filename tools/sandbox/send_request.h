/* send_request.h — the body of a send, read and judged by its form alone (linq-api.md 2.2, 2.3, 2.7).
 *
 * Pure: what depends on lines, chats or recipients is judged by world_send(). */
#ifndef SANDBOX_SEND_REQUEST_H
#define SANDBOX_SEND_REQUEST_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "lineward/ids.h"

#define SEND_RECIPIENTS_MAX      31
#define SEND_PARTS_MAX           100
#define SEND_TEXT_CHARACTERS_MAX 10000
#define SEND_LINK_BYTES_MAX      2048
#define SEND_KEY_CHARACTERS_MAX  255
#define SEND_URL_MEDIA_MAX       40

struct send_request {
    cJSON *tree;      /* owns `from`, `key`, `text` */
    const char *from; /* NULL: into a known chat */
    size_t to_count;  /* a set: sorted, each once, lower case */
    char to[SEND_RECIPIENTS_MAX][HANDLE_MAX_BYTES + 1];
    const char *key;   /* NULL: none */
    const char *text;  /* the first text part; NULL: none */
    const char *parts; /* the array's own bytes, lent from the body */
    size_t parts_bytes;
    bool has_link;            /* a link part, or a URL in a text */
    bool has_effect_or_reply; /* not allowed in a first message */
    bool override_optout;
};

/* Reads `body`; `opens_chat` asks for `from` and `to` too. Returns 0, or the provider's code for what is
 * wrong; *out must be freed with send_request_free() in either case, and `body` must outlive it. */
int send_request_read(struct send_request *out, const char *body, size_t bytes, bool opens_chat);
void send_request_free(struct send_request *request);

#endif
