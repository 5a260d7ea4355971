/* named.c — see named.h. */
#include "broker/edge/named.h"

#include <string.h>

#include "lineward/ids.h"
#include "lineward/json.h"

#define BARE_DIGITS_MIN 7 /* without a plus before them: fewer are some other number */

uint64_t named_person(const struct keyed_hash *hash, const char *handle)
{
    return keyed_hash(hash, KEYED_PERSON, NULL, handle, strlen(handle));
}

bool named_among(const struct keyed_hash *hash, uint64_t person, struct span recipients)
{
    bool found = false;
    cJSON *list = recipients.bytes == 0 ? NULL : json_parse(recipients.data, recipients.bytes, NULL);
    const cJSON *handle;
    cJSON_ArrayForEach(handle, list)
    {
        found = found || (cJSON_IsString(handle) && named_person(hash, handle->valuestring) == person);
    }
    cJSON_Delete(list);
    return found;
}

static bool is_person(const struct keyed_hash *hash, uint64_t person, const char *before, const char *text, size_t bytes)
{
    char handle[HANDLE_MAX_BYTES + 2];
    char normal[HANDLE_MAX_BYTES + 1];
    size_t head = strlen(before);
    if (head + bytes > HANDLE_MAX_BYTES)
        return false;
    memcpy(handle, before, head);
    memcpy(handle + head, text, bytes);
    handle[head + bytes] = '\0';
    return memchr(text, '\0', bytes) == NULL && handle_normalize(handle, normal) && named_person(hash, normal) == person;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Of what may stand in an e-mail address, what seldom stands around one. */
static bool is_mail(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c != '\0' && strchr(".!#$&*+-_~^", c) != NULL);
}

/* Between quotes or commas it may have any character. */
static bool is_listed(char c)
{
    return c != '"' && c != ',' && c != '\0';
}

struct part {
    size_t from, to;
};

/* No further than what could still be a handle. */
static struct part around(const char *text, size_t bytes, size_t at, bool (*belongs)(char c))
{
    struct part part = {at, at + 1};
    while (part.from > 0 && at - part.from <= HANDLE_MAX_BYTES && belongs(text[part.from - 1]))
        part.from--;
    while (part.to < bytes && part.to - at <= HANDLE_MAX_BYTES && belongs(text[part.to]))
        part.to++;
    return part;
}

/* A sentence may end behind it. */
static struct part without_dot(const char *text, struct part part)
{
    while (part.to > part.from + 1 && text[part.to - 1] == '.')
        part.to--;
    return part;
}

/* The name that the character at `at` belongs to; empty: none of theirs. */
static struct part name_at(const struct keyed_hash *hash, uint64_t person, const char *text, size_t bytes, size_t at)
{
    const struct part none = {at, at};
    if (text[at] == '@') {
        struct part mail = without_dot(text, around(text, bytes, at, is_mail));
        struct part listed = around(text, bytes, at, is_listed);
        if (is_person(hash, person, "", text + mail.from, mail.to - mail.from))
            return mail;
        return is_person(hash, person, "", text + listed.from, listed.to - listed.from) ? listed : none;
    }
    struct part number = around(text, bytes, at, is_digit);
    size_t digits = number.to - number.from;
    bool plus = number.from > 0 && text[number.from - 1] == '+';
    if (!plus && digits < BARE_DIGITS_MIN)
        return none;
    return is_person(hash, person, "+", text + number.from, digits) ? number : none;
}

size_t named_in(const struct keyed_hash *hash, uint64_t person, char *text, size_t bytes, bool masks)
{
    size_t count = 0;
    for (size_t at = 0; at < bytes; at++) {
        bool begins = is_digit(text[at]) && (at == 0 || !is_digit(text[at - 1]));
        if (!begins && text[at] != '@')
            continue;
        struct part name = name_at(hash, person, text, bytes, at);
        if (name.to == name.from)
            continue;
        count++;
        if (masks)
            memset(text + name.from, '*', name.to - name.from);
    }
    return count;
}

bool named_erased(const struct core *core, const struct keyed_hash *hash, const struct recipients *to)
{
    if (!core_is_erasing(core))
        return false;
    for (size_t i = 0; i < to->count; i++)
        if (core_erases(core, named_person(hash, to->handles[i])))
            return true;
    return false;
}
