/* admin_conversations.c — one conversation, and pages of those that live on a line. Recipients and chat ids lie on disk
 * and come through the lookup. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/edge/admin_calls.h"
#include "broker/edge/admin_route.h"
#include "broker/edge/admin_state.h"
#include "broker/edge/recipients.h"
#include "lineward/log.h"

#define SLOTS_PER_STEP 256   /* slots of the core looked at in one turn: each may have 64 jobs to count */
#define SLOTS_PER_PAGE 65536 /* and for one page: a filter that fits nothing must not walk them all */

static void fill(const struct admin_turn *turn, const struct conversation_view *view,
                 struct lookup_conversation *conversation)
{
    const struct conf *conf = turn->options->conf;
    *conversation = (struct lookup_conversation){.view = *view};
    if (view->pool < conf->pool_count)
        memcpy(conversation->pool, conf->pools[view->pool].name, sizeof conversation->pool);
}

/* ---- one ---- */

/* Its record cannot be read. If it was moved, the view has what memory knows, and null for the rest. */
static enum admin_step answer_unread(struct admin_turn *turn, struct exchange *x, const char *recipients, const char *why)
{
    struct lookup_conversation conversation;
    struct conversation_facts facts = {.recipients = {recipients, strlen(recipients)}};
    uint64_t key = recipients_conversation(turn->options->hash, x->parts[0], facts.recipients);
    if (!exchange_is_done(x) || !core_conversation_view(turn->core, key, &facts.view))
        return answer_error(x, CODE_BUSY, why, NULL);
    fill(turn, &facts.view, &conversation);
    facts.pool = conversation.pool;
    json_out_clear(&x->answer.text);
    view_conversation(&x->answer.text, &facts, false);
    state_append_etag(&x->answer.text, x->answer.etag);
    return answer_done(x);
}

/* Asks the disk about it: a hash only finds, `recipients` (JSON with a terminator) must be what is written there. */
static enum admin_step look_up_one(struct admin_turn *turn, struct exchange *x, const char *recipients)
{
    struct conversation_view view;
    uint64_t key = recipients_conversation(turn->options->hash, x->parts[0],
                                           (struct span){recipients, strlen(recipients)});
    if (!core_conversation_view(turn->core, key, &view))
        return answer_error(x, CODE_NOT_FOUND, NULL, NULL);
    struct lookup_conversation *conversation = calloc(1, sizeof *conversation);
    if (conversation == NULL)
        return answer_unread(turn, x, recipients, "out of memory");
    fill(turn, &view, conversation);
    struct lookup_request request = {.what = LOOKUP_CONVERSATIONS,
                                     .conversations = conversation,
                                     .conversation_count = 1,
                                     .recipients = recipients};
    enum admin_step step = exchange_look_up(turn, x, &request);
    if (step == STEP_WAIT)
        return step;
    free(conversation);
    return exchange_is_done(x) ? answer_unread(turn, x, recipients, NULL) : step;
}

/* The recipients that the path names, as JSON with a terminator; the caller's (free()). NULL: answered. */
static char *read_recipients(struct admin_turn *turn, struct exchange *x)
{
    struct recipients to;
    struct json_out text = {0};
    if (conf_pool_find(turn->options->conf, x->parts[0]) == UINT32_MAX || !grant_sees_name(x, x->parts[0])) {
        answer_error(x, CODE_NOT_FOUND, NULL, NULL);
        return NULL;
    }
    if (!recipients_split(x->parts[1], &to)) {
        answer_error(x, CODE_INVALID_RECIPIENT, NULL, "to");
        return NULL;
    }
    recipients_write(&to, &text);
    char *recipients = text.failed ? NULL : strndup(text.text, text.bytes);
    json_out_free(&text);
    if (recipients == NULL)
        answer_error(x, CODE_BUSY, "out of memory", NULL);
    return recipients;
}

static enum admin_step ask_one(struct admin_turn *turn, struct exchange *x)
{
    char *recipients = read_recipients(turn, x);
    if (recipients == NULL)
        return STEP_DONE;
    enum admin_step step = x->has_lookup ? answer_unread(turn, x, recipients, "the conversation could not be read from disk")
                                         : look_up_one(turn, x, recipients);
    free(recipients);
    return step;
}

