/* names.h — names of pools, accounts and campaigns as small numbers, and the record of each start with the random
 * bits of its keys. */
#ifndef LINEWARD_CORE_NAMES_H
#define LINEWARD_CORE_NAMES_H

#include "broker/core/effects.h"

/* The number of the name, made and recorded the first time. 0: the table is full. */
uint16_t name_number(struct core *core, enum name_kind kind, const char *text, struct effects *out);
uint16_t name_find(const struct core *core, enum name_kind kind, const char *text); /* 0: there is none */
/* What a record says: number and text belong together for good. */
void name_set(struct core *core, uint32_t number, uint8_t kind, const char *text);
void index_names(struct core *core, uint32_t *heads, uint32_t heads_max);
/* Has the table room for all that the configuration names? No number may be given to two of them. */
bool names_fit(const struct core *core, const struct conf *conf);
void name_record(struct core *core, uint16_t number, struct instant now, struct effects *out);
/* Writes CHANGE_START with the numbers reached so far. */
void start_refresh(struct core *core, struct instant now, struct effects *out); /* if they moved */
void start_record(struct core *core, const struct start *start, struct instant now, struct effects *out);

#endif
