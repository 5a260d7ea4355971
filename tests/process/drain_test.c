/* drain_test.c — a held backlog goes at a pace, in real time: no minute above the bound, replies first, in the time that
 * was said, and nothing more within a second of a CRITICAL webhook. LINEWARD_DRAIN_JOBS=3000 takes five minutes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "lineward/json.h"
#include "producer.h"

#define JOBS          100
#define JOBS_MAX      20000
#define PACE_PER_MIN  600
#define GAP_MS        (60000 / PACE_PER_MIN)
#define REPLY_EVERY   10
#define SENDING_MS    2000 /* before the line is called CRITICAL */
#define STOPS_WITHIN  1000
#define QUIET_MS      3000
#define ON_THE_WAY    2 /* sends that may overtake one another, or come a little closer, between broker and provider */

static struct rig rig;
static struct producer producer;
static char path[64];

static struct sends {
    int64_t at_ms[JOBS_MAX];
    bool reply[JOBS_MAX];
    size_t count;
} sends;

static size_t jobs_asked(void)
{
    const char *asked = getenv("LINEWARD_DRAIN_JOBS");
    long count = asked == NULL ? JOBS : strtol(asked, NULL, 10);
    return count >= REPLY_EVERY && count <= JOBS_MAX ? (size_t)count : JOBS;
}

static cJSON *ask(const char *method, const char *where, const char *body)
{
    long status = 0;
    cJSON *answer = rig_ask(&rig, method, where, body, &status);
    MUST(status == 200 && answer != NULL, "%s %s: %ld", method, where, status);
    return answer;
}

static bool drain_is(const char *state)
{
    char line[64];
    snprintf(line, sizeof line, "/v1/lines/%s", rig.lines[0]);
    cJSON *view = ask("GET", line, NULL);
    const cJSON *drain = json_get(view, "drain");
    bool is = cJSON_IsObject(drain) && strcmp(json_string(drain, "state"), state) == 0;
    cJSON_Delete(view);
    return is;
}

static void begin(size_t jobs)
{
    char job[320], number[JOB_NUMBER_TEXT_MAX];
    rig_open(&rig, NULL);
    rig_start(&rig, 1);
    producer_open(&producer, &rig, rig.port.producers, ZMQ_DEALER);
    snprintf(path, sizeof path, "/v1/lines/%s/drain", rig.lines[0]);
    cJSON_Delete(ask("POST", "/v1/pause", "{\"reason\":\"test\"}"));
    for (size_t i = 0; i < jobs; i++) {
        bool reply = i % REPLY_EVERY == REPLY_EVERY - 1;
        snprintf(job, sizeof job,
                 "{\"id\":\"%c%zu\",\"to\":\"+1415%07zu\",\"from\":\"%s\",\"class\":\"%s\","
                 "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"#1 default/%c%zu hello\"}]}}",
                 reply ? 'r' : 'c', i, 2000000 + i, rig.lines[0], reply ? "reply" : "campaign", reply ? 'r' : 'c', i);
        producer_enqueue(&producer, job, number, NULL);
    }
}

/* The milliseconds that it says it will take. */
static int64_t drain(size_t jobs)
{
    char body[96];
    snprintf(body, sizeof body, "{\"mode\":\"ramp\",\"pace_per_min\":%d}", PACE_PER_MIN);
    cJSON_Delete(ask("POST", path, body));
    cJSON_Delete(ask("POST", "/v1/resume", "{}"));
    cJSON *dry = ask("POST", path, "{\"mode\":\"ramp\",\"pace_per_min\":600,\"dry_run\":true}");
    MUST(number_at(dry, "jobs") >= (int64_t)jobs - 2, "%lld jobs would go", (long long)number_at(dry, "jobs"));
    int64_t takes_ms = number_at(dry, "takes_ms");
    cJSON_Delete(dry);
    return takes_ms;
}

static void take_send(void *self, const cJSON *send)
{
    (void)self;
    MUST(sends.count < JOBS_MAX, "too many sends");
    const char *text = text_at(send, "text");
    sends.at_ms[sends.count] = number_at(send, "mono_ms");
    sends.reply[sends.count++] = strstr(text, "default/r") != NULL;
}

