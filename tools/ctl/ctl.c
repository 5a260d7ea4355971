/* ctl.c — what all commands share, and how a command line becomes one of them. */
#include "ctl.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "commands.h"
#include "lineward/clock.h"
#include "lineward/conf.h"
#include "lineward/json.h"
#include "lineward/version.h"
#include "manual.h"

int command_manual(const struct ctl *ctl, const struct args *args)
{
    (void)args;
    manual_print(ctl->out, commands, common_options);
    return EXIT_DONE;
}

int command_completion(const struct ctl *ctl, const struct args *args)
{
    (void)args;
    completion_print(ctl->out, commands, common_options);
    return EXIT_DONE;
}

void ctl_print_json(const struct ctl *ctl, struct json_out *out)
{
    if (out->failed)
        fputs("{\"error\":{\"code\":\"no_memory\"}}", ctl->out);
    else
        fwrite(out->text, 1, out->bytes, ctl->out);
    fputc('\n', ctl->out);
    json_out_free(out);
}

int ctl_fail(const struct ctl *ctl, enum exit_code code, const char *word, const char *format, ...)
{
    char message[1024];
    char clean[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (ctl->json) {
        struct json_out out = {0};
        json_open(&out, '{');
        json_key(&out, "error");
        json_open(&out, '{');
        json_key(&out, "code");
        json_put_string(&out, word);
        json_key(&out, "message");
        json_put_string(&out, message);
        json_close(&out, '}');
        json_close(&out, '}');
        ctl_print_json(ctl, &out);
        return (int)code;
    }
    text_clean(message, clean, sizeof clean);
    fprintf(ctl->err, "linewardctl: %s%s%s\n", word, clean[0] != '\0' ? ": " : "", clean);
    return (int)code;
}

/* ---- what all commands share ---- */

static int read_token(struct ctl *ctl, const struct args *args)
{
    const char *file = args_option(args, "token-file");
    const char *variable = getenv("LINEWARD_TOKEN");
    if (file != NULL)
        ctl->token = conf_read_secret(file);
    else if (variable != NULL && variable[0] != '\0')
        ctl->token = strdup(variable);
    else
        return EXIT_DONE;
    if (ctl->token == NULL)
        return ctl_fail(ctl, EXIT_USAGE, "token", "%s: %s", file, strerror(errno));
    for (const char *at = ctl->token; *at != '\0'; at++) {
        if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f)
            return ctl_fail(ctl, EXIT_USAGE, "token", "a token is printable ASCII without blanks");
    }
    return EXIT_DONE;
}

static int read_admin(struct ctl *ctl, const struct args *args)
{
    const char *given = args_option(args, "admin");
    if (given != NULL && given[0] == '\0')
        return ctl_fail(ctl, EXIT_USAGE, "admin", "--admin is empty: say a URL, or leave it out");
    if (given == NULL)
        given = getenv("LINEWARD_ADMIN");
    if (given == NULL || given[0] == '\0')
        given = CTL_ADMIN_DEFAULT;
    bool plain = strncasecmp(given, "http://", 7) == 0;
    if (!plain && strncasecmp(given, "https://", 8) != 0)
        return ctl_fail(ctl, EXIT_USAGE, "admin", "%s: begins with http:// or https://", given);
    if (plain && !conf_endpoint_is_local(given) && !ctl->insecure)
        return ctl_fail(ctl, EXIT_USAGE, "admin",
                        "%s: the token would go in clear to another machine; use https, or say --insecure", given);
    size_t bytes = strlen(given);
    while (bytes > 0 && given[bytes - 1] == '/')
        bytes--;
    if (bytes >= sizeof ctl->admin)
        return ctl_fail(ctl, EXIT_USAGE, "admin", "the URL is too long");
    memcpy(ctl->admin, given, bytes);
    ctl->admin[bytes] = '\0';
    return EXIT_DONE;
}

static bool asks_admin_api(const struct args *args)
{
    const char *path = args->command->path;
    return (path == NULL || strcmp(path, PATH_LOCAL) != 0) && !args_flag(args, "producers");
}

static int run_command(struct ctl *ctl, const struct args *args)
{
    bool asks = asks_admin_api(args);
    int code = asks ? read_admin(ctl, args) : EXIT_DONE;
    if (code == EXIT_DONE && asks)
        code = read_token(ctl, args);
    if (code == EXIT_DONE)
        code = args->command->run(ctl, args);
    errno = 0;
    free(ctl->token);
    ctl->token = NULL;
    if (fflush(ctl->out) != 0 || ferror(ctl->out)) {
        fprintf(ctl->err, "linewardctl: output: %s\n", errno != 0 ? strerror(errno) : "could not be written whole");
        code = code == EXIT_DONE ? EXIT_REFUSED : code;
    }
    return code;
}

/* It goes into a header as it is. */
static bool etag_is_good(const char *etag)
{
    size_t at = 0;
    while (etag != NULL && etag[at] > ' ' && etag[at] <= '~')
        at++;
    return etag == NULL || (at > 0 && at < IF_MATCH_MAX && etag[at] == '\0');
}

int ctl_run(int argc, char **argv, FILE *out, FILE *err)
{
    struct args *args = calloc(1, sizeof *args);
    struct args_problem problem;
    struct ctl ctl = {.out = out, .err = err, .view = screen_of(out, clock_read().wall_ms)};
    int code = EXIT_REFUSED;
    if (args == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
        ctl_fail(&ctl, EXIT_REFUSED, "no_memory", "%s", "");
    } else if (!args_read(args, argc, argv, commands, common_options, &problem)) {
        ctl.json = args_flag(args, "json"); /* as far as it was read */
        code = ctl_fail(&ctl, EXIT_USAGE, "usage", "%s", problem.text);
    } else if (args_flag(args, "version")) {
        fprintf(out, "linewardctl %s\n", LINEWARD_VERSION);
        code = EXIT_DONE;
    } else if (args->command == NULL) {
        args_print_help(args->help ? out : err, commands, common_options);
        code = args->help ? EXIT_DONE : EXIT_USAGE;
    } else if (args->help) {
        args_print_command_help(out, args->command, common_options);
        code = EXIT_DONE;
    } else {
        ctl.json = args_flag(args, "json");
        ctl.insecure = args_flag(args, "insecure");
        ctl.ca = args_option(args, "ca");
        ctl.if_match = args_option(args, "if-match");
        ctl.progress = fileno(err) >= 0 && isatty(fileno(err));
        code = etag_is_good(ctl.if_match) ? run_command(&ctl, args)
                                          : ctl_fail(&ctl, EXIT_USAGE, "usage", "--if-match is the etag of a view");
    }
    free(args);
    return code;
}
