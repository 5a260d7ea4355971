/* load.c — see load.h. */
#include "load.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <zmq.h>

#include "lineward/json.h"
#include "lineward/words.h"

#define STATUS_BATCH 500
#define FORGETFUL    40 /* one answer in so many is lost */
#define EXPIRING     30 /* one job in so many, if the load withdraws */
#define CANCELLED    30 /* likewise, one an answer */
#define EXPIRES_MS   2000

static const char *const classes[] = {"reply", "transactional", "followup", "campaign"};

/* Shared with the processes forked from here on, and there after their death. */
static void *shared_room(size_t bytes)
{
    void *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MUST(room != MAP_FAILED, "no room for the load");
    return room;
}

static size_t jobs_bytes(const struct load *load)
{
    return load->jobs_room * sizeof *load->jobs;
}

static size_t conversations_bytes(const struct load *load)
{
    return load->conversations * sizeof *load->producers[0].conversations;
}

static void make_room(struct load *load)
{
    load->jobs_room = load->jobs_max;
    load->jobs = shared_room(jobs_bytes(load));
    for (size_t i = 0; i < load->producer_count; i++)
        load->producers[i].conversations = shared_room(conversations_bytes(load));
}

static void connect_producers(struct load *load)
{
    for (size_t i = 0; i < load->producer_count; i++)
        producer_open(&load->producers[i].wire, load->rig, load->rig->port.producers, ZMQ_DEALER);
    producer_open(&load->canceller, load->rig, load->rig->port.producers, ZMQ_DEALER);
}

void load_open(struct load *load, struct rig *rig, uint32_t jobs_max, int64_t interval_ms)
{
    MUST(jobs_max <= LOAD_JOBS_MAX, "too large a load");
    *load = (struct load){.rig = rig,
                          .producer_count = LOAD_PRODUCERS,
                          .jobs_max = jobs_max,
                          .interval_ms = interval_ms,
                          .conversations = LOAD_CONVERSATIONS};
    make_room(load);
    connect_producers(load);
}

void load_open_even(struct load *load, struct rig *rig, uint32_t conversations, uint32_t jobs_each,
                    int64_t interval_ms)
{
    MUST(conversations > 0 && conversations <= LOAD_LARGEST && jobs_each > 0, "too large a load, or none");
    *load = (struct load){.rig = rig,
                          .producer_count = LOAD_PRODUCERS,
                          .jobs_max = LOAD_PRODUCERS * conversations * jobs_each,
                          .interval_ms = interval_ms,
                          .conversations = conversations,
                          .jobs_each = jobs_each};
    make_room(load);
    connect_producers(load);
}

void load_open_one(struct load *load, struct rig *rig, uint32_t number, uint32_t jobs_max, int64_t interval_ms)
{
    MUST(jobs_max <= LOAD_JOBS_MAX, "too large a load");
    *load = (struct load){.rig = rig,
                          .producer_count = 1,
                          .first = number,
                          .jobs_max = jobs_max,
                          .interval_ms = interval_ms,
                          .conversations = LOAD_CONVERSATIONS};
    make_room(load);
}

void load_resume(struct load *load)
{
    struct load_producer *producer = &load->producers[0];
    MUST(load->producer_count == 1, "only the load of one producer can go on after a death");
    memset(producer->conversations, 0, conversations_bytes(load));
    *producer = (struct load_producer){.made = load->job_count, .conversations = producer->conversations};
    load->acked = 0;
    for (uint32_t i = 0; i < load->job_count; i++) {
        struct load_job *job = &load->jobs[i];
        producer->conversations[job->conversation].n[job->job_class]++;
        load->acked += job->settled;
        if (job->acked_mono_ms == 0)
            job->number[0] = '\0'; /* half a number, perhaps */
        if (!job->settled)
            producer->batch[producer->batch_count++] = i; /* not more than a request's */
    }
    connect_producers(load);
}

void load_close(struct load *load)
{
    for (size_t i = 0; i < load->producer_count; i++) {
        if (load->producers[i].wire.socket != NULL)
            producer_close(&load->producers[i].wire);
        munmap(load->producers[i].conversations, conversations_bytes(load));
    }
    if (load->canceller.socket != NULL)
        producer_close(&load->canceller);
    munmap(load->jobs, jobs_bytes(load));
}

/* ---- jobs ---- */

static void put_recipients(struct json_out *out, const struct load_job *job)
{
    char number[32];
    unsigned base = 1000000u + (unsigned)job->producer * 100000u + (unsigned)job->conversation * 10u;
    unsigned count = job->conversation % 8 == 7 ? 3 : 1;
    json_open(out, '[');
    for (unsigned i = 0; i < count; i++) {
        snprintf(number, sizeof number, "+1415%07u", base + i);
        json_put_string(out, number);
    }
    json_close(out, ']');
}

