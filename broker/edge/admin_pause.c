/* admin_pause.c — an operator's pauses: of a line, a pool, an account, a campaign, a conversation, or everything. */
#include <stdio.h>
#include <string.h>

#include "broker/edge/admin_calls.h"
#include "broker/edge/admin_route.h"
#include "broker/edge/named.h"
#include "broker/edge/recipients.h"
#include "lineward/log.h"

#define FOR_MS_MAX (INT64_C(10) * 366 * 86400000) /* as its refusal says */

static enum code find_line(struct admin_turn *turn, const struct exchange *x, char *const parts[2],
                      struct pause_target *target)
{
    enum code code = exchange_line(turn, x, parts[0], &target->target);
    handle_mask(parts[0], target->text);
    target->shown = target->text;
    return code;
}

static enum code find_pool(struct admin_turn *turn, const struct exchange *x, char *const parts[2],
                      struct pause_target *target)
{
    target->pool = conf_pool_find(turn->options->conf, parts[0]);
    target->target = target->pool;
    return target->pool != UINT32_MAX && grant_sees_name(x, parts[0]) ? CODE_NONE : CODE_UNKNOWN_POOL;
}

static enum code find_campaign(struct admin_turn *turn, const struct exchange *x, char *const parts[2],
                      struct pause_target *target)
{
    enum code code = find_pool(turn, x, parts, target);
    uint16_t campaign = core_campaign_find(turn->core, parts[1]);
    if (code != CODE_NONE)
        return code;
    target->target = (uint64_t)target->pool << 16 | campaign;
    snprintf(target->text, sizeof target->text, "%s/%s", parts[0], parts[1]);
    target->shown = target->text;
    return campaign != 0 ? CODE_NONE : CODE_NOT_FOUND;
}

/* As many as fit, parted by commas. */
static void name_recipients(const struct recipients *to, char name[PAUSE_NAME_BYTES])
{
    size_t at = 0;
    for (size_t i = 0; i < to->count; i++) {
        size_t bytes = strlen(to->handles[i]);
        if (at + bytes + 2 > PAUSE_NAME_BYTES)
            return;
        if (i > 0)
            name[at++] = ',';
        memcpy(name + at, to->handles[i], bytes + 1);
        at += bytes;
    }
}

/* Its recipients need never have been written to. */
static enum code find_conversation(struct admin_turn *turn, const struct exchange *x, char *const parts[2],
                      struct pause_target *target)
{
    struct recipients to;
    struct json_out json = {0};
    enum code code = find_pool(turn, x, parts, target);
    if (code != CODE_NONE)
        return code;
    if (!recipients_split(parts[1], &to))
        return CODE_INVALID_RECIPIENT;
    recipients_write(&to, &json);
    bool failed = json.failed;
    if (!failed)
        target->target =
            recipients_conversation(turn->options->hash, parts[0], (struct span){json.text, json.bytes});
    json_out_free(&json);
    name_recipients(&to, target->name);
    handle_mask(to.handles[0], target->text);
    target->shown = target->text;
    return failed ? CODE_BUSY : CODE_NONE;
}

enum code pause_target_find(struct admin_turn *turn, const struct exchange *x, enum pause_scope scope,
                            char *const parts[2], struct pause_target *target)
{
    const struct conf *conf = turn->options->conf;
    *target = (struct pause_target){.scope = scope, .shown = parts[0]};
    switch (scope) {
    case PAUSE_LINE:
        return find_line(turn, x, parts, target);
    case PAUSE_POOL:
        return find_pool(turn, x, parts, target);
    case PAUSE_CAMPAIGN:
        return find_campaign(turn, x, parts, target);
    case PAUSE_CONVERSATION:
        return find_conversation(turn, x, parts, target);
    case PAUSE_ACCOUNT:
        target->target = conf_account_find(conf, parts[0]);
        if (x->grant.pools != NULL) /* an account has lines of other pools too */
            return CODE_FORBIDDEN;
        return target->target != UINT32_MAX ? CODE_NONE : CODE_NOT_FOUND;
    default:
        target->shown = "everything";
        return x->grant.pools == NULL ? CODE_NONE : CODE_FORBIDDEN;
    }
}

static enum code find_target(struct admin_turn *turn, const struct exchange *x, struct pause_target *target)
{
    return pause_target_find(turn, x, (enum pause_scope)x->route->detail, x->parts, target);
}

