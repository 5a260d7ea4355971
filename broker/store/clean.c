/* clean.c — cleaning, the owner's share: choosing what to clean, asking what is live, moving that forward.
 *
 *   survey     segments found when opening: which of their records are live? (the owner knows since its replay)
 *   segment    its live records are copied into the owner's batch, its renewed ones asked for anew, its history is
 *              gathered; when all that is durable and the owner knows the new places, the file is used again
 *   history    a segment of it that is too old is dropped
 *
 * What ended something must outlive it on the disk: records are replayed in the order in which they were written, by
 * their first segment, wherever they lie now. So a record that ended a thing (STORE_KEEP_HISTORY), or that may be the
 * end of a renewed one (the newest of its key, and the owner has nothing to renew), is gathered as long as data
 * segments older than its own remain, and history is dropped only when no older data segment remains. When that is
 * what history waits for, or what makes the journal too large, the oldest data segment is cleaned, however much of it
 * is live.
 *
 * The owner's batch that cleaning is given must be the one that carries all of the owner's changes, and be submitted
 * in the end: what is live is judged by what that batch says. */
#include "journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_EVERY_MS      1000
#define BOUND_NUMERATOR    3 /* at rest at most 3/2 of the live bytes */
#define BOUND_DENOMINATOR  2
#define GAIN               10 /* a segment is worth cleaning if at least one part in so many is not needed */
#define ASK_BETWEEN_CLOCKS 16

void clean_free(struct store *store)
{
    struct cleaning *cleaning = &store->cleaning;
    if (cleaning->scanning)
        scan_end(&cleaning->scan);
    heads_free(&cleaning->heads);
    free(cleaning->chunk.bytes);
    free(cleaning->chunk.items);
    free(cleaning->frame);
}

void clean_submitted(struct store *store, uint64_t commit)
{
    store->cleaning.unsubmitted = false;
    store->cleaning.wait_commit = commit;
}

/* The lock is held, as in all that choose. */
static void begin(struct store *store, enum clean_turn turn, enum clean_step step, struct segment *victim)
{
    struct cleaning *cleaning = &store->cleaning;
    cleaning->turn = turn;
    cleaning->step = step;
    cleaning->victim = victim;
    if (victim != NULL)
        victim->refs++;
    cleaning->at = 0;
    cleaning->end_next = store->history_end;
    cleaning->end_said = cleaning->end_again = false;
    cleaning->dropped_seq = store->history_end.dropped_seq;
    if (turn == CLEAN_HELPER)
        pthread_cond_signal(&store->helper_wake);
}

/* ---- choosing ---- */

static const struct segment *oldest_data(const struct store *store)
{
    return store->data.count > 0 ? store->data.at[0] : NULL;
}

static bool choose_survey(struct store *store)
{
    for (size_t i = 0; i < store->data.count; i++) {
        struct segment *segment = store->data.at[i];
        if (segment->survey_at >= segment->survey_end)
            continue;
        begin(store, CLEAN_HELPER, STEP_SURVEY_READ, segment);
        return true;
    }
    return false;
}

static bool is_too_old(const struct store *store, const struct segment *segment, int64_t now_ms)
{
    return segment->sums.newest_ms + store->options.history_retention_ms < now_ms;
}

/* History that is too old, or else NULL. */
static struct segment *expired_history(const struct store *store, int64_t now_ms)
{
    for (size_t i = 0; i < store->history.count; i++)
        if (is_too_old(store, store->history.at[i], now_ms))
            return store->history.at[i];
    return NULL;
}

static bool choose_history(struct store *store, int64_t now_ms)
{
    for (size_t i = 0; i < store->history.count; i++) {
        struct segment *segment = store->history.at[i];
        if (!is_too_old(store, segment, now_ms) || oldest_data(store)->number < segment->last)
            continue;
        begin(store, CLEAN_OWNER, STEP_END, segment);
        struct cleaning *cleaning = &store->cleaning;
        if (segment->number == cleaning->end_next.number)
            cleaning->end_next.end = 0;
        if (segment->sums.seq_max > cleaning->dropped_seq)
            cleaning->dropped_seq = segment->sums.seq_max;
        return true;
    }
    return false;
}

