/* record.c — see record.h. What stands in a head is in record_walk.c. */
#include "broker/store/record_cursor.h"

#include <assert.h>
#include <string.h>

_Static_assert(SECTION_COUNT == STORE_SECTIONS, "sections of a change are sections of a record");
_Static_assert(CHANGE_KIND_COUNT <= STORE_KINDS_MAX, "every kind has its row");

size_t record_encode(const struct change *change, uint8_t out[STORE_HEAD_BYTES_MAX])
{
    struct cursor cursor = {.write = out, .bytes = STORE_HEAD_BYTES_MAX};
    struct change copy = *change; /* a walk may write what it read, the same value */
    cursor_put(&cursor, RECORD_VERSION);
    bool known = record_walk(&cursor, &copy, NULL);
    assert(known);
    (void)known;
    return cursor.at;
}

/* Of kinds whose values are too large for the change itself: it points to them. False: it is none of those. */
static bool lend_with_key(struct change *change, uint64_t key, struct record_storage *storage)
{
    switch (change->kind) {
    case CHANGE_START:
        storage->start.start = key;
        change->start = &storage->start;
        return true;
    case CHANGE_NAME:
        storage->name.number = (uint16_t)key;
        change->name = &storage->name;
        return true;
    case CHANGE_LINE:
        storage->line.number = key;
        change->line = &storage->line;
        return true;
    case CHANGE_PAUSE:
        storage->pause.id = key;
        change->pause = &storage->pause;
        return true;
    case CHANGE_ORDERS:
        storage->orders.line = key;
        change->orders = &storage->orders;
        return true;
    case CHANGE_OUTCOMES:
        storage->outcomes.pool = (uint16_t)key;
        change->outcomes = &storage->outcomes;
        return true;
    case CHANGE_ERASURE:
        storage->erasure.id = key;
        change->erasure = &storage->erasure;
        return true;
    case CHANGE_AUDIT: /* the head has its number: the key is but its shelf */
        change->audit = &storage->audit;
        return true;
    default:
        return false;
    }
}

/* Of those that the change holds. Each kind is named, so that the compiler asks for a new one. */
static void set_key(struct change *change, uint64_t key)
{
    switch (change->kind) {
    case CHANGE_JOB:
        change->job.number = key;
        break;
    case CHANGE_TRY:
        change->try.number = key;
        break;
    case CHANGE_END:
        change->end.number = key;
        break;
    case CHANGE_CONVERSATION:
    case CHANGE_FORGOTTEN:
        change->conversation.key = key;
        break;
    case CHANGE_SEEN:
        change->seen.event = key;
        break;
    case CHANGE_DELIVERY:
        change->delivery.number = key;
        break;
    case CHANGE_GATE:
        change->gate.line = key;
        break;
    case CHANGE_REPUTATION:
        change->reputation.line = key;
        break;
    case CHANGE_SUPPRESSION:
        change->suppression.key = key;
        break;
    case CHANGE_CAMPAIGN:
        change->campaign.pool = (uint16_t)(key >> 16);
        change->campaign.name = (uint16_t)key;
        break;
    case CHANGE_REPLIES:
        change->replies.class = (uint8_t)(key >> 32);
        change->replies.pool = (uint16_t)(key >> 16);
        change->replies.campaign = (uint16_t)key;
        break;
    case CHANGE_START:
    case CHANGE_NAME:
    case CHANGE_LINE:
    case CHANGE_PAUSE:
    case CHANGE_ORDERS:
    case CHANGE_OUTCOMES:
    case CHANGE_ERASURE:
    case CHANGE_AUDIT: /* lend_with_key() */
    case CHANGE_KIND_COUNT:
        break;
    }
}

/* What came from disk is checked like what comes from outside: enums within their range. */
static bool line_is_sane(const struct change_line *line)
{
    return line->word < REPUTATION_COUNT && line->previous < REPUTATION_COUNT && line->proven < REPUTATION_COUNT &&
           line->service < SERVICE_COUNT && line->source < SOURCE_COUNT && line->service_source < SOURCE_COUNT &&
           line->ramp_step <= CONF_RAMP_STEPS_MAX;
}

