/* lookup_job.c — one job from its records: JOB, TRYs, END and DELIVERY by number; of a live job the JOB and its
 * conversation by place, and by number when the cleaner has just moved them. */
#include "broker/edge/lookup_job.h"

#include <stdlib.h>
#include <string.h>

#define COPY_CHAT SECTION_COUNT

/* Keeps a copy of lent bytes in `slot`. */
static struct span keep(struct job_records *records, size_t slot, struct span lent)
{
    if (lent.bytes == 0)
        return (struct span){NULL, 0};
    void *copy = malloc(lent.bytes);
    if (copy == NULL) {
        records->failed = true;
        return (struct span){NULL, 0};
    }
    memcpy(copy, lent.data, lent.bytes);
    free(records->copies[slot]);
    records->copies[slot] = copy;
    return (struct span){copy, lent.bytes};
}

/* A later record of the job may carry the sections again (dead letters do); what is not there keeps what was. */
static void keep_section(struct job_records *records, const struct change *change, enum change_section section,
                         struct span *kept)
{
    if (change->sections[section].bytes > 0)
        *kept = keep(records, section, change->sections[section]);
}

static void keep_sections(struct job_records *records, const struct change *change)
{
    struct job_facts *facts = &records->facts;
    keep_section(records, change, SECTION_RESULT, &facts->result);
    keep_section(records, change, SECTION_RECIPIENTS, &facts->recipients);
    keep_section(records, change, SECTION_ENVELOPE, &facts->envelope);
    keep_section(records, change, SECTION_PAYLOAD, &facts->payload);
}

static void add_history(struct job_records *records, const struct change *change)
{
    /* A record without an event repeats what one before it said (cleaning writes it anew). */
    bool happened = change->event.seq != 0 || change->kind == CHANGE_JOB;
    if (!records->with_history || !happened || records->history_count == LOOKUP_HISTORY_MAX)
        return;
    view_history_entry(&records->history, change);
    records->history_count++;
}

static bool take_job(void *visitor, const struct change *change)
{
    struct job_records *records = visitor;
    if (change->kind != CHANGE_JOB || change->job.number != records->facts.number)
        return true;
    if (records->facts.has_job && change->job.life < records->facts.job.life)
        return true; /* of an earlier life, as an END below */
    keep_sections(records, change);
    if (!records->facts.has_job)
        add_history(records, change);
    records->facts.has_job = true;
    records->facts.job = change->job;
    if (records->facts.changed_at_ms == 0)
        records->facts.changed_at_ms = change->job.accepted_at_ms;
    return true;
}

static bool take_try(void *visitor, const struct change *change)
{
    struct job_records *records = visitor;
    if (change->kind != CHANGE_TRY)
        return true;
    records->facts.has_try = true;
    records->facts.last_try = change->try;
    if (change->event.seq != 0)
        records->facts.changed_at_ms = change->event.at_ms;
    add_history(records, change);
    return true;
}

static bool take_end(void *visitor, const struct change *change)
{
    struct job_records *records = visitor;
    if (change->kind != CHANGE_END)
        return true;
    if (!records->facts.has_end)
        add_history(records, change);
    if (records->facts.has_end && change->end.life < records->facts.end.life)
        return true; /* of an earlier life: cleaning has moved it behind the last one's */
    if (records->facts.has_end && records->facts.end.life != change->end.life)
        records->facts.result = (struct span){NULL, 0}; /* what an earlier life ended with says nothing of this one */
    keep_sections(records, change);
    records->facts.has_end = true;
    records->facts.end = change->end;
    records->facts.ended_at_ms = change->event.at_ms;
    records->facts.changed_at_ms = change->event.at_ms;
    return true;
}

static bool take_delivery(void *visitor, const struct change *change)
{
    struct job_records *records = visitor;
    if (change->kind != CHANGE_DELIVERY)
        return true;
    records->facts.has_delivery = true;
    records->facts.delivery = change->delivery.delivery;
    add_history(records, change);
    return true;
}

/* A conversation's record has its recipients and, where known, the chat id: a JSON string. */
static struct span chat_section(const struct change *change)
{
    struct span chat = change->sections[SECTION_RESULT];
    bool is_text = chat.bytes > 2 && *(const char *)chat.data == '"';
    return is_text ? chat : (struct span){NULL, 0};
}

