/* admin_dead.c — dead letters: a page of them, and requeueing one or all of a kind. A requeue of many goes in slices: each
 * reads some from disk, then offers them to the core, as an enqueue would. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/edge/admin_calls.h"
#include "broker/edge/view.h"
#include "lineward/log.h"

#define LETTERS_PER_STEP 16 /* each may be as large as a job document */

/* ---- what both ask ---- */

/* `pool` and `code`. False: answered. */
static bool read_filters(struct admin_turn *turn, struct exchange *x, struct lookup_request *request)
{
    request->pool = query_get(x, "pool");
    request->code = query_get(x, "code");
    if (request->pool == NULL ||
        (conf_pool_find(turn->options->conf, request->pool) != UINT32_MAX && grant_sees_name(x, request->pool)))
        return true;
    answer_error(x, CODE_UNKNOWN_POOL, NULL, "pool");
    return false;
}

/* ---- GET /v1/dead ---- */

static enum admin_step ask_page(struct admin_turn *turn, struct exchange *x)
{
    struct lookup_request request = {.what = LOOKUP_DEAD, .from_oldest = true};
    uint64_t limit;
    if (!query_number(x, "limit", 1, ADMIN_PAGE_MAX, ADMIN_PAGE_DEFAULT, &limit) ||
        !query_number(x, "after", 0, INT64_MAX, 0, &request.after) || !read_filters(turn, x, &request))
        return STEP_DONE;
    request.limit = (size_t)limit;
    return exchange_look_up(turn, x, &request);
}

enum admin_step call_dead(struct admin_turn *turn, struct exchange *x)
{
    return x->has_lookup ? answer_found(x, "dead", "the dead letters could not be read from disk") : ask_page(turn, x);
}

/* ---- requeueing ---- */

struct requeueing {
    uint64_t mark, after, until;
    size_t left; /* letters that this call may still look at */
    bool has_expiry, more;
    int64_t expires_ms; /* 0: never */
    size_t requeued, refused[CODE_COUNT], expired;
    uint64_t home; /* of the last one's conversation, if that was refused because of it */
};

/* The body's `expires_at`: a time, or null for never; absent: as it was. False: answered. */
static bool read_expiry(struct exchange *x, struct requeueing *work, struct instant now)
{
    cJSON *body = exchange_body(x);
    if (body == NULL)
        return false;
    const cJSON *given = json_get(body, "expires_at");
    const char *text = json_string(body, "expires_at");
    work->has_expiry = given != NULL;
    bool ok = given == NULL || cJSON_IsNull(given) ||
              (text != NULL && time_parse(text, &work->expires_ms) && work->expires_ms > now.wall_ms);
    cJSON_Delete(body);
    if (!ok)
        answer_error(x, CODE_INVALID_FIELD, "expires_at must be a time to come, or null for never", "expires_at");
    return ok;
}

/* `after` is the number of an event and, behind a dot, the newest one that counts: what dies again meanwhile is not
 * requeued for ever. False: answered. */
static bool read_after(struct exchange *x, struct requeueing *work)
{
    const char *text = query_get(x, "after");
    char *end = NULL;
    if (text == NULL)
        return true;
    errno = 0;
    work->after = *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : 0;
    if (end != NULL && *end == '.' && end[1] >= '0' && end[1] <= '9') {
        work->until = strtoull(end + 1, &end, 10);
        if (*end == '\0' && errno == 0)
            return true;
    }
    answer_error(x, CODE_INVALID_FIELD, "after must be the `next` of the answer before", "after");
    return false;
}

/* False: answered. */
static bool begin(struct admin_turn *turn, struct exchange *x)
{
    struct requeueing *work = calloc(1, sizeof *work);
    uint64_t limit;
    x->memory = work;
    x->memory_free = free;
    if (work == NULL) {
        answer_error(x, CODE_BUSY, "out of memory", NULL);
        return false;
    }
    work->until = core_next_seq(turn->core) - 1;
    if (!query_number(x, "limit", 1, ADMIN_PAGE_MAX, ADMIN_PAGE_DEFAULT, &limit) || !read_after(x, work) ||
        !read_expiry(x, work, turn->now))
        return false;
    work->left = (size_t)limit;
    return true;
}

