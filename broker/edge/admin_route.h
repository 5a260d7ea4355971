/* admin_route.h — which call a request means: ONE table of method, path and roles. Pure. */
#ifndef LINEWARD_EDGE_ADMIN_ROUTE_H
#define LINEWARD_EDGE_ADMIN_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "broker/edge/admin_exchange.h"
#include "broker/edge/tokens.h"

#define ROUTE_PARTS_MAX 2
#define ROUTE_ALLOW_MAX 48

struct route {
    const char *method, *path; /* "/v1/lines/{line}": a part in braces takes any text */
    unsigned roles;            /* bit mask; 0: no token needed */
    size_t body_bytes_max;
    enum admin_step (*handle)(struct admin_turn *turn, struct exchange *x);
    int detail; /* the handler's own: which scope, which list */
};

struct route_match {
    const struct route *route;    /* NULL: none fits */
    char *parts[ROUTE_PARTS_MAX]; /* decoded, in the order of the path; they point into the caller's buffer */
    char allow[ROUTE_ALLOW_MAX];  /* methods of this path, when only the method does not fit; "" else */
};

/* Splits `path` at its slashes, then decodes each part in place, then looks for the call. */
struct route_match route_find(const char *method, char *path);

/* Decodes %XX in place; `+` stands for itself. False: a broken escape, or a zero byte. */
bool percent_decode(char *text);

/* The table, for who wants to see all of it; NULL: there are no more. */
const struct route *route_at(size_t index);

/* Is a token with that role allowed to make this call? */
bool route_allows(const struct route *route, enum role role);

#endif
