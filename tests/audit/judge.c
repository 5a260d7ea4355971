/* judge.c — the verdict, one question after the other. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tests/audit/data.h"

static void find(struct audit_report *report, enum audit_check check, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void find(struct audit_report *report, enum audit_check check, const char *format, ...)
{
    struct audit_finding *finding = &report->findings[check];
    if (finding->count < AUDIT_EXAMPLES) {
        va_list values;
        va_start(values, format);
        vsnprintf(finding->examples[finding->count], AUDIT_EXAMPLE_BYTES, format, values);
        va_end(values);
    }
    finding->count++;
}

static const char *text(const struct audit *audit, uint32_t number)
{
    return number == TEXT_NONE ? "?" : audit->texts.text[number];
}

static int request_order(const void *a, const void *b)
{
    const struct audit_request *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

/* Both arrays of numbers by text: none yet. */
static uint32_t *number_table(const struct audit *audit)
{
    uint32_t *table = audit_room(NULL, audit->texts.count + 1, sizeof *table);
    memset(table, 0xFF, (audit->texts.count + 1) * sizeof *table);
    return table;
}

/* ---- jobs and requests ---- */

static void requests_count(const struct audit *audit, struct audit_report *out)
{
    out->requests = audit->request_count;
    for (size_t i = 0; i < audit->request_count; i++) {
        const struct audit_request *request = &audit->requests[i];
        out->accepted += request->accepted;
        out->duplicates += request->duplicate;
        out->refused += request->refused;
        out->faulted += request->faulted;
        out->unmarked += request->accepted && request->name == TEXT_NONE;
        out->unacked += request->accepted && request->name != TEXT_NONE && request->job == JOB_NONE_KNOWN;
        if (request->body_differs)
            find(out, AUDIT_BODY_CHANGED, "request %" PRId64 ", key %s", request->number, text(audit, request->key));
        if (request->key == TEXT_NONE)
            find(out, AUDIT_NO_KEY, "request %" PRId64, request->number);
    }
}

static void requests_match(struct audit *audit, struct audit_report *out)
{
    for (size_t i = 0; i < audit->request_count; i++) {
        struct audit_request *request = &audit->requests[i];
        request->job = audit_job_find(audit, request->name);
        if (request->job == JOB_NONE_KNOWN)
            continue;
        struct audit_job *job = &audit->jobs[request->job];
        job->accepted += request->accepted;
        if (request->accepted && (request->n != job->n || request->to != job->to))
            find(out, AUDIT_MIXED_UP, "request %" PRId64 ": %s", request->number, text(audit, job->name));
    }
}

static void jobs_judge(struct audit *audit, struct audit_report *out)
{
    uint32_t *name_of_number = number_table(audit);
    out->acked = audit->job_count;
    for (size_t i = 0; i < audit->job_count; i++) {
        const struct audit_job *job = &audit->jobs[i];
        const char *name = text(audit, job->name);
        out->sent += job->accepted > 0;
        out->withdrawn += job->end == END_WITHDRAWN;
        if (job->end == END_SENT && job->accepted == 0)
            find(out, AUDIT_LOST, "%s, acked as %s", name, text(audit, job->number));
        if (job->end == END_WITHDRAWN && job->accepted > 0)
            find(out, AUDIT_WITHDRAWN, "%s", name);
        if (job->accepted > 1)
            find(out, AUDIT_SENT_TWICE, "%s: %u times", name, job->accepted);
        if (name_of_number[job->number] != TEXT_NONE)
            find(out, AUDIT_NUMBER_REUSED, "%s is %s and %s", text(audit, job->number), name,
                 text(audit, name_of_number[job->number]));
        name_of_number[job->number] = job->name;
    }
    for (uint64_t i = 0; i < audit->number_conflicts; i++)
        find(out, AUDIT_NUMBER_REUSED, "one id acked under two job numbers");
    free(name_of_number);
}

/* ---- keys: by the marker, so that it does not matter how a key is made ---- */

static void keys_judge(const struct audit *audit, struct audit_report *out)
{
    uint32_t *key_of_name = number_table(audit), *name_of_key = number_table(audit);
    for (size_t i = 0; i < audit->request_count; i++) {
        const struct audit_request *request = &audit->requests[i];
        if (request->key == TEXT_NONE || request->name == TEXT_NONE)
            continue;
        uint32_t *key = &key_of_name[request->name], *name = &name_of_key[request->key];
        if (*key != TEXT_NONE && *key != request->key)
            find(out, AUDIT_TWO_KEYS, "%s: %s and %s", text(audit, request->name), text(audit, *key),
                 text(audit, request->key));
        if (*name != TEXT_NONE && *name != request->name)
            find(out, AUDIT_SHARED_KEY, "%s: %s and %s", text(audit, request->key), text(audit, *name),
                 text(audit, request->name));
        *key = request->key;
        *name = request->name;
    }
    free(key_of_name);
    free(name_of_key);
}

