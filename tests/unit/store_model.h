/* store_model.h — a toy owner of a store, and what it expects to find again: jobs that live and end, values that are
 * set and removed, tries that say more about a job. Everything is drawn from a seed; what a commit should leave
 * behind is known for every commit. */
#ifndef LINEWARD_TESTS_STORE_MODEL_H
#define LINEWARD_TESTS_STORE_MODEL_H

#include "broker/store/store.h"
#include "tests/support/store_sim.h"

enum { MODEL_JOB = 1, MODEL_END = 2, MODEL_VALUE = 3, MODEL_TRY = 4 };
#define MODEL_VALUES   64
#define MODEL_JOBS_MAX 40000

extern const struct store_kind model_kinds[STORE_KINDS_MAX];
extern _Atomic int64_t model_wall_ms; /* the clock that stores of models are given */

struct model_job {
    bool alive, ended;
    uint32_t tries;
    uint32_t body_bytes;
    store_place place;
    uint64_t end_seq;
};

struct model_change { /* what one commit did, for model_expect() */
    uint64_t commit;
    enum { CHANGE_BORN, CHANGE_ENDED, CHANGE_TRIED, CHANGE_SET } what;
    uint64_t key;
    uint32_t value;
};

struct model {
    uint64_t seed;
    struct model_job *jobs; /* by number, from 1 */
    size_t job_room;
    uint64_t job_count; /* numbers given */
    uint64_t alive;
    uint32_t values[MODEL_VALUES]; /* 0: none */
    uint64_t seq;
    uint64_t submitted, durable;
    struct model_change *changes;
    size_t change_count, change_room;
    size_t unsubmitted; /* of the last changes */
    struct store *store;
    struct store_batch *batch;
    struct sim *sim; /* NULL: real files */
    int wake_fd;
    unsigned body_max, alive_max;
    bool heeds_full;  /* no births while the store is full */
    bool births_only; /* and nothing else */
    bool bare_ends;   /* ends copy no body from their jobs; else each third does */
    unsigned slice_us;
    int64_t slowest_slice_us;
    uint64_t replayed, replayed_past;
    bool recovering;
};

struct model *model_new(uint64_t seed);
void model_free(struct model **model_p);

/* Options for a store owned by this model; `sim` NULL: the real file system. */
struct store_options model_options(struct model *model, struct sim *sim, const char *path, uint64_t segment_bytes);
/* Opens; what was in memory is forgotten and learned from the replay. */
enum err model_open(struct model *model, struct sim *sim, const char *path, uint64_t segment_bytes,
                    struct store_problem *problem);
void model_close(struct model *model);

/* Single changes, for the batch that the next turn or settling submits. */
uint64_t model_bear(struct model *model, uint32_t body_bytes); /* the job's number */
void model_end(struct model *model, uint64_t key);
void model_set(struct model *model, uint64_t key, uint32_t value); /* 0: removed */

/* One turn of random changes, a slice of cleaning, a submit, a collect. False: the store has failed. */
bool model_turn(struct model *model, unsigned changes);
/* Collects until everything submitted is durable, waiting for the store. False: it has failed. */
bool model_settle(struct model *model);
/* Cleans until there is nothing more to do, at this time. False: the store has failed. */
bool model_clean(struct model *model, int64_t now_ms);

/* Takes over what `original` knows up to the commit that was recovered: this model can go on from there. */
void model_adopt(struct model *recovered, const struct model *original);
/* Does what was recovered equal what this other model had after `commit`? *why says what differs. */
bool model_equals(const struct model *recovered, const struct model *original, uint64_t commit, const char **why);
/* Reads every living job and compares it. */
bool model_reads_all(struct model *model, const char **why);

uint64_t model_random(struct model *model, uint64_t below);

#endif
