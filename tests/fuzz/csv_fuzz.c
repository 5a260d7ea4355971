/* Rows of an import's file: what is read and written is read the same again. */
#include "fuzz.h"
#include "tools/ctl/csv.h"

static void check_row(char *fields[], size_t count)
{
    char *row = NULL, *again[CSV_FIELDS_MAX];
    size_t bytes = 0;
    const char *why = NULL;
    FILE *out = open_memstream(&row, &bytes);
    fuzz_check(out != NULL);
    for (size_t i = 0; i < count; i++)
        csv_put(out, fields[i], i == 0);
    fuzz_check(fclose(out) == 0);
    fuzz_check(csv_split(row, again, &why) == count);
    for (size_t i = 0; i < count; i++)
        fuzz_check(strcmp(fields[i], again[i]) == 0);
    free(row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input input = {data, bytes};
    while (input.left > 0) {
        char *fields[CSV_FIELDS_MAX];
        const char *why = NULL;
        size_t count = csv_split(input_text(input_line(&input)), fields, &why);
        fuzz_check(count <= CSV_FIELDS_MAX && (count > 0 || why != NULL));
        if (count > 0)
            check_row(fields, count);
        fuzz_forget();
    }
    return 0;
}
