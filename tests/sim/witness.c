/* witness.c — see witness.h. */
#include "tests/sim/witness.h"

#include <stdio.h>
#include <string.h>

#include "lineward/ids.h"
#include "lineward/json.h"
#include "tests/sim/erasures.h"
#include "tests/sim/house.h"
#include "tests/sim/looks.h"
#include "tests/sim/net.h"
#include "tests/sim/operators.h"
#include "tests/sim/reference.h"
#include "tests/sim/triage.h"
#include "tests/sim/wants.h"
#include "tests/sim/whereabouts.h"
#include "tests/sim/witness_hands.h"
#include "tests/sim/witness_lines.h"
#include "tests/sim/witness_part.h"
#include "tests/sim/witness_stops.h"
#include "tests/sim/witness_views.h"

#define KEY_SLOTS 16384
#define DURABLE_US (5 * US_S) /* by then a commit is, or the disk has failed */
#define FAR_US    (12 * US_H)

static struct seen jobs[CAST_JOBS_MAX];

struct seen *seen_of(int job)
{
    return &jobs[job];
}

static struct {
    struct {
        char key[80];
        int job;
    } keys[KEY_SLOTS];
    bool deceived;
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
    if (known->acked && known->number != value && !known->forgiven && !reference_may_be_forgotten(job))
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

void witness_requeued(int job)
{
    seen_of(job)->requeued_us = now_us();
    seen_of(job)->requeue_may_be_lost = false;
    cast_jobs[job].requeued = true;
    cast_jobs[job].final = false;
    cast_jobs[job].end = JOB_NONE;
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
            ends_told(job, state, code);
        return;
    }
    if (text == NULL) {
        if (!reference_may_be_forgotten(job))
            breach("P1", about_job(job), "job %d was acknowledged and is %s", job, code == NULL ? "?" : code);
        return;
    }
    told_change(job, text, json_string(view, "reason"), json_string(view, "line"));
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
        ends_told(job, state, code);
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
    struct seen *seen = seen_of(job);
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

void witness_message(int job, int line, bool new_chat)
{
    struct seen *seen = seen_of(job);
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
    order_made(job);
}

/* ---- P7 ---- */

/* *line: on which it is, -1: none. */
static int job_of_request(const char *url, const char *body, size_t bytes, int *line)
{
    cJSON *document = json_parse(body, bytes, NULL);
    const char *chat = strstr(url, "/chats/chat-");
    if (chat == NULL || sscanf(chat, "/chats/chat-%*d-%d-", line) != 1)
        *line = cast_line_of(json_string(document, "from"));
    int job = cast_job_of_message(document, *line);
    cJSON_Delete(document);
    return job;
}

void witness_begun(const struct process *worker, const char *url, const char *body, size_t bytes)
{
    int line = -1, job = job_of_request(url, body, bytes, &line);
    if (job < 0)
        breach("form", NOBODY_ABOUT, "a request for no job begins");
    seen_of(job)->begun = true;
    seen_of(job)->begun_us = now_us();
    note(about_job(job), "%s: begins job %d", worker->name, job);
    if (witness.deceived) /* its conversation may know a chat on another line (lines_deceived) */
        line = seen_of(job)->given_line;
    if (line < 0)
        breach("form", about_job(job), "a request for job %d begins on no line: %s", job, url);
    lines_begun(job, line);
    hands_begun(worker, job);
    stops_begun(job);
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
        seen_of(job)->refused_us = now_us();
    note(about_job(job), "%s: job %d ends with %d/%d", worker->name, job, (int)end_of->transport, end_of->http_status);
}

/* ---- the broker ---- */

static void job_given(const char *worker, struct frame lease, const struct frame *json)
{
    cJSON *document = json_parse(json->data, json->bytes, NULL);
    int line = cast_line_of(json_string(document, "line"));
    int job = cast_job_of_message(document, line);
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
    if (seen_of(job)->given_us == 0)
        seen_of(job)->given_us = now_us() + 1;
    seen_of(job)->given_line = line;
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
    for (int job = 0; job < cast_job_count; job++)
        if (cast_jobs[job].requeued && now_us() < seen_of(job)->requeued_us + DURABLE_US)
            seen_of(job)->requeue_may_be_lost = true;
    reference_broker_down();
}

void witness_wall_jumps(int64_t by_us)
{
    bool far = by_us > FAR_US || by_us < -FAR_US; /* else it is the same day, or week, still */
    if (far)
        looks_forget();
    lines_wall_jumps(far);
    operators_wall_jumps();
    reference_wall_jumps(by_us);
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
