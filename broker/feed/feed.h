/* feed.h — what the feed child (everything that parses bytes from the open network: poller and webhook receiver)
 * tells the broker over a SOCK_STREAM socketpair, and the other way round (DESIGN section 2).
 *
 * The child states facts, the core draws the conclusions. The child has no store, no queue and no keys but the
 * accounts' own. Each message is a 4-byte big-endian length (<= FEED_MESSAGE_BYTES_MAX) and one JSON document;
 * this header is that document's struct, feed_wire.c its only reader and writer, and both sides check it: what
 * the child sends is bytes from outside to the broker as well. */
#ifndef LINEWARD_FEED_H
#define LINEWARD_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lineward/conf.h"
#include "lineward/err.h"
#include "lineward/ids.h"
#include "lineward/words.h"

#define FEED_MESSAGE_BYTES_MAX (4u * 1024 * 1024)
#define FEED_TEXT_MAX          256
#define FEED_LINES_PER_MESSAGE 512 /* a longer list comes in several FEED_POLL_LINES before its FEED_POLL_END */

enum feed_kind {
    FEED_READY,      /* child: its port is bound; `port` */
    FEED_POLL_LINES, /* child: a part of a good list: account, poll, lines[]; means nothing until that poll's END says
                        ok, and parts of a poll that never ends are dropped when another one begins */
    FEED_POLL_END,   /* child: the poll is over: account, poll, begun_mono_ms, ok, cached, key_refused, skew_ms,
                        problem, http_status */
    FEED_WEBHOOK,    /* child: a signed, well-formed event that the router uses; waits for FEED_ANSWER */
    FEED_NOTE,       /* child: counts for metrics and the log: account, note, count (since the last such note) */
    FEED_POLL_NOW,   /* broker: account; poll as soon as none is under way */
    FEED_ANSWER,     /* broker: request, http_status (200 durable or known duplicate, 503 can't be stored) */
    FEED_POLL_ALLOW, /* broker: account, ok: may it poll that account by itself? Yes, until it is told */
    FEED_RELOAD,     /* broker: the configuration and its files are others now (SIGHUP), and good */
    FEED_KIND_COUNT
};

/* What a FEED_NOTE counts: what the child refused, ignored or did not understand. For metrics and the log only. */
#define FEED_NOTE_LIST(X)                                                                                            \
    X(WEBHOOK_UNSIGNED, "webhook_unsigned")           /* 401: a signature header is missing */                       \
    X(WEBHOOK_BAD_SIGNATURE, "webhook_bad_signature") /* 401 */                                                      \
    X(WEBHOOK_STALE, "webhook_stale")         /* 401: true, but an old timestamp; the child polls by itself */       \
    X(WEBHOOK_MALFORMED, "webhook_malformed") /* 400: signed, but no event */                                        \
    X(WEBHOOK_TOO_LARGE, "webhook_too_large") /* 413 */                                                              \
    X(WEBHOOK_UNUSED, "webhook_unused")       /* 200: a type that the router does not use */                         \
    X(WEBHOOK_NO_LINE, "webhook_no_line")     /* 200: a status event that names no line, or nothing about it */      \
    X(WEBHOOK_NOT_TAKEN, "webhook_not_taken") /* 503: no room, or no FEED_ANSWER in time */                          \
    X(UNKNOWN_VALUE, "unknown_value")         /* a reputation or service word that nobody documents */               \
    X(UNREADABLE_LINE, "unreadable_line")     /* list entries whose number is no E.164 */

enum feed_note {
#define X(name, text) FEED_NOTE_##name,
    FEED_NOTE_LIST(X)
#undef X
        FEED_NOTE_COUNT
};
const char *feed_note_name(enum feed_note note); /* never NULL, "?" outside the enum */

struct feed_line { /* one line of GET /v3/phone_numbers, variants and case already understood (linq-api.md 6) */
    char number[E164_MAX_BYTES + 1];
    enum reputation reputation; /* UNKNOWN: absent, null, wrong type or a word nobody documents */
    enum service service;       /* UNKNOWN unless the list says FLAGGED or ACTIVE */
};

