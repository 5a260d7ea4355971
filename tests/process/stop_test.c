/* stop_test.c — a worker that stands still past its lease: another one sends what it held, and when it goes on it
 * begins nothing any more. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "lineward/json.h"
#include "producer.h"

#define BEGUN  4 /* on the wire when it stops */
#define HANDED 6 /* in its socket */
#define ALL    (BEGUN + HANDED)

static struct rig rig;
static struct producer producer;

/* In one request, so that they are all there at once however slow the disk is: a silent worker gets none for long. */
static void enqueue(int first, int count)
{
    char jobs[ALL][256];
    struct frame frames[3 + ALL] = {{WIRE_VERSION, strlen(WIRE_VERSION)}, {"ENQUEUE", 7}, {"jobs", 4}};
    for (int i = 0; i < count; i++) {
        int length = snprintf(jobs[i], sizeof jobs[i],
                              "{\"id\":\"s%d\",\"to\":\"+1415700%04d\",\"message\":{\"parts\":[{\"type\":\"text\","
                              "\"value\":\"#1 default/s%d hello\"}]}}",
                              first + i, first + i, first + i);
        frames[3 + i] = (struct frame){jobs[i], (size_t)length};
    }
    producer_send_frames(&producer, frames, 3 + (size_t)count);
    MUST(producer_receive(&producer, LIMIT_MS) && producer_got(&producer, "ACK") &&
             producer_frames(&producer) == 3 + (size_t)count,
         "no ACK for %d jobs", count);
    for (int i = 0; i < count; i++) {
        cJSON *result = producer_json(&producer, 3 + (size_t)i);
        MUST(json_string(result, "job") != NULL, "%s was refused", jobs[i]);
        cJSON_Delete(result);
    }
}

static bool are(int first, int count, const char *state)
{
    for (int i = first; i < first + count; i++) {
        char id[32];
        snprintf(id, sizeof id, "s%d", i);
        if (!producer_is(&producer, id, state, NULL))
            return false;
    }
    return true;
}

struct seen { /* of one job */
    char key[80];
    int requests;
};
struct sends {
    struct seen job[ALL + 1];
    int64_t continued_mono_ms;
    int begun_late, other_keys;
};

static void look_at(void *self, const cJSON *send)
{
    struct sends *sends = self;
    int index = -1;
    const char *text = json_string(send, "text"), *key = json_string(send, "key");
    if (text == NULL || key == NULL || sscanf(text, "#1 default/s%d", &index) != 1 || index < 0 || index > ALL)
        give_up("a send that is not ours");
    struct seen *seen = &sends->job[index];
    if (seen->requests++ > 0 && strcmp(seen->key, key) != 0)
        sends->other_keys++;
    snprintf(seen->key, sizeof seen->key, "%s", key);
    if (index < ALL && number_at(send, "mono_ms") >= sends->continued_mono_ms)
        sends->begun_late++;
}

static void judge(struct sends *sends)
{
    rig_each_send(&rig, look_at, sends);
    MUST(sends->begun_late == 0, "%d requests began after SIGCONT", sends->begun_late);
    MUST(sends->other_keys == 0, "%d tries had another key", sends->other_keys);
    for (int i = 0; i < BEGUN; i++)
        MUST(sends->job[i].requests == 2, "job s%d, begun by the stopped worker, was tried %d times", i,
             sends->job[i].requests);
    for (int i = BEGUN; i < ALL; i++)
        MUST(sends->job[i].requests == 1, "job s%d, never begun by the stopped worker, was tried %d times", i,
             sends->job[i].requests);
}

START_TEST(a_worker_stopped_past_its_lease_begins_nothing_after_sigcont)
{
    struct sends sends = {0};
    rig_open(&rig, NULL);
    rig_start(&rig, 1);
    producer_open(&producer, &rig, rig.port.producers, ZMQ_DEALER);
    rig_faults(&rig, "{\"latency_ms\":1200}");
    enqueue(0, BEGUN);
    AWAIT(rig_accepted(&rig) == BEGUN, "the first jobs do not reach the provider");
    program_signal(&rig.worker[0], SIGSTOP);
    enqueue(BEGUN, HANDED);
    AWAIT(are(BEGUN, HANDED, "leased"), "the stopped worker gets no jobs");
    rig_faults(&rig, NULL);
    rig_start_worker(&rig, 1);
    AWAIT(are(0, ALL, "sent"), "the stopped worker's jobs are not sent by the other one");
    sends.continued_mono_ms = mono_ms();
    program_signal(&rig.worker[0], SIGCONT);
    AWAIT(rig_workers_there(&rig) == 2, "the worker does not come back");
    program_end(&rig.worker[1]); /* what comes now is the first one's */
    enqueue(ALL, 1);
    AWAIT(are(ALL, 1, "sent"), "the worker that went on sends nothing");
    program_end(&rig.worker[0]);
    program_end(&rig.sandbox);
    judge(&sends);
    producer_close(&producer);
    rig_close(&rig);
}
END_TEST