static bool take_conversation(void *visitor, const struct change *change)
{
    struct job_records *records = visitor;
    const struct change_conversation *conversation = &change->conversation;
    if (change->kind != CHANGE_CONVERSATION || conversation->key != records->facts.job.conversation)
        return true;
    records->facts.chat_id = (struct span){NULL, 0};
    if (!conversation->forgotten_chat)
        records->facts.chat_id = keep(records, COPY_CHAT, chat_section(change));
    return true;
}

/* The JOB record: by its place if that is known and still right, else by its number. */
static enum err read_job(const struct archive *archive, const struct lookup_job *job, struct job_records *out)
{
    if (job->is_live && job->view.place != UINT64_MAX) {
        enum err err = archive->read(archive->self, job->view.place, take_job, out);
        if (err == ERR_NONE && out->facts.has_job)
            return ERR_NONE;
        if (err != ERR_NONE && err != ERR_NOT_FOUND)
            return err;
    }
    enum err err = archive->find(archive->self, CHANGE_JOB, job->number, take_job, out);
    return err == ERR_NOT_FOUND ? ERR_NONE : err;
}

static enum err read_conversation(const struct archive *archive, const struct lookup_job *job,
                                  struct job_records *out)
{
    if (!job->is_live || !out->facts.has_job || job->view.conversation_place == UINT64_MAX)
        return ERR_NONE;
    enum err err = archive->read(archive->self, job->view.conversation_place, take_conversation, out);
    if (err != ERR_NOT_FOUND)
        return err;
    err = archive->find(archive->self, CHANGE_CONVERSATION, out->facts.job.conversation, take_conversation, out);
    return err == ERR_NOT_FOUND ? ERR_NONE : err;
}

static enum err find(const struct archive *archive, enum change_kind kind, archive_visit take,
                     struct job_records *out)
{
    enum err err = archive->find(archive->self, kind, out->facts.number, take, out);
    return err == ERR_NOT_FOUND ? ERR_NONE : err;
}

/* Was no end still on its way to the disk when the owner's thread saw who lives? */
static bool has_all_ends(const struct archive *archive, uint64_t ended_seq)
{
    return ended_seq != 0 && archive->durable_seq != NULL && archive->durable_seq(archive->self) >= ended_seq;
}

/* It was requeued since: its present life has no end, or none that is on disk yet. */
static void forget_earlier_end(struct job_facts *facts)
{
    if (!facts->has_end || !facts->has_job || facts->end.life >= facts->job.life)
        return;
    facts->has_end = false;
    facts->result = (struct span){NULL, 0};
    facts->ended_at_ms = 0;
}

/* The rest by number: as little as answers the question, since each look may cost a read from disk. TRYs come before
 * the END, so that the history is in order of time. */
static enum err read_rest(const struct archive *archive, uint64_t ended_seq, struct job_records *out)
{
    bool durable = has_all_ends(archive, ended_seq); /* before it is looked for */
    enum err err = ERR_NONE;
    if (out->with_history)
        err = find(archive, CHANGE_TRY, take_try, out);
    if (err != ERR_NONE || out->facts.is_live) /* memory knows the rest of a live job */
        return err;
    err = find(archive, CHANGE_END, take_end, out);
    forget_earlier_end(&out->facts);
    bool forgotten = !out->facts.has_end && durable;
    if (err == ERR_NONE && !out->facts.has_end && !out->with_history)
        err = find(archive, CHANGE_TRY, take_try, out);
    if (forgotten) /* its end was kept as long as it had to be: its own record stays for the sake of its id */
        out->facts.has_job = out->facts.has_try = false;
    if (err == ERR_NONE && out->facts.has_end && out->facts.end.state == JOB_SENT)
        err = find(archive, CHANGE_DELIVERY, take_delivery, out);
    return err;
}

