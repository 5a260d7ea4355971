/* admin_shape.c — GET /v1/shape: the backlog by line, pool, campaign or reason, by age and by what stops it. Every waiting
 * job is looked at, a slice at a time; the answer shows the largest rows. */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/edge/admin_calls.h"

#define LINES_PER_STEP 1024
#define JOBS_PER_STEP  4096
#define ROWS_PER_STEP  8192
#define ROWS_MAX       (1u << 18) /* a power of two; of more, the rest is counted in the total only */
#define WALKS_MAX      4          /* at once: each has a table */
#define PENDING_MAX    32         /* jobs whose rows are on their way from memory */

enum by { BY_LINE, BY_POOL, BY_CAMPAIGN, BY_REASON };
enum { SHAPE_LINES = 1, SHAPE_JOBS, SHAPE_ROWS };

struct row {
    uint64_t key; /* of what the rows are by; with `reason`, which is 1 + it: 0 is a free row */
    uint32_t pool, reason, jobs;
    uint32_t ages[SHAPE_AGES];
};

struct counted { /* a job on its way into its row */
    uint64_t key;
    uint32_t pool, reason, age, at; /* at: where its row is looked for first */
};

struct shape {
    struct admin_turn *turn; /* of the call under way */
    struct exchange *x;
    enum by by;
    bool has_pool;
    uint32_t pool;
    bool has_line;
    size_t line;
    enum reason reason; /* NONE: any */
    struct core_shape core;
    uint8_t *reasons; /* of the lines */
    size_t line_count;
    struct row *rows, **top; /* the largest, the smallest of them last */
    uint32_t total[SHAPE_AGES]; /* there are never more jobs than that */
    uint64_t rows_used, left_off;
    struct counted pending[PENDING_MAX];
    unsigned pending_count;
    size_t top_count, limit;
    uint32_t row_at;
};

static atomic_uint walks;

static void shape_free(void *memory)
{
    struct shape *shape = memory;
    if (shape == NULL)
        return;
    atomic_fetch_sub(&walks, 1);
    free(shape->reasons);
    free(shape->rows);
    free(shape->top);
    free(shape);
}

/* ---- the question ---- */

static bool read_by(struct exchange *x, struct shape *shape)
{
    static const char *const words[] = {"line", "pool", "campaign", "reason"};
    const char *text = query_get(x, "by");
    for (unsigned by = 0; by < sizeof words / sizeof *words; by++) {
        if (text == NULL || strcmp(text, words[by]) == 0) {
            shape->by = (enum by)by;
            return true;
        }
    }
    answer_error(x, CODE_INVALID_FIELD, "by must be line, pool, campaign or reason", "by");
    return false;
}

static bool read_filters(struct admin_turn *turn, struct exchange *x, struct shape *shape)
{
    const char *pool = query_get(x, "pool"), *line = query_get(x, "line"), *reason = query_get(x, "reason");
    uint64_t limit;
    if (!query_number(x, "limit", 1, ADMIN_PAGE_MAX, ADMIN_PAGE_DEFAULT, &limit))
        return false;
    shape->limit = (size_t)limit;
    shape->has_pool = pool != NULL;
    shape->pool = pool != NULL ? conf_pool_find(turn->options->conf, pool) : 0;
    if (pool != NULL && (shape->pool == UINT32_MAX || !grant_sees_name(x, pool))) {
        answer_error(x, CODE_UNKNOWN_POOL, NULL, "pool");
        return false;
    }
    uint64_t number;
    shape->has_line = line != NULL;
    if (line != NULL && (exchange_line(turn, x, line, &number) != CODE_NONE ||
                         !core_line_find(turn->core, number, &shape->line))) {
        answer_error(x, CODE_UNKNOWN_LINE, NULL, "line");
        return false;
    }
    if (reason != NULL && (!reason_parse(reason, &shape->reason) || shape->reason == REASON_NONE)) {
        answer_error(x, CODE_INVALID_FIELD, "reason must be one of the reasons of a job", "reason");
        return false;
    }
    return true;
}

