/* admin_suppressions.c — who must not be sent to, account-wide: pages of them, and an operator's word. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/edge/admin_calls.h"
#include "broker/edge/admin_state.h"
#include "broker/edge/named.h"
#include "broker/edge/recipients.h"
#include "lineward/log.h"

#define SLOTS_PER_STEP 256

/* The account that the path names. False: answered. It concerns all pools of the account, so the token must, too. */
static bool find_account(const struct admin_turn *turn, struct exchange *x, uint32_t *out)
{
    *out = conf_account_find(turn->options->conf, x->parts[0]);
    if (x->grant.pools != NULL) {
        answer_error(x, CODE_FORBIDDEN, "an account's suppressions concern pools that this token may not see", NULL);
        return false;
    }
    if (*out == UINT32_MAX)
        answer_error(x, CODE_NOT_FOUND, "there is no such account", NULL);
    return *out != UINT32_MAX;
}

/* ---- the list ---- */

struct listing {
    struct admin_turn *turn;
    struct exchange *x;
    size_t left;
};

static void put(void *self, const struct suppression_view *view)
{
    struct listing *listing = self;
    char etag[ETAG_TEXT_MAX];
    char *const parts[2] = {listing->x->parts[0], (char *)(uintptr_t)view->text.recipient}; /* only read */
    view_suppression(&listing->x->answer.text, view, listing->x->grant.role == ROLE_VIEWER);
    if (state_etag_of(listing->turn, listing->x, "/v1/suppressions/{account}/{to}", parts, etag))
        state_append_etag(&listing->x->answer.text, etag);
    listing->left--;
}

static bool list_open(struct exchange *x)
{
    uint64_t limit = 0;
    if (!query_number(x, "limit", 1, ADMIN_PAGE_MAX, ADMIN_PAGE_DEFAULT, &limit) ||
        !query_number(x, "after", 0, UINT32_MAX, 0, &x->cursor))
        return false;
    x->limit = (size_t)limit;
    json_open(&x->answer.text, '{');
    json_key(&x->answer.text, "suppressions");
    json_open(&x->answer.text, '[');
    x->phase = 1;
    return true;
}

static enum admin_step list_close(struct exchange *x, bool more)
{
    struct json_out *out = &x->answer.text;
    char next[24];
    snprintf(next, sizeof next, "%" PRIu64, x->cursor);
    json_close(out, ']');
    json_key(out, "next");
    json_put_string(out, more ? next : NULL);
    json_close(out, '}');
    return answer_done(x);
}

enum admin_step call_suppressions(struct admin_turn *turn, struct exchange *x)
{
    uint32_t account;
    if (!find_account(turn, x, &account) || (x->phase == 0 && !list_open(x)))
        return STEP_DONE;
    uint32_t cursor = (uint32_t)x->cursor;
    struct listing listing = {.turn = turn, .x = x, .left = x->limit};
    uint32_t slots = x->limit < SLOTS_PER_STEP ? (uint32_t)x->limit : SLOTS_PER_STEP; /* a slot gives one at most */
    bool more = core_suppressions_walk(turn->core, account, &cursor, slots, put, &listing);
    x->cursor = cursor;
    x->limit = listing.left;
    return more && x->limit > 0 ? STEP_MORE : list_close(x, more);
}

/* ---- an operator's word ---- */

/* Whom the path names. False: answered. */
static bool find_recipients(struct exchange *x, struct recipients *out)
{
    if (!recipients_split(x->parts[1], out)) {
        answer_error(x, CODE_INVALID_RECIPIENT, NULL, "to");
        return false;
    }
    return true;
}

static bool find_recipient(struct exchange *x, struct recipients *out)
{
    if (!find_recipients(x, out))
        return false;
    if (out->count != 1)
        answer_error(x, CODE_INVALID_FIELD, "a group is never suppressed: name one recipient", "to");
    return out->count == 1;
}

