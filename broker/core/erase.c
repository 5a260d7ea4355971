/* erase.c — see erase.h.
 *
 * One order is in hand; one that waits for jobs that are out lets the others go on meanwhile. All jobs are walked in slices, for those that are not due yet stand
 * in no list, and each of its conversations' jobs is cancelled. Once none is left there the conversations are forgotten. */
#include "broker/core/erase.h"

#include <string.h>

#include "broker/core/conversation.h"
#include "broker/core/enqueue.h"
#include "broker/core/forget.h"
#include "broker/core/job.h"
#include "broker/core/pause.h"
#include "broker/core/settle.h"
#include "broker/core/suppression.h"

#define LOOK_MAX     8192 /* jobs looked at in a slice ... */
#define END_MAX      256  /* ... and ended */
#define SLICE_GAP_MS 1
#define WAIT_MS      1000 /* for jobs that are still out */
#define WALK_AGAIN   10   /* such waits: one of them may be waiting again */

static bool is_open(const struct erasure *erasure)
{
    return erasure->used && erasure->change.state != ERASURE_DONE;
}

static struct erasure *by_id(const struct core *core, uint64_t id)
{
    for (uint32_t i = 0; i < ERASURES_MAX; i++)
        if (core->erasures[i].used && core->erasures[i].change.id == id)
            return &core->erasures[i];
    return NULL;
}

static struct erasure *in_hand(const struct core *core)
{
    struct erasure *erasure = by_id(core, core->erase_hand);
    return erasure != NULL && is_open(erasure) ? erasure : NULL;
}

/* A free one, or that of the oldest that is done; NULL: all are still to be done. */
static struct erasure *take(struct core *core)
{
    struct erasure *oldest = NULL;
    for (uint32_t i = 0; i < ERASURES_MAX; i++) {
        struct erasure *erasure = &core->erasures[i];
        if (!erasure->used)
            return erasure;
        if (!is_open(erasure) && (oldest == NULL || erasure->change.id < oldest->change.id))
            oldest = erasure;
    }
    return oldest;
}

static void record(const struct erasure *erasure, struct instant now, struct effects *out)
{
    if (erasure->dry)
        return;
    struct change *change = change_add(out, CHANGE_ERASURE);
    change->erasure = &erasure->change;
    change->event.at_ms = now.wall_ms;
}

