/* inside.c — what runs in the machine whose power is cut: looks whether the broker still knows all that was noted
 * before the cut, then enqueues and works until the next one.
 *
 *   inside NOTES PRODUCERS_PORT WORKERS_PORT SEED [--all]
 *
 * NOTES is what it said before, which outlived the power cuts outside: a line for each thing that the broker had told
 * it, `@a N NUMBER` (an ACK: job N has this number), `@k N KEY` (a lease: job N has this key), `@d N` (a DONE: job N
 * is sent). It says the same kind of lines, `@v ACKED DONE` once all is found (the newest, and some of the others;
 * with
 * --all each, and then it ends), and `@f SENTENCE` when something is missing. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "lineward/json.h"
#include "tests/process/producer.h"

#define CONVERSATIONS  60
#define BATCH_MAX      12
#define BATCH_EVERY_MS 20
#define SLOTS          16
#define GAP            64 /* numbers left out after a cut: some may have been said to the broker alone */
#define ROOM_MORE      100000
#define NEWEST         2000 /* are all asked after */
#define SAMPLE         500  /* of the others */
#define ASK_BATCH      200
#define UNKNOWN_ONE_IN 8 /* answers */
#define LOOK_LIMIT_MS  20000

struct noted {
    char number[JOB_NUMBER_TEXT_MAX]; /* "": no ACK */
    char key[80];                     /* "": never leased */
    bool done;
};

static struct rig rig;
static struct producer client, work;
static struct noted *jobs;
static size_t room, next; /* next: the first number never used */
static struct {
    char lease[72];
    size_t job;
    bool sent;
} held[SLOTS];
static size_t held_count;
static uint64_t instance;
static bool is_ready;
static struct {
    size_t first, count;
    int64_t next_ms;
    bool asked;
} batch;

static _Noreturn void breach(const char *what, size_t job, const char *was, const char *is)
{
    printf("@f job %zu: %s: %s, %s\n", job, what, was, is);
    fflush(stdout);
    exit(EXIT_FAILURE);
}

/* ---- what was noted ---- */

static void read_notes(const char *path)
{
    char line[256], text[128];
    size_t job, newest = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        breach("its notes can't be read", 0, path, "");
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "@%*c %zu", &job) == 1 && job > newest)
            newest = job;
    next = newest + GAP;
    room = next + ROOM_MORE;
    jobs = calloc(room, sizeof *jobs);
    if (jobs == NULL)
        breach("no memory", 0, "", "");
    rewind(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "@a %zu %32s", &job, text) == 2)
            snprintf(jobs[job].number, sizeof jobs[job].number, "%.32s", text);
        else if (sscanf(line, "@k %zu %79s", &job, text) == 2)
            snprintf(jobs[job].key, sizeof jobs[job].key, "%.79s", text);
        else if (sscanf(line, "@d %zu", &job) == 1)
            jobs[job].done = true;
    }
    fclose(file);
}

static void judge(size_t job, const cJSON *view)
{
    const char *number = json_string(view, "job"), *state = json_string(view, "state");
    if (number == NULL || state == NULL)
        breach("was acknowledged and is lost", job, jobs[job].number, "not found");
    if (strcmp(number, jobs[job].number) != 0)
        breach("has another number", job, jobs[job].number, number);
    bool sent = strcmp(state, "sent") == 0;
    bool waits = strcmp(state, "queued") == 0 || strcmp(state, "held") == 0 || strcmp(state, "leased") == 0;
    if (jobs[job].done ? !sent : !sent && !waits)
        breach("is in a state that it can't be in", job, jobs[job].done ? "sent" : "acknowledged", state);
}

