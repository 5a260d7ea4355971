/* json_scan.c — walks over JSON text without building anything: the strict check of what comes from outside, and
 * the steps over a checked document. Recursion-free; depth is bounded by the bits of one word a level. */
#include "json_scan.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/json.h"

#define NUMBER_BYTES_MAX 62 /* cJSON copies a number into 64 bytes; more digits than that no double has */

const char json_fault_nul[] = "\\u0000 is not allowed";
const char json_fault_digits[] = "a number of too many digits";
const char json_fault_range[] = "a number out of range";

struct scan {
    const char *at, *end;
    const char *fault;
    size_t depth_max;
};

static bool fail(struct scan *s, const char *fault)
{
    s->fault = fault;
    return false;
}

const char *json_skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

size_t json_utf8_length(const char *at, const char *end)
{
    const unsigned char *u = (const unsigned char *)at;
    size_t left = (size_t)(end - at);
    if (left == 0)
        return 0;
    if (u[0] < 0x80)
        return 1;
    size_t length = u[0] >= 0xc2 && u[0] < 0xe0   ? 2
                    : u[0] >= 0xe0 && u[0] < 0xf0 ? 3
                    : u[0] >= 0xf0 && u[0] < 0xf5 ? 4
                                                  : 0;
    if (length == 0 || left < length)
        return 0;
    unsigned char low = u[0] == 0xe0 ? 0xa0 : u[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = u[0] == 0xed ? 0x9f : u[0] == 0xf4 ? 0x8f : 0xbf;
    if (u[1] < low || u[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++) {
        if ((u[i] & 0xc0) != 0x80)
            return 0;
    }
    return length;
}

/* Eight bytes at a time: most of all text that comes and goes is plain. */
size_t json_plain_run(const char *at, const char *end)
{
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    const char *first = at;
    while (end - at >= 8) {
        uint64_t w;
        memcpy(&w, at, sizeof w);
        uint64_t quote = w ^ (ones * '"'), backslash = w ^ (ones * '\\');
        uint64_t odd = (w - ones * 0x20) | (quote - ones) | (backslash - ones) | w;
        if (odd & highs) /* some byte is below 0x20, one of the two, above 0x7f, or a borrow looks so */
            break;
        at += 8;
    }
    while (at < end && (unsigned char)*at >= 0x20 && (unsigned char)*at < 0x80 && *at != '"' && *at != '\\')
        at++;
    return (size_t)(at - first);
}

/* Four hex digits behind a \u; -1: not so. */
static int hex4(const char *at, const char *end)
{
    int value = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static bool scan_unicode_escape(struct scan *s)
{
    int unit = hex4(s->at, s->end);
    if (unit < 0)
        return fail(s, "a \\u escape needs four hex digits");
    if (unit == 0)
        return fail(s, json_fault_nul);
    s->at += 4;
    if (unit < 0xd800 || unit > 0xdfff)
        return true;
    if (unit > 0xdbff || s->end - s->at < 6 || s->at[0] != '\\' || s->at[1] != 'u')
        return fail(s, "half a surrogate pair");
    int low = hex4(s->at + 2, s->end);
    if (low < 0xdc00 || low > 0xdfff)
        return fail(s, "half a surrogate pair");
    s->at += 6;
    return true;
}

/* How many bytes the escape at `at` takes, and whether it is one that scan_unicode_escape() refuses for its value. */
static size_t escape_bytes(const char *at, const char *end, bool *is_no_character)
{
    int unit = at + 1 < end && at[1] == 'u' ? hex4(at + 2, end) : -1;
    *is_no_character = unit == 0 || (unit >= 0xd800 && unit <= 0xdfff);
    if (unit < 0)
        return 2;
    if (unit < 0xd800 || unit > 0xdbff || end - at < 12 || at[6] != '\\' || at[7] != 'u')
        return 6;
    int low = hex4(at + 8, end);
    bool is_pair = low >= 0xdc00 && low <= 0xdfff;
    *is_no_character = !is_pair;
    return is_pair ? 12 : 6;
}

void json_replace_no_characters(char *text, size_t bytes)
{
    const char *end = text + bytes;
    for (char *at = text; at < end;) {
        bool is_no_character = false;
        size_t used = *at == '\\' ? escape_bytes(at, end, &is_no_character) : 1;
        if (is_no_character)
            memcpy(at, "\\ufffd", used);
        at += used < (size_t)(end - at) ? used : (size_t)(end - at); /* a text may end with a backslash */
    }
}

static bool scan_escape(struct scan *s)
{
    s->at++;
    if (s->at == s->end)
        return fail(s, "a string does not end");
    char c = *s->at++;
    if (c == 'u')
        return scan_unicode_escape(s);
    if (c == '\0' || strchr("\"\\/bfnrt", c) == NULL)
        return fail(s, "an unknown escape");
    return true;
}

static bool scan_string(struct scan *s)
{
    s->at++;
    for (;;) {
        s->at += json_plain_run(s->at, s->end);
        if (s->at == s->end)
            return fail(s, "a string does not end");
        unsigned char c = (unsigned char)*s->at;
        if (c == '"') {
            s->at++;
            return true;
        }
        if (c == '\\') {
            if (!scan_escape(s))
                return false;
            continue;
        }
        if (c < 0x20)
            return fail(s, "a control character in a string");
        size_t length = json_utf8_length(s->at, s->end);
        if (length == 0)
            return fail(s, "not UTF-8");
        s->at += length;
    }
}

static bool scan_digits(struct scan *s)
{
    const char *first = s->at;
    while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
        s->at++;
    return s->at > first || fail(s, "a number without digits");
}

static bool scan_number(struct scan *s)
{
    const char *first = s->at;
    bool has_exponent = false;
    if (*s->at == '-')
        s->at++;
    if (s->at < s->end && *s->at == '0')
        s->at++;
    else if (!scan_digits(s))
        return false;
    if (s->at < s->end && *s->at == '.') {
        s->at++;
        if (!scan_digits(s))
            return false;
    }
    if (s->at < s->end && (*s->at == 'e' || *s->at == 'E')) {
        has_exponent = true;
        s->at++;
        if (s->at < s->end && (*s->at == '+' || *s->at == '-'))
            s->at++;
        if (!scan_digits(s))
            return false;
    }
    size_t bytes = (size_t)(s->at - first);
    if (bytes > NUMBER_BYTES_MAX)
        return fail(s, json_fault_digits);
    if (has_exponent) {
        char copy[NUMBER_BYTES_MAX + 1];
        memcpy(copy, first, bytes);
        copy[bytes] = '\0';
        if (!isfinite(strtod(copy, NULL)))
            return fail(s, json_fault_range);
    }
    return true;
}

static bool scan_word(struct scan *s, const char *word)
{
    size_t bytes = strlen(word);
    if ((size_t)(s->end - s->at) < bytes || memcmp(s->at, word, bytes) != 0)
        return fail(s, "not a JSON value");
    s->at += bytes;
    return true;
}

static bool scan_scalar(struct scan *s)
{
    switch (*s->at) {
    case '"':
        return scan_string(s);
    case 't':
        return scan_word(s, "true");
    case 'f':
        return scan_word(s, "false");
    case 'n':
        return scan_word(s, "null");
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return scan_number(s);
    default:
        return fail(s, "not a JSON value");
    }
}

static void skip_blanks(struct scan *s)
{
    s->at = json_skip_blanks(s->at, s->end);
}

/* A member's name and colon, up to its value. */
static bool scan_name(struct scan *s)
{
    skip_blanks(s);
    if (s->at == s->end || *s->at != '"')
        return fail(s, "an object member needs a name");
    if (!scan_string(s))
        return false;
    skip_blanks(s);
    if (s->at == s->end || *s->at != ':')
        return fail(s, "a name needs a colon");
    s->at++;
    return true;
}

/* Closes what ends here and steps over the comma to the next value. *depth 0: the document is whole. */
static bool scan_after_value(struct scan *s, const bool *is_object, size_t *depth)
{
    while (*depth > 0) {
        bool in_object = is_object[*depth - 1];
        skip_blanks(s);
        if (s->at == s->end)
            return fail(s, "the document does not end");
        char c = *s->at++;
        if (c == ',')
            return !in_object || scan_name(s);
        if (c != (in_object ? '}' : ']'))
            return fail(s, "a comma or a closing bracket is missing");
        (*depth)--;
    }
    return true;
}

/* One document. is_object[] is the stack of open brackets. */
static bool scan_document(struct scan *s)
{
    bool is_object[JSON_ANSWER_DEPTH_MAX];
    size_t depth = 0;
    do {
        skip_blanks(s);
        if (s->at == s->end)
            return fail(s, "the document does not end");
        char c = *s->at;
        if (c != '{' && c != '[') {
            if (!scan_scalar(s))
                return false;
        } else {
            if (depth == s->depth_max)
                return fail(s, "nested too deeply");
            is_object[depth++] = c == '{';
            s->at++;
            skip_blanks(s);
            bool is_empty = s->at < s->end && *s->at == (c == '{' ? '}' : ']');
            if (!is_empty) {
                if (c == '{' && !scan_name(s))
                    return false;
                continue;
            }
            s->at++;
            depth--;
        }
        if (!scan_after_value(s, is_object, &depth))
            return false;
    } while (depth > 0);
    skip_blanks(s);
    return s->at == s->end || fail(s, "bytes after the document");
}

static const char *scan_fault(const char *text, size_t bytes, size_t depth_max)
{
    if (bytes == 0) /* then there may be no text to point into */
        text = "";
    struct scan s = {.at = text, .end = text + bytes, .depth_max = depth_max};
    return scan_document(&s) ? NULL : s.fault;
}

const char *json_scan_fault(const char *text, size_t bytes)
{
    return scan_fault(text, bytes, JSON_DEPTH_MAX);
}

const char *json_scan_answer_fault(const char *text, size_t bytes)
{
    return scan_fault(text, bytes, JSON_ANSWER_DEPTH_MAX);
}

/* A quote ends the string unless an odd number of backslashes stands before it. */
const char *json_skip_string(const char *at)
{
    for (const char *quote = rawmemchr(at + 1, '"');; quote = rawmemchr(quote + 1, '"')) {
        const char *slash = quote;
        while (slash[-1] == '\\')
            slash--;
        if ((quote - slash) % 2 == 0)
            return quote + 1;
    }
}

const char *json_skip_value(const char *at, const char *end)
{
    size_t depth = 0;
    do {
        char c = *at;
        if (c == '"') {
            at = json_skip_string(at);
            continue;
        }
        if (c == '{' || c == '[')
            depth++;
        else if (c == '}' || c == ']')
            depth--;
        else if (depth == 0) { /* a number or a word: up to what may follow a value */
            while (at < end && strchr(",]} \t\r\n", *at) == NULL)
                at++;
            return at;
        }
        at++;
    } while (depth > 0);
    return at;
}
