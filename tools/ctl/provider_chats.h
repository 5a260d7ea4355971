/* provider_chats.h — reads a line's chats from the provider, page by page: GET /v3/chats (linq-api.md 2.5). */
#ifndef LINEWARDCTL_PROVIDER_CHATS_H
#define LINEWARDCTL_PROVIDER_CHATS_H

#include <stdbool.h>
#include <stdint.h>

#include "lineward/json.h"

struct provider_chats;

/* `key` is copied. `ca`: PEM file to trust besides the system's, or NULL. NULL: out of memory. */
struct provider_chats *provider_chats_open(const char *base_url, const char *key, const char *ca);
void provider_chats_close(struct provider_chats **chats_p); /* NULL is fine */

enum chats_end {
    CHATS_PAGE,
    CHATS_AGAIN,     /* later: after `wait_ms`, or as the caller likes if that is -1 */
    CHATS_NO_LINE,   /* the provider does not give this line to this key */
    CHATS_NO_CURSOR, /* it does not know the cursor (any more): from the line's first page on */
    CHATS_REFUSED,   /* it will say the same again */
};

struct chats_page {
    cJSON *json;        /* of CHATS_PAGE; free with chats_page_free() */
    const cJSON *chats; /* an array */
    const char *next;   /* cursor; NULL: this was the last one */
    int64_t wait_ms;
    char problem[256]; /* of the others, for a person */
};
void chats_page_free(struct chats_page *page);

/* `cursor` NULL: the first page. */
enum chats_end provider_chats_read(struct provider_chats *chats, const char *line, const char *cursor,
                                   struct chats_page *out);

#endif
