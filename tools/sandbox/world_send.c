/* world_send.c — what becomes of a send, and of an answer. Everything that can fail is done before anything
 * changes, so that a refused send leaves no trace but its count. */
#include "tools/sandbox/world.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <xxhash.h>

#include "lineward/json.h"

/* ---- keys ---- */

static uint32_t key_find(const struct world *world, const char *key)
{
    uint64_t hash = XXH3_64bits(key, strlen(key));
    size_t place = SIZE_MAX;
    for (;;) {
        uint32_t message = sandbox_index_next(&world->by_key, hash, &place);
        if (message == WORLD_NONE || strcmp(world->messages[message].key, key) == 0)
            return message;
    }
}

static void duplicate_answer(struct world *world, uint32_t first, uint32_t line, uint32_t chat,
                             const struct send_request *request, struct world_send_result *out)
{
    const struct world_message *message = &world->messages[first];
    out->message = first;
    out->chat = message->chat;
    out->duplicate = true;
    out->body_differs = chat != message->chat || line != world->chats[message->chat].line ||
                        message->parts_bytes != request->parts_bytes ||
                        memcmp(message->parts, request->parts, request->parts_bytes) != 0;
    world->duplicates++;
    world->lines[line].duplicates++;
}

/* ---- the pair limit ---- */

static uint64_t pair_hash(uint32_t line, uint32_t recipient)
{
    uint32_t words[2] = {line, recipient};
    return XXH3_64bits(words, sizeof words);
}

static struct world_pair *pair_find(const struct world *world, uint32_t line, uint32_t recipient)
{
    size_t place = SIZE_MAX;
    for (;;) {
        uint32_t pair = sandbox_index_next(&world->by_pair, pair_hash(line, recipient), &place);
        if (pair == WORLD_NONE)
            return NULL;
        if (world->pairs[pair].line == line && world->pairs[pair].recipient == recipient)
            return &world->pairs[pair];
    }
}

/* How long until the pair has room for one more; 0: it has. A full ring's next place holds its oldest send. */
static int64_t pair_wait_ms(const struct world *world, uint32_t line, uint32_t recipient, int64_t now_mono_ms)
{
    const struct world_pair *pair = pair_find(world, line, recipient);
    if (pair == NULL || pair->count < world->settings.pair_limit)
        return 0;
    int64_t wait = pair->mono_ms[pair->next] + world->settings.pair_window_ms - now_mono_ms;
    return wait > 0 ? wait : 0;
}

static bool pair_prepare(struct world *world, uint32_t line, uint32_t recipient)
{
    if (world->settings.pair_limit == 0 || pair_find(world, line, recipient) != NULL)
        return true;
    int64_t *times = calloc(world->settings.pair_limit, sizeof *times);
    if (times == NULL || !world_grow(&world->pairs, &world->pair_room, world->pair_count, sizeof *world->pairs) ||
        !sandbox_index_reserve(&world->by_pair)) {
        free(times);
        return false;
    }
    uint32_t pair = world->pair_count++;
    world->pairs[pair] = (struct world_pair){.line = line, .recipient = recipient, .mono_ms = times};
    sandbox_index_add(&world->by_pair, pair_hash(line, recipient), pair);
    return true;
}

static void pair_count(struct world *world, uint32_t line, uint32_t recipient, int64_t now_mono_ms)
{
    struct world_pair *pair = pair_find(world, line, recipient);
    if (pair == NULL)
        return;
    pair->mono_ms[pair->next] = now_mono_ms;
    pair->next = (pair->next + 1) % world->settings.pair_limit;
    if (pair->count < world->settings.pair_limit)
        pair->count++;
}

/* ---- who it goes to ---- */

struct audience {
    uint32_t line;
    size_t count;
    uint32_t recipients[SEND_RECIPIENTS_MAX];
};

static bool audience_of_chat(const struct world *world, uint32_t chat, struct audience *out)
{
    const struct world_chat *entry = &world->chats[chat];
    out->count = entry->seat_count;
    for (size_t i = 0; i < out->count; i++)
        out->recipients[i] = world->seats[entry->seat + i].recipient;
    return true;
}

static bool audience_of_request(struct world *world, const struct send_request *request, struct audience *out)
{
    out->count = request->to_count;
    for (size_t i = 0; i < out->count; i++) {
        out->recipients[i] = world_recipient_add(world, request->to[i]);
        if (out->recipients[i] == WORLD_NONE)
            return false;
    }
    return true;
}