/* ---- conversations: order, one at a time, one line ---- */

static void order_judge(const struct audit *audit, struct audit_report *out)
{
    uint32_t *last_of_stream = number_table(audit), *line_of = number_table(audit);
    for (size_t i = 0; i < audit->request_count; i++) {
        const struct audit_request *request = &audit->requests[i];
        if (!request->accepted || request->job == JOB_NONE_KNOWN)
            continue;
        const struct audit_job *job = &audit->jobs[request->job];
        uint32_t *last = &last_of_stream[job->stream], *line = &line_of[job->conversation];
        if (*last != JOB_NONE_KNOWN && audit->jobs[*last].n > job->n)
            find(out, AUDIT_ORDER, "request %" PRId64 ": %s, number %" PRId64 " after %" PRId64, request->number,
                 text(audit, job->name), job->n, audit->jobs[*last].n);
        else
            *last = request->job;
        if (*line != TEXT_NONE && *line != request->line)
            find(out, AUDIT_MOVED, "request %" PRId64 ": %s", request->number, text(audit, job->name));
        *line = request->line;
    }
    free(last_of_stream);
    free(line_of);
}

static int begin_order(const void *a, const void *b)
{
    const struct audit_request *x = *(const struct audit_request *const *)a;
    const struct audit_request *y = *(const struct audit_request *const *)b;
    if (x->begun_ms != y->begun_ms)
        return x->begun_ms < y->begun_ms ? -1 : 1;
    return request_order(x, y);
}

/* The caller's. */
static const struct audit_request **by_begin(const struct audit *audit)
{
    const struct audit_request **sorted = audit_room(NULL, audit->request_count + 1, sizeof *sorted);
    for (size_t i = 0; i < audit->request_count; i++)
        sorted[i] = &audit->requests[i];
    qsort(sorted, audit->request_count, sizeof *sorted, begin_order);
    return sorted;
}

static void overlap_judge(const struct audit *audit, struct audit_report *out)
{
    const struct audit_request **sorted = by_begin(audit);
    uint32_t *busy = number_table(audit); /* by conversation: the request that ends last, of those begun */
    for (size_t i = 0; i < audit->request_count; i++) {
        if (sorted[i]->job == JOB_NONE_KNOWN)
            continue;
        const struct audit_job *job = &audit->jobs[sorted[i]->job];
        uint32_t *last = &busy[job->conversation];
        if (*last != UINT32_MAX && sorted[*last]->ended_ms > sorted[i]->begun_ms)
            find(out, AUDIT_OVERLAP, "requests %" PRId64 " and %" PRId64 ": %s", sorted[*last]->number,
                 sorted[i]->number, text(audit, job->name));
        if (*last == UINT32_MAX || sorted[*last]->ended_ms <= sorted[i]->ended_ms)
            *last = (uint32_t)i;
    }
    free(busy);
    free(sorted);
}

/* ---- lines: spans in which nothing, or nothing new, may begin ---- */

enum span_kind { SPAN_CRITICAL, SPAN_FLAGGED, SPAN_UNHEALTHY, SPAN_KINDS };

struct span {
    uint32_t line;
    enum span_kind kind;
    int64_t from_ms, until_ms;
};

struct spans {
    struct span *list;
    size_t count, room;
};

/* What a line's marks have led to so far. */
struct line_state {
    int64_t cleared_by[SPAN_KINDS]; /* the latest change that ended the cause */
    size_t open[SPAN_KINDS];        /* place in the list; SIZE_MAX: closed */
};

static size_t span_open(struct spans *spans, uint32_t line, enum span_kind kind, int64_t from_ms)
{
    if (spans->count == spans->room) {
        spans->room = spans->room == 0 ? 64 : spans->room * 2;
        spans->list = audit_room(spans->list, spans->room, sizeof *spans->list);
    }
    spans->list[spans->count] = (struct span){line, kind, from_ms, INT64_MAX};
    return spans->count++;
}