static void ask(const size_t *which, size_t count)
{
    struct frame frames[3 + ASK_BATCH] = {{WIRE_VERSION, strlen(WIRE_VERSION)}, {"STATUS", 6}, {"", 0}};
    char ids[ASK_BATCH][24];
    for (size_t i = 0; i < count; i++) {
        snprintf(ids[i], sizeof ids[i], "p%zu", which[i]);
        frames[3 + i] = (struct frame){ids[i], strlen(ids[i])};
    }
    producer_send_frames(&client, frames, 3 + count);
    if (!producer_receive(&client, LOOK_LIMIT_MS) || !producer_got(&client, "ACK"))
        breach("no answer to STATUS", which[0], "", "");
    for (size_t i = 0; i < count; i++) {
        cJSON *view = producer_json(&client, 3 + i);
        judge(which[i], view);
        cJSON_Delete(view);
    }
}

static void look(bool all)
{
    size_t which[ASK_BATCH], count = 0, acked = 0, done = 0;
    for (size_t job = 0; job < next; job++) {
        if (jobs[job].number[0] == '\0')
            continue;
        acked++;
        done += jobs[job].done;
        if (!all && job + NEWEST < next && rig_random(&rig, next) >= SAMPLE)
            continue;
        which[count++] = job;
        if (count == ASK_BATCH) {
            ask(which, count);
            count = 0;
        }
    }
    if (count > 0)
        ask(which, count);
    printf("@v %zu %zu\n", acked, done);
    fflush(stdout);
}

/* ---- enqueueing ---- */

static void hand_in(void)
{
    struct frame frames[3 + BATCH_MAX] = {{WIRE_VERSION, strlen(WIRE_VERSION)}, {"ENQUEUE", 7}, {"", 0}};
    char texts[BATCH_MAX][256];
    batch.first = next;
    batch.count = 1 + rig_random(&rig, BATCH_MAX);
    next += batch.count;
    if (next >= room)
        breach("too many jobs", next, "", "");
    for (size_t i = 0; i < batch.count; i++) {
        size_t job = batch.first + i;
        snprintf(texts[i], sizeof texts[i],
                 "{\"id\":\"p%zu\",\"to\":\"+14158%06zu\",\"message\":{\"parts\":[{\"type\":\"text\",\"value\":"
                 "\"before the power goes\"}]}}",
                 job, job % CONVERSATIONS);
        frames[3 + i] = (struct frame){texts[i], strlen(texts[i])};
    }
    batch.asked = message_send(client.socket, frames, 3 + batch.count) == ERR_NONE;
}

static void take_ack(void)
{
    if (!producer_got(&client, "ACK") || producer_frames(&client) != 3 + batch.count)
        breach("was refused", batch.first, "", "");
    for (size_t i = 0; i < batch.count; i++) {
        cJSON *result = producer_json(&client, 3 + i);
        const char *number = json_string(result, "job");
        if (number != NULL) {
            snprintf(jobs[batch.first + i].number, sizeof jobs[0].number, "%s", number);
            printf("@a %zu %s\n", batch.first + i, number);
        }
        cJSON_Delete(result);
    }
    fflush(stdout);
    batch.asked = false;
    batch.next_ms = mono_ms() + (int64_t)rig_random(&rig, BATCH_EVERY_MS * 2);
}

/* ---- working ---- */

static const char *result_of(size_t held_at)
{
    return held[held_at].sent ? "{\"outcome\":\"sent\",\"http_status\":202}"
                              : "{\"outcome\":\"retry\",\"unknown\":true}";
}

/* Names what it holds: all of it is answered, but not known to be noted. */
static void say_ready(void)
{
    char ready[128 + SLOTS * 80];
    int bytes = snprintf(ready, sizeof ready, "{\"worker\":\"w\",\"instance\":\"i%llu\",\"slots\":%d,\"leases\":[",
                         (unsigned long long)instance, SLOTS);
    for (size_t i = 0; i < held_count; i++)
        bytes += snprintf(ready + bytes, sizeof ready - (size_t)bytes, "%s\"%s\"", i > 0 ? "," : "", held[i].lease);
    snprintf(ready + bytes, sizeof ready - (size_t)bytes, "]}");
    SEND(&work, WIRE_VERSION, "READY", ready);
    is_ready = false;
}

