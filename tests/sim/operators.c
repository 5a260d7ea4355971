/* operators.c — see operators.h. What they wish, until each wish is answered. */
#include "tests/sim/operators.h"

#include "tests/sim/desk.h"
#include "tests/sim/house.h"
#include "tests/sim/operators_part.h"
#include "tests/sim/wants.h"
#include "tests/sim/witness.h"

#define WISHES_MAX 128
#define IMPORT_AGAIN_US (500 * US_MS)
#define DRAINS_OVER_US (10 * US_MIN) /* after all was healed, those that were asked to end have ended */

static struct {
    struct wish wishes[WISHES_MAX];
    bool calm;
} operators;

static void wish_for(struct wish wish)
{
    for (int i = 0; i < WISHES_MAX; i++) {
        if (operators.wishes[i].used)
            continue;
        operators.wishes[i] = wish;
        operators.wishes[i].used = true;
        house_poke();
        return;
    }
}

void operators_settle(int job)
{
    wish_for((struct wish){.act = ACT_SETTLE, .job = job});
}

/* ---- the admin API, to whom they speak ---- */

static void import_again(void *self, uint64_t conversation)
{
    (void)self;
    if (!operators.calm)
        wish_for((struct wish){.act = ACT_IMPORT, .target = (int)conversation, .line = wants_home((int)conversation)});
}

static void answered(struct wish *wish, enum code code)
{
    note_world("operators: wish %d of %d/%d is answered %s", (int)wish->act, (int)wish->scope, wish->target,
               code_name(code));
    known_answered(wish, code);
    if (wish->act == ACT_IMPORT)
        wants_imported(wish->target, code == CODE_NONE);
    if (wish->act == ACT_IMPORT && code == CODE_UNKNOWN_LINE && !operators.calm) /* no list has come yet */
        ground_in(IMPORT_AGAIN_US, import_again, NULL, (uint64_t)wish->target);
    wish->used = false;
}

bool operators_serve(struct core *core, struct instant now, struct effects *out)
{
    for (int i = 0; i < WISHES_MAX; i++) {
        struct wish *wish = &operators.wishes[i];
        if (wish->used && wish->looked_up) {
            acts_requeue(wish, now, out);
            return true;
        }
        if (!wish->used || wish->asked)
            continue;
        wish->token = desk_token();
        known_asking(wish);
        acts_carry_out(wish, core, now, out);
        return true;
    }
    return false;
}

static struct wish *wish_of(uint64_t token)
{
    for (int i = 0; i < WISHES_MAX; i++)
        if (operators.wishes[i].used && operators.wishes[i].asked && operators.wishes[i].token == token)
            return &operators.wishes[i];
    return NULL;
}

bool operators_effect(const struct effect *effect)
{
    struct wish *wish = wish_of(effect->token);
    if (wish != NULL)
        answered(wish, wish->unknown ? CODE_NOT_FOUND : effect->code);
    return wish != NULL;
}

bool operators_looked_up(const struct lookup_answer *answer)
{
    struct wish *wish = wish_of(answer->token);
    if (wish == NULL)
        return false;
    wish->answer = *answer;
    wish->looked_up = true;
    house_poke();
    return true;
}

void operators_broker_down(void)
{
    for (int i = 0; i < WISHES_MAX; i++) {
        struct wish *wish = &operators.wishes[i];
        if (!wish->used || !wish->asked)
            continue;
        wish->asked = wish->looked_up = wish->unknown = false; /* it may have been done, or not */
        if (wish->act == ACT_REQUEUE || wish->act == ACT_SETTLE || wish->act == ACT_MOVE)
            wish->used = false;
    }
}

/* ---- what they wish ---- */

static void wish_pause(struct stream *stream)
{
    static const enum pause_scope scopes[] = {PAUSE_LINE,     PAUSE_LINE,        PAUSE_LINE,         PAUSE_POOL,
                                              PAUSE_CAMPAIGN, PAUSE_CONVERSATION, PAUSE_CONVERSATION, PAUSE_ACCOUNT,
                                              PAUSE_ALL};
    static const int targets[PAUSE_SCOPE_COUNT] = {[PAUSE_LINE] = CAST_LINES,
                                                   [PAUSE_POOL] = CAST_POOLS,
                                                   [PAUSE_CAMPAIGN] = CAST_POOLS * OPERATORS_CAMPAIGNS,
                                                   [PAUSE_CONVERSATION] = CAST_CONVERSATIONS,
                                                   [PAUSE_ACCOUNT] = 1,
                                                   [PAUSE_ALL] = 1};
    enum pause_scope scope = scopes[draw(stream, 9)];
    int target = (int)draw(stream, scope == PAUSE_ACCOUNT && cast_has_second ? CAST_ACCOUNTS : (uint64_t)targets[scope]);
    bool on = !known_may_hold(ACT_PAUSE, scope, target);
    fault(on ? FAULT_PAUSED : FAULT_RESUMED);
    wish_for((struct wish){.act = on ? ACT_PAUSE : ACT_RESUME,
                           .scope = scope,
                           .target = target,
                           .for_ms = on && chance(stream, 300) ? 1000 + (int64_t)draw(stream, 60000) : 0});
}

