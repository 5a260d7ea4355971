/* outcomes_test.c — outcome webhooks with real programs: every event arrives at least once and in order per job,
 * whatever dies; a dead target harms nobody else; nothing goes where it may not; HUP takes over changes. */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "lineward/json.h"
#include "platform.h"
#include "producer.h"

#define SECRET       "whsec_b3V0Y29tZS1zZWNyZXQtb25lLW91dGNvbWUtMQ=="
#define OTHER_SECRET "whsec_b3V0Y29tZS1zZWNyZXQtdHdvLW91dGNvbWUtMg=="

static struct rig rig;
static struct producer client;
static char *first_conf;

static void configure(const char *more)
{
    char *text = NULL;
    MUST(asprintf(&text, "%s%s", first_conf, more) > 0, "out of memory");
    rig_write(&rig, "lineward.yaml", text);
    free(text);
}

/* Folder and files; nothing runs yet. */
static void prepare(const char *const *sets)
{
    rig_open(&rig, sets);
    first_conf = rig_read(&rig, "lineward.yaml");
    rig_write(&rig, "outcome.secrets", SECRET "\n" OTHER_SECRET "\n");
}

static void begin(const char *more, size_t workers)
{
    configure(more);
    rig_start(&rig, workers);
    producer_open(&client, &rig, rig.port.producers, ZMQ_DEALER);
}

static void end(void)
{
    producer_close(&client);
    rig_close(&rig);
    free(first_conf);
}

static void hup(void)
{
    program_signal(&rig.broker, SIGHUP);
}

static void enqueue(const char *pool, int number)
{
    char job[512], out[JOB_NUMBER_TEXT_MAX];
    snprintf(job, sizeof job,
             "{\"id\":\"o%d\",\"pool\":\"%s\",\"to\":\"+1415708%04d\",\"meta\":{\"order\":%d},"
             "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"hello\"}]}}",
             number, pool, number % 7919, number);
    producer_enqueue(&client, job, out, NULL);
}

/* Of the first pool with an outcome webhook. */
static cJSON *view_of(const char *pool)
{
    cJSON *all = rig_ask(&rig, "GET", "/v1/pools", NULL, NULL), *found = NULL;
    const cJSON *one = NULL;
    cJSON_ArrayForEach(one, json_get(all, "pools"))
    {
        if (strcmp(json_string(one, "pool"), pool) == 0)
            found = cJSON_Duplicate(json_get(one, "outcomes"), true);
    }
    cJSON_Delete(all);
    return found;
}

static bool pool_is(const char *pool, bool down, const char *problem)
{
    cJSON *view = view_of(pool);
    const char *told = view != NULL ? json_string(view, "problem") : NULL;
    bool is = view != NULL && json_bool(view, "down", !down) == down &&
              (problem == NULL || (told != NULL && strcmp(told, problem) == 0));
    cJSON_Delete(view);
    return is;
}

static bool status_is(const char *pool, int64_t status)
{
    cJSON *view = view_of(pool);
    const cJSON *told = json_get(view, "http_status");
    bool is = cJSON_IsNumber(told) && (int64_t)told->valuedouble == status;
    cJSON_Delete(view);
    return is;
}

static bool all_told(const char *pool)
{
    cJSON *view = view_of(pool);
    bool told = view != NULL && number_at(view, "waiting") == 0 && number_at(view, "unread") == 0;
    cJSON_Delete(view);
    return told;
}

static int64_t jobs_left(void)
{
    cJSON *status = rig_ask(&rig, "GET", "/v1/status", NULL, NULL);
    int64_t jobs = status != NULL ? number_at(status, "backlog.jobs") : -1;
    cJSON_Delete(status);
    return jobs;
}

/* ---- what must have arrived ---- */

/* A later event of a job was not taken before an earlier one; the same event has one id. */
static void check_order(const struct taken *taken, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        MUST(strcmp(taken[i].topic, "no_type") != 0, "type and topic differ in event %llu",
             (unsigned long long)taken[i].seq);
        for (size_t j = 0; j < i; j++) {
            bool same = taken[i].seq == taken[j].seq;
            MUST(same == (strcmp(taken[i].id, taken[j].id) == 0), "ids of events %llu and %llu: %s and %s",
                 (unsigned long long)taken[i].seq, (unsigned long long)taken[j].seq, taken[i].id, taken[j].id);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (platform_has(taken, i, taken[i].seq))
            continue; /* once more */
        for (size_t j = 0; j < i; j++)
            MUST(strcmp(taken[i].job, taken[j].job) != 0 || taken[j].seq < taken[i].seq,
                 "%s: event %llu was taken before %llu", taken[i].job, (unsigned long long)taken[j].seq,
                 (unsigned long long)taken[i].seq);
    }
}

