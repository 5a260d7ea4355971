/* job_parse.c — see job_parse.h. */
#include "broker/edge/job_parse.h"

#include <ctype.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/edge/lookup.h"
#include "broker/edge/named.h"
#include "broker/edge/recipients.h"
#include "broker/edge/zones.h"
#include "lineward/clock.h"
#include "lineward/ids.h"
#include "lineward/wire.h"

#define CAMPAIGN_BYTES_MAX 64
#define WORD_BYTES_MAX     64

/* The members of a job; those from ID to META are kept in its envelope. */
enum member {
    MEMBER_ID,
    MEMBER_FROM,
    MEMBER_CHAT_ID,
    MEMBER_CLASS,
    MEMBER_CAMPAIGN,
    MEMBER_COLLAPSE_KEY,
    MEMBER_TZ,
    MEMBER_SEND_AFTER,
    MEMBER_EXPIRES_AT,
    MEMBER_IF_HELD,
    MEMBER_META,
    MEMBER_POOL,
    MEMBER_TO,
    MEMBER_MESSAGE,
    MEMBER_EXPORTED, /* ours: a document of an export has it */
    MEMBER_COUNT
};
static const char *const member_names[MEMBER_COUNT] = {
    [MEMBER_ID] = "id",
    [MEMBER_FROM] = "from",
    [MEMBER_CHAT_ID] = "chat_id",
    [MEMBER_CLASS] = "class",
    [MEMBER_CAMPAIGN] = "campaign",
    [MEMBER_COLLAPSE_KEY] = "collapse_key",
    [MEMBER_TZ] = "tz",
    [MEMBER_SEND_AFTER] = "send_after",
    [MEMBER_EXPIRES_AT] = "expires_at",
    [MEMBER_IF_HELD] = "if_held",
    [MEMBER_META] = "meta",
    [MEMBER_POOL] = "pool",
    [MEMBER_TO] = "to",
    [MEMBER_MESSAGE] = "message",
    [MEMBER_EXPORTED] = "exported",
};

struct given {          /* a member as it came: the first of its name; null counts as absent */
    const cJSON *value; /* NULL: absent */
    struct span text;
};

