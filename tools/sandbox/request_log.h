/* request_log.h — the sandbox's log for auditors: JSON Lines, written by a thread of its own.
 *
 * Lines appear in the order in which they were handed over, whole, within about 50 ms, and all of them once
 * request_log_close() has returned. Safe from any thread. A log that can't be written ends the program: a
 * missing line would make every audit worthless. What stands in the lines is told in docs/sandbox.md. */
#ifndef SANDBOX_REQUEST_LOG_H
#define SANDBOX_REQUEST_LOG_H

#include <stddef.h>

#include "lineward/err.h"

struct request_log;

/* Creates or empties `path`. ERR_IO: errno says. */
enum err request_log_open(struct request_log **out, const char *path);
/* Writes what is left, then frees. */
void request_log_close(struct request_log **log_p);

/* Adds one line, without its newline; NULL log: does nothing. Waits only while 64 MiB are unwritten. */
void request_log_add(struct request_log *log, const char *line, size_t bytes);

#endif
