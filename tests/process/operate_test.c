/* operate_test.c — an operator's word is as durable as a job: settled outcomes, requeued dead letters, cordons,
 * reputations. */
#include <stdio.h>
#include <string.h>

#include "lineward/json.h"
#include "session.h"

/* covers: call GET /v1/dead, POST /v1/dead/requeue, POST /v1/dead/{id}/requeue */
START_TEST(dead_letters_come_back_over_sigkill_and_each_is_sent_once)
{
    enum { JOBS = 12 };
    static const char *const sets[] = {"policies.default.attempts_max=1", NULL};
    char id[16];
    begin(sets, NULL, 1);
    rig_faults(&rig, "{\"rate_500\":1}");
    for (unsigned i = 0; i < JOBS; i++) {
        snprintf(id, sizeof id, "d%u", i);
        producer_greet(&producer, id, i, "", NULL);
    }
    for (unsigned i = 0; i < JOBS; i++) {
        snprintf(id, sizeof id, "d%u", i);
        AWAIT(producer_is(&producer, id, "failed", NULL), "%s does not fail", id);
    }
    rig_faults(&rig, NULL);
    rig_restart_by_force(&rig);
    cJSON *dead = rig_operate(&rig, "GET", "/v1/dead?code=3001", NULL);
    MUST(cJSON_GetArraySize(json_get(dead, "dead")) == JOBS, "%d dead letters",
         cJSON_GetArraySize(json_get(dead, "dead")));
    cJSON_Delete(dead);
    cJSON_Delete(rig_operate(&rig, "POST", "/v1/pause", "{\"reason\":\"test\"}"));
    cJSON_Delete(rig_operate(&rig, "POST", "/v1/dead/d0/requeue", NULL));
    cJSON *many = rig_operate(&rig, "POST", "/v1/dead/requeue?code=3001", "{}");
    MUST(number_at(many, "requeued") == JOBS - 1, "%lld requeued", (long long)number_at(many, "requeued"));
    cJSON_Delete(many);
    rig_restart_by_force(&rig); /* they wait, and their ends lie before their new beginnings */
    cJSON_Delete(rig_operate(&rig, "POST", "/v1/resume", "{}"));
    for (unsigned i = 0; i < JOBS; i++) {
        snprintf(id, sizeof id, "d%u", i);
        AWAIT(producer_is(&producer, id, "sent", NULL), "%s is not sent", id);
    }
    rig_restart_by_force(&rig);
    dead = rig_operate(&rig, "GET", "/v1/dead", NULL);
    MUST(cJSON_GetArraySize(json_get(dead, "dead")) == 0, "a requeued job is still a dead letter");
    cJSON_Delete(dead);
    MUST(rig_accepted(&rig) == JOBS, "%lld messages for %d jobs", (long long)rig_accepted(&rig), JOBS);
    end();
}
END_TEST

/* covers: call POST /v1/jobs/{id}/settle */
START_TEST(a_settled_outcome_stays_settled_over_sigkill)
{
    static const char *const sets[] = {"worker.request_timeout_ms=300", "policies.default.retry_base_ms=12000",
                                       "policies.default.retry_cap_ms=12000", NULL};
    begin(sets, NULL, 1);
    rig_faults(&rig, "{\"rate_silence\":1}");
    producer_greet(&producer, "gone", 1, "", NULL);
    producer_greet(&producer, "lost", 2, "", NULL);
    AWAIT(producer_is(&producer, "gone", "queued", "outcome_unknown"), "the outcome is not unknown");
    AWAIT(producer_is(&producer, "lost", "queued", "outcome_unknown"), "the outcome is not unknown");
    rig_faults(&rig, NULL);
    cJSON_Delete(rig_operate(&rig, "POST", "/v1/jobs/gone/settle", "{\"outcome\":\"sent\",\"reason\":\"test\"}"));
    cJSON_Delete(rig_operate(&rig, "POST", "/v1/jobs/lost/settle", "{\"outcome\":\"unsent\",\"reason\":\"test\"}"));
    rig_restart_by_force(&rig);
    MUST(producer_is(&producer, "gone", "sent", NULL), "what was settled as sent is not");
    MUST(producer_is(&producer, "lost", "queued", "retry_backoff"), "what was settled as unsent is unknown again");
    producer_greet(&producer, "next", 1, "", NULL);
    AWAIT(producer_is(&producer, "next", "sent", NULL), "the settled job still blocks its conversation");
    AWAIT(producer_is(&producer, "lost", "sent", NULL), "the job settled as unsent is not tried again");
    MUST(rig_accepted(&rig) == 2, "%lld messages", (long long)rig_accepted(&rig));
    end();
}
END_TEST

