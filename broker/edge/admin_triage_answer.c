/* admin_triage_answer.c — what a triage says of itself: to who asked, to the audit. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/edge/admin_calls.h"
#include "broker/edge/admin_triage.h"
#include "broker/edge/view_put.h"

const char *triage_name(enum triage how)
{
    static const char *const names[] = {
        [TRIAGE_CANCEL] = "cancel", [TRIAGE_EXPIRE] = "expire", [TRIAGE_REDATE] = "redate", [TRIAGE_MOVE] = "move"};
    return names[how];
}

uint64_t triage_kept(const struct triage_work *work)
{
    uint64_t jobs = 0;
    for (enum code code = CODE_NONE + 1; code < CODE_COUNT; code++)
        jobs += work->refused[code];
    for (enum drain_stay stay = DRAIN_STAY_NONE + 1; stay < DRAIN_STAY_COUNT; stay++)
        jobs += work->stays[stay];
    return jobs;
}

void triage_tell(struct exchange *x, const struct triage_work *work)
{
    struct json_out *out = &x->trail.told;
    json_out_clear(out);
    json_open(out, '{');
    put_count(out, "jobs", work->touched);
    put_count(out, "stay", triage_kept(work));
    json_close(out, '}');
}

static void put_stays(struct json_out *out, const struct triage_work *work)
{
    put_count(out, "stay", triage_kept(work));
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
    for (size_t i = 0; i < work->touched && i < TRIAGE_SAMPLE_MAX; i++) {
        char text[JOB_NUMBER_TEXT_MAX];
        job_number_format(work->sample[i], text);
        json_put_string(out, text);
    }
    json_close(out, ']');
}

/* Those in hand that the answer has no room for are found again. False: there is nothing more to look at. */
static bool next_at(const struct triage_work *work, uint64_t *out)
{
    bool in_hand = work->pick_at < work->pick_count;
    *out = work->in_order ? work->last + 1 : in_hand ? work->picks[work->pick_at].slot : work->slot;
    return work->in_order ? work->dropped : in_hand || !work->walk_over;
}

static void put_next(struct json_out *out, const struct triage_work *work)
{
    char next[72], until[24];
    uint64_t at;
    bool more = next_at(work, &at);
    snprintf(until, sizeof until, "%" PRIu64, work->mark);
    snprintf(next, sizeof next, "%" PRIu64 ".%s.%" PRId64, at, until, work->moment_ms);
    put_word(out, "next", more ? next : NULL);
    put_word(out, "until", until);
}

enum admin_step triage_answer(struct exchange *x, const struct triage_work *work)
{
    struct json_out *out = &x->answer.text;
    json_open(out, '{');
    put_word(out, "action", triage_name(work->what.how));
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

enum admin_step triage_answer_export(struct exchange *x, const struct triage_work *work)
{
    struct json_out *out = &x->answer.text;
    json_close(out, ']');
    put_stays(out, work);
    put_next(out, work);
    json_close(out, '}');
    return answer_done(x);
}

enum admin_step triage_ask_oldest(struct admin_turn *turn, struct exchange *x, const struct triage_work *work)
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
    return step;
}

void triage_take_oldest(struct exchange *x, struct triage_work *work)
{
    struct span text = view_member((struct span){x->lookup.text.text, x->lookup.text.bytes}, "accepted_at");
    char moment[40];
    if (x->lookup.err != ERR_NONE || text.bytes <= 2 || text.bytes - 2 >= sizeof moment)
        return;
    memcpy(moment, (const char *)text.data + 1, text.bytes - 2);
    moment[text.bytes - 2] = '\0';
    (void)time_parse(moment, &work->oldest_at_ms);
}