static bool orders_are_sane(const struct change_orders *orders)
{
    return orders->word < REPUTATION_COUNT && orders->drain < DRAIN_COUNT && orders->drain_pace_per_min >= 0 &&
           orders->drain_order < DRAIN_ORDER_COUNT && orders->drain_state < DRAIN_STATE_COUNT &&
           orders->drain_past < DRAIN_COUNT;
}

/* What waits rises, and was read. */
static bool outcomes_are_sane(const struct change_outcomes *outcomes)
{
    for (unsigned i = 0; i < outcomes->count; i++)
        if (outcomes->waiting[i] <= (i == 0 ? 0 : outcomes->waiting[i - 1]) || outcomes->waiting[i] > outcomes->read_to)
            return false;
    return true;
}

static bool is_sane(const struct change *change, const struct record_storage *storage)
{
    if (change->event.topic > TOPIC_COUNT)
        return false;
    switch (change->kind) {
    case CHANGE_JOB:
        return change->job.class < CLASS_COUNT;
    case CHANGE_TRY:
        return change->try.state < JOB_STATE_COUNT;
    case CHANGE_END:
        return change->end.state < JOB_STATE_COUNT && change->end.code < CODE_COUNT && change->end.class < CLASS_COUNT;
    case CHANGE_CONVERSATION:
        return change->conversation.health < CHAT_HEALTH_COUNT && change->conversation.waits_class < CLASS_COUNT &&
               change->conversation.unbegun < UNBEGUN_COUNT;
    case CHANGE_LINE:
        return line_is_sane(&storage->line);
    case CHANGE_PAUSE:
        return storage->pause.scope < PAUSE_SCOPE_COUNT;
    case CHANGE_ORDERS:
        return orders_are_sane(&storage->orders);
    case CHANGE_OUTCOMES:
        return outcomes_are_sane(&storage->outcomes);
    case CHANGE_NAME:
        return storage->name.kind >= NAME_POOL && storage->name.kind <= NAME_ZONE;
    case CHANGE_DELIVERY:
        return change->delivery.delivery < DELIVERY_COUNT;
    case CHANGE_GATE:
        return change->gate.gate < GATE_COUNT && change->gate.reason < REASON_COUNT;
    case CHANGE_REPUTATION:
        return change->reputation.status < REPUTATION_COUNT && change->reputation.previous < REPUTATION_COUNT &&
               change->reputation.source < SOURCE_COUNT;
    case CHANGE_SUPPRESSION:
        return change->suppression.cause < SUPPRESS_COUNT && change->suppression.causes < 1u << SUPPRESS_COUNT;
    case CHANGE_REPLIES:
        return change->replies.class < CLASS_COUNT;
    case CHANGE_AUDIT:
        return change_key(change) == storage->audit.number / AUDIT_SHELF && storage->audit.number != 0;
    case CHANGE_ERASURE:
        return storage->erasure.state < ERASURE_STATE_COUNT && storage->erasure.id != 0;
    case CHANGE_START:
    case CHANGE_FORGOTTEN:
    case CHANGE_SEEN:
    case CHANGE_CAMPAIGN:
    case CHANGE_KIND_COUNT:
        break;
    }
    return true;
}

bool record_decode(unsigned kind, uint64_t key, uint64_t seq, const void *head, size_t head_bytes,
                   struct record_storage *storage, struct change *out)
{
    const uint8_t *bytes = head;
    if (head_bytes < 1 || bytes[0] == 0 || bytes[0] > RECORD_VERSION || kind == 0 || kind >= CHANGE_KIND_COUNT)
        return false;
    struct cursor cursor = {.read = bytes, .at = 1, .bytes = head_bytes};
    memset(out, 0, sizeof *out);
    memset(storage, 0, sizeof *storage);
    out->kind = (enum change_kind)kind;
    out->event.seq = seq;
    if (!record_walk(&cursor, out, storage) || cursor.broken)
        return false;
    if (bytes[0] == RECORD_VERSION && (cursor.past_end || cursor.at != cursor.bytes))
        return false; /* only an older version may lack what came later */
    if (out->kind == CHANGE_SUPPRESSION)
        out->suppression.text = &storage->suppression;
    if (!lend_with_key(out, key, storage))
        set_key(out, key);
    return is_sane(out, storage);
}

bool record_is_newer(unsigned kind, const void *head, size_t head_bytes)
{
    const uint8_t *bytes = head;
    return kind >= CHANGE_KIND_COUNT || (head_bytes > 0 && bytes[0] > RECORD_VERSION);
}

