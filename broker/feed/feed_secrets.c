/* feed_secrets.c — see feed_secrets.h. */
#include "broker/feed/feed_secrets.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES_MAX 1024

static void cut_blanks(char *line)
{
    size_t start = strspn(line, " \t\r\n");
    size_t bytes = strlen(line + start);
    while (bytes > 0 && strchr(" \t\r\n", line[start + bytes - 1]) != NULL)
        bytes--;
    memmove(line, line + start, bytes);
    line[bytes] = '\0';
}

/* False: the line is a secret that cannot be taken. */
static bool take_line(struct feed_secrets *out, char *line)
{
    cut_blanks(line);
    if (line[0] == '\0')
        return true;
    return out->count < FEED_SECRETS_MAX && webhook_secret_parse(line, &out->secrets[out->count++]);
}

enum err feed_secrets_read(struct feed_secrets *out, const char *path, struct conf_problem *problem)
{
    char line[LINE_BYTES_MAX];
    int number = 0;
    bool good = true;
    *out = (struct feed_secrets){0};
    if (path == NULL)
        return ERR_NONE;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        snprintf(problem->text, sizeof problem->text, "%s: %s", path, strerror(errno));
        return ERR_IO;
    }
    while (good && fgets(line, sizeof line, file) != NULL) {
        number++;
        good = take_line(out, line);
    }
    bool unread = ferror(file) != 0;
    fclose(file);
    sodium_memzero(line, sizeof line);
    if (good && !unread)
        return ERR_NONE;
    snprintf(problem->text, sizeof problem->text,
             "%s:%d: not a webhook secret: whsec_ and base64, one a line, at most %d", path, number,
             FEED_SECRETS_MAX);
    return unread ? ERR_IO : ERR_BAD_INPUT;
}

char *feed_authorization_header(const char *api_key_file)
{
    char *header = NULL;
    char *key = api_key_file == NULL ? NULL : conf_read_secret(api_key_file);
    bool good = key != NULL && key[0] != '\0';
    for (const char *c = key; good && *c != '\0'; c++)
        good = *c > ' ' && *c <= '~'; /* a line break would begin a header of its own */
    if (good && asprintf(&header, "Authorization: Bearer %s", key) < 0)
        header = NULL;
    feed_secret_free(key);
    return header;
}

void feed_secret_free(char *text)
{
    if (text != NULL)
        sodium_memzero(text, strlen(text));
    free(text);
}
