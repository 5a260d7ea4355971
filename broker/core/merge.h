/* merge.h — the reputation cache's rules: what webhooks and polls say of one line, merged (DESIGN section 3, "The
 * reputation cache"; traps 7 and 11). Pure: it knows the line's words and nothing of ramps, operators or gates, which
 * reputation.c derives from what these calls return.
 *
 * A line has two statuses: the word last heard, and the proven one, which makes the gate. Worse is taken at once;
 * better needs proof: after a webhook a poll begun later that agrees; without one, two polls an interval apart, both
 * begun after the last tightening. */
#ifndef LINEWARD_CORE_MERGE_H
#define LINEWARD_CORE_MERGE_H

#include "broker/core/core.h"

/* When what was said, on one clock that only goes forward; NEVER_SAID: not since the start. */
#define NEVER_SAID INT64_MIN
struct moments {
    int64_t event;        /* the newest event arrived */
    int64_t tightened;    /* the proven status became worse */
    int64_t loosen_event; /* a webhook said HEALTHY, and no poll has agreed yet */
    int64_t agreed_begun; /* the first of two polls that agree was begun */
    int64_t flagged;      /* the line was flagged, or was so once more; NEVER_SAID also if another body said so */
    uint8_t loosen_tries; /* polls since loosen_event that did not agree */
};
void moments_begin(struct moments *moments);

struct merged {              /* what a fact has changed */
    bool overtaken;          /* it is older than what is known: nothing */
    bool word;               /* the word is another one, or the first */
    bool tighter;            /* the proven status is worse, or the first and CRITICAL */
    bool proven;             /* HEALTHY is proven */
    bool service;            /* its word on the service status was taken ... */
    bool flagged, lifted;    /* ... and so the line is flagged that was not, or the other way round */
    bool gone, listed;       /* it is gone now, and was not, or the other way round (merge_shared() only) */
    bool asks_poll;          /* a poll should begin as soon as none is under way */
    int64_t asks_poll_in_ms; /* the same, but after so long; 0: no */
};

/* What of a webhook makes the line worse: the rest of it is taken out. False: nothing does. */
bool merge_only_worse(const struct change_line *known, struct core_line_fact *fact);
/* From good to bad: HEALTHY, AT_RISK and UNKNOWN alike, CRITICAL (DESIGN trap 11). */
int reputation_badness(enum reputation reputation);

/* A webhook. */
struct merged merge_told(struct change_line *known, struct moments *moments, const struct core_line_fact *told,
                         struct instant now);
/* A line of a good poll. */
struct merged merge_polled(struct change_line *known, struct moments *moments, const struct core_line_fact *fact,
                           int64_t poll_interval_ms, struct instant now);
/* What another body of the cache has made of all that was said of the line: taken over as it is. `only_worse`: there is
 * something that it does not know yet; what is better than known here waits until it does. */
struct merged merge_shared(struct change_line *known, struct moments *moments, const struct change_line *theirs,
                           const struct moments *their_moments, bool only_worse);
/* A good poll does not list the line. True: it is gone now. */
bool merge_missed(struct change_line *known, struct moments *moments);

#endif
