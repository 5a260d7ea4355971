/* reasons_test.c — every reason of the contract provoked with a real broker, worker and sandbox, and read as a user
 * reads it: GET /v1/jobs/{id} must say that reason, the state that goes with it, and why (P10). Then what stops the
 * job is taken away, and the job must be sent. The last test fails if a reason of words.h was never provoked. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lineward/json.h"
#include "lineward/words.h"
#include "session.h"

#define HELLO "\"message\":{\"parts\":[{\"type\":\"text\",\"value\":\"hello\"}]}"

static bool *provoked; /* by reason; shared, since each test is a process of its own */

/* ---- jobs ---- */

/* To recipient `to`, with these members ("" or `"from":"…",`). */
__attribute__((format(printf, 3, 4))) static void enqueue(const char *id, unsigned to, const char *members, ...)
{
    char more[512], job[1024], number[JOB_NUMBER_TEXT_MAX];
    va_list values;
    va_start(values, members);
    vsnprintf(more, sizeof more, members, values);
    va_end(values);
    snprintf(job, sizeof job, "{\"id\":\"%s\",\"to\":\"+1415720%04u\",%s" HELLO "}", id, to, more);
    producer_enqueue(&producer, job, number, NULL);
}

static cJSON *view_of(const char *id)
{
    char path[128];
    long status = 0;
    snprintf(path, sizeof path, "/v1/jobs/%s", id);
    cJSON *view = rig_ask(&rig, "GET", path, NULL, &status);
    MUST(status == 200 && view != NULL, "GET %s: %ld", path, status);
    return view;
}

/* `id`: as in a path, so POOL%2FID. */
static bool is(const char *id, const char *state, const char *reason)
{
    cJSON *view = view_of(id);
    const char *why = text_at(view, "reason");
    bool so = strcmp(text_at(view, "state"), state) == 0 &&
              (reason == NULL ? why == NULL : why != NULL && strcmp(why, reason) == 0);
    cJSON_Delete(view);
    return so;
}

static char *shown(const char *id)
{
    cJSON *view = view_of(id);
    char *text = cJSON_PrintUnformatted(view);
    cJSON_Delete(view);
    return text;
}

static void await_sent(const char *id)
{
    AWAIT(is(id, "sent", NULL), "%s is not sent: %s", id, shown(id));
}

/* A conversation of that line from now on; the job's id is "known-TO". */
static void make_known(size_t line, unsigned to)
{
    char id[32];
    snprintf(id, sizeof id, "known-%u", to);
    enqueue(id, to, "\"from\":\"%s\",", rig.lines[line]);
    await_sent(id);
}

/* ---- why ---- */

static const char *state_with(enum reason reason)
{
    if (reason == REASON_NOT_YET_DUE)
        return "scheduled";
    return reason_holds(reason) ? "held" : "queued";
}

static void must_explain(const char *id, enum reason reason)
{
    cJSON *view = view_of(id);
    const cJSON *why = json_get(view, "why");
    MUST(strcmp(text_at(why, "reason"), reason_name(reason)) == 0, "%s: another reason in why", shown(id));
    MUST(strlen(text_at(why, "rule")) > 0 && strlen(text_at(why, "release")) > 0, "%s: why without words", shown(id));
    MUST(cJSON_IsObject(json_get(why, "inputs")) && number_at(why, "inputs.attempts") >= 0, "%s: without inputs",
         shown(id));
    MUST(number_at(why, "ahead") >= 0, "%s: nothing about those ahead", shown(id));
    text_at(why, "release_at"); /* a time or null, but there */
    text_at(why, "since");
    text_at(why, "pause");
    MUST(text_at(view, "since") != NULL, "%s: no since", shown(id));
    cJSON_Delete(view);
}

/* The job comes to wait for that reason, and explains itself. */
static void must_wait(const char *id, enum reason reason)
{
    AWAIT(is(id, state_with(reason), reason_name(reason)), "%s does not wait for %s: %s", id, reason_name(reason),
          shown(id));
    must_explain(id, reason);
    provoked[reason] = true;
}

/* That member of `why` is this word. */
static void must_see(const char *id, const char *path, const char *word)
{
    cJSON *view = view_of(id);
    const char *seen = text_at(json_get(view, "why"), path);
    MUST(seen != NULL && strcmp(seen, word) == 0, "%s: why.%s is not %s", shown(id), path, word);
    cJSON_Delete(view);
}

