/* lookup_page.h — pages that follow the events' order: events themselves, and finished jobs by their end. Only for
 * lookup*.c. */
#ifndef LINEWARD_EDGE_LOOKUP_PAGE_H
#define LINEWARD_EDGE_LOOKUP_PAGE_H

#include "broker/edge/lookup.h"

#define LOOKUP_SCAN_MAX 4096 /* events looked at for one page; what is left is the next page's */

struct gathered { /* what is kept of one event while the page is gathered */
    struct change change;
    struct change_pause pause; /* change.pause points here */
    void *result;              /* change.sections[SECTION_RESULT] points here */
};

struct gathering {
    const struct lookup_request *request;
    struct gathered *items;
    size_t count, seen;
    uint64_t last; /* seq of the last event looked at */
    bool failed, full;
};

/* Reads what follows `after`. ERR_GONE: some of it is not there any more. Free with gathering_free() whatever comes. */
enum err gather_page(const struct archive *archive, struct gathering *page, struct lookup_answer *answer);
void gathering_free(struct gathering *page);

/* Fill the answer's text, items, next, oldest and more; items has room for request->limit. */
enum err lookup_events(const struct archive *archive, const struct lookup_request *request,
                       struct lookup_answer *answer);
enum err lookup_ended(const struct archive *archive, const struct lookup_request *request,
                      struct lookup_answer *answer);
/* lookup_dead.c: LOOKUP_DEAD and LOOKUP_LETTERS. */
enum err lookup_dead(const struct archive *archive, const struct lookup_request *request,
                     struct lookup_answer *answer);
/* lookup_audit.c */
enum err lookup_audit(const struct archive *archive, const struct lookup_request *request,
                      struct lookup_answer *answer);

#endif
