/* cmd_changes.c — commands that change something through the admin API: cancel, settle, and what else is one call. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "http.h"
#include "lineward/json.h"

int ctl_change(const struct ctl *ctl, const struct args *args, const char *method, const char *name,
               const struct json_out *body, struct http_answer *answer)
{
    char *path = http_path(args->command->path, name);
    if (path == NULL)
        return ctl_fail(ctl, EXIT_REFUSED, "no_memory", "%s", "");
    int code = http_ask(ctl, method, path, body, answer);
    free(path);
    return code;
}

bool ctl_moment(const struct ctl *ctl, const char *text, int sign, char out[TIME_TEXT_MAX])
{
    int64_t span_ms;
    int64_t at_ms;
    if (text == NULL)
        return true;
    if (time_parse(text, &at_ms))
        time_format(at_ms, out);
    else if (duration_parse(text, &span_ms))
        time_format(ctl->view.now_ms + sign * span_ms, out);
    else
        return false;
    return true;
}

FILE *ctl_create(const struct ctl *ctl, const char *name)
{
    if (strcmp(name, "-") == 0)
        return ctl->out;
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (fd >= 0 && file == NULL)
        close(fd);
    return file;
}

bool ctl_sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

bool ctl_sync_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? strdup(".") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
    bool good = folder != NULL && ctl_sync_folder(folder);
    free(folder);
    return good;
}

static void print_cancelled(const struct ctl *ctl, const char *id, const struct http_answer *answer)
{
    if (ctl->json) {
        fprintf(ctl->out, "%s\n", answer->text != NULL ? answer->text : "{}");
        return;
    }
    const char *state = json_string(answer->json, "state");
    const char *cancel = json_string(answer->json, "cancel");
    char clean[64];
    text_clean(state != NULL ? state : "?", clean, sizeof clean);
    if (cancel != NULL)
        fprintf(ctl->out, "%s: asked; a worker has it (%s)\n", id, clean);
    else
        fprintf(ctl->out, "%s: %s\n", id, clean);
}

int command_cancel(const struct ctl *ctl, const struct args *args)
{
    int worst = EXIT_DONE;
    for (int i = 0; i < args->count && worst != EXIT_UNREACHABLE; i++) {
        struct http_answer answer = {0};
        int code = ctl_change(ctl, args, "DELETE", args->positional[i], NULL, &answer);
        worst = code > worst ? code : worst;
        if (code != EXIT_DONE)
            continue;
        print_cancelled(ctl, args->positional[i], &answer);
        http_answer_free(&answer);
    }
    return worst;
}
