/* suppression.c — see suppression.h. */
#include "broker/core/suppression.h"

#include <string.h>

#include "broker/core/erase.h"
#include "broker/core/purge.h"

static uint64_t key_of(const void *slots, uint32_t slot)
{
    return ((const struct suppressed *)slots)[slot].key;
}

static uint32_t *next_of(void *slots, uint32_t slot)
{
    return &((struct suppressed *)slots)[slot].next;
}

void index_suppressed(struct core *core, uint32_t *heads, uint32_t heads_max)
{
    index_init(&core->by_suppressed, heads, heads_max, core->suppressed, key_of, next_of);
}

static struct suppressed *find(const struct core *core, uint64_t recipient)
{
    bool may_be = recipient != 0 && core->suppressed_used > 0;
    uint32_t slot = may_be ? index_find(&core->by_suppressed, recipient) : 0;
    assert(core->suppressed != NULL);
    return slot == 0 ? NULL : &core->suppressed[slot];
}

bool suppression_has(const struct core *core, uint64_t recipient)
{
    return find(core, recipient) != NULL;
}

/* The key of a conversation is no recipient's. */
static uint64_t kept_as(uint64_t conversation)
{
    return conversation ^ UINT64_C(0xC2B2AE3D27D4EB4F);
}

bool suppression_stops(const struct core *core, uint64_t recipient, uint64_t conversation)
{
    return suppression_has(core, recipient) || suppression_has(core, kept_as(conversation));
}

/* ---- texts ---- */

static void set(char *out, size_t room, const char *text)
{
    size_t bytes = text == NULL ? 0 : strnlen(text, room - 1);
    if (bytes > 0)
        memcpy(out, text, bytes);
    out[bytes] = '\0';
}

void suppression_text_set(struct suppression_text *text, const char *recipient, const char *reason, const char *by)
{
    set(text->recipient, sizeof text->recipient, recipient);
    set(text->reason, sizeof text->reason, reason);
    set(text->by, sizeof text->by, by);
}

static void read_text(const struct core *core, const struct suppressed *suppressed, struct suppression_text *out)
{
    uint32_t at = suppressed->text;
    size_t offset = 0;
    texts_read(&core->texts, &at, &offset, out->recipient, sizeof out->recipient);
    texts_read(&core->texts, &at, &offset, out->reason, sizeof out->reason);
    texts_read(&core->texts, &at, &offset, out->by, sizeof out->by);
}

static void keep_text(struct core *core, struct suppressed *suppressed, const struct suppression_text *text)
{
    texts_drop(&core->texts, suppressed->text);
    suppressed->text = 0;
    if (text == NULL || (text->recipient[0] == '\0' && text->reason[0] == '\0' && text->by[0] == '\0'))
        return;
    const char *const list[] = {text->recipient, text->reason, text->by};
    suppressed->text = texts_keep(&core->texts, list, sizeof list / sizeof *list);
}

/* ---- the table ---- */

static struct suppressed *take(struct core *core, uint64_t recipient)
{
    uint32_t slot = core->suppressed_free;
    if (slot != 0)
        core->suppressed_free = core->suppressed[slot].next;
    else if (core->suppressed_used < core->limits.conversations_max)
        slot = ++core->suppressed_used;
    else
        return NULL;
    core->suppressed[slot] = (struct suppressed){.key = recipient};
    index_insert(&core->by_suppressed, slot);
    return &core->suppressed[slot];
}

static void forget(struct core *core, struct suppressed *suppressed)
{
    uint32_t slot = (uint32_t)(suppressed - core->suppressed);
    keep_text(core, suppressed, NULL);
    index_remove(&core->by_suppressed, slot);
    suppressed->key = 0;
    suppressed->next = core->suppressed_free;
    core->suppressed_free = slot;
}

void suppression_restore(struct core *core, const struct change_suppression *change, int64_t recorded_ms)
{
    struct suppressed *suppressed = find(core, change->key);
    if (change->over) {
        if (suppressed != NULL)
            forget(core, suppressed);
        return;
    }
    if (suppressed == NULL)
        suppressed = take(core, change->key);
    if (suppressed == NULL)
        return;
    suppressed->since_ms = change->since_ms;
    suppressed->account = change->account;
    suppressed->cause = change->cause;
    suppressed->causes = change->causes != 0 ? change->causes : (uint8_t)(1u << change->cause);
    /* When they opted out is not recorded where something else is harder to lift, but it was before that. */
    if ((suppressed->causes & 1u << SUPPRESS_OPTED_OUT) != 0)
        suppressed->opted_out_ms = change->cause == SUPPRESS_OPTED_OUT ? change->since_ms : recorded_ms;
    keep_text(core, suppressed, change->text);
}

