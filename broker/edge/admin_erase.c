/* admin_erase.c — erasing a recipient: the order, and how far it is. The recipient stands in the body alone, so that no
 * log and no path has it; no answer repeats it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/edge/admin_calls.h"
#include "broker/edge/named.h"
#include "broker/edge/view_put.h"
#include "lineward/log.h"

#define ID_PREFIX "e_"

/* What no call of ours reaches. */
static const char *const elsewhere[] = {
    "backups taken before it was done",
    "exports and files of dead letters, events or audit records, and the files that jobs were enqueued from",
    "what outcome webhooks and followers of events were told: a job's id and meta",
    "the provider, with the messages themselves, and workers' and producers' own logs",
    "free blocks of the disk, until they are written again",
};

static const char *state_name(const struct erasure_view *view)
{
    static const char *const names[ERASURE_STATE_COUNT] = {[ERASURE_FINDING] = "finding",
                                                           [ERASURE_ENDING] = "ending",
                                                           [ERASURE_REWRITING] = "rewriting",
                                                           [ERASURE_DONE] = "done"};
    return names[view->state];
}

static void put_id(struct json_out *out, uint64_t id)
{
    char text[32];
    snprintf(text, sizeof text, ID_PREFIX "%" PRIu64, id);
    put_word(out, "erasure", text);
}

static void put_elsewhere(struct json_out *out)
{
    json_key(out, "elsewhere");
    json_open(out, '[');
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
        json_put_string(out, elsewhere[i]);
    json_close(out, ']');
}

static void put_erasure(struct admin_turn *turn, struct json_out *out, const struct erasure_view *view)
{
    const struct admin_shell *shell = &turn->options->shell;
    uint64_t total = 0, done = 0;
    bool known = shell->erasing != NULL && shell->erasing(shell->self, view->id, &total, &done) && total > 0;
    json_open(out, '{');
    put_id(out, view->id);
    put_word(out, "state", state_name(view));
    json_key(out, "dry_run");
    json_put_bool(out, view->dry_run);
    put_word(out, "by", view->by);
    put_time(out, "begun_at", view->begun_ms);
    put_time(out, "done_at", view->done_ms);
    put_count(out, "jobs", view->jobs);
    put_count(out, "jobs_out", view->jobs_out);
    put_count(out, "conversations", view->conversations);
    put_count(out, "records", view->records);
    json_key(out, "percent");
    if (known)
        json_put_int(out, (int64_t)(done * 100 / total));
    else
        json_put_null(out);
    put_elsewhere(out);
    json_close(out, '}');
}

/* ---- the order ---- */

/* All accounts and pools, in what is done and in what is counted: not for a token of some pools. False: answered. */
static bool may_erase(struct exchange *x)
{
    if (x->grant.pools == NULL)
        return true;
    answer_error(x, CODE_FORBIDDEN, "a recipient is erased from every pool: erasures need a token of all pools", NULL);
    return false;
}

/* False: answered. */
static bool read_order(struct exchange *x, const cJSON *body, struct recipients *to, bool *dry_run)
{
    const char *reason = NULL;
    const char *text = json_string(body, "to");
    if (text == NULL || !recipients_split(text, to) || to->count != 1) {
        answer_error(x, CODE_INVALID_RECIPIENT, "to must be one recipient: E.164 such as +14155550111, or an e-mail address",
                     "to");
        return false;
    }
    if (body_gives(body, "dry_run") && !cJSON_IsBool(json_get(body, "dry_run"))) {
        answer_error(x, CODE_INVALID_FIELD, "dry_run must be true or false", "dry_run");
        return false;
    }
    *dry_run = json_bool(body, "dry_run", false);
    if (!body_reason(x, body, &reason))
        return false;
    if (*reason == '\0' && !*dry_run) {
        answer_error(x, CODE_INVALID_FIELD, "reason must be a text of 1 to 199 bytes: it is kept in the audit", "reason");
        return false;
    }
    return true;
}

/* What the audit has as the state after it: which order it was, for nothing else there says whom it is about. */
static void tell(const struct admin_turn *turn, struct exchange *x)
{
    struct json_out *out = &x->trail.told;
    const struct effect *answer = &turn->out->effects[turn->out->effect_count - 1];
    json_out_clear(out);
    if (answer->code != CODE_NONE)
        return;
    json_open(out, '{');
    put_id(out, answer->number);
    json_close(out, '}');
}

