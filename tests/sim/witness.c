/* witness.c — see witness.h. */
#include "tests/sim/witness.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/ids.h"
#include "lineward/json.h"
#include "tests/sim/erasures.h"
#include "tests/sim/house.h"
#include "tests/sim/looks.h"
#include "tests/sim/net.h"
#include "tests/sim/operators.h"
#include "tests/sim/provider.h"
#include "tests/sim/reference.h"
#include "tests/sim/triage.h"
#include "tests/sim/wants.h"
#include "tests/sim/whereabouts.h"
#include "tests/sim/witness_hands.h"
#include "tests/sim/witness_lines.h"
#include "tests/sim/witness_stops.h"
#include "tests/sim/witness_views.h"

#define KEY_SLOTS 16384

struct seen { /* of a job */
    uint64_t body_hash;
    char key[80];
    int conversation, line; /* of its first try */
    unsigned arrivals;
    int64_t made_us; /* its message; 0: none */
    int64_t given_us; /* out, for the first time; 0: never */
    int given_line;   /* the latest time */
    int64_t begun_us; /* the latest time */
    int64_t refused_us; /* when a try of it was last answered with an error */
    bool begun, superseded;
    bool made_late;     /* after that: a retry with the same key settles, so nobody reckons with it any more */
    char told[80]; /* state, reason and line as last told */
    enum reason told_reason;
    int told_line;
};

static struct {
    struct seen jobs[CAST_JOBS_MAX];
    struct {
        char key[80];
        int job;
    } keys[KEY_SLOTS];
    bool wall_jumped, deceived;
    bool given[CAST_ALL];  /* a job of it was given out, ever */
    int64_t given_us[CAST_ALL]; /* the first one */
    bool placed[CAST_ALL]; /* a message of it was made */
} witness;

/* ---- P1: what was acknowledged is there, and ends ---- */

void witness_acked(int job, const char *number, const cJSON *result)
{
    struct cast_job *known = &cast_jobs[job];
    uint64_t value = 0;
    if (!job_number_parse(number, &value))
        breach("form", about_job(job), "job number %s", number);
    if (known->refused && !known->forgiven)
        breach("P1", about_job(job), "job %d was refused and is acknowledged", job);
    if (known->acked && known->number != value && !known->forgiven)
        breach("P1", about_job(job), "job %d is acknowledged as another one", job);
    const char *state = json_string(result, "state");
    note(about_job(job), "job %d is acked: %s %s %s", job, number, state,
         json_string(result, "reason") == NULL ? "" : json_string(result, "reason"));
    if (!known->acked) {
        known->acked_us = now_us();
        stops_acked(job);
        erasures_acked(job);
        wants_acked(job, result);
    }
    known->acked = true;
    known->number = value;
    reference_acked(job);
}

void witness_refused(int job, const char *code)
{
    struct cast_job *known = &cast_jobs[job];
    if (known->acked && !known->forgiven)
        breach("P1", about_job(job), "job %d was acknowledged and is refused: %s", job, code);
    note(about_job(job), "job %d is refused: %s", job, code);
    known->refused = true;
    wants_refused(job, code);
}

static void uncaused(int job, enum job_state state, const char *code, const char *why)
{
    breach("P10", about_job(job), "job %d is told to be %s (%s), but %s", job, job_state_name(state),
           code == NULL ? "-" : code, why);
}

/* One that came back from the dead letters did so without its expiry. */
static bool may_have_expired(int job)
{
    bool by_itself = cast_jobs[job].requeued ? triage_may_have_redated(job) : reference_may_have_expired(job);
    return by_itself || triage_may_have_expired(job);
}