static enum world_code audience_judge(const struct world *world, const struct audience *audience,
                                      const struct send_request *request, bool opens)
{
    if (audience->count == 1) {
        const struct world_recipient *recipient = &world->recipients[audience->recipients[0]];
        if (recipient->blocked)
            return WORLD_BLOCKED;
        if (recipient->opted_out && !request->override_optout)
            return WORLD_OPTED_OUT;
    }
    if (world->lines[audience->line].service == SERVICE_FLAGGED)
        return WORLD_LINE_INELIGIBLE;
    return opens && (request->has_link || request->has_effect_or_reply) ? WORLD_BAD_VALUE : WORLD_OK;
}

/* 0: all its pairs have room. */
static int64_t audience_wait_ms(const struct world *world, const struct audience *audience, int64_t now_mono_ms)
{
    int64_t wait_ms = 0;
    for (size_t i = 0; i < audience->count && wait_ms == 0 && world->settings.pair_limit > 0; i++)
        wait_ms = pair_wait_ms(world, audience->line, audience->recipients[i], now_mono_ms);
    return wait_ms;
}

/* ---- taking it ---- */

static bool message_prepare(struct world *world, const char *parts, size_t bytes, const char *key,
                            struct world_message *out)
{
    if (!world_grow(&world->messages, &world->message_room, world->message_count, sizeof *world->messages) ||
        !sandbox_index_reserve(&world->by_key))
        return false;
    out->parts = malloc(bytes);
    out->key = key == NULL ? NULL : strdup(key);
    if (out->parts == NULL || (key != NULL && out->key == NULL)) {
        free(out->parts);
        free(out->key);
        return false;
    }
    memcpy(out->parts, parts, bytes);
    out->parts_bytes = (uint32_t)bytes;
    return true;
}

static uint32_t message_add(struct world *world, const struct world_message *message)
{
    uint32_t number = world->message_count++;
    struct world_chat *chat = &world->chats[message->chat];
    world->messages[number] = *message;
    world->messages[number].older = chat->newest_message;
    chat->newest_message = number;
    chat->updated_wall_ms = message->accepted_wall_ms;
    if (message->key != NULL)
        sandbox_index_add(&world->by_key, XXH3_64bits(message->key, strlen(message->key)), number);
    return number;
}

static enum world_code accept_send(struct world *world, const struct audience *audience,
                                   const struct send_request *request, struct instant now,
                                   struct world_send_result *out)
{
    struct world_message message = {.sender = WORLD_NONE,
                                    .accepted_wall_ms = now.wall_ms,
                                    .delivered_wall_ms = now.wall_ms + world->settings.delivered_ms};
    bool opens = out->chat == WORLD_NONE;
    for (size_t i = 0; i < audience->count; i++) {
        if (!pair_prepare(world, audience->line, audience->recipients[i]))
            return WORLD_FULL;
    }
    if (world->message_count >= world->settings.messages_max ||
        (opens && !world_chat_prepare(world, audience->count)) ||
        !message_prepare(world, request->parts, request->parts_bytes, request->key, &message))
        return WORLD_FULL;

    if (opens)
        out->chat = world_chat_open(world, audience->line, audience->count, audience->recipients, now.wall_ms);
    for (size_t i = 0; i < audience->count; i++)
        pair_count(world, audience->line, audience->recipients[i], now.mono_ms);
    message.chat = out->chat;
    message.opened_chat = out->new_chat = opens;
    out->message = message_add(world, &message);
    world->accepted++;
    world->lines[audience->line].accepted++;
    return WORLD_OK;
}

static enum world_code send_judge(struct world *world, uint32_t line, const struct send_request *request,
                                  struct instant now, struct world_send_result *out)
{
    struct audience audience = {.line = line};
    bool whole = out->chat != WORLD_NONE ? audience_of_chat(world, out->chat, &audience)
                                         : audience_of_request(world, request, &audience);
    if (!whole)
        return WORLD_FULL;
    enum world_code code = audience_judge(world, &audience, request, out->chat == WORLD_NONE);
    if (code != WORLD_OK)
        return code;
    out->retry_after_ms = audience_wait_ms(world, &audience, now.mono_ms);
    if (out->retry_after_ms > 0)
        return WORLD_RATE_LIMITED;
    return accept_send(world, &audience, request, now, out);
}

