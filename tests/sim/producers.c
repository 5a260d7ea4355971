/* producers.c — see producers.h. */
#include "tests/sim/producers.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/clock.h"
#include "lineward/ids.h"
#include "lineward/json.h"
#include "tests/sim/cast.h"
#include "tests/sim/fiber.h"
#include "tests/sim/house.h"
#include "tests/sim/net.h"
#include "tests/sim/operators.h"
#include "tests/sim/posts.h"
#include "tests/sim/reference.h"
#include "tests/sim/wants.h"
#include "tests/sim/witness.h"

#define PRODUCERS    3
#define BATCH_MAX    8
#define ASKED_MAX    24
#define AGAIN_US     (6 * US_S)
#define JOB_TEXT_MAX 6000
#define HEAVY_TEXT_MAX 40000 /* so that segments fill and are cleaned */
#define HOPE_US      (30 * US_MIN)

struct producer {
    struct net_socket *socket;
    char name[16];
    unsigned index;
    /* the batch under way: jobs that are not accepted or refused for good */
    int batch[BATCH_MAX];
    size_t batch_count;
    bool enqueueing;
    /* STATUS or CANCEL under way */
    int asked[ASKED_MAX];
    size_t asked_count;
    bool asking, cancelling;
    uint64_t requests, enqueue_id, ask_id;
    int64_t enqueued_us, asked_us;
    int next_status; /* job from which to ask on */
};

static struct {
    struct stream luck, cancels;
    struct producer list[PRODUCERS];
    int64_t until_us;
    int jobs_max;
    uint64_t orders;
    bool calm;
    int64_t calm_since_us;
    int big; /* bytes of text that some jobs have */
    bool heavy; /* all have */
} producers;

static struct producer *owner_of(int conversation)
{
    return &producers.list[conversation % PRODUCERS];
}

/* ---- one job ---- */

static void new_job(struct producer *producer)
{
    int conversation = (int)draw(&producers.luck, CAST_CONVERSATIONS / PRODUCERS) * PRODUCERS + (int)producer->index;
    struct cast_job *job = &cast_jobs[cast_job_count];
    *job = (struct cast_job){.conversation = conversation, .pinned = -1, .copy_of = -1, .order = ++producers.orders};
    job->class = (enum job_class)draw(&producers.luck, CLASS_COUNT);
    if (chance(&producers.luck, 60))
        job->pinned = cast_pool_of(conversation) == 0 ? (int)draw(&producers.luck, 4)
                                                      : 4 + (int)draw(&producers.luck, 2);
    snprintf(job->id, sizeof job->id, "%s-%d", producer->name, cast_job_count);
    if (chance(&producers.luck, 100)) {
        job->has_expiry = true;
        job->expires_ms = machine_wall_us(house_machine()) / US_MS + (int64_t)draw(&producers.luck, 600000);
    }
    job->has_due = chance(&producers.luck, 80);
    if (chance(&producers.luck, 200))
        job->campaign = (char)('a' + draw(&producers.luck, 2));
    if (chance(&producers.luck, 50))
        job->collapse = (char)('a' + draw(&producers.luck, 2));
    wants_of_job(cast_job_count);
    producer->batch[producer->batch_count++] = cast_job_count++;
}

static void put(struct json_out *out, const char *name, const char *text)
{
    json_key(out, name);
    json_put_string(out, text);
}

static void put_text(struct json_out *out, int job)
{
    static char text[HEAVY_TEXT_MAX + 32];
    int bytes = snprintf(text, sizeof text, "job %d .", job);
    size_t more = job % 3 == 0 || producers.heavy ? (size_t)producers.big : 0;
    memset(text + bytes, 'x', more);
    text[(size_t)bytes + more] = '\0';
    json_key(out, "message");
    json_open(out, '{');
    json_key(out, "parts");
    json_open(out, '[');
    json_open(out, '{');
    put(out, "type", "text");
    put(out, "value", text);
    json_close(out, '}');
    json_close(out, ']');
    json_close(out, '}');
}

