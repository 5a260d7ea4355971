/* erase_test.c — a person asks to be erased: when the broker says that it is done, no file of the store has their number,
 * whatever was held, sent, failed, paused or moved for them; everybody else's jobs go as they would have; and SIGKILLs in
 * the middle only make it take longer. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "lineward/json.h"
#include "platform.h"
#include "producer.h"

#define PERSON       "+14155550190"
#define PERSON_BARE  "14155550190"
#define FRIEND       "+14155550191"
#define MAIL         "Ann.Example+x@Mail.example.org"
#define MAIL_BARE    "ann.example+x@mail.example.org"
#define OTHERS       40
#define KILLS        12
#define JOBS_AT_ONCE 64
#define TALKS        20
#define CLEANED      3 /* segments, before anything is looked at */
#define ERASE_MS     60000
#define SECRET       "whsec_b3V0Y29tZS1zZWNyZXQtb25lLW91dGNvbWUtMQ=="
#define REASON       "\"reason\":\"" PERSON " asked us in writing\""

static struct rig rig;
static struct producer producer;
static unsigned batches;
static bool strangers_only; /* what fills up names nobody who was erased */

static const char *const small[] = {"store.segment_mb=1", NULL};

/* ---- what the store's files say ---- */

static bool file_holds(const char *path, const char *text)
{
    FILE *file = fopen(path, "rb");
    size_t bytes = strlen(text), kept = 0, got;
    static char window[1 << 16];
    bool found = false;
    if (file == NULL) /* given up meanwhile */
        return false;
    while (!found && (got = fread(window + kept, 1, sizeof window - kept, file)) > 0) {
        size_t all = kept + got;
        found = all >= bytes && memmem(window, all, text, bytes) != NULL;
        kept = all < bytes - 1 ? all : bytes - 1;
        memmove(window, window + all - kept, kept);
    }
    fclose(file);
    return found;
}

/* How many of the store's files have the text; the last one's name. */
static unsigned files_with(const char *text, char name[300])
{
    char folder[PROGRAM_PATH_MAX], path[PROGRAM_PATH_MAX + 300];
    unsigned found = 0;
    snprintf(folder, sizeof folder, "%s/data", rig.folder);
    DIR *listing = opendir(folder);
    MUST(listing != NULL, "no folder %s", folder);
    for (const struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] == '.' || !file_holds(path, text))
            continue;
        snprintf(name, 300, "%s", entry->d_name);
        found++;
    }
    closedir(listing);
    return found;
}

static void must_be_gone(const char *text)
{
    char name[300] = "";
    MUST(files_with(text, name) == 0, "%s is still in %s", text, name);
}

static void must_be_there(const char *text)
{
    char name[300];
    MUST(files_with(text, name) > 0, "%s is in no file: there is nothing to erase", text);
}

/* ---- asking ---- */

static cJSON *ask(const char *method, const char *path, const char *body, long wanted)
{
    long status = 0;
    cJSON *answer = rig_ask(&rig, method, path, body, &status);
    MUST(status == wanted, "%s %s: %ld, not %ld", method, path, status, wanted);
    return answer;
}

static void call(const char *method, const char *path, const char *body)
{
    cJSON_Delete(ask(method, path, body, 200));
}

static void order(const char *to, bool dry_run, char id[32])
{
    char body[256];
    snprintf(body, sizeof body, "{\"to\":\"%s\"," REASON ",\"dry_run\":%s}", to, dry_run ? "true" : "false");
    cJSON *answer = ask("POST", "/v1/erasures", body, 202);
    snprintf(id, 32, "%s", text_at(answer, "erasure"));
    cJSON_Delete(answer);
}

static cJSON *erasure(const char *id)
{
    char path[64];
    snprintf(path, sizeof path, "/v1/erasures/%s", id);
    return ask("GET", path, NULL, 200);
}

static bool is_in(const char *id, const char *state)
{
    cJSON *view = erasure(id);
    bool is = strcmp(text_at(view, "state"), state) == 0;
    cJSON_Delete(view);
    return is;
}

static bool is_done(const char *id)
{
    return is_in(id, "done");
}

static cJSON *await_done(const char *id)
{
    AWAIT_FOR(ERASE_MS, is_done(id), "%s is not done", id);
    return erasure(id);
}

/* ---- what there is of a person ---- */

