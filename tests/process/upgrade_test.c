/* upgrade_test.c — a store written by an earlier version: today's broker goes on with it, and of a newer one it keeps
 * its hands off.
 *
 * tests/fixtures/store-v1/ holds the folder of a broker of the record format before the present one, killed with
 * SIGKILL while it had jobs of every kind, and what its producer knew of them. The same program made it, with the
 * programs of that time (LINEWARD_MAKE_STORE=FOLDER; tests/fixtures/store-v1/make). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "folder.h"
#include "lineward/json.h"
#include "producer.h"

#define FIXTURE       "tests/fixtures/store-v1"
#define JOBS          60
#define FIRST_WAITING 20 /* those before were sent; it is the one whose outcome is unknown */
#define CANCELLED     58
#define SCHEDULED     59
#define CONVERSATIONS 10
#define PAUSED_LINE   1
#define LIST_ROOM     16384

static struct rig rig;
static struct producer producer;
static struct old_job {
    char id[16], number[JOB_NUMBER_TEXT_MAX], state[16];
    char key[128]; /* of an attempt that was made; "": none */
} jobs[JOBS];

/* ---- the same jobs, then and now ---- */

static unsigned conversation_of(int i)
{
    return i == FIRST_WAITING ? CONVERSATIONS : (unsigned)i % CONVERSATIONS;
}

static const char *class_of(int i)
{
    return i % 3 == 0 ? "campaign" : "transactional";
}

/* How manieth of its conversation and class. */
static int place_of(int i)
{
    int n = 0;
    for (int before = 0; before <= i; before++)
        n += conversation_of(before) == conversation_of(i) && class_of(before) == class_of(i);
    return n;
}

static void put_job(int i, char *out, size_t room)
{
    snprintf(out, room,
             "{\"id\":\"old-%d\",\"to\":\"+14157%06u\",\"from\":\"%.15s\",\"class\":\"%s\",%s\"message\":{\"parts\":"
             "[{\"type\":\"text\",\"value\":\"#%d default/old-%d hello\"}]}}",
             i, conversation_of(i), rig.lines[conversation_of(i) % RIG_LINES], class_of(i),
             i == SCHEDULED ? "\"send_after\":\"2099-01-01T00:00:00.000Z\"," : "", place_of(i), i);
}

static void enqueue(int i, const char *state)
{
    char job[512];
    put_job(i, job, sizeof job);
    snprintf(jobs[i].id, sizeof jobs[i].id, "old-%d", i);
    producer_enqueue(&producer, job, jobs[i].number, state);
}

/* ---- making it, with the programs of then ---- */

static void note_key(void *self, const cJSON *send)
{
    char mark[64];
    (void)self;
    for (int i = 0; i < JOBS; i++) {
        snprintf(mark, sizeof mark, "#%d default/old-%d ", place_of(i), i);
        if (strncmp(json_string(send, "text"), mark, strlen(mark)) == 0)
            snprintf(jobs[i].key, sizeof jobs[i].key, "%s", json_string(send, "key"));
    }
}

static void write_list(const char *folder)
{
    char path[PROGRAM_PATH_MAX];
    snprintf(path, sizeof path, "%s/jobs.jsonl", folder);
    FILE *file = fopen(path, "w");
    MUST(file != NULL, "%s: %s", path, strerror(errno));
    fprintf(file, "{\"made_wall_ms\":%lld}\n", (long long)clock_read().wall_ms);
    for (int i = 0; i < JOBS; i++)
        fprintf(file, "{\"id\":\"%s\",\"job\":\"%s\",\"state\":\"%s\",\"key\":\"%s\"}\n", jobs[i].id, jobs[i].number,
                jobs[i].state, jobs[i].key);
    MUST(fclose(file) == 0, "%s: %s", path, strerror(errno));
}

static bool was_tried(const char *id)
{
    int64_t attempts = 0;
    cJSON *view = producer_ask(&producer, "STATUS", id);
    MUST(json_int(view, "attempts", &attempts), "a job without attempts");
    bool tried = attempts > 0 && strcmp(text_at(view, "state"), "leased") != 0;
    cJSON_Delete(view);
    return tried;
}