static bool has_key(const struct change_erasure *change, uint64_t key)
{
    uint32_t low = 0, high = change->key_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (change->keys[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low < change->key_count && change->keys[low] == key;
}

static void add_key(struct change_erasure *change, uint64_t key)
{
    uint32_t at = change->key_count;
    if (has_key(change, key))
        return;
    if (change->key_count == ERASURE_KEYS_MAX) {
        change->more = true;
        return;
    }
    for (; at > 0 && change->keys[at - 1] > key; at--)
        change->keys[at] = change->keys[at - 1];
    change->keys[at] = key;
    change->key_count++;
}

bool erase_hides(const struct core *core, uint64_t recipient)
{
    for (uint32_t i = 0; i < ERASURES_MAX; i++) {
        const struct erasure *erasure = &core->erasures[i];
        for (uint32_t r = 0; is_open(erasure) && !erasure->dry && r < erasure->change.recipient_count; r++)
            if (erasure->change.recipients[r] == recipient)
                return true;
    }
    return false;
}

bool erase_holds(const struct core *core, uint64_t conversation)
{
    for (uint32_t i = 0; i < ERASURES_MAX; i++)
        if (is_open(&core->erasures[i]) && !core->erasures[i].dry && has_key(&core->erasures[i].change, conversation))
            return true;
    return false;
}

bool core_erases(const struct core *core, uint64_t person)
{
    return core_erased_since(core, person, TIME_NEVER);
}

bool core_erased_since(const struct core *core, uint64_t person, int64_t mono_ms)
{
    for (uint32_t i = 0; i < ERASURES_MAX; i++) {
        const struct erasure *erasure = &core->erasures[i];
        bool is_it = is_open(erasure) ? erasure->change.person == person
                                      : erasure->was == person && erasure->done_mono_ms >= mono_ms;
        if (erasure->used && !erasure->dry && is_it)
            return true;
    }
    return false;
}

bool core_is_erasing(const struct core *core)
{
    for (uint32_t i = 0; i < ERASURES_MAX; i++)
        if (is_open(&core->erasures[i]))
            return true;
    return false;
}

/* ---- which one is in hand ---- */

static bool has_jobs(const struct core *core, const struct change_erasure *change)
{
    for (uint32_t k = 0; k < change->key_count; k++) {
        uint32_t at = conversation_find(core, change->keys[k]);
        if (at != NOBODY && (core->conversations[at].tail != NOBODY || core->conversations[at].scheduled > 0))
            return true;
    }
    return false;
}

/* What it waits for is not over yet, as far as one sees at a glance. */
static bool waits(const struct core *core, const struct erasure *erasure)
{
    return erasure->waits > 0 && (erasure->stays || has_jobs(core, &erasure->change));
}

/* By number, in a ring; those that wait after all others. */
static struct erasure *next_in_turn(const struct core *core)
{
    struct erasure *next = NULL;
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < ERASURES_MAX; i++) {
        struct erasure *erasure = &core->erasures[i];
        uint64_t turn = (erasure->change.id - core->erase_hand - 1) & (UINT64_MAX >> 1);
        if (!is_open(erasure))
            continue;
        if (waits(core, erasure))
            turn |= UINT64_C(1) << 63;
        if (next == NULL || turn < least) {
            next = erasure;
            least = turn;
        }
    }
    return next;
}

/* From the first job on. */
static void walk_from(struct core *core, struct erasure *erasure)
{
    core->erase_at = 1;
    erasure->jobs_out = 0;
    if (erasure->dry)
        erasure->change.jobs = 0;
}

void erase_next(struct core *core, struct instant now)
{
    struct erasure *next = next_in_turn(core);
    core->erase_hand = next == NULL ? 0 : next->change.id;
    if (next == NULL)
        return;
    if (next->waits % WALK_AGAIN == 0)
        walk_from(core, next);
    else
        core->erase_at = core->jobs_used + 1; /* they were looked at not long ago */
    mono_timer(core, MONO_ERASE, 0, now.mono_ms + (waits(core, next) ? WAIT_MS : 0));
}

/* It waits for what may never come: the others go on, and when all of them wait each is looked at in its turn. */
static void step_aside(struct core *core, struct erasure *erasure, struct instant now)
{
    erasure->waits++;
    erase_next(core, now);
}

/* ---- ending its jobs ---- */

struct meant { /* slots of its conversations, sorted */
    uint32_t slots[ERASURE_KEYS_MAX];
    uint32_t count;
};

static void find_meant(const struct core *core, const struct change_erasure *change, struct meant *meant)
{
    meant->count = 0;
    for (uint32_t k = 0; k < change->key_count; k++) {
        uint32_t slot = conversation_find(core, change->keys[k]);
        uint32_t at = meant->count;
        if (slot == NOBODY)
            continue;
        for (; at > 0 && meant->slots[at - 1] > slot; at--)
            meant->slots[at] = meant->slots[at - 1];
        meant->slots[at] = slot;
        meant->count++;
    }
}

static bool is_meant(const struct meant *meant, uint32_t slot)
{
    uint32_t low = 0, high = meant->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (meant->slots[middle] < slot)
            low = middle + 1;
        else
            high = middle;
    }
    return low < meant->count && meant->slots[low] == slot;
}

/* True: it ended, which is work. */
static bool end_job(struct core *core, struct erasure *erasure, uint32_t slot, struct instant now, struct effects *out)
{
    const struct job *job = &core->jobs[slot];
    bool asked = (job->flags & JOB_CANCEL) != 0;
    bool waits = job_is_waiting(job) && (job->flags & (JOB_UNSETTLED | JOB_DOUBTFUL)) == 0;
    bool ended = erasure->dry ? waits : (!asked || waits) && job_cancel(core, slot, now, out);
    if (ended)
        erasure->change.jobs++;
    else
        erasure->jobs_out++;
    return ended && !erasure->dry;
}

static void walk_jobs(struct core *core, struct erasure *erasure, struct instant now, struct effects *out)
{
    struct meant meant;
    find_meant(core, &erasure->change, &meant);
    unsigned ended = 0;
    for (unsigned looked = 0; core->erase_at <= core->jobs_used && looked < LOOK_MAX && ended < END_MAX &&
                              effects_have_room(out);
         looked++) {
        uint32_t slot = core->erase_at++;
        const struct job *job = &core->jobs[slot];
        if (job->number != 0 && !job_state_is_final(job->state) && is_meant(&meant, job->conversation))
            ended += end_job(core, erasure, slot, now, out);
    }
}

/* ---- forgetting ---- */

static void hide_pauses(struct core *core, const struct change_erasure *change, struct instant now, struct effects *out)
{
    for (uint32_t p = 1; p < core->pauses_end; p++) {
        struct change_pause *pause = &core->pauses[p].change;
        bool named = pause->name[0] != '\0' || pause->reason[0] != '\0';
        if (!core->pauses[p].used || pause->scope != PAUSE_CONVERSATION || !has_key(change, pause->target) || !named)
            continue;
        memset(pause->name, 0, sizeof pause->name);
        memset(pause->reason, 0, sizeof pause->reason);
        pause_record(core, pause, false, now, out);
    }
}

