/* world.h — what the provider knows: lines, chats, messages, recipients, idempotency keys, pair limits.
 *
 * Pure but for memory: no clock, no socket, no lock; time comes in as an argument, randomness not at all. Its
 * owner lets one caller in at a time. Others read the arrays, only the functions here write them.
 * Numbers of things are places in these arrays; nothing is ever removed, so a number stays good. Behaviour is
 * that of linq-api.md 2 and 4; where the sources are silent, what is assumed stands beside the declaration. */
#ifndef SANDBOX_WORLD_H
#define SANDBOX_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lineward/clock.h"
#include "lineward/err.h"
#include "lineward/ids.h"
#include "lineward/words.h"
#include "tools/sandbox/index.h"
#include "tools/sandbox/send_request.h"

#define WORLD_NONE        SANDBOX_INDEX_NONE
#define WORLD_LINES_MAX   100000
#define WORLD_ID_TEXT_MAX 37 /* a UUID and its terminator */

struct world_settings {
    uint64_t seed;         /* of the ids */
    uint32_t messages_max; /* beyond it a send is answered 500/3001: full is an answer */
    uint32_t pair_limit;   /* messages per window from one line to one recipient; 0: no limit */
    int64_t pair_window_ms;
    int64_t sent_ms, delivered_ms; /* from acceptance to message.sent and message.delivered */
};

struct world_listed {
    int64_t mono_ms;
    enum reputation reputation;
};
#define WORLD_LISTED_MAX 8 /* changes within one lag; of more, the oldest are forgotten */

struct world_line {
    char number[E164_MAX_BYTES + 1];
    enum reputation reputation;
    enum reputation listed_reputation; /* what GET /v3/phone_numbers says, or will once its lag is over */
    enum service service;
    bool removed;
    struct world_listed listed[WORLD_LISTED_MAX]; /* a ring: what the list was told, and when */
    uint32_t listed_count;                        /* ever told */
    uint64_t asked;                               /* order of the last time it was advised; 0: never */
    int64_t changed_wall_ms;
    uint64_t change;      /* of this line: counts up, so that a webhook can be matched with its change */
    uint32_t newest_chat; /* WORLD_NONE: none; the others by world_chat.older */
    uint64_t accepted, duplicates, refused, chats;
};

struct world_recipient {
    char *handle; /* lower case */
    bool opted_out, blocked;
    int64_t blocked_wall_ms;
    uint32_t seat; /* the newest of its seats, WORLD_NONE: none */
};

/* One recipient's place in one chat. A chat's seats stand side by side, in the order of the handles. */
struct world_seat {
    uint32_t recipient, chat;
    uint32_t older; /* the recipient's seat before this one */
};

struct world_chat {
    uint32_t line;
    uint32_t older; /* the line's chat before this one */
    uint32_t seat, seat_count;
    uint32_t newest_message; /* WORLD_NONE: none; the others by world_message.older */
    enum chat_health health;
    int64_t created_wall_ms, updated_wall_ms, health_wall_ms;
};

enum world_mark { WORLD_PLAIN, WORLD_READ, WORLD_FAILED };

struct world_message {
    uint32_t chat;
    uint32_t older;  /* the chat's message before this one */
    uint32_t sender; /* recipient who wrote it; WORLD_NONE: we did */
    int64_t accepted_wall_ms;
    int64_t delivered_wall_ms; /* when it is delivered; TIME_NEVER: not known yet. Of direct chats */
    int64_t marked_wall_ms;    /* when it was read or failed */
    enum world_mark mark;
    bool opened_chat;
    char *parts; /* JSON array as sent */
    uint32_t parts_bytes;
    char *key; /* NULL: none */
};

/* The last sends of one line to one recipient: a ring of steady times. */
struct world_pair {
    uint32_t line, recipient;
    uint32_t next, count;
    int64_t *mono_ms;
};

struct world {
    struct world_settings settings;
    struct world_line *lines;
    struct world_recipient *recipients;
    struct world_seat *seats;
    struct world_chat *chats;
    struct world_message *messages;
    struct world_pair *pairs;
    uint64_t asked; /* times that a line was advised */
    uint32_t line_count, recipient_count, seat_count, chat_count, message_count, pair_count;
    uint32_t line_room, recipient_room, seat_room, chat_room, message_room, pair_room;
    struct sandbox_index by_number, by_handle, by_chat, by_key, by_pair;
    uint64_t accepted, duplicates, refused;
};

struct world *world_new(const struct world_settings *settings); /* NULL: out of memory */
void world_free(struct world **world_p);

/* ---- lines ---- */

uint32_t world_line_find(const struct world *world, const char *number); /* WORLD_NONE: unknown or removed */
/* Adds a HEALTHY, ACTIVE line, or brings a removed one back. ERR_BAD_INPUT: no E.164; ERR_FULL; ERR_NO_MEMORY. */
enum err world_line_add(struct world *world, const char *number, struct instant now, uint32_t *out);
/* Sets both axes; `listed`: GET /v3/phone_numbers shows it too. Counts as a change even if nothing differs.
 * `when.wall_ms` is when the change is said to have been, `when.mono_ms` is now. */
void world_line_set(struct world *world, uint32_t line, enum reputation reputation, enum service service, bool listed,
                    struct instant when);
/* What a list that was made at `mono_ms` says of the line. */
enum reputation world_line_listed(const struct world *world, uint32_t line, int64_t mono_ms);
/* The line that the provider would advise: healthiest, then longest not asked for; FLAGGED ones never, those in
 * `excluded` neither. WORLD_NONE: there is none. Counts as asking. */
