/* admin_pauses.c — GET /v1/pauses: those in force, each with what it holds. That is counted in slices (pause_count.h); who
 * asks waits a moment for it, and is told if it takes longer. When the oldest job was accepted is read from disk. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/edge/admin_calls.h"
#include "broker/edge/admin_state.h"
#include "broker/edge/pause_count.h"
#include "broker/edge/view_put.h"

#define WAIT_MS        100 /* for the count */
#define PAUSES_PER_STEP 32 /* each may ask the core for a job's view */

enum { PAGE_COUNT = 1, PAGE_GATHER, PAGE_READ };

struct row {
    struct pause_view pause;
    bool counted;
    struct pause_sum sum;
    size_t job; /* 1 + index of its oldest job among those looked up; 0: none */
};

struct page {
    int64_t until_mono_ms;
    uint32_t cursor;
    bool more, counting;
    int64_t counted_at_ms;
    struct row *rows;
    size_t row_count, limit;
    struct lookup_job *jobs; /* the oldest ones */
    size_t job_count;
};

static void page_free(void *memory)
{
    struct page *page = memory;
    if (page == NULL)
        return;
    free(page->rows);
    free(page->jobs);
    free(page);
}

/* ---- who sees what ---- */

/* A pause of a pool, or of something in it, is seen by those who see the pool, and one of an account by those who see
 * a pool of it; that of everything concerns everybody. */
static bool sees_pause(struct admin_turn *turn, const struct exchange *x, const struct pause_view *pause)
{
    size_t index;
    struct line_view line;
    if (x->grant.pools == NULL)
        return true;
    if (pause->pause.scope == PAUSE_POOL)
        return pause->name != NULL && grant_sees_name(x, pause->name);
    if (pause->pause.scope == PAUSE_CAMPAIGN || pause->pause.scope == PAUSE_CONVERSATION)
        return pause->pool != NULL && grant_sees_name(x, pause->pool);
    if (pause->pause.scope == PAUSE_ACCOUNT)
        return grant_sees_account(turn, x, pause->name);
    if (pause->pause.scope != PAUSE_LINE)
        return true;
    return core_line_find(turn->core, pause->pause.target, &index) &&
           core_line_view(turn->core, index, turn->now, &line) && grant_sees_pool(turn, x, line.pool);
}

/* Who is limited to pools is not told what a pause holds that lies on others, too. */
static bool sees_counts(const struct exchange *x, const struct pause_view *pause)
{
    return x->grant.pools == NULL || (pause->pause.scope != PAUSE_ALL && pause->pause.scope != PAUSE_ACCOUNT);
}

/* ---- gathering ---- */

/* False: answered. */
static bool begin(struct admin_turn *turn, struct exchange *x)
{
    uint64_t limit = 0;
    uint64_t after = 0;
    struct page *page = calloc(1, sizeof *page);
    x->memory = page;
    x->memory_free = page_free;
    if (page != NULL &&
        (!query_number(x, "limit", 1, ADMIN_PAGE_MAX, ADMIN_PAGE_DEFAULT, &limit) ||
         !query_number(x, "after", 0, UINT32_MAX, 0, &after)))
        return false;
    if (page != NULL) {
        page->rows = calloc(limit, sizeof *page->rows);
        page->jobs = calloc(limit, sizeof *page->jobs);
    }
    if (page == NULL || page->rows == NULL || page->jobs == NULL || !pause_count_ask(turn->count, turn->core, turn->now)) {
        answer_error(x, CODE_BUSY, "out of memory", NULL);
        return false;
    }
    page->limit = (size_t)limit;
    page->cursor = (uint32_t)after;
    page->until_mono_ms = turn->now.mono_ms + WAIT_MS;
    x->phase = PAGE_COUNT;
    return true;
}

/* A count that was under way already knows nothing of the pauses that began after it: then there is one more. */
static enum admin_step await_count(struct admin_turn *turn, struct exchange *x, struct page *page)
{
    bool waits = turn->now.mono_ms < page->until_mono_ms;
    if (waits && pause_count_slice(turn->count, turn->core))
        return STEP_MORE;
    if (!pause_count_ask(turn->count, turn->core, turn->now))
        return answer_error(x, CODE_BUSY, "out of memory", NULL);
    if (waits && pause_count_runs(turn->count))
        return STEP_MORE;
    page->counting = pause_count_runs(turn->count);
    page->counted_at_ms = pause_count_at_ms(turn->count);
    state_pauses_etag(turn, x->answer.etag); /* from before the first is read */
    x->phase = PAGE_GATHER;
    return STEP_MORE;
}