bool record_as_change(const struct store_record *record, struct record_storage *storage, struct change *out)
{
    if (!record_decode(record->kind, record->key, record->seq, record->head, record->head_bytes, storage, out))
        return false;
    for (int i = 0; i < STORE_SECTIONS; i++)
        out->sections[i] = (struct span){record->sections[i].data, record->sections[i].bytes};
    return true;
}

enum err record_add(struct store_batch *batch, const struct change *change)
{
    uint8_t head[STORE_HEAD_BYTES_MAX];
    size_t bytes = record_encode(change, head);
    uint64_t key = change_key(change);
    struct store_section sections[STORE_SECTIONS];
    for (int i = 0; i < STORE_SECTIONS; i++)
        sections[i] = (struct store_section){change->sections[i].data, change->sections[i].bytes};
    enum err err;
    if (change->copy_mask != 0)
        err = store_batch_add_copy(batch, change->kind, key, change->event.seq, head, bytes, sections,
                                   change->copy_mask, change->copy_kind, change->copy_key, change->copy_place);
    else
        err = store_batch_add(batch, change->kind, key, change->event.seq, head, bytes, sections);
    if (err == ERR_NONE && change->release_kind != 0)
        err = store_batch_release(batch, change->release_kind,
                                  change->release_kind == CHANGE_CONVERSATION ? change->conversation.key
                                                                              : change->end.number,
                                  change->release_place);
    return err;
}

const struct store_kind *record_kinds(void)
{
    enum {
        RECIPIENTS = 1u << SECTION_RECIPIENTS,
        ENVELOPE = 1u << SECTION_ENVELOPE,
        RESULT = 1u << SECTION_RESULT,
        PAYLOAD = 1u << SECTION_PAYLOAD
    };
    static const struct store_kind kinds[STORE_KINDS_MAX] = {
        [CHANGE_START] = {"start", STORE_KEEP_RENEW, false, 0, 0},
        [CHANGE_NAME] = {"name", STORE_KEEP_RENEW, false, 0, 0},
        [CHANGE_JOB] = {"job", STORE_KEEP_WHILE_LIVE, true, RECIPIENTS | ENVELOPE, CHANGE_TRY},
        [CHANGE_TRY] = {"try", STORE_KEEP_RENEW, true, 0, 0},
        [CHANGE_END] = {"end", STORE_KEEP_HISTORY, true, RESULT | RECIPIENTS | ENVELOPE | PAYLOAD, 0},
        [CHANGE_CONVERSATION] = {"conversation", STORE_KEEP_WHILE_LIVE, false, 0, 0},
        [CHANGE_LINE] = {"line", STORE_KEEP_RENEW, false, 0, 0},
        [CHANGE_PAUSE] = {"pause", STORE_KEEP_RENEW, true, 0, 0},
        [CHANGE_SEEN] = {"seen", STORE_KEEP_HISTORY, true, 0, 0},
        [CHANGE_DELIVERY] = {"delivery", STORE_KEEP_HISTORY, true, 0, 0},
        [CHANGE_GATE] = {"gate", STORE_KEEP_HISTORY, true, 0, 0},
        [CHANGE_REPUTATION] = {"reputation", STORE_KEEP_HISTORY, true, 0, 0},
        [CHANGE_SUPPRESSION] = {"suppression", STORE_KEEP_RENEW, true, 0, 0},
        [CHANGE_ORDERS] = {"orders", STORE_KEEP_RENEW, false, 0, 0},
        [CHANGE_CAMPAIGN] = {"campaign", STORE_KEEP_RENEW, false, 0, 0},
        [CHANGE_REPLIES] = {"replies", STORE_KEEP_RENEW, false, 0, 0},
        [CHANGE_AUDIT] = {"audit", STORE_KEEP_HISTORY, true, RESULT, 0},
        [CHANGE_OUTCOMES] = {"outcomes", STORE_KEEP_RENEW, false, 0, 0},
        [CHANGE_ERASURE] = {"erasure", STORE_KEEP_RENEW, false, 0, 0},
        [CHANGE_FORGOTTEN] = {"forgotten", STORE_KEEP_HISTORY, true, 0, 0},
    };
    return kinds;
}
