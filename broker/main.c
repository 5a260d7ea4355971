/* main.c — lineward-broker: arguments and wiring. */
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/edge/child.h"
#include "broker/feed/feed.h"
#include "broker/outcomes/outcomes.h"
#include "lineward/log.h"
#include "lineward/notify.h"
#include "lineward/process.h"

#define SETS_MAX 256

static const char help[] =
    "Usage: lineward-broker --config FILE [--set KEY=VALUE]...\n"
    "\n"
    "Keeps and routes send jobs: producers enqueue, workers deliver, held lines wait.\n"
    "\n"
    "  --config FILE     the configuration (docs/protocol.md, Configuration)\n"
    "  --set KEY=VALUE   overrides one value, as --set broker.admin=127.0.0.1:9000; may be repeated\n"
    "  --core            lets the system write a core if it crashes: one holds keys, numbers and messages\n"
    "  --help            this text\n"
    "  --version         the version\n"
    "\n"
    "TERM or INT ends it cleanly, HUP reads accounts, pools, policies, tokens, keys and certificates again.\n"
    "`linewardctl check-config FILE` checks a configuration without starting.\n"
    "Exit codes: 0 ended as asked, 1 failed, 2 wrong usage.\n";

struct arguments {
    const char *config;
    const char *sets[SETS_MAX];
    size_t set_count;
    bool feed, outcomes, core;
};

static int usage(const char *problem, const char *value)
{
    fprintf(stderr, "lineward-broker: %s%s\nTry `lineward-broker --help`.\n", problem, value);
    return 2;
}

/* -1: go on; else the exit code. */
static int parse(int argc, char **argv, struct arguments *out)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"set", required_argument, NULL, 's'},
                                            {"core", no_argument, NULL, 'o'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'v'},
                                            {"feed", no_argument, NULL, 'f'}, /* the children; not for people */
                                            {"outcomes", no_argument, NULL, 'p'},
                                            {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "hv", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return 0;
        }
        if (option == 'v') {
            puts("lineward-broker " LINEWARD_VERSION);
            return 0;
        }
        if (option == 'c')
            out->config = optarg;
        else if (option == 'f')
            out->feed = true;
        else if (option == 'p')
            out->outcomes = true;
        else if (option == 'o')
            out->core = true;
        else if (option == 's' && out->set_count < SETS_MAX)
            out->sets[out->set_count++] = optarg;
        else if (option == 's')
            return usage("too many --set", "");
        else
            return usage("wrong arguments", "");
    }
    if (optind < argc)
        return usage("unexpected argument: ", argv[optind]);
    return out->config == NULL ? usage("--config FILE is needed", "") : -1;
}

static int run(const struct conf *conf, const struct feed_source *source, char **feed_argv, char **outcomes_argv)
{
    struct broker_options options = {
        .conf = conf, .source = *source, .feed_argv = feed_argv, .outcomes_argv = outcomes_argv};
    struct broker *broker = broker_open(&options);
    if (broker == NULL) /* the log says why */
        return 1;
    notify_ready();
    int code = broker_run(broker);
    broker_close(&broker);
    return code;
}

/* A child has the configuration that is in force, whatever its file says by now. */
static enum err load(struct conf **out, const struct arguments *arguments, struct conf_problem *problem)
{
    if (arguments->feed || arguments->outcomes)
        return conf_load_from(out, CHILD_CONF_FD, arguments->config, arguments->sets, arguments->set_count, problem);
    return conf_load(out, arguments->config, arguments->sets, arguments->set_count, problem);
}

/* A child is this program once more, with the same arguments. */
static char **child_arguments(int argc, char **argv, char *which)
{
    char **out = calloc((size_t)argc + 2, sizeof *out);
    if (out == NULL)
        return NULL;
    out[0] = argv[0];
    out[1] = which; /* in front: behind a `--` it would be no option */
    memcpy(out + 2, argv + 1, (size_t)(argc - 1) * sizeof *argv);
    return out;
}

static int run_as(const struct arguments *arguments, const struct conf *conf, char **feed_argv, char **outcomes_argv)
{
    const struct feed_source source = {arguments->config, arguments->sets, arguments->set_count};
    if (arguments->feed)
        return feed_run(CHILD_FD, conf, &source);
    if (arguments->outcomes)
        return outcomes_run(CHILD_FD, conf);
    process_reserve_files(); /* for the store */
    notify_open();
    return run(conf, &source, feed_argv, outcomes_argv);
}

static int fail(const char *problem)
{
    fprintf(stderr, "lineward-broker: %s\n", problem);
    return 1;
}

int main(int argc, char **argv)
{
    static char feed[] = "--feed", outcomes[] = "--outcomes";
    process_hold_standard();
    if (argc < 1)
        return usage("--config FILE is needed", "");
    struct arguments arguments = {0};
    char **feed_argv = child_arguments(argc, argv, feed), **outcomes_argv = child_arguments(argc, argv, outcomes);
    struct conf *conf = NULL;
    struct conf_problem problem;
    int code = parse(argc, argv, &arguments);
    if (code >= 0)
        goto done;
    if (!arguments.core)
        process_keep_secrets();
    process_take_files();
    if (sodium_init() < 0)
        code = fail("libsodium cannot be used here");
    else if (feed_argv == NULL || outcomes_argv == NULL)
        code = fail("out of memory");
    else if (load(&conf, &arguments, &problem) != ERR_NONE)
        code = fail(problem.text);
    else
        code = run_as(&arguments, conf, feed_argv, outcomes_argv);
done:
    conf_free(&conf);
    free(feed_argv);
    free(outcomes_argv);
    return code;
}
