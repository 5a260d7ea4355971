/* broker_audit.c — what the broker itself leaves in the audit: that it started, stopped, or read its configuration anew. */
#include <string.h>

#include "broker/broker_part.h"
#include "broker/edge/view_put.h"

void broker_audit(struct broker *broker, const char *what, const char *reason, enum code code)
{
    struct change_audit audit = {.number = 0};
    struct json_out document = {0};
    json_open(&document, '{');
    put_word(&document, "call", what);
    put_word(&document, "reason", reason);
    put_word(&document, "code", code == CODE_NONE ? NULL : code_name(code));
    json_close(&document, '}');
    core_audit(broker->core, &audit, (struct span){document.text, document.bytes}, broker->now, &broker->effects);
    broker_persist(broker, broker->now, &broker->effects);
    broker->out_of_memory = broker->out_of_memory || document.failed;
    json_out_free(&document);
}
