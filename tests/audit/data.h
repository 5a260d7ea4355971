/* data.h — what was read: jobs, requests, and marks in a line's life. For the files in this folder. */
#ifndef AUDIT_DATA_H
#define AUDIT_DATA_H

#include "tests/audit/audit.h"
#include "tests/audit/texts.h"

#define JOB_NONE_KNOWN UINT32_MAX

enum job_end { END_SENT, END_WITHDRAWN, END_OTHER };

struct audit_job {
    uint32_t name;         /* "pool/id" */
    uint32_t number;       /* "j_…" */
    uint32_t to;           /* the set, sorted, as one text */
    uint32_t conversation; /* pool and set */
    uint32_t stream;       /* conversation and class */
    int64_t n;
    int64_t attempts; /* as the router counts them; 0: not told */
    enum job_end end;
    int64_t ended_ms; /* INT64_MAX: when it was accepted; INT64_MIN: otherwise, nobody says when */
    uint32_t accepted;
    uint32_t key;
};

struct audit_request {            /* a send that reached the provider, whatever it answered */
    int64_t number;               /* the order in which the provider judged them */
    int64_t begun_ms, ended_ms;   /* ended_ms -1: nobody knows when the client gave up */
    uint32_t line, to, key, name; /* name: from the marker, TEXT_NONE: none */
    uint32_t job;
    int64_t n; /* from the marker */
    bool accepted, duplicate, new_chat, body_differs, refused, faulted;
};

enum mark_kind { MARK_CHANGE, MARK_WEBHOOK };

struct audit_mark { /* a line truly changed, or a webhook about it was answered 2xx */
    enum mark_kind kind;
    uint32_t line;
    int64_t at_ms, change;
    bool healthy, critical, flagged;
};

struct audit {
    struct texts texts;
    struct audit_job *jobs;
    struct audit_request *requests;
    struct audit_mark *marks;
    uint32_t *job_of_name; /* by text number */
    size_t job_count, job_room, request_count, request_room, mark_count, mark_room, name_room;
    uint64_t number_conflicts, status_webhooks;
    bool complete;
};

/* JOB_NONE_KNOWN: no such job was acked. */
uint32_t audit_job_find(const struct audit *audit, uint32_t name);

#endif
