/* erase.c — see erase.h.
 *
 * Of a job, its end and its conversation nothing stays but the head: numbers, moments and keyed hashes, by which an id
 * answers `duplicate` as before and a number is never given again. In what operators did, said and paused the name alone
 * is taken out. */
#include "broker/erase.h"

#include <errno.h>
#include <string.h>

#include "broker/broker_part.h"
#include "broker/edge/named.h"
#include "broker/store/record.h"
#include "lineward/log.h"

#define AGAIN_MS 2000  /* after a pass that found no room, or could not read */
#define AGAIN_MAX_MS (10 * 60 * 1000) /* the wait doubles up to this: what is wrong may stay so */
#define TOLD_MS  60000 /* outcome webhooks have so long to tell how the jobs ended, with id and meta */
#define LOOK_MS  100
#define SLICE_GAP_MS 1

/* ---- one record ---- */

static bool has_key(const uint64_t *keys, size_t count, uint64_t key)
{
    for (size_t i = 0; i < count; i++)
        if (keys[i] == key)
            return true;
    return false;
}

static uint64_t conversation_of(const struct change *change)
{
    if (change->kind == CHANGE_JOB)
        return change->job.conversation;
    return change->kind == CHANGE_END ? change->end.conversation : change->conversation.key;
}

static void note_found(struct erasing *work, uint64_t key)
{
    if (work->found_count < ERASE_FOUND_MAX && !has_key(work->found, work->found_count, key))
        work->found[work->found_count++] = key;
}

/* Its sections went already. */
static bool is_blank(const struct store_record *record)
{
    const struct store_section *last = &record->sections[SECTION_PAYLOAD];
    const char *text = last->data;
    for (unsigned i = 0; i < SECTION_PAYLOAD; i++)
        if (record->sections[i].bytes > 0)
            return false;
    for (size_t i = last->bytes >= 4 && memcmp(text, "null", 4) == 0 ? 4 : 0; i < last->bytes; i++)
        if (text[i] != ' ')
            return false;
    return true;
}

/* One that is theirs though its conversation is not in hand waits for the next round: its job may be alive. */
static enum store_passed pass_job(struct erasing *work, const struct store_record *record, const struct change *change)
{
    const struct store_section *to = &record->sections[SECTION_RECIPIENTS];
    uint64_t key = conversation_of(change);
    bool in_hand = has_key(work->keys, work->key_count, key);
    bool names = !in_hand && named_among(work->hash, work->person, (struct span){to->data, to->bytes});
    if (is_blank(record) || (!in_hand && !names))
        return STORE_PASSED_AS_IT_IS;
    work->records++;
    if (names)
        note_found(work, key);
    return in_hand ? STORE_PASSED_BLANK : STORE_PASSED_AS_IT_IS;
}

/* The texts of a pause, a suppression or an operator's reputation stand in its head. */
static enum store_passed pass_head(struct erasing *work, const struct store_record *record, struct change *change,
                                   struct record_storage *storage, uint8_t *head)
{
    uint8_t masked[STORE_HEAD_BYTES_MAX];
    size_t count = 0;
    if (change->kind == CHANGE_PAUSE) {
        count += named_in(work->hash, work->person, storage->pause.name, strlen(storage->pause.name), true);
        count += named_in(work->hash, work->person, storage->pause.reason, strlen(storage->pause.reason), true);
    } else if (change->kind == CHANGE_ORDERS) {
        char *reason = storage->orders.word_reason;
        count += named_in(work->hash, work->person, reason, strlen(reason), true);
    } else {
        struct suppression_text *text = &storage->suppression;
        count += named_in(work->hash, work->person, text->recipient, strlen(text->recipient), true);
        count += named_in(work->hash, work->person, text->reason, strlen(text->reason), true);
    }
    if (count == 0)
        return STORE_PASSED_AS_IT_IS;
    work->records++;
    size_t bytes = record_encode(change, masked);
    if (bytes > record->head_bytes) /* an older head, which is shorter and stays what it is, its version too */
        bytes = record->head_bytes;
    memcpy(head + 1, masked + 1, bytes - 1);
    return STORE_PASSED_CHANGED;
}

