/* ground.h — what the simulation stands on: virtual time, one queue of events, named streams of chance, the trace.
 *
 * One seed is one run of one process of the operating system, in one thread: nothing here is ever freed. Everything
 * that happens is an action at a moment or a step of a fiber (fiber.h); what two of them do at the same moment is
 * ordered by when they were asked for. */
#ifndef TESTS_SIM_GROUND_H
#define TESTS_SIM_GROUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- time ---- */

#define US_MS     INT64_C(1000)
#define US_S      INT64_C(1000000)
#define US_MIN    (60 * US_S)
#define US_H      (60 * US_MIN)
#define US_NEVER  INT64_MAX
#define BEGIN_MS  INT64_C(1795428000000) /* the wall clock when the world begins: 2026-11-23T10:00:00Z */

int64_t now_us(void); /* true time since the beginning; processes have clocks of their own (fiber.h) */

typedef void (*ground_action)(void *self, uint64_t arg);
void ground_at(int64_t time_us, ground_action action, void *self, uint64_t arg);
void ground_in(int64_t delay_us, ground_action action, void *self, uint64_t arg);
/* Runs until that moment, or until ground_end() was called. */
void ground_run(int64_t until_us);
void ground_end(void);
bool ground_has_ended(void);
uint64_t ground_steps(void); /* actions and steps of fibers so far */

/* ---- chance: each model draws from streams of its own, so that a new draw in one does not shift another ---- */

struct stream {
    uint64_t state;
};
void ground_begin(uint64_t seed);
uint64_t ground_seed(void);
struct stream stream_of(const char *name); /* from the seed and the name */
struct stream stream_nth(const char *name, uint64_t number); /* and a number: each has draws of its own */
uint64_t draw(struct stream *stream, uint64_t below);
bool chance(struct stream *stream, unsigned per_mille);
/* Between both, the small ones more often: a delay. */
int64_t draw_delay_us(struct stream *stream, int64_t least_us, int64_t most_us);

/* ---- the trace: every event has its line; the hash of all of them is what determinism is told by ---- */

