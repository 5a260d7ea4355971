/* rig.c — folder, ports, configuration; starting and stopping. How to ask is in ask.c. */
#include "rig.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "lineward/json.h"
#include "secrets.h"
#include "tests/support/ports.h"
#include "tests/support/removal.h"

/* ---- ports ---- */

uint16_t rig_free_port(void)
{
    uint16_t port = port_free();
    MUST(port != 0, "no free port");
    return port;
}

/* ---- the configuration ---- */

static void write_file(const struct rig *rig, const char *name, const char *text, const char *how)
{
    char path[PROGRAM_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", rig->folder, name);
    FILE *file = fopen(path, how);
    MUST(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0, "%s: %s", path, strerror(errno));
    MUST(chmod(path, 0600) == 0, "%s: %s", path, strerror(errno));
}

void rig_write(const struct rig *rig, const char *name, const char *text)
{
    write_file(rig, name, text, "w");
}

void rig_configure(const struct rig *rig, const char *text)
{
    write_file(rig, "lineward.yaml", text, "a");
}

static void write_config(const struct rig *rig)
{
    char text[4096];
    snprintf(text, sizeof text,
             "broker:\n"
             "  producers: tcp://127.0.0.1:%u\n"
             "  workers: tcp://127.0.0.1:%u\n"
             "  events: tcp://127.0.0.1:%u\n"
             "  webhooks: 127.0.0.1:%u\n"
             "  admin: 127.0.0.1:%u\n"
             "  heartbeat_ms: %d\n"
             "  restart_wait_ms: %d\n"
             "store:\n"
             "  segment_mb: 4\n"
             "accounts:\n"
             "  default:\n"
             "    base_url: http://127.0.0.1:%u\n"
             "    api_key_file: provider.key\n"
             "    webhook_secrets_file: webhook.secrets\n"
             "    poll_interval_ms: %d\n"
             "    stale_after_ms: 600000\n"
             "    blind_after_ms: 1200000\n"
             "worker:\n"
             "  broker: [\"tcp://127.0.0.1:%u\"]\n"
             "  slots: 16\n"
             "  request_timeout_ms: 1500\n"
             "policies:\n"
             "  default:\n"
             "    pace_per_min: 0\n"
             "    ramp_percent: [100]\n"
             "    ramp_step_ms: 10\n"
             "    daily_messages: 0\n"
             "    new_conversations_per_day: 0\n"
             "    distinct_recipients_per_hour: 0\n"
             "    pair_per_min: 0\n"
             "    daily_growth_factor: 0\n"
             "    growth_floor: 0\n"
             "    cadence_ms: []\n"
             "    attempts_max: 50\n"
             "    retry_base_ms: 20\n"
             "    retry_cap_ms: 200\n"
             "    lease_ms: %d\n",
             rig->port.producers, rig->port.workers, rig->port.events, rig->port.webhooks, rig->port.admin,
             RIG_HEARTBEAT_MS, RIG_RESTART_MS, rig->port.provider, RIG_POLL_MS, rig->port.workers, RIG_LEASE_MS);
    rig_write(rig, "lineward.yaml", text);
    rig_write(rig, "provider.key", "process-test-key\n");
    rig_write(rig, "webhook.secrets", RIG_SECRET "\n");
}

static void name_program(const struct rig *rig, struct program *program, const char *name, const char *log)
{
    program->name = name;
    snprintf(program->log, sizeof program->log, "%s/%s.log", rig->folder, log);
}

static void name_programs(struct rig *rig)
{
    name_program(rig, &rig->broker, "lineward-broker", "broker");
    name_program(rig, &rig->sandbox, "lineward-sandbox", "sandbox");
    for (size_t i = 0; i < RIG_WORKERS; i++) {
        char log[16];
        snprintf(log, sizeof log, "worker-%zu", i + 1);
        name_program(rig, &rig->worker[i], "lineward-worker", log);
    }
}

static void choose_ports(struct rig *rig)
{
    rig->port.producers = rig_free_port();
    rig->port.workers = rig_free_port();
    rig->port.events = rig_free_port();
    rig->port.webhooks = rig_free_port();
    rig->port.admin = rig_free_port();
    rig->port.provider = rig_free_port();
    rig->port.control = rig_free_port();
}

void rig_open(struct rig *rig, const char *const *sets)
{
    const char *seed = getenv("LINEWARD_SEED"), *where = getenv("TMPDIR"); /* /dev/shm: as on an endlessly fast disk */
    memset(rig, 0, sizeof *rig);
    rig->opened_mono_ms = mono_ms();
    rig->first_token = "tokens.first";
    rig->random = seed != NULL ? strtoull(seed, NULL, 10) : 1;
    snprintf(rig->folder, sizeof rig->folder, "%s/lineward-process.XXXXXX", where != NULL ? where : "/tmp");
    MUST(mkdtemp(rig->folder) != NULL, "mkdtemp: %s", strerror(errno));
    printf("seed %llu, folder %s\n", (unsigned long long)rig->random, rig->folder);
    snprintf(rig->config, sizeof rig->config, "%s/lineward.yaml", rig->folder);
    snprintf(rig->sandbox_log, sizeof rig->sandbox_log, "%s/sandbox.jsonl", rig->folder);
    for (size_t i = 0; i < RIG_LINES; i++)
        snprintf(rig->lines[i], sizeof rig->lines[i], "+1202555010%zu", i + 1);
    for (; sets != NULL && *sets != NULL; sets++) {
        MUST(rig->set_count < RIG_SETS_MAX, "too many sets");
        rig->sets[rig->set_count++] = *sets;
    }
    name_programs(rig);
    choose_ports(rig);
    write_config(rig);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    rig->zmq = zmq_ctx_new();
    MUST(rig->zmq != NULL, "zmq_ctx_new");
}

void rig_close(struct rig *rig)
{
    secrets_search_running(rig);
    for (size_t i = 0; i < RIG_WORKERS; i++)
        program_end(&rig->worker[i]);
    program_end(&rig->broker);
    program_end(&rig->sandbox);
    secrets_search_left(rig);
    zmq_ctx_term(rig->zmq);
    printf("took %lld ms\n", (long long)(mono_ms() - rig->opened_mono_ms));
    curl_global_cleanup();
    MUST(folder_remove(rig->folder) == 0, "%s: %s", rig->folder, strerror(errno));
}

/* ---- starting ---- */

void rig_start_sandbox(struct rig *rig)
{
    char listen[32], control[32], webhook[64];
    const char *arguments[PROGRAM_ARGUMENTS_MAX + 1] = {"--listen",
                                                        listen,
                                                        "--control",
                                                        control,
                                                        "--api-key",
                                                        "process-test-key",
                                                        "--webhook-url",
                                                        webhook,
                                                        "--webhook-secret",
                                                        RIG_SECRET,
                                                        "--webhook-retry-ms",
                                                        "50",
                                                        "--pair-limit",
                                                        "0",
                                                        "--log",
                                                        rig->sandbox_log};
    size_t count = 16;
    snprintf(listen, sizeof listen, "127.0.0.1:%u", rig->port.provider);
    snprintf(control, sizeof control, "127.0.0.1:%u", rig->port.control);
    snprintf(webhook, sizeof webhook, "http://127.0.0.1:%u/webhooks/linq", rig->port.webhooks);
    for (size_t i = 0; i < RIG_LINES; i++) {
        arguments[count++] = "--line";
        arguments[count++] = rig->lines[i];
    }
    for (const char *const *option = rig->sandbox_options; *option != NULL; option++)
        arguments[count++] = *option;
    arguments[count] = NULL;
    program_start(&rig->sandbox, arguments);
    AWAIT(program_said(&rig->sandbox, "control http://"), "the sandbox does not start");
}

static size_t put_sets(const struct rig *rig, const char **out)
{
    size_t count = 0;
    out[count++] = "--config";
    out[count++] = rig->config;
    for (size_t i = 0; i < rig->set_count; i++) {
        out[count++] = "--set";
        out[count++] = rig->sets[i];
    }
    out[count] = NULL;
    return count;
}

void rig_broker_arguments(const struct rig *rig, const char **out)
{
    put_sets(rig, out);
}

void rig_start_broker(struct rig *rig)
{
    const char *arguments[PROGRAM_ARGUMENTS_MAX + 1];
    put_sets(rig, arguments);
    program_start(&rig->broker, arguments);
}

void rig_start_worker(struct rig *rig, size_t index)
{
    char name[32];
    const char *arguments[PROGRAM_ARGUMENTS_MAX + 1];
    size_t count = put_sets(rig, arguments);
    snprintf(name, sizeof name, "worker.name=w%zu", index + 1);
    arguments[count++] = "--set";
    arguments[count++] = name;
    arguments[count] = NULL;
    program_start(&rig->worker[index], arguments);
}

static bool answers(struct rig *rig, const char *path)
{
    long status = 0;
    cJSON_Delete(rig_ask(rig, "GET", path, NULL, &status));
    return status == 200;
}

static void read_token(struct rig *rig)
{
    char *token = rig_read(rig, rig->first_token);
    MUST(strlen(token) < sizeof rig->token, "%s is too long", rig->first_token);
    memcpy(rig->token, token, strcspn(token, "\r\n"));
    free(token);
}

void rig_await_admin(struct rig *rig)
{
    AWAIT(answers(rig, "/healthz"), "the broker does not answer on its admin port");
    if (rig->token[0] == '\0')
        read_token(rig);
}

void rig_await_ready(struct rig *rig)
{
    rig_await_admin(rig);
    AWAIT(answers(rig, "/readyz"), "the broker does not become ready");
}

void rig_restart_by_force(struct rig *rig)
{
    program_kill(&rig->broker);
    rig_start_broker(rig);
    rig_await_ready(rig);
    AWAIT(rig_workers_there(rig) == 1, "the worker does not come back");
}

void rig_start(struct rig *rig, size_t workers)
{
    rig_start_sandbox(rig);
    rig_start_broker(rig);
    for (size_t i = 0; i < workers; i++)
        rig_start_worker(rig, i);
    rig_await_ready(rig);
    AWAIT(rig_workers_there(rig) == workers, "the workers do not get ready");
}

uint64_t rig_random(struct rig *rig, uint64_t bound)
{
    uint64_t z = rig->random += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (z ^ (z >> 31)) % bound;
}

/* ---- afterwards ---- */

int rig_run(struct rig *rig, const char *name, const char *log, const char *const *arguments)
{
    struct program program = {.name = name};
    snprintf(program.log, sizeof program.log, "%s/%s", rig->folder, log);
    program_start(&program, arguments);
    int code = program_wait(&program, LIMIT_MS);
    program_forget(&program);
    return code;
}

char *rig_read(const struct rig *rig, const char *name)
{
    char path[PROGRAM_PATH_MAX];
    char *text = NULL;
    size_t bytes = 0;
    snprintf(path, sizeof path, "%s/%s", rig->folder, name);
    FILE *file = fopen(path, "r");
    MUST(file != NULL, "%s: %s", path, strerror(errno));
    ssize_t got = getdelim(&text, &bytes, '\0', file);
    fclose(file);
    MUST(got > 0, "%s is empty", path);
    return text;
}

void rig_each_send(const struct rig *rig, void (*visit)(void *self, const cJSON *send), void *self)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t bytes;
    FILE *file = fopen(rig->sandbox_log, "r");
    MUST(file != NULL, "%s: %s", rig->sandbox_log, strerror(errno));
    while ((bytes = getline(&line, &room, file)) > 0) {
        cJSON *record = json_parse(line, (size_t)bytes, NULL);
        const char *type = json_string(record, "type");
        if (type != NULL && strcmp(type, "request") == 0 && json_get(record, "key") != NULL)
            visit(self, record);
        cJSON_Delete(record);
    }
    free(line);
    fclose(file);
}

void rig_audit(struct rig *rig, const char *acked, const char *holds_min)
{
    rig_audit_by(rig, acked, (const char *const[]){"--holds-min", holds_min, NULL});
}

void rig_audit_by(struct rig *rig, const char *acked, const char *const *rules)
{
    const char *arguments[PROGRAM_ARGUMENTS_MAX + 1] = {"--log", rig->sandbox_log, "--acked", acked};
    for (size_t count = 4; *rules != NULL && count < PROGRAM_ARGUMENTS_MAX; count++)
        arguments[count] = *rules++;
    int code = rig_run(rig, "lineward-audit", "audit.txt", arguments);
    char *verdict = rig_read(rig, "audit.txt");
    printf("%s", verdict);
    free(verdict);
    MUST(code == 0, "the audit found a breach (%d): see above", code);
}
