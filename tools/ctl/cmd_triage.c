/* cmd_triage.c — `linewardctl triage …`: ends the waiting jobs that filters choose. First it is said which those are; only
 * --yes does it, call by call until none is left. */
#include "triage.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "lineward/json.h"

#define SAMPLE_BYTES 400

/* ---- which jobs ---- */

static const struct {
    const char *option, *name; /* ours, and the broker's */
    int moment;                /* -1: a time or a span before now, 1: or one after it; 0: a word */
} filters[] = {
    {"pool", "pool", 0},           {"line", "line", 0},
    {"account", "account", 0},     {"campaign", "campaign", 0},
    {"class", "class", 0},         {"state", "state", 0},
    {"waits-for", "reason", 0},    {"to", "to", 0},
    {"older-than", "accepted_before", -1}, {"younger-than", "accepted_after", -1},
    {"expires-before", "expires_before", 1}, {"expires-after", "expires_after", 1},
    {"until", "until", 0}, /* chooses nothing by itself */
};

int triage_path(const struct ctl *ctl, const struct args *args, const char *base, char **out)
{
    char *path = strdup(base);
    bool whole = path != NULL, any = false;
    for (size_t i = 0; whole && i < sizeof filters / sizeof *filters; i++) {
        char moment[TIME_TEXT_MAX];
        const char *value = args_option(args, filters[i].option);
        if (value == NULL)
            continue;
        if (filters[i].moment != 0 && !ctl_moment(ctl, value, filters[i].moment, moment)) {
            free(path);
            return ctl_fail(ctl, EXIT_USAGE, "usage", "--%s is a time, or a span such as 90m, 2d", filters[i].option);
        }
        any = any || strcmp(filters[i].name, "until") != 0;
        whole = http_query(&path, filters[i].name, filters[i].moment != 0 ? moment : value);
    }
    if (whole && any && path != NULL) {
        *out = path;
        return EXIT_DONE;
    }
    free(path);
    return whole ? ctl_fail(ctl, EXIT_USAGE, "usage", "say which jobs: by --pool, --line, --class, --older-than ...")
                 : ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "");
}

/* ---- adding up ---- */

void triage_sum_free(struct triage_sum *sum)
{
    cJSON_Delete(sum->by_class);
    cJSON_Delete(sum->by_reason);
    cJSON_Delete(sum->stays);
    cJSON_Delete(sum->sample);
    *sum = (struct triage_sum){0};
}

static void add_counts(cJSON **sum, const cJSON *counts)
{
    const cJSON *count;
    if (*sum == NULL)
        *sum = cJSON_CreateObject();
    cJSON_ArrayForEach(count, counts)
    {
        cJSON *there = cJSON_GetObjectItemCaseSensitive(*sum, count->string);
        if (!cJSON_IsNumber(count))
            continue;
        if (there == NULL)
            cJSON_AddNumberToObject(*sum, count->string, count->valuedouble);
        else
            cJSON_SetNumberHelper(there, there->valuedouble + count->valuedouble);
    }
}

static int64_t number_of(const cJSON *answer, const char *name)
{
    int64_t number = 0;
    json_int(answer, name, &number);
    return number;
}

static void add_answer(struct triage_sum *sum, const cJSON *answer)
{
    const char *next = json_string(answer, "next"), *oldest = json_string(answer, "oldest_at"),
               *until = json_string(answer, "until");
    const cJSON *sample;
    sum->jobs += number_of(answer, "jobs");
    sum->recipients += number_of(answer, "recipients");
    sum->stay += number_of(answer, "stay");
    add_counts(&sum->by_class, json_get(answer, "by_class"));
    add_counts(&sum->by_reason, json_get(answer, "by_reason"));
    add_counts(&sum->stays, json_get(answer, "stays"));
    if (sum->sample == NULL)
        sum->sample = cJSON_CreateArray();
    cJSON_ArrayForEach(sample, json_get(answer, "sample"))
    {
        if (cJSON_IsString(sample) && cJSON_GetArraySize(sum->sample) < TRIAGE_SAMPLE_MAX)
            cJSON_AddItemToArray(sum->sample, cJSON_CreateString(sample->valuestring));
    }
    /* RFC 3339 in UTC: the earlier text is the earlier moment */
    if (oldest != NULL && (sum->oldest_at[0] == '\0' || strcmp(oldest, sum->oldest_at) < 0))
        snprintf(sum->oldest_at, sizeof sum->oldest_at, "%s", oldest);
    snprintf(sum->next, sizeof sum->next, "%s", next != NULL ? next : "");
    snprintf(sum->until, sizeof sum->until, "%s", until != NULL ? until : "");
}

int triage_call(const struct ctl *ctl, const char *filtered, const struct json_out *body, bool dry, struct triage_sum *sum)
{
    struct http_answer answer = {0};
    char *path = strdup(filtered);
    if (path == NULL || !http_query(&path, "after", sum->next[0] != '\0' ? sum->next : NULL) ||
        !http_query(&path, "dry_run", dry ? "1" : NULL)) {
        free(path);
        return ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "");
    }
    int code = http_ask(ctl, "POST", path, body, &answer);
    free(path);
    if (code == EXIT_DONE)
        add_answer(sum, answer.json);
    http_answer_free(&answer);
    return code;
}