/* `release_at` lies so far ahead, about. */
static void must_release_in(const char *id, int64_t least_ms, int64_t most_ms)
{
    cJSON *view = view_of(id);
    const char *at = text_at(json_get(view, "why"), "release_at");
    int64_t wall_ms = 0;
    MUST(at != NULL && time_parse(at, &wall_ms), "%s: no release_at", shown(id));
    int64_t ahead_ms = wall_ms - clock_read().wall_ms;
    MUST(ahead_ms >= least_ms && ahead_ms <= most_ms, "%s: to be released in %lld ms", shown(id),
         (long long)ahead_ms);
    cJSON_Delete(view);
}

/* ---- the operator ---- */

static void operate(const char *path, const char *body)
{
    long status = 0;
    cJSON_Delete(rig_ask(&rig, "POST", path, body, &status));
    MUST(status == 200, "POST %s: %ld", path, status);
}

static void pause_at(const char *path, char pause[32])
{
    long status = 0;
    cJSON *answer = rig_ask(&rig, "POST", path, "{\"reason\":\"test\"}", &status);
    MUST(status == 200 && answer != NULL, "POST %s: %ld", path, status);
    snprintf(pause, 32, "%s", text_at(answer, "pause"));
    cJSON_Delete(answer);
}

/* covers: reason not_yet_due */
START_TEST(a_job_waits_for_its_time)
{
    char at[TIME_TEXT_MAX];
    begin(NULL, NULL, 1);
    time_format(clock_read().wall_ms + 3600000, at);
    enqueue("later", 1, "\"send_after\":\"%s\",", at);
    must_wait("later", REASON_NOT_YET_DUE);
    must_release_in("later", 3500000, 3600000);
    time_format(clock_read().wall_ms + 1500, at);
    enqueue("soon", 2, "\"send_after\":\"%s\",", at);
    must_wait("soon", REASON_NOT_YET_DUE);
    await_sent("soon");
    end();
}
END_TEST

/* covers: reason paused, account_paused, pool_paused, campaign_paused, conversation_paused, line_paused;
 * call POST /v1/campaigns/{pool}/{campaign}/pause, POST /v1/campaigns/{pool}/{campaign}/resume;
 * call POST /v1/conversations/{pool}/{to}/pause, POST /v1/conversations/{pool}/{to}/resume */
START_TEST(a_job_waits_for_the_operator)
{
    char line_pause[64], line_resume[64];
    begin(NULL, NULL, 1);
    snprintf(line_pause, sizeof line_pause, "/v1/lines/%s/pause", rig.lines[0]);
    snprintf(line_resume, sizeof line_resume, "/v1/lines/%s/resume", rig.lines[0]);
    const struct {
        enum reason reason;
        const char *pause, *resume;
    } pauses[] = {
        {REASON_PAUSED, "/v1/pause", "/v1/resume"},
        {REASON_ACCOUNT_PAUSED, "/v1/accounts/default/pause", "/v1/accounts/default/resume"},
        {REASON_POOL_PAUSED, "/v1/pools/default/pause", "/v1/pools/default/resume"},
        {REASON_CAMPAIGN_PAUSED, "/v1/campaigns/default/spring/pause", "/v1/campaigns/default/spring/resume"},
        {REASON_CONVERSATION_PAUSED, "/v1/conversations/default/+14157200001/pause",
         "/v1/conversations/default/+14157200001/resume"},
        {REASON_LINE_PAUSED, line_pause, line_resume}};
    enqueue("known", 1, "\"from\":\"%s\",\"campaign\":\"spring\",", rig.lines[0]);
    await_sent("known");
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        char pause[32];
        const char *id = reason_name(pauses[i].reason);
        pause_at(pauses[i].pause, pause);
        enqueue(id, 1, "\"campaign\":\"spring\",");
        must_wait(id, pauses[i].reason);
        must_see(id, "pause", pause);
        operate(pauses[i].resume, "{}");
        await_sent(id);
    }
    end();
}
END_TEST

/* ---- the line ---- */

static void remove_line(size_t line)
{
    char path[64];
    snprintf(path, sizeof path, "/lines/%s", rig.lines[line]);
    cJSON_Delete(rig_control(&rig, "DELETE", path, NULL));
}

