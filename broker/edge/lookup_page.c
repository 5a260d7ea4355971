/* lookup_page.c — pages of events and of finished jobs. A page is first gathered and then rendered: rendering reads
 * other records, and must not do so from within the archive's walk. */
#include "broker/edge/lookup_page.h"

#include <stdlib.h>
#include <string.h>

#include "broker/edge/lookup_job.h"

static bool gather(struct gathering *page, const struct change *change)
{
    struct gathered *kept = &page->items[page->count];
    *kept = (struct gathered){.change = *change};
    memset(kept->change.sections, 0, sizeof kept->change.sections);
    if (change->kind == CHANGE_PAUSE) {
        kept->pause = *change->pause;
        kept->change.pause = &kept->pause;
    }
    struct span result = change->sections[SECTION_RESULT];
    if (change->kind == CHANGE_END && result.bytes > 0) {
        kept->result = malloc(result.bytes);
        if (kept->result == NULL)
            return false;
        memcpy(kept->result, result.data, result.bytes);
        kept->change.sections[SECTION_RESULT] = (struct span){kept->result, result.bytes};
    }
    page->count++;
    return true;
}

static bool begins_as_one_of(const char *topic, const char *prefixes)
{
    for (const char *at = prefixes; at != NULL;) {
        size_t bytes = strcspn(at, ",");
        if (strncmp(topic, at, bytes) == 0)
            return true;
        at = at[bytes] == ',' ? at + bytes + 1 : NULL;
    }
    return prefixes == NULL;
}

static bool wanted(const struct lookup_request *request, const struct change *change)
{
    if (request->what == LOOKUP_EVENTS)
        return (request->topic == NULL ||
                strncmp(topic_name(change->event.topic), request->topic, strlen(request->topic)) == 0) &&
               begins_as_one_of(topic_name(change->event.topic), request->topics);
    if (request->what != LOOKUP_ENDED)
        return change->kind == CHANGE_END && change->end.dead;
    return change->kind == CHANGE_END && (request->state == JOB_NONE || change->end.state == request->state) &&
           (request->line == 0 || change->end.line == request->line);
}

static bool visit_event(void *visitor, const struct change *change)
{
    struct gathering *page = visitor;
    if (page->request->until != 0 && change->event.seq > page->request->until)
        return false;
    if (page->count == page->request->limit) { /* known only now: there is more */
        page->full = true;
        return false;
    }
    page->seen++;
    page->last = change->event.seq;
    if (wanted(page->request, change) && !gather(page, change))
        page->failed = true;
    return !page->failed;
}

void gathering_free(struct gathering *page)
{
    for (size_t i = 0; i < page->count; i++)
        free(page->items[i].result);
    free(page->items);
}

enum err gather_page(const struct archive *archive, struct gathering *page, struct lookup_answer *answer)
{
    const struct lookup_request *request = page->request;
    page->items = calloc(request->limit, sizeof *page->items);
    if (page->items == NULL)
        return ERR_NO_MEMORY;
    page->last = request->after;
    enum err err =
        archive->events(archive->self, request->after, LOOKUP_SCAN_MAX, &answer->oldest, visit_event, page);
    if (err == ERR_NOT_FOUND)
        err = ERR_NONE;
    if (err == ERR_NONE && page->failed)
        err = ERR_NO_MEMORY;
    if (err == ERR_NONE && !request->from_oldest && answer->oldest > request->after + 1)
        err = ERR_GONE;
    answer->next = page->last;
    answer->more = page->full || page->seen >= LOOKUP_SCAN_MAX;
    return err;
}

/* ---- events ---- */

#define ENVELOPES 64

struct envelopes { /* of the jobs just met: a page often has several events of one job */
    uint64_t numbers[ENVELOPES];
    struct span spans[ENVELOPES];
};

