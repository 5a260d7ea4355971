/* admin_status.c — the calls about the broker as a whole: alive, ready, status, metrics. */
#include <stdlib.h>
#include <string.h>

#include "broker/edge/admin_calls.h"
#include "broker/edge/metrics.h"
#include "broker/edge/oldest.h"

#define STATUS_POOLS_MAX 256 /* of those that the caller sees; the rest is under /v1/pools */
#define POOLS_PER_STEP   64
#define LINES_PER_STEP   64
#define BACKLOG_PER_STEP 1024 /* lines, or a pool */

struct counting { /* the numbers, while what waits for what is added in slices */
    struct status_facts facts;
    struct backlog_cursor at;
};

void admin_cache_facts(const struct admin_turn *turn, struct cache_facts *out)
{
    const struct admin_shell *shell = &turn->options->shell;
    *out = (struct cache_facts){0};
    out->is_shared = shell->cache != NULL && shell->cache(shell->self, turn->now, out);
}

static struct status_facts status_facts(struct admin_turn *turn)
{
    const struct admin_options *options = turn->options;
    struct status_facts facts = {.version = options->version,
                                 .broker = options->broker,
                                 .now = turn->now,
                                 .started_mono_ms = options->started.mono_ms,
                                 .jobs_max = options->conf->broker.jobs_max,
                                 .dedupe_max = options->conf->store.dedupe_max,
                                 .timings = options->timings};
    core_totals_read(turn->core, turn->now, &facts.core);
    options->shell.store_facts(options->shell.self, &facts.store);
    admin_cache_facts(turn, &facts.cache);
    facts.ready = facts.core.reputation_known && options->shell.ready(options->shell.self);
    return facts;
}

/* One slice; true: there is more. */
static bool count_on(struct admin_turn *turn, struct counting *counting)
{
    return core_backlog_walk(turn->core, &counting->at, BACKLOG_PER_STEP, turn->now, &counting->facts.core);
}

enum admin_step call_front(struct admin_turn *turn, struct exchange *x)
{
    static const char text[] =
        "Lineward\n\nThe admin API of this broker is under /v1/; GET /v1/status is a good start.\n"
        "Every call but /healthz and /readyz needs a token: Authorization: Bearer TOKEN.\n";
    return answer_text(x, 200, "text/plain; charset=utf-8", text, sizeof text - 1);
}

enum admin_step call_healthz(struct admin_turn *turn, struct exchange *x)
{
    static const char text[] = "{\"alive\":true}";
    return answer_text(x, 200, NULL, text, sizeof text - 1);
}

enum admin_step call_readyz(struct admin_turn *turn, struct exchange *x)
{
    const struct admin_shell *shell = &turn->options->shell;
    struct core_status core;
    core_totals_read(turn->core, turn->now, &core);
    bool running = shell->ready(shell->self);
    struct json_out *out = &x->answer.text;
    json_open(out, '{');
    json_key(out, "ready");
    json_put_bool(out, running && core.reputation_known);
    json_key(out, "running");
    json_put_bool(out, running);
    json_key(out, "reputation_known");
    json_put_bool(out, core.reputation_known);
    json_close(out, '}');
    x->answer.status = running && core.reputation_known ? 200 : 503;
    return STEP_DONE;
}

/* False: answered. */
static bool begin_status(struct admin_turn *turn, struct exchange *x)
{
    struct counting *counting = calloc(1, sizeof *counting);
    x->memory = counting;
    x->memory_free = free;
    if (counting == NULL) {
        answer_error(x, CODE_BUSY, "out of memory", NULL);
        return false;
    }
    counting->facts = status_facts(turn);
    return true;
}

