/* cmd_dead.c — dead letters come back: some by name, or all of a kind, call by call until none is left. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "http.h"
#include "lineward/json.h"

/* {"expires_at":…} as --expires-at says. Free with json_out_free(). */
static void write_body(struct json_out *out, const struct args *args)
{
    const char *expires = args_option(args, "expires-at");
    json_open(out, '{');
    if (expires != NULL) {
        json_key(out, "expires_at");
        json_put_string(out, strcmp(expires, "never") == 0 ? NULL : expires);
    }
    json_close(out, '}');
}

static int requeue_one(const struct ctl *ctl, const struct args *args, const char *id, const struct json_out *body)
{
    struct http_answer answer = {0};
    int code = ctl_change(ctl, args, "POST", id, body, &answer);
    if (code != EXIT_DONE)
        return code;
    const char *state = json_string(answer.json, "state");
    char clean[64];
    text_clean(state != NULL ? state : "?", clean, sizeof clean);
    if (ctl->json)
        fprintf(ctl->out, "%s\n", answer.text != NULL ? answer.text : "{}");
    else
        fprintf(ctl->out, "%s: requeued; it is %s now\n", id, clean);
    http_answer_free(&answer);
    return EXIT_DONE;
}

/* ---- all of a kind ---- */

struct sum {
    int64_t requeued, refused;
    char next[64]; /* "": the end was reached */
};

/* False: that is no answer to a requeue. */
static bool add(struct sum *sum, const cJSON *answer)
{
    int64_t count = 0;
    const cJSON *refused;
    const char *next = json_string(answer, "next");
    if (!json_int(answer, "requeued", &count))
        return false;
    sum->requeued += count;
    cJSON_ArrayForEach(refused, json_get(answer, "refused"))
    {
        sum->refused += cJSON_IsNumber(refused) ? (int64_t)refused->valuedouble : 0;
    }
    snprintf(sum->next, sizeof sum->next, "%s", next != NULL ? next : "");
    return true;
}

static char *many_path(const struct args *args, const char *next)
{
    char *path = strdup("/v1/dead/requeue");
    if (path != NULL && http_query(&path, "pool", args_option(args, "pool")) &&
        http_query(&path, "code", args_option(args, "code")) && http_query(&path, "after", next))
        return path;
    free(path);
    return NULL;
}

static int requeue_slice(const struct ctl *ctl, const struct args *args, const struct json_out *body, struct sum *sum)
{
    struct http_answer answer = {0};
    char *path = many_path(args, sum->next[0] != '\0' ? sum->next : NULL);
    if (path == NULL)
        return ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "");
    int code = http_ask(ctl, "POST", path, body, &answer);
    free(path);
    if (code == EXIT_DONE && !add(sum, answer.json))
        code = ctl_fail(ctl, EXIT_REFUSED, "malformed", "%s: the answer does not say how many came back", ctl->admin);
    http_answer_free(&answer);
    return code;
}

static void print_sum(const struct ctl *ctl, const struct sum *sum)
{
    if (!ctl->json) {
        fprintf(ctl->out, "%" PRId64 " requeued, %" PRId64 " refused\n", sum->requeued, sum->refused);
        return;
    }
    struct json_out out = {0};
    json_open(&out, '{');
    json_key(&out, "requeued");
    json_put_int(&out, sum->requeued);
    json_key(&out, "refused");
    json_put_int(&out, sum->refused);
    json_key(&out, "next");
    json_put_string(&out, sum->next[0] != '\0' ? sum->next : NULL);
    json_close(&out, '}');
    ctl_print_json(ctl, &out);
}

/* A call without progress means that there is no room: what is left can be gone on with. */
static int requeue_all(const struct ctl *ctl, const struct args *args, const struct json_out *body)
{
    struct sum sum = {.requeued = 0};
    const char *after = args_option(args, "after");
    char before[sizeof sum.next];
    int code;
    snprintf(sum.next, sizeof sum.next, "%s", after != NULL ? after : "");
    do {
        int64_t done = sum.requeued;
        snprintf(before, sizeof before, "%s", sum.next);
        code = requeue_slice(ctl, args, body, &sum);
        if (code == EXIT_DONE && sum.requeued == done && strcmp(before, sum.next) == 0 && before[0] != '\0')
            code = ctl_fail(ctl, EXIT_REFUSED, "busy", "no room for more; go on later with --after %s", sum.next);
    } while (code == EXIT_DONE && sum.next[0] != '\0');
    if (sum.requeued > 0 || code == EXIT_DONE)
        print_sum(ctl, &sum);
    return code == EXIT_DONE && sum.refused > 0 ? EXIT_REFUSED : code;
}

int command_requeue(const struct ctl *ctl, const struct args *args)
{
    static const char *const of_all[] = {"pool", "code", "after", NULL};
    bool all = args_flag(args, "all");
    const char *chooses = all ? NULL : args_first_of(args, of_all);
    struct json_out body = {0};
    if (all == (args->count > 0))
        return ctl_fail(ctl, EXIT_USAGE, "usage", "requeue takes the names of dead letters, or --all");
    if (chooses != NULL)
        return ctl_fail(ctl, EXIT_USAGE, "usage", "--%s chooses among all: it goes with --all, not with names",
                        chooses);
    write_body(&body, args);
    int worst = all ? requeue_all(ctl, args, &body) : EXIT_DONE;
    for (int i = 0; i < args->count && worst != EXIT_UNREACHABLE; i++) {
        int code = requeue_one(ctl, args, args->positional[i], &body);
        worst = code > worst ? code : worst;
    }
    json_out_free(&body);
    return worst;
}
