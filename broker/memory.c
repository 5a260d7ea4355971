/* memory.c — see memory.h. */
#include "broker/memory.h"

#include <sys/mman.h>

void *memory_take(void *self, size_t bytes)
{
    struct memory *memory = self;
    if (memory->count == MEMORY_MAPS_MAX)
        return NULL;
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    memory->maps[memory->count++] = (struct memory_map){at, bytes};
    return at;
}

void memory_give_back(struct memory *memory)
{
    while (memory->count > 0) {
        memory->count--;
        munmap(memory->maps[memory->count].at, memory->maps[memory->count].bytes);
    }
}
