/* feed_poll.h — asks each account for its lines every poll_interval_ms, and at once when told to.
 *
 * One thread: libcurl's multi interface does nothing but within feed_poll_step(). One poll an account is under way at
 * a time; being told to poll meanwhile means one more after it, however often it was said. What was learnt goes out
 * as FEED_POLL_LINES and FEED_POLL_END. */
#ifndef LINEWARD_FEED_POLL_H
#define LINEWARD_FEED_POLL_H

#include <curl/curl.h>

#include "broker/feed/feed.h"
#include "broker/feed/feed_notes.h"
#include "lineward/clock.h"
#include "lineward/err.h"

#define POLL_ANSWER_BYTES_MAX (32u * 1024 * 1024)
#define POLL_TIMEOUT_MS       20000 /* a whole poll, connecting included */
#define POLL_JITTER_MS_MAX    250   /* the first polls of several accounts are not at the same moment */
#define POLLS_AT_ONCE_MAX     16
#define POLL_RETRY_AFTER_MS_MAX                                                                                      \
    60000 /* what we grant a Retry-After: longer, and our word of the lines gets stale                               \
           */

struct feed_poll;

struct feed_poll_options {
    feed_emit *emit;
    void *context;
    struct feed_notes *notes;
    int64_t timeout_ms;
    int64_t jitter_ms_max;
    size_t answer_bytes_max;
};

/* `conf` must outlive it; curl_global_init() has been called. ERR_NO_MEMORY, or ERR_BAD_INPUT and *problem says which
 * account's base_url will not do. */
enum err feed_poll_open(struct feed_poll **out, const struct conf *conf, const struct feed_poll_options *options,
                        struct instant now, struct conf_problem *problem);
/* Another configuration, in which the accounts that were there keep their index and go on counting their polls; what is
 * under way is begun anew. On error nothing changed, and *problem says why. */
enum err feed_poll_follow(struct feed_poll **poll_p, const struct conf *conf, struct instant now,
                          struct conf_problem *problem);
void feed_poll_close(struct feed_poll **poll_p);

/* Polls this account (an index into conf.accounts) as soon as none is under way. */
void feed_poll_now(struct feed_poll *poll, size_t account);

/* May the account be polled without being told to? It may at first. */
void feed_poll_allow(struct feed_poll *poll, size_t account, bool on);

/* Begins what is due, goes on with what is under way, tells what has ended. */
void feed_poll_step(struct feed_poll *poll, struct instant now);
/* When step() has to begin a poll, on the steady clock. */
int64_t feed_poll_due(const struct feed_poll *poll);
/* Waits until a connection of a poll or one of `extra` has something, or for timeout_ms. */
void feed_poll_wait(struct feed_poll *poll, struct curl_waitfd *extra, unsigned count, int timeout_ms);

#endif
