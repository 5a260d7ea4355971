/* curve_test.c — a broker with keys: who is heard, what a worker's key gives it, and a key that is taken away. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zmq.h>

#include "lineward/json.h"
#include "locked.h"

#define QUIET_MS 700 /* long enough for an answer that is not to come */

static struct locked locked;
static struct rig *const rig = &locked.rig;

static void job_text(char out[512], const char *id, const char *pool, int to)
{
    snprintf(out, 512,
             "{\"id\":\"%s\",\"pool\":\"%s\",\"to\":\"+1415705%04d\","
             "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"hello\"}]}}",
             id, pool, to);
}

static void enqueue(struct producer *client, const char *id, const char *pool, int to)
{
    char job[512], number[JOB_NUMBER_TEXT_MAX];
    job_text(job, id, pool, to);
    producer_enqueue(client, job, number, NULL);
}

/* Asks PING; true: it is answered. */
static bool is_heard(struct producer *client)
{
    struct frame frames[] = {{WIRE_VERSION, 3}, {"PING", 4}, {"x", 1}};
    enum err err = message_send(client->socket, frames, 3);
    return (err == ERR_NONE || err == ERR_BUSY) && producer_receive(client, QUIET_MS);
}

static bool got_error(struct producer *client, const char *code)
{
    MUST(producer_receive(client, LIMIT_MS), "no answer");
    MUST(producer_got(client, "ERR"), "%.*s instead of ERR", (int)producer_frame(client, 1).bytes,
         (const char *)producer_frame(client, 1).data);
    struct frame text = producer_frame(client, producer_frames(client) - 1);
    cJSON *error = json_parse(text.data, text.bytes, NULL);
    const char *is = json_string(json_get(error, "error"), "code");
    bool same = is != NULL && strcmp(is, code) == 0;
    cJSON_Delete(error);
    return same;
}

/* covers: key broker.curve_secret_key_file, worker.curve_secret_key_file, worker.broker_public_key_file */
START_TEST(strangers_are_not_heard_and_friends_send)
{
    struct key_pair shop, stranger;
    struct producer friend, other, plain, wrong_door;
    locked_open(&locked, NULL);
    locked_key(&locked, "shop", "producer", "red,blue", &shop);
    locked_key(&locked, "stranger", NULL, NULL, &stranger);
    rig_start(rig, 1); /* the worker has its own key */
    locked_connect(&locked, &friend, rig->port.producers, &shop);
    locked_connect(&locked, &other, rig->port.producers, &stranger);
    locked_connect(&locked, &plain, rig->port.producers, NULL);
    locked_connect(&locked, &wrong_door, rig->port.workers, &shop);
    enqueue(&friend, "a", "red", 1);
    enqueue(&friend, "b", "blue", 2);
    AWAIT(producer_is(&friend, "red/a", "sent", NULL) && producer_is(&friend, "blue/b", "sent", NULL), "not sent");
    MUST(!is_heard(&other), "a stranger was heard");
    MUST(!is_heard(&plain), "a client without CURVE was heard");
    MUST(!is_heard(&wrong_door), "a producer was heard at the workers' door");
    AWAIT(program_said(&rig->broker, "event=client_refused"), "the log says nothing of it");
    producer_close(&friend);
    producer_close(&other);
    producer_close(&plain);
    producer_close(&wrong_door);
    locked_close(&locked);
}
END_TEST

/* covers: key broker.authorized_keys_dir; reason no_worker */
START_TEST(a_worker_s_key_says_whose_jobs_it_gets)
{
    struct key_pair shop;
    struct producer client;
    locked_open(&locked, "red");
    locked_key(&locked, "shop", "producer", "*", &shop);
    rig_start(rig, 1);
    locked_connect(&locked, &client, rig->port.producers, &shop);
    enqueue(&client, "b", "blue", 1);
    enqueue(&client, "a", "red", 2);
    AWAIT(producer_is(&client, "red/a", "sent", NULL), "its own is not sent");
    MUST(producer_is(&client, "blue/b", "queued", "no_worker"), "another's is not left alone");
    locked_write_key(&locked, "sender", ""); /* and what HUP makes of a bad file */
    locked_reload(&locked, false);
    MUST(program_said(&rig->broker, "sender.key"), "the log does not name the file");
    enqueue(&client, "c", "red", 3);
    AWAIT(producer_is(&client, "red/c", "sent", NULL), "a bad file changed something");
    locked_revoke(&locked, "sender");
    char line[128], public[KEY_TEXT_BYTES + 1];
    char *secret = rig_read(rig, "sender.secret");
    MUST(zmq_curve_public(public, secret) == 0, "no key");
    free(secret);
    snprintf(line, sizeof line, "%s worker red,blue\n", public);
    locked_write_key(&locked, "sender", line);
    locked_reload(&locked, true);
    AWAIT(producer_is(&client, "blue/b", "sent", NULL), "more pools do not take effect");
    producer_close(&client);
    locked_close(&locked);
}
END_TEST

