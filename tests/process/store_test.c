/* store_test.c — one broker a store, and a disk that fills up. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "disk.h"
#include "folder.h"
#include "lineward/json.h"
#include "load.h"

#define BODY_BYTES     9000 /* a text part may have 10,000 characters */
#define BATCH          8
#define JOBS_MAX       20000
#define DISK_MIB       20
#define WORKERS        2
#define BATCH_EVERY_MS 5
#define JOBS_BEFORE    500
#define ONE_JOB                                                                                                      \
    "{\"id\":\"one\",\"to\":\"+14157050001\",\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"one\"}]}}"

static struct rig rig;
static struct producer producer;
static struct load load;
static char disk[PROGRAM_PATH_MAX];

static bool answers_ping(void)
{
    SEND(&producer, "LW1", "PING", "p");
    return producer_receive(&producer, LIMIT_MS) && producer_got(&producer, "PONG");
}

/* Another broker with these settings on top, which must refuse to start. */
static void must_not_start(const char *const *sets, const char *said)
{
    const char *arguments[PROGRAM_ARGUMENTS_MAX + 1];
    size_t count = 0;
    rig_broker_arguments(&rig, arguments);
    while (arguments[count] != NULL)
        count++;
    for (; *sets != NULL; sets++) {
        arguments[count++] = "--set";
        arguments[count++] = *sets;
    }
    arguments[count] = NULL;
    int code = rig_run(&rig, "lineward-broker", "second.log", arguments);
    char *log = rig_read(&rig, "second.log");
    MUST(code == 1, "the second broker ended with %d", code);
    MUST(said == NULL || strstr(log, said) != NULL, "it does not say why: %s", log);
    free(log);
}

START_TEST(a_second_broker_on_the_same_store_is_refused)
{
    static const char *const elsewhere[] = {"broker.producers=ipc://second-p", "broker.workers=ipc://second-w",
                                            "broker.events=ipc://second-e",    "broker.webhooks=127.0.0.1:0",
                                            "broker.admin=127.0.0.1:0",        NULL};
    static const char *const nothing[] = {NULL};
    char first[32], folder[PROGRAM_PATH_MAX], number[JOB_NUMBER_TEXT_MAX];
    rig_open(&rig, NULL);
    rig_start(&rig, 0);
    producer_open(&producer, &rig, rig.port.producers, ZMQ_DEALER);
    producer_enqueue(&producer, ONE_JOB, number, NULL);
    snprintf(first, sizeof first, "pid %d\"", (int)rig.broker.pid);
    snprintf(folder, sizeof folder, "%s/data", rig.folder);
    /* Stopped, so that what changes is the second one's doing. */
    program_signal(&rig.broker, SIGSTOP);
    uint64_t before = folder_sum(folder);
    must_not_start(elsewhere, first);
    must_not_start(nothing, first);
    MUST(folder_sum(folder) == before, "a broker that was refused changed the store");
    program_signal(&rig.broker, SIGCONT);
    MUST(answers_ping(), "the first broker does not answer any more");
    program_kill(&rig.broker);
    rig_start_broker(&rig); /* a dead broker's claim is none */
    rig_await_ready(&rig);
    MUST(producer_is(&producer, "one", "queued", NULL), "the job is lost");
    producer_close(&producer);
    rig_close(&rig);
}
END_TEST

/* ---- a small disk ---- */

struct filling {
    char text[BODY_BYTES + 512];
    int taken;
    bool full;
};

static void put_job(struct filling *filling, int index)
{
    int bytes = snprintf(filling->text, sizeof filling->text,
                         "{\"id\":\"f%d\",\"to\":\"+1415705%04d\",\"message\":{\"parts\":[{\"type\":\"text\","
                         "\"value\":\"#1 default/f%d ",
                         index, index, index);
    memset(filling->text + bytes, 'x', BODY_BYTES);
    memcpy(filling->text + bytes + BODY_BYTES, "\"}]}}", 6);
}

/* One request; false once `store_full` is answered. */
static bool fill_some(struct filling *filling)
{
    static char texts[BATCH][BODY_BYTES + 512];
    const char *frames[3 + BATCH] = {"LW1", "ENQUEUE", "fill"};
    bool refused = false;
    for (int i = 0; i < BATCH; i++) {
        put_job(filling, filling->taken + i);
        memcpy(texts[i], filling->text, sizeof texts[i]);
        frames[3 + i] = texts[i];
    }
    producer_send(&producer, frames, 3 + BATCH);
    MUST(producer_receive(&producer, LIMIT_MS) && producer_got(&producer, "ACK"), "no ACK");
    for (size_t i = 0; i < BATCH; i++) {
        cJSON *result = producer_json(&producer, 3 + i);
        const char *code = json_string(json_get(result, "error"), "code");
        MUST(code == NULL || strcmp(code, "store_full") == 0, "refused with %s", code);
        MUST(!refused || code != NULL, "taken after one of its request was refused");
        refused = code != NULL;
        filling->taken += code == NULL;
        cJSON_Delete(result);
    }
    return !refused;
}

static bool takes_again(struct filling *filling)
{
    put_job(filling, filling->taken);
    cJSON *result = producer_ask(&producer, "ENQUEUE", filling->text);
    bool taken = json_get(result, "job") != NULL;
    filling->taken += taken;
    cJSON_Delete(result);
    return taken;
}

/* store.path lies in `disk`. */
static bool mount_disk(void)
{
    snprintf(disk, sizeof disk, "%s/disk", rig.folder);
    return disk_mount(disk, DISK_MIB);
}

