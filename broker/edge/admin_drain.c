/* admin_drain.c — what an operator does with the backlog of a line, and what that would be (dry_run), which is counted in
 * slices. */
#include <stdlib.h>
#include <string.h>

#include "broker/edge/admin_calls.h"
#include "broker/edge/oldest.h"
#include "broker/edge/view_put.h"
#include "lineward/log.h"

#define SLOTS_PER_STEP 4096
#define LINES_PER_STEP 64
#define PACE_MAX       60000
#define STOP_PERCENT   20 /* unless told otherwise */
#define GAP_MIN_MS     63000 /* a minute, with the chance that lengthens each gap */
#define DRY_LINES_MAX  1000 /* shown of those that would take what leaves */

struct dry_run {
    struct core_drain drain;
    size_t line; /* index */
    uint32_t slot, shown;
    struct drain_count count;
    bool counted;
};

static enum code find_line(struct admin_turn *turn, struct exchange *x, uint64_t *number, size_t *index)
{
    enum code code = exchange_line(turn, x, x->parts[0], number);
    return code == CODE_NONE && !core_line_find(turn->core, *number, index) ? CODE_UNKNOWN_LINE : code;
}

static void log_drain(const struct exchange *x, enum drain mode)
{
    char masked[HANDLE_MAX_BYTES + 1];
    handle_mask(x->parts[0], masked);
    log_event(LOG_INFO, mode != DRAIN_NONE ? "drain_begun" : "drain_cancelled", "by=%s line=%s mode=%s", x->grant.name,
              masked, drain_name(mode));
}

/* What only a drain at a pace has. False: answered. */
static bool read_ramp(struct exchange *x, const cJSON *body, struct core_drain *drain)
{
    bool ramp = drain->mode == DRAIN_RAMP;
    bool ordered = body_gives(body, "order"), limited = body_gives(body, "stop_error_percent");
    int64_t percent = STOP_PERCENT;
    drain->order = ramp ? DRAIN_ORDER_REPLIES : DRAIN_ORDER_SHARES;
    if (ordered && (!ramp || !drain_order_parse(json_string(body, "order"), &drain->order))) {
        answer_error(x, CODE_INVALID_FIELD, "order is replies, oldest, deadline or shares, with ramp only", "order");
        return false;
    }
    if (limited && (!ramp || !json_int(body, "stop_error_percent", &percent) || percent < 0 || percent > 99)) {
        answer_error(x, CODE_INVALID_FIELD, "stop_error_percent is a whole number of 0 (never) to 99, with ramp only",
                     "stop_error_percent");
        return false;
    }
    drain->stop_percent = ramp ? (unsigned)percent : 0;
    return true;
}

/* False: answered. */
static bool read_drain(struct exchange *x, const cJSON *body, struct core_drain *drain, bool *dry)
{
    const char *mode = json_string(body, "mode");
    if (mode == NULL || !drain_parse(mode, &drain->mode) || drain->mode == DRAIN_NONE) {
        answer_error(x, CODE_INVALID_FIELD, "mode must be ramp, replace, fail or move", "mode");
        return false;
    }
    bool paced = body_gives(body, "pace_per_min");
    bool good = paced && json_int(body, "pace_per_min", &drain->pace_per_min) && drain->pace_per_min >= 1 &&
                drain->pace_per_min <= PACE_MAX;
    if ((drain->mode == DRAIN_RAMP) != paced || (paced && !good)) {
        answer_error(x, CODE_INVALID_FIELD, "pace_per_min is a whole number of 1 to 60000, needed with ramp and only there",
                     "pace_per_min");
        return false;
    }
    if (!read_ramp(x, body, drain))
        return false;
    if (body_gives(body, "dry_run") && !cJSON_IsBool(json_get(body, "dry_run"))) {
        answer_error(x, CODE_INVALID_FIELD, "dry_run must be true or false", "dry_run");
        return false;
    }
    *dry = json_bool(body, "dry_run", false);
    if (drain->mode != DRAIN_MOVE || x->grant.role == ROLE_ADMIN)
        return true;
    answer_error(x, CODE_FORBIDDEN, "only an admin may move all conversations of a line", NULL);
    return false;
}

/* ---- the dry run ---- */

/* How long it takes once the line sends, and when it is over as things are now. */
static void put_times(struct admin_turn *turn, struct json_out *out, const struct dry_run *run)
{
    bool ramp = run->drain.mode == DRAIN_RAMP;
    int64_t eta_ms = 0, takes_ms = 0;
    if (ramp) {
        eta_ms = core_drain_eta(turn->core, run->line, run->drain.pace_per_min, run->count.jobs, turn->now);
        takes_ms = eta_ms != 0 ? eta_ms - turn->now.wall_ms
                               : (int64_t)run->count.jobs * GAP_MIN_MS / run->drain.pace_per_min;
    }
    json_key(out, "takes_ms");
    if (ramp)
        json_put_int(out, takes_ms);
    else
        json_put_null(out);
    put_time(out, "eta_at", eta_ms);
}

