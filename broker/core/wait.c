/* wait.c — see wait.h. */
#include "broker/core/wait.h"

#include "broker/core/pair.h"

int64_t conversation_waits_until(const struct core *core, uint32_t at, struct instant now)
{
    return pair_free_at(core, at, now);
}
