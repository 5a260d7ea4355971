/* audit_trail.c — see audit_trail.h. The document of a record (struct change_audit says the rest of it) is a JSON object:
 * role, call, target, to, asked, reason, before, after, code. Recipients stand in `to` and nowhere else, so that they can
 * be masked. */
#include "broker/edge/audit_trail.h"

#include <stdio.h>
#include <string.h>

#include "broker/edge/admin_calls.h"
#include "broker/edge/admin_route.h"
#include "broker/edge/admin_select.h"
#include "broker/edge/admin_state.h"
#include "broker/edge/named.h"
#include "broker/edge/recipients.h"
#include "broker/edge/view_put.h"

#define PART_BYTES_MAX (NAME_MAX_BYTES + 1 + PRODUCER_ID_MAX_BYTES) /* POOL/ID; what is longer names nothing */

/* Jobs have a history of their own. */
bool trail_wants(const struct route *route)
{
    return strcmp(route->method, "GET") != 0 && route->handle != call_enqueue;
}

/* ---- whose matter it is ---- */

static void take_pool(struct exchange *x, const char *name)
{
    if (name != NULL && name_is_valid(name))
        memcpy(x->trail.record.pool, name, strlen(name) + 1);
}

/* Of a job that has ended only what the call itself says. */
static void take_job(struct admin_turn *turn, struct exchange *x)
{
    struct lookup_job job;
    struct job_ref ref;
    if (strstr(x->route->path, "{id}") == NULL)
        return;
    exchange_job(turn, x, false, &job);
    if (job.is_live)
        take_pool(x, job.pool);
    else if (job_ref_parse(x->parts[0], &ref) && ref.number == 0)
        take_pool(x, ref.pool);
}

/* ---- what is there before it ---- */

/* {"error":{"code","message","now"}}, and the ETag of what it is now. */
static void answer_changed(struct admin_turn *turn, struct exchange *x)
{
    const struct json_out *now = &x->trail.before;
    struct json_out *out = &x->answer.text;
    answer_error(x, CODE_CHANGED, NULL, NULL);
    json_out_clear(out);
    json_open(out, '{');
    json_key(out, "error");
    json_open(out, '{');
    put_word(out, "code", code_name(CODE_CHANGED));
    put_word(out, "message", "it is not what If-Match says: somebody has changed it, and `now` is how it stands");
    json_key(out, "now");
    json_put_raw(out, now->text, now->bytes);
    json_close(out, '}');
    json_close(out, '}');
    state_etag_of(turn, x, x->route->path, x->parts, x->answer.etag);
}

bool trail_begin(struct admin_turn *turn, struct exchange *x)
{
    struct json_out *before = &x->trail.before;
    if (x->trail.written)
        return true;
    take_job(turn, x); /* before it ends by this call, when nobody knows its pool any more */
    json_out_clear(before);
    state_put(turn, x, x->route->path, x->parts, before);
    if (before->failed) {
        answer_error(x, CODE_BUSY, "out of memory", NULL);
        return false;
    }
    if (x->if_match[0] == '\0' || x->trail.allowed || state_matches(turn, x, (struct span){before->text, before->bytes}))
        return true;
    answer_changed(turn, x);
    return false;
}

/* ---- what it was about ---- */

static void take_line(const struct admin_turn *turn, struct exchange *x, const char *text)
{
    const struct conf *conf = turn->options->conf;
    size_t index;
    struct line_view view;
    if (!line_text_parse(text, &x->trail.record.line) || !core_line_find(turn->core, x->trail.record.line, &index) ||
        !core_line_view(turn->core, index, turn->now, &view) || view.pool >= conf->pool_count)
        return;
    take_pool(x, conf->pools[view.pool].name);
}

