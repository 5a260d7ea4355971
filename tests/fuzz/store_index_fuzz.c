/* A store whose index files were changed: they are a convenience, so that a bad one is made anew from its segment. The
 * first byte says whether the checksums are made right again; then come the changes (disk.h). */
#include "disk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input input = {data, bytes};
    unsigned how = input_byte(&input);
    struct sim *disk = disk_new(DISK_LARGE);
    disk_change(disk, ".idx", &input);
    if (how & 1)
        disk_seal(disk);
    disk_use(disk);
    sim_free(&disk);
    return 0;
}
