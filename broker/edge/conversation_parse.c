/* conversation_parse.c — see conversation_parse.h. */
#include "broker/edge/conversation_parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "broker/edge/lookup.h"
#include "broker/edge/named.h"
#include "broker/edge/recipients.h"
#include "broker/edge/view.h"
#include "lineward/clock.h"

#define WORD_BYTES_MAX 64

struct parse {
    const struct conversation_parser *parser;
    const cJSON *item;
    struct core_adopt *out;
    struct conversation_texts *texts;
    struct job_refusal *refusal;
    const char *pool_name;
};

__attribute__((format(printf, 4, 5))) static bool refuse(const struct parse *parse, enum code code, const char *field,
                                                         const char *format, ...)
{
    va_list args;
    parse->refusal->code = code;
    snprintf(parse->refusal->field, sizeof parse->refusal->field, "%s", field);
    va_start(args, format);
    vsnprintf(parse->refusal->message, sizeof parse->refusal->message, format, args);
    va_end(args);
    return false;
}

/* *out NULL: absent. */
static bool text_member(const struct parse *parse, const char *name, size_t bytes_max, const char **out)
{
    const cJSON *value = json_get(parse->item, name);
    *out = NULL;
    if (value == NULL || cJSON_IsNull(value))
        return true;
    if (!cJSON_IsString(value))
        return refuse(parse, CODE_INVALID_FIELD, name, "%s: must be a string", name);
    if (strlen(value->valuestring) > bytes_max)
        return refuse(parse, CODE_INVALID_FIELD, name, "%s: %zu bytes, at most %zu", name, strlen(value->valuestring),
                      bytes_max);
    *out = value->valuestring;
    return true;
}

static bool time_member(const struct parse *parse, const char *name, int64_t *out_ms)
{
    const char *text = NULL;
    if (!text_member(parse, name, WORD_BYTES_MAX, &text))
        return false;
    return text == NULL || time_parse(text, out_ms) ||
           refuse(parse, CODE_INVALID_FIELD, name, "%s: must be a time such as \"2026-11-23T10:00:00.000Z\"", name);
}

static bool parse_line(struct parse *parse)
{
    const char *line = NULL;
    if (!text_member(parse, "line", WORD_BYTES_MAX, &line))
        return false;
    return (line != NULL && line_text_parse(line, &parse->out->line)) ||
           refuse(parse, CODE_INVALID_FIELD, "line", "line: must be where it lives, in E.164 such as +12025550101");
}

static bool parse_recipients(struct parse *parse)
{
    struct recipients to;
    struct json_out *text = &parse->texts->recipients;
    if (!recipients_read(json_get(parse->item, "to"), &to, parse->refusal))
        return false;
    if (parse->parser->core != NULL && named_erased(parse->parser->core, parse->parser->hash, &to))
        return refuse(parse, CODE_NOT_ALLOWED, "to", ERASED_TEXT);
    recipients_write(&to, text);
    if (text->failed)
        return refuse(parse, CODE_BUSY, "", "out of memory");
    parse->out->recipients = (struct span){text->text, text->bytes};
    return true;
}

static bool parse_chat(struct parse *parse)
{
    const char *chat_id = NULL;
    const char *health = NULL;
    struct json_out *text = &parse->texts->chat_id;
    if (!text_member(parse, "chat_id", CHAT_ID_BYTES_MAX, &chat_id) ||
        !text_member(parse, "health", WORD_BYTES_MAX, &health))
        return false;
    if (health != NULL)
        parse->out->health = chat_health_read(health);
    if (chat_id == NULL || *chat_id == '\0')
        return true;
    json_out_clear(text);
    json_put_string(text, chat_id);
    if (text->failed)
        return refuse(parse, CODE_BUSY, "", "out of memory");
    parse->out->chat_id = (struct span){text->text, text->bytes};
    parse->out->chat_hash = chat_id_hash(parse->parser->hash, chat_id);
    return true;
}

static bool parse_form(struct parse *parse)
{
    struct core_adopt *out = parse->out;
    return text_member(parse, "pool", NAME_MAX_BYTES, &parse->pool_name) && parse_line(parse) &&
           parse_recipients(parse) && parse_chat(parse) && time_member(parse, "health_at", &out->health_at_ms) &&
           time_member(parse, "last_out", &out->last_out_ms) && time_member(parse, "last_in", &out->last_in_ms);
}

static bool find_pool(const struct parse *parse)
{
    const struct conf *conf = parse->parser->conf;
    const char *name = parse->pool_name == NULL ? "default" : parse->pool_name;
    struct owner_place owner;
    char sentence[sizeof parse->refusal->message];
    enum code code = owners_find_pool(conf, parse->parser->owners, parse->parser->pools, name, &parse->out->pool, &owner);
    if (code == CODE_UNKNOWN_POOL)
        return refuse(parse, code, "pool", "pool: no pool of that name");
    if (code == CODE_NOT_OWNER) {
        owners_say(&owner, sentence, sizeof sentence);
        return refuse(parse, code, "pool", "%s", sentence);
    }
    parse->out->conversation = recipients_conversation(parse->parser->hash, name, parse->out->recipients);
    return true;
}

bool conversation_parse(const struct conversation_parser *parser, const cJSON *item, struct core_adopt *out,
                        struct conversation_texts *texts, struct job_refusal *refusal)
{
    struct parse parse = {.parser = parser, .item = item, .out = out, .texts = texts, .refusal = refusal};
    *out = (struct core_adopt){0};
    refusal->field[0] = '\0';
    if (!cJSON_IsObject(item))
        return refuse(&parse, CODE_INVALID_FIELD, "", "a conversation is a JSON object");
    return parse_form(&parse) && find_pool(&parse);
}

void conversation_texts_free(struct conversation_texts *texts)
{
    json_out_free(&texts->recipients);
    json_out_free(&texts->chat_id);
}