/* ---- saying it ---- */

static void print_counts(const struct ctl *ctl, const char *title, const cJSON *counts)
{
    const cJSON *count;
    bool any = false;
    cJSON_ArrayForEach(count, counts)
    {
        char text[32], name[64];
        if (!cJSON_IsNumber(count) || count->valuedouble <= 0)
            continue;
        text_clean(count->string, name, sizeof name);
        count_format((int64_t)count->valuedouble, text, sizeof text);
        if (any)
            fprintf(ctl->out, ", %s %s", name, text);
        else
            fprintf(ctl->out, "%-14s%s %s", title, name, text);
        any = true;
    }
    if (any)
        fputc('\n', ctl->out);
}

static void print_stay(const struct ctl *ctl, const struct triage_sum *sum)
{
    char title[48], text[32];
    if (sum->stay == 0)
        return;
    count_format(sum->stay, text, sizeof text);
    snprintf(title, sizeof title, "stay %s:", text);
    print_counts(ctl, title, sum->stays);
}

static void print_sample(const struct ctl *ctl, const struct triage_sum *sum)
{
    const cJSON *sample;
    if (cJSON_GetArraySize(sum->sample) == 0)
        return;
    fprintf(ctl->out, "%-13s", "such as");
    cJSON_ArrayForEach(sample, sum->sample)
    {
        char clean[64];
        text_clean(sample->valuestring, clean, sizeof clean);
        fprintf(ctl->out, " %s", clean);
    }
    fputc('\n', ctl->out);
}

static void print_rehearsal(const struct ctl *ctl, const char *verb, const struct triage_sum *sum)
{
    char jobs[32], recipients[32], age[64];
    cJSON *oldest = cJSON_CreateString(sum->oldest_at);
    count_format(sum->jobs, jobs, sizeof jobs);
    count_format(sum->recipients, recipients, sizeof recipients);
    value_format(&ctl->view, "oldest_at", oldest, true, age, sizeof age);
    cJSON_Delete(oldest);
    fprintf(ctl->out, "would %-8s%s %s to %s %s", verb, jobs, sum->jobs == 1 ? "job" : "jobs", recipients,
            sum->recipients == 1 ? "conversation" : "conversations");
    if (sum->jobs > 0 && sum->oldest_at[0] != '\0')
        fprintf(ctl->out, ", the oldest of %s", age);
    fputc('\n', ctl->out);
    print_counts(ctl, "by class", sum->by_class);
    print_counts(ctl, "by reason", sum->by_reason);
    print_stay(ctl, sum);
    print_sample(ctl, sum);
    if (sum->jobs > 0)
        fputs("Nothing was changed: the same with --yes and --reason does it.\n", ctl->out);
}

static void print_json(const struct ctl *ctl, const char *verb, bool dry, const struct triage_sum *sum)
{
    struct json_out out = {0};
    json_open(&out, '{');
    json_key(&out, "action");
    json_put_string(&out, verb);
    json_key(&out, "dry_run");
    json_put_bool(&out, dry);
    json_key(&out, "jobs");
    json_put_int(&out, sum->jobs);
    json_key(&out, "recipients");
    if (dry)
        json_put_int(&out, sum->recipients);
    else
        json_put_null(&out);
    json_key(&out, "oldest_at");
    json_put_string(&out, sum->oldest_at[0] != '\0' ? sum->oldest_at : NULL);
    json_key(&out, "by_class");
    json_put_value(&out, sum->by_class);
    json_key(&out, "by_reason");
    json_put_value(&out, sum->by_reason);
    json_key(&out, "stay");
    json_put_int(&out, sum->stay);
    json_key(&out, "stays");
    json_put_value(&out, sum->stays);
    json_key(&out, "sample");
    json_put_value(&out, sum->sample);
    json_key(&out, "next");
    json_put_string(&out, sum->next[0] != '\0' ? sum->next : NULL);
    json_key(&out, "until");
    json_put_string(&out, sum->until[0] != '\0' ? sum->until : NULL);
    json_close(&out, '}');
    ctl_print_json(ctl, &out);
}

static void print_done(const struct ctl *ctl, const char *done, const struct triage_sum *sum)
{
    char jobs[32];
    count_format(sum->jobs, jobs, sizeof jobs);
    fprintf(ctl->out, "%-14s%s %s\n", done, jobs, sum->jobs == 1 ? "job" : "jobs");
    print_stay(ctl, sum);
}

/* ---- the commands ---- */

/* Call by call to the end. */
static int go_through(const struct ctl *ctl, const char *path, const struct json_out *body, bool dry, struct triage_sum *sum)
{
    int code;
    do
        code = triage_call(ctl, path, body, dry, sum);
    while (code == EXIT_DONE && sum->next[0] != '\0');
    return code;
}

