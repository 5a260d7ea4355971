/* disk.h — the broker's disk: the store's file layer over a file system in memory (tests/support/store_sim.h) that
 * takes its time, fails, lies, runs full, and at a power cut keeps of what was not synced whatever chance says. */
#ifndef TESTS_SIM_DISK_H
#define TESTS_SIM_DISK_H

#include <stdbool.h>

#include "broker/store/store_io.h"
#include "tests/sim/ground.h"

#define DISK_FOLDER "/sim"
#define DISK_NAME_MAX 64

struct sim;
void disk_begin(void);
struct sim *disk_copy(void); /* of what is on it now */
const struct store_io *disk_io(void);
/* The process that had it is gone; what it wrote is there. */
void disk_closed(void);
/* The power was cut: what was not synced is there in part. */
void disk_cut(void);
/* Something happens to it (one draw), or with it from now on. */
void disk_mishap(struct stream *stream);
void disk_heal(void);
bool disk_is_full(void);
/* A sync lied, and a power cut lost what it had promised: whoever trusted the disk was deceived. Asked once. */
bool disk_has_lied(void);
/* Has it ever? */
bool disk_has_ever_lied(void);
/* Are these bytes in any file, as it is, or as it would be after a power cut? `where`: its name. */
bool disk_holds(const char *text, size_t bytes, char where[DISK_NAME_MAX]);
/* The longest time that one call has taken since this was asked last. */
int64_t disk_worst_us(void);

#endif