/* No job ends without a cause that somebody outside knows of. */
static void check_cause(int job, enum job_state state, const char *code)
{
    const struct cast_job *known = &cast_jobs[job];
    bool superseded = code != NULL && strcmp(code, "superseded") == 0;
    long number = code == NULL ? 0 : strtol(code, NULL, 10);
    if (state == JOB_EXPIRED && !may_have_expired(job))
        uncaused(job, state, code, "it has no expiry, or not yet");
    if (state == JOB_CANCELLED && erasures_may_have_ended(job)) /* which takes its code, too */
        return;
    if (state == JOB_CANCELLED && superseded && known->collapse == '\0' && !triage_may_have_moved(job))
        uncaused(job, state, code, "it has no collapse key");
    if (state == JOB_CANCELLED && !superseded && !known->cancel_asked && !triage_may_have_cancelled(job))
        uncaused(job, state, code, "nobody cancelled it");
    if (state == JOB_SUPPRESSED && !provider_ever_stopped(known->conversation) &&
        !operators_ever_suppressed(known->conversation))
        uncaused(job, state, code, "nobody stopped its recipient");
    if (state == JOB_FAILED && code != NULL && strcmp(code, "held") == 0 && !operators_may_have_failed(job))
        uncaused(job, state, code, "no line was drained to fail");
    if (state == JOB_FAILED && code != NULL && strcmp(code, "outcome_unknown") == 0 && !may_have_expired(job))
        uncaused(job, state, code, "what is unknown waits until it expires");
    if (state == JOB_FAILED && code != NULL && strncmp(code, "http_", 5) == 0 && !provider_ever_answered(job, 0))
        uncaused(job, state, code, "the provider never said so");
    if (state == JOB_FAILED && number >= 1000 && !provider_ever_answered(job, (int)number))
        uncaused(job, state, code, "the provider never said so");
}

static void end(int job, enum job_state state, const char *code)
{
    struct cast_job *known = &cast_jobs[job];
    bool unknown = code != NULL && strcmp(code, "outcome_unknown") == 0;
    note(about_job(job), "job %d is told to be %s%s%s", job, job_state_name(state), code == NULL ? "" : " ",
         code == NULL ? "" : code);
    known->final = true;
    known->end = state;
    known->cancelled_told = state == JOB_CANCELLED;
    witness.jobs[job].superseded = state == JOB_CANCELLED && code != NULL && strcmp(code, "superseded") == 0 &&
                                   known->collapse != '\0' && !triage_may_have_moved(job);
    if (known->forgiven)
        return;
    check_cause(job, state, code);
    if (state == JOB_SENT && !provider_has(job))
        breach("P1", about_job(job), "job %d is told to be sent, but the provider never had it", job);
    if (state != JOB_SENT && !unknown && !known->called_unsent && !witness.jobs[job].made_late && provider_has(job))
        breach("P7", about_job(job), "job %d is told to be %s, but the provider has its message", job,
               job_state_name(state));
}

static void tell_change(int job, const char *state, const char *reason, const char *line)
{
    struct seen *seen = &witness.jobs[job];
    char told[80];
    snprintf(told, sizeof told, "%s %s on %d", state, reason == NULL ? "-" : reason, cast_line_of(line));
    seen->told_line = cast_line_of(line);
    if (reason == NULL || !reason_parse(reason, &seen->told_reason))
        seen->told_reason = REASON_NONE;
    if (strcmp(told, seen->told) == 0)
        return;
    memcpy(seen->told, told, sizeof told);
    note(about_job(job), "job %d is %s", job, told);
}

void witness_requeued(int job)
{
    cast_jobs[job].requeued = true;
    cast_jobs[job].final = false;
    cast_jobs[job].end = JOB_NONE;
}

bool witness_is_told_unknown(int job)
{
    return cast_jobs[job].acked && !cast_jobs[job].final && witness.jobs[job].told_reason == REASON_OUTCOME_UNKNOWN;
}

/* Not behind another one. Where messages are few, the next try of an unknown one waits for their budget, too, and so does
 * the probe that would find the provider well. */
