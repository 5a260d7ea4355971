/* import_state.c — see import_state.h. */
#include "import_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_BYTES_MAX (4u * 1024 * 1024) /* 100,000 lines and more */

static char *read_file(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "re");
    char *text = file != NULL ? malloc(FILE_BYTES_MAX) : NULL;
    *bytes = text != NULL ? fread(text, 1, FILE_BYTES_MAX, file) : 0;
    if (file != NULL)
        fclose(file);
    return text;
}

static bool take(struct import_state *state, const cJSON *json, char *problem, size_t room)
{
    const char *account = json_string(json, "account");
    const char *base_url = json_string(json, "base_url");
    const char *line = json_string(json, "line");
    const char *cursor = json_string(json, "cursor");
    const cJSON *done = json_get(json, "done");
    if (account == NULL || base_url == NULL || !cJSON_IsArray(done)) {
        snprintf(problem, room, "%.200s: is no state of an import; name another file with --state", state->path);
        return false;
    }
    if (strcmp(account, state->account) != 0 || strcmp(base_url, state->base_url) != 0) {
        snprintf(problem, room, "%.200s: is of an import from account %.64s at %.100s; name another file with --state",
                 state->path, account, base_url);
        return false;
    }
    if (line != NULL && e164_is_valid(line) && (cursor == NULL || strlen(cursor) <= IMPORT_CURSOR_BYTES_MAX)) {
        snprintf(state->line, sizeof state->line, "%s", line);
        snprintf(state->cursor, sizeof state->cursor, "%s", cursor != NULL ? cursor : "");
    }
    state->done = cJSON_Duplicate(done, true);
    return state->done != NULL;
}

bool import_state_read(struct import_state *state, char *problem, size_t room)
{
    size_t bytes = 0;
    snprintf(problem, room, "out of memory");
    errno = 0;
    char *text = read_file(state->path, &bytes);
    if ((text == NULL && errno == ENOENT) || (text != NULL && bytes == 0)) {
        free(text);
        state->done = cJSON_CreateArray();
        return state->done != NULL;
    }
    if (text == NULL) {
        snprintf(problem, room, "%.200s: %s", state->path, strerror(errno));
        return false;
    }
    cJSON *json = json_parse(text, bytes, NULL);
    bool ok = take(state, json, problem, room);
    cJSON_Delete(json);
    free(text);
    return ok;
}

bool import_state_has(const struct import_state *state, const char *line)
{
    const cJSON *done = NULL;
    cJSON_ArrayForEach(done, state->done)
    {
        if (cJSON_IsString(done) && strcmp(done->valuestring, line) == 0)
            return true;
    }
    return false;
}

static void put(struct json_out *out, const char *name, const char *text)
{
    json_key(out, name);
    json_put_string(out, text);
}

/* Written beside and put in its place, so that there is always a whole one. Not synced: what a power cut takes is read
 * from the provider again. */
static bool write_file(const struct import_state *state, const struct json_out *out)
{
    char beside[4096];
    int bytes = snprintf(beside, sizeof beside, "%s.new", state->path);
    FILE *file = bytes > 0 && (size_t)bytes < sizeof beside ? fopen(beside, "we") : NULL;
    if (file == NULL)
        return false;
    bool ok = fwrite(out->text, 1, out->bytes, file) == out->bytes && fputc('\n', file) == '\n';
    ok = fclose(file) == 0 && ok;
    return ok && rename(beside, state->path) == 0;
}

bool import_state_move(struct import_state *state, const char *line, const char *cursor)
{
    struct json_out out = {0};
    bool is_done = cursor == NULL;
    if (is_done)
        cJSON_AddItemToArray(state->done, cJSON_CreateString(line));
    json_open(&out, '{');
    put(&out, "account", state->account);
    put(&out, "base_url", state->base_url);
    put(&out, "line", is_done ? NULL : line);
    put(&out, "cursor", cursor);
    json_key(&out, "done");
    json_put_value(&out, state->done);
    json_close(&out, '}');
    errno = ENOMEM;
    bool ok = !out.failed && write_file(state, &out);
    json_out_free(&out);
    return ok;
}

void import_state_remove(const struct import_state *state)
{
    unlink(state->path);
}

void import_state_free(struct import_state *state)
{
    cJSON_Delete(state->done);
    state->done = NULL;
}
