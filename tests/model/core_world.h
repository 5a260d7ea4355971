/* core_world.h — what is outside of the broker in the model test, and what no crash of it undoes: workers with the
 * leases they hold, a provider that has taken messages, the true word of each line. Everything is drawn from the
 * seed. */
#ifndef TESTS_CORE_WORLD_H
#define TESTS_CORE_WORLD_H

#include "core_naive.h"

enum { WORLD_WORKERS = 4, WORLD_HELD = 64, WORLD_SET = 1 << 18 };

struct held {
    uint64_t lease, number;
    uint32_t worker, line;
    int64_t told_ms;
    bool begun, revoked, answered;
    struct core_result result; /* sent again until DONE */
};

struct world_worker {  /* its peer is its index + 1 */
    uint64_t instance; /* 0: dead */
    bool ready;        /* as far as it knows */
    uint32_t pools;    /* a bit for each that its key names, as it last said READY */
    int64_t beat_ms;   /* the last that was answered */
};

struct world_poll {
    bool under_way;
    int64_t begun_mono_ms;
    enum reputation words[NAIVE_LINES];
};

struct world {
    uint64_t random;
    struct held held[WORLD_HELD];
    size_t held_count;
    struct world_worker workers[WORLD_WORKERS];
    struct world_poll polls[2];
    enum reputation words[NAIVE_LINES];
    uint64_t instances, events, ids, poll_numbers;
    struct {
        uint64_t key, value;
    } begun[WORLD_SET], taken[WORLD_SET], conversation[WORLD_SET];
    uint64_t alerts[ALERT_COUNT];
    bool storm; /* the provider takes nothing and says so */
    bool good;  /* nothing goes wrong any more */
};

void world_init(struct world *world, uint64_t seed);
uint64_t world_draw(struct world *world, uint64_t below);
bool world_begun(const void *world, uint64_t lease);
bool world_provider_has(const void *world, uint64_t number);
void world_note_job(struct world *world, uint64_t number, uint32_t conversation);
uint32_t world_conversation_of(const struct world *world, uint64_t number);
uint64_t world_recipient_of(void *world, uint64_t number);

/* What the broker said: JOB, REVOKE, DONE, READY, unknown worker. */
void world_hear(struct world *world, const struct rig *rig, struct naive *naive);
void world_kill(struct world *world, uint32_t worker);
void world_ready(struct world *world, uint32_t worker, struct rig *rig);
/* Workers begin what they may begin. */
void world_begin_some(struct world *world, const struct rig *rig, struct naive *naive);
/* A worker's RESULT for something it holds; NULL: nothing to say. */
struct held *world_answer(struct world *world, const struct rig *rig, struct core_result *out);
enum reputation world_turn_line(struct world *world, uint32_t line);
void world_begin_poll(struct world *world, uint32_t account, const struct rig *rig);
void world_crash(struct world *world); /* of the broker */

#endif
