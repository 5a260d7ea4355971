/* view.h — JSON for people: trees and tables that fit the terminal.
 *
 * What the broker sends is shown generically, so that a field that a newer broker adds is seen as well. No control
 * byte that came over the network reaches the terminal. */
#ifndef LINEWARDCTL_VIEW_H
#define LINEWARDCTL_VIEW_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CELL_BYTES_MAX 512

struct screen {
    int width; /* columns; 0: no terminal, nothing is cut */
    bool colour;
    bool no_json;   /* the command refuses --json: nobody is sent there for what is left out */
    int64_t now_ms; /* wall time, for "3m ago" */
};

/* How `out` shows text: its width and colours if it is a terminal (NO_COLOR respected). */
struct screen screen_of(FILE *out, int64_t now_ms);

/* `text` with control characters replaced, cut to `room`. */
void text_clean(const char *text, char *out, size_t room);
/* Columns that UTF-8 text takes on a terminal, one for each character; colours take none. */
int text_width(const char *text);
/* Prints at most `width` columns of it, the last as an ellipsis if it had to be cut; all its colours. */
void text_print(FILE *out, const char *text, int width);
/* The colour that a word of the contract has ("CRITICAL", "held"); "" for all others. */
const char *word_colour(const char *word);
#define COLOUR_OFF  "\033[0m"
#define COLOUR_DIM  "\033[2m"
#define COLOUR_BOLD "\033[1m"

/* "412ms", "3s", "5m 2s", "2h 10m", "3d 4h"; into `out`. */
void duration_format(int64_t ms, char *out, size_t room);
/* "1,234,567" */
void count_format(int64_t count, char *out, size_t room);

/* A member's name without the unit that its value is shown with: "uptime_ms" is "uptime". */
void name_format(const char *key, char *out, size_t room);
/* One value as text. `key` is its name: `_ms` is a span of time, `_ms_ago` a moment. `brief` as in a table: a time only
 * says how long ago. */
void value_format(const struct screen *screen, const char *key, const cJSON *value, bool brief, char *out,
                  size_t room);

/* Members of an object as "name value", what lies within below and indented, lists of objects as tables. */
void view_tree(FILE *out, const struct screen *screen, const cJSON *object, int indent);

struct column {
    const char *title; /* NULL ends a list */
    const char *path;  /* "reputation.status" */
    bool keep;         /* never left out, however narrow the terminal */
};

/* A list of objects, one a row. `columns` NULL: the members of the first object. */
void view_table(FILE *out, const struct screen *screen, const struct column *columns, const cJSON *rows, int indent);

/* Follows "a.b" into an object. NULL: not there. */
const cJSON *value_at(const cJSON *object, const char *path);

#endif
