/* webhook_test.c — what the webhook listener believes: lies open nothing, the truth closes at once and for good. */
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "lineward/json.h"
#include "lineward/signature.h"
#include "load.h"
#include "session.h"

#define FLIPS       3
#define FLIP_LAG_MS 1500 /* a send begun later than a second would be seen */
#define POLLS       8

static char number[JOB_NUMBER_TEXT_MAX];

static void begin_signing(const char *const *sets, size_t workers)
{
    MUST(sodium_init() >= 0, "libsodium");
    begin(sets, NULL, workers);
}

static void tell(const struct event *event, long expected)
{
    long status = event_post(&rig, event, RIG_SECRET, 0);
    MUST(status == expected, "the webhook was answered %ld, not %ld: %s", status, expected, event->body);
}

/* ---- jobs on a line ---- */

static void enqueue(const char *id, size_t line, int recipient, const char *state)
{
    char job[256];
    snprintf(job, sizeof job,
             "{\"id\":\"%s\",\"to\":\"+1415702%04d\",\"from\":\"%s\","
             "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"#1 default/%s hello\"}]}}",
             id, recipient, rig.lines[line], id);
    producer_enqueue(&producer, job, number, state);
}

static void must_be_closed(const char *id, const char *after)
{
    cJSON *view = producer_ask(&producer, "STATUS", id);
    MUST(strcmp(text_at(view, "state"), "held") == 0, "after %s, a job on the CRITICAL line is %s", after,
         text_at(view, "state"));
    cJSON_Delete(view);
    MUST(rig_line_is(&rig, 0, "closed", NULL), "after %s, the line is not closed", after);
}

static bool polls_since(int64_t before, int64_t count)
{
    return rig_stat(&rig, "requests") - rig_stat(&rig, "accepted") >= before + count;
}

static void wait_for_polls(void)
{
    int64_t before = rig_stat(&rig, "requests") - rig_stat(&rig, "accepted");
    AWAIT(polls_since(before, POLLS), "the broker does not poll");
}

/* ---- lies ---- */

#define NEWS EVENT_NEWS

static void tell_unsigned_lies(const struct event *lie)
{
    char id[128], bad[] = "webhook-signature: v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", timestamp[64];
    snprintf(id, sizeof id, "webhook-id: %s", lie->id);
    snprintf(timestamp, sizeof timestamp, "webhook-timestamp: %lld", (long long)(clock_read().wall_ms / 1000));
    MUST(rig_post_webhook(&rig, "/webhooks/linq", lie->body, NULL) == 401, "no signature is not 401");
    must_be_closed("held", "an unsigned HEALTHY");
    MUST(rig_post_webhook(&rig, "/webhooks/linq", lie->body, (const char *const[]){id, timestamp, bad, NULL}) == 401,
         "a wrong signature is not 401");
    must_be_closed("held", "a HEALTHY with a wrong signature");
    MUST(event_post(&rig, lie, "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", 0) == 401,
         "another's secret is not 401");
    must_be_closed("held", "a HEALTHY signed by somebody else");
    MUST(event_post(&rig, lie, RIG_SECRET, SIGNATURE_TOLERANCE_S + 5) == 401, "an old timestamp is not 401");
    must_be_closed("held", "a HEALTHY with an old timestamp");
    MUST(rig_post_webhook(&rig, "/webhooks/other", lie->body, NULL) == 404, "an unknown account is not 404");
}

static void tell_nonsense(void)
{
    struct event event = {.id = "00000000-0000-4000-8000-00000000000f"};
    static char large[1200 * 1024];
    memset(large, 'x', sizeof large - 1);
    snprintf(event.body, sizeof event.body, "{\"event_type\":\"phone_number.status_updated\",\"data\":{\"phone");
    tell(&event, 400);
    snprintf(event.body, sizeof event.body, "[]");
    tell(&event, 400);
    MUST(rig_post_webhook(&rig, "/webhooks/linq", large, NULL) == 413, "a body over 1 MiB is not 413");
    must_be_closed("held", "nonsense");
}