static void put_id(const struct load *load, char out[32], uint32_t index)
{
    snprintf(out, 32, "load-%u", load->first * LOAD_JOBS_MAX + index);
}

static void put_job(const struct load *load, struct json_out *out, uint32_t index)
{
    const struct load_job *job = &load->jobs[index];
    char id[32], text[96];
    put_id(load, id, index);
    snprintf(text, sizeof text, "#%u default/%s hello", job->n, id);
    json_open(out, '{');
    json_key(out, "id");
    json_put_string(out, id);
    json_key(out, "to");
    put_recipients(out, job);
    json_key(out, "class");
    json_put_string(out, classes[job->job_class]);
    if (job->expires_wall_ms != 0) {
        json_key(out, "expires_at");
        json_put_time(out, job->expires_wall_ms);
    }
    json_key(out, "message");
    json_open(out, '{');
    json_key(out, "parts");
    json_open(out, '[');
    json_open(out, '{');
    json_key(out, "type");
    json_put_string(out, "text");
    json_key(out, "value");
    json_put_string(out, text);
    json_close(out, '}');
    json_close(out, ']');
    json_close(out, '}');
    json_close(out, '}');
}

static uint32_t jobs_of(const struct load_conversation *conversation)
{
    return conversation->n[0] + conversation->n[1] + conversation->n[2] + conversation->n[3];
}

/* Where the next job goes. */
static uint16_t choose(struct load *load, const struct load_producer *producer)
{
    uint64_t known = load->jobs_each > 0 ? load->conversations : LOAD_KNOWN_FIRST + load->job_count / LOAD_JOBS_A_NEW;
    uint64_t at = rig_random(load->rig, known < load->conversations ? known : load->conversations);
    while (load->jobs_each > 0 && jobs_of(&producer->conversations[at]) == load->jobs_each)
        at = (at + 1) % load->conversations; /* that one has all of its jobs */
    return (uint16_t)at;
}

static bool has_more(const struct load *load, const struct load_producer *producer)
{
    bool has_all = load->jobs_each > 0 && producer->made == load->conversations * load->jobs_each;
    return load->job_count < load->jobs_max && !has_all;
}

static void make_batch(struct load *load, struct load_producer *producer)
{
    size_t wanted = 1 + rig_random(load->rig, LOAD_BATCH_MAX);
    for (; producer->batch_count < wanted && has_more(load, producer); producer->batch_count++) {
        uint32_t index = load->job_count;
        struct load_job *job = &load->jobs[index];
        *job = (struct load_job){.producer = (uint16_t)(load->first + (uint32_t)(producer - load->producers))};
        job->conversation = choose(load, producer);
        job->job_class = (uint8_t)rig_random(load->rig, 4);
        if (load->withdraws && rig_random(load->rig, EXPIRING) == 0)
            job->expires_wall_ms = clock_read().wall_ms + (int64_t)rig_random(load->rig, EXPIRES_MS);
        job->n = ++producer->conversations[job->conversation].n[job->job_class];
        producer->made++;
        producer->batch[producer->batch_count] = index;
        atomic_signal_fence(memory_order_seq_cst); /* a job counts once it is whole */
        load->job_count = index + 1;
    }
}

/* ---- asking ---- */

static void send_batch(struct load *load, struct load_producer *producer)
{
    struct frame frames[3 + LOAD_BATCH_MAX];
    struct json_out texts[LOAD_BATCH_MAX] = {0};
    frames[0] = (struct frame){WIRE_VERSION, strlen(WIRE_VERSION)};
    frames[1] = (struct frame){"ENQUEUE", 7};
    frames[2] = (struct frame){producer->request, strlen(producer->request)};
    for (size_t i = 0; i < producer->batch_count; i++) {
        put_job(load, &texts[i], producer->batch[i]);
        frames[3 + i] = (struct frame){texts[i].text, texts[i].bytes};
    }
    enum err err = message_send(producer->wire.socket, frames, 3 + producer->batch_count);
    MUST(err == ERR_NONE || err == ERR_BUSY, "a producer can't send: %s", err_name(err));
    producer->sent_mono_ms = mono_ms(); /* if its queue is full it is sent again like one without an answer */
    for (size_t i = 0; i < producer->batch_count; i++)
        json_out_free(&texts[i]);
}

static void ask_anew(struct load *load, struct load_producer *producer)
{
    producer->asked = true;
    snprintf(producer->request, sizeof producer->request, "q%llu", (unsigned long long)++producer->wire.requests);
    send_batch(load, producer);
}

