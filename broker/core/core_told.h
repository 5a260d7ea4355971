/* core_told.h — what the core is told: jobs and conversations that producers hand in, workers and their
 * results, what the provider says of lines and messages, and what other brokers know of them. */
#ifndef LINEWARD_CORE_CORE_TOLD_H
#define LINEWARD_CORE_CORE_TOLD_H

#include "broker/core/core_effects.h"
#include "lineward/clock.h"

struct core;

struct core_enqueue {
    uint64_t token;
    uint32_t index;
    uint32_t pool;         /* index of conf.pools */
    uint64_t conversation; /* keyed hash of pool and recipients */
    uint64_t id_hash;      /* keyed hash of pool and producer id; 0: none */
    uint64_t content_hash; /* keyed hash of recipients as a set, from, message as JSON values */
    uint64_t from_line;    /* E.164 digits; 0: not pinned */
    uint64_t recipient;    /* keyed hash of account and handle of a direct message; 0: a group */
    uint64_t chat_hash;    /* of a given chat_id; 0: none */
    uint16_t campaign;     /* name number, 0: none */
    uint16_t zone;         /* core_zone() of its recipients, 0: not known */
    uint16_t area;         /* the first AREA_DIGITS digits of the recipient's number; 0: a group, or no number */
    uint64_t collapse;     /* keyed hash of conversation and collapse key, 0: none */
    bool exported;         /* it is another one's that was accepted before: ... */
    uint64_t exported_as;  /* ... that job's number, 0: a job of another broker's */
    enum job_class class;
    int64_t due_ms, expires_ms; /* 0: none */
    bool fail_if_held, has_link;
    struct span recipients, envelope, payload; /* JSON */
    struct span chat_id;                       /* JSON string; empty: none given */
};

/* Accepts or refuses one job; EFFECT_ENQUEUED says which. A refusal changes nothing. `store_full`: the store takes
 * no new jobs now. */
void core_enqueue(struct core *core, const struct core_enqueue *job, bool store_full, struct instant now,
                  struct effects *out);

/* Cancels a live job. EFFECT_CANCELLED with code not_found if it is not live. */
void core_cancel(struct core *core, uint64_t token, uint32_t index, uint64_t number, struct instant now,
                 struct effects *out);

struct core_adopt { /* a conversation that exists at the provider already */
    uint64_t token;
    uint32_t index;
    uint32_t pool;         /* index of conf.pools */
    uint64_t conversation; /* keyed hash of pool and recipients */
    uint64_t line;         /* E.164 digits: where it lives */
    uint64_t chat_hash;    /* 0: its chat id is not known */
    enum chat_health health; /* UNKNOWN: not told */
    int64_t health_at_ms, last_out_ms, last_in_ms; /* 0: not known */
    struct span recipients, chat_id; /* JSON; no chat id: empty */
};

/* Takes over a conversation without a job of it: from now on it lives on that line, is sent to with its chat id and
 * spends no new-conversation budget. EFFECT_ADOPTED says how that went, and on which line it lives. What is known of
 * it already is kept: that it lives elsewhere (line_conflict, field `line`) or has another chat (field `chat_id`). To
 * say it again changes nothing. */
void core_adopt(struct core *core, const struct core_adopt *adopt, bool store_full, struct instant now,
                struct effects *out);

struct core_ready {
    uint32_t peer;
    uint64_t instance;
    uint32_t slots;
    const uint64_t *leases; /* begun, or RESULT without DONE */
    size_t lease_count;
    bool some_pools; /* leases of these pools only (indices of conf.pools); else of all */
    const uint32_t *pools;
    size_t pool_count;
    char worker[NAME_MAX_BYTES + 1];
};
void core_worker_ready(struct core *core, const struct core_ready *ready, struct instant now, struct effects *out);
/* Any frame of a peer that is READY: a sign of life. False: unknown (EFFECT_UNKNOWN_WORKER was added). */
bool core_worker_alive(struct core *core, uint32_t peer, struct instant now, struct effects *out);
void core_worker_bye(struct core *core, uint32_t peer, struct instant now, struct effects *out);
/* The edge can no longer reach the peer. */
void core_worker_gone(struct core *core, uint32_t peer, struct instant now, struct effects *out);

struct core_result {
    uint32_t peer;
    uint64_t lease;
    enum outcome outcome;
    bool unknown, line_flagged, forget_chat, key_refused;
    enum scope scope;
    enum suppress suppress;
    int64_t retry_after_ms; /* -1: none */
    int http_status;
    int64_t code;
    uint64_t chat_hash;  /* of the chat id, 0: none */
    uint64_t message_hash; /* of the message id, 0: none */
    uint64_t recipient;    /* with suppress: keyed hash of account and handle; 0: a group */
    const char *handle;    /* that recipient; NULL: none */
    const uint64_t *homes; /* its direct conversations, one of each pool of the account: what waits there ends */
    size_t home_count;
    struct span chat_id; /* JSON string, for the conversation's record */
    struct span result;  /* JSON object for the job's view: message_id, error ... */
    bool malformed;      /* made no sense: treated as an unknown outcome */
};
void core_worker_result(struct core *core, const struct core_result *result, struct instant now,
                        struct effects *out);