START_TEST(lies_open_nothing_and_the_truth_opens)
{
    struct event replayed, late, lie, stranger;
    begin_signing(NULL, 1);
    enqueue("first", 0, 1, NULL);
    AWAIT(producer_is(&producer, "first", "sent", NULL), "the line does not send");
    event_make(&replayed, rig.lines[0], NEWS("HEALTHY"), clock_read().wall_ms);
    tell(&replayed, 200);
    rig_set_line(&rig, 0, "\"reputation\":\"CRITICAL\"");
    AWAIT(rig_line_is(&rig, 0, "closed", "line_critical"), "a true CRITICAL does not close the line");
    enqueue("held", 0, 1, "held");

    tell(&replayed, 200);
    must_be_closed("held", "a replayed HEALTHY");
    event_make(&late, rig.lines[0], NEWS("HEALTHY"), clock_read().wall_ms - 60000);
    tell(&late, 200);
    must_be_closed("held", "a HEALTHY that is older than the CRITICAL");
    event_make(&lie, rig.lines[0], NEWS("HEALTHY"), clock_read().wall_ms);
    tell_unsigned_lies(&lie);
    tell_nonsense();
    event_make(&stranger, "+12025559999", NEWS("HEALTHY"), clock_read().wall_ms);
    tell(&stranger, 200);
    must_be_closed("held", "a HEALTHY for an unknown line");
    tell(&lie, 200); /* truly signed, and the list says otherwise */
    wait_for_polls();
    must_be_closed("held", "a HEALTHY that no poll confirms");
    MUST(rig_stat(&rig, "accepted") == 1, "something was sent");

    rig_set_line(&rig, 0, "\"reputation\":\"HEALTHY\"");
    AWAIT(producer_is(&producer, "held", "sent", NULL), "the recovered line does not send what it held");
    end();
}
END_TEST

/* ---- the truth ---- */

/* covers: key accounts.webhook_secrets_file */
START_TEST(each_secret_of_the_file_is_believed_and_no_other)
{
    static const char *const secrets[] = {RIG_SECRET, "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="};
    /* The list goes on saying HEALTHY, and would open the line while the answer is still awaited. */
    static const char *const sets[] = {"accounts.default.webhook_secrets_file=two.secrets",
                                       "accounts.default.poll_interval_ms=60000", NULL};
    struct event event;
    char text[256];
    MUST(sodium_init() >= 0, "libsodium");
    rig_open(&rig, sets);
    snprintf(text, sizeof text, "%s\n%s\n", secrets[0], secrets[1]);
    rig_write(&rig, "two.secrets", text);
    rig_start(&rig, 0);
    for (size_t i = 0; i < 2; i++) {
        event_make(&event, rig.lines[i], NEWS("CRITICAL"), clock_read().wall_ms);
        MUST(event_post(&rig, &event, secrets[i], 0) == 200, "secret %zu is not believed", i);
        MUST(rig_line_is(&rig, i, "closed", NULL), "the line does not close");
    }
    event_make(&event, rig.lines[2], NEWS("CRITICAL"), clock_read().wall_ms);
    MUST(event_post(&rig, &event, "whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=", 0) == 401,
         "a secret that is not in the file is believed");
    rig_close(&rig);
}
END_TEST

