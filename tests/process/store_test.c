/* store_test.c — one broker a store, and a disk that fills up. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "lineward/json.h"
#include "producer.h"

#define BODY_BYTES 9000 /* a text part may have 10,000 characters */
#define BATCH      8
#define JOBS_MAX   20000

static struct rig rig;
static struct producer producer;

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
    rig_open(&rig, NULL);
    rig_start(&rig, 1);
    producer_open(&producer, &rig, rig.port.producers, ZMQ_DEALER);
    MUST(answers_ping(), "the first broker does not answer");
    must_not_start(elsewhere, "data");
    must_not_start(nothing, "data");
    MUST(answers_ping(), "the first broker does not answer any more");
    producer_close(&producer);
    program_kill(&rig.broker);
    rig_start_broker(&rig); /* a dead broker's claim is none */
    rig_await_ready(&rig);
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

static bool machine_lets_us_mount(void)
{
    struct program probe = {.name = "lineward-broker", .mount_options = "size=1m"};
    snprintf(probe.mount, sizeof probe.mount, "%s/data", rig.folder);
    snprintf(probe.log, sizeof probe.log, "%s/probe.log", rig.folder);
    program_start(&probe, (const char *const[]){"--help", NULL});
    int code = program_wait(&probe, LIMIT_MS);
    program_forget(&probe);
    return code != PROGRAM_NO_MOUNT;
}

/* covers: code store_full */
START_TEST(a_full_store_refuses_jobs_and_takes_everything_else)
{
    static struct filling filling;
    rig_open(&rig, NULL);
    rig.sandbox_options[0] = "--webhook-events";
    rig.sandbox_options[1] = "status";
    snprintf(rig.broker.mount, sizeof rig.broker.mount, "%s/data", rig.folder);
    snprintf(rig.broker.mount_options, sizeof rig.broker.mount_options, "size=32m");
    MUST(mkdir(rig.broker.mount, 0700) == 0, "%s: %s", rig.broker.mount, strerror(errno));
    if (!machine_lets_us_mount()) {
        printf("skipped: this machine lets us mount no small file system\n");
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
    rig_close(&rig);
}
END_TEST

int main(void)
{
    return RUN_TESTS("store", 30, a_second_broker_on_the_same_store_is_refused,
                     a_full_store_refuses_jobs_and_takes_everything_else);
}
