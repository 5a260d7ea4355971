/* tz_file.c — see tz_file.h. A file has two blocks, the second one with 64-bit times; behind them stands a rule in the
 * form of TZ for the time after its last change. What of that rule is not in use anywhere today (days counted from the
 * year's first) is refused, so that nobody is written to at a wrong hour. */
#include "broker/edge/tz_file.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define HEAD_BYTES     44
#define FILE_BYTES_MAX 65536
#define DAY_S          86400

bool tz_name_is_valid(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/";
    size_t bytes = strlen(name);
    return bytes > 0 && bytes <= TZ_NAME_BYTES_MAX && strspn(name, allowed) == bytes && isalpha((unsigned char)name[0]) &&
           name[bytes - 1] != '/' && strstr(name, "//") == NULL;
}

/* ---- the block ---- */

struct block {
    const uint8_t *times, *types, *infos;
    uint32_t time_count, type_count;
    size_t bytes; /* with its head */
};

static uint32_t read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t read_i64(const uint8_t *at)
{
    return (int64_t)((uint64_t)read_u32(at) << 32 | read_u32(at + 4));
}

/* `time_bytes`: 4 in the first block, 8 in the second. */
static bool read_block(const uint8_t *at, size_t size, size_t time_bytes, struct block *out)
{
    if (size < HEAD_BYTES || memcmp(at, "TZif", 4) != 0)
        return false;
    uint64_t ut = read_u32(at + 20), wall = read_u32(at + 24), leaps = read_u32(at + 28);
    uint64_t times = read_u32(at + 32), types = read_u32(at + 36), chars = read_u32(at + 40);
    uint64_t bytes = HEAD_BYTES + times * (time_bytes + 1) + types * 6 + chars + leaps * (time_bytes + 4) + wall + ut;
    if (bytes > size || types == 0 || types > 256 || times > FILE_BYTES_MAX)
        return false;
    *out = (struct block){.times = at + HEAD_BYTES,
                          .types = at + HEAD_BYTES + times * time_bytes,
                          .infos = at + HEAD_BYTES + times * (time_bytes + 1),
                          .time_count = (uint32_t)times,
                          .type_count = (uint32_t)types,
                          .bytes = (size_t)bytes};
    return true;
}

static bool offset_of(const struct block *block, uint32_t time, int32_t *out)
{
    unsigned type = block->types[time];
    if (type >= block->type_count)
        return false;
    *out = (int32_t)read_u32(block->infos + (size_t)type * 6);
    return *out > -26 * 3600 && *out < 26 * 3600;
}

/* ---- the rule behind it ---- */

struct yearly { /* the w-th (5: last) such day of a month, and seconds into it */
    int month, week, day;
    int32_t at_s;
};

struct footer {
    int32_t standard_s, summer_s; /* ahead of UTC */
    bool has_summer;
    struct yearly begins, ends; /* of summer time, by the clock in force before */
};

static bool read_number(const char **at, int max, int *out)
{
    int value = 0;
    if (!isdigit((unsigned char)**at))
        return false;
    for (; isdigit((unsigned char)**at); (*at)++)
        if ((value = value * 10 + **at - '0') > max)
            return false;
    *out = value;
    return true;
}

static bool skip_name(const char **at)
{
    const char *start = *at;
    if (**at == '<') {
        while (**at != '\0' && **at != '>')
            (*at)++;
        return *(*at)++ == '>';
    }
    while (isalpha((unsigned char)**at))
        (*at)++;
    return *at - start >= 3;
}

static bool read_time(const char **at, int32_t *out)
{
    int hours = 0, minutes = 0, seconds = 0;
    int sign = **at == '-' ? -1 : 1;
    *at += **at == '-' || **at == '+';
    if (!read_number(at, 167, &hours))
        return false;
    if (**at == ':' && (++*at, !read_number(at, 59, &minutes)))
        return false;
    if (**at == ':' && (++*at, !read_number(at, 59, &seconds)))
        return false;
    *out = sign * (hours * 3600 + minutes * 60 + seconds);
    return true;
}

static bool read_yearly(const char **at, struct yearly *out)
{
    out->at_s = 7200;
    if (*(*at)++ != ',' || *(*at)++ != 'M' || !read_number(at, 12, &out->month) || *(*at)++ != '.' ||
        !read_number(at, 5, &out->week) || *(*at)++ != '.' || !read_number(at, 6, &out->day))
        return false;
    if (**at == '/' && (++*at, !read_time(at, &out->at_s)))
        return false;
    return out->month >= 1 && out->week >= 1;
}

