/* audits.h — reputation audits: asked for, under way for a while, done; one at a time for a line, then a cool-down
 * (linq-api.md 2.8). Pure but for memory: at most AUDITS_MAX, then the oldest is forgotten. */
#ifndef SANDBOX_AUDITS_H
#define SANDBOX_AUDITS_H

#include <stdbool.h>
#include <stdint.h>

#include "lineward/clock.h"

#define AUDITS_MAX 1024

struct audit {
    uint32_t line;
    struct instant began;
};

struct audits { /* all zero: none */
    struct audit ring[AUDITS_MAX];
    uint64_t count;                   /* ever begun: the number of the next */
    int64_t duration_ms, cooldown_ms; /* the cool-down begins when the audit ends */
};

enum audit_start { AUDIT_STARTED, AUDIT_RUNNING, AUDIT_COOLING };

/* AUDIT_STARTED: *number is the new one's. AUDIT_COOLING: *wait_ms says for how long. */
enum audit_start audits_start(struct audits *audits, uint32_t line, struct instant now, uint64_t *number,
                              int64_t *wait_ms);
/* NULL: no such audit (any more). */
const struct audit *audits_find(const struct audits *audits, uint64_t number);
bool audit_is_over(const struct audits *audits, const struct audit *audit, int64_t now_mono_ms);

#endif
