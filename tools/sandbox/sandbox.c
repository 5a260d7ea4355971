/* sandbox.c — putting the parts together, and taking them apart again. */
#include "tools/sandbox/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/sandbox/config.h"

#define PAIR_WINDOW_MS     60000 /* linq-api.md 4.3 */
#define WEBHOOKS_IN_FLIGHT 32

static enum err world_make(struct sandbox *sandbox)
{
    const struct sandbox_options *options = sandbox->options;
    const struct world_settings settings = {.seed = (uint64_t)options->seed,
                                            .messages_max = (uint32_t)options->messages_max,
                                            .pair_limit = (uint32_t)options->pair_limit,
                                            .pair_window_ms = PAIR_WINDOW_MS,
                                            .sent_ms = options->sent_ms,
                                            .delivered_ms = options->delivered_ms};
    sandbox->world = world_new(&settings);
    if (sandbox->world == NULL)
        return ERR_NO_MEMORY;
    struct instant now = clock_read();
    for (size_t i = 0; i < options->line_count; i++) {
        uint32_t line;
        enum err err = world_line_add(sandbox->world, options->lines[i].number, now, &line);
        if (err != ERR_NONE)
            return err;
        world_line_set(sandbox->world, line, options->lines[i].reputation, options->lines[i].service, true, now);
        sandbox_log_line(sandbox, line, now);
    }
    return ERR_NONE;
}

static enum err webhooks_make(struct sandbox *sandbox, char *problem, size_t room)
{
    const struct sandbox_options *options = sandbox->options;
    const struct webhook_settings settings = {.seed = (uint64_t)options->seed,
                                              .retry_ms = options->webhook_retry_ms,
                                              .timeout_ms = options->webhook_timeout_ms,
                                              .in_flight_max = WEBHOOKS_IN_FLIGHT};
    enum err err = sandbox_webhooks_start(&sandbox->webhooks, &settings, sandbox->log);
    if (err != ERR_NONE)
        return err;
    err = sandbox_webhooks_target(sandbox->webhooks, options->webhook_url, options->webhook_secret);
    if (err != ERR_NONE)
        snprintf(problem, room, "--webhook-url or --webhook-secret: no http(s) URL, or no base64 secret");
    return err;
}

static enum err listen_at(struct sandbox_http **out, const struct sandbox_endpoint *at, unsigned threads,
                          struct http_handler handler, char *problem, size_t room)
{
    enum err err = sandbox_http_start(out, at->address, at->port, threads, handler);
    if (err != ERR_NONE)
        snprintf(problem, room, "can't listen on %s:%u: %s", at->address, at->port, strerror(errno));
    return err;
}

static enum err config_follow(struct sandbox *sandbox, char *problem, size_t room)
{
    char where[160];
    if (sandbox_config_apply(sandbox, sandbox->options->config, clock_read(), where, sizeof where) == NULL)
        return ERR_NONE;
    snprintf(problem, room, "--config: %s: unknown, or not such a value", where);
    return ERR_BAD_INPUT;
}

