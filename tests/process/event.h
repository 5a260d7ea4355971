/* event.h — webhook events about lines, signed as the provider does. */
#ifndef PROCESS_EVENT_H
#define PROCESS_EVENT_H

#include "rig.h"

struct event {
    char body[1024], id[64];
};

/* `news`: members of `data`, e.g. EVENT_NEWS("CRITICAL"). */
void event_make(struct event *event, const char *line, const char *news, int64_t changed_wall_ms);
#define EVENT_NEWS(word) "\"previous_reputation\":\"CRITICAL\",\"new_reputation\":\"" word "\""
/* Posts it over a connection of its own; the HTTP status, 0: no answer. */
long event_post(struct rig *rig, const struct event *event, const char *secret_text, int64_t age_s);

#endif