static struct change_suppression *record(struct core *core, const struct suppressed *suppressed, bool over,
                                         struct instant now, struct effects *out)
{
    struct suppression_text *text = NULL;
    if (suppressed->text != 0) {
        text = &core->suppression_changes[core->suppression_change_next++ % SUPPRESSION_CHANGES];
        read_text(core, suppressed, text);
    }
    struct change *change = change_add(out, CHANGE_SUPPRESSION);
    change->event.at_ms = now.wall_ms;
    change->suppression = (struct change_suppression){.key = suppressed->key,
                                                      .account = suppressed->account,
                                                      .cause = suppressed->cause,
                                                      .over = over,
                                                      .since_ms = suppressed->since_ms,
                                                      .causes = suppressed->causes,
                                                      .text = text};
    return &change->suppression;
}

/* For a cache that others share; `handle` NULL or "": not known. */
static void name(struct core *core, struct change_suppression *change, const char *handle)
{
    if (handle == NULL || *handle == '\0')
        return;
    char *copy = core->suppression_handles[core->suppression_handle_next++ % SUPPRESSION_CHANGES];
    set(copy, sizeof *core->suppression_handles, handle);
    change->handle = copy;
}

static void end(struct core *core, struct suppressed *suppressed, const char *handle, int64_t wrote_ms,
                struct instant now, struct effects *out)
{
    uint8_t causes = suppressed->causes;
    struct change_suppression *change = record(core, suppressed, true, now, out);
    change->lifted = causes;
    change->lifted_ms = wrote_ms;
    name(core, change, handle);
    forget(core, suppressed);
}

static uint8_t hardest(unsigned causes)
{
    uint8_t cause = SUPPRESS_COUNT - 1;
    while (cause > SUPPRESS_NONE && (causes & 1u << cause) == 0)
        cause--;
    return cause;
}

/* The recipient is worth knowing whoever told it; reason and name are the operator's. */
static bool learn(struct core *core, struct suppressed *suppressed, const struct suppression_text *told)
{
    struct suppression_text known;
    read_text(core, suppressed, &known);
    struct suppression_text whole = known;
    if (erase_hides(core, suppressed->key))
        return false;
    if (told->recipient[0] != '\0')
        set(whole.recipient, sizeof whole.recipient, told->recipient);
    if (told->by[0] != '\0') {
        set(whole.reason, sizeof whole.reason, told->reason);
        set(whole.by, sizeof whole.by, told->by);
    }
    if (strcmp(whole.recipient, known.recipient) == 0 && strcmp(whole.reason, known.reason) == 0 &&
        strcmp(whole.by, known.by) == 0)
        return false;
    keep_text(core, suppressed, &whole);
    return true;
}

bool suppression_add(struct core *core, uint32_t account, uint64_t recipient, enum suppress cause,
                     int64_t since_ms, const struct suppression_text *text, struct instant now, struct effects *out)
{
    return suppression_add_named(core, core->accounts[account].name, recipient, cause, since_ms, text, now, out);
}

bool suppression_add_named(struct core *core, uint16_t account, uint64_t recipient, enum suppress cause,
                           int64_t since_ms, const struct suppression_text *text, struct instant now, struct effects *out)
{
    struct suppressed *suppressed = find(core, recipient);
    if (recipient == 0)
        return true;
    if (suppressed == NULL && (suppressed = take(core, recipient)) == NULL)
        return false;
    bool is_new = (suppressed->causes & 1u << cause) == 0;
    /* Said again, later: what was written in between does not lift it, whenever we hear of that. */
    bool later = cause == SUPPRESS_OPTED_OUT && (is_new || since_ms > suppressed->opted_out_ms);
    suppressed->causes |= (uint8_t)(1u << cause);
    uint8_t was = suppressed->cause;
    suppressed->cause = hardest(suppressed->causes);
    suppressed->account = account;
    if (later)
        suppressed->opted_out_ms = since_ms;
    if (suppressed->cause != was || (later && suppressed->cause == cause))
        suppressed->since_ms = since_ms;
    bool learnt = learn(core, suppressed, text);
    if (!is_new && !learnt && !later)
        return true;
    struct change_suppression *change = record(core, suppressed, false, now, out);
    change->added = is_new || later ? (uint8_t)(1u << cause) : 0;
    change->added_ms = since_ms;
    name(core, change, text->recipient);
    return true;
}

void suppression_hide(struct core *core, uint64_t recipient, struct instant now, struct effects *out)
{
    struct suppressed *suppressed = find(core, recipient);
    if (suppressed == NULL || suppressed->text == 0)
        return;
    struct suppression_text known;
    read_text(core, suppressed, &known);
    keep_text(core, suppressed, NULL);
    struct change_suppression *change = record(core, suppressed, false, now, out);
    change->hides = true;
    name(core, change, known.recipient); /* the same one in every account, if there are many */
}

