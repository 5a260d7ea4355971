/* control_faults.c — the controls of what goes wrong: with requests, and with webhooks. */
#include <stdlib.h>

#include "tools/sandbox/control.h"
#include "tools/sandbox/control_view.h"

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

void control_webhooks_get(struct control *control)
{
    const char *after = sandbox_http_query(control->request, "after");
    const char *limit = sandbox_http_query(control->request, "limit");
    sandbox_webhooks_view(control->sandbox->webhooks, after == NULL ? 0 : strtoull(after, NULL, 10),
                          limit == NULL ? 1000 : strtoul(limit, NULL, 10),
                          sandbox_http_query(control->request, "event"), &control->answer->body);
}

void control_webhooks_post(struct control *control)
{
    static const char *const names[] = {"url", "secret", "paused", "copies", "bad_signature", NULL};
    struct webhooks *hooks = control->sandbox->webhooks;
    const char *wrong = control_stranger(control->body, names);
    bool paused = false, bad_signature = false;
    int64_t copies = 1;
    if (wrong == NULL && (!control_flag(control->body, "paused", &paused) ||
                          !control_flag(control->body, "bad_signature", &bad_signature)))
        wrong = "paused or bad_signature";
    if (wrong == NULL && json_get(control->body, "copies") != NULL &&
        (!json_int(control->body, "copies", &copies) || copies < 1 || copies > 10))
        wrong = "copies";
    if (wrong == NULL && sandbox_webhooks_target(hooks, json_string(control->body, "url"),
                                                 json_string(control->body, "secret")) != ERR_NONE)
        wrong = "url or secret";
    if (wrong != NULL) {
        control_fail_field(control, wrong);
        return;
    }
    sandbox_webhooks_pause(hooks, paused);
    sandbox_webhooks_distort(hooks, (unsigned)copies, bad_signature);
    control_done(control);
}