/* covers: code unauthorized */
START_TEST(a_revoked_producer_is_heard_no_more_over_its_connection)
{
    struct key_pair shop, other;
    struct producer client, stays;
    char job[512];
    locked_open(&locked, NULL);
    locked_key(&locked, "shop", "producer", "red", &shop);
    locked_key(&locked, "other", "producer", "red", &other);
    rig_start(rig, 0);
    locked_connect(&locked, &client, rig->port.producers, &shop);
    locked_connect(&locked, &stays, rig->port.producers, &other);
    enqueue(&client, "before", "red", 1);
    enqueue(&stays, "other", "red", 2);
    locked_revoke(&locked, "shop");
    locked_reload(&locked, true);
    job_text(job, "after", "red", 3);
    SEND(&client, WIRE_VERSION, "ENQUEUE", "r", job);
    MUST(got_error(&client, "unauthorized"), "not refused");
    SEND(&client, WIRE_VERSION, "STATUS", "r", "red/before");
    MUST(got_error(&client, "unauthorized"), "not refused");
    SEND(&client, WIRE_VERSION, "CANCEL", "r", "red/other");
    MUST(got_error(&client, "unauthorized"), "not refused");
    cJSON *view = producer_ask(&stays, "STATUS", "red/after");
    MUST(json_get(view, "error") != NULL, "a revoked client's job was taken");
    cJSON_Delete(view);
    MUST(producer_is(&stays, "red/other", "queued", NULL), "a revoked client touched something");
    producer_close(&client);
    producer_close(&stays);
    locked_close(&locked);
}
END_TEST

/* A worker of our own, so that what it says can be anything. */
static void say_ready(struct producer *worker, const char *instance)
{
    char text[256];
    snprintf(text, sizeof text, "{\"worker\":\"w\",\"instance\":\"%s\",\"slots\":4,\"leases\":[]}", instance);
    SEND(worker, WIRE_VERSION, "READY", text);
    do
        MUST(producer_receive(worker, LIMIT_MS), "no answer to READY");
    while (!producer_got(worker, "READY"));
}

/* The lease of the next JOB. */
static void take_job(struct producer *worker, char lease[64])
{
    do {
        MUST(producer_receive(worker, LIMIT_MS), "no JOB");
        SEND(worker, WIRE_VERSION, "BEAT", "1");
    } while (!producer_got(worker, "JOB"));
    MUST(frame_text(producer_frame(worker, 2), lease, 64), "no lease");
}

START_TEST(a_worker_cannot_speak_for_another_and_a_revoked_one_for_itself)
{
    struct key_pair shop, first, second;
    struct producer client, one, two;
    char lease[64], another[64];
    locked_open(&locked, NULL);
    locked_key(&locked, "shop", "producer", "*", &shop);
    locked_key(&locked, "first", "worker", "red", &first);
    locked_key(&locked, "second", "worker", "blue", &second);
    rig_start(rig, 0);
    locked_connect(&locked, &client, rig->port.producers, &shop);
    locked_connect(&locked, &one, rig->port.workers, &first);
    locked_connect(&locked, &two, rig->port.workers, &second);
    say_ready(&one, "instance-1");
    enqueue(&client, "a", "red", 1);
    take_job(&one, lease);
    say_ready(&two, "instance-1"); /* another's name under a key of its own, and its lease not named: never begun */
    SEND(&two, WIRE_VERSION, "RESULT", lease, "{\"outcome\":\"rejected\"}");
    do
        MUST(producer_receive(&two, LIMIT_MS), "no DONE");
    while (!producer_got(&two, "DONE"));
    MUST(producer_is(&client, "red/a", "leased", NULL), "another worker's word was believed");
    locked_revoke(&locked, "first");
    locked_reload(&locked, true);
    do
        MUST(producer_receive(&one, LIMIT_MS), "it is not told to drop what it has not begun");
    while (!producer_got(&one, "ERR"));
    SEND(&one, WIRE_VERSION, "RESULT", lease, "{\"outcome\":\"rejected\"}");
    MUST(got_error(&one, "unauthorized"), "not refused");
    MUST(!producer_is(&client, "red/a", "failed", NULL), "a revoked worker's word was believed");
    enqueue(&client, "b", "red", 2);
    MUST(!producer_receive(&one, QUIET_MS), "a revoked worker got something");
    say_ready(&two, "instance-1"); /* it was silent meanwhile */
    enqueue(&client, "c", "blue", 3);
    take_job(&two, another);
    producer_close(&client);
    producer_close(&one);
    producer_close(&two);
    locked_close(&locked);
}
END_TEST