enum feed_event {
    FEED_EVENT_STATUS,
    FEED_EVENT_SENT,
    FEED_EVENT_DELIVERED,
    FEED_EVENT_READ,
    FEED_EVENT_FAILED,
    FEED_EVENT_RECEIVED,
    FEED_EVENT_CHAT,
    FEED_EVENT_COUNT
};

struct feed_webhook {
    uint64_t request; /* to be answered */
    enum feed_event event;
    char event_id[FEED_TEXT_MAX], webhook_id[FEED_TEXT_MAX]; /* "" if absent; both are for de-duplication */
    int64_t arrived_mono_ms;
    /* status_updated: each pair present is applied; has_* false means that the pair was absent */
    char line[E164_MAX_BYTES + 1]; /* the line, or for message events the owner handle; "" unknown */
    bool has_reputation, has_service;
    enum reputation reputation, previous;
    enum service service;
    int64_t changed_at_ms; /* 0: absent; already cut to arrival + 5 min */
    /* message.* and chat.created */
    char message_id[FEED_TEXT_MAX], chat_id[FEED_TEXT_MAX], idempotency_key[FEED_TEXT_MAX];
    char sender[HANDLE_MAX_BYTES + 1]; /* normalized; for received: who wrote */
    bool inbound, group, opt_out_keyword, reconciled, has_chat_health;
    enum chat_health chat_health;
    int64_t chat_health_at_ms, at_ms; /* at: sent_at, delivered_at, read_at or failed_at; 0 unknown */
    int64_t code;                     /* message.failed; 0 none */
};

struct feed_message {
    enum feed_kind kind;
    char account[NAME_MAX_BYTES + 1];
    uint64_t poll;         /* counts per account */
    int64_t begun_mono_ms; /* when the poll's request was begun, on the shared steady clock */
    bool ok;               /* 200 with a well-formed list; an empty list is ok too */
    bool cached;           /* Date earlier than the poll's start less the known skew: no proof for loosening */
    bool key_refused;      /* 401 */
    int64_t skew_ms;       /* their Date - our clock, roughly */
    int http_status;       /* 0: no answer */
    int port;
    uint64_t request;
    enum feed_note note;
    uint64_t count;
    char problem[FEED_TEXT_MAX];
    struct feed_line *lines; /* FEED_POLL_LINES; owned by the message, feed_message_clear() */
    size_t line_count;
    struct feed_webhook webhook;
};
void feed_message_clear(struct feed_message *message);

/* A growing buffer of framed messages. */
struct feed_buffer {
    uint8_t *data;
    size_t bytes, room;
};
void feed_buffer_free(struct feed_buffer *buffer);
/* Appends the framed message; a FEED_POLL_LINES with more than FEED_LINES_PER_MESSAGE lines becomes several.
 * ERR_BAD_INPUT: a field that feed_decode() would refuse; ERR_NO_MEMORY. Nothing was appended on error. */
enum err feed_encode(struct feed_buffer *out, const struct feed_message *message);
/* Takes one whole message from the front of data[bytes]. ERR_NONE: *used bytes were read; ERR_NOT_FOUND: not all
 * of it is here yet; ERR_BAD_INPUT: the stream is broken. */
enum err feed_decode(const uint8_t *data, size_t bytes, size_t *used, struct feed_message *out);

/* Runs the child on `fd` until the broker's end closes; returns its exit code: 0 then, 1 if it could not start or the
 * broker did not speak this language (the log says which). Only reads conf.accounts and conf.broker.webhooks. What
 * was read at FEED_RELOAD and cannot be taken over changes nothing. Called
 * in a process of its own that has nothing else open, by a thread of the broker that lives as long as the broker
 * does: the kernel kills the child when the thread that forked it ends. Signals that ask a group to end are ignored.
 */
struct feed_source { /* where the configuration came from, to be read again at FEED_RELOAD */
    const char *path;
    const char *const *sets;
    size_t set_count;
};
int feed_run(int fd, const struct conf *conf, const struct feed_source *source);

#endif
