/* admin_line.c — what an operator says of a line besides pausing it: cordon, a reputation. */
#include <string.h>

#include "broker/edge/admin_calls.h"
#include "broker/edge/admin_route.h"
#include "lineward/log.h"

#define WORD_FOR_MS_MAX (INT64_C(31) * 86400000) /* an operator's reputation that nobody remembers helps nobody */

static void log_line(const struct exchange *x, const char *what)
{
    char masked[HANDLE_MAX_BYTES + 1];
    handle_mask(x->parts[0], masked);
    log_event(LOG_INFO, what, "by=%s line=%s", x->grant.name, masked);
}

/* {"line":…,"cordoned":…} */
static enum admin_step answer_cordon(struct exchange *x)
{
    bool on = x->route->detail != 0;
    if (x->effect.code != CODE_NONE)
        return answer_error(x, x->effect.code, NULL, x->effect.field);
    log_line(x, on ? "cordoned" : "uncordoned");
    json_open(&x->answer.text, '{');
    json_key(&x->answer.text, "line");
    json_put_string(&x->answer.text, x->parts[0]);
    json_key(&x->answer.text, "cordoned");
    json_put_bool(&x->answer.text, on);
    json_close(&x->answer.text, '}');
    return answer_done(x);
}

enum admin_step call_cordon(struct admin_turn *turn, struct exchange *x)
{
    uint64_t line;
    if (x->has_effect)
        return answer_cordon(x);
    enum code code = exchange_line(turn, x, x->parts[0], &line);
    if (code != CODE_NONE)
        return answer_error(x, code, NULL, NULL);
    core_cordon(turn->core, x->token, line, x->route->detail != 0, turn->now, turn->out);
    return STEP_WAIT;
}

/* ---- a reputation ---- */

/* False: answered. */
static bool read_word(struct exchange *x, const cJSON *body, struct core_word *word)
{
    const char *status = json_string(body, "status");
    if (status == NULL || !reputation_parse(status, &word->status) || word->status == REPUTATION_UNKNOWN) {
        answer_error(x, CODE_INVALID_FIELD, "status must be HEALTHY, AT_RISK or CRITICAL", "status");
        return false;
    }
    if (!json_int(body, "for_ms", &word->for_ms) || word->for_ms < 1 || word->for_ms > WORD_FOR_MS_MAX) {
        answer_error(x, CODE_INVALID_FIELD, "for_ms must be a whole number of 1 to 2678400000 (31 days)", "for_ms");
        return false;
    }
    return body_reason(x, body, &word->reason);
}

/* {"line":…,"reputation":{…}}, as in the line's view. `what` happened, for the log. */
static enum admin_step answer_word(struct admin_turn *turn, struct exchange *x, const char *what)
{
    uint64_t number;
    size_t index;
    struct line_view view;
    if (x->effect.code == CODE_FORBIDDEN)
        return answer_error(x, CODE_FORBIDDEN, "only an admin may call a line better than the provider does", NULL);
    if (x->effect.code == CODE_NOT_FOUND)
        return answer_error(x, CODE_NOT_FOUND, "no operator's reputation is in force on this line", NULL);
    if (x->effect.code != CODE_NONE)
        return answer_error(x, x->effect.code, NULL, x->effect.field);
    log_line(x, what);
    if (exchange_line(turn, x, x->parts[0], &number) != CODE_NONE || !core_line_find(turn->core, number, &index) ||
        !core_line_view(turn->core, index, turn->now, &view))
        return answer_error(x, CODE_UNKNOWN_LINE, NULL, NULL);
    json_open(&x->answer.text, '{');
    json_key(&x->answer.text, "line");
    json_put_string(&x->answer.text, x->parts[0]);
    view_line_reputation(&x->answer.text, &view);
    json_close(&x->answer.text, '}');
    return answer_done(x);
}

enum admin_step call_reputation(struct admin_turn *turn, struct exchange *x)
{
    struct core_word word = {.token = x->token, .by = x->grant.name, .may_better = x->grant.role == ROLE_ADMIN};
    if (x->has_effect)
        return answer_word(turn, x, "reputation_set");
    enum code code = exchange_line(turn, x, x->parts[0], &word.line);
    if (code != CODE_NONE)
        return answer_error(x, code, NULL, NULL);
    cJSON *body = exchange_body(x);
    if (body == NULL)
        return STEP_DONE;
    body_hide_reason(turn, body);
    bool ok = read_word(x, body, &word);
    if (ok)
        core_reputation(turn->core, &word, turn->now, turn->out);
    cJSON_Delete(body);
    return ok ? STEP_WAIT : STEP_DONE;
}

enum admin_step call_reputation_end(struct admin_turn *turn, struct exchange *x)
{
    uint64_t line;
    if (x->has_effect)
        return answer_word(turn, x, "reputation_ended");
    enum code code = exchange_line(turn, x, x->parts[0], &line);
    if (code != CODE_NONE)
        return answer_error(x, code, NULL, NULL);
    core_reputation_end(turn->core, x->token, line, turn->now, turn->out);
    return STEP_WAIT;
}
