/* refusals.c — see refusals.h. */
#include "refusals.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "view.h"

#define PRINTED_MAX  20
#define RETRY_MIN_MS 50
#define RETRY_MAX_MS 5000

void refusals_free(struct refusals *refusals)
{
    free(refusals->kept);
    refusals->kept = NULL;
    if (refusals->file != NULL)
        fclose(refusals->file);
    refusals->file = NULL;
}

static void count_code(struct refusals *refusals, const char *code)
{
    size_t i = 0;
    while (i < refusals->code_count && strcmp(refusals->codes[i].code, code) != 0)
        i++;
    if (i == REFUSAL_CODES_MAX)
        return; /* the contract has fewer; a stranger's are in the list below */
    if (i == refusals->code_count)
        text_clean(code, refusals->codes[refusals->code_count++].code, sizeof refusals->codes[i].code);
    refusals->codes[i].count++;
}

bool refusal_may_pass(const char *code)
{
    return strcmp(code, "busy") == 0 || strcmp(code, "store_full") == 0;
}

int64_t refusal_retry_ms(const cJSON *error)
{
    int64_t ms = RETRY_MIN_MS;
    json_int(error, "retry_after_ms", &ms);
    return ms < RETRY_MIN_MS ? RETRY_MIN_MS : ms > RETRY_MAX_MS ? RETRY_MAX_MS : ms;
}

void refusals_add(struct refusals *refusals, const struct job_line *line, const char *code, const char *message)
{
    refusals->total++;
    count_code(refusals, code);
    if (refusals->file != NULL) {
        fwrite(line->text, 1, line->bytes, refusals->file);
        fputc('\n', refusals->file);
    }
    if (refusals->kept == NULL)
        refusals->kept = calloc(REFUSALS_KEPT_MAX, sizeof *refusals->kept);
    if (refusals->kept == NULL || refusals->kept_count == REFUSALS_KEPT_MAX)
        return;
    struct refusal *refusal = &refusals->kept[refusals->kept_count++];
    refusal->line = line->number;
    text_clean(line->id, refusal->id, sizeof refusal->id);
    text_clean(code, refusal->code, sizeof refusal->code);
    text_clean(message, refusal->message, sizeof refusal->message);
}

/* Without a line of a file the id is a chat's. */
static void print_one(const struct ctl *ctl, const struct refusal *refusal)
{
    if (refusal->line != 0)
        fprintf(ctl->out, "  line %" PRIu64 "%s%s", refusal->line, refusal->id[0] != '\0' ? ", id " : "", refusal->id);
    else
        fprintf(ctl->out, "  chat %s", refusal->id);
    fprintf(ctl->out, ": %s%s%s\n", refusal->code, refusal->message[0] != '\0' ? ": " : "", refusal->message);
}

void refusals_print(const struct refusals *refusals, const struct ctl *ctl)
{
    for (size_t i = 0; i < refusals->kept_count && i < PRINTED_MAX; i++)
        print_one(ctl, &refusals->kept[i]);
    const char *hint = refusals->file != NULL         ? ""
                       : refusals->keeps_no_lines ? " (--json tells more)"
                                                  : " (--refused FILE keeps the lines, --json tells more)";
    if (refusals->total > PRINTED_MAX)
        fprintf(ctl->out, "  and %" PRIu64 " more%s\n", refusals->total - PRINTED_MAX, hint);
    for (size_t i = 0; refusals->total > PRINTED_MAX && i < refusals->code_count; i++)
        fprintf(ctl->out, "  %s: %" PRIu64 "\n", refusals->codes[i].code, refusals->codes[i].count);
}

void refusals_write(const struct refusals *refusals, struct json_out *out)
{
    json_key(out, "by_code");
    json_open(out, '{');
    for (size_t i = 0; i < refusals->code_count; i++) {
        json_key(out, refusals->codes[i].code);
        json_put_int(out, (int64_t)refusals->codes[i].count);
    }
    json_close(out, '}');
    json_key(out, "refusals");
    json_open(out, '[');
    for (size_t i = 0; i < refusals->kept_count; i++) {
        const struct refusal *refusal = &refusals->kept[i];
        json_open(out, '{');
        json_key(out, "line");
        json_put_int(out, (int64_t)refusal->line);
        json_key(out, "id");
        json_put_string(out, refusal->id[0] != '\0' ? refusal->id : NULL);
        json_key(out, "code");
        json_put_string(out, refusal->code);
        json_key(out, "message");
        json_put_string(out, refusal->message);
        json_close(out, '}');
    }
    json_close(out, ']');
}
