/* core_word_rig.h — what polls say of a line, and what they leave out. Included once per test program. */
#ifndef TESTS_UNIT_CORE_WORD_RIG_H
#define TESTS_UNIT_CORE_WORD_RIG_H

#include "tests/unit/core_suite.h"

#define POLL_MS  30000 /* the defaults of poll_interval_ms, stale_after_ms and blind_after_ms */
#define STALE_MS 180000
#define BLIND_MS 900000

static inline void polled(enum reputation word, int64_t begun_mono_ms, bool cached)
{
    struct core_line_fact fact = {.number = RIG_LINE,
                                  .has_reputation = true,
                                  .reputation = word,
                                  .poll = ++rig->polls,
                                  .begun_mono_ms = begun_mono_ms,
                                  .cached = cached};
    core_line_polled(rig->core, &fact, rig->now, &rig->out);
    rig_keep(rig);
}

static inline void poll_of_nothing(bool ok)
{
    struct core_poll end = {.poll = ++rig->polls, .begun_mono_ms = rig->now.mono_ms, .ok = ok};
    core_poll_ended(rig->core, &end, rig->now, &rig->out);
    rig_keep(rig);
}

#endif