/* Not before the owner knows the places of all that is in it. */
static bool can_be_cleaned(const struct store *store, const struct segment *segment)
{
    return segment->state == SEGMENT_SEALED && !segment->damaged && segment->last <= store->collected_through;
}

/* Does it go on with the batch that the one before it ended with? Only it says then that the batch is whole, should the
 * other's index file be missing: so it is not given back before that one. */
static bool goes_on(const struct segment *segment, const struct segment *before)
{
    return segment->first == before->last;
}

/* What is to be cleaned so that the segment with the smallest part to be written again, of which no more than `room`
 * bytes is, can be given back: the segment itself, or the first of those before it whose batches go on up to it. One
 * that there was no room for comes after the others: else it might be chosen, and refused, for ever. */
static struct segment *deadest(const struct store *store, int64_t now_ms, uint64_t room)
{
    struct segment *best = NULL, *head = NULL;
    uint64_t to_move = 0, total = 0, head_to_move = 0;
    double best_part = 1.0;
    for (size_t i = 0; i < store->data.count; i++) {
        struct segment *segment = store->data.at[i];
        uint64_t own = books_to_move(store, segment, now_ms);
        if (i == 0 || !goes_on(segment, store->data.at[i - 1])) {
            head = segment;
            head_to_move = own;
            to_move = total = 0;
        }
        to_move += own;
        total += segment_total(segment);
        double part = (double)to_move / (double)total;
        if (!can_be_cleaned(store, segment) || !can_be_cleaned(store, head) || part >= 1.0 - 1.0 / GAIN ||
            head_to_move > room)
            continue;
        if (best == NULL || head->refused < best->refused || (head->refused == best->refused && part < best_part)) {
            best = head;
            best_part = part;
        }
    }
    return best;
}

/* What can be written though the disk is full. Moving must leave some of it to results. */
static uint64_t room_when_full(const struct store *store)
{
    uint64_t left = store->active->bytes - atomic_load(&store->active->end);
    uint64_t reserve = (store->spare_count + (store->ready != NULL)) * store->segment_bytes;
    uint64_t kept = store->segment_bytes / 4;
    return left + reserve > kept ? left + reserve - kept : 0;
}

static void sum_up(const struct store *store, int64_t now_ms, uint64_t *live, uint64_t *total)
{
    *live = *total = 0;
    for (size_t i = 0; i < store->data.count; i++) {
        const struct segment *segment = store->data.at[i];
        *live += books_live(store, segment, now_ms);
        if (segment->state == SEGMENT_SEALED)
            *total += segment_total(segment);
    }
    for (size_t i = 0; i < store->history.count; i++) {
        *live += books_live(store, store->history.at[i], now_ms);
        *total += segment_total(store->history.at[i]);
    }
}

/* Is it worth while to move the oldest segment, for what is kept only because older ones remain? */
static bool much_is_kept(const struct store *store, int64_t now_ms)
{
    uint64_t kept = 0;
    for (size_t i = 1; i < store->data.count; i++)
        kept += books_to_move(store, store->data.at[i], now_ms) - books_live(store, store->data.at[i], now_ms);
    return kept >= store->segment_bytes / GAIN;
}

static struct segment *choose_victim(const struct store *store, int64_t now_ms)
{
    uint64_t live, total;
    bool full = atomic_load(&store->full);
    uint64_t room = full ? room_when_full(store) : UINT64_MAX;
    struct segment *oldest = store->data.at[0];
    bool in_the_way = false;
    sum_up(store, now_ms, &live, &total);
    if (full || total * BOUND_DENOMINATOR > live * BOUND_NUMERATOR) {
        struct segment *victim = deadest(store, now_ms, room);
        if (victim != NULL)
            return victim;
        in_the_way = much_is_kept(store, now_ms);
    }
    const struct segment *expired = expired_history(store, now_ms);
    in_the_way = in_the_way || (expired != NULL && oldest->number < expired->last);
    return in_the_way && can_be_cleaned(store, oldest) && books_to_move(store, oldest, now_ms) <= room ? oldest : NULL;
}

