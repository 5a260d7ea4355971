/* admin_triage_move.c — see admin_triage_move.h. The new job has an id of its own (lookup_export.c): so if a crash, or an
 * import, left both of them, the second call finds the new one there and ends the old one. */
#include "broker/edge/admin_triage_move.h"

#include <string.h>

/* Of no exchange: the effect of such a job is nobody's, for the call's own answer waits for all of them. */
#define TOKEN_OF_NOBODY ((uint64_t)ADMIN_TOKEN_TAG << 56)

/* The document with another pool. */
static bool write_document(struct json_out *out, struct span document, const char *pool)
{
    struct json_member member;
    size_t at = 0;
    json_open(out, '{');
    json_key(out, "pool");
    json_put_string(out, pool);
    while (json_next_member(document.data, document.bytes, &at, &member)) {
        char name[32];
        if (member.name_bytes >= sizeof name)
            continue;
        memcpy(name, member.name, member.name_bytes);
        name[member.name_bytes] = '\0';
        if (strcmp(name, "pool") == 0)
            continue;
        json_key(out, name);
        json_put_raw(out, member.value, member.value_bytes);
    }
    json_close(out, '}');
    return !out->failed;
}

static void take_refusal(void *self, uint64_t token, uint32_t index, const struct error_view *error)
{
    (void)token, (void)index;
    *(enum code *)self = error->code;
}

static void take_verdict(void *self, uint64_t token, uint32_t index, const struct core_would *would)
{
    (void)token, (void)index;
    *(enum code *)self = would->effect.duplicate ? CODE_NONE : would->effect.code;
}

/* Judged first, as a dry run judges it: what the core says of a real one comes only when it is durable. */
static enum code offer(struct admin_turn *turn, struct exchange *x, const struct json_out *document, bool dry)
{
    const struct admin_shell *shell = &turn->options->shell;
    const struct frame job = {document->text, document->bytes};
    enum code code = CODE_NONE;
    struct admin_enqueue ask = {.token = TOKEN_OF_NOBODY,
                                .jobs = &job,
                                .count = 1,
                                .pools = x->grant.pools,
                                .refuse = take_refusal,
                                .refuse_self = &code,
                                .would = take_verdict};
    shell->enqueue(shell->self, &ask, turn->now, turn->out);
    if (code != CODE_NONE || dry)
        return code;
    ask.would = NULL;
    shell->enqueue(shell->self, &ask, turn->now, turn->out);
    return code;
}

/* Is the new job there? */
static bool is_there(const struct admin_turn *turn, const struct json_out *document, const char *pool)
{
    const struct admin_shell *shell = &turn->options->shell;
    cJSON *json = json_parse(document->text, document->bytes, NULL);
    const char *id = json_string(json, "id");
    bool there = id != NULL &&
                 core_job_by_id(turn->core, shell->id_hash(shell->self, conf_pool_find(turn->options->conf, pool), id)) != 0;
    cJSON_Delete(json);
    return there;
}

enum code triage_move(struct admin_turn *turn, struct exchange *x, const char *pool, uint64_t number, struct span exported,
                      bool dry)
{
    static const struct core_triage moved = {.how = TRIAGE_MOVE};
    struct json_out document = {0};
    enum code code = CODE_BUSY;
    if (write_document(&document, view_member(exported, "document"), pool))
        code = offer(turn, x, &document, dry);
    if (code == CODE_NONE && !dry && !is_there(turn, &document, pool))
        code = CODE_BUSY;
    if (code == CODE_NONE && !dry) /* if it is gone already, the new one has its collapse_key and took its place */
        (void)core_triage(turn->core, number, &moved, turn->now, turn->out);
    json_out_free(&document);
    return code;
}
