/* model_run.c — see its header. What people do is drawn when a message is taken and waits in a heap. */
#include "tools/sandbox/model_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "tools/sandbox/members.h"
#include "tools/sandbox/sandbox.h"

#define SPEED_MAX        1e6
#define STEP_REAL_MS_MIN 20 /* however fast the model's time runs */
#define FAILED_CODE      4001
#define LEVEL_MAX        1000000

enum reaction_kind { REACTION_DELIVER, REACTION_FAIL, REACTION_READ, REACTION_ANSWER, REACTION_OPT_OUT };

struct reaction {
    enum reaction_kind kind;
    uint32_t message, recipient;
};

void model_run_init(struct model_run *run, uint64_t seed, double speed)
{
    *run = (struct model_run){.speed = speed, .step_due_mono_ms = TIME_NEVER};
    model_params_init(&run->params, seed);
}

void model_run_free(struct model_run *run)
{
    struct reaction *reaction;
    while ((reaction = sandbox_due_pop(&run->reactions, INT64_MAX)) != NULL)
        free(reaction);
    sandbox_due_free(&run->reactions);
    free(run->lines);
    free(run->chats);
    run->lines = NULL;
    run->chats = NULL;
}

/* ---- time ---- */

/* Stands still while the model is off. */
static int64_t model_time(const struct model_run *run, struct instant now)
{
    if (!run->on)
        return run->from_model_ms;
    return run->from_model_ms + (int64_t)((double)(now.mono_ms - run->from.mono_ms) * run->speed);
}

/* The clock's share of a span of the model's. */
static int64_t real_ms(const struct model_run *run, int64_t model_ms)
{
    return (int64_t)fmin((double)model_ms / run->speed, MODEL_SPAN_MS_MAX);
}

static void speed_set(struct model_run *run, double speed, struct instant now)
{
    run->from_model_ms = run->from_model_ms == 0 ? now.wall_ms : model_time(run, now);
    run->from = now;
    run->speed = speed;
}

/* ---- lines and chats ---- */

/* False: out of memory. */
static bool lines_begin(struct sandbox *sandbox, struct instant now)
{
    struct model_run *run = &sandbox->model;
    const struct world *world = sandbox->world;
    while (run->line_count < world->line_count) {
        if (!world_grow(&run->lines, &run->line_room, run->line_count, sizeof *run->lines))
            return false;
        uint32_t line = run->line_count++;
        const struct world_line *entry = &world->lines[line];
        model_line_init(&run->lines[line], &run->params, line, 0, model_time(run, now));
        model_line_set(&run->lines[line], &run->params, entry->reputation, entry->service, model_time(run, now));
    }
    return true;
}

static bool chats_begin(struct sandbox *sandbox)
{
    struct model_run *run = &sandbox->model;
    while (run->chat_count < sandbox->world->chat_count) {
        if (!world_grow(&run->chats, &run->chat_room, run->chat_count, sizeof *run->chats))
            return false;
        struct model_chat *chat = &run->chats[run->chat_count];
        model_chat_init(chat);
        chat->opted_out = sandbox->world->chats[run->chat_count++].health == CHAT_OPTED_OUT;
    }
    return true;
}

static void health_set(struct sandbox *sandbox, uint32_t number, struct instant now)
{
    const struct model_run *run = &sandbox->model;
    struct world_chat *chat = &sandbox->world->chats[number];
    enum chat_health health = model_chat_health(&run->chats[number], &run->params, model_time(run, now));
    if (health == chat->health)
        return;
    chat->health = health;
    chat->health_wall_ms = now.wall_ms;
}

/* The person at the controls may have set a health: that stands until something happens in the chat. */
void model_run_look(struct sandbox *sandbox, uint32_t chat, struct instant now)
{
    const struct model_run *run = &sandbox->model;
    if (run->on && chat < run->chat_count && run->chats[chat].last_out_ms != INT64_MIN)
        health_set(sandbox, chat, now);
}

void model_run_line_set(struct sandbox *sandbox, uint32_t line, struct instant now)
{
    struct model_run *run = &sandbox->model;
    const struct world_line *entry = &sandbox->world->lines[line];
    if (run->on && line < run->line_count)
        model_line_set(&run->lines[line], &run->params, entry->reputation, entry->service, model_time(run, now));
}