START_TEST(after_its_200_a_critical_survives_sigkill)
{
    /* The list goes on saying HEALTHY, which after a restart must count for nothing: it is not proof enough. */
    static const char *const sets[] = {"accounts.default.poll_interval_ms=60000", NULL};
    static const char *const news[RIG_LINES] = {"\"new_reputation\":\"CRITICAL\"", "\"new_status\":\"FLAGGED\"",
                                                "\"new_reputation\":\"CRITICAL\",\"new_status\":\"FLAGGED\"", NULL};
    begin_signing(sets, 1);
    for (unsigned line = 0; line < RIG_LINES; line++) {
        char id[32];
        snprintf(id, sizeof id, "first-%u", line);
        enqueue(id, line, 10 + (int)line, NULL);
        AWAIT(producer_is(&producer, id, "sent", NULL), "the line does not send");
    }
    for (size_t line = 0; line < RIG_LINES && news[line] != NULL; line++) {
        struct event event;
        event_make(&event, rig.lines[line], news[line], clock_read().wall_ms);
        tell(&event, 200);
        program_kill(&rig.broker);
        rig_start_broker(&rig);
        rig_await_ready(&rig);
        MUST(rig_line_is(&rig, line, "closed", NULL), "after the restart the line is not closed: %s", news[line]);
    }
    AWAIT(rig_workers_there(&rig) == 1, "the worker does not come back");
    for (unsigned line = 0; line < RIG_LINES; line++) {
        char id[32];
        snprintf(id, sizeof id, "second-%u", line);
        enqueue(id, line, 10 + (int)line, news[line] == NULL ? "queued" : "held");
    }
    AWAIT(producer_is(&producer, "second-3", "sent", NULL), "the line that was left alone does not send");
    /* The list's HEALTHY is heard by now, and is no proof yet. */
    AWAIT(producer_is(&producer, "second-0", "held", "line_recovering"), "a job on a CRITICAL line is not held");
    MUST(producer_is(&producer, "second-1", "held", "line_flagged"), "a job on a FLAGGED line is not held");
    MUST(producer_is(&producer, "second-2", "held", "line_flagged"), "a job on a FLAGGED line is not held");
    MUST(rig_accepted(&rig) == RIG_LINES + 1, "%lld messages", (long long)rig_accepted(&rig));
    end();
}
END_TEST

START_TEST(a_critical_revokes_what_a_worker_has_not_begun)
{
    begin_signing(NULL, 1);
    enqueue("warm", 0, 1, NULL);
    AWAIT(producer_is(&producer, "warm", "sent", NULL), "the line does not send");
    program_signal(&rig.worker[0], SIGSTOP);
    enqueue("known", 0, 1, NULL);
    enqueue("new", 0, 2, NULL);
    AWAIT(producer_is(&producer, "known", "leased", NULL) && producer_is(&producer, "new", "leased", NULL),
          "the worker gets no jobs");
    rig_set_line(&rig, 0, "\"reputation\":\"CRITICAL\"");
    AWAIT(rig_line_is(&rig, 0, "closed", "line_critical"), "a true CRITICAL does not close the line");
    program_signal(&rig.worker[0], SIGCONT);
    AWAIT(producer_is(&producer, "known", "held", "line_critical"), "the known conversation's job is not held");
    AWAIT(!producer_is(&producer, "new", "leased", NULL), "the new conversation's job does not come back");
    MUST(rig_accepted(&rig) == 1, "%lld messages", (long long)rig_accepted(&rig));
    end();
}
END_TEST

START_TEST(an_at_risk_takes_back_a_placement_that_a_worker_has_not_begun)
{
    /* Beats far enough apart that the worker would begin what it holds when it goes on. */
    static const char *const sets[] = {"broker.heartbeat_ms=2000", "policies.default.lease_ms=20000", NULL};
    begin_signing(sets, 1);
    program_signal(&rig.worker[0], SIGSTOP);
    producer_enqueue(
        &producer,
        "{\"id\":\"new\",\"to\":\"+14157029999\",\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"hi\"}]}}",
        number, NULL);
    AWAIT(producer_is(&producer, "new", "leased", NULL), "the worker gets no job");
    size_t placed = producer_line(&producer, &rig, "new");
    rig_set_line(&rig, placed, "\"reputation\":\"AT_RISK\"");
    AWAIT(rig_line_is(&rig, placed, "slow", "line_at_risk"), "a true AT_RISK does not slow the line");
    program_signal(&rig.worker[0], SIGCONT);
    AWAIT(producer_is(&producer, "new", "sent", NULL), "the job is not sent");
    MUST(producer_line(&producer, &rig, "new") != placed,
         "a new conversation began on a line that was AT_RISK by then");
    end();
}
END_TEST

