/* view_audit.c — an audit record as people see it. */
#include "broker/edge/view_put.h"

void view_audit(struct json_out *out, const struct change_audit *audit, int64_t at_ms, struct span document, bool mask)
{
    json_open(out, '{');
    put_count(out, "audit", audit->number);
    put_time(out, "at", at_ms);
    put_word(out, "by", audit->by[0] != '\0' ? audit->by : AUDIT_SYSTEM);
    put_span(out, "role", view_member(document, "role"));
    put_span(out, "call", view_member(document, "call"));
    put_span(out, "target", view_member(document, "target"));
    put_recipients(out, view_member(document, "to"), mask);
    put_line(out, "line", audit->line);
    put_word(out, "pool", audit->pool[0] != '\0' ? audit->pool : NULL);
    put_span(out, "asked", view_member(document, "asked"));
    put_span(out, "reason", view_member(document, "reason"));
    put_span(out, "before", view_member(document, "before"));
    put_span(out, "after", view_member(document, "after"));
    put_span(out, "code", view_member(document, "code"));
    json_close(out, '}');
}
