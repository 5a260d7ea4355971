/* pause_count.c — see pause_count.h. A conversation is counted once: all pauses but a campaign's lie on all of its jobs
 * alike, so one set of the conversations met does for them; each paused campaign has a set of its own. */
#include "broker/edge/pause_count.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS_PER_SLICE 2048
#define CAMPAIGNS_MAX   16 /* that are counted by recipients */

struct seen { /* conversations met, a bit each */
    uint32_t pause; /* slot of the campaign's; 0: free */
    uint64_t *bits;
};

struct sums { /* by slot of the pause */
    struct pause_sum *at;
    uint64_t id_end; /* pauses from this number on are younger */
    uint64_t mark;
    int64_t wall_ms, mono_ms; /* when it began */
    uint32_t walked;          /* slots */
};

struct pause_count {
    struct sums done, under_way;
    uint32_t slots;
    bool running, whole; /* whole: `done` says something */
    uint32_t cursor, conversations;
    struct seen all, campaigns[CAMPAIGNS_MAX];
    const struct core *core; /* of the slice under way */
};

struct pause_count *pause_count_new(void)
{
    return calloc(1, sizeof(struct pause_count));
}

static void free_seen(struct pause_count *count)
{
    free(count->all.bits);
    count->all = (struct seen){0};
    for (size_t i = 0; i < CAMPAIGNS_MAX; i++) {
        free(count->campaigns[i].bits);
        count->campaigns[i] = (struct seen){0};
    }
}

void pause_count_free(struct pause_count **count_p)
{
    struct pause_count *count = *count_p;
    if (count == NULL)
        return;
    *count_p = NULL;
    free_seen(count);
    free(count->done.at);
    free(count->under_way.at);
    free(count);
}

/* ---- the walk ---- */

static bool take_memory(struct pause_count *count, const struct core *core)
{
    count->slots = core_pauses_max(core);
    if (count->done.at == NULL)
        count->done.at = calloc(count->slots, sizeof *count->done.at);
    if (count->under_way.at == NULL)
        count->under_way.at = calloc(count->slots, sizeof *count->under_way.at);
    count->conversations = core_held_conversations(core);
    count->all.bits = calloc(count->conversations / 64 + 1, sizeof *count->all.bits);
    return count->done.at != NULL && count->under_way.at != NULL && count->all.bits != NULL;
}

bool pause_count_ask(struct pause_count *count, const struct core *core, struct instant now)
{
    int64_t good_ms = PAUSE_COUNT_FRESH_MS + count->done.walked / PAUSE_COUNT_SLOTS_A_MS;
    bool fresh = count->whole && count->done.mark == core_pauses_mark(core) && now.mono_ms - count->done.mono_ms < good_ms;
    if (count->running || fresh)
        return true;
    if (!take_memory(count, core)) {
        free_seen(count);
        return false;
    }
    memset(count->under_way.at, 0, count->slots * sizeof *count->under_way.at);
    count->under_way.mark = core_pauses_mark(core);
    count->under_way.id_end = core_next_pause(core);
    count->under_way.wall_ms = now.wall_ms;
    count->under_way.mono_ms = now.mono_ms;
    count->cursor = 0;
    count->running = true;
    return true;
}

bool pause_count_runs(const struct pause_count *count)
{
    return count->running;
}

/* True: it was not met before. Conversations that have come since the walk began are not told apart, and not counted. */
static bool meet(const struct pause_count *count, struct seen *seen, uint32_t conversation)
{
    if (conversation >= count->conversations)
        return false;
    uint64_t bit = UINT64_C(1) << conversation % 64;
    bool is_new = (seen->bits[conversation / 64] & bit) == 0;
    seen->bits[conversation / 64] |= bit;
    return is_new;
}

/* The set of that campaign's pause; NULL: there is no room for one more. */
static struct seen *seen_of(struct pause_count *count, uint32_t pause)
{
    for (size_t i = 0; i < CAMPAIGNS_MAX; i++) {
        struct seen *seen = &count->campaigns[i];
        if (seen->pause == pause)
            return seen;
        if (seen->pause != 0)
            continue;
        seen->bits = calloc(count->conversations / 64 + 1, sizeof *seen->bits);
        seen->pause = seen->bits != NULL ? pause : 0;
        return seen->bits != NULL ? seen : NULL;
    }
    return NULL;
}

static void add(struct pause_count *count, uint32_t pause, const struct held_job *job, bool is_new)
{
    struct pause_sum *sum = &count->under_way.at[pause];
    uint64_t id = core_pause_id(count->core, pause);
    if (sum->id != id) /* the first one, or the slot has become another pause's */
        *sum = (struct pause_sum){.id = id};
    sum->jobs++;
    sum->recipients += is_new && sum->recipients >= 0;
    if (sum->oldest == 0 || job->number < sum->oldest) /* numbers grow with acceptance: their high bits are a count */
        sum->oldest = job->number;
}

static void add_campaign(struct pause_count *count, uint32_t pause, const struct held_job *job)
{
    struct seen *seen = seen_of(count, pause);
    add(count, pause, job, seen != NULL && meet(count, seen, job->conversation));
    if (seen == NULL)
        count->under_way.at[pause].recipients = -1;
}

static void take(void *self, const struct held_job *job)
{
    struct pause_count *count = self;
    bool is_new = meet(count, &count->all, job->conversation);
    for (int scope = 0; scope < PAUSE_SCOPE_COUNT; scope++) {
        if (job->pauses[scope] == 0)
            continue;
        if (scope == PAUSE_CAMPAIGN)
            add_campaign(count, job->pauses[scope], job);
        else
            add(count, job->pauses[scope], job, is_new);
    }
}

bool pause_count_slice(struct pause_count *count, const struct core *core)
{
    count->core = core;
    if (!count->running)
        return false;
    if (core_held_walk(core, &count->cursor, SLOTS_PER_SLICE, take, count))
        return true;
    struct sums before = count->done;
    count->under_way.walked = count->cursor;
    count->done = count->under_way;
    count->under_way = before;
    count->whole = true;
    count->running = false;
    free_seen(count);
    return false;
}

bool pause_count_find(const struct pause_count *count, const struct core *core, const struct pause_view *pause,
                      struct pause_sum *out)
{
    if (!count->whole || pause->first_id >= count->done.id_end)
        return false;
    const struct pause_sum *sum = &count->done.at[pause->first];
    bool met = sum->id == pause->first_id;
    *out = met ? *sum : (struct pause_sum){0};
    return met || count->done.mark == core_pauses_mark(core); /* else it may have lain behind another one then */
}

int64_t pause_count_at_ms(const struct pause_count *count)
{
    return count->whole ? count->done.wall_ms : 0;
}
