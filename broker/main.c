/* main.c — lineward-broker: arguments and wiring. */
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/edge/feed_link.h"
#include "broker/feed/feed.h"
#include "lineward/log.h"
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
    bool feed, core;
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
                                            {"feed", no_argument, NULL, 'f'}, /* the child; not for people */
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

static int run(const struct conf *conf, const struct feed_source *source, char **feed_argv)
{
    struct broker_options options = {.conf = conf, .source = *source, .feed_argv = feed_argv};
    struct broker *broker = broker_open(&options);
    if (broker == NULL) /* the log says why */
        return 1;
    int code = broker_run(broker);
    broker_close(&broker);
    return code;
}

/* The child is this program once more, with the same configuration. */
static char **feed_arguments(int argc, char **argv)
{
    char **feed_argv = calloc((size_t)argc + 2, sizeof *feed_argv);
    if (feed_argv == NULL)
        return NULL;
    static char feed[] = "--feed";
    feed_argv[0] = argv[0];
    feed_argv[1] = feed; /* in front: behind a `--` it would be no option */
    memcpy(feed_argv + 2, argv + 1, (size_t)(argc - 1) * sizeof *argv);
    return feed_argv;
}

int main(int argc, char **argv)
{
    if (argc < 1)
        return usage("--config FILE is needed", "");
    struct arguments arguments = {0};
    char **feed_argv = feed_arguments(argc, argv);
    int code = parse(argc, argv, &arguments);
    if (code >= 0) {
        free(feed_argv);
        return code;
    }
    if (!arguments.core)
        process_keep_secrets();
    process_take_files();
    struct conf *conf = NULL;
    struct conf_problem problem;
    if (sodium_init() < 0 || feed_argv == NULL) {
        fprintf(stderr, "lineward-broker: %s\n", feed_argv == NULL ? "out of memory" : "libsodium cannot be used here");
        free(feed_argv);
        return 1;
    }
    if (conf_load(&conf, arguments.config, arguments.sets, arguments.set_count, &problem) != ERR_NONE) {
        fprintf(stderr, "lineward-broker: %s\n", problem.text);
        free(feed_argv);
        return 1;
    }
    const struct feed_source source = {arguments.config, arguments.sets, arguments.set_count};
    if (!arguments.feed)
        process_reserve_files(); /* for the store */
    code = arguments.feed ? feed_run(FEED_CHILD_FD, conf, &source) : run(conf, &source, feed_argv);
    conf_free(&conf);
    free(feed_argv);
    return code;
}
