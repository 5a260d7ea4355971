/* conf_endpoint.c — addresses in the configuration: which are well formed, and which stay on this machine. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "conf_read.h"
#include "lineward/redis_url.h"
#include "port_text.h"

#define HOST_MAX 255

/* HOST, [HOST] or HOST:PORT up to one of "/?#" or the end. */
struct authority {
    char host[HOST_MAX + 1];
    const char *port; /* behind the colon; NULL: none */
    size_t port_bytes;
    const char *rest; /* what follows */
};

/* An IPv6 address, with its interface behind a `%` if it needs one. */
static bool is_v6(const char *host)
{
    struct in6_addr address;
    char text[INET6_ADDRSTRLEN];
    size_t bytes = strcspn(host, "%");
    if (bytes >= sizeof text)
        return false;
    memcpy(text, host, bytes);
    text[bytes] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

static bool authority_parse(const char *text, struct authority *out)
{
    size_t bytes = strcspn(text, "/?#");
    const char *host = text;
    size_t host_bytes = strcspn(text, ":/?#");
    size_t used = host_bytes;
    if (*text == '[') {
        const char *close = memchr(text, ']', bytes);
        if (close == NULL)
            return false;
        host = text + 1;
        host_bytes = (size_t)(close - host);
        used = host_bytes + 2;
    }
    if (host_bytes == 0 || host_bytes > HOST_MAX || (used < bytes && text[used] != ':'))
        return false;
    memcpy(out->host, host, host_bytes);
    out->host[host_bytes] = '\0';
    out->port = used < bytes ? text + used + 1 : NULL;
    out->port_bytes = used < bytes ? bytes - used - 1 : 0;
    out->rest = text + bytes;
    return *text != '[' || is_v6(out->host);
}

static bool is_loopback_host(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (strcasecmp(host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    if (inet_pton(AF_INET6, host, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
    return false;
}

bool conf_endpoint_is_local(const char *endpoint)
{
    struct authority authority;
    if (strncmp(endpoint, "ipc://", 6) == 0 || strncmp(endpoint, "inproc://", 9) == 0)
        return true;
    const char *scheme_end = strstr(endpoint, "://");
    const char *at = scheme_end != NULL ? scheme_end + 3 : endpoint;
    /* `user@` would put the host elsewhere, `;` lets ZeroMQ name two addresses: neither is taken for local */
    if (strpbrk(at, "@;\\") != NULL || !authority_parse(at, &authority))
        return false;
    return is_loopback_host(authority.host);
}

/* Names, IPv4 and IPv6 addresses; `*` where one listens everywhere. */
static bool is_host(const char *host)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:%";
    return strcmp(host, "*") == 0 || host[strspn(host, allowed)] == '\0';
}

/* 0 lets the system choose. */
static bool is_port(const char *text, size_t bytes)
{
    return port_of_text(text, bytes) >= 0;
}

bool conf_host_port_is_valid(const char *text, const char **why)
{
    struct authority authority;
    *why = "HOST:PORT, as 127.0.0.1:7781";
    return authority_parse(text, &authority) && is_host(authority.host) && *authority.rest == '\0' &&
           is_port(authority.port, authority.port_bytes);
}

bool conf_endpoint_is_valid(const char *text, const char **why)
{
    struct authority authority;
    *why = "tcp://HOST:PORT (a name or an IPv4 address) or ipc://PATH, at most 107 bytes of path";
    if (strncmp(text, "ipc://", 6) == 0) {
        size_t bytes = strlen(text + 6);
        return bytes > 0 && bytes < sizeof((struct sockaddr_un *)0)->sun_path;
    }
    /* our sockets speak no IPv6: one that is told to would not listen, or try to connect for ever */
    if (strncmp(text, "tcp://", 6) != 0 || text[6] == '[' || !authority_parse(text + 6, &authority))
        return false;
    bool any_port = authority.port_bytes == 1 && *authority.port == '*';
    return is_host(authority.host) && *authority.rest == '\0' &&
           (any_port || is_port(authority.port, authority.port_bytes));
}

bool conf_listener_is_valid(const char *text, const char **why)
{
    static const char name[] = "tcp://localhost:";
    if (!conf_endpoint_is_valid(text, why))
        return false;
    *why = "tcp://127.0.0.1:PORT, for ZeroMQ listens at addresses, *, and interfaces, but at no name";
    return strncasecmp(text, name, sizeof name - 1) != 0;
}

bool conf_address_is_valid(const char *text, const char **why)
{
    struct authority authority;
    if (!conf_endpoint_is_valid(text, why))
        return false;
    *why = "an address to connect to, as tcp://10.0.0.1:7710: no *, no port 0, at most 255 bytes";
    if (strlen(text) > CONF_ADDRESS_MAX)
        return false;
    if (strncmp(text, "tcp://", 6) != 0)
        return true;
    return authority_parse(text + 6, &authority) && *authority.host != '*' &&
           port_of_text(authority.port, authority.port_bytes) > 0;
}

bool conf_base_url_is_valid(const char *text, const char **why)
{
    struct authority authority;
    bool is_http = strncmp(text, "http://", 7) == 0;
    *why = "https://HOST[:PORT][/PATH]";
    if ((!is_http && strncmp(text, "https://", 8) != 0) || !authority_parse(strchr(text, '/') + 2, &authority))
        return false;
    if (!is_host(authority.host) || *authority.host == '*' || strpbrk(authority.rest, "?#\\") != NULL)
        return false;
    if (authority.port != NULL && port_of_text(authority.port, authority.port_bytes) <= 0)
        return false;
    for (const char *c = authority.rest; *c != '\0'; c++) {
        if (*c <= 0x20 || *c > 0x7e)
            return false;
    }
    *why = "https, for http is allowed to loopback only";
    return !is_http || conf_endpoint_is_local(text);
}

bool conf_redis_url_is_valid(const char *text, const char **why)
{
    struct redis_url url;
    return redis_url_parse(text, &url, why);
}