static void mark_follow(struct spans *spans, struct line_state *state, const struct audit_mark *mark)
{
    const bool bad[SPAN_KINDS] = {[SPAN_CRITICAL] = mark->critical,
                                  [SPAN_FLAGGED] = mark->flagged,
                                  [SPAN_UNHEALTHY] = !mark->healthy || mark->flagged};
    /* Only HEALTHY ends what CRITICAL began. */
    const bool good[SPAN_KINDS] = {[SPAN_CRITICAL] = mark->healthy,
                                   [SPAN_FLAGGED] = !mark->flagged,
                                   [SPAN_UNHEALTHY] = mark->healthy && !mark->flagged};
    for (int kind = 0; kind < SPAN_KINDS; kind++) {
        if (mark->kind == MARK_CHANGE && good[kind]) {
            state->cleared_by[kind] = mark->change;
            if (state->open[kind] != SIZE_MAX)
                spans->list[state->open[kind]].until_ms = mark->at_ms;
            state->open[kind] = SIZE_MAX;
        }
        /* A webhook that arrives after its cause is gone closes nothing. */
        if (mark->kind == MARK_WEBHOOK && bad[kind] && mark->change > state->cleared_by[kind] &&
            state->open[kind] == SIZE_MAX)
            state->open[kind] = span_open(spans, mark->line, (enum span_kind)kind, mark->at_ms);
    }
}

static int mark_order(const void *a, const void *b)
{
    const struct audit_mark *x = a, *y = b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    return (x->kind > y->kind) - (x->kind < y->kind);
}

static struct spans spans_make(struct audit *audit)
{
    struct spans spans = {0};
    struct line_state state;
    uint32_t line = TEXT_NONE;
    if (audit->mark_count > 0)
        qsort(audit->marks, audit->mark_count, sizeof *audit->marks, mark_order);
    for (size_t i = 0; i < audit->mark_count; i++) {
        if (audit->marks[i].line != line || i == 0) {
            line = audit->marks[i].line;
            for (int kind = 0; kind < SPAN_KINDS; kind++) {
                state.cleared_by[kind] = -1;
                state.open[kind] = SIZE_MAX;
            }
        }
        mark_follow(&spans, &state, &audit->marks[i]);
    }
    return spans;
}

/* How long after the 200 of a span in force; -1: in none of these kinds. */
static int64_t lateness_ms(const struct spans *spans, uint32_t line, int64_t begun_ms, bool new_only)
{
    int64_t latest = -1;
    for (size_t i = 0; i < spans->count; i++) {
        const struct span *span = &spans->list[i];
        if (span->line != line || (span->kind == SPAN_UNHEALTHY) != new_only)
            continue;
        if (begun_ms > span->from_ms && begun_ms < span->until_ms && begun_ms - span->from_ms > latest)
            latest = begun_ms - span->from_ms;
    }
    return latest;
}

/* Does the line of this try still bind the conversation when `request` begins? What was tried must be tried again on
 * the same line, and all of its conversation with it, until it has ended. */
static bool binds(const struct audit *audit, const struct audit_request *tried, const struct audit_request *request)
{
    return tried->line == request->line &&
           (tried->job == request->job || audit->jobs[tried->job].ended_ms > request->begun_ms);
}

/* A conversation is placed with its first try. */
static const struct audit_request *placed_by(const struct audit *audit, uint32_t *first_of,
                                             const struct audit_request *request, uint32_t at)
{
    if (request->job == JOB_NONE_KNOWN)
        return request;
    uint32_t *first = &first_of[audit->jobs[request->job].conversation];
    if (*first == UINT32_MAX || !binds(audit, &audit->requests[*first], request))
        *first = at;
    return &audit->requests[*first];
}

/* Conversations with a try that never reached the provider, as when its worker died with it: nobody here knows when
 * they were placed. */
static bool *placed_unseen(const struct audit *audit)
{
    bool *unseen = audit_room(NULL, audit->texts.count + 1, sizeof *unseen);
    int64_t *seen = audit_room(NULL, audit->job_count + 1, sizeof *seen);
    memset(unseen, 0, (audit->texts.count + 1) * sizeof *unseen);
    memset(seen, 0, (audit->job_count + 1) * sizeof *seen);
    for (size_t i = 0; i < audit->request_count; i++)
        if (audit->requests[i].job != JOB_NONE_KNOWN)
            seen[audit->requests[i].job]++;
    for (size_t j = 0; j < audit->job_count; j++)
        if (audit->jobs[j].attempts > seen[j])
            unseen[audit->jobs[j].conversation] = true;
    free(seen);
    return unseen;
}