static bool waits_for_budget(int job)
{
    const struct seen *seen = &witness.jobs[job];
    switch (seen->told_reason) {
    case REASON_BUDGET_NEW_CONVERSATIONS:
    case REASON_BUDGET_DAILY:
    case REASON_BUDGET_GROWTH:
        return true;
    case REASON_OUTCOME_UNKNOWN:
        return house_is_tight() && lines_may_be_spent(seen->told_line);
    case REASON_PROVIDER_DOWN:
        return house_is_tight();
    default:
        return false;
    }
}

/* Of one that the disk has lied about, or that nobody knows of yet, nobody asks. */
static bool may_wait(int job)
{
    const struct cast_job *known = &cast_jobs[job];
    return known->forgiven || !known->acked ? !known->refused : !known->final && waits_for_budget(job);
}

bool witness_waits_for_budget(int job)
{
    if (witness.jobs[job].told_reason != REASON_CONVERSATION_BUSY)
        return waits_for_budget(job);
    for (int other = 0; other < cast_job_count; other++)
        if (other != job && cast_jobs[other].conversation == cast_jobs[job].conversation && may_wait(other))
            return true;
    return false;
}

bool witness_waits_for_answer(int job)
{
    enum reason reason = witness.jobs[job].told_reason;
    return reason == REASON_CONVERSATION_CRITICAL || reason == REASON_CONVERSATION_AT_RISK ||
           reason == REASON_CONVERSATION_CADENCE;
}

void witness_viewed(int job, const cJSON *view, bool of_cancel, int64_t asked_us)
{
    const char *text = json_string(view, "state");
    const cJSON *error = json_get(view, "error");
    const char *code = json_string(error, "code");
    enum job_state state = JOB_NONE;
    if (text == NULL && of_cancel && code != NULL && strcmp(code, "already_final") == 0)
        return;
    if (cast_jobs[job].forgiven) {
        if (text == NULL)
            cast_jobs[job].final = true;
        else if (job_state_parse(text, &state) && job_state_is_final(state))
            end(job, state, code);
        return;
    }
    if (text == NULL) {
        if (!witness.wall_jumped || !reference_may_be_over(job))
            breach("P1", about_job(job), "job %d was acknowledged and is %s", job, code == NULL ? "?" : code);
        cast_jobs[job].forgiven = true; /* it ended more than three days ago, as the clock had it */
        return;
    }
    tell_change(job, text, json_string(view, "reason"), json_string(view, "line"));
    whereabouts_seen(cast_jobs[job].conversation, cast_line_of(json_string(view, "line")));
    if (strcmp(text, "leased") == 0) /* its JOB may have been lost with the broker that granted it */
        witness.given[cast_jobs[job].conversation] = true;
    if (of_cancel && json_get(view, "cancel") != NULL)
        stops_cancel_taken(job);
    if (strcmp(text, "held") == 0)
        state = JOB_QUEUED;
    else if (!job_state_parse(text, &state))
        breach("P10", about_job(job), "job %d is %s", job, text);
    if (job_state_is_final(state))
        end(job, state, code);
    reference_viewed(job, view);
    erasures_viewed(job, view, asked_us);
    if (!job_state_is_final(state) && !of_cancel)
        views_check(job, state, json_string(view, "reason"), cast_line_of(json_string(view, "line")), asked_us);
}

/* ---- P4: one key for life, on one line ---- */

static void check_key(int job, const char *key)
{
    uint64_t hash = 14695981039346656037u;
    for (const char *at = key; *at != '\0'; at++)
        hash = (hash ^ (unsigned char)*at) * 1099511628211u;
    for (size_t i = hash % KEY_SLOTS;; i = (i + 1) % KEY_SLOTS) {
        if (witness.keys[i].key[0] == '\0') {
            snprintf(witness.keys[i].key, sizeof witness.keys[i].key, "%s", key);
            witness.keys[i].job = job;
            return;
        }
        if (strcmp(witness.keys[i].key, key) != 0)
            continue;
        if (witness.keys[i].job != job && !cast_jobs[job].forgiven)
            breach("P4", about_job(job), "jobs %d and %d have one key: %s", witness.keys[i].job, job, key);
        return;
    }
}

