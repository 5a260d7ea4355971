/* admin_state.c — see admin_state.h. */
#include "broker/edge/admin_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "broker/edge/admin_calls.h"
#include "broker/edge/admin_route.h"
#include "broker/edge/recipients.h"
#include "broker/edge/view_put.h"

#define PAUSES_SHOWN_MAX 32 /* of one thing; of more the youngest, and how many there are: no change goes unseen */

/* ---- the members ---- */

static void put_pauses(struct admin_turn *turn, struct json_out *out, const struct pause_target *target)
{
    const struct change_pause *pauses[PAUSES_SHOWN_MAX];
    size_t count = core_pauses_on(turn->core, target->scope, target->target, pauses, PAUSES_SHOWN_MAX);
    json_key(out, "pauses");
    json_open(out, '[');
    for (size_t i = 0; i < count && i < PAUSES_SHOWN_MAX; i++) {
        char id[PAUSE_TEXT_MAX];
        pause_text(pauses[i]->id, id);
        json_open(out, '{');
        put_word(out, "pause", id);
        put_word(out, "reason", pauses[i]->reason[0] != '\0' ? pauses[i]->reason : NULL);
        put_word(out, "by", pauses[i]->by[0] != '\0' ? pauses[i]->by : NULL);
        put_time(out, "until", pauses[i]->until_ms);
        json_close(out, '}');
    }
    json_close(out, ']');
    if (count > PAUSES_SHOWN_MAX)
        put_count(out, "pause_count", count);
}

static void put_orders(struct json_out *out, const struct change_orders *orders)
{
    static const struct change_orders none;
    if (orders == NULL)
        orders = &none;
    json_key(out, "reputation");
    if (orders->word_since_ms == 0) {
        json_put_null(out);
    } else {
        json_open(out, '{');
        put_word(out, "status", reputation_name((enum reputation)orders->word));
        put_word(out, "by", orders->word_by);
        put_time(out, "until", orders->word_until_ms);
        json_close(out, '}');
    }
    json_key(out, "drain");
    if (orders->drain == DRAIN_NONE) {
        json_put_null(out);
        return;
    }
    json_open(out, '{');
    put_word(out, "mode", drain_name((enum drain)orders->drain));
    put_word(out, "by", orders->drain_by);
    put_time(out, "since", orders->drain_since_ms);
    put_drain_pace(out, orders);
    put_word(out, "order", orders->drain == DRAIN_RAMP ? drain_order_name((enum drain_order)orders->drain_order) : NULL);
    json_close(out, '}');
}

/* ---- one function for each kind of thing; null is written by state_put() where they say false ---- */

static bool put_pausable(struct admin_turn *turn, struct exchange *x, char *const parts[2], struct json_out *out,
                         enum pause_scope scope)
{
    struct pause_target target;
    if (pause_target_find(turn, x, scope, parts, &target) != CODE_NONE)
        return false;
    json_open(out, '{');
    put_pauses(turn, out, &target);
    json_close(out, '}');
    return true;
}

static bool put_all(struct admin_turn *turn, struct exchange *x, char *const parts[2],
                                  struct json_out *out)
{
    return put_pausable(turn, x, parts, out, PAUSE_ALL);
}

static bool put_pool_state(struct admin_turn *turn, struct exchange *x, char *const parts[2],
                                  struct json_out *out)
{
    return put_pausable(turn, x, parts, out, PAUSE_POOL);
}

static bool put_account_state(struct admin_turn *turn, struct exchange *x, char *const parts[2],
                                  struct json_out *out)
{
    return put_pausable(turn, x, parts, out, PAUSE_ACCOUNT);
}

static bool put_campaign_state(struct admin_turn *turn, struct exchange *x, char *const parts[2],
                                  struct json_out *out)
{
    return put_pausable(turn, x, parts, out, PAUSE_CAMPAIGN);
}