/* False: answered. */
static bool read_pause(struct exchange *x, const cJSON *body, struct core_pause *pause)
{
    if (!body_reason(x, body, &pause->reason))
        return false;
    if (body_gives(body, "for_ms") &&
        !(json_int(body, "for_ms", &pause->for_ms) && pause->for_ms >= 1 && pause->for_ms <= FOR_MS_MAX)) {
        answer_error(x, CODE_INVALID_FIELD, "for_ms must be a whole number of 1 to 316224000000", "for_ms");
        return false;
    }
    return true;
}

static void log_change(const struct exchange *x, const struct pause_target *target, const char *what)
{
    char name[LOG_QUOTED_MAX]; /* a campaign's is the producer's, who may write anything */
    log_event(LOG_INFO, what, "by=%s scope=%s name=%s", x->grant.name, pause_scope_name(target->scope),
              log_quoted(target->shown, name));
}

static enum admin_step answer_pause(struct admin_turn *turn, struct exchange *x)
{
    struct pause_target target;
    char id[PAUSE_TEXT_MAX];
    if (x->effect.code != CODE_NONE)
        return answer_error(x, x->effect.code, NULL, x->effect.field);
    if (find_target(turn, x, &target) == CODE_NONE)
        log_change(x, &target, "paused");
    pause_text(x->effect.pause, id);
    json_open(&x->answer.text, '{');
    json_key(&x->answer.text, "pause");
    json_put_string(&x->answer.text, id);
    json_close(&x->answer.text, '}');
    return answer_done(x);
}

enum admin_step call_pause(struct admin_turn *turn, struct exchange *x)
{
    if (x->has_effect)
        return answer_pause(turn, x);
    struct pause_target target;
    enum code code = find_target(turn, x, &target);
    if (code != CODE_NONE)
        return answer_error(x, code, NULL, NULL);
    cJSON *body = exchange_body(x);
    if (body == NULL)
        return STEP_DONE;
    struct core_pause pause = {.token = x->token,
                               .scope = target.scope,
                               .target = target.target,
                               .pool = target.pool,
                               .name = target.name,
                               .by = x->grant.name};
    body_hide_reason(turn, body);
    named_hide(turn->core, turn->options->hash, target.name);
    bool ok = read_pause(x, body, &pause);
    if (ok)
        core_pause(turn->core, &pause, turn->now, turn->out);
    cJSON_Delete(body);
    return ok ? STEP_WAIT : STEP_DONE;
}

/* Also of a name that nobody ever used in this pool: whether one is used in another is not to be guessed. */
static enum admin_step answer_no_pause(struct exchange *x)
{
    return answer_error(x, CODE_NOT_FOUND, "there is no such pause in force", NULL);
}

static enum admin_step answer_resume(struct admin_turn *turn, struct exchange *x)
{
    static const char text[] = "{\"resumed\":true}";
    struct pause_target target;
    if (x->effect.code == CODE_NOT_FOUND)
        return answer_no_pause(x);
    if (x->effect.code != CODE_NONE)
        return answer_error(x, x->effect.code, NULL, x->effect.field);
    if (find_target(turn, x, &target) == CODE_NONE)
        log_change(x, &target, "resumed");
    return answer_text(x, 200, NULL, text, sizeof text - 1);
}

enum admin_step call_resume(struct admin_turn *turn, struct exchange *x)
{
    if (x->has_effect)
        return answer_resume(turn, x);
    struct pause_target target;
    uint64_t pause = 0; /* all of them */
    enum code code = find_target(turn, x, &target);
    if (code != CODE_NONE)
        return code == CODE_NOT_FOUND ? answer_no_pause(x) : answer_error(x, code, NULL, NULL);
    cJSON *body = exchange_body(x);
    if (body == NULL)
        return STEP_DONE;
    const char *text = json_string(body, "pause");
    bool ok = !body_gives(body, "pause") || (text != NULL && pause_text_parse(text, &pause));
    cJSON_Delete(body);
    if (!ok)
        return answer_error(x, CODE_INVALID_FIELD, "pause must be the name of one, as GET /v1/pauses has it",
                            "pause");
    core_resume(turn->core, x->token, target.scope, target.target, pause, turn->now, turn->out);
    return STEP_WAIT;
}