bool suppression_keep(struct core *core, uint32_t account, uint64_t conversation, int64_t since_ms, struct instant now,
                      struct effects *out)
{
    static const struct suppression_text nameless;
    return suppression_add(core, account, kept_as(conversation), SUPPRESS_OPTED_OUT, since_ms, &nameless, now, out);
}

bool suppression_reword(struct core *core, uint32_t slot, bool (*mask)(void *self, char *text), void *self,
                        struct instant now, struct effects *out)
{
    struct suppressed *suppressed = &core->suppressed[slot];
    struct suppression_text text;
    if (suppressed->key == 0 || suppressed->text == 0)
        return false;
    read_text(core, suppressed, &text);
    struct suppression_text known = text;
    bool hides = mask(self, text.recipient);
    if (!mask(self, text.reason) && !hides)
        return false;
    keep_text(core, suppressed, &text);
    struct change_suppression *change = record(core, suppressed, false, now, out);
    change->hides = hides;
    name(core, change, hides ? known.recipient : NULL);
    return true;
}

bool suppression_lift(struct core *core, uint64_t recipient, const char *handle, int64_t at_ms, struct instant now,
                      struct effects *out)
{
    struct suppressed *suppressed = find(core, recipient);
    if (suppressed == NULL)
        return true;
    if ((suppressed->causes & 1u << SUPPRESS_OPTED_OUT) == 0 || at_ms < suppressed->opted_out_ms)
        return false;
    unsigned left = suppressed->causes & ~(1u << SUPPRESS_OPTED_OUT);
    if (left == 0) {
        end(core, suppressed, handle, at_ms, now, out);
        return true;
    }
    suppressed->causes = (uint8_t)left;
    struct change_suppression *change = record(core, suppressed, false, now, out);
    change->lifted = 1u << SUPPRESS_OPTED_OUT;
    change->lifted_ms = at_ms;
    name(core, change, handle);
    return false;
}

void suppression_lift_kept(struct core *core, const uint64_t *conversations, size_t count, int64_t at_ms,
                           struct instant now, struct effects *out)
{
    for (size_t i = 0; i < count; i++)
        suppression_lift(core, kept_as(conversations[i]), NULL, at_ms, now, out);
}

void suppression_renew(struct core *core, uint64_t recipient, struct instant now, struct effects *out)
{
    const struct suppressed *suppressed = find(core, recipient);
    if (suppressed != NULL)
        (void)record(core, suppressed, false, now, out);
}

/* ---- an operator's word, and what operators see ---- */

void core_suppress(struct core *core, const struct core_suppress *suppress, struct instant now, struct effects *out)
{
    struct suppression_text text;
    suppression_text_set(&text, suppress->handle, suppress->reason, suppress->by);
    bool there =
        suppression_add(core, suppress->account, suppress->recipient, SUPPRESS_OPERATOR, now.wall_ms, &text, now, out);
    purge_all(core, suppress->conversations, suppress->conversation_count, now, out);
    effect_answer(out, suppress->token, there ? CODE_NONE : CODE_BUSY); /* the table is full */
}

static bool end_by_hand(struct core *core, uint32_t account, uint64_t key, const char *handle, struct instant now,
                        struct effects *out)
{
    struct suppressed *suppressed = find(core, key);
    bool there = suppressed != NULL && suppressed->account == core->accounts[account].name;
    if (there)
        end(core, suppressed, handle, 0, now, out);
    return there;
}

void core_unsuppress(struct core *core, const struct core_suppress *suppress, struct instant now, struct effects *out)
{
    bool there = end_by_hand(core, suppress->account, suppress->recipient, suppress->handle, now, out);
    for (size_t i = 0; i < suppress->conversation_count; i++)
        there = end_by_hand(core, suppress->account, kept_as(suppress->conversations[i]), NULL, now, out) || there;
    if (there)
        purge_stop(core, suppress->conversations, suppress->conversation_count);
    effect_answer(out, suppress->token, there ? CODE_NONE : CODE_NOT_FOUND);
}

/* ---- what other brokers know ---- */

static unsigned causes_of(const struct core_suppression_shared *shared)
{
    unsigned causes = 0;
    for (unsigned cause = SUPPRESS_NONE + 1; cause < SUPPRESS_COUNT; cause++)
        if (shared->since_ms[cause] != 0)
            causes |= 1u << cause;
    return causes;
}

/* Of what holds here and not there, what was ended. Since when a cause that is not the hardest to lift holds is not
 * known here. */
static unsigned ended_of(const struct suppressed *suppressed, const struct core_suppression_shared *shared)
{
    unsigned ended = 0;
    for (unsigned cause = SUPPRESS_NONE + 1; cause < SUPPRESS_COUNT; cause++) {
        bool newer = cause == suppressed->cause && suppressed->since_ms > shared->ended_ms[cause];
        if ((suppressed->causes & 1u << cause) != 0 && shared->since_ms[cause] == 0 && shared->ended_ms[cause] != 0 && !newer)
            ended |= 1u << cause;
    }
    return ended;
}

