/* feed_address.c — see feed_address.h. */
#include "broker/feed/feed_address.h"

#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#define HOST_ROOM 256

struct addrinfo *feed_address_resolve(const char *endpoint)
{
    char host[HOST_ROOM];
    const char *colon = strrchr(endpoint, ':');
    bool bracketed = endpoint[0] == '[';
    if (colon == NULL || (bracketed && (colon < endpoint + 2 || colon[-1] != ']')))
        return NULL;
    const char *start = bracketed ? endpoint + 1 : endpoint;
    size_t bytes = (size_t)(colon - start) - bracketed;
    if (bytes >= sizeof host)
        return NULL;
    memcpy(host, start, bytes);
    host[bytes] = '\0';
    bool everywhere = bytes == 0 || strcmp(host, "*") == 0;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    return getaddrinfo(everywhere ? NULL : host, colon + 1, &hints, &found) == 0 ? found : NULL;
}
