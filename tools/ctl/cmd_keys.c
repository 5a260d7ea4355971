/* cmd_keys.c — CURVE keys: making a pair, and saying in the broker's authorized_keys_dir who is let in. The folder is
 * read with the broker's own reader, so that what is written here is what it will take. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl.h"
#include "lineward/json.h"
#include "lineward/keys.h"

#define PATH_ROOM 4096

static void print_pairs(const struct ctl *ctl, const char *const (*pairs)[2], size_t count)
{
    struct json_out out = {0};
    json_open(&out, '{');
    for (size_t i = 0; i < count; i++) {
        json_key(&out, pairs[i][0]);
        json_put_string(&out, pairs[i][1]);
    }
    json_close(&out, '}');
    ctl_print_json(ctl, &out);
}

static int file_failed(const struct ctl *ctl, const char *path)
{
    return ctl_fail(ctl, EXIT_REFUSED, errno == EEXIST ? "exists" : "file", "%s: %s", path, strerror(errno));
}

/* A whole new file, durable with its name; never over another one, never through a link. */
static bool write_new(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return false;
    size_t bytes = strlen(text);
    bool ok = write(fd, text, bytes) == (ssize_t)bytes && fsync(fd) == 0;
    int why = errno;
    ok = close(fd) == 0 && ok;
    if (ok && !ctl_sync_name(path)) {
        why = errno;
        ok = false;
    }
    if (!ok) {
        unlink(path);
        errno = why;
    }
    return ok;
}

/* ---- keygen ---- */

/* One that begins with a dash would be an option on the command line of `authorize`. */
static bool make_pair(struct key_pair *pair)
{
    do
        if (!key_pair_make(pair))
            return false;
    while (pair->public[0] == '-');
    return true;
}

static int print_public(const struct ctl *ctl, const char *file, const struct key_pair *pair, bool made)
{
    const char *const pairs[][2] = {{"file", file}, {"public_key", pair->public}};
    if (ctl->json) {
        print_pairs(ctl, pairs, 2);
        return EXIT_DONE;
    }
    fprintf(ctl->out, "%s\n", pair->public);
    if (made)
        fprintf(ctl->err,
                "the secret key is in %s; above is its public key, for `linewardctl authorize` or the other "
                "side's broker_public_key_file\n",
                file);
    return EXIT_DONE;
}

int command_keygen(const struct ctl *ctl, const struct args *args)
{
    const char *file = args->positional[0];
    char text[KEY_TEXT_BYTES + 2];
    struct key_pair pair;
    struct conf_problem problem;
    if (args_flag(args, "show")) {
        if (key_pair_read(file, "keygen", &pair, &problem) != ERR_NONE)
            return ctl_fail(ctl, EXIT_REFUSED, "key", "%s", problem.text);
        int code = print_public(ctl, file, &pair, false);
        key_pair_clear(&pair);
        return code;
    }
    if (!make_pair(&pair))
        return ctl_fail(ctl, EXIT_REFUSED, "key", "this libzmq was built without CURVE");
    snprintf(text, sizeof text, "%s\n", pair.secret);
    int code = write_new(file, text, 0600) ? print_public(ctl, file, &pair, true) : file_failed(ctl, file);
    explicit_bzero(text, sizeof text);
    key_pair_clear(&pair);
    return code;
}

/* ---- authorize and revoke ---- */

static int read_folder(const struct ctl *ctl, const struct args *args, const char **dir, char path[PATH_ROOM])
{
    const char *name = args->positional[0];
    *dir = args_option(args, "dir");
    if (*dir == NULL)
        return ctl_fail(ctl, EXIT_USAGE, "usage", "--dir says where: the broker's authorized_keys_dir");
    if (!name_is_valid(name))
        return ctl_fail(ctl, EXIT_USAGE, "usage", "a name is 1 to 64 of A-Z a-z 0-9 _ . -");
    int bytes = snprintf(path, PATH_ROOM, "%s/%s" KEY_FILE_ENDING, *dir, name);
    if (bytes < 0 || bytes >= PATH_ROOM)
        return ctl_fail(ctl, EXIT_USAGE, "usage", "the folder's path is too long");
    return EXIT_DONE;
}

