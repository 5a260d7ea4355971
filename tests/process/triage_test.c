/* triage_test.c — a held backlog is sorted out before it goes: what a rehearsal says is what is done, a SIGKILL between two
 * parts loses nothing, and what is exported, cancelled and imported is sent once. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lineward/json.h"
#include "session.h"

#define CAMPAIGN "pool=default&class=campaign"

/* Cancels part by part until the end, with a SIGKILL after each; how many in all. */
static int64_t cancel_amid_kills(void)
{
    int64_t jobs = 0;
    char path[160] = "/v1/triage/cancel?" CAMPAIGN "&limit=15";
    for (bool over = false; !over;) {
        cJSON *answer = rig_operate(&rig, "POST", path, "{\"reason\":\"too old\"}");
        const char *next = text_at(answer, "next");
        jobs += number_at(answer, "jobs");
        over = next == NULL;
        if (!over)
            snprintf(path, sizeof path, "/v1/triage/cancel?" CAMPAIGN "&limit=15&after=%s", next);
        cJSON_Delete(answer);
        rig_restart_by_force(&rig);
    }
    return jobs;
}

/* covers: call POST /v1/triage/cancel */
START_TEST(a_triage_amid_kills_ends_what_its_rehearsal_said_and_nothing_else)
{
    enum { JOBS = 60, CAMPAIGNS = 40 };
    char id[16];
    begin(NULL, NULL, 1);
    cJSON_Delete(rig_operate(&rig, "POST", "/v1/pause", "{\"reason\":\"triage\"}"));
    for (unsigned i = 0; i < JOBS; i++) {
        snprintf(id, sizeof id, "t%u", i);
        producer_greet(&producer, id, i / 2, i % 3 == 0 ? "" : ",\"class\":\"campaign\"", NULL);
    }
    cJSON *dry = rig_operate(&rig, "POST", "/v1/triage/cancel?" CAMPAIGN "&dry_run=1", NULL);
    MUST(number_at(dry, "jobs") == CAMPAIGNS && number_at(dry, "recipients") == 30, "%lld jobs, %lld recipients",
         (long long)number_at(dry, "jobs"), (long long)number_at(dry, "recipients"));
    MUST(text_at(dry, "oldest_at") != NULL, "no word of the oldest");
    cJSON_Delete(dry);
    int64_t done = cancel_amid_kills();
    MUST(done == CAMPAIGNS, "%lld cancelled", (long long)done);
    cJSON *again = rig_operate(&rig, "POST", "/v1/triage/cancel?" CAMPAIGN, NULL);
    MUST(number_at(again, "jobs") == 0, "%lld cancelled again", (long long)number_at(again, "jobs"));
    cJSON_Delete(again);
    cJSON_Delete(rig_operate(&rig, "POST", "/v1/resume", "{}"));
    for (unsigned i = 0; i < JOBS; i++) {
        snprintf(id, sizeof id, "t%u", i);
        AWAIT(producer_is(&producer, id, i % 3 == 0 ? "sent" : "cancelled", NULL), "%s went another way", id);
    }
    MUST(rig_accepted(&rig) == JOBS - CAMPAIGNS, "%lld messages", (long long)rig_accepted(&rig));
    end();
}
END_TEST

/* linewardctl triage WORDS…; its exit code. */
static int triage(const char *const *words)
{
    char admin[64], token[PROGRAM_PATH_MAX];
    const char *arguments[24] = {"triage"};
    size_t count = 1;
    snprintf(admin, sizeof admin, "http://127.0.0.1:%u", rig.port.admin);
    snprintf(token, sizeof token, "%s/tokens.first", rig.folder);
    for (; *words != NULL; words++)
        arguments[count++] = *words;
    arguments[count++] = "--admin";
    arguments[count++] = admin;
    arguments[count++] = "--token-file";
    arguments[count++] = token;
    return rig_run(&rig, "linewardctl", "ctl.log", arguments);
}
#define TRIAGE(...) triage((const char *const[]){__VA_ARGS__, NULL})

