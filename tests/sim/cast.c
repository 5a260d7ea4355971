/* cast.c — see cast.h. */
#include "tests/sim/cast.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/ids.h"

struct cast_job cast_jobs[CAST_JOBS_MAX];
int cast_job_count;

bool cast_has_second;

int cast_account_of_line(int line)
{
    return cast_has_second ? cast_pool_of_line(line) : 0;
}

int cast_account_of(int conversation)
{
    return cast_has_second ? cast_pool_of(conversation) : 0;
}

const char *cast_account_name(int account)
{
    return account == 0 ? "default" : "second";
}

int cast_pool_of_line(int line)
{
    return line < 4 ? 0 : 1;
}

int cast_base(int conversation)
{
    return conversation % CAST_CONVERSATIONS;
}

int cast_twin(int conversation)
{
    return (conversation + CAST_CONVERSATIONS) % CAST_ALL;
}

int cast_pool_of(int conversation)
{
    int own = cast_base(conversation) < 20 ? 0 : 1;
    return conversation < CAST_CONVERSATIONS ? own : 1 - own;
}

const char *cast_pool_name(int pool)
{
    return pool == 0 ? "default" : "side";
}

bool cast_is_group(int conversation)
{
    return cast_base(conversation) % 7 == 6;
}

uint64_t cast_line_digits(int line)
{
    return UINT64_C(12025550100) + (uint64_t)line;
}

void cast_line_number(int line, char out[CAST_HANDLE_MAX])
{
    snprintf(out, CAST_HANDLE_MAX, "+%llu", (unsigned long long)cast_line_digits(line));
}

int cast_line_of(const char *number)
{
    uint64_t digits = number != NULL && *number == '+' ? strtoull(number + 1, NULL, 10) : 0;
    return digits >= cast_line_digits(0) && digits < cast_line_digits(CAST_LINES) ? (int)(digits - cast_line_digits(0))
                                                                                   : -1;
}

int cast_recipients(int conversation, char out[2][CAST_HANDLE_MAX])
{
    snprintf(out[0], CAST_HANDLE_MAX, "+14155552%03d", cast_base(conversation));
    snprintf(out[1], CAST_HANDLE_MAX, "+14155553%03d", cast_base(conversation));
    return cast_is_group(conversation) ? 2 : 1;
}

void cast_put_recipients(struct json_out *out, int conversation)
{
    char handles[2][CAST_HANDLE_MAX];
    int count = cast_recipients(conversation, handles);
    json_open(out, '[');
    for (int i = 0; i < count; i++)
        json_put_string(out, handles[i]);
    json_close(out, ']');
}

int cast_conversation_of(const cJSON *to, int pool)
{
    const cJSON *first = cJSON_IsArray(to) ? to->child : to;
    if (!cJSON_IsString(first) || strncmp(first->valuestring, "+1415555", 8) != 0)
        return -1;
    int conversation = (int)strtol(first->valuestring + 9, NULL, 10);
    int count = cJSON_IsArray(to) ? cJSON_GetArraySize(to) : 1;
    bool ours = conversation >= 0 && conversation < CAST_CONVERSATIONS && count == (cast_is_group(conversation) ? 2 : 1);
    return !ours ? -1 : cast_pool_of(conversation) == pool ? conversation : cast_twin(conversation);
}

bool (*cast_may_have_moved)(int job);

/* One that is met before anybody has told of it has no place among the others. */
static int copy_in_pool(int job, int pool)
{
    struct cast_job *known = &cast_jobs[job];
    if (cast_pool_of(known->conversation) == pool)
        return job;
    if (known->moved_to == 0 && cast_may_have_moved != NULL && cast_may_have_moved(job))
        note(about_job(job), "job %d is met in the other pool as job %d", job,
             cast_copy(job, cast_twin(known->conversation), CAST_LOOSE));
    return known->moved_to == 0 ? job : known->moved_to;
}

int cast_job_of_text(const char *text, int line)
{
    if (text == NULL || strncmp(text, "job ", 4) != 0)
        return -1;
    long job = strtol(text + 4, NULL, 10);
    if (job < 0 || job >= cast_job_count)
        return -1;
    return line < 0 ? (int)job : copy_in_pool((int)job, cast_pool_of_line(line));
}

int cast_job_of_message(const cJSON *document, int line)
{
    const cJSON *parts = json_get(json_get(document, "message"), "parts");
    return cast_job_of_text(parts == NULL ? NULL : json_string(parts->child, "value"), line);
}

int64_t cast_due_ms(int job)
{
    const struct cast_job *known = &cast_jobs[job];
    if (known->redated)
        return known->due_ms;
    return known->has_due ? BEGIN_MS + (int64_t)(known->order % 500) * 1000 : 0;
}

int64_t cast_expires_ms(int job)
{
    const struct cast_job *known = &cast_jobs[job];
    return known->redated ? known->until_ms : known->has_expiry ? known->expires_ms : 0;
}

void cast_name_copy(int copy)
{
    const struct cast_job from = cast_jobs[cast_jobs[copy].copy_of];
    char number[JOB_NUMBER_TEXT_MAX];
    job_number_format(from.number, number);
    snprintf(cast_jobs[copy].id, sizeof cast_jobs[copy].id, "%.*s~%s", (int)strcspn(from.id, "~"), from.id, number);
}

int cast_copy(int job, int conversation, unsigned source)
{
    const struct cast_job from = cast_jobs[job], *known = &from;
    int copy = cast_job_count++;
    assert(copy < CAST_JOBS_MAX);
    cast_jobs[copy] = (struct cast_job){.conversation = conversation,
                                        .pinned = known->pinned,
                                        .class = known->class,
                                        .collapse = known->collapse,
                                        .campaign = known->campaign,
                                        .sent_ever = true,
                                        .forgiven = known->forgiven,
                                        .requeued = known->requeued, /* with dates that nobody knows */
                                        .has_due = known->has_due,
                                        .has_expiry = cast_expires_ms(job) != 0,
                                        .expires_ms = cast_expires_ms(job),
                                        .redated = true,
                                        .due_ms = cast_due_ms(job),
                                        .until_ms = cast_expires_ms(job),
                                        .first_sent_us = known->first_sent_us,
                                        .order = known->order,
                                        .copy_of = job,
                                        .source = source};
    cast_name_copy(copy);
    if (conversation != known->conversation)
        cast_jobs[job].moved_to = copy;
    return copy;
}

struct about about_job(int job)
{
    return (struct about){job, job < 0 ? ABOUT_NONE : cast_jobs[job].conversation, ABOUT_NONE};
}

struct about about_line(int line)
{
    return (struct about){ABOUT_NONE, ABOUT_NONE, line};
}

struct about about_conversation(int conversation)
{
    return (struct about){ABOUT_NONE, conversation, ABOUT_NONE};
}