/* Whether every event of the log with such a topic has arrived; `events`: how many there are. */
static bool is_complete(const struct platform *platform, const char *topic, size_t *events)
{
    size_t count = 0, missing = 0;
    int64_t after = 0;
    struct taken *taken = platform_taken(platform, &count);
    *events = 0;
    for (bool more = true; more;) {
        char path[128];
        snprintf(path, sizeof path, "/v1/events?limit=1000&topic=%s&after=%lld", topic, (long long)after);
        cJSON *page = rig_ask(&rig, "GET", path, NULL, NULL);
        const cJSON *event = NULL;
        cJSON_ArrayForEach(event, json_get(page, "events"))
        {
            missing += !platform_has(taken, count, (uint64_t)number_at(event, "seq"));
            ++*events;
        }
        more = number_at(page, "next") > after;
        after = number_at(page, "next");
        cJSON_Delete(page);
    }
    free(taken);
    return missing == 0;
}

#define HOOK(port_format)                                                                                            \
    "outcome_url: \"http://127.0.0.1:" port_format "/hook\", outcome_secrets_file: outcome.secrets"

/* One event a job: what is delivered later is none. */
#define ONE_HOOK HOOK("%u") ", outcome_topics: [job.sent]"

#define ROUNDS    8
#define PER_ROUND 25

/* covers: key pools.outcome_url, pools.outcome_topics */
START_TEST(every_event_arrives_in_order_of_its_job_whatever_fails_and_dies)
{
    static const char *const sets[] = {"broker.outcome_hosts=[\"http://127.0.0.1\"]", NULL};
    struct platform platform;
    char more[512];
    prepare(sets);
    platform_open(&platform, &rig, "platform", SECRET);
    atomic_store(&platform.shared->mood, PLATFORM_ROUGH);
    platform_start(&platform);
    snprintf(
        more, sizeof more,
        "pools: {default: {" HOOK("%u") ", outcome_topics: [job.], outcome_timeout_ms: 400, outcome_in_flight: 8}}\n",
        platform.port);
    begin(more, 2);
    for (int round = 0; round < ROUNDS; round++) {
        size_t before = platform_count(&platform);
        for (int i = 0; i < PER_ROUND; i++)
            enqueue("default", round * PER_ROUND + i);
        AWAIT(platform_count(&platform) > before + PER_ROUND / 2 + rig_random(&rig, PER_ROUND), "nothing arrives");
        if (round % 2 == 0) {
            program_kill(&rig.broker);
            rig_start_broker(&rig);
            rig_await_ready(&rig);
        } else {
            platform_kill(&platform);
            platform_start(&platform);
            hup(); /* or it would wait until the target is thought to be up again */
        }
    }
    atomic_store(&platform.shared->mood, PLATFORM_GOOD);
    AWAIT(jobs_left() == 0, "not all is sent");
    hup();
    size_t count = 0, events = 0;
    AWAIT(is_complete(&platform, "job.", &events), "an event never arrived"); /* there are deliveries to come, too */
    AWAIT(all_told("default"), "not all is told");
    struct taken *taken = platform_taken(&platform, &count);
    check_order(taken, count);
    MUST(events >= 3 * ROUNDS * PER_ROUND, "%zu events of %d jobs", events, ROUNDS * PER_ROUND);
    free(taken);
    end();
}
END_TEST

