/* admin_audit.c — GET /v1/audit: who did what. How records come to be is audit_trail.c's. */
#include <string.h>

#include "broker/edge/admin_calls.h"

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
    return query_moment(x, "since", &request->since_ms) && query_moment(x, "until", &request->until_ms);
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
    return x->has_lookup ? answer_found(x, "audit", "the audit could not be read from disk") : ask(turn, x);
}