/* covers: call POST /v1/lines/{line}/cordon, POST /v1/lines/{line}/uncordon; reason line_cordoned */
START_TEST(a_cordon_holds_over_sigkill_until_it_is_lifted)
{
    char path[64], from[64];
    begin(NULL, NULL, 1);
    snprintf(from, sizeof from, ",\"from\":\"%s\"", rig.lines[0]);
    producer_greet(&producer, "known", 1, from, NULL);
    AWAIT(producer_is(&producer, "known", "sent", NULL), "the line does not send");
    snprintf(path, sizeof path, "/v1/lines/%s/cordon", rig.lines[0]);
    cJSON_Delete(rig_operate(&rig, "POST", path, NULL));
    rig_restart_by_force(&rig);
    producer_greet(&producer, "fresh", 2, from, "queued");
    producer_greet(&producer, "again", 1, from, NULL);
    AWAIT(producer_is(&producer, "again", "sent", NULL), "a conversation of the cordoned line does not go on");
    MUST(producer_is(&producer, "fresh", "queued", "line_cordoned"), "a new conversation does not wait");
    snprintf(path, sizeof path, "/v1/lines/%s/uncordon", rig.lines[0]);
    cJSON_Delete(rig_operate(&rig, "POST", path, NULL));
    AWAIT(producer_is(&producer, "fresh", "sent", NULL), "the uncordoned line takes no new conversation");
    end();
}
END_TEST

/* covers: call POST /v1/lines/{line}/reputation, DELETE /v1/lines/{line}/reputation */
START_TEST(an_operators_reputation_holds_over_sigkill_until_it_ends)
{
    char path[64], from[64];
    begin(NULL, NULL, 1);
    snprintf(from, sizeof from, ",\"from\":\"%s\"", rig.lines[0]);
    producer_greet(&producer, "first", 1, from, NULL);
    AWAIT(producer_is(&producer, "first", "sent", NULL), "the line does not send");
    snprintf(path, sizeof path, "/v1/lines/%s/reputation", rig.lines[0]);
    cJSON_Delete(rig_operate(&rig, "POST", path, "{\"status\":\"CRITICAL\",\"for_ms\":3600000,\"reason\":\"test\"}"));
    rig_restart_by_force(&rig);
    MUST(rig_line_is(&rig, 0, "closed", "line_critical"), "the line is not closed");
    producer_greet(&producer, "second", 1, from, "held");
    cJSON_Delete(rig_operate(&rig, "DELETE", path, NULL)); /* through the ramp, which is short here */
    AWAIT(producer_is(&producer, "second", "sent", NULL), "the line does not send when the word has ended");

    int64_t until_ms = mono_ms() + 500;
    cJSON_Delete(rig_operate(&rig, "POST", path, "{\"status\":\"CRITICAL\",\"for_ms\":500}"));
    producer_greet(&producer, "third", 1, from, "held");
    AWAIT(producer_is(&producer, "third", "sent", NULL), "the word does not end by itself");
    MUST(mono_ms() >= until_ms, "it ended too soon");
    end();
}
END_TEST

/* How many of the jobs ID0 … are in this state on a line that is (not) rig.lines[0]. */
static int count_on(const char *id, int jobs, const char *state, bool on_first)
{
    int count = 0;
    for (int i = 0; i < jobs; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s%d", id, i);
        cJSON *view = producer_ask(&producer, "STATUS", name);
        const char *line = text_at(view, "line");
        count += strcmp(text_at(view, "state"), state) == 0 && line != NULL &&
                 (strcmp(line, rig.lines[0]) == 0) == on_first;
        cJSON_Delete(view);
    }
    return count;
}

#define CONVERSATIONS 20

/* Conversations that live on the first line by placement, for the others were cordoned meanwhile. */
static void settle_on_first_line(void)
{
    char path[64], id[16];
    for (size_t l = 1; l < RIG_LINES; l++) {
        snprintf(path, sizeof path, "/v1/lines/%s/cordon", rig.lines[l]);
        cJSON_Delete(rig_operate(&rig, "POST", path, NULL));
    }
    for (unsigned i = 0; i < CONVERSATIONS; i++) {
        snprintf(id, sizeof id, "a%u", i);
        producer_greet(&producer, id, i, "", NULL);
    }
    AWAIT(count_on("a", CONVERSATIONS, "sent", true) == CONVERSATIONS, "the first line does not send all");
    for (size_t l = 1; l < RIG_LINES; l++) {
        snprintf(path, sizeof path, "/v1/lines/%s/uncordon", rig.lines[l]);
        cJSON_Delete(rig_operate(&rig, "POST", path, NULL));
    }
}

