/* log.h — one line an event, the same keys everywhere (STYLE 15), to stderr.
 *
 *   log_event(LOG_WARN, "lease_lapsed", "job=%s line=%s attempt=%u", ...);
 *   2026-11-23T10:00:00.000Z warn event=lease_lapsed job=j_1 line=+1202*****01 attempt=2
 *
 * Values with blanks must be written in quotes by the caller ("reason=\"%s\""), text from outside by
 * log_quoted(). Never pass message text, a credential or a whole phone number: mask with handle_mask(). Control bytes in the
 * result become '?'. */
#ifndef LINEWARD_LOG_H
#define LINEWARD_LOG_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

#define LOG_QUOTED_MAX 640 /* with its end */

/* `text` from outside as a value: in quotes, those within it and backslashes escaped, so that it reads as one value
 * whatever it says; cut where it is long, which "..." says. Returns `out`. */
const char *log_quoted(const char *text, char out[LOG_QUOTED_MAX]);

/* Lines below `level` are dropped; default LOG_INFO. */
void log_level_set(enum log_level level);
void log_event(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