/* The JOB of this lease is about to be sent: true, its time runs from now; false: the lease is over, or has come back
 * because it must not go any more: send nothing. */
bool core_lease_send(struct core *core, uint64_t lease, struct instant now, struct effects *out);
/* Before that: has the recipient (keyed hash of account and handle, as read from the store; 0: a group), or the
 * conversation, opted out since the job was accepted? Then the job ends as suppressed and nothing may be sent: true. A job whose outcome is
 * unknown goes on: only the provider can say what became of it. */
bool core_lease_suppressed(struct core *core, uint64_t lease, uint64_t recipient, struct instant now,
                           struct effects *out);
/* It could not be sent (the peer's queue is full, or it is gone): the job goes back, nothing was begun. */
void core_lease_unsent(struct core *core, uint64_t lease, struct instant now, struct effects *out);

struct core_line_fact {
    uint32_t account; /* index of conf.accounts */
    uint64_t number;
    bool has_reputation, has_service;
    enum reputation reputation;
    enum service service;
    /* webhook */
    int64_t changed_at_ms, arrived_mono_ms;
    uint64_t event; /* keyed hash of the event id */
    /* poll */
    uint64_t poll;
    int64_t begun_mono_ms;
    bool cached;
};
/* A status webhook. EFFECT_ANSWER with `token` once durable; a known event id changes nothing. */
void core_line_told(struct core *core, uint64_t token, const struct core_line_fact *fact, struct instant now,
                    struct effects *out);
/* One line of a good poll, then the poll's end. */
void core_line_polled(struct core *core, const struct core_line_fact *fact, struct instant now,
                      struct effects *out);
/* The same where a cache that several brokers share decides: only what tightens, and at once. It answers nobody, and does
 * not remember the event, for whether it is new is the cache's to say. True: the line is worse than before. */
bool core_line_warned(struct core *core, const struct core_line_fact *fact, struct instant now, struct effects *out);
/* The cache has heard of that event. */
void core_event_shared(struct core *core, uint64_t event, struct instant now, struct effects *out);

/* What a cache that several brokers share has made of a line (DESIGN section 3, "The reputation cache"). */
struct moments;
struct core_line_shared {
    uint32_t account;
    const struct change_line *known; /* its words, and when; the rest does not count */
    const struct moments *moments;   /* on our steady clock */
    int64_t heard_mono_ms;           /* of the line */
    uint64_t version;                /* what is of an older one than was taken over is passed by */
    int64_t tightened_ms;            /* moments->tightened, on the cache's clock */
    bool only_worse; /* it does not know yet what was told here since: nothing better is taken over */
    uint64_t token;  /* EFFECT_ANSWER once durable; 0: nobody waits */
};
void core_line_shared(struct core *core, const struct core_line_shared *shared, struct instant now,
                      struct effects *out);

/* The words of a line, and when each was said on our steady clock. False: the account has no such line. */
struct line_words {
    const struct change_line *known;
    const struct moments *moments; /* both lent until the core is called again */
    /* When it became worse, on the clock of the cache that has said so; NEVER_SAID: this broker has found that out. Two
     * clocks drift, so what is compared later must be what was said. */
    int64_t shared_tightened_ms;
};
bool core_line_words(const struct core *core, uint32_t account, uint64_t number, struct line_words *out);

/* The lines of an account, one after the other: from *at on, which is set to it. False: there is none any more. */
bool core_line_of_account(const struct core *core, uint32_t account, uint32_t *at, uint64_t *number);

struct core_poll {
    uint32_t account;
    uint64_t poll; /* 0: who was missing has been told already */
    int64_t begun_mono_ms;
    bool ok, cached, key_refused;
};
void core_poll_ended(struct core *core, const struct core_poll *poll, struct instant now, struct effects *out);

struct core_message_fact { /* message.* webhooks */
    uint64_t token;
    uint64_t event;
    uint32_t account;
    enum { MESSAGE_SENT, MESSAGE_DELIVERED, MESSAGE_READ, MESSAGE_FAILED, MESSAGE_RECEIVED, MESSAGE_CHAT } what;
    uint64_t number; /* of the echoed key, 0: none (its random part is checked by core_key_is_ours()) */
    uint64_t chat_hash, recipient, message_hash;
    const char *handle; /* the recipient; NULL: a group, or not told */
    /* In: keys of the direct conversations that the recipient may have, one for each of the account's pools. */
    const uint64_t *homes;
    size_t home_count;
    uint64_t line;
    bool has_health, opt_out, inbound, reconciled;
    enum chat_health health;
    int64_t health_at_ms, at_ms, code;
    struct span result; /* JSON object with message_id, chat_id for an outcome that this settles */
};
/* EFFECT_ANSWER once durable; busy: a keyword for which there is no room, so it must come again. A known event changes
 * nothing. */
void core_message_told(struct core *core, const struct core_message_fact *fact, struct instant now,
                       struct effects *out);

#endif