/* The numbers first, then the pools. */
enum admin_step call_status(struct admin_turn *turn, struct exchange *x)
{
    const struct conf *conf = turn->options->conf;
    struct json_out *out = &x->answer.text;
    if (x->memory == NULL && !begin_status(turn, x))
        return STEP_DONE;
    struct counting *counting = x->memory;
    if (x->phase == 0 && count_on(turn, counting))
        return STEP_MORE;
    if (x->phase == 0) {
        json_open(out, '{');
        view_status_members(out, &counting->facts);
        json_key(out, "pools");
        json_open(out, '[');
        x->phase = 1;
        x->limit = STATUS_POOLS_MAX;
    }
    for (unsigned i = 0; i < POOLS_PER_STEP && x->cursor < conf->pool_count && x->limit > 0; i++, x->cursor++) {
        struct pool_view view;
        if (!grant_sees_pool(turn, x, (uint32_t)x->cursor) || !core_pool_view(turn->core, (uint32_t)x->cursor, &view))
            continue;
        put_pool(turn, (uint32_t)x->cursor, &view, out);
        x->limit--;
    }
    if (x->cursor < conf->pool_count && x->limit > 0)
        return STEP_MORE;
    json_close(out, ']');
    json_close(out, '}');
    return answer_done(x);
}

/* ---- metrics: the lines are gathered over several turns, then all is written ---- */

enum { METRICS_ASK, METRICS_LOOK, METRICS_LINES, METRICS_COUNT, METRICS_REPLIES, METRICS_WRITE };

struct gathered_lines {
    struct counting counting;
    struct metrics metrics;
    int64_t look_until_ms; /* steady */
    size_t family; /* the next one of the lines' */
    size_t count;
    struct line_view views[METRICS_LINES_MAX];
};

static void gathered_free(void *memory)
{
    struct gathered_lines *lines = memory;
    if (lines != NULL)
        metrics_free(&lines->metrics);
    free(lines);
}

static void put_accounts(struct admin_turn *turn, const struct exchange *x, struct metrics *metrics)
{
    const struct conf *conf = turn->options->conf;
    struct account_named accounts[CONF_ACCOUNTS_MAX];
    size_t count = 0;
    for (uint32_t a = 0; a < conf->account_count && count < CONF_ACCOUNTS_MAX; a++) {
        accounts[count].name = conf->accounts[a].name;
        bool seen = x->grant.pools == NULL || grant_sees_account(turn, x, accounts[count].name);
        count += seen && core_account_view(turn->core, a, &accounts[count].view);
    }
    metrics_put_accounts(metrics, accounts, count);
}

/* False: out of memory. */
static bool put_pool_outcomes(struct admin_turn *turn, const struct exchange *x, struct metrics *metrics)
{
    const struct admin_shell *shell = &turn->options->shell;
    const struct conf *conf = turn->options->conf;
    struct pool_outcomes_named *pools = calloc(METRICS_POOLS_MAX, sizeof *pools);
    size_t count = 0;
    if (pools == NULL)
        return false;
    for (uint32_t p = 0; p < conf->pool_count && count < METRICS_POOLS_MAX; p++) {
        pools[count].name = conf->pools[p].name;
        count += conf->pools[p].outcome_url != NULL && grant_sees_pool(turn, x, p) &&
                 shell->outcomes(shell->self, p, turn->now, &pools[count].view);
    }
    metrics_put_outcomes(metrics, pools, count);
    free(pools);
    return true;
}

/* False: out of memory. */
static bool put_pool_replies(const struct admin_turn *turn, const struct exchange *x, struct metrics *metrics)
{
    const struct conf *conf = turn->options->conf;
    struct pool_replies_named *replies = calloc(METRICS_POOLS_MAX * CLASS_COUNT, sizeof *replies);
    size_t count = 0;
    if (replies == NULL)
        return false;
    for (uint32_t p = 0, pools = 0; p < conf->pool_count && pools < METRICS_POOLS_MAX; p++) {
        if (!grant_sees_pool(turn, x, p))
            continue;
        pools++;
        for (enum job_class class = 0; class < CLASS_COUNT; class ++) {
            struct reply_counts counts = core_pool_replies(turn->core, p, class, turn->now);
            if (counts.sent > 0)
                replies[count++] = (struct pool_replies_named){conf->pools[p].name, class, counts};
        }
    }
    metrics_put_replies(metrics, replies, count);
    free(replies);
    return true;
}