/* covers: reason line_cordoned; call POST /v1/lines/{line}/cordon, POST /v1/lines/{line}/uncordon */
START_TEST(a_new_conversation_waits_for_its_cordoned_line)
{
    char cordon[64], uncordon[64];
    begin(NULL, NULL, 1);
    snprintf(cordon, sizeof cordon, "/v1/lines/%s/cordon", rig.lines[0]);
    snprintf(uncordon, sizeof uncordon, "/v1/lines/%s/uncordon", rig.lines[0]);
    make_known(0, 1);
    operate(cordon, "{}");
    enqueue("known", 1, "%s", "");
    await_sent("known"); /* those it has go on */
    enqueue("new", 2, "\"from\":\"%s\",", rig.lines[0]);
    must_wait("new", REASON_LINE_CORDONED);
    operate(uncordon, "{}");
    await_sent("new");
    end();
}
END_TEST

/* covers: reason line_flagged, line_gone, line_critical, line_recovering, line_at_risk, no_healthy_line */
START_TEST(a_job_waits_for_its_line)
{
    begin(NULL, NULL, 1);
    for (unsigned line = 0; line < RIG_LINES; line++)
        make_known(line, 10 + line);
    rig_set_line(&rig, 0, "\"service\":\"FLAGGED\"");
    AWAIT(rig_line_is(&rig, 0, "closed", "line_flagged"), "the flagged line does not close");
    enqueue("flagged", 10, "%s", "");
    must_wait("flagged", REASON_LINE_FLAGGED);
    must_see("flagged", "inputs.service", "FLAGGED");

    rig_set_line(&rig, 1, "\"reputation\":\"CRITICAL\"");
    AWAIT(rig_line_is(&rig, 1, "closed", "line_critical"), "the critical line does not close");
    enqueue("critical", 11, "%s", "");
    must_wait("critical", REASON_LINE_CRITICAL);
    must_see("critical", "inputs.reputation", "CRITICAL");
    rig_set_line(&rig, 1, "\"reputation\":\"AT_RISK\"");
    must_wait("critical", REASON_LINE_RECOVERING);
    must_see("critical", "inputs.reputation", "AT_RISK");
    must_see("critical", "inputs.proven", "CRITICAL");

    remove_line(2);
    AWAIT(rig_line_is(&rig, 2, "closed", "line_gone"), "the line that is gone does not close");
    enqueue("gone", 12, "%s", "");
    must_wait("gone", REASON_LINE_GONE);

    rig_set_line(&rig, 3, "\"reputation\":\"AT_RISK\"");
    AWAIT(rig_line_is(&rig, 3, "slow", "line_at_risk"), "the line at risk does not slow down");
    enqueue("pinned", 20, "\"from\":\"%s\",", rig.lines[3]);
    must_wait("pinned", REASON_LINE_AT_RISK);
    enqueue("anywhere", 21, "%s", "");
    must_wait("anywhere", REASON_NO_HEALTHY_LINE);

    rig_set_line(&rig, 3, "\"reputation\":\"HEALTHY\"");
    await_sent("pinned");
    await_sent("anywhere");
    rig_set_line(&rig, 2, "\"reputation\":\"HEALTHY\""); /* listed again */
    await_sent("gone");
    rig_set_line(&rig, 1, "\"reputation\":\"HEALTHY\"");
    await_sent("critical");
    rig_set_line(&rig, 0, "\"service\":\"ACTIVE\"");
    await_sent("flagged");
    end();
}
END_TEST

/* covers: reason line_stale; key accounts.stale_after_ms, accounts.blind_after_ms */
START_TEST(a_job_waits_for_news_of_its_line)
{
    static const char *const sets[] = {"accounts.default.stale_after_ms=1000", "accounts.default.blind_after_ms=2500",
                                       NULL};
    begin(sets, NULL, 1);
    make_known(0, 1);
    rig_faults(&rig, "{\"rate_500\":1,\"on\":\"reads\"}"); /* no good poll any more */
    AWAIT(rig_line_is(&rig, 0, "slow", "pace"), "silence does not slow the line");
    AWAIT(rig_line_is(&rig, 0, "closed", "line_stale"), "silence does not close the line");
    enqueue("stale", 1, "%s", "");
    must_wait("stale", REASON_LINE_STALE);
    rig_faults(&rig, NULL);
    await_sent("stale");
    end();
}
END_TEST

