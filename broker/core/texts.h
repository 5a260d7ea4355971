/* texts.h — short texts that the core keeps for people, in cells of sixteen bytes that are chained: a number costs two
 * cells, not the room of the longest e-mail address. Pure; memory is the caller's. Cell 0 is never used. */
#ifndef LINEWARD_CORE_TEXTS_H
#define LINEWARD_CORE_TEXTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_CELL_BYTES 12

struct text_cell {
    char bytes[TEXT_CELL_BYTES];
    uint32_t next;
};

struct texts {
    struct text_cell *cells; /* [cells_max + 1], zeroed at first */
    uint32_t cells_max, used, free;
};

/* Keeps `count` texts as one. 0: there is no room for them. */
uint32_t texts_keep(struct texts *texts, const char *const *list, size_t count);
/* Reads the next text of it into `out`, cut to `room`; *at is where the first one begins and comes to stand where the
 * next one does (*offset within the cell; begin with 0). An exhausted chain reads as "". */
void texts_read(const struct texts *texts, uint32_t *at, size_t *offset, char *out, size_t room);
void texts_drop(struct texts *texts, uint32_t at); /* 0 is fine */

#endif