enum admin_step call_conversation(struct admin_turn *turn, struct exchange *x)
{
    if (!x->has_lookup) {
        state_etag_of(turn, x, x->route->path, x->parts, x->answer.etag);
        return ask_one(turn, x);
    }
    if (x->lookup.err != ERR_NONE || x->lookup.item_count != 1 || x->lookup.items[0].code == CODE_BUSY)
        return ask_one(turn, x);
    if (x->lookup.items[0].code != CODE_NONE)
        return answer_error(x, x->lookup.items[0].code, NULL, NULL);
    answer_text(x, 200, NULL, x->lookup.text.text, x->lookup.items[0].bytes);
    state_append_etag(&x->answer.text, x->answer.etag);
    return STEP_DONE;
}

/* ---- moving one on purpose ---- */

static const char *why_not(enum code code)
{
    switch (code) {
    case CODE_BUSY:
        return "one of its jobs is with a worker: try again when that is over";
    case CODE_OUTCOME_UNKNOWN:
        return "one of its jobs may have been sent where it lives: that must be settled first";
    case CODE_LINE_CONFLICT:
        return "one of its jobs names the line where it lives";
    default:
        return NULL;
    }
}

static void log_move(const struct exchange *x, uint64_t line)
{
    char text[LINE_TEXT_MAX], masked[HANDLE_MAX_BYTES + 1];
    line_text(line, text);
    handle_mask(text, masked);
    log_event(LOG_INFO, "conversation_moved", "by=%s pool=%s line=%s", x->grant.name, x->parts[0], masked);
}

static enum admin_step begin_move(struct admin_turn *turn, struct exchange *x)
{
    uint64_t line = 0;
    char *recipients = read_recipients(turn, x);
    cJSON *body = recipients == NULL ? NULL : exchange_body(x);
    const char *reason, *text = json_string(body, "line");
    if (body == NULL || !body_reason(x, body, &reason)) {
        /* answered */
    } else if (text == NULL || exchange_line(turn, x, text, &line) != CODE_NONE) {
        answer_error(x, text == NULL ? CODE_INVALID_FIELD : CODE_UNKNOWN_LINE, text == NULL ? "line is needed" : NULL,
                     "line");
    } else {
        uint64_t key = recipients_conversation(turn->options->hash, x->parts[0],
                                               (struct span){recipients, strlen(recipients)});
        x->cursor = line; /* until it is answered */
        core_move(turn->core, x->token, key, line, turn->now, turn->out);
        x->phase = 1;
    }
    cJSON_Delete(body);
    free(recipients);
    return x->phase == 1 ? STEP_WAIT : STEP_DONE;
}

enum admin_step call_move(struct admin_turn *turn, struct exchange *x)
{
    if (!x->has_effect)
        return begin_move(turn, x);
    if (x->effect.code != CODE_NONE)
        return answer_error(x, x->effect.code, why_not(x->effect.code), NULL);
    if (!x->has_lookup)
        log_move(x, x->cursor);
    return call_conversation(turn, x);
}

/* ---- a page ---- */

enum { PAGE_WALK = 1, PAGE_READ };

struct page {
    struct admin_turn *turn; /* of the call under way */
    struct exchange *x;
    bool has_pool;
    uint32_t pool;
    uint64_t line; /* 0: any */
    unsigned healths; /* mask of enum chat_health; 0: any */
    uint32_t slot, walked;
    bool walk_over;
    struct lookup_conversation *found;
    size_t found_count, limit;
};

static void page_free(void *memory)
{
    struct page *page = memory;
    if (page != NULL)
        free(page->found);
    free(page);
}

/* One word, or several joined by commas. */
static bool read_health(struct exchange *x, struct page *page)
{
    const char *text = query_get(x, "health");
    while (text != NULL) {
        char word[16];
        size_t bytes = strcspn(text, ",");
        snprintf(word, sizeof word, "%.*s", (int)bytes, text);
        enum chat_health health = bytes < sizeof word ? chat_health_read(word) : CHAT_UNKNOWN;
        if (health == CHAT_UNKNOWN) {
            answer_error(x, CODE_INVALID_FIELD, "health must be of HEALTHY, AT_RISK, CRITICAL and OPTED_OUT, joined by commas",
                         "health");
            return false;
        }
        page->healths |= 1u << health;
        text = text[bytes] == ',' ? text + bytes + 1 : NULL;
    }
    return true;
}