void witness_arrived(int job, int conversation, int line, const char *key, const char *body, size_t bytes)
{
    struct seen *seen = &witness.jobs[job];
    (void)body;
    (void)bytes;
    if (conversation != cast_jobs[job].conversation)
        breach("P2", about_job(job), "job %d of conversation %d is sent to conversation %d", job,
               cast_jobs[job].conversation, conversation);
    check_key(job, key);
    if (cast_jobs[job].forgiven)
        return;
    if (seen->arrivals++ == 0) {
        snprintf(seen->key, sizeof seen->key, "%s", key);
        seen->line = line;
        return;
    }
    if (strcmp(seen->key, key) != 0)
        breach("P4", about_job(job), "job %d comes with key %s, and came with %s", job, key, seen->key);
    if (seen->line != line && !whereabouts_may_have_left(conversation) && !cast_jobs[job].requeued)
        breach("P4", about_job(job), "job %d comes on line %d, and came on %d", job, line, seen->line);
}

/* ---- P2 ---- */

/* Of two calls under way at once nobody knows which moved its jobs first. */
static bool may_have_changed_places(const struct cast_job *a, const struct cast_job *b)
{
    return a->copied_us > b->first_sent_us && a->first_sent_us != b->first_sent_us;
}

/* Jobs of one conversation and class whose order their producer, or who moved them, defined. */
static bool are_in_order(const struct cast_job *a, const struct cast_job *b)
{
    return !may_have_changed_places(a, b) && !a->forgiven && !b->forgiven && a->source == b->source && a->source != CAST_LOOSE &&
           a->conversation == b->conversation && a->class == b->class && !a->has_due && !b->has_due &&
           a->pinned < 0 && b->pinned < 0 && /* else a line not known yet may refuse the one, and then take it */
           !a->fails_if_held &&              /* else it may be refused once, unheard, and be taken when it comes again */
           a->collapse == '\0' && b->collapse == '\0' && !a->requeued && !b->requeued;
}

/* A request that was under way when its job expired, or when a later try of it was refused for good, may still arrive when
 * those behind it, which wait for it no longer, are through. */
static bool may_arrive_late(int job, int other)
{
    const struct seen *seen = &witness.jobs[job];
    bool may_expire = reference_may_have_expired(job) || triage_may_have_redated(job);
    return (may_expire || seen->made_late) && seen->begun_us < witness.jobs[other].given_us;
}

void witness_message(int job, int line, bool new_chat)
{
    struct seen *seen = &witness.jobs[job];
    int conversation = cast_jobs[job].conversation;
    bool known = witness.placed[conversation] || wants_home(conversation) == line; /* its chat may have vanished since */
    bool first = new_chat && !known && !whereabouts_may_have_left(conversation);
    if (first && witness.given_us[conversation] > lines_forgotten_us())
        lines_placed(job, line);
    witness.placed[conversation] = true;
    if (seen->given_us > lines_forgotten_us())
        lines_message(job, line);
    if (seen->made_us != 0)
        breach("P4", about_job(job), "a second message of job %d", job);
    seen->made_us = now_us() + 1;
    seen->made_late = seen->refused_us > seen->begun_us;
    for (int other = job + 1; other < cast_job_count; other++)
        if (witness.jobs[other].made_us != 0 && are_in_order(&cast_jobs[job], &cast_jobs[other]) &&
            !operators_may_have_held_back(job) && !may_arrive_late(job, other))
            breach("P2", about_job(job), "job %d goes out after job %d of its conversation and class", job, other);
}

/* ---- P7 ---- */

