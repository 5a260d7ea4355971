/* lookup_conversation.c — see lookup_conversation.h. A conversation's own record has its recipients, its chat id and
 * since when its health is known; before it has one, a job of it names the recipients. */
#include "broker/edge/lookup_conversation.h"

#include <string.h>

#include "broker/edge/view.h"

struct reading {
    const struct lookup_conversation *asked;
    struct json_out recipients, chat_id;
    int64_t health_at_ms;
};

static void keep(struct json_out *out, struct span lent)
{
    json_out_clear(out);
    if (lent.bytes > 0)
        json_put_raw(out, lent.data, lent.bytes);
}

/* Of several the last counts. */
static bool take_conversation(void *visitor, const struct change *change)
{
    struct reading *reading = visitor;
    if (change->kind != CHANGE_CONVERSATION || change->conversation.key != reading->asked->view.key)
        return true;
    keep(&reading->recipients, change->sections[SECTION_RECIPIENTS]);
    bool has_chat = !change->conversation.forgotten_chat && change->sections[SECTION_RESULT].bytes > 2;
    keep(&reading->chat_id, has_chat ? change->sections[SECTION_RESULT] : (struct span){NULL, 0});
    reading->health_at_ms = change->conversation.health_at_ms;
    return true;
}

static bool take_job(void *visitor, const struct change *change)
{
    struct reading *reading = visitor;
    if (change->kind == CHANGE_JOB && change->job.conversation == reading->asked->view.key)
        keep(&reading->recipients, change->sections[SECTION_RECIPIENTS]);
    return true;
}

static enum err read_records(const struct archive *archive, struct reading *reading)
{
    const struct conversation_view *view = &reading->asked->view;
    enum err err = ERR_NOT_FOUND;
    if (view->place != UINT64_MAX)
        err = archive->read(archive->self, view->place, take_conversation, reading);
    if (err == ERR_NOT_FOUND && view->recorded) /* moved meanwhile, or a newer one is just being written */
        err = archive->find(archive->self, CHANGE_CONVERSATION, view->key, take_conversation, reading);
    else if (err == ERR_NOT_FOUND && view->job_place != UINT64_MAX)
        err = archive->read(archive->self, view->job_place, take_job, reading);
    if (err == ERR_NONE && (reading->recipients.failed || reading->chat_id.failed))
        return ERR_NO_MEMORY;
    return err == ERR_NOT_FOUND ? ERR_NONE : err;
}

static bool is_asked_for(const struct reading *reading, const char *recipients)
{
    return reading->recipients.bytes == strlen(recipients) &&
           memcmp(reading->recipients.text, recipients, reading->recipients.bytes) == 0;
}

static struct lookup_item render(const struct lookup_request *request, const struct reading *reading,
                                 struct json_out *text)
{
    struct conversation_facts facts = {.view = reading->asked->view,
                                       .pool = reading->asked->pool,
                                       .recipients = {reading->recipients.text, reading->recipients.bytes},
                                       .chat_id = {reading->chat_id.text, reading->chat_id.bytes},
                                       .health_at_ms = reading->health_at_ms};
    bool is_known = facts.recipients.bytes > 0;
    if (!is_known && request->recipients == NULL)
        return (struct lookup_item){CODE_NOT_FOUND, 0};
    if (is_known && request->recipients != NULL && !is_asked_for(reading, request->recipients))
        return (struct lookup_item){CODE_NOT_FOUND, 0};
    if (!is_known)
        facts.recipients = (struct span){request->recipients, strlen(request->recipients)};
    size_t before = text->bytes;
    text->comma = false;
    view_conversation(text, &facts, request->mask_handles);
    return (struct lookup_item){CODE_NONE, text->bytes - before};
}

struct lookup_item conversation_item(const struct archive *archive, const struct lookup_request *request,
                                     const struct lookup_conversation *conversation, struct json_out *text,
                                     enum err *err)
{
    struct reading reading = {.asked = conversation};
    struct lookup_item item = {CODE_NOT_FOUND, 0};
    *err = read_records(archive, &reading);
    if (*err == ERR_NONE)
        item = render(request, &reading, text);
    if (*err == ERR_DAMAGED) {
        item.code = CODE_BUSY;
        *err = ERR_NONE; /* the others can be read */
    }
    json_out_free(&reading.recipients);
    json_out_free(&reading.chat_id);
    return item;
}