static void add_row(struct admin_turn *turn, struct exchange *x, struct page *page, const struct pause_view *pause)
{
    struct row *row = &page->rows[page->row_count++];
    struct job_view view;
    *row = (struct row){.pause = *pause};
    row->counted = sees_counts(x, pause) && pause_count_find(turn->count, turn->core, pause, &row->sum);
    if (!row->counted || row->sum.oldest == 0 || !core_job_glance(turn->core, row->sum.oldest, turn->now, &view))
        return; /* it has gone since it was counted */
    exchange_fill_job(turn, &view, false, &page->jobs[page->job_count]);
    row->job = ++page->job_count;
}

static enum admin_step ask_oldest(struct admin_turn *turn, struct exchange *x, struct page *page);
static enum admin_step answer_page(struct exchange *x, struct page *page);

static enum admin_step gather(struct admin_turn *turn, struct exchange *x, struct page *page)
{
    struct pause_view views[PAUSES_PER_STEP];
    size_t left = page->limit - page->row_count;
    size_t room = left < PAUSES_PER_STEP ? left : PAUSES_PER_STEP;
    size_t read = core_pauses(turn->core, &page->cursor, views, room);
    for (size_t i = 0; i < read; i++)
        if (sees_pause(turn, x, &views[i]))
            add_row(turn, x, page, &views[i]);
    page->more = read == room;
    if (page->more && page->row_count < page->limit)
        return STEP_MORE;
    return page->job_count > 0 ? ask_oldest(turn, x, page) : answer_page(x, page);
}

static enum admin_step ask_oldest(struct admin_turn *turn, struct exchange *x, struct page *page)
{
    struct lookup_request request = {
        .what = LOOKUP_JOBS, .form = LOOKUP_VIEW, .jobs = page->jobs, .job_count = page->job_count};
    x->phase = PAGE_READ;
    enum admin_step step = exchange_look_up(turn, x, &request);
    if (step == STEP_WAIT)
        page->jobs = NULL; /* the lookup's now */
    return step;
}

/* ---- the answer ---- */

/* The answer's items lie one behind the other. */
static struct span accepted_at(const struct exchange *x, size_t job)
{
    const char *at = x->lookup.text.text;
    if (job == 0 || job > x->lookup.item_count)
        return (struct span){NULL, 0};
    for (size_t i = 0; i + 1 < job; i++)
        at += x->lookup.items[i].bytes;
    const struct lookup_item *item = &x->lookup.items[job - 1];
    bool good = item->code == CODE_NONE && item->bytes > 0;
    return good ? view_member((struct span){at, item->bytes}, "accepted_at") : (struct span){NULL, 0};
}

static void put_held(struct exchange *x, const struct page *page, const struct row *row)
{
    struct json_out *out = &x->answer.text;
    out->bytes--; /* the object just written goes on */
    json_key(out, "jobs");
    if (row->counted)
        json_put_int(out, (int64_t)row->sum.jobs);
    else
        json_put_null(out);
    json_key(out, "recipients");
    if (row->counted && row->sum.recipients >= 0)
        json_put_int(out, row->sum.recipients);
    else
        json_put_null(out);
    put_span(out, "oldest_at", accepted_at(x, row->job));
    json_key(out, "counting");
    json_put_bool(out, !row->counted && page->counting && sees_counts(x, &row->pause));
    json_close(out, '}');
}

static enum admin_step answer_page(struct exchange *x, struct page *page)
{
    struct json_out *out = &x->answer.text;
    char next[24];
    json_open(out, '{');
    json_key(out, "pauses");
    json_open(out, '[');
    for (size_t i = 0; i < page->row_count; i++) {
        view_pause(out, &page->rows[i].pause, x->grant.role == ROLE_VIEWER);
        put_held(x, page, &page->rows[i]);
    }
    json_close(out, ']');
    json_key(out, "next");
    snprintf(next, sizeof next, "%" PRIu32, page->cursor);
    json_put_string(out, page->more ? next : NULL);
    json_key(out, "counting");
    json_put_bool(out, page->counting);
    json_key(out, "counted_at");
    json_put_time(out, page->counted_at_ms);
    json_close(out, '}');
    return answer_done(x);
}

enum admin_step call_pauses(struct admin_turn *turn, struct exchange *x)
{
    if (x->phase == 0 && !begin(turn, x))
        return STEP_DONE;
    struct page *page = x->memory;
    switch (x->phase) {
    case PAGE_COUNT:
        return await_count(turn, x, page);
    case PAGE_GATHER:
        return gather(turn, x, page);
    default:
        break;
    }
    if (x->lookup.err != ERR_NONE)
        return answer_error(x, CODE_BUSY, "the oldest jobs could not be read from disk", NULL);
    return answer_page(x, page);
}
