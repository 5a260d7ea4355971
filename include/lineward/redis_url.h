/* redis_url.h — where the Redis is that brokers share (cache.redis), taken apart. Pure.
 *
 *   redis://[USER@]HOST[:PORT][/DB]                          one
 *   redis+unix://[USER@]/PATH                                one, on this machine
 *   redis+sentinel://[USER@]HOST[:PORT],…/MASTER[/DB]        the master that these Sentinels call so
 *   redis+cluster://[USER@]HOST[:PORT],…                     a Cluster; some of its nodes, the others are asked for
 *
 * HOST is a name, an IPv4 address or an IPv6 one in []. */
#ifndef LINEWARD_REDIS_URL_H
#define LINEWARD_REDIS_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lineward/ids.h"

#define REDIS_HOST_MAX_BYTES 255
#define REDIS_HOSTS_MAX      8
#define REDIS_PATH_MAX_BYTES 107 /* what a socket's address holds */

enum redis_kind { REDIS_ONE, REDIS_UNIX, REDIS_SENTINEL, REDIS_CLUSTER };

struct redis_host {
    char name[REDIS_HOST_MAX_BYTES + 1];
    uint16_t port;
};

struct redis_url {
    enum redis_kind kind;
    char user[NAME_MAX_BYTES + 1]; /* "": the default one */
    struct redis_host hosts[REDIS_HOSTS_MAX];
    size_t host_count;
    char master[NAME_MAX_BYTES + 1];
    char path[REDIS_PATH_MAX_BYTES + 1];
    int db;
};

/* False: it is none, and *why says what would be right; `out` is untouched then. */
bool redis_url_parse(const char *text, struct redis_url *out, const char **why);

#endif
