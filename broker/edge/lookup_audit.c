/* lookup_audit.c — pages of audit records, oldest first or newest first. They lie on shelves: AUDIT_SHELF numbers under one key, so that
 * a page reads its shelf and not the whole log of events. Where a page without `after` begins is found by halving: what
 * is too old is gone, or lies before what is not. */
#include <stdlib.h>
#include <string.h>

#include "broker/edge/lookup_page.h"
#include "broker/edge/view.h"

#define SHELVES_PER_PAGE 16
#define UNDER_WAY_MAX    2048 /* numbers given out that may not be durable yet: more than there are connections */

struct kept {
    struct change_audit audit; /* number 0: nothing */
    int64_t at_ms;
    void *document;
    size_t bytes;
};

struct shelf {
    const struct lookup_request *request;
    bool failed;
    bool reaches; /* it has a record of `since_ms` or later, wanted or not */
    uint64_t last; /* number of its last record */
    struct kept kept[AUDIT_SHELF];
};

static bool wanted(const struct lookup_request *request, const struct change_audit *audit, int64_t at_ms)
{
    bool follows = request->newest_first ? request->after == 0 || audit->number < request->after
                                         : audit->number > request->after;
    return follows && (request->since_ms == 0 || at_ms >= request->since_ms) &&
           (request->until_ms == 0 || at_ms < request->until_ms) &&
           (request->line == 0 || audit->line == request->line) &&
           (request->by == NULL || strcmp(audit->by[0] != '\0' ? audit->by : AUDIT_SYSTEM, request->by) == 0) &&
           (request->pool == NULL || strcmp(audit->pool, request->pool) == 0) &&
           (request->pools == NULL || (audit->pool[0] != '\0' && name_in_list(request->pools, audit->pool)));
}

/* A record may be met twice: in its segment, and where cleaning has copied it to. */
static bool visit(void *visitor, const struct change *change)
{
    struct shelf *shelf = visitor;
    const struct change_audit *audit = change->audit;
    struct kept *kept = &shelf->kept[audit->number % AUDIT_SHELF];
    shelf->reaches = shelf->reaches || change->event.at_ms >= shelf->request->since_ms;
    if (audit->number > shelf->last)
        shelf->last = audit->number;
    if (kept->audit.number != 0 || !wanted(shelf->request, audit, change->event.at_ms))
        return true;
    struct span document = change->sections[SECTION_RESULT];
    kept->document = malloc(document.bytes + 1);
    if (kept->document == NULL) {
        shelf->failed = true;
        return false;
    }
    if (document.bytes > 0)
        memcpy(kept->document, document.data, document.bytes);
    kept->bytes = document.bytes;
    kept->audit = *audit;
    kept->at_ms = change->event.at_ms;
    return true;
}

static void clear(struct shelf *shelf)
{
    for (size_t i = 0; i < AUDIT_SHELF; i++)
        free(shelf->kept[i].document);
    memset(shelf->kept, 0, sizeof shelf->kept);
    shelf->reaches = shelf->failed = false;
    shelf->last = 0;
}

static enum err read_shelf(const struct archive *archive, struct shelf *shelf, uint64_t key)
{
    clear(shelf);
    enum err err = archive->find(archive->self, CHANGE_AUDIT, key, visit, shelf);
    if (err == ERR_DAMAGED)
        err = ERR_NONE; /* the others were visited */
    return err == ERR_NONE && shelf->failed ? ERR_NO_MEMORY : err;
}

/* The first shelf with something of `since_ms` or later. The newest ones may not be durable, and are not asked. */
static enum err first_shelf(const struct archive *archive, struct shelf *shelf, uint64_t *first)
{
    uint64_t end = shelf->request->audit_end;
    uint64_t low = 0;
    uint64_t high = end > UNDER_WAY_MAX ? (end - UNDER_WAY_MAX) / AUDIT_SHELF : 0;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        enum err err = read_shelf(archive, shelf, middle);
        if (err != ERR_NONE)
            return err;
        if (shelf->reaches)
            high = middle;
        else
            low = middle + 1;
    }
    *first = low;
    return ERR_NONE;
}

