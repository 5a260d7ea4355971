/* accounts.h — where each account's requests go: base address and key, read from the configuration at start. */
#ifndef LINEWARD_ACCOUNTS_H
#define LINEWARD_ACCOUNTS_H

#include "lineward/conf.h"
#include "lineward/err.h"
#include "sender.h"

struct accounts;

/* Reads the key files. Else *problem says which account lacks what; keys are never shown. */
enum err accounts_open(struct accounts **out, const struct conf *conf, struct conf_problem *problem);
void accounts_free(struct accounts **accounts_p);
/* Finds in `next`, which is taken over, from now on; those before stay for requests that still use them. */
void accounts_follow(struct accounts **accounts_p, struct accounts **next_p);
/* No request is under way: lets go of those before. */
void accounts_settle(struct accounts *accounts);

/* NULL: no such account. `base_url` is lent. */
const struct sender_route *accounts_find(const struct accounts *accounts, const char *name, const char **base_url);

#endif
