/* admin_audit.c — GET /v1/audit: who did what. How records come to be is audit_trail.c's. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/edge/admin_calls.h"

/* `since` and `until`. False: answered. */
static bool read_moment(struct exchange *x, const char *name, int64_t *out)
{
    const char *text = query_get(x, name);
    if (text == NULL || time_parse(text, out))
        return true;
    char message[96];
    snprintf(message, sizeof message, "%s must be a time such as 2026-11-23T10:00:00Z", name);
    answer_error(x, CODE_INVALID_FIELD, message, name);
    return false;
}

/* False: answered. */
static bool read_filters(struct admin_turn *turn, struct exchange *x, struct lookup_request *request)
{
    const char *line = query_get(x, "line");
    request->by = query_get(x, "by");
    request->pool = query_get(x, "pool");
    if (line != NULL && !line_text_parse(line, &request->line)) {
        answer_error(x, CODE_INVALID_FIELD, "line must be a number in E.164 form", "line");
        return false;
    }
    if (request->pool != NULL &&
        (conf_pool_find(turn->options->conf, request->pool) == UINT32_MAX || !grant_sees_name(x, request->pool))) {
        answer_error(x, CODE_UNKNOWN_POOL, NULL, "pool");
        return false;
    }
    const char *order = query_get(x, "order");
    request->newest_first = order != NULL && strcmp(order, "newest") == 0;
    if (order != NULL && !request->newest_first && strcmp(order, "oldest") != 0) {
        answer_error(x, CODE_INVALID_FIELD, "order must be oldest or newest", "order");
        return false;
    }
    return read_moment(x, "since", &request->since_ms) && read_moment(x, "until", &request->until_ms);
}

static enum admin_step ask(struct admin_turn *turn, struct exchange *x)
{
    struct lookup_request request = {.what = LOOKUP_AUDIT, .audit_end = core_next_audit(turn->core)};
    uint64_t limit;
    if (!query_number(x, "limit", 1, ADMIN_PAGE_MAX, ADMIN_PAGE_DEFAULT, &limit) ||
        !query_number(x, "after", 0, INT64_MAX, 0, &request.after) || !read_filters(turn, x, &request))
        return STEP_DONE;
    request.limit = (size_t)limit;
    return exchange_look_up(turn, x, &request);
}

enum admin_step call_audit(struct admin_turn *turn, struct exchange *x)
{
    char next[24];
    if (!x->has_lookup)
        return ask(turn, x);
    if (x->lookup.err != ERR_NONE)
        return answer_error(x, CODE_BUSY, "the audit could not be read from disk", NULL);
    struct json_out *out = &x->answer.text;
    json_open(out, '{');
    json_key(out, "audit");
    json_open(out, '[');
    const char *at = x->lookup.text.text;
    for (size_t i = 0; i < x->lookup.item_count; i++) {
        json_put_raw(out, at, x->lookup.items[i].bytes);
        at += x->lookup.items[i].bytes;
    }
    json_close(out, ']');
    json_key(out, "next");
    snprintf(next, sizeof next, "%" PRIu64, x->lookup.next);
    json_put_string(out, x->lookup.more ? next : NULL);
    json_close(out, '}');
    return answer_done(x);
}