/* ---- people ---- */

static void reaction_add(struct model_run *run, enum reaction_kind kind, uint32_t message, uint32_t recipient,
                         int64_t after_ms, struct instant now)
{
    struct reaction *reaction = malloc(sizeof *reaction);
    if (reaction == NULL)
        return;
    *reaction = (struct reaction){kind, message, recipient};
    if (!sandbox_due_push(&run->reactions, now.mono_ms + real_ms(run, after_ms), reaction))
        free(reaction);
}

static void person_reacts(struct sandbox *sandbox, uint32_t message, uint32_t recipient, bool direct,
                          struct instant now)
{
    struct model_run *run = &sandbox->model;
    const struct world *world = sandbox->world;
    uint32_t chat = world->messages[message].chat;
    const char *handle = world->recipients[recipient].handle;
    uint64_t person = XXH3_64bits_withSeed(handle, strlen(handle), world->chats[chat].line);
    struct model_reaction reaction;
    model_react(&run->params, person, run->chats[chat].sent, &run->chats[chat], &reaction);
    /* Of groups nobody tells deliveries and reads (linq-api.md 3.4). */
    if (reaction.fails && direct)
        reaction_add(run, REACTION_FAIL, message, recipient, reaction.deliver_ms, now);
    if (reaction.fails)
        return;
    if (direct)
        reaction_add(run, REACTION_DELIVER, message, recipient, reaction.deliver_ms, now);
    if (direct && reaction.read_ms >= 0)
        reaction_add(run, REACTION_READ, message, recipient, reaction.read_ms, now);
    if (reaction.answer != MODEL_SILENT)
        reaction_add(run, reaction.answer == MODEL_OPTS_OUT ? REACTION_OPT_OUT : REACTION_ANSWER, message, recipient,
                     reaction.answer_ms, now);
}

void model_run_accepted(struct sandbox *sandbox, uint32_t number, struct instant now)
{
    struct model_run *run = &sandbox->model;
    struct world_message *message = &sandbox->world->messages[number];
    const struct world_chat *chat = &sandbox->world->chats[message->chat];
    if (!run->on || !lines_begin(sandbox, now) || !chats_begin(sandbox))
        return;
    message->delivered_wall_ms = TIME_NEVER;
    for (uint32_t i = 0; i < chat->seat_count; i++)
        person_reacts(sandbox, number, sandbox->world->seats[chat->seat + i].recipient, chat->seat_count == 1, now);
    model_sent(&run->lines[chat->line], &run->chats[message->chat], &run->params, message->opened_chat,
               model_time(run, now));
    health_set(sandbox, message->chat, now);
}

void model_run_received(struct sandbox *sandbox, uint32_t number, struct instant now)
{
    struct model_run *run = &sandbox->model;
    const struct world_message *message = &sandbox->world->messages[number];
    if (!run->on || !lines_begin(sandbox, now) || !chats_begin(sandbox))
        return;
    model_received(&run->lines[sandbox->world->chats[message->chat].line], &run->chats[message->chat], &run->params,
                   sandbox->world->recipients[message->sender].opted_out, model_time(run, now));
    health_set(sandbox, message->chat, now);
}

static void answer_do(struct sandbox *sandbox, const struct reaction *reaction, struct instant now)
{
    static const char *const answers[] = {"Thanks!", "Yes", "Sounds good", "Who is this?", "Tell me more", "Not now"};
    bool opts_out = reaction->kind == REACTION_OPT_OUT;
    const char *text = opts_out ? "STOP" : answers[reaction->message % (sizeof answers / sizeof *answers)];
    uint32_t message;
    if (sandbox->world->recipients[reaction->recipient].blocked)
        return;
    if (world_receive(sandbox->world, sandbox->world->messages[reaction->message].chat, reaction->recipient, text,
                      now, &message) != ERR_NONE)
        return;
    sandbox->model.answered += !opts_out;
    sandbox->model.opted_out += opts_out;
    model_run_received(sandbox, message, now);
    sandbox_event_message(sandbox, "message.received", message, now);
}

