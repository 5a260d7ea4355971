/* lookup_conversation.h — what the records say of one conversation, and rendering it. Only for lookup*.c. */
#ifndef LINEWARD_EDGE_LOOKUP_CONVERSATION_H
#define LINEWARD_EDGE_LOOKUP_CONVERSATION_H

#include "broker/edge/lookup.h"

/* Appends the conversation's view to `text` and says how it ended: not_found when it is not with the recipients that
 * were asked for; filtered out (0 bytes) when none were asked for and its own are not on disk yet; `busy`, with 0 bytes
 * as well, when its record is damaged. */
struct lookup_item conversation_item(const struct archive *archive, const struct lookup_request *request,
                                     const struct lookup_conversation *conversation, struct json_out *text,
                                     enum err *err);

#endif
