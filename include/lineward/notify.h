/* notify.h — tells the service manager how it stands with this process: the datagrams of sd_notify(3), which is all of
 * libsystemd that we would use. Without a manager ($NOTIFY_SOCKET) every call does nothing. One thread calls. */
#ifndef LINEWARD_NOTIFY_H
#define LINEWARD_NOTIFY_H

#include <stdint.h>

/* Reads $NOTIFY_SOCKET and $WATCHDOG_USEC and takes both out of the environment: a child is not who is meant. Once, before
 * any thread starts. */
void notify_open(void);
void notify_close(void);

void notify_ready(void);     /* serving, or again after notify_reloading() */
void notify_reloading(void); /* HUP came */
void notify_stopping(void);  /* TERM came */
void notify_starting(int64_t more_ms); /* not ready yet, but at work: wait so much longer from now on */

/* To be called in each turn: says that this process is not stuck, when it is time to. */
void notify_turn(int64_t mono_ms);
int64_t notify_next_mono_ms(void); /* when to call that at the latest; TIME_NEVER: nobody asks */

#endif