static void reaction_do(struct sandbox *sandbox, const struct reaction *reaction, struct instant now)
{
    struct world_message *message = &sandbox->world->messages[reaction->message];
    switch (reaction->kind) {
    case REACTION_DELIVER:
        message->delivered_wall_ms = now.wall_ms;
        sandbox->model.delivered++;
        sandbox_event_message(sandbox, "message.delivered", reaction->message, now);
        break;
    case REACTION_FAIL:
        world_message_mark(sandbox->world, reaction->message, WORLD_FAILED, now.wall_ms);
        sandbox->model.failed++;
        sandbox_event_failed(sandbox, reaction->message, FAILED_CODE, now);
        break;
    case REACTION_READ:
        world_message_mark(sandbox->world, reaction->message, WORLD_READ, now.wall_ms);
        sandbox->model.read++;
        sandbox_event_message(sandbox, "message.read", reaction->message, now);
        break;
    case REACTION_ANSWER:
    case REACTION_OPT_OUT:
        answer_do(sandbox, reaction, now);
        break;
    }
}

/* ---- steps ---- */

static void lines_judge(struct sandbox *sandbox, struct instant now)
{
    struct model_run *run = &sandbox->model;
    for (uint32_t i = 0; i < run->line_count; i++) {
        const struct world_line *line = &sandbox->world->lines[i];
        if (line->removed || !model_line_advance(&run->lines[i], &run->params, model_time(run, now)))
            continue;
        struct line_change change = {.line = i,
                                     .before = line->reputation,
                                     .after = run->lines[i].reputation,
                                     .service_before = line->service,
                                     .service_after = run->lines[i].service,
                                     .changed_wall_ms = now.wall_ms};
        sandbox_change_line(sandbox, &change, true, true, now);
    }
}

int64_t model_run_work(struct sandbox *sandbox, struct instant now)
{
    struct model_run *run = &sandbox->model;
    struct reaction *reaction;
    if (!run->on)
        return TIME_NEVER;
    while ((reaction = sandbox_due_pop(&run->reactions, now.mono_ms)) != NULL) {
        reaction_do(sandbox, reaction, now);
        free(reaction);
    }
    if (now.mono_ms >= run->step_due_mono_ms && lines_begin(sandbox, now)) {
        int64_t step_ms = real_ms(run, (int64_t)run->params.step_ms);
        lines_judge(sandbox, now);
        run->step_due_mono_ms = now.mono_ms + (step_ms < STEP_REAL_MS_MIN ? STEP_REAL_MS_MIN : step_ms);
    }
    int64_t next = sandbox_due_next_ms(&run->reactions);
    return next < run->step_due_mono_ms ? next : run->step_due_mono_ms;
}

/* ---- setting and telling ---- */

/* Everything but what is the model's own. */
struct run_order {
    bool on;
    double speed;
    int64_t daily_level; /* -1: not given */
    uint32_t line;       /* WORLD_NONE: all */
};

static const char *order_read(const struct sandbox *sandbox, const cJSON *changes, struct run_order *out)
{
    const cJSON *speed = json_get(changes, "speed"), *line = json_get(changes, "line");
    if (!member_flag(changes, "on", &out->on))
        return "on";
    if (speed != NULL && (!cJSON_IsNumber(speed) || !(speed->valuedouble > 0 && speed->valuedouble <= SPEED_MAX)))
        return "speed";
    if (speed != NULL)
        out->speed = speed->valuedouble;
    if (!member_number(changes, "daily_level", 0, LEVEL_MAX, &out->daily_level))
        return "daily_level";
    if (line != NULL &&
        (!cJSON_IsString(line) || (out->line = world_line_find(sandbox->world, line->valuestring)) == WORLD_NONE))
        return "line";
    return NULL;
}

static const char *params_read(const cJSON *changes, struct model_params *params)
{
    static const char *const others[] = {"on", "speed", "daily_level", "line"};
    const cJSON *member;
    cJSON_ArrayForEach(member, changes)
    {
        bool other = false;
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            other = other || strcmp(member->string, others[i]) == 0;
        if (!other && (!cJSON_IsNumber(member) || !model_params_set(params, member->string, member->valuedouble)))
            return member->string;
    }
    return NULL;
}

