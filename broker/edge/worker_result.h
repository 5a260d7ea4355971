/* worker_result.h — a worker's RESULT (PROTOCOL, Workers, Result) to what the core takes. Pure but for memory. */
#ifndef LINEWARD_EDGE_WORKER_RESULT_H
#define LINEWARD_EDGE_WORKER_RESULT_H

#include "broker/core/core.h"
#include "broker/edge/keyed_hash.h"
#include "lineward/json.h"

struct result_texts { /* what a parsed result points into */
    struct json_out result, chat_id;
};
void result_texts_free(struct result_texts *texts);

/* Always fills *out (but for peer, lease and recipient); a result that makes no sense is `malformed`, which the core
 * takes as an unknown outcome. False: malformed. */
bool worker_result_parse(const struct keyed_hash *hash, const char *text, size_t bytes, struct core_result *out,
                         struct result_texts *texts);

#endif
