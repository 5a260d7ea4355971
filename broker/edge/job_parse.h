/* job_parse.h — one job document of a producer (PROTOCOL, Job) to what the core takes: every field checked, each
 * refusal with its code, the field and a sentence. Form comes first, then pool and line; what depends on the state of
 * things is the core's to refuse. */
#ifndef LINEWARD_EDGE_JOB_PARSE_H
#define LINEWARD_EDGE_JOB_PARSE_H

#include "broker/core/core.h"
#include "broker/edge/keyed_hash.h"
#include "broker/edge/owners.h"
#include "lineward/conf.h"
#include "lineward/json.h"

#define CHAT_ID_BYTES_MAX 128
#define JOB_VALUES_MAX    10000 /* JSON values in a job document: reading them is what a large one costs */
#define JOB_MOMENT_MAX_MS ((1LL << 47) - 1) /* the year 6429: later is as good as then */

struct job_parser {
    const struct conf *conf;
    const struct keyed_hash *hash;
    struct core *core; /* for campaigns' numbers */
    const struct cache_owners *owners; /* what other brokers have told; NULL: nothing */
    const char *pools; /* comma list of what the producer may use; NULL: all */
    bool requeues;     /* a dead letter comes back: that its id is known makes it no repeat */
};

struct job_refusal {
    enum code code;
    char field[48]; /* "" none */
    char message[200];
    struct owner_place owner; /* of CODE_NOT_OWNER; lent for the turn */
};

/* The texts that a parsed job points into; reused from job to job: good until the next one is parsed. */
struct job_texts {
    struct json_out recipients, envelope;
};
void job_texts_free(struct job_texts *texts);

#define JOB_ID_TEXT_MAX (PRODUCER_ID_MAX_BYTES * 6 + 2) /* an id as JSON, every byte of it an escape */

/* True: *out is whole but for token and index, its spans point into `text` and `texts`. False: *refusal says; `busy`
 * when memory or names ran out. A member that is null counts as absent. *id gets the raw JSON of what was given as id
 * (lent from `text`), for the answer; empty if there is none or it is longer than JOB_ID_TEXT_MAX. `effects` NULL: the
 * job is not meant to be accepted, and names that it brings are not given numbers. */
bool job_parse(const struct job_parser *parser, const char *text, size_t bytes, struct core_enqueue *out,
               struct job_texts *texts, struct span *id, struct job_refusal *refusal, struct effects *effects);

/* The keyed hash of a pool's producer id and of a conversation, as jobs carry them. */
uint64_t job_id_hash(const struct keyed_hash *hash, const char *pool, const char *id);

#endif
