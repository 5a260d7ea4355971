/* json.c — reading: cJSON behind a strict check, typed access, raw members, equality. */
#include "lineward/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "json_scan.h"

#define INTEGER_MAX 9007199254740992 /* 2^53 */

static const char no_memory[] = "out of memory";
static const char too_many_values[] = "more values than anybody reads";

static const char *behind_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"';) {
        size_t run = json_plain_run(at, end);
        at += run > 0 ? run : *at == '\\' ? 2 : 1;
    }
    return at < end ? at + 1 : end;
}

/* Each value but the first is the first one of an object or array, or follows a comma. Before all else, and of any
 * bytes: a look at the grammar of a large document takes as long as all small ones wait. */
static bool has_more_values(const char *text, size_t bytes, size_t values_max)
{
    size_t values = 1;
    if (bytes / 2 < values_max)
        return false;
    for (const char *at = text, *end = text + bytes; at < end && values <= values_max;) {
        values += *at == ',' || *at == '[' || *at == '{';
        at = *at == '"' ? behind_string(at, end) : at + 1;
    }
    return values > values_max;
}

cJSON *json_parse(const char *text, size_t bytes, const char **why)
{
    return json_parse_bounded(text, bytes, SIZE_MAX, why);
}

static cJSON *build(const char *text, size_t bytes, const char *fault, const char **why)
{
    cJSON *document = fault == NULL ? cJSON_ParseWithLength(text, bytes) : NULL;
    if (document == NULL && why != NULL)
        *why = fault != NULL ? fault : no_memory;
    return document;
}

cJSON *json_parse_bounded(const char *text, size_t bytes, size_t values_max, const char **why)
{
    const char *fault = has_more_values(text, bytes, values_max) ? too_many_values : json_scan_fault(text, bytes);
    return build(text, bytes, fault, why);
}

cJSON *json_parse_answer(const char *text, size_t bytes, const char **why)
{
    return build(text, bytes, json_scan_answer_fault(text, bytes), why);
}

cJSON *json_parse_foreign(const char *text, size_t bytes, const char **why)
{
    cJSON *document = json_parse(text, bytes, why);
    char *copy = document == NULL && bytes > 0 ? malloc(bytes) : NULL;
    if (copy == NULL)
        return document;
    memcpy(copy, text, bytes);
    json_replace_no_characters(copy, bytes);
    document = json_parse(copy, bytes, why);
    free(copy);
    return document;
}

enum json_fault json_fault_of(const char *why)
{
    if (why == no_memory)
        return JSON_FAULT_MEMORY;
    bool of_value =
        why == json_fault_nul || why == json_fault_digits || why == json_fault_range || why == too_many_values;
    return of_value ? JSON_FAULT_VALUE : JSON_FAULT_FORM;
}

/* Is the number at[0..bytes) beyond +-2^53? Integers are compared digit by digit, since a double would round
 * 2^53 + 1 down; those written with an exponent or a fraction have no digits to lose but the double's. */
static bool number_is_big(const char *at, size_t bytes)
{
    static const char max_digits[] = "9007199254740992";
    if (*at == '-') {
        at++;
        bytes--;
    }
    if (memchr(at, '.', bytes) == NULL && memchr(at, 'e', bytes) == NULL && memchr(at, 'E', bytes) == NULL) {
        size_t max_bytes = sizeof max_digits - 1;
        return bytes != max_bytes ? bytes > max_bytes : memcmp(at, max_digits, bytes) > 0;
    }
    char copy[64];
    if (bytes >= sizeof copy)
        return true;
    memcpy(copy, at, bytes);
    copy[bytes] = '\0';
    return strtod(copy, NULL) > (double)INTEGER_MAX;
}

bool json_has_big_integer(const char *text, size_t bytes)
{
    const char *end = text + bytes;
    for (const char *at = text; at < end;) {
        if (*at == '"') {
            at = json_skip_string(at);
        } else if (*at == '-' || (*at >= '0' && *at <= '9')) {
            const char *behind = json_skip_value(at, end);
            if (number_is_big(at, (size_t)(behind - at)))
                return true;
            at = behind;
        } else {
            at++;
        }
    }
    return false;
}

const cJSON *json_get(const cJSON *object, const char *name)
{
    if (!cJSON_IsObject(object))
        return NULL;
    const cJSON *member = object->child;
    while (member != NULL && strcmp(member->string, name) != 0)
        member = member->next;
    return member;
}

const char *json_string(const cJSON *object, const char *name)
{
    const cJSON *member = json_get(object, name);
    return cJSON_IsString(member) ? member->valuestring : NULL;
}

bool json_int(const cJSON *object, const char *name, int64_t *out)
{
    const cJSON *member = json_get(object, name);
    if (!cJSON_IsNumber(member) || fabs(member->valuedouble) > (double)INTEGER_MAX)
        return false;
    int64_t value = (int64_t)member->valuedouble;
    if ((double)value != member->valuedouble)
        return false;
    *out = value;
    return true;
}

bool json_bool(const cJSON *object, const char *name, bool fallback)
{
    const cJSON *member = json_get(object, name);
    return cJSON_IsBool(member) ? cJSON_IsTrue(member) : fallback;
}

