/* operators_known.c — what is known of the operators' pauses, cordons and the rest: maybe from the asking on, surely
 * from the answer on. */
#include "tests/sim/operators.h"
#include "tests/sim/operators_part.h"
#include "tests/sim/whereabouts.h"
#include "tests/sim/witness_stops.h"

#define ENDS_EARLY_US US_S /* at most, what has an end: clocks drift */

struct known { /* of one pause, cordon, ... */
    bool surely, maybe;
    int64_t since_us, until_us, over_us; /* until: surely, if nobody ends it before */
    unsigned ends, begins; /* that were asked for */
};

static struct {
    struct known paused[PAUSE_SCOPE_COUNT][CAST_ALL];
    struct known cordoned[CAST_LINES], set[CAST_LINES], drained[CAST_LINES];
    enum reputation best[CAST_LINES];         /* that may be set */
    struct known stopped[CAST_CONVERSATIONS]; /* suppressed by an operator */
    bool suppressed[CAST_CONVERSATIONS], ever_suppressed[CAST_CONVERSATIONS];
    int64_t failed_us[CAST_LINES]; /* what waited there, the last time it was asked for; 0: never */
    bool ramped[CAST_LINES];
    int64_t jumped_us; /* the wall clock, last */
} operators;

static struct known *known_of(const struct wish *wish)
{
    switch (wish->act) {
    case ACT_PAUSE:
    case ACT_RESUME:
        return &operators.paused[wish->scope][wish->target];
    case ACT_CORDON:
    case ACT_UNCORDON:
        return &operators.cordoned[wish->target];
    case ACT_SET:
    case ACT_UNSET:
        return &operators.set[wish->target];
    case ACT_DRAIN:
    case ACT_UNDRAIN:
        return &operators.drained[wish->target];
    case ACT_SUPPRESS:
    case ACT_UNSUPPRESS:
        return &operators.stopped[wish->target];
    default:
        return NULL;
    }
}

bool known_begins(enum act act)
{
    return act == ACT_PAUSE || act == ACT_CORDON || act == ACT_SET || act == ACT_DRAIN || act == ACT_SUPPRESS;
}

void known_asking(struct wish *wish)
{
    struct known *known = known_of(wish);
    if (wish->act == ACT_SET && (!known->maybe || wish->word < operators.best[wish->target]))
        operators.best[wish->target] = wish->word;
    wish->asked = true;
    wish->asked_us = now_us();
    if (known != NULL && known_begins(wish->act)) {
        known->maybe = true;
        known->begins++;
    } else if (known != NULL) {
        known->surely = false;
        known->ends++;
    }
    wish->ends = known == NULL ? 0 : known->ends;
    wish->begins = known == NULL ? 0 : known->begins;
    if (wish->act == ACT_DRAIN && (wish->drain == DRAIN_MOVE || wish->drain == DRAIN_REPLACE))
        whereabouts_drained(wish->target);
    if (wish->act == ACT_DRAIN && wish->drain == DRAIN_FAIL)
        operators.failed_us[wish->target] = now_us();
    if (wish->act == ACT_DRAIN && wish->drain == DRAIN_RAMP)
        operators.ramped[wish->target] = true;
    if (wish->act == ACT_SUPPRESS)
        operators.ever_suppressed[wish->target] = true;
    if (wish->act == ACT_SUPPRESS)
        stops_may_come(wish->target);
    if (wish->act == ACT_UNSUPPRESS)
        stops_may_lift(wish->target);
    if (wish->act == ACT_MOVE)
        whereabouts_moved(wish->target);
    if (wish->act == ACT_SETTLE)
        cast_jobs[wish->job].settle_asked = true;
}

static bool is_sure(const struct known *known)
{
    return known->surely && now_us() < known->until_us;
}

void known_answered(const struct wish *wish, enum code code)
{
    struct known *known = known_of(wish);
    if (known == NULL)
        return;
    bool over = wish->for_ms != 0 && operators.jumped_us >= wish->asked_us; /* may be: its end is a time of the wall clock */
    if (known_begins(wish->act) && code == CODE_NONE && known->ends == wish->ends && !over) {
        if (!is_sure(known))
            known->since_us = now_us();
        known->surely = true;
        known->until_us = wish->for_ms == 0 ? US_NEVER : wish->asked_us + wish->for_ms * US_MS - ENDS_EARLY_US;
    } else if ((!known_begins(wish->act) || wish->unknown) && known->begins == wish->begins) {
        known->surely = known->maybe = false;
        known->over_us = now_us();
    }
}

bool known_may_hold(enum act act, enum pause_scope scope, int target)
{
    const struct wish wish = {.act = act, .scope = scope, .target = target};
    return known_of(&wish)->maybe;
}

bool known_is_ramped(int line)
{
    return operators.ramped[line];
}