/* covers: key pools.outcome_timeout_ms, pools.outcome_in_flight */
START_TEST(a_target_that_hangs_holds_up_no_other_pool_and_is_not_crowded)
{
    static const char *const sets[] = {"broker.outcome_hosts=[\"http://127.0.0.1\"]", NULL};
    struct platform slow, good;
    char more[1024];
    prepare(sets);
    platform_open(&slow, &rig, "slow", SECRET);
    platform_open(&good, &rig, "good", OTHER_SECRET);
    atomic_store(&slow.shared->mood, PLATFORM_HANGS);
    platform_start(&slow);
    platform_start(&good);
    snprintf(more, sizeof more,
             "pools:\n  a: {lines: [\"+12025550101\"], " HOOK(
                 "%u") ", outcome_timeout_ms: 300, outcome_in_flight: 3}\n"
                       "  b: {lines: [\"+12025550102\"], " HOOK("%u") ", outcome_topics: [job.sent]}\n",
             slow.port, good.port);
    begin(more, 1);
    for (int i = 0; i < 40; i++) {
        enqueue("a", 2 * i);
        enqueue("b", 2 * i + 1);
    }
    AWAIT(platform_count(&good) >= 40, "the other pool waits");
    AWAIT(pool_is("a", true, "timeout"), "a target that hangs is not found out");
    AWAIT(all_told("b"), "not all is told");
    MUST(pool_is("b", false, NULL), "the other pool is down");
    long status = 0;
    char *metrics = rig_fetch(&rig, rig.token, "GET", "/metrics", NULL, 0, &status);
    MUST(strstr(metrics, "lineward_outcomes_down{pool=\"a\"} 1") != NULL &&
             strstr(metrics, "lineward_outcomes_down{pool=\"b\"} 0") != NULL,
         "the metrics do not say so");
    free(metrics);
    MUST(program_said(&rig.broker, "event=outcomes_down pool=a host=127.0.0.1 problem=timeout"),
         "no word in the log");
    size_t count = 0;
    struct taken *taken = platform_taken(&good, &count);
    MUST(count == 40, "%zu events of 40 jobs", count);
    for (size_t i = 0; i < count; i++)
        MUST(strcmp(taken[i].topic, "job.sent") == 0, "%s", taken[i].topic); /* of this pool only, too */
    free(taken);
    int before = atomic_load(&slow.shared->requests);
    hup(); /* all are tried again: that alone makes nothing `up` */
    AWAIT(atomic_load(&slow.shared->requests) >= before + 6, "HUP does not try");
    AWAIT(pool_is("a", true, "timeout"), "it is not found out again");
    int most = atomic_load(&slow.shared->at_once_max); /* it may hear late that a request was given up */
    MUST(most >= 3 && most <= 6, "%d at once", most);
    MUST(!program_said(&rig.broker, "event=outcomes_up pool=a"), "it never was");
    atomic_store(&slow.shared->mood, PLATFORM_GOOD);
    AWAIT(all_told("a"), "a target that is up again is not found out");
    MUST(program_said(&rig.broker, "event=outcomes_up pool=a"), "no word in the log");
    end();
}
END_TEST

/* The name is allowed, what it resolves to is not: an answer of the name server opens no door.
 * covers: key broker.outcome_hosts */
START_TEST(a_private_address_is_not_connected_to_unless_it_is_named)
{
    struct platform platform;
    char more[512];
    prepare(NULL);
    platform_open(&platform, &rig, "platform", SECRET);
    platform_start(&platform);
    snprintf(more, sizeof more,
             "pools: {default: {outcome_url: \"http://localhost:%u/\", outcome_secrets_file: outcome.secrets}}\n",
             platform.port);
    const char *sets[] = {"broker.outcome_hosts=[\"http://localhost\"]"};
    rig.sets[rig.set_count++] = sets[0];
    begin(more, 1);
    enqueue("default", 1);
    AWAIT(pool_is("default", false, "address_refused"), "an address that nobody named is not refused");
    MUST(atomic_load(&platform.shared->requests) == 0, "it was connected to");
    end();
}
END_TEST

START_TEST(gone_is_told_and_asked_again_when_the_operator_says_so)
{
    static const char *const sets[] = {"broker.outcome_hosts=[\"http://127.0.0.1\"]", NULL};
    struct platform platform, other;
    char more[512];
    prepare(sets);
    platform_open(&platform, &rig, "platform", SECRET);
    platform_open(&other, &rig, "other", OTHER_SECRET);
    atomic_store(&platform.shared->mood, PLATFORM_GONE);
    platform_start(&platform);
    platform_start(&other);
    snprintf(more, sizeof more, "pools: {default: {" ONE_HOOK "}}\n", platform.port);
    begin(more, 1);
    enqueue("default", 1);
    AWAIT(pool_is("default", true, "status"), "410 is not told");
    cJSON *view = view_of("default");
    MUST(number_at(view, "http_status") == 410 && text_at(view, "next_try_at") != NULL, "410 is not told");
    cJSON_Delete(view);
    rig_write(&rig, "outcome.secrets", OTHER_SECRET "\n"); /* and only that one */
    snprintf(more, sizeof more, "pools: {default: {" ONE_HOOK "}}\n", other.port);
    configure(more);
    hup();
    AWAIT(platform_count(&other) == 1, "the new target is not told");
    AWAIT(all_told("default") && pool_is("default", false, NULL), "it is not up");
    MUST(platform_count(&platform) == 0, "the old one was");
    end();
}
END_TEST

