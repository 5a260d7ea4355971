/* keys.h — CURVE keys in files (PROTOCOL, Configuration): one's own secret key, somebody's public key, and the folder
 * that says which clients a broker lets in, as what, and to which pools. Keys are Z85, 40 characters. */
#ifndef LINEWARD_KEYS_H
#define LINEWARD_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "lineward/conf.h"
#include "lineward/err.h"
#include "lineward/ids.h"

#define KEY_TEXT_BYTES      40
#define KEY_BYTES           32
#define KEY_POOLS_BYTES_MAX 8192 /* of one key's list of pools */
#define KEY_ENTRIES_MAX     4096 /* authorised clients */
#define KEY_FILE_ENDING     ".key"

struct key_pair {
    char secret[KEY_TEXT_BYTES + 1], public[KEY_TEXT_BYTES + 1];
};

/* A fresh pair. False: libzmq was built without CURVE. */
bool key_pair_make(struct key_pair *out);
/* The pair of a secret key's file. Like ssh, refuses a file that others may read or the group may write. Else
 * *problem names the setting (`what`), the file and what would be right, never what stands there. */
enum err key_pair_read(const char *path, const char *what, struct key_pair *out, struct conf_problem *problem);
void key_pair_clear(struct key_pair *pair);
enum err key_public_read(const char *path, const char *what, char out[KEY_TEXT_BYTES + 1],
                         struct conf_problem *problem);
/* 40 characters of Z85 that stand for 32 bytes? */
bool key_text_is_valid(const char *text);

/* May a file with these permission bits hold a secret: not readable by others, not writable by the group? */
bool secret_mode_is_safe(unsigned mode);

/* ---- who is let in ---- */

enum key_role { KEY_PRODUCER, KEY_WORKER, KEY_FOLLOWER, KEY_ROLES };
const char *key_role_name(enum key_role role); /* never NULL */
bool key_role_parse(const char *text, enum key_role *out);

struct key_grant {
    char name[NAME_MAX_BYTES + 1]; /* of its file, without `.key` */
    char key[KEY_TEXT_BYTES + 1];
    enum key_role role;
    char *pools; /* comma list; "": none; NULL: all */
};

/* What a line of a key file says, without its name; `line` is cut into words. NULL, or what would be right. */
const char *key_grant_parse(char *line, struct key_grant *out);
/* "*" (all), or names with commas between them? */
bool key_pools_are_valid(const char *pools);

struct key_ring;

/* Reads every NAME.key in `dir`. One bad file, a key in two of them, or a file that anybody may write: nothing is
 * read, and *problem says which file, and what would be right. */
enum err key_ring_read(struct key_ring **out, const char *dir, struct conf_problem *problem);
void key_ring_free(struct key_ring **ring_p);
size_t key_ring_count(const struct key_ring *ring);
const struct key_grant *key_ring_at(const struct key_ring *ring, size_t index);
/* Who has this public key? NULL: nobody that is let in. */
const struct key_grant *key_ring_find(const struct key_ring *ring, const char *key);

#endif
