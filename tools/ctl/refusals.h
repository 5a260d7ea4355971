/* refusals.h — what was refused while enqueueing or importing: counted by code, the first of them kept for the report. */
#ifndef LINEWARDCTL_REFUSALS_H
#define LINEWARDCTL_REFUSALS_H

#include <stdint.h>
#include <stdio.h>

#include "ctl.h"
#include "job_lines.h"
#include "lineward/json.h"

#define REFUSALS_KEPT_MAX 1000
#define REFUSAL_CODES_MAX 40

struct refusal {
    uint64_t line;
    char id[PRODUCER_ID_MAX_BYTES + 1];
    char code[32];
    char message[200];
};

struct refusals {
    struct refusal *kept; /* refusals_free() */
    size_t kept_count;
    uint64_t total;
    struct {
        char code[32];
        uint64_t count;
    } codes[REFUSAL_CODES_MAX];
    size_t code_count;
    FILE *file; /* gets each refused line as it was; NULL: none */
    bool keeps_no_lines; /* there is no option to keep them */
};
void refusals_free(struct refusals *refusals); /* closes the file too */

/* May the same be taken if it is sent again? */
bool refusal_may_pass(const char *code);
/* How long to wait before that, by what the broker says, within bounds. */
int64_t refusal_retry_ms(const cJSON *error);

void refusals_add(struct refusals *refusals, const struct job_line *line, const char *code, const char *message);

/* As text: the first of them, then counts by code. As JSON: "by_code" and "refusals" into an open object. */
void refusals_print(const struct refusals *refusals, const struct ctl *ctl);
void refusals_write(const struct refusals *refusals, struct json_out *out);

#endif
