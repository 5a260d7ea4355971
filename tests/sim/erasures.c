/* erasures.c — see erasures.h. */
#include "tests/sim/erasures.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/json.h"
#include "tests/sim/calls.h"
#include "tests/sim/cast.h"
#include "tests/sim/disk.h"
#include "tests/sim/reference.h"
#include "tests/sim/witness_stops.h"

#define ORDERS_MAX 32
#define LATE_US    (60 * US_S) /* a request that was sent so long ago does not arrive any more */

struct order {
    bool used, dry, done;
    bool unsure; /* the disk has lied since it was asked for */
    int conversation, handle; /* which of its recipients */
    int64_t asked_us;   /* for it, the last time */
    int64_t ordered_us; /* the first 202; 0: none yet */
    int64_t looked_us;  /* a GET of then ... */
    int64_t open_us;    /* ... and the last one that said that it was not done */
    int64_t done_us;
    uint64_t id; /* 0: not known */
};

static struct {
    bool here;
    struct stream pace;
    struct order orders[ORDERS_MAX];
    int64_t named_us[CAST_CONVERSATIONS];
} erasures;

/* ---- what it is about ---- */

static bool is_open(const struct order *order)
{
    return order->used && !order->done;
}

static const char *handle_of(const struct order *order)
{
    static char handles[2][CAST_HANDLE_MAX];
    cast_recipients(order->conversation, handles);
    return handles[order->handle];
}

static bool is_about(const struct order *order, int conversation)
{
    return order->used && !order->dry && order->conversation == cast_base(conversation);
}

/* Until it is known to be done, those are gone that were there when it was asked for; what was handed in later may be. */
bool erasures_may_have_ended(int job)
{
    const struct cast_job *known = &cast_jobs[job];
    for (int i = 0; i < ORDERS_MAX; i++)
        if (is_about(&erasures.orders[i], known->conversation) &&
            (!erasures.orders[i].done || known->first_sent_us < erasures.orders[i].done_us))
            return true;
    return false;
}

bool erasures_may_have_forgotten(int conversation)
{
    for (int i = 0; i < ORDERS_MAX; i++)
        if (is_about(&erasures.orders[i], conversation))
            return true;
    return false;
}

bool erasures_may_be_open(int conversation)
{
    for (int i = 0; i < ORDERS_MAX; i++)
        if (is_about(&erasures.orders[i], conversation) && !erasures.orders[i].done)
            return true;
    return false;
}

void erasures_named(int conversation)
{
    erasures.named_us[cast_base(conversation)] = now_us();
}

/* ---- asking ---- */

static void order_again(void *self, uint64_t number);
static void look_again(void *self, uint64_t number);

static int64_t pause_us(void)
{
    return US_S + draw_delay_us(&erasures.pace, 0, 9 * US_S);
}

static void later(struct order *order, ground_action action)
{
    ground_in(pause_us(), action, NULL, (uint64_t)(order - erasures.orders));
}

/* "e_17" */
static uint64_t id_of(const cJSON *view)
{
    const char *text = json_string(view, "erasure");
    return text == NULL || strncmp(text, "e_", 2) != 0 ? 0 : strtoull(text + 2, NULL, 10);
}

static void ordered(void *self, uint64_t number, int status, const cJSON *view)
{
    struct order *order = &erasures.orders[number];
    (void)self;
    if (calls_come_again(status)) {
        later(order, order_again);
        return;
    }
    order->id = id_of(view);
    if (status != 202 || order->id == 0)
        breach("form", about_conversation(order->conversation), "an erasure is answered %d", status);
    note(about_conversation(order->conversation), "erasures: e_%" PRIu64 " is ordered%s", order->id,
         order->dry ? ", as a rehearsal" : "");
    if (order->ordered_us == 0)
        order->ordered_us = now_us();
    later(order, look_again);
}

static void order_again(void *self, uint64_t number)
{
    struct order *order = &erasures.orders[number];
    struct call call = {.method = "POST", .target = "/v1/erasures", .answered = ordered, .arg = number};
    (void)self;
    order->asked_us = now_us();
    if (asprintf(&call.body, "{\"to\":\"%s\",\"dry_run\":%s,\"reason\":\"asked by letter\"}", handle_of(order),
                 order->dry ? "true" : "false") < 0)
        abort();
    if (!calls_ask(&call))
        later(order, order_again);
}

/* ---- while it is under way ---- */

