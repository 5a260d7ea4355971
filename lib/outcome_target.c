/* outcome_target.c — see outcome_target.h. */
#include "lineward/outcome_target.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "port_text.h"

#define HTTP "http://"

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* An address of either family as 16 bytes; of IPv4 as mapped ones, so that no way of writing it is another address.
 */
struct address {
    uint8_t bytes[16];
};

struct range {
    struct address first;
    unsigned bits;
};

/* What an entry says. */
struct entry {
    bool plain; /* http:// stood before it */
    const char *name;
    bool is_range;
    struct range range;
};

/* ---- addresses ---- */

static bool address_parse(const char *text, struct address *out)
{
    memcpy(out->bytes, mapped_prefix, sizeof mapped_prefix);
    return inet_pton(AF_INET, text, out->bytes + sizeof mapped_prefix) == 1 ||
           inet_pton(AF_INET6, text, out->bytes) == 1;
}

static bool is_v4(const struct address *address)
{
    return memcmp(address->bytes, mapped_prefix, sizeof mapped_prefix) == 0;
}

/* ADDRESS or ADDRESS/BITS. */
static bool range_parse(const char *text, struct range *out)
{
    char address[INET6_ADDRSTRLEN];
    size_t bytes = strcspn(text, "/");
    if (bytes >= sizeof address)
        return false;
    memcpy(address, text, bytes);
    address[bytes] = '\0';
    if (!address_parse(address, &out->first))
        return false;
    unsigned offset = is_v4(&out->first) && strchr(address, ':') == NULL ? 96 : 0;
    out->bits = 128;
    if (text[bytes] == '\0')
        return true;
    const char *digits = text + bytes + 1;
    size_t count = strspn(digits, "0123456789");
    if (count == 0 || count > 3 || digits[count] != '\0')
        return false;
    unsigned value = 0;
    for (size_t i = 0; i < count; i++)
        value = value * 10 + (unsigned)(digits[i] - '0');
    out->bits = offset + value;
    return out->bits <= 128;
}

static bool range_has(const struct range *range, const struct address *address)
{
    size_t whole = range->bits / 8;
    unsigned rest = range->bits % 8;
    if (memcmp(range->first.bytes, address->bytes, whole) != 0)
        return false;
    return rest == 0 || (range->first.bytes[whole] ^ address->bytes[whole]) >> (8 - rest) == 0;
}

/* Of IANA's registries of special purposes: what is no host of the open internet. */
static bool is_public_v4(const uint8_t v4[4])
{
    static const struct {
        uint8_t first[4];
        unsigned bits;
    } special[] = {
        {{0, 0, 0, 0}, 8},      {{10, 0, 0, 0}, 8},     {{100, 64, 0, 0}, 10}, {{127, 0, 0, 0}, 8},
        {{169, 254, 0, 0}, 16}, {{172, 16, 0, 0}, 12},  {{192, 0, 0, 0}, 24},  {{192, 0, 2, 0}, 24},
        {{192, 88, 99, 0}, 24}, {{192, 168, 0, 0}, 16}, {{198, 18, 0, 0}, 15}, {{198, 51, 100, 0}, 24},
        {{203, 0, 113, 0}, 24}, {{224, 0, 0, 0}, 3}, /* multicast, reserved, broadcast */
    };
    struct address address;
    memcpy(address.bytes, mapped_prefix, sizeof mapped_prefix);
    memcpy(address.bytes + sizeof mapped_prefix, v4, 4);
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        struct range range = {.bits = 96 + special[i].bits};
        memcpy(range.first.bytes, mapped_prefix, sizeof mapped_prefix);
        memcpy(range.first.bytes + sizeof mapped_prefix, special[i].first, 4);
        if (range_has(&range, &address))
            return false;
    }
    return true;
}

static bool is_in(const struct address *address, const char *text)
{
    struct range range;
    return range_parse(text, &range) && range_has(&range, address);
}

/* Addresses of version 6 that carry one of version 4 are what that one is. */
static bool is_public(const struct address *address)
{
    if (is_v4(address))
        return is_public_v4(address->bytes + 12);
    if (is_in(address, "64:ff9b::/96"))
        return is_public_v4(address->bytes + 12);
    if (is_in(address, "2002::/16"))
        return is_public_v4(address->bytes + 2);
    return is_in(address, "2000::/3") && !is_in(address, "2001::/23") && !is_in(address, "2001:db8::/32") &&
           !is_in(address, "3fff::/20");
}

