/* json_members.c — the members of an object as spans of its text, in one walk. */
#include "json_scan.h"
#include "lineward/json.h"

size_t json_members(const char *text, size_t bytes, struct json_member *out, size_t room)
{
    const char *end = text + bytes;
    const char *at = json_skip_blanks(text, end);
    size_t count = 0;
    if (at == end || *at != '{')
        return 0;
    at = json_skip_blanks(at + 1, end);
    while (at < end && *at == '"') {
        struct json_member member = {.name = at + 1};
        at = json_skip_string(at);
        member.name_bytes = (size_t)(at - 1 - member.name);
        at = json_skip_blanks(at, end);
        at = json_skip_blanks(at + 1, end); /* past the colon */
        member.value = at;
        at = json_skip_value(at, end);
        member.value_bytes = (size_t)(at - member.value);
        if (count < room)
            out[count] = member;
        count++;
        at = json_skip_blanks(at, end);
        if (at < end && *at == ',')
            at = json_skip_blanks(at + 1, end);
    }
    return count;
}