/* A part of the path, or a filter of the query: its name is the path's, up to `}`. */
static void put_part(struct admin_turn *turn, struct exchange *x, struct json_out *out, const char *name, size_t bytes,
                     const char *value)
{
    char key[16];
    if (bytes >= sizeof key || strncmp(name, "to", bytes) == 0)
        return;
    memcpy(key, name, bytes);
    key[bytes] = '\0';
    json_key(out, key);
    json_put_bytes(out, value, strnlen(value, PART_BYTES_MAX));
    if (strcmp(key, "pool") == 0)
        take_pool(x, value);
    else if (strcmp(key, "line") == 0)
        take_line(turn, x, value);
}

static void put_target(struct admin_turn *turn, struct exchange *x, struct json_out *out)
{
    static const char *const filters[] = {SELECTION_NAMES, "code", "until"};
    size_t part = 0;
    json_key(out, "target");
    json_open(out, '{');
    for (const char *at = strchr(x->route->path, '{'); at != NULL; at = strchr(at + 1, '{'))
        put_part(turn, x, out, at + 1, strcspn(at + 1, "}"), x->parts[part++]);
    for (size_t i = 0; part == 0 && i < sizeof filters / sizeof *filters; i++)
        if (query_get(x, filters[i]) != NULL)
            put_part(turn, x, out, filters[i], strlen(filters[i]), query_get(x, filters[i]));
    json_close(out, '}');
    take_job(turn, x); /* one that was brought back is there only now */
    if (part == 0 && x->trail.record.pool[0] == '\0')
        take_pool(x, x->grant.pools); /* a token of one pool touches nothing else */
}

static void put_to(struct exchange *x, struct json_out *out)
{
    struct recipients to;
    struct json_out json = {0};
    const char *path = x->route->path;
    const char *text = strstr(path, "{to}") != NULL ? x->parts[1] : query_get(x, "to");
    if (text != NULL && recipients_split(text, &to))
        recipients_write(&to, &json);
    put_span(out, "to", (struct span){json.failed ? NULL : json.text, json.failed ? 0 : json.bytes});
    json_out_free(&json);
}

/* What the body asked for: words and numbers that cannot hold a recipient or a message. */
static void put_asked(struct exchange *x, struct json_out *out)
{
    static const char *const names[] = {"for_ms", "pause", "status", "outcome", "mode", "pace_per_min", "line",
                                        "expires_at", "send_after", "pool", "cause"};
    cJSON *body = x->body_bytes == 0 || x->body_bytes > ADMIN_BODY_BYTES_MAX ? NULL : json_parse(x->body, x->body_bytes, NULL);
    const char *reason = json_string(body, "reason");
    json_key(out, "asked");
    json_open(out, '{');
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const cJSON *value = json_get(body, names[i]);
        bool plain = cJSON_IsNumber(value) || cJSON_IsBool(value) || cJSON_IsNull(value) ||
                     (cJSON_IsString(value) && strlen(value->valuestring) <= NAME_MAX_BYTES);
        if (value == NULL || !plain)
            continue;
        json_key(out, names[i]);
        json_put_value(out, value);
    }
    json_close(out, '}');
    json_key(out, "reason");
    if (reason == NULL)
        json_put_null(out);
    else
        json_put_bytes(out, reason, strnlen(reason, REASON_BYTES_MAX - 1));
    cJSON_Delete(body);
}

/* ---- the record ---- */

/* Nothing rather than half of it. */
static struct span written(const struct json_out *json)
{
    return json->failed ? (struct span){NULL, 0} : (struct span){json->text, json->bytes};
}

static bool store_is_full(const struct admin_turn *turn)
{
    const struct admin_shell *shell = &turn->options->shell;
    struct store_facts facts;
    shell->store_facts(shell->self, &facts);
    return facts.full;
}

/* On a full disk, what is left there is for what changes something: a call that was granted and left all as it was writes
 * nothing, for it can be made as often as one likes. */
static bool leaves_all(struct admin_turn *turn, struct exchange *x)
{
    const struct json_out *before = &x->trail.before;
    if (x->trail.told.bytes > 0 || before->failed || before->bytes == 0 || before->text[0] != '{' || !store_is_full(turn))
        return false;
    struct json_out after = {0};
    state_put(turn, x, x->route->path, x->parts, &after);
    bool same = !after.failed && after.bytes == before->bytes && memcmp(after.text, before->text, before->bytes) == 0;
    if (same)
        state_etag(turn, (struct span){after.text, after.bytes}, x->answer.etag);
    json_out_free(&after);
    return same;
}