static uint64_t event_job(const struct change *change)
{
    switch (change->kind) {
    case CHANGE_JOB:
        return change->job.number;
    case CHANGE_TRY:
        return change->try.number;
    case CHANGE_END:
        return change->end.number;
    case CHANGE_DELIVERY:
        return change->delivery.number;
    default: /* of a line or a pool */
        return 0;
    }
}

static enum err envelope_of(const struct archive *archive, struct envelopes *cache, uint64_t number, struct span *out)
{
    size_t slot = number % ENVELOPES;
    *out = (struct span){NULL, 0};
    if (number == 0)
        return ERR_NONE;
    if (cache->numbers[slot] != number) {
        free((void *)cache->spans[slot].data);
        cache->spans[slot] = (struct span){NULL, 0};
        cache->numbers[slot] = 0;
        enum err err = job_envelope_read(archive, number, &cache->spans[slot]);
        if (err != ERR_NONE)
            return err;
        cache->numbers[slot] = number;
    }
    *out = cache->spans[slot];
    return ERR_NONE;
}

static bool take_pool_name(void *visitor, const struct change *change)
{
    if (change->kind == CHANGE_NAME && change->name->kind == NAME_POOL)
        memcpy(visitor, change->name->text, NAME_MAX_BYTES + 1);
    return true;
}

static enum err render_event(const struct archive *archive, const struct lookup_request *request,
                             struct envelopes *cache, const struct change *change, struct lookup_answer *answer)
{
    char name[NAME_MAX_BYTES + 1] = "", pool[NAME_MAX_BYTES + 1];
    struct event_facts facts = {0};
    enum err err = envelope_of(archive, cache, event_job(change), &facts.envelope);
    if (err == ERR_NONE && change->kind == CHANGE_PAUSE && change->pause->scope == PAUSE_POOL) {
        err = archive->find(archive->self, CHANGE_NAME, change->pause->target, take_pool_name, name);
        facts.pool = name[0] != '\0' ? name : NULL;
    }
    if (err != ERR_NONE && err != ERR_NOT_FOUND && err != ERR_DAMAGED) /* what follows must be heard all the same */
        return err;
    struct job_facts job = {.envelope = facts.envelope, .pool = facts.pool};
    if (request->pools != NULL && !(view_job_pool(&job, pool) && name_in_list(request->pools, pool)))
        return ERR_NONE;
    size_t before = answer->text.bytes;
    answer->text.comma = false;
    view_event(&answer->text, change, &facts);
    answer->items[answer->item_count++] = (struct lookup_item){CODE_NONE, answer->text.bytes - before};
    return ERR_NONE;
}

enum err lookup_events(const struct archive *archive, const struct lookup_request *request,
                       struct lookup_answer *answer)
{
    struct gathering page = {.request = request};
    struct envelopes cache = {0};
    enum err err = gather_page(archive, &page, answer);
    for (size_t i = 0; err == ERR_NONE && i < page.count; i++)
        err = render_event(archive, request, &cache, &page.items[i].change, answer);
    for (size_t i = 0; i < ENVELOPES; i++)
        free((void *)cache.spans[i].data);
    gathering_free(&page);
    return err;
}

/* ---- finished jobs ---- */

enum err lookup_ended(const struct archive *archive, const struct lookup_request *request,
                      struct lookup_answer *answer)
{
    struct gathering page = {.request = request};
    struct lookup_request view = *request;
    enum err err = gather_page(archive, &page, answer);
    if (request->pool != NULL)
        view.pools = request->pool;
    for (size_t i = 0; err == ERR_NONE && i < page.count; i++) {
        struct lookup_job job = {.number = page.items[i].change.end.number};
        size_t before = answer->text.bytes;
        struct lookup_item item = job_item(archive, &view, &job, &answer->text, &err);
        if (err == ERR_NONE && item.code == CODE_NONE && item.bytes > 0)
            answer->items[answer->item_count++] = item;
        else
            answer->text.bytes = before; /* not theirs to see, or damaged */
    }
    gathering_free(&page);
    return err;
}
