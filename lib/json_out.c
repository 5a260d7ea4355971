/* json_out.c — writing JSON straight into a buffer. Every answer and every event goes through here, so plain text
 * is copied in runs, eight bytes tested at a time, and integers are written without printf. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_scan.h"
#include "lineward/clock.h"
#include "lineward/json.h"

#define ROOM_FIRST 512

void json_out_free(struct json_out *out)
{
    free(out->text);
    *out = (struct json_out){0};
}

void json_out_clear(struct json_out *out)
{
    out->bytes = 0;
    out->failed = false;
    out->comma = false;
}

static bool grow(struct json_out *out, size_t bytes)
{
    size_t room = out->room < ROOM_FIRST ? ROOM_FIRST : out->room;
    while (room - out->bytes < bytes && room < SIZE_MAX / 2)
        room *= 2;
    char *text = room - out->bytes < bytes ? NULL : realloc(out->text, room);
    if (text == NULL) {
        out->failed = true;
        return false;
    }
    out->text = text;
    out->room = room;
    return true;
}

/* Room for `bytes` more; false once memory ran out, and from then on nothing is written. */
static inline bool reserve(struct json_out *out, size_t bytes)
{
    if (out->failed)
        return false;
    return out->room - out->bytes >= bytes || grow(out, bytes);
}

/* Begins a value that takes at most `bytes`: the comma before it, and the one before the next. */
static inline bool begin(struct json_out *out, size_t bytes)
{
    if (!reserve(out, bytes + 1))
        return false;
    if (out->comma)
        out->text[out->bytes++] = ',';
    out->comma = true;
    return true;
}

static inline void append(struct json_out *out, const char *text, size_t bytes)
{
    memcpy(out->text + out->bytes, text, bytes);
    out->bytes += bytes;
}

void json_open(struct json_out *out, char bracket)
{
    if (!begin(out, 1))
        return;
    out->text[out->bytes++] = bracket;
    out->comma = false;
}

void json_close(struct json_out *out, char bracket)
{
    if (!reserve(out, 1))
        return;
    out->text[out->bytes++] = bracket;
    out->comma = true;
}

/* Writes the one character at `at` that is not plain, with room made; how many bytes of input it took. */
static size_t put_odd(struct json_out *out, const char *at, const char *end)
{
    static const char short_escapes[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    unsigned char c = (unsigned char)*at;
    if (c >= 0x80) {
        size_t length = json_utf8_length(at, end);
        append(out, length > 0 ? at : "\xef\xbf\xbd", length > 0 ? length : 3);
        return length > 0 ? length : 1;
    }
    for (const char *escape = short_escapes; *escape != '\0'; escape += 2) {
        if (*escape == (char)c) {
            append(out, (char[]){'\\', escape[1]}, 2);
            return 1;
        }
    }
    append(out, (char[]){'\\', 'u', '0', '0', "01"[c >> 4], "0123456789abcdef"[c & 15]}, 6);
    return 1;
}

static void put_quoted(struct json_out *out, const char *text, size_t bytes)
{
    const char *at = text, *end = text + bytes;
    out->text[out->bytes++] = '"';
    while (at < end) {
        size_t run = json_plain_run(at, end);
        if (!reserve(out, run + 8)) /* an escape takes six, a quote and a colon two */
            return;
        append(out, at, run);
        at += run;
        if (at < end)
            at += put_odd(out, at, end);
    }
    if (reserve(out, 2))
        out->text[out->bytes++] = '"';
}

void json_key(struct json_out *out, const char *name)
{
    json_put_string(out, name);
    if (!reserve(out, 1))
        return;
    out->text[out->bytes++] = ':';
    out->comma = false;
}

void json_put_string(struct json_out *out, const char *text)
{
    if (text == NULL)
        json_put_null(out);
    else
        json_put_bytes(out, text, strlen(text));
}

void json_put_bytes(struct json_out *out, const char *text, size_t bytes)
{
    if (begin(out, bytes + 3))
        put_quoted(out, text, bytes);
}

void json_put_raw(struct json_out *out, const char *text, size_t bytes)
{
    if (begin(out, bytes))
        append(out, text, bytes);
}

void json_put_int(struct json_out *out, int64_t value)
{
    char digits[20];
    size_t first = sizeof digits;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--first] = (char)('0' + left % 10);
        left /= 10;
    } while (left != 0);
    if (value < 0)
        digits[--first] = '-';
    json_put_raw(out, digits + first, sizeof digits - first);
}

void json_put_number(struct json_out *out, double value)
{
    char text[32];
    if (!isfinite(value)) { /* JSON has no word for it */
        json_put_null(out);
        return;
    }
    int bytes = 0;
    for (int precision = 15; precision <= 17; precision++) { /* the shortest that reads back as the same */
        bytes = snprintf(text, sizeof text, "%.*g", precision, value);
        if (strtod(text, NULL) == value)
            break;
    }
    json_put_raw(out, text, (size_t)bytes);
}

void json_put_bool(struct json_out *out, bool value)
{
    json_put_raw(out, value ? "true" : "false", value ? 4 : 5);
}

void json_put_null(struct json_out *out)
{
    json_put_raw(out, "null", 4);
}

void json_put_time(struct json_out *out, int64_t wall_ms)
{
    char text[TIME_TEXT_MAX];
    if (wall_ms == 0 || wall_ms == TIME_NEVER) {
        json_put_null(out);
        return;
    }
    time_format(wall_ms, text);
    json_put_string(out, text);
}

void json_put_value(struct json_out *out, const cJSON *value)
{
    if (cJSON_IsNumber(value)) {
        json_put_number(out, value->valuedouble);
    } else if (cJSON_IsString(value)) {
        json_put_string(out, value->valuestring);
    } else if (cJSON_IsBool(value)) {
        json_put_bool(out, cJSON_IsTrue(value));
    } else if (cJSON_IsArray(value) || cJSON_IsObject(value)) {
        bool named = cJSON_IsObject(value);
        json_open(out, named ? '{' : '[');
        for (const cJSON *child = value->child; child != NULL; child = child->next) {
            if (named)
                json_key(out, child->string);
            json_put_value(out, child);
        }
        json_close(out, named ? '}' : ']');
    } else {
        json_put_null(out);
    }
}
