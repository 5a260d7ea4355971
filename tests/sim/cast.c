/* cast.c — see cast.h. */
#include "tests/sim/cast.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/json.h"

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

int cast_pool_of(int conversation)
{
    return conversation < 20 ? 0 : 1;
}

const char *cast_pool_name(int pool)
{
    return pool == 0 ? "default" : "side";
}

bool cast_is_group(int conversation)
{
    return conversation % 7 == 6;
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
    snprintf(out[0], CAST_HANDLE_MAX, "+14155552%03d", conversation);
    snprintf(out[1], CAST_HANDLE_MAX, "+14155553%03d", conversation);
    return cast_is_group(conversation) ? 2 : 1;
}

int cast_conversation_of(const cJSON *to, int pool)
{
    const cJSON *first = cJSON_IsArray(to) ? to->child : to;
    if (!cJSON_IsString(first) || strncmp(first->valuestring, "+1415555", 8) != 0)
        return -1;
    int conversation = (int)strtol(first->valuestring + 9, NULL, 10);
    int count = cJSON_IsArray(to) ? cJSON_GetArraySize(to) : 1;
    bool ours = conversation >= 0 && conversation < CAST_CONVERSATIONS && cast_pool_of(conversation) == pool &&
                count == (cast_is_group(conversation) ? 2 : 1);
    return ours ? conversation : -1;
}

int cast_job_of_text(const char *text)
{
    if (text == NULL || strncmp(text, "job ", 4) != 0)
        return -1;
    long job = strtol(text + 4, NULL, 10);
    return job >= 0 && job < cast_job_count ? (int)job : -1;
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
