/* fake_redis.c — see fake_redis.h. */
#include "tests/unit/fake_redis.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ARGUMENTS_MAX 32
#define SHA           "0123456789012345678901234567890123456789"

struct argument {
    const char *text;
    size_t bytes;
};

void fake_redis_open(struct fake_redis *fake)
{
    signal(SIGPIPE, SIG_IGN); /* as every program of ours does: hiredis writes to who has just gone */
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memset(fake, 0, sizeof *fake);
    for (size_t i = 0; i < FAKE_PEERS_MAX; i++)
        fake->peers[i].fd = -1;
    snprintf(fake->folder, sizeof fake->folder, "/tmp/lineward-fake-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(fake->folder));
    snprintf(fake->path, sizeof fake->path, "%s/redis.sock", fake->folder);
    memcpy(address.sun_path, fake->path, sizeof fake->path);
    fake->clock_ms = INT64_C(1795428000000);
    fake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fake->listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(fake->listener, FAKE_PEERS_MAX), 0);
}

void fake_redis_forget(struct fake_redis *fake)
{
    while (fake->fact_count > 0)
        cJSON_Delete(fake->facts[--fake->fact_count]);
}

static void end(struct fake_peer *peer)
{
    if (peer->fd >= 0)
        close(peer->fd);
    peer->fd = -1;
    peer->bytes = 0;
    peer->listens = false;
}

void fake_redis_drop(struct fake_redis *fake)
{
    for (size_t i = 0; i < FAKE_PEERS_MAX; i++)
        end(&fake->peers[i]);
}

void fake_redis_close(struct fake_redis *fake)
{
    fake_redis_drop(fake);
    fake_redis_forget(fake);
    close(fake->listener);
    unlink(fake->path);
    rmdir(fake->folder);
}

const cJSON *fake_redis_fact(const struct fake_redis *fake, const char *what, size_t nth)
{
    for (size_t i = 0; i < fake->fact_count; i++) {
        const char *its = cJSON_GetStringValue(cJSON_GetObjectItem(fake->facts[i], "what"));
        if (its != NULL && strcmp(its, what) == 0 && nth-- == 0)
            return fake->facts[i];
    }
    return NULL;
}

/* ---- answers ---- */

