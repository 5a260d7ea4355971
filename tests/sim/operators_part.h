/* operators_part.h — what the parts of the operators share: operators.c (what they wish), operators_acts.c (one wish, carried
 * out) and operators_known.c (what is known of it). Only for them. */
#ifndef TESTS_SIM_OPERATORS_PART_H
#define TESTS_SIM_OPERATORS_PART_H

#include "broker/edge/admin.h"
#include "tests/sim/cast.h"

#define OPERATORS_CAMPAIGNS 2 /* of a pool */

enum act { ACT_PAUSE, ACT_RESUME, ACT_CORDON, ACT_UNCORDON, ACT_SET, ACT_UNSET, ACT_DRAIN, ACT_UNDRAIN, ACT_SETTLE,
           ACT_REQUEUE, ACT_SUPPRESS, ACT_UNSUPPRESS, ACT_MOVE, ACT_IMPORT };

struct wish {
    bool used, asked, unknown; /* unknown: what it is about is not there */
    enum act act;
    enum pause_scope scope;
    int target; /* a line, pool, conversation, or pool * OPERATORS_CAMPAIGNS + campaign */
    int line;   /* to move to */
    int job;
    int64_t for_ms;
    enum reputation word;
    enum drain drain;
    uint64_t token;
    unsigned ends, begins; /* of what is known, when it was asked */
    int64_t asked_us;
    bool looked_up;
    uint64_t mark;
    struct lookup_answer answer;
};

/* ---- operators_acts.c ---- */
void acts_carry_out(struct wish *wish, struct core *core, struct instant now, struct effects *out);
/* What was looked up for it has come. */
void acts_requeue(struct wish *wish, struct instant now, struct effects *out);

/* ---- operators_known.c: maybe from the asking on, surely from the answer on ---- */
bool known_begins(enum act act); /* else it ends something, or neither */
void known_asking(struct wish *wish);
void known_answered(const struct wish *wish, enum code code);
bool known_may_hold(enum act act, enum pause_scope scope, int target); /* what that act begins */
bool known_is_ramped(int line); /* a drain of it may have stopped, and paused the line */
bool known_is_suppressed(int conversation); /* as the operators would have it */
void known_suppress(int conversation, bool on);

#endif