enum err sandbox_start(struct sandbox **out, const struct sandbox_options *options, char *problem, size_t room)
{
    snprintf(problem, room, "out of memory");
    struct sandbox *sandbox = calloc(1, sizeof *sandbox);
    if (sandbox == NULL)
        return ERR_NO_MEMORY;
    sandbox->options = options;
    pthread_mutex_init(&sandbox->lock, NULL);
    faults_init(&sandbox->faults, (uint64_t)options->seed, options->latency_ms);
    rules_init(&sandbox->rules, (uint64_t)options->seed);
    model_run_init(&sandbox->model, (uint64_t)options->seed, (double)options->model_speed);
    sandbox->audits.duration_ms = options->audit_ms;
    sandbox->audits.cooldown_ms = options->audit_cooldown_ms;
    enum err err = ERR_NONE;
    if (options->log_path != NULL && (err = request_log_open(&sandbox->log, options->log_path)) != ERR_NONE)
        snprintf(problem, room, "--log %s: %s", options->log_path, strerror(errno));
    if (err == ERR_NONE)
        err = world_make(sandbox);
    if (err == ERR_NONE)
        err = webhooks_make(sandbox, problem, room);
    if (err == ERR_NONE && options->model)
        model_run_turn_on(sandbox, sandbox->model.speed, clock_read());
    if (err == ERR_NONE && options->config != NULL)
        err = config_follow(sandbox, problem, room);
    if (err == ERR_NONE)
        err = sandbox_ticker_start(&sandbox->ticker, sandbox);
    if (err == ERR_NONE)
        err = listen_at(&sandbox->api, &options->listen, (unsigned)options->threads, sandbox_api_handler(sandbox),
                        problem, room);
    if (err == ERR_NONE && options->has_control)
        err = listen_at(&sandbox->control, &options->control, 1, sandbox_control_handler(sandbox), problem, room);
    if (err != ERR_NONE)
        sandbox_stop(&sandbox);
    else
        *out = sandbox;
    return err;
}

/* The last line of the log says that nothing is missing before it. */
static void log_stop(struct sandbox *sandbox)
{
    struct instant now = clock_read();
    struct json_out out = {0};
    json_open(&out, '{');
    json_key(&out, "type");
    json_put_string(&out, "stop");
    json_key(&out, "requests");
    json_put_int(&out, (int64_t)sandbox->requests);
    json_key(&out, "mono_ms");
    json_put_int(&out, now.mono_ms);
    json_key(&out, "wall_ms");
    json_put_int(&out, now.wall_ms);
    json_close(&out, '}');
    request_log_add(sandbox->log, out.text, out.bytes);
    json_out_free(&out);
}

/* The names of the pressures there are, the strongest first, each once. */
static size_t model_drivers(const struct model_run *run, uint32_t line, const char **out)
{
    double pressures[MODEL_DRIVERS];
    size_t count = 0;
    model_line_pressures(&run->lines[line], &run->params, pressures);
    for (;;) {
        int strongest = 0;
        for (int i = 1; i < MODEL_DRIVERS; i++)
            strongest = pressures[i] > pressures[strongest] ? i : strongest;
        if (pressures[strongest] <= 0)
            return count;
        const char *name = model_driver_name((enum model_driver)strongest);
        if (count == 0 || strcmp(out[count - 1], name) != 0)
            out[count++] = name;
        pressures[strongest] = 0;
    }
}

size_t sandbox_line_drivers(const struct sandbox *sandbox, uint32_t line, const char *out[SANDBOX_DRIVERS_MAX])
{
    const struct world_line *entry = &sandbox->world->lines[line];
    size_t count = 0;
    if (entry->service == SERVICE_FLAGGED)
        out[count++] = "flagged";
    if (sandbox->model.on && line < sandbox->model.line_count)
        return count + model_drivers(&sandbox->model, line, out + count);
    if (entry->reputation != REPUTATION_HEALTHY)
        out[count++] = model_driver_name(MODEL_NEW_CHATS);
    return count;
}

void sandbox_stop(struct sandbox **sandbox_p)
{
    struct sandbox *sandbox = *sandbox_p;
    if (sandbox == NULL)
        return;
    sandbox_http_stop(&sandbox->control);
    sandbox_http_stop(&sandbox->api);
    sandbox_ticker_stop(&sandbox->ticker);
    sandbox_webhooks_stop(&sandbox->webhooks);
    log_stop(sandbox);
    request_log_close(&sandbox->log);
    model_run_free(&sandbox->model);
    subscriptions_free(&sandbox->subscriptions);
    listing_free(&sandbox->listing);
    world_free(&sandbox->world);
    pthread_mutex_destroy(&sandbox->lock);
    free(sandbox);
    *sandbox_p = NULL;
}
