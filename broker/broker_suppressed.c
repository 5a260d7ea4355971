/* broker_suppressed.c — after a start: what opt-outs and suppressions were to end, and the last run did not come to. Only
 * the shell knows whose conversations are whose, and only by name; so it goes through all who are suppressed, beside
 * everything else. */
#include "broker/broker_part.h"
#include "broker/edge/recipients.h"

#define SLICE_GAP_MS 1 /* a million of them take some seconds, and no turn much longer than it would be */

static size_t homes_of(void *self, uint32_t account, const char *handle, uint64_t *out)
{
    const struct broker *broker = self;
    return recipients_homes(&broker->hash, broker->conf, account, handle, out);
}

void broker_suppress_again(struct broker *broker)
{
    if (broker->now.mono_ms < broker->suppress_ms)
        return;
    bool more = core_suppress_again(broker->core, &broker->suppressed_at, homes_of, broker, broker->now, &broker->effects);
    broker_persist(broker, broker->now, &broker->effects);
    broker->suppress_ms = more ? broker->now.mono_ms + SLICE_GAP_MS : TIME_NEVER;
}