/* *line: on which it is, -1: none. */
static int job_of_request(const char *url, const char *body, size_t bytes, int *line)
{
    cJSON *document = json_parse(body, bytes, NULL);
    const cJSON *parts = json_get(json_get(document, "message"), "parts");
    const char *chat = strstr(url, "/chats/chat-");
    if (chat == NULL || sscanf(chat, "/chats/chat-%*d-%d-", line) != 1)
        *line = cast_line_of(json_string(document, "from"));
    int job = cast_job_of_text(parts == NULL ? NULL : json_string(parts->child, "value"), *line);
    cJSON_Delete(document);
    return job;
}

void witness_begun(const struct process *worker, const char *url, const char *body, size_t bytes)
{
    int line = -1, job = job_of_request(url, body, bytes, &line);
    if (job < 0)
        breach("form", NOBODY_ABOUT, "a request for no job begins");
    witness.jobs[job].begun = true;
    witness.jobs[job].begun_us = now_us();
    note(about_job(job), "%s: begins job %d", worker->name, job);
    if (witness.deceived) /* its conversation may know a chat on another line (lines_deceived) */
        line = witness.jobs[job].given_line;
    if (line < 0)
        breach("form", about_job(job), "a request for job %d begins on no line: %s", job, url);
    lines_begun(job, line);
    hands_begun(worker, job);
    if (cast_jobs[job].forgiven)
        return;
    if (cast_jobs[job].final && cast_jobs[job].end != JOB_SENT)
        breach("P7", about_job(job), "job %d begins after it was told to be %s", job,
               job_state_name(cast_jobs[job].end));
    int64_t expires_ms = cast_expires_ms(job);
    if (expires_ms != 0 && !triage_dates_are_open(job) && !cast_jobs[job].requeued &&
        machine_wall_us(worker->machine) / US_MS >= expires_ms)
        breach("P7", about_job(job), "job %d begins after its expiry", job);
}

void witness_ended(const struct process *worker, const char *url, const char *body, size_t bytes,
                   const struct send_end *end_of)
{
    int line = -1, job = job_of_request(url, body, bytes, &line);
    if (job >= 0 && end_of->http_status >= 400)
        witness.jobs[job].refused_us = now_us();
    note(about_job(job), "%s: job %d ends with %d/%d", worker->name, job, (int)end_of->transport, end_of->http_status);
}

/* ---- the broker ---- */

static void job_given(const char *worker, struct frame lease, const struct frame *json)
{
    cJSON *document = json_parse(json->data, json->bytes, NULL);
    const cJSON *parts = json_get(json_get(document, "message"), "parts");
    int line = cast_line_of(json_string(document, "line"));
    int job = cast_job_of_text(parts == NULL ? NULL : json_string(parts->child, "value"), line);
    if (job < 0 || line < 0)
        breach("form", NOBODY_ABOUT, "a JOB that is none: %.*s", (int)json->bytes, (const char *)json->data);
    int conversation = cast_jobs[job].conversation;
    note(about_job(job), "broker: gives out job %d on line %d", job, line);
    int64_t attempt = 0;
    bool unsettled = json_bool(document, "unsettled", true);
    bool has_chat = json_string(document, "chat_id") != NULL;
    bool fresh = !witness.given[conversation] && !has_chat && !whereabouts_may_have_left(conversation) &&
                 json_int(document, "attempt", &attempt) && attempt == 1 && !unsettled;
    if (!witness.given[conversation])
        witness.given_us[conversation] = now_us();
    witness.given[conversation] = true;
    whereabouts_seen(conversation, line);
    reference_given(worker, job, line, lease, document);
    cJSON_Delete(document);
    if (witness.jobs[job].given_us == 0)
        witness.jobs[job].given_us = now_us() + 1;
    witness.jobs[job].given_line = line;
    lines_given(job, line, fresh);
    stops_given(job, unsettled);
    wants_given(job, line, has_chat, unsettled);
}

