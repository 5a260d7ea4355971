/* main.c — lineward-demo: arguments, signals, wiring. */
#include <curl/curl.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lineward/version.h"
#include "tools/demo/demo.h"

enum { EXIT_HOLDS, EXIT_DOES_NOT, EXIT_USAGE, EXIT_INTERRUPTED = 130 };

static const char usage[] = "usage: lineward-demo [--seed N] [--programs FOLDER] [--keep] [--calm] [--spread]\n"
                            "                     [--estimates]\n"
                            "       lineward-demo --help | --version\n"
                            "\n"
                            "Runs sandbox, broker and two workers in a temporary folder, hands in 6,000 jobs and more,\n"
                            "most of them at once, lets lines lose and regain their reputation while they go, kills\n"
                            "the broker once, and has lineward-audit judge the provider's log. Takes about a minute;\n"
                            "loopback only.\n"
                            "  --seed N            another mix of recipients, classes, lines and moments (1)\n"
                            "  --programs FOLDER   where the programs are (beside this one)\n"
                            "  --keep              leave the temporary folder even if all goes well\n"
                            "  --calm              no line loses its reputation, and the broker lives\n"
                            "  --spread            jobs are handed in over half a minute, not most of them at once: hardly any waits\n"
                            "  --estimates         ask each job's view when it will go, and judge that by when it went\n"
                            "Exit codes: 0 all promises held, 1 not, 2 wrong usage, 130 interrupted.\n";

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
    interrupted = signal;
}

static void catch_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN); /* the table's reader may go away: the demo ends in order all the same */
}

static bool seed_read(const char *text, uint64_t *out)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0)
        return false;
    *out = value;
    return true;
}

/* The folder that this program was started from. */
static bool own_folder(char *out, size_t room)
{
    ssize_t bytes = readlink("/proc/self/exe", out, room - 1);
    char *slash = NULL;
    if (bytes > 0) {
        out[bytes] = '\0';
        slash = strrchr(out, '/');
    }
    if (slash != NULL)
        *slash = '\0';
    return slash != NULL;
}

/* The exit code, or -1: go on. */
static int options_read(struct demo_options *out, int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'}, {"programs", required_argument, NULL, 'p'},
        {"keep", no_argument, NULL, 'k'},       {"estimates", no_argument, NULL, 'e'}, {"calm", no_argument, NULL, 'c'}, {"spread", no_argument, NULL, 'o'}, {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},    {0}};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h' || option == 'v') {
            fputs(option == 'h' ? usage : "lineward-demo " LINEWARD_VERSION "\n", stdout);
            return EXIT_HOLDS;
        }
        if (option == 's' && seed_read(optarg, &out->seed))
            continue;
        if (option == 'p')
            out->programs = optarg;
        else if (option == 'k')
            out->keep = true;
        else if (option == 'c')
            out->calm = true;
        else if (option == 'o')
            out->spread = true;
        else if (option == 'e')
            out->estimates = true;
        else
            break;
    }
    if (option == -1 && optind == argc)
        return -1;
    fputs(usage, stderr);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    char folder[256];
    struct demo_options options = {.seed = 1, .interrupted = &interrupted};
    int code = options_read(&options, argc, argv);
    if (code >= 0)
        return code;
    if (options.programs == NULL && own_folder(folder, sizeof folder))
        options.programs = folder;
    if (options.programs == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        fputs("lineward-demo: cannot find its own folder, or libcurl won't start\n", stderr);
        return EXIT_DOES_NOT;
    }
    catch_signals();
    enum demo_end end = demo_run(&options);
    curl_global_cleanup();
    return end == DEMO_HOLDS ? EXIT_HOLDS : end == DEMO_INTERRUPTED ? EXIT_INTERRUPTED : EXIT_DOES_NOT;
}
