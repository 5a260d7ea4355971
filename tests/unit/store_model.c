/* store_model.c — see store_model.h. */
#include "store_model.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 20000 /* longer than anything here takes, under any sanitizer */

const struct store_kind model_kinds[STORE_KINDS_MAX] = {
    [MODEL_JOB] = {"job", STORE_KEEP_WHILE_LIVE, true, 1u << 0, MODEL_TRY},
    [MODEL_END] = {"end", STORE_KEEP_HISTORY, true, 1u << 1, 0},
    [MODEL_VALUE] = {"value", STORE_KEEP_RENEW, false, 0, 0},
    [MODEL_TRY] = {"try", STORE_KEEP_RENEW, true, 0, 0},
};

_Atomic int64_t model_wall_ms = 1700000000000;

static int64_t wall_ms(void)
{
    return model_wall_ms;
}

uint64_t model_random(struct model *model, uint64_t below)
{
    uint64_t x = model->seed += 0x9e3779b97f4a7c15ull;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return (x ^ x >> 31) % below;
}

static void room_for_job(struct model *model, uint64_t key)
{
    if (key < model->job_room)
        return;
    size_t room = key * 2 + 256;
    model->jobs = realloc(model->jobs, room * sizeof *model->jobs);
    assert(model->jobs != NULL);
    memset(model->jobs + model->job_room, 0, (room - model->job_room) * sizeof *model->jobs);
    model->job_room = room;
}

struct model *model_new(uint64_t seed)
{
    struct model *model = calloc(1, sizeof *model);
    assert(model != NULL);
    model->seed = seed;
    room_for_job(model, 1);
    model->batch = store_batch_new();
    assert(model->batch != NULL);
    model->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    model->body_max = 600;
    model->alive_max = 400;
    model->slice_us = 1000;
    return model;
}

void model_free(struct model **model_p)
{
    struct model *model = *model_p;
    if (model == NULL)
        return;
    store_close(&model->store);
    store_batch_free(&model->batch);
    close(model->wake_fd);
    free(model->jobs);
    free(model->changes);
    free(model);
    *model_p = NULL;
}

/* ---- what records say ---- */

static uint32_t body_byte(uint64_t key, size_t i)
{
    return (uint8_t)((key * 2654435761u + i * 40503u) >> 7);
}

static void body_fill(uint8_t *body, uint64_t key, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        body[i] = (uint8_t)body_byte(key, i);
}

static void note(struct model *model, int what, uint64_t key, uint32_t value)
{
    if (model->change_count == model->change_room) {
        model->change_room = model->change_room * 2 + 1024;
        model->changes = realloc(model->changes, model->change_room * sizeof *model->changes);
        assert(model->changes != NULL);
    }
    model->changes[model->change_count++] = (struct model_change){.what = what, .key = key, .value = value};
    model->unsubmitted++;
}

static void add(struct model *model, unsigned kind, uint64_t key, uint64_t seq, uint32_t value)
{
    enum err err = store_batch_add(model->batch, kind, key, seq, &value, sizeof value, NULL);
    assert(err == ERR_NONE);
}

/* ---- the store's owner ---- */

static enum err replay(void *self, unsigned kind, uint64_t key, uint64_t seq, bool past, const void *head,
                       size_t head_bytes, store_place place)
{
    struct model *model = self;
    uint32_t value = 0;
    memcpy(&value, head, head_bytes < sizeof value ? head_bytes : sizeof value);
    model->replayed++;
    model->replayed_past += past;
    if (seq > model->seq)
        model->seq = seq;
    if (kind == MODEL_VALUE) {
        if (!past && key < MODEL_VALUES)
            model->values[key] = value;
        return ERR_NONE;
    }
    if (key == 0 || key > MODEL_JOBS_MAX)
        return ERR_BAD_INPUT;
    room_for_job(model, key);
    struct model_job *job = &model->jobs[key];
    if (key > model->job_count)
        model->job_count = key;
    if (kind == MODEL_JOB && !past) {
        if (!job->alive)
            job->tries = 0;
        model->alive += !job->alive;
        job->alive = true;
        job->body_bytes = value;
        job->place = place;
    }
    if (kind == MODEL_TRY && !past && job->alive)
        job->tries = value;
    if (kind == MODEL_END) {
        model->alive -= job->alive;
        job->alive = false;
        job->ended = true;
        job->end_seq = seq;
    }
    return ERR_NONE;
}

