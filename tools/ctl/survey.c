/* survey.c — see survey.h. */
#include "survey.h"

#include <stdlib.h>
#include <string.h>

#include "broker/store/record.h"

enum fact_kind { FACT_JOB, FACT_TRY, FACT_END };

struct survey_fact { /* in the order of the records; the last of a kind counts */
    uint64_t number;
    uint64_t at : 48, kind : 2, unsettled : 1, leased : 1;
    uint64_t life : 8;
    int64_t accepted_ms, due_ms;
};

static bool add(struct survey *survey, struct survey_fact fact)
{
    if (survey->count == survey->room) {
        size_t room = survey->room == 0 ? 1024 : 2 * survey->room;
        struct survey_fact *grown = realloc(survey->facts, room * sizeof *grown);
        if (grown == NULL) {
            survey->failed = true;
            return false;
        }
        survey->facts = grown;
        survey->room = room;
    }
    fact.at = survey->count & 0xFFFFFFFFFFFF;
    survey->facts[survey->count++] = fact;
    return true;
}

bool survey_record(void *self, const struct store_record *record)
{
    struct record_storage storage;
    struct change change;
    struct survey_fact fact = {0};
    bool counts = record->kind == CHANGE_JOB || record->kind == CHANGE_TRY || record->kind == CHANGE_END;
    if (!counts || (record->past && record->kind != CHANGE_END))
        return true;
    if (!record_as_change(record, &storage, &change))
        return true;
    if (record->kind == CHANGE_JOB)
        fact = (struct survey_fact){.number = change.job.number,
                                    .kind = FACT_JOB,
                                    .life = change.job.life,
                                    .accepted_ms = change.job.accepted_at_ms,
                                    .due_ms = change.job.due_ms};
    else if (record->kind == CHANGE_TRY)
        fact = (struct survey_fact){.number = change.try.number,
                                    .kind = FACT_TRY,
                                    .unsettled = change.try.unsettled || change.try.doubtful,
                                    .leased = change.try.lease != 0};
    else
        fact = (struct survey_fact){.number = change.end.number, .kind = FACT_END, .life = change.end.life};
    return add(self, fact);
}

static int compare(const void *a, const void *b)
{
    const struct survey_fact *left = a, *right = b;
    if (left->number != right->number)
        return left->number < right->number ? -1 : 1;
    return left->at < right->at ? -1 : left->at > right->at;
}

/* All facts of one job. */
static void count_job(const struct survey_fact *facts, size_t count, int64_t at_ms, struct survey_result *out)
{
    const struct survey_fact *job = NULL, *last_try = NULL;
    int ended = -1;
    for (size_t i = 0; i < count; i++) {
        if (facts[i].kind == FACT_JOB && (job == NULL || facts[i].life >= job->life))
            job = &facts[i];
        else if (facts[i].kind == FACT_TRY)
            last_try = &facts[i];
        else if (facts[i].kind == FACT_END && (int)facts[i].life > ended)
            ended = facts[i].life;
    }
    if (job == NULL || ended >= (int)job->life)
        return;
    out->jobs++;
    out->scheduled += job->due_ms > at_ms;
    out->tried += last_try != NULL && (last_try->unsettled || last_try->leased);
    if (out->oldest_ms == 0 || job->accepted_ms < out->oldest_ms)
        out->oldest_ms = job->accepted_ms;
}

void survey_end(struct survey *survey, int64_t at_ms, struct survey_result *out)
{
    *out = (struct survey_result){0};
    if (survey->count > 0)
        qsort(survey->facts, survey->count, sizeof *survey->facts, compare);
    for (size_t i = 0; i < survey->count;) {
        size_t n = i;
        while (n < survey->count && survey->facts[n].number == survey->facts[i].number)
            n++;
        count_job(survey->facts + i, n - i, at_ms, out);
        i = n;
    }
    free(survey->facts);
    survey->facts = NULL;
}
