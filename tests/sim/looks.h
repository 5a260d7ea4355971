/* looks.h — somebody who reads GET /v1/replies now and then, and holds it against what the witness has seen: by line and by
 * class, asked at once, it adds up to the same; it has all messages that a worker was told DONE for, none twice, and no more
 * answers than messages; by campaign no more than there is. Over restarts and erasures, too. */
#ifndef TESTS_SIM_LOOKS_H
#define TESTS_SIM_LOOKS_H

#include "tests/sim/ground.h"

void looks_begin(void);
void looks_mishap(struct stream *stream);

/* ---- what the witness sees ---- */
void looks_sent(int job); /* its RESULT sent was answered DONE */
void looks_forget(void);  /* the disk has lied, or the clock was in another week */

#endif
