/* provider_test.c — a provider that is dead, slow, or says 500, and then comes back. */
#include <stdio.h>
#include <string.h>

#include "lineward/json.h"
#include "session.h"

#define JOBS       12
#define BREAKER_MS 10000 /* of nothing but trouble (DESIGN section 5) */

/* Jobs of one conversation each. */
static void enqueue(int first, int count)
{
    for (int i = first; i < first + count; i++) {
        char job[256], number[JOB_NUMBER_TEXT_MAX];
        snprintf(job, sizeof job,
                 "{\"id\":\"p%d\",\"to\":\"+1415701%04d\",\"message\":{\"parts\":[{\"type\":\"text\","
                 "\"value\":\"#1 default/p%d hello\"}]}}",
                 i, i, i);
        producer_enqueue(&producer, job, number, "queued");
    }
}

struct tally {
    int sent, final, provider_down, attempts_most, attempts_least, attempts;
};

static struct tally count(int jobs)
{
    struct tally tally = {.attempts_least = 1000};
    for (int i = 0; i < jobs; i++) {
        char id[32];
        snprintf(id, sizeof id, "p%d", i);
        cJSON *view = producer_ask(&producer, "STATUS", id);
        const char *state = text_at(view, "state"), *reason = text_at(view, "reason");
        int attempts = (int)number_at(view, "attempts");
        bool waits = strcmp(state, "queued") == 0 || strcmp(state, "leased") == 0;
        tally.sent += strcmp(state, "sent") == 0;
        tally.final += !waits;
        tally.provider_down += reason != NULL && strcmp(reason, "provider_down") == 0;
        tally.attempts += attempts;
        tally.attempts_most = attempts > tally.attempts_most ? attempts : tally.attempts_most;
        tally.attempts_least = attempts < tally.attempts_least ? attempts : tally.attempts_least;
        cJSON_Delete(view);
    }
    return tally;
}

/* covers: reason provider_down */
START_TEST(a_dead_provider_opens_the_breaker_and_costs_no_job)
{
    /* At most seven tries fit into the ten seconds that the breaker takes to open. */
    static const char *const sets[] = {"policies.default.retry_base_ms=1500", "policies.default.retry_cap_ms=3000",
                                       "policies.default.attempts_max=8", NULL};
    begin(sets, NULL, 1);
    program_end(&rig.sandbox); /* from here on connections are refused */
    int64_t dead_mono_ms = mono_ms();
    enqueue(0, JOBS);
    AWAIT(count(JOBS).provider_down >= JOBS - 1, "the breaker does not open"); /* one may be on its way as a probe */
    MUST(mono_ms() - dead_mono_ms >= BREAKER_MS, "the breaker opened after %lld ms",
         (long long)(mono_ms() - dead_mono_ms));
    struct tally open = count(JOBS);
    MUST(open.final == 0, "%d jobs ended although nothing was ever sent", open.final);
    enqueue(JOBS, 1);
    AWAIT(count(JOBS + 1).provider_down >= JOBS, "a new job does not wait for the provider");

    rig.sandbox_log[strlen(rig.sandbox_log) - 1] = '2'; /* another provider's life */
    rig_start_sandbox(&rig);
    AWAIT(count(JOBS + 1).sent == JOBS + 1, "not all jobs are sent once the provider is back");
    struct tally closed = count(JOBS + 1);
    MUST(closed.attempts_most <= 8, "a job took %d attempts", closed.attempts_most);
    MUST(closed.attempts <= open.attempts + JOBS + 1 + 8, "%d attempts while the breaker was open",
         closed.attempts - open.attempts - JOBS - 1);
    MUST(rig_accepted(&rig) == JOBS + 1, "%lld messages", (long long)rig_accepted(&rig));
    end();
}
END_TEST

