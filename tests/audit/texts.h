/* texts.h — texts as numbers: the same text has the same number, counted from 0. */
#ifndef AUDIT_TEXTS_H
#define AUDIT_TEXTS_H

#include <stddef.h>
#include <stdint.h>

#define TEXT_NONE UINT32_MAX

struct texts { /* all zero: empty */
    char **text;
    uint32_t count, room;
    uint32_t *places; /* open addressing; TEXT_NONE: empty */
    size_t place_room;
};

/* The number of `text`, new or known. Ends the program when memory runs out. NULL is TEXT_NONE. */
uint32_t texts_number(struct texts *texts, const char *text);
void texts_free(struct texts *texts);

/* realloc() for `count` elements that ends the program when memory runs out: an audit is all or nothing. */
void *audit_room(void *array, size_t count, size_t size);

#endif
