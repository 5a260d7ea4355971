/* retry_after.c — reads what a server writes into Retry-After. The three date forms are read by hand: strptime()
 * follows the locale, and the names here are English always. */
#include "lineward/retry_after.h"

#include <ctype.h>
#include <math.h>
#include <string.h>
#include <time.h>

/* One form is read from left to right; once something is not as it must be, `good` stays false. */
struct cursor {
    const char *at;
    bool good;
};

static void take(struct cursor *cursor, const char *text)
{
    size_t bytes = strlen(text);
    cursor->good = cursor->good && strncmp(cursor->at, text, bytes) == 0;
    if (cursor->good)
        cursor->at += bytes;
}

static void take_letters(struct cursor *cursor)
{
    const char *first = cursor->at;
    while (cursor->good && isalpha((unsigned char)*cursor->at))
        cursor->at++;
    cursor->good = cursor->good && cursor->at > first;
}

/* Exactly `digits` digits; asctime() pads a day with a blank. */
static int take_number(struct cursor *cursor, int digits)
{
    int value = 0;
    for (int i = 0; i < digits && cursor->good; i++, cursor->at++) {
        bool is_padding = i == 0 && *cursor->at == ' ';
        cursor->good = is_padding || isdigit((unsigned char)*cursor->at);
        value = value * 10 + (is_padding ? 0 : *cursor->at - '0');
    }
    return value;
}

static int take_month(struct cursor *cursor)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12 && cursor->good; i++) {
        if (strncmp(months + 3 * i, cursor->at, 3) == 0) {
            cursor->at += 3;
            return i;
        }
    }
    cursor->good = false;
    return 0;
}

static void take_time(struct cursor *cursor, struct tm *out)
{
    out->tm_hour = take_number(cursor, 2);
    take(cursor, ":");
    out->tm_min = take_number(cursor, 2);
    take(cursor, ":");
    out->tm_sec = take_number(cursor, 2);
}

/* "Mon, 23 Nov 2026 10:01:00 GMT", and with `separator` '-' the older "Monday, 23-Nov-26 10:01:00 GMT". */
static bool read_comma_form(const char *text, const char *separator, int year_digits, struct tm *out)
{
    struct cursor cursor = {text, true};
    take_letters(&cursor);
    take(&cursor, ", ");
    out->tm_mday = take_number(&cursor, 2);
    take(&cursor, separator);
    out->tm_mon = take_month(&cursor);
    take(&cursor, separator);
    int year = take_number(&cursor, year_digits);
    /* RFC 9110, 5.6.7 reads two digits as the past if they seem 50 years ahead; who writes them today means now. */
    out->tm_year = year_digits == 4 ? year - 1900 : year < 70 ? year + 100 : year;
    take(&cursor, " ");
    take_time(&cursor, out);
    take(&cursor, " GMT");
    return cursor.good && *cursor.at == '\0';
}

/* "Mon Nov 23 10:01:00 2026" */
static bool read_asctime_form(const char *text, struct tm *out)
{
    struct cursor cursor = {text, true};
    take_letters(&cursor);
    take(&cursor, " ");
    out->tm_mon = take_month(&cursor);
    take(&cursor, " ");
    out->tm_mday = take_number(&cursor, 2);
    take(&cursor, " ");
    take_time(&cursor, out);
    take(&cursor, " ");
    out->tm_year = take_number(&cursor, 4) - 1900;
    return cursor.good && *cursor.at == '\0';
}

bool http_date_parse(const char *text, int64_t *out_wall_ms)
{
    struct tm t = {0};
    if (!read_comma_form(text, " ", 4, &t) && !read_comma_form(text, "-", 2, &t) && !read_asctime_form(text, &t))
        return false;
    if (t.tm_year < 70 || t.tm_mday < 1 || t.tm_mday > 31 || t.tm_hour > 23 || t.tm_min > 59 || t.tm_sec > 60)
        return false;
    *out_wall_ms = (int64_t)timegm(&t) * 1000;
    return true;
}

int64_t retry_after_clamp(double seconds)
{
    if (isnan(seconds))
        return -1;
    if (seconds <= 0)
        return 0;
    if (seconds >= RETRY_AFTER_MAX_MS / 1000.0)
        return RETRY_AFTER_MAX_MS;
    return (int64_t)ceil(seconds * 1000.0);
}

/* Digits, and maybe a point and digits: strtod() would also take "inf", hex and exponents. */
static bool seconds_parse(const char *text, double *out)
{
    double value = 0;
    double weight = 0;
    const char *at = text;
    for (; isdigit((unsigned char)*at) || (*at == '.' && weight == 0 && at > text); at++) {
        if (*at == '.') {
            weight = 1;
        } else if (weight > 0) {
            weight /= 10;
            value += weight * (*at - '0');
        } else {
            value = value * 10 + (*at - '0');
        }
    }
    if (at == text || *at != '\0')
        return false;
    *out = value;
    return true;
}

int64_t retry_after_parse(const char *text, int64_t now_wall_ms)
{
    double seconds = 0;
    int64_t until_wall_ms = 0;
    if (text == NULL)
        return -1;
    if (seconds_parse(text, &seconds))
        return retry_after_clamp(seconds);
    if (http_date_parse(text, &until_wall_ms))
        return retry_after_clamp((double)(until_wall_ms - now_wall_ms) / 1000.0);
    return -1;
}