static void *follow(const struct key_pair *key)
{
    char endpoint[64];
    int none = 0, often_ms = 20;
    void *socket = zmq_socket(rig->zmq, ZMQ_SUB);
    zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(socket, ZMQ_RECONNECT_IVL, &often_ms, sizeof often_ms);
    zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0);
    zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, locked.broker.public, KEY_TEXT_BYTES + 1);
    zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, key->public, KEY_TEXT_BYTES + 1);
    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, key->secret, KEY_TEXT_BYTES + 1);
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", rig->port.events);
    MUST(zmq_connect(socket, endpoint) == 0, "%s", endpoint);
    return socket;
}

/* Jobs are enqueued until one of their events comes. */
static void await_event(struct producer *client, void *socket)
{
    static int jobs;
    char id[32], topic[64];
    AWAIT((snprintf(id, sizeof id, "e%d", ++jobs), enqueue(client, id, "red", jobs),
           zmq_recv(socket, topic, sizeof topic, ZMQ_DONTWAIT) > 0),
          "a follower hears nothing");
}

static void drop_all(void *socket)
{
    char bytes[4096];
    while (zmq_recv(socket, bytes, sizeof bytes, ZMQ_DONTWAIT) >= 0)
        ;
}

START_TEST(a_revoked_follower_hears_nothing_more_and_the_others_go_on)
{
    struct key_pair shop, first, second;
    struct producer client;
    char bytes[4096];
    locked_open(&locked, NULL);
    locked_key(&locked, "shop", "producer", "*", &shop);
    locked_key(&locked, "first", "follower", "", &first);
    locked_key(&locked, "second", "follower", "", &second);
    rig_start(rig, 0);
    locked_connect(&locked, &client, rig->port.producers, &shop);
    void *one = follow(&first), *two = follow(&second);
    await_event(&client, one);
    await_event(&client, two);
    locked_revoke(&locked, "first");
    locked_reload(&locked, true);
    drop_all(one);
    drop_all(two);
    await_event(&client, two);
    MUST(zmq_recv(one, bytes, sizeof bytes, ZMQ_DONTWAIT) < 0, "a revoked follower still hears");
    zmq_close(one);
    zmq_close(two);
    producer_close(&client);
    locked_close(&locked);
}
END_TEST

