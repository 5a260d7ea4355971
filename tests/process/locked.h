/* locked.h — a rig whose broker lets in only whom it knows: keys in files, tokens in theirs, two pools of two lines
 * each, `red` and `blue`, so that two tenants stand side by side. */
#ifndef PROCESS_LOCKED_H
#define PROCESS_LOCKED_H

#include "lineward/keys.h"
#include "producer.h"

struct locked {
    struct rig rig;
    struct key_pair broker;
};

/* As rig_open(); nothing runs yet. The worker's key, `sender`, is for all pools unless `worker_pools` says other. */
void locked_open(struct locked *locked, const char *worker_pools);
void locked_close(struct locked *locked);

/* A fresh key that the broker lets in once it has read it; NULL role: one that nobody authorized. */
void locked_key(struct locked *locked, const char *name, const char *role, const char *pools, struct key_pair *out);
/* Writes NAME.key as this text. */
void locked_write_key(struct locked *locked, const char *name, const char *text);
void locked_revoke(struct locked *locked, const char *name);
/* Adds a token to the file; it is its own text. */
void locked_token(struct locked *locked, const char *token, const char *role, const char *pools);
/* HUP, and waits until the broker has said that it did (or did not) take it over. */
void locked_reload(struct locked *locked, bool good);

void locked_connect(struct locked *locked, struct producer *client, uint16_t port, const struct key_pair *key);

#endif
