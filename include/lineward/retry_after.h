/* retry_after.h — the header Retry-After (RFC 9110, 10.2.3): seconds, decimals allowed as the provider's own
 * clients read them, or an HTTP date. Pure. */
#ifndef LINEWARD_RETRY_AFTER_H
#define LINEWARD_RETRY_AFTER_H

#include <stdbool.h>
#include <stdint.h>

#define RETRY_AFTER_MAX_MS (600 * 1000) /* linq-api.md 6: clamp to 0..600 s */

/* An HTTP date (RFC 9110, 5.6.7) in its one current form, "Mon, 23 Nov 2026 10:01:00 GMT", or in the two obsolete
 * ones. False: none of them; *out_wall_ms untouched. */
bool http_date_parse(const char *text, int64_t *out_wall_ms);

/* Milliseconds to wait from `now_wall_ms` on, 0 to RETRY_AFTER_MAX_MS. -1: NULL, or neither form. */
int64_t retry_after_parse(const char *text, int64_t now_wall_ms);

/* A number of seconds as milliseconds, clamped to 0..RETRY_AFTER_MAX_MS; -1 if it is not a number. */
int64_t retry_after_clamp(double seconds);

#endif
