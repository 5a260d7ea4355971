/* pages.c — see pages.h. */
#include "pages.h"

#include <string.h>
#include <sys/mman.h>

#define STEP_BYTES ((size_t)64 * 1024)

bool pages_grow(void *at_p, size_t *room, size_t bytes)
{
    if (bytes <= *room)
        return true;
    void *at;
    memcpy(&at, at_p, sizeof at);
    size_t wanted = *room + *room / 2 > bytes ? *room + *room / 2 : bytes;
    wanted = (wanted + STEP_BYTES - 1) / STEP_BYTES * STEP_BYTES;
    void *grown = *room == 0 ? mmap(NULL, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                             : mremap(at, *room, wanted, MREMAP_MAYMOVE);
    if (grown == MAP_FAILED)
        return false;
    memcpy(at_p, &grown, sizeof grown);
    *room = wanted;
    return true;
}

void pages_free(void *at, size_t room)
{
    if (room > 0)
        munmap(at, room);
}