static bool is_live(void *self, unsigned kind, uint64_t key, store_place place)
{
    const struct model *model = self;
    return kind == MODEL_JOB && model->jobs[key].alive && model->jobs[key].place == place;
}

static void moved(void *self, unsigned kind, uint64_t key, store_place from, store_place to)
{
    struct model *model = self;
    if (from != STORE_NOWHERE)
        assert(model->jobs[key].place == from);
    model->jobs[key].place = to;
}

static void renew(void *self, unsigned kind, uint64_t key, struct store_batch *batch)
{
    const struct model *model = self;
    uint32_t value = 0;
    if (kind == MODEL_VALUE)
        value = model->values[key];
    else if (kind == MODEL_TRY && model->jobs[key].alive)
        value = model->jobs[key].tries;
    if (value == 0)
        return;
    enum err err = store_batch_add(batch, kind, key, 0, &value, sizeof value, NULL);
    assert(err == ERR_NONE);
}

struct store_options model_options(struct model *model, struct sim *sim, const char *path, uint64_t segment_bytes)
{
    return (struct store_options){.path = path,
                                  .segment_bytes = segment_bytes,
                                  .history_retention_ms = 3600 * 1000,
                                  .kinds = model_kinds,
                                  .owner = {model, replay, is_live, moved, renew, NULL},
                                  .io = sim != NULL ? &sim->io : NULL,
                                  .wall_ms = wall_ms,
                                  .wake_fd = model->wake_fd};
}

enum err model_open(struct model *model, struct sim *sim, const char *path, uint64_t segment_bytes,
                    struct store_problem *problem)
{
    struct store_opened opened;
    struct store_options options = model_options(model, sim, path, segment_bytes);
    memset(model->jobs, 0, (model->job_count + 1) * sizeof *model->jobs);
    memset(model->values, 0, sizeof model->values);
    model->job_count = model->alive = model->seq = model->replayed = model->replayed_past = 0;
    model->sim = sim;
    enum err err = store_open(&model->store, &options, &opened, problem);
    if (err == ERR_NONE)
        model->submitted = model->durable = store_durable(model->store);
    return err;
}

void model_close(struct model *model)
{
    store_close(&model->store);
}

/* ---- changes ---- */

uint64_t model_bear(struct model *model, uint32_t body_bytes)
{
    static uint8_t bodies[2][4096];
    uint64_t key = ++model->job_count;
    room_for_job(model, key);
    struct model_job *job = &model->jobs[key];
    job->body_bytes = body_bytes;
    body_fill(bodies[0], key, 24);
    body_fill(bodies[1], key, job->body_bytes);
    struct store_section sections[STORE_SECTIONS] = {{bodies[0], 24}, {bodies[1], job->body_bytes}};
    enum err err = store_batch_add(model->batch, MODEL_JOB, key, ++model->seq, &job->body_bytes,
                                   sizeof job->body_bytes, sections);
    assert(err == ERR_NONE);
    job->alive = true;
    job->place = STORE_NOWHERE;
    model->alive++;
    note(model, CHANGE_BORN, key, job->body_bytes);
    return key;
}

static void born(struct model *model)
{
    if (model->job_count == MODEL_JOBS_MAX || model->alive >= model->alive_max)
        return;
    if (model->heeds_full && store_is_full(model->store))
        return;
    model_bear(model, (uint32_t)model_random(model, model->body_max));
}

/* A living job, mostly one of the last; 0: none. */
static uint64_t pick(struct model *model)
{
    uint64_t span = model_random(model, 8) == 0 ? model->job_count : model->alive_max * 2;
    for (int tries = 0; tries < 30 && model->job_count > 0; tries++) {
        uint64_t back = model_random(model, span < model->job_count ? span : model->job_count);
        if (model->jobs[model->job_count - back].alive)
            return model->job_count - back;
    }
    return 0;
}

