/* conversation_parse.h — one conversation as it is imported (docs/protocol.md, POST /v1/conversations/import) to what
 * the core takes: every member checked, each refusal with its code, the member and a sentence. */
#ifndef LINEWARD_EDGE_CONVERSATION_PARSE_H
#define LINEWARD_EDGE_CONVERSATION_PARSE_H

#include "broker/edge/job_parse.h"

struct conversation_parser {
    const struct conf *conf;
    const struct keyed_hash *hash;
    const struct core *core; /* who is being erased is refused; NULL: nobody is */
    const struct cache_owners *owners; /* what other brokers have told; NULL: nothing */
    const char *pools; /* comma list of what the caller may use; NULL: all */
};

/* The texts that a parsed conversation points into. */
struct conversation_texts {
    struct json_out recipients, chat_id;
};
void conversation_texts_free(struct conversation_texts *texts);

/* True: *out is whole but for token and index. False: *refusal says why. A member that is null counts as absent. */
bool conversation_parse(const struct conversation_parser *parser, const cJSON *item, struct core_adopt *out,
                        struct conversation_texts *texts, struct job_refusal *refusal);

#endif
