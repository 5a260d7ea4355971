/* tz_file.h — the offsets of a time zone, from the system's own data (TZif files, RFC 9636). */
#ifndef LINEWARD_EDGE_TZ_FILE_H
#define LINEWARD_EDGE_TZ_FILE_H

#include "broker/core/core.h"

#define TZ_FOLDER         "/usr/share/zoneinfo"
#define TZ_NAME_BYTES_MAX 64

/* Is the name one that a zone could have: parts of letters, digits, _, + and -, joined by /? */
bool tz_name_is_valid(const char *name);
/* The offsets of `name` between the two moments: those that are in force at the first, and each change until the second,
 * as far as there is room. False: there is no such zone, or its file makes no sense. */
bool tz_rules(const char *folder, const char *name, int64_t from_ms, int64_t to_ms, struct zone_rules *out);
/* The same of a file's bytes. */
bool tz_read(const uint8_t *bytes, size_t size, int64_t from_ms, int64_t to_ms, struct zone_rules *out);

#endif