static bool is_judged(int job)
{
    return !cast_jobs[job].forgiven && !cast_jobs[job].requeued;
}

/* It was surely not done when this was asked: nothing that was handed in since it was ordered was taken by then. */
static void check_open(const struct order *order, int64_t asked_us)
{
    for (int job = 0; job < cast_job_count; job++) {
        const struct cast_job *known = &cast_jobs[job];
        if (cast_base(known->conversation) == order->conversation && is_judged(job) && known->acked &&
            known->first_sent_us > order->ordered_us && known->acked_us < asked_us)
            breach("P7", about_job(job), "job %d was taken while its recipient was being erased (e_%" PRIu64 ")", job,
                   order->id);
    }
}

/* ---- when it is done ---- */

/* May the broker have taken this one since? Then its recipient is there again. */
static bool may_be_new(int job, int64_t open_us)
{
    const struct cast_job *known = &cast_jobs[job];
    if (!known->sent_ever)
        return false;
    if (known->refused && !known->forgiven)
        return known->first_sent_us > open_us - LATE_US;
    return !known->acked || known->acked_us > open_us;
}

static bool may_be_named(const struct order *order)
{
    if (erasures.named_us[order->conversation] >= order->open_us)
        return true;
    for (int job = 0; job < cast_job_count; job++)
        if (cast_base(cast_jobs[job].conversation) == order->conversation && may_be_new(job, order->open_us))
            return true;
    return false;
}

static void check_disk(const struct order *order)
{
    const char *digits = handle_of(order) + 1;
    char where[DISK_NAME_MAX];
    if (disk_has_ever_lied() || may_be_named(order))
        return;
    fault(FAULT_ERASED_ON_DISK);
    if (disk_holds(digits, strlen(digits), where))
        breach("erasure", about_conversation(order->conversation), "e_%" PRIu64 " is done, and the recipient is in %s",
               order->id, where);
}

static void is_done(struct order *order)
{
    note(about_conversation(order->conversation), "erasures: e_%" PRIu64 " is done", order->id);
    order->done = true;
    order->done_us = now_us();
    if (order->dry || order->unsure)
        return;
    fault(FAULT_ERASED);
    if (stops_is_stopped(order->conversation))
        fault(FAULT_ERASED_STOPPED);
    for (int job = 0; job < cast_job_count; job++)
        if (cast_base(cast_jobs[job].conversation) == order->conversation && is_judged(job) && cast_jobs[job].acked &&
            cast_jobs[job].acked_us < order->asked_us)
            reference_ended(job, "its recipient was erased");
    check_disk(order);
}

/* ---- looking ---- */

static void was_forgotten(struct order *order)
{
    if (!order->dry && !order->unsure)
        breach("P1", about_conversation(order->conversation), "erasure e_%" PRIu64 " was answered and is not known",
               order->id);
    if (order->dry) /* a restart forgets it */
        order->used = false;
    else
        later(order, order_again);
}

static void looked(void *self, uint64_t number, int status, const cJSON *view)
{
    struct order *order = &erasures.orders[number];
    const char *state = json_string(view, "state");
    int64_t out = 0;
    (void)self;
    if (calls_come_again(status)) {
        later(order, look_again);
        return;
    }
    if (status == 404) {
        was_forgotten(order);
        return;
    }
    if (status != 200 || state == NULL || id_of(view) != order->id)
        breach("form", about_conversation(order->conversation), "GET /v1/erasures/e_%" PRIu64 " is answered %d", order->id,
               status);
    if (strcmp(state, "done") == 0) {
        is_done(order);
        return;
    }
    if (!order->dry && json_int(view, "jobs_out", &out) && out > 0)
        fault(FAULT_ERASED_WITH_JOBS_OUT);
    if (!order->dry && !order->unsure)
        check_open(order, order->looked_us);
    order->open_us = order->looked_us;
    later(order, look_again);
}

static void look_again(void *self, uint64_t number)
{
    struct order *order = &erasures.orders[number];
    struct call call = {.method = "GET", .answered = looked, .arg = number};
    (void)self;
    order->looked_us = now_us();
    snprintf(call.target, sizeof call.target, "/v1/erasures/e_%" PRIu64, order->id);
    if (!calls_ask(&call))
        later(order, look_again);
}

/* ---- meanwhile ---- */

