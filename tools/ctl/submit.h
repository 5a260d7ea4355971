/* submit.h — two ways for a batch of jobs to the broker: ZeroMQ and the admin API. Both answer alike. */
#ifndef LINEWARDCTL_SUBMIT_H
#define LINEWARDCTL_SUBMIT_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "job_lines.h"

struct ctl;

enum submit_end {
    SUBMIT_ANSWERED, /* results: one object for each job, in order */
    SUBMIT_REFUSED,  /* the request as a whole, nothing was stored: error */
    SUBMIT_AWAY,     /* no connection: nothing was submitted */
    SUBMIT_LOST,     /* submitted, but no answer came: the jobs may have been taken */
};

struct submit_answer {
    cJSON *results;
    cJSON *error;      /* {"code","message",…} */
    char problem[256]; /* AWAY, LOST: for a person */
};
void submit_answer_free(struct submit_answer *answer);

struct submit_link {
    void *self;
    enum submit_end (*submit)(void *self, const struct job_line *jobs, size_t count, struct submit_answer *out);
    void (*close)(void *self);
};

/* The admin API needs no connection beforehand. */
struct submit_link submit_over_http(const struct ctl *ctl);

struct submit_zmq_options {
    const char *endpoint;
    const char *secret_key_file, *broker_key_file; /* CURVE; both or neither */
};
/* Connects and waits for the broker's PONG. An exit code; what is wrong has been told if it is not EXIT_DONE. */
int submit_over_zmq(const struct ctl *ctl, const struct submit_zmq_options *options, struct submit_link *out);

#endif
