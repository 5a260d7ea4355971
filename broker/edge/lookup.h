/* lookup.h — answers that need the disk: job views (STATUS, GET /v1/jobs), conversations and pages of events. The owner's thread
 * fills a request with what is in memory, reader threads add what the records say and render it, and the owner's
 * thread collects the text. The core never waits for the disk.
 *
 * The store is reached through struct archive, which broker.c fills: store and edge do not know each other. */
#ifndef LINEWARD_EDGE_LOOKUP_H
#define LINEWARD_EDGE_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/core/core.h"
#include "broker/edge/view.h"
#include "lineward/err.h"
#include "lineward/json.h"
#include "lineward/wire.h"

#define LOOKUP_QUEUE_MAX  256  /* requests not collected yet; more: ERR_BUSY */
#define LOOKUP_JOBS_MAX   1024 /* jobs in a request */
#define LOOKUP_AGAIN_MS   1000 /* so long whoever goes through events waits after the disk could not be read */
#define LOOKUP_EVENTS_MAX 1000 /* events in an answer */

/* Gets one record, decoded and lent for the call, event.seq included. False: no more. */
typedef bool (*archive_visit)(void *visitor, const struct change *change);

/* What the readers ask; called from their threads, several at once. `self` is lent for the lookup's life. */
struct archive {
    void *self;
    /* The durable record at `place`. ERR_NOT_FOUND: it was moved meanwhile. */
    enum err (*read)(void *self, uint64_t place, archive_visit visit, void *visitor);
    /* Every durable record of this kind and key, oldest first. ERR_NONE also when there is none. */
    enum err (*find)(void *self, enum change_kind kind, uint64_t key, archive_visit visit, void *visitor);
    /* Durable events with seq > after, in order, at most `limit`. *oldest: the oldest that is still there, 0: none.
     */
    enum err (*events)(void *self, uint64_t after, size_t limit, uint64_t *oldest, archive_visit visit,
                       void *visitor);
    /* Events up to this one are durable, or were dropped as too old. NULL: nobody can say. */
    uint64_t (*durable_seq)(void *self);
};

enum lookup_form {
    LOOKUP_VIEW,      /* the job view */
    LOOKUP_FULL,      /* and its history, and why (GET /v1/jobs/{id}) */
    LOOKUP_CANCEL,    /* the job view, but a final job answers already_final */
    LOOKUP_DUPLICATE, /* {"id","job","state":"duplicate","current"}; never a refusal: current is null when its
                         history is gone */
    LOOKUP_CHECK, /* null: do the filters let it through? */
    LOOKUP_EXPORT, /* {"job","accepted_at","order","document"}: to be enqueued again (lookup_export.c) */
};

struct lookup_job {                                         /* what the owner's thread knows of one job */
    char asked[PRODUCER_ID_MAX_BYTES + NAME_MAX_BYTES + 2]; /* as asked, for not_found; "" in a list */
    uint64_t number;                                        /* 0: nobody knows it: not_found */
    bool is_live;
    struct job_view view;
    char pool[NAME_MAX_BYTES + 1]; /* of a live job; "" unknown */
    bool has_line;
    struct line_view line; /* LOOKUP_FULL: what the decision saw */
    struct why_more more;  /* LOOKUP_FULL */
};

struct lookup_conversation { /* likewise of one conversation */
    struct conversation_view view;
    char pool[NAME_MAX_BYTES + 1];
};

struct dead_letter { /* what a requeue needs besides the job's document */
    struct core_requeue requeue; /* mark and job are not filled */
    int64_t expires_ms;          /* 0: never */
    size_t at, bytes;            /* of the document, in the answer's text */
};

