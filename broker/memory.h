/* memory.h — the core's memory: address space taken at the start, pages only where something lives. */
#ifndef LINEWARD_BROKER_MEMORY_H
#define LINEWARD_BROKER_MEMORY_H

#include <stddef.h>

struct memory_map {
    void *at;
    size_t bytes;
};
#define MEMORY_MAPS_MAX 8192 /* some tables, and one a pool */
struct memory {
    struct memory_map maps[MEMORY_MAPS_MAX];
    size_t count;
};

/* core_memory.take: zeroed, NULL when the machine refuses. `self` is a struct memory. */
void *memory_take(void *self, size_t bytes);
void memory_give_back(struct memory *memory); /* all of it */

#endif
