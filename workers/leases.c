/* leases.c — a hash table by lease and three queues; see leases.h. */
#include "leases.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

LIST_HEAD(bucket, lease);

struct leases {
    struct bucket *buckets;
    size_t bucket_mask;
    size_t max, count, in_hand_count;
    struct lease_queue in_hand, to_say, said;
};

struct leases *leases_new(size_t max)
{
    size_t bucket_count = 64;
    while (bucket_count < max && bucket_count < 4096)
        bucket_count *= 2;
    struct leases *leases = calloc(1, sizeof *leases);
    if (leases == NULL || (leases->buckets = calloc(bucket_count, sizeof *leases->buckets)) == NULL) {
        free(leases);
        return NULL;
    }
    leases->bucket_mask = bucket_count - 1;
    leases->max = max;
    TAILQ_INIT(&leases->in_hand);
    TAILQ_INIT(&leases->to_say);
    TAILQ_INIT(&leases->said);
    return leases;
}

static void free_queue(struct lease_queue *queue)
{
    struct lease *lease = NULL;
    while ((lease = TAILQ_FIRST(queue)) != NULL) {
        TAILQ_REMOVE(queue, lease, place);
        free(lease->result);
        free(lease);
    }
}

void leases_free(struct leases **leases_p)
{
    struct leases *leases = *leases_p;
    if (leases == NULL)
        return;
    free_queue(&leases->in_hand);
    free_queue(&leases->to_say);
    free_queue(&leases->said);
    free(leases->buckets);
    free(leases);
    *leases_p = NULL;
}

static struct bucket *bucket_of(const struct leases *leases, const char *id)
{
    return &leases->buckets[XXH3_64bits(id, strlen(id)) & leases->bucket_mask];
}

struct lease *leases_find(const struct leases *leases, const char *id)
{
    struct lease *lease = NULL;
    LIST_FOREACH(lease, bucket_of(leases, id), same_bucket)
    {
        if (strcmp(lease->id, id) == 0)
            return lease;
    }
    return NULL;
}

struct lease *leases_add(struct leases *leases, const char *id)
{
    if (strlen(id) >= LEASE_TEXT_MAX || leases->count == leases->max || leases_find(leases, id) != NULL)
        return NULL;
    struct lease *lease = calloc(1, sizeof *lease);
    if (lease == NULL)
        return NULL;
    memcpy(lease->id, id, strlen(id) + 1);
    lease->phase = LEASE_WAITING;
    lease->said_mono_ms = -1;
    LIST_INSERT_HEAD(bucket_of(leases, id), lease, same_bucket);
    TAILQ_INSERT_TAIL(&leases->in_hand, lease, place);
    leases->count++;
    leases->in_hand_count++;
    return lease;
}

static struct lease_queue *queue_of(struct leases *leases, const struct lease *lease)
{
    if (lease->phase != LEASE_ANSWERED)
        return &leases->in_hand;
    return lease->said_mono_ms < 0 ? &leases->to_say : &leases->said;
}

void leases_remove(struct leases *leases, struct lease *lease)
{
    TAILQ_REMOVE(queue_of(leases, lease), lease, place);
    LIST_REMOVE(lease, same_bucket);
    leases->count--;
    if (lease->phase != LEASE_ANSWERED)
        leases->in_hand_count--;
    free(lease->result);
    free(lease);
}

void lease_begin(struct lease *lease)
{
    assert(lease->phase != LEASE_ANSWERED);
    lease->phase = LEASE_BEGUN;
}

void leases_answer(struct leases *leases, struct lease *lease, char *result, size_t bytes)
{
    assert(lease->phase != LEASE_ANSWERED);
    TAILQ_REMOVE(&leases->in_hand, lease, place);
    leases->in_hand_count--;
    lease->phase = LEASE_ANSWERED;
    lease->send = NULL;
    lease->result = result;
    lease->result_bytes = bytes;
    lease->said_mono_ms = -1;
    TAILQ_INSERT_TAIL(&leases->to_say, lease, place);
}

struct lease *leases_to_say(const struct leases *leases)
{
    return TAILQ_FIRST(&leases->to_say);
}

void leases_said(struct leases *leases, struct lease *lease, int64_t now_mono_ms)
{
    TAILQ_REMOVE(&leases->to_say, lease, place);
    lease->said_mono_ms = now_mono_ms;
    TAILQ_INSERT_TAIL(&leases->said, lease, place);
}

void leases_say_again(struct leases *leases, int64_t said_mono_ms)
{
    struct lease *lease = NULL;
    while ((lease = TAILQ_FIRST(&leases->said)) != NULL && lease->said_mono_ms <= said_mono_ms) {
        TAILQ_REMOVE(&leases->said, lease, place);
        lease->said_mono_ms = -1;
        TAILQ_INSERT_TAIL(&leases->to_say, lease, place);
    }
}

int64_t leases_oldest_said_mono_ms(const struct leases *leases)
{
    const struct lease *lease = TAILQ_FIRST(&leases->said);
    return lease != NULL ? lease->said_mono_ms : INT64_MAX;
}

size_t leases_count(const struct leases *leases)
{
    return leases->count;
}

size_t leases_in_hand(const struct leases *leases)
{
    return leases->in_hand_count;
}

struct lease *leases_first_in_hand(const struct leases *leases)
{
    return TAILQ_FIRST(&leases->in_hand);
}

struct lease *leases_next_in_hand(const struct lease *lease)
{
    return TAILQ_NEXT(lease, place);
}

void leases_each_named(const struct leases *leases, void (*visit)(void *context, const struct lease *lease),
                       void *context)
{
    const struct lease *lease = NULL;
    TAILQ_FOREACH(lease, &leases->in_hand, place)
    {
        if (lease->phase == LEASE_BEGUN)
            visit(context, lease);
    }
    TAILQ_FOREACH(lease, &leases->said, place)
    {
        visit(context, lease);
    }
    TAILQ_FOREACH(lease, &leases->to_say, place)
    {
        visit(context, lease);
    }
}