/* covers: code forbidden */
START_TEST(a_routing_id_of_its_own_is_refused)
{
    struct key_pair shop;
    struct producer client;
    locked_open(&locked, NULL);
    locked_key(&locked, "shop", "producer", "*", &shop);
    rig_start(rig, 0);
    locked_connect(&locked, &client, rig->port.producers, &shop);
    zmq_close(client.socket);
    client.socket = zmq_socket(rig->zmq, ZMQ_DEALER);
    int none = 0;
    char endpoint[64];
    zmq_setsockopt(client.socket, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(client.socket, ZMQ_ROUTING_ID, "somebody", 8);
    zmq_setsockopt(client.socket, ZMQ_CURVE_SERVERKEY, locked.broker.public, KEY_TEXT_BYTES + 1);
    zmq_setsockopt(client.socket, ZMQ_CURVE_PUBLICKEY, shop.public, KEY_TEXT_BYTES + 1);
    zmq_setsockopt(client.socket, ZMQ_CURVE_SECRETKEY, shop.secret, KEY_TEXT_BYTES + 1);
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", rig->port.producers);
    zmq_connect(client.socket, endpoint);
    SEND(&client, WIRE_VERSION, "PING", "r");
    MUST(got_error(&client, "forbidden"), "not refused");
    producer_close(&client);
    locked_close(&locked);
}
END_TEST

/* Each must end by itself, and say why. */
static void start_fails(const char *why)
{
    rig_start_broker(rig);
    MUST(program_wait(&rig->broker, LIMIT_MS) == 1, "it starts in spite of that");
    AWAIT(program_said(&rig->broker, why), "the log does not say %s", why);
}

START_TEST(bad_key_files_stop_the_start_and_are_named)
{
    char path[PROGRAM_PATH_MAX];
    locked_open(&locked, NULL);
    rig_start_sandbox(rig);
    snprintf(path, sizeof path, "%s/broker.secret", rig->folder);
    chmod(path, 0644);
    start_fails("broker.secret: its mode is 0644");
    chmod(path, 0600);
    locked_write_key(&locked, "sender", "nonsense worker *\n");
    start_fails("sender.key: line 1: the public key must be 40 characters of Z85");
    locked_close(&locked);
}
END_TEST

/* Off loopback neither goes without saying; and then it is said. */
START_TEST(an_open_door_needs_the_word_insecure_and_is_warned_of)
{
    char producers[64], admin[64];
    rig_open(rig, NULL);
    rig_start_sandbox(rig);
    snprintf(producers, sizeof producers, "broker.producers=tcp://0.0.0.0:%u", rig->port.producers);
    snprintf(admin, sizeof admin, "broker.admin=0.0.0.0:%u", rig->port.admin);
    rig->sets[rig->set_count++] = producers;
    start_fails("broker.producers: not on loopback");
    rig->sets[0] = admin;
    start_fails("broker.admin: not on loopback: that needs admin_tls_cert_file and admin_tls_key_file");
    rig->sets[rig->set_count++] = producers;
    rig->sets[rig->set_count++] = "broker.insecure=true";
    rig_start_broker(rig);
    rig_await_admin(rig);
    MUST(program_said(&rig->broker, "insecure: whoever reaches them is trusted") &&
             program_said(&rig->broker, "event=no_tls"),
         "it does not warn");
    rig_close(rig);
}
END_TEST

START_TEST(a_worker_that_is_not_let_in_says_so)
{
    locked_open(&locked, NULL);
    locked_revoke(&locked, "sender");
    rig_start(rig, 0);
    rig_start_worker(rig, 0);
    AWAIT(program_said(&rig->worker[0], "event=broker_away"), "the worker's log says nothing");
    MUST(rig_workers_there(rig) == 0, "it is let in");
    locked_close(&locked);
}
END_TEST

START_TEST(the_command_line_enqueues_with_a_key)
{
    struct key_pair shop;
    char secret[PROGRAM_PATH_MAX], broker[PROGRAM_PATH_MAX], jobs[PROGRAM_PATH_MAX], endpoint[64];
    locked_open(&locked, NULL);
    locked_key(&locked, "shop", "producer", "red", &shop);
    rig_start(rig, 0);
    snprintf(secret, sizeof secret, "%s/shop.secret", rig->folder);
    snprintf(broker, sizeof broker, "%s/broker.pub", rig->folder);
    snprintf(jobs, sizeof jobs, "%s/jobs.jsonl", rig->folder);
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", rig->port.producers);
    FILE *file = fopen(jobs, "w");
    fputs("{\"id\":\"a\",\"pool\":\"red\",\"to\":\"+14157050001\",\"message\":{}}\n"
          "{\"id\":\"b\",\"pool\":\"blue\",\"to\":\"+14157050002\",\"message\":{}}\n",
          file);
    fclose(file);
    const char *arguments[] = {
        "enqueue", jobs, "--producers", endpoint, "--curve-secret-key-file", secret, "--broker-public-key-file",
        broker,    NULL};
    MUST(rig_run(rig, "linewardctl", "ctl.txt", arguments) == 1, "not both are judged");
    char *said = rig_read(rig, "ctl.txt");
    MUST(strstr(said, "1 accepted") != NULL && strstr(said, "unknown_pool") != NULL, "%s", said);
    free(said);
    locked_close(&locked);
}
END_TEST

int main(void)
{
    return RUN_TESTS("curve", 120, strangers_are_not_heard_and_friends_send, a_worker_s_key_says_whose_jobs_it_gets,
                     a_revoked_producer_is_heard_no_more_over_its_connection,
                     a_worker_cannot_speak_for_another_and_a_revoked_one_for_itself,
                     a_revoked_follower_hears_nothing_more_and_the_others_go_on, a_routing_id_of_its_own_is_refused,
                     bad_key_files_stop_the_start_and_are_named,
                     an_open_door_needs_the_word_insecure_and_is_warned_of, a_worker_that_is_not_let_in_says_so,
                     the_command_line_enqueues_with_a_key);
}
