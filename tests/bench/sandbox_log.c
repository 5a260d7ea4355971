/* sandbox_log.c — reads whole lines of a file that another process writes. */
#include "sandbox_log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "http.h"
#include "lineward/json.h"

#define LINE_BYTES_MAX (1u << 20)

struct sandbox_log {
    int fd;
    size_t begin, end; /* what of `text` is not yet looked at */
    char text[LINE_BYTES_MAX];
};

struct sandbox_log *sandbox_log_follow(const char *path)
{
    struct sandbox_log *log = calloc(1, sizeof *log);
    if (log == NULL)
        die("out of memory");
    log->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (log->fd < 0 || lseek(log->fd, 0, SEEK_END) < 0)
        die("%s:", path);
    return log;
}

void sandbox_log_close(struct sandbox_log **log_p)
{
    if (*log_p == NULL)
        return;
    close((*log_p)->fd);
    free(*log_p);
    *log_p = NULL;
}

/* The next whole line, without its end; NULL: not there yet. */
static char *next_line(struct sandbox_log *log, size_t *bytes)
{
    char *end = memchr(log->text + log->begin, '\n', log->end - log->begin);
    if (end == NULL) {
        memmove(log->text, log->text + log->begin, log->end - log->begin);
        log->end -= log->begin;
        log->begin = 0;
        ssize_t got = read(log->fd, log->text + log->end, sizeof log->text - log->end);
        if (got < 0)
            die("the sandbox's log:");
        size_t searched = log->end;
        log->end += (size_t)got;
        end = memchr(log->text + searched, '\n', log->end - searched);
        if (end == NULL)
            return NULL;
    }
    char *line = log->text + log->begin;
    *bytes = (size_t)(end - line);
    log->begin += *bytes + 1;
    return line;
}

static bool read_record(const cJSON *json, struct sandbox_record *out)
{
    const char *type = json_string(json, "type");
    const char *line = json_string(json, "line");
    if (type == NULL || line == NULL || !json_int(json, "mono_ms", &out->mono_ms))
        return false;
    snprintf(out->line, sizeof out->line, "%s", line);
    out->kind = SANDBOX_SEND;
    if (strcmp(type, "request") == 0)
        return true;
    out->kind = SANDBOX_STATUS;
    const char *reputation = json_string(json, "reputation");
    if (strcmp(type, "webhook") != 0 || reputation == NULL || !json_int(json, "began_mono_ms", &out->began_mono_ms))
        return false;
    out->reputation = reputation_read(reputation);
    return true;
}

bool sandbox_log_next(struct sandbox_log *log, struct sandbox_record *out)
{
    bool found = false;
    size_t bytes = 0;
    for (char *line = NULL; !found && (line = next_line(log, &bytes)) != NULL;) {
        cJSON *json = json_parse(line, bytes, NULL);
        if (json == NULL)
            die("the sandbox's log has a line that is no JSON");
        found = read_record(json, out);
        cJSON_Delete(json);
    }
    return found;
}

void sandbox_set_line(const char *control_url, const char *line, enum reputation reputation)
{
    static struct http_reply reply;
    char url[512];
    char body[64];
    snprintf(url, sizeof url, "%s/lines/%%2B%s", control_url, line + 1);
    snprintf(body, sizeof body, "{\"reputation\":\"%s\"}", reputation_name(reputation));
    http_call("POST", url, body, &reply);
    if (reply.status != 200)
        die("%s: %ld %s", url, reply.status, reply.text);
}
