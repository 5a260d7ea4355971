/* lookup_page.h — pages that follow the events' order: events themselves, and finished jobs by their end. Only for
 * lookup*.c. */
#ifndef LINEWARD_EDGE_LOOKUP_PAGE_H
#define LINEWARD_EDGE_LOOKUP_PAGE_H

#include "broker/edge/lookup.h"

#define LOOKUP_SCAN_MAX 4096 /* events looked at for one page; what is left is the next page's */

/* Fill the answer's text, items, next, oldest and more; items has room for request->limit. */
enum err lookup_events(const struct archive *archive, const struct lookup_request *request,
                       struct lookup_answer *answer);
enum err lookup_ended(const struct archive *archive, const struct lookup_request *request,
                      struct lookup_answer *answer);

#endif
