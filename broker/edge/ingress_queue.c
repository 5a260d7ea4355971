/* ingress_queue.c — large requests, a slice a turn. A request may be 8 MiB of JSON, which takes longer to read than
 * others should have to wait: so a large ENQUEUE waits in its peer's queue, the queues take turns, and each turn
 * reads a slice of the first request. What the same peer asks meanwhile waits behind it, so that its requests are
 * carried out in the order sent; nobody else's do. */
#include "broker/edge/ingress_request.h"

#include <stdlib.h>
#include <string.h>

#define MESSAGE_BYTES 8192 /* what a waiting message takes besides its frames' bytes */
#define FRAME_BYTES   64

struct pending {
    struct pending *next; /* of the same peer */
    struct message *message;
    struct request head; /* who asks; no slot of ingress->requests yet */
    enum ask ask;
    size_t first, bytes;
    char *pools;             /* that the peer may see; NULL: all */
    struct request *request; /* ENQUEUE, begun; NULL: not begun */
    struct enqueuing at;
};

struct peer_queue {
    struct peer_queue *next;
    struct pending *first, **last;
    size_t bytes;
};

static bool same_peer(const struct request *a, const struct request *b)
{
    return a->peer_bytes == b->peer_bytes && memcmp(a->peer, b->peer, a->peer_bytes) == 0;
}

static struct peer_queue *queue_of(const struct ingress *ingress, const struct request *head)
{
    for (struct peer_queue *queue = ingress->queues_first; queue != NULL; queue = queue->next)
        if (same_peer(&queue->first->head, head))
            return queue;
    return NULL;
}

bool ingress_must_queue(const struct ingress *ingress, const struct request *head, enum ask ask)
{
    return (ask == ASK_ENQUEUE && message_bytes(ingress->message) > INGRESS_SLICE_BYTES) ||
           (ingress->queues_first != NULL && queue_of(ingress, head) != NULL);
}

static void free_pending(struct pending *pending)
{
    message_free(&pending->message);
    free(pending->pools);
    free(pending);
}

/* The message goes into it; ingress has a new one. */
static struct pending *new_pending(struct ingress *ingress, const struct request *head, enum ask ask, size_t first)
{
    struct pending *pending = calloc(1, sizeof *pending);
    struct message *message = message_new();
    char *pools = ingress->pools == NULL ? NULL : strdup(ingress->pools);
    if (pending == NULL || message == NULL || (ingress->pools != NULL && pools == NULL)) {
        free(pending);
        free(pools);
        message_free(&message);
        return NULL;
    }
    *pending =
        (struct pending){.message = ingress->message, .head = *head, .ask = ask, .first = first, .pools = pools};
    pending->bytes =
        message_bytes(pending->message) + message_frame_count(pending->message) * FRAME_BYTES + MESSAGE_BYTES;
    ingress->message = message;
    return pending;
}

static struct peer_queue *add_queue(struct ingress *ingress)
{
    struct peer_queue *queue = calloc(1, sizeof *queue);
    if (queue == NULL)
        return NULL;
    queue->last = &queue->first;
    *ingress->queues_last = queue;
    ingress->queues_last = &queue->next;
    return queue;
}

bool ingress_queue(struct ingress *ingress, const struct request *head, enum ask ask, size_t first)
{
    struct peer_queue *queue = queue_of(ingress, head);
    size_t bytes = message_bytes(ingress->message) + message_frame_count(ingress->message) * FRAME_BYTES;
    if (ingress->queued_bytes + bytes > INGRESS_QUEUED_BYTES_MAX ||
        (queue != NULL && queue->bytes + bytes > INGRESS_PEER_QUEUED_BYTES_MAX))
        return false;
    struct pending *pending = new_pending(ingress, head, ask, first);
    if (pending == NULL)
        return false;
    if (queue == NULL && (queue = add_queue(ingress)) == NULL) {
        message_free(&ingress->message);
        ingress->message = pending->message;
        pending->message = NULL;
        free_pending(pending);
        return false;
    }
    *queue->last = pending;
    queue->last = &pending->next;
    queue->bytes += pending->bytes;
    ingress->queued_bytes += pending->bytes;
    return true;
}

/* ---- a turn of the first queue ---- */

/* True: it needs no more turn. */
static bool advance(struct ingress *ingress, struct pending *pending, bool store_full, struct instant now,
                    struct effects *out)
{
    if (pending->ask != ASK_ENQUEUE) {
        ingress_carry_out(ingress, &pending->head, pending->ask, pending->first, store_full, now, out);
        return true;
    }
    if (pending->request == NULL)
        pending->request = ingress_begin(ingress, &pending->head, pending->ask, pending->first);
    return pending->request == NULL ||
           ingress_enqueue(ingress, pending->request, pending->first, &pending->at, store_full, now, out);
}

static void drop_first(struct ingress *ingress, struct peer_queue *queue)
{
    struct pending *pending = queue->first;
    queue->first = pending->next;
    if (queue->first == NULL)
        queue->last = &queue->first;
    queue->bytes -= pending->bytes;
    ingress->queued_bytes -= pending->bytes;
    free_pending(pending);
}

/* The first queue becomes the last, or goes if it is empty. */
static void rotate(struct ingress *ingress)
{
    struct peer_queue *queue = ingress->queues_first;
    ingress->queues_first = queue->next;
    if (ingress->queues_first == NULL)
        ingress->queues_last = &ingress->queues_first;
    queue->next = NULL;
    if (queue->first == NULL) {
        free(queue);
        return;
    }
    *ingress->queues_last = queue;
    ingress->queues_last = &queue->next;
}

bool ingress_work(struct ingress *ingress, bool store_full, struct instant now, struct effects *out)
{
    struct peer_queue *queue = ingress->queues_first;
    ingress->refused = false;
    if (queue == NULL)
        return false;
    struct pending *pending = queue->first;
    struct message *message = ingress->message;
    ingress->message = pending->message;
    ingress->pools = pending->pools;
    bool over = advance(ingress, pending, store_full, now, out);
    ingress->message = message;
    ingress->pools = NULL;
    if (over)
        drop_first(ingress, queue);
    rotate(ingress);
    return ingress->queues_first != NULL;
}

void ingress_queues_free(struct ingress *ingress)
{
    while (ingress->queues_first != NULL) {
        while (ingress->queues_first->first != NULL)
            drop_first(ingress, ingress->queues_first);
        rotate(ingress);
    }
}
