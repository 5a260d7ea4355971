/* replies.c — see replies.h. What waits lies in lanes, one a peer; ROUTER sockets do not tell when a peer has room
 * again, so it is asked: often while something moves, more and more seldom while nothing does.
 *
 * libzmq's queues count messages, and a thousand large ones are gigabytes: so the bytes of large replies are counted
 * until they have left, and what is too much for one peer waits here, where it is bounded. */
#include "broker/edge/replies.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/log.h"

#define PAUSE_MAX_MS   64
#define PEER_BYTES_MAX 256
#define LARGE_BYTES    16384 /* a thousand smaller ones are no harm */

struct waiting {
    struct waiting *next;
    size_t count, bytes;
    struct frame frames[]; /* into the bytes behind them */
};

struct lane {
    struct lane *next;
    struct waiting *first, **last;
    size_t bytes, id_bytes;
    int64_t moved_ms; /* when it last took something, or began to wait */
    uint8_t id[PEER_BYTES_MAX];
};

/* Bytes of large replies that have not left yet, by bucket of their peer. Those under way may outlive `replies`. */
struct flight {
    atomic_size_t bytes[REPLIES_BUCKETS];
    atomic_size_t users;
};

struct large {
    struct flight *flight;
    size_t bucket, bytes;
};

struct replies {
    void *socket;
    struct flight *flight;
    const char *name;
    struct lane *buckets[REPLIES_BUCKETS];
    size_t bytes, lanes;
    int64_t now_ms, next_ms, pause_ms;
    uint64_t dropped;
};

struct replies *replies_new(void *socket, const char *name)
{
    struct replies *replies = calloc(1, sizeof *replies);
    struct flight *flight = calloc(1, sizeof *flight);
    if (replies == NULL || flight == NULL) {
        free(replies);
        free(flight);
        return NULL;
    }
    atomic_store(&flight->users, 1);
    replies->flight = flight;
    replies->socket = socket;
    replies->name = name;
    return replies;
}

/* ---- lanes ---- */

size_t replies_bucket(struct frame peer)
{
    uint32_t hash = 2166136261u; /* FNV-1a: ids are ZeroMQ's own or those of authorised peers */
    for (size_t i = 0; i < peer.bytes; i++)
        hash = (hash ^ ((const uint8_t *)peer.data)[i]) * 16777619u;
    return hash % REPLIES_BUCKETS;
}

static struct lane **place_of(struct replies *replies, struct frame peer)
{
    struct lane **link = &replies->buckets[replies_bucket(peer)];
    while (*link != NULL && ((*link)->id_bytes != peer.bytes || memcmp((*link)->id, peer.data, peer.bytes) != 0))
        link = &(*link)->next;
    return link;
}

static size_t remove_first(struct replies *replies, struct lane *lane)
{
    struct waiting *waiting = lane->first;
    size_t bytes = waiting->bytes;
    lane->first = waiting->next;
    lane->bytes -= bytes;
    replies->bytes -= bytes;
    free(waiting);
    return bytes;
}

/* Takes the lane out, with what is left in it. */
static void remove_lane(struct replies *replies, struct lane **link)
{
    struct lane *lane = *link;
    while (lane->first != NULL)
        remove_first(replies, lane);
    *link = lane->next;
    replies->lanes--;
    free(lane);
}

static void let_go(struct flight *flight)
{
    if (atomic_fetch_sub(&flight->users, 1) == 1)
        free(flight);
}

void replies_free(struct replies **replies_p)
{
    struct replies *replies = *replies_p;
    *replies_p = NULL;
    if (replies == NULL)
        return;
    for (size_t b = 0; b < REPLIES_BUCKETS; b++)
        while (replies->buckets[b] != NULL)
            remove_lane(replies, &replies->buckets[b]);
    let_go(replies->flight);
    free(replies);
}

/* ---- sending ---- */

static enum err drop(struct replies *replies, const char *why)
{
    if (replies->dropped++ == 0)
        log_event(LOG_WARN, "reply_dropped", "socket=%s reason=\"%s\"", replies->name, why);
    return ERR_FULL;
}

static struct waiting *copy(const struct frame *frames, size_t count)
{
    size_t bytes = sizeof(struct waiting) + count * sizeof *frames;
    for (size_t i = 0; i < count; i++)
        bytes += frames[i].bytes;
    struct waiting *waiting = malloc(bytes);
    if (waiting == NULL)
        return NULL;
    char *to = (char *)&waiting->frames[count];
    for (size_t i = 0; i < count; i++) {
        waiting->frames[i] = (struct frame){to, frames[i].bytes};
        if (frames[i].bytes > 0)
            memcpy(to, frames[i].data, frames[i].bytes);
        to += frames[i].bytes;
    }
    waiting->next = NULL;
    waiting->count = count;
    waiting->bytes = bytes;
    return waiting;
}

