/* triage.c — see triage.h. */
#include "tests/sim/triage.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/clock.h"
#include "lineward/ids.h"
#include "lineward/json.h"
#include "tests/sim/calls.h"
#include "tests/sim/cast.h"
#include "tests/sim/disk.h"
#include "tests/sim/erasures.h"
#include "tests/sim/house.h"
#include "tests/sim/producers.h"
#include "tests/sim/reference.h"
#include "tests/sim/triage_part.h"
#include "tests/sim/witness.h"

#define PAGE       10  /* jobs that a call touches at most: it names as many */
#define PASSES     3   /* of a move: what stood behind another one goes the next time */
#define FEW_READ   8   /* so many are read from disk at once; one, if they are large */
#define TOUCH_MAX  1000
#define FIND_US    (5 * US_S)

struct run sorting_runs[SORTING_RUNS];

static struct {
    bool here;
    struct stream pace;
    unsigned sources;
    int finding; /* a copy whose number is asked for; 0: none */
} triage;

static const char *const words[SORT_WHATS] = {"cancel", "expire", "redate", "move"};

int sorting_number(const struct run *run)
{
    return (int)(run - sorting_runs);
}

void sorting_later(struct run *run, ground_action action)
{
    ground_in(US_S + draw_delay_us(&triage.pace, 0, 8 * US_S), action, NULL, (uint64_t)sorting_number(run));
}

void sorting_end(struct run *run)
{
    for (int i = 0; i < run->count; i++)
        cJSON_Delete(run->list[i].document);
    free(run->list);
    cJSON_Delete(run->rehearsed);
    cJSON_Delete(run->done);
    *run = (struct run){.used = false};
}

/* ---- asking ---- */

void sorting_named(const struct run *run)
{
    if (run->pick.conversation >= 0)
        erasures_named(run->pick.conversation);
}

void sorting_target(const struct run *run, const char *path, unsigned limit, char *out, size_t room)
{
    const struct pick *pick = &run->pick;
    char handles[2][CAST_HANDLE_MAX];
    size_t used = (size_t)snprintf(out, room, "/v1/triage/%s?pool=%s&limit=%u", path, cast_pool_name(pick->pool), limit);
#define PUT(...) used += (size_t)snprintf(out + used, room - used, __VA_ARGS__)
    if (pick->class >= 0)
        PUT("&class=%s", job_class_name((enum job_class)pick->class));
    if (pick->campaign != '\0')
        PUT("&campaign=%c", pick->campaign);
    if (pick->word != NULL)
        PUT("&%s", pick->word);
    if (run->until[0] != '\0')
        PUT("&until=%s", run->until);
    if (run->after[0] != '\0')
        PUT("&after=%s", run->after);
    for (int i = 0; pick->conversation >= 0 && i < cast_recipients(pick->conversation, handles); i++)
        PUT("%s%%2B%s", i == 0 ? "&to=" : ",", handles[i] + 1);
#undef PUT
    sorting_named(run);
}

static void put_date(struct json_out *out, const char *name, bool given, int64_t at_ms)
{
    if (!given)
        return;
    json_key(out, name);
    if (at_ms == 0)
        json_put_null(out);
    else
        json_put_time(out, at_ms);
}

static char *body_of(const struct run *run)
{
    struct json_out out = {0};
    json_open(&out, '{');
    json_key(&out, "reason");
    json_put_string(&out, "the sale is over");
    if (run->what == SORT_MOVE) {
        json_key(&out, "pool");
        json_put_string(&out, cast_pool_name(1 - run->pick.pool));
    }
    if (run->what == SORT_REDATE) {
        put_date(&out, "send_after", run->has_due, run->due_ms);
        put_date(&out, "expires_at", run->has_until, run->until_ms);
    }
    json_close(&out, '}');
    out.comma = false;
    json_put_raw(&out, "", 1);
    return out.text;
}

static void answered(void *self, uint64_t number, int status, const cJSON *answer);
static void rehearsed(void *self, uint64_t number, int status, const cJSON *answer);