/* False: answered. */
static bool begin(struct admin_turn *turn, struct exchange *x)
{
    if (atomic_fetch_add(&walks, 1) >= WALKS_MAX) {
        atomic_fetch_sub(&walks, 1);
        answer_error(x, CODE_BUSY, "others are looking at the backlog: try again in a moment", NULL);
        return false;
    }
    struct shape *shape = calloc(1, sizeof *shape);
    x->memory = shape;
    x->memory_free = shape_free;
    if (shape == NULL) {
        atomic_fetch_sub(&walks, 1);
        answer_error(x, CODE_BUSY, "out of memory", NULL);
        return false;
    }
    if (!read_by(x, shape) || !read_filters(turn, x, shape))
        return false;
    shape->line_count = core_line_count(turn->core);
    shape->reasons = calloc(shape->line_count + 1, 1);
    shape->rows = calloc(ROWS_MAX, sizeof *shape->rows);
    shape->top = calloc(shape->limit, sizeof(struct row *));
    if (shape->reasons == NULL || shape->rows == NULL || shape->top == NULL) {
        answer_error(x, CODE_BUSY, "out of memory", NULL);
        return false;
    }
    core_shape_begin(turn->core, turn->now, &shape->core);
    x->phase = SHAPE_LINES;
    return true;
}

/* ---- the walk ---- */

static uint32_t first_place(uint64_t key, uint32_t pool, enum reason reason)
{
    uint64_t hash = (key ^ (uint64_t)reason << 56 ^ (uint64_t)pool << 32) * 0x9E3779B97F4A7C15u;
    return (uint32_t)(hash >> 46) % ROWS_MAX;
}

static struct row *row_of(struct shape *shape, const struct counted *job)
{
    for (uint32_t at = job->at;; at = (at + 1) % ROWS_MAX) {
        struct row *row = &shape->rows[at];
        if (row->reason == job->reason + 1 && row->key == job->key && row->pool == job->pool)
            return row;
        if (row->reason != 0)
            continue;
        if (shape->rows_used >= ROWS_MAX / 2)
            return NULL;
        shape->rows_used++;
        *row = (struct row){.key = job->key, .pool = job->pool, .reason = job->reason + 1};
        return row;
    }
}

static void count_pending(struct shape *shape)
{
    for (unsigned i = 0; i < shape->pending_count; i++) {
        struct row *row = row_of(shape, &shape->pending[i]);
        if (row == NULL)
            continue;
        row->jobs++;
        row->ages[shape->pending[i].age]++;
    }
    shape->pending_count = 0;
}

/* Rows lie all over a table that no cache holds: a few are asked for before the first of them is needed. */
static void take(void *self, const struct shape_job *job)
{
    struct shape *shape = self;
    if ((shape->has_pool && job->pool != shape->pool) || (shape->has_line && job->line != shape->line) ||
        (shape->reason != REASON_NONE && job->reason != shape->reason) ||
        !grant_sees_pool(shape->turn, shape->x, job->pool))
        return;
    const uint64_t keys[] = {[BY_LINE] = (uint64_t)job->line + 1, [BY_POOL] = 0, [BY_CAMPAIGN] = job->campaign, [BY_REASON] = 0};
    uint32_t pool = shape->by == BY_REASON ? 0 : job->pool;
    uint32_t at = first_place(keys[shape->by], pool, job->reason);
    shape->total[job->age]++;
    __builtin_prefetch(&shape->rows[at].key, 1);
    __builtin_prefetch(&shape->rows[at].ages[SHAPE_AGES - 1], 1);
    shape->pending[shape->pending_count++] =
        (struct counted){.key = keys[shape->by], .pool = pool, .reason = job->reason, .age = job->age, .at = at};
    if (shape->pending_count == PENDING_MAX)
        count_pending(shape);
}

/* ---- the largest rows ---- */

static void rank(struct shape *shape, struct row *row)
{
    size_t at = shape->top_count;
    if (at == shape->limit && shape->top[at - 1]->jobs >= row->jobs) {
        shape->left_off++;
        return;
    }
    if (at == shape->limit) {
        shape->left_off++;
        at--;
    } else {
        shape->top_count++;
    }
    for (; at > 0 && shape->top[at - 1]->jobs < row->jobs; at--)
        shape->top[at] = shape->top[at - 1];
    shape->top[at] = row;
}

