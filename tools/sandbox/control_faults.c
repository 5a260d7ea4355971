/* control_faults.c — the controls of what goes wrong: with requests, and with webhooks. */
#include <stdlib.h>
#include <string.h>

#include "tools/sandbox/control.h"
#include "tools/sandbox/control_view.h"
#include "tools/sandbox/event_types.h"
#include "tools/sandbox/members.h"

#define DIGITS_MAX    18
#define ATTEMPTS_TOLD 1000 /* at once, if not asked for more or fewer */

/* Digits only: strtoull() alone would take "1st" and "-1" as well. */
static bool number_read(const char *text, uint64_t *out)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > DIGITS_MAX || text[digits] != '\0')
        return false;
    *out = strtoull(text, NULL, 10);
    return true;
}

/* ---- with requests ---- */

void control_faults_get(struct control *control)
{
    sandbox_view_faults(&control->answer->body, &control->sandbox->faults);
}

void control_faults_post(struct control *control)
{
    const char *wrong = faults_set(&control->sandbox->faults, control->body);
    if (wrong != NULL)
        control_fail_field(control, wrong);
    else
        control_faults_get(control);
}

void control_faults_delete(struct control *control)
{
    const struct sandbox_options *options = control->sandbox->options;
    uint64_t random = control->sandbox->faults.random;
    faults_init(&control->sandbox->faults, random, options->latency_ms);
    control_faults_get(control);
}

/* ---- errors on request ---- */

void control_rules_get(struct control *control)
{
    rules_view(&control->sandbox->rules, &control->answer->body);
}

void control_rules_post(struct control *control)
{
    const char *wrong = rules_add(&control->sandbox->rules, control->body);
    if (wrong != NULL)
        control_fail_field(control, wrong);
    else
        control_rules_get(control);
}

void control_rules_delete(struct control *control)
{
    uint64_t rule;
    if (control->argument[0] == '\0') {
        rules_clear(&control->sandbox->rules);
    } else if (!number_read(control->argument, &rule) || !rules_remove(&control->sandbox->rules, rule)) {
        control_fail(control, 404, "not_found", "no such rule");
        return;
    }
    control_rules_get(control);
}

/* ---- the list of lines ---- */

void control_listing_get(struct control *control)
{
    listing_view(&control->sandbox->listing, &control->answer->body);
}

void control_listing_post(struct control *control)
{
    const char *wrong = listing_set(&control->sandbox->listing, control->body);
    if (wrong != NULL)
        control_fail_field(control, wrong);
    else
        control_listing_get(control);
}

/* ---- the model ---- */

void control_model_get(struct control *control)
{
    model_run_view(control->sandbox, control->now, &control->answer->body);
}

void control_model_post(struct control *control)
{
    const char *wrong = model_run_set(control->sandbox, control->body, control->now);
    sandbox_ticker_wake(control->sandbox->ticker);
    if (wrong != NULL)
        control_fail_field(control, wrong);
    else
        control_model_get(control);
}

/* ---- webhooks ---- */

void control_webhook_faults_get(struct control *control)
{
    sandbox_webhooks_faults_view(control->sandbox->webhooks, &control->answer->body);
}

void control_webhook_faults_post(struct control *control)
{
    const char *wrong = sandbox_webhooks_spoil(control->sandbox->webhooks, control->body);
    if (wrong != NULL)
        control_fail_field(control, wrong);
    else
        control_webhook_faults_get(control);
}

void control_webhook_faults_delete(struct control *control)
{
    sandbox_webhooks_mend(control->sandbox->webhooks);
    control_webhook_faults_get(control);
}

/* A number of the query; *out stays if there is none. */
static bool query_number(const struct control *control, const char *name, uint64_t *out)
{
    const char *text = sandbox_http_query(control->request, name);
    return text == NULL || number_read(text, out);
}

void control_webhooks_get(struct control *control)
{
    const char *event = sandbox_http_query(control->request, "event");
    uint64_t after = 0, limit = ATTEMPTS_TOLD;
    const char *wrong = NULL;
    if (!query_number(control, "after", &after))
        wrong = "after";
    else if (!query_number(control, "limit", &limit))
        wrong = "limit";
    else if (event != NULL && event_type_bit(event) == 0)
        wrong = "event";
    if (wrong != NULL)
        control_fail_field(control, wrong);
    else
        sandbox_webhooks_view(control->sandbox->webhooks, after, limit, event, &control->answer->body);
}

static bool is_text(const cJSON *member)
{
    return member == NULL || cJSON_IsNull(member) || cJSON_IsString(member);
}

void control_webhooks_post(struct control *control)
{
    static const char *const names[] = {"url", "secret", "paused", "copies", "bad_signature", NULL};
    struct webhooks *hooks = control->sandbox->webhooks;
    const char *wrong = members_stranger(control->body, names);
    bool paused = false, bad_signature = false;
    int64_t copies = 1;
    if (wrong == NULL && (!member_flag(control->body, "paused", &paused) ||
                          !member_flag(control->body, "bad_signature", &bad_signature)))
        wrong = "paused or bad_signature";
    if (wrong == NULL && json_get(control->body, "copies") != NULL &&
        (!json_int(control->body, "copies", &copies) || copies < 1 || copies > 10))
        wrong = "copies";
    if (wrong == NULL && (!is_text(json_get(control->body, "url")) || !is_text(json_get(control->body, "secret")) ||
                          sandbox_webhooks_target(hooks, json_string(control->body, "url"),
                                                  json_string(control->body, "secret")) != ERR_NONE))
        wrong = "url or secret";
    if (wrong != NULL) {
        control_fail_field(control, wrong);
        return;
    }
    sandbox_webhooks_pause(hooks, paused);
    sandbox_webhooks_distort(hooks, (unsigned)copies, bad_signature);
    control_done(control);
}
