/* named.c — see named.h. */
#include "broker/edge/named.h"

#include <string.h>

#include "lineward/ids.h"
#include "lineward/json.h"

#define BARE_DIGITS_MIN  7  /* without a plus before them: fewer are some other number */
#define DIGITS_MAX       18 /* E.164's 15, behind what is dialled before them */
#define HOME_DIGITS      10 /* of a number in North America, whose country code its people seldom write */
#define GAP_MARKS_MAX    4  /* ") - " between two groups of digits */

struct wanted { /* one person, or (`core`) everybody who is being erased, or was so since then */
    const struct keyed_hash *hash;
    uint64_t person;
    const struct core *core;
    int64_t since_mono_ms;
};

struct part {
    size_t from, to;
};

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

static bool is_wanted(const struct wanted *wanted, const char *handle)
{
    char normal[HANDLE_MAX_BYTES + 1];
    if (!handle_normalize(handle, normal))
        return false;
    uint64_t person = named_person(wanted->hash, normal);
    if (wanted->core == NULL)
        return person == wanted->person;
    return core_erased_since(wanted->core, person, wanted->since_mono_ms);
}

/* ---- characters ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_one_of(char c, const char *list)
{
    return c != '\0' && strchr(list, c) != NULL;
}

/* The bytes of a character of UTF-8 that is no part of a word: a space, dash, dot or quotation mark. 0: none is there. */
static size_t wide_mark(const char *text, size_t bytes, size_t at)
{
    const unsigned char *c = (const unsigned char *)text + at;
    if (bytes - at >= 2 && c[0] == 0xC2 && c[1] >= 0xA0 && c[1] <= 0xBF)
        return 2;
    bool general = bytes - at >= 3 && c[0] == 0xE2 && (c[1] == 0x80 || c[1] == 0x81 || (c[1] == 0x88 && c[2] == 0x92));
    return general ? 3 : 0;
}

/* ---- numbers ---- */

/* Of what people put between the digits of one number. */
static size_t gap_mark(const char *text, size_t bytes, size_t at)
{
    return is_one_of(text[at], " -./()[]_\t") ? 1 : wide_mark(text, bytes, at);
}

/* Where its digits go on; `at`: nowhere. */
static size_t next_digits(const char *text, size_t bytes, size_t at)
{
    size_t to = at;
    for (unsigned marks = 0; marks <= GAP_MARKS_MAX && to < bytes; marks++) {
        if (is_digit(text[to]))
            return to;
        size_t mark = gap_mark(text, bytes, to);
        if (mark == 0)
            return at;
        to += mark;
    }
    return at;
}

static bool is_number(const struct wanted *wanted, const char *before, const char *digits, size_t count)
{
    char handle[4 + DIGITS_MAX];
    size_t head = strlen(before);
    memcpy(handle, before, head);
    memcpy(handle + head, digits, count);
    handle[head + count] = '\0';
    return is_wanted(wanted, handle);
}

/* With its plus, without it, with what is dialled in its place, and as it is written at home in North America. */
static bool are_theirs(const struct wanted *wanted, const char *digits, size_t count, bool plus)
{
    bool whole = (plus || count >= BARE_DIGITS_MIN) && is_number(wanted, "+", digits, count);
    if (whole || plus)
        return whole;
    if (count > 2 + BARE_DIGITS_MIN && memcmp(digits, "00", 2) == 0)
        return is_number(wanted, "+", digits + 2, count - 2);
    if (count > 3 + BARE_DIGITS_MIN && memcmp(digits, "011", 3) == 0)
        return is_number(wanted, "+", digits + 3, count - 3);
    return count == HOME_DIGITS && is_number(wanted, "+1", digits, count);
}

/* "+44 (0)20 ...": dialled at home alone. */
static bool is_trunk(const char *text, size_t bytes, struct part group)
{
    return group.to - group.from == 1 && text[group.from] == '0' && group.from > 0 && text[group.from - 1] == '(' &&
           group.to < bytes && text[group.to] == ')';
}

/* The number whose first digit that is, whatever stands between the others; empty: none of theirs. No further than what
 * can be one number, so that each digit is looked at so often at most. */
static struct part number_at(const struct wanted *wanted, const char *text, size_t bytes, size_t at)
{
    const struct part none = {at, at};
    char digits[DIGITS_MAX];
    size_t count = 0;
    bool plus = at > 0 && text[at - 1] == '+';
    for (struct part group = {at, at};; group.from = group.to = next_digits(text, bytes, group.to)) {
        while (group.to < bytes && is_digit(text[group.to]))
            group.to++;
        size_t more = count > 0 && is_trunk(text, bytes, group) ? 0 : group.to - group.from;
        if (group.to == group.from || count + more > sizeof digits)
            return none;
        memcpy(digits + count, text + group.from, more);
        count += more;
        if (are_theirs(wanted, digits, count, plus))
            return (struct part){at, group.to};
    }
}

/* ---- e-mail addresses ---- */

/* The bytes of the character before `at`, if it may stand in the address' first part; of such, what seldom stands around
 * one. */
static size_t word_before(const char *text, size_t at)
{
    size_t from = at - 1;
    if (((unsigned char)text[from] & 0x80) == 0)
        return is_digit(text[from]) || is_letter(text[from]) || is_one_of(text[from], ".!#$&*+-_~^") ? 1 : 0;
    while (from > 0 && at - from < 4 && ((unsigned char)text[from] & 0xC0) == 0x80)
        from--;
    return wide_mark(text, at, from) > 0 ? 0 : at - from;
}

