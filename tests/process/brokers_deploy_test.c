/* brokers_deploy_test.c — three brokers as deploy/brokers has them: its configuration and its drop-ins' command lines, with
 * addresses, paths and lines of this machine in place of theirs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zmq.h>

#include "lineward.h"
#include "lineward/json.h"
#include "lineward/keys.h"
#include "redis.h"
#include "rig.h"

#define BROKERS   3
#define WORDS_MAX 64
#define JOBS      12 /* of each pool */

static struct rig rig; /* the sandbox, a worker and the folder; its broker is the first of the three */
static struct redis redis;
static struct rig brokers[BROKERS];
static const char *const pools[BROKERS] = {"support", "sales", "alerts"};
static struct key_pair own_key, shop;

static char *read_all(const char *path)
{
    char *text = NULL;
    size_t room = 0;
    FILE *file = fopen(path, "re");
    MUST(file != NULL && getdelim(&text, &room, '\0', file) > 0 && fclose(file) == 0, "%s: %s", path, strerror(errno));
    return text;
}

/* ---- the command lines ---- */

struct command {
    char text[4096];
    const char *words[WORDS_MAX + 1];
    size_t count;
};

static void add_word(struct command *command, char *word)
{
    MUST(command->count < WORDS_MAX, "too many words");
    command->words[command->count++] = word;
    command->words[command->count] = NULL;
}

/* The words of a drop-in's ExecStart= behind the program. What stands in systemd's places is filled in: %d is the folder
 * of credentials, %H and its port where that broker is here. */
static void read_command(struct command *command, const char *path, const char *host)
{
    char *text = read_all(path), *at = strstr(text, "ExecStart=@BINDIR@/lineward-");
    size_t used = 0;
    MUST(at != NULL, "%s: no ExecStart", path);
    for (; *at != '\0' && !(*at == '\n' && at[-1] != '\\'); at++) {
        const char *put = NULL;
        char one[2] = {*at, '\0'};
        if (strncmp(at, "%d", 2) == 0) {
            put = rig.folder;
            at += 1;
        } else if (strncmp(at, "%H:7710", 7) == 0) {
            put = host;
            at += 6;
        } else if (strncmp(at, "%H-%i", 5) == 0) {
            put = "worker";
            at += 4;
        } else {
            MUST(*at != '%', "%s: %.10s", path, at);
            put = *at == '\\' || *at == '\n' ? " " : one;
        }
        used += (size_t)snprintf(command->text + used, sizeof command->text - used, "%s", put);
        MUST(used < sizeof command->text, "%s: too long", path);
    }
    free(text);
    command->count = 0;
    char *save = NULL;
    for (char *word = strtok_r(command->text, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save))
        if (command->count > 0 || strncmp(word, "ExecStart=", 10) != 0)
            add_word(command, word);
}

static char sets[64][PROGRAM_PATH_MAX];
static size_t set_count;

__attribute__((format(printf, 2, 3))) static void set(struct command *command, const char *format, ...)
{
    va_list values;
    static char option[] = "--set";
    MUST(set_count < 64, "too many sets");
    va_start(values, format);
    vsnprintf(sets[set_count], sizeof sets[0], format, values);
    va_end(values);
    add_word(command, option);
    add_word(command, sets[set_count++]);
}

/* What every program of the three machines is told here in place of the sample's. */
static void set_common(struct command *command)
{
    static char config[PROGRAM_PATH_MAX];
    snprintf(config, sizeof config, "%s/brokers.yaml", rig.folder);
    for (size_t i = 0; i < command->count; i++)
        if (strcmp(command->words[i], "/etc/lineward/lineward.yaml") == 0)
            command->words[i] = config;
    set_count = 0;
    set(command, "accounts.default.base_url=http://127.0.0.1:%u", rig.port.provider);
    set(command, "accounts.default.poll_interval_ms=%d", RIG_POLL_MS);
}