static void broker_says(const char *to, const struct frame *frames, size_t count)
{
    char command[16] = "";
    if (count > 1)
        frame_text(frames[1], command, sizeof command);
    if (strcmp(command, "BEAT") != 0 && strcmp(command, "ACK") != 0)
        note_world("broker to %s: %s of %zu parts", to, command, count);
    for (size_t i = 3; strcmp(command, "JOB") == 0 && i < count; i += 2)
        job_given(to, frames[i - 1], &frames[i]);
    for (size_t i = 2; strcmp(command, "DONE") == 0 && i < count; i++)
        reference_done(frames[i]);
    if (strcmp(command, "READY") == 0)
        reference_ready(to);
    house_may_die(FAULT_CRASH_IN_SAYING);
}

void witness_broker_up(void)
{
    erasures_broker_up();
}

void witness_broker_down(void)
{
    reference_broker_down();
}

void witness_wall_jumps(int64_t by_us)
{
    if (by_us > INT64_C(48) * US_H || by_us < -INT64_C(48) * US_H)
        witness.wall_jumped = true;
    looks_forget();
    lines_wall_jumps();
    operators_wall_jumps();
    reference_wall_jumps();
}

void witness_deceived(void)
{
    note_world("witness: the disk has lied; what there was until now is not judged any more");
    witness.deceived = true;
    for (int job = 0; job < cast_job_count; job++)
        cast_jobs[job].forgiven = true;
    memset(witness.placed, true, sizeof witness.placed);
    memset(witness.given, true, sizeof witness.given);
    lines_deceived();
    stops_deceived();
    operators_unsure();
    whereabouts_deceived();
    erasures_deceived();
    looks_forget();
}

void witness_begin(void)
{
    net_broker_says = broker_says;
    hands_begin();
    reference_begin();
}

/* ---- P2, looked at when all is over: who takes another's place goes out when that would have ---- */

static bool has_plain_place(const struct cast_job *job)
{
    return job->acked && !job->forgiven && job->source == 0 && !job->has_due && !job->has_expiry && job->pinned < 0 &&
           job->campaign == '\0' && !job->requeued;
}

/* The next one with its key, -1: none that stands where it stood. */
static int heir_of(int job)
{
    const struct cast_job *old = &cast_jobs[job];
    int heir = job + 1;
    for (int other = 0; other < cast_job_count; other++) /* it came when nobody knows */
        if (cast_jobs[other].source != 0 && cast_jobs[other].conversation == old->conversation &&
            cast_jobs[other].collapse == old->collapse)
            return -1;
    while (heir < cast_job_count && !(cast_jobs[heir].acked && cast_jobs[heir].conversation == old->conversation &&
                                      cast_jobs[heir].collapse == old->collapse))
        heir++;
    bool stands = heir < cast_job_count && has_plain_place(&cast_jobs[heir]) && cast_jobs[heir].class == old->class &&
                  witness.jobs[heir].given_us != 0;
    return stands ? heir : -1;
}

static void check_place(int old, int heir)
{
    for (int job = old + 1; job < heir; job++) {
        const struct cast_job *between = &cast_jobs[job];
        if (between->conversation == cast_jobs[old].conversation && between->class == cast_jobs[old].class &&
            between->collapse == '\0' && has_plain_place(between) &&
            witness.jobs[job].given_us > cast_jobs[heir].acked_us + 1 &&
            witness.jobs[job].given_us < witness.jobs[heir].given_us)
            breach("P2", about_job(heir), "job %d took the place of job %d, and job %d, which came later, went out first",
                   heir, old, job);
    }
}

void witness_settle(void)
{
    for (int job = 0; job < cast_job_count; job++) {
        int heir = witness.jobs[job].superseded && has_plain_place(&cast_jobs[job]) ? heir_of(job) : -1;
        if (heir >= 0)
            check_place(job, heir);
    }
}
