/* admin_jobs.c — pages of jobs, one job with its history and why, and cancelling one. What lies only on disk comes
 * through the lookup. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/edge/admin_calls.h"
#include "broker/edge/admin_route.h"
#include "broker/edge/admin_select.h"
#include "broker/edge/admin_state.h"
#include "lineward/log.h"

#define SLOTS_PER_STEP 256   /* slots of the core looked at in one turn */
#define SLOTS_PER_PAGE 65536 /* and for one page: a filter that fits nothing must not walk the whole backlog */

/* ---- one job ---- */

void exchange_fill_job(struct admin_turn *turn, const struct job_view *view, bool with_line, struct lookup_job *job)
{
    const struct conf *conf = turn->options->conf;
    size_t index;
    job->number = view->number;
    job->is_live = true;
    job->view = *view;
    if (view->pool < conf->pool_count)
        memcpy(job->pool, conf->pools[view->pool].name, sizeof job->pool);
    if (with_line && view->line != 0 && core_line_find(turn->core, view->line, &index))
        job->has_line = core_line_view(turn->core, index, turn->now, &job->line);
    job->more.word_until_ms = job->has_line ? view_word_until_ms(&job->line) : 0;
    job->line.orders = NULL; /* lent for this turn only, as is `paused` */
    job->view.paused = NULL;
    if (!with_line || view->paused == NULL)
        return;
    job->more.paused = true;
    job->more.pause_until_ms = view->paused->until_ms;
    memcpy(job->more.pause_by, view->paused->by, sizeof job->more.pause_by);
    memcpy(job->more.pause_reason, view->paused->reason, sizeof job->more.pause_reason);
}

/* number 0: nothing is known of it. */
void exchange_job(struct admin_turn *turn, struct exchange *x, bool with_line, struct lookup_job *job)
{
    const struct admin_shell *shell = &turn->options->shell;
    struct job_ref ref;
    struct job_view view;
    *job = (struct lookup_job){0};
    snprintf(job->asked, sizeof job->asked, "%s", x->parts[0]);
    if (!job_ref_parse(x->parts[0], &ref))
        return;
    uint32_t pool = conf_pool_find(turn->options->conf, ref.pool);
    if (ref.number == 0 && pool != UINT32_MAX)
        ref.number = core_job_by_id(turn->core, shell->id_hash(shell->self, pool, ref.id));
    job->number = ref.number;
    if (ref.number != 0 && core_job_view(turn->core, ref.number, turn->now, &view))
        exchange_fill_job(turn, &view, with_line, job);
}

/* Its records cannot be read. If what was asked for is done, the view has what memory knows, and null for the rest. */
static enum admin_step answer_unread(struct admin_turn *turn, struct exchange *x, const char *why)
{
    struct lookup_job job;
    if (!exchange_is_done(x))
        return answer_error(x, CODE_BUSY, why, NULL);
    exchange_job(turn, x, false, &job);
    const struct job_facts facts = {.number = job.number,
                                    .is_live = job.is_live,
                                    .live = job.view,
                                    .pool = job.pool[0] != '\0' ? job.pool : NULL};
    json_out_clear(&x->answer.text);
    json_open(&x->answer.text, '{');
    view_job_members(&x->answer.text, &facts, false);
    json_close(&x->answer.text, '}');
    state_append_etag(&x->answer.text, x->answer.etag);
    return answer_done(x);
}

enum admin_step exchange_ask_job(struct admin_turn *turn, struct exchange *x, enum lookup_form form)
{
    const char *body = query_get(x, "body");
    bool with_message = form == LOOKUP_FULL && body != NULL && strcmp(body, "1") == 0; /* others show none */
    if (with_message && x->grant.role != ROLE_OPERATOR && x->grant.role != ROLE_ADMIN)
        return answer_error(x, CODE_FORBIDDEN, "only operators may read messages", NULL);
    struct lookup_job *job = malloc(sizeof *job);
    if (job == NULL)
        return answer_unread(turn, x, "out of memory");
    exchange_job(turn, x, form == LOOKUP_FULL, job);
    if (form == LOOKUP_FULL && x->memory != NULL)
        job->more.estimate = ((const struct forecast *)x->memory)->said;
    admin_cache_facts(turn, &job->more.cache);
    struct lookup_request request = {
        .what = LOOKUP_JOBS, .form = form, .jobs = job, .job_count = 1, .with_message = with_message};
    enum admin_step step = exchange_look_up(turn, x, &request);
    if (step == STEP_WAIT)
        return step;
    free(job);
    return exchange_is_done(x) ? answer_unread(turn, x, NULL) : step;
}