static void wish_line(struct stream *stream)
{
    static const enum reputation words[] = {REPUTATION_HEALTHY, REPUTATION_AT_RISK, REPUTATION_CRITICAL};
    static const enum drain modes[] = {DRAIN_RAMP, DRAIN_REPLACE, DRAIN_FAIL, DRAIN_MOVE};
    int line = (int)draw(stream, CAST_LINES);
    uint64_t what = draw(stream, 3);
    struct wish wish = {.target = line};
    if (what == 0) {
        fault(FAULT_CORDONED);
        wish.act = known_may_hold(ACT_CORDON, PAUSE_LINE, line) ? ACT_UNCORDON : ACT_CORDON;
    } else if (what == 1) {
        fault(FAULT_REPUTATION_SET);
        wish.act = known_may_hold(ACT_SET, PAUSE_LINE, line) ? ACT_UNSET : ACT_SET;
        wish.word = words[draw(stream, 3)];
        wish.for_ms = 1000 + (int64_t)draw(stream, 120000);
    } else {
        fault(FAULT_DRAINED);
        wish.act = known_may_hold(ACT_DRAIN, PAUSE_LINE, line) ? ACT_UNDRAIN : ACT_DRAIN;
        wish.drain = modes[draw(stream, 4)];
    }
    wish_for(wish);
}

static void wish_job(struct stream *stream)
{
    for (int tries = 0; tries < 60 && cast_job_count > 0; tries++) {
        int job = (int)draw(stream, (uint64_t)cast_job_count);
        if (cast_jobs[job].forgiven) /* its number may be another one's by now */
            continue;
        if (witness_is_told_unknown(job)) {
            fault(FAULT_SETTLED);
            operators_settle(job);
            return;
        }
        if (cast_jobs[job].final && cast_jobs[job].end == JOB_FAILED && chance(stream, 400)) {
            fault(FAULT_REQUEUED);
            wish_for((struct wish){.act = ACT_REQUEUE, .job = job});
            return;
        }
    }
}

static void wish_conversation(struct stream *stream)
{
    int conversation = (int)draw(stream, CAST_CONVERSATIONS);
    if (chance(stream, 500) && !cast_is_group(conversation)) {
        bool on = !known_is_suppressed(conversation);
        fault(FAULT_SUPPRESSED);
        known_suppress(conversation, on);
        wish_for((struct wish){.act = on ? ACT_SUPPRESS : ACT_UNSUPPRESS, .target = conversation});
        return;
    }
    fault(FAULT_MOVED);
    int line = cast_pool_of(conversation) == 0 ? (int)draw(stream, 4) : 4 + (int)draw(stream, 2);
    wish_for((struct wish){.act = ACT_MOVE, .target = conversation, .line = line});
}

void operators_mishap(struct stream *stream)
{
    uint64_t what = draw(stream, 100);
    if (what < 45)
        wish_pause(stream);
    else if (what < 65)
        wish_line(stream);
    else if (what < 85)
        wish_job(stream);
    else if (what < 93)
        wish_conversation(stream);
    else
        house_reload();
}

/* Some come with a past, which is imported before they send, or while they do. */
void operators_begin(void)
{
    for (int c = 0; c < CAST_CONVERSATIONS; c++) {
        if (wants_home(c) < 0 || wants_named_home(c))
            continue;
        fault(FAULT_IMPORTED);
        wish_for((struct wish){.act = ACT_IMPORT, .target = c, .line = wants_home(c)});
    }
}

static void resume_drained(void *self, uint64_t arg)
{
    (void)self;
    (void)arg;
    for (int line = 0; line < CAST_LINES; line++)
        if (known_is_ramped(line))
            wish_for((struct wish){.act = ACT_RESUME, .scope = PAUSE_LINE, .target = line});
}

void operators_heal(void)
{
    operators.calm = true;
    ground_in(DRAINS_OVER_US, resume_drained, NULL, 0);
    for (int i = 0; i < WISHES_MAX; i++)
        if (!operators.wishes[i].asked || known_begins(operators.wishes[i].act))
            operators.wishes[i].used = false;
    for (int scope = 0; scope < PAUSE_SCOPE_COUNT; scope++)
        for (int target = 0; target < CAST_CONVERSATIONS; target++)
            if (known_may_hold(ACT_PAUSE, (enum pause_scope)scope, target))
                wish_for((struct wish){.act = ACT_RESUME, .scope = (enum pause_scope)scope, .target = target});
    for (int line = 0; line < CAST_LINES; line++) {
        if (known_may_hold(ACT_CORDON, PAUSE_LINE, line))
            wish_for((struct wish){.act = ACT_UNCORDON, .target = line});
        if (known_may_hold(ACT_SET, PAUSE_LINE, line))
            wish_for((struct wish){.act = ACT_UNSET, .target = line});
        if (known_may_hold(ACT_DRAIN, PAUSE_LINE, line))
            wish_for((struct wish){.act = ACT_UNDRAIN, .target = line});
    }
    for (int conversation = 0; conversation < CAST_CONVERSATIONS; conversation++)
        if (known_is_suppressed(conversation))
            wish_for((struct wish){.act = ACT_UNSUPPRESS, .target = conversation});
}

bool operators_are_done(void)
{
    for (int i = 0; i < WISHES_MAX; i++)
        if (operators.wishes[i].used)
            return false;
    return true;
}
