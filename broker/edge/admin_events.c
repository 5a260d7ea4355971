/* admin_events.c — pages of events, and the stream of those that come. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/edge/admin_calls.h"
#include "broker/edge/admin_stream.h"

static enum admin_step ask_events(struct admin_turn *turn, struct exchange *x)
{
    struct lookup_request request = {.what = LOOKUP_EVENTS, .topic = query_get(x, "topic")};
    uint64_t limit;
    if (!query_number(x, "limit", 1, ADMIN_PAGE_MAX, ADMIN_PAGE_DEFAULT, &limit) ||
        !query_number(x, "after", 0, INT64_MAX, 0, &request.after))
        return STEP_DONE;
    request.limit = (size_t)limit;
    request.from_oldest = query_get(x, "after") == NULL;
    return exchange_look_up(turn, x, &request);
}

/* What lies before the oldest is gone, or what was read before is not of this log: a follower must know that it
 * missed something. */
static enum admin_step answer_gone(struct exchange *x, const char *message)
{
    struct json_out *out = &x->answer.text;
    json_open(out, '{');
    json_key(out, "error");
    json_open(out, '{');
    json_key(out, "code");
    json_put_string(out, code_name(CODE_NOT_FOUND));
    json_key(out, "message");
    json_put_string(out, message);
    json_key(out, "oldest");
    json_put_int(out, (int64_t)x->lookup.oldest);
    json_close(out, '}');
    json_close(out, '}');
    x->answer.status = 410;
    return STEP_DONE;
}

/* False: answered. */
static bool is_of_this_log(const struct admin_turn *turn, struct exchange *x)
{
    if (x->lookup.err == ERR_GONE)
        answer_gone(x, "events this old are no longer kept; go on from `oldest`");
    else if (x->lookup.err != ERR_NONE)
        answer_error(x, CODE_BUSY, "the events could not be read from disk", NULL);
    else if (x->lookup.next >= core_next_seq(turn->core)) /* a wiped store, or one restored from an older copy */
        answer_gone(x, "`after` lies beyond the last event: this log is another one; go on from `oldest`");
    else
        return true;
    return false;
}

enum admin_step call_events(struct admin_turn *turn, struct exchange *x)
{
    if (!x->has_lookup)
        return ask_events(turn, x);
    if (!is_of_this_log(turn, x))
        return STEP_DONE;
    struct json_out *out = &x->answer.text;
    json_open(out, '{');
    put_found(x, "events");
    json_key(out, "next");
    json_put_int(out, (int64_t)x->lookup.next);
    json_close(out, '}');
    return answer_done(x);
}

/* ---- as they come ---- */

/* Where the stream begins: behind `after`, or what a follower that was cut off says, or with what happens from now on.
 * False: answered. */
static bool read_after(const struct admin_turn *turn, struct exchange *x)
{
    uint64_t now = core_next_seq(turn->core) - 1;
    char *end = NULL;
    errno = 0;
    unsigned long long last = strtoull(x->last_event_id, &end, 10);
    if (x->last_event_id[0] >= '0' && x->last_event_id[0] <= '9' && *end == '\0' && errno == 0 && last <= INT64_MAX)
        now = last; /* the newest that it has seen: it counts more than the address that it once came to */
    else if (!query_number(x, "after", 0, INT64_MAX, now, &now))
        return false;
    x->cursor = now;
    return true;
}

/* One event is read first, so that who asks for what is gone is told so by the status. */
enum admin_step call_stream(struct admin_turn *turn, struct exchange *x)
{
    if (!x->has_lookup && !read_after(turn, x))
        return STEP_DONE;
    if (!x->has_lookup) {
        struct lookup_request request = {.what = LOOKUP_EVENTS, .after = x->cursor, .limit = 1};
        return exchange_look_up(turn, x, &request);
    }
    if (!is_of_this_log(turn, x))
        return STEP_DONE;
    if (x->grant_of != tokens_generation(turn->options->tokens)) /* it would outlive a token that was taken back */
        return answer_error(x, CODE_BUSY, "the tokens were read anew: connect again", NULL);
    struct stream_ask ask = {.after = x->cursor,
                             .topic = query_get(x, "topic"),
                             .name = x->grant.name,
                             .pools = x->grant.pools,
                             .mask_handles = x->grant.role == ROLE_VIEWER};
    x->stream = stream_open(turn->streams, &ask, turn->now);
    if (x->stream == NULL)
        return answer_error(x, CODE_BUSY, "too many follow the events already; read GET /v1/events", NULL);
    x->answer.status = 200;
    return STEP_DONE;
}