/* It may be known to the broker that owns its pool. */
static enum admin_step answer_not_found(const struct admin_turn *turn, struct exchange *x)
{
    struct job_ref ref;
    struct owner_place owner;
    uint32_t pool;
    if (!job_ref_parse(x->parts[0], &ref) || ref.number != 0 ||
        owners_find_pool(turn->options->conf, turn->options->owners, x->grant.pools, ref.pool, &pool, &owner) != CODE_NOT_OWNER)
        return answer_error(x, CODE_NOT_FOUND, NULL, NULL);
    return answer_not_owner(x, &owner);
}

enum admin_step exchange_answer_job(struct admin_turn *turn, struct exchange *x)
{
    const struct lookup_answer *found = &x->lookup;
    if (found->err != ERR_NONE || found->item_count != 1 || found->items[0].code == CODE_BUSY)
        return answer_unread(turn, x, "the job could not be read from disk");
    if (found->items[0].code == CODE_NOT_FOUND)
        return answer_not_found(turn, x);
    if (found->items[0].code != CODE_NONE)
        return answer_error(x, found->items[0].code, NULL, NULL);
    answer_text(x, 200, NULL, found->text.text, found->items[0].bytes);
    state_append_etag(&x->answer.text, x->answer.etag);
    return STEP_DONE;
}

/* False: answered, or nothing to foresee. */
static bool begin_forecast(struct admin_turn *turn, struct exchange *x)
{
    struct lookup_job job;
    exchange_job(turn, x, false, &job);
    if (!job.is_live)
        return false;
    x->memory = calloc(1, sizeof(struct forecast));
    x->memory_free = free;
    return x->memory != NULL && core_forecast_begin(turn->core, job.number, turn->now, x->memory);
}

/* When it goes is worked out in slices, then the disk is asked for the rest. */
enum admin_step call_job(struct admin_turn *turn, struct exchange *x)
{
    if (x->has_lookup)
        return exchange_answer_job(turn, x);
    if (x->phase == 0)
        state_etag_of(turn, x, x->route->path, x->parts, x->answer.etag);
    if (x->phase == 0 && !begin_forecast(turn, x))
        return exchange_ask_job(turn, x, LOOKUP_FULL);
    x->phase = 1;
    struct forecast *forecast = x->memory;
    if (!forecast->done)
        core_forecast_step(turn->core, forecast);
    return forecast->done ? exchange_ask_job(turn, x, LOOKUP_FULL) : STEP_MORE;
}

enum admin_step call_cancel(struct admin_turn *turn, struct exchange *x)
{
    if (x->has_lookup)
        return exchange_answer_job(turn, x);
    if (x->has_effect) /* durable: the view now says how it went; not_found: it ended just before */
        return exchange_ask_job(turn, x, x->effect.code == CODE_NONE ? LOOKUP_VIEW : LOOKUP_CANCEL);
    struct lookup_job job;
    exchange_job(turn, x, false, &job);
    if (!job.is_live || !grant_sees_pool(turn, x, job.view.pool))
        return exchange_ask_job(turn, x, LOOKUP_CANCEL);
    core_cancel(turn->core, x->token, 0, job.number, turn->now, turn->out);
    return STEP_WAIT;
}

/* ---- settling an unknown outcome ---- */

/* What is kept with a job that a person says was sent. */
static void write_word(struct json_out *out, const struct exchange *x, const char *reason)
{
    json_open(out, '{');
    json_key(out, "settled_by");
    json_put_string(out, x->grant.name);
    json_key(out, "reason");
    json_put_string(out, reason);
    json_close(out, '}');
}

/* False: answered. */
static bool read_word(struct exchange *x, const cJSON *body, bool *was_sent, const char **reason)
{
    const char *outcome = json_string(body, "outcome");
    *was_sent = outcome != NULL && strcmp(outcome, "sent") == 0;
    if (!*was_sent && (outcome == NULL || strcmp(outcome, "unsent") != 0)) {
        answer_error(x, CODE_INVALID_FIELD, "outcome must be \"sent\" or \"unsent\"", "outcome");
        return false;
    }
    return body_reason(x, body, reason);
}

static void log_settled(const struct exchange *x, uint64_t number, bool was_sent)
{
    char text[JOB_NUMBER_TEXT_MAX];
    job_number_format(number, text);
    log_event(LOG_INFO, "settled", "by=%s job=%s outcome=%s", x->grant.name, text, was_sent ? "sent" : "unsent");
}

