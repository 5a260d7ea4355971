/* sender.c — workers/sender.h over the simulated network: connects, asks whether it may begin, and then the request is
 * on its way, whatever becomes of the worker. The worker's own code decides and judges, unchanged. */
#include "workers/sender.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/fiber.h"
#include "tests/sim/fleet.h"
#include "tests/sim/ground.h"
#include "tests/sim/provider.h"
#include "tests/sim/witness.h"

enum stage { STAGE_FREE, STAGE_CONNECTING, STAGE_CONNECTED, STAGE_BEGUN, STAGE_ANSWERED, STAGE_LOST };

struct sender_route {
    char key[32]; /* the account's */
};

struct send {
    struct sender *sender;
    void *owner;
    struct provider_request request;
    char key[32];
    enum stage stage;
    uint64_t life; /* counts uses of the slot */
    int64_t deadline_us;
    unsigned begun;
    struct provider_reply reply;
};

struct sender {
    struct process *process;
    struct sender_hooks hooks;
    void *context;
    struct send *sends;
    size_t slots;
};

struct flight { /* a request on its way: what happens to it there does not depend on who sent it any more */
    struct send *send;
    uint64_t life;
    char *url, *body, key[32];
    size_t bytes;
    bool answer_lost;
    struct provider_reply reply;
};

static struct stream luck, slow, lateness;
static bool begun;
static bool calm;

void sender_heal(void)
{
    calm = true;
}

struct sender_route *sender_route_new(const char *api_key, bool local)
{
    struct sender_route *route = calloc(1, sizeof *route);
    (void)local;
    if (route != NULL)
        snprintf(route->key, sizeof route->key, "%s", api_key);
    return route;
}

void sender_route_free(struct sender_route **route_p)
{
    free(*route_p);
    *route_p = NULL;
}

enum err sender_open(struct sender **out, int epoll_fd, uint32_t epoll_tag, size_t slots,
                     const struct sender_hooks *hooks, void *context)
{
    (void)epoll_fd;
    (void)epoll_tag;
    struct sender *sender = calloc(1, sizeof *sender);
    assert(sender != NULL);
    *sender = (struct sender){.process = process_current(),
                              .hooks = *hooks,
                              .context = context,
                              .sends = calloc(slots, sizeof *sender->sends),
                              .slots = slots};
    assert(sender->sends != NULL);
    if (!begun)
        luck = stream_of("requests"), slow = stream_of("lost requests"), lateness = stream_of("late timeouts");
    begun = true;
    *out = sender;
    return ERR_NONE;
}

void sender_free(struct sender **sender_p)
{
    *sender_p = NULL; /* what is on its way knows it still */
}

static bool is_current(const struct flight *flight)
{
    return flight->send->life == flight->life && flight->send->stage != STAGE_FREE &&
           flight->send->sender->process->alive;
}

static void wake(const struct send *send)
{
    if (send->sender->process->alive)
        process_wake(send->sender->process);
}

static void on_connected(void *self, uint64_t life)
{
    struct send *send = self;
    if (send->life != life || send->stage != STAGE_CONNECTING)
        return;
    if (!calm && chance(&luck, 15)) {
        fault(FAULT_REQUEST_NOT_CONNECTED);
        send->stage = STAGE_LOST;
    } else {
        send->stage = STAGE_CONNECTED;
    }
    wake(send);
}

/* When it is connected. A library may look at its timeouts late, as one does whose resolver hangs: it is for the worker
 * to see that its time is over. */
static int64_t connect_us(struct send *send)
{
    int64_t in_us = draw_delay_us(&luck, 100, 40 * US_MS);
    if (!calm && chance(&luck, 20))
        in_us += draw_delay_us(&luck, US_S, 12 * US_S);
    if (calm || !chance(&lateness, 8))
        return in_us;
    fault(FAULT_TIMEOUT_LATE);
    in_us = send->deadline_us - now_us() + draw_delay_us(&lateness, US_S, 40 * US_S);
    send->deadline_us += US_MIN;
    return in_us;
}

enum err sender_start(struct sender *sender, void *owner, const struct sender_route *route,
                      struct provider_request *request, int64_t now_mono_ms, int64_t end_mono_ms, struct send **out)
{
    struct send *send = sender->sends;
    while (send < sender->sends + sender->slots && send->stage != STAGE_FREE)
        send++;
    if (send == sender->sends + sender->slots) {
        free(request->url);
        free(request->body);
        return ERR_FULL;
    }
    uint64_t life = send->life + 1;
    *send = (struct send){.sender = sender,
                          .owner = owner,
                          .request = *request,
                          .stage = STAGE_CONNECTING,
                          .life = life,
                          .deadline_us = now_us() + (end_mono_ms - now_mono_ms) * US_MS};
    snprintf(send->key, sizeof send->key, "%s", route->key);
    ground_in(connect_us(send), on_connected, send, life);
    *out = send;
    return ERR_NONE;
}

static void forget(struct send *send)
{
    free(send->request.url);
    free(send->request.body);
    free(send->reply.body);
    uint64_t life = send->life;
    *send = (struct send){.life = life};
}

bool sender_withdraw(struct sender *sender, struct send *send)
{
    (void)sender;
    if (send->begun > 0)
        return false;
    forget(send);
    return true;
}

/* ---- on its way ---- */

static void on_answer(void *self, uint64_t arg)
{
    struct flight *flight = self;
    (void)arg;
    if (is_current(flight) && flight->send->stage == STAGE_BEGUN) {
        flight->send->stage = flight->answer_lost ? STAGE_LOST : STAGE_ANSWERED;
        flight->send->reply = flight->reply;
        wake(flight->send);
    } else {
        free(flight->reply.body);
    }
    free(flight);
}

