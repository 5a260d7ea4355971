/* sandbox_rig.h — a whole sandbox over real sockets, a client for it, and a receiver of its webhooks.
 *
 * Nothing sleeps: what must come is waited for, with a limit after which the test fails. */
#ifndef TESTS_SANDBOX_RIG_H
#define TESTS_SANDBOX_RIG_H

#include <pthread.h>
#include <stdbool.h>

#include "lineward/signature.h"
#include "tools/sandbox/sandbox.h"

#define SECRET     "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define WAIT_S     20
#define EVENTS_MAX 64

struct received {
    char body[4096], id[64];
    enum signature_verdict verdict;
};

extern struct receiver {
    struct sandbox_http *server;
    pthread_mutex_t lock;
    pthread_cond_t came;
    struct received events[EVENTS_MAX];
    int count;
    int statuses[EVENTS_MAX]; /* what to answer, in order; 0: 200 */
} receiver;

extern struct sandbox_options options;
extern struct sandbox *sandbox;
extern char answer_text[262144], answer_headers[4096]; /* of the last call; cut if too long */

/* A sandbox with key k, lines +12025550101 and +12025550102, seed 1, and a log; events go nowhere yet. */
void sandbox_rig_setup(void);
/* The same, with more options; ends with NULL. */
void sandbox_rig_start(const char *const *more);
void sandbox_rig_stop(void); /* of the sandbox, before the teardown: its log is complete then */
void sandbox_rig_teardown(void);

/* HTTP status, or minus libcurl's code. `body` NULL: none. */
long api(const char *method, const char *path, const char *body);
long control(const char *method, const char *path, const char *body);
long send_one(const char *line, const char *to, const char *key);
void give_up_after(long ms); /* of the client's calls */
/* From now on the receiver gets the events. */
void hear_webhooks(void);
/* The `index`th event, once it has come. */
const struct received *event_wait(int index);
/* A text member of the answer, wherever it is. */
void answer_member(const char *name, char *out, size_t room);
bool answer_has(const char *text);
/* The log, after the sandbox has stopped. */
char *log_read(void);

#endif