/* The same bytes each time, whenever it is sent. */
static void write_job(struct json_out *out, int at)
{
    const struct cast_job *job = &cast_jobs[at];
    char line[CAST_HANDLE_MAX];
    json_open(out, '{');
    put(out, "id", job->id);
    put(out, "pool", cast_pool_name(cast_pool_of(job->conversation)));
    json_key(out, "to");
    cast_put_recipients(out, job->conversation);
    put(out, "class", job_class_name(job->class));
    if (job->pinned >= 0) {
        cast_line_number(job->pinned, line);
        put(out, "from", line);
    }
    if (wants_named_home(job->conversation)) {
        char chat[64];
        wants_chat_id(job->conversation, chat);
        put(out, "chat_id", chat);
    }
    if (wants_zone(job->conversation) != NULL)
        put(out, "tz", wants_zone(job->conversation));
    if (job->fails_if_held)
        put(out, "if_held", "fail");
    if (job->has_expiry) {
        json_key(out, "expires_at");
        json_put_time(out, job->expires_ms);
    }
    if (job->has_due) {
        json_key(out, "send_after");
        json_put_time(out, BEGIN_MS + (int64_t)(job->order % 500) * 1000);
    }
    if (job->collapse != '\0')
        put(out, "collapse_key", (char[2]){job->collapse, '\0'});
    if (job->campaign != '\0')
        put(out, "campaign", (char[2]){job->campaign, '\0'});
    put_text(out, at);
    json_close(out, '}');
}

/* ---- requests ---- */

static struct frame text_frame(const char *text)
{
    return (struct frame){text, strlen(text)};
}

static void take_http_answer(void *self, uint64_t id, const cJSON *results);

static void offer_first(int job)
{
    cast_jobs[job].first_sent_us = now_us();
    cast_jobs[job].sent_ever = true;
    reference_offered(job);
}

static void offer_again(int job)
{
    cast_jobs[job].handed_in_again = true;
    fault(FAULT_PRODUCER_RESENT);
}

static void send_batch(struct producer *producer)
{
    struct json_out texts[BATCH_MAX] = {{0}};
    struct frame frames[3 + BATCH_MAX] = {text_frame(WIRE_VERSION), text_frame("ENQUEUE")};
    char id[32];
    producer->enqueue_id = ++producer->requests;
    snprintf(id, sizeof id, "e%" PRIu64, producer->enqueue_id);
    frames[2] = text_frame(id);
    for (size_t i = 0; i < producer->batch_count; i++) {
        int job = producer->batch[i];
        write_job(&texts[i], job);
        frames[3 + i] = (struct frame){texts[i].text, texts[i].bytes};
        if (cast_jobs[job].sent_ever)
            offer_again(job);
        else
            offer_first(job);
        note(about_job(job), "%s: enqueues job %d of conversation %d, class %s%s, from %d", producer->name, job,
             cast_jobs[job].conversation, job_class_name(cast_jobs[job].class),
             cast_jobs[job].has_due ? ", later" : "", cast_jobs[job].pinned);
    }
    if (wants_http(producer->index))
        posts_send(producer->index, frames + 3, producer->batch_count, producer->enqueue_id, take_http_answer, producer);
    producer->enqueueing =
        wants_http(producer->index) || net_send(producer->socket, frames, 3 + producer->batch_count);
    producer->enqueued_us = now_us();
    for (size_t i = 0; i < producer->batch_count; i++)
        json_out_free(&texts[i]);
}

static void send_ask(struct producer *producer, const char *command)
{
    char names[ASKED_MAX][JOB_NUMBER_TEXT_MAX], id[32];
    struct frame frames[3 + ASKED_MAX] = {text_frame(WIRE_VERSION), text_frame(command)};
    producer->ask_id = ++producer->requests;
    snprintf(id, sizeof id, "a%" PRIu64, producer->ask_id);
    frames[2] = text_frame(id);
    for (size_t i = 0; i < producer->asked_count; i++) {
        job_number_format(cast_jobs[producer->asked[i]].number, names[i]);
        frames[3 + i] = text_frame(names[i]);
    }
    producer->asking = net_send(producer->socket, frames, 3 + producer->asked_count);
    producer->asked_us = now_us();
}

static bool is_open(int job)
{
    return cast_jobs[job].acked && !cast_jobs[job].final && !cast_jobs[job].forgiven;
}

static void ask_status(struct producer *producer)
{
    producer->asked_count = 0;
    for (int looked = 0; looked < cast_job_count && producer->asked_count < ASKED_MAX; looked++) {
        int job = producer->next_status++ % cast_job_count;
        if (is_open(job) && owner_of(cast_jobs[job].conversation) == producer)
            producer->asked[producer->asked_count++] = job;
    }
    producer->cancelling = false;
    if (producer->asked_count > 0)
        send_ask(producer, "STATUS");
}

