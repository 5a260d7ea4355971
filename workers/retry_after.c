/* retry_after.c — reads what a server writes into Retry-After. The three date forms are read by hand: strptime()
 * follows the locale, and the names here are English always. */
#include "retry_after.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int month_of(const char name[4])
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++) {
        if (strncmp(months + 3 * i, name, 3) == 0)
            return i;
    }
    return -1;
}

/* A year of two digits that seems more than 50 years ahead is one of the past (RFC 9110, 5.6.7); servers that
 * write such dates today mean this century. */
static int full_year(int two_digits)
{
    return two_digits < 70 ? 2000 + two_digits : 1900 + two_digits;
}

static bool read_fields(const char *text, struct tm *out, char month[4])
{
    struct tm t = {0};
    int end = 0;
    int year = 0;
    if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &t.tm_mday, month, &year, &t.tm_hour,
               &t.tm_min, &t.tm_sec, &end) == 6 &&
        end > 0) {
        t.tm_year = year - 1900;
    } else if (end = 0, sscanf(text, "%*9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", &t.tm_mday, month, &year,
                               &t.tm_hour, &t.tm_min, &t.tm_sec, &end) == 6 &&
                            end > 0) {
        t.tm_year = full_year(year) - 1900;
    } else if (end = 0, sscanf(text, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", month, &t.tm_mday, &t.tm_hour,
                               &t.tm_min, &t.tm_sec, &year, &end) == 6 &&
                            end > 0) {
        t.tm_year = year - 1900;
    } else {
        return false;
    }
    if (text[end] != '\0')
        return false;
    *out = t;
    return true;
}

bool http_date_parse(const char *text, int64_t *out_wall_ms)
{
    struct tm t;
    char month[4] = "";
    if (strlen(text) > 40 || !read_fields(text, &t, month))
        return false;
    t.tm_mon = month_of(month);
    if (t.tm_mon < 0 || t.tm_year < 70 || t.tm_mday < 1 || t.tm_mday > 31 || t.tm_hour < 0 || t.tm_hour > 23 ||
        t.tm_min < 0 || t.tm_min > 59 || t.tm_sec < 0 || t.tm_sec > 60)
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
