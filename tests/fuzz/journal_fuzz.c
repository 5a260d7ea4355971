/* A store opened from bytes that somebody changed: the first byte says which store, and whether the checksums are made
 * right again; then come the changes (disk.h). */
#include "disk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input input = {data, bytes};
    unsigned how = input_byte(&input);
    struct sim *disk = disk_new(how & 1 ? DISK_LARGE : DISK_SMALL);
    disk_change(disk, how & 2 ? ".seg" : "", &input);
    if (how & 4)
        disk_seal(disk);
    disk_use(disk);
    sim_free(&disk);
    return 0;
}
