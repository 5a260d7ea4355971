/* disk.c — see disk.h. */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "program.h"

#define BLOCK_BYTES 65536

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return written;
}

/* Who is not root may mount in a user namespace, where the machine allows those. */
static bool get_a_namespace(void)
{
    char users[64], groups[64];
    snprintf(users, sizeof users, "0 %u 1", getuid());
    snprintf(groups, sizeof groups, "0 %u 1", getgid());
    if (unshare(CLONE_NEWNS) == 0)
        return true;
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && write_text("/proc/self/setgroups", "deny") &&
           write_text("/proc/self/uid_map", users) && write_text("/proc/self/gid_map", groups);
}

bool disk_mount(const char *folder, unsigned mib)
{
    char options[32];
    snprintf(options, sizeof options, "size=%um,mode=700", mib);
    MUST(mkdir(folder, 0700) == 0, "%s: %s", folder, strerror(errno));
    if (get_a_namespace() && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
        mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV, options) == 0)
        return true;
    printf("skipped: this machine lets us mount no small file system (%s)\n", strerror(errno));
    return false;
}

void disk_unmount(const char *folder)
{
    MUST(umount2(folder, MNT_DETACH) == 0, "%s: %s", folder, strerror(errno));
}

static void path_of(char out[PROGRAM_PATH_MAX], const char *folder)
{
    snprintf(out, PROGRAM_PATH_MAX, "%s/somebody-elses", folder);
}

void disk_fill(const char *folder)
{
    static const char block[BLOCK_BYTES];
    char path[PROGRAM_PATH_MAX];
    size_t bytes = sizeof block;
    path_of(path, folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    MUST(fd >= 0, "%s: %s", path, strerror(errno));
    while (bytes > 0) { /* down to the last byte */
        ssize_t written = write(fd, block, bytes);
        MUST(written > 0 || errno == ENOSPC, "%s: %s", path, strerror(errno));
        if (written < (ssize_t)bytes)
            bytes /= 2;
    }
    close(fd);
}

void disk_empty(const char *folder)
{
    char path[PROGRAM_PATH_MAX];
    path_of(path, folder);
    MUST(unlink(path) == 0, "%s: %s", path, strerror(errno));
}
