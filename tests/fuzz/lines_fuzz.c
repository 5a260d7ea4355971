/* The provider's list of lines, as the poll reads it. */
#include "broker/feed/feed_linq.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct linq_list list = {0};
    const char *why = NULL;
    enum err err = linq_read_lines((const char *)data, bytes, &list, &why);
    fuzz_check(err == ERR_NONE || (err == ERR_BAD_INPUT && why != NULL));
    if (err != ERR_NONE)
        return 0;
    fuzz_check(list.count <= LINQ_LINES_MAX);
    for (size_t i = 0; i < list.count; i++) {
        fuzz_check(e164_is_valid(list.lines[i].number));
        fuzz_check(i == 0 || strcmp(list.lines[i - 1].number, list.lines[i].number) < 0);
        fuzz_check((unsigned)list.lines[i].reputation < REPUTATION_COUNT);
        fuzz_check((unsigned)list.lines[i].service < SERVICE_COUNT);
    }
    linq_list_clear(&list);
    return 0;
}