static void cancel(struct producer *producer, int job)
{
    fault(FAULT_PRODUCER_CANCELLED);
    note(about_job(job), "%s: cancels job %d", producer->name, job);
    cast_jobs[job].cancel_asked = true;
    producer->asked[0] = job;
    producer->asked_count = 1;
    producer->cancelling = true;
    send_ask(producer, "CANCEL");
}

/* What a worker should have begun by now: it stands still, or the JOB does not get there. */
static bool cancel_what_hangs(struct producer *producer)
{
    for (int job = 0; job < cast_job_count; job++) {
        if (!witness_hangs(job) || !is_open(job) || owner_of(cast_jobs[job].conversation) != producer)
            continue;
        cancel(producer, job);
        return true;
    }
    return false;
}

static void ask_cancel(struct producer *producer)
{
    for (int tries = 0; tries < 20 && cast_job_count > 0; tries++) {
        int job = (int)draw(&producers.luck, (uint64_t)cast_job_count);
        if (!is_open(job) || owner_of(cast_jobs[job].conversation) != producer)
            continue;
        cancel(producer, job);
        return;
    }
}

/* A group that the provider has lost cannot answer in a chat that the broker knows: what waits for its answer waits
 * for good. One that came back from the dead letters may have been sent: only somebody's word ends it. */
static bool cancel_hopeless(struct producer *producer)
{
    for (int job = 0; job < cast_job_count; job++) {
        if (!is_open(job) || owner_of(cast_jobs[job].conversation) != producer ||
            !cast_is_group(cast_jobs[job].conversation) || !witness_waits_for_answer(job))
            continue;
        cancel(producer, job);
        if (cast_jobs[job].requeued)
            operators_settle(job);
        return true;
    }
    return false;
}

/* ---- answers ---- */

bool producers_come_again(const char *code)
{
    return strcmp(code, "busy") == 0 || strcmp(code, "store_full") == 0;
}

static void take_result(int job, const cJSON *result, bool *kept)
{
    const cJSON *error = json_get(result, "error");
    const char *number = json_string(result, "job"), *code = json_string(error, "code");
    *kept = false;
    if (number != NULL) {
        witness_acked(job, number, result);
        return;
    }
    *kept = code != NULL && producers_come_again(code);
    if (!*kept)
        witness_refused(job, code == NULL ? "?" : code);
}

static void take_results(struct producer *producer, const cJSON *results)
{
    size_t kept_count = 0;
    producer->enqueueing = false;
    if ((size_t)cJSON_GetArraySize(results) != producer->batch_count)
        breach("form", NOBODY_ABOUT, "%d results for %zu jobs", cJSON_GetArraySize(results), producer->batch_count);
    for (size_t i = 0; i < producer->batch_count; i++) {
        bool kept = false;
        take_result(producer->batch[i], cJSON_GetArrayItem(results, (int)i), &kept);
        if (kept)
            producer->batch[kept_count++] = producer->batch[i];
        else if (kept_count > 0 && !cast_jobs[producer->batch[i]].forgiven && !cast_jobs[producer->batch[i]].refused)
            breach("P2", about_job(producer->batch[i]), "job %d was taken behind one that was refused as busy",
                   producer->batch[i]);
    }
    producer->batch_count = kept_count;
}

static void take_enqueue_ack(struct producer *producer, const struct packet *packet)
{
    cJSON *results = cJSON_CreateArray();
    for (size_t i = 3; i < packet->count; i++)
        cJSON_AddItemToArray(results, json_parse(packet->parts[i].data, packet->parts[i].bytes, NULL));
    take_results(producer, results);
    cJSON_Delete(results);
}

static void take_http_answer(void *self, uint64_t id, const cJSON *results)
{
    struct producer *producer = self;
    if (producer->enqueueing && id == producer->enqueue_id)
        take_results(producer, results);
}

static void take_ask_ack(struct producer *producer, const struct packet *packet)
{
    producer->asking = false;
    if (packet->count != 3 + producer->asked_count)
        breach("form", NOBODY_ABOUT, "an ACK of %zu parts for %zu names", packet->count, producer->asked_count);
    for (size_t i = 0; i < producer->asked_count; i++) {
        cJSON *view = json_parse(packet->parts[3 + i].data, packet->parts[3 + i].bytes, NULL);
        witness_viewed(producer->asked[i], view, producer->cancelling, producer->asked_us);
        cJSON_Delete(view);
    }
}

