/* load.h — producers under load that keep the record an auditor needs.
 *
 * Each producer has conversations of its own and one request under way: without an ACK it sends the same jobs with
 * the same ids again, and what was refused `busy` or `store_full` before anything later. So the order in which its
 * jobs must go out is the order in which it made them (PROTOCOL, Producers).
 *
 * Jobs and conversations lie in shared memory, and each step leaves them so that load_resume() can go on after a
 * death at any instruction: a producer's own record of what it made and what it was told. */
#ifndef PROCESS_LOAD_H
#define PROCESS_LOAD_H

#include "producer.h"

#define LOAD_PRODUCERS     4
#define LOAD_CONVERSATIONS 200 /* of each producer; one in eight is a group; begun one by one as jobs are made */
#define LOAD_BATCH_MAX     12
#define LOAD_JOBS_MAX      40000
#define LOAD_RESEND_MS     400
#define LOAD_KNOWN_FIRST   8     /* conversations of a producer from the start on */
#define LOAD_JOBS_A_NEW    60    /* then one more each so many jobs of its load */
#define LOAD_LARGEST       10000 /* conversations of a producer in an even load */

struct load_job {
    uint32_t n; /* within its conversation and class */
    uint16_t producer, conversation;
    uint8_t job_class;
    int64_t expires_wall_ms;          /* 0: never */
    char number[JOB_NUMBER_TEXT_MAX]; /* empty: not acknowledged */
    int64_t acked_mono_ms;            /* 0: not acknowledged, whatever stands in `number` */
    bool settled;                     /* it knows that it was acknowledged, and never asks again */
    char state[12];
    int64_t ended_mono_ms, attempts; /* with its state */
};

struct load_producer {
    struct producer wire;
    uint32_t batch[LOAD_BATCH_MAX]; /* jobs of the request under way */
    size_t batch_count;
    uint32_t made; /* jobs so far */
    bool asked;    /* it is under way */
    char request[32];
    int64_t sent_mono_ms, next_mono_ms;
    struct load_conversation {
        uint32_t n[4]; /* jobs of each class */
    } * conversations;
};

struct load {
    struct rig *rig;
    struct load_producer producers[LOAD_PRODUCERS];
    uint32_t producer_count, first; /* of all loads of the rig these are the producers `first` and on */
    struct load_job *jobs;
    uint32_t job_count, acked;
    uint32_t jobs_max; /* no new ones then */
    uint32_t jobs_room;
    uint32_t conversations;                     /* of each producer */
    uint32_t jobs_each;                         /* of each conversation; 0: as chance has it */
    int64_t interval_ms;                        /* of a producer, between two batches, on average */
    uint64_t resent, duplicates, full, refused; /* requests; results; jobs refused `store_full`, or at all */
    const char *may_wait_for;                   /* a job that waits for this reason has come to its end; NULL: none */
    bool withdraws; /* some jobs expire soon, some are taken back at any time; to be set after load_open() */
    struct producer canceller;
};

void load_open(struct load *load, struct rig *rig, uint32_t jobs_max, int64_t interval_ms);
/* An even load: so many jobs in each of so many conversations of each producer, all begun from the start on. */
void load_open_even(struct load *load, struct rig *rig, uint32_t conversations, uint32_t jobs_each,
                    int64_t interval_ms);
/* The load of one producer, number `number` of several loads. Nothing is connected before load_resume(). */
void load_open_one(struct load *load, struct rig *rig, uint32_t number, uint32_t jobs_max, int64_t interval_ms);
/* Goes on after the death of the process that drove it, from what it had noted: what was not acknowledged for all it
 * knows is sent again. */
void load_resume(struct load *load);
/* Whatever can be done now: never waits. */
void load_turn(struct load *load);
bool load_is_acked(const struct load *load); /* all there is */
/* Makes no new jobs, and waits until all there are have been acknowledged. */
void load_finish(struct load *load);
/* Waits until every job is final, or waits for what it may; each has then its state. */
void load_await_final(struct load *load, int64_t limit_ms);
uint32_t load_waiting(const struct load *load); /* of those, jobs that wait */
/* Adds to the acked file in the rig's folder; its path into out. */
void load_write_acked(const struct load *load, char out[PROGRAM_PATH_MAX]);
void load_close(struct load *load);

#endif
