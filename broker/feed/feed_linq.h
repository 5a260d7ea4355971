/* feed_linq.h — reads what the Linq Partner API v3 says: line lists and webhook events, in every shape that its
 * documents and SDKs have had (linq-api.md 2.1, 3 and 6). Pure: bytes in, facts out; no clock, no log, no network.
 *
 * Rules that hold throughout: the newer member name wins over its deprecated alias; a value may be a plain string
 * or an object with `status`; case and `-` for `_` do not count; what nobody documents reads UNKNOWN; unknown
 * members are ignored. */
#ifndef LINEWARD_FEED_LINQ_H
#define LINEWARD_FEED_LINQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/feed/feed.h"
#include "lineward/clock.h"
#include "lineward/err.h"

#define LINQ_LINES_MAX    131072             /* more in one list is an error */
#define LINQ_VALUES_MAX   (4u * 1024 * 1024) /* JSON values in one list: bounds what a hostile body costs in memory */
#define LINQ_AHEAD_MS_MAX (5 * 60 * 1000)    /* a time of theirs is cut to arrival + this (DESIGN trap 7) */

struct linq_list {
    struct feed_line *lines; /* each number once, in order of number; NULL if none */
    size_t count;
    size_t unknown_values; /* lines whose reputation is present, but nothing that we know */
    size_t unreadable;     /* entries left out because their number is no E.164 */
};
void linq_list_clear(struct linq_list *list);

/* The body of a 200 to GET /v3/phone_numbers. ERR_NONE: *out is the caller's, linq_list_clear(); an empty list is
 * good. ERR_BAD_INPUT: not such a list, and *why says so (static text); ERR_NO_MEMORY. An entry without a number
 * makes the whole list bad, and so does a list of which no number can be read: a format that we do not know must
 * not look as if the lines were gone. A number listed twice takes the worse of both. */
enum err linq_read_lines(const char *body, size_t bytes, struct linq_list *out, const char **why);

enum linq_reading {
    LINQ_TAKEN,     /* *out says what happened */
    LINQ_UNUSED,    /* well-formed, of a type that the router does not use */
    LINQ_NO_LINE,   /* a status event that names no line, or says nothing about it */
    LINQ_MALFORMED, /* not JSON, or no event */
};

/* The body of a webhook whose signature was good; payload versions 2026-02-03 and 2025-01-01. Fills *out but for
 * request, webhook_id and arrived_mono_ms. Ids that are too long for their field or not printable ASCII are left
 * out, never cut: half an id is another id. For chat.created `sender` is the one other handle of a direct chat. */
enum linq_reading linq_read_webhook(const char *body, size_t bytes, int64_t arrival_wall_ms,
                                    struct feed_webhook *out);

/* Copies an id of theirs if there is one (NULL: none), it fits into out[room] and is printable ASCII; else out stays
 * as it was. */
void linq_copy_id(char *out, size_t room, const char *text);

/* Is this whole message an opt-out keyword (linq-api.md 5.4)? Any case, blanks at its ends do not count; the
 * provider wants exact case, a careful sender stops all the same. A keyword within a longer message is none. */
bool linq_is_opt_out(const char *text);

#endif