/* covers: reason ramp; key policies.ramp_percent, policies.ramp_step_ms */
START_TEST(a_job_waits_for_the_ramp)
{
    static const char *const sets[] = {"policies.default.pace_per_min=60", "policies.default.ramp_percent=[20, 100]",
                                       "policies.default.ramp_step_ms=60000", NULL};
    begin(sets, NULL, 1);
    make_known(0, 1);
    make_known(0, 2);
    rig_set_line(&rig, 0, "\"reputation\":\"CRITICAL\"");
    AWAIT(rig_line_is(&rig, 0, "closed", "line_critical"), "the critical line does not close");
    rig_set_line(&rig, 0, "\"reputation\":\"HEALTHY\"");
    AWAIT(rig_line_is(&rig, 0, "slow", "ramp"), "a released line has no ramp");
    enqueue("first", 1, "%s", "");
    await_sent("first");
    enqueue("second", 2, "%s", "");
    must_wait("second", REASON_RAMP); /* until the next turn, at 12 a minute */
    must_release_in("second", 500, 6000);
    await_sent("second");
    end();
}
END_TEST

/* ---- the provider ---- */

/* This one and no other. */
static void set_fault(const char *fault)
{
    rig_faults(&rig, NULL);
    rig_faults(&rig, fault);
}

/* covers: reason retry_backoff, rate_limited, outcome_unknown */
START_TEST(a_job_waits_for_its_next_try)
{
    static const char *const sets[] = {"policies.default.retry_base_ms=3000", "policies.default.retry_cap_ms=4000",
                                       NULL};
    begin(sets, NULL, 1);
    for (unsigned line = 0; line < 3; line++)
        make_known(line, 10 + line);
    set_fault("{\"rate_500\":1}");
    enqueue("failed", 10, "%s", "");
    must_wait("failed", REASON_RETRY_BACKOFF);
    must_release_in("failed", 500, 4000);
    cJSON_Delete(rig_control(&rig, "POST", "/webhooks/faults", "{\"lost\":1}")); /* else they settle it at once */
    set_fault("{\"rate_reset_after_accept\":1}");
    enqueue("unknown", 11, "%s", "");
    must_wait("unknown", REASON_OUTCOME_UNKNOWN);
    cJSON_Delete(rig_control(&rig, "DELETE", "/webhooks/faults", NULL));
    set_fault("{\"rate_429\":1,\"retry_after_s\":4}");
    enqueue("limited", 12, "%s", "");
    must_wait("limited", REASON_RATE_LIMITED);
    must_release_in("limited", 500, 4000);
    rig_faults(&rig, NULL);
    await_sent("failed");
    await_sent("unknown");
    await_sent("limited");
    MUST(rig_accepted(&rig) == 6, "%lld messages", (long long)rig_accepted(&rig));
    end();
}
END_TEST

static void restart_sandbox(const char *key)
{
    program_end(&rig.sandbox);
    rig.sandbox_log[strlen(rig.sandbox_log) - 1]++; /* another provider's life */
    rig.sandbox_options[0] = "--api-key";
    rig.sandbox_options[1] = key;
    rig_start_sandbox(&rig);
}

/* covers: reason provider_down; key accounts.api_key_file */
START_TEST(a_job_waits_for_the_provider)
{
    begin(NULL, NULL, 1);
    make_known(0, 1);
    restart_sandbox("another-key"); /* ours is refused now */
    enqueue("refused", 1, "\"from\":\"%s\",", rig.lines[0]);
    must_wait("refused", REASON_PROVIDER_DOWN);
    restart_sandbox("process-test-key");
    await_sent("refused");
    end();
}
END_TEST

/* covers: reason conversation_busy, no_worker; state queued, leased */
START_TEST(a_job_waits_for_the_one_before_and_for_a_worker)
{
    begin(NULL, NULL, 1);
    make_known(0, 1);
    rig_faults(&rig, "{\"latency_ms\":1200}");
    enqueue("first", 1, "%s", "");
    AWAIT(is("first", "leased", NULL), "the first job is not handed out");
    enqueue("second", 1, "%s", "");
    must_wait("second", REASON_CONVERSATION_BUSY);
    await_sent("second");
    rig_faults(&rig, NULL);
    program_end(&rig.worker[0]);
    AWAIT(rig_workers_there(&rig) == 0, "the worker that ended is still there");
    enqueue("alone", 1, "%s", "");
    must_wait("alone", REASON_NO_WORKER);
    rig_start_worker(&rig, 0);
    await_sent("alone");
    end();
}
END_TEST

/* ---- the chat ---- */

static void set_chat_of(const char *id, const char *members)
{
    char path[128];
    cJSON *view = view_of(id);
    snprintf(path, sizeof path, "/chats/%s", text_at(view, "chat_id"));
    cJSON_Delete(rig_control(&rig, "POST", path, members));
    snprintf(path, sizeof path, "/messages/%s", text_at(view, "message_id"));
    cJSON_Delete(
        rig_control(&rig, "POST", path, "{\"delivery\":\"read\"}")); /* with this event the broker hears of it */
    cJSON_Delete(view);
}

