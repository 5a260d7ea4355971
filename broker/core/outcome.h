/* outcome.h — what outcome.c and outcome_told.c have in common; what others call is in leases.h. */
#ifndef LINEWARD_CORE_OUTCOME_H
#define LINEWARD_CORE_OUTCOME_H

#include "broker/core/state.h"

/* ---- outcome.c ---- */
/* The lease is over; what a probe of the account says is account_answer()'s to judge. */
void outcome_finish_probes(struct core *core, const struct lease *lease, bool begun, struct instant now);
/* The job's message is in a chat on the line where its conversation lives. True: that was news, and is recorded. */
bool outcome_learn_chat(struct core *core, uint32_t job, const struct core_result *result, struct instant now,
                        struct effects *out);
/* The job ends as sent, on the line where its conversation lives. */
void outcome_sent(struct core *core, uint32_t job, const struct core_result *result, struct instant now,
                  struct effects *out);
/* Waiting again: over by what was told or asked meanwhile, or remembered as it now is and back in line. */
void outcome_go_on(struct core *core, uint32_t job, struct told told, int http_status, int64_t code, struct instant now,
                   struct effects *out);

/* ---- outcome_told.c ---- */
/* A RESULT for a lease that is over: if it says `sent`, that is believed whatever came later. */
void outcome_late_result(struct core *core, struct lease *lease, const struct core_result *result, struct instant now,
                         struct effects *out);
/* The job, which is not leased any more, ends by what was told of it meanwhile. */
void outcome_settle_told(struct core *core, uint32_t job, struct told told, struct span result, struct instant now,
                         struct effects *out);

#endif