void world_send(struct world *world, uint32_t line, uint32_t chat, const struct send_request *request,
                struct instant now, struct world_send_result *out)
{
    *out = (struct world_send_result){.chat = chat, .message = WORLD_NONE};
    if (line == WORLD_NONE || world->lines[line].removed) {
        out->code = line == WORLD_NONE && request->from == NULL ? WORLD_NO_CHAT : WORLD_NOT_OUR_LINE;
        world->refused++;
        return;
    }
    if (request->from != NULL)
        out->chat = world_chat_find(world, line, request->to_count, request->to);
    uint32_t first = request->key == NULL ? WORLD_NONE : key_find(world, request->key);
    if (first != WORLD_NONE) {
        duplicate_answer(world, first, line, out->chat, request, out);
        return;
    }
    out->code = send_judge(world, line, request, now, out);
    if (out->code != WORLD_OK) {
        world->refused++;
        world->lines[line].refused++;
    }
}

/* ---- answers ---- */

bool world_text_opts_out(const char *text)
{
    static const char *const exact[] = {"STOP", "UNSUBSCRIBE", "OPTOUT", "CANCEL", "END", "QUIT"};
    static const char *const any_case[] = {"OPT OUT", "OPT-OUT", "OPTOUT"};
    text += strspn(text, " \t\r\n");
    size_t bytes = strlen(text);
    while (bytes > 0 && strchr(" \t\r\n", text[bytes - 1]) != NULL)
        bytes--;
    for (size_t i = 0; i < sizeof exact / sizeof *exact; i++) {
        if (strlen(exact[i]) == bytes && memcmp(exact[i], text, bytes) == 0)
            return true;
    }
    for (size_t i = 0; i < sizeof any_case / sizeof *any_case; i++) {
        if (strlen(any_case[i]) == bytes && strncasecmp(any_case[i], text, bytes) == 0)
            return true;
    }
    return false;
}

static void health_follow(struct world *world, uint32_t chat, bool opts_out, int64_t now_wall_ms)
{
    struct world_chat *entry = &world->chats[chat];
    if (opts_out == (entry->health == CHAT_OPTED_OUT))
        return;
    entry->health = opts_out ? CHAT_OPTED_OUT : CHAT_HEALTHY;
    entry->health_wall_ms = now_wall_ms;
}

enum err world_receive(struct world *world, uint32_t chat, uint32_t recipient, const char *text, struct instant now,
                       uint32_t *out_message)
{
    struct json_out parts = {0};
    json_open(&parts, '[');
    json_open(&parts, '{');
    json_key(&parts, "type");
    json_put_string(&parts, "text");
    json_key(&parts, "value");
    json_put_string(&parts, text);
    json_close(&parts, '}');
    json_close(&parts, ']');
    struct world_message message = {.chat = chat, .sender = recipient, .accepted_wall_ms = now.wall_ms};
    enum err err = world->message_count >= world->settings.messages_max ? ERR_FULL : ERR_NONE;
    if (err == ERR_NONE && (parts.failed || !message_prepare(world, parts.text, parts.bytes, NULL, &message)))
        err = ERR_NO_MEMORY;
    json_out_free(&parts);
    if (err != ERR_NONE)
        return err;
    bool opts_out = world_text_opts_out(text);
    world->recipients[recipient].opted_out = opts_out;
    health_follow(world, chat, opts_out, now.wall_ms);
    *out_message = message_add(world, &message);
    return ERR_NONE;
}

/* ---- delivery ---- */

enum world_delivery world_message_delivery(const struct world *world, uint32_t message, int64_t now_wall_ms)
{
    const struct world_message *entry = &world->messages[message];
    if (entry->sender != WORLD_NONE)
        return WORLD_RECEIVED;
    if (entry->mark == WORLD_FAILED)
        return WORLD_FAILED_NOW;
    if (entry->mark == WORLD_READ)
        return WORLD_WAS_READ;
    int64_t age_ms = now_wall_ms - entry->accepted_wall_ms;
    if (age_ms < world->settings.sent_ms)
        return WORLD_PENDING;
    bool direct = world->chats[entry->chat].seat_count == 1;
    return direct && now_wall_ms >= entry->delivered_wall_ms ? WORLD_DELIVERED : WORLD_SENT;
}

void world_message_mark(struct world *world, uint32_t message, enum world_mark mark, int64_t now_wall_ms)
{
    world->messages[message].mark = mark;
    world->messages[message].marked_wall_ms = now_wall_ms;
}
