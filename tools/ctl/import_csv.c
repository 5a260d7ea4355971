/* import_csv.c — conversations from a file of comma-separated values: pool, line, to, chat_id, last_out, last_in, health,
 * health_at. A bad row is reported with its line, the rest goes on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "csv.h"
#include "import.h"
#include "import_sources.h"
#include "job_lines.h"
#include "lineward/words.h"

#define ROW_BYTES_MAX 16384 /* 31 recipients of 254 bytes, and room */

enum csv_column { COLUMN_POOL, COLUMN_LINE, COLUMN_TO, COLUMN_CHAT_ID, COLUMN_LAST_OUT, COLUMN_LAST_IN, COLUMN_HEALTH,
              COLUMN_HEALTH_AT, COLUMN_COUNT };
const char *const import_csv_columns[] = {"pool",    "line",   "to",        "chat_id", "last_out",
                                          "last_in", "health", "health_at", NULL};

struct csv_source {
    struct job_reader reader;
    int place[COLUMN_COUNT]; /* of each column in a row; -1: it has none */
    bool begun;              /* a row that is neither empty nor a remark has been seen */
};

static int column_of(const char *name)
{
    for (int i = 0; i < COLUMN_COUNT; i++)
        if (strcmp(import_csv_columns[i], name) == 0)
            return i;
    return -1;
}

/* A first row of nothing but names of columns says in which order they come. */
static bool take_header(struct csv_source *source, char *fields[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (column_of(fields[i]) < 0)
            return false;
    for (int i = 0; i < COLUMN_COUNT; i++)
        source->place[i] = -1;
    for (size_t i = 0; i < count; i++)
        source->place[column_of(fields[i])] = (int)i;
    return true;
}

static const char *value_of(const struct csv_source *source, enum csv_column column, char *fields[], size_t count)
{
    int place = source->place[column];
    return place >= 0 && (size_t)place < count && fields[place][0] != '\0' ? fields[place] : NULL;
}

/* Several recipients are joined by semicolons, or by commas within quotes. */
static void put_recipients(struct json_out *out, char *to)
{
    json_key(out, "to");
    json_open(out, '[');
    for (char *at = to; at != NULL;) {
        char *next = strpbrk(at, ";,");
        if (next != NULL)
            *next++ = '\0';
        while (*at == ' ')
            at++;
        size_t bytes = strlen(at);
        while (bytes > 0 && at[bytes - 1] == ' ')
            at[--bytes] = '\0';
        json_put_string(out, at);
        at = next;
    }
    json_close(out, ']');
}

static void put_row(struct import *import, const struct csv_source *source, char *fields[], size_t count)
{
    struct json_out *out = import_begin(import, source->reader.lines, NULL);
    for (enum csv_column column = 0; column < COLUMN_COUNT; column++) {
        const char *value = value_of(source, column, fields, count);
        if (value == NULL)
            continue;
        if (column == COLUMN_TO) {
            put_recipients(out, fields[source->place[column]]);
            continue;
        }
        json_key(out, import_csv_columns[column]);
        json_put_bytes(out, value, strlen(value));
    }
    import_add(import);
}

/* The provider may have new words; a person's file has typing errors, and who opted out by one would be written to. */
static bool has_good_health(const struct csv_source *source, char *fields[], size_t count)
{
    const char *health = value_of(source, COLUMN_HEALTH, fields, count);
    return health == NULL || chat_health_read(health) != CHAT_UNKNOWN ||
           strcasecmp(health, chat_health_name(CHAT_UNKNOWN)) == 0;
}

/* Spreadsheets put a mark of three bytes before what they save as UTF-8; it is no part of the first name. */
static char *without_mark(const struct csv_source *source, char *row)
{
    static const char mark[] = "\xef\xbb\xbf";
    return source->reader.lines == 1 && strncmp(row, mark, sizeof mark - 1) == 0 ? row + sizeof mark - 1 : row;
}

static bool is_empty(const char *row)
{
    return row[strspn(row, " \t\r")] == '\0' || row[0] == '#';
}

static bool skip(struct import *import, const struct csv_source *source, const char *code, const char *why)
{
    import_skip(import, source->reader.lines, NULL, code, why);
    import->failed = true;
    return true;
}

/* False: stopped. */
static bool take_row(struct import *import, struct csv_source *source, char *row, size_t bytes)
{
    char *fields[CSV_FIELDS_MAX];
    const char *why = "longer than 16 KiB";
    bool ok = bytes < ROW_BYTES_MAX;
    if (ok && strlen(row) != bytes) {
        why = "a zero byte";
        ok = false;
    }
    row = without_mark(source, row);
    if (ok && is_empty(row))
        return true;
    bool is_first = !source->begun;
    source->begun = true;
    size_t count = ok ? csv_split(row, fields, &why) : 0;
    if (count == 0)
        return skip(import, source, "malformed", why);
    if (is_first && take_header(source, fields, count))
        return true;
    if (!has_good_health(source, fields, count)) {
        char said[160];
        snprintf(said, sizeof said, "health is \"%.40s\": must be HEALTHY, AT_RISK, CRITICAL, OPTED_OUT, UNKNOWN or empty",
                 value_of(source, COLUMN_HEALTH, fields, count));
        return skip(import, source, "invalid_field", said);
    }
    put_row(import, source, fields, count);
    import->done = source->reader.bytes;
    return import->count < IMPORT_BATCH_MAX || import_flush(import);
}

static bool read_rows(void *self, struct import *import)
{
    struct csv_source *source = self;
    char *row = malloc(ROW_BYTES_MAX + 1);
    bool on = row != NULL;
    import->total = source->reader.size;
    while (on) {
        int64_t bytes = job_reader_line(&source->reader, row, ROW_BYTES_MAX);
        if (bytes < 0)
            break;
        row[bytes] = '\0';
        on = take_row(import, source, row, (size_t)bytes);
    }
    if (row == NULL || ferror(source->reader.file))
        import_stop(import, EXIT_REFUSED, row == NULL ? "out of memory" : strerror(errno));
    free(row);
    return on;
}

int import_from_csv(const struct ctl *ctl, const struct args *args, const char *path)
{
    struct csv_source source = {.begun = false};
    for (int i = 0; i < COLUMN_COUNT; i++)
        source.place[i] = i;
    if (!job_reader_open(&source.reader, path))
        return ctl_fail(ctl, EXIT_USAGE, "file", "%s: %s", path, strerror(errno));
    int code = import_run(ctl, args, read_rows, &source);
    job_reader_close(&source.reader);
    return code;
}
