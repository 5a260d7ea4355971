/* cache_name.h — a host's name becomes an address while the broker goes on: a thread asks, for as long as that takes,
 * and ends by itself. */
#ifndef LINEWARD_CACHE_NAME_H
#define LINEWARD_CACHE_NAME_H

#include <netinet/in.h>
#include <stdbool.h>

enum cache_name_state { CACHE_NAME_ASKED, CACHE_NAME_FOUND, CACHE_NAME_FAILED };

/* Addresses and `localhost` need not be asked for: true, and the address. */
bool cache_name_is_address(const char *host, char out[INET6_ADDRSTRLEN]);

struct cache_name;
/* Begins. NULL: out of memory or of threads. */
struct cache_name *cache_name_new(const char *host);
/* Waits for nothing: a thread that is still asking ends on its own. */
void cache_name_free(struct cache_name **name_p);

/* FOUND: *out is one of its addresses, by `turn` another one, for who could not reach the first.
 * FAILED: *why says why, as long as `name` is there. */
enum cache_name_state cache_name_state(const struct cache_name *name, unsigned turn, char out[INET6_ADDRSTRLEN],
                                       const char **why);

#endif