static void live_through_it(void)
{
    char path[64];
    rig_start(&rig, 1);
    producer_open(&producer, &rig, rig.port.producers, ZMQ_DEALER);
    for (int i = 0; i < FIRST_WAITING; i++)
        enqueue(i, NULL);
    AWAIT(rig_accepted(&rig) == FIRST_WAITING, "they are not sent");
    rig_faults(&rig, "{\"rate_timeout\":1}");
    enqueue(FIRST_WAITING, NULL);
    AWAIT(was_tried(jobs[FIRST_WAITING].id), "no attempt");
    program_kill(&rig.worker[0]);
    snprintf(path, sizeof path, "/v1/lines/%%2B%.14s/pause", rig.lines[PAUSED_LINE] + 1);
    cJSON_Delete(rig_ask(&rig, "POST", path, "{}", NULL));
    rig_set_line(&rig, 0, "\"reputation\":\"CRITICAL\"");
    rig_set_line(&rig, 2, "\"service\":\"FLAGGED\"");
    AWAIT(rig_line_is(&rig, 0, "closed", NULL) && rig_line_is(&rig, 2, "closed", NULL), "they are not closed");
    for (int i = FIRST_WAITING + 1; i < JOBS; i++)
        enqueue(i, NULL);
    cJSON_Delete(producer_ask(&producer, "CANCEL", jobs[CANCELLED].id));
    for (int i = 0; i < JOBS; i++)
        producer_state(&producer, jobs[i].id, jobs[i].state);
    producer_close(&producer);
}

START_TEST(make)
{
    static const char *const sets[] = {"store.segment_mb=1", NULL};
    const char *folder = getenv("LINEWARD_MAKE_STORE");
    char data[PROGRAM_PATH_MAX], out[PROGRAM_PATH_MAX];
    rig_open(&rig, sets);
    live_through_it();
    program_kill(&rig.broker);
    program_end(&rig.sandbox);
    rig_each_send(&rig, note_key, NULL);
    write_list(folder);
    snprintf(data, sizeof data, "%s/data", rig.folder);
    snprintf(out, sizeof out, "%s/data", folder);
    MUST(rename(data, out) == 0, "%s: %s", out, strerror(errno));
    rig_close(&rig);
}
END_TEST

/* ---- opening it today ---- */

static int64_t read_list(void)
{
    static char line[LIST_ROOM];
    int64_t made_wall_ms = 0;
    FILE *file = fopen(FIXTURE "/jobs.jsonl", "r");
    MUST(file != NULL, "%s: %s (run it from the project's root)", FIXTURE, strerror(errno));
    for (int i = -1; i < JOBS; i++) {
        MUST(fgets(line, sizeof line, file) != NULL, "the list is too short");
        cJSON *entry = json_parse(line, strlen(line), NULL);
        if (i < 0)
            MUST(json_int(entry, "made_wall_ms", &made_wall_ms), "when was it made?");
        else {
            snprintf(jobs[i].id, sizeof jobs[i].id, "%s", text_at(entry, "id"));
            snprintf(jobs[i].number, sizeof jobs[i].number, "%s", text_at(entry, "job"));
            snprintf(jobs[i].state, sizeof jobs[i].state, "%s", text_at(entry, "state"));
            snprintf(jobs[i].key, sizeof jobs[i].key, "%s", text_at(entry, "key"));
        }
        cJSON_Delete(entry);
    }
    fclose(file);
    return made_wall_ms;
}

static void open_fixture(void)
{
    /* As long as can be: what is over shall still be known for as long as possible. */
    static const char *const sets[] = {"store.segment_mb=1", "store.history_retention_h=8760",
                                       "store.dedupe_window_h=8760", NULL};
    rig_open(&rig, sets);
    folder_unpack(FIXTURE "/data.tar.gz", rig.folder);
}

static bool is_over(int i)
{
    return i < FIRST_WAITING || i == CANCELLED;
}

/* What was acknowledged then is known today, and as what it was. */
static void must_know(int i, bool all)
{
    cJSON *view = producer_ask(&producer, "STATUS", jobs[i].id);
    const char *number = json_string(view, "job"), *state = json_string(view, "state");
    if (is_over(i) && !all && number == NULL) {
        cJSON_Delete(view);
        return; /* longer ago than anything over is kept */
    }
    MUST(number != NULL && strcmp(number, jobs[i].number) == 0, "%s was acknowledged as %s and is lost", jobs[i].id,
         jobs[i].number);
    bool waits = strcmp(state, "queued") == 0 || strcmp(state, "held") == 0 || strcmp(state, "leased") == 0;
    MUST(is_over(i) || i == SCHEDULED ? strcmp(state, jobs[i].state) == 0 : waits, "%s was %s and is %s", jobs[i].id,
         jobs[i].state, state);
    cJSON_Delete(view);
}

static void must_be_a_duplicate(int i)
{
    char job[512], number[JOB_NUMBER_TEXT_MAX];
    put_job(i, job, sizeof job);
    producer_enqueue(&producer, job, number, "duplicate");
    MUST(strcmp(number, jobs[i].number) == 0, "%s was %s and is %s", jobs[i].id, jobs[i].number, number);
}