static bool put_line_state(struct admin_turn *turn, struct exchange *x, char *const parts[2],
                                  struct json_out *out)
{
    struct pause_target target;
    size_t index;
    struct line_view view;
    if (pause_target_find(turn, x, PAUSE_LINE, parts, &target) != CODE_NONE ||
        !core_line_find(turn->core, target.target, &index) || !core_line_view(turn->core, index, turn->now, &view))
        return false;
    json_open(out, '{');
    put_pauses(turn, out, &target);
    json_key(out, "cordoned");
    json_put_bool(out, view.cordoned);
    put_orders(out, view.orders);
    json_close(out, '}');
    return true;
}

/* One that nobody has written to yet has pauses all the same. */
static bool put_conversation_state(struct admin_turn *turn, struct exchange *x, char *const parts[2],
                                  struct json_out *out)
{
    struct pause_target target;
    struct conversation_view view = {.line = 0};
    if (pause_target_find(turn, x, PAUSE_CONVERSATION, parts, &target) != CODE_NONE)
        return false;
    bool known = core_conversation_view(turn->core, target.target, &view);
    json_open(out, '{');
    put_line(out, "line", known ? view.line : 0);
    json_key(out, "placed");
    json_put_bool(out, known && view.placed);
    put_pauses(turn, out, &target);
    json_close(out, '}');
    return true;
}

/* Of a job that is not live nobody here knows whether there ever was one, nor, by its number, in which pool: a token of
 * some pools must not learn it either. So a number that tells it nothing is `live` false, whatever it is of. */
static bool may_have_ended(const struct exchange *x, const struct lookup_job *job)
{
    struct job_ref ref;
    if (!job_ref_parse(x->parts[0], &ref))
        return false;
    return ref.number != 0 || (job->number != 0 && grant_sees_name(x, ref.pool));
}

/* Only of a path that is the exchange's own. */
static bool put_job_state(struct admin_turn *turn, struct exchange *x, char *const parts[2],
                                  struct json_out *out)
{
    struct lookup_job job;
    (void)parts;
    exchange_job(turn, x, false, &job);
    bool shown = job.is_live && grant_sees_pool(turn, x, job.view.pool);
    if (!shown && !may_have_ended(x, &job))
        return false;
    json_open(out, '{');
    json_key(out, "live");
    json_put_bool(out, shown);
    if (shown) {
        json_key(out, "cancel_asked");
        json_put_bool(out, job.view.cancel_asked);
        json_key(out, "outcome_unknown");
        json_put_bool(out, job.view.unsettled);
        put_time(out, "expires_at", job.view.expires_ms);
    }
    json_close(out, '}');
    return true;
}

/* Of a group, or if they are not suppressed themselves, what is kept of their conversations. */
static bool find_suppression(const struct admin_turn *turn, uint32_t account, const struct recipients *to,
                             struct suppression_view *out)
{
    const struct conf *conf = turn->options->conf;
    const struct keyed_hash *hash = turn->options->hash;
    uint64_t recipient = recipients_direct(hash, conf->accounts[account].name, to);
    uint64_t keys[CONF_POOLS_MAX];
    if (core_suppression_view(turn->core, account, recipient, out))
        return true;
    return core_suppression_kept(turn->core, account, keys, recipients_conversations(hash, conf, account, to, keys), out);
}

static bool put_suppression_state(struct admin_turn *turn, struct exchange *x, char *const parts[2],
                                  struct json_out *out)
{
    const struct conf *conf = turn->options->conf;
    struct recipients to;
    struct suppression_view view;
    uint32_t account = conf_account_find(conf, parts[0]);
    if (x->grant.pools != NULL || account == UINT32_MAX || !recipients_split(parts[1], &to))
        return false;
    json_open(out, '{');
    json_key(out, "suppression");
    if (find_suppression(turn, account, &to, &view))
        view_suppression(out, &view, true);
    else
        json_put_null(out);
    json_close(out, '}');
    return true;
}

/* ---- which of them ---- */