static void put(const struct fake_peer *peer, const char *text)
{
    ck_assert_int_eq(send(peer->fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void put_bulk(const struct fake_peer *peer, const char *text)
{
    char head[32];
    snprintf(head, sizeof head, "$%zu\r\n", strlen(text));
    put(peer, head);
    put(peer, text);
    put(peer, "\r\n");
}

static void put_script_answer(const struct fake_redis *fake, const struct fake_peer *peer, const char *members)
{
    char text[8192];
    bool any = members != NULL && *members != '\0';
    snprintf(text, sizeof text, "{\"clock\":%lld%s%s}", (long long)fake->clock_ms, any ? "," : "", any ? members : "");
    put_bulk(peer, text);
}

static void answer_fact(struct fake_redis *fake, struct fake_peer *peer, const struct argument *text,
                        const struct argument *key)
{
    char first[128];
    snprintf(first, sizeof first, "%.*s", (int)key->bytes, key->text);
    if (fake->no_script) {
        put(peer, "-NOSCRIPT No matching script. Please use EVAL.\r\n");
        return;
    }
    cJSON *fact = cJSON_ParseWithLength(text->text, text->bytes);
    const char *what = cJSON_GetStringValue(cJSON_GetObjectItem(fact, "what"));
    const char *of = fake->error_for;
    const char *error = of == NULL || memmem(text->text, text->bytes, of, strlen(of)) != NULL ? fake->error : NULL;
    ck_assert_ptr_nonnull(what);
    if (strcmp(what, "hold") == 0 || strcmp(what, "trial") == 0 || cJSON_GetObjectItem(fact, "after") != NULL) {
        bool holds = strcmp(what, "hold") == 0;
        fake->holds += holds;
        bool reads = cJSON_GetObjectItem(fact, "after") != NULL;
        fake->reads += reads;
        if (reads)
            fake->read_after = cJSON_GetNumberValue(cJSON_GetObjectItem(fact, "after"));
        bool others = fake->held_by_others != NULL && strstr(first, fake->held_by_others) != NULL;
        cJSON_Delete(fact);
        if (error != NULL)
            put(peer, error);
        else if (reads && fake->read != NULL)
            put_script_answer(fake, peer, fake->read);
        else
            put_script_answer(fake, peer, holds && !others && fake->hold != NULL ? fake->hold : "\"refused\":true,\"epoch\":1");
        return;
    }
    ck_assert_uint_lt(fake->fact_count, FAKE_FACTS_MAX);
    cJSON_AddStringToObject(fact, "key", first);
    fake->facts[fake->fact_count++] = fact;
    if (fake->no_facts && strcmp(what, "own") != 0) /* that is told at once whenever the cache is up */
        end(peer);
    else if (error != NULL)
        put(peer, error);
    else
        put_script_answer(fake, peer, fake->answer);
}

static bool is(const struct argument *argument, const char *word)
{
    return argument->bytes == strlen(word) && strncasecmp(argument->text, word, argument->bytes) == 0;
}

static void answer_scan(struct fake_redis *fake, struct fake_peer *peer, const struct argument *cursor)
{
    fake->scans += is(cursor, "0");
    put(peer, "*2\r\n");
    put_bulk(peer, fake->endless ? "1" : "0");
    put(peer, fake->line == NULL ? "*0\r\n" : "*2\r\n");
    if (fake->line == NULL)
        return;
    put_bulk(peer, "12025550100");
    put_bulk(peer, fake->line);
}

static void answer_subscribe(struct fake_peer *peer, const struct argument *channel)
{
    char text[256];
    peer->listens = true;
    snprintf(text, sizeof text, "%.*s", (int)channel->bytes, channel->text);
    put(peer, "*3\r\n");
    put_bulk(peer, "subscribe");
    put_bulk(peer, text);
    put(peer, ":1\r\n");
}

static void obey(struct fake_redis *fake, struct fake_peer *peer, const struct argument *arguments, size_t count)
{
    ck_assert_uint_gt(count, 0);
    if (fake->mute || (fake->mute_listens && (peer->listens || is(&arguments[0], "subscribe"))))
        return;
    if (is(&arguments[0], "ROLE")) {
        put(peer, "*1\r\n");
        put_bulk(peer, "master");
    } else if (is(&arguments[0], "SCRIPT")) {
        put_bulk(peer, SHA);
        fake->no_script = fake->forgets > 0;
        fake->forgets -= fake->forgets > 0;
    } else if (is(&arguments[0], "SUBSCRIBE") && count == 2) {
        answer_subscribe(peer, &arguments[1]);
    } else if (is(&arguments[0], "EVALSHA") && count > 3) {
        answer_fact(fake, peer, &arguments[count - 2], &arguments[3]);
    } else if (is(&arguments[0], "HSCAN") && count > 2) {
        answer_scan(fake, peer, &arguments[2]);
    } else {
        put(peer, "+OK\r\n");
    }
}

/* One whole command out of what has come. Returns its bytes; 0: there is none yet. */
static size_t read_command(const struct fake_peer *peer, struct argument arguments[ARGUMENTS_MAX], size_t *count)
{
    const char *at = peer->in, *end_of = peer->in + peer->bytes;
    const char *line = memchr(at, '\n', peer->bytes);
    if (line == NULL)
        return 0;
    *count = strtoul(at + 1, NULL, 10);
    ck_assert_uint_le(*count, ARGUMENTS_MAX);
    at = line + 1;
    for (size_t i = 0; i < *count; i++) {
        line = memchr(at, '\n', (size_t)(end_of - at));
        if (line == NULL)
            return 0;
        arguments[i] = (struct argument){line + 1, strtoul(at + 1, NULL, 10)};
        if ((size_t)(end_of - line - 1) < arguments[i].bytes + 2)
            return 0;
        at = line + 1 + arguments[i].bytes + 2;
    }
    return (size_t)(at - peer->in);
}

static void serve(struct fake_redis *fake, struct fake_peer *peer)
{
    struct argument arguments[ARGUMENTS_MAX] = {{NULL, 0}};
    size_t count = 0;
    ssize_t got = recv(peer->fd, peer->in + peer->bytes, sizeof peer->in - peer->bytes, MSG_DONTWAIT);
    if (got == 0)
        end(peer);
    if (got <= 0)
        return;
    peer->bytes += (size_t)got;
    for (size_t used; peer->fd >= 0 && (used = read_command(peer, arguments, &count)) > 0;) {
        obey(fake, peer, arguments, count);
        if (peer->fd < 0)
            return;
        memmove(peer->in, peer->in + used, peer->bytes - used);
        peer->bytes -= used;
    }
}

void fake_redis_turn(struct fake_redis *fake)
{
    for (int fd; (fd = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
        size_t i = 0;
        while (i < FAKE_PEERS_MAX && fake->peers[i].fd >= 0)
            i++;
        ck_assert_uint_lt(i, FAKE_PEERS_MAX);
        fake->peers[i].fd = fd;
        fake->connections++;
    }
    for (size_t i = 0; i < FAKE_PEERS_MAX; i++)
        if (fake->peers[i].fd >= 0)
            serve(fake, &fake->peers[i]);
}

void fake_redis_publish(struct fake_redis *fake, const char *account, const char *members)
{
    char text[8192], channel[128];
    snprintf(channel, sizeof channel, "lineward:{%s}:news", account);
    snprintf(text, sizeof text, "{\"clock\":%lld,%s}", (long long)fake->clock_ms, members);
    for (size_t i = 0; i < FAKE_PEERS_MAX; i++) {
        if (fake->peers[i].fd < 0 || !fake->peers[i].listens)
            continue;
        put(&fake->peers[i], "*3\r\n");
        put_bulk(&fake->peers[i], "message");
        put_bulk(&fake->peers[i], channel);
        put_bulk(&fake->peers[i], text);
    }
}