static void read_sends(void)
{
    program_end(&rig.worker[0]);
    program_end(&rig.sandbox);
    sends.count = 0;
    rig_each_send(&rig, take_send, NULL);
}

static void end(void)
{
    producer_close(&producer);
    rig_close(&rig);
}

static size_t most_within(int64_t span_ms)
{
    size_t most = 0;
    for (size_t i = 0, first = 0; i < sends.count; i++) {
        while (sends.at_ms[i] - sends.at_ms[first] >= span_ms)
            first++;
        most = i - first + 1 > most ? i - first + 1 : most;
    }
    return most;
}

/* covers: call POST /v1/lines/{line}/drain */
START_TEST(a_backlog_goes_at_the_bound_replies_first_and_in_the_time_that_was_said)
{
    size_t jobs = jobs_asked(), others = 0;
    begin(jobs);
    int64_t said_ms = drain(jobs), begun_ms = mono_ms();
    AWAIT_FOR(LIMIT_MS + (int64_t)jobs * GAP_MS * 2, drain_is("done"), "the drain does not end");
    int64_t took_ms = mono_ms() - begun_ms;
    read_sends();
    MUST(sends.count == jobs, "%zu sends of %zu jobs", sends.count, jobs);
    for (size_t i = 0; i < jobs / REPLY_EVERY; i++)
        others += !sends.reply[i];
    printf("drained %zu jobs in %lld ms, said %lld ms; at most %zu within a minute, %zu within 5 s; %zu others before a "
           "reply\n", jobs, (long long)took_ms, (long long)said_ms, most_within(60000), most_within(5000), others);
    MUST(most_within(60000) <= PACE_PER_MIN, "%zu within a minute", most_within(60000));
    MUST(most_within(5000) <= 5000 / GAP_MS + ON_THE_WAY, "%zu within five seconds", most_within(5000));
    MUST(others <= ON_THE_WAY, "%zu others went before a reply", others);
    MUST(llabs(said_ms - took_ms) * 10 <= took_ms + 2000, "said %lld ms, took %lld ms", (long long)said_ms,
         (long long)took_ms);
    end();
}
END_TEST

START_TEST(a_critical_webhook_stops_it_within_a_second_and_nothing_goes_by_itself_later)
{
    begin(JOBS);
    drain(JOBS);
    int64_t until_ms = mono_ms() + SENDING_MS;
    AWAIT(mono_ms() > until_ms, "the clock stands");
    int64_t told_ms = mono_ms();
    rig_set_line(&rig, 0, "\"reputation\":\"CRITICAL\"");
    AWAIT(drain_is("stopped"), "the drain does not stop");
    int64_t took_ms = mono_ms() - told_ms;
    rig_set_line(&rig, 0, "\"reputation\":\"HEALTHY\"");
    until_ms = mono_ms() + QUIET_MS;
    AWAIT(mono_ms() > until_ms, "the clock stands");
    program_kill(&rig.broker);
    rig_start_broker(&rig);
    rig_await_ready(&rig);
    MUST(drain_is("stopped"), "the restart does not know that the drain stopped");
    MUST(rig_line_is(&rig, 0, "closed", "line_paused"), "the stopped drain left no pause");
    read_sends();
    MUST(sends.count > 0 && sends.count < JOBS, "%zu sends", sends.count);
    int64_t last_ms = sends.at_ms[sends.count - 1] - told_ms;
    printf("stopped %lld ms after the word, the last send after %lld ms, of %zu\n", (long long)took_ms, (long long)last_ms,
           sends.count);
    MUST(last_ms <= STOPS_WITHIN, "a send %lld ms after the line was CRITICAL", (long long)last_ms);
    MUST(took_ms <= STOPS_WITHIN, "the drain stops after %lld ms", (long long)took_ms);
    end();
}
END_TEST

int main(void)
{
    return RUN_TESTS("drain", 90 + (int)(jobs_asked() * GAP_MS * 2 / 1000),
                     a_backlog_goes_at_the_bound_replies_first_and_in_the_time_that_was_said,
                     a_critical_webhook_stops_it_within_a_second_and_nothing_goes_by_itself_later);
}