static void was_named(void *self, uint64_t conversation, int status, const cJSON *answer)
{
    (void)self;
    (void)status;
    (void)answer;
    erasures_named((int)conversation);
}

/* In a group where nobody is written to, so that it holds up nothing. */
static void name_somebody(int conversation, int handle, bool resumes)
{
    char handles[2][CAST_HANDLE_MAX];
    struct call call = {.method = "POST", .answered = was_named, .arg = (uint64_t)conversation};
    cast_recipients(conversation, handles);
    const char *name = handles[handle];
    snprintf(call.target, sizeof call.target, "/v1/conversations/%s/%%2B14155559999,%%2B%s/%s",
             cast_pool_name(cast_pool_of(conversation)), name + 1, resumes ? "resume" : "pause");
    if (asprintf(&call.body, "{\"reason\":\"so says %s\"}", name) < 0)
        abort();
    fault(FAULT_NAMED_ELSEWHERE);
    erasures_named(conversation);
    calls_ask(&call);
}

/* ---- life ---- */

void erasures_begin(void)
{
    struct stream luck = stream_of("erasures");
    erasures.here = chance(&luck, 200);
    erasures.pace = stream_of("erasures pace");
}

/* Rather one who has stopped: the first behind that one, if there is any. */
static int stopped_behind(int conversation)
{
    for (int i = 0; i < CAST_CONVERSATIONS; i++)
        if (stops_is_stopped((conversation + i) % CAST_CONVERSATIONS))
            return (conversation + i) % CAST_CONVERSATIONS;
    return conversation;
}

void erasures_mishap(struct stream *stream)
{
    int conversation = (int)draw(stream, CAST_CONVERSATIONS), handle = (int)draw(stream, 2);
    if (chance(stream, 300))
        conversation = stopped_behind(conversation);
    bool dry = chance(stream, 150), names = chance(stream, 350), resumes = chance(stream, 300);
    handle = cast_is_group(conversation) ? handle : 0;
    if (names && erasures.here)
        name_somebody(conversation, handle, resumes);
    for (int i = 0; i < ORDERS_MAX && erasures.here; i++) {
        struct order *order = &erasures.orders[i];
        if (order->used)
            continue;
        *order = (struct order){.used = true,
                                .dry = dry,
                                .conversation = conversation,
                                .handle = handle};
        if (dry)
            fault(FAULT_ERASURE_REHEARSED);
        order_again(NULL, (uint64_t)i);
        return;
    }
}

bool erasures_are_done(void)
{
    for (int i = 0; i < ORDERS_MAX; i++)
        if (is_open(&erasures.orders[i]))
            return false;
    return true;
}

void erasures_settle(void)
{
    for (int i = 0; i < ORDERS_MAX; i++)
        if (is_open(&erasures.orders[i]))
            breach("liveness", about_conversation(erasures.orders[i].conversation),
                   "e_%" PRIu64 " is not done long after everything was healed", erasures.orders[i].id);
}

/* ---- for the witness ---- */

/* Of one that an erasure ended nothing tells any more whom it was for. */
void erasures_viewed(int job, const cJSON *view, int64_t asked_us)
{
    const struct cast_job *known = &cast_jobs[job];
    const cJSON *to = json_get(view, "to");
    for (int i = 0; i < ORDERS_MAX; i++) {
        const struct order *order = &erasures.orders[i];
        bool was_erased = is_about(order, known->conversation) && order->done && order->done_us < asked_us &&
                          !order->unsure && is_judged(job) && known->acked_us < order->asked_us;
        if (was_erased && to != NULL && !cJSON_IsNull(to))
            breach("erasure", about_job(job), "job %d is told with its recipient, who was erased (e_%" PRIu64 ")", job,
                   order->id);
    }
}

void erasures_acked(int job)
{
    for (int i = 0; i < ORDERS_MAX; i++)
        if (is_about(&erasures.orders[i], cast_jobs[job].conversation) && erasures.orders[i].done)
            fault(FAULT_ERASED_CAME_AGAIN);
}

void erasures_broker_up(void)
{
    for (int i = 0; i < ORDERS_MAX; i++)
        if (is_open(&erasures.orders[i]) && !erasures.orders[i].dry && erasures.orders[i].id != 0)
            fault(FAULT_ERASURE_OVER_RESTART);
}

void erasures_deceived(void)
{
    for (int i = 0; i < ORDERS_MAX; i++)
        erasures.orders[i].unsure = true;
}
