/* crowd.c — see crowd.h. */
#include "crowd.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <zmq.h>

struct shared { /* with the process of a member */
    struct load load;
    volatile bool finishing;
};

/* The process: never returns but when all is done. The rig is a copy by now, and a socket belongs to who opened it.
 */
static int produce(void *self)
{
    struct crowd_member *member = self;
    struct load *load = member->load;
    load->rig->random = member->seed;
    load->rig->zmq = zmq_ctx_new();
    load_resume(load);
    for (; !*member->finishing || !load_is_acked(load); programs_tick()) {
        if (*member->finishing)
            load->jobs_max = load->job_count;
        load_turn(load);
    }
    return EXIT_SUCCESS;
}

void crowd_start(struct crowd *crowd, size_t index)
{
    struct crowd_member *member = &crowd->members[index];
    member->seed = rig_random(crowd->rig, UINT64_MAX);
    program_fork(&member->process, produce, member);
}

void crowd_kill(struct crowd *crowd, size_t index)
{
    crowd->deaths += crowd->members[index].process.pid != 0;
    program_kill(&crowd->members[index].process);
}

void crowd_open(struct crowd *crowd, struct rig *rig, uint32_t jobs_max, int64_t interval_ms)
{
    *crowd = (struct crowd){.rig = rig};
    for (uint32_t i = 0; i < CROWD_PRODUCERS; i++) {
        struct crowd_member *member = &crowd->members[i];
        struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        MUST(shared != MAP_FAILED, "no room for a producer");
        member->load = &shared->load;
        member->finishing = &shared->finishing;
        member->process.name = "a producer";
        snprintf(member->process.log, sizeof member->process.log, "%s/producer-%u.log", rig->folder, i + 1);
        load_open_one(member->load, rig, i, jobs_max, interval_ms);
        member->load->withdraws = true;
        crowd_start(crowd, i);
    }
}

uint32_t crowd_jobs(const struct crowd *crowd)
{
    uint32_t jobs = 0;
    for (size_t i = 0; i < CROWD_PRODUCERS; i++)
        jobs += crowd->members[i].load->job_count;
    return jobs;
}

void crowd_finish(struct crowd *crowd)
{
    for (size_t i = 0; i < CROWD_PRODUCERS; i++)
        *crowd->members[i].finishing = true;
    for (size_t i = 0; i < CROWD_PRODUCERS; i++) {
        int code = program_wait(&crowd->members[i].process, LIMIT_MS);
        MUST(code == EXIT_SUCCESS, "producer %zu ended with %d", i + 1, code);
    }
}

void crowd_close(struct crowd *crowd)
{
    for (size_t i = 0; i < CROWD_PRODUCERS; i++) {
        struct crowd_member *member = &crowd->members[i];
        member->load->producers[0].wire = member->load->canceller = (struct producer){0}; /* its process's */
        load_close(member->load);
        munmap(member->load, sizeof(struct shared));
        program_forget(&member->process);
    }
}
