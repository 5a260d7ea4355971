/* budget.c — what a line has spent and may spend, in buckets of ten minutes: may count up to ten minutes too much,
 * never too little (PROTOCOL, Configuration; DESIGN trap 8). The pair limit, which is a conversation's, is pair.c's. */
#include "broker/core/conversation.h"
#include "broker/core/line.h"

#define HOUR_BUCKETS (3600000 / BUDGET_BUCKET_MS + 1) /* and the bucket under way */
#define DAY_BUCKETS  (LEVEL_DAY_MS / BUDGET_BUCKET_MS)

static void advance(struct budget_window *window, int64_t bucket)
{
    if (bucket <= window->newest)
        return;
    int64_t steps = bucket - window->newest;
    if (steps > BUDGET_BUCKETS)
        steps = BUDGET_BUCKETS;
    for (int64_t i = 0; i < steps; i++) {
        uint16_t *old = &window->count[(bucket - i) % BUDGET_BUCKETS];
        window->sum -= *old;
        *old = 0;
    }
    window->newest = bucket;
}

/* Of the buckets first .. last, as far as the window remembers them. */
static unsigned sum_of(const struct budget_window *window, int64_t first, int64_t last)
{
    unsigned sum = 0;
    if (first <= window->newest - BUDGET_BUCKETS)
        first = window->newest - BUDGET_BUCKETS + 1;
    if (last > window->newest)
        last = window->newest;
    for (int64_t b = first < 0 ? 0 : first; b <= last; b++)
        sum += window->count[b % BUDGET_BUCKETS];
    return sum;
}

unsigned budget_used(const struct budget_window *window, int64_t wall_ms)
{
    int64_t oldest = wall_ms / BUDGET_BUCKET_MS - BUDGET_BUCKETS + 1;
    return window->sum - sum_of(window, INT64_MIN + BUDGET_BUCKETS, oldest - 1);
}

void budget_add(struct budget_window *window, int64_t wall_ms, int delta, int64_t bucket)
{
    advance(window, wall_ms / BUDGET_BUCKET_MS);
    if (bucket > window->newest || bucket <= window->newest - BUDGET_BUCKETS)
        return; /* the clock went back a day, or a debit to return has left the window by itself */
    uint16_t *count = &window->count[bucket % BUDGET_BUCKETS];
    for (int64_t at = bucket; delta > 0 && *count == UINT16_MAX && --at > window->newest - BUDGET_BUCKETS;)
        count = &window->count[at % BUDGET_BUCKETS]; /* more than it can hold counts among those before */
    if (delta > 0 && *count < UINT16_MAX) {
        (*count)++;
        window->sum++;
    } else if (delta < 0 && *count > 0) {
        (*count)--;
        window->sum--;
    }
}

void budget_add_many(struct budget_window *window, int64_t wall_ms, unsigned count)
{
    int64_t bucket = wall_ms / BUDGET_BUCKET_MS;
    advance(window, bucket);
    uint16_t *at = &window->count[bucket % BUDGET_BUCKETS];
    unsigned room = UINT16_MAX - *at;
    *at = (uint16_t)(*at + (count < room ? count : room));
    window->sum += count < room ? count : room;
}

void budget_restore(struct budget_window *window, int64_t bucket, uint16_t count)
{
    if (bucket <= 0)
        return;
    advance(window, bucket);
    if (bucket <= window->newest - BUDGET_BUCKETS)
        return;
    uint16_t *at = &window->count[bucket % BUDGET_BUCKETS];
    if (count <= *at)
        return;
    window->sum += count - *at;
    *at = count;
}

void budget_merge(struct budget_window *window, const struct budget_window *other)
{
    for (int64_t bucket = other->newest; bucket > other->newest - BUDGET_BUCKETS && bucket > 0; bucket--)
        budget_restore(window, bucket, other->count[bucket % BUDGET_BUCKETS]);
}

void budget_back(struct budget_window *window, int64_t bucket)
{
    struct budget_window before = *window;
    if (window->newest <= bucket)
        return;
    for (int64_t ago = 0; ago < BUDGET_BUCKETS && ago <= bucket; ago++)
        window->count[(bucket - ago) % BUDGET_BUCKETS] =
            ago <= before.newest ? before.count[(before.newest - ago) % BUDGET_BUCKETS] : 0;
    window->newest = bucket;
}

