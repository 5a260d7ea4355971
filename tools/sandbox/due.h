/* due.h — things that fall due: a binary heap by time, and by order of arrival among equals. Pure, but for
 * memory. The items are the caller's. */
#ifndef SANDBOX_DUE_H
#define SANDBOX_DUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sandbox_due_entry {
    int64_t due_ms; /* on whichever clock the owner uses */
    uint64_t order;
    void *item;
};

struct sandbox_due {
    struct sandbox_due_entry *entries;
    size_t count, room;
    uint64_t order;
};

/* False: out of memory, nothing changed. */
bool sandbox_due_push(struct sandbox_due *due, int64_t due_ms, void *item);
/* The earliest item if it is due at `now_ms`, taken out; else NULL. */
void *sandbox_due_pop(struct sandbox_due *due, int64_t now_ms);
/* When the earliest falls due; INT64_MAX: nothing waits. */
int64_t sandbox_due_next_ms(const struct sandbox_due *due);
void sandbox_due_free(struct sandbox_due *due); /* the entries only */

#endif
