/* outcomes_part.h — what the parts of the broker's end of outcome webhooks share: outcomes.c (who is told, by which
 * child, and what is remembered) and outcomes_read.c (what is read from disk). Only for them. */
#ifndef LINEWARD_EDGE_OUTCOMES_PART_H
#define LINEWARD_EDGE_OUTCOMES_PART_H

#include "broker/edge/child.h"
#include "broker/edge/outcome_queue.h"
#include "broker/edge/outcomes.h"
#include "broker/outcomes/outcomes.h"

#define OUTCOMES_TOPICS_BYTES 512
#define OUTCOMES_POOL_SHIFT   48 /* a request's number: the pool's index and the event's seq */
#define OUTCOMES_SEQ_MASK     ((UINT64_C(1) << OUTCOMES_POOL_SHIFT) - 1)

struct hook { /* of a pool */
    uint32_t pool;
    char topics[OUTCOMES_TOPICS_BYTES];
    struct outcome_queue queue;
    uint64_t read_to, confirmed, missed, failed;
    int64_t mark_at_ms, ask_at_ms;
    bool again;                   /* there may be more to read */
    bool dirty;                   /* the core does not know of it yet */
    bool down;                    /* as told in the log */
    enum outcome_problem problem; /* of the last failure; NONE: none since the start */
    int status;
    int64_t problem_at_ms, confirmed_at_ms; /* wall; 0: never */
};

struct outcomes {
    struct outcomes_options options;
    struct hook **hooks;
    size_t count, turn; /* turn: whose question, and whose event, is next */
    struct child child;
    bool letting_go; /* the child ends what it has, and begins nothing */
    uint64_t child_knows; /* hash of all of the configuration and its files that the child goes by; 0: not known */
    uint8_t *held;   /* a packet that the socket had no room for yet */
    size_t held_bytes;
    struct hook *asking;       /* one question at a time */
    uint64_t token, asked_seq; /* asked_seq: the one event asked for; 0: what follows */
};

/* ---- outcomes_read.c ---- */
/* Asks for what is to be read next, of one pool. */
void outcomes_ask(struct outcomes *outcomes, bool durable_moved, struct instant now);
bool outcomes_has_question(const struct hook *hook);
/* The text between the quotes of a JSON string that we wrote, without escapes; "" else. */
void outcomes_text(struct span value, char *out, size_t room);

#endif
