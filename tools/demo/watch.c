/* watch.c — see watch.h. */
#include "tools/demo/watch.h"

#include <stdio.h>
#include <string.h>

static void copy_word(char out[WATCH_WORD_MAX], const char *word)
{
    snprintf(out, WATCH_WORD_MAX, "%s", word != NULL ? word : "");
}

static int64_t number_at(const cJSON *object, const char *name)
{
    int64_t value = 0;
    return json_int(object, name, &value) ? value : 0;
}

static struct watch_line *line_of(struct watch *watch, const struct plan *plan, const cJSON *view)
{
    const char *number = json_string(view, "line");
    for (size_t i = 0; number != NULL && i < PLAN_LINES; i++) {
        if (strcmp(plan->lines[i].number, number) == 0)
            return &watch->lines[i];
    }
    return NULL;
}

static const cJSON *ask(struct web *web, const char *path, const char *list, cJSON **out)
{
    *out = NULL;
    return web_call(web, "GET", path, NULL, out) == 200 ? json_get(*out, list) : NULL;
}

/* An open gate has no reason; what waits behind it has. */
static void read_why(struct watch_line *line, const char *number, struct web *admin)
{
    char path[64];
    cJSON *answer;
    snprintf(path, sizeof path, "/v1/jobs?line=%%2B%s&state=queued&limit=1", number + 1);
    const cJSON *jobs = ask(admin, path, "jobs", &answer);
    copy_word(line->why, json_string(cJSON_GetArrayItem(jobs, 0), "reason"));
    cJSON_Delete(answer);
}

static void read_line(struct watch_line *line, const cJSON *view)
{
    const cJSON *backlog = json_get(view, "backlog");
    copy_word(line->reputation, json_string(json_get(view, "reputation"), "status"));
    copy_word(line->gate, json_string(view, "gate"));
    copy_word(line->why, json_string(view, "reason"));
    line->waiting = number_at(backlog, "queued") + number_at(backlog, "held");
    line->ramp_percent = number_at(view, "ramp_percent");
}

static bool read_lines(struct watch *watch, const struct plan *plan, struct web *admin)
{
    cJSON *answer;
    const cJSON *lines = ask(admin, "/v1/lines", "lines", &answer), *view;
    cJSON_ArrayForEach(view, lines)
    {
        struct watch_line *line = line_of(watch, plan, view);
        if (line == NULL)
            continue;
        read_line(line, view);
        if (line->why[0] == '\0' && line->waiting > 0)
            read_why(line, json_string(view, "line"), admin);
    }
    bool answered = lines != NULL;
    cJSON_Delete(answer);
    return answered;
}

static bool read_pools(struct watch *watch, const struct plan *plan, struct web *admin)
{
    cJSON *answer;
    const cJSON *pools = ask(admin, "/v1/pools", "pools", &answer), *view;
    cJSON_ArrayForEach(view, pools)
    {
        const char *name = json_string(view, "pool");
        for (size_t i = 0; name != NULL && i < PLAN_POOLS; i++) {
            if (strcmp(plan->pools[i], name) == 0)
                watch->pools[i].unplaced = number_at(json_get(view, "backlog"), "unplaced");
        }
    }
    bool answered = pools != NULL;
    cJSON_Delete(answer);
    return answered;
}

static bool read_backlog(struct watch *watch, struct web *admin)
{
    cJSON *answer;
    const cJSON *backlog = ask(admin, "/v1/status", "backlog", &answer);
    if (backlog != NULL) {
        watch->leased = number_at(backlog, "leased");
        watch->waiting = number_at(backlog, "jobs") - watch->leased;
    }
    bool answered = backlog != NULL;
    cJSON_Delete(answer);
    return answered;
}

static void read_sent(struct watch *watch, const struct plan *plan, struct web *sandbox)
{
    cJSON *answer;
    const cJSON *lines = ask(sandbox, "/stats", "lines", &answer), *view;
    cJSON_ArrayForEach(view, lines)
    {
        struct watch_line *line = line_of(watch, plan, view);
        if (line != NULL)
            line->sent = number_at(view, "accepted");
    }
    if (lines != NULL) {
        watch->sent = number_at(answer, "accepted");
        watch->duplicates = number_at(answer, "duplicates");
    }
    cJSON_Delete(answer);
}

void watch_read(struct watch *watch, const struct plan *plan, struct web *admin, struct web *sandbox)
{
    watch->broker_answers =
        read_lines(watch, plan, admin) && read_pools(watch, plan, admin) && read_backlog(watch, admin);
    read_sent(watch, plan, sandbox);
}