/* Offers one letter to the core. What has expired is not sent late, unless a person says until when. */
static enum code requeue(struct admin_turn *turn, const struct exchange *x, struct requeueing *work, size_t i)
{
    struct dead_letter *letter = &x->lookup.letters[i];
    const struct admin_shell *shell = &turn->options->shell;
    int64_t expires_ms = work->has_expiry ? work->expires_ms : letter->expires_ms;
    if (expires_ms != 0 && expires_ms <= turn->now.wall_ms) {
        work->expired++;
        return CODE_ALREADY_FINAL;
    }
    letter->requeue.mark = work->mark;
    const struct admin_requeue ask = {.letter = &letter->requeue,
                                      .document = {x->lookup.text.text + letter->at, letter->bytes},
                                      .pools = x->grant.pools,
                                      .expires_ms = expires_ms,
                                      .home = &work->home};
    enum code code = shell->requeue(shell->self, &ask, turn->now, turn->out);
    if (code == CODE_NONE)
        work->requeued++;
    else
        work->refused[code]++;
    return code;
}

/* What a call without a thing of its own leaves in the audit as the state after it. */
static void tell(struct exchange *x, const struct requeueing *work)
{
    struct json_out *out = &x->trail.told;
    size_t refused = work->expired;
    for (enum code code = CODE_NONE + 1; code < CODE_COUNT; code++)
        refused += work->refused[code];
    json_out_clear(out);
    json_open(out, '{');
    json_key(out, "requeued");
    json_put_int(out, (int64_t)work->requeued);
    json_key(out, "refused");
    json_put_int(out, (int64_t)refused);
    json_close(out, '}');
}

static void log_requeue(const struct exchange *x, const char *what, const struct requeueing *work)
{
    log_event(LOG_INFO, "requeued", "by=%s what=%s jobs=%zu", x->grant.name, what, work->requeued);
}

/* ---- POST /v1/dead/{id}/requeue ---- */

static enum admin_step ask_letter(struct admin_turn *turn, struct exchange *x)
{
    struct requeueing *work = x->memory;
    struct lookup_job *job = malloc(sizeof *job);
    if (job == NULL)
        return answer_error(x, CODE_BUSY, "out of memory", NULL);
    exchange_job(turn, x, false, job);
    work->mark = core_requeue_mark(turn->core);
    struct lookup_request request = {.what = LOOKUP_LETTERS, .jobs = job, .job_count = 1};
    enum admin_step step = exchange_look_up(turn, x, &request);
    if (step != STEP_WAIT)
        free(job);
    return step;
}

/* It may have been sent by one line, or names one, and its conversation lives on another. */
static enum admin_step refuse_line(struct exchange *x, const struct core_requeue *letter, uint64_t home)
{
    char sentence[400], tried[LINE_TEXT_MAX], lives[LINE_TEXT_MAX];
    line_text(letter->line, tried);
    line_text(home, lives);
    if (letter->doubtful)
        snprintf(sentence, sizeof sentence,
                 "it may have been sent by %s, and no other line may try it; its conversation is on %s now: move that to %s "
                 "first (PUT /v1/conversations/{pool}/{to}/line), or, if it surely was not sent, hand in a new job instead",
                 tried, lives, tried);
    else
        snprintf(sentence, sizeof sentence,
                 "it names another line (`from`) than %s, where its conversation is now: move that back first (PUT "
                 "/v1/conversations/{pool}/{to}/line), or hand in a new job that names no other line",
                 lives);
    return answer_error(x, CODE_LINE_CONFLICT, sentence, NULL);
}

static enum admin_step requeue_letter(struct admin_turn *turn, struct exchange *x)
{
    struct requeueing *work = x->memory;
    if (x->lookup.err != ERR_NONE)
        return answer_error(x, CODE_BUSY, "the dead letter could not be read from disk", NULL);
    if (x->lookup.letter_count == 0)
        return answer_error(x, CODE_NOT_FOUND, "there is no dead letter of this name", NULL);
    enum code code = requeue(turn, x, work, 0);
    if (work->expired > 0)
        return answer_error(x, code, "its expires_at has passed: say a new one, or null for never", "expires_at");
    if (code == CODE_LINE_CONFLICT)
        return refuse_line(x, &x->lookup.letters[0].requeue, work->home);
    if (code != CODE_NONE)
        return answer_error(x, code, NULL, NULL);
    char text[JOB_NUMBER_TEXT_MAX];
    job_number_format(x->lookup.letters[0].requeue.number, text);
    log_requeue(x, text, work);
    core_answer(turn->out, x->token);
    lookup_answer_free(&x->lookup);
    x->has_lookup = false;
    return STEP_WAIT;
}