uint32_t world_line_advise(struct world *world, const uint32_t *excluded, size_t excluded_count);
void world_line_remove(struct world *world, uint32_t line);

/* ---- recipients and chats ---- */

/* Finds or makes. `handle` must have come out of handle_normalize(). WORLD_NONE: out of memory. */
uint32_t world_recipient_find(const struct world *world, const char *handle);
uint32_t world_recipient_add(struct world *world, const char *handle);
/* The chat of a line with exactly these handles (sorted, each once). */
uint32_t world_chat_find(const struct world *world, uint32_t line, size_t count,
                         const char (*handles)[HANDLE_MAX_BYTES + 1]);
bool world_chat_has(const struct world *world, uint32_t chat, uint32_t recipient);
/* Makes sure that the next world_chat_open() with `count` recipients finds room. False: out of memory. */
bool world_chat_prepare(struct world *world, size_t count);
/* Opens the chat of `line` with these recipients, in the order of their handles, each once; there is none yet. */
uint32_t world_chat_open(struct world *world, uint32_t line, size_t count, const uint32_t *recipients,
                         int64_t now_wall_ms);

/* Chats that were there before, as of a customer who comes with a past: no messages, no events, no limits. */
struct world_past {
    uint32_t count;                             /* chats to make */
    int64_t span_ms;                            /* they were opened evenly over so long before now, oldest first */
    double group, at_risk, critical, opted_out; /* shares of the chats, 0 to 1 */
};
#define WORLD_PAST_GROUP 3
/* Makes the `n`th (from 0) of `past` on `line`; `*number` is the recipients' next number and moves on. Shares are
 * spread evenly; of groups each takes the next WORLD_PAST_GROUP numbers. ERR_EXISTS: that chat is there already;
 * ERR_NO_MEMORY. */
enum err world_chat_preload(struct world *world, uint32_t line, const struct world_past *past, uint32_t n,
                            uint64_t *number, int64_t now_wall_ms);

/* ---- messages ---- */

enum world_code { /* the provider's codes that depend on what it knows */
                  WORLD_OK = 0,
                  WORLD_BAD_VALUE = 1005, /* link, effect or reply in a first message */
                  WORLD_RATE_LIMITED = 1007,
                  WORLD_NO_CHAT = 2001,
                  WORLD_NO_MESSAGE = 2002,
                  WORLD_NOT_OUR_LINE = 2006,
                  WORLD_OPTED_OUT = 2024,
                  WORLD_BLOCKED = 2026,
                  WORLD_LINE_INELIGIBLE = 2027,
                  WORLD_FULL = 3001,
};

struct world_send_result {
    enum world_code code;
    uint32_t message; /* when code is WORLD_OK; its chat too */
    uint32_t chat;    /* WORLD_NONE: none yet */
    bool new_chat;
    bool duplicate;         /* the key was known: nothing was sent, `message` is the first one */
    bool body_differs;      /* a duplicate with other parts, line or chat than the first: the first one stands */
    int64_t retry_after_ms; /* with WORLD_RATE_LIMITED */
};

/* Judges and takes a send from `line` (WORLD_NONE: not ours) into `chat` (WORLD_NONE with request->from NULL:
 * no such chat). Order of checks where the sources give none: line, chat, key, block, opt-out, service status,
 * first-message rules, pair limit. A CRITICAL line sends: reputation is advice, FLAGGED is not. Groups are
 * never blocked by opt-outs. The scope of a key is the account. */
void world_send(struct world *world, uint32_t line, uint32_t chat, const struct send_request *request,
                struct instant now, struct world_send_result *out);

/* A recipient writes into a chat: opt-out keywords mark chat and recipient, anything else clears both
 * (linq-api.md 5.4). ERR_NO_MEMORY, ERR_FULL: nothing changed. */
enum err world_receive(struct world *world, uint32_t chat, uint32_t recipient, const char *text, struct instant now,
                       uint32_t *out_message);
bool world_text_opts_out(const char *text);

enum world_delivery { WORLD_PENDING, WORLD_SENT, WORLD_DELIVERED, WORLD_RECEIVED, WORLD_WAS_READ, WORLD_FAILED_NOW };
/* How far a message is at `now_wall_ms`. Groups and answers have no `delivered`. */
enum world_delivery world_message_delivery(const struct world *world, uint32_t message, int64_t now_wall_ms);
void world_message_mark(struct world *world, uint32_t message, enum world_mark mark, int64_t now_wall_ms);

/* ---- ids: UUIDs that follow from kind, number and seed ---- */

enum world_id {
    WORLD_ID_LINE = 1,
    WORLD_ID_HANDLE,
    WORLD_ID_CHAT,
    WORLD_ID_MESSAGE,
    WORLD_ID_EVENT,
    WORLD_ID_AUDIT,
    WORLD_ID_SUBSCRIPTION
};

void world_id_format(uint64_t seed, enum world_id kind, uint64_t number, char out[WORLD_ID_TEXT_MAX]);
/* False: not an id of this kind and seed. */
bool world_id_parse(uint64_t seed, enum world_id kind, const char *text, uint64_t *out);

/* ---- for the other files of the world ---- */

/* Grows an array of `size`-byte elements to hold one more than `count`. */
bool world_grow(void *array_p, uint32_t *room, uint32_t count, size_t size);

#endif