void model_end(struct model *model, uint64_t key)
{
    struct model_job *job = &model->jobs[key];
    uint32_t value = job->tries;
    bool with_body = key % 3 == 0 && !model->bare_ends;
    enum err err = store_batch_add_copy(model->batch, MODEL_END, key, ++model->seq, &value, sizeof value, NULL,
                                        with_body ? 1u << 1 : 0, MODEL_JOB, key, job->place);
    assert(err == ERR_NONE);
    if (job->place != STORE_NOWHERE)
        store_batch_release(model->batch, MODEL_JOB, key, job->place);
    job->alive = false;
    job->ended = true;
    job->end_seq = model->seq;
    model->alive--;
    note(model, CHANGE_ENDED, key, 0);
}

static void ended(struct model *model)
{
    uint64_t key = pick(model);
    if (key != 0)
        model_end(model, key);
}

static void tried(struct model *model)
{
    uint64_t key = pick(model);
    if (key == 0)
        return;
    add(model, MODEL_TRY, key, ++model->seq, ++model->jobs[key].tries);
    note(model, CHANGE_TRIED, key, model->jobs[key].tries);
}

void model_set(struct model *model, uint64_t key, uint32_t value)
{
    model->values[key] = value;
    add(model, MODEL_VALUE, key, 0, value);
    note(model, CHANGE_SET, key, value);
}

static void set(struct model *model)
{
    uint64_t key = model_random(model, MODEL_VALUES);
    model_set(model, key, model_random(model, 3) == 0 ? 0 : 1 + (uint32_t)model_random(model, 1000000));
}

static void change(struct model *model)
{
    switch (model->births_only ? 0 : model_random(model, 8)) {
    case 0:
    case 1:
    case 2:
        born(model);
        break;
    case 3:
    case 4:
        ended(model);
        break;
    case 5:
    case 6:
        tried(model);
        break;
    default:
        set(model);
        break;
    }
}

static void submit(struct model *model)
{
    model->submitted = store_submit(model->store, model->batch);
    for (size_t i = 0; i < model->unsubmitted; i++)
        model->changes[model->change_count - 1 - i].commit = model->submitted;
    model->unsubmitted = 0;
}

static bool collect(struct model *model)
{
    enum err err = store_collect(model->store, &model->durable);
    if (model->sim != NULL && err == ERR_NONE)
        sim_mark(model->sim, model->durable);
    return err == ERR_NONE;
}

/* Of this thread: what others do on the machine is not the store's doing. */
static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static bool clean_slice(struct model *model, int64_t now_ms)
{
    int64_t before = now_us();
    bool more = store_clean(model->store, model->batch, now_ms, model->slice_us);
    int64_t took = now_us() - before;
    if (took > model->slowest_slice_us)
        model->slowest_slice_us = took;
    return more;
}

bool model_turn(struct model *model, unsigned changes)
{
    for (unsigned i = 0; i < changes; i++)
        change(model);
    clean_slice(model, model_wall_ms);
    submit(model);
    return collect(model);
}

/* Until the store has something to say; false: it takes longer than anything should. */
static bool wait_for_store(struct model *model, int patience_ms)
{
    struct pollfd wake = {.fd = model->wake_fd, .events = POLLIN};
    uint64_t count;
    if (poll(&wake, 1, patience_ms) <= 0)
        return false;
    return read(model->wake_fd, &count, sizeof count) == sizeof count;
}

bool model_settle(struct model *model)
{
    submit(model);
    while (collect(model)) {
        if (model->durable >= model->submitted)
            return true;
        if (!wait_for_store(model, PATIENCE_MS))
            return false;
    }
    return false;
}

/* Until cleaning rests, and what is on the disk is counted. The store's word may already have been heard while settling,
 * and of an index file it says none: so not for long. */
static bool clean_through(struct model *model, int64_t now_ms)
{
    struct store_status status;
    do {
        bool more = clean_slice(model, now_ms);
        if (!model_settle(model))
            return false;
        store_status_read(model->store, &status);
        if (!more && (status.cleaning || status.indexing))
            wait_for_store(model, 5);
    } while (status.cleaning || status.indexing);
    return true;
}