static enum store_passed pass_audit(struct erasing *work, const struct store_record *record, uint8_t *document)
{
    size_t bytes = record->sections[SECTION_RESULT].bytes;
    if (named_in_json(work->hash, work->person, (char *)document, bytes, true) == 0)
        return STORE_PASSED_AS_IT_IS;
    work->records++;
    return STORE_PASSED_CHANGED;
}

enum store_passed erasing_visit(void *self, const struct store_record *record, uint8_t *head,
                                uint8_t *const sections[STORE_SECTIONS])
{
    struct erasing *work = self;
    struct record_storage storage;
    struct change change;
    switch (record->kind) {
    case CHANGE_JOB:
    case CHANGE_END:
    case CHANGE_CONVERSATION:
    case CHANGE_PAUSE:
    case CHANGE_SUPPRESSION:
    case CHANGE_ORDERS:
    case CHANGE_AUDIT:
        break;
    default:
        return STORE_PASSED_AS_IT_IS;
    }
    if (!record_as_change(record, &storage, &change))
        return STORE_PASSED_AS_IT_IS;
    if (record->kind == CHANGE_AUDIT)
        return pass_audit(work, record, sections[SECTION_RESULT]);
    if (record->kind == CHANGE_PAUSE || record->kind == CHANGE_SUPPRESSION || record->kind == CHANGE_ORDERS)
        return pass_head(work, record, &change, &storage, head);
    return pass_job(work, record, &change);
}

/* ---- the broker's turns ---- */

static void begin(struct broker *broker, const struct erasure_task *task)
{
    struct broker_erase *erase = &broker->erase;
    struct store_pass pass = {.self = &erase->work, .visit = erasing_visit, .writes = task->rewrites};
    erase->work = (struct erasing){
        .hash = &broker->hash, .person = task->person, .rewrites = task->rewrites, .key_count = task->key_count};
    memcpy(erase->work.keys, task->keys, task->key_count * sizeof *task->keys);
    erase->id = task->id;
    erase->on = store_pass_begin(broker->store, &pass) == ERR_NONE;
}

/* `changed`: records that the pass has overwritten; it shows those of a segment that changes twice. */
static void report(struct broker *broker, uint64_t changed)
{
    struct broker_erase *erase = &broker->erase;
    const struct erasing *work = &erase->work;
    bool more = work->found_count == ERASE_FOUND_MAX;
    if (work->rewrites) {
        core_erasure_rewritten(broker->core, erase->id, changed, work->found_count > 0, broker->now, &broker->effects);
        log_event(LOG_INFO, "erasure_rewritten", "erasure=%llu records=%llu", (unsigned long long)erase->id,
                  (unsigned long long)changed);
    } else {
        const struct erasure_found found = {.id = erase->id,
                                            .keys = work->found,
                                            .key_count = work->found_count,
                                            .more = more,
                                            .records = work->records};
        core_erasure_found(broker->core, &found, broker->now, &broker->effects);
    }
    broker_persist(broker, broker->now, &broker->effects);
}

int64_t erasing_wait_ms(int64_t last_ms)
{
    int64_t wait_ms = last_ms == 0 ? AGAIN_MS : last_ms * 2;
    return wait_ms < AGAIN_MAX_MS ? wait_ms : AGAIN_MAX_MS;
}

/* False: it goes on. */
static bool has_ended(struct broker *broker)
{
    struct broker_erase *erase = &broker->erase;
    struct store_pass_state state;
    store_pass_state(broker->store, &state);
    if (state.on)
        return false;
    erase->on = false;
    if (state.error == 0) {
        erase->wait_ms = 0;
        report(broker, state.records);
        return true;
    }
    erase->wait_ms = erasing_wait_ms(erase->wait_ms);
    erase->again_ms = broker->now.mono_ms + erase->wait_ms;
    erase->bound_id = 0;
    if (state.error == -EAGAIN) { /* so that there is something in the segment in use, which is to be left */
        core_renew(broker->core, CHANGE_ERASURE, erase->id, broker->now, &broker->effects);
        broker_persist(broker, broker->now, &broker->effects);
    }
    log_event(LOG_WARN, "erasure_interrupted", "erasure=%llu reason=\"%s\"", (unsigned long long)erase->id,
              strerror(-state.error));
    return true;
}

