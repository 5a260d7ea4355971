/* top.h — what `linewardctl top` shows, made from two looks at the broker: how it stands, and how fast it goes. No
 * terminal and no network here. */
#ifndef LINEWARDCTL_TOP_H
#define LINEWARDCTL_TOP_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "view.h"

enum top_order { TOP_HELD, TOP_RATE, TOP_ETA, TOP_LINE, TOP_ORDER_COUNT };
extern const char *const top_order_names[TOP_ORDER_COUNT];
/* False: no such order. */
bool top_order_parse(const char *name, enum top_order *out);

struct top_look {
    int64_t mono_ms; /* when; steady */
    cJSON *status;   /* GET /v1/status */
    cJSON *lines;    /* the list of GET /v1/lines */
    bool more;       /* there are more lines than were looked at */
};

struct top {
    enum top_order order;
    struct top_look now, before; /* `before` without status: there was no look before */
};

/* Takes the look over, and what it holds. */
void top_take(struct top *top, const struct top_look *look);
void top_free(struct top *top);

/* At most `height` lines of text, the table of lines from its row `from` (0 is the first) on; `notice` stands in the last
 * line of the head (NULL: none). Returns how many rows the table has. */
int top_draw(const struct top *top, FILE *out, const struct screen *screen, int height, int from, const char *notice);

#endif