/* covers: code store_full */
START_TEST(a_full_store_refuses_jobs_and_takes_everything_else)
{
    static struct filling filling;
    static const char *const sets[] = {"store.path=disk/data", "store.segment_mb=2", NULL};
    rig_open(&rig, sets);
    rig.sandbox_options[0] = "--webhook-events";
    rig.sandbox_options[1] = "status";
    if (!mount_disk()) {
        rig_close(&rig);
        return;
    }
    rig_start(&rig, 0);
    producer_open(&producer, &rig, rig.port.producers, ZMQ_DEALER);
    while (filling.taken < JOBS_MAX && fill_some(&filling))
        continue;
    MUST(filling.taken > 100 && filling.taken < JOBS_MAX, "full after %d jobs", filling.taken);
    printf("full after %d jobs of %d bytes\n", filling.taken, BODY_BYTES);
    MUST(answers_ping(), "a full broker does not answer");
    rig_set_line(&rig, 0, "\"reputation\":\"CRITICAL\"");
    AWAIT(rig_line_is(&rig, 0, "closed", "line_critical"), "a full store takes no gate");
    rig_set_line(&rig, 0, "\"reputation\":\"HEALTHY\"");
    rig_start_worker(&rig, 0);
    AWAIT(rig_accepted(&rig) == filling.taken, "%lld of %d jobs are sent", (long long)rig_accepted(&rig),
          filling.taken);
    AWAIT(takes_again(&filling), "the store stays full although nothing waits");
    AWAIT(rig_accepted(&rig) == filling.taken, "the last job is not sent");
    producer_close(&producer);
    disk_unmount(disk);
    rig_close(&rig);
}
END_TEST

/* ---- a small disk that somebody else fills, under load ---- */

static int64_t changes; /* of lines */

static void set_line(size_t line, const char *members)
{
    rig_set_line(&rig, line, members);
    changes++;
}

static void set_all_lines(const char *members)
{
    for (size_t i = 0; i < RIG_LINES; i++)
        set_line(i, members);
}

/* A gate that a webhook closes is closed at once; it stays so whatever happens from its 200 on. */
static bool all_changes_are_durable(void)
{
    cJSON *history = rig_control(&rig, "GET", "/webhooks?event=phone_number.status_updated&limit=1000", NULL);
    int64_t answered = 0;
    const cJSON *attempt;
    cJSON_ArrayForEach(attempt, json_get(history, "attempts")) answered += number_at(attempt, "http") == 200;
    cJSON_Delete(history);
    return answered >= changes;
}

static bool all_lines_are(const char *gate)
{
    for (size_t i = 0; i < RIG_LINES; i++)
        if (!rig_line_is(&rig, i, gate, NULL))
            return false;
    return true;
}

static bool refuses_more(uint64_t than)
{
    load_turn(&load);
    return load.full > than;
}

static bool takes_more(uint32_t than)
{
    load_turn(&load);
    return load.acked > than;
}

/* On a disk without a free byte: one line opens and closes again, and what goes out meanwhile is noted for good. */
static void work_while_full(void)
{
    int64_t sent = rig_accepted(&rig);
    set_line(0, "\"reputation\":\"HEALTHY\"");
    AWAIT(rig_line_is(&rig, 0, "open", NULL) && rig_accepted(&rig) > sent, "a full disk takes no gate or no result");
    set_line(0, "\"reputation\":\"CRITICAL\"");
    AWAIT(rig_line_is(&rig, 0, "closed", "line_critical"), "a full disk closes no gate");
    AWAIT(all_changes_are_durable(), "a full disk takes no gate");
}

static void die_while_full(void)
{
    program_kill(&rig.broker);
    rig_start_broker(&rig);
    rig_await_ready(&rig);
    MUST(rig_line_is(&rig, 0, "closed", NULL), "the line that was closed on a full disk is open after a restart");
}

START_TEST(a_disk_that_fills_up_under_load_loses_nothing_and_recovers_when_there_is_room)
{
    static const char *const sets[] = {"store.path=disk/data", "store.segment_mb=1", NULL};
    char acked[PROGRAM_PATH_MAX];
    rig_open(&rig, sets);
    if (!mount_disk()) {
        rig_close(&rig);
        return;
    }
    rig_start(&rig, WORKERS);
    load_open(&load, &rig, LOAD_JOBS_MAX, BATCH_EVERY_MS);
    load.withdraws = true;
    AWAIT(takes_more(JOBS_BEFORE), "nothing is taken");
    disk_fill(disk);
    set_all_lines("\"reputation\":\"CRITICAL\"");
    AWAIT(refuses_more(0), "a full disk refuses no job");
    work_while_full();
    die_while_full();
    work_while_full();
    uint64_t refused = load.full;
    AWAIT(refuses_more(refused), "a full disk takes jobs again");
    uint32_t acked_before = load.acked;
    disk_empty(disk);
    AWAIT(takes_more(acked_before + JOBS_BEFORE), "with room again the store stays full");
    set_all_lines("\"reputation\":\"HEALTHY\"");
    AWAIT(all_lines_are("open"), "the lines stay closed");
    load_finish(&load);
    load_await_final(&load, LIMIT_MS);
    load_write_acked(&load, acked);
    printf("%u jobs, %llu times one was refused with store_full\n", load.job_count, (unsigned long long)load.full);
    for (size_t i = 0; i < WORKERS; i++)
        program_end(&rig.worker[i]);
    program_end(&rig.broker);
    program_end(&rig.sandbox);
    rig_audit(&rig, acked, "4");
    load_close(&load);
    disk_unmount(disk);
    rig_close(&rig);
}
END_TEST

int main(void)
{
    return RUN_TESTS("store", 60, a_second_broker_on_the_same_store_is_refused,
                     a_full_store_refuses_jobs_and_takes_everything_else,
                     a_disk_that_fills_up_under_load_loses_nothing_and_recovers_when_there_is_room);
}
