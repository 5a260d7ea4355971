/* rig.h — a broker, a sandbox and workers, real ones, in a temporary folder on free ports; and how to ask them.
 *
 * The configuration is quick: heartbeats of 200 ms, leases of 3 s, polls each 200 ms, no pace and no budgets, the
 * shortest ramp. A test changes what it is about with `sets` ("store.segment_mb=8"), which broker and workers get
 * as --set. One rig at a time. */
#ifndef PROCESS_RIG_H
#define PROCESS_RIG_H

#include <cjson/cJSON.h>

#include "program.h"

#define RIG_LINES        4
#define RIG_WORKERS      3
#define RIG_SETS_MAX     16
#define RIG_HEARTBEAT_MS 200
#define RIG_LEASE_MS     3000
#define RIG_RESTART_MS   500
#define RIG_POLL_MS      200
#define RIG_SECRET       "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

struct rig {
    char folder[64];
    char config[PROGRAM_PATH_MAX], sandbox_log[PROGRAM_PATH_MAX];
    char lines[RIG_LINES][16]; /* "+12025550101" ... */
    struct {
        uint16_t producers, workers, events, webhooks, admin, provider, control;
    } port;
    const char *sets[RIG_SETS_MAX];
    size_t set_count;
    const char *sandbox_options[16]; /* besides the usual ones; NULL last */
    const char *first_token;         /* the file with it; tokens.first */
    char token[256];
    struct program broker, sandbox, worker[RIG_WORKERS];
    void *zmq;
    int64_t opened_mono_ms;
    uint64_t random;
};

/* A folder, ports and a configuration file; nothing runs yet. `sets`: NULL last, NULL is none. The random numbers
 * begin with LINEWARD_SEED, if that is set. */
void rig_open(struct rig *rig, const char *const *sets);
/* More of the configuration file, before anything runs. `policies` stands last in it, so the text may go on with
 * policies of its own ("  slow: {pace_per_min: 1}\n") and then name pools. */
void rig_configure(const struct rig *rig, const char *text);
/* A file of the rig's folder, which only its owner can read. */
void rig_write(const struct rig *rig, const char *name, const char *text);
/* Ends everything in order, which must succeed, searches what it said and left for secrets, and removes the folder. */
void rig_close(struct rig *rig);

void rig_start_sandbox(struct rig *rig);
void rig_start_broker(struct rig *rig); /* does not wait */
void rig_restart_by_force(struct rig *rig); /* waits until it is ready and its one worker is back */
void rig_start_worker(struct rig *rig, size_t index);
void rig_await_admin(struct rig *rig); /* until the broker answers on its admin port */
void rig_await_ready(struct rig *rig); /* and knows its lines */
/* Sandbox, broker and `workers` workers; ready. */
void rig_start(struct rig *rig, size_t workers);
/* The arguments that the broker gets, for who starts another one. */
void rig_broker_arguments(const struct rig *rig, const char **out);

uint16_t rig_free_port(void);

/* splitmix64; below `bound` */
uint64_t rig_random(struct rig *rig, uint64_t bound);

/* ---- asking; answers are the caller's, free with cJSON_Delete() ---- */

/* The admin API. `body` NULL: none. NULL: no answer, or no JSON; *status (if asked) is then 0 or the status. */
cJSON *rig_ask(struct rig *rig, const char *method, const char *path, const char *body, long *status);
/* The same, which must succeed. */
cJSON *rig_operate(struct rig *rig, const char *method, const char *path, const char *body);
/* The same with another token (NULL: none), and the answer as it came: "" if there is none. `limit_ms` 0: as usual;
 * else what came until then, for calls that do not end. */
char *rig_fetch(struct rig *rig, const char *token, const char *method, const char *path, const char *body,
                long limit_ms, long *status);
/* The sandbox's controls; any answer but 200 fails the test. */
cJSON *rig_control(struct rig *rig, const char *method, const char *path, const char *body);
void rig_faults(struct rig *rig, const char *faults); /* NULL: none any more */
/* `members`: e.g. "\"reputation\":\"CRITICAL\"" */
void rig_set_line(struct rig *rig, size_t line, const char *members);
/* POST to the webhook port with these headers ("name: value", NULL last). The HTTP status, 0: no answer. */
long rig_post_webhook(struct rig *rig, const char *path, const char *body, const char *const *headers);

/* Numbers and words of an answer that must be there: "backlog.held" goes into objects. */
int64_t number_at(const cJSON *json, const char *path);
const char *text_at(const cJSON *json, const char *path); /* NULL if it is null */

/* Is the line's gate this one ("open", "slow", "closed"), for this reason (NULL: any)? By the admin API. */
bool rig_line_is(struct rig *rig, size_t line, const char *gate, const char *reason);
/* Has its broker ever closed the line? By its log: where the provider's list does not tell of the change, two polls
 * open the line again, and who asks the broker itself may come too late. */
bool rig_line_was_closed(const struct rig *rig, size_t line);
/* Sends the sandbox has accepted so far: new messages, not repeats. */
int64_t rig_accepted(struct rig *rig);
int64_t rig_stat(struct rig *rig, const char *path); /* of GET /stats */
size_t rig_workers_there(struct rig *rig);           /* that the broker hears of */

/* Runs a program of the build to its end; the exit code. What it says is in FOLDER/`log`. */
int rig_run(struct rig *rig, const char *name, const char *log, const char *const *arguments);
/* A whole file of the rig's folder, with a terminator; the caller's. */
char *rig_read(const struct rig *rig, const char *name);
/* Calls `visit` with each request of the sandbox's log that is a send; the sandbox must have ended. */
void rig_each_send(const struct rig *rig, void (*visit)(void *self, const cJSON *send), void *self);
/* Judges the sandbox's log by the producers' acked file (both complete), which must find nothing. */
void rig_audit(struct rig *rig, const char *acked, const char *holds_min);
/* The same with these options of lineward-audit (NULL last). */
void rig_audit_by(struct rig *rig, const char *acked, const char *const *rules);

#endif
