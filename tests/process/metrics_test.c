/* metrics_test.c — GET /metrics of a broker at work: each job is in each histogram of its way, once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "producer.h"
#include "redis.h"

#define JOBS 20

static struct rig rig;
static struct producer producer;

/* The value of the sample of that name and these labels; it must be there. */
static double sample(const char *metrics, const char *name)
{
    char start[160];
    snprintf(start, sizeof start, "\nlineward_%s ", name);
    const char *at = strstr(metrics, start);
    MUST(at != NULL, "there is no sample lineward_%s", name);
    return strtod(at + strlen(start), NULL);
}

static double measure(const char *name)
{
    long status = 0;
    char *text = rig_fetch(&rig, rig.token, "GET", "/metrics", NULL, 0, &status);
    MUST(status == 200, "/metrics answers %ld", status);
    double value = sample(text, name);
    free(text);
    return value;
}

static void enqueue(int i)
{
    char job[256], number[JOB_NUMBER_TEXT_MAX];
    snprintf(job, sizeof job,
             "{\"id\":\"job-%d\",\"to\":\"+1415702%04d\",\"message\":{\"parts\":[{\"type\":\"text\",\"value\":"
             "\"#1 default/job-%d hello\"}]}}",
             i, i, i);
    producer_enqueue(&producer, job, number, NULL);
}

START_TEST(each_job_is_in_each_histogram_of_its_way_once)
{
    static const char *const sets[] = {"accounts.default.poll_interval_ms=60000", NULL}; /* only the webhook tells */
    rig_open(&rig, sets);
    rig_start(&rig, 1);
    producer_open(&producer, &rig, rig.port.producers, ZMQ_DEALER);
    for (int i = 0; i < JOBS; i++)
        enqueue(i);
    enqueue(0); /* a duplicate is no other job */
    AWAIT(measure("jobs_ended_total{state=\"sent\"}") == JOBS, "not all jobs are sent");
    MUST(measure("enqueue_durable_seconds_count") == JOBS, "jobs made durable");
    MUST(measure("lease_wait_seconds_count") == JOBS, "jobs leased for the first time");
    MUST(measure("result_seconds_count{outcome=\"sent\"}") == JOBS, "results");
    MUST(measure("result_seconds_bucket{outcome=\"sent\",le=\"+Inf\"}") == JOBS, "results in buckets");
    MUST(measure("store_commit_seconds_count") > 0, "commits");
    MUST(measure("store_commit_seconds_sum") > 0, "the commits' time");
    MUST(measure("store_disk_free_bytes") > 0, "the disk's room");
    MUST(measure("account_heard_timestamp_seconds{account=\"default\"}") > 1600000000, "the account is heard of");
    MUST(measure("webhook_gate_seconds_count") == 0, "no webhook moved a gate");
    rig_set_line(&rig, 0, "\"reputation\":\"CRITICAL\"");
    AWAIT(rig_line_is(&rig, 0, "closed", "line_critical"), "the line does not close");
    AWAIT(measure("lines_by_gate{gate=\"closed\"}") == 1, "the closed line is not counted");
    MUST(measure("webhook_gate_seconds_count") == 1, "a gate moved once is counted once");
    MUST(measure("webhook_gate_seconds_sum") < 5, "nor is its time that of the machine");
    producer_close(&producer);
    rig_close(&rig);
}
END_TEST

START_TEST(the_gate_that_a_webhook_closes_is_timed_with_a_shared_cache_too)
{
    struct redis redis;
    char address[128];
    redis_start(&redis);
    snprintf(address, sizeof address, "cache.redis=redis+unix://%s", redis.socket);
    const char *const sets[] = {"cache.kind=redis", address, "accounts.default.poll_interval_ms=60000", NULL};
    rig_open(&rig, sets);
    rig_start(&rig, 0);
    AWAIT(rig_line_is(&rig, 0, "open", NULL), "the line is not open");
    rig_set_line(&rig, 0, "\"reputation\":\"CRITICAL\"");
    AWAIT(rig_line_is(&rig, 0, "closed", "line_critical"), "the line does not close");
    AWAIT(measure("lines_by_gate{gate=\"closed\"}") == 1, "the closed line is not counted");
    MUST(measure("webhook_gate_seconds_count") == 1, "a gate moved once is counted once");
    rig_close(&rig);
    redis_end(&redis);
}
END_TEST

START_TEST(an_unknown_outcome_is_counted_as_such)
{
    rig_open(&rig, NULL);
    rig_start(&rig, 1);
    producer_open(&producer, &rig, rig.port.producers, ZMQ_DEALER);
    rig_faults(&rig, "{\"rate_reset_after_accept\":1}");
    enqueue(0);
    AWAIT(measure("result_seconds_count{outcome=\"unknown\"}") >= 1, "the try is not counted");
    rig_faults(&rig, NULL);
    AWAIT(measure("jobs_ended_total{state=\"sent\"}") == 1, "the job is not sent");
    MUST(measure("lease_wait_seconds_count") == 1, "another lease of it counts as a wait, too");
    producer_close(&producer);
    rig_close(&rig);
}
END_TEST

int main(void)
{
    return RUN_TESTS("metrics", 60, each_job_is_in_each_histogram_of_its_way_once,
                     the_gate_that_a_webhook_closes_is_timed_with_a_shared_cache_too, an_unknown_outcome_is_counted_as_such);
}