enum err job_records_read(const struct archive *archive, const struct lookup_job *job, uint64_t ended_seq,
                          bool with_history, bool with_message, struct job_records *out)
{
    *out = (struct job_records){.with_history = with_history};
    out->facts.number = job->number;
    out->facts.is_live = job->is_live;
    out->facts.live = job->view;
    out->facts.pool = job->pool[0] != '\0' ? job->pool : NULL;
    enum err err = read_job(archive, job, out);
    if (err == ERR_NONE)
        err = read_conversation(archive, job, out);
    if (err == ERR_NONE)
        err = read_rest(archive, ended_seq, out);
    if (!with_message)
        out->facts.payload = (struct span){NULL, 0};
    if (err == ERR_NONE && (out->failed || out->history.failed))
        err = ERR_NO_MEMORY;
    return err;
}

void job_records_free(struct job_records *records)
{
    for (size_t i = 0; i < sizeof records->copies / sizeof *records->copies; i++)
        free(records->copies[i]);
    json_out_free(&records->history);
    *records = (struct job_records){0};
}

enum err job_envelope_read(const struct archive *archive, uint64_t number, struct span *out)
{
    struct job_records records = {.facts.number = number};
    enum err err = archive->find(archive->self, CHANGE_JOB, number, take_job, &records);
    if (err == ERR_NOT_FOUND)
        err = ERR_NONE;
    *out = records.facts.envelope;
    records.copies[SECTION_ENVELOPE] = NULL; /* the caller's now */
    if (err == ERR_NONE && records.failed)
        err = ERR_NO_MEMORY;
    job_records_free(&records);
    return err;
}

bool name_in_list(const char *list, const char *name)
{
    if (list == NULL)
        return true;
    size_t bytes = strlen(name);
    for (const char *at = list; bytes > 0 && at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, bytes) == 0 && (at[bytes] == ',' || at[bytes] == '\0'))
            return true;
    }
    return false;
}

bool recipients_include(struct span recipients, const char *to)
{
    if (recipients.bytes == 0)
        return false;
    cJSON *list = json_parse(recipients.data, recipients.bytes, NULL);
    bool all = cJSON_IsArray(list);
    for (const char *at = to; all && *at != '\0';) {
        size_t bytes = strcspn(at, ",");
        const cJSON *handle;
        bool found = false;
        cJSON_ArrayForEach(handle, list)
        {
            found = found || (cJSON_IsString(handle) && strlen(handle->valuestring) == bytes &&
                              strncmp(handle->valuestring, at, bytes) == 0);
        }
        all = found;
        at += bytes + (at[bytes] == ',');
    }
    cJSON_Delete(list);
    return all;
}

/* ---- rendering ---- */

/* The name by which the job was asked for, as JSON. Free with json_out_free(). */
static struct json_out asked_name(const struct lookup_job *job)
{
    struct json_out id = {0};
    json_put_string(&id, job->asked[0] != '\0' ? job->asked : NULL);
    return id;
}

static void put_refusal(const struct lookup_job *job, enum code code, struct json_out *text)
{
    struct json_out id = asked_name(job);
    view_refused(text, (struct span){id.text, id.bytes}, &(struct error_view){.code = code});
    json_out_free(&id);
}

static void put_history(const struct job_records *records, struct json_out *text)
{
    json_key(text, "history");
    json_open(text, '[');
    if (records->history.bytes > 0)
        json_put_raw(text, records->history.text, records->history.bytes);
    json_close(text, ']');
}

static void put_full(const struct lookup_request *request, const struct lookup_job *job,
                     const struct job_records *records, struct json_out *text)
{
    if (request->with_message) {
        json_key(text, "message");
        if (records->facts.payload.bytes > 0)
            json_put_raw(text, records->facts.payload.data, records->facts.payload.bytes);
        else
            json_put_null(text);
    }
    put_history(records, text);
    json_key(text, "why");
    if (job->is_live)
        view_why(text, &job->view, job->has_line ? &job->line : NULL, &job->more, request->now);
    else
        json_put_null(text); /* it does not wait */
}

static bool is_known(const struct job_facts *facts)
{
    return facts->is_live || facts->has_job || facts->has_end || facts->has_try;
}

