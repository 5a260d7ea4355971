/* admin_lists.c — pages of pools, lines, campaigns and workers, and one line. A page is made in slices. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/edge/admin_calls.h"
#include "broker/edge/admin_route.h"
#include "broker/edge/admin_state.h"
#include "broker/edge/oldest.h"

#define ITEMS_PER_STEP   64
#define POOLS_PER_STEP   64
#define PAUSES_PER_STEP  64
#define PAUSES_SHOWN_MAX 1024 /* pauses looked at for one page of lines */

/* ---- the frame of a page ---- */

/* Reads `limit` and `after`, which is an index here, and opens the page. False: answered. */
static bool page_open(struct exchange *x, const char *name)
{
    uint64_t limit;
    if (!query_number(x, "limit", 1, ADMIN_PAGE_MAX, ADMIN_PAGE_DEFAULT, &limit) ||
        !query_number(x, "after", 0, UINT32_MAX, 0, &x->cursor))
        return false;
    x->limit = (size_t)limit;
    json_open(&x->answer.text, '{');
    json_key(&x->answer.text, name);
    json_open(&x->answer.text, '[');
    return true;
}

static enum admin_step page_close(struct exchange *x, bool more)
{
    struct json_out *out = &x->answer.text;
    char next[24];
    snprintf(next, sizeof next, "%" PRIu64, x->cursor);
    json_close(out, ']');
    json_key(out, "next");
    json_put_string(out, more ? next : NULL);
    json_close(out, '}');
    return answer_done(x);
}

/* The item just written gets the ETag of what operators have set on it. */
static void put_etag(struct admin_turn *turn, struct exchange *x, const char *path, const char *first, const char *second)
{
    char etag[ETAG_TEXT_MAX];
    char *const parts[2] = {(char *)(uintptr_t)first, (char *)(uintptr_t)second}; /* only read */
    if (state_etag_of(turn, x, path, parts, etag))
        state_append_etag(&x->answer.text, etag);
}

/* ---- pools ---- */

void put_pool(struct admin_turn *turn, uint32_t at, const struct pool_view *view, struct json_out *out)
{
    const struct admin_shell *shell = &turn->options->shell;
    const struct conf *conf = turn->options->conf;
    const struct conf_pool *pool = &conf->pools[at];
    struct outcome_view outcomes;
    bool told = shell->outcomes(shell->self, at, turn->now, &outcomes);
    const struct pool_names names = {.pool = pool->name,
                                     .account = conf->accounts[pool->account].name,
                                     .policy = conf->policies[pool->policy].name,
                                     .owner = pool->elsewhere ? pool->owner : NULL};
    view_pool(out, view, &names, told ? &outcomes : NULL);
}

enum admin_step call_pools(struct admin_turn *turn, struct exchange *x)
{
    const struct conf *conf = turn->options->conf;
    if (x->phase == 0 && !page_open(x, "pools"))
        return STEP_DONE;
    x->phase = 1;
    for (unsigned i = 0; i < POOLS_PER_STEP && x->cursor < conf->pool_count && x->limit > 0; i++, x->cursor++) {
        struct pool_view view;
        if (!grant_sees_pool(turn, x, (uint32_t)x->cursor) || !core_pool_view(turn->core, (uint32_t)x->cursor, &view))
            continue;
        put_pool(turn, (uint32_t)x->cursor, &view, &x->answer.text);
        put_etag(turn, x, "/v1/pools/{pool}", conf->pools[x->cursor].name, NULL);
        x->limit--;
    }
    bool more = x->cursor < conf->pool_count;
    return more && x->limit > 0 ? STEP_MORE : page_close(x, more);
}

/* ---- lines ---- */

struct pauses { /* those in force, read once for a page */
    size_t count;
    uint32_t cursor;
    bool whole;
    int64_t oldest_until_ms; /* steady: so long the page waits to hear of the oldest jobs; 0: has not asked yet */
    struct pause_view views[PAUSES_SHOWN_MAX];
};

/* True: all are read. */
static bool read_pauses(struct admin_turn *turn, struct pauses *pauses)
{
    size_t room = PAUSES_SHOWN_MAX - pauses->count;
    if (room > PAUSES_PER_STEP)
        room = PAUSES_PER_STEP;
    struct pause_view *views = &pauses->views[pauses->count];
    size_t read = core_pauses(turn->core, &pauses->cursor, views, room);
    for (size_t i = 0; i < read; i++) {
        bool of_jobs = views[i].pause.scope == PAUSE_CAMPAIGN || views[i].pause.scope == PAUSE_CONVERSATION;
        if (!of_jobs) /* those stop jobs, not lines */
            pauses->views[pauses->count++] = views[i];
    }
    pauses->whole = read < PAUSES_PER_STEP;
    return pauses->whole;
}

/* What lines show besides what the core knows at once: pauses, and the oldest jobs. True: all of it is there, or does not
 * come soon enough. */
static bool has_all(struct admin_turn *turn, struct pauses *pauses)
{
    if (!pauses->whole && !read_pauses(turn, pauses))
        return false;
    if (pauses->oldest_until_ms == 0) {
        pauses->oldest_until_ms = turn->now.mono_ms + OLDEST_WAIT_MS;
        oldest_ask(turn->oldest, turn->core, turn->now); /* without memory nothing is known of them */
    }
    return turn->now.mono_ms >= pauses->oldest_until_ms || !oldest_slice(turn->oldest, turn->core);
}

static struct line_names line_names(const struct conf *conf, const struct line_view *view)
{
    return (struct line_names){
        .account = view->account < conf->account_count ? conf->accounts[view->account].name : NULL,
        .pool = view->pool < conf->pool_count ? conf->pools[view->pool].name : NULL,
    };
}

