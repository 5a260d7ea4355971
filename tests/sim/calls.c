/* calls.c — see calls.h. */
#include "tests/sim/calls.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/edge/admin_calls.h"
#include "broker/edge/admin_route.h"
#include "broker/edge/audit_trail.h"
#include "lineward/json.h"
#include "tests/sim/desk.h"
#include "tests/sim/ground.h"
#include "tests/sim/house.h"

#define UNDER_WAY_MAX 64
#define ROOM_NEEDED   8192u /* as admin.c: changes and effects that one handler call may add */
#define PAIR_STEPS    4096  /* of each of a pair, in one turn */

struct under_way {
    struct call call;
    bool used, arrived, runs;
    uint64_t number;
    struct exchange *x;      /* NULL: not begun */
    struct under_way *other; /* of a pair; NULL: none, or no longer */
    bool is_second;
    unsigned turns;          /* of the pair, that are left */
    bool is_lost;            /* its answer will be */
};

static struct {
    struct under_way list[UNDER_WAY_MAX];
    struct stream delays;
    bool begun, calm;
    uint64_t count;
} calls;

static struct stream *delays(void)
{
    if (!calls.begun)
        calls.delays = stream_of("calls");
    calls.begun = true;
    return &calls.delays;
}

/* ---- asking ---- */

static void part(struct under_way *at)
{
    if (at->other != NULL)
        at->other->other = NULL;
    at->other = NULL;
}

static void tell(struct under_way *at, int status, const cJSON *answer)
{
    const struct call call = at->call;
    part(at);
    *at = (struct under_way){.used = false}; /* what the exchange lent may still be in use */
    call.answered(call.self, call.arg, status, answer);
}

static void arrives(void *self, uint64_t number)
{
    struct under_way *at = self;
    if (!at->used || at->number != number)
        return;
    at->arrived = true;
    if (!house_is_up()) {
        tell(at, 0, NULL);
        return;
    }
    at->runs = true;
    house_poke();
}

static struct under_way *free_one(void)
{
    for (int i = 0; i < UNDER_WAY_MAX; i++)
        if (!calls.list[i].used)
            return &calls.list[i];
    return NULL;
}

static struct under_way *ask(const struct call *call, int64_t in_us)
{
    struct under_way *at = free_one();
    if (at == NULL) {
        free(call->body);
        return NULL;
    }
    *at = (struct under_way){.call = *call, .used = true, .number = ++calls.count};
    at->is_lost = !calls.calm && chance(delays(), 60);
    ground_in(in_us, arrives, at, at->number);
    return at;
}

static int64_t delay_us(void)
{
    return draw_delay_us(delays(), 100, 300 * US_MS);
}

bool calls_come_again(int status)
{
    return status == 0 || status == 429 || status >= 500;
}

bool calls_ask(const struct call *call)
{
    return ask(call, delay_us()) != NULL;
}

bool calls_ask_both(const struct call *first, const struct call *second, unsigned turns)
{
    int64_t in_us = delay_us();
    struct under_way *behind = ask(second, in_us), *before = behind == NULL ? NULL : ask(first, in_us);
    if (before == NULL) {
        if (behind == NULL)
            free(first->body);
        else
            behind->used = false;
        return false;
    }
    before->other = behind;
    before->turns = turns;
    behind->other = before;
    behind->is_second = true;
    return true;
}

/* ---- as admin.c and admin_http.c do it ---- */

static void begin(struct under_way *at)
{
    struct exchange *x = exchange_new(at->call.target);
    assert(x != NULL && !x->refused);
    const struct route_match match = route_find(at->call.method, x->target);
    if (match.route == NULL)
        breach("form", NOBODY_ABOUT, "there is no call %s %s", at->call.method, at->call.target);
    x->route = match.route;
    memcpy(x->parts, match.parts, sizeof x->parts);
    x->grant = (struct grant){.name = "ops", .role = ROLE_ADMIN};
    x->body = at->call.body;
    x->body_bytes = x->body == NULL ? 0 : strlen(x->body);
    x->token = desk_token();
    at->x = x;
}

