/* admin_triage.c — POST /v1/triage/…: ends the waiting jobs that the query's filters choose, or only says which those are;
 * GET /v1/triage/export: shows them as documents that can be enqueued again.
 *
 * A call looks at a bounded part of the backlog and goes through it in slices; `next` says where to go on, and up to which
 * job: what is accepted after the first call is none of its. So a call may be repeated, after a crash as well. A
 * rehearsal goes the same way, but for the word to the core. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/edge/admin_calls.h"
#include "broker/edge/admin_route.h"
#include "broker/edge/admin_select.h"
#include "broker/edge/admin_triage_move.h"
#include "broker/edge/job_parse.h"
#include "broker/edge/view_put.h"
#include "lineward/log.h"

#define SLOTS_PER_STEP 256     /* of the core, looked at in one turn */
#define SLOTS_PER_CALL 65536   /* by a call that changes something */
#define SLOTS_PER_LOOK 1048576 /* by one that does not */
#define CHOSEN_MAX     128     /* jobs in one slice ... */
#define EXPORTED_MAX   16      /* ... where all of it is read: each may be as large as a job document */
#define EXPORT_BYTES   4194304 /* of an answer: no slice begins beyond */
#define SAMPLE_MAX     10
#define BEFORE_MAX     64      /* jobs of its conversation before one that is to be moved */

struct chosen { /* of a job, as it was when it was looked at */
    uint64_t number, sequence, order;
    enum job_class class;
    enum reason reason;
    uint32_t conversation;
};

enum { TRIAGE_WALK = 1, TRIAGE_READ, TRIAGE_OLDEST, TRIAGE_DONE };

struct triage_work {
    struct admin_turn *turn; /* of the call under way */
    struct exchange *x;
    struct core_triage what;
    char pool[NAME_MAX_BYTES + 1]; /* TRIAGE_MOVE: where to ... */
    uint32_t pool_index;
    bool dry, exports;
    struct selection selection;
    uint64_t mark; /* jobs accepted before it are meant */
    uint32_t slot, walked;
    bool walk_over;
    size_t left; /* jobs that this call may still touch */
    struct chosen chosen[CHOSEN_MAX];
    size_t chosen_count;
    struct lookup_job *jobs; /* the same, for the disk; NULL: it is not asked */
    uint8_t *seen;           /* a bit for each conversation; NULL: they are not counted */
    uint32_t seen_max;
    struct chosen oldest;
    /* what it comes to */
    uint64_t touched, recipients, by_class[CLASS_COUNT], by_reason[REASON_COUNT], stays[DRAIN_STAY_COUNT],
        refused[CODE_COUNT];
    uint64_t sample[SAMPLE_MAX];
    int64_t oldest_at_ms;
};

static const char *const names[] = {[TRIAGE_CANCEL] = "cancel", [TRIAGE_EXPIRE] = "expire", [TRIAGE_REDATE] = "redate", [TRIAGE_MOVE] = "move"};

static void work_free(void *memory)
{
    struct triage_work *work = memory;
    if (work == NULL)
        return;
    free(work->jobs);
    free(work->seen);
    free(work);
}

/* ---- what is asked for ---- */

/* `after` is a slot of the core and, behind a dot, the mark of the first call. False: answered. */
static bool read_after(struct exchange *x, struct triage_work *work)
{
    const char *text = query_get(x, "after");
    char *end = NULL;
    if (text == NULL)
        return true;
    errno = 0;
    unsigned long long slot = *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : UINT64_MAX;
    if (slot <= UINT32_MAX && *end == '.' && end[1] >= '0' && end[1] <= '9') {
        work->slot = (uint32_t)slot;
        work->mark = strtoull(end + 1, &end, 10);
        if (*end == '\0' && errno == 0)
            return true;
    }
    answer_error(x, CODE_INVALID_FIELD, "after must be the `next` of the answer before", "after");
    return false;
}