#define ABOUT_NONE (-1)
struct about { /* what a line is about, to find the last lines that touch it */
    int job, conversation, line;
};
#define NOBODY_ABOUT ((struct about){ABOUT_NONE, ABOUT_NONE, ABOUT_NONE})
void note(struct about about, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define note_world(...) note(NOBODY_ABOUT, __VA_ARGS__)
void trace_mix(const void *data, size_t bytes); /* bytes that must be the same each time, without a line */
uint64_t trace_hash(void);
void trace_show(bool all); /* print lines as they come */

/* A promise is broken: prints it, the last events that touch the job, conversation and line, and the command that
 * does it again. Does not return. */
void breach(const char *promise, struct about about, const char *format, ...)
    __attribute__((format(printf, 3, 4), noreturn));

/* ---- faults: a batch in which one never happened says so ---- */

#define FAULTS(X)                                                                                                     \
    X(BROKER_KILLED, "broker_killed") X(POWER_CUT, "power_cut") X(CRASH_IN_WRITE, "crash_in_write")                   \
    X(CRASH_IN_SYNC, "crash_in_sync") X(CRASH_IN_SAYING, "crash_in_saying") X(TORN_WRITE, "torn_write")               \
    X(BROKER_STOPPED, "broker_stopped") X(BROKER_ENDED, "broker_ended") X(SYNC_FAILED, "sync_failed")                 \
    X(WRITE_FAILED, "write_failed") X(SHORT_WRITE, "short_write") X(DISK_SLOW, "disk_slow")                           \
    X(DISK_FULL, "disk_full") X(SYNC_LIED, "sync_lied") X(BIT_FLIPPED, "bit_flipped")                                 \
    X(CONNECTION_RESET, "connection_reset") X(UNSEEN_RECONNECT, "unseen_reconnect")                                   \
    X(PARTITION_ONE_WAY, "partition_one_way") X(PARTITION_BOTH_WAYS, "partition_both_ways")                           \
    X(MESSAGE_LOST, "message_lost") X(MESSAGE_DELAYED, "message_delayed")                                             \
    X(WORKER_KILLED, "worker_killed") X(WORKER_STOPPED, "worker_stopped") X(WORKER_ZOMBIE, "worker_zombie")           \
    X(WORKER_ENDED, "worker_ended") X(REQUEST_LOST, "request_lost") X(REQUEST_TWICE, "request_twice")                 \
    X(REQUEST_NOT_CONNECTED, "request_not_connected") X(ANSWER_LOST, "answer_lost") X(ANSWER_LATE, "answer_late")     \
    X(TIMEOUT_LATE, "timeout_late") X(CRASH_IN_CLEANING, "crash_in_cleaning")                                                                                 \
    X(PROVIDER_CODE, "provider_code") X(PROVIDER_STORM, "provider_storm") X(MESSAGE_DELETED, "message_deleted")       \
    X(KEY_REFUSED, "key_refused") X(WEBHOOK_LATE, "webhook_late") X(WEBHOOK_TWICE, "webhook_twice")                   \
    X(WEBHOOK_LOST, "webhook_lost") X(WEBHOOK_FORGED, "webhook_forged") X(WEBHOOK_REPLAYED, "webhook_replayed")       \
    X(LIST_STALE, "list_stale") X(LIST_CACHED, "list_cached") X(LIST_EMPTY, "list_empty")                             \
    X(LIST_FAILED, "list_failed") X(LINE_MISSING, "line_missing") X(LINE_TURNED, "line_turned")                       \
    X(LINE_FLAGGED, "line_flagged") X(OPTED_OUT, "opted_out") X(CHAT_TURNED, "chat_turned")                           \
    X(WALL_JUMPED, "wall_jumped") X(WALL_JUMPED_YEAR, "wall_jumped_year") X(CLOCK_DRIFTED, "clock_drifted")           \
    X(PRODUCER_RESENT, "producer_resent") X(PRODUCER_CANCELLED, "producer_cancelled") X(PAUSED, "paused")             \
    X(RESUMED, "resumed") X(CORDONED, "cordoned") X(REPUTATION_SET, "reputation_set") X(DRAINED, "drained")           \
    X(SETTLED, "settled") X(REQUEUED, "requeued") X(SUPPRESSED, "suppressed") X(MOVED, "moved") X(RELOADED, "reloaded")           \
    X(IMPORTED, "imported") X(HELD_REFUSED, "held_refused") X(ENQUEUED_OVER_HTTP, "enqueued_over_http")   \
    X(NEW_LINE, "new_line") X(SECOND_ACCOUNT, "second_account")                                                       \
    X(WEBHOOK_ASTRAY, "webhook_astray") X(CALL_ANSWER_LOST, "call_answer_lost") X(ERASED, "erased")                   \
    X(ERASURE_REHEARSED, "erasure_rehearsed") X(ERASED_ON_DISK, "erased_on_disk")                                     \
    X(ERASED_STOPPED, "erased_stopped") X(ERASED_WITH_JOBS_OUT, "erased_with_jobs_out")                               \
    X(ERASURE_OVER_RESTART, "erasure_over_restart") X(ERASED_CAME_AGAIN, "erased_came_again") X(NAMED_ELSEWHERE, "named_elsewhere")                        \
    X(ANSWERS_COUNTED, "answers_counted") X(TRIAGE_CANCELLED, "triage_cancelled")                                     \
    X(TRIAGE_EXPIRED, "triage_expired") X(TRIAGE_REDATED, "triage_redated") X(TRIAGE_MOVED, "triage_moved")           \
    X(TRIAGE_REHEARSED, "triage_rehearsed") X(TRIAGE_AGAIN, "triage_again") X(MOVED_TO_POOL, "moved_to_pool")         \
    X(EXPORTED, "exported") X(IMPORTED_AGAIN, "imported_again")
enum fault {
#define X(name, text) FAULT_##name,
    FAULTS(X)
#undef X
        FAULT_COUNT
};
void fault(enum fault fault);
uint64_t fault_count(enum fault fault);
const char *fault_name(enum fault fault);

#endif
