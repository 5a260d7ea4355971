/* csv.c — see csv.h. */
#include "csv.h"

#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* A field in quotes, in which two quotes are one; *at stands on the opening one and comes to stand behind it. */
static char *take_quoted(char **at, const char **why)
{
    char *from = *at + 1;
    char *to = from;
    char *field = from;
    while (*from != '\0' && (*from != '"' || from[1] == '"')) {
        from += *from == '"';
        *to++ = *from++;
    }
    if (*from != '"') {
        *why = "a quote is opened and not closed in its row";
        return NULL;
    }
    from++;
    while (is_blank(*from))
        from++;
    if (*from != '\0' && *from != ',') {
        *why = "something stands between a closing quote and the next comma";
        return NULL;
    }
    *at = from;
    *to = '\0'; /* at the closing quote at the latest, so never in the comma's place */
    return field;
}

static char *take_plain(char **at)
{
    char *field = *at;
    *at += strcspn(*at, ",");
    return field;
}

static void cut_end(char *field, char *end)
{
    while (end > field && is_blank(end[-1]))
        end--;
    *end = '\0';
}

size_t csv_split(char *row, char *fields[CSV_FIELDS_MAX], const char **why)
{
    size_t count = 0;
    for (char *at = row;; at++) {
        if (count == CSV_FIELDS_MAX) {
            *why = "more fields than there are columns";
            return 0;
        }
        while (is_blank(*at))
            at++;
        bool quoted = *at == '"';
        char *field = quoted ? take_quoted(&at, why) : take_plain(&at);
        if (field == NULL)
            return 0;
        bool last = *at == '\0';
        if (!quoted)
            cut_end(field, at);
        fields[count++] = field;
        if (last)
            return count;
    }
}

void csv_put(FILE *out, const char *text, bool first)
{
    if (!first)
        fputc(',', out);
    size_t bytes = strlen(text);
    bool has_ends = bytes > 0 && (is_blank(text[0]) || is_blank(text[bytes - 1])); /* which a reader would cut */
    if (strpbrk(text, "\",\r\n") == NULL && !has_ends) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}
