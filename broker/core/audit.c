/* audit.c — the numbers of audit records. What they say is the shell's; the core only gives them their place. */
#include "broker/core/effects.h"

void core_audit(struct core *core, struct change_audit *audit, struct span document, struct instant now,
                struct effects *out)
{
    audit->number = core->next_audit++;
    struct change *change = change_add(out, CHANGE_AUDIT);
    change->audit = audit;
    change->event.at_ms = now.wall_ms;
    change->sections[SECTION_RESULT] = document;
}

uint64_t core_next_audit(const struct core *core)
{
    return core->next_audit;
}
