/* texts.c — see texts.h. */
#include "broker/core/texts.h"

static uint32_t take(struct texts *texts)
{
    uint32_t cell = texts->free;
    if (cell != 0)
        texts->free = texts->cells[cell].next;
    else if (texts->used < texts->cells_max)
        cell = ++texts->used;
    if (cell != 0)
        texts->cells[cell].next = 0;
    return cell;
}

struct writing {
    uint32_t first, last;
    size_t offset; /* in the last cell */
};

static bool put(struct texts *texts, struct writing *writing, char byte)
{
    if (writing->last == 0 || writing->offset == TEXT_CELL_BYTES) {
        uint32_t cell = take(texts);
        if (cell == 0)
            return false;
        if (writing->last != 0)
            texts->cells[writing->last].next = cell;
        else
            writing->first = cell;
        writing->last = cell;
        writing->offset = 0;
    }
    texts->cells[writing->last].bytes[writing->offset++] = byte;
    return true;
}

uint32_t texts_keep(struct texts *texts, const char *const *list, size_t count)
{
    struct writing writing = {0};
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        const char *at = list[i];
        do {
            ok = put(texts, &writing, *at);
        } while (ok && *at++ != '\0');
    }
    if (ok)
        return writing.first;
    texts_drop(texts, writing.first);
    return 0;
}

void texts_read(const struct texts *texts, uint32_t *at, size_t *offset, char *out, size_t room)
{
    size_t bytes = 0;
    while (*at != 0) {
        char byte = texts->cells[*at].bytes[*offset];
        if (++*offset == TEXT_CELL_BYTES) {
            *at = texts->cells[*at].next;
            *offset = 0;
        }
        if (byte == '\0')
            break;
        if (bytes + 1 < room)
            out[bytes++] = byte;
    }
    out[bytes] = '\0';
}

void texts_drop(struct texts *texts, uint32_t at)
{
    while (at != 0) {
        uint32_t next = texts->cells[at].next;
        texts->cells[at].next = texts->free;
        texts->free = at;
        at = next;
    }
}
