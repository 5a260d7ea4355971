/* promise.c — see promise.h. */
#include "tools/demo/promise.h"

#include <stdio.h>
#include <string.h>

#include "lineward/clock.h"

/* The place in the plan; plan->job_count: there is none. */
static size_t last_of_campaign(const struct plan *plan, size_t pool)
{
    for (size_t at = plan->backlog_count; at-- > 0;)
        if (plan->jobs[at].class == CLASS_CAMPAIGN && plan->conversations[plan->jobs[at].conversation].pool == pool)
            return at;
    return plan->job_count;
}

/* cJSON_Delete() it; NULL: there is no answer. */
static cJSON *view_of(const struct promise *promise, struct web *admin)
{
    char path[128];
    cJSON *view = NULL;
    snprintf(path, sizeof path, "/v1/jobs/%s%%2F%s", promise->pool, promise->id);
    if (web_call(admin, "GET", path, NULL, &view) == 200)
        return view;
    cJSON_Delete(view);
    return NULL;
}

bool promise_ask(struct promise *promise, const struct plan *plan, size_t pool, struct web *admin)
{
    size_t job = last_of_campaign(plan, pool);
    *promise = (struct promise){.pool = plan->pools[pool]};
    if (job == plan->job_count)
        return false;
    snprintf(promise->id, sizeof promise->id, "%s-%zu", promise->pool, job);
    promise->asked_ms = clock_read().wall_ms;
    cJSON *view = view_of(promise, admin);
    const cJSON *why = json_get(view, "why");
    const char *at = json_string(why, "estimated_at");
    bool said = at != NULL && time_parse(at, &promise->at_ms);
    json_int(json_get(why, "queue"), "ahead", &promise->ahead);
    cJSON_Delete(view);
    if (!said)
        promise->id[0] = '\0';
    return said;
}

static bool falls(const struct plan *plan, const char *line)
{
    for (size_t i = 0; line != NULL && i < plan->step_count; i++)
        if (plan->steps[i].kind == PLAN_TURN && plan->steps[i].reputation == REPUTATION_CRITICAL &&
            strcmp(plan->lines[plan->steps[i].line].number, line) == 0)
            return true;
    return false;
}

int64_t promise_went_ms(const struct promise *promise, const struct plan *plan, struct web *admin, bool *fell)
{
    cJSON *view = promise->id[0] != '\0' ? view_of(promise, admin) : NULL;
    const char *state = json_string(view, "state"), *at = json_string(view, "ended_at");
    int64_t went_ms = 0;
    if (state == NULL || strcmp(state, "sent") != 0 || at == NULL || !time_parse(at, &went_ms))
        went_ms = 0;
    *fell = falls(plan, json_string(view, "line"));
    cJSON_Delete(view);
    return went_ms;
}
