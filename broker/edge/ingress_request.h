/* ingress_request.h — a producer's request on its way: who asked, what is answered already, what is still to come,
 * and the ACK or ERR at its end. Only for ingress*.c. All that waits is bounded, in number and in bytes. */
#ifndef LINEWARD_EDGE_INGRESS_REQUEST_H
#define LINEWARD_EDGE_INGRESS_REQUEST_H

#include "broker/edge/ingress.h"
#include "broker/edge/job_parse.h"
#include "broker/edge/replies.h"
#include "broker/edge/view.h"
#include "lineward/json.h"

#define INGRESS_PEER_BYTES_MAX 255

enum ask { ASK_ENQUEUE, ASK_STATUS, ASK_CANCEL };

/* What the readers are asked of an item. */
enum look {
    LOOK_NOT,
    LOOK_VIEW,      /* as it stands */
    LOOK_FINAL,     /* CANCEL of what was not live: already_final, or not_found */
    LOOK_DUPLICATE, /* ENQUEUE of what is final already */
    LOOK_COUNT
};

struct result {
    uint32_t at, bytes; /* its JSON within the request's text, once it is there */
    bool there;
    enum look look;
    uint64_t number;
    uint32_t name_at, name_bytes; /* within the request's text: the id's JSON (ENQUEUE), the text as asked (others) */
};

struct request {
    bool used, delimiter;
    enum ask ask;
    uint64_t generation;
    size_t count, missing; /* items; those without their result */
    size_t looks;          /* items that the readers are to be asked of */
    unsigned to_look;      /* bit mask of enum look: lookups not submitted yet */
    size_t held_bytes;
    struct request *next_waiting; /* for a reader */
    uint8_t peer[INGRESS_PEER_BYTES_MAX], request_id[WIRE_REQUEST_ID_BYTES_MAX];
    uint8_t peer_bytes, request_id_bytes;
    char *pools; /* comma list of those that its peer may see; NULL: all */
    struct json_out text;
    struct result *results;
};

/* How far an ENQUEUE has been read. */
struct enqueuing {
    uint32_t next;    /* item */
    enum code closed; /* busy or store_full: all that follow are refused alike, so that a repeat keeps the order */
};

/* Requests that wait for a reader, of one peer, or of a few whose ids fall into the same bucket. */
struct look_queue {
    struct request *first, **last;
    unsigned under_way; /* lookups */
    size_t asked;       /* items of STATUS and CANCEL not answered yet, here or elsewhere */
};

struct ingress {
    struct ingress_options options;
    struct replies *replies;
    struct message *message;
    struct job_texts texts;
    struct request requests[INGRESS_REQUESTS_MAX];
    uint32_t free_slots[INGRESS_REQUESTS_MAX], free_count;
    uint64_t generation;
    size_t held_bytes, kept_bytes; /* of requests under way; of buffers kept for the next ones */
    struct look_queue looks[REPLIES_BUCKETS]; /* by bucket of the peer; they take turns */
    size_t look_turn, waiting;                /* whose turn it is; requests in all of them */
    unsigned lookups;                         /* under way */
    bool refused;                             /* the last message or slice, and nothing else was done */
    struct peer_queue *queues_first, **queues_last; /* of large requests, by whose turn it is */
    size_t queued_bytes;
    int64_t now_ms;
    const char *pools; /* that the peer of the message being read may see, lent; NULL: all */
    struct frame frames[WIRE_ENQUEUE_JOBS_MAX + 8];
};

/* A slot for the request that `head` describes (peer, request id, delimiter). NULL: too much waits already, of all
 * peers' or of this one's. */
struct request *request_new(struct ingress *ingress, const struct request *head, enum ask ask, size_t count,
                            size_t held_bytes);
/* Tokens for the core; a lookup's carries what it is for. */
uint64_t request_token(const struct ingress *ingress, const struct request *request, enum look look);
/* NULL: it is over. */
struct request *request_of_token(struct ingress *ingress, uint64_t token, enum look *look);

/* Keeps the bytes in the request's text. */
void request_keep_name(struct request *request, uint32_t index, const void *bytes, size_t count);
/* The name of an item, good until the text grows. */
struct span request_name(const struct request *request, uint32_t index);
/* All that was written to the text since it had `at` bytes is the result of item `index`. */
void request_have_result(struct request *request, uint32_t index, size_t at);
/* The result of item `index` is that it is refused. */
void request_refuse(struct request *request, uint32_t index, enum code code);
void request_refuse_with(struct request *request, uint32_t index, const struct error_view *error);
/* Sends the ACK when the last result is there. */
void request_answer_if_whole(struct ingress *ingress, struct request *request);
/* Instead of what it asked for; its slot is free then. */
void request_give_back(struct ingress *ingress, struct request *request, enum code code, const char *message);
/* `request` need not have a slot. */
void request_send_error(struct ingress *ingress, const struct request *request, enum code code, const char *message);
void request_send_text(struct ingress *ingress, const struct request *request, const char *command,
                       const struct json_out *text);

/* ---- ENQUEUE (ingress_enqueue.c) ---- */
/* Reads a slice of it. True: that was the last one. */
bool ingress_enqueue(struct ingress *ingress, struct request *request, size_t first, struct enqueuing *at,
                     bool store_full, struct instant now, struct effects *out);
void ingress_enqueued(struct ingress *ingress, struct request *request, const struct effect *effect);

/* ---- STATUS and CANCEL (ingress_ask.c) ---- */
void ingress_status(struct ingress *ingress, struct request *request, size_t first, struct effects *out);
void ingress_cancel(struct ingress *ingress, struct request *request, size_t first, struct instant now,
                    struct effects *out);

/* ---- what lies on disk (ingress_look.c) ---- */
void ingress_looks_init(struct ingress *ingress);
struct look_queue *ingress_look_queue(struct ingress *ingress, const struct request *request);
/* Once nothing is missing but what lies on disk: asks the readers for all items that are marked so (what they cannot
 * take now waits its turn), or answers. Whoever has the last of the other results calls it. */
void ingress_go_on(struct ingress *ingress, struct request *request, struct instant now);
/* Requests that wait for a reader go on, if there is one. */
void ingress_look_on(struct ingress *ingress, struct instant now);


/* ---- carrying out the message at hand (ingress.c), at once or when it is its turn (ingress_queue.c) ---- */
/* A slot for it. NULL: too much waits already; answered ERR busy. */
struct request *ingress_begin(struct ingress *ingress, const struct request *head, enum ask ask, size_t first);
void ingress_carry_out(struct ingress *ingress, const struct request *head, enum ask ask, size_t first,
                       bool store_full, struct instant now, struct effects *out);
/* Is it large, or behind a large one of its peer? */
bool ingress_must_queue(const struct ingress *ingress, const struct request *head, enum ask ask);
/* Takes over the message. False: too much waits already; nothing changed. */
bool ingress_queue(struct ingress *ingress, const struct request *head, enum ask ask, size_t first);
void ingress_queues_free(struct ingress *ingress);

#endif