static void share_end(struct core *core, struct suppressed *suppressed, const struct core_suppression_shared *shared,
                      struct instant now, struct effects *out)
{
    unsigned ended = ended_of(suppressed, shared), left = suppressed->causes & ~ended;
    if (ended == 0)
        return;
    if (left == 0) {
        end(core, suppressed, NULL, 0, now, out);
        purge_stop(core, shared->conversations, shared->conversation_count);
        return;
    }
    bool falls = (ended & 1u << suppressed->cause) != 0;
    suppressed->causes = (uint8_t)left;
    suppressed->cause = hardest(left);
    if (falls && shared->since_ms[suppressed->cause] != 0)
        suppressed->since_ms = shared->since_ms[suppressed->cause];
    (void)record(core, suppressed, false, now, out);
}

/* Told by several, a cause holds there since the latest of them: whoever ends it ends all of that. */
static void share_since(struct core *core, struct suppressed *suppressed, const struct core_suppression_shared *shared,
                        struct instant now, struct effects *out)
{
    if (shared->since_ms[suppressed->cause] <= suppressed->since_ms)
        return;
    suppressed->since_ms = shared->since_ms[suppressed->cause];
    (void)record(core, suppressed, false, now, out);
}

bool core_suppression_shared(struct core *core, const struct core_suppression_shared *shared, unsigned *untold,
                             struct instant now, struct effects *out)
{
    struct suppression_text text;
    unsigned causes = causes_of(shared);
    bool was = suppression_has(core, shared->recipient);
    *untold = 0;
    /* A name that is not kept here was taken out (an erasure): it does not come back by another broker. */
    suppression_text_set(&text, was ? NULL : shared->handle, NULL, NULL);
    for (unsigned cause = SUPPRESS_NONE + 1; cause < SUPPRESS_COUNT; cause++)
        if (shared->since_ms[cause] != 0)
            (void)suppression_add(core, shared->account, shared->recipient, (enum suppress)cause,
                                  shared->since_ms[cause], &text, now, out);
    struct suppressed *suppressed = find(core, shared->recipient);
    if (suppressed == NULL)
        return causes == 0;
    if (!was)
        purge_all(core, shared->conversations, shared->conversation_count, now, out);
    share_since(core, suppressed, shared, now, out);
    if (shared->only_more)
        return true;
    *untold = suppressed->causes & ~causes & ~ended_of(suppressed, shared);
    share_end(core, suppressed, shared, now, out);
    return true;
}

static struct suppression_view view_of(const struct core *core, uint32_t account, const struct suppressed *suppressed)
{
    struct suppression_view view = {.account = account,
                                    .cause = (enum suppress)suppressed->cause,
                                    .causes = suppressed->causes,
                                    .since_ms = suppressed->since_ms};
    read_text(core, suppressed, &view.text);
    return view;
}

bool suppression_read(const struct core *core, uint32_t slot, struct suppression_view *out)
{
    const struct suppressed *suppressed = &core->suppressed[slot];
    uint32_t account = suppressed->key == 0 ? UINT32_MAX : core_account_named(core, suppressed->account);
    if (account == UINT32_MAX)
        return false;
    *out = view_of(core, account, suppressed);
    return true;
}

bool core_suppression_view(const struct core *core, uint32_t account, uint64_t recipient, struct suppression_view *out)
{
    const struct suppressed *suppressed = find(core, recipient);
    if (suppressed == NULL || suppressed->account != core->accounts[account].name)
        return false;
    *out = view_of(core, account, suppressed);
    return true;
}

bool core_suppression_kept(const struct core *core, uint32_t account, const uint64_t *conversations, size_t count,
                           struct suppression_view *out)
{
    for (size_t i = 0; i < count; i++)
        if (core_suppression_view(core, account, kept_as(conversations[i]), out))
            return true;
    return false;
}

bool core_suppressions_walk(const struct core *core, uint32_t account, uint32_t *cursor, uint32_t limit,
                            void (*visit)(void *self, const struct suppression_view *view), void *self)
{
    uint32_t slot = *cursor == 0 ? 1 : *cursor;
    uint64_t last = (uint64_t)slot + limit;
    for (; slot <= core->suppressed_used && slot < last; slot++) {
        const struct suppressed *suppressed = &core->suppressed[slot];
        if (suppressed->key == 0 || suppressed->account != core->accounts[account].name)
            continue;
        struct suppression_view view = view_of(core, account, suppressed);
        visit(self, &view);
    }
    *cursor = slot;
    return slot <= core->suppressed_used;
}
