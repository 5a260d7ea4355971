/* admin_pages_rig.h — lists of the admin API, a page after the other. Included once per test program. */
#ifndef TESTS_UNIT_ADMIN_PAGES_RIG_H
#define TESTS_UNIT_ADMIN_PAGES_RIG_H

#include "tests/unit/admin_rig.h"

#define PAGE_TEXT_MAX 64

/* Where the next page begins; false: this was the last one. Frees the reply. */
static inline bool next_page(struct reply *reply, char after[PAGE_TEXT_MAX])
{
    const char *next = json_string(reply->json, "next");
    bool more = next != NULL;
    snprintf(after, PAGE_TEXT_MAX, "%s", more ? next : "");
    reply_free(reply);
    return more;
}

/* Over all pages. */
/* Walks all pages of a list; how many items there are. */
static inline int count_pages(const char *path, const char *list, const char *token, int limit)
{
    char target[256], after[PAGE_TEXT_MAX] = "";
    int count = 0;
    for (;;) {
        snprintf(target, sizeof target, "%s%climit=%d%s%s", path, strchr(path, '?') != NULL ? '&' : '?', limit,
                 after[0] != '\0' ? "&after=" : "", after);
        struct reply reply = rig_ask("GET", target, token, NULL);
        ck_assert_msg(reply.status == 200, "%s: %s", target, reply.body);
        int items = cJSON_GetArraySize(json_get(reply.json, list));
        ck_assert_int_le(items, limit);
        count += items;
        if (!next_page(&reply, after))
            return count;
    }
}

#endif
