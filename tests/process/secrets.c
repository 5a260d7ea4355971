/* secrets.c — see secrets.h. */
#include "secrets.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRETS_MAX      64
#define SECRET_BYTES_MIN 12 /* shorter words than that may stand anywhere by chance */
#define SECRET_BYTES_MAX 128
#define NUMBER_DIGITS    8       /* so many in a row behind a plus: nobody masked that */
#define BODY             "hello" /* in the message of every test */

struct secrets {
    char text[SECRETS_MAX][SECRET_BYTES_MAX];
    size_t count;
};

static char *read_all(const char *path, size_t *bytes)
{
    char *text = NULL;
    size_t room = 0;
    *bytes = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return NULL;
    for (size_t got = 1; got > 0; *bytes += got) {
        if (room - *bytes < 65536) {
            room = room * 2 + 131072;
            text = realloc(text, room);
            MUST(text != NULL, "out of memory");
        }
        got = fread(text + *bytes, 1, room - *bytes, file);
    }
    fclose(file);
    return text;
}

static bool ends_with(const char *name, const char *end)
{
    size_t bytes = strlen(name), end_bytes = strlen(end);
    return bytes > end_bytes && strcmp(name + bytes - end_bytes, end) == 0;
}

static void add(struct secrets *secrets, const char *word, size_t bytes)
{
    if (bytes < SECRET_BYTES_MIN || bytes >= SECRET_BYTES_MAX || secrets->count == SECRETS_MAX)
        return;
    memcpy(secrets->text[secrets->count], word, bytes);
    secrets->text[secrets->count++][bytes] = '\0';
}

/* The first word of each line. */
static void add_file(struct secrets *secrets, const char *path)
{
    size_t bytes = 0;
    char *text = read_all(path, &bytes);
    for (size_t at = 0; text != NULL && at < bytes;) {
        size_t end = at, next;
        while (end < bytes && !isspace((unsigned char)text[end]))
            end++;
        add(secrets, text + at, end - at);
        for (next = end; next < bytes && text[next] != '\n';)
            next++;
        at = next + 1;
    }
    free(text);
}

static void gather(const struct rig *rig, struct secrets *secrets)
{
    static const char *const ends[] = {".secret", ".secrets", ".key", ".first"};
    struct dirent *entry;
    DIR *folder = opendir(rig->folder);
    MUST(folder != NULL, "%s: %s", rig->folder, strerror(errno));
    secrets->count = 0;
    while ((entry = readdir(folder)) != NULL) {
        char path[PROGRAM_PATH_MAX * 2];
        snprintf(path, sizeof path, "%s/%s", rig->folder, entry->d_name);
        for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
            if (ends_with(entry->d_name, ends[i]))
                add_file(secrets, path);
    }
    closedir(folder);
}

static const char *whole_number(const char *bytes, size_t count)
{
    for (size_t at = 0; at < count; at++) {
        size_t digits = 0;
        if (bytes[at] != '+')
            continue;
        while (at + 1 + digits < count && isdigit((unsigned char)bytes[at + 1 + digits]))
            digits++;
        bool is_example = at >= 4 && memcmp(bytes + at - 4, "as \"", 4) == 0; /* "a number in E.164, as ..." */
        if (digits >= NUMBER_DIGITS && !is_example)
            return "a whole phone number";
    }
    return NULL;
}

static const char *find(const struct secrets *secrets, const char *bytes, size_t count, bool may_hold_messages)
{
    static char words[SECRET_BYTES_MAX + 32];
    for (size_t i = 0; i < secrets->count; i++) {
        if (memmem(bytes, count, secrets->text[i], strlen(secrets->text[i])) == NULL)
            continue;
        snprintf(words, sizeof words, "the secret %s", secrets->text[i]);
        return words;
    }
    if (may_hold_messages)
        return NULL;
    return memmem(bytes, count, BODY, strlen(BODY)) != NULL ? "a message" : whole_number(bytes, count);
}

const char *secrets_found(const struct rig *rig, const char *bytes, size_t count, bool may_hold_messages)
{
    static struct secrets secrets;
    gather(rig, &secrets);
    return find(&secrets, bytes, count, may_hold_messages);
}

static void must_hold_none(const struct secrets *secrets, const char *where, bool may_hold_messages)
{
    size_t bytes = 0;
    char *text = read_all(where, &bytes);
    const char *found = text == NULL ? NULL : find(secrets, text, bytes, may_hold_messages);
    MUST(found == NULL, "%s holds %s", where, found);
    free(text);
}

/* ---- while they run ---- */

/* Numbers of lines are arguments of the sandbox: messages and numbers are not looked for here. */
static void search_process(const struct secrets *secrets, const struct program *program)
{
    static const char *const files[] = {"cmdline", "environ"};
    for (size_t i = 0; program->pid != 0 && i < sizeof files / sizeof *files; i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/%s", (int)program->pid, files[i]);
        must_hold_none(secrets, path, true); /* where it may not even be read, all the better */
    }
}

static void search_answer(struct rig *rig, const struct secrets *secrets, const char *token, const char *path)
{
    long status = 0;
    char *text = rig_fetch(rig, token, "GET", path, NULL, 0, &status);
    /* Metrics are of lines, whose numbers an admin may see: those of recipients begin otherwise. */
    const char *found = find(secrets, text, strlen(text), true);
    if (found == NULL && (strstr(text, BODY) != NULL || strstr(text, "+1415") != NULL))
        found = "a message or a recipient";
    MUST(found == NULL, "GET %s (%ld) tells %s", path, status, found);
    free(text);
}

void secrets_search_running(struct rig *rig)
{
    static struct secrets secrets;
    gather(rig, &secrets);
    search_process(&secrets, &rig->broker);
    search_process(&secrets, &rig->sandbox);
    for (size_t i = 0; i < RIG_WORKERS; i++)
        search_process(&secrets, &rig->worker[i]);
    if (rig->broker.pid == 0 || rig->token[0] == '\0')
        return;
    search_answer(rig, &secrets, rig->token, "/metrics");
    search_answer(rig, &secrets, rig->token, "/v1/status");
    search_answer(rig, &secrets, rig->token, "/v1/lines/nobody");
    search_answer(rig, &secrets, "lw_not_a_token", "/v1/status");
}

/* ---- what they leave ---- */

static void search_store(const struct rig *rig, const struct secrets *secrets)
{
    char folder[PROGRAM_PATH_MAX];
    struct dirent *entry;
    snprintf(folder, sizeof folder, "%s/data", rig->folder);
    DIR *store = opendir(folder);
    while (store != NULL && (entry = readdir(store)) != NULL) {
        char path[PROGRAM_PATH_MAX * 2];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_type == DT_REG)
            must_hold_none(secrets, path, true);
    }
    if (store != NULL)
        closedir(store);
}

void secrets_search_left(struct rig *rig)
{
    static struct secrets secrets;
    gather(rig, &secrets);
    must_hold_none(&secrets, rig->broker.log, false);
    must_hold_none(&secrets, rig->sandbox.log, false);
    for (size_t i = 0; i < RIG_WORKERS; i++)
        must_hold_none(&secrets, rig->worker[i].log, false);
    search_store(rig, &secrets);
}
