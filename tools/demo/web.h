/* web.h — JSON over HTTP on loopback, one call at a time: the broker's admin API and the sandbox's controls. */
#ifndef LINEWARD_DEMO_WEB_H
#define LINEWARD_DEMO_WEB_H

#include <stddef.h>

#include "lineward/json.h"

struct web;

/* Calls go to `base_url`; `token` NULL: none is needed. Both are copied. NULL: out of memory. */
struct web *web_new(const char *base_url, const char *token);
void web_free(struct web **web_p); /* sets *web_p to NULL; NULL is fine */

/* The HTTP status, 0: no answer in time. `body` NULL: none. The answer's JSON goes to *out (NULL: not wanted), which
 * is NULL when it held none; cJSON_Delete(). */
int web_call(struct web *web, const char *method, const char *path, const char *body, cJSON **out);

#endif
