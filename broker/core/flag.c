/* flag.c — a line that a try has shown to be flagged: closed, probed, and open again. What the provider says of it is
 * reputation.c's. */
#include "broker/core/line.h"
#include "broker/core/operate.h"

/* Others who share what is known of lines cannot see what a try has shown. */
static void tell_service(const struct core *core, const struct line *line, bool flagged, struct effects *out)
{
    if (line_account(core, line) == NO_ACCOUNT)
        return;
    struct effect *effect = effect_add(out, EFFECT_SERVICE);
    effect->line = line->known.number;
    effect->account = line->account;
    effect->index = flagged;
}

void flag_forget_probes(struct core *core, struct line *line)
{
    line->probe_due = line->probing = false;
    for (uint32_t slot = line->leases; slot != NOBODY; slot = core->leases[slot].line_next)
        core->leases[slot].probe_line = false;
}

void flag_set(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    struct line *line = &core->lines[at];
    if (line->known.service != SERVICE_FLAGGED) /* else what the provider said in so many words stands */
        line->known.service_source = SOURCE_ERROR;
    line->known.service = SERVICE_FLAGGED;
    line->known.flagged_at_ms = now.wall_ms;
    line->moments.flagged = now.mono_ms;
    flag_forget_probes(core, line);
    effect_alert(out, ALERT_LINE_FLAGGED, line->known.number, line_account(core, line));
    tell_service(core, line, true, out);
    line_record(core, at, now, out);
    gate_update(core, at, now, out);
}

void flag_lift(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    struct line *line = &core->lines[at];
    if (line->known.service != SERVICE_FLAGGED || line->known.service_source != SOURCE_ERROR)
        return;
    line->known.service = SERVICE_ACTIVE;
    tell_service(core, line, false, out);
    if (!line_stand(core, line).hold)
        ramp_climb(core, line, now);
    line_record(core, at, now, out);
    gate_update(core, at, now, out);
}

void flag_end_probe(struct line *line, bool begun, struct instant now)
{
    line->probing = false;
    line->probe_due = line->probe_due && !begun;
    if (line->moving) /* those that waited for its end leave after all, if it did not lift the flag */
        line->move_at = 1;
    if (begun && line->known.service == SERVICE_FLAGGED && line->known.service_source == SOURCE_ERROR)
        line->known.flagged_at_ms = now.wall_ms;
}
