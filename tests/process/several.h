/* several.h — three brokers of one account, each on a machine of its own with a Sentinel, a Redis and its replica on
 * two more (net.h); and what the brokers' gates are, as they tell it themselves. */
#ifndef PROCESS_SEVERAL_H
#define PROCESS_SEVERAL_H

#include "net.h"
#include "redis.h"
#include "second.h"

#define SEVERAL_BROKERS 3
#define SEVERAL_POLL_MS 1000

struct several {
    struct net net;
    struct rig rig; /* its own broker does not run; the sandbox and the workers are in our own network */
    struct second broker[SEVERAL_BROKERS];
    struct redis redis[2], sentinel[SEVERAL_BROKERS];
    size_t master; /* of `redis` */
    struct program pass;
};

/* Everything runs, the lines are open everywhere. */
void several_start(struct several *several);
void several_close(struct several *several);

void several_restart_broker(struct several *several, size_t broker);
/* The master dies for good, and comes back as the other one's replica. */
void several_kill_master(struct several *several);
bool several_has_master(struct several *several); /* the other one is it */
void several_follow_master(struct several *several);

/* What the provider says of a line, in its list. */
void several_set_truth(struct several *several, size_t line, bool critical);
/* The same by a signed webhook to that broker; it must be taken. */
void several_tell(struct several *several, size_t broker, size_t line, bool critical);
/* Is each line closed where it is CRITICAL and open where it is not, at that broker, or at all? */
bool several_knows(struct several *several, size_t broker);
bool several_agree(struct several *several);
bool several_is_critical(size_t line);

/* ---- the watch ---- */

int64_t several_now_us(void);
/* When did that broker tell that its gate of the line has become so, if it is so since then? 0: it is not. It tells
 * what is on disk. */
int64_t several_closed_us(size_t broker, size_t line, int64_t since_us);
int64_t several_open_us(size_t broker, size_t line, int64_t since_us);
/* When did it become what it is? */
int64_t several_gate_wall_ms(size_t broker, size_t line);
/* How often has a gate left `closed` while the line was CRITICAL? */
unsigned several_wrong_releases(void);

void several_watch(struct several *several); /* begins */
void several_watch_end(void);
void several_watch_truth(size_t line, bool critical);

#endif
