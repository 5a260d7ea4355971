/* recipients.h — whom a conversation is with: read from JSON or from a path, brought into one form, and hashed. The one
 * place that knows how recipients become the key of a conversation. */
#ifndef LINEWARD_EDGE_RECIPIENTS_H
#define LINEWARD_EDGE_RECIPIENTS_H

#include "broker/edge/job_parse.h"
#include "broker/edge/keyed_hash.h"
#include "lineward/conf.h"
#include "lineward/ids.h"
#include "lineward/json.h"
#include "lineward/wire.h"

struct recipients { /* sorted, no two alike, as handle_normalize() writes them */
    size_t count;
    char handles[WIRE_RECIPIENTS_MAX][HANDLE_MAX_BYTES + 1]; /* only the first `count` are set */
};

/* Reads a document's `to`: a handle, or an array of 1 to 31. False: *refusal says why. */
bool recipients_read(const cJSON *to, struct recipients *out, struct job_refusal *refusal);
/* Reads a comma list. False: one of them can be no recipient, one is there twice, or they are too many. */
bool recipients_split(const char *text, struct recipients *out);
/* ["…","…"]: what stands in records, and what the key is made of. Replaces what `out` holds. */
void recipients_write(const struct recipients *recipients, struct json_out *out);

/* The one recipient of a direct message, from what recipients_write() wrote. False: a group, or erased. */
bool recipients_sole(struct span json, char out[HANDLE_MAX_BYTES + 1]);

/* The key of their conversation in a pool; `json` is what recipients_write() wrote. */
uint64_t recipients_conversation(const struct keyed_hash *hash, const char *pool, struct span json);
/* The key of the one recipient of a direct message, account-wide; 0: a group. */
uint64_t recipients_direct(const struct keyed_hash *hash, const char *account, const struct recipients *recipients);
/* The keys of the conversations that they may have, one for each pool of the account. */
size_t recipients_conversations(const struct keyed_hash *hash, const struct conf *conf, uint32_t account,
                                const struct recipients *recipients, uint64_t out[CONF_POOLS_MAX]);
/* Those of the direct ones that one recipient may have. */
size_t recipients_homes(const struct keyed_hash *hash, const struct conf *conf, uint32_t account, const char *handle,
                        uint64_t out[CONF_POOLS_MAX]);
uint64_t chat_id_hash(const struct keyed_hash *hash, const char *chat_id);

#endif
