/* outcomes_post.h — the requests under way: signed, posted with libcurl, and what became of each. */
#ifndef LINEWARD_OUTCOMES_POST_H
#define LINEWARD_OUTCOMES_POST_H

#include <curl/curl.h>

#include "broker/outcomes/outcomes.h"
#include "lineward/clock.h"

struct poster;

typedef void poster_done(void *context, const struct outcome_result *result);

/* Reads every pool's secrets; one whose file holds none posts nothing (OUTCOME_PROBLEM_NO_SECRET). `conf` is lent. NULL:
 * out of memory. */
struct poster *poster_open(const struct conf *conf, poster_done *done, void *context);
void poster_close(struct poster **poster_p); /* what is under way is dropped, without a word */

/* `done` will be called once for it, perhaps at once. */
void poster_begin(struct poster *poster, const struct outcome_post *post, struct instant now);
void poster_step(struct poster *poster);
size_t poster_under_way(const struct poster *poster);
void poster_wait(struct poster *poster, struct curl_waitfd *extra, unsigned count, int timeout_ms);

#endif
