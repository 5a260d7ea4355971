/* view.c — values and trees; tables have table.c. */
#include "view.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/clock.h"

#define TREE_DEPTH_MAX 8

const cJSON *value_at(const cJSON *object, const char *path)
{
    char name[64];
    while (object != NULL && path != NULL) {
        const char *dot = strchr(path, '.');
        size_t bytes = dot != NULL ? (size_t)(dot - path) : strlen(path);
        if (bytes >= sizeof name)
            return NULL;
        memcpy(name, path, bytes);
        name[bytes] = '\0';
        object = cJSON_GetObjectItemCaseSensitive(object, name);
        path = dot != NULL ? dot + 1 : NULL;
    }
    return object;
}

/* ---- one value ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t text_bytes = strlen(text);
    size_t end_bytes = strlen(end);
    return text_bytes >= end_bytes && strcmp(text + text_bytes - end_bytes, end) == 0;
}

static void format_time(const struct screen *screen, const char *text, int64_t at_ms, bool brief, char *out,
                        size_t room)
{
    char span[32];
    int64_t ago = screen->now_ms - at_ms;
    duration_format(ago < 0 ? -ago : ago, span, sizeof span);
    const char *before = ago < 0 ? "in " : "";
    const char *after = ago < 0 ? "" : " ago";
    if (brief)
        snprintf(out, room, "%s%s%s", before, span, after);
    else
        snprintf(out, room, "%.40s (%s%s%s)", text, before, span, after);
}

void name_format(const char *key, char *out, size_t room)
{
    text_clean(key, out, room);
    size_t bytes = strlen(out);
    if (ends_with(out, "_ms"))
        out[bytes - strlen("_ms")] = '\0';
    else if (ends_with(out, "_ms_ago"))
        out[bytes - strlen("_ms_ago")] = '\0';
}

static void format_span(const char *key, double ms, char *out, size_t room)
{
    char span[32];
    duration_format((int64_t)ms, span, sizeof span);
    snprintf(out, room, "%s%s", span, ends_with(key, "_ago") ? " ago" : "");
}

static void format_number(const char *key, double value, char *out, size_t room)
{
    if (fabs(value) >= 999.5 && fabs(value) < 9e15) /* what is left of three digits would be a power of ten */
        value = round(value);
    bool whole = value == floor(value) && fabs(value) < 9e15;
    if (whole && (ends_with(key, "_ms") || ends_with(key, "_ms_ago")))
        format_span(key, value, out, room);
    else if (whole && fabs(value) >= 10000)
        count_format((int64_t)value, out, room);
    else if (whole)
        snprintf(out, room, "%" PRId64, (int64_t)value);
    else
        snprintf(out, room, "%.3g", value);
}

/* Appends `text` to a string of `room` bytes, dropping what does not fit. */
static void append(char *out, size_t room, const char *text)
{
    size_t at = strlen(out);
    snprintf(out + at, room - at, "%s", text);
}

/* Lists as "a, b", objects as "name=value name=value"; objects within lists by their number. */
static void format_within(const struct screen *screen, const cJSON *value, char *out, size_t room)
{
    const cJSON *item = NULL;
    if (cJSON_IsArray(value) && cJSON_IsObject(value->child)) {
        snprintf(out, room, "%d", cJSON_GetArraySize(value));
        return;
    }
    cJSON_ArrayForEach(item, value)
    {
        char text[CELL_BYTES_MAX / 4];
        value_format(screen, item->string != NULL ? item->string : "", item, true, text, sizeof text);
        if (item != value->child)
            append(out, room, cJSON_IsArray(value) ? ", " : "  ");
        if (item->string != NULL) {
            char name[64];
            name_format(item->string, name, sizeof name);
            append(out, room, name);
            append(out, room, "=");
        }
        append(out, room, text);
    }
}

void value_format(const struct screen *screen, const char *key, const cJSON *value, bool brief, char *out,
                  size_t room)
{
    int64_t at_ms = 0;
    out[0] = '\0';
    if (value == NULL || cJSON_IsNull(value))
        snprintf(out, room, "-");
    else if (cJSON_IsBool(value))
        snprintf(out, room, "%s", cJSON_IsTrue(value) ? "yes" : "no");
    else if (cJSON_IsNumber(value))
        format_number(key, value->valuedouble, out, room);
    else if (cJSON_IsString(value) && time_parse(value->valuestring, &at_ms))
        format_time(screen, value->valuestring, at_ms, brief, out, room);
    else if (cJSON_IsString(value))
        text_clean(value->valuestring, out, room);
    else if (value->child == NULL)
        snprintf(out, room, "-");
    else
        format_within(screen, value, out, room);
}

/* ---- trees ---- */

static bool is_list_of_objects(const cJSON *value)
{
    return cJSON_IsArray(value) && cJSON_IsObject(value->child);
}

/* A small flat object reads better on one line: {"used":3,"limit":50}. */
static bool is_one_line(const cJSON *value)
{
    if (!cJSON_IsObject(value))
        return !is_list_of_objects(value);
    int members = 0;
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, value)
    {
        if (cJSON_IsObject(item) || cJSON_IsArray(item) || ++members > 2)
            return false;
    }
    return true;
}

static void print_pair(FILE *out, const struct screen *screen, const cJSON *item, int indent, int name_width)
{
    char name[64];
    char text[CELL_BYTES_MAX * 2];
    name_format(item->string, name, sizeof name);
    value_format(screen, item->string, item, false, text, sizeof text);
    const char *colour = screen->colour ? word_colour(text) : "";
    fprintf(out, "%*s%s%-*s%s  %s%s%s\n", indent, "", screen->colour ? COLOUR_DIM : "", name_width, name,
            screen->colour ? COLOUR_OFF : "", colour, text, colour[0] != '\0' ? COLOUR_OFF : "");
}

static int widest_name(const cJSON *object)
{
    int widest = 0;
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, object)
    {
        char name[64];
        name_format(item->string, name, sizeof name);
        int width = is_one_line(item) ? text_width(name) : 0;
        widest = width > widest ? width : widest;
    }
    return widest > 32 ? 32 : widest;
}

void view_tree(FILE *out, const struct screen *screen, const cJSON *object, int indent)
{
    int name_width = widest_name(object);
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, object)
    {
        if (is_one_line(item) || indent >= 2 * TREE_DEPTH_MAX) {
            print_pair(out, screen, item, indent, name_width);
            continue;
        }
        char name[64];
        text_clean(item->string, name, sizeof name);
        fprintf(out, "%*s%s%s%s\n", indent, "", screen->colour ? COLOUR_BOLD : "", name,
                screen->colour ? COLOUR_OFF : "");
        if (is_list_of_objects(item))
            view_table(out, screen, NULL, item, indent + 2);
        else
            view_tree(out, screen, item, indent + 2);
    }
}
