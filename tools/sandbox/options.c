/* options.c — one table of numbers, one of texts, and the few options that are neither. */
#include "tools/sandbox/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/sandbox/config.h"

const char sandbox_options_help[] =
    "lineward-sandbox: a messaging provider to develop, test and rehearse against.\n"
    "\n"
    "  --listen HOST:PORT         the provider's API (needed; port 0: any free one)\n"
    "  --control HOST:PORT        the controls, loopback only; see docs/sandbox.md\n"
    "  --api-key KEY              refuse every other key (default: take any)\n"
    "  --webhook-url URL          where events go; may be set later at the controls\n"
    "  --webhook-secret SECRET    whsec_… that signs them\n"
    "  --webhook-retry-ms N       wait after the first failed attempt, doubled each time (3000)\n"
    "  --webhook-timeout-ms N     how long the receiver may take (10000)\n"
    "  --webhook-events all|status  status: phone_number.status_updated only (all)\n"
    "  --line NUMBER[=STATUS]     a line: HEALTHY (default), AT_RISK, CRITICAL or FLAGGED; may be repeated\n"
    "                             (none: +12025550101 to +12025550103)\n"
    "  --config FILE.yaml         all of this and more, see docs/sandbox.md; the command line goes before it\n"
    "  --log FILE.jsonl           what auditors read\n"
    "  --seed N                   of ids and faults (1)\n"
    "  --latency-ms N             answers to sends wait so long (0)\n"
    "  --sent-ms N                from acceptance to message.sent (0)\n"
    "  --delivered-ms N           from acceptance to message.delivered (200)\n"
    "  --pair-limit N             messages per 60 s from one line to one recipient; 0: no limit (30)\n"
    "  --messages-max N           messages kept; then sends are answered 500 (10000000)\n"
    "  --audit-ms N               how long a reputation audit takes (2000)\n"
    "  --audit-cooldown-ms N      then none of that line for so long (60000)\n"
    "  --model                    let a model move reputations, and people read, answer and opt out\n"
    "  --model-speed N            its time runs N times as fast as the clock (1)\n"
    "  --threads N                of the API (2)\n"
    "  --help, --version\n"
    "\n"
    "Prints `listening http://…` and `control http://…` on standard output when ready. Ends on TERM or INT.\n";

enum kind {
    KIND_TEXT,
    KIND_NUMBER,
    KIND_LISTEN,
    KIND_CONTROL,
    KIND_LINE,
    KIND_EVENTS,
    KIND_FLAG,
    KIND_CONFIG,
    KIND_HELP,
    KIND_VERSION
};

#define FIELD(name) offsetof(struct sandbox_options, name)

static const struct spec {
    const char *name;
    enum kind kind;
    size_t field;
    int64_t fallback, min, max; /* of numbers */
} specs[] = {
    {"listen", KIND_LISTEN, 0, 0, 0, 0},
    {"control", KIND_CONTROL, 0, 0, 0, 0},
    {"line", KIND_LINE, 0, 0, 0, 0},
    {"webhook-events", KIND_EVENTS, 0, 0, 0, 0},
    {"config", KIND_CONFIG, 0, 0, 0, 0},
    {"model", KIND_FLAG, FIELD(model), 0, 0, 0},
    {"help", KIND_HELP, 0, 0, 0, 0},
    {"version", KIND_VERSION, 0, 0, 0, 0},
    {"api-key", KIND_TEXT, FIELD(api_key), 0, 0, 0},
    {"webhook-url", KIND_TEXT, FIELD(webhook_url), 0, 0, 0},
    {"webhook-secret", KIND_TEXT, FIELD(webhook_secret), 0, 0, 0},
    {"log", KIND_TEXT, FIELD(log_path), 0, 0, 0},
    {"seed", KIND_NUMBER, FIELD(seed), 1, 0, INT64_MAX},
    {"latency-ms", KIND_NUMBER, FIELD(latency_ms), 0, 0, 600000},
    {"webhook-retry-ms", KIND_NUMBER, FIELD(webhook_retry_ms), 3000, 1, 600000},
    {"webhook-timeout-ms", KIND_NUMBER, FIELD(webhook_timeout_ms), 10000, 1, 600000},
    {"sent-ms", KIND_NUMBER, FIELD(sent_ms), 0, 0, 600000},
    {"delivered-ms", KIND_NUMBER, FIELD(delivered_ms), 200, 0, 600000},
    {"pair-limit", KIND_NUMBER, FIELD(pair_limit), 30, 0, 10000},
    {"messages-max", KIND_NUMBER, FIELD(messages_max), 10000000, 1, 2000000000},
    {"audit-ms", KIND_NUMBER, FIELD(audit_ms), 2000, 0, 86400000},
    {"audit-cooldown-ms", KIND_NUMBER, FIELD(audit_cooldown_ms), 60000, 0, 86400000},
    {"model-speed", KIND_NUMBER, FIELD(model_speed), 1, 1, 1000000},
    {"threads", KIND_NUMBER, FIELD(threads), 2, 1, 64},
};
enum { SPECS = sizeof specs / sizeof *specs };

