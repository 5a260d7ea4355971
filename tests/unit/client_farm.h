/* client_farm.h — several brokers for tests of the C client, a few lines each, over real sockets, in one thread. */
#ifndef TESTS_UNIT_CLIENT_FARM_H
#define TESTS_UNIT_CLIENT_FARM_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>

#include "lineward.h"

#define FARM_MAX      20
#define FARM_LONG_MS  20000 /* far more than anything takes that succeeds */
#define FARM_SHORT_MS 400
#define JOB(pool, id) "{\"id\":\"" id "\",\"pool\":\"" pool "\"}"

struct stub; /* a broker: of a pool that begins with its letter it takes jobs, of another one it says its owner */

extern struct lineward *client; /* made for the first of them */

struct stub *farm_add(char letter);
void farm_start(void); /* they are all there */
const char *farm_endpoint(const struct stub *stub);
/* Where nobody listens; and where no attempt to connect meets itself while nobody does. */
void farm_free_endpoint(char out[128]);
void *farm_context(void); /* of ZeroMQ */

/* What it says from now on of pools that are not its own: an address, or any JSON. Before: unknown_pool. */
void farm_says(struct stub *stub, const char *address);
void farm_says_raw(struct stub *stub, const char *owner);
/* Answers nothing; refuses each request as a whole. */
void farm_set(struct stub *stub, bool silent, bool refuses);
/* Gone from its address, or there again. */
void farm_leave(struct stub *stub);
void farm_come_back(struct stub *stub);

int farm_requests(const struct stub *stub);
int farm_jobs(const struct stub *stub);
/* The nth job (from 0) that it has taken, byte for byte; until the next call. */
const char *farm_taken(const struct stub *stub, int nth);

enum lineward_status farm_hand_in(const char *job, int timeout_ms);
/* The result at that place is of the broker with that letter. */
void farm_ck_by(size_t index, char letter);

int farm_run_suite(const char *name, const TTest *const *tests, size_t count);

#endif
