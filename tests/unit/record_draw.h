/* record_draw.h — changes of every kind, drawn from one seed: small and large values, those that are left out, texts
 * of any bytes. */
#ifndef TESTS_UNIT_RECORD_DRAW_H
#define TESTS_UNIT_RECORD_DRAW_H

#include "broker/store/record.h"

uint64_t record_draw(void);
bool record_flip(void);
/* What it points to is in *storage. */
struct change record_draw_change(enum change_kind kind, struct record_storage *storage);

#endif
