/* erase.h — erasing a recipient, the shell's share: going through the store for the conversations that have them, and
 * again to overwrite what names them. What ends and what is forgotten is the core's (core/erase.h). */
#ifndef LINEWARD_BROKER_ERASE_H
#define LINEWARD_BROKER_ERASE_H

#include <stdbool.h>

#include "broker/core/core.h"
#include "broker/edge/keyed_hash.h"
#include "broker/store/store.h"

#define ERASE_FOUND_MAX (ERASURE_KEYS_MAX + 1) /* one more than an order has room for: then there are more */

struct erasing { /* what a pass looks for, and what it found; the store's thread's while it is on */
    const struct keyed_hash *hash;
    uint64_t person;
    bool rewrites;
    uint64_t keys[ERASURE_KEYS_MAX]; /* sorted */
    size_t key_count;
    uint64_t found[ERASE_FOUND_MAX]; /* conversations with them that are not among `keys` */
    size_t found_count;
    uint64_t records; /* that name them, or belong to one of those conversations */
};

/* store_pass.visit; self is a struct erasing. */
enum store_passed erasing_visit(void *self, const struct store_record *record, uint8_t *head,
                                uint8_t *const sections[STORE_SECTIONS]);

/* Before a pass that failed is begun again, after the wait before that (0: it was the first to fail). */
int64_t erasing_wait_ms(int64_t last_ms);

struct broker_erase {
    struct erasing work;
    bool on;          /* a pass is */
    uint64_t id;      /* its order */
    uint64_t bound;     /* a rewriting waits for this commit ... */
    uint64_t bound_id;  /* ... of this order; 0: none */
    uint64_t hidden_id; /* and for what is taken out of memory for this one: */
    uint64_t hidden;    /* whose name; */
    bool rewords;       /* there is more of it; */
    struct core_rewording rewording;
    int64_t again_ms; /* steady: after a pass that failed, or while outcome webhooks are waited for, not before */
    int64_t wait_ms; /* the last one before a pass was begun again; 0: none failed */
    uint64_t told_seq; /* these are to have been told all events before this one ... */
    int64_t told_by_ms; /* ... but are waited for no longer than this */
};

#endif
