/* view_put.h — members that several views write alike. Only for view*.c. */
#ifndef LINEWARD_EDGE_VIEW_PUT_H
#define LINEWARD_EDGE_VIEW_PUT_H

#include "broker/edge/view.h"

void put_span(struct json_out *out, const char *name, struct span value); /* JSON already; empty: null */
void put_word(struct json_out *out, const char *name, const char *text);  /* NULL: null */
void put_count(struct json_out *out, const char *name, uint64_t count);
void put_time(struct json_out *out, const char *name, int64_t wall_ms); /* 0, TIME_NEVER: null */
void put_moment(struct json_out *out, const char *name, int64_t wall_ms); /* 0: no such member */
void put_line(struct json_out *out, const char *name, uint64_t line);   /* 0: null */
void put_number(struct json_out *out, uint64_t number);                 /* "job"; 0: null */
void put_drain_pace(struct json_out *out, const struct change_orders *orders); /* "pace_per_min"; none: null */
void put_reason(struct json_out *out, enum reason reason);              /* "reason"; none: null */
/* "to"; empty: null. `mask`: handles as handle_mask() has them. */
void put_recipients(struct json_out *out, struct span recipients, bool mask);
/* The members of an object as they are, but those in `left_out` (NULL last); of names as long as those of a job. */
void put_members(struct json_out *out, struct span object, const char *const *left_out);

/* "used" and "limit" of a budget; limit 0 is null. */
void view_budget(struct json_out *out, unsigned used, int64_t limit);

#endif
