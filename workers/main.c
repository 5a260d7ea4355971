/* main.c — lineward-worker: arguments and wiring. */
#include <curl/curl.h>
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "lineward/log.h"
#include "lineward/notify.h"
#include "lineward/process.h"
#include "lineward/version.h"
#include "worker.h"

#define SETS_MAX 256

enum { EXIT_USAGE = 2 };

static const char usage[] =
    "Usage: lineward-worker --config FILE [--set KEY=VALUE]...\n"
    "\n"
    "Takes jobs from the brokers in worker.broker, sends them over HTTPS, reports.\n"
    "\n"
    "  --config FILE     the configuration, the same file as the broker's\n"
    "  --set KEY=VALUE   overrides one value, as --set worker.slots=16; may be repeated\n"
    "  --core            lets the system write a core if it crashes: one holds keys and messages\n"
    "  --help            this text\n"
    "  --version         the version\n"
    "\n"
    "TERM or INT ends it in order: what has not begun is given back, the rest is finished. A second one ends it at once.\n"
    "HUP reads accounts, API keys and worker.request_timeout_ms again, and says what needs a restart.\n"
    "Exit codes: 0 ended in order, 1 failed or results unacknowledged, 2 wrong usage.\n";

struct arguments {
    const char *config;
    const char *sets[SETS_MAX];
    size_t set_count;
    bool core;
};

/* The exit code, or -1: go on. */
static int arguments_read(struct arguments *out, int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"set", required_argument, NULL, 's'},
                                            {"core", no_argument, NULL, 'o'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'v'},
                                            {0}};
    int option = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h' || option == 'v') {
            fputs(option == 'h' ? usage : "lineward-worker " LINEWARD_VERSION "\n", stdout);
            return EXIT_SUCCESS;
        }
        if (option == 'c')
            out->config = optarg;
        else if (option == 'o')
            out->core = true;
        else if (option == 's' && out->set_count < SETS_MAX)
            out->sets[out->set_count++] = optarg;
        else
            break;
    }
    if (option == -1 && out->config != NULL && optind == argc)
        return -1;
    fputs(usage, stderr);
    return EXIT_USAGE;
}

/* Blocked in all threads to come and read from a descriptor. -1: errno says. */
static int signals_open(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    struct sigaction resumed = {.sa_handler = worker_resumed, .sa_flags = SA_RESTART};
    sigaction(SIGCONT, &resumed, NULL);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0)
        return -1;
    return signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

static int run(const struct conf *conf, const struct worker_source *source)
{
    struct worker *worker = NULL;
    struct conf_problem problem = {""};
    int signal_fd = signals_open();
    if (signal_fd < 0 || sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        fputs("lineward-worker: cannot set up signals or libraries\n", stderr);
        return EXIT_FAILURE;
    }
    process_take_files();
    if (worker_open(&worker, conf, clock_read, &problem) != ERR_NONE) {
        fprintf(stderr, "lineward-worker: %s\n", problem.text);
        return EXIT_FAILURE;
    }
    notify_open();
    notify_ready(); /* whether or not a broker is there */
    int code = worker_run(worker, signal_fd, source);
    worker_free(&worker);
    curl_global_cleanup();
    close(signal_fd);
    return code;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct conf *conf = NULL;
    struct conf_problem problem = {""};
    process_hold_standard();
    int code = arguments_read(&arguments, argc, argv);
    if (code >= 0)
        return code;
    if (!arguments.core)
        process_keep_secrets();
    if (conf_load(&conf, arguments.config, arguments.sets, arguments.set_count, &problem) != ERR_NONE) {
        fprintf(stderr, "lineward-worker: %s\n", problem.text);
        return EXIT_FAILURE;
    }
    const struct worker_source source = {arguments.config, arguments.sets, arguments.set_count, conf};
    code = run(conf, &source);
    conf_free(&conf);
    return code;
}
