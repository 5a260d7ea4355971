/* rest.h — refusing costs time too, and a peer may send what is refused as fast as it can. So what refuses is
 * rationed: a turn spends little on it, and then producers are not read for a few times as long, while the broker
 * does all else, and ZeroMQ holds the flood back at its sender. A peer that sends what makes sense is held up by less
 * than a commit takes. Pure. */
#ifndef LINEWARD_REST_H
#define LINEWARD_REST_H

#include <stdbool.h>
#include <stdint.h>

#define REST_SPEND_US 200 /* of a turn, for what is refused */
#define REST_TIMES    4
#define REST_MAX_US   500

struct rest {
    int64_t spent_us; /* in this turn */
    int64_t until_us;
};

/* It took so long, and nothing came of it. True: enough of that for this turn. */
bool rest_refused(struct rest *rest, int64_t took_us);
/* All that this turn reads is read. */
void rest_begin(struct rest *rest, int64_t now_us);
/* How long there is nothing to be read; 0: go on. */
int64_t rest_left_us(const struct rest *rest, int64_t now_us);

#endif