void sorting_ask(void *self, uint64_t number)
{
    struct run *run = &sorting_runs[number];
    struct call call = {.method = "POST", .answered = answered, .arg = number}, look = call;
    (void)self;
    sorting_target(run, words[run->what], run->at_once ? TOUCH_MAX : PAGE, call.target, sizeof call.target);
    call.body = body_of(run);
    run->asked_us = now_us();
    run->is_open = true;
    bool asked;
    if (run->at_once) {
        look.answered = rehearsed;
        look.body = body_of(run);
        memcpy(look.target, call.target, sizeof look.target);
        strncat(look.target, "&dry_run=1", sizeof look.target - strlen(look.target) - 1);
        /* What is meant is durable, for a move it is read, it is touched. */
        asked = calls_ask_both(&look, &call, run->what == SORT_MOVE ? 3 : 2);
    } else {
        asked = calls_ask(&call);
    }
    if (!asked)
        sorting_later(run, sorting_ask);
}

/* ---- what it touched ---- */

static void redated(const struct run *run, int job)
{
    struct cast_job *known = &cast_jobs[job];
    int64_t due_ms = run->has_due ? run->due_ms : cast_due_ms(job);
    int64_t until_ms = run->has_until ? run->until_ms : cast_expires_ms(job);
    bool at_once = known->redated_us > run->asked_us; /* as another call: nobody knows which of them was the last */
    if (known->moved_to != 0) /* the answers may come in another order than the calls */
        cast_jobs[known->moved_to].dates_vague = true;
    known->dates_vague = at_once || (known->copy_of >= 0 && known->dates_vague);
    known->redated = true;
    known->redated_us = now_us();
    known->due_ms = due_ms;
    known->until_ms = until_ms;
}

static void moved(const struct run *run, int job)
{
    fault(FAULT_MOVED_TO_POOL);
    if (cast_jobs[job].moved_to == 0) {
        int copy = cast_copy(job, cast_twin(cast_jobs[job].conversation), 1);
        cast_jobs[copy].first_sent_us = run->asked_us;
        cast_jobs[copy].copied_us = now_us();
        reference_offered(copy);
    }
    note(about_job(job), "triage: job %d goes to the other pool as job %d", job, cast_jobs[job].moved_to);
}

static void touched(struct run *run, int job)
{
    static const char *const why[SORT_WHATS] = {"an operator cancelled it", "an operator had it expire", NULL,
                                                "an operator moved it to another pool"};
    marks_touched(run->what, job);
    note(about_job(job), "triage: job %d is touched: %s", job, words[run->what]);
    if (run->exports)
        sorting_check(run, job);
    if (run->what == SORT_REDATE)
        redated(run, job);
    if (run->what == SORT_MOVE)
        moved(run, job);
    if (run->what != SORT_REDATE && !cast_jobs[job].forgiven && !cast_jobs[job].requeued)
        reference_ended(job, why[run->what]);
}

static void take_sample(struct run *run, const cJSON *answer)
{
    static const enum fault faults[SORT_WHATS] = {FAULT_TRIAGE_CANCELLED, FAULT_TRIAGE_EXPIRED, FAULT_TRIAGE_REDATED,
                                                  FAULT_TRIAGE_MOVED};
    const cJSON *item, *sample = json_get(answer, "sample");
    int64_t jobs = -1;
    json_int(answer, "jobs", &jobs);
    int named = cJSON_GetArraySize(sample);
    if (jobs < 0 || named != (jobs < PAGE ? jobs : PAGE))
        breach("form", NOBODY_ABOUT, "triage says that it touched %" PRId64 " jobs, and names %d", jobs, named);
    run->touched += (unsigned)jobs;
    bool strangers = false;
    cJSON_ArrayForEach(item, sample)
    {
        uint64_t number = 0;
        fault(faults[run->what]);
        int job = cJSON_IsString(item) && job_number_parse(item->valuestring, &number) ? reference_job(number) : -1;
        if (job >= 0)
            touched(run, job);
        strangers = strangers || job < 0;
    }
    if (jobs > PAGE)
        marks_lost(run->what, &run->pick);
    else if (strangers)
        marks_strangers(run->what, &run->pick);
}

/* ---- the answers ---- */

