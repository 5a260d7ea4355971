/* main.c — lineward-sandbox: arguments, wiring, and waiting to be told to stop. */
#include <curl/curl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lineward/process.h"
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

/* Everybody may read the arguments of every process: so the secrets among them are blanked. */
static void blank(char *text)
{
    memset(text, '*', strlen(text));
}

/* One of the secrets' options, whole or shortened? What is too short to be clear was refused before. */
static bool names_secret(const char *argument, size_t bytes)
{
    static const char *const secrets[] = {"--api-key", "--webhook-secret"};
    for (size_t s = 0; s < sizeof secrets / sizeof *secrets; s++) {
        if (bytes > strlen("--") && bytes <= strlen(secrets[s]) && strncmp(argument, secrets[s], bytes) == 0)
            return true;
    }
    return false;
}

static void hide_secrets(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        size_t bytes = strcspn(argv[i], "=");
        if (!names_secret(argv[i], bytes))
            continue;
        if (argv[i][bytes] == '=')
            blank(argv[i] + bytes + 1);
        else if (i + 1 < argc)
            blank(argv[i + 1]);
    }
}

/* The options point into the arguments, so they get copies first. False: out of memory. */
static bool keep_secret(const char **text, char **copy)
{
    *copy = *text == NULL ? NULL : strdup(*text);
    bool kept = *text == NULL || *copy != NULL;
    *text = *copy;
    return kept;
}

static int serve_quietly(struct sandbox_options *options, int argc, char **argv)
{
    char *key = NULL, *secret = NULL;
    bool kept = keep_secret(&options->api_key, &key) && keep_secret(&options->webhook_secret, &secret);
    hide_secrets(argc, argv);
    int status = kept ? serve(options) : EXIT_FAILED;
    free(key);
    free(secret);
    return status;
}

int main(int argc, char **argv)
{
    struct sandbox_options options;
    char problem[512];
    int status = EXIT_GOOD;
    process_hold_standard();
    process_keep_secrets();
    switch (sandbox_options_read(&options, argc, argv, problem, sizeof problem)) {
    case OPTIONS_GOOD:
        status = serve_quietly(&options, argc, argv);
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
