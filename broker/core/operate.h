/* operate.h — what an operator says of a line, over and above what the provider says of it: cordon, a reputation, a drain
 * (drain.h). One CHANGE_ORDERS a line holds all that is ordered now. The operator's own calls are in core.h. */
#ifndef LINEWARD_CORE_OPERATE_H
#define LINEWARD_CORE_OPERATE_H

#include "broker/core/effects.h"

/* What counts of the line's reputation: the provider's, the operator's, or the worse of both. */
struct stand {
    enum reputation word, proven;
    bool hold;
};
struct stand line_stand(const struct core *core, const struct line *line);
bool stand_closes(const struct stand *stand);
/* The operator's word counts whatever the provider says. */
bool operator_stands(const struct core *core, const struct line *line);
/* It makes a difference now. */
bool operator_is_heard(const struct core *core, const struct line *line);

/* MONO_LINE: an order may be over. */
void operate_wake(struct core *core, uint32_t line, struct instant now, struct effects *out);
/* The wall clock went back: as pauses_back(), for a reputation that was set at a moment that lies ahead now. */
void operate_back(struct core *core, uint32_t line, struct instant now);
bool operate_is_ahead(const struct core *core, const struct line *line, struct instant now);
int64_t operate_next_ms(const struct core *core, const struct line *line, struct instant now); /* steady */

void orders_copy_text(char *to, size_t room, const char *from); /* cut; NULL: none */
void orders_record(struct core *core, uint32_t line, struct instant now, struct effects *out);
enum err operate_restore(struct core *core, const struct change_orders *orders);

#endif