/* True: none is left. */
static bool forget_all(struct core *core, const struct erasure *erasure, struct instant now, struct effects *out)
{
    bool all = true;
    for (uint32_t k = 0; k < erasure->change.key_count; k++) {
        uint32_t at = conversation_find(core, erasure->change.keys[k]);
        if (at != NOBODY)
            all = effects_have_room(out) && forget_conversation(core, at, now, out) && all;
    }
    return all;
}

static void end_dry_run(struct erasure *erasure, struct instant now)
{
    erasure->change.state = ERASURE_DONE;
    erasure->change.done_ms = now.wall_ms;
    erasure->change.conversations = erasure->change.key_count;
}

void erase_wake(struct core *core, struct instant now, struct effects *out)
{
    struct erasure *erasure = in_hand(core);
    if (erasure == NULL || erasure->change.state == ERASURE_REWRITING)
        return;
    if (core->erase_at <= core->jobs_used) {
        walk_jobs(core, erasure, now, out);
        mono_timer(core, MONO_ERASE, 0, now.mono_ms + SLICE_GAP_MS);
        return;
    }
    if (erasure->change.state == ERASURE_FINDING) /* the shell says what there is */
        return;
    if (erasure->dry) {
        end_dry_run(erasure, now);
        erase_next(core, now);
        return;
    }
    if (has_jobs(core, &erasure->change)) {
        step_aside(core, erasure, now);
        return;
    }
    erasure->jobs_out = 0;
    hide_pauses(core, &erasure->change, now, out);
    erasure->stays = !forget_all(core, erasure, now, out);
    if (erasure->stays) {
        step_aside(core, erasure, now);
        return;
    }
    erasure->waits = 0;
    erasure->change.conversations += erasure->change.key_count; /* those that were nothing but their jobs, too */
    erasure->change.state = ERASURE_REWRITING;
    record(erasure, now, out);
}

/* ---- the order ---- */

static struct erasure *same_order(const struct core *core, const struct core_erase *ask)
{
    for (uint32_t i = 0; i < ERASURES_MAX; i++)
        if (is_open(&core->erasures[i]) && core->erasures[i].dry == ask->dry_run &&
            core->erasures[i].change.person == ask->person)
            return &core->erasures[i];
    return NULL;
}

/* That they want nothing any more may be known from one of their own chats alone: from now on it is known of them, wherever
 * they are written to. A group's chat says nothing of one of its members. */
static void keep_opt_out(struct core *core, const struct core_erase *ask, uint64_t key, struct instant now,
                         struct effects *out)
{
    const struct conversation *conversation = &core->conversations[conversation_find(core, key)];
    uint32_t account = core->pools[conversation->pool].account;
    struct suppression_text nameless;
    if (ask->dry_run || conversation->health != CHAT_OPTED_OUT || account >= ask->recipient_count)
        return;
    suppression_text_set(&nameless, NULL, NULL, NULL);
    (void)suppression_add(core, account, ask->recipients[account], SUPPRESS_OPTED_OUT,
                          moment_ms(conversation->health_at), &nameless, now, out);
}

static void begin(struct core *core, struct erasure *erasure, const struct core_erase *ask, struct instant now,
                  struct effects *out)
{
    const struct erasure *hand = in_hand(core);
    bool first = hand == NULL || hand->waits > 0;
    *erasure = (struct erasure){.used = true, .dry = ask->dry_run};
    erasure->change = (struct change_erasure){
        .id = core->next_erasure++, .begun_ms = now.wall_ms, .person = ask->person, .state = ERASURE_FINDING};
    memcpy(erasure->change.by, ask->by, strnlen(ask->by, NAME_MAX_BYTES));
    for (size_t r = 0; r < ask->recipient_count && r < ERASURE_RECIPIENTS_MAX; r++)
        erasure->change.recipients[erasure->change.recipient_count++] = ask->recipients[r];
    for (size_t r = 0; r < ask->recipient_count && !ask->dry_run; r++)
        suppression_hide(core, ask->recipients[r], now, out);
    for (size_t k = 0; k < ask->key_count; k++) {
        if (conversation_find(core, ask->keys[k]) == NOBODY)
            continue;
        add_key(&erasure->change, ask->keys[k]);
        keep_opt_out(core, ask, ask->keys[k], now, out);
    }
    record(erasure, now, out);
    if (first)
        erase_next(core, now);
}

