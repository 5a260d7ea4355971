/* event_types.c — see its header. */
#include "tools/sandbox/event_types.h"

#include <string.h>

const char *const event_types[] = {"message.sent",
                                   "message.received",
                                   "message.read",
                                   "message.delivered",
                                   "message.failed",
                                   "message.edited",
                                   "reaction.added",
                                   "reaction.removed",
                                   "poll.received",
                                   "poll.failed",
                                   "poll.sent",
                                   "poll.delivered",
                                   "poll.read",
                                   "poll.updated",
                                   "poll.vote.added",
                                   "poll.vote.removed",
                                   "poll.reaction.added",
                                   "participant.added",
                                   "participant.removed",
                                   "chat.created",
                                   "chat.group_name_updated",
                                   "chat.group_icon_updated",
                                   "chat.group_name_update_failed",
                                   "chat.group_icon_update_failed",
                                   "chat.background_updated",
                                   "chat.background_update_failed",
                                   "chat.typing_indicator.started",
                                   "chat.typing_indicator.stopped",
                                   "phone_number.status_updated",
                                   "call.initiated",
                                   "call.ringing",
                                   "call.answered",
                                   "call.ended",
                                   "call.failed",
                                   "call.declined",
                                   "call.no_answer",
                                   "location.sharing.started",
                                   "location.sharing.stopped",
                                   "payment.succeeded",
                                   "payment.canceled",
                                   "payment.expired",
                                   "payment.declined",
                                   "payment.authorized",
                                   "connection.created",
                                   "connection.revoked",
                                   "contact_card.received",
                                   NULL};
_Static_assert(sizeof event_types / sizeof *event_types <= 65, "a set of them is 64 bits");

uint64_t event_type_bit(const char *name)
{
    for (unsigned i = 0; event_types[i] != NULL; i++) {
        if (strcmp(event_types[i], name) == 0)
            return UINT64_C(1) << i;
    }
    return 0;
}
