/* restored.c — see restored.h. */
#include "restored.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "backup.h"

static void path_of(const char *store_path, char *out, size_t room)
{
    snprintf(out, room, "%s/" BACKUP_MARKER, store_path);
}

enum err restored_read(const char *store_path, struct restored *out)
{
    char path[4096];
    int64_t taken_ms = 0, key_life_ms = 0;
    path_of(store_path, path, sizeof path);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    int fields =
        fscanf(file, "lineward restored 1\ntaken_ms %" SCNd64 "\nkey_life_ms %" SCNd64 "\n", &taken_ms, &key_life_ms);
    fclose(file);
    if (fields != 2 || taken_ms <= 0 || key_life_ms < 0)
        return ERR_DAMAGED;
    *out = (struct restored){taken_ms, key_life_ms};
    return ERR_NONE;
}

enum err restored_remove(const char *store_path)
{
    char path[4096];
    path_of(store_path, path, sizeof path);
    if (unlink(path) != 0 && errno != ENOENT)
        return ERR_IO;
    int folder = open(store_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err err = folder >= 0 && fsync(folder) == 0 ? ERR_NONE : ERR_IO;
    if (folder >= 0)
        close(folder);
    return err;
}