/* True: acknowledged. False: to be handed in again. */
static bool take_result(struct load *load, struct load_job *job, uint32_t index, const cJSON *result)
{
    const char *number = json_string(result, "job"), *state = json_string(result, "state");
    const char *code = json_string(json_get(result, "error"), "code");
    char id[32];
    put_id(load, id, index);
    MUST(json_string(result, "id") != NULL && strcmp(json_string(result, "id"), id) == 0,
         "the results are not in the jobs' order");
    if (number == NULL) {
        MUST(code != NULL && (strcmp(code, "busy") == 0 || strcmp(code, "store_full") == 0), "%s: refused with %s",
             id, code == NULL ? "nothing" : code);
        load->full += strcmp(code, "store_full") == 0;
        load->refused++;
        return false;
    }
    MUST(job->number[0] == '\0' || strcmp(job->number, number) == 0, "%s is %s and %s", id, job->number, number);
    snprintf(job->number, sizeof job->number, "%s", number);
    atomic_signal_fence(memory_order_seq_cst);
    job->acked_mono_ms = mono_ms();
    load->duplicates += state != NULL && strcmp(state, "duplicate") == 0;
    return true;
}

/* Takes back a job, seldom an old one; whether that was in time its state will say. */
static void cancel_one(struct load *load)
{
    uint64_t back = rig_random(load->rig, rig_random(load->rig, 100) + 1);
    char id[32];
    if (back >= load->job_count)
        return;
    put_id(load, id, load->job_count - 1 - (uint32_t)back);
    struct frame frames[] = {{WIRE_VERSION, strlen(WIRE_VERSION)}, {"CANCEL", 6}, {"", 0}, {id, strlen(id)}};
    message_send(load->canceller.socket, frames, 4); /* or not, if nobody is there */
    while (producer_receive(&load->canceller, 0))
        continue;
}

static void take_answer(struct load *load, struct load_producer *producer)
{
    struct producer *wire = &producer->wire;
    if (!frame_is(producer_frame(wire, 2), producer->request))
        return; /* of a request that was answered by then */
    MUST(producer_got(wire, "ACK"), "an ENQUEUE was refused: %.*s", (int)producer_frame(wire, 3).bytes,
         (const char *)producer_frame(wire, 3).data);
    MUST(producer_frames(wire) == 3 + producer->batch_count, "%zu frames answer %zu jobs", producer_frames(wire),
         producer->batch_count);
    size_t taken = 0;
    for (size_t i = 0; i < producer->batch_count; i++) {
        uint32_t index = producer->batch[i];
        cJSON *result = producer_json(wire, 3 + i);
        bool is_taken = take_result(load, &load->jobs[index], index, result);
        MUST(!is_taken || taken == i, "a job was taken after one of its request was refused as busy");
        taken += is_taken;
        cJSON_Delete(result);
    }
    if (load->withdraws && rig_random(load->rig, CANCELLED) == 0)
        cancel_one(load);
    if (rig_random(load->rig, FORGETFUL) == 0)
        return; /* as if the answer had been lost: all of it is sent again */
    for (size_t i = 0; i < taken; i++)
        load->jobs[producer->batch[i]].settled = true;
    load->acked += (uint32_t)taken;
    producer->batch_count -= taken;
    memmove(producer->batch, producer->batch + taken, producer->batch_count * sizeof *producer->batch);
    producer->asked = false;
    producer->next_mono_ms = mono_ms() + (int64_t)rig_random(load->rig, (uint64_t)load->interval_ms * 2 + 1);
}

static void producer_turn(struct load *load, struct load_producer *producer)
{
    while (producer->asked && producer_receive(&producer->wire, 0))
        take_answer(load, producer);
    int64_t now = mono_ms();
    if (producer->asked && now - producer->sent_mono_ms >= LOAD_RESEND_MS) {
        load->resent++;
        send_batch(load, producer);
    }
    if (producer->asked || now < producer->next_mono_ms)
        return;
    if (producer->batch_count == 0)
        make_batch(load, producer);
    if (producer->batch_count > 0)
        ask_anew(load, producer);
}

void load_turn(struct load *load)
{
    for (size_t i = 0; i < load->producer_count; i++)
        producer_turn(load, &load->producers[i]);
}

bool load_is_acked(const struct load *load)
{
    return load->acked == load->job_count;
}

static bool all_acked(struct load *load)
{
    load_turn(load);
    return load_is_acked(load);
}

void load_finish(struct load *load)
{
    load->jobs_max = load->job_count;
    AWAIT(all_acked(load), "%u jobs, but only %u acknowledged", load->job_count, load->acked);
}

/* ---- how they ended ---- */