static void send(const char *to, const char *id, const char *more, const char *state)
{
    char job[600], number[JOB_NUMBER_TEXT_MAX];
    snprintf(job, sizeof job,
             "{\"id\":\"%s\",\"to\":%s,\"meta\":{\"to\":%s},%s\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"hi\"}]}}",
             id, to, to, more);
    producer_enqueue(&producer, job, number, state);
}

/* Jobs of nobody that end at once: segments fill with what is over, are cleaned, and used again. */
static void fill(void)
{
    char job[1200], padding[900], request[16];
    memset(padding, 'x', sizeof padding - 1);
    padding[sizeof padding - 1] = '\0';
    for (unsigned i = 0; i < JOBS_AT_ONCE; i++) {
        snprintf(request, sizeof request, "b%u", i);
        snprintf(job, sizeof job,
                 "{\"id\":\"f%u-%u\",\"to\":\"%s\",\"expires_at\":\"2020-01-01T00:00:00Z\","
                 "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"%s\"}]}}",
                 batches, i, i % 8 == 0 && !strangers_only ? PERSON : "+14157070001", padding);
        SEND(&producer, "LW1", "ENQUEUE", request, job);
    }
    for (unsigned i = 0; i < JOBS_AT_ONCE; i++)
        MUST(producer_receive(&producer, LIMIT_MS), "no ACK");
    batches++;
}

static int64_t cleaned(void)
{
    long status = 0;
    char *text = rig_fetch(&rig, rig.token, "GET", "/metrics", NULL, 0, &status);
    const char *at = strstr(text, "\nlineward_store_cleaned_segments_total ");
    int64_t count = at == NULL ? -1 : strtoll(strchr(at, ' '), NULL, 10);
    free(text);
    return count;
}

static void fill_until_cleaned(int64_t segments)
{
    int64_t until = cleaned() + segments;
    for (unsigned i = 0; i < 400 && cleaned() < until; i++)
        fill();
    MUST(cleaned() >= until, "nothing was cleaned");
}

static bool is(const char *id, const char *state)
{
    return producer_is(&producer, id, state, NULL);
}

static void open_rig(void)
{
    rig_open(&rig, small);
    rig_start(&rig, 1);
    producer_open(&producer, &rig, rig.port.producers, ZMQ_DEALER);
}

static void close_rig(void)
{
    producer_close(&producer);
    rig_close(&rig);
}

/* Sent, expired, paused, moved, waiting, not due, in a group: and everybody else beside. */
static void make_past(void)
{
    send("\"" PERSON "\"", "sent", "", NULL);
    send("[\"" PERSON "\",\"" FRIEND "\"]", "group-sent", "", NULL);
    send("\"" MAIL "\"", "mail-sent", "", NULL);
    AWAIT(is("sent", "sent") && is("group-sent", "sent") && is("mail-sent", "sent"), "nothing is sent");
    strangers_only = false;
    fill_until_cleaned(CLEANED);
    call("POST", "/v1/pause", "{" REASON "}");
    call("POST", "/v1/conversations/default/" PERSON "/pause", "{" REASON "}");
    send("\"" PERSON "\"", "waits", "", NULL);
    send("\"" PERSON "\"", "later", "\"send_after\":\"2030-01-01T00:00:00Z\",", "scheduled");
    send("[\"" FRIEND "\",\"" PERSON "\"]", "group-waits", "", NULL);
    send("\"" FRIEND "\"", "friend", "", NULL);
    for (unsigned i = 0; i < OTHERS; i++) {
        char id[16], to[24];
        snprintf(id, sizeof id, "o%u", i);
        snprintf(to, sizeof to, "\"+141555503%02u\"", i);
        send(to, id, "", NULL);
    }
}

/* Where no job has them: of a conversation that never was, of somebody else, of a line; however it is written. */
static void talk_of_them(void)
{
    call("POST", "/v1/conversations/default/" PERSON ",+14155550177/pause", "{\"for_ms\":3600000}");
    call("PUT", "/v1/suppressions/default/+14155550178", "{\"reason\":\"of +1 (415) 555-0190's house\"}");
    call("POST", "/v1/lines/+12025550101/reputation",
         "{\"status\":\"AT_RISK\",\"for_ms\":600000,\"reason\":\"says 1.415.555.0190\"}");
}

/* As a backup does: no file gets another one in its place until this is closed. */
static int hold_files(void)
{
    char path[PROGRAM_PATH_MAX];
    snprintf(path, sizeof path, "%s/data/store", rig.folder);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    MUST(file >= 0 && flock(file, LOCK_SH) == 0, "can't hold %s", path);
    return file;
}

