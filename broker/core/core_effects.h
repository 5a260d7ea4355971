/* core_effects.h — what a step of the core wants done: changes to be remembered, and messages to be
 * sent once those are durable, or at once. */
#ifndef LINEWARD_CORE_CORE_EFFECTS_H
#define LINEWARD_CORE_CORE_EFFECTS_H

#include "broker/core/change.h"
#include "lineward/words.h"

enum effect_kind {
    /* after the step's changes are durable */
    EFFECT_ENQUEUED, /* token, index: the answer for one job */
    EFFECT_CANCELLED, /* token, index: the answer to CANCEL of a live job (look the view up afterwards) */
    EFFECT_JOB,     /* peer, lease: hand the job out, if core_lease_send() still says so */
    EFFECT_DONE,    /* peer, lease */
    EFFECT_READY,   /* peer */
    EFFECT_ANSWER,  /* token, code: a webhook or an operator's call is durable */
    EFFECT_ADOPTED, /* token, index: the answer for one conversation */
    /* at once */
    EFFECT_REVOKE,         /* peer, lease */
    EFFECT_UNKNOWN_WORKER, /* peer: ERR unknown_worker */
    EFFECT_POLL,           /* account (conf index): poll now */
    EFFECT_ALERT,          /* alert, line or account: for the log */
    EFFECT_SERVICE,        /* line, account, index: an error has flagged it (1), or its probe has lifted that (0) */
};

enum alert { ALERT_KEY_REFUSED, ALERT_LINE_UNKNOWN_WORD, ALERT_BREAKER_OPEN, ALERT_BREAKER_CLOSED, ALERT_LEASE_LAPSED,
             ALERT_WORKER_GONE, ALERT_LINE_FLAGGED, ALERT_LINE_GONE, ALERT_DEDUPE_FULL, ALERT_DRAIN_STOPPED,
             ALERT_DRAIN_DONE, ALERT_SUPPRESSIONS_FULL, ALERT_LINES_FULL, ALERT_COUNT };

struct effect {
    enum effect_kind kind;
    uint64_t token;
    uint32_t index;
    uint32_t peer;
    uint64_t lease, number, line;
    uint32_t account;
    enum alert alert;
    /* EFFECT_ENQUEUED, EFFECT_CANCELLED, EFFECT_ANSWER, EFFECT_ADOPTED */
    enum code code;
    const char *field;  /* static; which field the code is about, NULL: none */
    enum job_state state; /* as stored; NONE with `duplicate`: final, look in the history */
    enum reason reason;   /* reason_holds(): the state is called `held` */
    bool duplicate;       /* ADOPTED: it was known to live there already */
    uint64_t pause;
};

#define EFFECTS_CHANGES_MAX 65536
#define EFFECTS_MAX 65536

struct effects { /* the caller's; cleared by the caller; filled by each call. Never overflows: see core_room() */
    struct change *changes;
    size_t change_count, change_room;
    struct effect *effects;
    size_t effect_count, effect_room;
};

#endif
