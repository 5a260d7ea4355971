/* stage.c — see stage.h. */
#include "tools/demo/stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

/* Below the range that systems give to outgoing connections: one of those might hold the broker's port when it starts
 * again. */
#define PORT_FIRST 15000
#define PORT_END   32000
#define PORT_TRIES 200

/* A policy to watch: paces and times of minutes instead of days, no budget that a day would be needed for. A
 * recipient who never answers is written to again, since nobody answers here. */
static const char policy[] = "policies:\n"
                             "  default:\n"
                             "    pace_per_min: 1500\n"
                             "    ramp_percent: [10, 25, 50, 100]\n"
                             "    ramp_step_ms: 1200\n"
                             "    daily_messages: 0\n"
                             "    new_conversations_per_day: 600\n"
                             "    distinct_recipients_per_hour: 0\n"
                             "    daily_growth_factor: 0\n"
                             "    cadence_ms: []\n"
                             "    at_risk_chat_gap_ms: 10\n"
                             "    retry_base_ms: 100\n"
                             "    retry_cap_ms: 2000\n"
                             "    lease_ms: 5000\n";

static bool fail(struct stage_problem *problem, const char *what)
{
    snprintf(problem->text, sizeof problem->text, "%s: %s", what, strerror(errno));
    return false;
}

/* ---- ports ---- */

static int listen_at(unsigned port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1) != 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Ports that nobody listens on, all different: each stays taken until all are found. */
static bool find_ports(unsigned ports[PORT_COUNT])
{
    int fds[PORT_COUNT];
    size_t count = 0;
    for (int i = 0; i < PORT_TRIES && count < PORT_COUNT; i++) {
        unsigned random;
        if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
            break;
        ports[count] = PORT_FIRST + random % (PORT_END - PORT_FIRST);
        fds[count] = listen_at(ports[count]);
        count += fds[count] >= 0;
    }
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
    return count == PORT_COUNT;
}

const char *stage_url(const struct stage *stage, const char *scheme, enum stage_port port, char out[STAGE_URL_MAX])
{
    snprintf(out, STAGE_URL_MAX, "%s://127.0.0.1:%u", scheme, stage->ports[port]);
    return out;
}

/* ---- the folder ---- */

const char *stage_path(const struct stage *stage, const char *name, char out[STAGE_PATH_MAX])
{
    snprintf(out, STAGE_PATH_MAX, "%s/%s", stage->folder, name);
    return out;
}

bool stage_make(struct stage *stage, struct stage_problem *problem)
{
    const char *parent = getenv("TMPDIR");
    char folder[sizeof stage->folder];
    if (parent == NULL || parent[0] != '/')
        parent = "/tmp";
    int bytes = snprintf(folder, sizeof folder, "%s/lineward-demo-XXXXXX", parent);
    if (bytes >= (int)sizeof folder || mkdtemp(folder) == NULL)
        return fail(problem, parent);
    memcpy(stage->folder, folder, sizeof folder);
    if (!find_ports(stage->ports))
        return fail(problem, "no free ports");
    return true;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *at)
{
    (void)status;
    (void)kind;
    (void)at;
    return remove(path);
}

void stage_remove(struct stage *stage)
{
    if (stage->folder[0] != '\0')
        nftw(stage->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    stage->folder[0] = '\0';
}

/* ---- the configuration ---- */

static bool write_line(const struct stage *stage, const char *name, const char *line, struct stage_problem *problem)
{
    char path[STAGE_PATH_MAX];
    FILE *file = fopen(stage_path(stage, name, path), "we");
    if (file == NULL)
        return fail(problem, path);
    bool written = fprintf(file, "%s\n", line) > 0;
    if (fclose(file) != 0 || !written)
        return fail(problem, path);
    return true;
}

static void put_broker(const struct stage *stage, FILE *file)
{
    static const struct {
        const char *key, *scheme;
    } endpoints[PORT_COUNT] = {[PORT_PRODUCERS] = {"producers", "tcp://"},
                               [PORT_WORKERS] = {"workers", "tcp://"},
                               [PORT_EVENTS] = {"events", "tcp://"},
                               [PORT_WEBHOOKS] = {"webhooks", ""},
                               [PORT_ADMIN] = {"admin", ""}};
    fputs("broker:\n", file);
    for (int port = 0; port < PORT_COUNT; port++)
        fprintf(file, "  %s: %s127.0.0.1:%u\n", endpoints[port].key, endpoints[port].scheme, stage->ports[port]);
    fputs("  heartbeat_ms: 250\n"
          "  restart_wait_ms: 1500\n"
          "store:\n"
          "  segment_mb: 16\n",
          file);
}

static void put_pools(const struct plan *plan, FILE *file)
{
    fputs("pools:\n", file);
    for (size_t pool = 0; pool < PLAN_POOLS; pool++) {
        const char *comma = "";
        fprintf(file, "  %s:\n    lines: [", plan->pools[pool]);
        for (size_t i = 0; i < PLAN_LINES; i++) {
            if (plan->lines[i].pool != pool)
                continue;
            fprintf(file, "%s\"%s\"", comma, plan->lines[i].number);
            comma = ", ";
        }
        fputs("]\n", file);
    }
}

bool stage_configure(const struct stage *stage, const struct plan *plan, const char *base_url,
                     struct stage_problem *problem)
{
    char path[STAGE_PATH_MAX];
    if (!write_line(stage, "api.key", STAGE_API_KEY, problem) ||
        !write_line(stage, "webhook.secrets", STAGE_SECRET, problem))
        return false;
    FILE *file = fopen(stage_path(stage, STAGE_CONFIG, path), "we");
    if (file == NULL)
        return fail(problem, path);
    put_broker(stage, file);
    fprintf(file,
            "accounts:\n"
            "  default:\n"
            "    base_url: %s\n"
            "    api_key_file: api.key\n"
            "    webhook_secrets_file: webhook.secrets\n"
            "    poll_interval_ms: 1000\n"
            "    stale_after_ms: 10000\n"
            "    blind_after_ms: 30000\n",
            base_url);
    put_pools(plan, file);
    fputs(policy, file);
    fprintf(file,
            "worker:\n"
            "  broker: [\"tcp://127.0.0.1:%u\"]\n"
            "  slots: 32\n"
            "  request_timeout_ms: 3000\n",
            stage->ports[PORT_WORKERS]);
    bool written = ferror(file) == 0;
    if (fclose(file) != 0 || !written)
        return fail(problem, path);
    return true;
}