bool known_is_suppressed(int conversation)
{
    return operators.suppressed[conversation];
}

void known_suppress(int conversation, bool on)
{
    operators.suppressed[conversation] = on;
}

/* ---- for the witness ---- */

static int campaign_of(int conversation, char campaign)
{
    return cast_pool_of(conversation) * OPERATORS_CAMPAIGNS + (campaign == 'a' ? 0 : 1);
}

static const struct known *pause_of(enum pause_scope scope, int line, int conversation, char campaign)
{
    switch (scope) {
    case PAUSE_LINE:
        return line < 0 ? NULL : &operators.paused[scope][line];
    case PAUSE_POOL:
        return &operators.paused[scope][cast_pool_of(conversation)];
    case PAUSE_CAMPAIGN:
        return campaign == '\0' ? NULL : &operators.paused[scope][campaign_of(conversation, campaign)];
    case PAUSE_CONVERSATION:
        return &operators.paused[scope][conversation];
    case PAUSE_ACCOUNT:
        return &operators.paused[scope][cast_account_of(conversation)];
    default:
        return &operators.paused[scope][0];
    }
}

int64_t operators_paused_since_us(int line, int conversation, char campaign)
{
    int64_t since_us = US_NEVER;
    for (int scope = 0; scope < PAUSE_SCOPE_COUNT; scope++) {
        const struct known *known = pause_of((enum pause_scope)scope, line, conversation, campaign);
        if (known != NULL && is_sure(known) && known->since_us < since_us)
            since_us = known->since_us;
    }
    return since_us;
}

bool operators_may_have_paused(enum pause_scope scope, int line, int conversation, char campaign, int64_t since_us)
{
    for (int any = 0; scope == PAUSE_LINE && line < 0 && any < CAST_LINES; any++)
        if (operators_may_have_paused(scope, any, conversation, campaign, since_us))
            return true;
    const struct known *known = pause_of(scope, line, conversation, campaign);
    bool by_drain = scope == PAUSE_LINE && line >= 0 && operators.ramped[line];
    return by_drain || (known != NULL && (known->maybe || known->over_us > since_us));
}

bool operators_may_have_held_back(int job)
{
    const struct cast_job *known = &cast_jobs[job];
    return known->campaign != '\0' &&
           operators_may_have_paused(PAUSE_CAMPAIGN, -1, known->conversation, known->campaign, 0);
}

bool operators_may_have_set(int line, int64_t since_us)
{
    const struct known *known = &operators.set[line];
    return known->maybe || known->over_us > since_us;
}

bool operators_may_have_bettered(int line, enum reputation than)
{
    return operators.set[line].maybe && operators.best[line] < than;
}

bool operators_surely_cordoned(int line, int64_t *since_us)
{
    *since_us = operators.cordoned[line].since_us;
    return operators.cordoned[line].surely;
}

int64_t operators_stopped_since_us(int conversation)
{
    const struct known *stopped = &operators.stopped[cast_base(conversation)];
    bool there = stopped->surely && cast_account_of(conversation) == cast_account_of(cast_base(conversation));
    return there ? stopped->since_us : US_NEVER;
}

/* What is handed in later is not meant. */
bool operators_may_have_failed(int job)
{
    const struct cast_job *known = &cast_jobs[job];
    for (int line = 0; line < CAST_LINES; line++)
        if (operators.failed_us[line] != 0 && operators.failed_us[line] >= known->first_sent_us &&
            cast_pool_of_line(line) == cast_pool_of(known->conversation))
            return true;
    return false;
}

static void forget_end(struct known *known)
{
    if (known->until_us != US_NEVER)
        known->surely = false;
}

void operators_wall_jumps(void)
{
    operators.jumped_us = now_us();
    for (int scope = 0; scope < PAUSE_SCOPE_COUNT; scope++)
        for (int target = 0; target < CAST_ALL; target++)
            forget_end(&operators.paused[scope][target]);
}

static void unsure(struct known *known)
{
    known->surely = false;
    known->maybe = known->maybe || known->begins > 0;
}

void operators_unsure(void)
{
    for (int scope = 0; scope < PAUSE_SCOPE_COUNT; scope++)
        for (int target = 0; target < CAST_CONVERSATIONS; target++)
            unsure(&operators.paused[scope][target]);
    for (int line = 0; line < CAST_LINES; line++) {
        unsure(&operators.cordoned[line]);
        unsure(&operators.set[line]);
        unsure(&operators.drained[line]);
    }
    for (int conversation = 0; conversation < CAST_CONVERSATIONS; conversation++) {
        unsure(&operators.stopped[conversation]);
        operators.suppressed[conversation] =
            operators.suppressed[conversation] || operators.ever_suppressed[conversation];
    }
}

bool operators_ever_drained_line(int line)
{
    return operators.drained[line].begins > 0;
}
