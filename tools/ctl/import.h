/* import.h — conversations on their way to the broker (POST /v1/conversations/import): gathered into batches, each waited
 * for, counted, and reported at the end. Where they come from is import_csv.c's and import_provider.c's affair. */
#ifndef LINEWARDCTL_IMPORT_H
#define LINEWARDCTL_IMPORT_H

#include <signal.h>
#include <stdint.h>

#include "ctl.h"
#include "lineward/json.h"
#include "progress.h"
#include "refusals.h"

#define IMPORT_BATCH_MAX 1000 /* docs/protocol.md, POST /v1/conversations/import */

struct import {
    const struct ctl *ctl;
    struct json_out body; /* of the batch in hand */
    struct {
        uint64_t line;                      /* of the file; 0: none */
        char id[PRODUCER_ID_MAX_BYTES + 1]; /* of the chat; "": none */
        bool done;
    } items[IMPORT_BATCH_MAX];
    size_t count;
    uint64_t imported, known, conflicts;
    struct refusals refusals; /* all that is not in, conflicts as well */
    struct progress progress;
    int64_t done, total;               /* of whatever measures the whole; total 0: unknown */
    int64_t wait_ms, patience_mono_ms; /* for a broker or a provider that is busy or away */
    bool was_answered;
    /* What the source has to add to the report: members into `out`, or, if that is NULL, lines of text. May be NULL. */
    void (*add_report)(void *self, const struct import *import, struct json_out *out);
    void *self;
    bool failed;       /* something that should be in is not */
    char stopped[400]; /* why it ended early; "" if it did not */
    int code;
};

extern volatile sig_atomic_t import_interrupted;

/* The next item: write its members into what is returned, then import_add(). There must be room: import_flush() when
 * `count` is IMPORT_BATCH_MAX. `id` may be NULL. */
struct json_out *import_begin(struct import *import, uint64_t line, const char *id);
void import_add(struct import *import);
/* One that is nothing to import. */
void import_skip(struct import *import, uint64_t line, const char *id, const char *code, const char *why);

/* Sends what is in hand and waits until the broker has it on disk. False: stopped. */
bool import_flush(struct import *import);
/* Waits so long, unless patience or the user says otherwise. False: stopped. */
bool import_wait(struct import *import, int64_t ms, const char *why, enum exit_code code);
void import_stop(struct import *import, enum exit_code code, const char *why);
void import_draw(struct import *import, const char *waiting);

/* Runs `source` with an import of its own, from options to the report. Returns the exit code. */
int import_run(const struct ctl *ctl, const struct args *args, bool (*source)(void *self, struct import *import),
               void *self);

#endif