/* {"cause","reason"}; both words are bounded. NULL: answered. The caller's, to be deleted. */
static cJSON *read_body(struct admin_turn *turn, struct exchange *x, const char **reason)
{
    const char *why = "a JSON object is expected";
    cJSON *body = json_parse(x->body != NULL ? x->body : "", x->body_bytes, &why);
    const cJSON *cause = json_get(body, "cause");
    body_hide_reason(turn, body);
    *reason = json_string(body, "reason");
    if (!cJSON_IsObject(body))
        answer_error(x, CODE_MALFORMED, why, NULL);
    else if (cause != NULL && (!cJSON_IsString(cause) || strcmp(cause->valuestring, "operator") != 0))
        answer_error(x, CODE_INVALID_FIELD, "cause must be operator: the others are the provider's and the recipient's",
                     "cause");
    else if (*reason == NULL || **reason == '\0' || strlen(*reason) >= REASON_TEXT_MAX)
        answer_error(x, CODE_INVALID_FIELD, "reason must be a text of 1 to 199 bytes", "reason");
    else
        return body;
    cJSON_Delete(body);
    return NULL;
}

static void log_change(const struct exchange *x, const char *what)
{
    char masked[HANDLE_MAX_BYTES + 1];
    handle_mask(x->parts[1], masked);
    log_event(LOG_INFO, what, "by=%s account=%s recipient=%s", x->grant.name, x->parts[0], masked);
}

static enum admin_step answer_change(struct exchange *x, const char *what, const char *text)
{
    if (x->effect.code == CODE_NOT_FOUND)
        return answer_error(x, CODE_NOT_FOUND, "the recipient is not suppressed", NULL);
    if (x->effect.code != CODE_NONE)
        return answer_error(x, x->effect.code, NULL, NULL);
    log_change(x, what);
    return answer_text(x, 200, NULL, text, strlen(text));
}

enum admin_step call_suppress(struct admin_turn *turn, struct exchange *x)
{
    uint32_t account;
    struct recipients to;
    const char *reason = NULL;
    if (x->has_effect)
        return answer_change(x, "suppressed", "{\"suppressed\":true}");
    cJSON *body = find_account(turn, x, &account) && find_recipient(x, &to) ? read_body(turn, x, &reason) : NULL;
    if (body == NULL)
        return STEP_DONE;
    uint64_t conversations[CONF_POOLS_MAX];
    struct core_suppress suppress = {
        .token = x->token,
        .account = account,
        .recipient = recipients_direct(turn->options->hash, turn->options->conf->accounts[account].name, &to),
        .handle = named_unless_erased(turn->core, turn->options->hash, to.handles[0]),
        .reason = reason,
        .by = x->grant.name,
        .conversations = conversations,
        .conversation_count =
            recipients_homes(turn->options->hash, turn->options->conf, account, to.handles[0], conversations)};
    core_suppress(turn->core, &suppress, turn->now, turn->out);
    cJSON_Delete(body);
    return STEP_WAIT;
}

/* Of a group, what was kept of it when a recipient of it was erased. */
enum admin_step call_unsuppress(struct admin_turn *turn, struct exchange *x)
{
    uint32_t account;
    struct recipients to;
    const char *reason = NULL;
    if (x->has_effect)
        return answer_change(x, "unsuppressed", "{\"suppressed\":false}");
    cJSON *body = find_account(turn, x, &account) && find_recipients(x, &to) ? read_body(turn, x, &reason) : NULL;
    if (body == NULL)
        return STEP_DONE;
    cJSON_Delete(body);
    uint64_t conversations[CONF_POOLS_MAX];
    const struct core_suppress suppress = {
        .token = x->token,
        .account = account,
        .recipient = recipients_direct(turn->options->hash, turn->options->conf->accounts[account].name, &to),
        .handle = to.handles[0],
        .conversations = conversations,
        .conversation_count =
            recipients_conversations(turn->options->hash, turn->options->conf, account, &to, conversations)};
    core_unsuppress(turn->core, &suppress, turn->now, turn->out);
    return STEP_WAIT;
}
