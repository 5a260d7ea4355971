/* core_rig.c — see core_rig.h. */
#include "tests/support/core_rig.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "broker/store/record.h"

#define MEMORY_BYTES (INT64_C(1) << 33) /* of address space; what is touched is what is paid for */
#define FIRST_CONF   "accounts:\n  default:\n    api_key_file: key\n"

static void *take(void *self, size_t bytes)
{
    struct rig *rig = self;
    size_t at = (rig->memory_used + 15) / 16 * 16;
    if (bytes > (size_t)MEMORY_BYTES - at)
        return NULL;
    rig->memory_used = at + bytes;
    return (char *)rig->memory + at;
}

static uint32_t or_default(uint32_t given, uint32_t otherwise)
{
    return given == 0 ? otherwise : given;
}

static void new_core(struct rig *rig)
{
    struct core_limits *limits = &rig->options.limits;
    limits->jobs_max = or_default(limits->jobs_max, 65536);
    limits->conversations_max = or_default(limits->conversations_max, 65536);
    limits->lines_max = or_default(limits->lines_max, 1024);
    limits->leases_max = or_default(limits->leases_max, 4096);
    limits->workers_max = or_default(limits->workers_max, 64);
    limits->pauses_max = or_default(limits->pauses_max, 64);
    limits->names_max = or_default(limits->names_max, 256);
    if (limits->remembered_max == 0)
        limits->remembered_max = 65536;
    if (rig->memory != NULL)
        munmap(rig->memory, (size_t)MEMORY_BYTES);
    rig->memory =
        mmap(NULL, (size_t)MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert(rig->memory != MAP_FAILED);
    rig->memory_used = 0;
    struct core_memory memory = {.take = take, .self = rig};
    enum err err = core_new(&rig->core, limits, &memory, rig->conf, rig->options.seed + rig->starts);
    assert(err == ERR_NONE);
    (void)err;
}

static void start(struct rig *rig)
{
    uint8_t random[KEY_RANDOM_BYTES];
    rig->starts++;
    memset(random, (int)(rig->starts & 0xFF), sizeof random);
    if (rig->options.backup_ms != 0)
        core_is_backup(rig->core, rig->options.backup_ms, rig->options.key_life_ms);
    core_restored(rig->core, random, rig->now, &rig->out);
    rig_keep(rig);
    for (bool more = rig->options.backup_ms != 0; more; rig_keep(rig))
        more = core_record_backup(rig->core, rig->now, &rig->out);
    rig->options.backup_ms = 0;
    uint32_t at = 0;
    for (bool more = rig->options.homes_of != NULL; more; rig_keep(rig))
        more = core_suppress_again(rig->core, &at, rig->options.homes_of, rig->options.self, rig->now, &rig->out);
}

static struct rig *empty_rig(const struct rig_options *options)
{
    struct rig *rig = calloc(1, sizeof *rig);
    assert(rig != NULL);
    rig->options = *options;
    const char *text = options->conf == NULL ? FIRST_CONF : options->conf;
    struct conf_problem problem = {""};
    if (conf_parse(&rig->conf, text, strlen(text), "test", "/", NULL, 0, &problem) != ERR_NONE) {
        fprintf(stderr, "%s\n", problem.text);
        abort();
    }
    rig->now = (struct instant){.wall_ms = RIG_START_MS, .mono_ms = 5000000};
    rig->out.change_room = EFFECTS_CHANGES_MAX;
    rig->out.effect_room = EFFECTS_MAX;
    rig->out.changes = calloc(rig->out.change_room, sizeof *rig->out.changes);
    rig->out.effects = calloc(rig->out.effect_room, sizeof *rig->out.effects);
    assert(rig->out.changes != NULL && rig->out.effects != NULL);
    return rig;
}

struct rig *rig_new(const struct rig_options *options)
{
    struct rig *rig = empty_rig(options);
    new_core(rig);
    start(rig);
    return rig;
}

struct rig *rig_replayed(const struct rig_options *options, struct instant now, uint64_t starts,
                         bool (*replay)(void *self, struct rig *rig))
{
    struct rig *rig = empty_rig(options);
    rig->now = now;
    rig->starts = starts;
    new_core(rig);
    if (replay(options->self, rig))
        start(rig);
    else
        rig_free(&rig);
    return rig;
}

void rig_free(struct rig **rig_p)
{
    struct rig *rig = *rig_p;
    *rig_p = NULL;
    if (rig == NULL)
        return;
    munmap(rig->memory, (size_t)MEMORY_BYTES);
    conf_free(&rig->conf);
    free(rig->out.changes);
    free(rig->out.effects);
    free(rig->records);
    free(rig->bytes);
    free(rig->waiting);
    free(rig);
}

/* ---- records ---- */

static void *grown(void *old, size_t *room, size_t need, size_t size)
{
    if (need <= *room)
        return old;
    *room = need * 2;
    void *bigger = realloc(old, *room * size);
    assert(bigger != NULL);
    return bigger;
}

static void keep_change(struct rig *rig, const struct change *change)
{
    rig->records = grown(rig->records, &rig->record_room, rig->record_count + 1, sizeof *rig->records);
    rig->bytes = grown(rig->bytes, &rig->bytes_room, rig->bytes_used + STORE_HEAD_BYTES_MAX, 1);
    struct rig_record *record = &rig->records[rig->record_count++];
    *record = (struct rig_record){
        .kind = change->kind, .key = change_key(change), .seq = change->event.seq, .at = rig->bytes_used};
    record->bytes = (uint32_t)record_encode(change, rig->bytes + rig->bytes_used);
    rig->bytes_used += record->bytes;
}

static bool waits(enum effect_kind kind)
{
    return kind != EFFECT_REVOKE && kind != EFFECT_UNKNOWN_WORKER && kind != EFFECT_POLL && kind != EFFECT_ALERT &&
           kind != EFFECT_SERVICE;
}

/* As the edge does: first whether the recipient still may be sent to, then whether the lease still holds. */
static bool may_hand_out(struct rig *rig, uint64_t lease)
{
    struct lease_view view;
    if (rig->options.recipient_of != NULL && core_lease_view(rig->core, lease, &view)) {
        uint64_t recipient = rig->options.recipient_of(rig->options.self, view.number);
        bool suppressed = core_lease_suppressed(rig->core, lease, recipient, rig->now, &rig->out);
        rig_keep(rig);
        if (suppressed)
            return false;
    }
    if (core_lease_send(rig->core, lease, rig->now, &rig->out))
        return true;
    rig_keep(rig);
    return false;
}

static void tell(struct rig *rig, struct effect effect)
{
    if (effect.kind == EFFECT_JOB && !may_hand_out(rig, effect.lease))
        return;
    assert(rig->told_count < RIG_TOLD_MAX);
    rig->told[rig->told_count++] = effect;
}

void rig_keep(struct rig *rig)
{
    if (rig->options.persist != NULL)
        rig->options.persist(rig->options.self, &rig->out);
    for (size_t i = 0; i < rig->out.change_count; i++)
        keep_change(rig, &rig->out.changes[i]);
    for (size_t i = 0; i < rig->out.effect_count; i++) {
        const struct effect *effect = &rig->out.effects[i];
        if (!waits(effect->kind)) {
            tell(rig, *effect);
            continue;
        }
        rig->waiting = grown(rig->waiting, &rig->waiting_room, rig->waiting_end + 1, sizeof *rig->waiting);
        rig->waiting[rig->waiting_end++] = (struct rig_waiting){*effect, rig->record_count};
    }
    rig->out.change_count = rig->out.effect_count = 0;
    if (!rig->options.hold_commits)
        rig_commit(rig, rig->record_count);
}

void rig_commit(struct rig *rig, size_t count)
{
    assert(count >= rig->durable && count <= rig->record_count);
    rig->durable = count;
    for (; rig->moved_told < count; rig->moved_told++) {
        const struct rig_record *record = &rig->records[rig->moved_told];
        uint64_t from = record->copy_of == 0 ? UINT64_MAX : record->copy_of;
        if (rig->options.persist == NULL && (record->kind == CHANGE_JOB || record->kind == CHANGE_CONVERSATION))
            core_moved(rig->core, (enum change_kind)record->kind, record->key, from, rig->moved_told + 1);
    }
    while (rig->waiting_first < rig->waiting_end && rig->waiting[rig->waiting_first].needs <= count)
        tell(rig, rig->waiting[rig->waiting_first++].effect);
    if (rig->waiting_first == rig->waiting_end)
        rig->waiting_first = rig->waiting_end = 0;
}

void rig_read(const struct rig *rig, size_t i, struct record_storage *storage, struct change *change)
{
    const struct rig_record *record = &rig->records[i];
    bool read = record_decode(record->kind, record->key, record->seq, rig->bytes + record->at, record->bytes, storage,
                              change);
    assert(read);
    (void)read;
}

bool rig_last(const struct rig *rig, enum change_kind kind, uint64_t key, struct record_storage *storage,
              struct change *change)
{
    bool found = false;
    for (size_t i = 0; i < rig->record_count; i++) {
        if (rig->records[i].kind != kind || rig->records[i].key != key)
            continue;
        rig_read(rig, i, storage, change);
        found = true;
    }
    return found;
}

static void move(struct rig *rig, size_t i)
{
    rig->records = grown(rig->records, &rig->record_room, rig->record_count + 1, sizeof *rig->records);
    rig->records[i].copied_to = rig->record_count + 1;
    rig->records[rig->record_count] = rig->records[i];
    rig->records[rig->record_count].copied_to = 0;
    rig->records[rig->record_count++].copy_of = i + 1;
}

static void make_past(struct rig *rig, size_t i)
{
    rig->records[i].past = true;
    rig->records[i].past_needs = rig->record_count;
}

static void renew(struct rig *rig, size_t i)
{
    enum change_kind kind = (enum change_kind)rig->records[i].kind;
    uint64_t key = rig->records[i].key;
    core_renew(rig->core, kind, key, rig->now, &rig->out);
    if (rig->out.change_count == 0 && record_kinds()[kind].history)
        make_past(rig, i);
    else if (rig->out.change_count > 0)
        rig->records[i].copied_to = rig->record_count + 1;
    rig_keep(rig);
}

/* A newer one of its key is under way: the store cleans nothing as young as that. */
static bool is_overtaken(const struct rig *rig, size_t i)
{
    for (size_t later = rig->durable; later < rig->record_count; later++)
        if (rig->records[later].kind == rig->records[i].kind && rig->records[later].key == rig->records[i].key)
            return true;
    return false;
}

void rig_clean(struct rig *rig, size_t i)
{
    struct rig_record *record = &rig->records[i];
    enum change_kind kind = (enum change_kind)record->kind;
    uint64_t key = record->key;
    assert(i < rig->durable && rig->out.change_count == 0);
    if (record->past || record->copied_to != 0 || is_overtaken(rig, i))
        return;
    if (record_kinds()[kind].keep == STORE_KEEP_RENEW) {
        renew(rig, i);
    } else if (record_kinds()[kind].keep == STORE_KEEP_HISTORY) {
        make_past(rig, i);
    } else if (core_is_live(rig->core, kind, key, i + 1)) {
        move(rig, i);
        if (kind == CHANGE_JOB) /* its try must follow it */
            core_renew(rig->core, CHANGE_TRY, key, rig->now, &rig->out);
    } else if (kind == CHANGE_JOB) {
        make_past(rig, i);
    }
}

static void replay(struct rig *into, const struct rig *from, size_t i)
{
    const struct rig_record *record = &from->records[i];
    if (record->copied_to != 0 && record->copied_to <= from->record_count)
        return;
    struct record_storage storage;
    struct change change;
    rig_read(from, i, &storage, &change);
    enum err err = core_restore(into->core, &change, record->past, i + 1);
    assert(err == ERR_NONE);
    (void)err;
}

void rig_restart(struct rig *rig, int64_t after_ms)
{
    rig->record_count = rig->moved_told = rig->durable;
    for (size_t i = 0; i < rig->record_count; i++)
        if (rig->records[i].copied_to > rig->record_count)
            rig->records[i].copied_to = 0; /* the copy was lost */
    for (size_t i = 0; i < rig->record_count; i++)
        if (rig->records[i].past_needs > rig->record_count)
            rig->records[i].past = false; /* and so was what ended it */
    rig->waiting_first = rig->waiting_end = 0;
    rig->now.wall_ms += after_ms;
    rig->now.mono_ms = 1000 * (int64_t)(rig->starts + 1); /* a steady clock means nothing after a restart */
    new_core(rig);
    for (size_t i = 0; i < rig->record_count; i++)
        replay(rig, rig, i);
    start(rig);
}

struct rig *rig_replica(const struct rig *rig, size_t count, unsigned times)
{
    struct rig_options options = rig->options;
    options.hold_commits = false;
    struct rig *twin = empty_rig(&options);
    new_core(twin);
    twin->now = rig->now;
    twin->starts = rig->starts;
    for (unsigned t = 0; t < times; t++)
        for (size_t i = 0; i < count; i++)
            replay(twin, rig, i);
    start(twin);
    return twin;
}

size_t rig_records(const struct rig *rig, unsigned kind, uint64_t key, size_t from)
{
    size_t count = 0;
    for (size_t i = from; i < rig->record_count; i++)
        count += rig->records[i].kind == kind && (key == 0 || rig->records[i].key == key);
    return count;
}

/* ---- what was told ---- */

void rig_forget(struct rig *rig)
{
    rig->told_count = 0;
}

const struct effect *rig_told(const struct rig *rig, enum effect_kind kind, size_t nth)
{
    for (size_t i = 0; i < rig->told_count; i++)
        if (rig->told[i].kind == kind && nth-- == 0)
            return &rig->told[i];
    return NULL;
}

size_t rig_count(const struct rig *rig, enum effect_kind kind)
{
    size_t count = 0;
    while (rig_told(rig, kind, count) != NULL)
        count++;
    return count;
}

struct effect rig_job_told(struct rig *rig)
{
    const struct effect *told = rig_told(rig, EFFECT_JOB, 0);
    assert(told != NULL);
    struct effect job = *told;
    rig_forget(rig);
    return job;
}

/* ---- events ---- */

struct core_enqueue rig_job(uint64_t conversation, enum job_class class)
{
    return (struct core_enqueue){.conversation = conversation, .class = class, .recipient = conversation + 1000000};
}

struct effect rig_enqueue(struct rig *rig, const struct core_enqueue *job)
{
    struct core_enqueue asked = *job;
    asked.token = 77;
    asked.index = rig->index++;
    core_enqueue(rig->core, &asked, false, rig->now, &rig->out);
    struct effect answer = {.kind = EFFECT_ALERT};
    for (size_t i = 0; i < rig->out.effect_count; i++)
        if (rig->out.effects[i].kind == EFFECT_ENQUEUED)
            answer = rig->out.effects[i];
    assert(answer.kind == EFFECT_ENQUEUED && answer.token == 77 && answer.index == asked.index);
    rig_keep(rig);
    return answer;
}

uint64_t rig_send(struct rig *rig, uint64_t conversation, enum job_class class)
{
    struct core_enqueue job = rig_job(conversation, class);
    struct effect answer = rig_enqueue(rig, &job);
    assert(answer.code == CODE_NONE && answer.number != 0);
    return answer.number;
}

void rig_worker(struct rig *rig, uint32_t peer, uint32_t slots)
{
    struct core_ready ready = {.peer = peer, .instance = peer + 1000, .slots = slots, .worker = "w"};
    core_worker_ready(rig->core, &ready, rig->now, &rig->out);
    rig_keep(rig);
}

void rig_beat(struct rig *rig, uint32_t peer)
{
    core_worker_alive(rig->core, peer, rig->now, &rig->out);
    rig_keep(rig);
}

void rig_tick(struct rig *rig)
{
    core_tick(rig->core, rig->now, &rig->out);
    rig_keep(rig);
}

static void beat_all(struct rig *rig)
{
    struct worker_view view;
    for (uint32_t cursor = 0; core_worker_view(rig->core, &cursor, rig->now, &view);)
        rig_beat(rig, view.peer);
}

void rig_pass(struct rig *rig, int64_t ms)
{
    int64_t end = rig->now.mono_ms + ms;
    int64_t beat = rig->now.mono_ms;
    for (;;) {
        rig_tick(rig);
        int64_t next = core_next_mono_ms(rig->core, rig->now);
        if (next <= rig->now.mono_ms)
            next = rig->now.mono_ms + 1;
        if (beat + 1000 < next)
            next = beat + 1000;
        if (next > end)
            break;
        rig->now.wall_ms += next - rig->now.mono_ms;
        rig->now.mono_ms = next;
        if (next >= beat + 1000) {
            beat = next;
            beat_all(rig);
        }
    }
    rig->now.wall_ms += end - rig->now.mono_ms;
    rig->now.mono_ms = end;
    beat_all(rig);
    rig_tick(rig);
}

void rig_poll(struct rig *rig, uint32_t lines, const enum reputation *words)
{
    uint64_t poll = ++rig->polls;
    for (uint32_t l = 0; l < lines; l++) {
        struct core_line_fact fact = {.number = RIG_LINE + l,
                                      .has_reputation = true,
                                      .reputation = words[l],
                                      .poll = poll,
                                      .begun_mono_ms = rig->now.mono_ms};
        core_line_polled(rig->core, &fact, rig->now, &rig->out);
        rig_keep(rig);
    }
    struct core_poll end = {.poll = poll, .begun_mono_ms = rig->now.mono_ms, .ok = true};
    core_poll_ended(rig->core, &end, rig->now, &rig->out);
    rig_keep(rig);
}

void rig_poll_all(struct rig *rig, uint32_t lines, enum reputation word)
{
    enum reputation words[1024];
    for (uint32_t l = 0; l < lines; l++)
        words[l] = word;
    rig_poll(rig, lines, words);
}

static void tell_line(struct rig *rig, struct core_line_fact *fact, uint32_t line, int64_t changed_at_ms)
{
    fact->number = RIG_LINE + line;
    fact->changed_at_ms = changed_at_ms;
    fact->arrived_mono_ms = rig->now.mono_ms;
    fact->event = ++rig->polls + (UINT64_C(1) << 40);
    core_line_told(rig->core, 78, fact, rig->now, &rig->out);
    rig_keep(rig);
}

void rig_tell(struct rig *rig, uint32_t line, enum reputation word, int64_t changed_at_ms)
{
    struct core_line_fact fact = {.has_reputation = true, .reputation = word};
    tell_line(rig, &fact, line, changed_at_ms);
}

void rig_tell_service(struct rig *rig, uint32_t line, enum service service, int64_t changed_at_ms)
{
    struct core_line_fact fact = {.has_service = true, .service = service};
    tell_line(rig, &fact, line, changed_at_ms);
}

void rig_tell_both(struct rig *rig, uint32_t line, enum reputation word, enum service service, int64_t changed_at_ms)
{
    struct core_line_fact fact = {
        .has_reputation = true, .reputation = word, .has_service = true, .service = service};
    tell_line(rig, &fact, line, changed_at_ms);
}

struct core_result rig_result(const struct effect *job, enum outcome outcome)
{
    return (struct core_result){.peer = job->peer,
                                .lease = job->lease,
                                .outcome = outcome,
                                .retry_after_ms = -1,
                                .http_status = outcome == OUTCOME_SENT    ? 201
                                               : outcome == OUTCOME_RETRY ? 503
                                                                          : 400};
}

void rig_answer(struct rig *rig, const struct core_result *result)
{
    core_worker_result(rig->core, result, rig->now, &rig->out);
    rig_keep(rig);
}

void rig_sent(struct rig *rig, const struct effect *job)
{
    struct core_result result = rig_result(job, OUTCOME_SENT);
    result.chat_hash = job->number * 31 + 7;
    result.message_hash = job->number * 17 + (UINT64_C(1) << 50);
    rig_answer(rig, &result);
}

uint64_t rig_pause(struct rig *rig, enum pause_scope scope, uint64_t target, int64_t for_ms)
{
    struct core_pause pause = {
        .token = 79, .scope = scope, .target = target, .for_ms = for_ms, .reason = "r", .by = "b"};
    core_pause(rig->core, &pause, rig->now, &rig->out);
    uint64_t number = rig->out.effects[rig->out.effect_count - 1].pause;
    rig_keep(rig);
    return number;
}

enum code rig_resume(struct rig *rig, enum pause_scope scope, uint64_t target, uint64_t pause)
{
    core_resume(rig->core, 80, scope, target, pause, rig->now, &rig->out);
    enum code code = rig->out.effects[rig->out.effect_count - 1].code;
    rig_keep(rig);
    return code;
}

struct job_view rig_view(struct rig *rig, uint64_t number)
{
    struct job_view view = {.state = JOB_NONE};
    core_job_view(rig->core, number, rig->now, &view);
    return view;
}

struct line_view rig_line(struct rig *rig, uint32_t line)
{
    struct line_view view = {.number = 0};
    size_t index = 0;
    if (core_line_find(rig->core, RIG_LINE + line, &index))
        core_line_view(rig->core, index, rig->now, &view);
    return view;
}

static void see_reason(void *self, const struct shape_job *job)
{
    *(enum reason *)self = job->reason;
}

enum reason rig_shape_reason(struct rig *rig)
{
    struct core_shape shape;
    uint8_t reasons[8];
    enum reason reason = REASON_NONE;
    core_shape_begin(rig->core, rig->now, &shape);
    bool more = core_shape_lines(rig->core, &shape, reasons, 8, 8) != 0 ||
                core_shape_walk(rig->core, &shape, reasons, 8, 1000, see_reason, &reason);
    assert(!more);
    (void)more;
    return reason;
}