static bool number_read(const char *text, int64_t min, int64_t max, int64_t *out)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || value < min || value > max)
        return false;
    *out = value;
    return true;
}

static bool endpoint_read(const char *text, struct sandbox_endpoint *out)
{
    const char *colon = strrchr(text, ':');
    int64_t port;
    struct in_addr address;
    if (colon == NULL || !number_read(colon + 1, 0, 65535, &port))
        return false;
    char host[16];
    if (strncmp(text, "localhost:", 10) == 0)
        snprintf(host, sizeof host, "127.0.0.1");
    else if ((size_t)(colon - text) >= sizeof host)
        return false;
    else
        snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    if (inet_pton(AF_INET, host, &address) != 1)
        return false;
    memcpy(out->address, host, sizeof out->address);
    out->port = (uint16_t)port;
    return true;
}

static bool line_read(struct sandbox_options *out, const char *text)
{
    struct sandbox_option_line line = {.reputation = REPUTATION_HEALTHY, .service = SERVICE_ACTIVE};
    const char *equals = strchr(text, '=');
    size_t bytes = equals == NULL ? strlen(text) : (size_t)(equals - text);
    if (bytes >= sizeof line.number || out->line_count == OPTIONS_LINES_MAX)
        return false;
    memcpy(line.number, text, bytes);
    if (!e164_is_valid(line.number))
        return false;
    if (equals != NULL && service_read(equals + 1) == SERVICE_FLAGGED)
        line.service = SERVICE_FLAGGED;
    else if (equals != NULL && (line.reputation = reputation_read(equals + 1)) == REPUTATION_UNKNOWN)
        return false;
    struct sandbox_option_line *lines = realloc(out->lines, (out->line_count + 1) * sizeof *lines);
    if (lines == NULL)
        return false;
    out->lines = lines;
    lines[out->line_count++] = line;
    return true;
}

static bool default_lines(struct sandbox_options *out)
{
    return out->line_count > 0 ||
           (line_read(out, "+12025550101") && line_read(out, "+12025550102") && line_read(out, "+12025550103"));
}

static bool events_read(struct sandbox_options *out, const char *text)
{
    out->status_events_only = strcmp(text, "status") == 0;
    return out->status_events_only || strcmp(text, "all") == 0;
}

static const char *value_read(struct sandbox_options *out, const struct spec *spec, const char *value)
{
    void *field = (char *)out + spec->field;
    switch (spec->kind) {
    case KIND_TEXT:
        *(const char **)field = value;
        return NULL;
    case KIND_NUMBER:
        return number_read(value, spec->min, spec->max, field) ? NULL : "no whole number, or out of range";
    case KIND_LISTEN:
        return endpoint_read(value, &out->listen) ? NULL : "want IPv4-ADDRESS:PORT";
    case KIND_CONTROL:
        out->has_control = endpoint_read(value, &out->control) && strncmp(out->control.address, "127.", 4) == 0;
        return out->has_control ? NULL : "want 127.0.0.1:PORT; the controls have no password";
    case KIND_LINE:
        return line_read(out, value) ? NULL : "want +NUMBER or +NUMBER=HEALTHY|AT_RISK|CRITICAL|FLAGGED";
    case KIND_EVENTS:
        return events_read(out, value) ? NULL : "want all or status";
    case KIND_FLAG:
        *(bool *)field = true;
        return NULL;
    case KIND_CONFIG:
    case KIND_HELP:
    case KIND_VERSION:
        break;
    }
    return NULL;
}

static void defaults_set(struct sandbox_options *out)
{
    *out = (struct sandbox_options){0};
    for (int i = 0; i < SPECS; i++) {
        if (specs[i].kind == KIND_NUMBER)
            *(int64_t *)(void *)((char *)out + specs[i].field) = specs[i].fallback;
    }
}

static enum options_outcome bad(char *problem, size_t room, const char *what, const char *value, const char *why)
{
    snprintf(problem, room, "%s%s%s: %s", what, value == NULL ? "" : " ", value == NULL ? "" : value, why);
    return OPTIONS_BAD;
}

/* ---- the file ---- */

/* "webhook_url" is --webhook-url. */
static bool key_is(const char *key, const char *option)
{
    while (*key != '\0' && (*key == *option || (*key == '_' && *option == '-'))) {
        key++;
        option++;
    }
    return *key == '\0' && *option == '\0';
}