/* A time, or null; the year 6429 is as far as a job's moment goes. False: answered. */
static bool read_date(struct exchange *x, const cJSON *body, const char *name, bool *given, int64_t *at_ms)
{
    const cJSON *value = json_get(body, name);
    const char *text = json_string(body, name);
    *given = value != NULL;
    *at_ms = 0;
    if (value == NULL || cJSON_IsNull(value))
        return true;
    if (text != NULL && time_parse(text, at_ms)) {
        *at_ms = *at_ms > JOB_MOMENT_MAX_MS ? JOB_MOMENT_MAX_MS : *at_ms < 1 ? 1 : *at_ms; /* 0 is null's */
        return true;
    }
    char message[96];
    snprintf(message, sizeof message, "%s must be a time such as 2026-11-23T10:00:00Z, or null", name);
    answer_error(x, CODE_INVALID_FIELD, message, name);
    return false;
}

/* False: answered. */
static bool read_dates(struct exchange *x, const cJSON *body, struct core_triage *what, struct instant now)
{
    if (!read_date(x, body, "send_after", &what->has_due, &what->due_ms) ||
        !read_date(x, body, "expires_at", &what->has_expires, &what->expires_ms))
        return false;
    if (what->has_expires && what->expires_ms != 0 && what->expires_ms <= now.wall_ms) {
        answer_error(x, CODE_INVALID_FIELD, "expires_at must be a time to come, or null for never; expire ends jobs now",
                     "expires_at");
        return false;
    }
    if (what->has_due || what->has_expires)
        return true;
    answer_error(x, CODE_INVALID_FIELD, "say send_after (null: at once) or expires_at (null: never), or both", NULL);
    return false;
}

/* False: answered. */
static bool read_pool(struct admin_turn *turn, struct exchange *x, const cJSON *body, struct triage_work *work)
{
    const char *pool = json_string(body, "pool");
    work->pool_index = pool != NULL ? conf_pool_find(turn->options->conf, pool) : UINT32_MAX;
    if (pool == NULL) {
        answer_error(x, CODE_INVALID_FIELD, "say the pool that they go to", "pool");
        return false;
    }
    if (work->pool_index == UINT32_MAX || !grant_sees_name(x, pool)) {
        answer_error(x, CODE_UNKNOWN_POOL, NULL, "pool");
        return false;
    }
    memcpy(work->pool, pool, strlen(pool) + 1);
    return true;
}

/* `reason` is the audit's. False: answered. */
static bool read_body(struct admin_turn *turn, struct exchange *x, struct triage_work *work)
{
    const char *reason;
    cJSON *body = exchange_body(x);
    bool ok = body != NULL && body_reason(x, body, &reason) &&
              (work->what.how != TRIAGE_REDATE || read_dates(x, body, &work->what, turn->now)) &&
              (work->what.how != TRIAGE_MOVE || read_pool(turn, x, body, work));
    cJSON_Delete(body);
    return ok;
}

static bool make_room(struct admin_turn *turn, struct triage_work *work)
{
    work->seen_max = core_held_conversations(turn->core);
    work->seen = work->dry ? calloc(work->seen_max / 8 + 1, 1) : NULL;
    return work->seen != NULL || !work->dry;
}

/* False: answered. */
static bool begin(struct admin_turn *turn, struct exchange *x)
{
    struct triage_work *work = calloc(1, sizeof *work);
    const char *dry = query_get(x, "dry_run");
    uint64_t limit;
    x->memory = work;
    x->memory_free = work_free;
    if (work == NULL) {
        answer_error(x, CODE_BUSY, "out of memory", NULL);
        return false;
    }
    work->x = x;
    work->what.how = (enum triage)x->route->detail;
    work->exports = x->route->handle == call_export;
    work->dry = !work->exports && dry != NULL && strcmp(dry, "1") == 0;
    work->mark = core_accept_mark(turn->core);
    if (!query_number(x, "limit", 1, ADMIN_PAGE_MAX, ADMIN_PAGE_MAX, &limit) || !read_after(x, work) ||
        !selection_read_waiting(turn, x, &work->selection) || !read_body(turn, x, work))
        return false;
    work->left = work->dry ? SIZE_MAX : (size_t)limit;
    if (!make_room(turn, work)) {
        answer_error(x, CODE_BUSY, "out of memory", NULL);
        return false;
    }
    x->phase = TRIAGE_WALK;
    return true;
}

