/* second.h — another broker beside the rig's: the same configuration file, ports and a store of its own. */
#ifndef PROCESS_SECOND_H
#define PROCESS_SECOND_H

#include "rig.h"

#define SECOND_SETS_MAX 8

struct second {
    struct rig rig; /* its ports, program and token, for asking; all else in it is the first one's */
    char store[PROGRAM_PATH_MAX];
    char sets[SECOND_SETS_MAX][PROGRAM_PATH_MAX]; /* what it has besides the first one's */
    size_t set_count;
};

/* Free ports, and the folder NAME for its store and its log; it does not run yet. The rig must be open. */
void second_open(struct second *second, const struct rig *rig, const char *name);
/* One more `--set`, from its next start on. */
void second_set(struct second *second, const char *format, ...) __attribute__((format(printf, 2, 3)));
void second_start(struct second *second); /* does not wait */
/* Ends it in order, if it runs. */
void second_close(struct second *second);

/* Have both of them closed the line? See rig_line_was_closed(). */
bool both_have_closed(const struct rig *rig, const struct second *second, size_t line);

#endif