static bool mask_name(void *self, char *text)
{
    const struct broker *broker = self;
    return named_in(&broker->hash, broker->erase.hidden, text, strlen(text), true) > 0;
}

/* What is in force is written anew by cleaning: so its texts must not name them either. True: that was all. */
static bool reword(struct broker *broker)
{
    struct broker_erase *erase = &broker->erase;
    bool more = core_reword(broker->core, &erase->rewording, mask_name, broker, broker->now, &broker->effects);
    broker_persist(broker, broker->now, &broker->effects);
    return !more;
}

/* A platform that is told by webhook hears how the jobs ended before their ids are gone. */
static bool are_told(const struct broker *broker, uint64_t seq)
{
    for (uint32_t p = 0; p < broker->conf->pool_count; p++) {
        const struct change_outcomes *mark = core_outcomes(broker->core, p);
        if (broker->conf->pools[p].outcome_url == NULL)
            continue;
        if (mark == NULL || mark->read_to + 1 < seq || (mark->count > 0 && mark->waiting[0] < seq))
            return false;
    }
    return true;
}

static bool await_told(struct broker *broker)
{
    struct broker_erase *erase = &broker->erase;
    if (broker->now.mono_ms >= erase->told_by_ms || are_told(broker, erase->told_seq))
        return true;
    erase->again_ms = broker->now.mono_ms + LOOK_MS;
    return false;
}

/* Everything that the core said before is to be on the disk first, for what is overwritten is what lies there then. */
static bool may_rewrite(struct broker *broker, const struct erasure_task *task)
{
    struct broker_erase *erase = &broker->erase;
    if (erase->hidden_id != task->id) {
        erase->hidden_id = task->id;
        erase->hidden = task->person;
        erase->rewording = (struct core_rewording){0};
        erase->rewords = true;
        erase->told_seq = core_next_seq(broker->core);
        erase->told_by_ms = broker->now.mono_ms + TOLD_MS;
    }
    if (erase->rewords) {
        erase->rewords = !reword(broker);
        erase->again_ms = broker->now.mono_ms + SLICE_GAP_MS; /* what it said is in this turn's commit */
        return false;
    }
    if (!await_told(broker))
        return false;
    if (erase->bound_id != task->id) {
        erase->bound_id = task->id;
        erase->bound = broker->commit;
    }
    return broker->durable >= erase->bound;
}

void broker_erase_turn(struct broker *broker)
{
    struct broker_erase *erase = &broker->erase;
    struct erasure_task task;
    if (erase->on && !has_ended(broker))
        return;
    if (!core_erasure_task(broker->core, &task) || broker->now.mono_ms < erase->again_ms)
        return;
    if (!task.rewrites)
        erase->bound_id = erase->hidden_id = 0;
    else if (!may_rewrite(broker, &task))
        return;
    begin(broker, &task);
}

int64_t broker_erase_next_mono_ms(const struct broker *broker)
{
    struct erasure_task task;
    bool waits = !broker->erase.on && broker->erase.again_ms > broker->now.mono_ms;
    return waits && core_erasure_task(broker->core, &task) ? broker->erase.again_ms : TIME_NEVER;
}

bool broker_erase_progress(struct broker *broker, uint64_t id, uint64_t *total, uint64_t *done)
{
    struct store_pass_state state;
    if (!broker->erase.on || broker->erase.id != id)
        return false;
    store_pass_state(broker->store, &state);
    *total = state.bytes_total;
    *done = state.bytes_done;
    return true;
}
