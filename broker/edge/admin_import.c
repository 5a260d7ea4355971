/* admin_import.c — POST /v1/conversations/import: conversations that exist at the provider already, each taken over or
 * refused by itself. Offered to the core in slices; answered when all that was taken over is durable. */
#include <stdlib.h>
#include <string.h>

#include "broker/edge/admin_calls.h"
#include "broker/edge/conversation_parse.h"
#include "lineward/log.h"

#define ITEMS_PER_STEP 64 /* offered in one turn; their texts are lent to the core until it is over */

struct result {
    bool refused;
    struct effect effect;
    struct job_refusal refusal;
};

struct import {
    cJSON *body;
    const cJSON *at; /* the next one */
    size_t count, next, missing;
    bool store_full;
    struct conversation_texts texts[ITEMS_PER_STEP];
    struct result results[ADMIN_IMPORT_MAX];
};

static void import_free(void *memory)
{
    struct import *import = memory;
    if (import == NULL)
        return;
    cJSON_Delete(import->body);
    for (size_t i = 0; i < ITEMS_PER_STEP; i++)
        conversation_texts_free(&import->texts[i]);
    free(import);
}

/* CODE_NONE, or what is wrong with the body. */
static enum code read_body(const struct exchange *x, struct import *import, const char **why)
{
    *why = "a JSON object is expected: {\"conversations\":[...]}";
    import->body = json_parse(x->body != NULL ? x->body : "", x->body_bytes, why);
    if (!cJSON_IsObject(import->body))
        return CODE_MALFORMED;
    const cJSON *list = json_get(import->body, "conversations");
    *why = "conversations must be an array";
    if (!cJSON_IsArray(list))
        return CODE_INVALID_FIELD;
    size_t count = 0;
    for (const cJSON *item = list->child; item != NULL; item = item->next)
        count++;
    *why = "a request has 1 to 1000 conversations";
    if (count == 0 || count > ADMIN_IMPORT_MAX)
        return count == 0 ? CODE_INVALID_FIELD : CODE_TOO_MANY;
    import->at = list->child;
    import->count = import->missing = count;
    return CODE_NONE;
}

static void offer(struct admin_turn *turn, struct exchange *x, struct import *import,
                  struct conversation_texts *texts)
{
    const struct conversation_parser parser = {
        .conf = turn->options->conf, .hash = turn->options->hash, .core = turn->core, .owners = turn->options->owners, .pools = x->grant.pools};
    struct result *result = &import->results[import->next];
    struct core_adopt adopt;
    if (conversation_parse(&parser, import->at, &adopt, texts, &result->refusal)) {
        adopt.token = x->token;
        adopt.index = (uint32_t)import->next;
        core_adopt(turn->core, &adopt, import->store_full, turn->now, turn->out);
    } else {
        result->refused = true;
        import->missing--;
    }
    import->next++;
    import->at = import->at->next;
}

bool import_take_effect(struct exchange *x, const struct effect *effect)
{
    struct import *import = x->memory;
    if (import == NULL || effect->index >= import->next || import->missing == 0)
        return false;
    import->results[effect->index].effect = *effect;
    return --import->missing == 0;
}

/* What the audit has as the state after it: how many were offered. */
static void tell(struct exchange *x, const struct import *import)
{
    struct json_out *out = &x->trail.told;
    json_out_clear(out);
    json_open(out, '{');
    json_key(out, "conversations");
    json_put_int(out, (int64_t)import->count);
    json_close(out, '}');
}

static void put_refused(struct json_out *out, const struct job_refusal *refusal)
{
    view_error_body(out, &(struct error_view){.code = refusal->code,
                                              .message = refusal->message[0] == '\0' ? NULL : refusal->message,
                                              .field = refusal->field[0] == '\0' ? NULL : refusal->field});
}

static enum admin_step answer_results(struct exchange *x, const struct import *import)
{
    struct json_out *out = &x->answer.text;
    size_t busy = 0;
    size_t imported = 0;
    json_open(out, '{');
    json_key(out, "results");
    json_open(out, '[');
    for (size_t i = 0; i < import->count; i++) {
        const struct result *result = &import->results[i];
        enum code code = result->refused ? result->refusal.code : result->effect.code;
        busy += code == CODE_BUSY;
        imported += code == CODE_NONE && !result->effect.duplicate;
        if (result->refused)
            put_refused(out, &result->refusal);
        else
            view_adopted(out, &result->effect);
    }
    json_close(out, ']');
    json_close(out, '}');
    if (imported > 0)
        log_event(LOG_INFO, "conversations_imported", "by=%s count=%zu", x->grant.name, imported);
    x->answer.status = busy == import->count ? code_http_status(CODE_BUSY) : 200;
    x->answer.retry_after_ms = busy == import->count ? VIEW_BUSY_RETRY_MS : 0;
    return STEP_DONE;
}

static enum admin_step begin(struct admin_turn *turn, struct exchange *x)
{
    const struct admin_shell *shell = &turn->options->shell;
    struct store_facts store;
    const char *why = NULL;
    struct import *import = calloc(1, sizeof *import);
    if (import == NULL)
        return answer_error(x, CODE_BUSY, "out of memory", NULL);
    x->memory = import;
    x->memory_free = import_free;
    enum code code = read_body(x, import, &why);
    if (code != CODE_NONE)
        return answer_error(x, code, why, code == CODE_MALFORMED ? NULL : "conversations");
    tell(x, import);
    shell->store_facts(shell->self, &store);
    import->store_full = store.full;
    return STEP_MORE;
}

enum admin_step call_import(struct admin_turn *turn, struct exchange *x)
{
    struct import *import = x->memory;
    if (import == NULL)
        return begin(turn, x);
    for (size_t i = 0; i < ITEMS_PER_STEP && import->next < import->count; i++)
        offer(turn, x, import, &import->texts[i]);
    if (import->next < import->count)
        return STEP_MORE;
    return import->missing > 0 ? STEP_WAIT : answer_results(x, import);
}
