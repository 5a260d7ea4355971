/* rules.c — a short list, walked for each request. */
#include "tools/sandbox/rules.h"

#include <stdio.h>
#include <string.h>

#include "tools/sandbox/codes.h"
#include "tools/sandbox/members.h"
#include "tools/sandbox/random.h"

#define TIMES_MAX    1000000000
#define HINT_MS_MAX  86400000
#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const hint_names[] = {"both", "header", "body", "date", "header_ms", "none"};
static const char *const body_names[] = {"json", "html", "empty", "truncated"};
static const char *const target_names[] = {"sends", "reads", "all"};

void rules_init(struct rules *rules, uint64_t seed)
{
    *rules = (struct rules){.random = seed ^ 0x72756C6573u}; /* not in step with the faults */
}

/* ---- adding ---- */

static const char *whom_read(struct rule *rule, const cJSON *body)
{
    char recipient[HANDLE_MAX_BYTES + 1] = "";
    int target = RULE_ON_SENDS;
    if (!member_word(body, "on", target_names, COUNT(target_names), &target))
        return "on";
    if (!member_text(body, "line", rule->line, sizeof rule->line) ||
        (rule->line[0] != '\0' && !e164_is_valid(rule->line)))
        return "line";
    if (!member_text(body, "recipient", recipient, sizeof recipient) ||
        (recipient[0] != '\0' && !handle_normalize(recipient, rule->recipient)))
        return "recipient";
    if (!member_text(body, "path", rule->path, sizeof rule->path))
        return "path";
    rule->target = (enum rule_target)target;
    return NULL;
}

static const char *answer_read(struct rule *rule, const cJSON *body)
{
    int64_t code = 0, http = 0;
    int form = RULE_BODY_JSON, hint = RULE_HINT_BOTH;
    if (!member_number(body, "code", 1, 99999, &code))
        return "code";
    if (!member_number(body, "http", 200, 599, &http) || (code == 0 && http == 0))
        return "http";
    if (!member_word(body, "body", body_names, COUNT(body_names), &form))
        return "body";
    if (!member_word(body, "hint", hint_names, COUNT(hint_names), &hint))
        return "hint";
    if (!member_number(body, "retry_after_ms", 0, HINT_MS_MAX, &rule->retry_after_ms))
        return "retry_after_ms";
    if (!member_flag(body, "after_accept", &rule->after_accept))
        return "after_accept";
    rule->code = (int)code;
    rule->http = http != 0 ? (int)http : code_status((int)code);
    rule->body = (enum rule_body)form;
    rule->hint = (enum rule_hint)hint;
    return NULL;
}

static const char *rule_read(struct rule *rule, const cJSON *body)
{
    static const char *const names[] = {"code",  "http",  "on",   "line", "recipient",      "path",         "skip",
                                        "times", "share", "body", "hint", "retry_after_ms", "after_accept", NULL};
    *rule = (struct rule){.times = -1, .share = 1, .retry_after_ms = -1};
    const char *wrong = members_stranger(body, names);
    if (wrong == NULL)
        wrong = whom_read(rule, body);
    if (wrong == NULL)
        wrong = answer_read(rule, body);
    if (wrong == NULL && !member_number(body, "skip", 0, TIMES_MAX, &rule->skip))
        wrong = "skip";
    if (wrong == NULL && !member_number(body, "times", 1, TIMES_MAX, &rule->times))
        wrong = "times";
    if (wrong == NULL && !member_share(body, "share", &rule->share))
        wrong = "share";
    return wrong;
}

const char *rules_add(struct rules *rules, const cJSON *body)
{
    struct rule rule;
    const char *wrong = rule_read(&rule, body);
    if (wrong != NULL)
        return wrong;
    if (rules->count == RULES_MAX)
        return "rules";
    rule.id = ++rules->last_id;
    rules->list[rules->count++] = rule;
    return NULL;
}

static void remove_at(struct rules *rules, size_t at)
{
    memmove(&rules->list[at], &rules->list[at + 1], (--rules->count - at) * sizeof *rules->list);
}

bool rules_remove(struct rules *rules, uint64_t id)
{
    for (size_t i = 0; i < rules->count; i++) {
        if (rules->list[i].id == id) {
            remove_at(rules, i);
            return true;
        }
    }
    return false;
}

void rules_clear(struct rules *rules)
{
    rules->count = 0;
}

/* ---- drawing ---- */

static bool recipient_fits(const struct rule *rule, const struct rule_request *request)
{
    for (size_t i = 0; i < request->recipient_count; i++) {
        if (strcmp(rule->recipient, request->recipients[i]) == 0)
            return true;
    }
    return rule->recipient[0] == '\0';
}

static bool rule_fits(const struct rule *rule, const struct rule_request *request)
{
    if (rule->target != RULE_ON_ALL && request->is_send != (rule->target == RULE_ON_SENDS))
        return false;
    if (rule->line[0] != '\0' && (request->line == NULL || strcmp(rule->line, request->line) != 0))
        return false;
    return strncmp(request->path, rule->path, strlen(rule->path)) == 0 && recipient_fits(rule, request);
}

/* Does it speak this time? */
static bool rule_hits(struct rules *rules, struct rule *rule)
{
    if (rule->share < 1 && random_unit(&rules->random) >= rule->share)
        return false;
    if (rule->skip > 0) {
        rule->skip--;
        return false;
    }
    return true;
}

bool rules_draw(struct rules *rules, const struct rule_request *request, struct rule *out)
{
    for (size_t i = 0; i < rules->count; i++) {
        struct rule *rule = &rules->list[i];
        if (!rule_fits(rule, request) || !rule_hits(rules, rule))
            continue;
        rule->hits++;
        *out = *rule;
        if (rule->times > 0 && --rule->times == 0)
            remove_at(rules, i);
        return true;
    }
    return false;
}

/* ---- telling ---- */

static void put_int(struct json_out *out, const char *name, int64_t value)
{
    json_key(out, name);
    json_put_int(out, value);
}

static void put_text(struct json_out *out, const char *name, const char *text)
{
    json_key(out, name);
    json_put_string(out, text[0] == '\0' ? NULL : text);
}

static void rule_put(const struct rule *rule, struct json_out *out)
{
    json_open(out, '{');
    put_int(out, "rule", (int64_t)rule->id);
    put_int(out, "code", rule->code);
    put_int(out, "http", rule->http);
    put_text(out, "on", target_names[rule->target]);
    put_text(out, "line", rule->line);
    put_text(out, "recipient", rule->recipient);
    put_text(out, "path", rule->path);
    put_int(out, "skip", rule->skip);
    put_int(out, "times", rule->times);
    json_key(out, "share");
    json_put_number(out, rule->share);
    put_text(out, "body", body_names[rule->body]);
    put_text(out, "hint", hint_names[rule->hint]);
    put_int(out, "retry_after_ms", rule->retry_after_ms);
    json_key(out, "after_accept");
    json_put_bool(out, rule->after_accept);
    put_int(out, "hits", (int64_t)rule->hits);
    json_close(out, '}');
}

void rules_view(const struct rules *rules, struct json_out *out)
{
    json_open(out, '{');
    json_key(out, "rules");
    json_open(out, '[');
    for (size_t i = 0; i < rules->count; i++)
        rule_put(&rules->list[i], out);
    json_close(out, ']');
    json_close(out, '}');
}
