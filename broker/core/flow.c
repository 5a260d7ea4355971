/* flow.c — see flow.h. */
#include "broker/core/flow.h"

#include "broker/core/job.h"

#define PAUSE_MS      60000  /* nothing for so long: what comes then is another flow */
#define ENOUGH        12     /* jobs that make the finer spans worth believing */
#define KNOWN_MIN     3      /* whole spans */
#define OVER_SPANS    3      /* nothing for so many of them: it is over */
#define TRIES_HALF_MS 120000 /* what tries came to so long ago counts half */
#define TRIES_GOOD    10     /* so many good ones are taken for granted: one failure proves nothing */
#define TURNS_MAX     2      /* an outage will end */

static const int64_t span_ms[FLOW_SCALES] = {1000, 30000};

/* Spans that nothing came in, up to the present one. */
static void roll(struct flow *flow, unsigned scale, int64_t span)
{
    int64_t gone = span - flow->newest[scale];
    if (gone <= 0)
        return;
    for (unsigned c = 0; c < CLASS_COUNT; c++)
        for (int64_t i = 0; i < gone && i < FLOW_SPANS; i++)
            flow->count[scale][c][(uint64_t)(span - i) % FLOW_SPANS] = 0;
    flow->newest[scale] = span;
}

static void note(struct flow *flow, unsigned class, int64_t mono_ms)
{
    if (flow->last_ms == 0 || mono_ms - flow->last_ms > PAUSE_MS)
        flow->since_ms = mono_ms;
    flow->last_ms = mono_ms;
    for (unsigned scale = 0; scale < FLOW_SCALES; scale++) {
        roll(flow, scale, mono_ms / span_ms[scale]);
        uint16_t *count = &flow->count[scale][class][(uint64_t)flow->newest[scale] % FLOW_SPANS];
        *count += *count < UINT16_MAX;
    }
}

void flow_note(struct core *core, uint32_t slot, struct instant now)
{
    const struct job *job = &core->jobs[slot];
    const struct conversation *conversation = &core->conversations[job->conversation];
    bool on_line = (conversation->flags & (CONVERSATION_BOUND | CONVERSATION_PINNED)) != 0;
    note(on_line ? &core->lines[conversation->line].flow : &core->pools[conversation->pool].flow, job->class,
         now.mono_ms);
}

/* Whole spans since it began, the latest first. Returns how many. */
static unsigned whole_spans(const struct flow *flow, unsigned scale, unsigned class, int64_t mono_ms,
                            uint16_t out[FLOW_SPANS])
{
    int64_t present = mono_ms / span_ms[scale], first = flow->since_ms / span_ms[scale] + 1;
    unsigned spans = 0;
    for (int64_t span = present - 1; span >= first && spans < FLOW_SPANS - 1; span--) {
        bool kept = span <= flow->newest[scale] && span > flow->newest[scale] - FLOW_SPANS;
        out[spans++] = kept ? flow->count[scale][class][(uint64_t)span % FLOW_SPANS] : 0;
    }
    return spans;
}

static void sort(uint16_t *counts, unsigned count)
{
    for (unsigned i = 1; i < count; i++)
        for (unsigned j = i; j > 0 && counts[j - 1] > counts[j]; j--) {
            uint16_t swap = counts[j];
            counts[j] = counts[j - 1];
            counts[j - 1] = swap;
        }
}

double flow_per_ms(const struct flow *flow, unsigned class, struct instant now)
{
    double per_ms = 0;
    if (flow->last_ms == 0 || now.mono_ms - flow->last_ms > PAUSE_MS)
        return 0;
    for (unsigned scale = 0; scale < FLOW_SCALES; scale++) {
        uint16_t counts[FLOW_SPANS];
        unsigned spans = whole_spans(flow, scale, class, now.mono_ms, counts);
        if (spans < KNOWN_MIN)
            break;
        sort(counts, spans);
        unsigned skip = spans > 6 ? 2 : 1, sum = 0;
        for (unsigned i = skip; i < spans - skip; i++)
            sum += counts[i];
        per_ms = (double)sum / (double)(spans - 2 * skip) / (double)span_ms[scale];
        if (now.mono_ms - flow->last_ms >= OVER_SPANS * span_ms[scale])
            per_ms = 0;
        else if (sum >= ENOUGH)
            break;
    }
    return per_ms;
}

int64_t flow_lasts_ms(const struct flow *flow, struct instant now)
{
    return flow->last_ms == 0 ? 0 : now.mono_ms - flow->since_ms;
}

/* ---- tries ---- */

static struct tries faded(const struct tries *tries, struct instant now)
{
    int64_t halves = (now.mono_ms - tries->since_ms) / TRIES_HALF_MS;
    if (halves <= 0)
        return *tries;
    unsigned shift = halves < 31 ? (unsigned)halves : 31;
    return (struct tries){.all = tries->all >> shift,
                          .again = tries->again >> shift,
                          .since_ms = tries->since_ms + halves * TRIES_HALF_MS};
}

void tries_note(struct tries *tries, bool again, struct instant now)
{
    *tries = faded(tries, now);
    tries->all++;
    tries->again += again;
}

double tries_per_job(const struct tries *tries, struct instant now)
{
    struct tries of_late = faded(tries, now);
    double turns = 1 / (1 - (double)of_late.again / (double)(of_late.all + TRIES_GOOD));
    return turns < TURNS_MAX ? turns : TURNS_MAX;
}