static bool is_answered_200(const struct event *event)
{
    return event_post(&rig, event, RIG_SECRET, 0) == 200;
}

START_TEST(the_child_that_talks_to_the_network_may_die)
{
    struct event event;
    begin_signing(NULL, 1);
    enqueue("first", 0, 1, NULL);
    AWAIT(producer_is(&producer, "first", "sent", NULL), "the line does not send");
    pid_t before = program_child(&rig.broker);
    MUST(before > 0 && kill(before, SIGKILL) == 0, "no child to kill");
    event_make(&event, rig.lines[0], NEWS("CRITICAL"), clock_read().wall_ms);
    AWAIT(is_answered_200(&event), "no webhook is taken any more");
    MUST(program_child(&rig.broker) != before && program_child(&rig.broker) > 0, "the child was not started again");
    MUST(rig_line_is(&rig, 0, "closed", NULL), "the webhook closes nothing");
    wait_for_polls();
    enqueue("second", 1, 2, NULL);
    AWAIT(producer_is(&producer, "second", "sent", NULL), "another line does not send");
    end();
}
END_TEST

static struct load load;

static void work_until(bool (*done)(void *self), void *self, const char *what)
{
    AWAIT((load_turn(&load), done(self)), "%s", what);
}

static bool is_time(void *self)
{
    return mono_ms() >= *(const int64_t *)self;
}

static void work_for(int64_t ms)
{
    int64_t until_mono_ms = mono_ms() + ms;
    work_until(is_time, &until_mono_ms, "time stands still");
}

static bool is_answered(void *self)
{
    cJSON *history = rig_control(&rig, "GET", "/webhooks?event=phone_number.status_updated&limit=1000", NULL);
    int64_t answered = 0;
    const cJSON *attempt;
    cJSON_ArrayForEach(attempt, json_get(history, "attempts")) answered += number_at(attempt, "http") == 200;
    cJSON_Delete(history);
    return answered >= *(const int64_t *)self;
}

START_TEST(nothing_begins_on_a_line_later_than_a_second_after_the_200_of_its_critical)
{
    char acked[PROGRAM_PATH_MAX];
    begin_signing(NULL, 2);
    load_open(&load, &rig, LOAD_JOBS_MAX, 10);
    rig_faults(&rig, "{\"latency_ms\":30,\"jitter_ms\":30}");
    int64_t answers = 0;
    for (size_t flip = 0; flip < FLIPS; flip++) {
        work_for(400);
        rig_set_line(&rig, flip, "\"reputation\":\"CRITICAL\"");
        answers++;
        work_until(is_answered, &answers, "the webhook gets no 200");
        work_for(FLIP_LAG_MS);
        rig_set_line(&rig, flip, "\"reputation\":\"HEALTHY\"");
        answers++;
    }
    load_finish(&load);
    load_await_final(&load, LIMIT_MS);
    load_write_acked(&load, acked);
    program_end(&rig.worker[0]);
    program_end(&rig.worker[1]);
    program_end(&rig.sandbox);
    rig_audit(&rig, acked, "3");
    load_close(&load);
    end();
}
END_TEST

int main(void)
{
    return RUN_TESTS(
        "webhook", 40, lies_open_nothing_and_the_truth_opens, each_secret_of_the_file_is_believed_and_no_other,
        after_its_200_a_critical_survives_sigkill, a_critical_revokes_what_a_worker_has_not_begun,
        an_at_risk_takes_back_a_placement_that_a_worker_has_not_begun, the_child_that_talks_to_the_network_may_die,
        nothing_begins_on_a_line_later_than_a_second_after_the_200_of_its_critical);
}
