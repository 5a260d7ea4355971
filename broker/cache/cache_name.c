/* cache_name.c — see cache_name.h. getaddrinfo() has no limit of time and cannot be broken off, so its thread shares
 * what it writes to with who asked, and the last of the two frees it. */
#include "broker/cache/cache_name.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ADDRESSES_MAX 8
#define HOST_ROOM     256

struct cache_name {
    atomic_int owners;
    atomic_int state; /* what is below is written before it says FOUND or FAILED, and not any more after that */
    char host[HOST_ROOM];
    char addresses[ADDRESSES_MAX][INET6_ADDRSTRLEN];
    unsigned count;
    char why[HOST_ROOM + 64];
};

bool cache_name_is_address(const char *host, char out[INET6_ADDRSTRLEN])
{
    struct in6_addr any;
    if (strcmp(host, "localhost") == 0)
        host = "127.0.0.1";
    if (strlen(host) >= INET6_ADDRSTRLEN ||
        (inet_pton(AF_INET, host, &any) != 1 && inet_pton(AF_INET6, host, &any) != 1))
        return false;
    memcpy(out, host, strlen(host) + 1);
    return true;
}

static void let_go(struct cache_name *name)
{
    if (atomic_fetch_sub(&name->owners, 1) == 1)
        free(name);
}

static void take(struct cache_name *name, const struct addrinfo *found)
{
    for (; found != NULL && name->count < ADDRESSES_MAX; found = found->ai_next) {
        char *out = name->addresses[name->count];
        if (getnameinfo(found->ai_addr, found->ai_addrlen, out, INET6_ADDRSTRLEN, NULL, 0, NI_NUMERICHOST) == 0)
            name->count++;
    }
}

static void *ask(void *self)
{
    struct cache_name *name = self;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    int failed = getaddrinfo(name->host, NULL, &hints, &found);
    if (failed == 0) {
        take(name, found);
        freeaddrinfo(found);
    }
    if (name->count == 0)
        snprintf(name->why, sizeof name->why, "the name %s is not found: %s", name->host,
                 failed == 0 ? "it has no address" : gai_strerror(failed));
    atomic_store(&name->state, name->count > 0 ? CACHE_NAME_FOUND : CACHE_NAME_FAILED);
    let_go(name);
    return NULL;
}

struct cache_name *cache_name_new(const char *host)
{
    struct cache_name *name = calloc(1, sizeof *name);
    pthread_t thread;
    if (name == NULL)
        return NULL;
    snprintf(name->host, sizeof name->host, "%s", host);
    atomic_init(&name->owners, 2);
    atomic_init(&name->state, CACHE_NAME_ASKED);
    if (pthread_create(&thread, NULL, ask, name) != 0) {
        free(name);
        return NULL;
    }
    pthread_detach(thread);
    return name;
}

void cache_name_free(struct cache_name **name_p)
{
    struct cache_name *name = *name_p;
    *name_p = NULL;
    if (name != NULL)
        let_go(name);
}

enum cache_name_state cache_name_state(const struct cache_name *name, unsigned turn, char out[INET6_ADDRSTRLEN],
                                       const char **why)
{
    enum cache_name_state state = (enum cache_name_state)atomic_load(&name->state);
    if (state == CACHE_NAME_FOUND)
        memcpy(out, name->addresses[turn % name->count], INET6_ADDRSTRLEN);
    else if (state == CACHE_NAME_FAILED)
        *why = name->why;
    return state;
}
