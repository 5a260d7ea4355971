/* admin_exchange.h — one HTTP request on its way through the admin API. Only for admin*.c.
 *
 * An exchange belongs to the HTTP thread, but between exchange_hand_over() and the answer, when it belongs to the
 * owner's thread (its connection is suspended meanwhile). A handler is called on the owner's thread until it says
 * STEP_DONE: again and again after STEP_MORE, and after STEP_WAIT when an effect or a lookup's answer has come. */
#ifndef LINEWARD_EDGE_ADMIN_EXCHANGE_H
#define LINEWARD_EDGE_ADMIN_EXCHANGE_H

#include "broker/edge/admin.h"
#include "broker/edge/owners.h"

#define QUERY_MAX 16
#define REASON_BYTES_MAX 200 /* of an operator's `reason`, terminator included: as a pause keeps it */

#define ETAG_TEXT_MAX 24   /* a quoted number in hex, terminator included */
#define IF_MATCH_MAX  512  /* of that header */

enum admin_step { STEP_DONE, STEP_MORE, STEP_WAIT };

struct admin_turn { /* what a handler may use during one call */
    struct admin *admin;
    struct streams *streams;
    struct pause_count *count;
    struct oldest *oldest;
    const struct admin_options *options;
    struct core *core;
    struct instant now;
    struct effects *out;
};

struct query {
    const char *name, *value;
};

struct answer {
    int status;
    const char *type; /* NULL: application/json */
    struct json_out text;
    int64_t retry_after_ms; /* 0: none */
    const char *allow;      /* 405 */
    char etag[ETAG_TEXT_MAX]; /* of what the answer shows or has changed; "": none */
};

struct trail { /* of a call that changes something: audit_trail.c */
    bool written, ends; /* its record is; the answer waits for that alone */
    bool allowed;       /* by If-Match, when it began to change things */
    bool part;          /* the handler's word: this step changed something, more is to come */
    bool looks;         /* likewise: what this step waits for is what others did; it has changed nothing yet */
    struct json_out before, told, document;
    struct change_audit record;
};

struct route;
struct MHD_Connection;

struct exchange {
    /* the request; written by the HTTP thread before it is handed over */
    struct MHD_Connection *connection;
    char *target; /* the raw path, cut at the query's '?' and decoded part by part */
    const struct route *route;
    char *parts[2];
    char allow[48];
    struct query query[QUERY_MAX];
    size_t query_count;
    char *body;
    size_t body_bytes, body_room;
    struct grant grant; /* {""} for calls that need no token */
    unsigned grant_of;  /* the generation of tokens that it is of */
    bool begun, authorized, refused, handed_over;
    char last_event_id[24]; /* the header; "": none, or none of ours */
    char if_match[IF_MATCH_MAX]; /* the header; "": none */

    /* the owner's */
    struct exchange *next; /* in the list that holds it */
    uint64_t token;        /* and of its slot */
    bool is_running;       /* in the list of those to be called */
    int64_t begun_mono_ms; /* when the owner first saw it */
    int phase;             /* the handler's own */
    uint64_t cursor;
    size_t limit;
    bool has_effect, has_lookup;
    struct effect effect;
    struct lookup_answer lookup;
    void *memory; /* the handler's own, with ... */
    void (*memory_free)(void *memory);
    struct trail trail;

    struct answer answer;
    struct stream *stream; /* NULL; else the answer does not end: admin_stream.h */
};

/* ---- for handlers ---- */

const char *query_get(const struct exchange *x, const char *name); /* NULL: not given */
/* Reads a whole number of `min` to `max`; `fallback` if it is not given. False: answered invalid_field. */
bool query_number(struct exchange *x, const char *name, uint64_t min, uint64_t max, uint64_t fallback, uint64_t *out);
/* Reads a time, which never is 0; one that is not given leaves *out as it is. False: answered invalid_field. */
bool query_moment(struct exchange *x, const char *name, int64_t *out);

/* Each ends the exchange. */
/* Has what was asked for been done? Then no answer may say `busy`, which means that it was not. */
bool exchange_is_done(const struct exchange *x);
enum admin_step answer_error(struct exchange *x, enum code code, const char *message, const char *field);
enum admin_step answer_not_owner(struct exchange *x, const struct owner_place *owner);
enum admin_step answer_text(struct exchange *x, int status, const char *type, const char *text, size_t bytes);
enum admin_step answer_done(struct exchange *x); /* what the handler wrote into answer.text, 200 */
/* A page of what the lookup found: {"LIST":[…],"next":…}; busy with that message if it could not be read. */
enum admin_step answer_found(struct exchange *x, const char *list, const char *unread);
/* "LIST":[…] of it, in an object that is open. */
void put_found(struct exchange *x, const char *list);

/* The body, which must be a JSON object; none is an empty one. Free with cJSON_Delete(). NULL: answered. */
cJSON *exchange_body(struct exchange *x);
bool body_gives(const cJSON *body, const char *name); /* null counts as absent */
/* The member `reason`: a text of less than REASON_BYTES_MAX bytes, "" if absent. False: answered. */
bool body_reason(struct exchange *x, const cJSON *body, const char **out);
/* Of a reason that is kept with what it is the reason of: nobody who is being erased is named in it any more. */
void body_hide_reason(const struct admin_turn *turn, cJSON *body);

/* Asks the lookup; STEP_WAIT, or the error that it ends with. `request->token` is set here. */
enum admin_step exchange_look_up(struct admin_turn *turn, struct exchange *x, struct lookup_request *request);

/* May the caller see this pool (an index of conf.pools)? */
bool grant_sees_pool(const struct admin_turn *turn, const struct exchange *x, uint32_t pool);
bool grant_sees_name(const struct exchange *x, const char *pool);
/* One of its pools at least. `name` NULL: none. */
bool grant_sees_account(const struct admin_turn *turn, const struct exchange *x, const char *name);
/* The line of this name, if the caller may see it; else unknown_line. */
enum code exchange_line(const struct admin_turn *turn, const struct exchange *x, const char *text, uint64_t *number);
/* The index of a configured pool or account; UINT32_MAX: none. */
uint32_t conf_pool_find(const struct conf *conf, const char *name);
uint32_t conf_account_find(const struct conf *conf, const char *name);

/* ---- between the two sides ---- */

/* One whose target is too long, or cannot be read, is answered already (`refused`). NULL: out of memory. */
struct exchange *exchange_new(const char *target);
void exchange_free(struct exchange **x_p);

/* HTTP thread: the owner's now. False: the admin is closing; the exchange got its answer. */
bool exchange_hand_over(struct admin *admin, struct exchange *x);
/* HTTP thread. */
const struct admin_options *admin_options(const struct admin *admin);
/* Reserves bytes of all bodies; false: too many are being read already. */
bool admin_body_reserve(struct admin *admin, size_t bytes);
void admin_body_release(struct admin *admin, size_t bytes);
/* Either thread: the same for large answers that are being gathered or on their way. */
bool admin_large_reserve(struct admin *admin, size_t bytes);
void admin_large_release(struct admin *admin, size_t bytes);

struct admin_http;
enum err admin_http_open(struct admin_http **out, struct admin *admin, struct admin_problem *problem);
/* Takes no new connections from now on. */
void admin_http_quiesce(struct admin_http *http);
void admin_http_close(struct admin_http **http_p);
unsigned admin_http_port(const struct admin_http *http);
/* Owner's thread: the exchange has its answer and belongs to the HTTP thread again. */
void admin_http_resume(struct exchange *x);

#endif
