/* core_jump_rig.h — the wall clock jumps, the steady one does not. Included once per test program. */
#ifndef TESTS_UNIT_CORE_JUMP_RIG_H
#define TESTS_UNIT_CORE_JUMP_RIG_H

#include "tests/unit/core_suite.h"

#define YEAR_MS INT64_C(31536000000)

static inline void jump(int64_t by_ms)
{
    rig->now.wall_ms += by_ms;
    rig_tick(rig);
}

#endif
