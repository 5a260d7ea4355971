/* operate_test.c — an operator's word is as durable as a job: settled outcomes, requeued dead letters, cordons,
 * reputations. */
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "lineward/json.h"
#include "producer.h"

static struct rig rig;
static struct producer producer;

static void begin(const char *const *sets)
{
    rig_open(&rig, sets);
    rig_start(&rig, 1);
    producer_open(&producer, &rig, rig.port.producers, ZMQ_DEALER);
}

static void end(void)
{
    producer_close(&producer);
    rig_close(&rig);
}

static void enqueue(const char *id, unsigned to, const char *more, const char *state)
{
    char job[320], number[JOB_NUMBER_TEXT_MAX];
    snprintf(job, sizeof job,
             "{\"id\":\"%s\",\"to\":\"+1415704%04u\"%s,"
             "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"#1 default/%s hello\"}]}}",
             id, to, more, id);
    producer_enqueue(&producer, job, number, state);
}

/* Makes the call, which must succeed; its answer is the caller's. */
static cJSON *operate(const char *method, const char *path, const char *body)
{
    long status = 0;
    cJSON *answer = rig_ask(&rig, method, path, body, &status);
    MUST(status == 200 && answer != NULL, "%s %s: %ld", method, path, status);
    return answer;
}

static void restart_by_force(void)
{
    program_kill(&rig.broker);
    rig_start_broker(&rig);
    rig_await_ready(&rig);
    AWAIT(rig_workers_there(&rig) == 1, "the worker does not come back");
}

/* covers: call GET /v1/dead, POST /v1/dead/requeue, POST /v1/dead/{id}/requeue */
START_TEST(dead_letters_come_back_over_sigkill_and_each_is_sent_once)
{
    enum { JOBS = 12 };
    static const char *const sets[] = {"policies.default.attempts_max=1", NULL};
    char id[16];
    begin(sets);
    rig_faults(&rig, "{\"rate_500\":1}");
    for (unsigned i = 0; i < JOBS; i++) {
        snprintf(id, sizeof id, "d%u", i);
        enqueue(id, i, "", NULL);
    }
    for (unsigned i = 0; i < JOBS; i++) {
        snprintf(id, sizeof id, "d%u", i);
        AWAIT(producer_is(&producer, id, "failed", NULL), "%s does not fail", id);
    }
    rig_faults(&rig, NULL);
    restart_by_force();
    cJSON *dead = operate("GET", "/v1/dead?code=3001", NULL);
    MUST(cJSON_GetArraySize(json_get(dead, "dead")) == JOBS, "%d dead letters",
         cJSON_GetArraySize(json_get(dead, "dead")));
    cJSON_Delete(dead);
    cJSON_Delete(operate("POST", "/v1/pause", "{\"reason\":\"test\"}"));
    cJSON_Delete(operate("POST", "/v1/dead/d0/requeue", NULL));
    cJSON *many = operate("POST", "/v1/dead/requeue?code=3001", "{}");
    MUST(number_at(many, "requeued") == JOBS - 1, "%lld requeued", (long long)number_at(many, "requeued"));
    cJSON_Delete(many);
    restart_by_force(); /* they wait, and their ends lie before their new beginnings */
    cJSON_Delete(operate("POST", "/v1/resume", "{}"));
    for (unsigned i = 0; i < JOBS; i++) {
        snprintf(id, sizeof id, "d%u", i);
        AWAIT(producer_is(&producer, id, "sent", NULL), "%s is not sent", id);
    }
    restart_by_force();
    dead = operate("GET", "/v1/dead", NULL);
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
    begin(sets);
    rig_faults(&rig, "{\"rate_silence\":1}");
    enqueue("gone", 1, "", NULL);
    enqueue("lost", 2, "", NULL);
    AWAIT(producer_is(&producer, "gone", "queued", "outcome_unknown"), "the outcome is not unknown");
    AWAIT(producer_is(&producer, "lost", "queued", "outcome_unknown"), "the outcome is not unknown");
    rig_faults(&rig, NULL);
    cJSON_Delete(operate("POST", "/v1/jobs/gone/settle", "{\"outcome\":\"sent\",\"reason\":\"test\"}"));
    cJSON_Delete(operate("POST", "/v1/jobs/lost/settle", "{\"outcome\":\"unsent\",\"reason\":\"test\"}"));
    restart_by_force();
    MUST(producer_is(&producer, "gone", "sent", NULL), "what was settled as sent is not");
    MUST(producer_is(&producer, "lost", "queued", "retry_backoff"), "what was settled as unsent is unknown again");
    enqueue("next", 1, "", NULL);
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
    begin(NULL);
    snprintf(from, sizeof from, ",\"from\":\"%s\"", rig.lines[0]);
    enqueue("known", 1, from, NULL);
    AWAIT(producer_is(&producer, "known", "sent", NULL), "the line does not send");
    snprintf(path, sizeof path, "/v1/lines/%s/cordon", rig.lines[0]);
    cJSON_Delete(operate("POST", path, NULL));
    restart_by_force();
    enqueue("fresh", 2, from, "queued");
    enqueue("again", 1, from, NULL);
    AWAIT(producer_is(&producer, "again", "sent", NULL), "a conversation of the cordoned line does not go on");
    MUST(producer_is(&producer, "fresh", "queued", "line_cordoned"), "a new conversation does not wait");
    snprintf(path, sizeof path, "/v1/lines/%s/uncordon", rig.lines[0]);
    cJSON_Delete(operate("POST", path, NULL));
    AWAIT(producer_is(&producer, "fresh", "sent", NULL), "the uncordoned line takes no new conversation");
    end();
}
END_TEST

/* covers: call POST /v1/lines/{line}/reputation, DELETE /v1/lines/{line}/reputation */
START_TEST(an_operators_reputation_holds_over_sigkill_until_it_ends)
{
    char path[64], from[64];
    begin(NULL);
    snprintf(from, sizeof from, ",\"from\":\"%s\"", rig.lines[0]);
    enqueue("first", 1, from, NULL);
    AWAIT(producer_is(&producer, "first", "sent", NULL), "the line does not send");
    snprintf(path, sizeof path, "/v1/lines/%s/reputation", rig.lines[0]);
    cJSON_Delete(operate("POST", path, "{\"status\":\"CRITICAL\",\"for_ms\":3600000,\"reason\":\"test\"}"));
    restart_by_force();
    MUST(rig_line_is(&rig, 0, "closed", "line_critical"), "the line is not closed");
    enqueue("second", 1, from, "held");
    cJSON_Delete(operate("DELETE", path, NULL)); /* through the ramp, which is short here */
    AWAIT(producer_is(&producer, "second", "sent", NULL), "the line does not send when the word has ended");

    int64_t until_ms = mono_ms() + 500;
    cJSON_Delete(operate("POST", path, "{\"status\":\"CRITICAL\",\"for_ms\":500}"));
    enqueue("third", 1, from, "held");
    AWAIT(producer_is(&producer, "third", "sent", NULL), "the word does not end by itself");
    MUST(mono_ms() >= until_ms, "it ended too soon");
    end();
}
END_TEST

int main(void)
{
    return RUN_TESTS("operate", 60, dead_letters_come_back_over_sigkill_and_each_is_sent_once,
                     a_settled_outcome_stays_settled_over_sigkill, a_cordon_holds_over_sigkill_until_it_is_lifted,
                     an_operators_reputation_holds_over_sigkill_until_it_ends);
}
