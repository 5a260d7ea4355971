/* child.h — a child process of the broker, which is this program once more, at the other end of a socketpair: started,
 * watched, started again when it dies, and let go. What is said over the socket is its user's matter. */
#ifndef LINEWARD_EDGE_CHILD_H
#define LINEWARD_EDGE_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lineward/clock.h"
#include "lineward/conf.h"

#define CHILD_FD         3 /* where it finds its socket */
#define CHILD_CONF_FD    4 /* where it finds the text of its configuration, if conf_load() has read it */
#define CHILD_RESTART_MS 100 /* the first wait; doubled each time, up to ten seconds, until it is well */

struct child {
    const char *failed; /* the log event when it cannot be started; a static text */
    int fd;             /* -1: it does not run */
    pid_t pid;
    int64_t start_at_ms, restart_ms;
    uint64_t starts;
};

void child_init(struct child *child, const char *failed);
/* Starts it if it does not run and its time has come. True: it was started now. `type`: of the socket. `conf` is what
 * is in force; its file may be another by now, refused at SIGHUP or not read yet. */
bool child_start(struct child *child, char *const *argv, int type, const struct conf *conf, struct instant now);
int64_t child_next_mono_ms(const struct child *child); /* when to start it; TIME_NEVER: it runs */
void child_well(struct child *child); /* it has said something sensible */
/* It broke its word, or is gone: killed, waited for, to be started again in a while. */
void child_lost(struct child *child, struct instant now);
/* Closes the socket, which ends it, and waits; after two seconds it is killed. */
void child_end(struct child *child);

#endif