void budget_gather(struct budget_window *window, int64_t bucket)
{
    unsigned ahead = 0;
    if (window->newest <= bucket)
        return;
    for (int64_t b = window->newest; b > bucket && b > window->newest - BUDGET_BUCKETS; b--) {
        ahead += window->count[b % BUDGET_BUCKETS];
        window->count[b % BUDGET_BUCKETS] = 0;
    }
    window->sum -= ahead;
    window->newest = bucket;
    budget_add_many(window, bucket * BUDGET_BUCKET_MS, ahead);
}

/* ---- the line's own level ---- */

static unsigned day_sum(const struct line *line, int64_t day)
{
    return sum_of(&line->known.out, day * DAY_BUCKETS, (day + 1) * DAY_BUCKETS - 1);
}

void level_begin_day(struct line *line, struct instant now)
{
    struct change_line *known = &line->known;
    int64_t day = now.wall_ms / LEVEL_DAY_MS;
    if (day <= known->day)
        return;
    int64_t gap = day - known->day;
    unsigned last = day_sum(line, known->day);
    for (int64_t i = LEVEL_DAYS - 1; i >= 0; i--)
        known->days[i] = i >= gap ? known->days[i - gap] : i == gap - 1 ? last : 0;
    known->day = day;
}

int64_t level_of(const struct line *line, struct instant now)
{
    int64_t gap = now.wall_ms / LEVEL_DAY_MS - line->known.day; /* of days that did not begin with a message */
    int64_t sum = 0, days = 0;
    gap = gap < 0 ? 0 : gap;
    for (int64_t i = 0; i < LEVEL_DAYS; i++) {
        int64_t count = i >= gap ? line->known.days[i - gap] : i == gap - 1 ? day_sum(line, line->known.day) : 0;
        sum += count;
        days += count > 0;
    }
    int64_t own = days == 0 ? 0 : sum / days;
    return own > line->daily_level ? own : line->daily_level;
}

static int64_t growth_limit(const struct core *core, const struct line *line, struct instant now)
{
    const struct policy *policy = line_policy(core, line);
    if (policy->growth_factor <= 0 || policy->growth_floor == 0)
        return 0;
    double limit = policy->growth_factor * (double)level_of(line, now);
    return limit > (double)policy->growth_floor ? (int64_t)limit : policy->growth_floor;
}

/* ---- what is left ---- */

struct budget_rule {
    const struct budget_window *window;
    int64_t buckets, limit;
};

static struct budget_rule rule_of(const struct core *core, const struct line *line, enum budget budget,
                                  struct instant now)
{
    const struct policy *policy = line_policy(core, line);
    switch (budget) {
    case BUDGET_NEW_CONVERSATIONS:
        return (struct budget_rule){&line->known.fresh, BUDGET_BUCKETS, policy->fresh_per_day};
    case BUDGET_RECIPIENTS:
        return (struct budget_rule){&line->recipients, HOUR_BUCKETS, policy->recipients_per_hour};
    case BUDGET_DAILY:
        return (struct budget_rule){&line->known.messages, BUDGET_BUCKETS, policy->daily_messages};
    case BUDGET_GROWTH:
        return (struct budget_rule){&line->known.out, BUDGET_BUCKETS, growth_limit(core, line, now)};
    case BUDGET_PAIR:
    case BUDGET_COUNT:
        break;
    }
    assert(false);
    return (struct budget_rule){&line->known.messages, BUDGET_BUCKETS, 0};
}

static unsigned used_by_rule(const struct budget_rule *rule, struct instant now)
{
    int64_t bucket = now.wall_ms / BUDGET_BUCKET_MS;
    return rule->buckets == BUDGET_BUCKETS ? budget_used(rule->window, now.wall_ms)
                                           : sum_of(rule->window, bucket - rule->buckets + 1, INT64_MAX);
}

struct budget_state budget_state(const struct core *core, const struct line *line, enum budget budget,
                                 struct instant now)
{
    struct budget_rule rule = rule_of(core, line, budget, now);
    return (struct budget_state){.used = used_by_rule(&rule, now), .limit = rule.limit};
}

bool budget_left(const struct core *core, const struct line *line, enum budget budget, struct instant now)
{
    struct budget_rule rule = rule_of(core, line, budget, now);
    return rule.limit == 0 || used_by_rule(&rule, now) < rule.limit;
}

