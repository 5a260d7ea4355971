/* table.c — a list of objects as a table that fits the terminal: wide columns are narrowed first, then columns are
 * left out from the right, and it says so. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "view.h"

#define COLUMNS_MAX      32
#define COLUMN_GAP       2
#define COLUMN_NARROWEST 10 /* no column is narrowed below this */

struct table {
    struct column columns[COLUMNS_MAX];
    char names[COLUMNS_MAX][64]; /* titles made from member names */
    int width[COLUMNS_MAX];      /* 0: left out */
    bool right[COLUMNS_MAX];     /* numbers */
    int column_count;
    int row_count;
    char **cells; /* row_count * column_count */
};

static void take_columns(struct table *table, const struct column *columns)
{
    for (; columns->title != NULL && table->column_count < COLUMNS_MAX; columns++)
        table->columns[table->column_count++] = *columns;
}

static void make_columns(struct table *table, const cJSON *first)
{
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, first)
    {
        if (table->column_count == COLUMNS_MAX)
            return;
        int i = table->column_count++;
        name_format(item->string, table->names[i], sizeof table->names[i]);
        for (char *at = table->names[i]; *at != '\0'; at++)
            *at = (char)toupper((unsigned char)*at);
        table->columns[i] = (struct column){table->names[i], item->string, i == 0};
    }
}

/* A made column's name is a member, whatever dots it holds. */
static const cJSON *cell_value(const struct table *table, int column, const cJSON *row)
{
    const char *path = table->columns[column].path;
    const cJSON *direct = cJSON_GetObjectItemCaseSensitive(row, path);
    return direct != NULL ? direct : value_at(row, path);
}

static bool fill_cells(struct table *table, const struct screen *screen, const cJSON *rows)
{
    const cJSON *row = NULL;
    char **cell = table->cells;
    cJSON_ArrayForEach(row, rows)
    {
        for (int i = 0; i < table->column_count; i++) {
            char text[CELL_BYTES_MAX];
            const cJSON *value = cell_value(table, i, row);
            const char *key = strrchr(table->columns[i].path, '.');
            value_format(screen, key != NULL ? key + 1 : table->columns[i].path, value, true, text, sizeof text);
            *cell = strdup(text);
            if (*cell++ == NULL)
                return false;
            int width = text_width(text);
            table->width[i] = width > table->width[i] ? width : table->width[i];
            table->right[i] = table->right[i] || cJSON_IsNumber(value);
        }
    }
    return true;
}

static int total_width(const struct table *table)
{
    int total = 0;
    for (int i = 0; i < table->column_count; i++)
        total += table->width[i] > 0 ? table->width[i] + COLUMN_GAP : 0;
    return total > 0 ? total - COLUMN_GAP : 0;
}

/* What a column is worth: the less, the sooner it loses room. The first one names what the row is about: half a name is
 * none. */
enum worth { WORTH_LITTLE, WORTH_KEEPING, WORTH_NAME };

static enum worth worth_of(const struct table *table, int column)
{
    return column == 0 ? WORTH_NAME : table->columns[column].keep ? WORTH_KEEPING : WORTH_LITTLE;
}

/* The widest of those that are worth no more than that, and have room to lose. */
static bool narrow_widest(struct table *table, enum worth worth)
{
    int widest = -1;
    for (int i = 0; i < table->column_count; i++) {
        int title = text_width(table->columns[i].title);
        int least = title > COLUMN_NARROWEST ? title : COLUMN_NARROWEST;
        bool may = worth_of(table, i) <= worth && table->width[i] > least;
        if (may && (widest < 0 || table->width[i] > table->width[widest]))
            widest = i;
    }
    if (widest < 0)
        return false;
    table->width[widest]--;
    return true;
}

static bool leave_one_out(struct table *table)
{
    for (int i = table->column_count - 1; i > 0; i--) {
        if (table->width[i] > 0 && !table->columns[i].keep) {
            table->width[i] = 0;
            return true;
        }
    }
    return false;
}

/* Returns how many columns were left out. */
static int fit(struct table *table, int width)
{
    int left_out = 0;
    while (total_width(table) > width) {
        if (narrow_widest(table, WORTH_LITTLE))
            continue;
        if (leave_one_out(table))
            left_out++;
        else if (!narrow_widest(table, WORTH_KEEPING) && !narrow_widest(table, WORTH_NAME))
            break;
    }
    return left_out;
}

static void print_cell(FILE *out, const struct screen *screen, const struct table *table, int column,
                       const char *text, const char *colour, bool last)
{
    int width = table->width[column];
    int shown = text_width(text) < width ? text_width(text) : width;
    if (table->right[column])
        fprintf(out, "%*s", width - shown, "");
    if (screen->colour)
        fputs(colour, out);
    text_print(out, text, width);
    if (screen->colour && colour[0] != '\0')
        fputs(COLOUR_OFF, out);
    if (!table->right[column] && !last)
        fprintf(out, "%*s", width - shown, "");
    if (!last)
        fprintf(out, "%*s", COLUMN_GAP, "");
}

static void print_row(FILE *out, const struct screen *screen, const struct table *table, char *const *cells,
                      int indent)
{
    int last = table->column_count - 1;
    while (last > 0 && table->width[last] == 0)
        last--;
    fprintf(out, "%*s", indent, "");
    for (int i = 0; i <= last; i++) {
        if (table->width[i] == 0)
            continue;
        const char *text = cells != NULL ? cells[i] : table->columns[i].title;
        print_cell(out, screen, table, i, text, cells != NULL ? word_colour(text) : COLOUR_BOLD, i == last);
    }
    fputc('\n', out);
}

void view_table(FILE *out, const struct screen *screen, const struct column *columns, const cJSON *rows, int indent)
{
    struct table *table = calloc(1, sizeof *table);
    if (table == NULL || rows == NULL || rows->child == NULL)
        goto done;
    if (columns != NULL)
        take_columns(table, columns);
    else
        make_columns(table, rows->child);
    for (int i = 0; i < table->column_count; i++)
        table->width[i] = text_width(table->columns[i].title);
    table->row_count = cJSON_GetArraySize(rows);
    table->cells = calloc((size_t)table->row_count * (size_t)table->column_count + 1, sizeof *table->cells);
    if (table->cells == NULL || !fill_cells(table, screen, rows)) {
        fprintf(out, "out of memory for a table of %d rows\n", table->row_count);
        goto done;
    }
    int left_out = screen->width > 0 ? fit(table, screen->width - indent) : 0;
    print_row(out, screen, table, NULL, indent);
    for (int i = 0; i < table->row_count; i++)
        print_row(out, screen, table, table->cells + (size_t)i * (size_t)table->column_count, indent);
    if (left_out > 0)
        fprintf(out, "%*s(%d columns more on a wider terminal%s)\n", indent, "", left_out,
                screen->no_json ? "" : ", all of them with --json");
done:
    for (int i = 0; table != NULL && table->cells != NULL && i < table->row_count * table->column_count; i++)
        free(table->cells[i]);
    if (table != NULL)
        free(table->cells);
    free(table);
}
