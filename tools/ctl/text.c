/* text.c — text, numbers and spans of time as a terminal shows them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "view.h"

struct screen screen_of(FILE *out, int64_t now_ms)
{
    struct screen screen = {.now_ms = now_ms};
    int fd = fileno(out);
    if (fd < 0 || !isatty(fd))
        return screen;
    struct winsize size = {0};
    screen.width = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    screen.colour = (no_color == NULL || no_color[0] == '\0') && term != NULL && strcmp(term, "dumb") != 0;
    return screen;
}

/* U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069: what stands behind them is shown in another direction. Behind a
 * first byte of 0xE2. */
static bool turns_text(unsigned char second, unsigned char third)
{
    return (second == 0x80 && (third == 0x8e || third == 0x8f || (third >= 0xaa && third <= 0xae))) ||
           (second == 0x81 && third >= 0xa6 && third <= 0xa9);
}

/* C0 and C1 controls and DEL could move the cursor or worse, as could marks that turn text. C1 is 0xC2 0x80..0x9F in
 * UTF-8. */
static size_t control_bytes(const char *text)
{
    unsigned char first = (unsigned char)text[0];
    if (first < 0x20 || first == 0x7f)
        return 1;
    unsigned char second = (unsigned char)text[1];
    if (first == 0xc2)
        return second >= 0x80 && second <= 0x9f ? 2 : 0;
    return first == 0xe2 && turns_text((unsigned char)text[1], second == 0 ? 0 : (unsigned char)text[2]) ? 3 : 0;
}

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

void text_clean(const char *text, char *out, size_t room)
{
    size_t at = 0;
    while (*text != '\0' && at + 1 < room) {
        size_t control = control_bytes(text);
        out[at++] = control > 0 ? '?' : *text;
        text += control > 0 ? control : 1;
    }
    /* Not in the middle of a character. */
    if (is_continuation(*text)) {
        while (at > 0 && is_continuation(out[at - 1]))
            at--;
        at -= at > 0 ? 1 : 0;
    }
    out[at] = '\0';
}

/* Bytes of the colour that begins here, as COLOUR_OFF; 0: none does. */
static size_t colour_bytes(const char *text)
{
    size_t bytes = *text == '\033' ? strcspn(text, "m") : 0;
    return bytes > 0 && text[bytes] != '\0' ? bytes + 1 : 0;
}

/* What it takes of a line, and how many bytes long it is. */
static int step_width(const char *text, size_t *bytes)
{
    size_t colour = colour_bytes(text);
    *bytes = colour > 0 ? colour : 1;
    return colour > 0 || is_continuation(*text) ? 0 : 1;
}

int text_width(const char *text)
{
    int width = 0;
    for (size_t bytes = 0; *text != '\0'; text += bytes)
        width += step_width(text, &bytes);
    return width;
}

void text_print(FILE *out, const char *text, int width)
{
    int shown = 0;
    if (text_width(text) <= width) {
        fputs(text, out);
        return;
    }
    for (size_t bytes = 0; *text != '\0'; text += bytes) {
        int columns = step_width(text, &bytes);
        shown += columns;
        if (shown < width || bytes > 1) /* a colour that began may end behind the cut */
            fwrite(text, 1, bytes, out);
        else if (shown == width && columns > 0)
            fputs("…", out);
    }
}

const char *word_colour(const char *word)
{
    static const struct {
        const char *words, *colour;
    } table[] = {
        {" CRITICAL FLAGGED closed failed rejected line_critical line_flagged line_gone provider_down ", "\033[31m"},
        {" AT_RISK UNKNOWN slow held expired suppressed line_recovering line_stale paused line_paused ", "\033[33m"},
        {" HEALTHY ACTIVE open sent delivered read ", "\033[32m"},
    };
    char padded[40];
    if (word[0] == '\0' || strchr(word, ' ') != NULL || strlen(word) + 3 > sizeof padded)
        return "";
    snprintf(padded, sizeof padded, " %s ", word);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strstr(table[i].words, padded) != NULL)
            return table[i].colour;
    }
    return "";
}

void duration_format(int64_t ms, char *out, size_t room)
{
    int64_t s = ms / 1000;
    if (ms < 1000)
        snprintf(out, room, "%" PRId64 "ms", ms);
    else if (s < 60)
        snprintf(out, room, "%" PRId64 "s", s);
    else if (s < 3600)
        snprintf(out, room, s % 60 != 0 ? "%" PRId64 "m %" PRId64 "s" : "%" PRId64 "m", s / 60, s % 60);
    else if (s < 86400)
        snprintf(out, room, s % 3600 >= 60 ? "%" PRId64 "h %" PRId64 "m" : "%" PRId64 "h", s / 3600, s % 3600 / 60);
    else
        snprintf(out, room, s % 86400 >= 3600 ? "%" PRId64 "d %" PRId64 "h" : "%" PRId64 "d", s / 86400,
                 s % 86400 / 3600);
}

void count_format(int64_t count, char *out, size_t room)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRId64, count);
    size_t at = 0;
    for (size_t i = 0, left = strlen(digits); left > 0 && at + 1 < room; i++, left--) {
        out[at++] = digits[i];
        if (left > 1 && left % 3 == 1 && digits[i] != '-' && at + 1 < room)
            out[at++] = ',';
    }
    out[at] = '\0';
}