static int64_t behind(const struct triage_sum *sum)
{
    return number_of(sum->stays, "behind");
}

/* What went before, too; its first jobs are the sample. */
static void add_done(struct triage_sum *sum, struct triage_sum *before)
{
    cJSON *sample = before->sample;
    sum->jobs += before->jobs;
    add_counts(&sum->by_class, before->by_class);
    add_counts(&sum->by_reason, before->by_reason);
    before->sample = sum->sample;
    sum->sample = sample;
}

/* What stood behind others of its conversation that have gone since; not what was accepted since, or it would go on for as
 * long as jobs come. What stays is what stays in the end. */
static int go_again(const struct ctl *ctl, char **path, const struct json_out *body, struct triage_sum *sum)
{
    int code = EXIT_DONE;
    int64_t went = sum->jobs;
    bool marked = http_query(path, "until", sum->until[0] != '\0' ? sum->until : NULL); /* the first one counts */
    if (!marked)
        return ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "");
    while (code == EXIT_DONE && went > 0 && behind(sum) > 0) {
        struct triage_sum more = {0};
        code = go_through(ctl, *path, body, false, &more);
        went = more.jobs;
        add_done(&more, sum);
        triage_sum_free(sum);
        *sum = more;
    }
    return code;
}

/* `none` is the word for null. False: it is no time. */
static bool put_date(const struct ctl *ctl, const struct args *args, const char *option, const char *none, const char *name,
                     struct json_out *body)
{
    const char *text = args_option(args, option);
    char moment[TIME_TEXT_MAX];
    if (text == NULL)
        return true;
    bool is_none = strcmp(text, none) == 0;
    if (!is_none && !ctl_moment(ctl, text, 1, moment))
        return false;
    json_key(body, name);
    json_put_string(body, is_none ? NULL : moment);
    return true;
}

static int run(const struct ctl *ctl, const struct args *args, const char *verb, const char *done)
{
    const char *reason = args_option(args, "reason"), *after = args_option(args, "after");
    bool dry = !args_flag(args, "yes");
    struct triage_sum sum = {0};
    struct json_out body = {0};
    char *path = NULL;
    if (!dry && (reason == NULL || *reason == '\0'))
        return ctl_fail(ctl, EXIT_USAGE, "usage", "--yes needs a --reason, which the audit keeps");
    int code = triage_path(ctl, args, args->command->path, &path);
    if (code != EXIT_DONE || path == NULL)
        return code;
    json_open(&body, '{');
    if (reason != NULL) {
        json_key(&body, "reason");
        json_put_string(&body, reason);
    }
    if (args_option(args, "to-pool") != NULL) {
        json_key(&body, "pool");
        json_put_string(&body, args_option(args, "to-pool"));
    }
    bool dated = put_date(ctl, args, "send-after", "now", "send_after", &body) &&
                 put_date(ctl, args, "expires-at", "never", "expires_at", &body);
    json_close(&body, '}');
    if (!dated) {
        json_out_free(&body);
        free(path);
        return ctl_fail(ctl, EXIT_USAGE, "usage", "--send-after is a time, a span from now or `now`, --expires-at one or `never`");
    }
    snprintf(sum.next, sizeof sum.next, "%s", after != NULL && !dry ? after : "");
    code = go_through(ctl, path, &body, dry, &sum);
    if (code == EXIT_DONE && !dry && args_option(args, "to-pool") != NULL)
        code = go_again(ctl, &path, &body, &sum);
    bool begun = sum.by_class != NULL;
    if (ctl->json && begun)
        print_json(ctl, verb, dry, &sum);
    else if (begun && dry)
        print_rehearsal(ctl, verb, &sum);
    else if (begun)
        print_done(ctl, done, &sum);
    if (code != EXIT_DONE && begun && !ctl->json)
        fprintf(ctl->err, "linewardctl: the rest is as it was; the same again goes on with it\n");
    triage_sum_free(&sum);
    json_out_free(&body);
    free(path);
    return code;
}

int command_triage_cancel(const struct ctl *ctl, const struct args *args)
{
    return run(ctl, args, "cancel", "cancelled");
}

int command_triage_expire(const struct ctl *ctl, const struct args *args)
{
    return run(ctl, args, "expire", "expired");
}

int command_triage_redate(const struct ctl *ctl, const struct args *args)
{
    if (args_option(args, "send-after") == NULL && args_option(args, "expires-at") == NULL)
        return ctl_fail(ctl, EXIT_USAGE, "usage", "redate needs --send-after or --expires-at");
    return run(ctl, args, "redate", "re-dated");
}

int command_triage_move(const struct ctl *ctl, const struct args *args)
{
    const char *from = args_option(args, "pool"), *to = args_option(args, "to-pool");
    if (to == NULL)
        return ctl_fail(ctl, EXIT_USAGE, "usage", "move needs --to-pool");
    if (from != NULL && strcmp(from, to) == 0)
        return ctl_fail(ctl, EXIT_USAGE, "usage", "--pool and --to-pool are the same: they are there already");
    return run(ctl, args, "move", "moved");
}