void core_erase(struct core *core, const struct core_erase *ask, struct instant now, struct effects *out)
{
    struct erasure *erasure = same_order(core, ask);
    struct effect *answer;
    if (erasure == NULL && (erasure = take(core)) != NULL)
        begin(core, erasure, ask, now, out);
    effect_answer(out, ask->token, erasure == NULL ? CODE_BUSY : CODE_NONE);
    answer = &out->effects[out->effect_count - 1];
    answer->number = erasure == NULL ? 0 : erasure->change.id;
}

bool core_erasure_task(const struct core *core, struct erasure_task *out)
{
    const struct erasure *erasure = in_hand(core);
    if (erasure == NULL || (erasure->change.state != ERASURE_FINDING && erasure->change.state != ERASURE_REWRITING))
        return false;
    *out = (struct erasure_task){.id = erasure->change.id,
                                 .rewrites = erasure->change.state == ERASURE_REWRITING,
                                 .person = erasure->change.person,
                                 .keys = erasure->change.keys,
                                 .key_count = erasure->change.key_count};
    return true;
}

void core_erasure_found(struct core *core, const struct erasure_found *found, struct instant now, struct effects *out)
{
    struct erasure *erasure = by_id(core, found->id);
    if (erasure == NULL || erasure->change.state != ERASURE_FINDING)
        return;
    for (size_t k = 0; k < found->key_count; k++)
        add_key(&erasure->change, found->keys[k]);
    erasure->change.more = erasure->change.more || found->more;
    erasure->change.state = ERASURE_ENDING;
    erasure->files = found->records;
    record(erasure, now, out);
    walk_from(core, erasure);
    mono_timer(core, MONO_ERASE, 0, now.mono_ms);
}

void core_erasure_rewritten(struct core *core, uint64_t id, uint64_t records, bool more, struct instant now,
                            struct effects *out)
{
    struct erasure *erasure = by_id(core, id);
    if (erasure == NULL || erasure->change.state != ERASURE_REWRITING)
        return;
    struct change_erasure *change = &erasure->change;
    change->records += records;
    change->key_count = 0;
    memset(change->keys, 0, sizeof change->keys);
    change->state = ERASURE_FINDING; /* another round, if there were more conversations than fit */
    if (!change->more && !more) {
        change->state = ERASURE_DONE;
        change->done_ms = now.wall_ms;
        erasure->was = change->person;
        erasure->done_mono_ms = now.mono_ms;
        change->person = 0;
        change->recipient_count = 0;
        memset(change->recipients, 0, sizeof change->recipients);
    }
    change->more = false;
    record(erasure, now, out);
    erase_next(core, now);
}

/* ---- views ---- */

static void view_of(const struct erasure *erasure, struct erasure_view *out)
{
    *out = (struct erasure_view){.id = erasure->change.id,
                                 .state = (enum erasure_state)erasure->change.state,
                                 .dry_run = erasure->dry,
                                 .begun_ms = erasure->change.begun_ms,
                                 .done_ms = erasure->change.done_ms,
                                 .jobs = erasure->change.jobs,
                                 .jobs_out = erasure->jobs_out,
                                 .conversations = erasure->change.conversations,
                                 .records = erasure->dry ? erasure->files : erasure->change.records,
                                 .by = erasure->change.by};
}

bool core_erasure_view(const struct core *core, uint64_t id, struct erasure_view *out)
{
    const struct erasure *erasure = by_id(core, id);
    if (erasure != NULL)
        view_of(erasure, out);
    return erasure != NULL;
}

uint64_t core_erasure_before(const struct core *core, uint64_t id)
{
    uint64_t before = 0;
    for (uint32_t i = 0; i < ERASURES_MAX; i++) {
        const struct erasure *erasure = &core->erasures[i];
        if (erasure->used && erasure->change.id < id && erasure->change.id > before)
            before = erasure->change.id;
    }
    return before;
}

/* ---- over a restart ---- */

void erase_renew(struct core *core, uint64_t id, struct instant now, struct effects *out)
{
    struct erasure *erasure = by_id(core, id);
    if (erasure != NULL)
        record(erasure, now, out);
}

void erase_restore(struct core *core, const struct change_erasure *change)
{
    struct erasure *erasure = by_id(core, change->id);
    if (change->id >= core->next_erasure)
        core->next_erasure = change->id + 1;
    if (erasure == NULL)
        erasure = take(core);
    if (erasure == NULL)
        return;
    *erasure = (struct erasure){.used = true, .change = *change};
}

void erase_restored(struct core *core, struct instant now)
{
    erase_next(core, now);
}
