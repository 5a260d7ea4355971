/* clock.c — the two clocks, and RFC 3339. The calendar is computed here, since timegm() and gmtime() know
 * nothing of milliseconds and offsets, and strptime() depends on the locale. */
#include "lineward/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY_S       86400
#define WALL_MS_MIN (-62167219200000) /* 0000-01-01T00:00:00.000Z */
#define WALL_MS_MAX 253402300799999   /* 9999-12-31T23:59:59.999Z */

static int64_t clock_ms(clockid_t id)
{
    struct timespec now = {0};
    clock_gettime(id, &now); /* cannot fail for the two clocks asked for */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct instant clock_read(void)
{
    return (struct instant){.wall_ms = clock_ms(CLOCK_REALTIME), .mono_ms = clock_ms(CLOCK_BOOTTIME)};
}

int64_t clock_us(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Days since 1970-01-01 in the Gregorian calendar. Years are counted from March, so that the leap day is the
 * last of its year and a month's first day is a linear function of the month. */
static int64_t days_from_date(int year, int month, int day)
{
    int64_t march_year = month > 2 ? year : year - 1;
    int64_t era = floor_div(march_year, 400);
    int64_t year_of_era = march_year - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void date_from_days(int64_t days, int *year, int *month, int *day)
{
    int64_t shifted = days + 719468;
    int64_t era = floor_div(shifted, 146097);
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t march_month = (5 * day_of_year + 2) / 153;
    *day = (int)(day_of_year - (153 * march_month + 2) / 5 + 1);
    *month = (int)(march_month < 10 ? march_month + 3 : march_month - 9);
    *year = (int)(year_of_era + era * 400 + (*month <= 2));
}

static char *put_digits(char *at, int value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return at + digits;
}

void time_format(int64_t wall_ms, char out[TIME_TEXT_MAX])
{
    /* A year has four digits in RFC 3339; TIME_NEVER and the like are written as the last moment it knows. */
    int64_t ms = wall_ms < WALL_MS_MIN ? WALL_MS_MIN : wall_ms > WALL_MS_MAX ? WALL_MS_MAX : wall_ms;
    int64_t days = floor_div(ms, (int64_t)DAY_S * 1000);
    int of_day = (int)(ms - days * DAY_S * 1000);
    int year = 0, month = 0, day = 0;
    date_from_days(days, &year, &month, &day);

    char *at = put_digits(out, year, 4);
    *at++ = '-';
    at = put_digits(at, month, 2);
    *at++ = '-';
    at = put_digits(at, day, 2);
    *at++ = 'T';
    at = put_digits(at, of_day / 3600000, 2);
    *at++ = ':';
    at = put_digits(at, of_day / 60000 % 60, 2);
    *at++ = ':';
    at = put_digits(at, of_day / 1000 % 60, 2);
    *at++ = '.';
    at = put_digits(at, of_day % 1000, 3);
    *at++ = 'Z';
    *at = '\0';
}

/* Reads exactly `digits` digits; moves *at behind them. */
static bool take_digits(const char **at, int digits, int *out)
{
    int value = 0;
    for (int i = 0; i < digits; i++) {
        char c = (*at)[i];
        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
    }
    *at += digits;
    *out = value;
    return true;
}

static bool take_char(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

static bool take_date(const char **at, int64_t *out_days)
{
    int year = 0, month = 0, day = 0;
    if (!take_digits(at, 4, &year) || !take_char(at, '-') || !take_digits(at, 2, &month) || !take_char(at, '-') ||
        !take_digits(at, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return false;
    *out_days = days_from_date(year, month, day);
    return true;
}

/* Seconds may be 60: a leap second counts as the second after it, as Unix time does. */
static bool take_time(const char **at, int64_t *out_ms)
{
    int hour = 0, minute = 0, second = 0, ms = 0;
    if (!take_digits(at, 2, &hour) || !take_char(at, ':') || !take_digits(at, 2, &minute) || !take_char(at, ':') ||
        !take_digits(at, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    if (take_char(at, '.')) {
        if (**at < '0' || **at > '9')
            return false;
        for (int weight = 100; **at >= '0' && **at <= '9'; weight /= 10, (*at)++)
            ms += (**at - '0') * weight;
    }
    *out_ms = ((int64_t)hour * 3600 + minute * 60 + second) * 1000 + ms;
    return true;
}

static bool take_offset(const char **at, int64_t *out_ms)
{
    if (take_char(at, 'Z') || take_char(at, 'z')) {
        *out_ms = 0;
        return true;
    }
    int sign = **at == '+' ? 1 : **at == '-' ? -1 : 0;
    int hours = 0, minutes = 0;
    if (sign == 0)
        return false;
    (*at)++;
    if (!take_digits(at, 2, &hours) || !take_char(at, ':') || !take_digits(at, 2, &minutes))
        return false;
    if (hours > 23 || minutes > 59)
        return false;
    *out_ms = sign * ((int64_t)hours * 60 + minutes) * 60000;
    return true;
}

bool time_parse(const char *text, int64_t *out_wall_ms)
{
    const char *at = text;
    int64_t days = 0, of_day_ms = 0, offset_ms = 0;
    if (text == NULL || !take_date(&at, &days))
        return false;
    if (!take_char(&at, 'T') && !take_char(&at, 't'))
        return false;
    if (!take_time(&at, &of_day_ms) || !take_offset(&at, &offset_ms) || *at != '\0')
        return false;
    *out_wall_ms = days * DAY_S * 1000 + of_day_ms - offset_ms;
    return true;
}