START_TEST(a_slow_provider_that_took_the_messages_sends_each_once)
{
    /* Unknown outcomes do not count towards attempts_max. */
    static const char *const sets[] = {"policies.default.attempts_max=2", "worker.request_timeout_ms=300", NULL};
    begin(sets, NULL, 1);
    rig_faults(&rig, "{\"rate_timeout\":1}");
    enqueue(0, JOBS);
    AWAIT(count(JOBS).attempts_least >= 4, "jobs whose answer did not come are not tried again");
    MUST(count(JOBS).final == 0, "an unknown outcome ended a job");
    MUST(rig_accepted(&rig) == JOBS, "%lld messages for %d jobs", (long long)rig_accepted(&rig), JOBS);
    rig_faults(&rig, NULL);
    AWAIT(count(JOBS).sent == JOBS, "not all jobs are sent once the provider answers");
    MUST(rig_accepted(&rig) == JOBS, "%lld messages for %d jobs", (long long)rig_accepted(&rig), JOBS);
    end();
}
END_TEST

START_TEST(a_provider_that_resets_every_connection_costs_no_job)
{
    static const char *const sets[] = {"policies.default.attempts_max=2", NULL};
    begin(sets, NULL, 1);
    rig_faults(&rig, "{\"down\":true}");
    enqueue(0, JOBS);
    AWAIT(count(JOBS).attempts_least >= 4, "jobs are not tried again");
    rig_faults(&rig, NULL);
    AWAIT(count(JOBS).sent == JOBS, "not all jobs are sent once the provider is back");
    MUST(rig_accepted(&rig) == JOBS, "%lld messages for %d jobs", (long long)rig_accepted(&rig), JOBS);
    end();
}
END_TEST

/* covers: state failed; key policies.attempts_max */
START_TEST(a_job_that_the_provider_always_fails_ends_after_attempts_max)
{
    static const char *const sets[] = {"policies.default.attempts_max=3", NULL};
    begin(sets, NULL, 1);
    rig_faults(&rig, "{\"rate_500\":1}");
    enqueue(0, 1);
    AWAIT(count(1).final == 1, "the job does not end");
    cJSON *view = producer_ask(&producer, "STATUS", "p0");
    MUST(strcmp(text_at(view, "state"), "failed") == 0, "it ended %s", text_at(view, "state"));
    MUST(number_at(view, "attempts") == 3, "after %lld attempts", (long long)number_at(view, "attempts"));
    cJSON_Delete(view);
    MUST(rig_accepted(&rig) == 0, "it was sent");
    end();
}
END_TEST

/* covers: key policies.flag_probe_ms */
START_TEST(a_flag_that_only_a_refused_send_tells_of_is_probed_and_lifted_when_it_is_over)
{
    static const char *const sets[] = {"policies.default.flag_probe_ms=400", NULL};
    char job[256], number[JOB_NUMBER_TEXT_MAX];
    begin(sets, NULL, 1);
    rig_set_line(&rig, 0, "\"service\":\"FLAGGED\",\"webhook\":false");
    snprintf(job, sizeof job,
             "{\"id\":\"f\",\"to\":\"+14157029999\",\"from\":\"%s\",\"message\":{\"parts\":[{\"type\":\"text\","
             "\"value\":\"#1 default/f hello\"}]}}",
             rig.lines[0]);
    producer_enqueue(&producer, job, number, NULL);
    AWAIT(producer_is(&producer, "f", "held", "line_flagged"), "a refused send does not flag the line");
    int64_t refused = rig_stat(&rig, "refused");
    AWAIT(rig_stat(&rig, "refused") > refused, "no probe goes");
    MUST(producer_is(&producer, "f", "held", NULL) || producer_is(&producer, "f", "leased", NULL),
         "a refused probe does not leave the line flagged");
    rig_set_line(&rig, 0, "\"service\":\"ACTIVE\",\"webhook\":false");
    AWAIT(producer_is(&producer, "f", "sent", NULL), "the probe does not get through");
    AWAIT(rig_line_is(&rig, 0, "open", NULL), "the line does not open through its ramp");
    MUST(rig_accepted(&rig) == 1, "%lld messages", (long long)rig_accepted(&rig));
    end();
}
END_TEST

int main(void)
{
    return RUN_TESTS("provider", 40, a_dead_provider_opens_the_breaker_and_costs_no_job,
                     a_slow_provider_that_took_the_messages_sends_each_once,
                     a_provider_that_resets_every_connection_costs_no_job,
                     a_job_that_the_provider_always_fails_ends_after_attempts_max,
                     a_flag_that_only_a_refused_send_tells_of_is_probed_and_lifted_when_it_is_over);
}