/* What a rehearsal said, and what the call did in the same turn. */
static void compare(struct run *run)
{
    static const char *const members[] = {"action", "jobs", "by_class", "stay", "stays", "sample", "by_reason"};
    int64_t jobs = 0, stay = 0;
    json_int(run->rehearsed, "jobs", &jobs);
    json_int(run->rehearsed, "stay", &stay);
    size_t count = sizeof members / sizeof *members;
    if (run->has_due && run->what == SORT_REDATE) /* in the order of their times, and by then not in that of their places */
        count = 5;
    if (run->what == SORT_MOVE && jobs + stay > (producers_are_heavy() ? 1 : FEW_READ)) /* the rest is read in another turn */
        return;
    fault(FAULT_TRIAGE_REHEARSED);
    for (size_t i = 0; i < count; i++) {
        const cJSON *said = json_get(run->rehearsed, members[i]), *is = json_get(run->done, members[i]);
        if (cJSON_Compare(said, is, true))
            continue;
        char *a = cJSON_PrintUnformatted(said), *b = cJSON_PrintUnformatted(is);
        breach("triage", NOBODY_ABOUT, "a rehearsal of %s says %s %s, and the call behind it %s", words[run->what],
               members[i], a, b);
    }
}

static void both_answered(struct run *run)
{
    if (!run->answered_one) {
        run->answered_one = true;
        return;
    }
    if (run->rehearsed != NULL && run->done != NULL)
        compare(run);
    sorting_end(run);
}

static void rehearsed(void *self, uint64_t number, int status, const cJSON *answer)
{
    struct run *run = &sorting_runs[number];
    (void)self;
    sorting_named(run);
    if (status == 200)
        run->rehearsed = cJSON_Duplicate(answer, true);
    both_answered(run);
}

/* The next page, or once more from the beginning, or it is over. */
static void go_on(struct run *run, const cJSON *answer)
{
    const char *next = json_string(answer, "next");
    bool again = next == NULL && run->what == SORT_MOVE && run->touched > 0 && ++run->passes < PASSES;
    if (next == NULL)
        run->touched = 0;
    snprintf(run->after, sizeof run->after, "%s", next == NULL ? "" : next);
    if (next != NULL || again)
        sorting_later(run, sorting_ask);
    else if (run->exports)
        sorting_later(run, sorting_import);
    else
        sorting_end(run);
}

/* The expiry that they ask for, by now. */
static bool has_passed(const struct run *run)
{
    return run->what == SORT_REDATE && run->has_until && run->until_ms != 0 &&
           run->until_ms <= reference_wall_most_ms();
}

static void answered(void *self, uint64_t number, int status, const cJSON *answer)
{
    struct run *run = &sorting_runs[number];
    (void)self;
    run->is_open = false;
    sorting_named(run);
    if (calls_come_again(status))
        marks_lost(run->what, &run->pick);
    else if (status == 200)
        take_sample(run, answer);
    else if (status != 422 || !(has_passed(run) || disk_has_ever_lied())) /* then a mark may be of before */
        breach("form", NOBODY_ABOUT, "triage is answered %d", status);
    if (run->at_once) {
        run->done = status == 200 ? cJSON_Duplicate(answer, true) : NULL;
        both_answered(run);
    } else if (calls_come_again(status)) {
        fault(FAULT_TRIAGE_AGAIN);
        sorting_later(run, sorting_ask);
    } else if (status == 200) {
        go_on(run, answer);
    } else {
        sorting_end(run);
    }
}

/* ---- copies in the other pool: which number do they have? ---- */

static void find_copies(void *self, uint64_t arg);

static bool is_to_be_found(int job)
{
    const struct cast_job *known = &cast_jobs[job];
    return known->copy_of >= 0 && known->conversation != cast_jobs[known->copy_of].conversation && !known->acked &&
           !known->forgiven && cast_jobs[known->copy_of].number != 0;
}

static void found(void *self, uint64_t copy, int status, const cJSON *view)
{
    int job = (int)copy;
    const char *number = json_string(view, "job");
    (void)self;
    triage.finding = 0;
    if (!calls_come_again(status) && is_to_be_found(job)) {
        if (status != 200 || number == NULL)
            breach("P1", about_job(job), "job %d went to another pool as job %d, and is not there (%d)",
                   cast_jobs[job].copy_of, job, status);
        witness_acked(job, number, view);
    }
    ground_in(FIND_US / 10, find_copies, NULL, 0);
}