static void take_error(struct producer *producer, const char *id)
{
    if (id[0] == 'e' && strtoull(id + 1, NULL, 10) == producer->enqueue_id)
        producer->enqueueing = false; /* nothing was stored: it is sent again */
    if (id[0] == 'a' && strtoull(id + 1, NULL, 10) == producer->ask_id)
        producer->asking = false;
}

static void take(struct producer *producer, const struct packet *packet)
{
    char id[32] = "";
    if (packet->count < 3 || !frame_is(packet->parts[0], WIRE_VERSION) ||
        !frame_text(packet->parts[2], id, sizeof id))
        breach("form", NOBODY_ABOUT, "%s got a message that makes no sense", producer->name);
    uint64_t number = strtoull(id + 1, NULL, 10);
    if (frame_is(packet->parts[1], "ERR"))
        take_error(producer, id);
    else if (id[0] == 'e' && number == producer->enqueue_id && producer->enqueueing)
        take_enqueue_ack(producer, packet);
    else if (id[0] == 'a' && number == producer->ask_id && producer->asking)
        take_ask_ack(producer, packet);
}

static void readable(void *self)
{
    struct producer *producer = self;
    for (struct packet *packet; (packet = net_receive(producer->socket)) != NULL;) {
        take(producer, packet);
        packet_free(packet);
    }
}

/* ---- what they do, by and by ---- */

static void act(struct producer *producer)
{
    if (!net_is_up(producer->socket))
        return;
    if (producer->enqueueing && now_us() > producer->enqueued_us + AGAIN_US)
        producer->enqueueing = false;
    if (producer->asking && now_us() > producer->asked_us + AGAIN_US)
        producer->asking = false;
    if (!producer->enqueueing) {
        bool may = producer->batch_count == 0 && now_us() < producers.until_us;
        size_t count = may ? 1 + (size_t)draw(&producers.luck, BATCH_MAX) : 0;
        while (count-- > 0 && cast_job_count < producers.jobs_max)
            new_job(producer);
        if (producer->batch_count > 0)
            send_batch(producer);
    }
    if (!producer->asking) {
        if (!producers.calm && chance(&producers.cancels, 50) && cancel_what_hangs(producer))
            return;
        if (!producers.calm && chance(&producers.luck, 60))
            ask_cancel(producer);
        else if (!producers.calm || now_us() < producers.calm_since_us + HOPE_US ||
                 chance(&producers.luck, 500) || !cancel_hopeless(producer))
            ask_status(producer);
    }
}

static void by_and_by(void *self, uint64_t arg)
{
    (void)arg;
    act(self);
    bool idle = producers.calm && producers_are_done();
    ground_in(draw_delay_us(&producers.luck, idle ? 10 * US_S : 200 * US_MS, idle ? 60 * US_S : 8 * US_S), by_and_by, self, 0);
}

void producers_begin(int64_t until_us, int jobs)
{
    producers.luck = stream_of("producers");
    producers.cancels = stream_of("cancels");
    producers.until_us = until_us;
    producers.jobs_max = jobs < CAST_JOBS_MAX ? jobs : CAST_JOBS_MAX;
    producers.big = chance(&producers.luck, 300) ? JOB_TEXT_MAX : (int)draw(&producers.luck, 300);
    struct stream heavy = stream_of("heavy jobs");
    producers.heavy = chance(&heavy, 60);
    if (producers.heavy)
        producers.big = HEAVY_TEXT_MAX;
    for (unsigned i = 0; i < PRODUCERS; i++) {
        struct producer *producer = &producers.list[i];
        producer->index = i;
        snprintf(producer->name, sizeof producer->name, "producer-%u", i);
        producer->socket = net_dealer(producer->name, HOUSE_PRODUCERS, readable, producer);
        ground_in(US_S, by_and_by, producer, 0);
    }
}

bool producers_are_heavy(void)
{
    return producers.heavy;
}

void producers_heal(void)
{
    producers.calm = true;
    producers.calm_since_us = now_us();
}

int producers_open_jobs(int *example)
{
    int open = 0;
    for (int job = 0; job < cast_job_count; job++) {
        if (!is_open(job))
            continue;
        *example = job;
        open++;
    }
    return open;
}

bool producers_wait_for_budgets(int *example)
{
    for (int job = 0; job < cast_job_count; job++) {
        if (!is_open(job) || witness_waits_for_budget(job))
            continue;
        *example = job;
        return false;
    }
    return true;
}

bool producers_are_done(void)
{
    for (unsigned i = 0; i < PRODUCERS; i++)
        if (producers.list[i].batch_count > 0)
            return false;
    return true;
}