static bool choose_segment(struct store *store, int64_t now_ms)
{
    struct segment *victim = choose_victim(store, now_ms);
    if (victim == NULL)
        return false;
    store->cleaning.older = victim != oldest_data(store);
    store->cleaning.now_ms = now_ms;
    begin(store, CLEAN_HELPER, STEP_READ, victim);
    return true;
}

/* More spare files than the reserve are kept while writing goes on; at rest they are given back. */
static bool choose_trim(struct store *store)
{
    bool resting = store->submitted == store->cleaning.looked_submitted;
    store->cleaning.looked_submitted = store->submitted;
    if (!resting || store->spare_count + (store->ready != NULL) <= RESERVE_SEGMENTS)
        return false;
    begin(store, CLEAN_HELPER, STEP_TRIM, NULL);
    return true;
}

static bool is_time_to_look(const struct cleaning *cleaning, int64_t now_ms)
{
    return cleaning->look || now_ms >= cleaning->looked_ms + LOOK_EVERY_MS || now_ms < cleaning->looked_ms;
}

/* A pass that waits lets that go first, but nothing once nothing was due. */
static bool pass_allows(const struct store *store)
{
    return !pass_is_on(store) || (store->pass.step == PASS_WAIT && store->pass.cleanings > 0);
}

/* Finds the next thing to do; false: nothing. */
static bool choose(struct store *store, int64_t now_ms)
{
    struct cleaning *cleaning = &store->cleaning;
    if (cleaning->turn != CLEAN_IDLE || !pass_allows(store) || !is_time_to_look(cleaning, now_ms))
        return false;
    cleaning->look = false;
    cleaning->looked_ms = now_ms;
    bool chosen = choose_survey(store) || choose_history(store, now_ms) || choose_segment(store, now_ms) ||
                  choose_trim(store);
    if (pass_is_on(store)) {
        store->pass.cleanings = chosen ? store->pass.cleanings - 1 : 0;
        pthread_cond_signal(&store->helper_wake);
    }
    return chosen;
}

/* ---- the owner's steps; they end when `until_us` is reached ---- */

static void give_turn(struct store *store, enum clean_turn turn, enum clean_step step)
{
    pthread_mutex_lock(&store->lock);
    store->cleaning.turn = turn;
    store->cleaning.step = step;
    if (turn == CLEAN_HELPER)
        pthread_cond_signal(&store->helper_wake);
    pthread_mutex_unlock(&store->lock);
}

static void survey(struct store *store, int64_t until_us)
{
    struct cleaning *cleaning = &store->cleaning;
    const struct store_owner *owner = &store->options.owner;
    struct segment *segment = cleaning->victim;
    uint64_t live[STORE_KINDS_MAX] = {0}, at = segment->survey_at;
    unsigned asked = 0;
    const struct head_entry *entry = NULL;
    while ((++asked % ASK_BETWEEN_CLOCKS != 0 || clock_us() < until_us) &&
           (entry = heads_next(&cleaning->heads, &cleaning->at, cleaning->heads.open)) != NULL) {
        uint64_t offset = (uint64_t)entry->unit * 8;
        if (offset >= segment->survey_end)
            continue;
        if (entry->kind < STORE_KINDS_MAX && store->options.kinds[entry->kind].keep == STORE_KEEP_WHILE_LIVE &&
            owner->is_live(owner->self, entry->kind, entry->key, segment_place(segment, offset)))
            live[entry->kind]++;
        at = offset + 8;
    }
    bool done = cleaning->at >= cleaning->heads.open;
    pthread_mutex_lock(&store->lock);
    for (unsigned kind = 0; kind < STORE_KINDS_MAX; kind++)
        segment->live[kind] += live[kind];
    segment->survey_at = done ? segment->survey_end : at;
    if (done) {
        cleaning->turn = CLEAN_IDLE;
        cleaning->look = true;
        cleaning->victim = NULL;
        segment->refs--;
        pthread_cond_signal(&store->helper_wake); /* a pass may have waited for that */
    }
    pthread_mutex_unlock(&store->lock);
    if (done)
        heads_free(&cleaning->heads);
}