struct parse {
    const struct job_parser *parser;
    struct core_enqueue *out;
    struct job_texts *texts;
    struct job_refusal *refusal;
    struct given given[MEMBER_COUNT];
    const char *id, *pool_name, *chat_id, *campaign, *collapse, *tz;
    const struct conf_pool *pool;
    struct recipients to;
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

/* The member as text: *out NULL if absent. False: of another type, or longer than `bytes_max`. */
static bool text_field(struct parse *parse, enum member member, size_t bytes_max, const char **out)
{
    const char *name = member_names[member];
    const cJSON *value = parse->given[member].value;
    *out = NULL;
    if (value == NULL)
        return true;
    if (!cJSON_IsString(value))
        return refuse(parse, CODE_INVALID_FIELD, name, "%s: must be a string", name);
    if (strlen(value->valuestring) > bytes_max)
        return refuse(parse, CODE_INVALID_FIELD, name, "%s: %zu bytes, at most %zu", name, strlen(value->valuestring),
                      bytes_max);
    *out = value->valuestring;
    return true;
}

/* A moment long past or far away is one all the same; 0 is kept for "none". */
static bool time_field(struct parse *parse, enum member member, int64_t *out_ms)
{
    const char *text = NULL;
    int64_t ms = 0;
    if (!text_field(parse, member, WORD_BYTES_MAX, &text))
        return false;
    if (text != NULL && !time_parse(text, &ms))
        return refuse(parse, CODE_INVALID_FIELD, member_names[member],
                      "%s: must be a time such as \"2026-11-23T10:00:00.000Z\"", member_names[member]);
    if (text != NULL)
        *out_ms = ms < 1 ? 1 : ms > JOB_MOMENT_MAX_MS ? JOB_MOMENT_MAX_MS : ms;
    return true;
}

static bool parse_id(struct parse *parse)
{
    if (!text_field(parse, MEMBER_ID, PRODUCER_ID_MAX_BYTES, &parse->id))
        return false;
    if (parse->id != NULL && !producer_id_is_valid(parse->id))
        return refuse(parse, CODE_INVALID_FIELD, "id",
                      "id: must be 1 to 128 bytes of printable ASCII, not beginning with j_");
    return true;
}

static bool parse_to(struct parse *parse)
{
    return recipients_read(parse->given[MEMBER_TO].value, &parse->to, parse->refusal);
}

static bool parse_words(struct parse *parse)
{
    const char *class = NULL;
    const char *if_held = NULL;
    if (!text_field(parse, MEMBER_CLASS, WORD_BYTES_MAX, &class) ||
        !text_field(parse, MEMBER_IF_HELD, WORD_BYTES_MAX, &if_held) ||
        !text_field(parse, MEMBER_TZ, WORD_BYTES_MAX, &parse->tz) ||
        !text_field(parse, MEMBER_COLLAPSE_KEY, CAMPAIGN_BYTES_MAX, &parse->collapse))
        return false;
    parse->out->class = CLASS_TRANSACTIONAL;
    if (class != NULL && !job_class_parse(class, &parse->out->class))
        return refuse(parse, CODE_INVALID_FIELD, "class",
                      "class: must be reply, transactional, followup or campaign");
    if (if_held != NULL && strcmp(if_held, "wait") != 0 && strcmp(if_held, "fail") != 0)
        return refuse(parse, CODE_INVALID_FIELD, "if_held", "if_held: must be wait or fail");
    if (parse->tz != NULL && !zones_knows(parse->parser->core, parse->tz))
        return refuse(parse, CODE_INVALID_FIELD, "tz", "tz: must be an IANA time zone such as Europe/Berlin");
    parse->out->fail_if_held = if_held != NULL && strcmp(if_held, "fail") == 0;
    return time_field(parse, MEMBER_SEND_AFTER, &parse->out->due_ms) &&
           time_field(parse, MEMBER_EXPIRES_AT, &parse->out->expires_ms);
}

/* Whatever else it may say is a producer's own, as any member that is not known. */
static void parse_exported(struct parse *parse)
{
    const char *text = cJSON_GetStringValue(parse->given[MEMBER_EXPORTED].value);
    uint64_t number = 0;
    if (text == NULL || !(strcmp(text, "elsewhere") == 0 || job_number_parse(text, &number)))
        return;
    parse->out->exported = true;
    parse->out->exported_as = number;
}

static bool parse_meta(struct parse *parse)
{
    const struct given *meta = &parse->given[MEMBER_META];
    if (meta->value == NULL)
        return true;
    if (!cJSON_IsObject(meta->value))
        return refuse(parse, CODE_INVALID_FIELD, "meta", "meta: must be an object");
    if (meta->text.bytes > WIRE_META_BYTES_MAX)
        return refuse(parse, CODE_INVALID_FIELD, "meta", "meta: %zu bytes, at most %d", meta->text.bytes,
                      WIRE_META_BYTES_MAX);
    return true;
}

/* The form of what names pool, line, chat and campaign; whether they exist comes later. */
static bool parse_places(struct parse *parse)
{
    const char *from = NULL;
    if (!text_field(parse, MEMBER_POOL, NAME_MAX_BYTES, &parse->pool_name) ||
        !text_field(parse, MEMBER_FROM, WORD_BYTES_MAX, &from) ||
        !text_field(parse, MEMBER_CHAT_ID, CHAT_ID_BYTES_MAX, &parse->chat_id) ||
        !text_field(parse, MEMBER_CAMPAIGN, CAMPAIGN_BYTES_MAX, &parse->campaign))
        return false;
    if (from != NULL && !e164_is_valid(from))
        return refuse(parse, CODE_INVALID_FIELD, "from", "from: must be a line in E.164 such as +12025550101");
    if (from != NULL)
        parse->out->from_line = strtoull(from + 1, NULL, 10);
    if (parse->chat_id != NULL && *parse->chat_id == '\0')
        return refuse(parse, CODE_INVALID_FIELD, "chat_id", "chat_id: must not be empty");
    return true;
}

/* ---- the message ---- */

static bool ends_with(const char *text, const char *end, const char *word)
{
    size_t bytes = strlen(word);
    return (size_t)(end - text) >= bytes && strncasecmp(end - bytes, word, bytes) == 0;
}

/* http://, https:// or www. anywhere; looked for at their rarest byte. */
static bool has_url(const char *text)
{
    for (const char *at = strpbrk(text, ":."); at != NULL; at = strpbrk(at + 1, ":.")) {
        if (*at == ':' && at[1] == '/' && at[2] == '/' &&
            (ends_with(text, at, "http") || ends_with(text, at, "https")))
            return true;
        if (*at == '.' && ends_with(text, at, "www") && (at - text == 3 || !isalnum((unsigned char)at[-4])))
            return true;
    }
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

static bool parse_message(struct parse *parse)
{
    const struct given *message = &parse->given[MEMBER_MESSAGE];
    if (message->value == NULL)
        return refuse(parse, CODE_INVALID_FIELD, "message", "message: is missing; the provider's message object");
    if (!cJSON_IsObject(message->value))
        return refuse(parse, CODE_INVALID_FIELD, "message", "message: must be an object");
    if (json_get(message->value, "idempotency_key") != NULL)
        return refuse(parse, CODE_INVALID_FIELD, "message.idempotency_key",
                      "message.idempotency_key: is Lineward's to set");
    parse->out->has_link = has_link(message->value);
    parse->out->payload = message->text;
    return true;
}

/* ---- pool and campaign ---- */

static bool refuse_elsewhere(struct parse *parse, const struct owner_place *owner)
{
    char sentence[sizeof parse->refusal->message];
    owners_say(owner, sentence, sizeof sentence);
    parse->refusal->owner = *owner;
    return refuse(parse, CODE_NOT_OWNER, "pool", "%s", sentence);
}

static bool find_pool(struct parse *parse)
{
    const struct conf *conf = parse->parser->conf;
    const char *name = parse->pool_name == NULL ? "default" : parse->pool_name;
    struct owner_place owner;
    enum code code = owners_find_pool(conf, parse->parser->owners, parse->parser->pools, name, &parse->out->pool, &owner);
    if (code == CODE_UNKNOWN_POOL)
        return refuse(parse, code, "pool", "pool: no pool of that name");
    if (code == CODE_NOT_OWNER)
        return refuse_elsewhere(parse, &owner);
    parse->pool = &conf->pools[parse->out->pool];
    return true;
}

static bool number_campaign(struct parse *parse, struct effects *effects)
{
    if (parse->campaign == NULL || *parse->campaign == '\0')
        return true;
    struct core *core = parse->parser->core;
    bool rehearsed = effects == NULL;
    parse->out->campaign =
        rehearsed ? core_campaign_foreseen(core, parse->campaign) : core_campaign(core, parse->campaign, effects);
    return parse->out->campaign != 0 ||
           refuse(parse, CODE_BUSY, "campaign", "campaign: there is no room for one more name");
}

/* ---- what the core and the store get ---- */

static void write_recipients(struct parse *parse)
{
    struct json_out *out = &parse->texts->recipients;
    recipients_write(&parse->to, out);
    parse->out->recipients = (struct span){out->text, out->bytes};
}

static void write_envelope(struct parse *parse)
{
    struct json_out *out = &parse->texts->envelope;
    json_out_clear(out);
    json_open(out, '{');
    for (enum member member = MEMBER_ID; member <= MEMBER_META; member++) {
        const struct given *given = &parse->given[member];
        if (given->value == NULL)
            continue;
        json_key(out, member_names[member]);
        json_put_raw(out, given->text.data, given->text.bytes);
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

static uint64_t collapse_key_hash(const struct keyed_hash *hash, uint64_t conversation, const char *key)
{
    uint8_t text[sizeof conversation + CAMPAIGN_BYTES_MAX];
    size_t bytes = strlen(key);
    memcpy(text, &conversation, sizeof conversation);
    memcpy(text + sizeof conversation, key, bytes);
    return keyed_hash(hash, KEYED_COLLAPSE, NULL, text, sizeof conversation + bytes);
}

static void write_hashes(struct parse *parse)
{
    const struct keyed_hash *hash = parse->parser->hash;
    const struct conf_account *account = &parse->parser->conf->accounts[parse->pool->account];
    struct core_enqueue *out = parse->out;
    out->conversation = recipients_conversation(hash, parse->pool->name, out->recipients);
    out->recipient = recipients_direct(hash, account->name, &parse->to);
    if (parse->chat_id != NULL) {
        out->chat_hash = chat_id_hash(hash, parse->chat_id);
        out->chat_id = parse->given[MEMBER_CHAT_ID].text;
    }
    if (parse->collapse != NULL && *parse->collapse != '\0')
        out->collapse = collapse_key_hash(hash, out->conversation, parse->collapse);
    if (parse->id == NULL)
        return;
    out->id_hash = job_id_hash(hash, parse->pool->name, parse->id);
    uint64_t content[3] = {out->conversation, out->from_line,
                           keyed_hash_json(hash, parse->given[MEMBER_MESSAGE].value)};
    out->content_hash = keyed_hash(hash, KEYED_CONTENT, NULL, content, sizeof content);
}

/* ---- the whole document ---- */

static enum member member_of(const char *name)
{
    enum member member = MEMBER_ID;
    while (member < MEMBER_COUNT && (*member_names[member] != *name || strcmp(member_names[member], name) != 0))
        member++;
    return member;
}

/* The tree has the values, the text their bytes; both have the members in the same order. */
static void gather(struct parse *parse, const cJSON *root, const char *text, size_t bytes)
{
    bool met[MEMBER_COUNT] = {false};
    struct json_member raw;
    size_t at = 0;
    for (const cJSON *child = root->child; child != NULL && json_next_member(text, bytes, &at, &raw);
         child = child->next) {
        enum member member = member_of(child->string);
        if (member == MEMBER_COUNT || met[member])
            continue;
        met[member] = true;
        parse->given[member].value = cJSON_IsNull(child) ? NULL : child;
        parse->given[member].text = (struct span){raw.value, raw.value_bytes};
    }
}

static bool parse_numbers(struct parse *parse, const char *text, size_t bytes)
{
    return !json_has_big_integer(text, bytes) ||
           refuse(parse, CODE_INVALID_FIELD, "",
                  "an integer beyond 2^53 does not survive most readers of JSON: send it as a string");
}

static bool parse_form(struct parse *parse, const char *text, size_t bytes)
{
    return parse_id(parse) && parse_to(parse) && parse_words(parse) && parse_meta(parse) && parse_places(parse) &&
           parse_message(parse) && parse_numbers(parse, text, bytes);
}

static bool write_texts(struct parse *parse)
{
    write_recipients(parse);
    write_envelope(parse);
    write_hashes(parse);
    return (!parse->texts->recipients.failed && !parse->texts->envelope.failed) ||
           refuse(parse, CODE_BUSY, "", "out of memory");
}

static bool refuse_unread(struct parse *parse, const char *why)
{
    static const enum code codes[] = {
        [JSON_FAULT_FORM] = CODE_MALFORMED, [JSON_FAULT_VALUE] = CODE_INVALID_FIELD, [JSON_FAULT_MEMORY] = CODE_BUSY};
    return refuse(parse, codes[json_fault_of(why)], "", "%s", why);
}

static bool refuse_large(struct parse *parse, size_t bytes)
{
    return refuse(parse, CODE_TOO_LARGE, "", "a job document of %zu bytes, at most %u", bytes, WIRE_JOB_BYTES_MAX);
}

/* The first digits of a direct message's number; 0: a group, or an e-mail handle. */
static uint16_t area_of(const struct recipients *to)
{
    unsigned area = 0;
    if (to->count != 1 || to->handles[0][0] != '+')
        return 0;
    for (int i = 1; i <= AREA_DIGITS && to->handles[0][i] != '\0'; i++)
        area = area * 10 + (unsigned)(to->handles[0][i] - '0');
    return (uint16_t)area;
}

/* A repeat of one that was accepted is the core's to answer. */
static bool spares_erased(struct parse *parse)
{
    const struct job_parser *parser = parse->parser;
    bool repeats = !parser->requeues && parse->out->id_hash != 0 &&
                   core_job_by_id(parser->core, parse->out->id_hash) != 0;
    if (repeats || !named_erased(parser->core, parser->hash, &parse->to))
        return true;
    return refuse(parse, CODE_NOT_ALLOWED, "to", ERASED_TEXT);
}

bool job_parse(const struct job_parser *parser, const char *text, size_t bytes, struct core_enqueue *out,
               struct job_texts *texts, struct span *id, struct job_refusal *refusal, struct effects *effects)
{
    struct parse parse; /* its recipients are not worth clearing for every job */
    memset(&parse, 0, offsetof(struct parse, to));
    parse.parser = parser;
    parse.out = out;
    parse.texts = texts;
    parse.refusal = refusal;
    const char *why = NULL;
    *id = (struct span){0};
    *out = (struct core_enqueue){0};
    refusal->field[0] = '\0';
    if (bytes > WIRE_JOB_BYTES_MAX + WIRE_EXPORTED_BYTES_MORE)
        return refuse_large(&parse, bytes);
    cJSON *root = json_parse_bounded(text, bytes, JOB_VALUES_MAX, &why);
    if (root == NULL)
        return bytes > WIRE_JOB_BYTES_MAX ? refuse_large(&parse, bytes) : refuse_unread(&parse, why);
    bool good = cJSON_IsObject(root) || refuse(&parse, CODE_MALFORMED, "", "a job is a JSON object");
    if (good)
        gather(&parse, root, text, bytes);
    if (good && bytes > WIRE_JOB_BYTES_MAX && parse.given[MEMBER_EXPORTED].value == NULL)
        good = refuse_large(&parse, bytes);
    if (parse.given[MEMBER_ID].text.bytes <= JOB_ID_TEXT_MAX)
        *id = parse.given[MEMBER_ID].text;
    good = good && parse_form(&parse, text, bytes) && find_pool(&parse) && number_campaign(&parse, effects) &&
           write_texts(&parse);
    if (good) {
        parse_exported(&parse);
        out->zone = zones_of_job(parser->core, parse.tz, &parse.to, effects);
        out->area = area_of(&parse.to);
    }
    good = good && spares_erased(&parse);
    cJSON_Delete(root);
    return good;
}

void job_texts_free(struct job_texts *texts)
{
    json_out_free(&texts->recipients);
    json_out_free(&texts->envelope);
}