/* The pauses' memory, being filled. NULL: answered. */
static struct pauses *take_pauses(struct exchange *x)
{
    if (x->memory == NULL) {
        x->memory = calloc(1, sizeof(struct pauses));
        x->memory_free = free;
        if (x->memory == NULL)
            answer_error(x, CODE_BUSY, "out of memory", NULL);
    }
    return x->memory;
}

enum admin_step call_lines(struct admin_turn *turn, struct exchange *x)
{
    if (x->phase == 0 && !page_open(x, "lines"))
        return STEP_DONE;
    x->phase = 1;
    struct pauses *pauses = take_pauses(x);
    if (pauses == NULL)
        return STEP_DONE;
    if (!has_all(turn, pauses))
        return STEP_MORE;
    size_t end = core_line_count(turn->core);
    for (unsigned i = 0; i < ITEMS_PER_STEP && x->cursor < end && x->limit > 0; i++, x->cursor++) {
        struct line_view view;
        if (!core_line_view(turn->core, x->cursor, turn->now, &view) || !grant_sees_pool(turn, x, view.pool))
            continue;
        view.oldest_at_ms = oldest_at_ms(turn->oldest, x->cursor);
        char text[LINE_TEXT_MAX];
        line_text(view.number, text);
        view_line(&x->answer.text, &view, line_names(turn->options->conf, &view), pauses->views, pauses->count);
        put_etag(turn, x, "/v1/lines/{line}", text, NULL);
        x->limit--;
    }
    bool more = x->cursor < end;
    return more && x->limit > 0 ? STEP_MORE : page_close(x, more);
}

enum admin_step call_line(struct admin_turn *turn, struct exchange *x)
{
    struct pauses *pauses = take_pauses(x);
    if (pauses == NULL)
        return STEP_DONE;
    if (!has_all(turn, pauses))
        return STEP_MORE;
    uint64_t number;
    size_t index;
    struct line_view view;
    if (!line_text_parse(x->parts[0], &number) || !core_line_find(turn->core, number, &index) ||
        !core_line_view(turn->core, index, turn->now, &view) || !grant_sees_pool(turn, x, view.pool))
        return answer_error(x, CODE_UNKNOWN_LINE, NULL, NULL);
    view.oldest_at_ms = oldest_at_ms(turn->oldest, index);
    struct cause causes[CAUSES_MAX];
    size_t count = core_line_causes(turn->core, index, turn->now, causes);
    json_open(&x->answer.text, '{');
    view_line_members(&x->answer.text, &view, line_names(turn->options->conf, &view), pauses->views, pauses->count);
    exchange_put_causes(x, "why", true, &view, causes, count);
    json_close(&x->answer.text, '}');
    state_etag_of(turn, x, x->route->path, x->parts, x->answer.etag);
    state_append_etag(&x->answer.text, x->answer.etag);
    return answer_done(x);
}

/* ---- campaigns ---- */

enum admin_step call_campaigns(struct admin_turn *turn, struct exchange *x)
{
    const struct conf *conf = turn->options->conf;
    const char *asked = query_get(x, "pool");
    uint32_t pool = asked != NULL ? conf_pool_find(conf, asked) : UINT32_MAX;
    if (asked != NULL && (pool == UINT32_MAX || !grant_sees_name(x, asked)))
        return answer_error(x, CODE_UNKNOWN_POOL, NULL, "pool");
    if (x->phase == 0 && !page_open(x, "campaigns"))
        return STEP_DONE;
    x->phase = 1;
    bool more = true;
    for (unsigned i = 0; i < ITEMS_PER_STEP && x->limit > 0; i++, x->cursor++) {
        struct campaign_view view;
        more = core_campaign_view(turn->core, (uint32_t)x->cursor, &view);
        if (!more)
            break;
        bool meant = view.pool < conf->pool_count && (asked == NULL || view.pool == pool);
        if (!meant || !grant_sees_pool(turn, x, view.pool))
            continue;
        view_campaign(&x->answer.text, &view, conf->pools[view.pool].name);
        put_etag(turn, x, "/v1/campaigns/{pool}/{campaign}", conf->pools[view.pool].name, view.name);
        x->limit--;
    }
    return more && x->limit > 0 ? STEP_MORE : page_close(x, more);
}

/* ---- workers ---- */

/* Who is limited to pools is told of those who serve one of them. */
static bool sees_worker(const struct admin_turn *turn, const struct exchange *x, uint32_t peer)
{
    bool sees = x->grant.pools == NULL;
    for (uint32_t p = 0; !sees && p < turn->options->conf->pool_count; p++)
        sees = grant_sees_pool(turn, x, p) && core_worker_serves(turn->core, peer, p);
    return sees;
}

enum admin_step call_workers(struct admin_turn *turn, struct exchange *x)
{
    if (x->phase == 0 && !page_open(x, "workers"))
        return STEP_DONE;
    x->phase = 1;
    struct worker_view view;
    bool more = true;
    uint32_t cursor = (uint32_t)x->cursor;
    for (unsigned i = 0; i < ITEMS_PER_STEP && x->limit > 0; i++) {
        more = core_worker_view(turn->core, &cursor, turn->now, &view);
        if (!more)
            break;
        if (!sees_worker(turn, x, view.peer))
            continue;
        view_worker(&x->answer.text, &view);
        x->limit--;
    }
    x->cursor = cursor;
    return more && x->limit > 0 ? STEP_MORE : page_close(x, more);
}
