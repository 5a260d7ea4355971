/* cache_link_part.h — what the parts of cache_link share: cache_link.c (what is stated here, and to whom), cache_take.c
 * (what Redis has made of it) and cache_poll.c (the lease to poll, and lists). Only for them. */
#ifndef LINEWARD_CACHE_LINK_PART_H
#define LINEWARD_CACHE_LINK_PART_H

#include "broker/cache/cache_clock.h"
#include "broker/cache/cache_line.h"
#include "broker/cache/cache_link.h"
#include "broker/cache/cache_owed.h"
#include "broker/cache/cache_owners.h"
#include "broker/cache/cache_pending.h"
#include "broker/cache/cache_people.h"
#include "broker/cache/cache_redis.h"
#include "lineward/json.h"

#define NONCE_BYTES    16
#define RULES_BYTES    16
#define SLACK_MS       1000 /* two clocks that were compared at different times */
#define TAG_PLAIN      0    /* nobody waits for the answer */
#define TAG_HOLD       (UINT64_C(1) << 32) /* and the account */
#define TAG_PENDING    (UINT64_C(1) << 33) /* and its place */
#define TAG_OWED       (UINT64_C(1) << 34) /* and its number */
#define TAG_PEOPLE     (UINT64_C(1) << 35) /* and what cache_people.c makes of it */
#define TAG_OWNERS     (UINT64_C(1) << 36) /* and the account */

struct shared_account {
    int64_t held_until_ms, hold_asked_ms, hold_again_ms; /* the lease to poll */
    int64_t poll_at_ms;                                  /* asked for by the script; TIME_NEVER: not */
    int64_t stale_jitter_ms;
    unsigned brokers;      /* that were heard of lately, with this one */
    bool differs;          /* one of them decides by other rules, or is of another version */
};

struct cache_link {
    struct cache_link_options options;
    struct cache_redis *redis;
    char nonce[NONCE_BYTES * 2 + 1], rules[RULES_BYTES * 2 + 1];
    char names[CONF_ACCOUNTS_MAX][NAME_MAX_BYTES + 1];
    struct shared_account accounts[CONF_ACCOUNTS_MAX];
    struct cache_pending pending; /* what comes beyond them is merged here */
    struct cache_owed owed;
    bool said_skipped; /* over this connection */
    struct cache_people *people; /* NULL: not shared */
    struct cache_owners *owners;
    int64_t repair_at_ms;
    size_t repair_next; /* the account that is read next; their count: all are */
    int64_t away_ms; /* since when it is, if it is */
    uint64_t connections; /* so far: what was taken over in an earlier one is of an older version, whatever it says */
    struct cache_clock clock;
    struct json_out text;
    struct instant now;  /* of the turn or call */
    struct effects *out; /* of the turn or call; NULL: none is open */
};

/* ---- cache_link.c ---- */
/* Sends link->text and clears it. False: it was not sent, and there will be no answer. */
bool cache_link_run(struct cache_link *link, uint32_t account, uint64_t tag);
void cache_link_persist(struct cache_link *link);

/* ---- cache_take.c ---- */
/* The script's answer, and what time it is there. NULL: it cannot be read. */
cJSON *cache_take_answer(struct cache_link *link, const char *text, size_t bytes);
struct cache_asked {
    uint64_t token; /* answered with the first line; 0: nobody waits */
    bool undoes;    /* what made the line worse here was no news: Redis knows all that we know */
};
void cache_take_line(struct cache_link *link, uint32_t account, struct cache_line *line, const struct cache_asked *asked);
/* False: there is none that can be read. */
bool cache_take_lines(struct cache_link *link, uint32_t account, const cJSON *answer, const struct cache_asked *asked);

/* ---- cache_poll.c ---- */
void cache_poll_ask(struct cache_link *link, uint32_t account);
void cache_poll_answered(struct cache_link *link, uint32_t account, const cJSON *answer);

#endif
