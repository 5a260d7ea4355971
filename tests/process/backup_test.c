/* backup_test.c — a broker is backed up under load, dies, and goes on from the backup: nothing that it held is lost,
 * no key is two jobs' and no job has two keys, whatever was sent in between. The judge is lineward-audit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "lineward/json.h"
#include "producer.h"

#define CONVERSATIONS 40
#define HELD_EACH     6  /* jobs of each when the backup is made, besides the one that was sent */
#define SENT_SINCE    60 /* then, before the broker dies */
#define KILLS         8
#define PACE          "1200"
#define PAUSED_LINES  2 /* while the backup is made: however long that takes, their jobs are in it */
#define JOBS_MAX      (CONVERSATIONS * (HELD_EACH + 3))

static struct rig rig;
static struct producer producer;
static struct {
    size_t conversation;
    int n;
    bool lost; /* acknowledged after the backup */
    char number[JOB_NUMBER_TEXT_MAX];
    char id[32];
} jobs[JOBS_MAX];
static size_t job_count;

static void enqueue(size_t conversation, int n, bool lost)
{
    char json[512];
    snprintf(jobs[job_count].id, sizeof jobs->id, "c%zu-%d%s", conversation, n, lost ? "-late" : "");
    snprintf(json, sizeof json,
             "{\"id\":\"%s\",\"to\":\"+1415556%04zu\",\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"#%d "
             "default/%s hello\"}]}}",
             jobs[job_count].id, conversation, n, jobs[job_count].id);
    producer_enqueue(&producer, json, jobs[job_count].number, NULL);
    jobs[job_count].conversation = conversation;
    jobs[job_count].n = n;
    jobs[job_count++].lost = lost;
}

static void enqueue_each(int n, bool lost)
{
    for (size_t c = 0; c < CONVERSATIONS; c++)
        enqueue(c, n, lost);
}

static void run_ctl(const char *log, const char *const *arguments, int expected, const char *said)
{
    int code = rig_run(&rig, "linewardctl", log, arguments);
    char *text = rig_read(&rig, log);
    MUST(code == expected && strstr(text, said) != NULL, "linewardctl %s: %d, %s", arguments[0], code, text);
    free(text);
}

static void write_acked(char path[PROGRAM_PATH_MAX])
{
    snprintf(path, PROGRAM_PATH_MAX, "%s/acked.jsonl", rig.folder);
    FILE *file = fopen(path, "w");
    MUST(file != NULL, "%s", path);
    for (size_t i = 0; i < job_count; i++)
        if (!jobs[i].lost)
            fprintf(file,
                    "{\"job\":\"%s\",\"id\":\"%s\",\"pool\":\"default\",\"to\":[\"+1415556%04zu\"],\"class\":"
                    "\"transactional\",\"n\":%d,\"acked_mono_ms\":%zu}\n",
                    jobs[i].number, jobs[i].id, jobs[i].conversation, jobs[i].n, i);
    fclose(file);
}

static void no_number_is_two_jobs(void)
{
    for (size_t i = 0; i < job_count; i++)
        for (size_t k = 0; k < i; k++)
            MUST(strcmp(jobs[i].number, jobs[k].number) != 0, "%s is %s and %s", jobs[i].number, jobs[k].id,
                 jobs[i].id);
}

/* The store is gone, and its place taken by the backup. */
static void restore(const char *backup, const char *key_life, int kills_while_starting)
{
    char data[PROGRAM_PATH_MAX], lost[PROGRAM_PATH_MAX];
    snprintf(data, sizeof data, "%s/data", rig.folder);
    snprintf(lost, sizeof lost, "%s/lost", rig.folder);
    const char *arguments[] = {"restore", backup, "--to", data, "--key-life", key_life, NULL};
    program_kill(&rig.broker);
    run_ctl("refused.txt", arguments, 1, "not_empty");
    MUST(rename(data, lost) == 0, "the store can't be moved away");
    run_ctl("restore.txt", arguments, 0, "restored and checked");
    for (int kills = 0; kills < kills_while_starting; kills++) {
        rig_start_broker(&rig);
        for (size_t ticks = rig_random(&rig, 40); ticks > 0; ticks--)
            programs_tick();
        program_kill(&rig.broker);
    }
    rig_start_broker(&rig);
    rig_await_ready(&rig);
}

static void back_up(const char *backup)
{
    const char *arguments[] = {"backup", backup, "--config", rig.config, NULL};
    run_ctl("backup.txt", arguments, 0, "every checksum read back");
}

static bool all_are_sent(void)
{
    for (size_t i = 0; i < job_count; i++)
        if (!jobs[i].lost && !producer_is(&producer, jobs[i].id, "sent", NULL))
            return false;
    return true;
}

static void resume(void)
{
    long status = 0;
    cJSON_Delete(rig_ask(&rig, "POST", "/v1/resume", "{}", &status));
    MUST(status == 200, "resume answers %ld", status);
}

static void operate_lines(const char *what)
{
    for (size_t line = 0; line < PAUSED_LINES; line++) {
        char path[64];
        snprintf(path, sizeof path, "/v1/lines/%s/%s", rig.lines[line], what);
        cJSON_Delete(rig_operate(&rig, "POST", path, "{}"));
    }
}