static void enqueue_all(const char *id)
{
    for (unsigned i = 0; i < CONVERSATIONS; i++) {
        char name[16];
        snprintf(name, sizeof name, "%s%u", id, i);
        producer_greet(&producer, name, i, "", NULL);
    }
}

/* covers: key policies.on_flagged */
START_TEST(a_flagged_lines_conversations_go_on_elsewhere_and_stay_there)
{
    static const char *const sets[] = {"policies.default.on_flagged=move", NULL};
    begin(sets, NULL, 1);
    settle_on_first_line();
    cJSON_Delete(rig_operate(&rig, "POST", "/v1/pause", "{\"reason\":\"test\"}"));
    enqueue_all("b");
    rig_set_line(&rig, 0, "\"service\":\"FLAGGED\"");
    AWAIT(rig_line_is(&rig, 0, "closed", "line_flagged"), "the line is not flagged");
    rig_restart_by_force(&rig); /* while they are on their way */
    cJSON_Delete(rig_operate(&rig, "POST", "/v1/resume", "{}"));
    AWAIT(count_on("b", CONVERSATIONS, "sent", false) == CONVERSATIONS, "not all go on elsewhere");
    rig_set_line(&rig, 0, "\"service\":\"ACTIVE\"");
    AWAIT(rig_line_is(&rig, 0, "open", NULL), "the line does not open again");
    rig_restart_by_force(&rig);
    enqueue_all("c");
    AWAIT(count_on("c", CONVERSATIONS, "sent", false) == CONVERSATIONS, "conversations went back to their old line");
    MUST(rig_accepted(&rig) == 3 * CONVERSATIONS, "%lld messages", (long long)rig_accepted(&rig));
    end();
}
END_TEST

/* covers: call POST /v1/lines/{line}/drain, DELETE /v1/lines/{line}/drain, PUT /v1/conversations/{pool}/{to}/line */
START_TEST(a_line_is_drained_and_a_conversation_moved_over_sigkill)
{
    char drain[64], body[64], path[96];
    begin(NULL, NULL, 1);
    settle_on_first_line();
    snprintf(drain, sizeof drain, "/v1/lines/%s/drain", rig.lines[0]);
    cJSON_Delete(rig_operate(&rig, "POST", "/v1/pause", "{\"reason\":\"test\"}"));
    enqueue_all("b");
    cJSON *dry = rig_operate(&rig, "POST", drain, "{\"mode\":\"fail\",\"dry_run\":true}");
    MUST(number_at(dry, "jobs") == CONVERSATIONS, "%lld jobs would fail", (long long)number_at(dry, "jobs"));
    cJSON_Delete(dry);
    cJSON_Delete(rig_operate(&rig, "POST", drain, "{\"mode\":\"fail\"}"));
    AWAIT(count_on("b", CONVERSATIONS, "failed", true) == CONVERSATIONS, "what waits does not fail");
    enqueue_all("c");
    cJSON_Delete(rig_operate(&rig, "POST", drain, "{\"mode\":\"move\"}"));
    rig_restart_by_force(&rig);
    cJSON_Delete(rig_operate(&rig, "POST", "/v1/resume", "{}"));
    AWAIT(count_on("c", CONVERSATIONS, "sent", false) == CONVERSATIONS, "not all are placed anew");
    cJSON_Delete(rig_operate(&rig, "DELETE", drain, NULL));

    snprintf(path, sizeof path, "/v1/conversations/default/+14157040000/line");
    snprintf(body, sizeof body, "{\"line\":\"%s\"}", rig.lines[0]);
    cJSON_Delete(rig_operate(&rig, "PUT", path, body));
    rig_restart_by_force(&rig);
    producer_greet(&producer, "d0", 0, "", NULL);
    AWAIT(count_on("d", 1, "sent", true) == 1, "the moved conversation is not on its new line");
    producer_greet(&producer, "e0", 0, "", NULL);
    AWAIT(count_on("e", 1, "sent", true) == 1, "it does not stay there");
    end();
}
END_TEST

int main(void)
{
    return RUN_TESTS("operate", 60, dead_letters_come_back_over_sigkill_and_each_is_sent_once,
                     a_settled_outcome_stays_settled_over_sigkill, a_cordon_holds_over_sigkill_until_it_is_lifted,
                     an_operators_reputation_holds_over_sigkill_until_it_ends,
                     a_flagged_lines_conversations_go_on_elsewhere_and_stay_there,
                     a_line_is_drained_and_a_conversation_moved_over_sigkill);
}