static bool ask(struct admin_turn *turn, struct exchange *x, const struct recipients *to, bool dry_run)
{
    const struct conf *conf = turn->options->conf;
    const struct keyed_hash *hash = turn->options->hash;
    uint64_t *keys = calloc(CONF_POOLS_MAX + CONF_ACCOUNTS_MAX, sizeof *keys);
    if (keys == NULL)
        return false;
    uint64_t *recipients = keys + CONF_POOLS_MAX;
    struct core_erase erase = {.token = x->token,
                               .person = named_person(hash, to->handles[0]),
                               .recipients = recipients,
                               .recipient_count = conf->account_count,
                               .keys = keys,
                               .dry_run = dry_run,
                               .by = x->grant.name};
    for (uint32_t a = 0; a < conf->account_count; a++) {
        recipients[a] = recipients_direct(hash, conf->accounts[a].name, to);
        erase.key_count += recipients_homes(hash, conf, a, to->handles[0], keys + erase.key_count);
    }
    core_erase(turn->core, &erase, turn->now, turn->out);
    tell(turn, x);
    free(keys);
    return true;
}

static enum admin_step answer_order(struct admin_turn *turn, struct exchange *x)
{
    struct erasure_view view;
    if (x->effect.code != CODE_NONE)
        return answer_error(x, x->effect.code, "too many erasures are still to be done", NULL);
    if (!core_erasure_view(turn->core, x->effect.number, &view))
        return answer_error(x, CODE_NOT_FOUND, NULL, NULL);
    log_event(LOG_INFO, view.dry_run ? "erasure_rehearsed" : "erasure_ordered", "by=%s erasure=%" PRIu64, x->grant.name,
              view.id);
    put_erasure(turn, &x->answer.text, &view);
    enum admin_step step = answer_done(x);
    x->answer.status = 202;
    return step;
}

enum admin_step call_erase(struct admin_turn *turn, struct exchange *x)
{
    struct recipients to;
    bool dry_run = false;
    if (x->has_effect)
        return answer_order(turn, x);
    cJSON *body = may_erase(x) ? exchange_body(x) : NULL;
    if (body == NULL)
        return STEP_DONE;
    bool good = read_order(x, body, &to, &dry_run);
    cJSON_Delete(body);
    if (!good)
        return STEP_DONE;
    return ask(turn, x, &to, dry_run) ? STEP_WAIT : answer_error(x, CODE_BUSY, "out of memory", NULL);
}

/* ---- views ---- */

enum admin_step call_erasures(struct admin_turn *turn, struct exchange *x)
{
    struct json_out *out = &x->answer.text;
    struct erasure_view view;
    uint64_t limit, after;
    if (!may_erase(x))
        return STEP_DONE;
    if (!query_number(x, "limit", 1, ADMIN_PAGE_MAX, ADMIN_PAGE_DEFAULT, &limit) ||
        !query_number(x, "after", 1, UINT64_MAX, UINT64_MAX, &after))
        return STEP_DONE;
    json_open(out, '{');
    json_key(out, "erasures");
    json_open(out, '[');
    for (; limit > 0 && (after = core_erasure_before(turn->core, after)) != 0; limit--)
        if (core_erasure_view(turn->core, after, &view))
            put_erasure(turn, out, &view);
    json_close(out, ']');
    char next[24];
    snprintf(next, sizeof next, "%" PRIu64, after);
    json_key(out, "next");
    json_put_string(out, after != 0 && core_erasure_before(turn->core, after) != 0 ? next : NULL);
    json_close(out, '}');
    return answer_done(x);
}

enum admin_step call_erasure(struct admin_turn *turn, struct exchange *x)
{
    struct erasure_view view;
    const char *digits = strncmp(x->parts[0], ID_PREFIX, 2) == 0 ? x->parts[0] + 2 : "";
    char *end = NULL;
    uint64_t id = strtoull(digits, &end, 10);
    bool given = *digits >= '1' && *digits <= '9' && *end == '\0';
    if (!may_erase(x))
        return STEP_DONE;
    if (!given || !core_erasure_view(turn->core, id, &view))
        return answer_error(x, CODE_NOT_FOUND, "no erasure of that number is known", NULL);
    put_erasure(turn, &x->answer.text, &view);
    return answer_done(x);
}