static void note_end(struct load_job *job, const char *state, const cJSON *view)
{
    struct instant now = clock_read();
    int64_t ended_wall_ms = 0;
    snprintf(job->state, sizeof job->state, "%s", state);
    MUST(json_int(view, "attempts", &job->attempts), "a job without attempts");
    if (text_at(view, "ended_at") == NULL)
        return; /* it waits */
    MUST(time_parse(text_at(view, "ended_at"), &ended_wall_ms), "a final job without ended_at");
    job->ended_mono_ms = now.mono_ms - (now.wall_ms - ended_wall_ms);
}

static bool waits_as_it_may(const struct load *load, const cJSON *view)
{
    const char *reason = text_at(view, "reason");
    return load->may_wait_for != NULL && reason != NULL && strcmp(reason, load->may_wait_for) == 0;
}

/* Asks after the next of those not final; false: there are none. */
static size_t ask_states(struct load *load, struct producer *wire, uint32_t *from)
{
    struct frame frames[3 + STATUS_BATCH] = {{WIRE_VERSION, strlen(WIRE_VERSION)}, {"STATUS", 6}, {"", 0}};
    uint32_t asked[STATUS_BATCH];
    size_t count = 0, waiting = 0;
    for (; *from < load->job_count && count < STATUS_BATCH; ++*from) {
        struct load_job *job = &load->jobs[*from];
        if (job->state[0] != '\0')
            continue;
        asked[count] = *from;
        frames[3 + count++] = (struct frame){job->number, strlen(job->number)};
    }
    if (count == 0)
        return 0;
    producer_send_frames(wire, frames, 3 + count);
    MUST(producer_receive(wire, LIMIT_MS) && producer_got(wire, "ACK") && producer_frames(wire) == 3 + count,
         "no answer to STATUS");
    for (size_t i = 0; i < count; i++) {
        enum job_state state;
        cJSON *view = producer_json(wire, 3 + i);
        MUST(json_get(view, "job") != NULL, "%s was acknowledged and is lost", load->jobs[asked[i]].number);
        const char *word = text_at(view, "state");
        if ((job_state_parse(word, &state) && job_state_is_final(state)) || waits_as_it_may(load, view))
            note_end(&load->jobs[asked[i]], word, view);
        else
            waiting++;
        cJSON_Delete(view);
    }
    return waiting;
}

static size_t count_waiting(struct load *load, struct producer *wire)
{
    size_t waiting = 0;
    for (uint32_t from = 0; from < load->job_count;)
        waiting += ask_states(load, wire, &from);
    return waiting;
}

void load_await_final(struct load *load, int64_t limit_ms)
{
    struct producer wire;
    size_t waiting = 0;
    producer_open(&wire, load->rig, load->rig->port.producers, ZMQ_DEALER);
    AWAIT_FOR(limit_ms, (waiting = count_waiting(load, &wire)) == 0, "%zu of %u jobs do not end", waiting,
              load->job_count);
    producer_close(&wire);
}

uint32_t load_waiting(const struct load *load)
{
    uint32_t waiting = 0;
    for (uint32_t i = 0; i < load->job_count; i++)
        waiting += load->jobs[i].state[0] != '\0' && load->jobs[i].ended_mono_ms == 0;
    return waiting;
}

void load_write_acked(const struct load *load, char out[PROGRAM_PATH_MAX])
{
    snprintf(out, PROGRAM_PATH_MAX, "%s/acked.jsonl", load->rig->folder);
    FILE *file = fopen(out, "a");
    char id[32];
    MUST(file != NULL, "%s: %s", out, strerror(errno));
    for (uint32_t i = 0; i < load->job_count; i++) {
        const struct load_job *job = &load->jobs[i];
        struct json_out to = {0};
        if (job->number[0] == '\0')
            continue;
        put_recipients(&to, job);
        put_id(load, id, i);
        fprintf(file, "{\"job\":\"%s\",\"id\":\"%s\",\"pool\":\"default\",\"to\":%.*s,\"class\":\"%s\",\"n\":%u",
                job->number, id, (int)to.bytes, to.text, classes[job->job_class], job->n);
        fprintf(file, ",\"acked_mono_ms\":%lld", (long long)job->acked_mono_ms);
        if (job->state[0] != '\0') /* else it must have been sent */
            fprintf(file, ",\"state\":\"%s\",\"attempts\":%lld", job->state, (long long)job->attempts);
        if (job->ended_mono_ms != 0)
            fprintf(file, ",\"ended_mono_ms\":%lld", (long long)job->ended_mono_ms);
        fputs("}\n", file);
        json_out_free(&to);
    }
    MUST(fclose(file) == 0, "%s: %s", out, strerror(errno));
}