/* False: answered. */
static bool read_filters(const struct admin_turn *turn, struct exchange *x, struct page *page)
{
    const char *pool = query_get(x, "pool");
    const char *line = query_get(x, "line");
    uint64_t limit = 0;
    uint64_t after = 0;
    if (!query_number(x, "limit", 1, ADMIN_PAGE_MAX, ADMIN_PAGE_DEFAULT, &limit) ||
        !query_number(x, "after", 0, UINT32_MAX, 0, &after))
        return false;
    page->limit = (size_t)limit;
    page->slot = (uint32_t)after;
    page->has_pool = pool != NULL;
    page->pool = pool != NULL ? conf_pool_find(turn->options->conf, pool) : 0;
    if (pool != NULL && (page->pool == UINT32_MAX || !grant_sees_name(x, pool))) {
        answer_error(x, CODE_UNKNOWN_POOL, NULL, "pool");
        return false;
    }
    if (line != NULL && !line_text_parse(line, &page->line)) {
        answer_error(x, CODE_INVALID_FIELD, "line must be a number in E.164 form", "line");
        return false;
    }
    if (x->route->detail != 0 && exchange_line(turn, x, x->parts[0], &page->line) != CODE_NONE) {
        answer_error(x, CODE_UNKNOWN_LINE, NULL, NULL);
        return false;
    }
    return read_health(x, page);
}

static bool page_begin(struct admin_turn *turn, struct exchange *x)
{
    struct page *page = calloc(1, sizeof *page);
    x->memory = page;
    x->memory_free = page_free;
    if (page != NULL && !read_filters(turn, x, page))
        return false;
    if (page != NULL)
        page->found = calloc(page->limit, sizeof *page->found);
    if (page == NULL || page->found == NULL) {
        answer_error(x, CODE_BUSY, "out of memory", NULL);
        return false;
    }
    x->phase = PAGE_WALK;
    return true;
}

static enum admin_step page_end(struct exchange *x, const struct page *page)
{
    struct json_out *out = &x->answer.text;
    char next[24];
    int64_t unread = 0;
    snprintf(next, sizeof next, "%" PRIu32, page->slot);
    json_open(out, '{');
    json_key(out, "conversations");
    json_open(out, '[');
    const char *at = x->has_lookup ? x->lookup.text.text : NULL;
    for (size_t i = 0; x->has_lookup && i < x->lookup.item_count; i++) {
        size_t bytes = x->lookup.items[i].bytes;
        if (bytes > 0)
            json_put_raw(out, at, bytes);
        at += bytes;
        unread += x->lookup.items[i].code == CODE_BUSY;
    }
    json_close(out, ']');
    if (unread > 0) { /* an export of all of them must not pass for a whole one */
        json_key(out, "unread");
        json_put_int(out, unread);
    }
    json_key(out, "next");
    json_put_string(out, page->walk_over ? NULL : next);
    json_close(out, '}');
    return answer_done(x);
}

static void take(void *self, const struct conversation_view *view)
{
    struct page *page = self;
    if ((page->has_pool && view->pool != page->pool) || (page->line != 0 && view->line != page->line) ||
        (page->healths != 0 && (page->healths & 1u << view->health) == 0) || !grant_sees_pool(page->turn, page->x, view->pool))
        return;
    fill(page->turn, view, &page->found[page->found_count++]);
}

/* One slice. A slot gives one conversation at most, so looking at no more slots than there is room for is enough for
 * the page not to overflow. */
static enum admin_step walk(struct admin_turn *turn, struct exchange *x, struct page *page)
{
    page->turn = turn;
    page->x = x;
    for (uint32_t walked = 0; walked < SLOTS_PER_STEP && !page->walk_over && page->found_count < page->limit;) {
        size_t room = page->limit - page->found_count;
        uint32_t slots = room < SLOTS_PER_STEP - walked ? (uint32_t)room : SLOTS_PER_STEP - walked;
        page->walk_over = !core_conversations_walk(turn->core, &page->slot, slots, take, page);
        walked += slots;
        page->walked += slots;
    }
    bool done = page->walk_over || page->found_count == page->limit || page->walked >= SLOTS_PER_PAGE;
    if (!done)
        return STEP_MORE;
    if (page->found_count == 0)
        return page_end(x, page);
    struct lookup_request request = {.what = LOOKUP_CONVERSATIONS,
                                     .conversations = page->found,
                                     .conversation_count = page->found_count};
    enum admin_step step = exchange_look_up(turn, x, &request);
    if (step == STEP_WAIT)
        page->found = NULL; /* the lookup's now */
    x->phase = PAGE_READ;
    return step;
}

enum admin_step call_conversations(struct admin_turn *turn, struct exchange *x)
{
    if (x->phase == 0 && !page_begin(turn, x))
        return STEP_DONE;
    struct page *page = x->memory;
    if (x->phase == PAGE_WALK)
        return walk(turn, x, page);
    if (x->lookup.err != ERR_NONE)
        return answer_error(x, CODE_BUSY, "the conversations could not be read from disk", NULL);
    return page_end(x, page);
}