/* ---- which jobs ---- */

static bool is_chosen(const struct triage_work *work, const struct job_view *view)
{
    bool there = work->what.how == TRIAGE_MOVE && view->pool == work->pool_index;
    return view->sequence < work->mark && !there && selection_takes(work->turn, work->x, &work->selection, view);
}

static void choose(void *self, const struct job_view *view)
{
    struct triage_work *work = self;
    if (!is_chosen(work, view))
        return;
    if (work->jobs != NULL) {
        struct lookup_job *job = &work->jobs[work->chosen_count];
        *job = (struct lookup_job){0};
        exchange_fill_job(work->turn, view, false, job);
    }
    work->chosen[work->chosen_count++] = (struct chosen){.number = view->number,
                                                         .sequence = view->sequence,
                                                         .order = view->order,
                                                         .class = view->class,
                                                         .reason = view->reason,
                                                         .conversation = view->conversation};
}

static uint32_t slots_max(const struct triage_work *work)
{
    return work->dry ? SLOTS_PER_LOOK : SLOTS_PER_CALL;
}

static bool is_over(const struct triage_work *work)
{
    bool full = work->exports && work->x->answer.text.bytes >= EXPORT_BYTES;
    return work->walk_over || work->left == 0 || full || work->walked >= slots_max(work);
}

/* Is the whole document asked for? */
static bool reads_all(const struct triage_work *work)
{
    return work->exports || work->what.how == TRIAGE_MOVE;
}

/* How many more may be chosen in this slice. */
static size_t room_of(const struct triage_work *work)
{
    size_t most = reads_all(work) ? EXPORTED_MAX : CHOSEN_MAX;
    return (work->left < most ? work->left : most) - work->chosen_count;
}

/* A slot gives one job at most, so looking at no more slots than there is room for is enough. */
static void walk(struct admin_turn *turn, struct triage_work *work)
{
    for (uint32_t walked = 0; walked < SLOTS_PER_STEP && room_of(work) > 0 && !is_over(work);) {
        size_t room = room_of(work);
        uint32_t slots = room < SLOTS_PER_STEP - walked ? (uint32_t)room : SLOTS_PER_STEP - walked;
        work->walk_over = !core_jobs_walk(turn->core, &work->slot, slots, turn->now, choose, work);
        walked += slots;
        work->walked += slots;
    }
}

/* ---- what becomes of them ---- */

static void count_recipients(struct triage_work *work, uint32_t conversation)
{
    if (work->seen == NULL || conversation >= work->seen_max)
        return;
    uint8_t *byte = &work->seen[conversation / 8], bit = (uint8_t)(1u << conversation % 8);
    work->recipients += (*byte & bit) == 0;
    *byte |= bit;
}

static void count(struct triage_work *work, const struct chosen *job)
{
    if (work->touched < SAMPLE_MAX)
        work->sample[work->touched] = job->number;
    if (work->touched == 0 || job->sequence < work->oldest.sequence)
        work->oldest = *job;
    work->touched++;
    work->by_class[job->class]++;
    work->by_reason[job->reason]++;
    count_recipients(work, job->conversation);
}

/* A rehearsal moves nothing, so what goes first is still before what goes behind it. */
static bool goes_with_those_before(struct admin_turn *turn, const struct triage_work *work, uint64_t number)
{
    uint64_t before[BEFORE_MAX];
    size_t count = core_triage_before(turn->core, number, before, BEFORE_MAX);
    bool goes = count <= BEFORE_MAX;
    for (size_t i = 0; goes && i < count; i++) {
        struct job_view view;
        enum drain_stay stay;
        goes = core_job_glance(turn->core, before[i], turn->now, &view) && is_chosen(work, &view) &&
               core_triage_keeps(turn->core, before[i], &work->what, &stay) &&
               (stay == DRAIN_STAY_NONE || stay == DRAIN_STAY_BEHIND);
    }
    return goes;
}