static const char *option_from_file(struct sandbox_options *out, const cJSON *member)
{
    for (int i = 0; i < SPECS; i++) {
        bool takes = specs[i].kind != KIND_FLAG && specs[i].kind != KIND_CONFIG && specs[i].kind != KIND_LINE &&
                     specs[i].kind != KIND_HELP && specs[i].kind != KIND_VERSION;
        if (takes && key_is(member->string, specs[i].name))
            return member->valuestring == NULL ? "want a text or number"
                                               : value_read(out, &specs[i], member->valuestring);
    }
    return "no such key; docs/sandbox.md lists them";
}

/* A list of NUMBER or NUMBER=STATUS, or a mapping of NUMBER to STATUS. */
static const char *lines_from_file(struct sandbox_options *out, const cJSON *lines)
{
    static const char why[] = "want NUMBERs, NUMBER=STATUS, or a mapping of NUMBER to STATUS";
    char text[64];
    const cJSON *item;
    if (!cJSON_IsArray(lines) && !cJSON_IsObject(lines))
        return why;
    cJSON_ArrayForEach(item, lines)
    {
        if (!cJSON_IsString(item) && !(cJSON_IsNull(item) && item->string != NULL))
            return why;
        if (item->string == NULL)
            snprintf(text, sizeof text, "%s", item->valuestring);
        else
            snprintf(text, sizeof text, "%.30s=%.30s", item->string,
                     cJSON_IsNull(item) ? "HEALTHY" : item->valuestring);
        if (!line_read(out, text))
            return why;
    }
    return NULL;
}

static enum options_outcome file_read(struct sandbox_options *out, const char *path, char *problem, size_t room)
{
    if (out->config != NULL)
        return bad(problem, room, "config", path, "given twice");
    out->config = sandbox_config_read(path, problem, room);
    if (out->config == NULL)
        return OPTIONS_BAD;
    const cJSON *member;
    cJSON_ArrayForEach(member, out->config)
    {
        const char *why = NULL;
        if (strcmp(member->string, "lines") == 0)
            why = lines_from_file(out, member);
        else if (!sandbox_config_is_section(member->string))
            why = option_from_file(out, member);
        if (why != NULL)
            return bad(problem, room, path, member->string, why);
    }
    return OPTIONS_GOOD;
}

/* ---- the command line ---- */

/* Once for the file, then for all else, so that the order of options does not matter. */
static enum options_outcome walk(struct sandbox_options *out, int argc, char **argv, const struct option *table,
                                 bool for_file, char *problem, size_t room)
{
    int option, at;
    optind = 0; /* begin anew, however often this is called */
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", table, &at)) != -1) {
        if (option == '?' || option == ':')
            return bad(problem, room, argv[optind - 1], NULL,
                       option == ':' ? "needs a value" : "no such option; --help lists them");
        if (specs[at].kind == KIND_HELP)
            return OPTIONS_HELP;
        if (specs[at].kind == KIND_VERSION)
            return OPTIONS_VERSION;
        if ((specs[at].kind == KIND_CONFIG) != for_file)
            continue;
        if (for_file) {
            enum options_outcome outcome = file_read(out, optarg, problem, room);
            if (outcome != OPTIONS_GOOD)
                return outcome;
            continue;
        }
        const char *why = value_read(out, &specs[at], optarg);
        if (why != NULL)
            return bad(problem, room, specs[at].name, optarg, why);
    }
    return OPTIONS_GOOD;
}

enum options_outcome sandbox_options_read(struct sandbox_options *out, int argc, char **argv, char *problem,
                                          size_t room)
{
    struct option table[SPECS + 1] = {0};
    for (int i = 0; i < SPECS; i++) {
        bool plain = specs[i].kind == KIND_FLAG || specs[i].kind == KIND_HELP || specs[i].kind == KIND_VERSION;
        table[i] = (struct option){specs[i].name, plain ? no_argument : required_argument, NULL, 256};
    }
    defaults_set(out);
    enum options_outcome outcome = walk(out, argc, argv, table, true, problem, room);
    if (outcome == OPTIONS_GOOD)
        outcome = walk(out, argc, argv, table, false, problem, room);
    if (outcome != OPTIONS_GOOD)
        return outcome;
    if (optind < argc)
        return bad(problem, room, argv[optind], NULL, "no such option; --help lists them");
    if (out->listen.address[0] == '\0')
        return bad(problem, room, "--listen", NULL, "is needed");
    return default_lines(out) ? OPTIONS_GOOD : bad(problem, room, "lines", NULL, "out of memory");
}

void sandbox_options_free(struct sandbox_options *options)
{
    free(options->lines);
    options->lines = NULL;
    cJSON_Delete(options->config);
    options->config = NULL;
}
