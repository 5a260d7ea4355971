/* admin_replies.c — GET /v1/replies: how many of the messages of the last days were answered, by line, class or campaign.
 * Each is looked at, a slice at a time; the answer shows those with the most messages. */
#include <stdlib.h>
#include <string.h>

#include "broker/edge/admin_calls.h"

#define ROWS_PER_STEP 1024

enum by { BY_LINE, BY_CLASS, BY_CAMPAIGN };

struct row {
    uint32_t pool;
    size_t at;   /* line or campaign: its index; class */
    size_t seen; /* of two with as many messages the one that was seen first goes first */
    struct reply_counts counts;
};

struct replies {
    enum by by;
    bool has_pool;
    uint32_t pool;
    uint64_t below; /* per cent; 0: all */
    size_t at;      /* the next to be looked at */
    struct row *top; /* those with the most messages, and behind `limit` those of the step under way */
    size_t top_count, limit;
    uint64_t left_off;
    struct reply_counts total;
};

static void replies_free(void *memory)
{
    struct replies *replies = memory;
    if (replies != NULL)
        free(replies->top);
    free(replies);
}

/* ---- the question ---- */

static bool read_by(struct exchange *x, struct replies *replies)
{
    static const char *const words[] = {"line", "class", "campaign"};
    const char *text = query_get(x, "by");
    for (unsigned by = 0; by < sizeof words / sizeof *words; by++) {
        if (text == NULL || strcmp(text, words[by]) == 0) {
            replies->by = (enum by)by;
            return true;
        }
    }
    answer_error(x, CODE_INVALID_FIELD, "by must be line, class or campaign", "by");
    return false;
}

/* False: answered. */
static bool read_question(const struct admin_turn *turn, struct exchange *x, struct replies *replies)
{
    const char *pool = query_get(x, "pool");
    uint64_t limit;
    if (!read_by(x, replies) || !query_number(x, "limit", 1, ADMIN_PAGE_MAX, ADMIN_PAGE_DEFAULT, &limit) ||
        !query_number(x, "below", 1, 100, 0, &replies->below))
        return false;
    replies->limit = (size_t)limit;
    replies->has_pool = pool != NULL;
    replies->pool = pool != NULL ? conf_pool_find(turn->options->conf, pool) : 0;
    if (pool == NULL || (replies->pool != UINT32_MAX && grant_sees_name(x, pool)))
        return true;
    answer_error(x, CODE_UNKNOWN_POOL, NULL, "pool");
    return false;
}

static bool begin(const struct admin_turn *turn, struct exchange *x)
{
    struct replies *replies = calloc(1, sizeof *replies);
    x->memory = replies;
    x->memory_free = replies_free;
    if (replies != NULL && !read_question(turn, x, replies))
        return false;
    if (replies != NULL)
        replies->top = calloc(replies->limit + ROWS_PER_STEP, sizeof *replies->top);
    x->phase = 1;
    if (replies != NULL && replies->top != NULL)
        return true;
    answer_error(x, CODE_BUSY, "out of memory", NULL);
    return false;
}

/* ---- the walk ---- */

static int by_messages(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    if (a->counts.sent != b->counts.sent)
        return a->counts.sent > b->counts.sent ? -1 : 1;
    return (a->seen > b->seen) - (a->seen < b->seen);
}

/* Once a step: to put each row into its place would move a thousand others, and hold up the core. */
static void rank(struct replies *replies)
{
    qsort(replies->top, replies->top_count, sizeof *replies->top, by_messages);
    if (replies->top_count <= replies->limit)
        return;
    replies->left_off += replies->top_count - replies->limit;
    replies->top_count = replies->limit;
}

static void take(const struct admin_turn *turn, const struct exchange *x, struct replies *replies, const struct row *row)
{
    if (row->counts.sent == 0 || row->pool >= turn->options->conf->pool_count ||
        (replies->has_pool && row->pool != replies->pool) || !grant_sees_pool(turn, x, row->pool))
        return;
    replies->total.sent += row->counts.sent;
    replies->total.answered += row->counts.answered;
    if (replies->below == 0 || 100 * row->counts.answered < replies->below * row->counts.sent)
        replies->top[replies->top_count++] = *row;
}

/* The one at replies->at. False: there is none any more. */
static bool read_row(const struct admin_turn *turn, const struct replies *replies, struct row *row)
{
    const struct core *core = turn->core;
    *row = (struct row){.at = replies->at, .seen = replies->at};
    switch (replies->by) {
    case BY_LINE:
        return core_line_replies(core, replies->at, turn->now, &row->pool, &row->counts);
    case BY_CLASS:
        row->pool = (uint32_t)(replies->at / CLASS_COUNT);
        row->at = replies->at % CLASS_COUNT;
        if (row->pool >= turn->options->conf->pool_count)
            return false;
        row->counts = core_pool_replies(core, row->pool, (enum job_class)row->at, turn->now);
        return true;
    case BY_CAMPAIGN:
        return core_campaign_replies(core, (uint32_t)replies->at, turn->now, &row->pool, &row->counts);
    }
    return false;
}

/* ---- the answer ---- */

static void put_row(const struct admin_turn *turn, struct json_out *out, enum by by, const struct row *row)
{
    char line[LINE_TEXT_MAX];
    json_open(out, '{');
    json_key(out, "pool");
    json_put_string(out, turn->options->conf->pools[row->pool].name);
    if (by == BY_LINE) {
        line_text(core_line_number(turn->core, row->at), line);
        json_key(out, "line");
        json_put_string(out, line);
    } else if (by == BY_CLASS) {
        json_key(out, "class");
        json_put_string(out, job_class_name((enum job_class)row->at));
    } else {
        struct campaign_view campaign;
        json_key(out, "campaign");
        json_put_string(out, core_campaign_view(turn->core, (uint32_t)row->at, &campaign) ? campaign.name : NULL);
    }
    view_reply_counts(out, &row->counts);
    json_close(out, '}');
}

static enum admin_step answer(const struct admin_turn *turn, struct exchange *x, const struct replies *replies)
{
    struct json_out *out = &x->answer.text;
    json_open(out, '{');
    json_key(out, "days");
    json_put_int(out, REPLY_DAYS);
    json_key(out, "total");
    json_open(out, '{');
    view_reply_counts(out, &replies->total);
    json_close(out, '}');
    json_key(out, "replies");
    json_open(out, '[');
    for (size_t i = 0; i < replies->top_count; i++)
        put_row(turn, out, replies->by, &replies->top[i]);
    json_close(out, ']');
    json_key(out, "left_off");
    json_put_int(out, (int64_t)replies->left_off);
    json_close(out, '}');
    return answer_done(x);
}

enum admin_step call_replies(struct admin_turn *turn, struct exchange *x)
{
    if (x->phase == 0 && !begin(turn, x))
        return STEP_DONE;
    struct replies *replies = x->memory;
    for (unsigned i = 0; i < ROWS_PER_STEP; i++, replies->at++) {
        struct row row;
        if (!read_row(turn, replies, &row)) {
            rank(replies);
            return answer(turn, x, replies);
        }
        take(turn, x, replies, &row);
    }
    rank(replies);
    return STEP_MORE;
}