static bool is_read(const char *id)
{
    cJSON *view = view_of(id);
    const char *delivery = text_at(view, "delivery");
    bool so = delivery != NULL && strcmp(delivery, "read") == 0;
    cJSON_Delete(view);
    return so;
}

/* covers: reason conversation_critical */
START_TEST(a_job_waits_for_its_chat)
{
    begin(NULL, NULL, 1);
    make_known(0, 1);
    char pause[32];
    pause_at("/v1/pools/default/pause", pause);
    enqueue("critical", 1, "%s", "");
    set_chat_of("known-1", "{\"health\":\"CRITICAL\"}");
    AWAIT(is_read("known-1"), "no word about the message");
    operate("/v1/pools/default/resume", "{}");
    must_wait("critical", REASON_CONVERSATION_CRITICAL);
    int64_t second =
        clock_read().wall_ms / 1000; /* the chat's word is kept in seconds; of two in one the worse wins */
    AWAIT(clock_read().wall_ms / 1000 > second, "time stands still");
    set_chat_of("known-1", "{\"health\":\"HEALTHY\"}");
    await_sent("critical");
    end();
}
END_TEST

static void answer_from(unsigned to)
{
    char body[96];
    snprintf(body, sizeof body, "{\"recipient\":\"+1415720%04u\",\"text\":\"hello yourself\"}", to);
    cJSON_Delete(rig_control(&rig, "POST", "/answers", body));
}

/* covers: reason conversation_at_risk, conversation_cadence; key policies.at_risk_chat_gap_ms, policies.cadence_ms */
START_TEST(a_job_waits_for_its_recipients_answer)
{
    static const char *const sets[] = {"policies.default.at_risk_chat_gap_ms=600000",
                                       "policies.default.cadence_ms=[300000]", NULL};
    begin(sets, NULL, 1);
    make_known(0, 1);
    make_known(0, 2);
    set_chat_of("known-1", "{\"health\":\"AT_RISK\"}");
    AWAIT(is_read("known-1"), "no word about the message");
    enqueue("slowed", 1, "%s", "");
    must_wait("slowed", REASON_CONVERSATION_AT_RISK);
    must_release_in("slowed", 500000, 602000); /* kept in seconds, rounded up */
    enqueue("reminder", 2, "\"class\":\"followup\",");
    must_wait("reminder", REASON_CONVERSATION_CADENCE);
    must_release_in("reminder", 200000, 302000);
    answer_from(1);
    answer_from(2);
    await_sent("slowed");
    await_sent("reminder");
    end();
}
END_TEST

/* The wall clock of a place so many minutes ahead of UTC, `more` minutes from now. */
static void clock_there(int ahead_min, int more_min, char out[8])
{
    int64_t minutes = clock_read().wall_ms / 60000 + ahead_min + more_min;
    snprintf(out, 8, "%02d:%02d", (int)(minutes / 60 % 24), (int)(minutes % 60));
}

/* covers: reason quiet_hours; key policies.quiet_hours; field tz */
START_TEST(a_job_waits_for_the_morning_where_its_recipient_is)
{
    enum { KOLKATA_MIN = 330 }; /* ahead of UTC, all the year round */
    char from[8], to[8], quiet[128];
    const char *sets[] = {quiet, NULL};
    clock_there(KOLKATA_MIN, -60, from);
    clock_there(KOLKATA_MIN, 120, to);
    snprintf(quiet, sizeof quiet, "policies.default.quiet_hours={from: \"%s\", to: \"%s\", zone: recipient}", from,
             to);
    begin(sets, NULL, 1);
    enqueue("night", 1, "\"tz\":\"Asia/Kolkata\",");
    must_wait("night", REASON_QUIET_HOURS);
    must_release_in("night", 110 * 60000, 121 * 60000);
    enqueue("day", 2, "\"tz\":\"UTC\",");
    await_sent("day");
    enqueue("reply", 3, "\"tz\":\"Asia/Kolkata\",\"class\":\"reply\",");
    await_sent("reply");
    end();
}
END_TEST

/* ---- pace and budgets: each pool has one line and a policy of its own ---- */

#define FIRST 30 /* recipients */
#define NEW   31

#define POOL(name, line) "  " name ": {policy: " name ", lines: [\"+1202555010" line "\"]}\n"

