/* view_put.c — members that several views write alike. */
#include "broker/edge/view_put.h"

#include <string.h>

void put_span(struct json_out *out, const char *name, struct span value)
{
    json_key(out, name);
    if (value.bytes > 0)
        json_put_raw(out, value.data, value.bytes);
    else
        json_put_null(out);
}

void put_word(struct json_out *out, const char *name, const char *text)
{
    json_key(out, name);
    json_put_string(out, text);
}

void put_count(struct json_out *out, const char *name, uint64_t count)
{
    json_key(out, name);
    json_put_int(out, count <= INT64_MAX ? (int64_t)count : INT64_MAX);
}

void put_time(struct json_out *out, const char *name, int64_t wall_ms)
{
    json_key(out, name);
    json_put_time(out, wall_ms);
}

void put_moment(struct json_out *out, const char *name, int64_t wall_ms)
{
    if (wall_ms != 0)
        put_time(out, name, wall_ms);
}

static bool is_one_of(const struct json_member *member, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strlen(*names) == member->name_bytes && memcmp(*names, member->name, member->name_bytes) == 0)
            return true;
    return false;
}

void put_members(struct json_out *out, struct span object, const char *const *left_out)
{
    struct json_member member;
    size_t at = 0;
    while (json_next_member(object.data, object.bytes, &at, &member)) {
        char name[32];
        if (member.name_bytes >= sizeof name || is_one_of(&member, left_out))
            continue;
        memcpy(name, member.name, member.name_bytes);
        name[member.name_bytes] = '\0';
        json_key(out, name);
        json_put_raw(out, member.value, member.value_bytes);
    }
}

void put_line(struct json_out *out, const char *name, uint64_t line)
{
    char text[LINE_TEXT_MAX];
    line_text(line, text);
    put_word(out, name, line != 0 ? text : NULL);
}

void put_number(struct json_out *out, uint64_t number)
{
    char text[JOB_NUMBER_TEXT_MAX];
    job_number_format(number, text);
    put_word(out, "job", number != 0 ? text : NULL);
}

void put_reason(struct json_out *out, enum reason reason)
{
    put_word(out, "reason", reason != REASON_NONE ? reason_name(reason) : NULL);
}

void put_recipients(struct json_out *out, struct span recipients, bool mask)
{
    if (!mask || recipients.bytes == 0) {
        put_span(out, "to", recipients);
        return;
    }
    json_key(out, "to");
    cJSON *list = json_parse(recipients.data, recipients.bytes, NULL);
    const cJSON *handle;
    json_open(out, '[');
    cJSON_ArrayForEach(handle, list)
    {
        char masked[HANDLE_MAX_BYTES + 1];
        if (!cJSON_IsString(handle))
            continue;
        handle_mask(handle->valuestring, masked);
        json_put_string(out, masked);
    }
    json_close(out, ']');
    cJSON_Delete(list);
}