static enum admin_step begin_settle(struct admin_turn *turn, struct exchange *x, uint64_t number)
{
    bool was_sent;
    const char *reason;
    cJSON *body = exchange_body(x);
    if (body == NULL)
        return STEP_DONE;
    body_hide_reason(turn, body);
    struct json_out *word = &x->answer.text; /* lent to the core until its change is encoded */
    bool ok = read_word(x, body, &was_sent, &reason);
    if (ok) {
        write_word(word, x, reason);
        x->phase = was_sent; /* both until it is answered */
        x->cursor = number;
        core_settle(turn->core, x->token, number, was_sent, (struct span){word->text, word->bytes}, turn->now, turn->out);
    }
    cJSON_Delete(body);
    return ok ? STEP_WAIT : STEP_DONE;
}

enum admin_step call_settle(struct admin_turn *turn, struct exchange *x)
{
    struct lookup_job job;
    if (x->has_lookup)
        return exchange_answer_job(turn, x);
    if (x->has_effect && x->effect.code == CODE_NOT_ALLOWED)
        return answer_error(x, CODE_NOT_ALLOWED, "the job's outcome is not unknown: there is nothing to settle", NULL);
    if (x->has_effect) {
        if (x->effect.code == CODE_NONE)
            log_settled(x, x->cursor, x->phase != 0);
        json_out_clear(&x->answer.text);
        return exchange_ask_job(turn, x, x->effect.code == CODE_NONE ? LOOKUP_VIEW : LOOKUP_CANCEL);
    }
    exchange_job(turn, x, false, &job);
    if (!job.is_live || !grant_sees_pool(turn, x, job.view.pool))
        return exchange_ask_job(turn, x, LOOKUP_CANCEL); /* not_found, or already_final */
    return begin_settle(turn, x, job.number);
}

/* ---- a page of jobs: the live ones by slot, then the finished ones by their end ---- */

enum { PAGE_WALK = 1, PAGE_LIVE_READ, PAGE_ENDED_ASK, PAGE_ENDED_READ };

struct page {
    struct admin_turn *turn; /* of the call under way */
    struct exchange *x;
    struct selection select;
    /* the walk */
    uint32_t slot, walked;
    bool walk_over;
    uint64_t ended_after;
    struct lookup_job *jobs;
    size_t job_count, left;
};

static void page_free(void *memory)
{
    struct page *page = memory;
    if (page != NULL)
        free(page->jobs);
    free(page);
}

/* `after` is "s" and a slot of the core, or "e" and the number of an event. */
static bool read_after(struct exchange *x, struct page *page)
{
    const char *text = query_get(x, "after");
    char *end = NULL;
    if (text == NULL)
        return true;
    errno = 0;
    unsigned long long value = text[0] != '\0' && text[1] >= '0' && text[1] <= '9' ? strtoull(text + 1, &end, 10) : 0;
    bool ok = end != NULL && *end == '\0' && errno == 0;
    if (ok && text[0] == 's' && value <= UINT32_MAX) {
        page->slot = (uint32_t)value;
        return true;
    }
    if (ok && text[0] == 'e') {
        page->walk_over = true;
        page->ended_after = value;
        return true;
    }
    answer_error(x, CODE_INVALID_FIELD, "after must be the `next` of the page before", "after");
    return false;
}

/* False: answered. */
static bool page_begin(struct admin_turn *turn, struct exchange *x)
{
    struct page *page = calloc(1, sizeof *page);
    uint64_t limit = 0;
    x->memory = page;
    x->memory_free = page_free;
    if (page == NULL) {
        answer_error(x, CODE_BUSY, "out of memory", NULL);
        return false;
    }
    if (!query_number(x, "limit", 1, ADMIN_PAGE_MAX, ADMIN_PAGE_DEFAULT, &limit) ||
        !selection_read(turn, x, &page->select) || !read_after(x, page))
        return false;
    page->left = (size_t)limit;
    page->walk_over = page->walk_over || page->select.only_final;
    x->phase = page->walk_over ? PAGE_ENDED_ASK : PAGE_WALK;
    json_open(&x->answer.text, '{');
    json_key(&x->answer.text, "jobs");
    json_open(&x->answer.text, '[');
    return true;
}

static enum admin_step page_end(struct exchange *x, const char *next)
{
    struct json_out *out = &x->answer.text;
    json_close(out, ']');
    json_key(out, "next");
    json_put_string(out, next);
    json_close(out, '}');
    return answer_done(x);
}

static void take_job(void *self, const struct job_view *view)
{
    struct page *page = self;
    if (!selection_takes(page->turn, page->x, &page->select, view))
        return;
    struct lookup_job *job = &page->jobs[page->job_count++];
    *job = (struct lookup_job){0};
    exchange_fill_job(page->turn, view, false, job);
}