static void put_counts(struct admin_turn *turn, struct exchange *x, const struct dry_run *run)
{
    struct json_out *out = &x->answer.text;
    json_open(out, '{');
    put_word(out, "line", x->parts[0]);
    put_word(out, "mode", drain_name(run->drain.mode));
    json_key(out, "dry_run");
    json_put_bool(out, true);
    put_word(out, "order", run->drain.mode == DRAIN_RAMP ? drain_order_name(run->drain.order) : NULL);
    put_count(out, "jobs", run->count.jobs);
    json_key(out, "by_class");
    json_open(out, '{');
    for (enum job_class class = 0; class < CLASS_COUNT; class ++)
        put_count(out, job_class_name(class), run->count.by_class[class]);
    json_close(out, '}');
    put_count(out, "conversations", run->count.conversations);
    put_count(out, "stay", run->count.stay);
    json_key(out, "stays");
    json_open(out, '{');
    for (enum drain_stay stay = DRAIN_STAY_NONE + 1; stay < DRAIN_STAY_COUNT; stay++)
        if (run->count.stays[stay] > 0)
            put_count(out, drain_stay_name(stay), run->count.stays[stay]);
    json_close(out, '}');
    put_time(out, "oldest_at", oldest_at_ms(turn->oldest, run->line));
    put_times(turn, out, run);
    json_key(out, "to");
    json_open(out, '[');
}

/* A line of the pool that would take new conversations now, and how many its budget leaves. */
static void put_target(struct admin_turn *turn, struct exchange *x, struct dry_run *run, uint32_t pool, size_t index)
{
    struct json_out *out = &x->answer.text;
    struct line_view view;
    char text[LINE_TEXT_MAX];
    int64_t left;
    if (index == run->line || run->shown == DRY_LINES_MAX || !core_line_view(turn->core, index, turn->now, &view) ||
        view.pool != pool || !core_line_room(turn->core, index, turn->now, &left))
        return;
    run->shown++;
    line_text(view.number, text);
    json_open(out, '{');
    json_key(out, "line");
    json_put_string(out, text);
    json_key(out, "new_conversations");
    if (left < 0)
        json_put_null(out);
    else
        json_put_int(out, left);
    json_close(out, '}');
}

static enum admin_step dry_run(struct admin_turn *turn, struct exchange *x, struct dry_run *run)
{
    struct line_view view;
    if (!run->counted) {
        if (core_drain_look(turn->core, run->line, run->drain.mode, &run->slot, SLOTS_PER_STEP, &run->count) ||
            oldest_slice(turn->oldest, turn->core))
            return STEP_MORE;
        run->counted = true;
        put_counts(turn, x, run);
    }
    bool leaves = run->drain.mode == DRAIN_REPLACE || run->drain.mode == DRAIN_MOVE;
    size_t lines = leaves && core_line_view(turn->core, run->line, turn->now, &view) ? core_line_count(turn->core) : 0;
    for (unsigned i = 0; i < LINES_PER_STEP && x->cursor < lines; i++, x->cursor++)
        put_target(turn, x, run, view.pool, x->cursor);
    if (x->cursor < lines)
        return STEP_MORE;
    json_close(&x->answer.text, ']');
    json_close(&x->answer.text, '}');
    return answer_done(x);
}

/* ---- the calls ---- */

/* {"line":…,"drain":{…}} */
static enum admin_step answer_drain(struct admin_turn *turn, struct exchange *x)
{
    uint64_t number;
    size_t index;
    struct line_view view;
    if (x->effect.code == CODE_NOT_FOUND)
        return answer_error(x, CODE_NOT_FOUND, "no drain is under way on this line", NULL);
    if (x->effect.code != CODE_NONE)
        return answer_error(x, x->effect.code, NULL, x->effect.field);
    log_drain(x, (enum drain)x->phase);
    if (find_line(turn, x, &number, &index) != CODE_NONE || !core_line_view(turn->core, index, turn->now, &view))
        return answer_error(x, CODE_UNKNOWN_LINE, NULL, NULL);
    json_open(&x->answer.text, '{');
    json_key(&x->answer.text, "line");
    json_put_string(&x->answer.text, x->parts[0]);
    json_key(&x->answer.text, "drain");
    view_drain(&x->answer.text, &view);
    json_close(&x->answer.text, '}');
    return answer_done(x);
}

static enum admin_step begin(struct admin_turn *turn, struct exchange *x)
{
    struct core_drain drain = {.token = x->token, .by = x->grant.name};
    size_t index;
    bool dry;
    enum code code = find_line(turn, x, &drain.line, &index);
    if (code != CODE_NONE)
        return answer_error(x, code, NULL, NULL);
    cJSON *body = exchange_body(x);
    if (body == NULL)
        return STEP_DONE;
    bool ok = read_drain(x, body, &drain, &dry);
    cJSON_Delete(body);
    if (!ok)
        return STEP_DONE;
    if (!dry) {
        x->phase = (int)drain.mode; /* until it is answered */
        core_drain(turn->core, &drain, turn->now, turn->out);
        return STEP_WAIT;
    }
    struct dry_run *run = calloc(1, sizeof *run);
    if (run == NULL)
        return answer_error(x, CODE_BUSY, "out of memory", NULL);
    *run = (struct dry_run){.drain = drain, .line = index};
    x->memory = run;
    x->memory_free = free;
    oldest_ask(turn->oldest, turn->core, turn->now); /* without memory nothing is known of it */
    return STEP_MORE;
}

enum admin_step call_drain(struct admin_turn *turn, struct exchange *x)
{
    if (x->has_effect)
        return answer_drain(turn, x);
    return x->memory != NULL ? dry_run(turn, x, x->memory) : begin(turn, x);
}

enum admin_step call_drain_stop(struct admin_turn *turn, struct exchange *x)
{
    struct core_drain stop = {.token = x->token, .mode = DRAIN_NONE, .by = x->grant.name};
    size_t index;
    if (x->has_effect)
        return answer_drain(turn, x);
    enum code code = find_line(turn, x, &stop.line, &index);
    if (code != CODE_NONE)
        return answer_error(x, code, NULL, NULL);
    core_drain(turn->core, &stop, turn->now, turn->out);
    return STEP_WAIT;
}