static struct lane *lane_for(struct replies *replies, struct frame peer)
{
    struct lane **link = place_of(replies, peer);
    if (*link != NULL || peer.bytes > PEER_BYTES_MAX)
        return *link;
    struct lane *lane = calloc(1, sizeof *lane);
    if (lane == NULL)
        return NULL;
    memcpy(lane->id, peer.data, peer.bytes);
    lane->id_bytes = peer.bytes;
    lane->last = &lane->first;
    lane->moved_ms = replies->now_ms;
    if (replies->lanes++ == 0) {
        replies->pause_ms = 1;
        replies->next_ms = replies->now_ms + 1;
    }
    *link = lane;
    return lane;
}

static enum err keep(struct replies *replies, const struct frame *frames, size_t count)
{
    struct waiting *waiting = copy(frames, count);
    struct lane *lane = waiting == NULL ? NULL : lane_for(replies, frames[0]);
    bool fits = lane != NULL && replies->bytes + waiting->bytes <= REPLIES_BYTES_MAX &&
                lane->bytes + waiting->bytes <= REPLIES_PEER_BYTES_MAX;
    if (!fits) {
        free(waiting);
        if (lane != NULL && lane->first == NULL)
            remove_lane(replies, place_of(replies, frames[0]));
        return drop(replies, lane == NULL ? "out of memory" : "its peers do not read");
    }
    *lane->last = waiting;
    lane->last = &waiting->next;
    lane->bytes += waiting->bytes;
    replies->bytes += waiting->bytes;
    return ERR_NONE;
}

/* On whatever thread libzmq lets go of it. */
static void large_gone(void *self)
{
    struct large *large = self;
    atomic_fetch_sub(&large->flight->bytes[large->bucket], large->bytes);
    let_go(large->flight);
    free(large);
}

static enum err send_large(struct replies *replies, const struct frame *frames, size_t count, size_t bytes)
{
    struct flight *flight = replies->flight;
    size_t bucket = replies_bucket(frames[0]);
    size_t before = atomic_load(&flight->bytes[bucket]);
    if (before > 0 && before + bytes > REPLIES_FLIGHT_BYTES_MAX)
        return ERR_BUSY;
    struct large *large = malloc(sizeof *large);
    if (large == NULL)
        return ERR_NO_MEMORY;
    *large = (struct large){flight, bucket, bytes};
    atomic_fetch_add(&flight->bytes[bucket], bytes);
    atomic_fetch_add(&flight->users, 1);
    enum err err = message_send_watched(replies->socket, frames, count, large_gone, large);
    if (err != ERR_NONE)
        large_gone(large);
    return err;
}

static enum err send_now(struct replies *replies, const struct frame *frames, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += frames[i].bytes;
    enum err err = bytes < LARGE_BYTES ? message_send(replies->socket, frames, count)
                                       : send_large(replies, frames, count, bytes);
    return err == ERR_NO_MEMORY ? ERR_BUSY : err; /* a moment later there may be some */
}

enum err replies_try(struct replies *replies, const struct frame *frames, size_t count)
{
    if (replies->lanes > 0 && *place_of(replies, frames[0]) != NULL)
        return ERR_BUSY;
    return send_now(replies, frames, count);
}

enum err replies_send(struct replies *replies, const struct frame *frames, size_t count)
{
    enum err err = replies_try(replies, frames, count);
    return err == ERR_BUSY ? keep(replies, frames, count) : err;
}

/* ---- trying again ---- */

/* Sends until the peer takes no more. False: there is nothing left to wait for, or nobody. */
static bool still_waits(struct replies *replies, struct lane *lane)
{
    while (lane->first != NULL) {
        enum err err = send_now(replies, lane->first->frames, lane->first->count);
        if (err != ERR_NONE && err != ERR_BUSY)
            return false;
        if (err == ERR_BUSY)
            break;
        remove_first(replies, lane);
        lane->moved_ms = replies->now_ms;
    }
    if (lane->first == NULL || replies->now_ms - lane->moved_ms < REPLIES_STUCK_MS)
        return lane->first != NULL;
    log_event(LOG_WARN, "peer_stuck", "socket=%s waited_ms=%d bytes_dropped=%zu", replies->name, REPLIES_STUCK_MS,
              lane->bytes);
    replies->dropped++;
    return false;
}

bool replies_is_behind(struct replies *replies, struct frame peer)
{
    const struct lane *lane = replies->lanes == 0 ? NULL : *place_of(replies, peer);
    return lane != NULL && lane->bytes >= REPLIES_BEHIND_BYTES;
}

void replies_retry(struct replies *replies, struct instant now)
{
    replies->now_ms = now.mono_ms;
    if (replies->lanes == 0 || now.mono_ms < replies->next_ms)
        return;
    size_t before = replies->bytes;
    for (size_t b = 0; b < REPLIES_BUCKETS; b++) {
        struct lane **link = &replies->buckets[b];
        while (*link != NULL) {
            if (still_waits(replies, *link))
                link = &(*link)->next;
            else
                remove_lane(replies, link);
        }
    }
    bool moved = replies->bytes < before;
    replies->pause_ms = moved ? 1 : replies->pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : replies->pause_ms * 2;
    replies->next_ms = now.mono_ms + replies->pause_ms;
}

int64_t replies_next_mono_ms(const struct replies *replies)
{
    return replies->lanes == 0 ? TIME_NEVER : replies->next_ms;
}

uint64_t replies_dropped(const struct replies *replies)
{
    return replies->dropped;
}
