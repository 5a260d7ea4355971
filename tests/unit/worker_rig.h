/* worker_rig.h — a worker between a ROUTER that plays the broker and a small HTTP server that plays the provider, all
 * in one thread: nothing happens but in rig_*() calls, so tests are deterministic and need no sleep.
 * The clock stands still until a test moves it; only `clock_runs` makes it follow the real one (libcurl's own
 * timeouts are real). */
#ifndef TESTS_WORKER_RIG_H
#define TESTS_WORKER_RIG_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lineward/clock.h"
#include "workers/worker.h"

#define RIG_HEARTBEAT_MS    1000
#define RIG_FRAMES_MAX      600
#define RIG_CONNECTIONS_MAX 32
#define RIG_REQUESTS_MAX    64
#define RIG_OK              "{\"chat_id\":\"chat-1\",\"message\":{\"id\":\"message-1\"}}"

enum stub_action {
    STUB_ANSWER, /* status, headers and body as set */
    STUB_CLOSE,  /* read the whole request, then close */
    STUB_RESET,  /* the same, with a TCP reset */
    STUB_CUT,    /* half of the answer, then close */
    STUB_SILENT, /* never answer */
};

struct stub_connection {
    int fd;
    unsigned served;
    char in[8192];
    size_t in_bytes;
};

struct stub {                /* the provider */
    int fd, port, filler_fd; /* filler: what keeps others from connecting */
    enum stub_action action;
    int status;
    const char *headers; /* each with its \r\n */
    const char *body;
    bool close_reused; /* a second request on a connection is read and the connection closed: once */
    struct stub_connection connections[RIG_CONNECTIONS_MAX];
    char *requests[RIG_REQUESTS_MAX]; /* as they came */
    size_t request_count, connection_count;
};

struct heard { /* one message of the worker */
    unsigned char peer[256];
    size_t peer_bytes;
    char *frames[RIG_FRAMES_MAX]; /* after the version: command, ... */
    size_t count;
};

struct rig {
    struct worker *worker;
    struct stub stub;
    void *zmq, *router;
    char endpoint[64];
    struct heard heard;
    unsigned char peer[256]; /* the worker's address, from its last READY */
    size_t peer_bytes;
    bool echo_beats;
    size_t beats, readies;
};

struct rig_job { /* NULL, 0 or false: the usual */
    const char *chat_id, *expires_at, *account, *message;
    bool unsettled;
    int64_t lease_ms, attempt;
};

extern struct instant rig_now; /* moved by tests */
extern bool rig_clock_runs;

/* `sets` are --set overrides besides the addresses; NULL-terminated, or NULL. */
void rig_open(struct rig *rig, const char *const *sets);
/* The same over CURVE; the broker's key that the worker is given is the right one, or not. */
void rig_open_curve(struct rig *rig, bool right_key);
void rig_close(struct rig *rig);

/* From now on, connections to the provider are neither made nor refused. */
void rig_block_provider(struct rig *rig);

/* A few turns of all three; for tests that something does not happen. */
void rig_turns(struct rig *rig, int turns);
/* Turns until the worker says `command` (BEATs and what else it says before are passed over) and returns it, valid
 * until the next call. Fails the test after a while. */
const struct heard *rig_hear(struct rig *rig, const char *command);
/* Turns until the provider has got `count` requests in all. */
void rig_requests(struct rig *rig, size_t count);
/* Has the worker said `command` within a few turns? */
bool rig_hears(struct rig *rig, const char *command);

/* Says frames after the version, NULL-terminated. */
void rig_say(struct rig *rig, const char *command, ...) __attribute__((sentinel));
/* Waits for READY and answers it. Returns the READY document: cJSON_Delete(). */
cJSON *rig_ready(struct rig *rig);
void rig_give_job(struct rig *rig, const char *lease, const struct rig_job *job);
/* The result of `lease` in the RESULT that comes next, parsed: cJSON_Delete(). */
cJSON *rig_next_result(struct rig *rig, const char *lease);
const char *rig_outcome(const cJSON *result);
/* The next RESULT of that lease says that. */
void rig_expect_outcome(struct rig *rig, const char *lease, const char *outcome);

#endif
