/* view_conversation.c — views of conversations and of suppressed recipients. */
#include "broker/edge/view_put.h"

static void put_health(struct json_out *out, const struct conversation_facts *facts)
{
    json_key(out, "health");
    json_open(out, '{');
    put_word(out, "status", chat_health_name(facts->view.health));
    put_time(out, "since", facts->health_at_ms);
    json_close(out, '}');
}

static void put_pauses(struct json_out *out, const struct conversation_view *view)
{
    json_key(out, "pauses");
    json_open(out, '[');
    for (size_t i = 0; i < CONVERSATION_PAUSES_SHOWN && view->pauses[i] != 0; i++) {
        char text[PAUSE_TEXT_MAX];
        pause_text(view->pauses[i], text);
        json_put_string(out, text);
    }
    json_close(out, ']');
}

void view_conversation(struct json_out *out, const struct conversation_facts *facts, bool mask)
{
    json_open(out, '{');
    put_word(out, "pool", facts->pool);
    put_recipients(out, facts->recipients, mask);
    put_line(out, "line", facts->view.line);
    json_key(out, "placed");
    json_put_bool(out, facts->view.placed);
    put_span(out, "chat_id", facts->chat_id);
    put_health(out, facts);
    put_time(out, "last_out", facts->view.last_out_ms);
    put_time(out, "last_in", facts->view.last_in_ms);
    put_count(out, "streak", facts->view.streak);
    put_count(out, "waiting", facts->view.waiting);
    put_count(out, "leased", facts->view.leased);
    put_pauses(out, &facts->view);
    json_close(out, '}');
}

void view_adopted(struct json_out *out, const struct effect *effect)
{
    static const char other_chat[] = "this conversation has another chat on that line; it is kept";
    bool is_chat = effect->field != NULL && effect->field[0] == 'c';
    json_open(out, '{');
    if (effect->code == CODE_NONE)
        put_word(out, "state", effect->duplicate ? "known" : "imported");
    put_line(out, "line", effect->line);
    if (effect->code != CODE_NONE) {
        json_key(out, "error");
        view_error(out, &(struct error_view){.code = effect->code,
                                             .message = is_chat ? other_chat : NULL,
                                             .field = effect->field});
    }
    json_close(out, '}');
}

void view_suppression(struct json_out *out, const struct suppression_view *suppression, bool mask)
{
    const struct suppression_text *text = &suppression->text;
    char masked[HANDLE_MAX_BYTES + 1];
    handle_mask(text->recipient, masked);
    json_open(out, '{');
    put_word(out, "to", text->recipient[0] == '\0' ? NULL : mask ? masked : text->recipient);
    put_word(out, "cause", suppress_name(suppression->cause));
    json_key(out, "causes");
    json_open(out, '[');
    for (enum suppress cause = SUPPRESS_NONE + 1; cause < SUPPRESS_COUNT; cause++)
        if ((suppression->causes & 1u << cause) != 0)
            json_put_string(out, suppress_name(cause));
    json_close(out, ']');
    put_time(out, "since", suppression->since_ms);
    put_word(out, "reason", text->reason[0] == '\0' ? NULL : text->reason);
    put_word(out, "by", text->by[0] == '\0' ? NULL : text->by);
    json_close(out, '}');
}