/* Reads one character of a string's inside, escapes resolved, as UTF-8 into out[4]; its length. */
static size_t decode_one(const char **at, char out[4])
{
    static const char escapes[] = "b\bf\fn\nr\rt\t";
    const char *p = *at;
    if (*p != '\\') {
        out[0] = *p;
        *at = p + 1;
        return 1;
    }
    if (p[1] != 'u') {
        const char *escape = strchr(escapes, p[1]);
        out[0] = escape != NULL ? escape[1] : p[1];
        *at = p + 2;
        return 1;
    }
    char digits[5] = {p[2], p[3], p[4], p[5], '\0'};
    unsigned long code = strtoul(digits, NULL, 16);
    *at = p + 6;
    if (code >= 0xd800 && code < 0xdc00) {
        memcpy(digits, p + 8, 4);
        code = 0x10000 + ((code - 0xd800) << 10) + (strtoul(digits, NULL, 16) - 0xdc00);
        *at = p + 12;
    }
    size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    out[0] = (char)(lead[length] | code);
    return length;
}

/* Does the string between the quotes at[0..bytes) spell `name`? */
static bool string_is(const char *at, size_t bytes, const char *name)
{
    size_t name_bytes = strlen(name);
    if (memchr(at, '\\', bytes) == NULL)
        return bytes == name_bytes && memcmp(at, name, bytes) == 0;
    const char *end = at + bytes;
    while (at < end) {
        char one[4];
        size_t length = decode_one(&at, one);
        if (strncmp(name, one, length) != 0)
            return false;
        name += length;
    }
    return *name == '\0';
}

bool json_raw_member(const char *text, size_t bytes, const char *name, const char **value, size_t *value_bytes)
{
    const char *end = text + bytes;
    const char *at = json_skip_blanks(text, end);
    if (at == end || *at != '{')
        return false;
    at = json_skip_blanks(at + 1, end);
    while (*at != '}') {
        const char *key = at + 1;
        at = json_skip_string(at);
        bool found = string_is(key, (size_t)(at - 1 - key), name);
        at = json_skip_blanks(at, end) + 1; /* over the colon */
        const char *first = json_skip_blanks(at, end);
        at = json_skip_value(first, end);
        if (found) {
            *value = first;
            *value_bytes = (size_t)(at - first);
            return true;
        }
        at = json_skip_blanks(at, end);
        if (*at == ',')
            at = json_skip_blanks(at + 1, end);
    }
    return false;
}

struct member {
    const cJSON *item;
    size_t place;
};

static int member_compare(const void *a, const void *b)
{
    const struct member *left = a, *right = b;
    int order = strcmp(left->item->string, right->item->string);
    return order != 0 ? order : left->place < right->place ? -1 : 1;
}

/* The object's members sorted by name, each name once (the first counts). Sorted, because comparing each with
 * each would let one large document hold up the caller for seconds. NULL: out of memory. */
static struct member *members_sorted(const cJSON *object, size_t *out_count)
{
    size_t count = 0;
    for (const cJSON *item = object->child; item != NULL; item = item->next)
        count++;
    struct member *members = malloc((count + 1) * sizeof *members);
    if (members == NULL)
        return NULL;
    size_t place = 0;
    for (const cJSON *item = object->child; item != NULL; item = item->next, place++)
        members[place] = (struct member){item, place};
    qsort(members, count, sizeof *members, member_compare);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || strcmp(members[kept - 1].item->string, members[i].item->string) != 0)
            members[kept++] = members[i];
    }
    *out_count = kept;
    return members;
}

/* Out of memory reads as different: the cautious answer wherever equality would let something pass. */
static bool objects_equal(const cJSON *a, const cJSON *b)
{
    size_t count_a = 0, count_b = 0;
    struct member *left = members_sorted(a, &count_a);
    struct member *right = members_sorted(b, &count_b);
    bool equal = left != NULL && right != NULL && count_a == count_b;
    for (size_t i = 0; equal && i < count_a; i++)
        equal = strcmp(left[i].item->string, right[i].item->string) == 0 && json_equal(left[i].item, right[i].item);
    free(left);
    free(right);
    return equal;
}

static bool arrays_equal(const cJSON *a, const cJSON *b)
{
    const cJSON *left = a->child, *right = b->child;
    while (left != NULL && right != NULL && json_equal(left, right)) {
        left = left->next;
        right = right->next;
    }
    return left == NULL && right == NULL;
}

bool json_equal(const cJSON *a, const cJSON *b)
{
    if (a == NULL || b == NULL || (a->type & 0xff) != (b->type & 0xff))
        return a == b;
    switch (a->type & 0xff) {
    case cJSON_Number:
        return a->valuedouble == b->valuedouble;
    case cJSON_String:
        return strcmp(a->valuestring, b->valuestring) == 0;
    case cJSON_Array:
        return arrays_equal(a, b);
    case cJSON_Object:
        return objects_equal(a, b);
    default:
        return true; /* null, true and false are their own values */
    }
}