static void start_broker(size_t i)
{
    struct rig *broker = &brokers[i];
    struct command command;
    char host[32];
    snprintf(host, sizeof host, "127.0.0.1:%u", broker->port.producers);
    read_command(&command, "deploy/brokers/broker.conf.in", host);
    set_common(&command);
    set(&command, "broker.producers=tcp://127.0.0.1:%u", broker->port.producers);
    set(&command, "broker.workers=tcp://127.0.0.1:%u", broker->port.workers);
    set(&command, "broker.events=tcp://127.0.0.1:%u", broker->port.events);
    set(&command, "broker.webhooks=127.0.0.1:%u", broker->port.webhooks);
    set(&command, "broker.admin=127.0.0.1:%u", broker->port.admin);
    set(&command, "broker.admin_tokens_file=%s/tokens-%zu", rig.folder, i);
    set(&command, "store.path=%s/data-%zu", rig.folder, i);
    set(&command, "cache.redis=redis+unix://%s", redis.socket);
    program_start(&broker->broker, command.words);
}

static void start_worker(void)
{
    struct command command;
    read_command(&command, "deploy/brokers/worker.conf.in", "");
    set_common(&command);
    program_start(&rig.worker[0], command.words);
}

/* ---- the machines ---- */

static void let_in(const char *name, const char *role, struct key_pair *out)
{
    char file[64], text[256];
    MUST(key_pair_make(out), "no CURVE");
    snprintf(file, sizeof file, "keys/%s.key", name);
    snprintf(text, sizeof text, "%s %s *\n", out->public, role);
    rig_write(&rig, file, text);
}

/* The sample, in which each machine's name and port is where that broker is here. */
static void write_sample(void)
{
    char *text = read_all("deploy/brokers/lineward.yaml");
    struct json_out out = {0};
    for (const char *at = text; *at != '\0';) {
        const char *name = strstr(at, "broker-");
        unsigned machine = 0, port = 0;
        size_t bytes = name == NULL ? strlen(at) : (size_t)(name - at);
        char address[32];
        json_put_raw(&out, at, bytes);
        out.comma = false;
        at += bytes;
        if (name == NULL || sscanf(name, "broker-%1u:%4u", &machine, &port) != 2) {
            json_put_raw(&out, at, *at != '\0');
            out.comma = false;
            at += *at != '\0';
            continue;
        }
        MUST(machine >= 1 && machine <= BROKERS && (port == 7710 || port == 7711), "broker-%u:%u", machine, port);
        const struct rig *broker = &brokers[machine - 1];
        snprintf(address, sizeof address, "127.0.0.1:%u", port == 7710 ? broker->port.producers : broker->port.workers);
        json_put_raw(&out, address, strlen(address));
        out.comma = false;
        at += strlen("broker-1:7710");
    }
    json_put_raw(&out, "", 1); /* a terminator */
    MUST(!out.failed, "out of memory");
    rig_write(&rig, "brokers.yaml", out.text);
    json_out_free(&out);
    free(text);
}

/* The sample; the secrets where %d points to, and beside the file what it names relative to itself. */
static void write_files(void)
{
    char path[PROGRAM_PATH_MAX];
    struct key_pair worker;
    write_sample();
    snprintf(path, sizeof path, "%s/keys", rig.folder);
    MUST(mkdir(path, 0755) == 0, "%s: %s", path, strerror(errno));
    MUST(key_pair_make(&own_key), "no CURVE");
    rig_write(&rig, "broker.key", own_key.secret);
    rig_write(&rig, "broker.pub", own_key.public);
    let_in("worker", "worker", &worker);
    rig_write(&rig, "worker.key", worker.secret);
    let_in("shop", "producer", &shop);
    rig_write(&rig, "linq.key", "process-test-key\n");
    rig_write(&rig, "linq.secrets", RIG_SECRET "\n");
    rig_write(&rig, "lineward.password", "sesame\n");
    rig_write(&rig, "sentinel.password", "sesame\n");
    rig_write(&rig, "cache.secret", "one line that all three of them have\n");
}

