/* restart_test.c — what a broker killed in the middle of something must know when it starts again. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/json.h"
#include "session.h"

#define TEXT "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"hello\"}]}"

static char number[JOB_NUMBER_TEXT_MAX];

static void restart_by_force(void)
{
    program_kill(&rig.broker);
    rig_start_broker(&rig);
    rig_await_ready(&rig);
}

static void await_sent(const char *id)
{
    AWAIT(producer_is(&producer, id, "sent", NULL), "%s is not sent", id);
}

START_TEST(a_placement_that_nobody_began_is_undone_after_a_restart_too)
{
    begin(NULL, NULL, 1);
    program_signal(&rig.worker[0], SIGSTOP);
    producer_enqueue(&producer, "{\"id\":\"new\",\"to\":\"+14155560001\"," TEXT "}", number, NULL);
    AWAIT(producer_is(&producer, "new", "leased", NULL), "the worker gets no job");
    size_t placed = producer_line(&producer, &rig, "new");
    restart_by_force();
    rig_set_line(&rig, placed, "\"reputation\":\"AT_RISK\"");
    AWAIT(rig_line_is(&rig, placed, "slow", NULL), "an AT_RISK line is not slow");
    program_signal(&rig.worker[0], SIGCONT);
    await_sent("new");
    MUST(producer_line(&producer, &rig, "new") != placed,
         "a new conversation went out on a line that was AT_RISK by then");
    end();
}
END_TEST

static bool waits_longer(const char *id)
{
    int64_t due_ms = 0;
    cJSON *view = producer_ask(&producer, "STATUS", id);
    const char *due = text_at(view, "due_at");
    bool waits = due != NULL && time_parse(due, &due_ms) && clock_read().wall_ms <= due_ms;
    cJSON_Delete(view);
    return waits;
}

/* A conversation whose first job waited for the provider, and let a reply go first when its wait was over. */
START_TEST(a_reply_in_flight_before_a_job_whose_wait_was_over_survives_a_restart)
{
    static const char *const sets[] = {"policies.default.retry_base_ms=300", "policies.default.retry_cap_ms=300",
                                       NULL};
    begin(sets, NULL, 1);
    producer_enqueue(&producer, "{\"id\":\"known\",\"to\":\"+14155560002\"," TEXT "}", number, NULL);
    await_sent("known");
    rig_faults(&rig, "{\"rate_429\":1,\"retry_after_s\":-1}");
    producer_enqueue(&producer, "{\"id\":\"slow\",\"to\":\"+14155560002\",\"class\":\"campaign\"," TEXT "}", number,
                     NULL);
    AWAIT(producer_is(&producer, "slow", "queued", "rate_limited"), "429 does not make it wait");
    cJSON_Delete(rig_ask(&rig, "POST", "/v1/pools/default/pause", "{}", NULL));
    rig_faults(&rig, NULL);
    AWAIT(!waits_longer("slow"), "its wait does not end");
    program_signal(&rig.worker[0], SIGSTOP);
    producer_enqueue(&producer, "{\"id\":\"reply\",\"to\":\"+14155560002\",\"class\":\"reply\"," TEXT "}", number,
                     NULL);
    cJSON_Delete(rig_ask(&rig, "POST", "/v1/pools/default/resume", "{}", NULL));
    AWAIT(producer_is(&producer, "reply", "leased", NULL), "the reply does not go first");
    restart_by_force();
    program_signal(&rig.worker[0], SIGCONT);
    await_sent("reply");
    await_sent("slow");
    MUST(rig_accepted(&rig) == 3, "%lld messages", (long long)rig_accepted(&rig));
    end();
}
END_TEST

START_TEST(what_was_leased_to_somebody_suppressed_since_ends_after_a_restart_too)
{
    begin(NULL, NULL, 1);
    program_signal(&rig.worker[0], SIGSTOP);
    producer_enqueue(&producer, "{\"id\":\"stopped\",\"to\":\"+14155560003\"," TEXT "}", number, NULL);
    producer_enqueue(&producer, "{\"id\":\"other\",\"to\":\"+14155560004\"," TEXT "}", number, NULL);
    AWAIT(producer_is(&producer, "stopped", "leased", NULL), "the worker gets no job");
    cJSON_Delete(rig_operate(&rig, "PUT", "/v1/suppressions/default/+14155560003", "{\"reason\":\"test\"}"));
    cJSON_Delete(rig_operate(&rig, "POST", "/v1/pause", "{\"reason\":\"test\"}")); /* it would end when it has its turn */
    MUST(producer_is(&producer, "stopped", "leased", NULL), "it has come back before the restart");
    restart_by_force();
    program_signal(&rig.worker[0], SIGCONT);
    AWAIT(producer_is(&producer, "stopped", "suppressed", NULL), "it does not end");
    AWAIT(producer_is(&producer, "other", "held", "paused"), "what is another's does not wait");
    MUST(rig_accepted(&rig) == 0, "%lld messages", (long long)rig_accepted(&rig));
    end();
}
END_TEST

int main(void)
{
    return RUN_TESTS("restart", 30, a_placement_that_nobody_began_is_undone_after_a_restart_too,
                     a_reply_in_flight_before_a_job_whose_wait_was_over_survives_a_restart,
                     what_was_leased_to_somebody_suppressed_since_ends_after_a_restart_too);
}