struct lookup_request {
    uint64_t token; /* comes back with the answer */
    /* LOOKUP_DEAD: dead letters in the order of their end; LOOKUP_LETTERS: the same, as documents to requeue, those of
     * `jobs` if there are any. */
    enum { LOOKUP_JOBS, LOOKUP_EVENTS, LOOKUP_ENDED, LOOKUP_CONVERSATIONS, LOOKUP_DEAD, LOOKUP_LETTERS, LOOKUP_AUDIT } what;
    struct instant now;
    const char *pools; /* comma list of what the asker may see, copied; NULL: all */
    bool mask_handles;
    /* LOOKUP_JOBS: those given. LOOKUP_ENDED: finished jobs in the order of their end, from event `after` on. */
    enum lookup_form form;
    struct lookup_job *jobs; /* from malloc(); taken over if the request is taken */
    size_t job_count;
    bool with_message;
    size_t bytes_max; /* of text, beyond which no further one is begun: then the answer has less items; 0: all are read */
    uint64_t ended_seq; /* core_ended_seq() as it was when these were found to live or not */
    /* LOOKUP_CONVERSATIONS: those given. */
    struct lookup_conversation *conversations; /* as `jobs` */
    size_t conversation_count;
    const char *recipients; /* JSON, copied: a hash only finds, so not_found unless they are these; NULL: any */
    const char *to;       /* filter: comma list of handles, all among the recipients; copied; NULL: any */
    const char *pool;     /* LOOKUP_ENDED, LOOKUP_DEAD, LOOKUP_LETTERS, filters: copied; NULL: any */
    const char *code;     /* LOOKUP_DEAD, LOOKUP_LETTERS: of the job's error; copied; NULL: any */
    uint64_t until;       /* LOOKUP_LETTERS: the newest end that counts; 0: any */
    uint64_t line;        /* 0: any */
    enum job_state state; /* JOB_NONE: any */
    /* LOOKUP_EVENTS, LOOKUP_ENDED */
    uint64_t after;
    bool from_oldest; /* no `after` was given */
    size_t limit;
    const char *topic; /* prefix, copied; NULL: all */
    const char *topics; /* comma list of prefixes, copied; NULL: all */
    int64_t since_ms, until_ms; /* LOOKUP_AUDIT, and LOOKUP_JOBS by their acceptance: at that moment or later, before that
                                   one; 0: any */
    /* LOOKUP_AUDIT: records behind number `after`, as `pools`, `pool` and `line` let through */
    const char *by;              /* filter, copied; NULL: anybody */
    uint64_t audit_end;          /* one more than the newest number */
    bool newest_first;           /* then `after` is the number that they lie before; 0: none */
};

struct lookup_item {
    enum code code; /* CODE_NONE: a view; else the text is {"id":…,"error":{…}} */
    size_t bytes;   /* of its JSON; 0: filtered out */
};

struct lookup_answer {
    uint64_t token;
    enum err err;         /* ERR_NONE; ERR_GONE: `after` is older than `oldest`; ERR_IO, ERR_DAMAGED, ERR_NO_MEMORY */
    struct json_out text; /* the items' JSON, one after the other without separators */
    struct lookup_item *items;
    size_t item_count;
    struct dead_letter *letters; /* LOOKUP_LETTERS */
    size_t letter_count;
    uint64_t next, oldest; /* events: where to go on */
    bool more;             /* LOOKUP_ENDED, LOOKUP_DEAD, LOOKUP_LETTERS: not all was looked at */
};
void lookup_answer_free(struct lookup_answer *answer);

struct lookup;

/* Starts `threads` readers. ERR_NO_MEMORY, ERR_IO. */
enum err lookup_open(struct lookup **out, const struct archive *archive, unsigned threads);
/* Stops the readers and drops what was not collected. NULL is fine. */
void lookup_close(struct lookup **lookup_p);
/* An eventfd, readable when there is something to collect. */
int lookup_fd(const struct lookup *lookup);

/* Owner's thread. ERR_NONE: the answer will come, request->jobs and ->conversations are taken over. ERR_BUSY: the queue
 * is full; ERR_NO_MEMORY; ERR_BAD_INPUT: beyond the limits; they are still the caller's then. */
enum err lookup_submit(struct lookup *lookup, const struct lookup_request *request);
/* Owner's thread. True: *out is the caller's, free with lookup_answer_free(). False: nothing more now. */
bool lookup_collect(struct lookup *lookup, struct lookup_answer *out);

/* ---- how a job is named: a job number, a producer id of pool `default`, or POOL/ID ---- */

struct job_ref {
    uint64_t number; /* 0: by id */
    char pool[NAME_MAX_BYTES + 1], id[PRODUCER_ID_MAX_BYTES + 1];
};
/* False: it can be the name of nothing (answer not_found). */
bool job_ref_parse(const char *text, struct job_ref *out);

/* Is `name` in a comma list? NULL lists everything. */
bool name_in_list(const char *list, const char *name);

#endif