START_TEST(a_worker_stopped_for_a_moment_returns_what_it_had_not_begun)
{
    rig_open(&rig, NULL);
    rig_start(&rig, 1);
    producer_open(&producer, &rig, rig.port.producers, ZMQ_DEALER);
    program_signal(&rig.worker[0], SIGSTOP);
    enqueue(0, ALL);
    AWAIT(are(0, ALL, "leased"), "the stopped worker gets no jobs");
    AWAIT(rig_workers_there(&rig) == 0, "a silent worker still counts as there");
    program_signal(&rig.worker[0], SIGCONT);
    AWAIT(are(0, ALL, "sent"), "its jobs are not sent once it goes on");
    MUST(rig_accepted(&rig) == ALL && rig_stat(&rig, "duplicates") == 0, "%lld sends", (long long)rig_accepted(&rig));
    producer_close(&producer);
    rig_close(&rig);
}
END_TEST

static void end_with_all_sent_once(void)
{
    AWAIT(are(0, ALL, "sent"), "not all jobs are sent");
    MUST(rig_accepted(&rig) == ALL && rig_stat(&rig, "duplicates") == 0, "%lld sends, %lld of them repeated",
         (long long)rig_accepted(&rig), (long long)rig_stat(&rig, "duplicates"));
    producer_close(&producer);
    rig_close(&rig);
}

START_TEST(a_worker_told_to_end_finishes_what_has_begun_and_gives_back_the_rest)
{
    static const char *const sets[] = {"worker.slots=4", NULL};
    rig_open(&rig, sets);
    rig_start(&rig, 1);
    producer_open(&producer, &rig, rig.port.producers, ZMQ_DEALER);
    rig_faults(&rig, "{\"latency_ms\":600}");
    enqueue(0, ALL);
    AWAIT(rig_accepted(&rig) == BEGUN, "the first jobs do not reach the provider");
    rig_start_worker(&rig, 1);
    program_end(&rig.worker[0]);
    end_with_all_sent_once();
}
END_TEST

static int count(int of, const char *state)
{
    int found = 0;
    for (int i = 0; i < of; i++)
        found += are(i, 1, state);
    return found;
}

static int64_t ended_in_ms(struct program *program, int signals)
{
    int64_t from = mono_ms();
    for (int i = 0; i < signals; i++)
        program_signal(program, SIGTERM);
    int code = program_wait(program, LIMIT_MS);
    MUST(code == 0, "%s ended with %d", program->name, code);
    return mono_ms() - from;
}

/* The broker waits for the results of what is on the wire, and takes back the rest. */
START_TEST(a_broker_told_to_end_takes_the_results_of_what_was_begun)
{
    static const char *const sets[] = {"worker.slots=4", NULL};
    rig_open(&rig, sets);
    rig_start(&rig, 1);
    producer_open(&producer, &rig, rig.port.producers, ZMQ_DEALER);
    rig_faults(&rig, "{\"latency_ms\":900}");
    enqueue(0, ALL);
    AWAIT(rig_accepted(&rig) == BEGUN, "the first jobs do not reach the provider");
    int64_t took = ended_in_ms(&rig.broker, 3);
    MUST(took < 10000, "the broker took %lld ms to end", (long long)took);
    long long accepted = rig_accepted(&rig);
    MUST(accepted == BEGUN, "%lld sends, %d of them begun before", accepted, BEGUN);
    program_kill(&rig.worker[0]); /* it had told all it knew */
    rig_faults(&rig, NULL);
    rig_start_broker(&rig);
    rig_await_ready(&rig);
    MUST(count(ALL, "sent") == BEGUN, "%d results of what was begun were taken", count(ALL, "sent"));
    rig_start_worker(&rig, 1);
    end_with_all_sent_once();
}
END_TEST

/* A provider that does not answer in time holds up neither; nothing is lost, and nothing gets another key. */
START_TEST(a_provider_that_does_not_answer_holds_up_no_end)
{
    static const char *const sets[] = {"worker.slots=4", "worker.request_timeout_ms=25000",
                                       "policies.default.lease_ms=30000", NULL};
    struct sends sends = {.continued_mono_ms = INT64_MAX};
    rig_open(&rig, sets);
    rig_start(&rig, 1);
    producer_open(&producer, &rig, rig.port.producers, ZMQ_DEALER);
    rig_faults(&rig, "{\"latency_ms\":20000}");
    enqueue(0, BEGUN);
    AWAIT(rig_accepted(&rig) == BEGUN, "the jobs do not reach the provider");
    int64_t took = ended_in_ms(&rig.broker, 1);
    MUST(took < 10000, "the broker took %lld ms to end", (long long)took);
    took = ended_in_ms(&rig.worker[0], 1);
    MUST(took < 10000, "the worker took %lld ms to end", (long long)took);
    rig_faults(&rig, NULL);
    rig_start_broker(&rig);
    rig_await_ready(&rig);
    MUST(count(BEGUN, "leased") == BEGUN, "the restart knows of %d that are under way", count(BEGUN, "leased"));
    rig_each_send(&rig, look_at, &sends);
    MUST(sends.other_keys == 0, "%d tries had another key", sends.other_keys);
    producer_close(&producer);
    rig_close(&rig);
}
END_TEST

int main(void)
{
    return RUN_TESTS("stop", 60, a_broker_told_to_end_takes_the_results_of_what_was_begun,
                     a_provider_that_does_not_answer_holds_up_no_end,
                     a_worker_stopped_past_its_lease_begins_nothing_after_sigcont,
                     a_worker_stopped_for_a_moment_returns_what_it_had_not_begun,
                     a_worker_told_to_end_finishes_what_has_begun_and_gives_back_the_rest);
}
