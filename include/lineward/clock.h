/* clock.h — time as an argument: the shell reads the clock once a turn and hands it down. */
#ifndef LINEWARD_CLOCK_H
#define LINEWARD_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct instant {
    int64_t wall_ms; /* Unix time: due times, history; survives a restart */
    int64_t mono_ms; /* steady clock that runs while suspended (CLOCK_BOOTTIME), the same for all processes
                        of one machine until it is restarted: pacing, heartbeats, leases on a worker */
};

#define TIME_NEVER INT64_MAX
#define TIME_TEXT_MAX 32 /* "2026-11-23T10:00:00.000Z" and its terminator, with room */

/* Of two moments; TIME_NEVER is later than any. */
static inline int64_t time_sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

struct instant clock_read(void);

/* A steady clock in microseconds, for how long something took; it stands while suspended. */
int64_t clock_us(void);

/* RFC 3339 in UTC with milliseconds, into out[TIME_TEXT_MAX]. */
void time_format(int64_t wall_ms, char out[TIME_TEXT_MAX]);

/* Reads RFC 3339: `Z` or an offset, any number of fractional digits, `T` or `t`. False: not such a time. */
bool time_parse(const char *text, int64_t *out_wall_ms);

#endif
