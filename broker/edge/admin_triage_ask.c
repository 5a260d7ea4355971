/* admin_triage_ask.c — what a triage is asked for: its query and its body. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/edge/admin_calls.h"
#include "broker/edge/admin_route.h"
#include "broker/edge/admin_triage.h"
#include "broker/edge/job_parse.h"

#define LARGE_ROOM ((size_t)4 << 20) /* what an export may take, its answer on its way included; and many in hand */

static void work_free(void *memory)
{
    struct triage_work *work = memory;
    if (work == NULL)
        return;
    if (work->reserved_of != NULL)
        admin_large_release(work->reserved_of, LARGE_ROOM);
    free(work->picks);
    free(work->jobs);
    free(work->seen);
    free(work);
}

static bool refuse(struct exchange *x, const char *field, const char *message)
{
    answer_error(x, CODE_INVALID_FIELD, message, field);
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A whole number at *at, which is set behind it. */
static bool read_part(const char **at, uint64_t *out)
{
    char *end;
    if (!is_digit(**at))
        return false;
    errno = 0;
    *out = strtoull(*at, &end, 10);
    *at = end;
    return errno == 0;
}

/* What came from another store, or was made up, may mean jobs that nobody has seen yet. */
static bool take_mark(struct admin_turn *turn, struct triage_work *work, uint64_t mark)
{
    if (mark == 0 || mark > core_accept_mark(turn->core))
        return false;
    work->mark = mark < work->mark ? mark : work->mark;
    return true;
}

/* The mark that another call has answered. */
static bool read_until(struct admin_turn *turn, struct exchange *x, struct triage_work *work)
{
    const char *text = query_get(x, "until");
    uint64_t mark = 0;
    if (text == NULL || (read_part(&text, &mark) && *text == '\0' && take_mark(turn, work, mark)))
        return true;
    return refuse(x, "until", "until must be the `until` of an answer");
}

/* `after`: where to go on (a slot of the core, or a sequence), the mark and the moment of the first call, with dots. */
static bool read_after(struct admin_turn *turn, struct exchange *x, struct triage_work *work)
{
    const char *text = query_get(x, "after");
    uint64_t at = 0, mark = 0, moment = 0;
    if (text == NULL)
        return true;
    if (read_part(&text, &at) && *text++ == '.' && read_part(&text, &mark) && *text++ == '.' &&
        read_part(&text, &moment) && *text == '\0' && moment <= JOB_MOMENT_MAX_MS &&
        (work->in_order || at <= UINT32_MAX) && take_mark(turn, work, mark)) {
        work->moment_ms = (int64_t)moment;
        if (work->in_order)
            work->from = at;
        else
            work->slot = (uint32_t)at;
        return true;
    }
    return refuse(x, "after", "after must be the `next` of the answer before");
}

/* A time, or null; the year 6429 is as far as a job's moment goes. */
static bool read_date(struct exchange *x, const cJSON *body, const char *name, bool *given, int64_t *at_ms)
{
    const cJSON *value = json_get(body, name);
    const char *text = json_string(body, name);
    *given = value != NULL;
    *at_ms = 0;
    if (value == NULL || cJSON_IsNull(value))
        return true;
    if (text != NULL && time_parse(text, at_ms)) {
        *at_ms = *at_ms > JOB_MOMENT_MAX_MS ? JOB_MOMENT_MAX_MS : *at_ms < 1 ? 1 : *at_ms; /* 0 is null's */
        return true;
    }
    char message[96];
    snprintf(message, sizeof message, "%s must be a time such as 2026-11-23T10:00:00Z, or null", name);
    return refuse(x, name, message);
}

static bool read_dates(struct exchange *x, const cJSON *body, struct core_triage *what, struct instant now)
{
    if (!read_date(x, body, "send_after", &what->has_due, &what->due_ms) ||
        !read_date(x, body, "expires_at", &what->has_expires, &what->expires_ms))
        return false;
    if (what->has_expires && what->expires_ms != 0 && what->expires_ms <= now.wall_ms)
        return refuse(x, "expires_at", "expires_at must be a time to come, or null for never; expire ends jobs now");
    return what->has_due || what->has_expires ||
           refuse(x, NULL, "say send_after (null: at once) or expires_at (null: never), or both");
}

static bool read_pool(struct admin_turn *turn, struct exchange *x, const cJSON *body, struct triage_work *work)
{
    const char *pool = json_string(body, "pool");
    work->pool_index = pool != NULL ? conf_pool_find(turn->options->conf, pool) : UINT32_MAX;
    if (pool == NULL)
        return refuse(x, "pool", "say the pool that they go to");
    if (work->pool_index == UINT32_MAX || !grant_sees_name(x, pool)) {
        answer_error(x, CODE_UNKNOWN_POOL, NULL, "pool");
        return false;
    }
    memcpy(work->pool, pool, strlen(pool) + 1);
    return true;
}

/* `reason` is the audit's. */
static bool read_body(struct admin_turn *turn, struct exchange *x, struct triage_work *work)
{
    const char *reason;
    cJSON *body = exchange_body(x);
    bool ok = body != NULL && body_reason(x, body, &reason) &&
              (work->what.how != TRIAGE_REDATE || read_dates(x, body, &work->what, turn->now)) &&
              (work->what.how != TRIAGE_MOVE || read_pool(turn, x, body, work));
    cJSON_Delete(body);
    return ok;
}

static void read_kind(struct admin_turn *turn, struct exchange *x, struct triage_work *work)
{
    const char *dry = query_get(x, "dry_run");
    work->x = x;
    work->what.how = (enum triage)x->route->detail;
    work->exports = x->route->handle == call_export;
    work->dry = !work->exports && dry != NULL && strcmp(dry, "1") == 0;
    work->mark = core_accept_mark(turn->core);
    work->moment_ms = turn->now.wall_ms;
}

/* What is in_order looks at the whole backlog in each call, so it takes many at a time. */
static bool read_query(struct admin_turn *turn, struct exchange *x, struct triage_work *work)
{
    uint64_t most = work->in_order ? TRIAGE_ORDER_MAX : ADMIN_PAGE_MAX, limit;
    if (!query_number(x, "limit", 1, most, most, &limit) || !read_until(turn, x, work) || !read_after(turn, x, work))
        return false;
    work->left = work->dry ? SIZE_MAX : (size_t)limit;
    work->pick_max = work->in_order ? (size_t)limit : TRIAGE_PICKS_MAX;
    return selection_read_waiting(turn, x, &work->selection);
}

/* Those that are due at once, or were due long ago, are all due in one moment, whatever the clock says meanwhile. */
static void freeze(struct triage_work *work)
{
    if (work->what.has_due && work->what.due_ms < work->moment_ms)
        work->what.due_ms = work->moment_ms;
}

static bool make_room(struct admin_turn *turn, struct triage_work *work)
{
    work->picks = calloc(work->pick_max, sizeof *work->picks);
    work->seen_max = core_held_conversations(turn->core);
    work->seen = work->dry ? calloc(work->seen_max / 8 + 1, 1) : NULL;
    return work->picks != NULL && (work->seen != NULL || !work->dry);
}

bool triage_ask(struct admin_turn *turn, struct exchange *x)
{
    struct triage_work *work = calloc(1, sizeof *work);
    x->memory = work;
    x->memory_free = work_free;
    if (work == NULL) {
        answer_error(x, CODE_BUSY, "out of memory", NULL);
        return false;
    }
    read_kind(turn, x, work);
    if (!read_body(turn, x, work))
        return false;
    work->in_order = work->what.has_due && !work->dry;
    if (!read_query(turn, x, work))
        return false;
    freeze(work);
    if (!make_room(turn, work)) {
        answer_error(x, CODE_BUSY, "out of memory", NULL);
        return false;
    }
    bool is_large = work->exports || work->in_order;
    if (is_large && !admin_large_reserve(turn->admin, LARGE_ROOM)) {
        answer_error(x, CODE_BUSY, "too many exports or re-dates at once", NULL);
        return false;
    }
    work->reserved_of = is_large ? turn->admin : NULL;
    return true;
}
