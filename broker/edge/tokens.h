/* tokens.h — who may call the admin API, and as what (PROTOCOL, Admin API). The file has one line a token:
 *
 *     name role pools blake2b-256-hex      # role producer|viewer|operator|admin; pools `*` or a comma list
 *
 * Only hashes are kept, on disk and in memory. Any thread may ask; loading and reloading are the owner's. */
#ifndef LINEWARD_EDGE_TOKENS_H
#define LINEWARD_EDGE_TOKENS_H

#include <stdbool.h>
#include <stddef.h>

#include "lineward/conf.h"
#include "lineward/err.h"
#include "lineward/ids.h"

#define TOKEN_BYTES_MAX 256 /* of a token as sent; longer ones are nobody's */

enum role { ROLE_PRODUCER, ROLE_VIEWER, ROLE_OPERATOR, ROLE_ADMIN, ROLE_COUNT };
const char *role_name(enum role role); /* never NULL */

struct grant { /* what a token allows; owns `pools` */
    char name[NAME_MAX_BYTES + 1];
    enum role role;
    char *pools; /* comma list; NULL: all */
};
void grant_free(struct grant *grant);

struct tokens;

struct tokens_problem {
    char text[512]; /* "tokens:3: ... ", for a person; never holds a token */
};

/* Reads the file. If there is none, makes one with a first admin token, written in plain to PATH.first (0600), and
 * sets *made_first. ERR_BAD_INPUT: a line is wrong; ERR_IO; ERR_NO_MEMORY: *problem says. */
enum err tokens_open(struct tokens **out, const char *path, bool *made_first, struct tokens_problem *problem);
void tokens_free(struct tokens **tokens_p);
/* At SIGHUP: reads the file at `path`, which may be another one now, and keeps what it says for tokens_commit(). */
enum err tokens_prepare(struct tokens *tokens, const char *path, struct tokens_problem *problem);
/* What was prepared is in force from now on; nothing prepared: nothing happens. */
void tokens_commit(struct tokens *tokens);

/* Grows with each commit: who keeps a grant for long asks whether it is of the present file. */
unsigned tokens_generation(const struct tokens *tokens);

/* Whose token is this? Takes the same time whichever it is. True: *out is the caller's, grant_free(). */
bool tokens_find(struct tokens *tokens, const char *token, struct grant *out);

#endif
