/* log.c — one line an event, written to stderr in one write(), so that threads and processes that share a
 * terminal or a pipe do not mix their lines. */
#include "lineward/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lineward/clock.h"

#define LINE_BYTES_MAX 2048 /* below PIPE_BUF, so that one write is one piece */

static _Atomic int lowest = LOG_INFO;

void log_level_set(enum log_level level)
{
    atomic_store_explicit(&lowest, (int)level, memory_order_relaxed);
}

/* In UTF-8 the controls U+0080 to U+009F are two bytes; to a terminal they are what ESC and a letter are. */
static bool is_c1(const char *text, size_t bytes)
{
    return bytes >= 2 && (unsigned char)text[0] == 0xc2 && (unsigned char)text[1] >= 0x80 &&
           (unsigned char)text[1] <= 0x9f;
}

/* A value must not be able to begin a second line, or to speak to a terminal. */
static void blank_controls(char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (is_c1(text + i, bytes - i))
            text[i] = text[i + 1] = '?';
        else if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = '?';
    }
}

const char *log_quoted(const char *text, char out[LOG_QUOTED_MAX])
{
    static const char cut[] = "...\"";
    size_t bytes = 1;
    out[0] = '"';
    for (; *text != '\0' && bytes + 2 + sizeof cut <= LOG_QUOTED_MAX; text++) {
        if (*text == '"' || *text == '\\')
            out[bytes++] = '\\';
        out[bytes++] = *text;
    }
    const char *end = *text == '\0' ? "\"" : cut;
    memcpy(out + bytes, end, strlen(end) + 1);
    return out;
}

void log_event(enum log_level level, const char *event, const char *format, ...)
{
    static const char *const words[] = {"debug", "info", "warn", "error"};
    static const char cut[] = "...";
    if ((int)level < atomic_load_explicit(&lowest, memory_order_relaxed))
        return;
    char line[LINE_BYTES_MAX];
    char when[TIME_TEXT_MAX];
    time_format(clock_read().wall_ms, when);
    int head = snprintf(line, sizeof line, "%s %s event=%s", when, words[level], event);
    size_t bytes = head < 0 ? 0 : (size_t)head;
    size_t room = sizeof line - sizeof cut;
    if (bytes < room && format != NULL && *format != '\0') {
        line[bytes++] = ' ';
        va_list values;
        va_start(values, format);
        int body = vsnprintf(line + bytes, sizeof line - bytes, format, values);
        va_end(values);
        bytes = body > 0 ? bytes + (size_t)body : bytes - 1; /* no values, no blank before them */
    }
    if (bytes > room) { /* say that it was cut, rather than look whole */
        memcpy(line + room, cut, sizeof cut - 1);
        bytes = room + sizeof cut - 1;
    }
    blank_controls(line, bytes);
    line[bytes++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, bytes);
    (void)written; /* a log that cannot be written has nobody to tell */
}