static void begin(char backup[PROGRAM_PATH_MAX])
{
    static const char *const sets[] = {"policies.default.pace_per_min=" PACE, "store.segment_mb=1", NULL};
    rig_open(&rig, sets);
    rig_start(&rig, 1);
    producer_open(&producer, &rig, rig.port.producers, ZMQ_DEALER);
    snprintf(backup, PROGRAM_PATH_MAX, "%s/backup", rig.folder);
    job_count = 0;
    enqueue_each(1, false);
    AWAIT(rig_accepted(&rig) == CONVERSATIONS, "the conversations do not begin");
}

static void end(void)
{
    producer_close(&producer);
    rig_close(&rig);
}

START_TEST(a_broker_goes_on_from_a_backup_made_under_load_and_no_key_is_two_jobs)
{
    char backup[PROGRAM_PATH_MAX], acked[PROGRAM_PATH_MAX];
    static const char *const rules[] = {"--pace-per-min", PACE, NULL};
    begin(backup);
    operate_lines("pause");
    for (int n = 2; n <= 1 + HELD_EACH; n++)
        enqueue_each(n, false);
    back_up(backup);
    int64_t by_then = rig_accepted(&rig);
    MUST(by_then < CONVERSATIONS * (1 + HELD_EACH) - SENT_SINCE, "all are sent before the backup is made");
    operate_lines("resume");
    enqueue_each(2 + HELD_EACH, true);
    AWAIT(rig_accepted(&rig) >= by_then + SENT_SINCE, "nothing is sent meanwhile");
    restore(backup, "24h", 0);
    operate_lines("resume"); /* their pauses are in the backup, too */
    enqueue_each(3 + HELD_EACH, false);
    MUST(producer_is(&producer, jobs[job_count - 1].id, "held", "paused"), "a restored broker is not paused");
    no_number_is_two_jobs();
    resume();
    AWAIT_FOR(2 * LIMIT_MS, all_are_sent(), "not all that the backup held is sent");
    program_end(&rig.worker[0]);
    program_end(&rig.broker);
    program_end(&rig.sandbox);
    write_acked(acked);
    rig_audit_by(&rig, acked, rules);
    end();
}
END_TEST

static int pauses(void)
{
    cJSON *answer = rig_ask(&rig, "GET", "/v1/pauses", NULL, NULL);
    int count = cJSON_GetArraySize(json_get(answer, "pauses"));
    cJSON_Delete(answer);
    return count;
}

static size_t held_as_unknown(void)
{
    size_t count = 0;
    for (size_t i = 0; i < job_count; i++)
        count += producer_is(&producer, jobs[i].id, "queued", "outcome_unknown");
    return count;
}

static void settle(const char *number, const char *outcome)
{
    char path[96], body[64];
    long status = 0;
    snprintf(path, sizeof path, "/v1/jobs/%s/settle", number);
    snprintf(body, sizeof body, "{\"outcome\":\"%s\",\"reason\":\"looked\"}", outcome);
    cJSON_Delete(rig_ask(&rig, "POST", path, body, &status));
    MUST(status == 200, "settle answers %ld", status);
}

/* covers: reason outcome_unknown; call POST /v1/jobs/{id}/settle */
START_TEST(what_may_have_been_sent_longer_ago_than_keys_are_remembered_waits_for_a_person)
{
    char backup[PROGRAM_PATH_MAX];
    begin(backup);
    cJSON_Delete(rig_ask(&rig, "POST", "/v1/pause", "{}", NULL));
    enqueue_each(2, false);
    back_up(backup);
    restore(backup, "1ms", KILLS);
    MUST(pauses() == 2, "%d pauses: the operator's of before, and one of the restore", pauses());
    resume();
    enqueue(CONVERSATIONS, 1, false);
    AWAIT(producer_is(&producer, jobs[job_count - 1].id, "sent", NULL), "a new job does not go out");
    MUST(held_as_unknown() == CONVERSATIONS, "%zu are held as unknown", held_as_unknown());
    program_kill(&rig.broker); /* another start knows it, too */
    rig_start_broker(&rig);
    rig_await_ready(&rig);
    MUST(held_as_unknown() == CONVERSATIONS, "%zu are held after another start", held_as_unknown());
    MUST(rig_accepted(&rig) == CONVERSATIONS + 1, "some went out by themselves");
    settle(jobs[CONVERSATIONS].number, "unsent");
    settle(jobs[CONVERSATIONS + 1].number, "sent");
    AWAIT(producer_is(&producer, jobs[CONVERSATIONS].id, "sent", NULL), "one settled as unsent does not go out");
    MUST(producer_is(&producer, jobs[CONVERSATIONS + 1].id, "sent", NULL), "one settled as sent is not");
    MUST(rig_accepted(&rig) == CONVERSATIONS + 2, "what was settled as sent went out");
    end();
}
END_TEST

int main(void)
{
    return RUN_TESTS("backup", 120, a_broker_goes_on_from_a_backup_made_under_load_and_no_key_is_two_jobs,
                     what_may_have_been_sent_longer_ago_than_keys_are_remembered_waits_for_a_person);
}
