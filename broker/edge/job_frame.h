/* job_frame.h — the JSON of a job as leased (PROTOCOL, Workers, Job as leased), from what the core says and what lies
 * on disk. */
#ifndef LINEWARD_EDGE_JOB_FRAME_H
#define LINEWARD_EDGE_JOB_FRAME_H

#include "broker/core/core.h"
#include "broker/edge/keyed_hash.h"
#include "broker/edge/lookup.h"
#include "lineward/conf.h"
#include "lineward/json.h"

struct job_frame_facts { /* what else its record says */
    uint64_t recipient;  /* the key of its one recipient, account-wide; 0: a group */
    int64_t ready_at_ms; /* when it was accepted, or is due if that is later; 0: it is a dead letter that came back */
};

/* ERR_NONE: appended to `out`. ERR_EXISTS: the conversation that the hash found has other recipients: the job must not
 * be sent there. ERR_NOT_FOUND: its conversation's record is on its way to the disk. Else what reading said. */
enum err job_frame_write(const struct archive *archive, const struct conf *conf, const struct core *core,
                         const struct lease_view *lease, const struct keyed_hash *hash,
                         struct job_frame_facts *facts, struct json_out *out);

#endif