static void find_copies(void *self, uint64_t arg)
{
    (void)self;
    (void)arg;
    for (int job = 1; job < cast_job_count && triage.finding == 0; job++) {
        if (!is_to_be_found(job))
            continue;
        cast_name_copy(job);
        struct call call = {.method = "GET", .answered = found, .arg = (uint64_t)job};
        snprintf(call.target, sizeof call.target, "/v1/jobs/%s%%2F%s",
                 cast_pool_name(cast_pool_of(cast_jobs[job].conversation)), cast_jobs[job].id);
        triage.finding = calls_ask(&call) ? job : 0;
        break;
    }
    if (triage.finding == 0)
        ground_in(FIND_US, find_copies, NULL, 0);
}

/* ---- life ---- */

void sorting_begin(void)
{
    struct stream luck = stream_of("triage");
    triage.here = chance(&luck, 200);
    triage.pace = stream_of("triage pace");
    triage.sources = 1;
    cast_may_have_moved = triage_may_have_moved;
    marks_begin(triage.here);
    if (triage.here)
        ground_in(FIND_US, find_copies, NULL, 0);
}

/* `reads`: may it be one for which all jobs are read from disk? */
static struct pick draw_pick(struct stream *stream, bool reads)
{
    static const char *const more[] = {"state=held",    "state=queued",           "state=scheduled",
                                       "reason=pace", "reason=conversation_busy", "reason=line_critical"};
    struct pick pick = {.pool = chance(stream, 300), .conversation = -1, .class = -1};
    uint64_t how = draw(stream, 100), conversation = draw(stream, CAST_CONVERSATIONS), class = draw(stream, CLASS_COUNT);
    char campaign = (char)('a' + draw(stream, 2));
    bool has_word = chance(stream, 250);
    const char *word = more[draw(stream, sizeof more / sizeof *more)];
    if (how < 40 && reads)
        pick.conversation = (int)conversation;
    else if (how < 75)
        pick.class = (int)class;
    else if (how < 95)
        pick.campaign = campaign;
    if (pick.conversation >= 0)
        pick.pool = cast_pool_of(pick.conversation);
    pick.word = has_word ? word : NULL;
    return pick;
}

static void draw_dates(struct stream *stream, struct run *run)
{
    int64_t wall_ms = machine_wall_us(house_machine()) / US_MS;
    run->has_due = chance(stream, 400);
    run->has_until = !run->has_due || chance(stream, 500);
    bool at_once = chance(stream, 400), never = chance(stream, 500);
    int64_t due_ms = (int64_t)draw(stream, 300) * 1000, until_ms = 60000 + (int64_t)draw(stream, 4000) * 1000;
    run->due_ms = at_once ? 0 : wall_ms + due_ms;
    run->until_ms = never ? 0 : wall_ms + until_ms;
}

void sorting_mishap(struct stream *stream)
{
    static const enum triage_what whats[] = {SORT_CANCEL, SORT_EXPIRE, SORT_REDATE, SORT_REDATE,
                                             SORT_MOVE,   SORT_MOVE,   SORT_MOVE,   SORT_CANCEL};
    struct run run = {.used = true};
    uint64_t what = draw(stream, 8);
    run.what = whats[what];
    run.exports = what == 7;
    run.at_once = chance(stream, 400) && !run.exports;
    run.pick = draw_pick(stream, !run.at_once);
    draw_dates(stream, &run);
    if (run.what == SORT_REDATE && chance(stream, 600)) /* which does no harm to the rest of the world */
        run.pick = (struct pick){.pool = run.pick.pool, .conversation = -1, .class = -1};
    if (run.what == SORT_MOVE) { /* in one direction, so that a text says which job it is */
        run.pick.pool = 0;
        run.pick.conversation = run.pick.conversation < 20 ? run.pick.conversation : -1;
    }
    if (run.exports)
        run.pick.word = NULL;
    for (int i = 0; i < SORTING_RUNS && triage.here; i++) {
        if (sorting_runs[i].used)
            continue;
        run.source = ++triage.sources;
        sorting_runs[i] = run;
        if (run.exports)
            sorting_export(NULL, (uint64_t)i);
        else
            sorting_ask(NULL, (uint64_t)i);
        return;
    }
}

bool sorting_is_done(void)
{
    for (int i = 0; i < SORTING_RUNS; i++)
        if (sorting_runs[i].used)
            return false;
    for (int job = 1; job < cast_job_count && triage.here; job++)
        if (is_to_be_found(job))
            return false;
    return true;
}
