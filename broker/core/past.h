/* past.h — how lively a line was before we sent on it: of how many of its conversations the last message went out on each
 * of the days before this one. Of an account that was switched over that is all that is known. It makes a line warm for
 * placement, which is a preference, and loosens no limit: for those only what we sent ourselves counts, or what the
 * configuration says (`daily_level`). Not written down: the conversations' own records tell it again. */
#ifndef LINEWARD_CORE_PAST_H
#define LINEWARD_CORE_PAST_H

#include "broker/core/state.h"

/* A conversation that lives on the line was last written to then. */
void past_note(struct line *line, int64_t last_out_ms, struct instant now);
/* The mean of the last seven days but this. */
double past_level(const struct line *line, struct instant now);
/* After the replay: from all conversations. */
void pasts_restored(struct core *core, struct instant now);

#endif