static void answer(const char *lease, const cJSON *job)
{
    const char *number = json_string(job, "job"), *key = json_string(job, "idempotency_key");
    size_t at = 0;
    while (at < next && strcmp(jobs[at].number, number) != 0)
        at++;
    bool known = at < next; /* else its ACK is on its way, or was lost with the power */
    if (known && jobs[at].done)
        breach("was sent, and is handed out again", at, "sent", "leased");
    if (known && jobs[at].key[0] != '\0' && strcmp(jobs[at].key, key) != 0)
        breach("has another key", at, jobs[at].key, key);
    if (known) {
        snprintf(jobs[at].key, sizeof jobs[at].key, "%s", key);
        printf("@k %zu %s\n", at, key);
    }
    if (held_count == SLOTS)
        breach("is more than the slots", at, "", "");
    snprintf(held[held_count].lease, sizeof held[held_count].lease, "%s", lease);
    held[held_count].job = known ? at : SIZE_MAX;
    held[held_count].sent = rig_random(&rig, UNKNOWN_ONE_IN) != 0;
    SEND(&work, WIRE_VERSION, "RESULT", lease, result_of(held_count));
    held_count++;
}

static void copy_text(struct frame frame, char *out, size_t bytes)
{
    snprintf(out, bytes, "%.*s", (int)frame.bytes, (const char *)frame.data);
}

static void take_done(const char *lease)
{
    for (size_t i = 0; i < held_count; i++)
        if (strcmp(held[i].lease, lease) == 0) {
            if (held[i].sent && held[i].job != SIZE_MAX) {
                jobs[held[i].job].done = true;
                printf("@d %zu\n", held[i].job);
            }
            held[i] = held[--held_count];
            return;
        }
}

static void take_work(void)
{
    char lease[72];
    size_t frames = producer_frames(&work);
    if (producer_got(&work, "ERR") && is_ready)
        say_ready();
    if (producer_got(&work, "READY")) {
        is_ready = true;
        for (size_t i = 0; i < held_count; i++)
            SEND(&work, WIRE_VERSION, "RESULT", held[i].lease, result_of(i));
    }
    if (producer_got(&work, "DONE"))
        for (size_t i = 2; i < frames; i++) {
            copy_text(producer_frame(&work, i), lease, sizeof lease);
            take_done(lease);
        }
    if (producer_got(&work, "JOB") && is_ready)
        for (size_t i = 2; i + 1 < frames; i += 2) {
            copy_text(producer_frame(&work, i), lease, sizeof lease);
            cJSON *job = producer_json(&work, i + 1);
            answer(lease, job);
            cJSON_Delete(job);
        }
    fflush(stdout);
}

static void beat(int64_t *next_ms)
{
    static unsigned beats;
    char text[16];
    if (mono_ms() < *next_ms)
        return;
    snprintf(text, sizeof text, "%u", ++beats);
    SEND(&work, WIRE_VERSION, "BEAT", text);
    *next_ms = mono_ms() + RIG_HEARTBEAT_MS;
}

int main(int argc, char **argv)
{
    int64_t beat_ms = 0;
    if (argc < 5)
        return 2;
    rig.zmq = zmq_ctx_new();
    rig.random = strtoull(argv[4], NULL, 10);
    read_notes(argv[1]);
    producer_open(&client, &rig, (uint16_t)atoi(argv[2]), ZMQ_DEALER);
    look(argc > 5);
    if (argc > 5)
        return EXIT_SUCCESS;
    producer_open(&work, &rig, (uint16_t)atoi(argv[3]), ZMQ_DEALER);
    instance = rig_random(&rig, UINT64_MAX);
    say_ready();
    for (;;) { /* until the power goes */
        beat(&beat_ms);
        while (producer_receive(&work, 0))
            take_work();
        if (!batch.asked && mono_ms() >= batch.next_ms)
            hand_in();
        while (batch.asked && producer_receive(&client, 0))
            take_ack();
        poll(NULL, 0, 1);
    }
}