static void begin(void)
{
    static const char *const more_lines[] = {"--line", "+12025550105", "--line", "+12025550106", NULL};
    static char first_tokens[BROKERS][32];
    redis_start(&redis);
    redisContext *context = redis_connect(&redis);
    freeReplyObject(redisCommand(context, "CONFIG SET requirepass sesame"));
    redisFree(context);
    rig_open(&rig, NULL);
    for (size_t i = 0; more_lines[i] != NULL; i++)
        rig.sandbox_options[i] = more_lines[i];
    for (size_t i = 0; i < BROKERS; i++) {
        brokers[i] = rig;
        brokers[i].broker = (struct program){.name = "lineward-broker"};
        snprintf(brokers[i].broker.log, sizeof brokers[i].broker.log, "%s/broker-%zu.log", rig.folder, i + 1);
        snprintf(first_tokens[i], sizeof first_tokens[i], "tokens-%zu.first", i);
        brokers[i].first_token = first_tokens[i];
        uint16_t *ports[] = {&brokers[i].port.producers, &brokers[i].port.workers, &brokers[i].port.events,
                             &brokers[i].port.admin, &brokers[i].port.webhooks};
        for (size_t p = 0; i > 0 && p < sizeof ports / sizeof *ports; p++)
            *ports[p] = rig_free_port(); /* the first one's are those that the sandbox tells webhooks */
    }
    write_files();
    rig_start_sandbox(&rig);
    for (size_t i = 0; i < BROKERS; i++)
        start_broker(i);
    for (size_t i = 0; i < BROKERS; i++)
        rig_await_ready(&brokers[i]);
    start_worker();
    for (size_t i = 0; i < BROKERS; i++)
        AWAIT(rig_workers_there(&brokers[i]) == 1, "the worker is not at broker %zu", i + 1);
}

static void end(void)
{
    program_end(&rig.worker[0]);
    for (size_t i = 0; i < BROKERS; i++) {
        program_end(&brokers[i].broker);
        MUST(!program_said(&brokers[i].broker, "no_keys"), "it let everybody in");
        program_forget(&brokers[i].broker);
    }
    rig_close(&rig);
    redis_end(&redis);
}

static bool is_sent(struct lineward *client, size_t i)
{
    char name[32];
    const char *ask = name;
    snprintf(name, sizeof name, "%s/d-%zu", pools[i % BROKERS], i);
    return lineward_get(client, &ask, 1, LIMIT_MS) == LINEWARD_OK &&
           strstr(lineward_result(client, 0), "\"state\":\"sent\"") != NULL;
}

START_TEST(three_brokers_from_these_files_take_and_send_each_its_own_pools)
{
    static char texts[JOBS * BROKERS][256];
    const char *jobs[JOBS * BROKERS];
    char endpoint[64];
    struct lineward *client = NULL;
    begin();
    for (size_t i = 0; i < JOBS * BROKERS; i++) {
        snprintf(texts[i], sizeof texts[i],
                 "{\"id\":\"d-%zu\",\"pool\":\"%s\",\"to\":\"+1415702%04zu\",\"message\":{\"parts\":[{\"type\":\"text\","
                 "\"value\":\"#1 %s/d-%zu hello\"}]}}",
                 i, pools[i % BROKERS], i, pools[i % BROKERS], i);
        jobs[i] = texts[i];
    }
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", brokers[1].port.producers);
    MUST(lineward_connect_curve(&client, endpoint, shop.secret, own_key.public) == LINEWARD_OK, "no client");
    MUST(lineward_enqueue(client, jobs, JOBS * BROKERS, LIMIT_MS) == LINEWARD_OK, "%s", lineward_error(client));
    for (size_t i = 0; i < JOBS * BROKERS; i++)
        MUST(strstr(lineward_result(client, i), "\"job\":\"j_") != NULL, "%s", lineward_result(client, i));
    for (size_t i = 0; i < BROKERS; i++) {
        int64_t accepted = 0;
        cJSON *status = rig_ask(&brokers[i], "GET", "/v1/status", NULL, NULL);
        accepted = number_at(status, "totals.accepted");
        cJSON_Delete(status);
        MUST(accepted == JOBS, "broker %zu has %lld of them", i + 1, (long long)accepted);
    }
    for (size_t i = 0; i < BROKERS * 2; i++) /* at a pace of 30 a minute and line: the first of each go at once */
        AWAIT(is_sent(client, i), "job %zu is not sent", i);
    rig_set_line(&rig, 0, "\"reputation\":\"CRITICAL\",\"list\":false"); /* told to one of them */
    for (size_t i = 0; i < BROKERS; i++)
        AWAIT(rig_line_was_closed(&brokers[i], 0), "broker %zu does not hear of it", i + 1);
    lineward_close(&client);
    end();
}
END_TEST

int main(void)
{
    return RUN_TESTS("brokers_deploy", 120, three_brokers_from_these_files_take_and_send_each_its_own_pools);
}