enum { ONE_ASKED = 1, ONE_REQUEUED };

enum admin_step call_requeue(struct admin_turn *turn, struct exchange *x)
{
    if (x->phase == 0) {
        if (!begin(turn, x))
            return STEP_DONE;
        x->phase = ONE_ASKED;
        return ask_letter(turn, x);
    }
    if (x->phase == ONE_ASKED) {
        enum admin_step step = requeue_letter(turn, x);
        x->phase = ONE_REQUEUED;
        return step;
    }
    return x->has_lookup ? exchange_answer_job(turn, x) : exchange_ask_job(turn, x, LOOKUP_VIEW);
}

/* ---- POST /v1/dead/requeue ---- */

static enum admin_step ask_letters(struct admin_turn *turn, struct exchange *x, struct requeueing *work)
{
    struct lookup_request request = {.what = LOOKUP_LETTERS, .after = work->after, .until = work->until,
                                     .from_oldest = true};
    if (!read_filters(turn, x, &request))
        return STEP_DONE;
    request.limit = work->left < LETTERS_PER_STEP ? work->left : LETTERS_PER_STEP;
    work->mark = core_requeue_mark(turn->core);
    return exchange_look_up(turn, x, &request);
}

/* {"requeued":N,"refused":{"<code>":N},"next":…}; those that expired are counted as `expired`. */
static enum admin_step answer_many(struct exchange *x, const struct requeueing *work)
{
    char next[48];
    struct json_out *out = &x->answer.text;
    snprintf(next, sizeof next, "%" PRIu64 ".%" PRIu64, work->after, work->until);
    json_open(out, '{');
    json_key(out, "requeued");
    json_put_int(out, (int64_t)work->requeued);
    json_key(out, "refused");
    json_open(out, '{');
    if (work->expired > 0) {
        json_key(out, "expired");
        json_put_int(out, (int64_t)work->expired);
    }
    for (enum code code = CODE_NONE + 1; code < CODE_COUNT; code++) {
        if (work->refused[code] == 0)
            continue;
        json_key(out, code_name(code));
        json_put_int(out, (int64_t)work->refused[code]);
    }
    json_close(out, '}');
    json_key(out, "next");
    json_put_string(out, work->more ? next : NULL);
    json_close(out, '}');
    return answer_done(x);
}

/* One slice; when there is no room for more, what is left waits for the next call. */
static enum admin_step requeue_letters(struct admin_turn *turn, struct exchange *x, struct requeueing *work)
{
    if (x->lookup.err != ERR_NONE)
        return answer_error(x, CODE_BUSY, "the dead letters could not be read from disk", NULL);
    bool full = false;
    size_t before = work->requeued;
    for (size_t i = 0; i < x->lookup.letter_count && !full; i++) {
        enum code code = requeue(turn, x, work, i);
        full = code == CODE_BUSY || code == CODE_STORE_FULL;
    }
    size_t looked_at = x->lookup.letter_count > 0 ? x->lookup.letter_count : 1;
    work->left -= looked_at < work->left ? looked_at : work->left;
    work->more = x->lookup.more || full;
    if (!full)
        work->after = x->lookup.next;
    lookup_answer_free(&x->lookup);
    x->has_lookup = false;
    tell(x, work);
    if (work->more && work->left > 0 && !full) {
        x->trail.part = work->requeued > before;
        return ask_letters(turn, x, work);
    }
    log_requeue(x, "many", work);
    core_answer(turn->out, x->token);
    return STEP_WAIT;
}

enum admin_step call_requeue_many(struct admin_turn *turn, struct exchange *x)
{
    if (x->phase == 0) {
        if (!begin(turn, x))
            return STEP_DONE;
        x->phase = 1;
        return ask_letters(turn, x, x->memory);
    }
    return x->has_lookup ? requeue_letters(turn, x, x->memory) : answer_many(x, x->memory);
}
