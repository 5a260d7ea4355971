/* control_view.h — what the controls show. With the sandbox's lock held. */
#ifndef SANDBOX_CONTROL_VIEW_H
#define SANDBOX_CONTROL_VIEW_H

#include "tools/sandbox/sandbox.h"

void sandbox_view_line(struct json_out *out, const struct world *world, uint32_t line, struct instant now);
void sandbox_view_lines(struct json_out *out, const struct world *world, struct instant now);
void sandbox_view_faults(struct json_out *out, const struct faults *faults);
void sandbox_view_stats(struct json_out *out, const struct sandbox *sandbox, struct instant now);

#endif