/* covers: call GET /v1/triage/export */
START_TEST(what_is_exported_cancelled_and_imported_twice_amid_kills_is_sent_once)
{
    enum { JOBS = 60 };
    char id[16], file[PROGRAM_PATH_MAX], until[32];
    begin(NULL, NULL, 1);
    cJSON_Delete(rig_operate(&rig, "POST", "/v1/pause", "{\"reason\":\"triage\"}"));
    for (unsigned i = 0; i < JOBS; i++) {
        snprintf(id, sizeof id, "x%u", i);
        producer_greet(&producer, id, i / 4, i % 5 == 0 ? ",\"class\":\"reply\"" : "", NULL);
    }
    snprintf(file, sizeof file, "%s/export.jsonl", rig.folder);
    MUST(TRIAGE("export", file, "--pool", "default") == 0, "the export failed");
    cJSON *page = rig_operate(&rig, "GET", "/v1/triage/export?pool=default&limit=1", NULL);
    MUST(text_at(page, "until") != NULL, "an export tells no mark");
    snprintf(until, sizeof until, "%s", text_at(page, "until"));
    cJSON_Delete(page);
    MUST(TRIAGE("import", file) == 1, "what waits still was imported");
    rig_restart_by_force(&rig);
    producer_greet(&producer, "late", 99, "", NULL); /* and is in no file */
    MUST(TRIAGE("cancel", "--pool", "default") == 0, "the rehearsal failed");
    MUST(producer_is(&producer, "x0", "held", NULL), "a rehearsal cancelled something");
    MUST(TRIAGE("cancel", "--pool", "default", "--until", until, "--yes", "--reason", "to be imported again") == 0,
         "the cancel failed");
    rig_restart_by_force(&rig);
    MUST(TRIAGE("import", file, "--batch", "7") == 0, "the import failed");
    rig_restart_by_force(&rig);
    cJSON_Delete(rig_operate(&rig, "POST", "/v1/resume", "{}"));
    AWAIT(rig_accepted(&rig) == JOBS + 1, "%lld messages", (long long)rig_accepted(&rig));
    MUST(producer_is(&producer, "late", "sent", NULL), "what came since the export is not sent");
    MUST(TRIAGE("import", file) == 0, "the second import failed");
    for (unsigned i = 0; i < JOBS; i++) {
        snprintf(id, sizeof id, "x%u", i);
        MUST(producer_is(&producer, id, "cancelled", NULL), "%s lives again", id);
    }
    MUST(rig_accepted(&rig) == JOBS + 1, "%lld messages for %d jobs", (long long)rig_accepted(&rig), JOBS + 1);
    end();
}
END_TEST

/* Whose results the broker knows: the provider has them before. */
static int sent_by_the_other(void)
{
    cJSON *page = rig_operate(&rig, "GET", "/v1/jobs?pool=other&state=sent&limit=100", NULL);
    const cJSON *job;
    int count = 0;
    cJSON_ArrayForEach(job, json_get(page, "jobs"))
    {
        MUST(strcmp(text_at(job, "line"), rig.lines[1]) == 0, "sent on %s", text_at(job, "line"));
        count++;
    }
    cJSON_Delete(page);
    return count;
}

#define MOVE "/v1/triage/move?pool=default&limit=9"

/* covers: call POST /v1/triage/move */
START_TEST(what_is_moved_to_another_pool_part_by_part_amid_kills_is_sent_once)
{
    enum { JOBS = 40 };
    char id[16], path[160] = MOVE;
    int64_t moved = 0;
    begin(NULL,
          "pools:\n"
          "  default: {account: default, lines: [\"+12025550101\"]}\n"
          "  other: {account: default, lines: [\"+12025550102\"]}\n",
          1);
    producer_greet(&producer, "begun", 0, "", NULL);
    AWAIT(producer_is(&producer, "begun", "sent", NULL), "nothing is sent");
    cJSON_Delete(rig_operate(&rig, "POST", "/v1/pause", "{\"reason\":\"triage\"}"));
    for (unsigned i = 0; i < JOBS; i++) {
        snprintf(id, sizeof id, "m%u", i);
        producer_greet(&producer, id, i / 4, "", NULL); /* the first four are of the conversation that was begun */
    }
    for (bool over = false; !over;) {
        cJSON *answer = rig_operate(&rig, "POST", path, "{\"pool\":\"other\",\"reason\":\"gone\"}");
        const char *next = text_at(answer, "next");
        moved += number_at(answer, "jobs");
        over = next == NULL && number_at(answer, "jobs") == 0;
        snprintf(path, sizeof path, "%s%s%s", MOVE, next != NULL ? "&after=" : "", next != NULL ? next : "");
        cJSON_Delete(answer);
        rig_restart_by_force(&rig);
    }
    MUST(moved == JOBS - 4, "%lld moved", (long long)moved);
    cJSON_Delete(rig_operate(&rig, "POST", "/v1/resume", "{}"));
    AWAIT(rig_accepted(&rig) == JOBS + 1, "%lld messages", (long long)rig_accepted(&rig));
    AWAIT(sent_by_the_other() == JOBS - 4, "%d sent by the other pool", sent_by_the_other());
    for (unsigned i = 0; i < JOBS; i++) {
        snprintf(id, sizeof id, "m%u", i);
        MUST(producer_is(&producer, id, i < 4 ? "sent" : "cancelled", NULL), "%s went another way", id);
    }
    end();
}
END_TEST

int main(void)
{
    return RUN_TESTS("triage", 120, a_triage_amid_kills_ends_what_its_rehearsal_said_and_nothing_else,
                     what_is_moved_to_another_pool_part_by_part_amid_kills_is_sent_once,
                     what_is_exported_cancelled_and_imported_twice_amid_kills_is_sent_once);
}