static enum code judge(const struct lookup_request *request, const struct lookup_job *job,
                       const struct job_records *records)
{
    const struct job_facts *facts = &records->facts;
    char pool[NAME_MAX_BYTES + 1];
    if (request->form == LOOKUP_DUPLICATE) /* whoever has just used that id in that pool may know */
        return CODE_NONE;
    if (!is_known(facts))
        return CODE_NOT_FOUND;
    if (request->pools != NULL && !(view_job_pool(facts, pool) && name_in_list(request->pools, pool)))
        return CODE_NOT_FOUND;
    if (request->form == LOOKUP_CANCEL && !job->is_live)
        return CODE_ALREADY_FINAL;
    return CODE_NONE;
}

/* Only names its id and where it stands now: null when its history is gone already. */
static void put_duplicate(const struct lookup_job *job, const struct job_records *records, struct json_out *text)
{
    struct json_out asked = asked_name(job);
    struct span id = view_member(records->facts.envelope, "id");
    if (id.bytes == 0)
        id = (struct span){asked.text, asked.bytes};
    view_duplicate(text, id, records->facts.number,
                   is_known(&records->facts) ? view_job_state(&records->facts) : NULL);
    json_out_free(&asked);
}

/* Of what has no record that is on disk yet nobody knows when it was accepted. */
static bool fits_moments(const struct lookup_request *request, const struct job_facts *facts)
{
    if (request->since_ms == 0 && request->until_ms == 0)
        return true;
    int64_t at_ms = facts->job.accepted_at_ms;
    return facts->has_job && at_ms >= request->since_ms && (request->until_ms == 0 || at_ms < request->until_ms);
}

static struct lookup_item render(const struct lookup_request *request, const struct lookup_job *job,
                                 const struct job_records *records, struct json_out *text)
{
    size_t before = text->bytes;
    enum code code = job->number != 0 ? judge(request, job, records) : CODE_NOT_FOUND;
    if ((request->to != NULL && (code != CODE_NONE || !recipients_include(records->facts.recipients, request->to))) ||
        !fits_moments(request, &records->facts))
        return (struct lookup_item){CODE_NOT_FOUND, 0};
    text->comma = false;
    if (code != CODE_NONE) {
        put_refusal(job, code, text);
    } else if (request->form == LOOKUP_DUPLICATE) {
        put_duplicate(job, records, text);
    } else if (request->form == LOOKUP_CHECK) {
        json_put_null(text);
    } else if (request->form == LOOKUP_EXPORT) {
        if (!job_export(text, &records->facts)) { /* not all of it is there: that is told, not passed over */
            code = CODE_NOT_FOUND;
            put_refusal(job, code, text);
        }
    } else {
        json_open(text, '{');
        view_job_members(text, &records->facts, request->mask_handles);
        if (request->form == LOOKUP_FULL)
            put_full(request, job, records, text);
        json_close(text, '}');
    }
    return (struct lookup_item){code, text->bytes - before};
}

/* What its records say can be told by nobody; that it is there, as what it was asked for, can. */
static struct lookup_item render_damaged(const struct lookup_request *request, const struct lookup_job *job,
                                         struct json_out *text)
{
    const struct job_records nothing = {.facts.number = job->number};
    bool duplicate = request->form == LOOKUP_DUPLICATE;
    size_t before = text->bytes;
    text->comma = false;
    if (duplicate)
        put_duplicate(job, &nothing, text);
    else
        put_refusal(job, CODE_BUSY, text);
    return (struct lookup_item){duplicate ? CODE_NONE : CODE_BUSY, text->bytes - before};
}

struct lookup_item job_item(const struct archive *archive, const struct lookup_request *request,
                            const struct lookup_job *job, struct json_out *text, enum err *err)
{
    struct job_records records = {0};
    struct lookup_item item = {CODE_NOT_FOUND, 0};
    *err = ERR_NONE;
    if (job->number != 0)
        *err = job_records_read(archive, job, request->ended_seq, request->form == LOOKUP_FULL, request->with_message,
                                &records);
    if (*err == ERR_NONE)
        item = render(request, job, &records, text);
    if (*err == ERR_DAMAGED) {
        item = render_damaged(request, job, text);
        *err = ERR_NONE; /* the others can be read */
    }
    job_records_free(&records);
    return item;
}