/* For the audit: what waited then must be sent now. */
static void write_acked(char out[PROGRAM_PATH_MAX])
{
    snprintf(out, PROGRAM_PATH_MAX, "%s/acked.jsonl", rig.folder);
    FILE *file = fopen(out, "w");
    MUST(file != NULL, "%s: %s", out, strerror(errno));
    for (int i = FIRST_WAITING; i < JOBS; i++)
        if (!is_over(i))
            fprintf(file,
                    "{\"job\":\"%s\",\"id\":\"%s\",\"pool\":\"default\",\"to\":[\"+14157%06u\"],\"class\":\"%s\","
                    "\"n\":%d,\"acked_mono_ms\":0,\"state\":\"%s\"}\n",
                    jobs[i].number, jobs[i].id, conversation_of(i), class_of(i), place_of(i),
                    i == SCHEDULED ? "scheduled" : "sent");
    MUST(fclose(file) == 0, "%s: %s", out, strerror(errno));
}

static void must_repeat_the_key(void *self, const cJSON *send)
{
    unsigned *repeats = self;
    if (strstr(json_string(send, "text"), jobs[FIRST_WAITING].id) == NULL)
        return;
    const char *key = json_string(send, "key");
    MUST(strcmp(key, jobs[FIRST_WAITING].key) == 0, "tried as %s before, and as %s now", jobs[FIRST_WAITING].key,
         key);
    ++*repeats;
}

START_TEST(a_store_of_the_format_before_goes_on_with_all_its_jobs)
{
    const int64_t kept_ms = INT64_C(8700) * 3600000;
    char acked[PROGRAM_PATH_MAX], path[64];
    unsigned repeats = 0;
    open_fixture();
    rig.sandbox_options[0] = "--seed"; /* another one than then: the ids of its events must be new */
    rig.sandbox_options[1] = "2";
    bool all = clock_read().wall_ms - read_list() < kept_ms;
    rig_start(&rig, 0);
    producer_open(&producer, &rig, rig.port.producers, ZMQ_DEALER);
    for (int i = 0; i < JOBS; i++)
        must_know(i, all);
    for (int i = FIRST_WAITING; i < JOBS; i++)
        if (!is_over(i))
            must_be_a_duplicate(i);
    MUST(rig_line_is(&rig, PAUSED_LINE, "closed", "line_paused"), "the operator's pause is forgotten");
    snprintf(path, sizeof path, "/v1/lines/%%2B%.14s/resume", rig.lines[PAUSED_LINE] + 1);
    cJSON_Delete(rig_ask(&rig, "POST", path, "{\"all\":true}", NULL));
    /* The list alone lifts no flag: a newer word does, and of two of one millisecond the worse. */
    rig_set_line(&rig, 2, "\"service\":\"FLAGGED\"");
    int64_t flagged_ms = clock_read().wall_ms;
    AWAIT(clock_read().wall_ms > flagged_ms, "time stands still");
    rig_set_line(&rig, 2, "\"service\":\"ACTIVE\"");
    rig_start_worker(&rig, 0);
    AWAIT(rig_accepted(&rig) == JOBS - FIRST_WAITING - 2, "%lld are sent", (long long)rig_accepted(&rig));
    producer_close(&producer);
    program_end(&rig.worker[0]);
    program_end(&rig.broker);
    program_end(&rig.sandbox);
    rig_each_send(&rig, must_repeat_the_key, &repeats);
    MUST(repeats > 0, "the unknown outcome was not settled");
    write_acked(acked);
    rig_audit(&rig, acked, "0");
    rig_close(&rig);
}
END_TEST

START_TEST(a_store_of_a_newer_format_is_refused_and_not_touched)
{
    char data[PROGRAM_PATH_MAX];
    const char *arguments[PROGRAM_ARGUMENTS_MAX + 1];
    open_fixture();
    snprintf(data, sizeof data, "%s/data", rig.folder);
    folder_replace(data, "store", "lineward store 1", "lineward store 2");
    uint64_t before = folder_sum(data);
    rig_broker_arguments(&rig, arguments);
    int code = rig_run(&rig, "lineward-broker", "newer.log", arguments);
    char *log = rig_read(&rig, "newer.log");
    MUST(code == 1 && strstr(log, "too_new") != NULL, "it ended with %d and said %s", code, log);
    MUST(folder_sum(data) == before, "it was touched");
    free(log);
    rig_close(&rig);
}
END_TEST

int main(void)
{
    if (getenv("LINEWARD_MAKE_STORE") != NULL)
        return RUN_TESTS("make", 60, make);
    return RUN_TESTS("upgrade", 40, a_store_of_the_format_before_goes_on_with_all_its_jobs,
                     a_store_of_a_newer_format_is_refused_and_not_touched);
}