/* Did the owner's answer, from byte `from` of the batch on, contain a record of this key? */
static bool was_renewed(const struct store_batch *batch, size_t from, unsigned kind, uint64_t key)
{
    for (size_t at = from; at < batch->used;) {
        const struct record *record = (const struct record *)(batch->bytes + at);
        if (record->kind == kind && record->key == key)
            return true;
        at += record_room(record);
    }
    return false;
}

/* The newest record of its key stands for a thing that exists, and is renewed; or for one that is no more, and then
 * it must go on saying so while an older one may say the opposite. */
static enum verdict judge_renewed(struct store *store, struct store_batch *batch, const struct record *record,
                                  bool old)
{
    struct cleaning *cleaning = &store->cleaning;
    const struct store_owner *owner = &store->options.owner;
    enum verdict past = store->options.kinds[record->kind].history && !old ? VERDICT_PAST : VERDICT_DROP;
    struct renewed newest;
    pthread_mutex_lock(&store->lock);
    bool is_newest = books_newest(store, cleaning->victim, record->kind, record->key, &newest);
    pthread_mutex_unlock(&store->lock);
    if (!is_newest)
        return past;
    if (newest.asked)
        return newest.ended ? VERDICT_VALUE : past;
    size_t from = batch->used;
    owner->renew(owner->self, record->kind, record->key, batch);
    bool renewed = was_renewed(batch, from, record->kind, record->key);
    bool ended = !renewed && cleaning->older && !newest.alone;
    pthread_mutex_lock(&store->lock);
    if (renewed || ended)
        books_mark_asked(store, cleaning->victim, record->kind, record->key, ended);
    else
        books_forget(store, record->kind, record->key);
    pthread_mutex_unlock(&store->lock);
    return ended ? VERDICT_VALUE : past;
}

/* A record that lives no more: what it says may count longer than it is young, for nobody wrote down when it ended. */
static enum verdict judge_ended(const struct store *store, const struct record *record, bool old)
{
    const struct store_owner *owner = &store->options.owner;
    if (!store->options.kinds[record->kind].history)
        return VERDICT_DROP;
    if (owner->is_wanted != NULL &&
        owner->is_wanted(owner->self, record->kind, record->key, record->seq, record + 1, record->head_bytes))
        return VERDICT_WANTED;
    return old ? VERDICT_DROP : VERDICT_PAST;
}

static enum verdict judge_living(struct store *store, struct store_batch *batch, const struct record *record,
                                 const struct chunk_item *item)
{
    const struct store_owner *owner = &store->options.owner;
    const struct store_kind *kind = &store->options.kinds[record->kind];
    if (!owner->is_live(owner->self, record->kind, record->key, item->place))
        return judge_ended(store, record, item->old);
    if (batch_add_moved(batch, record, item->place) != ERR_NONE)
        return VERDICT_ASK;
    store->cleaning.moves_added++;
    store->cleaning.bytes_moved += record_room(record);
    if (kind->renew_with != 0)
        owner->renew(owner->self, kind->renew_with, record->key, batch);
    return VERDICT_DROP;
}

/* Whatever was judged hangs on the batch it was judged with. */
static void note_batch(struct store *store, struct store_batch *batch)
{
    pthread_mutex_lock(&store->lock);
    store->counts.cleaned_bytes_moved += store->cleaning.bytes_moved;
    store->cleaning.bytes_moved = 0;
    if (batch->records > 0 || batch->release_count > 0) {
        batch->cleaned = true;
        store->cleaning.unsubmitted = true;
    } else if (!store->cleaning.unsubmitted) {
        store->cleaning.wait_commit = store->submitted;
    }
    pthread_mutex_unlock(&store->lock);
}

