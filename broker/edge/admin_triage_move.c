/* admin_triage_move.c — see admin_triage_move.h. The new job has an id of its own (lookup_export.c): so if a crash, or an
 * import, left both of them, the second call finds the new one there and ends the old one. */
#include "broker/edge/admin_triage_move.h"

#include "broker/edge/view_put.h"

/* Of no exchange: the effect of such a job is nobody's, for the call's own answer waits for all of them. */
#define TOKEN_OF_NOBODY ((uint64_t)ADMIN_TOKEN_TAG << 56)

/* The document with another pool. Its dates may have changed since it was read. */
static bool write_document(struct json_out *out, struct span document, const char *pool, const struct job_view *view)
{
    static const char *const anew[] = {"pool", "send_after", "expires_at", NULL};
    json_open(out, '{');
    put_word(out, "pool", pool);
    put_moment(out, "send_after", view->state == JOB_SCHEDULED ? view->due_ms : 0);
    put_moment(out, "expires_at", view->expires_ms);
    put_members(out, document, anew);
    json_close(out, '}');
    return !out->failed;
}

static void take_refusal(void *self, uint64_t token, uint32_t index, const struct error_view *error)
{
    (void)token, (void)index;
    *(enum code *)self = error->code;
}

/* One that is there already came before a crash, or with an import. */
static void take_effect(void *self, uint64_t token, uint32_t index, const struct effect *effect)
{
    (void)token, (void)index;
    *(enum code *)self = effect->duplicate ? CODE_NONE : effect->code;
}

static void take_verdict(void *self, uint64_t token, uint32_t index, const struct core_would *would)
{
    take_effect(self, token, index, &would->effect);
}

static enum code offer(struct admin_turn *turn, struct exchange *x, const struct json_out *document, bool dry)
{
    const struct admin_shell *shell = &turn->options->shell;
    const struct frame job = {document->text, document->bytes};
    enum code code = CODE_BUSY;
    const struct admin_enqueue ask = {.token = TOKEN_OF_NOBODY,
                                      .jobs = &job,
                                      .count = 1,
                                      .pools = x->grant.pools,
                                      .refuse = take_refusal,
                                      .refuse_self = &code,
                                      .would = dry ? take_verdict : NULL,
                                      .said = take_effect};
    shell->enqueue(shell->self, &ask, turn->now, turn->out);
    return code;
}

enum code triage_move(struct admin_turn *turn, struct exchange *x, const char *pool, uint64_t number, struct span exported,
                      bool dry)
{
    static const struct core_triage moved = {.how = TRIAGE_MOVE};
    struct json_out document = {0};
    struct job_view view;
    enum code code = CODE_BUSY;
    if (core_job_glance(turn->core, number, turn->now, &view) &&
        write_document(&document, view_member(exported, "document"), pool, &view))
        code = offer(turn, x, &document, dry);
    if (code == CODE_NONE && !dry)
        (void)core_triage(turn->core, number, &moved, turn->now, turn->out);
    json_out_free(&document);
    return code;
}