static void nobody_talks_of_them(void)
{
    must_be_gone(PERSON_BARE);
    must_be_gone("(415) 555-0190");
    must_be_gone("415.555.0190");
}

static void resume(void)
{
    call("POST", "/v1/resume", NULL);
}

static bool others_are_sent(void)
{
    for (unsigned i = 0; i < OTHERS; i++) {
        char id[16];
        snprintf(id, sizeof id, "o%u", i);
        if (!is(id, "sent"))
            return false;
    }
    return is("friend", "sent");
}

/* covers: call POST /v1/erasures, GET /v1/erasures, GET /v1/erasures/{erasure} */
START_TEST(a_person_is_in_no_file_when_it_is_done_and_everybody_else_is_served)
{
    char id[32], again[32];
    open_rig();
    make_past();
    talk_of_them();
    must_be_there(PERSON_BARE);
    must_be_there("(415) 555-0190");
    order(PERSON, true, id);
    cJSON *view = await_done(id);
    MUST(number_at(view, "jobs") == 3 && number_at(view, "jobs_out") == 0, "a dry run finds %lld jobs",
         (long long)number_at(view, "jobs"));
    MUST(number_at(view, "conversations") >= 2 && number_at(view, "records") > 10, "a dry run finds too little");
    cJSON_Delete(view);
    must_be_there(PERSON_BARE);
    MUST(is("waits", "held"), "a dry run ended a job");

    int hold = hold_files();
    unsigned talks = 0;
    order(PERSON, false, id);
    talk_of_them(); /* in each of its states, and behind what it has gone through already */
    while (!is_in(id, "rewriting") || talks++ < TALKS)
        talk_of_them();
    close(hold);
    view = await_done(id);
    MUST(number_at(view, "jobs") == 3, "%lld jobs ended", (long long)number_at(view, "jobs"));
    MUST(cJSON_GetArraySize(json_get(view, "elsewhere")) > 0, "it does not say where else they may be");
    cJSON_Delete(view);
    nobody_talks_of_them();
    strangers_only = true;
    fill_until_cleaned(2 * CLEANED); /* what is in force is written anew */
    nobody_talks_of_them();
    must_be_there(MAIL_BARE);
    must_be_there(FRIEND);
    MUST(is("waits", "cancelled") && is("later", "cancelled") && is("group-waits", "cancelled"), "jobs did not end");
    resume();
    AWAIT(others_are_sent(), "others wait");

    order(MAIL, false, id);
    cJSON_Delete(await_done(id));
    must_be_gone(MAIL_BARE);
    must_be_gone("Ann.Example");
    order(PERSON, false, again);
    cJSON_Delete(await_done(again));
    MUST(strcmp(id, again) != 0, "one that is done is not the same as another");

    program_end(&rig.broker);
    must_be_gone(PERSON_BARE);
    rig_start_broker(&rig);
    rig_await_ready(&rig);
    MUST(is("waits", "cancelled") && is("sent", "sent"), "a restart does not know the ends any more");
    producer_refused(&producer,
                     "{\"id\":\"waits\",\"to\":\"" PERSON
                     "\",\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"another\"}]}}",
                     "id_conflict", NULL);
    call("POST", "/v1/conversations/default/" PERSON "/resume", NULL); /* its pause was kept */
    send("\"" PERSON "\"", "anew", "", NULL);
    AWAIT(is("anew", "sent"), "nothing can be sent to them any more");
    close_rig();
}
END_TEST

START_TEST(a_broker_that_is_killed_in_the_middle_goes_on_with_it)
{
    char id[32];
    open_rig();
    make_past();
    order(PERSON, false, id);
    unsigned kills = 0;
    for (; kills < KILLS && !is_done(id); kills++) {
        for (int64_t until = mono_ms() + (int64_t)rig_random(&rig, 12); mono_ms() < until;)
            ;
        program_kill(&rig.broker);
        rig_start_broker(&rig);
        rig_await_admin(&rig);
    }
    rig_await_ready(&rig);
    cJSON_Delete(await_done(id));
    fprintf(stderr, "killed %u times\n", kills);
    must_be_gone(PERSON_BARE);
    MUST(is("waits", "cancelled") && is("sent", "sent"), "an end is lost");
    resume();
    AWAIT(others_are_sent(), "others wait");
    close_rig();
}
END_TEST

