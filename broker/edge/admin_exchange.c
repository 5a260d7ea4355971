/* admin_exchange.c — what handlers share: queries, answers, who may see what. */
#include "broker/edge/admin_exchange.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/edge/admin_route.h"
#include "broker/edge/named.h"

/* Cuts the target at its '?' and splits what follows. A `+` stays a `+`: numbers are the values that matter here. */
static bool split_query(struct exchange *x)
{
    char *at = strchr(x->target, '?');
    if (at == NULL)
        return true;
    *at++ = '\0';
    while (*at != '\0') {
        char *name = at;
        at += strcspn(at, "&");
        if (*at != '\0')
            *at++ = '\0';
        if (*name == '\0')
            continue;
        if (x->query_count == QUERY_MAX)
            return false;
        char *value = strchr(name, '=');
        if (value != NULL)
            *value++ = '\0';
        if (!percent_decode(name) || (value != NULL && !percent_decode(value)))
            return false;
        x->query[x->query_count++] = (struct query){name, value != NULL ? value : ""};
    }
    return true;
}

struct exchange *exchange_new(const char *target)
{
    size_t bytes = strlen(target);
    struct exchange *x = calloc(1, sizeof *x);
    if (x == NULL)
        return NULL;
    x->target = strdup(bytes <= ADMIN_TARGET_BYTES_MAX ? target : "/");
    if (x->target == NULL) {
        free(x);
        return NULL;
    }
    if (bytes > ADMIN_TARGET_BYTES_MAX) {
        char problem[80];
        snprintf(problem, sizeof problem, "a path with its query of %zu bytes, at most %d", bytes, ADMIN_TARGET_BYTES_MAX);
        answer_error(x, CODE_TOO_LARGE, problem, NULL);
        x->answer.status = 414;
        x->refused = true;
    } else if (!split_query(x)) {
        answer_error(x, CODE_MALFORMED, "the query could not be read", NULL);
        x->refused = true;
    }
    return x;
}

void exchange_free(struct exchange **x_p)
{
    struct exchange *x = *x_p;
    if (x == NULL)
        return;
    *x_p = NULL;
    if (x->memory_free != NULL)
        x->memory_free(x->memory);
    if (x->has_lookup)
        lookup_answer_free(&x->lookup);
    json_out_free(&x->answer.text);
    json_out_free(&x->trail.before);
    json_out_free(&x->trail.told);
    json_out_free(&x->trail.document);
    grant_free(&x->grant);
    free(x->body);
    free(x->target);
    free(x);
}

const char *query_get(const struct exchange *x, const char *name)
{
    for (size_t i = 0; i < x->query_count; i++) {
        if (strcmp(x->query[i].name, name) == 0)
            return x->query[i].value;
    }
    return NULL;
}

bool query_number(struct exchange *x, const char *name, uint64_t min, uint64_t max, uint64_t fallback, uint64_t *out)
{
    const char *text = query_get(x, name);
    if (text == NULL) {
        *out = fallback;
        return true;
    }
    char *end = NULL;
    errno = 0;
    unsigned long long value = *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : 0;
    if (end == NULL || *end != '\0' || errno != 0 || value < min || value > max) {
        char message[128];
        snprintf(message, sizeof message, "%s must be a whole number of %llu to %llu", name, (unsigned long long)min,
                 (unsigned long long)max);
        answer_error(x, CODE_INVALID_FIELD, message, name);
        return false;
    }
    *out = value;
    return true;
}

bool query_moment(struct exchange *x, const char *name, int64_t *out)
{
    const char *text = query_get(x, name);
    int64_t at_ms = 0;
    if (text == NULL)
        return true;
    if (time_parse(text, &at_ms)) {
        *out = at_ms != 0 ? at_ms : 1; /* 0 is what was not given */
        return true;
    }
    char message[96];
    snprintf(message, sizeof message, "%s must be a time such as 2026-11-23T10:00:00Z", name);
    answer_error(x, CODE_INVALID_FIELD, message, name);
    return false;
}

bool exchange_is_done(const struct exchange *x)
{
    return x->has_effect && x->effect.code == CODE_NONE;
}

enum admin_step answer_error(struct exchange *x, enum code code, const char *message, const char *field)
{
    json_out_clear(&x->answer.text);
    view_error_body(&x->answer.text, &(struct error_view){.code = code, .message = message, .field = field});
    x->answer.status = code_http_status(code);
    x->answer.etag[0] = '\0';
    x->answer.retry_after_ms = code == CODE_BUSY ? VIEW_BUSY_RETRY_MS : 0;
    return STEP_DONE;
}

enum admin_step answer_not_owner(struct exchange *x, const struct owner_place *owner)
{
    char sentence[CONF_ADDRESS_MAX + 64];
    owners_say(owner, sentence, sizeof sentence);
    answer_error(x, CODE_NOT_OWNER, NULL, NULL);
    json_out_clear(&x->answer.text);
    view_error_body(&x->answer.text, &(struct error_view){.code = CODE_NOT_OWNER,
                                                          .message = sentence,
                                                          .owner = owner->producers,
                                                          .owner_admin = owner->admin});
    return STEP_DONE;
}

