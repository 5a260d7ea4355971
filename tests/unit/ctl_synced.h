/* ctl_synced.h — for the tests of linewardctl: counts what the program syncs to the disk, files and folders. Included
 * once per test program. */
#ifndef LINEWARD_TESTS_CTL_SYNCED_H
#define LINEWARD_TESTS_CTL_SYNCED_H

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static unsigned files_synced, folders_synced;

/* The program's calls come here: it is linked into this one. */
int fsync(int fd)
{
    struct stat info;
    if (fstat(fd, &info) == 0)
        *(S_ISDIR(info.st_mode) ? &folders_synced : &files_synced) += 1;
    return (int)syscall(SYS_fsync, fd);
}

#endif