static bool read_footer(const char *text, struct footer *out)
{
    const char *at = text;
    if (!skip_name(&at) || !read_time(&at, &out->standard_s))
        return false;
    out->standard_s = -out->standard_s; /* TZ counts westwards */
    out->has_summer = *at != '\0';
    if (!out->has_summer)
        return true;
    out->summer_s = out->standard_s + 3600;
    if (!skip_name(&at))
        return false;
    if (*at != ',') {
        if (!read_time(&at, &out->summer_s))
            return false;
        out->summer_s = -out->summer_s;
    }
    return read_yearly(&at, &out->begins) && read_yearly(&at, &out->ends) && *at == '\0';
}

/* Days since 1970 of a day of the Gregorian calendar. */
static int64_t days_of(int64_t year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era_day = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return y * 365 + y / 4 - y / 100 + y / 400 + era_day - 719468;
}

static int64_t moment_in(int64_t year, const struct yearly *rule, int32_t offset_s)
{
    int64_t first = days_of(year, rule->month, 1);
    int64_t next = rule->month == 12 ? days_of(year + 1, 1, 1) : days_of(year, rule->month + 1, 1);
    int64_t day = first + (rule->day - (first + 4) % 7 + 7) % 7 + (rule->week - 1) * 7; /* 1970 began on a Thursday */
    while (day >= next)
        day -= 7;
    return day * DAY_S + rule->at_s - offset_s;
}

/* ---- rules ---- */

/* A change of which only the newest counts until `from_ms` is reached. */
static void add(struct zone_rules *rules, int64_t at_ms, int32_t offset_s, int64_t from_ms, int64_t to_ms)
{
    if (at_ms > to_ms || (at_ms > from_ms && rules->count == ZONE_CHANGES_MAX))
        return;
    if (at_ms <= from_ms)
        rules->count = 0;
    rules->from_ms[rules->count] = at_ms;
    rules->offset_s[rules->count++] = offset_s;
}

static void add_yearly(const struct footer *footer, int64_t after_s, int64_t from_ms, int64_t to_ms,
                       struct zone_rules *out)
{
    int64_t year = 1970 + from_ms / 1000 / 31556952;
    for (int64_t y = year - 1; y <= year + 3; y++) {
        int64_t begins = moment_in(y, &footer->begins, footer->standard_s);
        int64_t ends = moment_in(y, &footer->ends, footer->summer_s);
        bool north = begins < ends;
        int64_t first = north ? begins : ends, second = north ? ends : begins;
        if (first > after_s)
            add(out, first * 1000, north ? footer->summer_s : footer->standard_s, from_ms, to_ms);
        if (second > after_s)
            add(out, second * 1000, north ? footer->standard_s : footer->summer_s, from_ms, to_ms);
    }
}

static bool read_footer_of(const uint8_t *at, size_t size, struct footer *out)
{
    char text[128];
    const uint8_t *end = size < 2 ? NULL : memchr(at + 1, '\n', size - 1);
    if (end == NULL || at[0] != '\n' || (size_t)(end - at) > sizeof text)
        return false;
    memcpy(text, at + 1, (size_t)(end - at) - 1);
    text[end - at - 1] = '\0';
    return read_footer(text, out);
}

bool tz_read(const uint8_t *bytes, size_t size, int64_t from_ms, int64_t to_ms, struct zone_rules *out)
{
    struct block first, block;
    struct footer footer;
    int32_t offset_s = 0;
    int64_t last_s = INT64_MIN;
    *out = (struct zone_rules){0};
    if (!read_block(bytes, size, 4, &first) || bytes[4] < '2' ||
        !read_block(bytes + first.bytes, size - first.bytes, 8, &block) ||
        !read_footer_of(bytes + first.bytes + block.bytes, size - first.bytes - block.bytes, &footer))
        return false;
    add(out, INT64_MIN / 1000, block.time_count == 0 ? footer.standard_s : (int32_t)read_u32(block.infos), from_ms, to_ms);
    for (uint32_t i = 0; i < block.time_count; i++) {
        int64_t at_s = read_i64(block.times + (size_t)i * 8);
        if (!offset_of(&block, i, &offset_s) || at_s <= last_s || at_s > INT64_MAX / 2000)
            return false;
        last_s = at_s;
        add(out, at_s < INT64_MIN / 2000 ? INT64_MIN / 2 : at_s * 1000, offset_s, from_ms, to_ms);
    }
    if (footer.has_summer)
        add_yearly(&footer, last_s, from_ms, to_ms, out);
    return true;
}

bool tz_rules(const char *folder, const char *name, int64_t from_ms, int64_t to_ms, struct zone_rules *out)
{
    char path[512];
    uint8_t bytes[FILE_BYTES_MAX];
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!tz_name_is_valid(name) || length < 0 || (size_t)length >= sizeof path)
        return false;
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return false;
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return tz_read(bytes, size, from_ms, to_ms, out);
}