static enum admin_step ask_live(struct admin_turn *turn, struct exchange *x, struct page *page)
{
    struct lookup_request request = {.what = LOOKUP_JOBS,
                                     .form = LOOKUP_VIEW,
                                     .jobs = page->jobs,
                                     .job_count = page->job_count,
                                     .to = selection_to(&page->select)};
    enum admin_step step = exchange_look_up(turn, x, &request);
    if (step == STEP_WAIT)
        page->jobs = NULL; /* the lookup's now */
    x->phase = PAGE_LIVE_READ;
    return step;
}

/* What comes after the live part: the finished jobs if they are asked for and there is room, else the page's end. */
static enum admin_step after_live(struct exchange *x, struct page *page)
{
    char next[24];
    snprintf(next, sizeof next, "s%" PRIu32, page->slot);
    if (!page->walk_over)
        return page_end(x, next);
    if (page->select.only_live)
        return page_end(x, NULL);
    if (page->left == 0)
        return page_end(x, "e0");
    x->phase = PAGE_ENDED_ASK;
    return STEP_MORE;
}

/* One slice. A slot gives one job at most, so looking at no more slots than there is room for jobs is enough for the
 * page not to overflow. */
static enum admin_step walk(struct admin_turn *turn, struct exchange *x, struct page *page)
{
    if (page->jobs == NULL) {
        page->jobs = calloc(page->left, sizeof *page->jobs);
        if (page->jobs == NULL)
            return answer_error(x, CODE_BUSY, "out of memory", NULL);
    }
    page->turn = turn;
    page->x = x;
    for (uint32_t walked = 0; walked < SLOTS_PER_STEP && !page->walk_over && page->job_count < page->left;) {
        size_t room = page->left - page->job_count;
        uint32_t slots = room < SLOTS_PER_STEP - walked ? (uint32_t)room : SLOTS_PER_STEP - walked;
        page->walk_over = !core_jobs_walk(turn->core, &page->slot, slots, turn->now, take_job, page);
        walked += slots;
        page->walked += slots;
    }
    bool done = page->walk_over || page->job_count == page->left || page->walked >= SLOTS_PER_PAGE;
    if (!done)
        return STEP_MORE;
    return page->job_count > 0 ? ask_live(turn, x, page) : after_live(x, page);
}

/* Adds the answer's items to the page and lets go of it. False: answered. */
static bool add_items(struct exchange *x, struct page *page)
{
    if (x->lookup.err != ERR_NONE) {
        answer_error(x, CODE_BUSY, "the jobs could not be read from disk", NULL);
        return false;
    }
    const char *at = x->lookup.text.text;
    for (size_t i = 0; i < x->lookup.item_count; i++) {
        const struct lookup_item *item = &x->lookup.items[i];
        if (item->code == CODE_NONE && item->bytes > 0) {
            json_put_raw(&x->answer.text, at, item->bytes);
            page->left--;
        }
        at += item->bytes;
    }
    return true;
}

static void drop_lookup(struct exchange *x)
{
    lookup_answer_free(&x->lookup);
    x->has_lookup = false;
}

static enum admin_step ask_ended(struct admin_turn *turn, struct exchange *x, struct page *page)
{
    const struct conf *conf = turn->options->conf;
    struct lookup_request request = {.what = LOOKUP_ENDED,
                                     .form = LOOKUP_VIEW,
                                     .to = selection_to(&page->select),
                                     .pool = page->select.has_pool ? conf->pools[page->select.pool].name : NULL,
                                     .line = page->select.line,
                                     .state = page->select.final_state,
                                     .after = page->ended_after,
                                     .from_oldest = true,
                                     .limit = page->left};
    x->phase = PAGE_ENDED_READ;
    return exchange_look_up(turn, x, &request);
}

static enum admin_step read_ended(struct exchange *x, struct page *page)
{
    char next[24];
    snprintf(next, sizeof next, "e%" PRIu64, x->lookup.next);
    bool more = x->lookup.more;
    if (!add_items(x, page))
        return STEP_DONE;
    return page_end(x, more ? next : NULL);
}

static enum admin_step read_live(struct exchange *x, struct page *page)
{
    if (!add_items(x, page))
        return STEP_DONE;
    drop_lookup(x);
    return after_live(x, page);
}

enum admin_step call_jobs(struct admin_turn *turn, struct exchange *x)
{
    if (x->phase == 0 && !page_begin(turn, x))
        return STEP_DONE;
    struct page *page = x->memory;
    switch (x->phase) {
    case PAGE_WALK:
        return walk(turn, x, page);
    case PAGE_LIVE_READ:
        return read_live(x, page);
    case PAGE_ENDED_ASK:
        return ask_ended(turn, x, page);
    default:
        return read_ended(x, page);
    }
}
