/* pause_test.c — the operator's pause holds whatever happens to the broker, until the operator lifts it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "lineward/json.h"
#include "session.h"

static void enqueue(const char *id, size_t line, const char *state)
{
    char job[256], number[JOB_NUMBER_TEXT_MAX];
    snprintf(job, sizeof job,
             "{\"id\":\"%s\",\"to\":\"+1415703%04zu\",\"from\":\"%s\",\"campaign\":\"spring\","
             "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"#1 default/%s hello\"}]}}",
             id, line, rig.lines[line], id);
    producer_enqueue(&producer, job, number, state);
}

/* Makes the call, which must succeed; its `pause`, if it has one, goes into out[32]. */
static void operate(const char *path, const char *body, char out[32])
{
    cJSON *answer = rig_operate(&rig, "POST", path, body);
    if (out != NULL)
        snprintf(out, 32, "%s", text_at(answer, "pause"));
    cJSON_Delete(answer);
}

static int pauses_in_force(void)
{
    cJSON *view = rig_ask(&rig, "GET", "/v1/pauses", NULL, NULL);
    int count = cJSON_GetArraySize(json_get(view, "pauses"));
    cJSON_Delete(view);
    return count;
}

START_TEST(a_paused_line_stays_paused_over_sigkill_until_resumed)
{
    char path[64], pause[32];
    begin(NULL, NULL, 1);
    enqueue("first-0", 0, NULL);
    AWAIT(producer_is(&producer, "first-0", "sent", NULL), "the line does not send");
    snprintf(path, sizeof path, "/v1/lines/%s/pause", rig.lines[0]);
    operate(path, "{\"reason\":\"test\"}", pause);
    rig_restart_by_force(&rig); /* right after the answer */
    MUST(pauses_in_force() == 1, "%d pauses in force", pauses_in_force());
    MUST(rig_line_is(&rig, 0, "closed", "line_paused"), "the paused line is not closed");
    enqueue("second-0", 0, "held");
    enqueue("second-1", 1, NULL);
    AWAIT(producer_is(&producer, "second-1", "sent", NULL), "another line does not send");
    MUST(producer_is(&producer, "second-0", "held", "line_paused"), "a job on the paused line is not held");

    snprintf(path, sizeof path, "/v1/lines/%s/resume", rig.lines[0]);
    operate(path, "{}", NULL);
    rig_restart_by_force(&rig);
    AWAIT(producer_is(&producer, "second-0", "sent", NULL), "the resumed line does not send");
    MUST(pauses_in_force() == 0, "%d pauses in force", pauses_in_force());
    end();
}
END_TEST

/* covers: reason paused, account_paused, pool_paused, campaign_paused, conversation_paused; state held */
START_TEST(pauses_of_all_scopes_survive_sigkill_and_each_must_be_lifted)
{
    static const struct {
        const char *pause, *resume, *reason;
    } scopes[] = {{"/v1/pause", "/v1/resume", "paused"},
                  {"/v1/accounts/default/pause", "/v1/accounts/default/resume", "account_paused"},
                  {"/v1/pools/default/pause", "/v1/pools/default/resume", "pool_paused"},
                  {"/v1/campaigns/default/spring/pause", "/v1/campaigns/default/spring/resume", "campaign_paused"},
                  {"/v1/conversations/default/+14157030000/pause", "/v1/conversations/default/+14157030000/resume",
                   "conversation_paused"}};
    const size_t count = sizeof scopes / sizeof *scopes;
    begin(NULL, NULL, 1);
    operate(scopes[0].pause, "{\"reason\":\"test\"}", NULL);
    enqueue("job", 0, "held");
    for (size_t i = 1; i < count; i++)
        operate(scopes[i].pause, "{\"reason\":\"test\"}", NULL);
    for (size_t i = 0; i < count; i++) {
        rig_restart_by_force(&rig);
        MUST(pauses_in_force() == (int)(count - i), "%d pauses in force", pauses_in_force());
        MUST(producer_is(&producer, "job", "held", scopes[i].reason), "the job does not wait for %s",
             scopes[i].reason);
        operate(scopes[i].resume, "{}", NULL);
    }
    AWAIT(producer_is(&producer, "job", "sent", NULL), "the job is not sent once all is resumed");
    end();
}
END_TEST

START_TEST(a_pause_revokes_what_a_worker_has_not_begun)
{
    /* Who is silent is given up only after three of these, so it is still thought to be there on a slow disk. */
    static const char *const sets[] = {"broker.heartbeat_ms=1000", "policies.default.lease_ms=6000", NULL};
    char path[64];
    begin(sets, NULL, 1);
    enqueue("first-0", 0, NULL);
    AWAIT(producer_is(&producer, "first-0", "sent", NULL), "the line does not send");
    program_signal(&rig.worker[0], SIGSTOP);
    enqueue("second-0", 0, NULL);
    AWAIT(producer_is(&producer, "second-0", "leased", NULL), "the worker gets no job");
    snprintf(path, sizeof path, "/v1/lines/%s/pause", rig.lines[0]);
    operate(path, "{}", NULL);
    program_signal(&rig.worker[0], SIGCONT);
    AWAIT(producer_is(&producer, "second-0", "held", "line_paused"), "the job does not come back");
    MUST(rig_accepted(&rig) == 1, "it was sent although the line was paused before it began");
    end();
}
END_TEST

START_TEST(a_pause_for_a_while_ends_by_itself)
{
    char path[64];
    begin(NULL, NULL, 1);
    snprintf(path, sizeof path, "/v1/lines/%s/pause", rig.lines[0]);
    int64_t until_ms = mono_ms() + 600;
    operate(path, "{\"for_ms\":600}", NULL);
    enqueue("job", 0, "held");
    AWAIT(producer_is(&producer, "job", "sent", NULL), "the line does not send when its pause is over");
    MUST(mono_ms() >= until_ms, "it was sent before the pause was over");
    end();
}
END_TEST

int main(void)
{
    return RUN_TESTS("pause", 30, a_paused_line_stays_paused_over_sigkill_until_resumed,
                     pauses_of_all_scopes_survive_sigkill_and_each_must_be_lifted,
                     a_pause_revokes_what_a_worker_has_not_begun, a_pause_for_a_while_ends_by_itself);
}
