/* dedupe.h — what was seen before: producers' ids, webhooks' event ids, the provider's message ids. A ring in order of
 * time with an index, so that forgetting is moving its beginning; an id whose job still lives moves to the end. */
#ifndef LINEWARD_CORE_DEDUPE_H
#define LINEWARD_CORE_DEDUPE_H

#include "broker/core/effects.h"

const struct remembered *dedupe_find(const struct core *core, uint64_t id_hash);
void dedupe_remember(struct core *core, uint64_t id_hash, uint64_t number, uint64_t content_hash, int64_t wall_ms);
/* While replaying: the job was accepted with that id. The latest one has it, for the window of any before it was over by
 * then, if its record is still there. */
void dedupe_restore(struct core *core, uint64_t id_hash, uint64_t number, uint64_t content_hash, int64_t wall_ms);
/* That id, accepted then, is made of the number of another job, whose history allows to import it: it is not forgotten while
 * that history may be there. */
void dedupe_keep(struct core *core, uint64_t id_hash, int64_t accepted_at_ms);
/* While replaying: the job of that id ended then. */
void dedupe_restore_end(struct core *core, uint64_t id_hash, uint64_t number, int64_t ended_at_ms);
/* It was requeued: its window begins with another end. */
void dedupe_live_again(struct core *core, uint64_t id_hash, uint64_t number);
/* False: it was known. Else it is remembered and recorded. */
bool dedupe_remember_event(struct core *core, uint64_t event, struct instant now, struct effects *out);
/* It is that job's, and went out on that line (NO_LINE: not known). */
void dedupe_remember_message(struct core *core, uint64_t message, uint64_t number, uint32_t line, int64_t wall_ms);
/* What the provider says of such a message: true if it says more than was known (failed, delivered, read: never back),
 * and is known from now on. */
bool dedupe_deliver(struct core *core, uint64_t message, uint64_t number, uint32_t line, enum delivery delivery,
                    int64_t wall_ms);
uint64_t dedupe_message_job(const struct core *core, uint64_t message); /* 0: unknown */
/* On which line it went out. NO_LINE: that is not known, or it is no message of that job. */
uint32_t dedupe_message_line(const struct core *core, uint64_t message, uint64_t number);
/* Forgets what is too old, a bounded number a call. */
void dedupe_forget(struct core *core, struct instant now);
/* The wall clock went back to that moment: what seems to be of a later hour is of this one. */
void dedupe_back(struct core *core, int64_t wall_ms);
void index_dedupe(struct core *core, uint32_t *heads, uint32_t heads_max);

#endif
