/* job_lines.h — jobs from a file, one JSON object a line, each checked for its form before it is submitted. */
#ifndef LINEWARDCTL_JOB_LINES_H
#define LINEWARDCTL_JOB_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lineward/ids.h"

struct job_line {
    uint64_t number; /* of the line in the file, from 1 */
    char *text;      /* without the line's end, terminated; job_line_free() */
    size_t bytes;
    char id[PRODUCER_ID_MAX_BYTES + 1]; /* the producer's id; "" if it has none (or one that is too long) */
};
void job_line_free(struct job_line *line);

struct job_reader {
    FILE *file;
    uint64_t lines; /* read so far */
    int64_t bytes;  /* read so far */
    int64_t size;   /* of the file; 0: unknown */
};

enum job_read {
    JOB_READ_GOOD,
    JOB_READ_BAD, /* no job: *code and *why say so; the line's text is there as far as it was read */
    JOB_READ_END,
    JOB_READ_FAILED, /* the file cannot be read on, or memory is out; errno says */
};

/* Opens `path`, or standard input for "-". False: errno says why. */
bool job_reader_open(struct job_reader *reader, const char *path);
void job_reader_close(struct job_reader *reader);

/* One more judge of a good line, whose text it may replace: GOOD or BAD as job_reader_next(); FAILED: it cannot
 * say (*why), and nothing more is submitted, unless it can when it is asked again (*code `busy`, `unreachable`). */
struct ctl;
struct args;
typedef enum job_read (*admit_line)(const struct ctl *ctl, struct job_line *line, const char **code, const char **why);
/* cmd_enqueue.c: `linewardctl enqueue`, with the options that the command has, of the lines that `admit` lets through. */
int enqueue_lines(const struct ctl *ctl, const struct args *args, admit_line admit);

/* One line of at most `room` bytes into text, without its end and without a terminator. Returns its length, which is
 * `room` if it was that long or longer; -1 at the end. */
int64_t job_reader_line(struct job_reader *reader, char *text, size_t room);
/* The next line that is not blank. GOOD and BAD fill *out. */
enum job_read job_reader_next(struct job_reader *reader, struct job_line *out, const char **code, const char **why);

#endif
