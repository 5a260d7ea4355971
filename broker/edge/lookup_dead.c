/* lookup_dead.c — dead letters from their records: as a page of views, or as the documents that they were enqueued with,
 * to be requeued. A job that was requeued since is no dead letter any more. */
#include <stdlib.h>
#include <string.h>

#include "broker/edge/lookup_job.h"
#include "broker/edge/lookup_page.h"
#include "broker/edge/view_put.h"

/* Is this end still the last word on its job? */
static bool is_dead(const struct job_facts *facts, uint8_t life)
{
    bool requeued = facts->has_job && facts->job.life > life;
    return facts->has_end && facts->end.dead && facts->end.life == life && !requeued;
}

static bool same_text(struct span json, const char *text)
{
    size_t bytes = strlen(text);
    const char *at = json.data;
    return json.bytes == bytes + 2 && at[0] == '"' && memcmp(at + 1, text, bytes) == 0;
}

/* The code as the job's view has it: the result's, else ours. */
static bool has_code(const struct job_facts *facts, const char *code)
{
    struct span error = view_member(facts->result, "error");
    struct span given = view_member(error, "code");
    if (error.bytes > 0)
        return given.bytes > 0 && same_text(given, code);
    return facts->end.code != CODE_NONE && strcmp(code_name(facts->end.code), code) == 0;
}

static bool is_meant(const struct lookup_request *request, const struct job_facts *facts)
{
    char pool[NAME_MAX_BYTES + 1];
    bool known = view_job_pool(facts, pool);
    if ((request->pools != NULL && !(known && name_in_list(request->pools, pool))) ||
        (request->pool != NULL && !(known && strcmp(request->pool, pool) == 0)))
        return false;
    return request->code == NULL || has_code(facts, request->code);
}

/* ---- the document ---- */

/* What belongs to the time of the first enqueue, and what stands elsewhere. */
static const char *const left_out[] = {"send_after", "if_held", "to", "message", NULL};

static void put_document(struct json_out *out, const struct job_facts *facts)
{
    out->comma = false;
    json_open(out, '{');
    put_members(out, facts->envelope, left_out);
    job_document_end(out, facts);
}

static int64_t expiry_of(const struct job_facts *facts)
{
    char text[64];
    int64_t at_ms = 0;
    struct span given = view_member(facts->envelope, "expires_at");
    if (facts->has_job || facts->end.expires_told != 0)
        return view_job_expires_ms(facts);
    if (given.bytes < 2 || given.bytes - 2 >= sizeof text)
        return 0;
    memcpy(text, (const char *)given.data + 1, given.bytes - 2);
    text[given.bytes - 2] = '\0';
    return time_parse(text, &at_ms) ? at_ms : 0;
}

static void put_letter(struct lookup_answer *answer, const struct job_facts *facts)
{
    struct dead_letter *letter = &answer->letters[answer->letter_count++];
    *letter = (struct dead_letter){
        .requeue = {.number = facts->number,
                    .life = facts->end.life,
                    .attempts = facts->end.attempts,
                    .doubtful = facts->end.code == CODE_OUTCOME_UNKNOWN,
                    .line = facts->end.line,
                    .accepted_at_ms = facts->has_job ? facts->job.accepted_at_ms : facts->ended_at_ms},
        .expires_ms = expiry_of(facts),
        .at = answer->text.bytes,
    };
    put_document(&answer->text, facts);
    letter->bytes = answer->text.bytes - letter->at;
}

static void put_view(const struct lookup_request *request, struct lookup_answer *answer, const struct job_facts *facts)
{
    size_t before = answer->text.bytes;
    answer->text.comma = false;
    json_open(&answer->text, '{');
    view_job_members(&answer->text, facts, request->mask_handles);
    json_close(&answer->text, '}');
    answer->items[answer->item_count++] = (struct lookup_item){CODE_NONE, answer->text.bytes - before};
}

/* One dead letter by number; `life` NULL: whichever was the last. */
static enum err take(const struct archive *archive, const struct lookup_request *request, uint64_t number,
                     const uint8_t *life, struct lookup_answer *answer)
{
    struct lookup_job job = {.number = number};
    struct job_records records = {0};
    bool whole = request->what == LOOKUP_LETTERS;
    enum err err = number == 0 ? ERR_NONE : job_records_read(archive, &job, 0, false, whole, &records);
    const struct job_facts *facts = &records.facts;
    bool readable = facts->recipients.bytes > 0 && facts->envelope.bytes > 0;
    if (err == ERR_NONE && readable && is_dead(facts, life != NULL ? *life : facts->end.life) && is_meant(request, facts)) {
        if (!whole)
            put_view(request, answer, facts);
        else if (facts->payload.bytes > 0)
            put_letter(answer, facts);
    }
    job_records_free(&records);
    return err;
}

enum err lookup_dead(const struct archive *archive, const struct lookup_request *request, struct lookup_answer *answer)
{
    size_t room = request->job_count > 0 ? request->job_count : request->limit;
    enum err err = ERR_NONE;
    answer->letters = calloc(room + 1, sizeof *answer->letters);
    if (answer->letters == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_NONE && i < request->job_count; i++)
        err = take(archive, request, request->jobs[i].number, NULL, answer);
    if (request->job_count > 0)
        return err;
    struct gathering page = {.request = request};
    err = gather_page(archive, &page, answer);
    for (size_t i = 0; err == ERR_NONE && i < page.count; i++) {
        err = take(archive, request, page.items[i].change.end.number, &page.items[i].change.end.life, answer);
        if (err == ERR_DAMAGED)
            err = ERR_NONE; /* the others can be read */
    }
    gathering_free(&page);
    return err;
}