static void put_ages(struct json_out *out, const uint32_t ages[SHAPE_AGES])
{
    json_key(out, "ages");
    json_open(out, '[');
    for (unsigned age = 0; age < SHAPE_AGES; age++)
        json_put_int(out, ages[age]);
    json_close(out, ']');
}

static void put_text(struct json_out *out, const char *name, const char *text)
{
    json_key(out, name);
    json_put_string(out, text);
}

static void put_row(const struct admin_turn *turn, struct json_out *out, const struct shape *shape, const struct row *row)
{
    const struct conf *conf = turn->options->conf;
    char line[LINE_TEXT_MAX];
    struct line_view view;
    bool on_line = shape->by == BY_LINE && row->key != 0 && core_line_view(turn->core, row->key - 1, turn->now, &view);
    line_text(on_line ? view.number : 0, line);
    json_open(out, '{');
    if (shape->by != BY_REASON)
        put_text(out, "pool", row->pool < conf->pool_count ? conf->pools[row->pool].name : NULL);
    if (shape->by == BY_LINE)
        put_text(out, "line", on_line ? line : NULL);
    if (shape->by == BY_CAMPAIGN)
        put_text(out, "campaign", core_name(turn->core, NAME_CAMPAIGN, (uint16_t)row->key));
    enum reason reason = (enum reason)(row->reason - 1);
    put_text(out, "reason", reason != REASON_NONE ? reason_name(reason) : NULL);
    json_key(out, "jobs");
    json_put_int(out, row->jobs);
    put_ages(out, row->ages);
    json_close(out, '}');
}

static enum admin_step answer(const struct admin_turn *turn, struct exchange *x, const struct shape *shape)
{
    static const int minutes[SHAPE_LIMITS] = SHAPE_MINUTES;
    struct json_out *out = &x->answer.text;
    uint64_t jobs = 0;
    json_open(out, '{');
    json_key(out, "minutes");
    json_open(out, '[');
    for (unsigned i = 0; i < SHAPE_LIMITS; i++)
        json_put_int(out, minutes[i]);
    json_close(out, ']');
    json_key(out, "total");
    json_open(out, '{');
    for (unsigned age = 0; age < SHAPE_AGES; age++)
        jobs += shape->total[age];
    json_key(out, "jobs");
    json_put_int(out, (int64_t)jobs);
    put_ages(out, shape->total);
    json_close(out, '}');
    json_key(out, "shape");
    json_open(out, '[');
    for (size_t i = 0; i < shape->top_count; i++)
        put_row(turn, out, shape, shape->top[i]);
    json_close(out, ']');
    json_key(out, "left_off");
    json_put_int(out, (int64_t)shape->left_off);
    json_close(out, '}');
    return answer_done(x);
}

enum admin_step call_shape(struct admin_turn *turn, struct exchange *x)
{
    if (x->phase == 0 && !begin(turn, x))
        return STEP_DONE;
    struct shape *shape = x->memory;
    shape->turn = turn;
    shape->x = x;
    if (x->phase == SHAPE_LINES &&
        core_shape_lines(turn->core, &shape->core, shape->reasons, shape->line_count, LINES_PER_STEP) > 0)
        return STEP_MORE;
    if (x->phase == SHAPE_LINES)
        x->phase = SHAPE_JOBS;
    if (x->phase == SHAPE_JOBS &&
        core_shape_walk(turn->core, &shape->core, shape->reasons, shape->line_count, JOBS_PER_STEP, take, shape))
        return STEP_MORE;
    count_pending(shape);
    x->phase = SHAPE_ROWS;
    for (unsigned i = 0; i < ROWS_PER_STEP && shape->row_at < ROWS_MAX; i++, shape->row_at++)
        if (shape->rows[shape->row_at].reason != 0)
            rank(shape, &shape->rows[shape->row_at]);
    return shape->row_at < ROWS_MAX ? STEP_MORE : answer(turn, x, shape);
}