/* ---- names ---- */

static bool is_name(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    size_t bytes = strlen(text);
    return bytes > 0 && bytes <= OUTCOME_HOST_MAX && strspn(text, allowed) == bytes && text[0] != '.' &&
           text[0] != '-' && text[bytes - 1] != '.' && strstr(text, "..") == NULL;
}

static bool entry_parse(const char *text, struct entry *out)
{
    out->plain = strncmp(text, HTTP, sizeof HTTP - 1) == 0;
    out->name = out->plain ? text + sizeof HTTP - 1 : text;
    out->is_range = range_parse(out->name, &out->range);
    return out->is_range || is_name(strncmp(out->name, "*.", 2) == 0 ? out->name + 2 : out->name);
}

bool outcome_host_is_valid(const char *entry, const char **why)
{
    struct entry parsed;
    *why = "a name as api.example.com or *.example.com, or addresses as 10.1.0.0/16; http:// before it allows plain "
           "http";
    return entry_parse(entry, &parsed);
}

static bool names(const struct entry *entry, const char *host)
{
    struct address address;
    if (entry->is_range)
        return address_parse(host, &address) && range_has(&entry->range, &address);
    if (strncmp(entry->name, "*.", 2) != 0)
        return strcasecmp(entry->name, host) == 0;
    size_t bytes = strlen(host), tail = strlen(entry->name + 1); /* with its dot */
    return bytes > tail && strcasecmp(host + bytes - tail, entry->name + 1) == 0;
}

bool outcome_host_is_allowed(const char *const *entries, size_t count, const struct outcome_target *target)
{
    for (size_t i = 0; i < count; i++) {
        struct entry entry;
        if (entry_parse(entries[i], &entry) && (entry.plain || !target->plain) && names(&entry, target->host))
            return true;
    }
    return false;
}

bool outcome_address_is_allowed(const char *const *entries, size_t count, const struct sockaddr *address)
{
    struct address at;
    if (address->sa_family == AF_INET) {
        memcpy(at.bytes, mapped_prefix, sizeof mapped_prefix);
        memcpy(at.bytes + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        memcpy(at.bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
    } else {
        return false;
    }
    if (is_public(&at))
        return true;
    for (size_t i = 0; i < count; i++) {
        struct entry entry;
        if (entry_parse(entries[i], &entry) && entry.is_range && range_has(&entry.range, &at))
            return true;
    }
    return false;
}

/* ---- the URL ---- */

static bool is_port(const char *text, size_t bytes)
{
    return port_of_text(text, bytes) > 0;
}

/* HOST or [HOST], and what follows it. */
static bool host_parse(const char *text, struct outcome_target *out, const char **rest)
{
    struct address address;
    bool bracketed = *text == '[';
    size_t bytes = strcspn(text + bracketed, bracketed ? "]" : ":/?");
    if (bytes > OUTCOME_HOST_MAX || (bracketed && text[1 + bytes] != ']'))
        return false;
    memcpy(out->host, text + bracketed, bytes);
    out->host[bytes] = '\0';
    *rest = text + bytes + 2 * (size_t)bracketed;
    return bracketed ? strchr(out->host, ':') != NULL && address_parse(out->host, &address) : is_name(out->host);
}

bool outcome_url_parse(const char *url, struct outcome_target *out, const char **why)
{
    const char *rest = NULL;
    *why = "https://HOST[:PORT][/PATH], without user and fragment";
    out->plain = strncmp(url, HTTP, sizeof HTTP - 1) == 0;
    if (!out->plain && strncmp(url, "https://", 8) != 0)
        return false;
    for (const char *c = url; *c != '\0'; c++) {
        if (*c <= 0x20 || *c > 0x7e || strchr("#\\\"<>^`{|}", *c) != NULL)
            return false;
    }
    if (!host_parse(strchr(url, '/') + 2, out, &rest))
        return false;
    size_t port_bytes = *rest == ':' ? strcspn(rest + 1, "/?") : 0;
    if (*rest == ':' && !is_port(rest + 1, port_bytes))
        return false;
    rest += *rest == ':' ? port_bytes + 1 : 0;
    return *rest == '\0' || *rest == '/' || *rest == '?';
}