static void judge(struct store *store, struct store_batch *batch, int64_t until_us)
{
    struct cleaning *cleaning = &store->cleaning;
    struct chunk *chunk = &cleaning->chunk;
    for (unsigned asked = 1; cleaning->at < chunk->count; cleaning->at++, asked++) {
        struct chunk_item *item = &chunk->items[cleaning->at];
        const struct record *record = (const struct record *)(chunk->bytes + item->record);
        if (asked % ASK_BETWEEN_CLOCKS == 0 && clock_us() >= until_us)
            break;
        if (item->verdict != VERDICT_ASK)
            continue;
        item->verdict = store->options.kinds[record->kind].keep == STORE_KEEP_RENEW
                            ? judge_renewed(store, batch, record, item->old)
                            : judge_living(store, batch, record, item);
        if (item->verdict == VERDICT_ASK)
            break; /* out of memory: again later */
    }
    note_batch(store, batch);
    if (cleaning->at >= chunk->count)
        give_turn(store, CLEAN_HELPER, STEP_GATHER);
}

static void note_end(struct store *store, struct store_batch *batch)
{
    struct cleaning *cleaning = &store->cleaning;
    cleaning->end_next.dropped_seq = cleaning->dropped_seq;
    if (batch_add_own(batch, KIND_HISTORY_END, 0, &cleaning->end_next, sizeof cleaning->end_next) != ERR_NONE)
        return;
    cleaning->end_said = true;
    note_batch(store, batch);
    give_turn(store, CLEAN_COMMIT, STEP_END);
}

static bool refers_to(const struct store_batch *batch, const struct segment *segment)
{
    for (size_t i = 0; i < batch->copy_count; i++)
        if (batch->copies[i].from != STORE_NOWHERE && place_tag(batch->copies[i].from) == segment_tag(segment))
            return true;
    return false;
}

/* Everything durable and told to the owner, who does not use an old place any more. */
static bool is_settled(const struct store *store, const struct store_batch *batch)
{
    const struct cleaning *cleaning = &store->cleaning;
    if (refers_to(batch, cleaning->victim))
        return false;
    return !cleaning->unsubmitted && atomic_load(&store->durable) >= cleaning->wait_commit &&
           cleaning->moves_told == cleaning->moves_added;
}

bool store_clean(struct store *store, struct store_batch *batch, int64_t now_wall_ms, unsigned budget_us)
{
    struct cleaning *cleaning = &store->cleaning;
    int64_t until_us = clock_us() + budget_us;
    if (atomic_load(&store->failed))
        return false;
    pthread_mutex_lock(&store->lock);
    choose(store, now_wall_ms);
    enum clean_turn turn = cleaning->turn;
    if (turn == CLEAN_COMMIT && is_settled(store, batch) && !cleaning->end_again) {
        cleaning->end_again = true;
        cleaning->turn = turn = CLEAN_OWNER;
    } else if (turn == CLEAN_COMMIT && is_settled(store, batch)) {
        cleaning->turn = CLEAN_HELPER;
        cleaning->step = STEP_RETIRE;
        pthread_cond_signal(&store->helper_wake);
    }
    pthread_mutex_unlock(&store->lock);
    if (turn != CLEAN_OWNER)
        return false;
    if (cleaning->step == STEP_SURVEY)
        survey(store, until_us);
    else if (cleaning->step == STEP_JUDGE)
        judge(store, batch, until_us);
    else if (cleaning->step == STEP_END)
        note_end(store, batch);
    pthread_mutex_lock(&store->lock);
    bool more = cleaning->turn == CLEAN_OWNER || (cleaning->turn == CLEAN_IDLE && cleaning->look);
    pthread_mutex_unlock(&store->lock);
    return more;
}