START_TEST(nothing_but_a_2xx_is_a_yes_and_no_answer_leads_elsewhere)
{
    static const char *const sets[] = {"broker.outcome_hosts=[\"http://127.0.0.1\"]", NULL};
    struct platform platform, other;
    char more[512], elsewhere[64];
    prepare(sets);
    platform_open(&platform, &rig, "platform", SECRET);
    platform_open(&other, &rig, "other", SECRET);
    snprintf(elsewhere, sizeof elsewhere, "http://127.0.0.1:%u/", other.port);
    platform.elsewhere = elsewhere;
    atomic_store(&platform.shared->mood, PLATFORM_ELSEWHERE);
    platform_start(&platform);
    platform_start(&other);
    snprintf(more, sizeof more, "pools: {default: {" ONE_HOOK "}}\n", platform.port);
    begin(more, 1);
    enqueue("default", 1);
    AWAIT(pool_is("default", false, "status"), "a redirect is no failure");
    cJSON *view = view_of("default");
    MUST(number_at(view, "http_status") == 307, "%lld", (long long)number_at(view, "http_status"));
    cJSON_Delete(view);
    atomic_store(&platform.shared->mood, PLATFORM_BUSY);
    AWAIT(status_is("default", 503), "503 is not told");
    view = view_of("default");
    int64_t next_ms = 0, problem_ms = 0;
    MUST(text_at(view, "next_try_at") != NULL && time_parse(text_at(view, "next_try_at"), &next_ms) &&
             time_parse(text_at(view, "problem_at"), &problem_ms) && next_ms - problem_ms > 6900,
         "Retry-After: 7, and the next try after %lld ms", (long long)(next_ms - problem_ms));
    cJSON_Delete(view);
    atomic_store(&platform.shared->mood, PLATFORM_TALKS);
    hup();
    AWAIT(all_told("default"), "not told");
    MUST(platform_count(&platform) == 1 && atomic_load(&other.shared->requests) == 0, "it went elsewhere, or twice");
    end();
}
END_TEST

START_TEST(a_status_counts_whatever_becomes_of_the_answers_body)
{
    static const char *const sets[] = {"broker.outcome_hosts=[\"http://127.0.0.1\"]", NULL};
    struct platform platform;
    char more[512];
    prepare(sets);
    platform_open(&platform, &rig, "platform", SECRET);
    atomic_store(&platform.shared->mood, PLATFORM_STOPS);
    platform_start(&platform);
    snprintf(more, sizeof more, "pools: {default: {" ONE_HOOK "}}\n", platform.port);
    begin(more, 1);
    enqueue("default", 1);
    AWAIT(platform_count(&platform) == 1, "it was not told");
    AWAIT(all_told("default"), "200 is no yes");
    MUST(pool_is("default", false, NULL), "it failed");
    MUST(platform_count(&platform) == 1, "it was told twice");
    end();
}
END_TEST

/* covers: key pools.outcome_secrets_file */
START_TEST(a_bad_file_of_secrets_changes_nothing_and_nothing_goes_out_unsigned)
{
    static const char *const sets[] = {"broker.outcome_hosts=[\"http://127.0.0.1\"]", NULL};
    struct platform platform;
    char more[512];
    prepare(sets);
    platform_open(&platform, &rig, "platform", SECRET);
    platform_start(&platform);
    snprintf(more, sizeof more, "pools: {default: {" ONE_HOOK "}}\n", platform.port);
    rig_write(&rig, "outcome.secrets", "\n");
    begin(more, 1);
    enqueue("default", 1);
    AWAIT(pool_is("default", false, "no_secret"), "no secret, and no word of it");
    rig_write(&rig, "outcome.secrets", "whsec_!\n");
    hup();
    AWAIT(program_said(&rig.broker, "event=not_reloaded"), "a bad secret is taken");
    MUST(atomic_load(&platform.shared->requests) == 0, "it went out unsigned");
    rig_write(&rig, "outcome.secrets", SECRET "\n");
    hup();
    AWAIT(platform_count(&platform) == 1, "the secret is not taken over");
    end();
}
END_TEST

int main(void)
{
    return RUN_TESTS("outcomes", 120, every_event_arrives_in_order_of_its_job_whatever_fails_and_dies,
                     a_target_that_hangs_holds_up_no_other_pool_and_is_not_crowded,
                     a_private_address_is_not_connected_to_unless_it_is_named,
                     gone_is_told_and_asked_again_when_the_operator_says_so,
                     nothing_but_a_2xx_is_a_yes_and_no_answer_leads_elsewhere,
                     a_status_counts_whatever_becomes_of_the_answers_body,
                     a_bad_file_of_secrets_changes_nothing_and_nothing_goes_out_unsigned);
}
