/* account.c — what stops a whole account: the key refused, the provider's account-wide Retry-After, and the breaker
 * (DESIGN section 5): 10 s of nothing but trouble, at least 20 of it over at least 5 conversations. */
#include "broker/core/leases.h"
#include "broker/core/reputation.h"
#include "broker/core/turns.h"

#define TROUBLE_MS 10000
#define TROUBLE_COUNT 20
#define TROUBLE_CONVERSATIONS 5
#define PROBE_FIRST_MS 1000
#define PROBE_CAP_MS 30000

bool account_may_send(const struct core *core, uint32_t at, struct instant now)
{
    const struct account *account = &core->accounts[at];
    if (account->pauses > 0 || account->key_refused || account->limited_until_ms > now.mono_ms)
        return false;
    return !account->broken || (!account->probing && account->probe_at_ms <= now.mono_ms);
}

void account_touch_lines(struct core *core, uint32_t at, struct instant now)
{
    for (uint32_t l = 0; l < core->line_count; l++)
        if (core->lines[l].account == at)
            turns_touch_line(core, l, now);
}

/* The next moment at which it may send again by itself. */
static void set_timer(struct core *core, uint32_t at, struct instant now)
{
    const struct account *account = &core->accounts[at];
    int64_t next = account->missing_poll != 0 ? now.mono_ms : TIME_NEVER;
    if (next == TIME_NEVER && account->limited_until_ms > now.mono_ms)
        next = account->limited_until_ms;
    if (account->broken && !account->probing && account->probe_at_ms > now.mono_ms && account->probe_at_ms < next)
        next = account->probe_at_ms;
    mono_timer(core, MONO_ACCOUNT, at, next);
}

void account_limit(struct core *core, uint32_t at, int64_t for_ms, struct instant now)
{
    if (at == NO_ACCOUNT)
        return;
    struct account *account = &core->accounts[at];
    if (now.mono_ms + for_ms <= account->limited_until_ms)
        return;
    account->limited_until_ms = now.mono_ms + for_ms;
    set_timer(core, at, now);
    account_touch_lines(core, at, now);
}

void account_wake(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    reputation_miss_rest(core, at, now, out);
    account_touch_lines(core, at, now);
    set_timer(core, at, now);
}

void account_refuse_key(struct core *core, uint32_t at, struct instant now, struct effects *out)
{
    if (at == NO_ACCOUNT)
        return;
    struct account *account = &core->accounts[at];
    if (account->key_refused)
        return;
    account->key_refused = true;
    account->refused_ms = now.mono_ms;
    effect_alert(out, ALERT_KEY_REFUSED, 0, at);
    account_touch_lines(core, at, now);
}

void account_accept_key(struct core *core, uint32_t at, struct instant now)
{
    struct account *account = &core->accounts[at];
    if (!account->key_refused)
        return;
    account->key_refused = false;
    account_touch_lines(core, at, now);
}

static void end_count(struct account *account)
{
    account->trouble_count = 0;
    account->trouble_distinct = 0;
}

static void count_trouble(struct account *account, uint32_t conversation, struct instant now)
{
    if (account->trouble_count++ == 0)
        account->trouble_since_ms = now.mono_ms;
    for (unsigned i = 0; i < account->trouble_distinct; i++)
        if (account->trouble_conversations[i] == conversation)
            return;
    if (account->trouble_distinct < BREAKER_MEMORY)
        account->trouble_conversations[account->trouble_distinct++] = conversation;
}

static void plan_probe(struct core *core, uint32_t at, struct instant now)
{
    struct account *account = &core->accounts[at];
    int64_t wait = (int64_t)PROBE_FIRST_MS << account->probe_step;
    if (wait >= PROBE_CAP_MS)
        wait = PROBE_CAP_MS;
    else
        account->probe_step++;
    account->probing = false;
    account->probe_at_ms = now.mono_ms + wait;
    set_timer(core, at, now);
}

void account_answer(struct core *core, uint32_t at, uint32_t conversation, bool trouble, bool was_probe,
                    struct instant now, struct effects *out)
{
    if (at == NO_ACCOUNT)
        return;
    struct account *account = &core->accounts[at];
    if (!trouble) {
        end_count(account);
        if (!account->broken)
            return;
        account->broken = account->probing = false;
        account->probe_step = 0;
        effect_alert(out, ALERT_BREAKER_CLOSED, 0, at);
        account_touch_lines(core, at, now);
        return;
    }
    if (account->broken) {
        if (was_probe)
            plan_probe(core, at, now);
        return;
    }
    count_trouble(account, conversation, now);
    if (account->trouble_count < TROUBLE_COUNT || account->trouble_distinct < TROUBLE_CONVERSATIONS ||
        now.mono_ms - account->trouble_since_ms < TROUBLE_MS)
        return;
    account->broken = true;
    account->probe_step = 0;
    account->probed = NOBODY;
    end_count(account);
    plan_probe(core, at, now);
    effect_alert(out, ALERT_BREAKER_OPEN, 0, at);
    account_touch_lines(core, at, now);
}

uint32_t core_account_named(const struct core *core, uint64_t name)
{
    for (uint32_t a = 0; a < core->account_count; a++)
        if (core->accounts[a].name == name)
            return a;
    return UINT32_MAX;
}
