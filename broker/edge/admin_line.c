/* admin_line.c — what an operator says of a line besides pausing it: cordon. */
#include <string.h>

#include "broker/edge/admin_calls.h"
#include "broker/edge/admin_route.h"
#include "lineward/log.h"

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