static bool is_domain(const char *text, size_t bytes, size_t at)
{
    if (((unsigned char)text[at] & 0x80) != 0)
        return wide_mark(text, bytes, at) == 0;
    return is_digit(text[at]) || is_letter(text[at]) || text[at] == '.' || text[at] == '-';
}

/* JSON has a backslash before some. */
static bool is_mail(const struct wanted *wanted, const char *text, struct part part)
{
    char handle[HANDLE_MAX_BYTES + 1];
    size_t bytes = 0;
    for (size_t at = part.from; at < part.to; at++) {
        bool escapes = text[at] == '\\' && at + 1 < part.to && is_one_of(text[at + 1], "\"\\/");
        if (text[at] == '\0' || bytes == HANDLE_MAX_BYTES)
            return false;
        if (escapes)
            at++;
        handle[bytes++] = text[at];
    }
    handle[bytes] = '\0';
    return is_wanted(wanted, handle);
}

/* Between two of those marks it may have any character. */
static struct part between(const char *text, size_t bytes, size_t at, const char *marks)
{
    struct part part = {at, at + 1};
    while (part.from > 0 && at - part.from <= HANDLE_MAX_BYTES && !is_one_of(text[part.from - 1], marks))
        part.from--;
    while (part.to < bytes && part.to - at <= HANDLE_MAX_BYTES && !is_one_of(text[part.to], marks))
        part.to++;
    return part;
}

/* The address whose `@` that is. Marks before it may be its own, or those of a sentence or a list. */
static struct part mail_at(const struct wanted *wanted, const char *text, size_t bytes, size_t at)
{
    struct part part = {at, at + 1};
    while (part.from > 0 && at - part.from <= HANDLE_MAX_BYTES && word_before(text, part.from) > 0)
        part.from -= word_before(text, part.from);
    while (part.to < bytes && part.to - at <= HANDLE_MAX_BYTES && is_domain(text, bytes, part.to))
        part.to++;
    while (part.to > at + 1 && is_one_of(text[part.to - 1], ".-"))
        part.to--;
    for (bool own = true; own; part.from++) {
        if (is_mail(wanted, text, part))
            return part;
        own = part.from < at && is_one_of(text[part.from], ".!#$&*+-~^");
    }
    struct part quoted = between(text, bytes, at, "\",");
    if (is_mail(wanted, text, quoted))
        return quoted;
    struct part listed = between(text, bytes, at, ",");
    return is_mail(wanted, text, listed) ? listed : (struct part){at, at};
}

/* ---- texts ---- */

static size_t find_in(const struct wanted *wanted, char *text, size_t bytes, bool masks)
{
    size_t count = 0;
    for (size_t at = 0; at < bytes; at++) {
        bool begins = is_digit(text[at]) && (at == 0 || !is_digit(text[at - 1]));
        if (!begins && text[at] != '@')
            continue;
        struct part name = begins ? number_at(wanted, text, bytes, at) : mail_at(wanted, text, bytes, at);
        if (name.to == name.from)
            continue;
        count++;
        if (masks)
            memset(text + name.from, '*', name.to - name.from);
        at = name.to - 1;
    }
    return count;
}

/* Behind the string that begins at `at`. */
static size_t string_end(const char *json, size_t bytes, size_t at)
{
    while (at < bytes && json[at] != '"')
        at += json[at] == '\\' ? 2 : 1;
    return at < bytes ? at : bytes;
}

static size_t find_in_json(const struct wanted *wanted, char *json, size_t bytes, bool masks)
{
    size_t count = 0;
    for (size_t at = 0; at < bytes; at++) {
        if (json[at] != '"')
            continue;
        size_t end = string_end(json, bytes, at + 1);
        count += find_in(wanted, json + at + 1, end - at - 1, masks);
        at = end;
    }
    return count;
}

size_t named_in(const struct keyed_hash *hash, uint64_t person, char *text, size_t bytes, bool masks)
{
    const struct wanted wanted = {.hash = hash, .person = person};
    return find_in(&wanted, text, bytes, masks);
}

size_t named_in_json(const struct keyed_hash *hash, uint64_t person, char *json, size_t bytes, bool masks)
{
    const struct wanted wanted = {.hash = hash, .person = person};
    return find_in_json(&wanted, json, bytes, masks);
}

/* ---- while somebody is being erased ---- */

void named_hide(const struct core *core, const struct keyed_hash *hash, char *text)
{
    const struct wanted wanted = {.hash = hash, .core = core, .since_mono_ms = TIME_NEVER};
    if (core_is_erasing(core))
        find_in(&wanted, text, strlen(text), true);
}

void named_hide_json(const struct core *core, const struct keyed_hash *hash, int64_t since_mono_ms, char *json,
                     size_t bytes)
{
    const struct wanted wanted = {.hash = hash, .core = core, .since_mono_ms = since_mono_ms};
    find_in_json(&wanted, json, bytes, true);
}

const char *named_unless_erased(const struct core *core, const struct keyed_hash *hash, const char *handle)
{
    const struct wanted wanted = {.hash = hash, .core = core, .since_mono_ms = TIME_NEVER};
    return core_is_erasing(core) && handle != NULL && is_wanted(&wanted, handle) ? NULL : handle;
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
