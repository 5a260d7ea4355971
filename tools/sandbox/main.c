/* main.c — lineward-sandbox: arguments, wiring, and waiting to be told to stop. */
#include <curl/curl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>

#include "lineward/version.h"
#include "tools/sandbox/sandbox.h"

enum { EXIT_GOOD, EXIT_FAILED, EXIT_USAGE };

static void run(const struct sandbox *sandbox, const struct sandbox_options *options, const sigset_t *ends)
{
    printf("listening http://%s:%u\n", options->listen.address, sandbox_http_port(sandbox->api));
    if (sandbox->control != NULL)
        printf("control http://%s:%u\n", options->control.address, sandbox_http_port(sandbox->control));
    fflush(stdout);
    int ended;
    while (sigwait(ends, &ended) != 0)
        continue;
}

static int serve(const struct sandbox_options *options)
{
    char problem[512];
    struct sandbox *sandbox;
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL); /* before any thread starts, so that only main() takes them */
    signal(SIGPIPE, SIG_IGN);
    if (sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        fprintf(stderr, "lineward-sandbox: libsodium or libcurl won't start\n");
        return EXIT_FAILED;
    }
    if (sandbox_start(&sandbox, options, problem, sizeof problem) != ERR_NONE) {
        fprintf(stderr, "lineward-sandbox: %s\n", problem);
        return EXIT_FAILED;
    }
    run(sandbox, options, &ends);
    sandbox_stop(&sandbox);
    curl_global_cleanup();
    return EXIT_GOOD;
}

int main(int argc, char **argv)
{
    struct sandbox_options options;
    char problem[512];
    int status = EXIT_GOOD;
    switch (sandbox_options_read(&options, argc, argv, problem, sizeof problem)) {
    case OPTIONS_GOOD:
        status = serve(&options);
        break;
    case OPTIONS_HELP:
        fputs(sandbox_options_help, stdout);
        break;
    case OPTIONS_VERSION:
        printf("lineward-sandbox %s\n", LINEWARD_VERSION);
        break;
    case OPTIONS_BAD:
        fprintf(stderr, "lineward-sandbox: %s\n", problem);
        status = EXIT_USAGE;
        break;
    }
    sandbox_options_free(&options);
    return status;
}
