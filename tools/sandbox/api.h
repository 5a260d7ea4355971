/* api.h — one call of the provider's API under way; private to api*.c.
 *
 * api.c finds the call, judges it under the lock and answers; the calls themselves are in api_chats.c, api_lines.c
 * and api_account.c, the log's record in api_log.c. */
#ifndef SANDBOX_API_H
#define SANDBOX_API_H

#include "tools/sandbox/render.h"
#include "tools/sandbox/sandbox.h"

#define API_ARGUMENTS_MAX 2
#define API_ARGUMENT_ROOM 64

enum api_kind {
    API_READS, /* and everything else that sends nothing */
    API_OPENS, /* POST /v3/chats */
    API_SPEAKS /* POST /v3/chats/{id}/messages */
};

struct call;

struct api_route {
    const char *method, *path; /* of the path's parts, `*` takes an argument */
    enum api_kind kind;
    void (*answer)(struct call *call); /* NULL for sends */
};

struct call {
    struct sandbox *sandbox;
    const struct http_request *request;
    struct http_answer *answer;
    const struct api_route *route;                        /* NULL: no such call */
    const char *path;                                     /* without /api/partner */
    char arguments[API_ARGUMENTS_MAX][API_ARGUMENT_ROOM]; /* cut ones are none, and then not found */
    struct instant now;
    struct send_request send; /* of sends */
    cJSON *body;              /* of others: an object, or NULL */
    int form_code;            /* what is wrong with the form of a send or body; 0: nothing */
    uint32_t line;
    struct world_send_result result;
    bool taken; /* accepted now, or a duplicate of what was */
    enum fault fault;
    bool by_rule;
    int code;
};

void api_fail(struct call *call, int code, int64_t retry_after_s);
/* The thing that an argument names; WORLD_NONE: none of this kind. */
uint32_t api_thing(const struct call *call, const char *id, enum world_id kind, uint32_t count);

/* api_chats.c */
void api_chat_list(struct call *call);
void api_chat_get(struct call *call);
void api_chat_messages(struct call *call);
void api_message_get(struct call *call);

/* api_lines.c */
void api_line_list(struct call *call);
void api_available_number(struct call *call);
void api_audit_start(struct call *call);
void api_audit_get(struct call *call);

/* api_account.c */
void api_blocked_list(struct call *call);
void api_blocked_add(struct call *call);
void api_blocked_remove(struct call *call);
void api_subscription_list(struct call *call);
void api_subscription_add(struct call *call);
void api_subscription_get(struct call *call);
void api_subscription_set(struct call *call);
void api_subscription_remove(struct call *call);
void api_event_types(struct call *call);

/* api_log.c: the record of a judged call. It goes into the log once it is known how the answer went, or at once
 * when there will be none for long; with the lock held. */
void api_log_begin(struct call *call, uint64_t number);
void api_log_end(struct sandbox *sandbox, void *record, struct instant answered, bool delivered);

#endif
