/* core_requeue_rig.h — jobs that died, and how they are brought back. Included once per test program. */
#ifndef TESTS_UNIT_CORE_REQUEUE_RIG_H
#define TESTS_UNIT_CORE_REQUEUE_RIG_H

#include "tests/unit/core_suite.h"

#define FAST_CONF POLICY_CONF("pace_per_min: 0, new_conversations_per_day: 0, attempts_max: 3")

static inline struct core_requeue letter_of(uint64_t number, uint64_t conversation)
{
    struct change_end end = end_of(number);
    struct core_requeue letter = {.number = number,
                                  .mark = core_requeue_mark(rig->core),
                                  .life = end.life,
                                  .attempts = end.attempts,
                                  .doubtful = end.code == CODE_OUTCOME_UNKNOWN,
                                  .line = end.line,
                                  .accepted_at_ms = RIG_START_MS,
                                  .job = rig_job(conversation, CLASS_TRANSACTIONAL)};
    letter.job.id_hash = conversation + 500;
    letter.job.content_hash = conversation + 600;
    return letter;
}

static inline enum code offer(const struct core_requeue *letter)
{
    enum code code = core_requeue(rig->core, letter, false, rig->now, &rig->out);
    rig_keep(rig);
    return code;
}

static inline enum code requeue(uint64_t number, uint64_t conversation)
{
    struct core_requeue letter = letter_of(number, conversation);
    return offer(&letter);
}

static inline void begin(void)
{
    begin_with(FAST_CONF, 2);
    rig_worker(rig, 1, 8);
}

static inline void come_back_with(unsigned lines)
{
    rig_restart(rig, 1000);
    rig_poll_all(rig, lines, REPUTATION_HEALTHY);
    rig_worker(rig, 2, 8);
}

static inline void come_back(void)
{
    come_back_with(2);
}

#endif
