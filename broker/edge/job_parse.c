/* job_parse.c — see job_parse.h. */
#include "broker/edge/job_parse.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/edge/lookup.h"
#include "lineward/clock.h"
#include "lineward/ids.h"
#include "lineward/wire.h"

#define MEMBERS_MAX        64
#define CAMPAIGN_BYTES_MAX 64

struct parse {
    const struct job_parser *parser;
    const cJSON *root;
    struct json_member members[MEMBERS_MAX];
    size_t member_count;
    struct core_enqueue *out;
    struct job_texts *texts;
    struct job_refusal *refusal;
    const struct conf_pool *pool;
    char handles[WIRE_RECIPIENTS_MAX][HANDLE_MAX_BYTES + 1];
    size_t handle_count;
};

__attribute__((format(printf, 4, 5))) static bool refuse(struct parse *parse, enum code code, const char *field,
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

/* ---- fields ---- */

/* The member as text: *out NULL if absent or null. False: of another type, or longer than `bytes_max`. */
static bool text_field(struct parse *parse, const char *name, size_t bytes_max, const char **out)
{
    const cJSON *value = json_get(parse->root, name);
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

static bool time_field(struct parse *parse, const char *name, int64_t *out_ms)
{
    const char *text = NULL;
    *out_ms = 0;
    if (!text_field(parse, name, 64, &text))
        return false;
    if (text == NULL)
        return true;
    if (!time_parse(text, out_ms) || *out_ms <= 0 || *out_ms >= 1LL << 47)
        return refuse(parse, CODE_INVALID_FIELD, name, "%s: must be a time such as \"2026-11-23T10:00:00.000Z\"",
                      name);
    return true;
}

static bool parse_id(struct parse *parse)
{
    const char *id = NULL;
    if (!text_field(parse, "id", PRODUCER_ID_MAX_BYTES, &id))
        return false;
    if (id != NULL && !producer_id_is_valid(id))
        return refuse(parse, CODE_INVALID_FIELD, "id",
                      "id: must be 1 to 128 bytes of printable ASCII, not beginning with j_");
    return true;
}

static int compare_handles(const void *a, const void *b)
{
    return strcmp(a, b);
}

static bool add_handle(struct parse *parse, const cJSON *value, const char *field)
{
    if (!cJSON_IsString(value))
        return refuse(parse, CODE_INVALID_FIELD, field, "%s: must be a string", field);
    char *handle = parse->handles[parse->handle_count];
    if (!handle_normalize(value->valuestring, handle))
        return refuse(parse, CODE_INVALID_RECIPIENT, field,
                      "%s: must be E.164 such as +14155550111, or an e-mail address", field);
    parse->handle_count++;
    return true;
}

static bool parse_to(struct parse *parse)
{
    const cJSON *to = json_get(parse->root, "to");
    if (to == NULL || cJSON_IsNull(to))
        return refuse(parse, CODE_INVALID_FIELD, "to", "to: is missing; one recipient or an array of them");
    if (!cJSON_IsArray(to)) {
        if (!cJSON_IsString(to))
            return refuse(parse, CODE_INVALID_FIELD, "to", "to: must be a string or an array of strings");
        return add_handle(parse, to, "to");
    }
    int count = cJSON_GetArraySize(to);
    if (count < 1 || count > WIRE_RECIPIENTS_MAX)
        return refuse(parse, CODE_INVALID_FIELD, "to", "to: %d recipients, 1 to %d", count, WIRE_RECIPIENTS_MAX);
    int i = 0;
    for (const cJSON *item = to->child; item != NULL; item = item->next, i++) {
        char field[16];
        snprintf(field, sizeof field, "to[%d]", i);
        if (!add_handle(parse, item, field))
            return false;
    }
    qsort(parse->handles, parse->handle_count, sizeof parse->handles[0], compare_handles);
    for (size_t k = 1; k < parse->handle_count; k++)
        if (strcmp(parse->handles[k - 1], parse->handles[k]) == 0)
            return refuse(parse, CODE_INVALID_RECIPIENT, "to", "to: names a recipient twice");
    return true;
}

static bool parse_words(struct parse *parse)
{
    const char *class = NULL;
    const char *if_held = NULL;
    const char *tz = NULL;
    const char *collapse = NULL;
    if (!text_field(parse, "class", 32, &class) || !text_field(parse, "if_held", 16, &if_held) ||
        !text_field(parse, "tz", 64, &tz) || !text_field(parse, "collapse_key", CAMPAIGN_BYTES_MAX, &collapse))
        return false;
    parse->out->class = CLASS_TRANSACTIONAL;
    if (class != NULL && !job_class_parse(class, &parse->out->class))
        return refuse(parse, CODE_INVALID_FIELD, "class",
                      "class: must be reply, transactional, followup or campaign");
    if (if_held != NULL && strcmp(if_held, "wait") != 0 && strcmp(if_held, "fail") != 0)
        return refuse(parse, CODE_INVALID_FIELD, "if_held", "if_held: must be wait or fail");
    parse->out->fail_if_held = if_held != NULL && strcmp(if_held, "fail") == 0;
    return time_field(parse, "send_after", &parse->out->due_ms) &&
           time_field(parse, "expires_at", &parse->out->expires_ms);
}

static const struct json_member *raw(const struct parse *parse, const char *name)
{
    size_t bytes = strlen(name);
    for (size_t i = 0; i < parse->member_count; i++)
        if (parse->members[i].name_bytes == bytes && memcmp(parse->members[i].name, name, bytes) == 0)
            return &parse->members[i];
    return NULL;
}

static bool parse_meta(struct parse *parse)
{
    const cJSON *meta = json_get(parse->root, "meta");
    const struct json_member *text = raw(parse, "meta");
    if (meta == NULL || cJSON_IsNull(meta))
        return true;
    if (!cJSON_IsObject(meta))
        return refuse(parse, CODE_INVALID_FIELD, "meta", "meta: must be an object");
    if (text != NULL && text->value_bytes > WIRE_META_BYTES_MAX)
        return refuse(parse, CODE_INVALID_FIELD, "meta", "meta: %zu bytes, at most %d", text->value_bytes,
                      WIRE_META_BYTES_MAX);
    return true;
}

/* ---- the message ---- */

static bool has_url(const char *text)
{
    for (const char *at = text; *at != '\0'; at++)
        if (strncasecmp(at, "http://", 7) == 0 || strncasecmp(at, "https://", 8) == 0 ||
            (strncasecmp(at, "www.", 4) == 0 && (at == text || !isalnum((unsigned char)at[-1]))))
            return true;
    return false;
}

/* A `link` part, or a URL in a text part: refused in a first message (linq-api.md 2.2). */
static bool has_link(const cJSON *message)
{
    const cJSON *parts = json_get(message, "parts");
    for (const cJSON *part = parts == NULL ? NULL : parts->child; part != NULL; part = part->next) {
        const char *type = json_string(part, "type");
        const char *value = json_string(part, "value");
        if (type != NULL && strcmp(type, "link") == 0)
            return true;
        if (type != NULL && strcmp(type, "text") == 0 && value != NULL && has_url(value))
            return true;
    }
    return false;
}

static bool parse_message(struct parse *parse, const char *text, size_t bytes)
{
    const cJSON *message = json_get(parse->root, "message");
    const struct json_member *member = raw(parse, "message");
    if (message == NULL || !cJSON_IsObject(message) || member == NULL)
        return refuse(parse, CODE_INVALID_FIELD, "message", "message: %s",
                      message == NULL ? "is missing; the provider's message object" : "must be an object");
    if (json_get(message, "idempotency_key") != NULL)
        return refuse(parse, CODE_INVALID_FIELD, "message.idempotency_key",
                      "message.idempotency_key: is Lineward's to set");
    if (json_has_big_integer(text, bytes))
        return refuse(parse, CODE_INVALID_FIELD, "message",
                      "an integer beyond 2^53 does not survive: send it as a string");
    parse->out->has_link = has_link(message);
    parse->out->payload = (struct span){member->value, member->value_bytes};
    return true;
}

/* ---- pool and line ---- */

static bool parse_pool(struct parse *parse)
{
    const struct conf *conf = parse->parser->conf;
    const char *name = NULL;
    if (!text_field(parse, "pool", NAME_MAX_BYTES, &name))
        return false;
    if (name == NULL)
        name = "default";
    for (size_t p = 0; p < conf->pool_count; p++) {
        if (strcmp(conf->pools[p].name, name) != 0 || !name_in_list(parse->parser->pools, name))
            continue;
        parse->pool = &conf->pools[p];
        parse->out->pool = (uint32_t)p;
        return true;
    }
    return refuse(parse, CODE_UNKNOWN_POOL, "pool", "pool: no pool of that name");
}

static bool parse_from(struct parse *parse)
{
    const char *from = NULL;
    if (!text_field(parse, "from", 64, &from))
        return false;
    if (from == NULL)
        return true;
    if (!e164_is_valid(from))
        return refuse(parse, CODE_INVALID_FIELD, "from", "from: must be a line in E.164 such as +12025550101");
    parse->out->from_line = strtoull(from + 1, NULL, 10);
    return true;
}

static bool parse_chat_and_campaign(struct parse *parse, struct effects *effects)
{
    const char *chat = NULL;
    const char *campaign = NULL;
    if (!text_field(parse, "chat_id", 128, &chat) || !text_field(parse, "campaign", CAMPAIGN_BYTES_MAX, &campaign))
        return false;
    if (chat != NULL)
        parse->out->chat_hash = keyed_hash(parse->parser->hash, KEYED_CHAT, NULL, chat, strlen(chat));
    if (campaign != NULL && *campaign != '\0')
        parse->out->campaign = core_campaign(parse->parser->core, campaign, effects);
    return true;
}

/* ---- what the core and the store get ---- */

static void write_recipients(struct parse *parse)
{
    struct json_out *out = &parse->texts->recipients;
    json_out_clear(out);
    json_open(out, '[');
    for (size_t i = 0; i < parse->handle_count; i++)
        json_put_string(out, parse->handles[i]);
    json_close(out, ']');
    parse->out->recipients = (struct span){out->text, out->bytes};
}

static void write_envelope(struct parse *parse)
{
    static const char *const kept[] = {"id", "from",       "chat_id",    "class",   "campaign", "collapse_key",
                                       "tz", "send_after", "expires_at", "if_held", "meta"};
    struct json_out *out = &parse->texts->envelope;
    json_out_clear(out);
    json_open(out, '{');
    for (size_t k = 0; k < sizeof kept / sizeof *kept; k++) {
        const struct json_member *member = raw(parse, kept[k]);
        if (member == NULL || (member->value_bytes == 4 && memcmp(member->value, "null", 4) == 0))
            continue;
        json_key(out, kept[k]);
        json_put_raw(out, member->value, member->value_bytes);
    }
    json_key(out, "pool");
    json_put_string(out, parse->pool->name);
    json_close(out, '}');
    parse->out->envelope = (struct span){out->text, out->bytes};
}

uint64_t job_id_hash(const struct keyed_hash *hash, const char *pool, const char *id)
{
    return keyed_hash(hash, KEYED_ID, pool, id, strlen(id));
}

static void write_hashes(struct parse *parse)
{
    const struct keyed_hash *hash = parse->parser->hash;
    const struct conf_account *account = &parse->parser->conf->accounts[parse->pool->account];
    struct core_enqueue *out = parse->out;
    const char *id = json_string(parse->root, "id");
    out->conversation =
        keyed_hash(hash, KEYED_CONVERSATION, parse->pool->name, out->recipients.data, out->recipients.bytes);
    if (parse->handle_count == 1)
        out->recipient =
            keyed_hash(hash, KEYED_RECIPIENT, account->name, parse->handles[0], strlen(parse->handles[0]));
    if (id == NULL)
        return;
    out->id_hash = job_id_hash(hash, parse->pool->name, id);
    uint64_t content[3] = {out->conversation, out->from_line,
                           keyed_hash_json(hash, json_get(parse->root, "message"))};
    out->content_hash = keyed_hash(hash, KEYED_CONTENT, NULL, content, sizeof content);
}

static bool parse_form(struct parse *parse, const char *text, size_t bytes)
{
    return parse_id(parse) && parse_to(parse) && parse_words(parse) && parse_meta(parse) &&
           parse_message(parse, text, bytes);
}

bool job_parse(const struct job_parser *parser, const char *text, size_t bytes, struct core_enqueue *out,
               struct job_texts *texts, struct span *id, struct job_refusal *refusal, struct effects *effects)
{
    struct parse parse = {.parser = parser, .out = out, .texts = texts, .refusal = refusal};
    const char *why = NULL;
    *id = (struct span){0};
    *out = (struct core_enqueue){0};
    refusal->field[0] = '\0';
    if (bytes > WIRE_JOB_BYTES_MAX)
        return refuse(&parse, CODE_TOO_LARGE, "", "a job document of %zu bytes, at most %u", bytes,
                      WIRE_JOB_BYTES_MAX);
    cJSON *root = json_parse(text, bytes, &why);
    if (root == NULL || !cJSON_IsObject(root)) {
        cJSON_Delete(root);
        return refuse(&parse, CODE_MALFORMED, "", "%s", root == NULL && why != NULL ? why : "a job is a JSON object");
    }
    parse.root = root;
    parse.member_count = json_members(text, bytes, parse.members, MEMBERS_MAX);
    if (parse.member_count > MEMBERS_MAX)
        parse.member_count = MEMBERS_MAX;
    const struct json_member *raw_id = raw(&parse, "id");
    if (raw_id != NULL && raw_id->value_bytes <= PRODUCER_ID_MAX_BYTES * 6 + 2)
        *id = (struct span){raw_id->value, raw_id->value_bytes};
    bool good = parse_form(&parse, text, bytes) && parse_pool(&parse) && parse_from(&parse) &&
                parse_chat_and_campaign(&parse, effects);
    if (good) {
        write_recipients(&parse);
        write_envelope(&parse);
        write_hashes(&parse);
        good = !texts->recipients.failed && !texts->envelope.failed;
        if (!good)
            refuse(&parse, CODE_BUSY, "", "out of memory");
    }
    cJSON_Delete(root);
    return good;
}

void job_texts_free(struct job_texts *texts)
{
    json_out_free(&texts->recipients);
    json_out_free(&texts->envelope);
}
