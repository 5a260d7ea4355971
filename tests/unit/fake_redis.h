/* fake_redis.h — a Redis that does as the test says, on a socket in this process: it takes what cache_redis.c sends, keeps
 * the facts that the script is told, and answers as told to. */
#ifndef TESTS_UNIT_FAKE_REDIS_H
#define TESTS_UNIT_FAKE_REDIS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAKE_PEERS_MAX 8
#define FAKE_FACTS_MAX 512

struct fake_peer {
    int fd; /* -1: none */
    char in[262144];
    size_t bytes;
    bool listens; /* has subscribed */
};

struct fake_redis {
    char folder[64], path[96];
    int listener;
    struct fake_peer peers[FAKE_PEERS_MAX];
    cJSON *facts[FAKE_FACTS_MAX]; /* what the script was told, but for `hold` and `people` with `after`; and the first key */
    size_t fact_count;
    unsigned connections, holds;
    unsigned scans; /* that were begun */
    int64_t clock_ms;
    bool mute, mute_listens;   /* answers nothing; to those that listen only */
    bool no_facts;             /* the connection ends instead of an answer to a fact that is kept */
    const char *error;         /* the answer to every fact; NULL: a good one */
    const char *error_for;     /* ... to those only in which that text stands; NULL: to all */
    bool no_script;            /* it has forgotten the script, until that is loaded */
    bool endless;              /* reading never comes to an end */
    unsigned forgets;          /* so many loaded scripts are forgotten at once */
    const char *answer;        /* members of a good answer to a fact that is kept: "\"again\":true"; NULL: none */
    const char *hold;          /* members of the answer to `hold` */
    const char *read;          /* members of the answer to `people` with `after` */
    unsigned reads;
    double read_after;         /* what the last of them asked for */
    const char *held_by_others; /* the account that another broker polls; NULL: none */
    const char *line;          /* the one value that HSCAN gives; NULL: none */
};

void fake_redis_open(struct fake_redis *fake);
void fake_redis_close(struct fake_redis *fake);
/* Accepts, reads and answers what there is. */
void fake_redis_turn(struct fake_redis *fake);
/* A message on the account's channel: {"clock":…, and these members}. */
void fake_redis_publish(struct fake_redis *fake, const char *account, const char *members);
/* Ends all connections. */
void fake_redis_drop(struct fake_redis *fake);
void fake_redis_forget(struct fake_redis *fake); /* the facts */
/* The nth fact (from 0) of that kind ("told", "known" …); NULL: there is none. */
const cJSON *fake_redis_fact(const struct fake_redis *fake, const char *what, size_t nth);

#endif