static enum admin_step step(struct admin_turn *turn, struct exchange *x)
{
    if (!trail_wants(x->route))
        return x->route->handle(turn, x);
    if (x->trail.ends)
        return STEP_DONE;
    return trail_end(turn, x, trail_begin(turn, x) ? x->route->handle(turn, x) : STEP_DONE);
}

static void finish(struct under_way *at)
{
    struct exchange *x = at->x;
    cJSON *answer = json_parse(x->answer.text.text, x->answer.text.bytes, NULL);
    if (answer == NULL || x->answer.status == 0)
        breach("form", NOBODY_ABOUT, "%s %s is answered %d: %.*s", at->call.method, at->call.target, x->answer.status,
               (int)x->answer.text.bytes, x->answer.text.text);
    if (at->is_lost) {
        fault(FAULT_CALL_ANSWER_LOST);
        note_world("calls: the answer to %s %s is lost", at->call.method, at->call.target);
        tell(at, 0, NULL);
    } else {
        note_world("calls: %s %s is answered %d", at->call.method, at->call.target, x->answer.status);
        tell(at, x->answer.status, answer);
    }
    cJSON_Delete(answer);
}

static bool has_room(const struct effects *out)
{
    return out->effect_room - out->effect_count >= ROOM_NEEDED && out->change_room - out->change_count >= ROOM_NEEDED;
}

/* So many steps, or as far as it goes. */
static void run(struct under_way *at, struct admin_turn *turn, unsigned steps_max)
{
    enum admin_step next = STEP_MORE;
    if (at->x == NULL)
        begin(at);
    for (unsigned steps = 0; steps < steps_max && next == STEP_MORE && has_room(turn->out); steps++)
        next = step(turn, at->x);
    at->runs = next == STEP_MORE;
    if (next == STEP_DONE)
        finish(at);
}

static void run_both(struct under_way *at, struct admin_turn *turn)
{
    struct under_way *other = at->other;
    if (--at->turns == 0)
        part(at);
    run(at, turn, PAIR_STEPS);
    run(other, turn, PAIR_STEPS);
}

bool calls_serve(struct core *core, struct instant now, struct effects *out)
{
    struct admin_turn turn = {.options = desk_options(), .core = core, .now = now, .out = out};
    for (int i = 0; i < UNDER_WAY_MAX; i++) {
        struct under_way *at = &calls.list[i];
        if (!at->used || !at->runs || (at->other != NULL && (at->is_second || !at->other->runs)))
            continue;
        if (!has_room(out))
            return true;
        if (at->other != NULL)
            run_both(at, &turn);
        else
            run(at, &turn, 1);
        return true;
    }
    return false;
}

static struct under_way *of_token(uint64_t token)
{
    for (int i = 0; i < UNDER_WAY_MAX; i++)
        if (calls.list[i].used && calls.list[i].x != NULL && calls.list[i].x->token == token)
            return &calls.list[i];
    return NULL;
}

bool calls_effect(const struct effect *effect)
{
    struct under_way *at = of_token(effect->token);
    if (at == NULL)
        return false;
    if ((effect->kind == EFFECT_ENQUEUED && !enqueue_take_effect(at->x, effect)) ||
        (effect->kind == EFFECT_ADOPTED && !import_take_effect(at->x, effect)))
        return true; /* others of the request are still missing */
    at->x->has_effect = true;
    at->x->effect = *effect;
    at->runs = true;
    house_poke();
    return true;
}

bool calls_looked_up(struct lookup_answer *answer)
{
    struct under_way *at = of_token(answer->token);
    if (at == NULL)
        return false;
    at->x->has_lookup = true;
    at->x->lookup = *answer;
    *answer = (struct lookup_answer){0};
    at->runs = true;
    house_poke();
    return true;
}

void calls_broker_down(void)
{
    for (int i = 0; i < UNDER_WAY_MAX; i++)
        if (calls.list[i].used && calls.list[i].arrived)
            tell(&calls.list[i], 0, NULL);
}

void calls_heal(void)
{
    calls.calm = true;
}
