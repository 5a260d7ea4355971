/* folder.c — see folder.h. */
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

void folder_unpack(const char *archive, const char *folder)
{
    char *arguments[] = {"tar", "-xzf", (char *)(uintptr_t)archive, "-C", (char *)(uintptr_t)folder, NULL};
    pid_t pid;
    int status = 0;
    MUST(posix_spawnp(&pid, "tar", NULL, NULL, arguments, environ) == 0 && waitpid(pid, &status, 0) == pid &&
             status == 0,
         "%s: tar does not unpack it", archive);
}

void folder_replace(const char *folder, const char *name, const char *was, const char *is)
{
    char path[PROGRAM_PATH_MAX * 2], text[4096] = "";
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r+");
    MUST(file != NULL && fread(text, 1, sizeof text - 1, file) > 0, "%s: %s", path, strerror(errno));
    const char *at = strstr(text, was);
    MUST(at != NULL && strlen(was) == strlen(is), "%s does not hold %s", path, was);
    MUST(fseek(file, at - text, SEEK_SET) == 0 && fputs(is, file) >= 0 && fclose(file) == 0, "%s: %s", path,
         strerror(errno));
}

static uint64_t file_sum(const char *folder, const char *name)
{
    char path[PROGRAM_PATH_MAX * 2];
    struct stat status;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    MUST(fd >= 0 && fstat(fd, &status) == 0, "%s: %s", path, strerror(errno));
    uint64_t sum = XXH3_64bits(name, strlen(name));
    if (status.st_size > 0) {
        void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        MUST(bytes != MAP_FAILED, "%s: %s", path, strerror(errno));
        sum = XXH3_64bits_withSeed(bytes, (size_t)status.st_size, sum);
        munmap(bytes, (size_t)status.st_size);
    }
    close(fd);
    return sum;
}

uint64_t folder_sum(const char *folder)
{
    uint64_t sum = 0;
    const struct dirent *entry;
    DIR *listing = opendir(folder);
    MUST(listing != NULL, "%s: %s", folder, strerror(errno));
    while ((entry = readdir(listing)) != NULL)
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "lock") != 0)
            sum += file_sum(folder, entry->d_name);
    closedir(listing);
    return sum;
}
