/* worker.h — the worker: takes leases from its brokers, has the requests sent, names what came of them.
 * One thread, one epoll. */
#ifndef LINEWARD_WORKER_H
#define LINEWARD_WORKER_H

#include <stdbool.h>

#include "lineward/clock.h"
#include "lineward/conf.h"
#include "lineward/err.h"

struct worker;

/* `conf` is read and not kept. `clock` is clock_read() but in tests. Else *problem says what is wrong with
 * configuration, keys or endpoints. curl_global_init() and sodium_init() are the caller's. */
enum err worker_open(struct worker **out, const struct conf *conf, struct instant (*clock)(void),
                     struct conf_problem *problem);
void worker_free(struct worker **worker_p);

/* Waits for work for at most `wait_max_ms` (-1: as long as nothing is due) and does it. */
void worker_turn(struct worker *worker, int wait_max_ms);

/* Says BYE and gives back what has not begun. Then turn until worker_has_ended(). */
void worker_end(struct worker *worker);
/* All that was in hand is answered, and the brokers have said DONE or were given time to. */
bool worker_has_ended(const struct worker *worker);
/* Leases whose result no broker has acknowledged, or that are still under way. */
size_t worker_leases(const struct worker *worker);

/* The handler of SIGCONT: whoever was stopped does not trust what it knew (broker_link_doubt()). Only the thread of
 * worker_run() may take that signal, so that the handler has run before anything else is done. */
void worker_resumed(int signal);

struct worker_source { /* where the configuration came from */
    const char *path;
    const char *const *sets;
    size_t set_count;
    const struct conf *started; /* as it was read at the start */
};
/* Reads the configuration and its files again, and takes over accounts, their API keys and worker.request_timeout_ms for
 * requests that begin from now on. What is wrong changes nothing and is logged, as is what needs a restart. */
void worker_reload(struct worker *worker, const struct worker_source *source);

/* Turns until SIGTERM or SIGINT, read from `signal_fd` (a signalfd), then ends; SIGHUP: worker_reload(). The program's
 * exit code: 0, though some results may not have been acknowledged (the log says how many), or 1 at a second signal. */
int worker_run(struct worker *worker, int signal_fd, const struct worker_source *source);

#endif
