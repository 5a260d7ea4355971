/* core_rig.h — a core with the smallest shell around it that still keeps the rules: changes become encoded records,
 * messages wait until theirs are durable, and a restart knows nothing but the durable records. For tests. Clock,
 * seed and every byte are the test's; nothing here draws its own. */
#ifndef TESTS_CORE_RIG_H
#define TESTS_CORE_RIG_H

#include "broker/core/core.h"

#define RIG_LINE     12025550100u /* lines are this and their index */
#define RIG_START_MS INT64_C(1795428000000)
#define RIG_TOLD_MAX 65536

struct record_storage;

struct rig_record {
    unsigned kind;
    uint64_t key, seq;
    size_t at;
    uint32_t bytes;
    bool past;
    size_t past_needs; /* records that must be durable for that: what ended it was submitted with the cleaning */
    size_t copy_of;   /* 1 + the record that the cleaner moved here; 0: none */
    size_t copied_to; /* 1 + the record that took its place; once that is durable, this one is gone */
};

struct rig_waiting {
    struct effect effect;
    size_t needs; /* records */
};

struct rig_options {
    const char *conf; /* YAML; NULL: all defaults */
    uint64_t seed;
    struct core_limits limits; /* a 0 takes a small default */
    bool hold_commits;         /* the test calls rig_commit() itself; else every step is durable at once */
    /* What the edge reads from the store before it hands a job out; NULL: nobody is asked for. */
    uint64_t (*recipient_of)(void *self, uint64_t number);
    core_homes *homes_of; /* whose conversations are whose; NULL: nobody ever asks */
    /* Sees the changes of each step before the rig keeps them. Who has it keeps them in a store of its own, which tells
     * the core of places; NULL: the rig does. */
    void (*persist)(void *self, const struct effects *out);
    void *self;
    int64_t backup_ms, key_life_ms; /* the next start is one from a restored backup of that moment; 0: not */
};

struct rig {
    struct rig_options options;
    struct conf *conf;
    struct core *core;
    struct instant now;
    struct effects out;
    void *memory;
    size_t memory_used;
    struct rig_record *records;
    size_t record_count, record_room, durable, moved_told;
    uint8_t *bytes;
    size_t bytes_used, bytes_room;
    struct rig_waiting *waiting;
    size_t waiting_first, waiting_end, waiting_room;
    struct effect told[RIG_TOLD_MAX]; /* what was said since rig_forget(); JOBs only if core_lease_send() agreed */
    size_t told_count;
    uint64_t polls, starts;
    uint32_t index;
};

struct rig *rig_new(const struct rig_options *options);
/* A core that learns what it must know from `replay` (core_restore()), at this moment, as the start that comes after so
 * many. NULL: it failed. */
struct rig *rig_replayed(const struct rig_options *options, struct instant now, uint64_t starts,
                         bool (*replay)(void *self, struct rig *rig));
void rig_free(struct rig **rig_p);

/* Everything undurable is lost, a new core learns the rest from the records. Its workers are gone. */
void rig_restart(struct rig *rig, int64_t after_ms);
/* A new core from records [0, count) of `rig`, each replayed `times`, into a rig of its own with the same clock. */
struct rig *rig_replica(const struct rig *rig, size_t count, unsigned times);

/* After any call of the core: changes become records, messages wait for them. */
void rig_keep(struct rig *rig);
/* The first `count` records are durable: tells places, says what waited for them. */
void rig_commit(struct rig *rig, size_t count);
/* Cleans the durable record `i` as the store does: what is live moves to the end of the journal, what is current is
 * said anew there (the old one is gone once that is durable), what is over is history. Call rig_keep() afterwards. */
void rig_clean(struct rig *rig, size_t i);
void rig_forget(struct rig *rig); /* told = nothing */
/* The nth (from 0) thing told of that kind; NULL: none. */
const struct effect *rig_told(const struct rig *rig, enum effect_kind kind, size_t nth);
size_t rig_count(const struct rig *rig, enum effect_kind kind);
/* The first JOB told, which there must be; told = nothing. */
struct effect rig_job_told(struct rig *rig);
/* Records of that kind (and key, unless 0) from `from` on. */
size_t rig_records(const struct rig *rig, unsigned kind, uint64_t key, size_t from);
/* What record `i` says, with its texts in *storage. */
void rig_read(const struct rig *rig, size_t i, struct record_storage *storage, struct change *change);
/* The last record of that kind and key. False: there is none. */
bool rig_last(const struct rig *rig, enum change_kind kind, uint64_t key, struct record_storage *storage,
              struct change *change);

/* ---- events, with what tests seldom care about filled in ---- */
struct core_enqueue rig_job(uint64_t conversation, enum job_class class);
struct effect rig_enqueue(struct rig *rig, const struct core_enqueue *job);
uint64_t rig_send(struct rig *rig, uint64_t conversation, enum job_class class); /* the number; it must be accepted */
void rig_worker(struct rig *rig, uint32_t peer, uint32_t slots); /* READY; its instance is peer + 1000 */
void rig_beat(struct rig *rig, uint32_t peer);
void rig_tick(struct rig *rig);
/* Time passes: ticks whenever the core wants to be called, workers beat each second. */
void rig_pass(struct rig *rig, int64_t ms);
void rig_poll(struct rig *rig, uint32_t lines,
              const enum reputation *words); /* one good poll of account 0, begun now */
void rig_poll_all(struct rig *rig, uint32_t lines, enum reputation word);
void rig_tell(struct rig *rig, uint32_t line, enum reputation word, int64_t changed_at_ms);
void rig_tell_service(struct rig *rig, uint32_t line, enum service service, int64_t changed_at_ms);
void rig_tell_both(struct rig *rig, uint32_t line, enum reputation word, enum service service, int64_t changed_at_ms);
struct core_result rig_result(const struct effect *job, enum outcome outcome);
void rig_answer(struct rig *rig, const struct core_result *result);
void rig_sent(struct rig *rig, const struct effect *job);
/* The pause's number; 0: refused. */
uint64_t rig_pause(struct rig *rig, enum pause_scope scope, uint64_t target, int64_t for_ms);
enum code rig_resume(struct rig *rig, enum pause_scope scope, uint64_t target, uint64_t pause);

struct job_view rig_view(struct rig *rig, uint64_t number); /* state NONE: not live */
struct line_view rig_line(struct rig *rig, uint32_t line);
enum reason rig_shape_reason(struct rig *rig); /* of the last job that waits, as the shape has it */

#endif
