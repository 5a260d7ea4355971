/* json.h — cJSON with the bounds that bytes from outside need, and typed access.
 *
 * cJSON alone reads 1000 levels deep, accepts rubbish after the document, cuts strings at \u0000 and keeps
 * the first of two equal names silently; this is the one place that knows. */
#ifndef LINEWARD_JSON_H
#define LINEWARD_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MAX        64
#define JSON_ANSWER_DEPTH_MAX 72 /* of our own answers, in which documents of that depth lie */

/* Parses exactly `bytes` bytes as one JSON document: whole input, valid UTF-8, depth <= JSON_DEPTH_MAX, no
 * \u0000. NULL otherwise, and *why (if asked) a sentence with static lifetime. Free with cJSON_Delete(). */
cJSON *json_parse(const char *text, size_t bytes, const char **why);
/* The same, for documents whose number of values is bounded too: each costs more than a hundred times its bytes. */
cJSON *json_parse_bounded(const char *text, size_t bytes, size_t values_max, const char **why);
/* What a broker has answered: depth <= JSON_ANSWER_DEPTH_MAX. */
cJSON *json_parse_answer(const char *text, size_t bytes, const char **why);
/* What the provider says: \u0000 and half a surrogate pair are read as U+FFFD. JSON allows both, people's texts have
 * them, and what else the document says counts. */
cJSON *json_parse_foreign(const char *text, size_t bytes, const char **why);

/* What kind of fault *why named. */
enum json_fault {
    JSON_FAULT_FORM,   /* it is no JSON document, or too deep */
    JSON_FAULT_VALUE,  /* it may be one, but holds \u0000, a number beyond any double, or too many values */
    JSON_FAULT_MEMORY, /* there was none left to read it */
};
enum json_fault json_fault_of(const char *why);

/* True if `text` (a document that json_parse took) holds an integer beyond +-2^53 anywhere, be it written with an
 * exponent: such numbers do not survive most JSON readers (PROTOCOL, Job, `message`). */
bool json_has_big_integer(const char *text, size_t bytes);

/* Members by exact name (case-sensitive). */
const cJSON *json_get(const cJSON *object, const char *name);
const char *json_string(const cJSON *object, const char *name); /* NULL: absent or not a string */
bool json_int(const cJSON *object, const char *name, int64_t *out); /* false: absent or no whole number */
bool json_bool(const cJSON *object, const char *name, bool fallback);

/* Finds the bytes of a top-level member's value inside the document it was parsed from, so that it can be
 * passed on byte for byte. `text` must have been accepted by json_parse. False: no such member. When a name
 * occurs twice, the first counts, as in json_get(). */
bool json_raw_member(const char *text, size_t bytes, const char *name, const char **value, size_t *value_bytes);

/* The top-level members of an object, in their order, as spans of its text; names raw, without quotes. *at is 0 for
 * the first. False: there is none any more. `text` must have been accepted by json_parse. */
struct json_member {
    const char *name, *value;
    size_t name_bytes, value_bytes;
};
bool json_next_member(const char *text, size_t bytes, size_t *at, struct json_member *out);

/* Likewise the items of an array. */
bool json_next_item(const char *text, size_t bytes, size_t *at, const char **item, size_t *item_bytes);

/* Are the two documents equal as JSON values (member order, white space and escapes do not count)? */
bool json_equal(const cJSON *a, const cJSON *b);

/* A growing text buffer for writing JSON without building a tree: begin with {0}; commas come by themselves. All
 * memory is the buffer's; text[0..bytes) is the document, without a terminator. */
struct json_out {
    char *text;
    size_t bytes;
    size_t room;
    bool failed; /* out of memory: the text is not whole */
    bool comma;  /* the next value needs one before it */
};
void json_out_free(struct json_out *out);
void json_out_clear(struct json_out *out);
void json_open(struct json_out *out, char bracket);  /* '{' or '[' */
void json_close(struct json_out *out, char bracket); /* '}' or ']' */
void json_key(struct json_out *out, const char *name);
void json_put_string(struct json_out *out, const char *text);           /* NULL writes null */
void json_put_bytes(struct json_out *out, const char *text, size_t bytes); /* as a string; bad UTF-8 replaced */
void json_put_raw(struct json_out *out, const char *text, size_t bytes);   /* already JSON */
void json_put_int(struct json_out *out, int64_t value);
void json_put_number(struct json_out *out, double value);
void json_put_bool(struct json_out *out, bool value);
void json_put_null(struct json_out *out);
void json_put_time(struct json_out *out, int64_t wall_ms); /* TIME_NEVER or 0 writes null */
/* A whole value, every number so that it reads back as the same (cJSON's own printing rounds large ones). */
void json_put_value(struct json_out *out, const cJSON *value);

#endif
