/* admin_select.c — see admin_select.h. */
#include "broker/edge/admin_select.h"

#include <stdio.h>
#include <string.h>

static bool read_to(struct exchange *x, struct selection *selection)
{
    const char *text = query_get(x, "to");
    size_t bytes = 0;
    unsigned count = 0;
    for (bool more = text != NULL; more;) {
        char one[HANDLE_MAX_BYTES + 1], handle[HANDLE_MAX_BYTES + 1];
        size_t length = strcspn(text, ",");
        bool ok = length <= HANDLE_MAX_BYTES && ++count <= WIRE_RECIPIENTS_MAX;
        if (ok) {
            memcpy(one, text, length);
            one[length] = '\0';
            ok = handle_normalize(one, handle);
        }
        if (!ok) {
            answer_error(x, CODE_INVALID_RECIPIENT, NULL, "to");
            return false;
        }
        bytes += (size_t)snprintf(selection->to + bytes, sizeof selection->to - bytes, "%s%s", count > 1 ? "," : "", handle);
        more = text[length] == ',';
        text += length + more;
    }
    selection->has_to = count > 0;
    return true;
}

static bool read_state(struct exchange *x, struct selection *selection)
{
    enum job_state state;
    selection->state = query_get(x, "state");
    if (selection->state == NULL)
        return true;
    if (!view_state_is_word(selection->state)) {
        answer_error(x, CODE_INVALID_FIELD, "state must be scheduled, queued, held, leased, sent, failed, expired, cancelled or "
                                            "suppressed", "state");
        return false;
    }
    selection->only_final = job_state_parse(selection->state, &state) && job_state_is_final(state);
    selection->only_live = !selection->only_final;
    selection->final_state = selection->only_final ? state : JOB_NONE;
    return true;
}

static bool read_reason(struct exchange *x, struct selection *selection)
{
    const char *text = query_get(x, "reason");
    if (text == NULL)
        return true;
    selection->only_live = true; /* a finished job has none */
    if (reason_parse(text, &selection->reason) && selection->reason != REASON_NONE)
        return true;
    answer_error(x, CODE_INVALID_FIELD, "reason must be one that a job waits for, such as paused, line_critical or not_yet_due",
                 "reason");
    return false;
}

static bool read_place(struct admin_turn *turn, struct exchange *x, struct selection *selection)
{
    const char *pool = query_get(x, "pool"), *line = query_get(x, "line");
    if (pool != NULL) {
        selection->has_pool = true;
        selection->pool = conf_pool_find(turn->options->conf, pool);
        if (selection->pool == UINT32_MAX || !grant_sees_name(x, pool)) {
            answer_error(x, CODE_UNKNOWN_POOL, NULL, "pool");
            return false;
        }
    }
    if (line != NULL && !line_text_parse(line, &selection->line)) {
        answer_error(x, CODE_INVALID_FIELD, "line must be a number in E.164 form", "line");
        return false;
    }
    return true;
}

bool selection_read(struct admin_turn *turn, struct exchange *x, struct selection *selection)
{
    return read_place(turn, x, selection) && read_state(x, selection) && read_reason(x, selection) &&
           read_to(x, selection);
}

/* ---- what only those that wait can be chosen by ---- */

static bool read_class(struct exchange *x, struct selection *selection)
{
    const char *text = query_get(x, "class");
    selection->has_class = text != NULL;
    if (text == NULL || job_class_parse(text, &selection->class))
        return true;
    answer_error(x, CODE_INVALID_FIELD, "class must be reply, transactional, followup or campaign", "class");
    return false;
}

static bool read_account(struct admin_turn *turn, struct exchange *x, struct selection *selection)
{
    const char *text = query_get(x, "account");
    if (text == NULL)
        return true;
    selection->has_account = true;
    selection->account = conf_account_find(turn->options->conf, text);
    if (selection->account != UINT32_MAX && grant_sees_account(turn, x, text))
        return true;
    answer_error(x, CODE_NOT_FOUND, "there is no such account", "account");
    return false;
}

static bool read_moments(struct exchange *x, struct selection *selection)
{
    return query_moment(x, "accepted_after", &selection->accepted_from_ms) &&
           query_moment(x, "accepted_before", &selection->accepted_to_ms) &&
           query_moment(x, "expires_after", &selection->expires_from_ms) &&
           query_moment(x, "expires_before", &selection->expires_to_ms);
}

/* Everything there is must be said in so many words. */
static bool chooses(struct exchange *x)
{
    static const char *const names[] = {SELECTION_FILTERS};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (query_get(x, names[i]) != NULL)
            return true;
    answer_error(x, CODE_INVALID_FIELD, "say which jobs: by pool, line, account, campaign, class, state, reason, to, "
                                        "accepted_before, accepted_after, expires_before or expires_after", NULL);
    return false;
}

bool selection_read_waiting(struct admin_turn *turn, struct exchange *x, struct selection *selection)
{
    if (!chooses(x) || !selection_read(turn, x, selection) || !read_class(x, selection) ||
        !read_account(turn, x, selection) || !read_moments(x, selection))
        return false;
    selection->campaign = query_get(x, "campaign");
    if (!selection->only_final)
        return true;
    answer_error(x, CODE_INVALID_FIELD, "state must be scheduled, queued or held: in that one a job is over", "state");
    return false;
}

/* ---- choosing ---- */

static bool expires_then(const struct selection *selection, int64_t expires_ms)
{
    if (selection->expires_from_ms == 0 && selection->expires_to_ms == 0)
        return true;
    return expires_ms != 0 && expires_ms >= selection->expires_from_ms &&
           (selection->expires_to_ms == 0 || expires_ms < selection->expires_to_ms);
}

static bool is_of_campaign(const struct admin_turn *turn, const char *campaign, const struct job_view *view)
{
    const char *name = view->campaign != 0 ? core_name(turn->core, NAME_CAMPAIGN, view->campaign) : NULL;
    return campaign == NULL || (name != NULL && strcmp(name, campaign) == 0);
}

static bool is_of_account(const struct admin_turn *turn, uint32_t account, uint32_t pool)
{
    const struct conf *conf = turn->options->conf;
    return pool < conf->pool_count && conf->pools[pool].account == account;
}

bool selection_takes(struct admin_turn *turn, const struct exchange *x, const struct selection *selection,
                     const struct job_view *view)
{
    return (!selection->has_pool || view->pool == selection->pool) &&
           (selection->line == 0 || view->line == selection->line) &&
           (selection->reason == REASON_NONE || view->reason == selection->reason) &&
           (selection->state == NULL || strcmp(selection->state, view_state(view->state, view->reason)) == 0) &&
           (!selection->has_class || view->class == selection->class) && expires_then(selection, view->expires_ms) &&
           is_of_campaign(turn, selection->campaign, view) &&
           (!selection->has_account || is_of_account(turn, selection->account, view->pool)) &&
           grant_sees_pool(turn, x, view->pool);
}

const char *selection_to(const struct selection *selection)
{
    return selection->has_to ? selection->to : NULL;
}

bool selection_asks_disk(const struct selection *selection)
{
    return selection->has_to || selection->accepted_from_ms != 0 || selection->accepted_to_ms != 0;
}