/* False: there is no room for more. */
static bool render(const struct shelf *shelf, struct lookup_answer *answer)
{
    for (size_t i = 0; i < AUDIT_SHELF; i++) {
        const struct kept *kept = &shelf->kept[shelf->request->newest_first ? AUDIT_SHELF - 1 - i : i];
        if (kept->audit.number == 0)
            continue;
        if (answer->item_count == shelf->request->limit)
            return false;
        size_t before = answer->text.bytes;
        answer->text.comma = false;
        view_audit(&answer->text, &kept->audit, kept->at_ms, (struct span){kept->document, kept->bytes},
                   shelf->request->mask_handles);
        answer->items[answer->item_count++] = (struct lookup_item){CODE_NONE, answer->text.bytes - before};
        answer->next = kept->audit.number;
    }
    return true;
}

/* Nothing of the shelf is kept any more, and nothing will come. */
static bool is_gone(const struct shelf *shelf, uint64_t key)
{
    return shelf->last == 0 && (key + 1) * AUDIT_SHELF + UNDER_WAY_MAX < shelf->request->audit_end;
}

/* Down from the newest one, until a shelf is empty whose records must have been durable: they are gone, and all older
 * ones with them. */
static enum err read_back(const struct archive *archive, struct shelf *shelf, struct lookup_answer *answer)
{
    const struct lookup_request *request = shelf->request;
    uint64_t before = request->after != 0 && request->after < request->audit_end ? request->after : request->audit_end;
    uint64_t at = before > 1 ? (before - 1) / AUDIT_SHELF : 0;
    answer->next = request->after;
    for (unsigned shelves = 0;; shelves++, at--) {
        answer->more = shelves == SHELVES_PER_PAGE;
        if (answer->more)
            return ERR_NONE;
        enum err err = read_shelf(archive, shelf, at);
        if (err != ERR_NONE)
            return err;
        answer->more = !render(shelf, answer);
        bool too_old = request->since_ms != 0 && shelf->last != 0 && !shelf->reaches;
        if (answer->more || is_gone(shelf, at) || too_old || at == 0)
            return ERR_NONE;
        answer->next = at * AUDIT_SHELF;
    }
}

static enum err read_page(const struct archive *archive, struct shelf *shelf, struct lookup_answer *answer)
{
    const struct lookup_request *request = shelf->request;
    uint64_t at = request->after / AUDIT_SHELF;
    answer->next = request->after;
    enum err err = request->after == 0 ? first_shelf(archive, shelf, &at) : ERR_NONE;
    uint64_t end = at + SHELVES_PER_PAGE;
    for (; err == ERR_NONE && at <= (request->audit_end - 1) / AUDIT_SHELF; at++) {
        answer->more = at == end;
        if (answer->more)
            return ERR_NONE;
        err = read_shelf(archive, shelf, at);
        if (err != ERR_NONE)
            return err;
        answer->more = !render(shelf, answer);
        if (answer->more)
            return ERR_NONE;
        uint64_t passed = is_gone(shelf, at) ? (at + 1) * AUDIT_SHELF - 1 : shelf->last;
        if (passed > answer->next)
            answer->next = passed;
    }
    return err;
}

enum err lookup_audit(const struct archive *archive, const struct lookup_request *request, struct lookup_answer *answer)
{
    struct shelf *shelf = calloc(1, sizeof *shelf);
    if (shelf == NULL)
        return ERR_NO_MEMORY;
    shelf->request = request;
    enum err err =
        request->newest_first ? read_back(archive, shelf, answer) : read_page(archive, shelf, answer);
    clear(shelf);
    free(shelf);
    return err;
}