static void lines_judge(struct audit *audit, const struct audit_rules *rules, struct audit_report *out)
{
    struct spans spans = spans_make(audit);
    uint32_t *first_of = number_table(audit);
    bool *unseen = placed_unseen(audit);
    out->held_latest_ms = out->new_latest_ms = -1;
    for (size_t i = 0; i < spans.count; i++)
        out->holds += spans.list[i].kind != SPAN_UNHEALTHY;
    for (size_t i = 0; i < audit->request_count; i++) {
        const struct audit_request *request = &audit->requests[i];
        int64_t late = lateness_ms(&spans, request->line, request->begun_ms, false);
        out->held_latest_ms = late > out->held_latest_ms ? late : out->held_latest_ms;
        if (late > rules->grace_ms)
            find(out, AUDIT_HELD, "request %" PRId64 ", %" PRId64 " ms after the 200", request->number, late);
        const struct audit_request *placed = placed_by(audit, first_of, request, (uint32_t)i);
        if (!request->new_chat || (request->job != JOB_NONE_KNOWN && unseen[audit->jobs[request->job].conversation]))
            continue;
        late = lateness_ms(&spans, placed->line, placed->begun_ms, true);
        out->new_latest_ms = late > out->new_latest_ms ? late : out->new_latest_ms;
        if (late > rules->grace_ms)
            find(out, AUDIT_NEW_UNHEALTHY, "request %" PRId64 ", %" PRId64 " ms after the 200", request->number,
                 late);
    }
    free(unseen);
    free(first_of);
    free(spans.list);
}

/* ---- lines: how fast, and how many new conversations ---- */

/* What a line has sent, in parts of a send: each send adds a minute's worth, each millisecond takes the pace away.
 * Above the least so far it may stand as high as the sends of the grace: so late may any of them be. */
struct tempo {
    int64_t least, sent;
    bool any;
};

static void pace_judge(const struct audit *audit, const struct audit_rules *rules, struct audit_report *out)
{
    const int64_t minute_ms = 60000;
    const struct audit_request **sorted = by_begin(audit);
    struct tempo *tempos = audit_room(NULL, audit->texts.count + 1, sizeof *tempos);
    memset(tempos, 0, (audit->texts.count + 1) * sizeof *tempos);
    for (size_t i = 0; i < audit->request_count; i++) {
        const struct audit_request *request = sorted[i];
        if (request->line == TEXT_NONE)
            continue;
        struct tempo *tempo = &tempos[request->line];
        int64_t before = tempo->sent++ * minute_ms - request->begun_ms * rules->pace_per_min;
        if (!tempo->any || before < tempo->least)
            tempo->least = before;
        tempo->any = true;
        if (before - tempo->least > rules->grace_ms * rules->pace_per_min)
            find(out, AUDIT_PACE, "request %" PRId64 ": line %s", request->number, text(audit, request->line));
    }
    free(tempos);
    free(sorted);
}

static void new_judge(const struct audit *audit, const struct audit_rules *rules, struct audit_report *out)
{
    int64_t *begun = audit_room(NULL, audit->texts.count + 1, sizeof *begun);
    memset(begun, 0, (audit->texts.count + 1) * sizeof *begun);
    for (size_t i = 0; i < audit->request_count; i++) {
        const struct audit_request *request = &audit->requests[i];
        if (request->line != TEXT_NONE && request->accepted && request->new_chat &&
            ++begun[request->line] > rules->new_per_line)
            find(out, AUDIT_NEW_MANY, "request %" PRId64 ": line %s", request->number, text(audit, request->line));
    }
    free(begun);
}

void audit_judge(struct audit *audit, const struct audit_rules *rules, struct audit_report *out)
{
    *out = (struct audit_report){0};
    if (audit->request_count > 0)
        qsort(audit->requests, audit->request_count, sizeof *audit->requests, request_order);
    requests_match(audit, out);
    requests_count(audit, out);
    jobs_judge(audit, out);
    keys_judge(audit, out);
    order_judge(audit, out);
    overlap_judge(audit, out);
    lines_judge(audit, rules, out);
    if (rules->pace_per_min > 0)
        pace_judge(audit, rules, out);
    if (rules->new_per_line > 0)
        new_judge(audit, rules, out);
    out->status_webhooks = audit->status_webhooks;
    if (rules->allow_moves)
        out->findings[AUDIT_MOVED] = (struct audit_finding){0};
    if (audit->job_count == 0)
        find(out, AUDIT_NOTHING, "the file of acked jobs is empty");
    if (!audit->complete && !rules->allow_partial)
        find(out, AUDIT_INCOMPLETE, "the sandbox was not stopped in order");
    if (out->holds < rules->holds_min)
        find(out, AUDIT_FEW_HOLDS, "%" PRIu64 " of %" PRIu64, out->holds, rules->holds_min);
    out->good = true;
    for (int check = 0; check < AUDIT_CHECK_COUNT; check++)
        out->good = out->good && out->findings[check].count == 0;
}