/* What the core is told of a job that nothing keeps; false: it stays as it is all the same. */
static bool act(struct admin_turn *turn, struct triage_work *work, uint64_t number, struct span read)
{
    if (work->what.how == TRIAGE_MOVE) {
        enum code code = triage_move(turn, work->x, work->pool, number, read, work->dry);
        work->refused[code]++;
        return code == CODE_NONE;
    }
    return work->dry || work->exports || core_triage(turn->core, number, &work->what, turn->now, turn->out);
}

/* `read`: what the lookup has of it. False: it stays as it is, or has ended meanwhile. */
static bool touch(struct admin_turn *turn, struct triage_work *work, const struct chosen *job, struct span read)
{
    enum drain_stay stay;
    if (!core_triage_keeps(turn->core, job->number, &work->what, &stay))
        return false;
    if (stay == DRAIN_STAY_BEHIND && work->dry && goes_with_those_before(turn, work, job->number))
        stay = DRAIN_STAY_NONE;
    work->stays[stay]++;
    if (stay != DRAIN_STAY_NONE || !act(turn, work, job->number, read))
        return false;
    work->left--;
    count(work, job);
    return true;
}

struct found {
    const struct chosen *job;
    struct span read;
};

/* As they stand in a conversation: by class, then by place. */
static int by_place(const void *left, const void *right)
{
    const struct chosen *a = ((const struct found *)left)->job, *b = ((const struct found *)right)->job;
    if (a->class != b->class)
        return a->class < b->class ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

/* `lookup`: only those that it let through; NULL: all. */
static void touch_chosen(struct admin_turn *turn, struct triage_work *work, const struct lookup_answer *lookup)
{
    struct found found[CHOSEN_MAX] = {{0}};
    const char *at = lookup != NULL ? lookup->text.text : NULL;
    size_t count = 0;
    for (size_t i = 0; i < work->chosen_count && (lookup == NULL || i < lookup->item_count); i++) {
        const struct lookup_item *item = lookup != NULL ? &lookup->items[i] : NULL;
        if (item == NULL || (item->code == CODE_NONE && item->bytes > 0))
            found[count++] = (struct found){&work->chosen[i], {at, item != NULL ? item->bytes : 0}};
        if (item != NULL)
            at += item->bytes;
    }
    qsort(found, count, sizeof *found, by_place);
    for (size_t i = 0; i < count; i++)
        if (touch(turn, work, found[i].job, found[i].read) && work->exports)
            json_put_raw(&work->x->answer.text, found[i].read.data, found[i].read.bytes);
    work->chosen_count = 0;
}

static enum admin_step ask_disk(struct admin_turn *turn, struct exchange *x, struct triage_work *work)
{
    struct lookup_request request = {.what = LOOKUP_JOBS,
                                     .form = reads_all(work) ? LOOKUP_EXPORT : LOOKUP_CHECK,
                                     .with_message = reads_all(work),
                                     .jobs = work->jobs,
                                     .job_count = work->chosen_count,
                                     .to = selection_to(&work->selection),
                                     .since_ms = work->selection.accepted_from_ms,
                                     .until_ms = work->selection.accepted_to_ms};
    enum admin_step step = exchange_look_up(turn, x, &request);
    if (step == STEP_WAIT)
        work->jobs = NULL; /* the lookup's now */
    x->phase = TRIAGE_READ;
    return step;
}

/* ---- the answer ---- */

static uint64_t refused(const struct triage_work *work)
{
    uint64_t jobs = 0;
    for (enum code code = CODE_NONE + 1; code < CODE_COUNT; code++)
        jobs += work->refused[code];
    return jobs;
}

static uint64_t kept(const struct triage_work *work)
{
    uint64_t jobs = refused(work);
    for (enum drain_stay stay = DRAIN_STAY_NONE + 1; stay < DRAIN_STAY_COUNT; stay++)
        jobs += work->stays[stay];
    return jobs;
}

/* What the audit has as the state after it. */
static void tell(struct exchange *x, const struct triage_work *work)
{
    struct json_out *out = &x->trail.told;
    json_out_clear(out);
    json_open(out, '{');
    put_count(out, "jobs", work->touched);
    put_count(out, "stay", kept(work));
    json_close(out, '}');
}

static void put_stays(struct json_out *out, const struct triage_work *work)
{
    put_count(out, "stay", kept(work));
    json_key(out, "stays");
    json_open(out, '{');
    for (enum drain_stay stay = DRAIN_STAY_NONE + 1; stay < DRAIN_STAY_COUNT; stay++)
        if (work->stays[stay] > 0)
            put_count(out, drain_stay_name(stay), work->stays[stay]);
    for (enum code code = CODE_NONE + 1; code < CODE_COUNT; code++) /* what keeps it is that the other pool does not take it */
        if (work->refused[code] > 0)
            put_count(out, code_name(code), work->refused[code]);
    json_close(out, '}');
}

static void put_counts(struct json_out *out, const struct triage_work *work)
{
    json_key(out, "by_class");
    json_open(out, '{');
    for (enum job_class class = 0; class < CLASS_COUNT; class ++)
        put_count(out, job_class_name(class), work->by_class[class]);
    json_close(out, '}');
    json_key(out, "by_reason");
    json_open(out, '{');
    for (enum reason reason = REASON_NONE + 1; reason < REASON_COUNT; reason++)
        if (work->by_reason[reason] > 0)
            put_count(out, reason_name(reason), work->by_reason[reason]);
    json_close(out, '}');
    put_stays(out, work);
}

static void put_sample(struct json_out *out, const struct triage_work *work)
{
    json_key(out, "sample");
    json_open(out, '[');
    for (size_t i = 0; i < work->touched && i < SAMPLE_MAX; i++) {
        char text[JOB_NUMBER_TEXT_MAX];
        job_number_format(work->sample[i], text);
        json_put_string(out, text);
    }
    json_close(out, ']');
}

static void put_next(struct json_out *out, const struct triage_work *work)
{
    char next[48];
    snprintf(next, sizeof next, "%" PRIu32 ".%" PRIu64, work->slot, work->mark);
    put_word(out, "next", work->walk_over ? NULL : next);
}

static enum admin_step answer(struct exchange *x, const struct triage_work *work)
{
    struct json_out *out = &x->answer.text;
    json_open(out, '{');
    put_word(out, "action", names[work->what.how]);
    json_key(out, "dry_run");
    json_put_bool(out, work->dry);
    put_count(out, "jobs", work->touched);
    json_key(out, "recipients");
    if (work->dry)
        json_put_int(out, (int64_t)work->recipients);
    else
        json_put_null(out);
    put_time(out, "oldest_at", work->oldest_at_ms);
    put_counts(out, work);
    put_sample(out, work);
    put_next(out, work);
    json_close(out, '}');
    return answer_done(x);
}

/* Memory knows which is the oldest, the disk since when. */
static enum admin_step ask_oldest(struct admin_turn *turn, struct exchange *x, const struct triage_work *work)
{
    struct lookup_job *job = calloc(1, sizeof *job);
    struct job_view view;
    if (job == NULL)
        return answer_error(x, CODE_BUSY, "out of memory", NULL);
    job->number = work->oldest.number;
    if (core_job_glance(turn->core, job->number, turn->now, &view))
        exchange_fill_job(turn, &view, false, job);
    struct lookup_request request = {.what = LOOKUP_JOBS, .form = LOOKUP_VIEW, .jobs = job, .job_count = 1};
    enum admin_step step = exchange_look_up(turn, x, &request);
    if (step != STEP_WAIT)
        free(job);
    x->phase = TRIAGE_OLDEST;
    return step;
}

static enum admin_step read_oldest(struct exchange *x, struct triage_work *work)
{
    struct span text = view_member((struct span){x->lookup.text.text, x->lookup.text.bytes}, "accepted_at");
    char moment[40];
    if (x->lookup.err == ERR_NONE && text.bytes > 2 && text.bytes - 2 < sizeof moment) {
        memcpy(moment, (const char *)text.data + 1, text.bytes - 2);
        moment[text.bytes - 2] = '\0';
        (void)time_parse(moment, &work->oldest_at_ms);
    }
    return answer(x, work);
}

/* ---- the call ---- */

static enum admin_step end_export(struct exchange *x, const struct triage_work *work)
{
    struct json_out *out = &x->answer.text;
    json_close(out, ']');
    put_stays(out, work);
    put_next(out, work);
    json_close(out, '}');
    return answer_done(x);
}

static enum admin_step end(struct admin_turn *turn, struct exchange *x, const struct triage_work *work)
{
    if (work->exports)
        return end_export(x, work);
    if (work->dry)
        return work->touched > 0 ? ask_oldest(turn, x, work) : answer(x, work);
    log_event(LOG_INFO, "triaged", "by=%s what=%s jobs=%" PRIu64 " stay=%" PRIu64, x->grant.name, names[work->what.how],
              work->touched, kept(work));
    x->phase = TRIAGE_DONE;
    core_answer(turn->out, x->token);
    return STEP_WAIT;
}

/* What was chosen is dealt with: on, or to the end. */
static enum admin_step go_on(struct admin_turn *turn, struct exchange *x, const struct triage_work *work, uint64_t before)
{
    x->phase = TRIAGE_WALK;
    if (!work->exports)
        tell(x, work);
    if (is_over(work))
        return end(turn, x, work);
    x->trail.part = !work->dry && !work->exports && work->touched > before;
    return STEP_MORE;
}

static enum admin_step look(struct admin_turn *turn, struct exchange *x, struct triage_work *work)
{
    bool asks = reads_all(work) || selection_asks_disk(&work->selection);
    uint64_t before = work->touched;
    if (asks && work->jobs == NULL && (work->jobs = calloc(CHOSEN_MAX, sizeof *work->jobs)) == NULL)
        return answer_error(x, CODE_BUSY, "out of memory", NULL);
    walk(turn, work);
    if (asks && work->chosen_count > 0)
        return room_of(work) > 0 && !is_over(work) ? STEP_MORE : ask_disk(turn, x, work);
    touch_chosen(turn, work, NULL);
    return go_on(turn, x, work, before);
}

static enum admin_step read_disk(struct admin_turn *turn, struct exchange *x, struct triage_work *work)
{
    uint64_t before = work->touched;
    if (x->lookup.err != ERR_NONE)
        return answer_error(x, CODE_BUSY, "the jobs could not be read from disk", NULL);
    touch_chosen(turn, work, &x->lookup);
    lookup_answer_free(&x->lookup);
    x->has_lookup = false;
    return go_on(turn, x, work, before);
}

enum admin_step call_triage(struct admin_turn *turn, struct exchange *x)
{
    if (x->phase == 0 && !begin(turn, x))
        return STEP_DONE;
    struct triage_work *work = x->memory;
    work->turn = turn; /* of this step: what the one before lent is gone */
    switch (x->phase) {
    case TRIAGE_WALK:
        return look(turn, x, work);
    case TRIAGE_READ:
        return read_disk(turn, x, work);
    case TRIAGE_OLDEST:
        return read_oldest(x, work);
    default:
        return answer(x, work);
    }
}

enum admin_step call_export(struct admin_turn *turn, struct exchange *x)
{
    if (x->phase != 0)
        return call_triage(turn, x);
    if (!begin(turn, x))
        return STEP_DONE;
    json_open(&x->answer.text, '{');
    json_key(&x->answer.text, "export");
    json_open(&x->answer.text, '[');
    return STEP_MORE;
}
