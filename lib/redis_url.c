/* redis_url.c — see redis_url.h. */
#include "lineward/redis_url.h"

#include <stdio.h>
#include <string.h>

#include "port_text.h"

#define REDIS_PORT    6379
#define SENTINEL_PORT 26379
#define DB_MAX        65535

static const struct scheme {
    const char *text;
    enum redis_kind kind;
    uint16_t port;
} schemes[] = {
    {"redis://", REDIS_ONE, REDIS_PORT},
    {"redis+unix://", REDIS_UNIX, 0},
    {"redis+sentinel://", REDIS_SENTINEL, SENTINEL_PORT},
    {"redis+cluster://", REDIS_CLUSTER, REDIS_PORT},
};

/* `bytes` of `text`; false: too many or none. */
static bool take(char *out, size_t room, const char *text, size_t bytes)
{
    if (bytes == 0 || bytes >= room)
        return false;
    memcpy(out, text, bytes);
    out[bytes] = '\0';
    return true;
}

static bool take_host(struct redis_host *out, const char *text, size_t bytes, uint16_t port)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    static const char allowed_v6[] = "abcdefABCDEF0123456789:.%";
    const char *end = text + bytes, *name = text, *name_end;
    if (bytes > 0 && *text == '[') {
        name++;
        name_end = memchr(text, ']', bytes);
    } else {
        name_end = memchr(text, ':', bytes);
        name_end = name_end == NULL ? end : name_end;
    }
    if (name_end == NULL || !take(out->name, sizeof out->name, name, (size_t)(name_end - name)))
        return false;
    if (out->name[strspn(out->name, name == text ? allowed : allowed_v6)] != '\0')
        return false;
    const char *rest = name == text ? name_end : name_end + 1;
    out->port = port;
    if (rest == end)
        return true;
    int said = *rest == ':' ? port_of_text(rest + 1, (size_t)(end - rest - 1)) : -1;
    out->port = (uint16_t)said;
    return said > 0;
}

/* HOST,HOST up to a slash or the end; returns what follows, NULL: not well formed. */
static const char *take_hosts(struct redis_url *out, const char *text, uint16_t port)
{
    for (;;) {
        size_t bytes = strcspn(text, ",/");
        if (out->host_count == REDIS_HOSTS_MAX || !take_host(&out->hosts[out->host_count], text, bytes, port))
            return NULL;
        out->host_count++;
        text += bytes;
        if (*text != ',')
            return text;
        text++;
    }
}

/* "", "/" or "/7" */
static bool take_db(struct redis_url *out, const char *text)
{
    if (*text == '\0' || strcmp(text, "/") == 0)
        return true;
    out->db = port_of_text(text + 1, strlen(text + 1));
    return out->db >= 0 && out->db <= DB_MAX;
}

static bool take_master(struct redis_url *out, const char *text)
{
    if (*text != '/')
        return false;
    size_t bytes = strcspn(text + 1, "/");
    return take(out->master, sizeof out->master, text + 1, bytes) && name_is_valid(out->master) &&
           take_db(out, text + 1 + bytes);
}

static const struct scheme *scheme_of(const char *text)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strncmp(text, schemes[i].text, strlen(schemes[i].text)) == 0)
            return &schemes[i];
    return NULL;
}

/* USER@ before the host or the path; *rest is what follows. */
static bool take_user(struct redis_url *out, const char **rest, const char **why)
{
    size_t bytes = strcspn(*rest, "@/");
    if ((*rest)[bytes] != '@')
        return true;
    /* a configuration file is read by more people than a password should be */
    *why = "an address without a password: that belongs into cache.redis_password_file";
    if (memchr(*rest, ':', bytes) != NULL)
        return false;
    *why = "a user of 1 to 64 letters, digits, _ . - before the @";
    if (!take(out->user, sizeof out->user, *rest, bytes) || !name_is_valid(out->user))
        return false;
    *rest += bytes + 1;
    return true;
}

static bool take_rest(struct redis_url *out, const char *rest, uint16_t port, const char **why)
{
    switch (out->kind) {
    case REDIS_UNIX:
        *why = "redis+unix:///PATH, at most 107 bytes of path";
        return *rest == '/' && take(out->path, sizeof out->path, rest, strlen(rest));
    case REDIS_ONE:
        *why = "redis://HOST:PORT/DB";
        rest = take_hosts(out, rest, port);
        return rest != NULL && out->host_count == 1 && take_db(out, rest);
    case REDIS_SENTINEL:
        *why =
            "redis+sentinel://HOST:PORT,HOST:PORT/MASTER, at most 8 Sentinels and the name that they give the master";
        rest = take_hosts(out, rest, port);
        return rest != NULL && take_master(out, rest);
    case REDIS_CLUSTER:
        *why = "redis+cluster://HOST:PORT,HOST:PORT, at most 8 of its nodes and no database";
        rest = take_hosts(out, rest, port);
        return rest != NULL && *rest == '\0';
    }
    return false;
}

bool redis_url_parse(const char *text, struct redis_url *out, const char **why)
{
    struct redis_url url = {0};
    const struct scheme *scheme = scheme_of(text);
    *why = "redis://, for Lineward speaks no TLS to Redis: stunnel can (operations.md, TLS to Redis)";
    if (strncmp(text, "rediss://", 9) == 0)
        return false;
    *why = "redis://, redis+sentinel://, redis+cluster:// or redis+unix:// and an address";
    if (scheme == NULL || text[strlen(scheme->text)] == '\0')
        return false;
    const char *rest = text + strlen(scheme->text);
    url.kind = scheme->kind;
    if (!take_user(&url, &rest, why) || !take_rest(&url, rest, scheme->port, why))
        return false;
    *out = url;
    return true;
}
