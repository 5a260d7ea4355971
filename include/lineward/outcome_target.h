/* outcome_target.h — where outcome webhooks may go (docs/protocol.md, Outcome webhooks): the entries of
 * broker.outcome_hosts, a pool's outcome_url, and the addresses that a name turns out to have. Pure.
 *
 * An entry is `[http://]` and a name (`api.example.com`, `*.example.com`: what lies below it), an address, or a range
 * of addresses (`10.1.0.0/16`, `fd00::/8`). A host must be named by one of them. A public address of a named host may
 * be connected to; any other only if an entry names the address itself. Plain http needs an entry that says http. */
#ifndef LINEWARD_OUTCOME_TARGET_H
#define LINEWARD_OUTCOME_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define OUTCOME_HOST_MAX 253

struct outcome_target {
    char host[OUTCOME_HOST_MAX + 1]; /* as written, without brackets */
    bool plain;                      /* http */
};

/* `why`: what would be right. */
bool outcome_host_is_valid(const char *entry, const char **why);
/* https://HOST[:PORT][/PATH][?QUERY], or http; no user, no fragment. */
bool outcome_url_parse(const char *url, struct outcome_target *out, const char **why);

/* Is the target's host named, with its scheme? */
bool outcome_host_is_allowed(const char *const *entries, size_t count, const struct outcome_target *target);
/* May this address be connected to? It is public, or named. */
bool outcome_address_is_allowed(const char *const *entries, size_t count, const struct sockaddr *address);

#endif
