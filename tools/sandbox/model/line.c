/* line.c — a line's past in rings and fading sums, its pressures, its heat, and what follows from it. */
#include <math.h>
#include <string.h>

#include "tools/sandbox/model/model.h"
#include "tools/sandbox/model/random.h"

#define HOUR_MS   3600000
#define MINUTE_MS 60000
/* After so long without a judgement all windows are empty anyway: no need to walk there step by step. */
#define CATCH_UP_MS ((int64_t)4 * MODEL_LEVEL_DAYS * MODEL_DAY_MS)

static int64_t floor_div(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

static unsigned ring_place(int64_t at, int64_t size)
{
    return (unsigned)(at - floor_div(at, size) * size);
}

/* ---- windows ---- */

static void ring_clear(uint32_t *ring, int64_t size, int64_t newest, int64_t now)
{
    int64_t from = now - newest >= size ? now - size + 1 : newest + 1;
    for (int64_t at = from; at <= now; at++)
        ring[ring_place(at, size)] = 0;
}

/* Empties what has left the windows. Time never goes back. */
static void windows_roll(struct model_line *line, int64_t now_ms)
{
    int64_t hour = floor_div(now_ms, HOUR_MS), minute = floor_div(now_ms, MINUTE_MS);
    if (hour > line->hour) {
        ring_clear(line->new_chats, MODEL_HOURS, line->hour, hour);
        ring_clear(line->sends, MODEL_HOURS, line->hour, hour);
        line->hour = hour;
    }
    if (minute > line->minute) {
        ring_clear(line->recipients, MODEL_MINUTES, line->minute, minute);
        line->minute = minute;
    }
}

static double ring_sum(const uint32_t *ring, int size)
{
    double sum = 0;
    for (int i = 0; i < size; i++)
        sum += ring[i];
    return sum;
}

/* ---- pressures ---- */

/* 0 up to the limit, 1 at twice the limit, and no more than 4: one driver alone does not explode. */
static double beyond(double used, double limit)
{
    return fmin(fmax(used / limit - 1, 0), 4);
}

static double reply_pressure(const struct model_line *line, const struct model_params *params)
{
    if (line->out < params->reply_sends_min || params->reply_floor <= 0)
        return 0;
    /* The fewer sends are remembered, the less they prove: so a line left alone recovers. */
    double proof = fmin((line->out / params->reply_sends_min - 1) / 4, 1);
    return proof * fmax(1 - line->in / line->out / params->reply_floor, 0);
}

static double opt_out_pressure(const struct model_line *line, const struct model_params *params)
{
    if (line->opt_outs <= 0)
        return 0;
    double sends = fmax(line->out, params->reply_sends_min); /* one opt-out of two sends proves little */
    return fmin(line->opt_outs, 1) * beyond(line->opt_outs * 100 / sends, params->opt_outs_per_100);
}

void model_line_pressures(const struct model_line *line, const struct model_params *params, double out[MODEL_DRIVERS])
{
    double usual = fmax(line->level * params->growth_factor, params->growth_floor);
    out[MODEL_NEW_CHATS] =
        params->weight_new_chats * beyond(ring_sum(line->new_chats, MODEL_HOURS), params->new_chats_per_day);
    out[MODEL_RECIPIENTS] =
        params->weight_recipients * beyond(ring_sum(line->recipients, MODEL_MINUTES), params->recipients_per_hour);
    out[MODEL_GROWTH] = params->weight_growth * beyond(ring_sum(line->sends, MODEL_HOURS), usual);
    out[MODEL_REPLIES] = params->weight_replies * reply_pressure(line, params);
    out[MODEL_OPT_OUTS] = params->weight_opt_outs * opt_out_pressure(line, params);
}

static double pressure_sum(const struct model_line *line, const struct model_params *params)
{
    double each[MODEL_DRIVERS], sum = 0;
    model_line_pressures(line, params, each);
    for (int i = 0; i < MODEL_DRIVERS; i++)
        sum += each[i];
    return sum;
}

const char *model_driver_name(enum model_driver driver)
{
    static const char *const names[MODEL_DRIVERS] = {[MODEL_NEW_CHATS] = "new_conversation_rate",
                                                     [MODEL_RECIPIENTS] = "volume_spike",
                                                     [MODEL_GROWTH] = "volume_spike",
                                                     [MODEL_REPLIES] = "low_engagement",
                                                     [MODEL_OPT_OUTS] = "opt_out_handling"};
    return names[driver];
}

/* ---- judging ---- */

/* A state is entered at its threshold and left only below a share of it: no flapping. */
static enum reputation reputation_of(const struct model_line *line, const struct model_params *params)
{
    double critical = params->critical_heat * line->bears, at_risk = params->at_risk_heat * line->bears;
    double share = params->recover_share;
    if (line->heat >= critical || (line->reputation == REPUTATION_CRITICAL && line->heat >= critical * share))
        return REPUTATION_CRITICAL;
    if (line->heat >= at_risk || (line->reputation != REPUTATION_HEALTHY && line->heat >= at_risk * share))
        return REPUTATION_AT_RISK;
    return REPUTATION_HEALTHY;
}

static enum service service_of(struct model_line *line, const struct model_params *params, double step_ms)
{
    if (line->flagged_until_ms != INT64_MIN) {
        if (line->at_ms < line->flagged_until_ms)
            return SERVICE_FLAGGED;
        line->flagged_until_ms = INT64_MIN;
        line->heat = fmin(line->heat, params->at_risk_heat * line->bears); /* it begins with a warning */
    }
    if (!line->sent_since_step || line->heat < params->flag_heat * line->bears)
        return SERVICE_ACTIVE;
    double chance = 1 - exp(-params->flags_per_day * step_ms / MODEL_DAY_MS);
    if (model_random_unit(params->seed, line->number, line->steps) >= chance)
        return SERVICE_ACTIVE;
    line->flagged_until_ms = line->at_ms + (int64_t)params->flagged_ms;
    return SERVICE_FLAGGED;
}

static void step(struct model_line *line, const struct model_params *params, int64_t to_ms)
{
    double step_ms = (double)(to_ms - line->at_ms);
    double fading = exp(-step_ms / ((double)MODEL_LEVEL_DAYS * MODEL_DAY_MS));
    line->at_ms = to_ms;
    line->steps++;
    windows_roll(line, to_ms);
    /* The level follows the last day's sends slowly, so that a jump is one for some days. */
    line->level = line->level * fading + ring_sum(line->sends, MODEL_HOURS) * (1 - fading);
    double kept = exp(-step_ms / params->memory_ms);
    line->out *= kept;
    line->in *= kept;
    line->opt_outs *= kept;
    double goal = pressure_sum(line, params);
    double constant_ms = goal > line->heat ? params->rise_ms : params->fall_ms;
    line->heat += (goal - line->heat) * (1 - exp(-step_ms / constant_ms));
    line->service = service_of(line, params, step_ms);
    line->reputation = reputation_of(line, params);
    line->sent_since_step = false;
}

int64_t model_line_next_ms(const struct model_line *line, const struct model_params *params)
{
    return line->at_ms + (int64_t)params->step_ms;
}

bool model_line_advance(struct model_line *line, const struct model_params *params, int64_t now_ms)
{
    enum reputation reputation = line->reputation;
    enum service service = line->service;
    if (now_ms - line->at_ms > CATCH_UP_MS)
        step(line, params, now_ms - CATCH_UP_MS);
    while (model_line_next_ms(line, params) <= now_ms)
        step(line, params, model_line_next_ms(line, params));
    return line->reputation != reputation || line->service != service;
}

/* ---- beginning ---- */

void model_line_init(struct model_line *line, const struct model_params *params, uint64_t number, double daily_level,
                     int64_t now_ms)
{
    memset(line, 0, sizeof *line);
    line->number = number;
    line->at_ms = now_ms;
    line->hour = floor_div(now_ms, HOUR_MS);
    line->minute = floor_div(now_ms, MINUTE_MS);
    line->level = daily_level;
    line->out = daily_level * params->memory_ms / MODEL_DAY_MS;
    line->in = line->out * fmin(2 * params->reply_floor, 1);
    line->bears = 1 + params->spread * (2 * model_random_unit(params->seed, number, UINT64_MAX) - 1);
    line->flagged_until_ms = INT64_MIN;
    line->reputation = REPUTATION_HEALTHY;
    line->service = SERVICE_ACTIVE;
}

void model_line_set(struct model_line *line, const struct model_params *params, enum reputation reputation,
                    enum service service, int64_t now_ms)
{
    if (reputation != line->reputation) {
        double least = reputation == REPUTATION_CRITICAL  ? params->critical_heat
                       : reputation == REPUTATION_AT_RISK ? params->at_risk_heat
                                                          : 0;
        line->heat = least * line->bears;
    }
    line->reputation = reputation;
    if (service == SERVICE_FLAGGED && line->service != SERVICE_FLAGGED)
        line->flagged_until_ms = now_ms + (int64_t)params->flagged_ms;
    else if (service != SERVICE_FLAGGED)
        line->flagged_until_ms = INT64_MIN;
    line->service = service;
}

/* ---- what happened ---- */

void model_sent(struct model_line *line, struct model_chat *chat, const struct model_params *params, bool opened,
                int64_t now_ms)
{
    windows_roll(line, now_ms);
    unsigned hour = ring_place(line->hour, MODEL_HOURS);
    line->sends[hour]++;
    line->new_chats[hour] += opened;
    line->out++;
    line->sent_since_step = true;
    if (chat->last_out_ms == INT64_MIN || now_ms - chat->last_out_ms >= HOUR_MS)
        line->recipients[ring_place(line->minute, MODEL_MINUTES)]++;
    if (chat->opted_out)
        line->opt_outs += params->after_opt_out_weight;
    chat->last_out_ms = now_ms;
    chat->sent++;
    chat->unanswered++;
}

void model_received(struct model_line *line, struct model_chat *chat, const struct model_params *params,
                    bool opts_out, int64_t now_ms)
{
    windows_roll(line, now_ms);
    line->in += !opts_out; /* a keyword is no engagement */
    line->opt_outs += opts_out;
    chat->last_in_ms = now_ms;
    chat->unanswered = 0;
    chat->opted_out = opts_out;
}
