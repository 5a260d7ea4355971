/* operate.c — what an operator says of a line, over and above what the provider says of it. */
#include "broker/core/leases.h"
#include "broker/core/line.h"
#include "broker/core/turns.h"

void core_cordon(struct core *core, uint64_t token, uint64_t number, bool on, struct instant now, struct effects *out)
{
    uint32_t at = line_find(core, number);
    if (at == NO_LINE) {
        effect_answer(out, token, CODE_UNKNOWN_LINE);
        return;
    }
    core->lines[at].known.cordoned = on;
    line_record(core, at, now, out);
    turns_touch_line(core, at, now);
    leases_revoke_line(core, at, now, out); /* those that would begin a conversation here and have not begun */
    effect_answer(out, token, CODE_NONE);
}