static bool same_segments(const struct store_status *a, const struct store_status *b)
{
    return a->cleaned_segments == b->cleaned_segments && a->history_segments == b->history_segments &&
           a->free_segments == b->free_segments && a->commits == b->commits;
}

bool model_clean(struct model *model, int64_t now_ms)
{
    struct store_status before, after;
    /* It looks for work once a second, and gives spare files back when it finds that nothing happened since. */
    for (unsigned quiet = 0; quiet < 3; now_ms += 2000) {
        model_wall_ms = now_ms;
        store_status_read(model->store, &before);
        if (!clean_through(model, now_ms))
            return false;
        store_status_read(model->store, &after);
        quiet = same_segments(&before, &after) ? quiet + 1 : 0;
    }
    return true;
}

/* ---- comparing ---- */

static bool differ(const char **why, const char *what)
{
    *why = what;
    return false;
}

void model_adopt(struct model *recovered, const struct model *original)
{
    recovered->change_count = 0;
    for (size_t i = 0; i < original->change_count; i++) {
        const struct model_change *change = &original->changes[i];
        if (change->commit == 0 || change->commit > recovered->durable)
            break;
        note(recovered, (int)change->what, change->key, change->value);
        recovered->changes[recovered->change_count - 1].commit = change->commit;
    }
    recovered->unsubmitted = 0;
    recovered->body_max = original->body_max;
    recovered->alive_max = original->alive_max;
    recovered->bare_ends = original->bare_ends;
}

bool model_equals(const struct model *recovered, const struct model *original, uint64_t commit, const char **why)
{
    uint64_t highest = original->job_count > recovered->job_count ? original->job_count : recovered->job_count;
    struct model_job *jobs = calloc(highest + 1, sizeof *jobs);
    uint32_t values[MODEL_VALUES] = {0};
    bool equal = true;
    assert(jobs != NULL);
    for (size_t i = 0; i < original->change_count; i++) {
        const struct model_change *change = &original->changes[i];
        if (change->commit == 0 || change->commit > commit)
            break; /* not submitted by then */
        switch (change->what) {
        case CHANGE_BORN:
            jobs[change->key].alive = true;
            jobs[change->key].body_bytes = change->value;
            break;
        case CHANGE_ENDED:
            jobs[change->key].alive = false;
            break;
        case CHANGE_TRIED:
            jobs[change->key].tries = change->value;
            break;
        case CHANGE_SET:
            values[change->key] = change->value;
            break;
        }
    }
    for (uint64_t key = 1; key <= highest && equal; key++) {
        static const struct model_job none;
        const struct model_job *job = &jobs[key], *found = key < recovered->job_room ? &recovered->jobs[key] : &none;
        if (job->alive && !found->alive)
            equal = differ(why, "a job that lived is gone");
        else if (!job->alive && found->alive)
            equal = differ(why, "a job lives that had ended or never was");
        else if (job->alive && (job->tries != found->tries || job->body_bytes != found->body_bytes))
            equal = differ(why, "a job is not what it was");
    }
    for (unsigned key = 0; key < MODEL_VALUES && equal; key++)
        if (values[key] != recovered->values[key])
            equal = differ(why, values[key] == 0 ? "a removed value came back" : "a value is not what it was");
    free(jobs);
    return equal;
}

static bool read_one(struct model *model, uint64_t key, const char **why)
{
    struct store_record record;
    const struct model_job *job = &model->jobs[key];
    enum err err = store_read(model->store, job->place, &record);
    if (err != ERR_NONE)
        return differ(why, err_name(err));
    bool same = record.kind == MODEL_JOB && record.key == key && record.sections[1].bytes == job->body_bytes;
    const uint8_t *body = record.sections[1].data;
    for (size_t i = 0; same && i < job->body_bytes; i++)
        same = body[i] == (uint8_t)body_byte(key, i);
    store_record_free(&record);
    return same || differ(why, "a job's record is not the one written");
}

bool model_reads_all(struct model *model, const char **why)
{
    for (uint64_t key = 1; key <= model->job_count; key++)
        if (model->jobs[key].alive && !read_one(model, key, why))
            return false;
    return true;
}
