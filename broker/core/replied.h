/* replied.h — which messages are answered, by line, by pool and class, and by campaign and class: what a line's health
 * hangs on, and whose fault it is when it suffers.
 *
 * A message in answers the newest message of its conversation that went out (or may have), if that has no answer
 * yet, whatever it says, be it a keyword. One that tells of a time before that message answers nothing here. The line is
 * the one where the conversation lives; what has moved elsewhere meanwhile answers nothing, either. */
#ifndef LINEWARD_CORE_REPLIED_H
#define LINEWARD_CORE_REPLIED_H

#include "broker/core/effects.h"

/* The job's message went out, or may have: its conversation lives where it was sent. */
void replied_count_out(struct core *core, uint32_t job, struct instant now);
/* What its end tells of it, so that a restart knows. */
void replied_tell(const struct core *core, const struct job *job, struct change_end *end, struct instant now);
/* The conversation's newest message is answered. The caller records the line. */
void replied_count_in(struct core *core, uint32_t conversation, struct instant now, struct effects *out);

/* ---- after a restart ---- */
void replied_restore(struct core *core, const struct change_replies *value);
void replied_restore_end(struct core *core, const struct change_end *end, int64_t at_ms);
/* And which message of the conversation waits for an answer. */
struct last_out replied_last(const struct change_end *end, int64_t at_ms);

/* Writes CHANGE_REPLIES. Campaign 0: the pool's, all of its campaigns included. */
void replied_record(struct core *core, uint16_t pool, uint16_t campaign, unsigned class, struct instant now,
                    struct effects *out);
/* Of those that counted since their last record, long before the history that knows it is dropped. False: there was no
 * room for all. */
bool replied_refresh(struct core *core, struct instant now, struct effects *out);

#endif