/* ---- what an erasure waits for, and what gets in its way ---- */

static bool was_told(const struct platform *platform, const char *topic, const char *own)
{
    size_t count = 0;
    bool told = false;
    struct taken *taken = platform_taken(platform, &count);
    for (size_t i = 0; i < count; i++)
        told = told || (strcmp(taken[i].topic, topic) == 0 && strcmp(taken[i].own, own) == 0);
    free(taken);
    return told;
}

START_TEST(a_platform_is_told_how_the_jobs_ended_before_their_ids_are_gone)
{
    static const char *const sets[] = {"broker.outcome_hosts=[\"http://127.0.0.1\"]", NULL};
    struct platform platform;
    char id[32], *conf, *whole = NULL;
    rig_open(&rig, sets);
    rig_write(&rig, "outcome.secrets", SECRET "\n");
    platform_open(&platform, &rig, "platform", SECRET);
    atomic_store(&platform.shared->mood, PLATFORM_FAILS);
    platform_start(&platform);
    conf = rig_read(&rig, "lineward.yaml");
    MUST(asprintf(&whole, "%spools: {default: {outcome_url: \"http://127.0.0.1:%u/hook\", outcome_secrets_file: outcome.secrets}}\n",
                  conf, platform.port) > 0, "out of memory");
    rig_write(&rig, "lineward.yaml", whole);
    rig_start(&rig, 1);
    producer_open(&producer, &rig, rig.port.producers, ZMQ_DEALER);
    call("POST", "/v1/pause", "{" REASON "}");
    send("\"" PERSON "\"", "waits", "", NULL);
    order(PERSON, false, id);
    AWAIT(is_in(id, "rewriting"), "nothing is rewritten");
    int asked = atomic_load(&platform.shared->requests);
    AWAIT(atomic_load(&platform.shared->requests) > asked, "the platform is not asked again");
    MUST(is_in(id, "rewriting"), "it did not wait for the platform");
    atomic_store(&platform.shared->mood, PLATFORM_GOOD);
    program_signal(&rig.broker, SIGHUP); /* tried again at once */
    cJSON_Delete(await_done(id));
    MUST(was_told(&platform, "job.cancelled", "waits"), "the platform never heard which job it was");
    must_be_gone(PERSON_BARE);
    free(conf);
    free(whole);
    close_rig();
}
END_TEST

/* Folders where the files are to be that take the place of the segments' (`stands`), or none any more. */
static void obstruct(bool stands)
{
    char folder[PROGRAM_PATH_MAX], path[PROGRAM_PATH_MAX + 300];
    snprintf(folder, sizeof folder, "%s/data", rig.folder);
    DIR *listing = opendir(folder);
    MUST(listing != NULL, "no folder %s", folder);
    for (const struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        const char *end = strrchr(entry->d_name, '.');
        if (strcmp(end != NULL ? end : "", stands ? ".seg" : ".tmp") != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s%s", folder, entry->d_name, stands ? ".tmp" : "");
        MUST((stands ? mkdir(path, 0700) : rmdir(path)) == 0, "can't change %s", path);
    }
    closedir(listing);
}

START_TEST(a_pass_that_fails_is_made_again_until_it_does_not)
{
    char id[32];
    open_rig();
    send("\"" PERSON "\"", "sent", "", NULL);
    AWAIT(is("sent", "sent"), "nothing is sent");
    obstruct(true);
    order(PERSON, false, id);
    AWAIT(program_said(&rig.broker, "event=erasure_interrupted"), "it did not fail");
    MUST(is_in(id, "rewriting"), "it is done though it failed");
    must_be_there(PERSON_BARE);
    producer_refused(&producer, "{\"id\":\"anew\",\"to\":\"" PERSON "\",\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"a\"}]}}",
                     "not_allowed", NULL);
    obstruct(false);
    cJSON_Delete(await_done(id));
    must_be_gone(PERSON_BARE);
    close_rig();
}
END_TEST

int main(void)
{
    return RUN_TESTS("erase", 240, a_person_is_in_no_file_when_it_is_done_and_everybody_else_is_served,
                     a_broker_that_is_killed_in_the_middle_goes_on_with_it,
                     a_platform_is_told_how_the_jobs_ended_before_their_ids_are_gone,
                     a_pass_that_fails_is_made_again_until_it_does_not);
}