/* Two jobs of that pool, the second for recipient `second_to`: the first goes, the second waits. */
static void must_spend(const char *pool, unsigned second_to, enum reason reason)
{
    char id[2][32], path[2][96];
    for (unsigned i = 0; i < 2; i++) {
        snprintf(id[i], sizeof id[i], "%s-%u", pool, i);
        snprintf(path[i], sizeof path[i], "%s%%2F%s", pool, id[i]);
    }
    enqueue(id[0], FIRST, "\"pool\":\"%s\",", pool);
    await_sent(path[0]);
    enqueue(id[1], second_to, "\"pool\":\"%s\",", pool);
    must_wait(path[1], reason);
}

/* covers: reason pace, budget_new_conversations, budget_daily, budget_pair;
 * key policies.pace_per_min, policies.new_conversations_per_day, policies.daily_messages, policies.pair_per_min;
 * key pools.lines, pools.policy; field pool */
START_TEST(a_job_waits_for_its_lines_turn_and_budgets)
{
    static const char config[] = "  pace: {pace_per_min: 1}\n"
                                 "  fresh: {pace_per_min: 0, new_conversations_per_day: 1}\n"
                                 "  daily: {pace_per_min: 0, daily_messages: 1}\n"
                                 "  pair: {pace_per_min: 0, pair_per_min: 1}\n"
                                 "pools:\n" POOL("pace", "1") POOL("fresh", "2") POOL("daily", "3") POOL("pair", "4");
    begin(NULL, config, 1);
    must_spend("pace", NEW, REASON_PACE);
    must_release_in("pace%2Fpace-1", 30000, 70000);
    must_spend("fresh", NEW, REASON_BUDGET_NEW_CONVERSATIONS);
    must_spend("daily", NEW, REASON_BUDGET_DAILY);
    must_spend("pair", FIRST, REASON_BUDGET_PAIR);
    must_release_in("pair%2Fpair-1", 40000, 70000);
    /* A known conversation does not wait for the budget of new ones. */
    enqueue("known", FIRST, "\"pool\":\"fresh\",");
    await_sent("fresh%2Fknown");
    end();
}
END_TEST

/* covers: reason budget_recipients, budget_growth;
 * key policies.distinct_recipients_per_hour, policies.daily_growth_factor, policies.growth_floor */
START_TEST(a_job_waits_for_recipients_and_growth)
{
    static const char config[] = "  people: {pace_per_min: 0, distinct_recipients_per_hour: 1}\n"
                                 "  growth: {pace_per_min: 0, daily_growth_factor: 2, growth_floor: 1}\n"
                                 "pools:\n" POOL("people", "1") POOL("growth", "2");
    begin(NULL, config, 1);
    must_spend("people", NEW, REASON_BUDGET_RECIPIENTS);
    must_spend("growth", NEW, REASON_BUDGET_GROWTH);
    /* Who was written to within the hour spends no recipient; a reply is not stopped by growth. */
    enqueue("known", FIRST, "\"pool\":\"people\",");
    await_sent("people%2Fknown");
    enqueue("reply", FIRST, "\"pool\":\"growth\",\"class\":\"reply\",");
    await_sent("growth%2Freply");
    end();
}
END_TEST

/* ---- all of them ---- */

START_TEST(every_reason_of_the_contract_was_provoked)
{
    for (enum reason reason = REASON_NONE + 1; reason < REASON_COUNT; reason++)
        ck_assert_msg(provoked[reason], "no test above provokes %s", reason_name(reason));
}
END_TEST

int main(void)
{
    provoked = mmap(NULL, REASON_COUNT * sizeof *provoked, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (provoked == MAP_FAILED)
        return EXIT_FAILURE;
    return RUN_TESTS("reasons", 40, a_job_waits_for_its_time, a_job_waits_for_the_operator,
                     a_new_conversation_waits_for_its_cordoned_line, a_job_waits_for_its_line,
                     a_job_waits_for_news_of_its_line, a_job_waits_for_the_ramp, a_job_waits_for_its_next_try,
                     a_job_waits_for_the_provider, a_job_waits_for_the_one_before_and_for_a_worker,
                     a_job_waits_for_its_chat, a_job_waits_for_its_recipients_answer,
                     a_job_waits_for_the_morning_where_its_recipient_is, a_job_waits_for_its_lines_turn_and_budgets,
                     a_job_waits_for_recipients_and_growth, every_reason_of_the_contract_was_provoked);
}