static void levels_set(struct model_run *run, const struct run_order *order, struct instant now)
{
    if (order->daily_level < 0)
        return;
    for (uint32_t i = 0; i < run->line_count; i++) {
        if (order->line == WORLD_NONE || order->line == i)
            model_line_init(&run->lines[i], &run->params, i, (double)order->daily_level, model_time(run, now));
    }
}

/* Out of memory, lines begin with the first send. */
void model_run_turn_on(struct sandbox *sandbox, double speed, struct instant now)
{
    struct model_run *run = &sandbox->model;
    speed_set(run, speed, now);
    run->on = true;
    run->step_due_mono_ms = now.mono_ms;
    lines_begin(sandbox, now);
}

const char *model_run_set(struct sandbox *sandbox, const cJSON *changes, struct instant now)
{
    struct model_run *run = &sandbox->model;
    struct model_params params = run->params;
    struct run_order order = {.on = run->on, .speed = run->speed, .daily_level = -1, .line = WORLD_NONE};
    const char *wrong = order_read(sandbox, changes, &order);
    if (wrong == NULL)
        wrong = params_read(changes, &params);
    if (wrong != NULL)
        return wrong;
    run->params = params;
    if (order.on)
        model_run_turn_on(sandbox, order.speed, now);
    else if (run->on)
        speed_set(run, order.speed, now);
    run->on = order.on;
    run->speed = order.speed;
    levels_set(run, &order, now);
    return NULL;
}

static void put_int(struct json_out *out, const char *name, int64_t value)
{
    json_key(out, name);
    json_put_int(out, value);
}

static void put_number(struct json_out *out, const char *name, double value)
{
    json_key(out, name);
    json_put_number(out, value);
}

static void put_line(const struct sandbox *sandbox, uint32_t line, struct json_out *out)
{
    static const char *const names[MODEL_DRIVERS] = {[MODEL_NEW_CHATS] = "new_chats",
                                                     [MODEL_RECIPIENTS] = "recipients",
                                                     [MODEL_GROWTH] = "growth",
                                                     [MODEL_REPLIES] = "replies",
                                                     [MODEL_OPT_OUTS] = "opt_outs"};
    const struct model_run *run = &sandbox->model;
    double pressures[MODEL_DRIVERS];
    model_line_pressures(&run->lines[line], &run->params, pressures);
    json_open(out, '{');
    json_key(out, "line");
    json_put_string(out, sandbox->world->lines[line].number);
    put_number(out, "heat", run->lines[line].heat);
    put_number(out, "daily_level", run->lines[line].level);
    json_key(out, "pressures");
    json_open(out, '{');
    for (int i = 0; i < MODEL_DRIVERS; i++)
        put_number(out, names[i], pressures[i]);
    json_close(out, '}');
    json_close(out, '}');
}

void model_run_view(const struct sandbox *sandbox, struct instant now, struct json_out *out)
{
    const struct model_run *run = &sandbox->model;
    json_open(out, '{');
    json_key(out, "on");
    json_put_bool(out, run->on);
    put_number(out, "speed", run->speed);
    json_key(out, "model_time");
    json_put_time(out, run->on ? model_time(run, now) : 0);
#define X(name, fallback, min, max) put_number(out, #name, run->params.name);
    MODEL_PARAM_LIST(X)
#undef X
    put_int(out, "waiting", (int64_t)run->reactions.count);
    put_int(out, "delivered", (int64_t)run->delivered);
    put_int(out, "failed", (int64_t)run->failed);
    put_int(out, "read", (int64_t)run->read);
    put_int(out, "answered", (int64_t)run->answered);
    put_int(out, "opted_out", (int64_t)run->opted_out);
    json_key(out, "lines");
    json_open(out, '[');
    for (uint32_t i = 0; run->on && i < run->line_count; i++) {
        if (!sandbox->world->lines[i].removed)
            put_line(sandbox, i, out);
    }
    json_close(out, ']');
    json_close(out, '}');
}
