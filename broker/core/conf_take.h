/* conf_take.h — what the core keeps of the configuration: at the start, and when another one comes. */
#ifndef LINEWARD_CORE_CONF_TAKE_H
#define LINEWARD_CORE_CONF_TAKE_H

#include "broker/core/state.h"

/* From core->conf; the index is that of its account or pool. */
void conf_take_account(struct core *core, uint32_t account);
void conf_take_pool(struct core *core, uint32_t pool);

#endif