static void on_arrival(void *self, uint64_t arg)
{
    struct flight *flight = self;
    (void)arg;
    flight->reply = provider_take(flight->key, flight->url, flight->body, flight->bytes);
    free(flight->url);
    free(flight->body);
    int64_t in_us = draw_delay_us(&luck, 500, 150 * US_MS);
    if (!calm && chance(&luck, 12)) {
        fault(FAULT_ANSWER_LATE);
        in_us += draw_delay_us(&luck, 5 * US_S, 50 * US_S);
    }
    flight->answer_lost = !calm && chance(&luck, 12);
    if (flight->answer_lost)
        fault(FAULT_ANSWER_LOST);
    ground_in(in_us, on_answer, flight, 0);
}

static void on_lost(void *self, uint64_t arg)
{
    struct flight *flight = self;
    (void)arg;
    if (is_current(flight) && flight->send->stage == STAGE_BEGUN) {
        flight->send->stage = STAGE_LOST;
        wake(flight->send);
    }
    free(flight->url);
    free(flight->body);
    free(flight);
}

static struct flight *flight_of(struct send *send)
{
    struct flight *flight = calloc(1, sizeof *flight);
    assert(flight != NULL);
    *flight = (struct flight){.send = send, .life = send->life, .bytes = send->request.body_bytes};
    memcpy(flight->key, send->key, sizeof flight->key);
    flight->url = strdup(send->request.url);
    flight->body = malloc(flight->bytes + 1);
    assert(flight->url != NULL && flight->body != NULL);
    memcpy(flight->body, send->request.body, flight->bytes);
    flight->body[flight->bytes] = '\0';
    return flight;
}

static void let_fly(struct send *send)
{
    struct flight *flight = flight_of(send);
    int64_t in_us = draw_delay_us(&luck, 500, 100 * US_MS);
    if (!calm && chance(&luck, 8)) {
        fault(FAULT_REQUEST_LOST);
        if (chance(&slow, 500)) /* which shows late */
            in_us += draw_delay_us(&slow, 100 * US_MS, 12 * US_S);
        ground_in(in_us, on_lost, flight, 0);
        return;
    }
    if (!calm && chance(&luck, 8))
        in_us += draw_delay_us(&luck, US_S, 40 * US_S);
    ground_in(in_us, on_arrival, flight, 0);
}

/* ---- the turn ---- */

static void begin(struct send *send)
{
    if (!send->sender->hooks.may_begin(send->sender->context, send->owner)) {
        struct send_end end = {.refused = send->begun == 0,
                               .begun = send->begun,
                               .transport = send->begun == 0 ? TRANSPORT_NOT_BEGUN : TRANSPORT_LOST,
                               .error = "refused"};
        send->sender->hooks.ended(send->sender->context, send->owner, &end);
        forget(send);
        return;
    }
    send->begun++;
    send->stage = STAGE_BEGUN;
    witness_begun(send->sender->process, send->request.url, send->request.body, send->request.body_bytes);
    let_fly(send);
}

static void finish(struct send *send, bool late)
{
    struct send_end end = {.begun = send->begun, .transport = send->begun > 0 ? TRANSPORT_LOST : TRANSPORT_NOT_BEGUN};
    if (send->stage == STAGE_ANSWERED && !late) {
        end.transport = TRANSPORT_ANSWERED;
        end.http_status = send->reply.status;
        end.body = send->reply.body;
        end.bytes = strlen(send->reply.body);
        end.retry_after = send->reply.retry_after[0] == '\0' ? NULL : send->reply.retry_after;
    } else {
        end.error = late ? "timed out" : "connection lost";
    }
    witness_ended(send->sender->process, send->request.url, send->request.body, send->request.body_bytes, &end);
    send->sender->hooks.ended(send->sender->context, send->owner, &end);
    forget(send);
}

/* libcurl writes a request again when a kept connection proves dead before any byte of the answer. */
static bool is_written_again(const struct send *send)
{
    return !calm && send->stage == STAGE_LOST && send->begun == 1 && chance(&luck, 400);
}

/* Requests here remember no route. */
void sender_forget_routes(struct sender *sender)
{
    (void)sender;
}

void sender_turn(struct sender *sender, int64_t now_mono_ms)
{
    (void)now_mono_ms;
    for (size_t i = 0; i < sender->slots; i++) {
        struct send *send = &sender->sends[i];
        if (send->stage == STAGE_FREE)
            continue;
        if (send->stage != STAGE_ANSWERED && now_us() >= send->deadline_us) {
            finish(send, true);
        } else if (send->stage == STAGE_CONNECTED) {
            begin(send);
        } else if (is_written_again(send)) {
            fault(FAULT_REQUEST_TWICE);
            begin(send);
        } else if (send->stage == STAGE_ANSWERED || send->stage == STAGE_LOST) {
            finish(send, false);
        }
    }
}

int64_t sender_due_mono_ms(const struct sender *sender)
{
    int64_t due_us = US_NEVER;
    for (size_t i = 0; i < sender->slots; i++)
        if (sender->sends[i].stage != STAGE_FREE && sender->sends[i].deadline_us < due_us)
            due_us = sender->sends[i].deadline_us;
    if (due_us == US_NEVER)
        return INT64_MAX;
    return (machine_mono_us(sender->process->machine) + due_us - now_us()) / 1000 + 1;
}

void sender_socket_event(struct sender *sender, int socket, uint32_t epoll_events)
{
    (void)sender;
    (void)socket;
    (void)epoll_events;
}
