/* json_members.c — the members of an object, the items of an array, as spans of its text, one after the other. */
#include "json_scan.h"
#include "lineward/json.h"

bool json_next_member(const char *text, size_t bytes, size_t *at_p, struct json_member *out)
{
    const char *end = text + bytes;
    const char *at = json_skip_blanks(text + *at_p, end);
    if (*at_p == 0 && (at == end || *at != '{'))
        return false;
    if (at < end && (*at == '{' || *at == ','))
        at = json_skip_blanks(at + 1, end);
    if (at >= end || *at != '"')
        return false;
    out->name = at + 1;
    at = json_skip_string(at);
    out->name_bytes = (size_t)(at - 1 - out->name);
    at = json_skip_blanks(at, end);
    at = json_skip_blanks(at + 1, end); /* past the colon */
    out->value = at;
    at = json_skip_value(at, end);
    out->value_bytes = (size_t)(at - out->value);
    *at_p = (size_t)(at - text);
    return true;
}

bool json_next_item(const char *text, size_t bytes, size_t *at_p, const char **item, size_t *item_bytes)
{
    const char *end = text + bytes;
    const char *at = json_skip_blanks(text + *at_p, end);
    if (at == end || *at != (*at_p == 0 ? '[' : ','))
        return false;
    at = json_skip_blanks(at + 1, end);
    if (at == end || *at == ']')
        return false;
    *item = at;
    at = json_skip_value(at, end);
    *item_bytes = (size_t)(at - *item);
    *at_p = (size_t)(at - text);
    return true;
}