/* There after a power cut, if it is made here. */
static bool make_folder(const char *dir)
{
    char above[PATH_ROOM + 4];
    snprintf(above, sizeof above, "%s/..", dir);
    return mkdir(dir, 0755) == 0 ? ctl_sync_folder(above) : errno == EEXIST;
}

/* What the broker would say of it: wrong words, a key that another file has already, or one more than it takes. */
static int check_grant(const struct ctl *ctl, const char *dir, const char *line)
{
    char words[KEY_POOLS_BYTES_MAX + 256];
    struct key_grant grant = {.pools = NULL};
    struct key_ring *ring = NULL;
    struct conf_problem problem;
    snprintf(words, sizeof words, "%s", line);
    const char *wrong = key_grant_parse(words, &grant);
    free(grant.pools);
    if (wrong != NULL)
        return ctl_fail(ctl, EXIT_USAGE, "usage", "%s", wrong);
    if (!make_folder(dir))
        return file_failed(ctl, dir);
    if (key_ring_read(&ring, dir, &problem) != ERR_NONE)
        return ctl_fail(ctl, EXIT_REFUSED, "key", "%s", problem.text);
    const struct key_grant *other = key_ring_find(ring, grant.key);
    int code = EXIT_DONE;
    if (other != NULL)
        code = ctl_fail(ctl, EXIT_REFUSED, "exists", "%s has this key already: one file a key", other->name);
    else if (key_ring_count(ring) >= KEY_ENTRIES_MAX)
        code = ctl_fail(ctl, EXIT_REFUSED, "full", "%s has %d keys, which is all that a broker takes: revoke one first",
                        dir, KEY_ENTRIES_MAX);
    key_ring_free(&ring);
    return code;
}

int command_authorize(const struct ctl *ctl, const struct args *args)
{
    const char *dir = NULL, *const *words = args->positional;
    char path[PATH_ROOM], line[KEY_POOLS_BYTES_MAX + 256];
    const char *pools = args->count > 3 ? words[3] : "";
    int code = read_folder(ctl, args, &dir, path);
    int bytes = snprintf(line, sizeof line, "%s %s%s%s\n", words[1], words[2], *pools == '\0' ? "" : " ", pools);
    if (code == EXIT_DONE && (bytes < 0 || (size_t)bytes >= sizeof line))
        code = ctl_fail(ctl, EXIT_USAGE, "usage", "the list of pools is too long");
    if (code == EXIT_DONE)
        code = check_grant(ctl, dir, line);
    if (code != EXIT_DONE)
        return code;
    if (!write_new(path, line, 0644))
        return file_failed(ctl, path);
    if (strcmp(words[2], key_role_name(KEY_FOLLOWER)) == 0)
        pools = "*"; /* with or without a list, it hears of all */
    const char *const pairs[][2] = {
        {"name", words[0]}, {"public_key", words[1]}, {"role", words[2]}, {"pools", pools}};
    if (ctl->json)
        print_pairs(ctl, pairs, 4);
    else
        fprintf(ctl->out, "%s is let in as %s, pools %s, once the broker has read its keys again (SIGHUP)\n",
                words[0], words[2], *pools == '\0' ? "none" : pools);
    return EXIT_DONE;
}

int command_revoke(const struct ctl *ctl, const struct args *args)
{
    const char *dir = NULL;
    char path[PATH_ROOM];
    int code = read_folder(ctl, args, &dir, path);
    if (code != EXIT_DONE)
        return code;
    if (unlink(path) != 0 || !ctl_sync_folder(dir))
        return file_failed(ctl, path);
    const char *const pairs[][2] = {{"name", args->positional[0]}};
    if (ctl->json)
        print_pairs(ctl, pairs, 1);
    else
        fprintf(ctl->out, "%s is shut out once the broker has read its keys again (SIGHUP)\n", args->positional[0]);
    return EXIT_DONE;
}