static const struct {
    const char *path; /* the call's, or where it begins, up to a slash */
    bool (*put)(struct admin_turn *turn, struct exchange *x, char *const parts[2],
                                  struct json_out *out);
} things[] = {
    {"/v1/pause", put_all},
    {"/v1/resume", put_all},
    {"/v1/lines/{line}", put_line_state},
    {"/v1/pools/{pool}", put_pool_state},
    {"/v1/accounts/{account}", put_account_state},
    {"/v1/campaigns/{pool}/{campaign}", put_campaign_state},
    {"/v1/conversations/{pool}/{to}", put_conversation_state},
    {"/v1/suppressions/{account}/{to}", put_suppression_state},
    {"/v1/jobs/{id}", put_job_state},
    {"/v1/dead/{id}", put_job_state},
};

#define THINGS (sizeof things / sizeof *things)

static size_t thing_of(const char *path)
{
    for (size_t i = 0; i < THINGS; i++) {
        size_t bytes = strlen(things[i].path);
        char end = strncmp(path, things[i].path, bytes) == 0 ? path[bytes] : '?';
        if (end == '\0' || end == '/')
            return i;
    }
    return THINGS;
}

void state_put(struct admin_turn *turn, struct exchange *x, const char *path, char *const parts[2], struct json_out *out)
{
    size_t at = thing_of(path);
    if (at == THINGS || !things[at].put(turn, x, parts, out))
        json_put_null(out);
}

/* ---- ETags ---- */

static bool is_state(struct span state)
{
    return state.bytes > 0 && ((const char *)state.data)[0] == '{';
}

void state_etag(const struct admin_turn *turn, struct span state, char out[ETAG_TEXT_MAX])
{
    uint64_t hash = keyed_hash(turn->options->hash, KEYED_STATE, NULL, state.data, state.bytes);
    snprintf(out, ETAG_TEXT_MAX, "\"%016" PRIx64 "\"", hash);
}

bool state_etag_of(struct admin_turn *turn, struct exchange *x, const char *path, char *const parts[2],
                   char out[ETAG_TEXT_MAX])
{
    struct json_out state = {0};
    state_put(turn, x, path, parts, &state);
    struct span span = {state.text, state.bytes};
    bool known = !state.failed && is_state(span);
    out[0] = '\0';
    if (known)
        state_etag(turn, span, out);
    json_out_free(&state);
    return known;
}

void state_pauses_etag(const struct admin_turn *turn, char out[ETAG_TEXT_MAX])
{
    char text[32];
    int bytes = snprintf(text, sizeof text, "pauses %016" PRIx64, core_pauses_mark(turn->core));
    state_etag(turn, (struct span){text, (size_t)bytes}, out);
}

/* One of the comma list, with its quotes or as views show it. A weak one (W/"...") is none of ours. */
static bool lists(const char *list, const char *etag)
{
    size_t bytes = strlen(etag);
    for (const char *at = list; *at != '\0';) {
        at += strspn(at, " \t,");
        size_t length = strcspn(at, " \t,");
        if ((length == bytes && memcmp(at, etag, bytes) == 0) ||
            (length == bytes - 2 && memcmp(at, etag + 1, bytes - 2) == 0))
            return true;
        at += length;
    }
    return false;
}

/* Who pauses or resumes may have looked at the list of pauses instead of the thing. */
static bool matches_pauses(const struct admin_turn *turn, const struct exchange *x)
{
    char etag[ETAG_TEXT_MAX];
    state_pauses_etag(turn, etag);
    return (x->route->handle == call_pause || x->route->handle == call_resume) && lists(x->if_match, etag);
}

bool state_matches(const struct admin_turn *turn, const struct exchange *x, struct span state)
{
    char etag[ETAG_TEXT_MAX];
    if (!is_state(state)) /* what is not there is refused for that; what never has a state cannot be compared */
        return thing_of(x->route->path) != THINGS;
    state_etag(turn, state, etag);
    return strcmp(x->if_match, "*") == 0 || lists(x->if_match, etag) || matches_pauses(turn, x);
}

void state_append_etag(struct json_out *out, const char *etag)
{
    if (etag[0] == '\0' || out->bytes == 0 || out->text[out->bytes - 1] != '}')
        return;
    out->bytes--;
    json_key(out, "etag");
    json_put_bytes(out, etag + 1, strlen(etag) - 2); /* without its quotes */
    json_close(out, '}');
}