/* The state after it, whose ETag the answer carries; a refusal none, which would tell of what it refuses to tell of. */
static void put_after(struct admin_turn *turn, struct exchange *x, enum code code, struct json_out *out)
{
    struct json_out after = {0};
    state_put(turn, x, x->route->path, x->parts, &after);
    put_span(out, "after", written(&after));
    if (code == CODE_NONE && !after.failed && after.bytes > 0 && after.text[0] == '{')
        state_etag(turn, (struct span){after.text, after.bytes}, x->answer.etag);
    json_out_free(&after);
}

static void write_record(struct admin_turn *turn, struct exchange *x, enum code code)
{
    struct trail *trail = &x->trail;
    struct json_out *out = &trail->document;
    json_out_clear(out);
    json_open(out, '{');
    json_key(out, "role");
    json_put_string(out, role_name(x->grant.role));
    json_key(out, "call");
    char call[128];
    snprintf(call, sizeof call, "%s %s", x->route->method, x->route->path);
    json_put_string(out, call);
    put_target(turn, x, out);
    put_to(x, out);
    put_asked(x, out);
    put_span(out, "before", written(&trail->before));
    if (trail->told.bytes > 0)
        put_span(out, "after", written(&trail->told));
    else
        put_after(turn, x, code, out);
    put_word(out, "code", code == CODE_NONE ? NULL : code_name(code));
    json_close(out, '}');
    memcpy(trail->record.by, x->grant.name, sizeof trail->record.by);
    if (!out->failed)
        named_hide_json(turn->core, turn->options->hash, x->begun_mono_ms, out->text, out->bytes);
    core_audit(turn->core, &trail->record, written(out), turn->now, turn->out);
}

/* What the core said to this call in this step; NULL: nothing. */
static const struct effect *answer_of(const struct admin_turn *turn, const struct exchange *x)
{
    for (size_t i = turn->out->effect_count; i-- > 0;)
        if (turn->out->effects[i].token == x->token)
            return &turn->out->effects[i];
    return NULL;
}

/* The code of an answer that changed nothing. */
static enum code refusal_of(const struct exchange *x)
{
    struct span body = {x->answer.text.text, x->answer.text.bytes};
    struct span code = view_member(view_member(body, "error"), "code");
    for (enum code at = CODE_NONE + 1; at < CODE_COUNT; at++) {
        const char *name = code_name(at);
        size_t bytes = strlen(name);
        if (code.bytes == bytes + 2 && memcmp((const char *)code.data + 1, name, bytes) == 0)
            return at;
    }
    return CODE_MALFORMED;
}

/* A refusal is written down, too, and then waits like everything else. Not on a full disk: what is left there is for what
 * changes something, and any token can be refused as often as it likes. */
static enum admin_step end_refused(struct admin_turn *turn, struct exchange *x)
{
    if (store_is_full(turn))
        return STEP_DONE;
    x->trail.written = x->trail.ends = true;
    write_record(turn, x, refusal_of(x));
    core_answer(turn->out, x->token);
    return STEP_WAIT;
}

enum admin_step trail_end(struct admin_turn *turn, struct exchange *x, enum admin_step step)
{
    struct trail *trail = &x->trail;
    if (trail->written || trail->looks)
        return step;
    const struct effect *answer = answer_of(turn, x);
    if (answer != NULL || trail->part) {
        trail->allowed = true; /* what follows goes on with what was allowed */
        trail->written = answer != NULL;
        trail->part = false;
        if (answer != NULL && answer->code == CODE_NONE && leaves_all(turn, x))
            return step;
        write_record(turn, x, answer == NULL ? CODE_NONE : answer->code);
        return step;
    }
    return step == STEP_DONE && x->answer.status >= 400 ? end_refused(turn, x) : step;
}