enum admin_step answer_text(struct exchange *x, int status, const char *type, const char *text, size_t bytes)
{
    json_out_clear(&x->answer.text);
    json_put_raw(&x->answer.text, text, bytes);
    x->answer.status = status;
    x->answer.type = type;
    return STEP_DONE;
}

enum admin_step answer_done(struct exchange *x)
{
    x->answer.status = 200;
    x->answer.retry_after_ms = 0;
    return STEP_DONE;
}

void put_found(struct exchange *x, const char *list)
{
    struct json_out *out = &x->answer.text;
    const char *at = x->lookup.text.text;
    json_key(out, list);
    json_open(out, '[');
    for (size_t i = 0; i < x->lookup.item_count; i++) {
        json_put_raw(out, at, x->lookup.items[i].bytes);
        at += x->lookup.items[i].bytes;
    }
    json_close(out, ']');
}

enum admin_step answer_found(struct exchange *x, const char *list, const char *unread)
{
    char next[24];
    struct json_out *out = &x->answer.text;
    if (x->lookup.err != ERR_NONE)
        return answer_error(x, CODE_BUSY, unread, NULL);
    json_open(out, '{');
    put_found(x, list);
    json_key(out, "next");
    snprintf(next, sizeof next, "%" PRIu64, x->lookup.next);
    json_put_string(out, x->lookup.more ? next : NULL);
    json_close(out, '}');
    return answer_done(x);
}

cJSON *exchange_body(struct exchange *x)
{
    const char *why = "a JSON object is expected";
    cJSON *body = x->body_bytes == 0 ? json_parse("{}", 2, &why) : json_parse(x->body, x->body_bytes, &why);
    if (cJSON_IsObject(body))
        return body;
    cJSON_Delete(body);
    answer_error(x, CODE_MALFORMED, why, NULL);
    return NULL;
}

bool body_gives(const cJSON *body, const char *name)
{
    const cJSON *member = json_get(body, name);
    return member != NULL && !cJSON_IsNull(member);
}

bool body_reason(struct exchange *x, const cJSON *body, const char **out)
{
    const char *reason = json_string(body, "reason");
    if (body_gives(body, "reason") && (reason == NULL || strlen(reason) >= REASON_BYTES_MAX)) {
        answer_error(x, CODE_INVALID_FIELD, "reason must be a text of less than 200 bytes", "reason");
        return false;
    }
    *out = reason == NULL ? "" : reason;
    return true;
}

void body_hide_reason(const struct admin_turn *turn, cJSON *body)
{
    cJSON *reason = cJSON_GetObjectItemCaseSensitive(body, "reason");
    if (cJSON_IsString(reason))
        named_hide(turn->core, turn->options->hash, reason->valuestring);
}

enum admin_step exchange_look_up(struct admin_turn *turn, struct exchange *x, struct lookup_request *request)
{
    request->token = x->token;
    request->now = turn->now;
    request->ended_seq = core_ended_seq(turn->core);
    request->pools = x->grant.pools;
    request->mask_handles = x->grant.role == ROLE_VIEWER;
    switch (lookup_submit(turn->options->lookup, request)) {
    case ERR_NONE:
        return STEP_WAIT;
    case ERR_BUSY:
        return answer_error(x, CODE_BUSY, "too many questions are being answered from disk", NULL);
    default:
        return answer_error(x, CODE_BUSY, "out of memory", NULL);
    }
}

bool grant_sees_name(const struct exchange *x, const char *pool)
{
    return name_in_list(x->grant.pools, pool);
}

bool grant_sees_pool(const struct admin_turn *turn, const struct exchange *x, uint32_t pool)
{
    const struct conf *conf = turn->options->conf;
    if (x->grant.pools == NULL)
        return true;
    return pool < conf->pool_count && name_in_list(x->grant.pools, conf->pools[pool].name);
}

bool grant_sees_account(const struct admin_turn *turn, const struct exchange *x, const char *name)
{
    const struct conf *conf = turn->options->conf;
    uint32_t account = name == NULL ? UINT32_MAX : conf_account_find(conf, name);
    for (uint32_t p = 0; p < conf->pool_count; p++)
        if (conf->pools[p].account == account && grant_sees_pool(turn, x, p))
            return true;
    return false;
}

enum code exchange_line(const struct admin_turn *turn, const struct exchange *x, const char *text, uint64_t *number)
{
    size_t index;
    struct line_view view;
    bool known = line_text_parse(text, number) && core_line_find(turn->core, *number, &index) &&
                 core_line_view(turn->core, index, turn->now, &view) && grant_sees_pool(turn, x, view.pool);
    return known ? CODE_NONE : CODE_UNKNOWN_LINE;
}

uint32_t conf_pool_find(const struct conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->pool_count; i++) {
        if (strcmp(conf->pools[i].name, name) == 0)
            return (uint32_t)i;
    }
    return UINT32_MAX;
}

uint32_t conf_account_find(const struct conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->account_count; i++) {
        if (strcmp(conf->accounts[i].name, name) == 0)
            return (uint32_t)i;
    }
    return UINT32_MAX;
}
