/* cache_cluster.c — see cache_cluster.h. */
#include "broker/cache/cache_cluster.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS 16384

/* CRC-16/XMODEM, which the Cluster's specification names. */
uint16_t cache_cluster_slot(const char *tag)
{
    unsigned crc = 0;
    for (const char *c = tag; *c != '\0'; c++) {
        crc ^= (unsigned)(unsigned char)*c << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 0x8000) != 0 ? (crc << 1 ^ 0x1021) & 0xffff : crc << 1 & 0xffff;
    }
    return (uint16_t)(crc % SLOTS);
}

/* No name, or "?", is that of who answers. */
static bool take_host(const char *name, size_t bytes, long port, const struct redis_host *asked,
                      struct redis_host *out)
{
    if (bytes > REDIS_HOST_MAX_BYTES || port <= 0 || port > 65535)
        return false;
    struct redis_host host = {.port = (uint16_t)port};
    if (bytes == 0 || (bytes == 1 && *name == '?'))
        memcpy(host.name, asked->name, sizeof host.name);
    else
        memcpy(host.name, name, bytes);
    *out = host;
    return true;
}

static bool is_integer(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_INTEGER;
}

/* [first slot, last slot, [host, port, …], replicas…] */
static bool range_has(const redisReply *range, uint16_t slot, const struct redis_host *asked, struct redis_host *out)
{
    if (range->type != REDIS_REPLY_ARRAY || range->elements < 3 || !is_integer(range->element[0]) ||
        !is_integer(range->element[1]) || slot < range->element[0]->integer || slot > range->element[1]->integer)
        return false;
    const redisReply *master = range->element[2];
    if (master->type != REDIS_REPLY_ARRAY || master->elements < 2 || !is_integer(master->element[1]))
        return false;
    const redisReply *name = master->element[0];
    bool named = name->type == REDIS_REPLY_STRING;
    return (named || name->type == REDIS_REPLY_NIL) &&
           take_host(named ? name->str : "", named ? name->len : 0, (long)master->element[1]->integer, asked, out);
}

bool cache_cluster_find(const redisReply *slots, uint16_t slot, const struct redis_host *asked,
                        struct redis_host *out)
{
    if (slots->type != REDIS_REPLY_ARRAY)
        return false;
    for (size_t i = 0; i < slots->elements; i++)
        if (range_has(slots->element[i], slot, asked, out))
            return true;
    return false;
}

/* "SLOT HOST:PORT" */
static bool read_target(const char *text, const struct redis_host *asked, struct redis_host *out)
{
    char *end;
    const char *host = text + strspn(text, "0123456789");
    const char *colon = strrchr(text, ':');
    if (host == text || *host != ' ' || colon == NULL || colon < host)
        return false;
    host++;
    long port = strtol(colon + 1, &end, 10);
    return end != colon + 1 && *end == '\0' && take_host(host, (size_t)(colon - host), port, asked, out);
}

enum cache_redirect cache_cluster_redirect(const char *error, const struct redis_host *asked, struct redis_host *out)
{
    if (strncmp(error, "MOVED ", 6) == 0 && read_target(error + 6, asked, out))
        return CACHE_MOVED;
    if (strncmp(error, "ASK ", 4) == 0 && read_target(error + 4, asked, out))
        return CACHE_ASK;
    return strncmp(error, "TRYAGAIN", 8) == 0 ? CACHE_AGAIN : CACHE_STAYS;
}
