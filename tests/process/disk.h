/* disk.h — a small file system in memory, seen only by this test and the programs that it starts, and gone with them.
 */
#ifndef PROCESS_DISK_H
#define PROCESS_DISK_H

#include <stdbool.h>

/* Mounts it over this folder, which is made. Before anything else runs. False: this machine lets nobody mount, and
 * the test is to be skipped, which this has said. */
bool disk_mount(const char *folder, unsigned mib);
/* From this test's sight, before its folder is removed; who works on it goes on. */
void disk_unmount(const char *folder);
/* Fills what is left of it with a file of somebody else's; and takes that away again. */
void disk_fill(const char *folder);
void disk_empty(const char *folder);

#endif
