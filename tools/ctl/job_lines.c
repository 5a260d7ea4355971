/* job_lines.c — reads lines of bounded length; a longer one is skipped to its end. */
#include "job_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lineward/json.h"
#include "lineward/wire.h"

void job_line_free(struct job_line *line)
{
    free(line->text);
    line->text = NULL;
}

bool job_reader_open(struct job_reader *reader, const char *path)
{
    memset(reader, 0, sizeof *reader);
    reader->file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (reader->file == NULL)
        return false;
    struct stat info;
    if (fstat(fileno(reader->file), &info) != 0)
        return true;
    if (S_ISDIR(info.st_mode)) {
        job_reader_close(reader);
        errno = EISDIR;
        return false;
    }
    reader->size = S_ISREG(info.st_mode) ? info.st_size : 0;
    return true;
}

void job_reader_close(struct job_reader *reader)
{
    if (reader->file != NULL && reader->file != stdin)
        fclose(reader->file);
    reader->file = NULL;
}

int64_t job_reader_line(struct job_reader *reader, char *text, size_t room)
{
    size_t bytes = 0;
    int c = getc_unlocked(reader->file);
    if (c == EOF)
        return -1;
    for (; c != EOF && c != '\n'; c = getc_unlocked(reader->file)) {
        reader->bytes++;
        if (bytes < room)
            text[bytes++] = (char)c;
    }
    reader->bytes += c == '\n' ? 1 : 0;
    reader->lines++;
    return (int64_t)bytes;
}

static bool is_blank(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (strchr(" \t\r", text[i]) == NULL || text[i] == '\0')
            return false;
    }
    return true;
}

static enum job_read judge_large(struct job_line *line, const char **code, const char **why)
{
    line->bytes = WIRE_JOB_BYTES_MAX;
    *code = "too_large";
    *why = "longer than 256 KiB";
    return JOB_READ_BAD;
}

static enum job_read judge(struct job_line *line, const char **code, const char **why)
{
    if (line->bytes > WIRE_JOB_BYTES_MAX + WIRE_EXPORTED_BYTES_MORE)
        return judge_large(line, code, why);
    *code = "malformed";
    cJSON *job = json_parse(line->text, line->bytes, why);
    if (job == NULL)
        return line->bytes > WIRE_JOB_BYTES_MAX ? judge_large(line, code, why) : JOB_READ_BAD;
    const char *id = json_string(job, "id");
    if (id != NULL && strlen(id) < sizeof line->id)
        snprintf(line->id, sizeof line->id, "%s", id);
    bool is_object = cJSON_IsObject(job), exported = json_get(job, "exported") != NULL;
    cJSON_Delete(job);
    if (line->bytes > WIRE_JOB_BYTES_MAX && !exported)
        return judge_large(line, code, why);
    *why = "a job is a JSON object";
    return is_object ? JOB_READ_GOOD : JOB_READ_BAD;
}

enum job_read job_reader_next(struct job_reader *reader, struct job_line *out, const char **code, const char **why)
{
    const size_t room = WIRE_JOB_BYTES_MAX + WIRE_EXPORTED_BYTES_MORE + 1;
    char *text = malloc(room + 1);
    int64_t bytes = 0;
    if (text == NULL)
        return JOB_READ_FAILED;
    do
        bytes = job_reader_line(reader, text, room);
    while (bytes >= 0 && is_blank(text, (size_t)bytes));
    if (bytes < 0) {
        free(text);
        return ferror(reader->file) ? JOB_READ_FAILED : JOB_READ_END;
    }
    text[bytes] = '\0';
    char *shorter = realloc(text, (size_t)bytes + 1);
    *out =
        (struct job_line){.number = reader->lines, .text = shorter != NULL ? shorter : text, .bytes = (size_t)bytes};
    return judge(out, code, why);
}