int64_t budget_free_at(const struct core *core, const struct line *line, enum budget budget, struct instant now)
{
    struct budget_rule rule = rule_of(core, line, budget, now);
    int64_t too_many = rule.limit == 0 ? 0 : (int64_t)used_by_rule(&rule, now) - rule.limit + 1;
    int64_t bucket = now.wall_ms / BUDGET_BUCKET_MS - rule.buckets;
    while (too_many > 0 && bucket < rule.window->newest) {
        bucket++;
        too_many -= sum_of(rule.window, bucket, bucket);
    }
    int64_t free_ms = (bucket + rule.buckets) * BUDGET_BUCKET_MS;
    int64_t next_day_ms = (now.wall_ms / LEVEL_DAY_MS + 1) * LEVEL_DAY_MS; /* the level may be another then */
    return budget == BUDGET_GROWTH && next_day_ms < free_ms ? next_day_ms : free_ms;
}

/* ---- recipients: a conversation that lives on a line counts there, in the bucket of its newest message ---- */

static int64_t out_bucket(const struct conversation *conversation)
{
    return moment_ms(conversation->last_out) / BUDGET_BUCKET_MS;
}

static bool within_the_hour(const struct conversation *conversation, struct instant now)
{
    return conversation->last_out != 0 && out_bucket(conversation) + HOUR_BUCKETS > now.wall_ms / BUDGET_BUCKET_MS;
}

static void count_recipient(struct core *core, const struct conversation *conversation, int delta, int64_t latest)
{
    int64_t bucket = out_bucket(conversation);
    if ((conversation->flags & CONVERSATION_BOUND) == 0 || conversation->last_out == 0)
        return;
    struct budget_window *window = &core->lines[conversation->line].recipients;
    bucket = bucket < latest ? bucket : latest;
    if (delta < 0 && bucket > window->newest) /* the clock went back, and what counted then was gathered there */
        bucket = window->newest;
    budget_add(window, bucket * BUDGET_BUCKET_MS, delta, bucket);
}

/* A line that is beyond its limit (lowered, or counted too high by a restart) lets nobody pass for free. */
bool recipient_is_spent(const struct core *core, const struct conversation *conversation, struct instant now)
{
    if ((conversation->flags & CONVERSATION_BOUND) == 0)
        return core->pools[conversation->pool].policy.recipients_per_hour == 0; /* there is nothing to spend */
    /* The line's, which may be another pool's by now. */
    struct budget_state state = budget_state(core, &core->lines[conversation->line], BUDGET_RECIPIENTS, now);
    return state.limit == 0 || (within_the_hour(conversation, now) && state.used <= state.limit);
}

void recipient_set_out(struct core *core, struct conversation *conversation, uint32_t moment)
{
    count_recipient(core, conversation, -1, INT64_MAX);
    conversation->last_out = moment & 0x3FFFFFFF;
    count_recipient(core, conversation, 1, INT64_MAX);
}

void recipient_arrives(struct core *core, const struct conversation *conversation)
{
    count_recipient(core, conversation, 1, INT64_MAX);
}

void recipient_unarrives(struct core *core, const struct conversation *conversation)
{
    count_recipient(core, conversation, -1, INT64_MAX);
}

void recipient_leaves(struct core *core, const struct conversation *conversation, struct instant now,
                      struct effects *out)
{
    bool has_left = (conversation->flags & (CONVERSATION_BOUND | CONVERSATION_PINNED)) == CONVERSATION_PINNED;
    if (has_left || conversation_is_unbegun(conversation) || conversation->line == NO_LINE ||
        !within_the_hour(conversation, now))
        return; /* a try that made nothing left no line */
    assert(conversation->line < core->line_count);
    budget_add(&core->lines[conversation->line].known.away, now.wall_ms, 1, out_bucket(conversation));
    line_record(core, conversation->line, now, out);
}

void recipients_restore(struct core *core, struct instant now)
{
    int64_t bucket = now.wall_ms / BUDGET_BUCKET_MS; /* none lies later, unless the clock went back (jump.h) */
    for (uint32_t l = 0; l < core->line_count; l++) {
        core->lines[l].recipients = core->lines[l].known.away;
        budget_gather(&core->lines[l].recipients, bucket);
    }
    for (uint32_t at = 1; at <= core->conversations_used; at++)
        if (core->conversations[at].key != 0)
            count_recipient(core, &core->conversations[at], 1, bucket);
}
