/* job_frame.c — see job_frame.h. */
#include "broker/edge/job_frame.h"

#include <string.h>

#include "broker/edge/recipients.h"
#include "broker/edge/view.h"
#include "lineward/ids.h"

struct composing {
    const struct conf *conf;
    const struct core *core;
    const struct lease_view *lease;
    struct json_out *out;
    const struct keyed_hash *hash;
    struct job_frame_facts *facts;
    struct json_out recipients, chat_id; /* of the conversation's record */
    bool has_conversation, forgot_chat, written, differs;
};

static bool take_conversation(void *self, const struct change *change)
{
    struct composing *composing = self;
    if (change->kind != CHANGE_CONVERSATION)
        return false;
    const struct span *to = &change->sections[SECTION_RECIPIENTS];
    const struct span *chat = &change->sections[SECTION_RESULT];
    json_put_raw(&composing->recipients, to->data, to->bytes);
    if (chat->bytes > 0 && !change->conversation.forgotten_chat)
        json_put_raw(&composing->chat_id, chat->data, chat->bytes);
    composing->forgot_chat = change->conversation.forgotten_chat;
    composing->has_conversation = true;
    return false;
}

static void put_chat_id(struct composing *composing, struct span envelope)
{
    struct json_out *out = composing->out;
    json_key(out, "chat_id");
    if (composing->chat_id.bytes > 0) {
        json_put_raw(out, composing->chat_id.text, composing->chat_id.bytes);
        return;
    }
    /* A chat that the producer named counts while we know none ourselves (PROTOCOL, Job, `chat_id`): a record that was
     * made of a try without an answer has none. */
    struct span given = view_member(envelope, "chat_id");
    struct span from = view_member(envelope, "from");
    if (!composing->forgot_chat && given.bytes > 0 && from.bytes > 0)
        json_put_raw(out, given.data, given.bytes);
    else
        json_put_null(out);
}

static void put_text(struct json_out *out, const char *name, const char *text)
{
    json_key(out, name);
    json_put_string(out, text);
}

static void put_key(struct composing *composing)
{
    uint8_t random[KEY_RANDOM_BYTES];
    char key[IDEMPOTENCY_KEY_TEXT_MAX];
    core_key_random(composing->core, composing->lease->number, random);
    idempotency_key_format(composing->lease->number, random, key);
    put_text(composing->out, "idempotency_key", key);
}

static uint64_t key_of_one(const struct composing *composing, struct span to)
{
    char handle[HANDLE_MAX_BYTES + 1];
    if (!recipients_sole(to, handle))
        return 0;
    return keyed_hash(composing->hash, KEYED_RECIPIENT, composing->conf->accounts[composing->lease->account].name,
                      handle, strlen(handle));
}

static bool take_job(void *self, const struct change *change)
{
    struct composing *composing = self;
    const struct lease_view *lease = composing->lease;
    struct json_out *out = composing->out;
    if (change->kind != CHANGE_JOB || change->job.number != lease->number)
        return false;
    struct span to = change->sections[SECTION_RECIPIENTS];
    if (composing->has_conversation &&
        (composing->recipients.bytes != to.bytes || memcmp(composing->recipients.text, to.data, to.bytes) != 0)) {
        composing->differs = true;
        return false;
    }
    composing->facts->recipient = key_of_one(composing, to);
    if (change->job.life == 0)
        composing->facts->ready_at_ms =
            change->job.due_ms > change->job.accepted_at_ms ? change->job.due_ms : change->job.accepted_at_ms;
    char number[JOB_NUMBER_TEXT_MAX];
    char line[LINE_TEXT_MAX];
    job_number_format(lease->number, number);
    line_text(lease->line, line);
    json_open(out, '{');
    put_text(out, "job", number);
    json_key(out, "attempt");
    json_put_int(out, lease->attempt);
    put_text(out, "pool", composing->conf->pools[lease->pool].name);
    put_text(out, "account", composing->conf->accounts[lease->account].name);
    put_text(out, "line", line);
    json_key(out, "to");
    json_put_raw(out, to.data, to.bytes);
    put_chat_id(composing, change->sections[SECTION_ENVELOPE]);
    json_key(out, "message");
    json_put_raw(out, change->sections[SECTION_PAYLOAD].data, change->sections[SECTION_PAYLOAD].bytes);
    put_key(composing);
    json_key(out, "unsettled");
    json_put_bool(out, lease->unsettled);
    json_key(out, "lease_ms");
    json_put_int(out, lease->lease_ms);
    json_key(out, "expires_at");
    json_put_time(out, lease->expires_ms);
    json_close(out, '}');
    composing->written = true;
    return false;
}

enum err job_frame_write(const struct archive *archive, const struct conf *conf, const struct core *core,
                         const struct lease_view *lease, const struct keyed_hash *hash,
                         struct job_frame_facts *facts, struct json_out *out)
{
    struct composing composing = {.conf = conf, .core = core, .lease = lease, .hash = hash, .facts = facts, .out = out};
    enum err err = ERR_NONE;
    if (lease->recorded && lease->conversation_place == UINT64_MAX)
        return ERR_NOT_FOUND; /* its chat id is just being written anew: without it, it would be begun once more */
    if (lease->conversation_place != UINT64_MAX)
        err = archive->read(archive->self, lease->conversation_place, take_conversation, &composing);
    if (err == ERR_NONE)
        err = archive->read(archive->self, lease->place, take_job, &composing);
    json_out_free(&composing.recipients);
    json_out_free(&composing.chat_id);
    if (composing.differs)
        return ERR_EXISTS;
    return err == ERR_NONE && !composing.written ? ERR_NOT_FOUND : err;
}