/* True: all are there, as many as are shown. */
static bool gather_lines(struct admin_turn *turn, struct exchange *x, struct gathered_lines *lines)
{
    size_t end = turn->options->conf->broker.metrics_by_line ? core_line_count(turn->core) : 0;
    for (unsigned i = 0; i < LINES_PER_STEP && x->cursor < end && lines->count < METRICS_LINES_MAX;
         i++, x->cursor++) {
        struct line_view *view = &lines->views[lines->count];
        if (!core_line_view(turn->core, x->cursor, turn->now, view) || !grant_sees_pool(turn, x, view->pool))
            continue;
        view->oldest_at_ms = oldest_at_ms(turn->oldest, x->cursor);
        lines->count++;
    }
    return x->cursor >= end || lines->count == METRICS_LINES_MAX;
}

/* One family of the lines' a step. */
static enum admin_step write_metrics(struct admin_turn *turn, struct exchange *x, struct gathered_lines *lines)
{
    struct metrics *metrics = &lines->metrics;
    if (lines->family == 0) {
        metrics_put_status(metrics, &lines->counting.facts);
        put_accounts(turn, x, metrics);
        if (!put_pool_outcomes(turn, x, metrics))
            metrics->failed = true;
    }
    if (metrics_put_family(metrics, &lines->family, lines->views, lines->count, core_line_count(turn->core)))
        return STEP_MORE;
    if (metrics->failed)
        return answer_error(x, CODE_BUSY, "out of memory", NULL);
    return answer_text(x, 200, "text/plain; version=0.0.4; charset=utf-8", metrics->text, metrics->bytes);
}

static void take_oldest(const struct admin_turn *turn, struct status_facts *facts)
{
    struct oldest_of_all all;
    facts->waiting_known = oldest_of_all(turn->oldest, &all);
    facts->oldest_at_ms = all.at_ms;
    facts->outcomes_unknown = all.unknown;
}

enum admin_step call_metrics(struct admin_turn *turn, struct exchange *x)
{
    if (x->memory == NULL) {
        x->memory = calloc(1, sizeof(struct gathered_lines));
        x->memory_free = gathered_free;
        if (x->memory == NULL)
            return answer_error(x, CODE_BUSY, "out of memory", NULL);
    }
    struct gathered_lines *lines = x->memory;
    switch (x->phase) {
    case METRICS_ASK:
        oldest_ask(turn->oldest, turn->core, turn->now); /* without memory nothing new is known of them */
        lines->look_until_ms = turn->now.mono_ms + OLDEST_WAIT_MS;
        x->phase = METRICS_LOOK;
        return STEP_MORE;
    case METRICS_LOOK: /* with millions of jobs it is what the last walk found that is told */
        if (turn->now.mono_ms >= lines->look_until_ms || !oldest_slice(turn->oldest, turn->core))
            x->phase = METRICS_LINES;
        return STEP_MORE;
    case METRICS_LINES:
        if (!gather_lines(turn, x, lines))
            return STEP_MORE;
        lines->counting.facts = status_facts(turn);
        take_oldest(turn, &lines->counting.facts);
        x->phase = METRICS_COUNT;
        return STEP_MORE;
    case METRICS_COUNT:
        if (!count_on(turn, &lines->counting))
            x->phase = METRICS_REPLIES;
        return STEP_MORE;
    case METRICS_REPLIES:
        if (!put_pool_replies(turn, x, &lines->metrics))
            lines->metrics.failed = true;
        x->phase = METRICS_WRITE;
        return STEP_MORE;
    default:
        return write_metrics(turn, x, lines);
    }
}
