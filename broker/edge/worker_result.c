/* worker_result.c — see worker_result.h. */
#include "broker/edge/worker_result.h"

#include <stdio.h>
#include <string.h>

#define RETRY_AFTER_MAX_MS (24LL * 3600 * 1000)
#define CODE_BYTES_MAX     64
#define TEXT_BYTES_MAX     512

enum type { TYPE_TEXT, TYPE_NUMBER, TYPE_BOOL, TYPE_CODE };

/* A field of the wrong type is never passed over: what it was to say might matter. null says nothing. */
static bool types_are_right(const cJSON *root)
{
    static const struct {
        const char *name;
        enum type type;
    } fields[] = {{"outcome", TYPE_TEXT},          {"scope", TYPE_TEXT},         {"suppress", TYPE_TEXT},
                  {"message", TYPE_TEXT},          {"chat_id", TYPE_TEXT},       {"message_id", TYPE_TEXT},
                  {"trace_id", TYPE_TEXT},         {"http_status", TYPE_NUMBER}, {"code", TYPE_CODE},
                  {"retry_after_ms", TYPE_NUMBER}, {"unknown", TYPE_BOOL},       {"line_flagged", TYPE_BOOL},
                  {"forget_chat", TYPE_BOOL},      {"key_refused", TYPE_BOOL}};
    int64_t number;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const cJSON *value = json_get(root, fields[i].name);
        if (value == NULL || cJSON_IsNull(value))
            continue;
        bool right = fields[i].type == TYPE_TEXT     ? cJSON_IsString(value)
                     : fields[i].type == TYPE_NUMBER ? json_int(root, fields[i].name, &number)
                     : fields[i].type == TYPE_BOOL   ? cJSON_IsBool(value)
                                                     : cJSON_IsString(value) || cJSON_IsNumber(value);
        if (!right)
            return false;
    }
    return true;
}

static bool read_words(const cJSON *root, struct core_result *out)
{
    const char *outcome = json_string(root, "outcome");
    const char *scope = json_string(root, "scope");
    const char *suppress = json_string(root, "suppress");
    out->scope = SCOPE_JOB;
    out->suppress = SUPPRESS_NONE;
    if (outcome == NULL || !outcome_parse(outcome, &out->outcome))
        return false;
    if (scope != NULL && !scope_parse(scope, &out->scope))
        return false;
    return suppress == NULL || (suppress_parse(suppress, &out->suppress) && out->suppress != SUPPRESS_NONE &&
                                out->suppress != SUPPRESS_OPERATOR); /* that word is not a worker's */
}

static void read_numbers(const cJSON *root, struct core_result *out)
{
    int64_t number = 0;
    if (json_int(root, "retry_after_ms", &number) && number >= 0)
        out->retry_after_ms = number > RETRY_AFTER_MAX_MS ? RETRY_AFTER_MAX_MS : number;
    if (json_int(root, "http_status", &number) && number >= 100 && number <= 599)
        out->http_status = (int)number;
    if (json_int(root, "code", &number))
        out->code = number;
    out->unknown = json_bool(root, "unknown", false);
    out->line_flagged = json_bool(root, "line_flagged", false);
    out->forget_chat = json_bool(root, "forget_chat", false);
    out->key_refused = json_bool(root, "key_refused", false);
}

/* An id is taken whole or not at all: half of one is another. NULL: there is none. */
static const char *id_of(const cJSON *root, const char *name)
{
    const char *id = json_string(root, name);
    return id == NULL || *id == '\0' || strlen(id) > TEXT_BYTES_MAX ? NULL : id;
}

static void put_id(struct json_out *out, const cJSON *root, const char *name)
{
    const char *id = id_of(root, name);
    if (id == NULL)
        return;
    json_key(out, name);
    json_put_string(out, id);
}

/* A person may read it in the job's view: no error is without a sentence. */
static const char *message_of(const cJSON *root, const struct core_result *result)
{
    const char *given = json_string(root, "message");
    if (given != NULL && *given != '\0')
        return given;
    if (result->suppress != SUPPRESS_NONE)
        return result->suppress == SUPPRESS_BLOCKED ? "the account blocks this recipient"
                                                    : "the recipient has opted out";
    return result->code != 0 || result->http_status != 0 ? "the provider refused it" : "the provider gave no answer";
}

/* The error of a job that the provider refused: its code if it gave one, else the HTTP status. */
static void put_error(struct json_out *out, const cJSON *root, const struct core_result *result)
{
    char code[CODE_BYTES_MAX + 1];
    const char *given = json_string(root, "code"); /* another provider's may be words */
    const char *message = message_of(root, result);
    if (result->suppress != SUPPRESS_NONE)
        snprintf(code, sizeof code, "opted_out");
    else if (given != NULL && *given != '\0')
        snprintf(code, sizeof code, "%s", given);
    else if (result->code != 0)
        snprintf(code, sizeof code, "%lld", (long long)result->code);
    else if (result->http_status != 0)
        snprintf(code, sizeof code, "http_%d", result->http_status);
    else
        snprintf(code, sizeof code, "no_answer");
    json_key(out, "error");
    json_open(out, '{');
    json_key(out, "code");
    json_put_bytes(out, code, strlen(code)); /* it may have been cut within a character */
    json_key(out, "message");
    json_put_bytes(out, message, strnlen(message, TEXT_BYTES_MAX));
    json_close(out, '}');
}

static void write_result(const cJSON *root, struct core_result *out, struct result_texts *texts)
{
    json_out_clear(&texts->result);
    json_open(&texts->result, '{');
    put_id(&texts->result, root, "message_id");
    put_id(&texts->result, root, "chat_id");
    put_id(&texts->result, root, "trace_id");
    if (out->http_status != 0) {
        json_key(&texts->result, "http_status");
        json_put_int(&texts->result, out->http_status);
    }
    if (out->outcome != OUTCOME_SENT)
        put_error(&texts->result, root, out);
    json_close(&texts->result, '}');
    if (!texts->result.failed)
        out->result = (struct span){texts->result.text, texts->result.bytes};
}

static void write_ids(const struct keyed_hash *hash, const cJSON *root, struct core_result *out,
                      struct result_texts *texts)
{
    const char *chat = id_of(root, "chat_id");
    const char *message = id_of(root, "message_id");
    if (message != NULL)
        out->message_hash = keyed_hash(hash, KEYED_MESSAGE, NULL, message, strlen(message));
    if (chat == NULL)
        return;
    out->chat_hash = keyed_hash(hash, KEYED_CHAT, NULL, chat, strlen(chat));
    json_out_clear(&texts->chat_id);
    json_put_string(&texts->chat_id, chat);
    if (!texts->chat_id.failed)
        out->chat_id = (struct span){texts->chat_id.text, texts->chat_id.bytes};
}

bool worker_result_parse(const struct keyed_hash *hash, const char *text, size_t bytes, struct core_result *out,
                         struct result_texts *texts)
{
    memset(out, 0, sizeof *out);
    out->retry_after_ms = -1;
    cJSON *root = json_parse(text, bytes, NULL);
    out->malformed = !cJSON_IsObject(root) || !types_are_right(root) || !read_words(root, out);
    if (!out->malformed) {
        read_numbers(root, out);
        write_result(root, out, texts);
        write_ids(hash, root, out, texts);
    }
    cJSON_Delete(root);
    return !out->malformed;
}

void result_texts_free(struct result_texts *texts)
{
    json_out_free(&texts->result);
    json_out_free(&texts->chat_id);
}
